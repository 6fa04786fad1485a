/* SPDX-License-Identifier: MIT
 *
 * What a page shows, as bytes: a text in JSON with the facts, then tables in columns, as
 * docs/page.md describes them.
 */
#pragma once

#include "render/page_heap.h"
#include "render/page_history.h"
#include "render/page_tables.h"
#include "render/renderer.h"

enum {
    /* Snapshots of a series in one page. */
    MW_PAGE_MOMENT_MAXIMUM = MW_PAGE_HISTORY_MAXIMUM,
    MW_PAGE_ROW_MAXIMUM = 300000, /* beyond that, the smallest rows are folded  */
    MW_PAGE_HEAP_MAXIMUM = 4,     /* pictures of the object graph in one page   */
    MW_PAGE_POINT_BINS = 1024,    /* of a longer timeline, each bin's extremes  */
};

/* A snapshot that the page lets one choose. */
typedef struct mw_page_moment {
    size_t number;  /* among those of the view    */
    uint32_t place; /* among those of the history */
    uint64_t time_ns;
    mw_tally all; /* what was there in all */
} mw_page_moment;

typedef struct mw_page_data {
    mw_alloc *alloc;     /* borrowed                                                */
    const mw_view *view; /* borrowed                                                */
    mw_page_tables tables;
    mw_page_history history;
    mw_page_moment moments[MW_PAGE_MOMENT_MAXIMUM]; /* by time                      */
    uint32_t moment_count;
    mw_tally shown_all, older_all; /* what there is in all                          */
    bool has_time;                 /* what the view shows is the last moment of its series       */
    uint64_t time_ns;              /* that moment's time                                         */
    mw_tally *amounts, *former;    /* owned; by row of the page                        */
    uint32_t *texts;               /* owned; by frame, its line's text as string */
    uint32_t *shown;               /* owned; by string, if it is a file, as shown */
    uint32_t shown_count;
    uint32_t *heap_frames[MW_PAGE_HEAP_MAXIMUM]; /* owned; by line of each of the view's heaps */
    uint32_t heap_count;
} mw_page_data;

/* Gathers what is to be shown; the view outlives [ret_data]. */
mw_status mw_page_data_init(mw_page_data *ret_data, const mw_view *view, mw_alloc *alloc)
    MW_MUST_CHECK;
void mw_page_data_done(mw_page_data *data); /* accepts a zeroed struct */

/* Leaves out the oldest heap if there are several, or else every other moment; false when there
 * is too little to leave out. */
bool mw_page_data_thin(mw_page_data *data);

mw_status mw_page_data_write(mw_page_data *data, mw_sink *sink) MW_MUST_CHECK;
