/* SPDX-License-Identifier: MIT */
#include "tracer/births.h"

#include "testing.h"
#include "tracer_model.h"

enum { SIZE = 24, SEVERAL = 3 };

static const uintptr_t block = 0x7f1200000030;

/* Stacks of one call each. */
static fake_stack in_line(uint32_t line)
{
    return (fake_stack){1 + line, 1};
}

static mw_site site_in(mw_tracer *tracer, uint32_t line)
{
    mw_site site;

    CHECK_OK(fake_site(tracer, in_line(line), SIZE, &site));
    return site;
}

static void allocate_in(mw_tracer *tracer, mw_guard guard, uintptr_t address, uint32_t line)
{
    mw_tracer_remember(tracer, guard, address, SIZE, site_in(tracer, line));
}

/* Without making the site, which is what settling does. */
static void bear_in(mw_tracer *tracer, mw_guard guard, uintptr_t address, uint32_t line)
{
    mw_site none = {0};

    give_birth(tracer, guard, address, in_line(line), none);
    give_birth(tracer, guard, address, in_line(line), none);
    CHECK(mw_births_has(&tracer->births, address));
    CHECK(mw_tracer_is_consistent(tracer));
}

static uint64_t live_in(mw_tracer *tracer, uint32_t line)
{
    return mw_site_table_live_blocks(&tracer->sites, site_in(tracer, line));
}

static void start(mw_tracer *tracer)
{
    *tracer = (mw_tracer){.raw = {.lock = MW_SPINLOCK_FREE}};
    CHECK_OK(mw_tracer_start(tracer, mw_alloc_pages(), FRAME_LIMIT));
}

TEST(births, are_noted_from_the_second_on_and_the_last_one_counts)
{
    mw_guard guard = mw_guard_enter();
    mw_tracer tracer;

    start(&tracer);
    allocate_in(&tracer, guard, block, 0);
    give_birth(&tracer, guard, block, in_line(1), site_in(&tracer, 1));
    CHECK(!mw_births_has(&tracer.births, block));
    CHECK_EQ(live_in(&tracer, 1), 1);
    for (uint32_t line = 2; line < LINES; line++)
        bear_in(&tracer, guard, block, line);
    CHECK_EQ(live_in(&tracer, 1), 1);
    mw_births_settle_all(&tracer, guard);
    CHECK(!mw_births_has(&tracer.births, block));
    CHECK_EQ(live_in(&tracer, LINES - 1), 1);
    CHECK_EQ(live_in(&tracer, 1), 0);
    CHECK_EQ(tracer.live_bytes, SIZE);
    CHECK(mw_tracer_is_consistent(&tracer));
    mw_tracer_done(&tracer);
    mw_guard_leave(guard);
}

TEST(births, are_forgotten_with_their_block)
{
    mw_guard guard = mw_guard_enter();
    taken_block taken;
    mw_tracer tracer;

    start(&tracer);
    allocate_in(&tracer, guard, block, 0);
    bear_in(&tracer, guard, block, 1);
    forget(&tracer, guard, block, &taken);
    CHECK(taken.main.site.index != 0);
    CHECK(!mw_births_has(&tracer.births, block));
    CHECK_EQ(tracer.code_deaths, 0);
    /* One whose free nobody saw. */
    allocate_in(&tracer, guard, block, 0);
    bear_in(&tracer, guard, block, 1);
    allocate_in(&tracer, guard, block, 2);
    mw_births_settle_all(&tracer, guard);
    CHECK_EQ(live_in(&tracer, 2), 1);
    CHECK_EQ(live_in(&tracer, 1), 0);
    CHECK(mw_tracer_is_consistent(&tracer));
    mw_tracer_done(&tracer);
    mw_guard_leave(guard);
}

