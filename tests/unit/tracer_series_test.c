/* SPDX-License-Identifier: MIT
 *
 * Epochs, totals and the peak with its sites: what a series of snapshots is made of.
 */
#include "tracer/series_copy.h"
#include "tracer/tracer.h"

#include "testing.h"
#include "tracer_model.h"

enum { SEEDS = 6, EPOCHS = 30, STEPS_PER_EPOCH = 200, ROWS = 8000 };

/* ── the slow form of a series snapshot ──────────────────────────────────────────── */

typedef struct series_row {
    uint64_t key; /* stack, thread, epoch */
    uint64_t bytes, blocks;
} series_row;

typedef struct series_rows {
    series_row rows[ROWS];
    uint32_t count;
} series_rows;

static void add_row(series_rows *rows, fake_stack stack, uint32_t epoch, uint64_t bytes,
                    uint64_t blocks)
{
    uint64_t key = key_of(stack.calls, stack.thread, epoch);
    uint32_t i = 0;

    while (i < rows->count && rows->rows[i].key != key)
        i++;
    if (i == rows->count) {
        assert_true(rows->count < ROWS);
        rows->rows[rows->count++] = (series_row){.key = key};
    }
    rows->rows[i].bytes += bytes;
    rows->rows[i].blocks += blocks;
}

static int compare_rows(const void *a, const void *b)
{
    return compare_keys(&((const series_row *)a)->key, &((const series_row *)b)->key);
}

static void check_rows(series_rows *found, series_rows *expected)
{
    qsort(found->rows, found->count, sizeof *found->rows, compare_rows);
    qsort(expected->rows, expected->count, sizeof *expected->rows, compare_rows);
    CHECK_EQ(found->count, expected->count);
    CHECK(memcmp(found->rows, expected->rows, found->count * sizeof *found->rows) == 0);
}

static fake_stack stack_of(const mw_snapshot *snapshot, mw_site_row row)
{
    return (fake_stack){snapshot_calls(snapshot, row.path), row.thread.index};
}

static void read_snapshot(const mw_snapshot *snapshot, series_rows *live, series_rows *totals)
{
    live->count = totals->count = 0;
    for (uint32_t i = 1; i <= mw_snapshot_site_count(snapshot); i++) {
        mw_site_row row = mw_snapshot_site(snapshot, (mw_site){i});

        if (row.live_blocks != 0)
            add_row(live, stack_of(snapshot, row), row.epoch, row.live_bytes, row.live_blocks);
        if (row.total_blocks != 0)
            add_row(totals, stack_of(snapshot, row), row.epoch, row.total_bytes, row.total_blocks);
    }
}

static void live_rows(const tracer_twin *twin, uint32_t first_epoch, series_rows *ret_rows)
{
    ret_rows->count = 0;
    for (uint32_t place = 0; place < PLACES; place++) {
        const twin_block *block = &twin->blocks[place];
        uint32_t epoch = block->epoch > first_epoch ? block->epoch - first_epoch : 0;

        if (block->is_live)
            add_row(ret_rows, block->stack, epoch, block->size_bytes, 1);
    }
}

/* ── epochs ──────────────────────────────────────────────────────────────────────── */

static series_rows found_live, found_totals, expected_live, totals;

static void check_series(mw_tracer *tracer, const tracer_twin *twin, uint32_t first_epoch)
{
    mw_guard guard = mw_guard_enter();
    mw_snapshot *snapshot = NULL;

    CHECK_OK(mw_tracer_series_snapshot(tracer, guard, first_epoch, mw_alloc_system(), &snapshot));
    CHECK(mw_snapshot_is_consistent(snapshot));
    CHECK(mw_snapshot_has_totals(snapshot));
    CHECK(!mw_snapshot_has_blocks(snapshot));
    CHECK_EQ(mw_snapshot_live_bytes(snapshot), twin->live_bytes);
    read_snapshot(snapshot, &found_live, &found_totals);
    live_rows(twin, first_epoch, &expected_live);
    check_rows(&found_live, &expected_live);
    check_rows(&found_totals, &totals);
    mw_snapshot_release(snapshot);
    mw_guard_leave(guard);
}

