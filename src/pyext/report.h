/* SPDX-License-Identifier: MIT
 *
 * `memwhy run`'s summary, for memwhy/_startup.py: functions of the module (METH_VARARGS
 * | METH_KEYWORDS) that take a Snapshot and return a str.
 *
 *     report_text(snapshot, *, by, top, current, peak, overhead, lost, program,
 *                 library, directory, width=80, colour=False)
 *     report_json(the same)
 */
#pragma once

#include <Python.h>

PyObject *mw_report_text(PyObject *module, PyObject *args, PyObject *kwargs);
PyObject *mw_report_json(PyObject *module, PyObject *args, PyObject *kwargs);
