/* SPDX-License-Identifier: MIT */
#include "testing.h"

#include "core/trend.h"

#include <math.h>

static double slopes[MW_TREND_SLOPES_MAXIMUM];

static double uniform(mw_random *random)
{
    return (mw_random_below(random, 1 << 30) + 0.5) / (1 << 30);
}

static double normal(mw_random *random)
{
    return sqrt(-2 * log(uniform(random))) * cos(6.283185307179586 * uniform(random));
}

TEST(trend, of_a_line_is_its_slope)
{
    double x[40], y[40];
    mw_trend trend;

    for (int i = 0; i < 40; i++) {
        x[i] = i * 0.5;
        y[i] = 100 + 3 * x[i];
    }
    trend = mw_trend_of(x, y, 40, slopes);
    CHECK_NEAR(trend.slope, 3, 1e-9);
    CHECK_NEAR(trend.low, 3, 1e-9);
    CHECK_NEAR(trend.high, 3, 1e-9);
}

TEST(trend, of_less_than_three_points_is_nothing)
{
    double x[2] = {0, 1}, y[2] = {0, 5};

    CHECK_NEAR(mw_trend_of(x, y, 2, slopes).slope, 0, 0);
    CHECK_NEAR(mw_trend_of(x, y, 0, slopes).high, 0, 0);
}

TEST(trend, stays_when_a_fifth_of_the_points_is_wild)
{
    double x[60], y[60];
    mw_trend trend;

    for (int i = 0; i < 60; i++) {
        x[i] = i;
        y[i] = i % 5 == 2 ? 1e6 : 7 * i;
    }
    trend = mw_trend_of(x, y, 60, slopes);
    CHECK_NEAR(trend.slope, 7, 0.5);
}

TEST(trend, of_more_points_than_it_takes_is_that_of_all)
{
    static double x[1000], y[1000];

    for (int i = 0; i < 1000; i++) {
        x[i] = i;
        y[i] = -2 * i + i % 7;
    }
    CHECK_NEAR(mw_trend_of(x, y, 1000, slopes).slope, -2, 0.01);
}

/* How often in a hundred the interval holds the true slope, where errors keep [memory] of
 * what they were a step before. */
static double coverage(double memory, uint32_t count)
{
    enum { TRIALS = 400 };
    double x[MW_TREND_POINTS_MAXIMUM], y[MW_TREND_POINTS_MAXIMUM];
    mw_random random = mw_random_of(7);
    int held = 0;

    for (int trial = 0; trial < TRIALS; trial++) {
        double error = normal(&random) / sqrt(1 - memory * memory);
        mw_trend trend;

        for (uint32_t i = 0; i < count; i++) {
            x[i] = i;
            y[i] = 0.05 * i + error;
            error = memory * error + normal(&random);
        }
        trend = mw_trend_of(x, y, count, slopes);
        held += trend.low <= 0.05 && 0.05 <= trend.high;
    }
    return 100.0 * held / TRIALS;
}

TEST(trend, interval_holds_the_truth_in_95_of_100_cases)
{
    double held = coverage(0, 40);

    CHECK(held >= 92 && held <= 99);
}

TEST(trend, interval_allows_for_errors_that_last)
{
    /* Sen's own interval would hold it in about 69 of 100 at 0.6, and in 38 at 0.9. */
    CHECK(coverage(0.6, 60) >= 90);
    CHECK(coverage(0.6, 24) >= 87);
    CHECK(coverage(0.9, 60) >= 83);
}

/* Looked at from its end, a series is as wide. */
TEST(trend, is_the_same_backwards)
{
    enum { COUNT = 100 };
    double x[COUNT], y[COUNT], back[COUNT], error = 3;
    mw_random random = mw_random_of(11);
    mw_trend trend, mirrored;

    for (uint32_t i = 0; i < COUNT; i++) {
        error = 0.5 * error + normal(&random);
        x[i] = i;
        y[i] = 0.1 * i + error;
        back[COUNT - 1 - i] = y[i];
    }
    trend = mw_trend_of(x, y, COUNT, slopes);
    mirrored = mw_trend_of(x, back, COUNT, slopes);
    CHECK(trend.low < trend.slope && trend.slope < trend.high);
    CHECK_NEAR(mirrored.slope, -trend.slope, 1e-9);
    CHECK_NEAR(mirrored.low, -trend.high, 1e-4);
    CHECK_NEAR(mirrored.high, -trend.low, 1e-4);
}

