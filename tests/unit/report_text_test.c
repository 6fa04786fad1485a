/* SPDX-License-Identifier: MIT
 *
 * The screens of `memwhy report` on a made-up service, whole, against golden files that were
 * read by eye.
 */
#include "golden.h"
#include "shop.h"

#include "render/report_text.h"

#define SECONDS UINT64_C(1000000000)

/* ── what a report is told ───────────────────────────────────────────────────────── */

static const char *told_text(const mw_line_texts *self, const char *file, int32_t line,
                             size_t *ret_length)
{
    static char text[MW_SOURCE_LINE_BYTES + 8];

    (void)self;
    memcpy(text, "        ", 8);
    told_line(NULL, file, line, text + 8);
    *ret_length = strlen(text);
    return text[8] == '\0' ? NULL : text;
}

static const mw_line_texts told_texts = {.line = told_text};

static const mw_timeline shop_timeline = {
    .program = {.name = "shop/app.py",
                .command_line = "shop/app.py --port 80",
                .directory = "/home/me",
                .python = "3.11.2",
                .pid = 4711},
    .ending = MW_ENDING_EXITED,
};

static const mw_point shop_point = {.time_ns = 123 * SECONDS,
                                    .rss_bytes = 45 << 20,
                                    .live_bytes = 17 << 20,
                                    .peak_bytes = 20 << 20,
                                    .overhead_bytes = 1234567};

typedef struct shop_report {
    mw_snapshot *snapshot; /* owned */
    mw_view view;
    mw_report report;
} shop_report;

/* Takes the snapshot. */
static void shop_report_init(shop_report *shop, mw_snapshot *snapshot)
{
    shop->snapshot = snapshot;
    shop->view = (mw_view){.snapshot = snapshot,
                           .timeline = &shop_timeline,
                           .places = &shop_places,
                           .source = &told_source,
                           .measure = "alive"};
    shop->report = (mw_report){.view = &shop->view,
                               .point = &shop_point,
                               .started = "2026-11-21 16:11:58",
                               .lead = "Alive at the end, 2m03s (snapshot 12 of 0 to 12)",
                               .selection = "",
                               .whole_bytes = mw_snapshot_live_bytes(snapshot),
                               .whole_blocks = mw_snapshot_block_count(snapshot),
                               .top = 5,
                               .tree = {.share_minimum = 1},
                               .lines = {.texts = &told_texts},
                               .width = 80};
}

/* Writes it into [ret_text], which the caller is done with. */
static void write_report(const shop_report *shop, mw_buffer *ret_text)
{
    mw_error error = {0};

    mw_buffer_init(ret_text, mw_alloc_system());
    CHECK_OK(mw_report_write_text(&shop->report, mw_alloc_system(), &ret_text->sink, &error));
}

static void check_and_release(shop_report *shop, const char *golden)
{
    mw_buffer text;

    write_report(shop, &text);
    check_golden(golden, text.bytes, text.length);
    mw_buffer_done(&text);
    mw_snapshot_release(shop->snapshot);
}

/* ── tables ──────────────────────────────────────────────────────────────────────── */

static void check_table(mw_group_key by, const char *golden)
{
    shop_report shop;

    shop_report_init(&shop, shop_snapshot());
    shop.report.by = by;
    check_and_release(&shop, golden);
}

TEST(report_text, by_line_is_the_golden_one)
{
    check_table(MW_GROUP_LINE, "report_line.txt");
}

TEST(report_text, by_module_is_the_golden_one)
{
    check_table(MW_GROUP_MODULE, "report_module.txt");
}

TEST(report_text, by_thread_is_the_golden_one)
{
    check_table(MW_GROUP_THREAD, "report_thread.txt");
}

TEST(report_text, by_domain_is_the_golden_one)
{
    check_table(MW_GROUP_DOMAIN, "report_domain.txt");
}

TEST(report_text, by_traceback_is_the_golden_one)
{
    check_table(MW_GROUP_TRACEBACK, "report_traceback.txt");
}

TEST(report_text, in_colour_is_the_golden_one)
{
    shop_report shop;

    shop_report_init(&shop, shop_snapshot());
    shop.report.has_colour = true;
    shop.report.width = 120;
    check_and_release(&shop, "report_colour.txt");
}

/* ── what one has to know ────────────────────────────────────────────────────────── */

