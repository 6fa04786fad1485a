/* SPDX-License-Identifier: MIT */
#include "capture/capture_merge.h"

#include "capture_files.h"
#include "testing.h"

enum { INPUTS = 4 };

static char merged_path[sizeof capture_path + 8];

/* Merges the last looks of a few series, of which it returns the sum over all sites. */
static mw_status merge_series(mw_merge_moment moment, mw_merge_order order, mw_alloc *alloc,
                              mw_capture_tally *ret_sum, mw_error *reterr)
{
    mw_capture_merge *merge = NULL;
    mw_status status = mw_capture_merge_new(moment, order, alloc, &merge, reterr);

    *ret_sum = (mw_capture_tally){0};
    for (uint32_t i = 0; i < INPUTS && status == MW_OK; i++) {
        series_model model = full_series();
        const series_look *look = moment == MW_MERGE_PEAK ? &model.peak : &model.looks[2];
        mw_capture *capture;

        model.looks[2].point.lost_blocks = 3 + i;
        write_series(&model);
        capture = open_capture();
        status =
            mw_capture_merge_add(merge, capture, i % 2 == 0 ? "/x/a.memwhy" : "b.memwhy", reterr);
        mw_capture_close(capture);
        for (uint32_t at = 0; at < PLACES * EPOCHS; at++) {
            const mw_capture_tally *tally = &look->tallies[at / EPOCHS][at % EPOCHS];

            ret_sum->live_bytes += tally->live_bytes;
            ret_sum->live_blocks += tally->live_blocks;
            ret_sum->total_bytes += tally->total_bytes;
            ret_sum->total_blocks += tally->total_blocks;
        }
    }
    snprintf(merged_path, sizeof merged_path, "%s.all", capture_path);
    unlink(merged_path);
    if (status == MW_OK)
        status = mw_capture_merge_write(merge, merged_path, reterr);
    mw_capture_merge_free(merge);
    return status;
}

static mw_capture *open_merged(void)
{
    mw_capture *capture = NULL;
    mw_error error = {.text = ""};

    if (mw_capture_open(merged_path, mw_alloc_system(), &capture, &error) != MW_OK)
        fail_msg("%s", error.text);
    CHECK_EQ(mw_capture_snapshot_count(capture), 1);
    unlink(merged_path);
    return capture;
}

static mw_snapshot *only_snapshot(mw_capture *capture)
{
    mw_snapshot *snapshot = NULL;
    mw_error error;

    CHECK_OK(mw_capture_snapshot(capture, 0, &snapshot, &error));
    return snapshot;
}

static void check_sum(const mw_snapshot *snapshot, const mw_capture_tally *sum)
{
    CHECK_EQ(mw_snapshot_live_bytes(snapshot), sum->live_bytes);
    CHECK_EQ(mw_snapshot_block_count(snapshot), sum->live_blocks);
    CHECK_EQ(mw_snapshot_total_bytes(snapshot), sum->total_bytes);
    CHECK_EQ(mw_snapshot_total_blocks(snapshot), sum->total_blocks);
}

TEST(capture_merge, sums_what_equal_sites_had_and_says_who_contributed_what)
{
    mw_error error = {.text = ""};
    const mw_capture_input *inputs;
    mw_capture_tally sum, of_inputs = {0};
    mw_snapshot *snapshot;
    mw_capture *capture;
    size_t count;

    CHECK_OK(merge_series(MW_MERGE_LAST, MW_MERGE_TOGETHER, mw_alloc_system(), &sum, &error));
    capture = open_merged();
    snapshot = only_snapshot(capture);
    check_sum(snapshot, &sum);
    /* Four times the same program: no site more than one of them has. */
    CHECK(mw_snapshot_site_count(snapshot) <= PLACES);
    CHECK_STR_EQ(mw_capture_timeline(capture)->program.name, "app.py");
    CHECK_EQ(mw_capture_timeline(capture)->program.pid, 0);
    CHECK_EQ(mw_capture_timeline(capture)->program.program_place_count, 2);
    CHECK_EQ(mw_capture_timeline(capture)->program.library_place_count, 2);
    CHECK_EQ(mw_capture_timeline(capture)->program.frame_limit, FRAME_LIMIT_OF_SERIES);
    CHECK_EQ(mw_capture_point(capture, 0)->lost_blocks, 3 + 4 + 5 + 6);
    CHECK(mw_capture_source_line(capture, "a.py", 2, NULL) != NULL);
    inputs = mw_capture_inputs(capture, &count);
    CHECK_EQ(count, INPUTS);
    CHECK_STR_EQ(inputs[2].file, "/x/a.memwhy");
    CHECK_EQ(inputs[2].pid, 4711);
    for (size_t i = 0; i < count; i++)
        of_inputs.live_bytes += inputs[i].tally.live_bytes;
    CHECK_EQ(of_inputs.live_bytes, sum.live_bytes);
    mw_snapshot_release(snapshot);
    mw_capture_close(capture);
}

