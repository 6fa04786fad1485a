/* SPDX-License-Identifier: MIT */
#include "core/region.h"

#include "core/fnmatch.h"
#include "snapshot_model.h"
#include "testing.h"

enum { SEEDS = 300 };

/* ── the twin ────────────────────────────────────────────────────────────────────── */

/* The name of the innermost region, "" if there is none. */
static const char *twin_name(const model_block *block)
{
    for (uint32_t i = 0; i < block->depth; i++)
        if (model_is_region(&block->frames[i]))
            return block->frames[i].function;
    return "";
}

static bool twin_is_selected(const model_block *block, const char *pattern)
{
    bool has_region = false;

    for (uint32_t i = 0; i < block->depth; i++) {
        const char *name = block->frames[i].function;

        if (!model_is_region(&block->frames[i]))
            continue;
        has_region = true;
        if (mw_fnmatch(pattern, strlen(pattern), name, strlen(name)))
            return true;
    }
    return !has_region &&
           mw_fnmatch(pattern, strlen(pattern), MW_REGION_NONE, strlen(MW_REGION_NONE));
}

static model_block twin_strip(const model_block *block)
{
    model_block left = *block;

    left.depth = 0;
    for (uint32_t i = 0; i < block->depth; i++)
        if (!model_is_region(&block->frames[i]))
            left.frames[left.depth++] = block->frames[i];
    if (left.depth == 0)
        left.frames[left.depth++] = (model_frame){"<unknown>", "", "", 0, 0};
    if (left.total_frames != MW_TOTAL_FRAMES_UNKNOWN)
        left.total_frames = left.depth;
    return left;
}

/* Which frames the tests insert a region before, and of what name. */
static const char *name_before(const char *file, int32_t line)
{
    if (strcmp(file, "a.py") == 0)
        return line == 1 ? "one" : "a";
    return strcmp(file, "b.py") == 0 && line == 2 ? "one" : NULL;
}

/* From the oldest frame on, as one would read it. */
static model_block twin_insert(const model_block *block)
{
    model_frame oldest_first[2 * MODEL_DEPTH];
    model_block made = *block;
    const char *inside = "";
    bool is_entered = false;
    uint32_t depth = 0;

    for (uint32_t i = block->depth; i != 0; i--) {
        const model_frame *frame = &block->frames[i - 1];
        const char *name = name_before(frame->file, frame->line);

        if (name != NULL && !is_entered && strcmp(name, inside) != 0) {
            inside = name;
            oldest_first[depth++] = (model_frame){MW_REGION_FILE, name, "", 0, 0};
        }
        is_entered = is_entered || model_is_region(frame);
        oldest_first[depth++] = *frame;
    }
    made.depth = depth;
    for (uint32_t i = 0; i < depth && depth <= MODEL_DEPTH; i++)
        made.frames[i] = oldest_first[depth - 1 - i];
    if (made.total_frames != MW_TOTAL_FRAMES_UNKNOWN)
        made.total_frames = depth;
    return made;
}

/* ── help ────────────────────────────────────────────────────────────────────────── */

/* What is to be inserted before each frame of a snapshot. */
static const char **names_before(const mw_snapshot *snapshot)
{
    enum { FRAME_MAXIMUM = MODEL_BLOCKS * MODEL_DEPTH + 1 };
    static const char *names[FRAME_MAXIMUM];

    memset(names, 0, sizeof names);
    for (uint32_t site = 1; site <= mw_snapshot_site_count(snapshot); site++) {
        mw_path path = mw_snapshot_site(snapshot, (mw_site){site}).path;

        for (; path.index != 0; path = mw_snapshot_path_caller(snapshot, path)) {
            mw_frame frame = mw_snapshot_path_frame(snapshot, path);
            mw_frame_row row = mw_snapshot_frame(snapshot, frame);

            assert_true(frame.index < FRAME_MAXIMUM);
            names[frame.index] =
                name_before(mw_snapshot_string(snapshot, row.file, NULL), row.line);
        }
    }
    return names;
}

static bool has_regions(const snapshot_model *model)
{
    for (uint32_t i = 0; i < model->count; i++)
        if (*twin_name(&model->blocks[i]) != '\0')
            return true;
    return false;
}

/* ── tests ───────────────────────────────────────────────────────────────────────── */

