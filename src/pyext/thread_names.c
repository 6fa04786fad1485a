/* SPDX-License-Identifier: MIT */
#include "pyext/thread_names.h"

#include <Python.h>

#include <unistd.h>

/* threading's dict of ident → Thread, borrowed; NULL when nobody has imported it. */
static PyObject *active_threads(void)
{
    PyObject *modules = PyImport_GetModuleDict();
    PyObject *threading = PyDict_GetItemString(modules, "threading");
    PyObject *active;

    if (threading == NULL)
        return NULL;
    active = PyObject_GetAttrString(threading, "_active");
    if (active == NULL) {
        PyErr_Clear();
        return NULL;
    }
    /* The module keeps it alive. */
    Py_DECREF(active);
    return PyDict_Check(active) ? active : NULL;
}

/* The name of the thread with [ident] as UTF-8, a new reference; NULL without an
 * exception when it has none. */
static PyObject *name_of(PyObject *active, uint64_t ident)
{
    PyObject *key = PyLong_FromUnsignedLongLong(ident);
    PyObject *thread = key != NULL ? PyDict_GetItemWithError(active, key) : NULL;
    PyObject *name = NULL;
    PyObject *utf8 = NULL;

    Py_XINCREF(thread);
    if (thread != NULL)
        name = PyObject_GetAttrString(thread, "name");
    if (name != NULL && PyUnicode_Check(name))
        utf8 = PyUnicode_AsEncodedString(name, "utf-8", "surrogatepass");
    PyErr_Clear();
    Py_XDECREF(name);
    Py_XDECREF(thread);
    Py_XDECREF(key);
    return utf8;
}

/* The name of the first thread of the process, which threading names on import only. */
static PyObject *name_of_first(const PyThreadState *thread)
{
    if (thread->native_thread_id != (unsigned long)getpid())
        return NULL;
    return PyBytes_FromString("MainThread");
}

/* The state of the numbered thread, or NULL when the thread has ended. */
static const PyThreadState *state_of(uint64_t id)
{
    PyThreadState *thread = PyInterpreterState_ThreadHead(PyInterpreterState_Main());

    while (thread != NULL && thread->id != id)
        thread = PyThreadState_Next(thread);
    return thread;
}

static int learn_one(mw_tracer *tracer, mw_thread_row *row, PyObject *active)
{
    const PyThreadState *thread = state_of(row->id);
    PyObject *name = NULL;
    mw_status status;

    if (thread == NULL)
        return 0;
    if (active != NULL)
        name = name_of(active, row->ident);
    if (name == NULL)
        name = name_of_first(thread);
    if (name == NULL)
        return PyErr_Occurred() ? -1 : 0;
    status = mw_code_table_string(&tracer->codes, PyBytes_AS_STRING(name),
                                  (size_t)PyBytes_GET_SIZE(name), &row->name);
    Py_DECREF(name);
    if (status != MW_OK) {
        PyErr_NoMemory();
        return -1;
    }
    return 0;
}

int mw_thread_names_learn(mw_tracer *tracer)
{
    PyObject *active = active_threads();

    for (uint32_t number = 1; number <= tracer->threads.count; number++)
        if (learn_one(tracer, &tracer->threads.rows[number], active) < 0)
            return -1;
    return 0;
}
