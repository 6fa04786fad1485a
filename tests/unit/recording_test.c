/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "tracer/recording.h"

#include "capture/capture.h"
#include "heap_model.h"
#include "test_directory.h"

#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define SECOND UINT64_C(1000000000)

static const mw_program program = {.name = "service.py",
                                   .command_line = "",
                                   .directory = "/srv",
                                   .python = "3.11.2",
                                   .executable = "/usr/bin/python3",
                                   .memwhy = "0.1.0",
                                   .host = "here",
                                   .pid = 17,
                                   .frame_limit = 5};

static const mw_capture_options no_options;

static const char *path_of(const char *name)
{
    static char path[PATH_MAX];

    snprintf(path, sizeof path, "%s/%s", directory, name);
    return path;
}

/* One site, in [epoch], with so many bytes in one block. */
static mw_snapshot *make_snapshot(uint32_t epoch, uint64_t bytes)
{
    mw_snapshot_builder *builder;
    mw_frame_row row = {.line = 3};
    mw_snapshot *snapshot;
    mw_frame frame;
    mw_path path;
    mw_site site;

    CHECK_OK(mw_snapshot_builder_new(mw_alloc_system(), 5, &builder));
    CHECK_OK(mw_snapshot_builder_string(builder, "a.py", 4, &row.file));
    CHECK_OK(mw_snapshot_builder_frame(builder, row, &frame));
    CHECK_OK(mw_snapshot_builder_path(builder, (mw_path){0}, frame, &path));
    CHECK_OK(mw_snapshot_builder_epoch_site(builder, path, 1, 0, (mw_thread){1}, epoch, &site));
    CHECK_OK(mw_snapshot_builder_tally(builder, site, bytes, 1));
    CHECK_OK(mw_snapshot_builder_finish(builder, &snapshot));
    return snapshot;
}

/* A look at [seconds] at which so much was alive, born in [epoch]. */
static mw_status look_at(mw_recording *recording, uint64_t seconds, uint32_t epoch, uint64_t bytes)
{
    mw_snapshot *snapshot = make_snapshot(epoch, bytes);
    mw_look look = {
        .snapshot = snapshot,
        .point = {.time_ns = seconds * SECOND, .live_bytes = bytes, .snapshot = MW_NO_SNAPSHOT}};
    mw_error error;
    mw_status status = mw_recording_look(recording, &look, &error);

    mw_snapshot_release(snapshot);
    return status;
}

static mw_capture *open_capture(const char *path)
{
    mw_capture *capture;
    mw_error error;

    CHECK_OK(mw_capture_open(path, mw_alloc_system(), &capture, &error));
    return capture;
}

TEST(recording, makes_the_file_when_there_is_something_to_write)
{
    const char *path = path_of("when.memwhy");
    mw_recording recording;
    mw_capture *capture;
    mw_error error;

    mw_recording_init(&recording, mw_alloc_system(), path, &program, &no_options);
    CHECK(access(path, F_OK) != 0);
    CHECK_OK(look_at(&recording, 1, 0, 100));
    CHECK_EQ(recording.snapshots, 1);
    mw_recording_done(&recording);
    capture = open_capture(path);
    CHECK_EQ(mw_capture_snapshot_count(capture), 1);
    CHECK_EQ(mw_capture_timeline(capture)->ending, MW_ENDING_UNKNOWN);
    mw_capture_close(capture);
    mw_recording_init(&recording, mw_alloc_system(), path, &program, &no_options);
    CHECK_OK(mw_recording_finish(&recording, 3, &error));
    mw_recording_done(&recording);
    capture = open_capture(path);
    CHECK_EQ(mw_capture_snapshot_count(capture), 0);
    CHECK_EQ(mw_capture_timeline(capture)->ending, MW_ENDING_EXITED);
    CHECK_EQ(mw_capture_timeline(capture)->exit_status, 3);
    mw_capture_close(capture);
}

TEST(recording, names_epochs_before_the_snapshots_that_have_them)
{
    const char *path = path_of("epochs.memwhy");
    const mw_timeline *timeline;
    mw_recording recording;
    mw_capture *capture;
    mw_error error;

    mw_recording_init(&recording, mw_alloc_system(), path, &program, &no_options);
    CHECK_OK(look_at(&recording, 1, 0, 100));
    CHECK_OK(mw_recording_epoch(&recording, SECOND));
    CHECK_OK(mw_recording_epoch(&recording, 2 * SECOND));
    CHECK_OK(look_at(&recording, 3, 2, 100));
    CHECK_OK(mw_recording_epoch(&recording, 3 * SECOND));
    CHECK_OK(look_at(&recording, 4, 3, 100));
    CHECK_OK(mw_recording_finish(&recording, 0, &error));
    mw_recording_done(&recording);
    capture = open_capture(path);
    timeline = mw_capture_timeline(capture);
    CHECK_EQ(timeline->epoch_count, 4);
    for (uint32_t epoch = 0; epoch < 4; epoch++)
        CHECK_EQ(timeline->epoch_starts_ns[epoch], epoch * SECOND);
    mw_capture_close(capture);
}

