/* SPDX-License-Identifier: MIT */
#include "tracer/tracer.h"

#include "testing.h"
#include "tracer_model.h"

#include <pthread.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SEEDS = 6, STEPS = 4000 };

TEST(tracer, agrees_with_an_array_of_blocks)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        mw_failing_alloc failing = mw_failing_alloc_never();
        mw_random random = mw_random_of(seed);
        mw_tracer tracer = new_tracer();
        tracer_twin twin = {0};

        CHECK_OK(mw_tracer_start(&tracer, &failing.base, FRAME_LIMIT));
        for (uint32_t i = 1; i <= STEPS; i++) {
            step(&tracer, &twin, &random);
            if (i % 500 == 0)
                check_agrees(&tracer, &twin);
        }
        CHECK_OK(mw_tracer_clear(&tracer));
        twin = (tracer_twin){0};
        check_agrees(&tracer, &twin);
        for (uint32_t i = 0; i < 500; i++)
            step(&tracer, &twin, &random);
        check_agrees(&tracer, &twin);
        mw_tracer_done(&tracer);
        CHECK_EQ(failing.live_blocks, 0);
    }
}

/* ── single cases ────────────────────────────────────────────────────────────────── */

static mw_site site_of(mw_tracer *tracer, uint32_t calls, size_t size_bytes)
{
    mw_site site;

    CHECK_OK(fake_site(tracer, (fake_stack){calls, 1}, size_bytes, &site));
    return site;
}

TEST(tracer, counts_a_block_once_that_replaces_one_whose_free_nobody_saw)
{
    static const size_t sizes[] = {30, 5000, 40, 600, 30, 16, 511, 30};
    mw_tracer tracer = new_tracer();
    mw_guard guard = mw_guard_enter();
    const uintptr_t addresses[] = {0x7f1200000030, 0x7f1200000040, 0x7f1200000030 + 40};

    CHECK_OK(mw_tracer_start(&tracer, mw_alloc_pages(), 1));
    for (size_t round = 0; round < 8 * 3; round++) {
        for (size_t i = 0; i < 3; i++) {
            size_t size = sizes[(round + i * (round / 8)) % 8];

            mw_tracer_remember(&tracer, guard, addresses[i], size, site_of(&tracer, 1, size));
            CHECK(mw_tracer_is_consistent(&tracer));
        }
        CHECK_EQ(tracer.live_bytes, sizes[round % 8] + sizes[(round + round / 8) % 8] +
                                        sizes[(round + 2 * (round / 8)) % 8]);
    }
    for (size_t i = 0; i < 3; i++) {
        taken_block taken;

        forget(&tracer, guard, addresses[i], &taken);
        CHECK(taken.main.site.index != 0);
    }
    CHECK_EQ(tracer.live_bytes, 0);
    mw_tracer_done(&tracer);
    mw_guard_leave(guard);
}

TEST(tracer, does_not_take_older_blocks_for_known_ones)
{
    mw_tracer tracer = new_tracer();
    mw_guard guard = mw_guard_enter();
    taken_block taken;
    size_t size_bytes;

    CHECK_OK(mw_tracer_start(&tracer, mw_alloc_pages(), 1));
    mw_tracer_remember(&tracer, guard, 0x7f1200000030, 16, site_of(&tracer, 1, 16));
    forget(&tracer, guard, 0x7f1200000040, &taken);
    CHECK_EQ(taken.main.site.index, 0);
    CHECK_EQ(taken.raw.address, 0);
    CHECK_EQ(mw_tracer_forget(&tracer, guard, 0x7f1200000040, &taken.main), MW_BORN_BEFORE);
    CHECK_EQ(mw_tracer_forget(&tracer, guard, 0x7f1300000040, &taken.main), MW_ELSEWHERE);
    CHECK(!mw_tracer_knows(&tracer, 0x7f1200000040, &size_bytes));
    mw_tracer_move(&tracer, guard, 0x7f1200000040, site_of(&tracer, 2, 16));
    restore(&tracer, guard, 0x7f1200000040, &taken);
    CHECK_EQ(tracer.live_bytes, 16);
    CHECK(mw_tracer_is_consistent(&tracer));
    mw_tracer_done(&tracer);
    mw_guard_leave(guard);
}

