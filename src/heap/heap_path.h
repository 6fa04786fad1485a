/* SPDX-License-Identifier: MIT
 *
 * Ways to objects as one would write them in Python, and the places of lines: what is
 * composed of a view's words.  Names are as the program chose them: whoever shows them on a
 * screen cleans them.
 */
#pragma once

#include "heap/heap_study.h"

/* Of a way that is longer than both together, the middle is left out. */
enum { MW_HEAP_PATH_HEAD = 24, MW_HEAP_PATH_TAIL = 24 };

/* How many nodes of [route] are left out in front of its [i]th; 0 but for one of them. */
static inline uint32_t mw_heap_path_skipped(const mw_route *route, uint32_t i)
{
    return route->count > MW_HEAP_PATH_HEAD + MW_HEAP_PATH_TAIL && i == MW_HEAP_PATH_HEAD
               ? route->count - MW_HEAP_PATH_TAIL - MW_HEAP_PATH_HEAD
               : 0;
}

/* `sys.modules['app.views']._cache['/user/4000'][3].data`,
 * `<frame work (app.py:12) in thread worker-7>.local`. */
void mw_heap_path_write(const mw_heap_study *study, const mw_route *route, mw_sink *sink);
/* How the way begins: why its first node is alive. */
void mw_heap_path_write_root(const mw_heap_study *study, uint32_t node, mw_sink *sink);

/* The shortest way to [node] of the most preferred kind; nothing if no root reaches it. */
mw_status mw_heap_path_write_to(const mw_heap_study *study, uint32_t node, mw_sink *sink)
    MW_MUST_CHECK;

/* `app.py:12 in handle`; `<unknown>` without a file. */
void mw_heap_place_write(const mw_heap_place *place, mw_sink *sink);

/* What a kind of root is called in answers: "module", "held-from-c", … */
const char *mw_heap_root_kind(mw_root_kind kind);
