/* SPDX-License-Identifier: MIT
 *
 * `memwhy run`: checks what it was told, then becomes the Python interpreter, with the
 * program's arguments just as they were given.  So standard streams, signals, exit
 * status, `__main__`, `sys.argv` and tracebacks are plain Python's by construction:
 * nothing stands between.  The tracing is switched on inside, by an environment variable
 * that memwhy.pth notices and memwhy/_startup.py removes before the program begins.
 */
#include "cli/command.h"
#include "cli/interpreter.h"
#include "cli/program_file.h"
#include "core/snapshot.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    TOP_UNSAID = 0, /* memwhy/_startup.py chooses: fewer tracebacks than lines */
    TOP_MAXIMUM = 100000,
    NFRAME_UNSAID = 0, /* whole tracebacks */
};

extern const mw_command mw_command_run;

typedef struct run_options {
    const char *python; /* NULL: choose                              */
    const char *by;     /* one of `groupings`                        */
    const char *json;   /* NULL: no file                             */
    long top;           /* TOP_UNSAID, or 1 … TOP_MAXIMUM            */
    long nframe;        /* NFRAME_UNSAID, or 1 … the tracer's limit  */
    bool wants_help;
    char **program; /* what follows our options, ends with NULL  */
} run_options;

static const char *const groupings[] = {"line", "file", "function", "region", "traceback"};

/* ── options ─────────────────────────────────────────────────────────────────────── */

static bool parse_count(const char *text, long maximum, long *ret_count)
{
    char *end;
    long count;

    errno = 0;
    count = strtol(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || count < 1 || count > maximum)
        return false;
    *ret_count = count;
    return true;
}

static int take_count(const char *name, const char *text, long maximum, long *ret_count)
{
    if (parse_count(text, maximum, ret_count))
        return MW_EXIT_DONE;
    return mw_command_fail("%s takes a whole number from 1 to %ld, not \"%s\".", name, maximum,
                           text);
}

static int take_grouping(const char *text, const char **ret_by)
{
    for (size_t i = 0; i < sizeof groupings / sizeof groupings[0]; i++)
        if (strcmp(groupings[i], text) == 0) {
            *ret_by = groupings[i];
            return MW_EXIT_DONE;
        }
    return mw_command_fail("--by takes line, file, function, region or traceback, not \"%s\".",
                           text);
}

static int take_option(run_options *options, const char *name, const char *value)
{
    if (strcmp(name, "--top") == 0)
        return take_count(name, value, TOP_MAXIMUM, &options->top);
    if (strcmp(name, "--nframe") == 0)
        return take_count(name, value, MW_FRAME_LIMIT_MAXIMUM, &options->nframe);
    if (strcmp(name, "--by") == 0)
        return take_grouping(value, &options->by);
    if (strcmp(name, "--json") == 0)
        options->json = value;
    else
        options->python = value;
    return MW_EXIT_DONE;
}

