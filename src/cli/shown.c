/* SPDX-License-Identifier: MIT */
#include "cli/shown.h"

#include "base/quantity.h"
#include "cli/moment.h"

#include <stdio.h>
#include <string.h>

const char *const mw_key_words[] = {"line",   "file",   "function", "module", "traceback",
                                    "thread", "domain", "region",   NULL};
const mw_group_key mw_keys[] = {MW_GROUP_LINE,   MW_GROUP_FILE,      MW_GROUP_FUNCTION,
                                MW_GROUP_MODULE, MW_GROUP_TRACEBACK, MW_GROUP_THREAD,
                                MW_GROUP_DOMAIN, MW_GROUP_REGION};

static mw_status fail_memory(mw_error *reterr)
{
    return mw_error_set(reterr, MW_NO_MEMORY, "there is not enough memory for this capture.");
}

mw_status mw_shown_check(const mw_shown_options *options, mw_error *reterr)
{
    bool selects;

    if (options->wants_peak && options->at != NULL)
        return mw_error_set(reterr, MW_BAD_INPUT, "--peak is a moment of its own; leave out --at.");
    if (options->wants_peak && options->between[0] != NULL)
        return mw_error_set(reterr, MW_BAD_INPUT,
                            "--peak is a moment of its own; leave out --between.");
    if (options->at != NULL && options->between[0] != NULL)
        return mw_error_set(reterr, MW_BAD_INPUT,
                            "--between names its moments itself; leave out --at.");
    if (options->between[0] != NULL && options->older_than_ns != 0)
        return mw_error_set(reterr, MW_BAD_INPUT,
                            "--between and --older-than both say when blocks were born; leave "
                            "one out.");
    if (options->wants_total && options->wants_peak)
        return mw_error_set(reterr, MW_BAD_INPUT,
                            "--total counts the dead too, who are of no one moment; leave out "
                            "--peak.");
    if (options->wants_total && options->older_than_ns != 0)
        return mw_error_set(reterr, MW_BAD_INPUT,
                            "--total counts the dead too, who have no age; leave out "
                            "--older-than.");
    return mw_selection_check(&options->selection, &selects, reterr);
}

/* ── numbers ─────────────────────────────────────────────────────────────────────── */

/* What was allocated between two snapshots stands as what is alive. */
static mw_status totals_between(mw_snapshot *later, const mw_snapshot *earlier, mw_alloc *alloc,
                                mw_snapshot **ret_snapshot)
{
    uint32_t count = mw_snapshot_site_count(later) + 1;
    uint32_t earlier_count = mw_snapshot_site_count(earlier) + 1;
    mw_tally *tallies = mw_alloc_array(alloc, count, sizeof *tallies);
    mw_status status;

    if (tallies == NULL)
        return MW_NO_MEMORY;
    for (uint32_t i = 1; i < count; i++) {
        mw_site_row now = mw_snapshot_site(later, (mw_site){i});
        mw_site_row before = {0};

        if (i < earlier_count)
            before = mw_snapshot_site(earlier, (mw_site){i});
        if (now.total_blocks > before.total_blocks)
            tallies[i] = (mw_tally){now.total_bytes - before.total_bytes,
                                    now.total_blocks - before.total_blocks};
    }
    status = mw_snapshot_with_tallies(later, tallies, NULL, count, ret_snapshot);
    mw_alloc_release(alloc, tallies, count * sizeof *tallies);
    return status;
}

/* Replaces [*snapshot] by what has been allocated up to it, or since snapshot [since]. */
static mw_status take_totals(mw_subject *subject, const uint32_t *since, mw_alloc *alloc,
                             mw_snapshot **snapshot, mw_error *reterr)
{
    mw_snapshot *totals = NULL;
    mw_snapshot *earlier = NULL;
    mw_status status;

    if (!mw_snapshot_has_totals(*snapshot))
        return mw_error_set(reterr, MW_UNSUPPORTED,
                            "\"%.120s\" does not say what was allocated and freed again: it was "
                            "made without totals.",
                            subject->path);
    if (since == NULL) {
        status = mw_snapshot_totals_as_live(*snapshot, &totals);
    } else {
        status = mw_capture_snapshot(subject->capture, *since, &earlier, reterr);
        if (status != MW_OK)
            return status;
        status = totals_between(*snapshot, earlier, alloc, &totals);
        mw_snapshot_release(earlier);
    }
    if (status != MW_OK)
        return fail_memory(reterr);
    mw_snapshot_release(*snapshot);
    *snapshot = totals;
    return MW_OK;
}

