/* SPDX-License-Identifier: MIT */
#include "capture/segment.h"

#include "base/hash.h"
#include "capture/format.h"
#include "capture/site_copy.h"

#include <math.h>

/* The most epochs that a segment names; the last one then goes on. */
enum { EPOCH_MAXIMUM = 1 << 24, SOURCE_LINE_MAXIMUM = 1 << 12 };

/* ── life ────────────────────────────────────────────────────────────────────────── */

void mw_tallies_done(mw_tallies *tallies, mw_alloc *alloc)
{
    if (tallies->items != NULL)
        mw_alloc_release(alloc, tallies->items, tallies->count * sizeof *tallies->items);
    *tallies = (mw_tallies){0};
}

mw_status mw_segment_init(mw_segment *segment, uint32_t frame_limit, mw_alloc *alloc)
{
    mw_status status;

    *segment = (mw_segment){.alloc = alloc,
                            .written_strings = 1,
                            .written_frames = 1,
                            .written_paths = 1,
                            .written_sites = 1,
                            .written_epochs = 1,
                            .epoch_count = 1,
                            .asked_frames = 1};
    mw_hash_index_init(&segment->asked, alloc);
    status = mw_alloc_grow(alloc, &segment->epochs, 0, &segment->epoch_capacity,
                           sizeof *segment->epochs, EPOCH_MAXIMUM);
    if (status == MW_OK)
        status = mw_snapshot_builder_new(alloc, frame_limit, &segment->builder);
    if (status != MW_OK)
        mw_segment_done(segment);
    return status;
}

void mw_segment_done(mw_segment *segment)
{
    if (segment->alloc == NULL)
        return;
    mw_snapshot_builder_free(segment->builder);
    mw_alloc_release(segment->alloc, segment->written_threads,
                     segment->thread_capacity * sizeof *segment->written_threads);
    mw_alloc_release(segment->alloc, segment->epochs,
                     segment->epoch_capacity * sizeof *segment->epochs);
    mw_tallies_done(&segment->tallies, segment->alloc);
    mw_tallies_done(&segment->peak, segment->alloc);
    mw_hash_index_done(&segment->asked);
    *segment = (mw_segment){0};
}

static const mw_snapshot_tables *tables_of(const mw_segment *segment)
{
    return mw_snapshot_builder_tables(segment->builder);
}

/* ── epochs ──────────────────────────────────────────────────────────────────────── */

mw_status mw_segment_add_epoch(mw_segment *segment, uint32_t number, uint64_t start_ns)
{
    const mw_segment_epoch *last = &segment->epochs[segment->epoch_count - 1];
    mw_status status;

    if (number <= last->number)
        return MW_OK;
    if (start_ns <= last->start_ns)
        start_ns = last->start_ns + 1;
    status = mw_alloc_grow(segment->alloc, &segment->epochs, segment->epoch_count,
                           &segment->epoch_capacity, sizeof *segment->epochs, EPOCH_MAXIMUM);
    if (status == MW_OK)
        segment->epochs[segment->epoch_count++] = (mw_segment_epoch){number, start_ns};
    return status == MW_LIMIT ? MW_OK : status;
}

/* The file's number of an epoch: the last one that is named and not later. */
static uint32_t find_epoch(const mw_segment *segment, uint32_t number)
{
    uint32_t low = 0, high = segment->epoch_count;

    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;

        if (segment->epochs[middle].number <= number)
            low = middle;
        else
            high = middle;
    }
    return low;
}

/* ── taking up ───────────────────────────────────────────────────────────────────── */

/* What the samples of each site stand for. */
static mw_status estimate_sites(const mw_snapshot *snapshot, mw_alloc *alloc,
                                mw_estimate **ret_of_sites)
{
    uint32_t count = snapshot->tables->site_count;
    mw_estimate *of_sites = mw_alloc_array(alloc, count, sizeof *of_sites);

    if (of_sites == NULL)
        return MW_NO_MEMORY;
    for (uint32_t run = 0; run < snapshot->run_count; run++) {
        mw_estimate part =
            mw_estimate_of(snapshot->runs[run].size_bytes, mw_snapshot_run_blocks(snapshot, run),
                           snapshot->tables->sample_bytes);

        mw_estimate_add(&of_sites[snapshot->runs[run].site.index], &part);
    }
    *ret_of_sites = of_sites;
    return MW_OK;
}

