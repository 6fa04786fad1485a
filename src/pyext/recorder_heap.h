/* SPDX-License-Identifier: MIT
 *
 * The recorder's heaps: who is forked under the GIL, and what is written without it.
 */
#pragma once

#include "tracer/recording.h"

#include <stdatomic.h>
#include <stdbool.h>

/* What of heaps a capture is to have. */
typedef struct mw_wanted_heaps {
    bool at_exit;
    int signal; /* on which there is one; 0: none            */
    bool hides_texts;
    const atomic_bool *given_up; /* borrowed; whether one that is under way is to be dropped */
} mw_wanted_heaps;

/* How the caller stands to the GIL. */
typedef enum mw_gil_of_caller { MW_GIL_IS_HELD, MW_GIL_IS_NOT_HELD } mw_gil_of_caller;

/* Looks at the heap in a forked child and writes it; the GIL is held for the fork alone.  On failure,
 * which comes with a sentence, the capture is as it was.  [ret_pause_ns] is how long the fork held
 * everybody up. */
mw_status mw_recorder_heap(mw_recording *recording, const mw_wanted_heaps *wanted,
                           uint64_t start_ns, mw_gil_of_caller gil, uint64_t *ret_pause_ns,
                           mw_error *reterr) MW_MUST_CHECK;
