/* SPDX-License-Identifier: MIT
 *
 * A test subject: an extension that calls Python's allocators as extensions do, in every
 * domain, with and without the GIL, from threads that Python never saw, and wrongly.
 * Blocks are handed to Python as their addresses.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "../churn_threads.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

enum { RAW, MEM, OBJ };

static void *domain_malloc(int domain, size_t size)
{
    return domain == RAW   ? PyMem_RawMalloc(size)
           : domain == MEM ? PyMem_Malloc(size)
                           : PyObject_Malloc(size);
}

static void *domain_calloc(int domain, size_t count, size_t size)
{
    return domain == RAW   ? PyMem_RawCalloc(count, size)
           : domain == MEM ? PyMem_Calloc(count, size)
                           : PyObject_Calloc(count, size);
}

static void *domain_realloc(int domain, void *block, size_t size)
{
    return domain == RAW   ? PyMem_RawRealloc(block, size)
           : domain == MEM ? PyMem_Realloc(block, size)
                           : PyObject_Realloc(block, size);
}

static void domain_free(int domain, void *block)
{
    if (domain == RAW)
        PyMem_RawFree(block);
    else if (domain == MEM)
        PyMem_Free(block);
    else
        PyObject_Free(block);
}

/* ── one call ────────────────────────────────────────────────────────────────────── */

typedef struct call {
    enum { MALLOC, CALLOC, REALLOC, FREE } function;
    int domain;
    void *block;
    size_t size;
    void *result;
} call;

static void *perform(void *argument)
{
    call *what = argument;

    switch (what->function) {
    case MALLOC:
        what->result = domain_malloc(what->domain, what->size);
        break;
    case CALLOC:
        what->result = domain_calloc(what->domain, 1, what->size);
        break;
    case REALLOC:
        what->result = domain_realloc(what->domain, what->block, what->size);
        break;
    case FREE:
        domain_free(what->domain, what->block);
        break;
    }
    return NULL;
}

/* Where a call is made: "gil", "nogil" (the RAW domain alone), or "native", in a thread of
 * its own that Python never sees. */
static int perform_where(call *what, const char *where)
{
    pthread_t thread;
    int failed = 0;

    if (strcmp(where, "gil") == 0) {
        perform(what);
        return 0;
    }
    Py_BEGIN_ALLOW_THREADS if (strcmp(where, "nogil") == 0) perform(what);
    else failed =
        pthread_create(&thread, NULL, perform, what) != 0 || pthread_join(thread, NULL) != 0;
    Py_END_ALLOW_THREADS if (failed) PyErr_SetString(PyExc_RuntimeError, "no thread");
    return failed ? -1 : 0;
}

static PyObject *address_of(call *what, const char *where)
{
    return perform_where(what, where) < 0 ? NULL : PyLong_FromVoidPtr(what->result);
}

static PyObject *raw_malloc(PyObject *module, PyObject *arguments)
{
    call what = {MALLOC};
    const char *where;
    Py_ssize_t size;

    if (!PyArg_ParseTuple(arguments, "sin", &where, &what.domain, &size))
        return NULL;
    what.size = (size_t)size;
    return address_of(&what, where);
}

static PyObject *raw_calloc(PyObject *module, PyObject *arguments)
{
    call what = {CALLOC};
    const char *where;
    Py_ssize_t size;

    if (!PyArg_ParseTuple(arguments, "sin", &where, &what.domain, &size))
        return NULL;
    what.size = (size_t)size;
    return address_of(&what, where);
}

static PyObject *raw_realloc(PyObject *module, PyObject *arguments)
{
    call what = {REALLOC};
    unsigned long long block;
    const char *where;
    Py_ssize_t size;

    if (!PyArg_ParseTuple(arguments, "siKn", &where, &what.domain, &block, &size))
        return NULL;
    what.block = (void *)(uintptr_t)block;
    what.size = (size_t)size;
    return address_of(&what, where);
}

static PyObject *raw_free(PyObject *module, PyObject *arguments)
{
    call what = {FREE};
    unsigned long long block;
    const char *where;

    if (!PyArg_ParseTuple(arguments, "siK", &where, &what.domain, &block))
        return NULL;
    what.block = (void *)(uintptr_t)block;
    if (perform_where(&what, where) < 0)
        return NULL;
    Py_RETURN_NONE;
}

/* ── many threads at once ────────────────────────────────────────────────────────── */

enum { SLOTS = 64 };

/* Threads take one another's blocks from here, so that blocks are freed elsewhere than
 * where they were allocated. */
static _Atomic(void *) shared[SLOTS];

static void churn_once(uintptr_t number, uint64_t random_bits)
{
    void *block = PyMem_RawMalloc(1 + (random_bits >> 40) % 2000);

    if (random_bits >> 63)
        block = PyMem_RawRealloc(block, 1 + (random_bits >> 30) % 3000);
    PyMem_RawFree(atomic_exchange(&shared[(random_bits >> 50) % SLOTS], block));
}

static PyObject *free_shared(PyObject *module, PyObject *ignored)
{
    for (int slot = 0; slot < SLOTS; slot++)
        PyMem_RawFree(atomic_exchange(&shared[slot], NULL));
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"malloc", raw_malloc, METH_VARARGS, "malloc(where, domain, size) -> address, 0 if refused"},
    {"calloc", raw_calloc, METH_VARARGS, "calloc(where, domain, size) -> address"},
    {"realloc", raw_realloc, METH_VARARGS, "realloc(where, domain, address, size) -> address"},
    {"free", raw_free, METH_VARARGS, "free(where, domain, address)"},
    {"free_shared", free_shared, METH_NOARGS, NULL},
    CHURN_METHODS,
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "raw_calls",
    .m_methods = methods,
};

PyMODINIT_FUNC PyInit_raw_calls(void)
{
    PyObject *module = PyModule_Create(&definition);

    if (module != NULL)
        PyModule_AddIntMacro(module, RAW), PyModule_AddIntMacro(module, MEM),
            PyModule_AddIntMacro(module, OBJ);
    return module;
}
