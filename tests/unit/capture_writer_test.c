/* SPDX-License-Identifier: MIT */
#include "capture/capture_writer.h"

#include "capture/format.h"
#include "capture_files.h"
#include "capture_service.h"
#include "testing.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* ── what a process and a disk may do ────────────────────────────────────────────── */

static void limit_file_size(rlim_t bytes)
{
    struct rlimit limit;

    CHECK_EQ(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes;
    CHECK_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* A limit of the file's size stands for the full disk: the write ends in the middle. */
TEST(capture_writer, is_whole_when_there_was_no_room_and_goes_on_when_there_is)
{
    series_model model = full_series();
    mw_capture_options options = {.source_line = series_source_line};
    mw_program program = series_program();
    mw_capture_writer *writer = NULL;
    mw_error error = {.text = ""};
    struct stat before, after;
    mw_capture *capture;

    model.peak_before = LOOKS;
    model.has_child = false;
    CHECK_OK(mw_capture_writer_new(capture_path, &program, &options, mw_alloc_system(), &writer,
                                   &error));
    CHECK_OK(series_write_look(&model, 0, mw_alloc_system(), writer, &error));
    CHECK_EQ(stat(capture_path, &before), 0);
    for (rlim_t room = 0; room < 40; room++) {
        limit_file_size((rlim_t)before.st_size + room);
        CHECK_EQ(series_write_look(&model, 1, mw_alloc_system(), writer, &error), MW_IO);
        CHECK(strstr(error.text, "File too large") != NULL);
        CHECK_EQ(stat(capture_path, &after), 0);
        CHECK_EQ(after.st_size, before.st_size);
    }
    limit_file_size(RLIM_INFINITY);
    CHECK_OK(series_write_look(&model, 1, mw_alloc_system(), writer, &error));
    CHECK_OK(series_write_look(&model, 2, mw_alloc_system(), writer, &error));
    CHECK_OK(mw_capture_writer_finish(writer, 3, &error));
    mw_capture_writer_free(writer);
    capture = open_capture();
    for (uint32_t i = 0; i < 3; i++)
        series_check_look(&model, capture, i, i);
    CHECK(mw_capture_source_line(capture, "a.py", 2, NULL) != NULL);
    mw_capture_close(capture);
}

/* Points are gathered without bound of time, so they must be of memory. */
TEST(capture_writer, gathers_points_while_nothing_can_be_written)
{
    mw_capture_options options = {0};
    mw_program program = series_program();
    mw_capture_writer *writer = NULL;
    mw_error error = {.text = ""};
    mw_capture *capture;
    struct stat file;
    uint32_t failures = 0;

    CHECK_OK(mw_capture_writer_new(capture_path, &program, &options, mw_alloc_system(), &writer,
                                   &error));
    CHECK_EQ(stat(capture_path, &file), 0);
    limit_file_size((rlim_t)file.st_size);
    for (uint64_t i = 1; i <= 1000; i++)
        failures += mw_capture_writer_point(writer, &(mw_point){.time_ns = i}, &error) != MW_OK;
    CHECK(failures > 900);
    limit_file_size(RLIM_INFINITY);
    CHECK_OK(mw_capture_writer_finish(writer, 0, &error));
    mw_capture_writer_free(writer);
    capture = open_capture();
    CHECK(mw_capture_timeline(capture)->point_count > 60);
    CHECK_EQ(mw_capture_timeline(capture)->points[0].time_ns, 1);
    CHECK_EQ(mw_capture_timeline(capture)->points[63].time_ns, 1000);
    mw_capture_close(capture);
}

static void write_forever(const series_model *model)
{
    mw_capture_options options = {.source_line = series_source_line};
    mw_program program = series_program();
    mw_capture_writer *writer = NULL;
    mw_error error;

    if (mw_capture_writer_new(capture_path, &program, &options, mw_alloc_system(), &writer,
                              &error) != MW_OK)
        _exit(1);
    for (uint32_t i = 0;; i++) {
        mw_point point = {.time_ns = i};
        mw_snapshot *snapshot = NULL;

        if (series_snapshot(model, &model->looks[i % 3], i, mw_alloc_system(), &snapshot) !=
                MW_OK ||
            mw_capture_writer_snapshot(writer, snapshot, &point, &error) != MW_OK)
            _exit(1);
        mw_snapshot_release(snapshot);
    }
}

TEST(capture_writer, reads_whenever_its_process_was_killed)
{
    series_model model = full_series();

    for (off_t grown = 2000; grown < 40000; grown += 2000) {
        struct stat file = {0};
        mw_capture *capture;
        pid_t child;

        unlink(capture_path);
        child = fork();
        if (child == 0)
            write_forever(&model);
        while (stat(capture_path, &file) != 0 || file.st_size < grown)
            CHECK_EQ(waitpid(child, NULL, WNOHANG), 0);
        CHECK_EQ(kill(child, SIGKILL), 0);
        CHECK_EQ(waitpid(child, NULL, 0), child);
        capture = open_capture();
        CHECK(mw_capture_snapshot_count(capture) > 2);
        CHECK_EQ(mw_capture_timeline(capture)->ending, MW_ENDING_UNKNOWN);
        mw_capture_close(capture);
    }
}

TEST(capture_writer, stays_as_it_is_when_a_forked_child_lets_go_of_it)
{
    series_model model = full_series();
    mw_capture_options options = {0};
    mw_program program = series_program();
    mw_capture_writer *writer = NULL;
    mw_error error;
    mw_capture *capture;
    int child_status;
    pid_t child;

    CHECK_OK(mw_capture_writer_new(capture_path, &program, &options, mw_alloc_system(), &writer,
                                   &error));
    CHECK_OK(mw_capture_writer_point(writer, &(mw_point){.time_ns = 1}, &error));
    child = fork();
    if (child == 0) {
        mw_capture_writer_free(writer);
        _exit(0);
    }
    CHECK_EQ(waitpid(child, &child_status, 0), child);
    CHECK_EQ(child_status, 0);
    CHECK_OK(series_write_look(&model, 0, mw_alloc_system(), writer, &error));
    mw_capture_writer_free(writer);
    capture = open_capture();
    CHECK_EQ(mw_capture_snapshot_count(capture), 1);
    CHECK_EQ(mw_capture_timeline(capture)->point_count, 2);
    mw_capture_close(capture);
}

TEST(capture_writer, is_not_written_in_the_place_of_a_device)
{
    mw_capture_options options = {0};
    mw_program program = series_program();
    mw_capture_writer *writer = NULL;
    mw_error error;
    struct stat pipe;

    /* A pipe of our own: a writer that fails this test is not to take a device with it. */
    unlink(capture_path);
    CHECK_EQ(mkfifo(capture_path, 0600), 0);
    CHECK_EQ(
        mw_capture_writer_new(capture_path, &program, &options, mw_alloc_system(), &writer, &error),
        MW_IO);
    CHECK(strstr(error.text, "/x.memwhy, which is no file.") != NULL);
    CHECK_EQ(lstat(capture_path, &pipe), 0);
    CHECK(S_ISFIFO(pipe.st_mode));
    unlink(capture_path);
    CHECK_EQ(mw_capture_writer_new("/nowhere/at/all", &program, &options, mw_alloc_system(),
                                   &writer, &error),
             MW_IO);
    CHECK(strstr(error.text, "No such file or directory") != NULL);
}

/* ── sizes ───────────────────────────────────────────────────────────────────────── */

TEST(capture_writer, expands_no_more_than_its_file_warrants)
{
    enum { LENGTH = 1 << 20 };
    char *name = malloc(LENGTH);
    mw_capture_options options = {0};
    mw_program program = series_program();
    mw_snapshot_builder *builder = NULL;
    mw_capture_writer *writer = NULL;
    mw_snapshot *snapshot = NULL;
    mw_frame_row row = {.line = 1};
    mw_capture *capture;
    struct stat file;
    mw_frame frame;
    mw_error error;
    mw_path call;
    mw_site site;

    memset(name, 'a', LENGTH);
    CHECK_OK(mw_snapshot_builder_new(mw_alloc_system(), 1, &builder));
    CHECK_OK(mw_snapshot_builder_string(builder, name, LENGTH, &row.function));
    CHECK_OK(mw_snapshot_builder_frame(builder, row, &frame));
    CHECK_OK(mw_snapshot_builder_path(builder, (mw_path){0}, frame, &call));
    CHECK_OK(mw_snapshot_builder_site(builder, call, 1, 0, (mw_thread){0}, &site));
    CHECK_OK(mw_snapshot_builder_blocks(builder, site, 8, 1));
    CHECK_OK(mw_snapshot_builder_finish(builder, &snapshot));
    CHECK_OK(mw_capture_writer_new(capture_path, &program, &options, mw_alloc_system(), &writer,
                                   &error));
    CHECK_OK(mw_capture_writer_snapshot(writer, snapshot, &(mw_point){0}, &error));
    mw_capture_writer_free(writer);
    mw_snapshot_release(snapshot);
    CHECK_EQ(stat(capture_path, &file), 0);
    CHECK(file.st_size >= LENGTH / MW_RECORD_EXPANSION_MAXIMUM);
    CHECK(file.st_size < LENGTH / 32);
    capture = open_capture();
    CHECK_OK(mw_capture_snapshot(capture, 0, &snapshot, &error));
    row = mw_snapshot_frame(snapshot, (mw_frame){1});
    assert_memory_equal(mw_snapshot_string(snapshot, row.function, NULL), name, LENGTH);
    mw_snapshot_release(snapshot);
    mw_capture_close(capture);
    free(name);
}

/* An hour of a service with a snapshot every ten seconds, while little changes. */
TEST(capture_writer, writes_an_hour_of_ten_thousand_sites_into_200_kib)
{
    enum { HOUR = 360 };
    made_up_service service = {.site_count = 10000, .busy_count = 8, .look_count = HOUR};
    mw_capture_options options = {.source_line = service_source_line};
    mw_program program = series_program();
    mw_capture_writer *writer = NULL;
    mw_capture *capture;
    struct stat file;
    mw_error error;

    service_init(&service);
    unlink(capture_path);
    CHECK_OK(mw_capture_writer_new(capture_path, &program, &options, mw_alloc_system(), &writer,
                                   &error));
    for (uint32_t look = 0; look < HOUR; look++) {
        mw_snapshot *snapshot = service_snapshot(&service, look);
        mw_random random = mw_random_of(look);
        mw_point point = {.time_ns = look * 10 * SECOND + mw_random_below(&random, 50000000),
                          .rss_bytes = (90 << 20) + 4096 * mw_random_below(&random, 100),
                          .live_bytes = mw_snapshot_live_bytes(snapshot),
                          .peak_bytes = 60 << 20,
                          .overhead_bytes = (4 << 20) + 65536 * (look / 50)};

        CHECK_OK(mw_capture_writer_epoch(writer, look + 1, point.time_ns, &error));
        CHECK_OK(mw_capture_writer_snapshot(writer, snapshot, &point, &error));
        mw_snapshot_release(snapshot);
    }
    mw_capture_writer_free(writer);
    CHECK_EQ(stat(capture_path, &file), 0);
    CHECK(file.st_size <= 200 << 10);
    capture = open_capture();
    CHECK_EQ(mw_capture_snapshot_count(capture), HOUR);
    mw_capture_close(capture);
    service_done(&service);
}

/* A service that is looked at every ten seconds for a week, and keeps an hour. */
TEST(capture_writer, keeps_a_service_s_file_short_however_long_it_runs)
{
    enum { LOOKS_OF_A_WEEK = 7 * 24 * 360, HOUR = 360, BUSY = 3 };
    series_model model = full_series();
    mw_capture_options options = {.keep_ns = HOUR * 10 * SECOND};
    mw_program program = series_program();
    mw_failing_alloc counting = mw_failing_alloc_never();
    mw_child child = {.time_ns = 1, .pid = 9, .capture = "early.memwhy"};
    mw_capture_writer *writer = NULL;
    size_t live_bytes_early = 0;
    off_t largest = 0;
    mw_capture *capture;
    struct stat file;
    mw_error error;

    CHECK_OK(
        mw_capture_writer_new(capture_path, &program, &options, &counting.base, &writer, &error));
    CHECK_OK(mw_capture_writer_child(writer, &child, &error));
    for (uint32_t look = 0; look < LOOKS_OF_A_WEEK; look++) {
        mw_point point = {.time_ns = look * 10 * SECOND};
        mw_snapshot *snapshot = NULL;
        mw_snapshot_builder *builder = NULL;
        mw_path path = {0};
        mw_site site;

        /* Each look has sites of its own epoch, which are gone at the next one but two. */
        CHECK_OK(mw_snapshot_builder_new(mw_alloc_system(), 5, &builder));
        CHECK_OK(model_add_frame(builder, &model.places[0].frames[0], &path));
        for (uint32_t age = 0; age < BUSY && age <= look; age++) {
            CHECK_OK(mw_snapshot_builder_epoch_site(builder, path, 1, 0, (mw_thread){0},
                                                    look + 1 - age, &site));
            CHECK_OK(mw_snapshot_builder_tally(builder, site, 8 * (BUSY - age), BUSY - age));
        }
        CHECK_OK(mw_snapshot_builder_finish(builder, &snapshot));
        CHECK_OK(mw_capture_writer_epoch(writer, look + 1, point.time_ns, &error));
        CHECK_OK(mw_capture_writer_snapshot(writer, snapshot, &point, &error));
        if (look == 7)
            CHECK_OK(mw_capture_writer_peak(writer, snapshot, &point, &error));
        mw_snapshot_release(snapshot);
        CHECK_EQ(stat(capture_path, &file), 0);
        if (look == 2 * HOUR)
            live_bytes_early = counting.live_bytes;
        largest = file.st_size > largest ? file.st_size : largest;
    }
    CHECK(largest < 64 << 10);
    CHECK(counting.live_bytes < 2 * live_bytes_early);
    mw_capture_writer_free(writer);
    CHECK_EQ(counting.live_blocks, 0);
    capture = open_capture();
    CHECK(mw_capture_snapshot_count(capture) >= HOUR);
    CHECK(mw_capture_snapshot_count(capture) <= HOUR + HOUR / 4 + 1);
    CHECK_EQ(mw_capture_timeline(capture)->child_count, 1);
    CHECK_EQ(mw_capture_point(capture, mw_capture_snapshot_count(capture) - 1)->time_ns,
             (LOOKS_OF_A_WEEK - 1) * 10 * SECOND);
    {
        mw_snapshot *peak = NULL;
        mw_point point;

        CHECK_OK(mw_capture_peak(capture, &peak, &point, &error));
        CHECK_EQ(point.time_ns, 7 * 10 * SECOND);
        CHECK_EQ(mw_snapshot_live_bytes(peak), 8 * (3 + 2 + 1));
        mw_snapshot_release(peak);
    }
    mw_capture_close(capture);
}

/* Three samples of a hundred bytes are alive, of nine. */
static mw_snapshot *sampled_snapshot(const mw_estimate *allocated)
{
    mw_snapshot_builder *builder = NULL;
    mw_snapshot *snapshot = NULL;
    mw_frame_row row = {.line = 1};
    mw_frame frame;
    mw_path path;
    mw_site site;

    CHECK_OK(mw_snapshot_builder_new(mw_alloc_system(), 5, &builder));
    mw_snapshot_builder_sampled(builder, 4096);
    CHECK_OK(mw_snapshot_builder_frame(builder, row, &frame));
    CHECK_OK(mw_snapshot_builder_path(builder, (mw_path){0}, frame, &path));
    CHECK_OK(mw_snapshot_builder_site(builder, path, 1, 0, (mw_thread){0}, &site));
    CHECK_OK(mw_snapshot_builder_blocks(builder, site, 100, 3));
    CHECK_OK(mw_snapshot_builder_allocated(builder, site, allocated));
    CHECK_OK(mw_snapshot_builder_finish(builder, &snapshot));
    return snapshot;
}

static mw_status write_sampled(const mw_snapshot *snapshot, mw_alloc *alloc)
{
    mw_capture_options options = {0};
    mw_program program = series_program();
    mw_capture_writer *writer = NULL;
    mw_error error;
    mw_status status;

    program.sample_bytes = 4096;
    status = mw_capture_writer_new(capture_path, &program, &options, alloc, &writer, &error);
    if (status == MW_OK)
        status = mw_capture_writer_snapshot(writer, snapshot, &(mw_point){0}, &error);
    mw_capture_writer_free(writer);
    return status;
}

TEST(capture_writer, writes_what_samples_stand_for)
{
    mw_estimate expected = mw_estimate_of(100, 3, 4096), allocated = mw_estimate_of(100, 9, 4096);
    mw_snapshot *snapshot = sampled_snapshot(&allocated);
    mw_capture *capture;
    mw_site_row sums;
    mw_error error;

    CHECK_OK(write_sampled(snapshot, mw_alloc_system()));
    mw_snapshot_release(snapshot);
    capture = open_capture();
    CHECK_EQ(mw_capture_timeline(capture)->program.sample_bytes, 4096);
    CHECK_OK(mw_capture_snapshot(capture, 0, &snapshot, &error));
    CHECK_EQ(mw_snapshot_sample_bytes(snapshot), 0);
    sums = mw_snapshot_site(snapshot, (mw_site){1});
    CHECK_EQ(sums.live_bytes, (uint64_t)(expected.bytes + 0.5));
    CHECK_EQ(sums.live_blocks, (uint64_t)(expected.blocks + 0.5));
    CHECK_EQ(sums.total_bytes, (uint64_t)(allocated.bytes + 0.5));
    CHECK_EQ(sums.total_blocks, (uint64_t)(allocated.blocks + 0.5));
    mw_snapshot_release(snapshot);
    mw_capture_close(capture);
}

TEST(capture_writer, writing_samples_returns_every_byte_whichever_allocation_fails)
{
    mw_estimate allocated = mw_estimate_of(100, 9, 4096);
    mw_snapshot *snapshot = sampled_snapshot(&allocated);
    mw_status status = MW_NO_MEMORY;

    for (size_t nth = 0; status != MW_OK; nth++) {
        mw_failing_alloc failing = mw_failing_alloc_at(nth);

        status = write_sampled(snapshot, &failing.base);
        CHECK(status == MW_OK || status == MW_NO_MEMORY);
        CHECK_EQ(failing.live_blocks, 0);
    }
    mw_snapshot_release(snapshot);
}

TEST(capture_writer, lets_no_time_go_back)
{
    series_model model = full_series();
    mw_capture_options options = {0};
    mw_program program = series_program();
    mw_capture_writer *writer = NULL;
    mw_capture *capture;
    mw_error error;

    model.peak_before = LOOKS;
    CHECK_OK(mw_capture_writer_new(capture_path, &program, &options, mw_alloc_system(), &writer,
                                   &error));
    CHECK_OK(mw_capture_writer_point(writer, &(mw_point){.time_ns = 100 * SECOND}, &error));
    CHECK_OK(series_write_look(&model, 0, mw_alloc_system(), writer, &error));
    CHECK_OK(mw_capture_writer_point(writer, &(mw_point){.time_ns = 3}, &error));
    CHECK_OK(mw_capture_writer_finish(writer, 0, &error));
    mw_capture_writer_free(writer);
    capture = open_capture();
    CHECK_EQ(mw_capture_timeline(capture)->point_count, 3);
    for (size_t i = 0; i < 3; i++)
        CHECK_EQ(mw_capture_timeline(capture)->points[i].time_ns, 100 * SECOND);
    mw_capture_close(capture);
}

/* ── memory ────────────────────────────────────────────────────────────────────── */

TEST(capture_writer, writing_returns_every_byte_whichever_allocation_fails)
{
    series_model model = full_series();
    mw_status status = MW_NO_MEMORY;

    model.keep_ns = 20 * SECOND;
    for (size_t nth = 0; status != MW_OK; nth++) {
        mw_failing_alloc failing = mw_failing_alloc_at(nth);
        mw_error error = {.text = ""};

        unlink(capture_path);
        status = series_write(&model, capture_path, &failing.base, &error);
        CHECK(status == MW_OK || status == MW_NO_MEMORY);
        CHECK_EQ(failing.live_blocks, 0);
        if (access(capture_path, F_OK) == 0)
            mw_capture_close(open_capture());
    }
}

/* A writer that was refused memory tries again, as a recorder does with the next snapshot. */
TEST(capture_writer, goes_on_after_a_refusal_as_if_it_had_not_been)
{
    series_model model = full_series();

    for (size_t nth = 0; nth < 400; nth++) {
        mw_failing_alloc failing = mw_failing_alloc_at(SIZE_MAX);
        mw_capture_options options = {.source_line = series_source_line};
        mw_program program = series_program();
        mw_capture_writer *writer = NULL;
        mw_error error = {.text = ""};
        mw_capture *capture;

        model.peak_before = LOOKS;
        CHECK_OK(mw_capture_writer_new(capture_path, &program, &options, &failing.base, &writer,
                                       &error));
        failing.nth = failing.requests + nth;
        for (uint32_t look = 0; look < 3; look++) {
            if (series_write_look(&model, look, &failing.base, writer, &error) == MW_OK)
                continue;
            failing.nth = SIZE_MAX;
            CHECK_OK(series_write_look(&model, look, &failing.base, writer, &error));
        }
        mw_capture_writer_free(writer);
        CHECK_EQ(failing.live_blocks, 0);
        capture = open_capture();
        for (uint32_t look = 0; look < 3; look++)
            series_check_look(&model, capture, look, look);
        mw_capture_close(capture);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(capture_writer, gathers_points_while_nothing_can_be_written),
        CASE(capture_writer, is_whole_when_there_was_no_room_and_goes_on_when_there_is),
        CASE(capture_writer, reads_whenever_its_process_was_killed),
        CASE(capture_writer, stays_as_it_is_when_a_forked_child_lets_go_of_it),
        CASE(capture_writer, is_not_written_in_the_place_of_a_device),
        CASE(capture_writer, expands_no_more_than_its_file_warrants),
        CASE(capture_writer, writes_an_hour_of_ten_thousand_sites_into_200_kib),
        CASE(capture_writer, keeps_a_service_s_file_short_however_long_it_runs),
        CASE(capture_writer, writes_what_samples_stand_for),
        CASE(capture_writer, writing_samples_returns_every_byte_whichever_allocation_fails),
        CASE(capture_writer, lets_no_time_go_back),
        CASE(capture_writer, writing_returns_every_byte_whichever_allocation_fails),
        CASE(capture_writer, goes_on_after_a_refusal_as_if_it_had_not_been),
    };

    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