static uint64_t rounded(double number)
{
    return number < 9e18 ? (uint64_t)llround(number) : UINT64_MAX;
}

static mw_tally rounded_tally(const mw_estimate *estimate)
{
    mw_tally tally = {rounded(estimate->bytes), rounded(estimate->blocks)};

    return tally.blocks != 0 ? tally : (mw_tally){0};
}

/* What a site has; [estimates] is NULL where its numbers are exact. */
static mw_capture_tally tally_of(const mw_snapshot *snapshot, const mw_estimate *estimates,
                                 mw_site site)
{
    mw_site_row row = mw_snapshot_site(snapshot, site);
    const mw_estimate *allocated = mw_snapshot_allocated(snapshot, site);
    mw_tally live = {row.live_bytes, row.live_blocks};
    mw_tally total = {row.total_bytes, row.total_blocks};

    if (estimates != NULL)
        live = rounded_tally(&estimates[site.index]);
    if (estimates != NULL && allocated != NULL)
        total = rounded_tally(allocated);
    return (mw_capture_tally){live.bytes, live.blocks, total.bytes, total.blocks};
}

static bool is_empty(const mw_capture_tally *tally)
{
    return tally->live_blocks == 0 && tally->total_blocks == 0;
}

static bool add_tally(mw_capture_tally *sum, const mw_capture_tally *part)
{
    return !__builtin_add_overflow(sum->live_bytes, part->live_bytes, &sum->live_bytes) &&
           !__builtin_add_overflow(sum->live_blocks, part->live_blocks, &sum->live_blocks) &&
           !__builtin_add_overflow(sum->total_bytes, part->total_bytes, &sum->total_bytes) &&
           !__builtin_add_overflow(sum->total_blocks, part->total_blocks, &sum->total_blocks);
}

static mw_status name_threads(mw_segment *segment, mw_site_copy *copy)
{
    const mw_snapshot_tables *from = copy->from;
    mw_status status = MW_OK;

    for (uint32_t thread = 1; thread < from->thread_count && status == MW_OK; thread++) {
        mw_string name = {0};

        if (thread > MW_THREAD_NUMBER_MAXIMUM)
            break;
        if (from->thread_names[thread].index == 0)
            continue;
        status = mw_site_copy_string(copy, from->thread_names[thread], &name);
        if (status == MW_OK)
            status = mw_snapshot_builder_name_thread(segment->builder, (mw_thread){thread}, name);
    }
    return status;
}

/* By site of the snapshot, the segment's. */
static mw_status copy_sites(mw_segment *segment, mw_site_copy *copy, const mw_snapshot *snapshot,
                            const mw_estimate *estimates, uint32_t *of_snapshot)
{
    mw_status status = name_threads(segment, copy);

    for (uint32_t i = 1; i < copy->from->site_count && status == MW_OK; i++) {
        mw_capture_tally tally = tally_of(snapshot, estimates, (mw_site){i});
        const mw_site_key *key = &copy->from->sites[i];
        mw_site site;

        if (is_empty(&tally))
            continue;
        status = mw_site_copy_site(copy, (mw_site){i}, key->thread, find_epoch(segment, key->epoch),
                                   &site);
        if (status == MW_OK)
            of_snapshot[i] = site.index;
    }
    return status;
}

