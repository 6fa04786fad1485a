/* SPDX-License-Identifier: MIT
 *
 * Sites: what the four bytes that we keep for a block stand for.  A site is a call path,
 * a domain and, for small blocks, the exact size; so the counters below are an exact
 * histogram of (path, domain, size), and a snapshot copies sites, never blocks.
 *
 *   size <= MW_SITE_SIZE_FIXED   part of the site; live bytes = live blocks * size
 *   size above                   one "variable" site per path and domain, which counts
 *                                bytes too; each block's size is kept by its store
 *
 * A fixed site takes 24 bytes, a variable one twice that (it continues in the next
 * place), and 5 to 11 bytes of the index.  Numbers are never reused while the table
 * lives.  Not thread-safe; whoever owns the table owns its guard.
 */
#pragma once

#include "base/alloc.h"
#include "core/ids.h"

#include <stdbool.h>

enum {
    MW_SITE_SIZE_FIXED = 512, /* pymalloc's SMALL_REQUEST_THRESHOLD                 */
    MW_SITE_SIZE_VARIABLE = 0xffff,
    MW_SITE_MAXIMUM = 0x3fffffff, /* two bits of a block's four bytes stay free for flags */
};

typedef struct mw_site_entry {
    uint32_t path;
    uint32_t live_blocks;
    uint64_t total_blocks; /* ever allocated */
    uint16_t size;         /* in bytes, or MW_SITE_SIZE_VARIABLE */
    uint16_t domain;
    uint32_t spare;
} mw_site_entry;

/* The second place of a variable site. */
typedef struct mw_site_bytes {
    uint64_t live_bytes;
    uint64_t total_bytes; /* ever allocated */
    uint64_t spare;
} mw_site_bytes;

_Static_assert(sizeof(mw_site_entry) == sizeof(mw_site_bytes), "they share one array");

typedef union mw_site_place {
    mw_site_entry entry;
    mw_site_bytes bytes;
} mw_site_place;

typedef struct mw_site_table {
    mw_alloc *alloc;       /* borrowed                                              */
    mw_site_place *places; /* owned; [0] is the unknown site and never counted      */
    uint32_t count;        /* places in use, the first included                     */
    uint32_t capacity;     /* of places                                             */
    uint32_t *slots;       /* owned; open addressing: 2^slot_bits of site numbers   */
    uint32_t slot_bits;
    uint32_t site_count; /* sites, the unknown one not included                     */
} mw_site_table;

mw_status mw_site_table_init(mw_site_table *table, mw_alloc *alloc) MW_MUST_CHECK;
void mw_site_table_done(mw_site_table *table); /* accepts a zeroed struct */
bool mw_site_table_is_consistent(const mw_site_table *table);
/* In use: the tail of a doubled array is untouched pages and costs nothing. */
size_t mw_site_table_memory_bytes(const mw_site_table *table);

/* The site of blocks of [size_bytes] (any size) at [path]; made when missing. */
mw_status mw_site_table_intern(mw_site_table *table, mw_path path, uint16_t domain,
                               size_t size_bytes, mw_site *ret_site) MW_MUST_CHECK;

static inline uint16_t mw_site_size_class(size_t size_bytes)
{
    return size_bytes <= MW_SITE_SIZE_FIXED ? (uint16_t)size_bytes : MW_SITE_SIZE_VARIABLE;
}

static inline mw_site_entry *mw_site_table_entry(const mw_site_table *table, mw_site site)
{
    return &table->places[site.index].entry;
}

static inline bool mw_site_is_variable(const mw_site_table *table, mw_site site)
{
    return mw_site_table_entry(table, site)->size == MW_SITE_SIZE_VARIABLE;
}

/* Of a variable site alone. */
static inline mw_site_bytes *mw_site_table_bytes(const mw_site_table *table, mw_site site)
{
    return &table->places[site.index + 1].bytes;
}

/* For walking over all sites: `for (s = first; s.index < count; s = next(s))`. */
static inline mw_site mw_site_table_first(const mw_site_table *table)
{
    (void)table;
    return (mw_site){1};
}

static inline mw_site mw_site_table_next(const mw_site_table *table, mw_site site)
{
    return (mw_site){site.index + (mw_site_is_variable(table, site) ? 2 : 1)};
}

static inline uint64_t mw_site_table_live_bytes(const mw_site_table *table, mw_site site)
{
    const mw_site_entry *entry = mw_site_table_entry(table, site);

    if (entry->size == MW_SITE_SIZE_VARIABLE)
        return mw_site_table_bytes(table, site)->live_bytes;
    return (uint64_t)entry->live_blocks * entry->size;
}

/* ── counting ────────────────────────────────────────────────────────────────────── */

static inline void mw_site_table_add(mw_site_table *table, mw_site site, size_t size_bytes)
{
    mw_site_entry *entry = mw_site_table_entry(table, site);

    entry->live_blocks++;
    entry->total_blocks++;
    if (__builtin_expect(entry->size == MW_SITE_SIZE_VARIABLE, 0)) {
        mw_site_bytes *bytes = mw_site_table_bytes(table, site);

        bytes->live_bytes += size_bytes;
        bytes->total_bytes += size_bytes;
    }
}

/* The same for a block of at most MW_SITE_SIZE_FIXED bytes. */
static inline void mw_site_table_add_small(mw_site_table *table, mw_site site)
{
    mw_site_entry *entry = mw_site_table_entry(table, site);

    entry->live_blocks++;
    entry->total_blocks++;
}

static inline void mw_site_table_subtract_small(mw_site_table *table, mw_site site)
{
    mw_site_table_entry(table, site)->live_blocks--;
}

static inline void mw_site_table_subtract(mw_site_table *table, mw_site site, size_t size_bytes)
{
    mw_site_entry *entry = mw_site_table_entry(table, site);

    entry->live_blocks--;
    if (__builtin_expect(entry->size == MW_SITE_SIZE_VARIABLE, 0))
        mw_site_table_bytes(table, site)->live_bytes -= size_bytes;
}
