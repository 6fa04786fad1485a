/* SPDX-License-Identifier: MIT */
#include "core/path_trie.h"

#include "testing.h"

enum { SEEDS = 5, STEPS = 6000, INSTRUCTIONS = 40, DEEP = 200000 };

/* The slow twin: node 1 … count - 1 in the order of arrival. */
typedef struct trie_twin {
    struct {
        uint32_t caller, instruction;
    } nodes[STEPS + 1];
    uint32_t count;
} trie_twin;

static uint32_t twin_find(const trie_twin *twin, mw_path caller, mw_instruction instruction)
{
    for (uint32_t i = 1; i < twin->count; i++)
        if (twin->nodes[i].caller == caller.index &&
            twin->nodes[i].instruction == instruction.index)
            return i;
    return 0;
}

static uint32_t twin_child(trie_twin *twin, mw_path caller, mw_instruction instruction)
{
    uint32_t found = twin_find(twin, caller, instruction);

    if (found != 0)
        return found;
    twin->nodes[twin->count].caller = caller.index;
    twin->nodes[twin->count].instruction = instruction.index;
    return twin->count++;
}

/* Small numbers, thread roots, and everything between. */
static mw_instruction random_instruction(mw_random *random)
{
    uint32_t number = mw_random_below(random, INSTRUCTIONS);

    return (mw_instruction){number % 3 == 0 ? number : (number % 3 == 1 ? number << 20 : ~number)};
}

TEST(path_trie, numbers_paths_like_a_list_that_is_searched)
{
    static trie_twin twin;

    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        mw_failing_alloc failing = mw_failing_alloc_never();
        mw_random random = mw_random_of(seed);
        mw_path_trie trie;

        twin.count = 1;
        CHECK_OK(mw_path_trie_init(&trie, &failing.base));
        for (uint32_t step = 0; step < STEPS; step++) {
            mw_path caller = {mw_random_below(&random, twin.count)};
            mw_instruction instruction = random_instruction(&random);
            uint32_t known = twin_find(&twin, caller, instruction);
            mw_path path;

            CHECK_EQ(mw_path_trie_find(&trie, caller, instruction).index, known);
            CHECK_OK(mw_path_trie_child(&trie, caller, instruction, &path));
            CHECK_EQ(path.index, twin_child(&twin, caller, instruction));
            CHECK_EQ(mw_path_trie_caller(&trie, path).index, caller.index);
            CHECK_EQ(mw_path_trie_instruction(&trie, path).index, instruction.index);
            if (step % 500 == 0)
                CHECK(mw_path_trie_is_consistent(&trie));
        }
        CHECK_EQ(trie.count, twin.count);
        CHECK(mw_path_trie_memory_bytes(&trie) <= failing.live_bytes);
        mw_path_trie_done(&trie);
        mw_path_trie_done(&trie);
        CHECK_EQ(failing.live_blocks, 0);
    }
}

enum { STACK_MAXIMUM = 200, WALKS = 400 };

/* A stack of a few functions, so that many begin as others do; a tenth is transparent. */
static uint32_t random_stack(mw_random *random, mw_instruction *instructions)
{
    uint32_t count = mw_random_below(random, STACK_MAXIMUM + 1);
    uint32_t functions = 1 + mw_random_below(random, 3);

    for (uint32_t i = 0; i < count; i++) {
        instructions[i].index = 1 + (i + i / 50) % functions;
        if (mw_random_below(random, 40) == 0)
            instructions[i] = random_instruction(random);
        if (mw_random_below(random, 10) == 0)
            instructions[i].index = MW_INSTRUCTION_TRANSPARENT;
    }
    return count;
}

static void check_paths_one_by_one(mw_path_trie *trie, mw_path caller,
                                   const mw_instruction *instructions, uint32_t count,
                                   const mw_path *paths)
{
    for (uint32_t i = 0; i < count; i++) {
        if (instructions[i].index != MW_INSTRUCTION_TRANSPARENT)
            caller = mw_path_trie_find(trie, caller, instructions[i]);
        CHECK_EQ(paths[i].index, caller.index);
    }
}

