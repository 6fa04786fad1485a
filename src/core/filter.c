/* SPDX-License-Identifier: MIT
 *
 * A filter asks about files, lines and domains only, and there are few of those.  So
 * before the sites are looked at, each filter is prepared: its pattern is tried once
 * per file name; and if it looks at all frames, each path learns how far up its nearest
 * matching frame is, which is 0 for a frame that matches, else its caller's distance
 * plus one.  A traceback, whole or cut, then has a matching frame if that distance is
 * less than the frames it keeps.
 */
#include "core/filter.h"

#include "core/snapshot_tables.h"

#include <assert.h>
#include <string.h>

/* ── one filter, asked directly ──────────────────────────────────────────────────── */

/* The name without the "c" of a final ".pyc". */
static size_t normalized_length(const char *name, size_t length)
{
    bool is_compiled = length >= 4 && memcmp(name + length - 4, ".pyc", 4) == 0;

    return is_compiled ? length - 1 : length;
}

bool mw_filter_names_file(const mw_filter *filter, const char *name, size_t length)
{
    return mw_fnmatch(filter->pattern, filter->pattern_length, name,
                      normalized_length(name, length));
}

static bool file_matches(const mw_filter *filter, const mw_snapshot_tables *tables, mw_string file)
{
    return mw_filter_names_file(filter, mw_string_pool_bytes(&tables->strings, file.index),
                                mw_string_pool_length(&tables->strings, file.index));
}

/* Whether one of the frames that count is the one the filter names. */
static bool names_frame_of(const mw_filter *filter, const mw_snapshot_tables *tables,
                           const mw_traceback_row *traceback)
{
    uint32_t count = filter->all_frames ? traceback->frame_count : 1;
    mw_path path = traceback->path;

    for (; count != 0; count--, path = tables->paths[path.index].caller) {
        const mw_frame_row *frame = &tables->frames[tables->paths[path.index].frame.index];

        if (mw_filter_names_line(filter, frame->line) && file_matches(filter, tables, frame->file))
            return true;
    }
    return false;
}

bool mw_filter_concludes(const mw_filter *filter, bool names_frame, uint32_t domain)
{
    bool in_domain = domain == filter->domain;

    if (filter->kind == MW_FILTER_DOMAIN)
        return in_domain == filter->inclusive;
    if (!filter->has_domain)
        return names_frame == filter->inclusive;
    return (names_frame && in_domain) == filter->inclusive;
}

bool mw_filter_matches(const mw_filter *filter, const mw_snapshot *snapshot, mw_traceback traceback,
                       uint32_t domain)
{
    const mw_snapshot_tables *tables = snapshot->tables;
    bool names_frame = filter->kind == MW_FILTER_FILE &&
                       names_frame_of(filter, tables, &tables->tracebacks[traceback.index]);

    return mw_filter_concludes(filter, names_frame, domain);
}

/* ── filters, prepared for all sites ─────────────────────────────────────────────── */

typedef enum verdict { NOT_ASKED = 0, NO_MATCH, MATCH } verdict;

#define NO_FRAME_MATCHES UINT32_MAX

typedef struct prepared_filter {
    const mw_filter *filter;
    uint8_t *verdicts;   /* owned; by string: what the pattern says of it   */
    uint32_t *distances; /* owned; by path; only if all frames are looked at */
} prepared_filter;

static bool frame_matches(const prepared_filter *prepared, const mw_snapshot_tables *tables,
                          mw_path path)
{
    const mw_frame_row *frame = &tables->frames[tables->paths[path.index].frame.index];
    uint8_t *file_verdict = &prepared->verdicts[frame->file.index];

    if (!mw_filter_names_line(prepared->filter, frame->line))
        return false;
    if (*file_verdict == NOT_ASKED)
        *file_verdict = file_matches(prepared->filter, tables, frame->file) ? MATCH : NO_MATCH;
    return *file_verdict == MATCH;
}

static mw_status measure_distances(prepared_filter *prepared, const mw_snapshot_tables *tables)
{
    uint32_t *distances = mw_alloc_array(tables->alloc, tables->path_count, sizeof *distances);

    if (distances == NULL)
        return MW_NO_MEMORY;
    distances[0] = NO_FRAME_MATCHES;
    for (uint32_t path = 1; path < tables->path_count; path++) {
        uint32_t of_caller = distances[tables->paths[path].caller.index];

        if (frame_matches(prepared, tables, (mw_path){path}))
            distances[path] = 0;
        else
            distances[path] = of_caller != NO_FRAME_MATCHES ? of_caller + 1 : NO_FRAME_MATCHES;
    }
    prepared->distances = distances;
    return MW_OK;
}

static mw_status prepare(prepared_filter *prepared, const mw_filter *filter,
                         const mw_snapshot_tables *tables)
{
    prepared->filter = filter;
    if (filter->kind == MW_FILTER_DOMAIN)
        return MW_OK;
    prepared->verdicts =
        mw_alloc_array(tables->alloc, tables->strings.count, sizeof *prepared->verdicts);
    if (prepared->verdicts == NULL)
        return MW_NO_MEMORY;
    return filter->all_frames ? measure_distances(prepared, tables) : MW_OK;
}

static void prepared_filters_free(prepared_filter *filters, size_t count,
                                  const mw_snapshot_tables *tables)
{
    for (size_t i = 0; filters != NULL && i < count; i++) {
        mw_alloc_release(tables->alloc, filters[i].verdicts,
                         tables->strings.count * sizeof *filters[i].verdicts);
        mw_alloc_release(tables->alloc, filters[i].distances,
                         tables->path_count * sizeof *filters[i].distances);
    }
    mw_alloc_release(tables->alloc, filters, count * sizeof *filters);
}

