/* SPDX-License-Identifier: MIT
 *
 * Arrays that only grow; counting sorts for what is asked backwards.  Where an index comes
 * from an edge, hence from all over the memory, what it points to is fetched some turns
 * ahead: on large heaps these loops wait for nothing but memory.
 */
#include "graph/object_graph.h"

enum { FETCH_AHEAD = 32 };

/* ── making ──────────────────────────────────────────────────────────────────────── */

mw_status mw_object_graph_init(mw_object_graph *graph, mw_alloc *alloc)
{
    *graph = (mw_object_graph){.alloc = alloc};
    return mw_object_graph_add_node(graph, &(mw_graph_node){0}, 0, 0);
}

void mw_object_graph_done(mw_object_graph *graph)
{
    mw_alloc *alloc = graph->alloc;

    if (alloc != NULL) {
        mw_alloc_release(alloc, graph->first_edge,
                         graph->first_edge_capacity * sizeof *graph->first_edge);
        mw_alloc_release(alloc, graph->nodes, graph->node_capacity * sizeof *graph->nodes);
        mw_alloc_release(alloc, graph->edges, graph->edge_capacity * sizeof *graph->edges);
        mw_alloc_release(alloc, graph->roots, graph->root_capacity * sizeof *graph->roots);
        mw_alloc_release(alloc, graph->giants, graph->giant_capacity * sizeof *graph->giants);
    }
    *graph = (mw_object_graph){0};
}

static mw_status add_giant(mw_object_graph *graph, uint32_t node, uint64_t size_bytes)
{
    mw_status status = mw_alloc_grow(graph->alloc, &graph->giants, graph->giant_count,
                                     &graph->giant_capacity, sizeof *graph->giants, UINT32_MAX);

    if (status == MW_OK)
        graph->giants[graph->giant_count++] = (mw_graph_giant){node, size_bytes};
    return status;
}

/* Room for one more node, and for the offset behind the last. */
static mw_status grow_nodes(mw_object_graph *graph)
{
    mw_status status = MW_OK;

    if (graph->node_count == graph->node_capacity)
        status = mw_alloc_grow(graph->alloc, &graph->nodes, graph->node_count,
                               &graph->node_capacity, sizeof *graph->nodes, MW_GRAPH_NODE_MAXIMUM);
    if (status == MW_OK && graph->node_count + 1 >= graph->first_edge_capacity)
        status = mw_alloc_grow(graph->alloc, &graph->first_edge, graph->node_count + 1,
                               &graph->first_edge_capacity, sizeof *graph->first_edge,
                               MW_GRAPH_NODE_MAXIMUM + 1);
    return status;
}

mw_status mw_object_graph_add_node(mw_object_graph *graph, const mw_graph_node *node,
                                   uint64_t size_bytes, uint32_t pending)
{
    mw_status status = grow_nodes(graph);
    uint32_t number = graph->node_count;

    if (status == MW_OK && size_bytes >= UINT32_MAX)
        status = add_giant(graph, number, size_bytes);
    if (status != MW_OK)
        return status;
    graph->nodes[number] = *node;
    graph->nodes[number].size_low = size_bytes < UINT32_MAX ? (uint32_t)size_bytes : UINT32_MAX;
    graph->first_edge[number] = graph->edge_count + pending;
    graph->node_count++;
    return MW_OK;
}

uint32_t *mw_object_graph_reserve(mw_object_graph *graph, uint32_t count, mw_status *ret_status)
{
    *ret_status = MW_OK;
    if (count > MW_GRAPH_EDGE_MAXIMUM - graph->edge_count)
        *ret_status = MW_LIMIT;
    while (*ret_status == MW_OK && graph->edge_capacity - graph->edge_count < count)
        *ret_status =
            mw_alloc_grow(graph->alloc, &graph->edges, graph->edge_capacity, &graph->edge_capacity,
                          sizeof *graph->edges, MW_GRAPH_EDGE_MAXIMUM);
    return *ret_status == MW_OK ? graph->edges + graph->edge_count : NULL;
}

mw_status mw_object_graph_add_edge(mw_object_graph *graph, uint32_t target)
{
    mw_status status;
    uint32_t *place = mw_object_graph_reserve(graph, 1, &status);

    if (place != NULL) {
        *place = target;
        mw_object_graph_commit(graph, 1);
    }
    return status;
}

mw_status mw_object_graph_finish(mw_object_graph *graph)
{
    graph->first_edge[graph->node_count] = graph->edge_count;
    graph->is_finished = true;
    for (uint32_t i = 0; i < graph->edge_count; i++)
        if (graph->edges[i] - 1 >= graph->node_count - 1)
            return MW_BAD_INPUT;
    return MW_OK;
}

mw_status mw_object_graph_add_root(mw_object_graph *graph, uint32_t node, mw_root_kind kind,
                                   uint32_t label)
{
    mw_status status = mw_alloc_grow(graph->alloc, &graph->roots, graph->root_count,
                                     &graph->root_capacity, sizeof *graph->roots, UINT32_MAX);

    if (status == MW_OK)
        graph->roots[graph->root_count++] =
            (mw_graph_root){.node = node, .label = label, .kind = kind};
    return status;
}

