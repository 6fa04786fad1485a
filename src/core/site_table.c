/* SPDX-License-Identifier: MIT */
#include "core/site_table.h"

#include "base/mix.h"

enum { FIRST_SLOT_BITS = 10 };

static uint32_t slot_count(const mw_site_table *table)
{
    return UINT32_C(1) << table->slot_bits;
}

static uint32_t first_slot(uint32_t path, uint16_t domain, uint16_t size, uint32_t slot_bits)
{
    uint64_t key = (uint64_t)path << 32 | (uint64_t)domain << 16 | size;

    return (uint32_t)(mw_mix_64(key) >> (64 - slot_bits));
}

static void put(uint32_t *slots, uint32_t slot_bits, const mw_site_entry *entry, uint32_t number)
{
    uint32_t mask = (UINT32_C(1) << slot_bits) - 1;
    uint32_t slot = first_slot(entry->path, entry->domain, entry->size, slot_bits);

    while (slots[slot] != 0)
        slot = (slot + 1) & mask;
    slots[slot] = number;
}

/* Doubles the index.  The old one stays in force if memory is refused. */
static mw_status grow_slots(mw_site_table *table)
{
    uint32_t bits = table->slot_bits + 1;
    uint32_t *slots = mw_alloc_array(table->alloc, (size_t)1 << bits, sizeof *slots);

    if (slots == NULL)
        return MW_NO_MEMORY;
    for (mw_site site = mw_site_table_first(table); site.index < table->count;
         site = mw_site_table_next(table, site))
        put(slots, bits, mw_site_table_entry(table, site), site.index);
    mw_alloc_release(table->alloc, table->slots, slot_count(table) * sizeof *slots);
    table->slots = slots;
    table->slot_bits = bits;
    return MW_OK;
}

mw_status mw_site_table_init(mw_site_table *table, mw_alloc *alloc)
{
    *table = (mw_site_table){.alloc = alloc, .slot_bits = FIRST_SLOT_BITS, .count = 1};
    table->slots = mw_alloc_array(alloc, slot_count(table), sizeof *table->slots);
    if (table->slots == NULL)
        return MW_NO_MEMORY;
    return mw_alloc_grow(alloc, &table->places, 0, &table->capacity, sizeof *table->places,
                         MW_SITE_MAXIMUM);
}

void mw_site_table_done(mw_site_table *table)
{
    if (table->alloc == NULL)
        return;
    mw_alloc_release(table->alloc, table->slots, slot_count(table) * sizeof *table->slots);
    mw_alloc_release(table->alloc, table->places, table->capacity * sizeof *table->places);
    *table = (mw_site_table){0};
}

/* Appends a site; one place more is kept free, so that a variable one fits as well. */
static mw_status append(mw_site_table *table, mw_site_entry entry, mw_site *ret_site)
{
    uint32_t number = table->count;
    mw_status status;

    if ((uint64_t)(table->site_count + 1) * 4 >= (uint64_t)slot_count(table) * 3) {
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
    put(table->slots, table->slot_bits, &entry, number);
    *ret_site = (mw_site){number};
    return MW_OK;
}

/* The site that has [wanted]'s path, domain and size; 0 if there is none yet. */
static mw_site find(const mw_site_table *table, const mw_site_entry *wanted)
{
    uint32_t mask = slot_count(table) - 1;
    uint32_t slot = first_slot(wanted->path, wanted->domain, wanted->size, table->slot_bits);

    for (; table->slots[slot] != 0; slot = (slot + 1) & mask) {
        const mw_site_entry *entry = mw_site_table_entry(table, (mw_site){table->slots[slot]});

        if (entry->path == wanted->path && entry->size == wanted->size &&
            entry->domain == wanted->domain)
            break;
    }
    return (mw_site){table->slots[slot]};
}

mw_status mw_site_table_intern(mw_site_table *table, mw_path path, uint16_t domain,
                               size_t size_bytes, mw_site *ret_site)
{
    mw_site_entry wanted = {
        .path = path.index, .size = mw_site_size_class(size_bytes), .domain = domain};
    mw_site site = find(table, &wanted);

    if (site.index == 0)
        return append(table, wanted, ret_site);
    *ret_site = site;
    return MW_OK;
}

static bool site_is_consistent(const mw_site_table *table, mw_site site)
{
    const mw_site_entry *entry = mw_site_table_entry(table, site);
    const mw_site_bytes *bytes;

    if (find(table, entry).index != site.index || entry->live_blocks > entry->total_blocks)
        return false;
    if (!mw_site_is_variable(table, site))
        return entry->size <= MW_SITE_SIZE_FIXED;
    bytes = mw_site_table_bytes(table, site);
    /* Every block that a variable site counts is larger than fixed ones. */
    return bytes->live_bytes <= bytes->total_bytes &&
           bytes->live_bytes / (MW_SITE_SIZE_FIXED + 1) >= entry->live_blocks &&
           (entry->live_blocks != 0 || bytes->live_bytes == 0);
}

bool mw_site_table_is_consistent(const mw_site_table *table)
{
    uint32_t indexed = 0;
    uint32_t walked = 0;

    for (uint32_t slot = 0; slot < slot_count(table); slot++)
        indexed += table->slots[slot] != 0;
    if (indexed != table->site_count || table->count > table->capacity ||
        (uint64_t)indexed * 4 > (uint64_t)slot_count(table) * 3)
        return false;
    for (mw_site site = mw_site_table_first(table); site.index < table->count;
         site = mw_site_table_next(table, site), walked++)
        if (!site_is_consistent(table, site))
            return false;
    return walked == table->site_count;
}

size_t mw_site_table_memory_bytes(const mw_site_table *table)
{
    return slot_count(table) * sizeof *table->slots + table->count * sizeof *table->places;
}