TEST(recording, writes_a_peak_with_its_point)
{
    const char *path = path_of("peak.memwhy");
    mw_snapshot *now = make_snapshot(0, 10), *peak = make_snapshot(0, 5000);
    mw_look look = {.snapshot = now,
                    .point = {.time_ns = 2 * SECOND, .live_bytes = 10},
                    .peak = peak,
                    .peak_point = {.time_ns = SECOND, .live_bytes = 5000, .peak_bytes = 5040}};
    mw_recording recording;
    mw_snapshot *found;
    mw_capture *capture;
    mw_point point;
    mw_error error;

    mw_recording_init(&recording, mw_alloc_system(), path, &program, &no_options);
    CHECK_OK(mw_recording_look(&recording, &look, &error));
    CHECK_EQ(recording.peak_bytes, 5000);
    mw_recording_done(&recording);
    capture = open_capture(path);
    CHECK_OK(mw_capture_peak(capture, &found, &point, &error));
    CHECK_EQ(mw_snapshot_live_bytes(found), 5000);
    CHECK_EQ(point.peak_bytes, 5040);
    CHECK_EQ(point.time_ns, SECOND);
    mw_snapshot_release(found);
    mw_capture_close(capture);
    mw_snapshot_release(now);
    mw_snapshot_release(peak);
}

TEST(recording, names_children_by_their_pid)
{
    char path[64];

    CHECK(mw_recording_child_path("/a/x.memwhy", 12, path, sizeof path));
    CHECK_STR_EQ(path, "/a/x.12.memwhy");
    CHECK(mw_recording_child_path("/a.memwhy/x", 12, path, sizeof path));
    CHECK_STR_EQ(path, "/a.memwhy/x.12.memwhy");
    CHECK(mw_recording_child_path("/a/.memwhy", 12, path, sizeof path));
    CHECK_STR_EQ(path, "/a/.12.memwhy");
    CHECK(!mw_recording_child_path("/a/x.memwhy", 12, path, 14));
}

static void touch(const char *path)
{
    FILE *file = fopen(path, "w");

    CHECK(file != NULL);
    fclose(file);
}

/* One that has a capture by now, one that may come to have one, and one that has gone. */
TEST(recording, tells_of_children_that_have_captures)
{
    char path[PATH_MAX], child[PATH_MAX];
    const mw_timeline *timeline;
    mw_recording recording;
    mw_capture *capture;
    pid_t gone = fork();
    mw_error error;

    if (gone == 0)
        _exit(0);
    CHECK_EQ(waitpid(gone, NULL, 0), gone);
    snprintf(path, sizeof path, "%s", path_of("parent.memwhy"));
    mw_recording_init(&recording, mw_alloc_system(), path, &program, &no_options);
    mw_recording_await_child(&recording, 1, SECOND);
    mw_recording_await_child(&recording, getpid(), SECOND);
    mw_recording_await_child(&recording, gone, SECOND);
    CHECK(mw_recording_child_path(path, 1, child, sizeof child));
    touch(child);
    CHECK_OK(look_at(&recording, 2, 0, 100));
    CHECK_EQ(recording.child_count, 1);
    CHECK(mw_recording_child_path(path, getpid(), child, sizeof child));
    touch(child);
    CHECK_OK(mw_recording_finish(&recording, 0, &error));
    CHECK_EQ(recording.child_count, 0);
    mw_recording_done(&recording);
    capture = open_capture(path);
    timeline = mw_capture_timeline(capture);
    CHECK_EQ(timeline->child_count, 2);
    CHECK_EQ(timeline->children[0].pid, 1);
    CHECK_STR_EQ(timeline->children[0].capture, "parent.1.memwhy");
    CHECK_EQ(timeline->children[1].pid, getpid());
    mw_capture_close(capture);
}

/* Gives up after [left] records. */
typedef struct short_breath {
    mw_recording *recording;
    uint32_t left;
} short_breath;

static mw_status write_record(void *context, mw_record_type type, const mw_bytes *payload)
{
    short_breath *self = context;
    mw_error error;

    if (self->left-- == 0)
        return MW_UNSUPPORTED;
    return mw_recording_heap(self->recording, type, payload, &error);
}

