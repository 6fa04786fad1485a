/* SPDX-License-Identifier: MIT */
#include "pyext/sampling.h"

#include "pyext/raise.h"
#include "pyext/sampling_hooks.h"
#include "pyext/tracing.h"
#include "pyext/types.h"
#include "tracer/sampler.h"
#include "tracer/tracer.h"

/* ── start and stop ──────────────────────────────────────────────────────────────── */

static int begin(uint64_t sample_bytes, const mw_tracer_options *options, uint64_t seed)
{
    if (sample_bytes < 1 || sample_bytes > MW_SAMPLE_BYTES_MAXIMUM) {
        PyErr_Format(PyExc_ValueError, "sample must be in range [1; %lld] bytes",
                     (long long)MW_SAMPLE_BYTES_MAXIMUM);
        return -1;
    }
    if (mw_sampler_is_active(&mw_the_sampler))
        return 0;
    if (mw_sampler_start(&mw_the_sampler, mw_alloc_pages(), sample_bytes, options, seed) != MW_OK) {
        PyErr_NoMemory();
        return -1;
    }
    mw_sampling_hooks_install();
    return 0;
}

int mw_sampling_start(uint64_t sample_bytes, const mw_tracer_options *options)
{
    return begin(sample_bytes, options, 0);
}

void mw_sampling_stop(void)
{
    if (!mw_sampler_is_active(&mw_the_sampler))
        return;
    mw_sampling_hooks_remove();
    mw_sampler_stop(&mw_the_sampler);
}

uint64_t mw_sampling_bytes(void)
{
    return mw_the_sampler.sample_bytes;
}

size_t mw_sampling_memory_bytes(void)
{
    return mw_sampler_memory_bytes(&mw_the_sampler);
}

void mw_sampling_retire(void)
{
    mw_sampling_hooks_retire();
}

/* ── functions of the module ─────────────────────────────────────────────────────── */

PyDoc_STRVAR(start_sampling_doc,
             "_start_sampling($module, sample, nframe=65535, seed=0, /)\n"
             "--\n\n"
             "Record one block per sample bytes on average.  ValueError for numbers out of\n"
             "range, MemoryError leaves sampling off.  Does nothing when sampling already.\n"
             "The same seed, if it is not 0, gives each thread the same random numbers.");

static PyObject *start_sampling(PyObject *module, PyObject *arguments)
{
    mw_tracer_options options = {0};
    long long sample_bytes;
    int frame_limit = MW_FRAME_LIMIT_MAXIMUM;
    unsigned long long seed = 0;

    if (!PyArg_ParseTuple(arguments, "L|iK:_start_sampling", &sample_bytes, &frame_limit, &seed))
        return NULL;
    if (frame_limit < 1 || frame_limit > MW_FRAME_LIMIT_MAXIMUM)
        return PyErr_Format(PyExc_ValueError, "the number of frames must be in range [1; %d]",
                            MW_FRAME_LIMIT_MAXIMUM);
    options.frame_limit = (uint32_t)frame_limit;
    if (begin((uint64_t)sample_bytes, &options, seed) < 0)
        return NULL;
    Py_RETURN_NONE;
}

PyDoc_STRVAR(stop_sampling_doc, "_stop_sampling($module, /)\n"
                                "--\n\n"
                                "End sampling and forget all samples.");

static PyObject *stop_sampling(PyObject *module, PyObject *ignored)
{
    mw_sampling_stop();
    Py_RETURN_NONE;
}

/* The following answer for samples what the functions at the end ask. */

static PyObject *clear_samples(PyObject *module, PyObject *ignored)
{
    if (mw_sampler_clear(&mw_the_sampler) == MW_OK)
        Py_RETURN_NONE;
    mw_sampling_hooks_remove();
    return PyErr_NoMemory();
}

PyDoc_STRVAR(get_sampling_doc,
             "get_sampling($module, /)\n"
             "--\n\n"
             "Get how many bytes there are between two samples on average; None when no\n"
             "samples are taken.");

static PyObject *get_sampling(PyObject *module, PyObject *ignored)
{
    if (!mw_sampler_is_active(&mw_the_sampler))
        Py_RETURN_NONE;
    return PyLong_FromUnsignedLongLong(mw_sampling_bytes());
}

