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
 * A fixed site takes 16 bytes, a variable one twice that (it continues in the next
 * place), and 5 to 6.25 bytes of the index.  Numbers are never reused while the table
 * lives.  Not thread-safe; whoever owns the table owns its guard.
 *
 * A table that has a budget (mw_site_table_limit) makes no more sites from the stage COARSE
 * on: what is new counts at one path that stands for all, apart by domain and size only.
 *
 * An allocation increments one counter and a free another; what is alive is their
 * difference, computed when somebody asks.  The counters have 32 bits.  The increment
 * that takes one round to 0 carries into a list beside the table, so sums stay right.
 */
#pragma once

#include "base/alloc.h"
#include "core/budget.h"
#include "core/ids.h"

#include <stdbool.h>

enum {
    MW_SITE_SIZE_FIXED = 512, /* pymalloc's SMALL_REQUEST_THRESHOLD                 */
    MW_SITE_SIZE_VARIABLE = 0xffff,
    MW_SITE_MAXIMUM = 0x3fffffff,  /* two bits of a block's four bytes stay free for flags */
    MW_SITE_UNWANTED = 0x40000000, /* no site: of large blocks that are not to be recorded */
};

typedef struct mw_site_entry {
    uint32_t path;
    uint16_t size; /* in bytes, or MW_SITE_SIZE_VARIABLE    */
    uint16_t domain;
    uint32_t allocated; /* blocks, ever, modulo 2^32             */
    uint32_t freed;     /* of these, likewise                    */
} mw_site_entry;

/* The second place of a variable site. */
typedef struct mw_site_bytes {
    uint64_t allocated;
    uint64_t freed;
} mw_site_bytes;

_Static_assert(sizeof(mw_site_entry) == sizeof(mw_site_bytes), "they share one array");

typedef union mw_site_place {
    mw_site_entry entry;
    mw_site_bytes bytes;
} mw_site_place;

/* How often the counters of a site have come round. */
typedef struct mw_site_carry {
    uint32_t site;
    uint32_t allocated;
    uint32_t freed;
} mw_site_carry;

typedef struct mw_site_table {
    mw_alloc *alloc;       /* borrowed                                              */
    mw_site_place *places; /* owned; [0] is the unknown site and never counted      */
    uint32_t count;        /* places in use, the first included                     */
    uint32_t capacity;     /* of places                                             */
    uint32_t *slots;       /* owned; open addressing: tag << 30 | site number       */
    uint32_t slot_count;   /* any number; filled to four fifths at most             */
    uint32_t site_count;   /* sites, the unknown one not included                   */
    uint32_t carry_count;
    uint32_t carry_capacity;
    mw_site_carry *carries;  /* owned                                                 */
    const mw_budget *budget; /* borrowed, or NULL                                     */
    mw_path coarse_path;     /* of what is new once the budget runs out               */
} mw_site_table;

mw_status mw_site_table_init(mw_site_table *table, mw_alloc *alloc) MW_MUST_CHECK;
void mw_site_table_done(mw_site_table *table); /* accepts a zeroed struct */
/* From now on the table keeps to [budget]. */
void mw_site_table_limit(mw_site_table *table, const mw_budget *budget, mw_path coarse_path);
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

/* What a block of [size_bytes] adds to the bytes of [site]. */
static inline size_t mw_site_table_counted_bytes(const mw_site_table *table, mw_site site,
                                                 size_t size_bytes)
{
    uint16_t size = mw_site_table_entry(table, site)->size;

    return size == MW_SITE_SIZE_VARIABLE ? size_bytes : size;
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

/* Of a fixed or a variable site; 64 bits each. */
uint64_t mw_site_table_total_blocks(const mw_site_table *table, mw_site site);
uint64_t mw_site_table_live_blocks(const mw_site_table *table, mw_site site);
uint64_t mw_site_table_total_bytes(const mw_site_table *table, mw_site site);
uint64_t mw_site_table_live_bytes(const mw_site_table *table, mw_site site);

/* ── counting ────────────────────────────────────────────────────────────────────── */

/* Out of line, once in 2^32 times: [counter] of [entry] has come round to 0. */
void mw_site_table_carry(mw_site_table *table, const mw_site_entry *entry, uint32_t *counter);

/* Undoes the last mw_site_table_add and a mw_site_table_subtract before it: the block is
 * one that had been counted before. */
void mw_site_table_uncount(mw_site_table *table, mw_site site, size_t size_bytes);

/* Counts a block of at most MW_SITE_SIZE_FIXED bytes. */
static inline void mw_site_table_add_small(mw_site_table *table, mw_site site)
{
    mw_site_entry *entry = mw_site_table_entry(table, site);

    if (__builtin_expect(++entry->allocated == 0, 0))
        mw_site_table_carry(table, entry, &entry->allocated);
}

static inline void mw_site_table_subtract_small(mw_site_table *table, mw_site site)
{
    mw_site_entry *entry = mw_site_table_entry(table, site);

    if (__builtin_expect(++entry->freed == 0, 0))
        mw_site_table_carry(table, entry, &entry->freed);
}

/* The same for a block of any size. */
static inline void mw_site_table_add(mw_site_table *table, mw_site site, size_t size_bytes)
{
    mw_site_table_add_small(table, site);
    if (__builtin_expect(mw_site_is_variable(table, site), 0))
        mw_site_table_bytes(table, site)->allocated += size_bytes;
}

static inline void mw_site_table_subtract(mw_site_table *table, mw_site site, size_t size_bytes)
{
    mw_site_table_subtract_small(table, site);
    if (__builtin_expect(mw_site_is_variable(table, site), 0))
        mw_site_table_bytes(table, site)->freed += size_bytes;
}
