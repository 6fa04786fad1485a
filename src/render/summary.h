/* SPDX-License-Identifier: MIT
 *
 * The summary at the end of a run: which lines hold what is still alive, in a sentence
 * and in a table.  What it says is decided here once; summary_text.c and summary_json.c
 * write it for people and for programs.
 */
#pragma once

#include "core/budget.h"
#include "core/group.h"
#include "render/blame.h"
#include "render/places.h"
#include "render/source_text.h"

/* What the caller wants and knows; everything is borrowed for the call. */
typedef struct mw_summary {
    const mw_snapshot *snapshot;
    const mw_places *places;
    mw_source *source;
    mw_group_key by; /* line, file, function or traceback                      */
    uint32_t top;    /* rows at most                                           */
    uint64_t current_bytes;
    uint64_t peak_bytes;
    uint64_t overhead_bytes; /* what memwhy itself holds                       */
    uint64_t lost_blocks;    /* not recorded, because memwhy found no memory   */
    uint64_t lost_bytes;
    mw_stage stage;      /* what was given up to stay within the bound         */
    uint64_t cut_blocks; /* of them are alive and have no callers, for that    */
    uint64_t cut_bytes;
    uint32_t width; /* columns of text; at least 60                   */
    bool has_colour;
    const char *measure; /* what the bytes are; NULL: "still alive"    */
    bool is_estimated;   /* made of samples; sentences say "about"     */
    bool is_selection;   /* not all that was alive, but what was asked for */
} mw_summary;

enum { MW_CULPRIT_MAXIMUM = 3 };

/* What there is to say. */
typedef struct mw_verdict {
    mw_blames blames;
    const mw_blame *culprits[MW_CULPRIT_MAXIMUM]; /* in `blames`, largest first       */
    uint32_t culprit_count;                       /* 0: no line stands out            */
    uint64_t culprit_bytes;                       /* of them together                 */
    mw_rows rows;                                 /* by the summary's key, all of them */
} mw_verdict;

mw_status mw_verdict_init(mw_verdict *ret_verdict, const mw_summary *summary, mw_alloc *alloc,
                          mw_error *reterr) MW_MUST_CHECK;
void mw_verdict_done(mw_verdict *verdict); /* accepts a zeroed struct */

/* Writes the verdict as sentences on one line, without a final newline. */
void mw_verdict_write(const mw_verdict *verdict, const mw_summary *summary, mw_sink *sink);

/* Writes the whole summary.  Fails when memory runs out, or as the sink fails. */
mw_status mw_summary_write_text(const mw_summary *summary, mw_alloc *alloc, mw_sink *sink,
                                mw_error *reterr) MW_MUST_CHECK;
mw_status mw_summary_write_json(const mw_summary *summary, mw_alloc *alloc, mw_sink *sink,
                                mw_error *reterr) MW_MUST_CHECK;
