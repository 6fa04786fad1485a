/* SPDX-License-Identifier: MIT */
#include "core/snapshot.h"

#include "core/snapshot_tables.h"

#include <assert.h>

/* ── life ────────────────────────────────────────────────────────────────────────── */

mw_status mw_snapshot_new(mw_snapshot_tables *tables, mw_snapshot **ret_snapshot)
{
    mw_snapshot *snapshot = mw_alloc_new(tables->alloc, sizeof *snapshot);

    if (snapshot == NULL)
        return MW_NO_MEMORY;
    tables->references++;
    snapshot->references = 1;
    snapshot->tables = tables;
    *ret_snapshot = snapshot;
    return MW_OK;
}

mw_snapshot *mw_snapshot_retain(mw_snapshot *snapshot)
{
    snapshot->references++;
    return snapshot;
}

void mw_snapshot_release(mw_snapshot *snapshot)
{
    mw_snapshot_tables *tables;
    mw_alloc *alloc;

    if (snapshot == NULL || --snapshot->references != 0)
        return;
    tables = snapshot->tables;
    alloc = tables->alloc;
    mw_alloc_release(alloc, snapshot->tallies,
                     snapshot->tally_capacity * sizeof *snapshot->tallies);
    mw_alloc_release(alloc, snapshot->allocated,
                     snapshot->allocated_capacity * sizeof *snapshot->allocated);
    mw_alloc_release(alloc, snapshot->totals, snapshot->total_capacity * sizeof *snapshot->totals);
    mw_alloc_release(alloc, snapshot->runs, snapshot->run_capacity * sizeof *snapshot->runs);
    mw_alloc_release(alloc, snapshot, sizeof *snapshot);
    mw_snapshot_tables_release(tables);
}

/* ── filling ─────────────────────────────────────────────────────────────────────── */

static bool continues_last_run(const mw_snapshot *snapshot, mw_site site, uint64_t size_bytes)
{
    const mw_run *last;

    if (snapshot->run_count == 0)
        return false;
    last = &snapshot->runs[snapshot->run_count - 1];
    return last->site.index == site.index && last->size_bytes == size_bytes;
}

/* The sums after adding; false when they would not fit, as they may not in a snapshot
 * made of arbitrary numbers. */
static bool add_sums(const mw_snapshot *snapshot, uint64_t size_bytes, uint64_t count,
                     uint64_t *ret_added_bytes, uint64_t *ret_live_bytes, uint64_t *ret_block_count)
{
    return !__builtin_mul_overflow(size_bytes, count, ret_added_bytes) &&
           !__builtin_add_overflow(snapshot->live_bytes, *ret_added_bytes, ret_live_bytes) &&
           !__builtin_add_overflow(snapshot->block_count, count, ret_block_count);
}

mw_status mw_snapshot_append(mw_snapshot *snapshot, mw_site site, uint64_t size_bytes,
                             uint64_t count)
{
    uint64_t added_bytes, live_bytes, block_count;
    mw_status status;

    if (count == 0)
        return MW_OK;
    if (!add_sums(snapshot, size_bytes, count, &added_bytes, &live_bytes, &block_count))
        return MW_LIMIT;
    if (!snapshot->has_sums_only && !continues_last_run(snapshot, site, size_bytes)) {
        status = mw_alloc_grow(snapshot->tables->alloc, &snapshot->runs, snapshot->run_count,
                               &snapshot->run_capacity, sizeof *snapshot->runs, UINT32_MAX);
        if (status != MW_OK)
            return status;
        snapshot->runs[snapshot->run_count++] =
            (mw_run){.first = snapshot->block_count, .size_bytes = size_bytes, .site = site};
    }
    snapshot->tallies[site.index].bytes += added_bytes;
    snapshot->tallies[site.index].blocks += count;
    snapshot->live_bytes = live_bytes;
    snapshot->block_count = block_count;
    return MW_OK;
}

/* Adds [part] to the sum over all and to that of one site; false when it would not fit. */
static bool add_tally(uint64_t *all_bytes, uint64_t *all_blocks, mw_tally *of_site,
                      const mw_tally *part)
{
    uint64_t bytes, blocks;

    assert(part->blocks != 0 || part->bytes == 0);
    if (__builtin_add_overflow(*all_bytes, part->bytes, &bytes) ||
        __builtin_add_overflow(*all_blocks, part->blocks, &blocks))
        return false;
    *all_bytes = bytes;
    *all_blocks = blocks;
    of_site->bytes += part->bytes;
    of_site->blocks += part->blocks;
    return true;
}

