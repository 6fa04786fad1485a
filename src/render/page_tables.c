/* SPDX-License-Identifier: MIT
 *
 * Each snapshot's numbers are translated through memos, so that names are hashed once per
 * set of tables, however many snapshots share it.
 */
#include "render/page_tables.h"

#include "base/hash.h"
#include "core/snapshot_tables.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* What one snapshot's numbers are in the page; 0: not asked yet.  (String 0 is the empty one
 * on both sides.) */
typedef struct translation {
    const mw_snapshot_tables *from;
    uint32_t *strings;
    uint32_t *frames;
    uint32_t *paths;
} translation;

/* ── interning ───────────────────────────────────────────────────────────────────── */

mw_status mw_page_tables_string(mw_page_tables *tables, const char *bytes, size_t length,
                                uint32_t *ret_string)
{
    return mw_string_pool_intern(&tables->strings, bytes, length, ret_string);
}

mw_status mw_page_tables_frame(mw_page_tables *tables, mw_page_frame frame, uint32_t *ret_frame)
{
    uint64_t hash = mw_hash_combine((uint64_t)frame.file << 32 | frame.function,
                                    (uint64_t)frame.module << 32 | (uint32_t)frame.line);
    mw_hash_probe probe = mw_hash_probe_start(hash);
    mw_status status;

    while ((*ret_frame = mw_hash_index_next(&tables->frame_index, &probe)) != 0) {
        const mw_page_frame *old = &tables->frames[*ret_frame];
        if (old->file == frame.file && old->function == frame.function &&
            old->module == frame.module && old->line == frame.line)
            return MW_OK;
    }
    status = mw_hash_index_reserve(&tables->frame_index, 1);
    if (status == MW_OK)
        status = mw_alloc_grow(tables->alloc, &tables->frames, tables->frame_count,
                               &tables->frame_capacity, sizeof frame, UINT32_MAX);
    if (status != MW_OK)
        return status;
    *ret_frame = tables->frame_count++;
    tables->frames[*ret_frame] = frame;
    mw_hash_index_add(&tables->frame_index, hash, *ret_frame);
    return MW_OK;
}

static mw_status intern_path(mw_page_tables *tables, uint32_t caller, uint32_t frame,
                             uint32_t *ret_path)
{
    uint64_t hash = mw_hash_combine(caller, frame);
    mw_hash_probe probe = mw_hash_probe_start(hash);
    mw_status status;

    while ((*ret_path = mw_hash_index_next(&tables->path_index, &probe)) != 0) {
        if (tables->paths[*ret_path].caller == caller && tables->paths[*ret_path].frame == frame)
            return MW_OK;
    }
    status = mw_hash_index_reserve(&tables->path_index, 1);
    if (status == MW_OK)
        status = mw_alloc_grow(tables->alloc, &tables->paths, tables->path_count,
                               &tables->path_capacity, sizeof *tables->paths, UINT32_MAX);
    if (status != MW_OK)
        return status;
    *ret_path = tables->path_count++;
    tables->paths[*ret_path] = (mw_page_path){.caller = caller, .frame = frame};
    mw_hash_index_add(&tables->path_index, hash, *ret_path);
    return MW_OK;
}

static mw_status intern_row(mw_page_tables *tables, const mw_page_row *row, uint32_t *ret_row)
{
    uint64_t hash = mw_hash_combine((uint64_t)row->path << 32 | row->domain, row->thread);
    mw_hash_probe probe = mw_hash_probe_start(hash);
    mw_status status;

    while ((*ret_row = mw_hash_index_next(&tables->row_index, &probe)) != 0) {
        const mw_page_row *old = &tables->rows[*ret_row];
        if (old->path == row->path && old->domain == row->domain && old->thread == row->thread)
            return MW_OK;
    }
    status = mw_hash_index_reserve(&tables->row_index, 1);
    if (status == MW_OK)
        status = mw_alloc_grow(tables->alloc, &tables->rows, tables->row_count,
                               &tables->row_capacity, sizeof *row, UINT32_MAX);
    if (status != MW_OK)
        return status;
    *ret_row = tables->row_count++;
    tables->rows[*ret_row] = *row;
    mw_hash_index_add(&tables->row_index, hash, *ret_row);
    return MW_OK;
}

