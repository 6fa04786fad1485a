/* SPDX-License-Identifier: MIT
 *
 * Snapshots for a series, of the tracer and of the sampler.
 */
#include "tracer/sampler.h"
#include "tracer/series_copy.h"
#include "tracer/series_sites.h"
#include "tracer/tracer.h"

/* ── exactly ─────────────────────────────────────────────────────────────────────── */

mw_status mw_tracer_series_snapshot(mw_tracer *tracer, mw_guard guard, uint32_t first_epoch,
                                    mw_alloc *alloc, mw_snapshot **ret_snapshot)
{
    mw_series_copy *copy = NULL;
    mw_status status = mw_series_copy_new(tracer, guard, MW_SERIES_NOW, first_epoch, alloc, &copy);

    if (status == MW_OK)
        status = mw_series_copy_snapshot(copy, alloc, ret_snapshot);
    mw_series_copy_free(copy);
    return status;
}

mw_status mw_tracer_peak_snapshot(mw_tracer *tracer, mw_guard guard, uint32_t first_epoch,
                                  mw_alloc *alloc, mw_snapshot **ret_snapshot)
{
    mw_series_copy *copy = NULL;
    mw_status status = mw_series_copy_new(tracer, guard, MW_SERIES_PEAK, first_epoch, alloc, &copy);

    if (status == MW_OK)
        status = mw_series_copy_peak(copy, alloc, ret_snapshot);
    mw_series_copy_free(copy);
    return status;
}

/* ── a series of samples ─────────────────────────────────────────────────────────── */

static uint64_t rounded(double value)
{
    return value > 0 ? (uint64_t)(value + 0.5) : 0;
}

/* What the large samples of each site stand for, one by one for their sizes. */
static void estimate_variable(const mw_sampler *sampler, mw_estimate *by_site)
{
    const mw_raw_lane *lane = &sampler->lane;

    for (uint32_t slot = 0; slot < mw_address_map_slot_count(&lane->blocks); slot++) {
        const mw_address_entry *block = &lane->blocks.slots[slot];
        mw_site site = {block->label & MW_LABEL_SITE};
        mw_estimate one;

        if (site.index == 0 || !mw_site_is_variable(&lane->sites, site))
            continue;
        one = mw_estimate_of(block->value, 1, sampler->sample_bytes);
        mw_estimate_add(&by_site[site.index], &one);
    }
}

static mw_status add_site_estimates(const mw_series_sites *series, const mw_sampler *sampler,
                                    const mw_estimate *variable, mw_site site)
{
    const mw_site_table *sites = series->source.sites;
    mw_estimate live = variable[site.index];
    mw_estimate total = {0};
    mw_status status;

    if (!mw_site_is_variable(sites, site))
        live = mw_estimate_of(mw_site_table_entry(sites, site)->size,
                              mw_site_table_live_blocks(sites, site), sampler->sample_bytes);
    if (site.index < sampler->allocated_capacity)
        total = sampler->allocated[site.index];
    status = mw_series_sites_live(series, site, rounded(live.bytes), rounded(live.blocks));
    if (status == MW_OK)
        status = mw_series_sites_total(series, site, rounded(total.bytes), rounded(total.blocks));
    return status;
}

static mw_status add_estimates(const mw_series_sites *series, const mw_sampler *sampler)
{
    const mw_site_table *sites = series->source.sites;
    mw_alloc *alloc = series->source.lane->alloc;
    mw_estimate *variable = mw_alloc_array(alloc, sites->count, sizeof *variable);
    mw_status status = variable != NULL ? MW_OK : MW_NO_MEMORY;

    if (status == MW_OK)
        estimate_variable(sampler, variable);
    for (mw_site site = mw_site_table_first(sites); site.index < sites->count && status == MW_OK;
         site = mw_site_table_next(sites, site))
        status = add_site_estimates(series, sampler, variable, site);
    mw_alloc_release(alloc, variable, sites->count * sizeof *variable);
    return status;
}

typedef struct wanted_samples {
    const mw_sampler *sampler;
    uint32_t first_epoch;
} wanted_samples;

static mw_status add_samples(void *context, const mw_translation *lane)
{
    const wanted_samples *wanted = context;
    mw_series_sites series = {{.lane = lane, .main = lane, .sites = &wanted->sampler->lane.sites},
                              wanted->first_epoch};
    mw_status status = mw_translation_name_threads(lane, &wanted->sampler->threads);

    return status == MW_OK ? add_estimates(&series, wanted->sampler) : status;
}

static mw_status snapshot_samples(const mw_sampler *sampler, uint32_t first_epoch, mw_alloc *alloc,
                                  mw_snapshot **ret_snapshot)
{
    wanted_samples wanted = {sampler, first_epoch};
    mw_translation_plan plan = {.add = add_samples,
                                .context = &wanted,
                                .frame_limit = sampler->frame_limit,
                                .codes = &sampler->lane.codes,
                                .paths = &sampler->lane.paths};

    if (!sampler->lane.is_active)
        return MW_UNSUPPORTED;
    return mw_translation_snapshot(&plan, alloc, ret_snapshot);
}

mw_status mw_sampler_series_snapshot(mw_sampler *sampler, uint32_t first_epoch, mw_alloc *alloc,
                                     mw_snapshot **ret_snapshot)
{
    mw_status status;

    mw_raw_lane_lock(&sampler->lane);
    status = snapshot_samples(sampler, first_epoch, alloc, ret_snapshot);
    mw_raw_lane_unlock(&sampler->lane);
    return status;
}
