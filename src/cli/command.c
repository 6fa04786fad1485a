/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "cli/command.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

int mw_command_fail(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    fputs("memwhy: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    return MW_EXIT_USAGE;
}

int mw_command_fail_with(const mw_error *error)
{
    size_t length = strlen(error->text);
    bool is_ended = length != 0 && error->text[length - 1] == '.';

    return mw_command_fail("%s%s", error->text, is_ended ? "" : ".");
}

int mw_command_help(const mw_command *command)
{
    const char *form = command->usage;
    const char *lead = "usage:";

    while (*form != '\0') {
        const char *end = strchrnul(form, '\n');
        printf("%s memwhy %s %.*s\n", lead, command->name, (int)(end - form), form);
        form = *end == '\0' ? end : end + 1;
        lead = "      ";
    }
    printf("\nmemwhy %s: %s.\n\n%s", command->name, command->summary, command->details);
    if (command->print_more != NULL)
        command->print_more();
    return MW_EXIT_DONE;
}
