/* SPDX-License-Identifier: MIT
 *
 * The one place where our errors become Python's.
 */
#pragma once

#include <Python.h>

#include "base/status.h"

/* Raises what [status] means (which is not MW_OK), with the text of [error], or with a
 * plain sentence where [error] is NULL.  Always returns NULL, for `return mw_raise(…);`. */
PyObject *mw_raise(mw_status status, const mw_error *error);
