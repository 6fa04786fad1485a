/* SPDX-License-Identifier: MIT
 *
 * The order of the checks is that of the interpreter: positional arguments are laid
 * down, keywords are matched, then there may be too many, then some may be missing.
 */
#include "pyext/arguments.h"

static int find_parameter(const mw_parameters *parameters, PyObject *keyword)
{
    for (int i = 0; i < parameters->count; i++) {
        if (PyUnicode_CompareWithASCIIString(keyword, parameters->names[i]) == 0)
            return i;
    }
    return -1;
}

static int bind_keywords(const mw_parameters *parameters, PyObject *kwargs, PyObject **values)
{
    PyObject *keyword, *value;
    Py_ssize_t position = 0;

    while (PyDict_Next(kwargs, &position, &keyword, &value)) {
        int index = find_parameter(parameters, keyword);
        if (index < 0) {
            PyErr_Format(PyExc_TypeError, "%s() got an unexpected keyword argument '%S'",
                         parameters->function, keyword);
            return -1;
        }
        if (values[index] != NULL) {
            PyErr_Format(PyExc_TypeError, "%s() got multiple values for argument '%S'",
                         parameters->function, keyword);
            return -1;
        }
        values[index] = value;
    }
    return 0;
}

static void raise_too_many(const mw_parameters *parameters, Py_ssize_t given)
{
    int most = parameters->count + (int)parameters->callee;
    int least = parameters->required + (int)parameters->callee;
    Py_ssize_t passed = given + (Py_ssize_t)parameters->callee;
    const char *were = passed == 1 ? "was" : "were";

    if (least != most) {
        PyErr_Format(PyExc_TypeError,
                     "%s() takes from %d to %d positional arguments but %zd %s given",
                     parameters->function, least, most, passed, were);
    } else {
        PyErr_Format(PyExc_TypeError, "%s() takes %d positional argument%s but %zd %s given",
                     parameters->function, most, most == 1 ? "" : "s", passed, were);
    }
}

/* Writes "'a'", "'a' and 'b'" or "'a', 'b', and 'c'". */
static PyObject *join_missing(const mw_parameters *parameters, PyObject *const *values, int missing)
{
    PyObject *text = PyUnicode_FromString("");
    int written = 0;

    for (int i = 0; i < parameters->required && text != NULL; i++) {
        if (values[i] != NULL)
            continue;
        const char *before = "";
        if (written > 0)
            before = written < missing - 1 ? ", " : missing == 2 ? " and " : ", and ";
        PyObject *longer = PyUnicode_FromFormat("%U%s'%s'", text, before, parameters->names[i]);
        Py_SETREF(text, longer);
        written++;
    }
    return text;
}

static int check_missing(const mw_parameters *parameters, PyObject *const *values)
{
    int missing = 0;

    for (int i = 0; i < parameters->required; i++)
        missing += values[i] == NULL;
    if (missing == 0)
        return 0;

    PyObject *names = join_missing(parameters, values, missing);
    if (names != NULL) {
        PyErr_Format(PyExc_TypeError, "%s() missing %d required positional argument%s: %U",
                     parameters->function, missing, missing == 1 ? "" : "s", names);
        Py_DECREF(names);
    }
    return -1;
}

int mw_arguments_bind(const mw_parameters *parameters, PyObject *args, PyObject *kwargs,
                      PyObject **ret_values)
{
    Py_ssize_t given = PyTuple_GET_SIZE(args);

    for (int i = 0; i < parameters->count; i++)
        ret_values[i] = i < given ? PyTuple_GET_ITEM(args, i) : NULL;
    if (kwargs != NULL && bind_keywords(parameters, kwargs, ret_values) < 0)
        return -1;
    if (given > parameters->count) {
        raise_too_many(parameters, given);
        return -1;
    }
    return check_missing(parameters, ret_values);
}
