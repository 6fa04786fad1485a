/* SPDX-License-Identifier: MIT
 *
 * First the growth that lasts is looked for: the smallest age from which on less dies than
 * stays.  If there is one, its pace decides; else only the sum of what is alive can tell.
 */
#include "core/leak_rank.h"

#include <assert.h>
#include <math.h>
#include <string.h>

/* What does not fill a page has taken nothing from the system. */
#define PAGE_BYTES 4096.0

/* Warm-up: modules are imported late, pools and caches fill with the first requests.  A
 * quarter leaves three for the comparison and is what one is ready to wait for. */
enum { WARM_UP_PART = 4 };

/* Of what became old, more stays than goes: else what goes, not what stays, is the rule. */
#define OLD_DEATHS_MAXIMUM 0.5

/* If each half of the time adds a part p of what the half before it added, and goes on so,
 * then 1 - p² of all is there.  At 3/4 that is less than half of it: a cache that is not half
 * full cannot be told from a leak.  At 1/5 it is 96 %: what is still to come is not worth
 * waiting for. */
#define PACE_OF_FILLING 0.75
#define PACE_OF_STOPPED 0.2

/* The one-sided level of Mann and Whitney's test, 1 %: two or more are made of each line, and
 * chance alone would slow down the growth of every twentieth leak at 5 %. */
#define DEVIATIONS 2.326

enum {
    /* Sums of several intervals swing less than single ones; ranks of eight still tell. */
    BINS_MAXIMUM = 8,
    /* In less steps of growth a halving of the pace is not seen: 7 against 1 is the first
     * outcome of 8 fair coins that comes in less than 5 % of all cases. */
    STEPS_MINIMUM = 8,
    /* Two steps of a growing table give one pace, three the first check of it. */
    RESIZES_MINIMUM = 3,
};

/* A rate of 1 for an interval misses this many in a row in 1 % of all cases. */
#define MISSED_STEPS 4.6

typedef struct judging {
    const mw_history *history;
    double *slopes; /* lent                                                      */
    uint32_t count; /* of moments                                                */
    uint32_t warm;  /* the first interval behind the warm-up                     */
    uint32_t first; /* intervals that are looked at, by their later moment …     */
    uint32_t last;  /* … this one included                                       */
    double kept[MW_HISTORY_MAXIMUM]; /* of each interval's births, alive at the end */
    mw_leak_finding finding;
} judging;

typedef struct pace {
    double part;       /* the later half's growth, as a part of the earlier one's      */
    double deviations; /* by how many the later one is lower                           */
} pace;

static const char *const verdict_names[MW_VERDICT_COUNT] = {
    [MW_VERDICT_LEAK] = "leak",
    [MW_VERDICT_FILLING] = "cache still filling",
    [MW_VERDICT_UNDECIDED] = "not enough data",
    [MW_VERDICT_LEVELS_OFF] = "levels off",
    [MW_VERDICT_ONE_TIME] = "one-time",
    [MW_VERDICT_STEADY] = "steady",
};

static const char *const reason_names[MW_REASON_COUNT] = {
    [MW_REASON_KEPT] = "kept",
    [MW_REASON_RESIZED] = "resized",
    [MW_REASON_SLOWS] = "slows",
    [MW_REASON_MELTS] = "melts",
    [MW_REASON_FEW_MOMENTS] = "few snapshots",
    [MW_REASON_FEW_STEPS] = "few steps",
    [MW_REASON_FELL] = "fell before",
    [MW_REASON_STOPPED] = "stopped",
    [MW_REASON_BOUND] = "full",
    [MW_REASON_EARLY] = "early",
    [MW_REASON_REPLACED] = "replaced",
    [MW_REASON_SMALL] = "small",
};

const char *mw_leak_verdict_name(mw_leak_verdict verdict)
{
    return verdict_names[verdict];
}

