/* SPDX-License-Identifier: MIT
 *
 * The options of a command as a table: what each is called, what it takes, and where in the
 * command's own struct its value goes.  `--name value` and `--name=value` are the same,
 * options and operands may be mixed, and "--" ends the options.
 *
 *     static const mw_option table[] = {
 *         {"--top", MW_OPTION_COUNT, .offset = offsetof(my_options, top), .maximum = 1000},
 *         {"--json", MW_OPTION_TEXT, .offset = offsetof(my_options, json)},
 *     };
 */
#pragma once

#include "cli/command.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MW_OPTION_LIST_MAXIMUM = 64 };

/* What an option takes, and the type of its field. */
typedef enum mw_option_kind {
    MW_OPTION_FLAG,     /* nothing; bool                                        */
    MW_OPTION_TEXT,     /* a word; const char *, borrowed from argv             */
    MW_OPTION_PAIR,     /* two words; const char *[2]                           */
    MW_OPTION_LIST,     /* a word, each time that it is given; mw_option_list   */
    MW_OPTION_COUNT,    /* a whole number from 1 to `maximum`; long             */
    MW_OPTION_CHOICE,   /* one of `choices`, by its place among them; int       */
    MW_OPTION_DURATION, /* "10m"; uint64_t, nanoseconds                         */
    MW_OPTION_PERCENT,  /* "5%"; double                                         */
} mw_option_kind;

typedef struct mw_option_list {
    const char *words[MW_OPTION_LIST_MAXIMUM];
    size_t count;
} mw_option_list;

typedef struct mw_option {
    const char *name;
    mw_option_kind kind;
    size_t offset;              /* of its field                                  */
    const char *const *choices; /* MW_OPTION_CHOICE; ends with NULL              */
    long maximum;               /* MW_OPTION_COUNT                               */
} mw_option;

typedef struct mw_option_table {
    const char *command; /* for sentences                                         */
    const mw_option *options;
    size_t option_count;
    /* Takes what the table does not have, and a value; false: there is no such option.
     * May be NULL. */
    bool (*take_other)(void *fields, const char *name, const char *value);
    bool (*has_other)(const char *name);
    size_t operand_maximum;
} mw_option_table;

/* Reads argv[1] and on into [fields] and [ret_operands] (of operand_maximum places, NULL
 * where there are fewer).  [ret_wants_help] is set by -h and --help, and nothing behind them
 * is read.  Returns MW_EXIT_DONE, or says one sentence and returns MW_EXIT_USAGE. */
int mw_option_table_parse(const mw_option_table *table, char **argv, void *fields,
                          const char **ret_operands, bool *ret_wants_help);
