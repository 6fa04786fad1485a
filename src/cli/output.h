/* SPDX-License-Identifier: MIT
 *
 * Where a command's bytes go: standard output, or a file that is written aside and renamed,
 * so that it is there whole or not at all.  A device or a pipe is written to as it is.
 */
#pragma once

#include "render/render.h"

#include <limits.h>

enum { MW_OUTPUT_BUFFER_BYTES = 1 << 16 };

typedef struct mw_output {
    mw_sink sink;
    int descriptor;
    int error_number;     /* of the first write that failed           */
    char path[PATH_MAX];  /* the file's name; "" for standard output  */
    char aside[PATH_MAX]; /* where it is written for now, or ""       */
    char buffer[MW_OUTPUT_BUFFER_BYTES];
    size_t used; /* bytes of the buffer                      */
} mw_output;

/* Whether writing one replaces the other: the same name, or two names of one file. */
bool mw_output_is_same(const char *a, const char *b);
/* Refuses to write what [option] asks for to [path] if that is one of the [inputs] (ends with
 * NULL). */
mw_status mw_output_spares(const char *option, const char *path, const char *const *inputs,
                           mw_error *reterr) MW_MUST_CHECK;

/* "-" is standard output.  On failure there is nothing to close. */
mw_status mw_output_open(mw_output *output, const char *path, mw_error *reterr) MW_MUST_CHECK;

/* Writes what is left, and renames.  Whatever it returns, the output is closed, and where it
 * fails the file is as it was before. */
mw_status mw_output_finish(mw_output *output, mw_error *reterr) MW_MUST_CHECK;

/* Closes the output and leaves the file as it was before. */
void mw_output_abandon(mw_output *output);
