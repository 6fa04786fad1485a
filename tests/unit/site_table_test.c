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
        CHECK_EQ(entry->live_blocks, twin->rows[row].live_blocks);
        CHECK_EQ(entry->total_blocks, twin->rows[row].total_blocks);
        CHECK_EQ(mw_site_table_live_bytes(table, site), twin->rows[row].live_bytes);
        if (mw_site_is_variable(table, site))
            CHECK_EQ(mw_site_table_bytes(table, site)->total_bytes, twin->rows[row].total_bytes);
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
            if (step % 200 == 0)
                check_agrees(&table, &twin);
        }
        CHECK(mw_site_table_memory_bytes(&table) <= failing.live_bytes);
        mw_site_table_done(&table);
        mw_site_table_done(&table);
        CHECK_EQ(failing.live_blocks, 0);
    }
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
    mw_site_table_entry(&table, fixed)->live_blocks--;
    CHECK(!mw_site_table_is_consistent(&table));
    mw_site_table_entry(&table, fixed)->live_blocks++;
    mw_site_table_entry(&table, fixed)->path = 2;
    CHECK(!mw_site_table_is_consistent(&table));
    mw_site_table_entry(&table, fixed)->path = 1;
    mw_site_table_subtract(&table, variable, 7000);
    CHECK(!mw_site_table_is_consistent(&table));
    mw_site_table_done(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(site_table, counts_like_a_list_of_rows_and_blocks),
        CASE(site_table, refuses_more_sites_than_a_label_can_number),
        CASE(site_table, returns_every_byte_whichever_allocation_fails),
        CASE(site_table, is_consistent_sees_what_is_wrong),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
