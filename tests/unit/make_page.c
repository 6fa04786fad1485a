/* SPDX-License-Identifier: MIT
 *
 * Writes pages of made-up processes, for tests that open them in a browser:
 *
 *     make_page KIND >page.html
 *
 * `shop` is a small service that leaks, over an hour; `hostile` the same with names that
 * would like to be markup; `difference` two runs; `large` has 100,000 sites, `restless`
 * as many that all change all the time, `deep` a recursion of 5,000 calls.  `objects` is
 * the shop with its objects at two moments, `alone` its objects and nothing else,
 * `hostile-objects` those with names of the other kind, `crowd` 150,000 objects.
 */
#include "moment_list.h"
#include "shop.h"
#include "shop_heap.h"

#include "heap/heap_page.h"
#include "render/renderer.h"

#include <stdio.h>
#include <stdlib.h>

enum { MOMENTS = 13, POINTS = 361, KIB = 1024 };

#define HOSTILE "/home/me/shop/\"><img src=x onerror=\"document.title='taken'\">.py"

/* How much a site has grown after [minute] minutes of an hour. */
typedef uint64_t (*growth)(int minute);

typedef struct made_site {
    call calls[12];
    uint64_t size;
    growth count;
    const char *thread;
    uint32_t domain;
} made_site;

static uint64_t leaks(int minute)
{
    return 40 + (uint64_t)minute * 71;
}

static uint64_t leaks_slowly(int minute)
{
    return 25 + (uint64_t)minute * 9;
}

static uint64_t fills(int minute)
{
    return minute < 20 ? (uint64_t)minute * 60 + 1 : 1200;
}

static uint64_t goes(int minute)
{
    return minute < 15 ? 900 : 900 - (uint64_t)(minute - 15) * 20;
}

static uint64_t stays(int minute)
{
    (void)minute;
    return 300;
}

static uint64_t breathes(int minute)
{
    return 200 + (uint64_t)(minute * 37 % 150);
}

#define SHOP "/home/me/shop/"
#define SERVE                                                                                      \
    {SHOP "app.py", 14, "<module>"}, {SHOP "app.py", 120, "main"},                                 \
        {STDLIB "wsgiref/simple_server.py", 82, "serve_forever"},                                  \
    {                                                                                              \
        SHOP "app.py", 61, "application"                                                           \
    }
#define CHECKOUT                                                                                   \
    {                                                                                              \
        "<region>", 0, "checkout"                                                                  \
    }

static const made_site made_sites[] = {
    {{SERVE,
      {SHOP "visits.py", 31, "Visits.record"},
      {SHOP "visits.py", 12, "Visit.__init__"},
      {0}},
     612,
     leaks,
     "MainThread",
     0},
    {{SERVE, {SHOP "visits.py", 31, "Visits.record"}, {0}}, 1810, leaks, "MainThread", 0},
    {{SERVE, {SHOP "visits.py", 33, "Visits.record"}, {SHOP "log.py", 8, "note"}, {0}},
     96,
     leaks,
     "MainThread",
     0},
    {{SERVE,
      CHECKOUT,
      {SHOP "orders.py", 77, "Orders.accept"},
      {STDLIB "json/__init__.py", 346, "loads"},
      {STDLIB "json/decoder.py", 337, "JSONDecoder.decode"},
      {STDLIB "json/decoder.py", 353, "JSONDecoder.raw_decode"},
      {0}},
     1310,
     fills,
     "MainThread",
     0},
    {{SERVE,
      CHECKOUT,
      {SHOP "orders.py", 81, "Orders.accept"},
      {SHOP "stock.py", 40, "reserve"},
      {0}},
     640,
     leaks_slowly,
     "MainThread",
     0},
    {{SERVE,
      CHECKOUT,
      {SHOP "orders.py", 84, "Orders.accept"},
      {SHOP "mail.py", 22, "render"},
      {STDLIB "string.py", 121, "Template.substitute"},
      {0}},
     910,
     breathes,
     "MainThread",
     0},
    {{SERVE,
      {SHOP "pages.py", 55, "product"},
      {SHOP "cache.py", 19, "lru"},
      {SHOP "pages.py", 71, "thumbnail"},
      {0}},
     2100,
     fills,
     "MainThread",
     0},
    {{SERVE,
      {SHOP "pages.py", 58, "product"},
      {SHOP "tree.py", 5, "walk"},
      {SHOP "tree.py", 5, "walk"},
      {SHOP "tree.py", 5, "walk"},
      {SHOP "tree.py", 7, "walk"},
      {0}},
     720,
     stays,
     "MainThread",
     0},
    {{{STDLIB "threading.py", 995, "Thread._bootstrap"},
      {STDLIB "threading.py", 975, "Thread.run"},
      {SHOP "worker.py", 17, "pull"},
      {STDLIB "sqlite3/dbapi2.py", 83, "fetch"},
      {0}},
     830,
     goes,
     "worker-1",
     0},
    {{{STDLIB "threading.py", 995, "Thread._bootstrap"},
      {STDLIB "threading.py", 975, "Thread.run"},
      {SHOP "worker.py", 23, "pull"},
      {SHOP "worker.py", 41, "resize"},
      {"/home/me/shop/.venv/lib/python3.11/site-packages/numpy/core/numeric.py", 191, "ones"},
      {0}},
     9000,
     breathes,
     "worker-1",
     389047},
    {{{SHOP "app.py", 3, "<module>"},
      {"<frozen importlib._bootstrap>", 1176, "_find_and_load"},
      {"<frozen importlib._bootstrap>", 1147, "_find_and_load_unlocked"},
      {"<frozen importlib._bootstrap_external>", 729, "_compile_bytecode"},
      {0}},
     7000,
     stays,
     "MainThread",
     0},
    {{{SHOP "app.py", 4, "<module>"},
      {SHOP "routes.py", 2, "<module>"},
      {STDLIB "re/__init__.py", 227, "compile"},
      {STDLIB "re/_compiler.py", 745, "compile"},
      {0}},
     1400,
     stays,
     "MainThread",
     0},
    {{{"<unknown>", 0, NULL}, {0}}, 5000, stays, "", 0},
};

