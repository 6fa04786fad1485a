/* SPDX-License-Identifier: MIT
 *
 * Nodes are first made in order of arrival, callers before those whom they call, each found
 * by hash of its caller and frame.  Then one pass backwards carries sums to the callers, and
 * the nodes are put in reading order: siblings are gathered and sorted, and the place of each
 * follows from its caller's place and the sizes of its elder siblings.
 *
 * From the root on, each path of a snapshot is looked up once, however many sites share it,
 * and in two snapshots with the same tables once for both; as long as no two frames of a
 * snapshot say the same, its paths need not be looked for.  Inverted, each stack is walked by
 * itself.
 */
#define _GNU_SOURCE
#include "render/call_tree.h"

#include "base/hash.h"
#include "base/hash_index.h"
#include "core/snapshot_tables.h"
#include "render/site_sums.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { FOLDED_CALLERS = 256 };

/* What is known while the tree is made. */
typedef struct tree_maker {
    mw_call_tree tree; /* the result, until handed over                          */
    const mw_call_options *options;
    mw_hash_index node_index;    /* of nodes by caller and frame; empty before it is needed */
    mw_hash_index frame_index;   /* of the tree's frames by what they say                 */
    const mw_snapshot *snapshot; /* the one whose stacks are being added                  */
    uint32_t *frames_of;         /* owned; by frame of its tables: the tree's frame, or 0 */
    uint32_t *nodes_of;          /* owned; by path of its tables: its node, 0, or NEEDED  */
    uint32_t *site_nodes;        /* of the tree, for that snapshot; NULL where they are not kept  */
    bool is_older;               /* it is the older one                                           */
    bool has_new_nodes;          /* no stack can lead to a node that another has made             */
} tree_maker;

/* A path whose node is still to be made. */
#define NEEDED UINT32_MAX

/* ── frames ──────────────────────────────────────────────────────────────────────── */

static bool same_string(const mw_call_frame *a, mw_string of_a, const mw_call_frame *b,
                        mw_string of_b)
{
    const mw_string_pool *pool_a = &a->snapshot->tables->strings;
    const mw_string_pool *pool_b = &b->snapshot->tables->strings;
    uint32_t length = mw_string_pool_length(pool_a, of_a.index);

    if (pool_a == pool_b)
        return of_a.index == of_b.index;
    return length == mw_string_pool_length(pool_b, of_b.index) &&
           memcmp(mw_string_pool_bytes(pool_a, of_a.index),
                  mw_string_pool_bytes(pool_b, of_b.index), length) == 0;
}

static bool same_frame(const mw_call_frame *a, const mw_call_frame *b)
{
    return a->row.line == b->row.line && same_string(a, a->row.file, b, b->row.file) &&
           same_string(a, a->row.function, b, b->row.function) &&
           same_string(a, a->row.module, b, b->row.module);
}

static uint64_t hash_frame(const mw_call_frame *frame)
{
    const mw_string_pool *pool = &frame->snapshot->tables->strings;
    uint64_t hash = mw_hash_combine(mw_string_pool_hash(pool, frame->row.file.index),
                                    mw_string_pool_hash(pool, frame->row.function.index));

    hash = mw_hash_combine(hash, mw_string_pool_hash(pool, frame->row.module.index));
    return mw_hash_combine(hash, (uint64_t)(uint32_t)frame->row.line);
}

static uint64_t hash_node(uint32_t caller, uint32_t frame)
{
    return mw_hash_combine(caller, frame);
}

/* From now on nodes are looked for. */
static mw_status index_nodes(tree_maker *maker)
{
    const mw_call_tree *tree = &maker->tree;
    mw_status status = mw_hash_index_reserve(&maker->node_index, tree->node_count);

    if (status != MW_OK)
        return status;
    for (uint32_t i = 1; i < tree->node_count; i++)
        mw_hash_index_add(&maker->node_index,
                          hash_node(tree->nodes[i].caller, tree->nodes[i].frame), i);
    maker->has_new_nodes = false;
    return MW_OK;
}

