/* SPDX-License-Identifier: MIT
 *
 * Semi-NCA (Georgiadis, "Linear-Time Algorithms for Dominators and Related Problems",
 * 2005), in four passes:
 *
 *   number    depth first from the roots, with a stack of our own
 *   reverse   who refers to whom, by these numbers, and only where there is a choice: a
 *             node with one reference to it is dominated by who refers to it
 *   dominate  semidominators from the last number to the first, with compressed paths;
 *             then each dominator is the nearest ancestor not after the semidominator
 *   arrange   positions: the tree in the order in which one reads it
 *
 * A node's dominator always has the smaller number, so sums over the tree are loops.
 * Arrays are given back as soon as the next pass does not want them.
 */
#include "graph/dominators.h"

enum { FETCH_NEAR = 8, FETCH_MIDDLE = 16, FETCH_FAR = 24 };

/* No in-edges are kept for this number. */
#define SINGLE UINT32_MAX

typedef struct link {
    uint32_t ancestor; /* in the forest of compressed paths; at first the parent       */
    uint32_t label;    /* the number with the smallest semidominator on the path       */
    uint32_t semi;
    uint32_t parent; /* in the tree of the search; at last the dominator             */
} link;

/* One activation of the search. */
typedef struct visit {
    uint32_t number;
    uint32_t edge; /* the next to follow */
    uint32_t end;
} visit;

/* Everything below is by number unless it says else; numbers are 0 … count - 1. */
typedef struct maker {
    const mw_object_graph *graph;
    mw_alloc *alloc;
    uint32_t count;
    uint32_t node_count;
    uint32_t *number_of; /* by node; 0 = not reached                                 */
    uint32_t *node_of;
    uint32_t *parents;
    uint8_t *is_root;
    uint32_t *first_in; /* of in_edges, from [n] to [n + 1]                          */
    uint32_t *in_edges; /* numbers, for whoever has more than one                    */
    uint32_t in_count;
    link *links;
} maker;

static uint32_t *array_of(maker *make, size_t count)
{
    return mw_alloc_array(make->alloc, count, sizeof(uint32_t));
}

static void drop(maker *make, uint32_t **array, size_t count)
{
    mw_alloc_release(make->alloc, *array, count * sizeof **array);
    *array = NULL;
}

/* ── number ──────────────────────────────────────────────────────────────────────── */

static uint32_t take_number(maker *make, uint32_t node, uint32_t parent)
{
    uint32_t number = make->count++;

    make->number_of[node] = number;
    make->node_of[number] = node;
    make->parents[number] = parent;
    return number;
}

static void number_from(maker *make, visit *stack, uint32_t root)
{
    const uint32_t *first_edge = make->graph->first_edge;
    const uint32_t *edges = make->graph->edges;
    uint32_t depth = 1;

    stack[0] = (visit){take_number(make, root, 0), first_edge[root], first_edge[root + 1]};
    while (depth != 0) {
        visit *top = &stack[depth - 1];
        uint32_t node, number;

        if (top->edge == top->end) {
            depth--;
            continue;
        }
        node = edges[top->edge++];
        if (top->edge + 1 < top->end)
            __builtin_prefetch(&make->number_of[edges[top->edge + 1]]);
        if (make->number_of[node] != 0)
            continue;
        number = take_number(make, node, top->number);
        /* What refers to nothing is not worth a turn. */
        if (first_edge[node] != first_edge[node + 1])
            stack[depth++] = (visit){number, first_edge[node], first_edge[node + 1]};
    }
}

