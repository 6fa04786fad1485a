/* SPDX-License-Identifier: MIT
 *
 * The tracer: everything that one process records, in two lanes.
 *
 *   main lane   calls under the GIL of the main interpreter; no lock, small blocks at
 *               four bytes each
 *   raw lane    everybody else, under a spin lock (raw_lane.h)
 *
 * There is one tracer in a process, since there is one set of allocators.  It knows no
 * interpreter: src/pyext tells it "a block of this size came from this site", and asks
 * it for snapshots.  What can fail for want of memory is counted as lost, and the
 * program runs on.
 *
 * An address belongs to at most one lane.  A block is forgotten before it is freed, never
 * after: between the two, another thread may already have been given the address.
 */
#pragma once

#include "core/block_store.h"
#include "core/budget.h"
#include "core/snapshot.h"
#include "tracer/births.h"
#include "tracer/options.h"
#include "tracer/peak.h"
#include "tracer/raw_lane.h"
#include "tracer/site_cache.h"
#include "tracer/start_filters.h"
#include "tracer/threads.h"

typedef struct mw_tracer {
    mw_alloc *alloc;        /* borrowed; the same at every start                          */
    mw_budget budget;       /* what all tables, of both lanes, are counted in             */
    _Atomic bool is_active; /* written under the GIL; read by anybody                     */
    _Atomic bool
        has_strangers;    /* an interpreter with a GIL of its own has allocated; never unset */
    uint32_t frame_limit; /* of tracebacks in snapshots; paths are always whole         */
    mw_code_table codes;  /* this and all below but raw: guarded by the GIL             */
    mw_path_trie paths;
    mw_site_table sites;
    mw_site_cache cache;
    mw_block_store blocks;
    mw_start_filters filters; /* of this lane; the other has its own with the same filters */
    uint32_t unwanted_sites;  /* the first so many sites are those of unwanted blocks       */
    mw_threads threads;
    _Atomic uint64_t live_bytes; /* of this lane; written under the GIL, read by anybody      */
    uint64_t peak_bytes;         /* of both lanes together, as seen from this one              */
    uintptr_t newest_address;    /* of the block recorded last, until it becomes an object  */
    uint64_t code_deaths;        /* how often addresses of instructions lost their meaning     */
    uint64_t lost_blocks;        /* not recorded, for want of memory                           */
    uint64_t lost_bytes;
    mw_peak peak;   /* the sites at that time, if somebody wants them             */
    uint32_t epoch; /* of a series, in which blocks are born now                  */
    mw_births births;
    mw_raw_lane raw;
} mw_tracer;

/* Hidden, so that the hot path reaches it without an indirection. */
extern mw_tracer mw_the_tracer __attribute__((visibility("hidden")));

/* Begins recording.  MW_NO_MEMORY leaves everything as it was.  The GIL is held.  Some of
 * what [alloc] gives is kept until the process ends, so it must be the same each time. */
mw_status mw_tracer_start_with(mw_tracer *tracer, mw_alloc *alloc, const mw_tracer_options *options)
    MW_MUST_CHECK;
/* The same with no other option. */
mw_status mw_tracer_start(mw_tracer *tracer, mw_alloc *alloc, uint32_t frame_limit) MW_MUST_CHECK;
/* Ends recording and forgets everything. */
void mw_tracer_stop(mw_tracer *tracer);
/* Forgets everything recorded so far and goes on, with the same options; MW_NO_MEMORY ends
 * recording. */
mw_status mw_tracer_clear(mw_tracer *tracer) MW_MUST_CHECK;
/* For tests: gives back what outlives a stop.  Nobody is in the hooks any more. */
void mw_tracer_done(mw_tracer *tracer);
/* Under the GIL. */
bool mw_tracer_is_consistent(mw_tracer *tracer);
/* Counts every block of the main lane anew, by site, and holds the online tallies against it;
 * MW_BAD_INPUT if any differs.  Under the GIL. */
mw_status mw_tracer_recount(mw_tracer *tracer) MW_MUST_CHECK;

uint64_t mw_tracer_live_bytes(mw_tracer *tracer);
uint64_t mw_tracer_peak_bytes(mw_tracer *tracer);
void mw_tracer_reset_peak(mw_tracer *tracer);

