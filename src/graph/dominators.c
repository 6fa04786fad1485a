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
 * Arrays are given back as soon as no later pass wants them, and made when the pass that
 * fills them begins: the sum of what is alive at once is what a large heap must pay.
 */
#include "graph/dominators.h"

enum { FETCH_AHEAD = 24 };

/* No in-edges are kept for this node. */
#define SINGLE UINT32_MAX

/* What is asked at random, in one place.  While dominators are looked for, the forest of
 * compressed paths; while positions are chosen, those. */
typedef struct link {
    union {
        uint32_t ancestor; /* at first the parent                                   */
        uint32_t position;
    };
    union {
        uint32_t best; /* the smallest semidominator on the path that was compressed */
        uint32_t next; /* the first position below that nobody has yet               */
    };
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
    uint32_t *parents; /* in the tree of the search; then the dominators           */
    uint8_t *is_root;
    uint32_t *first_in; /* of in_edges, from [n] to [n + 1]                          */
    uint32_t *in_edges; /* numbers, for whoever has more than one                    */
    uint32_t in_count;
    uint32_t *semi; /* semidominators; then how many a number dominates, with itself */
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

/* A bit for each node lies in the processor's caches where a number would not. */
static bool was_reached(const uint64_t *reached, uint32_t node)
{
    return (reached[node / 64] >> node % 64 & 1) != 0;
}

static uint32_t take_number(maker *make, uint64_t *reached, uint32_t node, uint32_t parent)
{
    uint32_t number = make->count++;

    reached[node / 64] |= UINT64_C(1) << node % 64;
    make->number_of[node] = number;
    make->node_of[number] = node;
    make->parents[number] = parent;
    return number;
}

static void number_from(maker *make, uint64_t *reached, visit *stack, uint32_t root)
{
    const uint32_t *first_edge = make->graph->first_edge;
    const uint32_t *edges = make->graph->edges;
    uint32_t depth = 1;

    stack[0] = (visit){take_number(make, reached, root, 0), first_edge[root], first_edge[root + 1]};
    while (depth != 0) {
        visit *top = &stack[depth - 1];
        uint32_t node, number;

        if (top->edge == top->end) {
            depth--;
            continue;
        }
        node = edges[top->edge++];
        if (was_reached(reached, node))
            continue;
        if (top->edge != top->end)
            __builtin_prefetch(&first_edge[edges[top->edge]]);
        number = take_number(make, reached, node, top->number);
        /* What refers to nothing is not worth a turn. */
        if (first_edge[node] != first_edge[node + 1])
            stack[depth++] = (visit){number, first_edge[node], first_edge[node + 1]};
    }
}

static void number_all(maker *make, uint64_t *reached, visit *stack)
{
    const mw_object_graph *graph = make->graph;

    make->count = 1;
    for (uint32_t i = 0; i < graph->root_count; i++)
        if (!was_reached(reached, graph->roots[i].node))
            number_from(make, reached, stack, graph->roots[i].node);
    for (uint32_t i = 0; i < graph->root_count; i++)
        make->is_root[make->number_of[graph->roots[i].node]] = 1;
}

static mw_status number(maker *make)
{
    size_t stack_bytes = make->node_count * sizeof(visit);
    size_t reached_bytes = (make->node_count / 64 + 1) * sizeof(uint64_t);
    visit *stack = mw_alloc_new(make->alloc, stack_bytes);
    uint64_t *reached = mw_alloc_new(make->alloc, reached_bytes);
    mw_status status = MW_NO_MEMORY;

    make->number_of = array_of(make, make->node_count);
    make->node_of = array_of(make, make->node_count);
    make->parents = array_of(make, make->node_count);
    make->is_root = mw_alloc_new(make->alloc, make->node_count);
    if (stack != NULL && reached != NULL && make->number_of != NULL && make->node_of != NULL &&
        make->parents != NULL && make->is_root != NULL) {
        number_all(make, reached, stack);
        status = MW_OK;
    }
    mw_alloc_release(make->alloc, reached, reached_bytes);
    mw_alloc_release(make->alloc, stack, stack_bytes);
    return status;
}

/* ── reverse ─────────────────────────────────────────────────────────────────────── */

/* Counts the references to each node.  Edges are followed in the order in which they lie. */
static void count_in_edges(const maker *make, uint32_t *counts)
{
    const mw_object_graph *graph = make->graph;

    for (uint32_t node = 0; node < make->node_count; node++) {
        if (make->number_of[node] == 0)
            continue;
        for (uint32_t edge = graph->first_edge[node]; edge < graph->first_edge[node + 1]; edge++) {
            if (edge + FETCH_AHEAD < graph->edge_count)
                __builtin_prefetch(&counts[graph->edges[edge + FETCH_AHEAD]], 1);
            counts[graph->edges[edge]]++;
        }
    }
}

/* Turns counts into the offsets of those that have a choice, SINGLE for the others. */
static void place_in_edges(maker *make, uint32_t *counts)
{
    for (uint32_t i = 1; i < make->count; i++) {
        uint32_t *count = &counts[make->node_of[i]];

        if (i + FETCH_AHEAD < make->count)
            __builtin_prefetch(&counts[make->node_of[i + FETCH_AHEAD]], 1);
        make->first_in[i] = make->in_count;
        if (*count > 1 && !make->is_root[i]) {
            make->in_count += *count;
            *count = make->first_in[i];
        } else {
            *count = SINGLE;
        }
    }
    make->first_in[make->count] = make->in_count;
}

static void put_in_edges(maker *make, uint32_t *next)
{
    const mw_object_graph *graph = make->graph;

    for (uint32_t node = 0; node < make->node_count; node++) {
        uint32_t number = make->number_of[node];

        if (number == 0)
            continue;
        for (uint32_t edge = graph->first_edge[node]; edge < graph->first_edge[node + 1]; edge++) {
            uint32_t target = graph->edges[edge];

            if (edge + FETCH_AHEAD < graph->edge_count)
                __builtin_prefetch(&next[graph->edges[edge + FETCH_AHEAD]], 1);
            if (next[target] != SINGLE)
                make->in_edges[next[target]++] = number;
        }
    }
}

static mw_status reverse(maker *make)
{
    uint32_t *counts = array_of(make, make->node_count);
    mw_status status = MW_NO_MEMORY;

    make->first_in = array_of(make, (size_t)make->count + 1);
    if (counts == NULL || make->first_in == NULL)
        goto done;
    count_in_edges(make, counts);
    place_in_edges(make, counts);
    make->in_edges = array_of(make, make->in_count);
    if (make->in_edges == NULL)
        goto done;
    put_in_edges(make, counts);
    drop(make, &make->number_of, make->node_count);
    status = MW_OK;

done:
    drop(make, &counts, make->node_count);
    return status;
}

/* ── dominate ────────────────────────────────────────────────────────────────────── */

/* The smallest semidominator on the way from [from] up to, but without, [limit] and what is
 * before it; shortens the way for whoever comes next.  [stack] has room for any way. */
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

        if (links[above].best < links[at].best)
            links[at].best = links[above].best;
        links[at].ancestor = links[above].ancestor;
        above = at;
    }
    return links[from].best;
}

