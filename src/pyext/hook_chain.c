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
bool mw_hook_chain_has(const mw_hook_set *set, enum mw_hook_domain domain)
{
    PyMemAllocatorEx first;

    set->was_called[domain] = false;
    PyMem_GetAllocator(python_domains[domain], &first);
    set->probe(&first);
    return set->was_called[domain];
}

void mw_hook_chain_install(const mw_hook_set *set)
{
    note(set);
    for (int domain = 0; domain < MW_HOOK_DOMAINS; domain++) {
        PyMemAllocatorEx hook = set->hooks[domain];

        if (mw_hook_chain_has(set, (enum mw_hook_domain)domain))
            continue;
        PyMem_GetAllocator(python_domains[domain], &set->wrapped[domain]);
        hook.ctx = set->wrapped[domain].ctx;
        PyMem_SetAllocator(python_domains[domain], &hook);
    }
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
    for (int domain = 0; domain < MW_HOOK_DOMAINS; domain++) {
        PyMemAllocatorEx current;

        PyMem_GetAllocator(python_domains[domain], &current);
        if (current.malloc == set->hooks[domain].malloc)
            PyMem_SetAllocator(python_domains[domain], &set->wrapped[domain]);
        else
            remove_below(set, domain);
    }
}
