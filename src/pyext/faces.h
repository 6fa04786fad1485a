/* SPDX-License-Identifier: MIT
 *
 * The Python face of a snapshot's tables: a str per string, a tuple per frame and per
 * traceback, each made when it is first asked for and then shared.  So a file name is
 * one object however many frames name it, and equal tracebacks are one tuple.
 *
 * Costs by what was asked for: strings, frames and tracebacks, never by blocks.  Shared
 * by reference count, under the GIL.
 */
#pragma once

#include <Python.h>

#include "core/snapshot.h"

typedef struct mw_faces mw_faces;

/* Takes the caller's reference to [snapshot], also on failure (NULL with MemoryError). */
mw_faces *mw_faces_new(mw_snapshot *snapshot_take);
mw_faces *mw_faces_retain(mw_faces *faces);
void mw_faces_release(mw_faces *faces); /* accepts NULL */

mw_snapshot *mw_faces_snapshot(const mw_faces *faces);

/* Borrowed, alive as long as the faces; NULL with an exception. */
PyObject *mw_faces_string(mw_faces *faces, mw_string string);
PyObject *mw_faces_frame(mw_faces *faces, mw_frame frame);
/* ((filename, lineno), …), the most recent frame first. */
PyObject *mw_faces_traceback(mw_faces *faces, mw_traceback traceback);
/* ((function, module), …) of the frames that [traceback] keeps of [path], from the oldest
 * to the most recent, or None where none of them is known. */
PyObject *mw_faces_names(mw_faces *faces, mw_path path, mw_traceback traceback);

/* The same of frames and names, but new tuples that nobody keeps, both from the oldest frame
 * to the most recent: a deep stack with a live block at each level has as many tracebacks
 * as frames, and keeping them all would cost the square of its depth. */
PyObject *mw_faces_make_frames(mw_faces *faces, mw_traceback traceback);
PyObject *mw_faces_make_names(mw_faces *faces, mw_traceback traceback);
/* Of one frame. */
PyObject *mw_faces_frame_names(mw_faces *faces, mw_frame frame);

/* A new raw tuple (domain, size, traceback, total_nframe). */
PyObject *mw_faces_raw_trace(mw_faces *faces, mw_site site, uint64_t size_bytes);
/* The list of them all, in order. */
PyObject *mw_faces_raw_traces(mw_faces *faces);
