/* SPDX-License-Identifier: MIT */
#include "graph/dominators.h"

#include "graph_model.h"
#include "testing.h"

enum { SEEDS = 3000, DEEP = 1000000 };

/* Whether each way from a root to [node] passes [above]: it is not reached without. */
static bool model_dominates(const graph_model *model, uint32_t above, uint32_t node)
{
    bool removed[GRAPH_MODEL_NODES] = {false}, reached[GRAPH_MODEL_NODES];

    if (above == node || above == MW_GRAPH_ROOT)
        return true;
    removed[above] = true;
    graph_model_reach(model, removed, reached);
    return !reached[node];
}

static uint64_t model_retained(const graph_model *model, uint32_t node, const bool *reached)
{
    uint64_t bytes = 0;

    for (uint32_t other = 1; other < model->node_count; other++)
        if (reached[other] && model_dominates(model, node, other))
            bytes += model->size[other];
    return bytes;
}

static void check_node(const graph_model *model, const mw_dominators *tree, uint32_t node,
                       const bool *reached)
{
    uint32_t at = tree->position_of[node];
    uint32_t dominator = tree->node_at[tree->parent[at]];

    CHECK_EQ(tree->node_at[at], node);
    CHECK(dominator != node);
    CHECK(model_dominates(model, dominator, node));
    /* It is the nearest: whoever else dominates the node dominates the dominator. */
    for (uint32_t above = 1; above < model->node_count; above++)
        if (above != node && reached[above] && model_dominates(model, above, node)) {
            CHECK(model_dominates(model, above, dominator));
            CHECK(mw_dominators_is_below(tree, at, tree->position_of[above]));
        }
    CHECK_EQ(mw_dominators_retained(tree, at), model_retained(model, node, reached));
}

TEST(dominators, are_those_without_which_a_node_is_not_reached)
{
    bool none[GRAPH_MODEL_NODES] = {false}, reached[GRAPH_MODEL_NODES];

    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        graph_model model = graph_model_random(seed);
        mw_object_graph graph = graph_model_graph(&model);
        mw_failing_alloc failing = mw_failing_alloc_never();
        mw_dominators tree;
        uint32_t count = 1;

        graph_model_reach(&model, none, reached);
        CHECK_OK(mw_dominators_init(&tree, &graph, &failing.base));
        CHECK(mw_dominators_is_consistent(&tree));
        for (uint32_t node = 1; node < model.node_count; node++) {
            CHECK_EQ(mw_dominators_reach(&tree, node), reached[node]);
            count += reached[node];
            if (reached[node])
                check_node(&model, &tree, node, reached);
        }
        CHECK_EQ(tree.count, count);
        mw_dominators_done(&tree);
        CHECK_EQ(failing.live_blocks, 0);
        mw_object_graph_done(&graph);
    }
}

TEST(dominators, of_a_list_a_million_deep_need_no_stack)
{
    mw_object_graph graph;
    mw_dominators tree;

    CHECK_OK(mw_object_graph_init(&graph, mw_alloc_pages()));
    for (uint32_t node = 1; node <= DEEP; node++) {
        CHECK_OK(mw_object_graph_add_node(&graph, &(mw_graph_node){0}, 2, 0));
        if (node < DEEP)
            CHECK_OK(mw_object_graph_add_edge(&graph, node + 1));
        /* And back, as in a doubly linked list. */
        if (node > 1)
            CHECK_OK(mw_object_graph_add_edge(&graph, node - 1));
    }
    CHECK_OK(mw_object_graph_finish(&graph));
    CHECK_OK(mw_object_graph_add_root(&graph, 1, MW_ROOT_MODULE, 0));
    CHECK_OK(mw_dominators_init(&tree, &graph, mw_alloc_pages()));
    CHECK(mw_dominators_is_consistent(&tree));
    for (uint32_t node = 1; node <= DEEP; node++)
        CHECK_EQ(mw_dominators_retained(&tree, tree.position_of[node]),
                 2 * (uint64_t)(DEEP - node + 1));
    mw_dominators_done(&tree);
    mw_object_graph_done(&graph);
}

TEST(dominators, of_nothing_are_the_root_alone)
{
    mw_object_graph graph;
    mw_dominators tree;

    CHECK_OK(mw_object_graph_init(&graph, mw_alloc_system()));
    CHECK_OK(mw_object_graph_finish(&graph));
    CHECK_OK(mw_dominators_init(&tree, &graph, mw_alloc_system()));
    CHECK(mw_dominators_is_consistent(&tree));
    CHECK_EQ(tree.count, 1);
    CHECK_EQ(mw_dominators_retained(&tree, 0), 0);
    mw_dominators_done(&tree);
    mw_object_graph_done(&graph);
}

TEST(dominators, returns_every_byte_whichever_allocation_fails)
{
    graph_model model = graph_model_random(11);
    mw_object_graph graph = graph_model_graph(&model);

    for (size_t nth = 0;; nth++) {
        mw_failing_alloc failing = mw_failing_alloc_at(nth);
        mw_dominators tree;
        mw_status status = mw_dominators_init(&tree, &graph, &failing.base);

        mw_dominators_done(&tree);
        CHECK_EQ(failing.live_blocks, 0);
        if (status == MW_OK)
            break;
        CHECK_EQ(status, MW_NO_MEMORY);
    }
    mw_object_graph_done(&graph);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(dominators, are_those_without_which_a_node_is_not_reached),
        CASE(dominators, of_a_list_a_million_deep_need_no_stack),
        CASE(dominators, of_nothing_are_the_root_alone),
        CASE(dominators, returns_every_byte_whichever_allocation_fails),
    };

    return cmocka_run_group_tests_name("dominators", tests, NULL, NULL);
}
