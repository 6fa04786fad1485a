/* SPDX-License-Identifier: MIT */
#include "graph/cycles.h"

#include "graph_model.h"
#include "testing.h"

enum { SEEDS = 1500, LIMIT = 5, DEEP = 1000000, WIDE = 200000 };

/* The length of the shortest way from a root of [kind], or 0. */
static uint32_t model_distance(const graph_model *model, mw_root_kind kind, uint32_t goal)
{
    uint32_t distance[GRAPH_MODEL_NODES] = {0};

    for (uint32_t node = 1; node < model->node_count; node++)
        distance[node] = model->root_kind[node] == kind;
    for (uint32_t round = 1; round < model->node_count; round++)
        for (uint32_t node = 1; node < model->node_count; node++)
            for (uint32_t to = 1; distance[node] == round && to < model->node_count; to++)
                if (model->refers[node][to] && distance[to] == 0)
                    distance[to] = round + 1;
    return distance[goal];
}

static void check_is_way(const graph_model *model, const mw_route *route, uint32_t goal)
{
    CHECK(model->root_kind[route->nodes[0]] != MW_ROOT_NONE);
    CHECK_EQ(route->nodes[route->count - 1], goal);
    for (uint32_t i = 1; i < route->count; i++)
        CHECK(model->refers[route->nodes[i - 1]][route->nodes[i]]);
    for (uint32_t i = 0; i < route->count; i++)
        for (uint32_t k = 0; k < i; k++)
            CHECK(route->nodes[i] != route->nodes[k]);
}

/* The first is as short as any from the first kind of roots that reaches the node.  (No kind
 * before took a node on that way, or it would have reached this one.) */
static void check_first(const graph_model *model, const mw_route *route, uint32_t goal)
{
    for (int kind = 1; kind < MW_ROOT_KIND_COUNT; kind++) {
        uint32_t distance = model_distance(model, (mw_root_kind)kind, goal);

        if (distance == 0)
            continue;
        CHECK_EQ(model->root_kind[route->nodes[0]], kind);
        CHECK_EQ(route->count, distance);
        return;
    }
    fail();
}

static bool is_same(const mw_route *a, const mw_route *b)
{
    return a->count == b->count && memcmp(a->nodes, b->nodes, a->count * sizeof *a->nodes) == 0;
}

/* Whether [node] is on each way. */
static bool is_on_all(const mw_route_list *list, uint32_t node)
{
    for (uint32_t i = 0; i < list->count; i++) {
        bool found = false;

        for (uint32_t k = 0; k < list->routes[i].count; k++)
            found |= list->routes[i].nodes[k] == node;
        if (!found)
            return false;
    }
    return true;
}

static void check_list(const graph_model *model, const mw_dominators *tree,
                       const mw_route_list *list, uint32_t goal)
{
    CHECK(list->count >= 1 && list->count <= LIMIT);
    check_first(model, &list->routes[0], goal);
    for (uint32_t i = 0; i < list->count; i++) {
        check_is_way(model, &list->routes[i], goal);
        for (uint32_t k = 0; k < i; k++)
            CHECK(!is_same(&list->routes[i], &list->routes[k]));
    }
    for (uint32_t at = tree->parent[tree->position_of[goal]]; at != 0; at = tree->parent[at])
        CHECK(is_on_all(list, tree->node_at[at]));
}

TEST(routes, lead_from_roots_and_differ)
{
    uint32_t several = 0;

    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        graph_model model = graph_model_random(seed);
        mw_object_graph graph = graph_model_graph(&model);
        bool none[GRAPH_MODEL_NODES] = {false}, reached[GRAPH_MODEL_NODES];
        mw_dominators tree;
        mw_back_edges back;
        mw_routes routes;

        graph_model_reach(&model, none, reached);
        CHECK_OK(mw_dominators_init(&tree, &graph, mw_alloc_system()));
        CHECK_OK(mw_back_edges_init(&back, &graph, mw_alloc_system()));
        CHECK_OK(mw_routes_init(&routes, &graph, mw_alloc_system()));
        for (uint32_t node = 1; node < model.node_count; node++) {
            mw_route_list list;

            CHECK_OK(mw_routes_find(&list, &routes, &graph, &back, &tree, node, LIMIT,
                                    mw_alloc_system()));
            CHECK_EQ(list.count != 0, reached[node]);
            if (list.count != 0)
                check_list(&model, &tree, &list, node);
            several += list.count > 1;
            mw_route_list_done(&list);
        }
        mw_routes_done(&routes);
        mw_back_edges_done(&back);
        mw_dominators_done(&tree);
        mw_object_graph_done(&graph);
    }
    CHECK(several > SEEDS);
}

