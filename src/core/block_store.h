/* SPDX-License-Identifier: MIT
 *
 * Live blocks: address → label, where a label is the block's site number and two flags.
 * Four bytes per small block.
 *
 * pymalloc (Objects/obmalloc.c) cuts memory into pools of 16 KiB, aligned to their size,
 * each holding blocks of one size class behind a header of 48 bytes.  So we keep, for
 * each such page of the address space, an array of labels, one per block, found in two
 * steps by the address.  The page's class is learned from the size of the first request
 * that lands in it and never read from pymalloc's own header: what does not fit (blocks
 * of libc, of debug builds, of another pool layout) goes into a map beside, and the store
 * is right whatever allocator is behind it; only smaller and faster with pymalloc.
 *
 *   address bits 63…48   must be 0, else the block goes into the map
 *                47…31   index into the directory, fixed, 1 MiB of untouched zeros
 *                30…14   index into a leaf of 2^17 page records (2 MiB, touched sparsely)
 *                13…0    offset in the page
 *
 * One owner at a time may change the store (inside CPython: who holds the GIL), but
 * anybody may look a small block up at any time: directory, leaves and label arrays are
 * never unmapped before the process ends, only emptied.
 */
#pragma once

#include "core/address_map.h"
#include "core/site_table.h"

enum {
    MW_PAGE_BITS = 14,
    MW_LEAF_BITS = 17,
    MW_DIRECTORY_BITS = 17,
    MW_PAGE_BYTES = 1 << MW_PAGE_BITS,
    MW_PAGE_HEADER_BYTES = 48, /* pymalloc's struct pool_header, rounded to 16 */
    MW_PAGE_UNIT_BYTES = 16,   /* every size class is a multiple of it         */
    MW_PAGE_UNIT_BITS = 4,
    MW_PAGE_UNITS = (MW_PAGE_BYTES - MW_PAGE_HEADER_BYTES) / MW_PAGE_UNIT_BYTES,
    MW_PAGE_CLASS_MAXIMUM = MW_SITE_SIZE_FIXED / MW_PAGE_UNIT_BYTES,
};

/* The flags of a label. */
#define MW_LABEL_WATCHED UINT32_C(0x80000000) /* tell us when this block is freed */
#define MW_LABEL_POOLED  UINT32_C(0x40000000) /* the caller's: where the block came from */
#define MW_LABEL_SITE    UINT32_C(0x3fffffff) /* the rest: a site number, 0 = none */

typedef struct mw_page {
    uint32_t *labels;    /* one per block of the class; NULL before the first block  */
    uint32_t reciprocal; /* ceil(2^16 / units), to divide an offset by the class     */
    uint16_t units;      /* the class: block size in units of 16 bytes               */
    uint16_t has_strays; /* blocks that begin in this page are, or were, in the map  */
} mw_page;

typedef struct mw_block_store {
    mw_alloc *alloc;     /* borrowed; of pages                                         */
    mw_budget *budget;   /* borrowed, or NULL: label arrays and the map count in it    */
    mw_page **directory; /* owned; leaves are never given back                         */
    uint32_t *leaf_list; /* owned; which directory entries are in use                  */
    uint32_t leaf_count;
    uint32_t page_count;                              /* pages that have labels          */
    struct mw_label_slab *slabs;                      /* owned, the one being cut first  */
    struct mw_label_slab *spare_slabs;                /* owned, emptied by a clear       */
    uint32_t *free_labels[MW_PAGE_CLASS_MAXIMUM + 1]; /* emptied arrays by class, linked */
    mw_address_map others; /* large blocks, and small ones outside known pages           */
} mw_block_store;

/* What a block's entry says. */
typedef struct mw_block_entry {
    uint32_t label;    /* 0: unknown                                                   */
    size_t size_bytes; /* known for blocks of the map alone; else the site has the size */
    bool is_mapped;    /* whether it came from the map                                  */
} mw_block_entry;

mw_status mw_block_store_init(mw_block_store *store, mw_alloc *alloc) MW_MUST_CHECK;
/* From now on, and for good, the store counts in [budget] what it holds.  It is empty. */
void mw_block_store_limit(mw_block_store *store, mw_budget *budget);
/* Forgets every block and gives the memory back to the system, but keeps the address
 * space: look-ups that race with it find nothing. */
void mw_block_store_clear(mw_block_store *store);
/* For tests: really frees.  Nobody may look any more. */
void mw_block_store_done(mw_block_store *store);
bool mw_block_store_is_consistent(const mw_block_store *store);
size_t mw_block_store_memory_bytes(const mw_block_store *store);
/* For examinations: calls [visit] for each block that is known, those that are only watched
 * included.  Looks at every page that there ever was. */
void mw_block_store_visit(const mw_block_store *store,
                          void (*visit)(void *context, mw_block_entry entry), void *context);

/* The slow ways, out of line.  page_open makes or re-purposes the page of [address] for
 * [units] and returns NULL if the block must go to the map. */
