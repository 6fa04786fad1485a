/* SPDX-License-Identifier: MIT
 *
 * A write beyond the limit of a file's size is answered with SIGXFSZ, of which a process
 * dies by default.  That must not happen to our host, so the signal is held back during our
 * writes, and taken away if it came.
 */
#define _GNU_SOURCE
#include "capture/capture_output.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { COPY_BYTES = 1 << 16, MODE = 0600 };

static const char part_suffix[] = ".part";

/* ── writing ─────────────────────────────────────────────────────────────────────── */

typedef struct held_signal {
    sigset_t before;
    bool was_pending;
} held_signal;

static void hold_signal(held_signal *held)
{
    sigset_t wanted, pending;

    sigemptyset(&wanted);
    sigaddset(&wanted, SIGXFSZ);
    sigpending(&pending);
    held->was_pending = sigismember(&pending, SIGXFSZ) == 1;
    pthread_sigmask(SIG_BLOCK, &wanted, &held->before);
}

static void release_signal(const held_signal *held)
{
    static const struct timespec at_once = {0};
    int error = errno;
    sigset_t wanted;

    sigemptyset(&wanted);
    sigaddset(&wanted, SIGXFSZ);
    if (!held->was_pending)
        while (sigtimedwait(&wanted, NULL, &at_once) < 0 && errno == EINTR)
            continue;
    pthread_sigmask(SIG_SETMASK, &held->before, NULL);
    errno = error;
}

/* Writes all of it; false with errno. */
static bool write_whole(int descriptor, const uint8_t *bytes, size_t length, uint64_t offset)
{
    held_signal held;
    bool is_whole = true;

    hold_signal(&held);
    while (length != 0 && is_whole) {
        ssize_t written = pwrite(descriptor, bytes, length, (off_t)offset);

        if (written < 0 && errno == EINTR)
            continue;
        is_whole = written > 0;
        if (written == 0)
            errno = ENOSPC;
        if (!is_whole)
            break;
        bytes += written;
        length -= (size_t)written;
        offset += (uint64_t)written;
    }
    release_signal(&held);
    return is_whole;
}

static bool read_whole(int descriptor, uint8_t *bytes, size_t length, uint64_t offset)
{
    while (length != 0) {
        ssize_t got = pread(descriptor, bytes, length, (off_t)offset);

        if (got < 0 && errno == EINTR)
            continue;
        if (got == 0)
            errno = EIO;
        if (got <= 0)
            return false;
        bytes += got;
        length -= (size_t)got;
        offset += (uint64_t)got;
    }
    return true;
}

/* The system's reason comes first: of a very long name only the beginning is shown. */
static mw_status fail(const char *act, const char *path, mw_error *reterr)
{
    return mw_error_set(reterr, MW_IO, "%s while %s %s.", strerrordesc_np(errno), act, path);
}

/* ── creating ────────────────────────────────────────────────────────────────────── */

/* Whether [descriptor] is the file's. */
static bool is_of_file(const mw_capture_output *output, int descriptor)
{
    struct stat now;

    return descriptor >= 0 && fstat(descriptor, &now) == 0 && now.st_dev == output->device &&
           now.st_ino == output->inode;
}

/* From now on [descriptor], which may be none, is the file's. */
static void take_descriptor(mw_capture_output *output, int descriptor)
{
    struct stat now = {0};

    output->descriptor = descriptor;
    if (descriptor < 0 || fstat(descriptor, &now) != 0)
        return;
    output->device = now.st_dev;
    output->inode = now.st_ino;
}

/* Opens the file again if somebody has closed it; false with errno. */
static bool hold_descriptor(mw_capture_output *output)
{
    int descriptor;

    if (is_of_file(output, output->descriptor))
        return true;
    descriptor = open(output->path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0)
        return false;
    if (!is_of_file(output, descriptor)) {
        close(descriptor);
        errno = ESTALE;
        return false;
    }
    output->descriptor = descriptor;
    return true;
}

static mw_status copy_name(const char *path, const char *suffix, mw_alloc *alloc, char **ret_name,
                           size_t *ret_bytes)
{
    size_t bytes = strlen(path) + strlen(suffix) + 1;
    char *name = mw_alloc_new(alloc, bytes);

    if (name == NULL)
        return MW_NO_MEMORY;
    snprintf(name, bytes, "%s%s", path, suffix);
    *ret_name = name;
    *ret_bytes = bytes;
    return MW_OK;
}

static int create_part(const mw_capture_output *output)
{
    /* One may be left of a process that was killed. */
    unlink(output->part_path);
    return open(output->part_path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, MODE);
}

/* Renaming would also put the file in the place of a device or a pipe. */
static mw_status check_place(const char *path, mw_error *reterr)
{
    struct stat there;

    if (lstat(path, &there) != 0 || S_ISREG(there.st_mode) || S_ISLNK(there.st_mode))
        return MW_OK;
    return mw_error_set(reterr, MW_IO, "A capture cannot be written to %s, which is no file.",
                        path);
}

