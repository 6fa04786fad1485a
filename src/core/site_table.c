/* SPDX-License-Identifier: MIT */
#include "core/site_table.h"

#include "base/mix.h"

#include <assert.h>
#include <string.h>

enum {
    FIRST_SLOT_COUNT = 1024,
    TAG_BITS = 2,
    TAG_SHIFT = 32 - TAG_BITS,
    NUMBER_MASK = (1 << TAG_SHIFT) - 1,
    DEAD_BIT = 0x8000, /* nothing lived in the site when the last epoch began */
};

_Static_assert((uint32_t)MW_SITE_MAXIMUM <= (uint32_t)NUMBER_MASK,
               "a slot holds every site number");

/* ── the index ───────────────────────────────────────────────────────────────────── */

/* Slots are as many as needed, not a power of two: the upper half of the hash, scaled,
 * is the slot, and two bits of the lower are the tag, which spares three of four looks at
 * entries of other sites. */
static uint64_t site_hash(const mw_site_entry *entry)
{
    return mw_mix_64((uint64_t)entry->path << 32 | (uint64_t)entry->domain << 16 | entry->size);
}

static uint32_t first_slot(uint64_t hash, uint32_t slot_count)
{
    return (uint32_t)((hash >> 32) * slot_count >> 32);
}

static uint32_t tag_of(uint64_t hash)
{
    return (uint32_t)hash << TAG_SHIFT;
}

static uint32_t next_slot(uint32_t slot, uint32_t slot_count)
{
    return slot + 1 != slot_count ? slot + 1 : 0;
}

static void put(uint32_t *slots, uint32_t slot_count, const mw_site_entry *entry, uint32_t number)
{
    uint64_t hash = site_hash(entry);
    uint32_t slot = first_slot(hash, slot_count);

    while (slots[slot] != 0)
        slot = next_slot(slot, slot_count);
    slots[slot] = tag_of(hash) | number;
}

static bool is_folded(const mw_site_table *table, mw_site site)
{
    return mw_site_table_entry(table, site)->size == MW_SITE_SIZE_FOLDED;
}

/* Whether the site can be found: it is of this epoch, or a folded one. */
static bool is_indexed(const mw_site_table *table, mw_site site)
{
    return is_folded(table, site) || mw_site_table_epoch(table, site) == table->epoch;
}

/* Makes the index larger by a quarter: little is empty, and writing it anew takes a few
 * nanoseconds a site.  The old one stays in force if memory is refused. */
static mw_status grow_slots(mw_site_table *table)
{
    uint32_t slot_count = table->slot_count + table->slot_count / 4;
    uint32_t *slots = mw_alloc_array(table->alloc, slot_count, sizeof *slots);

    if (slots == NULL)
        return MW_NO_MEMORY;
    for (mw_site site = mw_site_table_first(table); site.index < table->count;
         site = mw_site_table_next(table, site))
        if (is_indexed(table, site))
            put(slots, slot_count, mw_site_table_entry(table, site), site.index);
    mw_alloc_release(table->alloc, table->slots, table->slot_count * sizeof *slots);
    table->slots = slots;
    table->slot_count = slot_count;
    return MW_OK;
}

static bool is_full(const mw_site_table *table, uint32_t site_count)
{
    return (uint64_t)site_count * 5 > (uint64_t)table->slot_count * 4;
}

/* ── life ────────────────────────────────────────────────────────────────────────── */

mw_status mw_site_table_init(mw_site_table *table, mw_alloc *alloc)
{
    mw_status status;

    *table = (mw_site_table){.alloc = alloc, .slot_count = FIRST_SLOT_COUNT, .count = 1};
    table->slots = mw_alloc_array(alloc, table->slot_count, sizeof *table->slots);
    if (table->slots == NULL)
        return MW_NO_MEMORY;
    /* Here already, so that a carry has room when it comes. */
    status = mw_alloc_grow(alloc, &table->carries, 0, &table->carry_capacity,
                           sizeof *table->carries, MW_SITE_MAXIMUM);
    if (status != MW_OK)
        return status;
    return mw_alloc_grow(alloc, &table->places, 0, &table->capacity, sizeof *table->places,
                         MW_SITE_MAXIMUM);
}

