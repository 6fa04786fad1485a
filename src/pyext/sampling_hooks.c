/* SPDX-License-Identifier: MIT
 *
 * What happens on each allocation while blocks are sampled: as a rule a subtraction on the
 * way in, and a look at one byte on the way out; then the next allocator is called in our
 * place, without a frame of ours on the stack.
 *
 * Small blocks alone take that way.  For others pymalloc asks the RAW domain, which has a
 * hook of ours too; so they are counted under a flag (inside) that makes the inner hook
 * pass the call through.  The same holds for every realloc, since nobody knows how large
 * the block was.  What pymalloc allocates for its own books on behalf of a small block
 * counts for itself.
 *
 * Like those of exact tracing these hooks may not fail, block, raise or call Python, may
 * be called by any thread at any time, and do not use their context argument
 * (allocator_hooks.c says why).
 */
#include "pyext/sampling_hooks.h"

#include "pyext/compat.h"
#include "pyext/current_site.h"
#include "pyext/hook_chain.h"
#include "pyext/seen_pools.h"
#include "pyext/stack_walk.h"
#include "tracer/sampler.h"

#include <pthread.h>
#include <string.h>

#define ALWAYS_INLINE static inline __attribute__((always_inline))
#define NOINLINE      static __attribute__((noinline))

/* Written under the GIL. */
static PyMemAllocatorEx wrapped[MW_HOOK_DOMAINS];
static bool was_called[MW_HOOK_DOMAINS];

/* ── samples ─────────────────────────────────────────────────────────────────────── */

/* Under the lock: the stack of the calling thread.  A thread without the GIL may look at
 * its own until the interpreter shuts down. */
static mw_path path_of_caller(mw_sampler *sampler)
{
    const PyThreadState *thread = py_attached_thread_state();

    if (thread == NULL && sampler->lane.may_walk)
        thread = PyGILState_GetThisThreadState();
    return mw_stack_walk_raw(&sampler->lane, thread);
}

static void record(mw_sampler *sampler, mw_guard guard, void *block, size_t size)
{
    mw_raw_lane_lock(&sampler->lane);
    if (sampler->lane.is_active)
        mw_sampler_remember(sampler, guard, (uintptr_t)block, size, path_of_caller(sampler));
    mw_raw_lane_unlock(&sampler->lane);
}

static bool forget(mw_sampler *sampler, mw_guard guard, void *block, mw_address_entry *ret_entry)
{
    bool is_known;

    mw_raw_lane_lock(&sampler->lane);
    is_known = mw_sampler_forget(sampler, guard, (uintptr_t)block, ret_entry);
    mw_raw_lane_unlock(&sampler->lane);
    return is_known;
}

static void restore(mw_sampler *sampler, mw_guard guard, const mw_address_entry *entry)
{
    mw_raw_lane_lock(&sampler->lane);
    mw_sampler_restore(sampler, guard, entry);
    mw_raw_lane_unlock(&sampler->lane);
}

/* ── what is rare ────────────────────────────────────────────────────────────────── */

/* Whether the call comes from within a hook of this set. */
static bool is_inside(enum mw_hook_domain domain)
{
    if (mw_the_sample_clock.is_inside)
        was_called[domain] = true;
    return mw_the_sample_clock.is_inside;
}

NOINLINE void *malloc_slowly(enum mw_hook_domain domain, size_t size)
{
    const PyMemAllocatorEx *next = &wrapped[domain];
    mw_guard guard;
    void *block;
    bool is_hit;

    if (is_inside(domain))
        return next->malloc(next->ctx, size);
    guard = mw_sampler_enter();
    is_hit = mw_sampler_hits(&mw_the_sampler, guard, size);
    block = next->malloc(next->ctx, size);
    mw_seen_pools_drop(block);
    if (is_hit && block != NULL)
        record(&mw_the_sampler, guard, block, size);
    mw_sampler_leave(guard);
    return block;
}

