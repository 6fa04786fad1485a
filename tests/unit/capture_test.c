/* SPDX-License-Identifier: MIT */
#include "capture/capture.h"

#include "capture_bytes.h"
#include "capture_files.h"
#include "testing.h"

enum { SEEDS = 120 };

/* ── complaints ──────────────────────────────────────────────────────────────────── */

/* What opening the file says is wrong with it. */
static const char *complaint(void)
{
    static mw_error error;
    mw_capture *capture = NULL;

    CHECK_EQ(mw_capture_open(capture_path, mw_alloc_system(), &capture, &error), MW_BAD_INPUT);
    CHECK(capture == NULL);
    CHECK(strstr(error.text, "x.memwhy: ") != NULL);
    return strstr(error.text, "x.memwhy: ") + strlen("x.memwhy: ");
}

/* ── what is written is read ─────────────────────────────────────────────────────── */

static void check_program(const mw_program *program)
{
    mw_program expected = series_program();

    CHECK_STR_EQ(program->name, expected.name);
    CHECK_STR_EQ(program->command_line, expected.command_line);
    CHECK_STR_EQ(program->directory, expected.directory);
    CHECK_STR_EQ(program->python, expected.python);
    CHECK_STR_EQ(program->executable, expected.executable);
    CHECK_STR_EQ(program->memwhy, expected.memwhy);
    CHECK_STR_EQ(program->host, "");
    CHECK_EQ(program->pid, expected.pid);
    CHECK_EQ(program->parent_pid, expected.parent_pid);
    CHECK_EQ(program->start_unix_ns, expected.start_unix_ns);
    CHECK_EQ(program->memory_limit_bytes, expected.memory_limit_bytes);
    CHECK_EQ(program->sample_bytes, 0);
    CHECK_EQ(program->frame_limit, FRAME_LIMIT_OF_SERIES);
    CHECK_EQ(program->program_place_count, 2);
    CHECK_STR_EQ(program->program_places[1], "/srv/more");
    CHECK_EQ(program->library_place_count, 2);
    CHECK_STR_EQ(program->library_places[0], "/usr/lib/python3.11");
    CHECK_STR_EQ(program->library_places[1], "/srv/venv/lib");
}

static void check_timeline(const series_model *model, const mw_timeline *timeline)
{
    uint32_t snapshots = 0;

    check_program(&timeline->program);
    CHECK_EQ(timeline->child_count, model->has_child);
    if (model->has_child)
        CHECK_STR_EQ(timeline->children[0].capture, "app.4712.memwhy");
    CHECK_EQ(timeline->ending, model->is_finished ? MW_ENDING_EXITED : MW_ENDING_UNKNOWN);
    CHECK_EQ(timeline->exit_status, model->is_finished ? 3 : 0);
    for (size_t i = 0; i < timeline->point_count; i++) {
        CHECK(i == 0 || timeline->points[i].time_ns >= timeline->points[i - 1].time_ns);
        if (timeline->points[i].snapshot != MW_NO_SNAPSHOT)
            CHECK_EQ(timeline->points[i].snapshot, snapshots++);
    }
    for (size_t i = 0; i < timeline->epoch_count; i++)
        series_epoch(model, timeline->epoch_starts_ns[i]);
    CHECK_EQ(timeline->epoch_starts_ns[0], 0);
}

/* Looks at the snapshots in any order. */
static void check_capture(const series_model *model, mw_capture *capture, mw_random *random)
{
    uint32_t count = mw_capture_snapshot_count(capture);

    CHECK_EQ(count, model->look_count);
    CHECK(!mw_capture_is_truncated(capture));
    check_timeline(model, mw_capture_timeline(capture));
    for (uint32_t i = 0; i < 2 * count; i++) {
        uint32_t number = i < count ? i : mw_random_below(random, count);

        series_check_look(model, capture, number, number);
        if (mw_random_below(random, 3) == 0)
            series_check_peak(model, capture);
    }
    series_check_peak(model, capture);
}