/* One step that allocates or frees, and what it adds to the totals. */
static void live_on(mw_tracer *tracer, tracer_twin *twin, mw_random *random)
{
    uint32_t place = mw_random_below(random, PLACES);
    twin_block before = twin->blocks[place];
    const twin_block *block = &twin->blocks[place];

    switch (mw_random_below(random, 10)) {
    case 0:
        fail_to_reallocate(tracer, twin, place);
        break;
    case 1:
        move(tracer, twin, random, place);
        /* Nothing is allocated by who comes back to its own site. */
        if (before.is_live && !before.is_raw &&
            (block->epoch != before.epoch || block->stack.calls != before.stack.calls ||
             block->stack.thread != before.stack.thread))
            add_row(&totals, block->stack, 0, block->size_bytes, 1);
        break;
    case 2:
    case 3:
    case 4:
    case 5:
        deallocate(tracer, twin, place);
        break;
    default:
        deallocate(tracer, twin, place);
        allocate(tracer, twin, random, place);
        add_row(&totals, block->stack, 0, block->size_bytes, 1);
    }
}

static void begin_epoch(mw_tracer *tracer)
{
    mw_guard guard = mw_guard_enter();
    uint32_t epoch = 0;
    uint32_t expected = tracer->epoch + 1;

    CHECK_OK(mw_tracer_begin_epoch(tracer, guard, &epoch));
    CHECK_EQ(epoch, expected);
    mw_guard_leave(guard);
}

TEST(tracer_series, knows_what_is_alive_by_path_and_epoch)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        mw_failing_alloc failing = mw_failing_alloc_never();
        mw_random random = mw_random_of(seed);
        mw_tracer tracer = new_tracer();
        tracer_twin twin = {0};

        totals.count = 0;
        CHECK_OK(mw_tracer_start(&tracer, &failing.base, FRAME_LIMIT));
        for (uint32_t epoch = 0; epoch < EPOCHS; epoch++) {
            if (epoch != 0)
                begin_epoch(&tracer);
            for (uint32_t i = 0; i < STEPS_PER_EPOCH; i++)
                live_on(&tracer, &twin, &random);
            check_agrees(&tracer, &twin);
            check_series(&tracer, &twin, 0);
            check_series(&tracer, &twin, epoch / 2);
        }
        mw_tracer_done(&tracer);
        CHECK_EQ(failing.live_blocks, 0);
    }
}

TEST(tracer_series, goes_on_with_its_epoch_after_a_clear)
{
    mw_random random = mw_random_of(3);
    mw_tracer tracer = new_tracer();
    tracer_twin twin = {0};

    totals.count = 0;
    CHECK_OK(mw_tracer_start(&tracer, mw_alloc_pages(), FRAME_LIMIT));
    begin_epoch(&tracer);
    CHECK_OK(mw_tracer_clear(&tracer));
    for (uint32_t i = 0; i < STEPS_PER_EPOCH; i++)
        live_on(&tracer, &twin, &random);
    check_series(&tracer, &twin, 0);
    CHECK(found_live.count > 0);
    mw_tracer_stop(&tracer);
    begin_epoch(&tracer);
    CHECK_OK(mw_tracer_start(&tracer, mw_alloc_pages(), FRAME_LIMIT));
    twin = (tracer_twin){0};
    totals.count = 0;
    for (uint32_t i = 0; i < STEPS_PER_EPOCH; i++)
        live_on(&tracer, &twin, &random);
    check_series(&tracer, &twin, 1);
    CHECK_EQ(tracer.epoch, 2);
    mw_tracer_done(&tracer);
}

TEST(tracer_series, begins_no_epoch_when_half_of_the_bound_is_used)
{
    const mw_tracer_options options = {.frame_limit = 1, .max_overhead_bytes = 8 << 20};
    mw_tracer tracer = new_tracer();
    mw_guard guard = mw_guard_enter();
    uint32_t epoch = 77;

    CHECK_OK(mw_tracer_start_with(&tracer, mw_alloc_pages(), &options));
    CHECK_OK(mw_tracer_begin_epoch(&tracer, guard, &epoch));
    atomic_store(&tracer.budget.stage, MW_STAGE_FOLDED);
    CHECK_EQ(mw_tracer_begin_epoch(&tracer, guard, &epoch), MW_LIMIT);
    atomic_store(&tracer.budget.stage, MW_STAGE_EXACT);
    tracer.epoch = MW_SITE_EPOCH_MAXIMUM;
    CHECK_EQ(mw_tracer_begin_epoch(&tracer, guard, &epoch), MW_LIMIT);
    CHECK_EQ(epoch, 1);
    mw_tracer_done(&tracer);
    mw_guard_leave(guard);
}

