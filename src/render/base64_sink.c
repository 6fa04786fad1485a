/* SPDX-License-Identifier: MIT */
#include "render/base64_sink.h"

enum { PIECE_BYTES = 3 * 1024 };

static size_t encode(const unsigned char *bytes, size_t length, char *text)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t written = 0;

    for (size_t at = 0; at < length; at += 3) {
        size_t left = length - at;
        uint32_t three = (uint32_t)bytes[at] << 16;

        three |= left > 1 ? (uint32_t)bytes[at + 1] << 8 : 0;
        three |= left > 2 ? (uint32_t)bytes[at + 2] : 0;
        text[written++] = letters[three >> 18];
        text[written++] = letters[three >> 12 & 63];
        text[written++] = left > 1 ? letters[three >> 6 & 63] : '=';
        text[written++] = left > 2 ? letters[three & 63] : '=';
    }
    return written;
}

static void write_encoded(mw_base64_sink *base64, const unsigned char *bytes, size_t length)
{
    char text[PIECE_BYTES / 3 * 4];

    while (length != 0) {
        size_t part = length < PIECE_BYTES ? length : PIECE_BYTES;

        mw_sink_bytes(base64->target, text, encode(bytes, part, text));
        bytes += part;
        length -= part;
    }
}

/* What was left before is made full first; what is left now stays for the next time. */
static mw_status base64_write(mw_sink *self, const char *bytes, size_t length)
{
    mw_base64_sink *base64 = (mw_base64_sink *)self;
    const unsigned char *next = (const unsigned char *)bytes;
    size_t whole;

    while (base64->rest_count != 0 && base64->rest_count < 3 && length != 0) {
        base64->rest[base64->rest_count++] = *next++;
        length--;
    }
    if (base64->rest_count == 3) {
        write_encoded(base64, base64->rest, 3);
        base64->rest_count = 0;
    }
    whole = length - length % 3;
    write_encoded(base64, next, whole);
    for (size_t i = whole; i < length; i++)
        base64->rest[base64->rest_count++] = next[i];
    return base64->target->status;
}

void mw_base64_sink_init(mw_base64_sink *base64, mw_sink *target)
{
    *base64 = (mw_base64_sink){.sink = {.write = base64_write}, .target = target};
}

mw_status mw_base64_sink_finish(mw_base64_sink *base64)
{
    if (base64->sink.status == MW_OK)
        write_encoded(base64, base64->rest, base64->rest_count);
    base64->rest_count = 0;
    return base64->sink.status != MW_OK ? base64->sink.status : base64->target->status;
}
