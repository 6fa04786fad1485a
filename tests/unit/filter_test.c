/* SPDX-License-Identifier: MIT */
#include "core/filter.h"

#include "snapshot_model.h"
#include "testing.h"

enum { SEEDS = 400, FILTERS = 4 };

static const char *const patterns[] = {"*", "a.py", "*.py", "b*", "[!a]*", "", "?", "*.pyc", "x"};

static mw_filter random_filter(mw_random *random)
{
    const char *pattern = patterns[mw_random_below(random, 9)];

    return (mw_filter){
        .kind = mw_random_below(random, 4) == 0 ? MW_FILTER_DOMAIN : MW_FILTER_FILE,
        .inclusive = mw_random_below(random, 2) != 0,
        .all_frames = mw_random_below(random, 2) != 0,
        .has_line = mw_random_below(random, 3) == 0,
        .has_domain = mw_random_below(random, 3) == 0,
        .pattern = pattern,
        .pattern_length = strlen(pattern),
        .line = (int64_t)mw_random_below(random, 4) - 1,
        .domain = (int64_t)mw_random_below(random, 4) * 20 - 20,
    };
}

/* ── the twin: Lib/tracemalloc.py, function by function ──────────────────────────── */

static bool twin_match_frame_impl(const mw_filter *filter, const model_frame *frame)
{
    size_t length = strlen(frame->file);

    if (length >= 4 && strcmp(frame->file + length - 4, ".pyc") == 0)
        length--;
    if (!mw_fnmatch(filter->pattern, filter->pattern_length, frame->file, length))
        return false;
    return !filter->has_line || frame->line == filter->line;
}

static bool twin_match_traceback(const mw_filter *filter, const model_block *block, uint32_t kept)
{
    if (!filter->all_frames)
        return twin_match_frame_impl(filter, &block->frames[0]) ^ !filter->inclusive;
    for (uint32_t i = 0; i < kept; i++) {
        if (twin_match_frame_impl(filter, &block->frames[i]))
            return filter->inclusive;
    }
    return !filter->inclusive;
}

static bool twin_match(const mw_filter *filter, const model_block *block, uint32_t kept)
{
    bool in_domain = block->domain == filter->domain;
    bool result;

    if (filter->kind == MW_FILTER_DOMAIN)
        return in_domain ^ !filter->inclusive;
    result = twin_match_traceback(filter, block, kept);
    if (!filter->has_domain)
        return result;
    return filter->inclusive ? result && in_domain : result || !in_domain;
}

static bool twin_filter_trace(const mw_filter *filters, size_t count, const model_block *block,
                              uint32_t kept)
{
    bool has_inclusive = false, any_inclusive = false;

    for (size_t i = 0; i < count; i++) {
        bool matches = twin_match(&filters[i], block, kept);

        if (filters[i].inclusive) {
            has_inclusive = true;
            any_inclusive = any_inclusive || matches;
        } else if (!matches) {
            return false;
        }
    }
    return any_inclusive || !has_inclusive;
}

static snapshot_model twin_filter(const snapshot_model *model, const mw_filter *filters,
                                  size_t count)
{
    snapshot_model left = {.frame_limit = model->frame_limit};

    for (uint32_t i = 0; i < model->count; i++) {
        const model_block *block = &model->blocks[i];

        if (twin_filter_trace(filters, count, block, model_kept(model, block)))
            left.blocks[left.count++] = *block;
    }
    return left;
}

/* ── tests ───────────────────────────────────────────────────────────────────────── */

TEST(filter, leaves_the_blocks_that_tracemalloc_leaves)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        mw_random random = mw_random_of(seed);
        snapshot_model model = model_random(seed);
        mw_snapshot *snapshot = model_snapshot(&model), *filtered = NULL;
        size_t count = mw_random_below(&random, FILTERS + 1);
        mw_filter filters[FILTERS];
        snapshot_model expected;

        for (size_t i = 0; i < count; i++)
            filters[i] = random_filter(&random);
        expected = twin_filter(&model, filters, count);
        CHECK_OK(mw_snapshot_filter(snapshot, filters, count, &filtered));
        mw_snapshot_release(snapshot);
        model_check_snapshot(&expected, filtered);
        mw_snapshot_release(filtered);
    }
}

TEST(filter, matches_single_tracebacks_as_tracemalloc_does)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        mw_random random = mw_random_of(seed);
        snapshot_model model = model_random(seed);
        mw_snapshot *snapshot = model_snapshot(&model);

        for (uint32_t i = 0; i < model.count; i++) {
            const model_block *block = &model.blocks[i];
            mw_filter filter = random_filter(&random);
            mw_site site;
            uint64_t size;

            mw_snapshot_block(snapshot, i, &site, &size);
            CHECK_EQ(mw_filter_matches(&filter, snapshot,
                                       mw_snapshot_site(snapshot, site).traceback, block->domain),
                     twin_match(&filter, block, model_kept(&model, block)));
        }
        mw_snapshot_release(snapshot);
    }
}

TEST(filter, can_be_applied_again_to_what_is_left)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        mw_random random = mw_random_of(seed);
        snapshot_model model = model_random(seed), expected;
        mw_snapshot *snapshot = model_snapshot(&model), *once = NULL, *twice = NULL;
        mw_filter first = random_filter(&random), second = random_filter(&random);

        CHECK_OK(mw_snapshot_filter(snapshot, &first, 1, &once));
        CHECK_OK(mw_snapshot_filter(once, &second, 1, &twice));
        expected = twin_filter(&model, &first, 1);
        expected = twin_filter(&expected, &second, 1);
        model_check_snapshot(&expected, twice);
        model_check_snapshot(&model, snapshot);
        mw_snapshot_release(snapshot);
        mw_snapshot_release(once);
        mw_snapshot_release(twice);
    }
}

