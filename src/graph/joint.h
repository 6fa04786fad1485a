/* SPDX-License-Identifier: MIT
 *
 * What several hold together.  An object in a cache and in a list of listeners belongs to
 * neither: dropping one frees nothing.  The dominator tree shows it only at whatever is
 * above both.  Here it is said of whom: for the node at a position, the objects that it
 * dominates without referring to them, added up by who does.
 */
#pragma once

#include "graph/retained.h"

enum { MW_JOINT_HOLDERS = 4 };

typedef struct mw_joint_row {
    uint32_t holders[MW_JOINT_HOLDERS]; /* positions, rising: each is dominated by the node and
                                           referred to by it                                  */
    uint32_t holder_count;
    bool has_more;    /* there are more holders than are named */
    uint64_t objects; /* that the holders hold together, and what these retain */
    uint64_t bytes;
} mw_joint_row;

typedef struct mw_joint {
    mw_alloc *alloc;    /* borrowed                                  */
    mw_joint_row *rows; /* owned; the most bytes first               */
    uint32_t count;
    uint32_t capacity;
} mw_joint;

/* [position] 0 asks for what roots hold together.  Objects that retain [heavy_bytes] or more
 * are passed over: who looks for what is large looks at them by themselves. */
mw_status mw_joint_init(mw_joint *ret_joint, const mw_object_graph *graph,
                        const mw_back_edges *back, const mw_dominators *tree, uint32_t position,
                        uint64_t heavy_bytes, mw_alloc *alloc) MW_MUST_CHECK;
/* Adds to [sums], one for each group of [grouping], what [row] of the same question is about:
 * the objects that the holders hold together, and what these retain; retained_bytes stays as
 * it is. */
mw_status mw_joint_sums(const mw_joint_row *row, const mw_object_graph *graph,
                        const mw_back_edges *back, const mw_dominators *tree, uint32_t position,
                        uint64_t heavy_bytes, const mw_grouping *grouping, mw_alloc *alloc,
                        mw_retained_sum *sums) MW_MUST_CHECK;
void mw_joint_done(mw_joint *joint); /* accepts a zeroed struct */
