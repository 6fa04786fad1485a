/* SPDX-License-Identifier: MIT
 *
 * An extension whose types do what extensions get wrong, for walks of the heap.
 *
 *   hold(obj)     takes a reference and forgets it
 *   list_of(f, n) a list of what n calls of f return, which keeps a reference to each for
 *                 itself, as whoever takes PyList_Append for PyList_SetItem does
 *   Half(a, b)    refers to two objects, and its tp_traverse tells of one
 *   Slow(f, a)    known to the collector before it has anything: calls f() while it is being
 *                 built, and only then refers to f and a
 *   Secret(a)     refers to an object without the collector's knowledge
 *   Crash()       its tp_traverse follows NULL, as one does that was not made for objects
 *                 under construction
 *   Hang()        its tp_traverse does not come back
 */
#include <Python.h>

#include <unistd.h>

typedef struct subject {
    PyObject_HEAD
    PyObject *first;
    PyObject *second;
} subject;

static PyObject *subject_new(PyTypeObject *type, PyObject *arguments, PyObject *keywords)
{
    PyObject *first = NULL, *second = NULL;
    subject *self;

    if (!PyArg_UnpackTuple(arguments, "subject", 0, 2, &first, &second))
        return NULL;
    self = (subject *)type->tp_alloc(type, 0);
    if (self == NULL)
        return NULL;
    self->first = Py_XNewRef(first);
    self->second = Py_XNewRef(second);
    return (PyObject *)self;
}

static PyObject *slow_new(PyTypeObject *type, PyObject *arguments, PyObject *keywords)
{
    PyObject *first, *second, *result;
    subject *self;

    if (!PyArg_UnpackTuple(arguments, "Slow", 2, 2, &first, &second))
        return NULL;
    self = (subject *)type->tp_alloc(type, 0); /* the collector knows it from here on */
    result = self != NULL ? PyObject_CallNoArgs(first) : NULL;
    if (result == NULL) {
        Py_XDECREF(self);
        return NULL;
    }
    Py_DECREF(result);
    self->first = Py_NewRef(first);
    self->second = Py_NewRef(second);
    return (PyObject *)self;
}

static void subject_dealloc(PyObject *object)
{
    PyTypeObject *type = Py_TYPE(object);
    subject *self = (subject *)object;

    if (PyType_IS_GC(type))
        PyObject_GC_UnTrack(object);
    Py_XDECREF(self->first);
    Py_XDECREF(self->second);
    type->tp_free(object);
    Py_DECREF(type);
}

static int half_traverse(PyObject *object, visitproc visit, void *arg)
{
    Py_VISIT(((subject *)object)->first);
    return 0;
}

static int slow_traverse(PyObject *object, visitproc visit, void *arg)
{
    Py_VISIT(((subject *)object)->first);
    Py_VISIT(((subject *)object)->second);
    return 0;
}

static int crash_traverse(PyObject *object, visitproc visit, void *arg)
{
    return visit(*(PyObject *volatile *)((subject *)object)->first, arg);
}

static int hang_traverse(PyObject *object, visitproc visit, void *arg)
{
    for (;;)
        pause();
    return 0;
}

#define SUBJECT(name, text, make, flags, ...)                                                      \
    static PyType_Slot name##_slots[] = {                                                          \
        {Py_tp_new, make}, {Py_tp_dealloc, subject_dealloc}, __VA_ARGS__{0, NULL}};                \
    static PyType_Spec name##_spec = {"heap_subject." text, sizeof(subject), 0,                    \
                                      Py_TPFLAGS_DEFAULT | (flags), name##_slots}

SUBJECT(slow, "Slow", slow_new, Py_TPFLAGS_HAVE_GC, {Py_tp_traverse, slow_traverse}, );
SUBJECT(half, "Half", subject_new, Py_TPFLAGS_HAVE_GC, {Py_tp_traverse, half_traverse}, );
SUBJECT(secret, "Secret", subject_new, 0, );
SUBJECT(crash, "Crash", subject_new, Py_TPFLAGS_HAVE_GC, {Py_tp_traverse, crash_traverse}, );
SUBJECT(hang, "Hang", subject_new, Py_TPFLAGS_HAVE_GC, {Py_tp_traverse, hang_traverse}, );

static PyObject *hold(PyObject *module, PyObject *object)
{
    Py_INCREF(object);
    Py_RETURN_NONE;
}

static PyObject *list_of(PyObject *module, PyObject *arguments)
{
    PyObject *make, *list = PyList_New(0);
    int count;

    if (list == NULL || !PyArg_ParseTuple(arguments, "Oi", &make, &count))
        return NULL;
    for (int i = 0; i < count; i++) {
        PyObject *one = PyObject_CallNoArgs(make);

        if (one == NULL || PyList_Append(list, one) < 0)
            return NULL;
    }
    return list;
}

static PyMethodDef methods[] = {
    {"hold", hold, METH_O, NULL}, {"list_of", list_of, METH_VARARGS, NULL}, {NULL, NULL, 0, NULL}};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "heap_subject", NULL, 0, methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit_heap_subject(void)
{
    PyType_Spec *specs[] = {&slow_spec, &half_spec, &secret_spec, &crash_spec, &hang_spec};
    const char *names[] = {"Slow", "Half", "Secret", "Crash", "Hang"};
    PyObject *module = PyModule_Create(&definition);

    for (int i = 0; module != NULL && i < 5; i++)
        if (PyModule_AddObject(module, names[i], PyType_FromSpec(specs[i])) < 0)
            return NULL;
    return module;
}
