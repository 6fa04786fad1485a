/* SPDX-License-Identifier: MIT */
#include "core/snapshot.h"

#include "snapshot_model.h"
#include "testing.h"

enum { SEEDS = 300 };

static mw_string intern(mw_snapshot_builder *builder, const char *text)
{
    mw_string string;

    CHECK_OK(mw_snapshot_builder_string(builder, text, strlen(text), &string));
    return string;
}

/* A call of [function] in [file] at [line] from [caller]. */
static mw_path call(mw_snapshot_builder *builder, mw_path caller, const char *file, int32_t line,
                    const char *function)
{
    mw_frame_row row = {
        .file = intern(builder, file), .function = intern(builder, function), .line = line};
    mw_frame frame;
    mw_path path;

    CHECK_OK(mw_snapshot_builder_frame(builder, row, &frame));
    CHECK_OK(mw_snapshot_builder_path(builder, caller, frame, &path));
    return path;
}

static mw_site site_of(mw_snapshot_builder *builder, mw_path path, uint32_t total_frames)
{
    mw_site site;

    CHECK_OK(mw_snapshot_builder_site(builder, path, total_frames, 0, (mw_thread){0}, &site));
    return site;
}

static mw_snapshot_builder *builder_of(uint32_t frame_limit)
{
    mw_snapshot_builder *builder = NULL;

    CHECK_OK(mw_snapshot_builder_new(mw_alloc_system(), frame_limit, &builder));
    return builder;
}

static mw_snapshot *finish(mw_snapshot_builder *builder)
{
    mw_snapshot *snapshot = NULL;

    CHECK_OK(mw_snapshot_builder_finish(builder, &snapshot));
    CHECK(mw_snapshot_is_consistent(snapshot));
    return snapshot;
}

TEST(snapshot, gives_back_every_block_in_the_order_of_addition)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        snapshot_model model = model_random(seed);
        mw_snapshot *snapshot = model_snapshot(&model);

        model_check_snapshot(&model, snapshot);
        mw_snapshot_release(snapshot);
    }
}

static bool same_sequence(const snapshot_model *model, const model_block *a, const model_block *b)
{
    if (model_kept(model, a) != model_kept(model, b) || a->total_frames != b->total_frames)
        return false;
    for (uint32_t i = 0; i < model_kept(model, a); i++) {
        if (strcmp(a->frames[i].file, b->frames[i].file) != 0 ||
            a->frames[i].line != b->frames[i].line)
            return false;
        if (model_is_region(&a->frames[i]) &&
            strcmp(a->frames[i].function, b->frames[i].function) != 0)
            return false;
    }
    return true;
}

static bool same_path(const model_block *a, const model_block *b)
{
    for (uint32_t i = 0; a->depth == b->depth && i < a->depth; i++) {
        if (strcmp(a->frames[i].file, b->frames[i].file) != 0 ||
            a->frames[i].line != b->frames[i].line ||
            a->frames[i].first_line != b->frames[i].first_line ||
            strcmp(a->frames[i].function, b->frames[i].function) != 0 ||
            strcmp(a->frames[i].module, b->frames[i].module) != 0)
            return false;
    }
    return a->depth == b->depth;
}

static bool same_site(const snapshot_model *model, const model_block *a, const model_block *b)
{
    return same_sequence(model, a, b) && same_path(a, b) && a->domain == b->domain &&
           a->thread.index == b->thread.index && a->epoch == b->epoch;
}

TEST(snapshot, makes_one_traceback_and_one_site_of_equal_ones_and_never_of_others)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        snapshot_model model = model_random(seed);
        mw_snapshot *snapshot = model_snapshot(&model);

        for (uint32_t i = 0; i < model.count; i++) {
            for (uint32_t j = 0; j < i; j++) {
                const model_block *a = &model.blocks[i], *b = &model.blocks[j];
                mw_site site_a, site_b;
                uint64_t size;

                mw_snapshot_block(snapshot, i, &site_a, &size);
                mw_snapshot_block(snapshot, j, &site_b, &size);
                CHECK_EQ(site_a.index == site_b.index, same_site(&model, a, b));
                CHECK_EQ(mw_snapshot_site(snapshot, site_a).traceback.index ==
                             mw_snapshot_site(snapshot, site_b).traceback.index,
                         same_sequence(&model, a, b));
            }
        }
        mw_snapshot_release(snapshot);
    }
}

