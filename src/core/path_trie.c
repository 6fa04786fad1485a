/* SPDX-License-Identifier: MIT */
#include "core/path_trie.h"

#include "core/code_table.h"

#include <string.h>

enum {
    FIRST_SLOT_BITS = 12,
    ROOT_HASH = 0x12345, /* any value but 0, so that short paths spread as well */
    MOVES_PER_NODE = 8,  /* from the former child table; more than one, so that growth
                            ends well before the next one begins                     */
    RELEASED_AT_ONCE_BYTES = 1 << 16,
    REACH = 4096, /* callers that are looked at for a fold, or for the thread         */
    BATCH = 64,   /* look-ups whose memory is fetched together; bounds what a call has
                   on the stack                                                      */
};

static uint32_t slot_count(const mw_path_trie *trie)
{
    return UINT32_C(1) << trie->slot_bits;
}

static void put(uint32_t *slots, uint32_t slot_bits, uint32_t hash, uint32_t number)
{
    uint32_t mask = (UINT32_C(1) << slot_bits) - 1;
    uint32_t slot = hash >> (32 - slot_bits);

    while (slots[slot] != 0)
        slot = (slot + 1) & mask;
    slots[slot] = hash << MW_PATH_INDEX_BITS | number;
}

/* ── growth ──────────────────────────────────────────────────────────────────────── */

/* Begins to double the child table.  The old one stays in force if memory is refused. */
static mw_status begin_growth(mw_path_trie *trie)
{
    uint32_t bits = trie->slot_bits + 1;
    uint32_t *slots = mw_alloc_array(trie->alloc, (size_t)1 << bits, sizeof *slots);

    if (slots == NULL)
        return MW_NO_MEMORY;
    mw_alloc_release(trie->alloc, trie->former, trie->former_bytes);
    trie->former = trie->slots;
    trie->former_bits = trie->slot_bits;
    trie->former_bytes = slot_count(trie) * sizeof *slots;
    trie->moving_next = 1;
    trie->moving_end = trie->count;
    trie->slots = slots;
    trie->slot_bits = bits;
    return MW_OK;
}

/* Moves a few nodes into the new table. */
static void move_some(mw_path_trie *trie)
{
    for (uint32_t i = 0; i < MOVES_PER_NODE && mw_path_trie_is_moving(trie); i++) {
        uint32_t number = trie->moving_next++;

        put(trie->slots, trie->slot_bits, trie->nodes[number].hash, number);
    }
}

/* Gives a piece of the former table back: unmapping all of a large one takes the system
 * milliseconds. */
static void release_some(mw_path_trie *trie)
{
    size_t kept_bytes = trie->former_bytes > RELEASED_AT_ONCE_BYTES
                            ? trie->former_bytes - RELEASED_AT_ONCE_BYTES
                            : 0;
    uint32_t *kept = NULL;

    if (kept_bytes != 0)
        kept = trie->alloc->resize(trie->alloc, trie->former, trie->former_bytes, kept_bytes);
    if (kept == NULL) {
        mw_alloc_release(trie->alloc, trie->former, trie->former_bytes);
        kept_bytes = 0;
    }
    trie->former = kept;
    trie->former_bytes = kept_bytes;
}

/* The share of the growth that each new node pays. */
static mw_status grow_some(mw_path_trie *trie)
{
    if (__builtin_expect(trie->former != NULL, 0)) {
        if (mw_path_trie_is_moving(trie))
            move_some(trie);
        else
            release_some(trie);
    }
    if ((uint64_t)trie->count * 4 >= (uint64_t)slot_count(trie) * 3)
        return begin_growth(trie);
    return MW_OK;
}

/* Appends a node that is not there yet. */
static mw_status append(mw_path_trie *trie, mw_path caller, mw_instruction instruction,
                        mw_path *ret_path)
{
    uint32_t number = trie->count;
    uint32_t hash = mw_path_hash(trie->nodes[caller.index].hash, instruction);
    mw_status status;

    status = grow_some(trie);
    if (status != MW_OK)
        return status;
    status = mw_alloc_grow(trie->alloc, &trie->nodes, trie->count, &trie->capacity,
                           sizeof *trie->nodes, MW_PATH_MAXIMUM + 1);
    if (status != MW_OK)
        return status;
    trie->nodes[number] = (mw_path_node){caller.index, instruction.index, hash};
    trie->count++;
    put(trie->slots, trie->slot_bits, hash, number);
    *ret_path = (mw_path){number};
    return MW_OK;
}