/* Unwanted blocks have sites by their number alone, which no epoch may take away. */
TEST(tracer_series, leaves_the_sites_of_unwanted_blocks_alone)
{
    const mw_filter none = {
        .kind = MW_FILTER_FILE, .pattern = "nowhere", .pattern_length = 7, .inclusive = true};
    const mw_tracer_options options = {.frame_limit = 1, .filter_count = 1, .filters = &none};
    mw_tracer tracer = new_tracer();
    mw_guard guard = mw_guard_enter();
    mw_snapshot *snapshot = NULL;
    mw_site site;

    CHECK_OK(mw_tracer_start_with(&tracer, mw_alloc_pages(), &options));
    for (uint32_t round = 0; round < 5; round++) {
        taken_block taken;

        CHECK_OK(mw_tracer_site(&tracer, (mw_path){0}, 0, 32, &site));
        CHECK_EQ(site.index, 33);
        mw_tracer_remember(&tracer, guard, 0x7f1200000030, 32, site);
        begin_epoch(&tracer);
        CHECK_EQ(mw_tracer_recount(&tracer), MW_OK);
        forget(&tracer, guard, 0x7f1200000030, &taken);
        CHECK_EQ(taken.main.site.index, 33);
        CHECK(mw_tracer_is_consistent(&tracer));
    }
    guard = mw_guard_enter();
    CHECK_OK(mw_tracer_series_snapshot(&tracer, guard, 0, mw_alloc_system(), &snapshot));
    CHECK_EQ(mw_snapshot_site_count(snapshot), 0);
    mw_snapshot_release(snapshot);
    mw_tracer_done(&tracer);
    mw_guard_leave(guard);
}

TEST(tracer_series, voids_what_the_cache_knows)
{
    mw_tracer tracer = new_tracer();
    uint64_t key;

    CHECK_OK(mw_tracer_start(&tracer, mw_alloc_pages(), 1));
    key = mw_site_cache_key(&tracer.cache, 0x1234, 16);
    mw_site_cache_put(&tracer.cache, key, (mw_path){1}, (mw_site){5});
    begin_epoch(&tracer);
    key = mw_site_cache_key(&tracer.cache, 0x1234, 16);
    CHECK_EQ(mw_site_cache_find(&tracer.cache, key, (mw_path){1}).index, 0);
    mw_tracer_done(&tracer);
}

/* ── the peak ────────────────────────────────────────────────────────────────────── */

/* Whether the copy is what the twin was when it was made. */
static void check_peak(mw_tracer *tracer, const tracer_twin *twin)
{
    mw_guard guard = mw_guard_enter();
    mw_snapshot *snapshot = NULL;

    CHECK_OK(mw_tracer_peak_snapshot(tracer, guard, 0, mw_alloc_system(), &snapshot));
    CHECK(mw_snapshot_is_consistent(snapshot));
    CHECK_EQ(mw_snapshot_live_bytes(snapshot), tracer->peak.live_bytes);
    read_snapshot(snapshot, &found_live, &found_totals);
    live_rows(twin, 0, &expected_live);
    check_rows(&found_live, &expected_live);
    mw_snapshot_release(snapshot);
    mw_guard_leave(guard);
}

/* As the hooks do: whoever holds the GIL looks after a block of the raw lane. */
static void look_in_raw(mw_tracer *tracer)
{
    mw_raw_lane_lock(&tracer->raw);
    mw_tracer_look_at_peak_in_raw(tracer);
    mw_raw_lane_unlock(&tracer->raw);
}

