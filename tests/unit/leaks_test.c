/* SPDX-License-Identifier: MIT
 *
 * The verdict over time of a made-up shop, whole, against golden files that were read by
 * eye, and its sentences one by one.
 */
#include "golden.h"
#include "leak_model.h"
#include "shop.h"

#include "core/region.h"
#include "render/leaks.h"

enum { MOMENTS = 60, LINES_MAXIMUM = 8 };

/* One line of the shop, and what becomes of its memory. */
typedef struct line_story {
    const call *calls;
    void (*fill)(leak_model *model);
    uint64_t seed;
} line_story;

typedef struct story {
    mw_snapshot *last;
    mw_leak_groups groups;
    mw_histories histories;
    mw_leaks leaks;
    mw_point point;
    mw_program program;
    mw_leak_scope scope;
    uint32_t moments;
    bool lacks_totals;
} story;

static leak_model models[LINES_MAXIMUM];

static const call remembers[] = {MAIN,
                                 {"/home/me/shop/visits.py", 41, "remember"},
                                 {STDLIB "json/decoder.py", 353, "decode"},
                                 {0}};
static const call subscribes[] = {MAIN, {"/home/me/shop/updates.py", 18, "subscribe"}, {0}};
static const call renders[] = {MAIN, {"/home/me/shop/pages.py", 57, "render"}, {0}};
static const call queues[] = {MAIN, {"/home/me/shop/jobs.py", 12, "put"}, {0}};
static const call imports[] = {{"/home/me/shop/app.py", 3, "<module>"},
                               {"<frozen importlib._bootstrap>", 1176, "_find_and_load"},
                               {STDLIB "decimal.py", 8, "<module>"},
                               {0}};
static const call starts_thread[] = {{STDLIB "threading.py", 995, "_bootstrap"}, {0}};

/* ── telling a story ─────────────────────────────────────────────────────────────── */

static mw_path path_of(mw_snapshot_builder *builder, const call *calls, uint32_t *ret_depth)
{
    mw_path path = {0};

    for (*ret_depth = 0; calls->file != NULL; calls++, ++*ret_depth) {
        mw_frame_row row = {.file = intern(builder, calls->file),
                            .function = intern(builder, calls->function),
                            .line = calls->line};
        mw_frame frame;
        CHECK_OK(mw_snapshot_builder_frame(builder, row, &frame));
        CHECK_OK(mw_snapshot_builder_path(builder, path, frame, &path));
    }
    return path;
}

/* One site for each line and epoch. */
static mw_snapshot *last_snapshot(const line_story *lines, uint32_t count, uint32_t moments)
{
    mw_snapshot_builder *builder = new_builder();

    for (uint32_t i = 0; i < count; i++) {
        uint32_t depth;
        mw_path path = path_of(builder, lines[i].calls, &depth);

        for (uint32_t epoch = 0; epoch < moments; epoch++) {
            mw_site site;
            CHECK_OK(mw_snapshot_builder_epoch_site(builder, path, depth, 0, (mw_thread){0}, epoch,
                                                    &site));
            CHECK_OK(mw_snapshot_builder_tally(builder, site, (uint64_t)models[i].kept_bytes[epoch],
                                               (uint64_t)ceil(models[i].kept_blocks[epoch])));
        }
    }
    return finish(builder);
}

/* Sites are numbered line by line, epoch by epoch; a group's history is its line's. */
static void fill_histories(story *told, uint32_t count)
{
    for (uint32_t moment = 0; moment < told->moments; moment++) {
        mw_histories_begin(&told->histories, models[0].times[moment]);
        mw_histories_end(&told->histories);
    }
    told->histories.has_totals = !told->lacks_totals;
    told->histories.is_finished = true;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t group = told->groups.of_site[1 + i * told->moments];
        mw_history history = mw_histories_of(&told->histories, group);
        size_t bytes = told->moments * sizeof(double);

        memcpy((double *)history.live_bytes, models[i].live_bytes, bytes);
        memcpy((double *)history.live_blocks, models[i].live_blocks, bytes);
        memcpy((double *)history.kept_bytes, models[i].kept_bytes, bytes);
        memcpy((double *)history.kept_blocks, models[i].kept_blocks, bytes);
        if (!told->lacks_totals)
            memcpy((double *)history.born_bytes, models[i].born_bytes, bytes);
        memcpy((double *)history.died_bytes, models[i].died_bytes, bytes);
        memcpy((double *)history.died_blocks, models[i].died_blocks, bytes);
        if (!told->lacks_totals)
            memcpy((double *)history.work, models[i].work, bytes);
    }
}

