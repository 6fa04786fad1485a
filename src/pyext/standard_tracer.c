/* SPDX-License-Identifier: MIT */
#include "pyext/standard_tracer.h"

#if MW_HAS_STANDARD_TRACER

#include "pyext/allocator_hooks.h"
#include "pyext/reborn.h"

#include <stdatomic.h>

enum function {
    IS_TRACING,
    CLEAR_TRACES,
    GET_TRACES,
    GET_OBJECT_TRACEBACK,
    GET_TRACED_MEMORY,
    RESET_PEAK,
    STOP,
    START,
    FUNCTION_COUNT
};

static int *the_flag;        /* NULL: it was never raised                            */
static bool is_raised;       /* for our sake, or it would be if the module did not trace */
static bool is_half_started; /* the standard module, by us: it has its buffer        */
static const PyObject *asked;

_Atomic mw_standard_state mw_the_standard_tracer = MW_STANDARD_UNKNOWN;

static bool is(mw_standard_state state)
{
    return mw_the_standard_tracer == state;
}

/* The module's table of methods belongs to CPython and is never freed.  Our wrappers stay in
 * it, so that whoever starts or stops the standard module is seen at any time. */
static PyMethodDef *definitions[FUNCTION_COUNT];
static PyCFunction originals[FUNCTION_COUNT];

typedef PyObject *(*fast_function)(PyObject *, PyObject *const *, Py_ssize_t);

static fast_function original_start(void)
{
    return (fast_function)(void (*)(void))originals[START];
}

/* ── the half start ──────────────────────────────────────────────────────────────── */

enum { DOMAINS = 3 };

static const PyMemAllocatorDomain domains[DOMAINS] = {PYMEM_DOMAIN_RAW, PYMEM_DOMAIN_MEM,
                                                      PYMEM_DOMAIN_OBJ};

/* Calls [function], which puts hooks in or out, and puts the allocators back. */
static void call_but_keep_allocators(enum function function, PyObject *const *arguments)
{
    PyMemAllocatorEx kept[DOMAINS];
    PyObject *result;

    for (int index = 0; index < DOMAINS; index++)
        PyMem_GetAllocator(domains[index], &kept[index]);
    result =
        function == START ? original_start()(NULL, arguments, 1) : originals[function](NULL, NULL);
    for (int index = 0; index < DOMAINS; index++)
        PyMem_SetAllocator(domains[index], &kept[index]);
    if (result == NULL)
        PyErr_Clear();
    Py_XDECREF(result);
}

/* Starts with the limit that get_traceback_limit() shows already; the flag goes up. */
static void half_start(void)
{
    PyObject *limit = PyLong_FromLong(the_flag[1]);

    if (limit == NULL) {
        PyErr_Clear();
        return;
    }
    call_but_keep_allocators(START, &limit);
    Py_DECREF(limit);
    is_half_started = *the_flag != 0;
}

/* The standard module stops only while its flag is up. */
static void half_stop(void)
{
    *the_flag = 1;
    call_but_keep_allocators(STOP, NULL);
    is_half_started = false;
}

/* ── up and down ─────────────────────────────────────────────────────────────────── */

/* While the standard module is not tracing: gives it its buffer, and the flag its value.
 *
 * Threads without the GIL read the flag and, if it is up, wait for the GIL and use the
 * buffer; and it may go up or down meanwhile.  So the buffer is there before the flag goes up
 * for the first time and, whoever starts and stops, whenever the GIL is free from then on. */
static void settle_flag(void)
{
    if (!is_half_started)
        half_start();
    *the_flag = is_raised && is_half_started;
}

/* Drops what was recorded in vain; that works only while the flag is up. */
static void clear_flag(void)
{
    PyObject *result = originals[CLEAR_TRACES](NULL, NULL);

    if (result == NULL)
        PyErr_Clear();
    Py_XDECREF(result);
    *the_flag = 0;
}

/* ── functions of _tracemalloc ───────────────────────────────────────────────────── */

/* While the flag was down, nobody told us of the object that the function has made. */
static PyObject *made(PyObject *result)
{
    if (result != NULL)
        mw_reborn_object(result);
    return result;
}

/* A question to the standard module.  Where it is not tracing, it says so at once and runs
 * nobody's code, so the flag is down for a moment and no other thread sees it. */
static PyObject *ask(enum function function, PyObject *module, PyObject *argument)
{
    PyObject *result;
    int former;

    if (!is_raised || is(MW_STANDARD_TRACING))
        return originals[function](module, argument);
    former = *the_flag;
    *the_flag = 0;
    result = originals[function](module, argument);
    *the_flag = former;
    return made(result);
}

#define DEFINE_QUESTION(name, function)                                                            \
    static PyObject *name(PyObject *module, PyObject *argument)                                    \
    {                                                                                              \
        return ask(function, module, argument);                                                    \
    }

DEFINE_QUESTION(ask_is_tracing, IS_TRACING)
DEFINE_QUESTION(ask_clear_traces, CLEAR_TRACES)
DEFINE_QUESTION(ask_get_traces, GET_TRACES)
DEFINE_QUESTION(ask_get_traced_memory, GET_TRACED_MEMORY)
DEFINE_QUESTION(ask_reset_peak, RESET_PEAK)

static PyObject *ask_get_object_traceback(PyObject *module, PyObject *object)
{
    const PyObject *former = asked;
    PyObject *result;

    asked = object;
    result = ask(GET_OBJECT_TRACEBACK, module, object);
    asked = former;
    return result;
}

