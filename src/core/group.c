/* SPDX-License-Identifier: MIT
 *
 * Sites are many, their keys few.  A row is found by hash only the first time that a
 * frame (or traceback, thread name, domain) is met; from then on an array of row
 * numbers answers, so that most sites cost an array look-up and an addition.
 *
 * Cumulative groups need the sum over every frame of every traceback.  Whole tracebacks
 * are leaves and inner nodes of the tree of call paths, so their bytes are first put at
 * their path and then carried from each path to its caller: each path then has what all
 * tracebacks through it have, at a cost of one step per path.  Tracebacks that are cut
 * end on the way to the root, and are walked one by one.
 */
#include "core/group.h"

#include "base/hash_index.h"
#include "core/region.h"
#include "core/snapshot_tables.h"

#include <assert.h>
#include <math.h>
#include <string.h>

/* Domains up to here are found by array; any number may come, but few do. */
enum { DOMAIN_MEMO_COUNT = 16 };

typedef struct grouping {
    const mw_snapshot *snapshot;
    const mw_snapshot_tables *tables;
    mw_alloc *alloc;
    mw_rows rows;        /* the result, until handed over                          */
    mw_hash_index index; /* of rows by key; item is the row's number plus one      */
    uint32_t *memo;      /* owned; by frame, traceback, …: row number plus one, or 0 */
    uint32_t memo_count;
    mw_string *regions; /* owned; by path: the innermost region; else NULL           */
    uint32_t region_count;
} grouping;

/* ── names of keys ───────────────────────────────────────────────────────────────── */

static const char *const key_names[MW_GROUP_COUNT] = {
    [MW_GROUP_LINE] = "lineno",         [MW_GROUP_FILE] = "filename",
    [MW_GROUP_TRACEBACK] = "traceback", [MW_GROUP_FUNCTION] = "function",
    [MW_GROUP_MODULE] = "module",       [MW_GROUP_THREAD] = "thread",
    [MW_GROUP_DOMAIN] = "domain",       [MW_GROUP_REGION] = "region",
};

const char *mw_group_key_name(mw_group_key key)
{
    return key_names[key];
}

bool mw_group_key_parse(const char *name, mw_group_key *ret_key)
{
    for (int key = 0; key < MW_GROUP_COUNT; key++) {
        if (strcmp(name, key_names[key]) == 0) {
            *ret_key = (mw_group_key)key;
            return true;
        }
    }
    return false;
}

/* ── keys of sites and frames ────────────────────────────────────────────────────── */

/* How many numbers memo_number() can give. */
static uint32_t memo_size(const mw_snapshot_tables *tables, mw_group_key key)
{
    switch (key) {
    case MW_GROUP_TRACEBACK:
        return tables->traceback_count;
    case MW_GROUP_THREAD:
    case MW_GROUP_REGION:
        return tables->strings.count;
    case MW_GROUP_DOMAIN:
        return DOMAIN_MEMO_COUNT;
    default:
        return tables->frame_count;
    }
}

static mw_frame innermost_frame(const mw_snapshot_tables *tables, const mw_site_key *site)
{
    return tables->paths[site->path.index].frame;
}

/* A number that only sites of one row have. */
static uint32_t memo_number(const grouping *work, const mw_site_key *site)
{
    const mw_snapshot_tables *tables = work->tables;

    switch (work->rows.key) {
    case MW_GROUP_TRACEBACK:
        return site->traceback.index;
    case MW_GROUP_THREAD:
        return mw_snapshot_thread_string(tables, site->thread).index;
    case MW_GROUP_DOMAIN:
        return site->domain;
    case MW_GROUP_REGION:
        return work->regions[site->path.index].index;
    default:
        return innermost_frame(tables, site).index;
    }
}

/* The empty row to which what [frame] has belongs. */
static mw_row row_of_frame(const grouping *work, mw_frame frame)
{
    const mw_frame_row *source = &work->tables->frames[frame.index];
    mw_row row = {.snapshot = work->snapshot};

    switch (work->rows.key) {
    case MW_GROUP_LINE:
        row.file = source->file;
        row.line = source->line;
        break;
    case MW_GROUP_FILE:
        row.file = source->file;
        break;
    case MW_GROUP_FUNCTION:
        row.file = source->file;
        row.label = source->function;
        break;
    default:
        row.label = source->module.index != 0 ? source->module : source->file;
        break;
    }
    return row;
}

