/* SPDX-License-Identifier: MIT
 *
 * A snapshot's tables ↔ the tuple that stands for them in a pickle.
 *
 *   (1, frame_limit, strings, frames, paths, threads, sites, runs)
 *   (2, the same …, sample_bytes, allocated)              of a sampled snapshot
 *
 * [strings] and [threads] are tuples of str, string 0 and thread 0 being left out; the
 * others are bytes: rows of little-endian integers, row 0 being left out:
 *
 *   frames   file, function, module: uint32 string numbers; line: int32
 *   paths    caller: uint32 number of an earlier path, or 0; frame: uint32
 *   sites    path, total frames (0: unknown), domain, thread: uint32
 *   runs     site, size in bytes, number of blocks: uint64
 *   allocated  site: uint64; blocks, bytes, seen blocks, seen bytes, and the variances of
 *            blocks and of bytes, sizes weighted by what is unseen: float64; see core/estimate.h
 *
 * It holds what the snapshot's blocks need and nothing else of the tables it shares.
 */
#pragma once

#include <Python.h>

#include "core/snapshot.h"

/* Returns the tuple, or NULL with an exception. */
PyObject *mw_compact_state_encode(mw_snapshot *snapshot);

/* The tuple is untrusted.  Returns a snapshot for the caller to release, or NULL with
 * ValueError where the tuple is not one that mw_compact_state_encode() makes. */
mw_snapshot *mw_compact_state_decode(PyObject *tuple);
