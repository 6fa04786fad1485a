/* SPDX-License-Identifier: MIT */
#include "heap/heap_find.h"
#include "heap/heap_path.h"

#include "heap_service.h"

static mw_heap_found found;

static void expect_one(heap_service *service, const char *what, uint32_t node)
{
    mw_error error = {0};

    CHECK_OK(mw_heap_find_what(&found, &service->study, what, 1, &error));
    CHECK_EQ(found.count, 1);
    CHECK_EQ(found.nodes[0], node);
}

static void expect_none(heap_service *service, const char *what, const char *words)
{
    mw_error error = {0};

    CHECK_EQ(mw_heap_find_what(&found, &service->study, what, 1, &error), MW_BAD_INPUT);
    if (strstr(error.text, words) == NULL)
        fail_msg("\"%s\": \"%s\", not \"%s\"", what, error.text, words);
}

TEST(heap_find, knows_objects_by_address)
{
    heap_service service;

    service_make(&service);
    expect_one(&service, "0x7f0000000030", SERVICE_CACHE);
    expect_one(&service, "139637976727600", SERVICE_CACHE);
    expect_none(&service, "0x7f0000000031", "no object at 0x7f0000000031");
    expect_none(&service, "0", "no object at 0x0");
    expect_none(&service, "12ab", "\"12ab\" is no address");
    expect_none(&service, "99999999999999999999999", "is no address");
    service_done(&service);
}

TEST(heap_find, follows_ways_as_they_were_written)
{
    heap_service service;

    service_make(&service);
    expect_one(&service, "sys.modules['app']", SERVICE_MODULE);
    expect_one(&service, "sys.modules['app'].__dict__", SERVICE_DICT);
    expect_one(&service, "sys.modules['app'].cache", SERVICE_CACHE);
    expect_one(&service, "sys.modules['app'].cache['k3']", SERVICE_ROW + 3);
    expect_one(&service, "sys.modules['app'].cache['k30']", SERVICE_ROW + 30);
    expect_one(&service, "sys.modules['app'].sessions[17]", SERVICE_SESSION + 17);
    expect_one(&service, "sys.modules['app'].chain.next.next", SERVICE_LINK + 2);
    expect_one(&service, "sys.modules['app']['ev il\n']", SERVICE_HOSTILE);
    expect_one(&service, "<frame work (app.py:12) in thread worker-7>.local", SERVICE_LOCAL);
    expect_one(&service, "<garbage: app.Pair> (in C)", SERVICE_PAIR + 1);
    expect_none(&service, "sys.modules['web'].cache", "no way in this heap begins");
    expect_none(&service, "sys.modules['app'].cac", "nothing at \".cac\"");
    expect_none(&service, "sys.modules['app'].cache['k3'].x", "nothing at \".x\"");
    expect_none(&service, "sys.modules['app'].cache.next", "nothing at \".next\"");
    service_done(&service);
}

static void write_edge_with_nul(const mw_heap_view *self, uint32_t from, uint32_t to, mw_sink *sink)
{
    if (from == SERVICE_CACHE)
        mw_sink_bytes(sink, "['k\0 3']", 8);
    else
        service_write_edge(self, from, to, sink);
}

/* What lies behind the end of the text is nobody's. */
TEST(heap_find, ends_where_the_text_ends)
{
    char way[64] = "sys.modules['app'].cache['k", attribute[64] = "sys.modules['app'].cache.k";
    mw_heap_words words = service_words;
    heap_service service;

    service_make(&service);
    words.write_edge = write_edge_with_nul;
    service.view.words = &words;
    expect_none(&service, way, "nothing at \"['k\"");
    expect_none(&service, attribute, "nothing at \".k\"");
    service_done(&service);
}

/* Every way that is printed leads back to where it came from, but for those that are cut, and
 * those to one of several objects that C code holds. */
TEST(heap_find, finds_what_paths_lead_to)
{
    heap_service service;
    mw_buffer text;

    service_make(&service);
    for (uint32_t node = 1; node < SERVICE_LINK + 40; node++) {
        if (service_type_of(node) == TYPE_LOST || node == SERVICE_DICT)
            continue;
        mw_buffer_init(&text, mw_alloc_system());
        CHECK_OK(mw_heap_path_write_to(&service.study, node, &text.sink));
        expect_one(&service, text.bytes, node);
        mw_buffer_done(&text);
    }
    service_done(&service);
}

TEST(heap_find, lists_objects_of_a_type_by_what_they_retain)
{
    heap_service service;
    mw_error error = {0};

    service_make(&service);
    CHECK_OK(mw_heap_find_what(&found, &service.study, "app.Link", 3, &error));
    CHECK(found.is_of_type);
    CHECK_EQ(found.count, 3);
    CHECK_EQ(found.total, SERVICE_LINKS);
    for (uint32_t i = 0; i < 3; i++)
        CHECK_EQ(found.nodes[i], SERVICE_LINK + i);
    /* The module may be left out. */
    CHECK_OK(mw_heap_find_what(&found, &service.study, "Row", 1, &error));
    CHECK_EQ(found.total, SERVICE_ROWS);
    CHECK_EQ(service_type_of(found.nodes[0]), TYPE_ROW);
    expect_one(&service, "dict", SERVICE_DICT);
    expect_none(&service, "app.Rows", "no object of a type called \"app.Rows\"");
    expect_none(&service, "ow", "no object of a type called \"ow\"");
    expect_none(&service, "", "no object of a type called \"\"");
    service_done(&service);
}

TEST(heap_find, returns_every_byte_whichever_allocation_fails)
{
    static const char *const texts[] = {"sys.modules['app'].cache['k3']", "app.Link"};

    for (size_t what = 0; what < 2; what++)
        for (size_t nth = 0;; nth++) {
            mw_failing_alloc failing = mw_failing_alloc_at(nth);
            heap_service service;
            mw_error error;
            mw_status status = service_try(&service, &failing.base);

            if (status == MW_OK)
                status = mw_heap_find_what(&found, &service.study, texts[what], 1, &error);
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
        CASE(heap_find, knows_objects_by_address),
        CASE(heap_find, follows_ways_as_they_were_written),
        CASE(heap_find, ends_where_the_text_ends),
        CASE(heap_find, finds_what_paths_lead_to),
        CASE(heap_find, lists_objects_of_a_type_by_what_they_retain),
        CASE(heap_find, returns_every_byte_whichever_allocation_fails),
    };

    return cmocka_run_group_tests_name("heap_find", tests, NULL, NULL);
}
