/* SPDX-License-Identifier: MIT
 *
 * Memory that extensions report: calls of PyTraceMalloc_Track and PyTraceMalloc_Untrack
 * come to the tracer.  NumPy reports every array's buffer so, in a domain of its own.
 *
 * The functions answer as the standard ones do while these trace (0, or -1 when out of
 * memory; a second untrack is 0), whatever the standard module does, which hears of each
 * call as well.  When we do not trace, it answers alone: -2, as a rule.
 *
 *   heard       imports of every library that is loaded at start(), or later by an import
 *               or by ctypes; addresses that ctypes looks up while we trace
 *   heard late  a library that was loaded in another way: from the next import, look-up or
 *               snapshot on
 *   not heard   what a library's constructors report while it is being loaded; pointers
 *               that were looked up before start()
 *
 * Domain 0 is Python's own.  Without the GIL only blocks of the RAW domain, and those that
 * were tracked, can be replaced or untracked in it.
 *
 * Where the import slots cannot be redirected, or with MEMWHY_DISABLE=capi-domains, all
 * other blocks are traced as ever.
 */
#pragma once

#include <Python.h>

/* Begins to listen, after the tracer has been started, and reports so.  The GIL is held. */
void mw_capi_domains_install(PyObject *module);
void mw_capi_domains_remove(void);

/* Listens to what has been loaded since; any thread may call it, at any time. */
void mw_capi_domains_refresh(void);

/* Called once, at import: handles fork.  Returns 0, or -1 when out of memory. */
int mw_capi_domains_init(void);