TEST(capture_merge, keeps_processes_apart_at_the_roots_of_their_paths)
{
    mw_error error = {.text = ""};
    uint64_t of_a = 0, of_b = 0;
    mw_capture_tally sum;
    mw_snapshot *snapshot;
    mw_capture *capture;

    CHECK_OK(merge_series(MW_MERGE_LAST, MW_MERGE_APART, mw_alloc_system(), &sum, &error));
    capture = open_merged();
    snapshot = only_snapshot(capture);
    check_sum(snapshot, &sum);
    /* The process is a frame more. */
    CHECK_EQ(mw_capture_timeline(capture)->program.frame_limit, FRAME_LIMIT_OF_SERIES + 1);
    for (uint32_t i = 1; i <= mw_snapshot_site_count(snapshot); i++) {
        mw_site_row row = mw_snapshot_site(snapshot, (mw_site){i});
        mw_path path = row.path;
        mw_frame_row root;
        const char *label;

        while (mw_snapshot_path_caller(snapshot, path).index != 0)
            path = mw_snapshot_path_caller(snapshot, path);
        root = mw_snapshot_frame(snapshot, mw_snapshot_path_frame(snapshot, path));
        label = mw_snapshot_string(snapshot, root.function, NULL);
        CHECK_STR_EQ(mw_snapshot_string(snapshot, root.file, NULL), MW_MERGE_PROCESS_FILE);
        if (strcmp(label, "app.py, pid 4711, a.memwhy") == 0)
            of_a += row.live_bytes;
        else if (strcmp(label, "app.py, pid 4711, b.memwhy") == 0)
            of_b += row.live_bytes;
    }
    CHECK_EQ(of_a, sum.live_bytes / 2);
    CHECK_EQ(of_b, sum.live_bytes / 2);
    mw_snapshot_release(snapshot);
    mw_capture_close(capture);
}

TEST(capture_merge, takes_peaks)
{
    mw_error error = {.text = ""};
    mw_capture_tally sum;
    mw_snapshot *snapshot;
    mw_capture *capture;

    CHECK_OK(merge_series(MW_MERGE_PEAK, MW_MERGE_TOGETHER, mw_alloc_system(), &sum, &error));
    capture = open_merged();
    snapshot = only_snapshot(capture);
    check_sum(snapshot, &sum);
    mw_snapshot_release(snapshot);
    mw_capture_close(capture);
}

TEST(capture_merge, refuses_what_has_no_such_moment_and_goes_on)
{
    series_model model = full_series();
    mw_capture_merge *merge = NULL;
    mw_error error = {.text = ""};
    mw_capture *capture;

    model.peak_before = LOOKS;
    write_series(&model);
    capture = open_capture();
    CHECK_OK(
        mw_capture_merge_new(MW_MERGE_PEAK, MW_MERGE_TOGETHER, mw_alloc_system(), &merge, &error));
    CHECK_EQ(mw_capture_merge_add(merge, capture, "x", &error), MW_UNSUPPORTED);
    mw_capture_close(capture);
    mw_capture_merge_free(merge);

    model.look_count = 0;
    write_series(&model);
    capture = open_capture();
    CHECK_OK(
        mw_capture_merge_new(MW_MERGE_LAST, MW_MERGE_TOGETHER, mw_alloc_system(), &merge, &error));
    CHECK_EQ(mw_capture_merge_add(merge, capture, "x", &error), MW_BAD_INPUT);
    CHECK_STR_EQ(error.text, "x: has no snapshot.");
    mw_capture_close(capture);
    mw_capture_merge_free(merge);
}

TEST(capture_merge, returns_every_byte_whichever_allocation_fails)
{
    mw_status status = MW_NO_MEMORY;

    for (size_t nth = 0; status != MW_OK; nth++) {
        mw_failing_alloc failing = mw_failing_alloc_at(nth);
        mw_error error = {.text = ""};
        mw_capture_tally sum;

        status = merge_series(MW_MERGE_LAST, MW_MERGE_APART, &failing.base, &sum, &error);
        CHECK(status == MW_OK || status == MW_NO_MEMORY);
        CHECK(status == MW_OK || strlen(error.text) > 10);
        CHECK_EQ(failing.live_blocks, 0);
    }
    unlink(merged_path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(capture_merge, sums_what_equal_sites_had_and_says_who_contributed_what),
        CASE(capture_merge, keeps_processes_apart_at_the_roots_of_their_paths),
        CASE(capture_merge, takes_peaks),
        CASE(capture_merge, refuses_what_has_no_such_moment_and_goes_on),
        CASE(capture_merge, returns_every_byte_whichever_allocation_fails),
    };

    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