/* Several sites of the snapshot may be one of the segment's, which knows fewer epochs. */
static mw_status fill_tallies(const mw_segment *segment, const mw_snapshot *snapshot,
                              const mw_estimate *estimates, const uint32_t *of_snapshot,
                              mw_tallies *ret_tallies)
{
    uint32_t count = tables_of(segment)->site_count;
    mw_capture_tally *items = mw_alloc_array(segment->alloc, count, sizeof *items);
    mw_capture_tally sum = {0};

    if (items == NULL)
        return MW_NO_MEMORY;
    for (uint32_t i = 1; i < snapshot->tables->site_count; i++) {
        mw_capture_tally tally = tally_of(snapshot, estimates, (mw_site){i});

        if (of_snapshot[i] == 0)
            continue;
        if (!add_tally(&sum, &tally)) {
            mw_alloc_release(segment->alloc, items, count * sizeof *items);
            return MW_LIMIT;
        }
        add_tally(&items[of_snapshot[i]], &tally);
    }
    *ret_tallies =
        (mw_tallies){items, count, mw_snapshot_has_totals(snapshot) || snapshot->allocated != NULL};
    return MW_OK;
}

mw_status mw_segment_take_up(mw_segment *segment, const mw_snapshot *snapshot,
                             mw_tallies *ret_tallies)
{
    mw_alloc *alloc = segment->alloc;
    uint32_t count = snapshot->tables->site_count;
    uint32_t *of_snapshot = mw_alloc_array(alloc, count, sizeof *of_snapshot);
    mw_estimate *estimates = NULL;
    mw_site_copy copy = {0};
    mw_status status = of_snapshot != NULL ? MW_OK : MW_NO_MEMORY;

    if (status == MW_OK && mw_snapshot_sample_bytes(snapshot) != 0)
        status = estimate_sites(snapshot, alloc, &estimates);
    if (status == MW_OK)
        status = mw_site_copy_init(&copy, snapshot->tables, segment->builder, (mw_path){0}, alloc);
    if (status == MW_OK)
        status = copy_sites(segment, &copy, snapshot, estimates, of_snapshot);
    if (status == MW_OK)
        status = fill_tallies(segment, snapshot, estimates, of_snapshot, ret_tallies);
    mw_site_copy_done(&copy);
    mw_alloc_release(alloc, estimates, count * sizeof *estimates);
    mw_alloc_release(alloc, of_snapshot, count * sizeof *of_snapshot);
    return status;
}

/* ── succession ──────────────────────────────────────────────────────────────────── */

static void mark_epochs(const mw_segment *older, const mw_snapshot *snapshot, bool *is_used)
{
    const mw_snapshot_tables *tables = snapshot->tables;

    for (uint32_t i = 1; i < tables->site_count; i++) {
        mw_capture_tally tally = tally_of(snapshot, NULL, (mw_site){i});

        if (!is_empty(&tally) || snapshot->allocated != NULL)
            is_used[find_epoch(older, tables->sites[i].epoch)] = true;
    }
}

static void mark_epochs_of_peak(const mw_segment *older, bool *is_used)
{
    const mw_snapshot_tables *tables = tables_of(older);

    for (uint32_t i = 1; older->has_peak && i < older->peak.count; i++) {
        if (!is_empty(&older->peak.items[i]))
            is_used[tables->sites[i].epoch] = true;
    }
}

static mw_status succeed_epochs(mw_segment *segment, const mw_segment *older,
                                const mw_snapshot *snapshot)
{
    bool *is_used = mw_alloc_array(segment->alloc, older->epoch_count, sizeof *is_used);
    mw_status status = MW_OK;

    if (is_used == NULL)
        return MW_NO_MEMORY;
    mark_epochs(older, snapshot, is_used);
    mark_epochs_of_peak(older, is_used);
    is_used[older->epoch_count - 1] = true;
    for (uint32_t i = 1; i < older->epoch_count && status == MW_OK; i++) {
        if (is_used[i])
            status =
                mw_segment_add_epoch(segment, older->epochs[i].number, older->epochs[i].start_ns);
    }
    mw_alloc_release(segment->alloc, is_used, older->epoch_count * sizeof *is_used);
    return status;
}