TEST(trend, ranks_are_told_of_as_many_as_there_is_room_for)
{
    double low[MW_TREND_POINTS_MAXIMUM + 1], high[MW_TREND_POINTS_MAXIMUM + 1];

    for (uint32_t i = 0; i <= MW_TREND_POINTS_MAXIMUM; i++) {
        low[i] = i;
        high[i] = 1000 + i;
    }
    CHECK(mw_ranks_below(low, MW_TREND_POINTS_MAXIMUM, high, MW_TREND_POINTS_MAXIMUM) > 10);
    CHECK_NEAR(mw_ranks_below(low, MW_TREND_POINTS_MAXIMUM + 1, high, 4), 0, 0);
    CHECK_NEAR(mw_ranks_below(low, 4, high, MW_TREND_POINTS_MAXIMUM + 1), 0, 0);
}

TEST(trend, ranks_tell_smaller_from_equal)
{
    double low[] = {1, 2, 3, 4}, high[] = {5, 6, 7, 8}, same[] = {3, 3, 3, 3};

    CHECK(mw_ranks_below(low, 4, high, 4) > 1.96);
    CHECK(mw_ranks_below(high, 4, low, 4) < -1.96);
    CHECK_NEAR(mw_ranks_below(same, 4, same, 4), 0, 0);
    CHECK_NEAR(mw_ranks_below(low, 3, high, 4), 0, 0);
}

TEST(trend, ranks_are_wrong_as_seldom_as_they_say)
{
    enum { TRIALS = 4000 };
    mw_random random = mw_random_of(3);
    int wrong = 0;

    for (int trial = 0; trial < TRIALS; trial++) {
        double a[8], b[8];
        for (int i = 0; i < 8; i++) {
            a[i] = uniform(&random);
            b[i] = uniform(&random);
        }
        wrong += mw_ranks_below(a, 8, b, 8) >= 1.645;
    }
    CHECK(wrong * 100 >= 3 * TRIALS && wrong * 100 <= 6 * TRIALS);
}

static int by_value(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;

    return (left > right) - (left < right);
}

TEST(trend, selection_is_what_sorting_gives)
{
    mw_random random = mw_random_of(1);

    for (uint32_t round = 0; round < 300; round++) {
        double numbers[50], sorted[50];
        uint32_t count = 1 + mw_random_below(&random, 50);
        uint32_t rank = mw_random_below(&random, count);

        for (uint32_t i = 0; i < count; i++)
            numbers[i] = mw_random_below(&random, 20);
        memcpy(sorted, numbers, sizeof sorted);
        qsort(sorted, count, sizeof *sorted, by_value);
        CHECK_NEAR(mw_select(numbers, count, rank), sorted[rank], 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(trend, of_a_line_is_its_slope),
        CASE(trend, of_less_than_three_points_is_nothing),
        CASE(trend, stays_when_a_fifth_of_the_points_is_wild),
        CASE(trend, of_more_points_than_it_takes_is_that_of_all),
        CASE(trend, interval_holds_the_truth_in_95_of_100_cases),
        CASE(trend, interval_allows_for_errors_that_last),
        CASE(trend, is_the_same_backwards),
        CASE(trend, ranks_are_told_of_as_many_as_there_is_room_for),
        CASE(trend, ranks_tell_smaller_from_equal),
        CASE(trend, ranks_are_wrong_as_seldom_as_they_say),
        CASE(trend, selection_is_what_sorting_gives),
    };

    return cmocka_run_group_tests_name("trend", tests, NULL, NULL);
}
