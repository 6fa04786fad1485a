/* SPDX-License-Identifier: MIT */
#include "base/alloc.h"

#include "testing.h"

enum { ROUNDS = 400, BLOCKS = 8, LARGEST = 40000 };

static bool is_all(const unsigned char *bytes, size_t from, size_t to, unsigned char value)
{
    for (size_t i = from; i < to; i++)
        if (bytes[i] != value)
            return false;
    return true;
}

/* Blocks of random sizes that grow and shrink, each filled with a byte of its own. */
static void check_contract(mw_alloc *alloc)
{
    unsigned char *blocks[BLOCKS] = {0};
    size_t sizes[BLOCKS] = {0};
    mw_random random = mw_random_of(1);

    for (int round = 0; round < ROUNDS; round++) {
        uint32_t i = mw_random_below(&random, BLOCKS);
        size_t size = mw_random_below(&random, mw_random_below(&random, LARGEST) + 1);

        if (blocks[i] == NULL) {
            blocks[i] = mw_alloc_new(alloc, size);
            assert_non_null(blocks[i]);
            CHECK(is_all(blocks[i], 0, size, 0));
        } else if (mw_random_below(&random, 4) == 0) {
            mw_alloc_release(alloc, blocks[i], sizes[i]);
            blocks[i] = NULL;
            continue;
        } else {
            size_t kept = size < sizes[i] ? size : sizes[i];

            blocks[i] = alloc->resize(alloc, blocks[i], sizes[i], size);
            assert_non_null(blocks[i]);
            CHECK(is_all(blocks[i], 0, kept, (unsigned char)(i + 1)));
            CHECK(is_all(blocks[i], kept, size, 0));
        }
        CHECK_EQ((uintptr_t)blocks[i] % 16, 0);
        memset(blocks[i], (int)i + 1, size);
        sizes[i] = size;
    }
    for (int i = 0; i < BLOCKS; i++)
        mw_alloc_release(alloc, blocks[i], sizes[i]);
}

TEST(alloc, system_gives_zeroed_memory_also_where_a_block_grows)
{
    check_contract(mw_alloc_system());
}

TEST(alloc, pages_gives_zeroed_memory_also_where_a_block_grows)
{
    check_contract(mw_alloc_pages());
}

/* Among these some that go from one of its allocators to the other. */
TEST(alloc, bursts_gives_zeroed_memory_also_where_a_block_grows)
{
    check_contract(mw_alloc_bursts());
}

/* Of pages alone: sanitizers end a program that asks libc for as much. */
TEST(alloc, pages_refuses_what_no_address_space_holds_and_leaves_the_block)
{
    static const size_t huge[] = {SIZE_MAX, SIZE_MAX - 4093};
    mw_alloc *alloc = mw_alloc_pages();
    unsigned char *block = mw_alloc_new(alloc, 100);

    memset(block, 7, 100);
    for (size_t i = 0; i < 2; i++) {
        assert_null(mw_alloc_new(alloc, huge[i]));
        assert_null(alloc->resize(alloc, block, 100, huge[i]));
    }
    assert_null(mw_alloc_new(alloc, (size_t)1 << 62));
    CHECK(is_all(block, 0, 100, 7));
    mw_alloc_release(alloc, block, 100);
    mw_alloc_release(alloc, NULL, 100);
}

TEST(alloc, array_of_more_bytes_than_a_number_holds_is_refused)
{
    assert_null(mw_alloc_array(mw_alloc_system(), SIZE_MAX / 8 + 2, 8));
    assert_null(mw_alloc_array(mw_alloc_pages(), SIZE_MAX / 8 + 2, 8));
}

TEST(alloc, array_grows_to_its_maximum_and_no_further)
{
    enum { MAXIMUM = 20000 };
    mw_failing_alloc failing = mw_failing_alloc_never();
    uint32_t *items = NULL;
    uint32_t count = 0, capacity = 0;

    for (; count < MAXIMUM; count++) {
        CHECK_OK(mw_alloc_grow(&failing.base, &items, count, &capacity, sizeof *items, MAXIMUM));
        CHECK(count < capacity && capacity <= MAXIMUM);
        CHECK(count < 8192 || capacity <= count + count / 4 + 1);
        CHECK_EQ(items[count], 0);
        items[count] = count;
        for (uint32_t i = 0; i <= count; i += 997)
            CHECK_EQ(items[i], i);
    }
    CHECK_EQ(mw_alloc_grow(&failing.base, &items, count, &capacity, sizeof *items, MAXIMUM),
             MW_LIMIT);
    CHECK_EQ(capacity, MAXIMUM);
    mw_alloc_release(&failing.base, items, capacity * sizeof *items);
    CHECK_EQ(failing.live_blocks, 0);
}

TEST(alloc, array_with_a_maximum_below_its_first_capacity_has_that)
{
    uint32_t *items = NULL;
    uint32_t capacity = 0;

    CHECK_EQ(mw_alloc_grow(mw_alloc_system(), &items, 0, &capacity, sizeof *items, 0), MW_LIMIT);
    CHECK_OK(mw_alloc_grow(mw_alloc_system(), &items, 0, &capacity, sizeof *items, 3));
    CHECK_EQ(capacity, 3);
    mw_alloc_release(mw_alloc_system(), items, capacity * sizeof *items);
}

TEST(alloc, array_is_as_it_was_after_a_refusal)
{
    mw_failing_alloc failing = mw_failing_alloc_at(1);
    uint64_t *items = NULL;
    uint32_t capacity = 0, before;

    CHECK_OK(mw_alloc_grow(&failing.base, &items, 0, &capacity, sizeof *items, UINT32_MAX));
    before = capacity;
    items[before - 1] = 5;
    CHECK_EQ(mw_alloc_grow(&failing.base, &items, before, &capacity, sizeof *items, UINT32_MAX),
             MW_NO_MEMORY);
    CHECK_EQ(capacity, before);
    CHECK_EQ(items[before - 1], 5);
    mw_alloc_release(&failing.base, items, capacity * sizeof *items);
    CHECK_EQ(failing.live_blocks, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(alloc, system_gives_zeroed_memory_also_where_a_block_grows),
        CASE(alloc, pages_gives_zeroed_memory_also_where_a_block_grows),
        CASE(alloc, bursts_gives_zeroed_memory_also_where_a_block_grows),
        CASE(alloc, pages_refuses_what_no_address_space_holds_and_leaves_the_block),
        CASE(alloc, array_of_more_bytes_than_a_number_holds_is_refused),
        CASE(alloc, array_grows_to_its_maximum_and_no_further),
        CASE(alloc, array_with_a_maximum_below_its_first_capacity_has_that),
        CASE(alloc, array_is_as_it_was_after_a_refusal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
