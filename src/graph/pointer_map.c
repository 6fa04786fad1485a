/* SPDX-License-Identifier: MIT */
#include "graph/pointer_map.h"

#include "base/hash.h"

enum {
    TOP_BYTES = sizeof(uint32_t **) << MW_POINTER_TOP_BITS,
    MIDDLE_BYTES = sizeof(uint32_t *) << MW_POINTER_MIDDLE_BITS,
    LEAF_NUMBERS = 1 << MW_POINTER_LEAF_BITS,
    SLAB_LEAVES = 256, /* 4 MiB, so that huge pages fit */
    SLAB_BYTES = SLAB_LEAVES * LEAF_NUMBERS * (int)sizeof(uint32_t),
    FIRST_OTHERS = 1024,
};

mw_status mw_pointer_map_init(mw_pointer_map *map, mw_alloc *alloc)
{
    *map = (mw_pointer_map){.alloc = alloc};
    map->top = mw_alloc_new(alloc, TOP_BYTES);
    return map->top != NULL ? MW_OK : MW_NO_MEMORY;
}

void mw_pointer_map_done(mw_pointer_map *map)
{
    mw_alloc *alloc = map->alloc;

    if (alloc == NULL)
        return;
    for (uint32_t i = 0; map->top != NULL && i < 1 << MW_POINTER_TOP_BITS; i++)
        mw_alloc_release(alloc, map->top[i], MIDDLE_BYTES);
    for (uint32_t i = 0; i < map->slab_count; i++)
        mw_alloc_release(alloc, map->slabs[i], SLAB_BYTES);
    mw_alloc_release(alloc, map->top, TOP_BYTES);
    mw_alloc_release(alloc, map->slabs, map->slab_capacity * sizeof *map->slabs);
    mw_alloc_release(alloc, map->others, map->other_capacity * sizeof *map->others);
    *map = (mw_pointer_map){0};
}

size_t mw_pointer_map_memory_bytes(const mw_pointer_map *map)
{
    return (size_t)map->slab_count * SLAB_BYTES -
           map->leaves_left * LEAF_NUMBERS * sizeof(uint32_t) +
           map->other_capacity * sizeof *map->others; /* the upper tables are sparse */
}

/* ── the trie ────────────────────────────────────────────────────────────────────── */

static uint32_t *new_leaf(mw_pointer_map *map)
{
    if (map->leaves_left == 0) {
        uint32_t *slab;

        if (mw_alloc_grow(map->alloc, &map->slabs, map->slab_count, &map->slab_capacity,
                          sizeof *map->slabs, UINT32_MAX) != MW_OK)
            return NULL;
        slab = mw_alloc_new(map->alloc, SLAB_BYTES);
        if (slab == NULL)
            return NULL;
        map->slabs[map->slab_count++] = slab;
        map->leaves_left = SLAB_LEAVES;
    }
    map->leaves_left--;
    return map->slabs[map->slab_count - 1] + (size_t)map->leaves_left * LEAF_NUMBERS;
}

static uint32_t *make_leaf_slot(mw_pointer_map *map, uintptr_t address)
{
    uintptr_t number = address >> (MW_POINTER_UNIT_BITS + MW_POINTER_LEAF_BITS);
    uint32_t ***middle = &map->top[number >> MW_POINTER_MIDDLE_BITS];
    uint32_t **leaf;

    if (*middle == NULL)
        *middle = mw_alloc_new(map->alloc, MIDDLE_BYTES);
    if (*middle == NULL)
        return NULL;
    leaf = &(*middle)[number & ((1 << MW_POINTER_MIDDLE_BITS) - 1)];
    if (*leaf == NULL)
        *leaf = new_leaf(map);
    if (*leaf == NULL)
        return NULL;
    return &(*leaf)[address >> MW_POINTER_UNIT_BITS & (LEAF_NUMBERS - 1)];
}

/* ── the others ──────────────────────────────────────────────────────────────────── */

static mw_pointer_other *other_place(const mw_pointer_map *map, uintptr_t address)
{
    uint32_t mask = map->other_capacity - 1;
    uint32_t at = (uint32_t)mw_hash_combine(address, MW_HASH_FIRST) & mask;

    while (map->others[at].address != 0 && map->others[at].address != address)
        at = (at + 1) & mask;
    return &map->others[at];
}

static bool grow_others(mw_pointer_map *map)
{
    mw_pointer_map grown = *map;

    grown.other_capacity = map->other_capacity != 0 ? map->other_capacity * 2 : FIRST_OTHERS;
    grown.others = mw_alloc_array(map->alloc, grown.other_capacity, sizeof *grown.others);
    if (grown.others == NULL)
        return false;
    for (uint32_t i = 0; i < map->other_capacity; i++)
        if (map->others[i].address != 0)
            *other_place(&grown, map->others[i].address) = map->others[i];
    mw_alloc_release(map->alloc, map->others, map->other_capacity * sizeof *map->others);
    *map = grown;
    return true;
}

static bool is_for_trie(uintptr_t address)
{
    return address % (1 << MW_POINTER_UNIT_BITS) == 0 &&
           address >> (MW_POINTER_TOP_BITS + MW_POINTER_MIDDLE_BITS + MW_POINTER_LEAF_BITS +
                       MW_POINTER_UNIT_BITS) ==
               0;
}

uint32_t *mw_pointer_map_make_slot(mw_pointer_map *map, uintptr_t address)
{
    mw_pointer_other *other;

    if (is_for_trie(address))
        return make_leaf_slot(map, address);
    if (map->other_count >= map->other_capacity / 2 && !grow_others(map))
        return NULL;
    other = other_place(map, address);
    if (other->address == 0) {
        other->address = address;
        map->other_count++;
    }
    return &other->number;
}

uint32_t mw_pointer_map_find(const mw_pointer_map *map, uintptr_t address)
{
    const uint32_t *slot;

    if (is_for_trie(address)) {
        slot = mw_pointer_map_peek(map, address);
        return slot != NULL ? *slot : 0;
    }
    return map->other_capacity != 0 ? other_place(map, address)->number : 0;
}
