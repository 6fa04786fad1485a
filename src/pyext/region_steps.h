/* SPDX-License-Identifier: MIT
 *
 * The regions of a frame as steps of a path, in the tables of either lane: from the path of
 * the frame's caller to the one that the frame itself is called from (regions.h).
 */
#pragma once

#include "pyext/regions.h"
#include "tracer/tracer.h"

/* In the main tables, of which each name's instruction is remembered.  The GIL is held. */
mw_status mw_region_steps_take(mw_tracer *tracer, const mw_py_frame *frame, mw_path *path)
    MW_MUST_CHECK;
/* In a raw lane's, whose lock is held. */
mw_status mw_region_steps_take_raw(mw_raw_lane *lane, const mw_py_frame *frame, mw_path *path)
    MW_MUST_CHECK;

/* The main tables begin anew. */
void mw_region_steps_begin(void);

/* How many of [count] frames, of which [outermost] is the last in memory, call one another
 * with no region between them, as far as that is known at once. */
static inline uint32_t mw_region_steps_none_in(mw_py_frame *const *outermost, uint32_t count)
{
    if (!mw_regions_are_in_force())
        return count;
    for (uint32_t index = 1; index < count; index++)
        if (mw_regions_may_be_of(outermost[-(int64_t)index]))
            return index;
    return count;
}