/* All numbers after [at] have their links. */
static uint32_t semidominator(const maker *make, uint32_t at, uint32_t *stack)
{
    link *links = make->links;
    uint32_t best = make->parents[at];
    uint32_t first = make->first_in[at];

    for (uint32_t i = first; i < make->first_in[at + 1]; i++) {
        uint32_t from = make->in_edges[i];
        uint32_t semi;

        /* What comes next lies before this. */
        if (i >= FETCH_AHEAD)
            __builtin_prefetch(&links[make->in_edges[i - FETCH_AHEAD]]);
        semi = from <= at ? from : best_on_path(links, from, at, stack);
        if (semi < best)
            best = semi;
    }
    return best;
}

static void find_dominators(maker *make, uint32_t *stack)
{
    uint32_t *parents = make->parents;

    for (uint32_t i = make->count - 1; i >= 1; i--) {
        uint32_t semi = make->is_root[i] || parents[i] == 0 ? 0 : semidominator(make, i, stack);

        make->semi[i] = semi;
        make->links[i] = (link){.ancestor = parents[i], .best = semi};
    }
    for (uint32_t i = 1; i < make->count; i++) {
        uint32_t dominator = parents[i];

        while (dominator > make->semi[i])
            dominator = parents[dominator];
        parents[i] = dominator;
    }
}

