/* SPDX-License-Identifier: MIT
 *
 * Source with what each line holds beside it, as readers of memory_profiler know it: what
 * the line itself allocated, and what was allocated under it, by itself and by all that it
 * called.  Lines of which nothing is known stay away.
 */
#pragma once

#include "core/line_texts.h"
#include "render/screen.h"

typedef struct mw_source_view {
    const char *file;           /* a name, its end or a pattern; NULL: the program's files */
    const mw_line_texts *texts; /* borrowed                                                */
} mw_source_view;

/* Largest files first.  MW_BAD_INPUT if there is no such file. */
mw_status mw_source_view_write_text(const mw_source_view *view, const mw_snapshot *snapshot,
                                    const mw_screen *screen, mw_alloc *alloc, mw_error *reterr)
    MW_MUST_CHECK;
