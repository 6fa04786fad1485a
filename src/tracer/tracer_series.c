/* SPDX-License-Identifier: MIT
 *
 * Snapshots for a series: sums by path and epoch, with what was ever allocated, from the
 * counters of sites alone.  So the largest blocks cost no more than the smallest.
 */
#include "tracer/sampler.h"
#include "tracer/tracer.h"
#include "tracer/translation.h"

/* ── one lane ────────────────────────────────────────────────────────────────────── */

/* What is to be told of a series. */
typedef struct series_source {
    mw_site_source source;
    uint32_t first_epoch;
} series_source;

static uint32_t epoch_of(const series_source *series, mw_site site)
{
    uint32_t epoch = mw_site_table_epoch(series->source.sites, site);

    return epoch > series->first_epoch ? epoch - series->first_epoch : 0;
}

static mw_status add_series_live(const series_source *series, mw_site site, uint64_t bytes,
                                 uint64_t blocks)
{
    mw_site translated;
    mw_status status = MW_OK;

    if (blocks == 0)
        return MW_OK;
    status = mw_translation_site(&series->source, site, epoch_of(series, site), &translated);
    if (status != MW_OK)
        return status;
    return mw_snapshot_builder_tally(series->source.lane->builder, translated, bytes, blocks);
}

static mw_status add_series_total(const series_source *series, mw_site site, uint64_t bytes,
                                  uint64_t blocks)
{
    mw_site translated;
    mw_status status = MW_OK;

    if (blocks == 0)
        return MW_OK;
    status = mw_translation_site(&series->source, site, 0, &translated);
    if (status != MW_OK)
        return status;
    return mw_snapshot_builder_totals(series->source.lane->builder, translated, bytes, blocks);
}

/* All sites of one lane, from their counters alone. */
static mw_status add_series(const series_source *series)
{
    const mw_site_table *sites = series->source.sites;
    mw_status status = MW_OK;

    for (mw_site site = mw_site_table_first(sites); site.index < sites->count && status == MW_OK;
         site = mw_site_table_next(sites, site)) {
        if (site.index <= series->source.unwanted_sites)
            continue;
        status = add_series_live(series, site, mw_site_table_live_bytes(sites, site),
                                 mw_site_table_live_blocks(sites, site));
        if (status == MW_OK)
            status = add_series_total(series, site, mw_site_table_total_bytes(sites, site),
                                      mw_site_table_total_blocks(sites, site));
    }
    return status;
}

/* The raw lane's sites are [sites], its own or a copy. */
static mw_status add_raw_series(mw_tracer *tracer, const mw_translation *main,
                                const mw_site_table *sites, uint32_t first_epoch)
{
    mw_raw_lane *raw = &tracer->raw;
    mw_translation lane = {0};
    series_source series = {{.lane = &lane, .main = main, .sites = sites, .raw = raw}, first_epoch};
    mw_status status = MW_OK;

    mw_raw_lane_lock(raw);
    if (raw->is_active) {
        status = mw_translation_init(&lane, main->alloc, main->builder, &raw->codes, &raw->paths);
        if (status == MW_OK)
            status = add_series(&series);
        mw_translation_done(&lane);
    }
    mw_raw_lane_unlock(raw);
    return status;
}

typedef struct wanted_series {
    mw_tracer *tracer;
    const mw_site_table *main; /* sites and counters of the main lane: its own, or a copy */
    const mw_site_table *raw;  /* likewise                                                */
    uint32_t first_epoch;
} wanted_series;

static mw_status add_both_lanes(void *context, const mw_translation *main)
{
    const wanted_series *wanted = context;
    mw_tracer *tracer = wanted->tracer;
    series_source series = {{.lane = main,
                             .main = main,
                             .sites = wanted->main,
                             .unwanted_sites = tracer->unwanted_sites},
                            wanted->first_epoch};
    mw_status status = mw_translation_name_threads(main, &tracer->threads);

    if (status == MW_OK)
        status = add_series(&series);
    if (status == MW_OK)
        status = add_raw_series(tracer, main, wanted->raw, wanted->first_epoch);
    return status;
}

static mw_status snapshot_series(wanted_series wanted, mw_alloc *alloc, mw_snapshot **ret_snapshot)
{
    mw_translation_plan plan = {.add = add_both_lanes,
                                .context = &wanted,
                                .frame_limit = wanted.tracer->frame_limit,
                                .codes = &wanted.tracer->codes,
                                .paths = &wanted.tracer->paths};

    return mw_translation_snapshot(&plan, alloc, ret_snapshot);
}

mw_status mw_tracer_series_snapshot(mw_tracer *tracer, mw_guard guard, uint32_t first_epoch,
                                    mw_alloc *alloc, mw_snapshot **ret_snapshot)
{
    wanted_series wanted = {tracer, &tracer->sites, &tracer->raw.sites, first_epoch};

    (void)guard;
    return snapshot_series(wanted, alloc, ret_snapshot);
}

mw_status mw_tracer_peak_snapshot(mw_tracer *tracer, mw_guard guard, uint32_t first_epoch,
                                  mw_alloc *alloc, mw_snapshot **ret_snapshot)
{
    wanted_series wanted = {tracer, &tracer->peak.main, &tracer->peak.raw, first_epoch};

    (void)guard;
    if (!tracer->is_active || tracer->peak.live_bytes == 0)
        return MW_UNSUPPORTED;
    return snapshot_series(wanted, alloc, ret_snapshot);
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

static mw_status add_site_estimates(const series_source *series, const mw_sampler *sampler,
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
    status = add_series_live(series, site, rounded(live.bytes), rounded(live.blocks));
    if (status == MW_OK)
        status = add_series_total(series, site, rounded(total.bytes), rounded(total.blocks));
    return status;
}

static mw_status add_estimates(const series_source *series, const mw_sampler *sampler)
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
    series_source series = {{.lane = lane, .main = lane, .sites = &wanted->sampler->lane.sites},
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
