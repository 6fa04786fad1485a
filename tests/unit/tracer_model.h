/* SPDX-License-Identifier: MIT
 *
 * A fake interpreter for the tracer, and the tracer's slow twin: a few functions that call
 * each other, made-up addresses, and an array of what is at each of them.
 */
#pragma once

#include "testing.h"
#include "tracer/retag.h"

enum {
    FUNCTIONS = 4,
    LINES = 5, /* of a function that allocate or call */
    CALLS = FUNCTIONS * LINES,
    DEPTH = 4,
    THREAD_COUNT = 3,
    FIRST_LINE = 100, /* of the first function; each has as many */
    FRAME_LIMIT = 3,
    PLACES = 400,
};

/* ── the fake interpreter ────────────────────────────────────────────────────────── */

/* A stack in one number: in base CALLS + 1, the outermost call in the highest digit. */
typedef struct fake_stack {
    uint32_t calls;
    uint32_t thread;
} fake_stack;

static inline fake_stack random_stack(mw_random *random)
{
    fake_stack stack = {0, 1 + mw_random_below(random, THREAD_COUNT)};
    uint32_t depth = mw_random_below(random, DEPTH + 1);

    while (depth-- > 0)
        stack.calls = stack.calls * (CALLS + 1) + 1 + mw_random_below(random, CALLS);
    return stack;
}

static inline mw_status fake_code(mw_code_table *codes, uint32_t function, mw_code *ret_code)
{
    /* One line for each instruction, from the first line on. */
    static const char lines[] = "\xe8\x00\xe8\x02\xe8\x02\xe8\x02\xe8\x02";
    mw_code_row row = {.first_line = (int32_t)(FIRST_LINE * (function + 1))};
    mw_status status = mw_code_table_string(codes, "fake.py", 7, &row.file);
    char name[2] = {(char)('a' + function), 0};

    if (status == MW_OK)
        status = mw_code_table_string(codes, name, 1, &row.function);
    if (status == MW_OK)
        status = mw_code_table_string(codes, lines, sizeof lines - 1, &row.lines);
    if (status == MW_OK)
        status = mw_code_table_intern(codes, row, ret_code);
    return status;
}

static inline mw_status fake_call(mw_code_table *codes, mw_path_trie *paths, uint32_t call,
                                  mw_path *path)
{
    mw_instruction instruction;
    mw_code code;
    mw_status status = fake_code(codes, call / LINES, &code);

    if (status == MW_OK)
        status = mw_code_table_instruction(codes, code, 2 * (int32_t)(call % LINES), &instruction);
    if (status == MW_OK)
        status = mw_path_trie_child(paths, *path, instruction, path);
    return status;
}

static inline mw_status fake_path(mw_code_table *codes, mw_path_trie *paths, fake_stack stack,
                                  mw_path *ret_path)
{
    uint32_t digits[DEPTH];
    uint32_t depth = 0;
    mw_status status = MW_OK;
    mw_path path = {0};

    for (uint32_t calls = stack.calls; calls != 0; calls /= CALLS + 1)
        digits[depth++] = calls % (CALLS + 1) - 1;
    if (stack.thread != 0)
        status = mw_path_trie_child(paths, path,
                                    (mw_instruction){MW_INSTRUCTION_THREAD | stack.thread}, &path);
    while (depth > 0 && status == MW_OK)
        status = fake_call(codes, paths, digits[--depth], &path);
    *ret_path = path;
    return status;
}

static inline mw_status fake_site(mw_tracer *tracer, fake_stack stack, size_t size_bytes,
                                  mw_site *ret_site)
{
    mw_path path;
    mw_status status = fake_path(&tracer->codes, &tracer->paths, stack, &path);

    if (status == MW_OK)
        status = mw_site_table_intern(&tracer->sites, path, MW_DOMAIN_PYTHON, size_bytes, ret_site);
    return status;
}

/* ── the slow twin ───────────────────────────────────────────────────────────────── */

