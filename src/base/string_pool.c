/* SPDX-License-Identifier: MIT */
#include "base/string_pool.h"

#include "base/hash.h"

#include <assert.h>
#include <string.h>

enum { FIRST_BYTE_CAPACITY = 1024, DOUBLED_BYTES_MAXIMUM = 1 << 16 };

/* Makes room for [length] bytes and a NUL. */
static mw_status reserve_bytes(mw_string_pool *pool, size_t length)
{
    uint64_t capacity = pool->byte_capacity != 0 ? pool->byte_capacity : FIRST_BYTE_CAPACITY;
    char *grown;

    if (length >= UINT32_MAX - pool->byte_count)
        return MW_LIMIT;
    if (length < pool->byte_capacity - pool->byte_count)
        return MW_OK;
    while (capacity <= pool->byte_count + length)
        capacity += capacity < DOUBLED_BYTES_MAXIMUM ? capacity : capacity / 4;
    if (capacity > UINT32_MAX)
        capacity = UINT32_MAX;
    if (pool->bytes == NULL)
        grown = mw_alloc_new(pool->alloc, capacity);
    else
        grown = pool->alloc->resize(pool->alloc, pool->bytes, pool->byte_capacity, capacity);
    if (grown == NULL)
        return MW_NO_MEMORY;
    pool->bytes = grown;
    pool->byte_capacity = (uint32_t)capacity;
    return MW_OK;
}

/* Reserves everything first, so that a refusal leaves the pool as it was. */
static mw_status append(mw_string_pool *pool, const char *bytes, size_t length, uint64_t hash,
                        uint32_t *ret_number)
{
    mw_status status;

    status = reserve_bytes(pool, length);
    if (status != MW_OK)
        return status;
    status = mw_alloc_grow(pool->alloc, &pool->entries, pool->count, &pool->capacity,
                           sizeof *pool->entries, UINT32_MAX);
    if (status != MW_OK)
        return status;
    status = mw_hash_index_reserve(&pool->index, 1);
    if (status != MW_OK)
        return status;

    if (length != 0)
        memcpy(pool->bytes + pool->byte_count, bytes, length);
    pool->bytes[pool->byte_count + length] = '\0';
    pool->entries[pool->count] = (mw_string_entry){pool->byte_count, (uint32_t)length, hash};
    pool->byte_count += (uint32_t)length + 1;
    /* The empty string is number 0, which an index cannot hold; intern() knows it. */
    if (pool->count != 0)
        mw_hash_index_add(&pool->index, hash, pool->count);
    *ret_number = pool->count++;
    return MW_OK;
}

mw_status mw_string_pool_init(mw_string_pool *pool, mw_alloc *alloc)
{
    uint32_t empty;
    mw_status status;

    *pool = (mw_string_pool){.alloc = alloc};
    mw_hash_index_init(&pool->index, alloc);
    status = append(pool, "", 0, mw_hash_bytes("", 0), &empty);
    if (status != MW_OK)
        mw_string_pool_done(pool);
    return status;
}

mw_status mw_string_pool_copy(const mw_string_pool *pool, mw_alloc *alloc, mw_string_pool *ret_copy)
{
    mw_string_pool copy = {.alloc = alloc,
                           .byte_count = pool->byte_count,
                           .byte_capacity = pool->byte_count,
                           .count = pool->count,
                           .capacity = pool->count,
                           .is_frozen = true};

    mw_hash_index_init(&copy.index, alloc);
    copy.bytes = mw_alloc_array(alloc, copy.byte_capacity, sizeof *copy.bytes);
    copy.entries = mw_alloc_array(alloc, copy.capacity, sizeof *copy.entries);
    *ret_copy = copy;
    if (copy.bytes == NULL || copy.entries == NULL) {
        mw_string_pool_done(ret_copy);
        return MW_NO_MEMORY;
    }
    memcpy(copy.bytes, pool->bytes, pool->byte_count);
    memcpy(copy.entries, pool->entries, pool->count * sizeof *copy.entries);
    return MW_OK;
}

void mw_string_pool_done(mw_string_pool *pool)
{
    if (pool->bytes != NULL)
        mw_alloc_release(pool->alloc, pool->bytes, pool->byte_capacity);
    if (pool->entries != NULL)
        mw_alloc_release(pool->alloc, pool->entries, pool->capacity * sizeof *pool->entries);
    mw_hash_index_done(&pool->index);
    *pool = (mw_string_pool){.alloc = pool->alloc};
}

static bool is_equal(const mw_string_pool *pool, uint32_t number, const char *bytes, size_t length)
{
    return mw_string_pool_length(pool, number) == length &&
           memcmp(mw_string_pool_bytes(pool, number), bytes, length) == 0;
}

static bool find(const mw_string_pool *pool, const char *bytes, size_t length, uint64_t hash,
                 uint32_t *ret_number)
{
    mw_hash_probe probe = mw_hash_probe_start(hash);
    uint32_t number;

    while ((number = mw_hash_index_next(&pool->index, &probe)) != 0) {
        if (is_equal(pool, number, bytes, length)) {
            *ret_number = number;
            return true;
        }
    }
    return false;
}

mw_status mw_string_pool_intern(mw_string_pool *pool, const char *bytes, size_t length,
                                uint32_t *ret_number)
{
    uint64_t hash;

    assert(!pool->is_frozen);
    if (length == 0) {
        *ret_number = 0;
        return MW_OK;
    }
    hash = mw_hash_bytes(bytes, length);
    if (find(pool, bytes, length, hash, ret_number))
        return MW_OK;
    return append(pool, bytes, length, hash, ret_number);
}

bool mw_string_pool_find(const mw_string_pool *pool, const char *bytes, size_t length,
                         uint32_t *ret_number)
{
    assert(!pool->is_frozen);
    if (length != 0)
        return find(pool, bytes, length, mw_hash_bytes(bytes, length), ret_number);
    *ret_number = 0;
    return true;
}

void mw_string_pool_freeze(mw_string_pool *pool)
{
    mw_hash_index_done(&pool->index);
    pool->is_frozen = true;
}

size_t mw_string_pool_memory_bytes(const mw_string_pool *pool)
{
    return pool->byte_capacity + pool->capacity * sizeof *pool->entries +
           pool->index.capacity * sizeof *pool->index.slots;
}

bool mw_string_pool_is_consistent(const mw_string_pool *pool)
{
    uint64_t expected_offset = 0;

    if (pool->count == 0 || pool->count > pool->capacity || pool->entries[0].length != 0)
        return false;
    if (!mw_hash_index_is_consistent(&pool->index))
        return false;
    if (pool->index.count != (pool->is_frozen ? 0 : pool->count - 1))
        return false;
    for (uint32_t number = 0; number < pool->count; number++) {
        const mw_string_entry *entry = &pool->entries[number];

        if (entry->offset != expected_offset || pool->bytes[entry->offset + entry->length] != '\0')
            return false;
        if (entry->hash != mw_hash_bytes(pool->bytes + entry->offset, entry->length))
            return false;
        expected_offset += (uint64_t)entry->length + 1;
    }
    return expected_offset == pool->byte_count && pool->byte_count <= pool->byte_capacity;
}
