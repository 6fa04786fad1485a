/* SPDX-License-Identifier: MIT
 *
 * `memwhy diff`: two captures, or two moments of one; lines are found again across edited
 * files; and for a build server, a limit.
 */
#define _GNU_SOURCE
#include "base/quantity.h"
#include "cli/command.h"
#include "cli/format_files.h"
#include "cli/output.h"
#include "cli/shown.h"
#include "cli/terminal.h"
#include "render/difference.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    TOP_MAXIMUM = 1000000,
    DEPTH_MAXIMUM = 100000,
    OFFENDERS_MAXIMUM = 10,
    LABEL_COLUMNS = 200,
};

extern const mw_command mw_command_diff;

typedef struct diff_options {
    mw_shown_options shown;
    mw_format_files files;
    int by;           /* its place in `keys`      */
    long top;         /* 0: unsaid                */
    const char *from; /* moments of one capture   */
    const char *to;
    const char *markdown; /* a file, or NULL          */
    const char *limit;    /* of --fail-above, or NULL */
    uint64_t limit_bytes; /* what it says; or …       */
    double limit_percent; /* … of the older one       */
    bool is_percent;
    bool wants_tree;
    long depth; /* 0: all; goes into … */
    mw_tree_form tree;
} diff_options;

/* One of the two that are compared. */
typedef struct diff_side {
    mw_subject *subject; /* borrowed */
    mw_shown shown;
    char lead[300];
} diff_side;

typedef struct diff_work {
    const diff_options *options;
    mw_alloc *alloc;
    mw_subject subjects[2]; /* the second is not opened where there is but one */
    diff_side older, newer;
    mw_line_matches matches;
    mw_snapshot *moved_older; /* owned; the older one's, as the newer program has it; or NULL */
    const char **listed;      /* owned; places of both programs       */
    size_t listed_count;
    mw_places places;
    mw_buffer cautions;
} diff_work;

/* ── options ─────────────────────────────────────────────────────────────────────── */

static const mw_option option_rows[] = {
    {"--by", MW_OPTION_CHOICE, .offset = offsetof(diff_options, by), .choices = mw_key_words},
    {"--top", MW_OPTION_COUNT, .offset = offsetof(diff_options, top), .maximum = TOP_MAXIMUM},
    {"--from", MW_OPTION_TEXT, .offset = offsetof(diff_options, from)},
    {"--to", MW_OPTION_TEXT, .offset = offsetof(diff_options, to)},
    {"--markdown", MW_OPTION_TEXT, .offset = offsetof(diff_options, markdown)},
    {"--fail-above", MW_OPTION_TEXT, .offset = offsetof(diff_options, limit)},
    {"--tree", MW_OPTION_FLAG, .offset = offsetof(diff_options, wants_tree)},
    {"--invert", MW_OPTION_FLAG, .offset = offsetof(diff_options, tree.is_inverted)},
    {"--depth", MW_OPTION_COUNT, .offset = offsetof(diff_options, depth), .maximum = DEPTH_MAXIMUM},
    {"--min-share", MW_OPTION_PERCENT, .offset = offsetof(diff_options, tree.share_minimum)},
    MW_SHOWN_OPTIONS(diff_options, shown),
};

static bool take_format(void *fields, const char *name, const char *value)
{
    return mw_format_files_take(&((diff_options *)fields)->files, name, value);
}

static const mw_option_table option_table = {
    .command = "diff",
    .options = option_rows,
    .option_count = sizeof option_rows / sizeof option_rows[0],
    .has_other = mw_format_has_option,
    .take_other = take_format,
    .operand_maximum = 2,
};

static int check_captures(const diff_options *options, const char *const *paths)
{
    bool has_moments = options->from != NULL || options->to != NULL;

    if (paths[0] == NULL)
        return mw_command_fail("diff wants two captures, or one with --from and --to; see "
                               "\"memwhy help diff\".");
    if (paths[1] == NULL && !has_moments)
        return mw_command_fail("diff wants a second capture, or --from and --to; see \"memwhy "
                               "help diff\".");
    if (paths[1] != NULL && has_moments)
        return mw_command_fail("--from and --to are moments of one capture, and there are two.");
    if (has_moments && options->shown.wants_peak)
        return mw_command_fail("--peak is a moment of its own; leave out --from and --to.");
    return MW_EXIT_DONE;
}

