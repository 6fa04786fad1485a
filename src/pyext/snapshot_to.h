/* SPDX-License-Identifier: MIT
 *
 * memwhy.snapshot_to(): a capture with one snapshot, beside whatever is recorded.
 */
#pragma once

#include <Python.h>

/* _memwhy._snapshot_to(path, description). */
PyObject *mw_snapshot_to(PyObject *module, PyObject *arguments);
