/* SPDX-License-Identifier: MIT
 *
 * Call paths, interned.  A path is an instruction and the path of its caller, so all
 * stacks of a program form one tree, and a whole traceback is one 32-bit number.
 *
 *   path 0 is the root: nothing is known
 *   nodes never move their number and are never reused while the trie lives
 *
 * A node takes 12 bytes and its place in the child table 5 to 11 more.  The child table
 * is open addressing over node numbers; a slot keeps six bits of the hash beside the
 * number, so that a probe rarely looks at a wrong node, and the node itself (caller,
 * instruction) decides: the trie is exact.
 *
 * A path's hash is derived from its caller's hash and its instruction alone, not from
 * node numbers, so the hashes of a whole stack can be computed before the first look-up,
 * and the memory that all its look-ups want is fetched at once (mw_path_trie_extend).
 *
 * The child table grows without a pause: the new one is filled by a few nodes with each
 * node that is added, and until it has all of them the former one is looked into as well.
 *
 * A trie that has a budget (mw_path_trie_limit) stops telling everything apart when it
 * runs out, in the stages of core/budget.h, and then never refuses:
 *
 *   folded   a frame whose code is on the path four times already hangs where the fourth
 *            of these does: recursion takes no more nodes, however deep it goes
 *   cut      no new path has callers: it is the instruction under MW_INSTRUCTION_CUT,
 *            under the thread
 *   losing   what is new has the path of that MW_INSTRUCTION_CUT itself
 *
 * What a stack was given once it is given again, at every later stage: nodes that are
 * there are found first, a fold looks at the caller's path alone, and stages only rise.
 * The second stage comes as well when all path numbers are used up, budget or not.
 *
 * Not thread-safe; whoever owns the trie owns its guard.
 */
#pragma once

#include "base/alloc.h"
#include "base/mix.h"
#include "core/budget.h"
#include "core/ids.h"

#include <stdbool.h>

enum {
    MW_PATH_INDEX_BITS = 26,
    MW_PATH_MAXIMUM = (1 << MW_PATH_INDEX_BITS) - 1,  /* the largest path number   */
    MW_PATH_LAST_WHOLE = MW_PATH_MAXIMUM - (1 << 20), /* the rest is for paths that
                                                         have no callers           */
};

struct mw_code_table;

typedef struct mw_path_node {
    uint32_t caller;      /* node number; 0 at the outermost frame */
    uint32_t instruction; /* of this frame                         */
    uint32_t hash;        /* of the whole path                     */
} mw_path_node;

typedef struct mw_path_trie {
    mw_alloc *alloc;     /* borrowed                                            */
    mw_path_node *nodes; /* owned; [0] is the root                              */
    uint32_t count;      /* nodes, the root included                            */
    uint32_t capacity;   /* of nodes                                            */
    uint32_t *slots;     /* owned; 2^slot_bits of tag << 26 | number, 0 = hole  */
    uint32_t slot_bits;  /* filled to three quarters at most                    */
    uint32_t former_bits;
    uint32_t *former;                  /* owned; the child table before, until it is given back */
    size_t former_bytes;               /* of it, which is given back from behind                */
    uint32_t moving_next;              /* nodes from here up to moving_end stand in `former`    */
    uint32_t moving_end;               /* alone; equal when there are none                      */
    const mw_budget *budget;           /* borrowed, or NULL                        */
    const struct mw_code_table *codes; /* borrowed, or NULL; whose an instruction is */
    mw_stage stage;                    /* at least; the budget may say more                    */
    bool is_closed;                    /* nothing more is added                                */
    mw_path cut;                       /* MW_INSTRUCTION_CUT under the root; 0 if not made     */
    uint64_t folded_frames;            /* how often a frame was found or put elsewhere         */
} mw_path_trie;

mw_status mw_path_trie_init(mw_path_trie *trie, mw_alloc *alloc) MW_MUST_CHECK;
void mw_path_trie_done(mw_path_trie *trie); /* accepts a zeroed struct */

/* From now on the trie keeps to [budget], whose ceiling is set; [codes] say which
 * instructions are of one function. */
mw_status mw_path_trie_limit(mw_path_trie *trie, const mw_budget *budget,
                             const struct mw_code_table *codes) MW_MUST_CHECK;

/* Makes [ret_copy] (zeroed) the same nodes by the same numbers, to be read alone: nothing is
 * looked up or added in it.  It is mw_path_trie_done's to release. */
