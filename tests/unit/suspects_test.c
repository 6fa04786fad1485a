/* SPDX-License-Identifier: MIT */
#include "graph/suspects.h"

#include "graph_model.h"
#include "testing.h"

enum { SEEDS = 1000, ENTRIES = 50 };

/* A web service in small: a module (1) with a cache (2) and a list of listeners (3); entries
 * of 10 bytes, some in the cache alone, some in both, and objects that C code holds. */
enum { MODULE = 1, CACHE = 2, LISTENERS = 3, FIRST_ENTRY = 4 };

typedef struct test_service {
    mw_object_graph graph;
    mw_back_edges back;
    mw_dominators tree;
} test_service;

static mw_status service_try(test_service *service, mw_alloc *alloc)
{
    mw_object_graph *graph = &service->graph;
    mw_status status = mw_object_graph_init(graph, alloc);
    const uint32_t last = FIRST_ENTRY + 3 * ENTRIES - 1;

    for (uint32_t node = 1; status == MW_OK && node <= last; node++) {
        uint32_t third = node < FIRST_ENTRY ? 0 : (node - FIRST_ENTRY) / ENTRIES;
        mw_graph_node row = {.type = node < FIRST_ENTRY ? 0 : 1 + third};

        status = mw_object_graph_add_node(graph, &row, node < FIRST_ENTRY ? 1 : 10, 0);
        for (uint32_t i = 0; status == MW_OK && node == MODULE && i < 2; i++)
            status = mw_object_graph_add_edge(graph, CACHE + i);
        for (uint32_t i = 0; status == MW_OK && node == CACHE && i < 2 * ENTRIES; i++)
            status = mw_object_graph_add_edge(graph, FIRST_ENTRY + i);
        for (uint32_t i = 0; status == MW_OK && node == LISTENERS && i < ENTRIES; i++)
            status = mw_object_graph_add_edge(graph, FIRST_ENTRY + ENTRIES + i);
    }
    if (status == MW_OK)
        status = mw_object_graph_finish(graph);
    if (status == MW_OK)
        status = mw_object_graph_add_root(graph, MODULE, MW_ROOT_MODULE, 0);
    for (uint32_t i = 0; status == MW_OK && i < ENTRIES; i++)
        status =
            mw_object_graph_add_root(graph, FIRST_ENTRY + 2 * ENTRIES + i, MW_ROOT_HELD_FROM_C, 0);
    if (status == MW_OK)
        status = mw_back_edges_init(&service->back, graph, alloc);
    if (status == MW_OK)
        status = mw_dominators_init(&service->tree, graph, alloc);
    return status;
}

static void service_done(test_service *service)
{
    mw_dominators_done(&service->tree);
    mw_back_edges_done(&service->back);
    mw_object_graph_done(&service->graph);
}

TEST(suspects, are_what_accumulates_what_is_joint_and_what_are_many)
{
    test_service service = {0};
    mw_suspects suspects;
    bool seen[3] = {false};

    CHECK_OK(service_try(&service, mw_alloc_system()));
    CHECK_OK(mw_suspects_init(&suspects, &service.graph, &service.back, &service.tree, 4, 100,
                              mw_alloc_system()));
    CHECK_EQ(suspects.count, 3);
    for (uint32_t i = 0; i < suspects.count; i++) {
        const mw_suspect *item = &suspects.items[i];
        uint32_t node = service.tree.node_at[item->position];

        seen[item->kind] = true;
        CHECK(item->bytes >= 10 * ENTRIES && item->bytes <= 10 * ENTRIES + 2);
        if (item->kind == MW_SUSPECT_ACCUMULATES) {
            CHECK_EQ(node, CACHE);
        } else if (item->kind == MW_SUSPECT_JOINT) {
            CHECK_EQ(node, MODULE);
            CHECK_EQ(item->holder_count, 2);
            CHECK(!item->has_more_holders);
            CHECK_EQ(service.tree.node_at[item->holders[0]] +
                         service.tree.node_at[item->holders[1]],
                     CACHE + LISTENERS);
        } else {
            CHECK_EQ(item->type, 3);
            CHECK_EQ(item->objects, ENTRIES);
        }
    }
    CHECK(seen[0] && seen[1] && seen[2]);
    mw_suspects_done(&suspects);
    service_done(&service);
}

