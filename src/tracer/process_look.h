/* SPDX-License-Identifier: MIT
 *
 * What the system says of this process.  Each question opens a file, reads and closes it: a
 * daemon that closes every file it finds takes nothing away.
 */
#pragma once

#include <stdint.h>

/* Resident memory; 0: not known. */
uint64_t mw_process_rss_bytes(void);
/* The least limit of the control groups that the process is in; 0: none, or not known. */
uint64_t mw_process_memory_limit_bytes(void);
/* CLOCK_MONOTONIC. */
uint64_t mw_process_clock_ns(void);
/* Since 1970. */
uint64_t mw_process_unix_ns(void);
