/* SPDX-License-Identifier: MIT
 *
 * The functions of tracemalloc, on the tracer.  One table of methods for module.c.
 */
#pragma once

#include <Python.h>

extern PyMethodDef mw_tracing_methods[];

/* Called once at import: self-checks, and what must be there before the first hook.
 * Returns 0, or -1 with an exception. */
int mw_tracing_init(void);