/* The peak's sites by their numbers in the new segment. */
static mw_status copy_peak(mw_segment *segment, const mw_segment *older, mw_site_copy *copy,
                           uint32_t *of_older)
{
    const mw_snapshot_tables *from = copy->from;
    mw_status status = name_threads(segment, copy);

    for (uint32_t i = 1; i < older->peak.count && status == MW_OK; i++) {
        const mw_site_key *key = &from->sites[i];
        mw_site site = {0};

        if (is_empty(&older->peak.items[i]))
            continue;
        status = mw_site_copy_site(copy, (mw_site){i}, key->thread,
                                   find_epoch(segment, older->epochs[key->epoch].number), &site);
        of_older[i] = site.index;
    }
    return status;
}

static mw_status succeed_peak(mw_segment *segment, const mw_segment *older)
{
    mw_alloc *alloc = segment->alloc;
    uint32_t *of_older = mw_alloc_array(alloc, older->peak.count, sizeof *of_older);
    mw_site_copy copy = {0};
    mw_status status = of_older != NULL ? MW_OK : MW_NO_MEMORY;

    if (status == MW_OK)
        status = mw_site_copy_init(&copy, tables_of(older), segment->builder, (mw_path){0}, alloc);
    if (status == MW_OK)
        status = copy_peak(segment, older, &copy, of_older);
    if (status == MW_OK) {
        segment->peak = (mw_tallies){.count = tables_of(segment)->site_count,
                                     .has_totals = older->peak.has_totals};
        segment->peak.items =
            mw_alloc_array(alloc, segment->peak.count, sizeof *segment->peak.items);
        status = segment->peak.items != NULL ? MW_OK : MW_NO_MEMORY;
    }
    for (uint32_t i = 1; status == MW_OK && i < older->peak.count; i++) {
        if (of_older[i] != 0)
            segment->peak.items[of_older[i]] = older->peak.items[i];
    }
    mw_site_copy_done(&copy);
    mw_alloc_release(alloc, of_older, older->peak.count * sizeof *of_older);
    return status;
}

mw_status mw_segment_succeed(mw_segment *segment, const mw_segment *older,
                             const mw_snapshot *snapshot)
{
    mw_status status = succeed_epochs(segment, older, snapshot);

    if (status != MW_OK || !older->has_peak)
        return status;
    status = succeed_peak(segment, older);
    segment->has_peak = status == MW_OK;
    segment->peak_point = older->peak_point;
    return status;
}

/* ── encoding ────────────────────────────────────────────────────────────────────── */

void mw_points_encode(mw_bytes *payload, const mw_point *points, size_t count,
                      const mw_point *before)
{
    mw_bytes_varint(payload, count);
    for (size_t i = 0; i < count; i++, before = &points[i - 1]) {
        mw_bytes_varint(payload, points[i].time_ns - before->time_ns);
        mw_bytes_difference(payload, points[i].rss_bytes, before->rss_bytes);
        mw_bytes_difference(payload, points[i].live_bytes, before->live_bytes);
        mw_bytes_difference(payload, points[i].peak_bytes, before->peak_bytes);
        mw_bytes_difference(payload, points[i].overhead_bytes, before->overhead_bytes);
        mw_bytes_difference(payload, points[i].lost_blocks, before->lost_blocks);
    }
}

static void encode_epochs(const mw_segment *segment, mw_bytes *payload)
{
    mw_bytes_varint(payload, segment->epoch_count - segment->written_epochs);
    for (uint32_t i = segment->written_epochs; i < segment->epoch_count; i++)
        mw_bytes_varint(payload, segment->epochs[i].start_ns - segment->epochs[i - 1].start_ns);
}

static void encode_strings(const mw_segment *segment, mw_bytes *payload)
{
    const mw_string_pool *strings = &tables_of(segment)->strings;

    mw_bytes_varint(payload, strings->count - segment->written_strings);
    for (uint32_t i = segment->written_strings; i < strings->count; i++)
        mw_bytes_varint(payload, mw_string_pool_length(strings, i));
    for (uint32_t i = segment->written_strings; i < strings->count; i++)
        mw_bytes_put(payload, mw_string_pool_bytes(strings, i), mw_string_pool_length(strings, i));
}

/* A row of a table as numbers, one for each column. */
typedef void row_numbers(const mw_snapshot_tables *tables, uint32_t row, uint64_t *ret_numbers);

