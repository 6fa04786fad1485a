/* SPDX-License-Identifier: MIT
 *
 * The screens of `memwhy diff` on two moments of a made-up service, against golden files that
 * were read by eye, and the rules of its sentence.
 */
#include "golden.h"
#include "shop.h"

#include "render/difference.h"

typedef struct shop_difference {
    mw_snapshot *older, *newer; /* owned */
    mw_view view;
    mw_difference difference;
} shop_difference;

/* Takes both. */
static void shop_difference_init(shop_difference *shop, mw_snapshot *older, mw_snapshot *newer)
{
    *shop = (shop_difference){.older = older, .newer = newer};
    shop->view = (mw_view){.snapshot = newer,
                           .older = older,
                           .places = &shop_places,
                           .source = &told_source,
                           .measure = "alive"};
    shop->difference = (mw_difference){.view = &shop->view,
                                       .older_source = &told_source,
                                       .older_lead = "old.memwhy, at the end, 2m03s",
                                       .newer_lead = "new.memwhy, at the end, 2m01s",
                                       .selection = "",
                                       .cautions = "",
                                       .top = 5,
                                       .width = 80};
}

static void shop_difference_done(shop_difference *shop)
{
    mw_snapshot_release(shop->older);
    mw_snapshot_release(shop->newer);
}

typedef mw_status (*difference_writer)(const mw_difference *, mw_changes *, mw_alloc *, mw_sink *,
                                       mw_error *);

static mw_status write_with(const shop_difference *shop, difference_writer write, mw_alloc *alloc,
                            mw_buffer *ret_text, mw_error *reterr)
{
    mw_changes changes;
    mw_status status;

    mw_buffer_init(ret_text, alloc);
    status = mw_changes_init(&changes, &shop->difference, alloc, reterr);
    if (status != MW_OK)
        return status;
    status = write(&shop->difference, &changes, alloc, &ret_text->sink, reterr);
    mw_changes_done(&changes);
    return status;
}

static mw_snapshot *later_shop(void)
{
    mw_snapshot_builder *builder = new_builder();
    const call fresh[] = {MAIN, {"/home/me/shop/a|`b`.py", 9, "put"}, {0}};

    add_blocks(builder, shop_visits, 200, 260005);
    add_blocks(builder, shop_decoder, 1000, 2500);
    add_blocks(builder, shop_imports, 300, 7000);
    add_blocks(builder, shop_server, 64, 2100);
    add_blocks(builder, fresh, 100, 64);
    return finish(builder);
}

static void check_shop(difference_writer write, mw_group_key by, bool has_colour,
                       const char *golden)
{
    shop_difference shop;
    mw_buffer text;

    shop_difference_init(&shop, shop_snapshot(), later_shop());
    shop.difference.by = by;
    shop.difference.has_colour = has_colour;
    CHECK_OK(write_with(&shop, write, mw_alloc_system(), &text, NULL));
    check_golden(golden, text.bytes, text.length);
    mw_buffer_done(&text);
    shop_difference_done(&shop);
}

TEST(difference, by_line_is_the_golden_one)
{
    check_shop(mw_difference_write_text, MW_GROUP_LINE, false, "diff_line.txt");
}

TEST(difference, by_file_in_colour_is_the_golden_one)
{
    check_shop(mw_difference_write_text, MW_GROUP_FILE, true, "diff_file_colour.txt");
}

TEST(difference, by_traceback_is_the_golden_one)
{
    check_shop(mw_difference_write_text, MW_GROUP_TRACEBACK, false, "diff_traceback.txt");
}

static void check_tree(const mw_tree_form *form, const char *golden)
{
    shop_difference shop;
    mw_buffer text;

    shop_difference_init(&shop, shop_snapshot(), later_shop());
    shop.difference.tree = form;
    CHECK_OK(write_with(&shop, mw_difference_write_text, mw_alloc_system(), &text, NULL));
    check_golden(golden, text.bytes, text.length);
    mw_buffer_done(&text);
    shop_difference_done(&shop);
}

