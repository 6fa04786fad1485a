/* SPDX-License-Identifier: MIT */
#include "capture/bytes.h"

#include "capture/format.h"

#include <string.h>

enum { VARINT_BYTES = 10, FIRST_CAPACITY = 256 };

/* ── writing ─────────────────────────────────────────────────────────────────────── */

void mw_bytes_init(mw_bytes *bytes, mw_alloc *alloc)
{
    *bytes = (mw_bytes){.alloc = alloc};
}

void mw_bytes_done(mw_bytes *bytes)
{
    if (bytes->bytes != NULL)
        mw_alloc_release(bytes->alloc, bytes->bytes, bytes->capacity);
    *bytes = (mw_bytes){0};
}

void mw_bytes_clear(mw_bytes *bytes)
{
    bytes->length = 0;
    bytes->status = MW_OK;
}

void mw_bytes_trim(mw_bytes *bytes, size_t kept)
{
    mw_alloc *alloc = bytes->alloc;

    if (bytes->capacity <= kept || bytes->length != 0)
        return;
    mw_bytes_done(bytes);
    mw_bytes_init(bytes, alloc);
}

static mw_status grow(mw_bytes *bytes, size_t needed)
{
    size_t capacity = bytes->capacity < FIRST_CAPACITY ? FIRST_CAPACITY : 2 * bytes->capacity;
    uint8_t *grown;

    if (capacity < needed)
        capacity = needed;
    grown = bytes->bytes == NULL
                ? mw_alloc_new(bytes->alloc, capacity)
                : bytes->alloc->resize(bytes->alloc, bytes->bytes, bytes->capacity, capacity);
    if (grown == NULL)
        return MW_NO_MEMORY;
    bytes->bytes = grown;
    bytes->capacity = capacity;
    return MW_OK;
}

uint8_t *mw_bytes_reserve(mw_bytes *bytes, size_t length)
{
    if (bytes->status == MW_OK &&
        (bytes->bytes == NULL || length > bytes->capacity - bytes->length))
        bytes->status = grow(bytes, bytes->length + length);
    return bytes->status == MW_OK ? bytes->bytes + bytes->length : NULL;
}

void mw_bytes_put(mw_bytes *bytes, const void *data, size_t length)
{
    uint8_t *room = mw_bytes_reserve(bytes, length);

    if (room == NULL || length == 0)
        return;
    memcpy(room, data, length);
    bytes->length += length;
}

void mw_bytes_varint(mw_bytes *bytes, uint64_t number)
{
    uint8_t *room = mw_bytes_reserve(bytes, VARINT_BYTES);

    if (room == NULL)
        return;
    for (; number >= 0x80; number >>= 7)
        *room++ = (uint8_t)(number | 0x80);
    *room++ = (uint8_t)number;
    bytes->length = (size_t)(room - bytes->bytes);
}

void mw_bytes_difference(mw_bytes *bytes, uint64_t number, uint64_t before)
{
    mw_bytes_varint(bytes, mw_zigzag(number - before));
}

/* ── reading ─────────────────────────────────────────────────────────────────────── */

/* How many bytes the varint at [next] has; 0 if it is cut, or does not fit in 64 bits. */
static size_t varint_bytes(const uint8_t *next, const uint8_t *end)
{
    size_t left = (size_t)(end - next);
    size_t limit = left < VARINT_BYTES ? left : VARINT_BYTES;

    for (size_t i = 0; i < limit; i++) {
        if (next[i] < 0x80)
            return i + 1 < VARINT_BYTES || next[i] <= 1 ? i + 1 : 0;
    }
    return 0;
}

uint64_t mw_cursor_long_varint(mw_cursor *cursor)
{
    size_t length = varint_bytes(cursor->next, cursor->end);
    uint64_t number = 0;

    if (length == 0) {
        cursor->is_bad = true;
        cursor->next = cursor->end;
        return 0;
    }
    for (size_t i = 0; i < length; i++)
        number |= (uint64_t)(cursor->next[i] & 0x7f) << (7 * i);
    cursor->next += length;
    return number;
}

uint64_t mw_cursor_number(mw_cursor *cursor, uint64_t maximum)
{
    uint64_t number = mw_cursor_varint(cursor);

    if (number <= maximum)
        return number;
    cursor->is_bad = true;
    return 0;
}

uint64_t mw_cursor_difference(mw_cursor *cursor, uint64_t before)
{
    return before + mw_unzigzag(mw_cursor_varint(cursor));
}

const uint8_t *mw_cursor_take(mw_cursor *cursor, uint64_t length)
{
    const uint8_t *taken = cursor->next;

    if (length > mw_cursor_left(cursor)) {
        cursor->is_bad = true;
        cursor->next = cursor->end;
        return NULL;
    }
    cursor->next += length;
    return taken;
}

bool mw_cursor_columns(mw_cursor *cursor, uint64_t rows, mw_cursor *columns, uint32_t count)
{
    for (uint32_t column = 0; column < count; column++) {
        columns[column] = *cursor;
        for (uint64_t row = 0; row < rows; row++) {
            size_t length = varint_bytes(cursor->next, cursor->end);

            if (length == 0) {
                cursor->is_bad = true;
                return false;
            }
            cursor->next += length;
        }
        columns[column].end = cursor->next;
    }
    return !cursor->is_bad;
}
