/* SPDX-License-Identifier: MIT
 *
 * The interpreter beside the command was installed with it and needs no questions; any
 * other one is started once and asked, since it may lack memwhy, may be too old for it,
 * or may be no Python at all.  Only a token on its output counts as a yes: /bin/true
 * exits with 0 too.
 */
#define _GNU_SOURCE
#include "cli/interpreter.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    PROBE_SECONDS_MAXIMUM = 60, /* an interpreter on a cold network disk is slow */
    PROBE_OUTPUT_MAXIMUM = 4096,
};

#define PROBE_TOKEN "memwhy is ready"

/* The .pth line has imported memwhy._startup before this runs, if it was read. */
static const char probe_code[] =
    "import sys\n"
    "if 'memwhy._startup' not in sys.modules:\n"
    "    import memwhy\n"
    "    sys.exit('its memwhy.pth is not in a directory that this Python reads .pth files from')\n"
    "print('" PROBE_TOKEN "')\n";

/* ── choosing ────────────────────────────────────────────────────────────────────── */

static bool is_executable_file(const char *path)
{
    struct stat info;

    return stat(path, &info) == 0 && S_ISREG(info.st_mode) && access(path, X_OK) == 0;
}

/* Writes `directory/name`; false if it does not fit or is not executable. */
static bool try_directory(const char *directory, size_t length, const char *name,
                          mw_interpreter *interpreter)
{
    int written = snprintf(interpreter->path, sizeof interpreter->path, "%.*s/%s",
                           (int)(length == 0 ? 1 : length), length == 0 ? "." : directory, name);

    return written > 0 && (size_t)written < sizeof interpreter->path &&
           is_executable_file(interpreter->path);
}

