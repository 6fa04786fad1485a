/* SPDX-License-Identifier: MIT
 *
 * The walk: every object of the calling interpreter as nodes of an object graph, with its
 * roots.
 *
 * It begins with what the collector's lists hold, the permanent generation included
 * (gc.freeze() hides from gc.get_objects what is there), and follows references from these
 * and from the roots to what no list holds: str, bytes, numbers, untracked tuples and dicts.
 * It calls tp_traverse and reads memory; it makes no object, counts no reference, asks for
 * no memory but of [alloc], and calls none of the program's code.  So it can run in a forked
 * child.  The GIL is held, or the process has no other thread.
 *
 * Frames that are running are nodes too.  Those of memwhy's own Python code are not there:
 * what they hold counts as held by nobody.
 */
#pragma once

#include "pyext/heap_edges.h"

#include "graph/object_graph.h"
#include "graph/pointer_map.h"

/* What the label of a root stands for, if it is of kind INTERPRETER. */
typedef struct mw_heap_label {
    const char *what;            /* static                      */
    const PyThreadState *thread; /* whose it is, or NULL        */
} mw_heap_label;

/* A frame that is running, with the thread that runs it. */
typedef struct mw_heap_frame {
    uint32_t node;
    const PyThreadState *thread;
} mw_heap_frame;

typedef struct mw_heap {
    mw_alloc *alloc; /* borrowed                                                       */
    PyInterpreterState *interpreter;
    mw_object_graph graph;
    mw_pointer_map map;   /* object → node                                             */
    mw_heap_types types;  /* by a node's type                                          */
    uintptr_t *addresses; /* owned; by node: the object, or a frame and MW_HEAP_FRAME  */
    uint32_t address_count, address_capacity;
    mw_heap_label *labels; /* owned; [0] is none                                       */
    uint32_t label_count, label_capacity;
    mw_heap_frame *frames; /* owned                                                    */
    uint32_t frame_count, frame_capacity;
    uint32_t *known; /* owned; nodes to which a reference is counted that is no edge   */
    uint32_t known_count, known_capacity;
    uint32_t tracked_count; /* objects that the collector's lists hold                 */
    uint32_t object_count;  /* nodes that are objects                                  */
    mw_explained explained;
    bool asks_tracer;
    uint32_t (*number)(void *context, uintptr_t address); /* NULL: by `map`; for heap_dump.c */
    void *number_context;
    mw_status status; /* the first failure, while walking                              */
} mw_heap;

enum { MW_HEAP_FRAME = 1 };

/* [subject] is an object that the caller has on a stack that nobody can see, or NULL.
 * Fails with MW_NO_MEMORY and MW_LIMIT. */
mw_status mw_heap_init(mw_heap *ret_heap, PyObject *subject, mw_alloc *alloc) MW_MUST_CHECK;
void mw_heap_done(mw_heap *heap); /* accepts a zeroed struct */
size_t mw_heap_memory_bytes(const mw_heap *heap);

static inline bool mw_heap_is_frame(const mw_heap *heap, uint32_t node)
{
    return (heap->addresses[node] & MW_HEAP_FRAME) != 0;
}

static inline const mw_py_frame *mw_heap_frame_at(const mw_heap *heap, uint32_t node)
{
    return (const mw_py_frame *)(heap->addresses[node] & ~(uintptr_t)MW_HEAP_FRAME);
}

/* NULL for frames and for the root of all roots. */
static inline PyObject *mw_heap_object(const mw_heap *heap, uint32_t node)
{
    return mw_heap_is_frame(heap, node) ? NULL : (PyObject *)heap->addresses[node];
}

static inline const mw_heap_type *mw_heap_type_of(const mw_heap *heap, uint32_t node)
{
    return &heap->types.items[heap->graph.nodes[node].type];
}

/* The node of an object; 0 if the walk did not meet it. */
static inline uint32_t mw_heap_find(const mw_heap *heap, const void *object)
{
    return mw_pointer_map_find(&heap->map, (uintptr_t)object);
}

/* The module that sys.modules has under the name at [label] of a root of kind MODULE. */
static inline PyObject *mw_heap_module_name(const mw_heap *heap, uint32_t label)
{
    return mw_heap_object(heap, label);
}

/* A heap without objects, for who fills it himself: heap_dump.c.  On failure it is to be released
 * nevertheless. */
mw_status mw_heap_begin(mw_heap *ret_heap, mw_alloc *alloc) MW_MUST_CHECK;
/* The references that an object counts, or MW_GRAPH_IMMORTAL. */
int32_t mw_heap_references(PyObject *object, const mw_heap_type *type);

/* Adds the roots that the interpreter gives away; for heap_walk.c (heap_roots.c). */
void mw_heap_add_frames(mw_heap *heap);
void mw_heap_add_interpreter_roots(mw_heap *heap);
void mw_heap_add_module_roots(mw_heap *heap);
/* Once what the walk found has been explained. */
void mw_heap_add_held_roots(mw_heap *heap);

/* The number of the node at [address], made if it is new; 0 when that fails, or if who gives numbers
 * has none yet. */
uint32_t mw_heap_number(mw_heap *heap, uintptr_t address);
/* Notes a reference that is counted and no edge. */
void mw_heap_add_known(mw_heap *heap, uint32_t node);
void mw_heap_add_root(mw_heap *heap, uint32_t node, mw_root_kind kind, uint32_t label);