TEST(capture, gives_back_all_of_a_random_series)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        mw_random random = mw_random_of(seed);
        series_model model = series_random(seed);
        mw_capture *capture;

        write_series(&model);
        capture = open_capture();
        check_capture(&model, capture, &random);
        mw_capture_close(capture);
    }
}

TEST(capture, gives_back_what_is_kept_of_a_series_in_segments)
{
    uint32_t all_gone = 0;

    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        mw_random random = mw_random_of(seed);
        series_model model = series_random(seed);
        mw_capture *capture;
        uint32_t count, gone;

        model.keep_ns = (1 + mw_random_below(&random, 5)) * 10 * SECOND;
        write_series(&model);
        capture = open_capture();
        count = mw_capture_snapshot_count(capture);
        CHECK(count <= model.look_count);
        gone = model.look_count - count;
        all_gone += gone;
        check_timeline(&model, mw_capture_timeline(capture));
        for (uint32_t i = 0; i < count; i++)
            series_check_look(&model, capture, i, gone + i);
        for (uint32_t i = count; i-- > 0;)
            series_check_look(&model, capture, i, gone + i);
        series_check_peak(&model, capture);
        /* What is younger than was asked for is there. */
        for (uint32_t i = 0; i < gone; i++)
            CHECK(model.looks[model.look_count - 1].point.time_ns - model.looks[i].point.time_ns >=
                  model.keep_ns);
        mw_capture_close(capture);
    }
    CHECK(all_gone > SEEDS / 4);
}

/* ── running through ─────────────────────────────────────────────────────────────── */

static bool is_listed(const uint32_t *changed, uint32_t count, uint32_t site)
{
    for (uint32_t i = 0; i < count; i++) {
        if (changed[i] == site)
            return true;
    }
    return false;
}

static void check_step(mw_capture *capture, const mw_capture_replay *replay, uint32_t number,
                       mw_capture_tally *before)
{
    const mw_capture_tally *tallies = mw_capture_replay_tallies(replay);
    mw_snapshot *snapshot = NULL;
    const uint32_t *changed;
    uint32_t count;
    mw_error error;

    changed = mw_capture_replay_changed(replay, &count);
    CHECK_OK(mw_capture_snapshot(capture, number, &snapshot, &error));
    for (uint32_t site = 1; site <= mw_snapshot_site_count(snapshot); site++) {
        mw_site_row row = mw_snapshot_site(snapshot, (mw_site){site});

        CHECK_EQ(tallies[site].live_bytes, row.live_bytes);
        CHECK_EQ(tallies[site].live_blocks, row.live_blocks);
        CHECK_EQ(tallies[site].total_bytes, row.total_bytes);
        CHECK_EQ(tallies[site].total_blocks, row.total_blocks);
        CHECK_EQ(memcmp(&tallies[site], &before[site], sizeof *before) != 0,
                 is_listed(changed, count, site));
        before[site] = tallies[site];
    }
    mw_snapshot_release(snapshot);
}

TEST(capture, runs_through_a_series_by_what_changes)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        series_model model = series_random(seed);
        mw_capture_tally before[PLACES * EPOCHS + 1] = {0};
        mw_capture_replay *replay = NULL;
        mw_capture *capture;
        mw_error error;

        model.keep_ns = seed % 2 * 30 * SECOND;
        write_series(&model);
        capture = open_capture();
        CHECK_OK(mw_capture_replay_new(capture, &replay, &error));
        for (uint32_t i = 0; i < mw_capture_snapshot_count(capture); i++) {
            CHECK(mw_capture_replay_next(replay));
            check_step(capture, replay, i, before);
        }
        CHECK(!mw_capture_replay_next(replay));
        mw_capture_replay_free(replay);
        mw_capture_close(capture);
    }
}

static void check_source(const mw_capture *capture, int32_t line, const char *expected)
{
    size_t length = 0;
    const char *text = mw_capture_source_line(capture, "a.py", line, &length);

    assert_non_null(text);
    CHECK_STR_EQ(text, expected);
    CHECK_EQ(length, strlen(text));
}

