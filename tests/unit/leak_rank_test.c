/* SPDX-License-Identifier: MIT
 *
 * The rules one by one, and how often they err on programs of many kinds (leak_model.h;
 * leak_rates.c prints the same of more seeds).
 */
#include "leak_model.h"

#include <stdio.h>

static leak_model model;
static double slopes[MW_TREND_SLOPES_MAXIMUM];

static mw_leak_finding judge_model(void)
{
    mw_history history = model_history(&model);

    return mw_leak_judge(&history, slopes);
}

static mw_leak_finding judge_kind(void (*fill)(leak_model *), uint32_t count, uint64_t seed)
{
    model_begin(&model, count, seed);
    fill(&model);
    return judge_model();
}

/* [bytes] are born at each moment from [begin] on, and live for [life]. */
static void add_evenly(uint32_t begin, uint32_t life, double bytes)
{
    for (uint32_t i = begin; i < model.count; i++)
        model_blocks(&model, i, i + life, bytes, 10);
}

/* ── what each verdict says ──────────────────────────────────────────────────────── */

TEST(leak_rank, calls_what_is_kept_a_leak_with_its_rate)
{
    mw_leak_finding finding;

    model_begin(&model, 60, 1);
    add_evenly(0, MODEL_FOREVER, 3600);
    finding = judge_model();
    CHECK_EQ(finding.verdict, MW_VERDICT_LEAK);
    CHECK_EQ(finding.reason, MW_REASON_KEPT);
    CHECK_EQ(finding.kept_epochs, finding.epochs);
    /* 3600 bytes in ten seconds. */
    CHECK(finding.rate.low <= 1296000 && 1296000 <= finding.rate.high);
    CHECK(finding.rate.high < 1.02 * finding.rate.low);
    CHECK_NEAR(finding.kept_bytes, finding.born_bytes, 0.1);
    CHECK_NEAR(finding.growth_bytes, 59 * 3600, 0.1);
}

TEST(leak_rank, says_since_when)
{
    mw_leak_finding finding;

    model_begin(&model, 80, 1);
    add_evenly(0, 1, 5000);
    add_evenly(32, MODEL_FOREVER, 5000);
    finding = judge_model();
    CHECK_EQ(finding.verdict, MW_VERDICT_LEAK);
    CHECK_EQ(finding.since, 31);
}

TEST(leak_rank, finds_a_leak_under_swings_that_hide_it)
{
    mw_leak_finding finding;

    model_begin(&model, 120, 5);
    for (uint32_t i = 0; i < 120; i++)
        model_blocks(&model, i, i + 1 + mw_random_below(&model.random, 4),
                     mw_random_below(&model.random, 20) * 100000.0, 100);
    add_evenly(0, MODEL_FOREVER, 2000);
    finding = judge_model();
    CHECK_EQ(finding.verdict, MW_VERDICT_LEAK);
    CHECK(finding.lasting_age >= 2);
    CHECK(finding.rate.low > 0);
    CHECK(finding.rate.low <= 720000 && 720000 <= finding.rate.high);
}

TEST(leak_rank, does_not_judge_few_snapshots)
{
    mw_leak_finding finding;

    model_begin(&model, MW_MOMENTS_MINIMUM - 1, 1);
    add_evenly(0, MODEL_FOREVER, 100000);
    finding = judge_model();
    CHECK_EQ(finding.verdict, MW_VERDICT_UNDECIDED);
    CHECK_EQ(finding.reason, MW_REASON_FEW_MOMENTS);
}

TEST(leak_rank, judges_one_snapshot_without_a_fault)
{
    model_begin(&model, 1, 1);
    add_evenly(0, MODEL_FOREVER, 100000);
    CHECK_EQ(judge_model().verdict, MW_VERDICT_UNDECIDED);
}

TEST(leak_rank, does_not_judge_few_steps)
{
    model_begin(&model, 60, 1);
    for (uint32_t i = 5; i < 60; i += 10)
        model_blocks(&model, i, MODEL_FOREVER, 50000, 100);
    CHECK_EQ(judge_model().verdict, MW_VERDICT_UNDECIDED);
    CHECK_EQ(judge_model().reason, MW_REASON_FEW_STEPS);
}

TEST(leak_rank, does_not_mind_what_does_not_fill_a_page)
{
    model_begin(&model, 60, 1);
    add_evenly(0, MODEL_FOREVER, 60);
    CHECK_EQ(judge_model().reason, MW_REASON_SMALL);
}

