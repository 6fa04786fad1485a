/* SPDX-License-Identifier: MIT
 *
 * The heap of this process as the analysis sees it: the walk's graph, names read off the
 * objects, and the tracer's lines.  The walk's rules hold here too: no Python, no memory but
 * of [alloc].
 */
#pragma once

#include "pyext/heap_lines.h"
#include "pyext/heap_walk.h"

#include "heap/heap_view.h"

typedef struct mw_live_heap {
    mw_heap_view view; /* first */
    mw_alloc *alloc;   /* borrowed */
    mw_heap heap;
    mw_heap_lines lines; /* made when somebody asks */
} mw_live_heap;

/* Walks the heap; [subject] as for mw_heap_init.  It stays where it is, since it is what
 * the view points to. */
mw_status mw_live_heap_init(mw_live_heap *ret_live, PyObject *subject, mw_alloc *alloc)
    MW_MUST_CHECK;
void mw_live_heap_done(mw_live_heap *live); /* accepts a zeroed struct */
