/* SPDX-License-Identifier: MIT
 *
 * What the threading module calls the threads that the tracer has numbered, in two steps:
 * asking runs Python code (a name is a property), so other threads run meanwhile and may
 * even stop the tracing; noting does not.
 */
#pragma once

#include "tracer/tracer.h"

#include <Python.h>

/* A list of (ident, name as UTF-8 bytes) of the threads that are alive, None when nobody
 * has imported threading; NULL with an exception. */
PyObject *mw_thread_names_ask(void);

/* Both steps at once, without running Python code or allocating anything through Python: for
 * the recorder, who must leave no trace.  Threads whose names want Python code are passed over.
 * [attribute] is the str "_name".  The GIL is held. */
mw_status mw_thread_names_note_active(mw_tracer *tracer, PyObject *attribute) MW_MUST_CHECK;

/* Notes those names; a thread that has ended keeps the last one.  Runs no Python code. */
mw_status mw_thread_names_note(mw_tracer *tracer, PyObject *names) MW_MUST_CHECK;