typedef struct twin_block {
    bool is_live;
    bool is_raw;
    size_t size_bytes;
    fake_stack stack;
    uint32_t epoch; /* in which it was born */
} twin_block;

typedef struct tracer_twin {
    twin_block blocks[PLACES];
    uint64_t live_bytes, peak_bytes;
    uint64_t lost_blocks, lost_bytes;
} tracer_twin;

/* Two of three places are in pools of 32 and 512 bytes, the others anywhere. */
static inline uintptr_t address_of(uint32_t place)
{
    if (place % 3 == 0)
        return 0x7f1200000000 + MW_PAGE_HEADER_BYTES + (uintptr_t)place * 32;
    if (place % 3 == 1)
        return 0x7f1200100000 + (uintptr_t)(place / 31) * MW_PAGE_BYTES + MW_PAGE_HEADER_BYTES +
               place % 31 * 512;
    return 0x555500000010 + (uintptr_t)place * 0x1230;
}

static inline size_t random_size(mw_random *random, uint32_t place)
{
    if (mw_random_below(random, 10) == 0)
        return mw_random_below(random, 3000);
    if (place % 3 == 0)
        return 17 + mw_random_below(random, 16);
    return place % 3 == 1 ? 497 + mw_random_below(random, 16) : mw_random_below(random, 5000);
}

static inline void twin_forget(tracer_twin *twin, uint32_t place)
{
    if (twin->blocks[place].is_live)
        twin->live_bytes -= twin->blocks[place].size_bytes;
    twin->blocks[place].is_live = false;
}

static inline void twin_remember(tracer_twin *twin, uint32_t place, twin_block block)
{
    twin_forget(twin, place);
    twin->blocks[place] = block;
    twin->live_bytes += block.size_bytes;
    if (twin->live_bytes > twin->peak_bytes)
        twin->peak_bytes = twin->live_bytes;
}

static inline void twin_lose(tracer_twin *twin, uint32_t place, size_t size_bytes)
{
    twin_forget(twin, place);
    twin->lost_blocks++;
    twin->lost_bytes += size_bytes;
}

static inline int compare_keys(const void *a, const void *b)
{
    const uint64_t *left = a, *right = b;

    return *left < *right ? -1 : *left > *right;
}

static inline uint64_t key_of(uint32_t calls, uint32_t thread, uint64_t size_bytes)
{
    return (uint64_t)calls << 40 | (uint64_t)thread << 32 | size_bytes;
}

static inline uint32_t twin_keys(const tracer_twin *twin, uint64_t *keys)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < PLACES; i++) {
        const twin_block *block = &twin->blocks[i];

        if (block->is_live)
            keys[count++] = key_of(block->stack.calls, block->stack.thread, block->size_bytes);
    }
    qsort(keys, count, sizeof *keys, compare_keys);
    return count;
}

/* The number of the stack that a site of a snapshot has, from its names and lines. */
static inline uint32_t snapshot_calls(const mw_snapshot *snapshot, mw_path path)
{
    uint32_t calls = 0;

    for (uint32_t place = 1; path.index != 0; place *= CALLS + 1) {
        mw_frame_row row = mw_snapshot_frame(snapshot, mw_snapshot_path_frame(snapshot, path));
        uint32_t function = (uint32_t)row.line / FIRST_LINE - 1;
        char name[2] = {(char)('a' + function), 0};

        if (row.line == 0) {
            CHECK_STR_EQ(mw_snapshot_string(snapshot, row.file, NULL), "<unknown>");
            return 0;
        }
        CHECK_STR_EQ(mw_snapshot_string(snapshot, row.file, NULL), "fake.py");
        CHECK_STR_EQ(mw_snapshot_string(snapshot, row.function, NULL), name);
        calls += place * (1 + function * LINES + (uint32_t)row.line % FIRST_LINE);
        path = mw_snapshot_path_caller(snapshot, path);
    }
    return calls;
}

