/* SPDX-License-Identifier: MIT
 *
 * Renderers turn rows into bytes in a sink; they are pure: what they are told is what
 * they draw.  A sink remembers its first failure and ignores what follows, so that a
 * renderer writes without looking and its caller asks once, at the end.
 */
#pragma once

#include "base/alloc.h"

#include <stdbool.h>

typedef struct mw_sink mw_sink;

struct mw_sink {
    /* Takes [length] bytes; called no more after it failed once. */
    mw_status (*write)(mw_sink *self, const char *bytes, size_t length);
    mw_status status; /* MW_OK, or the first failure */
};

void mw_sink_bytes(mw_sink *sink, const char *bytes, size_t length);
void mw_sink_text(mw_sink *sink, const char *text);
/* At most 255 bytes; for numbers and words of ours, never for names. */
void mw_sink_format(mw_sink *sink, const char *format, ...) __attribute__((format(printf, 2, 3)));
void mw_sink_repeat(mw_sink *sink, char byte, uint32_t count);

void mw_sink_number(mw_sink *sink, uint64_t number);
void mw_sink_signed(mw_sink *sink, int64_t number);

/* Writes a name as a JSON string, quotes included. */
void mw_sink_json_string(mw_sink *sink, const char *bytes, size_t length);
void mw_sink_json_text(mw_sink *sink, const char *text); /* up to its NUL */

/* Writes a name as one line of valid UTF-8, as a Python literal would have it: a backslash
 * doubled, controls and the characters of [special] as "\n" or "\x3b", what is not UTF-8 as
 * "\udc80" or "\xff".  Nothing is lost, and two names never become one. */
void mw_sink_escaped(mw_sink *sink, const char *bytes, size_t length, const char *special);

/* Writes a name or a source line as a terminal may see it: valid UTF-8, without control
 * characters, cut with "…" to [columns] characters (a character counts as one column).
 * Returns how many it wrote. */
uint32_t mw_sink_clean(mw_sink *sink, const char *bytes, size_t length, uint32_t columns);

/* How many characters mw_sink_clean would write if it had all the room. */
uint32_t mw_clean_columns(const char *bytes, size_t length);

/* A sink into memory.  `bytes` is NUL-terminated once something was written. */
typedef struct mw_buffer {
    mw_sink sink;
    mw_alloc *alloc; /* borrowed                        */
    char *bytes;     /* owned; NULL before the first    */
    uint32_t length; /* without the final NUL           */
    uint32_t capacity;
} mw_buffer;

void mw_buffer_init(mw_buffer *buffer, mw_alloc *alloc);
void mw_buffer_done(mw_buffer *buffer); /* accepts a zeroed struct */

/* "512 B", "12.3 KiB", "1024 MiB": as tracemalloc shows sizes. */
typedef struct mw_size_text {
    char text[24];
} mw_size_text;
mw_size_text mw_size_format(uint64_t bytes);

/* "12,345". */
mw_size_text mw_count_format(uint64_t count);
