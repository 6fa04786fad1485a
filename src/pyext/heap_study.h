/* SPDX-License-Identifier: MIT
 *
 * A heap and what was found out about it: ways from the roots, garbage, dominators; and,
 * once somebody asks, who refers to whom and which lines allocated what.  The walk's rules
 * hold here too: no Python, no memory but of [alloc].
 */
#pragma once

#include "pyext/heap_lines.h"
#include "pyext/heap_walk.h"

#include "graph/cycles.h"

typedef struct mw_heap_study {
    mw_alloc *alloc; /* borrowed */
    mw_heap heap;
    mw_routes routes;
    mw_dominators tree;
    mw_back_edges back;     /* use mw_heap_study_back   */
    mw_heap_lines lines;    /* use mw_heap_study_lines  */
    uint32_t garbage_count; /* objects that no root reaches        */
    uint64_t walk_ns;       /* how long the walk took, and the rest */
    uint64_t analysis_ns;
} mw_heap_study;

/* [subject] as for mw_heap_init. */
mw_status mw_heap_study_init(mw_heap_study *ret_study, PyObject *subject, mw_alloc *alloc)
    MW_MUST_CHECK;
void mw_heap_study_done(mw_heap_study *study); /* accepts a zeroed struct */

/* Made at the first call. */
mw_status mw_heap_study_back(mw_heap_study *study, const mw_back_edges **ret_back) MW_MUST_CHECK;
mw_status mw_heap_study_lines(mw_heap_study *study, const mw_heap_lines **ret_lines) MW_MUST_CHECK;
