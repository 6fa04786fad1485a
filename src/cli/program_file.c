/* SPDX-License-Identifier: MIT
 *
 * "Not Python" is told by NUL bytes, which no source may contain, and an ELF header is
 * full of; .pyc files and zip files have them too and are recognised first, as CPython
 * recognises them: by the magic number, and by the record at the end of a zip, which may
 * stand behind a `#!` line.
 */
#define _GNU_SOURCE
#include "cli/program_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    HEAD_BYTES = 8192,
    ZIP_TAIL_BYTES = 65535 + 22, /* the longest comment, and the record itself */
};

static bool has_entry(const char *directory, const char *name)
{
    char path[PATH_MAX];
    int length = snprintf(path, sizeof path, "%s/%s", directory, name);

    return length > 0 && (size_t)length < sizeof path && access(path, F_OK) == 0;
}

static bool is_zip(int file, off_t size)
{
    static char tail[ZIP_TAIL_BYTES];
    off_t start = size > ZIP_TAIL_BYTES ? size - ZIP_TAIL_BYTES : 0;
    ssize_t length = pread(file, tail, sizeof tail, start);

    return length >= 22 && memmem(tail, (size_t)length, "PK\5\6", 4) != NULL;
}

static bool is_python(int file, off_t size)
{
    char head[HEAD_BYTES];
    ssize_t length = pread(file, head, sizeof head, 0);

    if (length <= 0 || memchr(head, '\0', (size_t)length) == NULL)
        return true; /* an empty program is one too; what cannot be read, Python reports */
    if (length >= 4 && head[2] == '\r' && head[3] == '\n')
        return true; /* the magic number of every .pyc ends so */
    return is_zip(file, size);
}

static mw_status check_regular(const char *path, off_t size, mw_error *reterr)
{
    int file = open(path, O_RDONLY | O_CLOEXEC);
    bool good;

    if (file < 0)
        return mw_error_set(reterr, MW_BAD_INPUT, "cannot read \"%.150s\": %s.", path,
                            strerror(errno));
    good = is_python(file, size);
    close(file);
    if (good)
        return MW_OK;
    return mw_error_set(reterr, MW_BAD_INPUT,
                        "\"%.150s\" is not a Python program: it contains NUL bytes.", path);
}

mw_status mw_program_file_check(const char *path, mw_error *reterr)
{
    struct stat info;

    if (stat(path, &info) != 0)
        return mw_error_set(reterr, MW_BAD_INPUT, "cannot run \"%.150s\": %s.", path,
                            strerror(errno));
    if (S_ISREG(info.st_mode))
        return check_regular(path, info.st_size, reterr);
    if (!S_ISDIR(info.st_mode))
        return MW_OK;
    if (access(path, R_OK | X_OK) != 0)
        return mw_error_set(reterr, MW_BAD_INPUT, "cannot read \"%.150s\": %s.", path,
                            strerror(errno));
    if (has_entry(path, "__main__.py") || has_entry(path, "__main__.pyc"))
        return MW_OK;
    return mw_error_set(reterr, MW_BAD_INPUT,
                        "cannot run the directory \"%.150s\": it has no __main__.py.", path);
}

/* ── output ──────────────────────────────────────────────────────────────────────── */

static mw_status fail_output(const char *path, int number, mw_error *reterr)
{
    return mw_error_set(reterr, MW_BAD_INPUT, "cannot write \"%.150s\": %s.", path,
                        strerror(number));
}

static mw_status make_absolute(const char *path, char *ret_absolute, mw_error *reterr)
{
    char directory[PATH_MAX] = "";
    int length;

    if (*path != '/' && getcwd(directory, sizeof directory) == NULL)
        return fail_output(path, errno, reterr);
    length = snprintf(ret_absolute, PATH_MAX, "%s%s%s", directory, *path == '/' ? "" : "/", path);
    if (length < 0 || length >= PATH_MAX)
        return fail_output(path, ENAMETOOLONG, reterr);
    return MW_OK;
}

/* The report is written aside and renamed; so what matters is the directory. */
static mw_status check_directory_of(const char *absolute, mw_error *reterr)
{
    char aside[PATH_MAX];
    int length = snprintf(aside, sizeof aside, "%.*s/.memwhy-XXXXXX",
                          (int)(strrchr(absolute, '/') - absolute), absolute);
    int file;

    if (length < 0 || (size_t)length >= sizeof aside)
        return fail_output(absolute, ENAMETOOLONG, reterr);
    file = mkstemp(aside);
    if (file < 0)
        return fail_output(absolute, errno, reterr);
    close(file);
    unlink(aside);
    return MW_OK;
}

/* /dev/stdout may lead to a regular file, in which others write too. */
static bool is_renamed_to(const char *path, mode_t mode)
{
    return S_ISREG(mode) && strncmp(path, "/dev/std", 8) != 0 && strncmp(path, "/dev/fd/", 8) != 0;
}

mw_status mw_output_file_check(const char *path, char *ret_absolute, mw_error *reterr)
{
    struct stat info;
    mw_status status;

    if (*path == '\0')
        return fail_output(path, ENOENT, reterr);
    status = make_absolute(path, ret_absolute, reterr);
    if (status != MW_OK)
        return status;
    if (path[strlen(path) - 1] == '/')
        return fail_output(path, EISDIR, reterr);
    if (stat(ret_absolute, &info) != 0)
        return check_directory_of(ret_absolute, reterr);
    if (S_ISDIR(info.st_mode))
        return fail_output(path, EISDIR, reterr);
    if (access(ret_absolute, W_OK) != 0)
        return fail_output(path, errno, reterr);
    /* A device or a pipe is written to as it is: renaming would replace it. */
    if (!is_renamed_to(ret_absolute, info.st_mode))
        return MW_OK;
    return check_directory_of(ret_absolute, reterr);
}

bool mw_output_file_is_renamed(const char *path)
{
    struct stat info;

    return stat(path, &info) != 0 || is_renamed_to(path, info.st_mode);
}