/* Watched blocks: known or older, small or large, moved, freed and replaced. */
TEST(tracer, unbinds_the_code_of_a_watched_block_when_it_goes)
{
    const uintptr_t addresses[] = {0x7f1200000030, 0x7f1200000050, 0x7f1200004000, 0x555500000010};
    mw_tracer tracer = new_tracer();
    mw_guard guard = mw_guard_enter();

    CHECK_OK(mw_tracer_start(&tracer, mw_alloc_pages(), 1));
    for (uint32_t round = 0; round < 16; round++) {
        size_t sizes[] = {32, 32, 700, 700};
        uintptr_t address = addresses[round % 4];
        size_t size = sizes[round % 4];
        uint64_t deaths = tracer.code_deaths;
        taken_block taken;
        mw_code code;

        if (round & 4)
            mw_tracer_remember(&tracer, guard, address, size, site_of(&tracer, 1, size));
        CHECK_OK(fake_code(&tracer.codes, 0, &code));
        CHECK(mw_block_store_watch(&tracer.blocks, address, size));
        CHECK_OK(mw_code_table_bind(&tracer.codes, address, address + 0xc0, code));
        mw_tracer_move(&tracer, guard, address, site_of(&tracer, 2, size));
        CHECK(mw_tracer_is_consistent(&tracer));
        if (round & 8)
            mw_tracer_remember(&tracer, guard, address, size, site_of(&tracer, 1, size));
        else
            forget(&tracer, guard, address, &taken);
        CHECK_EQ(tracer.code_deaths, deaths + 1);
        CHECK_EQ(mw_code_table_bound(&tracer.codes, address).index, 0);
        forget(&tracer, guard, address, &taken);
        CHECK_EQ(tracer.live_bytes, 0);
        CHECK(mw_tracer_is_consistent(&tracer));
    }
    mw_tracer_done(&tracer);
    mw_guard_leave(guard);
}

/* More deaths than the cache has generations: an old entry never comes alive again. */
TEST(tracer, site_cache_finds_nothing_from_before_a_code_death)
{
    enum { DEATHS = 3 * MW_SITE_CACHE_GENERATIONS + 5 };
    mw_tracer tracer = new_tracer();
    mw_site_cache *cache = &tracer.cache;
    mw_guard guard = mw_guard_enter();
    const mw_path caller = {7};

    CHECK_OK(mw_tracer_start(&tracer, mw_alloc_pages(), 1));
    for (uint32_t death = 0; death < DEATHS; death++) {
        for (uint32_t i = 0; i <= death; i++) /* an address for each generation */
            CHECK_EQ(mw_site_cache_find(
                         cache, mw_site_cache_key(cache, 0x7f0000000000 + i * 64, 16), caller)
                         .index,
                     0);
        mw_site_cache_put(cache, mw_site_cache_key(cache, 0x7f0000000000 + death * 64, 16), caller,
                          (mw_site){death + 1});
        CHECK_EQ(mw_site_cache_find(
                     cache, mw_site_cache_key(cache, 0x7f0000000000 + death * 64, 16), caller)
                     .index,
                 death + 1);
        CHECK_EQ(mw_site_cache_find(cache, mw_site_cache_key(cache, 0, 0), (mw_path){0}).index, 0);
        mw_tracer_forget_code(&tracer, guard, 0x1234);
    }
    CHECK_EQ(tracer.code_deaths, DEATHS);
    mw_tracer_done(&tracer);
    mw_guard_leave(guard);
}

TEST(tracer, site_cache_keeps_two_that_share_a_slot)
{
    mw_tracer tracer = new_tracer();
    mw_site_cache *cache = &tracer.cache;
    const mw_path caller = {7};
    uint64_t first, second;
    uint32_t slot;

    CHECK_OK(mw_tracer_start(&tracer, mw_alloc_pages(), 1));
    first = mw_site_cache_key(cache, 0x7f0000000000, 16);
    slot = mw_site_cache_slot(first, caller);
    for (second = first + 2; mw_site_cache_slot(second, caller) != slot; second += 2)
        ;
    mw_site_cache_put(cache, first, caller, (mw_site){1});
    mw_site_cache_put(cache, second, caller, (mw_site){2});
    CHECK_EQ(mw_site_cache_find(cache, first, caller).index, 1);
    CHECK_EQ(mw_site_cache_find(cache, second, caller).index, 2);
    CHECK_EQ(mw_site_cache_find(cache, second, (mw_path){8}).index, 0);
    mw_tracer_done(&tracer);
}