static mw_status intern_frame(tree_maker *maker, const mw_call_frame *frame, uint32_t *ret_frame)
{
    mw_call_tree *tree = &maker->tree;
    uint64_t hash = hash_frame(frame);
    mw_hash_probe probe = mw_hash_probe_start(hash);
    uint32_t item;
    mw_status status;

    while ((item = mw_hash_index_next(&maker->frame_index, &probe)) != 0) {
        if (same_frame(frame, &tree->frames[item])) {
            *ret_frame = item;
            return maker->has_new_nodes ? index_nodes(maker) : MW_OK;
        }
    }
    status = mw_hash_index_reserve(&maker->frame_index, 1);
    if (status == MW_OK)
        status = mw_alloc_grow(tree->alloc, &tree->frames, tree->frame_count, &tree->frame_capacity,
                               sizeof *tree->frames, UINT32_MAX);
    if (status != MW_OK)
        return status;
    *ret_frame = tree->frame_count++;
    tree->frames[*ret_frame] = *frame;
    mw_hash_index_add(&maker->frame_index, hash, *ret_frame);
    return MW_OK;
}

/* The tree's frame for the one that [path] ends in. */
static mw_status frame_of_path(tree_maker *maker, mw_path path, uint32_t *ret_frame)
{
    mw_frame number = mw_snapshot_path_frame(maker->snapshot, path);
    mw_call_frame frame;
    mw_status status;

    *ret_frame = maker->frames_of[number.index];
    if (*ret_frame != 0)
        return MW_OK;
    frame = (mw_call_frame){maker->snapshot, mw_snapshot_frame(maker->snapshot, number)};
    if (maker->options->merges_lines) {
        frame.row.line = 0;
        frame.row.module = (mw_string){0};
    }
    status = intern_frame(maker, &frame, ret_frame);
    if (status == MW_OK)
        maker->frames_of[number.index] = *ret_frame;
    return status;
}

/* ── nodes ───────────────────────────────────────────────────────────────────────── */

/* Room for a first snapshot's nodes at once, so that the array need not grow in steps. */
static mw_status reserve_nodes(mw_call_tree *tree, uint32_t count)
{
    uint32_t capacity = tree->node_count + count;
    mw_call_node *grown;

    if (capacity > MW_CALL_NODE_MAXIMUM)
        return MW_LIMIT;
    if (capacity <= tree->node_capacity)
        return MW_OK;
    grown = tree->alloc->resize(tree->alloc, tree->nodes, tree->node_capacity * sizeof *grown,
                                capacity * sizeof *grown);
    if (grown == NULL)
        return MW_NO_MEMORY;
    tree->nodes = grown;
    tree->node_capacity = capacity;
    return MW_OK;
}

static mw_status append_node(mw_call_tree *tree, const mw_call_node *node)
{
    mw_status status =
        mw_alloc_grow(tree->alloc, &tree->nodes, tree->node_count, &tree->node_capacity,
                      sizeof *tree->nodes, MW_CALL_NODE_MAXIMUM);

    if (status != MW_OK)
        return status;
    tree->nodes[tree->node_count++] = *node;
    return MW_OK;
}

/* The closest caller, [node] itself included, that is [frame] already; 0 if none is. */
static uint32_t find_recursion(const mw_call_tree *tree, uint32_t node, uint32_t frame)
{
    for (uint32_t i = 0; i < FOLDED_CALLERS && node != 0; i++) {
        if (tree->nodes[node].frame == frame)
            return node;
        node = tree->nodes[node].caller;
    }
    return 0;
}

