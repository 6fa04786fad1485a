/* SPDX-License-Identifier: MIT */
#include "graph/pointer_map.h"

#include "testing.h"

enum { ADDRESSES = 20000 };

/* In three mappings far from each other, and some that are not aligned. */
static uintptr_t some_address(mw_random *random)
{
    static const uintptr_t bases[] = {0x400000, 0x7f1200000000, 0x5555aaaa0000};
    uintptr_t address = bases[mw_random_below(random, 3)];

    address += (uintptr_t)mw_random_below(random, 1 << 22) * 16;
    return address + (mw_random_below(random, 16) == 0 ? 1 + mw_random_below(random, 15) : 0);
}

TEST(pointer_map, keeps_a_number_for_each_address)
{
    mw_failing_alloc failing = mw_failing_alloc_never();
    static uintptr_t addresses[ADDRESSES];
    mw_random random = mw_random_of(1);
    mw_pointer_map map;

    CHECK_OK(mw_pointer_map_init(&map, &failing.base));
    for (uint32_t i = 0; i < ADDRESSES; i++) {
        uint32_t *slot;

        addresses[i] = some_address(&random);
        slot = mw_pointer_map_slot(&map, addresses[i]);
        CHECK_EQ(*slot, mw_pointer_map_find(&map, addresses[i]));
        CHECK(*slot == 0 || addresses[*slot - 1] == addresses[i]);
        if (*slot == 0)
            *slot = i + 1;
    }
    for (uint32_t i = 0; i < ADDRESSES; i++) {
        uint32_t number = mw_pointer_map_find(&map, addresses[i]);

        CHECK(number != 0 && number <= i + 1 && addresses[number - 1] == addresses[i]);
    }
    mw_pointer_map_done(&map);
    CHECK_EQ(failing.live_blocks, 0);
}

TEST(pointer_map, knows_nothing_of_strangers)
{
    mw_random random = mw_random_of(2);
    mw_pointer_map map;

    CHECK_OK(mw_pointer_map_init(&map, mw_alloc_system()));
    for (uint32_t i = 0; i < 1000; i++)
        CHECK_EQ(mw_pointer_map_find(&map, some_address(&random)), 0);
    *mw_pointer_map_slot(&map, 0x10000) = 1;
    *mw_pointer_map_slot(&map, 0x10001) = 2;
    CHECK_EQ(mw_pointer_map_find(&map, 0x10010), 0);
    CHECK_EQ(mw_pointer_map_find(&map, 0x10002), 0);
    CHECK_EQ(mw_pointer_map_find(&map, UINTPTR_MAX - 15), 0);
    mw_pointer_map_done(&map);
}

TEST(pointer_map, returns_every_byte_whichever_allocation_fails)
{
    for (size_t nth = 0;; nth++) {
        mw_failing_alloc failing = mw_failing_alloc_at(nth);
        mw_pointer_map map;
        bool is_whole = mw_pointer_map_init(&map, &failing.base) == MW_OK;

        for (uintptr_t address = 0x1000; is_whole && address < 0x2000000; address += 0x4001)
            is_whole = mw_pointer_map_slot(&map, address) != NULL;
        mw_pointer_map_done(&map);
        CHECK_EQ(failing.live_blocks, 0);
        if (is_whole)
            break;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(pointer_map, keeps_a_number_for_each_address),
        CASE(pointer_map, knows_nothing_of_strangers),
        CASE(pointer_map, returns_every_byte_whichever_allocation_fails),
    };

    return cmocka_run_group_tests_name("pointer_map", tests, NULL, NULL);
}
