/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "core/block_store.h"

#include <string.h>
#include <sys/mman.h>

enum {
    DIRECTORY_COUNT = 1 << MW_DIRECTORY_BITS,
    LEAF_BYTES = (1 << MW_LEAF_BITS) * (int)sizeof(mw_page),
    SLAB_BYTES = 1 << 20,
    SLAB_HEADER_BYTES = 16,
    LINK_BYTES = sizeof(uint32_t *),
    /* What a slab counts for: itself, and an eighth for the page records of its arrays,
     * which is what they are with the largest class. */
    SLAB_COST_BYTES = SLAB_BYTES + SLAB_BYTES / 8,
};

/* A megabyte of label arrays, cut off from the front. */
typedef struct mw_label_slab {
    struct mw_label_slab *older;
    size_t used_bytes; /* this header included */
} mw_label_slab;

_Static_assert(sizeof(mw_label_slab) <= SLAB_HEADER_BYTES, "labels begin behind the header");

/* ── label arrays ────────────────────────────────────────────────────────────────── */

/* Labels of a page of this class.  One more than whole blocks fit: when libc shrinks a
 * large block in place (realloc), a "small" block may begin in the last partial one. */
static uint32_t label_count(uint32_t units)
{
    return MW_PAGE_UNITS / units + 1;
}

static size_t labels_bytes(uint32_t units)
{
    return (label_count(units) * sizeof(uint32_t) + 15) & ~(size_t)15;
}

/* A slab is paid for while it is in use: a spare one is address space alone. */
static mw_label_slab *find_slab(mw_block_store *store)
{
    mw_label_slab *slab = store->spare_slabs;

    if (store->budget != NULL && !mw_budget_take(store->budget, SLAB_COST_BYTES))
        return NULL;
    if (slab != NULL)
        store->spare_slabs = slab->older;
    else
        slab = mw_alloc_new(store->alloc, SLAB_BYTES);
    if (slab == NULL && store->budget != NULL)
        mw_budget_give(store->budget, SLAB_COST_BYTES);
    return slab;
}

static bool open_slab(mw_block_store *store)
{
    mw_label_slab *slab = find_slab(store);

    if (slab == NULL)
        return false;
    slab->older = store->slabs;
    slab->used_bytes = SLAB_HEADER_BYTES;
    store->slabs = slab;
    return true;
}

/* Zeroed labels for a page of [units], or NULL when out of memory. */
static uint32_t *take_labels(mw_block_store *store, uint32_t units)
{
    size_t bytes = labels_bytes(units);
    uint32_t *labels = store->free_labels[units];

    if (labels != NULL) {
        memcpy(&store->free_labels[units], labels, LINK_BYTES);
        memset(labels, 0, LINK_BYTES);
        return labels;
    }
    if ((store->slabs == NULL || store->slabs->used_bytes + bytes > SLAB_BYTES) &&
        !open_slab(store))
        return NULL;
    labels = (uint32_t *)((char *)store->slabs + store->slabs->used_bytes);
    store->slabs->used_bytes += bytes;
    return labels;
}

/* Gives back labels that are all zero; the first eight bytes link the list. */
static void give_labels(mw_block_store *store, uint32_t *labels, uint32_t units)
{
    memcpy(labels, &store->free_labels[units], LINK_BYTES);
    store->free_labels[units] = labels;
}

static bool labels_are_empty(const mw_page *page)
{
    for (uint32_t index = 0; index < label_count(page->units); index++)
        if (page->labels[index] != 0)
            return false;
    return true;
}

/* ── pages ───────────────────────────────────────────────────────────────────────── */

static mw_page *open_leaf(mw_block_store *store, uintptr_t address)
{
    uintptr_t index = address >> (MW_PAGE_BITS + MW_LEAF_BITS);
    mw_page *leaf;

    if (index >= DIRECTORY_COUNT)
        return NULL;
    leaf = mw_alloc_new(store->alloc, LEAF_BYTES);
    if (leaf == NULL)
        return NULL;
    store->directory[index] = leaf;
    store->leaf_list[store->leaf_count++] = (uint32_t)index;
    return leaf;
}

/* The record of the page of [address]; NULL when out of memory, or when the address is
 * beyond what the directory covers. */
static mw_page *page_record(mw_block_store *store, uintptr_t address)
{
    mw_page *page = mw_block_store_page(store, address);

    if (page == NULL && open_leaf(store, address) != NULL)
        page = mw_block_store_page(store, address);
    return page;
}

/* A page whose class changed.  pymalloc hands a pool to another class only when it is
 * empty, so live labels here mean that the page is no pool of one class. */
