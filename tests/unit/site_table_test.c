/* SPDX-License-Identifier: MIT */
#include "core/site_table.h"

#include "testing.h"

enum { SEEDS = 10, STEPS = 4000, TWINS = 4000, LIVE = 600 };

/* The slow twin: one row for each site, and the blocks that are alive. */
typedef struct site_twin {
    struct {
        uint32_t path, site;
        uint16_t domain, size;
        uint64_t live_blocks, total_blocks, live_bytes, total_bytes;
    } rows[TWINS];
    uint32_t count;
    struct {
        uint32_t row;
        size_t size_bytes;
    } blocks[LIVE];
    uint32_t block_count;
} site_twin;

static size_t random_size(mw_random *random)
{
    static const size_t chosen[] = {0,   1,     16,    511,   512,      513,
                                    514, 65535, 65536, 65534, 1u << 30, (size_t)1 << 40};

    return chosen[mw_random_below(random, 12)];
}

static uint32_t twin_row(site_twin *twin, mw_path path, uint16_t domain, size_t size_bytes)
{
    uint16_t size = size_bytes <= 512 ? (uint16_t)size_bytes : MW_SITE_SIZE_VARIABLE;
    uint32_t row = 0;

    while (row < twin->count && (twin->rows[row].path != path.index ||
                                 twin->rows[row].domain != domain || twin->rows[row].size != size))
        row++;
    if (row < twin->count)
        return row;
    twin->rows[row].path = path.index;
    twin->rows[row].domain = domain;
    twin->rows[row].size = size;
    twin->count++;
    return row;
}

static void twin_add(site_twin *twin, uint32_t row, size_t size_bytes)
{
    twin->rows[row].live_blocks++;
    twin->rows[row].total_blocks++;
    twin->rows[row].live_bytes += size_bytes;
    twin->rows[row].total_bytes += size_bytes;
    twin->blocks[twin->block_count].row = row;
    twin->blocks[twin->block_count++].size_bytes = size_bytes;
}

static void allocate(mw_site_table *table, site_twin *twin, mw_random *random)
{
    mw_path path = {mw_random_below(random, 80) | mw_random_below(random, 2) << 31};
    uint16_t domain = mw_random_below(random, 8) == 0 ? 0xffff : 0;
    size_t size_bytes = random_size(random);
    uint32_t row = twin_row(twin, path, domain, size_bytes);
    mw_site site = {0};

    CHECK_OK(mw_site_table_intern(table, path, domain, size_bytes, &site));
    CHECK(site.index != 0);
    if (twin->rows[row].site == 0)
        twin->rows[row].site = site.index;
    CHECK_EQ(twin->rows[row].site, site.index);
    mw_site_table_add(table, site, size_bytes);
    twin_add(twin, row, size_bytes);
}

static void deallocate(mw_site_table *table, site_twin *twin, mw_random *random)
{
    uint32_t i = mw_random_below(random, twin->block_count);
    uint32_t row = twin->blocks[i].row;
    size_t size_bytes = twin->blocks[i].size_bytes;

    mw_site_table_subtract(table, (mw_site){twin->rows[row].site}, size_bytes);
    twin->rows[row].live_blocks--;
    twin->rows[row].live_bytes -= size_bytes;
    twin->blocks[i] = twin->blocks[--twin->block_count];
}

/* A realloc that fails: the block is forgotten and put back. */
static void put_back(mw_site_table *table, const site_twin *twin, mw_random *random)
{
    uint32_t i = mw_random_below(random, twin->block_count);
    mw_site site = {twin->rows[twin->blocks[i].row].site};

    mw_site_table_subtract(table, site, twin->blocks[i].size_bytes);
    mw_site_table_add(table, site, twin->blocks[i].size_bytes);
    mw_site_table_uncount(table, site, twin->blocks[i].size_bytes);
}

