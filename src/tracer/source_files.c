/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "tracer/source_files.h"

#include "base/hash.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILES_MAXIMUM = 20000 };

struct mw_source_file {
    uint64_t hash; /* of the name                                     */
    char *name;    /* owned                                           */
    size_t name_bytes;
    char *text; /* owned; NULL where there is no such file         */
    size_t text_bytes;
    uint32_t *starts; /* owned; where each line begins, and the end      */
    uint32_t start_count;
    uint32_t start_capacity;
};

/* ── life ────────────────────────────────────────────────────────────────────────── */

void mw_source_files_init(mw_source_files *files, mw_alloc *alloc, const char *directory)
{
    *files = (mw_source_files){.alloc = alloc, .directory = directory};
}

static void release_file(mw_alloc *alloc, mw_source_file *file)
{
    mw_alloc_release(alloc, file->name, file->name_bytes);
    mw_alloc_release(alloc, file->text, file->text_bytes);
    mw_alloc_release(alloc, file->starts, file->start_capacity * sizeof *file->starts);
    mw_alloc_release(alloc, file, sizeof *file);
}

void mw_source_files_done(mw_source_files *files)
{
    for (uint32_t i = 0; i < files->count; i++)
        release_file(files->alloc, files->files[i]);
    mw_alloc_release(files->alloc, files->files, files->capacity * sizeof(mw_source_file *));
    mw_source_files_init(files, files->alloc, files->directory);
}

/* ── reading ─────────────────────────────────────────────────────────────────────── */

/* A regular file of a size that we read, or -1. */
static int open_regular(const mw_source_files *files, const char *name, size_t *ret_bytes)
{
    char path[PATH_MAX];
    struct stat info;
    int handle;

    if (snprintf(path, sizeof path, "%s%s%s", *name == '/' ? "" : files->directory,
                 *name == '/' ? "" : "/", name) >= (int)sizeof path)
        return -1;
    /* A name that now means a pipe must not make us wait for ever. */
    handle = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (handle < 0)
        return -1;
    if (fstat(handle, &info) == 0 && S_ISREG(info.st_mode) && info.st_size > 0 &&
        info.st_size <= MW_SOURCE_FILE_BYTES) {
        *ret_bytes = (size_t)info.st_size;
        return handle;
    }
    close(handle);
    return -1;
}

static size_t read_all(int handle, char *text, size_t wanted)
{
    size_t length = 0;

    while (length < wanted) {
        ssize_t got = read(handle, text + length, wanted - length);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        length += (size_t)got;
    }
    return length;
}

static void read_text(const mw_source_files *files, mw_source_file *file)
{
    size_t bytes = 0;
    int handle = open_regular(files, file->name, &bytes);

    if (handle < 0)
        return;
    file->text = mw_alloc_new(files->alloc, bytes);
    file->text_bytes = bytes;
    /* What is missing, if the file shrinks meanwhile, stays zero, and is no line's. */
    if (file->text != NULL)
        (void)read_all(handle, file->text, bytes);
    close(handle);
}

static mw_status add_start(const mw_source_files *files, mw_source_file *file, size_t offset)
{
    mw_status status =
        mw_alloc_grow(files->alloc, &file->starts, file->start_count, &file->start_capacity,
                      sizeof *file->starts, MW_SOURCE_FILE_BYTES + 2);

    if (status == MW_OK)
        file->starts[file->start_count++] = (uint32_t)offset;
    return status;
}

/* Python ends lines at \n, \r\n and \r. */
static bool ends_line(const mw_source_file *file, size_t at)
{
    if (file->text[at] == '\r')
        return at + 1 == file->text_bytes || file->text[at + 1] != '\n';
    return file->text[at] == '\n' || at + 1 == file->text_bytes;
}

static mw_status find_lines(const mw_source_files *files, mw_source_file *file)
{
    mw_status status = add_start(files, file, 0);

    for (size_t at = 0; at < file->text_bytes && status == MW_OK; at++)
        if (ends_line(file, at))
            status = add_start(files, file, at + 1);
    return status;
}

