/* SPDX-License-Identifier: MIT */
#include "core/block_store.h"

#include "testing.h"

enum { SEEDS = 6, STEPS = 6000, PAGES = 10, LIVE = 3000 };

/* ── the slow twin: every block, in no order ─────────────────────────────────────── */

typedef struct twin_block {
    uintptr_t address;
    size_t size_bytes;
    uint32_t label;
} twin_block;

typedef struct store_twin {
    twin_block blocks[LIVE];
    uint32_t count;
} store_twin;

static twin_block *twin_find(store_twin *twin, uintptr_t address)
{
    for (uint32_t i = 0; i < twin->count; i++)
        if (twin->blocks[i].address == address)
            return &twin->blocks[i];
    return NULL;
}

static void twin_put(store_twin *twin, twin_block block)
{
    twin_block *known = twin_find(twin, block.address);

    if (known == NULL)
        known = &twin->blocks[twin->count++];
    *known = block;
}

/* ── what the tracer does with a store ───────────────────────────────────────────── */

static uint32_t take(mw_block_store *store, uintptr_t address)
{
    uint32_t *small = mw_block_store_find_small(store, address);
    mw_address_entry *other;
    uint32_t label;

    if (small != NULL && *small != 0) {
        label = *small;
        *small = 0;
        return label;
    }
    other = mw_address_map_find(&store->others, address);
    if (other == NULL)
        return 0;
    label = other->label;
    mw_address_map_remove(&store->others, other);
    return label;
}

static bool put(mw_block_store *store, twin_block block)
{
    uint32_t *label = NULL;
    mw_address_entry *other;

    if (block.size_bytes <= MW_SITE_SIZE_FIXED)
        label = mw_block_store_slot(store, block.address, block.size_bytes);
    if (label != NULL) {
        *label = block.label;
        return true;
    }
    take(store, block.address);
    other = mw_block_store_put_other(store, block.address);
    if (other == NULL)
        return false;
    other->value = block.size_bytes;
    other->label = block.label;
    return true;
}

/* ── an address space ────────────────────────────────────────────────────────────── */

/* Pools next to each other, in another leaf, above 2^47, and where no directory reaches. */
static const uintptr_t page_bases[PAGES] = {
    0x7f1200000000, 0x7f1200004000, 0x7f1200008000,  0x7f1200010000,     0x55550000c000,
    0x555500010000, 0xffff80000000, 0xfffffffffc000, 0xffffffffffffc000, 0x4000,
};

/* The class that a page is used for now. */
typedef struct fake_heap {
    uint32_t units[PAGES];
} fake_heap;

static twin_block random_block(mw_random *random, fake_heap *heap)
{
    uint32_t page = mw_random_below(random, PAGES);
    uint32_t units, index;
    twin_block block = {.label = 1 + mw_random_below(random, MW_LABEL_SITE)};

    if (heap->units[page] == 0 || mw_random_below(random, 200) == 0)
        heap->units[page] = 1 + mw_random_below(random, MW_PAGE_CLASS_MAXIMUM);
    units = heap->units[page];
    index = mw_random_below(random, MW_PAGE_UNITS / units);
    switch (mw_random_below(random, 16)) {
    case 0: /* libc's: anywhere, of any size */
        block.address = page_bases[page] + 16 * mw_random_below(random, MW_PAGE_BYTES / 16);
        block.size_bytes = mw_random_below(random, 1500);
        break;
    case 1: /* a debug build's: 16 bytes behind the block's beginning */
        block.address = page_bases[page] + MW_PAGE_HEADER_BYTES + index * units * 16 + 16;
        block.size_bytes = units * 16 - mw_random_below(random, 16);
        break;
    case 2: /* an odd address */
        block.address = page_bases[page] + 1 + mw_random_below(random, MW_PAGE_BYTES - 1);
        block.size_bytes = mw_random_below(random, 100);
        break;
    default: /* pymalloc's */
        block.address = page_bases[page] + MW_PAGE_HEADER_BYTES + index * units * 16;
        block.size_bytes = units * 16 - mw_random_below(random, 16);
    }
    return block;
}

/* Empties a pool, as pymalloc does before it gives it to another class. */
static void empty_page(mw_block_store *store, store_twin *twin, uintptr_t base)
{
    for (uint32_t i = 0; i < twin->count;) {
        twin_block *block = &twin->blocks[i];

        if (block->address < base || block->address - base >= MW_PAGE_BYTES) {
            i++;
            continue;
        }
        CHECK_EQ(take(store, block->address), block->label);
        *block = twin->blocks[--twin->count];
    }
}

