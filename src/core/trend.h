/* SPDX-License-Identifier: MIT
 *
 * How fast a number grows, and how surely: Theil's slope, the median of the slopes between
 * all pairs of points (H. Theil, Proceedings of the Royal Dutch Academy of Sciences 53, 1950,
 * 386-392, 521-525 and 1397-1412), with Sen's interval out of the ranks of those slopes (P. K.
 * Sen, J. Am. Stat. Assoc. 63, 1968, 1379-1389).  Up to 29 % of the points may be anything (a
 * peak, a table that is copied, a collection of garbage) and the slope stays where it was.
 *
 * Sen's interval is for points whose errors are independent.  Those of memory are not: what
 * is high now is still high a moment later, and then the interval would be far too narrow.
 * So the points are counted as so many independent ones as they are worth (S. Yue and
 * C. Wang, Water Resources Management 18, 2004, 201-218), by what the residuals' ranks keep
 * from one point to the next.
 *
 * Besides, whether some numbers tend to be smaller than others: Mann and Whitney's test
 * (Ann. Math. Stat. 18, 1947, 50-60), which asks for ranks alone as well.
 *
 * Pure functions of numbers; nothing here allocates or fails.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum {
    /* Of more points a part is taken, evenly: twice as many would narrow the interval by 0.3
     * of its width and cost four times as much. */
    MW_TREND_POINTS_MAXIMUM = 128,
    MW_TREND_SLOPES_MAXIMUM = MW_TREND_POINTS_MAXIMUM * (MW_TREND_POINTS_MAXIMUM - 1) / 2,
    /* Two samples of four are the smallest that can differ at the 5 % level, asked on both
     * sides: one order of 70 is that extreme, on either side. */
    MW_RANKS_MINIMUM = 4,
};

typedef struct mw_trend {
    double slope; /* of y for a unit of x                         */
    double low;   /* where it is with 95 % confidence, from here  */
    double high;  /* to here                                      */
} mw_trend;

/* The trend of y over x, which rises strictly; of less than three points, all is 0.
 * [slopes] lends room for MW_TREND_SLOPES_MAXIMUM numbers. */
mw_trend mw_trend_of(const double *x, const double *y, uint32_t count, double *slopes);

/* How many deviations the numbers of [a] lie below those of [b], by their ranks; 0 where
 * there are less than MW_RANKS_MINIMUM of either, or more than MW_TREND_POINTS_MAXIMUM. */
double mw_ranks_below(const double *a, uint32_t a_count, const double *b, uint32_t b_count);

/* The number of which [rank] are smaller, out of [count]; their order is lost. */
double mw_select(double *numbers, uint32_t count, uint32_t rank);
/* The one in the middle; 0 of none. */
double mw_median(double *numbers, uint32_t count);
