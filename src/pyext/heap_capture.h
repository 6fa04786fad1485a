/* SPDX-License-Identifier: MIT
 *
 * A heap on its way into a capture: a forked child walks it and hands on records, which whoever
 * has forked it puts into the file, without the GIL.
 */
#pragma once

#include "pyext/heap_child.h"
#include "pyext/heap_dump.h"

#include "capture/bytes.h"

/* Takes one record of the heap. */
typedef mw_status mw_heap_append(void *context, mw_record_type type, const mw_bytes *payload,
                                 mw_error *reterr);

typedef struct mw_heap_capture {
    mw_heap_dump_options options; /* the child has a copy                              */
    mw_heap_child child;
    mw_bytes payload;      /* of the record that comes                                */
    size_t memory_limit;   /* of the child                                            */
    uint64_t deadline_ns;  /* on CLOCK_MONOTONIC                                      */
    uint64_t fork_ns;      /* when it was forked, likewise                            */
    uint64_t memory_bytes; /* that the walk took beside the heap; known in the end    */
} mw_heap_capture;

enum { MW_HEAP_CAPTURE_SECONDS = 300 };

/* Forks; the GIL is held.  The child ends with the calling thread at the latest.  [memory_limit] 0:
 * what the system has left.  MW_UNSUPPORTED, with a sentence, if the system refuses. */
mw_status mw_heap_capture_fork(mw_heap_capture *ret_capture, const mw_heap_dump_options *options,
                               size_t memory_limit, double timeout_seconds, mw_error *reterr)
    MW_MUST_CHECK;

/* Hands the records that come within [patience_ms] to [append]; [ret_is_done] says whether the heap
 * is complete.  Whatever it returns but MW_OK ends the matter: what has been appended is to be
 * dropped.  MW_BAD_INPUT: look at signals and call again. */
mw_status mw_heap_capture_take(mw_heap_capture *capture, int patience_ms, mw_heap_append *append,
                               void *context, bool *ret_is_done, mw_error *reterr) MW_MUST_CHECK;

/* Ends the child, whatever it does. */
void mw_heap_capture_done(mw_heap_capture *capture);
