/* SPDX-License-Identifier: MIT */
#include "core/path_trie.h"

enum {
    FIRST_SLOT_BITS = 12,
    ROOT_HASH = 0x12345, /* any value but 0, so that short paths spread as well */
};

static uint32_t slot_count(const mw_path_trie *trie)
{
    return UINT32_C(1) << trie->slot_bits;
}

static void put(uint32_t *slots, uint32_t slot_bits, uint32_t hash, uint32_t number)
{
    uint32_t mask = (UINT32_C(1) << slot_bits) - 1;
    uint32_t slot = hash >> (32 - slot_bits);

    while (slots[slot] != 0)
        slot = (slot + 1) & mask;
    slots[slot] = hash << MW_PATH_INDEX_BITS | number;
}

/* Doubles the child table.  The old one stays in force if memory is refused. */
static mw_status grow_slots(mw_path_trie *trie)
{
    uint32_t bits = trie->slot_bits + 1;
    uint32_t *slots = mw_alloc_array(trie->alloc, (size_t)1 << bits, sizeof *slots);

    if (slots == NULL)
        return MW_NO_MEMORY;
    for (uint32_t number = 1; number < trie->count; number++)
        put(slots, bits, trie->nodes[number].hash, number);
    mw_alloc_release(trie->alloc, trie->slots, slot_count(trie) * sizeof *slots);
    trie->slots = slots;
    trie->slot_bits = bits;
    return MW_OK;
}

mw_status mw_path_trie_init(mw_path_trie *trie, mw_alloc *alloc)
{
    mw_status status;

    *trie = (mw_path_trie){.alloc = alloc, .slot_bits = FIRST_SLOT_BITS};
    trie->slots = mw_alloc_array(alloc, slot_count(trie), sizeof *trie->slots);
    if (trie->slots == NULL)
        return MW_NO_MEMORY;
    status = mw_alloc_grow(alloc, &trie->nodes, 0, &trie->capacity, sizeof *trie->nodes,
                           MW_PATH_MAXIMUM + 1);
    if (status != MW_OK)
        return status;
    trie->nodes[0].hash = ROOT_HASH;
    trie->count = 1;
    return MW_OK;
}

void mw_path_trie_done(mw_path_trie *trie)
{
    if (trie->alloc == NULL)
        return;
    mw_alloc_release(trie->alloc, trie->slots, slot_count(trie) * sizeof *trie->slots);
    mw_alloc_release(trie->alloc, trie->nodes, trie->capacity * sizeof *trie->nodes);
    *trie = (mw_path_trie){0};
}

mw_status mw_path_trie_add(mw_path_trie *trie, mw_path caller, mw_instruction instruction,
                           mw_path *ret_path)
{
    uint32_t number = trie->count;
    uint32_t hash = mw_path_hash(trie->nodes[caller.index].hash, instruction);
    mw_status status;

    if ((uint64_t)trie->count * 4 >= (uint64_t)slot_count(trie) * 3) {
        status = grow_slots(trie);
        if (status != MW_OK)
            return status;
    }
    status = mw_alloc_grow(trie->alloc, &trie->nodes, trie->count, &trie->capacity,
                           sizeof *trie->nodes, MW_PATH_MAXIMUM + 1);
    if (status != MW_OK)
        return status;
    trie->nodes[number] = (mw_path_node){caller.index, instruction.index, hash};
    trie->count++;
    put(trie->slots, trie->slot_bits, hash, number);
    *ret_path = (mw_path){number};
    return MW_OK;
}

bool mw_path_trie_is_consistent(const mw_path_trie *trie)
{
    uint32_t used = 0;

    for (uint32_t slot = 0; slot < slot_count(trie); slot++)
        used += trie->slots[slot] != 0;
    if (trie->count == 0 || used != trie->count - 1 || trie->count > trie->capacity ||
        (uint64_t)used * 4 > (uint64_t)slot_count(trie) * 3)
        return false;
    for (uint32_t number = 1; number < trie->count; number++) {
        const mw_path_node *node = &trie->nodes[number];
        mw_path found;

        /* Callers come before what they call, so a path always ends at the root. */
        if (node->caller >= number ||
            node->hash !=
                mw_path_hash(trie->nodes[node->caller].hash, (mw_instruction){node->instruction}))
            return false;
        found =
            mw_path_trie_find(trie, (mw_path){node->caller}, (mw_instruction){node->instruction});
        if (found.index != number)
            return false;
    }
    return true;
}

size_t mw_path_trie_memory_bytes(const mw_path_trie *trie)
{
    return slot_count(trie) * sizeof *trie->slots + trie->count * sizeof *trie->nodes;
}
