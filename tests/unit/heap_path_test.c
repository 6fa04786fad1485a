/* SPDX-License-Identifier: MIT */
#include "heap/heap_path.h"

#include "heap_service.h"

static void expect_path(heap_service *service, uint32_t node, const char *expected)
{
    mw_buffer text;

    mw_buffer_init(&text, mw_alloc_system());
    CHECK_OK(mw_heap_path_write_to(&service->study, node, &text.sink));
    service_expect(&text, expected);
    mw_buffer_done(&text);
}

TEST(heap_path, is_what_one_would_write_in_python)
{
    heap_service service;

    service_make(&service);
    expect_path(&service, SERVICE_MODULE, "sys.modules['app']");
    expect_path(&service, SERVICE_CACHE, "sys.modules['app'].cache");
    expect_path(&service, SERVICE_ROW + 3, "sys.modules['app'].cache['k3']");
    expect_path(&service, SERVICE_SESSION + 2, "sys.modules['app'].listeners[2]");
    /* What is no word cannot stand behind a dot. */
    expect_path(&service, SERVICE_HOSTILE, "sys.modules['app']['ev il\n']");
    service_done(&service);
}

TEST(heap_path, begins_with_why_its_root_is_alive)
{
    heap_service service;

    service_make(&service);
    expect_path(&service, SERVICE_FRAME, "<frame work (app.py:12) in thread worker-7>");
    expect_path(&service, SERVICE_LOCAL, "<frame work (app.py:12) in thread worker-7>.local");
    expect_path(&service, SERVICE_LOST, "<held from C: ext.Lost>");
    /* What Python has no word for stands apart. */
    expect_path(&service, SERVICE_PAIR + 1, "<garbage: app.Pair> (in C)");
    service_done(&service);
}

/* From the module's dict over 100 links: 24 at each end, and how many are between. */
TEST(heap_path, leaves_out_the_middle_of_a_long_way)
{
    heap_service service;
    mw_route_list list;
    mw_buffer text;
    uint32_t dots = 0;

    service_make(&service);
    CHECK_OK(mw_routes_find(&list, &service.study.routes, &service.graph, NULL, NULL,
                            SERVICE_END - 1, 1, mw_alloc_system()));
    CHECK_EQ(list.routes[0].count, 1 + SERVICE_LINKS);
    mw_buffer_init(&text, mw_alloc_system());
    mw_heap_path_write(&service.study, &list.routes[0], &text.sink);
    CHECK_OK(text.sink.status);
    CHECK(strstr(text.bytes, ".next … 53 more … .next.next") != NULL);
    for (const char *at = text.bytes; (at = strstr(at, ".next")) != NULL; at++)
        dots++;
    CHECK_EQ(dots, MW_HEAP_PATH_HEAD - 2 + MW_HEAP_PATH_TAIL);
    mw_buffer_done(&text);
    mw_route_list_done(&list);
    service_done(&service);
}

TEST(heap_path, places_are_what_is_known_of_them)
{
    mw_buffer text;

    mw_buffer_init(&text, mw_alloc_system());
    mw_heap_place_write(&(mw_heap_place){0}, &text.sink);
    service_expect(&text, "<unknown>");
    mw_heap_place_write(&(mw_heap_place){.file = "app.py and", .file_length = 6, .line = 3},
                        &text.sink);
    service_expect(&text, "app.py:3");
    mw_heap_place_write(
        &(mw_heap_place){
            .file = "app.py", .file_length = 6, .function = "loading", .function_length = 4},
        &text.sink);
    service_expect(&text, "app.py in load");
    mw_buffer_done(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(heap_path, is_what_one_would_write_in_python),
        CASE(heap_path, begins_with_why_its_root_is_alive),
        CASE(heap_path, leaves_out_the_middle_of_a_long_way),
        CASE(heap_path, places_are_what_is_known_of_them),
    };

    return cmocka_run_group_tests_name("heap_path", tests, NULL, NULL);
}
