/* SPDX-License-Identifier: MIT
 *
 * Sizes are formatted as doubles with Python's own conversion, which knows no locale.
 * Everything that may be an arbitrary object goes through Python's % operator.
 */
#include "pyext/text.h"

#include <math.h>

static PyObject *format_in_unit(double value, int digits, mw_size_form form, const char *unit)
{
    int flags = form == MW_SIZE_SIGNED ? Py_DTSF_SIGN : 0;
    char *number = PyOS_double_to_string(value, 'f', digits, flags, NULL);
    if (number == NULL)
        return NULL;

    PyObject *text = PyUnicode_FromFormat("%s %s", number, unit);
    PyMem_Free(number);
    return text;
}

/* Fails as abs() and then % would fail on what is not a real number. */
static int size_as_double(PyObject *size, double *ret_value)
{
    if (!PyLong_Check(size) && !PyFloat_Check(size)) {
        PyObject *absolute = PyNumber_Absolute(size);
        if (absolute == NULL)
            return -1;
        Py_DECREF(absolute);
    }
    *ret_value = PyFloat_AsDouble(size);
    return *ret_value == -1.0 && PyErr_Occurred() ? -1 : 0;
}

PyObject *mw_text_size(PyObject *size, mw_size_form form)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    enum { LAST = 4 };
    double value;

    if (size_as_double(size, &value) < 0)
        return NULL;
    for (int i = 0; i < LAST; i++) {
        if (i > 0 && fabs(value) < 100)
            return format_in_unit(value, 1, form, units[i]);
        if (fabs(value) < 10 * 1024)
            return format_in_unit(value, 0, form, units[i]);
        value /= 1024;
    }
    return format_in_unit(value, fabs(value) < 100 ? 1 : 0, form, units[LAST]);
}

PyObject *mw_text_percent(const char *format, PyObject *arguments)
{
    if (arguments == NULL)
        return NULL;

    PyObject *text = NULL;
    PyObject *pattern = PyUnicode_FromString(format);
    if (pattern != NULL)
        text = PyUnicode_Format(pattern, arguments);
    Py_XDECREF(pattern);
    Py_DECREF(arguments);
    return text;
}

PyObject *mw_text_average(PyObject *size, PyObject *count)
{
    int counted = PyObject_IsTrue(count);
    if (counted < 0)
        return NULL;
    if (!counted)
        return PyUnicode_FromString("");

    PyObject *average = PyNumber_TrueDivide(size, count);
    if (average == NULL)
        return NULL;
    PyObject *text = mw_text_size(average, MW_SIZE_PLAIN);
    Py_DECREF(average);
    if (text == NULL)
        return NULL;
    return mw_text_percent(", average=%s", Py_BuildValue("(N)", text));
}
