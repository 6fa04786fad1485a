/* SPDX-License-Identifier: MIT
 *
 * The arguments of start() → the tracer's options.
 */
#pragma once

#include <Python.h>

#include "pyext/module_state.h"
#include "tracer/tracer.h"

typedef struct mw_start_options {
    mw_tracer_options tracer; /* its filters lie in `natives`                       */
    uint64_t sample_bytes;    /* mean bytes from sample to sample; 0: every block   */
    size_t filter_count;
    struct mw_read_filter *filters; /* owned                                           */
    mw_filter *natives;             /* owned; borrow from `filters`                    */
} mw_start_options;

/* How many frames tracebacks are to keep; 0 with an exception. */
uint32_t mw_start_options_frame_limit(PyObject *number);

enum { MW_START_ARGUMENTS = 4 };

/* Reads nframe, filters, sample_bytes and max_overhead_bytes.  Returns 0, or -1 with
 * TypeError, ValueError or whatever an iterable raises; the options are to be released in
 * every case.
 *
 * Makes no object where the filters are a tuple: one that was made before the start, and
 * died after it, would lie in a free list and be unknown when it is born again. */
int mw_start_options_init(mw_start_options *options, mw_module_state *state,
                          PyObject *const *arguments);
void mw_start_options_done(mw_start_options *options); /* accepts a zeroed struct */