TEST(region, of_a_path_is_the_innermost)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        mw_failing_alloc failing = mw_failing_alloc_never();
        snapshot_model model = model_random(seed);
        mw_snapshot *snapshot = model_snapshot(&model);
        mw_string *names;
        uint32_t count;

        CHECK_OK(mw_region_names(snapshot, &failing.base, &names, &count));
        for (uint32_t i = 0; i < model.count; i++) {
            mw_site site;
            uint64_t size_bytes;
            mw_path path;

            mw_snapshot_block(snapshot, i, &site, &size_bytes);
            path = mw_snapshot_site(snapshot, site).path;
            CHECK(path.index < count);
            CHECK_STR_EQ(mw_snapshot_string(snapshot, names[path.index], NULL),
                         twin_name(&model.blocks[i]));
            CHECK_EQ(mw_region_is_frame(snapshot, mw_snapshot_path_frame(snapshot, path)),
                     model_is_region(&model.blocks[i].frames[0]));
        }
        mw_alloc_release(&failing.base, names, count * sizeof *names);
        CHECK_EQ(failing.live_blocks, 0);
        mw_snapshot_release(snapshot);
    }
}

TEST(region, selects_blocks_by_any_region_of_theirs)
{
    static const char *const patterns[] = {"f", "[!f]", "*", "<no region>", "<*", "x", ""};

    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        const char *pattern = patterns[seed % 7];
        snapshot_model model = model_random(seed), expected = {.frame_limit = model.frame_limit};
        mw_snapshot *snapshot = model_snapshot(&model), *selected = NULL;

        for (uint32_t i = 0; i < model.count; i++)
            if (twin_is_selected(&model.blocks[i], pattern))
                expected.blocks[expected.count++] = model.blocks[i];
        CHECK_OK(mw_region_select(snapshot, pattern, strlen(pattern), &selected));
        mw_snapshot_release(snapshot);
        model_check_snapshot(&expected, selected);
        mw_snapshot_release(selected);
    }
}

TEST(region, is_gone_without_a_trace_when_stripped)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        snapshot_model model = model_random(seed), expected = model;
        mw_snapshot *snapshot = model_snapshot(&model), *stripped = NULL;

        for (uint32_t i = 0; i < model.count; i++)
            expected.blocks[i] = twin_strip(&model.blocks[i]);
        CHECK_OK(mw_region_strip(snapshot, mw_alloc_system(), &stripped));
        CHECK_EQ(stripped == snapshot, !has_regions(&model));
        mw_snapshot_release(snapshot);
        model_check_snapshot(&expected, stripped);
        mw_snapshot_release(stripped);
    }
}

TEST(region, is_inserted_before_the_frames_that_are_named)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        snapshot_model random = model_random(seed), model = {.frame_limit = random.frame_limit};
        snapshot_model expected = {.frame_limit = random.frame_limit};
        mw_snapshot *snapshot, *inserted = NULL;

        for (uint32_t i = 0; i < random.count; i++) {
            model_block made = twin_insert(&random.blocks[i]);

            if (made.depth > MODEL_DEPTH)
                continue;
            model.blocks[model.count++] = random.blocks[i];
            expected.blocks[expected.count++] = made;
        }
        snapshot = model_snapshot(&model);
        CHECK_OK(mw_region_insert(snapshot, names_before(snapshot), mw_alloc_system(), &inserted));
        mw_snapshot_release(snapshot);
        model_check_snapshot(&expected, inserted);
        mw_snapshot_release(inserted);
    }
}

TEST(region, leaves_sums_and_totals_when_stripped)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        snapshot_model model = model_random(seed);
        mw_snapshot *snapshot = model_snapshot(&model), *sums = model_sums(snapshot, 3);
        mw_snapshot *of_blocks = NULL, *of_sums = NULL;

        CHECK_OK(mw_region_strip(snapshot, mw_alloc_system(), &of_blocks));
        CHECK_OK(mw_region_strip(sums, mw_alloc_system(), &of_sums));
        CHECK(mw_snapshot_is_consistent(of_sums));
        CHECK_EQ(mw_snapshot_has_blocks(of_sums), false);
        CHECK_EQ(mw_snapshot_site_count(of_sums), mw_snapshot_site_count(of_blocks));
        CHECK_EQ(mw_snapshot_live_bytes(of_sums), mw_snapshot_live_bytes(snapshot));
        CHECK_EQ(mw_snapshot_total_bytes(of_sums), 3 * mw_snapshot_live_bytes(snapshot));
        for (uint32_t site = 1; site <= mw_snapshot_site_count(of_sums); site++) {
            mw_site_row expected = mw_snapshot_site(of_blocks, (mw_site){site});
            mw_site_row row = mw_snapshot_site(of_sums, (mw_site){site});

            CHECK_EQ(row.live_blocks, expected.live_blocks);
            CHECK_EQ(row.total_blocks, 3 * expected.live_blocks);
            CHECK_EQ(row.epoch, expected.epoch);
        }
        mw_snapshot_release(snapshot);
        mw_snapshot_release(sums);
        mw_snapshot_release(of_blocks);
        mw_snapshot_release(of_sums);
    }
}

