/* SPDX-License-Identifier: MIT */
#include "pyext/thread_names.h"

#include "pyext/utf8.h"

#include <unistd.h>

/* ── asking ──────────────────────────────────────────────────────────────────────── */

/* A copy of threading's dict of ident → Thread; None when nobody has imported it, since a
 * dict made here would be a block in the snapshot, too.  A new reference, or NULL with an
 * exception. */
static PyObject *active_threads(void)
{
    PyObject *threading = PyDict_GetItemString(PyImport_GetModuleDict(), "threading");
    PyObject *active;
    PyObject *copy;

    if (threading == NULL)
        return Py_NewRef(Py_None);
    active = PyObject_GetAttrString(threading, "_active");
    if (active == NULL || !PyDict_Check(active)) {
        PyErr_Clear();
        Py_XDECREF(active);
        return Py_NewRef(Py_None);
    }
    copy = PyDict_Copy(active);
    Py_DECREF(active);
    return copy;
}

/* Appends (ident, name); a thread without a name that is a str is passed over. */
static int ask_one(PyObject *names, PyObject *ident, PyObject *thread)
{
    PyObject *name = PyObject_GetAttrString(thread, "name");
    PyObject *utf8 = NULL;
    PyObject *pair = NULL;
    int status = -1;

    if (name == NULL && !PyErr_ExceptionMatches(PyExc_Exception))
        return -1; /* a KeyboardInterrupt, say, is not ours to swallow */
    if (name != NULL && PyUnicode_Check(name))
        utf8 = PyUnicode_AsEncodedString(name, "utf-8", "surrogatepass");
    PyErr_Clear();
    if (utf8 == NULL || !PyLong_Check(ident)) {
        status = 0;
        goto done;
    }
    pair = PyTuple_Pack(2, ident, utf8);
    if (pair != NULL)
        status = PyList_Append(names, pair);

done:
    Py_XDECREF(pair);
    Py_XDECREF(utf8);
    Py_XDECREF(name);
    return status;
}

/* What of [active], a dict, has a name. */
static PyObject *names_of(PyObject *active)
{
    PyObject *names = PyList_New(0);
    PyObject *ident;
    PyObject *thread;
    Py_ssize_t position = 0;

    while (names != NULL && PyDict_Next(active, &position, &ident, &thread))
        if (ask_one(names, ident, thread) < 0)
            Py_CLEAR(names);
    return names;
}

PyObject *mw_thread_names_ask(void)
{
    PyObject *active = active_threads();
    PyObject *names;

    if (active == NULL || active == Py_None)
        return active;
    names = names_of(active);
    Py_DECREF(active);
    return names;
}

/* ── noting ──────────────────────────────────────────────────────────────────────── */

/* The row of the thread with [ident]: the youngest, since idents are reused. */
static mw_thread_row *row_of(mw_tracer *tracer, uint64_t ident)
{
    for (uint32_t number = tracer->threads.count; number > 0; number--)
        if (tracer->threads.rows[number].ident == ident)
            return &tracer->threads.rows[number];
    return NULL;
}

static mw_status note(mw_tracer *tracer, mw_thread_row *row, const char *name, size_t length)
{
    return mw_code_table_string(&tracer->codes, name, length, &row->name);
}

/* The first thread of the process has a name only once threading has been imported. */
static mw_status note_first(mw_tracer *tracer)
{
    static const char name[] = "MainThread";
    uint64_t first = (uint64_t)getpid();

    for (uint32_t number = 1; number <= tracer->threads.count; number++) {
        mw_thread_row *row = &tracer->threads.rows[number];

        if (row->native_id == first && row->name.index == 0)
            return note(tracer, row, name, sizeof name - 1);
    }
    return MW_OK;
}

mw_status mw_thread_names_note(mw_tracer *tracer, PyObject *names)
{
    Py_ssize_t count = names != Py_None ? PyList_GET_SIZE(names) : 0;

    for (Py_ssize_t index = 0; index < count; index++) {
        PyObject *pair = PyList_GET_ITEM(names, index);
        PyObject *name = PyTuple_GET_ITEM(pair, 1);
        uint64_t ident = PyLong_AsUnsignedLongLongMask(PyTuple_GET_ITEM(pair, 0));
        mw_thread_row *row = row_of(tracer, ident);
        mw_status status = MW_OK;

        if (row != NULL)
            status = note(tracer, row, PyBytes_AS_STRING(name), (size_t)PyBytes_GET_SIZE(name));
        if (status != MW_OK)
            return status;
    }
    return note_first(tracer);
}

/* ── without a trace ─────────────────────────────────────────────────────────────── */

enum { NAME_BYTES = 256 };

/* The value in [dict] of the key that is [name] in ASCII; borrowed, or NULL.  Looks at every
 * key: a str made to look it up would be a block. */
static PyObject *find_in_dict(PyObject *dict, const char *name)
{
    Py_ssize_t position = 0;
    PyObject *key;
    PyObject *value;

    while (PyDict_Next(dict, &position, &key, &value))
        if (PyUnicode_Check(key) && PyUnicode_CompareWithASCIIString(key, name) == 0)
            return value;
    return NULL;
}

/* threading's dict of ident → Thread; borrowed, or NULL. */
static PyObject *find_active(void)
{
    PyObject *modules = PyImport_GetModuleDict();
    PyObject *threading =
        modules != NULL && PyDict_Check(modules) ? find_in_dict(modules, "threading") : NULL;
    PyObject *active = NULL;

    if (threading != NULL && PyModule_Check(threading))
        active = find_in_dict(PyModule_GetDict(threading), "_active");
    return active != NULL && PyDict_Check(active) ? active : NULL;
}

/* What a thread is called, a new reference; NULL where that is not an attribute like any other.
 * [attribute] is "_name". */
static PyObject *plain_name(PyObject *thread, PyObject *attribute)
{
    PyObject *name = NULL;

    if (Py_TYPE(thread)->tp_getattro == PyObject_GenericGetAttr)
        name = PyObject_GenericGetAttr(thread, attribute);
    if (name == NULL)
        PyErr_Clear();
    if (name != NULL && !PyUnicode_Check(name))
        Py_CLEAR(name);
    return name;
}

static mw_status note_plain(mw_tracer *tracer, PyObject *ident, PyObject *thread,
                            PyObject *attribute)
{
    char bytes[NAME_BYTES];
    PyObject *name;
    mw_thread_row *row = NULL;
    mw_status status = MW_OK;

    if (PyLong_Check(ident))
        row = row_of(tracer, PyLong_AsUnsignedLongLongMask(ident));
    name = row != NULL ? plain_name(thread, attribute) : NULL;
    if (name == NULL)
        return MW_OK;
    status = note(tracer, row, bytes, mw_utf8_copy(name, bytes, sizeof bytes));
    Py_DECREF(name);
    return status;
}

mw_status mw_thread_names_note_active(mw_tracer *tracer, PyObject *attribute)
{
    PyObject *active = find_active();
    Py_ssize_t position = 0;
    PyObject *ident;
    PyObject *thread;
    mw_status status = MW_OK;

    while (active != NULL && status == MW_OK && PyDict_Next(active, &position, &ident, &thread))
        status = note_plain(tracer, ident, thread, attribute);
    return status == MW_OK ? note_first(tracer) : status;
}