TEST(capture, has_lines_of_source)
{
    series_model model = series_random(3);
    mw_capture *capture;
    size_t length = 0;

    model.places[0].depth = 3;
    model.places[0].total_frames = 3;
    model.places[0].frames[0] = (model_frame){"a.py", "f", "m", 1000, 1};
    model.places[0].frames[1] = (model_frame){"a.py", "f", "m", 1, 1};
    model.places[0].frames[2] = (model_frame){"a.py", "f", "m", 2, 1};
    model.looks[0].tallies[0][0] = (mw_capture_tally){1, 1, 1, 1};
    model.keep_ns = 20 * SECOND;
    CHECK(model.look_count > 2);
    write_series(&model);
    capture = open_capture();
    check_source(capture, 1, "    x = \"\xff\" + y1");
    check_source(capture, 2, "    x = \"\xff\" + y2");
    check_source(capture, 1000, "    x = \"\xff\" + y1000");
    CHECK(mw_capture_source_line(capture, "a.py", 3, &length) == NULL);
    CHECK(mw_capture_source_line(capture, "b.py", 2, &length) == NULL);
    CHECK(mw_capture_source_line(capture, "nowhere.py", 2, &length) == NULL);
    mw_capture_close(capture);
}

/* ── what a process and a disk may do ────────────────────────────────────────────── */

/* Checks that the file has the first snapshots of the series, or is said to have none. */
static uint32_t check_prefix(const series_model *model, size_t length, size_t first_record_end)
{
    mw_capture *capture = NULL;
    mw_error error;
    mw_status status = mw_capture_open(capture_path, mw_alloc_system(), &capture, &error);
    uint32_t count;

    if (length < first_record_end) {
        CHECK_EQ(status, MW_BAD_INPUT);
        return 0;
    }
    CHECK_OK(status);
    count = mw_capture_snapshot_count(capture);
    for (uint32_t i = 0; i < count; i++)
        series_check_look(model, capture, i, i);
    mw_capture_close(capture);
    return count;
}

TEST(capture, loses_the_last_record_alone_wherever_it_is_cut_off)
{
    series_model model = full_series();
    capture_bytes whole;
    size_t first_record_end;
    uint32_t count = 0;

    write_series(&model);
    whole = read_bytes(capture_path);
    first_record_end = MW_CAPTURE_HEADER_BYTES + MW_RECORD_HEADER_BYTES + u32_at(whole.bytes + 24);
    for (size_t length = 0; length <= whole.length; length++) {
        uint32_t now;

        write_bytes(capture_path, whole.bytes, length);
        now = check_prefix(&model, length, first_record_end);
        CHECK(now == count || now == count + 1);
        count = now;
    }
    CHECK_EQ(count, model.look_count);
    free(whole.bytes);
}

TEST(capture, takes_zeroes_at_its_end_for_what_was_never_written)
{
    series_model model = full_series();
    capture_bytes whole;
    mw_capture *capture;

    write_series(&model);
    whole = read_bytes(capture_path);
    whole.bytes = realloc(whole.bytes, whole.length + 10000);
    memset(whole.bytes + whole.length, 0, 10000);
    write_bytes(capture_path, whole.bytes, whole.length + 10000);
    capture = open_capture();
    CHECK(mw_capture_is_truncated(capture));
    CHECK_EQ(mw_capture_snapshot_count(capture), model.look_count);
    mw_capture_close(capture);
    free(whole.bytes);
}

/* ── what cannot be right ────────────────────────────────────────────────────────── */

TEST(capture, says_that_another_file_is_none)
{
    write_bytes(capture_path, (const uint8_t *)"", 0);
    CHECK_STR_EQ(complaint(), "is not a capture of memwhy.");
    write_bytes(capture_path, (const uint8_t *)"\x89memwhx\n and more of it", 20);
    CHECK_STR_EQ(complaint(), "is not a capture of memwhy.");
    write_bytes(capture_path, (const uint8_t *)MW_CAPTURE_MAGIC, 8);
    CHECK_STR_EQ(complaint(), "is cut off within its first 16 bytes.");
}