static mw_status check_markdown(const diff_options *options, const char *const *inputs,
                                mw_error *reterr)
{
    mw_status status;

    if (options->markdown == NULL)
        return MW_OK;
    status = mw_output_spares("--markdown", options->markdown, inputs, reterr);
    if (status != MW_OK)
        return status;
    return mw_format_files_spare(&options->files, options->files.count, "--markdown",
                                 options->markdown, reterr);
}

static int check_options(diff_options *options, const char *const *paths)
{
    const char *const inputs[] = {paths[0], paths[1], NULL};
    int status = check_captures(options, paths);
    mw_error error;

    if (status != MW_EXIT_DONE)
        return status;
    if (options->limit != NULL) {
        options->is_percent = mw_percent_parse(options->limit, &options->limit_percent);
        if (!options->is_percent && !mw_size_parse(options->limit, &options->limit_bytes))
            return mw_command_fail("--fail-above takes a size, as in \"10MiB\", or a percentage, "
                                   "as in \"5%%\", not \"%s\".",
                                   options->limit);
    }
    if (!options->wants_tree && (options->tree.is_inverted || options->depth != 0))
        return mw_command_fail("%s goes with --tree; see \"memwhy help diff\".",
                               options->tree.is_inverted ? "--invert" : "--depth");
    options->tree.depth_maximum = (uint32_t)options->depth;
    if (mw_shown_check(&options->shown, &error) != MW_OK ||
        mw_format_files_check(&options->files, inputs, &error) != MW_OK ||
        check_markdown(options, inputs, &error) != MW_OK)
        return mw_command_fail_with(&error);
    return MW_EXIT_DONE;
}

/* ── the two ─────────────────────────────────────────────────────────────────────── */

static mw_status show_side(diff_work *work, diff_side *side, const char *at, const char *option,
                           mw_error *reterr)
{
    mw_shown_options options = work->options->shown;
    mw_status status;

    options.at = at;
    options.at_option = option;
    status = mw_shown_init(&side->shown, side->subject, &options, work->alloc, reterr);
    if (status != MW_OK)
        return status;
    snprintf(side->lead, sizeof side->lead, "%.120s, %c%s", side->subject->path,
             side->shown.lead[0] | 0x20, side->shown.lead + 1);
    return MW_OK;
}

static mw_status open_sides(diff_work *work, const char *const *paths, mw_error *reterr)
{
    mw_status status = mw_subject_open(&work->subjects[0], paths[0], work->alloc, reterr);

    work->older.subject = work->newer.subject = &work->subjects[0];
    if (status == MW_OK && paths[1] != NULL) {
        status = mw_subject_open(&work->subjects[1], paths[1], work->alloc, reterr);
        work->newer.subject = &work->subjects[1];
    }
    if (status != MW_OK)
        return status;
    status = show_side(work, &work->older,
                       work->options->from != NULL ? work->options->from
                       : paths[1] == NULL          ? "start"
                                                   : NULL,
                       "--from", reterr);
    if (status != MW_OK)
        return status;
    return show_side(work, &work->newer, work->options->to, "--to", reterr);
}

/* Puts the older side's lines where the newer program has them. */
static mw_status match_lines(diff_work *work, mw_error *reterr)
{
    mw_status status;

    if (work->older.subject == work->newer.subject)
        return MW_OK;
    mw_progress_begin("matching lines");
    status = mw_line_matches_init(&work->matches, work->older.shown.snapshot,
                                  &work->older.subject->texts, work->newer.shown.snapshot,
                                  &work->newer.subject->texts, work->alloc);
    if (status == MW_OK && !work->matches.is_identity)
        status = mw_line_matches_apply(&work->matches, work->older.shown.snapshot,
                                       work->newer.shown.snapshot, work->alloc, &work->moved_older);
    mw_progress_end();
    return status == MW_OK ? MW_OK
                           : mw_error_set(reterr, status,
                                          "there is not enough memory to compare these captures");
}

static const mw_snapshot *older_snapshot(const diff_work *work)
{
    return work->moved_older != NULL ? work->moved_older : work->older.shown.snapshot;
}

