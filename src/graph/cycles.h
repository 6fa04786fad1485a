/* SPDX-License-Identifier: MIT
 *
 * Cycles: the strongly connected components of an object graph, and the garbage that only
 * its cycles keep.
 */
#pragma once

#include "graph/routes.h"

typedef struct mw_cycles {
    mw_alloc *alloc;        /* borrowed                                                    */
    uint32_t *component_of; /* owned; by node, 1 … count, 0 for what was not asked about   */
    uint32_t count;         /* components, those of one node included                      */
    uint32_t node_count;    /* of the graph                                                */
} mw_cycles;

/* The components of the nodes that [routes] did not reach, or, with NULL, of all nodes but
 * node 0.  A component has a smaller number than those that refer to it. */
mw_status mw_cycles_init(mw_cycles *ret_cycles, const mw_object_graph *graph,
                         const mw_routes *routes, mw_alloc *alloc) MW_MUST_CHECK;
void mw_cycles_done(mw_cycles *cycles); /* accepts a zeroed struct */

/* Adds a root of kind GARBAGE for each component that no root reaches and no other component
 * refers to, and searches on from these: then every node is reached.  [ret_nodes] is how
 * many nodes are garbage. */
mw_status mw_cycles_root_garbage(mw_object_graph *graph, mw_routes *routes, mw_alloc *alloc,
                                 uint32_t *ret_nodes) MW_MUST_CHECK;
