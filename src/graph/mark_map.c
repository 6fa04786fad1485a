/* SPDX-License-Identifier: MIT */
#include "graph/mark_map.h"

#include "base/hash.h"
#include "graph/object_graph.h"

enum {
    LEAF_SHIFT = MW_MARK_UNIT_BITS + MW_MARK_LEAF_BITS,
    TOP_SHIFT = LEAF_SHIFT + MW_MARK_MIDDLE_BITS,
    ADDRESS_BITS = TOP_SHIFT + MW_MARK_TOP_BITS,
    TOP_BYTES = sizeof(mw_mark_leaf **) << MW_MARK_TOP_BITS,
    MIDDLE_BYTES = sizeof(mw_mark_leaf *) << MW_MARK_MIDDLE_BITS,
    DEFERRED_BYTES = MW_MARK_LEAF_WORDS * sizeof(uint64_t),
    WORD_BITS = 64,
    SLAB_LEAVES = 32, /* of one request: what is not touched costs nothing */
};

/* ── life ────────────────────────────────────────────────────────────────────────── */

mw_status mw_mark_map_init(mw_mark_map *map, mw_alloc *alloc)
{
    mw_status status;

    *map = (mw_mark_map){.alloc = alloc, .other_count = 1};
    mw_hash_index_init(&map->other_index, alloc);
    map->top = mw_alloc_new(alloc, TOP_BYTES);
    status = mw_alloc_grow(alloc, &map->others, 0, &map->other_capacity, sizeof *map->others,
                           UINT32_MAX);
    if (status == MW_OK && map->top == NULL)
        status = MW_NO_MEMORY;
    if (status != MW_OK)
        mw_mark_map_done(map);
    return status;
}

void mw_mark_map_done(mw_mark_map *map)
{
    mw_alloc *alloc = map->alloc;

    if (alloc == NULL)
        return;
    for (uint32_t i = 0; i < map->leaf_count; i++)
        mw_alloc_release(alloc, map->leaves[i]->deferred, DEFERRED_BYTES);
    for (uint32_t i = 0; i < map->slab_count; i++)
        mw_alloc_release(alloc, map->slabs[i], SLAB_LEAVES * sizeof **map->slabs);
    for (uint32_t i = 0; map->top != NULL && i < 1 << MW_MARK_TOP_BITS; i++)
        mw_alloc_release(alloc, map->top[i], MIDDLE_BYTES);
    mw_alloc_release(alloc, map->top, TOP_BYTES);
    mw_alloc_release(alloc, map->slabs, map->slab_capacity * sizeof *map->slabs);
    mw_alloc_release(alloc, map->leaves, map->leaf_capacity * sizeof *map->leaves);
    mw_alloc_release(alloc, map->others, map->other_capacity * sizeof *map->others);
    mw_hash_index_done(&map->other_index);
    *map = (mw_mark_map){0};
}

size_t mw_mark_map_memory_bytes(const mw_mark_map *map)
{
    size_t bytes = map->leaf_count * (sizeof(mw_mark_leaf) + sizeof *map->leaves) +
                   map->other_capacity * sizeof *map->others +
                   map->other_index.capacity * sizeof *map->other_index.slots;

    for (uint32_t i = 0; i < map->leaf_count; i++)
        bytes += map->leaves[i]->deferred != NULL ? DEFERRED_BYTES : 0;
    return bytes; /* the upper tables are sparse */
}

/* ── leaves ──────────────────────────────────────────────────────────────────────── */

bool mw_mark_map_is_regular(uintptr_t address)
{
    return address % (1 << MW_MARK_UNIT_BITS) == 0 && address >> ADDRESS_BITS == 0;
}

static inline mw_mark_leaf *find_leaf(const mw_mark_map *map, uintptr_t address)
{
    mw_mark_leaf **middle = map->top[address >> TOP_SHIFT];

    return middle != NULL ? middle[address >> LEAF_SHIFT & ((1 << MW_MARK_MIDDLE_BITS) - 1)] : NULL;
}

static inline uint32_t unit_of(uintptr_t address)
{
    return (uint32_t)(address >> MW_MARK_UNIT_BITS) & ((1 << MW_MARK_LEAF_BITS) - 1);
}

static mw_mark_leaf *cut_leaf(mw_mark_map *map)
{
    mw_mark_leaf *slab;

    if (map->leaf_count == map->slab_count * SLAB_LEAVES) {
        if (mw_alloc_grow(map->alloc, &map->slabs, map->slab_count, &map->slab_capacity,
                          sizeof *map->slabs, UINT32_MAX) != MW_OK)
            return NULL;
        slab = mw_alloc_array(map->alloc, SLAB_LEAVES, sizeof *slab);
        if (slab == NULL)
            return NULL;
        map->slabs[map->slab_count++] = slab;
    }
    slab = map->slabs[map->slab_count - 1];
    return slab + map->leaf_count % SLAB_LEAVES;
}

