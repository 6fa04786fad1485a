/* SPDX-License-Identifier: MIT
 *
 * What the extension alone can tell `memwhy doctor`: the mechanisms, the allocator in
 * force, what is loaded and what the kernel allows.  memwhy/_doctor.py asks and draws.
 */
#pragma once

#include <Python.h>

/* Remembers a name in MEMWHY_DISABLE that is none of ours (NULL: there is none; it ends at
 * a comma) and warns.  It never raises: a tracer never fails its host. */
void mw_doctor_note_unknown(const char *name);

/* _doctor and _doctor_frames. */
extern PyMethodDef mw_doctor_methods[];
