/* SPDX-License-Identifier: MIT
 *
 * Sets of allocator hooks in CPython's chain, put in and taken out in any order.  Each
 * set has one hook for each domain, and remembers whom it wraps.  A set of ours that is
 * wrapped by another of ours can be taken out from below it; one that somebody else has
 * wrapped stays where it is and passes every call through.
 *
 * Guarded by the GIL.  Threads without it may be in the hooks all the while: whoever is
 * taken out keeps knowing whom it wrapped, and hooks are installed with the context of
 * whom they wrap, so that no mixture of old and new words does harm (gh-131566).
 */
#pragma once

#include "pyext/pymalloc_pools.h"

#include <Python.h>

#include <stdbool.h>

/* In the order of all tables below. */
enum mw_hook_domain { MW_HOOK_RAW, MW_HOOK_MEM, MW_HOOK_OBJ, MW_HOOK_DOMAINS };

typedef struct mw_hook_set {
    const PyMemAllocatorEx *hooks; /* by domain; their contexts do not count             */
    PyMemAllocatorEx *wrapped;     /* by domain: what each of them calls                 */
    /* Calls malloc and free of [first] so that a hook of this set, if it is reached, notes
     * it in `was_called` and does nothing else. */
    void (*probe)(PyMemAllocatorEx *first);
    bool *was_called;             /* by domain                                           */
    mw_pool_head **pools;         /* those that the hooks may use now                    */
    mw_pool_head **pools_beneath; /* what was found when they last went into the chain   */
} mw_hook_set;

/* Puts the set in front, in each domain where it is not in the chain already, and lets it
 * use pymalloc's pools if nobody else is beneath. */
void mw_hook_chain_install(const mw_hook_set *set);
/* Puts the set back where somebody has taken it out, as tracemalloc's stop does with every hook
 * that came after its own start; returns whether it had to.  Cheap where the set is in front. */
bool mw_hook_chain_mend(const mw_hook_set *set);
/* Takes the set out where it can be. */
void mw_hook_chain_remove(const mw_hook_set *set);