enum { SITES = sizeof made_sites / sizeof made_sites[0] };

static const char *const made_lines[][2] = {
    {"visits.py:31", "self.by_url[url] = Visit(url, when=now())"},
    {"visits.py:12", "self.headers = dict(request.headers)"},
    {"visits.py:33", "note(f\"visit {url}\")"},
    {"log.py:8", "LINES.append(text)"},
    {"orders.py:77", "order = json.loads(body)"},
    {"orders.py:81", "reserve(order[\"items\"])"},
    {"orders.py:84", "mail.render(order)"},
    {"stock.py:40", "HELD.setdefault(item, []).append(Reservation(item))"},
    {"mail.py:22", "return TEMPLATE.substitute(order)"},
    {"pages.py:55", "image = cache.lru(thumbnail, product)"},
    {"pages.py:58", "return walk(product.category)"},
    {"pages.py:71", "return bytes(picture)"},
    {"cache.py:19", "kept[key] = make(*key)"},
    {"tree.py:5", "return [node, *(walk(child) for child in node.children)]"},
    {"tree.py:7", "return [node]"},
    {"worker.py:17", "rows = db.fetch(limit=900)"},
    {"worker.py:23", "self.resize(job)"},
    {"worker.py:41", "canvas = np.ones((w, h, 3), dtype=\"u1\")"},
    {"app.py:61", "return ROUTES[path](environ, start_response)"},
    {"app.py:120", "make_server(\"\", port, application).serve_forever()"},
    {"app.py:14", "main()"},
    {"decoder.py:353", "obj, end = self.scan_once(s, idx)"},
};

static void made_line(mw_source *self, const char *file, int32_t line,
                      char ret_text[MW_SOURCE_LINE_BYTES])
{
    const char *name = strrchr(file, '/');
    char place[128];

    (void)self;
    strcpy(ret_text, "");
    if (strstr(file, "<img") != NULL)
        strcpy(ret_text, "x = '</script><script>document.title = \"taken\"</script>'");
    snprintf(place, sizeof place, "%s:%d", name == NULL ? file : name + 1, (int)line);
    for (size_t i = 0; i < sizeof made_lines / sizeof made_lines[0]; i++)
        if (strcmp(made_lines[i][0], place) == 0)
            strcpy(ret_text, made_lines[i][1]);
}

static mw_source made_source = {.line = made_line};

/* ── snapshots ───────────────────────────────────────────────────────────────────── */