static mw_status number(maker *make)
{
    size_t stack_bytes = make->node_count * sizeof(visit);
    visit *stack = mw_alloc_new(make->alloc, stack_bytes);

    make->number_of = array_of(make, make->node_count);
    make->node_of = array_of(make, make->node_count);
    make->parents = array_of(make, make->node_count);
    make->is_root = mw_alloc_new(make->alloc, make->node_count);
    if (stack == NULL || make->number_of == NULL || make->node_of == NULL ||
        make->parents == NULL || make->is_root == NULL) {
        mw_alloc_release(make->alloc, stack, stack_bytes);
        return MW_NO_MEMORY;
    }
    make->count = 1;
    for (uint32_t i = 0; i < make->graph->root_count; i++)
        if (make->number_of[make->graph->roots[i].node] == 0)
            number_from(make, stack, make->graph->roots[i].node);
    for (uint32_t i = 0; i < make->graph->root_count; i++)
        make->is_root[make->number_of[make->graph->roots[i].node]] = 1;
    mw_alloc_release(make->alloc, stack, stack_bytes);
    return MW_OK;
}

/* ── reverse ─────────────────────────────────────────────────────────────────────── */

/* Loads what the turns to come will look at: offsets, then edges, then numbers. */
static void fetch_ahead(const maker *make, uint32_t i)
{
    const uint32_t *first_edge = make->graph->first_edge;
    const uint32_t *edges = make->graph->edges;

    if (i + FETCH_FAR < make->count)
        __builtin_prefetch(&first_edge[make->node_of[i + FETCH_FAR]]);
    if (i + FETCH_MIDDLE < make->count)
        __builtin_prefetch(&edges[first_edge[make->node_of[i + FETCH_MIDDLE]]]);
    if (i + FETCH_NEAR < make->count) {
        uint32_t node = make->node_of[i + FETCH_NEAR];
        uint32_t edge = first_edge[node];
        uint32_t end =
            first_edge[node + 1] - edge > FETCH_NEAR ? edge + FETCH_NEAR : first_edge[node + 1];

        for (; edge < end; edge++)
            __builtin_prefetch(&make->number_of[edges[edge]]);
    }
}

/* Writes the number of each edge's target into [targets], in the order of the numbers, and
 * counts them in [counts].  Returns how many edges there are. */
static uint32_t count_in_edges(const maker *make, uint32_t *targets, uint32_t *counts)
{
    const uint32_t *first_edge = make->graph->first_edge;
    uint32_t edge_count = 0;

    for (uint32_t i = 1; i < make->count; i++) {
        uint32_t node = make->node_of[i];

        fetch_ahead(make, i);
        for (uint32_t edge = first_edge[node]; edge < first_edge[node + 1]; edge++) {
            uint32_t target = make->number_of[make->graph->edges[edge]];

            targets[edge_count++] = target;
            counts[target]++;
        }
    }
    return edge_count;
}

/* Turns counts into the offsets of those that have a choice, SINGLE for the others. */
static void place_in_edges(maker *make, uint32_t *counts)
{
    for (uint32_t i = 0; i < make->count; i++) {
        make->first_in[i] = make->in_count;
        if (counts[i] > 1 && !make->is_root[i]) {
            make->in_count += counts[i];
            counts[i] = make->first_in[i];
        } else {
            counts[i] = SINGLE;
        }
    }
    make->first_in[make->count] = make->in_count;
}

static void put_in_edges(maker *make, const uint32_t *targets, uint32_t edge_count, uint32_t *next)
{
    uint32_t put = 0;

    for (uint32_t i = 1; i < make->count; i++) {
        uint32_t degree = mw_object_graph_degree(make->graph, make->node_of[i]);

        if (i + FETCH_MIDDLE < make->count)
            __builtin_prefetch(&make->graph->first_edge[make->node_of[i + FETCH_MIDDLE]]);
        for (uint32_t k = 0; k < degree; k++, put++) {
            if (put + FETCH_FAR < edge_count)
                __builtin_prefetch(&next[targets[put + FETCH_FAR]], 1);
            if (next[targets[put]] != SINGLE)
                make->in_edges[next[targets[put]]++] = i;
        }
    }
}

