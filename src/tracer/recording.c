/* SPDX-License-Identifier: MIT */
#include "tracer/recording.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* ── life ────────────────────────────────────────────────────────────────────────── */

void mw_recording_init(mw_recording *recording, mw_alloc *alloc, const char *path,
                       const mw_program *program, const mw_capture_options *options)
{
    *recording = (mw_recording){.alloc = alloc,
                                .path = path,
                                .children_path = path,
                                .program = program,
                                .options = *options};
}

void mw_recording_done(mw_recording *recording)
{
    if (recording->alloc == NULL)
        return;
    mw_capture_writer_free(recording->writer);
    mw_alloc_release(recording->alloc, recording->epoch_starts_ns,
                     recording->epoch_capacity * sizeof *recording->epoch_starts_ns);
    mw_alloc_release(recording->alloc, recording->children,
                     recording->child_capacity * sizeof *recording->children);
    *recording = (mw_recording){0};
}

mw_status mw_recording_open(mw_recording *recording, mw_error *reterr)
{
    mw_status status;

    if (recording->writer != NULL)
        return MW_OK;
    status = mw_capture_writer_new(recording->path, recording->program, &recording->options,
                                   recording->alloc, &recording->writer, reterr);
    if (status != MW_OK)
        recording->failures++;
    return status;
}

/* ── children ────────────────────────────────────────────────────────────────────── */

bool mw_recording_child_path(const char *path, pid_t pid, char *ret_path, size_t capacity)
{
    static const char ending[] = ".memwhy";
    size_t length = strlen(path);
    size_t stem = length;
    int written;

    if (length > sizeof ending - 1 && strcmp(path + length - (sizeof ending - 1), ending) == 0)
        stem = length - (sizeof ending - 1);
    written = snprintf(ret_path, capacity, "%.*s.%lld%s", (int)stem, path, (long long)pid, ending);
    return written > 0 && (size_t)written < capacity;
}

void mw_recording_await_child(mw_recording *recording, pid_t pid, uint64_t time_ns)
{
    if (mw_alloc_grow(recording->alloc, &recording->children, recording->child_count,
                      &recording->child_capacity, sizeof *recording->children,
                      MW_RECORDING_CHILDREN) != MW_OK)
        return;
    recording->children[recording->child_count++] = (mw_awaited_child){time_ns, pid};
}

/* What is known of a child that was started. */
typedef enum child_state { CHILD_WITHOUT_CAPTURE, CHILD_WITH_CAPTURE, CHILD_GONE } child_state;

static child_state look_at_child(const char *path, pid_t pid)
{
    struct stat info;

    if (stat(path, &info) == 0)
        return CHILD_WITH_CAPTURE;
    return kill(pid, 0) != 0 && errno == ESRCH ? CHILD_GONE : CHILD_WITHOUT_CAPTURE;
}

static mw_status tell_of_child(mw_recording *recording, const mw_awaited_child *awaited,
                               const char *path, mw_error *reterr)
{
    const char *slash = strrchr(path, '/');
    mw_child child = {.time_ns = awaited->time_ns,
                      .pid = awaited->pid,
                      .capture = slash != NULL ? slash + 1 : path};

    return mw_capture_writer_child(recording->writer, &child, reterr);
}

/* Tells of the children that have captures by now, and forgets those that will have none. */
static mw_status look_at_children(mw_recording *recording, mw_error *reterr)
{
    uint32_t kept = 0;
    mw_status status = MW_OK;

    for (uint32_t i = 0; i < recording->child_count; i++) {
        mw_awaited_child awaited = recording->children[i];
        child_state state = CHILD_GONE;
        char path[PATH_MAX];

        if (status == MW_OK &&
            mw_recording_child_path(recording->children_path, awaited.pid, path, sizeof path))
            state = look_at_child(path, awaited.pid);
        if (state == CHILD_WITH_CAPTURE)
            status = tell_of_child(recording, &awaited, path, reterr);
        if (state == CHILD_WITHOUT_CAPTURE || status != MW_OK)
            recording->children[kept++] = awaited;
    }
    recording->child_count = kept;
    return status;
}

