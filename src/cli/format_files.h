/* SPDX-License-Identifier: MIT
 *
 * The file formats that a command was asked for: `--pprof FILE` and its like, one for each
 * row of the list of renderers.  "-" is standard output.
 */
#pragma once

#include "cli/command.h"
#include "render/renderer.h"

enum { MW_FORMAT_FILE_MAXIMUM = 16 };

typedef struct mw_format_files {
    struct {
        const mw_renderer *renderer;
        const char *path; /* borrowed */
    } items[MW_FORMAT_FILE_MAXIMUM];
    size_t count;
} mw_format_files;

/* "--pprof" → whether there is such a format. */
bool mw_format_has_option(const char *name);
/* False: it was given before. */
bool mw_format_files_take(mw_format_files *files, const char *name, const char *path);
/* Whether one of them is asked for, and which. */
bool mw_format_files_have(const mw_format_files *files, const char *format);

/* Refuses a file that is one of the [inputs] (ends with NULL), and two that are one. */
mw_status mw_format_files_check(const mw_format_files *files, const char *const *inputs,
                                mw_error *reterr) MW_MUST_CHECK;

/* Refuses to write what [option] asks for to [path] if the first [count] have one that goes
 * there. */
mw_status mw_format_files_spare(const mw_format_files *files, size_t count, const char *option,
                                const char *path, mw_error *reterr) MW_MUST_CHECK;

/* Writes all of them; each is there whole or not at all. */
mw_status mw_format_files_write(const mw_format_files *files, const mw_view *view, mw_alloc *alloc,
                                mw_error *reterr) MW_MUST_CHECK;

/* Prints a line for each format, for the help of commands. */
void mw_format_files_help(void);
