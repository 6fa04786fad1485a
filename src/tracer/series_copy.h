/* SPDX-License-Identifier: MIT
 *
 * What a snapshot of a series is made of, copied.  Copying takes a millisecond where making a
 * snapshot takes a second, so the GIL and the raw lane's lock are held for the one alone, and
 * the other is done by whoever has time.
 *
 * A copy is of what the tables are now; it knows nothing of what becomes of the tracer.
 */
#pragma once

#include "core/snapshot.h"
#include "tracer/guard.h"

typedef struct mw_series_copy mw_series_copy;

struct mw_tracer;

typedef enum mw_series_parts {
    MW_SERIES_NOW = 1,  /* what is alive, and what was allocated since tracing began */
    MW_SERIES_PEAK = 2, /* the same as of the peak, if the tracer has kept it         */
    MW_SERIES_BOTH = 3,
} mw_series_parts;

/* The GIL is held.  Epochs up to [first_epoch] count as 0, the next as 1. */
mw_status mw_series_copy_new(struct mw_tracer *tracer, mw_guard guard, mw_series_parts parts,
                             uint32_t first_epoch, mw_alloc *alloc, mw_series_copy **ret_copy)
    MW_MUST_CHECK;
void mw_series_copy_free(mw_series_copy *copy); /* accepts NULL */

/* Sums by site, as mw_tracer_series_snapshot; needs neither a lock nor the GIL. */
mw_status mw_series_copy_snapshot(const mw_series_copy *copy, mw_alloc *alloc,
                                  mw_snapshot **ret_snapshot) MW_MUST_CHECK;
/* The same as of the peak; MW_UNSUPPORTED if there is none. */
mw_status mw_series_copy_peak(const mw_series_copy *copy, mw_alloc *alloc,
                              mw_snapshot **ret_snapshot) MW_MUST_CHECK;
