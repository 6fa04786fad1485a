/* SPDX-License-Identifier: MIT
 *
 * A capture as a file that is being read: one record at a time, checked and decompressed,
 * in buffers that the next one takes over.  The file may grow, be shortened or be damaged
 * meanwhile; then what is read is refused, and nothing worse happens, which a mapping could
 * not promise.
 */
#pragma once

#include "capture/capture_record.h"

#include <stdint.h>

/* A record, and where it is. */
typedef struct mw_located_record {
    mw_capture_record record;
    uint64_t offset;
} mw_located_record;

typedef struct mw_capture_file {
    mw_alloc *alloc; /* borrowed                                        */
    int descriptor;  /* owned; -1: none                                 */
    uint64_t size;   /* when it was opened: what comes later is not read */
    char name[128];  /* for sentences; a long one is cut at its beginning */
    mw_bytes stored; /* the record as it is in the file                 */
    mw_bytes payload;
    void *decompressor; /* owned; ZSTD_DCtx, once there is need of one */
} mw_capture_file;

/* Opens the file at [path] and reads its header; MW_IO or MW_BAD_INPUT with a sentence. */
mw_status mw_capture_file_open(mw_capture_file *file, const char *path, mw_alloc *alloc,
                               mw_error *reterr) MW_MUST_CHECK;
void mw_capture_file_done(mw_capture_file *file); /* accepts a zeroed struct */

typedef enum mw_record_state {
    MW_RECORD_WHOLE,
    MW_RECORD_NONE,    /* the file ends here                                   */
    MW_RECORD_TORN,    /* it began, and the writer did not come to its end     */
    MW_RECORD_DAMAGED, /* more follows, so it was whole once                   */
} mw_record_state;

/* Reads the record at [offset]; its payload, decompressed, stays until the next is read.  A
 * compressed payload that does not come out as its header says is MW_RECORD_DAMAGED. */
mw_status mw_capture_file_read(mw_capture_file *file, uint64_t offset, mw_record_state *ret_state,
                               mw_located_record *ret_located, mw_cursor *ret_payload,
                               mw_error *reterr) MW_MUST_CHECK;

/* Reads again what was whole before; false if it is not there any more. */
bool mw_capture_file_reread(mw_capture_file *file, const mw_located_record *located,
                            mw_cursor *ret_payload);
