/* SPDX-License-Identifier: MIT */
#include "core/address_map.h"

enum { FIRST_SLOT_COUNT = 256 };
#define SLOT_COUNT_MAXIMUM (UINT32_C(1) << 31)

void mw_address_map_init(mw_address_map *map, mw_alloc *alloc)
{
    *map = (mw_address_map){.alloc = alloc};
}

void mw_address_map_done(mw_address_map *map)
{
    if (map->alloc == NULL)
        return;
    mw_alloc_release(map->alloc, map->slots, map->slot_count * sizeof *map->slots);
    *map = (mw_address_map){0};
}

/* The slot that [address] has or would take. */
static mw_address_entry *place(const mw_address_map *map, uintptr_t address)
{
    uint32_t slot = mw_mix_scaled(address, map->slot_count);

    while (map->slots[slot].address != 0 && map->slots[slot].address != address)
        slot = mw_address_map_next(map, slot);
    return &map->slots[slot];
}

/* Makes the first slots, or a quarter more.  The old ones stay in force if memory is
 * refused. */
static bool grow(mw_address_map *map)
{
    mw_address_map grown = *map;

    grown.slot_count =
        map->slots == NULL ? FIRST_SLOT_COUNT : map->slot_count + map->slot_count / 4;
    if (grown.slot_count > SLOT_COUNT_MAXIMUM)
        return false;
    grown.slots = mw_alloc_array(map->alloc, grown.slot_count, sizeof *grown.slots);
    if (grown.slots == NULL)
        return false;
    for (uint32_t slot = 0; slot < map->slot_count; slot++)
        if (map->slots[slot].address != 0)
            *place(&grown, map->slots[slot].address) = map->slots[slot];
    mw_alloc_release(map->alloc, map->slots, map->slot_count * sizeof *map->slots);
    *map = grown;
    return true;
}

static bool holds(const mw_address_map *map, uint32_t count)
{
    return (uint64_t)count * 5 <= (uint64_t)map->slot_count * 4;
}

mw_address_entry *mw_address_map_put(mw_address_map *map, uintptr_t address)
{
    mw_address_entry *entry;

    if (address == 0 || (map->slots == NULL && !grow(map)))
        return NULL;
    entry = place(map, address);
    if (entry->address == address)
        return entry;
    if (__builtin_expect(!holds(map, map->count + 1), 0)) {
        if (!grow(map))
            return NULL;
        entry = place(map, address);
    }
    entry->address = address;
    map->count++;
    return entry;
}

/* How many slots [slot] is behind [home]. */
static uint32_t distance(const mw_address_map *map, uint32_t home, uint32_t slot)
{
    return slot >= home ? slot - home : slot + map->slot_count - home;
}

void mw_address_map_remove(mw_address_map *map, mw_address_entry *entry)
{
    uint32_t hole = (uint32_t)(entry - map->slots);

    /* Every following entry that probed past the hole moves into it, and leaves a hole
     * of its own. */
    for (uint32_t slot = mw_address_map_next(map, hole); map->slots[slot].address != 0;
         slot = mw_address_map_next(map, slot)) {
        uint32_t home = mw_mix_scaled(map->slots[slot].address, map->slot_count);

        if (distance(map, home, slot) >= distance(map, hole, slot)) {
            map->slots[hole] = map->slots[slot];
            hole = slot;
        }
    }
    map->slots[hole] = (mw_address_entry){0};
    map->count--;
}

bool mw_address_map_is_consistent(const mw_address_map *map)
{
    uint32_t used = 0;

    if (!holds(map, map->count))
        return false;
    for (uint32_t slot = 0; slot < mw_address_map_slot_count(map); slot++) {
        const mw_address_entry *entry = &map->slots[slot];

        if (entry->address == 0 && (entry->value != 0 || entry->label != 0))
            return false;
        if (entry->address == 0)
            continue;
        used++;
        if (mw_address_map_find(map, entry->address) != entry)
            return false;
    }
    return used == map->count;
}

size_t mw_address_map_memory_bytes(const mw_address_map *map)
{
    return map->slot_count * sizeof *map->slots;
}
