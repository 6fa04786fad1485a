/* SPDX-License-Identifier: MIT
 *
 * What is written is read back, column by column, and says what the snapshots say.
 */
#include "render/page_data.h"

#include "core/group.h"
#include "core/snapshot_tables.h"
#include "moment_list.h"
#include "snapshot_model.h"

#include <stdio.h>

enum { SEEDS = 40, STATES_MAXIMUM = MW_PAGE_MOMENT_MAXIMUM + 2 };

/* ── reading ─────────────────────────────────────────────────────────────────────── */

typedef struct page_reader {
    const unsigned char *bytes;
    size_t length;
    size_t at;
    uint32_t point_count;
    uint32_t string_count;
    uint32_t *string_starts; /* owned; where each begins        */
    uint32_t *string_lengths;
    uint32_t frame_count, path_count, row_count;
    uint32_t *files, *lines; /* owned; by frame                 */
    uint32_t *path_frames;   /* owned; by path                  */
    uint32_t *row_paths;     /* owned; by row                   */
    uint64_t *amounts;       /* owned; bytes, then blocks by row */
} page_reader;

static uint64_t take(page_reader *reader)
{
    uint64_t number = 0;

    for (int shift = 0;; shift += 7) {
        CHECK(reader->at < reader->length);
        number |= (uint64_t)(reader->bytes[reader->at] & 127) << shift;
        if (reader->bytes[reader->at++] < 128)
            return number;
    }
}

static uint64_t take_change(page_reader *reader)
{
    uint64_t number = take(reader);

    return number >> 1 ^ (0 - (number & 1));
}

static uint32_t *take_column(page_reader *reader, uint32_t count, bool is_changes)
{
    uint32_t *column = calloc(count + 1, sizeof *column);
    uint32_t last = 0;

    assert_non_null(column);
    for (uint32_t i = 1; i < count; i++) {
        last = is_changes ? last + (uint32_t)take_change(reader) : (uint32_t)take(reader);
        column[i] = last;
    }
    return column;
}

static void take_strings(page_reader *reader)
{
    uint32_t start;

    reader->string_count = (uint32_t)take(reader);
    reader->string_lengths = calloc(reader->string_count, sizeof *reader->string_lengths);
    reader->string_starts = calloc(reader->string_count, sizeof *reader->string_starts);
    for (uint32_t i = 0; i < reader->string_count; i++)
        reader->string_lengths[i] = (uint32_t)take(reader);
    start = (uint32_t)reader->at;
    for (uint32_t i = 0; i < reader->string_count; i++) {
        reader->string_starts[i] = start;
        start += reader->string_lengths[i];
    }
    reader->at = start;
}

static void take_tables(page_reader *reader)
{
    for (uint64_t files = take(reader); files > 0; files--)
        for (int i = 0; i < 3; i++)
            take(reader);
    reader->frame_count = (uint32_t)take(reader);
    reader->files = take_column(reader, reader->frame_count, true);
    free(take_column(reader, reader->frame_count, true)); /* functions */
    free(take_column(reader, reader->frame_count, true)); /* modules   */
    reader->lines = take_column(reader, reader->frame_count, false);
    free(take_column(reader, reader->frame_count, true)); /* texts     */
    reader->path_count = (uint32_t)take(reader);
    for (uint32_t i = 1; i < reader->path_count; i++) {
        uint64_t step = take(reader);
        CHECK(step >= 1 && step <= i);
    }
    reader->path_frames = take_column(reader, reader->path_count, true);
    reader->row_count = (uint32_t)take(reader);
    reader->row_paths = take_column(reader, reader->row_count, true);
    free(take_column(reader, reader->row_count, false)); /* domains */
    free(take_column(reader, reader->row_count, false)); /* threads */
    reader->amounts = calloc((size_t)reader->row_count * 2, sizeof *reader->amounts);
}

/* The text of the facts stays in place; [ret_facts] is a copy of its beginning. */
static void reader_open(page_reader *reader, const mw_buffer *buffer, char *ret_facts, size_t room)
{
    uint64_t length;

    *reader =
        (page_reader){.bytes = (const unsigned char *)buffer->bytes, .length = buffer->length};
    length = take(reader);
    CHECK(length < room);
    memcpy(ret_facts, reader->bytes + reader->at, length);
    ret_facts[length] = '\0';
    reader->at += length;
    reader->point_count = (uint32_t)take(reader);
    for (uint32_t i = 0; i < reader->point_count; i++)
        for (int field = 0; field < 7; field++)
            take(reader);
    take_strings(reader);
    take_tables(reader);
}

static void reader_next_state(page_reader *reader)
{
    for (uint32_t column = 0; column < 2; column++)
        for (uint32_t i = 1; i < reader->row_count; i++)
            reader->amounts[column * reader->row_count + i] += take_change(reader);
}

