/* SPDX-License-Identifier: MIT */
#include "heap/heap_study.h"

#include <time.h>

static uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

/* ── roots in order ──────────────────────────────────────────────────────────────── */

static bool comes_before(const mw_object_graph *graph, uint32_t a, uint32_t b)
{
    if (graph->roots[a].node != graph->roots[b].node)
        return graph->roots[a].node < graph->roots[b].node;
    return graph->roots[a].kind < graph->roots[b].kind;
}

/* A heap sort, since qsort may ask libc for memory, and a forked child must not. */
static void sift_down(const mw_object_graph *graph, uint32_t *roots, uint32_t from, uint32_t count)
{
    for (uint32_t child; (child = 2 * from + 1) < count; from = child) {
        uint32_t root = roots[from];

        if (child + 1 < count && comes_before(graph, roots[child], roots[child + 1]))
            child++;
        if (!comes_before(graph, root, roots[child]))
            return;
        roots[from] = roots[child];
        roots[child] = root;
    }
}

static mw_status order_roots(mw_heap_study *study)
{
    const mw_object_graph *graph = study->view->graph;
    uint32_t count = graph->root_count;
    uint32_t *roots = mw_alloc_array(study->alloc, count, sizeof *roots);

    if (roots == NULL)
        return MW_NO_MEMORY;
    study->roots = roots;
    study->root_count = count;
    for (uint32_t i = 0; i < count; i++)
        roots[i] = i;
    for (uint32_t i = count / 2; i-- > 0;)
        sift_down(graph, roots, i, count);
    for (uint32_t left = count; left-- > 1;) {
        uint32_t last = roots[0];

        roots[0] = roots[left];
        roots[left] = last;
        sift_down(graph, roots, 0, left);
    }
    return MW_OK;
}

const mw_graph_root *mw_heap_study_root(const mw_heap_study *study, uint32_t node)
{
    const mw_graph_root *roots = study->view->graph->roots;
    uint32_t low = 0, high = study->root_count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (roots[study->roots[middle]].node < node)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == study->root_count || roots[study->roots[low]].node != node)
        return NULL;
    return &roots[study->roots[low]];
}

/* ── the analysis ────────────────────────────────────────────────────────────────── */

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
    if (status == MW_OK)
        status = order_roots(ret_study);
    ret_study->analysis_ns = now_ns() - begin_ns;
    if (status != MW_OK)
        mw_heap_study_done(ret_study);
    return status;
}

void mw_heap_study_done(mw_heap_study *study)
{
    mw_back_edges_done(&study->back);
    if (study->alloc != NULL)
        mw_alloc_release(study->alloc, study->roots, study->root_count * sizeof *study->roots);
    study->roots = NULL;
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
    uint32_t dict = study->view->words->module_dict(study->view, node);
    const mw_graph_root *root = dict != 0 ? mw_heap_study_root(study, dict) : NULL;

    return root != NULL && root->kind == MW_ROOT_MODULE ? dict : 0;
}

uint64_t mw_heap_study_retained(const mw_heap_study *study, uint32_t node)
{
    const mw_dominators *tree = &study->tree;
    uint32_t dict = mw_heap_study_module_dict(study, node);
    uint64_t bytes = mw_dominators_retained(tree, tree->position_of[node]);

    return dict != 0 ? bytes + mw_dominators_retained(tree, tree->position_of[dict]) : bytes;
}

mw_heap_place mw_heap_study_place(const mw_heap_study *study, uint32_t node)
{
    if (study->lines.of_node == NULL || study->lines.of_node[node] == 0)
        return (mw_heap_place){0};
    return study->view->words->place(study->view, study->lines.of_node[node]);
}
