/* SPDX-License-Identifier: MIT
 *
 * zlib with our allocator: what it asks for is preceded by its size, since zlib does not say
 * it when it gives the memory back.  No time stands in the header, so that equal input gives
 * equal output.
 */
#include "render/gzip_sink.h"

#include <string.h>
#include <zlib.h>

enum {
    WINDOW_BITS_GZIP = 15 + 16, /* the largest window, and gzip's header and end */
    MEMORY_LEVEL = 8,
    INPUT_BYTES = 1 << 14, /* gathered before zlib is called                */
    OUTPUT_BYTES = 1 << 14,
    /* Stacks repeat much, and levels above gain a tenth for twice the time. */
    COMPRESSION_LEVEL = 4,
};

struct mw_gzip_sink {
    mw_sink sink;    /* first: what writers see                */
    mw_sink *target; /* borrowed                               */
    mw_alloc *alloc; /* borrowed                               */
    z_stream stream;
    uint32_t input_length;
    char input[INPUT_BYTES];
    char output[OUTPUT_BYTES];
};

/* ── memory ──────────────────────────────────────────────────────────────────────── */

typedef union block_head {
    size_t size_bytes;
    max_align_t alignment;
} block_head;

static voidpf gzip_allocate(voidpf opaque, uInt count, uInt item_bytes)
{
    size_t size_bytes = sizeof(block_head) + (size_t)count * item_bytes;
    block_head *head = mw_alloc_new(opaque, size_bytes);

    if (head == NULL)
        return Z_NULL;
    head->size_bytes = size_bytes;
    return head + 1;
}

static void gzip_release(voidpf opaque, voidpf block)
{
    block_head *head = (block_head *)block - 1;

    mw_alloc_release(opaque, head, head->size_bytes);
}

/* ── writing ─────────────────────────────────────────────────────────────────────── */

static mw_status compress_input(mw_gzip_sink *gzip, int flush)
{
    z_stream *stream = &gzip->stream;

    stream->next_in = (Bytef *)gzip->input;
    stream->avail_in = gzip->input_length;
    do {
        stream->next_out = (Bytef *)gzip->output;
        stream->avail_out = OUTPUT_BYTES;
        if (deflate(stream, flush) == Z_STREAM_ERROR)
            return MW_IO;
        mw_sink_bytes(gzip->target, gzip->output, OUTPUT_BYTES - stream->avail_out);
    } while (stream->avail_out == 0);
    gzip->input_length = 0;
    return gzip->target->status;
}

static mw_status gzip_write(mw_sink *self, const char *bytes, size_t length)
{
    mw_gzip_sink *gzip = (mw_gzip_sink *)self;
    mw_status status = MW_OK;

    while (length != 0 && status == MW_OK) {
        size_t room = INPUT_BYTES - gzip->input_length;
        size_t part = length < room ? length : room;

        memcpy(gzip->input + gzip->input_length, bytes, part);
        gzip->input_length += (uint32_t)part;
        bytes += part;
        length -= part;
        if (gzip->input_length == INPUT_BYTES)
            status = compress_input(gzip, Z_NO_FLUSH);
    }
    return status;
}

/* ── life ────────────────────────────────────────────────────────────────────────── */

mw_status mw_gzip_sink_new(mw_sink *target, mw_alloc *alloc, mw_gzip_sink **ret_gzip)
{
    mw_gzip_sink *gzip = mw_alloc_new(alloc, sizeof *gzip);

    if (gzip == NULL)
        return MW_NO_MEMORY;
    gzip->sink.write = gzip_write;
    gzip->target = target;
    gzip->alloc = alloc;
    gzip->stream = (z_stream){.zalloc = gzip_allocate, .zfree = gzip_release, .opaque = alloc};
    if (deflateInit2(&gzip->stream, COMPRESSION_LEVEL, Z_DEFLATED, WINDOW_BITS_GZIP, MEMORY_LEVEL,
                     Z_DEFAULT_STRATEGY) != Z_OK) {
        mw_alloc_release(alloc, gzip, sizeof *gzip);
        return MW_NO_MEMORY;
    }
    *ret_gzip = gzip;
    return MW_OK;
}

void mw_gzip_sink_free(mw_gzip_sink *gzip)
{
    if (gzip == NULL)
        return;
    deflateEnd(&gzip->stream);
    mw_alloc_release(gzip->alloc, gzip, sizeof *gzip);
}

mw_sink *mw_gzip_sink_sink(mw_gzip_sink *gzip)
{
    return &gzip->sink;
}

mw_status mw_gzip_sink_finish(mw_gzip_sink *gzip)
{
    if (gzip->sink.status == MW_OK)
        gzip->sink.status = compress_input(gzip, Z_FINISH);
    return gzip->sink.status;
}
