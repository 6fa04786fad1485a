/* SPDX-License-Identifier: MIT
 *
 * Runs are compared, not blocks; and sites frame by frame once, and then remembered.
 */
#include "pyext/blocks_equal.h"

#include <string.h>

#include "core/snapshot_tables.h"

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

/* Whether the run's blocks are equal, run by run of two that start at one position.  Each
 * site of [a] remembers which site of [b] it was last found equal to. */
static bool runs_are_equal(const mw_snapshot *a, const mw_run *run_a, const mw_snapshot *b,
                           const mw_run *run_b, mw_site *equal_sites)
{
    if (run_a->size_bytes != run_b->size_bytes)
        return false;
    if (equal_sites[run_a->site.index].index == run_b->site.index)
        return true;
    if (!sites_are_equal(a, run_a->site, b, run_b->site))
        return false;
    equal_sites[run_a->site.index] = run_b->site;
    return true;
}

/* Walks both lists of runs at once; at each turn the run that ends first is left behind,
 * since equal blocks may be cut into runs differently. */
static bool blocks_are_equal(const mw_snapshot *a, const mw_snapshot *b, mw_site *equal_sites)
{
    uint32_t i = 0, j = 0;

    while (i < a->run_count && j < b->run_count) {
        if (!runs_are_equal(a, &a->runs[i], b, &b->runs[j], equal_sites))
            return false;
        uint64_t end_a = a->runs[i].first + mw_snapshot_run_blocks(a, i);
        uint64_t end_b = b->runs[j].first + mw_snapshot_run_blocks(b, j);
        i += end_a <= end_b;
        j += end_b <= end_a;
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
