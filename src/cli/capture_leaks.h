/* SPDX-License-Identifier: MIT
 *
 * From a capture to its verdict over time, for every command that says it.
 */
#pragma once

#include "capture/capture.h"
#include "render/leaks.h"

typedef struct mw_capture_leaks {
    mw_leaks leaks;
    mw_leak_groups groups;
    mw_histories histories;
    mw_snapshot *last; /* owned */
} mw_capture_leaks;

/* [capture] and what [scope] names outlive [ret_leaks].  MW_BAD_INPUT if the capture has no
 * snapshot at all. */
mw_status mw_capture_leaks_init(mw_capture_leaks *ret_leaks, mw_capture *capture,
                                const mw_leak_scope *scope, uint64_t since_ns, mw_alloc *alloc,
                                mw_error *reterr) MW_MUST_CHECK;
void mw_capture_leaks_done(mw_capture_leaks *leaks); /* accepts a zeroed struct */
