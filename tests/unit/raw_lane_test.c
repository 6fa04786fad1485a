/* SPDX-License-Identifier: MIT */
#include "tracer/raw_lane.h"

#include "testing.h"

#include <pthread.h>

enum { SEEDS = 10, STEPS = 4000, ADDRESSES = 400, THREADS = 4, ROUNDS = 20000 };

/* The slow twin: what is at each address. */
typedef struct lane_twin {
    bool is_live[ADDRESSES];
    size_t size_bytes[ADDRESSES];
    mw_path path[ADDRESSES];
    uint64_t live_bytes, peak_bytes;
} lane_twin;

static uintptr_t address_of(uint32_t number)
{
    return 0x7f0000000010 + (uintptr_t)number * 48;
}

static void check_agrees(mw_raw_lane *lane, const lane_twin *twin)
{
    uint32_t live = 0;

    mw_raw_lane_lock(lane);
    CHECK(mw_raw_lane_is_consistent(lane));
    for (uint32_t i = 0; i < ADDRESSES; i++) {
        const mw_address_entry *entry = mw_address_map_find(&lane->blocks, address_of(i));

        CHECK_EQ(entry != NULL, twin->is_live[i]);
        live += twin->is_live[i];
        if (entry == NULL)
            continue;
        CHECK_EQ(entry->value, twin->size_bytes[i]);
        CHECK_EQ(mw_site_table_entry(&lane->sites, (mw_site){entry->label})->path,
                 twin->path[i].index);
    }
    CHECK_EQ(lane->blocks.count, live);
    CHECK_EQ(lane->live_bytes, twin->live_bytes);
    CHECK_EQ(lane->peak_bytes, twin->peak_bytes);
    mw_raw_lane_unlock(lane);
}

static void twin_forget(lane_twin *twin, uint32_t i)
{
    if (twin->is_live[i])
        twin->live_bytes -= twin->size_bytes[i];
    twin->is_live[i] = false;
}

static void twin_remember(lane_twin *twin, uint32_t i, size_t size_bytes, mw_path path,
                          uint64_t main_live_bytes)
{
    twin_forget(twin, i);
    twin->is_live[i] = true;
    twin->size_bytes[i] = size_bytes;
    twin->path[i] = path;
    twin->live_bytes += size_bytes;
    if (twin->live_bytes + main_live_bytes > twin->peak_bytes)
        twin->peak_bytes = twin->live_bytes + main_live_bytes;
}

static void step(mw_raw_lane *lane, lane_twin *twin, mw_random *random)
{
    mw_guard guard = mw_guard_enter();
    uint32_t i = mw_random_below(random, ADDRESSES);
    size_t size_bytes = mw_random_below(random, 4) == 0 ? mw_random_below(random, 100000)
                                                        : mw_random_below(random, 600);
    mw_path path = {mw_random_below(random, 20) | mw_random_below(random, 2) << 31};
    uint64_t main_live_bytes = mw_random_below(random, 1000000);
    mw_address_entry taken;
    bool is_known;

    mw_raw_lane_lock(lane);
    if (mw_random_below(random, 2) == 0) {
        mw_raw_lane_remember(lane, guard, address_of(i), size_bytes, path, main_live_bytes);
        twin_remember(twin, i, size_bytes, path, main_live_bytes);
    } else {
        is_known = mw_raw_lane_forget(lane, guard, address_of(i), &taken);
        CHECK_EQ(is_known, twin->is_live[i]);
        if (is_known && mw_random_below(random, 4) == 0)
            mw_raw_lane_restore(lane, guard, &taken);
        else
            twin_forget(twin, i);
    }
    mw_raw_lane_unlock(lane);
    mw_guard_leave(guard);
}

TEST(raw_lane, agrees_with_an_array_of_blocks)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        mw_failing_alloc failing = mw_failing_alloc_never();
        mw_random random = mw_random_of(seed);
        mw_raw_lane lane = {.lock = MW_SPINLOCK_FREE};
        lane_twin twin = {0};

        CHECK(mw_raw_lane_is_consistent(&lane));
        CHECK_OK(mw_raw_lane_open(&lane, &failing.base, NULL));
        for (uint32_t i = 0; i < STEPS; i++) {
            step(&lane, &twin, &random);
            if (i % 200 == 0)
                check_agrees(&lane, &twin);
        }
        CHECK(mw_raw_lane_memory_bytes(&lane) <= failing.live_bytes);
        mw_raw_lane_close(&lane);
        CHECK(mw_raw_lane_is_consistent(&lane));
        CHECK_EQ(mw_raw_lane_memory_bytes(&lane), 0);
        CHECK_EQ(failing.live_blocks, 0);
    }
}