/* ── life ────────────────────────────────────────────────────────────────────────── */

mw_status mw_page_tables_init(mw_page_tables *ret_tables, mw_alloc *alloc)
{
    mw_page_tables *tables = ret_tables;
    mw_status status;

    *tables = (mw_page_tables){.alloc = alloc};
    mw_hash_index_init(&tables->frame_index, alloc);
    mw_hash_index_init(&tables->path_index, alloc);
    mw_hash_index_init(&tables->row_index, alloc);
    status = mw_string_pool_init(&tables->strings, alloc);
    if (status == MW_OK)
        status = mw_alloc_grow(alloc, &tables->frames, 0, &tables->frame_capacity,
                               sizeof *tables->frames, UINT32_MAX);
    if (status == MW_OK)
        status = mw_alloc_grow(alloc, &tables->paths, 0, &tables->path_capacity,
                               sizeof *tables->paths, UINT32_MAX);
    if (status == MW_OK)
        status = mw_alloc_grow(alloc, &tables->rows, 0, &tables->row_capacity, sizeof *tables->rows,
                               UINT32_MAX);
    if (status != MW_OK) {
        mw_page_tables_done(tables);
        return status;
    }
    tables->frames[0] = (mw_page_frame){0};
    tables->paths[0] = (mw_page_path){0};
    tables->rows[0] = (mw_page_row){0};
    tables->frame_count = tables->path_count = tables->row_count = 1;
    return MW_OK;
}

void mw_page_tables_done(mw_page_tables *tables)
{
    mw_alloc *alloc = tables->alloc;

    if (alloc == NULL)
        return;
    for (uint32_t i = 0; i < tables->sites_count; i++) {
        mw_alloc_release(alloc, tables->sites[i].rows,
                         tables->sites[i].count * sizeof *tables->sites[i].rows);
        mw_snapshot_tables_release(tables->sites[i].tables);
    }
    mw_alloc_release(alloc, tables->sites, tables->sites_capacity * sizeof *tables->sites);
    mw_alloc_release(alloc, tables->added, tables->added_capacity * sizeof *tables->added);
    mw_alloc_release(alloc, tables->rows, tables->row_capacity * sizeof *tables->rows);
    mw_alloc_release(alloc, tables->paths, tables->path_capacity * sizeof *tables->paths);
    mw_alloc_release(alloc, tables->frames, tables->frame_capacity * sizeof *tables->frames);
    mw_hash_index_done(&tables->row_index);
    mw_hash_index_done(&tables->path_index);
    mw_hash_index_done(&tables->frame_index);
    mw_string_pool_done(&tables->strings);
    *tables = (mw_page_tables){0};
}

/* ── translating a snapshot's numbers ────────────────────────────────────────────── */

static void translation_done(translation *work, mw_alloc *alloc)
{
    const mw_snapshot_tables *from = work->from;

    mw_alloc_release(alloc, work->strings, (size_t)from->strings.count * sizeof *work->strings);
    mw_alloc_release(alloc, work->frames, (size_t)from->frame_count * sizeof *work->frames);
    mw_alloc_release(alloc, work->paths, (size_t)from->path_count * sizeof *work->paths);
}

static mw_status translation_init(translation *work, const mw_snapshot_tables *from,
                                  mw_alloc *alloc)
{
    work->from = from;
    work->strings = mw_alloc_array(alloc, from->strings.count, sizeof *work->strings);
    work->frames = mw_alloc_array(alloc, from->frame_count, sizeof *work->frames);
    work->paths = mw_alloc_array(alloc, from->path_count, sizeof *work->paths);
    if (work->strings != NULL && work->frames != NULL && work->paths != NULL)
        return MW_OK;
    translation_done(work, alloc);
    return MW_NO_MEMORY;
}