static void tell(story *told, const line_story *lines, uint32_t count, uint32_t moments)
{
    told->moments = moments;
    for (uint32_t i = 0; i < count; i++) {
        model_begin(&models[i], moments, lines[i].seed);
        memcpy(models[i].times, models[0].times, sizeof models[i].times);
        lines[i].fill(&models[i]);
    }
    told->last = last_snapshot(lines, count, moments);
    told->scope.places = &shop_places;
    CHECK_OK(mw_leak_groups_init(&told->groups, told->last, &told->scope, mw_alloc_system()));
    CHECK_OK(mw_histories_init(&told->histories, told->groups.count, moments, moments,
                               mw_alloc_system()));
    fill_histories(told, count);
    told->point = (mw_point){.rss_bytes = 80 << 20};
    CHECK_OK(mw_leaks_init(&told->leaks, &told->groups, &told->histories, &told->program,
                           &told->point, &shop_places, mw_alloc_system()));
}

static void forget(story *told)
{
    mw_leaks_done(&told->leaks);
    mw_histories_done(&told->histories);
    mw_leak_groups_done(&told->groups);
    mw_snapshot_release(told->last);
}

/* The sentence lives until the next call. */
static const char *verdict_of_story(story told, const line_story *lines, uint32_t count)
{
    static char sentence[2048];
    mw_buffer buffer;

    mw_buffer_init(&buffer, mw_alloc_system());
    tell(&told, lines, count, told.moments);
    mw_leaks_write_verdict(&told.leaks, &buffer.sink);
    snprintf(sentence, sizeof sentence, "%s", buffer.bytes);
    mw_buffer_done(&buffer);
    forget(&told);
    return sentence;
}

static const char *verdict_of(const line_story *lines, uint32_t count, uint32_t moments,
                              uint64_t limit_bytes)
{
    return verdict_of_story(
        (story){.program = {.memory_limit_bytes = limit_bytes}, .moments = moments}, lines, count);
}

/* The page, likewise. */
static const char *page_of(const line_story *lines, uint32_t count)
{
    static char page[8192];
    mw_leaks_page of = {.source = &told_source, .top = 10, .width = 80};
    story told = {0};
    mw_buffer buffer;

    mw_buffer_init(&buffer, mw_alloc_system());
    tell(&told, lines, count, MOMENTS);
    CHECK_OK(mw_leaks_write_text(&told.leaks, &of, mw_alloc_system(), &buffer.sink, NULL));
    snprintf(page, sizeof page, "%s", buffer.bytes);
    mw_buffer_done(&buffer);
    forget(&told);
    return page;
}

/* ── lines ───────────────────────────────────────────────────────────────────────── */

static void leak_evenly(leak_model *model)
{
    for (uint32_t i = 0; i < model->count; i++)
        model_blocks(model, i, MODEL_FOREVER, 40000, 100);
}

static void leak_less(leak_model *model)
{
    for (uint32_t i = 0; i < model->count; i++)
        model_blocks(model, i, MODEL_FOREVER, 15000, 100);
}

static void leak_a_little(leak_model *model)
{
    for (uint32_t i = 0; i < model->count; i++)
        model_blocks(model, i, MODEL_FOREVER, 300, 1);
}

static void fill_cache(leak_model *model)
{
    double seen = 0;

    for (uint32_t i = 0; i < model->count; i++) {
        double bytes = floor((4e5 - seen) / 30);
        model_blocks(model, i, MODEL_FOREVER, bytes, ceil(bytes / 100));
        seen += bytes;
    }
}

