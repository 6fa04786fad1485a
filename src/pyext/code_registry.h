/* SPDX-License-Identifier: MIT
 *
 * Frame → instruction: copies what a code object says of itself into a code table, once,
 * when a frame of it is first seen.  Reads memory only: no Python API that could
 * allocate, raise or count references.
 */
#pragma once

#include "pyext/frames.h"
#include "tracer/tracer.h"

/* The instruction that [frame] runs, or MW_INSTRUCTION_TRANSPARENT for a frame that
 * tracebacks do not show.  Under the GIL; the code object is watched from then on, and
 * unbound when it is freed. */
mw_status mw_code_registry_instruction(mw_tracer *tracer, const mw_py_frame *frame,
                                       mw_instruction *ret_instruction) MW_MUST_CHECK;

/* The same in the raw lane's table, whose lock is held: found by content each time, since
 * without the GIL nobody can be told when the code object dies. */
mw_status mw_code_registry_raw_instruction(mw_raw_lane *lane, const mw_py_frame *frame,
                                           mw_instruction *ret_instruction) MW_MUST_CHECK;

/* Called once at import, with the GIL: makes the key for looking up module names. */
int mw_code_registry_init(void);