static PyObject *take_sampled_snapshot(PyObject *module, PyObject *ignored)
{
    mw_snapshot *snapshot = NULL;
    mw_status status;

    if (mw_tracing_mend_hooks() < 0)
        return NULL;
    status = mw_sampler_snapshot(&mw_the_sampler, mw_alloc_system(), &snapshot);
    if (status == MW_OK)
        return mw_snapshot_object_new(PyModule_GetState(module), snapshot);
    if (status != MW_UNSUPPORTED)
        return mw_raise(status, NULL);
    PyErr_SetString(PyExc_RuntimeError, "memwhy must be sampling to take a sampled snapshot: "
                                        "call memwhy.start(sample=512 * 1024) first");
    return NULL;
}

static PyObject *get_sampled_memory(PyObject *module, PyObject *ignored)
{
    uint64_t live_bytes, peak_bytes;

    mw_sampler_traced_bytes(&mw_the_sampler, &live_bytes, &peak_bytes);
    return Py_BuildValue("(KK)", (unsigned long long)live_bytes, (unsigned long long)peak_bytes);
}

static PyObject *reset_sampled_peak(PyObject *module, PyObject *ignored)
{
    mw_sampler_reset_peak(&mw_the_sampler);
    Py_RETURN_NONE;
}

static PyObject *get_lost_samples(PyObject *module, PyObject *ignored)
{
    unsigned long long blocks, bytes;

    mw_raw_lane_lock(&mw_the_sampler.lane);
    blocks = mw_the_sampler.lane.lost_blocks;
    bytes = mw_the_sampler.lane.lost_bytes;
    mw_raw_lane_unlock(&mw_the_sampler.lane);
    return Py_BuildValue("(KK)", blocks, bytes);
}

PyDoc_STRVAR(check_samples_doc,
             "_check_samples($module, /)\n"
             "--\n\n"
             "For tests: recount everything that sampling keeps.  Returns a tuple: (whether\n"
             "all is consistent: bool, samples alive: int, places taken in the filter: int).");

static PyObject *check_samples(PyObject *module, PyObject *ignored)
{
    mw_sampler *sampler = &mw_the_sampler;
    unsigned int places = 0, count;
    bool is_consistent;

    mw_raw_lane_lock(&sampler->lane);
    is_consistent = mw_sampler_is_consistent(sampler);
    count = sampler->lane.blocks.count;
    for (uint32_t place = 0; place < 1 << MW_SAMPLE_FILTER_BITS; place++)
        places += sampler->filter[place] != 0;
    mw_raw_lane_unlock(&sampler->lane);
    return Py_BuildValue("(NII)", PyBool_FromLong(is_consistent), count, places);
}

/* ── exact tracing and sampling as one ───────────────────────────────────────────── */

/* While exact tracing is on, questions are answered from it; without it, from the samples.
 * In C and not in Python, so that asking allocates nothing. */
static bool samples_answer(void)
{
    return !mw_the_tracer.is_active && mw_sampler_is_active(&mw_the_sampler);
}

PyDoc_STRVAR(either_stop_doc,
             "stop($module, /)\n"
             "--\n\n"
             "Stop tracing Python memory allocations, and forget them.\n\n"
             "Where exact tracing was started while blocks were sampled, it ends and the\n"
             "samples stay, with all that was sampled meanwhile; a second stop() ends the\n"
             "sampling.");

static PyObject *either_stop(PyObject *module, PyObject *ignored)
{
    return samples_answer() ? stop_sampling(module, NULL) : mw_tracing_stop(module, NULL);
}

PyDoc_STRVAR(either_is_tracing_doc,
             "is_tracing($module, /)\n"
             "--\n\n"
             "Return True if memwhy is tracing Python memory allocations, exactly or by\n"
             "samples.");

static PyObject *either_is_tracing(PyObject *module, PyObject *ignored)
{
    return PyBool_FromLong(mw_the_tracer.is_active || mw_sampler_is_active(&mw_the_sampler));
}

PyDoc_STRVAR(either_clear_traces_doc, "clear_traces($module, /)\n"
                                      "--\n\n"
                                      "Clear traces of memory blocks allocated by Python.\n\n"
                                      "While exact tracing is on, samples are left as they are.");

static PyObject *either_clear_traces(PyObject *module, PyObject *ignored)
{
    return samples_answer() ? clear_samples(module, NULL) : mw_tracing_clear_traces(module, NULL);
}

PyDoc_STRVAR(either_get_traced_memory_doc,
             "get_traced_memory($module, /)\n"
             "--\n\n"
             "Get the current size and peak size of memory blocks traced by memwhy.\n\n"
             "Returns a tuple: (current: int, peak: int), in bytes, which are estimates when\n"
             "only samples are taken; (0, 0) when not tracing.");

