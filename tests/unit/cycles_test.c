/* SPDX-License-Identifier: MIT */
#include "graph/cycles.h"

#include "graph_model.h"
#include "testing.h"

enum { SEEDS = 2000, DEEP = 1000000 };

static void model_closure(const graph_model *model, bool reaches[][GRAPH_MODEL_NODES])
{
    memcpy(reaches, model->refers, sizeof model->refers);
    for (uint32_t via = 1; via < model->node_count; via++)
        for (uint32_t from = 1; from < model->node_count; from++)
            for (uint32_t to = 1; to < model->node_count; to++)
                reaches[from][to] |= reaches[from][via] && reaches[via][to];
}

TEST(cycles, join_nodes_that_reach_each_other)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        graph_model model = graph_model_random(seed);
        mw_object_graph graph = graph_model_graph(&model);
        bool reaches[GRAPH_MODEL_NODES][GRAPH_MODEL_NODES];
        mw_cycles cycles;

        model_closure(&model, reaches);
        CHECK_OK(mw_cycles_init(&cycles, &graph, NULL, mw_alloc_system()));
        for (uint32_t a = 1; a < model.node_count; a++) {
            CHECK(cycles.component_of[a] >= 1 && cycles.component_of[a] <= cycles.count);
            for (uint32_t b = 1; b < model.node_count; b++) {
                bool is_joined = a == b || (reaches[a][b] && reaches[b][a]);

                CHECK_EQ(cycles.component_of[a] == cycles.component_of[b], is_joined);
                if (!is_joined && reaches[a][b])
                    CHECK(cycles.component_of[b] < cycles.component_of[a]);
            }
        }
        mw_cycles_done(&cycles);
        mw_object_graph_done(&graph);
    }
}

TEST(cycles, give_garbage_as_few_roots_as_reach_all_of_it)
{
    bool none[GRAPH_MODEL_NODES] = {false}, reached[GRAPH_MODEL_NODES];

    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        graph_model model = graph_model_random(seed);
        mw_object_graph graph = graph_model_graph(&model);
        uint32_t roots_before = graph.root_count, expected = 0, garbage;
        mw_routes routes;

        graph_model_reach(&model, none, reached);
        for (uint32_t node = 1; node < model.node_count; node++)
            expected += !reached[node];
        CHECK_OK(mw_routes_init(&routes, &graph, mw_alloc_system()));
        CHECK_OK(mw_cycles_root_garbage(&graph, &routes, mw_alloc_system(), &garbage));
        CHECK_EQ(garbage, expected);
        CHECK_EQ(routes.reached, model.node_count - 1);
        for (uint32_t i = roots_before; i < graph.root_count; i++) {
            CHECK_EQ(graph.roots[i].kind, MW_ROOT_GARBAGE);
            CHECK(!reached[graph.roots[i].node]);
            model.root_kind[graph.roots[i].node] = MW_ROOT_GARBAGE;
        }
        /* Without any one of them, something is not reached. */
        for (uint32_t i = roots_before; i < graph.root_count; i++) {
            graph_model fewer = model;
            bool reached_without[GRAPH_MODEL_NODES];
            bool misses = false;

            fewer.root_kind[graph.roots[i].node] = MW_ROOT_NONE;
            graph_model_reach(&fewer, none, reached_without);
            for (uint32_t node = 1; node < model.node_count; node++)
                misses |= !reached_without[node];
            CHECK(misses);
        }
        mw_routes_done(&routes);
        mw_object_graph_done(&graph);
    }
}

TEST(cycles, a_million_long_need_no_stack)
{
    mw_object_graph graph;
    mw_cycles cycles;

    CHECK_OK(mw_object_graph_init(&graph, mw_alloc_pages()));
    for (uint32_t node = 1; node <= DEEP; node++) {
        CHECK_OK(mw_object_graph_add_node(&graph, &(mw_graph_node){0}, 2, 0));
        CHECK_OK(mw_object_graph_add_edge(&graph, node % DEEP + 1));
    }
    CHECK_OK(mw_object_graph_finish(&graph));
    CHECK_OK(mw_cycles_init(&cycles, &graph, NULL, mw_alloc_pages()));
    CHECK_EQ(cycles.count, 1);
    mw_cycles_done(&cycles);
    mw_object_graph_done(&graph);
}

TEST(cycles, returns_every_byte_whichever_allocation_fails)
{
    graph_model model = graph_model_random(0);

    /* Without roots, so that all is garbage. */
    memset(model.root_kind, 0, sizeof model.root_kind);
    for (size_t nth = 0;; nth++) {
        mw_failing_alloc failing = mw_failing_alloc_at(nth);
        mw_object_graph graph = {0};
        mw_routes routes = {0};
        uint32_t garbage;
        mw_status status = graph_model_try(&model, &failing.base, &graph);

        if (status == MW_OK)
            status = mw_routes_init(&routes, &graph, &failing.base);
        if (status == MW_OK)
            status = mw_cycles_root_garbage(&graph, &routes, &failing.base, &garbage);
        mw_routes_done(&routes);
        mw_object_graph_done(&graph);
        CHECK_EQ(failing.live_blocks, 0);
        if (status == MW_OK)
            break;
        CHECK_EQ(status, MW_NO_MEMORY);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(cycles, join_nodes_that_reach_each_other),
        CASE(cycles, give_garbage_as_few_roots_as_reach_all_of_it),
        CASE(cycles, a_million_long_need_no_stack),
        CASE(cycles, returns_every_byte_whichever_allocation_fails),
    };

    return cmocka_run_group_tests_name("cycles", tests, NULL, NULL);
}