static bool close_labels(mw_block_store *store, mw_page *page)
{
    if (!labels_are_empty(page))
        return false;
    give_labels(store, page->labels, page->units);
    store->page_count--;
    *page = (mw_page){.has_strays = page->has_strays};
    return true;
}

mw_page *mw_block_store_page_open(mw_block_store *store, uintptr_t address, uint32_t units)
{
    mw_page *page = page_record(store, address);
    uint32_t *labels;

    if (page == NULL)
        return NULL;
    if (page->labels != NULL && !close_labels(store, page)) {
        page->has_strays = 1;
        return NULL;
    }
    labels = take_labels(store, units);
    if (labels == NULL) {
        page->has_strays = 1;
        return NULL;
    }
    store->page_count++;
    *page =
        (mw_page){labels, (uint32_t)(65536 + units - 1) / units, (uint16_t)units, page->has_strays};
    return page;
}

mw_address_entry *mw_block_store_put_other(mw_block_store *store, uintptr_t address)
{
    mw_page *page = page_record(store, address);

    /* The flag must be there before anybody looks: without it, a block of this page that
     * has no label counts as unknown. */
    if (page == NULL && address >> (MW_PAGE_BITS + MW_LEAF_BITS) < DIRECTORY_COUNT)
        return NULL;
    if (page != NULL)
        page->has_strays = 1;
    return mw_address_map_put(&store->others, address);
}

bool mw_block_store_watch(mw_block_store *store, uintptr_t address, size_t size_bytes)
{
    uint32_t *label = mw_block_store_find_small(store, address);
    mw_address_entry *block = mw_address_map_find(&store->others, address);

    if (block != NULL) {
        block->label |= MW_LABEL_WATCHED;
        return true;
    }
    if (label == NULL && size_bytes <= MW_SITE_SIZE_FIXED)
        label = mw_block_store_slot(store, address, size_bytes);
    if (label != NULL) {
        *label |= MW_LABEL_WATCHED;
        return true;
    }
    block = mw_block_store_put_other(store, address);
    if (block == NULL)
        return false;
    block->value = size_bytes;
    block->label = MW_LABEL_WATCHED;
    return true;
}

/* ── life ────────────────────────────────────────────────────────────────────────── */

mw_status mw_block_store_init(mw_block_store *store, mw_alloc *alloc)
{
    *store = (mw_block_store){.alloc = alloc};
    mw_address_map_init(&store->others, alloc);
    store->directory = mw_alloc_array(alloc, DIRECTORY_COUNT, sizeof *store->directory);
    store->leaf_list = mw_alloc_array(alloc, DIRECTORY_COUNT, sizeof *store->leaf_list);
    if (store->directory == NULL || store->leaf_list == NULL)
        return MW_NO_MEMORY;
    return MW_OK;
}

/* The map's memory is its own to give back, so it can count as any table does. */
static void open_map(mw_block_store *store)
{
    mw_address_map_init(&store->others,
                        store->budget != NULL ? &store->budget->counted : store->alloc);
}

void mw_block_store_limit(mw_block_store *store, mw_budget *budget)
{
    store->budget = budget;
    mw_address_map_done(&store->others);
    open_map(store);
}

static mw_page *leaf_at(const mw_block_store *store, uint32_t nth)
{
    return store->directory[store->leaf_list[nth]];
}

/* Gives the memory of a mapping back; the next read sees zeros.  Where the kernel refuses
 * (locked memory, or the heap of a test) the zeros are written. */
static void empty(void *mapping, size_t size_bytes)
{
    if (madvise(mapping, size_bytes, MADV_DONTNEED) != 0)
        memset(mapping, 0, size_bytes);
}

void mw_block_store_clear(mw_block_store *store)
{
    for (uint32_t nth = 0; nth < store->leaf_count; nth++)
        empty(leaf_at(store, nth), LEAF_BYTES);
    memset(store->free_labels, 0, sizeof store->free_labels);
    while (store->slabs != NULL) {
        mw_label_slab *slab = store->slabs;

        store->slabs = slab->older;
        empty(slab, SLAB_BYTES);
        if (store->budget != NULL)
            mw_budget_give(store->budget, SLAB_COST_BYTES);
        slab->older = store->spare_slabs;
        store->spare_slabs = slab;
    }
    store->page_count = 0;
    mw_address_map_done(&store->others);
    open_map(store);
}

static void give_slabs(mw_block_store *store)
{
    for (const mw_label_slab *slab = store->slabs; slab != NULL; slab = slab->older)
        mw_budget_give(store->budget, SLAB_COST_BYTES);
}

