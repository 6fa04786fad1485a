/* SPDX-License-Identifier: MIT
 *
 * Histories, compared with a model that knows each block.
 */
#include "leak_model.h"

#include "core/histories.h"

enum { MOMENTS = 20, GROUPS = 3, BLOCKS = 400 };

typedef struct block {
    uint32_t group, birth, death;
    uint64_t bytes;
} block;

static block blocks[BLOCKS];
static leak_model models[GROUPS];

static void make_blocks(uint64_t seed)
{
    mw_random random = mw_random_of(seed);

    for (int group = 0; group < GROUPS; group++)
        model_begin(&models[group], MOMENTS, seed);
    for (int i = 0; i < BLOCKS; i++) {
        blocks[i].group = mw_random_below(&random, GROUPS);
        blocks[i].birth = mw_random_below(&random, MOMENTS);
        blocks[i].death = blocks[i].birth + mw_random_below(&random, MOMENTS);
        blocks[i].bytes = mw_random_below(&random, 1000) + 1;
        model_blocks(&models[blocks[i].group], blocks[i].birth, blocks[i].death,
                     (double)blocks[i].bytes, 1);
    }
}

/* What of [group]'s blocks that were born at [birth] is alive at [moment]. */
static mw_tally alive(uint32_t group, uint32_t birth, uint32_t moment)
{
    mw_tally sum = {0};

    for (int i = 0; i < BLOCKS; i++)
        if (blocks[i].group == group && blocks[i].birth == birth && birth <= moment &&
            moment < blocks[i].death) {
            sum.bytes += blocks[i].bytes;
            sum.blocks++;
        }
    return sum;
}

static mw_tally born(uint32_t group, uint32_t moment)
{
    mw_tally sum = {0};

    for (int i = 0; i < BLOCKS; i++)
        if (blocks[i].group == group && blocks[i].birth == moment) {
            sum.bytes += blocks[i].bytes;
            sum.blocks++;
        }
    return sum;
}

/* Each group is a site in each epoch; what was allocated is told with epoch 0's. */
static void tell(mw_histories *histories)
{
    for (uint32_t moment = 0; moment < MOMENTS; moment++) {
        mw_histories_begin(histories, models[0].times[moment]);
        for (uint32_t group = 0; group < GROUPS; group++)
            for (uint32_t epoch = 0; epoch <= moment; epoch++) {
                mw_history_change change = {.group = group, .epoch = epoch};
                if (moment != epoch)
                    change.before = alive(group, epoch, moment - 1);
                change.after = alive(group, epoch, moment);
                if (epoch == 0) {
                    change.allocated_bytes = born(group, moment).bytes;
                    change.allocated_blocks = born(group, moment).blocks;
                }
                mw_histories_add(histories, &change);
            }
        mw_histories_end(histories);
    }
    for (uint32_t group = 0; group < GROUPS; group++)
        for (uint32_t epoch = 0; epoch < MOMENTS; epoch++)
            mw_histories_keep(histories, group, epoch, alive(group, epoch, MOMENTS - 1));
    mw_histories_finish(histories);
}

/* How many blocks were born until [moment] and are dead in the end. */
static double work_until(uint32_t moment)
{
    uint32_t count = 0;

    for (int i = 0; i < BLOCKS; i++)
        count += blocks[i].birth <= moment && blocks[i].death < MOMENTS;
    return count;
}

static void check_equal(const double *a, const double *b)
{
    for (int i = 0; i < MOMENTS; i++)
        CHECK_NEAR(a[i], b[i], 0);
}

TEST(histories, are_what_counting_each_block_gives)
{
    for (uint64_t seed = 1; seed < 6; seed++) {
        mw_histories histories;
        make_blocks(seed);
        CHECK_OK(mw_histories_init(&histories, GROUPS, MOMENTS, MOMENTS, mw_alloc_system()));
        tell(&histories);
        for (uint32_t group = 0; group < GROUPS; group++) {
            mw_history history = mw_histories_of(&histories, group);
            CHECK_EQ(history.count, MOMENTS);
            CHECK(history.has_epochs);
            check_equal(history.times, models[group].times);
            check_equal(history.live_bytes, models[group].live_bytes);
            check_equal(history.live_blocks, models[group].live_blocks);
            check_equal(history.kept_bytes, models[group].kept_bytes);
            check_equal(history.kept_blocks, models[group].kept_blocks);
            check_equal(history.born_bytes, models[group].born_bytes);
            check_equal(history.died_bytes, models[group].died_bytes);
            check_equal(history.died_blocks, models[group].died_blocks);
            for (uint32_t moment = 0; moment < MOMENTS; moment++)
                CHECK_NEAR(history.work[moment], work_until(moment), 0);
        }
        mw_histories_done(&histories);
    }
}

TEST(histories, count_the_work_of_sites_without_a_group)
{
    mw_histories histories;
    mw_history_change change = {.group = MW_NO_GROUP, .allocated_bytes = 50, .allocated_blocks = 5};

    CHECK_OK(mw_histories_init(&histories, 1, 2, 1, mw_alloc_system()));
    for (int moment = 0; moment < 2; moment++) {
        mw_histories_begin(&histories, moment);
        mw_histories_add(&histories, &change);
        mw_histories_end(&histories);
    }
    CHECK_NEAR(mw_histories_of(&histories, 0).work[1], 10, 0);
    CHECK_NEAR(mw_histories_of(&histories, 0).live_bytes[1], 0, 0);
    mw_histories_done(&histories);
}

