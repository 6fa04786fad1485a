/* SPDX-License-Identifier: MIT */
#include "render/report_text.h"

#include "base/quantity.h"
#include "render/rows_text.h"
#include "render/summary.h"

#include <string.h>

typedef struct report_writer {
    const mw_report *report;
    mw_verdict verdict;
    mw_screen screen;
    mw_sink *sink; /* the screen's */
    mw_alloc *alloc;
} report_writer;

static uint64_t sample_bytes(const mw_report *report)
{
    const mw_timeline *timeline = report->view->timeline;
    uint64_t of_snapshot = mw_snapshot_sample_bytes(report->view->snapshot);

    return of_snapshot != 0 || timeline == NULL ? of_snapshot : timeline->program.sample_bytes;
}

/* What the verdict is told. */
static mw_summary summary_of(const mw_report *report)
{
    const char *measure = report->view->measure;

    return (mw_summary){.snapshot = report->view->snapshot,
                        .places = report->view->places,
                        .by = report->by,
                        .measure =
                            measure == NULL || strcmp(measure, "alive") == 0 ? NULL : measure,
                        .is_estimated = sample_bytes(report) != 0,
                        .is_selection = *report->selection != '\0'};
}

/* ── the head ────────────────────────────────────────────────────────────────────── */

static void write_verdict(const report_writer *writer)
{
    const char *of_series = writer->report->view->verdict;
    mw_summary summary = summary_of(writer->report);
    mw_buffer text;

    mw_buffer_init(&text, writer->alloc);
    if (of_series != NULL && *of_series != '\0') {
        mw_sink_text(&text.sink, of_series);
        mw_sink_text(&text.sink, " ");
    }
    mw_verdict_write(&writer->verdict, &summary, &text.sink);
    mw_screen_gathered(&writer->screen, &text, MW_STYLE_STRONG);
    mw_sink_text(writer->sink, "\n");
}

/* "service.py, Python 3.11.2, process 4711, started 2026-11-21 16:11:58." */
static void write_program(const report_writer *writer)
{
    const mw_timeline *timeline = writer->report->view->timeline;
    const mw_program *program = timeline == NULL ? NULL : &timeline->program;
    mw_buffer text;

    if (program == NULL)
        return;
    mw_buffer_init(&text, writer->alloc);
    if (*program->name == '\0')
        mw_sink_text(&text.sink, "A program without a name");
    mw_sink_clean(&text.sink, program->name, strlen(program->name), UINT32_MAX);
    if (*program->python != '\0') {
        mw_sink_text(&text.sink, ", Python ");
        mw_sink_clean(&text.sink, program->python, strlen(program->python), UINT32_MAX);
    }
    if (program->pid != 0)
        mw_sink_format(&text.sink, ", process %lld", (long long)program->pid);
    if (*writer->report->started != '\0')
        mw_sink_format(&text.sink, ", started %s", writer->report->started);
    mw_sink_text(&text.sink, ".");
    mw_screen_gathered(&writer->screen, &text, MW_STYLE_PLAIN);
}

/* "Alive at the end, 2m03s: 17.4 MiB in 73,070 blocks; at the peak: 20.0 MiB." */
static void write_moment(const report_writer *writer)
{
    const mw_report *report = writer->report;
    mw_buffer text;

    mw_buffer_init(&text, writer->alloc);
    mw_sink_format(
        &text.sink, "%s: %s in %s block%s", report->lead, mw_size_format(report->whole_bytes).text,
        mw_count_format(report->whole_blocks).text, report->whole_blocks == 1 ? "" : "s");
    if (report->point != NULL && report->point->peak_bytes != report->whole_bytes)
        mw_sink_format(&text.sink, "; the peak up to then: %s",
                       mw_size_format(report->point->peak_bytes).text);
    if (report->point != NULL && report->point->rss_bytes != 0)
        mw_sink_format(&text.sink, "; RSS: %s", mw_size_format(report->point->rss_bytes).text);
    mw_sink_text(&text.sink, ".");
    mw_screen_gathered(&writer->screen, &text, MW_STYLE_PLAIN);
}

static void write_selection(const report_writer *writer)
{
    const mw_report *report = writer->report;
    const mw_snapshot *snapshot = report->view->snapshot;
    mw_buffer text;

    if (*report->selection == '\0')
        return;
    mw_buffer_init(&text, writer->alloc);
    mw_sink_format(&text.sink, "Shown: %s of it, in %s block%s, ",
                   mw_size_format(mw_snapshot_live_bytes(snapshot)).text,
                   mw_count_format(mw_snapshot_block_count(snapshot)).text,
                   mw_snapshot_block_count(snapshot) == 1 ? "" : "s");
    mw_sink_clean(&text.sink, report->selection, strlen(report->selection), UINT32_MAX);
    mw_sink_text(&text.sink, ".");
    mw_screen_gathered(&writer->screen, &text, MW_STYLE_PLAIN);
}

