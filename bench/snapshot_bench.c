/* SPDX-License-Identifier: MIT
 *
 * How long it takes to build a snapshot as large as a big service gives, and to filter,
 * group and compare it.
 *
 *     cc -O2 -DNDEBUG -std=gnu11 -Isrc -o build/snapshot_bench bench/snapshot_bench.c \
 *        src/{base,core}/[a-z]*.c -lm
 *     build/snapshot_bench [frame limit]
 */
#include "core/diff.h"
#include "core/filter.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { FILES = 800, FRAMES = 8000, PATHS = 400000, SITES = 100000, BLOCKS = 5000000 };

static mw_snapshot_builder *builder;
static mw_frame frames[FRAMES];
static mw_path paths[PATHS];
static uint64_t random_state = 1;

static double now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static uint32_t random_below(uint32_t limit)
{
    random_state = random_state * UINT64_C(6364136223846793005) + 1442695040888963407;
    return (uint32_t)((random_state >> 33) % limit);
}

static void must(mw_status status)
{
    if (status != MW_OK)
        abort();
}

static void make_frames(void)
{
    for (uint32_t i = 0; i < FRAMES; i++) {
        mw_frame_row row = {.line = (int32_t)random_below(2000)};
        char text[100];
        int length = snprintf(text, sizeof text, "/usr/lib/python3.13/site-packages/p/m%u.py",
                              random_below(FILES));

        must(mw_snapshot_builder_string(builder, text, (size_t)length, &row.file));
        length = snprintf(text, sizeof text, "function_%u", i / 4);
        must(mw_snapshot_builder_string(builder, text, (size_t)length, &row.function));
        must(mw_snapshot_builder_frame(builder, row, &frames[i]));
    }
}

static void make_paths(void)
{
    for (uint32_t i = 0; i < PATHS; i++) {
        mw_path caller = i < 10 ? (mw_path){0} : paths[i - 1 - random_below(i / 20 + 1)];

        must(mw_snapshot_builder_path(builder, caller, frames[random_below(FRAMES)], &paths[i]));
    }
}

static void make_sites(void)
{
    for (uint32_t i = 0; i < SITES; i++) {
        mw_path path = paths[random_below(PATHS)];
        mw_site site;

        must(mw_snapshot_builder_site(builder, path, 50, 0, (mw_thread){random_below(8)}, &site));
        must(mw_snapshot_builder_blocks(builder, site, 16 * (1 + random_below(20)),
                                        1 + random_below(2 * BLOCKS / SITES)));
    }
}

static mw_snapshot *make_snapshot(uint32_t frame_limit)
{
    mw_snapshot *snapshot;

    must(mw_snapshot_builder_new(mw_alloc_pages(), frame_limit, &builder));
    make_frames();
    make_paths();
    make_sites();
    must(mw_snapshot_builder_finish(builder, &snapshot));
    return snapshot;
}

static void time_group(mw_snapshot *snapshot, mw_group_key key, mw_group_scope scope)
{
    mw_rows rows = {0};
    double start = now_ms();

    must(mw_snapshot_group(snapshot, key, scope, mw_alloc_system(), &rows, NULL));
    printf("group by %-10s%-13s %8.2f ms, %u rows\n", mw_group_key_name(key),
           scope == MW_GROUP_CUMULATIVE ? " cumulative" : "", now_ms() - start, rows.count);
    mw_rows_done(&rows);
}

static void time_diff(mw_snapshot *older, mw_snapshot *newer, mw_group_key key)
{
    mw_rows rows = {0};
    double start = now_ms();

    must(mw_snapshot_diff(older, newer, key, MW_GROUP_INNERMOST, mw_alloc_system(), &rows, NULL));
    printf("diff by %-24s %8.2f ms, %u rows\n", mw_group_key_name(key), now_ms() - start,
           rows.count);
    mw_rows_done(&rows);
}

static mw_snapshot *time_filter(mw_snapshot *snapshot, bool all_frames)
{
    mw_filter filter = {.all_frames = all_frames, .pattern = "*/m7*.py", .pattern_length = 8};
    mw_snapshot *filtered;
    double start = now_ms();

    must(mw_snapshot_filter(snapshot, &filter, 1, &filtered));
    printf("filter %-25s %8.2f ms, %llu blocks\n", all_frames ? "all frames" : "", now_ms() - start,
           (unsigned long long)mw_snapshot_block_count(filtered));
    return filtered;
}

static void time_blocks(const mw_snapshot *snapshot)
{
    double start = now_ms();
    uint64_t sum = 0;

    for (uint64_t i = 0; i < 1000000; i++) {
        mw_site site;
        uint64_t size;

        mw_snapshot_block(snapshot, random_below((uint32_t)mw_snapshot_block_count(snapshot)),
                          &site, &size);
        sum += size;
    }
    printf("a million blocks at random       %8.2f ms (%llu)\n", now_ms() - start,
           (unsigned long long)sum);
}

int main(int argc, char **argv)
{
    uint32_t frame_limit = argc > 1 ? (uint32_t)atoi(argv[1]) : MW_FRAME_LIMIT_MAXIMUM;
    double start = now_ms();
    mw_snapshot *snapshot = make_snapshot(frame_limit), *filtered;

    printf("build                            %8.2f ms, %u sites, %u tracebacks, %u paths, "
           "%llu blocks, %zu KiB\n",
           now_ms() - start, mw_snapshot_site_count(snapshot),
           mw_snapshot_traceback_count(snapshot), PATHS,
           (unsigned long long)mw_snapshot_block_count(snapshot),
           mw_snapshot_memory_bytes(snapshot) / 1024);
    for (int key = 0; key < MW_GROUP_COUNT; key++)
        time_group(snapshot, (mw_group_key)key, MW_GROUP_INNERMOST);
    time_group(snapshot, MW_GROUP_LINE, MW_GROUP_CUMULATIVE);
    time_group(snapshot, MW_GROUP_FILE, MW_GROUP_CUMULATIVE);
    mw_snapshot_release(time_filter(snapshot, false));
    filtered = time_filter(snapshot, true);
    time_diff(filtered, snapshot, MW_GROUP_LINE);
    time_diff(filtered, snapshot, MW_GROUP_TRACEBACK);
    time_blocks(snapshot);
    mw_snapshot_release(filtered);
    mw_snapshot_release(snapshot);
    return 0;
}