static uint32_t find_node(const tree_maker *maker, uint32_t caller, uint32_t frame)
{
    mw_hash_probe probe = mw_hash_probe_start(hash_node(caller, frame));
    uint32_t item;

    while ((item = mw_hash_index_next(&maker->node_index, &probe)) != 0)
        if (maker->tree.nodes[item].caller == caller && maker->tree.nodes[item].frame == frame)
            return item;
    return 0;
}

static mw_status intern_node(tree_maker *maker, uint32_t caller, uint32_t frame, uint32_t *ret_node)
{
    mw_call_tree *tree = &maker->tree;
    mw_status status = MW_OK;

    *ret_node = maker->has_new_nodes ? 0 : find_node(maker, caller, frame);
    if (*ret_node != 0)
        return MW_OK;
    if (!maker->has_new_nodes)
        status = mw_hash_index_reserve(&maker->node_index, 1);
    if (status == MW_OK)
        status = append_node(tree, &(mw_call_node){.caller = caller,
                                                   .frame = frame,
                                                   .depth = tree->nodes[caller].depth + 1});
    if (status != MW_OK)
        return status;
    *ret_node = tree->node_count - 1;
    if (!maker->has_new_nodes)
        mw_hash_index_add(&maker->node_index, hash_node(caller, frame), *ret_node);
    return MW_OK;
}

/* The node in which a stack goes on from [node] with the frame of [path]. */
static mw_status step(tree_maker *maker, uint32_t node, mw_path path, uint32_t *ret_node)
{
    uint32_t maximum = maker->options->depth_maximum;
    uint32_t frame;
    mw_status status = frame_of_path(maker, path, &frame);

    if (status != MW_OK)
        return status;
    *ret_node = maker->options->folds_recursion ? find_recursion(&maker->tree, node, frame) : 0;
    if (*ret_node != 0)
        return MW_OK;
    if (maximum != 0 && maker->tree.nodes[node].depth >= maximum) {
        *ret_node = node;
        return MW_OK;
    }
    return intern_node(maker, node, frame, ret_node);
}

/* ── stacks ──────────────────────────────────────────────────────────────────────── */

/* Makes `before` as long as there is room for nodes; what is new there was nothing before. */
static mw_status grow_before(mw_call_tree *tree)
{
    size_t old_bytes = tree->before_capacity * sizeof *tree->before;
    size_t new_bytes = tree->node_capacity * sizeof *tree->before;
    mw_call_sums *grown;

    if (tree->before_capacity >= tree->node_count)
        return MW_OK;
    grown = tree->before == NULL
                ? mw_alloc_new(tree->alloc, new_bytes)
                : tree->alloc->resize(tree->alloc, tree->before, old_bytes, new_bytes);
    if (grown == NULL)
        return MW_NO_MEMORY;
    tree->before = grown;
    tree->before_capacity = tree->node_capacity;
    return MW_OK;
}

static mw_status add_site(tree_maker *maker, uint32_t node, uint32_t site, const mw_tally *sum)
{
    mw_call_tree *tree = &maker->tree;
    mw_call_sums *sums = &tree->nodes[node].now;

    if (maker->site_nodes != NULL)
        maker->site_nodes[site] = node;
    if (maker->is_older) {
        mw_status status = grow_before(tree);
        if (status != MW_OK)
            return status;
        sums = &tree->before[node];
    }
    sums->self_bytes += sum->bytes;
    sums->self_blocks += sum->blocks;
    return MW_OK;
}

static bool is_wanted(const tree_maker *maker, const mw_site_sums *sums, uint32_t site)
{
    return mw_site_sums_has(sums, site) ||
           (maker->options->keeps_sites &&
            mw_snapshot_site(maker->snapshot, (mw_site){site}).total_blocks != 0);
}

/* Marks the paths whose nodes are still to be made: those of sites, and their callers.
 * Returns how many there are. */