void mw_site_table_done(mw_site_table *table)
{
    if (table->alloc == NULL)
        return;
    mw_alloc_release(table->alloc, table->slots, table->slot_count * sizeof *table->slots);
    mw_alloc_release(table->alloc, table->places, table->capacity * sizeof *table->places);
    mw_alloc_release(table->alloc, table->epochs, table->epoch_capacity * sizeof *table->epochs);
    mw_alloc_release(table->alloc, table->carries, table->carry_capacity * sizeof *table->carries);
    *table = (mw_site_table){0};
}

/* ── interning ───────────────────────────────────────────────────────────────────── */

void mw_site_table_limit(mw_site_table *table, const mw_budget *budget, mw_path coarse_path)
{
    table->budget = budget;
    table->coarse_path = coarse_path;
}

static bool takes_two_places(uint16_t size)
{
    return size >= MW_SITE_SIZE_FREE_PAIR;
}

/* Room for one more place and the one behind it, so that a variable site fits as well. */
static mw_status grow_places(mw_site_table *table)
{
    mw_status status = mw_alloc_grow(table->alloc, &table->places, table->count + 1,
                                     &table->capacity, sizeof *table->places, MW_SITE_MAXIMUM);

    if (status == MW_OK && table->epochs != NULL)
        status = mw_alloc_grow(table->alloc, &table->epochs, table->count + 1,
                               &table->epoch_capacity, sizeof *table->epochs, MW_SITE_MAXIMUM);
    return status;
}

/* The number of a place, or two, that a dissolved site has left, or that are new. */
static mw_status take_places(mw_site_table *table, uint16_t size, uint32_t *ret_number)
{
    uint32_t *free_list = takes_two_places(size) ? &table->free_pair : &table->free_single;
    mw_status status;

    if (*free_list != 0) {
        *ret_number = *free_list;
        *free_list = table->places[*free_list].entry.path;
        return MW_OK;
    }
    status = grow_places(table);
    if (status != MW_OK)
        return status;
    *ret_number = table->count;
    table->count += takes_two_places(size) ? 2 : 1;
    return MW_OK;
}

/* Makes a site. */
static mw_status append(mw_site_table *table, mw_site_entry entry, mw_site *ret_site)
{
    uint32_t number;
    mw_status status;

    if (is_full(table, table->indexed_count + 1)) {
        status = grow_slots(table);
        if (status != MW_OK)
            return status;
    }
    status = take_places(table, entry.size, &number);
    if (status != MW_OK)
        return status;
    table->places[number].entry = entry;
    if (takes_two_places(entry.size))
        table->places[number + 1].bytes = (mw_site_bytes){0};
    if (table->epochs != NULL)
        table->epochs[number] = (uint16_t)(entry.size == MW_SITE_SIZE_FOLDED ? 0 : table->epoch);
    table->site_count++;
    table->indexed_count++;
    put(table->slots, table->slot_count, &entry, number);
    *ret_site = (mw_site){number};
    return MW_OK;
}

/* The site that has [wanted]'s path, domain and size; 0 if there is none yet. */
static mw_site find(const mw_site_table *table, const mw_site_entry *wanted)
{
    uint64_t hash = site_hash(wanted);
    uint32_t slot = first_slot(hash, table->slot_count);
    uint32_t value;

    for (; (value = table->slots[slot]) != 0; slot = next_slot(slot, table->slot_count)) {
        mw_site site = {value & NUMBER_MASK};
        const mw_site_entry *entry = mw_site_table_entry(table, site);

        if ((value & ~(uint32_t)NUMBER_MASK) == tag_of(hash) && entry->path == wanted->path &&
            entry->size == wanted->size && entry->domain == wanted->domain)
            return site;
    }
    return (mw_site){0};
}

mw_status mw_site_table_intern(mw_site_table *table, mw_path path, uint16_t domain,
                               size_t size_bytes, mw_site *ret_site)
{
    mw_site_entry wanted = {
        .path = path.index, .size = mw_site_size_class(size_bytes), .domain = domain};
    mw_site site = find(table, &wanted);

    if (site.index == 0 && mw_budget_stage(table->budget) >= MW_STAGE_COARSE) {
        wanted.path = table->coarse_path.index;
        site = find(table, &wanted);
    }
    if (site.index == 0)
        return append(table, wanted, ret_site);
    *ret_site = site;
    return MW_OK;
}