/* ── questions ───────────────────────────────────────────────────────────────────── */

uint64_t mw_object_graph_size(const mw_object_graph *graph, uint32_t node)
{
    uint32_t low = 0, high = graph->giant_count;

    if (__builtin_expect(graph->nodes[node].size_low != UINT32_MAX, 1))
        return graph->nodes[node].size_low;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;

        if (graph->giants[middle].node <= node)
            low = middle;
        else
            high = middle;
    }
    return graph->giants[low].size_bytes;
}

size_t mw_object_graph_memory_bytes(const mw_object_graph *graph)
{
    return graph->node_count * (sizeof *graph->nodes + sizeof *graph->first_edge) +
           graph->edge_count * sizeof *graph->edges + graph->root_count * sizeof *graph->roots +
           graph->giant_count * sizeof *graph->giants;
}

bool mw_object_graph_is_consistent(const mw_object_graph *graph)
{
    if (!graph->is_finished || graph->node_count == 0 || graph->first_edge[0] != 0 ||
        graph->first_edge[1] != 0 || graph->first_edge[graph->node_count] != graph->edge_count)
        return false;
    for (uint32_t node = 0; node < graph->node_count; node++)
        if (graph->first_edge[node] > graph->first_edge[node + 1])
            return false;
    for (uint32_t i = 0; i < graph->edge_count; i++)
        if (graph->edges[i] == MW_GRAPH_ROOT || graph->edges[i] >= graph->node_count)
            return false;
    for (uint32_t i = 0; i < graph->root_count; i++)
        if (graph->roots[i].node == MW_GRAPH_ROOT || graph->roots[i].node >= graph->node_count)
            return false;
    return true;
}

static void take_reference(mw_object_graph *graph, uint32_t node)
{
    if (graph->nodes[node].references != MW_GRAPH_IMMORTAL)
        graph->nodes[node].references--;
}

mw_explained mw_object_graph_explain(mw_object_graph *graph, const uint32_t *known,
                                     uint32_t known_count)
{
    mw_explained explained = {0};
    int32_t references;

    for (uint32_t node = 1; node < graph->node_count; node++)
        if (graph->nodes[node].references != MW_GRAPH_IMMORTAL)
            explained.counted += (uint64_t)graph->nodes[node].references;
    for (uint32_t i = 0; i < graph->edge_count; i++) {
        if (i + FETCH_AHEAD < graph->edge_count)
            __builtin_prefetch(&graph->nodes[graph->edges[i + FETCH_AHEAD]], 1);
        take_reference(graph, graph->edges[i]);
    }
    for (uint32_t i = 0; i < known_count; i++)
        take_reference(graph, known[i]);
    for (uint32_t node = 1; node < graph->node_count; node++) {
        references = graph->nodes[node].references;
        explained.overcounted += references < 0;
        if (references > 0 && references != MW_GRAPH_IMMORTAL) {
            explained.unexplained += (uint64_t)references;
            explained.held++;
        }
    }
    return explained;
}

/* ── the way back ────────────────────────────────────────────────────────────────── */

/* Counts, adds up, and puts each edge in its place: `first` runs one node ahead of itself
 * while edges are put, so that it is right when the last one is. */
static void sort_back(mw_back_edges *back, const mw_object_graph *graph)
{
    uint32_t *next = back->first + 1;
    uint32_t sum = 0;

    for (uint32_t i = 0; i < graph->edge_count; i++) {
        if (i + FETCH_AHEAD < graph->edge_count)
            __builtin_prefetch(&next[graph->edges[i + FETCH_AHEAD]], 1);
        next[graph->edges[i]]++;
    }
    for (uint32_t node = 0; node < graph->node_count; node++) {
        uint32_t count = next[node];

        next[node] = sum;
        sum += count;
    }
    for (uint32_t node = 0; node < graph->node_count; node++) {
        for (uint32_t i = graph->first_edge[node]; i < graph->first_edge[node + 1]; i++) {
            if (i + FETCH_AHEAD < graph->edge_count)
                __builtin_prefetch(&next[graph->edges[i + FETCH_AHEAD]], 1);
            back->edges[next[graph->edges[i]]++] = node;
        }
    }
}

mw_status mw_back_edges_init(mw_back_edges *ret_back, const mw_object_graph *graph, mw_alloc *alloc)
{
    *ret_back = (mw_back_edges){
        .alloc = alloc, .node_count = graph->node_count, .edge_count = graph->edge_count};
    ret_back->first = mw_alloc_array(alloc, graph->node_count + 1, sizeof *ret_back->first);
    ret_back->edges = mw_alloc_array(alloc, graph->edge_count, sizeof *ret_back->edges);
    if (ret_back->first == NULL || ret_back->edges == NULL) {
        mw_back_edges_done(ret_back);
        return MW_NO_MEMORY;
    }
    sort_back(ret_back, graph);
    return MW_OK;
}

void mw_back_edges_done(mw_back_edges *back)
{
    if (back->alloc != NULL) {
        mw_alloc_release(back->alloc, back->first, (back->node_count + 1) * sizeof *back->first);
        mw_alloc_release(back->alloc, back->edges, back->edge_count * sizeof *back->edges);
    }
    *back = (mw_back_edges){0};
}
