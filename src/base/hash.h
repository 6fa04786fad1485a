/* SPDX-License-Identifier: MIT
 *
 * Hashing for tables in memory.  The values never leave the process, so the function
 * may change at any time.  Its step is a multiplication to 128 bits whose halves are
 * folded together: one instruction, and every bit of the input reaches every bit of
 * the result.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Two odd constants with about as many ones as zeroes (the fractions of √2 and √3). */
#define MW_HASH_FIRST  UINT64_C(0x6a09e667f3bcc909)
#define MW_HASH_SECOND UINT64_C(0xbb67ae8584caa73b)

__extension__ typedef unsigned __int128 mw_uint128;

/* Of two numbers, one; the order counts. */
static inline uint64_t mw_hash_combine(uint64_t a, uint64_t b)
{
    mw_uint128 product = (mw_uint128)(a ^ MW_HASH_FIRST) * (b ^ MW_HASH_SECOND);

    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint64_t mw_hash_bytes(const char *bytes, size_t length)
{
    uint64_t hash = mw_hash_combine(length, MW_HASH_FIRST);
    uint64_t word;

    for (; length >= sizeof word; length -= sizeof word, bytes += sizeof word) {
        memcpy(&word, bytes, sizeof word);
        hash = mw_hash_combine(hash, word);
    }
    word = 0;
    if (length != 0)
        memcpy(&word, bytes, length);
    return mw_hash_combine(hash, word);
}
