/* SPDX-License-Identifier: MIT
 *
 * Durations and sizes as people write them, "10s", "1h30m", "64MiB", and back.  Nothing
 * here knows a locale, and what is not wholly understood is refused.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* One or more numbers with a unit each, of ns, us, ms, s, m, h, d and w: "10s", "1.5h",
 * "1h30m".  A bare number has no meaning, except 0. */
bool mw_duration_parse(const char *text, uint64_t *ret_ns);

/* A number, perhaps with a unit: B; K, M, G, T and KiB, MiB, … are powers of 1024, KB, MB,
 * … of 1000; upper or lower case. */
bool mw_size_parse(const char *text, uint64_t *ret_bytes);

/* "5%", "0.5 %"; at least 0. */
bool mw_percent_parse(const char *text, double *ret_percent);

/* "0.4s", "12.3s", "2m03s", "1h05m", "3d04h". */
typedef struct mw_duration_text {
    char text[24];
} mw_duration_text;
mw_duration_text mw_duration_format(uint64_t ns);
