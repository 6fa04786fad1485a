/* SPDX-License-Identifier: MIT
 *
 * Whether two snapshots give equal raw traces.
 */
#pragma once

#include "core/snapshot.h"

/* Compares domain, size and (file, line)s with their total, block by block in order;
 * functions and threads do not count.  [alloc] serves for scratch memory. */
mw_status mw_blocks_equal(const mw_snapshot *a, const mw_snapshot *b, mw_alloc *alloc,
                          bool *ret_equal) MW_MUST_CHECK;
