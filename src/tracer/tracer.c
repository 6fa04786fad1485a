/* SPDX-License-Identifier: MIT */
#include "tracer/tracer.h"

#include <assert.h>
#include <string.h>
#include <time.h>

__thread bool mw_guard_is_inside __attribute__((tls_model("initial-exec"))) = false;

mw_tracer mw_the_tracer = {.raw = {.lock = MW_SPINLOCK_FREE}};

/* ── life ────────────────────────────────────────────────────────────────────────── */

static void wipe_cache(mw_site_cache *cache)
{
    memset(cache->entries, 0, MW_SITE_CACHE_BYTES);
    cache->generation = UINT64_C(1) << MW_SITE_CACHE_GENERATION_SHIFT;
}

/* Unsigned overflow is the end of the generations. */
static void void_cache(mw_site_cache *cache)
{
    cache->generation += UINT64_C(1) << MW_SITE_CACHE_GENERATION_SHIFT;
    if (cache->generation == 0)
        wipe_cache(cache);
}

static mw_status open_cache(mw_site_cache *cache, mw_alloc *alloc)
{
    if (cache->entries == NULL)
        cache->entries = mw_alloc_new(alloc, MW_SITE_CACHE_BYTES);
    if (cache->entries == NULL)
        return MW_NO_MEMORY;
    wipe_cache(cache);
    return MW_OK;
}

/* The address space of the block store stays for good. */
static mw_status open_blocks(mw_tracer *tracer, mw_alloc *alloc)
{
    mw_status status;

    if (tracer->blocks.alloc != NULL)
        return MW_OK;
    status = mw_block_store_init(&tracer->blocks, alloc);
    if (status == MW_OK)
        mw_block_store_limit(&tracer->blocks, &tracer->budget);
    return status;
}

static mw_status make_tables(mw_tracer *tracer, mw_alloc *alloc)
{
    mw_alloc *counted = &tracer->budget.counted;
    mw_status status = open_cache(&tracer->cache, counted);

    if (status == MW_OK)
        status = open_blocks(tracer, alloc);
    if (status == MW_OK)
        status = mw_code_table_init(&tracer->codes, counted);
    if (status == MW_OK)
        status = mw_path_trie_init(&tracer->paths, counted);
    if (status == MW_OK)
        status = mw_site_table_init(&tracer->sites, counted);
    if (status == MW_OK)
        status = mw_raw_lane_open(&tracer->raw, counted, &tracer->budget);
    return status;
}

static void forget_peak(mw_tracer *tracer)
{
    mw_site_table_done(&tracer->peak.main);
    mw_site_table_done(&tracer->peak.raw);
    tracer->peak.live_bytes = 0;
    if (tracer->peak.threshold_bytes != MW_PEAK_NEVER)
        tracer->peak.threshold_bytes = MW_PEAK_STEP_BYTES;
}

static void forget_everything(mw_tracer *tracer)
{
    mw_raw_lane_close(&tracer->raw);
    if (tracer->blocks.directory == NULL || tracer->blocks.leaf_list == NULL)
        mw_block_store_done(&tracer->blocks);
    else
        mw_block_store_clear(&tracer->blocks);
    mw_site_table_done(&tracer->sites);
    mw_path_trie_done(&tracer->paths);
    mw_code_table_done(&tracer->codes);
    mw_start_filters_forget(&tracer->filters);
    tracer->unwanted_sites = 0;
    tracer->births = (mw_births){0};
    forget_peak(tracer);
    tracer->threads = (mw_threads){0};
    tracer->live_bytes = 0;
    tracer->peak_bytes = 0;
    tracer->newest_address = 0;
    tracer->lost_blocks = 0;
    tracer->lost_bytes = 0;
}

/* The sites of unwanted blocks: that of size n is number n + 1.  What tells them apart stands
 * in place of a domain that nothing has, and their own size is 0. */
static mw_status make_unwanted_sites(mw_tracer *tracer)
{
    enum { DOMAIN_OF_SIZE_0 = 0xfc00 };
    mw_status status = MW_OK;

    for (uint32_t size = 0; size <= MW_SITE_SIZE_FIXED && status == MW_OK; size++) {
        mw_site site;

        status = mw_site_table_intern(&tracer->sites, (mw_path){0},
                                      (uint16_t)(DOMAIN_OF_SIZE_0 + size), 0, &site);
        assert(status != MW_OK || site.index == size + 1);
    }
    tracer->unwanted_sites = MW_SITE_SIZE_FIXED + 1;
    return status;
}

