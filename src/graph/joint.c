/* SPDX-License-Identifier: MIT
 *
 * The children of a node in the dominator tree lie in rising ranges of positions, so the
 * child that a referrer is below is found by halving.  A child to which the node itself
 * refers is a holder; any other is held by the children that its referrers are below, and
 * where one of these is no holder either, by those that hold it in turn.
 */
#include "graph/joint.h"

#include "base/hash.h"
#include "base/hash_index.h"

#include <string.h>

/* Of one object, so that a look never becomes a walk: more than these are "more". */
enum { QUEUE_MAXIMUM = 64, LOOKS_MAXIMUM = 4096 };

typedef struct finder {
    const mw_object_graph *graph;
    const mw_back_edges *back;
    const mw_dominators *tree;
    mw_joint *joint;
    mw_hash_index index; /* of rows, by holders; items are row numbers + 1 */
    uint32_t *children;  /* owned; positions, rising                       */
    uint8_t *is_holder;  /* owned; by place in children                    */
    uint32_t child_count;
    uint64_t heavy_bytes; /* children that retain so much are passed over  */
} finder;

/* The place in `children` of the one that dominates [position]. */
static uint32_t child_above(const finder *find, uint32_t position)
{
    uint32_t low = 0, high = find->child_count;

    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;

        if (find->children[middle] <= position)
            low = middle;
        else
            high = middle;
    }
    return low;
}

static void note_holder(finder *find, uint32_t parent, uint32_t node)
{
    uint32_t at = find->tree->position_of[node];

    if (at != 0 && find->tree->parent[at] == parent)
        find->is_holder[child_above(find, at)] = 1;
}

static mw_status list_children(finder *find, uint32_t parent)
{
    const mw_dominators *tree = find->tree;
    const mw_object_graph *graph = find->graph;
    uint32_t node = tree->node_at[parent];

    for (uint32_t at = parent + 1; at < tree->end[parent]; at = tree->end[at])
        find->child_count++;
    find->children = mw_alloc_array(find->joint->alloc, find->child_count, sizeof(uint32_t));
    find->is_holder = mw_alloc_new(find->joint->alloc, find->child_count);
    if (find->children == NULL || find->is_holder == NULL)
        return MW_NO_MEMORY;
    find->child_count = 0;
    for (uint32_t at = parent + 1; at < tree->end[parent]; at = tree->end[at])
        find->children[find->child_count++] = at;
    if (node == MW_GRAPH_ROOT)
        for (uint32_t i = 0; i < graph->root_count; i++)
            note_holder(find, parent, graph->roots[i].node);
    for (uint32_t i = graph->first_edge[node]; i < graph->first_edge[node + 1]; i++)
        note_holder(find, parent, graph->edges[i]);
    return MW_OK;
}

/* ── one object ──────────────────────────────────────────────────────────────────── */

/* Who holds one object; places in `children`. */
typedef struct holders {
    uint32_t queue[QUEUE_MAXIMUM]; /* the object, and those on the way to holders */
    uint32_t queue_count;
    uint32_t looks;
    mw_joint_row row; /* holders are places here, not positions     */
} holders;

static bool contains(const uint32_t *items, uint32_t count, uint32_t item)
{
    for (uint32_t i = 0; i < count; i++)
        if (items[i] == item)
            return true;
    return false;
}

static void add_holder(holders *found, uint32_t place)
{
    mw_joint_row *row = &found->row;
    uint32_t at;

    if (contains(row->holders, row->holder_count, place))
        return;
    if (row->holder_count == MW_JOINT_HOLDERS) {
        row->has_more = true;
        return;
    }
    for (at = row->holder_count++; at > 0 && row->holders[at - 1] > place; at--)
        row->holders[at] = row->holders[at - 1];
    row->holders[at] = place;
}

static void look_at_referrer(const finder *find, holders *found, uint32_t referrer)
{
    uint32_t at = find->tree->position_of[referrer];
    uint32_t place;

    if (at == 0)
        return;
    place = child_above(find, at);
    if (find->is_holder[place])
        add_holder(found, place);
    else if (contains(found->queue, found->queue_count, place))
        return;
    else if (found->queue_count < QUEUE_MAXIMUM)
        found->queue[found->queue_count++] = place;
    else
        found->row.has_more = true;
}

static void find_holders(const finder *find, holders *found, uint32_t place)
{
    *found = (holders){.queue = {place}, .queue_count = 1};
    for (uint32_t i = 0; i < found->queue_count; i++) {
        uint32_t node = find->tree->node_at[find->children[found->queue[i]]];

        for (uint32_t k = find->back->first[node]; k < find->back->first[node + 1]; k++) {
            if (++found->looks > LOOKS_MAXIMUM)
                found->row.has_more = true;
            if (found->row.has_more)
                return;
            look_at_referrer(find, found, find->back->edges[k]);
        }
    }
}

/* ── rows ────────────────────────────────────────────────────────────────────────── */

static uint64_t hash_of(const mw_joint_row *row)
{
    return mw_hash_bytes((const char *)row->holders, sizeof row->holders) + row->has_more;
}

static mw_joint_row *find_row(finder *find, const mw_joint_row *like)
{
    mw_hash_probe probe = mw_hash_probe_start(hash_of(like));
    uint32_t item;

    while ((item = mw_hash_index_next(&find->index, &probe)) != 0) {
        mw_joint_row *row = &find->joint->rows[item - 1];

        if (memcmp(row->holders, like->holders, sizeof row->holders) == 0 &&
            row->holder_count == like->holder_count && row->has_more == like->has_more)
            return row;
    }
    return NULL;
}

