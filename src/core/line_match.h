/* SPDX-License-Identifier: MIT
 *
 * Which line of one program is which line of another version of it, so that a difference
 * of two snapshots does not take an edit above a line for growth.
 *
 * Files are matched by core/file_match.h.  In a file that was edited (a function begins
 * elsewhere, or a line reads differently) the lines of each function are aligned by
 * core/line_align.h.  Lines are those at which frames stand; nothing else is known of a
 * file.  A line of an edited file that has no counterpart gets its number negated: it is
 * the old file's, and no line of the newer one may be taken for it.
 *
 * Pure functions of two snapshots and their texts; they cost by frames.
 */
#pragma once

#include "core/line_texts.h"
#include "core/snapshot.h"

/* What became of a frame of the older snapshot. */
typedef struct mw_line_match {
    mw_string file;     /* in the newer snapshot's strings; 0: it has no such file        */
    mw_string module;   /* likewise, if the file has another name there; else 0           */
    int32_t line;       /* in the newer file; negative: there is no counterpart           */
    int32_t first_line; /* of its function there; 0: unknown                              */
} mw_line_match;

typedef struct mw_line_matches {
    mw_alloc *alloc;       /* borrowed                                           */
    mw_line_match *frames; /* owned; by the older snapshot's frames, [0] is none */
    uint32_t count;
    bool is_identity; /* every frame is where it was                        */
} mw_line_matches;

/* The texts may be NULL.  Fails with MW_NO_MEMORY alone. */
mw_status mw_line_matches_init(mw_line_matches *ret_matches, const mw_snapshot *older,
                               const mw_line_texts *older_texts, const mw_snapshot *newer,
                               const mw_line_texts *newer_texts, mw_alloc *alloc) MW_MUST_CHECK;
void mw_line_matches_done(mw_line_matches *matches); /* accepts a zeroed struct */

/* The older snapshot with every frame where it is in the newer one's program. */
mw_status mw_line_matches_apply(const mw_line_matches *matches, const mw_snapshot *older,
                                const mw_snapshot *newer, mw_alloc *alloc,
                                mw_snapshot **ret_snapshot) MW_MUST_CHECK;

/* Where a line of the newer program was in the older one: 0 if nobody knows.  [file] is one
 * of the newer snapshot's strings. */
int32_t mw_line_matches_before(const mw_line_matches *matches, const mw_snapshot *older,
                               mw_string file, int32_t line);