TEST(capture, says_that_a_newer_memwhy_made_it)
{
    series_model model = full_series();
    capture_bytes whole;

    write_series(&model);
    whole = read_bytes(capture_path);
    whole.bytes[8] = 7;
    write_bytes(capture_path, whole.bytes, whole.length);
    CHECK_STR_EQ(complaint(), "was made by a newer memwhy, format 7; this one reads up to 1.");
    free(whole.bytes);
}

TEST(capture, reads_what_a_newer_memwhy_of_the_same_format_made)
{
    series_model model = full_series();
    capture_bytes whole;
    mw_capture *capture;

    write_series(&model);
    whole = read_bytes(capture_path);
    whole.bytes[10] = 9;
    fix_records(whole.bytes, whole.length);
    write_bytes(capture_path, whole.bytes, whole.length);
    capture = open_capture();
    CHECK_EQ(mw_capture_snapshot_count(capture), 3);
    mw_capture_close(capture);
    free(whole.bytes);
}

/* Where the second record is. */
static size_t second_record(const capture_bytes *whole)
{
    return MW_CAPTURE_HEADER_BYTES + MW_RECORD_HEADER_BYTES + u32_at(whole->bytes + 24);
}

TEST(capture, looks_past_records_that_are_optional_and_past_no_others)
{
    series_model model = full_series();
    capture_bytes whole;
    mw_capture *capture;
    size_t at;

    write_series(&model);
    whole = read_bytes(capture_path);
    at = second_record(&whole);
    CHECK_EQ(whole.bytes[at + 6], MW_RECORD_CHILD);
    whole.bytes[at + 6] = 200;
    fix_records(whole.bytes, whole.length);
    write_bytes(capture_path, whole.bytes, whole.length);
    CHECK(strstr(complaint(), "record 2 (unknown) at offset") != NULL);
    whole.bytes[at + 7] |= MW_RECORD_OPTIONAL;
    fix_records(whole.bytes, whole.length);
    write_bytes(capture_path, whole.bytes, whole.length);
    capture = open_capture();
    CHECK_EQ(mw_capture_timeline(capture)->child_count, 0);
    CHECK_EQ(mw_capture_snapshot_count(capture), 3);
    mw_capture_close(capture);
    free(whole.bytes);
}

TEST(capture, says_which_record_is_damaged_and_where)
{
    series_model model = full_series();
    char expected[128];
    capture_bytes whole;

    write_series(&model);
    whole = read_bytes(capture_path);
    whole.bytes[second_record(&whole) + 20] ^= 4;
    write_bytes(capture_path, whole.bytes, whole.length);
    snprintf(expected, sizeof expected,
             "record 2 (child) at offset %zu is damaged: its checksum does not match.",
             second_record(&whole));
    CHECK_STR_EQ(complaint(), expected);
    free(whole.bytes);
}

/* Everything that can be asked of a capture, with an allocator that may refuse. */
static mw_status use(mw_capture *capture)
{
    mw_capture_replay *replay = NULL;
    mw_snapshot *snapshot = NULL;
    mw_point point;
    mw_status status = mw_capture_replay_new(capture, &replay, NULL);

    while (status == MW_OK && mw_capture_replay_next(replay))
        continue;
    mw_capture_replay_free(replay);
    for (uint32_t i = mw_capture_snapshot_count(capture); i-- > 0 && status == MW_OK;) {
        status = mw_capture_snapshot(capture, i, &snapshot, NULL);
        if (status == MW_OK)
            CHECK(mw_snapshot_is_consistent(snapshot));
        mw_snapshot_release(snapshot);
        snapshot = NULL;
    }
    if (status == MW_OK)
        status = mw_capture_peak(capture, &snapshot, &point, NULL);
    mw_snapshot_release(snapshot);
    return status == MW_UNSUPPORTED ? MW_OK : status;
}

