/* SPDX-License-Identifier: MIT
 *
 * Copies sites from one set of tables into a builder, by content: what is there already is
 * found, not made again.  Each string, frame and path is looked at once.
 */
#pragma once

#include "core/snapshot_tables.h"

typedef struct mw_site_copy {
    mw_alloc *alloc;                /* borrowed                              */
    const mw_snapshot_tables *from; /* borrowed                              */
    mw_snapshot_builder *to;        /* borrowed                              */
    mw_path root;                   /* of [to]: what has no caller hangs here */
    uint32_t *strings;              /* owned; by number in [from]: number in */
    uint32_t *frames;               /* [to], or 0 where it is not copied yet */
    uint32_t *paths;
} mw_site_copy;

mw_status mw_site_copy_init(mw_site_copy *copy, const mw_snapshot_tables *from,
                            mw_snapshot_builder *to, mw_path root, mw_alloc *alloc) MW_MUST_CHECK;
void mw_site_copy_done(mw_site_copy *copy); /* accepts a zeroed struct */

mw_status mw_site_copy_string(mw_site_copy *copy, mw_string string, mw_string *ret_string)
    MW_MUST_CHECK;
/* The site with the same path, domain and total, of [thread] and [epoch] of the builder. */
mw_status mw_site_copy_site(mw_site_copy *copy, mw_site site, mw_thread thread, uint32_t epoch,
                            mw_site *ret_site) MW_MUST_CHECK;
