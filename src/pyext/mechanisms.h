/* SPDX-License-Identifier: MIT
 *
 * The mechanisms that lean on something private or optional, each with a slower, right
 * fallback: which are in force, which not, and why.  Each reports for itself; `memwhy
 * doctor` reads.  MEMWHY_DISABLE=marks,pools (or =all), read once at import, switches some
 * off by hand.
 *
 * Guarded by the GIL.
 */
#pragma once

#include <stdbool.h>

enum mw_mechanism {
    MW_MECHANISM_MARKS,        /* numbers of paths left in frames            (stack_walk)       */
    MW_MECHANISM_POOLS,        /* pymalloc's fast path, taken by the hooks   (pymalloc_pools)   */
    MW_MECHANISM_REUSE,        /* objects taken from free lists              (reuse_hooks)      */
    MW_MECHANISM_DETOUR,       /* 3.11, 3.12: told of them by a jump         (reuse_detour)     */
    MW_MECHANISM_CAPI_DOMAINS, /* PyTraceMalloc_Track and Untrack            (capi_domains)     */
    MW_MECHANISM_GRAPH,        /* walks of the heap                          (heap_check)       */
    MW_MECHANISM_COUNT,
};

typedef struct mw_mechanism_state {
    const char *name;    /* as MEMWHY_DISABLE and doctor call it                           */
    const char *purpose; /* a phrase                                                       */
    bool is_disabled;    /* by MEMWHY_DISABLE                                              */
    bool is_in_force;    /* as last reported; false while nothing has been traced          */
    const char *detail;  /* what is in force, or what serves instead and why; never NULL   */
} mw_mechanism_state;

/* Reads MEMWHY_DISABLE.  Returns the first name in it that is none of ours, or NULL; the
 * string belongs to the environment and ends at a comma or at its end. */
const char *mw_mechanisms_init(void);
bool mw_mechanism_is_disabled(enum mw_mechanism mechanism);
/* [detail] is a static string without a full stop. */
void mw_mechanism_report(enum mw_mechanism mechanism, bool is_in_force, const char *detail);
const mw_mechanism_state *mw_mechanism_get(enum mw_mechanism mechanism);
