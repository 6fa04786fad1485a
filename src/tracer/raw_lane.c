/* SPDX-License-Identifier: MIT */
#include "tracer/raw_lane.h"

/* ── life ────────────────────────────────────────────────────────────────────────── */

static void release_tables(mw_raw_lane *lane)
{
    mw_code_table_done(&lane->codes);
    mw_path_trie_done(&lane->paths);
    mw_site_table_done(&lane->sites);
    mw_address_map_done(&lane->blocks);
    for (uint32_t number = 0; number < lane->domain_count; number++)
        mw_address_map_done(&lane->domains[number].blocks);
    mw_alloc_release(lane->alloc, lane->domains, lane->domain_capacity * sizeof *lane->domains);
    lane->domains = NULL;
    lane->domain_count = 0;
    lane->domain_capacity = 0;
}

static mw_status make_tables(mw_raw_lane *lane, mw_alloc *alloc)
{
    mw_status status = mw_code_table_init(&lane->codes, alloc);

    if (status == MW_OK)
        status = mw_path_trie_init(&lane->paths, alloc);
    if (status == MW_OK)
        status = mw_site_table_init(&lane->sites, alloc);
    mw_address_map_init(&lane->blocks, alloc);
    lane->alloc = alloc;
    return status;
}

mw_status mw_tables_limit(mw_code_table *codes, mw_path_trie *paths, mw_site_table *sites,
                          const mw_budget *budget)
{
    mw_status status;

    if (!mw_budget_is_bounded(budget))
        return MW_OK;
    status = mw_code_table_limit(codes, budget);
    if (status == MW_OK)
        status = mw_path_trie_limit(paths, budget, codes);
    mw_site_table_limit(sites, budget, paths->cut);
    return status;
}

mw_status mw_raw_lane_open(mw_raw_lane *lane, mw_alloc *alloc, const mw_budget *budget)
{
    mw_status status;

    mw_raw_lane_lock(lane);
    status = make_tables(lane, alloc);
    if (status == MW_OK)
        status = mw_tables_limit(&lane->codes, &lane->paths, &lane->sites, budget);
    if (status != MW_OK)
        release_tables(lane);
    lane->is_active = status == MW_OK;
    lane->opening++;
    mw_raw_lane_unlock(lane);
    return status;
}

void mw_raw_lane_filter(mw_raw_lane *lane, mw_start_filters filters_take)
{
    mw_raw_lane_lock(lane);
    mw_start_filters_done(&lane->filters);
    lane->filters = filters_take;
    mw_raw_lane_unlock(lane);
}

void mw_raw_lane_close(mw_raw_lane *lane)
{
    mw_raw_lane_lock(lane);
    lane->is_active = false;
    mw_start_filters_forget(&lane->filters);
    lane->live_bytes = 0;
    lane->peak_bytes = 0;
    lane->lost_blocks = 0;
    lane->lost_bytes = 0;
    release_tables(lane);
    mw_raw_lane_unlock(lane);
}

mw_status mw_raw_lane_begin_epoch(mw_raw_lane *lane, uint32_t epoch,
                                  const mw_site_dissolving *dissolving)
{
    mw_status status = MW_OK;

    mw_raw_lane_lock(lane);
    if (lane->is_active) {
        status = mw_site_table_keep_epochs(&lane->sites);
        if (status == MW_OK)
            mw_site_table_begin_epoch(&lane->sites, epoch, 0, dissolving);
    }
    mw_raw_lane_unlock(lane);
    return status;
}

/* Adds up the entries of a map, all of which must be of sites of the domain [number]. */
static bool add_mapped(const mw_raw_lane *lane, const mw_address_map *blocks, uint32_t number,
                       uint64_t *blocks_sum, uint64_t *bytes_sum)
{
    if (!mw_address_map_is_consistent(blocks))
        return false;
    for (uint32_t slot = 0; slot < mw_address_map_slot_count(blocks); slot++) {
        const mw_address_entry *block = &blocks->slots[slot];

        if (block->address == 0)
            continue;
        if (mw_site_table_entry(&lane->sites, (mw_site){block->label})->domain != number)
            return false;
        *blocks_sum += 1;
        *bytes_sum += block->value;
    }
    return true;
}