static mw_status translate_string(mw_page_tables *tables, translation *work, mw_string string,
                                  uint32_t *ret_string)
{
    uint32_t *memo = &work->strings[string.index];
    mw_status status = MW_OK;

    if (*memo == 0 && string.index != 0)
        status = mw_string_pool_intern(
            &tables->strings, mw_string_pool_bytes(&work->from->strings, string.index),
            mw_string_pool_length(&work->from->strings, string.index), memo);
    *ret_string = *memo;
    return status;
}

static mw_status translate_frame(mw_page_tables *tables, translation *work, mw_frame frame,
                                 uint32_t *ret_frame)
{
    const mw_frame_row *row = &work->from->frames[frame.index];
    uint32_t *memo = &work->frames[frame.index];
    mw_page_frame made = {.line = row->line};
    mw_status status = MW_OK;

    if (*memo == 0)
        status = translate_string(tables, work, row->file, &made.file);
    if (*memo == 0 && status == MW_OK)
        status = translate_string(tables, work, row->function, &made.function);
    if (*memo == 0 && status == MW_OK)
        status = translate_string(tables, work, row->module, &made.module);
    if (*memo == 0 && status == MW_OK)
        status = mw_page_tables_frame(tables, made, memo);
    *ret_frame = *memo;
    return status;
}

/* Paths that are marked and all above them.  A caller's number is smaller than that of whom it
 * calls, so one pass down and one pass up is enough. */
static mw_status translate_paths(mw_page_tables *tables, translation *work)
{
    const mw_path_row *rows = work->from->paths;
    mw_status status = MW_OK;

    for (uint32_t i = work->from->path_count - 1; i > 0; i--)
        if (work->paths[i] != 0)
            work->paths[rows[i].caller.index] = 1;
    work->paths[0] = 0;
    for (uint32_t i = 1; i < work->from->path_count && status == MW_OK; i++) {
        uint32_t frame;
        if (work->paths[i] == 0)
            continue;
        status = translate_frame(tables, work, rows[i].frame, &frame);
        if (status == MW_OK)
            status = intern_path(tables, work->paths[rows[i].caller.index], frame, &work->paths[i]);
    }
    return status;
}

static mw_status translate_site(mw_page_tables *tables, translation *work, mw_site_row site,
                                uint32_t *ret_row)
{
    mw_page_row row = {.domain = site.domain, .path = work->paths[site.path.index]};
    mw_status status = translate_string(
        tables, work, mw_snapshot_thread_string(work->from, site.thread), &row.thread);

    return status == MW_OK ? intern_row(tables, &row, ret_row) : status;
}

/* ── adding ──────────────────────────────────────────────────────────────────────── */

static mw_page_sites *find_sites(const mw_page_tables *tables, const mw_snapshot *snapshot)
{
    for (uint32_t i = 0; i < tables->sites_count; i++)
        if (tables->sites[i].tables == snapshot->tables)
            return &tables->sites[i];
    return NULL;
}

static mw_status make_sites(mw_page_tables *tables, const mw_snapshot *snapshot,
                            mw_page_sites **ret_sites)
{
    mw_page_sites made = {.tables = snapshot->tables,
                          .count = mw_snapshot_site_count(snapshot) + 1};
    mw_status status;

    *ret_sites = find_sites(tables, snapshot);
    if (*ret_sites != NULL)
        return MW_OK;
    status = mw_alloc_grow(tables->alloc, &tables->sites, tables->sites_count,
                           &tables->sites_capacity, sizeof made, UINT32_MAX);
    if (status != MW_OK)
        return status;
    made.rows = mw_alloc_array(tables->alloc, made.count, sizeof *made.rows);
    if (made.rows == NULL)
        return MW_NO_MEMORY;
    made.tables->references++;
    *ret_sites = &tables->sites[tables->sites_count++];
    **ret_sites = made;
    return MW_OK;
}

static bool is_alive(mw_site_row site)
{
    return site.live_bytes != 0 || site.live_blocks != 0;
}

