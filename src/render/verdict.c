/* SPDX-License-Identifier: MIT
 *
 * A line is named if it alone holds a share that is worth a look, and the named lines
 * are given as the answer only if together they explain enough; else the honest answer
 * is that no line stands out.  Lines of a library that nobody of the program called
 * must hold more to be named: there is less that one can do about them.
 */
#include "render/screen.h"
#include "render/summary.h"

#include <stdio.h>
#include <string.h>

enum {
    PROGRAM_PERCENT_MINIMUM = 5,
    LIBRARY_PERCENT_MINIMUM = 20,
    TOGETHER_PERCENT_MINIMUM = 25,
    IMPORTS_PERCENT_MINIMUM = 5, /* from where imports are worth a sentence */
};

enum { ALL_COLUMNS = 4096 };

/* ── deciding ────────────────────────────────────────────────────────────────────── */

static bool is_share(uint64_t part, uint64_t whole, unsigned percent)
{
    return part != 0 && (double)part * 100 >= (double)whole * percent;
}

static bool stands_out(const mw_blame *line, uint64_t live_bytes)
{
    if (line->kind == MW_BLAME_PROGRAM)
        return is_share(line->bytes, live_bytes, PROGRAM_PERCENT_MINIMUM);
    return line->kind == MW_BLAME_LIBRARY &&
           is_share(line->bytes, live_bytes, LIBRARY_PERCENT_MINIMUM);
}

static void name_culprits(mw_verdict *verdict)
{
    const mw_blames *blames = &verdict->blames;

    for (uint32_t i = 0; i < blames->line_count; i++) {
        if (verdict->culprit_count == MW_CULPRIT_MAXIMUM)
            break;
        if (!stands_out(&blames->lines[i], blames->live_bytes))
            continue;
        verdict->culprits[verdict->culprit_count++] = &blames->lines[i];
        verdict->culprit_bytes += blames->lines[i].bytes;
    }
    if (is_share(verdict->culprit_bytes, blames->live_bytes, TOGETHER_PERCENT_MINIMUM))
        return;
    verdict->culprit_count = 0;
    verdict->culprit_bytes = 0;
}

mw_status mw_verdict_init(mw_verdict *ret_verdict, const mw_summary *summary, mw_alloc *alloc,
                          mw_error *reterr)
{
    mw_verdict *verdict = ret_verdict;
    mw_status status;

    *verdict = (mw_verdict){0};
    status = mw_blames_init(&verdict->blames, summary->snapshot, summary->places, alloc);
    if (status != MW_OK)
        return mw_error_set(reterr, status, "there is not enough memory for a summary");
    status = mw_snapshot_group(summary->snapshot, summary->by, MW_GROUP_INNERMOST, alloc,
                               &verdict->rows, reterr);
    if (status != MW_OK) {
        mw_verdict_done(verdict);
        return status;
    }
    name_culprits(verdict);
    return MW_OK;
}

void mw_verdict_done(mw_verdict *verdict)
{
    mw_blames_done(&verdict->blames);
    mw_rows_done(&verdict->rows);
    *verdict = (mw_verdict){0};
}

/* ── saying ──────────────────────────────────────────────────────────────────────── */

static void say_line(const mw_summary *summary, mw_frame frame, mw_sink *sink)
{
    mw_frame_row row = mw_snapshot_frame(summary->snapshot, frame);

    mw_places_write(summary->places, mw_snapshot_string(summary->snapshot, row.file, NULL),
                    ALL_COLUMNS, sink);
    if (row.line > 0)
        mw_sink_format(sink, ":%d", (int)row.line);
}

static void say_function(const mw_summary *summary, mw_frame frame, mw_sink *sink)
{
    mw_frame_row row = mw_snapshot_frame(summary->snapshot, frame);
    size_t length;
    const char *name = mw_snapshot_string(summary->snapshot, row.function, &length);

    if (length == 0)
        return;
    mw_sink_text(sink, " in ");
    mw_sink_clean(sink, name, length, ALL_COLUMNS);
}

