/* SPDX-License-Identifier: MIT
 *
 * Objects taken from free lists.  CPython keeps dead floats, tuples, lists, … and hands
 * their blocks out again without asking an allocator, so without being told we would
 * leave such a block with the line of its former life.
 *
 * 3.13 and later tell whom PyRefTracer_SetTracer names of every object that is created.
 * There is one such place in a process; whoever had it before us is called by us, and
 * gets it back.  Earlier versions have no public way.
 */
#pragma once

/* Begins to listen, where the version can be listened to.  The GIL is held. */
void mw_reuse_hooks_install(void);
void mw_reuse_hooks_remove(void);
