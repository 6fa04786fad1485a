/* SPDX-License-Identifier: MIT
 *
 * Interned strings: equal bytes have equal numbers, so comparing two strings of one
 * pool is comparing two integers.  String 0 is the empty one.  All bytes lie in one
 * array; a pointer to a string holds until the next is interned.
 */
#pragma once

#include "base/hash_index.h"

typedef struct mw_string_entry {
    uint32_t offset; /* of the first byte; a NUL follows the last */
    uint32_t length;
    uint64_t hash; /* mw_hash_bytes of the string */
} mw_string_entry;

typedef struct mw_string_pool {
    mw_alloc *alloc;     /* borrowed; outlives the pool                     */
    char *bytes;         /* owned; `byte_count` used of `byte_capacity`     */
    uint32_t byte_count; /* at most 4 GiB of names                          */
    uint32_t byte_capacity;
    mw_string_entry *entries; /* owned; `count` used of `capacity`, [0] is ""    */
    uint32_t count;
    uint32_t capacity;
    mw_hash_index index; /* empty once frozen                               */
    bool is_frozen;      /* nothing more is interned                        */
} mw_string_pool;

/* On failure the pool is as good as zeroed. */
mw_status mw_string_pool_init(mw_string_pool *pool, mw_alloc *alloc) MW_MUST_CHECK;
void mw_string_pool_done(mw_string_pool *pool); /* accepts a zeroed struct */

/* [bytes] need no final NUL, may hold others, and may not lie in the pool. */
mw_status mw_string_pool_intern(mw_string_pool *pool, const char *bytes, size_t length,
                                uint32_t *ret_number) MW_MUST_CHECK;

/* The number of a string that is there already; returns false if it is not. */
bool mw_string_pool_find(const mw_string_pool *pool, const char *bytes, size_t length,
                         uint32_t *ret_number);

/* Ends interning and gives back the memory that only interning needs. */
void mw_string_pool_freeze(mw_string_pool *pool);

/* Makes [ret_copy] the same strings by the same numbers, frozen; as good as zeroed on failure. */
mw_status mw_string_pool_copy(const mw_string_pool *pool, mw_alloc *alloc, mw_string_pool *ret_copy)
    MW_MUST_CHECK;

size_t mw_string_pool_memory_bytes(const mw_string_pool *pool);
bool mw_string_pool_is_consistent(const mw_string_pool *pool);

static inline const char *mw_string_pool_bytes(const mw_string_pool *pool, uint32_t number)
{
    return pool->bytes + pool->entries[number].offset;
}

static inline uint32_t mw_string_pool_length(const mw_string_pool *pool, uint32_t number)
{
    return pool->entries[number].length;
}

static inline uint64_t mw_string_pool_hash(const mw_string_pool *pool, uint32_t number)
{
    return pool->entries[number].hash;
}
