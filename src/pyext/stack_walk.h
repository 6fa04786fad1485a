/* SPDX-License-Identifier: MIT
 *
 * The calling thread's stack → a call path.
 *
 * Marks.  Once the path of a frame's caller is known, its number is left in the frame
 * itself, in a place that the interpreter overwrites whenever the frame's activation ends
 * or its callers may have moved on (frame_marks_*.h says where, and why that is so).  The
 * next allocation under the same frame finds it: exact, in one load, however deep the
 * stack.  No value is ever written twice in a process: after a stop or a clear the values
 * go on where they were, so a mark that was left in a stack out of sight (a parked
 * greenlet's) means nothing any more; and when all have been used, marks stay off.
 *
 * From 3.11 to 3.13 the mark that is read first is lost with every call of a Python
 * function.  Frames that wait for such a call are given a second one, which lasts, once an
 * allocation further in has asked for their paths: those nearest to it, and the fewer the
 * farther.
 *
 * The walk, where there is no mark, goes outward to the first frame that has one, and
 * back inward.  Each step inward, (caller's path, instruction) → path, is a fact that
 * never changes while the code lives: a small table remembers the latest, and what is not
 * there is looked up, all of a stack at once.  Frames that cannot carry a mark (those of
 * generators and of modules; all of them while marks are off) are remembered in a row,
 * with their instructions: the next walk meets the row somewhere and from there checks
 * every link and every instruction outward, at about a nanosecond a frame.  Nothing is
 * taken over that has not been compared, so a frame that was popped and pushed again at
 * the same address deceives nobody.
 *
 * A region that a frame has entered (regions.h) is a step between the frame and its caller:
 * "the path of the caller of a frame" is meant with it, in marks too.
 *
 * The first 512 looks of a process, and then one in 4096, whatever way they took, are
 * compared with a plain walk that remembers nothing; should the two ever differ, marks are
 * switched off for good.
 *
 * Guarded by the GIL.
 */
#pragma once

#include "pyext/frames.h"
#include "pyext/stack_marks.h"
#include "tracer/tracer.h"

/* Deeper stacks than this are recorded as if they began here. */
enum { MW_STACK_DEPTH_MAXIMUM = 1 << 24 };

/* The path of the caller of [frame], if its mark says it and need not be compared now. */
static inline bool mw_stack_walk_caller_at_once(const mw_tracer *tracer, const mw_py_frame *frame,
                                                mw_path *ret_path)
{
    if (__builtin_expect(!mw_stack_marks_read(tracer, frame, ret_path), 0))
        return false;
    if (__builtin_expect(--mw_the_stack_marks.until_check != 0, 1))
        return true;
    /* The look is not taken: mw_stack_walk_caller will count it, and compare. */
    mw_the_stack_marks.until_check = 1;
    return false;
}

/* What mw_stack_walk_caller does when there is no mark, or one is to be compared. */
mw_status mw_stack_walk_caller_slowly(mw_tracer *tracer, const PyThreadState *thread,
                                      mw_py_frame *frame, mw_path *ret_path) MW_MUST_CHECK;

/* The path of the caller of [frame], the innermost frame of [thread]; the thread's own
 * root where there is none. */
static inline mw_status mw_stack_walk_caller(mw_tracer *tracer, const PyThreadState *thread,
                                             mw_py_frame *frame, mw_path *ret_path)
{
    if (__builtin_expect(frame != NULL, 1) &&
        __builtin_expect(mw_stack_marks_read(tracer, frame, ret_path), 1) &&
        __builtin_expect(--mw_the_stack_marks.until_check != 0, 1))
        return MW_OK;
    return mw_stack_walk_caller_slowly(tracer, thread, frame, ret_path);
}

/* The path of [frame] called from [caller]. */
mw_status mw_stack_walk_step(mw_tracer *tracer, mw_path caller, const mw_py_frame *frame,
                             mw_path *ret_path) MW_MUST_CHECK;

/* The whole path of the stack of [thread]. */
mw_status mw_stack_walk(mw_tracer *tracer, const PyThreadState *thread, mw_path *ret_path)
    MW_MUST_CHECK;

/* The whole stack of the calling thread in the raw lane's tables, whose lock is held; the
 * root for want of memory, or if [thread] is NULL. */
mw_path mw_stack_walk_raw(mw_raw_lane *lane, const PyThreadState *thread);

/* The tables begin anew. */
void mw_stack_walk_begin(void);
/* The tables are about to go: voids every mark and every remembered frame. */
void mw_stack_walk_end(const mw_tracer *tracer);
/* What is remembered of frames that carry no mark may no longer be so. */
void mw_stack_walk_forget_row(void);
/* Nor what any mark says; not to be done often, since it uses up values. */
void mw_stack_walk_forget_all(const mw_tracer *tracer);
/* Switches marks off until the process ends. */
void mw_stack_walk_disable_marks(void);
/* Compares one look in [looks] from now on, at least 1. */
void mw_stack_walk_check_every(uint32_t looks);

size_t mw_stack_walk_memory_bytes(void);
