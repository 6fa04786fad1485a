/* SPDX-License-Identifier: MIT */
#include "base/hash_index.h"

#include "base/hash.h"
#include "testing.h"

enum { ITEMS = 3000 };

/* Few tags, so that many items share one. */
static uint64_t hash_of(uint32_t item)
{
    return (uint64_t)(item % 700) << 32 | item;
}

static bool finds(const mw_hash_index *index, uint64_t hash, uint32_t wanted)
{
    mw_hash_probe probe = mw_hash_probe_start(hash);
    uint32_t item;

    while ((item = mw_hash_index_next(index, &probe)) != 0) {
        if (item == wanted)
            return true;
    }
    return false;
}

TEST(hash_index, finds_every_item_and_no_other_while_it_grows)
{
    mw_failing_alloc failing = mw_failing_alloc_never();
    mw_hash_index index;

    mw_hash_index_init(&index, &failing.base);
    for (uint32_t item = 1; item <= ITEMS; item++) {
        CHECK(!finds(&index, hash_of(item), item));
        CHECK_OK(mw_hash_index_reserve(&index, 1));
        mw_hash_index_add(&index, hash_of(item), item);
        CHECK(finds(&index, hash_of(item), item));
    }
    CHECK(mw_hash_index_is_consistent(&index));
    for (uint32_t item = 1; item <= ITEMS; item++)
        CHECK(finds(&index, hash_of(item), item));
    mw_hash_index_done(&index);
    CHECK_EQ(failing.live_blocks, 0);
}

TEST(hash_index, gives_items_of_one_hash_alone_for_that_hash)
{
    mw_hash_index index;
    mw_hash_probe probe = mw_hash_probe_start(hash_of(5));
    uint32_t item, count = 0;

    mw_hash_index_init(&index, mw_alloc_system());
    CHECK_OK(mw_hash_index_reserve(&index, ITEMS));
    for (item = 1; item <= ITEMS; item++)
        mw_hash_index_add(&index, hash_of(item), item);
    while ((item = mw_hash_index_next(&index, &probe)) != 0) {
        CHECK_EQ(item % 700, 5);
        count++;
    }
    CHECK_EQ(count, 5); /* 5, 705, 1405, 2105, 2805 */
    mw_hash_index_done(&index);
}

TEST(hash_index, allocates_once_for_what_is_reserved_at_once)
{
    mw_failing_alloc failing = mw_failing_alloc_at(1);
    mw_hash_index index;

    mw_hash_index_init(&index, &failing.base);
    CHECK_OK(mw_hash_index_reserve(&index, ITEMS));
    for (uint32_t item = 1; item <= ITEMS; item++) {
        CHECK_OK(mw_hash_index_reserve(&index, 1));
        mw_hash_index_add(&index, mw_hash_combine(item, 0), item);
    }
    mw_hash_index_done(&index);
    CHECK_EQ(failing.live_blocks, 0);
}

TEST(hash_index, is_as_it_was_after_a_refusal)
{
    mw_failing_alloc failing = mw_failing_alloc_at(1);
    mw_hash_index index;

    mw_hash_index_init(&index, &failing.base);
    for (uint32_t item = 1; item <= 12; item++) {
        CHECK_OK(mw_hash_index_reserve(&index, 1));
        mw_hash_index_add(&index, hash_of(item), item);
    }
    CHECK_EQ(mw_hash_index_reserve(&index, 1), MW_NO_MEMORY);
    CHECK_EQ(mw_hash_index_reserve(&index, UINT32_MAX), MW_LIMIT);
    CHECK(mw_hash_index_is_consistent(&index));
    for (uint32_t item = 1; item <= 12; item++)
        CHECK(finds(&index, hash_of(item), item));
    mw_hash_index_done(&index);
    mw_hash_index_done(&index);
    CHECK_EQ(failing.live_blocks, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(hash_index, finds_every_item_and_no_other_while_it_grows),
        CASE(hash_index, gives_items_of_one_hash_alone_for_that_hash),
        CASE(hash_index, allocates_once_for_what_is_reserved_at_once),
        CASE(hash_index, is_as_it_was_after_a_refusal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
