/* SPDX-License-Identifier: MIT
 *
 * Who refers to whom, as numbers.  Objects are nodes 1, 2, …; node 0 is the root of all
 * roots, which refers to every root and to nothing else.  The references of a node are
 * a range of one array (compressed rows), in the order in which the maker gave them.
 *
 * A graph is made in one pass: nodes in the order of their numbers, each with its edges
 * behind it; an edge may name a node that is yet to come.  Then it is finished, roots are
 * added, and it is only read.
 *
 *     mw_object_graph_init(&graph, alloc);
 *     for each object:
 *         mw_object_graph_add_node(&graph, &node, 0);
 *         for each reference:
 *             mw_object_graph_add_edge(&graph, target);
 *     mw_object_graph_finish(&graph);
 *     mw_object_graph_add_root(&graph, …);
 *
 * 16 bytes per node and 4 per edge.
 */
#pragma once

#include "base/alloc.h"

#include <stdbool.h>

enum { MW_GRAPH_ROOT = 0 };

/* Nodes are 31 bits, edges 32. */
#define MW_GRAPH_NODE_MAXIMUM UINT32_C(0x7fffffff)
#define MW_GRAPH_EDGE_MAXIMUM UINT32_C(0xffffffff)

/* Why a root is alive, in the order in which paths prefer them. */
typedef enum mw_root_kind {
    MW_ROOT_NONE = 0,
    MW_ROOT_MODULE,      /* what sys.modules names                                     */
    MW_ROOT_FRAME,       /* what a thread is running                                   */
    MW_ROOT_INTERPRETER, /* fields of the interpreter and of its threads               */
    MW_ROOT_STATIC,      /* static types                                               */
    MW_ROOT_HELD_FROM_C, /* more references are counted than were found                */
    MW_ROOT_IMMORTAL,    /* never freed                                                */
    MW_ROOT_GARBAGE,     /* nothing reaches it: it waits for the collector             */
    MW_ROOT_KIND_COUNT
} mw_root_kind;

/* References of a node that nobody counts: it is never freed. */
#define MW_GRAPH_IMMORTAL INT32_MAX

typedef struct mw_graph_node {
    uint32_t type;      /* a number of the maker's                                    */
    uint32_t size_low;  /* bytes of the object itself; see mw_object_graph_size       */
    int32_t references; /* that the object counts, or MW_GRAPH_IMMORTAL; once
                           mw_object_graph_explain has run, those that are not edges  */
} mw_graph_node;

typedef struct mw_graph_root {
    uint32_t node;
    uint32_t label; /* the maker's, for its name */
    mw_root_kind kind;
} mw_graph_root;

/* The size of a node that does not fit into 32 bits. */
typedef struct mw_graph_giant {
    uint32_t node;
    uint64_t size_bytes;
} mw_graph_giant;

typedef struct mw_object_graph {
    mw_alloc *alloc;        /* borrowed                                                  */
    uint32_t *first_edge;   /* owned; edges of node n are from [n] to [n + 1]            */
    mw_graph_node *nodes;   /* owned                                                     */
    uint32_t *edges;        /* owned; node numbers                                       */
    mw_graph_root *roots;   /* owned; a node may be there more than once                 */
    mw_graph_giant *giants; /* owned; by rising node number                            */
    uint32_t node_count;    /* the root of all roots included                          */
    uint32_t edge_count;
    uint32_t root_count;
    uint32_t giant_count;
    uint32_t first_edge_capacity, node_capacity, edge_capacity, root_capacity, giant_capacity;
    bool is_finished;
} mw_object_graph;

/* Begins a graph with node 0 alone. */
mw_status mw_object_graph_init(mw_object_graph *graph, mw_alloc *alloc) MW_MUST_CHECK;
void mw_object_graph_done(mw_object_graph *graph); /* accepts a zeroed struct */

/* Adds the next node.  Its edges begin [pending] places behind those that are there: for
 * makers that add edges in batches.  [size_bytes] replaces node->size_low.  MW_LIMIT above
 * the maximum. */
mw_status mw_object_graph_add_node(mw_object_graph *graph, const mw_graph_node *node,
                                   uint64_t size_bytes, uint32_t pending) MW_MUST_CHECK;
/* Makes room for [count] edges and returns where they go; NULL when that is refused, with
 * the reason in [ret_status].  mw_object_graph_commit says that they are there. */
uint32_t *mw_object_graph_reserve(mw_object_graph *graph, uint32_t count, mw_status *ret_status);
static inline void mw_object_graph_commit(mw_object_graph *graph, uint32_t count)
{
    graph->edge_count += count;
}
mw_status mw_object_graph_add_edge(mw_object_graph *graph, uint32_t target) MW_MUST_CHECK;

/* Ends building.  MW_BAD_INPUT if an edge names a node that never came, or node 0. */
mw_status mw_object_graph_finish(mw_object_graph *graph) MW_MUST_CHECK;
mw_status mw_object_graph_add_root(mw_object_graph *graph, uint32_t node, mw_root_kind kind,
                                   uint32_t label) MW_MUST_CHECK;

static inline uint32_t mw_object_graph_degree(const mw_object_graph *graph, uint32_t node)
{
    return graph->first_edge[node + 1] - graph->first_edge[node];
}

uint64_t mw_object_graph_size(const mw_object_graph *graph, uint32_t node);
size_t mw_object_graph_memory_bytes(const mw_object_graph *graph);
/* Looks at every offset and edge; for assertions and tests. */
bool mw_object_graph_is_consistent(const mw_object_graph *graph);

/* What counting references says of the walk that made the graph. */
typedef struct mw_explained {
    uint64_t counted;     /* references that the objects count, but for immortal ones     */
    uint64_t unexplained; /* of these, those that no edge stands for                      */
    uint64_t held;        /* objects with such references                                 */
    uint64_t overcounted; /* objects with more edges to them than they count: a mistake,
                             or an edge that is not counted                               */
} mw_explained;

/* Takes the edges, and one for each of [known] more references (a node each), from what the
 * nodes count.  Each node's `references` is afterwards what remains: above 0, somebody
 * holds the object who is not in the graph. */
mw_explained mw_object_graph_explain(mw_object_graph *graph, const uint32_t *known,
                                     uint32_t known_count);

/* ── the way back ────────────────────────────────────────────────────────────────── */

/* Who refers to each node; made when somebody asks, 4 bytes a node and an edge. */
typedef struct mw_back_edges {
    mw_alloc *alloc;
    uint32_t *first; /* owned; as first_edge, by the node that is referred to          */
    uint32_t *edges; /* owned; by rising number of the node that refers                */
    uint32_t node_count;
    uint32_t edge_count;
} mw_back_edges;

mw_status mw_back_edges_init(mw_back_edges *ret_back, const mw_object_graph *graph, mw_alloc *alloc)
    MW_MUST_CHECK;
void mw_back_edges_done(mw_back_edges *back); /* accepts a zeroed struct */
