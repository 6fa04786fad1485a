/* SPDX-License-Identifier: MIT
 *
 * The text of a source line.  Renderers ask through this interface, so that tests (and
 * captures read on another machine) can answer from elsewhere than the disk.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum { MW_SOURCE_LINE_BYTES = 1024 };

typedef struct mw_source mw_source;

struct mw_source {
    /* Writes the line without the blanks around it, NUL-terminated, cut if it is very
     * long; "" where there is none. */
    void (*line)(mw_source *self, const char *file, int32_t line,
                 char ret_text[MW_SOURCE_LINE_BYTES]);
};

/* Reads regular files from the disk, relative names from [directory] (borrowed). */
typedef struct mw_disk_source {
    mw_source source;
    const char *directory;
} mw_disk_source;

void mw_disk_source_init(mw_disk_source *source, const char *directory);