/* The empty row to which what [site] has belongs. */
static mw_row row_of_site(const grouping *work, const mw_site_key *site)
{
    mw_row row = {.snapshot = work->snapshot};

    switch (work->rows.key) {
    case MW_GROUP_TRACEBACK:
        row.traceback = site->traceback;
        return row;
    case MW_GROUP_THREAD:
        row.thread = site->thread;
        return row;
    case MW_GROUP_DOMAIN:
        row.domain = site->domain;
        return row;
    case MW_GROUP_REGION:
        row.label = work->regions[site->path.index];
        return row;
    default:
        return row_of_frame(work, innermost_frame(work->tables, site));
    }
}

/* ── adding to rows ──────────────────────────────────────────────────────────────── */

/* Finds the row with the key of [wanted], which is appended if there is none. */
static mw_status intern_row(grouping *work, const mw_row *wanted, uint32_t *ret_item)
{
    mw_rows *rows = &work->rows;
    uint64_t hash = mw_row_hash_key(rows->key, wanted);
    mw_hash_probe probe = mw_hash_probe_start(hash);
    uint32_t item;
    mw_status status;

    while ((item = mw_hash_index_next(&work->index, &probe)) != 0) {
        if (mw_row_compare_keys(rows->key, wanted, &rows->items[item - 1]) == 0) {
            *ret_item = item;
            return MW_OK;
        }
    }
    status = mw_hash_index_reserve(&work->index, 1);
    if (status != MW_OK)
        return status;
    status = mw_rows_append(rows, wanted);
    if (status != MW_OK)
        return status;
    mw_hash_index_add(&work->index, hash, rows->count);
    *ret_item = rows->count;
    return MW_OK;
}

/* The row to which what [site] has belongs. */
static inline mw_status find_row_of_site(grouping *work, const mw_site_key *site,
                                         uint32_t *ret_item)
{
    uint32_t number = memo_number(work, site);
    mw_row wanted;
    mw_status status;

    *ret_item = number < work->memo_count ? work->memo[number] : 0;
    if (*ret_item != 0)
        return MW_OK;
    wanted = row_of_site(work, site);
    status = intern_row(work, &wanted, ret_item);
    if (status == MW_OK && number < work->memo_count)
        work->memo[number] = *ret_item;
    return status;
}

/* The row to which what [frame] has belongs. */
static inline mw_status find_row_of_frame(grouping *work, mw_frame frame, uint32_t *ret_item)
{
    uint32_t *item = &work->memo[frame.index];
    mw_row wanted;
    mw_status status = MW_OK;

    if (*item == 0) {
        wanted = row_of_frame(work, frame);
        status = intern_row(work, &wanted, item);
    }
    *ret_item = *item;
    return status;
}

static void add_to_row(grouping *work, uint32_t item, const mw_tally *tally)
{
    mw_row *row = &work->rows.items[item - 1];

    row->bytes += tally->bytes;
    row->blocks += tally->blocks;
}

static mw_status add_site(grouping *work, const mw_site_key *site, const mw_tally *tally)
{
    uint32_t item;
    mw_status status = find_row_of_site(work, site, &item);

    if (status == MW_OK)
        add_to_row(work, item, tally);
    return status;
}

static mw_status add_frame(grouping *work, mw_frame frame, const mw_tally *tally)
{
    uint32_t item;
    mw_status status = find_row_of_frame(work, frame, &item);

    if (status == MW_OK)
        add_to_row(work, item, tally);
    return status;
}

/* ── the two scopes ──────────────────────────────────────────────────────────────── */

static mw_status add_innermost(grouping *work)
{
    const mw_snapshot_tables *tables = work->tables;
    const mw_tally *tallies = work->snapshot->tallies;
    mw_status status;

    for (uint32_t site = 1; site < tables->site_count; site++) {
        if (tallies[site].blocks == 0)
            continue;
        status = add_site(work, &tables->sites[site], &tallies[site]);
        if (status != MW_OK)
            return status;
    }
    return MW_OK;
}

