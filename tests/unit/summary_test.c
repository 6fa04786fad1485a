/* SPDX-License-Identifier: MIT
 *
 * The summary of a made-up service, whole, against golden files that were read by eye.
 */
#include "golden.h"
#include "shop.h"

/* ── golden files ────────────────────────────────────────────────────────────────── */

typedef mw_status (*summary_writer)(const mw_summary *, mw_alloc *, mw_sink *, mw_error *);

static void check_shop(summary_writer write, mw_group_key by, const char *name)
{
    mw_snapshot *snapshot = shop_snapshot();
    mw_summary summary = shop_summary(snapshot, by);
    mw_buffer buffer;

    mw_buffer_init(&buffer, mw_alloc_system());
    CHECK_OK(write(&summary, mw_alloc_system(), &buffer.sink, NULL));
    check_golden(name, buffer.bytes, buffer.length);
    mw_buffer_done(&buffer);
    mw_snapshot_release(snapshot);
}

TEST(summary, text_by_line_is_the_golden_one)
{
    check_shop(mw_summary_write_text, MW_GROUP_LINE, "summary_line.txt");
}

TEST(summary, text_by_file_is_the_golden_one)
{
    check_shop(mw_summary_write_text, MW_GROUP_FILE, "summary_file.txt");
}

TEST(summary, text_by_function_is_the_golden_one)
{
    check_shop(mw_summary_write_text, MW_GROUP_FUNCTION, "summary_function.txt");
}

TEST(summary, text_by_traceback_is_the_golden_one)
{
    check_shop(mw_summary_write_text, MW_GROUP_TRACEBACK, "summary_traceback.txt");
}

TEST(summary, json_by_line_is_the_golden_one)
{
    check_shop(mw_summary_write_json, MW_GROUP_LINE, "summary_line.json");
}

TEST(summary, json_by_traceback_is_the_golden_one)
{
    check_shop(mw_summary_write_json, MW_GROUP_TRACEBACK, "summary_traceback.json");
}

TEST(summary, says_what_was_lost)
{
    mw_snapshot *snapshot = shop_snapshot();
    mw_summary summary = shop_summary(snapshot, MW_GROUP_LINE);
    mw_buffer buffer;

    summary.lost_blocks = 1200;
    summary.lost_bytes = 20 << 20;
    mw_buffer_init(&buffer, mw_alloc_system());
    CHECK_OK(mw_summary_write_text(&summary, mw_alloc_system(), &buffer.sink, NULL));
    CHECK(strstr(buffer.bytes,
                 "Missing above: 20.0 MiB in 1,200 blocks, since memory ran out.\n") != NULL);
    mw_buffer_done(&buffer);
    mw_snapshot_release(snapshot);
}

static void check_says(mw_status (*write)(const mw_summary *, mw_alloc *, mw_sink *, mw_error *),
                       mw_stage stage, const char *sentence)
{
    mw_snapshot *snapshot = shop_snapshot();
    mw_summary summary = shop_summary(snapshot, MW_GROUP_LINE);
    mw_buffer buffer;

    summary.stage = stage;
    summary.cut_blocks = 1200;
    summary.cut_bytes = 20 << 20;
    summary.lost_blocks = stage == MW_STAGE_LOSING;
    mw_buffer_init(&buffer, mw_alloc_system());
    CHECK_OK(write(&summary, mw_alloc_system(), &buffer.sink, NULL));
    CHECK(strstr(buffer.bytes, sentence) != NULL);
    mw_buffer_done(&buffer);
    mw_snapshot_release(snapshot);
}

TEST(summary, says_what_was_given_up_to_stay_within_the_bound)
{
    check_says(mw_summary_write_text, MW_STAGE_FOLDED,
               "To stay within its bound, memwhy folded the recursion of new call paths.\n");
    check_says(mw_summary_write_text, MW_STAGE_CUT,
               "To stay within its bound, memwhy did not record the callers of new call paths: "
               "20.0 MiB in 1,200 blocks have lost their callers.\n");
    check_says(mw_summary_write_text, MW_STAGE_COARSE,
               "the callers of new call paths, and new functions: 20.0 MiB");
    check_says(mw_summary_write_text, MW_STAGE_LOSING, "since memwhy's bound was reached.\n");
    check_says(mw_summary_write_json, MW_STAGE_CUT,
               "\"stage\": \"cut\",\n  \"cut_bytes\": 20971520,\n  \"cut_blocks\": 1200,\n");
    for (int stage = MW_STAGE_EXACT; stage <= MW_STAGE_LOSING; stage++)
        CHECK_EQ(mw_stage_of_name(mw_stage_name((mw_stage)stage)), stage);
    CHECK_EQ(mw_stage_of_name("other"), MW_STAGE_EXACT);
}

TEST(summary, a_deep_recursion_is_shown_once)
{
    call calls[51] = {{0}};
    mw_snapshot_builder *builder = new_builder();
    mw_snapshot *snapshot;
    mw_summary summary;
    mw_buffer buffer;

    for (int i = 0; i < 50; i++)
        calls[i] = (call){"/home/me/shop/tree.py", 5, "walk"};
    add_blocks(builder, calls, 1, 1);
    snapshot = finish(builder);
    summary = shop_summary(snapshot, MW_GROUP_TRACEBACK);
    mw_buffer_init(&buffer, mw_alloc_system());
    CHECK_OK(mw_summary_write_text(&summary, mw_alloc_system(), &buffer.sink, NULL));
    assert_non_null(strstr(buffer.bytes, "  [Previous line repeated 47 more times]\n"));
    mw_buffer_done(&buffer);
    mw_snapshot_release(snapshot);
}

