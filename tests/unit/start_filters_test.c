/* SPDX-License-Identifier: MIT
 *
 * Two tracers are led through the same life, one with filters from the start and one
 * without: what the first has recorded is what the filters leave of the second.
 */
#include "tracer/start_filters.h"

#include "testing.h"
#include "tracer_model.h"

enum { SEEDS = 40, STEPS = 3000, FILTERS_MAXIMUM = 4 };

/* ── random filters ──────────────────────────────────────────────────────────────── */

static mw_filter random_filter(mw_random *random)
{
    static const char *const patterns[] = {"fake.py", "*", "f[a]ke.?y", "<unknown>", "other.py"};
    mw_filter filter = {.inclusive = mw_random_below(random, 2) != 0};

    if (mw_random_below(random, 8) == 0) {
        filter.kind = MW_FILTER_DOMAIN;
        filter.domain = mw_random_below(random, 4) == 0;
        return filter;
    }
    filter.pattern = patterns[mw_random_below(random, 5)];
    filter.pattern_length = strlen(filter.pattern);
    filter.all_frames = mw_random_below(random, 2) != 0;
    filter.has_line = mw_random_below(random, 3) != 0;
    filter.line =
        FIRST_LINE * (1 + mw_random_below(random, FUNCTIONS)) + mw_random_below(random, LINES);
    filter.has_domain = mw_random_below(random, 4) == 0;
    filter.domain = mw_random_below(random, 4) == 0;
    return filter;
}

/* ── one life ────────────────────────────────────────────────────────────────────── */

typedef struct pair {
    mw_tracer filtered;
    mw_tracer whole;
} pair;

/* What a hook does, out of a pool or not. */
static void remember(mw_tracer *tracer, mw_guard guard, uint32_t place, size_t size_bytes,
                     fake_stack stack)
{
    mw_path path;
    mw_site site;

    CHECK_OK(fake_path(&tracer->codes, &tracer->paths, stack, &path));
    CHECK_OK(mw_tracer_site(tracer, path, MW_DOMAIN_PYTHON, size_bytes, &site));
    if (site.index == MW_SITE_UNWANTED)
        mw_tracer_pass_over(tracer, guard, address_of(place), size_bytes, site);
    else if (size_bytes % 2 == 0 || size_bytes > MW_SITE_SIZE_FIXED ||
             !mw_tracer_remember_pooled(tracer, address_of(place), size_bytes, site))
        mw_tracer_remember(tracer, guard, address_of(place), size_bytes, site);
}

static void remember_in_raw(mw_tracer *tracer, mw_guard guard, uint32_t place, size_t size_bytes,
                            fake_stack stack)
{
    mw_raw_lane *lane = &tracer->raw;
    mw_path path;

    mw_raw_lane_lock(lane);
    stack.thread = 0;
    CHECK_OK(fake_path(&lane->codes, &lane->paths, stack, &path));
    mw_raw_lane_remember(lane, guard, address_of(place), size_bytes, path, tracer->live_bytes);
    mw_raw_lane_unlock(lane);
}

/* An object is born again in a small block that either tracer may know. */
static void be_reborn(mw_tracer *tracer, mw_guard guard, uint32_t place, fake_stack stack)
{
    size_t size_bytes;
    mw_path path;
    mw_site site;

    if (!mw_tracer_knows(tracer, address_of(place), &size_bytes) || size_bytes > MW_SITE_SIZE_FIXED)
        return;
    CHECK_OK(fake_path(&tracer->codes, &tracer->paths, stack, &path));
    CHECK_OK(mw_tracer_site(tracer, path, MW_DOMAIN_PYTHON, size_bytes, &site));
    mw_tracer_move(tracer, guard, address_of(place), site);
}

static void take(mw_tracer *tracer, mw_guard guard, uint32_t place, bool puts_back)
{
    taken_block taken;

    forget(tracer, guard, address_of(place), &taken);
    if (puts_back)
        restore(tracer, guard, address_of(place), &taken);
}

static void step_of(mw_tracer *tracer, mw_random *random)
{
    mw_guard guard = mw_guard_enter();
    uint32_t place = mw_random_below(random, PLACES);
    fake_stack stack = random_stack(random);
    size_t size_bytes = random_size(random, place);

    switch (mw_random_below(random, 8)) {
    case 0:
        take(tracer, guard, place, true);
        break;
    case 1:
        take(tracer, guard, place, false);
        break;
    case 2:
        be_reborn(tracer, guard, place, stack);
        break;
    case 3:
        take(tracer, guard, place, false);
        remember_in_raw(tracer, guard, place, size_bytes, stack);
        break;
    default:
        take(tracer, guard, place, false);
        remember(tracer, guard, place, size_bytes, stack);
    }
    mw_guard_leave(guard);
}

