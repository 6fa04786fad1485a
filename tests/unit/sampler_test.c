/* SPDX-License-Identifier: MIT */
#include "tracer/sampler.h"

#include "testing.h"

#include <math.h>
#include <pthread.h>

enum { SEEDS = 6, STEPS = 4000, ADDRESSES = 400, THREADS = 4, ROUNDS = 20000, DRAWS = 200000 };

static uintptr_t address_of(uint32_t number)
{
    return 0x7f0000000010 + (uintptr_t)number * 48;
}

/* Too large for a stack with a small limit, and there is one in a process anyway. */
static mw_sampler sampler;

static void begin(mw_alloc *alloc, uint64_t sample_bytes, uint64_t seed)
{
    CHECK_OK(mw_sampler_start(&sampler, alloc, sample_bytes,
                              &(mw_tracer_options){.frame_limit = 100}, seed));
}

static bool is_hit(size_t size_bytes)
{
    mw_guard guard = mw_sampler_enter();
    bool hit = mw_sampler_hits(&sampler, guard, size_bytes);

    mw_sampler_leave(guard);
    return hit;
}

/* ── chance ──────────────────────────────────────────────────────────────────────── */

/* The greatest distance of the marks' distribution function from the exponential one
 * (Kolmogorov and Smirnov), with marks found by blocks of 16 bytes. */
TEST(sampler, throws_marks_at_exponential_distances)
{
    enum { SAMPLE_BYTES = 16384, CELLS = 200, MARKS = 20000 };
    uint32_t cells[CELLS + 1] = {0};
    uint32_t distance = 0, sum = 0;
    double greatest = 0;

    begin(mw_alloc_system(), SAMPLE_BYTES, 42);
    for (uint32_t marks = 0; marks < MARKS;) {
        distance++;
        if (!is_hit(16))
            continue;
        cells[distance / 32 < CELLS ? distance / 32 : CELLS]++;
        distance = 0;
        marks++;
    }
    for (uint32_t cell = 0; cell < CELLS; cell++) {
        double blocks = 32 * (cell + 1) - 1; /* at most so many to the mark's block */
        double expected = -expm1(-blocks * 16 / SAMPLE_BYTES);

        sum += cells[cell];
        if (fabs((double)sum / MARKS - expected) > greatest)
            greatest = fabs((double)sum / MARKS - expected);
    }
    CHECK(greatest < 1.63 / sqrt(MARKS)); /* the 1 % point */
    mw_sampler_stop(&sampler);
}

/* Chi-square over sizes that come in random order. */
TEST(sampler, hits_blocks_with_the_probability_that_their_size_says)
{
    static const size_t sizes[] = {0, 1, 16, 100, 511, 513, 4096, 10000, 50000};
    enum { SIZES = sizeof sizes / sizeof *sizes, SAMPLE_BYTES = 4096 };
    uint32_t hits[SIZES] = {0}, draws[SIZES] = {0};
    mw_random random = mw_random_of(7);
    double chi_square = 0;

    begin(mw_alloc_system(), SAMPLE_BYTES, 43);
    for (uint32_t i = 0; i < DRAWS; i++) {
        uint32_t size = mw_random_below(&random, SIZES);

        draws[size]++;
        hits[size] += is_hit(sizes[size]);
    }
    for (uint32_t i = 0; i < SIZES; i++) {
        double p = 1 / mw_sample_weight(sizes[i], SAMPLE_BYTES);
        double expected = p * draws[i];

        if (p < 0.9999)
            chi_square += (hits[i] - expected) * (hits[i] - expected) / (expected * (1 - p));
        else
            CHECK_EQ(hits[i], draws[i]);
    }
    CHECK(chi_square < 20.1); /* 8 degrees of freedom, the 1 % point */
    mw_sampler_stop(&sampler);
}

