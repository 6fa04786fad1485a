/* SPDX-License-Identifier: MIT
 *
 * Every format of three views, against golden files that were read by eye.  That they mean
 * what they should, other people's readers say in tests/python/test_formats.py.
 */
#include "render/renderer.h"

#include "golden.h"
#include "render/page_template.h"
#include "report_views.h"

#include <zlib.h>

typedef enum view_kind { VIEW_SHOP, VIEW_CHANGE, VIEW_HOSTILE, VIEW_COUNT } view_kind;

static const char *const view_names[VIEW_COUNT] = {"shop", "change", "hostile"};

/* A build without node has no page to draw, and says so. */
static bool can_draw(const mw_renderer *renderer)
{
    mw_view view = {0};
    mw_error error = {0};

    if (strcmp(renderer->name, "html") != 0 || mw_page_head_length != 0)
        return true;
    CHECK_EQ(renderer->write(&view, mw_alloc_system(), NULL, &error), MW_UNSUPPORTED);
    CHECK_STR_EQ(error.text, "this memwhy has no page: node was missing when it was built");
    return false;
}

static mw_view view_open(view_kind kind)
{
    mw_view view = {.timeline = &shop_timeline, .measure = "alive"};

    if (kind == VIEW_HOSTILE) {
        view.timeline = &hostile_timeline;
        view.measure = "a\"live\n";
        view.verdict = "Don't <b>look</b>;\nnow.";
        view.snapshot = view_snapshot(hostile_sites, hostile_threads, 2);
        return view;
    }
    view.verdict = "Visits.record holds two thirds of it.\nIt grew by 20 KB in 10 s.";
    view.snapshot = view_snapshot(shop_sites, shop_threads, 2);
    if (kind == VIEW_CHANGE)
        view.older = view_snapshot(shop_older_sites, shop_threads, 2);
    return view;
}

static void view_close(mw_view *view)
{
    mw_snapshot_release((mw_snapshot *)view->snapshot);
    mw_snapshot_release((mw_snapshot *)view->older);
}

/* ── golden files ────────────────────────────────────────────────────────────────── */

/* zlib's next version may compress otherwise, so what is compared is what was compressed. */
static void check_compressed(const char *name, const mw_buffer *buffer)
{
    static char plain[1 << 16];
    z_stream stream = {.next_in = (Bytef *)buffer->bytes,
                       .avail_in = buffer->length,
                       .next_out = (Bytef *)plain,
                       .avail_out = sizeof plain};

    CHECK_EQ(inflateInit2(&stream, 15 + 16), Z_OK);
    CHECK_EQ(inflate(&stream, Z_FINISH), Z_STREAM_END);
    CHECK_EQ(stream.avail_in, 0);
    check_golden(name, plain, stream.total_out);
    inflateEnd(&stream);
}

static void check_format(const mw_renderer *renderer, view_kind kind)
{
    mw_view view = view_open(kind);
    mw_buffer buffer;
    char name[80];

    mw_buffer_init(&buffer, mw_alloc_system());
    CHECK_OK(renderer->write(&view, mw_alloc_system(), &buffer.sink, NULL));
    if (strcmp(renderer->name, "pprof") == 0) {
        snprintf(name, sizeof name, "report_%s.pb", view_names[kind]);
        check_compressed(name, &buffer);
    } else {
        snprintf(name, sizeof name, "report_%s%s", view_names[kind], renderer->extension);
        check_golden(name, buffer.bytes, buffer.length);
    }
    mw_buffer_done(&buffer);
    view_close(&view);
}

static const char *const golden_formats[] = {"collapsed", "csv",   "dot",
                                             "json",      "pprof", "speedscope"};
enum { GOLDEN_FORMATS = sizeof golden_formats / sizeof golden_formats[0] };

static void check_view(view_kind kind)
{
    for (size_t i = 0; i < GOLDEN_FORMATS; i++) {
        const mw_renderer *renderer = mw_renderer_find(golden_formats[i]);
        assert_non_null(renderer);
        check_format(renderer, kind);
    }
}

TEST(renderer, draws_the_shop_as_the_golden_files_do)
{
    check_view(VIEW_SHOP);
}

TEST(renderer, draws_what_changed_as_the_golden_files_do)
{
    check_view(VIEW_CHANGE);
}

TEST(renderer, draws_hostile_names_as_the_golden_files_do)
{
    check_view(VIEW_HOSTILE);
}

/* ── all formats ─────────────────────────────────────────────────────────────────── */

TEST(renderer, of_another_name_is_none)
{
    CHECK(mw_renderer_find("") == NULL);
    CHECK(mw_renderer_find("json ") == NULL);
}

