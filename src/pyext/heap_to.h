/* SPDX-License-Identifier: MIT
 *
 * memwhy.heap_to(): a capture with the heap as it is now, and with a snapshot where memwhy is
 * tracing.
 */
#pragma once

#include <Python.h>

PyObject *mw_heap_to(PyObject *module, PyObject *arguments, PyObject *keywords);
