/* SPDX-License-Identifier: MIT
 *
 * Why half made objects are left out: since gc.get_objects() hands them out, programs have
 * died of tuples with NULL in them, and of SystemError in an innocent tuple(iterable) that
 * found its tuple held by another.
 */
#include "pyext/heap_objects.h"

#include "pyext/heap_tracked.h"

/* ── what may be handed out ──────────────────────────────────────────────────────── */

static bool has_hole(PyObject *const *items, Py_ssize_t count)
{
    for (Py_ssize_t i = 0; i < count; i++)
        if (items[i] == NULL)
            return true;
    return false;
}

bool mw_heap_is_half_made(PyObject *object)
{
    PyTypeObject *type = Py_TYPE(object);

    if (Py_REFCNT(object) <= 0 || (type->tp_flags & Py_TPFLAGS_READY) == 0)
        return true;
    if (PyTuple_Check(object))
        return has_hole(((PyTupleObject *)object)->ob_item, Py_SIZE(object));
    if (PyList_Check(object))
        return has_hole(((PyListObject *)object)->ob_item, Py_SIZE(object));
    return PyType_Check(object) && (((PyTypeObject *)object)->tp_flags & Py_TPFLAGS_READY) == 0;
}

bool mw_heap_may_be_growing(PyObject *object)
{
    Py_ssize_t size = 10; /* PySequence_Tuple's guess, and how it goes on */

    if (!py_tuples_grow_in_sight() || !PyTuple_CheckExact(object) || Py_REFCNT(object) != 1)
        return false;
    while (size < Py_SIZE(object)) {
        size += 10;
        size += size >> 2;
    }
    return size == Py_SIZE(object);
}

/* ── the array ───────────────────────────────────────────────────────────────────── */

void mw_heap_objects_add(mw_heap_objects *objects, PyObject *object)
{
    mw_status status = mw_alloc_grow(objects->alloc, &objects->items, objects->count,
                                     &objects->capacity, sizeof(PyObject *), UINT32_MAX);

    if (status == MW_OK)
        objects->items[objects->count++] = object;
    else if (objects->status == MW_OK)
        objects->status = status;
}

void mw_heap_objects_done(mw_heap_objects *objects)
{
    if (objects->alloc != NULL)
        mw_alloc_release(objects->alloc, objects->items, objects->capacity * sizeof(PyObject *));
    *objects = (mw_heap_objects){0};
}

void mw_heap_objects_hold(mw_heap_objects *objects)
{
    for (uint32_t i = 0; i < objects->count; i++)
        Py_INCREF(objects->items[i]);
}

void mw_heap_objects_drop(mw_heap_objects *objects)
{
    for (uint32_t i = 0; i < objects->count; i++)
        Py_DECREF(objects->items[i]);
}

PyObject *mw_heap_objects_take_list(mw_heap_objects *objects)
{
    PyObject *list = PyList_New((Py_ssize_t)objects->count);

    if (list == NULL) {
        mw_heap_objects_drop(objects);
        return NULL;
    }
    for (uint32_t i = 0; i < objects->count; i++)
        PyList_SET_ITEM(list, (Py_ssize_t)i, objects->items[i]);
    return list;
}

/* ── filling it ──────────────────────────────────────────────────────────────────── */

typedef struct picker {
    mw_heap_objects *objects;
    mw_heap_selection *selection;
    bool may_be_growing; /* one of the objects */
} picker;

static bool is_selected(mw_heap_selection *selection, PyObject *object)
{
    if (selection->addresses != NULL &&
        mw_pointer_map_find(selection->addresses, (uintptr_t)object) == 0)
        return false;
    return selection->type_count == UINT32_MAX ||
           mw_heap_types_of(&selection->types, Py_TYPE(object)) - 1 < selection->type_count;
}

static bool pick(void *context, PyObject *object)
{
    picker *self = context;

    if (is_selected(self->selection, object) && !mw_heap_is_half_made(object)) {
        self->may_be_growing |= mw_heap_may_be_growing(object);
        mw_heap_objects_add(self->objects, object);
    }
    return self->objects->status == MW_OK;
}

/* Which nodes somebody refers to who can be seen; by node, or NULL when out of memory. */
static uint8_t *make_seen(const mw_heap *heap)
{
    const mw_object_graph *graph = &heap->graph;
    uint8_t *is_seen = mw_alloc_array(heap->alloc, graph->node_count, sizeof *is_seen);

    if (is_seen == NULL)
        return NULL;
    for (uint32_t i = 0; i < graph->edge_count; i++)
        is_seen[graph->edges[i]] = true;
    for (uint32_t i = 0; i < heap->known_count; i++)
        is_seen[heap->known[i]] = true;
    for (uint32_t i = 0; i < graph->root_count; i++)
        is_seen[graph->roots[i].node] |= graph->roots[i].kind != MW_ROOT_HELD_FROM_C;
    return is_seen;
}