static void take_filters_away(mw_tracer *tracer)
{
    mw_start_filters_done(&tracer->filters);
    mw_raw_lane_filter(&tracer->raw, (mw_start_filters){0});
}

/* Gives each lane a copy. */
static mw_status put_filters(mw_tracer *tracer, mw_alloc *alloc, const mw_tracer_options *options)
{
    mw_start_filters of_raw;
    mw_status status;

    status = mw_start_filters_init(&tracer->filters, alloc, options->filters, options->filter_count,
                                   options->frame_limit);
    if (status != MW_OK)
        return status;
    status = mw_start_filters_init(&of_raw, alloc, options->filters, options->filter_count,
                                   options->frame_limit);
    if (status == MW_OK)
        mw_raw_lane_filter(&tracer->raw, of_raw);
    else
        mw_start_filters_done(&tracer->filters);
    return status;
}

/* Both lanes, or neither. */
static mw_status enter_epoch(mw_tracer *tracer, uint32_t epoch)
{
    mw_status status = mw_site_table_keep_epochs(&tracer->sites);

    if (status == MW_OK)
        status = mw_raw_lane_begin_epoch(&tracer->raw, epoch, NULL);
    if (status == MW_OK)
        mw_site_table_begin_epoch(&tracer->sites, epoch, tracer->unwanted_sites, NULL);
    return status;
}

/* With the filters that are there, and the budget as it has been opened. */
static mw_status begin(mw_tracer *tracer, mw_alloc *alloc)
{
    mw_status status = make_tables(tracer, alloc);

    if (status == MW_OK)
        status = mw_tables_limit(&tracer->codes, &tracer->paths, &tracer->sites, &tracer->budget);
    if (status == MW_OK && tracer->filters.count != 0)
        status = make_unwanted_sites(tracer);
    if (status == MW_OK && tracer->epoch != 0)
        status = enter_epoch(tracer, tracer->epoch);
    tracer->is_active = status == MW_OK;
    tracer->births.may_wait = status == MW_OK && tracer->filters.count == 0;
    if (status != MW_OK) {
        forget_everything(tracer);
        take_filters_away(tracer);
    }
    return status;
}

mw_status mw_tracer_start_with(mw_tracer *tracer, mw_alloc *alloc, const mw_tracer_options *options)
{
    mw_status status;

    if (tracer->alloc == NULL) {
        mw_budget_init(&tracer->budget, alloc);
        tracer->peak.threshold_bytes = MW_PEAK_NEVER;
    }
    tracer->alloc = alloc;
    mw_budget_open(&tracer->budget, options->max_overhead_bytes);
    status = put_filters(tracer, &tracer->budget.counted, options);
    if (status == MW_OK)
        status = begin(tracer, alloc);
    if (status == MW_OK)
        tracer->frame_limit = options->frame_limit;
    return status;
}

mw_status mw_tracer_start(mw_tracer *tracer, mw_alloc *alloc, uint32_t frame_limit)
{
    return mw_tracer_start_with(tracer, alloc, &(mw_tracer_options){.frame_limit = frame_limit});
}

void mw_tracer_stop(mw_tracer *tracer)
{
    tracer->is_active = false;
    forget_everything(tracer);
    take_filters_away(tracer);
}

mw_status mw_tracer_clear(mw_tracer *tracer)
{
    tracer->is_active = false;
    forget_everything(tracer);
    mw_budget_open(&tracer->budget, tracer->budget.ceiling_bytes);
    return begin(tracer, tracer->alloc);
}

void mw_tracer_done(mw_tracer *tracer)
{
    mw_tracer_stop(tracer);
    mw_block_store_done(&tracer->blocks);
    if (tracer->alloc != NULL)
        mw_alloc_release(&tracer->budget.counted, tracer->cache.entries, MW_SITE_CACHE_BYTES);
    tracer->cache = (mw_site_cache){0};
    tracer->alloc = NULL;
}

