/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum {
    PAGE_BYTES = 4096,
    FIRST_CAPACITY = 16,
    DOUBLED_MAXIMUM = 4096,
    LARGE_BYTES = 1 << 15, /* from here on bursts take pages */
};

/* ── libc's heap ─────────────────────────────────────────────────────────────────── */

static void *system_allocate(mw_alloc *self, size_t size_bytes)
{
    (void)self;
    return calloc(1, size_bytes != 0 ? size_bytes : 1);
}

static void *system_resize(mw_alloc *self, void *block, size_t old_bytes, size_t new_bytes)
{
    char *moved = realloc(block, new_bytes != 0 ? new_bytes : 1);

    (void)self;
    if (moved != NULL && new_bytes > old_bytes)
        memset(moved + old_bytes, 0, new_bytes - old_bytes);
    return moved;
}

static void system_release(mw_alloc *self, void *block, size_t size_bytes)
{
    (void)self;
    (void)size_bytes;
    free(block);
}

mw_alloc *mw_alloc_system(void)
{
    static mw_alloc system_alloc = {system_allocate, system_resize, system_release};

    return &system_alloc;
}

/* ── anonymous mappings ──────────────────────────────────────────────────────────── */

/* The mapping that holds [size_bytes]; 0 when rounding up would overflow. */
static size_t mapped_bytes(size_t size_bytes)
{
    size_t rounded = (size_bytes + PAGE_BYTES - 1) & ~(size_t)(PAGE_BYTES - 1);

    if (size_bytes == 0)
        return PAGE_BYTES;
    return rounded >= size_bytes ? rounded : 0;
}

static void *pages_allocate(mw_alloc *self, size_t size_bytes)
{
    size_t length = mapped_bytes(size_bytes);
    void *mapping;

    (void)self;
    if (length == 0)
        return NULL;
    mapping = mmap(NULL, length, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return mapping != MAP_FAILED ? mapping : NULL;
}

static void *pages_resize(mw_alloc *self, void *block, size_t old_bytes, size_t new_bytes)
{
    size_t old_length = mapped_bytes(old_bytes);
    size_t new_length = mapped_bytes(new_bytes);
    void *mapping;

    (void)self;
    if (new_length == 0)
        return NULL;
    mapping = mremap(block, old_length, new_length, MREMAP_MAYMOVE);
    if (mapping == MAP_FAILED)
        return NULL;
    /* The kernel zeroes new pages; the rest of the last old page is ours to zero. */
    if (new_bytes > old_bytes && old_bytes < old_length) {
        size_t stale_end = new_bytes < old_length ? new_bytes : old_length;

        memset((char *)mapping + old_bytes, 0, stale_end - old_bytes);
    }
    return mapping;
}

static void pages_release(mw_alloc *self, void *block, size_t size_bytes)
{
    (void)self;
    munmap(block, mapped_bytes(size_bytes));
}

mw_alloc *mw_alloc_pages(void)
{
    static mw_alloc pages_alloc = {pages_allocate, pages_resize, pages_release};

    return &pages_alloc;
}

/* ── both ────────────────────────────────────────────────────────────────────────── */

/* Since blocks are released with their size, that tells whose they are. */
static mw_alloc *alloc_for(size_t size_bytes)
{
    return size_bytes < LARGE_BYTES ? mw_alloc_system() : mw_alloc_pages();
}

static void *bursts_allocate(mw_alloc *self, size_t size_bytes)
{
    (void)self;
    return mw_alloc_new(alloc_for(size_bytes), size_bytes);
}

static void *bursts_resize(mw_alloc *self, void *block, size_t old_bytes, size_t new_bytes)
{
    mw_alloc *from = alloc_for(old_bytes), *to = alloc_for(new_bytes);
    void *moved;

    (void)self;
    if (from == to)
        return from->resize(from, block, old_bytes, new_bytes);
    moved = mw_alloc_new(to, new_bytes);
    if (moved == NULL)
        return NULL;
    memcpy(moved, block, old_bytes < new_bytes ? old_bytes : new_bytes);
    mw_alloc_release(from, block, old_bytes);
    return moved;
}

static void bursts_release(mw_alloc *self, void *block, size_t size_bytes)
{
    (void)self;
    mw_alloc_release(alloc_for(size_bytes), block, size_bytes);
}

mw_alloc *mw_alloc_bursts(void)
{
    static mw_alloc bursts_alloc = {bursts_allocate, bursts_resize, bursts_release};

    return &bursts_alloc;
}

/* ── arrays ──────────────────────────────────────────────────────────────────────── */

void *mw_alloc_array(mw_alloc *alloc, size_t count, size_t item_bytes)
{
    size_t size_bytes;

    if (__builtin_mul_overflow(count, item_bytes, &size_bytes))
        return NULL;
    return mw_alloc_new(alloc, size_bytes);
}

mw_status mw_alloc_grow(mw_alloc *alloc, void *items, uint32_t count, uint32_t *capacity,
                        size_t item_bytes, uint32_t maximum)
{
    void **array = items;
    uint32_t wanted;
    uint32_t step;
    void *grown;

    if (count < *capacity)
        return MW_OK;
    if (*capacity >= maximum)
        return MW_LIMIT;
    wanted = *capacity == 0 ? FIRST_CAPACITY : *capacity;
    step = wanted < DOUBLED_MAXIMUM ? wanted : wanted / 4;
    wanted = wanted >= maximum || step > maximum - wanted ? maximum : wanted + step;
    if (*capacity == 0)
        grown = mw_alloc_array(alloc, wanted, item_bytes);
    else
        grown = alloc->resize(alloc, *array, *capacity * item_bytes, wanted * item_bytes);
    if (grown == NULL)
        return MW_NO_MEMORY;
    *array = grown;
    *capacity = wanted;
    return MW_OK;
}
