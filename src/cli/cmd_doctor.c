/* SPDX-License-Identifier: MIT
 *
 * `memwhy doctor`: what works here.  The interpreter is started, tries every mechanism of
 * memwhy on itself and writes the answer (memwhy/_doctor.py).  It is a child, so that an
 * interpreter that lacks memwhy, hangs or dies of the trial is an answer too.
 */
#define _GNU_SOURCE
#include "cli/command.h"
#include "cli/interpreter.h"
#include "cli/option_table.h"
#include "cli/terminal.h"
#include "render/render.h"

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern const mw_command mw_command_doctor;

typedef struct doctor_options {
    const char *python; /* NULL: choose */
    bool wants_json;
} doctor_options;

/* The current directory may hold a memwhy of its own, which is not the one in question. */
static const char doctor_code[] = "import sys\n"
                                  "if sys.path[:1] == ['']: del sys.path[0]\n"
                                  "from memwhy._doctor import main\n"
                                  "sys.exit(main(sys.argv[1:]))\n";

/* ── options ─────────────────────────────────────────────────────────────────────── */

static const mw_option option_rows[] = {
    {"--python", MW_OPTION_TEXT, .offset = offsetof(doctor_options, python)},
    {"--json", MW_OPTION_FLAG, .offset = offsetof(doctor_options, wants_json)},
};

static const mw_option_table option_table = {
    .command = "doctor",
    .options = option_rows,
    .option_count = sizeof option_rows / sizeof option_rows[0],
};

/* ── the answer ──────────────────────────────────────────────────────────────────── */

static mw_status ask(const mw_interpreter *interpreter, bool wants_json,
                     mw_interpreter_answer *ret_answer, mw_error *reterr)
{
    char width[32];
    char *arguments[] = {(char *)interpreter->path, "-c", (char *)doctor_code, width, NULL, NULL};

    snprintf(width, sizeof width, "--width=%u", mw_terminal_width(STDOUT_FILENO));
    if (wants_json)
        arguments[4] = "--json";
    else if (mw_terminal_has_colour(STDOUT_FILENO))
        arguments[4] = "--colour";
    /* So memwhy.pth is noticed as it is by `memwhy run`, and begins nothing. */
    setenv("MEMWHY_RUN", "probe", 1);
    return mw_interpreter_ask(interpreter, arguments, ret_answer, reterr);
}

/* Without an answer of the interpreter's own, the verdict is all there is to say. */
static int say_verdict(bool wants_json, int status, const char *sentence)
{
    mw_buffer buffer;

    mw_buffer_init(&buffer, mw_alloc_system());
    if (wants_json)
        mw_sink_text(&buffer.sink, "{\n  \"format\": \"memwhy-doctor\",\n  \"version\": 1,\n"
                                   "  \"works\": false,\n  \"verdict\": ");
    if (wants_json)
        mw_sink_json_string(&buffer.sink, sentence, strlen(sentence));
    else
        mw_sink_clean(&buffer.sink, sentence, strlen(sentence), UINT32_MAX);
    mw_sink_text(&buffer.sink, wants_json ? "\n}\n" : "\n");
    fputs(buffer.bytes != NULL ? buffer.bytes : "", stdout);
    mw_buffer_done(&buffer);
    return status;
}

static int say_no(bool wants_json, int status, const char *reason)
{
    char sentence[512];

    snprintf(sentence, sizeof sentence, "memwhy does not work here: %s", reason);
    return say_verdict(wants_json, status, sentence);
}

static int judge(const mw_interpreter *interpreter, const mw_interpreter_answer *answer,
                 bool wants_json)
{
    mw_error error;

    if (WIFSIGNALED(answer->wait_status) && WTERMSIG(answer->wait_status) == SIGALRM)
        return say_no(wants_json, MW_EXIT_UNREACHABLE,
                      "the interpreter did not answer within a minute.");
    if (WIFSIGNALED(answer->wait_status)) {
        snprintf(error.text, sizeof error.text,
                 "the interpreter died of SIG%s while memwhy was tried; please report it.",
                 sigabbrev_np(WTERMSIG(answer->wait_status)));
        return say_no(wants_json, MW_EXIT_CHECK_FAILED, error.text);
    }
    if (*answer->output == '\0') {
        mw_interpreter_explain(interpreter, answer->last_line, &error);
        return say_no(wants_json, MW_EXIT_UNREACHABLE, error.text);
    }
    fputs(answer->output, stdout);
    return WEXITSTATUS(answer->wait_status) == 0 ? MW_EXIT_DONE : MW_EXIT_CHECK_FAILED;
}

static int doctor_run(int argc, char **argv)
{
    static mw_interpreter_answer answer;
    doctor_options options = {0};
    mw_interpreter interpreter;
    bool wants_help;
    mw_error error;
    int status;

    (void)argc;
    status = mw_option_table_parse(&option_table, argv, &options, NULL, &wants_help);
    if (status != MW_EXIT_DONE)
        return status;
    if (wants_help)
        return mw_command_help(&mw_command_doctor);
    if (mw_interpreter_choose(options.python, &interpreter, &error) != MW_OK ||
        ask(&interpreter, options.wants_json, &answer, &error) != MW_OK)
        return say_no(options.wants_json, MW_EXIT_UNREACHABLE, error.text);
    return judge(&interpreter, &answer, options.wants_json);
}

const mw_command mw_command_doctor = {
    .name = "doctor",
    .usage = "[--json] [--python P]",
    .summary = "say whether memwhy works here, how well, and what stands in its way",
    .details = "  --json          the same for programs\n"
               "  --python P      the interpreter, a path or a name on PATH (the one beside\n"
               "                  this command, else python3)\n"
               "\n"
               "Starts the interpreter, traces a small program in it, and checks what it finds.\n"
               "Exit status: 0 memwhy works, if slower than it could be; 1 a self-check failed;\n"
               "2 wrong usage; 3 the interpreter cannot be started, or lacks memwhy.\n",
    .run = doctor_run,
};
