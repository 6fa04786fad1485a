/* SPDX-License-Identifier: MIT
 *
 * CPython 3.13.  The current frame hangs on the thread itself; `instr_ptr` is the
 * instruction that runs; what a frame executes may be something other than code (None,
 * in frames on the C stack).
 */
#pragma once

static inline PyThreadState *mw_frames_thread_of_gil(void)
{
    return mw_thread_state(PyThreadState_GetUnchecked);
}

static inline mw_py_frame *mw_frames_innermost(const PyThreadState *thread)
{
    return thread->current_frame;
}

static inline mw_py_frame *mw_frames_caller(const mw_py_frame *frame)
{
    return frame->previous;
}

static inline uintptr_t mw_frames_address(const mw_py_frame *frame)
{
    return (uintptr_t)frame->instr_ptr;
}

static inline PyCodeObject *mw_frames_code(const mw_py_frame *frame)
{
    if (frame->owner == FRAME_OWNED_BY_CSTACK || !PyCode_Check(frame->f_executable))
        return NULL;
    return (PyCodeObject *)frame->f_executable;
}

/* The frame that is pushed below an __init__ which is called with its class runs code of the
 * interpreter's own: it has no function, and its globals are never written. */
static inline PyObject *mw_frames_globals(const mw_py_frame *frame)
{
    return frame->f_funcobj != Py_None ? frame->f_globals : NULL;
}

static inline bool mw_frames_is_generator(const mw_py_frame *frame)
{
    return frame->owner == FRAME_OWNED_BY_GENERATOR;
}

/* In a frame on the C stack the field is never written. */
static inline const PyFrameObject *mw_frames_object(const mw_py_frame *frame)
{
    return frame->owner != FRAME_OWNED_BY_CSTACK ? frame->frame_obj : NULL;
}

#define MW_FRAMES_LOCALS_MARKS 1

/* Whether sys.monitoring may have put its own instructions in the place of any other. */
static inline bool mw_frames_code_is_instrumented(const PyCodeObject *code)
{
    const _PyCoMonitoringData *monitoring = code->_co_monitoring;

    return monitoring != NULL &&
           (monitoring->lines != NULL || monitoring->per_instruction_opcodes != NULL);
}

#include "pyext/frame_marks_stacktop.h"
