/* SPDX-License-Identifier: MIT
 *
 * 3.11 and 3.12 on x86-64: objects from free lists by a jump in _PyTraceMalloc_NewReference
 * (tested_flag.h finds it, native/detour.h puts the jump there).  PyTraceMalloc_Track and
 * _Untrack are given a jump as well if possible, so that they see whether the standard
 * module is tracing and not our flag (standard_tracer.h says what else).
 *
 * All three are called with a GIL held, but for Untrack, where two threads may pass at any
 * time; see detour.h why that is harmless.
 *
 * The jumps are put in and proved by an object that is said to be new; they are taken out at the end, and
 * the text is as it was.  Whoever is under way in our functions then goes on to the
 * original.  A forked child has what its parent had.
 */
#pragma once

#include "pyext/standard_tracer.h"

/* Returns NULL if we are told of objects from now on, or why not: a static string; then
 * all is as before. */
const char *mw_reuse_detour_install(void);
void mw_reuse_detour_remove(void);
