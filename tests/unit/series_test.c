/* SPDX-License-Identifier: MIT */
#include "tracer/series.h"

#include "testing.h"

#define SECOND UINT64_C(1000000000)

TEST(series, wants_a_snapshot_each_time_and_points_between)
{
    mw_series series;
    uint32_t points = 0, snapshots = 0;

    mw_series_init(&series, 16 * SECOND);
    for (uint64_t now = 0; now <= 160 * SECOND; now = mw_series_next(&series)) {
        switch (mw_series_look(&series, now)) {
        case MW_SERIES_SNAPSHOT:
            CHECK_EQ(now % (16 * SECOND), 0);
            (void)mw_series_note_snapshot(&series, now);
            snapshots++;
            break;
        case MW_SERIES_POINT:
            mw_series_note_point(&series, now);
            points++;
            break;
        case MW_SERIES_NOTHING:
            CHECK_EQ(now, 0);
        }
    }
    CHECK_EQ(snapshots, 10);
    CHECK_EQ(points, 70);
}

TEST(series, does_not_hurry_after_a_snapshot_that_came_late)
{
    mw_series series;

    mw_series_init(&series, SECOND);
    (void)mw_series_note_snapshot(&series, SECOND + 10);
    CHECK_EQ(mw_series_next(&series), 2 * SECOND);
    (void)mw_series_note_snapshot(&series, 7 * SECOND / 2);
    CHECK_EQ(mw_series_next(&series), 9 * SECOND / 2);
    /* One that somebody asked for comes between. */
    (void)mw_series_note_snapshot(&series, 4 * SECOND);
    CHECK_EQ(mw_series_next(&series), 9 * SECOND / 2);
}

TEST(series, does_not_repeat_one_that_came_a_whole_turn_late)
{
    mw_series series;

    mw_series_init(&series, SECOND);
    (void)mw_series_note_snapshot(&series, 2 * SECOND);
    CHECK_EQ(mw_series_look(&series, 2 * SECOND), MW_SERIES_NOTHING);
    CHECK_EQ(mw_series_next(&series), 3 * SECOND);
}

TEST(series, sees_a_point_each_second_at_most_and_each_minute_at_least)
{
    mw_series series;

    mw_series_init(&series, SECOND / 10);
    mw_series_note_point(&series, 0);
    CHECK_EQ(series.next_point_ns, SECOND);
    mw_series_init(&series, 24 * 3600 * SECOND);
    CHECK_EQ(mw_series_next(&series), 60 * SECOND);
}

TEST(series, sees_half_as_many_points_after_256)
{
    mw_series series;

    mw_series_init(&series, 0);
    for (uint32_t i = 1; i < 256; i++) {
        mw_series_note_point(&series, i * SECOND);
        CHECK_EQ(mw_series_next(&series), (i + 1) * SECOND);
    }
    mw_series_note_point(&series, 256 * SECOND);
    mw_series_note_point(&series, 257 * SECOND);
    CHECK_EQ(mw_series_next(&series), 259 * SECOND);
}

TEST(series, sees_ever_fewer_points_where_nobody_wants_snapshots)
{
    mw_series series;
    uint64_t now = 0;
    uint32_t points = 0;

    mw_series_init(&series, 0);
    for (; now < 30 * 24 * 3600 * SECOND; points++) {
        now = mw_series_next(&series);
        CHECK_EQ(mw_series_look(&series, now), MW_SERIES_POINT);
        CHECK_EQ(mw_series_look(&series, now - 1), MW_SERIES_NOTHING);
        mw_series_note_point(&series, now);
    }
    CHECK(points > 256 && points < 256 * 16);
}

TEST(series, begins_an_epoch_with_ever_fewer_snapshots)
{
    mw_series series;
    uint32_t epochs = 0, before = 0;

    mw_series_init(&series, 10 * SECOND);
    for (uint32_t number = 0; number < 260000; number++) {
        if (number == 512)
            CHECK_EQ(epochs, 512);
        if (number == 1024)
            CHECK_EQ(epochs, 512 + 256);
        if (number == 2048)
            CHECK_EQ(epochs, 512 + 2 * 256);
        if (!mw_series_note_snapshot(&series, (number + 1) * 10 * SECOND))
            continue;
        epochs++;
        CHECK(number < 512 || number - before <= number / 256);
        before = number;
    }
    CHECK(epochs < 2900);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(series, wants_a_snapshot_each_time_and_points_between),
        CASE(series, does_not_hurry_after_a_snapshot_that_came_late),
        CASE(series, does_not_repeat_one_that_came_a_whole_turn_late),
        CASE(series, sees_a_point_each_second_at_most_and_each_minute_at_least),
        CASE(series, sees_half_as_many_points_after_256),
        CASE(series, sees_ever_fewer_points_where_nobody_wants_snapshots),
        CASE(series, begins_an_epoch_with_ever_fewer_snapshots),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
