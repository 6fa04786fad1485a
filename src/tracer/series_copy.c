/* SPDX-License-Identifier: MIT
 *
 * Of each lane the tables that a translation reads, as they lie: no names are looked up, and
 * nothing is asked for twice.  What they index, they do not copy.
 */
#include "tracer/series_copy.h"

#include "tracer/series_sites.h"
#include "tracer/tracer.h"

#include <string.h>

struct mw_series_copy {
    mw_alloc *alloc; /* borrowed; of everything below */
    uint32_t first_epoch;
    uint32_t frame_limit;
    uint32_t unwanted_sites;
    mw_code_table codes; /* of the main lane */
    mw_path_trie paths;
    mw_site_table sites;
    mw_site_table peak;
    mw_raw_lane raw; /* its tables and the names of its domains alone */
    mw_site_table raw_peak;
    bool has_raw, has_now, has_peak;
    mw_threads threads;
};

/* ── copying ─────────────────────────────────────────────────────────────────────── */

/* What a reader has to know of the extensions' domains. */
static mw_status copy_domains(mw_series_copy *copy, const mw_raw_lane *lane)
{
    copy->raw.domains = mw_alloc_array(copy->alloc, lane->domain_count, sizeof *copy->raw.domains);
    if (copy->raw.domains == NULL)
        return MW_NO_MEMORY;
    copy->raw.domain_count = copy->raw.domain_capacity = lane->domain_count;
    for (uint32_t i = 0; i < lane->domain_count; i++)
        copy->raw.domains[i].id = lane->domains[i].id;
    return MW_OK;
}

/* Under the lane's lock. */
static mw_status copy_raw(mw_series_copy *copy, const mw_raw_lane *lane)
{
    mw_status status = mw_code_table_copy(&lane->codes, copy->alloc, &copy->raw.codes);

    if (status == MW_OK)
        status = mw_path_trie_copy(&lane->paths, copy->alloc, &copy->raw.paths);
    if (status == MW_OK && copy->has_now)
        status = mw_site_table_copy(&lane->sites, copy->alloc, &copy->raw.sites);
    if (status == MW_OK)
        status = copy_domains(copy, lane);
    copy->has_raw = status == MW_OK;
    return status;
}

static mw_status copy_peak(mw_series_copy *copy, const mw_peak *peak)
{
    mw_status status = mw_site_table_copy(&peak->main, copy->alloc, &copy->peak);

    if (status == MW_OK)
        status = mw_site_table_copy(&peak->raw, copy->alloc, &copy->raw_peak);
    return status;
}

static mw_status copy_main(mw_series_copy *copy, const mw_tracer *tracer)
{
    mw_status status = mw_code_table_copy(&tracer->codes, copy->alloc, &copy->codes);

    if (status == MW_OK)
        status = mw_path_trie_copy(&tracer->paths, copy->alloc, &copy->paths);
    if (status == MW_OK && copy->has_now)
        status = mw_site_table_copy(&tracer->sites, copy->alloc, &copy->sites);
    if (status == MW_OK && copy->has_peak)
        status = copy_peak(copy, &tracer->peak);
    return status;
}

static mw_status copy_all(mw_series_copy *copy, mw_tracer *tracer)
{
    mw_status status = copy_main(copy, tracer);

    if (status != MW_OK)
        return status;
    copy->frame_limit = tracer->frame_limit;
    copy->unwanted_sites = tracer->unwanted_sites;
    copy->threads = tracer->threads;
    mw_raw_lane_lock(&tracer->raw);
    if (tracer->raw.is_active)
        status = copy_raw(copy, &tracer->raw);
    mw_raw_lane_unlock(&tracer->raw);
    return status;
}