static void reader_close(page_reader *reader)
{
    CHECK_EQ(reader->at, reader->length);
    free(reader->string_starts);
    free(reader->string_lengths);
    free(reader->files);
    free(reader->lines);
    free(reader->path_frames);
    free(reader->row_paths);
    free(reader->amounts);
}

static bool stands_at(const page_reader *reader, uint32_t row, const char *file, size_t length,
                      int32_t line)
{
    uint32_t frame = reader->path_frames[reader->row_paths[row]];
    uint32_t string = reader->files[frame];

    return reader->lines[frame] == (uint32_t)line && reader->string_lengths[string] == length &&
           memcmp(reader->bytes + reader->string_starts[string], file, length) == 0;
}

/* What the state that was read last holds by line. */
static void check_state(const page_reader *reader, const mw_snapshot *snapshot)
{
    mw_rows rows;

    CHECK_OK(mw_snapshot_group(snapshot, MW_GROUP_LINE, MW_GROUP_INNERMOST, mw_alloc_system(),
                               &rows, NULL));
    for (uint32_t i = 0; i < rows.count; i++) {
        size_t length;
        const char *file = mw_snapshot_string(snapshot, rows.items[i].file, &length);
        uint64_t bytes = 0, blocks = 0;
        for (uint32_t row = 1; row < reader->row_count; row++) {
            if (!stands_at(reader, row, file, length, rows.items[i].line))
                continue;
            bytes += reader->amounts[row];
            blocks += reader->amounts[reader->row_count + row];
        }
        CHECK_EQ(bytes, rows.items[i].bytes);
        CHECK_EQ(blocks, rows.items[i].blocks);
    }
    mw_rows_done(&rows);
}

/* ── series ──────────────────────────────────────────────────────────────────────── */

static void check_written(mw_page_data *data, const mw_view *view)
{
    static char facts[1 << 15];
    page_reader reader;
    mw_buffer buffer;

    mw_buffer_init(&buffer, mw_alloc_system());
    CHECK_OK(mw_page_data_write(data, &buffer.sink));
    reader_open(&reader, &buffer, facts, sizeof facts);
    reader_next_state(&reader);
    check_state(&reader, view->snapshot);
    if (view->older != NULL) {
        reader_next_state(&reader);
        check_state(&reader, view->older);
    }
    for (uint32_t i = data->moment_count; i > 0; i--) {
        reader_next_state(&reader);
        check_state(&reader,
                    ((moment_list *)view->moments)->snapshots[data->moments[i - 1].number]);
    }
    reader_close(&reader);
    mw_buffer_done(&buffer);
}

/* As often as the page is written again because it was too large. */
static void check_view(const mw_view *view)
{
    mw_failing_alloc failing = mw_failing_alloc_never();
    mw_page_data data;

    CHECK_OK(mw_page_data_init(&data, view, &failing.base));
    do
        check_written(&data, view);
    while (mw_page_data_thin(&data));
    mw_page_data_done(&data);
    CHECK_EQ(failing.live_blocks, 0);
}

TEST(page_data, of_a_difference_is_read_back)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        snapshot_model newer = model_random(seed), older = model_random(seed + 900);
        mw_snapshot *a = model_snapshot(&newer), *b = model_snapshot(&older);
        mw_view view = {.snapshot = a, .older = b};

        check_view(&view);
        mw_snapshot_release(a);
        mw_snapshot_release(b);
    }
}

enum { SERIES = 60 };

/* Of each of [count] snapshots the site [number] modulo the count has more than before. */
static void series_init(moment_list *made, uint32_t count, uint64_t seed)
{
    snapshot_model model = model_random_large(seed);
    mw_snapshot *first = model_snapshot(&model);
    uint32_t sites = mw_snapshot_site_count(first) + 1;
    mw_tally *tallies = calloc(sites, sizeof *tallies);

    *made = (moment_list){0};
    for (uint32_t i = 0; i < count; i++) {
        uint32_t site = 1 + i % (sites - 1);
        mw_snapshot *snapshot;
        tallies[site].bytes += 100 + i;
        tallies[site].blocks += 1;
        CHECK_OK(mw_snapshot_with_tallies(first, tallies, NULL, sites, &snapshot));
        moment_list_add(made, snapshot, (uint64_t)i * 1000);
    }
    free(tallies);
    mw_snapshot_release(first);
}

TEST(page_data, of_a_series_is_read_back_whatever_its_length)
{
    for (uint32_t count = 1; count <= SERIES; count += 7) {
        moment_list made;
        mw_view view = {.moments = &made.base};

        series_init(&made, count, count);
        view.snapshot = made.snapshots[count - 1];
        check_view(&view);
        view.snapshot = made.snapshots[0]; /* the peak, say */
        check_view(&view);
        moment_list_done(&made);
    }
}

