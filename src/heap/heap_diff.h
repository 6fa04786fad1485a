/* SPDX-License-Identifier: MIT
 *
 * What changed between two heaps, by type or by line: rows of both are one where they are
 * called the same.
 */
#pragma once

#include "heap/heap_writer.h"

#include "base/string_pool.h"

typedef struct mw_heap_change {
    uint32_t name; /* in the difference's `names`                            */
    mw_retained_sum before;
    mw_retained_sum now;
} mw_heap_change;

typedef struct mw_heap_diff {
    mw_alloc *alloc; /* borrowed */
    mw_string_pool names;
    mw_heap_change *rows; /* owned; what changed most in bytes first  */
    uint32_t count;       /* rows of which objects or bytes changed    */
    uint32_t capacity;
    mw_heap_by by;
} mw_heap_diff;

/* One of two heaps, and how files are called there: the same program in another directory is
 * the same. */
typedef struct mw_heap_side {
    mw_heap_study *study;    /* borrowed                            */
    const mw_places *places; /* borrowed; NULL: as they are called  */
} mw_heap_side;

/* [by] TYPE or LINE; MW_UNSUPPORTED by line if one of the two does not know lines. */
mw_status mw_heap_diff_init(mw_heap_diff *ret_diff, const mw_heap_side *older,
                            const mw_heap_side *newer, mw_heap_by by) MW_MUST_CHECK;
void mw_heap_diff_done(mw_heap_diff *diff); /* accepts a zeroed struct */

/* What grew most in bytes; NULL if nothing did. */
const mw_heap_change *mw_heap_diff_growth(const mw_heap_diff *diff);

/* A table of the first [limit] rows. */
void mw_heap_diff_write(const mw_heap_diff *diff, uint32_t limit, const mw_heap_look *look,
                        mw_sink *sink);
/* The rows as a JSON array. */
void mw_heap_diff_write_json(const mw_heap_diff *diff, uint32_t limit, mw_sink *sink);