static bool takes_value(const char *name)
{
    static const char *const names[] = {"--python", "--top", "--by", "--json", "--nframe"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

/* One option of ours, `--name value` or `--name=value`; moves [*argv] to its last word. */
static int parse_option(run_options *options, char ***argv)
{
    char *word = **argv;
    char *equals = strchr(word, '=');
    const char *value = NULL;

    if (equals != NULL) {
        *equals = '\0';
        value = equals + 1;
    }
    if (!takes_value(word))
        return mw_command_fail("run has no option \"%s\"; see \"memwhy help run\".", word);
    if (value == NULL)
        value = *++*argv;
    if (value == NULL)
        return mw_command_fail("%s wants a value; see \"memwhy help run\".", word);
    return take_option(options, word, value);
}

static bool begins_program(const char *word)
{
    return word[0] != '-' || word[1] == '\0' || word[1] == 'm' || word[1] == 'c';
}

static int parse(run_options *options, char **argv)
{
    for (argv++; *argv != NULL && !begins_program(*argv); argv++) {
        int status;

        if (strcmp(*argv, "--") == 0)
            break; /* stays: Python, too, reads it as the end of options */
        if (strcmp(*argv, "-h") == 0 || strcmp(*argv, "--help") == 0) {
            options->wants_help = true;
            return MW_EXIT_DONE;
        }
        status = parse_option(options, &argv);
        if (status != MW_EXIT_DONE)
            return status;
    }
    options->program = argv;
    return MW_EXIT_DONE;
}

/* ── checks ──────────────────────────────────────────────────────────────────────── */

/* -m and -c are looked at by Python alone; a script, by us first. */
static int check_program(char **program)
{
    const char *script = program[0];
    mw_error error;

    if (script != NULL && strcmp(script, "--") == 0)
        script = program[1];
    else if (script != NULL && script[0] == '-' && script[1] != '\0') {
        if (script[2] == '\0' && program[1] == NULL)
            return mw_command_fail("%s wants %s; see \"memwhy help run\".", script,
                                   script[1] == 'm' ? "a module's name" : "a program text");
        return MW_EXIT_DONE;
    }
    if (script == NULL || *script == '\0')
        return mw_command_fail("run wants a script, -m module or -c code; see \"memwhy help "
                               "run\".");
    if (strcmp(script, "-") == 0)
        return MW_EXIT_DONE;
    if (mw_program_file_check(script, &error) != MW_OK)
        return mw_command_fail_with(&error);
    return MW_EXIT_DONE;
}

/* What _startup.py reads.  The file stands last, so that its name may contain anything. */
static int announce(const run_options *options)
{
    char text[PATH_MAX + 100];
    char json[PATH_MAX] = "";
    mw_error error;

    if (options->json != NULL && mw_output_file_check(options->json, json, &error) != MW_OK)
        return mw_command_fail_with(&error);
    snprintf(text, sizeof text, "by=%s,top=%ld,nframe=%ld%s%s", options->by, options->top,
             options->nframe, *json == '\0' ? "" : ",json=", json);
    if (setenv("MEMWHY_RUN", text, 1) != 0)
        return mw_command_fail("cannot set MEMWHY_RUN: %s.", strerror(errno));
    return MW_EXIT_DONE;
}

static int choose_interpreter(const char *wanted, mw_interpreter *ret_interpreter)
{
    mw_error error;

    if (mw_interpreter_choose(wanted, ret_interpreter, &error) != MW_OK)
        return mw_command_fail_with(&error);
    if (!ret_interpreter->is_beside && mw_interpreter_probe(ret_interpreter, &error) != MW_OK)
        return mw_command_fail_with(&error);
    return MW_EXIT_DONE;
}

static int become_interpreter(const char *path, char **program)
{
    /* The word before the program is one of ours, or "run" itself: its place is free. */
    char **arguments = program - 1;

    arguments[0] = (char *)path;
    execv(path, arguments);
    return mw_command_fail("cannot start \"%s\": %s.", path, strerror(errno));
}

static int run_run(int argc, char **argv)
{
    run_options options = {.by = "line"};
    mw_interpreter interpreter;
    int status;

    status = parse(&options, argv);
    if (status != MW_EXIT_DONE)
        return status;
    if (options.wants_help)
        return mw_command_help(&mw_command_run);
    status = check_program(options.program);
    if (status != MW_EXIT_DONE)
        return status;
    status = choose_interpreter(options.python, &interpreter);
    if (status != MW_EXIT_DONE)
        return status;
    status = announce(&options);
    if (status != MW_EXIT_DONE)
        return status;
    return become_interpreter(interpreter.path, options.program);
}

const mw_command mw_command_run = {
    .name = "run",
    .usage = "[OPTIONS] SCRIPT [ARGUMENTS]\n"
             "[OPTIONS] -m MODULE [ARGUMENTS]\n"
             "[OPTIONS] -c CODE [ARGUMENTS]",
    .summary = "run a Python program traced, and say at its end what memory is still alive",
    .details = "  --top N         how many rows the table has (10; of tracebacks, 3)\n"
               "  --by KEY        what a row is: line, file, function, region or traceback\n"
               "                  (line)\n"
               "  --json FILE     write the summary as JSON too, when the program ends\n"
               "  --nframe N      keep only the N most recent frames of each traceback (all)\n"
               "  --python P      the interpreter, a path or a name on PATH (the one beside\n"
               "                  this command, else python3)\n"
               "\n"
               "The program's input, output, arguments, signals and exit status are its own.\n"
               "The summary goes to stderr; processes that the program starts are not traced.\n"
               "Exit status: the program's own, or 2 if it could not be started.\n",
    .run = run_run,
};
