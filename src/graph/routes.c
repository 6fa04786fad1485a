/* SPDX-License-Identifier: MIT
 *
 * The first way is read off the search's notes.  For others the way is cut at the object's
 * dominators into sections, since every way passes all of these in the same order; in each
 * section a search backwards, from its end to its beginning, goes around what the ways
 * before it took.  The i-th way has the i-th find of each section, or its last.
 */
#include "graph/routes.h"

#include <string.h>

enum { FETCH_AHEAD = 16 };

/* A search backwards gives up after so many edges: another way would be no help to anyone. */
enum { LOOKS_MAXIMUM = 1 << 24 };

/* ── the search from the roots ───────────────────────────────────────────────────── */

static void reach(mw_routes *routes, uint32_t node, uint32_t referrer)
{
    if (routes->referrer[node] != 0)
        return;
    routes->referrer[node] = referrer;
    routes->queue[routes->reached++] = node;
}

static void search(mw_routes *routes, const mw_object_graph *graph)
{
    while (routes->searched < routes->reached) {
        uint32_t node = routes->queue[routes->searched++];
        uint32_t end = graph->first_edge[node + 1];

        for (uint32_t edge = graph->first_edge[node]; edge < end; edge++) {
            if (edge + FETCH_AHEAD < graph->edge_count)
                __builtin_prefetch(&routes->referrer[graph->edges[edge + FETCH_AHEAD]], 1);
            reach(routes, graph->edges[edge], node);
        }
    }
}

void mw_routes_extend(mw_routes *routes, const mw_object_graph *graph, uint32_t first_root)
{
    for (int kind = MW_ROOT_NONE; kind < MW_ROOT_KIND_COUNT; kind++) {
        for (uint32_t i = first_root; i < graph->root_count; i++)
            if (graph->roots[i].kind == (mw_root_kind)kind)
                reach(routes, graph->roots[i].node, graph->roots[i].node);
        search(routes, graph);
    }
}

mw_status mw_routes_init(mw_routes *ret_routes, const mw_object_graph *graph, mw_alloc *alloc)
{
    *ret_routes = (mw_routes){.alloc = alloc, .node_count = graph->node_count};
    ret_routes->referrer = mw_alloc_array(alloc, graph->node_count, sizeof *ret_routes->referrer);
    ret_routes->queue = mw_alloc_array(alloc, graph->node_count, sizeof *ret_routes->queue);
    if (ret_routes->referrer == NULL || ret_routes->queue == NULL) {
        mw_routes_done(ret_routes);
        return MW_NO_MEMORY;
    }
    mw_routes_extend(ret_routes, graph, 0);
    return MW_OK;
}

void mw_routes_settle(mw_routes *routes)
{
    mw_alloc_release(routes->alloc, routes->queue, routes->node_count * sizeof *routes->queue);
    routes->queue = NULL;
}

void mw_routes_done(mw_routes *routes)
{
    if (routes->alloc != NULL) {
        mw_routes_settle(routes);
        mw_alloc_release(routes->alloc, routes->referrer,
                         routes->node_count * sizeof *routes->referrer);
    }
    *routes = (mw_routes){0};
}

/* ── one way ─────────────────────────────────────────────────────────────────────── */

static mw_status route_new(mw_route_list *list, uint32_t count, mw_route **ret_route)
{
    mw_status status = mw_alloc_grow(list->alloc, &list->routes, list->count, &list->capacity,
                                     sizeof *list->routes, UINT32_MAX);

    if (status != MW_OK)
        return status;
    *ret_route = &list->routes[list->count];
    (*ret_route)->count = count;
    (*ret_route)->nodes = mw_alloc_array(list->alloc, count, sizeof *(*ret_route)->nodes);
    if ((*ret_route)->nodes == NULL)
        return MW_NO_MEMORY;
    list->count++;
    return MW_OK;
}

static mw_status add_first(mw_route_list *list, const mw_routes *routes, uint32_t node)
{
    mw_route *route = NULL;
    mw_status status;
    uint32_t length = 1;

    for (uint32_t at = node; routes->referrer[at] != at; at = routes->referrer[at])
        length++;
    status = route_new(list, length, &route);
    if (status != MW_OK)
        return status;
    for (uint32_t i = length; i-- > 0; node = routes->referrer[node])
        route->nodes[i] = node;
    return MW_OK;
}

