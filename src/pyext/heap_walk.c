/* SPDX-License-Identifier: MIT
 *
 * Numbers are given in the order in which objects are met, and objects are looked at in
 * the order of their numbers: the array of addresses is the queue, and the graph's rows
 * come out in order.  References are collected in batches and looked up with the map's
 * cache lines on their way: on a large heap there is nothing else to wait for.
 *
 * The first failure stays in `status`, and the walk runs dry.
 */
#include "pyext/heap_walk.h"
#include "pyext/heap_layouts.h"

#include "pyext/heap_sizes.h"

#include "tracer/tracer.h"

enum { FETCH_OBJECTS = 16, FETCH_BESIDE = 8, FETCH_SLOTS = 32 };

typedef struct walker {
    mw_edge_batch batch; /* first: `full` gets it back */
    mw_heap *heap;
} walker;

/* ── numbers ─────────────────────────────────────────────────────────────────────── */

static void fail(mw_heap *heap, mw_status status)
{
    if (heap->status == MW_OK)
        heap->status = status;
}

/* Room for one more address; false, and the heap has failed, when there is none. */
static inline bool has_room(mw_heap *heap, uintptr_t **addresses, uint32_t count,
                            uint32_t *capacity)
{
    mw_status status;

    if (__builtin_expect(count < *capacity, 1))
        return true;
    status = mw_alloc_grow(heap->alloc, addresses, count, capacity, sizeof **addresses,
                           MW_GRAPH_NODE_MAXIMUM);
    if (status != MW_OK)
        fail(heap, status);
    return status == MW_OK;
}

/* Gives the next number to what has none. */
static uint32_t give_number(mw_heap *heap, uintptr_t address, uint32_t *slot)
{
    if (!has_room(heap, &heap->addresses, heap->address_count, &heap->address_capacity))
        return 0;
    heap->addresses[heap->address_count] = address;
    *slot = heap->address_count;
    return heap->address_count++;
}

static inline uint32_t number_of(mw_heap *heap, uintptr_t address)
{
    uint32_t *slot = mw_pointer_map_slot(&heap->map, address);

    if (__builtin_expect(slot == NULL, 0)) {
        fail(heap, MW_NO_MEMORY);
        return 0;
    }
    return *slot != 0 ? *slot : give_number(heap, address, slot);
}

uint32_t mw_heap_number(mw_heap *heap, uintptr_t address)
{
    return heap->number != NULL ? heap->number(heap->number_context, address)
                                : number_of(heap, address);
}

void mw_heap_add_known(mw_heap *heap, uint32_t node)
{
    mw_status status = mw_alloc_grow(heap->alloc, &heap->known, heap->known_count,
                                     &heap->known_capacity, sizeof *heap->known, UINT32_MAX);

    if (status != MW_OK)
        fail(heap, status);
    else if (node != 0)
        heap->known[heap->known_count++] = node;
}

void mw_heap_add_root(mw_heap *heap, uint32_t node, mw_root_kind kind, uint32_t label)
{
    mw_status status = MW_OK;

    if (node != 0)
        status = mw_object_graph_add_root(&heap->graph, node, kind, label);
    if (status != MW_OK)
        fail(heap, status);
}

/* ── nodes and edges ─────────────────────────────────────────────────────────────── */

/* Where the number of a batch's item stands, on its way to us; NULL: has to be asked for. */
static inline uint32_t *fetch_slot(const mw_heap *heap, const mw_edge_batch *batch, uint32_t item)
{
    uint32_t *slot = NULL;

    if (item < batch->count)
        slot = mw_pointer_map_peek(&heap->map, (uintptr_t)batch->items[item]);
    __builtin_prefetch(slot, 1);
    return slot;
}

/* The numbers of what was collected.  Slots that are known do not move while others come. */
static void number_batch(mw_heap *heap, const mw_edge_batch *batch, uint32_t *edges)
{
    uint32_t *ahead[FETCH_SLOTS];

    for (uint32_t i = 0; i < FETCH_SLOTS; i++)
        ahead[i] = fetch_slot(heap, batch, i);
    for (uint32_t i = 0; i < batch->count; i++) {
        const uint32_t *slot = ahead[i % FETCH_SLOTS];

        ahead[i % FETCH_SLOTS] = fetch_slot(heap, batch, i + FETCH_SLOTS);
        edges[i] = slot != NULL && *slot != 0 ? *slot : number_of(heap, (uintptr_t)batch->items[i]);
    }
}

/* Looks up what was collected, and appends it to the graph's edges. */
static void flush(mw_edge_batch *batch)
{
    mw_heap *heap = ((walker *)batch)->heap;
    mw_status status;
    uint32_t *edges = mw_object_graph_reserve(&heap->graph, batch->count, &status);

    if (edges == NULL) {
        fail(heap, status);
    } else {
        number_batch(heap, batch, edges);
        mw_object_graph_commit(&heap->graph, batch->count);
    }
    batch->count = 0;
}

