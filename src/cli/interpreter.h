/* SPDX-License-Identifier: MIT
 *
 * Which Python a command starts, and whether memwhy is there.
 */
#pragma once

#include "base/status.h"

#include <limits.h>
#include <stdbool.h>

typedef struct mw_interpreter {
    char path[PATH_MAX]; /* what to execute; links are kept, since a virtual
                            environment is recognised by where its python lies */
    bool is_beside;      /* found next to this command, so installed with it   */
} mw_interpreter;

/* Chooses [wanted] (a path, or a name that is looked up on PATH) if it is not NULL, else
 * the python3 or python beside this command's own file, else python3 from PATH. */
mw_status mw_interpreter_choose(const char *wanted, mw_interpreter *ret_interpreter,
                                mw_error *reterr) MW_MUST_CHECK;

/* Starts the interpreter once to see whether it finds memwhy and reads its memwhy.pth;
 * fails with a sentence that says how to install it. */
mw_status mw_interpreter_probe(const mw_interpreter *interpreter, mw_error *reterr) MW_MUST_CHECK;

/* What an interpreter that was started and waited for has left behind. */
typedef struct mw_interpreter_answer {
    int wait_status;       /* as waitpid gives it                                     */
    char output[65536];    /* its standard output, or the end of a longer one         */
    char errors[4096];     /* the end of its standard error                           */
    const char *last_line; /* of those errors, in which it points; empty if none      */
} mw_interpreter_answer;

/* Starts the interpreter with [arguments] (the first is its path) and waits until it ends;
 * after a minute SIGALRM kills it. */
mw_status mw_interpreter_ask(const mw_interpreter *interpreter, char *const *arguments,
                             mw_interpreter_answer *ret_answer, mw_error *reterr) MW_MUST_CHECK;

/* Says why an interpreter whose last words are [line] cannot run memwhy; returns
 * MW_BAD_INPUT. */
mw_status mw_interpreter_explain(const mw_interpreter *interpreter, const char *line,
                                 mw_error *reterr);
