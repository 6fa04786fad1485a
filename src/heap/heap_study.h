/* SPDX-License-Identifier: MIT
 *
 * What was found out about a heap: ways from the roots, garbage, dominators; and, once
 * somebody asks, who refers to whom and which lines allocated what.  No memory but of
 * [alloc], since it runs in a forked child too.
 */
#pragma once

#include "heap/heap_view.h"

#include "graph/cycles.h"
#include "graph/retained.h"

typedef struct mw_heap_study {
    mw_alloc *alloc;    /* borrowed */
    mw_heap_view *view; /* borrowed */
    mw_routes routes;
    mw_dominators tree;
    uint32_t *roots; /* owned; the graph's by node, then kind; see mw_heap_study_root */
    uint32_t root_count;
    mw_back_edges back;         /* use mw_heap_study_back                   */
    mw_heap_line_numbers lines; /* zeros until mw_heap_study_lines succeeds */
    uint32_t garbage_count;     /* objects that no root reaches             */
    uint64_t analysis_ns;
} mw_heap_study;

/* Fails with MW_NO_MEMORY and MW_LIMIT.  Adds the roots of garbage to the view's graph. */
mw_status mw_heap_study_init(mw_heap_study *ret_study, mw_heap_view *view, mw_alloc *alloc)
    MW_MUST_CHECK;
void mw_heap_study_done(mw_heap_study *study); /* accepts a zeroed struct */

/* Made at the first call. */
mw_status mw_heap_study_back(mw_heap_study *study, const mw_back_edges **ret_back) MW_MUST_CHECK;
/* MW_UNSUPPORTED if it is not known which lines allocated what. */
mw_status mw_heap_study_lines(mw_heap_study *study) MW_MUST_CHECK;

/* All bytes that are reached, garbage included. */
static inline uint64_t mw_heap_study_bytes(const mw_heap_study *study)
{
    return mw_dominators_retained(&study->tree, 0);
}

/* The dict of a module that is a root as the module is; 0 for other objects. */
uint32_t mw_heap_study_module_dict(const mw_heap_study *study, uint32_t node);
/* Bytes that go when the node goes.  A module and its dict are one for whoever asks. */
uint64_t mw_heap_study_retained(const mw_heap_study *study, uint32_t node);
/* Why [node] is a root, in the most preferred way; NULL if it is none. */
const mw_graph_root *mw_heap_study_root(const mw_heap_study *study, uint32_t node);
/* The line that allocated [node]; its `file` is NULL if that is not known. */
mw_heap_place mw_heap_study_place(const mw_heap_study *study, uint32_t node);

static inline mw_grouping mw_heap_study_by_type(const mw_heap_study *study)
{
    return mw_grouping_by_type(study->view->graph, study->view->type_count);
}

/* Once mw_heap_study_lines has succeeded. */
static inline mw_grouping mw_heap_study_by_line(const mw_heap_study *study)
{
    return (mw_grouping){study->lines.of_node, sizeof *study->lines.of_node, study->lines.count};
}
