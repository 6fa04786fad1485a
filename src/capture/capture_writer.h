/* SPDX-License-Identifier: MIT
 *
 * Writing a capture, inside the traced process or out of it: snapshot by snapshot, each as
 * what differs from the one before, in one record with a checksum of its own.  Whatever
 * happens to the process or the disk, the records that were written before can be read.
 *
 * The writer holds no lock and touches no Python; whoever calls it has it for himself.  Its
 * memory comes from [alloc], and libzstd's from libc.
 */
#pragma once

#include "capture/bytes.h"
#include "capture/capture.h"
#include "capture/format.h"

#include <stdbool.h>

typedef struct mw_capture_writer mw_capture_writer;

typedef struct mw_capture_options {
    uint64_t keep_ns; /* older snapshots may be dropped from the file; 0: keep all */
    /* The text of a line of source, without its end; false where there is none.  Asked once
     * for each line that a recorded frame stands at.  May be NULL. */
    bool (*source_line)(void *context, const char *file, int32_t line, const char **ret_text,
                        size_t *ret_length);
    void *context;
} mw_capture_options;

/* Creates the file at [path] with its first record: written aside and renamed, so that there
 * is a whole capture or none.  MW_IO: the sentence says what the system refused. */
mw_status mw_capture_writer_new(const char *path, const mw_program *program,
                                const mw_capture_options *options, mw_alloc *alloc,
                                mw_capture_writer **ret_writer, mw_error *reterr) MW_MUST_CHECK;

/* Appends a point without a snapshot; points are gathered and written with the next snapshot
 * or child, or once there are many. */
mw_status mw_capture_writer_point(mw_capture_writer *writer, const mw_point *point,
                                  mw_error *reterr) MW_MUST_CHECK;

/* Appends a snapshot, seen at [point]; its number is given by the writer.  The epochs of its
 * sites are those that mw_capture_writer_epoch has named.  On failure the file is as it was
 * before, and the same snapshot or a later one may be tried again. */
mw_status mw_capture_writer_snapshot(mw_capture_writer *writer, const mw_snapshot *snapshot,
                                     const mw_point *point, mw_error *reterr) MW_MUST_CHECK;

/* Says that epoch [epoch] begins now; to be called before the first snapshot that has sites
 * of it. */
mw_status mw_capture_writer_epoch(mw_capture_writer *writer, uint32_t epoch, uint64_t start_ns,
                                  mw_error *reterr) MW_MUST_CHECK;

/* The snapshot when the most was alive; the last one counts. */
mw_status mw_capture_writer_peak(mw_capture_writer *writer, const mw_snapshot *snapshot,
                                 const mw_point *point, mw_error *reterr) MW_MUST_CHECK;

mw_status mw_capture_writer_child(mw_capture_writer *writer, const mw_child *child,
                                  mw_error *reterr) MW_MUST_CHECK;

/* ── heaps ───────────────────────────────────────────────────────────────────────── */

/* A heap is written record by record, with nothing else between: what mw_heap_encoder hands on.
 * Ended by a HEAP record, or by mw_capture_writer_drop_heap, which leaves the file as it was
 * before the heap; so does a failure.  [payload] is of a record of [type]. */
mw_status mw_capture_writer_heap(mw_capture_writer *writer, mw_record_type type,
                                 const mw_bytes *payload, mw_error *reterr) MW_MUST_CHECK;
void mw_capture_writer_drop_heap(mw_capture_writer *writer);

/* Says what a merged capture was made of. */
mw_status mw_capture_writer_input(mw_capture_writer *writer, const mw_capture_input *input,
                                  mw_error *reterr) MW_MUST_CHECK;

/* Says how the process ended, and closes the file. */
mw_status mw_capture_writer_finish(mw_capture_writer *writer, int exit_status, mw_error *reterr)
    MW_MUST_CHECK;

/* Closes the file as it is; in a forked child, without touching it.  Accepts NULL. */
void mw_capture_writer_free(mw_capture_writer *writer);
