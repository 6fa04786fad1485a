/* SPDX-License-Identifier: MIT */
#include "heap/heap_table.h"
#include "heap/heap_text.h"

#include "heap_service.h"

static void expect_row(const heap_service *service, const mw_heap_table *table, uint32_t place,
                       const char *name, uint64_t objects, uint64_t bytes, uint64_t retained)
{
    mw_buffer text;

    CHECK(place < table->count);
    mw_buffer_init(&text, mw_alloc_system());
    mw_heap_table_write_name(table, &service->study, &table->rows[place], &text.sink);
    service_expect(&text, name);
    mw_buffer_done(&text);
    CHECK_EQ(table->rows[place].sum.objects, objects);
    CHECK_EQ(table->rows[place].sum.bytes, bytes);
    CHECK_EQ(table->rows[place].sum.retained_bytes, retained);
}

static void check_order(const mw_heap_table *table)
{
    for (uint32_t i = 1; i < table->count; i++)
        CHECK(table->rows[i - 1].sum.retained_bytes >= table->rows[i].sum.retained_bytes);
}

TEST(heap_table, rows_are_what_there_is_the_most_retained_first)
{
    heap_service service;
    mw_heap_table table;

    service_make(&service);
    CHECK_OK(mw_heap_table_init(&table, &service.study, MW_HEAP_BY_TYPE));
    /* The module's dict keeps all but the frame, garbage and what C holds. */
    expect_row(&service, &table, 0, "dict", 3, 300, 56500);
    expect_row(&service, &table, 1, "app.Row", SERVICE_ROWS, 40000, 40000);
    expect_row(&service, &table, 2, "app.Session", 30, 15000, 15000);
    check_order(&table);
    CHECK_EQ(table.count, TYPE_COUNT);
    mw_heap_table_done(&table);
    CHECK_OK(mw_heap_table_init(&table, &service.study, MW_HEAP_BY_LINE));
    CHECK_EQ(table.count, 3);
    expect_row(&service, &table, 1, "/srv/app.py:5 in load", SERVICE_ROWS, 40000, 40000);
    expect_row(&service, &table, 2, "/srv/app.py:9 in connect", 30, 15000, 15000);
    mw_heap_table_done(&table);
    service_done(&service);
}

TEST(heap_table, a_module_and_its_dict_are_one_row)
{
    heap_service service;
    mw_heap_table table;

    service_make(&service);
    CHECK_OK(mw_heap_table_init(&table, &service.study, MW_HEAP_BY_MODULE));
    CHECK_EQ(table.count, 1);
    expect_row(&service, &table, 0, "app", 1 + 1 + 4 + 40 + 30 + 100, 200, 56600);
    mw_heap_table_done(&table);
    service_done(&service);
}

TEST(heap_table, what_c_code_holds_is_counted_with_its_references)
{
    heap_service service;
    mw_heap_table table;

    service_make(&service);
    CHECK_OK(mw_heap_table_init(&table, &service.study, MW_HEAP_BY_HELD));
    CHECK_EQ(table.count, 1);
    expect_row(&service, &table, 0, "ext.Lost", 30, 9000, 9000);
    CHECK_EQ(table.rows[0].references, 30);
    mw_heap_table_done(&table);
    service_done(&service);
}

TEST(heap_table, tells_what_is_below_an_object_or_its_module)
{
    heap_service service;
    mw_heap_table table;

    service_make(&service);
    CHECK_OK(mw_heap_table_init_below(&table, &service.study, MW_HEAP_BY_TYPE, SERVICE_CACHE));
    CHECK_EQ(table.count, 2);
    expect_row(&service, &table, 0, "app.Row", 40, 40000, 0);
    expect_row(&service, &table, 1, "dict", 1, 100, 0);
    mw_heap_table_done(&table);
    CHECK_OK(mw_heap_table_init_below(&table, &service.study, MW_HEAP_BY_LINE, SERVICE_MODULE));
    expect_row(&service, &table, 0, "/srv/app.py:5 in load", 40, 40000, 0);
    expect_row(&service, &table, 1, "/srv/app.py:9 in connect", 30, 15000, 0);
    mw_heap_table_done(&table);
    service_done(&service);
}