static mw_status write_part(mw_capture_output *output, const uint8_t *bytes, size_t length,
                            mw_error *reterr)
{
    take_descriptor(output, create_part(output));
    if (output->descriptor < 0)
        return fail("creating", output->part_path, reterr);
    if (!write_whole(output->descriptor, bytes, length, 0))
        return fail("writing", output->part_path, reterr);
    if (rename(output->part_path, output->path) != 0)
        return fail("creating", output->path, reterr);
    output->length = length;
    return MW_OK;
}

mw_status mw_capture_output_create(mw_capture_output *output, const char *path,
                                   const uint8_t *bytes, size_t length, mw_alloc *alloc,
                                   mw_error *reterr)
{
    mw_status status = check_place(path, reterr);

    *output = (mw_capture_output){.alloc = alloc, .descriptor = -1};
    if (status != MW_OK)
        return status;
    status = copy_name(path, "", alloc, &output->path, &output->path_bytes);
    if (status == MW_OK)
        status = copy_name(path, part_suffix, alloc, &output->part_path, &output->part_bytes);
    if (status == MW_OK) {
        status = write_part(output, bytes, length, reterr);
        if (status != MW_OK && output->descriptor >= 0)
            unlink(output->part_path);
    } else {
        mw_error_set(reterr, status, "Out of memory while creating %s.", path);
    }
    if (status != MW_OK)
        mw_capture_output_done(output);
    return status;
}

void mw_capture_output_done(mw_capture_output *output)
{
    if (output->alloc == NULL)
        return;
    if (is_of_file(output, output->descriptor))
        close(output->descriptor);
    mw_alloc_release(output->alloc, output->path, output->path_bytes);
    mw_alloc_release(output->alloc, output->part_path, output->part_bytes);
    *output = (mw_capture_output){.descriptor = -1};
}

/* ── appending ───────────────────────────────────────────────────────────────────── */

mw_status mw_capture_output_append(mw_capture_output *output, const uint8_t *bytes, size_t length,
                                   mw_error *reterr)
{
    mw_status status;

    if (!hold_descriptor(output))
        return fail("opening", output->path, reterr);
    if (write_whole(output->descriptor, bytes, length, output->length)) {
        output->length += length;
        return MW_OK;
    }
    status = fail("writing", output->path, reterr);
    /* If even this fails, the next write goes over what is too much. */
    if (ftruncate(output->descriptor, (off_t)output->length) != 0)
        return status;
    return status;
}

mw_status mw_capture_output_cut(mw_capture_output *output, uint64_t length, mw_error *reterr)
{
    if (length >= output->length)
        return MW_OK;
    if (!hold_descriptor(output))
        return fail("opening", output->path, reterr);
    /* Whether or not it is cut off now, the next write goes over it. */
    output->length = length;
    return ftruncate(output->descriptor, (off_t)length) == 0
               ? MW_OK
               : fail("shortening", output->path, reterr);
}

/* ── dropping ────────────────────────────────────────────────────────────────────── */

mw_status mw_capture_output_read(const mw_capture_output *output, uint64_t offset, void *bytes,
                                 size_t length)
{
    if (offset + length > output->length || !is_of_file(output, output->descriptor))
        return MW_IO;
    return read_whole(output->descriptor, bytes, length, offset) ? MW_OK : MW_IO;
}

static bool copy_part(const mw_capture_output *output, mw_extent part, int descriptor,
                      uint64_t *length, uint8_t *buffer)
{
    while (part.length != 0) {
        size_t step = part.length < COPY_BYTES ? part.length : COPY_BYTES;

        if (!read_whole(output->descriptor, buffer, step, part.offset) ||
            !write_whole(descriptor, buffer, step, *length))
            return false;
        part.offset += step;
        part.length -= step;
        *length += step;
    }
    return true;
}

static mw_status copy_parts(mw_capture_output *output, const mw_extent *parts, size_t count,
                            int descriptor, uint8_t *buffer, mw_error *reterr)
{
    uint64_t length = 0;

    for (size_t i = 0; i < count; i++) {
        if (!copy_part(output, parts[i], descriptor, &length, buffer))
            return fail("writing", output->part_path, reterr);
    }
    if (rename(output->part_path, output->path) != 0)
        return fail("replacing", output->path, reterr);
    close(output->descriptor);
    take_descriptor(output, descriptor);
    output->length = length;
    return MW_OK;
}

mw_status mw_capture_output_keep(mw_capture_output *output, const mw_extent *parts, size_t count,
                                 mw_error *reterr)
{
    uint8_t *buffer = mw_alloc_new(output->alloc, COPY_BYTES);
    mw_status status;
    int descriptor = -1;

    if (buffer == NULL)
        return mw_error_set(reterr, MW_NO_MEMORY, "Out of memory while shortening %s.",
                            output->path);
    if (hold_descriptor(output))
        descriptor = create_part(output);
    if (descriptor >= 0)
        status = copy_parts(output, parts, count, descriptor, buffer, reterr);
    else
        status = fail("creating", output->part_path, reterr);
    if (status != MW_OK && descriptor >= 0) {
        close(descriptor);
        unlink(output->part_path);
    }
    mw_alloc_release(output->alloc, buffer, COPY_BYTES);
    return status;
}
