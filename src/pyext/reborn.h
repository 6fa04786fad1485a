/* SPDX-License-Identifier: MIT
 *
 * An object has been born: its block gets the site of now.  As a rule the block has just
 * been allocated, and its site is right; else it comes from a free list.  Inline: whoever
 * is told of objects (reuse_hooks.c) pulls it into its callback.
 */
#pragma once

#include "pyext/current_site.h"
#include "tracer/retag.h"

/* Out of line: whatever takes more than a look at the block's page, one at the frame's mark
 * and one at the cache. */
void mw_reborn_slowly(mw_tracer *tracer, uintptr_t address);

/* The block at [address] has been an object before.  Blocks that are not known stay so:
 * they are older than the tracing, and tracemalloc does not adopt them either.  Returns
 * false, having done nothing, if it is to be done slowly. */
static inline bool mw_reborn_at_once(mw_tracer *tracer, uintptr_t address)
{
    const PyThreadState *thread = mw_frames_thread_of_gil();
    mw_retag_place place;
    size_t size_bytes;
    uint32_t *label;
    mw_site site;

    if (__builtin_expect(!mw_current_owns_main_lane(thread), 0))
        return false;
    place = mw_retag_find(tracer, address, &label, &size_bytes);
    if (__builtin_expect(place != MW_RETAG_HERE, 0))
        return place == MW_RETAG_UNKNOWN;
    site = mw_current_site_at_once(tracer, thread, size_bytes);
    return __builtin_expect(site.index != 0, 1) && mw_retag_at_once(tracer, label, site);
}

/* To be called for each object that is created, whatever thread and interpreter it is in.
 * While nothing is traced no block has a label, so there is nothing to ask first. */
static inline void mw_reborn_object(PyObject *object)
{
    mw_tracer *tracer = &mw_the_tracer;
    uintptr_t address = (uintptr_t)object - py_preheader_bytes(Py_TYPE(object));

    if (__builtin_expect(address != tracer->newest_address, 0) &&
        __builtin_expect(!mw_reborn_at_once(tracer, address), 0))
        mw_reborn_slowly(tracer, address);
    tracer->newest_address = 0;
}
