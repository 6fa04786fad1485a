/* SPDX-License-Identifier: MIT
 *
 * A status becomes the exception that a Python programmer would expect for it.
 */
#include "pyext/raise.h"

static PyObject *exception_of(mw_status status)
{
    switch (status) {
    case MW_LIMIT:
        return PyExc_OverflowError;
    case MW_BAD_INPUT:
        return PyExc_ValueError;
    case MW_IO:
        return PyExc_OSError;
    default:
        return PyExc_RuntimeError;
    }
}

static const char *sentence_of(mw_status status)
{
    switch (status) {
    case MW_LIMIT:
        return "a table of memwhy is full";
    case MW_BAD_INPUT:
        return "the input is not what it claims to be";
    case MW_UNSUPPORTED:
        return "this is not supported here";
    case MW_IO:
        return "the system refused to read or write";
    default:
        return "memwhy failed";
    }
}

PyObject *mw_raise(mw_status status, const mw_error *error)
{
    if (status == MW_NO_MEMORY)
        return PyErr_NoMemory();

    PyErr_SetString(exception_of(status), error != NULL ? error->text : sentence_of(status));
    return NULL;
}
