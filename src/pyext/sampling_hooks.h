/* SPDX-License-Identifier: MIT
 *
 * CPython's allocators → sampler: a set of hooks beside that of exact tracing.  The two
 * know nothing of each other and work in either order.
 */
#pragma once

#include <stdbool.h>

/* Puts the hooks around the allocators in force.  The GIL is held. */
void mw_sampling_hooks_install(void);
/* As mw_allocator_hooks_mend(). */
bool mw_sampling_hooks_mend(void);
void mw_sampling_hooks_remove(void);
/* As mw_allocator_hooks_retire(). */
void mw_sampling_hooks_retire(void);
/* Called once, at import: handles fork. */
int mw_sampling_hooks_init(void);
