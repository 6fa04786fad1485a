/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "cli/output.h"

#include "cli/program_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_same(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* Looks at the directory that a file is in or would be, and returns the file's name there; NULL if
 * there is no such directory. */
static const char *find_directory(const char *path, struct stat *ret_info)
{
    const char *slash = strrchr(path, '/');
    char directory[PATH_MAX] = ".";

    if (slash != NULL)
        snprintf(directory, sizeof directory, "%.*s", (int)(slash - path) + 1, path);
    if (stat(directory, ret_info) != 0)
        return NULL;
    return slash != NULL ? slash + 1 : path;
}

/* Whether two that are not there yet would be one file. */
static bool would_be_same(const char *a, const char *b)
{
    struct stat info_a, info_b;
    const char *name_a = find_directory(a, &info_a), *name_b = find_directory(b, &info_b);

    return name_a != NULL && name_b != NULL && strcmp(name_a, name_b) == 0 &&
           is_same(&info_a, &info_b);
}

bool mw_output_is_same(const char *a, const char *b)
{
    struct stat info_a, info_b;

    if (strcmp(a, b) == 0)
        return true;
    if (lstat(a, &info_a) != 0 && lstat(b, &info_b) != 0)
        return would_be_same(a, b);
    return stat(a, &info_a) == 0 && stat(b, &info_b) == 0 && is_same(&info_a, &info_b) &&
           S_ISREG(info_a.st_mode);
}

mw_status mw_output_spares(const char *option, const char *path, const char *const *inputs,
                           mw_error *reterr)
{
    for (const char *const *input = inputs; *input != NULL; input++)
        if (mw_output_is_same(path, *input))
            return mw_error_set(reterr, MW_BAD_INPUT, "%s would overwrite the capture \"%.150s\".",
                                option, path);
    return MW_OK;
}

static mw_status fail(const mw_output *output, int number, mw_error *reterr)
{
    if (*output->path == '\0')
        return mw_error_set(reterr, MW_IO, "cannot write to standard output: %s.",
                            strerror(number));
    return mw_error_set(reterr, MW_IO, "cannot write \"%.150s\": %s.", output->path,
                        strerror(number));
}

static void flush(mw_output *output)
{
    size_t done = 0;

    while (done < output->used && output->error_number == 0) {
        ssize_t count = write(output->descriptor, output->buffer + done, output->used - done);
        if (count >= 0)
            done += (size_t)count;
        else if (errno != EINTR)
            output->error_number = errno;
    }
    output->used = 0;
}

static mw_status take_bytes(mw_sink *self, const char *bytes, size_t length)
{
    mw_output *output = (mw_output *)self;

    while (length != 0) {
        size_t room = sizeof output->buffer - output->used;
        size_t part = length < room ? length : room;

        memcpy(output->buffer + output->used, bytes, part);
        output->used += part;
        bytes += part;
        length -= part;
        if (output->used == sizeof output->buffer)
            flush(output);
    }
    return output->error_number == 0 ? MW_OK : MW_IO;
}

/* Opens a file beside [path], with the mode that the file has or would be given. */
static int open_aside(mw_output *output)
{
    struct stat info;
    mode_t mask = umask(0);
    mode_t mode = stat(output->path, &info) == 0 ? info.st_mode & 0777 : 0666 & ~mask;
    int length = snprintf(output->aside, sizeof output->aside, "%.*s/.memwhy-XXXXXX",
                          (int)(strrchr(output->path, '/') - output->path), output->path);

    umask(mask);
    if (length < 0 || (size_t)length >= sizeof output->aside) {
        errno = ENAMETOOLONG;
        return -1;
    }
    output->descriptor = mkostemp(output->aside, O_CLOEXEC);
    if (output->descriptor < 0)
        output->aside[0] = '\0';
    else
        fchmod(output->descriptor, mode);
    return output->descriptor;
}

/* A link is followed, so that what it leads to is replaced and not the link. */
static void follow_links(mw_output *output)
{
    char real[PATH_MAX];

    if (realpath(output->path, real) != NULL)
        memcpy(output->path, real, sizeof real);
}

mw_status mw_output_open(mw_output *output, const char *path, mw_error *reterr)
{
    mw_status status;

    *output = (mw_output){.sink = {.write = take_bytes}, .descriptor = STDOUT_FILENO};
    if (strcmp(path, "-") == 0)
        return MW_OK;
    status = mw_output_file_check(path, output->path, reterr);
    if (status != MW_OK)
        return status;
    if (!mw_output_file_is_renamed(output->path)) {
        output->descriptor = open(output->path, O_WRONLY | O_CLOEXEC);
    } else {
        follow_links(output);
        output->descriptor = open_aside(output);
    }
    return output->descriptor >= 0 ? MW_OK : fail(output, errno, reterr);
}

static void close_output(mw_output *output)
{
    if (*output->path != '\0' && output->descriptor >= 0 && close(output->descriptor) != 0 &&
        output->error_number == 0)
        output->error_number = errno;
    output->descriptor = -1;
}

mw_status mw_output_finish(mw_output *output, mw_error *reterr)
{
    flush(output);
    close_output(output);
    if (*output->aside != '\0') {
        if (output->error_number == 0 && rename(output->aside, output->path) != 0)
            output->error_number = errno;
        if (output->error_number != 0)
            unlink(output->aside);
        output->aside[0] = '\0';
    }
    return output->error_number == 0 ? MW_OK : fail(output, output->error_number, reterr);
}

void mw_output_abandon(mw_output *output)
{
    output->used = 0;
    close_output(output);
    if (*output->aside != '\0')
        unlink(output->aside);
    output->aside[0] = '\0';
}