static mw_status reverse(maker *make)
{
    uint32_t edge_capacity = make->graph->edge_count;
    uint32_t *targets = array_of(make, edge_capacity);
    uint32_t *counts = array_of(make, make->count);
    mw_status status = MW_NO_MEMORY;
    uint32_t edge_count;

    make->first_in = array_of(make, (size_t)make->count + 1);
    if (targets == NULL || counts == NULL || make->first_in == NULL)
        goto done;
    edge_count = count_in_edges(make, targets, counts);
    place_in_edges(make, counts);
    make->in_edges = array_of(make, make->in_count);
    if (make->in_edges == NULL)
        goto done;
    put_in_edges(make, targets, edge_count, counts);
    status = MW_OK;

done:
    drop(make, &targets, edge_capacity);
    drop(make, &counts, make->count);
    return status;
}

/* ── dominate ────────────────────────────────────────────────────────────────────── */

/* The number with the smallest semidominator on the way from [from] up to, but without,
 * [limit] and what is before it; shortens the way for whoever comes next.  [stack] has room
 * for any way. */
static uint32_t best_on_path(link *links, uint32_t from, uint32_t limit, uint32_t *stack)
{
    uint32_t depth = 0;
    uint32_t above = from;

    while (links[above].ancestor > limit) {
        stack[depth++] = above;
        above = links[above].ancestor;
    }
    while (depth != 0) {
        uint32_t at = stack[--depth];

        if (links[links[above].label].semi < links[links[at].label].semi)
            links[at].label = links[above].label;
        links[at].ancestor = links[above].ancestor;
        above = at;
    }
    return links[from].label;
}

static uint32_t semidominator(const maker *make, uint32_t at, uint32_t *stack)
{
    link *links = make->links;
    uint32_t best = links[at].parent;
    uint32_t first = make->first_in[at];

    if (first >= FETCH_FAR)
        __builtin_prefetch(&links[make->in_edges[first - FETCH_FAR]]);
    for (uint32_t i = first; i < make->first_in[at + 1]; i++) {
        uint32_t from = make->in_edges[i];
        uint32_t semi = from <= at ? from : links[best_on_path(links, from, at, stack)].semi;

        if (semi < best)
            best = semi;
    }
    return best;
}

static mw_status dominate(maker *make)
{
    uint32_t *stack = array_of(make, make->count);
    link *links = mw_alloc_array(make->alloc, make->count, sizeof *links);

    make->links = links;
    if (stack == NULL || links == NULL) {
        drop(make, &stack, make->count);
        return MW_NO_MEMORY;
    }
    for (uint32_t i = 0; i < make->count; i++)
        links[i] = (link){make->parents[i], i, make->parents[i], make->parents[i]};
    drop(make, &make->parents, make->node_count);
    for (uint32_t i = make->count - 1; i >= 1; i--)
        links[i].semi =
            make->is_root[i] || links[i].parent == 0 ? 0 : semidominator(make, i, stack);
    for (uint32_t i = 1; i < make->count; i++) {
        uint32_t dominator = links[i].parent;

        while (dominator > links[i].semi)
            dominator = links[dominator].parent;
        links[i].parent = dominator;
    }
    drop(make, &stack, make->count);
    drop(make, &make->in_edges, make->in_count);
    drop(make, &make->first_in, (size_t)make->count + 1);
    return MW_OK;
}

/* ── arrange ─────────────────────────────────────────────────────────────────────── */

/* Of each number, how many it dominates, itself included (sizes), and its position.  The
 * links are scratch by now: a label counts, an ancestor is the next free position below. */
static void choose_positions(maker *make)
{
    link *links = make->links;

    for (uint32_t i = 0; i < make->count; i++)
        links[i].label = 1;
    for (uint32_t i = make->count - 1; i >= 1; i--)
        links[links[i].parent].label += links[i].label;
    links[0].semi = 0;
    links[0].ancestor = 1;
    for (uint32_t i = 1; i < make->count; i++) {
        link *above = &links[links[i].parent];

        links[i].semi = above->ancestor;
        links[i].ancestor = above->ancestor + 1;
        above->ancestor += links[i].label;
    }
}