TEST(suspects, below_the_threshold_are_none)
{
    test_service service = {0};
    mw_suspects suspects;

    CHECK_OK(service_try(&service, mw_alloc_system()));
    CHECK_OK(mw_suspects_init(&suspects, &service.graph, &service.back, &service.tree, 4, 5000,
                              mw_alloc_system()));
    CHECK_EQ(suspects.count, 0);
    mw_suspects_done(&suspects);
    service_done(&service);
}

TEST(suspects, returns_every_byte_whichever_allocation_fails)
{
    for (size_t nth = 0;; nth++) {
        mw_failing_alloc failing = mw_failing_alloc_at(nth);
        test_service service = {0};
        mw_suspects suspects = {0};
        mw_status status = service_try(&service, &failing.base);

        if (status == MW_OK)
            status = mw_suspects_init(&suspects, &service.graph, &service.back, &service.tree, 4,
                                      100, &failing.base);
        mw_suspects_done(&suspects);
        service_done(&service);
        CHECK_EQ(failing.live_blocks, 0);
        if (status == MW_OK)
            break;
        CHECK_EQ(status, MW_NO_MEMORY);
    }
}

/* What a row of the joint table says, by taking holders away: without all of them the
 * objects are gone, with any one of them they are still there. */
static void check_row(const graph_model *model, const mw_dominators *tree, const mw_joint_row *row,
                      uint32_t object)
{
    bool removed[GRAPH_MODEL_NODES] = {false}, reached[GRAPH_MODEL_NODES];

    for (uint32_t i = 0; i < row->holder_count; i++)
        removed[tree->node_at[row->holders[i]]] = true;
    graph_model_reach(model, removed, reached);
    CHECK(!reached[object]);
    for (uint32_t i = 0; i < row->holder_count; i++) {
        removed[tree->node_at[row->holders[i]]] = false;
        graph_model_reach(model, removed, reached);
        CHECK(reached[object]);
        removed[tree->node_at[row->holders[i]]] = true;
    }
}

/* Where exactly one object is held by nobody alone, the only row must tell of it. */
static uint32_t check_position(const graph_model *model, const mw_object_graph *graph,
                               const mw_dominators *tree, const mw_joint *joint, uint32_t position)
{
    uint64_t bytes = 0, row_bytes = 0;
    uint32_t object = 0, objects = 0;

    for (uint32_t at = position + 1; at < tree->end[position]; at = tree->end[at]) {
        uint32_t node = tree->node_at[at];
        bool is_referred = position == 0 ? model->root_kind[node] != MW_ROOT_NONE
                                         : model->refers[tree->node_at[position]][node];

        if (is_referred)
            continue;
        bytes += mw_dominators_retained(tree, at);
        object = node;
        objects++;
    }
    for (uint32_t i = 0; i < joint->count; i++) {
        row_bytes += joint->rows[i].bytes;
        CHECK(joint->rows[i].holder_count >= 2);
        CHECK(i == 0 || joint->rows[i - 1].bytes >= joint->rows[i].bytes);
    }
    CHECK_EQ(bytes, row_bytes);
    if (objects == 1 && !joint->rows[0].has_more)
        check_row(model, tree, &joint->rows[0], object);
    return objects;
}

