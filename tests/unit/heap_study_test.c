/* SPDX-License-Identifier: MIT
 *
 * What the analysis adds to those of src/graph: lines, modules with their dicts, and why a
 * node is a root, on random graphs by looking at every root.
 */
#include "heap/heap_study.h"

#include "graph_model.h"
#include "heap_service.h"

enum { SEEDS = 300 };

static const mw_graph_root *slow_root(const mw_object_graph *graph, uint32_t node)
{
    const mw_graph_root *best = NULL;

    for (uint32_t i = 0; i < graph->root_count; i++)
        if (graph->roots[i].node == node && (best == NULL || graph->roots[i].kind < best->kind))
            best = &graph->roots[i];
    return best;
}

TEST(heap_study, knows_why_a_node_is_a_root_in_the_most_preferred_way)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        graph_model model = graph_model_random(seed);
        mw_random random = mw_random_of(seed);
        mw_object_graph graph = graph_model_graph(&model);
        mw_heap_view view = {.words = &service_words, .graph = &graph};
        mw_heap_study study;

        for (int i = 0; i < 8; i++)
            CHECK_OK(mw_object_graph_add_root(
                &graph, 1 + mw_random_below(&random, model.node_count - 1),
                (mw_root_kind)(1 + mw_random_below(&random, MW_ROOT_GARBAGE - 1)), 0));
        CHECK_OK(mw_heap_study_init(&study, &view, mw_alloc_system()));
        for (uint32_t node = 0; node < graph.node_count; node++) {
            const mw_graph_root *slow = slow_root(&graph, node);
            const mw_graph_root *fast = mw_heap_study_root(&study, node);

            CHECK((slow == NULL) == (fast == NULL));
            CHECK(slow == NULL || (fast->node == node && fast->kind == slow->kind));
        }
        mw_heap_study_done(&study);
        mw_object_graph_done(&graph);
    }
}

TEST(heap_study, takes_a_module_and_its_dict_for_one)
{
    heap_service service;

    service_make(&service);
    CHECK_EQ(mw_heap_study_module_dict(&service.study, SERVICE_MODULE), SERVICE_DICT);
    CHECK_EQ(mw_heap_study_module_dict(&service.study, SERVICE_CACHE), 0);
    CHECK_EQ(mw_heap_study_retained(&service.study, SERVICE_DICT), 56500);
    CHECK_EQ(mw_heap_study_retained(&service.study, SERVICE_MODULE), 56600);
    CHECK_EQ(mw_heap_study_bytes(&service.study), 65900);
    CHECK_EQ(service.study.garbage_count, 2);
    service_done(&service);
}

/* One that sys.modules no longer names, and functions of which two others have. */
TEST(heap_study, leaves_the_dict_to_a_module_that_is_no_root)
{
    enum { MODULE = SERVICE_MODULE, DICT = SERVICE_DICT, HOLDER, OTHER, END };
    mw_object_graph graph;
    mw_heap_view view = {.words = &service_words, .graph = &graph};
    mw_heap_study study;

    CHECK_OK(mw_object_graph_init(&graph, mw_alloc_system()));
    for (uint32_t node = MODULE; node < END; node++) {
        CHECK_OK(mw_object_graph_add_node(&graph, &(mw_graph_node){0}, 100, 0));
        if (node != DICT)
            CHECK_OK(mw_object_graph_add_edge(&graph, DICT));
        if (node >= HOLDER)
            CHECK_OK(mw_object_graph_add_edge(&graph, MODULE));
    }
    CHECK_OK(mw_object_graph_finish(&graph));
    CHECK_OK(mw_object_graph_add_root(&graph, HOLDER, MW_ROOT_STATIC, 0));
    CHECK_OK(mw_object_graph_add_root(&graph, OTHER, MW_ROOT_STATIC, 0));
    CHECK_OK(mw_heap_study_init(&study, &view, mw_alloc_system()));
    CHECK_EQ(mw_heap_study_module_dict(&study, MODULE), 0);
    CHECK_EQ(mw_heap_study_retained(&study, MODULE), 100);
    mw_heap_study_done(&study);
    mw_object_graph_done(&graph);
}

TEST(heap_study, knows_lines_where_its_view_does)
{
    heap_service service;

    service_make(&service);
    CHECK_EQ(mw_heap_study_place(&service.study, SERVICE_ROW).line, 5);
    CHECK(mw_heap_study_place(&service.study, SERVICE_CACHE).file == NULL);
    service_done(&service);
    CHECK_OK(service_try(&service, mw_alloc_system()));
    service.view.facts.knows_lines = false;
    CHECK_EQ(mw_heap_study_lines(&service.study), MW_UNSUPPORTED);
    CHECK(mw_heap_study_place(&service.study, SERVICE_ROW).file == NULL);
    service_done(&service);
}

TEST(heap_study, returns_every_byte_whichever_allocation_fails)
{
    for (size_t nth = 0;; nth++) {
        mw_failing_alloc failing = mw_failing_alloc_at(nth);
        heap_service service;
        const mw_back_edges *back;
        mw_status status = service_try(&service, &failing.base);

        if (status == MW_OK)
            status = mw_heap_study_back(&service.study, &back);
        service_done(&service);
        CHECK_EQ(failing.live_bytes, 0);
        if (status == MW_OK)
            break;
        CHECK_EQ(status, MW_NO_MEMORY);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(heap_study, knows_why_a_node_is_a_root_in_the_most_preferred_way),
        CASE(heap_study, takes_a_module_and_its_dict_for_one),
        CASE(heap_study, leaves_the_dict_to_a_module_that_is_no_root),
        CASE(heap_study, knows_lines_where_its_view_does),
        CASE(heap_study, returns_every_byte_whichever_allocation_fails),
    };

    return cmocka_run_group_tests_name("heap_study", tests, NULL, NULL);
}