static bool blocks_are_counted(const mw_raw_lane *lane)
{
    uint64_t live_blocks = 0;
    uint64_t live_bytes = 0;
    uint64_t mapped_blocks = 0;
    uint64_t mapped_bytes = 0;

    for (mw_site site = mw_site_table_first(&lane->sites); site.index < lane->sites.count;
         site = mw_site_table_next(&lane->sites, site)) {
        live_blocks += mw_site_table_live_blocks(&lane->sites, site);
        live_bytes += mw_site_table_live_bytes(&lane->sites, site);
    }
    if (!add_mapped(lane, &lane->blocks, 0, &mapped_blocks, &mapped_bytes))
        return false;
    for (uint32_t index = 0; index < lane->domain_count; index++)
        if (!add_mapped(lane, &lane->domains[index].blocks, index + 1, &mapped_blocks,
                        &mapped_bytes))
            return false;
    return live_blocks == mapped_blocks && live_bytes == lane->live_bytes &&
           mapped_bytes == lane->live_bytes;
}

bool mw_raw_lane_is_consistent(const mw_raw_lane *lane)
{
    if (!lane->is_active)
        return lane->live_bytes == 0 && lane->blocks.slots == NULL && lane->domains == NULL;
    return mw_code_table_is_consistent(&lane->codes) && mw_path_trie_is_consistent(&lane->paths) &&
           mw_site_table_is_consistent(&lane->sites) && blocks_are_counted(lane);
}

size_t mw_raw_lane_memory_bytes(const mw_raw_lane *lane)
{
    size_t domain_bytes = lane->domain_capacity * sizeof *lane->domains;

    if (!lane->is_active)
        return 0;
    for (uint32_t index = 0; index < lane->domain_count; index++)
        domain_bytes += mw_address_map_memory_bytes(&lane->domains[index].blocks);
    return domain_bytes + mw_code_table_memory_bytes(&lane->codes) +
           mw_path_trie_memory_bytes(&lane->paths) + mw_site_table_memory_bytes(&lane->sites) +
           mw_address_map_memory_bytes(&lane->blocks) +
           mw_start_filters_memory_bytes(&lane->filters);
}

/* ── blocks ──────────────────────────────────────────────────────────────────────── */

static void count(mw_raw_lane *lane, mw_site site, size_t size_bytes)
{
    mw_site_table_add(&lane->sites, site, size_bytes);
    lane->live_bytes += size_bytes;
}

static void lose(mw_raw_lane *lane, size_t size_bytes)
{
    lane->lost_blocks++;
    lane->lost_bytes += size_bytes;
}

/* Takes a block out of its map and out of the sums. */
static void take(mw_raw_lane *lane, mw_address_map *blocks, mw_address_entry *entry)
{
    mw_site_table_subtract(&lane->sites, (mw_site){entry->label}, entry->value);
    lane->live_bytes -= entry->value;
    mw_address_map_remove(blocks, entry);
}

static bool is_wanted(mw_raw_lane *lane, uint32_t number, mw_path path)
{
    uint32_t domain = number == 0 ? MW_DOMAIN_PYTHON : lane->domains[number - 1].id;

    if ((path.index & MW_PATH_OF_MAIN) != 0)
        return path.index != MW_PATH_UNWANTED;
    return mw_start_filters_admit(&lane->filters, &lane->codes, &lane->paths, path, domain);
}

/* Puts a block, known or not, into the map of the domain [number]; unless it is not wanted,
 * and then one that was there before is no more. */
static mw_status put(mw_raw_lane *lane, mw_address_map *blocks, uint32_t number, uintptr_t address,
                     size_t size_bytes, mw_path path, uint64_t main_live_bytes)
{
    mw_address_entry *entry;
    mw_site site;
    mw_status status;

    if (!is_wanted(lane, number, path)) {
        entry = mw_address_map_find(blocks, address);
        if (entry != NULL)
            take(lane, blocks, entry);
        return MW_OK;
    }
    status = mw_site_table_intern(&lane->sites, path, (uint16_t)number, size_bytes, &site);
    if (status != MW_OK)
        return status;
    entry = mw_address_map_put(blocks, address);
    if (entry == NULL)
        return MW_NO_MEMORY;
    if (entry->label != 0) {
        mw_site_table_subtract(&lane->sites, (mw_site){entry->label}, entry->value);
        lane->live_bytes -= entry->value;
    }
    entry->value = size_bytes;
    entry->label = site.index;
    count(lane, site, size_bytes);
    if (main_live_bytes + lane->live_bytes > lane->peak_bytes)
        lane->peak_bytes = main_live_bytes + lane->live_bytes;
    return MW_OK;
}

void mw_raw_lane_remember(mw_raw_lane *lane, mw_guard guard, uintptr_t address, size_t size_bytes,
                          mw_path path, uint64_t main_live_bytes)
{
    if (put(lane, &lane->blocks, 0, address, size_bytes, path, main_live_bytes) == MW_OK)
        return;
    /* The block that was at this address before is no more. */
    mw_raw_lane_forget(lane, guard, address, NULL);
    lose(lane, size_bytes);
}

