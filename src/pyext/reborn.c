/* SPDX-License-Identifier: MIT */
#include "pyext/reborn.h"

/* A block that is large or lies outside of known pages. */
static void retag_elsewhere(mw_tracer *tracer, mw_guard guard, const PyThreadState *thread,
                            uintptr_t address)
{
    size_t size_bytes;
    mw_site site;

    if (!mw_tracer_knows(tracer, address, &size_bytes))
        return;
    site = mw_current_site(tracer, thread, size_bytes);
    if (site.index != 0)
        mw_tracer_move(tracer, guard, address, site);
}

void mw_reborn_slowly(mw_tracer *tracer, uintptr_t address)
{
    const PyThreadState *thread = mw_frames_thread_of_gil();
    mw_guard guard;
    size_t size_bytes;
    uint32_t *label;

    if (!tracer->is_active || mw_guard_is_inside || !mw_current_owns_main_lane(thread))
        return;
    guard = mw_guard_enter();
    if (mw_retag_find(tracer, address, &label, &size_bytes) == MW_RETAG_HERE)
        mw_retag(tracer, guard, label, mw_current_site(tracer, thread, size_bytes));
    else
        retag_elsewhere(tracer, guard, thread, address);
    mw_guard_leave(guard);
}
