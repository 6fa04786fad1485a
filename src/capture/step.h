/* SPDX-License-Identifier: MIT
 *
 * The payload of a snapshot or a peak, opened: where its points, its new rows and its
 * changes are.  Opening looks at every byte that counts, so that afterwards no column ends
 * before its last row; what the numbers mean is the reader's to check.
 */
#pragma once

#include "capture/bytes.h"
#include "capture/format.h"
#include "core/timeline.h"

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

/* A change of a site: by how much each of its numbers differs, wrapping around. */
typedef struct mw_change {
    uint64_t site; /* 0 before the first */
    uint64_t differences[4];
} mw_change;

/* Reads the next change into what held the one before; to be called change_count times. */
static inline void mw_step_next_change(mw_step *step, mw_change *change)
{
    unsigned columns = step->has_totals ? MW_CHANGE_COLUMNS : MW_CHANGE_COLUMNS_WITHOUT_TOTALS;

    change->site += mw_cursor_varint(&step->changes[0]);
    for (unsigned column = 1; column < columns; column++)
        change->differences[column - 1] = mw_unzigzag(mw_cursor_varint(&step->changes[column]));
}
