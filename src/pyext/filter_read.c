/* SPDX-License-Identifier: MIT */
#include "pyext/filter_read.h"

/* An attribute that is None or a plain int.  Returns 1, 0 when it is something else, or
 * -1 with an exception. */
static int read_number(PyObject *object, PyObject *name, bool *ret_has, int64_t *ret_value)
{
    PyObject *value = PyObject_GetAttr(object, name);
    int overflow = 0;

    if (value == NULL)
        return -1;
    *ret_has = value != Py_None;
    int fits = value == Py_None || PyLong_Check(value);
    if (fits && *ret_has) {
        *ret_value = PyLong_AsLongLongAndOverflow(value, &overflow);
        fits = !overflow;
    }
    Py_DECREF(value);
    return fits;
}

static int read_flag(PyObject *object, PyObject *name, bool *ret_value)
{
    PyObject *value = PyObject_GetAttr(object, name);
    int truth = value != NULL ? PyObject_IsTrue(value) : -1;

    Py_XDECREF(value);
    *ret_value = truth > 0;
    return truth < 0 ? -1 : 1;
}

static int read_pattern(mw_module_state *state, PyObject *object, mw_read_filter *read)
{
    read->pattern = PyObject_GetAttr(object, state->names.filename_pattern);
    if (read->pattern == NULL)
        return -1;
    if (!PyUnicode_Check(read->pattern))
        return 0;
    if (mw_utf8_init(&read->utf8, read->pattern) < 0)
        return -1;
    read->native.pattern = read->utf8.bytes;
    read->native.pattern_length = read->utf8.length;
    return 1;
}

static int read_domain_filter(mw_module_state *state, PyObject *object, mw_filter *native)
{
    int result =
        read_number(object, state->names.filter_domain, &native->has_domain, &native->domain);

    native->kind = MW_FILTER_DOMAIN;
    return result > 0 ? native->has_domain : result;
}

static int read_file_filter(mw_module_state *state, PyObject *object, mw_read_filter *read)
{
    mw_filter *native = &read->native;
    int result = read_number(object, state->names.lineno, &native->has_line, &native->line);

    native->kind = MW_FILTER_FILE;
    if (result > 0)
        result = read_number(object, state->names.domain, &native->has_domain, &native->domain);
    if (result > 0)
        result = read_flag(object, state->names.all_frames, &native->all_frames);
    return result > 0 ? read_pattern(state, object, read) : result;
}

int mw_filter_read(mw_module_state *state, PyObject *object, mw_read_filter *ret_filter)
{
    if (read_flag(object, state->names.inclusive, &ret_filter->native.inclusive) < 0)
        return -1;
    if (Py_TYPE(object) == state->domain_filter_type)
        return read_domain_filter(state, object, &ret_filter->native);
    if (Py_TYPE(object) == state->filter_type)
        return read_file_filter(state, object, ret_filter);
    return 0;
}

void mw_read_filter_done(mw_read_filter *filter)
{
    mw_utf8_done(&filter->utf8);
    Py_CLEAR(filter->pattern);
}