mw_page *mw_block_store_page_open(mw_block_store *store, uintptr_t address, uint32_t units);
/* The entry in the map, added with size 0 and label 0 if it is not there; NULL when out of
 * memory. */
mw_address_entry *mw_block_store_put_other(mw_block_store *store, uintptr_t address);

/* Marks the block at [address] of [size_bytes], known or not, so that taking it shows
 * MW_LABEL_WATCHED.  Returns false when out of memory. */
bool mw_block_store_watch(mw_block_store *store, uintptr_t address, size_t size_bytes);

/* ── the hot path ────────────────────────────────────────────────────────────────── */

static inline mw_page *mw_block_store_page(const mw_block_store *store, uintptr_t address)
{
    uintptr_t number = address >> (MW_PAGE_BITS + MW_LEAF_BITS);
    mw_page *leaf;

    if (__builtin_expect(number >= 1 << MW_DIRECTORY_BITS, 0))
        return NULL;
    leaf = store->directory[number];
    if (__builtin_expect(leaf == NULL, 0))
        return NULL;
    return &leaf[address >> MW_PAGE_BITS & ((1 << MW_LEAF_BITS) - 1)];
}

/* The label of the block that begins at [address] in a page that has labels, or NULL if
 * no block of the page's class begins there. */
static inline uint32_t *mw_page_label(const mw_page *page, uintptr_t address)
{
    uint32_t offset = (uint32_t)(address & (MW_PAGE_BYTES - 1)) - MW_PAGE_HEADER_BYTES;
    uint32_t unit = offset >> MW_PAGE_UNIT_BITS;
    uint32_t index = (unit * page->reciprocal) >> 16;

    /* One comparison refuses both a wrong offset and, since the subtraction above wraps
     * around, an address within the header. */
    if (__builtin_expect(index * page->units * MW_PAGE_UNIT_BYTES != offset, 0))
        return NULL;
    return &page->labels[index];
}

static inline uint32_t mw_page_units(size_t size_bytes)
{
    return size_bytes == 0 ? 1
                           : (uint32_t)(size_bytes + MW_PAGE_UNIT_BYTES - 1) >> MW_PAGE_UNIT_BITS;
}

/* Where the label of a small block goes; NULL if it must go to the map. */
static inline uint32_t *mw_block_store_slot(mw_block_store *store, uintptr_t address,
                                            size_t size_bytes)
{
    uint32_t units = mw_page_units(size_bytes);
    mw_page *page = mw_block_store_page(store, address);
    uint32_t *label;

    if (__builtin_expect(page == NULL || page->units != units, 0)) {
        page = mw_block_store_page_open(store, address, units);
        if (page == NULL)
            return NULL;
    }
    label = mw_page_label(page, address);
    if (__builtin_expect(label == NULL, 0)) {
        page->has_strays = 1;
        return NULL;
    }
    /* The block before it may still be in the map, if no hook saw it go: an address is in
     * one place. */
    if (__builtin_expect(page->has_strays, 0) &&
        mw_address_map_find(&store->others, address) != NULL)
        return NULL;
    return label;
}

/* As mw_block_store_slot, for a block of [units] that begins where one of its class may, at
 * an address that mmap has given; false as well if its page has to be opened first. */
static inline bool mw_block_store_aligned_slot(const mw_block_store *store, uintptr_t address,
                                               uint32_t units, uint32_t **ret_label)
{
    const mw_page *leaf = store->directory[address >> (MW_PAGE_BITS + MW_LEAF_BITS)];
    const mw_page *page;
    uint32_t unit;

    if (__builtin_expect(leaf == NULL, 0))
        return false;
    page = &leaf[address >> MW_PAGE_BITS & ((1 << MW_LEAF_BITS) - 1)];
    /* Of the class, and without strays: one comparison. */
    if (__builtin_expect((page->units | (uint32_t)page->has_strays << 16) != units, 0))
        return false;
    unit = (uint32_t)((address & (MW_PAGE_BYTES - 1)) - MW_PAGE_HEADER_BYTES) / MW_PAGE_UNIT_BYTES;
    *ret_label = &page->labels[(unit * page->reciprocal) >> 16];
    return true;
}

/* The label of a block that lies in a known page, or NULL. */
static inline uint32_t *mw_block_store_find_small(const mw_block_store *store, uintptr_t address)
{
    const mw_page *page = mw_block_store_page(store, address);

    if (page == NULL || page->labels == NULL)
        return NULL;
    return mw_page_label(page, address);
}

/* Finds any block; label 0 if it is not known. */
static inline mw_block_entry mw_block_store_find(const mw_block_store *store, uintptr_t address)
{
    const uint32_t *label = mw_block_store_find_small(store, address);
    const mw_address_entry *other;

    if (label != NULL && *label != 0)
        return (mw_block_entry){.label = *label};
    other = mw_address_map_find(&store->others, address);
    if (other == NULL)
        return (mw_block_entry){0};
    return (mw_block_entry){other->label, other->value, true};
}
