/* SPDX-License-Identifier: MIT
 *
 * The slow twin of a capture: a made-up process, looked at a few times, of which everything
 * is kept in arrays.  Each of its places allocates from a call path of its own in a domain of
 * its own, by which it is found again; blocks of each epoch are counted apart.
 */
#pragma once

#include "capture/capture.h"
#include "capture/capture_writer.h"
#include "snapshot_model.h"

#include <stdio.h>
#include <unistd.h>

enum { PLACES = 12, LOOKS = 10, EPOCHS = LOOKS + 1, CHILDREN = 2, FRAME_LIMIT_OF_SERIES = 20 };

#define SECOND UINT64_C(1000000000)

/* What every place had at one look, by epoch of birth. */
typedef struct series_look {
    mw_point point;
    mw_capture_tally tallies[PLACES][EPOCHS];
} series_look;

typedef struct series_model {
    model_block places[PLACES];
    uint64_t epoch_starts[EPOCHS];
    series_look looks[LOOKS];
    uint32_t look_count;
    series_look peak;
    uint32_t peak_before; /* the look that the peak is written in front of; LOOKS: there is none */
    bool has_totals, has_child, is_finished;
    uint64_t keep_ns;
} series_model;

/* ── making one up ───────────────────────────────────────────────────────────────── */

static inline void series_random_tally(mw_random *random, bool has_totals, mw_capture_tally *tally)
{
    uint32_t kind = mw_random_below(random, 6);
    uint32_t step = mw_random_below(random, 3) == 0 ? 1 << 24 : 9;

    if (kind > 2)
        return;
    tally->live_blocks = kind == 0 ? 0 : 1 + mw_random_below(random, step);
    tally->live_bytes = tally->live_blocks * mw_random_below(random, step);
    if (!has_totals)
        return;
    tally->total_blocks += tally->live_blocks;
    tally->total_bytes += tally->live_bytes;
}

static inline void series_random_places(mw_random *random, uint64_t seed, series_model *model)
{
    snapshot_model blocks = model_random_large(seed);

    for (uint32_t i = 0; i < PLACES; i++) {
        model->places[i] = blocks.blocks[mw_random_below(random, blocks.count)];
        model->places[i].domain = i;
        if (mw_random_below(random, 4) == 0)
            model->places[i].total_frames = 1000;
    }
}

static inline mw_point series_random_point(mw_random *random, uint64_t time_ns)
{
    return (mw_point){.time_ns = time_ns,
                      .rss_bytes = mw_random_below(random, 1 << 30),
                      .live_bytes = mw_random_below(random, 1 << 30),
                      .peak_bytes = mw_random_below(random, 1 << 30),
                      .overhead_bytes = mw_random_below(random, 1 << 20),
                      .lost_blocks = mw_random_below(random, 2)};
}

/* A look is the one before with some of it changed. */
static inline series_model series_random(uint64_t seed)
{
    mw_random random = mw_random_of(seed);
    series_model model = {.look_count = mw_random_below(&random, LOOKS + 1),
                          .peak_before = mw_random_below(&random, 2 * LOOKS),
                          .has_totals = mw_random_below(&random, 3) != 0,
                          .has_child = mw_random_below(&random, 2) != 0,
                          .is_finished = mw_random_below(&random, 2) != 0};
    uint64_t time_ns = 0;

    series_random_places(&random, seed, &model);
    for (uint32_t look = 0; look < model.look_count; look++) {
        if (look != 0)
            model.looks[look] = model.looks[look - 1];
        time_ns += mw_random_below(&random, 2) == 0 ? 1 : 10 * SECOND + mw_random_below(&random, 9);
        model.epoch_starts[look + 1] = time_ns;
        model.looks[look].point = series_random_point(&random, time_ns);
        for (uint32_t place = 0; place < PLACES; place++) {
            for (uint32_t epoch = 0; epoch <= look + 1 && epoch < EPOCHS; epoch++)
                series_random_tally(&random, model.has_totals,
                                    &model.looks[look].tallies[place][epoch]);
        }
        /* No look is at nothing: an empty snapshot could not say whether it has totals. */
        model.looks[look].tallies[0][0].live_blocks |= 1;
        model.looks[look].tallies[0][0].total_blocks |= model.has_totals;
        if (look == model.peak_before) {
            model.peak = model.looks[look];
            model.peak.point.live_bytes++;
            series_random_tally(&random, model.has_totals, &model.peak.tallies[1][0]);
        }
    }
    if (model.peak_before >= model.look_count)
        model.peak_before = LOOKS;
    return model;
}

/* ── to a file ───────────────────────────────────────────────────────────────────── */