static void write_positions(maker *make, mw_dominators *tree)
{
    const link *links = make->links;

    for (uint32_t i = 0; i < make->count; i++) {
        uint32_t at = links[i].semi;

        tree->node_at[at] = make->node_of[i];
        tree->parent[at] = links[links[i].parent].semi;
        tree->end[at] = at + links[i].label;
    }
    for (uint32_t at = 1; at < make->count; at++)
        make->number_of[tree->node_at[at]] = at;
}

/* The array of numbers by node becomes that of positions. */
static mw_status arrange(maker *make, mw_dominators *tree)
{
    choose_positions(make);
    tree->count = make->count;
    tree->node_at = array_of(make, make->count);
    tree->parent = array_of(make, make->count);
    tree->end = array_of(make, make->count);
    if (tree->node_at == NULL || tree->parent == NULL || tree->end == NULL)
        return MW_NO_MEMORY;
    write_positions(make, tree);
    tree->position_of = make->number_of;
    make->number_of = NULL;
    mw_alloc_release(make->alloc, make->links, make->count * sizeof *make->links);
    make->links = NULL;
    drop(make, &make->node_of, make->node_count);
    tree->bytes_before =
        mw_alloc_array(make->alloc, (size_t)make->count + 1, sizeof *tree->bytes_before);
    if (tree->bytes_before == NULL)
        return MW_NO_MEMORY;
    for (uint32_t at = 0; at < tree->count; at++) {
        if (at + FETCH_FAR < tree->count)
            __builtin_prefetch(&make->graph->nodes[tree->node_at[at + FETCH_FAR]]);
        tree->bytes_before[at + 1] =
            tree->bytes_before[at] + mw_object_graph_size(make->graph, tree->node_at[at]);
    }
    return MW_OK;
}

static void maker_done(maker *make)
{
    drop(make, &make->number_of, make->node_count);
    drop(make, &make->node_of, make->node_count);
    drop(make, &make->parents, make->node_count);
    drop(make, &make->in_edges, make->in_count);
    drop(make, &make->first_in, (size_t)make->count + 1);
    mw_alloc_release(make->alloc, make->is_root, make->node_count);
    mw_alloc_release(make->alloc, make->links, make->count * sizeof *make->links);
}

mw_status mw_dominators_init(mw_dominators *ret_tree, const mw_object_graph *graph, mw_alloc *alloc)
{
    maker make = {.graph = graph, .alloc = alloc, .node_count = graph->node_count};
    mw_status status;

    *ret_tree = (mw_dominators){.alloc = alloc, .node_count = graph->node_count};
    status = number(&make);
    if (status == MW_OK)
        status = reverse(&make);
    if (status == MW_OK)
        status = dominate(&make);
    if (status == MW_OK)
        status = arrange(&make, ret_tree);
    maker_done(&make);
    if (status != MW_OK)
        mw_dominators_done(ret_tree);
    return status;
}

void mw_dominators_done(mw_dominators *tree)
{
    mw_alloc *alloc = tree->alloc;

    if (alloc != NULL) {
        mw_alloc_release(alloc, tree->node_at, tree->count * sizeof *tree->node_at);
        mw_alloc_release(alloc, tree->parent, tree->count * sizeof *tree->parent);
        mw_alloc_release(alloc, tree->end, tree->count * sizeof *tree->end);
        mw_alloc_release(alloc, tree->position_of, tree->node_count * sizeof *tree->position_of);
        mw_alloc_release(alloc, tree->bytes_before,
                         ((size_t)tree->count + 1) * sizeof *tree->bytes_before);
    }
    *tree = (mw_dominators){0};
}

bool mw_dominators_is_consistent(const mw_dominators *tree)
{
    if (tree->count == 0 || tree->node_at[0] != MW_GRAPH_ROOT || tree->end[0] != tree->count)
        return false;
    for (uint32_t at = 1; at < tree->count; at++) {
        uint32_t parent = tree->parent[at];

        if (parent >= at || tree->end[at] <= at || tree->end[at] > tree->end[parent] ||
            tree->position_of[tree->node_at[at]] != at)
            return false;
    }
    return true;
}