TEST(tracer_series, copies_the_sites_when_the_most_is_alive)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        mw_failing_alloc failing = mw_failing_alloc_never();
        mw_random random = mw_random_of(seed);
        mw_tracer tracer = new_tracer();
        static tracer_twin twin, at_peak;
        uint32_t copies = 0;

        memset(&twin, 0, sizeof twin);
        totals.count = 0;
        CHECK_OK(mw_tracer_start(&tracer, &failing.base, FRAME_LIMIT));
        mw_tracer_keep_peak(&tracer, true);
        for (uint32_t i = 0; i < EPOCHS * STEPS_PER_EPOCH; i++) {
            if (i % 500 == 499)
                begin_epoch(&tracer);
            live_on(&tracer, &twin, &random);
            look_in_raw(&tracer);
            if (tracer.peak.copies != copies)
                at_peak = twin;
            copies = tracer.peak.copies;
        }
        CHECK(copies > 2);
        CHECK(tracer.peak.live_bytes + MW_PEAK_STEP_BYTES > twin.peak_bytes);
        check_peak(&tracer, &at_peak);
        mw_tracer_keep_peak(&tracer, false);
        for (uint32_t i = 0; i < STEPS_PER_EPOCH; i++)
            live_on(&tracer, &twin, &random);
        CHECK_EQ(tracer.peak.copies, copies);
        mw_tracer_done(&tracer);
        CHECK_EQ(failing.live_blocks, 0);
    }
}

TEST(tracer_series, copies_nothing_where_nobody_asked)
{
    mw_tracer tracer = new_tracer();
    mw_guard guard = mw_guard_enter();
    mw_snapshot *snapshot = NULL;
    mw_site site;

    CHECK_OK(mw_tracer_start(&tracer, mw_alloc_pages(), 1));
    CHECK_OK(fake_site(&tracer, (fake_stack){1, 1}, 1 << 20, &site));
    mw_tracer_remember(&tracer, guard, 0x555500000010, 1 << 20, site);
    CHECK_EQ(tracer.peak.copies, 0);
    CHECK_EQ(mw_tracer_peak_snapshot(&tracer, guard, 0, mw_alloc_system(), &snapshot),
             MW_UNSUPPORTED);
    mw_tracer_done(&tracer);
    mw_guard_leave(guard);
}

/* ── copies ──────────────────────────────────────────────────────────────────────── */

/* Whether what is made of the copy is what the twin was when it was made. */
static void check_copy(const mw_series_copy *copy, const tracer_twin *then,
                       const series_rows *totals_then)
{
    mw_snapshot *snapshot = NULL;
    series_rows *expected_totals = malloc(sizeof *expected_totals);

    assert_non_null(expected_totals);
    *expected_totals = *totals_then;
    CHECK_OK(mw_series_copy_snapshot(copy, mw_alloc_system(), &snapshot));
    CHECK(mw_snapshot_is_consistent(snapshot));
    CHECK_EQ(mw_snapshot_live_bytes(snapshot), then->live_bytes);
    read_snapshot(snapshot, &found_live, &found_totals);
    live_rows(then, 0, &expected_live);
    check_rows(&found_live, &expected_live);
    check_rows(&found_totals, expected_totals);
    mw_snapshot_release(snapshot);
    free(expected_totals);
}

/* The program goes on, and may even end its tracing, while a snapshot is made of it. */
TEST(tracer_series, makes_of_a_copy_what_was_when_it_was_made)
{
    static tracer_twin twin, then;
    static series_rows totals_then;

    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        mw_failing_alloc failing = mw_failing_alloc_never();
        mw_random random = mw_random_of(seed);
        mw_tracer tracer = new_tracer();
        mw_series_copy *copy = NULL;
        mw_guard guard;

        memset(&twin, 0, sizeof twin);
        totals.count = 0;
        CHECK_OK(mw_tracer_start(&tracer, mw_alloc_pages(), FRAME_LIMIT));
        for (uint32_t i = 0; i < 10 * STEPS_PER_EPOCH; i++) {
            if (i % STEPS_PER_EPOCH == 0)
                begin_epoch(&tracer);
            live_on(&tracer, &twin, &random);
        }
        guard = mw_guard_enter();
        CHECK_OK(mw_series_copy_new(&tracer, guard, MW_SERIES_NOW, 0, &failing.base, &copy));
        mw_guard_leave(guard);
        then = twin;
        totals_then = totals;
        for (uint32_t i = 0; i < 5 * STEPS_PER_EPOCH; i++) {
            if (i % STEPS_PER_EPOCH == 0)
                begin_epoch(&tracer);
            live_on(&tracer, &twin, &random);
        }
        check_copy(copy, &then, &totals_then);
        mw_tracer_stop(&tracer);
        check_copy(copy, &then, &totals_then);
        mw_series_copy_free(copy);
        mw_tracer_done(&tracer);
        CHECK_EQ(failing.live_blocks, 0);
    }
}