TEST(heap_table, tells_what_several_hold_jointly_and_which_line_allocated_it)
{
    heap_service service;
    mw_suspects suspects;
    mw_heap_table table;
    uint32_t joint = 0;

    service_make(&service);
    CHECK_OK(mw_heap_suspects_init(&suspects, &service.study, 50));
    CHECK_EQ(suspects.count, 3);
    while (suspects.items[joint].kind != MW_SUSPECT_JOINT)
        joint++;
    CHECK_OK(mw_heap_table_init_suspect(&table, &service.study, MW_HEAP_BY_TYPE,
                                        &suspects.items[joint]));
    CHECK_EQ(table.count, 1);
    expect_row(&service, &table, 0, "app.Session", 30, 15000, 0);
    mw_heap_table_done(&table);
    CHECK_OK(mw_heap_table_init_suspect(&table, &service.study, MW_HEAP_BY_LINE,
                                        &suspects.items[joint]));
    CHECK_EQ(table.count, 1);
    expect_row(&service, &table, 0, "/srv/app.py:9 in connect", 30, 15000, 0);
    mw_heap_table_done(&table);
    mw_suspects_done(&suspects);
    service_done(&service);
}

TEST(heap_table, tells_of_many_objects_that_c_code_holds_and_not_of_one)
{
    heap_service service;
    mw_suspects suspects;
    mw_heap_table table;
    uint32_t many = 0;

    service_make(&service);
    CHECK_OK(mw_heap_suspects_init(&suspects, &service.study, 50));
    while (suspects.items[many].kind != MW_SUSPECT_MANY)
        many++;
    CHECK_OK(
        mw_heap_table_init_suspect(&table, &service.study, MW_HEAP_BY_TYPE, &suspects.items[many]));
    CHECK_EQ(table.count, 1);
    expect_row(&service, &table, 0, "ext.Lost", 30, 9000, 0);
    mw_heap_table_done(&table);
    mw_suspects_done(&suspects);
    service_done(&service);
}

TEST(heap_table, knows_no_lines_where_nobody_does)
{
    heap_service service;
    mw_heap_table table;

    CHECK_OK(service_try(&service, mw_alloc_system()));
    service.view.facts.knows_lines = false;
    CHECK_EQ(mw_heap_table_init(&table, &service.study, MW_HEAP_BY_LINE), MW_UNSUPPORTED);
    mw_heap_table_done(&table);
    service_done(&service);
}

static mw_status try_all(heap_service *service, mw_alloc *alloc)
{
    mw_status status = service_try(service, alloc);

    for (mw_heap_by by = MW_HEAP_BY_TYPE; status == MW_OK && by <= MW_HEAP_BY_HELD; by++) {
        mw_heap_table table;

        status = mw_heap_table_init(&table, &service->study, by);
        mw_heap_table_done(&table);
        if (status != MW_OK || by > MW_HEAP_BY_LINE)
            continue;
        status = mw_heap_table_init_below(&table, &service->study, by, SERVICE_CACHE);
        mw_heap_table_done(&table);
    }
    return status;
}

TEST(heap_table, returns_every_byte_whichever_allocation_fails)
{
    heap_service service;

    for (size_t nth = 0;; nth++) {
        mw_failing_alloc failing = mw_failing_alloc_at(nth);
        mw_status status = try_all(&service, &failing.base);

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
        CASE(heap_table, rows_are_what_there_is_the_most_retained_first),
        CASE(heap_table, a_module_and_its_dict_are_one_row),
        CASE(heap_table, what_c_code_holds_is_counted_with_its_references),
        CASE(heap_table, tells_what_is_below_an_object_or_its_module),
        CASE(heap_table, tells_what_several_hold_jointly_and_which_line_allocated_it),
        CASE(heap_table, tells_of_many_objects_that_c_code_holds_and_not_of_one),
        CASE(heap_table, knows_no_lines_where_nobody_does),
        CASE(heap_table, returns_every_byte_whichever_allocation_fails),
    };

    return cmocka_run_group_tests_name("heap_table", tests, NULL, NULL);
}