const char *mw_leak_reason_name(mw_leak_reason reason)
{
    return reason_names[reason];
}

/* ── small sums ──────────────────────────────────────────────────────────────────── */

static double sum_of(const double *numbers, uint32_t first, uint32_t last)
{
    double sum = 0;

    for (uint32_t i = first; i <= last; i++)
        sum += numbers[i];
    return sum;
}

static double median_of(const double *numbers, uint32_t first, uint32_t end)
{
    double copy[MW_HISTORY_MAXIMUM];

    memcpy(copy, numbers + first, (end - first) * sizeof *copy);
    return mw_median(copy, end - first);
}

/* The mean without the largest and the smallest, so that one table that is copied to a
 * larger place does not decide. */
static double trimmed_mean(const double *numbers, uint32_t count)
{
    double low = numbers[0], high = numbers[0], sum = 0;

    for (uint32_t i = 0; i < count; i++) {
        sum += numbers[i];
        low = fmin(low, numbers[i]);
        high = fmax(high, numbers[i]);
    }
    return count < MW_RANKS_MINIMUM ? sum / count : (sum - low - high) / (count - 2);
}

static bool settle(judging *judged, mw_leak_verdict verdict, mw_leak_reason reason)
{
    judged->finding.verdict = verdict;
    judged->finding.reason = reason;
    return true;
}

/* ── the growth that lasts ───────────────────────────────────────────────────────── */

/* Without epochs, what lasts is what the sum of all never goes below again. */
static void floor_as_kept(judging *judged)
{
    const double *live = judged->history->live_bytes;
    double floor = live[judged->count - 1];

    for (uint32_t i = judged->count; i-- > 0;) {
        double below = fmin(floor, live[i]);
        if (i + 1 < judged->count)
            judged->kept[i + 1] = floor - below;
        floor = below;
    }
    judged->kept[0] = floor;
}

/* Whether of what was born until [last] more stays than of what was older than [age] went;
 * in bytes, or in blocks: then what goes is few and large, tables that are copied. */
static bool stays(const judging *judged, uint32_t age, uint32_t last)
{
    const mw_history *history = judged->history;
    double bytes = sum_of(judged->kept, judged->warm, last);
    uint32_t end = judged->count - 1;

    if (bytes < PAGE_BYTES)
        return false;
    if (!history->has_epochs || age == end)
        return true;
    return sum_of(history->died_bytes, age + 1, end) <= bytes * OLD_DEATHS_MAXIMUM ||
           sum_of(history->died_blocks, age + 1, end) <=
               sum_of(history->kept_blocks, judged->warm, last) * OLD_DEATHS_MAXIMUM;
}

/* Looks for the smallest age from which on more stays than goes; false if there is none that
 * leaves enough to look at. */
static bool find_lasting(judging *judged)
{
    uint32_t wanted = 2 * MW_RANKS_MINIMUM;

    for (uint32_t age = 1; judged->warm + wanted + age <= judged->count; age++) {
        uint32_t last = judged->count - 1 - age;

        if (!stays(judged, age, last))
            continue;
        judged->finding.lasting_age = age;
        judged->last = last;
        for (judged->first = judged->warm; judged->kept[judged->first] <= 0;)
            judged->first++;
        return true;
    }
    return false;
}

/* ── pace ────────────────────────────────────────────────────────────────────────── */

/* Rates of [growth] by bins of equal length of the clock, within [from, to) of it. */
static uint32_t rates_of_bins(const judging *judged, const double *growth, const double *clock,
                              double from, double to, uint32_t last, double *ret_rates)
{
    double sums[BINS_MAXIMUM] = {0}, spans[BINS_MAXIMUM] = {0};
    uint32_t bins = (last - judged->first + 1) / 2, count = 0;

    if (bins > BINS_MAXIMUM)
        bins = BINS_MAXIMUM;
    for (uint32_t i = judged->first; i <= last; i++) {
        double middle = (clock[i - 1] + clock[i]) / 2;
        double bin = floor((middle - from) / (to - from) * bins);

        if (bin < 0 || bin >= bins)
            continue;
        sums[(int)bin] += growth[i];
        spans[(int)bin] += clock[i] - clock[i - 1];
    }
    for (uint32_t i = 0; i < bins; i++)
        if (spans[i] > 0)
            ret_rates[count++] = sums[i] / spans[i];
    return count;
}