/* What C code takes without keeping count in any place that could be seen. */
static bool is_never_freed(PyObject *object, const mw_heap_type *type)
{
    return mw_layout_is_immortal(object) || object == Py_None || object == Py_True ||
           object == Py_False || object == Py_NotImplemented || object == Py_Ellipsis ||
           (type->shape == MW_SHAPE_TYPE &&
            (((PyTypeObject *)object)->tp_flags & Py_TPFLAGS_HEAPTYPE) == 0);
}

int32_t mw_heap_references(PyObject *object, const mw_heap_type *type)
{
    if (is_never_freed(object, type))
        return MW_GRAPH_IMMORTAL;
    return Py_REFCNT(object) < MW_GRAPH_IMMORTAL ? (int32_t)Py_REFCNT(object) : MW_GRAPH_IMMORTAL;
}

static void add_node(walker *walk, const mw_graph_node *node, size_t size_bytes)
{
    mw_status status =
        mw_object_graph_add_node(&walk->heap->graph, node, size_bytes, walk->batch.count);

    if (status != MW_OK)
        fail(walk->heap, status);
}

static void look_at_frame(walker *walk, uint32_t node)
{
    add_node(walk, &(mw_graph_node){.type = MW_HEAP_TYPE_FRAME, .references = MW_GRAPH_IMMORTAL},
             0);
    mw_heap_edges_of_frame(&walk->batch, mw_heap_frame_at(walk->heap, node));
}

static void look_at(walker *walk, uint32_t node)
{
    mw_heap *heap = walk->heap;
    PyObject *object = (PyObject *)heap->addresses[node];
    mw_graph_node row = {.type = mw_heap_types_of(&heap->types, Py_TYPE(object))};
    mw_heap_type *type = &heap->types.items[row.type];

    if (row.type == MW_HEAP_TYPE_FRAME) {
        fail(heap, MW_NO_MEMORY);
        return;
    }
    if (type->node == 0)
        type->node = number_of(heap, (uintptr_t)type->type);
    row.references = mw_heap_references(object, type);
    heap->object_count++;
    add_node(walk, &row, mw_heap_size(object, type, heap->asks_tracer));
    mw_heap_edges_of(&walk->batch, object, type);
}

/* What a list or a dict has beside itself is another wait for memory. */
static inline void fetch_beside(const mw_heap *heap, uint32_t node)
{
    PyObject *object = (PyObject *)heap->addresses[node];

    if (mw_heap_is_frame(heap, node))
        return;
    if (Py_TYPE(object) == &PyList_Type)
        __builtin_prefetch(((PyListObject *)object)->ob_item);
    else if (Py_TYPE(object) == &PyDict_Type)
        __builtin_prefetch(((PyDictObject *)object)->ma_keys);
}

static void follow(walker *walk)
{
    mw_heap *heap = walk->heap;

    for (uint32_t node = 1; heap->status == MW_OK; node++) {
        if (node >= heap->address_count)
            flush(&walk->batch);
        if (node >= heap->address_count)
            return;
        if (node + FETCH_OBJECTS < heap->address_count)
            __builtin_prefetch((const void *)heap->addresses[node + FETCH_OBJECTS]);
        if (node + FETCH_BESIDE < heap->address_count)
            fetch_beside(heap, node + FETCH_BESIDE);
        if (__builtin_expect(mw_heap_is_frame(heap, node), 0))
            look_at_frame(walk, node);
        else
            look_at(walk, node);
    }
}

/* ── the walk ────────────────────────────────────────────────────────────────────── */

/* Addresses that were met from the end of a list. */
typedef struct tail {
    uintptr_t *addresses;
    uint32_t count, capacity;
} tail;

static void note_front(mw_heap *heap, PyGC_Head *head)
{
    if (has_room(heap, &heap->addresses, heap->address_count, &heap->address_capacity))
        heap->addresses[heap->address_count++] = (uintptr_t)mw_layout_gc_object(head);
}

static void note_tail(mw_heap *heap, tail *back, PyGC_Head *head)
{
    if (has_room(heap, &back->addresses, back->count, &back->capacity))
        back->addresses[back->count++] = (uintptr_t)mw_layout_gc_object(head);
}

/* A list is a chain of waits for memory.  From both ends at once there are two, and each
 * waits only half as often.  The order is the list's: neighbours were made together. */
static void note_list(mw_heap *heap, PyGC_Head *list, tail *back)
{
    PyGC_Head *front = mw_layout_gc_next(list);
    PyGC_Head *end = mw_layout_gc_previous(list);

    back->count = 0;
    while (front != NULL && front != list && heap->status == MW_OK) {
        note_front(heap, front);
        if (front == end)
            break;
        front = mw_layout_gc_next(front);
        note_tail(heap, back, end);
        if (front == end)
            break;
        end = mw_layout_gc_previous(end);
    }
    while (back->count != 0 && heap->status == MW_OK)
        note_front(heap, (PyGC_Head *)back->addresses[--back->count] - 1);
}

