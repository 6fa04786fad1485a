/* SPDX-License-Identifier: MIT
 *
 * What a selection leaves of a made-up service.
 */
#include "shop.h"

#include "cli/selection.h"
#include "core/region.h"

/* The same shop, with threads, domains, epochs and regions. */
static mw_snapshot *busy_shop(mw_alloc *alloc)
{
    static const struct {
        call calls[4];
        uint32_t domain, thread, epoch;
        uint64_t bytes;
    } sites[] = {
        {{MAIN, {"/home/me/shop/visits.py", 31, "record"}, {0}}, 0, 1, 0, 1},
        {{MAIN, {STDLIB "json/decoder.py", 353, "decode"}, {0}}, 0, 2, 1, 10},
        {{{STDLIB "threading.py", 9, "run"}, {"/srv/visits.py", 31, "record"}, {0}}, 7, 2, 2, 100},
        {{MAIN, {MW_REGION_FILE, 0, "checkout"}, {"/x/y.py", 1, "pay"}, {0}}, 0, 1, 3, 1000},
    };
    mw_snapshot_builder *builder;
    mw_snapshot *snapshot;

    CHECK_OK(mw_snapshot_builder_new(alloc, 100, &builder));
    CHECK_OK(mw_snapshot_builder_name_thread(builder, (mw_thread){1}, intern(builder, "main")));
    CHECK_OK(mw_snapshot_builder_name_thread(builder, (mw_thread){2}, intern(builder, "pool-2")));
    for (size_t i = 0; i < sizeof sites / sizeof sites[0]; i++) {
        mw_path path = {0};
        uint32_t depth = 0;
        mw_site site;

        for (const call *at = sites[i].calls; at->file != NULL; at++, depth++) {
            mw_frame_row row = {.file = intern(builder, at->file),
                                .function = intern(builder, at->function),
                                .line = at->line};
            mw_frame frame;
            CHECK_OK(mw_snapshot_builder_frame(builder, row, &frame));
            CHECK_OK(mw_snapshot_builder_path(builder, path, frame, &path));
        }
        CHECK_OK(mw_snapshot_builder_epoch_site(builder, path, depth, sites[i].domain,
                                                (mw_thread){sites[i].thread}, sites[i].epoch,
                                                &site));
        CHECK_OK(mw_snapshot_builder_tally(builder, site, sites[i].bytes, 1));
    }
    CHECK_OK(mw_snapshot_builder_finish(builder, &snapshot));
    return snapshot;
}

static mw_option_list words(const char *first, const char *second)
{
    return (mw_option_list){.words = {first, second}, .count = second != NULL ? 2 : 1};
}

static void check_leaves(const mw_selection *selection, uint64_t bytes, const char *description)
{
    mw_snapshot *snapshot = busy_shop(mw_alloc_system());
    mw_snapshot *left;
    mw_buffer text;
    bool selects;

    CHECK_OK(mw_selection_check(selection, &selects, NULL));
    CHECK(selects);
    CHECK_OK(mw_selection_apply(selection, snapshot, &told_source, mw_alloc_system(), &left));
    CHECK_EQ(mw_snapshot_live_bytes(left), bytes);
    mw_buffer_init(&text, mw_alloc_system());
    mw_selection_describe(selection, &text.sink);
    CHECK_STR_EQ(text.bytes == NULL ? "" : text.bytes, description);
    mw_buffer_done(&text);
    mw_snapshot_release(left);
    mw_snapshot_release(snapshot);
}

TEST(selection, of_files_looks_at_all_frames_and_excludes_by_the_innermost)
{
    check_leaves(&(mw_selection){.only = words("visits.py", NULL)}, 101, "under 'visits.py'");
    check_leaves(&(mw_selection){.only = words("shop/*", NULL)}, 1011, "under 'shop/*'");
    check_leaves(&(mw_selection){.only = words("shop/", NULL)}, 1011, "under 'shop/'");
    check_leaves(&(mw_selection){.only = words("hop/*", NULL)}, 0, "under 'hop/*'");
    check_leaves(&(mw_selection){.only = words("/srv/*", "json/*")}, 110,
                 "under '/srv/*' or 'json/*'");
    check_leaves(&(mw_selection){.exclude = words("json/*", NULL)}, 1101, "not in 'json/*'");
    check_leaves(&(mw_selection){.exclude = words("app.py", NULL)}, 1111, "not in 'app.py'");
    check_leaves(
        &(mw_selection){.only = words("shop/", NULL), .exclude = words("decoder.py", NULL)}, 1001,
        "under 'shop/', not in 'decoder.py'");
}

