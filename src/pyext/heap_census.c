/* SPDX-License-Identifier: MIT
 *
 * How many objects of each type there are, and which: as many as there are types are made
 * for the answer, or as many numbers as there are objects.
 */
#include "pyext/heap_layouts.h"

#include "pyext/heap_object_functions.h"

#include "pyext/heap_objects.h"
#include "pyext/heap_tracked.h"

typedef struct kind {
    uint64_t count;
    PyObject *ids; /* owned; a set, or NULL */
} kind;

/* Objects by type, with their addresses if somebody wants them. */
typedef struct census {
    mw_heap_types types;
    kind *kinds; /* owned; by number of type */
    uint32_t kind_count, kind_capacity;
    bool wants_ids;
    mw_heap_objects objects; /* with ids: all of them, which may be dead by now */
    uint32_t *numbers;       /* owned; with ids: by object, its type's          */
    uint32_t number_capacity;
    mw_status status;
} census;

static void census_done(census *self)
{
    mw_alloc *alloc = self->types.alloc;

    if (alloc == NULL)
        return;
    mw_alloc_release(alloc, self->kinds, self->kind_capacity * sizeof *self->kinds);
    mw_alloc_release(alloc, self->numbers, self->number_capacity * sizeof *self->numbers);
    mw_heap_objects_done(&self->objects);
    mw_heap_types_done(&self->types);
}

static void census_fail(census *self, mw_status status)
{
    if (self->status == MW_OK)
        self->status = status;
}

static void note_id(census *self, PyObject *object, uint32_t number)
{
    mw_status status = mw_alloc_grow(self->types.alloc, &self->numbers, self->objects.count,
                                     &self->number_capacity, sizeof *self->numbers, UINT32_MAX);

    if (status != MW_OK) {
        census_fail(self, status);
        return;
    }
    self->numbers[self->objects.count] = number;
    mw_heap_objects_add(&self->objects, object);
    census_fail(self, self->objects.status);
}

static bool census_add(void *context, PyObject *object)
{
    census *self = context;
    uint32_t number = mw_heap_types_of(&self->types, Py_TYPE(object));

    if (number == MW_HEAP_TYPE_FRAME)
        census_fail(self, MW_NO_MEMORY);
    while (self->status == MW_OK && self->kind_count <= number) {
        census_fail(self, mw_alloc_grow(self->types.alloc, &self->kinds, self->kind_count,
                                        &self->kind_capacity, sizeof *self->kinds, UINT32_MAX));
        if (self->status == MW_OK)
            self->kinds[self->kind_count++] = (kind){0};
    }
    if (self->status != MW_OK)
        return false;
    self->kinds[number].count++;
    if (self->wants_ids)
        note_id(self, object, number);
    return self->status == MW_OK;
}

static mw_status census_take(census *self, bool everything, mw_alloc *alloc)
{
    mw_heap heap;

    self->objects.alloc = alloc;
    census_fail(self, mw_heap_types_init(&self->types, alloc));
    if (self->status == MW_OK && !everything)
        mw_heap_each_tracked(PyInterpreterState_Get(), census_add, self);
    if (self->status != MW_OK || !everything)
        return self->status;
    census_fail(self, mw_heap_init(&heap, NULL, alloc));
    for (uint32_t node = 1; self->status == MW_OK && node < heap.graph.node_count; node++)
        if (mw_heap_object(&heap, node) != NULL)
            census_add(self, mw_heap_object(&heap, node));
    mw_heap_done(&heap);
    return self->status;
}

/* Sets of addresses, as ids are numbers; the objects themselves need not be there any more. */
static int make_ids(census *self)
{
    for (uint32_t number = 1; number < self->kind_count; number++) {
        self->kinds[number].ids = PySet_New(NULL);
        if (self->kinds[number].ids == NULL)
            return -1;
    }
    for (uint32_t i = 0; i < self->objects.count; i++) {
        PyObject *id = PyLong_FromVoidPtr(self->objects.items[i]);
        int status = id != NULL ? PySet_Add(self->kinds[self->numbers[i]].ids, id) : -1;

        Py_XDECREF(id);
        if (status < 0)
            return -1;
    }
    return 0;
}

/* A list of pairs: (type, its count or its ids). */
static PyObject *make_rows(census *self)
{
    PyObject *rows = PyList_New(0);

    for (uint32_t number = 1; rows != NULL && number < self->kind_count; number++) {
        kind *of = &self->kinds[number];
        PyTypeObject *type = self->types.items[number].type;
        PyObject *row = self->wants_ids
                            ? Py_BuildValue("(OO)", type, of->ids)
                            : Py_BuildValue("(OK)", type, (unsigned long long)of->count);

        if (row == NULL || PyList_Append(rows, row) < 0)
            Py_CLEAR(rows);
        Py_XDECREF(row);
    }
    return rows;
}

static PyObject *answer_census(bool everything, bool wants_ids)
{
    mw_limited_alloc alloc;
    census self = {.wants_ids = wants_ids};
    PyObject *rows = NULL;

    if (census_take(&self, everything, mw_heap_limited_alloc(&alloc)) != MW_OK) {
        mw_status status = self.status;

        census_done(&self);
        return mw_heap_raise_search(status);
    }
    for (uint32_t number = 1; number < self.kind_count; number++)
        Py_INCREF(self.types.items[number].type);
    if (!wants_ids || make_ids(&self) == 0)
        rows = make_rows(&self);
    for (uint32_t number = 1; number < self.kind_count; number++) {
        Py_DECREF(self.types.items[number].type);
        Py_XDECREF(self.kinds[number].ids);
    }
    census_done(&self);
    return rows;
}

PyDoc_STRVAR(objects_counts_doc, "_objects_counts($module, everything, /)\n"
                                 "--\n\n"
                                 "How many objects of each type there are: a list of pairs, in\n"
                                 "the order in which types are met.  Of what the collector\n"
                                 "tracks, or of everything that a walk meets.");

static PyObject *objects_counts(PyObject *module, PyObject *everything)
{
    return answer_census(everything == Py_True, false);
}

PyDoc_STRVAR(objects_ids_doc, "_objects_ids($module, everything, /)\n"
                              "--\n\n"
                              "The same with the set of the objects' ids for their count.");

static PyObject *objects_ids(PyObject *module, PyObject *everything)
{
    return answer_census(everything == Py_True, true);
}

PyMethodDef mw_heap_census_methods[] = {
    {"_objects_counts", objects_counts, METH_O, objects_counts_doc},
    {"_objects_ids", objects_ids, METH_O, objects_ids_doc},
    {NULL, NULL, 0, NULL},
};
