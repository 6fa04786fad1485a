/* SPDX-License-Identifier: MIT
 *
 * `memwhy merge`: many captures into one.  Inputs are opened one after the other; the result
 * is written beside its place and renamed, so that there is a whole one or none.
 */
#define _GNU_SOURCE
#include "capture/capture_merge.h"
#include "cli/command.h"
#include "cli/program_file.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

extern const mw_command mw_command_merge;

typedef struct merge_options {
    mw_merge_moment moment;
    mw_merge_order order;
    bool skips_bad;
    bool wants_help;
    char **files; /* the result, and then what it is made of */
    int file_count;
} merge_options;

/* ── options ─────────────────────────────────────────────────────────────────────── */

static int parse_option(merge_options *options, const char *word)
{
    if (strcmp(word, "-h") == 0 || strcmp(word, "--help") == 0)
        options->wants_help = true;
    else if (strcmp(word, "--keep-apart") == 0)
        options->order = MW_MERGE_APART;
    else if (strcmp(word, "--peak") == 0)
        options->moment = MW_MERGE_PEAK;
    else if (strcmp(word, "--skip-bad") == 0)
        options->skips_bad = true;
    else
        return mw_command_fail("merge has no option \"%s\"; see \"memwhy help merge\".", word);
    return MW_EXIT_DONE;
}

/* Options may stand between the files, up to a "--"; the files move together. */
static int parse(merge_options *options, int argc, char **argv)
{
    bool only_files = false;

    options->files = argv;
    for (int i = 1; i < argc; i++) {
        int status = MW_EXIT_DONE;

        if (!only_files && strcmp(argv[i], "--") == 0)
            only_files = true;
        else if (!only_files && argv[i][0] == '-' && argv[i][1] != '\0')
            status = parse_option(options, argv[i]);
        else
            argv[options->file_count++] = argv[i];
        if (status != MW_EXIT_DONE)
            return status;
    }
    if (!options->wants_help && options->file_count < 2)
        return mw_command_fail("merge wants the file to write and the captures to take; "
                               "see \"memwhy help merge\".");
    return MW_EXIT_DONE;
}

/* ── the result's place ──────────────────────────────────────────────────────────── */

/* The result must not take the place of an input, of a device or of a directory. */
static int check_replaced(const merge_options *options, const struct stat *there)
{
    struct stat input;

    if (!S_ISREG(there->st_mode))
        return mw_command_fail("%s: is not a file, so no capture can be written there.",
                               options->files[0]);
    for (int i = 1; i < options->file_count; i++) {
        if (stat(options->files[i], &input) == 0 && input.st_dev == there->st_dev &&
            input.st_ino == there->st_ino)
            return mw_command_fail("%s: is one of the captures to take, and would be lost; "
                                   "write to another file.",
                                   options->files[0]);
    }
    return MW_EXIT_DONE;
}

/* Whether the result can be written is asked before a thousand captures are read. */
static int check_place(const merge_options *options)
{
    char absolute[PATH_MAX];
    struct stat there;
    mw_error error;
    int status = MW_EXIT_DONE;

    if (strcmp(options->files[0], "-") == 0)
        return mw_command_fail("merge writes to a file, not to standard output.");
    if (stat(options->files[0], &there) == 0)
        status = check_replaced(options, &there);
    if (status == MW_EXIT_DONE &&
        mw_output_file_check(options->files[0], absolute, &error) != MW_OK)
        status = mw_command_fail_with(&error);
    return status;
}

static mw_status write_result(mw_capture_merge *merge, const char *path, mw_error *reterr)
{
    char aside[PATH_MAX];
    mw_status status;

    if ((size_t)snprintf(aside, sizeof aside, "%s.merging", path) >= sizeof aside)
        return mw_error_set(reterr, MW_IO, "The name of the file to write is too long.");
    status = mw_capture_merge_write(merge, aside, reterr);
    if (status == MW_OK && rename(aside, path) != 0)
        status = mw_error_set(reterr, MW_IO, "%s while creating %s.", strerrordesc_np(errno), path);
    if (status != MW_OK)
        unlink(aside);
    return status;
}

