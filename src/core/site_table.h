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
 * lives, unless epochs begin.  Not thread-safe; whoever owns the table owns its guard.
 *
 * Epochs.  With mw_site_table_begin_epoch() the epoch becomes part of the site: only sites
 * of the current epoch are in the index, so a path that allocates again gets a new one, and
 * the blocks of the former are those that were born before.  A block costs nothing more; a
 * site, two bytes.  So that numbers do not grow without end, a site of a closed epoch that
 * was dead when an epoch began and is still dead when the next one does is dissolved: what
 * it had counted goes to one *folded* site per path and domain, which nothing lives in, and
 * its number to the next site that is made.  (Not at once: a realloc that is under way may
 * have forgotten its block, and put it back.)
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
    MW_SITE_SIZE_FOLDED = 0xfffe,    /* counts as a variable one; see above          */
    MW_SITE_SIZE_FREE_PAIR = 0xfffd, /* two places that wait for a site              */
    MW_SITE_SIZE_FREE = 0xfffc,      /* one                                          */
    MW_SITE_EPOCH_MAXIMUM = 0x7fff,
    MW_SITE_MAXIMUM = 0x3fffffff,  /* two bits of a block's four bytes stay free for flags */
    MW_SITE_UNWANTED = 0x40000000, /* no site: of large blocks that are not to be recorded */
};

typedef struct mw_site_entry {
    uint32_t path;
    uint16_t size; /* in bytes, or MW_SITE_SIZE_VARIABLE …  */
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
    mw_alloc *alloc;        /* borrowed                                              */
    mw_site_place *places;  /* owned; [0] is the unknown site and never counted      */
    uint32_t count;         /* places in use, the first included                     */
    uint32_t capacity;      /* of places                                             */
    uint32_t *slots;        /* owned; open addressing: tag << 30 | site number       */
    uint32_t slot_count;    /* any number; filled to four fifths at most             */
    uint32_t site_count;    /* sites, the unknown one not included                   */
    uint32_t indexed_count; /* of these in the index: of this epoch, and the folded ones */
    uint32_t epoch;         /* of sites that are made now                            */
    uint16_t *epochs;       /* owned; by place: the epoch, and whether it was dead when the
                              last began; NULL where none ever did                  */
    uint32_t epoch_capacity;
    uint32_t free_single; /* places that wait, linked by `path`; 0: none           */
    uint32_t free_pair;
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

/* Whether the site takes two places: the folded ones, too. */
static inline bool mw_site_is_variable(const mw_site_table *table, mw_site site)
{
    return mw_site_table_entry(table, site)->size >= MW_SITE_SIZE_FREE_PAIR;
}

/* Whether no site has the place. */
static inline bool mw_site_is_free(const mw_site_table *table, mw_site site)
{
    uint16_t size = mw_site_table_entry(table, site)->size;

    return size == MW_SITE_SIZE_FREE || size == MW_SITE_SIZE_FREE_PAIR;
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

static inline mw_site mw_site_table_pass_free(const mw_site_table *table, mw_site site)
{
    while (site.index < table->count && mw_site_is_free(table, site))
        site.index += mw_site_is_variable(table, site) ? 2 : 1;
    return site;
}

/* For walking over all sites: `for (s = first; s.index < count; s = next(s))`. */
static inline mw_site mw_site_table_first(const mw_site_table *table)
{
    return mw_site_table_pass_free(table, (mw_site){1});
}

static inline mw_site mw_site_table_next(const mw_site_table *table, mw_site site)
{
    site.index += mw_site_is_variable(table, site) ? 2 : 1;
    return mw_site_table_pass_free(table, site);
}

/* Of a fixed or a variable site; 64 bits each. */
uint64_t mw_site_table_total_blocks(const mw_site_table *table, mw_site site);
uint64_t mw_site_table_live_blocks(const mw_site_table *table, mw_site site);
uint64_t mw_site_table_total_bytes(const mw_site_table *table, mw_site site);
uint64_t mw_site_table_live_bytes(const mw_site_table *table, mw_site site);

/* ── epochs ──────────────────────────────────────────────────────────────────────── */

/* To be called once before the first epoch begins: makes room for what sites are marked
 * with, so that beginning one cannot fail. */
mw_status mw_site_table_keep_epochs(mw_site_table *table) MW_MUST_CHECK;

/* Who keeps something of his own by site number is told when one is dissolved. */
typedef struct mw_site_dissolving {
    /* Moves what belongs to [from] to [to], which may be new; false if it cannot, and then
     * the site stays. */
    bool (*move)(void *context, mw_site from, mw_site to);
    void *context;
} mw_site_dissolving;

/* From now on new sites are of [epoch], up to MW_SITE_EPOCH_MAXIMUM and higher than the one
 * before, and those that there are are not found again.  The first [kept] of the table stay
 * as they are.  [dissolving] may be NULL.  Costs by sites. */
void mw_site_table_begin_epoch(mw_site_table *table, uint32_t epoch, uint32_t kept,
                               const mw_site_dissolving *dissolving);
/* The epoch in which the site was made, 0 where none had begun. */
uint32_t mw_site_table_epoch(const mw_site_table *table, mw_site site);

/* Makes [copy] (zeroed, or such a copy before) a copy of [table]'s sites and counters, to be
 * read and walked over only; as it was, on failure.  It is mw_site_table_done's to release. */
mw_status mw_site_table_copy(const mw_site_table *table, mw_alloc *alloc, mw_site_table *copy)
    MW_MUST_CHECK;

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
