/* SPDX-License-Identifier: MIT
 *
 * `memwhy run`: checks what it was told, then becomes the Python interpreter, with the
 * program's arguments just as they were given.  So standard streams, signals, exit
 * status, `__main__`, `sys.argv` and tracebacks are plain Python's by construction:
 * nothing stands between.  The tracing is switched on inside, by an environment variable
 * that memwhy.pth notices and memwhy/_startup.py removes before the program begins.
 */
#include "base/quantity.h"
#include "capture/format.h"
#include "cli/command.h"
#include "cli/interpreter.h"
#include "cli/output.h"
#include "cli/program_file.h"
#include "core/snapshot.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum {
    TOP_UNSAID = 0, /* memwhy/_startup.py chooses: fewer tracebacks than lines */
    TOP_MAXIMUM = 100000,
    NFRAME_UNSAID = 0, /* whole tracebacks */
    ESCAPED_BYTES = 3, /* of one of a path */
};

#define DURATION_MINIMUM_NS UINT64_C(10000000)
#define DURATION_MAXIMUM_NS (UINT64_C(3660) * 86400 * 1000000000)

extern const mw_command mw_command_run;

typedef struct run_options {
    const char *python;  /* NULL: choose                              */
    const char *by;      /* one of `groupings`                        */
    const char *json;    /* NULL: no file                             */
    long top;            /* TOP_UNSAID, or 1 … TOP_MAXIMUM            */
    long nframe;         /* NFRAME_UNSAID, or 1 … the tracer's limit  */
    const char *capture; /* NULL: none; the following want one       */
    uint64_t every_ns;   /* 0: no series                             */
    uint64_t keep_ns;    /* 0: keep all                              */
    int signal;          /* 0: none                                  */
    bool keeps_peak;
    bool follows_forks;
    bool hides_command_line;
    bool wants_heap_at_exit;
    int heap_signal; /* 0: none */
    bool hides_texts;
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

static int take_duration(const char *name, const char *text, uint64_t *ret_ns)
{
    uint64_t duration_ns;

    if (!mw_duration_parse(text, &duration_ns))
        return mw_command_fail("%s takes a time such as 500ms, 10s, 5m or 24h, not \"%s\".", name,
                               text);
    if (duration_ns < DURATION_MINIMUM_NS || duration_ns > DURATION_MAXIMUM_NS)
        return mw_command_fail("%s takes a time from 10ms to 3660d, not \"%s\".", name, text);
    *ret_ns = duration_ns;
    return MW_EXIT_DONE;
}

/* Those that a program has little use for itself; of others only the number is taken. */
static const struct {
    const char *name;
    int number;
} signals[] = {{"HUP", SIGHUP},   {"USR1", SIGUSR1},    {"USR2", SIGUSR2}, {"WINCH", SIGWINCH},
               {"URG", SIGURG},   {"PROF", SIGPROF},    {"IO", SIGIO},     {"PWR", SIGPWR},
               {"QUIT", SIGQUIT}, {"CONT", SIGCONT},    {"ALRM", SIGALRM}, {"INT", SIGINT},
               {"TERM", SIGTERM}, {"VTALRM", SIGVTALRM}};

static int take_signal(const char *option, const char *text, int *ret_signal)
{
    const char *name = strncasecmp(text, "SIG", 3) == 0 ? text + 3 : text;
    long number;

    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
        if (strcasecmp(signals[i].name, name) == 0) {
            *ret_signal = signals[i].number;
            return MW_EXIT_DONE;
        }
    /* A process dies of faults, and nobody can catch the other two; the C library has some for
     * itself, and says so when asked. */
    if (parse_count(text, SIGRTMAX, &number) && number != SIGKILL && number != SIGSTOP &&
        number != SIGSEGV && number != SIGBUS && number != SIGFPE && number != SIGILL &&
        sigaction((int)number, NULL, NULL) == 0) {
        *ret_signal = (int)number;
        return MW_EXIT_DONE;
    }
    return mw_command_fail("%s takes a signal that can be caught, such as SIGUSR2, not \"%s\".",
                           option, text);
}

static bool take_flag(run_options *options, const char *name)
{
    bool *flag = strcmp(name, "--peak") == 0              ? &options->keeps_peak
                 : strcmp(name, "--follow-fork") == 0     ? &options->follows_forks
                 : strcmp(name, "--no-command-line") == 0 ? &options->hides_command_line
                 : strcmp(name, "--heap-at-exit") == 0    ? &options->wants_heap_at_exit
                 : strcmp(name, "--no-texts") == 0        ? &options->hides_texts
                                                          : NULL;

    if (flag != NULL)
        *flag = true;
    return flag != NULL;
}

static int take_option(run_options *options, const char *name, const char *value)
{
    if (strcmp(name, "--every") == 0)
        return take_duration(name, value, &options->every_ns);
    if (strcmp(name, "--keep") == 0)
        return take_duration(name, value, &options->keep_ns);
    if (strcmp(name, "--signal") == 0)
        return take_signal(name, value, &options->signal);
    if (strcmp(name, "--heap-on-signal") == 0)
        return take_signal(name, value, &options->heap_signal);
    if (strcmp(name, "--top") == 0)
        return take_count(name, value, TOP_MAXIMUM, &options->top);
    if (strcmp(name, "--nframe") == 0)
        return take_count(name, value, MW_FRAME_LIMIT_MAXIMUM, &options->nframe);
    if (strcmp(name, "--by") == 0)
        return take_grouping(value, &options->by);
    if (strcmp(name, "-o") == 0 || strcmp(name, "--output") == 0)
        options->capture = value;
    else if (strcmp(name, "--json") == 0)
        options->json = strcmp(value, "-") == 0 ? "/dev/stdout" : value;
    else
        options->python = value;
    return MW_EXIT_DONE;
}

static bool takes_value(const char *name)
{
    static const char *const names[] = {
        "--python", "--top",   "--by",   "--json",   "--nframe",        "-o",
        "--output", "--every", "--keep", "--signal", "--heap-on-signal"};

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
    if (value == NULL && take_flag(options, word))
        return MW_EXIT_DONE;
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

/* Options that say what a capture is to be, and no capture. */
static int check_capture_options(const run_options *options)
{
    const char *name = options->every_ns != 0        ? "--every"
                       : options->keep_ns != 0       ? "--keep"
                       : options->signal != 0        ? "--signal"
                       : options->keeps_peak         ? "--peak"
                       : options->follows_forks      ? "--follow-fork"
                       : options->hides_command_line ? "--no-command-line"
                       : options->wants_heap_at_exit ? "--heap-at-exit"
                       : options->heap_signal != 0   ? "--heap-on-signal"
                       : options->hides_texts        ? "--no-texts"
                                                     : NULL;

    if (options->capture == NULL && name != NULL)
        return mw_command_fail("%s wants -o FILE, the capture that it is for.", name);
    if (options->capture != NULL &&
        (*options->capture == '\0' || strcmp(options->capture, "-") == 0))
        return mw_command_fail("-o wants a file's name.");
    if (options->capture != NULL && options->json != NULL &&
        mw_output_is_same(options->capture, options->json))
        return mw_command_fail("-o and --json cannot both be written to \"%s\".", options->json);
    if (options->hides_texts && !options->wants_heap_at_exit && options->heap_signal == 0)
        return mw_command_fail("--no-texts is for heaps: it wants --heap-at-exit or "
                               "--heap-on-signal.");
    if (options->keep_ns != 0 && options->every_ns == 0)
        return mw_command_fail("--keep wants --every, the time between two snapshots.");
    if (options->keep_ns != 0 && options->keep_ns < options->every_ns)
        return mw_command_fail("--keep is shorter than --every, so nothing would be kept.");
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

/* Appends [path] so that a comma ends it. */
static void append_escaped(char *text, size_t capacity, const char *path)
{
    size_t length = strlen(text);

    for (; *path != '\0' && length + ESCAPED_BYTES < capacity; path++)
        length +=
            (size_t)snprintf(text + length, capacity - length,
                             *path == ',' || *path == '%' ? "%%%02X" : "%c", (unsigned char)*path);
}

/* A slip like `-o app.py` must not cost a file that is none of ours. */
static int check_replaced(const char *path)
{
    char start[MW_CAPTURE_MAGIC_BYTES];
    FILE *file;
    size_t length;

    if (!mw_output_file_is_renamed(path))
        return mw_command_fail("a capture cannot be written to \"%s\", which is no file.", path);
    file = fopen(path, "rb");
    if (file == NULL)
        return MW_EXIT_DONE;
    length = fread(start, 1, sizeof start, file);
    fclose(file);
    if (length == 0 || (length == sizeof start && memcmp(start, MW_CAPTURE_MAGIC, length) == 0))
        return MW_EXIT_DONE;
    return mw_command_fail("\"%s\" is there and is no capture, so it is not replaced.", path);
}

/* What _record.py reads of the capture. */
static int announce_capture(const run_options *options, char *text, size_t capacity)
{
    char capture[PATH_MAX] = "";
    mw_error error;
    size_t length;
    int status;

    if (options->capture == NULL)
        return MW_EXIT_DONE;
    if (mw_output_file_check(options->capture, capture, &error) != MW_OK)
        return mw_command_fail_with(&error);
    status = check_replaced(capture);
    if (status != MW_EXIT_DONE)
        return status;
    length = strlen(text);
    snprintf(text + length, capacity - length,
             ",every=%llu,keep=%llu,peak=%d,follow=%d,signal=%d"
             ",bare=%d,heap=%d,heapsignal=%d,texts=%d,capture=",
             (unsigned long long)options->every_ns, (unsigned long long)options->keep_ns,
             options->keeps_peak, options->follows_forks, options->signal,
             options->hides_command_line, options->wants_heap_at_exit, options->heap_signal,
             !options->hides_texts);
    append_escaped(text, capacity, capture);
    return MW_EXIT_DONE;
}

/* What _startup.py reads.  The file stands last, so that its name may contain anything. */
static int announce(const run_options *options)
{
    char text[ESCAPED_BYTES * PATH_MAX + PATH_MAX + 300];
    char json[PATH_MAX] = "";
    mw_error error;
    size_t length;
    int status;

    if (options->json != NULL && mw_output_file_check(options->json, json, &error) != MW_OK)
        return mw_command_fail_with(&error);
    snprintf(text, sizeof text, "by=%s,top=%ld,nframe=%ld", options->by, options->top,
             options->nframe);
    status = announce_capture(options, text, sizeof text);
    if (status != MW_EXIT_DONE)
        return status;
    length = strlen(text);
    if (*json != '\0')
        snprintf(text + length, sizeof text - length, ",json=%s", json);
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
    status = check_capture_options(&options);
    if (status != MW_EXIT_DONE)
        return status;
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
               "  --json FILE     write the summary as JSON too, when the program ends; - is\n"
               "                  standard output\n"
               "  --nframe N      keep only the N most recent frames of each traceback (all)\n"
               "  -o FILE         write a capture: of the end, and of what the following say\n"
               "                  (--output FILE is the same)\n"
               "  --every TIME    a snapshot each 500ms, 10s, 5m, …: a series\n"
               "  --keep TIME     of a series, keep the last 24h, 7d, … only\n"
               "  --peak          also what was alive when the most was\n"
               "  --signal NAME   a snapshot whenever the program gets SIGUSR2, …\n"
               "  --heap-at-exit  every object at the end, too, for memwhy heap and memwhy why\n"
               "  --heap-on-signal NAME  the same whenever the program gets SIGUSR1, …\n"
               "  --no-texts      leave what strings and numbers say out of heaps\n"
               "  --follow-fork   captures of the Python processes that the program starts, too,\n"
               "                  each beside FILE, named by its pid\n"
               "  --no-command-line  leave the program's arguments out of the capture\n"
               "  --python P      the interpreter, a path or a name on PATH (the one beside\n"
               "                  this command, else python3)\n"
               "\n"
               "The program's input, output, arguments, signals and exit status are its own.\n"
               "The summary goes to stderr.  Processes that the program starts are not traced,\n"
               "unless --follow-fork says so.\n"
               "Exit status: the program's own, or 2 if it could not be started.\n",
    .run = run_run,
};