/* Takes out tuples that may be growing and to which nobody refers. */
static mw_status leave_out_growing(mw_heap_objects *objects, const mw_heap *heap)
{
    uint8_t *is_seen = make_seen(heap);
    uint32_t kept = 0;

    if (is_seen == NULL)
        return MW_NO_MEMORY;
    for (uint32_t i = 0; i < objects->count; i++) {
        PyObject *object = objects->items[i];

        if (!mw_heap_may_be_growing(object) || is_seen[mw_heap_find(heap, object)])
            objects->items[kept++] = object;
    }
    objects->count = kept;
    mw_alloc_release(heap->alloc, is_seen, heap->graph.node_count);
    return MW_OK;
}

static mw_status pick_tracked(picker *self)
{
    mw_heap_objects *objects = self->objects;
    mw_heap heap;
    mw_status status;

    mw_heap_each_tracked(PyInterpreterState_Get(), pick, self);
    if (objects->status != MW_OK || !self->may_be_growing)
        return objects->status;
    status = mw_heap_init_tracked(&heap, NULL, 0, objects->alloc);
    if (status != MW_OK)
        return status;
    status = leave_out_growing(objects, &heap);
    mw_heap_done(&heap);
    return status;
}

/* What only the interpreter may hold: its dict of interned strings, which counts none of
 * them, and the bytes that a bytearray (since 3.15) writes into. */
static mw_status note_private(const mw_heap *heap, mw_pointer_map *private)
{
    mw_status status = MW_OK;

    for (uint32_t node = 0; node < heap->graph.node_count && status == MW_OK; node++) {
        PyObject *object = mw_heap_object(heap, node), *owned = NULL;
        uint32_t *slot;

        if (node == 0)
            owned = mw_layout_interned(heap->interpreter);
        else if (object != NULL && PyByteArray_Check(object))
            owned = mw_layout_bytearray_object(object);
        if (owned == NULL)
            continue;
        slot = mw_pointer_map_slot(private, (uintptr_t)owned);
        status = slot != NULL ? MW_OK : MW_NO_MEMORY;
        if (slot != NULL)
            *slot = 1;
    }
    return status;
}

static mw_status pick_public(picker *self, const mw_heap *heap)
{
    mw_pointer_map private;
    mw_status status = mw_pointer_map_init(&private, heap->alloc);

    if (status == MW_OK)
        status = note_private(heap, &private);
    for (uint32_t node = 1; node < heap->graph.node_count && status == MW_OK; node++) {
        PyObject *object = mw_heap_object(heap, node);

        if (object != NULL && mw_pointer_map_find(&private, (uintptr_t)object) == 0)
            pick(self, object);
        status = self->objects->status;
    }
    mw_pointer_map_done(&private);
    if (status == MW_OK && self->may_be_growing)
        status = leave_out_growing(self->objects, heap);
    return status;
}

static mw_status pick_everything(picker *self)
{
    mw_heap heap;
    mw_status status = mw_heap_init(&heap, NULL, self->objects->alloc);

    if (status != MW_OK)
        return status;
    status = pick_public(self, &heap);
    mw_heap_done(&heap);
    return status;
}

mw_status mw_heap_objects_init(mw_heap_objects *ret_objects, mw_heap_selection *selection,
                               mw_alloc *alloc)
{
    picker self = {.objects = ret_objects, .selection = selection};
    mw_status status;

    *ret_objects = (mw_heap_objects){.alloc = alloc};
    status = selection->everything ? pick_everything(&self) : pick_tracked(&self);
    if (status != MW_OK)
        mw_heap_objects_done(ret_objects);
    return status;
}

/* ── what nobody refers to ───────────────────────────────────────────────────────── */

/* Of the first [last] nodes of [heap]. */
static mw_status pick_unreferred(mw_heap_objects *objects, const mw_heap *heap, uint32_t last)
{
    uint8_t *is_seen = make_seen(heap);

    if (is_seen == NULL)
        return MW_NO_MEMORY;
    for (uint32_t node = 1; node <= last && objects->status == MW_OK; node++) {
        PyObject *object = mw_heap_object(heap, node);

        if (object != NULL && !is_seen[node] && !mw_heap_is_half_made(object) &&
            !mw_heap_may_be_growing(object))
            mw_heap_objects_add(objects, object);
    }
    mw_alloc_release(heap->alloc, is_seen, heap->graph.node_count);
    return objects->status;
}

mw_status mw_heap_objects_init_unreferred(mw_heap_objects *ret_objects, bool everything,
                                          mw_alloc *alloc)
{
    mw_heap heap;
    mw_status status =
        everything ? mw_heap_init(&heap, NULL, alloc) : mw_heap_init_tracked(&heap, NULL, 0, alloc);

    *ret_objects = (mw_heap_objects){.alloc = alloc};
    if (status != MW_OK)
        return status;
    status = pick_unreferred(ret_objects, &heap,
                             everything ? heap.graph.node_count - 1 : heap.tracked_count);
    mw_heap_done(&heap);
    if (status != MW_OK)
        mw_heap_objects_done(ret_objects);
    return status;
}
