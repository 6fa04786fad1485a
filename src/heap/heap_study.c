/* SPDX-License-Identifier: MIT */
#include "heap/heap_study.h"

#include <time.h>

static uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

mw_status mw_heap_study_init(mw_heap_study *ret_study, mw_heap_view *view, mw_alloc *alloc)
{
    uint64_t begin_ns = now_ns();
    mw_object_graph *graph = view->graph;
    mw_status status;

    *ret_study = (mw_heap_study){.alloc = alloc, .view = view};
    status = mw_routes_init(&ret_study->routes, graph, alloc);
    if (status == MW_OK)
        status =
            mw_cycles_root_garbage(graph, &ret_study->routes, alloc, &ret_study->garbage_count);
    if (status == MW_OK) {
        mw_routes_settle(&ret_study->routes);
        status = mw_dominators_init(&ret_study->tree, graph, alloc);
    }
    ret_study->analysis_ns = now_ns() - begin_ns;
    if (status != MW_OK)
        mw_heap_study_done(ret_study);
    return status;
}

void mw_heap_study_done(mw_heap_study *study)
{
    mw_back_edges_done(&study->back);
    mw_dominators_done(&study->tree);
    mw_routes_done(&study->routes);
}

mw_status mw_heap_study_back(mw_heap_study *study, const mw_back_edges **ret_back)
{
    *ret_back = &study->back;
    if (study->back.alloc != NULL)
        return MW_OK;
    return mw_back_edges_init(&study->back, study->view->graph, study->alloc);
}

mw_status mw_heap_study_lines(mw_heap_study *study)
{
    if (study->lines.of_node != NULL)
        return MW_OK;
    return study->view->words->lines(study->view, &study->lines);
}

uint32_t mw_heap_study_module_dict(const mw_heap_study *study, uint32_t node)
{
    const mw_dominators *tree = &study->tree;
    uint32_t dict = study->view->words->module_dict(study->view, node);

    return dict != 0 && tree->parent[tree->position_of[dict]] == 0 ? dict : 0;
}

uint64_t mw_heap_study_retained(const mw_heap_study *study, uint32_t node)
{
    const mw_dominators *tree = &study->tree;
    uint32_t dict = mw_heap_study_module_dict(study, node);
    uint64_t bytes = mw_dominators_retained(tree, tree->position_of[node]);

    return dict != 0 ? bytes + mw_dominators_retained(tree, tree->position_of[dict]) : bytes;
}

const mw_graph_root *mw_heap_study_root(const mw_heap_study *study, uint32_t node)
{
    const mw_object_graph *graph = study->view->graph;
    const mw_graph_root *best = NULL;

    for (uint32_t i = 0; i < graph->root_count; i++)
        if (graph->roots[i].node == node && (best == NULL || graph->roots[i].kind < best->kind))
            best = &graph->roots[i];
    return best;
}

mw_heap_place mw_heap_study_place(const mw_heap_study *study, uint32_t node)
{
    if (study->lines.of_node == NULL || study->lines.of_node[node] == 0)
        return (mw_heap_place){0};
    return study->view->words->place(study->view, study->lines.of_node[node]);
}
