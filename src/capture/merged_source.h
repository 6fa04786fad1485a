/* SPDX-License-Identifier: MIT
 *
 * Lines of source out of several captures, until they are written to one.  Of a line that
 * they disagree about the first text stays.
 */
#pragma once

#include "capture/bytes.h"
#include "capture/capture.h"
#include "core/snapshot_tables.h"

typedef struct mw_merged_line {
    mw_string file; /* of the tables                  */
    int32_t line;
    uint32_t length;
    size_t offset; /* into texts                     */
} mw_merged_line;

typedef struct mw_merged_source {
    mw_alloc *alloc;                  /* borrowed                                */
    const mw_snapshot_tables *tables; /* borrowed; of what has been merged       */
    mw_merged_line *lines;            /* owned                                   */
    uint32_t count, capacity;
    mw_hash_index index; /* by name and line; item is the place plus one */
    mw_bytes texts;
    uint32_t seen_frames; /* of the tables: those whose lines were looked for */
} mw_merged_source;

void mw_merged_source_init(mw_merged_source *source, const mw_snapshot_tables *tables,
                           mw_alloc *alloc);
void mw_merged_source_done(mw_merged_source *source); /* accepts a zeroed struct */

/* Looks in [capture] for the lines of all frames that have come since the last time. */
mw_status mw_merged_source_gather(mw_merged_source *source, const mw_capture *capture)
    MW_MUST_CHECK;

/* As mw_capture_options wants it; [context] is the source. */
bool mw_merged_source_line(void *context, const char *file, int32_t line, const char **ret_text,
                           size_t *ret_length);
