/* SPDX-License-Identifier: MIT
 *
 * What was alive when the most was alive: copies of both lanes' sites and counters, made
 * out of line when live bytes exceed those of the last copy by one hundredth, and by
 * 64 KiB at least.  So a program that grows from 1 MiB to 1 GiB is copied some 700 times,
 * at 16 bytes a site, and the last copy has 99 % of the true peak or more; but where the peak
 * was made by a thread without the GIL, it is the copy of the next block that is recorded
 * with it, if the program still holds as much then.
 *
 * Guarded by the GIL.  Copies count in the tracer's budget; where memory is refused, the
 * former copy stays.
 */
#pragma once

#include "core/site_table.h"

enum { MW_PEAK_STEP_BYTES = 64 << 10, MW_PEAK_STEP_PART = 100 };

#define MW_PEAK_NEVER UINT64_MAX

typedef struct mw_peak {
    uint64_t threshold_bytes; /* of the next copy; MW_PEAK_NEVER: none is wanted           */
    uint64_t live_bytes;      /* of the copy; 0: there is none                             */
    uint64_t time_ns;         /* of the copy, on CLOCK_MONOTONIC                           */
    uint32_t copies;          /* made so far                                               */
    mw_site_table main;       /* owned                                                     */
    mw_site_table raw;        /* owned                                                     */
} mw_peak;
