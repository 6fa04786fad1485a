/* SPDX-License-Identifier: MIT */
#include "core/estimate.h"

#include "testing.h"

#include <math.h>

enum { SAMPLE_BYTES = 4096, RUNS = 4000, GROUPS_MAXIMUM = 4 };

static void check_near(double value, double expected, double tolerance)
{
    if (!(fabs(value - expected) <= tolerance))
        fail_msg("%.10g is not within %g of %.10g", value, tolerance, expected);
}

/* ── numbers that are known ──────────────────────────────────────────────────────── */

/* Garwood's limits for a Poisson count, from published tables. */
TEST(estimate, has_the_quantiles_of_the_gamma_distribution)
{
    check_near(mw_gamma_quantile(1, 0.975), 3.68888, 1e-4);
    check_near(mw_gamma_quantile(2, 0.975), 5.57164, 1e-4);
    check_near(mw_gamma_quantile(11, 0.975), 18.39036, 1e-4);
    check_near(mw_gamma_quantile(10, 0.025), 4.79539, 1e-4);
    check_near(mw_gamma_quantile(50, 0.025), 37.11100, 1e-3);
    check_near(mw_gamma_quantile(0.5, 0.5), 0.22747, 1e-4);
}

TEST(estimate, weighs_a_block_by_its_probability)
{
    check_near(mw_sample_weight(SAMPLE_BYTES, SAMPLE_BYTES), 1 / (1 - exp(-1)), 1e-12);
    check_near(mw_sample_weight(16, UINT64_C(1) << 40), 0x1p36, 1);
    CHECK(mw_sample_weight(UINT64_C(1) << 40, SAMPLE_BYTES) == 1);
    /* What takes 16 bytes counts as that. */
    CHECK(mw_sample_weight(0, SAMPLE_BYTES) == mw_sample_weight(16, SAMPLE_BYTES));
    CHECK(mw_sample_weight(1, 1) > 1);
}

TEST(estimate, of_small_blocks_has_the_limits_of_a_poisson_count)
{
    const uint64_t sample_bytes = UINT64_C(1) << 36; /* so that p is nearly 0 */
    mw_estimate ten = mw_estimate_of(64, 10, sample_bytes);
    mw_estimate thousand = mw_estimate_of(64, 1000, sample_bytes);
    double distance = (double)sample_bytes;
    mw_interval interval = mw_estimate_bytes_interval(&ten, sample_bytes);

    check_near(ten.bytes, 10 * distance, 1e-6 * distance);
    check_near(interval.high, 18.39036 * distance, 1e-3 * distance);
    /* That ten were seen and not none makes no difference any more. */
    check_near(interval.low, 4.79539 * distance, 1e-1 * distance);
    interval = mw_estimate_bytes_interval(&thousand, sample_bytes);
    check_near(interval.low, 938.97 * distance, 0.1 * distance);
    check_near(interval.high, 1063.93 * distance, 0.1 * distance);
}

TEST(estimate, of_what_is_surely_sampled_errs_in_what_is_not_seen_alone)
{
    mw_estimate huge = mw_estimate_of(UINT64_C(1) << 30, 3, SAMPLE_BYTES);
    mw_interval interval = mw_estimate_bytes_interval(&huge, SAMPLE_BYTES);

    CHECK(huge.bytes == 3 * 0x1p30 && huge.bytes_variance == 0);
    CHECK(interval.low == huge.bytes);
    check_near(interval.high - huge.bytes, 3.68888 * SAMPLE_BYTES, 1);
}

/* What is known of blocks of one small size is what their sums say, too. */
TEST(estimate, of_sums_of_small_blocks_is_that_of_the_blocks)
{
    for (uint64_t size = 16; size <= SAMPLE_BYTES * 3 / 2; size *= 3) {
        mw_estimate blocks = mw_estimate_of(size, 1000000, SAMPLE_BYTES);
        mw_estimate sums =
            mw_estimate_of_sums((uint64_t)blocks.bytes, (uint64_t)blocks.blocks, SAMPLE_BYTES);

        check_near(sums.bytes_variance / blocks.bytes_variance, 1, 1e-4);
    }
}