/* How the growth of the later half of [first, last] compares with the earlier one's. */
static pace pace_of(const judging *judged, const double *growth, const double *clock, uint32_t last)
{
    double early[BINS_MAXIMUM], late[BINS_MAXIMUM], from, middle, to;
    uint32_t early_count, late_count;
    pace found = {.part = 1};

    from = clock[judged->first - 1];
    to = clock[last];
    middle = (from + to) / 2;
    if (to <= from)
        return found;
    early_count = rates_of_bins(judged, growth, clock, from, middle, last, early);
    late_count = rates_of_bins(judged, growth, clock, middle, to, last, late);
    if (early_count == 0 || late_count == 0 || trimmed_mean(early, early_count) <= 0)
        return found;
    found.part = fmax(0, trimmed_mean(late, late_count) / trimmed_mean(early, early_count));
    found.deviations = mw_ranks_below(late, late_count, early, early_count);
    return found;
}

/* Whether the growth becomes slower, by time and by the work that the process does: a
 * service that is asked less leaks less, and is not cured; and one that has ever more to do
 * for each request leaks less by work.  Surely by one of them is enough: the other may be
 * the one that runs unevenly. */
static bool slows(judging *judged, const double *growth, uint32_t last)
{
    const mw_history *history = judged->history;
    pace by_time = pace_of(judged, growth, history->times, last);
    pace by_work = history->work == NULL ? by_time : pace_of(judged, growth, history->work, last);

    judged->finding.pace = fmin(1, by_time.part);
    if (by_time.part < PACE_OF_STOPPED && by_time.deviations >= DEVIATIONS)
        return true;
    return by_time.part < PACE_OF_FILLING && by_work.part < PACE_OF_FILLING &&
           fmax(by_time.deviations, by_work.deviations) >= DEVIATIONS;
}

/* ── a bound that was reached ────────────────────────────────────────────────────── */

/* Whether from [begin] on as much dies as is born, while before much was kept. */
static bool is_full_since(const judging *judged, uint32_t begin)
{
    const mw_history *history = judged->history;
    double before[MW_HISTORY_MAXIMUM], after[MW_HISTORY_MAXIMUM];
    double born[2] = {0}, grown[2] = {0};
    uint32_t counts[2] = {0};

    for (uint32_t i = judged->first; i < judged->count; i++) {
        double growth = history->live_bytes[i] - history->live_bytes[i - 1];
        int is_after = i >= begin;

        born[is_after] += history->born_bytes[i];
        grown[is_after] += growth;
        if (history->born_bytes[i] > 0)
            (is_after ? after : before)[counts[is_after]++] = growth / history->born_bytes[i];
    }
    if (counts[0] < MW_RANKS_MINIMUM || counts[1] < MW_RANKS_MINIMUM)
        return false;
    /* It is no bound if less is born: then there is less to do. */
    if (born[1] / (judged->count - begin) < born[0] / (begin - judged->first) / 2)
        return false;
    if (grown[1] / born[1] > PACE_OF_STOPPED * grown[0] / born[0])
        return false;
    if (counts[0] > MW_TREND_POINTS_MAXIMUM)
        counts[0] = MW_TREND_POINTS_MAXIMUM;
    return mw_ranks_below(after, counts[1], before, counts[0]) >= DEVIATIONS;
}

