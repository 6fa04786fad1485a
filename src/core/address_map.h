/* SPDX-License-Identifier: MIT
 *
 * What we know about addresses: a hash table from any address to a value and a label.
 * Live blocks that lie in no known pool (size and site), code objects (their first
 * instruction and their number), instructions (their number).
 *
 * Open addressing with linear probing, four fifths full at most, growing by a quarter: a
 * program with many large blocks pays 30 to 38 bytes for each.  Deletion shifts the following entries back, so
 * there are no tombstones and a table that has emptied is as fast as a new one.
 * Not thread-safe; whoever owns the map owns its guard.
 */
#pragma once

#include "base/alloc.h"
#include "base/mix.h"
#include "core/ids.h"

#include <stdbool.h>

typedef struct mw_address_entry {
    uintptr_t address; /* 0 marks a hole               */
    uint64_t value;    /* of a block: its size in bytes */
    uint32_t label;    /* of a block: its label         */
    uint32_t spare;
} mw_address_entry;

typedef struct mw_address_map {
    mw_alloc *alloc;         /* borrowed                                             */
    mw_address_entry *slots; /* owned; or NULL before the first                      */
    uint32_t slot_count;
    uint32_t count; /* at most 4/5 of the slots */
} mw_address_map;

void mw_address_map_init(mw_address_map *map, mw_alloc *alloc); /* allocates nothing */
void mw_address_map_done(mw_address_map *map);                  /* accepts a zeroed struct */
bool mw_address_map_is_consistent(const mw_address_map *map);
size_t mw_address_map_memory_bytes(const mw_address_map *map);

/* The entry of [address], added with value 0 and label 0 if it is not there; the pointer
 * holds until the next call that changes the map.  NULL when memory is refused, and for
 * address 0, which marks holes. */
mw_address_entry *mw_address_map_put(mw_address_map *map, uintptr_t address);

/* Removes [entry], which the map has just handed out. */
void mw_address_map_remove(mw_address_map *map, mw_address_entry *entry);

static inline uint32_t mw_address_map_slot_count(const mw_address_map *map)
{
    return map->slot_count;
}

static inline uint32_t mw_address_map_next(const mw_address_map *map, uint32_t slot)
{
    return slot + 1 != map->slot_count ? slot + 1 : 0;
}

/* The entry of [address], or NULL. */
static inline mw_address_entry *mw_address_map_find(const mw_address_map *map, uintptr_t address)
{
    uint32_t slot;

    if (map->count == 0)
        return NULL;
    for (slot = mw_mix_scaled(address, map->slot_count);; slot = mw_address_map_next(map, slot)) {
        mw_address_entry *entry = &map->slots[slot];

        /* First this: a hole is not the entry of address 0. */
        if (entry->address == 0)
            return NULL;
        if (entry->address == address)
            return entry;
    }
}
