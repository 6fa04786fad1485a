/* SPDX-License-Identifier: MIT */
#include "render/region_comments.h"

#include "snapshot_model.h"
#include "testing.h"

/* ── sources that are not on any disk ────────────────────────────────────────────── */

typedef struct fake_source {
    mw_source source;
    uint32_t asked;
} fake_source;

static const struct {
    const char *file;
    int32_t line;
    const char *text;
} lines[] = {
    {"a.py", 1, "load(path)  # REGION import"},
    {"a.py", 2, "serve()  # REGION"},
    {"b.py", 1, "x = 1  # REGION: inner"},
    {"b.py", 2, "y = 2"},
};

static void fake_line(mw_source *self, const char *file, int32_t line,
                      char ret_text[MW_SOURCE_LINE_BYTES])
{
    ((fake_source *)self)->asked++;
    ret_text[0] = '\0';
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        if (strcmp(lines[i].file, file) == 0 && lines[i].line == line)
            strcpy(ret_text, lines[i].text);
}

static fake_source fake(void)
{
    return (fake_source){.source = {.line = fake_line}};
}

/* One block with these frames, the most recent first. */
static snapshot_model model_of(const model_frame *frames, uint32_t depth)
{
    snapshot_model model = {.frame_limit = MODEL_DEPTH, .count = 1};

    model.blocks[0] = (model_block){.depth = depth, .total_frames = depth, .size_bytes = 8};
    memcpy(model.blocks[0].frames, frames, depth * sizeof *frames);
    return model;
}

static void check_innermost(const model_frame *frames, uint32_t depth, const char *expected)
{
    snapshot_model model = model_of(frames, depth);
    mw_snapshot *snapshot = model_snapshot(&model), *found = NULL;
    fake_source source = fake();
    mw_string *names;
    uint32_t count;
    mw_path path;

    CHECK_OK(mw_region_comments(snapshot, &source.source, "# REGION", mw_alloc_system(), &found));
    CHECK(mw_snapshot_is_consistent(found));
    CHECK_EQ(mw_snapshot_live_bytes(found), 8);
    CHECK_OK(mw_region_names(found, mw_alloc_system(), &names, &count));
    path = mw_snapshot_site(found, (mw_site){1}).path;
    CHECK_STR_EQ(mw_snapshot_string(found, names[path.index], NULL), expected);
    mw_alloc_release(mw_alloc_system(), names, count * sizeof *names);
    mw_snapshot_release(found);
    mw_snapshot_release(snapshot);
}

/* ── tests ───────────────────────────────────────────────────────────────────────── */

TEST(region_comments, name_regions_by_what_stands_behind_them_or_by_the_function)
{
    const model_frame named[] = {{"c.py", "g", "", 9, 0}, {"a.py", "f", "", 1, 0}};
    const model_frame bare[] = {{"c.py", "g", "", 9, 0}, {"a.py", "f", "", 2, 0}};
    const model_frame nameless[] = {{"a.py", "", "", 2, 0}};
    const model_frame colon[] = {{"b.py", "f", "", 1, 0}};

    check_innermost(named, 2, "import");
    check_innermost(bare, 2, "f");
    check_innermost(nameless, 1, "a.py");
    check_innermost(colon, 1, "inner");
}

TEST(region_comments, of_several_the_innermost_counts)
{
    const model_frame frames[] = {{"b.py", "f", "", 1, 0}, {"a.py", "f", "", 1, 0}};

    check_innermost(frames, 2, "inner");
}

TEST(region_comments, come_after_regions_that_were_entered)
{
    const model_frame within[] = {{"b.py", "f", "", 1, 0}, {MW_REGION_FILE, "real", "", 0, 0}};
    const model_frame around[] = {
        {"c.py", "f", "", 1, 0}, {MW_REGION_FILE, "real", "", 0, 0}, {"a.py", "f", "", 1, 0}};

    check_innermost(within, 2, "real");
    check_innermost(around, 3, "real");
}

TEST(region_comments, leave_a_snapshot_as_it_is_if_no_line_has_them)
{
    const model_frame frames[] = {
        {"b.py", "f", "", 2, 0}, {"b.py", "g", "", 2, 0}, {"b.py", "g", "", 0, 0}};
    snapshot_model model = model_of(frames, 3);
    mw_snapshot *snapshot = model_snapshot(&model), *found = NULL;
    fake_source source = fake();

    CHECK_OK(mw_region_comments(snapshot, &source.source, "# REGION", mw_alloc_system(), &found));
    CHECK(found == snapshot);
    CHECK_EQ(source.asked, 1); /* each line once, and none for what has no line */
    CHECK_EQ(mw_region_comments(snapshot, &source.source, "", mw_alloc_system(), &found),
             MW_BAD_INPUT);
    mw_snapshot_release(found);
    mw_snapshot_release(snapshot);
}

TEST(region_comments, return_every_byte_whichever_allocation_fails)
{
    snapshot_model model = model_random_large(3);
    mw_snapshot *snapshot = model_snapshot(&model);
    mw_status status = MW_NO_MEMORY;

    for (size_t nth = 0; status != MW_OK; nth++) {
        mw_failing_alloc failing = mw_failing_alloc_at(nth);
        mw_snapshot *found = NULL;
        fake_source source = fake();

        status = mw_region_comments(snapshot, &source.source, "# REGION", &failing.base, &found);
        CHECK(status == MW_OK || status == MW_NO_MEMORY);
        CHECK(status != MW_OK || found != snapshot);
        mw_snapshot_release(found);
        CHECK_EQ(failing.live_blocks, 0);
    }
    mw_snapshot_release(snapshot);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(region_comments, name_regions_by_what_stands_behind_them_or_by_the_function),
        CASE(region_comments, of_several_the_innermost_counts),
        CASE(region_comments, come_after_regions_that_were_entered),
        CASE(region_comments, leave_a_snapshot_as_it_is_if_no_line_has_them),
        CASE(region_comments, return_every_byte_whichever_allocation_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
