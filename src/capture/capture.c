/* SPDX-License-Identifier: MIT */
#include "capture/capture.h"

#include "base/hash.h"
#include "capture/capture_tables.h"
#include "capture/program_record.h"

#include <assert.h>
#include <string.h>

/* ── opening and closing ─────────────────────────────────────────────────────────── */

static void fill_timeline(mw_capture *capture)
{
    mw_timeline *timeline = &capture->timeline;

    timeline->points = capture->points;
    timeline->point_count = capture->point_count;
    timeline->children = capture->children;
    timeline->child_count = capture->child_count;
    timeline->epoch_starts_ns = capture->epoch_starts;
    timeline->epoch_count = capture->epoch_count;
}

mw_status mw_capture_open(const char *path, mw_alloc *alloc, mw_capture **ret_capture,
                          mw_error *reterr)
{
    mw_capture *capture = mw_alloc_new(alloc, sizeof *capture);
    mw_status status;

    if (capture == NULL)
        return mw_error_set(reterr, MW_NO_MEMORY, "Out of memory while opening a capture.");
    capture->alloc = alloc;
    mw_bytes_init(&capture->texts, alloc);
    mw_hash_index_init(&capture->line_index, alloc);
    status = mw_capture_file_open(&capture->file, path, alloc, reterr);
    if (status == MW_OK)
        status = mw_capture_check(capture, reterr);
    if (status != MW_OK) {
        mw_capture_close(capture);
        return status;
    }
    fill_timeline(capture);
    *ret_capture = capture;
    return MW_OK;
}

static void free_records(mw_capture *capture)
{
    mw_alloc *alloc = capture->alloc;

    mw_program_done(&capture->timeline.program, alloc);
    for (uint32_t i = 0; i < capture->child_count; i++)
        mw_child_done(&capture->children[i], alloc);
    for (uint32_t i = 0; i < capture->input_count; i++)
        mw_input_done(&capture->inputs[i], alloc);
    mw_alloc_release(alloc, capture->children, capture->child_capacity * sizeof *capture->children);
    mw_alloc_release(alloc, capture->inputs, capture->input_capacity * sizeof *capture->inputs);
}

static void free_series(mw_capture *capture)
{
    mw_alloc *alloc = capture->alloc;

    mw_alloc_release(alloc, capture->points, capture->point_capacity * sizeof *capture->points);
    mw_alloc_release(alloc, capture->epoch_starts,
                     capture->epoch_capacity * sizeof *capture->epoch_starts);
    mw_alloc_release(alloc, capture->segments,
                     capture->segment_capacity * sizeof *capture->segments);
    mw_alloc_release(alloc, capture->site_map,
                     capture->site_map_capacity * sizeof *capture->site_map);
    mw_alloc_release(alloc, capture->steps, capture->step_capacity * sizeof *capture->steps);
    mw_alloc_release(alloc, capture->lines, capture->line_capacity * sizeof *capture->lines);
    mw_alloc_release(alloc, capture->heaps, capture->heap_capacity * sizeof *capture->heaps);
}

void mw_capture_close(mw_capture *capture)
{
    if (capture == NULL)
        return;
    mw_capture_replay_free(capture->seeker);
    free_records(capture);
    free_series(capture);
    mw_hash_index_done(&capture->line_index);
    mw_bytes_done(&capture->texts);
    mw_snapshot_release(capture->tables);
    mw_capture_file_done(&capture->file);
    mw_alloc_release(capture->alloc, capture, sizeof *capture);
}

/* ── looking ─────────────────────────────────────────────────────────────────────── */

const mw_timeline *mw_capture_timeline(const mw_capture *capture)
{
    return &capture->timeline;
}

bool mw_capture_is_truncated(const mw_capture *capture)
{
    return capture->is_truncated;
}

uint32_t mw_capture_snapshot_count(const mw_capture *capture)
{
    return capture->step_count;
}

const mw_point *mw_capture_point(const mw_capture *capture, uint32_t number)
{
    assert(number < capture->step_count);
    return &capture->points[capture->steps[number].point];
}