/* ── counters ────────────────────────────────────────────────────────────────────── */

/* The carry of [site], or NULL.  There are few: each stands for four billion blocks. */
static mw_site_carry *find_carry(const mw_site_table *table, mw_site site)
{
    for (uint32_t i = 0; i < table->carry_count; i++)
        if (table->carries[i].site == site.index)
            return &table->carries[i];
    return NULL;
}

/* As find_carry, making what is missing.  NULL when memory has been refused ever since
 * all places that there were from the start were taken. */
static mw_site_carry *carry_of(mw_site_table *table, mw_site site)
{
    mw_site_carry *carry = find_carry(table, site);
    mw_status status;

    if (carry != NULL)
        return carry;
    status = mw_alloc_grow(table->alloc, &table->carries, table->carry_count,
                           &table->carry_capacity, sizeof *table->carries, MW_SITE_MAXIMUM);
    if (status != MW_OK)
        return NULL;
    carry = &table->carries[table->carry_count++];
    *carry = (mw_site_carry){.site = site.index};
    return carry;
}

void mw_site_table_carry(mw_site_table *table, const mw_site_entry *entry, uint32_t *counter)
{
    mw_site site = {(uint32_t)((const mw_site_place *)entry - table->places)};
    mw_site_carry *carry = carry_of(table, site);

    if (carry == NULL)
        *counter = UINT32_MAX;
    else if (counter == &entry->allocated)
        carry->allocated++;
    else
        carry->freed++;
}

/* Takes one from a counter of [site] that may have just come round. */
static void decrement(mw_site_table *table, mw_site site, uint32_t *counter, bool is_freed)
{
    mw_site_carry *carry = *counter == 0 ? find_carry(table, site) : NULL;

    (*counter)--;
    if (carry != NULL)
        *(is_freed ? &carry->freed : &carry->allocated) -= 1;
}

void mw_site_table_uncount(mw_site_table *table, mw_site site, size_t size_bytes)
{
    mw_site_entry *entry = mw_site_table_entry(table, site);

    decrement(table, site, &entry->allocated, false);
    decrement(table, site, &entry->freed, true);
    if (entry->size == MW_SITE_SIZE_VARIABLE) {
        mw_site_table_bytes(table, site)->allocated -= size_bytes;
        mw_site_table_bytes(table, site)->freed -= size_bytes;
    }
}

uint64_t mw_site_table_total_blocks(const mw_site_table *table, mw_site site)
{
    const mw_site_carry *carry = find_carry(table, site);

    return mw_site_table_entry(table, site)->allocated +
           (carry != NULL ? (uint64_t)carry->allocated << 32 : 0);
}

uint64_t mw_site_table_live_blocks(const mw_site_table *table, mw_site site)
{
    const mw_site_carry *carry = find_carry(table, site);

    return mw_site_table_total_blocks(table, site) - mw_site_table_entry(table, site)->freed -
           (carry != NULL ? (uint64_t)carry->freed << 32 : 0);
}

uint64_t mw_site_table_total_bytes(const mw_site_table *table, mw_site site)
{
    if (mw_site_is_variable(table, site))
        return mw_site_table_bytes(table, site)->allocated;
    return mw_site_table_total_blocks(table, site) * mw_site_table_entry(table, site)->size;
}

uint64_t mw_site_table_live_bytes(const mw_site_table *table, mw_site site)
{
    const mw_site_bytes *bytes;

    if (!mw_site_is_variable(table, site))
        return mw_site_table_live_blocks(table, site) * mw_site_table_entry(table, site)->size;
    bytes = mw_site_table_bytes(table, site);
    return bytes->allocated - bytes->freed;
}

/* ── epochs ──────────────────────────────────────────────────────────────────────── */

mw_status mw_site_table_keep_epochs(mw_site_table *table)
{
    if (table->epochs != NULL)
        return MW_OK;
    table->epochs = mw_alloc_array(table->alloc, table->capacity, sizeof *table->epochs);
    if (table->epochs == NULL)
        return MW_NO_MEMORY;
    table->epoch_capacity = table->capacity;
    return MW_OK;
}