TEST(renderer, list_says_for_each_what_it_is)
{
    for (const mw_renderer *const *at = mw_renderers; *at != NULL; at++) {
        CHECK(mw_renderer_find((*at)->name) == *at);
        CHECK((*at)->extension[0] == '.');
        CHECK((*at)->summary[0] != '\0');
    }
}

TEST(renderer, draws_nothing_at_all)
{
    static const view_site nothing[] = {{0}};

    for (const mw_renderer *const *at = mw_renderers; *at != NULL; at++) {
        mw_failing_alloc failing = mw_failing_alloc_never();
        mw_view view;
        mw_buffer buffer;

        if (!can_draw(*at))
            continue;
        view = (mw_view){.snapshot = view_snapshot(nothing, NULL, 0)};
        mw_buffer_init(&buffer, &failing.base);
        CHECK_OK((*at)->write(&view, &failing.base, &buffer.sink, NULL));
        mw_buffer_done(&buffer);
        CHECK_EQ(failing.live_blocks, 0);
        view_close(&view);
    }
}

/* What of the page is not the template is base64, whatever the names are. */
TEST(renderer, puts_nothing_of_a_capture_into_a_page_but_base64)
{
    mw_view view = view_open(VIEW_HOSTILE);
    mw_buffer buffer;

    mw_buffer_init(&buffer, mw_alloc_system());
    if (can_draw(&mw_renderer_html)) {
        const char *data;
        size_t length;

        CHECK_OK(mw_renderer_html.write(&view, mw_alloc_system(), &buffer.sink, NULL));
        length = buffer.length - mw_page_head_length - mw_page_tail_length;
        data = buffer.bytes + mw_page_head_length;
        CHECK(memcmp(buffer.bytes, mw_page_head, mw_page_head_length) == 0);
        CHECK(memcmp(data + length, mw_page_tail, mw_page_tail_length) == 0);
        CHECK(length > 100);
        CHECK_EQ(strspn(data, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="),
                 length);
    }
    mw_buffer_done(&buffer);
    view_close(&view);
}

/* ── failures ────────────────────────────────────────────────────────────────────── */

typedef struct closing_sink {
    mw_sink sink;
    uint64_t left; /* bytes that it still takes */
} closing_sink;

static mw_status closing_write(mw_sink *self, const char *bytes, size_t length)
{
    closing_sink *closing = (closing_sink *)self;

    (void)bytes;
    if (length > closing->left)
        return MW_IO;
    closing->left -= length;
    return MW_OK;
}

TEST(renderer, says_that_a_sink_refused)
{
    for (const mw_renderer *const *at = mw_renderers; *at != NULL; at++) {
        mw_view view;

        if (!can_draw(*at))
            continue;
        view = view_open(VIEW_CHANGE);
        for (uint64_t room = 0; room < 100; room += 33) {
            closing_sink closing = {.sink = {.write = closing_write}, .left = room};
            mw_error error = {0};

            CHECK_EQ((*at)->write(&view, mw_alloc_system(), &closing.sink, &error), MW_IO);
            CHECK_EQ(error.status, MW_IO);
            CHECK(strstr(error.text, "refused") != NULL);
        }
        view_close(&view);
    }
}

static void check_failures(const mw_renderer *renderer, view_kind kind)
{
    mw_view view = view_open(kind);
    mw_status status = MW_NO_MEMORY;

    for (size_t nth = 0; status != MW_OK; nth++) {
        mw_failing_alloc failing = mw_failing_alloc_at(nth);
        mw_error error = {0};
        mw_buffer buffer;

        mw_buffer_init(&buffer, mw_alloc_system());
        status = renderer->write(&view, &failing.base, &buffer.sink, &error);
        CHECK(status == MW_OK || status == MW_NO_MEMORY);
        CHECK_EQ(error.status, status);
        CHECK_EQ(failing.live_blocks, 0);
        mw_buffer_done(&buffer);
    }
    view_close(&view);
}

TEST(renderer, returns_every_byte_whichever_allocation_fails)
{
    for (const mw_renderer *const *at = mw_renderers; *at != NULL; at++)
        for (int kind = 0; kind < VIEW_COUNT && can_draw(*at); kind++)
            check_failures(*at, (view_kind)kind);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(renderer, draws_the_shop_as_the_golden_files_do),
        CASE(renderer, draws_what_changed_as_the_golden_files_do),
        CASE(renderer, draws_hostile_names_as_the_golden_files_do),
        CASE(renderer, of_another_name_is_none),
        CASE(renderer, list_says_for_each_what_it_is),
        CASE(renderer, draws_nothing_at_all),
        CASE(renderer, puts_nothing_of_a_capture_into_a_page_but_base64),
        CASE(renderer, says_that_a_sink_refused),
        CASE(renderer, returns_every_byte_whichever_allocation_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
