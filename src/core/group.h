/* SPDX-License-Identifier: MIT
 *
 * From sites to rows: one row per line, file, traceback, … with the bytes and blocks
 * that belong to it, the largest first.  Costs by sites, never by blocks.
 */
#pragma once

#include "core/rows.h"

/* "lineno", "filename", "traceback", "function", "module", "thread", "domain",
 * "region". */
const char *mw_group_key_name(mw_group_key key);
/* Returns false when no key has that name. */
bool mw_group_key_parse(const char *name, mw_group_key *ret_key);

/* Whether rows count for the most recent frame only, or for every frame of a traceback
 * (tracemalloc's cumulative=True: a frame that occurs twice in one traceback counts
 * twice, as there).  Cumulative goes with line and file alone; else MW_BAD_INPUT. */
typedef enum mw_group_scope { MW_GROUP_INNERMOST, MW_GROUP_CUMULATIVE } mw_group_scope;

/* Sorted as tracemalloc sorts statistics: by bytes, blocks and key, descending, where
 * keys compare as tracebacks do: tuples of (file, line), oldest frame first.  The rows
 * borrow [snapshot]; on failure there are none to free. */
mw_status mw_snapshot_group(const mw_snapshot *snapshot, mw_group_key key, mw_group_scope scope,
                            mw_alloc *alloc, mw_rows *ret_rows, mw_error *reterr) MW_MUST_CHECK;

/* The same of all that was allocated since sampling began, dead or alive.  MW_BAD_INPUT if
 * the snapshot is not a sampled one. */
mw_status mw_snapshot_group_allocated(const mw_snapshot *snapshot, mw_group_key key,
                                      mw_group_scope scope, mw_alloc *alloc, mw_rows *ret_rows,
                                      mw_error *reterr) MW_MUST_CHECK;

/* The same in no particular order, for who sorts by something else. */
mw_status mw_snapshot_collect(const mw_snapshot *snapshot, mw_group_key key, mw_group_scope scope,
                              mw_alloc *alloc, mw_rows *ret_rows, mw_error *reterr) MW_MUST_CHECK;
