/* SPDX-License-Identifier: MIT
 *
 * `memwhy leaks`: which lines of a program leak, by a series of snapshots of it.
 */
#include "base/quantity.h"
#include "capture/capture_histories.h"
#include "cli/capture_leaks.h"
#include "cli/command.h"
#include "cli/option_table.h"
#include "cli/output.h"
#include "cli/subject.h"
#include "cli/terminal.h"

#include <unistd.h>

enum { TOP_DEFAULT = 10, TOP_MAXIMUM = 100000 };

extern const mw_command mw_command_leaks;

typedef struct leaks_options {
    const char *capture;
    const char *json; /* NULL: a page for people; "-": standard output */
    int by;           /* one of `groupings`                            */
    long top;
    uint64_t since_ns;
    mw_option_list only;
    mw_option_list exclude;
    bool fails; /* the exit status says whether there are leaks */
} leaks_options;

static const char *const groupings[] = {"line",      "file",   "function", "module",
                                        "traceback", "region", NULL};
static const mw_group_key grouping_keys[] = {MW_GROUP_LINE,   MW_GROUP_FILE,      MW_GROUP_FUNCTION,
                                             MW_GROUP_MODULE, MW_GROUP_TRACEBACK, MW_GROUP_REGION};

static const mw_option option_list[] = {
    {"--by", MW_OPTION_CHOICE, .offset = offsetof(leaks_options, by), .choices = groupings},
    {"--top", MW_OPTION_COUNT, .offset = offsetof(leaks_options, top), .maximum = TOP_MAXIMUM},
    {"--since", MW_OPTION_DURATION, .offset = offsetof(leaks_options, since_ns)},
    {"--only", MW_OPTION_LIST, .offset = offsetof(leaks_options, only)},
    {"--exclude", MW_OPTION_LIST, .offset = offsetof(leaks_options, exclude)},
    {"--json", MW_OPTION_TEXT, .offset = offsetof(leaks_options, json)},
    {"--fail", MW_OPTION_FLAG, .offset = offsetof(leaks_options, fails)},
};

static const mw_option_table options_table = {
    .command = "leaks",
    .options = option_list,
    .option_count = sizeof option_list / sizeof option_list[0],
    .operand_maximum = 1,
};

/* ── writing ─────────────────────────────────────────────────────────────────────── */

static mw_status write_leaks(const leaks_options *options, mw_subject *subject,
                             const mw_leaks *leaks, mw_error *reterr)
{
    static mw_output output;
    mw_leaks_page page = {.source = &subject->lines.source,
                          .top = (uint32_t)options->top,
                          .width = mw_terminal_width(STDOUT_FILENO),
                          .has_colour = mw_terminal_has_colour(STDOUT_FILENO)};
    mw_alloc *alloc = mw_alloc_system();
    mw_status status = mw_output_open(&output, options->json == NULL ? "-" : options->json, reterr);

    if (status != MW_OK)
        return status;
    if (options->json != NULL)
        status = mw_leaks_write_json(leaks, page.top, alloc, &output.sink, reterr);
    else
        status = mw_leaks_write_text(leaks, &page, alloc, &output.sink, reterr);
    /* What the sink refused, the output explains better. */
    if (status == MW_OK || status == MW_IO)
        return mw_output_finish(&output, reterr);
    mw_output_abandon(&output);
    return status;
}

/* What is later than the series would leave nothing to judge, and never fail. */
static mw_status check_since(const leaks_options *options, const mw_subject *subject,
                             mw_error *reterr)
{
    uint32_t last = mw_capture_last_alive(subject->capture);
    uint64_t end_ns = mw_capture_point(subject->capture, last)->time_ns;

    if (options->since_ns <= end_ns)
        return MW_OK;
    return mw_error_set(reterr, MW_BAD_INPUT, "--since %s: the series ends at %s.",
                        mw_duration_format(options->since_ns).text,
                        mw_duration_format(end_ns).text);
}

static mw_status judge(const leaks_options *options, mw_subject *subject, bool *ret_leaks,
                       mw_error *reterr)
{
    mw_leak_scope scope = {.by = grouping_keys[options->by],
                           .places = &subject->places,
                           .only = options->only.words,
                           .only_count = options->only.count,
                           .exclude = options->exclude.words,
                           .exclude_count = options->exclude.count};
    mw_capture_leaks leaks;
    mw_status status = check_since(options, subject, reterr);

    if (status != MW_OK)
        return status;
    mw_progress_begin("reading the series");
    status = mw_capture_leaks_init(&leaks, subject->capture, &scope, options->since_ns,
                                   mw_alloc_pages(), reterr);
    mw_progress_end();
    if (status != MW_OK)
        return status;
    status = write_leaks(options, subject, &leaks.leaks, reterr);
    *ret_leaks = leaks.leaks.counts[MW_VERDICT_LEAK] != 0;
    mw_capture_leaks_done(&leaks);
    return status;
}

/* ── the command ─────────────────────────────────────────────────────────────────── */

static int check_options(const leaks_options *options)
{
    const char *const inputs[] = {options->capture, NULL};
    mw_error error;

    if (options->capture == NULL)
        return mw_command_fail("leaks wants a capture; see \"memwhy help leaks\".");
    if (options->json != NULL && mw_output_spares("--json", options->json, inputs, &error) != MW_OK)
        return mw_command_fail_with(&error);
    return MW_EXIT_DONE;
}

static int leaks_run(int argc, char **argv)
{
    leaks_options options = {.top = TOP_DEFAULT};
    bool wants_help = false, has_leaks = false;
    mw_subject subject = {0};
    mw_error error;
    int status;

    (void)argc;
    status = mw_option_table_parse(&options_table, argv, &options, &options.capture, &wants_help);
    if (status != MW_EXIT_DONE)
        return status;
    if (wants_help)
        return mw_command_help(&mw_command_leaks);
    status = check_options(&options);
    if (status != MW_EXIT_DONE)
        return status;
    if (mw_subject_open(&subject, options.capture, mw_alloc_pages(), &error) != MW_OK ||
        judge(&options, &subject, &has_leaks, &error) != MW_OK)
        status = mw_command_fail_with(&error);
    else if (options.fails && has_leaks)
        status = MW_EXIT_CHECK_FAILED;
    mw_subject_close(&subject);
    return status;
}

const mw_command mw_command_leaks = {
    .name = "leaks",
    .usage = "[OPTIONS] CAPTURE",
    .summary = "say which lines leak, and which only fill a cache, over a series",
    .details = "  --by KEY         what is judged: line, file, function, module, traceback or\n"
               "                   region (line)\n"
               "  --top N          how many rows are shown (10)\n"
               "  --since TIME     leave out what is older, as in 10m since the capture began\n"
               "  --only PATTERN   judge lines of these files alone; may be repeated\n"
               "  --exclude PATTERN  leave out lines of these files; may be repeated\n"
               "  --json FILE      write the verdict as JSON; - is standard output\n"
               "  --fail           end with status 1 if something leaks\n"
               "\n"
               "Wants a series, as \"memwhy run --every 1s -o CAPTURE\" makes it.\n"
               "Exit status: 0 done; 1 something leaks, with --fail; 2 wrong usage, or a capture\n"
               "that cannot be read.\n",
    .run = leaks_run,
};
