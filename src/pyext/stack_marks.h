/* SPDX-License-Identifier: MIT
 *
 * The marks in force, and how they are read and left in frames.  stack_walk.h says what they
 * are for; frame_marks_*.h where they stand, and why they can be trusted.
 *
 * Guarded by the GIL.
 */
#pragma once

#include "pyext/frames.h"
#include "pyext/known_steps.h"
#include "tracer/tracer.h"

typedef struct mw_stack_marks {
    mw_mark_origin origin;    /* of marks in force                                       */
    uint32_t path_limit;      /* paths from here on go unmarked; 0 while marks are off   */
    uint32_t until_check;     /* looks until one is compared with a plain walk           */
    uint32_t looks_per_check; /* 4096, but in tests                                      */
    uint64_t checks;          /* comparisons since the process began                     */
    uint64_t mismatches;      /* of them; the first switches marks off                   */
} mw_stack_marks;

extern mw_stack_marks mw_the_stack_marks __attribute__((visibility("hidden")));

static inline bool mw_stack_marks_in_force(void)
{
    return mw_the_stack_marks.path_limit != 0;
}

/* The path that [mark] names, if it is one of ours and of the tables in force. */
static inline bool mw_stack_marks_path_of(const mw_tracer *tracer, uint64_t mark,
                                          mw_path *ret_caller)
{
    /* An older value wraps around and is out of range too. */
    return mw_frames_mark_is_of(mark, mw_the_stack_marks.origin, &ret_caller->index) &&
           ret_caller->index < tracer->paths.count;
}

/* The path of the caller of [frame], if a mark says so. */
static inline bool mw_stack_marks_read(const mw_tracer *tracer, const mw_py_frame *frame,
                                       mw_path *ret_caller)
{
    return mw_stack_marks_path_of(tracer, mw_frames_read_mark(frame), ret_caller);
}

static inline bool mw_stack_marks_read_lasting(const mw_tracer *tracer, const mw_py_frame *frame,
                                               mw_path *ret_caller)
{
    return mw_stack_marks_path_of(tracer, mw_frames_read_lasting(frame), ret_caller);
}

/* Either of a frame's two marks. */
static inline bool mw_stack_marks_read_any(const mw_tracer *tracer, const mw_py_frame *frame,
                                           mw_path *ret_caller)
{
    return mw_frames_may_be_marked(frame) &&
           (mw_stack_marks_read(tracer, frame, ret_caller) ||
            mw_stack_marks_read_lasting(tracer, frame, ret_caller));
}

/* Whether what is known of [caller] may be left in frames of [thread] now.  A trace
 * function may let the frame that it was called from jump: the one case in which a caller
 * moves while its callee lives.  So nothing is left while one runs. */
static inline bool mw_stack_marks_may_write(const PyThreadState *thread, mw_path caller)
{
    return thread->tracing == 0 && caller.index < mw_the_stack_marks.path_limit;
}

static inline uint64_t mw_stack_marks_mark_for(mw_path caller)
{
    return mw_frames_mark_of(mw_the_stack_marks.origin, caller.index);
}

/* Whether it is a generator's frame before its RESUME, where an instruction counts that is
 * passed over in a function's: what the cache of sites could not tell apart, which is asked
 * wherever there is a mark. */
static inline bool mw_stack_marks_is_strange(const mw_py_frame *frame)
{
    const PyCodeObject *code;

    if (__builtin_expect(!mw_frames_is_generator(frame), 1))
        return false;
    code = mw_frames_code(frame);
    return code != NULL && mw_frames_is_before_resume(frame, code);
}

static inline void mw_stack_marks_write_innermost(const PyThreadState *thread, mw_py_frame *frame,
                                                  mw_path caller)
{
    if (mw_stack_marks_may_write(thread, caller) && mw_frames_can_carry(frame) &&
        !mw_stack_marks_is_strange(frame))
        mw_frames_write_mark(frame, mw_stack_marks_mark_for(caller));
}

/* What became of a frame that waits for a call to return. */
typedef enum mw_outer_mark {
    MW_OUTER_UNMARKABLE, /* to be compared in a row                                */
    MW_OUTER_PASSED,     /* could carry a mark and was not given one: mw_stack_marks_is_due */
    MW_OUTER_MARKED,
} mw_outer_mark;

/* Whether the frame [distance] away from the innermost of a walk is given a lasting mark.
 * Each costs an object, and most of a deep stack returns without ever being looked at
 * again.  At these distances a walk that begins where n frames have returned meets a mark
 * before it has passed n more. */
static inline bool mw_stack_marks_is_due(uint32_t distance)
{
    return (distance & (distance - 1)) == 0;
}

/* A generator's mark would be lost when it is resumed, before it is read twice: such
 * frames are compared in a row. */
static inline mw_outer_mark mw_stack_marks_write_outer(const PyThreadState *thread,
                                                       mw_py_frame *frame, mw_path caller,
                                                       uint32_t suits, uint32_t distance)
{
    if (mw_frames_is_generator(frame) || !mw_stack_marks_may_write(thread, caller))
        return MW_OUTER_UNMARKABLE;
    if (mw_frames_can_carry(frame)) {
        mw_frames_write_mark(frame, mw_stack_marks_mark_for(caller));
        return MW_OUTER_MARKED;
    }
    if ((suits & MW_KNOWN_SUITS) == 0)
        return MW_OUTER_UNMARKABLE;
    if (!mw_stack_marks_is_due(distance))
        return MW_OUTER_PASSED;
    return mw_locals_mark_write(frame, mw_stack_marks_mark_for(caller)) ? MW_OUTER_MARKED
                                                                        : MW_OUTER_UNMARKABLE;
}