/* An object is in one list, once. */
static void begin_with_tracked(mw_heap *heap)
{
    tail back = {0};
    uint32_t first = heap->address_count;

    for (int number = MW_LAYOUT_GENERATIONS; number-- > 0;)
        note_list(heap, mw_layout_generation(heap->interpreter, number), &back);
    mw_alloc_release(heap->alloc, back.addresses, back.capacity * sizeof *back.addresses);
    for (uint32_t node = first; node < heap->address_count && heap->status == MW_OK; node++) {
        uint32_t *slot = mw_pointer_map_slot(&heap->map, heap->addresses[node]);

        if (node + FETCH_SLOTS < heap->address_count)
            __builtin_prefetch(mw_pointer_map_peek(&heap->map, heap->addresses[node + FETCH_SLOTS]),
                               1);
        if (slot == NULL)
            fail(heap, MW_NO_MEMORY);
        else
            *slot = node;
    }
    heap->tracked_count = heap->address_count - first;
}

static mw_status init_tables(mw_heap *heap)
{
    mw_status status = mw_object_graph_init(&heap->graph, heap->alloc);

    if (status == MW_OK)
        status = mw_pointer_map_init(&heap->map, heap->alloc);
    if (status == MW_OK)
        status = mw_heap_types_init(&heap->types, heap->alloc);
    if (status == MW_OK)
        status = mw_alloc_grow(heap->alloc, &heap->addresses, 0, &heap->address_capacity,
                               sizeof *heap->addresses, MW_GRAPH_NODE_MAXIMUM);
    if (status == MW_OK)
        status = mw_alloc_grow(heap->alloc, &heap->labels, 0, &heap->label_capacity,
                               sizeof *heap->labels, UINT32_MAX);
    if (status == MW_OK)
        heap->address_count = heap->label_count = 1;
    return status;
}

/* All that the interpreter holds, and all that this leads to. */
static mw_status walk_all(mw_heap *heap, walker *walk)
{
    walk->heap = heap;
    walk->batch.full = flush;
    walk->batch.interpreter = heap->interpreter;
    walk->batch.interned = mw_layout_interned(heap->interpreter);
    begin_with_tracked(heap);
    mw_heap_add_frames(heap);
    mw_heap_add_interpreter_roots(heap);
    mw_heap_add_module_roots(heap);
    if (heap->status == MW_OK)
        follow(walk);
    return heap->status;
}

/* What is not explained by what was found is held by C code. */
static mw_status explain(mw_heap *heap, PyObject *subject)
{
    mw_status status = mw_object_graph_finish(&heap->graph);

    if (status != MW_OK)
        return status;
    if (subject != NULL)
        mw_heap_add_known(heap, mw_heap_find(heap, subject));
    heap->explained = mw_object_graph_explain(&heap->graph, heap->known, heap->known_count);
    mw_heap_add_held_roots(heap);
    return heap->status;
}

mw_status mw_heap_begin(mw_heap *ret_heap, mw_alloc *alloc)
{
    *ret_heap = (mw_heap){.alloc = alloc,
                          .interpreter = PyInterpreterState_Get(),
                          .asks_tracer = mw_the_tracer.is_active};
    return init_tables(ret_heap);
}

mw_status mw_heap_init(mw_heap *ret_heap, PyObject *subject, mw_alloc *alloc)
{
    walker *walk = mw_alloc_new(alloc, sizeof *walk);
    mw_status status = mw_heap_begin(ret_heap, alloc);

    if (walk == NULL)
        status = MW_NO_MEMORY;
    if (status == MW_OK)
        status = walk_all(ret_heap, walk);
    if (status == MW_OK)
        status = explain(ret_heap, subject);
    mw_alloc_release(alloc, walk, sizeof *walk);
    if (status != MW_OK)
        mw_heap_done(ret_heap);
    return status;
}

void mw_heap_done(mw_heap *heap)
{
    mw_alloc *alloc = heap->alloc;

    if (alloc == NULL)
        return;
    mw_object_graph_done(&heap->graph);
    mw_pointer_map_done(&heap->map);
    mw_heap_types_done(&heap->types);
    mw_alloc_release(alloc, heap->addresses, heap->address_capacity * sizeof *heap->addresses);
    mw_alloc_release(alloc, heap->labels, heap->label_capacity * sizeof *heap->labels);
    mw_alloc_release(alloc, heap->frames, heap->frame_capacity * sizeof *heap->frames);
    mw_alloc_release(alloc, heap->known, heap->known_capacity * sizeof *heap->known);
    heap->alloc = NULL;
}

size_t mw_heap_memory_bytes(const mw_heap *heap)
{
    return mw_object_graph_memory_bytes(&heap->graph) + mw_pointer_map_memory_bytes(&heap->map) +
           heap->address_count * sizeof *heap->addresses + heap->known_count * sizeof *heap->known;
}
