/* SPDX-License-Identifier: MIT
 *
 * A capture that is being written while its process runs: what the thread that looks at the
 * process (src/pyext/recorder.c) does between two looks.  It makes the file when there is
 * something to write, names epochs before the snapshots that have them, and finds out which
 * children have captures of their own.  What cannot be written is counted, and tried again
 * with the next look; nothing of that is the program's business.
 *
 * Knows no interpreter; one thread at a time, whose allocations nobody records.
 */
#pragma once

#include "capture/capture_writer.h"

#include <sys/types.h>

enum { MW_RECORDING_CHILDREN = 4096 }; /* that are waited for; more are not told of */

/* A process that was started and may come to have a capture. */
typedef struct mw_awaited_child {
    uint64_t time_ns;
    pid_t pid;
} mw_awaited_child;

typedef struct mw_recording {
    mw_alloc *alloc;            /* borrowed                                             */
    const char *path;           /* borrowed                                             */
    const char *children_path;  /* borrowed; from which children's names are made       */
    const mw_program *program;  /* borrowed                                             */
    mw_capture_options options; /* context borrowed                                     */
    mw_capture_writer *writer;  /* owned; NULL until the file is made                   */
    uint64_t *epoch_starts_ns;  /* owned; of epochs that the capture does not know yet  */
    uint32_t epoch_count;       /* of these                                             */
    uint32_t epoch_capacity;
    uint32_t named_epochs;      /* that it knows, but for epoch 0                       */
    mw_awaited_child *children; /* owned                                           */
    uint32_t child_count;
    uint32_t child_capacity;
    uint64_t peak_bytes; /* of the peak that was written last                     */
    uint32_t snapshots;  /* written                                                */
    uint32_t failures;   /* looks that could not be written                        */
    uint32_t heaps;      /* written                                                */
} mw_recording;

/* What is seen of a process at one time. */
typedef struct mw_look {
    const mw_snapshot *snapshot; /* NULL: a point alone                                  */
    mw_point point;
    const mw_snapshot *peak; /* NULL: none, or the same as before                   */
    mw_point peak_point;
} mw_look;

/* All is borrowed but [options]' struct.  Nothing is made yet. */
void mw_recording_init(mw_recording *recording, mw_alloc *alloc, const char *path,
                       const mw_program *program, const mw_capture_options *options);
/* Closes the capture as it is, without saying that the process has ended. */
void mw_recording_done(mw_recording *recording);

/* Makes the file, if that has not been done. */
mw_status mw_recording_open(mw_recording *recording, mw_error *reterr) MW_MUST_CHECK;
/* The next epoch began at [start_ns]; it is named with the next snapshot. */
mw_status mw_recording_epoch(mw_recording *recording, uint64_t start_ns) MW_MUST_CHECK;
mw_status mw_recording_look(mw_recording *recording, const mw_look *look, mw_error *reterr)
    MW_MUST_CHECK;
/* A record of a heap, of which the last one ends it; what fails drops all of it, and so does
 * mw_recording_drop_heap. */
mw_status mw_recording_heap(mw_recording *recording, mw_record_type type, const mw_bytes *payload,
                            mw_error *reterr) MW_MUST_CHECK;
void mw_recording_drop_heap(mw_recording *recording);
/* A process was started; it is told of once it has a capture.  Without memory, it is not. */
void mw_recording_await_child(mw_recording *recording, pid_t pid, uint64_t time_ns);
/* The process ends with [exit_status]; closes the capture. */
mw_status mw_recording_finish(mw_recording *recording, int exit_status, mw_error *reterr)
    MW_MUST_CHECK;

/* The name of the capture of the process [pid], which is a child of the one that is captured
 * in [path]: x.memwhy becomes x.123.memwhy.  False if it does not fit. */
bool mw_recording_child_path(const char *path, pid_t pid, char *ret_path, size_t capacity);