static mw_status count_in(finder *find, const mw_joint_row *like, uint32_t at)
{
    mw_joint *joint = find->joint;
    mw_joint_row *row = find_row(find, like);
    mw_status status;

    if (row == NULL) {
        status = mw_alloc_grow(joint->alloc, &joint->rows, joint->count, &joint->capacity,
                               sizeof *joint->rows, UINT32_MAX - 1);
        if (status == MW_OK)
            status = mw_hash_index_reserve(&find->index, 1);
        if (status != MW_OK)
            return status;
        row = &joint->rows[joint->count++];
        *row = *like;
        mw_hash_index_add(&find->index, hash_of(like), joint->count);
    }
    row->objects += find->tree->end[at] - at;
    row->bytes += mw_dominators_retained(find->tree, at);
    return MW_OK;
}

static int compare_rows(const void *left, const void *right)
{
    const mw_joint_row *a = left, *b = right;

    if (a->bytes != b->bytes)
        return a->bytes > b->bytes ? -1 : 1;
    return memcmp(a->holders, b->holders, sizeof a->holders);
}

/* A heap sort, since qsort may ask libc for memory, and a forked child must not. */
static void sift_down(mw_joint_row *rows, uint32_t from, uint32_t count)
{
    for (uint32_t child; (child = 2 * from + 1) < count; from = child) {
        mw_joint_row row = rows[from];

        if (child + 1 < count && compare_rows(&rows[child], &rows[child + 1]) < 0)
            child++;
        if (compare_rows(&row, &rows[child]) >= 0)
            return;
        rows[from] = rows[child];
        rows[child] = row;
    }
}

static void sort_rows(mw_joint_row *rows, uint32_t count)
{
    for (uint32_t i = count / 2; i-- > 0;)
        sift_down(rows, i, count);
    for (uint32_t left = count; left-- > 1;) {
        mw_joint_row last = rows[0];

        rows[0] = rows[left];
        rows[left] = last;
        sift_down(rows, 0, left);
    }
}

static bool is_passed_over(const finder *find, uint32_t place)
{
    return find->is_holder[place] ||
           mw_dominators_retained(find->tree, find->children[place]) >= find->heavy_bytes;
}

static mw_status count_all(finder *find)
{
    mw_status status = MW_OK;
    holders found;

    for (uint32_t place = 0; status == MW_OK && place < find->child_count; place++) {
        if (is_passed_over(find, place))
            continue;
        find_holders(find, &found, place);
        status = count_in(find, &found.row, find->children[place]);
    }
    for (uint32_t i = 0; i < find->joint->count; i++)
        for (uint32_t k = 0; k < find->joint->rows[i].holder_count; k++)
            find->joint->rows[i].holders[k] = find->children[find->joint->rows[i].holders[k]];
    sort_rows(find->joint->rows, find->joint->count);
    return status;
}

static void finder_done(finder *find)
{
    mw_alloc *alloc = find->joint->alloc;

    mw_hash_index_done(&find->index);
    mw_alloc_release(alloc, find->children, find->child_count * sizeof *find->children);
    mw_alloc_release(alloc, find->is_holder, find->child_count);
}

mw_status mw_joint_init(mw_joint *ret_joint, const mw_object_graph *graph,
                        const mw_back_edges *back, const mw_dominators *tree, uint32_t position,
                        uint64_t heavy_bytes, mw_alloc *alloc)
{
    finder find = {
        .graph = graph, .back = back, .tree = tree, .joint = ret_joint, .heavy_bytes = heavy_bytes};
    mw_status status;

    *ret_joint = (mw_joint){.alloc = alloc};
    mw_hash_index_init(&find.index, alloc);
    status = list_children(&find, position);
    if (status == MW_OK && find.child_count != 0)
        status = count_all(&find);
    finder_done(&find);
    if (status != MW_OK)
        mw_joint_done(ret_joint);
    return status;
}

/* Whether [found], by places, is [row], by positions. */
static bool is_row(const finder *find, const mw_joint_row *found, const mw_joint_row *row)
{
    if (found->holder_count != row->holder_count || found->has_more != row->has_more)
        return false;
    for (uint32_t i = 0; i < row->holder_count; i++)
        if (find->children[found->holders[i]] != row->holders[i])
            return false;
    return true;
}

mw_status mw_joint_sums(const mw_joint_row *row, const mw_object_graph *graph,
                        const mw_back_edges *back, const mw_dominators *tree, uint32_t position,
                        uint64_t heavy_bytes, const mw_grouping *grouping, mw_alloc *alloc,
                        mw_retained_sum *sums)
{
    mw_joint none = {.alloc = alloc};
    finder find = {
        .graph = graph, .back = back, .tree = tree, .joint = &none, .heavy_bytes = heavy_bytes};
    mw_status status;
    holders found;

    mw_hash_index_init(&find.index, alloc);
    status = list_children(&find, position);
    for (uint32_t place = 0; status == MW_OK && place < find.child_count; place++) {
        if (is_passed_over(&find, place))
            continue;
        find_holders(&find, &found, place);
        if (is_row(&find, &found.row, row))
            mw_retained_below(tree, find.children[place], grouping, sums);
    }
    finder_done(&find);
    return status;
}

void mw_joint_done(mw_joint *joint)
{
    if (joint->alloc != NULL)
        mw_alloc_release(joint->alloc, joint->rows, joint->capacity * sizeof *joint->rows);
    *joint = (mw_joint){0};
}