TEST(path_trie, extends_a_path_as_its_children_would_one_by_one)
{
    uint32_t walks_while_moving = 0;

    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        mw_random random = mw_random_of(seed);
        mw_instruction instructions[STACK_MAXIMUM];
        mw_path paths[STACK_MAXIMUM];
        mw_path_trie trie, twin;

        CHECK_OK(mw_path_trie_init(&trie, mw_alloc_system()));
        CHECK_OK(mw_path_trie_init(&twin, mw_alloc_system()));
        for (uint32_t walk = 0; walk < WALKS; walk++) {
            mw_path caller = {mw_random_below(&random, 2) ? 0
                                                          : mw_random_below(&random, trie.count)};
            uint32_t count = random_stack(&random, instructions);
            mw_path child = caller;

            walks_while_moving += mw_path_trie_is_moving(&trie);
            CHECK_OK(mw_path_trie_extend(&trie, caller, instructions, count, paths));
            check_paths_one_by_one(&trie, caller, instructions, count, paths);
            for (uint32_t i = 0; i < count; i++)
                if (instructions[i].index != MW_INSTRUCTION_TRANSPARENT)
                    CHECK_OK(mw_path_trie_child(&twin, child, instructions[i], &child));
            CHECK_EQ(trie.count, twin.count);
            if (count != 0)
                CHECK_EQ(paths[count - 1].index, child.index);
        }
        CHECK(mw_path_trie_is_consistent(&trie));
        mw_path_trie_done(&trie);
        mw_path_trie_done(&twin);
    }
    CHECK(walks_while_moving > 0);
}

/* What a single new node pays is bounded, however many there are. */
TEST(path_trie, grows_by_a_few_nodes_at_a_time)
{
    mw_path_trie trie;
    uint32_t growths = 0;
    mw_path path = {0};

    CHECK_OK(mw_path_trie_init(&trie, mw_alloc_pages()));
    for (uint32_t number = 1; number < DEEP; number++) {
        mw_path_trie before = trie;

        CHECK_OK(mw_path_trie_child(&trie, (mw_path){number % 1000 ? path.index : 0},
                                    (mw_instruction){number}, &path));
        CHECK_EQ(path.index, number);
        if (before.slot_bits != trie.slot_bits) {
            growths++;
            CHECK(!mw_path_trie_is_moving(&before));
            CHECK(before.former == NULL);
            CHECK_EQ(trie.moving_next, 1);
        } else {
            CHECK(trie.moving_next - before.moving_next <= 8);
            CHECK(before.former_bytes - trie.former_bytes <= 1 << 16);
        }
        if (number % 20011 == 0)
            CHECK(mw_path_trie_is_consistent(&trie));
    }
    CHECK(growths >= 5);
    CHECK(mw_path_trie_is_consistent(&trie));
    mw_path_trie_done(&trie);
}

/* Recursion is the worst that can happen to a hash that is made from the caller's. */
TEST(path_trie, holds_a_recursion_of_any_depth)
{
    for (uint32_t functions = 1; functions <= 3; functions++) {
        mw_path_trie trie;
        mw_path path = {0};

        CHECK_OK(mw_path_trie_init(&trie, mw_alloc_pages()));
        for (uint32_t depth = 0; depth < DEEP; depth++)
            CHECK_OK(
                mw_path_trie_child(&trie, path, (mw_instruction){1 + depth % functions}, &path));
        CHECK_EQ(path.index, DEEP);
        CHECK(mw_path_trie_is_consistent(&trie));
        for (uint32_t depth = DEEP; depth > 0; depth--) {
            CHECK_EQ(path.index, depth);
            path = mw_path_trie_caller(&trie, path);
        }
        CHECK_EQ(path.index, 0);
        mw_path_trie_done(&trie);
    }
}

