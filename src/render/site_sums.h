/* SPDX-License-Identifier: MIT
 *
 * What each site counts for wherever a snapshot is drawn: what is alive, or in a sampled
 * snapshot what its samples stand for, rounded site by site.  All formats add up these
 * numbers and no others, so that their totals are equal to the byte.
 */
#pragma once

#include "core/snapshot.h"

typedef struct mw_site_sums {
    mw_alloc *alloc; /* borrowed                                 */
    mw_tally *sites; /* owned; by site number, [0] counts nothing */
    uint32_t count;  /* sites and the dummy                      */
    mw_tally all;    /* of all sites                             */
} mw_site_sums;

mw_status mw_site_sums_init(mw_site_sums *ret_sums, const mw_snapshot *snapshot, mw_alloc *alloc)
    MW_MUST_CHECK;
void mw_site_sums_done(mw_site_sums *sums); /* accepts a zeroed struct */

/* Whether anything of the site is there. */
static inline bool mw_site_sums_has(const mw_site_sums *sums, uint32_t site)
{
    return sums->sites[site].blocks != 0 || sums->sites[site].bytes != 0;
}
