/* SPDX-License-Identifier: MIT
 *
 * CPython 3.11.  The current frame hangs on a C frame of the thread; there are no frames
 * between C and Python.  `prev_instr` is the instruction that runs (or the unit before
 * the first one).  The attached thread state is one global: it belongs to whoever holds
 * the GIL, so who may not hold it must ask further (py_attached_thread_state).
 */
#pragma once

static inline PyThreadState *mw_frames_thread_of_gil(void)
{
    return _PyThreadState_GET();
}

static inline mw_py_frame *mw_frames_innermost(const PyThreadState *thread)
{
    return thread->cframe->current_frame;
}

static inline mw_py_frame *mw_frames_caller(const mw_py_frame *frame)
{
    return frame->previous;
}

static inline uintptr_t mw_frames_address(const mw_py_frame *frame)
{
    return (uintptr_t)frame->prev_instr;
}

static inline PyCodeObject *mw_frames_code(const mw_py_frame *frame)
{
    return frame->f_code;
}

static inline PyObject *mw_frames_globals(const mw_py_frame *frame)
{
    return frame->f_globals;
}

static inline bool mw_frames_is_generator(const mw_py_frame *frame)
{
    return frame->owner == FRAME_OWNED_BY_GENERATOR;
}

static inline const PyFrameObject *mw_frames_object(const mw_py_frame *frame)
{
    return frame->frame_obj;
}

#define MW_FRAMES_LOCALS_MARKS 1
/* What stands in `f_locals` is handed out by locals() and the like. */
#define MW_FRAMES_LOCALS_BECOME_DICT 1

static inline bool mw_frames_code_is_instrumented(const PyCodeObject *code)
{
    (void)code;
    return false;
}

#include "pyext/frame_marks_stacktop.h"