static mw_mark_leaf *make_leaf(mw_mark_map *map, uintptr_t address)
{
    mw_mark_leaf ***middle = &map->top[address >> TOP_SHIFT];
    mw_mark_leaf *leaf;

    if (*middle == NULL)
        *middle = mw_alloc_new(map->alloc, MIDDLE_BYTES);
    if (*middle == NULL ||
        mw_alloc_grow(map->alloc, &map->leaves, map->leaf_count, &map->leaf_capacity,
                      sizeof *map->leaves, UINT32_MAX) != MW_OK)
        return NULL;
    leaf = cut_leaf(map);
    if (leaf == NULL)
        return NULL;
    leaf->base = address >> LEAF_SHIFT << LEAF_SHIFT;
    map->leaves[map->leaf_count++] = leaf;
    (*middle)[address >> LEAF_SHIFT & ((1 << MW_MARK_MIDDLE_BITS) - 1)] = leaf;
    return leaf;
}

/* ── adding ──────────────────────────────────────────────────────────────────────── */

static uint32_t find_other(const mw_mark_map *map, uintptr_t address)
{
    mw_hash_probe probe = mw_hash_probe_start(mw_hash_combine(address, MW_HASH_FIRST));
    uint32_t item;

    while ((item = mw_hash_index_next(&map->other_index, &probe)) != 0)
        if (map->others[item] == address)
            return item;
    return 0;
}

static mw_status add_other(mw_mark_map *map, uintptr_t address, bool *ret_is_new)
{
    mw_status status;

    *ret_is_new = find_other(map, address) == 0;
    if (!*ret_is_new)
        return MW_OK;
    status = mw_alloc_grow(map->alloc, &map->others, map->other_count, &map->other_capacity,
                           sizeof *map->others, MW_GRAPH_NODE_MAXIMUM);
    if (status == MW_OK)
        status = mw_hash_index_reserve(&map->other_index, 1);
    if (status != MW_OK)
        return status;
    map->others[map->other_count] = address;
    mw_hash_index_add(&map->other_index, mw_hash_combine(address, MW_HASH_FIRST),
                      map->other_count++);
    return MW_OK;
}

mw_status mw_mark_map_add(mw_mark_map *map, uintptr_t address, bool *ret_is_new)
{
    uint32_t unit = unit_of(address);
    mw_mark_leaf *leaf;
    uint64_t bit;

    if (__builtin_expect(!mw_mark_map_is_regular(address), 0))
        return add_other(map, address, ret_is_new);
    leaf = find_leaf(map, address);
    if (__builtin_expect(leaf == NULL, 0))
        leaf = make_leaf(map, address);
    if (leaf == NULL)
        return MW_NO_MEMORY;
    bit = UINT64_C(1) << unit % WORD_BITS;
    *ret_is_new = (leaf->words[unit / WORD_BITS] & bit) == 0;
    leaf->words[unit / WORD_BITS] |= bit;
    return MW_OK;
}

/* ── putting off ─────────────────────────────────────────────────────────────────── */

mw_status mw_mark_map_defer(mw_mark_map *map, uintptr_t address)
{
    mw_mark_leaf *leaf = find_leaf(map, address);
    uint32_t unit = unit_of(address);
    uint64_t bit = UINT64_C(1) << unit % WORD_BITS;

    if (leaf->deferred == NULL)
        leaf->deferred = mw_alloc_new(map->alloc, DEFERRED_BYTES);
    if (leaf->deferred == NULL)
        return MW_NO_MEMORY;
    if ((leaf->deferred[unit / WORD_BITS] & bit) != 0)
        return MW_OK;
    leaf->deferred[unit / WORD_BITS] |= bit;
    leaf->deferred_count++;
    map->deferred_count++;
    return MW_OK;
}

static uintptr_t address_in(const mw_mark_leaf *leaf, uint32_t word, uint64_t bits)
{
    uintptr_t unit = word * WORD_BITS + (uint32_t)__builtin_ctzll(bits);

    return leaf->base + (unit << MW_MARK_UNIT_BITS);
}

static uintptr_t take_lowest(mw_mark_leaf *leaf, uint32_t word)
{
    uint64_t bits = leaf->deferred[word];

    leaf->deferred[word] = bits & (bits - 1);
    return address_in(leaf, word, bits);
}

/* From where the last was found: what lies behind it comes round again. */
static uintptr_t take_from(mw_mark_map *map, mw_mark_leaf *leaf)
{
    while (leaf->deferred[map->deferred_word] == 0)
        map->deferred_word = (map->deferred_word + 1) % MW_MARK_LEAF_WORDS;
    leaf->deferred_count--;
    map->deferred_count--;
    return take_lowest(leaf, map->deferred_word);
}

uintptr_t mw_mark_map_take_deferred(mw_mark_map *map)
{
    if (map->deferred_count == 0)
        return 0;
    while (map->leaves[map->deferred_leaf]->deferred_count == 0)
        map->deferred_leaf = (map->deferred_leaf + 1) % map->leaf_count;
    return take_from(map, map->leaves[map->deferred_leaf]);
}

