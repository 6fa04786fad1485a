/* SPDX-License-Identifier: MIT */
#include "pyext/short_walk.h"

#include "pyext/known_steps.h"
#include "pyext/regions.h"
#include "pyext/stack_marks.h"

enum { SHORT_WAY_FRAMES = 6 };

/* Some frames that have no mark, and the one that has, innermost first. */
typedef struct short_way {
    mw_py_frame *frames[SHORT_WAY_FRAMES];
    mw_path callers[SHORT_WAY_FRAMES];
    uint32_t count;
} short_way;

/* Collects the frames from [frame] outward to one that is marked; false if it is too far. */
static inline bool collect_short_way(const mw_tracer *tracer, mw_py_frame *frame, short_way *way)
{
    for (way->count = 0; frame != NULL && way->count < SHORT_WAY_FRAMES; way->count++) {
        way->frames[way->count] = frame;
        if (mw_stack_marks_read_any(tracer, frame, &way->callers[way->count]))
            return true;
        frame = mw_frames_caller(frame);
    }
    return false;
}

/* Whether a frame that has no mark need not be remembered in the row: one that can have a mark,
 * if [suits] is that of its code, and one of the interpreter's own. */
static inline bool needs_no_row(const mw_py_frame *frame, uint32_t suits)
{
    if ((suits & MW_KNOWN_SUITS) != 0)
        return !mw_frames_is_generator(frame);
    return !mw_frames_is_generator(frame) &&
           (mw_frames_can_carry(frame) || mw_frames_code(frame) == NULL);
}

/* More than two frames, or less than one. */
static __attribute__((noinline)) bool take_longer_way(const mw_tracer *tracer,
                                                      const PyThreadState *thread,
                                                      mw_py_frame *frame, mw_path *ret_path)
{
    uint32_t suits[SHORT_WAY_FRAMES];
    short_way way;
    mw_path path;

    if (!collect_short_way(tracer, frame, &way))
        return false;
    path = way.callers[way.count];
    for (int64_t index = way.count; index >= 0; index--) {
        const mw_known_step *step = mw_known_steps_find(way.frames[index], path);

        if (step == NULL || (index < way.count && !needs_no_row(way.frames[index], step->path)))
            return false;
        way.callers[index] = path;
        suits[index] = step->path;
        path = mw_known_step_path(step);
    }
    for (uint32_t index = 0; index < way.count; index++)
        (void)mw_stack_marks_write_outer(thread, way.frames[index], way.callers[index],
                                         suits[index], index);
    *ret_path = path;
    return true;
}

bool mw_short_walk(const mw_tracer *tracer, const PyThreadState *thread, mw_py_frame *frame,
                   mw_path *ret_path)
{
    mw_py_frame *next;
    const mw_known_step *outer;
    const mw_known_step *inner;
    mw_path path;

    if (mw_regions_are_in_force() || thread->tracing != 0 || !mw_known_steps_are_of(tracer) ||
        frame == NULL)
        return false;
    if (mw_stack_marks_read_any(tracer, frame, &path)) {
        inner = mw_known_steps_find(frame, path);
        if (inner != NULL)
            *ret_path = mw_known_step_path(inner);
        return inner != NULL;
    }
    next = mw_frames_caller(frame);
    if (next == NULL || !mw_stack_marks_read_any(tracer, next, &path))
        return take_longer_way(tracer, thread, frame, ret_path);
    outer = mw_known_steps_find(next, path);
    if (outer == NULL)
        return false;
    path = mw_known_step_path(outer);
    inner = mw_known_steps_find(frame, path);
    if (inner == NULL || !needs_no_row(frame, inner->path))
        return false;
    (void)mw_stack_marks_write_outer(thread, frame, path, inner->path, 0);
    *ret_path = mw_known_step_path(inner);
    return true;
}