static uint64_t total_blocks(const mw_raw_lane *lane)
{
    uint64_t total = 0;

    for (mw_site site = mw_site_table_first(&lane->sites); site.index < lane->sites.count;
         site = mw_site_table_next(&lane->sites, site))
        total += mw_site_table_total_blocks(&lane->sites, site);
    return total;
}

TEST(raw_lane, counts_a_block_that_is_restored_once)
{
    mw_guard guard = mw_guard_enter();
    mw_raw_lane lane = {.lock = MW_SPINLOCK_FREE};
    mw_address_entry taken;

    CHECK_OK(mw_raw_lane_open(&lane, mw_alloc_system(), NULL));
    mw_raw_lane_lock(&lane);
    mw_raw_lane_remember(&lane, guard, 0x1000, 10, (mw_path){1}, 0);
    mw_raw_lane_remember(&lane, guard, 0x2000, 10000, (mw_path){1}, 0);
    for (uintptr_t address = 0x1000; address <= 0x2000; address += 0x1000) {
        CHECK(mw_raw_lane_forget(&lane, guard, address, &taken));
        mw_raw_lane_restore(&lane, guard, &taken);
    }
    CHECK_EQ(total_blocks(&lane), 2);
    CHECK_EQ(lane.live_bytes, 10010);
    CHECK(mw_raw_lane_is_consistent(&lane));
    mw_raw_lane_unlock(&lane);
    mw_raw_lane_close(&lane);
    mw_guard_leave(guard);
}

/* A realloc that fails while another thread clears: the block belongs to the past. */
TEST(raw_lane, does_not_restore_a_block_of_a_former_opening)
{
    mw_guard guard = mw_guard_enter();
    mw_raw_lane lane = {.lock = MW_SPINLOCK_FREE};
    mw_address_entry taken;

    CHECK_OK(mw_raw_lane_open(&lane, mw_alloc_system(), NULL));
    for (uint32_t i = 0; i < 3000; i++)
        mw_raw_lane_remember(&lane, guard, 0x1000 + i * 16, 1000, (mw_path){i}, 0);
    CHECK(mw_raw_lane_forget(&lane, guard, 0x1000 + 2999 * 16, &taken));
    mw_raw_lane_close(&lane);
    CHECK_OK(mw_raw_lane_open(&lane, mw_alloc_system(), NULL));
    mw_raw_lane_restore(&lane, guard, &taken);
    CHECK_EQ(lane.blocks.count, 0);
    CHECK(mw_raw_lane_is_consistent(&lane));
    mw_raw_lane_close(&lane);
    mw_guard_leave(guard);
}

TEST(raw_lane, returns_every_byte_whichever_allocation_fails)
{
    uint64_t lost = 1;

    for (size_t nth = 0; lost != 0; nth++) {
        mw_guard guard = mw_guard_enter();
        mw_failing_alloc failing = mw_failing_alloc_at(nth);
        mw_raw_lane lane = {.lock = MW_SPINLOCK_FREE};

        if (mw_raw_lane_open(&lane, &failing.base, NULL) == MW_OK) {
            for (uint32_t i = 0; i < 2000; i++)
                mw_raw_lane_remember(&lane, guard, 0x1000 + i * 16, i, (mw_path){i / 2}, 0);
            lost = lane.lost_blocks;
            CHECK_EQ(lane.blocks.count + lost, 2000);
            CHECK_EQ(lane.live_bytes + lane.lost_bytes, UINT64_C(2000) * 1999 / 2);
        } else {
            CHECK(!lane.is_active);
        }
        CHECK(mw_raw_lane_is_consistent(&lane));
        mw_raw_lane_close(&lane);
        CHECK_EQ(failing.live_blocks, 0);
        mw_guard_leave(guard);
    }
}

/* ── domains ─────────────────────────────────────────────────────────────────────── */

enum { DOMAINS = 5, TRACKED = 60 };

/* Python's own, NumPy's, the largest, and neighbours. */
static const uint32_t domain_ids[DOMAINS] = {MW_DOMAIN_PYTHON, 389047, UINT32_MAX, 1, 2};

typedef struct domains_twin {
    lane_twin of[DOMAINS];
    uint64_t live_bytes, peak_bytes;
} domains_twin;

/* Address 0 is one like any other. */
static uintptr_t tracked_address(uint32_t number)
{
    return (uintptr_t)number * 64;
}

