/* SPDX-License-Identifier: MIT
 *
 * Tarjan's algorithm with a stack of our own.  A node's `low` is the first node, by order
 * of discovery, that it is known to reach among those still open; a component is complete
 * when its first node reaches nothing before itself.
 */
#include "graph/cycles.h"

typedef struct visit {
    uint32_t node;
    uint32_t edge; /* the next to follow */
} visit;

typedef struct finder {
    const mw_object_graph *graph;
    const mw_routes *routes; /* or NULL                                              */
    mw_cycles *cycles;
    uint32_t *low;  /* by node; 0 = not discovered                                  */
    uint32_t *open; /* nodes that are in no component yet, in order of discovery    */
    visit *stack;
    uint32_t open_count;
    uint32_t depth;
    uint32_t discovered;
} finder;

static bool is_asked(const finder *find, uint32_t node)
{
    return find->routes == NULL || !mw_routes_reach(find->routes, node);
}

static void discover(finder *find, uint32_t node)
{
    find->low[node] = ++find->discovered;
    find->open[find->open_count++] = node;
    find->stack[find->depth++] = (visit){node, find->graph->first_edge[node]};
}

/* Everything discovered after [node] and still open is its component. */
static void close_component(finder *find, uint32_t node)
{
    uint32_t member;

    find->cycles->count++;
    do {
        member = find->open[--find->open_count];
        find->cycles->component_of[member] = find->cycles->count;
    } while (member != node);
}

/* The order in which [node] was discovered is lost once `low` sinks; but a node whose `low`
 * is its own order is the first of its component, and only this is asked. */
static void leave(finder *find, uint32_t order)
{
    uint32_t node = find->stack[--find->depth].node;

    if (find->low[node] == order) {
        close_component(find, node);
    } else {
        uint32_t above = find->stack[find->depth - 1].node;

        if (find->low[node] < find->low[above])
            find->low[above] = find->low[node];
    }
}

/* [orders] has the order of discovery of each node on the stack. */
static void search(finder *find, uint32_t *orders, uint32_t start)
{
    const mw_object_graph *graph = find->graph;

    discover(find, start);
    orders[0] = find->discovered;
    while (find->depth != 0) {
        visit *top = &find->stack[find->depth - 1];
        uint32_t target;

        if (top->edge == graph->first_edge[top->node + 1]) {
            leave(find, orders[find->depth - 1]);
            continue;
        }
        target = graph->edges[top->edge++];
        if (!is_asked(find, target))
            continue;
        if (find->low[target] == 0) {
            discover(find, target);
            orders[find->depth - 1] = find->discovered;
        } else if (find->cycles->component_of[target] == 0 &&
                   find->low[target] < find->low[top->node]) {
            find->low[top->node] = find->low[target];
        }
    }
}

mw_status mw_cycles_init(mw_cycles *ret_cycles, const mw_object_graph *graph,
                         const mw_routes *routes, mw_alloc *alloc)
{
    finder find = {.graph = graph, .routes = routes, .cycles = ret_cycles};
    uint32_t *orders = mw_alloc_array(alloc, graph->node_count, sizeof *orders);
    mw_status status = MW_NO_MEMORY;

    *ret_cycles = (mw_cycles){.alloc = alloc, .node_count = graph->node_count};
    ret_cycles->component_of =
        mw_alloc_array(alloc, graph->node_count, sizeof *ret_cycles->component_of);
    find.low = mw_alloc_array(alloc, graph->node_count, sizeof *find.low);
    find.open = mw_alloc_array(alloc, graph->node_count, sizeof *find.open);
    find.stack = mw_alloc_array(alloc, graph->node_count, sizeof *find.stack);
    if (orders == NULL || ret_cycles->component_of == NULL || find.low == NULL ||
        find.open == NULL || find.stack == NULL)
        goto done;
    for (uint32_t node = 1; node < graph->node_count; node++)
        if (find.low[node] == 0 && is_asked(&find, node))
            search(&find, orders, node);
    status = MW_OK;

done:
    mw_alloc_release(alloc, orders, graph->node_count * sizeof *orders);
    mw_alloc_release(alloc, find.low, graph->node_count * sizeof *find.low);
    mw_alloc_release(alloc, find.open, graph->node_count * sizeof *find.open);
    mw_alloc_release(alloc, find.stack, graph->node_count * sizeof *find.stack);
    if (status != MW_OK)
        mw_cycles_done(ret_cycles);
    return status;
}

void mw_cycles_done(mw_cycles *cycles)
{
    if (cycles->alloc != NULL)
        mw_alloc_release(cycles->alloc, cycles->component_of,
                         cycles->node_count * sizeof *cycles->component_of);
    *cycles = (mw_cycles){0};
}

/* ── garbage ─────────────────────────────────────────────────────────────────────── */

/* Marks the components that others refer to. */
static void note_referred(const mw_object_graph *graph, const mw_cycles *cycles, uint8_t *is_known)
{
    for (uint32_t node = 1; node < graph->node_count; node++) {
        if (cycles->component_of[node] == 0)
            continue;
        for (uint32_t i = graph->first_edge[node]; i < graph->first_edge[node + 1]; i++)
            if (cycles->component_of[graph->edges[i]] != cycles->component_of[node])
                is_known[cycles->component_of[graph->edges[i]]] = 1;
    }
}

static mw_status add_roots(mw_object_graph *graph, mw_routes *routes, const mw_cycles *cycles,
                           uint8_t *is_known, uint32_t *ret_nodes)
{
    uint32_t first_root = graph->root_count;
    uint32_t garbage = 0;
    mw_status status = MW_OK;

    for (uint32_t node = 1; status == MW_OK && node < graph->node_count; node++) {
        uint32_t component = cycles->component_of[node];

        garbage += component != 0;
        if (component == 0 || is_known[component])
            continue;
        is_known[component] = 1;
        status = mw_object_graph_add_root(graph, node, MW_ROOT_GARBAGE, 0);
    }
    if (status != MW_OK)
        return status;
    mw_routes_extend(routes, graph, first_root);
    *ret_nodes = garbage;
    return MW_OK;
}

mw_status mw_cycles_root_garbage(mw_object_graph *graph, mw_routes *routes, mw_alloc *alloc,
                                 uint32_t *ret_nodes)
{
    mw_cycles cycles = {0};
    uint8_t *is_known = NULL;
    mw_status status;

    *ret_nodes = 0;
    if (routes->reached == graph->node_count - 1)
        return MW_OK;
    status = mw_cycles_init(&cycles, graph, routes, alloc);
    if (status != MW_OK)
        return status;
    is_known = mw_alloc_new(alloc, (size_t)cycles.count + 1);
    if (is_known == NULL) {
        status = MW_NO_MEMORY;
    } else {
        note_referred(graph, &cycles, is_known);
        status = add_roots(graph, routes, &cycles, is_known, ret_nodes);
    }
    mw_alloc_release(alloc, is_known, (size_t)cycles.count + 1);
    mw_cycles_done(&cycles);
    return status;
}