/* ── life ────────────────────────────────────────────────────────────────────────── */

mw_status mw_path_trie_init(mw_path_trie *trie, mw_alloc *alloc)
{
    mw_status status;

    *trie = (mw_path_trie){.alloc = alloc, .slot_bits = FIRST_SLOT_BITS};
    trie->slots = mw_alloc_array(alloc, slot_count(trie), sizeof *trie->slots);
    if (trie->slots == NULL)
        return MW_NO_MEMORY;
    status = mw_alloc_grow(alloc, &trie->nodes, 0, &trie->capacity, sizeof *trie->nodes,
                           MW_PATH_MAXIMUM + 1);
    if (status != MW_OK)
        return status;
    trie->nodes[0].hash = ROOT_HASH;
    trie->count = 1;
    return MW_OK;
}

void mw_path_trie_done(mw_path_trie *trie)
{
    if (trie->alloc == NULL)
        return;
    mw_alloc_release(trie->alloc, trie->slots, slot_count(trie) * sizeof *trie->slots);
    mw_alloc_release(trie->alloc, trie->former, trie->former_bytes);
    mw_alloc_release(trie->alloc, trie->nodes, trie->capacity * sizeof *trie->nodes);
    *trie = (mw_path_trie){0};
}

mw_status mw_path_trie_copy(const mw_path_trie *trie, mw_alloc *alloc, mw_path_trie *ret_copy)
{
    mw_path_trie copy = {
        .alloc = alloc, .count = trie->count, .capacity = trie->count, .is_closed = true};

    copy.nodes = mw_alloc_array(alloc, copy.capacity, sizeof *copy.nodes);
    if (copy.nodes == NULL)
        return MW_NO_MEMORY;
    memcpy(copy.nodes, trie->nodes, trie->count * sizeof *copy.nodes);
    *ret_copy = copy;
    return MW_OK;
}

mw_status mw_path_trie_limit(mw_path_trie *trie, const mw_budget *budget,
                             const mw_code_table *codes)
{
    trie->codes = codes;
    trie->budget = budget;
    /* Made now, so that it is there when nothing else can be. */
    return append(trie, (mw_path){0}, (mw_instruction){MW_INSTRUCTION_CUT}, &trie->cut);
}

/* ── adding ──────────────────────────────────────────────────────────────────────── */

static mw_stage stage_of(const mw_path_trie *trie)
{
    mw_stage stage = mw_budget_stage(trie->budget);

    return stage > trie->stage ? stage : trie->stage;
}

/* The code of an instruction; 0 for what is none of a function's. */
static uint32_t code_of(const mw_path_trie *trie, uint32_t instruction)
{
    if ((instruction & MW_INSTRUCTION_THREAD) != 0)
        return 0;
    return trie->codes->instructions[instruction].code;
}

/* Where [instruction] is attached when recursion is folded: at [caller], or, if its code is
 * MW_FOLD_COUNT times on the path of that, where the outermost but MW_FOLD_COUNT - 1 of
 * these is.  There it would be attached as well if it were called from there: so the
 * answer is the same whatever else has been added.  Returns false if that is further out
 * than we look. */
static bool fold(const mw_path_trie *trie, mw_path caller, mw_instruction instruction,
                 mw_path *ret_path)
{
    uint32_t code = trie->codes != NULL ? code_of(trie, instruction.index) : 0;
    mw_path outermost[MW_FOLD_COUNT]; /* occurrences, in a ring */
    mw_path path = caller;
    uint32_t seen = 0;

    *ret_path = caller;
    if (code == 0)
        return true;
    for (uint32_t i = 0; i < REACH && path.index != 0; i++) {
        if (code_of(trie, trie->nodes[path.index].instruction) == code)
            outermost[seen++ % MW_FOLD_COUNT] = path;
        path = mw_path_trie_caller(trie, path);
    }
    if (seen < MW_FOLD_COUNT)
        return true;
    *ret_path = mw_path_trie_caller(trie, outermost[seen % MW_FOLD_COUNT]);
    return path.index == 0;
}

