/* SPDX-License-Identifier: MIT
 *
 * What the tests of the summary share: snapshots in a few words, and the places and
 * source lines of a made-up shop.
 */
#pragma once

#include "testing.h"

#include "render/summary.h"

#include <stdio.h>
#include <string.h>

/* ── a snapshot in a few words ───────────────────────────────────────────────────── */

typedef struct call {
    const char *file;
    int line;
    const char *function;
} call;

static inline mw_string intern(mw_snapshot_builder *builder, const char *text)
{
    mw_string string = {0};

    if (text != NULL)
        CHECK_OK(mw_snapshot_builder_string(builder, text, strlen(text), &string));
    return string;
}

/* Adds blocks under the calls, oldest first, up to one without a file. */
static inline void add_blocks(mw_snapshot_builder *builder, const call *calls, uint64_t size,
                              uint64_t count)
{
    mw_path path = {0};
    mw_site site;
    uint32_t depth = 0;

    for (; calls->file != NULL; calls++, depth++) {
        mw_frame_row row = {.file = intern(builder, calls->file),
                            .function = intern(builder, calls->function),
                            .line = calls->line};
        mw_frame frame;
        CHECK_OK(mw_snapshot_builder_frame(builder, row, &frame));
        CHECK_OK(mw_snapshot_builder_path(builder, path, frame, &path));
    }
    CHECK_OK(mw_snapshot_builder_site(builder, path, depth, 0, (mw_thread){0}, &site));
    CHECK_OK(mw_snapshot_builder_blocks(builder, site, size, count));
}

static inline mw_snapshot_builder *new_builder(void)
{
    mw_snapshot_builder *builder;

    CHECK_OK(mw_snapshot_builder_new(mw_alloc_system(), 100, &builder));
    return builder;
}

static inline mw_snapshot *finish(mw_snapshot_builder *builder)
{
    mw_snapshot *snapshot;

    CHECK_OK(mw_snapshot_builder_finish(builder, &snapshot));
    return snapshot;
}

#define MAIN                                                                                       \
    {                                                                                              \
        "/home/me/shop/app.py", 120, "main"                                                        \
    }
#define STDLIB "/usr/lib/python3.11/"

/* ── what the disk would say ─────────────────────────────────────────────────────── */

static inline void told_line(mw_source *self, const char *file, int32_t line,
                             char ret_text[MW_SOURCE_LINE_BYTES])
{
    (void)self;
    strcpy(ret_text, "");
    if (line < 1)
        return;
    if (strstr(file, "visits.py") != NULL)
        strcpy(ret_text, "self.by_url[url] = Visit(url, when=now())");
    if (strstr(file, "decoder.py") != NULL)
        strcpy(ret_text, "obj, end = self.scan_once(s, idx)  # a line that is too long for a row");
    if (strstr(file, "app.py") != NULL && line == 120)
        strcpy(ret_text, "serve(\t\"\033[31m\xff\xc3\xa9\")");
}

static mw_source told_source = {.line = told_line};

static const char *const library[] = {"/usr/lib/python3.11"};
static const char *const program[] = {"/home/me/shop/app.py"};
static const mw_places shop_places = {.program = program,
                                      .program_count = 1,
                                      .library = library,
                                      .library_count = 1,
                                      .directory = "/home/me"};

static inline mw_summary shop_summary(const mw_snapshot *snapshot, mw_group_key by)
{
    return (mw_summary){.snapshot = snapshot,
                        .places = &shop_places,
                        .source = &told_source,
                        .by = by,
                        .top = 5,
                        .current_bytes = mw_snapshot_live_bytes(snapshot),
                        .peak_bytes = 20 << 20,
                        .overhead_bytes = 1234567,
                        .width = 80};
}

/* Who calls whom there, the outermost first. */
static const call shop_visits[] = {MAIN, {"/home/me/shop/visits.py", 31, "Visits.record"}, {0}};
static const call shop_decoder[] = {MAIN,
                                    {"/home/me/shop/orders.py", 77, "Orders.accept"},
                                    {STDLIB "json/__init__.py", 346, "loads"},
                                    {STDLIB "json/decoder.py", 353, "JSONDecoder.raw_decode"},
                                    {0}};
static const call shop_imports[] = {
    {"/home/me/shop/app.py", 3, "<module>"},
    {"<frozen importlib._bootstrap>", 1176, "_find_and_load"},
    {"<frozen importlib._bootstrap_external>", 729, "_compile_bytecode"},
    {0}};
static const call shop_server[] = {{STDLIB "threading.py", 995, "Thread._bootstrap"},
                                   {STDLIB "http/server.py", 285, "parse_request"},
                                   {0}};

/* A little of everything: lines of the program, of libraries, imports, the unknown. */
static inline mw_snapshot *shop_snapshot(void)
{
    mw_snapshot_builder *builder = new_builder();
    const call installed[] = {
        MAIN, {"/home/me/shop/.venv/lib/python3.11/site-packages/lru/cache.py", 9, "put"}, {0}};
    const call unknown[] = {{"<unknown>", 0, NULL}, {0}};

    add_blocks(builder, shop_visits, 200, 60005);
    add_blocks(builder, shop_decoder, 1000, 4000);
    add_blocks(builder, shop_imports, 300, 7000);
    add_blocks(builder, shop_server, 64, 2000);
    add_blocks(builder, installed, 100, 64);
    add_blocks(builder, unknown, 5000, 1);
    return finish(builder);
}