static uint32_t mark_needed(tree_maker *maker, const mw_site_sums *sums)
{
    const mw_snapshot_tables *tables = maker->snapshot->tables;
    uint32_t *nodes = maker->nodes_of;
    uint32_t count = 0;

    for (uint32_t i = 1; i < sums->count; i++)
        if (is_wanted(maker, sums, i) && nodes[tables->sites[i].path.index] == 0)
            nodes[tables->sites[i].path.index] = NEEDED;
    for (uint32_t path = tables->path_count - 1; path != 0; path--) {
        uint32_t caller = tables->paths[path].caller.index;

        if (nodes[path] != NEEDED)
            continue;
        count++;
        if (nodes[caller] == 0 && caller != 0)
            nodes[caller] = NEEDED;
    }
    return count;
}

/* From the root on: the node of each path is the step from that of its caller. */
static mw_status add_from_root(tree_maker *maker, const mw_site_sums *sums)
{
    const mw_snapshot_tables *tables = maker->snapshot->tables;
    uint32_t count = mark_needed(maker, sums);
    mw_status status = MW_OK;

    if (maker->tree.node_count == 1)
        status = reserve_nodes(&maker->tree, count);
    for (uint32_t path = 1; path < tables->path_count && status == MW_OK; path++)
        if (maker->nodes_of[path] == NEEDED)
            status = step(maker, maker->nodes_of[tables->paths[path].caller.index], (mw_path){path},
                          &maker->nodes_of[path]);
    for (uint32_t i = 1; i < sums->count && status == MW_OK; i++)
        if (is_wanted(maker, sums, i))
            status =
                add_site(maker, maker->nodes_of[tables->sites[i].path.index], i, &sums->sites[i]);
    return status;
}

static mw_status add_inverted(tree_maker *maker, const mw_site_sums *sums)
{
    uint32_t maximum = maker->options->depth_maximum;
    mw_status status = MW_OK;

    for (uint32_t i = 1; i < sums->count && status == MW_OK; i++) {
        mw_path path = mw_snapshot_site(maker->snapshot, (mw_site){i}).path;
        uint32_t node = 0;

        if (!is_wanted(maker, sums, i))
            continue;
        for (; path.index != 0 && status == MW_OK;
             path = mw_snapshot_path_caller(maker->snapshot, path)) {
            /* Folded, deeper frames may still hang further up. */
            if (maximum != 0 && maker->tree.nodes[node].depth >= maximum &&
                !maker->options->folds_recursion)
                break;
            status = step(maker, node, path, &node);
        }
        if (status == MW_OK)
            status = add_site(maker, node, i, &sums->sites[i]);
    }
    return status;
}

/* Room for the nodes of the sites of the snapshot that is being added. */
static mw_status keep_sites(tree_maker *maker, uint32_t site_count)
{
    mw_call_tree *tree = &maker->tree;

    maker->site_nodes = NULL;
    if (!maker->options->keeps_sites)
        return MW_OK;
    maker->site_nodes = mw_alloc_array(tree->alloc, site_count, sizeof *maker->site_nodes);
    if (maker->site_nodes == NULL)
        return MW_NO_MEMORY;
    *(maker->is_older ? &tree->older_site_nodes : &tree->site_nodes) = maker->site_nodes;
    *(maker->is_older ? &tree->older_site_count : &tree->site_count) = site_count;
    return MW_OK;
}

static void forget_tables(tree_maker *maker)
{
    const mw_snapshot_tables *tables = maker->snapshot == NULL ? NULL : maker->snapshot->tables;

    if (tables == NULL)
        return;
    mw_alloc_release(maker->tree.alloc, maker->frames_of,
                     tables->frame_count * sizeof *maker->frames_of);
    mw_alloc_release(maker->tree.alloc, maker->nodes_of,
                     tables->path_count * sizeof *maker->nodes_of);
    maker->frames_of = maker->nodes_of = NULL;
}

