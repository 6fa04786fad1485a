/* SPDX-License-Identifier: MIT
 *
 * What every renderer draws, and the list of renderers.  A renderer is one file with one
 * const row; it turns a view into bytes in a sink and knows nothing of files, terminals or
 * captures.
 */
#pragma once

#include "core/snapshot.h"
#include "core/timeline.h"
#include "render/call_tree.h"
#include "render/page_heap.h"
#include "render/places.h"
#include "render/render.h"
#include "render/source_text.h"

/* Snapshots of a series, by time.  Each is made when it is asked for, so that never all of
 * them are there at once. */
typedef struct mw_moments {
    size_t count;
    uint64_t (*time_ns)(const struct mw_moments *self, size_t number);
    /* The caller releases it. */
    mw_status (*take)(struct mw_moments *self, size_t number, mw_snapshot **ret_snapshot);
} mw_moments;

/* Everything is borrowed for the call.  What was left out (filters, `--older-than`, …) has no
 * live blocks in `snapshot` any more; where totals were asked for (`--total`), what was
 * allocated stands as what is alive. */
typedef struct mw_view {
    const mw_snapshot *snapshot;
    const mw_snapshot *older;         /* what to compare with; NULL: nothing                     */
    const mw_timeline *timeline;      /* NULL where nobody knows                                 */
    uint64_t time_ns;                 /* of the snapshot; 0: the timeline's end                  */
    mw_moments *moments;              /* snapshots to choose from, for pages; NULL: none         */
    const mw_page_heap *const *heaps; /* the object graph at some moments, for pages: the latest
                                         first; may be none                                 */
    size_t heap_count;
    const mw_places *places;
    mw_source *source;   /* lines of source; may be NULL                                   */
    const char *verdict; /* sentences that say what matters; NULL: none                    */
    const char *measure; /* what bytes are: "alive", "allocated", "alive at the peak", … */
} mw_view;

typedef struct mw_renderer {
    const char *name;      /* of the option, "--pprof" without its dashes            */
    const char *extension; /* of its files, with the dot                             */
    const char *summary;   /* one line, lower case                                   */
    mw_status (*write)(const mw_view *view, mw_alloc *alloc, mw_sink *sink, mw_error *reterr);
} mw_renderer;

/* All that this build has; NULL ends the list. */
extern const mw_renderer *const mw_renderers[];
const mw_renderer *mw_renderer_find(const char *name); /* NULL: there is none of that name */

extern const mw_renderer mw_renderer_collapsed;
extern const mw_renderer mw_renderer_csv;
extern const mw_renderer mw_renderer_dot;
extern const mw_renderer mw_renderer_html;
extern const mw_renderer mw_renderer_json;
extern const mw_renderer mw_renderer_pprof;
extern const mw_renderer mw_renderer_speedscope;

/* ── for renderers ───────────────────────────────────────────────────────────────── */

/* What the view's bytes are: "alive" unless it says otherwise. */
const char *mw_view_measure(const mw_view *view);

/* What a renderer of call trees does, and with which tree. */
typedef struct mw_tree_drawing {
    mw_call_options options;
    const char *what; /* for sentences: "the graph" */
    mw_status (*write)(const mw_view *view, const mw_call_tree *tree, mw_alloc *alloc,
                       mw_sink *sink);
} mw_tree_drawing;

/* Makes the tree of a view and has it written. */
mw_status mw_renderer_draw_tree(const mw_tree_drawing *drawing, const mw_view *view,
                                mw_alloc *alloc, mw_sink *sink, mw_error *reterr);

/* How writing [what] ended: [status], else the sink's, with a sentence if it failed. */
mw_status mw_renderer_result(mw_status status, const mw_sink *sink, const char *what,
                             mw_error *reterr);
