/* SPDX-License-Identifier: MIT
 *
 * Ways from the roots to an object: why it is alive.
 *
 * A search from all roots at once notes for each node who referred to it first, so one
 * shortest way costs its length, whatever the fan-in.  Kinds of roots are searched one
 * after the other, in the order of mw_root_kind: a way from a module is preferred to one
 * from a frame, even if it is longer.
 *
 * Further ways differ where they can: all go through the node's dominators, and between two
 * of these no two share a node until there are no more such.
 */
#pragma once

#include "graph/dominators.h"

typedef struct mw_routes {
    mw_alloc *alloc;     /* borrowed                                                    */
    uint32_t *referrer;  /* owned; by node: the one before it, itself for a root, 0 for
                            what no root reaches                                        */
    uint32_t *queue;     /* owned; nodes in the order in which they were reached        */
    uint32_t reached;    /* of the queue                                                */
    uint32_t searched;   /* of the queue: whose edges have been followed                */
    uint32_t node_count; /* of the graph                                                */
} mw_routes;

/* Searches from the roots that the graph has. */
mw_status mw_routes_init(mw_routes *ret_routes, const mw_object_graph *graph, mw_alloc *alloc)
    MW_MUST_CHECK;
/* Searches on from the roots that were added since, the [first_root] and those behind it. */
void mw_routes_extend(mw_routes *routes, const mw_object_graph *graph, uint32_t first_root);
/* Gives back what only searching wants. */
void mw_routes_settle(mw_routes *routes);
void mw_routes_done(mw_routes *routes); /* accepts a zeroed struct */

static inline bool mw_routes_reach(const mw_routes *routes, uint32_t node)
{
    return routes->referrer[node] != 0;
}

/* One way: nodes from a root to the object, both included. */
typedef struct mw_route {
    uint32_t *nodes;
    uint32_t count;
} mw_route;

typedef struct mw_route_list {
    mw_alloc *alloc;  /* borrowed                                 */
    mw_route *routes; /* owned, with their nodes                  */
    uint32_t count;   /* 0: no root reaches the object            */
    uint32_t capacity;
} mw_route_list;

/* Up to [limit] different ways to [node], the shortest of the most preferred kind first;
 * [limit] 1 needs neither [back] nor [tree], which may then be NULL. */
mw_status mw_routes_find(mw_route_list *ret_list, const mw_routes *routes,
                         const mw_object_graph *graph, const mw_back_edges *back,
                         const mw_dominators *tree, uint32_t node, uint32_t limit, mw_alloc *alloc)
    MW_MUST_CHECK;
void mw_route_list_done(mw_route_list *list); /* accepts a zeroed struct */
