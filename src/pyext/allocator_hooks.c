/* SPDX-License-Identifier: MIT
 *
 * What happens on each allocation.  This file and the small headers that it pulls
 * together are the hot path.
 *
 * A hook may not fail, block, raise or call Python.  It may be called by any thread (the
 * RAW domain without the GIL and without a thread state), during shutdown, in a forked
 * child, and after stop() by a thread that was already on its way in; so tables are only
 * touched by who owns them (tracer.h).  The long way looks at `is_active` and at the guard
 * first; the short one, out of a pool and back, need not: while nothing is traced there is
 * no pool to take from and no label to free by.
 *
 * Hooks do not use their context argument.  CPython copies an allocator's five words
 * without a lock (gh-131566), so a thread without the GIL may call our function with the
 * former context or the former function with ours; for the latter, ours is the former's.
 */
#include "pyext/allocator_hooks.h"

#include "pyext/current_site.h"
#include "pyext/hook_chain.h"
#include "pyext/pymalloc_pools.h"

#include <pthread.h>
#include <string.h>

#define ALWAYS_INLINE static inline __attribute__((always_inline))
#define NOINLINE      __attribute__((noinline))

enum domain {
    RAW = MW_HOOK_RAW,
    MEM = MW_HOOK_MEM,
    OBJ = MW_HOOK_OBJ,
    DOMAIN_COUNT = MW_HOOK_DOMAINS
};

/* What we wrap.  Written under the GIL, and only while our hooks are not in the chain. */
static PyMemAllocatorEx wrapped[DOMAIN_COUNT];

/* Whether a call of ours has been passed through; for probing the chain. */
static bool was_called[DOMAIN_COUNT];

/* ── the main lane ───────────────────────────────────────────────────────────────── */

static void remember_at(mw_tracer *tracer, mw_guard guard, mw_site site, void *block, size_t size)
{
    /* One comparison for 0 and for MW_SITE_UNWANTED. */
    if (__builtin_expect(site.index - 1 >= MW_SITE_MAXIMUM, 0))
        mw_tracer_pass_over(tracer, guard, (uintptr_t)block, size, site);
    else
        mw_tracer_remember(tracer, guard, (uintptr_t)block, size, site);
}

static void remember_main(mw_tracer *tracer, mw_guard guard, const PyThreadState *thread,
                          void *block, size_t size)
{
    remember_at(tracer, guard, mw_current_site(tracer, thread, size), block, size);
    /* So that it can go back there without a call. */
    if (mw_pool_has(block, size))
        mw_tracer_mark_pooled(tracer, guard, (uintptr_t)block);
}

/* ── the raw lane ────────────────────────────────────────────────────────────────── */

static void remember_raw(mw_tracer *tracer, mw_guard guard, void *block, size_t size)
{
    mw_raw_lane *lane = &tracer->raw;
    const PyThreadState *thread = py_attached_thread_state();
    bool is_main = mw_current_owns_main_lane(thread);
    mw_path path = {0};

    /* Who holds the GIL has the better tables, and uses them before taking the lock. */
    if (is_main && mw_stack_walk(tracer, thread, &path) != MW_OK)
        path = (mw_path){0};
    if (is_main)
        path = mw_tracer_path_in_raw(tracer, path, MW_DOMAIN_PYTHON);
    if (thread != NULL && !is_main)
        tracer->has_strangers = true;
    if (thread == NULL)
        thread = PyGILState_GetThisThreadState();
    mw_raw_lane_lock(lane);
    if (lane->is_active) {
        if (!is_main)
            path = mw_stack_walk_raw(lane, lane->may_walk ? thread : NULL);
        mw_raw_lane_remember(lane, guard, (uintptr_t)block, size, path, tracer->live_bytes);
        if (is_main)
            mw_tracer_look_at_peak_in_raw(tracer);
    }
    mw_raw_lane_unlock(lane);
}

