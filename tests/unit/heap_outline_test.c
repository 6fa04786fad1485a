/* SPDX-License-Identifier: MIT
 *
 * Whatever the heap, an outline has all of it, each object in one row, and says of each row
 * what the dominator tree says of its members.
 */
#include "heap/heap_outline.h"

#include "graph_model.h"
#include "made_heap.h"

enum { SEEDS = 400, ROWS = 20000 };

typedef struct outlined {
    made_heap heap;
    mw_heap_study study;
    mw_outline outline;
} outlined;

static void outlined_init(outlined *made, uint32_t row_maximum)
{
    made_heap_finish(&made->heap);
    CHECK_OK(mw_heap_study_init(&made->study, &made->heap.view, mw_alloc_system()));
    CHECK_OK(mw_outline_init(&made->outline, &made->study, row_maximum));
    CHECK(mw_outline_is_consistent(&made->outline));
}

static void outlined_done(outlined *made)
{
    mw_outline_done(&made->outline);
    mw_heap_study_done(&made->study);
    made_heap_done(&made->heap);
}

/* The graph of a model, its types as names, some of the objects from known lines. */
static void make_model(made_heap *heap, uint64_t seed)
{
    static const char *const types[GRAPH_MODEL_TYPES] = {"a", "b", "c", "d", "e"};
    graph_model model = graph_model_random(seed);

    made_heap_init(heap);
    for (uint32_t node = 1; node < model.node_count; node++) {
        uint32_t place = node % 3 == 0 ? made_place(heap, "x.py", 1 + node % 2, "f") : 0;
        made_object(heap, types[model.type[node]], NULL, model.size[node], place);
    }
    for (uint32_t node = 1; node < model.node_count; node++)
        for (uint32_t to = 1; to < model.node_count; to++)
            if (model.refers[node][to])
                made_reference(heap, node, to, NULL);
    for (uint32_t node = 1; node < model.node_count; node++)
        if (model.root_kind[node] != MW_ROOT_NONE)
            made_root(heap, node, model.root_kind[node], "m");
}

/* What the members say, added up one by one. */
static void check_row(const outlined *made, const mw_outline_row *row, uint32_t *uses)
{
    const mw_dominators *tree = &made->study.tree;
    uint32_t module = 0;
    uint64_t size = 0;

    for (uint32_t i = 0; i < row->member_count; i++) {
        uint32_t position = made->outline.members[row->first_member + i];
        uint32_t node = tree->node_at[position];
        uses[position]++;
        size += mw_object_graph_size(&made->heap.graph, node);
        if (module == 0 || made->heap.nodes[module].module_dict != node)
            CHECK_EQ(made->heap.nodes[node].type, row->type);
        module = node;
    }
    CHECK_EQ(size, row->size);
}

static void check_outline(const outlined *made)
{
    const mw_outline *outline = &made->outline;
    const mw_dominators *tree = &made->study.tree;
    uint32_t *uses = calloc(tree->count, sizeof *uses);
    uint64_t left = 0, used = 0;

    assert_non_null(uses);
    CHECK_EQ(outline->rows[0].retained, mw_heap_study_bytes(&made->study));
    CHECK_EQ(outline->rows[0].objects, tree->count - 1);
    for (uint32_t i = 1; i < outline->count; i++) {
        if (outline->rows[i].kind == MW_OUTLINE_REST)
            left += outline->rows[i].objects;
        else
            check_row(made, &outline->rows[i], uses);
    }
    for (uint32_t position = 1; position < tree->count; position++) {
        CHECK(uses[position] <= 1);
        used += uses[position];
    }
    CHECK_EQ(used + left, tree->count - 1);
    free(uses);
}

TEST(heap_outline, has_each_object_once_whatever_the_graph)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        outlined made;

        make_model(&made.heap, seed);
        outlined_init(&made, seed % 4 == 0 ? 2 + (uint32_t)(seed / 4) % 12 : ROWS);
        check_outline(&made);
        outlined_done(&made);
    }
}