TEST(difference, as_a_call_tree_is_the_golden_one)
{
    const mw_tree_form form = {.share_minimum = 1};
    const mw_tree_form inverted = {.share_minimum = 1, .is_inverted = true, .depth_maximum = 3};

    check_tree(&form, "diff_tree.txt");
    check_tree(&inverted, "diff_tree_inverted.txt");
}

TEST(difference, as_markdown_is_the_golden_one)
{
    check_shop(mw_difference_write_markdown, MW_GROUP_LINE, false, "diff_line.md");
}

TEST(difference, as_markdown_by_traceback_is_the_golden_one)
{
    check_shop(mw_difference_write_markdown, MW_GROUP_TRACEBACK, false, "diff_traceback.md");
}

TEST(difference, sums_up_the_rows_that_are_left_out)
{
    shop_difference shop;
    mw_buffer text;

    shop_difference_init(&shop, shop_snapshot(), later_shop());
    shop.difference.top = 2;
    CHECK_OK(write_with(&shop, mw_difference_write_markdown, mw_alloc_system(), &text, NULL));
    assert_non_null(
        strstr(text.bytes, "\n| 2187 KiB | 2188 KiB | +1400 B | +99 | 5 other lines |\n"));
    mw_buffer_done(&text);
    shop_difference_done(&shop);
}

static mw_status refuse_bytes(mw_sink *self, const char *bytes, size_t length)
{
    (void)self;
    (void)bytes;
    (void)length;
    return MW_IO;
}

TEST(difference, says_that_a_sink_refused)
{
    const difference_writer writers[] = {mw_difference_write_text, mw_difference_write_markdown};
    shop_difference shop;
    mw_changes changes;

    shop_difference_init(&shop, shop_snapshot(), later_shop());
    CHECK_OK(mw_changes_init(&changes, &shop.difference, mw_alloc_system(), NULL));
    for (int i = 0; i < 2; i++) {
        mw_sink sink = {.write = refuse_bytes};
        mw_error error = {.text = ""};

        CHECK_EQ(writers[i](&shop.difference, &changes, mw_alloc_system(), &sink, &error), MW_IO);
        CHECK(error.text[0] != '\0');
    }
    mw_changes_done(&changes);
    shop_difference_done(&shop);
}

/* ── the sentence ────────────────────────────────────────────────────────────────── */

/* A line of app.py and what is alive from it. */
typedef struct holding {
    int line;
    uint64_t bytes;
} holding;

static mw_snapshot *holdings(const holding *lines)
{
    mw_snapshot_builder *builder = new_builder();

    for (; lines->line != 0; lines++) {
        const call calls[] = {{"/home/me/shop/app.py", lines->line, "main"}, {0}};
        add_blocks(builder, calls, lines->bytes, 1);
    }
    return finish(builder);
}

static void check_sentence(const holding *older, const holding *newer, const char *sentence)
{
    shop_difference shop;
    mw_changes changes;
    mw_buffer text;

    shop_difference_init(&shop, holdings(older), holdings(newer));
    mw_buffer_init(&text, mw_alloc_system());
    CHECK_OK(mw_changes_init(&changes, &shop.difference, mw_alloc_system(), NULL));
    mw_changes_write_verdict(&changes, &shop.difference, &text.sink);
    CHECK_STR_EQ(text.bytes, sentence);
    mw_buffer_done(&text);
    mw_changes_done(&changes);
    shop_difference_done(&shop);
}

TEST(difference, says_that_nothing_changed)
{
    const holding lines[] = {{1, 4000}, {0}};
    const holding nothing[] = {{0}};

    check_sentence(lines, lines, "As much is alive as before (4000 B).");
    check_sentence(nothing, nothing, "As much is alive as before (0 B).");
}

