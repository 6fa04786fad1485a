/* SPDX-License-Identifier: MIT */
#include "pyext/capture_read.h"

#include "capture/capture.h"
#include "pyext/raise.h"
#include "pyext/utf8.h"

#include <stdbool.h>
#include <string.h>

static PyObject *text(const char *bytes)
{
    return mw_utf8_to_str(bytes, strlen(bytes));
}

/* Appends [item], which is stolen and may be NULL with an exception. */
static int append(PyObject *list, PyObject *item)
{
    int status = item != NULL ? PyList_Append(list, item) : -1;

    Py_XDECREF(item);
    return status;
}

static PyObject *texts(const char *const *items, size_t count)
{
    PyObject *list = PyList_New(0);

    for (size_t i = 0; i < count && list != NULL; i++)
        if (append(list, text(items[i])) < 0)
            Py_CLEAR(list);
    return list;
}

/* ── the timeline ────────────────────────────────────────────────────────────────── */

static PyObject *program_of(const mw_program *program)
{
    return Py_BuildValue(
        "{s:N,s:N,s:N,s:N,s:N,s:N,s:N,s:L,s:L,s:K,s:K,s:K,s:I,s:N,s:N}", "name",
        text(program->name), "command_line", text(program->command_line), "directory",
        text(program->directory), "python", text(program->python), "executable",
        text(program->executable), "memwhy", text(program->memwhy), "host", text(program->host),
        "pid", (long long)program->pid, "parent_pid", (long long)program->parent_pid,
        "start_unix_ns", (unsigned long long)program->start_unix_ns, "memory_limit_bytes",
        (unsigned long long)program->memory_limit_bytes, "sample_bytes",
        (unsigned long long)program->sample_bytes, "frame_limit", program->frame_limit, "program",
        texts(program->program_places, program->program_place_count), "library",
        texts(program->library_places, program->library_place_count));
}

static PyObject *point_of(const mw_point *point)
{
    return Py_BuildValue(
        "{s:K,s:K,s:K,s:K,s:K,s:K,s:i}", "time_ns", (unsigned long long)point->time_ns, "rss",
        (unsigned long long)point->rss_bytes, "live", (unsigned long long)point->live_bytes, "peak",
        (unsigned long long)point->peak_bytes, "overhead",
        (unsigned long long)point->overhead_bytes, "lost", (unsigned long long)point->lost_blocks,
        "snapshot", (int)point->snapshot);
}

static PyObject *points_of(const mw_timeline *timeline)
{
    PyObject *list = PyList_New(0);

    for (size_t i = 0; i < timeline->point_count && list != NULL; i++)
        if (append(list, point_of(&timeline->points[i])) < 0)
            Py_CLEAR(list);
    return list;
}

static PyObject *children_of(const mw_timeline *timeline)
{
    PyObject *list = PyList_New(0);

    for (size_t i = 0; i < timeline->child_count && list != NULL; i++) {
        const mw_child *child = &timeline->children[i];

        if (append(list, Py_BuildValue("(KLN)", (unsigned long long)child->time_ns,
                                       (long long)child->pid, text(child->capture))) < 0)
            Py_CLEAR(list);
    }
    return list;
}

static PyObject *epochs_of(const mw_timeline *timeline)
{
    PyObject *list = PyList_New(0);

    for (size_t i = 0; i < timeline->epoch_count && list != NULL; i++)
        if (append(list, PyLong_FromUnsignedLongLong(timeline->epoch_starts_ns[i])) < 0)
            Py_CLEAR(list);
    return list;
}

/* ── snapshots ───────────────────────────────────────────────────────────────────── */

/* A capture that is being read.  All its snapshots share their tables, so a path that was made
 * for one is made for all. */
typedef struct reading {
    mw_capture *capture;
    PyObject *known; /* dict: number of a path → list of frames */
    bool only_last;  /* of the snapshots only the last has its sites; the others are None */
} reading;

static PyObject *make_frames(const mw_capture *capture, const mw_snapshot *snapshot, mw_path path)
{
    PyObject *list = PyList_New(0);

    for (; path.index != 0 && list != NULL; path = mw_snapshot_path_caller(snapshot, path)) {
        mw_frame_row row = mw_snapshot_frame(snapshot, mw_snapshot_path_frame(snapshot, path));
        const char *file = mw_snapshot_string(snapshot, row.file, NULL);
        size_t length = 0;
        const char *line = mw_capture_source_line(capture, file, row.line, &length);

        if (append(list, Py_BuildValue("(NiNz#)", text(file), (int)row.line,
                                       text(mw_snapshot_string(snapshot, row.function, NULL)), line,
                                       (Py_ssize_t)length)) < 0)
            Py_CLEAR(list);
    }
    return list;
}

/* The frames of a path, most recent first; a new reference. */
static PyObject *frames_of(const reading *self, const mw_snapshot *snapshot, mw_path path)
{
    PyObject *number = PyLong_FromUnsignedLong(path.index);
    PyObject *frames = number != NULL ? PyDict_GetItemWithError(self->known, number) : NULL;

    if (frames != NULL) {
        Py_INCREF(frames);
    } else if (number != NULL && !PyErr_Occurred()) {
        frames = make_frames(self->capture, snapshot, path);
        if (frames != NULL && PyDict_SetItem(self->known, number, frames) < 0)
            Py_CLEAR(frames);
    }
    Py_XDECREF(number);
    return frames;
}

