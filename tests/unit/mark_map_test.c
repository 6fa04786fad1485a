/* SPDX-License-Identifier: MIT */
#include "graph/mark_map.h"

#include "testing.h"

enum { ADDRESSES = 3000 };

/* Some near each other, some far apart, some that are no multiples of 16, some twice. */
static void fill(uintptr_t addresses[ADDRESSES], uint64_t seed)
{
    mw_random random = mw_random_of(seed);

    for (int i = 0; i < ADDRESSES; i++) {
        uintptr_t region = UINT64_C(0x7f00) + mw_random_below(&random, 4) * 97;

        addresses[i] = region << 28 | (uintptr_t)(1 + mw_random_below(&random, 60000)) << 4;
        if (mw_random_below(&random, 50) == 0)
            addresses[i] |= 8;
        if (mw_random_below(&random, 200) == 0)
            addresses[i] |= (uintptr_t)1 << 55;
    }
}

static mw_status add_all(mw_mark_map *map, const uintptr_t addresses[ADDRESSES])
{
    mw_status status = MW_OK;
    bool is_new;

    for (int i = 0; i < ADDRESSES && status == MW_OK; i++)
        status = mw_mark_map_add(map, addresses[i], &is_new);
    return status == MW_OK ? mw_mark_map_number(map) : status;
}

static int compare(const void *a, const void *b)
{
    uintptr_t left = *(const uintptr_t *)a, right = *(const uintptr_t *)b;

    return left < right ? -1 : left > right;
}

static uint32_t distinct(uintptr_t addresses[ADDRESSES])
{
    uint32_t count = 1;

    qsort(addresses, ADDRESSES, sizeof *addresses, compare);
    for (int i = 1; i < ADDRESSES; i++)
        count += addresses[i] != addresses[i - 1];
    return count;
}

TEST(mark_map, numbers_each_member_once_and_knows_it_by_its_number)
{
    uintptr_t addresses[ADDRESSES];
    mw_mark_cursor cursor;
    mw_mark_map map;

    fill(addresses, 1);
    CHECK_OK(mw_mark_map_init(&map, mw_alloc_system()));
    CHECK_OK(add_all(&map, addresses));
    CHECK_EQ(map.count, distinct(addresses));
    cursor = mw_mark_cursor_of(&map);
    for (uint32_t number = 1; number <= map.count; number++) {
        uintptr_t address = mw_mark_cursor_next(&cursor);

        CHECK(bsearch(&address, addresses, ADDRESSES, sizeof address, compare) != NULL);
        CHECK_EQ(mw_mark_map_find(&map, address), number);
        CHECK_EQ(mw_mark_map_address(&map, number), address);
    }
    CHECK_EQ(mw_mark_cursor_next(&cursor), 0);
    mw_mark_map_done(&map);
}

TEST(mark_map, numbers_rise_with_addresses_but_for_the_odd_ones)
{
    uintptr_t addresses[ADDRESSES], before = 0;
    mw_mark_map map;

    fill(addresses, 2);
    CHECK_OK(mw_mark_map_init(&map, mw_alloc_system()));
    CHECK_OK(add_all(&map, addresses));
    for (uint32_t number = 1; number <= map.count; number++) {
        uintptr_t address = mw_mark_map_address(&map, number);

        CHECK_EQ(mw_mark_map_is_regular(address), number >= map.other_count);
        CHECK(number <= map.other_count || address > before);
        before = address;
    }
    mw_mark_map_done(&map);
}

TEST(mark_map, does_not_find_what_was_not_added)
{
    mw_mark_map map;
    bool is_new;

    CHECK_OK(mw_mark_map_init(&map, mw_alloc_system()));
    CHECK_OK(mw_mark_map_number(&map));
    CHECK_EQ(map.count, 0);
    CHECK_EQ(mw_mark_map_find(&map, 0x1000), 0);
    CHECK_OK(mw_mark_map_add(&map, 0x1000, &is_new));
    CHECK(is_new);
    CHECK_OK(mw_mark_map_add(&map, 0x1000, &is_new));
    CHECK(!is_new);
    CHECK_OK(mw_mark_map_number(&map));
    CHECK_EQ(mw_mark_map_find(&map, 0x1000), 1);
    CHECK_EQ(mw_mark_map_find(&map, 0x1010), 0);
    CHECK_EQ(mw_mark_map_find(&map, 0x1008), 0);
    CHECK_EQ(mw_mark_map_find(&map, 0x100000001000), 0);
    mw_mark_map_done(&map);
}

TEST(mark_map, gives_back_each_member_that_was_put_off_once)
{
    uintptr_t addresses[ADDRESSES], taken[ADDRESSES];
    uint32_t count = 0, wanted = 0;
    mw_mark_map map;

    fill(addresses, 3);
    CHECK_OK(mw_mark_map_init(&map, mw_alloc_system()));
    CHECK_OK(add_all(&map, addresses));
    CHECK_EQ(mw_mark_map_take_deferred(&map), 0);
    for (int i = 0; i < ADDRESSES; i++)
        if (mw_mark_map_is_regular(addresses[i]))
            CHECK_OK(mw_mark_map_defer(&map, addresses[i]));
    while ((taken[count] = mw_mark_map_take_deferred(&map)) != 0)
        count++;
    qsort(taken, count, sizeof *taken, compare);
    distinct(addresses);
    for (int i = 0; i < ADDRESSES; i++)
        if (mw_mark_map_is_regular(addresses[i]) && (i == 0 || addresses[i] != addresses[i - 1]))
            CHECK_EQ(taken[wanted++], addresses[i]);
    CHECK_EQ(count, wanted);
    mw_mark_map_done(&map);
}

TEST(mark_map, takes_less_than_a_fiftieth_of_the_memory_that_its_members_lie_in)
{
    const uintptr_t bytes = 64 << 20;
    mw_mark_map map;
    bool is_new;

    CHECK_OK(mw_mark_map_init(&map, mw_alloc_system()));
    for (uintptr_t at = 0; at < bytes; at += 48)
        CHECK_OK(mw_mark_map_add(&map, UINT64_C(0x7f0000000000) + at, &is_new));
    CHECK_OK(mw_mark_map_number(&map));
    CHECK(mw_mark_map_memory_bytes(&map) < bytes / 100);
    mw_mark_map_done(&map);
}

TEST(mark_map, returns_every_byte_whichever_allocation_fails)
{
    uintptr_t addresses[ADDRESSES];
    mw_status status = MW_NO_MEMORY;

    fill(addresses, 4);
    for (size_t nth = 0; status != MW_OK; nth++) {
        mw_failing_alloc alloc = mw_failing_alloc_at(nth);
        mw_mark_map map;

        status = mw_mark_map_init(&map, &alloc.base);
        if (status == MW_OK)
            status = add_all(&map, addresses);
        if (status == MW_OK)
            status = mw_mark_map_defer(&map, map.leaves[0]->base);
        mw_mark_map_done(&map);
        CHECK(status == MW_OK || status == MW_NO_MEMORY);
        CHECK_EQ(alloc.live_blocks, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(mark_map, numbers_each_member_once_and_knows_it_by_its_number),
        CASE(mark_map, numbers_rise_with_addresses_but_for_the_odd_ones),
        CASE(mark_map, does_not_find_what_was_not_added),
        CASE(mark_map, gives_back_each_member_that_was_put_off_once),
        CASE(mark_map, takes_less_than_a_fiftieth_of_the_memory_that_its_members_lie_in),
        CASE(mark_map, returns_every_byte_whichever_allocation_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