TEST(path_trie, refuses_more_paths_than_a_slot_can_number)
{
    mw_path_trie trie, original;
    mw_path path = {77};

    CHECK_OK(mw_path_trie_init(&trie, mw_alloc_system()));
    original = trie;
    trie.count = trie.capacity = MW_PATH_MAXIMUM + 1; /* as if they were there */
    trie.slot_bits = 27;
    CHECK_EQ(mw_path_trie_add(&trie, (mw_path){0}, (mw_instruction){1}, &path), MW_LIMIT);
    CHECK_EQ(path.index, 77);
    trie = original;
    CHECK_OK(mw_path_trie_add(&trie, (mw_path){0}, (mw_instruction){1}, &path));
    CHECK(mw_path_trie_is_consistent(&trie));
    mw_path_trie_done(&trie);
}

static uint32_t extend_many(mw_path_trie *trie)
{
    mw_random random = mw_random_of(4);
    mw_instruction instructions[STACK_MAXIMUM];
    mw_path paths[STACK_MAXIMUM];
    uint32_t refused = 0;

    for (uint32_t walk = 0; walk < 50; walk++) {
        uint32_t count = random_stack(&random, instructions);
        mw_status status = mw_path_trie_extend(trie, (mw_path){0}, instructions, count, paths);

        CHECK(status == MW_OK || status == MW_NO_MEMORY);
        refused += status != MW_OK;
    }
    return refused;
}

static uint32_t add_many(mw_path_trie *trie)
{
    mw_random random = mw_random_of(3);
    uint32_t refused = extend_many(trie);

    for (uint32_t step = 0; step < STEPS; step++) {
        mw_path caller = {mw_random_below(&random, trie->count)}, path;
        mw_status status = mw_path_trie_child(trie, caller, random_instruction(&random), &path);

        CHECK(status == MW_OK || status == MW_NO_MEMORY);
        refused += status != MW_OK;
    }
    return refused;
}

TEST(path_trie, returns_every_byte_whichever_allocation_fails)
{
    uint32_t refused = 1;

    for (size_t nth = 0; refused != 0; nth++) {
        mw_failing_alloc failing = mw_failing_alloc_at(nth);
        mw_path_trie trie;

        if (mw_path_trie_init(&trie, &failing.base) == MW_OK) {
            refused = add_many(&trie);
            CHECK(mw_path_trie_is_consistent(&trie));
            failing.nth = SIZE_MAX;
            CHECK_EQ(add_many(&trie), 0);
            CHECK(mw_path_trie_is_consistent(&trie));
        }
        mw_path_trie_done(&trie);
        CHECK_EQ(failing.live_blocks, 0);
    }
}

TEST(path_trie, is_consistent_sees_what_is_wrong)
{
    mw_path_trie trie;
    uint32_t caller;

    CHECK_OK(mw_path_trie_init(&trie, mw_alloc_system()));
    CHECK_EQ(add_many(&trie), 0);
    caller = trie.nodes[7].caller;
    trie.nodes[7].hash ^= 1;
    CHECK(!mw_path_trie_is_consistent(&trie));
    trie.nodes[7].hash ^= 1;
    trie.nodes[7].caller = 8;
    CHECK(!mw_path_trie_is_consistent(&trie));
    trie.nodes[7].caller = caller;
    CHECK(mw_path_trie_is_consistent(&trie));
    trie.moving_next--; /* as if a node that was moved still waited */
    CHECK(!mw_path_trie_is_consistent(&trie));
    mw_path_trie_done(&trie);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(path_trie, numbers_paths_like_a_list_that_is_searched),
        CASE(path_trie, extends_a_path_as_its_children_would_one_by_one),
        CASE(path_trie, grows_by_a_few_nodes_at_a_time),
        CASE(path_trie, holds_a_recursion_of_any_depth),
        CASE(path_trie, refuses_more_paths_than_a_slot_can_number),
        CASE(path_trie, returns_every_byte_whichever_allocation_fails),
        CASE(path_trie, is_consistent_sees_what_is_wrong),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