static bool is_full(const judging *judged)
{
    uint32_t most = (judged->count - judged->first) / 2;

    if (judged->history->born_bytes == NULL)
        return false;
    for (uint32_t tail = MW_RANKS_MINIMUM; tail <= most; tail += (tail + 1) / 2)
        if (is_full_since(judged, judged->count - tail))
            return true;
    return false;
}

/* ── growth that lasts, judged ───────────────────────────────────────────────────── */

/* Whether nothing has been kept for so long that it is no chance. */
static bool has_stopped(const judging *judged, uint32_t steps)
{
    uint32_t length = judged->last - judged->first + 1;
    uint32_t latest = judged->last, silence;

    while (latest > judged->first && judged->kept[latest] <= 0)
        latest--;
    silence = judged->last - latest;
    return silence * WARM_UP_PART >= length &&
           (double)silence * steps / (latest - judged->first + 1) >= MISSED_STEPS;
}

static bool judge_pace(judging *judged)
{
    mw_leak_finding *finding = &judged->finding;
    double later;

    if (is_full(judged))
        return settle(judged, MW_VERDICT_LEVELS_OFF, MW_REASON_BOUND);
    if (!slows(judged, judged->kept, judged->last))
        return settle(judged, MW_VERDICT_LEAK, MW_REASON_KEPT);
    if (finding->pace < PACE_OF_STOPPED)
        return settle(judged, MW_VERDICT_LEVELS_OFF, MW_REASON_STOPPED);
    later = sum_of(judged->kept, (judged->first + judged->last) / 2 + 1, judged->last);
    finding->ends_at_bytes = finding->live_bytes + later * finding->pace / (1 - finding->pace);
    return settle(judged, MW_VERDICT_FILLING, MW_REASON_SLOWS);
}

/* Whether before the growth began there was half as much that went: then this may be the
 * next wave. */
static bool fell_before(const judging *judged)
{
    const double *live = judged->history->live_bytes;
    double most = 0;

    if (judged->first == judged->warm)
        return false;
    for (uint32_t i = 0; i < judged->first; i++)
        most = fmax(most, live[i]);
    return most - live[judged->first] > judged->finding.kept_bytes / 2;
}

/* The moment from which on epochs survive as often, or half as often, as those that are
 * looked at: the growth may have begun before the warm-up was over. */
static uint32_t find_since(const judging *judged)
{
    double often = (double)judged->finding.kept_epochs / judged->finding.epochs;
    uint32_t since = judged->first - 1, survivors = 0;

    for (uint32_t i = judged->first - 1; i > 0; i--) {
        survivors += judged->kept[i] > 0;
        if (survivors >= often / 2 * (judged->first - i))
            since = i - 1;
    }
    return since;
}

static bool judge_lasting(judging *judged)
{
    mw_leak_finding *finding = &judged->finding;

    if (!find_lasting(judged))
        return false;
    finding->epochs = judged->last - judged->first + 1;
    for (uint32_t i = judged->first; i <= judged->last; i++)
        finding->kept_epochs += judged->kept[i] > 0;
    finding->kept_bytes = sum_of(judged->kept, judged->first, judged->last);
    if (judged->history->born_bytes != NULL)
        finding->born_bytes = sum_of(judged->history->born_bytes, judged->first, judged->last);
    finding->since = find_since(judged);
    finding->pace = 1;
    if (has_stopped(judged, finding->kept_epochs))
        return settle(judged, MW_VERDICT_LEVELS_OFF, MW_REASON_STOPPED);
    if (finding->kept_epochs < STEPS_MINIMUM)
        return settle(judged, MW_VERDICT_UNDECIDED, MW_REASON_FEW_STEPS);
    if (fell_before(judged))
        return settle(judged, MW_VERDICT_UNDECIDED, MW_REASON_FELL);
    return judge_pace(judged);
}

/* ── containers that are copied when they grow ───────────────────────────────────── */

typedef struct resizes {
    uint32_t moments[MW_HISTORY_MAXIMUM];
    double before[MW_HISTORY_MAXIMUM]; /* bytes that were full at that time */
    double added;                      /* by the last one                   */
    uint32_t count;
} resizes;