TEST(births, give_way_to_another_block_that_wants_the_place)
{
    mw_guard guard = mw_guard_enter();
    mw_tracer tracer;
    uintptr_t other = block + 32;

    start(&tracer);
    while (mw_births_place(&tracer.births, other) != mw_births_place(&tracer.births, block))
        other += 32;
    allocate_in(&tracer, guard, block, 0);
    allocate_in(&tracer, guard, other, 0);
    bear_in(&tracer, guard, block, 1);
    give_birth(&tracer, guard, other, in_line(2), site_in(&tracer, 2));
    CHECK(!mw_births_has(&tracer.births, block));
    CHECK_EQ(live_in(&tracer, 1), 1);
    CHECK_EQ(live_in(&tracer, 2), 1);
    bear_in(&tracer, guard, other, 3);
    CHECK(mw_tracer_is_consistent(&tracer));
    mw_tracer_done(&tracer);
    mw_guard_leave(guard);
}

/* Whether anything is born is not for the watched block of a code object to say. */
TEST(births, leave_the_watch_on_code_alone)
{
    mw_guard guard = mw_guard_enter();
    taken_block taken;
    mw_tracer tracer;

    start(&tracer);
    allocate_in(&tracer, guard, block, 0);
    bear_in(&tracer, guard, block, 1);
    mw_births_settle(&tracer, guard, block);
    CHECK(mw_block_store_watch(&tracer.blocks, block, SIZE));
    forget(&tracer, guard, block, &taken);
    CHECK_EQ(tracer.code_deaths, 1);
    mw_tracer_done(&tracer);
    mw_guard_leave(guard);
}

/* Who asks for a block may name any address: what marks a place is none. */
TEST(births, are_not_settled_where_no_block_begins)
{
    mw_guard guard = mw_guard_enter();
    mw_snapshot *snapshot;
    mw_tracer tracer;

    start(&tracer);
    allocate_in(&tracer, guard, block, 0);
    give_birth(&tracer, guard, block, in_line(1), site_in(&tracer, 1));
    CHECK_EQ(mw_births_place(&tracer.births, block)->address, block | MW_BIRTH_CANDIDATE);
    CHECK_EQ(mw_tracer_snapshot_block(&tracer, guard, MW_DOMAIN_PYTHON, block | MW_BIRTH_CANDIDATE,
                                      mw_alloc_system(), &snapshot),
             MW_BAD_INPUT);
    CHECK_EQ(
        mw_tracer_snapshot_block(&tracer, guard, MW_DOMAIN_PYTHON, 0, mw_alloc_system(), &snapshot),
        MW_BAD_INPUT);
    CHECK(mw_tracer_is_consistent(&tracer));
    mw_tracer_done(&tracer);
    mw_guard_leave(guard);
}

TEST(births, belong_to_the_epoch_in_which_they_were)
{
    mw_guard guard = mw_guard_enter();
    mw_site before;
    mw_tracer tracer;
    uint32_t epoch;

    start(&tracer);
    allocate_in(&tracer, guard, block, 0);
    bear_in(&tracer, guard, block, 1);
    before = site_in(&tracer, 1);
    CHECK_OK(mw_tracer_begin_epoch(&tracer, guard, &epoch));
    CHECK(!mw_births_has(&tracer.births, block));
    CHECK_EQ(mw_site_table_live_blocks(&tracer.sites, before), 1);
    CHECK_EQ(live_in(&tracer, 1), 0);
    mw_tracer_done(&tracer);
    mw_guard_leave(guard);
}

TEST(births, are_settled_before_a_peak_is_copied)
{
    const size_t size_bytes = 64 << 20;
    mw_guard guard = mw_guard_enter();
    mw_tracer tracer;
    mw_site site;

    start(&tracer);
    mw_tracer_keep_peak(&tracer, true);
    allocate_in(&tracer, guard, block, 0);
    bear_in(&tracer, guard, block, 1);
    CHECK_OK(fake_site(&tracer, in_line(2), size_bytes, &site));
    mw_tracer_remember(&tracer, guard, 0x555500000010, size_bytes, site);
    CHECK_EQ(tracer.peak.copies, 1);
    CHECK(!mw_births_has(&tracer.births, block));
    CHECK_EQ(live_in(&tracer, 1), 1);
    mw_tracer_done(&tracer);
    mw_guard_leave(guard);
}