TEST(histories, do_not_take_a_groups_own_blocks_for_work)
{
    mw_history_change own = {.allocated_blocks = 6}, other = {.group = MW_NO_GROUP};
    mw_histories histories;

    /* What was before the first moment, of anybody, tells nothing; nor does what is kept. */
    for (uint64_t others = 5; others <= 6; others++) {
        CHECK_OK(mw_histories_init(&histories, 1, 2, 2, mw_alloc_system()));
        for (uint32_t moment = 0; moment < 2; moment++) {
            other.epoch = moment;
            other.allocated_blocks = moment == 0 ? 1000 : others + 3;
            mw_histories_begin(&histories, moment);
            mw_histories_add(&histories, &own);
            mw_histories_add(&histories, &other);
            mw_histories_end(&histories);
        }
        mw_histories_keep(&histories, MW_NO_GROUP, 1, (mw_tally){90, 9});
        mw_histories_finish(&histories);
        CHECK_EQ(mw_histories_of(&histories, 0).work != NULL, others == 6);
        mw_histories_done(&histories);
    }
}

/* Blocks of one epoch that are born at several moments count as born at the first, where not as
 * many may have been made yet. */
TEST(histories, do_not_let_the_clock_of_work_go_back)
{
    static const uint64_t allocated[] = {10, 1, 20, 0};
    static const double work[] = {2, 2, 15, 15};
    mw_histories histories;

    CHECK_OK(mw_histories_init(&histories, 1, 4, 3, mw_alloc_system()));
    for (uint32_t moment = 0; moment < 4; moment++) {
        mw_history_change change = {.group = MW_NO_GROUP,
                                    .epoch = moment < 2 ? moment : 1,
                                    .allocated_blocks = allocated[moment]};
        mw_histories_begin(&histories, moment);
        mw_histories_add(&histories, &change);
        mw_histories_end(&histories);
    }
    mw_histories_keep(&histories, MW_NO_GROUP, 0, (mw_tally){80, 8});
    mw_histories_keep(&histories, MW_NO_GROUP, 1, (mw_tally){80, 8});
    mw_histories_finish(&histories);
    for (uint32_t moment = 0; moment < 4; moment++)
        CHECK_NEAR(mw_histories_of(&histories, 0).work[moment], work[moment], 0);
    mw_histories_done(&histories);
}

TEST(histories, know_births_where_there_are_epochs_and_all_is_told)
{
    for (uint32_t epochs = 1; epochs <= 2; epochs++) {
        mw_histories histories;

        CHECK_OK(mw_histories_init(&histories, 1, 1, epochs, mw_alloc_system()));
        mw_histories_begin(&histories, 0);
        mw_histories_add(&histories, &(mw_history_change){.allocated_blocks = 1});
        mw_histories_end(&histories);
        CHECK(!mw_histories_of(&histories, 0).has_epochs);
        /* Nothing is alive, and so nothing is told to be kept. */
        mw_histories_finish(&histories);
        CHECK_EQ(mw_histories_of(&histories, 0).has_epochs, epochs == 2);
        CHECK_EQ(mw_histories_of(&histories, 0).kept_bytes != NULL, epochs == 2);
        CHECK_EQ(mw_histories_of(&histories, 0).born_bytes != NULL, epochs == 2);
        mw_histories_done(&histories);
    }
}

TEST(histories, without_epochs_or_totals_say_so)
{
    mw_histories histories;
    mw_history history;

    CHECK_OK(mw_histories_init(&histories, 1, 1, 1, mw_alloc_system()));
    mw_histories_begin(&histories, 0);
    mw_histories_end(&histories);
    history = mw_histories_of(&histories, 0);
    CHECK(!history.has_epochs);
    CHECK(history.work == NULL && history.born_bytes == NULL && history.kept_bytes == NULL);
    mw_histories_done(&histories);
}

TEST(histories, return_every_byte_whichever_allocation_fails)
{
    for (size_t nth = 0;; nth++) {
        mw_failing_alloc failing = mw_failing_alloc_at(nth);
        mw_histories histories;
        mw_status status = mw_histories_init(&histories, GROUPS, MOMENTS, 5, &failing.base);

        if (status == MW_OK)
            mw_histories_done(&histories);
        CHECK_EQ(failing.live_bytes, 0);
        if (status == MW_OK)
            break;
        CHECK_EQ(status, MW_NO_MEMORY);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(histories, are_what_counting_each_block_gives),
        CASE(histories, count_the_work_of_sites_without_a_group),
        CASE(histories, do_not_take_a_groups_own_blocks_for_work),
        CASE(histories, do_not_let_the_clock_of_work_go_back),
        CASE(histories, know_births_where_there_are_epochs_and_all_is_told),
        CASE(histories, without_epochs_or_totals_say_so),
        CASE(histories, return_every_byte_whichever_allocation_fails),
    };

    return cmocka_run_group_tests_name("histories", tests, NULL, NULL);
}
