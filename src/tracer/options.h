/* SPDX-License-Identifier: MIT
 *
 * What whoever starts a tracing, exact or sampled, may ask for.
 */
#pragma once

#include "core/filter.h"

#include <stddef.h>
#include <stdint.h>

/* How a tracing is to be. */
typedef struct mw_tracer_options {
    uint32_t frame_limit;      /* of tracebacks in snapshots, at least 1               */
    size_t max_overhead_bytes; /* that the tracer may hold, see core/budget.h; 0: no bound */
    uint32_t filter_count;     /* of filters                                           */
    const mw_filter *filters;  /* borrowed for the call; blocks they do not admit are not
                                  recorded                                             */
} mw_tracer_options;
