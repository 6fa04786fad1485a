/* SPDX-License-Identifier: MIT
 *
 * Every question about the version of CPython that is not about frames.  Each answer is
 * named for the question and says from which version on it can go.
 */
#pragma once

#include <Python.h>

#if PY_VERSION_HEX < 0x030C0000 /* in Python.h, and with Py_ in front, since 3.12 */
#include <structmember.h>
#define Py_T_OBJECT_EX T_OBJECT_EX
#define Py_T_PYSSIZET  T_PYSSIZET
#define Py_READONLY    READONLY
#endif

/* The bytes that lie before an object in its block: the collector's two words, and the
 * words for managed dicts and weak references.  The same sum as _PyType_PreHeaderSize. */
static inline size_t py_preheader_bytes(PyTypeObject *type)
{
#if PY_VERSION_HEX >= 0x030C0000 /* weak references moved there as well in 3.12 */
    const unsigned long preheader_flags = Py_TPFLAGS_PREHEADER;
#else
    const unsigned long preheader_flags = Py_TPFLAGS_MANAGED_DICT;
#endif
    const size_t pair_bytes = 2 * sizeof(PyObject *);
    unsigned long flags = type->tp_flags; /* PyType_GetFlags without the call */

    return ((flags & Py_TPFLAGS_HAVE_GC) != 0 ? pair_bytes : 0) +
           ((flags & preheader_flags) != 0 ? pair_bytes : 0);
}

/* A C int, or -1 with the error that functions made by Argument Clinic raise. */
static inline int py_long_as_int(PyObject *number)
{
#if PY_VERSION_HEX >= 0x030D0000 /* public since 3.13 */
    return PyLong_AsInt(number);
#else
    return _PyLong_AsInt(number);
#endif
}

/* Whether interpreters may have a GIL of their own, so that holding one proves nothing
 * about another.  Always since 3.12. */
enum {
#if PY_VERSION_HEX >= 0x030C0000
    PY_INTERPRETERS_MAY_HAVE_OWN_GIL = 1
#else
    PY_INTERPRETERS_MAY_HAVE_OWN_GIL = 0
#endif
};

/* The thread state that is attached to the calling thread, which may not hold any GIL; or
 * NULL.  Before 3.12 there was one variable for all threads: whoever holds the GIL. */
static inline PyThreadState *py_attached_thread_state(void)
{
#if PY_VERSION_HEX >= 0x030D0000 /* public since 3.13 */
    return PyThreadState_GetUnchecked();
#elif PY_VERSION_HEX >= 0x030C0000
    return _PyThreadState_UncheckedGet();
#else
    PyThreadState *owner = _PyThreadState_UncheckedGet();

    return owner != NULL && owner == PyGILState_GetThisThreadState() ? owner : NULL;
#endif
}

/* The slot that says that a module is the main interpreter's alone; since 3.12 one must. */
#if PY_VERSION_HEX >= 0x030C0000
#define PY_MAIN_INTERPRETER_ONLY_SLOT                                                              \
    {Py_mod_multiple_interpreters, Py_MOD_MULTIPLE_INTERPRETERS_NOT_SUPPORTED},
#else
#define PY_MAIN_INTERPRETER_ONLY_SLOT
#endif

/* Whether "too many values to unpack" also says how many there were. */
static inline int py_unpack_counts_what_is_too_many(void)
{
    return PY_VERSION_HEX >= 0x030E0000; /* for lists and tuples, since 3.14 */
}

/* Whether the interpreter tells whoever wants to know of each object that is created.
 * Always since 3.13. */
#if PY_VERSION_HEX >= 0x030D0000
#define PY_HAS_REF_TRACER 1
#else
#define PY_HAS_REF_TRACER 0
#endif

/* Whether a reference tracer hears that it has been replaced (PyRefTracer_TRACKER_REMOVED).
 * Always since 3.15. */
enum {
#if PY_VERSION_HEX >= 0x030F0000
    PY_REF_TRACERS_ARE_TOLD = 1
#else
    PY_REF_TRACERS_ARE_TOLD = 0
#endif
};

/* The name of the allocator in force: "pymalloc" if and only if nobody wraps it; NULL if it is
 * none of CPython's own.  Exported, though not public; weak, in case it should go. */
#if PY_VERSION_HEX >= 0x030D0000 /* in an internal header since */
extern const char *_PyMem_GetCurrentAllocatorName(void);
#endif
#pragma weak _PyMem_GetCurrentAllocatorName

static inline const char *py_allocator_name(void)
{
    return _PyMem_GetCurrentAllocatorName != NULL ? _PyMem_GetCurrentAllocatorName() : NULL;
}

/* Whether pymalloc's structures stand in a header (internal/pycore_obmalloc.h). */
#define PY_SHOWS_ITS_POOLS (PY_VERSION_HEX >= 0x030C0000)

/* Whether somebody has taken the one place for a reference tracer, which is there since
 * 3.13. */
static inline int py_has_reference_tracer(void)
{
#if PY_VERSION_HEX >= 0x030D0000
    void *data;

    return PyRefTracer_GetTracer(&data) != NULL;
#else
    return 0;
#endif
}

/* Whether the attached thread state is thread-local; before, it is one for all. */
#define PY_THREAD_STATE_IS_THREAD_LOCAL (PY_VERSION_HEX >= 0x030C0000)

/* The function that returns the attached thread state, or NULL, and checks nothing. */
static inline PyThreadState *(*py_thread_state_function(void))(void)
{
#if PY_VERSION_HEX >= 0x030D0000 /* public since 3.13 */
    return PyThreadState_GetUnchecked;
#else
    return _PyThreadState_UncheckedGet;
#endif
}

/* Whether the interpreter is being taken down, and the GIL must not be waited for. */
static inline int py_is_finalizing(void)
{
#if PY_VERSION_HEX >= 0x030D0000 /* public since 3.13 */
    return Py_IsFinalizing();
#else
    return _Py_IsFinalizing();
#endif
}

/* Whether tuple(iterable) fills a tuple that the collector knows already, and grows it: so it
 * must not find that somebody else holds it.  Never since 3.14. */
static inline int py_tuples_grow_in_sight(void)
{
    return PY_VERSION_HEX < 0x030E0000;
}