static mw_status add_cut_traceback(grouping *work, const mw_traceback_row *traceback,
                                   const mw_tally *tally)
{
    mw_path path = traceback->path;
    mw_status status;

    for (uint32_t left = traceback->frame_count; left != 0; left--) {
        const mw_path_row *row = &work->tables->paths[path.index];

        status = add_frame(work, row->frame, tally);
        if (status != MW_OK)
            return status;
        path = row->caller;
    }
    return MW_OK;
}

/* Adds cut tracebacks to their rows, and whole ones to the tallies of their paths. */
static mw_status add_tracebacks(grouping *work, mw_tally *of_paths)
{
    const mw_snapshot_tables *tables = work->tables;
    mw_status status;

    for (uint32_t site = 1; site < tables->site_count; site++) {
        const mw_tally *tally = &work->snapshot->tallies[site];
        const mw_traceback_row *traceback =
            &tables->tracebacks[tables->sites[site].traceback.index];

        if (tally->blocks == 0)
            continue;
        if (traceback->frame_count == tables->paths[traceback->path.index].depth) {
            of_paths[traceback->path.index].bytes += tally->bytes;
            of_paths[traceback->path.index].blocks += tally->blocks;
            continue;
        }
        status = add_cut_traceback(work, traceback, tally);
        if (status != MW_OK)
            return status;
    }
    return MW_OK;
}

/* Adds each path to its frame's row and to its caller.  Callers have smaller numbers, so
 * that a path's tally is complete when it is its turn. */
static mw_status add_paths(grouping *work, mw_tally *of_paths)
{
    const mw_snapshot_tables *tables = work->tables;
    mw_status status;

    for (uint32_t path = tables->path_count - 1; path != 0; path--) {
        const mw_path_row *row = &tables->paths[path];

        if (of_paths[path].blocks == 0)
            continue;
        status = add_frame(work, row->frame, &of_paths[path]);
        if (status != MW_OK)
            return status;
        of_paths[row->caller.index].bytes += of_paths[path].bytes;
        of_paths[row->caller.index].blocks += of_paths[path].blocks;
    }
    return MW_OK;
}

static mw_status add_cumulative(grouping *work)
{
    uint32_t path_count = work->tables->path_count;
    mw_tally *of_paths = mw_alloc_array(work->alloc, path_count, sizeof *of_paths);
    mw_status status;

    if (of_paths == NULL)
        return MW_NO_MEMORY;
    status = add_tracebacks(work, of_paths);
    if (status == MW_OK)
        status = add_paths(work, of_paths);
    mw_alloc_release(work->alloc, of_paths, path_count * sizeof *of_paths);
    return status;
}

/* ── estimates ───────────────────────────────────────────────────────────────────── */

/* What the samples of each site stand for, into [of_sites]. */
static void estimate_sites(const mw_snapshot *snapshot, mw_estimate *of_sites)
{
    for (uint32_t i = 0; i < snapshot->run_count; i++) {
        mw_estimate part =
            mw_estimate_of(snapshot->runs[i].size_bytes, mw_snapshot_run_blocks(snapshot, i),
                           mw_snapshot_sample_bytes(snapshot));

        mw_estimate_add(&of_sites[snapshot->runs[i].site.index], &part);
    }
}

/* The same where the samples are not there any more. */
static void estimate_sums(const mw_snapshot *snapshot, mw_estimate *of_sites)
{
    for (uint32_t site = 1; site < snapshot->tables->site_count; site++) {
        mw_site_row row = mw_snapshot_site(snapshot, (mw_site){site});

        if (row.live_blocks != 0)
            of_sites[site] = mw_estimate_of_sums(row.live_bytes, row.live_blocks,
                                                 mw_snapshot_sums_sample_bytes(snapshot));
    }
}

