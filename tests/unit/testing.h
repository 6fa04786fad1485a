/* SPDX-License-Identifier: MIT
 *
 * What unit tests share: a test is a sentence, `TEST(unit, says_something)`, and main()
 * lists them with CASE.  A test that is not listed is an unused function, and that is an
 * error.
 */
#pragma once

#include "base/alloc.h"

#include <assert.h>
#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

#define TEST(unit, sentence)                                                                       \
    static void unit##_##sentence(void **unused_state __attribute__((unused)))
#define CASE(unit, sentence) cmocka_unit_test(unit##_##sentence)

#define CHECK(condition)   assert_true(condition)
#define CHECK_EQ(a, b)     assert_int_equal((a), (b))
#define CHECK_STR_EQ(a, b) assert_string_equal((a), (b))
#define CHECK_OK(call)     assert_int_equal((call), MW_OK)
/* Of doubles; cmocka compares floats. */
#define CHECK_NEAR(a, b, tolerance) assert_true(fabs((a) - (b)) <= (tolerance))

/* ── an allocator that refuses on demand ─────────────────────────────────────────── */

/* Refuses the [nth] request, counted from 0, and all that follow; checks that blocks
 * come back with their size; moves whatever is resized, so that a sanitizer sees who
 * keeps an old pointer. */
typedef struct mw_failing_alloc {
    mw_alloc base;
    size_t nth;
    size_t requests;
    size_t live_bytes;  /* asked for and not yet returned   */
    size_t live_blocks; /* counts the empty ones as well    */
} mw_failing_alloc;

/* Lies in front of each block. */
typedef union mw_failing_header {
    size_t size_bytes;
    max_align_t alignment;
} mw_failing_header;

static inline void *failing_alloc_allocate(mw_alloc *self, size_t size_bytes)
{
    mw_failing_alloc *failing = (mw_failing_alloc *)self;
    mw_failing_header *header;

    if (failing->requests++ >= failing->nth)
        return NULL;
    header = calloc(1, sizeof *header + size_bytes);
    assert_non_null(header);
    header->size_bytes = size_bytes;
    failing->live_bytes += size_bytes;
    failing->live_blocks++;
    return header + 1;
}

static inline void failing_alloc_release(mw_alloc *self, void *block, size_t size_bytes)
{
    mw_failing_alloc *failing = (mw_failing_alloc *)self;
    mw_failing_header *header = (mw_failing_header *)block - 1;

    if (block == NULL)
        return;
    assert_int_equal(header->size_bytes, size_bytes);
    failing->live_bytes -= size_bytes;
    failing->live_blocks--;
    free(header);
}

static inline void *failing_alloc_resize(mw_alloc *self, void *block, size_t old_bytes,
                                         size_t new_bytes)
{
    void *moved = failing_alloc_allocate(self, new_bytes);

    if (moved == NULL)
        return NULL;
    memcpy(moved, block, old_bytes < new_bytes ? old_bytes : new_bytes);
    failing_alloc_release(self, block, old_bytes);
    return moved;
}

static inline mw_failing_alloc mw_failing_alloc_at(size_t nth)
{
    return (mw_failing_alloc){
        .base = {failing_alloc_allocate, failing_alloc_resize, failing_alloc_release},
        .nth = nth,
    };
}

/* One that never refuses, to check sizes and count bytes. */
static inline mw_failing_alloc mw_failing_alloc_never(void)
{
    return mw_failing_alloc_at(SIZE_MAX);
}

/* ── numbers that are random, but the same in every run ──────────────────────────── */

typedef struct mw_random {
    uint64_t state;
} mw_random;

static inline mw_random mw_random_of(uint64_t seed)
{
    return (mw_random){seed * UINT64_C(0x9E3779B97F4A7C15) + 1};
}

/* From 0 to [limit] - 1 (splitmix64). */
static inline uint32_t mw_random_below(mw_random *random, uint32_t limit)
{
    uint64_t mixed = random->state += UINT64_C(0x9E3779B97F4A7C15);

    mixed = (mixed ^ (mixed >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    mixed = (mixed ^ (mixed >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (uint32_t)((mixed ^ (mixed >> 31)) % limit);
}
