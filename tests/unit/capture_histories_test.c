/* SPDX-License-Identifier: MIT
 *
 * Histories out of captures that were written to a file, compared with what the model that
 * wrote them says.
 */
#include "capture_model.h"

#include "capture/capture_histories.h"

enum { ROUNDS = 60, LONG_SERIES = 700 };

static char path[64];

static int make_path(void **unused_state)
{
    (void)unused_state;
    snprintf(path, sizeof path, "/tmp/memwhy-histories-%d.memwhy", (int)getpid());
    return 0;
}

static int remove_file(void **unused_state)
{
    (void)unused_state;
    unlink(path);
    return 0;
}

/* Groups by place; a place is a domain. */
static uint32_t *groups_of(const mw_snapshot *last)
{
    uint32_t count = mw_snapshot_site_count(last);
    uint32_t *groups = calloc(count + 1, sizeof *groups);

    assert_non_null(groups);
    for (uint32_t i = 1; i <= count; i++)
        groups[i] = mw_snapshot_site(last, (mw_site){i}).domain;
    return groups;
}

/* ── what the model says ─────────────────────────────────────────────────────────── */

/* The look at which anything of [epoch] is first seen; LOOKS if none is. */
static uint32_t birth_of(const series_model *model, uint32_t epoch)
{
    for (uint32_t look = 0; look < model->look_count; look++)
        for (uint32_t place = 0; place < PLACES; place++) {
            const mw_capture_tally *tally = &model->looks[look].tallies[place][epoch];
            if (tally->live_blocks != 0 || tally->total_blocks != 0)
                return look;
        }
    return LOOKS;
}

typedef struct expected {
    double live[LOOKS], kept[LOOKS], born[LOOKS], died[LOOKS];
} expected;

static expected expect(const series_model *model, uint32_t place)
{
    static const mw_capture_tally nothing = {0};
    expected sums = {0};

    for (uint32_t epoch = 0; epoch < EPOCHS; epoch++) {
        uint32_t birth = birth_of(model, epoch);

        for (uint32_t look = 0; look < model->look_count; look++) {
            const mw_capture_tally *now = &model->looks[look].tallies[place][epoch];
            const mw_capture_tally *before =
                look == 0 ? &nothing : &model->looks[look - 1].tallies[place][epoch];

            sums.live[look] += (double)now->live_bytes;
            sums.born[look] += (double)(now->total_bytes - before->total_bytes);
            if (look > birth && now->live_bytes < before->live_bytes)
                sums.died[look - birth] += (double)(before->live_bytes - now->live_bytes);
            if (look + 1 == model->look_count && birth != LOOKS)
                sums.kept[birth] += (double)now->live_bytes;
        }
    }
    return sums;
}

static void check_place(const series_model *model, uint32_t place, const mw_histories *histories)
{
    mw_history history = mw_histories_of(histories, place);
    expected sums = expect(model, place);

    CHECK_EQ(history.count, model->look_count);
    for (uint32_t i = 0; i < history.count; i++) {
        CHECK_NEAR(history.live_bytes[i], sums.live[i], 0);
        if (history.has_epochs) {
            CHECK_NEAR(history.kept_bytes[i], sums.kept[i], 0);
            CHECK_NEAR(history.died_bytes[i], sums.died[i], 0);
        }
        if (history.born_bytes != NULL)
            CHECK_NEAR(history.born_bytes[i], sums.born[i], 0);
    }
}

static mw_status read_histories(mw_capture *capture, uint64_t since_ns, mw_alloc *alloc,
                                mw_histories *ret_histories)
{
    mw_snapshot *last;
    uint32_t *groups;
    mw_status status;

    CHECK_OK(mw_capture_snapshot(capture, mw_capture_last_alive(capture), &last, NULL));
    groups = groups_of(last);
    status =
        mw_capture_histories(capture, last, groups, PLACES, since_ns, alloc, ret_histories, NULL);
    free(groups);
    mw_snapshot_release(last);
    return status;
}

TEST(capture_histories, are_what_the_model_says)
{
    for (uint64_t seed = 0; seed < ROUNDS; seed++) {
        series_model model = series_random(seed);
        mw_capture *capture;
        mw_histories histories;

        if (model.look_count == 0)
            continue;
        CHECK_OK(series_write(&model, path, mw_alloc_system(), NULL));
        CHECK_OK(mw_capture_open(path, mw_alloc_system(), &capture, NULL));
        CHECK_OK(read_histories(capture, 0, mw_alloc_system(), &histories));
        /* What was seen when the process ended is left out. */
        if (model.is_finished && model.look_count > 1)
            model.look_count--;
        for (uint32_t place = 0; place < PLACES; place++)
            check_place(&model, place, &histories);
        mw_histories_done(&histories);
        mw_capture_close(capture);
    }
}

TEST(capture_histories, of_one_epoch_know_no_births)
{
    series_model model = {0};
    mw_histories histories;
    mw_capture *capture;

    for (uint64_t seed = 0; model.look_count < 3; seed++)
        model = series_random(seed);
    for (uint32_t look = 0; look < model.look_count; look++)
        for (uint32_t place = 0; place < PLACES; place++)
            memset(&model.looks[look].tallies[place][1], 0,
                   (EPOCHS - 1) * sizeof model.looks[look].tallies[place][1]);
    model.peak_before = LOOKS;
    CHECK_OK(series_write(&model, path, mw_alloc_system(), NULL));
    CHECK_OK(mw_capture_open(path, mw_alloc_system(), &capture, NULL));
    CHECK_OK(read_histories(capture, 0, mw_alloc_system(), &histories));
    CHECK(!mw_histories_of(&histories, 0).has_epochs);
    CHECK(mw_histories_of(&histories, 0).kept_bytes == NULL);
    mw_histories_done(&histories);
    mw_capture_close(capture);
}

