/* SPDX-License-Identifier: MIT */
#include "testing.h"

#include "base/quantity.h"

static void check_duration(const char *text, uint64_t ns)
{
    uint64_t found = 12345;

    CHECK(mw_duration_parse(text, &found));
    CHECK(found == ns);
}

static void check_size(const char *text, uint64_t bytes)
{
    uint64_t found = 12345;

    CHECK(mw_size_parse(text, &found));
    CHECK(found == bytes);
}

TEST(quantity, reads_durations)
{
    check_duration("0", 0);
    check_duration("10s", UINT64_C(10000000000));
    check_duration("1.5h", UINT64_C(5400000000000));
    check_duration("1h30m", UINT64_C(5400000000000));
    check_duration("500ms", 500000000);
    check_duration("3us", 3000);
    check_duration("7ns", 7);
    check_duration("2d", UINT64_C(172800000000000));
    check_duration("1w", UINT64_C(604800000000000));
}

TEST(quantity, refuses_what_is_no_duration)
{
    static const char *const texts[] = {
        "",     "10",   "s",    "-1s", "10 s",  "10S", "1h30", "10x",
        "1e3s", "0x1s", "infs", ".5s", "1..5s", "1s ", " 1s",  "99999999999999999999w",
    };
    uint64_t ns;

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        CHECK(!mw_duration_parse(texts[i], &ns));
}

TEST(quantity, reads_sizes)
{
    check_size("0", 0);
    check_size("512", 512);
    check_size("512B", 512);
    check_size("64K", 65536);
    check_size("64KiB", 65536);
    check_size("64kib", 65536);
    check_size("10MB", 10000000);
    check_size("1.5GiB", UINT64_C(1610612736));
    check_size("10 MiB", 10 << 20);
    check_size("2T", UINT64_C(2) << 40);
}

TEST(quantity, refuses_what_is_no_size)
{
    static const char *const texts[] = {"",    "K",   "-1",   "10X",    "10MiBs",       "10 M B",
                                        "10%", "1e6", "10iB", "10Kib8", "99999999999T", "10kx",
                                        "10xB"};
    uint64_t bytes;

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        CHECK(!mw_size_parse(texts[i], &bytes));
}

TEST(quantity, reads_percentages)
{
    double percent = -1;

    CHECK(mw_percent_parse("5%", &percent) && percent == 5);
    CHECK(mw_percent_parse("0.5 %", &percent) && percent == 0.5);
    CHECK(!mw_percent_parse("5", &percent));
    CHECK(!mw_percent_parse("%", &percent));
    CHECK(!mw_percent_parse("5%%", &percent));
    CHECK(!mw_percent_parse("-5%", &percent));
}

TEST(quantity, shows_durations_in_two_units_at_most)
{
    CHECK_STR_EQ(mw_duration_format(0).text, "0.0s");
    CHECK_STR_EQ(mw_duration_format(UINT64_C(12345678901)).text, "12.3s");
    CHECK_STR_EQ(mw_duration_format(UINT64_C(59949999999)).text, "59.9s");
    CHECK_STR_EQ(mw_duration_format(UINT64_C(59950000000)).text, "1m00s");
    CHECK_STR_EQ(mw_duration_format(UINT64_C(123000000000)).text, "2m03s");
    CHECK_STR_EQ(mw_duration_format(UINT64_C(3900000000000)).text, "1h05m");
    CHECK_STR_EQ(mw_duration_format(UINT64_C(273600000000000)).text, "3d04h");
    CHECK_STR_EQ(mw_duration_format(UINT64_MAX).text, "213503d23h");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(quantity, reads_durations),   CASE(quantity, refuses_what_is_no_duration),
        CASE(quantity, reads_sizes),       CASE(quantity, refuses_what_is_no_size),
        CASE(quantity, reads_percentages), CASE(quantity, shows_durations_in_two_units_at_most),
    };

    return cmocka_run_group_tests_name("quantity", tests, NULL, NULL);
}
