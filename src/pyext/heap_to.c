/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "pyext/heap_to.h"

#include "pyext/heap_capture.h"
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

/* How long the parent waits before it looks at Python's signals again. */
enum { PATIENCE_MS = 200 };

typedef struct heap_file {
    char path[PATH_MAX];
    char part[PATH_MAX + 16]; /* where it is written before it is renamed */
    mw_program program;
    mw_wanted_look wanted;
    mw_recorder_source source;
    mw_seen seen;
    bool is_traced;
    mw_recording recording;
    mw_heap_capture capture;
    mw_error error;
} heap_file;

static mw_status append(void *context, mw_record_type type, const mw_bytes *payload,
                        mw_error *reterr)
{
    return mw_recording_heap(context, type, payload, reterr);
}

/* What is seen at the same moment as the heap.  Returns 0, or -1 with an exception. */
static int look(heap_file *self)
{
    mw_quiet quiet;
    mw_status status;

    self->is_traced = mw_recorded_now(&self->wanted.recorded) == 0;
    PyErr_Clear();
    mw_recorded_describe(self->wanted.recorded, &self->program);
    if (!self->is_traced)
        return 0;
    if (mw_tracing_mend_hooks() < 0)
        return -1;
    quiet = mw_quiet_enter();
    status = mw_recorder_look(&self->wanted, &self->seen);
    mw_quiet_leave(quiet);
    if (status == MW_OK)
        return 0;
    mw_raise(status, NULL);
    return -1;
}

/* Makes the file, with the snapshot.  Without the GIL. */
static mw_status begin_file(heap_file *self)
{
    mw_look first;
    mw_status status;

    if (!self->is_traced)
        return mw_recording_open(&self->recording, &self->error);
    status = mw_recorder_develop(&self->seen);
    if (status != MW_OK)
        return mw_error_set(&self->error, status, "There is no memory for a snapshot.");
    first = (mw_look){.snapshot = self->seen.snapshot, .point = self->seen.point};
    return mw_recording_look(&self->recording, &first, &self->error);
}

/* Takes all records of the child, looking at signals from time to time.  Returns 0, or -1 with an
 * exception. */
static int follow(heap_file *self)
{
    bool is_done = false;
    mw_status status = MW_OK;

    while (status == MW_OK && !is_done) {
        Py_BEGIN_ALLOW_THREADS status = mw_heap_capture_take(
            &self->capture, PATIENCE_MS, append, &self->recording, &is_done, &self->error);
        Py_END_ALLOW_THREADS if (PyErr_CheckSignals() < 0) return -1;
        if (status == MW_BAD_INPUT)
            status = MW_OK;
    }
    if (status == MW_LIMIT)
        PyErr_SetString(PyExc_TimeoutError,
                        "looking at the heap took longer than the timeout; the child was ended, "
                        "and the program is not affected");
    else if (status == MW_NO_MEMORY)
        PyErr_SetString(PyExc_MemoryError, self->error.text);
    else if (status != MW_OK)
        mw_raise(status, &self->error);
    return status == MW_OK ? 0 : -1;
}

static int end_file(heap_file *self)
{
    mw_recording_done(&self->recording);
    if (rename(self->part, self->path) == 0)
        return 0;
    mw_raise(mw_error_set(&self->error, MW_IO, "%s while renaming to %s.", strerrordesc_np(errno),
                          self->path),
             &self->error);
    return -1;
}

static int write_file(heap_file *self, const mw_heap_dump_options *options, size_t memory_limit,
                      double timeout)
{
    const mw_capture_options file = {.source_line = mw_recorder_source_line,
                                     .context = &self->source};
    PyThreadState *thread;
    mw_status status;

    if (look(self) < 0)
        return -1;
    status = mw_heap_capture_fork(&self->capture, options, memory_limit, timeout, &self->error);
    if (status != MW_OK) {
        mw_raise(status, &self->error);
        return -1;
    }
    mw_source_files_init(&self->source.files, mw_alloc_system(), self->program.directory);
    mw_recording_init(&self->recording, mw_alloc_system(), self->part, &self->program, &file);
    thread = PyEval_SaveThread();
    status = begin_file(self);
    PyEval_RestoreThread(thread);
    if (status != MW_OK) {
        mw_raise(status, &self->error);
        return -1;
    }
    return follow(self) < 0 ? -1 : end_file(self);
}

PyObject *mw_heap_to(PyObject *module, PyObject *arguments, PyObject *keywords)
{
    static char *names[] = {"", "", "texts", "timeout", "memory_limit", NULL};
    heap_file *self = mw_alloc_new(mw_alloc_system(), sizeof *self);
    mw_heap_dump_options options = {0};
    PyObject *path, *description, *memory = NULL;
    int wants_texts = 1, result = -1;
    double timeout = MW_HEAP_CAPTURE_SECONDS;
    Py_ssize_t memory_limit = 0;

    if (self == NULL)
        return PyErr_NoMemory();
    self->wanted.first_epoch = UINT32_MAX;
    self->wanted.start_ns = mw_process_clock_ns();
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "OO!|pdn:_heap_to", names, &path,
                                     &PyDict_Type, &description, &wants_texts, &timeout,
                                     &memory_limit) ||
        mw_recorder_copy_path(path, self->path, sizeof self->path) < 0 ||
        mw_recorder_check_place(self->path) < 0 ||
        mw_program_argument_init(&self->program, description) < 0)
        goto done;
    mw_recorder_name_part(self->path, self->part, sizeof self->part);
    options.hides_texts = !wants_texts;
    result = write_file(self, &options, (size_t)memory_limit, timeout);
    if (result == 0)
        memory = PyLong_FromUnsignedLongLong(self->capture.memory_bytes);

done:
    if (self->capture.child.pid != 0)
        mw_heap_capture_done(&self->capture);
    mw_recording_done(&self->recording);
    mw_source_files_done(&self->source.files);
    if (result < 0 && self->part[0] != '\0')
        (void)unlink(self->part);
    mw_seen_done(&self->seen);
    mw_program_argument_done(&self->program);
    mw_alloc_release(mw_alloc_system(), self, sizeof *self);
    return memory;
}
