/* SPDX-License-Identifier: MIT
 *
 * What Frame, Traceback, Trace, Statistic and StatisticDiff have in common: a handful of
 * named slots for arbitrary objects and nothing else, like a Python class with
 * __slots__.  The types say so in a __slots__ attribute of their own, and that is enough
 * for object's copy, deepcopy and pickle to work on them and on their subclasses.
 */
#pragma once

#include <Python.h>

#include "pyext/compat.h"

typedef struct mw_record {
    PyObject_HEAD
    PyObject *slots[]; /* owned; NULL is an attribute that is not there */
} mw_record;

#define MW_RECORD_BYTES(count) ((int)(sizeof(mw_record) + (size_t)(count) * sizeof(PyObject *)))

#define MW_RECORD_MEMBER(name, slot, doc)                                                          \
    {                                                                                              \
        name, Py_T_OBJECT_EX,                                                                      \
            (Py_ssize_t)(sizeof(mw_record) + (size_t)(slot) * sizeof(PyObject *)), 0, doc          \
    }

/* An object without a value in any slot. */
PyObject *mw_record_new(PyTypeObject *type);

static inline void mw_record_take(PyObject *self, int slot, PyObject *value)
{
    Py_XSETREF(((mw_record *)self)->slots[slot], value);
}

static inline void mw_record_set(PyObject *self, int slot, PyObject *value)
{
    mw_record_take(self, slot, Py_XNewRef(value));
}

/* Borrowed, or NULL without an exception. */
static inline PyObject *mw_record_peek(PyObject *self, int slot)
{
    return ((mw_record *)self)->slots[slot];
}

/* A new reference (comparing or hashing it may run code that empties the slot), or NULL
 * with AttributeError. */
PyObject *mw_record_slot(PyObject *self, int slot, const char *name);
PyObject *mw_record_slot_item(PyObject *self, int slot, const char *name, Py_ssize_t index);
/* The result of comparing, or the hash of, what stands in one slot. */
PyObject *mw_record_compare(PyObject *self, PyObject *other, int slot, const char *name,
                            int operation);
Py_hash_t mw_record_hash(PyObject *self, int slot, const char *name);
/* A new tuple of all slots, whose names are those of __slots__. */
PyObject *mw_record_as_tuple(PyObject *self, const char *const *names, int slot_count);

int mw_record_traverse(PyObject *self, int slot_count, visitproc visit, void *arg);
int mw_record_clear(PyObject *self, int slot_count);
void mw_record_dealloc(PyObject *self, int slot_count);

/* Sets type.__slots__ to [names], which ends with NULL.  Returns 0, or -1 with an
 * exception. */
int mw_record_declare_slots(PyTypeObject *type, const char *const *names);

/* The four functions that every record type needs, for [count] slots. */
#define MW_RECORD_LIFE(prefix, count)                                                              \
    static int prefix##_traverse(PyObject *self, visitproc visit, void *arg)                       \
    {                                                                                              \
        return mw_record_traverse(self, count, visit, arg);                                        \
    }                                                                                              \
    static int prefix##_clear(PyObject *self)                                                      \
    {                                                                                              \
        return mw_record_clear(self, count);                                                       \
    }                                                                                              \
    static void prefix##_dealloc(PyObject *self)                                                   \
    {                                                                                              \
        mw_record_dealloc(self, count);                                                            \
    }

#define MW_RECORD_LIFE_SLOTS(prefix)                                                               \
    {Py_tp_traverse, prefix##_traverse}, {Py_tp_clear, prefix##_clear},                            \
    {                                                                                              \
        Py_tp_dealloc, prefix##_dealloc                                                            \
    }