static PyObject *site_of(const reading *self, const mw_snapshot *snapshot, mw_site_row row)
{
    return Py_BuildValue(
        "{s:N,s:I,s:N,s:I,s:K,s:K,s:K,s:K}", "frames", frames_of(self, snapshot, row.path),
        "domain", row.domain, "thread", text(mw_snapshot_thread_name(snapshot, row.thread)),
        "epoch", row.epoch, "bytes", (unsigned long long)row.live_bytes, "blocks",
        (unsigned long long)row.live_blocks, "total_bytes", (unsigned long long)row.total_bytes,
        "total_blocks", (unsigned long long)row.total_blocks);
}

/* The sites in which something is, or was, alive. */
static PyObject *sites_of(const reading *self, const mw_snapshot *snapshot)
{
    PyObject *list = PyList_New(0);

    for (uint32_t i = 1; i <= mw_snapshot_site_count(snapshot) && list != NULL; i++) {
        mw_site_row row = mw_snapshot_site(snapshot, (mw_site){i});

        if (row.live_blocks == 0 && row.total_blocks == 0)
            continue;
        if (append(list, site_of(self, snapshot, row)) < 0)
            Py_CLEAR(list);
    }
    return list;
}

static PyObject *snapshot_of(const reading *self, uint32_t number)
{
    mw_snapshot *snapshot;
    PyObject *sites;
    mw_error error;

    if (mw_capture_snapshot(self->capture, number, &snapshot, &error) != MW_OK)
        return mw_raise(error.status, &error);
    sites = sites_of(self, snapshot);
    mw_snapshot_release(snapshot);
    return sites;
}

static PyObject *snapshots_of(const reading *self)
{
    uint32_t count = mw_capture_snapshot_count(self->capture);
    PyObject *list = PyList_New(0);

    for (uint32_t number = 0; number < count && list != NULL; number++)
        if (append(list, self->only_last && number + 1 < count ? Py_NewRef(Py_None)
                                                               : snapshot_of(self, number)) < 0)
            Py_CLEAR(list);
    return list;
}

/* (point, sites), or None. */
static PyObject *peak_of(const reading *self)
{
    mw_snapshot *snapshot;
    mw_point point;
    PyObject *peak;
    mw_error error;
    mw_status status = mw_capture_peak(self->capture, &snapshot, &point, &error);

    if (status == MW_UNSUPPORTED)
        Py_RETURN_NONE;
    if (status != MW_OK)
        return mw_raise(status, &error);
    peak = Py_BuildValue("(NN)", point_of(&point), sites_of(self, snapshot));
    mw_snapshot_release(snapshot);
    return peak;
}

/* ── all of it ───────────────────────────────────────────────────────────────────── */

static PyObject *read_all(const reading *self)
{
    const mw_timeline *timeline = mw_capture_timeline(self->capture);

    return Py_BuildValue("{s:N,s:N,s:N,s:N,s:N,s:N,s:N,s:N}", "program",
                         program_of(&timeline->program), "points", points_of(timeline), "children",
                         children_of(timeline), "epochs", epochs_of(timeline), "exit_status",
                         timeline->ending == MW_ENDING_EXITED
                             ? PyLong_FromLong(timeline->exit_status)
                             : Py_NewRef(Py_None),
                         "is_truncated", PyBool_FromLong(mw_capture_is_truncated(self->capture)),
                         "snapshots", snapshots_of(self), "peak", peak_of(self));
}

static PyObject *read_capture(PyObject *module, PyObject *arguments)
{
    reading all = {0};
    PyObject *path;
    PyObject *bytes;
    PyObject *result = NULL;
    int only_last = 0;
    mw_error error;
    mw_status status;

    if (!PyArg_ParseTuple(arguments, "O|p:_read_capture", &path, &only_last) ||
        !PyUnicode_FSConverter(path, &bytes))
        return NULL;
    status = mw_capture_open(PyBytes_AS_STRING(bytes), mw_alloc_system(), &all.capture, &error);
    Py_DECREF(bytes);
    if (status != MW_OK)
        return mw_raise(status, &error);
    all.only_last = only_last != 0;
    all.known = PyDict_New();
    if (all.known != NULL)
        result = read_all(&all);
    Py_XDECREF(all.known);
    mw_capture_close(all.capture);
    return result;
}

PyDoc_STRVAR(read_capture_doc,
             "_read_capture($module, path, only_last=False, /)\n"
             "--\n\n"
             "For tests: all that is in a capture, as dicts and lists; each snapshot is a list\n"
             "of sites, or None where only the last is wanted.");

PyMethodDef mw_capture_read_methods[] = {
    {"_read_capture", read_capture, METH_VARARGS, read_capture_doc},
    {NULL, NULL, 0, NULL},
};
