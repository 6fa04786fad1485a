/* SPDX-License-Identifier: MIT
 *
 * What is said of a made-up service's heap, whole, against golden files that were read by eye.
 */
#include "heap/heap_text.h"

#include "golden.h"
#include "heap_service.h"

static const mw_places service_places = {.directory = "/srv"};
static const mw_heap_look page_look = {.places = &service_places, .width = 80};
static const mw_heap_report service_report = {.lead = "The heap after 2m03s",
                                              .program = "app.py, Python 3.11.2.",
                                              .share_permille = 50,
                                              .suspect_limit = 5,
                                              .row_limit = 10};

/* No line is wider than the page, and nothing is there that a terminal obeys. */
static void check_lines(const mw_buffer *text, uint32_t width)
{
    const char *at = text->bytes, *end = at + text->length;

    while (at < end) {
        size_t length = (size_t)((const char *)memchr(at, '\n', (size_t)(end - at)) - at);

        CHECK(mw_clean_columns(at, length) <= width);
        for (size_t i = 0; i < length; i++)
            CHECK((unsigned char)at[i] >= ' ');
        at += length + 1;
    }
}

TEST(heap_text, report_is_as_it_was_read)
{
    heap_service service;
    mw_buffer text;

    service_make(&service);
    mw_buffer_init(&text, mw_alloc_system());
    CHECK_OK(mw_heap_report_write(&service_report, &service.study, &page_look, &text.sink));
    check_lines(&text, 80);
    check_golden("heap_report.txt", text.bytes, text.length);
    mw_buffer_done(&text);
    service_done(&service);
}

TEST(heap_text, why_is_as_it_was_read)
{
    static const uint32_t nodes[] = {SERVICE_ROW + 3, SERVICE_SESSION,  SERVICE_HOSTILE,
                                     SERVICE_LOCAL,   SERVICE_PAIR,     SERVICE_LOST,
                                     SERVICE_CACHE,   SERVICE_LINK + 60};
    heap_service service;
    mw_buffer text;

    service_make(&service);
    mw_buffer_init(&text, mw_alloc_system());
    for (size_t i = 0; i < sizeof nodes / sizeof *nodes; i++) {
        CHECK_OK(mw_heap_why_write(nodes[i], 2, &service.study, &page_look, &text.sink));
        mw_sink_text(&text.sink, "\n");
    }
    check_lines(&text, 80);
    check_golden("heap_why.txt", text.bytes, text.length);
    mw_buffer_done(&text);
    service_done(&service);
}

TEST(heap_text, fits_on_narrow_screens_and_is_whole_where_there_is_room)
{
    heap_service service;
    mw_buffer text;

    service_make(&service);
    for (uint32_t width = 60; width < 120; width++) {
        mw_heap_look look = {.places = &service_places, .width = width};

        mw_buffer_init(&text, mw_alloc_system());
        CHECK_OK(mw_heap_report_write(&service_report, &service.study, &look, &text.sink));
        CHECK_OK(mw_heap_why_write(SERVICE_END - 1, 2, &service.study, &look, &text.sink));
        check_lines(&text, width);
        mw_buffer_done(&text);
    }
    mw_buffer_init(&text, mw_alloc_system());
    CHECK_OK(mw_heap_why_write(SERVICE_LINK + 30, 1, &service.study,
                               &(mw_heap_look){.width = MW_HEAP_WIDTH_ANY}, &text.sink));
    CHECK(strstr(text.bytes, ".next.next.next.next.next.next.next.next.next.next.next.next.next"
                             ".next.next.next.next.next.next.next.next.next") != NULL);
    mw_buffer_done(&text);
    service_done(&service);
}

/* Leaves out what colours are made with, and returns how many of these there were. */
static uint32_t strip_colours(char *text)
{
    uint32_t count = 0;
    char *to = text;

    for (const char *at = text; *at != '\0'; at++) {
        if (*at != '\033') {
            *to++ = *at;
            continue;
        }
        at = strchr(at, 'm');
        count++;
    }
    *to = '\0';
    return count;
}

