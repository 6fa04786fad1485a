/* SPDX-License-Identifier: MIT
 *
 * The payload of a snapshot or a peak, opened: where its points, its new rows and its
 * changes are.  Opening looks at every byte that counts, so that afterwards no column ends
 * before its last row; what the numbers mean is the reader's to check.
 */
#pragma once

#include "capture/bytes.h"
#include "capture/capture.h"
#include "capture/format.h"

typedef struct mw_step {
    bool is_anew;
    bool has_totals;
    mw_cursor points;
    uint64_t point_count;
    mw_cursor epochs;
    uint64_t epoch_count;
    mw_cursor string_lengths, strings; /* all their bytes, one behind the other */
    uint64_t string_count;
    mw_cursor frames[MW_FRAME_COLUMNS];
    uint64_t frame_count;
    mw_cursor paths[MW_PATH_COLUMNS];
    uint64_t path_count;
    mw_cursor threads[MW_THREAD_COLUMNS];
    uint64_t thread_count;
    mw_cursor sites[MW_SITE_COLUMNS];
    uint64_t site_count;
    mw_cursor changes[MW_CHANGE_COLUMNS];
    uint64_t change_count;
} mw_step;

/* False if the payload is not in its form. */
bool mw_step_open(mw_cursor payload, mw_step *ret_step);

/* Reads the next of a step's points, or of a POINTS record's, which [point] is the one
 * before of; false if time goes beyond 64 bits. */
bool mw_point_decode(mw_cursor *points, mw_point *point);

/* A change of a site, as it is written: by how much its numbers differ from what was to be
 * expected. */
typedef struct mw_change {
    uint64_t site; /* 0 before the first */
    uint64_t live_blocks, live_bytes, total_blocks, total_bytes;
} mw_change;

/* Reads the next change into what held the one before; to be called change_count times. */
static inline void mw_step_next_change(mw_step *step, mw_change *change)
{
    change->site += mw_cursor_varint(&step->changes[0]);
    change->live_blocks = mw_unzigzag(mw_cursor_varint(&step->changes[1]));
    change->live_bytes = mw_unzigzag(mw_cursor_varint(&step->changes[2]));
    if (!step->has_totals)
        return;
    change->total_blocks = mw_unzigzag(mw_cursor_varint(&step->changes[3]));
    change->total_bytes = mw_unzigzag(mw_cursor_varint(&step->changes[4]));
}

/* Makes of a site's numbers those after the change. */
static inline void mw_step_apply_change(const mw_step *step, const mw_change *change,
                                        mw_capture_tally *tally)
{
    uint64_t blocks = change->live_blocks;
    uint64_t bytes =
        change->live_bytes + mw_expected_bytes(tally->live_bytes, tally->live_blocks, blocks);

    tally->live_blocks += blocks;
    tally->live_bytes += bytes;
    if (!step->has_totals)
        return;
    tally->total_blocks += change->total_blocks + mw_expected_total(blocks);
    tally->total_bytes +=
        change->total_bytes + mw_expected_total(bytes) +
        mw_expected_bytes(tally->live_bytes, tally->live_blocks, change->total_blocks);
}