mw_status mw_snapshot_add_tally(mw_snapshot *snapshot, mw_site site, const mw_tally *tally)
{
    if (!add_tally(&snapshot->live_bytes, &snapshot->block_count, &snapshot->tallies[site.index],
                   tally))
        return MW_LIMIT;
    snapshot->has_sums_only = true;
    snapshot->run_count = 0;
    return MW_OK;
}

mw_status mw_snapshot_add_totals(mw_snapshot *snapshot, mw_site site, const mw_tally *totals)
{
    while (snapshot->total_capacity <= site.index) {
        mw_status status =
            mw_alloc_grow(snapshot->tables->alloc, &snapshot->totals, snapshot->total_capacity,
                          &snapshot->total_capacity, sizeof *snapshot->totals, UINT32_MAX);

        if (status != MW_OK)
            return status;
    }
    if (!add_tally(&snapshot->total.bytes, &snapshot->total.blocks, &snapshot->totals[site.index],
                   totals))
        return MW_LIMIT;
    return MW_OK;
}

mw_status mw_snapshot_add_allocated(mw_snapshot *snapshot, mw_site site,
                                    const mw_estimate *allocated)
{
    while (snapshot->allocated_capacity <= site.index) {
        mw_status status = mw_alloc_grow(
            snapshot->tables->alloc, &snapshot->allocated, snapshot->allocated_capacity,
            &snapshot->allocated_capacity, sizeof *snapshot->allocated, UINT32_MAX);

        if (status != MW_OK)
            return status;
    }
    mw_estimate_add(&snapshot->allocated[site.index], allocated);
    return MW_OK;
}

/* ── the same sites with other numbers ───────────────────────────────────────────── */

/* An array of as many tallies as there are sites, with those that are given. */
static mw_status copy_tallies(const mw_snapshot_tables *tables, const mw_tally *tallies,
                              uint32_t count, mw_tally **ret_copy, mw_tally *ret_sum)
{
    mw_tally *copy = mw_alloc_array(tables->alloc, tables->site_count, sizeof *copy);
    mw_tally sum = {0};

    if (copy == NULL)
        return MW_NO_MEMORY;
    for (uint32_t site = 1; site < count; site++) {
        if (!add_tally(&sum.bytes, &sum.blocks, &copy[site], &tallies[site])) {
            mw_alloc_release(tables->alloc, copy, tables->site_count * sizeof *copy);
            return MW_LIMIT;
        }
    }
    *ret_copy = copy;
    *ret_sum = sum;
    return MW_OK;
}

mw_status mw_snapshot_with_tallies(mw_snapshot *like, const mw_tally *live, const mw_tally *totals,
                                   uint32_t count, mw_snapshot **ret_snapshot)
{
    mw_snapshot_tables *tables = like->tables;
    mw_snapshot *snapshot = NULL;
    mw_tally sum;
    mw_status status;

    assert(count <= tables->site_count);
    status = mw_snapshot_new(tables, &snapshot);
    if (status != MW_OK)
        return status;
    snapshot->has_sums_only = true;
    status = copy_tallies(tables, live, count, &snapshot->tallies, &sum);
    if (status != MW_OK)
        goto done;
    snapshot->tally_capacity = tables->site_count;
    snapshot->live_bytes = sum.bytes;
    snapshot->block_count = sum.blocks;
    if (totals != NULL) {
        status = copy_tallies(tables, totals, count, &snapshot->totals, &snapshot->total);
        if (status != MW_OK)
            goto done;
        snapshot->total_capacity = tables->site_count;
    }
    assert(mw_snapshot_is_consistent(snapshot));

done:
    if (status == MW_OK)
        *ret_snapshot = snapshot;
    else
        mw_snapshot_release(snapshot);
    return status;
}

mw_status mw_snapshot_totals_as_live(mw_snapshot *snapshot, mw_snapshot **ret_snapshot)
{
    uint32_t count = snapshot->tables->site_count;

    if (!mw_snapshot_has_totals(snapshot))
        return MW_UNSUPPORTED;
    if (count > snapshot->total_capacity)
        count = snapshot->total_capacity;
    return mw_snapshot_with_tallies(snapshot, snapshot->totals, snapshot->totals, count,
                                    ret_snapshot);
}

/* ── reading ─────────────────────────────────────────────────────────────────────── */

uint32_t mw_snapshot_frame_limit(const mw_snapshot *snapshot)
{
    return snapshot->tables->frame_limit;
}

uint64_t mw_snapshot_live_bytes(const mw_snapshot *snapshot)
{
    return snapshot->live_bytes;
}