static bool forget_raw(mw_tracer *tracer, mw_guard guard, void *block, mw_address_entry *ret_entry)
{
    mw_raw_lane *lane = &tracer->raw;
    bool is_known;

    mw_raw_lane_lock(lane);
    is_known = lane->is_active && mw_raw_lane_forget(lane, guard, (uintptr_t)block, ret_entry);
    mw_raw_lane_unlock(lane);
    return is_known;
}

/* ── both lanes ──────────────────────────────────────────────────────────────────── */

/* A block that was forgotten, so that a failed realloc can be undone. */
typedef struct taken_block {
    mw_forgotten main;
    mw_address_entry raw; /* address 0: it was not in the raw lane */
} taken_block;

/* A RAW block is as a rule in the raw lane, another one in the main lane; where it is in
 * neither, it is older than the tracing, or was allocated in another domain. */
static NOINLINE void forget(mw_tracer *tracer, mw_guard guard, enum domain domain, void *block,
                            taken_block *ret_taken)
{
    const PyThreadState *thread =
        domain != RAW ? mw_frames_thread_of_gil() : py_attached_thread_state();
    mw_whereabouts whereabouts = MW_ELSEWHERE;

    if (domain == RAW && forget_raw(tracer, guard, block, &ret_taken->raw))
        return;
    if (mw_current_owns_main_lane(thread))
        whereabouts = mw_tracer_forget(tracer, guard, (uintptr_t)block, &ret_taken->main);
    /* Where there are strangers, what they allocated and we free is in the other lane. */
    if (domain != RAW &&
        (whereabouts == MW_ELSEWHERE || (whereabouts == MW_BORN_BEFORE && tracer->has_strangers)))
        forget_raw(tracer, guard, block, &ret_taken->raw);
}

ALWAYS_INLINE void remember(mw_tracer *tracer, mw_guard guard, enum domain domain, void *block,
                            size_t size)
{
    const PyThreadState *thread = domain != RAW ? mw_frames_thread_of_gil() : NULL;

    if (domain != RAW && __builtin_expect(mw_current_owns_main_lane(thread), 1))
        remember_main(tracer, guard, thread, block, size);
    else
        remember_raw(tracer, guard, block, size);
}

/* Before a block is taken that may have to be put back: as what it is by now. */
static void settle_birth(mw_tracer *tracer, mw_guard guard, enum domain domain, const void *block)
{
    if (domain != RAW && mw_current_owns_main_lane(mw_frames_thread_of_gil()))
        mw_births_settle(tracer, guard, (uintptr_t)block);
}

static void restore(mw_tracer *tracer, mw_guard guard, void *block, const taken_block *taken)
{
    mw_tracer_restore(tracer, guard, (uintptr_t)block, taken->main);
    if (taken->raw.address == 0)
        return;
    mw_raw_lane_lock(&tracer->raw);
    if (tracer->raw.is_active)
        mw_raw_lane_restore(&tracer->raw, guard, &taken->raw);
    mw_raw_lane_unlock(&tracer->raw);
}

/* ── the long way, through the allocator beneath ─────────────────────────────────── */

/* Whether a call is to be passed through: it comes from within a hook (pymalloc asks the
 * RAW domain for large blocks), or nothing is being traced. */
ALWAYS_INLINE bool is_quiet(void)
{
    return mw_guard_is_inside || !mw_the_tracer.is_active;
}

ALWAYS_INLINE void *traced_malloc(enum domain domain, size_t size)
{
    const PyMemAllocatorEx *next = &wrapped[domain];
    mw_guard guard;
    void *block;

    if (__builtin_expect(is_quiet(), 0)) {
        was_called[domain] = true;
        return next->malloc(next->ctx, size);
    }
    guard = mw_guard_enter();
    block = next->malloc(next->ctx, size);
    if (__builtin_expect(block != NULL, 1))
        remember(&mw_the_tracer, guard, domain, block, size);
    mw_guard_leave(guard);
    return block;
}

