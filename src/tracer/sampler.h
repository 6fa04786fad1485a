/* SPDX-License-Identifier: MIT
 *
 * The sampling lane: a few blocks, each with its whole stack, that stand for all.  Marks
 * are thrown on the bytes that each thread allocates, `sample_bytes` apart on average,
 * with distances drawn from the exponential distribution; a block that a mark hits is
 * recorded.  So each block is sampled independently of all others, with a probability that
 * its size alone decides, and core/estimate.h can tell what the whole is like.
 *
 * Beside the exact tracer and without knowing of it: the two may run together.
 *
 * A block that is not hit costs a subtraction when it is allocated (the clock, one for
 * each thread) and, when it is freed, one look into a table of bytes, which says for nearly
 * all addresses that they were not sampled.  What is recorded is kept in a raw lane of its
 * own: stacks by content, under one spin lock, whoever holds which GIL.
 */
#pragma once

#include "core/estimate.h"
#include "core/snapshot.h"
#include "tracer/options.h"
#include "tracer/raw_lane.h"
#include "tracer/threads.h"

enum {
    MW_SAMPLE_FILTER_BITS = 17,    /* 128 KiB, of which a hot heap of 100 KiB touches 6 */
    MW_SAMPLE_SMALL_MAXIMUM = 512, /* what pymalloc never asks of another domain        */
};

/* One thread's. */
typedef struct mw_sample_clock {
    int64_t countdown;      /* bytes to the next mark                                      */
    uint32_t session;       /* that the countdown belongs to; 0 while inside or fresh      */
    uint32_t drawn_session; /* the same, while inside too                                  */
    bool is_inside;         /* a sampling hook is running on this thread                   */
    uint64_t random;        /* state of the generator                                      */
} mw_sample_clock;

typedef struct mw_sampler {
    /* Live samples by sixteenths of the address; 255 is for good.  Neighbours in the heap
     * are neighbours here, so that looking up what is hot stays in the cache. */
    _Atomic uint8_t filter[1 << MW_SAMPLE_FILTER_BITS];
    mw_budget budget;              /* what all below may hold                                   */
    mw_raw_lane lane;              /* the samples; its lock guards all below that is not atomic */
    _Atomic uint32_t session;      /* counts starts from 1; a change voids every clock          */
    _Atomic uint64_t sample_bytes; /* mean distance of marks; 0 while nothing is sampled        */
    _Atomic uint64_t seed;         /* of this session and process                               */
    _Atomic uint64_t seed_count;   /* clocks seeded from it                                     */
    uint32_t frame_limit;          /* of tracebacks in snapshots                                */
    mw_threads threads;
    uint32_t epoch;    /* of a series, in which samples are born now                */
    double live_bytes; /* estimated                                                 */
    double peak_bytes;
    mw_estimate *allocated; /* owned; by site of the lane: of all ever sampled           */
    uint32_t allocated_capacity;
} mw_sampler;

extern mw_sampler mw_the_sampler __attribute__((visibility("hidden")));
extern __thread mw_sample_clock mw_the_sample_clock
    __attribute__((tls_model("initial-exec"), visibility("hidden")));

/* Begins sampling, as a new session.  [seed] 0 draws one from the system.  MW_NO_MEMORY
 * leaves it off. */
mw_status mw_sampler_start(mw_sampler *sampler, mw_alloc *alloc, uint64_t sample_bytes,
                           const mw_tracer_options *options, uint64_t seed) MW_MUST_CHECK;
/* Ends sampling and forgets everything; safe while other threads are in the hooks. */
void mw_sampler_stop(mw_sampler *sampler);
/* Forgets everything and goes on with a new session; MW_NO_MEMORY ends sampling. */
mw_status mw_sampler_clear(mw_sampler *sampler) MW_MUST_CHECK;
/* Under the lock. */
bool mw_sampler_is_consistent(const mw_sampler *sampler);
size_t mw_sampler_memory_bytes(mw_sampler *sampler);