/* A file that only the older program has lies in one of its places, not of the newer's. */
static mw_status join_places(diff_work *work, mw_error *reterr)
{
    const mw_places *older = &work->older.subject->places, *newer = &work->newer.subject->places;
    size_t count =
        older->program_count + newer->program_count + older->library_count + newer->library_count;
    const char **at;

    work->listed = mw_alloc_array(work->alloc, count, sizeof *work->listed);
    if (work->listed == NULL)
        return mw_error_set(reterr, MW_NO_MEMORY, "there is not enough memory");
    work->listed_count = count;
    at = work->listed;
    for (size_t i = 0; i < newer->program_count; i++)
        *at++ = newer->program[i];
    for (size_t i = 0; i < older->program_count; i++)
        *at++ = older->program[i];
    work->places = (mw_places){.program = work->listed,
                               .program_count = (size_t)(at - work->listed),
                               .library = at,
                               .library_count = older->library_count + newer->library_count,
                               .directory = newer->directory};
    for (size_t i = 0; i < newer->library_count; i++)
        *at++ = newer->library[i];
    for (size_t i = 0; i < older->library_count; i++)
        *at++ = older->library[i];
    return MW_OK;
}

/* ── what one has to know ────────────────────────────────────────────────────────── */

static void add_caution(diff_work *work, const char *format, const char *path, const char *what)
{
    if (work->cautions.length != 0)
        mw_sink_text(&work->cautions.sink, " ");
    mw_sink_format(&work->cautions.sink, format, path, what);
}

static bool is_sampled(const diff_side *side)
{
    return mw_capture_timeline(side->subject->capture)->program.sample_bytes != 0;
}

static void caution_side(diff_work *work, const diff_side *side)
{
    const mw_timeline *timeline = mw_capture_timeline(side->subject->capture);
    const char *path = side->subject->path;

    if (is_sampled(side))
        add_caution(work,
                    "%.120s is sampled, one block per %s on average: its numbers are "
                    "estimates.",
                    path, mw_size_format(timeline->program.sample_bytes).text);
    if (mw_capture_is_truncated(side->subject->capture))
        add_caution(work, "%.120s ends in the middle of a record; %s.", path,
                    "what comes before is whole");
    else if (timeline->ending == MW_ENDING_UNKNOWN)
        add_caution(work, "The process of %.120s %s.", path, "was killed, or was still running");
    if (side->shown.point.lost_blocks != 0)
        add_caution(work, "%.120s lacks %s blocks, for which memwhy had no memory.", path,
                    mw_count_format(side->shown.point.lost_blocks).text);
}

/* ── the limit ───────────────────────────────────────────────────────────────────── */

static uint64_t limit_of(const diff_work *work, const mw_changes *changes)
{
    if (!work->options->is_percent)
        return work->options->limit_bytes;
    return (uint64_t)((double)changes->before * work->options->limit_percent / 100);
}

static bool grew_above(const mw_row *row, uint64_t limit)
{
    return row->bytes_change > 0 && (uint64_t)row->bytes_change > limit;
}

static void print_offender(const diff_work *work, mw_changes *changes,
                           const mw_difference *difference, const mw_row *row)
{
    mw_screen screen = {.places = difference->view->places, .width = LABEL_COLUMNS};
    mw_buffer label;

    mw_buffer_init(&label, work->alloc);
    screen.sink = &label.sink;
    if (difference->by == MW_GROUP_TRACEBACK) {
        mw_path path = mw_snapshot_traceback(row->snapshot, row->traceback).path;
        mw_frame frame = mw_snapshot_path_frame(row->snapshot, path);
        mw_screen_place(&screen, row->snapshot, mw_snapshot_frame(row->snapshot, frame),
                        LABEL_COLUMNS);
    } else
        mw_changes_write_label(changes, difference, row, &screen, LABEL_COLUMNS);
    fprintf(stderr, "  %10s  %s\n", mw_change_format(mw_row_bytes_before(row), row->bytes).text,
            label.bytes == NULL ? "" : label.bytes);
    mw_buffer_done(&label);
}

