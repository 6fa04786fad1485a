/* SPDX-License-Identifier: MIT
 *
 * Rows: what grouping and comparing snapshots give, and their order.  A row says how
 * much belongs to its key; the key is told by what the rows were grouped by.
 */
#pragma once

#include "core/snapshot.h"

typedef enum mw_group_key {
    MW_GROUP_LINE,      /* file and line of the most recent frame; tracemalloc's "lineno" */
    MW_GROUP_FILE,      /* tracemalloc's "filename"                                       */
    MW_GROUP_TRACEBACK, /* the (file, line) sequence, however deep the stack really was   */
    MW_GROUP_FUNCTION,  /* file and function of the most recent frame                     */
    MW_GROUP_MODULE,    /* module of the most recent frame, else its file                 */
    MW_GROUP_THREAD,    /* by the thread's name                                           */
    MW_GROUP_DOMAIN,
    MW_GROUP_REGION, /* by the name of the innermost region of the whole path (core/region.h) */
    MW_GROUP_COUNT,
} mw_group_key;

/* One row.  Its key lives in the tables of `snapshot`, and which of the fields below
 * count depends on the group's key; the others are 0. */
typedef struct mw_row {
    const mw_snapshot *snapshot; /* borrowed; whose tables the key refers to              */
    mw_string file;              /* line, file, function                                  */
    int32_t line;                /* line                                                  */
    mw_string label;             /* function, module and region: its name; 0: no region   */
    mw_traceback traceback;      /* traceback                                             */
    mw_thread thread;            /* thread: one of those that bear the name               */
    uint32_t domain;             /* domain                                                */
    uint64_t bytes;              /* alive (in the newer snapshot, for a difference)       */
    uint64_t blocks;
    int64_t bytes_change; /* against the older snapshot; equal to bytes in a plain group  */
    int64_t blocks_change;
} mw_row;

/* Of one row of a sampled snapshot: what its `bytes` and `blocks` are rounded from, and of
 * a difference what was there before. */
typedef struct mw_row_estimate {
    mw_estimate now;
    mw_estimate before;
    uint32_t last_site; /* the last that was added; while grouping alone */
    uint32_t repeats;   /* how often it has been added in a row          */
} mw_row_estimate;

typedef struct mw_rows {
    mw_alloc *alloc; /* borrowed                          */
    mw_row *items;   /* owned; `count` of them, sorted    */
    uint32_t count;
    uint32_t capacity;
    mw_group_key key;
    bool are_estimated;         /* some of the snapshots were sampled                      */
    mw_row_estimate *estimates; /* owned; as many as rows, in their order; else NULL       */
    uint32_t estimate_capacity;
    uint64_t sample_bytes;       /* of the (newer) snapshot; 0: exact                      */
    uint64_t older_sample_bytes; /* of the older one                                       */
} mw_rows;

/* Makes estimated rows of exact ones, for comparing them with estimates. */
mw_status mw_rows_estimate(mw_rows *rows) MW_MUST_CHECK;

/* What the estimated rows from [first] on have together, each block being in one of them alone. */
mw_estimate mw_rows_estimate_from(const mw_rows *rows, uint32_t first);

/* Where the truth about an estimated row is, with 95 % confidence at least: what is there,
 * and how it changed. */
mw_interval mw_rows_bytes_interval(const mw_rows *rows, uint32_t row);
mw_interval mw_rows_blocks_interval(const mw_rows *rows, uint32_t row);
mw_interval mw_rows_bytes_change_interval(const mw_rows *rows, uint32_t row);
mw_interval mw_rows_blocks_change_interval(const mw_rows *rows, uint32_t row);

void mw_rows_done(mw_rows *rows); /* accepts a zeroed struct */

/* Appends a row as it is; sorting comes later. */
mw_status mw_rows_append(mw_rows *rows, const mw_row *row) MW_MUST_CHECK;

/* By what rows are sorted, all descending; keys are distinct, so the order is total. */
typedef enum mw_rows_order {
    MW_ROWS_BY_SIZE,   /* bytes, blocks, key: tracemalloc's Statistic                  */
    MW_ROWS_BY_CHANGE, /* |bytes_change|, bytes, |blocks_change|, blocks, key: its
                          StatisticDiff                                                */
} mw_rows_order;

/* On failure the rows are as they were. */
mw_status mw_rows_sort(mw_rows *rows, mw_rows_order order) MW_MUST_CHECK;

/* How two rows of the same key compare by key alone, across snapshots: <0, 0, >0.
 * Keys compare as tracebacks do: as tuples of (file, line), oldest frame first. */
int mw_row_compare_keys(mw_group_key key, const mw_row *a, const mw_row *b);
/* A hash that is equal for rows with equal keys, across snapshots. */
uint64_t mw_row_hash_key(mw_group_key key, const mw_row *row);

/* Whether rows have distinct keys of tables that exist.  Sorted or not. */
bool mw_rows_is_consistent(const mw_rows *rows);
