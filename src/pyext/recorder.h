/* SPDX-License-Identifier: MIT
 *
 * The recorder: a thread of its own in the traced process that writes a capture, as `memwhy
 * run -o` and MEMWHY=capture=… ask for it.
 *
 * The program must not notice it: the thread is no threading.Thread, takes no signals, holds
 * the GIL only while it copies sums (and never while the interpreter shuts down), and what it
 * allocates is in no snapshot.  What goes wrong is one sentence on stderr, once, and a count;
 * the program runs on.
 */
#pragma once

#include <Python.h>

/* Called once, at import: adds the functions of memwhy._memwhy.  Returns 0, or -1 with an
 * exception. */
int mw_recorder_add(PyObject *module);