NOINLINE void *calloc_slowly(enum mw_hook_domain domain, size_t count, size_t size)
{
    const PyMemAllocatorEx *next = &wrapped[domain];
    mw_guard guard;
    void *block;
    bool is_hit;

    /* What overflows is refused below. */
    if (is_inside(domain) || (size != 0 && count > SIZE_MAX / size))
        return next->calloc(next->ctx, count, size);
    guard = mw_sampler_enter();
    is_hit = mw_sampler_hits(&mw_the_sampler, guard, count * size);
    block = next->calloc(next->ctx, count, size);
    mw_seen_pools_drop(block);
    if (is_hit && block != NULL)
        record(&mw_the_sampler, guard, block, count * size);
    mw_sampler_leave(guard);
    return block;
}

/* The old block is forgotten before the call, since the call may free it and another
 * thread may be given its address before we return.  The new one is drawn for anew, with
 * its whole size: so it is in the sample with the probability that its size says, however
 * it came to it. */
NOINLINE void *realloc_slowly(enum mw_hook_domain domain, void *block, size_t size)
{
    const PyMemAllocatorEx *next = &wrapped[domain];
    mw_sampler *sampler = &mw_the_sampler;
    mw_address_entry taken = {0};
    bool is_hit, is_known = false;
    mw_guard guard;
    void *moved;

    if (is_inside(domain))
        return next->realloc(next->ctx, block, size);
    guard = mw_sampler_enter();
    if (block != NULL && mw_sampler_may_know(sampler, (uintptr_t)block))
        is_known = forget(sampler, guard, block, &taken);
    is_hit = mw_sampler_hits(sampler, guard, size);
    mw_seen_pools_drop(block);
    moved = next->realloc(next->ctx, block, size);
    mw_seen_pools_drop(moved);
    if (moved == NULL && is_known)
        restore(sampler, guard, &taken);
    else if (moved != NULL && is_hit)
        record(sampler, guard, moved, size);
    mw_sampler_leave(guard);
    return moved;
}

/* Inside, the block has been forgotten by the outer hook; or this is a fork, and the lock
 * is taken. */
NOINLINE void free_slowly(enum mw_hook_domain domain, void *block)
{
    const PyMemAllocatorEx *next = &wrapped[domain];

    if (!mw_the_sample_clock.is_inside)
        forget(&mw_the_sampler, (mw_guard){true}, block, NULL);
    mw_seen_pools_drop(block);
    next->free(next->ctx, block);
}

/* ── the hooks ───────────────────────────────────────────────────────────────────── */

/* What was found when the hooks last went into the chain. */
static mw_pool_head *pools_beneath = mw_no_pools;

/* A block of at most MW_SAMPLE_SMALL_MAXIMUM bytes straight out of one of pymalloc's pools,
 * which saves the call; or NULL, if pymalloc must be asked. */
ALWAYS_INLINE void *pooled_malloc(size_t size)
{
    void *block;

    if (size == 0 || !mw_current_owns_main_lane(mw_frames_thread_of_gil()))
        return NULL;
    block = mw_pool_pop(mw_the_sampled_pools, size);
    if (__builtin_expect(block != NULL, 1))
        mw_seen_pools_add(block);
    return block;
}

/* Of a small block by the allocator beneath: not by way of a pool that we know. */
ALWAYS_INLINE void *unseen(void *block)
{
    mw_seen_pools_drop(block);
    return block;
}

ALWAYS_INLINE void *sampled_malloc(enum mw_hook_domain domain, size_t size)
{
    const PyMemAllocatorEx *next = &wrapped[domain];

    void *block;

    if (__builtin_expect(!mw_sampler_passes(&mw_the_sampler, size), 0))
        return malloc_slowly(domain, size);
    if (domain == MW_HOOK_RAW)
        return next->malloc(next->ctx, size);
    block = pooled_malloc(size);
    return block != NULL ? block : unseen(next->malloc(next->ctx, size));
}

ALWAYS_INLINE void *sampled_calloc(enum mw_hook_domain domain, size_t count, size_t size)
{
    const PyMemAllocatorEx *next = &wrapped[domain];
    void *block;

    /* A small product of small factors; everything else is looked at slowly. */
    if (__builtin_expect((count | size) > MW_SAMPLE_SMALL_MAXIMUM ||
                             !mw_sampler_passes(&mw_the_sampler, count * size),
                         0))
        return calloc_slowly(domain, count, size);
    if (domain == MW_HOOK_RAW)
        return next->calloc(next->ctx, count, size);
    block = pooled_malloc(count * size);
    return block != NULL ? memset(block, 0, count * size)
                         : unseen(next->calloc(next->ctx, count, size));
}

