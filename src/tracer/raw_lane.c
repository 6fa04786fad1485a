/* SPDX-License-Identifier: MIT */
#include "tracer/raw_lane.h"

/* ── life ────────────────────────────────────────────────────────────────────────── */

static void release_tables(mw_raw_lane *lane)
{
    mw_code_table_done(&lane->codes);
    mw_path_trie_done(&lane->paths);
    mw_site_table_done(&lane->sites);
    mw_address_map_done(&lane->blocks);
}

static mw_status make_tables(mw_raw_lane *lane, mw_alloc *alloc)
{
    mw_status status = mw_code_table_init(&lane->codes, alloc);

    if (status == MW_OK)
        status = mw_path_trie_init(&lane->paths, alloc);
    if (status == MW_OK)
        status = mw_site_table_init(&lane->sites, alloc);
    mw_address_map_init(&lane->blocks, alloc);
    return status;
}

mw_status mw_raw_lane_open(mw_raw_lane *lane, mw_alloc *alloc)
{
    mw_status status;

    mw_raw_lane_lock(lane);
    status = make_tables(lane, alloc);
    if (status != MW_OK)
        release_tables(lane);
    lane->is_active = status == MW_OK;
    lane->opening++;
    mw_raw_lane_unlock(lane);
    return status;
}

void mw_raw_lane_close(mw_raw_lane *lane)
{
    mw_raw_lane_lock(lane);
    lane->is_active = false;
    lane->live_bytes = 0;
    lane->peak_bytes = 0;
    lane->lost_blocks = 0;
    lane->lost_bytes = 0;
    release_tables(lane);
    mw_raw_lane_unlock(lane);
}

static bool blocks_are_counted(const mw_raw_lane *lane)
{
    uint64_t live_blocks = 0;
    uint64_t live_bytes = 0;
    uint64_t mapped_bytes = 0;

    for (mw_site site = mw_site_table_first(&lane->sites); site.index < lane->sites.count;
         site = mw_site_table_next(&lane->sites, site)) {
        live_blocks += mw_site_table_live_blocks(&lane->sites, site);
        live_bytes += mw_site_table_live_bytes(&lane->sites, site);
    }
    for (uint32_t slot = 0; slot < mw_address_map_slot_count(&lane->blocks); slot++)
        mapped_bytes += lane->blocks.slots[slot].value;
    return live_blocks == lane->blocks.count && live_bytes == lane->live_bytes &&
           mapped_bytes == lane->live_bytes;
}

bool mw_raw_lane_is_consistent(const mw_raw_lane *lane)
{
    if (!lane->is_active)
        return lane->live_bytes == 0 && lane->blocks.slots == NULL;
    return mw_code_table_is_consistent(&lane->codes) && mw_path_trie_is_consistent(&lane->paths) &&
           mw_site_table_is_consistent(&lane->sites) &&
           mw_address_map_is_consistent(&lane->blocks) && blocks_are_counted(lane);
}

size_t mw_raw_lane_memory_bytes(const mw_raw_lane *lane)
{
    if (!lane->is_active)
        return 0;
    return mw_code_table_memory_bytes(&lane->codes) + mw_path_trie_memory_bytes(&lane->paths) +
           mw_site_table_memory_bytes(&lane->sites) + mw_address_map_memory_bytes(&lane->blocks);
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

void mw_raw_lane_remember(mw_raw_lane *lane, mw_guard guard, uintptr_t address, size_t size_bytes,
                          mw_path path, uint64_t main_live_bytes)
{
    mw_address_entry *entry;
    mw_site site;

    mw_raw_lane_forget(lane, guard, address, NULL);
    if (mw_site_table_intern(&lane->sites, path, MW_DOMAIN_PYTHON, size_bytes, &site) != MW_OK) {
        lose(lane, size_bytes);
        return;
    }
    entry = mw_address_map_put(&lane->blocks, address);
    if (entry == NULL) {
        lose(lane, size_bytes);
        return;
    }
    entry->value = size_bytes;
    entry->label = site.index;
    count(lane, site, size_bytes);
    if (main_live_bytes + lane->live_bytes > lane->peak_bytes)
        lane->peak_bytes = main_live_bytes + lane->live_bytes;
}

bool mw_raw_lane_forget(mw_raw_lane *lane, mw_guard guard, uintptr_t address,
                        mw_address_entry *ret_entry)
{
    mw_address_entry *entry = mw_address_map_find(&lane->blocks, address);

    (void)guard;
    if (entry == NULL)
        return false;
    mw_site_table_subtract(&lane->sites, (mw_site){entry->label}, entry->value);
    lane->live_bytes -= entry->value;
    if (ret_entry != NULL) {
        *ret_entry = *entry;
        ret_entry->spare = lane->opening;
    }
    mw_address_map_remove(&lane->blocks, entry);
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