/* What is known of the tables of the last snapshot stays, if those of the next are the same. */
static mw_status start_snapshot(tree_maker *maker, const mw_snapshot *snapshot)
{
    const mw_snapshot_tables *tables = snapshot->tables;
    bool knows_tables = maker->snapshot != NULL && maker->snapshot->tables == tables;

    if (!knows_tables)
        forget_tables(maker);
    maker->snapshot = snapshot;
    if (knows_tables)
        return MW_OK;
    maker->frames_of =
        mw_alloc_array(maker->tree.alloc, tables->frame_count, sizeof *maker->frames_of);
    maker->nodes_of =
        mw_alloc_array(maker->tree.alloc, tables->path_count, sizeof *maker->nodes_of);
    return maker->frames_of == NULL || maker->nodes_of == NULL ? MW_NO_MEMORY : MW_OK;
}

static mw_status add_snapshot(tree_maker *maker, const mw_snapshot *snapshot)
{
    mw_site_sums sums;
    mw_status status = mw_site_sums_init(&sums, snapshot, maker->tree.alloc);

    if (status != MW_OK)
        return status;
    status = start_snapshot(maker, snapshot);
    if (status == MW_OK)
        status = keep_sites(maker, sums.count);
    if (status == MW_OK)
        status =
            maker->options->is_inverted ? add_inverted(maker, &sums) : add_from_root(maker, &sums);
    mw_site_sums_done(&sums);
    return status;
}

/* ── sums and order ──────────────────────────────────────────────────────────────── */

static void add_below(mw_call_sums *caller, mw_call_sums *node)
{
    node->bytes += node->self_bytes;
    node->blocks += node->self_blocks;
    if (caller != node) {
        caller->bytes += node->bytes;
        caller->blocks += node->blocks;
    }
}

/* Folding leaves nodes behind through which nothing goes. */
static bool is_empty(const mw_call_tree *tree, uint32_t node)
{
    return tree->nodes[node].now.bytes == 0 && tree->nodes[node].now.blocks == 0 &&
           (tree->before == NULL ||
            (tree->before[node].bytes == 0 && tree->before[node].blocks == 0));
}

/* Sums go to the callers, and into `end`, for now, how many nodes there are from one on;
 * 0 where it is empty. */
static void sum_up(mw_call_tree *tree, const mw_call_options *options)
{
    for (uint32_t i = tree->node_count; i-- != 0;) {
        mw_call_node *node = &tree->nodes[i];

        add_below(&tree->nodes[node->caller].now, &node->now);
        if (tree->before != NULL)
            add_below(&tree->before[node->caller], &tree->before[i]);
        node->end += i == 0 || options->keeps_sites || !is_empty(tree, i);
        if (i != 0)
            tree->nodes[node->caller].end += node->end;
    }
}

/* What changed, node by node; called before sums go to the callers. */
static mw_status note_changes(mw_call_tree *tree)
{
    tree->changed = mw_alloc_array(tree->alloc, tree->node_count, sizeof *tree->changed);
    if (tree->changed == NULL)
        return MW_NO_MEMORY;
    tree->changed_capacity = tree->node_count;
    for (uint32_t i = tree->node_count; i-- != 0;) {
        uint64_t now = tree->nodes[i].now.self_bytes, before = tree->before[i].self_bytes;

        tree->changed[i] += now > before ? now - before : before - now;
        if (i != 0)
            tree->changed[tree->nodes[i].caller] += tree->changed[i];
    }
    return MW_OK;
}