/* The rows that alone are above the limit; if there are none, those that grew most. */
static void print_offenders(const diff_work *work, mw_changes *changes,
                            const mw_difference *difference, uint64_t limit)
{
    const mw_rows *rows = &changes->rows;
    bool has_alone = false;
    uint32_t shown = 0;

    for (uint32_t i = 0; i < rows->count; i++)
        has_alone |= grew_above(&rows->items[i], limit);
    for (uint32_t i = 0; i < rows->count && shown < OFFENDERS_MAXIMUM; i++) {
        if (!grew_above(&rows->items[i], has_alone ? limit : 0))
            continue;
        print_offender(work, changes, difference, &rows->items[i]);
        shown++;
    }
}

static int check_limit(const diff_work *work, mw_changes *changes, const mw_difference *difference)
{
    uint64_t limit = limit_of(work, changes);
    bool is_above = changes->now > changes->before && changes->now - changes->before > limit;
    uint32_t alone = 0;

    if (work->options->limit == NULL)
        return MW_EXIT_DONE;
    for (uint32_t i = 0; i < changes->rows.count; i++)
        alone += grew_above(&changes->rows.items[i], limit);
    if (!is_above && alone == 0)
        return MW_EXIT_DONE;
    if (is_above)
        fprintf(stderr, "memwhy: %s more is %s than before, above the limit of %s",
                mw_size_format(changes->now - changes->before).text, difference->view->measure,
                mw_size_format(limit).text);
    else
        fprintf(stderr, "memwhy: one %s or more grew above the limit of %s",
                work->options->by == 0 ? "line" : mw_key_words[work->options->by],
                mw_size_format(limit).text);
    if (work->options->is_percent)
        fprintf(stderr, " (%s of %s)", work->options->limit, mw_size_format(changes->before).text);
    fputs(":\n", stderr);
    print_offenders(work, changes, difference, limit);
    return MW_EXIT_CHECK_FAILED;
}

/* ── drawing ─────────────────────────────────────────────────────────────────────── */

static mw_status write_markdown(const diff_work *work, const mw_difference *difference,
                                mw_changes *changes, mw_error *reterr)
{
    static mw_output output;
    mw_status status = mw_output_open(&output, work->options->markdown, reterr);

    if (status != MW_OK)
        return status;
    status = mw_difference_write_markdown(difference, changes, work->alloc, &output.sink, reterr);
    if (status == MW_OK || output.error_number != 0)
        return mw_output_finish(&output, reterr);
    mw_output_abandon(&output);
    return status;
}

static mw_status write_screen(const diff_work *work, const mw_difference *difference,
                              mw_changes *changes, mw_error *reterr)
{
    static mw_output output;
    mw_status status = mw_output_open(&output, "-", reterr);

    if (status != MW_OK)
        return status;
    status = mw_difference_write_text(difference, changes, work->alloc, &output.sink, reterr);
    return status == MW_OK || output.error_number != 0 ? mw_output_finish(&output, reterr) : status;
}

static mw_status write_all(const diff_work *work, mw_view *view, const mw_difference *difference,
                           mw_changes *changes, mw_error *reterr)
{
    mw_status status = MW_OK;
    mw_buffer verdict;

    mw_buffer_init(&verdict, work->alloc);
    mw_changes_write_verdict(changes, difference, &verdict.sink);
    view->verdict = verdict.bytes;
    if (work->options->markdown != NULL)
        status = write_markdown(work, difference, changes, reterr);
    if (status == MW_OK)
        status = mw_format_files_write(&work->options->files, view, work->alloc, reterr);
    if (status == MW_OK && work->options->markdown == NULL && work->options->files.count == 0)
        status = write_screen(work, difference, changes, reterr);
    view->verdict = NULL;
    mw_buffer_done(&verdict);
    return status;
}