static void grow_in_steps(leak_model *model)
{
    for (uint32_t i = 3; i < model->count; i += 12)
        model_blocks(model, i, MODEL_FOREVER, 30000, 50);
}

static void come_and_go(leak_model *model)
{
    for (uint32_t i = 0; i < model->count; i++)
        model_blocks(model, i, i + 3, 30000, 100);
}

static const line_story whole_shop[] = {
    {remembers, leak_less, 1}, {subscribes, leak_a_part, 2}, {renders, fill_cache, 3},
    {queues, come_and_go, 4},  {imports, import_time, 5},    {starts_thread, leak_a_little, 6},
};
enum { SHOP_LINES = sizeof whole_shop / sizeof whole_shop[0] };

static void leak_later(leak_model *model)
{
    for (uint32_t i = model->count / 2; i < model->count; i++)
        model_blocks(model, i, MODEL_FOREVER, 40000, 100);
}

/* ── golden files ────────────────────────────────────────────────────────────────── */

static void check_page(const char *golden, mw_group_key by, mw_leaks_page page)
{
    story told = {.scope = {.by = by}, .program = {.memory_limit_bytes = 1 << 30}};
    mw_buffer buffer;

    page.source = &told_source;
    mw_buffer_init(&buffer, mw_alloc_system());
    tell(&told, whole_shop, SHOP_LINES, MOMENTS);
    CHECK_OK(mw_leaks_write_text(&told.leaks, &page, mw_alloc_system(), &buffer.sink, NULL));
    check_golden(golden, buffer.bytes, buffer.length);
    mw_buffer_done(&buffer);
    forget(&told);
}

TEST(leaks, text_is_the_golden_one)
{
    check_page("leaks_line.txt", MW_GROUP_LINE, (mw_leaks_page){.top = 10, .width = 80});
}

TEST(leaks, text_by_function_in_colour_is_the_golden_one)
{
    check_page("leaks_function_colour.txt", MW_GROUP_FUNCTION,
               (mw_leaks_page){.top = 2, .width = 60, .has_colour = true});
}

TEST(leaks, text_by_traceback_is_the_golden_one)
{
    check_page("leaks_traceback.txt", MW_GROUP_TRACEBACK, (mw_leaks_page){.top = 1, .width = 80});
}

TEST(leaks, json_is_the_golden_one)
{
    story told = {.scope = {.by = MW_GROUP_LINE}};
    mw_buffer buffer;

    mw_buffer_init(&buffer, mw_alloc_system());
    tell(&told, whole_shop, SHOP_LINES, MOMENTS);
    CHECK_OK(mw_leaks_write_json(&told.leaks, 5, mw_alloc_system(), &buffer.sink, NULL));
    check_golden("leaks_line.json", buffer.bytes, buffer.length);
    mw_buffer_done(&buffer);
    forget(&told);
}

static mw_status write_json(const story *told, mw_alloc *alloc, mw_buffer *ret_text)
{
    mw_buffer_init(ret_text, alloc);
    return mw_leaks_write_json(&told->leaks, 5, alloc, &ret_text->sink, NULL);
}

TEST(leaks, json_has_tracebacks_from_the_oldest_frame_on)
{
    const line_story lines[] = {{remembers, leak_evenly, 1}};
    story told = {.scope = {.by = MW_GROUP_TRACEBACK}};
    const char *main_frame, *remember, *decode;
    mw_buffer text;

    tell(&told, lines, 1, MOMENTS);
    CHECK_OK(write_json(&told, mw_alloc_system(), &text));
    main_frame = strstr(text.bytes, "\"traceback\": [{\"line\": 120, ");
    remember = strstr(text.bytes, "}, {\"line\": 41, ");
    decode = strstr(text.bytes, "}, {\"line\": 353, ");
    CHECK(main_frame != NULL && remember > main_frame && decode > remember);
    mw_buffer_done(&text);
    for (size_t nth = 0;; nth++) {
        mw_failing_alloc failing = mw_failing_alloc_at(nth);
        mw_status status = write_json(&told, &failing.base, &text);

        mw_buffer_done(&text);
        CHECK_EQ(failing.live_bytes, 0);
        if (status == MW_OK)
            break;
        CHECK_EQ(status, MW_NO_MEMORY);
    }
    forget(&told);
}

