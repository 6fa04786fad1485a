/* SPDX-License-Identifier: MIT */
#include "pyext/pymalloc_pools.h"

#include "pyext/compat.h"
#include "pyext/mechanisms.h"

#include <string.h>
#include <sys/mman.h>

#if PY_SHOWS_ITS_POOLS
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wundef"
#define Py_BUILD_CORE 1
#include <internal/pycore_obmalloc.h>
#undef Py_BUILD_CORE
#pragma GCC diagnostic pop

/* Where CPython shows its layout, ours is held against it. */
_Static_assert(sizeof(struct pool_header) == sizeof(mw_pool) &&
                   offsetof(struct pool_header, freeblock) == offsetof(mw_pool, free_block) &&
                   offsetof(struct pool_header, nextpool) == offsetof(mw_pool, next) &&
                   offsetof(struct pool_header, szidx) == offsetof(mw_pool, class_index) &&
                   offsetof(struct pool_header, nextoffset) == offsetof(mw_pool, next_offset) &&
                   POOL_SIZE == MW_POOL_BYTES && NB_SMALL_SIZE_CLASSES == MW_POOL_CLASSES &&
                   ALIGNMENT_SHIFT == MW_POOL_UNIT_BITS,
               "the pools of Objects/obmalloc.c");
#endif

mw_pool_head mw_no_pools[MW_POOL_CLASSES];
mw_pool_head *mw_the_pools = mw_no_pools;
mw_pool_head *mw_the_sampled_pools = mw_no_pools;

enum { RING_STEPS_MAXIMUM = 1 << 20 };

static bool is_pool_aligned(const void *address)
{
    return mw_pool_of(address) == address;
}

/* ── finding the table ───────────────────────────────────────────────────────────── */

/* Whether the page that would hold the header of [block]'s pool can be read: it cannot be
 * taken for granted of a block that, after all, is not pymalloc's. */
static bool has_readable_header(const void *block)
{
    unsigned char residency;

    return mincore(mw_pool_of(block), sizeof(mw_pool), &residency) == 0;
}

static bool is_pool_of_class(const mw_pool *pool, uint32_t class_index)
{
    uint32_t bytes = (class_index + 1) << MW_POOL_UNIT_BITS;

    return pool->class_index == class_index && pool->live.count >= 1 &&
           pool->live.count <= (MW_POOL_BYTES - sizeof *pool) / bytes &&
           pool->next_offset_limit == MW_POOL_BYTES - bytes;
}

/* Follows the ring of used pools from [pool] to its head: the only link that is not a pool.
 * NULL if it is not such a ring. */
static mw_pool_head *follow_ring(mw_pool *pool, uint32_t class_index)
{
    for (int step = 0; step < RING_STEPS_MAXIMUM; step++) {
        mw_pool *next = pool->next;

        if (next == NULL || next->previous != pool)
            return NULL;
        if (!is_pool_aligned(next))
            return (mw_pool_head *)((char *)next + offsetof(mw_pool, next));
        if (!is_pool_of_class(next, class_index))
            return NULL;
        pool = next;
    }
    return NULL;
}

static bool has_another_block(const void *block, uint32_t class_index)
{
    return block != NULL && has_readable_header(block) &&
           is_pool_of_class(mw_pool_of(block), class_index) && mw_pool_of(block)->live.count > 1;
}

/* The table that [class_index]'s head is in, or NULL.  A pool from which a block has just been
 * given back, while another is still out, is in use and not full, and so in its ring.  If a
 * block is the first of its pool, the next one is the second. */
static mw_pool_head *find_table(uint32_t class_index)
{
    size_t bytes = (size_t)(class_index + 1) << MW_POOL_UNIT_BITS;
    void *first = PyObject_Malloc(bytes);
    void *second = has_another_block(first, class_index) ? NULL : PyObject_Malloc(bytes);
    void *given_back = second != NULL ? second : first;
    bool is_in_ring = has_another_block(given_back, class_index);
    mw_pool_head *head = NULL;

    PyObject_Free(given_back);
    if (is_in_ring)
        head = follow_ring(mw_pool_of(given_back), class_index);
    if (given_back == second)
        PyObject_Free(first);
    return head != NULL ? head - class_index : NULL;
}

/* ── checking it ─────────────────────────────────────────────────────────────────── */

/* What popping and pushing change of a class: a pool, the ring's head, and the next pool. */
typedef struct pool_state {
    mw_pool pool;
    mw_pool_head head;
    mw_pool_head neighbour;
} pool_state;

/* The links of what stands behind [pool] in its ring, be it a pool or the head. */
static mw_pool_head *links_behind(const mw_pool *pool)
{
    return (mw_pool_head *)&pool->next->next;
}

static pool_state read_state(mw_pool *pool, const mw_pool_head *head, const mw_pool_head *neighbour)
{
    pool_state state;

    /* Copied, not assigned: two states are compared byte by byte. */
    memcpy(&state.pool, pool, sizeof state.pool);
    memcpy(&state.head, head, sizeof state.head);
    memcpy(&state.neighbour, neighbour, sizeof state.neighbour);
    return state;
}