static mw_status open_and_use(mw_alloc *alloc)
{
    mw_capture *capture = NULL;
    mw_error error = {.text = ""};
    mw_status status = mw_capture_open(capture_path, alloc, &capture, &error);

    if (status == MW_OK)
        status = use(capture);
    else
        CHECK(strlen(error.text) > 10);
    mw_capture_close(capture);
    return status;
}

/* Checks that what the file has become is refused or used, and nothing is lost of memory. */
static void check_mutation(void)
{
    mw_failing_alloc failing = mw_failing_alloc_never();
    mw_status status = open_and_use(&failing.base);

    CHECK(status == MW_OK || status == MW_BAD_INPUT || status == MW_LIMIT);
    CHECK_EQ(failing.live_blocks, 0);
}

TEST(capture, survives_any_bit_that_flips)
{
    series_model model = full_series();
    capture_bytes whole;

    write_series(&model);
    whole = read_bytes(capture_path);
    for (size_t at = 0; at < whole.length; at++) {
        uint8_t bit = (uint8_t)(1 << at % 8);

        whole.bytes[at] ^= bit;
        write_bytes(capture_path, whole.bytes, whole.length);
        check_mutation();
        whole.bytes[at] ^= bit;
    }
    free(whole.bytes);
}

/* The same behind the checksums. */
TEST(capture, survives_any_byte_that_lies)
{
    static const uint8_t lies[] = {0, 1, 0x7f, 0x80, 0xff};
    series_model model = full_series();
    capture_bytes whole, plain, lie;

    model.look_count = 2;
    write_series(&model);
    whole = read_bytes(capture_path);
    plain = plain_bytes(&whole);
    lie.length = plain.length;
    lie.bytes = malloc(plain.length);
    for (size_t at = MW_CAPTURE_HEADER_BYTES; at < plain.length; at++) {
        for (size_t i = 0; i <= sizeof lies; i++) {
            memcpy(lie.bytes, plain.bytes, plain.length);
            lie.bytes[at] = i < sizeof lies ? lies[i] : (uint8_t)(lie.bytes[at] + 1);
            fix_records(lie.bytes, lie.length);
            write_bytes(capture_path, lie.bytes, lie.length);
            check_mutation();
        }
    }
    free(whole.bytes);
    free(plain.bytes);
    free(lie.bytes);
}

/* ── memory ──────────────────────────────────────────────────────────────────────── */

TEST(capture, reading_returns_every_byte_whichever_allocation_fails)
{
    series_model model = full_series();
    mw_status status = MW_NO_MEMORY;

    model.keep_ns = 20 * SECOND;
    write_series(&model);
    for (size_t nth = 0; status != MW_OK; nth++) {
        mw_failing_alloc failing = mw_failing_alloc_at(nth);

        status = open_and_use(&failing.base);
        CHECK(status == MW_OK || status == MW_NO_MEMORY);
        CHECK_EQ(failing.live_blocks, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(capture, gives_back_all_of_a_random_series),
        CASE(capture, gives_back_what_is_kept_of_a_series_in_segments),
        CASE(capture, runs_through_a_series_by_what_changes),
        CASE(capture, has_lines_of_source),
        CASE(capture, loses_the_last_record_alone_wherever_it_is_cut_off),
        CASE(capture, takes_zeroes_at_its_end_for_what_was_never_written),
        CASE(capture, says_that_another_file_is_none),
        CASE(capture, says_that_a_newer_memwhy_made_it),
        CASE(capture, reads_what_a_newer_memwhy_of_the_same_format_made),
        CASE(capture, looks_past_records_that_are_optional_and_past_no_others),
        CASE(capture, says_which_record_is_damaged_and_where),
        CASE(capture, survives_any_bit_that_flips),
        CASE(capture, survives_any_byte_that_lies),
        CASE(capture, reading_returns_every_byte_whichever_allocation_fails),
    };

    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
