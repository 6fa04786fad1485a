/* SPDX-License-Identifier: MIT
 *
 * Snapshots of what is alive now: small blocks from the counters of their sites, large ones
 * one by one, for their sizes.
 */
#include "tracer/sampler.h"
#include "tracer/tracer.h"
#include "tracer/translation.h"

/* ── sites ───────────────────────────────────────────────────────────────────────── */

/* Small blocks: the counters of their sites say all. */
static mw_status add_fixed_sites(const mw_site_source *source)
{
    const mw_site_table *sites = source->sites;
    mw_site translated;

    for (mw_site site = mw_site_table_first(sites); site.index < sites->count;
         site = mw_site_table_next(sites, site)) {
        const mw_site_entry *entry = mw_site_table_entry(sites, site);
        uint64_t live_blocks = mw_site_table_live_blocks(sites, site);
        mw_status status;

        if (live_blocks == 0 || entry->size == MW_SITE_SIZE_VARIABLE ||
            site.index <= source->unwanted_sites)
            continue;
        status = mw_translation_site(source, site, 0, &translated);
        if (status == MW_OK)
            status = mw_snapshot_builder_blocks(source->lane->builder, translated, entry->size,
                                                live_blocks);
        if (status != MW_OK)
            return status;
    }
    return MW_OK;
}

static mw_status add_block(const mw_site_source *source, mw_site site, uint64_t size_bytes)
{
    mw_site translated;
    mw_status status = mw_translation_site(source, site, 0, &translated);

    if (status != MW_OK)
        return status;
    return mw_snapshot_builder_blocks(source->lane->builder, translated, size_bytes, 1);
}

/* Large blocks: one by one, since each has a size of its own. */
static mw_status add_variable_blocks(const mw_site_source *source, const mw_address_map *blocks)
{
    for (uint32_t slot = 0; slot < mw_address_map_slot_count(blocks); slot++) {
        const mw_address_entry *block = &blocks->slots[slot];
        mw_site site = {block->label & MW_LABEL_SITE};
        mw_status status;

        if (site.index == 0 || !mw_site_is_variable(source->sites, site))
            continue;
        status = add_block(source, site, block->value);
        if (status != MW_OK)
            return status;
    }
    return MW_OK;
}

/* What extensions report: a map for each domain. */
static mw_status add_domains(const mw_site_source *source)
{
    mw_status status = MW_OK;

    for (uint32_t index = 0; index < source->raw->domain_count && status == MW_OK; index++)
        status = add_variable_blocks(source, &source->raw->domains[index].blocks);
    return status;
}

/* All of a lane: [raw]'s, or the main one's if that is NULL. */
static mw_status add_sites(const mw_translation *lane, const mw_translation *main,
                           const mw_site_table *sites, const mw_address_map *blocks,
                           const mw_raw_lane *raw, uint32_t unwanted_sites)
{
    mw_site_source source = {
        .lane = lane, .main = main, .sites = sites, .raw = raw, .unwanted_sites = unwanted_sites};
    mw_status status;

    source.translated = mw_alloc_array(lane->alloc, sites->count, sizeof *source.translated);
    if (source.translated == NULL)
        return MW_NO_MEMORY;
    status = add_fixed_sites(&source);
    if (status == MW_OK)
        status = add_variable_blocks(&source, blocks);
    if (status == MW_OK && raw != NULL)
        status = add_domains(&source);
    mw_alloc_release(lane->alloc, source.translated, sites->count * sizeof *source.translated);
    return status;
}

/* ── everything ──────────────────────────────────────────────────────────────────── */

static mw_status translate_raw(mw_tracer *tracer, const mw_translation *main)
{
    mw_translation raw = {0};
    mw_status status = MW_OK;

    mw_raw_lane_lock(&tracer->raw);
    if (tracer->raw.is_active) {
        status = mw_translation_init(&raw, main->alloc, main->builder, &tracer->raw.codes,
                                     &tracer->raw.paths);
        if (status == MW_OK)
            status =
                add_sites(&raw, main, &tracer->raw.sites, &tracer->raw.blocks, &tracer->raw, 0);
        mw_translation_done(&raw);
    }
    mw_raw_lane_unlock(&tracer->raw);
    return status;
}

static mw_status add_everything(void *context, const mw_translation *main)
{
    mw_tracer *tracer = context;
    mw_status status = mw_translation_name_threads(main, &tracer->threads);

    if (status == MW_OK)
        status = add_sites(main, main, &tracer->sites, &tracer->blocks.others, NULL,
                           tracer->unwanted_sites);
    if (status == MW_OK)
        status = translate_raw(tracer, main);
    return status;
}

/* ── one block ───────────────────────────────────────────────────────────────────── */

typedef struct wanted_block {
    mw_tracer *tracer;
    uint32_t domain;
    uintptr_t address;
} wanted_block;

/* The snapshot of one block of a known site. */
static mw_status snapshot_of(const mw_translation *main, const mw_raw_lane *raw,
                             const mw_site_table *sites, mw_site site, uint64_t size_bytes)
{
    mw_translation lane = raw == NULL ? *main : (mw_translation){0};
    mw_site_source source = {.lane = &lane, .main = main, .sites = sites, .raw = raw};
    mw_status status = MW_OK;

    if (raw != NULL)
        status = mw_translation_init(&lane, main->alloc, main->builder, &raw->codes, &raw->paths);
    if (status == MW_OK)
        status = add_block(&source, site, size_bytes);
    if (raw != NULL)
        mw_translation_done(&lane);
    return status;
}