static mw_site add_site(mw_snapshot_builder *builder, const made_site *made, mw_thread thread)
{
    mw_path path = {0};
    mw_site site;
    uint32_t depth = 0;

    for (const call *step = made->calls; step->file != NULL; step++, depth++) {
        mw_frame_row row = {.file = intern(builder, step->file),
                            .function = intern(builder, step->function),
                            .line = step->line};
        mw_frame frame;
        CHECK_OK(mw_snapshot_builder_frame(builder, row, &frame));
        CHECK_OK(mw_snapshot_builder_path(builder, path, frame, &path));
    }
    CHECK_OK(mw_snapshot_builder_site(builder, path, depth, made->domain, thread, &site));
    return site;
}

/* Every site of the shop, after so many minutes. */
static mw_snapshot *shop_after(int minute, bool is_hostile)
{
    mw_snapshot_builder *builder = new_builder();
    const char *const threads[] = {"", "MainThread", "worker-1"};

    for (uint32_t i = 1; i < 3; i++)
        CHECK_OK(
            mw_snapshot_builder_name_thread(builder, (mw_thread){i}, intern(builder, threads[i])));
    for (size_t i = 0; i < SITES; i++) {
        made_site made = made_sites[i];
        mw_thread thread = {0};
        for (uint32_t t = 1; t < 3; t++)
            if (strcmp(made.thread, threads[t]) == 0)
                thread = (mw_thread){t};
        for (call *step = made.calls; is_hostile && step->file != NULL; step++)
            if (strstr(step->file, "visits.py") != NULL)
                *step =
                    (call){HOSTILE, step->line, "<script>document.title='taken'</script>\u202e"};
        CHECK_OK(mw_snapshot_builder_blocks(builder, add_site(builder, &made, thread), made.size,
                                            made.count(minute)));
    }
    return finish(builder);
}

static mw_snapshot *like(mw_snapshot *last, mw_snapshot *now)
{
    uint32_t count = mw_snapshot_site_count(now) + 1;
    mw_tally *tallies = calloc(count, sizeof *tallies);
    mw_snapshot *made;

    assert_non_null(tallies);
    for (uint32_t i = 1; i < count; i++) {
        mw_site_row site = mw_snapshot_site(now, (mw_site){i});
        tallies[i] = (mw_tally){site.live_bytes, site.live_blocks};
    }
    CHECK_OK(mw_snapshot_with_tallies(last, tallies, NULL, count, &made));
    free(tallies);
    mw_snapshot_release(now);
    return made;
}

/* ── a process ───────────────────────────────────────────────────────────────────── */

static mw_point points[POINTS];
static moment_list moments;

static const mw_child children[] = {
    {.time_ns = 61000000000, .pid = 4243, .capture = "shop.4243.memwhy"}};

static mw_timeline timeline = {
    .program = {.name = "app.py",
                .command_line = "python app.py --port 8080 --workers 2",
                .directory = "/home/me/shop",
                .python = "3.11.2",
                .executable = "/usr/bin/python3.11",
                .memwhy = "0.1.0",
                .host = "shop-3",
                .pid = 4242,
                .start_unix_ns = UINT64_C(1790000000000000000),
                .memory_limit_bytes = 512 * KIB * KIB,
                .frame_limit = 100},
    .points = points,
    .children = children,
    .child_count = 1,
    .ending = MW_ENDING_UNKNOWN,
};

static uint64_t live_after(double minute)
{
    int whole = (int)minute;
    double bytes = 0;

    for (size_t i = 0; i < SITES; i++) {
        double now = (double)made_sites[i].count(whole),
               then = (double)made_sites[i].count(whole + 1);
        bytes += (double)made_sites[i].size * (now + (then - now) * (minute - whole));
    }
    return (uint64_t)bytes;
}

static void make_points(double minutes, uint64_t (*live)(double))
{
    mw_random random = mw_random_of(7);

    timeline.point_count = POINTS;
    for (int i = 0; i < POINTS; i++) {
        double minute = minutes * i / (POINTS - 1);
        mw_point *point = &points[i];
        bool has_snapshot = i % ((POINTS - 1) / (MOMENTS - 1)) == 0;

        point->time_ns = (uint64_t)(minute * 60e9);
        point->live_bytes = live(minute);
        point->peak_bytes = i != 0 && points[i - 1].peak_bytes > point->live_bytes
                                ? points[i - 1].peak_bytes
                                : point->live_bytes;
        point->rss_bytes = point->live_bytes + (31 << 20) + mw_random_below(&random, 900 * KIB);
        point->overhead_bytes = 3 << 20;
        point->snapshot = has_snapshot ? i / ((POINTS - 1) / (MOMENTS - 1)) : MW_NO_SNAPSHOT;
    }
}

