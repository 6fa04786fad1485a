/* SPDX-License-Identifier: MIT */
#include "cli/capture_leaks.h"

#include "capture/capture_histories.h"

mw_status mw_capture_leaks_init(mw_capture_leaks *ret_leaks, mw_capture *capture,
                                const mw_leak_scope *scope, uint64_t since_ns, mw_alloc *alloc,
                                mw_error *reterr)
{
    mw_capture_leaks *leaks = ret_leaks;
    mw_status status;

    *leaks = (mw_capture_leaks){0};
    if (mw_capture_snapshot_count(capture) == 0)
        return mw_error_set(reterr, MW_BAD_INPUT, "there is no snapshot in the capture");
    status = mw_capture_snapshot(capture, mw_capture_last_alive(capture), &leaks->last, reterr);
    if (status != MW_OK)
        return status;
    status = mw_leak_groups_init(&leaks->groups, leaks->last, scope, alloc);
    if (status != MW_OK) {
        mw_error_set(reterr, status, "there is not enough memory for the verdict");
        goto done;
    }
    status = mw_capture_histories(capture, leaks->last, leaks->groups.of_site, leaks->groups.count,
                                  since_ns, alloc, &leaks->histories, reterr);
    if (status != MW_OK)
        goto done;
    status = mw_leaks_init(
        &leaks->leaks, &leaks->groups, &leaks->histories, &mw_capture_timeline(capture)->program,
        mw_capture_point(capture, mw_capture_last_alive(capture)), scope->places, alloc);
    if (status != MW_OK)
        mw_error_set(reterr, status, "there is not enough memory for the verdict");

done:
    if (status != MW_OK)
        mw_capture_leaks_done(leaks);
    return status;
}

void mw_capture_leaks_done(mw_capture_leaks *leaks)
{
    mw_leaks_done(&leaks->leaks);
    mw_histories_done(&leaks->histories);
    mw_leak_groups_done(&leaks->groups);
    mw_snapshot_release(leaks->last);
    *leaks = (mw_capture_leaks){0};
}