static int compare_numbers(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

static int compare_strings(const mw_call_frame *a, mw_string of_a, const mw_call_frame *b,
                           mw_string of_b)
{
    size_t length_a, length_b;
    const char *bytes_a = mw_snapshot_string(a->snapshot, of_a, &length_a);
    const char *bytes_b = mw_snapshot_string(b->snapshot, of_b, &length_b);
    int order = memcmp(bytes_a, bytes_b, length_a < length_b ? length_a : length_b);

    return order != 0 ? order : compare_numbers(length_a, length_b);
}

static int compare_frames(const mw_call_frame *a, const mw_call_frame *b)
{
    int order = compare_strings(a, a->row.file, b, b->row.file);

    if (order == 0)
        order = (a->row.line > b->row.line) - (a->row.line < b->row.line);
    if (order == 0)
        order = compare_strings(a, a->row.function, b, b->row.function);
    return order != 0 ? order : compare_strings(a, a->row.module, b, b->row.module);
}

/* What changed most, then the largest first; what is no more, by what it was. */
static int by_size(const void *left, const void *right, void *context)
{
    const mw_call_tree *tree = context;
    uint32_t number_a = *(const uint32_t *)left, number_b = *(const uint32_t *)right;
    const mw_call_node *a = &tree->nodes[number_a], *b = &tree->nodes[number_b];
    int order = 0;

    if (tree->changed != NULL)
        order = compare_numbers(tree->changed[number_b], tree->changed[number_a]);
    if (order == 0)
        order = compare_numbers(b->now.bytes, a->now.bytes);
    if (order == 0 && tree->before != NULL)
        order = compare_numbers(tree->before[number_b].bytes, tree->before[number_a].bytes);
    return order != 0 ? order : compare_frames(&tree->frames[a->frame], &tree->frames[b->frame]);
}

/* Puts the nodes that stay into [sorted], siblings side by side.  [ends] has for each node
 * where its callees' row in [sorted] ends; it begins where that of the node before ends. */
static void gather_siblings(const mw_call_tree *tree, uint32_t *sorted, uint32_t *ends)
{
    uint32_t start = 0;

    for (uint32_t i = 1; i < tree->node_count; i++)
        if (tree->nodes[i].end != 0)
            ends[tree->nodes[i].caller]++;
    for (uint32_t i = 0; i < tree->node_count; i++) {
        uint32_t count = ends[i];
        ends[i] = start;
        start += count;
    }
    for (uint32_t i = 1; i < tree->node_count; i++)
        if (tree->nodes[i].end != 0)
            sorted[ends[tree->nodes[i].caller]++] = i;
}

/* Sorts the siblings, and finds the place of each node that stays: callers come first. */
static void find_places(mw_call_tree *tree, uint32_t *sorted, const uint32_t *ends,
                        uint32_t *places)
{
    uint32_t start = 0;

    places[0] = 0;
    for (uint32_t caller = 0; caller < tree->node_count; start = ends[caller++]) {
        uint32_t next = places[caller] + 1;

        if (ends[caller] - start > 1)
            qsort_r(sorted + start, ends[caller] - start, sizeof *sorted, by_size, tree);
        for (uint32_t i = start; i < ends[caller]; i++) {
            places[sorted[i]] = next;
            next += tree->nodes[sorted[i]].end;
        }
    }
}

/* What folding left behind gets the places behind all others. */
static void place_rest(const mw_call_tree *tree, uint32_t *places)
{
    uint32_t next = tree->nodes[0].end;

    for (uint32_t i = 1; i < tree->node_count; i++)
        if (tree->nodes[i].end == 0)
            places[i] = next++;
}

static void exchange(mw_call_tree *tree, uint32_t a, uint32_t b)
{
    mw_call_node node = tree->nodes[a];

    tree->nodes[a] = tree->nodes[b];
    tree->nodes[b] = node;
    if (tree->before != NULL) {
        mw_call_sums before = tree->before[a];
        tree->before[a] = tree->before[b];
        tree->before[b] = before;
    }
    if (tree->changed != NULL) {
        uint64_t changed = tree->changed[a];
        tree->changed[a] = tree->changed[b];
        tree->changed[b] = changed;
    }
}

/* Exchanges nodes until each is where [places] wants it, which is overwritten. */
static void put_in_places(mw_call_tree *tree, uint32_t *places)
{
    for (uint32_t i = 0; i < tree->node_count; i++) {
        while (places[i] != i) {
            uint32_t to = places[i];

            exchange(tree, to, i);
            places[i] = places[to];
            places[to] = to;
        }
    }
}

static void renumber(uint32_t *site_nodes, uint32_t count, const uint32_t *places)
{
    for (uint32_t i = 0; i < count; i++)
        site_nodes[i] = places[site_nodes[i]];
}

static void order_nodes(mw_call_tree *tree, uint32_t *sorted, uint32_t *ends, uint32_t *places)
{
    uint32_t count = tree->nodes[0].end;

    gather_siblings(tree, sorted, ends);
    find_places(tree, sorted, ends, places);
    place_rest(tree, places);
    renumber(tree->site_nodes, tree->site_count, places);
    renumber(tree->older_site_nodes, tree->older_site_count, places);
    for (uint32_t i = 0; i < tree->node_count; i++) {
        tree->nodes[i].caller = places[tree->nodes[i].caller];
        tree->nodes[i].end += places[i];
    }
    put_in_places(tree, places);
    tree->node_count = count;
    for (uint32_t i = 0; i < count; i++)
        if (tree->deepest < tree->nodes[i].depth)
            tree->deepest = tree->nodes[i].depth;
}

static mw_status sort_nodes(mw_call_tree *tree)
{
    size_t bytes = tree->node_count * sizeof(uint32_t);
    uint32_t *sorted = mw_alloc_new(tree->alloc, bytes);
    uint32_t *ends = mw_alloc_new(tree->alloc, bytes);
    uint32_t *places = mw_alloc_new(tree->alloc, bytes);
    bool has_memory = sorted != NULL && ends != NULL && places != NULL;

    if (has_memory)
        order_nodes(tree, sorted, ends, places);
    mw_alloc_release(tree->alloc, sorted, bytes);
    mw_alloc_release(tree->alloc, ends, bytes);
    mw_alloc_release(tree->alloc, places, bytes);
    return has_memory ? MW_OK : MW_NO_MEMORY;
}

/* ── life ────────────────────────────────────────────────────────────────────────── */

static mw_status start_tree(mw_call_tree *tree, const mw_snapshot *snapshot)
{
    mw_status status = mw_alloc_grow(tree->alloc, &tree->frames, 0, &tree->frame_capacity,
                                     sizeof *tree->frames, UINT32_MAX);

    if (status != MW_OK)
        return status;
    tree->frames[0] = (mw_call_frame){.snapshot = snapshot};
    tree->frame_count = 1;
    return append_node(tree, &(mw_call_node){0});
}

static mw_status make_tree(tree_maker *maker, const mw_snapshot *snapshot, const mw_snapshot *older)
{
    mw_call_tree *tree = &maker->tree;
    mw_status status = start_tree(tree, snapshot);

    if (status == MW_OK)
        status = add_snapshot(maker, snapshot);
    if (status == MW_OK && older != NULL) {
        maker->is_older = true;
        status = add_snapshot(maker, older);
        if (status == MW_OK)
            status = grow_before(tree);
    }
    return status;
}

mw_status mw_call_tree_init(mw_call_tree *ret_tree, const mw_snapshot *snapshot,
                            const mw_snapshot *older, const mw_call_options *options,
                            mw_alloc *alloc)
{
    tree_maker maker = {.tree = {.alloc = alloc}, .options = options};
    mw_status status;

    maker.has_new_nodes = !options->is_inverted && !options->folds_recursion;
    mw_hash_index_init(&maker.node_index, alloc);
    mw_hash_index_init(&maker.frame_index, alloc);
    status = make_tree(&maker, snapshot, older);
    mw_hash_index_done(&maker.node_index);
    mw_hash_index_done(&maker.frame_index);
    forget_tables(&maker);
    if (status == MW_OK && older != NULL && options->sorts_by_change)
        status = note_changes(&maker.tree);
    if (status == MW_OK) {
        sum_up(&maker.tree, options);
        status = sort_nodes(&maker.tree);
    }
    if (status != MW_OK)
        mw_call_tree_done(&maker.tree);
    *ret_tree = maker.tree;
    return status;
}

void mw_call_tree_done(mw_call_tree *tree)
{
    if (tree->alloc != NULL) {
        mw_alloc_release(tree->alloc, tree->nodes, tree->node_capacity * sizeof *tree->nodes);
        mw_alloc_release(tree->alloc, tree->before, tree->before_capacity * sizeof *tree->before);
        mw_alloc_release(tree->alloc, tree->changed,
                         tree->changed_capacity * sizeof *tree->changed);
        mw_alloc_release(tree->alloc, tree->frames, tree->frame_capacity * sizeof *tree->frames);
        mw_alloc_release(tree->alloc, tree->site_nodes,
                         tree->site_count * sizeof *tree->site_nodes);
        mw_alloc_release(tree->alloc, tree->older_site_nodes,
                         tree->older_site_count * sizeof *tree->older_site_nodes);
    }
    *tree = (mw_call_tree){0};
}

/* ── reading ─────────────────────────────────────────────────────────────────────── */

const char *mw_call_tree_file(const mw_call_tree *tree, uint32_t node, size_t *ret_length)
{
    const mw_call_frame *frame = &tree->frames[tree->nodes[node].frame];

    return mw_snapshot_string(frame->snapshot, frame->row.file, ret_length);
}

const char *mw_call_tree_function(const mw_call_tree *tree, uint32_t node, size_t *ret_length)
{
    const mw_call_frame *frame = &tree->frames[tree->nodes[node].frame];

    return mw_snapshot_string(frame->snapshot, frame->row.function, ret_length);
}

/* ── checking ────────────────────────────────────────────────────────────────────── */

static const mw_call_sums *sums_of(const mw_call_tree *tree, uint32_t node, bool is_older)
{
    return is_older ? &tree->before[node] : &tree->nodes[node].now;
}

/* Whether the node's sums are its own and those of the nodes right below it. */
static bool node_adds_up(const mw_call_tree *tree, uint32_t node, bool is_older)
{
    const mw_call_sums *sums = sums_of(tree, node, is_older);
    uint64_t bytes = sums->self_bytes, blocks = sums->self_blocks;

    for (uint32_t below = node + 1; below < tree->nodes[node].end; below = tree->nodes[below].end) {
        bytes += sums_of(tree, below, is_older)->bytes;
        blocks += sums_of(tree, below, is_older)->blocks;
    }
    return bytes == sums->bytes && blocks == sums->blocks;
}

static bool node_is_in_place(const mw_call_tree *tree, uint32_t number)
{
    const mw_call_node *node = &tree->nodes[number];
    uint64_t larger = UINT64_MAX;

    if (node->end <= number || node->end > tree->node_count || node->frame >= tree->frame_count)
        return false;
    for (uint32_t below = number + 1; below < node->end; below = tree->nodes[below].end) {
        const mw_call_node *callee = &tree->nodes[below];
        uint64_t weight = tree->changed != NULL ? tree->changed[below] : callee->now.bytes;

        if (callee->caller != number || callee->end > node->end || callee->end <= below ||
            callee->depth != node->depth + 1 || weight > larger)
            return false;
        larger = weight;
    }
    return true;
}

bool mw_call_tree_is_consistent(const mw_call_tree *tree)
{
    if (tree->node_count == 0 || tree->nodes[0].frame != 0 || tree->nodes[0].depth != 0 ||
        tree->nodes[0].end != tree->node_count)
        return false;
    for (uint32_t i = 0; i < tree->node_count; i++)
        if (!node_is_in_place(tree, i) || !node_adds_up(tree, i, false) ||
            (tree->before != NULL && !node_adds_up(tree, i, true)))
            return false;
    return true;
}