TEST(recording, counts_heaps_that_are_whole_and_drops_the_others)
{
    heap_model model = heap_model_random(1);
    char path[PATH_MAX];
    mw_recording recording;
    short_breath breath = {&recording, UINT32_MAX};
    mw_capture *capture;
    mw_error error;

    snprintf(path, sizeof path, "%s", path_of("heaps.memwhy"));
    mw_recording_init(&recording, mw_alloc_system(), path, &program, &no_options);
    mw_recording_drop_heap(&recording); /* there is no file yet */
    CHECK_OK(heap_model_write(&model, write_record, &breath, mw_alloc_system()));
    CHECK_OK(look_at(&recording, 1, 0, 100));
    breath.left = 2;
    CHECK_EQ(heap_model_write(&model, write_record, &breath, mw_alloc_system()), MW_UNSUPPORTED);
    mw_recording_drop_heap(&recording);
    CHECK_OK(look_at(&recording, 2, 0, 100));
    CHECK_EQ(recording.heaps, 1);
    CHECK_OK(mw_recording_finish(&recording, 0, &error));
    mw_recording_done(&recording);
    capture = open_capture(path);
    CHECK_EQ(mw_capture_heap_count(capture), 1);
    CHECK_EQ(mw_capture_snapshot_count(capture), 2);
    mw_capture_close(capture);
}

TEST(recording, tries_again_what_could_not_be_written)
{
    char path[PATH_MAX + 16], inner[PATH_MAX];
    mw_recording recording;
    mw_capture *capture;

    snprintf(inner, sizeof inner, "%s", path_of("later"));
    snprintf(path, sizeof path, "%s/x.memwhy", inner);
    mw_recording_init(&recording, mw_alloc_system(), path, &program, &no_options);
    CHECK_OK(mw_recording_epoch(&recording, SECOND));
    CHECK_EQ(look_at(&recording, 1, 1, 100), MW_IO);
    CHECK_EQ(look_at(&recording, 2, 1, 100), MW_IO);
    CHECK_EQ(recording.failures, 2);
    CHECK_EQ(mkdir(inner, 0700), 0);
    CHECK_OK(look_at(&recording, 3, 1, 100));
    CHECK_EQ(recording.failures, 2);
    mw_recording_done(&recording);
    capture = open_capture(path);
    CHECK_EQ(mw_capture_snapshot_count(capture), 1);
    CHECK_EQ(mw_capture_timeline(capture)->epoch_count, 2);
    mw_capture_close(capture);
}

/* Everything that there is, once; whether nothing was refused. */
static bool record_all(mw_recording *recording)
{
    mw_error error;
    bool is_whole = look_at(recording, 1, 0, 100) == MW_OK;
    heap_model model = heap_model_random(1);
    short_breath breath = {recording, UINT32_MAX};
    mw_status status;

    is_whole = mw_recording_epoch(recording, SECOND) == MW_OK && is_whole;
    mw_recording_await_child(recording, getpid(), SECOND);
    is_whole = recording->child_count == 1 && is_whole;
    is_whole =
        look_at(recording, 2, recording->epoch_count + recording->named_epochs, 200) == MW_OK &&
        is_whole;
    is_whole =
        heap_model_write(&model, write_record, &breath, mw_alloc_system()) == MW_OK && is_whole;
    mw_recording_drop_heap(recording);
    status = mw_recording_finish(recording, 0, &error);
    return status == MW_OK && is_whole;
}

TEST(recording, returns_every_byte_whichever_allocation_fails)
{
    char path[PATH_MAX];
    bool is_whole = false;

    snprintf(path, sizeof path, "%s", path_of("sweep.memwhy"));
    for (size_t nth = 0; !is_whole; nth++) {
        mw_failing_alloc failing = mw_failing_alloc_at(nth);
        mw_recording recording;

        mw_recording_init(&recording, &failing.base, path, &program, &no_options);
        is_whole = record_all(&recording);
        mw_recording_done(&recording);
        CHECK_EQ(failing.live_blocks, 0);
    }
    mw_capture_close(open_capture(path));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(recording, makes_the_file_when_there_is_something_to_write),
        CASE(recording, names_epochs_before_the_snapshots_that_have_them),
        CASE(recording, writes_a_peak_with_its_point),
        CASE(recording, names_children_by_their_pid),
        CASE(recording, tells_of_children_that_have_captures),
        CASE(recording, counts_heaps_that_are_whole_and_drops_the_others),
        CASE(recording, tries_again_what_could_not_be_written),
        CASE(recording, returns_every_byte_whichever_allocation_fails),
    };

    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
