/* SPDX-License-Identifier: MIT
 *
 * 3.11 and 3.12 on x86-64: objects from free lists by a jump in _PyTraceMalloc_NewReference
 * (tested_flag.h finds it, native/detour.h puts the jump there).  PyTraceMalloc_Track and
 * _Untrack are given a jump as well if possible, so that they see whether the standard
 * module is tracing and not our flag (standard_tracer.h says what else).
 *
 * The jump is put in and proved by an object that is said to be new, and taken out at the
 * end, under the GIL as all who run the function.  Those of Track and Untrack, which are
 * run without it too, stay for good.  Whoever is under way in our functions goes on to the
 * original.  A forked child has what its parent had.
 */
#pragma once

#include "pyext/standard_tracer.h"

/* Returns NULL if we are told of objects from now on, or why not: a static string; then
 * all is as before. */
const char *mw_reuse_detour_install(void);
void mw_reuse_detour_remove(void);
