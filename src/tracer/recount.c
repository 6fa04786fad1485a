/* SPDX-License-Identifier: MIT
 *
 * For tests: the tallies that are kept online, against a full scan of the blocks.
 */
#include "tracer/tracer.h"

typedef struct tally {
    uint64_t blocks;
    uint64_t bytes;
} tally;

typedef struct recount {
    const mw_tracer *tracer;
    tally *by_site;
    bool has_strange_label; /* one of a site that does not exist */
} recount;

static void count_block(void *context, mw_block_entry entry)
{
    recount *scan = context;
    const mw_site_table *sites = &scan->tracer->sites;
    mw_site site = {entry.label & MW_LABEL_SITE};

    if (site.index == 0)
        return; /* watched, and older than the tracing */
    if (site.index >= sites->count || mw_site_is_free(sites, site)) {
        scan->has_strange_label = true;
        return;
    }
    scan->by_site[site.index].blocks++;
    scan->by_site[site.index].bytes += mw_site_table_counted_bytes(sites, site, entry.size_bytes);
}

static bool sites_agree(const recount *scan)
{
    const mw_site_table *sites = &scan->tracer->sites;

    for (mw_site site = mw_site_table_first(sites); site.index < sites->count;
         site = mw_site_table_next(sites, site)) {
        tally counted = scan->by_site[site.index];

        if (counted.blocks != mw_site_table_live_blocks(sites, site) ||
            counted.bytes != mw_site_table_live_bytes(sites, site))
            return false;
    }
    return true;
}

mw_status mw_tracer_recount(mw_tracer *tracer)
{
    recount scan = {.tracer = tracer};
    size_t bytes = tracer->sites.count * sizeof *scan.by_site;
    mw_status status = MW_OK;

    if (!tracer->is_active)
        return MW_OK;
    scan.by_site = mw_alloc_new(mw_alloc_system(), bytes);
    if (scan.by_site == NULL)
        return MW_NO_MEMORY;
    mw_block_store_visit(&tracer->blocks, count_block, &scan);
    if (scan.has_strange_label || !sites_agree(&scan))
        status = MW_BAD_INPUT;
    mw_alloc_release(mw_alloc_system(), scan.by_site, bytes);
    return status;
}