/* What the sites have allocated, into [of_sites]. */
static void copy_allocated(const mw_snapshot *snapshot, mw_estimate *of_sites)
{
    for (uint32_t site = 1; site < snapshot->tables->site_count; site++) {
        const mw_estimate *allocated = mw_snapshot_allocated(snapshot, (mw_site){site});

        if (allocated != NULL)
            of_sites[site] = *allocated;
    }
}

/* Adds what [site] has to a row, to which it may have been added already, through another
 * frame of the same line. */
static void estimate_row(grouping *work, uint32_t item, uint32_t site, const mw_estimate *estimate)
{
    mw_row_estimate *row = &work->rows.estimates[item - 1];

    row->repeats = row->last_site == site ? row->repeats + 1 : 0;
    row->last_site = site;
    mw_estimate_add_again(&row->now, estimate, row->repeats);
}

/* Frame by frame: samples are few, and only so is it known how often a site counts. */
static mw_status estimate_frames(grouping *work, uint32_t site, const mw_estimate *estimate)
{
    const mw_snapshot_tables *tables = work->tables;
    const mw_traceback_row *traceback = &tables->tracebacks[tables->sites[site].traceback.index];
    mw_path path = traceback->path;
    mw_status status = MW_OK;
    uint32_t item;

    for (uint32_t left = traceback->frame_count; left != 0 && status == MW_OK; left--) {
        status = find_row_of_frame(work, tables->paths[path.index].frame, &item);
        if (status == MW_OK)
            estimate_row(work, item, site, estimate);
        path = tables->paths[path.index].caller;
    }
    return status;
}

static mw_status estimate_rows(grouping *work, const mw_estimate *of_sites, mw_group_scope scope)
{
    mw_status status = MW_OK;
    uint32_t item;

    for (uint32_t site = 1; site < work->tables->site_count && status == MW_OK; site++) {
        if (of_sites[site].blocks == 0)
            continue;
        if (scope == MW_GROUP_CUMULATIVE) {
            status = estimate_frames(work, site, &of_sites[site]);
            continue;
        }
        status = find_row_of_site(work, &work->tables->sites[site], &item);
        if (status == MW_OK)
            estimate_row(work, item, site, &of_sites[site]);
    }
    for (uint32_t i = 0; i < work->rows.count; i++) {
        work->rows.items[i].bytes = (uint64_t)llround(work->rows.estimates[i].now.bytes);
        work->rows.items[i].blocks = (uint64_t)llround(work->rows.estimates[i].now.blocks);
    }
    return status;
}

/* What [fill] says that sites have, into rows. */
static mw_status add_estimates(grouping *work, mw_group_scope scope,
                               void (*fill)(const mw_snapshot *, mw_estimate *))
{
    uint32_t site_count = work->tables->site_count;
    mw_estimate *of_sites = mw_alloc_array(work->alloc, site_count, sizeof *of_sites);
    mw_status status;

    if (of_sites == NULL)
        return MW_NO_MEMORY;
    work->rows.are_estimated = true;
    work->rows.sample_bytes = work->tables->sample_bytes;
    fill(work->snapshot, of_sites);
    status = estimate_rows(work, of_sites, scope);
    mw_alloc_release(work->alloc, of_sites, site_count * sizeof *of_sites);
    return status;
}

/* ── the whole ───────────────────────────────────────────────────────────────────── */

static mw_status grouping_init(grouping *work, const mw_snapshot *snapshot, mw_group_key key,
                               mw_alloc *alloc)
{
    *work = (grouping){.snapshot = snapshot,
                       .tables = snapshot->tables,
                       .alloc = alloc,
                       .rows = {.alloc = alloc, .key = key}};
    mw_hash_index_init(&work->index, alloc);
    work->memo_count = memo_size(snapshot->tables, key);
    work->memo = mw_alloc_array(alloc, work->memo_count, sizeof *work->memo);
    if (work->memo == NULL)
        return MW_NO_MEMORY;
    return key == MW_GROUP_REGION
               ? mw_region_names(snapshot, alloc, &work->regions, &work->region_count)
               : MW_OK;
}