/* What a row is about, by type, adds up to the row. */
static void check_sums(const mw_object_graph *graph, const mw_back_edges *back,
                       const mw_dominators *tree, const mw_joint *joint, uint32_t position)
{
    mw_grouping grouping = mw_grouping_by_type(graph, GRAPH_MODEL_TYPES);

    for (uint32_t i = 0; i < joint->count; i++) {
        mw_retained_sum sums[GRAPH_MODEL_TYPES] = {{0}}, all = {0};

        CHECK_OK(mw_joint_sums(&joint->rows[i], graph, back, tree, position, UINT64_MAX, &grouping,
                               mw_alloc_system(), sums));
        for (uint32_t type = 0; type < GRAPH_MODEL_TYPES; type++) {
            all.objects += sums[type].objects;
            all.bytes += sums[type].bytes;
        }
        CHECK_EQ(all.objects, joint->rows[i].objects);
        CHECK_EQ(all.bytes, joint->rows[i].bytes);
    }
}

TEST(joint, objects_are_those_that_no_holder_has_alone)
{
    uint32_t objects = 0;

    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        graph_model model = graph_model_random(seed);
        mw_object_graph graph = graph_model_graph(&model);
        mw_dominators tree;
        mw_back_edges back;

        CHECK_OK(mw_dominators_init(&tree, &graph, mw_alloc_system()));
        CHECK_OK(mw_back_edges_init(&back, &graph, mw_alloc_system()));
        for (uint32_t position = 0; position < tree.count; position++) {
            mw_joint joint;

            CHECK_OK(mw_joint_init(&joint, &graph, &back, &tree, position, UINT64_MAX,
                                   mw_alloc_system()));
            objects += check_position(&model, &graph, &tree, &joint, position);
            check_sums(&graph, &back, &tree, &joint, position);
            mw_joint_done(&joint);
        }
        mw_back_edges_done(&back);
        mw_dominators_done(&tree);
        mw_object_graph_done(&graph);
    }
    CHECK(objects > SEEDS / 2);
}

/* A large object that two others hold is told of by itself; what is left is joint. */
TEST(joint, objects_that_are_heavy_are_passed_over)
{
    test_service service = {0};
    mw_joint joint;

    CHECK_OK(service_try(&service, mw_alloc_system()));
    service.graph.nodes[FIRST_ENTRY + ENTRIES].size_low = 1000;
    mw_dominators_done(&service.tree);
    CHECK_OK(mw_dominators_init(&service.tree, &service.graph, mw_alloc_system()));
    for (uint64_t heavy_bytes = 999; heavy_bytes <= 1001; heavy_bytes++) {
        bool is_left_out = heavy_bytes <= 1000;

        CHECK_OK(mw_joint_init(&joint, &service.graph, &service.back, &service.tree,
                               service.tree.position_of[MODULE], heavy_bytes, mw_alloc_system()));
        CHECK_EQ(joint.count, 1);
        CHECK_EQ(joint.rows[0].objects, is_left_out ? ENTRIES - 1 : ENTRIES);
        CHECK_EQ(joint.rows[0].bytes, 10 * (ENTRIES - 1) + (is_left_out ? 0 : 1000));
        mw_joint_done(&joint);
    }
    service_done(&service);
}

/* One of the entries that cache and listeners hold is itself much of the heap. */
TEST(suspects, what_is_heavy_is_suspected_once_by_itself)
{
    test_service service = {0};
    mw_suspects suspects;
    uint32_t heavy = FIRST_ENTRY + ENTRIES, seen = 0;

    CHECK_OK(service_try(&service, mw_alloc_system()));
    service.graph.nodes[heavy].size_low = 1000;
    mw_dominators_done(&service.tree);
    CHECK_OK(mw_dominators_init(&service.tree, &service.graph, mw_alloc_system()));
    CHECK_OK(mw_suspects_init(&suspects, &service.graph, &service.back, &service.tree, 4, 300,
                              mw_alloc_system()));
    for (uint32_t i = 0; i < suspects.count; i++) {
        const mw_suspect *item = &suspects.items[i];

        if (item->kind == MW_SUSPECT_JOINT)
            CHECK_EQ(item->bytes, 10 * (ENTRIES - 1));
        seen += item->kind == MW_SUSPECT_ACCUMULATES &&
                service.tree.node_at[item->position] == heavy && item->bytes == 1000;
    }
    CHECK_EQ(seen, 1);
    mw_suspects_done(&suspects);
    service_done(&service);
}

