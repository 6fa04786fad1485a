/* SPDX-License-Identifier: MIT
 *
 * CPython 3.12.  As 3.11, but each entry from C into the interpreter puts a frame on the
 * C stack (FRAME_OWNED_BY_CSTACK) that is none of Python's, and the attached thread state
 * is thread-local.
 */
#pragma once

static inline PyThreadState *mw_frames_thread_of_gil(void)
{
    return mw_thread_state(_PyThreadState_UncheckedGet);
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
    return frame->owner != FRAME_OWNED_BY_CSTACK ? frame->f_code : NULL;
}

static inline PyObject *mw_frames_globals(const mw_py_frame *frame)
{
    return frame->f_globals;
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
/* What stands in `f_locals` is handed out by locals() and the like. */
#define MW_FRAMES_LOCALS_BECOME_DICT 1

/* Whether sys.monitoring may have put its own instructions in the place of any other. */
static inline bool mw_frames_code_is_instrumented(const PyCodeObject *code)
{
    const _PyCoMonitoringData *monitoring = code->_co_monitoring;

    return monitoring != NULL &&
           (monitoring->lines != NULL || monitoring->per_instruction_opcodes != NULL);
}

#include "pyext/frame_marks_stacktop.h"
