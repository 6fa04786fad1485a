/* SPDX-License-Identifier: MIT
 *
 * Numbers and names to bytes and back.  A number is a varint: seven bits a byte, the lowest
 * first, the eighth says that more follow.
 *
 * `mw_bytes` grows; it remembers that it could not, and ignores what follows, so that an
 * encoder writes without looking and asks once, at the end.  `mw_cursor` reads bytes that
 * nobody has looked at: it never leaves them, and remembers that it was led astray.
 */
#pragma once

#include "base/alloc.h"

#include <stdbool.h>

typedef struct mw_bytes {
    mw_alloc *alloc; /* borrowed */
    uint8_t *bytes;  /* owned    */
    size_t length;
    size_t capacity;
    mw_status status; /* MW_OK, or why something is missing */
} mw_bytes;

void mw_bytes_init(mw_bytes *bytes, mw_alloc *alloc);
void mw_bytes_done(mw_bytes *bytes);  /* accepts a zeroed struct          */
void mw_bytes_clear(mw_bytes *bytes); /* empty again, and nothing is wrong */
/* Gives back the memory of what is empty and has room for more than [kept] bytes. */
void mw_bytes_trim(mw_bytes *bytes, size_t kept);
void mw_bytes_put(mw_bytes *bytes, const void *data, size_t length);
void mw_bytes_varint(mw_bytes *bytes, uint64_t number);
/* [number] minus [before], which wraps around, zigzag. */
void mw_bytes_difference(mw_bytes *bytes, uint64_t number, uint64_t before);
/* Room for [length] bytes behind the end; NULL when there is none. */
uint8_t *mw_bytes_reserve(mw_bytes *bytes, size_t length);

typedef struct mw_cursor {
    const uint8_t *next;
    const uint8_t *end;
    bool is_bad; /* then everything read since is 0 */
} mw_cursor;

static inline mw_cursor mw_cursor_of(const uint8_t *bytes, size_t length)
{
    return (mw_cursor){bytes, bytes + length, false};
}

static inline size_t mw_cursor_left(const mw_cursor *cursor)
{
    return (size_t)(cursor->end - cursor->next);
}

uint64_t mw_cursor_long_varint(mw_cursor *cursor);

static inline uint64_t mw_cursor_varint(mw_cursor *cursor)
{
    if (cursor->next < cursor->end && *cursor->next < 0x80)
        return *cursor->next++;
    return mw_cursor_long_varint(cursor);
}

/* A number of at most [maximum]. */
uint64_t mw_cursor_number(mw_cursor *cursor, uint64_t maximum);
/* The number that is a zigzag difference from [before]. */
uint64_t mw_cursor_difference(mw_cursor *cursor, uint64_t before);
/* [length] bytes, which stay where they are; NULL if there are not so many. */
const uint8_t *mw_cursor_take(mw_cursor *cursor, uint64_t length);

/* Opens [count] columns of [rows] varints each, one behind the other: each varint is whole
 * and fits in 64 bits.  False if they do not lie in the bytes. */
bool mw_cursor_columns(mw_cursor *cursor, uint64_t rows, mw_cursor *columns, uint32_t count);
