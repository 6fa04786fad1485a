/* SPDX-License-Identifier: MIT
 *
 * The cost of one allocation and its free, without an interpreter around it: loops for
 * bench/pairs.py.
 *
 * A batch is allocated, then freed in the same order.  measured_pairs() is a function of
 * its own, so that callgrind can count within it and nowhere else.
 */
#include <Python.h>

#include <stdlib.h>
#include <time.h>

enum { BLOCK_BYTES = 64 };

/* What a pair is: its two halves. */
typedef struct {
    const char *name;
    void *(*allocate)(void);
    void (*release)(void *block);
} kind;

static void *allocate_object(void)
{
    return PyObject_Malloc(BLOCK_BYTES);
}

static void *allocate_raw(void)
{
    return PyMem_RawMalloc(BLOCK_BYTES);
}

/* Large, so not pymalloc's: from libc, and in our map. */
static void *allocate_large(void)
{
    return PyObject_Malloc(16 * BLOCK_BYTES);
}

/* In batches that its free list holds, a float comes from there each time. */
static void *allocate_float(void)
{
    return PyFloat_FromDouble(1.5);
}

static void release_float(void *block)
{
    Py_DECREF((PyObject *)block);
}

static const kind kinds[] = {
    {"object", allocate_object, PyObject_Free},
    {"large", allocate_large, PyObject_Free},
    {"raw", allocate_raw, PyMem_RawFree},
    {"float", allocate_float, release_float},
};

static double cpu_seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* The compiler sees that nothing is NULL only if it is told nothing: no inlining. */
__attribute__((noinline)) static void warm_pairs(const kind *of, void **blocks, long batch)
{
    for (long i = 0; i < batch; i++)
        blocks[i] = of->allocate();
    for (long i = 0; i < batch; i++)
        of->release(blocks[i]);
}

__attribute__((noinline, used)) void measured_pairs(const kind *of, void **blocks, long batch,
                                                    long rounds)
{
    for (long round = 0; round < rounds; round++) {
        for (long i = 0; i < batch; i++)
            blocks[i] = of->allocate();
        for (long i = 0; i < batch; i++)
            of->release(blocks[i]);
    }
}

static const kind *find_kind(const char *name)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(kinds[i].name, name) == 0)
            return &kinds[i];
    return NULL;
}

/* run(kind, batch, rounds): seconds of CPU time for batch × rounds pairs. */
static PyObject *run(PyObject *module, PyObject *arguments)
{
    const char *name;
    long batch, rounds;
    double started, seconds;
    const kind *of;
    void **blocks;

    (void)module;
    if (!PyArg_ParseTuple(arguments, "sll", &name, &batch, &rounds))
        return NULL;
    of = find_kind(name);
    blocks = batch > 0 ? calloc((size_t)batch, sizeof *blocks) : NULL;
    if (of == NULL || blocks == NULL) {
        free(blocks);
        return PyErr_Format(PyExc_ValueError, "no such pair: %s, batch %ld", name, batch);
    }
    warm_pairs(of, blocks, batch);
    started = cpu_seconds();
    measured_pairs(of, blocks, batch, rounds);
    seconds = cpu_seconds() - started;
    free(blocks);
    return PyFloat_FromDouble(seconds);
}

static PyMethodDef methods[] = {
    {"run", run, METH_VARARGS, "run(kind, batch, rounds): seconds of CPU time"},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, .m_name = "pair", .m_size = 0,
                                        .m_methods = methods};

PyMODINIT_FUNC PyInit_pair(void)
{
    return PyModule_Create(&definition);
}
