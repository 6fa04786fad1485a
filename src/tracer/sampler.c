/* SPDX-License-Identifier: MIT */
#include "tracer/sampler.h"

#include <math.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

mw_sampler mw_the_sampler = {.lane = {.lock = MW_SPINLOCK_FREE}};

__thread mw_sample_clock mw_the_sample_clock __attribute__((tls_model("initial-exec")));

/* ── chance ──────────────────────────────────────────────────────────────────────── */

/* From the system; where that has nothing to give yet (an early boot), from the clock. */
static uint64_t draw_seed(void)
{
    struct timespec now = {0};
    uint64_t seed = 0;

    if (getrandom(&seed, sizeof seed, GRND_NONBLOCK) == (ssize_t)sizeof seed && seed != 0)
        return seed;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return mw_mix_64((uint64_t)now.tv_nsec << 20 ^ (uint64_t)now.tv_sec ^
                     (uint64_t)getpid() << 40) |
           1;
}

/* Steele, Lea and Flood's splitmix64: one addition and a mixer, for a generator in each
 * thread that takes eight bytes. */
static uint64_t next_random(mw_sample_clock *clock)
{
    uint64_t mixed = clock->random += MW_GOLDEN_64;

    mixed = (mixed ^ mixed >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    mixed = (mixed ^ mixed >> 27) * UINT64_C(0x94d049bb133111eb);
    return mixed ^ mixed >> 31;
}

/* A distance from the exponential distribution.  Rounding down is exact, since sizes are
 * whole: a block is hit if it is longer than the distance. */
static int64_t draw_distance(mw_sample_clock *clock, uint64_t sample_bytes)
{
    /* In (0, 1], in steps of 2^-53. */
    double uniform = (double)((next_random(clock) >> 11) + 1) * 0x1p-53;

    return (int64_t)(-log(uniform) * (double)sample_bytes);
}

/* A clock that belongs to a former session, or to none yet. */
static void restart_clock(mw_sampler *sampler, mw_sample_clock *clock, uint32_t session)
{
    uint64_t number = atomic_fetch_add(&sampler->seed_count, 1);

    clock->random = mw_mix_64(sampler->seed + number * MW_GOLDEN_64);
    clock->countdown = draw_distance(clock, sampler->sample_bytes);
    clock->drawn_session = session;
}

bool mw_sampler_hits(mw_sampler *sampler, mw_guard guard, size_t size_bytes)
{
    mw_sample_clock *clock = &mw_the_sample_clock;
    uint32_t session = sampler->session;
    uint64_t counted = mw_sampled_bytes(size_bytes);

    (void)guard;
    if (!mw_sampler_is_active(sampler))
        return false;
    if (clock->drawn_session != session)
        restart_clock(sampler, clock, session);
    if (counted <= (uint64_t)clock->countdown) {
        clock->countdown -= (int64_t)counted;
        return false;
    }
    clock->countdown = draw_distance(clock, sampler->sample_bytes);
    return true;
}

/* ── life ────────────────────────────────────────────────────────────────────────── */

/* With the budget as it has been opened, and the filters that are there. */
static mw_status begin(mw_sampler *sampler, uint64_t sample_bytes, uint32_t frame_limit,
                       uint64_t seed)
{
    mw_status status = mw_raw_lane_open(&sampler->lane, &sampler->budget.counted, &sampler->budget);

    if (status == MW_OK && sampler->epoch != 0)
        status = mw_raw_lane_begin_epoch(&sampler->lane, sampler->epoch, NULL);
    if (status != MW_OK) {
        mw_raw_lane_close(&sampler->lane);
        return status;
    }
    sampler->frame_limit = frame_limit;
    sampler->seed = seed != 0 ? seed : draw_seed();
    sampler->seed_count = 0;
    sampler->sample_bytes = sample_bytes;
    /* Last, for it is what clocks compare; 0 is nobody's. */
    if (++sampler->session == 0)
        sampler->session = 1;
    return MW_OK;
}

mw_status mw_sampler_start(mw_sampler *sampler, mw_alloc *alloc, uint64_t sample_bytes,
                           const mw_tracer_options *options, uint64_t seed)
{
    mw_start_filters filters;
    mw_status status;

    mw_budget_init(&sampler->budget, alloc);
    mw_budget_open(&sampler->budget, options->max_overhead_bytes);
    status = mw_start_filters_init(&filters, &sampler->budget.counted, options->filters,
                                   options->filter_count, options->frame_limit);
    if (status != MW_OK)
        return status;
    mw_raw_lane_filter(&sampler->lane, filters);
    status = begin(sampler, sample_bytes, options->frame_limit, seed);
    if (status != MW_OK)
        mw_raw_lane_filter(&sampler->lane, (mw_start_filters){0});
    return status;
}

/* Ends sampling, and keeps the filters. */
static void end(mw_sampler *sampler)
{
    mw_alloc *alloc = sampler->lane.codes.alloc;

    sampler->sample_bytes = 0;
    mw_raw_lane_close(&sampler->lane);
    mw_raw_lane_lock(&sampler->lane);
    if (alloc != NULL)
        mw_alloc_release(alloc, sampler->allocated,
                         sampler->allocated_capacity * sizeof *sampler->allocated);
    sampler->allocated = NULL;
    sampler->allocated_capacity = 0;
    sampler->threads = (mw_threads){0};
    sampler->live_bytes = sampler->peak_bytes = 0;
    memset(sampler->filter, 0, sizeof sampler->filter);
    mw_raw_lane_unlock(&sampler->lane);
}

void mw_sampler_stop(mw_sampler *sampler)
{
    end(sampler);
    mw_raw_lane_filter(&sampler->lane, (mw_start_filters){0});
}

mw_status mw_sampler_clear(mw_sampler *sampler)
{
    uint64_t sample_bytes = sampler->sample_bytes;
    mw_status status;

    if (sample_bytes == 0)
        return MW_OK;
    end(sampler);
    mw_budget_open(&sampler->budget, sampler->budget.ceiling_bytes);
    status = begin(sampler, sample_bytes, sampler->frame_limit, 0);
    if (status != MW_OK)
        mw_raw_lane_filter(&sampler->lane, (mw_start_filters){0});
    return status;
}

/* Whether the filter counts every sample, and nothing else. */
static bool filter_is_consistent(const mw_sampler *sampler)
{
    const mw_address_map *blocks = &sampler->lane.blocks;
    bool is_saturated = false;
    uint32_t counted = 0;

    for (uint32_t place = 0; place < 1 << MW_SAMPLE_FILTER_BITS; place++) {
        counted += sampler->filter[place];
        is_saturated = is_saturated || sampler->filter[place] == UINT8_MAX;
    }
    for (uint32_t slot = 0; slot < mw_address_map_slot_count(blocks); slot++)
        if (blocks->slots[slot].address != 0 &&
            !mw_sampler_may_know(sampler, blocks->slots[slot].address))
            return false;
    return is_saturated || counted == blocks->count;
}

static bool live_bytes_are_right(const mw_sampler *sampler)
{
    const mw_address_map *blocks = &sampler->lane.blocks;
    double live_bytes = 0;

    for (uint32_t slot = 0; slot < mw_address_map_slot_count(blocks); slot++)
        if (blocks->slots[slot].address != 0)
            live_bytes += mw_estimate_of(blocks->slots[slot].value, 1, sampler->sample_bytes).bytes;
    return fabs(live_bytes - sampler->live_bytes) <= 1e-6 * (live_bytes + sampler->peak_bytes + 1);
}

bool mw_sampler_is_consistent(const mw_sampler *sampler)
{
    if (!mw_raw_lane_is_consistent(&sampler->lane) ||
        sampler->lane.is_active != mw_sampler_is_active(sampler))
        return false;
    return filter_is_consistent(sampler) &&
           (!sampler->lane.is_active || live_bytes_are_right(sampler));
}

size_t mw_sampler_memory_bytes(mw_sampler *sampler)
{
    size_t bytes;

    mw_raw_lane_lock(&sampler->lane);
    bytes = mw_raw_lane_memory_bytes(&sampler->lane) +
            sampler->allocated_capacity * sizeof *sampler->allocated;
    mw_raw_lane_unlock(&sampler->lane);
    return bytes;
}

void mw_sampler_traced_bytes(mw_sampler *sampler, uint64_t *ret_live_bytes,
                             uint64_t *ret_peak_bytes)
{
    mw_raw_lane_lock(&sampler->lane);
    *ret_live_bytes = (uint64_t)sampler->live_bytes;
    *ret_peak_bytes = (uint64_t)sampler->peak_bytes;
    mw_raw_lane_unlock(&sampler->lane);
}

void mw_sampler_reset_peak(mw_sampler *sampler)
{
    mw_raw_lane_lock(&sampler->lane);
    sampler->peak_bytes = sampler->live_bytes;
    mw_raw_lane_unlock(&sampler->lane);
}

/* ── epochs ──────────────────────────────────────────────────────────────────────── */

/* Room for what [site] has allocated. */
static mw_status grow_allocated(mw_sampler *sampler, uint32_t site)
{
    mw_status status = MW_OK;

    while (sampler->allocated_capacity <= site && status == MW_OK)
        status = mw_alloc_grow(sampler->lane.codes.alloc, &sampler->allocated,
                               sampler->allocated_capacity, &sampler->allocated_capacity,
                               sizeof *sampler->allocated, MW_SITE_MAXIMUM);
    return status;
}

/* A mw_site_dissolving: what the site has allocated goes with its counts. */
static bool move_allocated(void *context, mw_site from, mw_site to)
{
    mw_sampler *sampler = context;

    if (from.index >= sampler->allocated_capacity)
        return true;
    if (grow_allocated(sampler, to.index) != MW_OK)
        return false;
    mw_estimate_add(&sampler->allocated[to.index], &sampler->allocated[from.index]);
    sampler->allocated[from.index] = (mw_estimate){0};
    return true;
}

mw_status mw_sampler_begin_epoch(mw_sampler *sampler, uint32_t *ret_epoch)
{
    const mw_site_dissolving dissolving = {move_allocated, sampler};
    mw_status status;

    if (sampler->epoch == MW_SITE_EPOCH_MAXIMUM ||
        mw_budget_stage(&sampler->budget) >= MW_STAGE_FOLDED)
        return MW_LIMIT;
    status = mw_raw_lane_begin_epoch(&sampler->lane, sampler->epoch + 1, &dissolving);
    if (status == MW_OK)
        *ret_epoch = ++sampler->epoch;
    return status;
}

/* ── fork ────────────────────────────────────────────────────────────────────────── */

void mw_sampler_before_fork(mw_sampler *sampler)
{
    (void)mw_sampler_enter();
    mw_raw_lane_lock(&sampler->lane);
}

void mw_sampler_after_fork(mw_sampler *sampler)
{
    mw_raw_lane_unlock(&sampler->lane);
    mw_sampler_leave((mw_guard){true});
}

void mw_sampler_after_fork_in_child(mw_sampler *sampler)
{
    sampler->seed = draw_seed();
    mw_the_sample_clock.drawn_session = 0;
    mw_sampler_after_fork(sampler);
}

/* ── samples ─────────────────────────────────────────────────────────────────────── */

/* A program that frees and allocates in turn is given the same few addresses again and
 * again, so a place is empty as soon as its last sample is gone, and not some time later. */
static void count_in_filter(mw_sampler *sampler, uintptr_t address, int change)
{
    _Atomic uint8_t *place = &sampler->filter[mw_sample_filter_place(address)];
    uint8_t count = atomic_load_explicit(place, memory_order_relaxed);

    if (count != UINT8_MAX)
        atomic_store_explicit(place, (uint8_t)(count + change), memory_order_relaxed);
}

static void add_live(mw_sampler *sampler, size_t size_bytes)
{
    sampler->live_bytes += mw_estimate_of(size_bytes, 1, sampler->sample_bytes).bytes;
    if (sampler->live_bytes > sampler->peak_bytes)
        sampler->peak_bytes = sampler->live_bytes;
}

/* Adds a sample to what its site has ever allocated.  Without memory for that, the site's
 * count stays behind, which get_lost() counts. */
static void add_allocated(mw_sampler *sampler, uintptr_t address, size_t size_bytes)
{
    const mw_address_entry *entry = mw_address_map_find(&sampler->lane.blocks, address);
    mw_estimate sample = mw_estimate_of(size_bytes, 1, sampler->sample_bytes);

    if (entry == NULL)
        return; /* lost, and counted as such */
    if (grow_allocated(sampler, entry->label) != MW_OK) {
        sampler->lane.lost_blocks++;
        sampler->lane.lost_bytes += size_bytes;
        return;
    }
    mw_estimate_add(&sampler->allocated[entry->label], &sample);
}

void mw_sampler_remember(mw_sampler *sampler, mw_guard guard, uintptr_t address, size_t size_bytes,
                         mw_path path)
{
    if (!sampler->lane.is_active || mw_the_sample_clock.drawn_session != sampler->session)
        return;
    mw_sampler_forget(sampler, guard, address, NULL);
    count_in_filter(sampler, address, 1);
    mw_raw_lane_remember(&sampler->lane, guard, address, size_bytes, path, 0);
    if (mw_address_map_find(&sampler->lane.blocks, address) == NULL) {
        count_in_filter(sampler, address, -1);
        return;
    }
    add_live(sampler, size_bytes);
    add_allocated(sampler, address, size_bytes);
}

bool mw_sampler_forget(mw_sampler *sampler, mw_guard guard, uintptr_t address,
                       mw_address_entry *ret_entry)
{
    mw_address_entry entry;

    if (!sampler->lane.is_active || !mw_raw_lane_forget(&sampler->lane, guard, address, &entry))
        return false;
    sampler->live_bytes -= mw_estimate_of(entry.value, 1, sampler->sample_bytes).bytes;
    count_in_filter(sampler, address, -1);
    if (ret_entry != NULL)
        *ret_entry = entry;
    return true;
}

void mw_sampler_restore(mw_sampler *sampler, mw_guard guard, const mw_address_entry *entry)
{
    if (!sampler->lane.is_active || entry->spare != sampler->lane.opening)
        return;
    mw_sampler_forget(sampler, guard, entry->address, NULL);
    count_in_filter(sampler, entry->address, 1);
    mw_raw_lane_restore(&sampler->lane, guard, entry);
    if (mw_address_map_find(&sampler->lane.blocks, entry->address) == NULL)
        count_in_filter(sampler, entry->address, -1);
    else
        add_live(sampler, entry->value);
}
