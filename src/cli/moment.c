/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "cli/moment.h"

#include "base/quantity.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NS_PER_SECOND UINT64_C(1000000000)

/* How far a moment may lie outside of the series: people round. */
#define SLACK_NS (5 * NS_PER_SECOND)

uint32_t mw_moment_snapshot_count(const mw_timeline *timeline)
{
    for (size_t i = timeline->point_count; i-- > 0;)
        if (timeline->points[i].snapshot != MW_NO_SNAPSHOT)
            return (uint32_t)timeline->points[i].snapshot + 1;
    return 0;
}

const mw_point *mw_moment_point(const mw_timeline *timeline, uint32_t snapshot)
{
    for (size_t i = 0; i < timeline->point_count; i++)
        if (timeline->points[i].snapshot == (int32_t)snapshot)
            return &timeline->points[i];
    return NULL;
}

/* ── the clock ───────────────────────────────────────────────────────────────────── */

/* Nanoseconds from the start to a time of the clock, in our time zone; false if it lies
 * before the start, or is none. */
static bool after_start(const mw_timeline *timeline, struct tm *clock, bool is_any_day,
                        uint64_t *ret_ns)
{
    time_t start = (time_t)(timeline->program.start_unix_ns / NS_PER_SECOND);
    time_t found;

    clock->tm_isdst = -1;
    found = mktime(clock);
    if (is_any_day && found + (time_t)(SLACK_NS / NS_PER_SECOND) < start) {
        clock->tm_mday++;
        clock->tm_isdst = -1;
        found = mktime(clock);
    }
    if (found + (time_t)(SLACK_NS / NS_PER_SECOND) < start)
        return false;
    *ret_ns = found < start ? 0 : (uint64_t)(found - start) * NS_PER_SECOND;
    return true;
}

static bool parse_clock(const mw_timeline *timeline, const char *text, uint64_t *ret_ns)
{
    static const char *const times[] = {"%H:%M", "%H:%M:%S"};
    static const char *const days[] = {"%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M",
                                       "%Y-%m-%dT%H:%M:%S"};
    time_t start = (time_t)(timeline->program.start_unix_ns / NS_PER_SECOND);

    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        struct tm clock;
        const char *end;
        localtime_r(&start, &clock);
        clock.tm_sec = 0;
        end = strptime(text, times[i], &clock);
        if (end != NULL && *end == '\0')
            return after_start(timeline, &clock, true, ret_ns);
    }
    for (size_t i = 0; i < sizeof days / sizeof days[0]; i++) {
        struct tm clock = {0};
        const char *end = strptime(text, days[i], &clock);
        if (end != NULL && *end == '\0')
            return after_start(timeline, &clock, false, ret_ns);
    }
    return false;
}

/* ── moments ─────────────────────────────────────────────────────────────────────── */

static uint32_t nearest_snapshot(const mw_timeline *timeline, uint64_t time_ns)
{
    uint64_t least = UINT64_MAX;
    uint32_t nearest = 0;

    for (size_t i = 0; i < timeline->point_count; i++) {
        const mw_point *point = &timeline->points[i];
        uint64_t distance =
            point->time_ns > time_ns ? point->time_ns - time_ns : time_ns - point->time_ns;
        if (point->snapshot == MW_NO_SNAPSHOT || distance >= least)
            continue;
        least = distance;
        nearest = (uint32_t)point->snapshot;
    }
    return nearest;
}

static bool parse_number(const char *text, uint32_t *ret_number)
{
    char *end;
    unsigned long number;

    text += *text == '#';
    if (*text < '0' || *text > '9')
        return false;
    number = strtoul(text, &end, 10);
    if (*end != '\0' || number > UINT32_MAX)
        return false;
    *ret_number = (uint32_t)number;
    return true;
}

static bool parse_time(const mw_timeline *timeline, const char *text, uint64_t last_ns,
                       uint64_t *ret_ns)
{
    uint64_t ns;

    if (*text == '-' && mw_duration_parse(text + 1, &ns)) {
        *ret_ns = ns < last_ns ? last_ns - ns : 0;
        return true;
    }
    return mw_duration_parse(text, ret_ns) || parse_clock(timeline, text, ret_ns);
}

mw_status mw_moment_find(const mw_timeline *timeline, const char *option, const char *text,
                         uint32_t *ret_snapshot, mw_error *reterr)
{
    uint32_t count = mw_moment_snapshot_count(timeline);
    const mw_point *last = mw_moment_point(timeline, count - 1);
    uint64_t end_ns = timeline->points[timeline->point_count - 1].time_ns;
    uint64_t time_ns;

    if (strcmp(text, "end") == 0 || strcmp(text, "start") == 0) {
        *ret_snapshot = *text == 'e' ? count - 1 : 0;
        return MW_OK;
    }
    if (parse_number(text, ret_snapshot)) {
        if (*ret_snapshot < count)
            return MW_OK;
        return mw_error_set(reterr, MW_BAD_INPUT,
                            "%s %.60s: the capture's snapshots have the numbers 0 to %u.", option,
                            text, count - 1);
    }
    if (!parse_time(timeline, text, last->time_ns, &time_ns))
        return mw_error_set(reterr, MW_BAD_INPUT,
                            "%s takes a moment, as in \"90s\", \"-10m\", \"14:03\", \"end\" or a "
                            "snapshot's number, not \"%.60s\".",
                            option, text);
    if (time_ns > end_ns + SLACK_NS)
        return mw_error_set(reterr, MW_BAD_INPUT, "%s %.60s: the capture ends at %s.", option, text,
                            mw_duration_format(end_ns).text);
    *ret_snapshot = nearest_snapshot(timeline, time_ns);
    return MW_OK;
}

uint32_t mw_moment_epoch(const mw_timeline *timeline, uint64_t time_ns)
{
    uint64_t least = UINT64_MAX;
    uint32_t nearest = 0;

    for (size_t i = 0; i < timeline->epoch_count; i++) {
        uint64_t start = timeline->epoch_starts_ns[i];
        uint64_t distance = start > time_ns ? start - time_ns : time_ns - start;
        if (distance > least)
            continue;
        least = distance;
        nearest = (uint32_t)i;
    }
    return nearest;
}

uint32_t mw_moment_epochs_older(const mw_timeline *timeline, uint64_t time_ns, uint64_t age_ns)
{
    uint32_t count = 0;

    if (age_ns > time_ns)
        return 0;
    while (count + 1 < timeline->epoch_count &&
           timeline->epoch_starts_ns[count + 1] <= time_ns - age_ns)
        count++;
    return count;
}
