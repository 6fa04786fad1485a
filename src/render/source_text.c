/* SPDX-License-Identifier: MIT
 *
 * A report shows a few lines, so each is read anew: no cache to keep or to bound.
 */
#define _GNU_SOURCE
#include "render/source_text.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static FILE *open_source(const char *directory, const char *file)
{
    char path[PATH_MAX];
    struct stat info;
    int length;
    int handle;

    if (*file == '<')
        return NULL; /* <string>, <frozen os>: no file has such a name by chance */
    length = snprintf(path, sizeof path, "%s%s%s", *file == '/' ? "" : directory,
                      *file == '/' ? "" : "/", file);
    if (length < 0 || (size_t)length >= sizeof path)
        return NULL;
    /* A name that now means a pipe must not make us wait for ever. */
    handle = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (handle < 0)
        return NULL;
    if (fstat(handle, &info) != 0 || !S_ISREG(info.st_mode)) {
        close(handle);
        return NULL;
    }
    return fdopen(handle, "r");
}

/* Reads line [number] into [text]; a part of it if it is longer. */
static void read_line(FILE *stream, int32_t number, char text[MW_SOURCE_LINE_BYTES])
{
    while (fgets(text, MW_SOURCE_LINE_BYTES, stream) != NULL) {
        if (number == 1)
            return;
        if (strchr(text, '\n') != NULL)
            number--;
    }
    text[0] = '\0';
}

static void strip(char *text)
{
    size_t start = strspn(text, " \t\f\r\n");
    size_t length = strlen(text + start);

    while (length > 0 && strchr(" \t\f\r\n", text[start + length - 1]) != NULL)
        length--;
    memmove(text, text + start, length);
    text[length] = '\0';
}

static void disk_line(mw_source *self, const char *file, int32_t line,
                      char ret_text[MW_SOURCE_LINE_BYTES])
{
    FILE *stream = NULL;

    ret_text[0] = '\0';
    if (line >= 1)
        stream = open_source(((mw_disk_source *)self)->directory, file);
    if (stream == NULL)
        return;
    read_line(stream, line, ret_text);
    fclose(stream);
    strip(ret_text);
}

void mw_disk_source_init(mw_disk_source *source, const char *directory)
{
    *source = (mw_disk_source){.source = {.line = disk_line}, .directory = directory};
}
