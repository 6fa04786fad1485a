/* SPDX-License-Identifier: MIT
 *
 * For tests: a capture as plain Python objects.
 */
#pragma once

#define PY_SSIZE_T_CLEAN
#include <Python.h>

extern PyMethodDef mw_capture_read_methods[];
