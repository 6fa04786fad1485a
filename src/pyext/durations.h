/* SPDX-License-Identifier: MIT
 *
 * Times as people write them, for memwhy/_record.py.
 */
#pragma once

#include <Python.h>

/* For PyModule_AddFunctions. */
extern PyMethodDef mw_duration_methods[];
