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

/* [list] is ours alone, so it keeps its length. */
static int read_filters(mw_start_options *options, mw_module_state *state, PyObject *list)
{
    mw_alloc *alloc = mw_alloc_system();
    size_t count = (size_t)PyList_GET_SIZE(list);

    options->filters = mw_alloc_array(alloc, count, sizeof *options->filters);
    options->natives = mw_alloc_array(alloc, count, sizeof *options->natives);
    options->filter_count = count;
    if (options->filters == NULL || options->natives == NULL || count > UINT32_MAX) {
        PyErr_NoMemory();
        return -1;
    }
    for (size_t i = 0; i < count; i++) {
        if (read_filter(state, PyList_GET_ITEM(list, (Py_ssize_t)i), &options->filters[i]) < 0)
            return -1;
        options->natives[i] = options->filters[i].native;
    }
    options->tracer.filters = options->natives;
    options->tracer.filter_count = (uint32_t)count;
    return 0;
}

int mw_start_options_init(mw_start_options *options, mw_module_state *state, PyObject *arguments)
{
    PyObject *number, *filters;
    long long sample_bytes, max_overhead_bytes;

    *options = (mw_start_options){0};
    if (!PyArg_ParseTuple(arguments, "OOLL:_start", &number, &filters, &sample_bytes,
                          &max_overhead_bytes))
        return -1;
    if (sample_bytes < 0 || max_overhead_bytes < 0) {
        PyErr_SetString(PyExc_ValueError, "sizes must not be negative");
        return -1;
    }
    options->sample_bytes = (uint64_t)sample_bytes;
    options->max_overhead_bytes = (uint64_t)max_overhead_bytes;
    options->tracer.frame_limit = mw_start_options_frame_limit(number);
    if (options->tracer.frame_limit == 0)
        return -1;
    PyObject *list = PySequence_List(filters);
    int result = list != NULL ? read_filters(options, state, list) : -1;
    Py_XDECREF(list);
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