/* ── comparing ───────────────────────────────────────────────────────────────────── */

static uint32_t keys_of(const mw_snapshot *snapshot, uint64_t *keys)
{
    uint32_t count = (uint32_t)mw_snapshot_block_count(snapshot);

    for (uint32_t i = 0; i < count; i++)
        keys[i] = snapshot_key(snapshot, i);
    qsort(keys, count, sizeof *keys, compare_keys);
    return count;
}

static void check_pair(pair *both, const mw_filter *filters, size_t filter_count)
{
    mw_guard guard = mw_guard_enter();
    uint64_t expected[PLACES], found[PLACES];
    mw_snapshot *recorded = NULL, *whole = NULL, *left = NULL;
    uint32_t count;

    CHECK(mw_tracer_is_consistent(&both->filtered));
    CHECK_OK(mw_tracer_snapshot(&both->filtered, guard, mw_alloc_system(), &recorded));
    CHECK_OK(mw_tracer_snapshot(&both->whole, guard, mw_alloc_system(), &whole));
    CHECK_OK(mw_snapshot_filter(whole, filters, filter_count, &left));
    count = keys_of(left, expected);
    CHECK_EQ(keys_of(recorded, found), count);
    CHECK(memcmp(found, expected, count * sizeof *found) == 0);
    CHECK_EQ(mw_tracer_live_bytes(&both->filtered), mw_snapshot_live_bytes(left));
    mw_snapshot_release(recorded);
    mw_snapshot_release(whole);
    mw_snapshot_release(left);
    mw_guard_leave(guard);
}

static void live_and_compare(pair *both, mw_random *random, const mw_filter *filters,
                             size_t filter_count)
{
    for (uint32_t i = 1; i <= STEPS; i++) {
        mw_random twin = *random;

        step_of(&both->filtered, random);
        step_of(&both->whole, &twin);
        if (i % 500 == 0)
            check_pair(both, filters, filter_count);
    }
}

TEST(start_filters, leave_what_filtering_a_snapshot_would_leave)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        mw_failing_alloc failing = mw_failing_alloc_never();
        mw_random random = mw_random_of(seed);
        pair both = {new_tracer(), new_tracer()};
        mw_filter filters[FILTERS_MAXIMUM];
        mw_tracer_options options = {.frame_limit = 1 + mw_random_below(&random, DEPTH + 1),
                                     .filter_count = mw_random_below(&random, FILTERS_MAXIMUM + 1),
                                     .filters = filters};

        for (uint32_t i = 0; i < options.filter_count; i++)
            filters[i] = random_filter(&random);
        CHECK_OK(mw_tracer_start_with(&both.filtered, &failing.base, &options));
        CHECK_OK(mw_tracer_start(&both.whole, mw_alloc_pages(), options.frame_limit));
        live_and_compare(&both, &random, filters, options.filter_count);
        /* The filters outlive a clear. */
        CHECK_OK(mw_tracer_clear(&both.filtered));
        CHECK_OK(mw_tracer_clear(&both.whole));
        live_and_compare(&both, &random, filters, options.filter_count);
        mw_tracer_done(&both.filtered);
        mw_tracer_done(&both.whole);
        CHECK_EQ(failing.live_blocks, 0);
    }
}

/* ── single cases ────────────────────────────────────────────────────────────────── */

TEST(start_filters, do_not_outlive_a_stop)
{
    mw_tracer tracer = new_tracer();
    mw_filter nothing = {.inclusive = true, .pattern = "none", .pattern_length = 4};
    mw_tracer_options options = {.frame_limit = 1, .filter_count = 1, .filters = &nothing};
    mw_guard guard = mw_guard_enter();

    CHECK_OK(mw_tracer_start_with(&tracer, mw_alloc_pages(), &options));
    remember(&tracer, guard, 0, 20, (fake_stack){1, 1});
    CHECK_EQ(tracer.live_bytes, 0);
    mw_tracer_stop(&tracer);
    CHECK_OK(mw_tracer_start(&tracer, mw_alloc_pages(), 1));
    remember(&tracer, guard, 0, 20, (fake_stack){1, 1});
    remember_in_raw(&tracer, guard, 1, 500, (fake_stack){1, 1});
    CHECK_EQ(mw_tracer_live_bytes(&tracer), 520);
    mw_tracer_done(&tracer);
    mw_guard_leave(guard);
}

