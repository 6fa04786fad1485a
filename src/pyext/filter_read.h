/* SPDX-License-Identifier: MIT
 *
 * A filter object → the filter that C can ask.
 */
#pragma once

#include <Python.h>

#include "core/filter.h"
#include "pyext/module_state.h"
#include "pyext/utf8.h"

typedef struct mw_read_filter {
    mw_filter native;
    PyObject *pattern; /* owned; whose UTF-8 the native filter borrows */
    mw_utf8 utf8;
} mw_read_filter;

/* Reads the attributes of [object] into a zeroed [ret_filter], which is to be released in
 * every case.  Returns 1 when the native filter says all that the object would: it is a
 * Filter or a DomainFilter, of no derived type, with plain attributes; 0 when only its _match
 * can tell, and then `inclusive` alone is read; -1 with an exception. */
int mw_filter_read(mw_module_state *state, PyObject *object, mw_read_filter *ret_filter);
void mw_read_filter_done(mw_read_filter *filter); /* accepts a zeroed struct */