/* ── the inputs ──────────────────────────────────────────────────────────────────── */

/* How far it is, on a terminal, once it has taken a second. */
typedef struct progress_line {
    bool is_shown;
    time_t last;
} progress_line;

static void show_progress(progress_line *progress, int done, int count)
{
    time_t now = time(NULL);

    if (!isatty(STDERR_FILENO) || now == progress->last)
        return;
    /* The first second that passes may be a short one; the next is whole. */
    if (progress->last != 0 && done != count) {
        fprintf(stderr, "\rmerging: %d of %d captures", done, count);
        progress->is_shown = true;
    }
    progress->last = now;
}

static void hide_progress(progress_line *progress)
{
    if (progress->is_shown)
        fputs("\r\033[K", stderr);
    progress->is_shown = false;
}

/* Whether the failure is of this input alone. */
static bool is_of_input(mw_status status)
{
    return status == MW_BAD_INPUT || status == MW_UNSUPPORTED || status == MW_IO;
}

static mw_status add_file(mw_capture_merge *merge, const char *file, mw_error *reterr)
{
    mw_capture *capture = NULL;
    mw_status status = mw_capture_open(file, mw_alloc_system(), &capture, reterr);

    if (status == MW_OK)
        status = mw_capture_merge_add(merge, capture, file, reterr);
    mw_capture_close(capture);
    return status;
}

/* Adds all inputs; those that are bad are said to be, and passed over if that was asked for. */
static mw_status add_files(mw_capture_merge *merge, const merge_options *options, mw_error *reterr)
{
    progress_line progress = {0};
    mw_status status = MW_OK;
    int added = 0;

    for (int i = 1; i < options->file_count && status == MW_OK; i++) {
        show_progress(&progress, i - 1, options->file_count - 1);
        status = add_file(merge, options->files[i], reterr);
        if (status == MW_OK) {
            added++;
        } else if (options->skips_bad && is_of_input(status)) {
            hide_progress(&progress);
            mw_command_fail_with(reterr);
            status = MW_OK;
        }
    }
    hide_progress(&progress);
    if (status == MW_OK && added == 0)
        status = mw_error_set(reterr, MW_BAD_INPUT, "none of the captures can be merged.");
    return status;
}

/* ── the command ─────────────────────────────────────────────────────────────────── */

static int merge_run(int argc, char **argv)
{
    merge_options options = {0};
    mw_capture_merge *merge = NULL;
    mw_error error;
    mw_status status;
    int exit_status = parse(&options, argc, argv);

    if (exit_status == MW_EXIT_DONE && options.wants_help)
        return mw_command_help(&mw_command_merge);
    if (exit_status == MW_EXIT_DONE)
        exit_status = check_place(&options);
    if (exit_status != MW_EXIT_DONE)
        return exit_status;
    status = mw_capture_merge_new(options.moment, options.order, mw_alloc_system(), &merge, &error);
    if (status == MW_OK)
        status = add_files(merge, &options, &error);
    if (status == MW_OK)
        status = write_result(merge, options.files[0], &error);
    mw_capture_merge_free(merge);
    return status == MW_OK ? MW_EXIT_DONE : mw_command_fail_with(&error);
}

const mw_command mw_command_merge = {
    .name = "merge",
    .usage = "[--keep-apart] [--peak] [--skip-bad] OUT CAPTURE...",
    .summary = "make one capture of many: of a server's workers, of a fleet",
    .details = "  --keep-apart    let each call path begin with the process that it is of\n"
               "  --peak          take the moment when the most was alive in each, not the last\n"
               "  --skip-bad      go on without the captures that cannot be read, and name them\n"
               "\n"
               "Exit status: 0 done; 2 wrong usage, or a capture that cannot be read.\n",
    .run = merge_run,
};
