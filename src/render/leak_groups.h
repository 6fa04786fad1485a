/* SPDX-License-Identifier: MIT
 *
 * Which sites are looked at together when leaks are sought: those that blame the same line of
 * the program (render/blame.h), or its file, function or module, or those with the same
 * traceback.  What imports made stands apart, as everywhere.
 *
 * Only so many groups are worth a look: those in which most has become alive since the first
 * moment.  What the others hold together is said.
 */
#pragma once

#include "core/group.h"
#include "render/blame.h"
#include "render/places.h"

/* What lies beyond the 1024 largest is less than a thousandth each. */
enum { MW_LEAK_GROUPS_MAXIMUM = 1024 };

typedef struct mw_leak_group {
    mw_row row;         /* its key, as of a row of that group                            */
    mw_blame_kind kind; /* whom it blames                                                */
    mw_frame frame;     /* the line to look at: of the site with most new bytes          */
    mw_frame innermost; /* the line that allocates, of that site                         */
    uint64_t new_bytes; /* alive, and born after the first epoch                         */
} mw_leak_group;

typedef struct mw_leak_groups {
    mw_alloc *alloc;             /* borrowed                                             */
    const mw_snapshot *snapshot; /* borrowed                                             */
    mw_group_key by;
    uint32_t *of_site;    /* owned; by site: its group, or MW_NO_GROUP                    */
    mw_leak_group *items; /* owned                                                       */
    uint32_t count;       /* at most MW_LEAK_GROUPS_MAXIMUM                              */
    uint32_t left_out;    /* groups beyond                                               */
    uint32_t site_count;
    uint32_t capacity; /* of items */
} mw_leak_groups;

/* What to look at. */
typedef struct mw_leak_scope {
    mw_group_key by; /* line, file, function, module, traceback or region */
    const mw_places *places;
    /* Shell patterns for the file of the line to look at, as it is or as it is shown: one of
     * `only` must match, if there are any, and none of `exclude`.  Borrowed. */
    const char *const *only;
    size_t only_count;
    const char *const *exclude;
    size_t exclude_count;
} mw_leak_scope;

/* [last] is the last snapshot of the series, and outlives [ret_groups]. */
mw_status mw_leak_groups_init(mw_leak_groups *ret_groups, const mw_snapshot *last,
                              const mw_leak_scope *scope, mw_alloc *alloc) MW_MUST_CHECK;
void mw_leak_groups_done(mw_leak_groups *groups); /* accepts a zeroed struct */
