/* SPDX-License-Identifier: MIT
 *
 * The search of heap_referrers.h while it is small: as most are that end at a module a few
 * references away.
 *
 * It passes over what the collector tracks once for each step away from the subjects, and
 * notes only who refers to what the step before found: a pass takes a fourth of what it takes
 * to note all references.  So it gives up after a few steps.
 */
#pragma once

#include "pyext/heap_referrers.h"

/* Steps from which on a single pass that notes all references is quicker; searches for a stop
 * may be over at any step, and try a few more. */
enum { MW_REFERRER_SCAN_DEPTH = 5, MW_REFERRER_SCAN_ALL_DEPTH = 3 };

/* Fills [referrers], of which `alloc` and `stop` are set; nodes are places from 1 on.  What is
 * then not complete, or fails, is for mw_referrers_done.  The question is not for
 * everything. */
mw_status mw_referrer_scan(mw_referrers *referrers, const mw_referrers_question *question,
                           bool *ret_is_complete) MW_MUST_CHECK;
