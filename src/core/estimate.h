/* SPDX-License-Identifier: MIT
 *
 * What a sample says of the whole.  Of all blocks, each of `size` bytes is in the sample
 * with probability p = 1 - exp(-size / sample_bytes), independently of all others: marks
 * are thrown on the stream of allocated bytes, `sample_bytes` apart on average (a Poisson
 * process), and a block is sampled if it is hit.  Blocks of less than 16 bytes count as
 * 16, which is what they take.
 *
 * Estimates are Horvitz and Thompson's: a sampled block stands for 1/p blocks and size/p
 * bytes.  They are unbiased whatever the sizes are, and their variance, the sum of
 * (1-p)/p² · y², is estimated without bias from the sample too.
 *
 * The 95 % intervals are made for few samples, where the normal one (estimate ± 1.96
 * deviations) fails.  What has been seen is certain; the rest is a sum of weighted counts,
 * and Fay and Feuer's gamma interval for those (Statistics in Medicine 16, 1997, 791-801)
 * generalises Garwood's exact one for a Poisson count.  Its upper end allows for one more
 * mark of the largest weight there can be.  Its lower end takes into account that only
 * what has been seen at all is ever listed (a zero-truncated Poisson count), and that what
 * is unseen comes in whole blocks, which matters where they are large.
 *
 * Pure functions of numbers; nothing here allocates or fails.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    MW_SAMPLED_BYTES_MINIMUM = 16, /* what a block counts as at least */
};

/* The longest mean distance of marks; far beyond what makes sense. */
#define MW_SAMPLE_BYTES_MAXIMUM (UINT64_C(1) << 40)

/* The sum of what samples say.  Adding is all there is to combine them. */
typedef struct mw_estimate {
    double blocks;
    double bytes;
    double seen_blocks; /* the samples themselves: so much there is at least   */
    double seen_bytes;
    double blocks_variance;
    double bytes_variance;
    double unseen_square; /* sum of (1-p)/p · size², that is, the mean size of an unseen block
                             times the bytes that are not seen */
    double repeats;       /* how often one block can count, at most; 0 in an empty one */
} mw_estimate;

typedef struct mw_interval {
    double low;
    double high;
} mw_interval;

static inline uint64_t mw_sampled_bytes(uint64_t size_bytes)
{
    return size_bytes < MW_SAMPLED_BYTES_MINIMUM ? MW_SAMPLED_BYTES_MINIMUM : size_bytes;
}

/* How many blocks a sampled block of this size stands for: 1/p, at least 1. */
double mw_sample_weight(uint64_t size_bytes, uint64_t sample_bytes);

/* The estimate that [count] sampled blocks of one size give. */
mw_estimate mw_estimate_of(uint64_t size_bytes, uint64_t count, uint64_t sample_bytes);
/* What can be said of an estimate of which the sums alone are left, as a capture has them: its
 * variance is the largest that blocks of any sizes can have which stand for so many blocks and
 * bytes, and that much of it was seen is not known.  So it is less sure, never more. */
mw_estimate mw_estimate_of_sums(uint64_t bytes, uint64_t blocks, uint64_t sample_bytes);
/* What is known exactly. */
mw_estimate mw_estimate_exact(uint64_t bytes, uint64_t blocks);
void mw_estimate_add(mw_estimate *sum, const mw_estimate *part);
/* Adds [part], which [sum] has [times] times already: errors of the same blocks do not
 * cancel each other out. */
void mw_estimate_add_again(mw_estimate *sum, const mw_estimate *part, uint32_t times);

/* Where the truth is, with 95 % confidence at least.  [sample_bytes] 0 says that the
 * estimate is exact. */
mw_interval mw_estimate_bytes_interval(const mw_estimate *estimate, uint64_t sample_bytes);
mw_interval mw_estimate_blocks_interval(const mw_estimate *estimate, uint64_t sample_bytes);

/* Of a - b, by the method of variance estimates recovery (Zou and Donner, Statistics in
 * Medicine 27, 2008, 1693-1702), as if the two were independent.  What two snapshots of
 * one process have in common makes the truth less uncertain, never more. */
mw_interval mw_interval_of_difference(double a, mw_interval of_a, double b, mw_interval of_b);

/* The gamma distribution's quantile, for tests: x with P(shape, x) = probability. */
double mw_gamma_quantile(double shape, double probability);