/* The fast path and the slow one see the same marks. */
TEST(sampler, passes_over_exactly_the_blocks_that_no_mark_hits)
{
    bool expected[STEPS];
    uint32_t passed = 0;

    for (int way = 0; way < 2; way++) {
        mw_random random = mw_random_of(9);

        begin(mw_alloc_system(), 2000, 44);
        for (uint32_t i = 0; i < STEPS; i++) {
            size_t size = mw_random_below(&random, 700);
            bool passes = way == 1 && mw_sampler_passes(&sampler, size);
            bool hit = !passes && is_hit(size);

            passed += passes;
            if (way == 0)
                expected[i] = hit;
            else
                CHECK_EQ(hit, expected[i]);
        }
        mw_sampler_stop(&sampler);
    }
    CHECK(passed > STEPS / 2);
}

TEST(sampler, passes_nothing_while_inside)
{
    mw_guard guard;

    begin(mw_alloc_system(), UINT64_C(1) << 40, 1);
    CHECK(!mw_sampler_passes(&sampler, 100)); /* the clock is fresh */
    CHECK(!is_hit(100));
    CHECK(mw_sampler_passes(&sampler, 100));
    guard = mw_sampler_enter();
    CHECK(!mw_sampler_passes(&sampler, 100));
    mw_sampler_leave(guard);
    CHECK(mw_sampler_passes(&sampler, 100));
    mw_sampler_stop(&sampler);
}

/* What was left of a long distance means nothing to a session with a short one. */
TEST(sampler, begins_each_session_with_new_clocks)
{
    uint32_t hits = 0;

    begin(mw_alloc_system(), UINT64_C(1) << 40, 3);
    CHECK(!is_hit(100));
    mw_sampler_stop(&sampler);
    CHECK(!is_hit(SIZE_MAX / 2));
    begin(mw_alloc_system(), 1000, 3);
    for (int i = 0; i < 1000; i++)
        hits += !mw_sampler_passes(&sampler, 100) && is_hit(100);
    CHECK(hits > 60 && hits < 140);
    mw_sampler_stop(&sampler);
}

TEST(sampler, gives_each_session_random_numbers_of_its_own)
{
    bool differ = false;
    bool first[200];

    for (int session = 0; session < 2; session++) {
        begin(mw_alloc_system(), 1000, 0);
        for (int i = 0; i < 200; i++) {
            bool hit = is_hit(300);

            if (session == 0)
                first[i] = hit;
            differ = differ || hit != first[i];
        }
        mw_sampler_stop(&sampler);
    }
    CHECK(differ);
}

TEST(sampler, gives_a_forked_child_random_numbers_of_its_own)
{
    uint64_t seed;

    begin(mw_alloc_system(), 1000, 5);
    CHECK(!is_hit(0) || true);
    seed = sampler.seed;
    mw_sampler_before_fork(&sampler);
    mw_sampler_after_fork(&sampler);
    CHECK_EQ(sampler.seed, seed);
    CHECK_EQ(mw_the_sample_clock.session, sampler.session);
    mw_sampler_before_fork(&sampler);
    mw_sampler_after_fork_in_child(&sampler);
    CHECK(sampler.seed != seed);
    CHECK(mw_the_sample_clock.session != sampler.session);
    mw_sampler_stop(&sampler);
}

/* ── samples ─────────────────────────────────────────────────────────────────────── */

/* The slow twin: what is at each address. */
typedef struct sampler_twin {
    bool is_live[ADDRESSES];
    size_t size_bytes[ADDRESSES];
} sampler_twin;

static void check_agrees(const sampler_twin *twin, uint64_t sample_bytes)
{
    double live_bytes = 0;
    uint32_t live = 0;

    mw_raw_lane_lock(&sampler.lane);
    CHECK(mw_sampler_is_consistent(&sampler));
    for (uint32_t i = 0; i < ADDRESSES; i++) {
        const mw_address_entry *entry = mw_address_map_find(&sampler.lane.blocks, address_of(i));

        CHECK_EQ(entry != NULL, twin->is_live[i]);
        if (entry == NULL)
            continue;
        live++;
        CHECK(mw_sampler_may_know(&sampler, address_of(i)));
        CHECK_EQ(entry->value, twin->size_bytes[i]);
        live_bytes += (double)entry->value * mw_sample_weight(entry->value, sample_bytes);
    }
    CHECK_EQ(sampler.lane.blocks.count, live);
    CHECK(fabs(live_bytes - sampler.live_bytes) < 1);
    mw_raw_lane_unlock(&sampler.lane);
}

