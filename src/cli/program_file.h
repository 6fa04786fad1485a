/* SPDX-License-Identifier: MIT
 *
 * Files that `memwhy run` is told about, looked at before anything is started.
 */
#pragma once

#include "base/status.h"

#include <stdbool.h>

/* Whether Python could run [path]: source, a .pyc, a zip file, or a directory with a
 * __main__; what is no regular file (a pipe, say) is not opened and passes.  Whether the
 * source compiles is Python's business. */
mw_status mw_program_file_check(const char *path, mw_error *reterr) MW_MUST_CHECK;

/* Makes [path] absolute in [ret_absolute] (PATH_MAX bytes) and sees whether a file can
 * be written there, or beside it for renaming; nothing is left behind. */
mw_status mw_output_file_check(const char *path, char *ret_absolute, mw_error *reterr)
    MW_MUST_CHECK;

/* Whether the (absolute) [path] is written aside and renamed; else it is a device, a pipe or
 * a stream of this process, and is written to as it is. */
bool mw_output_file_is_renamed(const char *path);
