/* SPDX-License-Identifier: MIT
 *
 * What snapshots hold by line, domain and thread, is in the page's rows.
 */
#include "render/page_tables.h"

#include "core/group.h"
#include "snapshot_model.h"

enum { SEEDS = 60 };

static const char *string_of(const mw_page_tables *tables, uint32_t string)
{
    return mw_string_pool_bytes(&tables->strings, string);
}

/* Of all rows of the page that stand at the line. */
static mw_tally sum_at(const mw_page_tables *tables, const mw_tally *amounts, const char *file,
                       int32_t line)
{
    mw_tally sum = {0};

    for (uint32_t i = 1; i < tables->row_count; i++) {
        const mw_page_frame *frame = &tables->frames[tables->paths[tables->rows[i].path].frame];
        if (frame->line != line || strcmp(string_of(tables, frame->file), file) != 0)
            continue;
        sum.bytes += amounts[tables->rows[i].number].bytes;
        sum.blocks += amounts[tables->rows[i].number].blocks;
    }
    return sum;
}

static void check_amounts(const mw_page_tables *tables, const mw_snapshot *snapshot)
{
    mw_tally *amounts = calloc(tables->page_row_count, sizeof *amounts);
    uint64_t bytes = 0;
    mw_rows rows;

    CHECK_OK(mw_page_tables_amounts(tables, snapshot, amounts));
    CHECK_OK(mw_snapshot_group(snapshot, MW_GROUP_LINE, MW_GROUP_INNERMOST, mw_alloc_system(),
                               &rows, NULL));
    for (uint32_t i = 0; i < rows.count; i++) {
        const char *file = mw_snapshot_string(snapshot, rows.items[i].file, NULL);
        mw_tally sum = sum_at(tables, amounts, file, rows.items[i].line);
        CHECK_EQ(sum.bytes, rows.items[i].bytes);
        CHECK_EQ(sum.blocks, rows.items[i].blocks);
    }
    for (uint32_t i = 0; i < tables->page_row_count; i++)
        bytes += amounts[i].bytes;
    CHECK_EQ(bytes, mw_snapshot_live_bytes(snapshot));
    CHECK_EQ(amounts[0].blocks, 0);
    mw_rows_done(&rows);
    free(amounts);
}

/* Numbers without gaps, callers before those whom they call. */
static void check_numbers(const mw_page_tables *tables)
{
    uint32_t next = 1;

    for (uint32_t i = 1; i < tables->path_count; i++) {
        const mw_page_path *path = &tables->paths[i];
        CHECK(path->caller < i);
        if (path->number == 0)
            continue;
        CHECK_EQ(path->number, next);
        CHECK(tables->paths[path->caller].number < path->number);
        CHECK(path->caller == 0 || tables->paths[path->caller].number != 0);
        next++;
    }
    CHECK_EQ(next, tables->page_path_count);
    next = 1;
    for (uint32_t i = 1; i < tables->row_count; i++) {
        if (tables->rows[i].into != 0)
            continue;
        CHECK_EQ(tables->rows[i].number, next);
        CHECK(tables->paths[tables->rows[i].path].number != 0);
        next++;
    }
    CHECK_EQ(next, tables->page_row_count);
}

TEST(page_tables, hold_what_snapshots_of_different_tables_hold)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        snapshot_model older = model_random(seed), newer = model_random(seed + 500);
        mw_snapshot *a = model_snapshot(&older), *b = model_snapshot(&newer);
        mw_failing_alloc failing = mw_failing_alloc_never();
        mw_page_tables tables;

        CHECK_OK(mw_page_tables_init(&tables, &failing.base));
        CHECK_OK(mw_page_tables_add(&tables, a));
        CHECK_OK(mw_page_tables_add(&tables, b));
        CHECK_OK(mw_page_tables_settle(&tables, 1000));
        CHECK_EQ(tables.folded_rows, 0);
        check_numbers(&tables);
        check_amounts(&tables, a);
        check_amounts(&tables, b);
        mw_page_tables_done(&tables);
        CHECK_EQ(failing.live_blocks, 0);
        mw_snapshot_release(a);
        mw_snapshot_release(b);
    }
}

TEST(page_tables, of_equal_snapshots_have_each_row_once)
{
    snapshot_model model = model_random_large(3);
    mw_snapshot *a = model_snapshot(&model), *b = model_snapshot(&model);
    mw_page_tables tables;
    uint32_t rows, paths;

    CHECK_OK(mw_page_tables_init(&tables, mw_alloc_system()));
    CHECK_OK(mw_page_tables_add(&tables, a));
    rows = tables.row_count;
    paths = tables.path_count;
    CHECK_OK(mw_page_tables_add(&tables, b));
    CHECK_EQ(tables.row_count, rows);
    CHECK_EQ(tables.path_count, paths);
    mw_page_tables_done(&tables);
    mw_snapshot_release(a);
    mw_snapshot_release(b);
}

/* [half] of the sites' bytes. */
static mw_snapshot *every_other_site(mw_snapshot *snapshot, uint32_t half)
{
    uint32_t count = mw_snapshot_site_count(snapshot) + 1;
    mw_tally *tallies = calloc(count, sizeof *tallies);
    mw_snapshot *made;

    for (uint32_t i = 1; i < count; i++) {
        mw_site_row row = mw_snapshot_site(snapshot, (mw_site){i});
        if (i % 2 == half)
            tallies[i] = (mw_tally){row.live_bytes, row.live_blocks};
    }
    CHECK_OK(mw_snapshot_with_tallies(snapshot, tallies, NULL, count, &made));
    free(tallies);
    return made;
}

