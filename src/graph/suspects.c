/* SPDX-License-Identifier: MIT
 *
 * Walks down the dominator tree where it is heavy.  At each such node: what do its children
 * leave that are heavy themselves?  If that is much, the node is where it accumulates, but
 * for what others hold together below it.  There are no more heavy nodes in one generation
 * than the heap has thresholds, so this looks at the children of a few hundred nodes.
 *
 * A linked list is heavy down to where less than the threshold is left of it, and none of its
 * links has anything but the rest.  So where the walk ends it looks back: links are nodes whose
 * types repeat, and the first of many is who accumulates.
 */
#include "graph/suspects.h"

enum { PERIOD_MAXIMUM = 4, LINKS_MINIMUM = 64 };

typedef struct finder {
    const mw_object_graph *graph;
    const mw_back_edges *back;
    const mw_dominators *tree;
    mw_suspects *suspects;
    mw_alloc *alloc;
    uint32_t *heavy; /* owned; positions yet to be looked at */
    uint32_t heavy_count, heavy_capacity;
    uint32_t type_count;
    uint64_t threshold_bytes;
} finder;

static mw_status add_suspect(finder *find, mw_suspect suspect)
{
    mw_suspects *all = find->suspects;
    mw_status status = mw_alloc_grow(find->alloc, &all->items, all->count, &all->capacity,
                                     sizeof *all->items, UINT32_MAX);
    uint32_t place;

    if (status != MW_OK)
        return status;
    for (place = all->count++; place > 0 && all->items[place - 1].bytes < suspect.bytes; place--)
        all->items[place] = all->items[place - 1];
    all->items[place] = suspect;
    return MW_OK;
}

static mw_status push(finder *find, uint32_t position)
{
    mw_status status = mw_alloc_grow(find->alloc, &find->heavy, find->heavy_count,
                                     &find->heavy_capacity, sizeof *find->heavy, UINT32_MAX);

    if (status == MW_OK)
        find->heavy[find->heavy_count++] = position;
    return status;
}

static bool is_heavy(const finder *find, uint32_t position)
{
    return mw_dominators_retained(find->tree, position) >= find->threshold_bytes;
}

/* What the node retains without its heavy children, which are looked at later; and how many
 * these are. */
static mw_status set_heavy_aside(finder *find, uint32_t position, uint64_t *ret_bytes,
                                 uint64_t *ret_objects, uint32_t *ret_heavy)
{
    const mw_dominators *tree = find->tree;
    mw_status status = MW_OK;

    *ret_bytes = mw_dominators_retained(tree, position);
    *ret_objects = tree->end[position] - position;
    *ret_heavy = 0;
    for (uint32_t at = position + 1; status == MW_OK && at < tree->end[position];
         at = tree->end[at]) {
        if (!is_heavy(find, at))
            continue;
        *ret_bytes -= mw_dominators_retained(tree, at);
        *ret_objects -= tree->end[at] - at;
        ++*ret_heavy;
        status = push(find, at);
    }
    return status;
}

/* Adds what is held jointly below [position], and takes it from the node's own.  A heavy
 * object that is held jointly is looked at by itself. */
static mw_status suspect_joint(finder *find, uint32_t position, uint64_t *bytes, uint64_t *objects)
{
    mw_joint joint;
    mw_status status = mw_joint_init(&joint, find->graph, find->back, find->tree, position,
                                     find->threshold_bytes, find->alloc);

    if (status != MW_OK)
        return status;
    for (uint32_t i = 0; status == MW_OK && i < joint.count; i++) {
        const mw_joint_row *row = &joint.rows[i];
        mw_suspect suspect = {.kind = MW_SUSPECT_JOINT,
                              .position = position,
                              .holder_count = row->holder_count,
                              .has_more_holders = row->has_more,
                              .heavy_bytes = find->threshold_bytes,
                              .objects = row->objects,
                              .bytes = row->bytes,
                              .retained_bytes = row->bytes};

        if (row->bytes < find->threshold_bytes)
            break;
        for (uint32_t k = 0; k < row->holder_count; k++)
            suspect.holders[k] = row->holders[k];
        *bytes -= row->bytes;
        *objects -= row->objects < *objects ? row->objects : *objects;
        status = add_suspect(find, suspect);
    }
    mw_joint_done(&joint);
    return status;
}

/* A root that C code holds and nobody else, if it is not heavy itself; 0 if it is. */
static uint32_t light_held_root(const mw_dominators *tree, const mw_graph_root *root,
                                uint64_t heavy_bytes)
{
    uint32_t at = tree->position_of[root->node];

    return root->kind == MW_ROOT_HELD_FROM_C && mw_dominators_retained(tree, at) < heavy_bytes ? at
                                                                                               : 0;
}

/* Roots of one type that C code holds, heavy together and none of them alone. */
static mw_status suspect_many(finder *find)
{
    size_t size_bytes = find->type_count * sizeof(mw_suspect);
    mw_suspect *by_type = mw_alloc_new(find->alloc, size_bytes);
    mw_status status = MW_OK;

    if (by_type == NULL)
        return MW_NO_MEMORY;
    for (uint32_t i = 0; i < find->graph->root_count; i++) {
        uint32_t at = light_held_root(find->tree, &find->graph->roots[i], find->threshold_bytes);
        uint32_t type = find->graph->nodes[find->graph->roots[i].node].type;
        mw_suspect *many = &by_type[type];

        if (at == 0)
            continue;
        if (many->objects++ == 0)
            *many = (mw_suspect){.kind = MW_SUSPECT_MANY,
                                 .position = at,
                                 .type = type,
                                 .objects = 1,
                                 .heavy_bytes = find->threshold_bytes};
        many->bytes += mw_dominators_retained(find->tree, at);
        many->retained_bytes = many->bytes;
    }
    for (uint32_t i = 0; status == MW_OK && i < find->type_count; i++)
        if (by_type[i].objects != 0 && by_type[i].bytes >= find->threshold_bytes)
            status = add_suspect(find, by_type[i]);
    mw_alloc_release(find->alloc, by_type, size_bytes);
    return status;
}

