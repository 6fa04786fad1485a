/* SPDX-License-Identifier: MIT
 *
 * What a page shows of a heap: answers to questions as `memwhy heap --json` gives them, the
 * outline of the dominator tree with names, and tables.
 */
#pragma once

#include "heap/heap_study.h"

#include "render/page_heap.h"
#include "render/places.h"

enum {
    MW_HEAP_PAGE_ROWS = 20000,      /* of the dominator tree, in one page                  */
    MW_HEAP_PAGE_TABLE_ROWS = 1000, /* of each table                                       */
};

typedef struct mw_heap_page_options {
    uint64_t time_ns; /* since the process began                                  */
    bool has_time;
    uint32_t row_maximum;    /* of the dominator tree                                 */
    const mw_places *places; /* borrowed; NULL: files are shown as they are called    */
} mw_heap_page_options;

/* Fails with MW_NO_MEMORY and MW_LIMIT. */
mw_status mw_heap_page_init(mw_page_heap *ret_page, mw_heap_study *study,
                            const mw_heap_page_options *options, mw_alloc *alloc) MW_MUST_CHECK;
