/* SPDX-License-Identifier: MIT
 *
 * Pools out of which a block has come lately: so that one can go back there without a call,
 * where nothing is kept for each block that would tell.
 *
 * A pool stays one until its last block is freed.  That is left to pymalloc, as is whatever
 * else it may do to a pool behind our back (a realloc that moves a block), and the pool is
 * taken off the list first.  So is a page of which a block was handed out by anybody but the
 * pool: should a pool have gone where no hook saw it, whoever has its memory now got it through
 * the hooks.  And whenever the hooks go into the chain or out of it the list begins anew.
 *
 * One place for a pool; what does not stand there goes the long way.  Guarded by the GIL of the
 * main interpreter; interpreters that have one of their own find none of their pools here, and
 * so change nothing.
 */
#pragma once

#include "pyext/pymalloc_pools.h"

enum { MW_SEEN_POOL_BITS = 10 };

/* 1, which is no address of a pool, where there is none. */
extern uintptr_t mw_the_seen_pools[1 << MW_SEEN_POOL_BITS] __attribute__((visibility("hidden")));

void mw_seen_pools_forget_all(void);

static inline uintptr_t *mw_seen_pools_place(uintptr_t pool)
{
    return &mw_the_seen_pools[pool / MW_POOL_BYTES % (1 << MW_SEEN_POOL_BITS)];
}

/* [block] has come out of its pool. */
static inline void mw_seen_pools_add(const void *block)
{
    uintptr_t pool = (uintptr_t)mw_pool_of(block);

    *mw_seen_pools_place(pool) = pool;
}

/* The page of [block] may be no pool any more. */
static inline void mw_seen_pools_drop(const void *block)
{
    uintptr_t pool = (uintptr_t)mw_pool_of(block);
    uintptr_t *place = mw_seen_pools_place(pool);

    if (*place == pool)
        *place = 1;
}

/* Puts [block], which may be NULL, back into a pool of [pools] that is on the list; returns
 * false, having done nothing to the block, if pymalloc must. */
static inline bool mw_seen_pools_put_back(mw_pool_head *pools, void *block)
{
    mw_pool *pool = mw_pool_of(block);
    uintptr_t *place = mw_seen_pools_place((uintptr_t)pool);

    if (__builtin_expect(*place != (uintptr_t)pool, 0))
        return false;
    if (__builtin_expect(pool->live.count == 1, 0)) {
        *place = 1;
        return false;
    }
    mw_pool_put(pools, pool, block);
    return true;
}
