/* SPDX-License-Identifier: MIT
 *
 * The file that a capture is written to.  It comes into being under another name and is
 * renamed when its first records are in; from then on it grows by one write for each step,
 * and what could not be written whole is cut off again.
 *
 * It stays open, for a process may give up the right to open it.  But the host may close every
 * descriptor that it finds, as daemons do, and the number may come to be another file's: so
 * before each use it is looked at, and the file opened again if it is not ours any more.
 */
#pragma once

#include "base/alloc.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

typedef struct mw_capture_output {
    mw_alloc *alloc; /* borrowed                                    */
    char *path;      /* owned                                       */
    char *part_path; /* owned; where it is made before it is renamed */
    size_t path_bytes, part_bytes;
    int descriptor; /* -1: closed; the host may have closed it, too */
    dev_t device;   /* of the file, by which it is known again      */
    ino_t inode;
    uint64_t length; /* all of it whole records                     */
} mw_capture_output;

/* Creates the file with its first bytes, in the place of what was there, if that was a
 * file. */
mw_status mw_capture_output_create(mw_capture_output *output, const char *path,
                                   const uint8_t *bytes, size_t length, mw_alloc *alloc,
                                   mw_error *reterr) MW_MUST_CHECK;
/* Appends all or nothing. */
mw_status mw_capture_output_append(mw_capture_output *output, const uint8_t *bytes, size_t length,
                                   mw_error *reterr) MW_MUST_CHECK;

/* Cuts off what was appended behind [length]. */
mw_status mw_capture_output_cut(mw_capture_output *output, uint64_t length, mw_error *reterr)
    MW_MUST_CHECK;

/* A part of a file. */
typedef struct mw_extent {
    uint64_t offset;
    uint64_t length;
} mw_extent;

/* Reads bytes that have been written. */
mw_status mw_capture_output_read(const mw_capture_output *output, uint64_t offset, void *bytes,
                                 size_t length) MW_MUST_CHECK;
/* Makes the file consist of these parts of itself, by a copy aside; until that is whole the
 * file is as it was. */
mw_status mw_capture_output_keep(mw_capture_output *output, const mw_extent *parts, size_t count,
                                 mw_error *reterr) MW_MUST_CHECK;

/* Closes the file, which stays as it is.  Accepts a zeroed struct. */
void mw_capture_output_done(mw_capture_output *output);
