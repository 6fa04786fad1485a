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

static int *raised_flag;     /* NULL: it is not raised                                    */
static bool has_buffer;      /* whether PyTraceMalloc_Track needs one while it is raised  */
static bool is_half_started; /* the standard module, by us                                */
static const PyObject *asked;
static _Atomic bool is_tracing;
static _Atomic bool is_raised; /* from before the flag is raised until it is down again      */

/* The module's table of methods belongs to CPython and is never freed. */
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
static bool half_start(int *flag)
{
    PyObject *limit = PyLong_FromLong(flag[1]);

    if (limit == NULL) {
        PyErr_Clear();
        return false;
    }
    call_but_keep_allocators(START, &limit);
    Py_DECREF(limit);
    is_half_started = *flag != 0;
    return is_half_started;
}

static void half_stop(void)
{
    if (is_half_started)
        call_but_keep_allocators(STOP, NULL);
    is_half_started = false;
}

/* ── up and down ─────────────────────────────────────────────────────────────────── */

/* Sets the flag while the standard module is not tracing. */
static void set_flag(void)
{
    if (has_buffer && !half_start(raised_flag))
        return;
    *raised_flag = 1;
}

static void clear_flag(void)
{
    half_stop();
    *raised_flag = 0;
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

    if (raised_flag == NULL || is_tracing)
        return originals[function](module, argument);
    former = *raised_flag;
    *raised_flag = 0;
    result = originals[function](module, argument);
    *raised_flag = former;
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

    if (raised_flag == NULL || !is_tracing)
        return ask(STOP, module, ignored);
    is_tracing = false;
    result = originals[STOP](module, ignored);
    set_flag();
    /* It has put back the allocators that it found when it was started, maybe before us. */
    if (mw_the_tracer.is_active)
        mw_allocator_hooks_install();
    return result;
}

static PyObject *start(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
{
    PyObject *result;

    if (raised_flag == NULL || is_tracing)
        return original_start()(module, arguments, count);
    clear_flag();
    result = original_start()(module, arguments, count);
    is_tracing = *raised_flag != 0;
    if (!is_tracing)
        set_flag();
    /* Where there is no memory for set_flag either, it may have dropped the error. */
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
        if (definitions[function] == NULL || definitions[function]->ml_meth != originals[function])
            return false;
    }
    return true;
}

void mw_standard_tracer_look(const int *flag)
{
    if (raised_flag == NULL)
        is_tracing = *flag != 0;
}

const char *mw_standard_tracer_raise(int *flag, bool needs_buffer)
{
    if (!knows_all_functions())
        return "the functions of _tracemalloc are not as expected";
    mw_standard_tracer_look(flag);
    has_buffer = needs_buffer;
    raised_flag = flag;
    is_raised = true;
    if (!is_tracing)
        set_flag();
    if (*flag == 0) {
        is_raised = false;
        raised_flag = NULL;
        return "tracemalloc could not be started";
    }
    for (int function = 0; function < FUNCTION_COUNT; function++)
        definitions[function]->ml_meth = wrappers[function].wrapper;
    return NULL;
}

void mw_standard_tracer_lower(void)
{
    if (raised_flag == NULL)
        return;
    for (int function = 0; function < FUNCTION_COUNT; function++)
        definitions[function]->ml_meth = originals[function];
    if (!is_tracing)
        clear_flag();
    is_raised = false;
    raised_flag = NULL;
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

bool mw_standard_tracer_is_tracing(void)
{
    return is_tracing;
}

bool mw_standard_tracer_is_deceived(void)
{
    return is_raised && !is_tracing;
}

const PyObject *mw_standard_tracer_asked(void)
{
    return asked;
}

#endif
