/* SPDX-License-Identifier: MIT
 *
 * An object has been born: its block gets the site of now.  As a rule the block has just
 * been allocated, and its site is right; else it comes from a free list.  Inline: whoever
 * is told of objects (reuse_hooks.c) pulls it into its callback.
 */
#pragma once

#include "pyext/current_site.h"
#include "tracer/retag.h"

/* Out of line: a block that is large, lies outside of known pages, or is not known. */
void mw_reborn_elsewhere(mw_tracer *tracer, mw_guard guard, const PyThreadState *thread,
                         uintptr_t address);

/* The block at [address] has been an object before.  Blocks that are not known stay so:
 * they are older than the tracing, and tracemalloc does not adopt them either. */
static inline void mw_reborn_block(mw_tracer *tracer, uintptr_t address)
{
    const PyThreadState *thread = mw_frames_thread_of_gil();
    mw_guard guard = mw_guard_enter();
    mw_retag_place place = MW_RETAG_UNKNOWN;
    size_t size_bytes;
    uint32_t *label;

    if (__builtin_expect(mw_current_owns_main_lane(thread), 1))
        place = mw_retag_find(tracer, address, &label, &size_bytes);
    if (__builtin_expect(place == MW_RETAG_HERE, 1))
        mw_retag(tracer, guard, label, mw_current_site(tracer, thread, size_bytes));
    else if (place == MW_RETAG_ELSEWHERE)
        mw_reborn_elsewhere(tracer, guard, thread, address);
    mw_guard_leave(guard);
}

/* To be called for each object that is created, whatever thread and interpreter it is in. */
static inline void mw_reborn_object(PyObject *object)
{
    mw_tracer *tracer = &mw_the_tracer;
    uintptr_t address;

    if (!tracer->is_active || mw_guard_is_inside)
        return;
    address = (uintptr_t)object - py_preheader_bytes(Py_TYPE(object));
    if (__builtin_expect(address != tracer->newest_address, 0))
        mw_reborn_block(tracer, address);
    tracer->newest_address = 0;
}