void mw_route_list_done(mw_route_list *list)
{
    if (list->alloc != NULL) {
        for (uint32_t i = 0; i < list->count; i++)
            mw_alloc_release(list->alloc, list->routes[i].nodes,
                             list->routes[i].count * sizeof *list->routes[i].nodes);
        mw_alloc_release(list->alloc, list->routes, list->capacity * sizeof *list->routes);
    }
    *list = (mw_route_list){0};
}

/* ── sections ────────────────────────────────────────────────────────────────────── */

/* A node that was not looked at, and one that may not be passed. */
enum { UNSEEN = 0 };
#define BLOCKED UINT32_MAX

/* Between a dominator and the next.  Its finds lie behind each other in the seeker's
 * `steps`: the nodes after `from`, up to and with `to`. */
typedef struct section {
    uint32_t from; /* MW_GRAPH_ROOT: any root will do */
    uint32_t to;
    uint32_t first_find; /* of the seeker's finds */
    uint32_t find_count;
} section;

typedef struct find {
    uint32_t first_step;
    uint32_t step_count;
} find;

typedef struct seeker {
    const mw_object_graph *graph;
    const mw_back_edges *back;
    mw_alloc *alloc;
    uint32_t *toward;  /* owned; by node: the next on the way to the section's end     */
    uint32_t *touched; /* owned; nodes of which `toward` was written                   */
    uint32_t touched_count;
    uint8_t *is_root;  /* owned; by node                                               */
    section *sections; /* owned                                                        */
    uint32_t section_count, section_capacity;
    find *finds; /* owned                                                             */
    uint32_t find_count, find_capacity;
    uint32_t *steps; /* owned; nodes                                                   */
    uint32_t step_count, step_capacity;
} seeker;

static mw_status add_step(seeker *seek, uint32_t node)
{
    mw_status status = mw_alloc_grow(seek->alloc, &seek->steps, seek->step_count,
                                     &seek->step_capacity, sizeof *seek->steps, UINT32_MAX);

    if (status == MW_OK)
        seek->steps[seek->step_count++] = node;
    return status;
}

static mw_status begin_find(seeker *seek)
{
    mw_status status = mw_alloc_grow(seek->alloc, &seek->finds, seek->find_count,
                                     &seek->find_capacity, sizeof *seek->finds, UINT32_MAX);

    if (status == MW_OK)
        seek->finds[seek->find_count++] = (find){.first_step = seek->step_count};
    return status;
}

static void end_find(seeker *seek)
{
    find *last = &seek->finds[seek->find_count - 1];

    last->step_count = seek->step_count - last->first_step;
    seek->sections[seek->section_count - 1].find_count++;
}

static mw_status begin_section(seeker *seek, uint32_t from, uint32_t to)
{
    mw_status status = mw_alloc_grow(seek->alloc, &seek->sections, seek->section_count,
                                     &seek->section_capacity, sizeof *seek->sections, UINT32_MAX);

    if (status == MW_OK)
        seek->sections[seek->section_count++] =
            (section){.from = from, .to = to, .first_find = seek->find_count};
    return status;
}

/* Cuts the first way at the dominators of its end, which all lie on it. */
static mw_status cut(seeker *seek, const mw_dominators *tree, const mw_route *way)
{
    uint32_t goal = tree->position_of[way->nodes[way->count - 1]];
    uint32_t from = MW_GRAPH_ROOT;
    mw_status status = MW_OK;

    for (uint32_t i = 0, begin = 0; status == MW_OK && i < way->count; i++) {
        if (!mw_dominators_is_below(tree, goal, tree->position_of[way->nodes[i]]))
            continue;
        status = begin_section(seek, from, way->nodes[i]);
        if (status == MW_OK)
            status = begin_find(seek);
        for (; status == MW_OK && begin <= i; begin++)
            status = add_step(seek, way->nodes[begin]);
        if (status == MW_OK)
            end_find(seek);
        from = way->nodes[i];
    }
    return status;
}

/* ── searching backwards ─────────────────────────────────────────────────────────── */

static void touch(seeker *seek, uint32_t node, uint32_t toward)
{
    seek->toward[node] = toward;
    seek->touched[seek->touched_count++] = node;
}

