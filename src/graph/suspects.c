/* SPDX-License-Identifier: MIT
 *
 * Walks down the dominator tree where it is heavy.  At each such node: what do its children
 * leave that are heavy themselves?  If that is much, the node is where it accumulates, but
 * for what others hold together below it.  There are no more heavy nodes in one generation
 * than the heap has thresholds, so this looks at the children of a few hundred nodes.
 */
#include "graph/suspects.h"

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

/* What the node retains without its heavy children, which are looked at later. */
static mw_status set_heavy_aside(finder *find, uint32_t position, uint64_t *ret_bytes,
                                 uint64_t *ret_objects)
{
    const mw_dominators *tree = find->tree;
    mw_status status = MW_OK;

    *ret_bytes = mw_dominators_retained(tree, position);
    *ret_objects = tree->end[position] - position;
    for (uint32_t at = position + 1; status == MW_OK && at < tree->end[position];
         at = tree->end[at]) {
        if (!is_heavy(find, at))
            continue;
        *ret_bytes -= mw_dominators_retained(tree, at);
        *ret_objects -= tree->end[at] - at;
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
static uint32_t light_held_root(const finder *find, const mw_graph_root *root)
{
    uint32_t at = find->tree->position_of[root->node];

    return root->kind == MW_ROOT_HELD_FROM_C && !is_heavy(find, at) ? at : 0;
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
        uint32_t at = light_held_root(find, &find->graph->roots[i]);
        uint32_t type = find->graph->nodes[find->graph->roots[i].node].type;
        mw_suspect *many = &by_type[type];

        if (at == 0)
            continue;
        if (many->objects++ == 0)
            *many =
                (mw_suspect){.kind = MW_SUSPECT_MANY, .position = at, .type = type, .objects = 1};
        many->bytes += mw_dominators_retained(find->tree, at);
        many->retained_bytes = many->bytes;
    }
    for (uint32_t i = 0; status == MW_OK && i < find->type_count; i++)
        if (by_type[i].objects != 0 && by_type[i].bytes >= find->threshold_bytes)
            status = add_suspect(find, by_type[i]);
    mw_alloc_release(find->alloc, by_type, size_bytes);
    return status;
}

static mw_status look_at(finder *find, uint32_t position)
{
    uint64_t bytes, objects;
    mw_status status = set_heavy_aside(find, position, &bytes, &objects);

    if (status == MW_OK && bytes >= find->threshold_bytes)
        status = suspect_joint(find, position, &bytes, &objects);
    if (status != MW_OK || bytes < find->threshold_bytes)
        return status;
    if (position == 0)
        return suspect_many(find);
    return add_suspect(
        find, (mw_suspect){.kind = MW_SUSPECT_ACCUMULATES,
                           .position = position,
                           .objects = objects,
                           .bytes = bytes,
                           .retained_bytes = mw_dominators_retained(find->tree, position)});
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