static inline uint64_t snapshot_key(const mw_snapshot *snapshot, uint64_t index)
{
    mw_site site;
    mw_site_row row;
    uint64_t size_bytes;

    mw_snapshot_block(snapshot, index, &site, &size_bytes);
    row = mw_snapshot_site(snapshot, site);
    CHECK_EQ(mw_snapshot_traceback(snapshot, row.traceback).total_frames,
             mw_snapshot_path_depth(snapshot, row.path));
    return key_of(snapshot_calls(snapshot, row.path), row.thread.index, size_bytes);
}

static inline void check_snapshot(mw_tracer *tracer, const tracer_twin *twin)
{
    mw_guard guard = mw_guard_enter();
    uint64_t expected[PLACES], found[PLACES];
    uint32_t count = twin_keys(twin, expected);
    mw_snapshot *snapshot = NULL;

    CHECK_OK(mw_tracer_snapshot(tracer, guard, mw_alloc_system(), &snapshot));
    CHECK(mw_snapshot_is_consistent(snapshot));
    CHECK_EQ(mw_snapshot_block_count(snapshot), count);
    CHECK_EQ(mw_snapshot_live_bytes(snapshot), twin->live_bytes);
    CHECK_EQ(mw_snapshot_frame_limit(snapshot), FRAME_LIMIT);
    for (uint32_t i = 0; i < count; i++)
        found[i] = snapshot_key(snapshot, i);
    qsort(found, count, sizeof *found, compare_keys);
    CHECK(memcmp(found, expected, count * sizeof *found) == 0);
    mw_snapshot_release(snapshot);
    mw_guard_leave(guard);
}

static inline void check_block(mw_tracer *tracer, const tracer_twin *twin, uint32_t place)
{
    const twin_block *block = &twin->blocks[place];
    mw_guard guard = mw_guard_enter();
    mw_snapshot *snapshot = NULL;
    mw_status status = mw_tracer_snapshot_block(tracer, guard, MW_DOMAIN_PYTHON, address_of(place),
                                                mw_alloc_system(), &snapshot);

    CHECK_EQ(status, block->is_live ? MW_OK : MW_BAD_INPUT);
    if (status == MW_OK) {
        CHECK_EQ(mw_snapshot_block_count(snapshot), 1);
        CHECK_EQ(mw_snapshot_site_count(snapshot), 1);
        CHECK_EQ(snapshot_key(snapshot, 0),
                 key_of(block->stack.calls, block->stack.thread, block->size_bytes));
    }
    mw_snapshot_release(snapshot);
    mw_guard_leave(guard);
}

static inline uint64_t lost_blocks(mw_tracer *tracer)
{
    return tracer->lost_blocks + tracer->raw.lost_blocks;
}

static inline void check_agrees(mw_tracer *tracer, const tracer_twin *twin)
{
    CHECK(mw_tracer_is_consistent(tracer));
    CHECK_EQ(mw_tracer_recount(tracer), MW_OK);
    CHECK_EQ(mw_tracer_live_bytes(tracer), twin->live_bytes);
    CHECK_EQ(mw_tracer_peak_bytes(tracer), twin->peak_bytes);
    CHECK_EQ(lost_blocks(tracer), twin->lost_blocks);
    CHECK_EQ(tracer->lost_bytes + tracer->raw.lost_bytes, twin->lost_bytes);
    check_snapshot(tracer, twin);
    for (uint32_t place = 0; place < PLACES; place += 7)
        check_block(tracer, twin, place);
}

/* ── what the hooks do ───────────────────────────────────────────────────────────── */

/* What a free took; either lane, or neither. */
typedef struct taken_block {
    mw_forgotten main;
    mw_address_entry raw;
} taken_block;

