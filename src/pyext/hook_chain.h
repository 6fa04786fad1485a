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
    bool *was_called; /* by domain */
} mw_hook_set;

/* Whether a call of CPython's allocator comes to the set's hook. */
bool mw_hook_chain_has(const mw_hook_set *set, enum mw_hook_domain domain);
/* Puts the set in front, in each domain where it is not in the chain already. */
void mw_hook_chain_install(const mw_hook_set *set);
/* Takes the set out where it can be. */
void mw_hook_chain_remove(const mw_hook_set *set);