/* Every row has its site and the walk meets no other. */
static void check_agrees(const mw_site_table *table, const site_twin *twin)
{
    uint32_t walked = 0;

    CHECK(mw_site_table_is_consistent(table));
    for (uint32_t row = 0; row < twin->count; row++) {
        mw_site site = {twin->rows[row].site};
        const mw_site_entry *entry = mw_site_table_entry(table, site);

        CHECK_EQ(entry->path, twin->rows[row].path);
        CHECK_EQ(entry->domain, twin->rows[row].domain);
        CHECK_EQ(entry->size, twin->rows[row].size);
        CHECK_EQ(mw_site_table_live_blocks(table, site), twin->rows[row].live_blocks);
        CHECK_EQ(mw_site_table_total_blocks(table, site), twin->rows[row].total_blocks);
        CHECK_EQ(mw_site_table_live_bytes(table, site), twin->rows[row].live_bytes);
        CHECK_EQ(mw_site_table_total_bytes(table, site), twin->rows[row].total_bytes);
    }
    for (mw_site site = mw_site_table_first(table); site.index < table->count;
         site = mw_site_table_next(table, site))
        walked++;
    CHECK_EQ(walked, twin->count);
}

TEST(site_table, counts_like_a_list_of_rows_and_blocks)
{
    static site_twin twin;

    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        mw_failing_alloc failing = mw_failing_alloc_never();
        mw_random random = mw_random_of(seed);
        mw_site_table table;

        memset(&twin, 0, sizeof twin);
        CHECK_OK(mw_site_table_init(&table, &failing.base));
        check_agrees(&table, &twin);
        for (uint32_t step = 1; step <= STEPS; step++) {
            bool must_free = twin.block_count == LIVE;

            if (must_free || (twin.block_count != 0 && mw_random_below(&random, 5) < 2))
                deallocate(&table, &twin, &random);
            else
                allocate(&table, &twin, &random);
            if (twin.block_count != 0 && step % 7 == 0)
                put_back(&table, &twin, &random);
            if (step % 200 == 0)
                check_agrees(&table, &twin);
        }
        CHECK(mw_site_table_memory_bytes(&table) <= failing.live_bytes);
        mw_site_table_done(&table);
        mw_site_table_done(&table);
        CHECK_EQ(failing.live_blocks, 0);
    }
}

/* As if so many blocks had come and gone before; the twin is told. */
static void age(mw_site_table *table, uint64_t *allocated, uint64_t *freed, uint32_t blocks)
{
    mw_site_entry *entry = mw_site_table_entry(table, (mw_site){1});

    entry->allocated = entry->freed = blocks;
    *allocated = *freed = blocks;
}

static void check_counts(const mw_site_table *table, uint64_t allocated, uint64_t freed)
{
    CHECK_EQ(mw_site_table_total_blocks(table, (mw_site){1}), allocated);
    CHECK_EQ(mw_site_table_live_blocks(table, (mw_site){1}), allocated - freed);
    CHECK_EQ(mw_site_table_total_bytes(table, (mw_site){1}), allocated * 48);
    CHECK_EQ(mw_site_table_live_bytes(table, (mw_site){1}), (allocated - freed) * 48);
    CHECK(mw_site_table_is_consistent(table));
}

TEST(site_table, counts_more_blocks_than_a_counter_can)
{
    mw_random random = mw_random_of(5);
    mw_site_table table;
    mw_site site;
    uint64_t allocated, freed;

    CHECK_OK(mw_site_table_init(&table, mw_alloc_system()));
    CHECK_OK(mw_site_table_intern(&table, (mw_path){1}, 0, 48, &site));
    CHECK_EQ(site.index, 1);
    age(&table, &allocated, &freed, UINT32_MAX - 50);
    for (uint32_t step = 0; step < 400; step++) {
        if (freed == allocated || mw_random_below(&random, 5) < 3) {
            mw_site_table_add(&table, site, 48);
            allocated++;
        } else {
            mw_site_table_subtract(&table, site, 48);
            freed++;
        }
        check_counts(&table, allocated, freed);
        if (freed != allocated) {
            mw_site_table_subtract(&table, site, 48);
            mw_site_table_add(&table, site, 48);
            mw_site_table_uncount(&table, site, 48);
            check_counts(&table, allocated, freed);
        }
    }
    CHECK(freed > UINT32_MAX);
    CHECK_EQ(table.carry_count, 1);
    /* More alive at once than a counter can tell. */
    mw_site_table_entry(&table, site)->allocated = UINT32_MAX;
    allocated = (UINT64_C(1) << 32) + UINT32_MAX;
    mw_site_table_add(&table, site, 48);
    check_counts(&table, allocated + 1, freed);
    mw_site_table_done(&table);
}

