/* SPDX-License-Identifier: MIT
 *
 * Which lines of a function are which lines of another version of it.  The order of lines
 * is kept; as many as possible have the same text as their counterparts, the nearest of
 * them; and of the others those are paired that are as far from the function's first line.
 */
#pragma once

#include "core/snapshot.h"

typedef struct mw_aligned_line {
    int32_t offset;   /* from the function's first line                */
    const char *text; /* borrowed; NULL: not known                     */
    size_t length;
    int32_t twin; /* the number of its counterpart, or -1; what is computed */
} mw_aligned_line;

enum {
    MW_ALIGNED_MAXIMUM = 512, /* lines of one version of a function */
    MW_ALIGNED_SCRATCH = (MW_ALIGNED_MAXIMUM + 1) * (MW_ALIGNED_MAXIMUM + 1),
};

bool mw_line_has_same_text(const mw_aligned_line *a, const mw_aligned_line *b);

/* What a pair of lines is worth; 0: they are no pair. */
int64_t mw_line_pair_score(const mw_aligned_line *older, const mw_aligned_line *newer);

/* Fills in the twins: a choice of pairs, in order, that is worth most.  There are at most
 * MW_ALIGNED_MAXIMUM lines on either side; [scratch] has room for MW_ALIGNED_SCRATCH. */
void mw_lines_align(mw_aligned_line *older, uint32_t older_count, mw_aligned_line *newer,
                    uint32_t newer_count, int64_t *scratch);
