/* SPDX-License-Identifier: MIT
 *
 * What objects keep alive, added up: by group (types, modules, allocation lines: a number
 * for each node), below one node, and exactly for one set of nodes.
 *
 * Two sums answer two questions.  By group, what the topmost members of each group retain,
 * each alone: objects that several members hold together count for none of them.  Of a set,
 * what would be freed if all members were dropped at once: no less, and often more; it
 * costs a walk over the graph.
 */
#pragma once

#include "graph/dominators.h"

/* A number for each node, found at every stride from the first on. */
typedef struct mw_grouping {
    const uint32_t *of_first; /* borrowed; the number of node 0      */
    size_t stride_bytes;
    uint32_t count; /* groups are 0 … count - 1            */
} mw_grouping;

static inline uint32_t mw_grouping_of(const mw_grouping *grouping, uint32_t node)
{
    return *(const uint32_t *)((const char *)grouping->of_first +
                               (size_t)node * grouping->stride_bytes);
}

/* The grouping by the type that nodes have, [count] types. */
static inline mw_grouping mw_grouping_by_type(const mw_object_graph *graph, uint32_t count)
{
    return (mw_grouping){&graph->nodes[0].type, sizeof *graph->nodes, count};
}

typedef struct mw_retained_sum {
    uint64_t objects;
    uint64_t bytes;          /* of the objects themselves                   */
    uint64_t retained_bytes; /* by its topmost members, each for itself     */
} mw_retained_sum;

/* Fills [sums], one for each group and zeroed by the caller; node 0 does not count. */
mw_status mw_retained_by_group(const mw_dominators *tree, const mw_grouping *grouping,
                               mw_alloc *alloc, mw_retained_sum *sums) MW_MUST_CHECK;

/* Adds to [sums] what the node at [position] dominates, itself included; retained_bytes
 * stays as it is. */
void mw_retained_below(const mw_dominators *tree, uint32_t position, const mw_grouping *grouping,
                       mw_retained_sum *sums);

/* What is freed when all [count] [nodes] are dropped at once, themselves included. */
mw_status mw_retained_together(const mw_object_graph *graph, const mw_dominators *tree,
                               const uint32_t *nodes, uint32_t count, mw_alloc *alloc,
                               mw_retained_sum *ret_sum) MW_MUST_CHECK;

/* Writes the positions that retain most, largest first, and returns how many: [limit] at
 * most.  A node below another that is written counts only if it retains less than nine
 * tenths of that one: a chain that hands all on is one answer. */
uint32_t mw_retained_largest(const mw_dominators *tree, uint32_t limit, uint32_t *ret_positions);
