/* SPDX-License-Identifier: MIT
 *
 * Two snapshots → rows with what changed, matched by what the keys say, not by number:
 * the snapshots may come from different processes.
 */
#pragma once

#include "core/group.h"

/* Rows of [newer], and of [older] where nothing is left, sorted as tracemalloc sorts
 * differences: by |bytes_change|, bytes, |blocks_change|, blocks and key, descending. */
mw_status mw_snapshot_diff(const mw_snapshot *older, const mw_snapshot *newer, mw_group_key key,
                           mw_group_scope scope, mw_alloc *alloc, mw_rows *ret_rows,
                           mw_error *reterr) MW_MUST_CHECK;

/* Takes off [rows], a plain group, what was there before: their changes are then against
 * [older], of which those that are gone are appended.  Sorted as above. */
mw_status mw_rows_subtract(mw_rows *rows, mw_rows *older, mw_alloc *alloc) MW_MUST_CHECK;
