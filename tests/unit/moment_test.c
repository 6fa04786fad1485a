/* SPDX-License-Identifier: MIT
 *
 * Moments as people name them, in a series of five snapshots, ten seconds apart.
 */
#include "testing.h"

#include "cli/moment.h"

#include <stdlib.h>
#include <time.h>

#define SECONDS UINT64_C(1000000000)

enum { START_UNIX = 1795277518 /* 2026-11-21 16:11:58 UTC, a little before the first snapshot */ };

static const mw_point points[] = {
    {.time_ns = 0, .snapshot = 0},
    {.time_ns = 5 * SECONDS, .snapshot = MW_NO_SNAPSHOT},
    {.time_ns = 10 * SECONDS, .snapshot = 1},
    {.time_ns = 20 * SECONDS + 3000, .snapshot = 2},
    {.time_ns = 30 * SECONDS, .snapshot = 3},
    {.time_ns = 120 * SECONDS, .snapshot = 4},
    {.time_ns = 125 * SECONDS, .snapshot = MW_NO_SNAPSHOT},
};
static const uint64_t epochs[] = {
    0, 1000, 10 * SECONDS + 1000, 20 * SECONDS + 4000, 30 * SECONDS + 1000, 120 * SECONDS + 1000};

static const mw_timeline series = {
    .program = {.start_unix_ns = START_UNIX * SECONDS},
    .points = points,
    .point_count = sizeof points / sizeof points[0],
    .epoch_starts_ns = epochs,
    .epoch_count = sizeof epochs / sizeof epochs[0],
};

static void check_moment(const char *text, uint32_t snapshot)
{
    uint32_t found = 99;
    mw_error error = {0};

    if (mw_moment_find(&series, "--at", text, &found, &error) != MW_OK)
        fail_msg("%s: %s", text, error.text);
    CHECK_EQ(found, snapshot);
}

static void check_refused(const char *text, const char *sentence)
{
    uint32_t found;
    mw_error error = {0};

    CHECK_EQ(mw_moment_find(&series, "--at", text, &found, &error), MW_BAD_INPUT);
    CHECK_STR_EQ(error.text, sentence);
}

TEST(moment, is_the_nearest_snapshot)
{
    check_moment("0", 0);
    check_moment("0s", 0);
    check_moment("4s", 0);
    check_moment("9s", 1);
    check_moment("20s", 2);
    check_moment("1m", 3);
    check_moment("2m", 4);
    check_moment("2m8s", 4);
}

TEST(moment, may_be_a_number_or_a_word_or_count_from_the_end)
{
    check_moment("3", 3);
    check_moment("#3", 3);
    check_moment("start", 0);
    check_moment("end", 4);
    check_moment("-90s", 3);
    check_moment("-5h", 0);
}

TEST(moment, may_be_a_time_of_the_clock)
{
    setenv("TZ", "UTC", 1);
    tzset();
    check_moment("16:11:58", 0);
    check_moment("16:12:09", 1);
    check_moment("16:14", 4);
    check_moment("2026-11-21 16:12:28", 3);
    check_moment("2026-11-21T16:12:28", 3);
    setenv("TZ", "CET-1", 1);
    tzset();
    check_moment("17:12:28", 3);
}

TEST(moment, outside_of_the_series_is_refused)
{
    check_refused("2026-11-20 16:12:28",
                  "--at takes a moment, as in \"90s\", \"-10m\", \"14:03\", \"end\" or a "
                  "snapshot's number, not \"2026-11-20 16:12:28\".");
    check_refused("5", "--at 5: the capture's snapshots have the numbers 0 to 4.");
    check_refused("10m", "--at 10m: the capture ends at 2m05s.");
    check_refused("soon", "--at takes a moment, as in \"90s\", \"-10m\", \"14:03\", \"end\" or a "
                          "snapshot's number, not \"soon\".");
    check_refused("", "--at takes a moment, as in \"90s\", \"-10m\", \"14:03\", \"end\" or a "
                      "snapshot's number, not \"\".");
    check_refused("99999999999", "--at takes a moment, as in \"90s\", \"-10m\", \"14:03\", "
                                 "\"end\" or a snapshot's number, not \"99999999999\".");
}

TEST(moment, knows_the_epochs_around_it)
{
    CHECK_EQ(mw_moment_snapshot_count(&series), 5);
    CHECK_EQ(mw_moment_point(&series, 3)->time_ns, 30 * SECONDS);
    CHECK(mw_moment_point(&series, 5) == NULL);
    CHECK_EQ(mw_moment_epoch(&series, 10 * SECONDS), 2);
    CHECK_EQ(mw_moment_epoch(&series, 20 * SECONDS + 3000), 3);
    CHECK_EQ(mw_moment_epochs_older(&series, 120 * SECONDS, 90 * SECONDS - 1000), 4);
    CHECK_EQ(mw_moment_epochs_older(&series, 120 * SECONDS, 90 * SECONDS), 3);
    CHECK_EQ(mw_moment_epochs_older(&series, 120 * SECONDS, 121 * SECONDS), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(moment, is_the_nearest_snapshot),
        CASE(moment, may_be_a_number_or_a_word_or_count_from_the_end),
        CASE(moment, may_be_a_time_of_the_clock),
        CASE(moment, outside_of_the_series_is_refused),
        CASE(moment, knows_the_epochs_around_it),
    };

    return cmocka_run_group_tests_name("moment", tests, NULL, NULL);
}