TEST(tracer, tells_254_threads_apart_and_joins_the_others)
{
    mw_tracer tracer = new_tracer();
    mw_guard guard = mw_guard_enter();
    mw_snapshot *snapshot = NULL;

    CHECK_OK(mw_tracer_start(&tracer, mw_alloc_pages(), 1));
    for (uint32_t i = 1; i <= 300; i++) {
        mw_thread thread = mw_threads_number(&tracer.threads, 1000 + i, i, i);
        mw_site site;

        CHECK_EQ(thread.index, i < MW_THREAD_OTHERS ? i : MW_THREAD_OTHERS);
        CHECK_EQ(mw_threads_number(&tracer.threads, 1000 + i, i, i).index, thread.index);
        CHECK_OK(fake_site(&tracer, (fake_stack){1, thread.index}, 600, &site));
        mw_tracer_remember(&tracer, guard, 0x7f1200000010 + i * 1024, 600, site);
    }
    CHECK_OK(mw_tracer_snapshot(&tracer, guard, mw_alloc_system(), &snapshot));
    CHECK_EQ(mw_snapshot_site_count(snapshot), MW_THREAD_OTHERS);
    CHECK_STR_EQ(mw_snapshot_thread_name(snapshot, (mw_thread){254}), "thread 254");
    CHECK_STR_EQ(mw_snapshot_thread_name(snapshot, (mw_thread){255}), "other threads");
    for (uint32_t i = 1; i <= MW_THREAD_OTHERS; i++) {
        mw_site_row row = mw_snapshot_site(snapshot, (mw_site){i});

        CHECK_EQ(row.live_blocks, row.thread.index < MW_THREAD_OTHERS ? 1 : 300 - 254);
    }
    mw_snapshot_release(snapshot);
    mw_tracer_done(&tracer);
    mw_guard_leave(guard);
}

TEST(tracer, takes_a_snapshot_of_a_stack_of_any_depth)
{
    enum { DEEP = 100000 };
    mw_tracer tracer = new_tracer();
    mw_guard guard = mw_guard_enter();
    mw_path path = {0};
    mw_snapshot *snapshot = NULL;
    mw_site site;

    CHECK_OK(mw_tracer_start(&tracer, mw_alloc_pages(), MW_FRAME_LIMIT_MAXIMUM));
    for (uint32_t depth = 1; depth <= DEEP; depth++) {
        CHECK_OK(fake_call(&tracer.codes, &tracer.paths, depth % CALLS, &path));
        if (depth % 10000 != 0)
            continue;
        CHECK_OK(mw_site_table_intern(&tracer.sites, path, 0, 8, &site));
        mw_tracer_remember(&tracer, guard, 0x7f1200000030 + depth * 16, 8, site);
    }
    CHECK_OK(mw_tracer_snapshot(&tracer, guard, mw_alloc_system(), &snapshot));
    CHECK_EQ(mw_snapshot_block_count(snapshot), DEEP / 10000);
    for (uint32_t i = 1; i <= DEEP / 10000; i++) {
        mw_site_row row = mw_snapshot_site(snapshot, (mw_site){i});
        uint32_t total = mw_snapshot_traceback(snapshot, row.traceback).total_frames;
        mw_path caller = mw_snapshot_path_caller(snapshot, row.path);
        mw_frame called = mw_snapshot_path_frame(snapshot, row.path);
        mw_frame calling = mw_snapshot_path_frame(snapshot, caller);

        CHECK_EQ(mw_snapshot_path_depth(snapshot, row.path), i * 10000);
        /* The first function's first line, and the last line of the last function. */
        CHECK_EQ(mw_snapshot_frame(snapshot, called).first_line, FIRST_LINE);
        CHECK_EQ(mw_snapshot_frame(snapshot, calling).first_line, FUNCTIONS * FIRST_LINE);
        CHECK_EQ(total, i * 10000 < MW_FRAME_LIMIT_MAXIMUM ? i * 10000 : MW_FRAME_LIMIT_MAXIMUM);
    }
    mw_snapshot_release(snapshot);
    mw_tracer_done(&tracer);
    mw_guard_leave(guard);
}

/* ── life ────────────────────────────────────────────────────────────────────────── */

/* Pages of address space, and of memory. */
static void process_pages(long *ret_size, long *ret_resident)
{
    FILE *file = fopen("/proc/self/statm", "r");

    assert_non_null(file);
    CHECK_EQ(fscanf(file, "%ld %ld", ret_size, ret_resident), 2);
    CHECK_EQ(fclose(file), 0);
}

TEST(tracer, takes_no_more_memory_however_often_it_starts_and_stops)
{
    enum { CYCLES = 2000, SETTLED = 200, SLACK = 64 };
    mw_tracer tracer = new_tracer();
    long size, resident, last_size, last_resident;

    for (uint32_t cycle = 0; cycle < CYCLES; cycle++) {
        mw_random random = mw_random_of(cycle % 5);
        tracer_twin twin = {0};

        CHECK_OK(mw_tracer_start(&tracer, mw_alloc_pages(), FRAME_LIMIT));
        for (uint32_t i = 0; i < 100; i++)
            step(&tracer, &twin, &random);
        CHECK_EQ(mw_tracer_live_bytes(&tracer), twin.live_bytes);
        if (cycle % 3 == 0)
            CHECK_OK(mw_tracer_clear(&tracer));
        mw_tracer_stop(&tracer);
        CHECK_EQ(mw_tracer_live_bytes(&tracer), 0);
        if (cycle == SETTLED)
            process_pages(&size, &resident);
    }
    process_pages(&last_size, &last_resident);
    CHECK(last_size - size <= SLACK);
    CHECK(last_resident - resident <= SLACK);
    mw_tracer_done(&tracer);
}

