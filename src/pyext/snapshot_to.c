/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "pyext/snapshot_to.h"

#include "pyext/program_argument.h"
#include "pyext/raise.h"
#include "pyext/recorder_look.h"
#include "pyext/recorder_source.h"
#include "pyext/tracing.h"
#include "tracer/process_look.h"
#include "tracer/recording.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* What one snapshot wants. */
typedef struct single {
    char path[PATH_MAX];
    char part[PATH_MAX + 32]; /* where it is written before it is renamed */
    mw_program program;
    mw_wanted_look wanted;
    mw_recorder_source source;
    mw_seen seen;
} single;

/* Written whole, then renamed.  Without the GIL. */
static mw_status write_single(single *self, mw_error *error)
{
    mw_capture_options options = {.source_line = mw_recorder_source_line, .context = &self->source};
    mw_recording recording;
    mw_look look;
    mw_status status = mw_recorder_develop(&self->seen);

    if (status != MW_OK)
        return mw_error_set(error, status, "There is no memory for a snapshot.");
    look = (mw_look){.snapshot = self->seen.snapshot, .point = self->seen.point};
    mw_source_files_init(&self->source.files, mw_alloc_system(), self->program.directory);
    mw_recording_init(&recording, mw_alloc_bursts(), self->part, &self->program, &options);
    status = mw_recording_look(&recording, &look, error);
    mw_recording_done(&recording);
    mw_source_files_done(&self->source.files);
    if (status == MW_OK && rename(self->part, self->path) != 0)
        status = mw_error_set(error, MW_IO, "%s while renaming to %s.", strerrordesc_np(errno),
                              self->path);
    if (status != MW_OK)
        (void)unlink(self->part);
    return status;
}

static PyObject *take_single(single *self)
{
    PyThreadState *thread;
    mw_error error;
    mw_quiet quiet;
    mw_status status;

    if (mw_recorded_now(&self->wanted.recorded) < 0 || mw_tracing_mend_hooks() < 0)
        return NULL;
    quiet = mw_quiet_enter();
    status = mw_recorder_look(&self->wanted, &self->seen);
    mw_quiet_leave(quiet);
    if (status != MW_OK)
        return mw_raise(status, NULL);
    mw_recorded_describe(self->wanted.recorded, &self->program);
    thread = PyEval_SaveThread();
    status = write_single(self, &error);
    PyEval_RestoreThread(thread);
    if (status != MW_OK)
        return mw_raise(status, &error);
    Py_RETURN_NONE;
}

PyObject *mw_snapshot_to(PyObject *module, PyObject *arguments)
{
    single *self = mw_alloc_new(mw_alloc_system(), sizeof *self);
    PyObject *path, *description;
    PyObject *result = NULL;

    if (self == NULL)
        return PyErr_NoMemory();
    /* All that is alive is of one epoch. */
    self->wanted.first_epoch = UINT32_MAX;
    self->wanted.start_ns = mw_process_clock_ns();
    if (!PyArg_ParseTuple(arguments, "OO!:_snapshot_to", &path, &PyDict_Type, &description) ||
        mw_recorder_copy_path(path, self->path, sizeof self->path) < 0 ||
        mw_recorder_check_place(self->path) < 0 ||
        mw_program_argument_init(&self->program, description) < 0)
        goto done;
    mw_recorder_name_part(self->path, self->part, sizeof self->part);
    result = take_single(self);

done:
    mw_seen_done(&self->seen);
    mw_program_argument_done(&self->program);
    mw_alloc_release(mw_alloc_system(), self, sizeof *self);
    return result;
}