TEST(page_data, has_the_first_and_the_last_moment_and_others_evenly_in_time)
{
    moment_list made;
    mw_view view = {.moments = &made.base};
    mw_page_data data;

    series_init(&made, SERIES, 1);
    view.snapshot = made.snapshots[0];
    CHECK_OK(mw_page_data_init(&data, &view, mw_alloc_system()));
    CHECK_EQ(data.moment_count, MW_PAGE_MOMENT_MAXIMUM);
    CHECK_EQ(data.moments[0].time_ns, 0);
    CHECK_EQ(data.moments[MW_PAGE_MOMENT_MAXIMUM - 1].time_ns, (SERIES - 1) * 1000);
    for (uint32_t i = 1; i < data.moment_count; i++) {
        uint64_t step = data.moments[i].time_ns - data.moments[i - 1].time_ns;
        CHECK(step >= 1000 && step <= 4000);
    }
    CHECK(!data.has_time);
    CHECK(mw_page_data_thin(&data));
    CHECK_EQ(data.moment_count, MW_PAGE_MOMENT_MAXIMUM / 2 + 1);
    CHECK_EQ(data.moments[data.moment_count - 1].time_ns, (SERIES - 1) * 1000);
    while (mw_page_data_thin(&data))
        ;
    CHECK_EQ(data.moment_count, 2);
    mw_page_data_done(&data);
    moment_list_done(&made);
}

TEST(page_data, knows_the_time_of_what_it_shows_if_that_is_the_last_moment)
{
    moment_list made;
    mw_view view = {.moments = &made.base};
    mw_page_data data;

    series_init(&made, 10, 1);
    view.snapshot = made.snapshots[9];
    CHECK_OK(mw_page_data_init(&data, &view, mw_alloc_system()));
    CHECK(data.has_time);
    CHECK_EQ(data.time_ns, 9000);
    CHECK_EQ(data.moment_count, 9); /* it stands there once */
    mw_page_data_done(&data);
    moment_list_done(&made);
}

/* A hundred snapshots of a large process would not fit beside each other. */
TEST(page_data, lets_go_of_a_moment_before_it_takes_the_next)
{
    moment_list made;
    mw_view view = {.moments = &made.base};
    mw_page_data data;

    series_init(&made, 10, 1);
    view.snapshot = made.snapshots[9];
    CHECK_OK(mw_page_data_init(&data, &view, mw_alloc_system()));
    for (uint32_t i = 0; i < 10; i++)
        CHECK_EQ(made.snapshots[i]->references, 1);
    mw_page_data_done(&data);
    moment_list_done(&made);
}

static mw_status take_anew(mw_moments *self, size_t number, mw_snapshot **ret_snapshot)
{
    snapshot_model model = model_random(number);

    (void)self;
    *ret_snapshot = model_snapshot(&model);
    return MW_OK;
}

/* As a series is whose regions are looked for in each of its snapshots. */
TEST(page_data, of_moments_with_tables_of_their_own_is_read_back)
{
    static char facts[1 << 15];
    moment_list made = {.base = {.count = 9, .time_ns = moment_list_time, .take = take_anew}};
    mw_view view = {.moments = &made.base};
    mw_page_data data;
    page_reader reader;
    mw_buffer buffer;

    CHECK_OK(take_anew(&made.base, 100, &made.snapshots[0]));
    view.snapshot = made.snapshots[0];
    mw_buffer_init(&buffer, mw_alloc_system());
    CHECK_OK(mw_page_data_init(&data, &view, mw_alloc_system()));
    CHECK_OK(mw_page_data_write(&data, &buffer.sink));
    reader_open(&reader, &buffer, facts, sizeof facts);
    reader_next_state(&reader);
    for (uint32_t i = data.moment_count; i > 0; i--) {
        mw_snapshot *snapshot;

        CHECK_OK(take_anew(&made.base, data.moments[i - 1].number, &snapshot));
        reader_next_state(&reader);
        check_state(&reader, snapshot);
        mw_snapshot_release(snapshot);
    }
    reader_close(&reader);
    mw_page_data_done(&data);
    mw_buffer_done(&buffer);
    mw_snapshot_release(made.snapshots[0]);
}

/* ── facts ───────────────────────────────────────────────────────────────────────── */