/* Thirty-two sites find room without any memory; those after them stop counting. */
TEST(site_table, carries_when_memory_is_refused)
{
    mw_failing_alloc failing = mw_failing_alloc_never();
    mw_site_table table;

    CHECK_OK(mw_site_table_init(&table, &failing.base));
    for (uint32_t i = 1; i <= 40; i++) {
        mw_site site;

        CHECK_OK(mw_site_table_intern(&table, (mw_path){i}, 0, 8, &site));
        mw_site_table_entry(&table, site)->allocated = UINT32_MAX;
        mw_site_table_entry(&table, site)->freed = UINT32_MAX;
    }
    failing.nth = failing.requests;
    for (uint32_t i = 1; i <= 40; i++) {
        mw_site_table_add(&table, (mw_site){i}, 8);
        CHECK_EQ(mw_site_table_total_blocks(&table, (mw_site){i}),
                 i <= 32 ? UINT64_C(1) << 32 : UINT32_MAX);
        mw_site_table_subtract(&table, (mw_site){i}, 8);
        CHECK_EQ(mw_site_table_live_blocks(&table, (mw_site){i}), 0);
    }
    CHECK(mw_site_table_is_consistent(&table));
    mw_site_table_done(&table);
    CHECK_EQ(failing.live_blocks, 0);
}

TEST(site_table, keeps_sizes_and_domains_apart_when_its_budget_is_used_up)
{
    const mw_path coarse = {77};
    mw_site_table table;
    mw_budget budget;
    mw_site known, site, again;

    mw_budget_init(&budget, mw_alloc_system());
    CHECK_OK(mw_site_table_init(&table, mw_alloc_system()));
    mw_site_table_limit(&table, &budget, coarse);
    CHECK_OK(mw_site_table_intern(&table, (mw_path){1}, 0, 8, &known));
    atomic_store(&budget.stage, MW_STAGE_CUT);
    CHECK_OK(mw_site_table_intern(&table, (mw_path){2}, 0, 8, &site));
    CHECK_EQ(mw_site_table_entry(&table, site)->path, 2);
    atomic_store(&budget.stage, MW_STAGE_COARSE);
    CHECK_OK(mw_site_table_intern(&table, (mw_path){1}, 0, 8, &site));
    CHECK_EQ(site.index, known.index);
    for (uint32_t path = 3; path < 100; path++) {
        for (uint32_t size = 0; size <= 2 * MW_SITE_SIZE_FIXED; size += 64) {
            CHECK_OK(
                mw_site_table_intern(&table, (mw_path){path}, (uint16_t)(path % 2), size, &site));
            CHECK_OK(mw_site_table_intern(&table, (mw_path){path + 2}, (uint16_t)(path % 2), size,
                                          &again));
            CHECK_EQ(site.index, again.index);
            CHECK_EQ(mw_site_table_entry(&table, site)->path, coarse.index);
            CHECK_EQ(mw_site_table_entry(&table, site)->domain, path % 2);
            CHECK_EQ(mw_site_table_entry(&table, site)->size, mw_site_size_class(size));
        }
    }
    CHECK_EQ(table.site_count, 2 + 2 * (MW_SITE_SIZE_FIXED / 64 + 2));
    CHECK(mw_site_table_is_consistent(&table));
    mw_site_table_done(&table);
}

