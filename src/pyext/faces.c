/* SPDX-License-Identifier: MIT
 *
 * Each table of the snapshot has a shelf: an array from handle to the object made for
 * it, which grows to the highest handle asked for.
 */
#include "pyext/faces.h"

#include "pyext/raise.h"
#include "pyext/utf8.h"

typedef struct mw_shelf {
    PyObject **items; /* owned references; NULL where nobody asked yet */
    uint32_t capacity;
} mw_shelf;

struct mw_faces {
    mw_snapshot *snapshot; /* one reference         */
    uint32_t references;   /* guarded by the GIL    */
    mw_shelf strings;      /* str                   */
    mw_shelf frames;       /* (filename, lineno)    */
    mw_shelf frame_names;  /* (function, module)    */
    mw_shelf tracebacks;   /* (frame, …)            */
    mw_shelf path_names;   /* (frame_name, …), None */
};

/* Returns where the object for [index] stands or will stand, or NULL with MemoryError. */
static PyObject **shelf_place(mw_shelf *shelf, uint32_t index)
{
    while (shelf->capacity <= index) {
        mw_status status = mw_alloc_grow(mw_alloc_system(), &shelf->items, shelf->capacity,
                                         &shelf->capacity, sizeof shelf->items[0], UINT32_MAX);
        if (status != MW_OK) {
            mw_raise(status, NULL);
            return NULL;
        }
    }
    return &shelf->items[index];
}

static void shelf_done(mw_shelf *shelf)
{
    for (uint32_t i = 0; i < shelf->capacity; i++)
        Py_XDECREF(shelf->items[i]);
    mw_alloc_release(mw_alloc_system(), shelf->items, shelf->capacity * sizeof shelf->items[0]);
}

mw_faces *mw_faces_new(mw_snapshot *snapshot_take)
{
    mw_faces *faces = mw_alloc_new(mw_alloc_system(), sizeof *faces);

    if (faces == NULL) {
        mw_snapshot_release(snapshot_take);
        PyErr_NoMemory();
        return NULL;
    }
    faces->snapshot = snapshot_take;
    faces->references = 1;
    return faces;
}

mw_faces *mw_faces_retain(mw_faces *faces)
{
    faces->references++;
    return faces;
}

void mw_faces_release(mw_faces *faces)
{
    if (faces == NULL || --faces->references > 0)
        return;
    shelf_done(&faces->strings);
    shelf_done(&faces->frames);
    shelf_done(&faces->frame_names);
    shelf_done(&faces->tracebacks);
    shelf_done(&faces->path_names);
    mw_snapshot_release(faces->snapshot);
    mw_alloc_release(mw_alloc_system(), faces, sizeof *faces);
}

mw_snapshot *mw_faces_snapshot(const mw_faces *faces)
{
    return faces->snapshot;
}

/* Puts [made] (or NULL with an exception) on its place and lends it.  If a finalizer that
 * ran meanwhile has put one there, that one stays, because it may be lent already. */
static PyObject *shelve(mw_shelf *shelf, uint32_t index, PyObject *made)
{
    PyObject **place = made != NULL ? shelf_place(shelf, index) : NULL;

    if (place == NULL || *place != NULL) {
        Py_XDECREF(made);
        return place != NULL ? *place : NULL;
    }
    *place = made;
    return made;
}

static PyObject *shelf_peek(const mw_shelf *shelf, uint32_t index)
{
    return index < shelf->capacity ? shelf->items[index] : NULL;
}

PyObject *mw_faces_string(mw_faces *faces, mw_string string)
{
    PyObject *known = shelf_peek(&faces->strings, string.index);
    if (known != NULL)
        return known;

    size_t length;
    const char *bytes = mw_snapshot_string(faces->snapshot, string, &length);
    return shelve(&faces->strings, string.index, mw_utf8_to_str(bytes, length));
}

PyObject *mw_faces_frame(mw_faces *faces, mw_frame frame)
{
    PyObject *known = shelf_peek(&faces->frames, frame.index);
    if (known != NULL)
        return known;

    mw_frame_row row = mw_snapshot_frame(faces->snapshot, frame);
    PyObject *file = mw_faces_string(faces, row.file);
    if (file == NULL)
        return NULL;
    return shelve(&faces->frames, frame.index, Py_BuildValue("(Oi)", file, (int)row.line));
}

static PyObject *fill_traceback(mw_faces *faces, mw_traceback_row row)
{
    PyObject *tuple = PyTuple_New((Py_ssize_t)row.frame_count);
    mw_path path = row.path;

    for (uint32_t i = 0; i < row.frame_count && tuple != NULL; i++) {
        PyObject *pair = mw_faces_frame(faces, mw_snapshot_path_frame(faces->snapshot, path));
        if (pair == NULL) {
            Py_CLEAR(tuple);
            break;
        }
        PyTuple_SET_ITEM(tuple, (Py_ssize_t)i, Py_NewRef(pair));
        path = mw_snapshot_path_caller(faces->snapshot, path);
    }
    return tuple;
}