static inline void forget(mw_tracer *tracer, mw_guard guard, uintptr_t address, taken_block *taken)
{
    *taken = (taken_block){0};
    if (mw_tracer_forget(tracer, guard, address, &taken->main) == MW_FORGOTTEN)
        return;
    mw_raw_lane_lock(&tracer->raw);
    (void)mw_raw_lane_forget(&tracer->raw, guard, address, &taken->raw);
    mw_raw_lane_unlock(&tracer->raw);
}

static inline void restore(mw_tracer *tracer, mw_guard guard, uintptr_t address,
                           const taken_block *taken)
{
    mw_tracer_restore(tracer, guard, address, taken->main);
    if (taken->raw.address == 0)
        return;
    mw_raw_lane_lock(&tracer->raw);
    mw_raw_lane_restore(&tracer->raw, guard, &taken->raw);
    mw_raw_lane_unlock(&tracer->raw);
}

/* The stack of a raw block is one of the main tables, or the lane's own (without a
 * thread, whom nobody has numbered). */
static inline void remember_raw(mw_tracer *tracer, mw_guard guard, uint32_t place,
                                twin_block *block, bool knows_main)
{
    mw_raw_lane *lane = &tracer->raw;
    mw_path path = {0};

    if (knows_main && fake_path(&tracer->codes, &tracer->paths, block->stack, &path) == MW_OK)
        path.index |= MW_PATH_OF_MAIN;
    else
        block->stack.thread = 0;
    mw_raw_lane_lock(lane);
    if (block->stack.thread == 0 &&
        fake_path(&lane->codes, &lane->paths, block->stack, &path) != MW_OK)
        block->stack.calls = path.index = 0;
    mw_raw_lane_remember(lane, guard, address_of(place), block->size_bytes, path,
                         tracer->live_bytes);
    mw_raw_lane_unlock(lane);
}

/* Allocates; with every memory at hand, or counts the loss. */
static inline void allocate(mw_tracer *tracer, tracer_twin *twin, mw_random *random, uint32_t place)
{
    mw_guard guard = mw_guard_enter();
    uint64_t lost = lost_blocks(tracer);
    twin_block block = {true, mw_random_below(random, 3) == 0, random_size(random, place),
                        random_stack(random), tracer->epoch};
    mw_site site;

    if (block.is_raw)
        remember_raw(tracer, guard, place, &block, mw_random_below(random, 2));
    else if (fake_site(tracer, block.stack, block.size_bytes, &site) == MW_OK)
        mw_tracer_remember(tracer, guard, address_of(place), block.size_bytes, site);
    else
        mw_tracer_lose(tracer, guard, block.size_bytes);
    if (lost_blocks(tracer) == lost)
        twin_remember(twin, place, block);
    else
        twin_lose(twin, place, block.size_bytes);
    mw_guard_leave(guard);
}

static inline void deallocate(mw_tracer *tracer, tracer_twin *twin, uint32_t place)
{
    mw_guard guard = mw_guard_enter();
    bool is_live = twin->blocks[place].is_live;
    taken_block taken;

    forget(tracer, guard, address_of(place), &taken);
    CHECK_EQ(taken.main.site.index != 0, is_live && !twin->blocks[place].is_raw);
    CHECK_EQ(taken.raw.address != 0, is_live && twin->blocks[place].is_raw);
    twin_forget(twin, place);
    mw_guard_leave(guard);
}

/* A realloc that fails: everything is as before. */
static inline void fail_to_reallocate(mw_tracer *tracer, tracer_twin *twin, uint32_t place)
{
    mw_guard guard = mw_guard_enter();
    uint64_t lost = lost_blocks(tracer);
    taken_block taken;

    mw_births_settle(tracer, guard, address_of(place));
    forget(tracer, guard, address_of(place), &taken);
    restore(tracer, guard, address_of(place), &taken);
    if (lost_blocks(tracer) != lost)
        twin_lose(twin, place, twin->blocks[place].size_bytes);
    mw_guard_leave(guard);
}