TEST(snapshot, counts_live_blocks_and_bytes_per_site)
{
    mw_snapshot_builder *builder = builder_of(2);
    mw_site one = site_of(builder, call(builder, (mw_path){0}, "a.py", 1, "f"), 1);
    mw_site other = site_of(builder, call(builder, (mw_path){0}, "a.py", 2, "f"), 1);
    mw_snapshot *snapshot;

    CHECK_OK(mw_snapshot_builder_blocks(builder, one, 8, 3));
    CHECK_OK(mw_snapshot_builder_blocks(builder, other, 100, 1));
    CHECK_OK(mw_snapshot_builder_blocks(builder, one, 0, 2));
    CHECK_OK(mw_snapshot_builder_blocks(builder, one, 16, 0));
    snapshot = finish(builder);
    CHECK_EQ(mw_snapshot_site(snapshot, one).live_bytes, 24);
    CHECK_EQ(mw_snapshot_site(snapshot, one).live_blocks, 5);
    CHECK_EQ(mw_snapshot_site(snapshot, other).live_bytes, 100);
    CHECK_EQ(mw_snapshot_live_bytes(snapshot), 124);
    CHECK_EQ(mw_snapshot_block_count(snapshot), 6);
    mw_snapshot_release(snapshot);
}

TEST(snapshot, takes_a_cut_traceback_and_a_whole_one_with_equal_frames_for_one)
{
    mw_snapshot_builder *builder = builder_of(2);
    mw_path main_py = call(builder, (mw_path){0}, "main.py", 9, "main");
    mw_path deep = call(builder, call(builder, main_py, "a.py", 1, "f"), "b.py", 2, "g");
    mw_path shallow =
        call(builder, call(builder, (mw_path){0}, "a.py", 1, "other"), "b.py", 2, "name");
    mw_site cut = site_of(builder, deep, MW_TOTAL_FRAMES_UNKNOWN);
    mw_site whole = site_of(builder, shallow, MW_TOTAL_FRAMES_UNKNOWN);
    mw_site told = site_of(builder, deep, 3);
    mw_snapshot *snapshot = finish(builder);

    CHECK(cut.index != whole.index);
    CHECK_EQ(mw_snapshot_site(snapshot, cut).traceback.index,
             mw_snapshot_site(snapshot, whole).traceback.index);
    CHECK(mw_snapshot_site(snapshot, told).traceback.index !=
          mw_snapshot_site(snapshot, cut).traceback.index);
    CHECK_EQ(mw_snapshot_traceback_count(snapshot), 2);
    CHECK_EQ(mw_snapshot_site_count(snapshot), 3);
    mw_snapshot_release(snapshot);
}

TEST(snapshot, joins_equal_blocks_that_follow_each_other)
{
    mw_snapshot_builder *builder = builder_of(1);
    mw_site site = site_of(builder, call(builder, (mw_path){0}, "a.py", 1, "f"), 1);
    mw_site found;
    uint64_t size;
    mw_snapshot *snapshot;
    size_t before;

    CHECK_OK(mw_snapshot_builder_blocks(builder, site, 8, 1));
    snapshot = finish(builder);
    before = mw_snapshot_memory_bytes(snapshot);
    mw_snapshot_release(snapshot);

    builder = builder_of(1);
    site = site_of(builder, call(builder, (mw_path){0}, "a.py", 1, "f"), 1);
    for (int i = 0; i < 10000; i++)
        CHECK_OK(mw_snapshot_builder_blocks(builder, site, 8, UINT32_MAX));
    snapshot = finish(builder);
    CHECK_EQ(mw_snapshot_memory_bytes(snapshot), before);
    mw_snapshot_block(snapshot, mw_snapshot_block_count(snapshot) - 1, &found, &size);
    CHECK_EQ(found.index, site.index);
    CHECK_EQ(size, 8);
    mw_snapshot_release(snapshot);
}