TEST(site_table, refuses_more_sites_than_a_label_can_number)
{
    mw_site_table table, original;
    mw_site site = {77};

    CHECK_OK(mw_site_table_init(&table, mw_alloc_system()));
    original = table;
    table.count = table.capacity = MW_SITE_MAXIMUM; /* as if they were there */
    CHECK_EQ(mw_site_table_intern(&table, (mw_path){1}, 0, 8, &site), MW_LIMIT);
    CHECK_EQ(mw_site_table_intern(&table, (mw_path){1}, 0, 800, &site), MW_LIMIT);
    CHECK_EQ(site.index, 77);
    table = original;
    CHECK(mw_site_table_is_consistent(&table));
    mw_site_table_done(&table);
}

static uint32_t intern_many(mw_site_table *table)
{
    uint32_t refused = 0;

    for (uint32_t i = 0; i < 3000; i++) {
        size_t size_bytes = i % 3 == 0 ? 1000 : i % 512;
        mw_site site;
        mw_status status = mw_site_table_intern(table, (mw_path){i}, 0, size_bytes, &site);

        CHECK(status == MW_OK || status == MW_NO_MEMORY);
        if (status == MW_OK)
            mw_site_table_add(table, site, size_bytes);
        else
            refused++;
    }
    return refused;
}

TEST(site_table, returns_every_byte_whichever_allocation_fails)
{
    uint32_t refused = 1;

    for (size_t nth = 0; refused != 0; nth++) {
        mw_failing_alloc failing = mw_failing_alloc_at(nth);
        mw_site_table table;

        if (mw_site_table_init(&table, &failing.base) == MW_OK) {
            refused = intern_many(&table);
            CHECK(mw_site_table_is_consistent(&table));
            failing.nth = SIZE_MAX;
            CHECK_EQ(intern_many(&table), 0);
            CHECK_EQ(table.site_count, 3000);
            CHECK(mw_site_table_is_consistent(&table));
        }
        mw_site_table_done(&table);
        CHECK_EQ(failing.live_blocks, 0);
    }
}

TEST(site_table, is_consistent_sees_what_is_wrong)
{
    mw_site_table table;
    mw_site fixed, variable;

    CHECK_OK(mw_site_table_init(&table, mw_alloc_system()));
    CHECK_OK(mw_site_table_intern(&table, (mw_path){1}, 0, 8, &fixed));
    CHECK_OK(mw_site_table_intern(&table, (mw_path){1}, 0, 8000, &variable));
    mw_site_table_add(&table, variable, 8000);
    CHECK(mw_site_table_is_consistent(&table));
    mw_site_table_entry(&table, fixed)->freed++;
    CHECK(!mw_site_table_is_consistent(&table));
    mw_site_table_entry(&table, fixed)->freed--;
    mw_site_table_entry(&table, fixed)->path = 2;
    CHECK(!mw_site_table_is_consistent(&table));
    mw_site_table_entry(&table, fixed)->path = 1;
    mw_site_table_subtract(&table, variable, 7000);
    CHECK(!mw_site_table_is_consistent(&table));
    mw_site_table_done(&table);
}

/* ── epochs ──────────────────────────────────────────────────────────────────────── */

enum { EPOCH_PATHS = 30, EPOCHS = 40, EPOCH_STEPS = 300, EPOCH_LIVE = 500 };

/* What a table with epochs must say, kept the slow way. */
typedef struct epoch_twin {
    uint64_t live_bytes[EPOCH_PATHS][EPOCHS], live_blocks[EPOCH_PATHS][EPOCHS];
    uint64_t total_bytes[EPOCH_PATHS], total_blocks[EPOCH_PATHS];
    struct {
        mw_site site;
        size_t size_bytes;
        uint32_t path, epoch;
    } blocks[EPOCH_LIVE];
    uint32_t block_count;
} epoch_twin;