static PyObject *stop(PyObject *module, PyObject *ignored)
{
    PyObject *result;

    if (!is(MW_STANDARD_TRACING))
        return ask(STOP, module, ignored);
    mw_the_standard_tracer = MW_STANDARD_QUIET;
    result = originals[STOP](module, ignored);
    settle_flag();
    /* It has put back the allocators that it found when it was started, maybe before us. */
    if (mw_the_tracer.is_active)
        mw_allocator_hooks_install();
    return result;
}

static PyObject *start(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
{
    PyObject *result;

    if (!is(MW_STANDARD_QUIET))
        return original_start()(module, arguments, count);
    if (is_half_started)
        half_stop();
    result = original_start()(module, arguments, count);
    mw_the_standard_tracer = *the_flag != 0 ? MW_STANDARD_TRACING : MW_STANDARD_QUIET;
    if (is(MW_STANDARD_QUIET))
        settle_flag();
    /* Where there is no memory for the buffer either, that error may have been dropped. */
    if (result == NULL && !PyErr_Occurred())
        return PyErr_NoMemory();
    return result;
}

/* ── the module's table ──────────────────────────────────────────────────────────── */

static const struct {
    const char *name;
    int flags;
    PyCFunction wrapper;
} wrappers[FUNCTION_COUNT] = {
    [IS_TRACING] = {"is_tracing", METH_NOARGS, ask_is_tracing},
    [CLEAR_TRACES] = {"clear_traces", METH_NOARGS, ask_clear_traces},
    [GET_TRACES] = {"_get_traces", METH_NOARGS, ask_get_traces},
    [GET_OBJECT_TRACEBACK] = {"_get_object_traceback", METH_O, ask_get_object_traceback},
    [GET_TRACED_MEMORY] = {"get_traced_memory", METH_NOARGS, ask_get_traced_memory},
    [RESET_PEAK] = {"reset_peak", METH_NOARGS, ask_reset_peak},
    [STOP] = {"stop", METH_NOARGS, stop},
    [START] = {"start", METH_FASTCALL, (PyCFunction)(void (*)(void))start},
};

/* The function's row in the module's table; NULL if it is not as expected. */
static PyMethodDef *find_definition(PyObject *module, const char *name, int flags)
{
    PyObject *function = PyObject_GetAttrString(module, name);
    PyMethodDef *definition = NULL;

    if (function != NULL && PyCFunction_CheckExact(function))
        definition = ((PyCFunctionObject *)function)->m_ml;
    if (definition != NULL && definition->ml_flags != flags)
        definition = NULL;
    Py_XDECREF(function);
    PyErr_Clear();
    return definition;
}

static void note_definitions(PyObject *module)
{
    for (int function = 0; function < FUNCTION_COUNT; function++) {
        PyMethodDef *definition =
            find_definition(module, wrappers[function].name, wrappers[function].flags);

        definitions[function] = definition;
        originals[function] = definition != NULL ? definition->ml_meth : NULL;
    }
}

void mw_standard_tracer_init(void)
{
    static bool is_done;
    PyObject *modules = PyImport_GetModuleDict();
    PyObject *name = PyUnicode_FromString("_tracemalloc");
    bool was_imported = name != NULL && PyDict_Contains(modules, name) == 1;
    PyObject *module = is_done || name == NULL ? NULL : PyImport_Import(name);

    if (module != NULL) {
        note_definitions(module);
        is_done = true;
        if (!was_imported && PyDict_DelItem(modules, name) < 0)
            PyErr_Clear();
    }
    Py_XDECREF(module);
    Py_XDECREF(name);
    PyErr_Clear();
}

static bool knows_all_functions(void)
{
    for (int function = 0; function < FUNCTION_COUNT; function++) {
        if (definitions[function] == NULL ||
            (definitions[function]->ml_meth != originals[function] &&
             definitions[function]->ml_meth != wrappers[function].wrapper))
            return false;
    }
    return true;
}

const char *mw_standard_tracer_raise(int *flag)
{
    if (is_raised)
        return NULL;
    if (!knows_all_functions())
        return "the functions of _tracemalloc are not as expected";
    for (int function = 0; function < FUNCTION_COUNT; function++)
        definitions[function]->ml_meth = wrappers[function].wrapper;
    the_flag = flag;
    mw_the_standard_tracer = *flag != 0 ? MW_STANDARD_TRACING : MW_STANDARD_QUIET;
    is_raised = true;
    if (is(MW_STANDARD_QUIET))
        settle_flag();
    if (*flag != 0)
        return NULL;
    is_raised = false;
    return "tracemalloc could not be started";
}

void mw_standard_tracer_lower(void)
{
    if (!is_raised)
        return;
    if (!is(MW_STANDARD_TRACING))
        clear_flag();
    is_raised = false;
}

void mw_standard_tracer_retire(void)
{
    mw_standard_tracer_lower();
    if (is_half_started)
        half_stop();
    mw_the_standard_tracer = MW_STANDARD_UNKNOWN;
}

const PyObject *mw_standard_tracer_pretend_object(void)
{
    static PyObject object;

    object.ob_type = &PyBaseObject_Type;
    _Py_NewReference(&object);
    /* Debug builds count references: this one is gone again. */
    object.ob_refcnt = 2;
    Py_DECREF(&object);
    return &object;
}

const PyObject *mw_standard_tracer_asked(void)
{
    return asked;
}

#endif
