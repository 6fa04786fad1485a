/* SPDX-License-Identifier: MIT
 *
 * The re-entrancy guard.  A hook that is already running on this thread must pass every
 * further call through: pymalloc asks the RAW domain for large blocks, and what we do
 * ourselves may allocate.  Functions that record ask to be shown a token, which only
 * who has entered possesses; so a forgotten guard does not compile.
 *
 * The flag is thread-local with the initial-exec model: reading it is one instruction
 * and never allocates, which a dynamic TLS look-up may.
 */
#pragma once

#include <stdbool.h>

typedef struct mw_guard {
    bool is_held; /* always true; the token is the point */
} mw_guard;

extern __thread bool mw_guard_is_inside
    __attribute__((tls_model("initial-exec"), visibility("hidden")));

static inline mw_guard mw_guard_enter(void)
{
    mw_guard_is_inside = true;
    return (mw_guard){true};
}

static inline void mw_guard_leave(mw_guard guard)
{
    (void)guard;
    mw_guard_is_inside = false;
}