TEST(tracer_series, copies_only_what_there_is)
{
    mw_tracer tracer = new_tracer();
    mw_guard guard = mw_guard_enter();
    mw_series_copy *copy = NULL;
    mw_snapshot *snapshot = NULL;

    CHECK_EQ(mw_series_copy_new(&tracer, guard, MW_SERIES_BOTH, 0, mw_alloc_system(), &copy),
             MW_UNSUPPORTED);
    CHECK_OK(mw_tracer_start(&tracer, mw_alloc_pages(), 1));
    CHECK_OK(mw_series_copy_new(&tracer, guard, MW_SERIES_PEAK, 0, mw_alloc_system(), &copy));
    CHECK_EQ(mw_series_copy_snapshot(copy, mw_alloc_system(), &snapshot), MW_UNSUPPORTED);
    CHECK_EQ(mw_series_copy_peak(copy, mw_alloc_system(), &snapshot), MW_UNSUPPORTED);
    mw_series_copy_free(copy);
    mw_tracer_done(&tracer);
    mw_guard_leave(guard);
}

/* Between the handlers of a fork the lock is this thread's own. */
TEST(tracer_series, does_not_wait_for_a_lock_to_copy)
{
    mw_tracer tracer = new_tracer();
    mw_guard guard = mw_guard_enter();
    mw_site site;

    CHECK_OK(mw_tracer_start(&tracer, mw_alloc_pages(), 1));
    mw_tracer_keep_peak(&tracer, true);
    CHECK_OK(fake_site(&tracer, (fake_stack){1, 1}, 1 << 20, &site));
    mw_raw_lane_lock(&tracer.raw);
    mw_tracer_remember(&tracer, guard, 0x555500000010, 1 << 20, site);
    mw_raw_lane_unlock(&tracer.raw);
    CHECK_EQ(tracer.peak.copies, 0);
    mw_tracer_remember(&tracer, guard, 0x555500400010, 1 << 20, site);
    CHECK_EQ(tracer.peak.live_bytes, 2 << 20);
    mw_tracer_done(&tracer);
    mw_guard_leave(guard);
}

/* ── no memory ───────────────────────────────────────────────────────────────────── */

/* Three epochs and a peak; whether nothing was refused. */
static bool record_series(mw_tracer *tracer, mw_random *random)
{
    mw_guard guard = mw_guard_enter();
    bool is_whole = true;
    tracer_twin twin = {0};
    mw_site site;

    if (fake_site(tracer, (fake_stack){1, 1}, 1 << 20, &site) == MW_OK)
        mw_tracer_remember(tracer, guard, 0x555600000010, 1 << 20, site);
    for (uint32_t epoch = 0; epoch < 3; epoch++) {
        mw_snapshot *snapshot = NULL;
        mw_status status;
        uint32_t begun;

        is_whole = mw_tracer_begin_epoch(tracer, guard, &begun) == MW_OK && is_whole;
        for (uint32_t i = 0; i < 60; i++) {
            uint32_t place = mw_random_below(random, PLACES);

            deallocate(tracer, &twin, place);
            allocate(tracer, &twin, random, place);
        }
        guard = mw_guard_enter();
        is_whole = mw_tracer_series_snapshot(tracer, guard, 0, tracer->alloc, &snapshot) == MW_OK &&
                   is_whole;
        mw_snapshot_release(snapshot);
        snapshot = NULL;
        /* There may have been no memory for a copy. */
        status = mw_tracer_peak_snapshot(tracer, guard, 0, tracer->alloc, &snapshot);
        is_whole = status == MW_OK && is_whole;
        mw_snapshot_release(snapshot);
        CHECK(mw_tracer_is_consistent(tracer));
        CHECK_EQ(mw_tracer_recount(tracer), MW_OK);
    }
    mw_guard_leave(guard);
    return is_whole && lost_blocks(tracer) == 0;
}