/* ── sentences ───────────────────────────────────────────────────────────────────── */

TEST(leaks, say_one_leak_and_when_it_ends)
{
    const line_story lines[] = {{subscribes, leak_evenly, 1}};

    assert_string_equal(
        verdict_of(lines, 1, MOMENTS, 0),
        "shop/updates.py:18 in subscribe leaks 13.7 MiB per hour: 44 of 44 epochs survive, with "
        "100% of their bytes. At this rate the process doubles its 80.0 MiB in 5h49m.");
}

TEST(leaks, say_the_limit_where_there_is_one)
{
    const line_story lines[] = {{subscribes, leak_evenly, 1}};

    assert_non_null(strstr(verdict_of(lines, 1, MOMENTS, 100 << 20),
                           " At this rate the process reaches its limit of 100 MiB in 1h27m."));
}

TEST(leaks, say_that_nothing_leaks)
{
    const line_story lines[] = {{queues, come_and_go, 1}, {imports, import_time, 2}};

    assert_string_equal(verdict_of(lines, 2, MOMENTS, 0),
                        "Nothing leaks, as far as 60 snapshots over 9m50s tell.");
}

TEST(leaks, say_which_cache_still_fills)
{
    const line_story lines[] = {{renders, fill_cache, 1}, {queues, come_and_go, 2}};

    assert_non_null(strstr(verdict_of(lines, 2, 40, 0),
                           " shop/pages.py:57 in render still fills, as a cache does, to about "));
}

TEST(leaks, say_about_which_they_do_not_know)
{
    const line_story lines[] = {{renders, grow_in_steps, 1}};

    assert_string_equal(verdict_of(lines, 1, MOMENTS, 0),
                        "Nothing leaks, as far as 60 snapshots over 9m50s tell. About "
                        "shop/pages.py:57 in render there is not enough data yet.");
}

TEST(leaks, say_that_there_is_not_enough_data)
{
    const line_story lines[] = {{renders, leak_evenly, 1}};

    assert_string_equal(verdict_of(lines, 1, 5, 0),
                        "There is not enough data to tell leaks from caches: 5 snapshots over "
                        "40.5s, and 16 are needed.");
}

TEST(leaks, do_not_accuse_what_goes_along)
{
    const line_story lines[] = {{remembers, leak_evenly, 1}, {starts_thread, leak_a_little, 2}};
    story told = {0};

    tell(&told, lines, 2, MOMENTS);
    CHECK_EQ(told.leaks.counts[MW_VERDICT_LEAK], 1);
    CHECK_EQ(told.leaks.along_count, 1);
    CHECK(told.leaks.rows[1].goes_along);
    CHECK_STR_EQ(mw_leak_row_verdict(&told.leaks.rows[0]), "leak");
    CHECK_STR_EQ(mw_leak_row_verdict(&told.leaks.rows[1]), "grows along");
    forget(&told);
}

TEST(leaks, say_since_when)
{
    const line_story lines[] = {{subscribes, leak_later, 1}};

    assert_non_null(strstr(page_of(lines, 1), " since 4m50s,\n"));
}

TEST(leaks, name_those_that_go_along)
{
    const line_story lines[] = {{remembers, leak_evenly, 1},
                                {starts_thread, leak_a_little, 2},
                                {queues, leak_a_little, 3},
                                {renders, leak_a_little, 4}};

    assert_non_null(
        strstr(page_of(lines, 4), "\nAlong with it 3 more lines grow, by 316 KiB per hour"));
    assert_non_null(strstr(page_of(lines, 4),
                           "most\nof it from shop/jobs.py:12 in put, shop/pages.py:57 in render "
                           "and\nthreading.py:995 in _bootstrap.\n"));
}

