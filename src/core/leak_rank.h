/* SPDX-License-Identifier: MIT
 *
 * What becomes of the memory of one line (or file, traceback, …): does it grow without end,
 * is it a cache that still fills, does it level off?  docs/leaks.md explains each verdict and
 * each rule; in short:
 *
 *   A leak keeps.  What was born in each epoch long ago is still alive, as much of it from
 *   late epochs as from early ones, and little of what had become old dies.
 *   A cache that fills keeps as well, for a time, but it keeps less and less of each epoch;
 *   or it gives up old things while it grows.
 *   Everything else has stopped growing, or never grew: it levels off, was made once, or is
 *   steady, however much it swings.
 *
 * Blocks that die young say nothing, and are the noise in what is alive.  So the verdict is
 * about what is older than most of what dies ever gets; that age is found, not given.
 *
 * Pure functions of arrays.
 */
#pragma once

#include "core/trend.h"

/* One line's history, told at [count] moments.  All arrays are borrowed, and have one number
 * for each moment. */
typedef struct mw_history {
    uint32_t count;
    const double *times;       /* hours since the first moment, rising                       */
    const double *work;        /* blocks that the process has allocated and freed; NULL: unknown,
                                  or no measure of how much it had to do                     */
    const double *live_bytes;  /* alive at the moment                                        */
    const double *live_blocks; /* likewise                                                   */
    /* By when it was born: between the moment before and this one.  [0] has all from before
     * the first moment too. */
    const double *kept_bytes;  /* of that, still alive at the last moment                    */
    const double *kept_blocks; /* likewise                                                   */
    const double *born_bytes;  /* all of that, dead or alive; NULL: unknown                  */
    const double *died_bytes;  /* by age: [a] died after it had been seen at a moments       */
    const double *died_blocks; /* likewise                                                   */
    bool has_epochs;           /* else the arrays of what was kept and died are NULL         */
} mw_history;

typedef enum mw_leak_verdict {
    MW_VERDICT_LEAK,       /* grows, and keeps what it has                        */
    MW_VERDICT_FILLING,    /* grows, but ever less, or gives up old things for it */
    MW_VERDICT_UNDECIDED,  /* grows, perhaps: there is not enough data            */
    MW_VERDICT_LEVELS_OFF, /* grew, and does no longer                            */
    MW_VERDICT_ONE_TIME,   /* came at the start, and stayed                       */
    MW_VERDICT_STEADY,     /* comes and goes                                      */
    MW_VERDICT_COUNT,
} mw_leak_verdict;

/* What decided. */
typedef enum mw_leak_reason {
    MW_REASON_KEPT,        /* leak: old epochs are still alive, late ones no less than early ones */
    MW_REASON_RESIZED,     /* leak: few blocks that grow step by step, never staying long         */
    MW_REASON_SLOWS,       /* filling: each half of the time keeps less than the one before       */
    MW_REASON_MELTS,       /* filling: more old bytes go than the growth keeps                    */
    MW_REASON_FEW_MOMENTS, /* undecided: too few snapshots                                        */
    MW_REASON_FEW_STEPS,   /* undecided: grew in too few steps                                    */
    MW_REASON_FELL,        /* undecided: it fell from as much before                              */
    MW_REASON_STOPPED,     /* levels off: nothing was added of late                               */
    MW_REASON_BOUND,       /* levels off: since it is full, as much dies as is born               */
    MW_REASON_EARLY,       /* one-time: what is alive is from the first quarter                   */
    MW_REASON_REPLACED,    /* steady: what is alive is new, as much as there was before           */
    MW_REASON_SMALL,       /* steady: never grew by a page                                        */
    MW_REASON_COUNT,
} mw_leak_reason;

typedef struct mw_leak_finding {
    mw_leak_verdict verdict;
    mw_leak_reason reason;
    mw_trend rate;        /* bytes per hour: of a leak since the warm-up, else of the later half */
    double live_bytes;    /* at the last moment                                                  */
    double live_blocks;   /* likewise                                                            */
    double growth_bytes;  /* from the first moment to the last; may be negative                  */
    double born_bytes;    /* in the epochs that were looked at; 0 where nobody knows              */
    double kept_bytes;    /* of those, at the last moment                                         */
    double pace;          /* growth of the later half of the time, as a part of the earlier one's */
    double ends_at_bytes; /* filling, slowing: where it ends if it goes on so; else 0             */
    uint32_t epochs;      /* that were looked at                                                 */
    uint32_t kept_epochs; /* of those, how many have something alive                             */
    uint32_t since;       /* the moment before the growth began                                  */
    uint32_t lasting_age; /* in moments: what gets older than this stays                         */
} mw_leak_finding;

/* So many snapshots are needed before anything is judged: a quarter of the time is warm-up,
 * the other three are compared, and a quarter has four of them (MW_RANKS_MINIMUM). */
enum { MW_MOMENTS_MINIMUM = 4 * MW_RANKS_MINIMUM };

/* More moments than that are not looked at one by one; whoever has more leaves some out. */
enum { MW_HISTORY_MAXIMUM = 256 };

/* [slopes] lends room for MW_TREND_SLOPES_MAXIMUM numbers. */
mw_leak_finding mw_leak_judge(const mw_history *history, double *slopes);

/* "leak", "cache still filling", … */
const char *mw_leak_verdict_name(mw_leak_verdict verdict);
/* "kept", "resized", … */
const char *mw_leak_reason_name(mw_leak_reason reason);
