/* SPDX-License-Identifier: MIT
 *
 * `memwhy report`: opens a capture, chooses what of it is shown, and has it drawn: on the
 * screen, or in the formats that were asked for.
 */
#define _GNU_SOURCE
#include "cli/capture_leaks.h"
#include "cli/command.h"
#include "cli/format_files.h"
#include "cli/heap_pages.h"
#include "cli/output.h"
#include "cli/shown.h"
#include "cli/terminal.h"
#include "render/report_text.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    TOP_MAXIMUM = 1000000,
    DEPTH_MAXIMUM = 100000,
};

extern const mw_command mw_command_report;

typedef struct report_options {
    mw_shown_options shown;
    mw_format_files files;
    int by;             /* its place in `keys`                         */
    long top;           /* 0: unsaid                                   */
    const char *source; /* a file, "all", or NULL                      */
    bool wants_tree;
    bool is_inverted;
    long depth; /* 0: all                                      */
    double share_minimum;
} report_options;

/* ── options ─────────────────────────────────────────────────────────────────────── */

static const mw_option option_rows[] = {
    {"--by", MW_OPTION_CHOICE, .offset = offsetof(report_options, by), .choices = mw_key_words},
    {"--top", MW_OPTION_COUNT, .offset = offsetof(report_options, top), .maximum = TOP_MAXIMUM},
    {"--at", MW_OPTION_TEXT, .offset = offsetof(report_options, shown.at)},
    {"--between", MW_OPTION_PAIR, .offset = offsetof(report_options, shown.between)},
    {"--older-than", MW_OPTION_DURATION, .offset = offsetof(report_options, shown.older_than_ns)},
    {"--source", MW_OPTION_TEXT, .offset = offsetof(report_options, source)},
    {"--tree", MW_OPTION_FLAG, .offset = offsetof(report_options, wants_tree)},
    {"--invert", MW_OPTION_FLAG, .offset = offsetof(report_options, is_inverted)},
    {"--depth", MW_OPTION_COUNT, .offset = offsetof(report_options, depth),
     .maximum = DEPTH_MAXIMUM},
    {"--min-share", MW_OPTION_PERCENT, .offset = offsetof(report_options, share_minimum)},
    MW_SHOWN_OPTIONS(report_options, shown),
};

static bool take_format(void *fields, const char *name, const char *value)
{
    return mw_format_files_take(&((report_options *)fields)->files, name, value);
}

static const mw_option_table option_table = {
    .command = "report",
    .options = option_rows,
    .option_count = sizeof option_rows / sizeof option_rows[0],
    .has_other = mw_format_has_option,
    .take_other = take_format,
    .operand_maximum = 1,
};

static int check_options(const report_options *options, const char *path)
{
    const char *const inputs[] = {path, NULL};
    mw_error error;

    if (path == NULL)
        return mw_command_fail("report wants a capture; see \"memwhy help report\".");
    if (mw_shown_check(&options->shown, &error) != MW_OK ||
        mw_format_files_check(&options->files, inputs, &error) != MW_OK)
        return mw_command_fail_with(&error);
    if (options->wants_tree && options->source != NULL)
        return mw_command_fail("--tree and --source are two ways to look; leave one out.");
    if (!options->wants_tree && (options->is_inverted || options->depth != 0))
        return mw_command_fail("%s goes with --tree; see \"memwhy help report\".",
                               options->is_inverted ? "--invert" : "--depth");
    return MW_EXIT_DONE;
}

/* ── drawing ─────────────────────────────────────────────────────────────────────── */

static void say_started(const mw_program *program, char *text, size_t size)
{
    time_t start = (time_t)(program->start_unix_ns / 1000000000);
    struct tm clock;

    text[0] = '\0';
    if (program->start_unix_ns != 0 && localtime_r(&start, &clock) != NULL)
        strftime(text, size, "%Y-%m-%d %H:%M:%S", &clock);
}

