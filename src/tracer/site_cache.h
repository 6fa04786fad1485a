/* SPDX-License-Identifier: MIT
 *
 * (instruction address, size class, caller's path) → site: a fixed two-way cache in
 * front of the tables, so that an allocation at a place that allocated before costs one
 * look-up.  256 KiB, whatever the program does.
 *
 * Keys hold instruction addresses, which mean something only while their code object
 * lives.  When one dies, the generation moves on and every entry is void at once; when
 * the six bits of the generation come round, the cache is wiped.
 */
#pragma once

#include "base/mix.h"
#include "core/ids.h"

enum {
    MW_SITE_CACHE_BITS = 14,
    MW_SITE_CACHE_BYTES = (1 << MW_SITE_CACHE_BITS) * 16,
    MW_SITE_CACHE_SIZE_SHIFT = 48, /* user space addresses have fewer bits           */
    MW_SITE_CACHE_GENERATION_SHIFT = 58,
    MW_SITE_CACHE_GENERATIONS = 64,
    MW_SITE_CACHE_VARIABLE = 1023, /* the size class of large blocks, in ten bits    */
};

/* No address of an instruction has this bit: it is in the half that programs do not have. */
#define MW_SITE_CACHE_NUMBER (UINT64_C(1) << (MW_SITE_CACHE_SIZE_SHIFT - 1))

typedef struct mw_site_cache_entry {
    uint64_t key; /* generation, size class, address */
    uint32_t caller;
    uint32_t site; /* 0: empty */
} mw_site_cache_entry;

typedef struct mw_site_cache {
    mw_site_cache_entry *entries; /* MW_SITE_CACHE_BYTES                           */
    uint64_t generation;          /* already shifted into its place; never 0, so that
                                     a zeroed entry matches nothing                 */
} mw_site_cache;

static inline uint64_t mw_site_cache_key(const mw_site_cache *cache, uintptr_t address,
                                         uint32_t size_class)
{
    return address | (uint64_t)size_class << MW_SITE_CACHE_SIZE_SHIFT | cache->generation;
}

/* The same of an instruction's number. */
static inline uint64_t mw_site_cache_key_of_number(const mw_site_cache *cache,
                                                   mw_instruction instruction, uint32_t size_class)
{
    return mw_site_cache_key(cache, MW_SITE_CACHE_NUMBER | instruction.index, size_class);
}

static inline uint32_t mw_site_cache_slot(uint64_t key, mw_path caller)
{
    enum { CALLER_SHIFT = 20 };

    /* One multiplication: every bit of the factor reaches the product's upper ones. */
    uint64_t mixed = key ^ (uint64_t)caller.index << CALLER_SHIFT;

    return (uint32_t)((mixed * MW_GOLDEN_64) >> (64 - MW_SITE_CACHE_BITS));
}

/* The site, or 0. */
static inline mw_site mw_site_cache_find(const mw_site_cache *cache, uint64_t key, mw_path caller)
{
    uint32_t slot = mw_site_cache_slot(key, caller);
    const mw_site_cache_entry *entry = &cache->entries[slot];

    if (__builtin_expect(entry->key == key && entry->caller == caller.index, 1))
        return (mw_site){entry->site};
    entry = &cache->entries[slot ^ 1];
    if (entry->key == key && entry->caller == caller.index)
        return (mw_site){entry->site};
    return (mw_site){0};
}

/* The site if it stands in its first place, or 0. */
static inline mw_site mw_site_cache_peek(const mw_site_cache *cache, uint64_t key, mw_path caller)
{
    const mw_site_cache_entry *entry = &cache->entries[mw_site_cache_slot(key, caller)];

    if (__builtin_expect(entry->key == key && entry->caller == caller.index, 1))
        return (mw_site){entry->site};
    return (mw_site){0};
}

/* Puts the newcomer first and keeps the former first one as second. */
static inline void mw_site_cache_put(mw_site_cache *cache, uint64_t key, mw_path caller,
                                     mw_site site)
{
    uint32_t slot = mw_site_cache_slot(key, caller);

    cache->entries[slot ^ 1] = cache->entries[slot];
    cache->entries[slot] = (mw_site_cache_entry){key, caller.index, site.index};
}
