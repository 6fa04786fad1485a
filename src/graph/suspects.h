/* SPDX-License-Identifier: MIT
 *
 * Who looks like a leak: where a large part of the heap comes together, and is not handed
 * on to one below.  Three shapes:
 *
 *   ACCUMULATES   one object that retains much, in parts of which none is large; of a linked
 *                 list the first link
 *   JOINT         several objects that hold much together, and none alone
 *   MANY          many objects of one type that C code holds, each small: references that
 *                 an extension forgot to give back, say
 */
#pragma once

#include "graph/joint.h"
#include "graph/retained.h"

typedef enum mw_suspect_kind {
    MW_SUSPECT_ACCUMULATES,
    MW_SUSPECT_JOINT,
    MW_SUSPECT_MANY,
} mw_suspect_kind;

typedef struct mw_suspect {
    mw_suspect_kind kind;
    uint32_t position; /* of the object; JOINT: of what dominates all holders; MANY: of the
                          first of them                                                   */
    uint32_t holders[MW_JOINT_HOLDERS]; /* positions; JOINT alone                         */
    uint32_t holder_count;
    bool has_more_holders;
    uint64_t heavy_bytes;    /* JOINT and MANY: objects that retain so much are not in it  */
    uint32_t type;           /* MANY: of all of them                                       */
    uint64_t objects;        /* that accumulate, are held together, or are many            */
    uint64_t bytes;          /* why it is suspected: without what is suspected by itself   */
    uint64_t retained_bytes; /* with it                                                    */
} mw_suspect;

typedef struct mw_suspects {
    mw_alloc *alloc;   /* borrowed                    */
    mw_suspect *items; /* owned; the most bytes first */
    uint32_t count;
    uint32_t capacity;
} mw_suspects;

/* Suspects are those with [threshold_bytes] at least.  Types of nodes are 0 … [type_count]
 * - 1. */
mw_status mw_suspects_init(mw_suspects *ret_suspects, const mw_object_graph *graph,
                           const mw_back_edges *back, const mw_dominators *tree,
                           uint32_t type_count, uint64_t threshold_bytes, mw_alloc *alloc)
    MW_MUST_CHECK;
void mw_suspects_done(mw_suspects *suspects); /* accepts a zeroed struct */

/* Adds to [sums] what each object of a suspect of kind MANY dominates, itself included;
 * retained_bytes stays as it is. */
void mw_suspect_many_sums(const mw_suspect *many, const mw_object_graph *graph,
                          const mw_dominators *tree, const mw_grouping *grouping,
                          mw_retained_sum *sums);