mw_status mw_path_trie_copy(const mw_path_trie *trie, mw_alloc *alloc, mw_path_trie *ret_copy)
    MW_MUST_CHECK;

/* Recounts from scratch; for assertions and tests. */
bool mw_path_trie_is_consistent(const mw_path_trie *trie);

/* In use: the tail of a doubled array is untouched pages and costs nothing. */
size_t mw_path_trie_memory_bytes(const mw_path_trie *trie);

/* Adds what mw_path_trie_child did not find, or what stands for it. */
mw_status mw_path_trie_add(mw_path_trie *trie, mw_path caller, mw_instruction instruction,
                           mw_path *ret_path) MW_MUST_CHECK;

/* The path of each of [count] instructions, outermost first, the first one called from
 * [caller], each other from the one before it: what mw_path_trie_child gives one by one,
 * with the cache misses of all look-ups overlapping.  MW_INSTRUCTION_TRANSPARENT has the
 * path of its caller.  [ret_paths] has room for [count]; if the call fails, what is in it
 * means nothing. */
mw_status mw_path_trie_extend(mw_path_trie *trie, mw_path caller,
                              const mw_instruction *instructions, uint32_t count,
                              mw_path *ret_paths) MW_MUST_CHECK;

static inline uint32_t mw_path_hash(uint32_t caller_hash, mw_instruction instruction)
{
    uint32_t scrambled = (instruction.index ^ instruction.index >> 15) * UINT32_C(0x2c1b3c6d);

    scrambled ^= scrambled >> 12;
    return (mw_rotate_32(caller_hash, 7) ^ scrambled) * MW_GOLDEN_32;
}

static inline bool mw_path_trie_is_moving(const mw_path_trie *trie)
{
    return trie->moving_next != trie->moving_end;
}

/* The number of the path in one child table, 0 if it is not there. */
static inline uint32_t mw_path_trie_probe(const mw_path_trie *trie, const uint32_t *slots,
                                          uint32_t slot_bits, uint32_t hash, mw_path caller,
                                          mw_instruction instruction)
{
    const uint32_t number_mask = MW_PATH_MAXIMUM;
    uint32_t tag = hash << MW_PATH_INDEX_BITS;
    uint32_t slot_mask = (UINT32_C(1) << slot_bits) - 1;
    uint32_t slot;

    for (slot = hash >> (32 - slot_bits);; slot = (slot + 1) & slot_mask) {
        uint32_t value = slots[slot];
        const mw_path_node *node;

        if (value == 0)
            return 0;
        if ((value & ~number_mask) != tag)
            continue;
        node = &trie->nodes[value & number_mask];
        if (node->caller == caller.index && node->instruction == instruction.index)
            return value & number_mask;
    }
}

/* The path of [instruction] called from [caller]; the root if it is not there yet. */
static inline mw_path mw_path_trie_find(const mw_path_trie *trie, mw_path caller,
                                        mw_instruction instruction)
{
    uint32_t hash = mw_path_hash(trie->nodes[caller.index].hash, instruction);
    uint32_t number =
        mw_path_trie_probe(trie, trie->slots, trie->slot_bits, hash, caller, instruction);

    if (__builtin_expect(number == 0 && mw_path_trie_is_moving(trie), 0))
        number =
            mw_path_trie_probe(trie, trie->former, trie->former_bits, hash, caller, instruction);
    return (mw_path){number};
}

/* As find, adding what is missing. */
static inline mw_status mw_path_trie_child(mw_path_trie *trie, mw_path caller,
                                           mw_instruction instruction, mw_path *ret_path)
{
    mw_path found = mw_path_trie_find(trie, caller, instruction);

    if (__builtin_expect(found.index == 0, 0))
        return mw_path_trie_add(trie, caller, instruction, ret_path);
    *ret_path = found;
    return MW_OK;
}

/* Whether the callers of [path] were not recorded. */
static inline bool mw_path_trie_is_cut(const mw_path_trie *trie, mw_path path)
{
    const mw_path_node *node = &trie->nodes[path.index];

    return node->instruction == MW_INSTRUCTION_CUT ||
           trie->nodes[node->caller].instruction == MW_INSTRUCTION_CUT;
}

static inline mw_path mw_path_trie_caller(const mw_path_trie *trie, mw_path path)
{
    return (mw_path){trie->nodes[path.index].caller};
}

static inline mw_instruction mw_path_trie_instruction(const mw_path_trie *trie, mw_path path)
{
    return (mw_instruction){trie->nodes[path.index].instruction};
}
