/* SPDX-License-Identifier: MIT
 *
 * 3.11 and 3.12 on x86-64: where `tracing` and _PyTraceMalloc_NewReference are, read from
 * the code of _Py_NewReference, which is exported and compiled from
 *
 *     if (config.tracing)
 *         _PyTraceMalloc_NewReference(op);
 *
 * The code is followed as it runs when the flag is set: loads of addresses that are in the
 * code or in the library's table of addresses (GOT), the test, the conditional jump, the
 * call.  Neither the layout of the private struct nor a symbol's name is needed, so it
 * holds for every patch release; code of another shape is refused.
 */
#pragma once

#include "pyext/standard_tracer.h"

#if MW_HAS_STANDARD_TRACER

typedef struct mw_tested_flag {
    int *flag;    /* what _Py_NewReference tests            */
    void *callee; /* what it calls then                     */
} mw_tested_flag;

/* Finds the flag and _PyTraceMalloc_NewReference, and looks that the latter reads the same
 * flag and that it is tracemalloc's.  Returns NULL, or why not: a static string. */
const char *mw_tested_flag_of_new_reference(mw_tested_flag *ret_tested);

/* Whether a function reads [flag] before it jumps or returns; debug builds assert first. */
bool mw_tested_flag_is_read(void *code, const int *flag);

#endif