static void frame_numbers(const mw_snapshot_tables *tables, uint32_t row, uint64_t *ret_numbers)
{
    const mw_frame_row *frame = &tables->frames[row];

    ret_numbers[0] = frame->file.index;
    ret_numbers[1] = frame->function.index;
    ret_numbers[2] = frame->module.index;
    ret_numbers[3] = (uint64_t)(int64_t)frame->line;
    ret_numbers[4] = (uint64_t)(int64_t)frame->first_line;
}

static void path_numbers(const mw_snapshot_tables *tables, uint32_t row, uint64_t *ret_numbers)
{
    ret_numbers[0] = tables->paths[row].caller.index;
    ret_numbers[1] = tables->paths[row].frame.index;
}

static uint64_t total_number(const mw_snapshot_tables *tables, const mw_site_key *site)
{
    uint32_t total = tables->tracebacks[site->traceback.index].total_frames;
    uint32_t depth = tables->paths[site->path.index].depth;

    if (total == MW_TOTAL_FRAMES_UNKNOWN)
        return MW_TOTAL_IS_UNKNOWN;
    if (total == (depth < MW_FRAME_LIMIT_MAXIMUM ? depth : MW_FRAME_LIMIT_MAXIMUM))
        return MW_TOTAL_IS_DEPTH;
    return (uint64_t)total + MW_TOTAL_PLUS;
}

static void site_numbers(const mw_snapshot_tables *tables, uint32_t row, uint64_t *ret_numbers)
{
    const mw_site_key *site = &tables->sites[row];

    ret_numbers[0] = site->path.index;
    ret_numbers[1] = total_number(tables, site);
    ret_numbers[2] = site->domain;
    ret_numbers[3] = site->thread.index;
    ret_numbers[4] = site->epoch;
}

/* Rows from [first] on, column by column, each number as its difference from the one above,
 * from 0 at the top. */
static void encode_table(const mw_segment *segment, row_numbers *numbers, uint32_t columns,
                         uint32_t first, uint32_t end, mw_bytes *payload)
{
    mw_bytes_varint(payload, end - first);
    for (uint32_t column = 0; column < columns; column++) {
        uint64_t before = 0;

        for (uint32_t row = first; row < end; row++) {
            uint64_t of_row[MW_FRAME_COLUMNS];

            numbers(tables_of(segment), row, of_row);
            mw_bytes_difference(payload, of_row[column], before);
            before = of_row[column];
        }
    }
}

static bool is_thread_new(const mw_segment *segment, uint32_t thread)
{
    mw_string name = tables_of(segment)->thread_names[thread];
    uint32_t written =
        thread < segment->thread_capacity ? segment->written_threads[thread].index : 0;

    return name.index != written;
}

static void encode_threads(const mw_segment *segment, mw_bytes *payload)
{
    const mw_snapshot_tables *tables = tables_of(segment);
    uint32_t count = 0;

    for (uint32_t thread = 1; thread < tables->thread_count; thread++)
        count += is_thread_new(segment, thread);
    mw_bytes_varint(payload, count);
    for (uint32_t column = 0; column < MW_THREAD_COLUMNS; column++) {
        for (uint32_t thread = 1; thread < tables->thread_count; thread++) {
            if (is_thread_new(segment, thread))
                mw_bytes_varint(payload, column == 0 ? thread : tables->thread_names[thread].index);
        }
    }
}

static mw_capture_tally tally_at(const mw_tallies *tallies, uint32_t site)
{
    return site < tallies->count ? tallies->items[site] : (mw_capture_tally){0};
}

static bool is_changed(const mw_segment *segment, const mw_tallies *now, uint32_t site)
{
    mw_capture_tally before = tally_at(&segment->tallies, site);
    mw_capture_tally after = tally_at(now, site);

    if (now->has_totals &&
        (before.total_bytes != after.total_bytes || before.total_blocks != after.total_blocks))
        return true;
    return before.live_bytes != after.live_bytes || before.live_blocks != after.live_blocks;
}

