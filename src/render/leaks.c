/* SPDX-License-Identifier: MIT
 *
 * Groups are judged one by one; then the leaks among them are weighed against each other.
 */
#include "render/leaks.h"

#include "base/quantity.h"
#include "core/region.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A leak drags along what its things are made of: keys, tracebacks, a counter.  What is less
 * than a twentieth of all that leaks, as much as a line of the summary must have to be named,
 * is not accused; if it is a leak by itself, it will be once the larger ones are mended. */
#define SMALL_SHARE 0.05

#define HOUR_NS    3.6e12
#define YEAR_HOURS 8766.0

enum { NAMED_MAXIMUM = 3, ALL_COLUMNS = 4096 };

/* ── judging ─────────────────────────────────────────────────────────────────────── */

static bool is_accused(const mw_leak_row *row)
{
    return row->finding.verdict == MW_VERDICT_LEAK && !row->goes_along;
}

/* What hurts first: leaks, then what else grows, or may; then the rest by size.  What goes
 * along with leaks is summed up, so it comes last. */
static int rank_of(const mw_leak_row *row)
{
    if (is_accused(row))
        return 0;
    if (row->goes_along)
        return 3;
    return row->finding.verdict <= MW_VERDICT_UNDECIDED ? 1 : 2;
}

static int by_harm(const void *a, const void *b)
{
    const mw_leak_row *left = a, *right = b;
    double left_size, right_size;

    if (rank_of(left) != rank_of(right))
        return rank_of(left) - rank_of(right);
    left_size = rank_of(left) == 2 ? left->finding.live_bytes : left->finding.rate.slope;
    right_size = rank_of(right) == 2 ? right->finding.live_bytes : right->finding.rate.slope;
    if (left_size != right_size)
        return left_size < right_size ? 1 : -1;
    return (left->group > right->group) - (left->group < right->group);
}

/* Rates add up; their errors do as those of independent numbers do. */
static void add_rate(mw_trend *sum, const mw_trend *rate)
{
    double below = hypot(sum->slope - sum->low, rate->slope - rate->low);
    double above = hypot(sum->high - sum->slope, rate->high - rate->slope);

    sum->slope += rate->slope;
    sum->low = sum->slope - below;
    sum->high = sum->slope + above;
}

static void weigh_row(mw_leaks *leaks, mw_leak_row *row, double all_leaks, double all_growth)
{
    bool is_leak = row->finding.verdict == MW_VERDICT_LEAK;
    double rate = fmax(0, row->finding.rate.slope);

    if (row->finding.verdict <= MW_VERDICT_UNDECIDED)
        row->share = rate / fmax(1, is_leak ? all_leaks : all_growth);
    row->goes_along = is_leak && row->share < SMALL_SHARE;
    if (row->goes_along) {
        leaks->along_count++;
        add_rate(&leaks->along_rate, &row->finding.rate);
        return;
    }
    leaks->counts[row->finding.verdict]++;
    if (is_leak)
        add_rate(&leaks->leak_rate, &row->finding.rate);
}

/* Who is accused has its share of what the accused leak, so that the shares of the sentence are
 * those of the rows, and add up to all of it. */
static void share_among_accused(mw_leaks *leaks)
{
    for (uint32_t i = 0; i < leaks->row_count; i++) {
        mw_leak_row *row = &leaks->rows[i];

        if (is_accused(row))
            row->share = fmax(0, row->finding.rate.slope) / fmax(1, leaks->leak_rate.slope);
    }
}

static void weigh(mw_leaks *leaks)
{
    double all_leaks = 0, all_growth = 0;

    for (uint32_t i = 0; i < leaks->row_count; i++) {
        const mw_leak_finding *finding = &leaks->rows[i].finding;
        double rate = fmax(0, finding->rate.slope);

        all_leaks += finding->verdict == MW_VERDICT_LEAK ? rate : 0;
        all_growth += finding->verdict <= MW_VERDICT_UNDECIDED ? rate : 0;
    }
    for (uint32_t i = 0; i < leaks->row_count; i++)
        weigh_row(leaks, &leaks->rows[i], all_leaks, all_growth);
    share_among_accused(leaks);
    qsort(leaks->rows, leaks->row_count, sizeof *leaks->rows, by_harm);
}

static void look_at_process(mw_leaks *leaks, const mw_point *last)
{
    leaks->rss_bytes = last->rss_bytes;
    if (leaks->rss_bytes == 0)
        leaks->rss_bytes = mw_snapshot_live_bytes(leaks->groups->snapshot);
    if (leaks->histories->count > 1)
        leaks->hours = leaks->histories->times[leaks->histories->count - 1];
}