TEST(leak_rank, sees_that_growth_slows_and_where_it_ends)
{
    mw_leak_finding finding;
    double seen = 0;

    model_begin(&model, 60, 1);
    for (uint32_t i = 0; i < 60; i++) {
        double bytes = (1e6 - seen) * (1 - exp(-1.0 / 40));
        model_blocks(&model, i, MODEL_FOREVER, bytes, bytes / 100);
        seen += bytes;
    }
    finding = judge_model();
    CHECK_EQ(finding.verdict, MW_VERDICT_FILLING);
    CHECK_EQ(finding.reason, MW_REASON_SLOWS);
    CHECK(finding.ends_at_bytes > 0.9e6 && finding.ends_at_bytes < 1.1e6);
}

TEST(leak_rank, sees_that_a_cache_is_full)
{
    model_begin(&model, 60, 1);
    add_evenly(0, 40, 5000);
    CHECK_EQ(judge_model().verdict, MW_VERDICT_LEVELS_OFF);
    CHECK_EQ(judge_model().reason, MW_REASON_BOUND);
}

TEST(leak_rank, sees_that_a_service_is_asked_less)
{
    CHECK_EQ(judge_kind(leak_as_load_falls, 60, 3).verdict, MW_VERDICT_LEAK);
    model.work[0] = 0;
    for (uint32_t i = 0; i < 60; i++)
        model.work[i] = i;
    /* With as much work as before, the same is a cache. */
    CHECK_EQ(judge_model().verdict, MW_VERDICT_FILLING);
}

TEST(leak_rank, tells_growth_that_gives_up_old_things_from_a_leak)
{
    mw_leak_finding finding;

    model_begin(&model, 60, 1);
    for (uint32_t i = 0; i < 60; i++)
        model_blocks(&model, i, i + 6, 1000.0 * i, 10 * i);
    finding = judge_model();
    CHECK_EQ(finding.verdict, MW_VERDICT_FILLING);
    CHECK_EQ(finding.reason, MW_REASON_MELTS);
}

TEST(leak_rank, waits_when_it_fell_from_as_much_before)
{
    model_begin(&model, 80, 1);
    for (uint32_t i = 0; i < 34; i++)
        model_blocks(&model, i, 34, 5000, 10);
    add_evenly(34, MODEL_FOREVER, 5000);
    CHECK(judge_model().verdict != MW_VERDICT_LEAK);
}

TEST(leak_rank, waits_also_when_it_fell_at_the_very_beginning)
{
    model_begin(&model, 80, 1);
    model_blocks(&model, 0, 1, 200000, 10);
    add_evenly(34, MODEL_FOREVER, 5000);
    CHECK_EQ(judge_model().verdict, MW_VERDICT_UNDECIDED);
    CHECK_EQ(judge_model().reason, MW_REASON_FELL);
}

TEST(leak_rank, does_not_say_that_it_grows_where_it_does_no_longer)
{
    model_begin(&model, 60, 1);
    for (uint32_t i = 0; i < 60; i++)
        model_blocks(&model, i, i + 6, 1000.0 * (i < 30 ? i : 30), 10);
    CHECK_EQ(judge_model().verdict, MW_VERDICT_LEVELS_OFF);
}

TEST(leak_rank, does_not_take_a_buffer_that_swings_for_a_list)
{
    model_begin(&model, 60, 1);
    for (uint32_t i = 0; i < 60; i++)
        model_blocks(&model, i, i + 1, i % 5 == 4 ? 1e6 + 1e4 * i : 1e4, 1);
    CHECK(judge_model().reason != MW_REASON_RESIZED);
    CHECK(judge_model().verdict != MW_VERDICT_LEAK);
    CHECK(judge_model().reason != MW_REASON_STOPPED);
}

TEST(leak_rank, sees_that_a_cache_is_full_though_it_rests_at_times)
{
    model_begin(&model, 80, 1);
    for (uint32_t i = 0; i < 80; i++)
        if (i % 4 != 0)
            model_blocks(&model, i, i + 48, 5000, 10);
    CHECK_EQ(judge_model().verdict, MW_VERDICT_LEVELS_OFF);
    CHECK_EQ(judge_model().reason, MW_REASON_BOUND);
}

TEST(leak_rank, knows_a_list_that_is_appended_to)
{
    mw_leak_finding finding = judge_kind(leak_into_list, 60, 2);

    CHECK_EQ(finding.verdict, MW_VERDICT_LEAK);
    CHECK_EQ(finding.reason, MW_REASON_RESIZED);
}

