/* SPDX-License-Identifier: MIT
 *
 * The view of a heap that a capture holds: what the process itself would have answered, without
 * the process.
 */
#pragma once

#include "capture/capture.h"
#include "capture/heap_image.h"
#include "heap/heap_view.h"

typedef struct mw_captured_heap {
    mw_heap_view view; /* first */
    mw_heap_image image;
} mw_captured_heap;

/* Reads heap [number] of those that the capture has (mw_capture_heap_count); the struct may not be
 * moved afterwards.  Fails as mw_capture_heap does. */
mw_status mw_captured_heap_init(mw_captured_heap *ret_heap, mw_capture *capture, uint32_t number,
                                mw_alloc *alloc, mw_error *reterr) MW_MUST_CHECK;
void mw_captured_heap_done(mw_captured_heap *heap); /* accepts a zeroed struct */

/* For who has read the image himself: takes it, whatever comes of it. */
void mw_captured_heap_of(mw_captured_heap *ret_heap, mw_heap_image *image);

/* How [node] calls what its reference [place] refers to; `write_edge` looks for the place first. */
void mw_captured_heap_write_reference(const mw_captured_heap *heap, uint32_t node, uint32_t place,
                                      mw_sink *sink);
