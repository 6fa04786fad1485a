/* SPDX-License-Identifier: MIT */
#include "render/render.h"

#include "testing.h"

#include <stdio.h>

/* What is written into a buffer, as a string that the next call overwrites. */
static const char *written(mw_buffer *buffer)
{
    static char text[256];

    CHECK_OK(buffer->sink.status);
    snprintf(text, sizeof text, "%.*s", (int)buffer->length, buffer->bytes);
    buffer->length = 0;
    return text;
}

static void check_escaped(const char *name, size_t length, const char *special,
                          const char *expected)
{
    mw_buffer buffer;

    mw_buffer_init(&buffer, mw_alloc_system());
    mw_sink_escaped(&buffer.sink, name, length, special);
    mw_sink_text(&buffer.sink, ".");
    CHECK_STR_EQ(written(&buffer), expected);
    mw_buffer_done(&buffer);
}

TEST(sink, writes_numbers_as_printf_does)
{
    static const uint64_t numbers[] = {0, 1, 9, 10, 99, 12345678901, UINT64_MAX};
    char expected[32];
    mw_buffer buffer;

    mw_buffer_init(&buffer, mw_alloc_system());
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        mw_sink_number(&buffer.sink, numbers[i]);
        snprintf(expected, sizeof expected, "%llu", (unsigned long long)numbers[i]);
        CHECK_STR_EQ(written(&buffer), expected);
        mw_sink_signed(&buffer.sink, (int64_t)numbers[i]);
        snprintf(expected, sizeof expected, "%lld", (long long)(int64_t)numbers[i]);
        CHECK_STR_EQ(written(&buffer), expected);
    }
    mw_sink_signed(&buffer.sink, INT64_MIN);
    CHECK_STR_EQ(written(&buffer), "-9223372036854775808");
    mw_buffer_done(&buffer);
}

TEST(sink, writes_plain_names_as_they_are)
{
    check_escaped("", 0, "", ".");
    check_escaped("a b'\"<>", 7, ";", "a b'\"<>.");
    check_escaped("\xc3\xa9\xf0\x9f\x90\x8d", 6, "", "\xc3\xa9\xf0\x9f\x90\x8d.");
}

TEST(sink, escapes_what_does_not_belong_in_a_line)
{
    check_escaped("a\nb\r\t\\", 6, "", "a\\nb\\x0d\\x09\\\\.");
    check_escaped("a\0b\x7f", 4, "", "a\\x00b\\x7f.");
    check_escaped("a;b c", 5, "; ", "a\\x3bb\\x20c.");
    check_escaped("\xc2\x85", 2, "", "\\u0085.");
    check_escaped("\xe2\x80\xae", 3, "", "\\u202e.");
}

TEST(sink, escapes_what_is_not_utf_8)
{
    check_escaped("\xed\xb3\xbf", 3, "", "\\udcff."); /* Python's lone surrogate   */
    check_escaped("\xff\xc3", 2, "", "\\xff\\xc3.");  /* bytes of no character     */
    check_escaped("\xe2\x80", 2, "", "\\xe2\\x80.");  /* one that is cut off       */
    check_escaped("\xc0\xaf", 2, "", "\\xc0\\xaf.");  /* a slash that takes detours */
    check_escaped("\xf4\x90\x80\x80", 4, "", "\\U00110000.");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(sink, writes_numbers_as_printf_does),
        CASE(sink, writes_plain_names_as_they_are),
        CASE(sink, escapes_what_does_not_belong_in_a_line),
        CASE(sink, escapes_what_is_not_utf_8),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
