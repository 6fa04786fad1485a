/* SPDX-License-Identifier: MIT */
#include "pyext/durations.h"

#include "base/quantity.h"

PyDoc_STRVAR(parse_duration_doc, "_parse_duration($module, text, /)\n"
                                 "--\n\n"
                                 "The nanoseconds that a text such as 10s means; None if none.");

static PyObject *parse_duration(PyObject *module, PyObject *text)
{
    const char *bytes = PyUnicode_Check(text) ? PyUnicode_AsUTF8(text) : NULL;
    uint64_t duration_ns;

    if (bytes == NULL && PyErr_Occurred())
        return NULL;
    if (bytes == NULL || !mw_duration_parse(bytes, &duration_ns))
        Py_RETURN_NONE;
    return PyLong_FromUnsignedLongLong(duration_ns);
}

PyMethodDef mw_duration_methods[] = {
    {"_parse_duration", parse_duration, METH_O, parse_duration_doc},
    {NULL, NULL, 0, NULL},
};
