/* SPDX-License-Identifier: MIT
 *
 * Addresses that become objects again: which of those that a walk meets may be handed to
 * Python, and an array of them that is filled before anything of Python's is made.
 *
 * As long as no Python object is made, no collection runs and nothing dies; so whoever
 * fills an array holds what is in it (mw_heap_objects_hold) before the first list is made.
 */
#pragma once

#include "pyext/heap_walk.h"

typedef struct mw_heap_objects {
    mw_alloc *alloc;  /* borrowed */
    PyObject **items; /* owned; counted once mw_heap_objects_hold was called */
    uint32_t count, capacity;
    mw_status status; /* the first failure, while filling */
} mw_heap_objects;

/* What is asked for: objects of the first [type_count] types of [types], or all. */
typedef struct mw_heap_selection {
    mw_heap_types types;
    uint32_t type_count;       /* UINT32_MAX: all                                             */
    mw_pointer_map *addresses; /* NULL, or those that are asked for                      */
    bool everything;           /* not only what the collector tracks: the whole heap is walked */
} mw_heap_selection;

/* Whether an object is not yet, or no longer, what its type says: a tuple or a list with
 * places that nobody has filled, a type that is being made, what is being freed.  Nobody
 * may be handed such. */
bool mw_heap_is_half_made(PyObject *object);
/* Whether it may be a tuple that tuple(iterable) is about to grow, which fails when somebody
 * else holds it: it has just the size, and one reference.  Whether anybody who can be seen
 * has this reference is the caller's question.  Sizes are those of an iterable that gives no
 * hint; after a hint that is too small it may be any, and such a tuple is not told from others. */
bool mw_heap_may_be_growing(PyObject *object);

/* Finds what is selected.  What tuple(iterable) may be working on is not in it. */
mw_status mw_heap_objects_init(mw_heap_objects *ret_objects, mw_heap_selection *selection,
                               mw_alloc *alloc) MW_MUST_CHECK;
/* The same of tracked objects to which no tracked object and no running frame refers; with
 * [everything], of objects to which nobody who can be seen refers. */
mw_status mw_heap_objects_init_unreferred(mw_heap_objects *ret_objects, bool everything,
                                          mw_alloc *alloc) MW_MUST_CHECK;
void mw_heap_objects_done(mw_heap_objects *objects); /* accepts a zeroed struct */

void mw_heap_objects_add(mw_heap_objects *objects, PyObject *object);
/* Counts a reference to each; mw_heap_objects_drop takes it back. */
void mw_heap_objects_hold(mw_heap_objects *objects);
void mw_heap_objects_drop(mw_heap_objects *objects);
/* A new list of what is held, which takes over the references whether it fails or not. */
PyObject *mw_heap_objects_take_list(mw_heap_objects *objects);