ALWAYS_INLINE void *traced_calloc(enum domain domain, size_t count, size_t size)
{
    const PyMemAllocatorEx *next = &wrapped[domain];
    mw_guard guard;
    void *block;

    if (__builtin_expect(is_quiet(), 0))
        return next->calloc(next->ctx, count, size);
    guard = mw_guard_enter();
    block = next->calloc(next->ctx, count, size);
    if (__builtin_expect(block != NULL, 1))
        remember(&mw_the_tracer, guard, domain, block, count * size);
    mw_guard_leave(guard);
    return block;
}

/* The old block is forgotten before the call, since the call may free it and another
 * thread may be given its address before we return. */
ALWAYS_INLINE void *traced_realloc(enum domain domain, void *block, size_t size)
{
    const PyMemAllocatorEx *next = &wrapped[domain];
    taken_block taken = {0};
    mw_guard guard;
    void *moved;

    if (__builtin_expect(is_quiet(), 0))
        return next->realloc(next->ctx, block, size);
    guard = mw_guard_enter();
    if (block != NULL) {
        settle_birth(&mw_the_tracer, guard, domain, block);
        forget(&mw_the_tracer, guard, domain, block, &taken);
    }
    moved = next->realloc(next->ctx, block, size);
    if (__builtin_expect(moved != NULL, 1))
        remember(&mw_the_tracer, guard, domain, moved, size);
    else
        restore(&mw_the_tracer, guard, block, &taken);
    mw_guard_leave(guard);
    return moved;
}

ALWAYS_INLINE void traced_free(enum domain domain, void *block)
{
    const PyMemAllocatorEx *next = &wrapped[domain];
    taken_block taken;
    mw_guard guard;

    if (__builtin_expect(is_quiet(), 0) || block == NULL) {
        next->free(next->ctx, block);
        return;
    }
    guard = mw_guard_enter();
    forget(&mw_the_tracer, guard, domain, block, &taken);
    next->free(next->ctx, block);
    mw_guard_leave(guard);
}

#define DEFINE_SLOW_HOOKS(name, domain)                                                            \
    static NOINLINE void *name##_malloc_slowly(size_t size)                                        \
    {                                                                                              \
        return traced_malloc(domain, size);                                                        \
    }                                                                                              \
    static NOINLINE void *name##_calloc_slowly(size_t count, size_t size)                          \
    {                                                                                              \
        return traced_calloc(domain, count, size);                                                 \
    }                                                                                              \
    static NOINLINE void *name##_realloc_slowly(void *block, size_t size)                          \
    {                                                                                              \
        return traced_realloc(domain, block, size);                                                \
    }                                                                                              \
    static NOINLINE void name##_free_slowly(void *block)                                           \
    {                                                                                              \
        traced_free(domain, block);                                                                \
    }

DEFINE_SLOW_HOOKS(mem, MEM)
DEFINE_SLOW_HOOKS(obj, OBJ)

/* ── out of a pool and back, without a call ──────────────────────────────────────── */

/* A block that has just come out of a pool, where no mark tells of its site. */
static NOINLINE void *remember_slowly(const PyThreadState *thread, void *block, size_t size)
{
    mw_tracer *tracer = &mw_the_tracer;
    mw_guard guard = mw_guard_enter();
    mw_site site = mw_current_site(tracer, thread, size);

    if (site.index - 1 >= MW_SITE_MAXIMUM ||
        !mw_tracer_remember_pooled(tracer, (uintptr_t)block, size, site)) {
        remember_at(tracer, guard, site, block, size);
        mw_tracer_mark_pooled(tracer, guard, (uintptr_t)block);
    }
    mw_guard_leave(guard);
    return block;
}

/* Records a block of a pool, and returns it.  As nobody is called, there is nothing to guard
 * against. */
ALWAYS_INLINE void *remember_pooled(const PyThreadState *thread, void *block, size_t size)
{
    mw_tracer *tracer = &mw_the_tracer;
    mw_site site = mw_current_site_at_once(tracer, thread, size);

    if (__builtin_expect(site.index != 0, 1) &&
        __builtin_expect(mw_tracer_remember_pooled(tracer, (uintptr_t)block, size, site), 1))
        return block;
    return remember_slowly(thread, block, size);
}

