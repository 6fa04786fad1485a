/* SPDX-License-Identifier: MIT */
#include "pyext/reuse_hooks.h"

#include "pyext/compat.h"
#include "pyext/mechanisms.h"
#include "pyext/reborn.h"
#include "pyext/reuse_detour.h"
#include "pyext/reuse_lock.h"
#include "pyext/standard_tracer.h"

#if PY_HAS_REF_TRACER

/* Who listened before us. */
static PyRefTracer chained;
static void *chained_data;

/* Whether this thread is in on_reference already: somebody whom we call has called us back,
 * since after stops and starts in any order each may have chained the other. */
static __thread bool is_inside __attribute__((tls_model("initial-exec")));

static int __attribute__((noinline)) call_chained(PyObject *object, PyRefTracerEvent event)
{
    int status;

    is_inside = true;
    status = chained(object, event, chained_data);
    is_inside = false;
    return status;
}

static int on_reference(PyObject *object, PyRefTracerEvent event, void *data)
{
    (void)data;
    /* Since 3.15 there are other events, without an object, that are not for those we call. */
    if (is_inside || (event != PyRefTracer_CREATE && event != PyRefTracer_DESTROY))
        return 0;
    if (event == PyRefTracer_CREATE)
        mw_reborn_object(object);
    return __builtin_expect(chained != NULL, 0) ? call_chained(object, event) : 0;
}

/* A tracer that refuses to go raises (3.15), which must not come out of start(). */
static void set_tracer(PyRefTracer tracer, void *data)
{
    if (PyRefTracer_SetTracer(tracer, data) < 0)
        PyErr_Clear();
}

void mw_reuse_hooks_check(void)
{
    void *data;
    bool is_ours = PyRefTracer_GetTracer(&data) == on_reference;

    if (mw_the_tracer.is_active && !mw_mechanism_is_disabled(MW_MECHANISM_REUSE))
        mw_mechanism_report(MW_MECHANISM_REUSE, is_ours,
                            !is_ours          ? "none: somebody else has PyRefTracer's one place"
                            : chained != NULL ? "PyRefTracer, and who had it before is called"
                                              : "PyRefTracer");
}

static void install(void)
{
    void *data;
    PyRefTracer current = PyRefTracer_GetTracer(&data);

    mw_mechanism_report(MW_MECHANISM_DETOUR, false, "not needed: PyRefTracer tells");
    if (current == on_reference)
        return;
    /* Since 3.15 a tracer is told that it has been replaced, and may free its data: then
     * the place is left to it.  tracemalloc has no data. */
    if (PY_REF_TRACERS_ARE_TOLD && current != NULL && data != NULL)
        return;
    chained = current;
    chained_data = data;
    set_tracer(on_reference, NULL);
}

/* If somebody has taken the place meanwhile (tracemalloc does not ask), it is theirs. */
static void uninstall(void)
{
    void *data;

    if (PyRefTracer_GetTracer(&data) == on_reference)
        set_tracer(chained, chained_data);
}

#else

static void install(void)
{
    const char *reason = mw_mechanism_is_disabled(MW_MECHANISM_DETOUR)
                             ? "switched off by MEMWHY_DISABLE"
                             : mw_reuse_detour_install();

    mw_mechanism_report(MW_MECHANISM_DETOUR, reason == NULL,
                        reason == NULL ? "a jump in _PyTraceMalloc_NewReference" : reason);
    if (reason != NULL)
        reason = mw_reuse_lock_install();
    mw_mechanism_report(MW_MECHANISM_REUSE, reason == NULL,
                        reason != NULL ? reason
                        : mw_mechanism_get(MW_MECHANISM_DETOUR)->is_in_force
                            ? "a jump in _PyTraceMalloc_NewReference"
                            : "tracemalloc's own table, under its lock");
}

static void uninstall(void)
{
    mw_reuse_detour_remove();
    mw_reuse_lock_remove();
}

void mw_reuse_hooks_check(void)
{
}

#endif

/* ── the module ──────────────────────────────────────────────────────────────────── */

PyDoc_STRVAR(check_reuse_doc,
             "_check_reuse($module, /)\n"
             "--\n\n"
             "Whether objects from free lists get their new line, and how: a tuple\n"
             "(in_force: bool, detail: str, why_no_detour: str)");

static PyObject *check_reuse(PyObject *module, PyObject *ignored)
{
    const mw_mechanism_state *state = mw_mechanism_get(MW_MECHANISM_REUSE);

    (void)module, (void)ignored;
    mw_reuse_hooks_check();
    return Py_BuildValue("(Nss)", PyBool_FromLong(state->is_in_force), state->detail,
                         mw_mechanism_get(MW_MECHANISM_DETOUR)->detail);
}

static PyMethodDef methods[] = {
    {"_check_reuse", check_reuse, METH_NOARGS, check_reuse_doc},
    {NULL, NULL, 0, NULL},
};

#if MW_HAS_STANDARD_TRACER

/* The module's dictionary is cleared at the end of the interpreter, whoever still holds the
 * module, and even if _retire has been taken out of atexit's list. */
static void at_end(PyObject *capsule)
{
    (void)capsule;
    if (!_Py_IsFinalizing())
        return;
    mw_reuse_hooks_retire();
    mw_standard_tracer_retire();
}

static int prepare(PyObject *module)
{
    PyObject *capsule = PyCapsule_New(&mw_the_tracer, "memwhy._memwhy._at_end", at_end);
    int status = capsule != NULL ? PyModule_AddObjectRef(module, "_at_end", capsule) : -1;

    Py_XDECREF(capsule);
    mw_standard_tracer_init();
    return status;
}

void mw_reuse_hooks_retire(void)
{
    uninstall();
}

#else

static int prepare(PyObject *module)
{
    (void)module;
    return 0;
}

void mw_reuse_hooks_retire(void)
{
}

#endif

int mw_reuse_hooks_init(PyObject *module)
{
    return PyModule_AddFunctions(module, methods) < 0 ? -1 : prepare(module);
}

void mw_reuse_hooks_install(void)
{
    if (mw_mechanism_is_disabled(MW_MECHANISM_REUSE))
        return;
    install();
    mw_reuse_hooks_check();
}

void mw_reuse_hooks_remove(void)
{
    uninstall();
}
