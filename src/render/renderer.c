/* SPDX-License-Identifier: MIT */
#include "render/renderer.h"

#include <string.h>

const mw_renderer *mw_renderer_find(const char *name)
{
    for (const mw_renderer *const *renderer = mw_renderers; *renderer != NULL; renderer++)
        if (strcmp((*renderer)->name, name) == 0)
            return *renderer;
    return NULL;
}

const char *mw_view_measure(const mw_view *view)
{
    return view->measure == NULL ? "alive" : view->measure;
}

static const char *reason_of(mw_status status)
{
    switch (status) {
    case MW_NO_MEMORY:
        return "out of memory";
    case MW_LIMIT:
        return "there is too much of it";
    default:
        return "the output was refused";
    }
}

mw_status mw_renderer_result(mw_status status, const mw_sink *sink, const char *what,
                             mw_error *reterr)
{
    if (status == MW_OK)
        status = sink->status;
    if (status == MW_OK)
        return MW_OK;
    return mw_error_set(reterr, status, "%s could not be written: %s", what, reason_of(status));
}

mw_status mw_renderer_draw_tree(const mw_tree_drawing *drawing, const mw_view *view,
                                mw_alloc *alloc, mw_sink *sink, mw_error *reterr)
{
    mw_call_tree tree;
    mw_status status =
        mw_call_tree_init(&tree, view->snapshot, view->older, &drawing->options, alloc);

    if (status == MW_OK)
        status = drawing->write(view, &tree, alloc, sink);
    mw_call_tree_done(&tree);
    return mw_renderer_result(status, sink, drawing->what, reterr);
}

const mw_renderer *const mw_renderers[] = {
    &mw_renderer_html,       &mw_renderer_json,      &mw_renderer_csv, &mw_renderer_pprof,
    &mw_renderer_speedscope, &mw_renderer_collapsed, &mw_renderer_dot, NULL,
};
