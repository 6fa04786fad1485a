/* SPDX-License-Identifier: MIT
 *
 * An extension whose types do what extensions get wrong, for walks of the heap.
 *
 *   hold(obj)     takes a reference and forgets it
 *   Half(a, b)    refers to two objects, and its tp_traverse tells of one
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

#define SUBJECT(name, text, flags, ...)                                                            \
    static PyType_Slot name##_slots[] = {                                                          \
        {Py_tp_new, subject_new}, {Py_tp_dealloc, subject_dealloc}, __VA_ARGS__{0, NULL}};         \
    static PyType_Spec name##_spec = {"heap_subject." text, sizeof(subject), 0,                    \
                                      Py_TPFLAGS_DEFAULT | (flags), name##_slots}

SUBJECT(half, "Half", Py_TPFLAGS_HAVE_GC, {Py_tp_traverse, half_traverse}, );
SUBJECT(secret, "Secret", 0, );
SUBJECT(crash, "Crash", Py_TPFLAGS_HAVE_GC, {Py_tp_traverse, crash_traverse}, );
SUBJECT(hang, "Hang", Py_TPFLAGS_HAVE_GC, {Py_tp_traverse, hang_traverse}, );

static PyObject *hold(PyObject *module, PyObject *object)
{
    Py_INCREF(object);
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {{"hold", hold, METH_O, NULL}, {NULL, NULL, 0, NULL}};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "heap_subject", NULL, 0, methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit_heap_subject(void)
{
    PyType_Spec *specs[] = {&half_spec, &secret_spec, &crash_spec, &hang_spec};
    const char *names[] = {"Half", "Secret", "Crash", "Hang"};
    PyObject *module = PyModule_Create(&definition);

    for (int i = 0; module != NULL && i < 4; i++)
        if (PyModule_AddObject(module, names[i], PyType_FromSpec(specs[i])) < 0)
            return NULL;
    return module;
}
