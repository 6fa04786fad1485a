/* SPDX-License-Identifier: MIT
 *
 * A snapshot's tables as a compact state.  The blocks lead: a site gets its number when
 * a run names it, a path when a site does, and so on down to strings.
 */
#include "pyext/compact_state.h"

#include <string.h>

#include "core/snapshot_tables.h"
#include "pyext/compact_rows.h"
#include "pyext/raise.h"
#include "pyext/utf8.h"

/* Old handle → new number; 0 where it has none yet. */
typedef struct mw_numbering {
    uint32_t *numbers;
    uint32_t capacity;
    uint32_t last; /* the highest number given */
} mw_numbering;

/* Rows written so far. */
typedef struct row_list {
    char *bytes;
    uint32_t count, capacity;
    uint32_t row_bytes;
} row_list;

typedef struct mw_encoder {
    mw_snapshot *snapshot; /* borrowed */
    mw_numbering strings, frames, paths, sites, threads;
    row_list frame_rows, path_rows, site_rows, run_rows, allocated_rows;
    row_list chain;         /* uint32 handles of paths that wait for their callers' numbers */
    PyObject *texts;        /* list of str */
    PyObject *thread_texts; /* likewise    */
} mw_encoder;

/* Lends the place of [handle], or NULL with MemoryError. */
static uint32_t *number_of(mw_numbering *numbering, uint32_t handle)
{
    while (numbering->capacity <= handle) {
        mw_status status =
            mw_alloc_grow(mw_alloc_system(), &numbering->numbers, numbering->capacity,
                          &numbering->capacity, sizeof(uint32_t), UINT32_MAX);
        if (status != MW_OK) {
            mw_raise(status, NULL);
            return NULL;
        }
    }
    return &numbering->numbers[handle];
}

static bool append_row(row_list *rows, const void *row)
{
    mw_status status = mw_alloc_grow(mw_alloc_system(), &rows->bytes, rows->count, &rows->capacity,
                                     rows->row_bytes, UINT32_MAX);
    if (status != MW_OK) {
        mw_raise(status, NULL);
        return false;
    }
    memcpy(rows->bytes + (size_t)rows->count * rows->row_bytes, row, rows->row_bytes);
    rows->count++;
    return true;
}

static bool append_text(PyObject *list, const char *bytes, size_t length)
{
    PyObject *text = mw_utf8_to_str(bytes, length);
    bool appended = text != NULL && PyList_Append(list, text) == 0;

    Py_XDECREF(text);
    return appended;
}

/* Each of these sets *ret_number and writes the row if it is not written yet. */

static bool encode_string(mw_encoder *encoder, mw_string string, uint32_t *ret_number)
{
    size_t length;
    const char *bytes = mw_snapshot_string(encoder->snapshot, string, &length);
    uint32_t *number = number_of(&encoder->strings, string.index);

    if (number == NULL)
        return false;
    if (*number == 0 && length > 0) {
        if (!append_text(encoder->texts, bytes, length))
            return false;
        *number = ++encoder->strings.last;
    }
    *ret_number = *number;
    return true;
}

static bool encode_frame(mw_encoder *encoder, mw_frame frame, uint32_t *ret_number)
{
    uint32_t *number = number_of(&encoder->frames, frame.index);
    if (number == NULL)
        return false;

    if (*number == 0) {
        mw_frame_row row = mw_snapshot_frame(encoder->snapshot, frame);
        mw_compact_frame compact = {.line = row.line};
        if (!encode_string(encoder, row.file, &compact.file) ||
            !encode_string(encoder, row.function, &compact.function) ||
            !encode_string(encoder, row.module, &compact.module) ||
            !append_row(&encoder->frame_rows, &compact))
            return false;
        *number = ++encoder->frames.last;
    }
    *ret_number = *number;
    return true;
}

/* Puts [path] and its callers up to one that has a number on the chain. */
static bool collect_chain(mw_encoder *encoder, mw_path path, uint32_t *ret_number)
{
    for (;; path = mw_snapshot_path_caller(encoder->snapshot, path)) {
        uint32_t *number = number_of(&encoder->paths, path.index);
        if (number == NULL)
            return false;
        if (path.index == 0 || *number != 0) {
            *ret_number = *number;
            return true;
        }
        if (!append_row(&encoder->chain, &path.index))
            return false;
    }
}

/* Paths can be deep, so this is a loop: up to a known caller, then back down. */
static bool encode_path(mw_encoder *encoder, mw_path path, uint32_t *ret_number)
{
    mw_compact_path row;

    encoder->chain.count = 0;
    if (!collect_chain(encoder, path, &row.caller))
        return false;
    for (uint32_t i = encoder->chain.count; i > 0; i--) {
        uint32_t handle;
        memcpy(&handle, encoder->chain.bytes + (i - 1) * sizeof handle, sizeof handle);
        mw_frame frame = mw_snapshot_path_frame(encoder->snapshot, (mw_path){handle});
        if (!encode_frame(encoder, frame, &row.frame) || !append_row(&encoder->path_rows, &row))
            return false;
        row.caller = ++encoder->paths.last;
        encoder->paths.numbers[handle] = row.caller;
    }
    *ret_number = row.caller;
    return true;
}

static bool encode_thread(mw_encoder *encoder, mw_thread thread, uint32_t *ret_number)
{
    uint32_t *number = number_of(&encoder->threads, thread.index);
    if (number == NULL)
        return false;

    if (*number == 0 && thread.index != 0) {
        const char *name = mw_snapshot_thread_name(encoder->snapshot, thread);
        if (!append_text(encoder->thread_texts, name, strlen(name)))
            return false;
        *number = ++encoder->threads.last;
    }
    *ret_number = *number;
    return true;
}