/* From now on blocks are born in a new epoch, whose number is returned, and those that are
 * alive are known as older (see core/site_table.h); it is never taken back, and a clear, a stop
 * and a start leave it.  MW_LIMIT, with the epoch as it was, when numbers are used up or half of
 * the bound for what the tracer may hold: more epochs are more sites.  Costs by sites.  The GIL
 * is held. */
mw_status mw_tracer_begin_epoch(mw_tracer *tracer, mw_guard guard, uint32_t *ret_epoch)
    MW_MUST_CHECK;

/* From now on the sites are copied when the most is alive, or no more; see tracer/peak.h.  Not
 * before the first start.  The GIL is held. */
void mw_tracer_keep_peak(mw_tracer *tracer, bool is_wanted);
/* The same after a block of the raw lane, under its lock, by who holds the GIL. */
void mw_tracer_look_at_peak_in_raw(mw_tracer *tracer);

/* In a forked child, whose only thread is the caller: another thread of the parent may
 * have held the raw lane's lock.  To be called around fork by pthread_atfork. */
void mw_tracer_before_fork(mw_tracer *tracer);
void mw_tracer_after_fork(mw_tracer *tracer);

/* The site of blocks of [size_bytes] at [path] of the main tables.  The GIL is held.
 *
 * Where a filter does not admit them, it is MW_SITE_UNWANTED if they are large, and else one
 * of the sites of unwanted blocks: one for each size, first in the table, which counts no
 * bytes and is left out of snapshots.  So a small unwanted block is handled like any other,
 * at the same speed, and while it costs its four bytes it is not forgotten: its object may
 * die, wait in a free list, and be born again at a place that is wanted. */
mw_status mw_tracer_site(mw_tracer *tracer, mw_path path, uint16_t domain, size_t size_bytes,
                         mw_site *ret_site) MW_MUST_CHECK;

/* What stands for [path] of the main tables in the raw lane. */
static inline mw_path mw_tracer_path_in_raw(mw_tracer *tracer, mw_path path, uint32_t domain)
{
    if (!mw_start_filters_admit(&tracer->filters, &tracer->codes, &tracer->paths, path, domain))
        return (mw_path){MW_PATH_UNWANTED};
    return (mw_path){path.index | MW_PATH_OF_MAIN};
}

/* Whether a site of the main tables is that of unwanted blocks. */
static inline bool mw_tracer_is_unwanted(const mw_tracer *tracer, mw_site site)
{
    return site.index != 0 && site.index <= tracer->unwanted_sites;
}

/* The size of the small blocks of a site of the main tables. */
static inline size_t mw_tracer_small_bytes(const mw_tracer *tracer, mw_site site)
{
    if (__builtin_expect(mw_tracer_is_unwanted(tracer, site), 0))
        return site.index - 1;
    return mw_site_table_entry(&tracer->sites, site)->size;
}

/* A code object has died, so its addresses mean nothing any more. */
void mw_tracer_forget_code(mw_tracer *tracer, mw_guard guard, uintptr_t object);

/* What is alive now.  The GIL is held; costs by sites and large blocks. */
mw_status mw_tracer_snapshot(mw_tracer *tracer, mw_guard guard, mw_alloc *alloc,
                             mw_snapshot **ret_snapshot) MW_MUST_CHECK;
/* The same for a series: sums by site and no blocks, with the epoch in which they were born,
 * and what was allocated since tracing began.  The latter stands in the sites of epoch 0, since
 * dead sites lose their epochs.  Epochs up to [first_epoch] count as 0, the next as 1.  Costs by
 * sites, dead or alive. */
mw_status mw_tracer_series_snapshot(mw_tracer *tracer, mw_guard guard, uint32_t first_epoch,
                                    mw_alloc *alloc, mw_snapshot **ret_snapshot) MW_MUST_CHECK;
/* The same as of the peak; MW_UNSUPPORTED if there is no copy. */
mw_status mw_tracer_peak_snapshot(mw_tracer *tracer, mw_guard guard, uint32_t first_epoch,
                                  mw_alloc *alloc, mw_snapshot **ret_snapshot) MW_MUST_CHECK;
/* A snapshot of one block, with one site; MW_BAD_INPUT if the block is not known. */
mw_status mw_tracer_snapshot_block(mw_tracer *tracer, mw_guard guard, uint32_t domain,
                                   uintptr_t address, mw_alloc *alloc, mw_snapshot **ret_snapshot)
    MW_MUST_CHECK;

