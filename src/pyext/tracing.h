/* SPDX-License-Identifier: MIT
 *
 * The functions of tracemalloc, on the tracer.  One table of methods for module.c.
 */
#pragma once

#include <Python.h>
#include <stdbool.h>

extern PyMethodDef mw_tracing_methods[];

/* Those of them that sampling.c answers where there are samples instead. */
PyObject *mw_tracing_stop(PyObject *module, PyObject *ignored);
PyObject *mw_tracing_clear_traces(PyObject *module, PyObject *ignored);
PyObject *mw_tracing_get_traced_memory(PyObject *module, PyObject *ignored);
PyObject *mw_tracing_reset_peak(PyObject *module, PyObject *ignored);
PyObject *mw_tracing_get_lost(PyObject *module, PyObject *ignored);
PyObject *mw_tracing_take_snapshot(PyObject *module, PyObject *ignored);

/* The snapshot of one block, to be released; NULL without an exception when it is not
 * known. */
struct mw_snapshot *mw_tracing_snapshot_block(unsigned int domain, uintptr_t address);
/* The same without regions. */
struct mw_snapshot *mw_tracing_plain_snapshot_block(unsigned int domain, uintptr_t address);

/* Puts our hooks back where somebody has taken them out; whether it had to. */
bool mw_tracing_mend_hooks_silently(void);
/* The same, and warns: 0, or -1 with the warning
 * as an exception. */
int mw_tracing_mend_hooks(void);

/* Bytes that memwhy itself holds.  The GIL is held. */
size_t mw_tracing_overhead_bytes(void);

/* Called once at import: self-checks, and what must be there before the first hook.
 * Returns 0, or -1 with an exception. */
int mw_tracing_init(void);
