/* SPDX-License-Identifier: MIT
 *
 * Which line allocated each object: the tracer's sites, joined with the nodes of a heap.
 */
#pragma once

#include "pyext/heap_walk.h"

#include "graph/retained.h"

#include "core/ids.h"

/* A line that allocates; strings are the tracer's. */
typedef struct mw_heap_line {
    mw_string file;
    mw_string function;
    int32_t line;
} mw_heap_line;

typedef struct mw_heap_lines {
    mw_alloc *alloc;     /* borrowed                                                      */
    mw_heap_line *items; /* owned; [0] stands for what the tracer does not know           */
    uint32_t count, capacity;
    uint32_t *of_node; /* owned; by node, in `items`                                      */
    uint32_t node_count;
    /* While lines are found. */
    mw_hash_index index; /* of lines                                                       */
    uint32_t *of_site;   /* owned; by site: its line + 1, or 0 before it was met           */
    uint32_t site_count;
} mw_heap_lines;

/* MW_UNSUPPORTED if the tracer was not recording when the heap was walked.  The tracer is
 * as it was then. */
mw_status mw_heap_lines_init(mw_heap_lines *ret_lines, const mw_heap *heap, mw_alloc *alloc)
    MW_MUST_CHECK;
/* For who has no nodes: begins an empty table.  On failure it is to be released nevertheless. */
mw_status mw_heap_lines_begin(mw_heap_lines *ret_lines, mw_alloc *alloc) MW_MUST_CHECK;
/* The line that allocated [object], added if it is new; 0 if that is not known. */
mw_status mw_heap_lines_find(mw_heap_lines *lines, PyObject *object, const mw_heap_type *type,
                             uint32_t *ret_number) MW_MUST_CHECK;
void mw_heap_lines_done(mw_heap_lines *lines); /* accepts a zeroed struct */

static inline mw_grouping mw_heap_lines_grouping(const mw_heap_lines *lines)
{
    return (mw_grouping){lines->of_node, sizeof *lines->of_node, lines->count};
}
