/* SPDX-License-Identifier: MIT */
#include "pyext/heap_layouts.h"

#include "pyext/heap_functions.h"

#include "pyext/heap_check.h"
#include "pyext/heap_child.h"
#include "pyext/heap_to.h"
#include "pyext/live_heap.h"
#include "pyext/raise.h"
#include "pyext/tracing.h"

#include "heap/captured_heap.h"
#include "heap/heap_answers.h"

#include <string.h>

/* How long the parent waits before it looks at Python's signals again. */
enum { PATIENCE_MS = 200 };

/* ── what went wrong ─────────────────────────────────────────────────────────────── */

static PyObject *raise_timeout(void)
{
    PyErr_SetString(PyExc_TimeoutError,
                    "looking at the heap took longer than the timeout; the child was ended, and "
                    "the program is not affected");
    return NULL;
}

/* For what a study or an answer says. */
static PyObject *raise_answer(mw_status status, size_t memory_limit)
{
    if (status == MW_NO_MEMORY && memory_limit == 0)
        return PyErr_NoMemory();
    if (status == MW_NO_MEMORY)
        return PyErr_Format(PyExc_MemoryError,
                            "the graph of this heap does not fit into %zu MiB, which is what "
                            "memory_limit or the system leaves for it",
                            memory_limit >> 20);
    if (status == MW_UNSUPPORTED) {
        PyErr_SetString(PyExc_RuntimeError,
                        "memwhy was not tracing, so it does not know which lines allocated what; "
                        "call memwhy.start() before");
        return NULL;
    }
    return mw_raise(status, NULL);
}

/* ── a child ─────────────────────────────────────────────────────────────────────── */

/* Waits until the child goes on, looking at signals from time to time.  Returns 0, or -1
 * with an exception. */
static int wait_for(const mw_heap_child *child, double timeout)
{
    mw_error error = {0};
    mw_status status;

    for (;;) {
        int patience = timeout < PATIENCE_MS / 1000.0 ? (int)(timeout * 1000) : PATIENCE_MS;

        Py_BEGIN_ALLOW_THREADS status = mw_heap_child_wait(child, patience, &error);
        Py_END_ALLOW_THREADS if (status == MW_OK) return 0;
        if (PyErr_CheckSignals() < 0)
            return -1;
        timeout -= PATIENCE_MS / 1000.0;
        if (status == MW_LIMIT && timeout <= 0) {
            raise_timeout();
            return -1;
        }
        if (status != MW_LIMIT && status != MW_BAD_INPUT) {
            mw_raise(status, &error);
            return -1;
        }
    }
}

static PyObject *read_bytes(const mw_heap_child *child, size_t length)
{
    PyObject *bytes = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)length);
    mw_error error = {0};
    mw_status status;

    if (bytes == NULL)
        return NULL;
    Py_BEGIN_ALLOW_THREADS status =
        mw_heap_child_read(child, PyBytes_AS_STRING(bytes), length, &error);
    Py_END_ALLOW_THREADS if (status == MW_OK) return bytes;
    Py_DECREF(bytes);
    return mw_raise(status, &error);
}

static PyObject *receive(const mw_heap_child *child, double timeout, size_t memory_limit)
{
    mw_heap_reply head;
    mw_error error = {0};
    mw_status status;

    if (wait_for(child, timeout) < 0)
        return NULL;
    status = mw_heap_child_read(child, &head, sizeof head, &error);
    if (status != MW_OK)
        return mw_raise(status, &error);
    if (head.status != MW_OK)
        return raise_answer((mw_status)head.status, memory_limit);
    return read_bytes(child, head.length);
}

PyDoc_STRVAR(heap_fork_doc,
             "_heap_fork($module, timeout, memory_limit, /)\n"
             "--\n\n"
             "Fork a child that walks the heap.  Returns a tuple: (pid, descriptor,\n"
             "summary as JSON).");

