/* SPDX-License-Identifier: MIT
 *
 * Moments are what they were when they were added, in whatever order they are gone to.
 */
#include "render/page_history.h"

#include "testing.h"

enum { SEEDS = 30, ROWS = 40 };

typedef struct model {
    mw_tally amounts[MW_PAGE_HISTORY_MAXIMUM][ROWS];
    uint32_t row_counts[MW_PAGE_HISTORY_MAXIMUM];
    uint32_t count;
} model;

/* Rows come, change, fall and go, some by more than 63 bits. */
static void model_init(model *made, uint64_t seed)
{
    mw_random random = mw_random_of(seed);
    uint32_t rows = 1 + mw_random_below(&random, 4);

    *made = (model){.count = 1 + mw_random_below(&random, MW_PAGE_HISTORY_MAXIMUM)};
    for (uint32_t i = 0; i < made->count; i++) {
        if (i != 0)
            memcpy(made->amounts[i], made->amounts[i - 1], sizeof made->amounts[i]);
        rows += mw_random_below(&random, 4);
        made->row_counts[i] = rows < ROWS ? rows : ROWS;
        for (uint32_t changes = mw_random_below(&random, 8); changes > 0; changes--) {
            mw_tally *amount = &made->amounts[i][mw_random_below(&random, made->row_counts[i])];
            bool is_gone = mw_random_below(&random, 3) == 0;
            uint64_t bytes = (uint64_t)mw_random_below(&random, UINT32_MAX)
                             << mw_random_below(&random, 33);
            amount->bytes = is_gone ? 0 : bytes;
            amount->blocks = is_gone ? 0 : mw_random_below(&random, 1000);
        }
    }
}

static mw_status add_all(mw_page_history *history, const model *made, mw_alloc *alloc)
{
    mw_status status = MW_OK;

    mw_page_history_init(history, alloc);
    for (uint32_t i = 0; i < made->count && status == MW_OK; i++)
        status = mw_page_history_add(history, made->amounts[i], made->row_counts[i]);
    return status;
}

static void check_moment(mw_page_history *history, const model *made, uint32_t moment)
{
    mw_page_history_go(history, moment);
    CHECK_EQ(history->at, moment);
    for (uint32_t row = 0; row < history->row_count; row++) {
        CHECK_EQ(history->amounts[row].bytes, made->amounts[moment][row].bytes);
        CHECK_EQ(history->amounts[row].blocks, made->amounts[moment][row].blocks);
    }
}

TEST(page_history, goes_back_and_forth)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        mw_random random = mw_random_of(seed + 1000);
        mw_page_history history;
        model made;

        model_init(&made, seed);
        CHECK_OK(add_all(&history, &made, mw_alloc_system()));
        CHECK_EQ(history.at, made.count - 1);
        for (uint32_t i = made.count; i > 0; i--)
            check_moment(&history, &made, i - 1);
        for (int i = 0; i < 20; i++)
            check_moment(&history, &made, mw_random_below(&random, made.count));
        mw_page_history_done(&history);
    }
}

TEST(page_history, is_added_to_wherever_it_has_gone)
{
    mw_page_history history;
    model made;

    model_init(&made, 3);
    mw_page_history_init(&history, mw_alloc_system());
    for (uint32_t i = 0; i < made.count; i++) {
        CHECK_OK(mw_page_history_add(&history, made.amounts[i], made.row_counts[i]));
        check_moment(&history, &made, i / 2);
    }
    for (uint32_t i = 0; i < made.count; i++)
        check_moment(&history, &made, i);
    mw_page_history_done(&history);
}

TEST(page_history, returns_every_byte_whichever_allocation_fails)
{
    mw_status status = MW_NO_MEMORY;
    model made;

    model_init(&made, 3);
    for (size_t nth = 0; status != MW_OK; nth++) {
        mw_failing_alloc failing = mw_failing_alloc_at(nth);
        mw_page_history history;

        status = add_all(&history, &made, &failing.base);
        CHECK(status == MW_OK || status == MW_NO_MEMORY);
        mw_page_history_done(&history);
        CHECK_EQ(failing.live_blocks, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(page_history, goes_back_and_forth),
        CASE(page_history, is_added_to_wherever_it_has_gone),
        CASE(page_history, returns_every_byte_whichever_allocation_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