/* Whether the bytes rise in steps while the blocks stay as many; and the steps. */
static bool find_resizes(const judging *judged, resizes *ret_steps)
{
    const mw_history *history = judged->history;
    const double *bytes = history->live_bytes, *blocks = history->live_blocks;
    uint32_t warm = judged->warm, end = judged->count - 1;
    double rises = 0, falls = 0;

    ret_steps->count = 0;
    if (bytes[end] - bytes[warm] < PAGE_BYTES || blocks[end] > blocks[warm] * 1.25 + 1 ||
        bytes[end] * blocks[warm] < 1.25 * bytes[warm] * blocks[end])
        return false;
    for (uint32_t i = 1; i <= end; i++) {
        double change = bytes[i] - bytes[i - 1];

        rises += fmax(0, change);
        falls -= fmin(0, change);
        if (change <= 0)
            continue;
        ret_steps->moments[ret_steps->count] = i;
        ret_steps->before[ret_steps->count++] = bytes[i - 1];
        ret_steps->added = change;
    }
    return falls <= rises * OLD_DEATHS_MAXIMUM / 2;
}

/* A container that is filled at an even pace outgrows what it was given in a time that the
 * steps before tell; if it has not for twice as long, it is not filled any more. */
static bool is_overdue(const judging *judged, const resizes *steps, const double *clock)
{
    double times[MW_HISTORY_MAXIMUM];
    double waited = clock[judged->count - 1] - clock[steps->moments[steps->count - 1]];
    mw_trend filling;

    for (uint32_t i = 0; i < steps->count; i++) {
        times[i] = clock[steps->moments[i]];
        if (i != 0 && times[i] <= times[i - 1])
            return false;
    }
    filling = mw_trend_of(times, steps->before, steps->count, judged->slopes);
    return filling.slope <= 0 || waited * filling.slope > 2 * steps->added;
}

static bool judge_resized(judging *judged)
{
    const mw_history *history = judged->history;
    resizes steps;

    if (!find_resizes(judged, &steps))
        return false;
    judged->finding.since = 0;
    judged->finding.pace = 1;
    if (steps.count < RESIZES_MINIMUM)
        return settle(judged, MW_VERDICT_UNDECIDED, MW_REASON_FEW_STEPS);
    /* By time and by work, as for any pace. */
    if (is_overdue(judged, &steps, history->times) &&
        (history->work == NULL || is_overdue(judged, &steps, history->work)))
        return settle(judged, MW_VERDICT_LEVELS_OFF, MW_REASON_STOPPED);
    return settle(judged, MW_VERDICT_LEAK, MW_REASON_RESIZED);
}

/* ── what is left ────────────────────────────────────────────────────────────────── */

static mw_trend trend_from(const judging *judged, uint32_t begin)
{
    return mw_trend_of(judged->history->times + begin, judged->history->live_bytes + begin,
                       judged->count - begin, judged->slopes);
}

/* By how much the last quarter is above the one behind the warm-up; a trend that is worth its
 * cost shows there. */
static double rise_of(const judging *judged)
{
    const double *live = judged->history->live_bytes;
    uint32_t part = judged->count / WARM_UP_PART;

    return median_of(live, judged->count - part, judged->count) -
           median_of(live, judged->warm, judged->warm + part);
}

/* Whether the sum of what is alive rises, to the end, though old bytes go.  A rise of less than
 * a quarter of what is there is no reason to look at a thing that gives up what it has. */