static bool is_same_line(const mw_snapshot *snapshot, mw_frame a, mw_frame b)
{
    mw_frame_row left = mw_snapshot_frame(snapshot, a);
    mw_frame_row right = mw_snapshot_frame(snapshot, b);

    return left.file.index == right.file.index && left.line == right.line;
}

/* "about 12.3 MiB". */
static void say_size(const mw_summary *summary, uint64_t bytes, mw_sink *sink)
{
    mw_sink_format(sink, "%s%s", summary->is_estimated ? "about " : "", mw_size_format(bytes).text);
}

static const char *measure_of(const mw_summary *summary)
{
    return summary->measure == NULL ? "still alive" : summary->measure;
}

static void say_culprit(const mw_summary *summary, const mw_blame *culprit, mw_sink *sink)
{
    say_line(summary, culprit->frame, sink);
    say_function(summary, culprit->frame, sink);
    mw_sink_text(sink, " (");
    say_size(summary, culprit->bytes, sink);
    mw_sink_format(sink, " in %s block%s", mw_count_format(culprit->blocks).text,
                   culprit->blocks == 1 ? "" : "s");
    if (culprit->kind == MW_BLAME_LIBRARY)
        mw_sink_text(sink, ", called by no line of the program");
    else if (!is_same_line(summary->snapshot, culprit->frame, culprit->innermost)) {
        mw_sink_text(sink, ", allocated in ");
        say_line(summary, culprit->innermost, sink);
    }
    mw_sink_text(sink, ")");
}

static void say_culprits(const mw_verdict *verdict, const mw_summary *summary, mw_sink *sink)
{
    static const char *const numbers[] = {"", "one line", "two lines", "three lines"};

    mw_sink_format(sink, "%s of %s",
                   mw_share_format(verdict->culprit_bytes, verdict->blames.live_bytes).text,
                   summary->is_estimated ? "" : "the ");
    say_size(summary, verdict->blames.live_bytes, sink);
    mw_sink_format(sink, " %s comes from %s: ", measure_of(summary),
                   numbers[verdict->culprit_count]);
    for (uint32_t i = 0; i < verdict->culprit_count; i++) {
        if (i != 0)
            mw_sink_text(sink, i + 1 == verdict->culprit_count ? " and " : ", ");
        say_culprit(summary, verdict->culprits[i], sink);
    }
    mw_sink_text(sink, ".");
}

static const mw_blame *largest_program_line(const mw_blames *blames)
{
    for (uint32_t i = 0; i < blames->line_count; i++)
        if (blames->lines[i].kind == MW_BLAME_PROGRAM && blames->lines[i].bytes != 0)
            return &blames->lines[i];
    return NULL;
}

static void say_nothing_stands_out(const mw_verdict *verdict, const mw_summary *summary,
                                   mw_sink *sink)
{
    const mw_blame *largest = largest_program_line(&verdict->blames);

    mw_sink_format(sink, "No line of the program stands out in %s",
                   summary->is_estimated ? "" : "the ");
    say_size(summary, verdict->blames.live_bytes, sink);
    mw_sink_format(sink, " %s", measure_of(summary));
    if (largest != NULL) {
        mw_sink_text(sink, "; the largest is ");
        say_culprit(summary, largest, sink);
    }
    mw_sink_text(sink, ".");
}

void mw_verdict_write(const mw_verdict *verdict, const mw_summary *summary, mw_sink *sink)
{
    const mw_blames *blames = &verdict->blames;

    if (blames->live_bytes == 0) {
        mw_sink_format(sink, "Nothing that was %s is %s.",
                       summary->is_selection ? "asked for" : "allocated since the start",
                       measure_of(summary));
        return;
    }
    if (verdict->culprit_count != 0)
        say_culprits(verdict, summary, sink);
    else
        say_nothing_stands_out(verdict, summary, sink);
    if (is_share(blames->import_bytes, blames->live_bytes, IMPORTS_PERCENT_MINIMUM))
        mw_sink_format(sink, " Imported modules hold %s (%s).",
                       mw_size_format(blames->import_bytes).text,
                       mw_share_format(blames->import_bytes, blames->live_bytes).text);
}