static int compare(diff_work *work)
{
    mw_group_key by = mw_keys[work->options->by];
    mw_view view = {.snapshot = work->newer.shown.snapshot,
                    .older = older_snapshot(work),
                    .timeline = mw_capture_timeline(work->newer.subject->capture),
                    .time_ns = work->newer.shown.point.time_ns,
                    .places = &work->places,
                    .source = &work->newer.subject->lines.source,
                    .measure = work->options->shown.wants_peak    ? "alive at the peak"
                               : work->options->shown.wants_total ? "allocated"
                                                                  : "alive"};
    mw_difference difference = {
        .view = &view,
        .older_source = &work->older.subject->lines.source,
        .older_lead = work->older.lead,
        .newer_lead = work->newer.lead,
        .selection = mw_shown_selection(&work->newer.shown),
        .cautions = work->cautions.bytes == NULL ? "" : work->cautions.bytes,
        .matches = work->moved_older != NULL ? &work->matches : NULL,
        .unmatched_older = work->older.shown.snapshot,
        .is_estimated = is_sampled(&work->older) || is_sampled(&work->newer),
        .by = by,
        .tree = work->options->wants_tree ? &work->options->tree : NULL,
        .top = work->options->top != 0    ? (uint32_t)work->options->top
               : by == MW_GROUP_TRACEBACK ? 3
                                          : 10,
        .width = mw_terminal_width(STDOUT_FILENO),
        .has_colour = mw_terminal_has_colour(STDOUT_FILENO)};
    mw_changes changes;
    mw_error error = {0};
    int status;

    if (mw_changes_init(&changes, &difference, work->alloc, &error) != MW_OK)
        return mw_command_fail_with(&error);
    if (write_all(work, &view, &difference, &changes, &error) != MW_OK)
        status = mw_command_fail_with(&error);
    else
        status = check_limit(work, &changes, &difference);
    mw_changes_done(&changes);
    return status;
}

static void diff_work_done(diff_work *work)
{
    mw_snapshot_release(work->moved_older);
    mw_line_matches_done(&work->matches);
    mw_shown_done(&work->older.shown);
    mw_shown_done(&work->newer.shown);
    if (work->listed != NULL)
        mw_alloc_release(work->alloc, work->listed, work->listed_count * sizeof *work->listed);
    mw_buffer_done(&work->cautions);
    mw_subject_close(&work->subjects[0]);
    mw_subject_close(&work->subjects[1]);
}

static int diff_run(int argc, char **argv)
{
    static diff_options options;
    static diff_work work;
    const char *paths[2];
    bool wants_help;
    mw_error error = {0};
    int status;

    (void)argc;
    options.tree.share_minimum = 1;
    status = mw_option_table_parse(&option_table, argv, &options, paths, &wants_help);
    if (status != MW_EXIT_DONE)
        return status;
    if (wants_help)
        return mw_command_help(&mw_command_diff);
    status = check_options(&options, paths);
    if (status != MW_EXIT_DONE)
        return status;
    work.options = &options;
    work.alloc = mw_alloc_system();
    mw_buffer_init(&work.cautions, work.alloc);
    if (open_sides(&work, paths, &error) != MW_OK || match_lines(&work, &error) != MW_OK ||
        join_places(&work, &error) != MW_OK)
        status = mw_command_fail_with(&error);
    else {
        caution_side(&work, &work.older);
        if (work.newer.subject != work.older.subject)
            caution_side(&work, &work.newer);
        status = compare(&work);
    }
    diff_work_done(&work);
    return status;
}

const mw_command mw_command_diff = {
    .name = "diff",
    .usage = "[OPTIONS] OLD NEW\n[OPTIONS] --from T1 --to T2 CAPTURE",
    .summary = "say what grew between two captures, or two moments of one",
    .details =
        "  --by KEY             what a row is: line (the default), file, function, module,\n"
        "                       traceback, thread, domain or region\n"
        "  --top N              how many rows: 10, or 3 tracebacks\n"
        "  --tree               what changed as a tree of calls; with --invert from what\n"
        "                       allocated towards its callers, with --depth N no deeper, with\n"
        "                       --min-share P% what changed less than that (1%) is summed\n"
        "  --from T1, --to T2   moments of one capture (its start and its end): \"10m\" after\n"
        "                       the start, \"-10m\" before the end, \"14:03\" on the clock, a\n"
        "                       snapshot's number, start, end\n"
        "  --peak               compare the moments when the most was alive\n"
        "  --total              compare what was allocated, dead or alive\n"
        "  --fail-above LIMIT   exit status 1 if all of it, or one row, grew by more than that:\n"
        "                       \"10MiB\", or \"5%\" of all that was there before\n"
        "  --markdown FILE      a table to paste into a pull request; \"-\": standard output\n"
        "\n" MW_SELECTION_HELP,
    .print_more = mw_format_files_help,
    .run = diff_run,
};
