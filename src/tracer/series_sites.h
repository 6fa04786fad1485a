/* SPDX-License-Identifier: MIT
 *
 * The sites of one lane as a snapshot of a series has them: sums by path and epoch, with what
 * was ever allocated.
 */
#pragma once

#include "tracer/translation.h"

typedef struct mw_series_sites {
    mw_site_source source;
    uint32_t first_epoch; /* epochs up to here count as 0, the next as 1 */
} mw_series_sites;

/* Adds to the builder of the lane what is alive of [site], and what it ever allocated; the
 * latter stands at epoch 0. */
mw_status mw_series_sites_live(const mw_series_sites *series, mw_site site, uint64_t bytes,
                               uint64_t blocks) MW_MUST_CHECK;
mw_status mw_series_sites_total(const mw_series_sites *series, mw_site site, uint64_t bytes,
                                uint64_t blocks) MW_MUST_CHECK;

/* The same of all sites, from their counters alone: the largest blocks cost no more than the
 * smallest. */
mw_status mw_series_sites_add(const mw_series_sites *series) MW_MUST_CHECK;
