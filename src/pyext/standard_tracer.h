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
 *   PyTraceMalloc_Track, _Untrack  comes to us: reuse_detour; else see `buffer` below
 *   _PyTraceMalloc_GetTraceback    finds an empty table, and returns None as it would
 *   _PyMem_DumpTraceback           as above; so the report of a fatal memory error (debug
 *                                  hooks) lacks the line that advises to enable tracemalloc
 *   _PyTraceMalloc_Fini            at the very end of the interpreter: the flag is lowered at
 *                                  the beginning of its shutdown
 *
 * Guarded by the GIL, but for mw_standard_tracer_is_tracing().
 */
#pragma once

#include "pyext/compat.h"

#include <stdbool.h>

/* Whether _PyTraceMalloc_NewReference must be lent; PyRefTracer serves since 3.13.  And
 * whether it can be: where the flag is, is read from machine code. */
#if !PY_HAS_REF_TRACER && defined(__x86_64__)
#define MW_HAS_STANDARD_TRACER 1
#else
#define MW_HAS_STANDARD_TRACER 0
#endif

#if MW_HAS_STANDARD_TRACER

/* Finds the functions of _tracemalloc, once, at import; they may be hidden later
 * (memwhy.tracemalloc.install).  Raises nothing: the flag cannot be raised then. */
void mw_standard_tracer_init(void);

/* Looks whether the standard module is tracing, for whoever is told of objects before the
 * flag is raised. */
void mw_standard_tracer_look(const int *flag);
/* Raises [flag], or returns why it must stay as it is: a static string.  With [has_buffer]
 * the standard module is started behind the scene, as far as its buffer for tracebacks, so
 * that PyTraceMalloc_Track, which would crash without it, merely records in vain. */
const char *mw_standard_tracer_raise(int *flag, bool has_buffer);
/* Leaves the flag as the standard module has it. */
void mw_standard_tracer_lower(void);

/* Has CPython say that an object was created, for the proof that we are told; nothing is
 * allocated.  The object is not in any block. */
const PyObject *mw_standard_tracer_pretend_object(void);

/* Whether the standard module is tracing, whatever its flag says.  Without the GIL too. */
bool mw_standard_tracer_is_tracing(void);
/* Whether the flag is up, or about to be, and the standard module is not tracing. */
bool mw_standard_tracer_is_deceived(void);
/* The object whose traceback somebody is asking the standard module for; NULL as a rule. */
const PyObject *mw_standard_tracer_asked(void);

#endif
