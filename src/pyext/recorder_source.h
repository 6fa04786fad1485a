/* SPDX-License-Identifier: MIT
 *
 * The text of source lines for a capture: from the files, and where there is none, from what
 * linecache was told (notebooks and doctests put their cells there).
 */
#pragma once

#include "tracer/source_files.h"

typedef struct mw_recorder_source {
    mw_source_files files;
    char line[MW_SOURCE_LINE_MAXIMUM]; /* out of linecache */
} mw_recorder_source;

/* The `source_line` of mw_capture_options, whose context is an mw_recorder_source.  Without the
 * GIL, which it takes where there is no file. */
bool mw_recorder_source_line(void *context, const char *file, int32_t line, const char **ret_text,
                             size_t *ret_length);