static inline mw_status series_add_site(const series_model *model, mw_snapshot_builder *builder,
                                        uint32_t place, uint32_t epoch,
                                        const mw_capture_tally *tally)
{
    const model_block *block = &model->places[place];
    mw_path path = {0};
    mw_site site;
    mw_status status = MW_OK;

    if (tally->live_blocks == 0 && tally->total_blocks == 0)
        return MW_OK;
    for (uint32_t i = block->depth; i != 0 && status == MW_OK; i--)
        status = model_add_frame(builder, &block->frames[i - 1], &path);
    if (status == MW_OK)
        status = mw_snapshot_builder_epoch_site(builder, path, block->total_frames, block->domain,
                                                block->thread, epoch, &site);
    if (status == MW_OK)
        status = mw_snapshot_builder_tally(builder, site, tally->live_bytes, tally->live_blocks);
    if (status == MW_OK && model->has_totals)
        status = mw_snapshot_builder_totals(builder, site, tally->total_bytes, tally->total_blocks);
    return status;
}

/* What [look] sees, its sites in another order each time. */
static inline mw_status series_snapshot(const series_model *model, const series_look *look,
                                        uint32_t turn, mw_alloc *alloc, mw_snapshot **ret_snapshot)
{
    mw_snapshot_builder *builder = NULL;
    mw_status status = mw_snapshot_builder_new(alloc, FRAME_LIMIT_OF_SERIES, &builder);

    if (status == MW_OK)
        status = model_name_threads(builder);
    for (uint32_t i = 0; i < PLACES * EPOCHS && status == MW_OK; i++) {
        uint32_t at = (i * 7 + turn * 31) % (PLACES * EPOCHS);

        status = series_add_site(model, builder, at / EPOCHS, at % EPOCHS,
                                 &look->tallies[at / EPOCHS][at % EPOCHS]);
    }
    if (status != MW_OK) {
        mw_snapshot_builder_free(builder);
        return status;
    }
    return mw_snapshot_builder_finish(builder, ret_snapshot);
}

static const char *const series_program_places[] = {"/srv/app", "/srv/more"};
static const char *const series_library_places[] = {"/usr/lib/python3.11", "/srv/venv/lib"};

static inline mw_program series_program(void)
{
    return (mw_program){.name = "app.py",
                        .command_line = "python app.py --port 80",
                        .directory = "/srv",
                        .python = "3.11.2",
                        .executable = "/usr/bin/python3",
                        .memwhy = "0.1.0",
                        .host = "",
                        .pid = 4711,
                        .parent_pid = -1,
                        .start_unix_ns = UINT64_C(1700000000123456789),
                        .memory_limit_bytes = UINT64_MAX,
                        .frame_limit = FRAME_LIMIT_OF_SERIES,
                        .program_places = series_program_places,
                        .program_place_count = 2,
                        .library_places = series_library_places,
                        .library_place_count = 2};
}

/* Line 1 and every other line of "a.py" has a text, with its number. */
static inline bool series_source_line(void *context, const char *file, int32_t line,
                                      const char **ret_text, size_t *ret_length)
{
    static char text[40];

    (void)context;
    *ret_text = text;
    *ret_length = (size_t)snprintf(text, sizeof text, "    x = \"\xff\" + y%d", line);
    return strcmp(file, "a.py") == 0 && (line % 2 == 0 || line == 1) && line > 0;
}

static inline mw_status series_write_look(const series_model *model, uint32_t number,
                                          mw_alloc *alloc, mw_capture_writer *writer,
                                          mw_error *reterr)
{
    const series_look *look = &model->looks[number];
    mw_snapshot *snapshot = NULL, *peak = NULL;
    mw_point between = {.time_ns = look->point.time_ns - 1, .rss_bytes = number};
    mw_status status = series_snapshot(model, look, number, alloc, &snapshot);

    if (status == MW_OK && number != 0 && number % 2 == 0)
        status = mw_capture_writer_point(writer, &between, reterr);
    if (status == MW_OK)
        status =
            mw_capture_writer_epoch(writer, number + 1, model->epoch_starts[number + 1], reterr);
    if (status == MW_OK && number == model->peak_before) {
        status = series_snapshot(model, &model->peak, number + 5, alloc, &peak);
        if (status == MW_OK)
            status = mw_capture_writer_peak(writer, peak, &model->peak.point, reterr);
    }
    if (status == MW_OK)
        status = mw_capture_writer_snapshot(writer, snapshot, &look->point, reterr);
    mw_snapshot_release(snapshot);
    mw_snapshot_release(peak);
    return status;
}

static inline mw_status series_write(const series_model *model, const char *path, mw_alloc *alloc,
                                     mw_error *reterr)
{
    mw_capture_options options = {.keep_ns = model->keep_ns, .source_line = series_source_line};
    mw_child child = {.time_ns = 5, .pid = 4712, .capture = "app.4712.memwhy"};
    mw_program program = series_program();
    mw_capture_writer *writer = NULL;
    mw_status status = mw_capture_writer_new(path, &program, &options, alloc, &writer, reterr);

    if (status == MW_OK && model->has_child)
        status = mw_capture_writer_child(writer, &child, reterr);
    for (uint32_t look = 0; look < model->look_count && status == MW_OK; look++)
        status = series_write_look(model, look, alloc, writer, reterr);
    if (status == MW_OK && model->is_finished)
        status = mw_capture_writer_finish(writer, 3, reterr);
    mw_capture_writer_free(writer);
    return status;
}