static bool allocate_in_epoch(mw_site_table *table, epoch_twin *twin, mw_random *random)
{
    uint32_t path = mw_random_below(random, EPOCH_PATHS);
    size_t size_bytes = mw_random_below(random, 3) == 0 ? 600 + path : 8 * (1 + path % 5);
    mw_site site;

    if (mw_site_table_intern(table, (mw_path){path}, 0, size_bytes, &site) != MW_OK)
        return false;
    mw_site_table_add(table, site, size_bytes);
    twin->live_bytes[path][table->epoch] += size_bytes;
    twin->live_blocks[path][table->epoch]++;
    twin->total_bytes[path] += size_bytes;
    twin->total_blocks[path]++;
    twin->blocks[twin->block_count].site = site;
    twin->blocks[twin->block_count].size_bytes = size_bytes;
    twin->blocks[twin->block_count].path = path;
    twin->blocks[twin->block_count++].epoch = table->epoch;
    return true;
}

static void deallocate_in_epoch(mw_site_table *table, epoch_twin *twin, mw_random *random)
{
    uint32_t i = mw_random_below(random, twin->block_count);

    mw_site_table_subtract(table, twin->blocks[i].site, twin->blocks[i].size_bytes);
    twin->live_bytes[twin->blocks[i].path][twin->blocks[i].epoch] -= twin->blocks[i].size_bytes;
    twin->live_blocks[twin->blocks[i].path][twin->blocks[i].epoch]--;
    twin->blocks[i] = twin->blocks[--twin->block_count];
}

/* What is alive by path and epoch, and what was ever allocated by path. */
static void check_epochs(const mw_site_table *table, const epoch_twin *twin)
{
    static epoch_twin found;

    memset(&found, 0, sizeof found);
    CHECK(mw_site_table_is_consistent(table));
    for (mw_site site = mw_site_table_first(table); site.index < table->count;
         site = mw_site_table_next(table, site)) {
        uint32_t path = mw_site_table_entry(table, site)->path;
        uint32_t epoch = mw_site_table_epoch(table, site);

        found.live_bytes[path][epoch] += mw_site_table_live_bytes(table, site);
        found.live_blocks[path][epoch] += mw_site_table_live_blocks(table, site);
        found.total_bytes[path] += mw_site_table_total_bytes(table, site);
        found.total_blocks[path] += mw_site_table_total_blocks(table, site);
    }
    CHECK(memcmp(found.live_bytes, twin->live_bytes, sizeof found.live_bytes) == 0);
    CHECK(memcmp(found.live_blocks, twin->live_blocks, sizeof found.live_blocks) == 0);
    CHECK(memcmp(found.total_bytes, twin->total_bytes, sizeof found.total_bytes) == 0);
    CHECK(memcmp(found.total_blocks, twin->total_blocks, sizeof found.total_blocks) == 0);
}

/* Runs a program through all epochs; whether the table never lacked memory. */
static bool live_through_epochs(mw_site_table *table, epoch_twin *twin, uint64_t seed)
{
    mw_random random = mw_random_of(seed);
    bool is_whole = mw_site_table_keep_epochs(table) == MW_OK;

    memset(twin, 0, sizeof *twin);
    for (uint32_t epoch = 0; epoch < EPOCHS && table->epochs != NULL; epoch++) {
        if (epoch != 0)
            mw_site_table_begin_epoch(table, epoch, 0, NULL);
        for (uint32_t step = 0; step < EPOCH_STEPS; step++) {
            if (twin->block_count != 0 &&
                (twin->block_count == EPOCH_LIVE || mw_random_below(&random, 20) < 9))
                deallocate_in_epoch(table, twin, &random);
            else
                is_whole = allocate_in_epoch(table, twin, &random) && is_whole;
        }
        check_epochs(table, twin);
    }
    return is_whole;
}

