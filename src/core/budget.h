/* SPDX-License-Identifier: MIT
 *
 * What the tracer itself may hold.  All its tables allocate through `counted`, so every
 * byte is counted when it is asked for, and none beyond the ceiling is granted.  On the
 * way there the tables give up detail in a documented order; each asks for the stage
 * before it adds something new, and nothing that is known already is lost:
 *
 *   from 1/2 of the ceiling  folded   new paths fold recursion: a frame whose function is
 *                                     on the path MW_FOLD_COUNT times already hangs where
 *                                     the last of these, from outside, does
 *   from 5/8                 cut      no new paths: a block's line is kept, its callers
 *                                     are not, unless that very path is known
 *   from 3/4                 coarse   no new code, only files; no new sites, only sizes
 *   at the ceiling           losing   blocks are not recorded, but counted as lost
 *
 * Sums and the sizes of blocks stay exact before the last.  A stage is never taken back
 * before the next opening: a path, once given to a stack, is given to it again.
 *
 * Memory may be taken and given by any thread.
 */
#pragma once

#include "base/alloc.h"

#include <stdatomic.h>
#include <stdbool.h>

typedef enum mw_stage {
    MW_STAGE_EXACT,
    MW_STAGE_FOLDED,
    MW_STAGE_CUT,
    MW_STAGE_COARSE,
    MW_STAGE_LOSING,
} mw_stage;

enum {
    MW_FOLD_COUNT = 4,
    MW_BUDGET_MINIMUM_BYTES = 4 << 20, /* a lower ceiling is taken for this one: the empty
                                          tables want some of it                        */
};

typedef struct mw_budget {
    mw_alloc counted;     /* what the tables are given                              */
    mw_alloc *inner;      /* borrowed; where the memory comes from                  */
    size_t ceiling_bytes; /* 0: none                                                */
    _Atomic size_t used_bytes;
    _Atomic uint8_t stage; /* an mw_stage; only rises                                */
} mw_budget;

/* "exact", "folded", "cut", "coarse" or "losing". */
const char *mw_stage_name(mw_stage stage);
/* The stage of that name; MW_STAGE_EXACT for any other. */
mw_stage mw_stage_of_name(const char *name);

/* Nothing is counted yet. */
void mw_budget_init(mw_budget *budget, mw_alloc *inner);
/* Sets the ceiling (0: none) and goes back to the first stage; what is in use stays. */
void mw_budget_open(mw_budget *budget, size_t ceiling_bytes);

/* For memory that is held otherwise than through `counted`.  Returns false, and takes
 * nothing, if that would be beyond the ceiling. */
bool mw_budget_take(mw_budget *budget, size_t size_bytes);
void mw_budget_give(mw_budget *budget, size_t size_bytes);

/* [budget] may be NULL: nothing is bounded. */
static inline mw_stage mw_budget_stage(const mw_budget *budget)
{
    if (budget == NULL)
        return MW_STAGE_EXACT;
    return (mw_stage)atomic_load_explicit(&budget->stage, memory_order_relaxed);
}

static inline bool mw_budget_is_bounded(const mw_budget *budget)
{
    return budget != NULL && budget->ceiling_bytes != 0;
}