static PyObject *either_get_traced_memory(PyObject *module, PyObject *ignored)
{
    return samples_answer() ? get_sampled_memory(module, NULL)
                            : mw_tracing_get_traced_memory(module, NULL);
}

PyDoc_STRVAR(either_reset_peak_doc,
             "reset_peak($module, /)\n"
             "--\n\n"
             "Set the peak size of memory blocks traced by memwhy to the current size.\n\n"
             "Do nothing if memwhy is not tracing memory allocations.");

static PyObject *either_reset_peak(PyObject *module, PyObject *ignored)
{
    return samples_answer() ? reset_sampled_peak(module, NULL)
                            : mw_tracing_reset_peak(module, NULL);
}

PyDoc_STRVAR(either_get_lost_doc,
             "get_lost($module, /)\n"
             "--\n\n"
             "Get what could not be recorded since start() because memwhy itself was\n"
             "refused memory.\n\n"
             "Returns a tuple: (blocks: int, bytes: int); (0, 0) as a rule.");

static PyObject *either_get_lost(PyObject *module, PyObject *ignored)
{
    return samples_answer() ? get_lost_samples(module, NULL) : mw_tracing_get_lost(module, NULL);
}

PyDoc_STRVAR(either_take_snapshot_doc,
             "take_snapshot($module, /, *, sampled=None)\n"
             "--\n\n"
             "Take a snapshot of the traces of memory blocks allocated by Python.\n\n"
             "While exact tracing is on, the snapshot is exact: it has every block that was\n"
             "allocated since that was started.  Otherwise it has the samples, and its\n"
             "statistics are estimates.  sampled=True asks for the samples in either case,\n"
             "sampled=False for the exact snapshot.\n\n"
             "Costs by allocation sites and large blocks, not by small ones.  Raises\n"
             "RuntimeError when what is asked for is not being traced.");

static PyObject *either_take_snapshot(PyObject *module, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"sampled", NULL};
    PyObject *sampled = Py_None;

    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|$O:take_snapshot", names, &sampled))
        return NULL;
    int wants_samples = sampled == Py_None ? samples_answer() : PyObject_IsTrue(sampled);
    if (wants_samples < 0)
        return NULL;
    return wants_samples ? take_sampled_snapshot(module, NULL)
                         : mw_tracing_take_snapshot(module, NULL);
}

/* ── adding all to the module ────────────────────────────────────────────────────── */

static PyMethodDef sampling_methods[] = {
    {"_start_sampling", start_sampling, METH_VARARGS, start_sampling_doc},
    {"_stop_sampling", stop_sampling, METH_NOARGS, stop_sampling_doc},
    {"get_sampling", get_sampling, METH_NOARGS, get_sampling_doc},
    {"_check_samples", check_samples, METH_NOARGS, check_samples_doc},
    {NULL, NULL, 0, NULL},
};

/* Under their own names these are the package's; in this module the names are taken by the
 * functions for exact tracing, which are the drop-in's. */
static PyMethodDef either_methods[] = {
    {"stop", either_stop, METH_NOARGS, either_stop_doc},
    {"is_tracing", either_is_tracing, METH_NOARGS, either_is_tracing_doc},
    {"clear_traces", either_clear_traces, METH_NOARGS, either_clear_traces_doc},
    {"get_traced_memory", either_get_traced_memory, METH_NOARGS, either_get_traced_memory_doc},
    {"reset_peak", either_reset_peak, METH_NOARGS, either_reset_peak_doc},
    {"get_lost", either_get_lost, METH_NOARGS, either_get_lost_doc},
    {"take_snapshot", (PyCFunction)(void (*)(void))either_take_snapshot,
     METH_VARARGS | METH_KEYWORDS, either_take_snapshot_doc},
    {NULL, NULL, 0, NULL},
};

/* Adds a function as `_either_` and its name. */
static int add_either(PyObject *module, PyMethodDef *method)
{
    PyObject *function = PyCFunction_NewEx(method, module, NULL);
    PyObject *name = PyUnicode_FromFormat("_either_%s", method->ml_name);
    int result = function != NULL && name != NULL ? PyObject_SetAttr(module, name, function) : -1;

    Py_XDECREF(function);
    Py_XDECREF(name);
    return result;
}

int mw_sampling_add(PyObject *module)
{
    if (mw_sampling_hooks_init() < 0) {
        PyErr_NoMemory();
        return -1;
    }
    for (PyMethodDef *method = either_methods; method->ml_name != NULL; method++)
        if (add_either(module, method) < 0)
            return -1;
    return PyModule_AddFunctions(module, sampling_methods);
}
