/* SPDX-License-Identifier: MIT
 *
 * The tables of a page: what the sites of several snapshots are, by content, so that
 * snapshots of one series, of two runs or of two programs stand side by side.  A row is
 * what a page tells apart: a call path, a domain and a thread's name.
 *
 * Add every snapshot, then settle; from then on rows and paths have their final numbers,
 * and any of the snapshots can be written as one column of numbers by row.
 */
#pragma once

#include "base/string_pool.h"
#include "core/snapshot.h"
#include "render/site_sums.h"

/* Names are strings of `strings`. */
typedef struct mw_page_frame {
    uint32_t file;
    uint32_t function; /* 0: not known */
    uint32_t module;   /* likewise     */
    int32_t line;      /* 0: none      */
} mw_page_frame;

typedef struct mw_page_path {
    uint32_t caller; /* 0 at the root; smaller than its own number */
    uint32_t frame;
    uint32_t number; /* after settling: in the page, or 0 if no row needs it */
} mw_page_path;

typedef struct mw_page_row {
    uint32_t path;
    uint32_t domain;
    uint32_t thread; /* its name                                              */
    uint32_t into;   /* the row that this one was folded into, or 0           */
    uint32_t number; /* after settling: in the page; several may have one     */
    uint64_t weight; /* the most bytes it has in any of the snapshots         */
} mw_page_row;

/* What the sites of snapshots that share their tables are in the page. */
typedef struct mw_page_sites {
    struct mw_snapshot_tables *tables; /* one reference of it                             */
    uint32_t *rows;                    /* owned; by site, 0 where nothing was alive */
    uint32_t count;
} mw_page_sites;

/* Every array has a dummy at index 0, which is part of its count. */
typedef struct mw_page_tables {
    mw_alloc *alloc; /* borrowed */
    mw_string_pool strings;
    mw_page_frame *frames;
    mw_page_path *paths;
    mw_page_row *rows;
    mw_hash_index frame_index, path_index, row_index;
    uint32_t frame_count, frame_capacity;
    uint32_t path_count, path_capacity;
    uint32_t row_count, row_capacity;
    mw_page_sites *sites;
    uint32_t sites_count, sites_capacity;
    mw_tally *added; /* owned; by row, what is in the snapshot that was added last */
    uint32_t added_capacity;
    mw_tally added_all; /* the sum of it */
    /* After settling: */
    uint32_t page_path_count; /* with the dummy */
    uint32_t page_row_count;  /* with the dummy */
    uint32_t folded_rows;     /* were too many, and have lost their paths */
    uint64_t folded_weight;   /* of the largest of them                   */
} mw_page_tables;

mw_status mw_page_tables_init(mw_page_tables *ret_tables, mw_alloc *alloc) MW_MUST_CHECK;
void mw_page_tables_done(mw_page_tables *tables); /* accepts a zeroed struct */

/* Rows of what is alive in the snapshot, which may be released then; `added` has the rows'
 * amounts until the next one. */
mw_status mw_page_tables_add(mw_page_tables *tables, const mw_snapshot *snapshot) MW_MUST_CHECK;

mw_status mw_page_tables_string(mw_page_tables *tables, const char *bytes, size_t length,
                                uint32_t *ret_string) MW_MUST_CHECK;

mw_status mw_page_tables_frame(mw_page_tables *tables, mw_page_frame frame, uint32_t *ret_frame)
    MW_MUST_CHECK;

/* Numbers rows and paths.  If there are more than [row_maximum] rows, the smallest are folded:
 * what is in them stands at one frame, MW_PAGE_FOLDED, in its domain and thread. */
#define MW_PAGE_FOLDED "<small sites>"
mw_status mw_page_tables_settle(mw_page_tables *tables, uint32_t row_maximum) MW_MUST_CHECK;

/* Adds up by row of the page what is in a snapshot that was added; [ret_amounts] has room for
 * `page_row_count`, and is overwritten. */
mw_status mw_page_tables_amounts(const mw_page_tables *tables, const mw_snapshot *snapshot,
                                 mw_tally *ret_amounts) MW_MUST_CHECK;

/* The same of amounts by row, as `added` was; of rows beyond [count] there is nothing. */
void mw_page_tables_settled(const mw_page_tables *tables, const mw_tally *by_row, uint32_t count,
                            mw_tally *ret_amounts);
