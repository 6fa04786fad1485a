/* SPDX-License-Identifier: MIT */
/* churn_threads.h – threads that Python never saw, which do the same thing again and again.
 *
 * For extensions that are test subjects: each defines `churn_once` and adds the three
 * functions to its module.
 */
#pragma once

#include <Python.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { CHURN_THREADS = 4 };

/* One round of thread [number], with 64 random bits. */
static void churn_once(uintptr_t number, uint64_t random_bits);

static pthread_t churn_threads[CHURN_THREADS];
static atomic_bool churn_is_stopping;
static atomic_ulong churn_rounds;

static void *churn(void *number)
{
    uint64_t state = (uint64_t)(uintptr_t)number + 1;

    while (!atomic_load(&churn_is_stopping)) {
        state = state * UINT64_C(6364136223846793005) + 1442695040888963407u;
        churn_once((uintptr_t)number, state);
        atomic_fetch_add(&churn_rounds, 1);
    }
    return NULL;
}

static PyObject *start_threads(PyObject *module, PyObject *ignored)
{
    atomic_store(&churn_is_stopping, false);
    for (uintptr_t number = 0; number < CHURN_THREADS; number++)
        if (pthread_create(&churn_threads[number], NULL, churn, (void *)number) != 0)
            Py_FatalError("no thread");
    Py_RETURN_NONE;
}

/* Returns how many rounds the threads have made so far. */
static PyObject *rounds(PyObject *module, PyObject *ignored)
{
    return PyLong_FromUnsignedLong(atomic_load(&churn_rounds));
}

static PyObject *stop_threads(PyObject *module, PyObject *ignored)
{
    atomic_store(&churn_is_stopping, true);
    Py_BEGIN_ALLOW_THREADS for (int number = 0; number < CHURN_THREADS; number++)
        pthread_join(churn_threads[number], NULL);
    Py_END_ALLOW_THREADS Py_RETURN_NONE;
}

#define CHURN_METHODS                                                                              \
    {"start_threads", start_threads, METH_NOARGS, NULL}, {"rounds", rounds, METH_NOARGS, NULL},    \
    {                                                                                              \
        "stop_threads", stop_threads, METH_NOARGS, NULL                                            \
    }