/* A module with one cache of [count] sessions, each with a name and some data. */
static uint32_t make_cache(made_heap *heap, uint32_t count)
{
    uint32_t module = made_module(heap, "app", "module app");
    uint32_t cache = made_object(heap, "dict", NULL, 1000, made_place(heap, "app.py", 3, "f"));

    made_reference(heap, module, cache, "['CACHE']");
    for (uint32_t i = 0; i < count; i++) {
        uint32_t place = made_place(heap, "app.py", 12, "login");
        uint32_t session = made_object(heap, "app.Session", NULL, 64, place);
        made_reference(heap, cache, session, NULL);
        made_reference(heap, session, made_object(heap, "str", NULL, 60, place), ".name");
        made_reference(heap, session, made_object(heap, "bytes", NULL, 400, 0), ".data");
    }
    return cache;
}

static const mw_outline_row *row_at(const outlined *made, const char *type, uint32_t depth)
{
    for (uint32_t i = 1; i < made->outline.count; i++) {
        const mw_outline_row *row = &made->outline.rows[i];
        if (row->depth == depth && row->kind != MW_OUTLINE_REST &&
            strcmp(made->heap.types[row->type], type) == 0)
            return row;
    }
    return NULL;
}

TEST(heap_outline, makes_one_row_of_what_is_alike_and_goes_on_below_it)
{
    outlined made;
    const mw_outline_row *sessions, *data;

    made_heap_init(&made.heap);
    make_cache(&made.heap, 5000);
    outlined_init(&made, ROWS);
    check_outline(&made);
    CHECK_EQ(made.outline.count, 6); /* the top, the module, its cache, sessions, names, data */
    sessions = row_at(&made, "app.Session", 3);
    CHECK_EQ(sessions->count, 5000);
    CHECK_EQ(sessions->size, 5000 * 64);
    CHECK_EQ(sessions->objects, 15000);
    CHECK_EQ(sessions->retained, 5000 * 524);
    CHECK_EQ(sessions->kind, MW_OUTLINE_ALIKE);
    data = row_at(&made, "bytes", 4);
    CHECK_EQ(data->count, 5000);
    CHECK_EQ(data->line, 0);
    outlined_done(&made);
}

TEST(heap_outline, takes_a_module_and_its_dict_for_one)
{
    outlined made;
    const mw_outline_row *module;

    made_heap_init(&made.heap);
    make_cache(&made.heap, 10);
    outlined_init(&made, ROWS);
    check_outline(&made);
    module = row_at(&made, "module", 1);
    CHECK_EQ(module->count, 1);
    CHECK_EQ(module->member_count, 2);
    CHECK_EQ(module->size, 72 + 232);
    CHECK_EQ(module->retained, mw_heap_study_bytes(&made.study));
    CHECK(row_at(&made, "dict", 1) == NULL);
    outlined_done(&made);
}

TEST(heap_outline, gives_the_few_and_the_large_rows_of_their_own)
{
    outlined made;
    uint32_t cache, large = 0;

    made_heap_init(&made.heap);
    cache = make_cache(&made.heap, 5000);
    for (uint32_t i = 0; i < 3; i++)
        made_reference(&made.heap, cache, made_object(&made.heap, "app.Pool", NULL, 900, 0), NULL);
    made_reference(&made.heap, cache, made_object(&made.heap, "app.Session", NULL, 50000, 0), NULL);
    outlined_init(&made, ROWS);
    check_outline(&made);
    for (uint32_t i = 1; i < made.outline.count; i++)
        large += made.outline.rows[i].depth == 3 && made.outline.rows[i].kind == MW_OUTLINE_ONE;
    CHECK_EQ(large, 4);
    outlined_done(&made);
}

TEST(heap_outline, makes_one_row_of_the_links_of_a_chain)
{
    outlined made;
    uint32_t last;
    const mw_outline_row *links;

    made_heap_init(&made.heap);
    last = made_module(&made.heap, "app", "module app");
    for (uint32_t i = 0; i < 100000; i++) {
        uint32_t link = made_object(&made.heap, "app.Link", NULL, 48, 0);
        made_reference(&made.heap, last, link, ".next");
        made_reference(&made.heap, link, made_object(&made.heap, "bytes", NULL, 100, 0), ".data");
        last = link;
    }
    outlined_init(&made, ROWS);
    check_outline(&made);
    CHECK(made.outline.count < 30);
    links = row_at(&made, "app.Link", 2 + MW_OUTLINE_CHAIN);
    CHECK_EQ(links->count, 100000 - MW_OUTLINE_CHAIN);
    CHECK_EQ(row_at(&made, "bytes", 3 + MW_OUTLINE_CHAIN)->count, links->count);
    outlined_done(&made);
}

