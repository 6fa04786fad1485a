/* SPDX-License-Identifier: MIT
 *
 * What the extension module owns, once per interpreter: the types, and the names that
 * are looked up often.  There are no global Python objects; whoever has any object of
 * ours finds the state through mw_state_of().
 */
#pragma once

#include <Python.h>

/* Attribute names, interned once: X(identifier, text). */
#define MW_FOR_EACH_NAME(X)                                                                        \
    X(all_frames, "all_frames")                                                                    \
    X(count, "count")                                                                              \
    X(domain, "domain")                                                                            \
    X(filename, "filename")                                                                        \
    X(filename_pattern, "_filename_pattern")                                                       \
    X(filter_domain, "_domain")                                                                    \
    X(frame, "_frame")                                                                             \
    X(group_by, "_group_by")                                                                       \
    X(inclusive, "inclusive")                                                                      \
    X(lineno, "lineno")                                                                            \
    X(match, "_match")                                                                             \
    X(match_frame, "_match_frame")                                                                 \
    X(match_frame_impl, "_match_frame_impl")                                                       \
    X(match_traceback, "_match_traceback")                                                         \
    X(raw_traces, "_traces")                                                                       \
    X(raw_trace, "_trace")                                                                         \
    X(traceback_limit, "traceback_limit")                                                          \
    X(traces, "traces")

typedef struct mw_module_state {
    PyTypeObject *frame_type;
    PyTypeObject *traceback_type;
    PyTypeObject *trace_type;
    PyTypeObject *traces_type;
    PyTypeObject *statistic_type;
    PyTypeObject *statistic_diff_type;
    PyTypeObject *base_filter_type;
    PyTypeObject *filter_type;
    PyTypeObject *domain_filter_type;
    PyTypeObject *snapshot_type;
    struct {
#define X(identifier, text) PyObject *identifier;
        MW_FOR_EACH_NAME(X)
#undef X
    } names;
} mw_module_state;

/* Defined by module.c. */
extern struct PyModuleDef mw_module_definition;

/* The state of the module that made the type of [self] or one of its bases; NULL with an
 * exception when there is none. */
mw_module_state *mw_state_of(PyObject *self);
