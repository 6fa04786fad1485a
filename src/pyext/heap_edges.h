/* SPDX-License-Identifier: MIT
 *
 * What an object refers to: what its tp_traverse says, and what that leaves out because it
 * cannot be in a cycle (the str keys of dicts, names, …).  Each reference that is counted
 * is given once, so that whoever adds them up finds the objects' own counts.
 */
#pragma once

#include "pyext/heap_types.h"

enum { MW_EDGE_BATCH = 4096 };

/* Objects that were referred to, in order.  Whoever fills it calls `full` when it is full,
 * which empties it. */
typedef struct mw_edge_batch {
    PyObject *items[MW_EDGE_BATCH];
    uint32_t count;
    void (*full)(struct mw_edge_batch *batch);
    PyObject *own_type; /* of the object being looked at                              */
    bool saw_own_type;  /* tp_traverse has given it: most do, some do not             */
    PyObject *interned; /* the dict of interned strings, which counts none of them    */
    PyInterpreterState *interpreter;
} mw_edge_batch;

static inline void mw_edge_batch_add(mw_edge_batch *batch, void *object)
{
    if (object == NULL)
        return;
    batch->items[batch->count++] = object;
    if (__builtin_expect(batch->count == MW_EDGE_BATCH, 0))
        batch->full(batch);
}

/* Finds out how this release visits instances, by giving [instance] an attribute and a dict: a
 * new one of a class without slots.  Returns 0, or -1 with an exception.  Once, before any walk. */
int mw_heap_edges_learn(PyObject *instance);

void mw_heap_edges_of(mw_edge_batch *batch, PyObject *object, const mw_heap_type *type);
/* The same of a frame that is running. */
void mw_heap_edges_of_frame(mw_edge_batch *batch, const mw_py_frame *frame);