/* ── moments ─────────────────────────────────────────────────────────────────────── */

/* Which snapshots were asked for: that which is shown, and the earlier one of --between. */
typedef struct choice {
    uint32_t number;
    uint32_t since;
    bool has_since;
} choice;

static mw_status choose(const mw_timeline *timeline, const mw_shown_options *options,
                        choice *ret_choice, mw_error *reterr)
{
    const char *at = options->between[0] != NULL ? options->between[1] : options->at;
    const char *option = options->between[0] != NULL  ? "--between"
                         : options->at_option != NULL ? options->at_option
                                                      : "--at";
    mw_status status =
        mw_moment_find(timeline, option, at == NULL ? "end" : at, &ret_choice->number, reterr);

    ret_choice->has_since = options->between[0] != NULL;
    if (status != MW_OK || !ret_choice->has_since)
        return status;
    status = mw_moment_find(timeline, option, options->between[0], &ret_choice->since, reterr);
    if (status == MW_OK && ret_choice->since >= ret_choice->number)
        return mw_error_set(reterr, MW_BAD_INPUT,
                            "--between wants two moments in their order with a snapshot each, and "
                            "\"%.40s\" and \"%.40s\" are snapshots %u and %u.",
                            options->between[0], options->between[1], ret_choice->since,
                            ret_choice->number);
    return status;
}

/* "at the end, 2m03s (snapshot 12 of 0 to 12)" */
static void say_when(const mw_timeline *timeline, const mw_shown *shown, char *text, size_t size)
{
    uint32_t last = mw_moment_snapshot_count(timeline) - 1;
    const char *end = timeline->ending == MW_ENDING_EXITED ? "the end" : "the last snapshot";
    mw_duration_text time = mw_duration_format(shown->point.time_ns);
    char place[60] = "";

    if (last != 0)
        snprintf(place, sizeof place, " (snapshot %u of 0 to %u)", shown->number, last);
    if (shown->number == last)
        snprintf(text, size, "%s, %s%s", end, time.text, place);
    else
        snprintf(text, size, "%s%s", time.text, place);
}

static void say_lead(const mw_timeline *timeline, mw_shown *shown, const mw_shown_options *options,
                     const choice *chosen)
{
    bool is_last = shown->number + 1 == mw_moment_snapshot_count(timeline);
    char when[100];

    say_when(timeline, shown, when, sizeof when);
    if (options->wants_peak) {
        snprintf(shown->lead, sizeof shown->lead, "Alive at the peak, %s",
                 mw_duration_format(shown->point.time_ns).text);
        snprintf(shown->measure, sizeof shown->measure, "alive at the peak");
    } else if (options->wants_total) {
        const mw_point *since = chosen->has_since ? mw_moment_point(timeline, chosen->since) : NULL;
        snprintf(shown->lead, sizeof shown->lead, "Allocated %s%s%sup to %s",
                 since == NULL ? "" : "from ",
                 since == NULL ? "" : mw_duration_format(since->time_ns).text,
                 since == NULL ? "" : " ", when);
        snprintf(shown->measure, sizeof shown->measure, "allocated");
    } else {
        snprintf(shown->lead, sizeof shown->lead, "Alive at %s", when);
        snprintf(shown->measure, sizeof shown->measure, "alive%s%s", is_last ? "" : " at ",
                 is_last ? "" : mw_duration_format(shown->point.time_ns).text);
    }
}

static mw_status take_moment(mw_shown *shown, mw_subject *subject, const mw_shown_options *options,
                             const choice *chosen, mw_alloc *alloc, mw_error *reterr)
{
    mw_status status;

    shown->number = chosen->number;
    if (options->wants_peak)
        return mw_capture_peak(subject->capture, &shown->whole, &shown->point, reterr);
    shown->point = *mw_capture_point(subject->capture, chosen->number);
    status = mw_capture_snapshot(subject->capture, chosen->number, &shown->whole, reterr);
    if (status == MW_OK && options->wants_total)
        status = take_totals(subject, chosen->has_since ? &chosen->since : NULL, alloc,
                             &shown->whole, reterr);
    return status;
}

