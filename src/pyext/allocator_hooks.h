/* SPDX-License-Identifier: MIT
 *
 * CPython's allocators → tracer: the hooks of PyMem_SetAllocator in the three domains.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Puts our hooks around the allocators in force.  The GIL is held. */
void mw_allocator_hooks_install(void);

/* Puts them back where somebody has taken them out; returns whether it had to.  Likewise. */
bool mw_allocator_hooks_mend(void);

/* Puts the allocators back that were found.  Where somebody has wrapped ours meanwhile,
 * ours stay in the chain and pass every call through. */
void mw_allocator_hooks_remove(void);

/* From now on the stacks of threads that do not hold the GIL are left alone: the
 * interpreter is about to take them down.  Called at the beginning of its shutdown. */
void mw_allocator_hooks_retire(void);

/* A block that PyObject_Free takes and nobody has recorded.  The GIL of the main interpreter
 * is held; in a hook, only in one of the domains OBJ and MEM: one of RAW may have been
 * called by pymalloc. */
void *mw_allocator_hooks_object_unrecorded(size_t size);

/* Records such a block as if it had been allocated now.  The GIL is held; not in a hook. */
void mw_allocator_hooks_adopt(void *block, size_t size);

/* Called once, at import: handles fork. */
int mw_allocator_hooks_init(void);
