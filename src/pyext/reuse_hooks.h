/* SPDX-License-Identifier: MIT
 *
 * Objects taken from free lists.  CPython keeps dead floats, tuples, lists, … and hands
 * their blocks out again without asking an allocator, so without being told we would
 * leave such a block with the line of its former life.
 *
 *   3.13 and later   PyRefTracer_SetTracer tells of every object that is created.  There
 *                    is one such place in a process; whoever had it before us is called
 *                    by us, and gets it back
 *   3.11, 3.12       no public way.  reuse_detour: a jump in the function that CPython
 *                    calls for its own tracer; where that cannot be, reuse_lock: that
 *                    tracer's own table
 *
 * What is in force, and why not the better, is reported as the mechanisms "reuse" and
 * "detour" (mechanisms.h), which MEMWHY_DISABLE switches off.
 */
#pragma once

#include <Python.h>

/* At import, before anything can hide the standard module.  Returns -1 with an exception. */
int mw_reuse_hooks_init(PyObject *module);
/* Begins to listen, where the version can be listened to.  The GIL is held. */
void mw_reuse_hooks_install(void);
void mw_reuse_hooks_remove(void);
/* Looks again whether we are still told, and reports; somebody may have taken our place. */
void mw_reuse_hooks_check(void);
/* The interpreter is shutting down: what is its own and was lent is given back. */
void mw_reuse_hooks_retire(void);