/* ── against a file ──────────────────────────────────────────────────────────────── */

static inline void series_check_path(const model_block *block, const mw_snapshot *snapshot,
                                     mw_site_row row)
{
    mw_path path = row.path;

    CHECK_EQ(row.thread.index, block->thread.index);
    CHECK_EQ(mw_snapshot_traceback(snapshot, row.traceback).total_frames, block->total_frames);
    CHECK_EQ(mw_snapshot_path_depth(snapshot, path), block->depth);
    for (uint32_t i = 0; i < block->depth; i++) {
        mw_frame_row frame = mw_snapshot_frame(snapshot, mw_snapshot_path_frame(snapshot, path));

        CHECK_STR_EQ(mw_snapshot_string(snapshot, frame.file, NULL), block->frames[i].file);
        CHECK_STR_EQ(mw_snapshot_string(snapshot, frame.function, NULL), block->frames[i].function);
        CHECK_STR_EQ(mw_snapshot_string(snapshot, frame.module, NULL), block->frames[i].module);
        CHECK_EQ(frame.line, block->frames[i].line);
        CHECK_EQ(frame.first_line, block->frames[i].first_line);
        path = mw_snapshot_path_caller(snapshot, path);
    }
}

/* The model's number of an epoch that begins at [start_ns]. */
static inline uint32_t series_epoch(const series_model *model, uint64_t start_ns)
{
    for (uint32_t epoch = 0; epoch < EPOCHS; epoch++) {
        if (model->epoch_starts[epoch] == start_ns)
            return epoch;
    }
    fail_msg("an epoch that nobody began");
    return 0;
}

/* Whether the snapshot has what the look saw, and nothing else. */
static inline void series_check_snapshot(const series_model *model, const series_look *look,
                                         const mw_capture *capture, const mw_snapshot *snapshot)
{
    const mw_timeline *timeline = mw_capture_timeline(capture);
    mw_capture_tally found[PLACES][EPOCHS] = {0};

    CHECK(mw_snapshot_is_consistent(snapshot));
    CHECK_EQ(mw_snapshot_has_totals(snapshot), model->has_totals);
    CHECK_EQ(mw_snapshot_frame_limit(snapshot), FRAME_LIMIT_OF_SERIES);
    for (uint32_t i = 1; i <= mw_snapshot_site_count(snapshot); i++) {
        mw_site_row row = mw_snapshot_site(snapshot, (mw_site){i});

        CHECK(row.domain < PLACES && row.epoch < timeline->epoch_count);
        series_check_path(&model->places[row.domain], snapshot, row);
        found[row.domain][series_epoch(model, timeline->epoch_starts_ns[row.epoch])] =
            (mw_capture_tally){row.live_bytes, row.live_blocks, row.total_bytes, row.total_blocks};
    }
    assert_memory_equal(found, look->tallies, sizeof found);
    for (uint32_t thread = 1; thread < 4; thread++)
        CHECK_STR_EQ(mw_snapshot_thread_name(snapshot, (mw_thread){thread}), model_threads[thread]);
}

static inline void series_check_point(const mw_point *expected, const mw_point *point)
{
    CHECK_EQ(point->time_ns, expected->time_ns);
    CHECK_EQ(point->rss_bytes, expected->rss_bytes);
    CHECK_EQ(point->live_bytes, expected->live_bytes);
    CHECK_EQ(point->peak_bytes, expected->peak_bytes);
    CHECK_EQ(point->overhead_bytes, expected->overhead_bytes);
    CHECK_EQ(point->lost_blocks, expected->lost_blocks);
}

/* Checks snapshot [number] of the capture, which is look [look]. */
static inline void series_check_look(const series_model *model, mw_capture *capture,
                                     uint32_t number, uint32_t look)
{
    mw_snapshot *snapshot = NULL;
    mw_error error;

    series_check_point(&model->looks[look].point, mw_capture_point(capture, number));
    CHECK_OK(mw_capture_snapshot(capture, number, &snapshot, &error));
    series_check_snapshot(model, &model->looks[look], capture, snapshot);
    mw_snapshot_release(snapshot);
}

static inline void series_check_peak(const series_model *model, mw_capture *capture)
{
    mw_snapshot *snapshot = NULL;
    mw_point point;
    mw_error error;
    mw_status status = mw_capture_peak(capture, &snapshot, &point, &error);

    if (model->peak_before == LOOKS) {
        CHECK_EQ(status, MW_UNSUPPORTED);
        return;
    }
    CHECK_OK(status);
    series_check_point(&model->peak.point, &point);
    series_check_snapshot(model, &model->peak, capture, snapshot);
    mw_snapshot_release(snapshot);
}