static PyObject *heap_fork(PyObject *module, PyObject *arguments)
{
    mw_heap_child child;
    mw_error error = {0};
    mw_status status;
    double timeout;
    Py_ssize_t memory_limit;
    PyObject *summary;

    if (!PyArg_ParseTuple(arguments, "dn:_heap_fork", &timeout, &memory_limit))
        return NULL;
    if (memory_limit <= 0)
        memory_limit = (Py_ssize_t)(mw_heap_available_bytes() & PY_SSIZE_T_MAX);
    status = mw_heap_child_fork(&child, (size_t)memory_limit, &error);
    if (status != MW_OK)
        return mw_raise(status, &error);
    summary = receive(&child, timeout, (size_t)memory_limit);
    if (summary == NULL) {
        mw_heap_child_end(&child);
        return NULL;
    }
    return Py_BuildValue("(iiKN)", (int)child.pid, child.socket, (unsigned long long)child.pause_ns,
                         summary);
}

PyDoc_STRVAR(heap_ask_child_doc,
             "_heap_ask_child($module, pid, descriptor, timeout, name, a, b, c, /)\n"
             "--\n\n"
             "Ask a child of _heap_fork() a question; the answer is JSON.  When this raises\n"
             "anything but ValueError, the child is of no more use.");

static PyObject *heap_ask_child(PyObject *module, PyObject *arguments)
{
    mw_heap_question question = {0};
    mw_heap_child child = {0};
    mw_error error = {0};
    const char *name;
    double timeout;
    int pid;
    unsigned long long *a = (unsigned long long *)question.arguments;
    mw_status status;

    if (!PyArg_ParseTuple(arguments, "iidsKKK:_heap_ask_child", &pid, &child.socket, &timeout,
                          &name, &a[0], &a[1], &a[2]))
        return NULL;
    child.pid = pid;
    if (!mw_heap_question_is_known(name))
        return PyErr_Format(PyExc_ValueError, "unknown question: %s", name);
    strncpy(question.name, name, sizeof question.name - 1);
    status = mw_heap_child_send(&child, &question, &error);
    if (status != MW_OK)
        return mw_raise(status, &error);
    return receive(&child, timeout, 0);
}

PyDoc_STRVAR(heap_end_doc, "_heap_end($module, pid, descriptor, /)\n"
                           "--\n\n"
                           "End a child of _heap_fork(), whatever it does.");

static PyObject *heap_end(PyObject *module, PyObject *arguments)
{
    mw_heap_child child = {0};
    int pid;

    if (!PyArg_ParseTuple(arguments, "ii:_heap_end", &pid, &child.socket))
        return NULL;
    child.pid = pid;
    mw_heap_child_end(&child);
    Py_RETURN_NONE;
}

/* ── in this process ─────────────────────────────────────────────────────────────── */

/* What an argument of a C call is held by, beside its caller's variables: a stack that
 * nobody can see while its frame runs (until 3.13), or one that the walk sees. */
static PyObject *unseen_subject(PyObject *subject)
{
    PyThreadState *thread = PyThreadState_Get();
    const mw_py_frame *frame = mw_frames_innermost(thread);
    const PyCodeObject *code = frame != NULL ? mw_frames_code(frame) : NULL;

    return code != NULL && mw_layout_frame_depth(frame, code) < 0 ? subject : NULL;
}

static mw_status ask_here(const mw_heap_question *question, PyObject *subject, mw_alloc *alloc,
                          mw_buffer *answer)
{
    mw_live_heap live;
    mw_heap_study study = {0};
    mw_status status = mw_live_heap_init(&live, subject, alloc);

    if (status == MW_OK)
        status = mw_heap_study_init(&study, &live.view, alloc);
    if (status == MW_OK)
        status = mw_heap_answer(&study, question, &answer->sink);
    mw_heap_study_done(&study);
    mw_live_heap_done(&live);
    return status;
}

PyDoc_STRVAR(heap_ask_doc,
             "_heap_ask($module, name, subject, b, c, memory_limit, /)\n"
             "--\n\n"
             "Walk the heap in this process, answer one question, forget all.  The\n"
             "question's first argument is the address of subject, or subject itself\n"
             "if that is an int.");