static void write_facts_of(const mw_view *view, char *ret_facts, size_t room,
                           uint32_t *ret_point_count)
{
    mw_page_data data;
    page_reader reader;
    mw_buffer buffer;

    mw_buffer_init(&buffer, mw_alloc_system());
    CHECK_OK(mw_page_data_init(&data, view, mw_alloc_system()));
    CHECK_OK(mw_page_data_write(&data, &buffer.sink));
    reader_open(&reader, &buffer, ret_facts, room);
    *ret_point_count = reader.point_count;
    reader_next_state(&reader);
    reader_close(&reader);
    mw_page_data_done(&data);
    mw_buffer_done(&buffer);
}

TEST(page_data, quotes_what_nobody_has_checked)
{
    static char facts[1 << 14];
    snapshot_model model = {.frame_limit = 1};
    mw_snapshot *snapshot = model_snapshot(&model);
    mw_timeline timeline = {.program = {.name = "</script>\"\n\xff",
                                        .command_line = "",
                                        .directory = "",
                                        .python = "",
                                        .executable = "",
                                        .memwhy = "",
                                        .host = "",
                                        .pid = -1}};
    mw_view view = {.snapshot = snapshot, .timeline = &timeline, .verdict = "a\\b"};
    uint32_t points;

    write_facts_of(&view, facts, sizeof facts, &points);
    assert_non_null(strstr(facts, "\"name\":\"</script>\\\"\\u000a\\ufffd\""));
    assert_non_null(strstr(facts, "\"verdict\":\"a\\\\b\""));
    assert_non_null(strstr(facts, "\"pid\":-1"));
    assert_non_null(strstr(facts, "\"measure\":\"alive\""));
    mw_snapshot_release(snapshot);
}

TEST(page_data, keeps_the_peaks_of_a_long_timeline)
{
    enum { COUNT = 50000 };
    static char facts[1 << 14];
    static mw_point points[COUNT];
    snapshot_model model = {.frame_limit = 1};
    mw_snapshot *snapshot = model_snapshot(&model);
    mw_timeline timeline = {.points = points, .point_count = COUNT};
    mw_view view = {.snapshot = snapshot, .timeline = &timeline};
    uint32_t kept;

    timeline.program = (mw_program){"", "", "", "", "", "", "", .pid = 1};
    for (uint32_t i = 0; i < COUNT; i++)
        points[i] = (mw_point){.time_ns = i, .live_bytes = 1000 + i % 7, .snapshot = -1};
    write_facts_of(&view, facts, sizeof facts, &kept);
    CHECK(kept <= MW_PAGE_POINT_BINS * 4 + 2);
    CHECK(kept >= MW_PAGE_POINT_BINS);
    assert_non_null(strstr(facts, "\"point_count\":50000,"));
    timeline.point_count = MW_PAGE_POINT_BINS * 4;
    write_facts_of(&view, facts, sizeof facts, &kept);
    CHECK_EQ(kept, MW_PAGE_POINT_BINS * 4);
    mw_snapshot_release(snapshot);
}

static mw_status write_all(mw_page_data *data, const mw_view *view, mw_alloc *alloc)
{
    mw_buffer buffer;
    mw_status status = mw_page_data_init(data, view, alloc);

    mw_buffer_init(&buffer, alloc);
    if (status == MW_OK)
        status = mw_page_data_write(data, &buffer.sink);
    mw_page_data_done(data);
    mw_buffer_done(&buffer);
    return status;
}

TEST(page_data, returns_every_byte_whichever_allocation_fails)
{
    const mw_places places = {.directory = ""};
    moment_list made;
    mw_view view = {.moments = &made.base, .places = &places};
    mw_timeline timeline = {0};
    mw_status status = MW_NO_MEMORY;

    timeline.program = (mw_program){"", "", "", "", "", "", "", .pid = 1};
    view.timeline = &timeline;
    series_init(&made, 4, 5);
    view.snapshot = made.snapshots[2];
    view.older = made.snapshots[1];
    for (size_t nth = 0; status != MW_OK; nth++) {
        mw_failing_alloc failing = mw_failing_alloc_at(nth);
        mw_page_data data;

        status = write_all(&data, &view, &failing.base);
        CHECK(status == MW_OK || status == MW_NO_MEMORY);
        CHECK_EQ(failing.live_blocks, 0);
    }
    moment_list_done(&made);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(page_data, of_a_difference_is_read_back),
        CASE(page_data, of_a_series_is_read_back_whatever_its_length),
        CASE(page_data, has_the_first_and_the_last_moment_and_others_evenly_in_time),
        CASE(page_data, knows_the_time_of_what_it_shows_if_that_is_the_last_moment),
        CASE(page_data, lets_go_of_a_moment_before_it_takes_the_next),
        CASE(page_data, of_moments_with_tables_of_their_own_is_read_back),
        CASE(page_data, quotes_what_nobody_has_checked),
        CASE(page_data, keeps_the_peaks_of_a_long_timeline),
        CASE(page_data, returns_every_byte_whichever_allocation_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