static mw_status add_block_of_main(mw_tracer *tracer, const mw_translation *main, uintptr_t address)
{
    mw_block_entry entry = mw_block_store_find(&tracer->blocks, address);
    mw_site site = {entry.label & MW_LABEL_SITE};
    uint16_t size;

    if (site.index == 0 || mw_tracer_is_unwanted(tracer, site))
        return MW_BAD_INPUT;
    size = mw_site_table_entry(&tracer->sites, site)->size;
    return snapshot_of(main, NULL, &tracer->sites, site, entry.is_mapped ? entry.size_bytes : size);
}

/* Looks the block up in the main lane, which has Python's domain alone, then in the other. */
static mw_status add_known_block(void *context, const mw_translation *main)
{
    const wanted_block *wanted = context;
    mw_tracer *tracer = wanted->tracer;
    const mw_address_entry *block = NULL;
    mw_status status = MW_BAD_INPUT;

    if (wanted->domain == MW_DOMAIN_PYTHON)
        status = add_block_of_main(tracer, main, wanted->address);
    if (status != MW_BAD_INPUT)
        return status;
    mw_raw_lane_lock(&tracer->raw);
    if (tracer->raw.is_active)
        block = mw_raw_lane_find(&tracer->raw, wanted->domain, wanted->address);
    if (block != NULL)
        status = snapshot_of(main, &tracer->raw, &tracer->raw.sites, (mw_site){block->label},
                             block->value);
    mw_raw_lane_unlock(&tracer->raw);
    return status;
}

/* ── snapshots ───────────────────────────────────────────────────────────────────── */

mw_status mw_tracer_snapshot(mw_tracer *tracer, mw_guard guard, mw_alloc *alloc,
                             mw_snapshot **ret_snapshot)
{
    mw_translation_plan plan = {
        .frame_limit = tracer->frame_limit, .codes = &tracer->codes, .paths = &tracer->paths};

    mw_births_settle_all(tracer, guard);
    plan.add = add_everything;
    plan.context = tracer;
    return mw_translation_snapshot(&plan, alloc, ret_snapshot);
}

mw_status mw_tracer_snapshot_block(mw_tracer *tracer, mw_guard guard, uint32_t domain,
                                   uintptr_t address, mw_alloc *alloc, mw_snapshot **ret_snapshot)
{
    wanted_block wanted = {tracer, domain, address};
    mw_translation_plan plan = {
        .frame_limit = tracer->frame_limit, .codes = &tracer->codes, .paths = &tracer->paths};

    mw_births_settle(tracer, guard, address);
    plan.add = add_known_block;
    plan.context = &wanted;
    return mw_translation_snapshot(&plan, alloc, ret_snapshot);
}

/* ── samples ─────────────────────────────────────────────────────────────────────── */

/* What each site has allocated since sampling began, dead or alive. */
static mw_status add_allocated(const mw_site_source *source, const mw_sampler *sampler)
{
    const mw_site_table *sites = source->sites;
    mw_status status = MW_OK;
    mw_site translated;

    for (mw_site site = mw_site_table_first(sites); site.index < sites->count && status == MW_OK;
         site = mw_site_table_next(sites, site)) {
        if (site.index >= sampler->allocated_capacity)
            break;
        status = mw_translation_site(source, site, 0, &translated);
        if (status == MW_OK)
            status = mw_snapshot_builder_allocated(source->lane->builder, translated,
                                                   &sampler->allocated[site.index]);
    }
    return status;
}

static mw_status add_samples(void *context, const mw_translation *lane)
{
    const mw_sampler *sampler = context;
    const mw_site_table *sites = &sampler->lane.sites;
    mw_site_source source = {.lane = lane, .main = lane, .sites = sites};
    mw_status status = mw_translation_name_threads(lane, &sampler->threads);

    mw_snapshot_builder_sampled(lane->builder, sampler->sample_bytes);
    source.translated = mw_alloc_array(lane->alloc, sites->count, sizeof *source.translated);
    if (source.translated == NULL)
        return MW_NO_MEMORY;
    if (status == MW_OK)
        status = add_fixed_sites(&source);
    if (status == MW_OK)
        status = add_variable_blocks(&source, &sampler->lane.blocks);
    if (status == MW_OK)
        status = add_allocated(&source, sampler);
    mw_alloc_release(lane->alloc, source.translated, sites->count * sizeof *source.translated);
    return status;
}

static mw_status snapshot_samples(mw_sampler *sampler, mw_alloc *alloc, mw_snapshot **ret_snapshot)
{
    mw_translation_plan plan = {.add = add_samples,
                                .context = sampler,
                                .frame_limit = sampler->frame_limit,
                                .codes = &sampler->lane.codes,
                                .paths = &sampler->lane.paths};

    if (!sampler->lane.is_active)
        return MW_UNSUPPORTED;
    return mw_translation_snapshot(&plan, alloc, ret_snapshot);
}

mw_status mw_sampler_snapshot(mw_sampler *sampler, mw_alloc *alloc, mw_snapshot **ret_snapshot)
{
    mw_status status;

    mw_raw_lane_lock(&sampler->lane);
    status = snapshot_samples(sampler, alloc, ret_snapshot);
    mw_raw_lane_unlock(&sampler->lane);
    return status;
}