static bool live_bytes_are_counted(const mw_tracer *tracer)
{
    const mw_site_table *sites = &tracer->sites;
    uint64_t live_bytes = 0;

    for (mw_site site = mw_site_table_first(sites); site.index < sites->count;
         site = mw_site_table_next(sites, site))
        live_bytes += mw_site_table_live_bytes(sites, site);
    return live_bytes == tracer->live_bytes && tracer->peak_bytes >= live_bytes;
}

bool mw_tracer_is_consistent(mw_tracer *tracer)
{
    bool is_consistent;

    mw_raw_lane_lock(&tracer->raw);
    is_consistent = mw_raw_lane_is_consistent(&tracer->raw);
    mw_raw_lane_unlock(&tracer->raw);
    if (!tracer->is_active)
        return is_consistent && tracer->live_bytes == 0;
    return is_consistent && mw_code_table_is_consistent(&tracer->codes) &&
           mw_path_trie_is_consistent(&tracer->paths) &&
           mw_site_table_is_consistent(&tracer->sites) &&
           mw_block_store_is_consistent(&tracer->blocks) && mw_births_are_consistent(tracer) &&
           live_bytes_are_counted(tracer);
}

/* ── epochs ──────────────────────────────────────────────────────────────────────── */

mw_status mw_tracer_begin_epoch(mw_tracer *tracer, mw_guard guard, uint32_t *ret_epoch)
{
    mw_status status = MW_OK;

    mw_births_settle_all(tracer, guard);
    if (tracer->epoch == MW_SITE_EPOCH_MAXIMUM ||
        mw_budget_stage(&tracer->budget) >= MW_STAGE_FOLDED)
        return MW_LIMIT;
    if (tracer->is_active)
        status = enter_epoch(tracer, tracer->epoch + 1);
    if (status != MW_OK)
        return status;
    if (tracer->is_active)
        void_cache(&tracer->cache);
    *ret_epoch = ++tracer->epoch;
    return MW_OK;
}

/* ── the peak ────────────────────────────────────────────────────────────────────── */

void mw_tracer_keep_peak(mw_tracer *tracer, bool is_wanted)
{
    tracer->peak.threshold_bytes = is_wanted ? MW_PEAK_STEP_BYTES : MW_PEAK_NEVER;
    forget_peak(tracer);
}

/* Under the raw lane's lock. */
static void copy_sites(mw_tracer *tracer)
{
    uint64_t live_bytes = mw_tracer_live_bytes(tracer);
    uint64_t step_bytes = live_bytes / MW_PEAK_STEP_PART;
    mw_alloc *counted = &tracer->budget.counted;
    mw_peak *peak = &tracer->peak;
    struct timespec now = {0};

    mw_births_settle_all(tracer, (mw_guard){true});
    /* Without memory now, perhaps with the next step. */
    peak->threshold_bytes =
        live_bytes + (step_bytes > MW_PEAK_STEP_BYTES ? step_bytes : MW_PEAK_STEP_BYTES);
    if (mw_site_table_copy(&tracer->sites, counted, &peak->main) != MW_OK)
        return;
    if (mw_site_table_copy(&tracer->raw.sites, counted, &peak->raw) != MW_OK) {
        peak->live_bytes = 0; /* one lane of now and one of then are no peak */
        return;
    }
    clock_gettime(CLOCK_MONOTONIC, &now);
    peak->time_ns = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
    peak->live_bytes = live_bytes;
    peak->copies++;
}

void mw_tracer_raise_to_peak(mw_tracer *tracer, uint64_t bytes)
{
    mw_tracer_add_live(tracer, bytes);
    tracer->peak_bytes = mw_tracer_live_bytes(tracer);
    /* The lock may be this thread's own, between the handlers of a fork; there is another
     * block soon. */
    if (!tracer->is_active || !mw_spinlock_try(&tracer->raw.lock))
        return;
    copy_sites(tracer);
    mw_raw_lane_unlock(&tracer->raw);
}

void mw_tracer_look_at_peak_in_raw(mw_tracer *tracer)
{
    if (tracer->is_active && mw_tracer_live_bytes(tracer) >= tracer->peak.threshold_bytes)
        copy_sites(tracer);
}

/* ── fork ────────────────────────────────────────────────────────────────────────── */

void mw_tracer_before_fork(mw_tracer *tracer)
{
    /* Other handlers that run until after_fork may allocate, but must not wait for us. */
    (void)mw_guard_enter();
    mw_raw_lane_lock(&tracer->raw);
}

