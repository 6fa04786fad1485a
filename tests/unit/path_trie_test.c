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

static uint32_t add_many(mw_path_trie *trie)
{
    mw_random random = mw_random_of(3);
    uint32_t refused = 0;

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

    CHECK_OK(mw_path_trie_init(&trie, mw_alloc_system()));
    CHECK_EQ(add_many(&trie), 0);
    trie.nodes[7].hash ^= 1;
    CHECK(!mw_path_trie_is_consistent(&trie));
    trie.nodes[7].hash ^= 1;
    trie.nodes[7].caller = 8;
    CHECK(!mw_path_trie_is_consistent(&trie));
    mw_path_trie_done(&trie);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(path_trie, numbers_paths_like_a_list_that_is_searched),
        CASE(path_trie, holds_a_recursion_of_any_depth),
        CASE(path_trie, refuses_more_paths_than_a_slot_can_number),
        CASE(path_trie, returns_every_byte_whichever_allocation_fails),
        CASE(path_trie, is_consistent_sees_what_is_wrong),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
