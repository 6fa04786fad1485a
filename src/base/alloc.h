/* SPDX-License-Identifier: MIT
 *
 * The only way to memory.  Whoever allocates is given an `mw_alloc *`: inside a
 * traced process that is anonymous mappings or libc's heap (never the allocators
 * that we hook), in tests one that fails on demand.
 *
 * Contract of every implementation: memory is zeroed, aligned to 16 bytes, and
 * released with the size it was asked for, so that bytes can be counted without
 * headers.  A size of 0 is allowed and yields a valid, releasable pointer.
 */
#pragma once

#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

typedef struct mw_alloc mw_alloc;

struct mw_alloc {
    /* Returns zeroed memory, or NULL. */
    void *(*allocate)(mw_alloc *self, size_t size_bytes);
    /* Grows or shrinks [block], which may move; what is grown is zeroed.  On failure
     * returns NULL and [block] is as it was. */
    void *(*resize)(mw_alloc *self, void *block, size_t old_bytes, size_t new_bytes);
    /* [block] may be NULL. */
    void (*release)(mw_alloc *self, void *block, size_t size_bytes);
};

/* libc's heap.  Never fails its caller's process; shared and immutable. */
mw_alloc *mw_alloc_system(void);

/* Anonymous mappings, for large tables: page granularity, growth by mremap without
 * copying, memory that nobody touched costs nothing. */
mw_alloc *mw_alloc_pages(void);

/* The one for what is small, the other for what is large: for work that takes much now and then,
 * of which nothing is to stay behind in a heap that belongs to others. */
mw_alloc *mw_alloc_bursts(void);

static inline void *mw_alloc_new(mw_alloc *alloc, size_t size_bytes)
{
    return alloc->allocate(alloc, size_bytes);
}

static inline void mw_alloc_release(mw_alloc *alloc, void *block, size_t size_bytes)
{
    if (block != NULL)
        alloc->release(alloc, block, size_bytes);
}

/* An array of [count] zeroed items, or NULL when out of memory or when the product
 * does not fit in a size_t. */
void *mw_alloc_array(mw_alloc *alloc, size_t count, size_t item_bytes);

/* Makes room for at least one more item behind [count] in the growable array [*items]
 * of [*capacity] items (0 and NULL before the first), up to [maximum] items: small arrays
 * double, large ones grow by a quarter, so that what is set aside is near what is used.
 * Returns MW_LIMIT at the maximum, MW_NO_MEMORY when refused; the array is then as it
 * was. */
mw_status mw_alloc_grow(mw_alloc *alloc, void *items, uint32_t count, uint32_t *capacity,
                        size_t item_bytes, uint32_t maximum) MW_MUST_CHECK;
