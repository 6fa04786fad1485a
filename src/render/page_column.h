/* SPDX-License-Identifier: MIT
 *
 * A column of numbers as a page has them: unsigned LEB128, and changes so that they are small
 * whatever their sign.
 */
#pragma once

#include "render/render.h"

/* Gathers bytes, so that the sink is not asked for each of them. */
typedef struct mw_page_column {
    mw_sink *sink; /* borrowed */
    size_t length;
    char bytes[4096];
} mw_page_column;

static inline void mw_page_column_flush(mw_page_column *out)
{
    mw_sink_bytes(out->sink, out->bytes, out->length);
    out->length = 0;
}

/* Seven bits to the byte, the lowest first. */
static inline void mw_page_column_put(mw_page_column *out, uint64_t number)
{
    if (out->length + 10 > sizeof out->bytes)
        mw_page_column_flush(out);
    for (; number >= 0x80; number >>= 7)
        out->bytes[out->length++] = (char)(number | 0x80);
    out->bytes[out->length++] = (char)number;
}

/* Small whatever the sign: 0, -1, 1, -2, … */
static inline void mw_page_column_put_change(mw_page_column *out, uint64_t now, uint64_t before)
{
    int64_t change = (int64_t)(now - before);

    mw_page_column_put(out, (uint64_t)change << 1 ^ (uint64_t)(change >> 63));
}
