/* SPDX-License-Identifier: MIT
 *
 * A spin lock that yields: for short critical sections in which nothing blocks, and
 * that a forked child can make free again by plain assignment.  A pthread mutex would
 * do, were it allowed to be reset after fork and guaranteed never to allocate.
 */
#pragma once

#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <time.h>

typedef struct mw_spinlock {
    atomic_flag is_taken;
} mw_spinlock;

#define MW_SPINLOCK_FREE                                                                           \
    {                                                                                              \
        ATOMIC_FLAG_INIT                                                                           \
    }

/* Yields, and sleeps where that has not helped: a thread of real-time priority would never
 * let the owner run otherwise. */
static inline void mw_spinlock_take(mw_spinlock *lock)
{
    const struct timespec nap = {.tv_nsec = 50000};
    unsigned int yields = 0;

    while (atomic_flag_test_and_set_explicit(&lock->is_taken, memory_order_acquire)) {
        if (++yields < 100)
            sched_yield();
        else
            nanosleep(&nap, NULL);
    }
}

/* Takes it if nobody has it. */
static inline bool mw_spinlock_try(mw_spinlock *lock)
{
    return !atomic_flag_test_and_set_explicit(&lock->is_taken, memory_order_acquire);
}

static inline void mw_spinlock_release(mw_spinlock *lock)
{
    atomic_flag_clear_explicit(&lock->is_taken, memory_order_release);
}