TEST(snapshot, knows_names_of_any_length_and_with_nul_in_them)
{
    static char longest[100000];
    mw_snapshot_builder *builder = builder_of(1);
    mw_string nul, empty, large;
    mw_snapshot *snapshot;
    size_t length;

    memset(longest, 'x', sizeof longest);
    CHECK_OK(mw_snapshot_builder_string(builder, "a\0b", 3, &nul));
    CHECK_OK(mw_snapshot_builder_string(builder, "", 0, &empty));
    CHECK_OK(mw_snapshot_builder_string(builder, longest, sizeof longest, &large));
    CHECK_EQ(intern(builder, "").index, empty.index);
    CHECK(intern(builder, "a").index != nul.index);
    snapshot = finish(builder);
    assert_memory_equal(mw_snapshot_string(snapshot, nul, &length), "a\0b", 4);
    CHECK_EQ(length, 3);
    CHECK_STR_EQ(mw_snapshot_string(snapshot, empty, &length), "");
    CHECK_EQ(length, 0);
    assert_memory_equal(mw_snapshot_string(snapshot, large, &length), longest, sizeof longest);
    CHECK_EQ(length, sizeof longest);
    mw_snapshot_release(snapshot);
}

TEST(snapshot, knows_names_of_threads_far_apart_and_none_of_others)
{
    mw_snapshot_builder *builder = builder_of(1);
    mw_snapshot *snapshot;

    CHECK_OK(mw_snapshot_builder_name_thread(builder, (mw_thread){1000}, intern(builder, "w")));
    CHECK_OK(mw_snapshot_builder_name_thread(builder, (mw_thread){1}, intern(builder, "x")));
    CHECK_OK(mw_snapshot_builder_name_thread(builder, (mw_thread){1}, intern(builder, "main")));
    CHECK_EQ(mw_snapshot_builder_name_thread(builder, (mw_thread){UINT32_MAX}, (mw_string){0}),
             MW_LIMIT);
    snapshot = finish(builder);
    CHECK_STR_EQ(mw_snapshot_thread_name(snapshot, (mw_thread){1000}), "w");
    CHECK_STR_EQ(mw_snapshot_thread_name(snapshot, (mw_thread){1}), "main");
    CHECK_STR_EQ(mw_snapshot_thread_name(snapshot, (mw_thread){0}), "");
    CHECK_STR_EQ(mw_snapshot_thread_name(snapshot, (mw_thread){1001}), "");
    mw_snapshot_release(snapshot);
}

TEST(snapshot, refuses_sums_that_do_not_fit_and_stays_as_it_was)
{
    mw_snapshot_builder *builder = builder_of(1);
    mw_site site = site_of(builder, call(builder, (mw_path){0}, "a.py", 1, "f"), 1);
    mw_snapshot *snapshot;

    CHECK_OK(mw_snapshot_builder_blocks(builder, site, UINT64_MAX, 1));
    CHECK_EQ(mw_snapshot_builder_blocks(builder, site, UINT64_MAX, 2), MW_LIMIT);
    CHECK_EQ(mw_snapshot_builder_blocks(builder, site, 1, 1), MW_LIMIT);
    CHECK_EQ(mw_snapshot_builder_blocks(builder, site, 0, UINT64_MAX), MW_LIMIT);
    snapshot = finish(builder);
    CHECK_EQ(mw_snapshot_block_count(snapshot), 1);
    CHECK_EQ(mw_snapshot_live_bytes(snapshot), UINT64_MAX);
    mw_snapshot_release(snapshot);
}

TEST(snapshot, keeps_paths_of_any_depth_and_the_recent_frames_of_them)
{
    enum { DEPTH = MW_FRAME_LIMIT_MAXIMUM + 10 };
    mw_snapshot_builder *builder = builder_of(MW_FRAME_LIMIT_MAXIMUM);
    mw_path path = {0};
    mw_site site;
    mw_snapshot *snapshot;

    for (int32_t i = 0; i < DEPTH; i++)
        path = call(builder, path, "deep.py", i, "f");
    site = site_of(builder, path, DEPTH);
    CHECK_EQ(site_of(builder, path, DEPTH).index, site.index);
    snapshot = finish(builder);
    CHECK_EQ(mw_snapshot_path_depth(snapshot, path), DEPTH);
    CHECK_EQ(
        mw_snapshot_traceback(snapshot, mw_snapshot_site(snapshot, site).traceback).frame_count,
        MW_FRAME_LIMIT_MAXIMUM);
    mw_snapshot_release(snapshot);
}

