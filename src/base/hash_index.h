/* SPDX-License-Identifier: MIT
 *
 * Finds items of somebody else's array by hash.  Keys stay in the array: the index
 * holds item numbers only (never 0, which everywhere means "none") and leaves it to
 * the caller to compare keys, so one small table serves every interned type.
 *
 *     mw_hash_probe probe = mw_hash_probe_start(hash);
 *     while ((item = mw_hash_index_next(&index, &probe)) != 0)
 *         if (items[item] is what I look for)
 *             return item;
 *
 * Open addressing with linear probing.  A slot keeps half of the hash beside the
 * number: items of other hashes are passed without touching the array, and growing
 * the table needs no hash to be computed again.
 */
#pragma once

#include "base/alloc.h"

#include <stdbool.h>

typedef struct mw_hash_index {
    mw_alloc *alloc;   /* borrowed; outlives the index                         */
    uint64_t *slots;   /* owned; tag in the upper half, item in the lower, or 0 */
    uint32_t capacity; /* a power of two, or 0 before the first item           */
    uint32_t count;    /* at most 3/4 of capacity                              */
} mw_hash_index;

/* A place in the row of slots that items with one hash can be in. */
typedef struct mw_hash_probe {
    uint32_t tag;
    uint32_t step;
} mw_hash_probe;

void mw_hash_index_init(mw_hash_index *index, mw_alloc *alloc);
void mw_hash_index_done(mw_hash_index *index); /* accepts a zeroed struct */

/* Makes room for [count] more items.  MW_LIMIT above three quarters of 2^31. */
mw_status mw_hash_index_reserve(mw_hash_index *index, uint32_t count) MW_MUST_CHECK;

/* Adds an item that is not in the index; room has been reserved. */
void mw_hash_index_add(mw_hash_index *index, uint64_t hash, uint32_t item);

bool mw_hash_index_is_consistent(const mw_hash_index *index);

static inline mw_hash_probe mw_hash_probe_start(uint64_t hash)
{
    return (mw_hash_probe){.tag = (uint32_t)(hash >> 32), .step = 0};
}

/* The next item that may have the probe's hash, or 0 when there is none left. */
static inline uint32_t mw_hash_index_next(const mw_hash_index *index, mw_hash_probe *probe)
{
    uint64_t slot;

    if (index->capacity == 0)
        return 0;
    do {
        slot = index->slots[(probe->tag + probe->step) & (index->capacity - 1)];
        probe->step++;
    } while (slot != 0 && (uint32_t)(slot >> 32) != probe->tag);
    return (uint32_t)slot;
}