ALWAYS_INLINE void sampled_free(enum mw_hook_domain domain, void *block)
{
    const PyMemAllocatorEx *next = &wrapped[domain];

    if (__builtin_expect(mw_sampler_may_know(&mw_the_sampler, (uintptr_t)block), 0)) {
        free_slowly(domain, block);
        return;
    }
    if (domain == MW_HOOK_RAW || !mw_seen_pools_put_back(pools_beneath, block))
        next->free(next->ctx, block);
}

#define DEFINE_HOOKS(name, domain)                                                                 \
    static void *name##_malloc(void *context, size_t size)                                         \
    {                                                                                              \
        (void)context;                                                                             \
        return sampled_malloc(domain, size);                                                       \
    }                                                                                              \
    static void *name##_calloc(void *context, size_t count, size_t size)                           \
    {                                                                                              \
        (void)context;                                                                             \
        return sampled_calloc(domain, count, size);                                                \
    }                                                                                              \
    static void *name##_realloc(void *context, void *block, size_t size)                           \
    {                                                                                              \
        (void)context;                                                                             \
        return realloc_slowly(domain, block, size);                                                \
    }                                                                                              \
    static void name##_free(void *context, void *block)                                            \
    {                                                                                              \
        (void)context;                                                                             \
        sampled_free(domain, block);                                                               \
    }

DEFINE_HOOKS(raw, MW_HOOK_RAW)
DEFINE_HOOKS(mem, MW_HOOK_MEM)
DEFINE_HOOKS(obj, MW_HOOK_OBJ)

static const PyMemAllocatorEx hooks[MW_HOOK_DOMAINS] = {
    {NULL, raw_malloc, raw_calloc, raw_realloc, raw_free},
    {NULL, mem_malloc, mem_calloc, mem_realloc, mem_free},
    {NULL, obj_malloc, obj_calloc, obj_realloc, obj_free},
};

/* ── installing ──────────────────────────────────────────────────────────────────── */

static void probe(PyMemAllocatorEx *first)
{
    mw_guard guard = mw_sampler_enter();

    first->free(first->ctx, first->malloc(first->ctx, 1));
    mw_sampler_leave(guard);
}

static const mw_hook_set hook_set = {
    hooks, wrapped, probe, was_called, &mw_the_sampled_pools, &pools_beneath};

void mw_sampling_hooks_install(void)
{
    mw_raw_lane_lock(&mw_the_sampler.lane);
    mw_the_sampler.lane.may_walk = true;
    mw_raw_lane_unlock(&mw_the_sampler.lane);
    mw_hook_chain_install(&hook_set);
    mw_seen_pools_forget_all();
}

bool mw_sampling_hooks_mend(void)
{
    bool was_broken = mw_hook_chain_mend(&hook_set);

    mw_seen_pools_forget_all();
    return was_broken;
}

void mw_sampling_hooks_remove(void)
{
    mw_hook_chain_remove(&hook_set);
    mw_seen_pools_forget_all();
}

void mw_sampling_hooks_retire(void)
{
    mw_raw_lane_lock(&mw_the_sampler.lane);
    mw_the_sampler.lane.may_walk = false;
    mw_raw_lane_unlock(&mw_the_sampler.lane);
}

static void before_fork(void)
{
    mw_sampler_before_fork(&mw_the_sampler);
}

static void after_fork(void)
{
    mw_sampler_after_fork(&mw_the_sampler);
}

static void after_fork_in_child(void)
{
    mw_sampler_after_fork_in_child(&mw_the_sampler);
}

int mw_sampling_hooks_init(void)
{
    static bool is_done;

    if (!is_done && pthread_atfork(before_fork, after_fork, after_fork_in_child) != 0)
        return -1;
    is_done = true;
    return 0;
}