TEST(snapshot, takes_sums_where_there_are_no_blocks)
{
    mw_snapshot_builder *builder = builder_of(2);
    mw_site one = site_of(builder, call(builder, (mw_path){0}, "a.py", 1, "f"), 1);
    mw_site other = site_of(builder, call(builder, (mw_path){0}, "a.py", 2, "f"), 1);
    mw_snapshot *snapshot;

    CHECK_OK(mw_snapshot_builder_blocks(builder, one, 8, 3));
    CHECK_OK(mw_snapshot_builder_tally(builder, one, 100, 2));
    CHECK_OK(mw_snapshot_builder_blocks(builder, other, 5, 1));
    CHECK_EQ(mw_snapshot_builder_tally(builder, other, UINT64_MAX, 1), MW_LIMIT);
    CHECK_EQ(mw_snapshot_builder_tally(builder, other, 0, UINT64_MAX), MW_LIMIT);
    snapshot = finish(builder);
    CHECK(!mw_snapshot_has_blocks(snapshot));
    CHECK(!mw_snapshot_has_totals(snapshot));
    CHECK_EQ(mw_snapshot_site(snapshot, one).live_bytes, 124);
    CHECK_EQ(mw_snapshot_site(snapshot, one).live_blocks, 5);
    CHECK_EQ(mw_snapshot_site(snapshot, other).live_bytes, 5);
    CHECK_EQ(mw_snapshot_live_bytes(snapshot), 129);
    CHECK_EQ(mw_snapshot_block_count(snapshot), 6);
    mw_snapshot_release(snapshot);
}

TEST(snapshot, knows_what_sites_have_allocated)
{
    mw_snapshot_builder *builder = builder_of(2);
    mw_site one = site_of(builder, call(builder, (mw_path){0}, "a.py", 1, "f"), 1);
    mw_site other = site_of(builder, call(builder, (mw_path){0}, "a.py", 2, "f"), 1);
    mw_snapshot *snapshot, *all;

    CHECK_OK(mw_snapshot_builder_blocks(builder, one, 8, 3));
    CHECK_OK(mw_snapshot_builder_totals(builder, one, 800, 100));
    CHECK_OK(mw_snapshot_builder_totals(builder, one, 8, 1));
    CHECK_EQ(mw_snapshot_builder_totals(builder, other, UINT64_MAX, 1), MW_LIMIT);
    snapshot = finish(builder);
    CHECK(mw_snapshot_has_blocks(snapshot));
    CHECK(mw_snapshot_has_totals(snapshot));
    CHECK_EQ(mw_snapshot_site(snapshot, one).total_bytes, 808);
    CHECK_EQ(mw_snapshot_site(snapshot, one).total_blocks, 101);
    CHECK_EQ(mw_snapshot_site(snapshot, other).total_blocks, 0);
    CHECK_EQ(mw_snapshot_total_bytes(snapshot), 808);
    CHECK_EQ(mw_snapshot_total_blocks(snapshot), 101);
    CHECK_OK(mw_snapshot_totals_as_live(snapshot, &all));
    CHECK(mw_snapshot_is_consistent(all));
    mw_snapshot_release(snapshot);
    CHECK(!mw_snapshot_has_blocks(all));
    CHECK_EQ(mw_snapshot_site(all, one).live_bytes, 808);
    CHECK_EQ(mw_snapshot_site(all, one).total_blocks, 101);
    CHECK_EQ(mw_snapshot_live_bytes(all), 808);
    mw_snapshot_release(all);
}