/* ── numbers and names ───────────────────────────────────────────────────────────── */

TEST(summary, shows_sizes_as_tracemalloc_does)
{
    CHECK_STR_EQ(mw_size_format(0).text, "0 B");
    CHECK_STR_EQ(mw_size_format(10239).text, "10239 B");
    CHECK_STR_EQ(mw_size_format(10240).text, "10.0 KiB");
    CHECK_STR_EQ(mw_size_format(102400).text, "100 KiB");
    CHECK_STR_EQ(mw_size_format(10 << 20).text, "10.0 MiB");
    CHECK_STR_EQ(mw_size_format(UINT64_C(1) << 60).text, "1048576 TiB");
    CHECK_STR_EQ(mw_count_format(0).text, "0");
    CHECK_STR_EQ(mw_count_format(999).text, "999");
    CHECK_STR_EQ(mw_count_format(1234567).text, "1,234,567");
}

static void check_place(const char *file, uint32_t columns, const char *shown)
{
    mw_buffer buffer;

    mw_buffer_init(&buffer, mw_alloc_system());
    CHECK_EQ(mw_places_write(&shop_places, file, columns, &buffer.sink),
             mw_clean_columns(shown, strlen(shown)));
    CHECK_STR_EQ(buffer.bytes, shown);
    mw_buffer_done(&buffer);
}

TEST(summary, shows_paths_as_short_as_they_stay_findable)
{
    check_place("/home/me/shop/app.py", 80, "shop/app.py");
    check_place("/home/mean/app.py", 80, "/home/mean/app.py");
    check_place("/usr/lib/python3.11/json/decoder.py", 80, "json/decoder.py");
    check_place("/usr/lib/python3.11/site-packages/a/b.py", 80, "a/b.py");
    check_place("/home/me/shop/app.py", 8, "…/app.py");
    check_place("/home/me/sh\xc3\xb6p/\xff\x1b.py", 80, "sh\xc3\xb6p/\?\?.py");
}

TEST(summary, knows_whose_a_file_is)
{
    CHECK_EQ(mw_places_owner(&shop_places, "/home/me/shop/app.py"), MW_OWNER_PROGRAM);
    CHECK_EQ(mw_places_owner(&shop_places, "/srv/other.py"), MW_OWNER_PROGRAM);
    CHECK_EQ(mw_places_owner(&shop_places, "relative.py"), MW_OWNER_PROGRAM);
    CHECK_EQ(mw_places_owner(&shop_places, "/usr/lib/python3.11/re.py"), MW_OWNER_LIBRARY);
    CHECK_EQ(mw_places_owner(&shop_places, "/x/dist-packages/y.py"), MW_OWNER_LIBRARY);
    CHECK_EQ(mw_places_owner(&shop_places, "<string>"), MW_OWNER_LIBRARY);
    CHECK_EQ(mw_places_owner(&shop_places, "<frozen os>"), MW_OWNER_LIBRARY);
    CHECK_EQ(mw_places_owner(&shop_places, "<frozen importlib._bootstrap>"), MW_OWNER_IMPORTER);
    CHECK_EQ(mw_places_owner(&shop_places, "<unknown>"), MW_OWNER_UNKNOWN);
    CHECK_EQ(mw_places_owner(&shop_places, ""), MW_OWNER_UNKNOWN);
}

/* ── failure ─────────────────────────────────────────────────────────────────────── */

static mw_status write_with(summary_writer write, const mw_summary *summary, size_t nth)
{
    mw_failing_alloc failing = mw_failing_alloc_at(nth);
    mw_error error = {0};
    mw_buffer buffer;
    mw_status status;

    mw_buffer_init(&buffer, &failing.base);
    status = write(summary, &failing.base, &buffer.sink, &error);
    mw_buffer_done(&buffer);
    CHECK_EQ(failing.live_blocks, 0);
    CHECK(status == MW_OK || error.text[0] != '\0');
    return status;
}

TEST(summary, returns_every_byte_whichever_allocation_fails)
{
    const summary_writer writers[] = {mw_summary_write_text, mw_summary_write_json};
    mw_snapshot *snapshot = shop_snapshot();
    mw_summary summary = shop_summary(snapshot, MW_GROUP_TRACEBACK);

    for (int i = 0; i < 2; i++) {
        size_t nth = 0;
        while (write_with(writers[i], &summary, nth) != MW_OK)
            CHECK(++nth < 1000);
        CHECK(nth > 5);
    }
    mw_snapshot_release(snapshot);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(summary, text_by_line_is_the_golden_one),
        CASE(summary, text_by_file_is_the_golden_one),
        CASE(summary, text_by_function_is_the_golden_one),
        CASE(summary, text_by_traceback_is_the_golden_one),
        CASE(summary, json_by_line_is_the_golden_one),
        CASE(summary, json_by_traceback_is_the_golden_one),
        CASE(summary, says_what_was_lost),
        CASE(summary, says_what_was_given_up_to_stay_within_the_bound),
        CASE(summary, a_deep_recursion_is_shown_once),
        CASE(summary, shows_sizes_as_tracemalloc_does),
        CASE(summary, shows_paths_as_short_as_they_stay_findable),
        CASE(summary, knows_whose_a_file_is),
        CASE(summary, returns_every_byte_whichever_allocation_fails),
    };

    return cmocka_run_group_tests_name("summary", tests, NULL, NULL);
}