static void check_agrees(mw_block_store *store, store_twin *twin)
{
    uint32_t labelled = 0;

    CHECK(mw_block_store_is_consistent(store));
    for (uint32_t i = 0; i < twin->count; i++) {
        const twin_block *block = &twin->blocks[i];
        mw_block_entry entry = mw_block_store_find(store, block->address);

        CHECK_EQ(entry.label, block->label);
        if (entry.is_mapped)
            CHECK_EQ(entry.size_bytes, block->size_bytes);
        else
            CHECK(block->size_bytes <= MW_SITE_SIZE_FIXED || block->label == MW_LABEL_WATCHED);
    }
    /* And there is nothing else. */
    for (uint32_t page = 0; page < PAGES; page++) {
        for (uintptr_t offset = 0; offset < MW_PAGE_BYTES; offset += 16) {
            const uint32_t *label = mw_block_store_find_small(store, page_bases[page] + offset);

            labelled += label != NULL && *label != 0;
        }
    }
    CHECK_EQ(labelled + store->others.count, twin->count);
}

static void step(mw_block_store *store, store_twin *twin, fake_heap *heap, mw_random *random)
{
    twin_block block = random_block(random, heap);
    uint32_t choice = mw_random_below(random, 1000);
    twin_block *known = twin_find(twin, block.address);

    if (choice < 5) {
        empty_page(store, twin, page_bases[mw_random_below(random, PAGES)]);
    } else if (choice < 450 && twin->count != 0) {
        uint32_t i = mw_random_below(random, twin->count);

        CHECK_EQ(take(store, twin->blocks[i].address), twin->blocks[i].label);
        twin->blocks[i] = twin->blocks[--twin->count];
    } else if (choice < 500) {
        if (known != NULL)
            known->label |= MW_LABEL_WATCHED;
        else
            twin_put(twin, (twin_block){block.address, block.size_bytes, MW_LABEL_WATCHED});
        CHECK(mw_block_store_watch(store, block.address,
                                   known != NULL ? known->size_bytes : block.size_bytes));
    } else if (choice < 550) {
        /* Freed here or not known: never another one's label. */
        CHECK_EQ(mw_block_store_find(store, block.address).label, known != NULL ? known->label : 0);
    } else if (twin->count < LIVE) {
        twin_put(twin, block);
        CHECK(put(store, block));
    }
}

TEST(block_store, agrees_with_an_array_whatever_lies_where)
{
    static store_twin twin;

    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        mw_failing_alloc failing = mw_failing_alloc_never();
        mw_random random = mw_random_of(seed);
        mw_block_store store;
        fake_heap heap = {0};

        twin.count = 0;
        CHECK_OK(mw_block_store_init(&store, &failing.base));
        for (uint32_t i = 1; i <= STEPS; i++) {
            step(&store, &twin, &heap, &random);
            if (i % 1000 == 0)
                check_agrees(&store, &twin);
        }
        mw_block_store_done(&store);
        mw_block_store_done(&store);
        CHECK_EQ(failing.live_blocks, 0);
    }
}

TEST(block_store, has_a_label_for_every_block_of_every_class_and_for_nothing_between)
{
    const uintptr_t base = 0x7f1200004000;

    for (uint32_t units = 1; units <= MW_PAGE_CLASS_MAXIMUM; units++) {
        mw_block_store store;
        uint32_t *before = NULL;

        CHECK_OK(mw_block_store_init(&store, mw_alloc_pages()));
        assert_non_null(mw_block_store_page_open(&store, base, units));
        for (uint32_t offset = 0; offset < MW_PAGE_BYTES; offset++) {
            uint32_t *label = mw_block_store_find_small(&store, base + offset);
            bool begins = offset >= MW_PAGE_HEADER_BYTES &&
                          (offset - MW_PAGE_HEADER_BYTES) % (units * 16) == 0;

            CHECK_EQ(label != NULL, begins);
            if (label != NULL && before != NULL)
                CHECK_EQ(label - before, 1);
            before = label != NULL ? label : before;
        }
        mw_block_store_done(&store);
    }
}

TEST(block_store, keeps_small_blocks_of_pools_at_four_bytes_each)
{
    mw_block_store store;
    const uint32_t blocks = MW_PAGE_UNITS / 4 * 100;

    CHECK_OK(mw_block_store_init(&store, mw_alloc_pages()));
    for (uint32_t i = 0; i < blocks; i++) {
        uintptr_t page = 0x7f1200000000 + (uintptr_t)(i % 100) * MW_PAGE_BYTES;

        CHECK(put(&store, (twin_block){page + MW_PAGE_HEADER_BYTES + i / 100 * 64, 60, 9}));
    }
    CHECK_EQ(store.others.count, 0);
    CHECK_EQ(store.page_count, 100);
    CHECK(mw_block_store_memory_bytes(&store) < blocks * 4 + 100 * 48);
    mw_block_store_done(&store);
}

