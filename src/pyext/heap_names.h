/* SPDX-License-Identifier: MIT
 *
 * What people call the objects of a heap, and the references between them: `list(10)`,
 * `['/user/4000']`, `.data`.  Found out from the objects themselves when somebody asks, so
 * that the walk keeps no names.  Reads memory alone, as the walk does; no repr() runs.
 */
#pragma once

#include "pyext/heap_walk.h"

#include "capture/format.h"
#include "render/render.h"

/* `app.models.Row`; the builtins' types without their module. */
void mw_heap_write_type(const mw_heap *heap, uint32_t type, mw_sink *sink);
/* `dict(12000)`, `function handle.<locals>.on_close`, `'text'`, `frame run (app.py:12)`. */
void mw_heap_write_object(const mw_heap *heap, uint32_t node, mw_sink *sink);
/* How [from] refers to [to], as one would write it behind the name of [from]: `.data`,
 * `['key']`, `[3]`; in brackets where Python has no word for it: `(key 'a')`. */
void mw_heap_write_edge(const mw_heap *heap, uint32_t from, uint32_t to, mw_sink *sink);

/* The same in parts, for who has no nodes.  How an object is called, and how much is in it if that
 * is told; of MW_HEAP_TEXT_BEHIND tasks have a text that only their references tell. */
mw_heap_text mw_heap_text_of(const mw_heap_type *type, PyObject *object, uint64_t *ret_count);
void mw_heap_write_text(const mw_heap *heap, const mw_heap_type *type, PyObject *object,
                        mw_sink *sink);
void mw_heap_write_frame(const mw_py_frame *frame, mw_sink *sink);
void mw_heap_write_reference(const mw_heap *heap, const mw_heap_type *type, PyObject *object,
                             PyObject *target, mw_sink *sink);
void mw_heap_write_frame_reference(const mw_py_frame *frame, PyObject *target, mw_sink *sink);
/* `.name`, or `['a name']` for one that could not stand behind a dot. */
void mw_heap_write_attribute(PyObject *name, mw_sink *sink);

/* What threading calls the thread with that ident; nothing if it does not know it. */
void mw_heap_write_thread(const mw_heap *heap, uint64_t thread, mw_sink *sink);
/* The str [text], the first characters of it, in quotes. */
void mw_heap_write_quoted(PyObject *text, mw_sink *sink);
/* The str [object] without quotes, or nothing if it is none. */
void mw_heap_write_str(PyObject *object, mw_sink *sink);