static void forget_touched(seeker *seek)
{
    for (uint32_t i = 0; i < seek->touched_count; i++)
        seek->toward[seek->touched[i]] = UNSEEN;
    seek->touched_count = 0;
}

/* Closes what the finds of the section so far go through, but for their ends: roots may be
 * shared.  Returns whether one of them goes through nothing. */
static bool block_finds(seeker *seek, const section *part)
{
    bool has_direct = false;

    for (uint32_t i = 0; i < part->find_count; i++) {
        const find *found = &seek->finds[part->first_find + i];
        const uint32_t *steps = seek->steps + found->first_step;
        uint32_t first = part->from == MW_GRAPH_ROOT ? 1 : 0;

        has_direct |= found->step_count == 1;
        for (uint32_t k = first; k + 1 < found->step_count; k++)
            if (seek->toward[steps[k]] == UNSEEN)
                touch(seek, steps[k], BLOCKED);
    }
    return has_direct;
}

/* Whether some find of the section is the edge from the root [root] to its end. */
static bool took_root(const seeker *seek, const section *part, uint32_t root, uint32_t next)
{
    for (uint32_t i = 0; i < part->find_count; i++) {
        const find *found = &seek->finds[part->first_find + i];

        if (found->step_count >= 2 && seek->steps[found->first_step] == root &&
            seek->steps[found->first_step + 1] == next)
            return true;
    }
    return false;
}

/* Looks at one referrer of [node]; returns whether the section begins there. */
static bool look_back(seeker *seek, const section *part, bool skips_direct, uint32_t node,
                      uint32_t referrer)
{
    if (part->from != MW_GRAPH_ROOT && referrer == part->from)
        return !(skips_direct && node == part->to);
    if (seek->toward[referrer] != UNSEEN || referrer == part->to)
        return false;
    if (part->from == MW_GRAPH_ROOT && seek->is_root[referrer]) {
        if (took_root(seek, part, referrer, node))
            return false;
        touch(seek, referrer, node);
        return true;
    }
    touch(seek, referrer, node);
    return false;
}

/* Searches from the section's end; returns the node on which it can begin (a root, or what
 * `from` refers to), or 0 when there is no other way. */
static uint32_t seek_back(seeker *seek, const section *part, bool skips_direct)
{
    const mw_back_edges *back = seek->back;
    uint32_t head = seek->touched_count; /* what is blocked stays out of the queue */
    uint64_t looks = 0;

    for (uint32_t node = part->to;;) {
        for (uint32_t i = back->first[node]; i < back->first[node + 1]; i++) {
            if (++looks > LOOKS_MAXIMUM)
                return 0;
            if (look_back(seek, part, skips_direct, node, back->edges[i]))
                return part->from == MW_GRAPH_ROOT ? back->edges[i] : node;
        }
        if (head == seek->touched_count)
            return 0;
        node = seek->touched[head++];
    }
}

static mw_status add_find(seeker *seek, uint32_t section_number, uint32_t begin)
{
    uint32_t to = seek->sections[section_number].to;
    mw_status status = begin_find(seek);

    for (uint32_t node = begin; status == MW_OK; node = seek->toward[node]) {
        status = add_step(seek, node);
        if (node == to)
            break;
    }
    if (status == MW_OK) {
        find *last = &seek->finds[seek->find_count - 1];

        last->step_count = seek->step_count - last->first_step;
    }
    return status;
}

/* Finds of one section stand behind each other, so the first is copied behind those of the
 * sections before it; what was there is left behind. */
static mw_status move_finds(seeker *seek, section *part)
{
    find only = seek->finds[part->first_find];
    mw_status status = begin_find(seek);

    if (status == MW_OK) {
        part->first_find = seek->find_count - 1;
        seek->finds[part->first_find] = only;
    }
    return status;
}

/* Where the next find of the section begins: see seek_back.  What is a root itself needs
 * nobody else; but if a way from another root came first, that it is one comes next. */
static uint32_t next_begin(seeker *seek, const section *part)
{
    bool has_direct = block_finds(seek, part);

    if (part->from == MW_GRAPH_ROOT && seek->is_root[part->to] && !has_direct)
        return part->to;
    return seek_back(seek, part, has_direct);
}