TEST(page_tables, have_rows_for_what_any_snapshot_of_a_series_has)
{
    snapshot_model model = model_random_large(9);
    mw_snapshot *all = model_snapshot(&model);
    mw_snapshot *odd = every_other_site(all, 1), *even = every_other_site(all, 0);
    mw_page_tables tables;
    uint32_t odd_rows;

    CHECK_OK(mw_page_tables_init(&tables, mw_alloc_system()));
    CHECK_OK(mw_page_tables_add(&tables, odd));
    odd_rows = tables.row_count;
    CHECK_OK(mw_page_tables_add(&tables, even));
    CHECK(tables.row_count > odd_rows);
    CHECK_EQ(tables.sites_count, 1); /* they share their tables, and are asked once */
    CHECK_OK(mw_page_tables_settle(&tables, 1000));
    check_amounts(&tables, odd);
    check_amounts(&tables, even);
    mw_page_tables_done(&tables);
    mw_snapshot_release(odd);
    mw_snapshot_release(even);
    mw_snapshot_release(all);
}

static uint64_t bytes_of_thread(const mw_page_tables *tables, const mw_tally *amounts,
                                const char *name)
{
    uint64_t bytes = 0;

    for (uint32_t i = 1; i < tables->row_count; i++)
        if (tables->rows[i].into == 0 &&
            strcmp(string_of(tables, tables->rows[i].thread), name) == 0)
            bytes += amounts[tables->rows[i].number].bytes;
    return bytes;
}

TEST(page_tables, fold_the_smallest_rows_and_lose_no_byte_of_a_thread)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        snapshot_model model = model_random_large(seed);
        mw_snapshot *snapshot = model_snapshot(&model);
        mw_page_tables whole, folded;
        mw_tally *whole_amounts, *folded_amounts;

        CHECK_OK(mw_page_tables_init(&whole, mw_alloc_system()));
        CHECK_OK(mw_page_tables_add(&whole, snapshot));
        CHECK_OK(mw_page_tables_settle(&whole, 1000));
        CHECK_OK(mw_page_tables_init(&folded, mw_alloc_system()));
        CHECK_OK(mw_page_tables_add(&folded, snapshot));
        CHECK_OK(mw_page_tables_settle(&folded, 5));
        check_numbers(&folded);
        CHECK(folded.folded_rows != 0);
        CHECK(folded.page_row_count < whole.page_row_count);
        for (uint32_t i = 1; i < folded.row_count; i++)
            CHECK((folded.rows[i].into != 0) ==
                  (i < whole.row_count && folded.rows[i].weight <= folded.folded_weight));

        whole_amounts = calloc(whole.page_row_count, sizeof *whole_amounts);
        folded_amounts = calloc(folded.page_row_count, sizeof *folded_amounts);
        CHECK_OK(mw_page_tables_amounts(&whole, snapshot, whole_amounts));
        CHECK_OK(mw_page_tables_amounts(&folded, snapshot, folded_amounts));
        for (size_t i = 0; i < 3; i++)
            CHECK_EQ(bytes_of_thread(&whole, whole_amounts, model_threads[i]),
                     bytes_of_thread(&folded, folded_amounts, model_threads[i]));
        free(whole_amounts);
        free(folded_amounts);
        mw_page_tables_done(&whole);
        mw_page_tables_done(&folded);
        mw_snapshot_release(snapshot);
    }
}

static mw_status add_both(mw_page_tables *tables, mw_alloc *alloc, const mw_snapshot *a,
                          const mw_snapshot *b)
{
    mw_status status = mw_page_tables_init(tables, alloc);

    if (status == MW_OK)
        status = mw_page_tables_add(tables, a);
    if (status == MW_OK)
        status = mw_page_tables_add(tables, b);
    return status == MW_OK ? mw_page_tables_settle(tables, 5) : status;
}

TEST(page_tables, returns_every_byte_whichever_allocation_fails)
{
    snapshot_model older = model_random_large(1), newer = model_random_large(2);
    mw_snapshot *a = model_snapshot(&older), *b = model_snapshot(&newer);
    mw_status status = MW_NO_MEMORY;

    for (size_t nth = 0; status != MW_OK; nth++) {
        mw_failing_alloc failing = mw_failing_alloc_at(nth);
        mw_page_tables tables = {0};

        status = add_both(&tables, &failing.base, a, b);
        CHECK(status == MW_OK || status == MW_NO_MEMORY);
        mw_page_tables_done(&tables);
        CHECK_EQ(failing.live_blocks, 0);
    }
    mw_snapshot_release(a);
    mw_snapshot_release(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(page_tables, hold_what_snapshots_of_different_tables_hold),
        CASE(page_tables, of_equal_snapshots_have_each_row_once),
        CASE(page_tables, have_rows_for_what_any_snapshot_of_a_series_has),
        CASE(page_tables, fold_the_smallest_rows_and_lose_no_byte_of_a_thread),
        CASE(page_tables, returns_every_byte_whichever_allocation_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
