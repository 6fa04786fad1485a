/* SPDX-License-Identifier: MIT */
#include "core/estimate.h"

#include <math.h>

/* What lies outside of the interval, on each side. */
#define TAIL 0.025
/* The normal distribution's quantile of 1 - TAIL. */
#define NORMAL_QUANTILE 1.959963984540054

enum {
    SERIES_MAXIMUM = 1000,
    BISECTIONS = 60,
    /* From this shape on Wilson and Hilferty's approximation is good to four digits. */
    SHAPE_LARGE = 60,
};

/* ── weights ─────────────────────────────────────────────────────────────────────── */

static double probability_of(uint64_t size_bytes, uint64_t sample_bytes)
{
    return -expm1(-(double)mw_sampled_bytes(size_bytes) / (double)sample_bytes);
}

double mw_sample_weight(uint64_t size_bytes, uint64_t sample_bytes)
{
    return 1 / probability_of(size_bytes, sample_bytes);
}

mw_estimate mw_estimate_of(uint64_t size_bytes, uint64_t count, uint64_t sample_bytes)
{
    double size = (double)size_bytes, blocks = (double)count;
    double p = probability_of(size_bytes, sample_bytes);
    double variance = blocks * (1 - p) / (p * p);

    return (mw_estimate){
        .blocks = blocks / p,
        .bytes = blocks * size / p,
        .seen_blocks = blocks,
        .seen_bytes = blocks * size,
        .blocks_variance = variance,
        .bytes_variance = variance * size * size,
        .unseen_square = variance * p * size * size,
        .repeats = 1,
    };
}

/* The largest variance of [bytes], as a part of sample_bytes · bytes, where the mean size is [t]
 * times the distance of marks.
 *
 * A sample of the size s adds to the variance y(s) = s / (exp(s / N) - 1) for each byte for which
 * it stands.  Of samples of several sizes, the mean of y is the largest where it lies on the
 * concave hull of y over 1/s, since 1/s is what adds up, to blocks / bytes.  The hull is y itself
 * for the smaller sizes; beyond the t where s · y is the largest, it is the line from there to
 * 0. */
static double largest_variance(double t)
{
    static const double tangent = 1.5936242600400401;       /* 2 (exp(t) - 1) = t exp(t) */
    static const double tangent_product = 0.64761023789191; /* t² / (exp(t) - 1) there   */

    if (t >= tangent)
        return tangent_product / t;
    return t > 0 ? t / expm1(t) : 1;
}

/* What is not known of the sizes is made up for, so that the interval holds the one that the blocks
 * themselves would have: half a block for what rounding took, two marks more instead of one, and
 * half a distance that may be missing at the lower end.  The test compares with blocks of all
 * kinds of sizes. */
mw_estimate mw_estimate_of_sums(uint64_t bytes, uint64_t blocks, uint64_t sample_bytes)
{
    double distance = (double)sample_bytes;
    double mean = (double)bytes / ((double)blocks + 0.5);
    double weight = mw_sample_weight(MW_SAMPLED_BYTES_MINIMUM, sample_bytes);
    double unseen = (double)bytes * largest_variance(mean / distance);

    return (mw_estimate){
        .blocks = (double)blocks,
        .bytes = (double)bytes,
        .seen_bytes = (double)bytes - unseen,
        .blocks_variance = (double)blocks * (weight - 1),
        .bytes_variance = unseen * distance,
        .unseen_square = (double)bytes * distance / 2,
        .repeats = blocks != 0 ? 2 : 0,
    };
}

mw_estimate mw_estimate_exact(uint64_t bytes, uint64_t blocks)
{
    return (mw_estimate){
        .blocks = (double)blocks,
        .bytes = (double)bytes,
        .seen_blocks = (double)blocks,
        .seen_bytes = (double)bytes,
        .repeats = 1,
    };
}

void mw_estimate_add_again(mw_estimate *sum, const mw_estimate *part, uint32_t times)
{
    /* (times + 1)² - times²: the deviations of one block's copies add up. */
    double share = 2 * (double)times + 1;
    double repeats = part->repeats * (times + 1);

    sum->blocks += part->blocks;
    sum->bytes += part->bytes;
    sum->seen_blocks += part->seen_blocks;
    sum->seen_bytes += part->seen_bytes;
    sum->blocks_variance += part->blocks_variance * share;
    sum->bytes_variance += part->bytes_variance * share;
    sum->unseen_square += part->unseen_square * share;
    if (repeats > sum->repeats)
        sum->repeats = repeats;
}