TEST(heap_outline, ends_at_a_depth_and_says_how_much_is_below)
{
    static const char *const types[] = {"a", "b", "c"};
    outlined made;
    uint32_t last;
    const mw_outline_row *rest;

    made_heap_init(&made.heap);
    last = made_module(&made.heap, "app", "module app");
    for (uint32_t i = 0; i < 3000; i++) {
        uint32_t next = made_object(&made.heap, types[i % 3], NULL, 50, 0);
        made_reference(&made.heap, last, next, ".next");
        last = next;
    }
    outlined_init(&made, ROWS);
    check_outline(&made);
    rest = &made.outline.rows[made.outline.count - 1];
    CHECK_EQ(rest->kind, MW_OUTLINE_REST);
    CHECK_EQ(rest->depth, MW_OUTLINE_DEPTH_MAXIMUM + 1);
    CHECK_EQ(rest->objects, 3000 - (MW_OUTLINE_DEPTH_MAXIMUM - 1));
    outlined_done(&made);
}

/* Thousands of modules of thousands of kinds of things. */
static void make_crowd(made_heap *heap)
{
    static char names[300][16];
    mw_random random = mw_random_of(3);

    made_heap_init(heap);
    for (uint32_t i = 0; i < 300; i++) {
        uint32_t dict;
        snprintf(names[i], sizeof names[i], "m%u", i);
        dict = made_module(heap, names[i], names[i]);
        for (uint32_t k = 0; k < 100; k++) {
            uint32_t inner = made_object(heap, k % 7 == 0 ? "list" : "dict", NULL,
                                         100 + mw_random_below(&random, 5000), 0);
            made_reference(heap, dict, inner, NULL);
            for (uint32_t j = 0; j < 3; j++)
                made_reference(heap, inner, made_object(heap, "str", NULL, 90, 0), NULL);
        }
    }
}

TEST(heap_outline, keeps_to_its_maximum_of_rows)
{
    for (uint32_t maximum = 2; maximum < 2000; maximum *= 3) {
        outlined made;

        make_crowd(&made.heap);
        outlined_init(&made, maximum);
        CHECK(made.outline.count <= maximum);
        check_outline(&made);
        outlined_done(&made);
    }
}

TEST(heap_outline, of_a_heap_that_nothing_is_in_has_one_row)
{
    outlined made;

    made_heap_init(&made.heap);
    outlined_init(&made, ROWS);
    CHECK_EQ(made.outline.count, 1);
    outlined_done(&made);
}

TEST(heap_outline, returns_every_byte_whichever_allocation_fails)
{
    made_heap heap;

    make_model(&heap, 11);
    made_heap_finish(&heap);
    for (size_t nth = 0;; nth++) {
        mw_failing_alloc failing = mw_failing_alloc_at(nth);
        mw_heap_study study;
        mw_outline outline = {0};
        mw_status status = mw_heap_study_init(&study, &heap.view, &failing.base);

        if (status == MW_OK) {
            status = mw_outline_init(&outline, &study, ROWS);
            mw_outline_done(&outline);
            mw_heap_study_done(&study);
        }
        CHECK_EQ(failing.live_blocks, 0);
        if (status == MW_OK)
            break;
        CHECK_EQ(status, MW_NO_MEMORY);
    }
    made_heap_done(&heap);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(heap_outline, has_each_object_once_whatever_the_graph),
        CASE(heap_outline, makes_one_row_of_what_is_alike_and_goes_on_below_it),
        CASE(heap_outline, takes_a_module_and_its_dict_for_one),
        CASE(heap_outline, gives_the_few_and_the_large_rows_of_their_own),
        CASE(heap_outline, makes_one_row_of_the_links_of_a_chain),
        CASE(heap_outline, ends_at_a_depth_and_says_how_much_is_below),
        CASE(heap_outline, keeps_to_its_maximum_of_rows),
        CASE(heap_outline, of_a_heap_that_nothing_is_in_has_one_row),
        CASE(heap_outline, returns_every_byte_whichever_allocation_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