static bool find_beside_command(mw_interpreter *interpreter)
{
    char own[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", own, sizeof own - 1);
    const char *slash;

    if (length <= 0)
        return false;
    own[length] = '\0';
    slash = strrchr(own, '/');
    if (slash == NULL)
        return false;
    return try_directory(own, (size_t)(slash - own), "python3", interpreter) ||
           try_directory(own, (size_t)(slash - own), "python", interpreter);
}

static bool find_on_path(const char *name, mw_interpreter *interpreter)
{
    const char *entry = getenv("PATH");

    while (entry != NULL) {
        size_t length = strcspn(entry, ":");
        if (try_directory(entry, length, name, interpreter))
            return true;
        entry = entry[length] == ':' ? entry + length + 1 : NULL;
    }
    return false;
}

static mw_status choose_wanted(const char *wanted, mw_interpreter *interpreter, mw_error *reterr)
{
    if (strchr(wanted, '/') == NULL) {
        if (find_on_path(wanted, interpreter))
            return MW_OK;
        return mw_error_set(reterr, MW_BAD_INPUT, "there is no interpreter \"%.120s\" on PATH.",
                            wanted);
    }
    if (strlen(wanted) < sizeof interpreter->path && is_executable_file(wanted)) {
        memcpy(interpreter->path, wanted, strlen(wanted) + 1);
        return MW_OK;
    }
    return mw_error_set(reterr, MW_BAD_INPUT,
                        "the interpreter \"%.120s\" is missing or not an executable file.", wanted);
}

mw_status mw_interpreter_choose(const char *wanted, mw_interpreter *ret_interpreter,
                                mw_error *reterr)
{
    ret_interpreter->is_beside = false;
    if (wanted != NULL)
        return choose_wanted(wanted, ret_interpreter, reterr);
    if (find_beside_command(ret_interpreter)) {
        ret_interpreter->is_beside = true;
        return MW_OK;
    }
    if (find_on_path("python3", ret_interpreter))
        return MW_OK;
    return mw_error_set(reterr, MW_BAD_INPUT,
                        "there is no python3 beside this command or on PATH; name one with "
                        "--python.");
}

/* ── probing ─────────────────────────────────────────────────────────────────────── */

_Noreturn static void become_probe(const char *path, int output)
{
    char *const arguments[] = {(char *)path, "-c", (char *)probe_code, NULL};
    int null = open("/dev/null", O_RDWR);

    setenv("MEMWHY_RUN", "probe", 1);
    if (null >= 0)
        dup2(null, STDIN_FILENO);
    dup2(output, STDOUT_FILENO);
    dup2(output, STDERR_FILENO);
    execv(path, arguments);
    dprintf(STDERR_FILENO, "%s\n", strerror(errno));
    _exit(127);
}

/* Keeps the last PROBE_OUTPUT_MAXIMUM bytes or fewer of what the probe says; gives up
 * when it is silent for too long. */
static void read_probe(int input, char text[PROBE_OUTPUT_MAXIMUM])
{
    struct pollfd wait = {.fd = input, .events = POLLIN};
    size_t length = 0;

    while (poll(&wait, 1, PROBE_SECONDS_MAXIMUM * 1000) > 0) {
        ssize_t count;

        /* Only the last line counts, so the older half may go. */
        if (length >= PROBE_OUTPUT_MAXIMUM - 1) {
            length /= 2;
            memmove(text, text + length, length);
        }
        count = read(input, text + length, PROBE_OUTPUT_MAXIMUM - 1 - length);
        if (count <= 0)
            break;
        length += (size_t)count;
    }
    text[length] = '\0';
}

/* The last line that is not empty, with its newline cut off. */
static const char *last_line(char *text)
{
    size_t length = strlen(text);
    char *newline;

    while (length > 0 && (text[length - 1] == '\n' || text[length - 1] == ' '))
        text[--length] = '\0';
    newline = strrchr(text, '\n');
    return newline == NULL ? text : newline + 1;
}

mw_status mw_interpreter_explain(const mw_interpreter *interpreter, const char *line,
                                 mw_error *reterr)
{
    const char *path = interpreter->path;

    if (strncmp(line, "ModuleNotFoundError", strlen("ModuleNotFoundError")) == 0)
        return mw_error_set(reterr, MW_BAD_INPUT,
                            "memwhy is not installed for \"%.120s\"; install it with that "
                            "Python's \"-m pip install memwhy\".",
                            path);
    return mw_error_set(reterr, MW_BAD_INPUT, "\"%.90s\" cannot run memwhy: %.120s", path,
                        *line == '\0' ? "it is no Python interpreter." : line);
}

mw_status mw_interpreter_probe(const mw_interpreter *interpreter, mw_error *reterr)
{
    char text[PROBE_OUTPUT_MAXIMUM];
    const char *answer;
    int ends[2];
    pid_t child;

    if (pipe2(ends, O_CLOEXEC) != 0)
        return mw_error_set(reterr, MW_IO, "cannot open a pipe: %s.", strerror(errno));
    child = fork();
    if (child == 0)
        become_probe(interpreter->path, ends[1]);
    close(ends[1]);
    if (child < 0) {
        close(ends[0]);
        return mw_error_set(reterr, MW_IO, "cannot start a process: %s.", strerror(errno));
    }
    read_probe(ends[0], text);
    close(ends[0]);
    kill(child, SIGKILL); /* it has said all it had to say, or too little for a minute */
    waitpid(child, NULL, 0);
    answer = last_line(text);
    return strcmp(answer, PROBE_TOKEN) == 0 ? MW_OK
                                            : mw_interpreter_explain(interpreter, answer, reterr);
}

/* ── asking ──────────────────────────────────────────────────────────────────────── */

_Noreturn static void become_asked(const mw_interpreter *interpreter, char *const *arguments,
                                   FILE *output, FILE *errors)
{
    int null = open("/dev/null", O_RDWR);

    if (null >= 0)
        dup2(null, STDIN_FILENO);
    dup2(fileno(output), STDOUT_FILENO);
    dup2(fileno(errors), STDERR_FILENO);
    alarm(PROBE_SECONDS_MAXIMUM); /* lasts through execv */
    execv(interpreter->path, arguments);
    dprintf(STDERR_FILENO, "%s\n", strerror(errno));
    _exit(127);
}

/* The last bytes of a file, at most [capacity] - 1, and a NUL. */
static void read_end(FILE *file, char *text, size_t capacity)
{
    off_t length = lseek(fileno(file), 0, SEEK_END);
    off_t start = length < (off_t)capacity ? 0 : length - (off_t)(capacity - 1);
    ssize_t count = pread(fileno(file), text, capacity - 1, start);

    text[count > 0 ? count : 0] = '\0';
}

static mw_status wait_for(pid_t child, int *ret_wait_status, mw_error *reterr)
{
    while (waitpid(child, ret_wait_status, 0) < 0)
        if (errno != EINTR)
            return mw_error_set(reterr, MW_IO, "cannot wait for a process: %s.", strerror(errno));
    return MW_OK;
}

mw_status mw_interpreter_ask(const mw_interpreter *interpreter, char *const *arguments,
                             mw_interpreter_answer *ret_answer, mw_error *reterr)
{
    FILE *output = tmpfile();
    FILE *errors = output != NULL ? tmpfile() : NULL;
    mw_status status = MW_OK;
    pid_t child = -1;

    if (errors == NULL)
        status = mw_error_set(reterr, MW_IO, "cannot make a temporary file: %s.", strerror(errno));
    else
        child = fork();
    if (child == 0)
        become_asked(interpreter, arguments, output, errors);
    if (status == MW_OK && child < 0)
        status = mw_error_set(reterr, MW_IO, "cannot start a process: %s.", strerror(errno));
    if (status == MW_OK)
        status = wait_for(child, &ret_answer->wait_status, reterr);
    if (status == MW_OK) {
        read_end(output, ret_answer->output, sizeof ret_answer->output);
        read_end(errors, ret_answer->errors, sizeof ret_answer->errors);
        ret_answer->last_line = last_line(ret_answer->errors);
    }
    if (errors != NULL)
        fclose(errors);
    if (output != NULL)
        fclose(output);
    return status;
}
