/* SPDX-License-Identifier: MIT
 *
 * What a command of `memwhy` is: a row of the list in main.c, defined in a file of its
 * own (cmd_<name>.c), and how every command complains and explains itself.
 */
#pragma once

#include "base/status.h"

/* Exit statuses of the command, the same for all of them. */
enum {
    MW_EXIT_DONE = 0,
    MW_EXIT_CHECK_FAILED = 1, /* what was asked to be checked does not hold */
    MW_EXIT_USAGE = 2,        /* wrong usage, or input that cannot be used  */
    MW_EXIT_UNREACHABLE = 3,  /* the target cannot be reached               */
};

typedef struct mw_command {
    const char *name;
    const char *usage;        /* what follows the name; a line per form                    */
    const char *summary;      /* one line, lower case, for the list of commands            */
    const char *details;      /* the options, a line each, ready to print                  */
    void (*print_more)(void); /* prints what follows the details; may be NULL */
    int (*run)(int argc, char **argv); /* argv[0] is the name; returns the exit status */
} mw_command;

/* Says one sentence on stderr, `memwhy: <sentence>`, and returns MW_EXIT_USAGE, so that
 * a complaint is one statement: `return mw_command_fail("…", …);`  Control characters in what
 * it quotes become question marks. */
int mw_command_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same with a sentence that a library function left, which may lack its full stop. */
int mw_command_fail_with(const mw_error *error);

/* Prints usage, summary and options on stdout; returns MW_EXIT_DONE. */
int mw_command_help(const mw_command *command);
