/* SPDX-License-Identifier: MIT
 *
 * What Snapshot and the filters have in common: objects whose attributes all live in
 * their __dict__, as those of the Python classes do that they stand in for.  So vars(),
 * user-made attributes, copy and pickle are object's own.
 */
#pragma once

#include <Python.h>

#include "pyext/compat.h"

typedef struct mw_bag {
    PyObject_HEAD
    PyObject *attributes; /* owned dict; NULL before the first attribute */
    PyObject *weak_references;
} mw_bag;

extern PyMemberDef mw_bag_members[];

/* The row that gives a type with these members its `__dict__`. */
#define MW_BAG_DICT                                                                                \
    {                                                                                              \
        "__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, NULL, NULL                   \
    }

int mw_bag_traverse(PyObject *self, visitproc visit, void *arg);
int mw_bag_clear(PyObject *self);
void mw_bag_dealloc(PyObject *self);

/* Calls module.function(…) of our package, where the work is Python's own business:
 * files, pickles, JSON, HTML and what does not fit into tables. */
PyObject *mw_call_helper(const char *module, const char *function, PyObject *const *args,
                         size_t count);