/* Not a tuple of arguments: the walk would meet it, and what it holds. */
enum { ASK_NAME, ASK_SUBJECT, ASK_B, ASK_C, ASK_MEMORY_LIMIT, ASK_ARGUMENTS };

static int read_question(PyObject *const *arguments, Py_ssize_t count, mw_heap_question *question,
                         size_t *ret_memory_limit)
{
    const char *name = NULL;
    size_t memory_limit;

    if (count != ASK_ARGUMENTS)
        PyErr_Format(PyExc_TypeError, "_heap_ask() takes %d arguments", ASK_ARGUMENTS);
    else
        name = PyUnicode_AsUTF8(arguments[ASK_NAME]);
    if (name == NULL)
        return -1;
    if (!mw_heap_question_is_known(name)) {
        PyErr_Format(PyExc_ValueError, "unknown question: %s", name);
        return -1;
    }
    strncpy(question->name, name, sizeof question->name - 1);
    question->arguments[0] = strcmp(name, "object") == 0
                                 ? (uintptr_t)arguments[ASK_SUBJECT]
                                 : PyLong_AsUnsignedLongLongMask(arguments[ASK_SUBJECT]);
    question->arguments[1] = PyLong_AsUnsignedLongLongMask(arguments[ASK_B]);
    question->arguments[2] = PyLong_AsUnsignedLongLongMask(arguments[ASK_C]);
    memory_limit = PyLong_AsSize_t(arguments[ASK_MEMORY_LIMIT]);
    *ret_memory_limit = memory_limit != 0 ? memory_limit : mw_heap_available_bytes();
    return PyErr_Occurred() ? -1 : 0;
}