static void make_shop(mw_view *view, bool is_hostile)
{
    mw_snapshot *last = shop_after(60, is_hostile);

    make_points(60, live_after);
    for (int i = 0; i < MOMENTS; i++)
        moment_list_add(&moments, like(last, shop_after(i * 5, is_hostile)),
                        points[i * ((POINTS - 1) / (MOMENTS - 1))].time_ns);
    view->snapshot = last;
    view->moments = &moments.base;
    view->timeline = &timeline;
    view->verdict = "shop/visits.py:31 leaks: 168 KiB a minute since the start, and nothing of it "
                    "is ever freed. "
                    "At this rate the process reaches its limit of 512 MiB in 45 h.\n"
                    "Also growing: shop/stock.py:40, by 5.6 KiB a minute. The cache at "
                    "shop/cache.py:19 is full "
                    "since minute 20.";
}

static void make_difference(mw_view *view)
{
    view->snapshot = shop_after(60, false);
    view->older = shop_after(10, false);
    view->verdict = "shop/visits.py:31 grew most: by 8.2 MiB, from 1.7 MiB to 9.9 MiB.";
}

/* ── many sites ──────────────────────────────────────────────────────────────────── */

enum { LARGE_SITES = 100000, LARGE_FUNCTIONS = 6000, LARGE_STEPS = 40000 };

static uint64_t live_of_large(double minute)
{
    return (uint64_t)((200 + minute * 3) * 1e6);
}

static mw_snapshot *large_snapshot(void)
{
    static mw_path paths[LARGE_STEPS];
    mw_snapshot_builder *builder;
    mw_random random = mw_random_of(1);
    mw_frame frames[64];
    uint32_t depths[LARGE_STEPS] = {0};

    CHECK_OK(mw_snapshot_builder_new(mw_alloc_system(), 200, &builder));
    paths[0] = (mw_path){0};
    for (uint32_t i = 0; i < LARGE_SITES; i++) {
        /* A path grows out of one that is there, as calls do. */
        uint32_t from = i < 10 ? 0 : mw_random_below(&random, i < LARGE_STEPS ? i : LARGE_STEPS);
        uint32_t number = mw_random_below(&random, LARGE_FUNCTIONS);
        uint32_t steps = 1 + mw_random_below(&random, 3);
        mw_path path = paths[from];
        mw_site site;

        for (uint32_t step = 0; step < steps; step++) {
            char file[80], function[40];
            number = (number * 7 + step * 13) % LARGE_FUNCTIONS;
            snprintf(file, sizeof file, "/srv/app/package_%u/module_%u.py", number % 40,
                     number / 20);
            snprintf(function, sizeof function, "Handler%u.method_%u", number / 7, number);
            CHECK_OK(mw_snapshot_builder_frame(
                builder,
                (mw_frame_row){.file = intern(builder, file),
                               .function = intern(builder, function),
                               .line = (int)(number % 20 * 40 + mw_random_below(&random, 12))},
                &frames[step]));
            CHECK_OK(mw_snapshot_builder_path(builder, path, frames[step], &path));
        }
        if (i < LARGE_STEPS) {
            paths[i] = path;
            depths[i] = depths[from] + steps;
        }
        CHECK_OK(mw_snapshot_builder_site(builder, path, mw_snapshot_builder_depth(builder, path),
                                          0, (mw_thread){0}, &site));
        CHECK_OK(mw_snapshot_builder_tally(builder, site, 64 + mw_random_below(&random, 1 << 14),
                                           1 + mw_random_below(&random, 90)));
    }
    return finish(builder);
}

/* One of [quiet] sites changes from one moment to the next. */
static void make_large(mw_view *view, uint32_t quiet)
{
    mw_snapshot *last = large_snapshot();
    uint32_t count = mw_snapshot_site_count(last) + 1;
    mw_tally *tallies = calloc(count, sizeof *tallies);
    mw_random random = mw_random_of(2);
    mw_snapshot *of_series[MOMENTS];

    assert_non_null(tallies);
    make_points(60, live_of_large);
    for (uint32_t i = 1; i < count; i++) {
        mw_site_row site = mw_snapshot_site(last, (mw_site){i});
        tallies[i] = (mw_tally){site.live_bytes, site.live_blocks};
    }
    for (int moment = MOMENTS - 1; moment >= 0; moment--) {
        mw_snapshot *made;
        CHECK_OK(mw_snapshot_with_tallies(last, tallies, NULL, count, &made));
        of_series[moment] = made;
        for (uint32_t i = 1; i < count; i++)
            if (mw_random_below(&random, quiet) == 0)
                tallies[i].bytes = 64 + mw_random_below(&random, 1 << 14 << (quiet == 1 ? 8 : 0));
    }
    free(tallies);
    for (int i = 0; i < MOMENTS; i++)
        moment_list_add(&moments, of_series[i], points[i * ((POINTS - 1) / (MOMENTS - 1))].time_ns);
    view->snapshot = last;
    view->moments = &moments.base;
    view->timeline = &timeline;
    view->verdict = "A process of 100,000 allocation sites.";
}

