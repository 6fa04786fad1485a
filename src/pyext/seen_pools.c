/* SPDX-License-Identifier: MIT */
#include "pyext/seen_pools.h"

uintptr_t mw_the_seen_pools[1 << MW_SEEN_POOL_BITS] = {1};

void mw_seen_pools_forget_all(void)
{
    for (int index = 0; index < 1 << MW_SEEN_POOL_BITS; index++)
        mw_the_seen_pools[index] = 1;
}