/* A recorded block of a pool, or NULL if this takes the long way.  There are pools only
 * while we are tracing. */
ALWAYS_INLINE void *pooled_malloc(size_t size)
{
    const PyThreadState *thread = mw_frames_thread_of_gil();
    void *block;

    if (__builtin_expect(size - 1 >= MW_POOL_REQUEST_MAXIMUM, 0) ||
        __builtin_expect(!mw_current_owns_main_lane(thread), 0))
        return NULL;
    block = mw_pool_pop(mw_the_pools, size);
    return block != NULL ? remember_pooled(thread, block, size) : NULL;
}

ALWAYS_INLINE void *pooled_calloc(size_t count, size_t size)
{
    void *block;

    /* Neither factor is so large that the product might overflow. */
    if (__builtin_expect((count | size) > MW_POOL_REQUEST_MAXIMUM, 0))
        return NULL;
    block = pooled_malloc(count * size);
    if (block == NULL)
        return NULL;
    /* The items of a list of one or two, which is what most calls are: no block is smaller. */
    if (count * size > MW_PAGE_UNIT_BYTES)
        return memset(block, 0, count * size);
    return memset(block, 0, MW_PAGE_UNIT_BYTES);
}

/* Returns false, having done nothing, if this takes the long way. */
ALWAYS_INLINE bool pooled_free(void *block)
{
    uint32_t *label;
    uint32_t units;

    if (__builtin_expect(!mw_tracer_find_pooled(&mw_the_tracer, (uintptr_t)block, &label, &units),
                         0) ||
        __builtin_expect(!mw_pool_push(block, units), 0))
        return false;
    mw_tracer_forget_pooled(&mw_the_tracer, label);
    return true;
}

/* pymalloc keeps a block that it need not grow and would not shrink by a quarter. */
ALWAYS_INLINE bool stays_in_place(size_t size, size_t block_bytes)
{
    return size <= block_bytes && 4 * size > 3 * block_bytes;
}

/* pymalloc_realloc within its classes, or NULL, with nothing done, if this takes the long way. */
ALWAYS_INLINE void *pooled_realloc(void *block, size_t size)
{
    uint32_t *label;
    uint32_t units;
    size_t block_bytes;
    void *moved;

    if (size - 1 >= MW_POOL_REQUEST_MAXIMUM ||
        !mw_tracer_find_pooled(&mw_the_tracer, (uintptr_t)block, &label, &units))
        return NULL;
    block_bytes = (size_t)units * MW_PAGE_UNIT_BYTES;
    if (stays_in_place(size, block_bytes)) {
        const PyThreadState *thread = mw_frames_thread_of_gil();

        if (!mw_current_owns_main_lane(thread))
            return NULL;
        mw_tracer_forget_pooled(&mw_the_tracer, label);
        return remember_pooled(thread, block, size);
    }
    moved = pooled_malloc(size);
    if (moved == NULL)
        return NULL;
    memcpy(moved, block, size < block_bytes ? size : block_bytes);
    /* Whichever of the two domains it is in: beneath both is pymalloc. */
    if (!pooled_free(block))
        obj_free_slowly(block);
    return moved;
}

/* ── the hooks ───────────────────────────────────────────────────────────────────── */

/* The RAW domain has no pools, so the long way is its only one. */
static void *raw_malloc(void *context, size_t size)
{
    return traced_malloc(RAW, size);
}

static void *raw_calloc(void *context, size_t count, size_t size)
{
    return traced_calloc(RAW, count, size);
}

static void *raw_realloc(void *context, void *block, size_t size)
{
    return traced_realloc(RAW, block, size);
}

static void raw_free(void *context, void *block)
{
    traced_free(RAW, block);
}

