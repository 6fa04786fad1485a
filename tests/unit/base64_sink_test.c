/* SPDX-License-Identifier: MIT */
#include "render/base64_sink.h"

#include "testing.h"

static void check_encoding(const char *bytes, const char *expected)
{
    size_t length = strlen(bytes);

    /* However it is cut into three pieces. */
    for (size_t first = 0; first <= length; first++) {
        for (size_t second = first; second <= length; second++) {
            mw_base64_sink base64;
            mw_buffer buffer;

            mw_buffer_init(&buffer, mw_alloc_system());
            mw_base64_sink_init(&base64, &buffer.sink);
            mw_sink_bytes(&base64.sink, bytes, first);
            mw_sink_bytes(&base64.sink, bytes + first, second - first);
            mw_sink_bytes(&base64.sink, bytes + second, length - second);
            CHECK_OK(mw_base64_sink_finish(&base64));
            CHECK_STR_EQ(buffer.bytes == NULL ? "" : buffer.bytes, expected);
            mw_buffer_done(&buffer);
        }
    }
}

/* RFC 4648, section 10. */
TEST(base64_sink, encodes_the_standards_examples)
{
    check_encoding("", "");
    check_encoding("f", "Zg==");
    check_encoding("f\157", "Zm8=");
    check_encoding("foo", "Zm9v");
    check_encoding("foob", "Zm9vYg==");
    check_encoding("fooba", "Zm9vYmE=");
    check_encoding("foobar", "Zm9vYmFy");
    check_encoding("\xff\xfe\xfd\x01\x80", "//79AYA=");
}

TEST(base64_sink, of_much_is_as_long_as_it_must_be)
{
    static char bytes[100001];
    mw_base64_sink base64;
    mw_buffer buffer;

    mw_buffer_init(&buffer, mw_alloc_system());
    mw_base64_sink_init(&base64, &buffer.sink);
    mw_sink_bytes(&base64.sink, bytes, sizeof bytes);
    CHECK_OK(mw_base64_sink_finish(&base64));
    CHECK_EQ(buffer.length, (sizeof bytes + 2) / 3 * 4);
    CHECK_EQ(strspn(buffer.bytes, "A"), buffer.length - 1); /* 100001 = 3 · 33333 + 2 */
    mw_buffer_done(&buffer);
}

static mw_status refuse(mw_sink *self, const char *bytes, size_t length)
{
    (void)self;
    (void)bytes;
    (void)length;
    return MW_IO;
}

TEST(base64_sink, says_that_its_target_refused)
{
    mw_sink target = {.write = refuse};
    mw_base64_sink base64;

    mw_base64_sink_init(&base64, &target);
    mw_sink_bytes(&base64.sink, "ab", 2);
    CHECK_EQ(mw_base64_sink_finish(&base64), MW_IO);
    target.status = MW_OK;
    mw_base64_sink_init(&base64, &target);
    mw_sink_bytes(&base64.sink, "abc", 3);
    CHECK_EQ(base64.sink.status, MW_IO);
    CHECK_EQ(mw_base64_sink_finish(&base64), MW_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(base64_sink, encodes_the_standards_examples),
        CASE(base64_sink, of_much_is_as_long_as_it_must_be),
        CASE(base64_sink, says_that_its_target_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
