/* SPDX-License-Identifier: MIT
 *
 * What a node dominates is a range of positions, so "is one of its group above me?" is "has
 * the range of the last topmost member ended?": one sweep, one number for each group.
 */
#include "graph/retained.h"

enum { FETCH_AHEAD = 24, CHAIN_SHARE_TENTHS = 9 };

mw_status mw_retained_by_group(const mw_dominators *tree, const mw_grouping *grouping,
                               mw_alloc *alloc, mw_retained_sum *sums)
{
    size_t open_bytes = grouping->count * sizeof(uint32_t);
    uint32_t *open_until = mw_alloc_new(alloc, open_bytes);

    if (open_until == NULL)
        return MW_NO_MEMORY;
    for (uint32_t at = 1; at < tree->count; at++) {
        uint32_t group = mw_grouping_of(grouping, tree->node_at[at]);
        mw_retained_sum *sum = &sums[group];

        if (at + FETCH_AHEAD < tree->count)
            __builtin_prefetch((const char *)grouping->of_first +
                               tree->node_at[at + FETCH_AHEAD] * grouping->stride_bytes);
        sum->objects++;
        sum->bytes += tree->bytes_before[at + 1] - tree->bytes_before[at];
        if (open_until[group] <= at) {
            sum->retained_bytes += mw_dominators_retained(tree, at);
            open_until[group] = tree->end[at];
        }
    }
    mw_alloc_release(alloc, open_until, open_bytes);
    return MW_OK;
}

void mw_retained_below(const mw_dominators *tree, uint32_t position, const mw_grouping *grouping,
                       mw_retained_sum *sums)
{
    for (uint32_t at = position; at < tree->end[position]; at++) {
        mw_retained_sum *sum = &sums[mw_grouping_of(grouping, tree->node_at[at])];

        sum->objects++;
        sum->bytes += tree->bytes_before[at + 1] - tree->bytes_before[at];
    }
}

/* ── of a set ────────────────────────────────────────────────────────────────────── */

/* A walk that does not enter what is dropped. */
typedef struct detour {
    const mw_object_graph *graph;
    const mw_dominators *tree;
    uint64_t *is_seen; /* by node, a bit; what is dropped has been seen from the start */
    uint32_t *queue;
    uint32_t seen_count; /* in the queue */
    uint64_t seen_bytes;
} detour;

static bool see(detour *walk, uint32_t node)
{
    uint64_t bit = UINT64_C(1) << (node % 64);

    if ((walk->is_seen[node / 64] & bit) != 0)
        return false;
    walk->is_seen[node / 64] |= bit;
    return true;
}

static void enter(detour *walk, uint32_t node)
{
    if (see(walk, node)) {
        walk->queue[walk->seen_count++] = node;
        walk->seen_bytes += mw_object_graph_size(walk->graph, node);
    }
}

static void go_round(detour *walk)
{
    const mw_object_graph *graph = walk->graph;

    for (uint32_t i = 0; i < graph->root_count; i++)
        enter(walk, graph->roots[i].node);
    for (uint32_t i = 0; i < walk->seen_count; i++) {
        uint32_t node = walk->queue[i];

        for (uint32_t edge = graph->first_edge[node]; edge < graph->first_edge[node + 1]; edge++)
            enter(walk, graph->edges[edge]);
    }
}

mw_status mw_retained_together(const mw_object_graph *graph, const mw_dominators *tree,
                               const uint32_t *nodes, uint32_t count, mw_alloc *alloc,
                               mw_retained_sum *ret_sum)
{
    size_t seen_words = graph->node_count / 64 + 1;
    detour walk = {.graph = graph, .tree = tree};
    mw_status status = MW_NO_MEMORY;

    *ret_sum = (mw_retained_sum){0};
    walk.is_seen = mw_alloc_array(alloc, seen_words, sizeof *walk.is_seen);
    walk.queue = mw_alloc_array(alloc, graph->node_count, sizeof *walk.queue);
    if (walk.is_seen == NULL || walk.queue == NULL)
        goto done;
    for (uint32_t i = 0; i < count; i++) {
        if (!see(&walk, nodes[i]))
            continue;
        ret_sum->objects += mw_dominators_reach(tree, nodes[i]);
        ret_sum->bytes += mw_object_graph_size(graph, nodes[i]);
    }
    go_round(&walk);
    ret_sum->retained_bytes = mw_dominators_retained(tree, 0) - walk.seen_bytes;
    status = MW_OK;

done:
    mw_alloc_release(alloc, walk.is_seen, seen_words * sizeof *walk.is_seen);
    mw_alloc_release(alloc, walk.queue, graph->node_count * sizeof *walk.queue);
    return status;
}

/* ── the largest ─────────────────────────────────────────────────────────────────── */

/* Puts [at] in its place among [count] that are sorted, of which [limit] are kept. */
static uint32_t insert(const mw_dominators *tree, uint32_t *positions, uint32_t count,
                       uint32_t limit, uint32_t at)
{
    uint64_t retained = mw_dominators_retained(tree, at);
    uint32_t place = count;

    if (count == limit && retained <= mw_dominators_retained(tree, positions[count - 1]))
        return count;
    if (count < limit)
        count++;
    else
        place--;
    for (; place > 0 && mw_dominators_retained(tree, positions[place - 1]) < retained; place--)
        positions[place] = positions[place - 1];
    positions[place] = at;
    return count;
}

/* Whether nearly all that its dominator retains is here. */
static bool is_handed_on(const mw_dominators *tree, uint32_t at)
{
    uint32_t parent = tree->parent[at];

    return parent != 0 && mw_dominators_retained(tree, at) / CHAIN_SHARE_TENTHS >=
                              mw_dominators_retained(tree, parent) / 10;
}

uint32_t mw_retained_largest(const mw_dominators *tree, uint32_t limit, uint32_t *ret_positions)
{
    uint32_t count = 0;

    if (limit == 0)
        return 0;
    for (uint32_t at = 1; at < tree->count; at++)
        if (!is_handed_on(tree, at))
            count = insert(tree, ret_positions, count, limit, at);
    return count;
}