TEST(site_table, knows_what_is_alive_of_each_epoch)
{
    static epoch_twin twin;

    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        mw_site_table table;

        CHECK_OK(mw_site_table_init(&table, mw_alloc_system()));
        CHECK(live_through_epochs(&table, &twin, seed));
        mw_site_table_done(&table);
    }
}

TEST(site_table, uses_the_numbers_of_dead_sites_again)
{
    mw_site_table table;
    uint32_t count = 0;
    mw_site site;

    CHECK_OK(mw_site_table_init(&table, mw_alloc_system()));
    CHECK_OK(mw_site_table_keep_epochs(&table));
    for (uint32_t epoch = 1; epoch <= 1000; epoch++) {
        mw_site_table_begin_epoch(&table, epoch, 0, NULL);
        for (uint32_t i = 0; i < 50; i++) {
            CHECK_OK(mw_site_table_intern(&table, (mw_path){i}, 0, i % 2 == 0 ? 64 : 6400, &site));
            mw_site_table_add(&table, site, i % 2 == 0 ? 64 : 6400);
            mw_site_table_subtract(&table, site, i % 2 == 0 ? 64 : 6400);
        }
        if (epoch == 5)
            count = table.count;
    }
    /* Three epochs of sites (this, the one that is marked, the one that is dissolved). */
    CHECK_EQ(table.count, count);
    CHECK(count <= 1 + 50 * 2 + 3 * 75);
    CHECK(mw_site_table_is_consistent(&table));
    mw_site_table_done(&table);
}

/* A realloc that is under way when an epoch begins puts its block back afterwards. */
TEST(site_table, keeps_a_dead_site_for_one_more_epoch)
{
    mw_site_table table;
    mw_site site, other;

    CHECK_OK(mw_site_table_init(&table, mw_alloc_system()));
    CHECK_OK(mw_site_table_keep_epochs(&table));
    CHECK_OK(mw_site_table_intern(&table, (mw_path){1}, 0, 64, &site));
    mw_site_table_add(&table, site, 64);
    mw_site_table_subtract(&table, site, 64);
    mw_site_table_begin_epoch(&table, 1, 0, NULL);
    mw_site_table_add(&table, site, 64);
    mw_site_table_uncount(&table, site, 64);
    CHECK_EQ(mw_site_table_live_bytes(&table, site), 64);
    CHECK_EQ(mw_site_table_epoch(&table, site), 0);
    mw_site_table_begin_epoch(&table, 2, 0, NULL);
    mw_site_table_begin_epoch(&table, 3, 0, NULL);
    CHECK_EQ(mw_site_table_live_bytes(&table, site), 64);
    CHECK_OK(mw_site_table_intern(&table, (mw_path){1}, 0, 64, &other));
    CHECK(other.index != site.index);
    CHECK_EQ(mw_site_table_epoch(&table, other), 3);
    CHECK(mw_site_table_is_consistent(&table));
    mw_site_table_done(&table);
}

TEST(site_table, keeps_the_first_sites_and_folds_great_counts)
{
    mw_site_table table;
    mw_site kept, churned, folded = {0};

    CHECK_OK(mw_site_table_init(&table, mw_alloc_system()));
    CHECK_OK(mw_site_table_keep_epochs(&table));
    CHECK_OK(mw_site_table_intern(&table, (mw_path){1}, 7, 0, &kept));
    for (uint32_t epoch = 1; epoch <= 9; epoch++) {
        CHECK_OK(mw_site_table_intern(&table, (mw_path){2}, 0, 8, &churned));
        mw_site_table_entry(&table, churned)->allocated = UINT32_MAX;
        mw_site_table_entry(&table, churned)->freed = UINT32_MAX;
        mw_site_table_add(&table, churned, 8);
        mw_site_table_subtract(&table, churned, 8);
        mw_site_table_begin_epoch(&table, epoch, kept.index, NULL);
    }
    CHECK(!mw_site_is_free(&table, kept));
    for (mw_site site = mw_site_table_first(&table); site.index < table.count;
         site = mw_site_table_next(&table, site))
        if (mw_site_table_entry(&table, site)->size == MW_SITE_SIZE_FOLDED)
            folded = site;
    CHECK_EQ(mw_site_table_total_blocks(&table, folded), UINT64_C(8) << 32);
    CHECK_EQ(mw_site_table_total_bytes(&table, folded), UINT64_C(8) << 35);
    CHECK_EQ(mw_site_table_live_blocks(&table, folded), 0);
    CHECK(mw_site_table_is_consistent(&table));
    mw_site_table_done(&table);
}