static mw_status vary(seeker *seek, uint32_t number, uint32_t limit)
{
    section *part = &seek->sections[number];
    mw_status status = move_finds(seek, part);

    if (part->from == MW_GRAPH_ROOT && seek->finds[part->first_find].step_count == 1)
        return status;
    while (status == MW_OK && part->find_count < limit) {
        uint32_t begin = next_begin(seek, part);

        if (begin != 0) {
            status = add_find(seek, number, begin);
            part->find_count++;
        }
        forget_touched(seek);
        if (begin == 0)
            break;
    }
    return status;
}

/* ── putting together ────────────────────────────────────────────────────────────── */

static const find *find_for(const seeker *seek, const section *part, uint32_t i)
{
    return &seek->finds[part->first_find + (i < part->find_count ? i : part->find_count - 1)];
}

static mw_status assemble(const seeker *seek, mw_route_list *list, uint32_t i)
{
    mw_route *route = NULL;
    mw_status status;
    uint32_t length = 0;

    for (uint32_t k = 0; k < seek->section_count; k++)
        length += find_for(seek, &seek->sections[k], i)->step_count;
    status = route_new(list, length, &route);
    if (status != MW_OK)
        return status;
    length = 0;
    for (uint32_t k = 0; k < seek->section_count; k++) {
        const find *found = find_for(seek, &seek->sections[k], i);

        memcpy(route->nodes + length, seek->steps + found->first_step,
               found->step_count * sizeof *route->nodes);
        length += found->step_count;
    }
    return MW_OK;
}

static mw_status seeker_init(seeker *seek, const mw_object_graph *graph, const mw_back_edges *back,
                             mw_alloc *alloc)
{
    *seek = (seeker){.graph = graph, .back = back, .alloc = alloc};
    seek->toward = mw_alloc_array(alloc, graph->node_count, sizeof *seek->toward);
    seek->touched = mw_alloc_array(alloc, graph->node_count, sizeof *seek->touched);
    seek->is_root = mw_alloc_new(alloc, graph->node_count);
    if (seek->toward == NULL || seek->touched == NULL || seek->is_root == NULL)
        return MW_NO_MEMORY;
    for (uint32_t i = 0; i < graph->root_count; i++)
        seek->is_root[graph->roots[i].node] = 1;
    return MW_OK;
}

static void seeker_done(seeker *seek)
{
    uint32_t node_count = seek->graph->node_count;

    mw_alloc_release(seek->alloc, seek->toward, node_count * sizeof *seek->toward);
    mw_alloc_release(seek->alloc, seek->touched, node_count * sizeof *seek->touched);
    mw_alloc_release(seek->alloc, seek->is_root, node_count);
    mw_alloc_release(seek->alloc, seek->sections, seek->section_capacity * sizeof *seek->sections);
    mw_alloc_release(seek->alloc, seek->finds, seek->find_capacity * sizeof *seek->finds);
    mw_alloc_release(seek->alloc, seek->steps, seek->step_capacity * sizeof *seek->steps);
}

static mw_status add_others(mw_route_list *list, const mw_object_graph *graph,
                            const mw_back_edges *back, const mw_dominators *tree, uint32_t limit)
{
    seeker seek;
    mw_status status = seeker_init(&seek, graph, back, list->alloc);
    uint32_t most = 1;

    if (status == MW_OK)
        status = cut(&seek, tree, &list->routes[0]);
    for (uint32_t i = 0; status == MW_OK && i < seek.section_count; i++) {
        status = vary(&seek, i, limit);
        if (seek.sections[i].find_count > most)
            most = seek.sections[i].find_count;
    }
    for (uint32_t i = 1; status == MW_OK && i < most; i++)
        status = assemble(&seek, list, i);
    seeker_done(&seek);
    return status;
}

mw_status mw_routes_find(mw_route_list *ret_list, const mw_routes *routes,
                         const mw_object_graph *graph, const mw_back_edges *back,
                         const mw_dominators *tree, uint32_t node, uint32_t limit, mw_alloc *alloc)
{
    mw_status status = MW_OK;

    *ret_list = (mw_route_list){.alloc = alloc};
    if (limit == 0 || node == MW_GRAPH_ROOT || !mw_routes_reach(routes, node))
        return MW_OK;
    status = add_first(ret_list, routes, node);
    if (status == MW_OK && limit > 1)
        status = add_others(ret_list, graph, back, tree, limit);
    if (status != MW_OK)
        mw_route_list_done(ret_list);
    return status;
}
