/* SPDX-License-Identifier: MIT
 *
 * 3.11 and 3.12: the standard tracemalloc's flag `tracing`, raised for our sake while the
 * standard module itself may not be tracing.
 *
 * Before 3.13 CPython tells of each object that is created, free lists included, only who
 * implements _PyTraceMalloc_NewReference, and only while that flag is set (it is tested
 * inline, in many places).  So we set it; and whoever else reads it must not be deceived:
 *
 *   _PyTraceMalloc_NewReference    comes to us: reuse_detour, reuse_lock
 *   functions of _tracemalloc      that read the flag are wrapped, in the module's own table
 *   (is_tracing, start, stop,      of methods: where the standard module is not tracing, the
 *   take_snapshot's, …)            flag is down while they run
 *   PyTraceMalloc_Track, _Untrack  comes to us: reuse_detour, capi_domains; else see
 *                                  `buffer` below
 *   _PyTraceMalloc_GetTraceback    finds an empty table, and returns None as it would
 *   _PyMem_DumpTraceback           as above; so the report of a fatal memory error (debug
 *                                  hooks) lacks the line that advises to enable tracemalloc
 *   _PyTraceMalloc_Fini            at the very end of the interpreter: the flag is lowered at
 *                                  the beginning of its shutdown
 *
 * The buffer: PyTraceMalloc_Track, called without the GIL, reads the flag, waits for the
 * GIL, and then records in a buffer that the standard module makes when it is started.  A
 * thread may have entered it before any of the above stood in its way, and there is no
 * waiting for it to leave.  So the standard module is started behind the scene, as far as its
 * buffer, before the flag is raised for the first time, and keeps it when the flag is lowered:
 * then such a call merely records in vain.
 *
 * Guarded by the GIL, but for mw_standard_tracer_is_deceived().
 */
#pragma once

#include "pyext/compat.h"

#include <stdatomic.h>
#include <stdbool.h>

/* Whether _PyTraceMalloc_NewReference must be lent; PyRefTracer serves since 3.13.  And
 * whether it can be: where the flag is, is read from machine code. */
#if !PY_HAS_REF_TRACER && defined(__x86_64__)
#define MW_HAS_STANDARD_TRACER 1
#else
#define MW_HAS_STANDARD_TRACER 0
#endif

#if MW_HAS_STANDARD_TRACER

/* What the standard module does when it is asked by others than us. */
typedef enum mw_standard_state {
    MW_STANDARD_UNKNOWN, /* we do not follow it */
    MW_STANDARD_QUIET,
    MW_STANDARD_TRACING,
} mw_standard_state;

extern _Atomic mw_standard_state mw_the_standard_tracer __attribute__((visibility("hidden")));

/* Finds the functions of _tracemalloc, once, at import; they may be hidden later
 * (memwhy.tracemalloc.install).  Raises nothing: the flag cannot be raised then. */
void mw_standard_tracer_init(void);

/* Raises [flag], or returns why it must stay as it is: a static string. */
const char *mw_standard_tracer_raise(int *flag);
/* Leaves the flag as the standard module has it. */
void mw_standard_tracer_lower(void);
/* At the end of the interpreter, when no other thread can take the GIL any more: takes the
 * buffer back, and forgets whether the standard module is tracing. */
void mw_standard_tracer_retire(void);

/* Has CPython say that an object was created, for the proof that we are told; nothing is
 * allocated.  The object is not in any block. */
const PyObject *mw_standard_tracer_pretend_object(void);

/* Whether the standard module is not tracing, whatever its flag says.  False too where we
 * cannot tell, since we never raised its flag: then it says the truth.  Without the GIL too. */
static inline bool mw_standard_tracer_is_deceived(void)
{
    return atomic_load_explicit(&mw_the_standard_tracer, memory_order_relaxed) == MW_STANDARD_QUIET;
}

/* The object whose traceback somebody is asking the standard module for; NULL as a rule. */
const PyObject *mw_standard_tracer_asked(void);

#endif