TEST(region, leaves_samples_and_what_they_stand_for_when_stripped)
{
    mw_estimate allocated = {.bytes = 1000, .blocks = 2};
    mw_snapshot_builder *builder;
    mw_snapshot *snapshot = NULL, *stripped = NULL;
    model_block block = {.depth = 2, .total_frames = 2, .size_bytes = 8};
    const mw_estimate *left;

    block.frames[0] = (model_frame){"a.py", "f", "", 1, 0};
    block.frames[1] = (model_frame){MW_REGION_FILE, "f", "", 0, 0};
    CHECK_OK(mw_snapshot_builder_new(mw_alloc_system(), 3, &builder));
    mw_snapshot_builder_sampled(builder, 512);
    CHECK_OK(model_add_block(builder, &block));
    CHECK_OK(mw_snapshot_builder_allocated(builder, (mw_site){1}, &allocated));
    CHECK_OK(mw_snapshot_builder_finish(builder, &snapshot));
    CHECK_OK(mw_region_strip(snapshot, mw_alloc_system(), &stripped));
    CHECK_EQ(mw_snapshot_sample_bytes(stripped), 512);
    left = mw_snapshot_allocated(stripped, (mw_site){1});
    CHECK(left != NULL && left->bytes == 1000 && left->blocks == 2);
    CHECK_EQ(mw_snapshot_path_depth(stripped, mw_snapshot_site(stripped, (mw_site){1}).path), 1);
    mw_snapshot_release(snapshot);
    mw_snapshot_release(stripped);
}

TEST(region, returns_every_byte_whichever_allocation_fails)
{
    snapshot_model model = model_random_large(4);
    mw_failing_alloc failing = mw_failing_alloc_never();
    mw_snapshot *snapshot = NULL;
    mw_status status = MW_NO_MEMORY;
    const char *const *names;
    size_t before;

    CHECK(has_regions(&model));
    CHECK_OK(model_build(&model, &failing.base, &snapshot));
    names = names_before(snapshot);
    before = failing.live_blocks;
    for (size_t nth = 0; status != MW_OK; nth++) {
        mw_snapshot *selected = NULL, *stripped = NULL, *inserted = NULL;
        mw_string *of_paths;
        uint32_t count;

        failing.requests = 0;
        failing.nth = nth;
        status = mw_region_names(snapshot, &failing.base, &of_paths, &count);
        if (status == MW_OK) {
            mw_alloc_release(&failing.base, of_paths, count * sizeof *of_paths);
            status = mw_region_select(snapshot, "f", 1, &selected);
        }
        if (status == MW_OK)
            status = mw_region_strip(snapshot, &failing.base, &stripped);
        if (status == MW_OK)
            status = mw_region_insert(snapshot, names, &failing.base, &inserted);
        CHECK(status == MW_OK || status == MW_NO_MEMORY);
        mw_snapshot_release(selected);
        mw_snapshot_release(stripped);
        mw_snapshot_release(inserted);
        CHECK_EQ(failing.live_blocks, before);
    }
    mw_snapshot_release(snapshot);
    CHECK_EQ(failing.live_blocks, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(region, of_a_path_is_the_innermost),
        CASE(region, selects_blocks_by_any_region_of_theirs),
        CASE(region, is_gone_without_a_trace_when_stripped),
        CASE(region, is_inserted_before_the_frames_that_are_named),
        CASE(region, leaves_sums_and_totals_when_stripped),
        CASE(region, leaves_samples_and_what_they_stand_for_when_stripped),
        CASE(region, returns_every_byte_whichever_allocation_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
