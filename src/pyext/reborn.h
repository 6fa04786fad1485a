/* SPDX-License-Identifier: MIT
 *
 * An object has been born: its block gets the site of now.  As a rule the block has just
 * been allocated, and its site is right; else it comes from a free list.  Inline: whoever
 * is told of objects (reuse_hooks.c) pulls it into its callback.
 */
#pragma once

#include "pyext/current_site.h"
#include "pyext/known_steps.h"

/* Whatever mw_reborn_again does not do: the block at [address] has been an object before.
 * Blocks that are not known stay so: they are older than the tracing, and tracemalloc does not
 * adopt them either. */
void mw_reborn_slowly(mw_tracer *tracer, uintptr_t address);

/* The same for a block whose last birth is noted (tracer/births.h), by one look at the frame's
 * mark and one at what is known of its instruction; false, having done nothing, if that does not
 * do. */
static inline bool mw_reborn_again(mw_tracer *tracer, uintptr_t address)
{
    const PyThreadState *thread = mw_frames_thread_of_gil();
    mw_birth *birth = mw_births_place(&tracer->births, address);
    const mw_py_frame *frame;
    mw_instruction instruction;
    mw_path caller;

    if (__builtin_expect(birth->address != address, 0) ||
        __builtin_expect(!mw_current_owns_main_lane(thread), 0))
        return false;
    frame = mw_frames_innermost(thread);
    if (__builtin_expect(frame == NULL, 0) ||
        __builtin_expect(!mw_known_steps_at_once(tracer, frame, &instruction), 0) ||
        __builtin_expect(!mw_stack_walk_caller_at_once(tracer, frame, &caller), 0))
        return false;
    birth->caller = caller;
    birth->instruction = instruction;
    return true;
}

/* Where the block of [object] begins. */
static inline uintptr_t mw_reborn_address(PyObject *object)
{
    return (uintptr_t)object - py_preheader_bytes(Py_TYPE(object));
}

/* To be called for each object that is created, whatever thread and interpreter it is in, with
 * where its block begins: whether the block is no older than the object, so that nothing is to
 * be done.  While nothing is traced no block has a label, so there is nothing to ask first. */
static inline bool mw_reborn_is_new(mw_tracer *tracer, uintptr_t address)
{
    uintptr_t newest_address = tracer->newest_address;

    tracer->newest_address = 0;
    return __builtin_expect(address == newest_address, 1);
}

/* All of it. */
static inline void mw_reborn_object(PyObject *object)
{
    mw_tracer *tracer = &mw_the_tracer;
    uintptr_t address = mw_reborn_address(object);

    if (!mw_reborn_is_new(tracer, address) &&
        __builtin_expect(!mw_reborn_again(tracer, address), 0))
        mw_reborn_slowly(tracer, address);
}
