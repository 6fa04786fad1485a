/* SPDX-License-Identifier: MIT */
#include "pyext/tracing.h"

#include "core/region.h"
#include "pyext/allocator_hooks.h"
#include "pyext/capi_domains.h"
#include "pyext/code_registry.h"
#include "pyext/compat.h"
#include "pyext/doctor.h"
#include "pyext/frame_marks_check.h"
#include "pyext/frames.h"
#include "pyext/mechanisms.h"
#include "pyext/raise.h"
#include "pyext/regions.h"
#include "pyext/reuse_hooks.h"
#include "pyext/sampling.h"
#include "pyext/sampling_hooks.h"
#include "pyext/stack_walk.h"
#include "pyext/start_options.h"
#include "pyext/text.h"
#include "pyext/thread_names.h"
#include "pyext/types.h"
#include "tracer/sampler.h"
#include "tracer/tracer.h"

/* ── start and stop ──────────────────────────────────────────────────────────────── */

/* Does nothing when tracing has been started already. */
static PyObject *begin(PyObject *module, const mw_tracer_options *options)
{
    /* Done at import, as a rule; it runs Python, so another thread may start meanwhile. */
    if (!mw_the_tracer.is_active && mw_frame_marks_prove() < 0)
        return NULL;
    if (mw_the_tracer.is_active)
        Py_RETURN_NONE;
    mw_locals_marks_init();
    if (mw_tracer_start_with(&mw_the_tracer, mw_alloc_pages(), options) != MW_OK)
        return PyErr_NoMemory();
    mw_stack_walk_begin();
    mw_allocator_hooks_install();
    /* Before 3.13 the next raises a flag that PyTraceMalloc_Track must not see. */
    mw_capi_domains_install(module);
    mw_reuse_hooks_install();
    Py_RETURN_NONE;
}

PyDoc_STRVAR(start_doc, "start($module, nframe=1, /)\n"
                        "--\n\n"
                        "Start tracing Python memory allocations.\n\n"
                        "Also set the maximum number of frames stored in the traceback of a trace\n"
                        "to nframe, from 1 to 65535: ValueError otherwise.  Does nothing when\n"
                        "tracing has been started already.  MemoryError leaves tracing off.");

static PyObject *start(PyObject *module, PyObject *arguments)
{
    mw_tracer_options options = {.frame_limit = 1};
    PyObject *number = NULL;

    if (!PyArg_UnpackTuple(arguments, "start", 0, 1, &number))
        return NULL;
    if (number != NULL)
        options.frame_limit = mw_start_options_frame_limit(number);
    return options.frame_limit != 0 ? begin(module, &options) : NULL;
}

PyDoc_STRVAR(start_with_doc,
             "_start($module, nframe, filters, sample_bytes, max_overhead_bytes, /)\n"
             "--\n\n"
             "memwhy.start(), with sizes as ints and 0 for none.");