static mw_status dominate(maker *make)
{
    uint32_t *stack = array_of(make, make->count);

    make->semi = array_of(make, make->count);
    make->links = mw_alloc_array(make->alloc, make->count, sizeof *make->links);
    if (stack == NULL || make->semi == NULL || make->links == NULL) {
        drop(make, &stack, make->count);
        return MW_NO_MEMORY;
    }
    find_dominators(make, stack);
    drop(make, &stack, make->count);
    drop(make, &make->in_edges, make->in_count);
    drop(make, &make->first_in, (size_t)make->count + 1);
    return MW_OK;
}

/* ── arrange ─────────────────────────────────────────────────────────────────────── */

static void choose_positions(maker *make)
{
    const uint32_t *dominators = make->parents;
    uint32_t *sizes = make->semi;
    link *links = make->links;

    for (uint32_t i = 0; i < make->count; i++)
        sizes[i] = 1;
    for (uint32_t i = make->count - 1; i >= 1; i--)
        sizes[dominators[i]] += sizes[i];
    links[0] = (link){.position = 0, .next = 1};
    for (uint32_t i = 1; i < make->count; i++) {
        link *above = &links[dominators[i]];

        links[i] = (link){.position = above->next, .next = above->next + 1};
        above->next += sizes[i];
    }
}

/* Moves what is by number to where it is by position, an array after the other. */
static mw_status write_positions(maker *make, mw_dominators *tree)
{
    const link *links = make->links;

    tree->count = make->count;
    tree->node_at = array_of(make, make->count);
    if (tree->node_at == NULL)
        return MW_NO_MEMORY;
    for (uint32_t i = 0; i < make->count; i++)
        tree->node_at[links[i].position] = make->node_of[i];
    drop(make, &make->node_of, make->node_count);
    tree->parent = array_of(make, make->count);
    if (tree->parent == NULL)
        return MW_NO_MEMORY;
    for (uint32_t i = 0; i < make->count; i++)
        tree->parent[links[i].position] = links[make->parents[i]].position;
    drop(make, &make->parents, make->node_count);
    tree->end = array_of(make, make->count);
    if (tree->end == NULL)
        return MW_NO_MEMORY;
    for (uint32_t i = 0; i < make->count; i++)
        tree->end[links[i].position] = links[i].position + make->semi[i];
    return MW_OK;
}

/* What is by node, from what is by position. */
static mw_status look_up_nodes(mw_dominators *tree, const mw_object_graph *graph)
{
    tree->position_of = mw_alloc_array(tree->alloc, tree->node_count, sizeof *tree->position_of);
    tree->bytes_before =
        mw_alloc_array(tree->alloc, (size_t)tree->count + 1, sizeof *tree->bytes_before);
    if (tree->position_of == NULL || tree->bytes_before == NULL)
        return MW_NO_MEMORY;
    for (uint32_t at = 0; at < tree->count; at++) {
        uint32_t node = tree->node_at[at];

        if (at + FETCH_AHEAD < tree->count) {
            __builtin_prefetch(&graph->nodes[tree->node_at[at + FETCH_AHEAD]]);
            __builtin_prefetch(&tree->position_of[tree->node_at[at + FETCH_AHEAD]], 1);
        }
        tree->position_of[node] = at;
        tree->bytes_before[at + 1] = tree->bytes_before[at] + mw_object_graph_size(graph, node);
    }
    return MW_OK;
}

static mw_status arrange(maker *make, mw_dominators *tree)
{
    mw_status status;

    mw_alloc_release(make->alloc, make->is_root, make->node_count);
    make->is_root = NULL;
    choose_positions(make);
    status = write_positions(make, tree);
    drop(make, &make->semi, make->count);
    mw_alloc_release(make->alloc, make->links, make->count * sizeof *make->links);
    make->links = NULL;
    return status == MW_OK ? look_up_nodes(tree, make->graph) : status;
}

static void maker_done(maker *make)
{
    drop(make, &make->number_of, make->node_count);
    drop(make, &make->node_of, make->node_count);
    drop(make, &make->parents, make->node_count);
    drop(make, &make->in_edges, make->in_count);
    drop(make, &make->first_in, (size_t)make->count + 1);
    drop(make, &make->semi, make->count);
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
