/* SPDX-License-Identifier: MIT
 *
 * The views that the tests of formats draw: a made-up shop, what changed in it, and one
 * whose names are meant to break what writes and reads them.  Python's tests read what is
 * drawn of them (tests/golden/report_*) with other people's readers.
 */
#pragma once

#include "testing.h"

#include "render/renderer.h"

/* Strings with their length, since names may hold a NUL. */
typedef struct view_text {
    const char *bytes;
    size_t length;
} view_text;

#define TEXT(literal)                                                                              \
    {                                                                                              \
        "" literal "", sizeof literal - 1                                                          \
    }

typedef struct view_call {
    view_text file;
    view_text function;
    view_text module;
    int line;
    int first_line;
} view_call;

/* One site: who called, oldest first, up to a call without any name. */
typedef struct view_site {
    const view_call *calls;
    uint64_t bytes, blocks, total_bytes, total_blocks;
    uint32_t domain, thread, epoch, unseen_frames;
} view_site;

static inline mw_string view_intern(mw_snapshot_builder *builder, view_text text)
{
    mw_string string = {0};

    CHECK_OK(mw_snapshot_builder_string(builder, text.length == 0 ? "" : text.bytes, text.length,
                                        &string));
    return string;
}

static inline mw_path view_path(mw_snapshot_builder *builder, const view_call *calls)
{
    mw_path path = {0};

    for (; calls->file.length + calls->function.length != 0; calls++) {
        mw_frame_row row = {.file = view_intern(builder, calls->file),
                            .function = view_intern(builder, calls->function),
                            .module = view_intern(builder, calls->module),
                            .line = calls->line,
                            .first_line = calls->first_line};
        mw_frame frame;
        CHECK_OK(mw_snapshot_builder_frame(builder, row, &frame));
        CHECK_OK(mw_snapshot_builder_path(builder, path, frame, &path));
    }
    return path;
}

static inline void view_add(mw_snapshot_builder *builder, const view_site *site)
{
    mw_path path = view_path(builder, site->calls);
    uint32_t depth = mw_snapshot_builder_depth(builder, path);
    mw_site handle;

    CHECK_OK(mw_snapshot_builder_epoch_site(builder, path, depth + site->unseen_frames,
                                            site->domain, (mw_thread){site->thread}, site->epoch,
                                            &handle));
    CHECK_OK(mw_snapshot_builder_tally(builder, handle, site->bytes, site->blocks));
    if (site->total_blocks != 0)
        CHECK_OK(
            mw_snapshot_builder_totals(builder, handle, site->total_bytes, site->total_blocks));
}

/* Threads are numbered from 1; sites end with one that no call leads to. */
static inline mw_snapshot *view_snapshot(const view_site *sites, const view_text *threads,
                                         size_t thread_count)
{
    mw_snapshot_builder *builder;
    mw_snapshot *snapshot;

    CHECK_OK(mw_snapshot_builder_new(mw_alloc_system(), 100, &builder));
    for (size_t i = 0; i < thread_count; i++)
        CHECK_OK(mw_snapshot_builder_name_thread(builder, (mw_thread){(uint32_t)i + 1},
                                                 view_intern(builder, threads[i])));
    for (; sites->calls != NULL; sites++)
        view_add(builder, sites);
    CHECK_OK(mw_snapshot_builder_finish(builder, &snapshot));
    return snapshot;
}

/* ── the shop ────────────────────────────────────────────────────────────────────── */

#define SHOP(name) TEXT("/home/me/shop/" name ".py")
#define STD(name)  TEXT("/usr/lib/python3.11/" name ".py")

#define CALL_MAIN                                                                                  \
    {                                                                                              \
        SHOP("app"), TEXT("main"), TEXT("__main__"), 120, 100                                      \
    }
#define CALL_CHECKOUT                                                                              \
    {                                                                                              \
        TEXT("<region>"), TEXT("checkout"), TEXT(""), 0, 0                                         \
    }

static const view_call shop_visits[] = {
    CALL_MAIN, {SHOP("visits"), TEXT("Visits.record"), TEXT("shop.visits"), 31, 28}, {.line = 0}};
static const view_call shop_orders[] = {
    CALL_MAIN,
    CALL_CHECKOUT,
    {SHOP("orders"), TEXT("Orders.accept"), TEXT("shop.orders"), 77, 70},
    {STD("json/decoder"), TEXT("JSONDecoder.raw_decode"), TEXT("json.decoder"), 353, 343},
    {.line = 0}};
static const view_call shop_tree[] = {CALL_MAIN,
                                      {SHOP("tree"), TEXT("walk"), TEXT("shop.tree"), 5, 3},
                                      {SHOP("tree"), TEXT("visit"), TEXT("shop.tree"), 12, 10},
                                      {SHOP("tree"), TEXT("walk"), TEXT("shop.tree"), 6, 3},
                                      {.line = 0}};
static const view_call shop_worker[] = {
    {STD("threading"), TEXT("Thread._bootstrap"), TEXT("threading"), 995, 985},
    {SHOP("pages"), TEXT("render"), TEXT("shop.pages"), 40, 33},
    {.line = 0}};
static const view_call shop_import[] = {{SHOP("app"), TEXT("<module>"), TEXT("__main__"), 3, 1},
                                        {.line = 0}};
static const view_call shop_unknown[] = {{TEXT("<unknown>"), TEXT(""), TEXT(""), 0, 0},
                                         {.line = 0}};

static const view_text shop_threads[] = {TEXT("MainThread"), TEXT("worker-1")};