void mw_tracer_after_fork(mw_tracer *tracer)
{
    mw_raw_lane_unlock(&tracer->raw);
    mw_guard_leave((mw_guard){true});
}

/* ── totals ──────────────────────────────────────────────────────────────────────── */

uint64_t mw_tracer_live_bytes(mw_tracer *tracer)
{
    return tracer->live_bytes + tracer->raw.live_bytes;
}

uint64_t mw_tracer_peak_bytes(mw_tracer *tracer)
{
    uint64_t peak_bytes = tracer->peak_bytes;

    mw_raw_lane_lock(&tracer->raw);
    if (tracer->raw.peak_bytes > peak_bytes)
        peak_bytes = tracer->raw.peak_bytes;
    mw_raw_lane_unlock(&tracer->raw);
    return peak_bytes;
}

void mw_tracer_reset_peak(mw_tracer *tracer)
{
    tracer->peak_bytes = mw_tracer_live_bytes(tracer);
    mw_raw_lane_lock(&tracer->raw);
    tracer->raw.peak_bytes = 0;
    mw_raw_lane_unlock(&tracer->raw);
}

mw_overhead mw_tracer_overhead(mw_tracer *tracer)
{
    mw_overhead overhead = {0};

    if (!tracer->is_active)
        return overhead;
    overhead.blocks = mw_block_store_memory_bytes(&tracer->blocks);
    overhead.sites = mw_site_table_memory_bytes(&tracer->sites) + MW_SITE_CACHE_BYTES +
                     mw_start_filters_memory_bytes(&tracer->filters) +
                     mw_site_table_memory_bytes(&tracer->peak.main) +
                     mw_site_table_memory_bytes(&tracer->peak.raw);
    overhead.paths = mw_path_trie_memory_bytes(&tracer->paths);
    overhead.codes = mw_code_table_memory_bytes(&tracer->codes);
    mw_raw_lane_lock(&tracer->raw);
    overhead.raw = mw_raw_lane_memory_bytes(&tracer->raw);
    mw_raw_lane_unlock(&tracer->raw);
    return overhead;
}

/* Counts the live blocks of [sites] whose paths, of [paths], have lost their callers. */
static void count_cut(const mw_site_table *sites, const mw_path_trie *main,
                      const mw_path_trie *lane, mw_degradation *degradation)
{
    for (mw_site site = mw_site_table_first(sites); site.index < sites->count;
         site = mw_site_table_next(sites, site)) {
        uint32_t path = mw_site_table_entry(sites, site)->path;
        const mw_path_trie *paths = (path & MW_PATH_OF_MAIN) != 0 ? main : lane;

        if (!mw_path_trie_is_cut(paths, (mw_path){path & ~MW_PATH_OF_MAIN}))
            continue;
        degradation->cut_blocks += mw_site_table_live_blocks(sites, site);
        degradation->cut_bytes += mw_site_table_live_bytes(sites, site);
    }
}

static uint64_t coarse_codes(const mw_code_table *codes)
{
    uint64_t count = 0;

    for (uint32_t code = 1; code < codes->code_count; code++)
        count += mw_code_table_is_coarse(codes, (mw_code){code});
    return count;
}

mw_degradation mw_tracer_degradation(mw_tracer *tracer)
{
    mw_degradation degradation = {
        .stage = mw_budget_stage(&tracer->budget),
        .ceiling_bytes = tracer->budget.ceiling_bytes,
        .used_bytes = atomic_load(&tracer->budget.used_bytes),
    };

    if (!tracer->is_active)
        return degradation;
    /* Paths can be used up without a bound as well. */
    if (tracer->paths.stage > degradation.stage)
        degradation.stage = tracer->paths.stage;
    if (degradation.stage == MW_STAGE_EXACT)
        return degradation;
    mw_births_settle_all(tracer, (mw_guard){true});
    count_cut(&tracer->sites, &tracer->paths, &tracer->paths, &degradation);
    degradation.folded_frames = tracer->paths.folded_frames;
    degradation.coarse_codes = coarse_codes(&tracer->codes);
    mw_raw_lane_lock(&tracer->raw);
    count_cut(&tracer->raw.sites, &tracer->paths, &tracer->raw.paths, &degradation);
    degradation.folded_frames += tracer->raw.paths.folded_frames;
    degradation.coarse_codes += coarse_codes(&tracer->raw.codes);
    mw_raw_lane_unlock(&tracer->raw);
    return degradation;
}