static void check_says(const shop_report *shop, const char *sentence)
{
    mw_buffer text;

    write_report(shop, &text);
    if (strstr(text.bytes, sentence) == NULL)
        print_error("%s\nis not in\n%s", sentence, text.bytes);
    CHECK(strstr(text.bytes, sentence) != NULL);
    mw_buffer_done(&text);
}

TEST(report_text, says_how_the_capture_ended)
{
    mw_timeline timeline = shop_timeline;
    shop_report shop;

    shop_report_init(&shop, shop_snapshot());
    shop.view.timeline = &timeline;
    timeline.ending = MW_ENDING_UNKNOWN;
    check_says(&shop, "\nThe process was killed, or was still running.\n");
    timeline.ending = MW_ENDING_EXITED;
    timeline.exit_status = 3;
    check_says(&shop, "\nThe process ended with exit status 3.\n");
    shop.report.is_truncated = true;
    check_says(&shop, "\nThe file ends in the middle of a record");
    mw_snapshot_release(shop.snapshot);
}

TEST(report_text, says_about_where_numbers_are_estimates)
{
    mw_timeline timeline = shop_timeline;
    shop_report shop;

    shop_report_init(&shop, shop_snapshot());
    shop.view.timeline = &timeline;
    timeline.program.sample_bytes = 512 << 10;
    check_says(&shop,
               "87.7% of about 17.4 MiB still alive comes from two lines: shop/visits.py:31 in\n");
    check_says(&shop, "\nSampled, one block per 512 KiB allocated on average: all numbers are "
                      "estimates.\n");
    mw_snapshot_release(shop.snapshot);
}

TEST(report_text, says_what_is_shown)
{
    mw_timeline timeline = shop_timeline;
    shop_report shop;

    shop_report_init(&shop, shop_snapshot());
    shop.view.timeline = &timeline;
    shop.view.measure = "allocated";
    shop.view.verdict = "shop/visits.py:31 leaks 1.2 MiB an hour.";
    shop.report.lead = "Allocated up to the end, 2m03s";
    shop.report.selection = "under 'shop/*\033'";
    check_says(&shop,
               "shop/visits.py:31 leaks 1.2 MiB an hour. 87.7% of the 17.4 MiB allocated comes\n");
    check_says(&shop, "\nAllocated up to the end, 2m03s: 17.4 MiB in 73,070 blocks;");
    check_says(&shop, "\nShown: 17.4 MiB of it, in 73,070 blocks, under 'shop/*?'.\n");
    mw_snapshot_release(shop.snapshot);
}

TEST(report_text, of_nothing_says_so)
{
    shop_report shop;

    shop_report_init(&shop, finish(new_builder()));
    check_says(&shop, "Nothing that was allocated since the start is still alive.\n");
    shop.report.selection = "under 'x'";
    shop.view.measure = "alive at the peak";
    check_says(&shop, "Nothing that was asked for is alive at the peak.\n");
    shop.report.form = MW_REPORT_TREE;
    check_says(&shop, "Nothing that was asked for is alive at the peak.\n");
    mw_snapshot_release(shop.snapshot);
}

/* ── trees ───────────────────────────────────────────────────────────────────────── */

/* A program with deep calls, many small branches, recursion and a line that both allocates
 * and calls. */
static mw_snapshot *forest(void)
{
    mw_snapshot_builder *builder = new_builder();
    const call main_line[] = {MAIN, {0}};
    const call serve[] = {MAIN, {"/home/me/shop/serve.py", 10, "serve"}, {0}};
    const call handle[] = {MAIN,
                           {"/home/me/shop/serve.py", 10, "serve"},
                           {"/home/me/shop/serve.py", 20, "handle"},
                           {"/home/me/shop/orders.py", 77, "Orders.accept"},
                           {"/home/me/shop/orders.py", 80, "Orders._accept"},
                           {STDLIB "json/__init__.py", 346, "loads"},
                           {STDLIB "json/decoder.py", 337, "JSONDecoder.decode"},
                           {STDLIB "json/decoder.py", 353, "JSONDecoder.raw_decode"},
                           {0}};
    const call visit[] = {MAIN,
                          {"/home/me/shop/serve.py", 10, "serve"},
                          {"/home/me/shop/visits.py", 31, "Visits.record"},
                          {0}};
    call walk[22] = {MAIN};

    add_blocks(builder, main_line, 1000, 5);
    add_blocks(builder, serve, 2000, 10);
    add_blocks(builder, handle, 100, 4000);
    add_blocks(builder, visit, 200, 1000);
    for (int i = 1; i <= 12; i++) {
        const call small[] = {MAIN, {"/home/me/shop/setup.py", i, "prepare"}, {0}};
        add_blocks(builder, small, 256, 1);
    }
    for (int i = 1; i < 21; i++)
        walk[i] = (call){"/home/me/shop/tree.py", 5 + i % 2, "walk"};
    add_blocks(builder, walk, 10, 10000);
    return finish(builder);
}

