/* SPDX-License-Identifier: MIT
 *
 * A known small block gets another site of the same size: what happens to each object
 * that is taken from a free list, hence inline and with one look-up.
 */
#pragma once

#include "tracer/tracer.h"

/* The label of a small block of a known page, and its size; NULL if the block is not
 * there, and may be elsewhere (mw_tracer_knows). */
static inline uint32_t *mw_retag_find(const mw_tracer *tracer, uintptr_t address,
                                      size_t *ret_size_bytes)
{
    uint32_t *label = mw_block_store_find_small(&tracer->blocks, address);
    mw_site site;

    if (label == NULL)
        return NULL;
    site = (mw_site){*label & MW_LABEL_SITE};
    if (site.index == 0)
        return NULL;
    *ret_size_bytes = mw_tracer_small_bytes(tracer, site);
    return label;
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