uint64_t mw_snapshot_block_count(const mw_snapshot *snapshot)
{
    return snapshot->block_count;
}

size_t mw_snapshot_memory_bytes(const mw_snapshot *snapshot)
{
    const mw_snapshot_tables *tables = snapshot->tables;

    return sizeof *snapshot + sizeof *tables +
           snapshot->tally_capacity * sizeof *snapshot->tallies +
           snapshot->allocated_capacity * sizeof *snapshot->allocated +
           snapshot->total_capacity * sizeof *snapshot->totals +
           snapshot->run_capacity * sizeof *snapshot->runs +
           mw_string_pool_memory_bytes(&tables->strings) +
           tables->frame_capacity * sizeof *tables->frames +
           tables->path_capacity * sizeof *tables->paths +
           tables->traceback_capacity * sizeof *tables->tracebacks +
           tables->sequence_hash_capacity * sizeof *tables->sequence_hashes +
           tables->site_capacity * sizeof *tables->sites +
           tables->thread_capacity * sizeof *tables->thread_names;
}

bool mw_snapshot_has_totals(const mw_snapshot *snapshot)
{
    return snapshot->totals != NULL;
}

uint64_t mw_snapshot_total_bytes(const mw_snapshot *snapshot)
{
    return snapshot->total.bytes;
}

uint64_t mw_snapshot_total_blocks(const mw_snapshot *snapshot)
{
    return snapshot->total.blocks;
}

bool mw_snapshot_has_blocks(const mw_snapshot *snapshot)
{
    return !snapshot->has_sums_only;
}

uint64_t mw_snapshot_sample_bytes(const mw_snapshot *snapshot)
{
    return snapshot->has_sums_only ? 0 : snapshot->tables->sample_bytes;
}

uint64_t mw_snapshot_sums_sample_bytes(const mw_snapshot *snapshot)
{
    return snapshot->has_sums_only ? snapshot->tables->sample_bytes : 0;
}

mw_estimate mw_snapshot_estimate(const mw_snapshot *snapshot)
{
    uint64_t sample_bytes = mw_snapshot_sample_bytes(snapshot);
    mw_estimate sum = {0};

    if (sample_bytes == 0)
        return mw_estimate_exact(snapshot->live_bytes, snapshot->block_count);
    for (uint32_t i = 0; i < snapshot->run_count; i++) {
        mw_estimate part = mw_estimate_of(snapshot->runs[i].size_bytes,
                                          mw_snapshot_run_blocks(snapshot, i), sample_bytes);

        mw_estimate_add(&sum, &part);
    }
    return sum;
}

const mw_estimate *mw_snapshot_allocated(const mw_snapshot *snapshot, mw_site site)
{
    return site.index < snapshot->allocated_capacity ? &snapshot->allocated[site.index] : NULL;
}

uint32_t mw_snapshot_frame_count(const mw_snapshot *snapshot)
{
    return snapshot->tables->frame_count - 1;
}

uint32_t mw_snapshot_site_count(const mw_snapshot *snapshot)
{
    return snapshot->tables->site_count - 1;
}

uint32_t mw_snapshot_traceback_count(const mw_snapshot *snapshot)
{
    return snapshot->tables->traceback_count - 1;
}

const char *mw_snapshot_string(const mw_snapshot *snapshot, mw_string string, size_t *ret_length)
{
    const mw_string_pool *strings = &snapshot->tables->strings;

    assert(string.index < strings->count);
    if (ret_length != NULL)
        *ret_length = mw_string_pool_length(strings, string.index);
    return mw_string_pool_bytes(strings, string.index);
}

mw_frame_row mw_snapshot_frame(const mw_snapshot *snapshot, mw_frame frame)
{
    assert(frame.index < snapshot->tables->frame_count);
    return snapshot->tables->frames[frame.index];
}

mw_frame mw_snapshot_path_frame(const mw_snapshot *snapshot, mw_path path)
{
    assert(path.index < snapshot->tables->path_count);
    return snapshot->tables->paths[path.index].frame;
}

mw_path mw_snapshot_path_caller(const mw_snapshot *snapshot, mw_path path)
{
    assert(path.index < snapshot->tables->path_count);
    return snapshot->tables->paths[path.index].caller;
}

uint32_t mw_snapshot_path_depth(const mw_snapshot *snapshot, mw_path path)
{
    assert(path.index < snapshot->tables->path_count);
    return snapshot->tables->paths[path.index].depth;
}

mw_traceback_row mw_snapshot_traceback(const mw_snapshot *snapshot, mw_traceback traceback)
{
    assert(traceback.index < snapshot->tables->traceback_count);
    return snapshot->tables->tracebacks[traceback.index];
}