static void write_state(const pool_state *state, mw_pool *pool, mw_pool_head *head,
                        mw_pool_head *neighbour)
{
    memcpy(pool, &state->pool, sizeof *pool);
    memcpy(head, &state->head, sizeof *head);
    memcpy(neighbour, &state->neighbour, sizeof *neighbour);
}

/* Whether pymalloc does as mw_pool_pop would: same block, same pool and ring afterwards.
 * The ring holds a pool. */
static bool pops_alike(size_t bytes, void **ret_block)
{
    mw_pool_head *head = mw_pool_head_of(mw_the_pools, bytes);
    mw_pool *pool = head->next;
    mw_pool_head *neighbour = links_behind(pool);
    pool_state before = read_state(pool, head, neighbour);
    void *ours = mw_pool_pop(mw_the_pools, bytes);
    pool_state after = read_state(pool, head, neighbour);
    pool_state after_theirs;

    write_state(&before, pool, head, neighbour);
    *ret_block = PyObject_Malloc(bytes);
    after_theirs = read_state(pool, head, neighbour);
    return *ret_block == ours && memcmp(&after, &after_theirs, sizeof after) == 0;
}

/* Whether pymalloc does as mw_pool_push would. */
static bool pushes_alike(void *block)
{
    mw_pool *pool = mw_pool_of(block);
    mw_pool_head *head = &mw_the_pools[pool->class_index];
    mw_pool_head *neighbour = (mw_pool_head *)&head->next->next;
    pool_state before = read_state(pool, head, neighbour);
    pool_state after;
    pool_state after_theirs;
    bool is_pushed = mw_pool_push(block, pool->class_index + 1);

    after = read_state(pool, head, neighbour);
    write_state(&before, pool, head, neighbour);
    PyObject_Free(block);
    if (!is_pushed)
        return true;
    after_theirs = read_state(pool, head, neighbour);
    return memcmp(&after, &after_theirs, sizeof after) == 0;
}

/* The first check of a process fills a pool of every class but the two smallest, and so sees
 * pools leave their ring and come back (1 ms in all); later ones make sure that it is still
 * the same allocator. */
enum { CHECKED_BLOCKS_FIRST = 400, CHECKED_BLOCKS_LATER = 4 };

static int checked_blocks = CHECKED_BLOCKS_FIRST;

/* Blocks of a class, out and back. */
static bool class_behaves(mw_pool_head *table, uint32_t class_index)
{
    size_t bytes = (size_t)(class_index + 1) << MW_POOL_UNIT_BITS;
    void *blocks[CHECKED_BLOCKS_FIRST];
    int count = 0;
    bool is_alike = true;

    for (; count < checked_blocks && is_alike; count++) {
        if (table[class_index].next == mw_pool_ring(&table[class_index]))
            blocks[count] = PyObject_Malloc(bytes);
        else
            is_alike = pops_alike(bytes, &blocks[count]);
    }
    while (count > 0) {
        void *block = blocks[--count];

        if (is_alike)
            is_alike = pushes_alike(block);
        else
            PyObject_Free(block);
    }
    return is_alike;
}

static bool table_behaves(mw_pool_head *table)
{
    mw_pool_head *in_force = mw_the_pools;
    bool is_alike = true;

    mw_the_pools = table;
    for (uint32_t index = 0; index < MW_POOL_CLASSES && is_alike; index++)
        is_alike = find_table(index) == table && class_behaves(table, index);
    mw_the_pools = in_force;
    return is_alike;
}

/* ── in force, or not ────────────────────────────────────────────────────────────── */

static void empty_rings(void)
{
    for (int index = 0; index < MW_POOL_CLASSES; index++)
        mw_no_pools[index].next = mw_pool_ring(&mw_no_pools[index]);
}

/* Returns NULL, or what keeps the fast path from being used. */
static const char *find_and_check(mw_pool_head **ret_table)
{
    const char *name = py_allocator_name();
    mw_pool_head *table;

    if (mw_mechanism_is_disabled(MW_MECHANISM_POOLS))
        return "pymalloc is called: switched off by MEMWHY_DISABLE";
    if (name == NULL || strcmp(name, "pymalloc") != 0)
        return "the allocator is called: it is not pymalloc, or somebody else wraps it";
    table = find_table(0);
    if (table == NULL || !table_behaves(table))
        return "pymalloc is called: its pools are not as we know them";
    *ret_table = table;
    checked_blocks = CHECKED_BLOCKS_LATER;
    return NULL;
}

mw_pool_head *mw_pymalloc_pools_find(void)
{
    mw_pool_head *table = mw_no_pools;
    const char *reason;

    empty_rings();
    reason = find_and_check(&table);
    mw_mechanism_report(MW_MECHANISM_POOLS, reason == NULL,
                        reason == NULL ? "the hooks use pymalloc's pools themselves" : reason);
    return table;
}
