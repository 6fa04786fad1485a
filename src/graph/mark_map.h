/* SPDX-License-Identifier: MIT
 *
 * A set of addresses that numbers its members, in about a hundredth of the memory in which they
 * lie: one bit for each 16 bytes, in leaves of a trie that exist where there are members, and a
 * running sum for every 512 bits.  So a heap can be written down by somebody who has no room for
 * a number per object.
 *
 * First addresses are added.  Then they are numbered, in the order of the addresses, from 1 on;
 * the few that are no multiples of 16 come first, in the order in which they were added.
 *
 * Members may also be put off, to be taken out again in any order: for who follows references and
 * has no room for a queue.
 */
#pragma once

#include "base/hash_index.h"

enum {
    MW_MARK_UNIT_BITS = 4,
    MW_MARK_LEAF_BITS = 16, /* of addresses in units: 1 MiB */
    MW_MARK_LEAF_WORDS = (1 << MW_MARK_LEAF_BITS) / 64,
    MW_MARK_SUM_WORDS = 8, /* words of which there is a sum */
    MW_MARK_LEAF_SUMS = MW_MARK_LEAF_WORDS / MW_MARK_SUM_WORDS,
    MW_MARK_MIDDLE_BITS = 14,
    MW_MARK_TOP_BITS = 14,
};

typedef struct mw_mark_leaf {
    uint64_t words[MW_MARK_LEAF_WORDS];
    uint32_t sums[MW_MARK_LEAF_SUMS]; /* the number before that of the first bit     */
    uint64_t *deferred;               /* owned; as `words`; NULL: none ever          */
    uint32_t deferred_count;
    uintptr_t base; /* the leaf's first address */
} mw_mark_leaf;

typedef struct mw_mark_map {
    mw_alloc *alloc;      /* borrowed                                           */
    mw_mark_leaf ***top;  /* owned, with what it points to                      */
    mw_mark_leaf **slabs; /* owned; leaves are cut from these */
    uint32_t slab_count, slab_capacity;
    mw_mark_leaf **leaves; /* owned; as they were made, by address once numbered */
    uint32_t leaf_count, leaf_capacity;
    uint32_t middle_count;
    uintptr_t *others; /* owned; [0] is none */
    uint32_t other_count, other_capacity;
    mw_hash_index other_index;
    uint32_t count;                        /* members; known once they are numbered */
    uint64_t deferred_count;               /* members that are put off               */
    uint32_t deferred_leaf, deferred_word; /* where to look for the next of these */
} mw_mark_map;

mw_status mw_mark_map_init(mw_mark_map *map, mw_alloc *alloc) MW_MUST_CHECK;
void mw_mark_map_done(mw_mark_map *map); /* accepts a zeroed struct */
size_t mw_mark_map_memory_bytes(const mw_mark_map *map);

/* Adds an address, not 0; [ret_is_new] says whether it was not there. */
mw_status mw_mark_map_add(mw_mark_map *map, uintptr_t address, bool *ret_is_new) MW_MUST_CHECK;

/* Puts a member off; not one of the others.  Once more does no harm. */
mw_status mw_mark_map_defer(mw_mark_map *map, uintptr_t address) MW_MUST_CHECK;
/* Takes one out that was put off; 0 if there is none. */
uintptr_t mw_mark_map_take_deferred(mw_mark_map *map);
/* Whether [address] can be put off. */
bool mw_mark_map_is_regular(uintptr_t address);

/* Numbers all members; MW_LIMIT if there are more than a graph has room for.  Nothing may be
 * added afterwards. */
mw_status mw_mark_map_number(mw_mark_map *map) MW_MUST_CHECK;
/* The number of [address]; 0 if it is no member. */
uint32_t mw_mark_map_find(const mw_mark_map *map, uintptr_t address);
/* The other way round; [number] is from 1 to `count`. */
uintptr_t mw_mark_map_address(const mw_mark_map *map, uint32_t number);

/* Runs through the members by rising number. */
typedef struct mw_mark_cursor {
    const mw_mark_map *map; /* borrowed */
    uint32_t other, leaf, word;
    uint64_t bits; /* of the word, that are still to come */
} mw_mark_cursor;

mw_mark_cursor mw_mark_cursor_of(const mw_mark_map *map);
/* The next address; 0 behind the last. */
uintptr_t mw_mark_cursor_next(mw_mark_cursor *cursor);