static mw_status write_screen(const report_options *options, const mw_view *view,
                              const mw_shown *shown, const mw_subject *subject, mw_alloc *alloc,
                              mw_error *reterr)
{
    static mw_output output;
    mw_group_key by = mw_keys[options->by];
    char started[40];
    mw_report report = {
        .view = view,
        .point = &shown->point,
        .started = started,
        .lead = shown->lead,
        .selection = mw_shown_selection(shown),
        .whole_bytes = mw_snapshot_live_bytes(shown->whole),
        .whole_blocks = mw_snapshot_block_count(shown->whole),
        .is_truncated = mw_capture_is_truncated(subject->capture),
        .form = options->wants_tree       ? MW_REPORT_TREE
                : options->source != NULL ? MW_REPORT_SOURCE
                                          : MW_REPORT_TABLE,
        .by = by,
        .top = options->top != 0          ? (uint32_t)options->top
               : by == MW_GROUP_TRACEBACK ? 3
                                          : 10,
        .tree = {.is_inverted = options->is_inverted,
                 .depth_maximum = (uint32_t)options->depth,
                 .share_minimum = options->share_minimum},
        .lines = {.texts = &subject->texts},
        .width = mw_terminal_width(STDOUT_FILENO),
        .has_colour = mw_terminal_has_colour(STDOUT_FILENO),
    };
    mw_status status;

    if (options->source != NULL && strcmp(options->source, "all") != 0)
        report.lines.file = options->source;
    say_started(&view->timeline->program, started, sizeof started);
    status = mw_output_open(&output, "-", reterr);
    if (status == MW_OK)
        status = mw_report_write_text(&report, alloc, &output.sink, reterr);
    if (status == MW_OK)
        return mw_output_finish(&output, reterr);
    if (output.error_number != 0)
        return mw_output_finish(&output, reterr);
    return status;
}

/* The snapshots that a page lets one choose from: all of the series, with the same part of
 * each. */
typedef struct series_moments {
    mw_moments base; /* first: what renderers see */
    mw_subject *subject;
    const mw_shown_options *options;
    mw_alloc *alloc;
    mw_error error; /* why the last one could not be taken */
} series_moments;

static uint64_t time_of_moment(const mw_moments *self, size_t number)
{
    const series_moments *moments = (const series_moments *)self;

    return mw_capture_point(moments->subject->capture, (uint32_t)number)->time_ns;
}

static mw_status take_moment(mw_moments *self, size_t number, mw_snapshot **ret_snapshot)
{
    series_moments *moments = (series_moments *)self;

    return mw_shown_moment(moments->subject, moments->options, (uint32_t)number, moments->alloc,
                           ret_snapshot, &moments->error);
}

static mw_status write_files(const report_options *options, mw_view *view, mw_subject *subject,
                             mw_alloc *alloc, mw_error *reterr)
{
    static mw_heap_pages heaps;
    series_moments moments = {.base = {.count = mw_capture_snapshot_count(subject->capture),
                                       .time_ns = time_of_moment,
                                       .take = take_moment},
                              .subject = subject,
                              .options = &options->shown,
                              .alloc = alloc};
    mw_status status = MW_OK;

    view->moments = &moments.base;
    view->heaps = heaps.items;
    if (mw_format_files_have(&options->files, "html"))
        status = mw_heap_pages_init(&heaps, subject, alloc, reterr);
    view->heap_count = heaps.count;
    if (status == MW_OK)
        status = mw_format_files_write(&options->files, view, alloc, reterr);
    mw_heap_pages_done(&heaps);
    view->heap_count = 0;
    view->moments = NULL;
    if (status != MW_OK && moments.error.text[0] != '\0')
        *reterr = moments.error;
    return status;
}

/* ── the verdict over time ───────────────────────────────────────────────────────── */

/* Whether what is alive at the end is shown, or a part of that. */
static bool is_the_end(const mw_shown_options *options)
{
    return options->at == NULL && options->between[0] == NULL && options->older_than_ns == 0 &&
           !options->wants_peak && !options->wants_total;
}

/* All of it: only of that does a verdict speak. */
static bool is_all_at_the_end(const mw_shown_options *options, const mw_shown *shown)
{
    return is_the_end(options) && *mw_shown_selection(shown) == '\0';
}

/* Writes what `memwhy leaks` says first, or nothing if the series is too short for it. */
static mw_status write_verdict(mw_subject *subject, mw_alloc *alloc, mw_buffer *verdict,
                               mw_error *reterr)
{
    mw_leak_scope scope = {.by = MW_GROUP_LINE, .places = &subject->places};
    mw_capture_leaks leaks = {0};
    mw_status status;

    status = mw_capture_leaks_init(&leaks, subject->capture, &scope, 0, alloc, reterr);
    if (status == MW_OK && mw_leaks_has_enough(&leaks.leaks))
        mw_leaks_write_verdict(&leaks.leaks, &verdict->sink);
    mw_capture_leaks_done(&leaks);
    return status == MW_OK ? verdict->sink.status : status;
}

/* Pages and profiles show the first line as the headline: that is the first sentence. */
static void end_first_sentence(mw_buffer *verdict)
{
    char *end = verdict->bytes == NULL ? NULL : strstr(verdict->bytes, ". ");

    if (end != NULL)
        end[1] = '\n';
}