/* Nothing grows in no time. */
TEST(capture_histories, take_two_snapshots_of_one_time_for_one_moment)
{
    series_model model = {0};
    mw_histories histories;
    mw_history history;
    mw_capture *capture;

    for (uint64_t seed = 0; model.look_count < 4 || model.peak_before < LOOKS; seed++)
        model = series_random(seed);
    model.is_finished = false;
    for (uint32_t look = 0; look < model.look_count; look++)
        model.looks[look].point.time_ns = (look < 2 ? 1 : look) * SECOND;
    CHECK_OK(series_write(&model, path, mw_alloc_system(), NULL));
    CHECK_OK(mw_capture_open(path, mw_alloc_system(), &capture, NULL));
    CHECK_OK(read_histories(capture, 0, mw_alloc_system(), &histories));
    history = mw_histories_of(&histories, 0);
    CHECK_EQ(history.count, model.look_count - 1);
    for (uint32_t i = 1; i < history.count; i++)
        CHECK(history.times[i] > history.times[i - 1]);
    mw_histories_done(&histories);
    mw_capture_close(capture);
}

/* ── more snapshots than moments ─────────────────────────────────────────────────── */

/* A place that keeps ten bytes of each epoch, a snapshot every second. */
static void write_long_series(void)
{
    mw_program program = series_program();
    mw_capture_writer *writer;

    CHECK_OK(mw_capture_writer_new(path, &program, &(mw_capture_options){0}, mw_alloc_system(),
                                   &writer, NULL));
    for (uint32_t number = 0; number < LONG_SERIES; number++) {
        mw_snapshot_builder *builder;
        mw_snapshot *snapshot;
        mw_point point = {.time_ns = (number + 1) * SECOND};

        CHECK_OK(mw_snapshot_builder_new(mw_alloc_system(), 5, &builder));
        for (uint32_t epoch = 0; epoch <= number; epoch++) {
            mw_path root = {0};
            mw_site site;

            CHECK_OK(model_add_frame(
                builder, &(model_frame){.file = "a.py", .line = 1, .function = "f", .module = "a"},
                &root));
            CHECK_OK(
                mw_snapshot_builder_epoch_site(builder, root, 1, 0, (mw_thread){0}, epoch, &site));
            CHECK_OK(mw_snapshot_builder_tally(builder, site, 10, 1));
        }
        CHECK_OK(mw_snapshot_builder_finish(builder, &snapshot));
        CHECK_OK(mw_capture_writer_snapshot(writer, snapshot, &point, NULL));
        CHECK_OK(mw_capture_writer_epoch(writer, number + 1, point.time_ns, NULL));
        mw_snapshot_release(snapshot);
    }
    mw_capture_writer_free(writer);
}

TEST(capture_histories, of_many_snapshots_are_thinned_out_evenly)
{
    mw_histories histories;
    mw_history history;
    mw_capture *capture;
    double kept = 0;

    write_long_series();
    CHECK_OK(mw_capture_open(path, mw_alloc_system(), &capture, NULL));
    CHECK_OK(read_histories(capture, 0, mw_alloc_system(), &histories));
    history = mw_histories_of(&histories, 0);
    CHECK(history.count > MW_HISTORY_MAXIMUM / 2 && history.count <= MW_HISTORY_MAXIMUM);
    CHECK_NEAR(history.times[history.count - 1], (LONG_SERIES - 1) / 3600.0, 1e-9);
    CHECK_NEAR(history.live_bytes[history.count - 1], LONG_SERIES * 10, 0);
    for (uint32_t i = 0; i < history.count; i++) {
        kept += history.kept_bytes[i];
        CHECK_NEAR(kept, history.live_bytes[i], 0);
        if (i != 0)
            CHECK((history.times[i] - history.times[i - 1]) * 3600 < 4.5);
    }
    mw_histories_done(&histories);

    /* What came before counts as having been there. */
    CHECK_OK(read_histories(capture, 600 * SECOND, mw_alloc_system(), &histories));
    history = mw_histories_of(&histories, 0);
    CHECK_EQ(history.count, LONG_SERIES - 599);
    CHECK_NEAR(history.kept_bytes[0], 6000, 0);
    mw_histories_done(&histories);
    mw_capture_close(capture);
}

TEST(capture_histories, return_every_byte_whichever_allocation_fails)
{
    series_model model = series_random(3);
    mw_capture *capture;

    for (uint64_t seed = 4; model.look_count < 4; seed++)
        model = series_random(seed);
    CHECK_OK(series_write(&model, path, mw_alloc_system(), NULL));
    CHECK_OK(mw_capture_open(path, mw_alloc_system(), &capture, NULL));
    for (size_t nth = 0;; nth++) {
        mw_failing_alloc failing = mw_failing_alloc_at(nth);
        mw_histories histories;
        mw_status status = read_histories(capture, 0, &failing.base, &histories);

        if (status == MW_OK)
            mw_histories_done(&histories);
        CHECK_EQ(failing.live_bytes, 0);
        if (status == MW_OK)
            break;
        CHECK_EQ(status, MW_NO_MEMORY);
    }
    mw_capture_close(capture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(capture_histories, are_what_the_model_says),
        CASE(capture_histories, of_one_epoch_know_no_births),
        CASE(capture_histories, take_two_snapshots_of_one_time_for_one_moment),
        CASE(capture_histories, of_many_snapshots_are_thinned_out_evenly),
        CASE(capture_histories, return_every_byte_whichever_allocation_fails),
    };

    return cmocka_run_group_tests_name("capture_histories", tests, make_path, remove_file);
}
