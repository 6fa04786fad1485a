/* SPDX-License-Identifier: MIT
 *
 * The formats of `memwhy report` for Python: a function of the module (METH_VARARGS |
 * METH_KEYWORDS) that takes a Snapshot and returns the file's bytes.
 *
 *     _render(snapshot, format, older=None)
 *
 * ValueError for a format that there is not, and for a snapshot whose traces do not fit
 * into tables.
 */
#pragma once

#include <Python.h>

PyObject *mw_formats_render(PyObject *module, PyObject *args, PyObject *kwargs);

/* The formats that there are: a tuple of (name, extension). */
PyObject *mw_formats_list(PyObject *module, PyObject *unused);