/* Whatever sizes there are: the interval of the sums is less sure, never more. */
TEST(estimate, of_sums_is_never_surer_than_that_of_the_blocks)
{
    for (uint64_t seed = 0; seed < 20000; seed++) {
        mw_random random = mw_random_of(seed);
        mw_estimate blocks = {0}, sums;
        mw_interval inner, outer;

        for (uint32_t kinds = 1 + mw_random_below(&random, 4); kinds > 0; kinds--) {
            uint64_t size =
                1 + mw_random_below(&random, UINT32_C(1) << mw_random_below(&random, 29));
            uint64_t count = 1 + mw_random_below(&random, 1 << mw_random_below(&random, 12));
            mw_estimate part = mw_estimate_of(size, count, SAMPLE_BYTES);

            mw_estimate_add(&blocks, &part);
        }
        sums = mw_estimate_of_sums((uint64_t)llround(blocks.bytes),
                                   (uint64_t)llround(blocks.blocks), SAMPLE_BYTES);
        CHECK(sums.bytes_variance >= blocks.bytes_variance * (1 - 1e-4) - SAMPLE_BYTES);
        CHECK(sums.blocks_variance >= blocks.blocks_variance * (1 - 1e-4) - SAMPLE_BYTES / 16);
        inner = mw_estimate_bytes_interval(&blocks, SAMPLE_BYTES);
        outer = mw_estimate_bytes_interval(&sums, SAMPLE_BYTES);
        CHECK(outer.low <= inner.low + 1 && outer.high >= inner.high - 1);
    }
}

TEST(estimate, of_an_exact_number_is_that_number)
{
    mw_estimate exact = mw_estimate_exact(1000, 7);
    mw_interval bytes = mw_estimate_bytes_interval(&exact, 0);
    mw_interval blocks = mw_estimate_blocks_interval(&exact, 0);

    CHECK(bytes.low == 1000 && bytes.high == 1000);
    CHECK(blocks.low == 7 && blocks.high == 7);
}

TEST(estimate, of_one_sample_is_at_least_what_was_seen)
{
    mw_estimate one = mw_estimate_of(100, 1, SAMPLE_BYTES);
    mw_interval bytes = mw_estimate_bytes_interval(&one, SAMPLE_BYTES);
    mw_interval blocks = mw_estimate_blocks_interval(&one, SAMPLE_BYTES);

    CHECK(bytes.low >= 100 && bytes.low < 300);
    CHECK(blocks.low >= 1 && blocks.low < 3);
    CHECK(bytes.high > one.bytes && blocks.high > one.blocks);
}

TEST(estimate, counts_a_repeated_block_as_one_that_is_larger)
{
    mw_estimate part = mw_estimate_of(100, 5, SAMPLE_BYTES);
    mw_estimate thrice = {0};

    for (uint32_t times = 0; times < 3; times++)
        mw_estimate_add_again(&thrice, &part, times);
    check_near(thrice.bytes, 3 * part.bytes, 1e-6);
    check_near(thrice.bytes_variance, 9 * part.bytes_variance, 1e-3);
    CHECK(thrice.repeats == 3);
}

TEST(estimate, of_a_difference_contains_those_of_both_sides)
{
    mw_interval a = {80, 130}, b = {30, 70}, exact = {50, 50};
    mw_interval difference = mw_interval_of_difference(100, a, 50, b);

    check_near(difference.low, 50 - hypot(20, 20), 1e-9);
    check_near(difference.high, 50 + hypot(30, 20), 1e-9);
    difference = mw_interval_of_difference(100, a, 50, exact);
    check_near(difference.low, 30, 1e-9);
    check_near(difference.high, 80, 1e-9);
}

/* ── against chance ──────────────────────────────────────────────────────────────── */

/* Blocks whose whole is known. */
typedef struct population {
    const char *name;
    struct {
        uint64_t size_bytes;
        uint32_t count;
    } groups[GROUPS_MAXIMUM];
} population;

static double draw_uniform(mw_random *random)
{
    return (mw_random_below(random, 1 << 30) + 0.5) / (1 << 30);
}