/* All that the tracer does, with losses. */
static mw_status live_a_while(mw_tracer *tracer, tracer_twin *twin, mw_alloc *alloc)
{
    mw_random random = mw_random_of(5);
    mw_guard guard;
    mw_snapshot *snapshot = NULL;
    mw_status status;

    for (uint32_t i = 0; i < 600; i++)
        step(tracer, twin, &random);
    check_agrees(tracer, twin);
    guard = mw_guard_enter();
    status = mw_tracer_snapshot(tracer, guard, alloc, &snapshot);
    mw_snapshot_release(snapshot);
    for (uint32_t place = 0; place < PLACES && status == MW_OK; place += 50) {
        snapshot = NULL;
        status = mw_tracer_snapshot_block(tracer, guard, MW_DOMAIN_PYTHON, address_of(place), alloc,
                                          &snapshot);
        mw_snapshot_release(snapshot);
        status = status == MW_BAD_INPUT ? MW_OK : status;
    }
    mw_guard_leave(guard);
    CHECK(mw_tracer_is_consistent(tracer));
    return status;
}

TEST(tracer, returns_every_byte_whichever_allocation_fails)
{
    mw_status status = MW_NO_MEMORY;

    for (size_t nth = 0; status != MW_OK; nth++) {
        mw_failing_alloc failing = mw_failing_alloc_at(nth);
        mw_tracer tracer = new_tracer();
        tracer_twin twin = {0};

        status = mw_tracer_start(&tracer, &failing.base, FRAME_LIMIT);
        CHECK_EQ(tracer.is_active, status == MW_OK);
        CHECK(mw_tracer_is_consistent(&tracer));
        if (status == MW_OK)
            status = live_a_while(&tracer, &twin, &failing.base);
        CHECK(status == MW_OK || status == MW_NO_MEMORY);
        failing.nth = SIZE_MAX; /* and now there is memory again */
        if (tracer.is_active)
            CHECK_OK(mw_tracer_clear(&tracer));
        else
            CHECK_OK(mw_tracer_start(&tracer, &failing.base, FRAME_LIMIT));
        twin = (tracer_twin){0};
        CHECK_OK(live_a_while(&tracer, &twin, &failing.base));
        CHECK_EQ(twin.lost_blocks, 0);
        mw_tracer_done(&tracer);
        CHECK_EQ(failing.live_blocks, 0);
    }
}

/* Each refusal of a clear ends the recording, and a later start works. */
TEST(tracer, is_off_after_a_clear_that_was_refused)
{
    mw_status status = MW_NO_MEMORY;

    for (size_t more = 0; status != MW_OK; more++) {
        mw_failing_alloc failing = mw_failing_alloc_never();
        mw_tracer tracer = new_tracer();
        tracer_twin twin = {0};
        mw_random random = mw_random_of(1);

        CHECK_OK(mw_tracer_start(&tracer, &failing.base, FRAME_LIMIT));
        for (uint32_t i = 0; i < 100; i++)
            step(&tracer, &twin, &random);
        failing.nth = failing.requests + more;
        status = mw_tracer_clear(&tracer);
        CHECK(status == MW_OK || status == MW_NO_MEMORY);
        CHECK_EQ(tracer.is_active, status == MW_OK);
        CHECK_EQ(mw_tracer_live_bytes(&tracer), 0);
        CHECK(mw_tracer_is_consistent(&tracer));
        mw_tracer_done(&tracer);
        CHECK_EQ(failing.live_blocks, 0);
    }
}

/* The place of a block that was forgotten goes to another before it is restored. */
TEST(tracer, counts_a_restore_that_was_refused_as_a_loss)
{
    mw_failing_alloc failing = mw_failing_alloc_never();
    mw_tracer tracer = new_tracer();
    mw_guard guard = mw_guard_enter();
    const uintptr_t first = 0x7f1200000000;
    uintptr_t next = first;
    mw_site site;
    taken_block taken;

    CHECK_OK(mw_tracer_start(&tracer, &failing.base, 1));
    site = site_of(&tracer, 1, 1000);
    mw_tracer_remember(&tracer, guard, next, 1000, site);
    for (failing.nth = failing.requests; tracer.lost_blocks == 0;)
        mw_tracer_remember(&tracer, guard, next += 1024, 1000, site);
    forget(&tracer, guard, first, &taken);
    mw_tracer_remember(&tracer, guard, next, 1000, site);
    CHECK_EQ(tracer.lost_blocks, 1);
    restore(&tracer, guard, first, &taken);
    CHECK_EQ(tracer.lost_blocks, 2);
    CHECK_EQ(tracer.lost_bytes, 2000);
    CHECK_EQ(mw_site_table_total_blocks(&tracer.sites, site), (next - first) / 1024 + 1);
    CHECK(mw_tracer_is_consistent(&tracer));
    mw_tracer_done(&tracer);
    CHECK_EQ(failing.live_blocks, 0);
    mw_guard_leave(guard);
}

