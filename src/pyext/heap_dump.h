/* SPDX-License-Identifier: MIT
 *
 * The walk for captures: every object of the calling interpreter is written down as it is met,
 * with no table of all objects.  First each is marked, by one bit for each 16 bytes of memory
 * (graph/mark_map.h), and so numbered in the order of addresses; then each is looked at again and
 * written.  What the walk in heap_walk.h says of Python and of memory holds here, too.
 */
#pragma once

#include "capture/heap_encoder.h"

typedef struct mw_heap_dump_options {
    uint64_t time_ns;  /* since the capture began                    */
    uint64_t pause_ns; /* for which the process stood still, if known */
    bool hides_texts;  /* leaves out what str and int objects say    */
} mw_heap_dump_options;

/* Walks, and hands what is to be written to [emit].  [ret_memory], if not NULL, is what the walk
 * took beside the heap. */
mw_status mw_heap_dump(const mw_heap_dump_options *options, mw_heap_emit *emit, void *context,
                       mw_alloc *alloc, size_t *ret_memory) MW_MUST_CHECK;
