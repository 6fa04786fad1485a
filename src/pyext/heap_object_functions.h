/* SPDX-License-Identifier: MIT
 *
 * The functions of memwhy._memwhy that find objects in the heap and hand them to Python;
 * memwhy/objgraph.py is their face.
 *
 * The pattern of all: read the arguments; find, without making any object of Python's; hold
 * what was found; make the answer.  Arguments come as an array, since a tuple of them would
 * be met as one more referrer.
 */
#pragma once

#include "pyext/heap_child.h"

extern PyMethodDef mw_heap_census_methods[];   /* heap_census.c             */
extern PyMethodDef mw_heap_object_methods[];   /* heap_object_functions.c   */
extern PyMethodDef mw_heap_referrer_methods[]; /* heap_referrer_functions.c */

/* For these files: 0, or -1 with TypeError. */
int mw_heap_check_count(const char *function, Py_ssize_t count, Py_ssize_t wanted);
/* Fills [alloc] with one that takes no more than what the system has left, and returns it. */
mw_alloc *mw_heap_limited_alloc(mw_limited_alloc *alloc);
/* Always returns NULL. */
PyObject *mw_heap_raise_search(mw_status status);