/* An object is reborn in a block that is known. */
static inline void move(mw_tracer *tracer, tracer_twin *twin, mw_random *random, uint32_t place)
{
    mw_guard guard = mw_guard_enter();
    fake_stack stack = random_stack(random);
    size_t size_bytes = 0;
    mw_site site;
    bool is_known = mw_tracer_knows(tracer, address_of(place), &size_bytes);

    CHECK_EQ(is_known, twin->blocks[place].is_live && !twin->blocks[place].is_raw);
    if (is_known) {
        CHECK_EQ(size_bytes, twin->blocks[place].size_bytes);
        if (fake_site(tracer, stack, size_bytes, &site) == MW_OK) {
            mw_tracer_move(tracer, guard, address_of(place), site);
            twin->blocks[place].stack = stack;
            twin->blocks[place].epoch = tracer->epoch;
        }
    }
    mw_guard_leave(guard);
}

/* An object is born in a small block of a known page: what pyext/reborn.c does. */
static inline void give_birth(mw_tracer *tracer, mw_guard guard, uintptr_t address,
                              fake_stack stack, mw_site site)
{
    mw_birth *birth = mw_births_place(&tracer->births, address);
    fake_stack caller = {stack.calls / (CALLS + 1), stack.thread};
    uint32_t call = stack.calls % (CALLS + 1) - 1;
    mw_instruction instruction;
    size_t size_bytes;
    uint32_t *label;
    mw_code code;
    mw_path path;

    if (mw_retag_find(tracer, address, &label, &size_bytes) != MW_RETAG_HERE)
        return;
    if (!tracer->births.may_wait || !mw_births_wants(birth, address)) {
        mw_births_settle(tracer, guard, address);
        mw_retag(tracer, guard, label, site);
        mw_births_ask(tracer, &tracer->births, birth, address);
        return;
    }
    CHECK_OK(fake_path(&tracer->codes, &tracer->paths, caller, &path));
    CHECK_OK(fake_code(&tracer->codes, call / LINES, &code));
    CHECK_OK(
        mw_code_table_instruction(&tracer->codes, code, 2 * (int32_t)(call % LINES), &instruction));
    mw_births_note(tracer, address, label, path, instruction);
}

/* Once or twice in one block, at several places. */
static inline void be_born(mw_tracer *tracer, tracer_twin *twin, mw_random *random, uint32_t place)
{
    mw_guard guard = mw_guard_enter();

    for (uint32_t times = 1 + mw_random_below(random, 3); times > 0; times--) {
        fake_stack stack = random_stack(random);
        size_t size_bytes;
        uint32_t *label;
        mw_site site;

        if (mw_retag_find(tracer, address_of(place), &label, &size_bytes) != MW_RETAG_HERE ||
            stack.calls == 0 || fake_site(tracer, stack, size_bytes, &site) != MW_OK)
            continue;
        give_birth(tracer, guard, address_of(place), stack, site);
        twin->blocks[place].stack = stack;
        twin->blocks[place].epoch = tracer->epoch;
    }
    mw_guard_leave(guard);
}

/* A raw block may not replace one of the main lane, nor the reverse: an address belongs to
 * one lane. */
static inline void step(mw_tracer *tracer, tracer_twin *twin, mw_random *random)
{
    uint32_t place = mw_random_below(random, PLACES);

    switch (mw_random_below(random, 14)) {
    case 12:
    case 13:
        be_born(tracer, twin, random, place);
        break;
    case 0:
        fail_to_reallocate(tracer, twin, place);
        break;
    case 1:
        move(tracer, twin, random, place);
        break;
    case 2:
    case 3:
    case 4:
        deallocate(tracer, twin, place);
        break;
    case 5:
        mw_tracer_reset_peak(tracer);
        twin->peak_bytes = twin->live_bytes;
        break;
    default:
        deallocate(tracer, twin, place);
        allocate(tracer, twin, random, place);
    }
}

static inline mw_tracer new_tracer(void)
{
    return (mw_tracer){.raw = {.lock = MW_SPINLOCK_FREE}};
}