/* What a change is written as: by how much it differs from what was to be expected. */
static void change_numbers(const mw_segment *segment, const mw_tallies *now, uint32_t site,
                           uint64_t ret_numbers[4])
{
    mw_capture_tally before = tally_at(&segment->tallies, site);
    mw_capture_tally after = tally_at(now, site);
    uint64_t bytes = after.live_bytes - before.live_bytes;
    uint64_t blocks = after.live_blocks - before.live_blocks;

    ret_numbers[0] = blocks;
    ret_numbers[1] = bytes - mw_expected_bytes(before.live_bytes, before.live_blocks, blocks);
    ret_numbers[2] = after.total_blocks - before.total_blocks - mw_expected_total(blocks);
    ret_numbers[3] = after.total_bytes - before.total_bytes - mw_expected_total(bytes) -
                     mw_expected_bytes(after.live_bytes, after.live_blocks, ret_numbers[2]);
}

/* The sites that change: how far each is from the one before, and by how much it does. */
static mw_status encode_changes(const mw_segment *segment, const mw_tallies *now, unsigned numbers,
                                mw_bytes *payload)
{
    uint32_t site_count = tables_of(segment)->site_count, count = 0;
    uint32_t *sites = mw_alloc_array(segment->alloc, site_count, sizeof *sites);

    if (sites == NULL)
        return MW_NO_MEMORY;
    for (uint32_t site = 1; site < site_count; site++) {
        if (is_changed(segment, now, site))
            sites[count++] = site;
    }
    mw_bytes_varint(payload, count);
    for (uint32_t i = 0; i < count; i++)
        mw_bytes_varint(payload, sites[i] - (i != 0 ? sites[i - 1] : 0));
    for (unsigned number = 0; number < numbers; number++) {
        for (uint32_t i = 0; i < count; i++) {
            uint64_t of_site[4];

            change_numbers(segment, now, sites[i], of_site);
            mw_bytes_varint(payload, mw_zigzag(of_site[number]));
        }
    }
    mw_alloc_release(segment->alloc, sites, site_count * sizeof *sites);
    return MW_OK;
}

void mw_segment_encode(const mw_segment *segment, unsigned flags, const mw_point *points,
                       size_t point_count, const mw_point *before, const mw_tallies *tallies,
                       mw_bytes *payload)
{
    const mw_snapshot_tables *tables = tables_of(segment);
    mw_status status;

    if (tallies->has_totals)
        flags |= MW_STEP_TOTALS;
    mw_bytes_varint(payload, flags);
    mw_points_encode(payload, points, point_count, before);
    encode_epochs(segment, payload);
    encode_strings(segment, payload);
    encode_table(segment, frame_numbers, MW_FRAME_COLUMNS, segment->written_frames,
                 tables->frame_count, payload);
    encode_table(segment, path_numbers, MW_PATH_COLUMNS, segment->written_paths, tables->path_count,
                 payload);
    encode_threads(segment, payload);
    encode_table(segment, site_numbers, MW_SITE_COLUMNS, segment->written_sites, tables->site_count,
                 payload);
    status = encode_changes(segment, tallies, tallies->has_totals ? 4 : 2, payload);
    if (status != MW_OK)
        payload->status = status;
}

/* ── what is in the file ─────────────────────────────────────────────────────────── */

mw_status mw_segment_reserve_written(mw_segment *segment)
{
    while (segment->thread_capacity < tables_of(segment)->thread_count) {
        mw_status status =
            mw_alloc_grow(segment->alloc, &segment->written_threads, segment->thread_capacity,
                          &segment->thread_capacity, sizeof *segment->written_threads, UINT32_MAX);

        if (status != MW_OK)
            return status;
    }
    return MW_OK;
}

void mw_segment_set_written(mw_segment *segment)
{
    const mw_snapshot_tables *tables = tables_of(segment);

    segment->written_strings = tables->strings.count;
    segment->written_frames = tables->frame_count;
    segment->written_paths = tables->path_count;
    segment->written_sites = tables->site_count;
    segment->written_epochs = segment->epoch_count;
    for (uint32_t thread = 1; thread < tables->thread_count; thread++)
        segment->written_threads[thread] = tables->thread_names[thread];
}