uint32_t mw_site_table_epoch(const mw_site_table *table, mw_site site)
{
    return table->epochs != NULL ? table->epochs[site.index] & ~(uint32_t)DEAD_BIT : 0;
}

/* Empties the index, and puts those in that stay. */
static void rebuild_index(mw_site_table *table)
{
    memset(table->slots, 0, table->slot_count * sizeof *table->slots);
    table->indexed_count = 0;
    for (mw_site site = mw_site_table_first(table); site.index < table->count;
         site = mw_site_table_next(table, site)) {
        if (!is_indexed(table, site))
            continue;
        put(table->slots, table->slot_count, mw_site_table_entry(table, site), site.index);
        table->indexed_count++;
    }
}

/* The folded site of the path and domain of [entry]. */
static mw_status intern_folded(mw_site_table *table, const mw_site_entry *entry, mw_site *ret_site)
{
    mw_site_entry wanted = {
        .path = entry->path, .size = MW_SITE_SIZE_FOLDED, .domain = entry->domain};

    *ret_site = find(table, &wanted);
    return ret_site->index != 0 ? MW_OK : append(table, wanted, ret_site);
}

/* Sets both counters of a folded site; false if that wants a carry and there is no memory. */
static bool set_folded(mw_site_table *table, mw_site folded, uint64_t blocks)
{
    mw_site_entry *entry = mw_site_table_entry(table, folded);
    mw_site_carry *carry =
        blocks > UINT32_MAX ? carry_of(table, folded) : find_carry(table, folded);

    if (blocks > UINT32_MAX && carry == NULL)
        return false;
    if (carry != NULL)
        carry->allocated = carry->freed = (uint32_t)(blocks >> 32);
    entry->allocated = entry->freed = (uint32_t)blocks;
    return true;
}

static void drop_carry(mw_site_table *table, mw_site site)
{
    mw_site_carry *carry = find_carry(table, site);

    if (carry != NULL)
        *carry = table->carries[--table->carry_count];
}

static void free_places(mw_site_table *table, mw_site site)
{
    mw_site_entry *entry = mw_site_table_entry(table, site);
    bool is_pair = takes_two_places(entry->size);
    uint32_t *free_list = is_pair ? &table->free_pair : &table->free_single;

    *entry = (mw_site_entry){.path = *free_list,
                             .size = is_pair ? MW_SITE_SIZE_FREE_PAIR : MW_SITE_SIZE_FREE};
    *free_list = site.index;
    table->epochs[site.index] = 0;
    table->site_count--;
}

/* Moves what a dead site has counted to the folded one, and frees its number.  Where memory
 * is refused the site stays as it is. */
static void dissolve(mw_site_table *table, mw_site site, const mw_site_dissolving *dissolving)
{
    uint64_t bytes = mw_site_table_total_bytes(table, site);
    mw_site_entry entry = *mw_site_table_entry(table, site);
    mw_site folded;

    if (mw_site_table_total_blocks(table, site) != 0) {
        if (intern_folded(table, &entry, &folded) != MW_OK ||
            !set_folded(table, folded,
                        mw_site_table_total_blocks(table, folded) +
                            mw_site_table_total_blocks(table, site)))
            return;
        if (dissolving != NULL && !dissolving->move(dissolving->context, site, folded)) {
            (void)set_folded(table, folded,
                             mw_site_table_total_blocks(table, folded) -
                                 mw_site_table_total_blocks(table, site));
            return;
        }
        mw_site_table_bytes(table, folded)->allocated += bytes;
        mw_site_table_bytes(table, folded)->freed += bytes;
    }
    drop_carry(table, site);
    free_places(table, site);
}

/* Nothing lives in the site, and it is none of those that nothing ever does. */
static bool is_dead(const mw_site_table *table, mw_site site)
{
    return !is_folded(table, site) && mw_site_table_live_blocks(table, site) == 0;
}

void mw_site_table_begin_epoch(mw_site_table *table, uint32_t epoch, uint32_t kept,
                               const mw_site_dissolving *dissolving)
{
    assert(table->epochs != NULL && epoch > table->epoch && epoch <= MW_SITE_EPOCH_MAXIMUM);
    table->epoch = epoch;
    rebuild_index(table);
    for (mw_site site = mw_site_table_first(table); site.index < table->count;
         site = mw_site_table_next(table, site)) {
        uint16_t *mark = &table->epochs[site.index];

        if (site.index <= kept)
            continue;
        if (!is_dead(table, site))
            *mark &= (uint16_t)~DEAD_BIT;
        else if ((*mark & DEAD_BIT) == 0)
            *mark |= DEAD_BIT;
        else
            dissolve(table, site, dissolving);
    }
}

