/* SPDX-License-Identifier: MIT
 *
 * The dominator tree of an object graph.  A node's dominator is the last node that every
 * way from the root of all roots passes before it: whoever takes the dominator away frees
 * the node too.  So what a node retains is itself and all that is below it in this tree.
 *
 * Nodes that a root reaches have a position: the order in which one reads the tree, a node
 * before what is below it.  What a node dominates is then a range, and sums over it are one
 * subtraction:
 *
 *     for (uint32_t below = at + 1; below < tree.end[at]; below = tree.end[below])
 *         tree.parent[below] == at
 *
 * 24 bytes per node; while it is made up to 25, and 4 for each reference to a node that has
 * several.  Nothing recurses.
 */
#pragma once

#include "graph/object_graph.h"

typedef struct mw_dominators {
    mw_alloc *alloc;        /* borrowed                                                  */
    uint32_t *node_at;      /* owned; by position                                        */
    uint32_t *position_of;  /* owned; by node, 0 = no root reaches it (or it is node 0)  */
    uint32_t *parent;       /* owned; by position: where the dominator is; below it      */
    uint32_t *end;          /* owned; by position: one behind the last that is dominated */
    uint64_t *bytes_before; /* owned; by position, and at `count`: sizes of all before   */
    uint32_t count;         /* positions: nodes reached, and the root of all roots at 0  */
    uint32_t node_count;    /* of the graph                                              */
} mw_dominators;

/* [graph] is finished and has its roots.  Fails with MW_NO_MEMORY alone. */
mw_status mw_dominators_init(mw_dominators *ret_tree, const mw_object_graph *graph, mw_alloc *alloc)
    MW_MUST_CHECK;
void mw_dominators_done(mw_dominators *tree); /* accepts a zeroed struct */
/* Looks at every position; for assertions and tests.  Whether the dominators are right, the
 * unit test's twin says. */
bool mw_dominators_is_consistent(const mw_dominators *tree);

static inline bool mw_dominators_reach(const mw_dominators *tree, uint32_t node)
{
    return tree->position_of[node] != 0 || node == MW_GRAPH_ROOT;
}

/* Bytes that go when the node at [position] goes. */
static inline uint64_t mw_dominators_retained(const mw_dominators *tree, uint32_t position)
{
    return tree->bytes_before[tree->end[position]] - tree->bytes_before[position];
}

/* Whether [below] is dominated by, or is, the node at [position]. */
static inline bool mw_dominators_is_below(const mw_dominators *tree, uint32_t below,
                                          uint32_t position)
{
    return below >= position && below < tree->end[position];
}