/* Rows for all sites that have something and none yet. */
static mw_status add_rows(mw_page_tables *tables, const mw_snapshot *snapshot, mw_page_sites *sites)
{
    translation work = {0};
    mw_status status = translation_init(&work, snapshot->tables, tables->alloc);

    if (status != MW_OK)
        return status;
    for (uint32_t i = 1; i < sites->count; i++) {
        mw_site_row site = mw_snapshot_site(snapshot, (mw_site){i});
        if (sites->rows[i] == 0 && is_alive(site))
            work.paths[site.path.index] = 1;
    }
    status = translate_paths(tables, &work);
    for (uint32_t i = 1; i < sites->count && status == MW_OK; i++) {
        mw_site_row site = mw_snapshot_site(snapshot, (mw_site){i});
        if (sites->rows[i] == 0 && is_alive(site))
            status = translate_site(tables, &work, site, &sites->rows[i]);
    }
    translation_done(&work, tables->alloc);
    return status;
}

static bool has_new_sites(const mw_snapshot *snapshot, const mw_page_sites *sites)
{
    for (uint32_t i = 1; i < sites->count; i++)
        if (sites->rows[i] == 0 && is_alive(mw_snapshot_site(snapshot, (mw_site){i})))
            return true;
    return false;
}

/* ── amounts ─────────────────────────────────────────────────────────────────────── */

/* Adds up by rows of ours, or of the page. */
static mw_status add_up(const mw_page_tables *tables, const mw_snapshot *snapshot, bool is_settled,
                        uint32_t count, mw_tally *amounts, mw_tally *ret_all)
{
    const mw_page_sites *sites = find_sites(tables, snapshot);
    mw_site_sums sums;
    mw_status status = mw_site_sums_init(&sums, snapshot, tables->alloc);

    if (status != MW_OK)
        return status;
    assert(sites != NULL);
    memset(amounts, 0, count * sizeof *amounts);
    for (uint32_t i = 1; i < sites->count; i++) {
        uint32_t row = sites->rows[i];
        mw_tally *amount = &amounts[is_settled ? tables->rows[row].number : row];
        if (row == 0)
            continue;
        amount->bytes += sums.sites[i].bytes;
        amount->blocks += sums.sites[i].blocks;
    }
    *ret_all = sums.all;
    mw_site_sums_done(&sums);
    return MW_OK;
}

mw_status mw_page_tables_amounts(const mw_page_tables *tables, const mw_snapshot *snapshot,
                                 mw_tally *ret_amounts)
{
    mw_tally all;

    return add_up(tables, snapshot, true, tables->page_row_count, ret_amounts, &all);
}

void mw_page_tables_settled(const mw_page_tables *tables, const mw_tally *by_row, uint32_t count,
                            mw_tally *ret_amounts)
{
    memset(ret_amounts, 0, tables->page_row_count * sizeof *ret_amounts);
    for (uint32_t i = 1; i < count; i++) {
        mw_tally *amount = &ret_amounts[tables->rows[i].number];
        amount->bytes += by_row[i].bytes;
        amount->blocks += by_row[i].blocks;
    }
}

/* Makes room for as many amounts as there are rows, some to spare. */
static mw_status reserve_added(mw_page_tables *tables)
{
    mw_tally *grown;

    if (tables->added_capacity >= tables->row_count)
        return MW_OK;
    grown = mw_alloc_array(tables->alloc, tables->row_capacity, sizeof *grown);
    if (grown == NULL)
        return MW_NO_MEMORY;
    mw_alloc_release(tables->alloc, tables->added, tables->added_capacity * sizeof *tables->added);
    tables->added = grown;
    tables->added_capacity = tables->row_capacity;
    return MW_OK;
}

mw_status mw_page_tables_add(mw_page_tables *tables, const mw_snapshot *snapshot)
{
    mw_page_sites *sites;
    mw_status status = make_sites(tables, snapshot, &sites);

    if (status == MW_OK && has_new_sites(snapshot, sites))
        status = add_rows(tables, snapshot, sites);
    if (status == MW_OK)
        status = reserve_added(tables);
    if (status == MW_OK)
        status =
            add_up(tables, snapshot, false, tables->row_count, tables->added, &tables->added_all);
    if (status != MW_OK)
        return status;
    for (uint32_t i = 1; i < tables->row_count; i++)
        if (tables->added[i].bytes > tables->rows[i].weight)
            tables->rows[i].weight = tables->added[i].bytes;
    return MW_OK;
}

