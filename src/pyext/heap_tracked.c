/* SPDX-License-Identifier: MIT
 *
 * Two passes: all objects get their numbers first, so that the second pass drops references
 * to whatever has none, most of them to strings and numbers.  Those are looked up in batches
 * with the map's cache lines on their way; a batch holds the references of many nodes, or a
 * part of one's, so it is kept beside it where each node ends.
 */
#include "pyext/heap_tracked.h"

enum { FETCH_OBJECTS = 8, FETCH_SLOTS = 24 };

typedef struct linker {
    mw_edge_batch batch; /* first: `full` gets it back                                     */
    mw_heap *heap;
    uint32_t ends[MW_EDGE_BATCH + 1];  /* by node since the batch was empty: its last place */
    uint32_t types[MW_EDGE_BATCH + 1]; /* the same nodes' types, the one in work included   */
    uint32_t ended;                    /* nodes whose references are all in the batch       */
    bool is_open;                      /* the first node of the batch is in the graph       */
} linker;

static void fail(mw_heap *heap, mw_status status)
{
    if (heap->status == MW_OK)
        heap->status = status;
}

/* ── edges ───────────────────────────────────────────────────────────────────────── */

static inline uint32_t number_of(const mw_heap *heap, uintptr_t address)
{
    const uint32_t *slot = mw_pointer_map_peek(&heap->map, address);

    if (__builtin_expect(slot != NULL, 1))
        return *slot;
    return mw_pointer_map_find(&heap->map, address);
}

/* Appends the edges among the references from [begin] to [end]. */
static void link_range(linker *self, uint32_t begin, uint32_t end)
{
    mw_heap *heap = self->heap;
    mw_edge_batch *batch = &self->batch;
    uint32_t kept = 0;
    mw_status status;
    uint32_t *edges = mw_object_graph_reserve(&heap->graph, end - begin, &status);

    if (edges == NULL) {
        fail(heap, status);
        return;
    }
    for (uint32_t i = begin; i < end; i++) {
        if (i + FETCH_SLOTS < batch->count)
            __builtin_prefetch(
                mw_pointer_map_peek(&heap->map, (uintptr_t)batch->items[i + FETCH_SLOTS]));
        edges[kept] = number_of(heap, (uintptr_t)batch->items[i]);
        kept += edges[kept] != 0;
    }
    mw_object_graph_commit(&heap->graph, kept);
}

static void open_node(linker *self, uint32_t type)
{
    mw_status status = MW_OK;

    if (!self->is_open)
        status = mw_object_graph_add_node(&self->heap->graph, &(mw_graph_node){.type = type}, 0, 0);
    if (status != MW_OK)
        fail(self->heap, status);
}

static void flush(mw_edge_batch *batch)
{
    linker *self = (linker *)batch;
    uint32_t begin = 0;

    for (uint32_t i = 0; i < self->ended; i++) {
        open_node(self, self->types[i]);
        link_range(self, begin, self->ends[i]);
        self->is_open = false;
        begin = self->ends[i];
    }
    if (begin < batch->count) {
        open_node(self, self->types[self->ended]);
        link_range(self, begin, batch->count);
        self->is_open = true;
    }
    self->types[0] = self->types[self->ended];
    self->ended = batch->count = 0;
}

static void look_at(linker *self, uint32_t node)
{
    mw_heap *heap = self->heap;
    PyObject *object = mw_heap_object(heap, node);
    uint32_t type = MW_HEAP_TYPE_FRAME;

    if (object != NULL)
        type = mw_heap_types_of(&heap->types, Py_TYPE(object));
    self->types[self->ended] = type;
    if (object == NULL)
        mw_heap_edges_of_frame(&self->batch, mw_heap_frame_at(heap, node));
    else if (type == MW_HEAP_TYPE_FRAME)
        fail(heap, MW_NO_MEMORY);
    else if (node <= heap->tracked_count)
        mw_heap_edges_of(&self->batch, object, &heap->types.items[type]);
    self->ends[self->ended++] = self->batch.count;
    if (self->ended == MW_EDGE_BATCH)
        flush(&self->batch);
}

static mw_status link_all(mw_heap *heap)
{
    linker *self = mw_alloc_new(heap->alloc, sizeof *self);

    if (self == NULL)
        return MW_NO_MEMORY;
    self->heap = heap;
    self->batch.full = flush;
    self->batch.interpreter = heap->interpreter;
    self->batch.interned = mw_layout_interned(heap->interpreter);
    for (uint32_t node = 1; node < heap->address_count && heap->status == MW_OK; node++) {
        if (node + FETCH_OBJECTS < heap->address_count)
            __builtin_prefetch((const void *)heap->addresses[node + FETCH_OBJECTS]);
        look_at(self, node);
    }
    flush(&self->batch);
    mw_alloc_release(heap->alloc, self, sizeof *self);
    if (heap->status == MW_OK)
        heap->status = mw_object_graph_finish(&heap->graph);
    return heap->status;
}

/* ── nodes ───────────────────────────────────────────────────────────────────────── */

static bool give_number(void *context, PyObject *object)
{
    mw_heap *heap = context;

    mw_heap_number(heap, (uintptr_t)object);
    heap->tracked_count++;
    return heap->status == MW_OK;
}

static mw_status number_all(mw_heap *heap, PyObject *const *more, size_t more_count)
{
    mw_heap_each_tracked(heap->interpreter, give_number, heap);
    for (size_t i = 0; i < more_count && heap->status == MW_OK; i++)
        mw_heap_number(heap, (uintptr_t)more[i]);
    if (heap->status == MW_OK)
        mw_heap_add_frames(heap);
    return heap->status;
}

mw_status mw_heap_init_empty(mw_heap *ret_heap, mw_alloc *alloc)
{
    mw_status status;

    *ret_heap =
        (mw_heap){.alloc = alloc, .interpreter = PyInterpreterState_Get(), .address_count = 1};
    status = mw_pointer_map_init(&ret_heap->map, alloc);
    if (status == MW_OK)
        status = mw_heap_types_init(&ret_heap->types, alloc);
    if (status == MW_OK)
        status = mw_alloc_grow(alloc, &ret_heap->addresses, 0, &ret_heap->address_capacity,
                               sizeof *ret_heap->addresses, MW_GRAPH_NODE_MAXIMUM);
    if (status != MW_OK)
        mw_heap_done(ret_heap);
    return status;
}

mw_status mw_heap_init_tracked(mw_heap *ret_heap, PyObject *const *more, size_t more_count,
                               mw_alloc *alloc)
{
    mw_status status = mw_heap_init_empty(ret_heap, alloc);

    if (status == MW_OK)
        status = mw_object_graph_init(&ret_heap->graph, alloc);
    if (status == MW_OK)
        status = number_all(ret_heap, more, more_count);
    if (status == MW_OK)
        status = link_all(ret_heap);
    if (status != MW_OK)
        mw_heap_done(ret_heap);
    return status;
}
