/* SPDX-License-Identifier: MIT */
#include "pyext/hook_chain.h"

/* There is one for exact tracing and one for sampling. */
enum { SETS_MAXIMUM = 2 };

static const PyMemAllocatorDomain python_domains[MW_HOOK_DOMAINS] = {
    PYMEM_DOMAIN_RAW,
    PYMEM_DOMAIN_MEM,
    PYMEM_DOMAIN_OBJ,
};

/* Every set that has ever been installed; all stay, since others may keep calling them. */
static const mw_hook_set *sets[SETS_MAXIMUM];

static void note(const mw_hook_set *set)
{
    int i = 0;

    while (i < SETS_MAXIMUM - 1 && sets[i] != NULL && sets[i] != set)
        i++;
    sets[i] = set;
}

/* Nobody tells: others wrap ours and put it back later, or put back what was there before
 * it (tracemalloc does both, by the order of starts and stops).  So the call is made. */
static bool has(const mw_hook_set *set, int domain)
{
    PyMemAllocatorEx first;

    set->was_called[domain] = false;
    PyMem_GetAllocator(python_domains[domain], &first);
    set->probe(&first);
    return set->was_called[domain];
}

void mw_hook_chain_install(const mw_hook_set *set)
{
    bool is_there[MW_HOOK_DOMAINS];

    note(set);
    /* A hook that used the pools would not pass the probing calls through. */
    *set->pools = mw_no_pools;
    for (int domain = 0; domain < MW_HOOK_DOMAINS; domain++)
        is_there[domain] = has(set, domain);
    /* Where a hook is in the chain already, what it wraps is what it wrapped then. */
    if (!is_there[MW_HOOK_MEM] && !is_there[MW_HOOK_OBJ])
        *set->pools_beneath = mw_pymalloc_pools_find();
    for (int domain = 0; domain < MW_HOOK_DOMAINS; domain++) {
        PyMemAllocatorEx hook = set->hooks[domain];

        if (is_there[domain])
            continue;
        PyMem_GetAllocator(python_domains[domain], &set->wrapped[domain]);
        hook.ctx = set->wrapped[domain].ctx;
        PyMem_SetAllocator(python_domains[domain], &hook);
    }
    *set->pools = *set->pools_beneath;
}

static bool is_in_front(const mw_hook_set *set)
{
    for (int domain = 0; domain < MW_HOOK_DOMAINS; domain++) {
        PyMemAllocatorEx first;

        PyMem_GetAllocator(python_domains[domain], &first);
        if (first.malloc != set->hooks[domain].malloc)
            return false;
    }
    return true;
}

bool mw_hook_chain_mend(const mw_hook_set *set)
{
    bool is_whole = true;

    if (is_in_front(set))
        return false;
    *set->pools = mw_no_pools;
    for (int domain = 0; domain < MW_HOOK_DOMAINS; domain++)
        is_whole = has(set, domain) && is_whole;
    mw_hook_chain_install(set);
    return !is_whole;
}

/* Takes the set out from below another of ours that wraps it directly. */
static void remove_below(const mw_hook_set *set, int domain)
{
    for (int i = 0; i < SETS_MAXIMUM; i++)
        if (sets[i] != NULL && sets[i] != set &&
            sets[i]->wrapped[domain].malloc == set->hooks[domain].malloc)
            sets[i]->wrapped[domain] = set->wrapped[domain];
}

void mw_hook_chain_remove(const mw_hook_set *set)
{
    *set->pools = mw_no_pools;
    for (int domain = 0; domain < MW_HOOK_DOMAINS; domain++) {
        PyMemAllocatorEx current;

        PyMem_GetAllocator(python_domains[domain], &current);
        if (current.malloc == set->hooks[domain].malloc)
            PyMem_SetAllocator(python_domains[domain], &set->wrapped[domain]);
        else
            remove_below(set, domain);
    }
}