static const view_site shop_sites[] = {
    {shop_visits, 12000, 60, 12000, 60, 0, 1, 0, 0},
    {shop_visits, 20000, 100, 20400, 102, 0, 1, 1, 0},
    {shop_orders, 4096, 4, 409600, 400, 0, 1, 1, 0},
    {shop_tree, 640, 10, 640, 10, 0, 1, 1, 0},
    {shop_tree, 320, 5, 320, 5, 0, 2, 1, 0},
    {shop_worker, 8192, 2, 8192, 2, 389047, 2, 0, 3},
    {shop_worker, 0, 0, 1048576, 256, 0, 2, 1, 0}, /* all of it is dead */
    {shop_import, 3000, 30, 5000, 50, 0, 1, 0, 0},
    {shop_unknown, 77, 1, 77, 1, 0, 0, 0, 0},
    {0}};

/* Two orders fewer, a cache that is gone now, and no walk of the tree yet. */
static const view_call shop_cache[] = {
    CALL_MAIN, {SHOP("cache"), TEXT("put"), TEXT("shop.cache"), 9, 8}, {.line = 0}};
static const view_site shop_older_sites[] = {{shop_cache, 5000, 5, 5000, 5, 0, 1, 0, 0},
                                             {shop_orders, 2048, 2, 2048, 2, 0, 1, 0, 0},
                                             {shop_visits, 12000, 60, 12000, 60, 0, 1, 0, 0},
                                             {shop_import, 3000, 30, 5000, 50, 0, 1, 0, 0},
                                             {0}};

#define SECOND UINT64_C(1000000000)

static const mw_point shop_points[] = {
    {0, 20 << 20, 15000, 16000, 1 << 20, 0, MW_NO_SNAPSHOT},
    {10 * SECOND, 21 << 20, 22048, 23000, 1 << 20, 0, 0},
    {20 * SECOND, 22 << 20, 48325, 50000, 1 << 20, 3, 1},
};
static const mw_child shop_children[] = {{5 * SECOND, 4243, "shop.4243.memwhy"}};
static const uint64_t shop_epochs[] = {0, 10 * SECOND};

static const mw_timeline shop_timeline = {
    .program = {.name = "app.py",
                .command_line = "python app.py --port 8080",
                .directory = "/home/me/shop",
                .python = "3.11.2",
                .executable = "/usr/bin/python3.11",
                .memwhy = "0.1.0",
                .host = "shop-1",
                .pid = 4242,
                .start_unix_ns = UINT64_C(1700000000000000000),
                .memory_limit_bytes = UINT64_C(2) << 30,
                .frame_limit = 100},
    .points = shop_points,
    .point_count = 3,
    .children = shop_children,
    .child_count = 1,
    .epoch_starts_ns = shop_epochs,
    .epoch_count = 2,
    .ending = MW_ENDING_EXITED,
    .exit_status = 3,
};

/* ── names that break things ─────────────────────────────────────────────────────── */

static const view_call hostile_formula[] = {
    {TEXT("=cmd|' /C calc'!A0"), TEXT("@SUM(1+1)*cmd"), TEXT("-1+1"), 1, 1},
    {TEXT("a;b, \"c\".py"), TEXT("f;g 12"), TEXT("\"m\""), 2, 1},
    {TEXT("new\nline\r\n\t.py"), TEXT("nul\0byte"), TEXT("+x"), 3, 1},
    {.line = 0}};
static const view_call hostile_bytes[] = {
    {TEXT("lone\xed\xb3\xbf surrogate.py"), TEXT("stray\xff\xc3 bytes"), TEXT("\xc2\x85"), 4, 1},
    {TEXT("\xe2\x80\xae"
          "right to left.py"),
     TEXT("\xf0\x9f\x90\x8d snake"), TEXT("\xc3\xa9"), 5, 2},
    {.line = 0}};
static const view_call hostile_markup[] = {
    {TEXT("</script><script>alert(1)</script>"), TEXT("<img src=x onerror=alert(1)>"),
     TEXT("&lt;&amp;"), 6, 1},
    {TEXT("C:\\new\\table\\N.py"), TEXT("back\\slash\\"), TEXT("\\n"), 7, 1},
    {TEXT("\x1b[31mred\x07.py"), TEXT("'; DROP TABLE t; --"), TEXT("%s%n{}"), INT32_MAX, 1},
    {.line = 0}};
static const view_call hostile_nameless[] = {{TEXT(""), TEXT("f"), TEXT(""), 0, 0},
                                             {TEXT("only file"), TEXT(""), TEXT(""), 8, 0},
                                             {TEXT("<region>"), TEXT("=r;\n\"x\""), TEXT(""), 0, 0},
                                             {.line = 0}};

static const view_text hostile_threads[] = {TEXT("\n=thread, \"x\""), TEXT("\xed\xa0\x80")};

static const view_site hostile_sites[] = {{hostile_formula, 1000, 1, 0, 0, 0, 1, 0, 0},
                                          {hostile_bytes, 200, 2, 0, 0, 1, 2, UINT32_MAX, 0},
                                          {hostile_markup, 30, 3, 0, 0, UINT32_MAX, 1, 0, 0},
                                          {hostile_nameless, 4, 4, 0, 0, 0, 0, 0, 0},
                                          {0}};

static const mw_timeline hostile_timeline = {
    .program = {.name = "\"app\n</script>.py",
                .command_line = "python 'a b' \xed\xb2\x80 \xff",
                .directory = "/\n",
                .python = "",
                .executable = "",
                .memwhy = "",
                .host = "",
                .pid = -1},
};
