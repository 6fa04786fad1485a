/* SPDX-License-Identifier: MIT
 *
 * What a page has of a heap is what the answers say, with names that lead from one row to the
 * next.
 */
#include "heap/heap_page.h"

#include "heap/heap_answers.h"
#include "heap/heap_text.h"
#include "shop_heap.h"

typedef struct paged {
    made_heap heap;
    mw_heap_study study;
    mw_page_heap page;
} paged;

static void paged_init(paged *made, void (*init)(made_heap *), uint32_t row_maximum)
{
    mw_heap_page_options options = {.has_time = true, .time_ns = 12000, .row_maximum = row_maximum};

    init(&made->heap);
    CHECK_OK(mw_heap_study_init(&made->study, &made->heap.view, mw_alloc_system()));
    CHECK_OK(mw_heap_page_init(&made->page, &made->study, &options, mw_alloc_system()));
}

static void paged_done(paged *made)
{
    mw_page_heap_done(&made->page);
    mw_heap_study_done(&made->study);
    made_heap_done(&made->heap);
}

static const char *string_of(const paged *made, uint32_t number)
{
    return mw_string_pool_bytes(&made->page.strings, number);
}

/* The row below [parent] of that type that retains most. */
static uint32_t row_below(const paged *made, uint32_t parent, const char *type)
{
    uint32_t best = 0;

    for (uint32_t i = 1; i < made->page.object_count; i++) {
        const mw_page_object *object = &made->page.objects[i];
        if (object->parent == parent && strcmp(string_of(made, object->type), type) == 0 &&
            (best == 0 || object->retained > made->page.objects[best].retained))
            best = i;
    }
    CHECK(best != 0);
    return best;
}

static void check_edge(const paged *made, uint32_t row, const char *edge)
{
    CHECK_STR_EQ(string_of(made, made->page.objects[row].edge), edge);
}

TEST(heap_page, names_how_one_gets_from_row_to_row)
{
    paged made;
    uint32_t module, visits, by_url, visit, headers;

    paged_init(&made, shop_heap_init, MW_HEAP_PAGE_ROWS);
    module = row_below(&made, 0, "module");
    CHECK_STR_EQ(string_of(&made, made.page.objects[module].way), "sys.modules['visits']");
    CHECK_EQ(made.page.objects[module].root, MW_ROOT_MODULE);
    visits = row_below(&made, module, "visits.Visits");
    check_edge(&made, visits, "['VISITS']");
    by_url = row_below(&made, visits, "dict");
    check_edge(&made, by_url, ".by_url");
    CHECK_STR_EQ(string_of(&made, made.page.objects[by_url].text), "dict(8600)");
    visit = row_below(&made, by_url, "visits.Visit");
    check_edge(&made, visit, "[…]"); /* each has a key of its own */
    CHECK_EQ(made.page.objects[visit].kind, MW_PAGE_OBJECT_ALIKE);
    CHECK_EQ(made.page.objects[visit].count, SHOP_VISITS);
    headers = row_below(&made, visit, "dict");
    check_edge(&made, headers, ".headers"); /* all have it */
    CHECK_EQ(made.page.objects[headers].size, SHOP_VISITS * 612);
    paged_done(&made);
}

TEST(heap_page, names_the_lines_that_allocated)
{
    paged made;
    uint32_t line;

    paged_init(&made, shop_heap_init, MW_HEAP_PAGE_ROWS);
    line = made.page.objects[row_below(&made, row_below(&made, 0, "frame"), "bytearray")].line;
    CHECK_STR_EQ(string_of(&made, made.page.lines[line].file), SHOP_HOME "app.py");
    CHECK_STR_EQ(string_of(&made, made.page.lines[line].function), "application");
    CHECK_EQ(made.page.lines[line].line, 61);
    paged_done(&made);
}

TEST(heap_page, says_what_several_hold_and_what_c_holds)
{
    paged made;
    const mw_page_object *orders, *contexts;

    paged_init(&made, shop_heap_init, MW_HEAP_PAGE_ROWS);
    orders = &made.page.objects[row_below(&made, 0, "dict")];
    CHECK_EQ(orders->count, SHOP_ORDERS);
    CHECK(orders->is_joint);
    contexts = &made.page.objects[row_below(&made, 0, "decimal.Context")];
    CHECK_EQ(contexts->root, MW_ROOT_HELD_FROM_C);
    CHECK(!contexts->is_joint);
    CHECK_EQ(made.page.tables[MW_PAGE_HEAP_HELD].count, 1);
    CHECK_EQ(made.page.tables[MW_PAGE_HEAP_HELD].rows[0].count, SHOP_CONTEXTS);
    paged_done(&made);
}

static void check_answer(paged *made, const char *name, uint64_t argument)
{
    mw_heap_question question = {.arguments = {argument}};
    mw_buffer answer;

    memcpy(question.name, name, strlen(name));
    mw_buffer_init(&answer, mw_alloc_system());
    CHECK_OK(mw_heap_answer(&made->study, &question, &answer.sink));
    CHECK(strstr(made->page.facts.bytes, answer.bytes) != NULL);
    mw_buffer_done(&answer);
}

TEST(heap_page, has_the_answers_to_the_byte)
{
    paged made;

    paged_init(&made, shop_heap_init, MW_HEAP_PAGE_ROWS);
    check_answer(&made, "summary", 0);
    check_answer(&made, "suspects", MW_HEAP_SHARE_PERMILLE);
    check_answer(&made, "garbage", 100);
    CHECK(strstr(made.page.facts.bytes, "\"time_ns\":12000,") != NULL);
    CHECK(strstr(made.page.facts.bytes, "\"held\":1}") != NULL);
    paged_done(&made);
}

TEST(heap_page, keeps_to_its_maximum_whatever_the_heap)
{
    paged made;
    uint64_t retained = 0;

    paged_init(&made, crowd_heap_init, 1000);
    CHECK(made.page.object_count <= 1000);
    for (uint32_t i = 1; i < made.page.object_count; i++)
        retained += made.page.objects[i].parent == 0 ? made.page.objects[i].retained : 0;
    CHECK_EQ(retained, mw_heap_study_bytes(&made.study));
    paged_done(&made);
}

TEST(heap_page, returns_every_byte_whichever_allocation_fails)
{
    made_heap heap;

    made_heap_init(&heap);
    add_orders_of(&heap, 3);
    made_heap_finish(&heap);
    for (size_t nth = 0;; nth++) {
        mw_failing_alloc failing = mw_failing_alloc_at(nth);
        mw_heap_page_options options = {.row_maximum = 100};
        mw_heap_study study;
        mw_page_heap page;
        mw_status status = mw_heap_study_init(&study, &heap.view, &failing.base);

        if (status == MW_OK) {
            status = mw_heap_page_init(&page, &study, &options, &failing.base);
            if (status == MW_OK)
                mw_page_heap_done(&page);
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
        CASE(heap_page, names_how_one_gets_from_row_to_row),
        CASE(heap_page, names_the_lines_that_allocated),
        CASE(heap_page, says_what_several_hold_and_what_c_holds),
        CASE(heap_page, has_the_answers_to_the_byte),
        CASE(heap_page, keeps_to_its_maximum_whatever_the_heap),
        CASE(heap_page, returns_every_byte_whichever_allocation_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
