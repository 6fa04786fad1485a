/* SPDX-License-Identifier: MIT
 *
 * What the rows of a page held at the moments of a series: in full at one of them, and from
 * one to the next what changed.  So a page of many snapshots needs the memory of one, and of
 * what became of it.
 */
#pragma once

#include "core/snapshot.h"
#include "render/render.h"

enum { MW_PAGE_HISTORY_MAXIMUM = 24 };

typedef struct mw_page_history {
    mw_alloc *alloc;   /* borrowed                                             */
    mw_tally *amounts; /* owned; by row, at the moment `at`                    */
    uint32_t row_count, row_capacity;
    uint32_t moment_count;
    uint32_t at; /* the last one that was added, or that was gone to           */
    /* How each moment differs from the one before; nothing for the first. */
    mw_buffer steps[MW_PAGE_HISTORY_MAXIMUM];
} mw_page_history;

void mw_page_history_init(mw_page_history *history, mw_alloc *alloc);
void mw_page_history_done(mw_page_history *history); /* accepts a zeroed struct */

/* Adds a moment, behind all others; there are never fewer rows than before, and what a row was
 * before it was there is 0.  [at] is the last one. */
mw_status mw_page_history_add(mw_page_history *history, const mw_tally *amounts, uint32_t row_count)
    MW_MUST_CHECK;

/* Has `amounts` say what was at [moment]. */
void mw_page_history_go(mw_page_history *history, uint32_t moment);