mw_status mw_leaks_init(mw_leaks *ret_leaks, const mw_leak_groups *groups,
                        const mw_histories *histories, const mw_program *program,
                        const mw_point *last, const mw_places *places, mw_alloc *alloc)
{
    double *slopes = mw_alloc_array(alloc, MW_TREND_SLOPES_MAXIMUM, sizeof *slopes);

    *ret_leaks = (mw_leaks){.alloc = alloc,
                            .groups = groups,
                            .histories = histories,
                            .places = places,
                            .limit_bytes = program->memory_limit_bytes,
                            .row_count = groups->count};
    ret_leaks->rows = mw_alloc_array(alloc, groups->count, sizeof *ret_leaks->rows);
    if (slopes == NULL || ret_leaks->rows == NULL) {
        mw_alloc_release(alloc, slopes, MW_TREND_SLOPES_MAXIMUM * sizeof *slopes);
        mw_leaks_done(ret_leaks);
        return MW_NO_MEMORY;
    }
    look_at_process(ret_leaks, last);
    for (uint32_t i = 0; i < groups->count; i++) {
        mw_history history = mw_histories_of(histories, i);
        ret_leaks->rows[i].group = i;
        ret_leaks->rows[i].finding = mw_leak_judge(&history, slopes);
    }
    weigh(ret_leaks);
    mw_alloc_release(alloc, slopes, MW_TREND_SLOPES_MAXIMUM * sizeof *slopes);
    return MW_OK;
}

void mw_leaks_done(mw_leaks *leaks)
{
    if (leaks->alloc != NULL)
        mw_alloc_release(leaks->alloc, leaks->rows, leaks->row_count * sizeof *leaks->rows);
    *leaks = (mw_leaks){0};
}

bool mw_leaks_has_enough(const mw_leaks *leaks)
{
    return leaks->histories->count >= MW_MOMENTS_MINIMUM;
}

double mw_leaks_hours_left(const mw_leaks *leaks, double bytes_per_hour)
{
    double room = (double)leaks->rss_bytes;

    if (leaks->limit_bytes != 0)
        room = fmax(0, (double)leaks->limit_bytes - room);
    return bytes_per_hour > 0 ? room / bytes_per_hour : INFINITY;
}

const char *mw_leak_row_verdict(const mw_leak_row *row)
{
    return row->goes_along ? "grows along" : mw_leak_verdict_name(row->finding.verdict);
}

const char *mw_leaks_noun(const mw_leaks *leaks)
{
    if (leaks->groups->by == MW_GROUP_LINE)
        return "line";
    return leaks->groups->by == MW_GROUP_FILE ? "file" : mw_group_key_name(leaks->groups->by);
}

/* ── saying ──────────────────────────────────────────────────────────────────────── */

static mw_duration_text duration_of(double hours)
{
    return mw_duration_format((uint64_t)(fmin(hours, YEAR_HOURS) * HOUR_NS));
}

static void say_place(const mw_leaks *leaks, mw_frame_row frame, mw_sink *sink)
{
    const mw_snapshot *snapshot = leaks->groups->snapshot;
    size_t length;
    const char *name = mw_snapshot_string(snapshot, frame.file, NULL);

    mw_places_write(leaks->places, *name == '\0' ? "<unknown>" : name, ALL_COLUMNS, sink);
    if (frame.line > 0)
        mw_sink_format(sink, ":%d", (int)frame.line);
    name = mw_snapshot_string(snapshot, frame.function, &length);
    if (length == 0)
        return;
    mw_sink_text(sink, " in ");
    mw_sink_clean(sink, name, length, ALL_COLUMNS);
}

void mw_leaks_write_place(const mw_leaks *leaks, const mw_leak_row *row, mw_sink *sink)
{
    const mw_leak_group *group = &leaks->groups->items[row->group];
    mw_frame_row frame = mw_snapshot_frame(leaks->groups->snapshot, group->frame);
    size_t length;
    const char *label = mw_snapshot_string(leaks->groups->snapshot, group->row.label, &length);

    if (leaks->groups->by == MW_GROUP_MODULE || leaks->groups->by == MW_GROUP_REGION) {
        mw_sink_clean(sink, length == 0 ? MW_REGION_NONE : label,
                      length == 0 ? strlen(MW_REGION_NONE) : length, ALL_COLUMNS);
        return;
    }
    if (leaks->groups->by == MW_GROUP_FILE)
        frame.function.index = 0;
    if (leaks->groups->by == MW_GROUP_FILE || leaks->groups->by == MW_GROUP_FUNCTION)
        frame.line = 0;
    say_place(leaks, frame, sink);
}

/* "12.3 MiB per hour (11.8 MiB to 12.9 MiB)" */
void mw_leaks_write_rate(const mw_trend *rate, mw_sink *sink)
{
    mw_size_text low = mw_size_format((uint64_t)fmax(0, rate->low));
    mw_size_text high = mw_size_format((uint64_t)fmax(0, rate->high));

    mw_sink_format(sink, "%s per hour", mw_size_format((uint64_t)fmax(0, rate->slope)).text);
    if (strcmp(low.text, high.text) != 0)
        mw_sink_format(sink, " (%s to %s)", low.text, high.text);
}