/* Who counts no totals knows how many epochs survive, not how much of them. */
TEST(leaks, without_totals_say_no_share)
{
    const line_story lines[] = {{subscribes, leak_evenly, 1}};
    const char *sentence =
        verdict_of_story((story){.moments = MOMENTS, .lacks_totals = true}, lines, 1);

    assert_non_null(strstr(sentence, " per hour: 44 of 44 epochs survive. At this rate"));
}

TEST(leaks, are_told_by_region)
{
    static const call checkout[] = {
        MAIN, {MW_REGION_FILE, 0, "checkout"}, {"/home/me/shop/updates.py", 18, "subscribe"}, {0}};
    const line_story inside[] = {{checkout, leak_evenly, 1}};
    const line_story outside[] = {{subscribes, leak_evenly, 1}};
    const story told = {.moments = MOMENTS, .scope = {.by = MW_GROUP_REGION}};

    assert_non_null(strstr(verdict_of_story(told, inside, 1), "checkout leaks 13.7 MiB"));
    assert_non_null(strstr(verdict_of_story(told, outside, 1), "<no region> leaks 13.7 MiB"));
}

/* ── which lines ─────────────────────────────────────────────────────────────────── */

static uint32_t count_groups(mw_leak_scope scope)
{
    mw_snapshot *snapshot;
    mw_leak_groups groups;
    uint32_t count;

    for (uint32_t i = 0; i < SHOP_LINES; i++) {
        model_begin(&models[i], MOMENTS, 1);
        whole_shop[i].fill(&models[i]);
    }
    snapshot = last_snapshot(whole_shop, SHOP_LINES, MOMENTS);
    scope.places = &shop_places;
    CHECK_OK(mw_leak_groups_init(&groups, snapshot, &scope, mw_alloc_system()));
    count = groups.count;
    mw_leak_groups_done(&groups);
    mw_snapshot_release(snapshot);
    return count;
}

/* The sentence and the rows say the same shares. */
TEST(leaks, have_shares_of_what_the_accused_leak_together)
{
    const line_story lines[] = {
        {remembers, leak_less, 1}, {subscribes, leak_evenly, 2}, {starts_thread, leak_a_little, 3}};
    double sum = 0;
    story told = {0};

    tell(&told, lines, 3, MOMENTS);
    CHECK_EQ(told.leaks.counts[MW_VERDICT_LEAK], 2);
    CHECK_EQ(told.leaks.along_count, 1);
    for (int i = 0; i < 2; i++) {
        const mw_leak_row *row = &told.leaks.rows[i];

        sum += row->share;
        CHECK(fabs(row->share - row->finding.rate.slope / told.leaks.leak_rate.slope) < 1e-9);
    }
    CHECK(fabs(sum - 1) < 1e-9);
    CHECK(told.leaks.rows[2].goes_along);
    CHECK(told.leaks.rows[2].share > 0 && told.leaks.rows[2].share < 0.05);
    forget(&told);
}

TEST(leak_groups, are_the_lines_to_look_at)
{
    CHECK_EQ(count_groups((mw_leak_scope){.by = MW_GROUP_LINE}), SHOP_LINES);
    CHECK_EQ(count_groups((mw_leak_scope){.by = MW_GROUP_FILE}), SHOP_LINES);
    CHECK_EQ(count_groups((mw_leak_scope){.by = MW_GROUP_MODULE}), SHOP_LINES);
    /* No region at all, but whom they blame keeps them apart. */
    CHECK_EQ(count_groups((mw_leak_scope){.by = MW_GROUP_REGION}), 3);
}