mw_site_row mw_snapshot_site(const mw_snapshot *snapshot, mw_site site)
{
    const mw_site_key *key = &snapshot->tables->sites[site.index];
    const mw_tally *tally = &snapshot->tallies[site.index];
    mw_tally totals = {0};

    assert(site.index < snapshot->tables->site_count);
    if (site.index < snapshot->total_capacity)
        totals = snapshot->totals[site.index];
    return (mw_site_row){
        .traceback = key->traceback,
        .path = key->path,
        .domain = key->domain,
        .thread = key->thread,
        .epoch = key->epoch,
        .live_bytes = tally->bytes,
        .live_blocks = tally->blocks,
        .total_bytes = totals.bytes,
        .total_blocks = totals.blocks,
    };
}

const char *mw_snapshot_thread_name(const mw_snapshot *snapshot, mw_thread thread)
{
    return mw_snapshot_string(snapshot, mw_snapshot_thread_string(snapshot->tables, thread), NULL);
}

void mw_snapshot_block(const mw_snapshot *snapshot, uint64_t index, mw_site *ret_site,
                       uint64_t *ret_size_bytes)
{
    uint32_t low = 0, high = snapshot->run_count;

    assert(index < snapshot->block_count && !snapshot->has_sums_only);
    /* The block is in a run from `low` on and before `high`. */
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;

        if (snapshot->runs[middle].first <= index)
            low = middle;
        else
            high = middle;
    }
    *ret_site = snapshot->runs[low].site;
    *ret_size_bytes = snapshot->runs[low].size_bytes;
}

/* ── checking ────────────────────────────────────────────────────────────────────── */

/* Whether the runs, taken off the tallies one by one, leave nothing of them. */
static bool runs_add_up(const mw_snapshot *snapshot, mw_tally *left)
{
    uint32_t site_count = snapshot->tables->site_count;

    for (uint32_t i = 0; i < snapshot->run_count; i++) {
        const mw_run *run = &snapshot->runs[i];
        uint64_t blocks = mw_snapshot_run_blocks(snapshot, i);

        if (run->site.index == 0 || run->site.index >= site_count || blocks == 0 ||
            blocks > snapshot->block_count)
            return false;
        left[run->site.index].bytes -= blocks * run->size_bytes;
        left[run->site.index].blocks -= blocks;
    }
    for (uint32_t i = 0; i < site_count; i++) {
        if (left[i].bytes != 0 || left[i].blocks != 0)
            return false;
    }
    return snapshot->run_count == 0 || snapshot->runs[0].first == 0;
}

/* Whether no site has bytes without blocks, and all together have [sum]. */
static bool tallies_add_up(const mw_tally *tallies, uint32_t count, mw_tally sum)
{
    for (uint32_t i = 0; i < count; i++) {
        if (tallies[i].blocks == 0 && tallies[i].bytes != 0)
            return false;
        sum.bytes -= tallies[i].bytes;
        sum.blocks -= tallies[i].blocks;
    }
    return sum.bytes == 0 && sum.blocks == 0;
}

static bool totals_are_consistent(const mw_snapshot *snapshot)
{
    uint32_t count = snapshot->total_capacity;

    if (count > snapshot->tables->site_count)
        count = snapshot->tables->site_count;
    return tallies_add_up(snapshot->totals, count, snapshot->total);
}

bool mw_snapshot_is_consistent(const mw_snapshot *snapshot)
{
    /* Not the snapshot's own allocator: a check must not change what it checks. */
    mw_alloc *scratch = mw_alloc_system();
    uint32_t site_count = snapshot->tables->site_count;
    mw_tally sum = {snapshot->live_bytes, snapshot->block_count};
    mw_tally *left;
    bool ok;

    if (snapshot->references == 0 || !mw_snapshot_tables_is_consistent(snapshot->tables) ||
        snapshot->tally_capacity < site_count || snapshot->run_count > snapshot->run_capacity ||
        !tallies_add_up(snapshot->tallies, site_count, sum) || !totals_are_consistent(snapshot))
        return false;
    if (snapshot->has_sums_only)
        return snapshot->run_count == 0;
    left = mw_alloc_array(scratch, site_count, sizeof *left);
    if (left == NULL)
        return true; /* nothing is known to be wrong */
    for (uint32_t i = 0; i < site_count; i++)
        left[i] = snapshot->tallies[i];
    ok = runs_add_up(snapshot, left);
    mw_alloc_release(scratch, left, site_count * sizeof *left);
    return ok;
}
