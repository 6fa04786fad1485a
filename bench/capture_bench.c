/* SPDX-License-Identifier: MIT
 *
 * What a large capture costs: a made-up service of 100 000 sites, looked at 1000 times, each
 * time with a hundred lines that allocate.
 *
 *     capture_bench FILE [SITES LOOKS BUSY]
 *
 * Writes FILE, opens it, takes the last snapshot and one from the middle, and runs through
 * it; prints milliseconds, bytes of the file, and resident kilobytes of a process that only
 * reads.
 */
#include "capture/capture.h"
#include "capture/capture_writer.h"
#include "capture_service.h"

#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static void check(mw_status status, const mw_error *error)
{
    if (status == MW_OK)
        return;
    fprintf(stderr, "%s\n", error->text);
    exit(1);
}

static void write_file(const char *path, made_up_service *service)
{
    mw_capture_options options = {.source_line = service_source_line};
    mw_program program = {.name = "service.py", .frame_limit = 100};
    mw_capture_writer *writer = NULL;
    mw_error error;
    double start, first = 0, rest = 0;

    service_init(service);
    check(mw_capture_writer_new(path, &program, &options, mw_alloc_system(), &writer, &error),
          &error);
    for (uint32_t look = 0; look < service->look_count; look++) {
        mw_snapshot *snapshot = service_snapshot(service, look);
        mw_point point = {.time_ns = (uint64_t)look * 10000000000u};

        start = now_ms();
        check(mw_capture_writer_epoch(writer, look + 1, point.time_ns + 1, &error), &error);
        check(mw_capture_writer_snapshot(writer, snapshot, &point, &error), &error);
        *(look == 0 ? &first : &rest) += now_ms() - start;
        mw_snapshot_release(snapshot);
    }
    mw_capture_writer_free(writer);
    printf("write first %.0f ms, others %.1f ms each\n", first,
           service->look_count > 1 ? rest / (service->look_count - 1) : 0);
    service_done(service);
}

static void take(mw_capture *capture, uint32_t number, const char *what)
{
    mw_snapshot *snapshot = NULL;
    double start = now_ms();
    mw_error error;

    check(mw_capture_snapshot(capture, number, &snapshot, &error), &error);
    printf("%s %.0f ms, %llu bytes alive at %u sites\n", what, now_ms() - start,
           (unsigned long long)mw_snapshot_live_bytes(snapshot), mw_snapshot_site_count(snapshot));
    mw_snapshot_release(snapshot);
}

static void read_file(const char *path)
{
    double start = now_ms();
    mw_capture_replay *replay = NULL;
    mw_capture *capture = NULL;
    struct rusage usage;
    mw_error error;
    uint32_t count;

    check(mw_capture_open(path, mw_alloc_system(), &capture, &error), &error);
    count = mw_capture_snapshot_count(capture);
    printf("open %.0f ms, %u snapshots\n", now_ms() - start, count);
    take(capture, count - 1, "last");
    getrusage(RUSAGE_SELF, &usage);
    printf("opened and last taken: %ld KiB resident\n", usage.ru_maxrss);
    take(capture, count / 2, "middle");
    start = now_ms();
    check(mw_capture_replay_new(capture, &replay, &error), &error);
    while (mw_capture_replay_next(replay))
        continue;
    printf("replay %.0f ms\n", now_ms() - start);
    mw_capture_replay_free(replay);
    mw_capture_close(capture);
    getrusage(RUSAGE_SELF, &usage);
    printf("all: %ld KiB resident\n", usage.ru_maxrss);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    made_up_service service = {.site_count = argc > 2 ? (uint32_t)atoi(argv[2]) : 100000,
                               .look_count = argc > 3 ? (uint32_t)atoi(argv[3]) : 1000,
                               .busy_count = argc > 4 ? (uint32_t)atoi(argv[4]) : 100};
    struct stat file;

    if (argc < 2)
        return 2;
    fflush(stdout);
    if (fork() == 0) {
        write_file(argv[1], &service);
        fflush(stdout);
        _exit(0);
    }
    wait(NULL);
    if (stat(argv[1], &file) != 0)
        return 1;
    printf("file %lld bytes\n", (long long)file.st_size);
    read_file(argv[1]);
    return 0;
}