PyObject *mw_faces_traceback(mw_faces *faces, mw_traceback traceback)
{
    PyObject *known = shelf_peek(&faces->tracebacks, traceback.index);
    if (known != NULL)
        return known;

    mw_traceback_row row = mw_snapshot_traceback(faces->snapshot, traceback);
    return shelve(&faces->tracebacks, traceback.index, fill_traceback(faces, row));
}

/* The name as a str, or None where it is unknown or empty; borrowed. */
static PyObject *name_or_none(mw_faces *faces, mw_string name)
{
    return name.index != 0 ? mw_faces_string(faces, name) : Py_None;
}

PyObject *mw_faces_frame_names(mw_faces *faces, mw_frame frame)
{
    PyObject *known = shelf_peek(&faces->frame_names, frame.index);
    if (known != NULL)
        return known;

    mw_frame_row row = mw_snapshot_frame(faces->snapshot, frame);
    PyObject *function = name_or_none(faces, row.function);
    PyObject *module = function != NULL ? name_or_none(faces, row.module) : NULL;
    if (module == NULL)
        return NULL;
    return shelve(&faces->frame_names, frame.index, PyTuple_Pack(2, function, module));
}

static bool path_has_names(const mw_snapshot *snapshot, mw_path path, uint32_t frame_count)
{
    for (uint32_t i = 0; i < frame_count; i++) {
        mw_frame_row row = mw_snapshot_frame(snapshot, mw_snapshot_path_frame(snapshot, path));
        if (row.function.index != 0 || row.module.index != 0)
            return true;
        path = mw_snapshot_path_caller(snapshot, path);
    }
    return false;
}

/* What [pair_of] says of each of the [frame_count] most recent frames of [path], as a tuple,
 * the oldest first. */
static PyObject *oldest_first(mw_faces *faces, mw_path path, uint32_t frame_count,
                              PyObject *(*pair_of)(mw_faces *, mw_frame))
{
    PyObject *tuple = PyTuple_New((Py_ssize_t)frame_count);

    for (Py_ssize_t i = (Py_ssize_t)frame_count - 1; i >= 0 && tuple != NULL; i--) {
        PyObject *pair = pair_of(faces, mw_snapshot_path_frame(faces->snapshot, path));
        if (pair == NULL) {
            Py_CLEAR(tuple);
            break;
        }
        PyTuple_SET_ITEM(tuple, i, Py_NewRef(pair));
        path = mw_snapshot_path_caller(faces->snapshot, path);
    }
    return tuple;
}

static PyObject *fill_names(mw_faces *faces, mw_path path, uint32_t frame_count)
{
    if (!path_has_names(faces->snapshot, path, frame_count))
        return Py_NewRef(Py_None);
    return oldest_first(faces, path, frame_count, mw_faces_frame_names);
}

PyObject *mw_faces_names(mw_faces *faces, mw_path path, mw_traceback traceback)
{
    PyObject *known = shelf_peek(&faces->path_names, path.index);
    if (known != NULL)
        return known;

    /* All tracebacks of a path are cut to the same length, so the path is key enough. */
    mw_traceback_row row = mw_snapshot_traceback(faces->snapshot, traceback);
    return shelve(&faces->path_names, path.index, fill_names(faces, path, row.frame_count));
}

PyObject *mw_faces_make_frames(mw_faces *faces, mw_traceback traceback)
{
    mw_traceback_row row = mw_snapshot_traceback(faces->snapshot, traceback);

    return oldest_first(faces, row.path, row.frame_count, mw_faces_frame);
}

PyObject *mw_faces_make_names(mw_faces *faces, mw_traceback traceback)
{
    mw_traceback_row row = mw_snapshot_traceback(faces->snapshot, traceback);

    return fill_names(faces, row.path, row.frame_count);
}

PyObject *mw_faces_raw_trace(mw_faces *faces, mw_site site, uint64_t size_bytes)
{
    mw_site_row row = mw_snapshot_site(faces->snapshot, site);
    uint32_t total = mw_snapshot_traceback(faces->snapshot, row.traceback).total_frames;
    PyObject *traceback = mw_faces_traceback(faces, row.traceback);

    if (traceback == NULL)
        return NULL;
    if (total == MW_TOTAL_FRAMES_UNKNOWN)
        return Py_BuildValue("(IKOO)", (unsigned int)row.domain, (unsigned long long)size_bytes,
                             traceback, Py_None);
    return Py_BuildValue("(IKOI)", (unsigned int)row.domain, (unsigned long long)size_bytes,
                         traceback, (unsigned int)total);
}

PyObject *mw_faces_raw_traces(mw_faces *faces)
{
    uint64_t count = mw_snapshot_block_count(faces->snapshot);
    PyObject *list = PyList_New((Py_ssize_t)count);

    for (uint64_t i = 0; i < count && list != NULL; i++) {
        mw_site site;
        uint64_t size_bytes;
        mw_snapshot_block(faces->snapshot, i, &site, &size_bytes);
        PyObject *raw = mw_faces_raw_trace(faces, site, size_bytes);
        if (raw == NULL)
            Py_CLEAR(list);
        else
            PyList_SET_ITEM(list, (Py_ssize_t)i, raw);
    }
    return list;
}
