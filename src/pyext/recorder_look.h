/* SPDX-License-Identifier: MIT
 *
 * One look at the process for a capture: what has to be copied while the GIL is held, and what
 * can be seen without it.
 */
#pragma once

#include "base/status.h"
#include "core/timeline.h"
#include "tracer/guard.h"

#include <Python.h>
#include <stdbool.h>

/* What of the tracers is recorded, for as long as a capture goes on. */
typedef enum mw_recorded { MW_RECORDED_EXACTLY, MW_RECORDED_BY_SAMPLES } mw_recorded;

/* A thread whose allocations are nobody's business, and what it was before. */
typedef struct mw_quiet {
    bool was_inside_tracer;
    bool was_inside_sampler;
} mw_quiet;

/* From here on nothing that this thread does is recorded, but what comes out of pymalloc's
 * pools: it makes no Python objects. */
mw_quiet mw_quiet_enter(void);
void mw_quiet_leave(mw_quiet quiet);

/* What is looked for. */
typedef struct mw_wanted_look {
    mw_recorded recorded;
    uint32_t first_epoch;        /* see mw_tracer_series_snapshot                           */
    uint64_t written_peak_bytes; /* a peak of so many bytes is known already            */
    bool wants_peak;
    uint64_t start_ns; /* of the capture, on CLOCK_MONOTONIC                       */
} mw_wanted_look;

/* What was seen, to be passed to mw_recorder_develop and mw_seen_done. */
typedef struct mw_seen {
    struct mw_series_copy *copy; /* of which the snapshots are made; NULL: they are there      */
    struct mw_snapshot *snapshot;
    mw_point point;
    struct mw_snapshot *peak; /* NULL: none that is new */
    mw_point peak_point;
    bool has_new_peak; /* the copy has one                                       */
    bool was_deaf;     /* somebody had taken our hooks out; they are back */
} mw_seen;

/* At import: makes what looks need of Python's objects, so that no look has to.  Returns 0, or -1
 * with an exception. */
int mw_recorder_look_init(PyObject *module);

/* Which of the tracers there is to record.  Returns 0, or -1 with RuntimeError if none. */
int mw_recorded_now(mw_recorded *ret_recorded);
/* Fills in what is known of the process and the tracing now, but for who the parent is. */
void mw_recorded_describe(mw_recorded recorded, mw_program *program);
/* The file system's bytes of a path, into [capacity].  Returns 0, or -1 with an exception. */
int mw_recorder_copy_path(PyObject *path, char *ret_path, size_t capacity);
/* Whether a file may be renamed to [path]: not if that would put it in the place of a device or a
 * pipe.  Returns 0, or -1 with OSError. */
int mw_recorder_check_place(const char *path);
/* Where what is to be at [path] is written first.  Several threads may write to one place at once,
 * each whole: the last one stays. */
void mw_recorder_name_part(const char *path, char *ret_part, size_t capacity);
/* The epoch in which blocks are born now. */
uint32_t mw_recorded_epoch(mw_recorded recorded);
/* Begins the next; MW_LIMIT or MW_NO_MEMORY leaves all as it was.  Quiet, under the GIL. */
mw_status mw_recorded_begin_epoch(mw_recorded recorded) MW_MUST_CHECK;

/* Quiet, under the GIL, for no longer than copying takes.  MW_UNSUPPORTED if there is no tracing
 * any more. */
mw_status mw_recorder_look(const mw_wanted_look *wanted, mw_seen *ret_seen) MW_MUST_CHECK;
/* Makes the snapshots of what was seen; without the GIL. */
mw_status mw_recorder_develop(mw_seen *seen) MW_MUST_CHECK;
void mw_seen_done(mw_seen *seen); /* accepts a zeroed struct */
/* What can be seen without the GIL; the rest is as in [last]. */
mw_point mw_recorder_glance(const mw_wanted_look *wanted, const mw_point *last);