static void step(sampler_twin *twin, mw_random *random)
{
    mw_guard guard = mw_sampler_enter();
    uint32_t i = mw_random_below(random, ADDRESSES);
    size_t size_bytes = mw_random_below(random, 4) == 0 ? mw_random_below(random, 100000)
                                                        : mw_random_below(random, 600);
    mw_address_entry taken;
    bool is_known;

    mw_raw_lane_lock(&sampler.lane);
    if (mw_random_below(random, 2) == 0) {
        mw_sampler_remember(&sampler, guard, address_of(i), size_bytes,
                            (mw_path){mw_random_below(random, 20)});
        twin->is_live[i] = true;
        twin->size_bytes[i] = size_bytes;
    } else {
        is_known = mw_sampler_forget(&sampler, guard, address_of(i), &taken);
        CHECK_EQ(is_known, twin->is_live[i]);
        twin->is_live[i] = false;
        if (is_known && mw_random_below(random, 4) == 0) {
            mw_sampler_restore(&sampler, guard, &taken);
            twin->is_live[i] = true;
        }
    }
    mw_raw_lane_unlock(&sampler.lane);
    mw_sampler_leave(guard);
}

TEST(sampler, agrees_with_an_array_of_blocks)
{
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        mw_failing_alloc failing = mw_failing_alloc_never();
        mw_random random = mw_random_of(seed);
        uint64_t sample_bytes = 500 * seed;
        sampler_twin twin = {0};

        begin(&failing.base, sample_bytes, seed);
        is_hit(16); /* sets this thread's clock */
        for (uint32_t i = 0; i < STEPS; i++) {
            step(&twin, &random);
            if (i % 200 == 0)
                check_agrees(&twin, sample_bytes);
        }
        CHECK(mw_sampler_memory_bytes(&sampler) <= failing.live_bytes);
        mw_sampler_stop(&sampler);
        CHECK(mw_sampler_is_consistent(&sampler));
        CHECK_EQ(failing.live_blocks, 0);
    }
}

static double allocated_blocks(void)
{
    double blocks = 0;

    for (uint32_t site = 0; site < sampler.allocated_capacity; site++)
        blocks += sampler.allocated[site].seen_blocks;
    return blocks;
}

TEST(sampler, knows_what_was_allocated_after_it_was_freed)
{
    mw_guard guard;
    mw_address_entry taken;

    begin(mw_alloc_system(), 1000, 1);
    is_hit(16);
    guard = mw_sampler_enter();
    for (uint32_t i = 0; i < 500; i++) {
        mw_sampler_remember(&sampler, guard, address_of(i % 7), i * 10, (mw_path){i % 5});
        CHECK(mw_sampler_forget(&sampler, guard, address_of(i % 7), &taken));
        /* A block that comes back was allocated once. */
        mw_sampler_restore(&sampler, guard, &taken);
    }
    CHECK(allocated_blocks() == 500);
    CHECK_EQ(sampler.lane.blocks.count, 7);
    mw_sampler_leave(guard);
    mw_sampler_stop(&sampler);
}

TEST(sampler, records_nothing_that_was_hit_before_it_began_anew)
{
    mw_guard guard;

    begin(mw_alloc_system(), 1000, 1);
    is_hit(16);
    guard = mw_sampler_enter();
    CHECK_OK(mw_sampler_clear(&sampler));
    mw_sampler_remember(&sampler, guard, address_of(1), 100, (mw_path){1});
    CHECK_EQ(sampler.lane.blocks.count, 0);
    mw_sampler_leave(guard);
    mw_sampler_stop(&sampler);
}