static mw_estimate draw_sample(const population *whole, mw_random *random)
{
    mw_estimate sum = {0};

    for (int i = 0; i < GROUPS_MAXIMUM; i++) {
        double p = 1 / mw_sample_weight(whole->groups[i].size_bytes, SAMPLE_BYTES);
        uint64_t hits = 0;
        mw_estimate part;

        for (uint32_t block = 0; block < whole->groups[i].count; block++)
            hits += draw_uniform(random) < p;
        part = mw_estimate_of(whole->groups[i].size_bytes, hits, SAMPLE_BYTES);
        if (hits != 0)
            mw_estimate_add(&sum, &part);
    }
    return sum;
}

static bool covers(mw_interval interval, double truth)
{
    return interval.low <= truth * (1 + 1e-12) && truth * (1 - 1e-12) <= interval.high;
}

/* Mean and coverage, the latter among the runs in which anything is seen at all. */
static void check_population(const population *whole, uint64_t seed)
{
    mw_random random = mw_random_of(seed);
    double bytes = 0, blocks = 0, mean_bytes = 0, mean_blocks = 0, variance = 0;
    uint32_t seen = 0, bytes_covered = 0, blocks_covered = 0;

    for (int i = 0; i < GROUPS_MAXIMUM; i++) {
        bytes += (double)whole->groups[i].size_bytes * whole->groups[i].count;
        blocks += whole->groups[i].count;
    }
    for (uint32_t run = 0; run < RUNS; run++) {
        mw_estimate sum = draw_sample(whole, &random);

        mean_bytes += sum.bytes / RUNS;
        mean_blocks += sum.blocks / RUNS;
        variance += sum.bytes_variance / RUNS;
        if (sum.seen_blocks == 0)
            continue;
        seen++;
        bytes_covered += covers(mw_estimate_bytes_interval(&sum, SAMPLE_BYTES), bytes);
        blocks_covered += covers(mw_estimate_blocks_interval(&sum, SAMPLE_BYTES), blocks);
    }
    /* Five deviations of the mean. */
    check_near(mean_bytes, bytes, 5 * sqrt(variance / RUNS));
    check_near(mean_blocks, blocks, blocks * 0.2);
    if (bytes_covered < 0.945 * seen || blocks_covered < 0.945 * seen)
        fail_msg("%s: of %u, bytes cover %u and blocks %u", whole->name, seen, bytes_covered,
                 blocks_covered);
}

TEST(estimate, has_intervals_that_cover_the_truth_however_few_the_samples)
{
    static const population wholes[] = {
        {"hardly ever seen", {{50, 4}}},
        {"one mark every other time", {{40, 50}}},
        {"three marks", {{64, 192}}},
        {"ten marks", {{100, 410}}},
        {"a hundred marks", {{512, 800}}},
        {"as large as the distance", {{4096, 3}}},
        {"large", {{10000, 20}}},
        {"larger", {{16000, 40}}},
        {"nearly surely seen", {{22000, 12}}},
        {"surely seen", {{100000, 5}}},
        {"small and huge", {{32, 100}, {100000, 2}}},
        {"small, middling and large", {{24, 300}, {600, 40}, {5000, 10}, {60000, 2}}},
        {"many small beside few large", {{16, 2000}, {20000, 3}}},
        {"empty ones", {{0, 300}, {100, 30}}},
    };

    for (size_t i = 0; i < sizeof wholes / sizeof *wholes; i++)
        check_population(&wholes[i], 100 + i);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(estimate, has_the_quantiles_of_the_gamma_distribution),
        CASE(estimate, weighs_a_block_by_its_probability),
        CASE(estimate, of_small_blocks_has_the_limits_of_a_poisson_count),
        CASE(estimate, of_what_is_surely_sampled_errs_in_what_is_not_seen_alone),
        CASE(estimate, of_sums_of_small_blocks_is_that_of_the_blocks),
        CASE(estimate, of_sums_is_never_surer_than_that_of_the_blocks),
        CASE(estimate, of_an_exact_number_is_that_number),
        CASE(estimate, of_one_sample_is_at_least_what_was_seen),
        CASE(estimate, counts_a_repeated_block_as_one_that_is_larger),
        CASE(estimate, of_a_difference_contains_those_of_both_sides),
        CASE(estimate, has_intervals_that_cover_the_truth_however_few_the_samples),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