static inline bool mw_sampler_is_active(const mw_sampler *sampler)
{
    return sampler->sample_bytes != 0;
}

/* Estimates of live bytes, now and at most. */
void mw_sampler_traced_bytes(mw_sampler *sampler, uint64_t *ret_live_bytes,
                             uint64_t *ret_peak_bytes);
void mw_sampler_reset_peak(mw_sampler *sampler);
/* What is alive now, as samples.  MW_UNSUPPORTED when nothing is sampled. */
mw_status mw_sampler_snapshot(mw_sampler *sampler, mw_alloc *alloc, mw_snapshot **ret_snapshot)
    MW_MUST_CHECK;

/* As mw_tracer_begin_epoch, with an epoch of its own. */
mw_status mw_sampler_begin_epoch(mw_sampler *sampler, uint32_t *ret_epoch) MW_MUST_CHECK;
/* As mw_tracer_series_snapshot: estimates, rounded to whole blocks and bytes.  MW_UNSUPPORTED
 * when nothing is sampled. */
mw_status mw_sampler_series_snapshot(mw_sampler *sampler, uint32_t first_epoch, mw_alloc *alloc,
                                     mw_snapshot **ret_snapshot) MW_MUST_CHECK;

/* To be called around fork.  The child draws other numbers than the parent, else their
 * samples, and those of all its siblings, would err in the same direction. */
void mw_sampler_before_fork(mw_sampler *sampler);
void mw_sampler_after_fork(mw_sampler *sampler);
void mw_sampler_after_fork_in_child(mw_sampler *sampler);

/* ── this thread's clock ─────────────────────────────────────────────────────────── */

static inline mw_guard mw_sampler_enter(void)
{
    mw_the_sample_clock.session = 0;
    mw_the_sample_clock.is_inside = true;
    return (mw_guard){true};
}

static inline void mw_sampler_leave(mw_guard guard)
{
    (void)guard;
    mw_the_sample_clock.is_inside = false;
    mw_the_sample_clock.session = mw_the_sample_clock.drawn_session;
}

/* The whole cost of most allocations: whether a block is small, this thread is not inside
 * a hook, and no mark hits the block. */
static inline bool mw_sampler_passes(const mw_sampler *sampler, size_t size_bytes)
{
    mw_sample_clock *clock = &mw_the_sample_clock;
    int64_t left;

    if (size_bytes > MW_SAMPLE_SMALL_MAXIMUM)
        return false;
    if (clock->session != atomic_load_explicit(&sampler->session, memory_order_relaxed))
        return false;
    left = clock->countdown - (int64_t)mw_sampled_bytes(size_bytes);
    if (left < 0)
        return false;
    clock->countdown = left;
    return true;
}

/* The same for any block, inside: whether a mark hits it, and the distance to the next. */
bool mw_sampler_hits(mw_sampler *sampler, mw_guard guard, size_t size_bytes);

/* ── the samples ─────────────────────────────────────────────────────────────────── */

static inline uint32_t mw_sample_filter_place(uintptr_t address)
{
    return (uint32_t)(address >> 4) & ((1 << MW_SAMPLE_FILTER_BITS) - 1);
}

/* False for nearly every block that was not sampled. */
static inline bool mw_sampler_may_know(const mw_sampler *sampler, uintptr_t address)
{
    return atomic_load_explicit(&sampler->filter[mw_sample_filter_place(address)],
                                memory_order_relaxed) != 0;
}

/* The following want the lane's lock held. */

/* Records a block that was hit, unless sampling began anew since. */
void mw_sampler_remember(mw_sampler *sampler, mw_guard guard, uintptr_t address, size_t size_bytes,
                         mw_path path);
/* As those of the raw lane. */
bool mw_sampler_forget(mw_sampler *sampler, mw_guard guard, uintptr_t address,
                       mw_address_entry *ret_entry);
void mw_sampler_restore(mw_sampler *sampler, mw_guard guard, const mw_address_entry *entry);
