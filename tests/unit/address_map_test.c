/* SPDX-License-Identifier: MIT */
#include "core/address_map.h"

#include "testing.h"

enum { SEEDS = 20, STEPS = 3000, ADDRESSES = 500 };

/* The slow twin: value and label by address number, 0 where there is none. */
typedef struct map_twin {
    uint64_t value[ADDRESSES];
    uint32_t label[ADDRESSES];
    uint32_t count;
} map_twin;

/* Addresses as they are: in rows, far apart, at both ends of the address space. */
static uintptr_t address_of(uint32_t number)
{
    switch (number % 4) {
    case 0:
        return 16 * (uintptr_t)(number + 1);
    case 1:
        return UINT64_C(0x7f0000000000) + (uintptr_t)number * 0x4000;
    case 2:
        return UINTPTR_MAX - 1 - 2 * (uintptr_t)number;
    default:
        return 1 + 2 * (uintptr_t)number;
    }
}

static bool agrees(const mw_address_map *map, const map_twin *twin)
{
    for (uint32_t i = 0; i < ADDRESSES; i++) {
        const mw_address_entry *entry = mw_address_map_find(map, address_of(i));

        if ((entry != NULL) != (twin->label[i] != 0))
            return false;
        if (entry != NULL && (entry->value != twin->value[i] || entry->label != twin->label[i]))
            return false;
    }
    return map->count == twin->count && mw_address_map_is_consistent(map);
}

static void put(mw_address_map *map, map_twin *twin, uint32_t number, uint32_t label)
{
    mw_address_entry *entry = mw_address_map_put(map, address_of(number));

    assert_non_null(entry);
    CHECK_EQ(entry->value, twin->value[number]);
    CHECK_EQ(entry->label, twin->label[number]);
    twin->count += twin->label[number] == 0;
    twin->label[number] = entry->label = label;
    twin->value[number] = entry->value = (uint64_t)label << 20;
}

static void drop(mw_address_map *map, map_twin *twin, uint32_t number)
{
    mw_address_entry *entry = mw_address_map_find(map, address_of(number));

    CHECK_EQ(entry != NULL, twin->label[number] != 0);
    if (entry == NULL)
        return;
    mw_address_map_remove(map, entry);
    twin->value[number] = 0;
    twin->label[number] = 0;
    twin->count--;
}

TEST(address_map, agrees_with_an_array_whatever_comes_and_goes)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        mw_failing_alloc failing = mw_failing_alloc_never();
        mw_random random = mw_random_of(seed);
        mw_address_map map;
        map_twin twin = {0};

        mw_address_map_init(&map, &failing.base);
        CHECK(agrees(&map, &twin));
        for (uint32_t step = 1; step <= STEPS; step++) {
            /* Phases of growth and of decline. */
            bool grows = mw_random_below(&random, 4) != 0 ? step / 500 % 2 == 0 : step % 2;
            uint32_t number = mw_random_below(&random, ADDRESSES);

            if (grows)
                put(&map, &twin, number, step);
            else
                drop(&map, &twin, number);
            if (step % 50 == 0)
                CHECK(agrees(&map, &twin));
        }
        CHECK_EQ(mw_address_map_memory_bytes(&map), failing.live_bytes);
        mw_address_map_done(&map);
        mw_address_map_done(&map);
        CHECK_EQ(failing.live_blocks, 0);
    }
}

/* Entries that share a home slot, at the end of the table so that they wrap around. */
TEST(address_map, closes_the_gap_when_one_of_a_cluster_goes)
{
    enum { CLUSTER = 12 };
    uintptr_t addresses[CLUSTER];
    uint32_t found = 0;

    for (uintptr_t address = 1; found < CLUSTER; address++)
        if (mw_mix_scaled(address, 256) >= 253)
            addresses[found++] = address;
    for (uint32_t gone = 0; gone < CLUSTER; gone++) {
        mw_address_map map;

        mw_address_map_init(&map, mw_alloc_system());
        for (uint32_t i = 0; i < CLUSTER; i++)
            mw_address_map_put(&map, addresses[i])->label = i + 1;
        mw_address_map_remove(&map, mw_address_map_find(&map, addresses[gone]));
        CHECK(mw_address_map_is_consistent(&map));
        for (uint32_t i = 0; i < CLUSTER; i++) {
            const mw_address_entry *entry = mw_address_map_find(&map, addresses[i]);

            CHECK_EQ(entry != NULL ? entry->label : 0, i != gone ? i + 1 : 0);
        }
        mw_address_map_done(&map);
    }
}

TEST(address_map, does_not_take_a_hole_for_address_0)
{
    mw_address_map map;

    mw_address_map_init(&map, mw_alloc_system());
    assert_null(mw_address_map_find(&map, 0));
    assert_null(mw_address_map_put(&map, 0));
    assert_non_null(mw_address_map_put(&map, 16));
    assert_null(mw_address_map_find(&map, 0));
    assert_null(mw_address_map_put(&map, 0));
    CHECK_EQ(map.count, 1);
    CHECK(mw_address_map_is_consistent(&map));
    mw_address_map_done(&map);
}

TEST(address_map, returns_every_byte_whichever_allocation_fails)
{
    uint32_t refused = 1;

    for (size_t nth = 0; refused != 0; nth++) {
        mw_failing_alloc failing = mw_failing_alloc_at(nth);
        mw_address_map map;
        map_twin twin = {0};

        refused = 0;
        mw_address_map_init(&map, &failing.base);
        for (uint32_t i = 0; i < ADDRESSES; i++) {
            mw_address_entry *entry = mw_address_map_put(&map, address_of(i));

            if (entry == NULL) {
                refused++;
                continue;
            }
            twin.label[i] = entry->label = i + 1;
            twin.value[i] = entry->value = (uint64_t)(i + 1) << 20;
            twin.count++;
        }
        CHECK(agrees(&map, &twin));
        failing.nth = SIZE_MAX; /* and now there is memory again */
        for (uint32_t i = 0; i < ADDRESSES; i++)
            put(&map, &twin, i, i + 1);
        CHECK(agrees(&map, &twin));
        mw_address_map_done(&map);
        CHECK_EQ(failing.live_blocks, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(address_map, agrees_with_an_array_whatever_comes_and_goes),
        CASE(address_map, closes_the_gap_when_one_of_a_cluster_goes),
        CASE(address_map, does_not_take_a_hole_for_address_0),
        CASE(address_map, returns_every_byte_whichever_allocation_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