/* A list, and one more object that many of its links hold. */
TEST(routes, are_as_long_as_a_list_and_as_wide_as_a_crowd)
{
    mw_object_graph graph;
    mw_dominators tree;
    mw_back_edges back;
    mw_routes routes;
    mw_route_list list;

    CHECK_OK(mw_object_graph_init(&graph, mw_alloc_pages()));
    for (uint32_t node = 1; node < DEEP; node++) {
        CHECK_OK(mw_object_graph_add_node(&graph, &(mw_graph_node){0}, 1, 0));
        CHECK_OK(mw_object_graph_add_edge(&graph, node + 1));
        if (node < WIDE)
            CHECK_OK(mw_object_graph_add_edge(&graph, DEEP + 1));
    }
    CHECK_OK(mw_object_graph_add_node(&graph, &(mw_graph_node){0}, 1, 0));
    CHECK_OK(mw_object_graph_add_node(&graph, &(mw_graph_node){0}, 1, 0));
    CHECK_OK(mw_object_graph_finish(&graph));
    CHECK_OK(mw_object_graph_add_root(&graph, 1, MW_ROOT_MODULE, 0));
    CHECK_OK(mw_dominators_init(&tree, &graph, mw_alloc_pages()));
    CHECK_OK(mw_back_edges_init(&back, &graph, mw_alloc_pages()));
    CHECK_OK(mw_routes_init(&routes, &graph, mw_alloc_pages()));

    CHECK_OK(mw_routes_find(&list, &routes, &graph, &back, &tree, DEEP, 3, mw_alloc_system()));
    CHECK_EQ(list.count, 1);
    CHECK_EQ(list.routes[0].count, DEEP);
    mw_route_list_done(&list);
    CHECK_OK(mw_routes_find(&list, &routes, &graph, &back, &tree, DEEP + 1, 3, mw_alloc_system()));
    CHECK_EQ(list.count, 2);
    CHECK_EQ(list.routes[0].count, 2);
    CHECK_EQ(list.routes[1].count, 3);
    mw_route_list_done(&list);

    mw_routes_done(&routes);
    mw_back_edges_done(&back);
    mw_dominators_done(&tree);
    mw_object_graph_done(&graph);
}

TEST(routes, returns_every_byte_whichever_allocation_fails)
{
    graph_model model = graph_model_random(3);
    mw_object_graph graph = graph_model_graph(&model);
    mw_dominators tree;
    mw_back_edges back;
    uint32_t goal = graph.roots[0].node;

    CHECK_OK(mw_dominators_init(&tree, &graph, mw_alloc_system()));
    CHECK_OK(mw_back_edges_init(&back, &graph, mw_alloc_system()));
    for (uint32_t at = 1; at < tree.count; at++)
        if (mw_object_graph_degree(&graph, tree.node_at[at]) == 0)
            goal = tree.node_at[at];
    for (size_t nth = 0;; nth++) {
        mw_failing_alloc failing = mw_failing_alloc_at(nth);
        mw_routes routes;
        mw_route_list list = {0};
        mw_status status = mw_routes_init(&routes, &graph, &failing.base);

        if (status == MW_OK)
            status =
                mw_routes_find(&list, &routes, &graph, &back, &tree, goal, LIMIT, &failing.base);
        mw_route_list_done(&list);
        mw_routes_done(&routes);
        CHECK_EQ(failing.live_blocks, 0);
        if (status == MW_OK)
            break;
        CHECK_EQ(status, MW_NO_MEMORY);
    }
    mw_back_edges_done(&back);
    mw_dominators_done(&tree);
    mw_object_graph_done(&graph);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(routes, lead_from_roots_and_differ),
        CASE(routes, are_as_long_as_a_list_and_as_wide_as_a_crowd),
        CASE(routes, returns_every_byte_whichever_allocation_fails),
    };

    return cmocka_run_group_tests_name("routes", tests, NULL, NULL);
}