static void check_tree(mw_tree_form form, const char *golden)
{
    shop_report shop;

    shop_report_init(&shop, forest());
    shop.report.form = MW_REPORT_TREE;
    shop.report.tree = form;
    check_and_release(&shop, golden);
}

TEST(report_text, a_tree_is_the_golden_one)
{
    check_tree((mw_tree_form){.share_minimum = 1}, "report_tree.txt");
}

TEST(report_text, a_tree_of_everything_is_the_golden_one)
{
    check_tree((mw_tree_form){.share_minimum = 0}, "report_tree_all.txt");
}

TEST(report_text, a_tree_may_be_shallow)
{
    check_tree((mw_tree_form){.share_minimum = 1, .depth_maximum = 2}, "report_tree_shallow.txt");
}

TEST(report_text, a_tree_may_be_turned_over)
{
    check_tree((mw_tree_form){.share_minimum = 1, .is_inverted = true}, "report_tree_inverted.txt");
}

TEST(report_text, a_deep_tree_stays_on_the_screen)
{
    mw_snapshot_builder *builder = new_builder();
    call calls[62] = {{0}};
    shop_report shop;
    mw_buffer text;

    for (int i = 0; i < 60; i++) {
        calls[i] = (call){"/home/me/shop/deep.py", i + 1, "down"};
        calls[i + 1] = (call){0};
        add_blocks(builder, calls, 100, 1);
    }
    shop_report_init(&shop, finish(builder));
    shop.report.form = MW_REPORT_TREE;
    write_report(&shop, &text);
    for (char *line = strtok(text.bytes, "\n"); line != NULL; line = strtok(NULL, "\n"))
        CHECK(mw_clean_columns(line, strlen(line)) <= 80);
    mw_buffer_done(&text);
    mw_snapshot_release(shop.snapshot);
}

/* ── lines of two functions ──────────────────────────────────────────────────────── */

TEST(report_text, a_row_has_the_function_that_holds_most)
{
    static const call definition[] = {{"/home/me/shop/app.py", 7, "<module>"}, {0}};
    static const call calls[] = {MAIN, {"/home/me/shop/app.py", 7, "keep"}, {0}};
    mw_snapshot_builder *builder = new_builder();
    shop_report shop;

    add_blocks(builder, definition, 144, 1);
    add_blocks(builder, calls, 1000, 1);
    shop_report_init(&shop, finish(builder));
    check_says(&shop, "  shop/app.py:7 in keep\n");
    mw_snapshot_release(shop.snapshot);
}

/* ── source ──────────────────────────────────────────────────────────────────────── */

TEST(report_text, annotated_source_is_the_golden_one)
{
    shop_report shop;

    shop_report_init(&shop, shop_snapshot());
    shop.report.form = MW_REPORT_SOURCE;
    check_and_release(&shop, "report_source.txt");
}

TEST(report_text, a_line_that_calls_itself_counts_once)
{
    static const call recursion[] = {MAIN,
                                     {"/home/me/shop/tree.py", 5, "walk"},
                                     {"/home/me/shop/tree.py", 9, "visit"},
                                     {"/home/me/shop/tree.py", 5, "walk"},
                                     {0}};
    mw_snapshot_builder *builder = new_builder();
    shop_report shop;

    add_blocks(builder, recursion, 100, 1);
    shop_report_init(&shop, finish(builder));
    shop.report.form = MW_REPORT_SOURCE;
    shop.report.lines.file = "tree.py";
    check_says(&shop, "\nshop/tree.py: 100 B\n");
    check_says(&shop, "\n     5     100 B     100 B         1\n");
    check_says(&shop, "\n     9     100 B\n");
    mw_snapshot_release(shop.snapshot);
}

