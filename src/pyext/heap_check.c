/* SPDX-License-Identifier: MIT
 *
 * What public functions and a type's own tp_traverse tell of an object, a walk must find too.
 * The other way round it may find more: tp_traverse leaves out what cannot be in a cycle.
 */
#include "pyext/heap_check.h"

#include "pyext/heap_edges.h"
#include "pyext/heap_sizes.h"
#include "pyext/mechanisms.h"

/* Names of a class, tables beside an object: sys.getsizeof leaves some of it out. */
enum { SIZE_SLACK_BYTES = 2048 };

typedef struct checker {
    mw_edge_batch batch; /* first: `full` gets it back */
    mw_heap_types types;
    bool is_overfull; /* an object of ours refers to a few others */
    bool is_missing;  /* tp_traverse gave what is not in the batch */
} checker;

/* ── the interpreter ─────────────────────────────────────────────────────────────── */

/* What was made last is the last of the youngest generation. */
static bool knows_collector(PyInterpreterState *interpreter)
{
    PyObject *list = PyList_New(0);
    PyGC_Head *young = mw_layout_generation(interpreter, 0);
    bool is_last;

    if (list == NULL)
        return false;
    is_last = mw_layout_gc_object(mw_layout_gc_previous(young)) == list &&
              mw_layout_gc_next((PyGC_Head *)list - 1) == young;
    Py_DECREF(list);
    return is_last;
}

static const char *check_interpreter(PyInterpreterState *interpreter)
{
    PyObject *subclasses = NULL;
    PyObject *dict = mw_layout_type_dict(interpreter, &PyBaseObject_Type, &subclasses);
    PyObject *interned = mw_layout_interned(interpreter);
    PyObject *of_thread = PyThreadState_GetDict(); /* made, if nobody has asked before */

    if (mw_layout_modules(interpreter) != PyImport_GetModuleDict() ||
        interpreter->builtins != PyEval_GetBuiltins())
        return "fields of the interpreter are not where memwhy knows them";
    if (interpreter->threads.head == NULL || PyThreadState_Get()->dict != of_thread)
        return "fields of threads are not where memwhy knows them";
    if (dict == NULL || subclasses == NULL || !PyDict_Check(dict) || !PyDict_Check(subclasses))
        return "static types are not as memwhy knows them";
    if (interned != NULL && !PyDict_CheckExact(interned))
        return "interned strings are not where memwhy knows them";
    return knows_collector(interpreter) ? NULL
                                        : "the collector's lists are not as memwhy knows them";
}

/* ── one object ──────────────────────────────────────────────────────────────────── */

static void note_overfull(mw_edge_batch *batch)
{
    ((checker *)batch)->is_overfull = true;
    batch->count = 0;
}

static bool has(const mw_edge_batch *batch, PyObject *object)
{
    for (uint32_t i = 0; i < batch->count; i++)
        if (batch->items[i] == object)
            return true;
    return false;
}

static int look_up(PyObject *object, void *context)
{
    checker *check = context;

    check->is_missing |= !has(&check->batch, object);
    return 0;
}

static bool knows_referents(checker *check, PyObject *object, PyObject *referents)
{
    traverseproc traverse = Py_TYPE(object)->tp_traverse;

    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(referents); i++)
        check->is_missing |= !has(&check->batch, PyTuple_GET_ITEM(referents, i));
    if (mw_layout_is_gc(object) && traverse != NULL)
        traverse(object, look_up, check);
    return !check->is_missing && !check->is_overfull;
}

static const char *check_object(checker *check, PyObject *object, size_t bytes, PyObject *referents)
{
    uint32_t number = mw_heap_types_of(&check->types, Py_TYPE(object));
    const mw_heap_type *type = &check->types.items[number];
    size_t found;

    if (number == MW_HEAP_TYPE_FRAME)
        return "there is no memory for a table of types";
    check->batch.count = 0;
    check->is_missing = check->is_overfull = false;
    mw_heap_edges_of(&check->batch, object, type);
    if (!knows_referents(check, object, referents))
        return "objects refer to what memwhy does not find in them";
    /* sys.getsizeof gives static types a head that they do not have. */
    found = mw_heap_size(object, type, false) + sizeof(PyGC_Head);
    return found >= bytes && found <= bytes + SIZE_SLACK_BYTES
               ? NULL
               : "objects are not as large as memwhy finds them";
}

/* ── all of them ─────────────────────────────────────────────────────────────────── */

static const char *check_samples(checker *check, PyObject *samples)
{
    const char *wrong = NULL;

    for (Py_ssize_t i = 0; wrong == NULL && i < PyList_GET_SIZE(samples); i++) {
        PyObject *object, *referents;
        Py_ssize_t bytes;

        if (!PyArg_ParseTuple(PyList_GET_ITEM(samples, i), "OnO!", &object, &bytes, &PyTuple_Type,
                              &referents))
            return NULL;
        wrong = check_object(check, object, (size_t)bytes, referents);
    }
    return wrong;
}

static const char *check_all(PyObject *samples)
{
    PyInterpreterState *interpreter = PyInterpreterState_Get();
    mw_alloc *alloc = mw_alloc_pages();
    checker *check = mw_alloc_new(alloc, sizeof *check);
    const char *wrong;

    if (check == NULL || mw_heap_types_init(&check->types, alloc) != MW_OK) {
        PyErr_NoMemory();
        mw_alloc_release(alloc, check, sizeof *check);
        return NULL;
    }
    check->batch.full = note_overfull;
    check->batch.interpreter = interpreter;
    check->batch.interned = mw_layout_interned(interpreter);
    wrong = check_interpreter(interpreter);
    if (wrong == NULL)
        wrong = check_samples(check, samples);
    mw_heap_types_done(&check->types);
    mw_alloc_release(alloc, check, sizeof *check);
    return wrong;
}

static bool was_asked;
static const char *wrong = "nobody has looked how its objects lie in memory";

const char *mw_heap_check(PyObject *samples)
{
    const char *found;

    if (was_asked)
        return wrong;
    found = mw_mechanism_is_disabled(MW_MECHANISM_GRAPH) ? "graph is switched off by MEMWHY_DISABLE"
                                                         : check_all(samples);
    if (PyErr_Occurred())
        return NULL;
    was_asked = true;
    wrong = found;
    mw_mechanism_report(MW_MECHANISM_GRAPH, wrong == NULL,
                        wrong != NULL ? wrong : mw_layout_shortcoming());
    return wrong;
}

const char *mw_heap_check_result(void)
{
    return wrong;
}
