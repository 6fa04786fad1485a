/* SPDX-License-Identifier: MIT
 *
 * Sites are compared frame by frame once, and remembered: after that a block costs two
 * look-ups and one comparison of numbers.
 */
#include "pyext/blocks_equal.h"

#include <string.h>

static bool frames_are_equal(const mw_snapshot *a, mw_path path_a, const mw_snapshot *b,
                             mw_path path_b)
{
    mw_frame_row row_a = mw_snapshot_frame(a, mw_snapshot_path_frame(a, path_a));
    mw_frame_row row_b = mw_snapshot_frame(b, mw_snapshot_path_frame(b, path_b));
    size_t length_a, length_b;
    const char *file_a = mw_snapshot_string(a, row_a.file, &length_a);
    const char *file_b = mw_snapshot_string(b, row_b.file, &length_b);

    return row_a.line == row_b.line && length_a == length_b &&
           memcmp(file_a, file_b, length_a) == 0;
}

static bool sites_are_equal(const mw_snapshot *a, mw_site site_a, const mw_snapshot *b,
                            mw_site site_b)
{
    mw_site_row row_a = mw_snapshot_site(a, site_a), row_b = mw_snapshot_site(b, site_b);
    mw_traceback_row traceback_a = mw_snapshot_traceback(a, row_a.traceback);
    mw_traceback_row traceback_b = mw_snapshot_traceback(b, row_b.traceback);

    if (row_a.domain != row_b.domain || traceback_a.frame_count != traceback_b.frame_count ||
        traceback_a.total_frames != traceback_b.total_frames)
        return false;
    for (uint32_t i = 0; i < traceback_a.frame_count; i++) {
        if (!frames_are_equal(a, traceback_a.path, b, traceback_b.path))
            return false;
        traceback_a.path = mw_snapshot_path_caller(a, traceback_a.path);
        traceback_b.path = mw_snapshot_path_caller(b, traceback_b.path);
    }
    return true;
}

/* Each site of [a] remembers which site of [b] it was last found equal to. */
static bool blocks_are_equal(const mw_snapshot *a, const mw_snapshot *b, mw_site *equal_sites)
{
    uint64_t count = mw_snapshot_block_count(a);

    for (uint64_t i = 0; i < count; i++) {
        mw_site site_a, site_b;
        uint64_t size_a, size_b;
        mw_snapshot_block(a, i, &site_a, &size_a);
        mw_snapshot_block(b, i, &site_b, &size_b);
        if (size_a != size_b)
            return false;
        if (equal_sites[site_a.index].index == site_b.index)
            continue;
        if (!sites_are_equal(a, site_a, b, site_b))
            return false;
        equal_sites[site_a.index] = site_b;
    }
    return true;
}

mw_status mw_blocks_equal(const mw_snapshot *a, const mw_snapshot *b, mw_alloc *alloc,
                          bool *ret_equal)
{
    size_t sites = (size_t)mw_snapshot_site_count(a) + 1;

    if (a == b || mw_snapshot_block_count(a) != mw_snapshot_block_count(b)) {
        *ret_equal = a == b;
        return MW_OK;
    }
    mw_site *equal_sites = mw_alloc_array(alloc, sites, sizeof *equal_sites);
    if (equal_sites == NULL)
        return MW_NO_MEMORY;
    *ret_equal = blocks_are_equal(a, b, equal_sites);
    mw_alloc_release(alloc, equal_sites, sites * sizeof *equal_sites);
    return MW_OK;
}
