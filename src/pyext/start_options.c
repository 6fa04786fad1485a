/* SPDX-License-Identifier: MIT */
#include "pyext/start_options.h"

#include "pyext/compat.h"
#include "pyext/filter_read.h"

/* What a start-time filter must be, since it is asked inside an allocator. */
static const char no_native_filter[] =
    "start() takes Filter and DomainFilter objects with plain attributes, because it cannot call "
    "Python while a block is allocated; leave %R to Snapshot.filter_traces()";

uint32_t mw_start_options_frame_limit(PyObject *number)
{
    int frame_limit = py_long_as_int(number);

    if (frame_limit == -1 && PyErr_Occurred())
        return 0;
    if (frame_limit >= 1 && frame_limit <= MW_FRAME_LIMIT_MAXIMUM)
        return (uint32_t)frame_limit;
    PyErr_Format(PyExc_ValueError, "the number of frames must be in range [1; %d]",
                 MW_FRAME_LIMIT_MAXIMUM);
    return 0;
}

static int read_filter(mw_module_state *state, PyObject *object, mw_read_filter *filter)
{
    int is_filter = PyObject_TypeCheck(object, state->base_filter_type);
    int result = is_filter ? mw_filter_read(state, object, filter) : 0;

    if (result == 0 && is_filter)
        PyErr_Format(PyExc_TypeError, no_native_filter, object);
    else if (result == 0)
        PyErr_Format(PyExc_TypeError, "filters must be Filter and DomainFilter objects, not %.200s",
                     Py_TYPE(object)->tp_name);
    return result > 0 ? 0 : -1;
}

static int read_filters(mw_start_options *options, mw_module_state *state, PyObject *tuple)
{
    mw_alloc *alloc = mw_alloc_system();
    size_t count = (size_t)PyTuple_GET_SIZE(tuple);

    options->filters = mw_alloc_array(alloc, count, sizeof *options->filters);
    options->natives = mw_alloc_array(alloc, count, sizeof *options->natives);
    options->filter_count = count;
    if (options->filters == NULL || options->natives == NULL || count > UINT32_MAX) {
        PyErr_NoMemory();
        return -1;
    }
    for (size_t i = 0; i < count; i++) {
        if (read_filter(state, PyTuple_GET_ITEM(tuple, (Py_ssize_t)i), &options->filters[i]) < 0)
            return -1;
        options->natives[i] = options->filters[i].native;
    }
    options->tracer.filters = options->natives;
    options->tracer.filter_count = (uint32_t)count;
    return 0;
}

/* A number of bytes, which the caller has checked for its user. */
static int read_bytes(PyObject *number, uint64_t *ret_bytes)
{
    long long bytes = PyLong_AsLongLong(number);

    if (bytes < 0 && !PyErr_Occurred())
        PyErr_SetString(PyExc_ValueError, "sizes must not be negative");
    *ret_bytes = (uint64_t)bytes;
    return bytes < 0 ? -1 : 0;
}

int mw_start_options_init(mw_start_options *options, mw_module_state *state,
                          PyObject *const *arguments)
{
    uint64_t max_overhead_bytes;
    PyObject *tuple;
    int result;

    *options = (mw_start_options){0};
    options->tracer.frame_limit = mw_start_options_frame_limit(arguments[0]);
    if (options->tracer.frame_limit == 0 || read_bytes(arguments[2], &options->sample_bytes) < 0 ||
        read_bytes(arguments[3], &max_overhead_bytes) < 0)
        return -1;
    options->tracer.max_overhead_bytes = max_overhead_bytes;
    tuple = PySequence_Tuple(arguments[1]);
    result = tuple != NULL ? read_filters(options, state, tuple) : -1;
    Py_XDECREF(tuple);
    return result;
}

void mw_start_options_done(mw_start_options *options)
{
    mw_alloc *alloc = mw_alloc_system();

    for (size_t i = 0; options->filters != NULL && i < options->filter_count; i++)
        mw_read_filter_done(&options->filters[i]);
    mw_alloc_release(alloc, options->filters, options->filter_count * sizeof *options->filters);
    mw_alloc_release(alloc, options->natives, options->filter_count * sizeof *options->natives);
    *options = (mw_start_options){0};
}
