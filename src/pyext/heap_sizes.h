/* SPDX-License-Identifier: MIT
 *
 * How many bytes an object takes: its own block and those that nobody but it has, such as a
 * list's items.  The tracer's sizes where it knows the blocks, else the sums that CPython's
 * own __sizeof__ makes, of what is really asked for.  No code of the program is called.
 */
#pragma once

#include "pyext/heap_types.h"

/* [asks_tracer] says whether the tracer is recording, so that asking it is worth while. */
size_t mw_heap_look_up_size(PyObject *object, const mw_heap_type *type, bool asks_tracer);

static inline size_t mw_heap_size(PyObject *object, const mw_heap_type *type, bool asks_tracer)
{
    if (type->fixed_bytes != 0 && !asks_tracer)
        return type->fixed_bytes;
    return mw_heap_look_up_size(object, type, asks_tracer);
}

/* The bytes of each object of a type, if they are all alike and have nothing beside; else 0. */
uint32_t mw_heap_fixed_size(const mw_heap_type *type);

/* Where the block of the object itself begins. */
static inline uintptr_t mw_heap_block(PyObject *object, const mw_heap_type *type)
{
    return (uintptr_t)object - py_preheader_bytes(type->type);
}
