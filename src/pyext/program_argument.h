/* SPDX-License-Identifier: MIT
 *
 * What process it is, as memwhy/_record.py describes it in a dict: an mw_program whose strings
 * are copies in libc's heap, so that they outlive the interpreter.
 */
#pragma once

#include "core/timeline.h"

#include <Python.h>

/* Fills in what [description] says, and leaves numbers 0.  Returns 0, or -1 with an exception
 * and nothing to be released. */
int mw_program_argument_init(mw_program *program, PyObject *description);
/* Accepts a zeroed struct, and leaves one. */
void mw_program_argument_done(mw_program *program);