/* ── threads and processes ───────────────────────────────────────────────────────── */

typedef struct stranger {
    mw_tracer *tracer;
    _Atomic bool may_stop;
    uint32_t number;
    uint64_t live_bytes; /* at its end */
} stranger;

/* A thread without the GIL: 64 addresses of its own, and stacks that it interns. */
static void *stranger_run(void *argument)
{
    stranger *self = argument;
    mw_random random = mw_random_of(self->number);
    mw_raw_lane *lane = &self->tracer->raw;
    size_t sizes[64] = {0};

    for (uint32_t round = 0; round < 3000 || !self->may_stop; round++) {
        mw_guard guard = mw_guard_enter();
        uint32_t i = mw_random_below(&random, 64);
        uintptr_t address = ((uintptr_t)self->number + 1) << 40 | (i + 1) * 48;
        fake_stack stack = random_stack(&random);
        mw_path path;

        stack.thread = 0;
        mw_raw_lane_lock(lane);
        if (sizes[i] != 0) {
            (void)mw_raw_lane_forget(lane, guard, address, NULL);
            self->live_bytes -= sizes[i];
            sizes[i] = 0;
        } else if (fake_path(&lane->codes, &lane->paths, stack, &path) == MW_OK) {
            sizes[i] = 1 + mw_random_below(&random, 1000);
            self->live_bytes += sizes[i];
            mw_raw_lane_remember(lane, guard, address, sizes[i], path, self->tracer->live_bytes);
        }
        mw_raw_lane_unlock(lane);
        mw_guard_leave(guard);
    }
    return NULL;
}

static void start_strangers(mw_tracer *tracer, stranger *strangers, pthread_t *threads,
                            uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        strangers[i] = (stranger){.tracer = tracer, .number = i};
        CHECK_EQ(pthread_create(&threads[i], NULL, stranger_run, &strangers[i]), 0);
    }
}

static uint64_t stop_strangers(stranger *strangers, pthread_t *threads, uint32_t count)
{
    uint64_t live_bytes = 0;

    for (uint32_t i = 0; i < count; i++) {
        strangers[i].may_stop = true;
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
        live_bytes += strangers[i].live_bytes;
    }
    return live_bytes;
}

TEST(tracer, records_threads_without_the_gil_beside_the_main_lane)
{
    enum { STRANGERS = 4 };
    mw_tracer tracer = new_tracer();
    stranger strangers[STRANGERS];
    pthread_t threads[STRANGERS];
    mw_random random = mw_random_of(1);
    tracer_twin twin = {0};
    mw_guard guard;
    mw_snapshot *snapshot = NULL;
    uint64_t live_bytes;

    CHECK_OK(mw_tracer_start(&tracer, mw_alloc_pages(), FRAME_LIMIT));
    start_strangers(&tracer, strangers, threads, STRANGERS);
    for (uint32_t i = 0; i < 2000; i++) {
        step(&tracer, &twin, &random);
        if (i % 500 != 0)
            continue;
        guard = mw_guard_enter();
        CHECK_OK(mw_tracer_snapshot(&tracer, guard, mw_alloc_system(), &snapshot));
        CHECK(mw_snapshot_is_consistent(snapshot));
        mw_snapshot_release(snapshot);
        mw_guard_leave(guard);
        CHECK(mw_tracer_overhead(&tracer).raw != 0);
        CHECK(mw_tracer_peak_bytes(&tracer) != 0);
    }
    live_bytes = stop_strangers(strangers, threads, STRANGERS);
    CHECK_EQ(mw_tracer_live_bytes(&tracer), twin.live_bytes + live_bytes);
    CHECK(mw_tracer_is_consistent(&tracer));
    mw_tracer_done(&tracer);
}

/* In the child: the lane works, holds what the parent had, and can be started anew. */
static int child_status(mw_tracer *tracer)
{
    mw_guard guard = mw_guard_enter();
    uint64_t before = mw_tracer_live_bytes(tracer);

    (void)alarm(20); /* a lock that nobody will release */
    mw_raw_lane_lock(&tracer->raw);
    mw_raw_lane_remember(&tracer->raw, guard, 0x10, 100, (mw_path){0}, 0);
    mw_raw_lane_unlock(&tracer->raw);
    if (mw_tracer_live_bytes(tracer) != before + 100 || !mw_tracer_is_consistent(tracer))
        return 1;
    if (mw_tracer_clear(tracer) != MW_OK || mw_tracer_live_bytes(tracer) != 0)
        return 2;
    mw_guard_leave(guard);
    return 0;
}

