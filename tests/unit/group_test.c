/* SPDX-License-Identifier: MIT */
#include "core/group.h"

#include "rows_model.h"
#include "snapshot_model.h"
#include "testing.h"

enum { SEEDS = 150 };

/* tracemalloc's Statistic._sort_key, descending: <0 when [a] comes first. */
static int compare_by_size(mw_group_key by, const mw_row *a, const mw_row *b)
{
    model_key key_a = model_key_of_row(by, a), key_b = model_key_of_row(by, b);

    if (a->bytes != b->bytes)
        return a->bytes > b->bytes ? -1 : 1;
    if (a->blocks != b->blocks)
        return a->blocks > b->blocks ? -1 : 1;
    return -model_key_compare(&key_a, &key_b);
}

static void check_group_of(const snapshot_model *model, const mw_snapshot *snapshot,
                           mw_group_key key, mw_group_scope scope)
{
    static rows_model expected;
    mw_failing_alloc failing = mw_failing_alloc_never();
    mw_rows rows = {0};
    mw_error error;

    CHECK_OK(mw_snapshot_group(snapshot, key, scope, &failing.base, &rows, &error));
    rows_model_group(model, key, scope, &expected);
    rows_model_check(&expected, &rows, key);
    for (uint32_t i = 1; i < rows.count; i++)
        CHECK(compare_by_size(key, &rows.items[i - 1], &rows.items[i]) < 0);
    mw_rows_done(&rows);
    CHECK_EQ(failing.live_blocks, 0);
}

/* Of blocks, and of their sums by site alone. */
static void check_group(const snapshot_model *model, mw_group_key key, mw_group_scope scope)
{
    mw_snapshot *snapshot = model_snapshot(model), *sums = model_sums(snapshot, 1);

    check_group_of(model, snapshot, key, scope);
    check_group_of(model, sums, key, scope);
    mw_snapshot_release(sums);
    mw_snapshot_release(snapshot);
}

TEST(group, agrees_with_its_slow_twin_by_every_key)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        snapshot_model model = model_random(seed);

        for (int key = 0; key < MW_GROUP_COUNT; key++)
            check_group(&model, (mw_group_key)key, MW_GROUP_INNERMOST);
    }
}

TEST(group, agrees_with_its_slow_twin_cumulatively)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        snapshot_model model = model_random(seed);

        check_group(&model, MW_GROUP_LINE, MW_GROUP_CUMULATIVE);
        check_group(&model, MW_GROUP_FILE, MW_GROUP_CUMULATIVE);
    }
}

TEST(group, refuses_cumulative_rows_of_keys_other_than_line_and_file)
{
    snapshot_model model = model_random_large(1);
    mw_snapshot *snapshot = model_snapshot(&model);

    for (int key = MW_GROUP_TRACEBACK; key < MW_GROUP_COUNT; key++) {
        mw_rows rows = {0};
        mw_error error = {0};

        CHECK_EQ(mw_snapshot_group(snapshot, (mw_group_key)key, MW_GROUP_CUMULATIVE,
                                   mw_alloc_system(), &rows, &error),
                 MW_BAD_INPUT);
        CHECK_EQ(error.status, MW_BAD_INPUT);
        CHECK(strstr(error.text, mw_group_key_name((mw_group_key)key)) != NULL);
        CHECK_EQ(rows.count, 0);
    }
    mw_snapshot_release(snapshot);
}

TEST(group, of_nothing_has_no_rows)
{
    snapshot_model model = {.frame_limit = 1};

    for (int key = 0; key < MW_GROUP_COUNT; key++)
        check_group(&model, (mw_group_key)key, MW_GROUP_INNERMOST);
    check_group(&model, MW_GROUP_LINE, MW_GROUP_CUMULATIVE);
}

TEST(group, key_names_are_parsed_back)
{
    mw_group_key parsed;

    for (int key = 0; key < MW_GROUP_COUNT; key++) {
        CHECK(mw_group_key_parse(mw_group_key_name((mw_group_key)key), &parsed));
        CHECK_EQ(parsed, key);
    }
    CHECK(!mw_group_key_parse("line", &parsed));
    CHECK(!mw_group_key_parse("", &parsed));
}