/* ── chains ──────────────────────────────────────────────────────────────────────── */

enum { LINKS = 500, LINK_BYTES = 10, CHAIN_HEAD = 3, CHAIN_END = CHAIN_HEAD + 2 * LINKS };

/* A module (1) and its dict (2) with a linked list: each link an object, and a dict that has
 * the next. */
static mw_status chain_try(mw_object_graph *graph, uint32_t end, mw_alloc *alloc)
{
    mw_status status = mw_object_graph_init(graph, alloc);

    for (uint32_t node = 1; status == MW_OK && node < end; node++) {
        /* The module's dict is a dict too, but larger. */
        mw_graph_node row = {.type = node < CHAIN_HEAD ? 1 : node % 2};

        status = mw_object_graph_add_node(graph, &row, node == 2 ? 50 : LINK_BYTES, 0);
        if (status == MW_OK && node + 1 < end)
            status = mw_object_graph_add_edge(graph, node + 1);
    }
    if (status == MW_OK)
        status = mw_object_graph_finish(graph);
    if (status == MW_OK)
        status = mw_object_graph_add_root(graph, 1, MW_ROOT_MODULE, 0);
    return status;
}

static mw_suspects suspects_of_chain(test_service *service, uint32_t end, uint64_t threshold)
{
    mw_suspects suspects;

    CHECK_OK(chain_try(&service->graph, end, mw_alloc_system()));
    CHECK_OK(mw_back_edges_init(&service->back, &service->graph, mw_alloc_system()));
    CHECK_OK(mw_dominators_init(&service->tree, &service->graph, mw_alloc_system()));
    CHECK_OK(mw_suspects_init(&suspects, &service->graph, &service->back, &service->tree, 4,
                              threshold, mw_alloc_system()));
    return suspects;
}

TEST(suspects, a_linked_list_is_suspected_at_its_first_link_and_as_a_whole)
{
    for (uint64_t threshold = 100; threshold < 5000; threshold += 310) {
        test_service service = {0};
        mw_suspects suspects = suspects_of_chain(&service, CHAIN_END, threshold);

        CHECK_EQ(suspects.count, 1);
        CHECK_EQ(service.tree.node_at[suspects.items[0].position], CHAIN_HEAD);
        CHECK_EQ(suspects.items[0].bytes, 2 * LINKS * LINK_BYTES);
        CHECK_EQ(suspects.items[0].retained_bytes, 2 * LINKS * LINK_BYTES);
        CHECK_EQ(suspects.items[0].objects, 2 * LINKS);
        mw_suspects_done(&suspects);
        service_done(&service);
    }
}

/* A few objects that hold one another are no list: the last that is heavy is to blame. */
TEST(suspects, a_short_chain_is_suspected_where_it_is_still_heavy)
{
    test_service service = {0};
    mw_suspects suspects = suspects_of_chain(&service, CHAIN_HEAD + 40, 100);

    CHECK_EQ(suspects.count, 1);
    CHECK_EQ(service.tree.node_at[suspects.items[0].position], CHAIN_HEAD + 40 - 10);
    CHECK_EQ(suspects.items[0].bytes, 100);
    mw_suspects_done(&suspects);
    service_done(&service);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(suspects, are_what_accumulates_what_is_joint_and_what_are_many),
        CASE(suspects, below_the_threshold_are_none),
        CASE(suspects, returns_every_byte_whichever_allocation_fails),
        CASE(suspects, what_is_heavy_is_suspected_once_by_itself),
        CASE(suspects, a_linked_list_is_suspected_at_its_first_link_and_as_a_whole),
        CASE(suspects, a_short_chain_is_suspected_where_it_is_still_heavy),
        CASE(joint, objects_are_those_that_no_holder_has_alone),
        CASE(joint, objects_that_are_heavy_are_passed_over),
    };

    return cmocka_run_group_tests_name("suspects", tests, NULL, NULL);
}