TEST(leak_rank, knows_a_list_that_is_not_appended_to_any_more)
{
    double room = 1000;
    uint32_t birth = 0;

    model_begin(&model, 60, 1);
    for (uint32_t i = 1; i < 20; i++, birth = i - 1) {
        model_blocks(&model, birth, i, room, 1);
        room *= 1.3;
    }
    model_blocks(&model, birth, MODEL_FOREVER, room, 1);
    CHECK_EQ(judge_model().verdict, MW_VERDICT_LEVELS_OFF);
}

TEST(leak_rank, tells_one_time_from_steady)
{
    CHECK_EQ(judge_kind(import_time, 60, 1).verdict, MW_VERDICT_ONE_TIME);
    model_begin(&model, 60, 1);
    add_evenly(0, 3, 50000);
    CHECK_EQ(judge_model().verdict, MW_VERDICT_STEADY);
}

TEST(leak_rank, judges_without_epochs)
{
    mw_history history;

    model_begin(&model, 60, 1);
    add_evenly(0, MODEL_FOREVER, 5000);
    history = model_history(&model);
    history.has_epochs = false;
    history.kept_bytes = history.kept_blocks = NULL;
    history.died_bytes = history.died_blocks = history.born_bytes = NULL;
    history.work = NULL;
    CHECK_EQ(mw_leak_judge(&history, slopes).verdict, MW_VERDICT_LEAK);

    model_begin(&model, 60, 1);
    add_evenly(0, 5, 5000);
    /* Who knows no births cannot tell what is replaced from what stays. */
    CHECK_EQ(mw_leak_judge(&history, slopes).verdict, MW_VERDICT_ONE_TIME);
}

/* ── how often they err ──────────────────────────────────────────────────────────── */

enum { SEEDS = 40 };

/* Counts the verdicts that are faults, of [kind] with [count] moments. */
static uint32_t count_faults(const model_kind *kind, uint32_t count)
{
    uint32_t faults = 0;

    for (uint64_t seed = 0; seed < SEEDS; seed++)
        faults += kind->wrong >> judge_kind(kind->fill, count, seed).verdict & 1;
    return faults;
}

TEST(leak_rank, accuses_nothing_that_is_no_leak_in_60_snapshots)
{
    for (int i = 0; i < MODEL_KIND_COUNT; i++)
        if ((model_kinds[i].wrong & VERDICT(LEAK)) != 0)
            CHECK_EQ(count_faults(&model_kinds[i], 60), 0);
}

TEST(leak_rank, misses_hardly_any_leak_in_60_snapshots)
{
    for (int i = 0; i < MODEL_KIND_COUNT; i++)
        if ((model_kinds[i].wrong & VERDICT(LEAK)) == 0)
            CHECK(count_faults(&model_kinds[i], 60) <= SEEDS / 10);
}

TEST(leak_rank, errs_seldom_in_24_snapshots)
{
    for (int i = 0; i < MODEL_KIND_COUNT; i++)
        CHECK(count_faults(&model_kinds[i], 24) <= SEEDS / 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(leak_rank, calls_what_is_kept_a_leak_with_its_rate),
        CASE(leak_rank, says_since_when),
        CASE(leak_rank, finds_a_leak_under_swings_that_hide_it),
        CASE(leak_rank, does_not_judge_few_snapshots),
        CASE(leak_rank, judges_one_snapshot_without_a_fault),
        CASE(leak_rank, does_not_judge_few_steps),
        CASE(leak_rank, does_not_mind_what_does_not_fill_a_page),
        CASE(leak_rank, sees_that_growth_slows_and_where_it_ends),
        CASE(leak_rank, sees_that_a_cache_is_full),
        CASE(leak_rank, sees_that_a_service_is_asked_less),
        CASE(leak_rank, tells_growth_that_gives_up_old_things_from_a_leak),
        CASE(leak_rank, waits_when_it_fell_from_as_much_before),
        CASE(leak_rank, waits_also_when_it_fell_at_the_very_beginning),
        CASE(leak_rank, does_not_say_that_it_grows_where_it_does_no_longer),
        CASE(leak_rank, does_not_take_a_buffer_that_swings_for_a_list),
        CASE(leak_rank, sees_that_a_cache_is_full_though_it_rests_at_times),
        CASE(leak_rank, knows_a_list_that_is_appended_to),
        CASE(leak_rank, knows_a_list_that_is_not_appended_to_any_more),
        CASE(leak_rank, tells_one_time_from_steady),
        CASE(leak_rank, judges_without_epochs),
        CASE(leak_rank, accuses_nothing_that_is_no_leak_in_60_snapshots),
        CASE(leak_rank, misses_hardly_any_leak_in_60_snapshots),
        CASE(leak_rank, errs_seldom_in_24_snapshots),
    };

    return cmocka_run_group_tests_name("leak_rank", tests, NULL, NULL);
}
