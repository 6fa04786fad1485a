/* SPDX-License-Identifier: MIT
 *
 * The call paths of a snapshot as one tree of frames, the data behind flame graphs and
 * call trees.  Stacks that begin alike share their nodes; each node knows what was
 * allocated in it and below.  With an older snapshot to compare with, a node knows besides
 * what was there before; the two are matched by what their frames say, not by number.
 *
 * Nodes stand in the order in which one reads a tree: a node, then all that is below it,
 * the largest part first, or where that was asked for, what changed most.  So a loop over all nodes needs no recursion (stacks can be
 * 65,535 frames deep), and the nodes below one are those up to its `end`:
 *
 *     for (uint32_t below = node + 1; below < tree.nodes[node].end;
 *          below = tree.nodes[below].end)
 *         tree.nodes[below] is called by tree.nodes[node]
 */
#pragma once

#include "core/snapshot.h"

typedef struct mw_call_options {
    bool merges_lines;      /* one node per function, not one for each line of it         */
    bool is_inverted;       /* from the lines that allocated towards their callers        */
    bool folds_recursion;   /* a frame that is among the last 256 callers hangs there     */
    bool sorts_by_change;   /* with an older snapshot: fills `changed`, and sorts by it   */
    bool keeps_sites;       /* to fill `site_nodes`; sites with totals alone have nodes, too */
    uint32_t depth_maximum; /* what lies deeper counts for the node above; 0: no maximum  */
} mw_call_options;

/* A frame as the tree tells them apart: by file, function and, unless merged, module and
 * line. */
typedef struct mw_call_frame {
    const mw_snapshot *snapshot; /* borrowed; whose strings `row` refers to           */
    mw_frame_row row;            /* its line is 0 where lines are merged              */
} mw_call_frame;

typedef struct mw_call_sums {
    uint64_t bytes; /* of the node and all below it                          */
    uint64_t blocks;
    uint64_t self_bytes; /* of stacks that end in the node                        */
    uint64_t self_blocks;
} mw_call_sums;

typedef struct mw_call_node {
    uint32_t caller; /* the node above, which stands before it; the root's is itself  */
    uint32_t end;    /* one more than the number of the last node below; at least the
                        node's own number plus one                                    */
    uint32_t frame;  /* in `frames`; 0 at the root                                    */
    uint32_t depth;  /* 0 at the root                                                 */
    mw_call_sums now;
} mw_call_node;

typedef struct mw_call_tree {
    mw_alloc *alloc;      /* borrowed                                            */
    mw_call_node *nodes;  /* owned; [0] is the root, whose sums are the totals   */
    mw_call_sums *before; /* owned; by node, of the older snapshot; NULL: none   */
    /* By node: the bytes that came and those that went, in it and all below it, so that what
     * grew does not hide what shrank.  Owned; NULL unless the nodes are sorted by it. */
    uint64_t *changed;
    mw_call_frame *frames; /* owned; [0] is none                                  */
    /* By site of the snapshot and of the older one: the node in which its stack ends, or 0
     * for a site of which there is nothing.  Owned; NULL unless they are kept. */
    uint32_t *site_nodes;
    uint32_t *older_site_nodes;
    uint32_t site_count; /* of `site_nodes`, [0] included */
    uint32_t older_site_count;
    uint32_t node_count; /* the root included                                   */
    uint32_t node_capacity;
    uint32_t before_capacity;
    uint32_t changed_capacity;
    uint32_t frame_count;
    uint32_t frame_capacity;
    uint32_t deepest; /* the largest depth                                   */
} mw_call_tree;

/* More nodes than that, and there is no tree: MW_LIMIT. */
enum { MW_CALL_NODE_MAXIMUM = 1 << 24 };

/* [older] may be NULL.  The snapshots outlive the tree.  Fails with MW_NO_MEMORY and
 * MW_LIMIT; a tree that is inverted has the sum of all stacks' depths as its maximum, so
 * give it a depth. */
mw_status mw_call_tree_init(mw_call_tree *ret_tree, const mw_snapshot *snapshot,
                            const mw_snapshot *older, const mw_call_options *options,
                            mw_alloc *alloc) MW_MUST_CHECK;
void mw_call_tree_done(mw_call_tree *tree); /* accepts a zeroed struct */

/* The names of a node's frame, "" at the root; [ret_length] may be NULL. */
const char *mw_call_tree_file(const mw_call_tree *tree, uint32_t node, size_t *ret_length);
const char *mw_call_tree_function(const mw_call_tree *tree, uint32_t node, size_t *ret_length);

/* Adds everything up again; for assertions and tests. */
bool mw_call_tree_is_consistent(const mw_call_tree *tree);
