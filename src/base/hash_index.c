/* SPDX-License-Identifier: MIT */
#include "base/hash_index.h"

#include <assert.h>

enum { FIRST_CAPACITY = 16 };
#define MAXIMUM_CAPACITY (UINT32_C(1) << 31)

void mw_hash_index_init(mw_hash_index *index, mw_alloc *alloc)
{
    *index = (mw_hash_index){.alloc = alloc};
}

void mw_hash_index_done(mw_hash_index *index)
{
    if (index->slots != NULL)
        mw_alloc_release(index->alloc, index->slots, index->capacity * sizeof *index->slots);
    *index = (mw_hash_index){.alloc = index->alloc};
}

/* The load stays at three quarters at most, so that there is always a hole to stop at. */
static bool holds(uint32_t capacity, uint64_t count)
{
    return count * 4 <= (uint64_t)capacity * 3;
}

static void put(uint64_t *slots, uint32_t capacity, uint64_t slot)
{
    uint32_t position = (uint32_t)(slot >> 32);

    while (slots[position & (capacity - 1)] != 0)
        position++;
    slots[position & (capacity - 1)] = slot;
}

static mw_status rebuild(mw_hash_index *index, uint32_t capacity)
{
    uint64_t *slots = mw_alloc_array(index->alloc, capacity, sizeof *slots);

    if (slots == NULL)
        return MW_NO_MEMORY;
    for (uint32_t i = 0; i < index->capacity; i++) {
        if (index->slots[i] != 0)
            put(slots, capacity, index->slots[i]);
    }
    mw_alloc_release(index->alloc, index->slots, index->capacity * sizeof *slots);
    index->slots = slots;
    index->capacity = capacity;
    return MW_OK;
}

mw_status mw_hash_index_reserve(mw_hash_index *index, uint32_t count)
{
    uint64_t wanted = (uint64_t)index->count + count;
    uint32_t capacity = index->capacity != 0 ? index->capacity : FIRST_CAPACITY;

    if (holds(index->capacity, wanted))
        return MW_OK;
    while (!holds(capacity, wanted)) {
        if (capacity == MAXIMUM_CAPACITY)
            return MW_LIMIT;
        capacity *= 2;
    }
    return rebuild(index, capacity);
}

void mw_hash_index_add(mw_hash_index *index, uint64_t hash, uint32_t item)
{
    assert(item != 0);
    assert(holds(index->capacity, (uint64_t)index->count + 1));
    put(index->slots, index->capacity, (hash >> 32) << 32 | item);
    index->count++;
}

bool mw_hash_index_is_consistent(const mw_hash_index *index)
{
    uint32_t found = 0;

    if ((index->capacity & (index->capacity - 1)) != 0 || !holds(index->capacity, index->count))
        return false;
    for (uint32_t i = 0; i < index->capacity; i++) {
        uint64_t slot = index->slots[i];

        if (slot != 0 && (uint32_t)slot == 0)
            return false;
        found += slot != 0;
    }
    return found == index->count;
}
