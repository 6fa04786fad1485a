/* SPDX-License-Identifier: MIT */
#include "cli/option_table.h"

#include "base/quantity.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_BYTES = 40, SENTENCE_BYTES = 400 };

/* One word of argv that begins with a dash. */
typedef struct word {
    char name[NAME_BYTES]; /* without "=value"; cut, if no option can have it */
    const char *value;     /* behind "=", or NULL                             */
} word;

static word split_word(const char *text)
{
    const char *equals = strchr(text, '=');
    size_t length = equals == NULL ? strlen(text) : (size_t)(equals - text);
    word result = {.value = equals == NULL ? NULL : equals + 1};

    if (length >= NAME_BYTES)
        length = NAME_BYTES - 1;
    memcpy(result.name, text, length);
    return result;
}

static const mw_option *find_option(const mw_option_table *table, const char *name)
{
    for (size_t i = 0; i < table->option_count; i++)
        if (strcmp(table->options[i].name, name) == 0)
            return &table->options[i];
    return NULL;
}

/* ── values ──────────────────────────────────────────────────────────────────────── */

static int fail_value(const mw_option *option, const char *wanted, const char *value)
{
    return mw_command_fail("%s takes %s, not \"%s\".", option->name, wanted, value);
}

static int take_count(const mw_option *option, const char *value, long *field)
{
    char *end;
    long count;

    errno = 0;
    count = strtol(value, &end, 10);
    if (errno == 0 && end != value && *end == '\0' && count >= 1 && count <= option->maximum) {
        *field = count;
        return MW_EXIT_DONE;
    }
    return mw_command_fail("%s takes a whole number from 1 to %ld, not \"%s\".", option->name,
                           option->maximum, value);
}

/* "line, file or function". */
static void list_choices(const char *const *choices, char text[SENTENCE_BYTES])
{
    text[0] = '\0';
    for (size_t i = 0; choices[i] != NULL; i++) {
        const char *gap = i == 0 ? "" : choices[i + 1] == NULL ? " or " : ", ";
        size_t used = strlen(text);

        snprintf(text + used, SENTENCE_BYTES - used, "%s%s", gap, choices[i]);
    }
}

static int take_choice(const mw_option *option, const char *value, int *field)
{
    char wanted[SENTENCE_BYTES];

    for (int i = 0; option->choices[i] != NULL; i++)
        if (strcmp(option->choices[i], value) == 0) {
            *field = i;
            return MW_EXIT_DONE;
        }
    list_choices(option->choices, wanted);
    return fail_value(option, wanted, value);
}

static int take_list(const mw_option *option, const char *value, mw_option_list *field)
{
    if (field->count == MW_OPTION_LIST_MAXIMUM)
        return mw_command_fail("%s can be given %d times at most.", option->name,
                               MW_OPTION_LIST_MAXIMUM);
    field->words[field->count++] = value;
    return MW_EXIT_DONE;
}

static int take_value(const mw_option *option, const char *value, void *field)
{
    switch (option->kind) {
    case MW_OPTION_LIST:
        return take_list(option, value, field);
    case MW_OPTION_COUNT:
        return take_count(option, value, field);
    case MW_OPTION_CHOICE:
        return take_choice(option, value, field);
    case MW_OPTION_DURATION:
        if (!mw_duration_parse(value, field))
            return fail_value(option, "a duration, as in \"90s\", \"10m\" or \"1h30m\"", value);
        return MW_EXIT_DONE;
    case MW_OPTION_PERCENT:
        if (!mw_percent_parse(value, field))
            return fail_value(option, "a percentage, as in \"5%\"", value);
        return MW_EXIT_DONE;
    case MW_OPTION_FLAG:
    case MW_OPTION_PAIR:
    case MW_OPTION_TEXT:
        break;
    }
    *(const char **)field = value;
    return MW_EXIT_DONE;
}

/* ── words ───────────────────────────────────────────────────────────────────────── */

static int fail_missing(const mw_option_table *table, const char *name, const char *what)
{
    return mw_command_fail("%s wants %s; see \"memwhy help %s\".", name, what, table->command);
}

static int take_option(const mw_option_table *table, const mw_option *option, const word *first,
                       char ***argv, void *fields)
{
    void *field = (char *)fields + option->offset;
    const char *value = first->value;

    if (option->kind == MW_OPTION_FLAG) {
        if (value != NULL)
            return mw_command_fail("%s takes no value; see \"memwhy help %s\".", option->name,
                                   table->command);
        *(bool *)field = true;
        return MW_EXIT_DONE;
    }
    if (value == NULL)
        value = *++*argv;
    if (value == NULL)
        return fail_missing(table, option->name,
                            option->kind == MW_OPTION_PAIR ? "two values" : "a value");
    if (option->kind == MW_OPTION_PAIR) {
        ((const char **)field)[0] = value;
        value = ((const char **)field)[1] = *++*argv;
        return value != NULL ? MW_EXIT_DONE : fail_missing(table, option->name, "two values");
    }
    return take_value(option, value, field);
}

static int take_other(const mw_option_table *table, const word *first, char ***argv, void *fields)
{
    const char *value = first->value;

    if (table->has_other == NULL || !table->has_other(first->name))
        return mw_command_fail("%s has no option \"%s\"; see \"memwhy help %s\".", table->command,
                               first->name, table->command);
    if (value == NULL)
        value = *++*argv;
    if (value == NULL)
        return fail_missing(table, first->name, "a value");
    if (!table->take_other(fields, first->name, value))
        return mw_command_fail("%s was given twice.", first->name);
    return MW_EXIT_DONE;
}

static int take_dashed(const mw_option_table *table, char ***argv, void *fields)
{
    word first = split_word(**argv);
    const mw_option *option = find_option(table, first.name);

    if (option != NULL)
        return take_option(table, option, &first, argv, fields);
    return take_other(table, &first, argv, fields);
}

static int take_operand(const mw_option_table *table, const char *text, const char **operands,
                        size_t *count)
{
    if (*count == table->operand_maximum)
        return mw_command_fail("%s has no use for \"%s\"; see \"memwhy help %s\".", table->command,
                               text, table->command);
    operands[(*count)++] = text;
    return MW_EXIT_DONE;
}

int mw_option_table_parse(const mw_option_table *table, char **argv, void *fields,
                          const char **ret_operands, bool *ret_wants_help)
{
    bool ended = false;
    size_t count = 0;
    int status = MW_EXIT_DONE;

    *ret_wants_help = false;
    for (size_t i = 0; i < table->operand_maximum; i++)
        ret_operands[i] = NULL;
    for (argv++; *argv != NULL && status == MW_EXIT_DONE; argv += *argv != NULL) {
        const char *text = *argv;

        if (ended || text[0] != '-' || text[1] == '\0')
            status = take_operand(table, text, ret_operands, &count);
        else if (strcmp(text, "--") == 0)
            ended = true;
        else if (strcmp(text, "-h") == 0 || strcmp(text, "--help") == 0) {
            *ret_wants_help = true;
            return MW_EXIT_DONE;
        } else
            status = take_dashed(table, &argv, fields);
    }
    return status;
}
