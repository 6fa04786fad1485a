/* SPDX-License-Identifier: MIT
 *
 * CPython 3.14 and 3.15.  As 3.13, but what a frame executes is a tagged reference (its
 * two lowest bits say how it is counted), and every owner from
 * FRAME_OWNED_BY_INTERPRETER on is a frame of the interpreter's own.
 */
#pragma once

enum { MW_STACK_REF_TAG_BITS = 3 };

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
    PyObject *executable =
        (PyObject *)(frame->f_executable.bits & ~(uintptr_t)MW_STACK_REF_TAG_BITS);

    if (frame->owner >= FRAME_OWNED_BY_INTERPRETER || executable == NULL ||
        !PyCode_Check(executable))
        return NULL;
    return (PyCodeObject *)executable;
}

/* The frame that is pushed below an __init__ which is called with its class runs code of the
 * interpreter's own: it has no function, and its globals are never written. */
static inline PyObject *mw_frames_globals(const mw_py_frame *frame)
{
    PyObject *function = (PyObject *)(frame->f_funcobj.bits & ~(uintptr_t)MW_STACK_REF_TAG_BITS);

    return function != Py_None ? frame->f_globals : NULL;
}

static inline bool mw_frames_is_generator(const mw_py_frame *frame)
{
    return frame->owner == FRAME_OWNED_BY_GENERATOR;
}

/* In a frame of the interpreter's own the field is never written. */
static inline const PyFrameObject *mw_frames_object(const mw_py_frame *frame)
{
    return frame->owner < FRAME_OWNED_BY_INTERPRETER ? frame->frame_obj : NULL;
}

#include "pyext/frame_marks_visited.h"