static bool encode_site(mw_encoder *encoder, mw_site site, uint64_t *ret_number)
{
    uint32_t *number = number_of(&encoder->sites, site.index);
    if (number == NULL)
        return false;

    if (*number == 0) {
        mw_site_row row = mw_snapshot_site(encoder->snapshot, site);
        mw_compact_site compact = {.domain = row.domain};
        compact.total_frames = mw_snapshot_traceback(encoder->snapshot, row.traceback).total_frames;
        if (!encode_path(encoder, row.path, &compact.path) ||
            !encode_thread(encoder, row.thread, &compact.thread) ||
            !append_row(&encoder->site_rows, &compact))
            return false;
        *number = ++encoder->sites.last;
    }
    *ret_number = *number;
    return true;
}

static bool encode_runs(mw_encoder *encoder)
{
    const mw_snapshot *snapshot = encoder->snapshot;

    for (uint32_t i = 0; i < snapshot->run_count; i++) {
        mw_compact_run compact = {.size_bytes = snapshot->runs[i].size_bytes,
                                  .blocks = mw_snapshot_run_blocks(snapshot, i)};
        if (!encode_site(encoder, snapshot->runs[i].site, &compact.site) ||
            !append_row(&encoder->run_rows, &compact))
            return false;
    }
    return true;
}

static bool encode_allocated(mw_encoder *encoder)
{
    const mw_snapshot *snapshot = encoder->snapshot;

    for (uint32_t site = 1; site <= mw_snapshot_site_count(snapshot); site++) {
        const mw_estimate *allocated = mw_snapshot_allocated(snapshot, (mw_site){site});
        mw_compact_allocated compact;
        if (allocated == NULL || allocated->blocks == 0)
            continue;
        compact = (mw_compact_allocated){.blocks = allocated->blocks,
                                         .bytes = allocated->bytes,
                                         .seen_blocks = allocated->seen_blocks,
                                         .seen_bytes = allocated->seen_bytes,
                                         .blocks_variance = allocated->blocks_variance,
                                         .bytes_variance = allocated->bytes_variance,
                                         .unseen_square = allocated->unseen_square};
        if (!encode_site(encoder, (mw_site){site}, &compact.site) ||
            !append_row(&encoder->allocated_rows, &compact))
            return false;
    }
    return true;
}

static PyObject *rows_as_bytes(const row_list *rows)
{
    return PyBytes_FromStringAndSize(rows->bytes,
                                     (Py_ssize_t)rows->count * (Py_ssize_t)rows->row_bytes);
}

/* The tuple of an exact snapshot, with the given version. */
static PyObject *make_tuple(const mw_encoder *encoder, int version)
{
    return Py_BuildValue("(iINNNNNN)", version,
                         (unsigned int)mw_snapshot_frame_limit(encoder->snapshot),
                         PyList_AsTuple(encoder->texts), rows_as_bytes(&encoder->frame_rows),
                         rows_as_bytes(&encoder->path_rows), PyList_AsTuple(encoder->thread_texts),
                         rows_as_bytes(&encoder->site_rows), rows_as_bytes(&encoder->run_rows));
}

static PyObject *make_sampled_tuple(const mw_encoder *encoder)
{
    PyObject *tuple = make_tuple(encoder, MW_COMPACT_VERSION_SAMPLED);
    PyObject *more =
        Py_BuildValue("(KN)", (unsigned long long)mw_snapshot_sample_bytes(encoder->snapshot),
                      rows_as_bytes(&encoder->allocated_rows));
    PyObject *whole = tuple != NULL && more != NULL ? PySequence_Concat(tuple, more) : NULL;

    Py_XDECREF(tuple);
    Py_XDECREF(more);
    return whole;
}

static void numbering_done(mw_numbering *numbering)
{
    mw_alloc_release(mw_alloc_system(), numbering->numbers, numbering->capacity * sizeof(uint32_t));
}

static void row_list_done(row_list *rows)
{
    mw_alloc_release(mw_alloc_system(), rows->bytes, (size_t)rows->capacity * rows->row_bytes);
}

static void encoder_done(mw_encoder *encoder)
{
    numbering_done(&encoder->strings);
    numbering_done(&encoder->frames);
    numbering_done(&encoder->paths);
    numbering_done(&encoder->sites);
    numbering_done(&encoder->threads);
    row_list_done(&encoder->frame_rows);
    row_list_done(&encoder->path_rows);
    row_list_done(&encoder->site_rows);
    row_list_done(&encoder->run_rows);
    row_list_done(&encoder->allocated_rows);
    row_list_done(&encoder->chain);
    Py_XDECREF(encoder->texts);
    Py_XDECREF(encoder->thread_texts);
    mw_snapshot_release(encoder->snapshot);
}

PyObject *mw_compact_state_encode(mw_snapshot *snapshot)
{
    mw_encoder encoder = {
        .snapshot = mw_snapshot_retain(snapshot),
        .frame_rows.row_bytes = sizeof(mw_compact_frame),
        .path_rows.row_bytes = sizeof(mw_compact_path),
        .site_rows.row_bytes = sizeof(mw_compact_site),
        .run_rows.row_bytes = sizeof(mw_compact_run),
        .allocated_rows.row_bytes = sizeof(mw_compact_allocated),
        .chain.row_bytes = sizeof(uint32_t),
        .texts = PyList_New(0),
        .thread_texts = PyList_New(0),
    };
    PyObject *tuple = NULL;

    if (encoder.texts != NULL && encoder.thread_texts != NULL && encode_runs(&encoder) &&
        encode_allocated(&encoder))
        tuple = mw_snapshot_sample_bytes(snapshot) != 0 ? make_sampled_tuple(&encoder)
                                                        : make_tuple(&encoder, MW_COMPACT_VERSION);
    encoder_done(&encoder);
    return tuple;
}
