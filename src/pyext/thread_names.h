/* SPDX-License-Identifier: MIT
 *
 * What the threading module calls the threads that the tracer has numbered.
 */
#pragma once

#include "tracer/tracer.h"

/* Notes the names of the threads that are alive now; a thread that has ended keeps the
 * last name that was noted.  Runs Python code; call it outside the guard.  Returns 0, or
 * -1 with an exception. */
int mw_thread_names_learn(mw_tracer *tracer);