void mw_suspect_many_sums(const mw_suspect *many, const mw_object_graph *graph,
                          const mw_dominators *tree, const mw_grouping *grouping,
                          mw_retained_sum *sums)
{
    for (uint32_t i = 0; i < graph->root_count; i++) {
        uint32_t at = light_held_root(tree, &graph->roots[i], many->heavy_bytes);

        if (at != 0 && graph->nodes[graph->roots[i].node].type == many->type)
            mw_retained_below(tree, at, grouping, sums);
    }
}

/* ── chains ──────────────────────────────────────────────────────────────────────── */

static uint32_t type_at(const finder *find, uint32_t position)
{
    return find->graph->nodes[find->tree->node_at[position]].type;
}

/* The node above, if that has little but this one; else 0. */
static uint32_t link_above(const finder *find, uint32_t position)
{
    const mw_dominators *tree = find->tree;
    uint32_t above = tree->parent[position];

    if (above == 0 ||
        mw_dominators_retained(tree, above) - mw_dominators_retained(tree, position) >=
            find->threshold_bytes)
        return 0;
    return above;
}

/* After how many nodes the types repeat, from [position] upwards; 0 if they do not. */
static uint32_t period_above(const finder *find, uint32_t position)
{
    uint32_t types[2 * PERIOD_MAXIMUM];
    uint32_t count = 0;

    for (; position != 0 && count < 2 * PERIOD_MAXIMUM; position = link_above(find, position))
        types[count++] = type_at(find, position);
    if (count < 2 * PERIOD_MAXIMUM)
        return 0;
    for (uint32_t period = 1; period <= PERIOD_MAXIMUM; period++) {
        uint32_t i = 0;

        while (i + period < count && types[i] == types[i + period])
            i++;
        if (i + period == count)
            return period;
    }
    return 0;
}

/* Whether two nodes are links of one chain.  Of links that are several nodes, an object and its
 * dict say, sizes must be equal too, or a module's dict would be one of them. */
static bool is_alike(const finder *find, uint32_t a, uint32_t b, uint32_t period)
{
    const mw_graph_node *nodes = find->graph->nodes;
    uint32_t node_a = find->tree->node_at[a], node_b = find->tree->node_at[b];

    return nodes[node_a].type == nodes[node_b].type &&
           (period == 1 || nodes[node_a].size_low == nodes[node_b].size_low);
}

/* The first link of the chain that ends at [position]; [position] itself if that is none. */
static uint32_t first_link(const finder *find, uint32_t position)
{
    uint32_t period = period_above(find, position);
    uint32_t link = position, above = position, links = 0;

    if (period == 0)
        return position;
    for (uint32_t i = 0; i < period; i++)
        above = link_above(find, above);
    for (; above != 0 && is_alike(find, link, above, period); links++) {
        link = link_above(find, link);
        above = link_above(find, above);
    }
    /* [link] is the first that nothing like it is above of; the others of its link are. */
    for (uint32_t i = 1; i < period; i++)
        link = link_above(find, link);
    return links >= LINKS_MINIMUM ? link : position;
}

static mw_status look_at(finder *find, uint32_t position)
{
    const mw_dominators *tree = find->tree;
    uint64_t bytes, objects;
    uint32_t heavy, head = position;
    mw_status status = set_heavy_aside(find, position, &bytes, &objects, &heavy);

    if (status == MW_OK && bytes >= find->threshold_bytes)
        status = suspect_joint(find, position, &bytes, &objects);
    if (status == MW_OK && position != 0 && (heavy != 1 || bytes >= find->threshold_bytes))
        head = first_link(find, position);
    bytes += mw_dominators_retained(tree, head) - mw_dominators_retained(tree, position);
    objects += (tree->end[head] - head) - (tree->end[position] - position);
    if (status != MW_OK || bytes < find->threshold_bytes)
        return status;
    if (position == 0)
        return suspect_many(find);
    return add_suspect(find, (mw_suspect){.kind = MW_SUSPECT_ACCUMULATES,
                                          .position = head,
                                          .objects = objects,
                                          .bytes = bytes,
                                          .retained_bytes = mw_dominators_retained(tree, head)});
}

mw_status mw_suspects_init(mw_suspects *ret_suspects, const mw_object_graph *graph,
                           const mw_back_edges *back, const mw_dominators *tree,
                           uint32_t type_count, uint64_t threshold_bytes, mw_alloc *alloc)
{
    finder find = {.graph = graph,
                   .back = back,
                   .tree = tree,
                   .suspects = ret_suspects,
                   .alloc = alloc,
                   .type_count = type_count,
                   .threshold_bytes = threshold_bytes != 0 ? threshold_bytes : 1};
    mw_status status;

    *ret_suspects = (mw_suspects){.alloc = alloc};
    status = push(&find, 0);
    while (status == MW_OK && find.heavy_count != 0)
        status = look_at(&find, find.heavy[--find.heavy_count]);
    mw_alloc_release(alloc, find.heavy, find.heavy_capacity * sizeof *find.heavy);
    if (status != MW_OK)
        mw_suspects_done(ret_suspects);
    return status;
}

void mw_suspects_done(mw_suspects *suspects)
{
    if (suspects->alloc != NULL)
        mw_alloc_release(suspects->alloc, suspects->items,
                         suspects->capacity * sizeof *suspects->items);
    *suspects = (mw_suspects){0};
}
