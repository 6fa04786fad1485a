/* SPDX-License-Identifier: MIT */
#include "render/gzip_sink.h"

#include "testing.h"

#include <zlib.h>

enum { LONG_BYTES = 300000 };

/* Bytes of which some repeat and some do not. */
static char *long_text(void)
{
    static char text[LONG_BYTES];
    mw_random random = mw_random_of(1);

    for (uint32_t i = 0; i < LONG_BYTES; i++)
        text[i] = i % 1000 < 500 ? "abcdefgh"[i % 8] : (char)mw_random_below(&random, 256);
    return text;
}

static void check_unpacks_to(const mw_buffer *packed, const char *text, size_t length)
{
    static char plain[LONG_BYTES + 1];
    z_stream stream = {.next_in = (Bytef *)packed->bytes,
                       .avail_in = packed->length,
                       .next_out = (Bytef *)plain,
                       .avail_out = sizeof plain};

    CHECK_EQ(inflateInit2(&stream, 15 + 16), Z_OK);
    CHECK_EQ(inflate(&stream, Z_FINISH), Z_STREAM_END);
    CHECK_EQ(stream.avail_in, 0);
    CHECK_EQ(stream.total_out, length);
    assert_memory_equal(plain, text, length);
    inflateEnd(&stream);
}

/* Packs in pieces of [piece] bytes. */
static mw_status pack(const char *text, size_t length, size_t piece, mw_sink *target,
                      mw_alloc *alloc)
{
    mw_gzip_sink *gzip = NULL;
    mw_status status = mw_gzip_sink_new(target, alloc, &gzip);

    if (status != MW_OK)
        return status;
    for (size_t at = 0; at < length; at += piece)
        mw_sink_bytes(mw_gzip_sink_sink(gzip), text + at,
                      piece < length - at ? piece : length - at);
    status = mw_gzip_sink_finish(gzip);
    mw_gzip_sink_free(gzip);
    return status;
}

static void check_packs(size_t length, size_t piece)
{
    mw_failing_alloc failing = mw_failing_alloc_never();
    mw_buffer buffer;

    mw_buffer_init(&buffer, mw_alloc_system());
    CHECK_OK(pack(long_text(), length, piece, &buffer.sink, &failing.base));
    check_unpacks_to(&buffer, long_text(), length);
    CHECK_EQ(failing.live_blocks, 0);
    mw_buffer_done(&buffer);
}

TEST(gzip_sink, packs_what_zlib_unpacks)
{
    check_packs(0, 1);
    check_packs(1, 1);
    check_packs(20000, 7);
    check_packs(1 << 14, 1 << 14);
    check_packs(LONG_BYTES, 40000);
    check_packs(LONG_BYTES, LONG_BYTES);
}

static mw_status refuse(mw_sink *self, const char *bytes, size_t length)
{
    (void)self;
    (void)bytes;
    (void)length;
    return MW_IO;
}

TEST(gzip_sink, says_that_its_target_refused)
{
    mw_sink refusing = {.write = refuse};

    CHECK_EQ(pack(long_text(), 10, 10, &refusing, mw_alloc_system()), MW_IO);
    refusing.status = MW_OK;
    CHECK_EQ(pack(long_text(), LONG_BYTES, 100, &refusing, mw_alloc_system()), MW_IO);
}

TEST(gzip_sink, can_be_given_up)
{
    mw_failing_alloc failing = mw_failing_alloc_never();
    mw_gzip_sink *gzip;
    mw_buffer buffer;

    mw_buffer_init(&buffer, mw_alloc_system());
    CHECK_OK(mw_gzip_sink_new(&buffer.sink, &failing.base, &gzip));
    mw_sink_bytes(mw_gzip_sink_sink(gzip), long_text(), LONG_BYTES);
    mw_gzip_sink_free(gzip);
    mw_gzip_sink_free(NULL);
    CHECK_EQ(failing.live_blocks, 0);
    mw_buffer_done(&buffer);
}

TEST(gzip_sink, returns_every_byte_whichever_allocation_fails)
{
    mw_status status = MW_NO_MEMORY;

    for (size_t nth = 0; status != MW_OK; nth++) {
        mw_failing_alloc failing = mw_failing_alloc_at(nth);
        mw_buffer buffer;

        mw_buffer_init(&buffer, mw_alloc_system());
        status = pack(long_text(), 1000, 100, &buffer.sink, &failing.base);
        CHECK(status == MW_OK || status == MW_NO_MEMORY);
        CHECK_EQ(failing.live_blocks, 0);
        mw_buffer_done(&buffer);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(gzip_sink, packs_what_zlib_unpacks),
        CASE(gzip_sink, says_that_its_target_refused),
        CASE(gzip_sink, can_be_given_up),
        CASE(gzip_sink, returns_every_byte_whichever_allocation_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