TEST(tracer, goes_on_in_a_child_that_was_forked_while_others_held_the_lock)
{
    enum { STRANGERS = 2, FORKS = 20 };
    mw_tracer tracer = new_tracer();
    stranger strangers[STRANGERS];
    pthread_t threads[STRANGERS];
    uint64_t live_bytes;

    CHECK_OK(mw_tracer_start(&tracer, mw_alloc_pages(), FRAME_LIMIT));
    start_strangers(&tracer, strangers, threads, STRANGERS);
    for (int i = 0; i < FORKS; i++) {
        int status;
        pid_t child;

        mw_tracer_before_fork(&tracer);
        child = fork();
        mw_tracer_after_fork(&tracer);
        if (child == 0)
            _exit(child_status(&tracer));
        CHECK(child > 0);
        CHECK_EQ(waitpid(child, &status, 0), child);
        CHECK(WIFEXITED(status));
        CHECK_EQ(WEXITSTATUS(status), 0);
    }
    live_bytes = stop_strangers(strangers, threads, STRANGERS);
    CHECK_EQ(mw_tracer_live_bytes(&tracer), live_bytes);
    CHECK(mw_tracer_is_consistent(&tracer));
    mw_tracer_done(&tracer);
}

/* What a snapshot has at a size: how often, and the sum of domains. */
static void count_of_size(const mw_snapshot *snapshot, uint64_t size_bytes, uint32_t *ret_count,
                          uint64_t *ret_domains)
{
    *ret_count = 0;
    *ret_domains = 0;
    for (uint64_t i = 0; i < mw_snapshot_block_count(snapshot); i++) {
        uint64_t size;
        mw_site site;

        mw_snapshot_block(snapshot, i, &site, &size);
        if (size != size_bytes)
            continue;
        *ret_count += 1;
        *ret_domains += mw_snapshot_site(snapshot, site).domain;
    }
}

/* Small and large blocks, each in three domains at one address. */
TEST(tracer, takes_a_snapshot_of_one_address_in_several_domains)
{
    static const uint32_t domains[] = {MW_DOMAIN_PYTHON, 389047, UINT32_MAX};
    static const size_t sizes[] = {100, 70001};
    mw_tracer tracer = {.raw = {.lock = MW_SPINLOCK_FREE}};
    mw_guard guard = mw_guard_enter();
    mw_snapshot *snapshot = NULL;
    mw_snapshot *block = NULL;

    CHECK_OK(mw_tracer_start(&tracer, mw_alloc_system(), FRAME_LIMIT));
    for (int d = 0; d < 3; d++)
        for (int s = 0; s < 2; s++)
            CHECK_OK(mw_raw_lane_track(&tracer.raw, guard, domains[d], 0x1000 + s * 0x100000,
                                       sizes[s], (mw_path){0}, 0));
    CHECK_OK(mw_tracer_snapshot(&tracer, guard, mw_alloc_system(), &snapshot));
    CHECK(mw_snapshot_is_consistent(snapshot));
    CHECK_EQ(mw_snapshot_live_bytes(snapshot), 3 * (100 + 70001));
    for (int s = 0; s < 2; s++) {
        uint64_t sum;
        uint32_t count;

        count_of_size(snapshot, sizes[s], &count, &sum);
        CHECK_EQ(count, 3);
        CHECK_EQ(sum, UINT64_C(389047) + UINT32_MAX);
    }
    mw_snapshot_release(snapshot);
    CHECK_OK(mw_tracer_snapshot_block(&tracer, guard, 389047, 0x1000, mw_alloc_system(), &block));
    CHECK_EQ(mw_snapshot_site(block, (mw_site){1}).domain, 389047);
    mw_snapshot_release(block);
    CHECK_EQ(mw_tracer_snapshot_block(&tracer, guard, 1, 0x1000, mw_alloc_system(), &block),
             MW_BAD_INPUT);
    CHECK(mw_tracer_is_consistent(&tracer));
    mw_tracer_done(&tracer);
    mw_guard_leave(guard);
}

/* ── within a bound ──────────────────────────────────────────────────────────────── */

enum { CEILING = 6 << 20, ENDLESS = 3000000 };

/* A program without end: distinct sources, distinct stacks (a recursion among them), and
 * blocks that all stay.  Every address is new. */
