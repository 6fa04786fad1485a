/* SPDX-License-Identifier: MIT
 *
 * Small random graphs as matrices, for slow twins of what src/graph computes.
 */
#pragma once

#include "graph/object_graph.h"

#include "testing.h"

enum { GRAPH_MODEL_NODES = 24, GRAPH_MODEL_TYPES = 5 };

typedef struct graph_model {
    uint32_t node_count; /* the root of all roots included */
    bool refers[GRAPH_MODEL_NODES][GRAPH_MODEL_NODES];
    mw_root_kind root_kind[GRAPH_MODEL_NODES]; /* NONE: no root */
    uint32_t type[GRAPH_MODEL_NODES];
    uint64_t size[GRAPH_MODEL_NODES];
} graph_model;

/* From trees to thickets: how many edges there are varies with the seed. */
static inline graph_model graph_model_random(uint64_t seed)
{
    mw_random random = mw_random_of(seed);
    graph_model model = {.node_count = 2 + mw_random_below(&random, GRAPH_MODEL_NODES - 2)};
    uint32_t edges = mw_random_below(&random, model.node_count * 3);

    for (uint32_t i = 0; i < edges; i++)
        model.refers[1 + mw_random_below(&random, model.node_count - 1)]
                    [1 + mw_random_below(&random, model.node_count - 1)] = true;
    for (uint32_t i = 0, roots = 1 + mw_random_below(&random, 3); i < roots; i++)
        model.root_kind[1 + mw_random_below(&random, model.node_count - 1)] =
            (mw_root_kind)(1 + mw_random_below(&random, MW_ROOT_KIND_COUNT - 1));
    for (uint32_t node = 1; node < model.node_count; node++) {
        model.type[node] = mw_random_below(&random, GRAPH_MODEL_TYPES);
        model.size[node] = 1 + mw_random_below(&random, 100);
        if (mw_random_below(&random, 30) == 0)
            model.size[node] += UINT32_MAX;
    }
    return model;
}

static inline mw_status graph_model_try(const graph_model *model, mw_alloc *alloc,
                                        mw_object_graph *ret_graph)
{
    mw_status status = mw_object_graph_init(ret_graph, alloc);

    for (uint32_t node = 1; status == MW_OK && node < model->node_count; node++) {
        mw_graph_node row = {.type = model->type[node]};

        status = mw_object_graph_add_node(ret_graph, &row, model->size[node], 0);
        for (uint32_t to = 1; status == MW_OK && to < model->node_count; to++)
            if (model->refers[node][to])
                status = mw_object_graph_add_edge(ret_graph, to);
    }
    if (status == MW_OK)
        status = mw_object_graph_finish(ret_graph);
    for (uint32_t node = 1; status == MW_OK && node < model->node_count; node++)
        if (model->root_kind[node] != MW_ROOT_NONE)
            status = mw_object_graph_add_root(ret_graph, node, model->root_kind[node], node);
    return status;
}

static inline mw_object_graph graph_model_graph(const graph_model *model)
{
    mw_object_graph graph;

    CHECK_OK(graph_model_try(model, mw_alloc_system(), &graph));
    CHECK(mw_object_graph_is_consistent(&graph));
    return graph;
}

/* Marks what roots reach when nodes with a [removed] are not there. */
static inline void graph_model_reach(const graph_model *model, const bool *removed, bool *reached)
{
    bool grows = true;

    for (uint32_t node = 0; node < model->node_count; node++)
        reached[node] = model->root_kind[node] != MW_ROOT_NONE && !removed[node];
    while (grows) {
        grows = false;
        for (uint32_t node = 1; node < model->node_count; node++)
            for (uint32_t to = 1; reached[node] && to < model->node_count; to++)
                if (model->refers[node][to] && !removed[to] && !reached[to])
                    reached[to] = grows = true;
    }
}