static void release_slabs(mw_block_store *store, mw_label_slab *slab)
{
    while (slab != NULL) {
        mw_label_slab *older = slab->older;

        mw_alloc_release(store->alloc, slab, SLAB_BYTES);
        slab = older;
    }
}

void mw_block_store_done(mw_block_store *store)
{
    if (store->alloc == NULL)
        return;
    for (uint32_t nth = 0; nth < store->leaf_count; nth++)
        mw_alloc_release(store->alloc, leaf_at(store, nth), LEAF_BYTES);
    if (store->budget != NULL)
        give_slabs(store);
    release_slabs(store, store->slabs);
    release_slabs(store, store->spare_slabs);
    mw_alloc_release(store->alloc, store->directory, DIRECTORY_COUNT * sizeof *store->directory);
    mw_alloc_release(store->alloc, store->leaf_list, DIRECTORY_COUNT * sizeof *store->leaf_list);
    mw_address_map_done(&store->others);
    *store = (mw_block_store){0};
}

/* ── examination ─────────────────────────────────────────────────────────────────── */

static bool page_is_consistent(const mw_page *page)
{
    if (page->labels == NULL)
        return page->units == 0;
    return page->units >= 1 && page->units <= MW_PAGE_CLASS_MAXIMUM &&
           page->reciprocal == (uint32_t)(65536 + page->units - 1) / page->units;
}

static bool pages_are_consistent(const mw_block_store *store)
{
    uint32_t with_labels = 0;

    for (uint32_t nth = 0; nth < store->leaf_count; nth++) {
        for (uint32_t index = 0; index < 1 << MW_LEAF_BITS; index++) {
            const mw_page *page = &leaf_at(store, nth)[index];

            with_labels += page->labels != NULL;
            if (!page_is_consistent(page))
                return false;
        }
    }
    return with_labels == store->page_count;
}

/* Behind the link, the labels that wait for a page are zero. */
static bool free_labels_are_empty(const mw_block_store *store, uint32_t units)
{
    const uint32_t *labels = store->free_labels[units];

    while (labels != NULL) {
        for (uint32_t index = LINK_BYTES / sizeof *labels; index < label_count(units); index++)
            if (labels[index] != 0)
                return false;
        memcpy(&labels, labels, LINK_BYTES);
    }
    return true;
}

/* A block in the map has no label in a page, and its page says that there is one. */
static bool mapped_is_consistent(const mw_block_store *store, uintptr_t address)
{
    const mw_page *page = mw_block_store_page(store, address);
    const uint32_t *label = mw_block_store_find_small(store, address);

    if (page != NULL && !page->has_strays)
        return false;
    return label == NULL || *label == 0;
}

bool mw_block_store_is_consistent(const mw_block_store *store)
{
    const mw_address_map *others = &store->others;

    for (uint32_t units = 1; units <= MW_PAGE_CLASS_MAXIMUM; units++)
        if (!free_labels_are_empty(store, units))
            return false;
    for (uint32_t slot = 0; slot < mw_address_map_slot_count(others); slot++)
        if (others->slots[slot].address != 0 &&
            !mapped_is_consistent(store, others->slots[slot].address))
            return false;
    return pages_are_consistent(store) && mw_address_map_is_consistent(others);
}

static void visit_page(const mw_page *page, void (*visit)(void *context, mw_block_entry entry),
                       void *context)
{
    if (page->labels == NULL)
        return;
    for (uint32_t index = 0; index < label_count(page->units); index++)
        if (page->labels[index] != 0)
            visit(context, (mw_block_entry){.label = page->labels[index]});
}

void mw_block_store_visit(const mw_block_store *store,
                          void (*visit)(void *context, mw_block_entry entry), void *context)
{
    const mw_address_map *others = &store->others;

    for (uint32_t nth = 0; nth < store->leaf_count; nth++)
        for (uint32_t index = 0; index < 1 << MW_LEAF_BITS; index++)
            visit_page(&leaf_at(store, nth)[index], visit, context);
    for (uint32_t slot = 0; slot < mw_address_map_slot_count(others); slot++)
        if (others->slots[slot].address != 0)
            visit(context, (mw_block_entry){others->slots[slot].label, others->slots[slot].value,
                                            .is_mapped = true});
}

size_t mw_block_store_memory_bytes(const mw_block_store *store)
{
    size_t bytes = store->page_count * sizeof(mw_page);

    for (const mw_label_slab *slab = store->slabs; slab != NULL; slab = slab->older)
        bytes += slab->used_bytes;
    return bytes + mw_address_map_memory_bytes(&store->others);
}
