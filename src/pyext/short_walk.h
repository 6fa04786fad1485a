/* SPDX-License-Identifier: MIT
 *
 * The walk where it is short: what most are.
 *
 * A function that allocates was as a rule called by one that has a mark, or by one whose caller
 * has: one step inward, or two, each of them known (known_steps.h).  Such walks need neither the
 * row of remembered frames nor the list of fresh ones (stack_walk.h), and touch nothing else.
 *
 * Guarded by the GIL.
 */
#pragma once

#include "pyext/frames.h"
#include "tracer/tracer.h"

/* The path of the chain from [frame] outward, if that leads to a mark soon, by steps that are
 * known, and past nothing that has to be remembered; leaves marks as any walk does.  Else
 * returns false, having done nothing. */
bool mw_short_walk(const mw_tracer *tracer, const PyThreadState *thread, mw_py_frame *frame,
                   mw_path *ret_path);
