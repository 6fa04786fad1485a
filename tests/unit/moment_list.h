/* SPDX-License-Identifier: MIT
 *
 * Snapshots that are there already, as moments to choose from.
 */
#pragma once

#include "render/renderer.h"

enum { MOMENT_LIST_MAXIMUM = 64 };

typedef struct moment_list {
    mw_moments base; /* first: what renderers see */
    mw_snapshot *snapshots[MOMENT_LIST_MAXIMUM];
    uint64_t times_ns[MOMENT_LIST_MAXIMUM];
} moment_list;

static inline uint64_t moment_list_time(const mw_moments *self, size_t number)
{
    return ((const moment_list *)self)->times_ns[number];
}

static inline mw_status moment_list_take(mw_moments *self, size_t number,
                                         mw_snapshot **ret_snapshot)
{
    *ret_snapshot = mw_snapshot_retain(((moment_list *)self)->snapshots[number]);
    return MW_OK;
}

/* Takes over the snapshot. */
static inline void moment_list_add(moment_list *list, mw_snapshot *snapshot, uint64_t time_ns)
{
    list->base.time_ns = moment_list_time;
    list->base.take = moment_list_take;
    list->snapshots[list->base.count] = snapshot;
    list->times_ns[list->base.count++] = time_ns;
}

static inline void moment_list_done(moment_list *list)
{
    for (size_t i = 0; i < list->base.count; i++)
        mw_snapshot_release(list->snapshots[i]);
    list->base.count = 0;
}
