/* SPDX-License-Identifier: MIT
 *
 * A spin lock that yields: for short critical sections in which nothing blocks, and
 * that a forked child can make free again by plain assignment.  A pthread mutex would
 * do, were it allowed to be reset after fork and guaranteed never to allocate.
 */
#pragma once

#include <sched.h>
#include <stdatomic.h>

typedef struct mw_spinlock {
    atomic_flag is_taken;
} mw_spinlock;

#define MW_SPINLOCK_FREE                                                                           \
    {                                                                                              \
        ATOMIC_FLAG_INIT                                                                           \
    }

static inline void mw_spinlock_take(mw_spinlock *lock)
{
    while (atomic_flag_test_and_set_explicit(&lock->is_taken, memory_order_acquire))
        sched_yield();
}

static inline void mw_spinlock_release(mw_spinlock *lock)
{
    atomic_flag_clear_explicit(&lock->is_taken, memory_order_release);
}