/* ── source ──────────────────────────────────────────────────────────────────────── */

/* Whether the line of [frame] is asked for the first time. */
static mw_status notice_line(mw_segment *segment, uint32_t frame, bool *ret_is_new)
{
    const mw_frame_row *row = &tables_of(segment)->frames[frame];
    uint64_t hash = mw_hash_combine(row->file.index, (uint32_t)row->line);
    mw_hash_probe probe = mw_hash_probe_start(hash);
    mw_status status;
    uint32_t found;

    *ret_is_new = false;
    while ((found = mw_hash_index_next(&segment->asked, &probe)) != 0) {
        const mw_frame_row *other = &tables_of(segment)->frames[found];

        if (other->file.index == row->file.index && other->line == row->line)
            return MW_OK;
    }
    status = mw_hash_index_reserve(&segment->asked, 1);
    if (status == MW_OK)
        mw_hash_index_add(&segment->asked, hash, frame);
    *ret_is_new = status == MW_OK;
    return status;
}

typedef struct line_text {
    mw_string file;
    int32_t line;
    uint32_t length;
} line_text;

/* The lines that there are, in three columns, and their texts. */
static void encode_lines(const line_text *lines, uint32_t count, const mw_bytes *texts,
                         mw_bytes *payload)
{
    mw_bytes_varint(payload, count);
    for (uint32_t i = 0; i < count; i++)
        mw_bytes_difference(payload, lines[i].file.index, i != 0 ? lines[i - 1].file.index : 0);
    for (uint32_t i = 0; i < count; i++)
        mw_bytes_difference(payload, (uint64_t)(int64_t)lines[i].line,
                            i != 0 ? (uint64_t)(int64_t)lines[i - 1].line : 0);
    for (uint32_t i = 0; i < count; i++)
        mw_bytes_varint(payload, lines[i].length);
    mw_bytes_put(payload, texts->bytes, texts->length);
}

static bool ask_line(const mw_segment *segment, const mw_capture_options *options, uint32_t frame,
                     line_text *ret_line, mw_bytes *texts)
{
    const mw_snapshot_tables *tables = tables_of(segment);
    const mw_frame_row *row = &tables->frames[frame];
    const char *text;
    size_t length;

    if (row->line < 1 ||
        !options->source_line(options->context,
                              mw_string_pool_bytes(&tables->strings, row->file.index), row->line,
                              &text, &length))
        return false;
    if (length > SOURCE_LINE_MAXIMUM)
        length = SOURCE_LINE_MAXIMUM;
    *ret_line = (line_text){row->file, row->line, (uint32_t)length};
    mw_bytes_put(texts, text, length);
    return true;
}

mw_status mw_segment_encode_source(mw_segment *segment, const mw_capture_options *options,
                                   mw_bytes *payload)
{
    uint32_t end = tables_of(segment)->frame_count, capacity = end - segment->asked_frames;
    line_text *lines;
    uint32_t count = 0;
    mw_status status = MW_OK;
    mw_bytes texts;

    if (options->source_line == NULL || capacity == 0)
        return MW_OK;
    lines = mw_alloc_array(segment->alloc, capacity, sizeof *lines);
    if (lines == NULL)
        return MW_NO_MEMORY;
    mw_bytes_init(&texts, segment->alloc);
    for (; segment->asked_frames < end && status == MW_OK; segment->asked_frames++) {
        bool is_new;

        status = notice_line(segment, segment->asked_frames, &is_new);
        if (status == MW_OK && is_new)
            count += ask_line(segment, options, segment->asked_frames, &lines[count], &texts);
    }
    if (status == MW_OK)
        status = texts.status;
    if (status == MW_OK && count != 0)
        encode_lines(lines, count, &texts, payload);
    mw_bytes_done(&texts);
    mw_alloc_release(segment->alloc, lines, capacity * sizeof *lines);
    return status;
}
