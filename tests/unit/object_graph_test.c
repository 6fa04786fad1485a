/* SPDX-License-Identifier: MIT */
#include "graph/object_graph.h"

#include "graph_model.h"
#include "testing.h"

enum { SEEDS = 500, MANY = 300000 };

TEST(object_graph, gives_back_what_was_put_in)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        graph_model model = graph_model_random(seed);
        mw_object_graph graph = graph_model_graph(&model);

        CHECK_EQ(graph.node_count, model.node_count);
        for (uint32_t node = 1; node < model.node_count; node++) {
            uint32_t edge = graph.first_edge[node];

            CHECK_EQ(mw_object_graph_size(&graph, node), model.size[node]);
            CHECK_EQ(graph.nodes[node].type, model.type[node]);
            for (uint32_t to = 1; to < model.node_count; to++)
                if (model.refers[node][to])
                    CHECK_EQ(graph.edges[edge++], to);
            CHECK_EQ(edge, graph.first_edge[node + 1]);
        }
        mw_object_graph_done(&graph);
    }
}

TEST(object_graph, takes_edges_in_batches_behind_the_nodes)
{
    mw_object_graph graph;
    mw_status status;
    uint32_t *place;

    CHECK_OK(mw_object_graph_init(&graph, mw_alloc_system()));
    CHECK_OK(mw_object_graph_add_node(&graph, &(mw_graph_node){0}, 8, 0));
    CHECK_OK(mw_object_graph_add_node(&graph, &(mw_graph_node){0}, 8, 2));
    place = mw_object_graph_reserve(&graph, 3, &status);
    CHECK(place != NULL);
    place[0] = 1, place[1] = 2, place[2] = 1;
    mw_object_graph_commit(&graph, 3);
    CHECK_OK(mw_object_graph_finish(&graph));
    CHECK(mw_object_graph_is_consistent(&graph));
    CHECK_EQ(mw_object_graph_degree(&graph, 1), 2);
    CHECK_EQ(mw_object_graph_degree(&graph, 2), 1);
    mw_object_graph_done(&graph);
}

TEST(object_graph, refuses_edges_to_nodes_that_never_came)
{
    for (uint32_t target = 0; target < 4; target += 3) {
        mw_object_graph graph;

        CHECK_OK(mw_object_graph_init(&graph, mw_alloc_system()));
        CHECK_OK(mw_object_graph_add_node(&graph, &(mw_graph_node){0}, 8, 0));
        CHECK_OK(mw_object_graph_add_edge(&graph, target));
        CHECK_EQ(mw_object_graph_finish(&graph), MW_BAD_INPUT);
        mw_object_graph_done(&graph);
    }
}

TEST(object_graph, says_backwards_what_it_says_forwards)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        graph_model model = graph_model_random(seed);
        mw_object_graph graph = graph_model_graph(&model);
        mw_back_edges back;

        CHECK_OK(mw_back_edges_init(&back, &graph, mw_alloc_system()));
        for (uint32_t node = 0; node < model.node_count; node++) {
            uint32_t edge = back.first[node];

            for (uint32_t from = 1; from < model.node_count; from++)
                if (model.refers[from][node])
                    CHECK_EQ(back.edges[edge++], from);
            CHECK_EQ(edge, back.first[node + 1]);
        }
        mw_back_edges_done(&back);
        mw_object_graph_done(&graph);
    }
}

TEST(object_graph, finds_references_that_no_edge_explains)
{
    mw_object_graph graph;
    mw_explained explained;
    const uint32_t known[] = {2};
    /* Of these, edges and what is known explain 1, 2, 0 and 1. */
    const int32_t references[] = {0, 1, 4, MW_GRAPH_IMMORTAL, 0};

    CHECK_OK(mw_object_graph_init(&graph, mw_alloc_system()));
    for (uint32_t node = 1; node <= 4; node++) {
        CHECK_OK(mw_object_graph_add_node(&graph, &(mw_graph_node){.references = references[node]},
                                          8, 0));
        CHECK_OK(mw_object_graph_add_edge(&graph, node % 4 + 1));
    }
    CHECK_OK(mw_object_graph_finish(&graph));
    explained = mw_object_graph_explain(&graph, known, 1);
    CHECK_EQ(explained.counted, 5);
    CHECK_EQ(explained.unexplained, 2);
    CHECK_EQ(explained.held, 1);
    CHECK_EQ(explained.overcounted, 1);
    CHECK_EQ(graph.nodes[2].references, 2);
    CHECK_EQ(graph.nodes[3].references, MW_GRAPH_IMMORTAL);
    mw_object_graph_done(&graph);
}

TEST(object_graph, costs_sixteen_bytes_a_node_and_four_an_edge)
{
    mw_object_graph graph;

    CHECK_OK(mw_object_graph_init(&graph, mw_alloc_pages()));
    for (uint32_t node = 1; node <= MANY; node++) {
        CHECK_OK(mw_object_graph_add_node(&graph, &(mw_graph_node){0}, 8, 0));
        CHECK_OK(mw_object_graph_add_edge(&graph, 1));
    }
    CHECK_OK(mw_object_graph_finish(&graph));
    CHECK(mw_object_graph_memory_bytes(&graph) <= 20 * (MANY + 1));
    mw_object_graph_done(&graph);
}

TEST(object_graph, returns_every_byte_whichever_allocation_fails)
{
    graph_model model = graph_model_random(7);

    for (size_t nth = 0;; nth++) {
        mw_failing_alloc failing = mw_failing_alloc_at(nth);
        mw_object_graph graph = {0};
        mw_back_edges back = {0};
        mw_status status = graph_model_try(&model, &failing.base, &graph);

        if (status == MW_OK)
            status = mw_back_edges_init(&back, &graph, &failing.base);
        mw_back_edges_done(&back);
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
        CASE(object_graph, gives_back_what_was_put_in),
        CASE(object_graph, takes_edges_in_batches_behind_the_nodes),
        CASE(object_graph, refuses_edges_to_nodes_that_never_came),
        CASE(object_graph, says_backwards_what_it_says_forwards),
        CASE(object_graph, finds_references_that_no_edge_explains),
        CASE(object_graph, costs_sixteen_bytes_a_node_and_four_an_edge),
        CASE(object_graph, returns_every_byte_whichever_allocation_fails),
    };

    return cmocka_run_group_tests_name("object_graph", tests, NULL, NULL);
}