bool mw_raw_lane_forget(mw_raw_lane *lane, mw_guard guard, uintptr_t address,
                        mw_address_entry *ret_entry)
{
    mw_address_entry *entry = mw_address_map_find(&lane->blocks, address);

    (void)guard;
    if (entry == NULL)
        return false;
    if (ret_entry != NULL) {
        *ret_entry = *entry;
        ret_entry->spare = lane->opening;
    }
    take(lane, &lane->blocks, entry);
    return true;
}

void mw_raw_lane_restore(mw_raw_lane *lane, mw_guard guard, const mw_address_entry *entry)
{
    mw_address_entry *restored;

    /* Its label means nothing to the tables of another opening. */
    if (entry->spare != lane->opening)
        return;
    mw_raw_lane_forget(lane, guard, entry->address, NULL);
    restored = mw_address_map_put(&lane->blocks, entry->address);
    if (restored == NULL) {
        lose(lane, entry->value);
        return;
    }
    restored->value = entry->value;
    restored->label = entry->label;
    count(lane, (mw_site){entry->label}, entry->value);
    /* It was counted when it was first allocated. */
    mw_site_table_uncount(&lane->sites, (mw_site){entry->label}, entry->value);
}

/* ── domains ─────────────────────────────────────────────────────────────────────── */

/* tracemalloc knows a block at address 0 like any other; to our maps it is a hole. */
static uintptr_t address_in_map(uintptr_t address)
{
    return address != 0 ? address : UINTPTR_MAX;
}

/* The number of a domain, or UINT32_MAX for one that was never seen.  There are few. */
static uint32_t find_number(const mw_raw_lane *lane, uint32_t domain)
{
    if (domain == MW_DOMAIN_PYTHON)
        return 0;
    for (uint32_t index = 0; index < lane->domain_count; index++)
        if (lane->domains[index].id == domain)
            return index + 1;
    return UINT32_MAX;
}

static mw_status make_number(mw_raw_lane *lane, uint32_t domain, uint32_t *ret_number)
{
    mw_status status;

    *ret_number = find_number(lane, domain);
    if (*ret_number != UINT32_MAX)
        return MW_OK;
    status = mw_alloc_grow(lane->alloc, &lane->domains, lane->domain_count, &lane->domain_capacity,
                           sizeof *lane->domains, MW_LANE_DOMAIN_MAXIMUM);
    if (status != MW_OK)
        return status;
    lane->domains[lane->domain_count].id = domain;
    mw_address_map_init(&lane->domains[lane->domain_count].blocks, lane->alloc);
    *ret_number = ++lane->domain_count;
    return MW_OK;
}

static mw_address_map *map_of(mw_raw_lane *lane, uint32_t number)
{
    return number == 0 ? &lane->blocks : &lane->domains[number - 1].blocks;
}

mw_status mw_raw_lane_track(mw_raw_lane *lane, mw_guard guard, uint32_t domain, uintptr_t address,
                            size_t size_bytes, mw_path path, uint64_t main_live_bytes)
{
    uint32_t number;
    mw_status status = make_number(lane, domain, &number);

    (void)guard;
    if (status == MW_OK)
        status = put(lane, map_of(lane, number), number, address_in_map(address), size_bytes, path,
                     main_live_bytes);
    if (status != MW_OK)
        lose(lane, size_bytes);
    return status;
}

bool mw_raw_lane_untrack(mw_raw_lane *lane, mw_guard guard, uint32_t domain, uintptr_t address)
{
    uint32_t number = find_number(lane, domain);
    mw_address_entry *entry = mw_raw_lane_find(lane, domain, address);

    (void)guard;
    if (entry == NULL)
        return false;
    take(lane, map_of(lane, number), entry);
    return true;
}

mw_address_entry *mw_raw_lane_find(const mw_raw_lane *lane, uint32_t domain, uintptr_t address)
{
    uint32_t number = find_number(lane, domain);
    const mw_address_map *blocks;

    if (number == UINT32_MAX)
        return NULL;
    blocks = number == 0 ? &lane->blocks : &lane->domains[number - 1].blocks;
    return mw_address_map_find(blocks, address_in_map(address));
}

uint32_t mw_raw_lane_domain_of(const mw_raw_lane *lane, uint32_t number)
{
    return number == 0 ? MW_DOMAIN_PYTHON : lane->domains[number - 1].id;
}