const mw_capture_input *mw_capture_inputs(const mw_capture *capture, size_t *ret_count)
{
    *ret_count = capture->input_count;
    return capture->inputs;
}

const char *mw_capture_source_line(const mw_capture *capture, const char *file, int32_t line,
                                   size_t *ret_length)
{
    size_t length = strlen(file);
    const mw_capture_line *found = mw_capture_find_line(capture, capture->tables->tables, file,
                                                        length, mw_hash_bytes(file, length), line);

    if (found == NULL)
        return NULL;
    if (ret_length != NULL)
        *ret_length = found->length;
    return (const char *)capture->texts.bytes + found->offset;
}

/* ── snapshots ───────────────────────────────────────────────────────────────────── */

static mw_status changed_meanwhile(const mw_capture *capture, mw_error *reterr)
{
    return mw_error_set(reterr, MW_IO, "%s: was changed while it was being read.",
                        capture->file.name);
}

/* Two arrays of one: what is alive, and what has been allocated. */
static void split_tallies(const mw_capture_tally *tallies, uint32_t count, mw_tally *live,
                          mw_tally *totals)
{
    for (uint32_t site = 1; site < count; site++) {
        live[site] = (mw_tally){tallies[site].live_bytes, tallies[site].live_blocks};
        totals[site] = (mw_tally){tallies[site].total_bytes, tallies[site].total_blocks};
    }
}

static mw_status snapshot_of(const mw_capture *capture, const mw_capture_tally *tallies,
                             bool has_totals, mw_snapshot **ret_snapshot, mw_error *reterr)
{
    uint32_t count = capture->seeker->count;
    mw_tally *both = mw_alloc_array(capture->alloc, count, 2 * sizeof *both);
    mw_status status = MW_NO_MEMORY;

    if (both != NULL) {
        split_tallies(tallies, count, both, both + count);
        status = mw_snapshot_with_tallies(capture->tables, both, has_totals ? both + count : NULL,
                                          count, ret_snapshot);
    }
    mw_alloc_release(capture->alloc, both, count * 2 * sizeof *both);
    if (status != MW_OK)
        mw_error_set(reterr, status, "%s: out of memory while reading.", capture->file.name);
    return status;
}

mw_status mw_capture_snapshot(mw_capture *capture, uint32_t number, mw_snapshot **ret_snapshot,
                              mw_error *reterr)
{
    if (number >= capture->step_count)
        return mw_error_set(reterr, MW_BAD_INPUT, "%s: has no snapshot %u, but %u of them.",
                            capture->file.name, number, capture->step_count);
    if (!mw_capture_replay_seek(capture->seeker, number))
        return changed_meanwhile(capture, reterr);
    return snapshot_of(capture, capture->seeker->tallies, capture->steps[number].has_totals,
                       ret_snapshot, reterr);
}

mw_status mw_capture_peak(mw_capture *capture, mw_snapshot **ret_snapshot, mw_point *ret_point,
                          mw_error *reterr)
{
    size_t bytes = capture->seeker->count * sizeof(mw_capture_tally);
    mw_capture_tally *tallies;
    mw_status status;

    if (!capture->has_peak)
        return mw_error_set(reterr, MW_UNSUPPORTED, "%s: was made without --peak.",
                            capture->file.name);
    tallies = mw_alloc_new(capture->alloc, bytes);
    if (tallies == NULL)
        return mw_error_set(reterr, MW_NO_MEMORY, "%s: out of memory while reading.",
                            capture->file.name);
    status =
        mw_capture_replay_seek_peak(capture->seeker) ? MW_OK : changed_meanwhile(capture, reterr);
    if (status == MW_OK) {
        memcpy(tallies, capture->seeker->tallies, bytes);
        if (!mw_capture_replay_add_peak(capture->seeker, tallies))
            status = changed_meanwhile(capture, reterr);
    }
    if (status == MW_OK)
        status = snapshot_of(capture, tallies, capture->peak.has_totals, ret_snapshot, reterr);
    if (status == MW_OK)
        *ret_point = capture->peak_point;
    mw_alloc_release(capture->alloc, tallies, bytes);
    return status;
}