TEST(snapshot, has_no_totals_to_show_unless_they_were_counted)
{
    mw_snapshot *snapshot = finish(builder_of(1));
    mw_snapshot *all = NULL;

    CHECK_EQ(mw_snapshot_totals_as_live(snapshot, &all), MW_UNSUPPORTED);
    CHECK(all == NULL);
    mw_snapshot_release(snapshot);
}

TEST(snapshot, shares_its_sites_with_one_of_other_numbers)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        snapshot_model model = model_random(seed);
        mw_snapshot *snapshot = model_snapshot(&model);
        mw_snapshot *sums = model_sums(snapshot, 10);
        uint64_t live_bytes = mw_snapshot_live_bytes(snapshot);

        CHECK(mw_snapshot_is_consistent(sums));
        for (uint32_t site = 1; site <= mw_snapshot_site_count(snapshot); site++) {
            mw_site_row row = mw_snapshot_site(snapshot, (mw_site){site});
            mw_site_row other = mw_snapshot_site(sums, (mw_site){site});

            CHECK_EQ(other.path.index, row.path.index);
            CHECK_EQ(other.live_bytes, row.live_bytes);
            CHECK_EQ(other.live_blocks, row.live_blocks);
            CHECK_EQ(other.total_bytes, 10 * row.live_bytes);
            CHECK_EQ(other.total_blocks, 10 * row.live_blocks);
        }
        mw_snapshot_release(snapshot);
        CHECK_EQ(mw_snapshot_live_bytes(sums), live_bytes);
        CHECK_EQ(mw_snapshot_total_bytes(sums), 10 * live_bytes);
        mw_snapshot_release(sums);
    }
}

TEST(snapshot, refuses_other_numbers_whose_sum_does_not_fit)
{
    mw_snapshot_builder *builder = builder_of(1);
    mw_tally fits[3] = {{9, 9}, {1, 1}, {2, 2}};
    mw_tally large[3] = {{0, 0}, {UINT64_MAX, 1}, {1, 1}};
    mw_snapshot *snapshot, *sums = NULL;

    site_of(builder, call(builder, (mw_path){0}, "a.py", 1, "f"), 1);
    site_of(builder, call(builder, (mw_path){0}, "a.py", 2, "f"), 1);
    snapshot = finish(builder);
    CHECK_EQ(mw_snapshot_with_tallies(snapshot, large, NULL, 3, &sums), MW_LIMIT);
    CHECK_EQ(mw_snapshot_with_tallies(snapshot, fits, large, 3, &sums), MW_LIMIT);
    CHECK(sums == NULL);
    CHECK_OK(mw_snapshot_with_tallies(snapshot, fits, NULL, 2, &sums));
    CHECK_EQ(mw_snapshot_live_bytes(sums), 1);
    CHECK_EQ(mw_snapshot_site(sums, (mw_site){2}).live_bytes, 0);
    mw_snapshot_release(sums);
    mw_snapshot_release(snapshot);
}

TEST(snapshot, lives_until_the_last_release)
{
    snapshot_model model = model_random_large(1);
    mw_failing_alloc failing = mw_failing_alloc_never();
    mw_snapshot *snapshot = NULL;

    CHECK_OK(model_build(&model, &failing.base, &snapshot));
    CHECK(mw_snapshot_retain(snapshot) == snapshot);
    mw_snapshot_release(snapshot);
    model_check_snapshot(&model, snapshot);
    CHECK_EQ(mw_snapshot_memory_bytes(snapshot), failing.live_bytes);
    mw_snapshot_release(snapshot);
    CHECK_EQ(failing.live_blocks, 0);
    mw_snapshot_release(NULL);
    mw_snapshot_builder_free(NULL);
}

TEST(snapshot, returns_every_byte_whichever_allocation_fails)
{
    snapshot_model model = model_random_large(2);
    mw_status status = MW_NO_MEMORY;

    for (size_t nth = 0; status != MW_OK; nth++) {
        mw_failing_alloc failing = mw_failing_alloc_at(nth);
        mw_snapshot *snapshot = NULL;

        status = model_build(&model, &failing.base, &snapshot);
        if (status == MW_OK)
            model_check_snapshot(&model, snapshot);
        else
            CHECK_EQ(status, MW_NO_MEMORY);
        mw_snapshot_release(snapshot);
        CHECK_EQ(failing.live_blocks, 0);
    }
}

