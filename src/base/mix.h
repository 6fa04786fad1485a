/* SPDX-License-Identifier: MIT
 *
 * Mixing for open-addressing tables whose keys are addresses and small integers.
 * Multiplicative (Fibonacci) hashing: the high bits of the product are the good ones,
 * so it is those that a table's slot is made of.
 */
#pragma once

#include <stdint.h>

#define MW_GOLDEN_64 UINT64_C(0x9E3779B97F4A7C15)
#define MW_GOLDEN_32 UINT32_C(0x9E3779B1)

/* The slot of [key] in a table of [slot_count] slots, any number of them. */
static inline uint32_t mw_mix_scaled(uint64_t key, uint32_t slot_count)
{
    return (uint32_t)((key * MW_GOLDEN_64 >> 32) * slot_count >> 32);
}

/* A full avalanche, for keys whose low bits carry structure (murmur3's finaliser). */
static inline uint64_t mw_mix_64(uint64_t key)
{
    key ^= key >> 33;
    key *= UINT64_C(0xff51afd7ed558ccd);
    key ^= key >> 33;
    key *= UINT64_C(0xc4ceb9fe1a85ec53);
    return key ^ (key >> 33);
}

static inline uint32_t mw_rotate_32(uint32_t value, int bits)
{
    return value << bits | value >> (32 - bits);
}