void mw_leaks_write_evidence(const mw_leak_finding *finding, mw_sink *sink)
{
    if (finding->reason == MW_REASON_RESIZED) {
        mw_sink_text(sink, "few blocks that grow step by step, as a list's or a dict's do, and "
                           "are outgrown each time");
        return;
    }
    mw_sink_format(sink, "%u of %u epochs survive", finding->kept_epochs, finding->epochs);
    if (finding->born_bytes > 0)
        mw_sink_format(sink, ", with %.0f%% of their bytes",
                       fmin(100, 100 * finding->kept_bytes / finding->born_bytes));
}

static void say_end(const mw_leaks *leaks, mw_sink *sink)
{
    double hours = mw_leaks_hours_left(leaks, leaks->leak_rate.slope);
    mw_duration_text expected = duration_of(hours);
    mw_duration_text earliest = duration_of(mw_leaks_hours_left(leaks, leaks->leak_rate.high));

    if (leaks->limit_bytes != 0)
        mw_sink_format(sink, " At this rate the process reaches its limit of %s",
                       mw_size_format(leaks->limit_bytes).text);
    else
        mw_sink_format(sink, " At this rate the process doubles its %s",
                       mw_size_format(leaks->rss_bytes).text);
    if (hours > YEAR_HOURS)
        mw_sink_text(sink, " in more than a year");
    else
        mw_sink_format(sink, " in %s", expected.text);
    if (strcmp(expected.text, earliest.text) != 0)
        mw_sink_format(sink, ", or %s at the earliest", earliest.text);
    mw_sink_text(sink, ".");
}

static void say_leaks(const mw_leaks *leaks, mw_sink *sink)
{
    uint32_t count = leaks->counts[MW_VERDICT_LEAK];
    uint32_t named = count < NAMED_MAXIMUM ? count : NAMED_MAXIMUM;

    if (count == 1) {
        mw_leaks_write_place(leaks, &leaks->rows[0], sink);
        mw_sink_text(sink, " leaks ");
        mw_leaks_write_rate(&leaks->leak_rate, sink);
        mw_sink_text(sink, ": ");
        mw_leaks_write_evidence(&leaks->rows[0].finding, sink);
        mw_sink_text(sink, ".");
    } else {
        mw_sink_format(sink, "%u %ss leak ", count, mw_leaks_noun(leaks));
        mw_leaks_write_rate(&leaks->leak_rate, sink);
        mw_sink_text(sink, " together: ");
        for (uint32_t i = 0; i < named; i++) {
            if (i != 0)
                mw_sink_text(sink, i + 1 == count ? " and " : ", ");
            mw_leaks_write_place(leaks, &leaks->rows[i], sink);
            mw_sink_format(sink, " (%.0f%%)", 100 * leaks->rows[i].share);
        }
        if (named < count)
            mw_sink_format(sink, " and %u more", count - named);
        mw_sink_text(sink, ".");
    }
    say_end(leaks, sink);
}

/* The first row with this verdict that is worth a sentence; NULL if there is none. */
static const mw_leak_row *first_of(const mw_leaks *leaks, mw_leak_verdict verdict)
{
    for (uint32_t i = 0; i < leaks->row_count; i++)
        if (leaks->rows[i].finding.verdict == verdict && leaks->rows[i].share >= SMALL_SHARE)
            return &leaks->rows[i];
    return NULL;
}

static void say_others(const mw_leaks *leaks, mw_sink *sink)
{
    const mw_leak_row *filling = first_of(leaks, MW_VERDICT_FILLING);
    const mw_leak_row *undecided = first_of(leaks, MW_VERDICT_UNDECIDED);

    if (filling != NULL) {
        mw_sink_text(sink, " ");
        mw_leaks_write_place(leaks, filling, sink);
        mw_sink_text(sink, " still fills, as a cache does");
        if (filling->finding.ends_at_bytes > 0)
            mw_sink_format(sink, ", to about %s",
                           mw_size_format((uint64_t)filling->finding.ends_at_bytes).text);
        mw_sink_text(sink, ".");
    }
    if (undecided != NULL) {
        mw_sink_text(sink, " About ");
        mw_leaks_write_place(leaks, undecided, sink);
        mw_sink_text(sink, " there is not enough data yet.");
    }
}

void mw_leaks_write_verdict(const mw_leaks *leaks, mw_sink *sink)
{
    mw_duration_text span = mw_duration_format((uint64_t)(leaks->hours * HOUR_NS));

    if (!mw_leaks_has_enough(leaks)) {
        mw_sink_format(sink,
                       "There is not enough data to tell leaks from caches: %u snapshot%s over "
                       "%s, and %d are needed.",
                       leaks->histories->count, leaks->histories->count == 1 ? "" : "s", span.text,
                       MW_MOMENTS_MINIMUM);
        return;
    }
    if (leaks->counts[MW_VERDICT_LEAK] != 0)
        say_leaks(leaks, sink);
    else
        mw_sink_format(sink, "Nothing leaks, as far as %u snapshots over %s tell.",
                       leaks->histories->count, span.text);
    say_others(leaks, sink);
}
