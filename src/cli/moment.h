/* SPDX-License-Identifier: MIT
 *
 * Moments of a series as people name them: "10m" (after the capture began), "-10m" (before
 * its last snapshot), "14:03" or "2026-11-21 14:03:10" (on the clock), "7" (a snapshot's
 * number), "start" and "end".  What is meant is the nearest snapshot.
 */
#pragma once

#include "core/timeline.h"

#include "base/status.h"

/* MW_BAD_INPUT: not a moment, or not one of this series; the sentence names [option]. */
mw_status mw_moment_find(const mw_timeline *timeline, const char *option, const char *text,
                         uint32_t *ret_snapshot, mw_error *reterr) MW_MUST_CHECK;

/* The point of a snapshot, which the timeline has. */
const mw_point *mw_moment_point(const mw_timeline *timeline, uint32_t snapshot);
uint32_t mw_moment_snapshot_count(const mw_timeline *timeline);

/* The first epoch whose blocks were born after a snapshot at [time_ns]: the one that began
 * nearest to it. */
uint32_t mw_moment_epoch(const mw_timeline *timeline, uint64_t time_ns);

/* How many epochs, from 0 on, had ended [age_ns] before [time_ns]. */
uint32_t mw_moment_epochs_older(const mw_timeline *timeline, uint64_t time_ns, uint64_t age_ns);
