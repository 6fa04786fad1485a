/* SPDX-License-Identifier: MIT
 *
 * tracemalloc's raw traces → a snapshot's tables.
 */
#pragma once

#include <Python.h>

#include "core/snapshot.h"

/* The most bytes and the most blocks that a snapshot made of someone's numbers may claim:
 * sums over every frame of every traceback then stay within 64 bits. */
#define MW_RAW_TOTAL_MAXIMUM ((uint64_t)1 << 47)

/* Builds a snapshot of a list or tuple of raw traces (domain, size, traceback,
 * total_nframe).  Returns 1 with *ret_snapshot for the caller to release; 0 when some
 * trace cannot be given back equal from the tables (odd types, negative sizes, no frames,
 * …); -1 with an exception. */
int mw_raw_traces_build(PyObject *traces, mw_snapshot **ret_snapshot);
