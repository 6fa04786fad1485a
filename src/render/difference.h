/* SPDX-License-Identifier: MIT
 *
 * What changed between two snapshots: a sentence, and a table of what has more and what has
 * less.  What is said is decided here once; diff_text.c and diff_markdown.c write it for
 * a terminal and for a pull request.
 */
#pragma once

#include "core/line_match.h"
#include "render/blame.h"
#include "render/renderer.h"
#include "render/screen.h"
#include "render/tree_text.h"

/* What the caller wants and knows; everything is borrowed for the call. */
typedef struct mw_difference {
    const mw_view *view;     /* with the older snapshot, whose lines are the newer program's */
    mw_source *older_source; /* lines of source as the older program had them; may be NULL */
    const char *older_lead;  /* what the older one is: "old.memwhy at the end, 2m03s"      */
    const char *newer_lead;
    const char *selection;          /* as in a report                                             */
    const char *cautions;           /* sentences that one has to know; "" if there are none       */
    const mw_line_matches *matches; /* NULL: no line has moved                        */
    const mw_snapshot *unmatched_older; /* before it was matched                          */
    bool is_estimated;
    mw_group_key by;
    uint32_t top;
    const mw_tree_form *tree; /* the text is a call tree of this form, not rows; NULL: rows   */
    uint32_t width;           /* columns of text; at least 60 */
    bool has_colour;
} mw_difference;

/* What there is to say. */
typedef struct mw_changes {
    mw_blames older_blames;
    mw_blames newer_blames;
    mw_rows lines; /* to look at, each with all that was allocated under it             */
    mw_rows rows;  /* by the key that was asked for                                      */
    uint64_t before;
    uint64_t now;
} mw_changes;

mw_status mw_changes_init(mw_changes *ret_changes, const mw_difference *difference, mw_alloc *alloc,
                          mw_error *reterr) MW_MUST_CHECK;
void mw_changes_done(mw_changes *changes); /* accepts a zeroed struct */

/* Writes the sentences on one line, without a final newline. */
void mw_changes_write_verdict(const mw_changes *changes, const mw_difference *difference,
                              mw_sink *sink);

/* Writes what a row stands for. */
void mw_changes_write_label(mw_changes *changes, const mw_difference *difference, const mw_row *row,
                            const mw_screen *screen, uint32_t columns);

/* What a row had before. */
static inline uint64_t mw_row_bytes_before(const mw_row *row)
{
    return row->bytes - (uint64_t)row->bytes_change;
}
static inline uint64_t mw_row_blocks_before(const mw_row *row)
{
    return row->blocks - (uint64_t)row->blocks_change;
}

mw_status mw_difference_write_text(const mw_difference *difference, mw_changes *changes,
                                   mw_alloc *alloc, mw_sink *sink, mw_error *reterr) MW_MUST_CHECK;
mw_status mw_difference_write_markdown(const mw_difference *difference, mw_changes *changes,
                                       mw_alloc *alloc, mw_sink *sink, mw_error *reterr)
    MW_MUST_CHECK;