TEST(difference, names_the_line_that_grew)
{
    const holding older[] = {{1, 4000}, {2, 100}, {0}};
    const holding newer[] = {{1, 9000}, {2, 150}, {0}};

    check_sentence(older, newer,
                   "5050 B more is alive than before (9150 B, not 4100 B), nearly "
                   "all from shop/app.py:1 in main (+5000 B).");
    check_sentence(newer, older,
                   "5050 B less is alive than before (4100 B, not 9150 B), nearly "
                   "all from shop/app.py:1 in main (-5000 B).");
}

TEST(difference, names_lines_that_came_and_went)
{
    const holding older[] = {{1, 4000}, {0}};
    const holding newer[] = {{2, 4000}, {0}};

    check_sentence(older, newer,
                   "As much is alive as before (4000 B), but there is more from shop/app.py:2 in "
                   "main (+4000 B), and less from shop/app.py:1 in main (-4000 B).");
}

TEST(difference, does_not_name_lines_of_a_tiny_change)
{
    const holding older[] = {{1, 4000000}, {0}};
    const holding newer[] = {{1, 4003000}, {0}};

    check_sentence(older, newer,
                   "As good as nothing changed: 3000 B more is alive than before, of 3906 KiB.");
}

TEST(difference, names_those_that_have_a_tenth_of_all_that_grew)
{
    const holding older[] = {{1, 10}, {2, 10}, {3, 10}, {4, 10}, {0}};
    const holding newer[] = {{1, 5010}, {2, 2010}, {3, 660}, {4, 10}, {0}};

    check_sentence(older, newer,
                   "7650 B more is alive than before (7690 B, not 40 B), nearly all from "
                   "shop/app.py:1 in main (+5000 B) and shop/app.py:2 in main (+2000 B).");
}

TEST(difference, does_not_name_many_small_lines)
{
    holding older[41] = {{0}}, newer[41] = {{0}};

    for (int i = 0; i < 40; i++) {
        older[i] = (holding){i + 1, 100};
        newer[i] = (holding){i + 1, 200};
    }
    check_sentence(older, newer, "4000 B more is alive than before (8000 B, not 4000 B).");
}

/* What grew must not hide what shrank beside it. */
TEST(difference, as_a_call_tree_shows_what_cancels_out)
{
    const holding older[] = {{1, 4000}, {3, 900}, {0}};
    const holding newer[] = {{2, 4000}, {3, 900}, {0}};
    const mw_tree_form form = {.share_minimum = 10};
    shop_difference shop;
    mw_buffer text;

    shop_difference_init(&shop, holdings(older), holdings(newer));
    shop.difference.tree = &form;
    CHECK_OK(write_with(&shop, mw_difference_write_text, mw_alloc_system(), &text, NULL));
    assert_non_null(strstr(text.bytes, "   +4000 B    4000 B  shop/app.py:2 in main\n"
                                       "   -4000 B       0 B  shop/app.py:1 in main\n\n"));
    assert_null(strstr(text.bytes, "app.py:3"));
    assert_null(strstr(text.bytes, "more\n"));
    mw_buffer_done(&text);
    shop_difference_done(&shop);
}

static mw_snapshot *called_from_main(uint64_t first_bytes, uint64_t second_bytes)
{
    const call first[] = {
        {"/home/me/shop/app.py", 1, "main"}, {"/home/me/shop/app.py", 9, "first"}, {0}};
    const call second[] = {
        {"/home/me/shop/app.py", 1, "main"}, {"/home/me/shop/app.py", 8, "second"}, {0}};
    const call third[] = {
        {"/home/me/shop/app.py", 1, "main"}, {"/home/me/shop/app.py", 7, "third"}, {0}};
    mw_snapshot_builder *builder = new_builder();

    add_blocks(builder, first, first_bytes, 1);
    add_blocks(builder, second, second_bytes, 1);
    add_blocks(builder, third, 700, 1);
    return finish(builder);
}