/* ── epochs ──────────────────────────────────────────────────────────────────────── */

mw_status mw_recording_epoch(mw_recording *recording, uint64_t start_ns)
{
    mw_status status =
        mw_alloc_grow(recording->alloc, &recording->epoch_starts_ns, recording->epoch_count,
                      &recording->epoch_capacity, sizeof *recording->epoch_starts_ns, UINT16_MAX);

    if (status == MW_OK)
        recording->epoch_starts_ns[recording->epoch_count++] = start_ns;
    return status;
}

static mw_status name_epochs(mw_recording *recording, mw_error *reterr)
{
    uint32_t named = 0;
    mw_status status = MW_OK;

    while (named < recording->epoch_count && status == MW_OK) {
        status = mw_capture_writer_epoch(recording->writer, recording->named_epochs + 1,
                                         recording->epoch_starts_ns[named], reterr);
        if (status != MW_OK)
            break;
        recording->named_epochs++;
        named++;
    }
    recording->epoch_count -= named;
    if (named != 0)
        memmove(recording->epoch_starts_ns, recording->epoch_starts_ns + named,
                recording->epoch_count * sizeof *recording->epoch_starts_ns);
    return status;
}

/* ── looks ───────────────────────────────────────────────────────────────────────── */

static mw_status write_peak(mw_recording *recording, const mw_look *look, mw_error *reterr)
{
    mw_status status;

    if (look->peak == NULL)
        return MW_OK;
    status = mw_capture_writer_peak(recording->writer, look->peak, &look->peak_point, reterr);
    if (status == MW_OK)
        recording->peak_bytes = look->peak_point.live_bytes;
    return status;
}

static mw_status write_look(mw_recording *recording, const mw_look *look, mw_error *reterr)
{
    mw_status status;

    if (look->snapshot == NULL)
        return mw_capture_writer_point(recording->writer, &look->point, reterr);
    status = name_epochs(recording, reterr);
    if (status == MW_OK)
        status = look_at_children(recording, reterr);
    if (status == MW_OK)
        status = write_peak(recording, look, reterr);
    if (status == MW_OK)
        status =
            mw_capture_writer_snapshot(recording->writer, look->snapshot, &look->point, reterr);
    if (status == MW_OK)
        recording->snapshots++;
    return status;
}

mw_status mw_recording_look(mw_recording *recording, const mw_look *look, mw_error *reterr)
{
    mw_status status = mw_recording_open(recording, reterr);

    if (status != MW_OK)
        return status;
    status = write_look(recording, look, reterr);
    if (status != MW_OK)
        recording->failures++;
    return status;
}

/* ── heaps ───────────────────────────────────────────────────────────────────────── */

mw_status mw_recording_heap(mw_recording *recording, mw_record_type type, const mw_bytes *payload,
                            mw_error *reterr)
{
    mw_status status = mw_recording_open(recording, reterr);

    if (status == MW_OK)
        status = mw_capture_writer_heap(recording->writer, type, payload, reterr);
    if (status == MW_OK && type == MW_RECORD_HEAP)
        recording->heaps++;
    return status;
}

void mw_recording_drop_heap(mw_recording *recording)
{
    if (recording->writer != NULL)
        mw_capture_writer_drop_heap(recording->writer);
}

mw_status mw_recording_finish(mw_recording *recording, int exit_status, mw_error *reterr)
{
    mw_capture_writer *writer;
    mw_status status = mw_recording_open(recording, reterr);

    if (status != MW_OK)
        return status;
    status = look_at_children(recording, reterr);
    writer = recording->writer;
    recording->writer = NULL;
    if (status == MW_OK)
        status = mw_capture_writer_finish(writer, exit_status, reterr);
    mw_capture_writer_free(writer);
    return status;
}
