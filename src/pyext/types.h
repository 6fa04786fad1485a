/* SPDX-License-Identifier: MIT
 *
 * tracemalloc's types, in C.  Each is a heap type held in the module's state; here is
 * how C code makes their objects and looks into them.
 */
#pragma once

#include <Python.h>

#include "core/group.h"
#include "core/snapshot.h"
#include "pyext/faces.h"
#include "pyext/module_state.h"

/* Creates every type, fills [state] and adds the types to [module].  Returns 0, or -1
 * with an exception. */
int mw_types_add(PyObject *module, mw_module_state *state);
/* For the module's m_traverse and m_clear. */
int mw_types_traverse(mw_module_state *state, visitproc visit, void *arg);
void mw_types_clear(mw_module_state *state);

/* One creator per source file of types; each returns 0, or -1 with an exception. */
int mw_frame_type_add(PyObject *module, mw_module_state *state);
int mw_traceback_type_add(PyObject *module, mw_module_state *state);
int mw_trace_type_add(PyObject *module, mw_module_state *state);
int mw_traces_type_add(PyObject *module, mw_module_state *state);
int mw_statistic_types_add(PyObject *module, mw_module_state *state);
int mw_filter_types_add(PyObject *module, mw_module_state *state);
int mw_snapshot_type_add(PyObject *module, mw_module_state *state);

/* The context manager behind memwhy.region, which needs no state, and get_regions(). */
int mw_region_type_add(PyObject *module);

/* Makes a type from [spec] with [base] (NULL for object), sets *ret_type and adds it to
 * [module] under its own name. */
int mw_type_add(PyObject *module, PyType_Spec *spec, PyTypeObject *base, PyTypeObject **ret_type);
/* Registers [type] with collections.abc.Sequence and gives it the methods that a
 * subclass of Sequence inherits. */
int mw_type_make_sequence(PyTypeObject *type);

/* ── slots of the record types ───────────────────────────────────────────────────── */

/* [NAMES] is what the standard type has not: for a Frame a pair (function, module), each
 * a str or None; or a triple whose third says that the file name is only a label.  For a
 * Traceback and a Trace a tuple of such pairs in the order of their frames. */
enum { MW_FRAME_PAIR, MW_FRAME_NAMES, MW_FRAME_SLOTS };
enum { MW_TRACEBACK_FRAMES, MW_TRACEBACK_TOTAL, MW_TRACEBACK_NAMES, MW_TRACEBACK_SLOTS };
enum { MW_TRACE_RAW, MW_TRACE_NAMES, MW_TRACE_SLOTS };
/* [RANGES] stands behind the slots that the standard type has: of an estimate a tuple with
 * an interval (low, high) for each number, in their order. */
enum {
    MW_STATISTIC_TRACEBACK,
    MW_STATISTIC_SIZE,
    MW_STATISTIC_COUNT,
    MW_STATISTIC_RANGES,
    MW_STATISTIC_SLOTS
};
enum {
    MW_DIFF_TRACEBACK,
    MW_DIFF_SIZE,
    MW_DIFF_SIZE_DIFF,
    MW_DIFF_COUNT,
    MW_DIFF_COUNT_DIFF,
    MW_DIFF_RANGES,
    MW_DIFF_SLOTS
};

/* ── making objects ──────────────────────────────────────────────────────────────── */

/* All return a new reference, or NULL with an exception.  What is taken is released on
 * failure too, and may itself be NULL with an exception set. */
PyObject *mw_frame_object_new(mw_module_state *state, PyObject *pair_take, PyObject *names_take);
/* [frames] and [names] from the oldest frame to the most recent; [names] NULL where
 * nothing is known, [total] NULL for None. */
PyObject *mw_traceback_object_new(mw_module_state *state, PyObject *frames_take,
                                  PyObject *total_take, PyObject *names_take);
/* One whose frames are made when they are looked at; it keeps [faces], and so the tables of
 * the snapshot, alive. */
PyObject *mw_traceback_object_lazy(mw_module_state *state, mw_faces *faces, mw_traceback traceback);
PyObject *mw_trace_object_new(mw_module_state *state, PyObject *raw_take, PyObject *names);
PyObject *mw_snapshot_object_new(mw_module_state *state, mw_snapshot *snapshot_take);
PyObject *mw_traces_object_new(mw_module_state *state, mw_snapshot *snapshot_take);
PyObject *mw_traceback_object_from_snapshot(mw_module_state *state, mw_snapshot *snapshot,
                                            mw_traceback traceback);
/* The raw tuples (domain, size, ((filename, lineno), …), total_nframe) of every block,
 * most recent frame first; equal tracebacks are one tuple object. */
PyObject *mw_raw_traces_list(mw_module_state *state, mw_snapshot *snapshot);
/* The frames of the only trace of [snapshot_take], which is released in every case. */
PyObject *mw_raw_traces_frames(mw_module_state *state, mw_snapshot *snapshot_take);

/* ── looking into them ───────────────────────────────────────────────────────────── */

/* The tables behind a _Traces object (or any other object).  Returns 1 with *ret_faces to
 * be released; 0 when there are none, because its traces do not fit into tables; -1 with
 * an exception. */
int mw_traces_open(mw_module_state *state, PyObject *traces, mw_faces **ret_faces);

/* ── rows ────────────────────────────────────────────────────────────────────────── */

/* A list of Statistic, or of StatisticDiff, one per row in the order of the rows, which
 * refer to the tables of the faces. */
PyObject *mw_statistics_list(mw_module_state *state, const mw_rows *rows, mw_faces *faces);
PyObject *mw_statistic_diffs_list(mw_module_state *state, const mw_rows *rows, mw_faces *older,
                                  mw_faces *newer);

/* What tracemalloc's rules leave of the tables, for a non-empty iterable of filters.
 * Returns 1 with *ret_snapshot for the caller to release; 0 when only a look at each
 * single trace can tell; -1 with an exception. */
int mw_filter_traces(mw_module_state *state, mw_faces *faces, PyObject *filters,
                     mw_snapshot **ret_snapshot);
