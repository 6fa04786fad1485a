/* SPDX-License-Identifier: MIT */
#include "heap/heap_writer.h"

#include "heap_service.h"

/* What becomes of [text] on a page of 60 columns. */
static void expect_folded(const char *text, const char *expected)
{
    mw_heap_study study = {.alloc = mw_alloc_system()};
    mw_heap_writer writer;
    mw_buffer page;

    mw_buffer_init(&page, mw_alloc_system());
    mw_heap_writer_init(&writer, &study, &(mw_heap_look){.width = 60}, &page.sink);
    mw_sink_text(mw_heap_writer_line(&writer), text);
    mw_heap_writer_end(&writer, 2, 6, MW_STYLE_PLAIN);
    CHECK_OK(mw_heap_writer_done(&writer));
    service_expect(&page, expected);
    mw_buffer_done(&page);
}

TEST(heap_writer, breaks_lines_at_blanks)
{
    expect_folded("", "\n");
    expect_folded("one line", "  one line\n");
    expect_folded("a line of words that goes on and on until it is too long for its page",
                  "  a line of words that goes on and on until it is too long\n"
                  "      for its page\n");
}

/* Ways are long words: they begin where there is room, and a part begins with a dot or a
 * bracket. */
TEST(heap_writer, breaks_long_ways_before_dots_and_brackets)
{
    expect_folded("by sys.modules['application'].registry.listeners['session'].view",
                  "  by sys.modules['application'].registry.listeners\n"
                  "      ['session'].view\n");
    expect_folded("by sys.modules['application'].registry.listeners['session'].view['a']",
                  "  by sys.modules['application'].registry.listeners\n"
                  "      ['session'].view['a']\n");
    /* A word that fits on a line of its own is left whole. */
    expect_folded("a line that is nearly full of words already, and then sys.modules['app'].x",
                  "  a line that is nearly full of words already, and then\n"
                  "      sys.modules['app'].x\n");
    expect_folded("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
                  "  xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n"
                  "      xxxxxxxxxxxxxxxxxxxx\n");
}

/* Characters are never cut, and what a terminal would obey is not written. */
TEST(heap_writer, writes_whole_characters_and_no_commands)
{
    mw_buffer text;

    mw_buffer_init(&text, mw_alloc_system());
    for (int i = 0; i < 80; i++)
        mw_sink_text(&text.sink, "é");
    CHECK_OK(text.sink.status);
    expect_folded(text.bytes, "  éééééééééééééééééééééééééééééééééééééééééééééééééééééééééé\n"
                              "      éééééééééééééééééééééé\n");
    mw_buffer_done(&text);
    mw_buffer_init(&text, mw_alloc_system());
    for (int i = 0; i < 60; i++)
        mw_sink_text(&text.sink, "\x80");
    expect_folded(text.bytes, "  ??????????????????????????????????????????????????????????\n"
                              "      ??\n");
    mw_buffer_done(&text);
    expect_folded("a\033[31mb\nc\x7f \xff", "  a?[31mb?c? ?\n");
}

static void expect_place(uint32_t columns, const char *expected)
{
    static const mw_heap_place place = {.file = "/srv/app/views.py and",
                                        .file_length = 17,
                                        .function = "handle_request",
                                        .function_length = 14,
                                        .line = 12};
    mw_heap_study study = {.alloc = mw_alloc_system()};
    mw_heap_writer writer;
    mw_buffer page;

    mw_buffer_init(&page, mw_alloc_system());
    mw_heap_writer_init(&writer, &study, &(mw_heap_look){.width = 60}, &page.sink);
    mw_heap_writer_place(&writer, &place, columns);
    mw_heap_writer_end(&writer, 0, 0, MW_STYLE_PLAIN);
    CHECK_OK(mw_heap_writer_done(&writer));
    service_expect(&page, expected);
    mw_buffer_done(&page);
}

TEST(heap_writer, shows_of_a_place_what_there_is_room_for)
{
    expect_place(60, "/srv/app/views.py:12 in handle_request\n");
    expect_place(34, "/srv/app/views.py:12 in handle_re…\n");
    expect_place(30, "/srv/app/views.py:12\n");
    expect_place(14, "…p/views.py:12\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(heap_writer, breaks_lines_at_blanks),
        CASE(heap_writer, breaks_long_ways_before_dots_and_brackets),
        CASE(heap_writer, writes_whole_characters_and_no_commands),
        CASE(heap_writer, shows_of_a_place_what_there_is_room_for),
    };

    return cmocka_run_group_tests_name("heap_writer", tests, NULL, NULL);
}
