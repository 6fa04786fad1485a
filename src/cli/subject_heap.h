/* SPDX-License-Identifier: MIT
 *
 * The heap that a command is about: one of those that a capture holds, with what was found
 * out about it.
 */
#pragma once

#include "capture/capture.h"
#include "heap/captured_heap.h"
#include "heap/heap_study.h"
#include "heap/heap_writer.h"
#include "render/places.h"

typedef struct mw_subject_heap {
    const char *path; /* borrowed */
    mw_capture *capture;
    mw_places places;
    mw_captured_heap heap;
    mw_heap_study study;
    uint32_t number;   /* of the heap, from 1                                     */
    uint32_t count;    /* heaps that the capture holds                            */
    char moment[60];   /* "after 2m03s", "after 2m03s (2 of 3)"                   */
    char program[300]; /* "app.py, Python 3.11.2, process 4711."; may be ""       */
} mw_subject_heap;

/* Opens the capture and analyses heap [number] of it, from 1, or the last if that is 0; a
 * terminal is told that it takes a while.  It stays where it is.  MW_BAD_INPUT, with a
 * sentence that says how to get one, if the capture holds no heap. */
mw_status mw_subject_heap_open(mw_subject_heap *subject, const char *path, uint32_t number,
                               mw_alloc *alloc, mw_error *reterr) MW_MUST_CHECK;
void mw_subject_heap_close(mw_subject_heap *subject); /* accepts a zeroed struct */

/* How standard output is to look. */
mw_heap_look mw_subject_heap_look(const mw_subject_heap *subject);
