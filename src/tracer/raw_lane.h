/* SPDX-License-Identifier: MIT
 *
 * Blocks whose calls may come without the GIL: the RAW domain, threads that Python never
 * saw, and interpreters with a GIL of their own.  Everything here is guarded by one spin
 * lock, held for well under a microsecond (longer by a snapshot), inside which nothing
 * waits and no Python API is called; so a hook never waits for the GIL, as tracemalloc's
 * RAW hooks do (a deadlock wherever the caller holds a lock that the GIL's owner wants).
 *
 * Who holds the GIL hands in a path of the main tables; who does not interns its own
 * stack in the lane's tables, by content.  A site's path tells which by its top bit.
 *
 * The lane also keeps what extensions report with PyTraceMalloc_Track, in domains of their
 * own: an address may be known in several domains at once, so each has a map.  A site has
 * the domain's number in the lane, 0 for Python's own.
 */
#pragma once

#include "base/sync.h"
#include "core/code_table.h"
#include "core/path_trie.h"
#include "core/site_table.h"
#include "tracer/guard.h"
#include "tracer/start_filters.h"

/* A path of the main tables rather than of the lane's. */
#define MW_PATH_OF_MAIN UINT32_C(0x80000000)
/* One of the main tables whose blocks a start-time filter does not admit. */
#define MW_PATH_UNWANTED UINT32_MAX

/* More domains than these are lost.  NumPy uses one, most programs none. */
enum { MW_LANE_DOMAIN_MAXIMUM = 1024 };

typedef struct mw_lane_domain {
    uint32_t id;           /* as the extension calls it; not 0 */
    mw_address_map blocks; /* value: size; label: site         */
} mw_lane_domain;

typedef struct mw_raw_lane {
    mw_spinlock lock;        /* guards everything below                              */
    mw_alloc *alloc;         /* borrowed                                             */
    bool is_active;          /* tables are there and blocks are recorded             */
    bool may_walk;           /* stacks of threads without the GIL may be looked at   */
    uint32_t opening;        /* counts them, to know blocks of a former one by       */
    mw_code_table codes;     /* of stacks seen without the GIL                       */
    mw_path_trie paths;      /* likewise                                             */
    mw_site_table sites;     /* all of the lane's blocks                             */
    mw_address_map blocks;   /* of Python's domain; value: size; label: site         */
    mw_lane_domain *domains; /* owned; the others, by number - 1                     */
    uint32_t domain_count;   /* at most MW_LANE_DOMAIN_MAXIMUM                       */
    uint32_t domain_capacity;
    mw_start_filters filters;    /* asked about paths of the lane's own tables              */
    _Atomic uint64_t live_bytes; /* written under the lock, read without it        */
    uint64_t peak_bytes;         /* of both lanes together, as seen from this one        */
    uint64_t lost_blocks;        /* not recorded, for want of memory                     */
    uint64_t lost_bytes;
} mw_raw_lane;

/* Has a lane's tables give up detail as [budget] says; does nothing where it sets no bound, or
 * is NULL. */
mw_status mw_tables_limit(mw_code_table *codes, mw_path_trie *paths, mw_site_table *sites,
                          const mw_budget *budget) MW_MUST_CHECK;

/* [budget] may be NULL; else it is where [alloc] counts. */
mw_status mw_raw_lane_open(mw_raw_lane *lane, mw_alloc *alloc, const mw_budget *budget)
    MW_MUST_CHECK;
/* Hands in filters in place of those that are there; a zeroed struct takes them away. */
void mw_raw_lane_filter(mw_raw_lane *lane, mw_start_filters filters_take);
/* Stops recording and forgets everything but the filters; safe while other threads are in
 * the hooks. */
void mw_raw_lane_close(mw_raw_lane *lane);
/* From now on new sites are of [epoch]; [dissolving] may be NULL, and is called under the lock.
 * See mw_site_table_begin_epoch. */
mw_status mw_raw_lane_begin_epoch(mw_raw_lane *lane, uint32_t epoch,
                                  const mw_site_dissolving *dissolving) MW_MUST_CHECK;
/* Under the lock. */
bool mw_raw_lane_is_consistent(const mw_raw_lane *lane);
size_t mw_raw_lane_memory_bytes(const mw_raw_lane *lane);

static inline void mw_raw_lane_lock(mw_raw_lane *lane)
{
    mw_spinlock_take(&lane->lock);
}

static inline void mw_raw_lane_unlock(mw_raw_lane *lane)
{
    mw_spinlock_release(&lane->lock);
}

/* The following want the lock held. */

/* Records a block; one that is recorded already is replaced.  [main_live_bytes] is what
 * the main tables hold, for the common peak.  Whether the filters admit a path of the main
 * tables is for the caller to ask, who hands in MW_PATH_UNWANTED where they do not; of the
 * lane's own it is asked here. */
void mw_raw_lane_remember(mw_raw_lane *lane, mw_guard guard, uintptr_t address, size_t size_bytes,
                          mw_path path, uint64_t main_live_bytes);
/* Forgets a block; returns false if it is not known.  [ret_entry] may be NULL. */
bool mw_raw_lane_forget(mw_raw_lane *lane, mw_guard guard, uintptr_t address,
                        mw_address_entry *ret_entry);
/* Undoes a forget, after a realloc that failed; not if the lane has been closed since. */
void mw_raw_lane_restore(mw_raw_lane *lane, mw_guard guard, const mw_address_entry *entry);

/* ── domains ─────────────────────────────────────────────────────────────────────── */

/* Records a block in any domain, Python's included; a known one gets the new size and path.
 * When memory or numbers for domains are used up, the block is counted as lost, and stays
 * as it was if it was known. */
mw_status mw_raw_lane_track(mw_raw_lane *lane, mw_guard guard, uint32_t domain, uintptr_t address,
                            size_t size_bytes, mw_path path, uint64_t main_live_bytes)
    MW_MUST_CHECK;
/* Forgets a block; returns false if it is not known. */
bool mw_raw_lane_untrack(mw_raw_lane *lane, mw_guard guard, uint32_t domain, uintptr_t address);
/* The entry of a block, or NULL. */
mw_address_entry *mw_raw_lane_find(const mw_raw_lane *lane, uint32_t domain, uintptr_t address);
/* The domain that has a number in the lane, as the extension calls it. */
uint32_t mw_raw_lane_domain_of(const mw_raw_lane *lane, uint32_t number);