/* ── settling ────────────────────────────────────────────────────────────────────── */

static int compare_weights(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

    return left < right ? 1 : left > right ? -1 : 0;
}

/* The weight that a row must exceed to be kept, if no more than [maximum] are to be. */
static mw_status weight_limit(const mw_page_tables *tables, uint32_t maximum, uint64_t *ret_limit)
{
    uint64_t *weights = mw_alloc_array(tables->alloc, tables->row_count, sizeof *weights);

    if (weights == NULL)
        return MW_NO_MEMORY;
    for (uint32_t i = 1; i < tables->row_count; i++)
        weights[i - 1] = tables->rows[i].weight;
    qsort(weights, tables->row_count - 1, sizeof *weights, compare_weights);
    *ret_limit = weights[maximum];
    mw_alloc_release(tables->alloc, weights, tables->row_count * sizeof *weights);
    return MW_OK;
}

/* The path that stands for those that were folded. */
static mw_status folded_path(mw_page_tables *tables, uint32_t *ret_path)
{
    mw_page_frame frame = {0};
    uint32_t number;
    mw_status status =
        mw_page_tables_string(tables, MW_PAGE_FOLDED, strlen(MW_PAGE_FOLDED), &frame.file);

    frame.function = frame.file;
    if (status == MW_OK)
        status = mw_page_tables_frame(tables, frame, &number);
    return status == MW_OK ? intern_path(tables, 0, number, ret_path) : status;
}

/* Rows up to [limit] go into one that has their domain and thread. */
static mw_status fold_rows(mw_page_tables *tables, uint64_t limit)
{
    uint32_t count = tables->row_count;
    uint32_t path = 0;
    mw_status status = folded_path(tables, &path);

    tables->folded_weight = limit;
    for (uint32_t i = 1; i < count && status == MW_OK; i++) {
        mw_page_row row = tables->rows[i];
        uint32_t into = 0;
        if (row.weight > limit)
            continue;
        row.path = path;
        status = intern_row(tables, &row, &into);
        tables->rows[i].into = into;
        tables->folded_rows++;
    }
    return status;
}

/* Those that a row stands at, and all above them. */
static void number_paths(mw_page_tables *tables)
{
    mw_page_path *paths = tables->paths;

    for (uint32_t i = 1; i < tables->row_count; i++)
        if (tables->rows[i].into == 0)
            paths[tables->rows[i].path].number = 1;
    for (uint32_t i = tables->path_count - 1; i > 0; i--)
        if (paths[i].number != 0)
            paths[paths[i].caller].number = 1;
    paths[0].number = 0;
    tables->page_path_count = 1;
    for (uint32_t i = 1; i < tables->path_count; i++)
        if (paths[i].number != 0)
            paths[i].number = tables->page_path_count++;
}

static void number_rows(mw_page_tables *tables)
{
    mw_page_row *rows = tables->rows;

    tables->page_row_count = 1;
    for (uint32_t i = 1; i < tables->row_count; i++)
        if (rows[i].into == 0)
            rows[i].number = tables->page_row_count++;
    for (uint32_t i = 1; i < tables->row_count; i++)
        if (rows[i].into != 0)
            rows[i].number = rows[rows[i].into].number;
}

mw_status mw_page_tables_settle(mw_page_tables *tables, uint32_t row_maximum)
{
    mw_status status = MW_OK;
    uint64_t limit = 0;

    if (tables->row_count - 1 > row_maximum) {
        status = weight_limit(tables, row_maximum, &limit);
        if (status == MW_OK)
            status = fold_rows(tables, limit);
    }
    if (status != MW_OK)
        return status;

    number_paths(tables);
    number_rows(tables);
    return MW_OK;
}
