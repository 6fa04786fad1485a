/* SPDX-License-Identifier: MIT
 *
 * A capture's snapshots as a series of moments: not more than can be looked at one by one,
 * evenly spaced in time, the last one among them.
 */
#pragma once

#include "capture/capture.h"
#include "core/histories.h"

/* The last snapshot of a process's life; the capture has one.  What a program tears down when
 * it ends tells nothing of its life: where it came to its end, that is the one before the
 * snapshot that was taken then. */
uint32_t mw_capture_last_alive(const mw_capture *capture);

/* Sums up the sites of each group: group_of_site[site] < [group_count], or MW_NO_GROUP, for
 * all sites of [last], which is the snapshot mw_capture_last_alive.  What comes behind it is
 * left out, and so are moments before [since_ns]; that one never is. */
mw_status mw_capture_histories(mw_capture *capture, const mw_snapshot *last,
                               const uint32_t *group_of_site, uint32_t group_count,
                               uint64_t since_ns, mw_alloc *alloc, mw_histories *ret_histories,
                               mw_error *reterr) MW_MUST_CHECK;