/* Bytes that the tracer itself holds, by part. */
typedef struct mw_overhead {
    size_t blocks; /* labels of small blocks, entries of large ones */
    size_t sites;  /* sites and their index, the cache              */
    size_t paths;
    size_t codes; /* names, location tables, instructions          */
    size_t raw;   /* the raw lane, all parts                       */
} mw_overhead;

mw_overhead mw_tracer_overhead(mw_tracer *tracer);

/* What was given up to stay within the bound.  Sums are exact all the same, but for what is
 * lost. */
typedef struct mw_degradation {
    mw_stage stage;
    size_t ceiling_bytes;   /* 0: none was set                                             */
    size_t used_bytes;      /* counted against it                                          */
    uint64_t folded_frames; /* how often a frame of a recursion was folded                 */
    uint64_t cut_blocks;    /* live ones whose callers are not recorded                    */
    uint64_t cut_bytes;
    uint64_t coarse_codes; /* files of which functions and lines are not recorded          */
} mw_degradation;

/* Under the GIL; once anything was given up, costs by sites. */
mw_degradation mw_tracer_degradation(mw_tracer *tracer);

/* ── the hot path of the main lane ───────────────────────────────────────────────── */

/* What a block was, so that a failed realloc can put it back. */
typedef struct mw_forgotten {
    mw_site site;      /* 0: not known                          */
    size_t size_bytes; /* as the site counts it: 0 if unwanted */
} mw_forgotten;

/* Out of line, for what is rare. */
void mw_tracer_remember_other(mw_tracer *tracer, mw_guard guard, uintptr_t address,
                              size_t size_bytes, mw_site site);
/* A block that has no site of the tables: [site] is MW_SITE_UNWANTED, or 0 for want of
 * memory, and then the block counts as lost. */
void mw_tracer_pass_over(mw_tracer *tracer, mw_guard guard, uintptr_t address, size_t size_bytes,
                         mw_site site);

/* What became of a block that was to be forgotten. */
typedef enum mw_whereabouts {
    MW_FORGOTTEN,
    MW_BORN_BEFORE, /* its page is known, and it is not: it is older than the tracing */
    MW_ELSEWHERE,   /* not in this lane                                               */
} mw_whereabouts;

/* Forgets any block of this lane; [ret_forgotten] is written if it was there. */
mw_whereabouts mw_tracer_forget(mw_tracer *tracer, mw_guard guard, uintptr_t address,
                                mw_forgotten *ret_forgotten);
/* Whether the main lane has the block at [address], recorded or unwanted; if so, its size. */
bool mw_tracer_knows(const mw_tracer *tracer, uintptr_t address, size_t *ret_size_bytes);
/* Gives a known block of the same size class another site. */
void mw_tracer_move(mw_tracer *tracer, mw_guard guard, uintptr_t address, mw_site site);
void mw_tracer_lose(mw_tracer *tracer, mw_guard guard, size_t size_bytes);
/* Undoes a forget, after a realloc that failed. */
void mw_tracer_restore(mw_tracer *tracer, mw_guard guard, uintptr_t address,
                       mw_forgotten forgotten);
void mw_tracer_displace(mw_tracer *tracer, mw_guard guard, uintptr_t address, uint32_t *label);
/* What mw_tracer_raise does where the sites are to be copied. */
void mw_tracer_raise_to_peak(mw_tracer *tracer, uint64_t bytes);

/* Adds [bytes], modulo 2^64, to what is alive in this lane; whoever holds the GIL is the
 * only writer, and needs no atomic addition. */
static inline void mw_tracer_add_live(mw_tracer *tracer, uint64_t bytes)
{
    uint64_t live_bytes = atomic_load_explicit(&tracer->live_bytes, memory_order_relaxed);

    atomic_store_explicit(&tracer->live_bytes, live_bytes + bytes, memory_order_relaxed);
}

/* Counts a new block of [bytes] in the totals without calling anybody; false, with nothing
 * done, if the sites are to be copied for the peak. */
static inline bool mw_tracer_raise_at_once(mw_tracer *tracer, uint64_t bytes)
{
    uint64_t live_bytes = atomic_load_explicit(&tracer->live_bytes, memory_order_relaxed) + bytes;
    uint64_t of_both =
        live_bytes + atomic_load_explicit(&tracer->raw.live_bytes, memory_order_relaxed);

    if (__builtin_expect(of_both > tracer->peak_bytes, 0)) {
        if (__builtin_expect(of_both >= tracer->peak.threshold_bytes, 0))
            return false;
        tracer->peak_bytes = of_both;
    }
    atomic_store_explicit(&tracer->live_bytes, live_bytes, memory_order_relaxed);
    return true;
}