/* Room in [copy] for [count] places, and some to spare, so that copying again and again asks
 * for memory seldom. */
static mw_status reserve_copy(mw_site_table *copy, mw_alloc *alloc, const mw_site_table *table)
{
    mw_site_table made = {.alloc = alloc};

    if (copy->capacity >= table->count && copy->carry_capacity >= table->carry_count &&
        (copy->epochs != NULL || table->epochs == NULL))
        return MW_OK;
    made.capacity = made.epoch_capacity = table->count + table->count / 4;
    made.carry_capacity = table->carry_capacity;
    made.places = mw_alloc_array(alloc, made.capacity, sizeof *made.places);
    made.epochs = mw_alloc_array(alloc, made.epoch_capacity, sizeof *made.epochs);
    made.carries = mw_alloc_array(alloc, made.carry_capacity, sizeof *made.carries);
    if (made.places == NULL || made.epochs == NULL || made.carries == NULL) {
        mw_site_table_done(&made);
        return MW_NO_MEMORY;
    }
    mw_site_table_done(copy);
    *copy = made;
    return MW_OK;
}

mw_status mw_site_table_copy(const mw_site_table *table, mw_alloc *alloc, mw_site_table *copy)
{
    mw_status status = reserve_copy(copy, alloc, table);

    if (status != MW_OK)
        return status;
    memcpy(copy->places, table->places, table->count * sizeof *table->places);
    memcpy(copy->carries, table->carries, table->carry_count * sizeof *table->carries);
    if (table->epochs != NULL)
        memcpy(copy->epochs, table->epochs, table->count * sizeof *table->epochs);
    copy->count = table->count;
    copy->site_count = table->site_count;
    copy->carry_count = table->carry_count;
    copy->epoch = table->epoch;
    return MW_OK;
}

/* ── examination ─────────────────────────────────────────────────────────────────── */

static bool site_is_consistent(const mw_site_table *table, mw_site site)
{
    const mw_site_entry *entry = mw_site_table_entry(table, site);
    uint64_t live_blocks = mw_site_table_live_blocks(table, site);
    uint64_t live_bytes = mw_site_table_live_bytes(table, site);

    if (mw_site_table_epoch(table, site) > table->epoch ||
        (is_indexed(table, site) && find(table, entry).index != site.index) ||
        live_blocks > mw_site_table_total_blocks(table, site))
        return false;
    if (!mw_site_is_variable(table, site))
        return entry->size <= MW_SITE_SIZE_FIXED;
    /* Every block that a variable site counts is larger than fixed ones. */
    return live_bytes <= mw_site_table_total_bytes(table, site) &&
           live_bytes / (MW_SITE_SIZE_FIXED + 1) >= live_blocks &&
           (live_blocks != 0 || live_bytes == 0);
}

bool mw_site_table_is_consistent(const mw_site_table *table)
{
    uint32_t indexed = 0;
    uint32_t walked = 0;
    uint32_t walked_indexed = 0;

    for (uint32_t slot = 0; slot < table->slot_count; slot++)
        indexed += table->slots[slot] != 0;
    if (indexed != table->indexed_count || table->count > table->capacity ||
        (table->epochs != NULL && table->count > table->epoch_capacity) ||
        is_full(table, table->indexed_count) || table->carry_count > table->carry_capacity)
        return false;
    for (mw_site site = mw_site_table_first(table); site.index < table->count;
         site = mw_site_table_next(table, site), walked++) {
        if (!site_is_consistent(table, site))
            return false;
        walked_indexed += is_indexed(table, site);
    }
    return walked == table->site_count && walked_indexed == table->indexed_count;
}

size_t mw_site_table_memory_bytes(const mw_site_table *table)
{
    return table->slot_count * sizeof *table->slots + table->count * sizeof *table->places +
           (table->epochs != NULL ? table->count * sizeof *table->epochs : 0) +
           table->carry_count * sizeof *table->carries;
}
