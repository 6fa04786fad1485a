/* SPDX-License-Identifier: MIT
 *
 * A test subject: an extension that reports memory of its own with PyTraceMalloc_Track and
 * PyTraceMalloc_Untrack, as NumPy does: with and without the GIL, from threads that Python
 * never saw, by function pointers, and wrongly.  Blocks need not exist to be reported.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "../churn_threads.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

typedef int track_function(unsigned int domain, uintptr_t address, size_t size);
typedef int untrack_function(unsigned int domain, uintptr_t address);

/* How the functions are reached. */
typedef struct ways {
    track_function *track;
    untrack_function *untrack;
} ways;

/* Read-only after relocation; and not.  The third is set by open_library(). */
static const ways constant_ways = {PyTraceMalloc_Track, PyTraceMalloc_Untrack};
static ways variable_ways = {PyTraceMalloc_Track, PyTraceMalloc_Untrack};
static ways library_ways;

/* ── one call ────────────────────────────────────────────────────────────────────── */

typedef struct call {
    const char *by; /* "call", "constant", "variable" or "library" */
    int is_track;
    unsigned int domain;
    uintptr_t address;
    size_t size;
    int result;
} call;

static void *perform(void *argument)
{
    call *what = argument;
    const ways *by = strcmp(what->by, "constant") == 0   ? &constant_ways
                     : strcmp(what->by, "variable") == 0 ? &variable_ways
                                                         : &library_ways;

    if (strcmp(what->by, "call") == 0)
        what->result = what->is_track ? PyTraceMalloc_Track(what->domain, what->address, what->size)
                                      : PyTraceMalloc_Untrack(what->domain, what->address);
    else
        what->result = what->is_track ? by->track(what->domain, what->address, what->size)
                                      : by->untrack(what->domain, what->address);
    return NULL;
}

/* Where a call is made: "gil", "nogil", or "native", in a thread that Python never sees. */
static PyObject *perform_where(call *what, const char *where)
{
    pthread_t thread;
    int failed = 0;

    if (strcmp(where, "gil") == 0) {
        perform(what);
        return PyLong_FromLong(what->result);
    }
    Py_BEGIN_ALLOW_THREADS if (strcmp(where, "nogil") == 0) perform(what);
    else failed =
        pthread_create(&thread, NULL, perform, what) != 0 || pthread_join(thread, NULL) != 0;
    Py_END_ALLOW_THREADS if (failed) return PyErr_Format(PyExc_RuntimeError, "no thread");
    return PyLong_FromLong(what->result);
}

static PyObject *track(PyObject *module, PyObject *arguments)
{
    call what = {.by = "call", .is_track = 1};
    unsigned long long address;
    const char *where;
    Py_ssize_t size;

    if (!PyArg_ParseTuple(arguments, "sIKn|s", &where, &what.domain, &address, &size, &what.by))
        return NULL;
    what.address = (uintptr_t)address;
    what.size = (size_t)size;
    return perform_where(&what, where);
}

static PyObject *untrack(PyObject *module, PyObject *arguments)
{
    call what = {.by = "call"};
    unsigned long long address;
    const char *where;

    if (!PyArg_ParseTuple(arguments, "sIK|s", &where, &what.domain, &address, &what.by))
        return NULL;
    what.address = (uintptr_t)address;
    return perform_where(&what, where);
}

/* Loads a library as C does, so that Python is not told.  Calls "by library" are made in
 * it from then on. */
static PyObject *open_library(PyObject *module, PyObject *file)
{
    void *library = dlopen(PyUnicode_AsUTF8(file), RTLD_NOW | RTLD_LOCAL);

    if (library == NULL)
        return PyErr_Format(PyExc_OSError, "%s", dlerror());
    library_ways.track = (track_function *)dlsym(library, "late_track");
    library_ways.untrack = (untrack_function *)dlsym(library, "late_untrack");
    Py_RETURN_NONE;
}

/* ── a block that is reported late ───────────────────────────────────────────────── */

/* Untracks, without the GIL, whenever the interpreter gets round to it. */
static void untrack_at_the_end(PyObject *capsule)
{
    void *address = PyCapsule_GetPointer(capsule, NULL);

    Py_BEGIN_ALLOW_THREADS PyTraceMalloc_Untrack(7, (uintptr_t)address);
    Py_END_ALLOW_THREADS PyTraceMalloc_Track(7, (uintptr_t)address, 1);
}

static PyObject *late(PyObject *module, PyObject *ignored)
{
    static int block;

    PyTraceMalloc_Track(7, (uintptr_t)&block, sizeof block);
    return PyCapsule_New(&block, NULL, untrack_at_the_end);
}

/* ── many threads at once ────────────────────────────────────────────────────────── */

static atomic_ulong wrong_answers; /* that no version gives */

static void check(int answer)
{
    if (answer != 0 && answer != -2)
        atomic_fetch_add(&wrong_answers, 1);
}

/* Untracks what it tracked; addresses are a thread's own, but domains are not. */
static void churn_once(uintptr_t number, uint64_t random_bits)
{
    uintptr_t address = (number + 1) << 40 | (random_bits >> 50) << 4;
    unsigned int domain = 900 + (unsigned int)(random_bits >> 30) % 3;

    check(PyTraceMalloc_Track(domain, address, (random_bits >> 20) % 2000));
    if (random_bits >> 63)
        PyTraceMalloc_Track(domain, address, (random_bits >> 21) % 3000);
    check(PyTraceMalloc_Untrack(domain, address));
}

/* Returns how many answers the threads got that no version gives. */
static PyObject *wrong(PyObject *module, PyObject *ignored)
{
    return PyLong_FromUnsignedLong(atomic_load(&wrong_answers));
}

static PyMethodDef methods[] = {
    {"track", track, METH_VARARGS, "track(where, domain, address, size, by='call') -> answer"},
    {"untrack", untrack, METH_VARARGS, "untrack(where, domain, address, by='call') -> answer"},
    {"open_library", open_library, METH_O, "open_library(file)"},
    {"late", late, METH_NOARGS, "late() -> an object that untracks its block when it dies"},
    {"wrong", wrong, METH_NOARGS, NULL},
    CHURN_METHODS,
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "capi_tracks",
    .m_methods = methods,
};

PyMODINIT_FUNC PyInit_capi_tracks(void)
{
    return PyModule_Create(&definition);
}
