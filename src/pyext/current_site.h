/* SPDX-License-Identifier: MIT
 *
 * The site of an allocation that happens now, on the calling thread, in the main lane.
 * Inline: this is the first half of the hot path (the second is in tracer/tracer.h).
 */
#pragma once

#include "pyext/compat.h"
#include "pyext/frames.h"
#include "pyext/stack_walk.h"
#include "tracer/tracer.h"

/* The main interpreter; written at import, before the first hook. */
extern const PyInterpreterState *mw_main_interpreter __attribute__((visibility("hidden")));

/* Whether the main tables belong to the caller, whose attached thread state is [thread]:
 * it holds the GIL of the main interpreter.  Others may have a GIL of their own since
 * 3.12. */
static inline bool mw_current_owns_main_lane(const PyThreadState *thread)
{
    return thread != NULL &&
           (!PY_INTERPRETERS_MAY_HAVE_OWN_GIL || thread->interp == mw_main_interpreter);
}

/* What the cache does not know; site 0 when out of memory, and MW_SITE_UNWANTED, which is
 * cached like any other, where a start-time filter says no.  Out of line. */
mw_site mw_current_site_find(mw_tracer *tracer, mw_path caller, const mw_py_frame *frame,
                             size_t size_bytes, uint64_t key);

/* The site of [frame], the innermost, which is called from [caller]. */
static inline mw_site mw_current_site_called_from(mw_tracer *tracer, mw_path caller,
                                                  const mw_py_frame *frame, size_t size_bytes)
{
    uint32_t size_class =
        size_bytes <= MW_SITE_SIZE_FIXED ? (uint32_t)size_bytes : MW_SITE_CACHE_VARIABLE;
    uint64_t key =
        mw_site_cache_key(&tracer->cache, frame != NULL ? mw_frames_address(frame) : 0, size_class);
    mw_site site = {0};

    if (frame == NULL || __builtin_expect(!mw_stack_marks_is_strange(frame), 1))
        site = mw_site_cache_find(&tracer->cache, key, caller);
    if (__builtin_expect(site.index == 0, 0))
        site = mw_current_site_find(tracer, caller, frame, size_bytes, key);
    return site;
}

/* The site; 0 when out of memory, MW_SITE_UNWANTED where nothing is to be recorded. */
static inline mw_site mw_current_site(mw_tracer *tracer, const PyThreadState *thread,
                                      size_t size_bytes)
{
    mw_py_frame *frame = mw_frames_innermost(thread);
    mw_path caller;

    if (__builtin_expect(mw_stack_walk_caller(tracer, thread, frame, &caller) != MW_OK, 0))
        return (mw_site){0};
    return mw_current_site_called_from(tracer, caller, frame, size_bytes);
}

/* As mw_current_site for 1 to MW_SITE_SIZE_FIXED bytes, or 0 if it takes more than a look at
 * the frame's mark and one at the cache. */
static inline mw_site mw_current_site_at_once(mw_tracer *tracer, const PyThreadState *thread,
                                              size_t size_bytes)
{
    const mw_py_frame *frame = mw_frames_innermost(thread);
    mw_path caller;
    uint64_t key;

    if (__builtin_expect(frame == NULL, 0) ||
        __builtin_expect(!mw_stack_walk_caller_at_once(tracer, frame, &caller), 0))
        return (mw_site){0};
    key = mw_site_cache_key(&tracer->cache, mw_frames_address(frame), (uint32_t)size_bytes);
    return mw_site_cache_peek(&tracer->cache, key, caller);
}