static bool judge_melting(judging *judged)
{
    const mw_history *history = judged->history;
    double level = median_of(history->live_bytes, judged->warm, judged->count);
    double hours = history->times[judged->count - 1] - history->times[judged->warm];
    double wanted = fmax(PAGE_BYTES, level / 4);
    mw_trend whole;

    if (rise_of(judged) < wanted / 2)
        return false;
    whole = trend_from(judged, judged->warm);
    if (whole.low <= 0 || whole.slope * hours < wanted ||
        trend_from(judged, judged->count / 2).low <= 0)
        return false;
    judged->finding.since = judged->warm;
    /* Blocks that live for a quarter of the time are not yet old enough to have been seen
     * to stay. */
    if (judged->count - judged->warm - 2 * MW_RANKS_MINIMUM < judged->warm)
        return settle(judged, MW_VERDICT_UNDECIDED, MW_REASON_FEW_MOMENTS);
    return settle(judged, MW_VERDICT_FILLING, MW_REASON_MELTS);
}

/* It does not grow; so was it there early, did it come, or does it come and go? */
static bool judge_level(judging *judged)
{
    const double *live = judged->history->live_bytes;
    double level = median_of(live, judged->count / 2, judged->count);
    double early = sum_of(judged->kept, 0, judged->warm - 1);
    uint32_t reached = 0;

    if (level < PAGE_BYTES)
        return settle(judged, MW_VERDICT_STEADY, MW_REASON_SMALL);
    while (reached + 1 < judged->count && live[reached] < level * 0.9)
        reached++;
    if (early * 2 >= level)
        return settle(judged, MW_VERDICT_ONE_TIME, MW_REASON_EARLY);
    if (reached >= judged->warm)
        return settle(judged, MW_VERDICT_LEVELS_OFF, MW_REASON_BOUND);
    return settle(judged, MW_VERDICT_STEADY, MW_REASON_REPLACED);
}

/* ── the whole ───────────────────────────────────────────────────────────────────── */

static bool judge_all(judging *judged)
{
    if (judged->count < MW_MOMENTS_MINIMUM)
        return settle(judged, MW_VERDICT_UNDECIDED, MW_REASON_FEW_MOMENTS);
    return judge_resized(judged) || judge_lasting(judged) || judge_melting(judged) ||
           judge_level(judged);
}

/* The growth of what is alive; where swings hide it, of what lasts. */
static mw_trend rate_of(const judging *judged)
{
    const mw_history *history = judged->history;
    double curve[MW_HISTORY_MAXIMUM];
    mw_trend rate;
    uint32_t length;

    if (judged->finding.verdict != MW_VERDICT_LEAK)
        return trend_from(judged, judged->count / 2);
    rate = trend_from(judged, judged->first > 0 ? judged->first - 1 : 0);
    if (rate.low > 0 || judged->finding.reason != MW_REASON_KEPT)
        return rate;
    length = judged->last - judged->first + 1;
    curve[0] = judged->kept[judged->first];
    for (uint32_t i = 1; i < length; i++)
        curve[i] = curve[i - 1] + judged->kept[judged->first + i];
    return mw_trend_of(history->times + judged->first, curve, length, judged->slopes);
}

mw_leak_finding mw_leak_judge(const mw_history *history, double *slopes)
{
    judging judged = {
        .history = history, .slopes = slopes, .count = history->count, .warm = 0, .first = 0};
    uint32_t end = history->count - 1;

    assert(history->count >= 1 && history->count <= MW_HISTORY_MAXIMUM);
    judged.finding.live_bytes = history->live_bytes[end];
    judged.finding.live_blocks = history->live_blocks[end];
    judged.finding.growth_bytes = history->live_bytes[end] - history->live_bytes[0];
    judged.warm = history->count / WARM_UP_PART;
    if (history->has_epochs)
        memcpy(judged.kept, history->kept_bytes, history->count * sizeof *judged.kept);
    else
        floor_as_kept(&judged);
    (void)judge_all(&judged);
    if (history->count >= MW_MOMENTS_MINIMUM && judged.finding.verdict <= MW_VERDICT_UNDECIDED)
        judged.finding.rate = rate_of(&judged);
    return judged.finding;
}