TEST(report_text, a_file_is_named_by_its_end_or_a_pattern)
{
    shop_report shop;

    shop_report_init(&shop, shop_snapshot());
    shop.report.form = MW_REPORT_SOURCE;
    shop.report.lines.file = "decoder.py";
    check_says(&shop, "\njson/decoder.py: 3906 KiB\n");
    shop.report.lines.file = "json/*.py";
    check_says(&shop, "\njson/decoder.py: 3906 KiB\n");
    check_says(&shop, "\njson/__init__.py: 3906 KiB\n");
    shop.report.lines.file = "/home/me/shop/app.py";
    check_says(&shop, "\nshop/app.py: ");
    mw_snapshot_release(shop.snapshot);
}

TEST(report_text, a_file_that_is_none_is_refused)
{
    mw_error error = {0};
    shop_report shop;
    mw_buffer text;

    shop_report_init(&shop, shop_snapshot());
    shop.report.form = MW_REPORT_SOURCE;
    shop.report.lines.file = "coder.py";
    mw_buffer_init(&text, mw_alloc_system());
    CHECK_EQ(mw_report_write_text(&shop.report, mw_alloc_system(), &text.sink, &error),
             MW_BAD_INPUT);
    CHECK_STR_EQ(error.text, "no file of the program is named \"coder.py\"");
    mw_buffer_done(&text);
    mw_snapshot_release(shop.snapshot);
}

/* ── failure ─────────────────────────────────────────────────────────────────────── */

/* What succeeds has written all [whole_length] bytes. */
static mw_status write_with(const mw_report *report, size_t nth, uint32_t whole_length)
{
    mw_failing_alloc failing = mw_failing_alloc_at(nth);
    mw_error error = {0};
    mw_buffer buffer;
    mw_status status;

    mw_buffer_init(&buffer, &failing.base);
    status = mw_report_write_text(report, &failing.base, &buffer.sink, &error);
    CHECK(status != MW_OK || buffer.length == whole_length);
    mw_buffer_done(&buffer);
    CHECK_EQ(failing.live_blocks, 0);
    CHECK_EQ(failing.live_bytes, 0);
    CHECK(status == MW_OK || error.text[0] != '\0');
    return status;
}

TEST(report_text, returns_every_byte_whichever_allocation_fails)
{
    shop_report shop;

    shop_report_init(&shop, forest());
    shop.report.by = MW_GROUP_TRACEBACK;
    for (int form = MW_REPORT_TABLE; form <= MW_REPORT_SOURCE; form++) {
        mw_buffer whole;
        size_t nth = 0;

        shop.report.form = (mw_report_form)form;
        write_report(&shop, &whole);
        while (write_with(&shop.report, nth, whole.length) != MW_OK)
            CHECK(++nth < 1000);
        CHECK(nth > 5);
        mw_buffer_done(&whole);
    }
    mw_snapshot_release(shop.snapshot);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(report_text, by_line_is_the_golden_one),
        CASE(report_text, by_module_is_the_golden_one),
        CASE(report_text, by_thread_is_the_golden_one),
        CASE(report_text, by_domain_is_the_golden_one),
        CASE(report_text, by_traceback_is_the_golden_one),
        CASE(report_text, in_colour_is_the_golden_one),
        CASE(report_text, says_how_the_capture_ended),
        CASE(report_text, says_about_where_numbers_are_estimates),
        CASE(report_text, says_what_is_shown),
        CASE(report_text, of_nothing_says_so),
        CASE(report_text, a_tree_is_the_golden_one),
        CASE(report_text, a_tree_of_everything_is_the_golden_one),
        CASE(report_text, a_tree_may_be_shallow),
        CASE(report_text, a_tree_may_be_turned_over),
        CASE(report_text, a_deep_tree_stays_on_the_screen),
        CASE(report_text, a_row_has_the_function_that_holds_most),
        CASE(report_text, annotated_source_is_the_golden_one),
        CASE(report_text, a_line_that_calls_itself_counts_once),
        CASE(report_text, a_file_is_named_by_its_end_or_a_pattern),
        CASE(report_text, a_file_that_is_none_is_refused),
        CASE(report_text, returns_every_byte_whichever_allocation_fails),
    };

    return cmocka_run_group_tests_name("report_text", tests, NULL, NULL);
}