static PyObject *heap_ask(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
{
    mw_heap_question question = {0};
    mw_limited_alloc alloc;
    mw_buffer answer;
    PyObject *result = NULL;
    size_t memory_limit;
    mw_status status;

    if (read_question(arguments, count, &question, &memory_limit) < 0)
        return NULL;
    alloc = mw_limited_alloc_of(memory_limit);
    mw_buffer_init(&answer, &alloc.base);
    status = ask_here(&question, unseen_subject(arguments[ASK_SUBJECT]), &alloc.base, &answer);
    if (status == MW_OK)
        result = PyBytes_FromStringAndSize(answer.bytes, (Py_ssize_t)answer.length);
    else
        raise_answer(status, memory_limit);
    mw_buffer_done(&answer);
    return result;
}

PyDoc_STRVAR(heap_addresses_doc,
             "_heap_addresses($module, /)\n"
             "--\n\n"
             "For tests: the addresses of all objects that a walk meets now, as a\n"
             "bytes object of 64-bit numbers.");

static PyObject *heap_addresses(PyObject *module, PyObject *ignored)
{
    mw_heap heap;
    PyObject *result;
    mw_status status;

    status = mw_heap_init(&heap, NULL, mw_alloc_pages());
    if (status != MW_OK)
        return raise_answer(status, 0);
    result = PyBytes_FromStringAndSize((const char *)(heap.addresses + 1),
                                       (Py_ssize_t)((heap.address_count - 1) * sizeof(uintptr_t)));
    mw_heap_done(&heap);
    return result;
}

PyDoc_STRVAR(heap_learn_doc,
             "_heap_learn($module, instance, /)\n"
             "--\n\n"
             "Before any walk: find out how this release visits instances, from a new\n"
             "one of a class without slots.");

static PyObject *heap_learn(PyObject *module, PyObject *instance)
{
    if (mw_heap_edges_learn(instance) < 0)
        return NULL;
    Py_RETURN_NONE;
}

PyDoc_STRVAR(heap_check_doc,
             "_heap_check($module, samples, /)\n"
             "--\n\n"
             "Before any walk: find out whether objects lie in memory as we know, from a\n"
             "list of tuples (object, sys.getsizeof(object), tuple of referents).  Raises\n"
             "RuntimeError if not; what was found out once is not looked for again.");

static PyObject *heap_check(PyObject *module, PyObject *samples)
{
    const char *wrong;

    if (!PyList_Check(samples)) {
        PyErr_SetString(PyExc_TypeError, "samples must be a list");
        return NULL;
    }
    wrong = mw_heap_check(samples);
    if (wrong != NULL)
        return PyErr_Format(PyExc_RuntimeError,
                            "memwhy does not look at the objects of this Python, since %s", wrong);
    if (PyErr_Occurred())
        return NULL;
    Py_RETURN_NONE;
}

/* ── in a file ───────────────────────────────────────────────────────────────────── */

PyDoc_STRVAR(heap_ask_file_doc,
             "_heap_ask_file($module, path, number, name, a, b, c, /)\n"
             "--\n\n"
             "Read a heap of a capture, answer one question, forget all.  number is that of\n"
             "the heap, from 0.");

static mw_status ask_file(const char *path, uint32_t number, const mw_heap_question *question,
                          mw_buffer *answer, mw_error *error)
{
    mw_alloc *alloc = mw_alloc_system();
    mw_capture *capture = NULL;
    mw_captured_heap heap = {0};
    mw_heap_study study;
    mw_status status = mw_capture_open(path, alloc, &capture, error);

    if (status == MW_OK)
        status = mw_captured_heap_init(&heap, capture, number, alloc, error);
    if (status == MW_OK)
        status = mw_heap_study_init(&study, &heap.view, alloc);
    if (status == MW_OK) {
        status = mw_heap_answer(&study, question, &answer->sink);
        mw_heap_study_done(&study);
    }
    mw_captured_heap_done(&heap);
    mw_capture_close(capture);
    return status;
}

static PyObject *heap_ask_file(PyObject *module, PyObject *arguments)
{
    mw_heap_question question = {0};
    unsigned long long *a = (unsigned long long *)question.arguments;
    mw_error error = {.text = ""};
    PyObject *path = NULL, *result = NULL;
    const char *name;
    mw_buffer answer;
    unsigned number;
    mw_status status;

    if (!PyArg_ParseTuple(arguments, "O&IsKKK:_heap_ask_file", PyUnicode_FSConverter, &path,
                          &number, &name, &a[0], &a[1], &a[2]))
        return NULL;
    strncpy(question.name, name, sizeof question.name - 1);
    mw_buffer_init(&answer, mw_alloc_system());
    status = ask_file(PyBytes_AS_STRING(path), number, &question, &answer, &error);
    if (status == MW_OK)
        result = PyBytes_FromStringAndSize(answer.bytes, (Py_ssize_t)answer.length);
    else if (error.text[0] != '\0')
        mw_raise(status, &error);
    else
        raise_answer(status, 0);
    mw_buffer_done(&answer);
    Py_DECREF(path);
    return result;
}

PyDoc_STRVAR(heap_to_doc,
             "_heap_to($module, path, description, /, texts=True, timeout=300,\n"
             "         memory_limit=0)\n"
             "--\n\n"
             "Write the heap to a capture; see memwhy.heap_to().  Returns the bytes that the\n"
             "child took beside the heap.");

PyMethodDef mw_heap_methods[] = {
    {"_heap_learn", heap_learn, METH_O, heap_learn_doc},
    {"_heap_check", heap_check, METH_O, heap_check_doc},
    {"_heap_fork", heap_fork, METH_VARARGS, heap_fork_doc},
    {"_heap_ask_child", heap_ask_child, METH_VARARGS, heap_ask_child_doc},
    {"_heap_end", heap_end, METH_VARARGS, heap_end_doc},
    {"_heap_ask", (PyCFunction)(void (*)(void))heap_ask, METH_FASTCALL, heap_ask_doc},
    {"_heap_to", (PyCFunction)(void (*)(void))mw_heap_to, METH_VARARGS | METH_KEYWORDS,
     heap_to_doc},
    {"_heap_ask_file", heap_ask_file, METH_VARARGS, heap_ask_file_doc},
    {"_heap_addresses", heap_addresses, METH_NOARGS, heap_addresses_doc},
    {NULL, NULL, 0, NULL},
};