/* ── what is left ────────────────────────────────────────────────────────────────── */

/* The epochs of birth that were asked for, and how that is said. */
static void select_births(const mw_timeline *timeline, const mw_shown_options *options,
                          const choice *chosen, mw_shown *shown, mw_selection *selection)
{
    if (options->older_than_ns != 0) {
        selection->has_epochs = true;
        selection->epoch_end =
            mw_moment_epochs_older(timeline, shown->point.time_ns, options->older_than_ns);
        mw_sink_format(&shown->selection.sink, "older than %s",
                       mw_duration_format(options->older_than_ns).text);
    }
    if (chosen->has_since && !options->wants_total) {
        const mw_point *since = mw_moment_point(timeline, chosen->since);
        selection->has_epochs = true;
        selection->first_epoch = mw_moment_epoch(timeline, since->time_ns);
        selection->epoch_end = UINT32_MAX;
        mw_sink_format(&shown->selection.sink, "born between %s and %s",
                       mw_duration_format(since->time_ns).text,
                       mw_duration_format(shown->point.time_ns).text);
    }
}

static mw_status select_part(mw_shown *shown, mw_subject *subject, const mw_selection *selection,
                             mw_alloc *alloc, mw_error *reterr)
{
    bool selects;
    mw_status status = mw_selection_check(selection, &selects, reterr);

    if (status != MW_OK)
        return status;
    if (!selects && selection->region_comment == NULL) {
        shown->snapshot = mw_snapshot_retain(shown->whole);
        return MW_OK;
    }
    status = mw_selection_apply(selection, shown->whole, &subject->lines.source, alloc,
                                &shown->snapshot);
    return status == MW_OK ? MW_OK : fail_memory(reterr);
}

static void describe(mw_shown *shown, const mw_selection *selection)
{
    mw_buffer words;

    mw_buffer_init(&words, shown->selection.alloc);
    mw_selection_describe(selection, &words.sink);
    if (words.length != 0 && shown->selection.length != 0)
        mw_sink_text(&shown->selection.sink, ", ");
    if (words.length != 0)
        mw_sink_bytes(&shown->selection.sink, words.bytes, words.length);
    mw_buffer_done(&words);
}

mw_status mw_shown_init(mw_shown *shown, mw_subject *subject, const mw_shown_options *options,
                        mw_alloc *alloc, mw_error *reterr)
{
    const mw_timeline *timeline = mw_capture_timeline(subject->capture);
    mw_selection selection = options->selection;
    choice chosen = {0};
    mw_status status;

    *shown = (mw_shown){0};
    mw_buffer_init(&shown->selection, alloc);
    status = choose(timeline, options, &chosen, reterr);
    if (status == MW_OK)
        status = take_moment(shown, subject, options, &chosen, alloc, reterr);
    if (status != MW_OK)
        goto done;
    say_lead(timeline, shown, options, &chosen);
    select_births(timeline, options, &chosen, shown, &selection);
    describe(shown, &selection);
    status = select_part(shown, subject, &selection, alloc, reterr);

done:
    if (status != MW_OK)
        mw_shown_done(shown);
    return status;
}

void mw_shown_done(mw_shown *shown)
{
    mw_snapshot_release(shown->whole);
    mw_snapshot_release(shown->snapshot);
    mw_buffer_done(&shown->selection);
    *shown = (mw_shown){0};
}

const char *mw_shown_selection(const mw_shown *shown)
{
    return shown->selection.bytes == NULL ? "" : shown->selection.bytes;
}

mw_status mw_shown_moment(mw_subject *subject, const mw_shown_options *options, uint32_t number,
                          mw_alloc *alloc, mw_snapshot **ret_snapshot, mw_error *reterr)
{
    mw_shown_options of_moment = *options;
    char text[16];
    mw_shown shown;
    mw_status status;

    snprintf(text, sizeof text, "%u", number);
    of_moment.at = text;
    of_moment.between[0] = of_moment.between[1] = NULL;
    of_moment.wants_peak = false;
    status = mw_shown_init(&shown, subject, &of_moment, alloc, reterr);
    if (status != MW_OK)
        return status;
    *ret_snapshot = mw_snapshot_retain(shown.snapshot);
    mw_shown_done(&shown);
    return MW_OK;
}