/* The outermost node of [path], which names its thread; the root if it is out of reach. */
static mw_path thread_of(const mw_path_trie *trie, mw_path path)
{
    for (uint32_t i = 0; i < REACH; i++) {
        mw_path caller = mw_path_trie_caller(trie, path);

        if (caller.index == 0)
            break;
        path = caller;
    }
    if ((trie->nodes[path.index].instruction & MW_INSTRUCTION_THREAD) == 0)
        return (mw_path){0};
    return path;
}

/* Finds or adds, as long as anything is added; the root if neither. */
static mw_path find_or_append(mw_path_trie *trie, mw_path caller, mw_instruction instruction)
{
    mw_path path = mw_path_trie_find(trie, caller, instruction);

    if (path.index != 0 || trie->is_closed)
        return path;
    if (append(trie, caller, instruction, &path) == MW_OK)
        return path;
    trie->is_closed = true;
    return (mw_path){0};
}

/* The path of an instruction whose callers are not recorded. */
static mw_status add_cut(mw_path_trie *trie, mw_path caller, mw_instruction instruction,
                         mw_path *ret_path)
{
    mw_path above = thread_of(trie, caller);
    mw_path path = {0};

    if (trie->nodes[above.index].instruction != MW_INSTRUCTION_CUT)
        above = find_or_append(trie, above, (mw_instruction){MW_INSTRUCTION_CUT});
    if (above.index == 0)
        above = trie->cut;
    if (above.index == 0)
        return MW_LIMIT;
    path = find_or_append(trie, above, instruction);
    *ret_path = path.index != 0 ? path : above;
    return MW_OK;
}

/* Threads are few, and every path of theirs needs its root. */
static mw_status add_thread(mw_path_trie *trie, mw_instruction instruction, mw_path *ret_path)
{
    mw_path path = find_or_append(trie, (mw_path){0}, instruction);

    if (path.index == 0)
        path = trie->cut;
    if (path.index == 0)
        return MW_LIMIT;
    *ret_path = path;
    return MW_OK;
}

static mw_status add_folded(mw_path_trie *trie, mw_path caller, mw_instruction instruction,
                            mw_path *ret_path)
{
    mw_path folded, found;

    if (!fold(trie, caller, instruction, &folded))
        return add_cut(trie, caller, instruction, ret_path);
    if (folded.index != caller.index) {
        trie->folded_frames++;
        found = mw_path_trie_find(trie, folded, instruction);
        if (found.index != 0) {
            *ret_path = found;
            return MW_OK;
        }
    }
    if (stage_of(trie) < MW_STAGE_CUT && trie->count <= MW_PATH_LAST_WHOLE &&
        append(trie, folded, instruction, ret_path) == MW_OK)
        return MW_OK;
    trie->stage = MW_STAGE_CUT;
    return add_cut(trie, caller, instruction, ret_path);
}

mw_status mw_path_trie_add(mw_path_trie *trie, mw_path caller, mw_instruction instruction,
                           mw_path *ret_path)
{
    if (stage_of(trie) == MW_STAGE_EXACT && trie->count <= MW_PATH_LAST_WHOLE) {
        mw_status status = append(trie, caller, instruction, ret_path);

        if (status == MW_OK || trie->budget == NULL)
            return status;
        trie->stage = MW_STAGE_FOLDED;
    }
    if ((instruction.index & MW_INSTRUCTION_THREAD) != 0)
        return add_thread(trie, instruction, ret_path);
    return add_folded(trie, caller, instruction, ret_path);
}

/* ── batches ─────────────────────────────────────────────────────────────────────── */

/* Where a batch of look-ups will lead, if each path is there. */
typedef struct expectation {
    uint32_t hashes[BATCH];
    uint32_t numbers[BATCH]; /* the first node of the right tag, 0 = none */
} expectation;

static void expect_hashes(const mw_path_trie *trie, mw_path caller,
                          const mw_instruction *instructions, uint32_t count, expectation *expected)
{
    uint32_t hash = trie->nodes[caller.index].hash;

    for (uint32_t i = 0; i < count; i++) {
        if (instructions[i].index != MW_INSTRUCTION_TRANSPARENT) {
            hash = mw_path_hash(hash, instructions[i]);
            __builtin_prefetch(&trie->slots[hash >> (32 - trie->slot_bits)]);
        }
        expected->hashes[i] = hash;
    }
}

