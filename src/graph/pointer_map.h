/* SPDX-License-Identifier: MIT
 *
 * Address → node number, for every object of a heap.  A trie by the address, without keys:
 * objects that are neighbours in memory share a cache line of numbers, and nothing is
 * hashed or compared.
 *
 *   address bits 47…32   index into the top, 512 KiB of untouched zeros
 *                31…16   index into a middle table (512 KiB, touched sparsely)
 *                15…4    index into a leaf of 4096 numbers, 64 KiB of address space
 *                 3…0    must be 0, else the address goes into a small hash table: static
 *                        objects, and what the maker marks in the lowest bit
 *
 * 4 bytes for each 16 bytes of memory in which objects lie.
 */
#pragma once

#include "base/alloc.h"

#include <stdbool.h>

enum {
    MW_POINTER_LEAF_BITS = 12,
    MW_POINTER_MIDDLE_BITS = 16,
    MW_POINTER_TOP_BITS = 16,
    MW_POINTER_UNIT_BITS = 4,
};

typedef struct mw_pointer_other {
    uintptr_t address; /* 0: a hole */
    uint32_t number;
} mw_pointer_other;

typedef struct mw_pointer_map {
    mw_alloc *alloc;  /* borrowed; of pages                                       */
    uint32_t ***top;  /* owned, with what it points to                            */
    uint32_t **slabs; /* owned: leaves are cut from these                         */
    uint32_t slab_count, slab_capacity;
    uint32_t leaves_left; /* in the last slab                                         */
    uint32_t middle_count;
    mw_pointer_other *others; /* owned; open addressing, filled to one half at most   */
    uint32_t other_count;
    uint32_t other_capacity; /* a power of two, or 0                                  */
} mw_pointer_map;

mw_status mw_pointer_map_init(mw_pointer_map *map, mw_alloc *alloc) MW_MUST_CHECK;
void mw_pointer_map_done(mw_pointer_map *map); /* accepts a zeroed struct */
size_t mw_pointer_map_memory_bytes(const mw_pointer_map *map);

/* The slow ways, out of line; NULL when out of memory. */
uint32_t *mw_pointer_map_make_slot(mw_pointer_map *map, uintptr_t address);

/* Where the number of [address] stands, or NULL if its neighbourhood has none yet, or if it
 * is none for the trie. */
static inline uint32_t *mw_pointer_map_peek(const mw_pointer_map *map, uintptr_t address)
{
    const int leaf_shift = MW_POINTER_UNIT_BITS;
    const int middle_shift = leaf_shift + MW_POINTER_LEAF_BITS;
    const int top_shift = middle_shift + MW_POINTER_MIDDLE_BITS;
    uint32_t **middle;
    uint32_t *leaf;

    if (__builtin_expect((address & ((1 << MW_POINTER_UNIT_BITS) - 1)) != 0, 0) ||
        __builtin_expect(address >> (top_shift + MW_POINTER_TOP_BITS) != 0, 0))
        return NULL;
    middle = map->top[address >> top_shift];
    if (__builtin_expect(middle == NULL, 0))
        return NULL;
    leaf = middle[address >> middle_shift & ((1 << MW_POINTER_MIDDLE_BITS) - 1)];
    if (__builtin_expect(leaf == NULL, 0))
        return NULL;
    return &leaf[address >> leaf_shift & ((1 << MW_POINTER_LEAF_BITS) - 1)];
}

/* Where the number of [address] stands, 0 if it has none yet; NULL when out of memory. */
static inline uint32_t *mw_pointer_map_slot(mw_pointer_map *map, uintptr_t address)
{
    uint32_t *slot = mw_pointer_map_peek(map, address);

    return __builtin_expect(slot != NULL, 1) ? slot : mw_pointer_map_make_slot(map, address);
}

/* The number of [address]; 0 if it has none. */
uint32_t mw_pointer_map_find(const mw_pointer_map *map, uintptr_t address);