typedef struct endless {
    uint64_t blocks, bytes;
    uintptr_t small, large; /* where the next block goes */
    mw_stage stage;
} endless;

static mw_status endless_instruction(mw_code_table *codes, uint32_t source,
                                     mw_instruction *ret_instruction)
{
    mw_code_row row = {.first_line = (int32_t)source};
    char name[32];
    int length = snprintf(name, sizeof name, "template %u", source);
    mw_code code;
    mw_status status = mw_code_table_string(codes, "fake.py", 7, &row.file);

    if (status == MW_OK)
        status = mw_code_table_string(codes, name, (size_t)length, &row.function);
    if (status == MW_OK)
        status = mw_code_table_intern(codes, row, &code);
    if (status == MW_OK)
        status = mw_code_table_instruction(codes, code, 0, ret_instruction);
    return status;
}

/* A stack of thirty frames: some of the latest source, some of a handful that recurse. */
static mw_status endless_path(mw_code_table *codes, mw_path_trie *paths, mw_random *random,
                              uint32_t source, mw_path *path)
{
    mw_instruction instruction = {MW_INSTRUCTION_THREAD | 1};
    mw_status status = mw_path_trie_child(paths, (mw_path){0}, instruction, path);

    for (uint32_t depth = 0; depth < 30 && status == MW_OK; depth++) {
        uint32_t called = depth % 10 == 9 ? source : mw_random_below(random, 3);

        status = endless_instruction(codes, called, &instruction);
        if (status == MW_OK)
            status = mw_path_trie_child(paths, *path, instruction, path);
    }
    return status;
}

static void endless_allocate(mw_tracer *tracer, endless *program, mw_random *random, uint32_t i)
{
    size_t size =
        i % 8 == 0 ? 600 + mw_random_below(random, 5000) : 17 + mw_random_below(random, 16);
    uintptr_t *next = size > MW_SITE_SIZE_FIXED ? &program->large : &program->small;
    mw_guard guard = mw_guard_enter();
    mw_site site;
    mw_path path;
    mw_status status = MW_OK;

    if (size <= MW_SITE_SIZE_FIXED && *next % MW_PAGE_BYTES > MW_PAGE_BYTES - 2 * 32)
        *next = *next / MW_PAGE_BYTES * MW_PAGE_BYTES + MW_PAGE_BYTES + MW_PAGE_HEADER_BYTES;
    if (i % 16 == 15) {
        mw_raw_lane_lock(&tracer->raw);
        status = endless_path(&tracer->raw.codes, &tracer->raw.paths, random, i / 8, &path);
        mw_raw_lane_remember(&tracer->raw, guard, *next, size,
                             status == MW_OK ? path : (mw_path){0}, tracer->live_bytes);
        mw_raw_lane_unlock(&tracer->raw);
    } else {
        status = endless_path(&tracer->codes, &tracer->paths, random, i / 8, &path);
        if (status == MW_OK)
            status = mw_site_table_intern(&tracer->sites, path, MW_DOMAIN_PYTHON, size, &site);
        if (status == MW_OK)
            mw_tracer_remember(tracer, guard, *next, size, site);
        else
            mw_tracer_lose(tracer, guard, size);
    }
    *next += size > MW_SITE_SIZE_FIXED ? 8192 : 32;
    program->blocks++;
    program->bytes += size;
    mw_guard_leave(guard);
}

static void check_within_bound(mw_tracer *tracer, endless *program)
{
    mw_overhead overhead = mw_tracer_overhead(tracer);
    mw_stage stage = mw_budget_stage(&tracer->budget);

    CHECK(atomic_load(&tracer->budget.used_bytes) <= CEILING);
    CHECK(overhead.blocks + overhead.sites + overhead.paths + overhead.codes + overhead.raw <=
          CEILING);
    CHECK(stage >= program->stage);
    program->stage = stage;
    /* Sums are exact: what is not recorded is counted as lost. */
    CHECK_EQ(mw_tracer_live_bytes(tracer) + tracer->lost_bytes + tracer->raw.lost_bytes,
             program->bytes);
    if (stage < MW_STAGE_LOSING)
        CHECK_EQ(lost_blocks(tracer), 0);
}