/* Sites in both lanes, more than a copy of before has room for; then a block that makes a peak, of
 * which no copy can be made yet. */
static void grow_to_a_peak(mw_tracer *tracer, mw_guard guard)
{
    mw_site site;

    for (uint32_t i = 1; i <= 100; i++) {
        CHECK_OK(fake_site(tracer, (fake_stack){1, 1}, i, &site));
        mw_raw_lane_lock(&tracer->raw);
        mw_raw_lane_remember(&tracer->raw, guard, 0x666600000000 + i * 512, i, (mw_path){0},
                             tracer->live_bytes);
        mw_raw_lane_unlock(&tracer->raw);
    }
    CHECK_OK(fake_site(tracer, (fake_stack){1, 1}, 1 << 20, &site));
    mw_raw_lane_lock(&tracer->raw);
    mw_tracer_remember(tracer, guard, 0x555500400010, 1 << 20, site);
    mw_raw_lane_unlock(&tracer->raw);
}

TEST(tracer_series, has_a_whole_peak_or_none_whichever_allocation_fails)
{
    bool is_whole = false;

    for (size_t nth = 0; !is_whole; nth++) {
        mw_failing_alloc failing = mw_failing_alloc_never();
        mw_tracer tracer = new_tracer();
        mw_guard guard = mw_guard_enter();
        mw_snapshot *snapshot = NULL;
        mw_site site;

        CHECK_OK(mw_tracer_start(&tracer, &failing.base, FRAME_LIMIT));
        mw_tracer_keep_peak(&tracer, true);
        CHECK_OK(fake_site(&tracer, (fake_stack){1, 1}, 1 << 20, &site));
        mw_tracer_remember(&tracer, guard, 0x555500000010, 1 << 20, site);
        CHECK_EQ(tracer.peak.copies, 1);
        grow_to_a_peak(&tracer, guard);
        CHECK_EQ(tracer.peak.copies, 1);
        failing.nth = failing.requests + nth;
        look_in_raw(&tracer);
        is_whole = tracer.peak.copies == 2;
        if (tracer.peak.live_bytes != 0) {
            CHECK_OK(mw_tracer_peak_snapshot(&tracer, guard, 0, mw_alloc_system(), &snapshot));
            CHECK_EQ(mw_snapshot_live_bytes(snapshot), tracer.peak.live_bytes);
            mw_snapshot_release(snapshot);
        }
        CHECK(nth != 0 || tracer.peak.live_bytes == 1 << 20);
        mw_tracer_done(&tracer);
        mw_guard_leave(guard);
        CHECK_EQ(failing.live_blocks, 0);
    }
}

TEST(tracer_series, returns_every_byte_whichever_allocation_fails)
{
    bool is_whole = false;

    for (size_t nth = 0; !is_whole; nth++) {
        mw_failing_alloc failing = mw_failing_alloc_at(nth);
        mw_random random = mw_random_of(1);
        mw_tracer tracer = new_tracer();

        if (mw_tracer_start(&tracer, &failing.base, FRAME_LIMIT) == MW_OK) {
            mw_tracer_keep_peak(&tracer, true);
            is_whole = record_series(&tracer, &random);
        }
        mw_tracer_done(&tracer);
        CHECK_EQ(failing.live_blocks, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(tracer_series, knows_what_is_alive_by_path_and_epoch),
        CASE(tracer_series, goes_on_with_its_epoch_after_a_clear),
        CASE(tracer_series, begins_no_epoch_when_half_of_the_bound_is_used),
        CASE(tracer_series, leaves_the_sites_of_unwanted_blocks_alone),
        CASE(tracer_series, voids_what_the_cache_knows),
        CASE(tracer_series, copies_the_sites_when_the_most_is_alive),
        CASE(tracer_series, copies_nothing_where_nobody_asked),
        CASE(tracer_series, makes_of_a_copy_what_was_when_it_was_made),
        CASE(tracer_series, copies_only_what_there_is),
        CASE(tracer_series, does_not_wait_for_a_lock_to_copy),
        CASE(tracer_series, has_a_whole_peak_or_none_whichever_allocation_fails),
        CASE(tracer_series, returns_every_byte_whichever_allocation_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