/* Sites of the lines come one after the other, and the larger line is the second. */
TEST(leak_groups, gather_the_sites_of_a_line_wherever_they_are)
{
    mw_leak_scope scope = {.places = &shop_places};
    mw_snapshot_builder *builder = new_builder();
    mw_leak_groups groups;
    mw_snapshot *snapshot;

    for (uint32_t epoch = 0; epoch < 4; epoch++)
        for (int line = 0; line < 2; line++) {
            uint32_t depth;
            mw_path path = path_of(builder, line == 0 ? subscribes : renders, &depth);
            mw_site site;

            CHECK_OK(mw_snapshot_builder_epoch_site(builder, path, depth, 0, (mw_thread){0}, epoch,
                                                    &site));
            CHECK_OK(mw_snapshot_builder_tally(builder, site, line == 0 ? 100 : 1000, 1));
        }
    snapshot = finish(builder);
    CHECK_OK(mw_leak_groups_init(&groups, snapshot, &scope, mw_alloc_system()));
    CHECK_EQ(groups.count, 2);
    CHECK_EQ(groups.items[0].new_bytes, 3000);
    CHECK_EQ(groups.items[1].new_bytes, 300);
    for (uint32_t site = 1; site <= 8; site++)
        CHECK_EQ(groups.of_site[site], site % 2 == 1 ? 1 : 0);
    mw_leak_groups_done(&groups);
    mw_snapshot_release(snapshot);
}

TEST(leak_groups, are_those_whose_files_match)
{
    const char *const shown[] = {"shop/visits.py", "shop/up*"};
    const char *const whole[] = {"/home/me/shop/*"};

    CHECK_EQ(count_groups((mw_leak_scope){.only = shown, .only_count = 2}), 2);
    CHECK_EQ(count_groups((mw_leak_scope){.exclude = whole, .exclude_count = 1}), 1);
    CHECK_EQ(count_groups((mw_leak_scope){
                 .only = whole, .only_count = 1, .exclude = shown, .exclude_count = 2}),
             3);
}

TEST(leaks, return_every_byte_whichever_allocation_fails)
{
    const char *const only[] = {"shop/*", "threading.py"};
    story told = {.scope = {.only = only, .only_count = 2}};

    tell(&told, whole_shop, SHOP_LINES, MOMENTS);
    for (size_t nth = 0;; nth++) {
        mw_failing_alloc failing = mw_failing_alloc_at(nth);
        mw_leaks_page page = {.source = &told_source, .top = 3, .width = 80};
        mw_leak_groups groups = {0};
        mw_leaks leaks = {0};
        mw_buffer buffer;
        mw_status status;

        mw_buffer_init(&buffer, mw_alloc_system());
        status = mw_leak_groups_init(&groups, told.last, &told.scope, &failing.base);
        if (status == MW_OK)
            status = mw_leaks_init(&leaks, &groups, &told.histories, &told.program, &told.point,
                                   &shop_places, &failing.base);
        if (status == MW_OK)
            status = mw_leaks_write_text(&leaks, &page, &failing.base, &buffer.sink, NULL);
        mw_leaks_done(&leaks);
        mw_leak_groups_done(&groups);
        mw_buffer_done(&buffer);
        CHECK_EQ(failing.live_bytes, 0);
        if (status == MW_OK)
            break;
        CHECK_EQ(status, MW_NO_MEMORY);
    }
    forget(&told);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(leaks, text_is_the_golden_one),
        CASE(leaks, text_by_function_in_colour_is_the_golden_one),
        CASE(leaks, text_by_traceback_is_the_golden_one),
        CASE(leaks, json_is_the_golden_one),
        CASE(leaks, json_has_tracebacks_from_the_oldest_frame_on),
        CASE(leaks, say_one_leak_and_when_it_ends),
        CASE(leaks, say_the_limit_where_there_is_one),
        CASE(leaks, say_that_nothing_leaks),
        CASE(leaks, say_which_cache_still_fills),
        CASE(leaks, say_about_which_they_do_not_know),
        CASE(leaks, say_that_there_is_not_enough_data),
        CASE(leaks, do_not_accuse_what_goes_along),
        CASE(leaks, say_since_when),
        CASE(leaks, name_those_that_go_along),
        CASE(leaks, without_totals_say_no_share),
        CASE(leaks, are_told_by_region),
        CASE(leaks, have_shares_of_what_the_accused_leak_together),
        CASE(leak_groups, are_the_lines_to_look_at),
        CASE(leak_groups, gather_the_sites_of_a_line_wherever_they_are),
        CASE(leak_groups, are_those_whose_files_match),
        CASE(leaks, return_every_byte_whichever_allocation_fails),
    };

    return cmocka_run_group_tests_name("leaks", tests, NULL, NULL);
}
