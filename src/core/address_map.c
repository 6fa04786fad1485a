/* SPDX-License-Identifier: MIT */
#include "core/address_map.h"

enum { FIRST_SLOT_BITS = 8, LAST_SLOT_BITS = 31 };

void mw_address_map_init(mw_address_map *map, mw_alloc *alloc)
{
    *map = (mw_address_map){.alloc = alloc, .slot_bits = FIRST_SLOT_BITS};
}

void mw_address_map_done(mw_address_map *map)
{
    if (map->alloc == NULL)
        return;
    mw_alloc_release(map->alloc, map->slots, mw_address_map_slot_count(map) * sizeof *map->slots);
    *map = (mw_address_map){0};
}

static mw_address_entry *place(mw_address_entry *slots, uint32_t slot_bits, uintptr_t address)
{
    uint32_t mask = (UINT32_C(1) << slot_bits) - 1;
    uint32_t slot = mw_mix_slot(address, slot_bits);

    while (slots[slot].address != 0 && slots[slot].address != address)
        slot = (slot + 1) & mask;
    return &slots[slot];
}

/* Makes the first slots, or twice as many.  The old ones stay in force if memory is
 * refused. */
static bool grow(mw_address_map *map)
{
    uint32_t bits = map->slots == NULL ? map->slot_bits : map->slot_bits + 1;
    uint32_t old_count = mw_address_map_slot_count(map);
    mw_address_entry *slots;

    if (bits > LAST_SLOT_BITS)
        return false;
    slots = mw_alloc_array(map->alloc, (size_t)1 << bits, sizeof *slots);
    if (slots == NULL)
        return false;
    for (uint32_t slot = 0; slot < old_count; slot++)
        if (map->slots[slot].address != 0)
            *place(slots, bits, map->slots[slot].address) = map->slots[slot];
    mw_alloc_release(map->alloc, map->slots, old_count * sizeof *slots);
    map->slots = slots;
    map->slot_bits = bits;
    return true;
}

static bool is_full(const mw_address_map *map)
{
    return (uint64_t)(map->count + 1) * 4 > (uint64_t)mw_address_map_slot_count(map) * 3;
}

mw_address_entry *mw_address_map_put(mw_address_map *map, uintptr_t address)
{
    mw_address_entry *entry;

    if (address == 0 || (map->slots == NULL && !grow(map)))
        return NULL;
    entry = place(map->slots, map->slot_bits, address);
    if (entry->address == address)
        return entry;
    if (__builtin_expect(is_full(map), 0)) {
        if (!grow(map))
            return NULL;
        entry = place(map->slots, map->slot_bits, address);
    }
    entry->address = address;
    map->count++;
    return entry;
}

void mw_address_map_remove(mw_address_map *map, mw_address_entry *entry)
{
    uint32_t mask = mw_address_map_slot_count(map) - 1;
    uint32_t hole = (uint32_t)(entry - map->slots);

    /* Every following entry that probed past the hole moves into it, and leaves a hole
     * of its own. */
    for (uint32_t slot = (hole + 1) & mask; map->slots[slot].address != 0;
         slot = (slot + 1) & mask) {
        uint32_t home = mw_mix_slot(map->slots[slot].address, map->slot_bits);

        if (((slot - home) & mask) >= ((slot - hole) & mask)) {
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

    if ((uint64_t)map->count * 4 > (uint64_t)mw_address_map_slot_count(map) * 3)
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
    return mw_address_map_slot_count(map) * sizeof *map->slots;
}
