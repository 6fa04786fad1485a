/* SPDX-License-Identifier: MIT
 *
 * Whether this interpreter lays its objects out as heap_layouts.h says: asked once, before
 * the first walk, of objects made for it, and reported as the mechanism `graph`.  Where the
 * answer is no, or the mechanism is switched off, nobody walks.
 */
#pragma once

#include "pyext/heap_layouts.h"

/* Looks at [samples], a list of tuples (object, bytes that sys.getsizeof says, tuple of objects
 * that it refers to).  Returns what is wrong, as part of a sentence, or NULL; a second call
 * looks at nothing and returns the same.  May fail with an exception: then NULL too.  The GIL
 * is held. */
const char *mw_heap_check(PyObject *samples);

/* The same, for those who have no samples: what is wrong if nobody has looked, too.  Without the
 * GIL. */
const char *mw_heap_check_result(void);