static double false_positives(void)
{
    uint32_t positive = 0;

    for (uint32_t i = 0; i < 100000; i++)
        positive += mw_sampler_may_know(&sampler, 0x560000000000 + (uintptr_t)i * 64);
    return positive / 100000.0;
}

/* A heap of a gigabyte at the usual distance, and what it has freed since. */
TEST(sampler, answers_for_nearly_all_other_blocks_by_one_look)
{
    enum { LIVE = 2048, CHURN = 20000 };
    mw_random random = mw_random_of(3);
    mw_guard guard;

    begin(mw_alloc_system(), 512 * 1024, 1);
    is_hit(16);
    CHECK(false_positives() == 0);
    guard = mw_sampler_enter();
    for (uint32_t i = 0; i < LIVE + CHURN; i++) {
        if (i >= LIVE)
            mw_sampler_forget(&sampler, guard, address_of(i - LIVE), NULL);
        mw_sampler_remember(&sampler, guard, address_of(i), 1 + mw_random_below(&random, 1000),
                            (mw_path){1});
    }
    CHECK(mw_sampler_is_consistent(&sampler));
    CHECK_EQ(sampler.lane.blocks.count, LIVE);
    CHECK(false_positives() > 0 && false_positives() < 0.02);
    mw_sampler_leave(guard);
    mw_sampler_stop(&sampler);
    CHECK(false_positives() == 0);
}

TEST(sampler, returns_every_byte_whichever_allocation_fails)
{
    uint64_t lost = 1;

    for (size_t nth = 0; lost != 0; nth++) {
        mw_failing_alloc failing = mw_failing_alloc_at(nth);
        mw_guard guard;

        if (mw_sampler_start(&sampler, &failing.base, 1000, &(mw_tracer_options){.frame_limit = 10},
                             1) == MW_OK) {
            is_hit(16);
            guard = mw_sampler_enter();
            for (uint32_t i = 0; i < 2000; i++)
                mw_sampler_remember(&sampler, guard, 0x1000 + i * 16, i, (mw_path){i / 2});
            mw_sampler_leave(guard);
            lost = sampler.lane.lost_blocks;
            CHECK(sampler.lane.blocks.count + lost >= 2000);
        } else {
            CHECK(!mw_sampler_is_active(&sampler));
        }
        CHECK(mw_sampler_is_consistent(&sampler));
        mw_sampler_stop(&sampler);
        CHECK_EQ(failing.live_blocks, 0);
    }
}

/* ── snapshots ───────────────────────────────────────────────────────────────────── */

TEST(sampler, takes_snapshots_that_estimate_what_it_counts)
{
    mw_snapshot *snapshot = NULL;
    mw_guard guard;
    double allocated = 0;

    CHECK_EQ(mw_sampler_snapshot(&sampler, mw_alloc_system(), &snapshot), MW_UNSUPPORTED);
    begin(mw_alloc_system(), 3000, 1);
    is_hit(16);
    guard = mw_sampler_enter();
    for (uint32_t i = 0; i < 500; i++)
        mw_sampler_remember(&sampler, guard, address_of(i), 10 + i * 7, (mw_path){0});
    for (uint32_t i = 0; i < 250; i++)
        mw_sampler_forget(&sampler, guard, address_of(i), NULL);
    mw_sampler_leave(guard);
    CHECK_OK(mw_sampler_snapshot(&sampler, mw_alloc_system(), &snapshot));
    CHECK(mw_snapshot_is_consistent(snapshot));
    CHECK_EQ(mw_snapshot_sample_bytes(snapshot), 3000);
    CHECK_EQ(mw_snapshot_block_count(snapshot), 250);
    CHECK(fabs(mw_snapshot_estimate(snapshot).bytes - sampler.live_bytes) < 1);
    for (uint32_t site = 1; site <= mw_snapshot_site_count(snapshot); site++)
        if (mw_snapshot_allocated(snapshot, (mw_site){site}) != NULL)
            allocated += mw_snapshot_allocated(snapshot, (mw_site){site})->seen_blocks;
    CHECK(allocated == 500);
    mw_snapshot_release(snapshot);
    mw_sampler_stop(&sampler);
}