void mw_estimate_add(mw_estimate *sum, const mw_estimate *part)
{
    mw_estimate_add_again(sum, part, 0);
}

/* ── the gamma distribution ──────────────────────────────────────────────────────── */

/* Its distribution function P(shape, x), by the series that converges for all x; here x is
 * never far above the shape. */
static double gamma_probability(double shape, double x)
{
    double term = 1 / shape, sum = term;
    int sign;

    if (x <= 0)
        return 0;
    for (int i = 1; i < SERIES_MAXIMUM && term > sum * 1e-14; i++) {
        term *= x / (shape + i);
        sum += term;
    }
    return sum * exp(shape * log(x) - x - lgamma_r(shape, &sign));
}

/* Wilson and Hilferty: the cube root is nearly normal. */
static double large_quantile(double shape, double normal)
{
    double root = 1 - 1 / (9 * shape) + normal / (3 * sqrt(shape));

    return shape * root * root * root;
}

/* The x at which P(shape, x) is [probability], or that part of it which is left when a
 * count of zero is ruled out. */
static double quantile_between(double shape, double probability, bool is_truncated)
{
    double low = 0, high = shape + 10 * sqrt(shape) + 20;

    for (int i = 0; i < BISECTIONS; i++) {
        double x = (low + high) / 2;
        double wanted = is_truncated ? -expm1(-x) * probability : probability;

        if (gamma_probability(shape, x) < wanted)
            low = x;
        else
            high = x;
    }
    return low;
}

double mw_gamma_quantile(double shape, double probability)
{
    return quantile_between(shape, probability, false);
}

/* The least mean of a Poisson count that makes [count] or more as likely as TAIL, given
 * that it is not zero. */
static double lower_mean(double count)
{
    if (count <= 1)
        return 0;
    if (count > SHAPE_LARGE)
        return large_quantile(count, -NORMAL_QUANTILE);
    return quantile_between(count, TAIL, true);
}

/* The mean that makes less than [count] as likely as TAIL. */
static double upper_mean(double count)
{
    if (count > SHAPE_LARGE)
        return large_quantile(count, NORMAL_QUANTILE);
    return quantile_between(count, 1 - TAIL, false);
}

/* ── intervals ───────────────────────────────────────────────────────────────────── */

/* [seen] is certain; [unseen], estimated with [variance], comes in blocks of [block]; a mark
 * more would add at most [next] to it, with a variance of [next_variance]. */
static mw_interval interval(double seen, double unseen, double variance, double block, double next,
                            double next_variance)
{
    mw_interval found = {seen, seen};
    double upper = unseen + next;
    double upper_variance = variance + next_variance;

    if (variance > 0 && unseen > 0)
        found.low += fmax(0, lower_mean(unseen * unseen / variance) * variance / unseen - block);
    if (upper_variance > 0 && upper > 0)
        found.high += upper_mean(upper * upper / upper_variance) * upper_variance / upper;
    return found;
}

mw_interval mw_estimate_bytes_interval(const mw_estimate *estimate, uint64_t sample_bytes)
{
    /* The smaller a block is, the nearer it comes to standing for a whole distance. */
    double next = (double)sample_bytes * (estimate->repeats > 1 ? estimate->repeats : 1);
    double unseen = estimate->bytes - estimate->seen_bytes;

    if (sample_bytes == 0)
        return (mw_interval){estimate->bytes, estimate->bytes};
    return interval(estimate->seen_bytes, unseen, estimate->bytes_variance,
                    unseen > 0 ? estimate->unseen_square / unseen : 0, next, next * next);
}

mw_interval mw_estimate_blocks_interval(const mw_estimate *estimate, uint64_t sample_bytes)
{
    double repeats = estimate->repeats > 1 ? estimate->repeats : 1;
    mw_estimate next;

    if (sample_bytes == 0)
        return (mw_interval){estimate->blocks, estimate->blocks};
    next = mw_estimate_of(MW_SAMPLED_BYTES_MINIMUM, 1, sample_bytes);
    return interval(estimate->seen_blocks, estimate->blocks - estimate->seen_blocks,
                    estimate->blocks_variance, repeats, (next.blocks - 1) * repeats,
                    next.blocks_variance * repeats * repeats);
}

mw_interval mw_interval_of_difference(double a, mw_interval of_a, double b, mw_interval of_b)
{
    return (mw_interval){
        .low = a - b - hypot(a - of_a.low, of_b.high - b),
        .high = a - b + hypot(of_a.high - a, b - of_b.low),
    };
}