/* ── code objects ────────────────────────────────────────────────────────────────── */

void mw_tracer_forget_code(mw_tracer *tracer, mw_guard guard, uintptr_t object)
{
    (void)guard;
    mw_code_table_unbind(&tracer->codes, object);
    tracer->code_deaths++;
    void_cache(&tracer->cache);
}

/* ── the main lane, what is rare ─────────────────────────────────────────────────── */

mw_status mw_tracer_site(mw_tracer *tracer, mw_path path, uint16_t domain, size_t size_bytes,
                         mw_site *ret_site)
{
    if (mw_start_filters_admit(&tracer->filters, &tracer->codes, &tracer->paths, path, domain))
        return mw_site_table_intern(&tracer->sites, path, domain, size_bytes, ret_site);
    ret_site->index =
        size_bytes <= MW_SITE_SIZE_FIXED ? (uint32_t)size_bytes + 1 : MW_SITE_UNWANTED;
    return MW_OK;
}

void mw_tracer_lose(mw_tracer *tracer, mw_guard guard, size_t size_bytes)
{
    (void)guard;
    tracer->lost_blocks++;
    tracer->lost_bytes += size_bytes;
}

static void subtract(mw_tracer *tracer, mw_site site, size_t size_bytes)
{
    uint64_t bytes = mw_site_table_counted_bytes(&tracer->sites, site, size_bytes);

    mw_site_table_subtract(&tracer->sites, site, size_bytes);
    mw_tracer_add_live(tracer, -bytes);
}

/* A watched block has gone. */
static void tell_of_end(mw_tracer *tracer, mw_guard guard, uintptr_t address)
{
    if (!mw_births_drop(&tracer->births, address))
        mw_tracer_forget_code(tracer, guard, address);
}

/* Empties a label that is about to be overwritten: the block was freed where no hook saw
 * it, for example through another domain than it came from. */
void mw_tracer_displace(mw_tracer *tracer, mw_guard guard, uintptr_t address, uint32_t *label)
{
    mw_site site = {*label & MW_LABEL_SITE};
    bool is_watched = (*label & MW_LABEL_WATCHED) != 0;

    *label = 0;
    if (site.index != 0)
        subtract(tracer, site, mw_site_table_entry(&tracer->sites, site)->size);
    if (is_watched)
        tell_of_end(tracer, guard, address);
}

/* Empties an entry of the map likewise. */
static void displace_mapped(mw_tracer *tracer, mw_guard guard, mw_address_entry *block)
{
    mw_site site = {block->label & MW_LABEL_SITE};
    bool is_watched = (block->label & MW_LABEL_WATCHED) != 0;

    block->label = 0;
    if (site.index != 0)
        subtract(tracer, site, block->value);
    if (is_watched)
        mw_tracer_forget_code(tracer, guard, block->address);
}

void mw_tracer_remember_other(mw_tracer *tracer, mw_guard guard, uintptr_t address,
                              size_t size_bytes, mw_site site)
{
    uint32_t *label = mw_block_store_find_small(&tracer->blocks, address);
    mw_address_entry *block;

    if (label != NULL && *label != 0)
        mw_tracer_displace(tracer, guard, address, label);
    block = mw_block_store_put_other(&tracer->blocks, address);
    if (block == NULL) {
        mw_tracer_lose(tracer, guard, size_bytes);
        return;
    }
    if (block->label != 0)
        displace_mapped(tracer, guard, block);
    block->value = size_bytes;
    block->label = site.index;
    tracer->newest_address = address;
    mw_tracer_count(tracer, site, size_bytes);
}

void mw_tracer_mark_pooled(mw_tracer *tracer, mw_guard guard, uintptr_t address)
{
    uint32_t *label = mw_block_store_find_small(&tracer->blocks, address);

    (void)guard;
    if (label != NULL && (*label & MW_LABEL_SITE) != 0)
        *label |= MW_LABEL_POOLED;
}

static mw_forgotten forget_labelled(mw_tracer *tracer, mw_guard guard, uintptr_t address,
                                    uint32_t *label)
{
    mw_site site = {*label & MW_LABEL_SITE};

    mw_tracer_displace(tracer, guard, address, label);
    return (mw_forgotten){site, mw_site_table_entry(&tracer->sites, site)->size};
}