static PyObject *start_with(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
{
    mw_start_options options = {0};
    PyObject *result = NULL;

    if (count != MW_START_ARGUMENTS)
        return PyErr_Format(PyExc_TypeError, "_start() takes %d arguments", MW_START_ARGUMENTS);
    if (mw_start_options_init(&options, PyModule_GetState(module), arguments) == 0) {
        if (options.sample_bytes == 0)
            result = begin(module, &options.tracer);
        else if (mw_sampling_start(options.sample_bytes, &options.tracer) == 0)
            result = Py_NewRef(Py_None);
    }
    mw_start_options_done(&options);
    return result;
}

PyDoc_STRVAR(stop_doc, "stop($module, /)\n"
                       "--\n\n"
                       "Stop tracing Python memory allocations.\n\n"
                       "Also clear traces of memory blocks allocated by Python.");

PyObject *mw_tracing_stop(PyObject *module, PyObject *ignored)
{
    if (!mw_the_tracer.is_active)
        Py_RETURN_NONE;
    mw_reuse_hooks_remove();
    mw_capi_domains_remove();
    mw_allocator_hooks_remove();
    mw_stack_walk_end(&mw_the_tracer);
    mw_tracer_stop(&mw_the_tracer);
    Py_RETURN_NONE;
}

PyDoc_STRVAR(is_tracing_doc, "is_tracing($module, /)\n"
                             "--\n\n"
                             "Return True if memwhy is tracing Python memory allocations.");

static PyObject *is_tracing(PyObject *module, PyObject *ignored)
{
    return PyBool_FromLong(mw_the_tracer.is_active);
}

PyDoc_STRVAR(clear_traces_doc, "clear_traces($module, /)\n"
                               "--\n\n"
                               "Clear traces of memory blocks allocated by Python.");

PyObject *mw_tracing_clear_traces(PyObject *module, PyObject *ignored)
{
    if (!mw_the_tracer.is_active)
        Py_RETURN_NONE;
    mw_stack_walk_end(&mw_the_tracer);
    mw_stack_walk_begin();
    if (mw_tracer_clear(&mw_the_tracer) != MW_OK) {
        mw_reuse_hooks_remove();
        mw_capi_domains_remove();
        mw_allocator_hooks_remove();
        return PyErr_NoMemory();
    }
    Py_RETURN_NONE;
}

/* ── questions ───────────────────────────────────────────────────────────────────── */

PyDoc_STRVAR(get_traceback_limit_doc,
             "get_traceback_limit($module, /)\n"
             "--\n\n"
             "Get the maximum number of frames stored in the traceback of a trace.\n\n"
             "By default, a trace of an allocated memory block only stores\n"
             "the most recent frame: the limit is 1.");

static PyObject *get_traceback_limit(PyObject *module, PyObject *ignored)
{
    uint32_t limit = mw_the_tracer.frame_limit;

    return PyLong_FromUnsignedLong(limit != 0 ? limit : 1);
}

PyDoc_STRVAR(get_traced_memory_doc,
             "get_traced_memory($module, /)\n"
             "--\n\n"
             "Get the current size and peak size of memory blocks traced by memwhy.\n\n"
             "Returns a tuple: (current: int, peak: int), in bytes; (0, 0) when not\n"
             "tracing.");

PyObject *mw_tracing_get_traced_memory(PyObject *module, PyObject *ignored)
{
    unsigned long long live = 0;
    unsigned long long peak = 0;

    if (mw_the_tracer.is_active) {
        live = mw_tracer_live_bytes(&mw_the_tracer);
        peak = mw_tracer_peak_bytes(&mw_the_tracer);
    }
    return Py_BuildValue("(KK)", live, peak > live ? peak : live);
}

PyDoc_STRVAR(reset_peak_doc, "reset_peak($module, /)\n"
                             "--\n\n"
                             "Set the peak size of memory blocks traced by memwhy to the current\n"
                             "size.\n\n"
                             "Do nothing if memwhy is not tracing memory allocations.");

PyObject *mw_tracing_reset_peak(PyObject *module, PyObject *ignored)
{
    if (mw_the_tracer.is_active)
        mw_tracer_reset_peak(&mw_the_tracer);
    Py_RETURN_NONE;
}

size_t mw_tracing_overhead_bytes(void)
{
    mw_overhead overhead = mw_tracer_overhead(&mw_the_tracer);

    return overhead.blocks + overhead.sites + overhead.paths + overhead.codes + overhead.raw +
           mw_stack_walk_memory_bytes() + mw_sampling_memory_bytes();
}

PyDoc_STRVAR(get_tracemalloc_memory_doc,
             "get_tracemalloc_memory($module, /)\n"
             "--\n\n"
             "Get the memory usage in bytes of memwhy itself: what it uses to store\n"
             "traces of memory blocks.");

static PyObject *get_tracemalloc_memory(PyObject *module, PyObject *ignored)
{
    return PyLong_FromSize_t(mw_tracing_overhead_bytes());
}

PyDoc_STRVAR(get_overhead_doc,
             "get_overhead($module, /)\n"
             "--\n\n"
             "Get the memory that memwhy itself holds, by part.\n\n"
             "Returns a dict of bytes: 'blocks' (which site each live block has),\n"
             "'sites', 'paths' (call paths), 'codes' (names and line tables), 'raw'\n"
             "(all of these for allocations without the GIL), 'stack' and 'samples' (all that\n"
             "sampling takes).  Their sum is what get_tracemalloc_memory() returns.");

static PyObject *get_overhead(PyObject *module, PyObject *ignored)
{
    mw_overhead overhead = mw_tracer_overhead(&mw_the_tracer);

    return Py_BuildValue("{s:n,s:n,s:n,s:n,s:n,s:n,s:n}", "blocks", (Py_ssize_t)overhead.blocks,
                         "sites", (Py_ssize_t)overhead.sites, "paths", (Py_ssize_t)overhead.paths,
                         "codes", (Py_ssize_t)overhead.codes, "raw", (Py_ssize_t)overhead.raw,
                         "stack", (Py_ssize_t)mw_stack_walk_memory_bytes(), "samples",
                         (Py_ssize_t)mw_sampling_memory_bytes());
}

PyDoc_STRVAR(get_lost_doc,
             "get_lost($module, /)\n"
             "--\n\n"
             "Get what could not be recorded since start() because memwhy itself was\n"
             "refused memory.\n\n"
             "Returns a tuple: (blocks: int, bytes: int); (0, 0) as a rule.");

PyObject *mw_tracing_get_lost(PyObject *module, PyObject *ignored)
{
    unsigned long long blocks = mw_the_tracer.lost_blocks;
    unsigned long long bytes = mw_the_tracer.lost_bytes;

    mw_raw_lane_lock(&mw_the_tracer.raw);
    blocks += mw_the_tracer.raw.lost_blocks;
    bytes += mw_the_tracer.raw.lost_bytes;
    mw_raw_lane_unlock(&mw_the_tracer.raw);
    return Py_BuildValue("(KK)", blocks, bytes);
}

PyDoc_STRVAR(get_degraded_doc,
             "get_degraded($module, /)\n"
             "--\n\n"
             "Get what memwhy gave up to stay within max_overhead.\n\n"
             "Returns a dict.  'stage': 'exact' as a rule; 'folded' when recursion in new\n"
             "call paths is folded; 'cut' when new call paths are not recorded, only\n"
             "lines; 'coarse' when of new code only files are known, and of new sites only\n"
             "sizes; 'losing' when blocks are not recorded, see get_lost().  'ceiling' and\n"
             "'used': bytes, 0 for no ceiling.  'cut_blocks' and 'cut_bytes': what is alive\n"
             "and has lost its callers.  'folded_frames': how often a frame was folded.\n"
             "'coarse_codes': files known without functions and lines.");

static PyObject *get_degraded(PyObject *module, PyObject *ignored)
{
    mw_degradation degradation = mw_tracer_degradation(&mw_the_tracer);

    return Py_BuildValue("{s:s,s:n,s:n,s:K,s:K,s:K,s:K}", "stage", mw_stage_name(degradation.stage),
                         "ceiling", (Py_ssize_t)degradation.ceiling_bytes, "used",
                         (Py_ssize_t)degradation.used_bytes, "cut_blocks",
                         (unsigned long long)degradation.cut_blocks, "cut_bytes",
                         (unsigned long long)degradation.cut_bytes, "folded_frames",
                         (unsigned long long)degradation.folded_frames, "coarse_codes",
                         (unsigned long long)degradation.coarse_codes);
}

static const char not_tracing[] =
    "the tracemalloc module must be tracing memory allocations to take a snapshot";

/* ── snapshots ───────────────────────────────────────────────────────────────────── */

/* The step that may not run Python code, from the look at `is_active` on.
 * MW_UNSUPPORTED if another thread stopped the tracing while names were asked for. */
static mw_status snapshot_with(PyObject *names, mw_snapshot **ret_snapshot)
{
    mw_guard guard;
    mw_status status;

    if (!mw_the_tracer.is_active)
        return MW_UNSUPPORTED;
    mw_capi_domains_refresh();
    status = mw_thread_names_note(&mw_the_tracer, names);
    if (status != MW_OK)
        return status;
    guard = mw_guard_enter();
    status = mw_tracer_snapshot(&mw_the_tracer, guard, mw_alloc_system(), ret_snapshot);
    mw_guard_leave(guard);
    return status;
}

bool mw_tracing_mend_hooks_silently(void)
{
    bool was_deaf = mw_the_tracer.is_active && mw_allocator_hooks_mend();

    /* Who takes out the one takes out the other. */
    if (was_deaf)
        mw_reuse_hooks_install();
    if (mw_sampler_is_active(&mw_the_sampler))
        was_deaf = mw_sampling_hooks_mend() || was_deaf;
    return was_deaf;
}

int mw_tracing_mend_hooks(void)
{
    if (!mw_tracing_mend_hooks_silently())
        return 0;
    return PyErr_WarnEx(PyExc_RuntimeWarning,
                        "memwhy's hooks were taken out, as tracemalloc.stop() does with those of "
                        "whoever began after it; what was allocated and freed since is missing. "
                        "They are back",
                        1);
}

/* What is alive now; NULL with an exception. */
static mw_snapshot *snapshot_now(void)
{
    mw_snapshot *snapshot = NULL;
    PyObject *names = mw_tracing_mend_hooks() == 0 ? mw_thread_names_ask() : NULL;
    mw_status status;

    if (names == NULL)
        return NULL;
    status = snapshot_with(names, &snapshot);
    Py_DECREF(names);
    if (status == MW_UNSUPPORTED)
        PyErr_SetString(PyExc_RuntimeError, not_tracing);
    else if (status != MW_OK)
        PyErr_NoMemory();
    return snapshot;
}

PyDoc_STRVAR(take_snapshot_doc,
             "take_snapshot($module, /)\n"
             "--\n\n"
             "Take a snapshot of the traces of memory blocks allocated by Python.\n\n"
             "Costs by allocation sites and large blocks, not by small ones.  Raises\n"
             "RuntimeError when not tracing.");

PyObject *mw_tracing_take_snapshot(PyObject *module, PyObject *ignored)
{
    mw_snapshot *snapshot;

    if (!mw_the_tracer.is_active) {
        PyErr_SetString(PyExc_RuntimeError, not_tracing);
        return NULL;
    }
    snapshot = snapshot_now();
    if (snapshot == NULL)
        return NULL;
    return mw_snapshot_object_new(PyModule_GetState(module), snapshot);
}

/* The same as the standard module would have it, whose frames are all functions' own; takes
 * the snapshot, and returns NULL with an exception. */
static mw_snapshot *without_regions(mw_snapshot *snapshot_take)
{
    mw_snapshot *stripped = NULL;

    if (snapshot_take == NULL)
        return NULL;
    if (mw_region_strip(snapshot_take, mw_alloc_system(), &stripped) != MW_OK)
        PyErr_NoMemory();
    mw_snapshot_release(snapshot_take);
    return stripped;
}

PyDoc_STRVAR(take_plain_snapshot_doc,
             "_take_plain_snapshot($module, /)\n"
             "--\n\n"
             "take_snapshot() without regions, as memwhy.tracemalloc has it.");

static PyObject *take_plain_snapshot(PyObject *module, PyObject *ignored)
{
    mw_snapshot *snapshot;

    if (!mw_the_tracer.is_active) {
        PyErr_SetString(PyExc_RuntimeError, not_tracing);
        return NULL;
    }
    snapshot = without_regions(snapshot_now());
    if (snapshot == NULL)
        return NULL;
    return mw_snapshot_object_new(PyModule_GetState(module), snapshot);
}

PyDoc_STRVAR(get_traces_doc, "_get_traces($module, /)\n"
                             "--\n\n"
                             "Get traces of all memory blocks allocated by Python.\n\n"
                             "Returns a list of (domain: int, size: int, traceback: tuple,\n"
                             "total_nframe: int) tuples; traceback is a tuple of (filename: str,\n"
                             "lineno: int) tuples, the most recent frame first.\n\n"
                             "Return an empty list if memwhy is not tracing.");

static PyObject *get_traces(PyObject *module, PyObject *ignored)
{
    mw_snapshot *snapshot;
    PyObject *traces;

    if (!mw_the_tracer.is_active)
        return PyList_New(0);
    snapshot = without_regions(snapshot_now());
    if (snapshot == NULL)
        return NULL;
    traces = mw_raw_traces_list(PyModule_GetState(module), snapshot);
    mw_snapshot_release(snapshot);
    return traces;
}

/* ── one object ──────────────────────────────────────────────────────────────────── */

mw_snapshot *mw_tracing_snapshot_block(unsigned int domain, uintptr_t address)
{
    mw_snapshot *snapshot = NULL;
    mw_guard guard;
    mw_status status;

    if (!mw_the_tracer.is_active)
        return NULL;
    guard = mw_guard_enter();
    status = mw_tracer_snapshot_block(&mw_the_tracer, guard, domain, address, mw_alloc_system(),
                                      &snapshot);
    mw_guard_leave(guard);
    if (status == MW_NO_MEMORY)
        PyErr_NoMemory();
    return status == MW_OK ? snapshot : NULL;
}

mw_snapshot *mw_tracing_plain_snapshot_block(unsigned int domain, uintptr_t address)
{
    return without_regions(mw_tracing_snapshot_block(domain, address));
}

/* The same for the block that [object] lies in. */
static mw_snapshot *snapshot_of_object(PyObject *object)
{
    return mw_tracing_snapshot_block(MW_DOMAIN_PYTHON,
                                     (uintptr_t)object - py_preheader_bytes(Py_TYPE(object)));
}

static PyObject *none_unless_raised(void)
{
    if (PyErr_Occurred())
        return NULL;
    Py_RETURN_NONE;
}

PyDoc_STRVAR(get_raw_object_traceback_doc,
             "_get_object_traceback($module, obj, /)\n"
             "--\n\n"
             "Get the traceback where the Python object obj was allocated.\n\n"
             "Return a tuple of (filename: str, lineno: int) tuples, the most recent\n"
             "frame first.  Return None if memwhy is not tracing or did not trace the\n"
             "allocation of the object.");

static PyObject *get_raw_object_traceback(PyObject *module, PyObject *object)
{
    mw_snapshot *snapshot = without_regions(snapshot_of_object(object));

    if (snapshot == NULL)
        return none_unless_raised();
    return mw_raw_traces_frames(PyModule_GetState(module), snapshot);
}

PyDoc_STRVAR(get_object_traceback_doc,
             "get_object_traceback($module, obj, /)\n"
             "--\n\n"
             "Get the traceback where the Python object obj was allocated, as a\n"
             "Traceback with function names.\n\n"
             "Return None if memwhy is not tracing or did not trace the allocation of\n"
             "the object.");

/* Of the only block of a snapshot, which it takes. */
static PyObject *traceback_of(PyObject *module, mw_snapshot *snapshot)
{
    PyObject *traceback;

    if (snapshot == NULL)
        return none_unless_raised();
    traceback =
        mw_traceback_object_from_snapshot(PyModule_GetState(module), snapshot, (mw_traceback){1});
    mw_snapshot_release(snapshot);
    return traceback;
}

static PyObject *get_object_traceback(PyObject *module, PyObject *object)
{
    return traceback_of(module, snapshot_of_object(object));
}

PyDoc_STRVAR(get_plain_object_traceback_doc,
             "_get_plain_object_traceback($module, obj, /)\n"
             "--\n\n"
             "get_object_traceback() without regions, as memwhy.tracemalloc has it.");

static PyObject *get_plain_object_traceback(PyObject *module, PyObject *object)
{
    return traceback_of(module, without_regions(snapshot_of_object(object)));
}

PyDoc_STRVAR(check_marks_doc,
             "_check_marks($module, every=0, /)\n"
             "--\n\n"
             "Compare one in every looks at a frame's mark with a walk of the stack; 0\n"
             "changes nothing.  Returns a tuple: (in force: bool, comparisons: int,\n"
             "mismatches: int), the numbers since the process began.");

static PyObject *check_marks(PyObject *module, PyObject *arguments)
{
    unsigned int every = 0;

    if (!PyArg_ParseTuple(arguments, "|I:_check_marks", &every))
        return NULL;
    if (every != 0)
        mw_stack_walk_check_every(every);
    return Py_BuildValue("(NKK)", PyBool_FromLong(mw_stack_marks_in_force()),
                         (unsigned long long)mw_the_stack_marks.checks,
                         (unsigned long long)mw_the_stack_marks.mismatches);
}

PyDoc_STRVAR(check_tallies_doc,
             "_check_tallies($module, /)\n"
             "--\n\n"
             "For tests: whether all tables are consistent, and the tallies that are kept\n"
             "while tracing are what a full scan of the blocks counts.");

static PyObject *check_tallies(PyObject *module, PyObject *ignored)
{
    mw_status status = mw_tracer_recount(&mw_the_tracer);

    if (status == MW_NO_MEMORY)
        return PyErr_NoMemory();
    return PyBool_FromLong(status == MW_OK && mw_tracer_is_consistent(&mw_the_tracer));
}

PyDoc_STRVAR(retire_doc, "_retire($module, /)\n"
                         "--\n\n"
                         "The interpreter is shutting down: leave the stacks of threads that do\n"
                         "not hold the GIL alone from now on.");

static PyObject *retire(PyObject *module, PyObject *ignored)
{
    mw_allocator_hooks_retire();
    mw_reuse_hooks_retire();
    mw_sampling_retire();
    Py_RETURN_NONE;
}

PyDoc_STRVAR(in_main_interpreter_doc,
             "_in_main_interpreter($module, /)\n"
             "--\n\n"
             "Whether the caller runs in the main interpreter, whose start and stop they are.");

static PyObject *in_main_interpreter(PyObject *module, PyObject *ignored)
{
    return PyBool_FromLong(PyInterpreterState_Get() == PyInterpreterState_Main());
}

PyMethodDef mw_tracing_methods[] = {
    {"start", start, METH_VARARGS, start_doc},
    {"_start", (PyCFunction)(void (*)(void))start_with, METH_FASTCALL, start_with_doc},
    {"stop", mw_tracing_stop, METH_NOARGS, stop_doc},
    {"is_tracing", is_tracing, METH_NOARGS, is_tracing_doc},
    {"clear_traces", mw_tracing_clear_traces, METH_NOARGS, clear_traces_doc},
    {"get_traceback_limit", get_traceback_limit, METH_NOARGS, get_traceback_limit_doc},
    {"get_traced_memory", mw_tracing_get_traced_memory, METH_NOARGS, get_traced_memory_doc},
    {"reset_peak", mw_tracing_reset_peak, METH_NOARGS, reset_peak_doc},
    {"get_tracemalloc_memory", get_tracemalloc_memory, METH_NOARGS, get_tracemalloc_memory_doc},
    {"get_overhead", get_overhead, METH_NOARGS, get_overhead_doc},
    {"get_lost", mw_tracing_get_lost, METH_NOARGS, get_lost_doc},
    {"get_degraded", get_degraded, METH_NOARGS, get_degraded_doc},
    {"take_snapshot", mw_tracing_take_snapshot, METH_NOARGS, take_snapshot_doc},
    {"_take_plain_snapshot", take_plain_snapshot, METH_NOARGS, take_plain_snapshot_doc},
    {"_get_traces", get_traces, METH_NOARGS, get_traces_doc},
    {"_get_object_traceback", get_raw_object_traceback, METH_O, get_raw_object_traceback_doc},
    {"get_object_traceback", get_object_traceback, METH_O, get_object_traceback_doc},
    {"_get_plain_object_traceback", get_plain_object_traceback, METH_O,
     get_plain_object_traceback_doc},
    {"_check_marks", check_marks, METH_VARARGS, check_marks_doc},
    {"_check_tallies", check_tallies, METH_NOARGS, check_tallies_doc},
    {"_in_main_interpreter", in_main_interpreter, METH_NOARGS, in_main_interpreter_doc},
    {"_retire", retire, METH_NOARGS, retire_doc},
    {NULL, NULL, 0, NULL},
};

int mw_tracing_init(void)
{
    const char *reason;

    mw_doctor_note_unknown(mw_mechanisms_init());
    mw_thread_state_init();
    if (!mw_frames_self_check(&reason)) {
        PyErr_Format(PyExc_ImportError, "memwhy cannot trace this interpreter: %s", reason);
        return -1;
    }
    if (mw_code_registry_init() < 0)
        return -1;
    /* Regions first: around fork their lock is taken after that of a lane, as in a walk. */
    if (mw_regions_init() < 0 || mw_allocator_hooks_init() < 0 || mw_capi_domains_init() < 0) {
        PyErr_NoMemory();
        return -1;
    }
    return 0;
}
