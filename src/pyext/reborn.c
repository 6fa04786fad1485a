/* SPDX-License-Identifier: MIT */
#include "pyext/reborn.h"

void mw_reborn_elsewhere(mw_tracer *tracer, mw_guard guard, const PyThreadState *thread,
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
