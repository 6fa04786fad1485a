/* SPDX-License-Identifier: MIT
 *
 * Sampling for production: starting and stopping it, and the functions of memwhy._memwhy
 * that ask for samples.  It is independent of exact tracing, which may be started and
 * stopped on top of it.
 */
#pragma once

#include <Python.h>

#include "tracer/options.h"

/* Called once, at import: adds the functions to [module].  Returns 0, or -1 with an
 * exception. */
int mw_sampling_add(PyObject *module);

/* Samples a block per [sample_bytes] on average.  Does nothing when samples are taken
 * already.  Returns 0, or -1 with ValueError beyond MW_SAMPLE_BYTES_MAXIMUM, or
 * MemoryError. */
int mw_sampling_start(uint64_t sample_bytes, const mw_tracer_options *options);
/* Ends sampling and forgets all samples.  Does nothing when none are taken. */
void mw_sampling_stop(void);
/* The mean distance of samples; 0 when none are taken. */
uint64_t mw_sampling_bytes(void);

size_t mw_sampling_memory_bytes(void);
/* The interpreter is shutting down: as mw_allocator_hooks_retire(). */
void mw_sampling_retire(void);