/* How far apart the marks were, and what that means for the whole. */
static void write_sampling(const report_writer *writer, mw_sink *sink)
{
    const mw_rows *rows = &writer->verdict.rows;
    mw_estimate all;
    mw_interval interval;

    mw_sink_format(sink,
                   "Sampled, one block per %s allocated on average: all numbers are estimates. ",
                   mw_size_format(sample_bytes(writer->report)).text);
    if (!rows->are_estimated || rows->count == 0)
        return;
    all = mw_rows_estimate_from(rows, 0);
    interval = mw_estimate_bytes_interval(&all, rows->sample_bytes);
    mw_sink_format(sink, "Together it is %s to %s with 95%% confidence. ",
                   mw_size_format((uint64_t)interval.low).text,
                   mw_size_format((uint64_t)interval.high).text);
}

/* What one has to know about the numbers, a sentence each. */
static void write_cautions(const report_writer *writer)
{
    const mw_report *report = writer->report;
    const mw_timeline *timeline = report->view->timeline;
    mw_buffer text;

    mw_buffer_init(&text, writer->alloc);
    if (sample_bytes(report) != 0)
        write_sampling(writer, &text.sink);
    if (report->point != NULL && report->point->lost_blocks != 0)
        mw_sink_format(&text.sink, "Missing: %s blocks, for which memwhy had no memory. ",
                       mw_count_format(report->point->lost_blocks).text);
    if (report->is_truncated)
        mw_sink_text(&text.sink, "The file ends in the middle of a record, as it does when the "
                                 "process is killed or the disk is full; what comes before is "
                                 "whole. ");
    else if (timeline != NULL && timeline->ending == MW_ENDING_UNKNOWN)
        mw_sink_text(&text.sink, "The process was killed, or was still running. ");
    else if (timeline != NULL && timeline->exit_status != 0)
        mw_sink_format(&text.sink, "The process ended with exit status %d. ",
                       timeline->exit_status);
    if (text.length != 0)
        mw_screen_gathered(&writer->screen, &text, MW_STYLE_PLAIN);
    mw_buffer_done(&text);
}

/* ── the whole ───────────────────────────────────────────────────────────────────── */

static mw_status write_body(report_writer *writer, mw_error *reterr)
{
    const mw_report *report = writer->report;
    mw_rows_table table = {
        .rows = &writer->verdict.rows, .blames = &writer->verdict.blames, .top = report->top};

    if (report->form == MW_REPORT_TREE)
        return mw_tree_write_text(&report->tree, report->view->snapshot, NULL, &writer->screen,
                                  writer->alloc, reterr);
    if (report->form == MW_REPORT_SOURCE)
        return mw_source_view_write_text(&report->lines, report->view->snapshot, &writer->screen,
                                         writer->alloc, reterr);
    if (mw_rows_table_write(&table, &writer->screen, writer->alloc) != MW_OK)
        return mw_error_set(reterr, MW_NO_MEMORY, "there is not enough memory for a table");
    return MW_OK;
}

static void write_cost(const report_writer *writer)
{
    const mw_point *point = writer->report->point;

    if (point != NULL && point->overhead_bytes != 0)
        mw_sink_format(writer->sink, "memwhy itself held %s.\n",
                       mw_size_format(point->overhead_bytes).text);
}

mw_status mw_report_write_text(const mw_report *report, mw_alloc *alloc, mw_sink *sink,
                               mw_error *reterr)
{
    report_writer writer = {.report = report,
                            .screen = {.sink = sink,
                                       .places = report->view->places,
                                       .source = report->view->source,
                                       .width = report->width,
                                       .has_colour = report->has_colour},
                            .sink = sink,
                            .alloc = alloc};
    mw_summary summary = summary_of(report);
    mw_status status = mw_verdict_init(&writer.verdict, &summary, alloc, reterr);

    if (status != MW_OK)
        return status;
    write_verdict(&writer);
    write_program(&writer);
    write_moment(&writer);
    write_selection(&writer);
    write_cautions(&writer);
    mw_sink_text(sink, "\n");
    status = write_body(&writer, reterr);
    write_cost(&writer);
    mw_verdict_done(&writer.verdict);
    if (status == MW_OK && sink->status != MW_OK)
        return mw_error_set(reterr, sink->status, "the report could not be written");
    return status;
}