TEST(block_store, reuses_the_labels_of_pages_that_change_their_class)
{
    const uintptr_t base = 0x7f1200000000;
    mw_block_store store;
    size_t before = 0;

    CHECK_OK(mw_block_store_init(&store, mw_alloc_pages()));
    for (uint32_t round = 0; round < 50; round++) {
        for (uint32_t units = 1; units <= MW_PAGE_CLASS_MAXIMUM; units++) {
            twin_block block = {base + MW_PAGE_HEADER_BYTES, units * 16, 1 + round};

            CHECK(put(&store, block));
            CHECK_EQ(take(&store, block.address), 1 + round);
        }
        if (round == 0)
            before = mw_block_store_memory_bytes(&store);
    }
    CHECK(mw_block_store_is_consistent(&store));
    CHECK_EQ(store.page_count, 1);
    CHECK_EQ(mw_block_store_memory_bytes(&store), before);
    mw_block_store_done(&store);
}

/* A stray whose free no hook saw; the page becomes one of its class; the address is given
 * out again. */
TEST(block_store, has_an_address_in_one_place_only)
{
    const uintptr_t base = 0x7f1200000000;
    mw_block_store store;

    CHECK_OK(mw_block_store_init(&store, mw_alloc_pages()));
    CHECK(put(&store, (twin_block){base + 48, 32, 1}));
    CHECK(put(&store, (twin_block){base + 48 + 16, 16, 2}));
    CHECK_EQ(store.others.count, 1);
    CHECK_EQ(take(&store, base + 48), 1);
    CHECK(put(&store, (twin_block){base + 48, 16, 3}));
    CHECK(put(&store, (twin_block){base + 48 + 16, 16, 4}));
    CHECK(mw_block_store_is_consistent(&store));
    CHECK_EQ(take(&store, base + 48 + 16), 4);
    CHECK_EQ(take(&store, base + 48 + 16), 0);
    mw_block_store_done(&store);
}

TEST(block_store, forgets_everything_at_a_clear_and_takes_no_more_memory_after)
{
    static store_twin twin;
    mw_failing_alloc failing = mw_failing_alloc_never();
    mw_block_store store;
    size_t before = 0;

    CHECK_OK(mw_block_store_init(&store, &failing.base));
    for (uint32_t round = 0; round < 4; round++) {
        mw_random random = mw_random_of(11);
        fake_heap heap = {0};

        twin.count = 0;
        for (uint32_t i = 0; i < 2000; i++)
            step(&store, &twin, &heap, &random);
        check_agrees(&store, &twin);
        mw_block_store_clear(&store);
        for (uint32_t i = 0; i < twin.count; i++)
            CHECK_EQ(mw_block_store_find(&store, twin.blocks[i].address).label, 0);
        twin.count = 0;
        check_agrees(&store, &twin);
        CHECK_EQ(mw_block_store_memory_bytes(&store), 0);
        if (round != 0)
            CHECK_EQ(failing.live_bytes, before);
        before = failing.live_bytes;
    }
    mw_block_store_done(&store);
    CHECK_EQ(failing.live_blocks, 0);
}

static uint32_t put_many(mw_block_store *store, store_twin *twin)
{
    mw_random random = mw_random_of(4);
    uint32_t refused = 0;
    fake_heap heap = {0};

    for (uint32_t i = 0; i < 1500; i++) {
        twin_block block = random_block(&random, &heap);
        bool is_watch = i % 50 == 0 && twin_find(twin, block.address) == NULL;
        bool is_put;

        if (is_watch)
            block.label = MW_LABEL_WATCHED;
        is_put = is_watch ? mw_block_store_watch(store, block.address, block.size_bytes)
                          : put(store, block);
        refused += !is_put;
        if (is_put) {
            twin_put(twin, block);
        } else if (twin_find(twin, block.address) != NULL) {
            /* What was there is gone, as after a free. */
            *twin_find(twin, block.address) = twin->blocks[twin->count - 1];
            twin->count--;
        }
    }
    return refused;
}

TEST(block_store, returns_every_byte_whichever_allocation_fails)
{
    static store_twin twin;
    uint32_t refused = 1;

    for (size_t nth = 0; refused != 0; nth++) {
        mw_failing_alloc failing = mw_failing_alloc_at(nth);
        mw_block_store store;

        twin.count = 0;
        if (mw_block_store_init(&store, &failing.base) == MW_OK) {
            refused = put_many(&store, &twin);
            check_agrees(&store, &twin);
            failing.nth = SIZE_MAX;
            CHECK_EQ(put_many(&store, &twin), 0);
            check_agrees(&store, &twin);
        }
        mw_block_store_done(&store);
        CHECK_EQ(failing.live_blocks, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(block_store, agrees_with_an_array_whatever_lies_where),
        CASE(block_store, has_a_label_for_every_block_of_every_class_and_for_nothing_between),
        CASE(block_store, keeps_small_blocks_of_pools_at_four_bytes_each),
        CASE(block_store, reuses_the_labels_of_pages_that_change_their_class),
        CASE(block_store, has_an_address_in_one_place_only),
        CASE(block_store, forgets_everything_at_a_clear_and_takes_no_more_memory_after),
        CASE(block_store, returns_every_byte_whichever_allocation_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
