/* SPDX-License-Identifier: MIT
 *
 * The heaps of a capture as a page shows them: the latest few, and the latest first.
 */
#pragma once

#include "cli/subject.h"
#include "render/page_data.h"
#include "render/page_heap.h"

typedef struct mw_heap_pages {
    mw_page_heap heaps[MW_PAGE_HEAP_MAXIMUM];
    const mw_page_heap *items[MW_PAGE_HEAP_MAXIMUM]; /* for mw_view.heaps */
    uint32_t count;                                  /* 0 if the capture has none */
} mw_heap_pages;

/* The struct may not be moved.  Reads and analyses one heap after the other, which takes memory
 * for one. */
mw_status mw_heap_pages_init(mw_heap_pages *ret_pages, const mw_subject *subject, mw_alloc *alloc,
                             mw_error *reterr) MW_MUST_CHECK;
void mw_heap_pages_done(mw_heap_pages *pages); /* accepts a zeroed struct */
