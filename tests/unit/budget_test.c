/* SPDX-License-Identifier: MIT */
#include "core/budget.h"

#include "testing.h"

enum { SEEDS = 5, STEPS = 4000, BLOCKS = 40, MEBIBYTE = 1 << 20 };

static size_t pages(size_t size_bytes)
{
    return size_bytes == 0 ? 4096 : (size_bytes + 4095) / 4096 * 4096;
}

/* The slow twin: what each block costs, added up anew. */
typedef struct budget_twin {
    struct {
        void *block;
        size_t size_bytes;
    } blocks[BLOCKS];
} budget_twin;

static size_t twin_used(const budget_twin *twin)
{
    size_t used = 0;

    for (uint32_t i = 0; i < BLOCKS; i++)
        if (twin->blocks[i].block != NULL)
            used += pages(twin->blocks[i].size_bytes);
    return used;
}

static mw_stage stage_at(size_t used, size_t ceiling)
{
    if (used >= ceiling / 8 * 6)
        return MW_STAGE_COARSE;
    if (used >= ceiling / 8 * 5)
        return MW_STAGE_CUT;
    return used >= ceiling / 8 * 4 ? MW_STAGE_FOLDED : MW_STAGE_EXACT;
}

/* Allocates, resizes or releases; what must be refused is. */
static bool step(mw_budget *budget, budget_twin *twin, mw_random *random)
{
    uint32_t i = mw_random_below(random, BLOCKS);
    size_t size_bytes = mw_random_below(random, 3 * MEBIBYTE / 8);
    void **block = &twin->blocks[i].block;
    size_t former = *block != NULL ? pages(twin->blocks[i].size_bytes) : 0;
    bool fits = twin_used(twin) - former + pages(size_bytes) <= budget->ceiling_bytes;
    void *made;

    if (*block != NULL && mw_random_below(random, 3) == 0) {
        mw_alloc_release(&budget->counted, *block, twin->blocks[i].size_bytes);
        *block = NULL;
        return true;
    }
    made = *block == NULL ? mw_alloc_new(&budget->counted, size_bytes)
                          : budget->counted.resize(&budget->counted, *block,
                                                   twin->blocks[i].size_bytes, size_bytes);
    CHECK_EQ(made != NULL, fits);
    if (made != NULL) {
        *block = made;
        twin->blocks[i].size_bytes = size_bytes;
    }
    return fits;
}

TEST(budget, counts_like_a_sum_over_all_blocks)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        mw_failing_alloc failing = mw_failing_alloc_never();
        mw_random random = mw_random_of(seed);
        budget_twin twin = {0};
        mw_stage highest = MW_STAGE_EXACT;
        mw_budget budget;

        mw_budget_init(&budget, &failing.base);
        mw_budget_open(&budget, MW_BUDGET_MINIMUM_BYTES);
        for (uint32_t i = 0; i < STEPS; i++) {
            bool was_granted = step(&budget, &twin, &random);
            size_t used = twin_used(&twin);
            mw_stage stage =
                was_granted ? stage_at(used, MW_BUDGET_MINIMUM_BYTES) : MW_STAGE_LOSING;

            highest = stage > highest ? stage : highest;
            CHECK_EQ(atomic_load(&budget.used_bytes), used);
            CHECK(used <= MW_BUDGET_MINIMUM_BYTES);
            CHECK_EQ(mw_budget_stage(&budget), highest);
        }
        CHECK_EQ(highest, MW_STAGE_LOSING);
        for (uint32_t i = 0; i < BLOCKS; i++)
            mw_alloc_release(&budget.counted, twin.blocks[i].block, twin.blocks[i].size_bytes);
        CHECK_EQ(atomic_load(&budget.used_bytes), 0);
        CHECK_EQ(failing.live_blocks, 0);
    }
}

TEST(budget, counts_nothing_that_was_refused_below_it)
{
    mw_failing_alloc failing = mw_failing_alloc_at(1);
    mw_budget budget;
    void *block;

    mw_budget_init(&budget, &failing.base);
    block = mw_alloc_new(&budget.counted, 100);
    assert_non_null(block);
    assert_null(mw_alloc_new(&budget.counted, 100));
    assert_null(budget.counted.resize(&budget.counted, block, 100, 10000));
    CHECK_EQ(atomic_load(&budget.used_bytes), 4096);
    mw_alloc_release(&budget.counted, block, 100);
    CHECK_EQ(atomic_load(&budget.used_bytes), 0);
}

TEST(budget, has_no_stages_without_a_ceiling)
{
    mw_budget budget;

    mw_budget_init(&budget, mw_alloc_system());
    mw_budget_open(&budget, 0);
    CHECK(!mw_budget_is_bounded(&budget));
    CHECK(!mw_budget_is_bounded(NULL));
    CHECK(mw_budget_take(&budget, SIZE_MAX / 2));
    CHECK_EQ(mw_budget_stage(&budget), MW_STAGE_EXACT);
    CHECK_EQ(mw_budget_stage(NULL), MW_STAGE_EXACT);
    mw_budget_give(&budget, SIZE_MAX / 2);
}

/* What is in use when it opens stays counted. */
TEST(budget, begins_again_with_each_opening)
{
    mw_budget budget;

    mw_budget_init(&budget, mw_alloc_system());
    mw_budget_open(&budget, 1);
    CHECK_EQ(budget.ceiling_bytes, MW_BUDGET_MINIMUM_BYTES);
    CHECK(mw_budget_take(&budget, MW_BUDGET_MINIMUM_BYTES));
    CHECK(!mw_budget_take(&budget, 1));
    CHECK_EQ(mw_budget_stage(&budget), MW_STAGE_LOSING);
    mw_budget_open(&budget, 64 * MEBIBYTE);
    CHECK_EQ(mw_budget_stage(&budget), MW_STAGE_EXACT);
    CHECK_EQ(atomic_load(&budget.used_bytes), MW_BUDGET_MINIMUM_BYTES);
    CHECK(mw_budget_take(&budget, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(budget, counts_like_a_sum_over_all_blocks),
        CASE(budget, counts_nothing_that_was_refused_below_it),
        CASE(budget, has_no_stages_without_a_ceiling),
        CASE(budget, begins_again_with_each_opening),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