TEST(filter, selects_the_sites_that_are_named)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        mw_random random = mw_random_of(seed);
        snapshot_model model = model_random(seed);
        snapshot_model expected = {.frame_limit = model.frame_limit};
        mw_snapshot *snapshot = model_snapshot(&model), *selected = NULL;
        bool keep[MODEL_BLOCKS + 1];

        for (uint32_t i = 0; i <= mw_snapshot_site_count(snapshot); i++)
            keep[i] = mw_random_below(&random, 2) != 0;
        for (uint32_t i = 0; i < model.count; i++) {
            mw_site site;
            uint64_t size;

            mw_snapshot_block(snapshot, i, &site, &size);
            if (keep[site.index])
                expected.blocks[expected.count++] = model.blocks[i];
        }
        CHECK_OK(mw_snapshot_select(snapshot, keep, &selected));
        model_check_snapshot(&expected, selected);
        mw_snapshot_release(selected);
        mw_snapshot_release(snapshot);
    }
}

TEST(filter, leaves_the_same_of_sums_as_of_blocks)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        mw_random random = mw_random_of(seed);
        snapshot_model model = model_random(seed);
        mw_snapshot *snapshot = model_snapshot(&model), *sums = model_sums(snapshot, 3);
        mw_snapshot *of_blocks = NULL, *of_sums = NULL;
        mw_filter filter = random_filter(&random);

        CHECK_OK(mw_snapshot_filter(snapshot, &filter, 1, &of_blocks));
        CHECK_OK(mw_snapshot_filter(sums, &filter, 1, &of_sums));
        CHECK(mw_snapshot_is_consistent(of_sums));
        CHECK(!mw_snapshot_has_blocks(of_sums));
        CHECK(mw_snapshot_has_totals(of_sums));
        CHECK(!mw_snapshot_has_totals(of_blocks));
        for (uint32_t site = 1; site <= mw_snapshot_site_count(snapshot); site++) {
            mw_site_row expected = mw_snapshot_site(of_blocks, (mw_site){site});
            mw_site_row row = mw_snapshot_site(of_sums, (mw_site){site});

            CHECK_EQ(row.live_bytes, expected.live_bytes);
            CHECK_EQ(row.live_blocks, expected.live_blocks);
            CHECK_EQ(row.total_bytes, 3 * expected.live_bytes);
            CHECK_EQ(row.total_blocks, 3 * expected.live_blocks);
        }
        mw_snapshot_release(snapshot);
        mw_snapshot_release(sums);
        mw_snapshot_release(of_blocks);
        mw_snapshot_release(of_sums);
    }
}

TEST(filter, takes_pyc_for_py_in_the_names_of_frames)
{
    snapshot_model model = {.frame_limit = 1, .count = 1};
    mw_filter py = {.inclusive = true, .pattern = "a.py", .pattern_length = 4};
    mw_filter pyc = {.inclusive = true, .pattern = "a.pyc", .pattern_length = 5};
    mw_snapshot *snapshot;

    model.blocks[0] = (model_block){.depth = 1, .frames = {{"a.pyc", "", "", 1, 0}}};
    snapshot = model_snapshot(&model);
    CHECK(mw_filter_matches(&py, snapshot, (mw_traceback){1}, 0));
    CHECK(!mw_filter_matches(&pyc, snapshot, (mw_traceback){1}, 0));
    mw_snapshot_release(snapshot);
}

TEST(filter, returns_every_byte_whichever_allocation_fails)
{
    snapshot_model model = model_random_large(4);
    mw_filter filters[] = {
        {.inclusive = true, .all_frames = true, .pattern = "*", .pattern_length = 1},
        {.inclusive = false, .pattern = "b*", .pattern_length = 2},
        {.kind = MW_FILTER_DOMAIN, .inclusive = false, .domain = 20},
    };
    mw_failing_alloc failing = mw_failing_alloc_never();
    mw_snapshot *snapshot = NULL, *sums;
    mw_status status = MW_NO_MEMORY;
    size_t before;

    CHECK_OK(model_build(&model, &failing.base, &snapshot));
    sums = model_sums(snapshot, 3);
    before = failing.live_blocks;
    for (size_t nth = 0; status != MW_OK; nth++) {
        mw_snapshot *filtered = NULL, *filtered_sums = NULL;

        failing.requests = 0;
        failing.nth = nth;
        status = mw_snapshot_filter(snapshot, filters, 3, &filtered);
        if (status == MW_OK)
            status = mw_snapshot_filter(sums, filters, 3, &filtered_sums);
        CHECK(status == MW_OK || status == MW_NO_MEMORY);
        mw_snapshot_release(filtered);
        mw_snapshot_release(filtered_sums);
        CHECK_EQ(failing.live_blocks, before);
    }
    mw_snapshot_release(sums);
    mw_snapshot_release(snapshot);
    CHECK_EQ(failing.live_blocks, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(filter, leaves_the_blocks_that_tracemalloc_leaves),
        CASE(filter, matches_single_tracebacks_as_tracemalloc_does),
        CASE(filter, can_be_applied_again_to_what_is_left),
        CASE(filter, selects_the_sites_that_are_named),
        CASE(filter, leaves_the_same_of_sums_as_of_blocks),
        CASE(filter, takes_pyc_for_py_in_the_names_of_frames),
        CASE(filter, returns_every_byte_whichever_allocation_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
