/* SPDX-License-Identifier: MIT
 *
 * Which line to look at.  The line that allocates is often a library's (a decoder, a
 * template); the line that a person can change is the closest line of their own program
 * in the traceback.  So every site is blamed on that line, and on the allocating line
 * only where no line of the program stands above it.  What importing modules took is
 * kept apart: it is much, it is wanted, and it would crowd out everything else.
 */
#pragma once

#include "core/group.h"
#include "render/places.h"

typedef enum mw_blame_kind {
    MW_BLAME_PROGRAM, /* a line of the program                                     */
    MW_BLAME_LIBRARY, /* a library's line that no line of the program called       */
    MW_BLAME_IMPORT,  /* modules being imported: their code and what they made     */
    MW_BLAME_UNKNOWN, /* no Python line at all                                     */
} mw_blame_kind;

typedef struct mw_blame {
    mw_blame_kind kind;
    mw_frame frame;     /* the line to look at                                    */
    mw_frame innermost; /* the line that allocated (most of it, in mw_blames)     */
    uint64_t bytes;
    uint64_t blocks;
} mw_blame;

typedef struct mw_blames {
    mw_alloc *alloc;             /* borrowed                                                  */
    const mw_snapshot *snapshot; /* borrowed                                                  */
    mw_blame *sites;             /* owned; one per site, from index 0                         */
    mw_blame *lines; /* owned; one per line to look at and kind that has anything, largest first */
    mw_blame *ordered; /* owned; the sites again, in the order of `ordered_by`      */
    uint32_t site_count;
    uint32_t line_count;
    uint64_t live_bytes; /* of all sites                                              */
    uint64_t live_blocks;
    uint64_t import_bytes;   /* blamed on imports                                         */
    mw_group_key ordered_by; /* by what rows were asked for last; MW_GROUP_COUNT: none yet  */
} mw_blames;

/* Blames every site of the snapshot, which outlives [ret_blames]. */
mw_status mw_blames_init(mw_blames *ret_blames, const mw_snapshot *snapshot,
                         const mw_places *places, mw_alloc *alloc) MW_MUST_CHECK;
/* The same without the lines and without an order: only `sites` and the sums are there. */
mw_status mw_blames_init_sites(mw_blames *ret_blames, const mw_snapshot *snapshot,
                               const mw_places *places, mw_alloc *alloc) MW_MUST_CHECK;
void mw_blames_done(mw_blames *blames); /* accepts a zeroed struct */

/* The program's line under which most bytes of a row of a line, file or function group
 * were allocated, or frame 0 when there is none or the row is that line itself. */
mw_frame mw_blames_caller(mw_blames *blames, mw_group_key key, const mw_row *row);

/* Of the lines and functions that allocated what a row of a line, file or function group has,
 * that of the site with the most bytes. */
mw_frame mw_blames_innermost(mw_blames *blames, mw_group_key key, const mw_row *row);