/* ── a deep stack ────────────────────────────────────────────────────────────────── */

enum { DEEP_CALLS = 5000 };

static void make_deep(mw_view *view)
{
    static call calls[DEEP_CALLS + 3];
    mw_snapshot_builder *builder = new_builder();

    calls[0] = (call)MAIN;
    for (int i = 1; i <= DEEP_CALLS; i++)
        calls[i] = (call){SHOP "tree.py", 5, "walk"};
    calls[DEEP_CALLS + 1] = (call){SHOP "tree.py", 20, "leaf"};
    add_blocks(builder, calls, 1000, 20);
    view->snapshot = finish(builder);
}

/* ── objects ─────────────────────────────────────────────────────────────────────── */

static void make_heap(mw_page_heap *page, void (*init)(made_heap *), uint64_t minute)
{
    mw_heap_page_options options = {.has_time = true,
                                    .time_ns = minute * 60 * UINT64_C(1000000000),
                                    .row_maximum = MW_HEAP_PAGE_ROWS};
    static made_heap heap;
    mw_heap_study study;

    init(&heap);
    CHECK_OK(mw_heap_study_init(&study, &heap.view, mw_alloc_system()));
    CHECK_OK(mw_heap_page_init(page, &study, &options, mw_alloc_system()));
    mw_heap_study_done(&study);
    made_heap_done(&heap);
}

static void make_objects(mw_view *view, char kind)
{
    static mw_page_heap heaps[2];
    static const mw_page_heap *const items[] = {&heaps[0], &heaps[1]};

    shop_hostile_name =
        kind == 'h' ? HOSTILE "<script>document.title='taken'</script>\u202e" : NULL;
    make_heap(&heaps[0], kind == 'c' ? crowd_heap_init : shop_heap_init, 60);
    if (kind == 'o')
        make_heap(&heaps[1], crowd_heap_init, 10);
    if (kind == 'a')
        view->snapshot = finish(new_builder());
    else
        make_shop(view, false);
    view->heaps = items;
    view->heap_count = kind == 'o' ? 2 : 1;
}

/* ── writing ─────────────────────────────────────────────────────────────────────── */

static mw_status to_stdout(mw_sink *self, const char *bytes, size_t length)
{
    (void)self;
    return fwrite(bytes, 1, length, stdout) == length ? MW_OK : MW_IO;
}

int main(int count, char **arguments)
{
    const char *kind = count == 2 ? arguments[1] : "";
    mw_places places = shop_places;
    mw_view view = {.places = &places, .source = &made_source, .measure = "alive"};
    mw_sink sink = {.write = to_stdout};
    mw_error error;

    places.library = (const char *const[]){STDLIB, "/home/me/shop/.venv/lib"};
    places.library_count = 2;
    if (strcmp(kind, "shop") == 0 || strcmp(kind, "hostile") == 0)
        make_shop(&view, kind[0] == 'h');
    else if (strcmp(kind, "objects") == 0 || strcmp(kind, "hostile-objects") == 0 ||
             strcmp(kind, "alone") == 0 || strcmp(kind, "crowd") == 0)
        make_objects(&view, kind[0]);
    else if (strcmp(kind, "difference") == 0)
        make_difference(&view);
    else if (strcmp(kind, "large") == 0 || strcmp(kind, "restless") == 0)
        make_large(&view, kind[0] == 'l' ? 10 : 1);
    else if (strcmp(kind, "deep") == 0)
        make_deep(&view);
    else {
        fputs("usage: make_page shop|hostile|difference|large|restless|deep|\n"
              "                 objects|alone|hostile-objects|crowd >page.html\n",
              stderr);
        return 2;
    }
    if (mw_renderer_html.write(&view, mw_alloc_system(), &sink, &error) == MW_OK)
        return fflush(stdout) == 0 ? 0 : 1;
    fprintf(stderr, "%s\n", error.text);
    return 1;
}