/* Reads what is not known; NULL for want of memory. */
static mw_source_file *add_file(mw_source_files *files, const char *name, uint64_t hash)
{
    mw_alloc *alloc = files->alloc;
    mw_source_file *file = mw_alloc_new(alloc, sizeof *file);

    if (file == NULL)
        return NULL;
    file->hash = hash;
    file->name_bytes = strlen(name) + 1;
    file->name = mw_alloc_new(alloc, file->name_bytes);
    if (file->name != NULL && mw_alloc_grow(alloc, &files->files, files->count, &files->capacity,
                                            sizeof *files->files, UINT32_MAX) == MW_OK) {
        memcpy(file->name, name, file->name_bytes);
        read_text(files, file);
        if (file->text == NULL || find_lines(files, file) == MW_OK) {
            files->files[files->count++] = file;
            files->used_bytes += file->text_bytes;
            return file;
        }
    }
    release_file(alloc, file);
    return NULL;
}

static mw_source_file *find_file(mw_source_files *files, const char *name)
{
    uint64_t hash = mw_hash_bytes(name, strlen(name));

    for (uint32_t i = 0; i < files->count; i++)
        if (files->files[i]->hash == hash && strcmp(files->files[i]->name, name) == 0)
            return files->files[i];
    if (files->used_bytes >= MW_SOURCE_FILES_BYTES || files->count >= FILES_MAXIMUM)
        mw_source_files_done(files);
    return add_file(files, name, hash);
}

/* ── a line ──────────────────────────────────────────────────────────────────────── */

/* How many bytes the well-formed character at [text] has, 0 if there is none. */
static size_t character_bytes(const unsigned char *text, size_t length)
{
    size_t bytes = text[0] < 0x80                      ? 1
                   : text[0] >= 0xc2 && text[0] < 0xe0 ? 2
                   : text[0] >= 0xe0 && text[0] < 0xf0 ? 3
                   : text[0] >= 0xf0 && text[0] < 0xf5 ? 4
                                                       : 0;

    if (bytes > length)
        return 0;
    for (size_t i = 1; i < bytes; i++)
        if ((text[i] & 0xc0) != 0x80)
            return 0;
    /* Overlong forms, surrogates, and what lies beyond Unicode. */
    if ((text[0] == 0xe0 && text[1] < 0xa0) || (text[0] == 0xed && text[1] >= 0xa0) ||
        (text[0] == 0xf0 && text[1] < 0x90) || (text[0] == 0xf4 && text[1] >= 0x90))
        return 0;
    return bytes;
}

/* Copies what fits of a line that is UTF-8; false if it is not. */
static bool copy_utf8(mw_source_files *files, const char *text, size_t length)
{
    size_t used = 0;

    while (used < length) {
        size_t bytes = character_bytes((const unsigned char *)text + used, length - used);

        if (bytes == 0)
            return false;
        if (used + bytes > MW_SOURCE_LINE_MAXIMUM)
            break;
        used += bytes;
    }
    memcpy(files->line, text, used);
    files->line_bytes = used;
    return true;
}

static void copy_latin_1(mw_source_files *files, const char *text, size_t length)
{
    size_t used = 0;

    for (size_t i = 0; i < length && used + 2 <= MW_SOURCE_LINE_MAXIMUM; i++) {
        unsigned char byte = (unsigned char)text[i];

        if (byte >= 0x80)
            files->line[used++] = (char)(0xc0 | byte >> 6);
        files->line[used++] = (char)(byte < 0x80 ? byte : 0x80 | (byte & 0x3f));
    }
    files->line_bytes = used;
}

bool mw_source_files_line(mw_source_files *files, const char *name, int32_t line,
                          const char **ret_text, size_t *ret_length)
{
    const mw_source_file *file = line >= 1 && *name != '\0' ? find_file(files, name) : NULL;
    const char *text;
    size_t length;

    if (file == NULL || (uint32_t)line >= file->start_count)
        return false;
    text = file->text + file->starts[line - 1];
    length = file->starts[line] - file->starts[line - 1];
    while (length > 0 && (text[length - 1] == '\n' || text[length - 1] == '\r'))
        length--;
    if (!copy_utf8(files, text, length))
        copy_latin_1(files, text, length);
    *ret_text = files->line;
    *ret_length = files->line_bytes;
    return true;
}
