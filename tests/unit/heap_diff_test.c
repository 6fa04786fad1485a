/* SPDX-License-Identifier: MIT
 *
 * The service compared with itself when it had less.
 */
#include "heap/heap_diff.h"

#include "heap_service.h"

enum { ROWS_BEFORE = 10, ROW_BYTES = 1000 };

/* What no root reaches is garbage, and as large: an older service has smaller rows. */
static void make_older(heap_service *service)
{
    service_make(service);
    mw_heap_study_done(&service->study);
    for (uint32_t node = SERVICE_ROW + ROWS_BEFORE; node < SERVICE_SESSION; node++)
        service->graph.nodes[node].size_low = 0;
    CHECK_OK(mw_heap_study_init(&service->study, &service->view, mw_alloc_system()));
    CHECK_OK(mw_heap_study_lines(&service->study));
}

static const mw_heap_side *side_of(heap_service *service)
{
    static const mw_places places = {.directory = "/srv"};
    static mw_heap_side sides[2];
    static uint32_t next;
    mw_heap_side *side = &sides[next++ % 2];

    *side = (mw_heap_side){&service->study, &places};
    return side;
}

static void expect_name(const mw_heap_diff *diff, uint32_t place, const char *name)
{
    CHECK(place < diff->count);
    CHECK_STR_EQ(mw_string_pool_bytes(&diff->names, diff->rows[place].name), name);
}

TEST(heap_diff, tells_what_changed_and_nothing_else)
{
    heap_service older, newer;
    mw_heap_diff diff;

    make_older(&older);
    service_make(&newer);
    for (mw_heap_by by = MW_HEAP_BY_TYPE; by <= MW_HEAP_BY_LINE; by++) {
        CHECK_OK(mw_heap_diff_init(&diff, side_of(&older), side_of(&newer), by));
        CHECK_EQ(diff.count, 1);
        expect_name(&diff, 0, by == MW_HEAP_BY_TYPE ? "app.Row" : "app.py:5 in load");
        CHECK_EQ(diff.rows[0].before.bytes, ROWS_BEFORE * ROW_BYTES);
        CHECK_EQ(diff.rows[0].now.bytes, SERVICE_ROWS * ROW_BYTES);
        CHECK_EQ(diff.rows[0].now.objects, SERVICE_ROWS);
        CHECK(mw_heap_diff_growth(&diff) == &diff.rows[0]);
        mw_heap_diff_done(&diff);
    }
    service_done(&newer);
    service_done(&older);
}

TEST(heap_diff, writes_growth_and_what_shrank)
{
    heap_service older, newer;
    mw_heap_diff diff;
    mw_buffer text;

    make_older(&older);
    service_make(&newer);
    mw_buffer_init(&text, mw_alloc_system());
    CHECK_OK(mw_heap_diff_init(&diff, side_of(&newer), side_of(&older), MW_HEAP_BY_TYPE));
    CHECK(mw_heap_diff_growth(&diff) == NULL);
    mw_heap_diff_write(&diff, 10, &(mw_heap_look){.width = 80}, &text.sink);
    service_expect(&text, "     change      size      change    objects  type\n"
                          "  -29.3 KiB   10000 B           0         40  app.Row\n");
    mw_heap_diff_write_json(&diff, 10, &text.sink);
    service_expect(&text, "[{\"type\":\"app.Row\",\"count\":40,\"count_diff\":0,\"size\":10000,"
                          "\"size_diff\":-30000,\"retained\":10000,\"retained_diff\":-30000}]");
    mw_heap_diff_write_json(&diff, 0, &text.sink);
    service_expect(&text, "[]");
    mw_heap_diff_done(&diff);
    mw_buffer_done(&text);
    service_done(&newer);
    service_done(&older);
}

TEST(heap_diff, knows_a_program_again_in_another_directory)
{
    static const mw_places places[2] = {{.directory = "/srv"}, {.directory = ""}};
    heap_service service;
    mw_heap_diff diff;

    service_make(&service);
    for (uint32_t i = 0; i < 2; i++) {
        CHECK_OK(mw_heap_diff_init(&diff, &(mw_heap_side){&service.study, &places[0]},
                                   &(mw_heap_side){&service.study, &places[i]}, MW_HEAP_BY_LINE));
        /* Where the directory is not known, all lines are other lines. */
        CHECK_EQ(diff.count, i * 4);
        mw_heap_diff_done(&diff);
    }
    service_done(&service);
}

TEST(heap_diff, is_empty_where_nothing_changed)
{
    heap_service service;
    mw_heap_diff diff;

    service_make(&service);
    CHECK_OK(mw_heap_diff_init(&diff, side_of(&service), side_of(&service), MW_HEAP_BY_TYPE));
    CHECK_EQ(diff.count, 0);
    mw_heap_diff_done(&diff);
    service_done(&service);
}

TEST(heap_diff, returns_every_byte_whichever_allocation_fails)
{
    heap_service older;

    make_older(&older);
    for (size_t nth = 0;; nth++) {
        mw_failing_alloc failing = mw_failing_alloc_at(nth);
        heap_service newer;
        mw_heap_diff diff = {0};
        mw_status status = service_try(&newer, &failing.base);

        if (status == MW_OK)
            status = mw_heap_diff_init(&diff, side_of(&older), side_of(&newer), MW_HEAP_BY_LINE);
        mw_heap_diff_done(&diff);
        service_done(&newer);
        CHECK_EQ(failing.live_bytes, 0);
        if (status == MW_OK)
            break;
        CHECK_EQ(status, MW_NO_MEMORY);
    }
    service_done(&older);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(heap_diff, tells_what_changed_and_nothing_else),
        CASE(heap_diff, writes_growth_and_what_shrank),
        CASE(heap_diff, knows_a_program_again_in_another_directory),
        CASE(heap_diff, is_empty_where_nothing_changed),
        CASE(heap_diff, returns_every_byte_whichever_allocation_fails),
    };

    return cmocka_run_group_tests_name("heap_diff", tests, NULL, NULL);
}