/* ── numbers ─────────────────────────────────────────────────────────────────────── */

/* Leaves come nearly in order, a heap sort takes what comes. */
static void sift_down(mw_mark_leaf **leaves, uint32_t at, uint32_t count)
{
    while (2 * at + 1 < count) {
        uint32_t child = 2 * at + 1;
        mw_mark_leaf *moved = leaves[at];

        if (child + 1 < count && leaves[child + 1]->base > leaves[child]->base)
            child++;
        if (moved->base >= leaves[child]->base)
            return;
        leaves[at] = leaves[child];
        leaves[child] = moved;
        at = child;
    }
}

/* libc's qsort() may ask for memory. */
static void sort_leaves(mw_mark_leaf **leaves, uint32_t count)
{
    for (uint32_t i = count / 2; i-- > 0;)
        sift_down(leaves, i, count);
    for (uint32_t last = count; last > 1; last--) {
        mw_mark_leaf *greatest = leaves[0];

        leaves[0] = leaves[last - 1];
        leaves[last - 1] = greatest;
        sift_down(leaves, 0, last - 1);
    }
}

static uint64_t number_leaf(mw_mark_leaf *leaf, uint64_t before)
{
    for (uint32_t word = 0; word < MW_MARK_LEAF_WORDS; word++) {
        if (word % MW_MARK_SUM_WORDS == 0)
            leaf->sums[word / MW_MARK_SUM_WORDS] = (uint32_t)before;
        before += (uint64_t)__builtin_popcountll(leaf->words[word]);
    }
    return before;
}

mw_status mw_mark_map_number(mw_mark_map *map)
{
    uint64_t count = map->other_count - 1;

    sort_leaves(map->leaves, map->leaf_count);
    for (uint32_t i = 0; i < map->leaf_count; i++) {
        count = number_leaf(map->leaves[i], count);
        if (count >= MW_GRAPH_NODE_MAXIMUM)
            return MW_LIMIT;
    }
    map->count = (uint32_t)count;
    return MW_OK;
}

uint32_t mw_mark_map_find(const mw_mark_map *map, uintptr_t address)
{
    uint32_t unit = unit_of(address), word = unit / WORD_BITS;
    const mw_mark_leaf *leaf;
    uint64_t bit = UINT64_C(1) << unit % WORD_BITS;
    uint32_t number;

    if (__builtin_expect(!mw_mark_map_is_regular(address), 0))
        return find_other(map, address);
    leaf = find_leaf(map, address);
    if (leaf == NULL || (leaf->words[word] & bit) == 0)
        return 0;
    number = leaf->sums[word / MW_MARK_SUM_WORDS];
    for (uint32_t i = word - word % MW_MARK_SUM_WORDS; i < word; i++)
        number += (uint32_t)__builtin_popcountll(leaf->words[i]);
    return number + (uint32_t)__builtin_popcountll(leaf->words[word] & (bit - 1)) + 1;
}

/* The last leaf whose first number is not above [number]. */
static const mw_mark_leaf *leaf_of(const mw_mark_map *map, uint32_t number)
{
    uint32_t low = 0, high = map->leaf_count;

    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;

        if (map->leaves[middle]->sums[0] < number)
            low = middle;
        else
            high = middle;
    }
    return map->leaves[low];
}

uintptr_t mw_mark_map_address(const mw_mark_map *map, uint32_t number)
{
    const mw_mark_leaf *leaf;
    uint32_t before, word = 0;
    uint64_t bits;

    if (number < map->other_count)
        return map->others[number];
    leaf = leaf_of(map, number);
    before = leaf->sums[0];
    while (before + (uint32_t)__builtin_popcountll(leaf->words[word]) < number)
        before += (uint32_t)__builtin_popcountll(leaf->words[word++]);
    bits = leaf->words[word];
    for (; before + 1 < number; before++)
        bits &= bits - 1;
    return address_in(leaf, word, bits);
}

mw_mark_cursor mw_mark_cursor_of(const mw_mark_map *map)
{
    return (mw_mark_cursor){
        .map = map, .other = 1, .bits = map->leaf_count != 0 ? map->leaves[0]->words[0] : 0};
}

uintptr_t mw_mark_cursor_next(mw_mark_cursor *cursor)
{
    const mw_mark_map *map = cursor->map;
    uintptr_t address;

    if (cursor->other < map->other_count)
        return map->others[cursor->other++];
    if (cursor->leaf >= map->leaf_count)
        return 0;
    while (cursor->bits == 0) {
        if (++cursor->word == MW_MARK_LEAF_WORDS) {
            cursor->word = 0;
            if (++cursor->leaf >= map->leaf_count)
                return 0;
        }
        cursor->bits = map->leaves[cursor->leaf]->words[cursor->word];
    }
    address = address_in(map->leaves[cursor->leaf], cursor->word, cursor->bits);
    cursor->bits &= cursor->bits - 1;
    return address;
}
