/* SPDX-License-Identifier: MIT */
#include "pyext/heap_study.h"
#include "pyext/heap_layouts.h"

#include <time.h>

static uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

static mw_status analyse(mw_heap_study *study)
{
    mw_object_graph *graph = &study->heap.graph;
    mw_status status = mw_routes_init(&study->routes, graph, study->alloc);

    if (status == MW_OK)
        status = mw_cycles_root_garbage(graph, &study->routes, study->alloc, &study->garbage_count);
    if (status == MW_OK) {
        mw_routes_settle(&study->routes);
        status = mw_dominators_init(&study->tree, graph, study->alloc);
    }
    return status;
}

mw_status mw_heap_study_init(mw_heap_study *ret_study, PyObject *subject, mw_alloc *alloc)
{
    uint64_t begin_ns = now_ns(), walked_ns;
    mw_status status;

    *ret_study = (mw_heap_study){.alloc = alloc};
    status = mw_heap_init(&ret_study->heap, subject, alloc);
    walked_ns = now_ns();
    if (status == MW_OK)
        status = analyse(ret_study);
    ret_study->walk_ns = walked_ns - begin_ns;
    ret_study->analysis_ns = now_ns() - walked_ns;
    if (status != MW_OK)
        mw_heap_study_done(ret_study);
    return status;
}

void mw_heap_study_done(mw_heap_study *study)
{
    mw_heap_lines_done(&study->lines);
    mw_back_edges_done(&study->back);
    mw_dominators_done(&study->tree);
    mw_routes_done(&study->routes);
    mw_heap_done(&study->heap);
}

mw_status mw_heap_study_back(mw_heap_study *study, const mw_back_edges **ret_back)
{
    *ret_back = &study->back;
    if (study->back.alloc != NULL)
        return MW_OK;
    return mw_back_edges_init(&study->back, &study->heap.graph, study->alloc);
}

mw_status mw_heap_study_lines(mw_heap_study *study, const mw_heap_lines **ret_lines)
{
    *ret_lines = &study->lines;
    if (study->lines.of_node != NULL)
        return MW_OK;
    return mw_heap_lines_init(&study->lines, &study->heap, study->alloc);
}
