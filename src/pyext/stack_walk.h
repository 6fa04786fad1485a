/* SPDX-License-Identifier: MIT
 *
 * The calling thread's stack → a call path: the checked walk.
 *
 * The walk remembers the frames of the last stack it saw, outermost first, each with the
 * instruction it ran and the path up to it.  The next walk goes outward from the caller
 * of the innermost frame until it meets a remembered frame, and from there checks every
 * link and every instruction outward against what it remembers.  Only what differs is
 * looked up again.  It is exact: nothing is taken over that has not been compared, so a
 * frame that was popped and pushed again at the same address deceives nobody.
 *
 * Comparing costs about a nanosecond a frame, since the remembered pointers let the
 * processor load all frames at once rather than follow the chain.
 *
 * Guarded by the GIL.
 */
#pragma once

#include "pyext/frames.h"
#include "tracer/tracer.h"

/* The path of the caller of [frame], the innermost frame of [thread]; the thread's own
 * root where there is none. */
mw_status mw_stack_walk_caller(mw_tracer *tracer, const PyThreadState *thread,
                               const mw_py_frame *frame, mw_path *ret_path) MW_MUST_CHECK;

/* The path of [frame] called from [caller]. */
mw_status mw_stack_walk_step(mw_tracer *tracer, mw_path caller, const mw_py_frame *frame,
                             mw_path *ret_path) MW_MUST_CHECK;

/* The whole path of the stack of [thread]. */
mw_status mw_stack_walk(mw_tracer *tracer, const PyThreadState *thread, mw_path *ret_path)
    MW_MUST_CHECK;

/* The whole stack of the calling thread in the raw lane's tables, whose lock is held. */
mw_status mw_stack_walk_raw(mw_raw_lane *lane, const PyThreadState *thread, mw_path *ret_path)
    MW_MUST_CHECK;

/* Forgets the remembered stack: paths or instructions have lost their meaning. */
void mw_stack_walk_reset(void);

size_t mw_stack_walk_memory_bytes(void);