static mw_status draw(const report_options *options, mw_subject *subject, mw_shown *shown,
                      mw_alloc *alloc, mw_error *reterr)
{
    mw_status status = MW_OK;
    mw_buffer verdict;
    mw_view view = {.snapshot = shown->snapshot,
                    .timeline = mw_capture_timeline(subject->capture),
                    .time_ns = shown->point.time_ns,
                    .places = &subject->places,
                    .source = &subject->lines.source,
                    .measure = shown->measure};

    mw_buffer_init(&verdict, alloc);
    if (mw_capture_snapshot_count(subject->capture) > 1 &&
        is_all_at_the_end(&options->shown, shown))
        status = write_verdict(subject, alloc, &verdict, reterr);
    view.verdict = verdict.bytes;
    if (status == MW_OK && options->files.count != 0) {
        end_first_sentence(&verdict);
        status = write_files(options, &view, subject, alloc, reterr);
    } else if (status == MW_OK) {
        status = write_screen(options, &view, shown, subject, alloc, reterr);
    }
    mw_buffer_done(&verdict);
    return status;
}

/* ── objects alone ───────────────────────────────────────────────────────────────── */

/* A page can show heaps of a capture that has nothing else. */
static bool is_about_objects(const report_options *options, const mw_subject *subject)
{
    return mw_capture_snapshot_count(subject->capture) == 0 &&
           mw_capture_heap_count(subject->capture) != 0 && options->files.count == 1 &&
           mw_format_files_have(&options->files, "html") && is_the_end(&options->shown);
}

/* Beside a snapshot that nothing is in. */
static mw_status draw_objects(const report_options *options, mw_subject *subject, mw_alloc *alloc,
                              mw_error *reterr)
{
    mw_snapshot_builder *builder;
    mw_snapshot *nothing;
    mw_view view = {.timeline = mw_capture_timeline(subject->capture),
                    .places = &subject->places,
                    .source = &subject->lines.source};
    mw_status status = mw_snapshot_builder_new(alloc, 1, &builder);

    if (status == MW_OK)
        status = mw_snapshot_builder_finish(builder, &nothing);
    if (status != MW_OK)
        return mw_error_set(reterr, status, "there is not enough memory for the page");
    view.snapshot = nothing;
    status = write_files(options, &view, subject, alloc, reterr);
    mw_snapshot_release(nothing);
    return status;
}

static int report_run(int argc, char **argv)
{
    static report_options options;
    mw_alloc *alloc = mw_alloc_system();
    mw_subject subject = {0};
    mw_shown shown = {0};
    const char *path;
    bool wants_help;
    mw_error error = {0};
    int status;

    options.share_minimum = 1;
    status = mw_option_table_parse(&option_table, argv, &options, &path, &wants_help);
    if (status != MW_EXIT_DONE)
        return status;
    if (wants_help)
        return mw_command_help(&mw_command_report);
    status = check_options(&options, path);
    if (status != MW_EXIT_DONE)
        return status;
    if (mw_subject_open_any(&subject, path, alloc, &error) != MW_OK)
        return mw_command_fail_with(&error);
    if (is_about_objects(&options, &subject)) {
        if (draw_objects(&options, &subject, alloc, &error) != MW_OK)
            status = mw_command_fail_with(&error);
    } else if (mw_subject_check(&subject, &error) != MW_OK ||
               mw_shown_init(&shown, &subject, &options.shown, alloc, &error) != MW_OK ||
               draw(&options, &subject, &shown, alloc, &error) != MW_OK)
        status = mw_command_fail_with(&error);
    mw_shown_done(&shown);
    mw_subject_close(&subject);
    return status;
}

const mw_command mw_command_report = {
    .name = "report",
    .usage = "[OPTIONS] CAPTURE",
    .summary = "say what holds the memory of a captured program, and show it",
    .details =
        "  --by KEY             what a row is: line (the default), file, function, module,\n"
        "                       traceback, thread, domain or region\n"
        "  --top N              how many rows: 10, or 3 tracebacks\n"
        "  --tree               the calls as a tree; with --invert from what allocated towards\n"
        "                       its callers, with --depth N no deeper, with --min-share P%\n"
        "                       what has less than that (1%) is summed\n"
        "  --source FILE        that file's lines with what each holds; \"all\": the program's\n"
        "\n"
        "  --peak               when the most was alive, not at the end (run --peak keeps it)\n"
        "  --total              what was allocated since the start, dead or alive\n"
        "  --at T               that moment of a series: \"10m\" after the start, \"-10m\" before\n"
        "                       the end, \"14:03\" on the clock, a snapshot's number, start, end\n"
        "  --between T1 T2      what was allocated after T1 and is still alive at T2\n"
        "  --older-than D       what has been alive for that long, as \"10m\"\n"
        "\n" MW_SELECTION_HELP,
    .print_more = mw_format_files_help,
    .run = report_run,
};