TEST(difference, as_a_call_tree_ends_its_branches_with_what_changed)
{
    const mw_tree_form form = {.share_minimum = 1};
    shop_difference shop;
    mw_buffer text;

    shop_difference_init(&shop, called_from_main(1000, 1000), called_from_main(5000, 3000));
    shop.difference.tree = &form;
    CHECK_OK(write_with(&shop, mw_difference_write_text, mw_alloc_system(), &text, NULL));
    assert_non_null(strstr(text.bytes, "   +6000 B    8700 B  shop/app.py:1 in main\n"
                                       "   +4000 B    5000 B  ├ shop/app.py:9 in first\n"
                                       "   +2000 B    3000 B  └ shop/app.py:8 in second\n\n"));
    mw_buffer_done(&text);
    shop_difference_done(&shop);
}

TEST(difference, as_a_call_tree_says_nothing_where_nothing_changed)
{
    const holding lines[] = {{1, 4000}, {0}};
    const mw_tree_form form = {.share_minimum = 0};
    shop_difference shop;
    mw_buffer text;

    shop_difference_init(&shop, holdings(lines), holdings(lines));
    shop.difference.tree = &form;
    CHECK_OK(write_with(&shop, mw_difference_write_text, mw_alloc_system(), &text, NULL));
    assert_null(strstr(text.bytes, "call tree"));
    mw_buffer_done(&text);
    shop_difference_done(&shop);
}

/* ── failure ─────────────────────────────────────────────────────────────────────── */

TEST(difference, returns_every_byte_whichever_allocation_fails)
{
    const difference_writer writers[] = {mw_difference_write_text, mw_difference_write_markdown,
                                         mw_difference_write_text};
    const mw_tree_form form = {.share_minimum = 1};
    shop_difference shop;

    shop_difference_init(&shop, shop_snapshot(), later_shop());
    shop.difference.by = MW_GROUP_TRACEBACK;
    for (int i = 0; i < 3; i++) {
        mw_status status;
        size_t nth = 0;

        shop.difference.tree = i == 2 ? &form : NULL;

        do {
            mw_failing_alloc failing = mw_failing_alloc_at(nth);
            mw_error error = {0};
            mw_buffer text;

            status = write_with(&shop, writers[i], &failing.base, &text, &error);
            mw_buffer_done(&text);
            CHECK_EQ(failing.live_blocks, 0);
            CHECK(status == MW_OK || error.text[0] != '\0');
            CHECK(++nth < 1000);
        } while (status != MW_OK);
        CHECK(nth > 10);
    }
    shop_difference_done(&shop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(difference, by_line_is_the_golden_one),
        CASE(difference, by_file_in_colour_is_the_golden_one),
        CASE(difference, by_traceback_is_the_golden_one),
        CASE(difference, as_a_call_tree_is_the_golden_one),
        CASE(difference, as_a_call_tree_shows_what_cancels_out),
        CASE(difference, as_a_call_tree_ends_its_branches_with_what_changed),
        CASE(difference, as_a_call_tree_says_nothing_where_nothing_changed),
        CASE(difference, as_markdown_is_the_golden_one),
        CASE(difference, as_markdown_by_traceback_is_the_golden_one),
        CASE(difference, sums_up_the_rows_that_are_left_out),
        CASE(difference, says_that_a_sink_refused),
        CASE(difference, says_that_nothing_changed),
        CASE(difference, names_the_line_that_grew),
        CASE(difference, names_lines_that_came_and_went),
        CASE(difference, does_not_name_lines_of_a_tiny_change),
        CASE(difference, names_those_that_have_a_tenth_of_all_that_grew),
        CASE(difference, does_not_name_many_small_lines),
        CASE(difference, returns_every_byte_whichever_allocation_fails),
    };

    return cmocka_run_group_tests_name("difference", tests, NULL, NULL);
}