/* ── many threads ────────────────────────────────────────────────────────────────── */

typedef struct hammer {
    uint32_t number;
    uint32_t live;
    uint32_t hits;
} hammer;

/* Allocates and frees at addresses of its own, as the hooks do. */
static void *hammer_run(void *argument)
{
    hammer *self = argument;
    mw_random random = mw_random_of(self->number);
    bool is_sampled[64] = {false};

    for (uint32_t round = 0; round < ROUNDS; round++) {
        uint32_t i = mw_random_below(&random, 64);
        uintptr_t address = ((uintptr_t)self->number + 1) << 32 | (i + 1) * 16;
        size_t size_bytes = mw_random_below(&random, 1000);
        mw_guard guard;

        if (mw_sampler_may_know(&sampler, address)) {
            mw_raw_lane_lock(&sampler.lane);
            self->live -= mw_sampler_forget(&sampler, (mw_guard){true}, address, NULL);
            mw_raw_lane_unlock(&sampler.lane);
            is_sampled[i] = false;
        }
        if (is_sampled[i])
            return NULL; /* a sample was out of sight: `hits` will be too few */
        if (mw_sampler_passes(&sampler, size_bytes))
            continue;
        guard = mw_sampler_enter();
        if (mw_sampler_hits(&sampler, guard, size_bytes)) {
            mw_raw_lane_lock(&sampler.lane);
            mw_sampler_remember(&sampler, guard, address, size_bytes, (mw_path){i});
            mw_raw_lane_unlock(&sampler.lane);
            is_sampled[i] = true;
            self->hits++;
            self->live++;
        }
        mw_sampler_leave(guard);
    }
    return NULL;
}

TEST(sampler, loses_nothing_between_threads)
{
    pthread_t threads[THREADS];
    hammer hammers[THREADS] = {0};
    uint32_t live = 0;

    begin(mw_alloc_pages(), 2000, 11);
    for (uint32_t i = 0; i < THREADS; i++) {
        hammers[i] = (hammer){.number = i};
        CHECK_EQ(pthread_create(&threads[i], NULL, hammer_run, &hammers[i]), 0);
    }
    for (uint32_t i = 0; i < THREADS; i++) {
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
        live += hammers[i].live;
        /* Blocks of 500 bytes on average, marks 2000 apart. */
        CHECK(hammers[i].hits > ROUNDS / 6 && hammers[i].hits < ROUNDS / 3);
        CHECK(i == 0 || hammers[i].hits != hammers[i - 1].hits);
    }
    CHECK_EQ(sampler.lane.blocks.count, live);
    CHECK_EQ(sampler.lane.lost_blocks, 0);
    CHECK(mw_sampler_is_consistent(&sampler));
    mw_sampler_stop(&sampler);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(sampler, throws_marks_at_exponential_distances),
        CASE(sampler, hits_blocks_with_the_probability_that_their_size_says),
        CASE(sampler, passes_over_exactly_the_blocks_that_no_mark_hits),
        CASE(sampler, passes_nothing_while_inside),
        CASE(sampler, begins_each_session_with_new_clocks),
        CASE(sampler, gives_each_session_random_numbers_of_its_own),
        CASE(sampler, gives_a_forked_child_random_numbers_of_its_own),
        CASE(sampler, agrees_with_an_array_of_blocks),
        CASE(sampler, knows_what_was_allocated_after_it_was_freed),
        CASE(sampler, records_nothing_that_was_hit_before_it_began_anew),
        CASE(sampler, answers_for_nearly_all_other_blocks_by_one_look),
        CASE(sampler, returns_every_byte_whichever_allocation_fails),
        CASE(sampler, takes_snapshots_that_estimate_what_it_counts),
        CASE(sampler, loses_nothing_between_threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
