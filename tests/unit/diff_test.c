/* SPDX-License-Identifier: MIT */
#include "core/diff.h"

#include "rows_model.h"
#include "snapshot_model.h"
#include "testing.h"

enum { SEEDS = 200 };

static int64_t magnitude(int64_t value)
{
    return value < 0 ? -value : value;
}

static int first_if_larger(int64_t a, int64_t b)
{
    return (a < b) - (a > b);
}

/* tracemalloc's StatisticDiff._sort_key, descending: <0 when [a] comes first. */
static int compare_by_change(mw_group_key by, const mw_row *a, const mw_row *b)
{
    model_key key_a = model_key_of_row(by, a), key_b = model_key_of_row(by, b);
    int order;

    order = first_if_larger(magnitude(a->bytes_change), magnitude(b->bytes_change));
    if (order == 0)
        order = first_if_larger((int64_t)a->bytes, (int64_t)b->bytes);
    if (order == 0)
        order = first_if_larger(magnitude(a->blocks_change), magnitude(b->blocks_change));
    if (order == 0)
        order = first_if_larger((int64_t)a->blocks, (int64_t)b->blocks);
    return order != 0 ? order : -model_key_compare(&key_a, &key_b);
}

/* tracemalloc's _compare_grouped_stats. */
static void rows_model_diff(const snapshot_model *older, const snapshot_model *newer,
                            mw_group_key key, mw_group_scope scope, rows_model *rows)
{
    static rows_model older_rows;

    rows_model_group(newer, key, scope, rows);
    rows_model_group(older, key, scope, &older_rows);
    for (uint32_t i = 0; i < older_rows.count; i++) {
        model_row *row = rows_model_row(rows, &older_rows.items[i].key);

        row->bytes_change -= (int64_t)older_rows.items[i].bytes;
        row->blocks_change -= (int64_t)older_rows.items[i].blocks;
    }
}

static void check_diff(const snapshot_model *older, const snapshot_model *newer, mw_group_key key,
                       mw_group_scope scope)
{
    static rows_model expected;
    mw_failing_alloc failing = mw_failing_alloc_never();
    mw_snapshot *older_snapshot = model_snapshot(older);
    mw_snapshot *newer_snapshot = model_snapshot(newer);
    mw_rows rows = {0};

    CHECK_OK(
        mw_snapshot_diff(older_snapshot, newer_snapshot, key, scope, &failing.base, &rows, NULL));
    rows_model_diff(older, newer, key, scope, &expected);
    rows_model_check(&expected, &rows, key);
    for (uint32_t i = 1; i < rows.count; i++)
        CHECK(compare_by_change(key, &rows.items[i - 1], &rows.items[i]) < 0);
    for (uint32_t i = 0; i < rows.count; i++)
        CHECK(rows.items[i].blocks == 0 || rows.items[i].snapshot == newer_snapshot);
    mw_rows_done(&rows);
    CHECK_EQ(failing.live_blocks, 0);
    mw_snapshot_release(older_snapshot);
    mw_snapshot_release(newer_snapshot);
}

TEST(diff, agrees_with_its_slow_twin)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        snapshot_model older = model_random(seed), newer = model_random(seed + 5000);

        newer.frame_limit = older.frame_limit;
        for (int key = 0; key < MW_GROUP_COUNT; key++)
            check_diff(&older, &newer, (mw_group_key)key, MW_GROUP_INNERMOST);
        check_diff(&older, &newer, MW_GROUP_LINE, MW_GROUP_CUMULATIVE);
        check_diff(&older, &newer, MW_GROUP_FILE, MW_GROUP_CUMULATIVE);
    }
}

TEST(diff, compares_snapshots_of_different_limits)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        snapshot_model older = model_random(seed), newer = older;

        newer.frame_limit = 1 + (uint32_t)seed % MODEL_DEPTH;
        check_diff(&older, &newer, MW_GROUP_TRACEBACK, MW_GROUP_INNERMOST);
        check_diff(&older, &newer, MW_GROUP_LINE, MW_GROUP_CUMULATIVE);
    }
}

TEST(diff, of_a_snapshot_with_itself_has_rows_without_change)
{
    snapshot_model model = model_random_large(4);
    mw_snapshot *snapshot = model_snapshot(&model);
    mw_rows rows = {0};

    CHECK_OK(mw_snapshot_diff(snapshot, snapshot, MW_GROUP_LINE, MW_GROUP_INNERMOST,
                              mw_alloc_system(), &rows, NULL));
    CHECK(rows.count != 0);
    for (uint32_t i = 0; i < rows.count; i++) {
        CHECK_EQ(rows.items[i].bytes_change, 0);
        CHECK_EQ(rows.items[i].blocks_change, 0);
        CHECK(rows.items[i].blocks != 0);
    }
    mw_rows_done(&rows);
    mw_snapshot_release(snapshot);
}

TEST(diff, against_nothing_has_all_as_new_or_all_as_gone)
{
    snapshot_model nothing = {.frame_limit = 1}, model = model_random_large(4);

    for (int key = 0; key < MW_GROUP_COUNT; key++) {
        check_diff(&nothing, &model, (mw_group_key)key, MW_GROUP_INNERMOST);
        check_diff(&model, &nothing, (mw_group_key)key, MW_GROUP_INNERMOST);
        check_diff(&nothing, &nothing, (mw_group_key)key, MW_GROUP_INNERMOST);
    }
}

TEST(diff, refuses_what_group_refuses)
{
    snapshot_model model = model_random_large(4);
    mw_snapshot *snapshot = model_snapshot(&model);
    mw_rows rows = {0};
    mw_error error = {0};

    CHECK_EQ(mw_snapshot_diff(snapshot, snapshot, MW_GROUP_TRACEBACK, MW_GROUP_CUMULATIVE,
                              mw_alloc_system(), &rows, &error),
             MW_BAD_INPUT);
    CHECK_EQ(error.status, MW_BAD_INPUT);
    mw_snapshot_release(snapshot);
}

TEST(diff, returns_every_byte_whichever_allocation_fails)
{
    snapshot_model older_model = model_random_large(4), newer_model = model_random_large(6);
    mw_snapshot *older = model_snapshot(&older_model), *newer = model_snapshot(&newer_model);

    for (int key = 0; key < MW_GROUP_COUNT; key++) {
        mw_status status = MW_NO_MEMORY;

        for (size_t nth = 0; status != MW_OK; nth++) {
            mw_failing_alloc failing = mw_failing_alloc_at(nth);
            mw_rows rows = {0};
            mw_error error = {0};

            status = mw_snapshot_diff(older, newer, (mw_group_key)key, MW_GROUP_INNERMOST,
                                      &failing.base, &rows, &error);
            CHECK_EQ(error.status, status);
            if (status != MW_OK)
                CHECK_EQ(failing.live_blocks, 0);
            mw_rows_done(&rows);
            CHECK_EQ(failing.live_blocks, 0);
        }
    }
    mw_snapshot_release(older);
    mw_snapshot_release(newer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(diff, agrees_with_its_slow_twin),
        CASE(diff, compares_snapshots_of_different_limits),
        CASE(diff, of_a_snapshot_with_itself_has_rows_without_change),
        CASE(diff, against_nothing_has_all_as_new_or_all_as_gone),
        CASE(diff, refuses_what_group_refuses),
        CASE(diff, returns_every_byte_whichever_allocation_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