#define DEFINE_POOLED_HOOKS(name)                                                                  \
    static void *name##_malloc(void *context, size_t size)                                         \
    {                                                                                              \
        void *block = pooled_malloc(size);                                                         \
                                                                                                   \
        return __builtin_expect(block != NULL, 1) ? block : name##_malloc_slowly(size);            \
    }                                                                                              \
    static void *name##_calloc(void *context, size_t count, size_t size)                           \
    {                                                                                              \
        void *block = pooled_calloc(count, size);                                                  \
                                                                                                   \
        return __builtin_expect(block != NULL, 1) ? block : name##_calloc_slowly(count, size);     \
    }                                                                                              \
    static void *name##_realloc(void *context, void *block, size_t size)                           \
    {                                                                                              \
        void *moved = pooled_realloc(block, size);                                                 \
                                                                                                   \
        return __builtin_expect(moved != NULL, 1) ? moved : name##_realloc_slowly(block, size);    \
    }                                                                                              \
    static void name##_free(void *context, void *block)                                            \
    {                                                                                              \
        if (!pooled_free(block))                                                                   \
            name##_free_slowly(block);                                                             \
    }

DEFINE_POOLED_HOOKS(mem)
DEFINE_POOLED_HOOKS(obj)

static const PyMemAllocatorEx hooks[DOMAIN_COUNT] = {
    {NULL, raw_malloc, raw_calloc, raw_realloc, raw_free},
    {NULL, mem_malloc, mem_calloc, mem_realloc, mem_free},
    {NULL, obj_malloc, obj_calloc, obj_realloc, obj_free},
};

/* ── for ourselves ───────────────────────────────────────────────────────────────── */

void *mw_allocator_hooks_object_unrecorded(size_t size)
{
    const PyMemAllocatorEx *next = &wrapped[OBJ];
    bool was_inside = mw_guard_is_inside;
    mw_guard guard;
    void *block;

    if (!mw_the_tracer.is_active)
        return PyObject_Malloc(size);
    guard = mw_guard_enter();
    block = next->malloc(next->ctx, size);
    if (!was_inside)
        mw_guard_leave(guard);
    return block;
}

void mw_allocator_hooks_adopt(void *block, size_t size)
{
    const PyThreadState *thread = mw_frames_thread_of_gil();
    mw_guard guard;

    if (is_quiet() || !mw_current_owns_main_lane(thread))
        return;
    guard = mw_guard_enter();
    remember_main(&mw_the_tracer, guard, thread, block, size);
    mw_guard_leave(guard);
}

/* ── installing ──────────────────────────────────────────────────────────────────── */

/* Our hooks pass calls through that come from within a hook, and note it. */
static void probe(PyMemAllocatorEx *first)
{
    mw_guard guard = mw_guard_enter();

    first->free(first->ctx, first->malloc(first->ctx, 1));
    mw_guard_leave(guard);
}

/* What was found when the hooks last went into the chain. */
static mw_pool_head *pools_beneath = mw_no_pools;

static const mw_hook_set hook_set = {hooks,      wrapped,       probe,
                                     was_called, &mw_the_pools, &pools_beneath};

void mw_allocator_hooks_install(void)
{
    mw_raw_lane_lock(&mw_the_tracer.raw);
    mw_the_tracer.raw.may_walk = true;
    mw_raw_lane_unlock(&mw_the_tracer.raw);
    mw_hook_chain_install(&hook_set);
}

bool mw_allocator_hooks_mend(void)
{
    return mw_hook_chain_mend(&hook_set);
}

void mw_allocator_hooks_remove(void)
{
    mw_hook_chain_remove(&hook_set);
}

void mw_allocator_hooks_retire(void)
{
    mw_raw_lane_lock(&mw_the_tracer.raw);
    mw_the_tracer.raw.may_walk = false;
    mw_raw_lane_unlock(&mw_the_tracer.raw);
}

static void before_fork(void)
{
    mw_tracer_before_fork(&mw_the_tracer);
}

static void after_fork(void)
{
    mw_tracer_after_fork(&mw_the_tracer);
}

int mw_allocator_hooks_init(void)
{
    static bool is_done;

    mw_main_interpreter = PyInterpreterState_Main();
    if (!is_done && pthread_atfork(before_fork, after_fork, after_fork) != 0)
        return -1;
    is_done = true;
    return 0;
}
