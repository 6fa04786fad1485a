/* SPDX-License-Identifier: MIT
 *
 * What the collector knows, and nothing else: for questions that module gc can answer too,
 * in gc's order, the youngest generation first.  What gc.freeze() hides from gc comes last.
 *
 * Where a walk of the whole heap (heap_walk.h) has to look at every string and number, this
 * passes over the collector's lists.  The GIL is held, and nothing of Python's is made.
 */
#pragma once

#include "pyext/heap_walk.h"

/* Calls [visit] for each object that the collector tracks, as long as it returns true. */
static inline __attribute__((always_inline)) void mw_heap_each_tracked(
    PyInterpreterState *interpreter, bool (*visit)(void *context, PyObject *object), void *context)
{
    for (int number = 0; number < MW_LAYOUT_GENERATIONS; number++) {
        PyGC_Head *list = mw_layout_generation(interpreter, number);

        for (PyGC_Head *head = mw_layout_gc_next(list); head != NULL && head != list;
             head = mw_layout_gc_next(head)) {
            __builtin_prefetch(mw_layout_gc_next(head));
            if (!visit(context, mw_layout_gc_object(head)))
                return;
        }
    }
}

/* A heap without nodes, to number some objects in. */
mw_status mw_heap_init_empty(mw_heap *ret_heap, mw_alloc *alloc) MW_MUST_CHECK;

/* A heap whose nodes are the tracked objects, then [more] objects, then running frames but
 * for memwhy's own; its edges are the references of tracked objects and frames to nodes.
 * It has no sizes, and no roots but frames.  Fails with MW_NO_MEMORY and MW_LIMIT. */
mw_status mw_heap_init_tracked(mw_heap *ret_heap, PyObject *const *more, size_t more_count,
                               mw_alloc *alloc) MW_MUST_CHECK;
