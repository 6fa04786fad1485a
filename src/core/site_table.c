/* SPDX-License-Identifier: MIT */
#include "core/site_table.h"

#include "base/mix.h"

enum {
    FIRST_SLOT_COUNT = 1024,
    TAG_BITS = 2,
    TAG_SHIFT = 32 - TAG_BITS,
    NUMBER_MASK = (1 << TAG_SHIFT) - 1,
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
    mw_alloc_release(table->alloc, table->carries, table->carry_capacity * sizeof *table->carries);
    *table = (mw_site_table){0};
}

/* ── interning ───────────────────────────────────────────────────────────────────── */

void mw_site_table_limit(mw_site_table *table, const mw_budget *budget, mw_path coarse_path)
{
    table->budget = budget;
    table->coarse_path = coarse_path;
}

/* Appends a site; one place more is kept free, so that a variable one fits as well. */
static mw_status append(mw_site_table *table, mw_site_entry entry, mw_site *ret_site)
{
    uint32_t number = table->count;
    mw_status status;

    if (is_full(table, table->site_count + 1)) {
        status = grow_slots(table);
        if (status != MW_OK)
            return status;
    }
    status = mw_alloc_grow(table->alloc, &table->places, table->count + 1, &table->capacity,
                           sizeof *table->places, MW_SITE_MAXIMUM);
    if (status != MW_OK)
        return status;
    table->places[number].entry = entry;
    table->count += entry.size == MW_SITE_SIZE_VARIABLE ? 2 : 1;
    table->site_count++;
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

/* ── examination ─────────────────────────────────────────────────────────────────── */

static bool site_is_consistent(const mw_site_table *table, mw_site site)
{
    const mw_site_entry *entry = mw_site_table_entry(table, site);
    uint64_t live_blocks = mw_site_table_live_blocks(table, site);
    uint64_t live_bytes = mw_site_table_live_bytes(table, site);

    if (find(table, entry).index != site.index ||
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

    for (uint32_t slot = 0; slot < table->slot_count; slot++)
        indexed += table->slots[slot] != 0;
    if (indexed != table->site_count || table->count > table->capacity ||
        is_full(table, table->site_count) || table->carry_count > table->carry_capacity)
        return false;
    for (mw_site site = mw_site_table_first(table); site.index < table->count;
         site = mw_site_table_next(table, site), walked++)
        if (!site_is_consistent(table, site))
            return false;
    return walked == table->site_count;
}

size_t mw_site_table_memory_bytes(const mw_site_table *table)
{
    return table->slot_count * sizeof *table->slots + table->count * sizeof *table->places +
           table->carry_count * sizeof *table->carries;
}