/* Counts a new block of [bytes], which its site counts already, in the totals. */
static inline void mw_tracer_raise(mw_tracer *tracer, uint64_t bytes)
{
    if (__builtin_expect(!mw_tracer_raise_at_once(tracer, bytes), 0))
        mw_tracer_raise_to_peak(tracer, bytes);
}

static inline void mw_tracer_count(mw_tracer *tracer, mw_site site, size_t size_bytes)
{
    mw_site_table_add(&tracer->sites, site, size_bytes);
    mw_tracer_raise(tracer, mw_site_table_counted_bytes(&tracer->sites, site, size_bytes));
}

/* Records the block at [address]; [guard] proves that the hooks are quiet on this
 * thread. */
static inline void mw_tracer_remember(mw_tracer *tracer, mw_guard guard, uintptr_t address,
                                      size_t size_bytes, mw_site site)
{
    uint32_t *label = NULL;

    if (__builtin_expect(size_bytes <= MW_SITE_SIZE_FIXED, 1))
        label = mw_block_store_slot(&tracer->blocks, address, size_bytes);
    if (__builtin_expect(label == NULL, 0)) {
        mw_tracer_remember_other(tracer, guard, address, size_bytes, site);
        return;
    }
    if (__builtin_expect(*label != 0, 0))
        mw_tracer_displace(tracer, guard, address, label);
    *label = site.index;
    tracer->newest_address = address;
    mw_tracer_count(tracer, site, size_bytes);
}

/* ── the same for blocks out of a pool, which touch nothing but their own page ─────
 *
 * Each returns false, having done nothing, if more than a label and two counters would have
 * to change.  They call nobody, and so want no guard. */

/* Records a block of 1 to MW_SITE_SIZE_FIXED bytes that begins where one of its class may. */
static inline bool mw_tracer_remember_pooled(mw_tracer *tracer, uintptr_t address,
                                             size_t size_bytes, mw_site site)
{
    uint32_t units = (uint32_t)(size_bytes - 1) / MW_PAGE_UNIT_BYTES + 1;
    mw_site_entry *entry = mw_site_table_entry(&tracer->sites, site);
    uint32_t *label;

    /* What the site says counts, since one of unwanted blocks has no bytes. */
    if (!mw_block_store_aligned_slot(&tracer->blocks, address, units, &label) ||
        __builtin_expect(*label != 0, 0) || __builtin_expect(entry->allocated == UINT32_MAX, 0) ||
        !mw_tracer_raise_at_once(tracer, entry->size))
        return false;
    *label = site.index | MW_LABEL_POOLED;
    entry->allocated++;
    tracer->newest_address = address;
    return true;
}

/* Says of a known block that it came out of a pool. */
void mw_tracer_mark_pooled(mw_tracer *tracer, mw_guard guard, uintptr_t address);

/* Finds the label of a block that came out of a pool and is not watched, and the size of the
 * pool's blocks in units. */
static inline bool mw_tracer_find_pooled(const mw_tracer *tracer, uintptr_t address,
                                         uint32_t **ret_label, uint32_t *ret_units)
{
    const mw_page *page = mw_block_store_page(&tracer->blocks, address);

    if (__builtin_expect(page == NULL || page->labels == NULL, 0))
        return false;
    *ret_units = page->units;
    *ret_label = mw_page_label(page, address);
    return __builtin_expect(*ret_label != NULL, 1) &&
           __builtin_expect(**ret_label >> 30 == MW_LABEL_POOLED >> 30, 1) &&
           __builtin_expect(
               mw_site_table_entry(&tracer->sites, (mw_site){**ret_label - MW_LABEL_POOLED})
                       ->freed != UINT32_MAX,
               1);
}

/* Forgets the block of a label that mw_tracer_find_pooled has just found. */
static inline void mw_tracer_forget_pooled(mw_tracer *tracer, uint32_t *label)
{
    mw_site site = {*label - MW_LABEL_POOLED};
    mw_site_entry *entry = mw_site_table_entry(&tracer->sites, site);

    *label = 0;
    entry->freed++;
    mw_tracer_add_live(tracer, -(uint64_t)entry->size);
}