TEST(selection, of_threads_domains_and_epochs)
{
    check_leaves(&(mw_selection){.threads = words("pool-*", NULL)}, 110, "of thread 'pool-*'");
    check_leaves(&(mw_selection){.domains = words("7", NULL)}, 100, "of domain '7'");
    check_leaves(&(mw_selection){.domains = words("0", "7")}, 1111, "of domain '0' or '7'");
    check_leaves(&(mw_selection){.has_epochs = true, .first_epoch = 1, .epoch_end = 3}, 110, "");
    check_leaves(&(mw_selection){.has_epochs = true, .epoch_end = 0}, 0, "");
}

TEST(selection, of_regions)
{
    check_leaves(&(mw_selection){.regions = words("check*", NULL)}, 1000, "inside region 'check*'");
    check_leaves(&(mw_selection){.only = words("shop/", NULL), .regions = words("check*", NULL)},
                 1000, "under 'shop/', inside region 'check*'");
    check_leaves(&(mw_selection){.only = words("json/*", NULL), .regions = words("check*", NULL)},
                 0, "under 'json/*', inside region 'check*'");
    check_leaves(&(mw_selection){.regions = words(MW_REGION_NONE, NULL)}, 111,
                 "inside region '<no region>'");
    check_leaves(&(mw_selection){.regions = words("Visit*", NULL), .region_comment = "url ="}, 0,
                 "inside region 'Visit*'");
    check_leaves(&(mw_selection){.regions = words("*record", "when*"), .region_comment = "Visit("},
                 0, "inside region '*record' or 'when*'");
    check_leaves(&(mw_selection){.regions = words("now*", NULL), .region_comment = "when="}, 101,
                 "inside region 'now*'");
}

TEST(selection, of_nothing_in_particular_selects_nothing)
{
    bool selects = true;
    mw_error error;

    CHECK_OK(mw_selection_check(&(mw_selection){0}, &selects, &error));
    CHECK(!selects);
    CHECK_EQ(mw_selection_check(&(mw_selection){.domains = words("-1", NULL)}, &selects, &error),
             MW_BAD_INPUT);
    CHECK_STR_EQ(error.text, "--domain takes a domain's number, not \"-1\".");
    CHECK_EQ(mw_selection_check(&(mw_selection){.region_comment = ""}, &selects, &error),
             MW_BAD_INPUT);
}

TEST(selection, returns_every_byte_whichever_allocation_fails)
{
    const mw_selection selection = {.only = words("shop/", NULL), .region_comment = "when="};
    mw_failing_alloc counting = mw_failing_alloc_never();
    mw_snapshot *snapshot = busy_shop(&counting.base);
    mw_status status;
    size_t nth = 0;

    do {
        mw_snapshot *left = NULL;

        counting.requests = 0;
        counting.nth = nth++;
        status = mw_selection_apply(&selection, snapshot, &told_source, &counting.base, &left);
        CHECK(status == MW_OK || status == MW_NO_MEMORY);
        mw_snapshot_release(left);
    } while (status != MW_OK);
    CHECK(nth > 3);
    mw_snapshot_release(snapshot);
    CHECK_EQ(counting.live_blocks, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(selection, of_files_looks_at_all_frames_and_excludes_by_the_innermost),
        CASE(selection, of_threads_domains_and_epochs),
        CASE(selection, of_regions),
        CASE(selection, of_nothing_in_particular_selects_nothing),
        CASE(selection, returns_every_byte_whichever_allocation_fails),
    };

    return cmocka_run_group_tests_name("selection", tests, NULL, NULL);
}
