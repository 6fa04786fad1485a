/* SPDX-License-Identifier: MIT */
#include "core/trend.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The normal distribution's quantile that leaves 2.5 % on either side. */
#define NORMAL_QUANTILE 1.959964

/* ── order ───────────────────────────────────────────────────────────────────────── */

/* Hoare's selection; the middle of three is the pivot, so that sorted numbers, which are
 * common here, cost no more than others. */
double mw_select(double *numbers, uint32_t count, uint32_t rank)
{
    int64_t low = 0, high = (int64_t)count - 1, wanted = rank;

    assert(rank < count);
    while (low < high) {
        double a = numbers[low], b = numbers[(low + high) / 2], c = numbers[high];
        double pivot = fmax(fmin(a, b), fmin(fmax(a, b), c));
        int64_t i = low, j = high;

        while (i <= j) {
            while (numbers[i] < pivot)
                i++;
            while (numbers[j] > pivot)
                j--;
            if (i <= j) {
                double swapped = numbers[i];
                numbers[i++] = numbers[j];
                numbers[j--] = swapped;
            }
        }
        if (wanted <= j)
            high = j;
        else if (wanted >= i)
            low = i;
        else
            break;
    }
    return numbers[wanted];
}

double mw_median(double *numbers, uint32_t count)
{
    double upper;

    if (count == 0)
        return 0;
    upper = mw_select(numbers, count, count / 2);
    return count % 2 == 1 ? upper : (upper + mw_select(numbers, count, count / 2 - 1)) / 2;
}

/* ── what residuals have in common with themselves later ─────────────────────────── */

static int by_value(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;

    return (left > right) - (left < right);
}

/* Writes the rank of each number, 1 … count; equal ones share the mean of theirs. */
static void rank_all(const double *numbers, uint32_t count, double *ret_ranks)
{
    double sorted[2 * MW_TREND_POINTS_MAXIMUM];

    memcpy(sorted, numbers, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, by_value);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t below = 0, high = count, equal;

        while (below < high) {
            uint32_t middle = (below + high) / 2;
            if (sorted[middle] < numbers[i])
                below = middle + 1;
            else
                high = middle;
        }
        for (equal = 1; below + equal < count && sorted[below + equal] == numbers[i];)
            equal++;
        ret_ranks[i] = below + (equal + 1) / 2.0;
    }
}

/* What the residuals' ranks keep of what they were a point before, from 0 to almost 1.  A short
 * series seems to keep less than it does, by (1 + 3 r) / n where its mean was taken away
 * (F. H. C. Marriott and J. A. Pope, Biometrika 41, 1954, 390-402), and by (2 + 4 r) / n where
 * a line was. */
static double memory_of(const double *residuals, uint32_t count)
{
    double ranks[2 * MW_TREND_POINTS_MAXIMUM];
    double n = count, mean = (n + 1) / 2, square = 0, product = 0;

    rank_all(residuals, count, ranks);
    for (uint32_t i = 0; i < count; i++) {
        square += (ranks[i] - mean) * (ranks[i] - mean);
        if (i != 0)
            product += (ranks[i - 1] - mean) * (ranks[i] - mean);
    }
    if (square == 0 || n <= 4)
        return 0;
    return fmax(0, fmin(1 - 1 / n, (product / square + 2 / n) / (1 - 4 / n)));
}

/* By how much the variance of Kendall's S is larger than that of independent points. */
static double variance_factor(const double *residuals, uint32_t count)
{
    double memory = memory_of(residuals, count), common = 1, sum = 0, n = count;

    for (uint32_t lag = 1; lag < count; lag++) {
        common *= memory;
        sum += (1 - lag / n) * common;
    }
    return 1 + 2 * sum;
}

/* ── the trend ───────────────────────────────────────────────────────────────────── */

/* Takes points evenly where there are too many; returns how many there are now. */
static uint32_t thin_out(const double *x, const double *y, uint32_t count, double *ret_x,
                         double *ret_y)
{
    uint32_t kept = count < MW_TREND_POINTS_MAXIMUM ? count : MW_TREND_POINTS_MAXIMUM;

    for (uint32_t i = 0; i < kept; i++) {
        uint64_t from = kept == 1 ? 0 : (uint64_t)i * (count - 1) / (kept - 1);
        ret_x[i] = x[from];
        ret_y[i] = y[from];
    }
    return kept;
}

static uint32_t slopes_of_pairs(const double *x, const double *y, uint32_t count, double *slopes)
{
    uint32_t pairs = 0;

    for (uint32_t i = 0; i < count; i++)
        for (uint32_t j = i + 1; j < count; j++)
            slopes[pairs++] = (y[j] - y[i]) / (x[j] - x[i]);
    return pairs;
}

mw_trend mw_trend_of(const double *x, const double *y, uint32_t count, double *slopes)
{
    double at[MW_TREND_POINTS_MAXIMUM], values[MW_TREND_POINTS_MAXIMUM];
    mw_trend trend = {0};
    double n, width, last;
    uint32_t pairs;

    if (count < 3)
        return trend;
    count = thin_out(x, y, count, at, values);
    pairs = slopes_of_pairs(at, values, count, slopes);
    trend.slope = mw_median(slopes, pairs);

    for (uint32_t i = 0; i < count; i++)
        values[i] -= trend.slope * at[i];
    n = count;
    width = NORMAL_QUANTILE * sqrt(n * (n - 1) * (2 * n + 5) / 18 * variance_factor(values, count));
    last = pairs - 1;
    trend.low = mw_select(slopes, pairs, (uint32_t)fmax(0, floor((last - width) / 2)));
    trend.high = mw_select(slopes, pairs, (uint32_t)fmin(last, ceil((last + width) / 2)));
    return trend;
}

/* ── smaller and larger ──────────────────────────────────────────────────────────── */

double mw_ranks_below(const double *a, uint32_t a_count, const double *b, uint32_t b_count)
{
    double both[2 * MW_TREND_POINTS_MAXIMUM], ranks[2 * MW_TREND_POINTS_MAXIMUM];
    uint32_t count = a_count + b_count;
    double n = count, sum = 0, square = 0, mean = (n + 1) / 2, distance;

    if (a_count < MW_RANKS_MINIMUM || b_count < MW_RANKS_MINIMUM ||
        a_count > MW_TREND_POINTS_MAXIMUM || b_count > MW_TREND_POINTS_MAXIMUM)
        return 0;
    memcpy(both, a, a_count * sizeof *a);
    memcpy(both + a_count, b, b_count * sizeof *b);
    rank_all(both, count, ranks);
    for (uint32_t i = 0; i < count; i++) {
        sum += i < a_count ? ranks[i] : 0;
        square += (ranks[i] - mean) * (ranks[i] - mean);
    }
    if (square == 0)
        return 0;

    /* Half a rank is the step between two sums, for which a continuous law allows. */
    distance = a_count * mean - sum;
    distance = copysign(fmax(0, fabs(distance) - 0.5), distance);
    return distance / sqrt((double)a_count * b_count / (n * (n - 1)) * square);
}