mw_status mw_series_copy_new(mw_tracer *tracer, mw_guard guard, mw_series_parts parts,
                             uint32_t first_epoch, mw_alloc *alloc, mw_series_copy **ret_copy)
{
    mw_series_copy *copy;
    mw_status status;

    if (!tracer->is_active)
        return MW_UNSUPPORTED;
    mw_births_settle_all(tracer, guard);
    copy = mw_alloc_new(alloc, sizeof *copy);
    if (copy == NULL)
        return MW_NO_MEMORY;
    copy->alloc = alloc;
    copy->first_epoch = first_epoch;
    copy->has_now = (parts & MW_SERIES_NOW) != 0;
    copy->has_peak = (parts & MW_SERIES_PEAK) != 0 && tracer->peak.live_bytes != 0;
    status = copy_all(copy, tracer);
    if (status == MW_OK)
        *ret_copy = copy;
    else
        mw_series_copy_free(copy);
    return status;
}

void mw_series_copy_free(mw_series_copy *copy)
{
    if (copy == NULL)
        return;
    mw_code_table_done(&copy->codes);
    mw_path_trie_done(&copy->paths);
    mw_site_table_done(&copy->sites);
    mw_site_table_done(&copy->peak);
    mw_code_table_done(&copy->raw.codes);
    mw_path_trie_done(&copy->raw.paths);
    mw_site_table_done(&copy->raw.sites);
    mw_site_table_done(&copy->raw_peak);
    mw_alloc_release(copy->alloc, copy->raw.domains,
                     copy->raw.domain_capacity * sizeof *copy->raw.domains);
    mw_alloc_release(copy->alloc, copy, sizeof *copy);
}

/* ── translating ─────────────────────────────────────────────────────────────────── */

/* Which sites of a copy are to be told. */
typedef struct wanted_sites {
    const mw_series_copy *copy;
    const mw_site_table *main;
    const mw_site_table *raw;
} wanted_sites;

static mw_status add_raw(const wanted_sites *wanted, const mw_translation *main)
{
    const mw_series_copy *copy = wanted->copy;
    mw_translation lane = {0};
    mw_series_sites series = {
        {.lane = &lane, .main = main, .sites = wanted->raw, .raw = &copy->raw}, copy->first_epoch};
    mw_status status = MW_OK;

    if (!copy->has_raw)
        return MW_OK;
    status =
        mw_translation_init(&lane, main->alloc, main->builder, &copy->raw.codes, &copy->raw.paths);
    if (status == MW_OK)
        status = mw_series_sites_add(&series);
    mw_translation_done(&lane);
    return status;
}

static mw_status add_both_lanes(void *context, const mw_translation *main)
{
    const wanted_sites *wanted = context;
    const mw_series_copy *copy = wanted->copy;
    mw_series_sites series = {
        {.lane = main, .main = main, .sites = wanted->main, .unwanted_sites = copy->unwanted_sites},
        copy->first_epoch};
    mw_status status = mw_translation_name_threads(main, &copy->threads);

    if (status == MW_OK)
        status = mw_series_sites_add(&series);
    return status == MW_OK ? add_raw(wanted, main) : status;
}

static mw_status translate(wanted_sites wanted, mw_alloc *alloc, mw_snapshot **ret_snapshot)
{
    mw_translation_plan plan = {.add = add_both_lanes,
                                .context = &wanted,
                                .frame_limit = wanted.copy->frame_limit,
                                .codes = &wanted.copy->codes,
                                .paths = &wanted.copy->paths};

    return mw_translation_snapshot(&plan, alloc, ret_snapshot);
}

mw_status mw_series_copy_snapshot(const mw_series_copy *copy, mw_alloc *alloc,
                                  mw_snapshot **ret_snapshot)
{
    if (!copy->has_now)
        return MW_UNSUPPORTED;
    return translate((wanted_sites){copy, &copy->sites, &copy->raw.sites}, alloc, ret_snapshot);
}

mw_status mw_series_copy_peak(const mw_series_copy *copy, mw_alloc *alloc,
                              mw_snapshot **ret_snapshot)
{
    if (!copy->has_peak)
        return MW_UNSUPPORTED;
    return translate((wanted_sites){copy, &copy->peak, &copy->raw_peak}, alloc, ret_snapshot);
}