TEST(births, count_where_callers_are_not_recorded_any_more)
{
    const size_t ceiling_bytes = 16 << 20;
    const mw_tracer_options options = {.frame_limit = FRAME_LIMIT,
                                       .max_overhead_bytes = ceiling_bytes};
    const fake_stack deep = {(CALLS + 1) * 2 + 1, 1};
    mw_guard guard = mw_guard_enter();
    mw_tracer tracer = {.raw = {.lock = MW_SPINLOCK_FREE}};
    mw_site none = {0};

    CHECK_OK(mw_tracer_start_with(&tracer, mw_alloc_pages(), &options));
    allocate_in(&tracer, guard, block, 0);
    give_birth(&tracer, guard, block, in_line(0), none);
    CHECK(mw_budget_take(&tracer.budget, ceiling_bytes * 11 / 16 - tracer.budget.used_bytes));
    CHECK_EQ(mw_tracer_degradation(&tracer).cut_blocks, 0);
    give_birth(&tracer, guard, block, deep, none);
    CHECK(mw_births_has(&tracer.births, block));
    CHECK_EQ(mw_tracer_degradation(&tracer).cut_blocks, 1);
    mw_tracer_done(&tracer);
    mw_guard_leave(guard);
}

TEST(births, are_settled_at_once_where_filters_are_in_force)
{
    mw_guard guard = mw_guard_enter();
    mw_tracer tracer;

    start(&tracer);
    tracer.births.may_wait = false;
    allocate_in(&tracer, guard, block, 0);
    for (uint32_t line = 1; line < LINES; line++) {
        give_birth(&tracer, guard, block, in_line(line), site_in(&tracer, line));
        CHECK(!mw_births_has(&tracer.births, block));
        CHECK_EQ(live_in(&tracer, line), 1);
    }
    mw_tracer_done(&tracer);
    mw_guard_leave(guard);
}

/* Without memory for its new site, a block keeps the one that it had. */
TEST(births, returns_every_byte_whichever_allocation_fails)
{
    bool was_refused = true;

    for (size_t nth = 0; was_refused; nth++) {
        mw_failing_alloc failing = mw_failing_alloc_at(nth);
        mw_tracer tracer = {.raw = {.lock = MW_SPINLOCK_FREE}};
        mw_guard guard = mw_guard_enter();

        if (mw_tracer_start(&tracer, &failing.base, FRAME_LIMIT) == MW_OK) {
            mw_site site;

            for (uint32_t i = 0; i < 200; i++) {
                fake_stack stack = {1 + i, 1};
                uint32_t *label;

                if (fake_site(&tracer, in_line(0), SIZE, &site) != MW_OK)
                    continue;
                mw_tracer_remember(&tracer, guard, block + 32 * (i % SEVERAL), SIZE, site);
                label = mw_block_store_find_small(&tracer.blocks, block + 32 * (i % SEVERAL));
                if (label == NULL || *label == 0)
                    continue;
                mw_births_note(&tracer, block + 32 * (i % SEVERAL), label, (mw_path){0},
                               (mw_instruction){1 + stack.calls});
                mw_births_settle_all(&tracer, guard);
            }
            CHECK(mw_tracer_is_consistent(&tracer));
        }
        was_refused = failing.requests > failing.nth;
        mw_tracer_done(&tracer);
        CHECK_EQ(failing.live_blocks, 0);
        mw_guard_leave(guard);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(births, are_noted_from_the_second_on_and_the_last_one_counts),
        CASE(births, are_forgotten_with_their_block),
        CASE(births, give_way_to_another_block_that_wants_the_place),
        CASE(births, leave_the_watch_on_code_alone),
        CASE(births, are_not_settled_where_no_block_begins),
        CASE(births, belong_to_the_epoch_in_which_they_were),
        CASE(births, are_settled_before_a_peak_is_copied),
        CASE(births, count_where_callers_are_not_recorded_any_more),
        CASE(births, are_settled_at_once_where_filters_are_in_force),
        CASE(births, returns_every_byte_whichever_allocation_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
