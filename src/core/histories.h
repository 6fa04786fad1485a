/* SPDX-License-Identifier: MIT
 *
 * What became of the memory of some groups of sites (lines, say) over the moments of a
 * series: filled moment by moment with what changed, and read as one history for each group.
 *
 * It costs moments × groups, whatever the program did: seven numbers for each.
 */
#pragma once

#include "base/alloc.h"
#include "core/leak_rank.h"
#include "core/snapshot.h"

/* Sites of this group are only counted as work. */
#define MW_NO_GROUP UINT32_MAX

enum { MW_HISTORY_NUMBERS = 7 };

typedef struct mw_histories {
    mw_alloc *alloc;      /* borrowed                                                     */
    uint32_t group_count; /* groups are 0 … count - 1                                     */
    uint32_t capacity;    /* moments there will be                                        */
    uint32_t count;       /* moments begun                                                */
    uint32_t epoch_count;
    bool has_totals;  /* somebody said what was allocated                                 */
    bool is_finished; /* what is alive has been told apart by its birth                   */
    double *times;    /* owned; hours since the first moment                              */
    double *work;     /* owned; blocks allocated by all sites, up to each moment; in the end
                         only those of them that have died                              */
    double *kept;     /* owned; by birth: blocks of all sites that are alive in the end     */
    double *numbers;  /* owned; [group][which][moment]                                    */
    mw_tally *live;   /* owned; of each group, now                                        */
    double *own_work; /* owned; blocks that each group has allocated since the first moment */
    uint32_t *births; /* owned; by epoch: the moment at which it was first seen, plus one */
} mw_histories;

/* Of one site, between two moments. */
typedef struct mw_history_change {
    uint32_t group;
    uint32_t epoch;
    mw_tally before;
    mw_tally after;
    uint64_t allocated_bytes; /* in between */
    uint64_t allocated_blocks;
} mw_history_change;

/* [capacity] from 1 to MW_HISTORY_MAXIMUM. */
mw_status mw_histories_init(mw_histories *ret_histories, uint32_t group_count, uint32_t capacity,
                            uint32_t epoch_count, mw_alloc *alloc) MW_MUST_CHECK;
void mw_histories_done(mw_histories *histories); /* accepts a zeroed struct */

/* Begins the next moment, later than the one before; then each site that changed is said,
 * once.  [epoch] is smaller than epoch_count. */
void mw_histories_begin(mw_histories *histories, double hours);
void mw_histories_add(mw_histories *histories, const mw_history_change *change);
void mw_histories_end(mw_histories *histories);

/* After the last moment: what of a site is alive, each site once. */
void mw_histories_keep(mw_histories *histories, uint32_t group, uint32_t epoch, mw_tally alive);
/* After that: what is alive is no measure of the work that was done. */
void mw_histories_finish(mw_histories *histories);

/* Borrowed from the histories. */
mw_history mw_histories_of(const mw_histories *histories, uint32_t group);