static void check_domains_agree(mw_raw_lane *lane, const domains_twin *twin)
{
    CHECK(mw_raw_lane_is_consistent(lane));
    CHECK_EQ(lane->live_bytes, twin->live_bytes);
    CHECK_EQ(lane->peak_bytes, twin->peak_bytes);
    for (uint32_t d = 0; d < DOMAINS; d++)
        for (uint32_t i = 0; i < TRACKED; i++) {
            const mw_address_entry *entry =
                mw_raw_lane_find(lane, domain_ids[d], tracked_address(i));

            CHECK_EQ(entry != NULL, twin->of[d].is_live[i]);
            if (entry == NULL)
                continue;
            CHECK_EQ(entry->value, twin->of[d].size_bytes[i]);
            CHECK_EQ(mw_raw_lane_domain_of(
                         lane, mw_site_table_entry(&lane->sites, (mw_site){entry->label})->domain),
                     domain_ids[d]);
            CHECK_EQ(mw_site_table_entry(&lane->sites, (mw_site){entry->label})->path,
                     twin->of[d].path[i].index);
        }
}

static void step_in_domain(mw_raw_lane *lane, mw_guard guard, domains_twin *twin, mw_random *random)
{
    uint32_t d = mw_random_below(random, DOMAINS);
    uint32_t i = mw_random_below(random, TRACKED);
    size_t size_bytes = mw_random_below(random, 1200);
    mw_path path = {mw_random_below(random, 20)};
    lane_twin *blocks = &twin->of[d];

    if (blocks->is_live[i])
        twin->live_bytes -= blocks->size_bytes[i];
    if (mw_random_below(random, 3) != 0) {
        CHECK_OK(
            mw_raw_lane_track(lane, guard, domain_ids[d], tracked_address(i), size_bytes, path, 0));
        twin_remember(blocks, i, size_bytes, path, 0);
        twin->live_bytes += size_bytes;
    } else {
        CHECK_EQ(mw_raw_lane_untrack(lane, guard, domain_ids[d], tracked_address(i)),
                 blocks->is_live[i]);
        CHECK(!mw_raw_lane_untrack(lane, guard, domain_ids[d], tracked_address(i)));
        twin_forget(blocks, i);
    }
    if (twin->live_bytes > twin->peak_bytes)
        twin->peak_bytes = twin->live_bytes;
}

TEST(raw_lane, agrees_with_an_array_of_blocks_for_each_domain)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        mw_failing_alloc failing = mw_failing_alloc_never();
        mw_guard guard = mw_guard_enter();
        mw_random random = mw_random_of(seed);
        mw_raw_lane lane = {.lock = MW_SPINLOCK_FREE};
        domains_twin twin = {0};

        CHECK_OK(mw_raw_lane_open(&lane, &failing.base, NULL));
        for (uint32_t i = 0; i < STEPS; i++) {
            step_in_domain(&lane, guard, &twin, &random);
            if (i % 200 == 0)
                check_domains_agree(&lane, &twin);
        }
        CHECK(mw_raw_lane_memory_bytes(&lane) <= failing.live_bytes);
        mw_raw_lane_close(&lane);
        CHECK(mw_raw_lane_is_consistent(&lane));
        CHECK_EQ(failing.live_blocks, 0);
        mw_guard_leave(guard);
    }
}

TEST(raw_lane, loses_blocks_of_more_domains_than_it_has_numbers_for)
{
    mw_guard guard = mw_guard_enter();
    mw_raw_lane lane = {.lock = MW_SPINLOCK_FREE};

    CHECK_OK(mw_raw_lane_open(&lane, mw_alloc_system(), NULL));
    for (uint32_t domain = 1; domain <= MW_LANE_DOMAIN_MAXIMUM; domain++)
        CHECK_OK(mw_raw_lane_track(&lane, guard, domain, 64, 10, (mw_path){1}, 0));
    CHECK_EQ(mw_raw_lane_track(&lane, guard, UINT32_MAX, 64, 7, (mw_path){1}, 0), MW_LIMIT);
    CHECK_EQ(lane.lost_blocks, 1);
    CHECK_EQ(lane.lost_bytes, 7);
    CHECK(!mw_raw_lane_untrack(&lane, guard, UINT32_MAX, 64));
    /* Those it has go on, and so does Python's own. */
    CHECK_OK(mw_raw_lane_track(&lane, guard, MW_LANE_DOMAIN_MAXIMUM, 128, 20, (mw_path){1}, 0));
    CHECK_OK(mw_raw_lane_track(&lane, guard, MW_DOMAIN_PYTHON, 128, 30, (mw_path){1}, 0));
    CHECK_EQ(lane.live_bytes, 10 * MW_LANE_DOMAIN_MAXIMUM + 50);
    CHECK(mw_raw_lane_is_consistent(&lane));
    mw_raw_lane_close(&lane);
    CHECK(mw_raw_lane_is_consistent(&lane));
    mw_guard_leave(guard);
}