static bool prepared_matches(const prepared_filter *prepared, const mw_snapshot_tables *tables,
                             const mw_site_key *site)
{
    const mw_traceback_row *traceback = &tables->tracebacks[site->traceback.index];
    bool names_frame = false;

    if (prepared->distances != NULL)
        names_frame = prepared->distances[traceback->path.index] < traceback->frame_count;
    else if (prepared->verdicts != NULL)
        names_frame = frame_matches(prepared, tables, traceback->path);
    return mw_filter_concludes(prepared->filter, names_frame, site->domain);
}

static bool site_stays(const prepared_filter *filters, size_t count,
                       const mw_snapshot_tables *tables, const mw_site_key *site)
{
    mw_filter_poll poll = {0};

    for (size_t i = 0; i < count && !poll.is_refused; i++)
        if (mw_filter_poll_asks(&poll, filters[i].filter))
            mw_filter_poll_count(&poll, filters[i].filter,
                                 prepared_matches(&filters[i], tables, site));
    return mw_filter_poll_admits(&poll);
}

/* ── the snapshots that are left ─────────────────────────────────────────────────── */

static mw_status select_runs(mw_snapshot *selected, const mw_snapshot *snapshot, const bool *keep)
{
    mw_status status = MW_OK;

    for (uint32_t i = 0; i < snapshot->run_count && status == MW_OK; i++) {
        const mw_run *run = &snapshot->runs[i];

        if (keep[run->site.index])
            status = mw_snapshot_append(selected, run->site, run->size_bytes,
                                        mw_snapshot_run_blocks(snapshot, i));
    }
    return status;
}

static mw_status select_sums(mw_snapshot *selected, const mw_snapshot *snapshot, const bool *keep)
{
    mw_status status = MW_OK;

    selected->has_sums_only = true;
    for (uint32_t site = 1; site < snapshot->tables->site_count && status == MW_OK; site++) {
        if (keep[site])
            status = mw_snapshot_add_tally(selected, (mw_site){site}, &snapshot->tallies[site]);
    }
    return status;
}

static bool has_allocated(const mw_snapshot *snapshot, uint32_t site)
{
    return site < snapshot->allocated_capacity;
}

static bool has_totals(const mw_snapshot *snapshot, uint32_t site)
{
    return site < snapshot->total_capacity && snapshot->totals[site].blocks != 0;
}

/* What sites have allocated, dead or alive. */
static mw_status select_history(mw_snapshot *selected, const mw_snapshot *snapshot,
                                const bool *keep)
{
    mw_status status = MW_OK;

    /* A snapshot of which no site is left has totals as well. */
    if (mw_snapshot_has_totals(snapshot))
        status = mw_snapshot_add_totals(selected, (mw_site){0}, &(mw_tally){0});
    for (uint32_t site = 1; site < snapshot->tables->site_count && status == MW_OK; site++) {
        if (!keep[site])
            continue;
        if (has_allocated(snapshot, site))
            status =
                mw_snapshot_add_allocated(selected, (mw_site){site}, &snapshot->allocated[site]);
        if (status == MW_OK && has_totals(snapshot, site))
            status = mw_snapshot_add_totals(selected, (mw_site){site}, &snapshot->totals[site]);
    }
    return status;
}

mw_status mw_snapshot_select(mw_snapshot *snapshot, const bool *keep, mw_snapshot **ret_snapshot)
{
    mw_snapshot_tables *tables = snapshot->tables;
    mw_snapshot *selected;
    mw_status status;

    status = mw_snapshot_new(tables, &selected);
    if (status != MW_OK)
        return status;
    status = MW_NO_MEMORY;
    selected->tallies =
        mw_alloc_array(tables->alloc, tables->site_count, sizeof *selected->tallies);
    if (selected->tallies == NULL)
        goto done;
    selected->tally_capacity = tables->site_count;
    if (mw_snapshot_has_blocks(snapshot))
        status = select_runs(selected, snapshot, keep);
    else
        status = select_sums(selected, snapshot, keep);
    if (status == MW_OK)
        status = select_history(selected, snapshot, keep);
    assert(status != MW_OK || mw_snapshot_is_consistent(selected));

done:
    if (status == MW_OK)
        *ret_snapshot = selected;
    else
        mw_snapshot_release(selected);
    return status;
}

mw_status mw_snapshot_filter(mw_snapshot *snapshot, const mw_filter *filters, size_t count,
                             mw_snapshot **ret_snapshot)
{
    mw_snapshot_tables *tables = snapshot->tables;
    prepared_filter *prepared = mw_alloc_array(tables->alloc, count, sizeof *prepared);
    bool *keep = mw_alloc_array(tables->alloc, tables->site_count, sizeof *keep);
    mw_status status = MW_NO_MEMORY;

    if (prepared == NULL || keep == NULL)
        goto done;
    for (size_t i = 0; i < count; i++) {
        status = prepare(&prepared[i], &filters[i], tables);
        if (status != MW_OK)
            goto done;
    }
    for (uint32_t site = 1; site < tables->site_count; site++) {
        keep[site] = (snapshot->tallies[site].blocks != 0 || has_allocated(snapshot, site) ||
                      has_totals(snapshot, site)) &&
                     site_stays(prepared, count, tables, &tables->sites[site]);
    }
    status = mw_snapshot_select(snapshot, keep, ret_snapshot);

done:
    prepared_filters_free(prepared, count, tables);
    mw_alloc_release(tables->alloc, keep, tables->site_count * sizeof *keep);
    return status;
}
