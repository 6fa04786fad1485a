/* SPDX-License-Identifier: MIT
 *
 * pymalloc's fast path, taken by our hooks.
 *
 * Of what a small allocation costs when it is traced, half used to be the call: through
 * our hook, into pymalloc, and back.  pymalloc itself (Objects/obmalloc.c, with the same
 * pools from CPython 3.10 to 3.15) needs a handful of instructions: it takes the first
 * block off the free list of the first pool of the size class.  So the hooks do that
 * themselves, on pymalloc's own pools, leaving them exactly as pymalloc would; whatever is
 * rare (a pool that runs empty or is fetched anew) is left to pymalloc.  The heap
 * stays pymalloc's: tracing can stop at any moment, memory goes back to the system as ever,
 * sys._debugmallocstats() and sys.getallocatedblocks() are right.
 *
 * What it relies on:
 *
 *   - the allocator beneath our hooks is pymalloc: _PyMem_GetCurrentAllocatorName says so
 *     just before they are put in; if anybody else is in the chain, he must be called;
 *   - the pool header below; pools of 16 KiB, aligned; 32 classes, 16 bytes apart;
 *   - a table of one list of used pools for each class.  It has no name that can be linked
 *     to, but the lists are rings through it: following a pool's `nextpool` leads there;
 *   - the caller holds the main interpreter's GIL, as for every call of the main lane.
 *
 * How it is checked: for every class, what we would hand out is what pymalloc then does
 * hand out, and the header changes as ours would (pymalloc_pools.c).  If anything differs,
 * or MEMWHY_DISABLE=pools is set, the list heads below are all empty, and every call goes
 * the long way.
 *
 * A block is put back by us only if its label bears MW_LABEL_POOLED: then we have seen it
 * come out of a pool and not yet seen it go, so the pool is there.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    MW_POOL_BYTES = 1 << 14,
    MW_POOL_CLASSES = 32,
    MW_POOL_UNIT_BITS = 4,
    MW_POOL_REQUEST_MAXIMUM = MW_POOL_CLASSES << MW_POOL_UNIT_BITS,
};

/* struct pool_header of Objects/obmalloc.c. */
typedef struct mw_pool {
    union {
        void *padding;
        uint32_t count;
    } live;           /* blocks that are handed out                       */
    void *free_block; /* the first of a list through the blocks, or NULL  */
    struct mw_pool *next;
    struct mw_pool *previous;
    uint32_t arena;
    uint32_t class_index;       /* block size / 16 - 1                             */
    uint32_t next_offset;       /* of the first block that never was handed out    */
    uint32_t next_offset_limit; /* the largest that still fits                     */
} mw_pool;

/* The heads of the rings of used pools, as pymalloc's table has them: each entry is laid
 * out as the two pointers in the middle of a pool header. */
typedef struct mw_pool_head {
    mw_pool *next;
    mw_pool *previous;
} mw_pool_head;

/* By class; never NULL.  Empty rings while the fast path is not in force: for the hooks of
 * exact tracing, and for those of sampling. */
extern mw_pool_head *mw_the_pools __attribute__((visibility("hidden")));
extern mw_pool_head *mw_the_sampled_pools __attribute__((visibility("hidden")));

/* Rings in which there never is a pool. */
extern mw_pool_head mw_no_pools[MW_POOL_CLASSES] __attribute__((visibility("hidden")));

/* Looks for the pools and checks them, and reports; to be called under the GIL just before
 * hooks go into the chain that are to use them.  Returns mw_no_pools if they may not. */
mw_pool_head *mw_pymalloc_pools_find(void);

static inline mw_pool *mw_pool_of(const void *block)
{
    return (mw_pool *)((uintptr_t)block & ~(uintptr_t)(MW_POOL_BYTES - 1));
}

/* The ring's own link, seen as the pool that it stands for. */
static inline mw_pool *mw_pool_ring(mw_pool_head *head)
{
    return (mw_pool *)((char *)head - offsetof(mw_pool, next));
}

static inline mw_pool_head *mw_pool_head_of(mw_pool_head *pools, size_t size_bytes)
{
    return &pools[(size_bytes - 1) >> MW_POOL_UNIT_BITS];
}

/* pymalloc_pool_extend: the free list has come to its end, and goes on in what never was
 * used; else the pool is full, and leaves its ring. */
static inline void *mw_pool_extend(mw_pool *pool)
{
    void *block = (char *)pool + pool->next_offset;

    if (__builtin_expect(pool->next_offset > pool->next_offset_limit, 0)) {
        pool->next->previous = pool->previous;
        pool->previous->next = pool->next;
        return NULL;
    }
    pool->next_offset += (pool->class_index + 1) << MW_POOL_UNIT_BITS;
    *(void **)block = NULL;
    return block;
}

/* insert_to_usedpool: the pool is no longer full, and comes back as the first of its ring. */
static inline void mw_pool_insert(mw_pool_head *pools, mw_pool *pool)
{
    mw_pool_head *head = &pools[pool->class_index];

    pool->next = head->next;
    pool->previous = mw_pool_ring(head);
    pool->next->previous = pool;
    head->next = pool;
}

/* pymalloc_alloc: a block of [size_bytes], from 1 to MW_POOL_REQUEST_MAXIMUM, or NULL if
 * pymalloc itself must be asked, since no pool is in use. */
static inline void *mw_pool_pop(mw_pool_head *pools, size_t size_bytes)
{
    mw_pool_head *head = mw_pool_head_of(pools, size_bytes);
    mw_pool *pool = head->next;
    void *block;
    void *next;

    if (__builtin_expect(pool == mw_pool_ring(head), 0))
        return NULL;
    block = pool->free_block;
    next = *(void **)block;
    pool->live.count++;
    if (__builtin_expect(next == NULL, 0))
        next = mw_pool_extend(pool);
    pool->free_block = next;
    return block;
}

/* pymalloc_free, of a block of [pool] that is not its last. */
static inline void mw_pool_put(mw_pool_head *pools, mw_pool *pool, void *block)
{
    void *free_block = pool->free_block;

    *(void **)block = free_block;
    pool->free_block = block;
    pool->live.count--;
    if (__builtin_expect(free_block == NULL, 0))
        mw_pool_insert(pools, pool);
}

/* The same of any: returns false, having done nothing, if pymalloc itself must be asked, since
 * the pool would be empty.  [block] has come out of a pool of [units] * 16 bytes. */
static inline bool mw_pool_push(void *block, uint32_t units)
{
    mw_pool *pool = mw_pool_of(block);

    /* The class tells that it still is that pool: somebody may have freed the block past our
     * hooks. */
    if (__builtin_expect(pool->live.count == 1, 0) ||
        __builtin_expect(pool->class_index + 1 != units, 0))
        return false;
    mw_pool_put(mw_the_pools, pool, block);
    return true;
}

/* Whether a block of [size_bytes] that pymalloc has just handed out lies in a pool: not
 * looked up in the block's own page, which may not exist. */
static inline bool mw_pool_has(const void *block, size_t size_bytes)
{
    return size_bytes - 1 < MW_POOL_REQUEST_MAXIMUM &&
           mw_pool_head_of(mw_the_pools, size_bytes)->next == mw_pool_of(block);
}