/* Sums, totals, and what shares tables with them. */
static mw_status model_build_sums(const snapshot_model *model, mw_alloc *alloc)
{
    mw_tally live[MODEL_BLOCKS + 1] = {0}, totals[MODEL_BLOCKS + 1] = {0};
    mw_snapshot *snapshot = NULL, *sums = NULL, *all = NULL;
    mw_status status = model_build(model, alloc, &snapshot);

    if (status != MW_OK)
        goto done;
    model_tallies(snapshot, 2, live, totals);
    status = mw_snapshot_with_tallies(snapshot, live, totals, mw_snapshot_site_count(snapshot) + 1,
                                      &sums);
    if (status == MW_OK)
        status = mw_snapshot_totals_as_live(sums, &all);

done:
    mw_snapshot_release(snapshot);
    mw_snapshot_release(sums);
    mw_snapshot_release(all);
    return status;
}

TEST(snapshot, of_sums_returns_every_byte_whichever_allocation_fails)
{
    snapshot_model model = model_random_large(4);
    mw_status status = MW_NO_MEMORY;

    for (size_t nth = 0; status != MW_OK; nth++) {
        mw_failing_alloc failing = mw_failing_alloc_at(nth);

        status = model_build_sums(&model, &failing.base);
        CHECK(status == MW_OK || status == MW_NO_MEMORY);
        CHECK_EQ(failing.live_blocks, 0);
    }
}

/* Each call that was refused is made again: had it left half a row, the result would be
 * another. */
TEST(snapshot, builder_goes_on_after_a_refusal_as_if_it_had_not_been)
{
    snapshot_model model = model_random_large(3);

    for (size_t nth = 20; nth < 80; nth++) {
        mw_failing_alloc failing = mw_failing_alloc_at(nth);
        mw_snapshot_builder *builder = NULL;
        mw_snapshot *snapshot;

        CHECK_OK(mw_snapshot_builder_new(&failing.base, model.frame_limit, &builder));
        for (uint32_t i = 0; i < model.count; i++) {
            if (model_add_block(builder, &model.blocks[i]) == MW_OK)
                continue;
            failing.nth = SIZE_MAX;
            CHECK_OK(model_add_block(builder, &model.blocks[i]));
        }
        failing.nth = SIZE_MAX;
        CHECK_OK(model_name_threads(builder));
        CHECK_OK(mw_snapshot_builder_finish(builder, &snapshot));
        model_check_snapshot(&model, snapshot);
        mw_snapshot_release(snapshot);
        CHECK_EQ(failing.live_blocks, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(snapshot, gives_back_every_block_in_the_order_of_addition),
        CASE(snapshot, makes_one_traceback_and_one_site_of_equal_ones_and_never_of_others),
        CASE(snapshot, counts_live_blocks_and_bytes_per_site),
        CASE(snapshot, takes_a_cut_traceback_and_a_whole_one_with_equal_frames_for_one),
        CASE(snapshot, joins_equal_blocks_that_follow_each_other),
        CASE(snapshot, knows_names_of_any_length_and_with_nul_in_them),
        CASE(snapshot, knows_names_of_threads_far_apart_and_none_of_others),
        CASE(snapshot, refuses_sums_that_do_not_fit_and_stays_as_it_was),
        CASE(snapshot, keeps_paths_of_any_depth_and_the_recent_frames_of_them),
        CASE(snapshot, takes_sums_where_there_are_no_blocks),
        CASE(snapshot, knows_what_sites_have_allocated),
        CASE(snapshot, has_no_totals_to_show_unless_they_were_counted),
        CASE(snapshot, shares_its_sites_with_one_of_other_numbers),
        CASE(snapshot, refuses_other_numbers_whose_sum_does_not_fit),
        CASE(snapshot, lives_until_the_last_release),
        CASE(snapshot, of_sums_returns_every_byte_whichever_allocation_fails),
        CASE(snapshot, returns_every_byte_whichever_allocation_fails),
        CASE(snapshot, builder_goes_on_after_a_refusal_as_if_it_had_not_been),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
