/* SPDX-License-Identifier: MIT
 *
 * The textbook alignment of two sequences (Needleman and Wunsch): what the lines from i and
 * from j on can be worth at most follows from what those behind them can.
 */
#include "core/line_align.h"

#include <stdlib.h>
#include <string.h>

/* One pair of the same text is worth more than a function full of pairs that only stand at
 * the same offset, however far apart its two lines are. */
enum { SAME_TEXT = 1 << 20, DISTANCE_MAXIMUM = 1 << 19, SAME_OFFSET = 1 << 8 };

bool mw_line_has_same_text(const mw_aligned_line *a, const mw_aligned_line *b)
{
    return a->text != NULL && b->text != NULL && a->length == b->length &&
           memcmp(a->text, b->text, a->length) == 0;
}

int64_t mw_line_pair_score(const mw_aligned_line *older, const mw_aligned_line *newer)
{
    int64_t distance = llabs((long long)older->offset - newer->offset);

    if (mw_line_has_same_text(older, newer))
        return SAME_TEXT - (distance < DISTANCE_MAXIMUM ? distance : DISTANCE_MAXIMUM);
    return distance == 0 ? SAME_OFFSET : 0;
}

/* Fills [worth], a row for each older line and one more. */
static void weigh(const mw_aligned_line *older, uint32_t older_count, const mw_aligned_line *newer,
                  uint32_t newer_count, int64_t *worth)
{
    uint32_t width = newer_count + 1;

    memset(worth, 0, (size_t)(older_count + 1) * width * sizeof *worth);
    for (uint32_t i = older_count; i-- > 0;) {
        const int64_t *below = &worth[(i + 1) * width];
        int64_t *row = &worth[i * width];

        for (uint32_t j = newer_count; j-- > 0;) {
            int64_t score = mw_line_pair_score(&older[i], &newer[j]);

            row[j] = row[j + 1] > below[j] ? row[j + 1] : below[j];
            if (score != 0 && score + below[j + 1] > row[j])
                row[j] = score + below[j + 1];
        }
    }
}

void mw_lines_align(mw_aligned_line *older, uint32_t older_count, mw_aligned_line *newer,
                    uint32_t newer_count, int64_t *scratch)
{
    uint32_t width = newer_count + 1;
    uint32_t i = 0, j = 0;

    weigh(older, older_count, newer, newer_count, scratch);
    for (uint32_t k = 0; k < older_count; k++)
        older[k].twin = -1;
    for (uint32_t k = 0; k < newer_count; k++)
        newer[k].twin = -1;
    while (i < older_count && j < newer_count) {
        int64_t score = mw_line_pair_score(&older[i], &newer[j]);
        int64_t here = scratch[i * width + j];

        if (score != 0 && here == scratch[(i + 1) * width + j + 1] + score) {
            older[i].twin = (int32_t)j;
            newer[j].twin = (int32_t)i;
            i++;
            j++;
        } else if (here == scratch[(i + 1) * width + j])
            i++;
        else
            j++;
    }
}
