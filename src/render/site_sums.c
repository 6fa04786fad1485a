/* SPDX-License-Identifier: MIT */
#include "render/site_sums.h"

#include "core/snapshot_tables.h"

#include <math.h>

static void add_exact(mw_site_sums *sums, const mw_snapshot *snapshot)
{
    for (uint32_t i = 1; i < sums->count; i++) {
        mw_site_row site = mw_snapshot_site(snapshot, (mw_site){i});
        sums->sites[i] = (mw_tally){site.live_bytes, site.live_blocks};
    }
}

/* Rounded only when all blocks of a site are together. */
static mw_status add_estimates(mw_site_sums *sums, const mw_snapshot *snapshot, mw_alloc *alloc)
{
    mw_estimate *estimates = mw_alloc_array(alloc, sums->count, sizeof *estimates);

    if (estimates == NULL)
        return MW_NO_MEMORY;
    for (uint32_t i = 0; i < snapshot->run_count; i++) {
        const mw_run *run = &snapshot->runs[i];
        mw_estimate part = mw_estimate_of(run->size_bytes, mw_snapshot_run_blocks(snapshot, i),
                                          snapshot->tables->sample_bytes);
        mw_estimate_add(&estimates[run->site.index], &part);
    }
    for (uint32_t i = 1; i < sums->count; i++)
        sums->sites[i] = (mw_tally){(uint64_t)llround(estimates[i].bytes),
                                    (uint64_t)llround(estimates[i].blocks)};
    mw_alloc_release(alloc, estimates, sums->count * sizeof *estimates);
    return MW_OK;
}

mw_status mw_site_sums_init(mw_site_sums *ret_sums, const mw_snapshot *snapshot, mw_alloc *alloc)
{
    mw_site_sums sums = {.alloc = alloc, .count = mw_snapshot_site_count(snapshot) + 1};
    mw_status status = MW_OK;

    *ret_sums = (mw_site_sums){0};
    sums.sites = mw_alloc_array(alloc, sums.count, sizeof *sums.sites);
    if (sums.sites == NULL)
        return MW_NO_MEMORY;
    if (mw_snapshot_sample_bytes(snapshot) == 0)
        add_exact(&sums, snapshot);
    else
        status = add_estimates(&sums, snapshot, alloc);
    if (status != MW_OK) {
        mw_site_sums_done(&sums);
        return status;
    }
    for (uint32_t i = 1; i < sums.count; i++) {
        sums.all.bytes += sums.sites[i].bytes;
        sums.all.blocks += sums.sites[i].blocks;
    }
    *ret_sums = sums;
    return MW_OK;
}

void mw_site_sums_done(mw_site_sums *sums)
{
    if (sums->alloc != NULL)
        mw_alloc_release(sums->alloc, sums->sites, sums->count * sizeof *sums->sites);
    *sums = (mw_site_sums){0};
}