/* Python sorts by (size, count, traceback), and tracebacks as tuples. */
TEST(group, sorts_ties_by_key_from_the_oldest_frame_on)
{
    snapshot_model model = {.frame_limit = 3, .count = 4};
    mw_rows rows = {0};
    mw_snapshot *snapshot;

    for (uint32_t i = 0; i < model.count; i++)
        model.blocks[i] = (model_block){.depth = 2, .size_bytes = 8};
    /* Oldest first: (a 2, z 1), (b 1, a 1), (b 1, a 1, a 0), (b 1). */
    model.blocks[0].frames[0] = (model_frame){"z.py", "", "", 1, 0};
    model.blocks[0].frames[1] = (model_frame){"a.py", "", "", 2, 0};
    model.blocks[1].frames[0] = (model_frame){"a.py", "", "", 1, 0};
    model.blocks[1].frames[1] = (model_frame){"b.py", "", "", 1, 0};
    model.blocks[2].frames[0] = (model_frame){"a.py", "", "", 0, 0};
    model.blocks[2].frames[1] = (model_frame){"a.py", "", "", 1, 0};
    model.blocks[2].frames[2] = (model_frame){"b.py", "", "", 1, 0};
    model.blocks[2].depth = 3;
    model.blocks[3].frames[0] = (model_frame){"b.py", "", "", 1, 0};
    model.blocks[3].depth = 1;
    snapshot = model_snapshot(&model);
    CHECK_OK(mw_snapshot_group(snapshot, MW_GROUP_TRACEBACK, MW_GROUP_INNERMOST, mw_alloc_system(),
                               &rows, NULL));
    CHECK_EQ(rows.count, 4);
    CHECK_EQ(mw_snapshot_traceback(snapshot, rows.items[0].traceback).frame_count, 3);
    CHECK_EQ(mw_snapshot_traceback(snapshot, rows.items[1].traceback).frame_count, 2);
    CHECK_EQ(mw_snapshot_traceback(snapshot, rows.items[2].traceback).frame_count, 1);
    CHECK_STR_EQ(model_key_of_row(MW_GROUP_TRACEBACK, &rows.items[3]).items[0].text, "a.py");
    mw_rows_done(&rows);
    mw_snapshot_release(snapshot);
}

TEST(group, hashes_and_compares_keys_alike_across_snapshots)
{
    for (uint64_t seed = 0; seed < 20; seed++) {
        snapshot_model model_a = model_random(seed), model_b = model_random(seed + 1000);
        mw_snapshot *a = model_snapshot(&model_a), *b = model_snapshot(&model_b);

        for (int by = 0; by < MW_GROUP_COUNT; by++) {
            mw_group_key key = (mw_group_key)by;
            mw_rows rows_a = {0}, rows_b = {0};

            CHECK_OK(
                mw_snapshot_group(a, key, MW_GROUP_INNERMOST, mw_alloc_system(), &rows_a, NULL));
            CHECK_OK(
                mw_snapshot_group(b, key, MW_GROUP_INNERMOST, mw_alloc_system(), &rows_b, NULL));
            for (uint32_t i = 0; i < rows_a.count; i++) {
                for (uint32_t j = 0; j < rows_b.count; j++) {
                    const mw_row *row_a = &rows_a.items[i], *row_b = &rows_b.items[j];
                    model_key key_a = model_key_of_row(key, row_a);
                    model_key key_b = model_key_of_row(key, row_b);
                    int expected = model_key_compare(&key_a, &key_b);
                    int order = mw_row_compare_keys(key, row_a, row_b);

                    CHECK_EQ(order < 0, expected < 0);
                    CHECK_EQ(order > 0, expected > 0);
                    CHECK_EQ(order == 0,
                             mw_row_hash_key(key, row_a) == mw_row_hash_key(key, row_b));
                }
            }
            mw_rows_done(&rows_a);
            mw_rows_done(&rows_b);
        }
        mw_snapshot_release(a);
        mw_snapshot_release(b);
    }
}

static void sweep(mw_snapshot *snapshot, mw_group_key key, mw_group_scope scope)
{
    mw_status status = MW_NO_MEMORY;

    for (size_t nth = 0; status != MW_OK; nth++) {
        mw_failing_alloc failing = mw_failing_alloc_at(nth);
        mw_rows rows = {0};
        mw_error error = {0};

        status = mw_snapshot_group(snapshot, key, scope, &failing.base, &rows, &error);
        if (status != MW_OK) {
            CHECK_EQ(status, MW_NO_MEMORY);
            CHECK_EQ(error.status, MW_NO_MEMORY);
            CHECK_EQ(failing.live_blocks, 0);
        }
        mw_rows_done(&rows);
        CHECK_EQ(failing.live_blocks, 0);
    }
}

TEST(group, returns_every_byte_whichever_allocation_fails)
{
    snapshot_model model = model_random_large(4);
    mw_snapshot *snapshot = model_snapshot(&model);

    for (int key = 0; key < MW_GROUP_COUNT; key++)
        sweep(snapshot, (mw_group_key)key, MW_GROUP_INNERMOST);
    sweep(snapshot, MW_GROUP_LINE, MW_GROUP_CUMULATIVE);
    sweep(snapshot, MW_GROUP_FILE, MW_GROUP_CUMULATIVE);
    mw_snapshot_release(snapshot);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(group, agrees_with_its_slow_twin_by_every_key),
        CASE(group, agrees_with_its_slow_twin_cumulatively),
        CASE(group, refuses_cumulative_rows_of_keys_other_than_line_and_file),
        CASE(group, of_nothing_has_no_rows),
        CASE(group, key_names_are_parsed_back),
        CASE(group, sorts_ties_by_key_from_the_oldest_frame_on),
        CASE(group, hashes_and_compares_keys_alike_across_snapshots),
        CASE(group, returns_every_byte_whichever_allocation_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