static void expect_numbers(const mw_path_trie *trie, uint32_t count, expectation *expected)
{
    const uint32_t number_mask = MW_PATH_MAXIMUM;
    uint32_t slot_mask = slot_count(trie) - 1;

    for (uint32_t i = 0; i < count; i++) {
        uint32_t tag = expected->hashes[i] << MW_PATH_INDEX_BITS;
        uint32_t slot = expected->hashes[i] >> (32 - trie->slot_bits);
        uint32_t value;

        while ((value = trie->slots[slot]) != 0 && (value & ~number_mask) != tag)
            slot = (slot + 1) & slot_mask;
        expected->numbers[i] = value & number_mask;
        __builtin_prefetch(&trie->nodes[value & number_mask]);
    }
}

/* Extends by one batch, or by the part of it up to a path that was folded or cut, behind
 * which no guess is right; [count] becomes how many that were.  Guesses are checked against
 * the nodes themselves; where one is wrong, the usual look-up decides. */
static mw_status extend_batch(mw_path_trie *trie, mw_path caller,
                              const mw_instruction *instructions, uint32_t *count,
                              mw_path *ret_paths)
{
    expectation expected;
    mw_status status;

    expect_hashes(trie, caller, instructions, *count, &expected);
    expect_numbers(trie, *count, &expected);
    for (uint32_t i = 0; i < *count; i++) {
        const mw_path_node *node = &trie->nodes[expected.numbers[i]];

        if (instructions[i].index == MW_INSTRUCTION_TRANSPARENT) {
            ret_paths[i] = caller;
            continue;
        }
        if (__builtin_expect(expected.numbers[i] != 0 && node->caller == caller.index &&
                                 node->instruction == instructions[i].index,
                             1)) {
            ret_paths[i].index = expected.numbers[i];
        } else {
            status = mw_path_trie_child(trie, caller, instructions[i], &ret_paths[i]);
            if (status != MW_OK)
                return status;
            if (trie->nodes[ret_paths[i].index].hash != expected.hashes[i])
                *count = i + 1;
        }
        caller = ret_paths[i];
    }
    return MW_OK;
}

mw_status mw_path_trie_extend(mw_path_trie *trie, mw_path caller,
                              const mw_instruction *instructions, uint32_t count,
                              mw_path *ret_paths)
{
    uint32_t done = 0;

    while (done < count) {
        uint32_t batch = count - done < BATCH ? count - done : BATCH;
        mw_status status =
            extend_batch(trie, caller, instructions + done, &batch, ret_paths + done);

        if (status != MW_OK)
            return status;
        done += batch;
        caller = ret_paths[done - 1];
    }
    return MW_OK;
}

/* ── examination ─────────────────────────────────────────────────────────────────── */

static uint32_t used_slots(const uint32_t *slots, uint32_t slot_bits)
{
    uint32_t used = 0;

    for (uint32_t slot = 0; slot < UINT32_C(1) << slot_bits; slot++)
        used += slots[slot] != 0;
    return used;
}

/* Every node is in the child table, but for those that still wait in the former one. */
static bool slots_are_counted(const mw_path_trie *trie)
{
    uint32_t moving = trie->moving_end - trie->moving_next;
    uint32_t used = used_slots(trie->slots, trie->slot_bits);

    if (moving != 0 && (trie->former == NULL || trie->moving_end > trie->count ||
                        used_slots(trie->former, trie->former_bits) != trie->moving_end - 1))
        return false;
    return used == trie->count - 1 - moving && (uint64_t)used * 4 <= (uint64_t)slot_count(trie) * 3;
}

bool mw_path_trie_is_consistent(const mw_path_trie *trie)
{
    if (trie->count == 0 || trie->count > trie->capacity || !slots_are_counted(trie))
        return false;
    for (uint32_t number = 1; number < trie->count; number++) {
        const mw_path_node *node = &trie->nodes[number];
        mw_path found;

        /* Callers come before what they call, so a path always ends at the root. */
        if (node->caller >= number ||
            node->hash !=
                mw_path_hash(trie->nodes[node->caller].hash, (mw_instruction){node->instruction}))
            return false;
        found =
            mw_path_trie_find(trie, (mw_path){node->caller}, (mw_instruction){node->instruction});
        if (found.index != number)
            return false;
    }
    return true;
}

size_t mw_path_trie_memory_bytes(const mw_path_trie *trie)
{
    return slot_count(trie) * sizeof *trie->slots + trie->former_bytes +
           trie->count * sizeof *trie->nodes;
}
