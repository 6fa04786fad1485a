/* SPDX-License-Identifier: MIT
 *
 * Lines of source files, for a capture: each file is read once and kept while a snapshot is
 * written, so that thousands of lines cost one look at each file.  Regular files alone, and
 * bounded: a file of more than 4 MiB is left out, and what is kept is forgotten when it comes
 * to 32 MiB.
 *
 * One thread at a time; calls no Python.
 */
#pragma once

#include "base/alloc.h"

#include <stdbool.h>

enum {
    MW_SOURCE_FILE_BYTES = 4 << 20,
    MW_SOURCE_FILES_BYTES = 32 << 20,
    MW_SOURCE_LINE_MAXIMUM = 1024, /* bytes of a line; longer ones are cut */
};

typedef struct mw_source_file mw_source_file;

typedef struct mw_source_files {
    mw_alloc *alloc;        /* borrowed                                              */
    const char *directory;  /* borrowed; where relative names begin                  */
    mw_source_file **files; /* owned; those that were asked for, in no order         */
    uint32_t count;
    uint32_t capacity;
    size_t used_bytes; /* of all texts                                          */
    size_t line_bytes;
    char line[MW_SOURCE_LINE_MAXIMUM]; /* the last that was asked for             */
} mw_source_files;

void mw_source_files_init(mw_source_files *files, mw_alloc *alloc, const char *directory);
/* Forgets all; more may be asked afterwards. */
void mw_source_files_done(mw_source_files *files);

/* Line [line], from 1 on, of the file [name]: without its end, valid UTF-8 (else it is taken for
 * Latin-1), until the next call.  False where there is no such file or line. */
bool mw_source_files_line(mw_source_files *files, const char *name, int32_t line,
                          const char **ret_text, size_t *ret_length);