/* Each block is tracked twice; the second time may fail, and then leaves the first. */
TEST(raw_lane, keeps_or_loses_a_tracked_block_whichever_allocation_fails)
{
    uint64_t lost = 1;

    for (size_t nth = 0; lost != 0; nth++) {
        mw_guard guard = mw_guard_enter();
        mw_failing_alloc failing = mw_failing_alloc_at(nth);
        mw_raw_lane lane = {.lock = MW_SPINLOCK_FREE};
        uint64_t live_bytes = 0;

        if (mw_raw_lane_open(&lane, &failing.base, NULL) == MW_OK) {
            for (uint32_t i = 0; i < 2000; i++) {
                uint32_t domain = domain_ids[i % DOMAINS];
                const mw_address_entry *entry;
                mw_status first =
                    mw_raw_lane_track(&lane, guard, domain, i * 16, i, (mw_path){i / 2}, 0);
                mw_status again =
                    mw_raw_lane_track(&lane, guard, domain, i * 16, i + 1, (mw_path){i}, 0);

                entry = mw_raw_lane_find(&lane, domain, i * 16);
                CHECK_EQ(entry != NULL, first == MW_OK || again == MW_OK);
                if (entry != NULL)
                    CHECK_EQ(entry->value, again == MW_OK ? i + 1 : i);
                live_bytes += entry != NULL ? entry->value : 0;
            }
            lost = lane.lost_blocks;
            CHECK_EQ(lane.live_bytes, live_bytes);
        }
        CHECK(mw_raw_lane_is_consistent(&lane));
        mw_raw_lane_close(&lane);
        CHECK_EQ(failing.live_blocks, 0);
        mw_guard_leave(guard);
    }
}

/* ── many threads ────────────────────────────────────────────────────────────────── */

typedef struct hammer {
    mw_raw_lane *lane;
    uint32_t number;
    uint64_t live_bytes; /* when it is done */
} hammer;

/* Allocates, reallocates and frees at addresses of its own. */
static void *hammer_run(void *argument)
{
    hammer *self = argument;
    mw_random random = mw_random_of(self->number);
    size_t sizes[64] = {0};

    for (uint32_t round = 0; round < ROUNDS; round++) {
        mw_guard guard = mw_guard_enter();
        uint32_t i = mw_random_below(&random, 64);
        uintptr_t address = ((uintptr_t)self->number + 1) << 32 | (i + 1) * 16;
        mw_address_entry taken;

        mw_raw_lane_lock(self->lane);
        if (mw_raw_lane_forget(self->lane, guard, address, &taken)) {
            self->live_bytes -= sizes[i];
            sizes[i] = 0;
        } else {
            sizes[i] = 1 + mw_random_below(&random, 1000);
            self->live_bytes += sizes[i];
            mw_raw_lane_remember(self->lane, guard, address, sizes[i], (mw_path){i}, 0);
        }
        mw_raw_lane_unlock(self->lane);
        mw_guard_leave(guard);
    }
    return NULL;
}

TEST(raw_lane, loses_nothing_between_threads)
{
    mw_raw_lane lane = {.lock = MW_SPINLOCK_FREE};
    pthread_t threads[THREADS];
    hammer hammers[THREADS] = {0};
    uint64_t live_bytes = 0;

    CHECK_OK(mw_raw_lane_open(&lane, mw_alloc_pages(), NULL));
    for (uint32_t i = 0; i < THREADS; i++) {
        hammers[i] = (hammer){.lane = &lane, .number = i};
        CHECK_EQ(pthread_create(&threads[i], NULL, hammer_run, &hammers[i]), 0);
    }
    for (uint32_t i = 0; i < THREADS; i++) {
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
        live_bytes += hammers[i].live_bytes;
    }
    CHECK_EQ(lane.live_bytes, live_bytes);
    CHECK_EQ(lane.lost_blocks, 0);
    CHECK(mw_raw_lane_is_consistent(&lane));
    mw_raw_lane_close(&lane);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(raw_lane, agrees_with_an_array_of_blocks),
        CASE(raw_lane, counts_a_block_that_is_restored_once),
        CASE(raw_lane, does_not_restore_a_block_of_a_former_opening),
        CASE(raw_lane, returns_every_byte_whichever_allocation_fails),
        CASE(raw_lane, agrees_with_an_array_of_blocks_for_each_domain),
        CASE(raw_lane, loses_blocks_of_more_domains_than_it_has_numbers_for),
        CASE(raw_lane, keeps_or_loses_a_tracked_block_whichever_allocation_fails),
        CASE(raw_lane, loses_nothing_between_threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
