/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "cli/command.h"

#include "render/render.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* Whatever the sentence quotes may have been made to move a terminal's cursor, or to look like a
 * second sentence. */
static void say_clean(const char *sentence, size_t length)
{
    mw_buffer clean;

    mw_buffer_init(&clean, mw_alloc_system());
    mw_sink_clean(&clean.sink, sentence, length, UINT32_MAX);
    fprintf(stderr, "memwhy: %s\n", clean.bytes == NULL ? "" : clean.bytes);
    mw_buffer_done(&clean);
}

int mw_command_fail(const char *format, ...)
{
    va_list arguments;
    char *sentence;
    int length;

    va_start(arguments, format);
    length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    sentence = length < 0 ? NULL : mw_alloc_new(mw_alloc_system(), (size_t)length + 1);
    if (sentence == NULL)
        return MW_EXIT_USAGE;
    va_start(arguments, format);
    vsnprintf(sentence, (size_t)length + 1, format, arguments);
    va_end(arguments);
    say_clean(sentence, (size_t)length);
    mw_alloc_release(mw_alloc_system(), sentence, (size_t)length + 1);
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
