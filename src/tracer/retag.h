/* SPDX-License-Identifier: MIT
 *
 * A known small block gets another site of the same size: what happens to an object that
 * is taken from a free list, at once or when its birth is settled (births.h).
 */
#pragma once

#include "tracer/tracer.h"

typedef enum mw_retag_place {
    MW_RETAG_HERE,
    MW_RETAG_UNKNOWN,   /* as a rule older than the tracing                      */
    MW_RETAG_ELSEWHERE, /* or unknown: ask mw_tracer_knows                       */
} mw_retag_place;

/* Finds the label of a small block of a known page, and its size. */
static inline mw_retag_place mw_retag_find(const mw_tracer *tracer, uintptr_t address,
                                           uint32_t **ret_label, size_t *ret_size_bytes)
{
    const mw_page *page = mw_block_store_page(&tracer->blocks, address);
    uint32_t *label;
    mw_site site;

    if (__builtin_expect(page == NULL, 0))
        return MW_RETAG_ELSEWHERE;
    label = page->labels != NULL ? mw_page_label(page, address) : NULL;
    site = (mw_site){label != NULL ? *label & MW_LABEL_SITE : 0};
    /* Only a page with strays has blocks that are not here but in the map. */
    if (__builtin_expect(site.index == 0, 0))
        return page->has_strays ? MW_RETAG_ELSEWHERE : MW_RETAG_UNKNOWN;
    *ret_label = label;
    *ret_size_bytes = mw_tracer_small_bytes(tracer, site);
    return MW_RETAG_HERE;
}

/* Gives the block behind [label] the site [site]; 0 leaves it as it is.  Nothing is counted
 * when a block comes back to its own site: nothing was allocated. */
static inline void mw_retag(mw_tracer *tracer, mw_guard guard, uint32_t *label, mw_site site)
{
    mw_site former = {*label & MW_LABEL_SITE};
    size_t size_bytes;
    size_t new_bytes;

    (void)guard;
    if (former.index == site.index || __builtin_expect(site.index == 0, 0))
        return;
    size_bytes = mw_site_table_entry(&tracer->sites, former)->size;
    mw_site_table_subtract(&tracer->sites, former, size_bytes);
    mw_site_table_add(&tracer->sites, site, size_bytes);
    /* They differ only where one of the two is the site of unwanted blocks. */
    new_bytes = mw_site_table_entry(&tracer->sites, site)->size;
    if (__builtin_expect(new_bytes != size_bytes, 0)) {
        mw_tracer_add_live(tracer, -(uint64_t)size_bytes);
        mw_tracer_raise(tracer, new_bytes);
    }
    *label = site.index | (*label & ~MW_LABEL_SITE);
}