TEST(tracer, stays_within_its_bound_whatever_a_program_does)
{
    const mw_tracer_options options = {.frame_limit = 100, .max_overhead_bytes = CEILING};
    mw_random random = mw_random_of(1);
    endless program = {.small = 0x7f1200000030, .large = 0x555500000010};
    mw_tracer tracer = new_tracer();
    uint32_t seen_stages = 0;
    mw_degradation degradation;
    mw_snapshot *snapshot;
    mw_guard guard;

    CHECK_OK(mw_tracer_start_with(&tracer, mw_alloc_pages(), &options));
    for (uint32_t i = 0; i < ENDLESS && lost_blocks(&tracer) < 2000; i++) {
        endless_allocate(&tracer, &program, &random, i);
        if (i % 64 == 0)
            check_within_bound(&tracer, &program);
        seen_stages |= 1u << program.stage;
    }
    check_within_bound(&tracer, &program);
    CHECK_EQ(lost_blocks(&tracer), 2000);
    CHECK_EQ(seen_stages, 31);
    CHECK(mw_tracer_is_consistent(&tracer));
    degradation = mw_tracer_degradation(&tracer);
    CHECK_EQ(degradation.stage, MW_STAGE_LOSING);
    CHECK_EQ(degradation.ceiling_bytes, CEILING);
    CHECK(degradation.folded_frames > 0 && degradation.coarse_codes > 0);
    CHECK(degradation.cut_blocks > 0 && degradation.cut_blocks < program.blocks);
    CHECK(degradation.cut_bytes > 0 && degradation.cut_bytes < mw_tracer_live_bytes(&tracer));

    guard = mw_guard_enter();
    CHECK_OK(mw_tracer_snapshot(&tracer, guard, mw_alloc_system(), &snapshot));
    mw_guard_leave(guard);
    CHECK(mw_snapshot_is_consistent(snapshot));
    CHECK_EQ(mw_snapshot_live_bytes(snapshot), mw_tracer_live_bytes(&tracer));
    mw_snapshot_release(snapshot);

    /* Cleared, it begins anew with the same bound; started again, without one. */
    CHECK_OK(mw_tracer_clear(&tracer));
    CHECK_EQ(mw_tracer_degradation(&tracer).stage, MW_STAGE_EXACT);
    CHECK_EQ(tracer.budget.ceiling_bytes, CEILING);
    mw_tracer_stop(&tracer);
    CHECK_OK(mw_tracer_start(&tracer, mw_alloc_pages(), 1));
    CHECK_EQ(tracer.budget.ceiling_bytes, 0);
    mw_tracer_done(&tracer);
    CHECK_EQ(atomic_load(&tracer.budget.used_bytes), 0);
}

/* Within a bound nothing is refused for want of memory for paths: blocks alone are lost. */
TEST(tracer, gives_back_what_it_held_within_a_bound_whichever_allocation_fails)
{
    const mw_tracer_options options = {.frame_limit = 1, .max_overhead_bytes = CEILING};
    bool was_refused = true;

    for (size_t nth = 0; was_refused; nth++) {
        mw_failing_alloc failing = mw_failing_alloc_at(nth);
        mw_random random = mw_random_of(1);
        endless program = {.small = 0x7f1200000030, .large = 0x555500000010};
        mw_tracer tracer = new_tracer();

        if (mw_tracer_start_with(&tracer, &failing.base, &options) == MW_OK) {
            for (uint32_t i = 0; i < 600; i++)
                endless_allocate(&tracer, &program, &random, i);
            CHECK_EQ(mw_tracer_live_bytes(&tracer) + tracer.lost_bytes + tracer.raw.lost_bytes,
                     program.bytes);
            CHECK(mw_tracer_is_consistent(&tracer));
        }
        was_refused = failing.requests > failing.nth;
        mw_tracer_done(&tracer);
        CHECK_EQ(failing.live_blocks, 0);
        CHECK_EQ(atomic_load(&tracer.budget.used_bytes), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(tracer, agrees_with_an_array_of_blocks),
        CASE(tracer, counts_a_block_once_that_replaces_one_whose_free_nobody_saw),
        CASE(tracer, does_not_take_older_blocks_for_known_ones),
        CASE(tracer, unbinds_the_code_of_a_watched_block_when_it_goes),
        CASE(tracer, site_cache_finds_nothing_from_before_a_code_death),
        CASE(tracer, site_cache_keeps_two_that_share_a_slot),
        CASE(tracer, tells_254_threads_apart_and_joins_the_others),
        CASE(tracer, takes_a_snapshot_of_a_stack_of_any_depth),
        CASE(tracer, takes_a_snapshot_of_one_address_in_several_domains),
        CASE(tracer, takes_no_more_memory_however_often_it_starts_and_stops),
        CASE(tracer, returns_every_byte_whichever_allocation_fails),
        CASE(tracer, is_off_after_a_clear_that_was_refused),
        CASE(tracer, counts_a_restore_that_was_refused_as_a_loss),
        CASE(tracer, records_threads_without_the_gil_beside_the_main_lane),
        CASE(tracer, goes_on_in_a_child_that_was_forked_while_others_held_the_lock),
        CASE(tracer, stays_within_its_bound_whatever_a_program_does),
        CASE(tracer, gives_back_what_it_held_within_a_bound_whichever_allocation_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
