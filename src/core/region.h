/* SPDX-License-Identifier: MIT
 *
 * Regions in snapshots.  A region is a frame of a path whose file is MW_REGION_FILE, whose
 * function is the region's name and which has no line; it stands between the frame that
 * entered it and that frame's caller.  The region of a block is the innermost on its whole
 * path, also where tracebacks keep fewer frames.
 */
#pragma once

#include "core/snapshot.h"

/* What reports say where there is none; patterns are compared with it too. */
#define MW_REGION_NONE "<no region>"

/* Whether [frame] is a region, whose name is its function; and the same of a frame's row. */
bool mw_region_is_frame(const mw_snapshot *snapshot, mw_frame frame);
bool mw_region_is_row(const mw_snapshot *snapshot, mw_frame_row row);

/* The name of the innermost region of each path, 0 where there is none: an array of
 * [ret_count] items, by path, for the caller to release to [alloc]. */
mw_status mw_region_names(const mw_snapshot *snapshot, mw_alloc *alloc, mw_string **ret_names,
                          uint32_t *ret_count) MW_MUST_CHECK;

/* The blocks whose path has a region with a name that matches [pattern] (core/fnmatch.h), be it
 * the innermost or not; those without any have the name MW_REGION_NONE.  The snapshot shares
 * the tables, as after mw_snapshot_filter. */
mw_status mw_region_select(mw_snapshot *snapshot, const char *pattern, size_t length,
                           mw_snapshot **ret_snapshot) MW_MUST_CHECK;

/* The same blocks with paths that never heard of regions: [snapshot] itself, retained, if it
 * has none. */
mw_status mw_region_strip(mw_snapshot *snapshot, mw_alloc *alloc, mw_snapshot **ret_snapshot)
    MW_MUST_CHECK;

/* The same blocks with more regions: [names][frame] is that of the region which begins in
 * [frame], or NULL.  It is left out inside of a region that was entered, which is nearer to
 * what the program's author meant, so that mw_region_names prefers those.  */
mw_status mw_region_insert(mw_snapshot *snapshot, const char *const *names, mw_alloc *alloc,
                           mw_snapshot **ret_snapshot) MW_MUST_CHECK;