static void grouping_done(grouping *work)
{
    mw_alloc_release(work->alloc, work->memo, work->memo_count * sizeof *work->memo);
    mw_alloc_release(work->alloc, work->regions, work->region_count * sizeof *work->regions);
    mw_hash_index_done(&work->index);
    mw_rows_done(&work->rows);
}

static void complete_rows(mw_rows *rows)
{
    for (uint32_t i = 0; i < rows->count; i++) {
        rows->items[i].bytes_change = (int64_t)rows->items[i].bytes;
        rows->items[i].blocks_change = (int64_t)rows->items[i].blocks;
    }
    assert(mw_rows_is_consistent(rows));
}

static mw_status add_live(grouping *work, mw_group_scope scope)
{
    if (mw_snapshot_sample_bytes(work->snapshot) != 0)
        return add_estimates(work, scope, estimate_sites);
    if (mw_snapshot_sums_sample_bytes(work->snapshot) != 0)
        return add_estimates(work, scope, estimate_sums);
    return scope == MW_GROUP_CUMULATIVE ? add_cumulative(work) : add_innermost(work);
}

static mw_status add_allocated(grouping *work, mw_group_scope scope)
{
    return add_estimates(work, scope, copy_allocated);
}

/* Rows of what [add] adds. */
static mw_status collect(const mw_snapshot *snapshot, mw_group_key key, mw_group_scope scope,
                         mw_status (*add)(grouping *, mw_group_scope), mw_alloc *alloc,
                         mw_rows *ret_rows, mw_error *reterr)
{
    grouping work;
    mw_status status;

    if (scope == MW_GROUP_CUMULATIVE && key != MW_GROUP_LINE && key != MW_GROUP_FILE)
        return mw_error_set(reterr, MW_BAD_INPUT,
                            "cumulative mode cannot be used with key type '%s'", key_names[key]);

    status = grouping_init(&work, snapshot, key, alloc);
    if (status != MW_OK)
        goto done;
    status = add(&work, scope);
    if (status != MW_OK)
        goto done;
    complete_rows(&work.rows);
    *ret_rows = work.rows;
    work.rows = (mw_rows){.alloc = alloc};

done:
    grouping_done(&work);
    if (status != MW_OK)
        mw_error_set(reterr, status, "out of memory while grouping %u sites by %s",
                     mw_snapshot_site_count(snapshot), key_names[key]);
    return status;
}

mw_status mw_snapshot_collect(const mw_snapshot *snapshot, mw_group_key key, mw_group_scope scope,
                              mw_alloc *alloc, mw_rows *ret_rows, mw_error *reterr)
{
    return collect(snapshot, key, scope, add_live, alloc, ret_rows, reterr);
}

static mw_status group(const mw_snapshot *snapshot, mw_group_key key, mw_group_scope scope,
                       mw_status (*add)(grouping *, mw_group_scope), mw_alloc *alloc,
                       mw_rows *ret_rows, mw_error *reterr)
{
    mw_rows rows = {0};
    mw_status status;

    status = collect(snapshot, key, scope, add, alloc, &rows, reterr);
    if (status != MW_OK)
        return status;
    status = mw_rows_sort(&rows, MW_ROWS_BY_SIZE);
    if (status != MW_OK) {
        mw_error_set(reterr, status, "out of memory while sorting %u rows", rows.count);
        mw_rows_done(&rows);
        return status;
    }
    *ret_rows = rows;
    return MW_OK;
}

mw_status mw_snapshot_group(const mw_snapshot *snapshot, mw_group_key key, mw_group_scope scope,
                            mw_alloc *alloc, mw_rows *ret_rows, mw_error *reterr)
{
    return group(snapshot, key, scope, add_live, alloc, ret_rows, reterr);
}

mw_status mw_snapshot_group_allocated(const mw_snapshot *snapshot, mw_group_key key,
                                      mw_group_scope scope, mw_alloc *alloc, mw_rows *ret_rows,
                                      mw_error *reterr)
{
    if (mw_snapshot_sample_bytes(snapshot) == 0)
        return mw_error_set(reterr, MW_BAD_INPUT,
                            "what was allocated and freed again is known of samples alone");
    return group(snapshot, key, scope, add_allocated, alloc, ret_rows, reterr);
}
