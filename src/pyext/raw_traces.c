/* SPDX-License-Identifier: MIT
 *
 * One pass over the traces.  A traceback that was met before, as an equal tuple, is found
 * by one look into a dict, so the work per block is small where tracebacks repeat.
 *
 * Every step answers like the whole: 1 done, 0 does not fit, -1 failed.
 */
#include "pyext/raw_traces.h"

#include <stdbool.h>

#include "pyext/raise.h"
#include "pyext/utf8.h"

typedef struct raw_builder {
    mw_snapshot_builder *tables;
    PyObject *paths;      /* dict: traceback tuple → path as int */
    uint64_t total_bytes; /* at most MW_RAW_TOTAL_MAXIMUM        */
} raw_builder;

static int answer(mw_status status)
{
    if (status == MW_OK)
        return 1;
    mw_raise(status, NULL);
    return -1;
}

/* An int (and nothing that only behaves like one) from [least] to [most]. */
static int read_int(PyObject *object, long long least, long long most, long long *ret_value)
{
    int overflow;

    if (!PyLong_CheckExact(object))
        return 0;
    *ret_value = PyLong_AsLongLongAndOverflow(object, &overflow);
    return !overflow && least <= *ret_value && *ret_value <= most;
}

static int intern_file(raw_builder *builder, PyObject *name, mw_string *ret_string)
{
    mw_utf8 utf8;

    if (!PyUnicode_CheckExact(name))
        return 0;
    if (mw_utf8_init(&utf8, name) < 0)
        return -1;
    int result =
        answer(mw_snapshot_builder_string(builder->tables, utf8.bytes, utf8.length, ret_string));
    mw_utf8_done(&utf8);
    return result;
}

/* Appends the frame (filename, lineno) to the path. */
static int extend_path(raw_builder *builder, PyObject *pair, mw_path *path)
{
    mw_frame_row row = {0};
    mw_frame frame;
    long long line;

    if (!PyTuple_CheckExact(pair) || PyTuple_GET_SIZE(pair) != 2)
        return 0;
    int result = read_int(PyTuple_GET_ITEM(pair, 1), INT32_MIN, INT32_MAX, &line);
    if (result > 0)
        result = intern_file(builder, PyTuple_GET_ITEM(pair, 0), &row.file);
    if (result <= 0)
        return result;
    row.line = (int32_t)line;
    result = answer(mw_snapshot_builder_frame(builder->tables, row, &frame));
    if (result <= 0)
        return result;
    return answer(mw_snapshot_builder_path(builder->tables, *path, frame, path));
}

/* Paths grow from the oldest frame, which raw tracebacks have last. */
static int make_path(raw_builder *builder, PyObject *traceback, mw_path *ret_path)
{
    mw_path path = {0};

    for (Py_ssize_t i = PyTuple_GET_SIZE(traceback) - 1; i >= 0; i--) {
        int result = extend_path(builder, PyTuple_GET_ITEM(traceback, i), &path);
        if (result <= 0)
            return result;
    }
    PyObject *number = PyLong_FromUnsignedLong(path.index);
    int result = number != NULL ? PyDict_SetItem(builder->paths, traceback, number) : -1;
    Py_XDECREF(number);
    *ret_path = path;
    return result < 0 ? -1 : 1;
}

static int find_path(raw_builder *builder, PyObject *traceback, mw_path *ret_path)
{
    if (!PyTuple_CheckExact(traceback) || PyTuple_GET_SIZE(traceback) == 0 ||
        PyTuple_GET_SIZE(traceback) > MW_FRAME_LIMIT_MAXIMUM)
        return 0;

    PyObject *known = PyDict_GetItemWithError(builder->paths, traceback);
    if (known != NULL) {
        ret_path->index = (uint32_t)PyLong_AsUnsignedLong(known);
        return 1;
    }
    if (PyErr_Occurred()) {
        /* What cannot be hashed is left to those who know what to do with it. */
        bool is_unhashable = PyErr_ExceptionMatches(PyExc_TypeError);
        if (is_unhashable)
            PyErr_Clear();
        return is_unhashable ? 0 : -1;
    }
    return make_path(builder, traceback, ret_path);
}

static int read_total(PyObject *object, Py_ssize_t frame_count, long long *ret_total)
{
    *ret_total = MW_TOTAL_FRAMES_UNKNOWN;
    return object == Py_None ? 1 : read_int(object, frame_count, UINT32_MAX, ret_total);
}

static int add_trace(raw_builder *builder, PyObject *trace)
{
    long long domain, size, total;
    mw_path path;
    mw_site site;
    int result;

    if (!PyTuple_CheckExact(trace) || PyTuple_GET_SIZE(trace) != 4)
        return 0;
    PyObject *traceback = PyTuple_GET_ITEM(trace, 2);
    if (!read_int(PyTuple_GET_ITEM(trace, 0), 0, UINT32_MAX, &domain) ||
        !read_int(PyTuple_GET_ITEM(trace, 1), 0, MW_RAW_TOTAL_MAXIMUM, &size))
        return 0;
    result = find_path(builder, traceback, &path);
    if (result <= 0)
        return result;
    if (!read_total(PyTuple_GET_ITEM(trace, 3), PyTuple_GET_SIZE(traceback), &total))
        return 0;
    builder->total_bytes += (uint64_t)size;
    if (builder->total_bytes > MW_RAW_TOTAL_MAXIMUM)
        return 0;
    result = answer(mw_snapshot_builder_site(builder->tables, path, (uint32_t)total,
                                             (uint32_t)domain, (mw_thread){0}, &site));
    if (result <= 0)
        return result;
    return answer(mw_snapshot_builder_blocks(builder->tables, site, (uint64_t)size, 1));
}

/* [traces] may change under us while a file name is encoded or a tuple compared, so each
 * trace is held and the length asked anew. */
static int add_traces(raw_builder *builder, PyObject *traces)
{
    for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(traces); i++) {
        PyObject *trace = Py_NewRef(PySequence_Fast_GET_ITEM(traces, i));
        int result = add_trace(builder, trace);
        Py_DECREF(trace);
        if (result <= 0)
            return result;
    }
    return 1;
}

int mw_raw_traces_build(PyObject *traces, mw_snapshot **ret_snapshot)
{
    raw_builder builder = {0};
    int result = -1;

    if (!PyList_CheckExact(traces) && !PyTuple_CheckExact(traces))
        return 0;
    builder.paths = PyDict_New();
    if (builder.paths != NULL)
        result = answer(
            mw_snapshot_builder_new(mw_alloc_system(), MW_FRAME_LIMIT_MAXIMUM, &builder.tables));
    if (result > 0)
        result = add_traces(&builder, traces);
    if (result > 0)
        result = answer(mw_snapshot_builder_finish(builder.tables, ret_snapshot));
    else
        mw_snapshot_builder_free(builder.tables);
    Py_XDECREF(builder.paths);
    return result;
}
