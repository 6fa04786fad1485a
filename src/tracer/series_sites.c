/* SPDX-License-Identifier: MIT */
#include "tracer/series_sites.h"

static uint32_t epoch_of(const mw_series_sites *series, mw_site site)
{
    uint32_t epoch = mw_site_table_epoch(series->source.sites, site);

    return epoch > series->first_epoch ? epoch - series->first_epoch : 0;
}

mw_status mw_series_sites_live(const mw_series_sites *series, mw_site site, uint64_t bytes,
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

mw_status mw_series_sites_total(const mw_series_sites *series, mw_site site, uint64_t bytes,
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

mw_status mw_series_sites_add(const mw_series_sites *series)
{
    const mw_site_table *sites = series->source.sites;
    mw_status status = MW_OK;

    for (mw_site site = mw_site_table_first(sites); site.index < sites->count && status == MW_OK;
         site = mw_site_table_next(sites, site)) {
        if (site.index <= series->source.unwanted_sites)
            continue;
        status = mw_series_sites_live(series, site, mw_site_table_live_bytes(sites, site),
                                      mw_site_table_live_blocks(sites, site));
        if (status == MW_OK)
            status = mw_series_sites_total(series, site, mw_site_table_total_bytes(sites, site),
                                           mw_site_table_total_blocks(sites, site));
    }
    return status;
}