static mw_forgotten forget_mapped(mw_tracer *tracer, mw_guard guard, mw_address_entry *block)
{
    mw_forgotten forgotten = {{block->label & MW_LABEL_SITE}, block->value};

    displace_mapped(tracer, guard, block);
    mw_address_map_remove(&tracer->blocks.others, block);
    return forgotten;
}

mw_whereabouts mw_tracer_forget(mw_tracer *tracer, mw_guard guard, uintptr_t address,
                                mw_forgotten *ret_forgotten)
{
    const mw_page *page = mw_block_store_page(&tracer->blocks, address);
    uint32_t *label = page != NULL && page->labels != NULL ? mw_page_label(page, address) : NULL;
    mw_address_entry *block;

    if (label != NULL && *label != 0) {
        *ret_forgotten = forget_labelled(tracer, guard, address, label);
    } else {
        if (label != NULL && !page->has_strays)
            return MW_BORN_BEFORE;
        block = mw_address_map_find(&tracer->blocks.others, address);
        if (block == NULL)
            return MW_ELSEWHERE;
        *ret_forgotten = forget_mapped(tracer, guard, block);
    }
    return ret_forgotten->site.index != 0 ? MW_FORGOTTEN : MW_ELSEWHERE;
}

static void drop(mw_tracer *tracer, mw_guard guard, uintptr_t address)
{
    mw_forgotten dropped;

    (void)mw_tracer_forget(tracer, guard, address, &dropped);
}

void mw_tracer_pass_over(mw_tracer *tracer, mw_guard guard, uintptr_t address, size_t size_bytes,
                         mw_site site)
{
    /* Whatever was here before has gone, where no hook saw it. */
    if (site.index == MW_SITE_UNWANTED)
        drop(tracer, guard, address);
    else
        mw_tracer_lose(tracer, guard, size_bytes);
}

bool mw_tracer_knows(const mw_tracer *tracer, uintptr_t address, size_t *ret_size_bytes)
{
    mw_block_entry entry = mw_block_store_find(&tracer->blocks, address);
    mw_site site = {entry.label & MW_LABEL_SITE};

    if (site.index == 0)
        return false;
    *ret_size_bytes = entry.is_mapped ? entry.size_bytes : mw_tracer_small_bytes(tracer, site);
    return true;
}

static void move_label(mw_tracer *tracer, uint32_t *label, mw_site site, size_t size_bytes)
{
    mw_site former = {*label & MW_LABEL_SITE};

    if (former.index == site.index)
        return;
    subtract(tracer, former, size_bytes);
    mw_tracer_count(tracer, site, size_bytes);
    *label = site.index | (*label & ~MW_LABEL_SITE);
}

void mw_tracer_move(mw_tracer *tracer, mw_guard guard, uintptr_t address, mw_site site)
{
    uint32_t *label = mw_block_store_find_small(&tracer->blocks, address);
    mw_address_entry *block;

    mw_births_settle(tracer, guard, address);
    if (site.index == MW_SITE_UNWANTED) {
        drop(tracer, guard, address);
        return;
    }
    if (label != NULL && (*label & MW_LABEL_SITE) != 0) {
        move_label(tracer, label, site, mw_tracer_small_bytes(tracer, site));
        return;
    }
    block = mw_address_map_find(&tracer->blocks.others, address);
    if (block != NULL && (block->label & MW_LABEL_SITE) != 0)
        move_label(tracer, &block->label, site, block->value);
}

void mw_tracer_restore(mw_tracer *tracer, mw_guard guard, uintptr_t address, mw_forgotten forgotten)
{
    uint64_t lost_blocks = tracer->lost_blocks;

    if (forgotten.site.index == 0)
        return;
    if (mw_tracer_is_unwanted(tracer, forgotten.site))
        forgotten.size_bytes = mw_tracer_small_bytes(tracer, forgotten.site);
    mw_tracer_remember(tracer, guard, address, forgotten.size_bytes, forgotten.site);
    if (tracer->lost_blocks != lost_blocks)
        return;
    /* It was counted when it was first allocated. */
    mw_site_table_uncount(&tracer->sites, forgotten.site, forgotten.size_bytes);
}