/* A thousand paths that nobody wants make no site. */
TEST(start_filters, keep_unwanted_sites_out_of_the_table)
{
    mw_tracer tracer = new_tracer();
    mw_filter other = {.inclusive = false, .pattern = "fake*", .pattern_length = 5};
    mw_tracer_options options = {.frame_limit = 1, .filter_count = 1, .filters = &other};
    mw_guard guard = mw_guard_enter();

    CHECK_OK(mw_tracer_start_with(&tracer, mw_alloc_pages(), &options));
    for (uint32_t calls = 1; calls <= 1000; calls++)
        remember(&tracer, guard, calls % PLACES, 20, (fake_stack){calls, 1});
    CHECK_EQ(tracer.sites.site_count, tracer.unwanted_sites);
    CHECK_EQ(tracer.live_bytes, 0);
    CHECK_EQ(tracer.lost_blocks, 0);
    mw_tracer_done(&tracer);
    mw_guard_leave(guard);
}

/* The sizes of what is unwanted come back whole: a realloc may fail. */
TEST(start_filters, remember_the_size_of_a_small_unwanted_block)
{
    mw_tracer tracer = new_tracer();
    mw_filter other = {.inclusive = false, .pattern = "fake*", .pattern_length = 5};
    mw_tracer_options options = {.frame_limit = 1, .filter_count = 1, .filters = &other};
    mw_guard guard = mw_guard_enter();

    CHECK_OK(mw_tracer_start_with(&tracer, mw_alloc_pages(), &options));
    for (size_t size = 0; size <= MW_SITE_SIZE_FIXED + 1; size++) {
        size_t found = SIZE_MAX;

        remember(&tracer, guard, 2, size, (fake_stack){1, 1});
        take(&tracer, guard, 2, true);
        CHECK_EQ(mw_tracer_knows(&tracer, address_of(2), &found), size <= MW_SITE_SIZE_FIXED);
        CHECK_EQ(found, size <= MW_SITE_SIZE_FIXED ? size : SIZE_MAX);
        take(&tracer, guard, 2, false);
        CHECK(!mw_tracer_knows(&tracer, address_of(2), &found));
    }
    mw_tracer_done(&tracer);
    mw_guard_leave(guard);
}

/* Refused memory makes an answer slower, never another. */
TEST(start_filters, start_and_answer_whichever_allocation_fails)
{
    static const mw_filter filters[] = {
        {.inclusive = true,
         .pattern = "fake.py",
         .pattern_length = 7,
         .all_frames = true,
         .has_line = true,
         .line = FIRST_LINE},
        {.inclusive = false, .pattern = "other.py", .pattern_length = 8},
    };

    for (size_t nth = 0;; nth++) {
        mw_failing_alloc failing = mw_failing_alloc_at(nth);
        mw_code_table codes = {0};
        mw_path_trie paths = {0};
        mw_start_filters asked;
        mw_status status;

        CHECK_OK(mw_code_table_init(&codes, mw_alloc_system()));
        CHECK_OK(mw_path_trie_init(&paths, mw_alloc_system()));
        status = mw_start_filters_init(&asked, &failing.base, filters, 2, 2);
        for (uint32_t calls = 1; calls <= CALLS * (CALLS + 1) && status == MW_OK; calls++) {
            fake_stack stack = {calls, 1};
            uint32_t innermost = calls % (CALLS + 1), caller = calls / (CALLS + 1);
            mw_path path;

            /* Call 1 is the first line of the first function; digit 0 is no call. */
            if (innermost == 0 || (caller == 0 && calls > CALLS))
                continue;
            CHECK_OK(fake_path(&codes, &paths, stack, &path));
            CHECK_EQ(mw_start_filters_admit(&asked, &codes, &paths, path, 0),
                     innermost == 1 || caller == 1);
        }
        mw_start_filters_done(&asked);
        mw_code_table_done(&codes);
        mw_path_trie_done(&paths);
        CHECK_EQ(failing.live_blocks, 0);
        if (nth > failing.requests)
            break;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(start_filters, leave_what_filtering_a_snapshot_would_leave),
        CASE(start_filters, do_not_outlive_a_stop),
        CASE(start_filters, keep_unwanted_sites_out_of_the_table),
        CASE(start_filters, remember_the_size_of_a_small_unwanted_block),
        CASE(start_filters, start_and_answer_whichever_allocation_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
