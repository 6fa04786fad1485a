/* SPDX-License-Identifier: MIT
 *
 * The proof of marks at start-up.  frame_marks_*.h argue why the interpreter overwrites a
 * mark at every event that could make it stale; here the running interpreter shows it.
 *
 * Poison: the free part of the thread's data stack is filled with marks, and then frames
 * are pushed there in every way that Python knows; none may show a mark.  Survival: a mark
 * is written into a running frame, and must stay over what leaves the frame's callers as
 * they are and, where marks do not survive calls, be gone after what may move them on.
 *
 * The pushing is Python's business (memwhy/_self_check.py); it is done once per process,
 * when the package is imported: at start() it would leave other objects in the free lists,
 * right before the program is looked at.  The program's trace and profile functions are
 * suspended, and it never happens inside a hook.  Until the proof is there no mark is
 * written, and so a tracer that is started meanwhile does not disturb it.
 *
 * Guarded by the GIL.
 */
#pragma once

#include <Python.h>

#include <stdbool.h>

/* Runs the proof, unless marks are switched off or it was run before.  A fault that it
 * finds is remembered; where something hinders it (no memory, no stack), start() tries
 * again.  Returns 0, or -1 with an exception that is no Exception: the user's Ctrl-C. */
int mw_frame_marks_prove(void);

/* What speaks against writing marks; NULL when they have been proved. */
const char *mw_frame_marks_objection(void);

/* _marks_prove, and _marks_poison, _marks_look and so on for _self_check.py. */
extern PyMethodDef mw_frame_marks_check_methods[];