TEST(heap_text, colours_change_no_word)
{
    mw_heap_look coloured_look = page_look;
    heap_service service;
    mw_buffer plain, coloured;

    service_make(&service);
    coloured_look.has_colour = true;
    mw_buffer_init(&plain, mw_alloc_system());
    mw_buffer_init(&coloured, mw_alloc_system());
    CHECK_OK(mw_heap_report_write(&service_report, &service.study, &page_look, &plain.sink));
    CHECK_OK(mw_heap_report_write(&service_report, &service.study, &coloured_look, &coloured.sink));
    CHECK(strip_colours(coloured.bytes) >= 10);
    CHECK_EQ(strip_colours(plain.bytes), 0);
    CHECK_STR_EQ(coloured.bytes, plain.bytes);
    mw_buffer_done(&coloured);
    mw_buffer_done(&plain);
    service_done(&service);
}

static void expect_verdict(heap_service *service, uint32_t permille, const char *expected)
{
    mw_suspects suspects;
    mw_buffer text;

    mw_buffer_init(&text, mw_alloc_system());
    CHECK_OK(mw_heap_suspects_init(&suspects, &service->study, permille));
    CHECK_OK(mw_heap_verdict_write(&service->study, &suspects, NULL, &text.sink));
    service_expect(&text, expected);
    mw_suspects_done(&suspects);
    mw_buffer_done(&text);
}

TEST(heap_text, verdict_names_the_first_suspect_or_says_that_there_is_none)
{
    heap_service service;

    service_make(&service);
    expect_verdict(&service, 50,
                   "sys.modules['app'].cache (dict(40)) retains 39.2 KiB, 60.8% of the heap; the "
                   "largest part is app.Row (40 objects, 39.1 KiB); the line that allocated most "
                   "is /srv/app.py:5 in load (39.1 KiB). 2 more are suspected.");
    expect_verdict(&service, 400,
                   "sys.modules['app'].cache (dict(40)) retains 39.2 KiB, 60.8% of the heap; the "
                   "largest part is app.Row (40 objects, 39.1 KiB); the line that allocated most "
                   "is /srv/app.py:5 in load (39.1 KiB).");
    expect_verdict(&service, 1000,
                   "nobody is suspected: no object retains a large part of the heap, nor do a few "
                   "together. The most is retained by sys.modules['app']: "
                   "55.2 KiB, 85.7% of the heap.");
    service_done(&service);
}

static mw_status try_texts(heap_service *service, mw_alloc *alloc)
{
    mw_buffer text;
    mw_status status = service_try(service, alloc);

    mw_buffer_init(&text, alloc);
    if (status == MW_OK)
        status = mw_heap_report_write(&service_report, &service->study, &page_look, &text.sink);
    if (status == MW_OK)
        status = mw_heap_why_write(SERVICE_SESSION, 2, &service->study, &page_look, &text.sink);
    if (status == MW_OK)
        status = mw_heap_top_write(5, &service->study, &page_look, &text.sink);
    if (status == MW_OK)
        status = mw_heap_garbage_write(5, &service->study, &page_look, &text.sink);
    mw_buffer_done(&text);
    return status;
}

TEST(heap_text, returns_every_byte_whichever_allocation_fails)
{
    heap_service service;

    for (size_t nth = 0;; nth++) {
        mw_failing_alloc failing = mw_failing_alloc_at(nth);
        mw_status status = try_texts(&service, &failing.base);

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
        CASE(heap_text, report_is_as_it_was_read),
        CASE(heap_text, why_is_as_it_was_read),
        CASE(heap_text, fits_on_narrow_screens_and_is_whole_where_there_is_room),
        CASE(heap_text, colours_change_no_word),
        CASE(heap_text, verdict_names_the_first_suspect_or_says_that_there_is_none),
        CASE(heap_text, returns_every_byte_whichever_allocation_fails),
    };

    return cmocka_run_group_tests_name("heap_text", tests, NULL, NULL);
}