TEST(site_table, loses_no_count_of_an_epoch_whichever_allocation_fails)
{
    static epoch_twin twin;
    bool is_whole = false;

    for (size_t nth = 0; !is_whole; nth++) {
        mw_failing_alloc failing = mw_failing_alloc_at(nth);
        mw_site_table table;

        if (mw_site_table_init(&table, &failing.base) == MW_OK)
            is_whole = live_through_epochs(&table, &twin, 1);
        mw_site_table_done(&table);
        CHECK_EQ(failing.live_blocks, 0);
    }
}

TEST(site_table, a_copy_stays_what_the_table_was)
{
    static epoch_twin twin, later;
    mw_failing_alloc failing = mw_failing_alloc_never();
    mw_site_table table, copy = {0};

    CHECK_OK(mw_site_table_init(&table, mw_alloc_system()));
    CHECK_OK(mw_site_table_copy(&table, &failing.base, &copy));
    CHECK_EQ(copy.count, 1);
    (void)live_through_epochs(&table, &twin, 3);
    CHECK_OK(mw_site_table_copy(&table, &failing.base, &copy));
    later = twin;
    while (later.block_count > 0) {
        mw_random random = mw_random_of(later.block_count);

        deallocate_in_epoch(&table, &later, &random);
    }
    for (mw_site site = mw_site_table_first(&copy); site.index < copy.count;
         site = mw_site_table_next(&copy, site)) {
        mw_site_entry *entry = mw_site_table_entry(&copy, site);

        twin.live_blocks[entry->path][mw_site_table_epoch(&copy, site)] -=
            mw_site_table_live_blocks(&copy, site);
    }
    for (uint32_t path = 0; path < EPOCH_PATHS; path++)
        for (uint32_t epoch = 0; epoch < EPOCHS; epoch++)
            CHECK_EQ(twin.live_blocks[path][epoch], 0);
    failing.nth = failing.requests;
    CHECK_OK(mw_site_table_copy(&table, &failing.base, &copy));
    copy.capacity = 1;
    CHECK_EQ(mw_site_table_copy(&table, &failing.base, &copy), MW_NO_MEMORY);
    copy.capacity = copy.epoch_capacity;
    mw_site_table_done(&copy);
    mw_site_table_done(&table);
    CHECK_EQ(failing.live_blocks, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(site_table, counts_like_a_list_of_rows_and_blocks),
        CASE(site_table, counts_more_blocks_than_a_counter_can),
        CASE(site_table, carries_when_memory_is_refused),
        CASE(site_table, keeps_sizes_and_domains_apart_when_its_budget_is_used_up),
        CASE(site_table, refuses_more_sites_than_a_label_can_number),
        CASE(site_table, returns_every_byte_whichever_allocation_fails),
        CASE(site_table, is_consistent_sees_what_is_wrong),
        CASE(site_table, knows_what_is_alive_of_each_epoch),
        CASE(site_table, uses_the_numbers_of_dead_sites_again),
        CASE(site_table, keeps_a_dead_site_for_one_more_epoch),
        CASE(site_table, keeps_the_first_sites_and_folds_great_counts),
        CASE(site_table, loses_no_count_of_an_epoch_whichever_allocation_fails),
        CASE(site_table, a_copy_stays_what_the_table_was),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
