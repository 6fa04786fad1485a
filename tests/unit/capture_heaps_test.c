/* SPDX-License-Identifier: MIT */
#include "capture_bytes.h"
#include "capture_files.h"
#include "heap_model.h"

#include "heap/captured_heap.h"

/* ── writing ─────────────────────────────────────────────────────────────────────── */

static mw_status write_record(void *context, mw_record_type type, const mw_bytes *payload)
{
    return mw_capture_writer_heap(context, type, payload, NULL);
}

/* Ends after some records, as a child does that dies. */
typedef struct short_breath {
    mw_capture_writer *writer;
    uint32_t left;
} short_breath;

static mw_status write_some(void *context, mw_record_type type, const mw_bytes *payload)
{
    short_breath *self = context;

    if (self->left-- == 0)
        return MW_UNSUPPORTED;
    return mw_capture_writer_heap(self->writer, type, payload, NULL);
}

static mw_capture_writer *begin_capture(uint64_t keep_ns, mw_alloc *alloc)
{
    static const mw_program program = {.name = "app.py"};
    const mw_capture_options options = {.keep_ns = keep_ns};
    mw_capture_writer *writer = NULL;

    unlink(capture_path);
    CHECK_OK(mw_capture_writer_new(capture_path, &program, &options, alloc, &writer, NULL));
    return writer;
}

static void write_look(mw_capture_writer *writer, const series_model *series, uint32_t number,
                       uint64_t time_ns)
{
    mw_point point = {.time_ns = time_ns};
    mw_snapshot *snapshot = NULL;

    CHECK_OK(series_snapshot(series, &series->looks[number], 0, mw_alloc_system(), &snapshot));
    CHECK_OK(mw_capture_writer_snapshot(writer, snapshot, &point, NULL));
    mw_snapshot_release(snapshot);
}

static void write_heap(mw_capture_writer *writer, uint64_t seed)
{
    heap_model model = heap_model_random(seed);

    CHECK_OK(heap_model_write(&model, write_record, writer, mw_alloc_system()));
}

/* Two heaps with a snapshot before, between and behind. */
static void write_capture(mw_alloc *alloc)
{
    series_model series = full_series();
    mw_capture_writer *writer = begin_capture(0, alloc);

    write_look(writer, &series, 0, 1);
    write_heap(writer, 1);
    write_look(writer, &series, 0, 2);
    write_heap(writer, 2);
    CHECK_OK(mw_capture_writer_finish(writer, 0, NULL));
    mw_capture_writer_free(writer);
}

static void check_heap(mw_capture *capture, uint32_t number, uint64_t seed)
{
    heap_model model = heap_model_random(seed);
    mw_error error = {.text = ""};
    mw_heap_image image;

    if (mw_capture_heap(capture, number, mw_alloc_system(), &image, &error) != MW_OK)
        fail_msg("%s", error.text);
    heap_model_check(&model, &image);
    mw_heap_image_done(&image);
}

/* ── reading ─────────────────────────────────────────────────────────────────────── */

TEST(capture_heaps, are_read_back_in_their_order)
{
    mw_capture *capture;

    write_capture(mw_alloc_system());
    capture = open_capture();
    CHECK_EQ(mw_capture_snapshot_count(capture), 2);
    CHECK_EQ(mw_capture_heap_count(capture), 2);
    CHECK_EQ(mw_capture_heap_facts_of(capture, 1)->time_ns, 5);
    CHECK_EQ(mw_capture_heap_facts_of(capture, 1)->objects, heap_model_random(2).node_count - 1);
    check_heap(capture, 1, 2);
    check_heap(capture, 0, 1);
    mw_capture_close(capture);
}

TEST(capture_heaps, who_asks_for_one_that_is_not_there_is_told_how_many_there_are)
{
    mw_error error = {.text = ""};
    mw_heap_image image;
    mw_capture *capture;

    write_capture(mw_alloc_system());
    capture = open_capture();
    CHECK_EQ(mw_capture_heap(capture, 2, mw_alloc_system(), &image, &error), MW_BAD_INPUT);
    CHECK(strstr(error.text, "has no heap 2, but 2 of them.") != NULL);
    mw_capture_close(capture);
}

TEST(capture_heaps, one_whose_child_dies_leaves_the_file_as_it_was)
{
    series_model series = full_series();
    heap_model model = heap_model_random(1);
    capture_bytes before, after;
    short_breath breath = {.writer = begin_capture(0, mw_alloc_system()), .left = 2};
    mw_capture *capture;

    write_look(breath.writer, &series, 0, 1);
    before = read_bytes(capture_path);
    CHECK_EQ(heap_model_write(&model, write_some, &breath, mw_alloc_system()), MW_UNSUPPORTED);
    mw_capture_writer_drop_heap(breath.writer);
    after = read_bytes(capture_path);
    CHECK_EQ(after.length, before.length);
    CHECK(memcmp(after.bytes, before.bytes, before.length) == 0);
    write_heap(breath.writer, 3);
    CHECK_OK(mw_capture_writer_finish(breath.writer, 0, NULL));
    mw_capture_writer_free(breath.writer);
    capture = open_capture();
    CHECK_EQ(mw_capture_heap_count(capture), 1);
    check_heap(capture, 0, 3);
    mw_capture_close(capture);
    free(before.bytes);
    free(after.bytes);
}

TEST(capture_heaps, one_that_was_not_finished_is_looked_past)
{
    series_model series = full_series();
    heap_model model = heap_model_random(1);
    short_breath breath = {.writer = begin_capture(0, mw_alloc_system()), .left = 2};
    mw_capture *capture;

    CHECK_EQ(heap_model_write(&model, write_some, &breath, mw_alloc_system()), MW_UNSUPPORTED);
    write_look(breath.writer, &series, 0, 1);
    /* Where the first was given up without a word, the second begins anew. */
    breath.left = 2;
    CHECK_EQ(heap_model_write(&model, write_some, &breath, mw_alloc_system()), MW_UNSUPPORTED);
    write_heap(breath.writer, 4);
    CHECK_OK(mw_capture_writer_finish(breath.writer, 0, NULL));
    mw_capture_writer_free(breath.writer);
    capture = open_capture();
    CHECK_EQ(mw_capture_snapshot_count(capture), 1);
    CHECK_EQ(mw_capture_heap_count(capture), 1);
    check_heap(capture, 0, 4);
    mw_capture_close(capture);
}

TEST(capture_heaps, old_ones_go_with_the_segment_that_they_are_in)
{
    series_model series = full_series();
    mw_capture_writer *writer = begin_capture(40 * SECOND, mw_alloc_system());
    mw_capture *capture;

    write_look(writer, &series, 0, 1);
    write_heap(writer, 1);
    for (uint64_t i = 1; i < 30; i++)
        write_look(writer, &series, 0, i * 10 * SECOND);
    write_heap(writer, 2);
    CHECK_OK(mw_capture_writer_finish(writer, 0, NULL));
    mw_capture_writer_free(writer);
    capture = open_capture();
    CHECK(mw_capture_snapshot_count(capture) < 10);
    CHECK_EQ(mw_capture_heap_count(capture), 1);
    check_heap(capture, 0, 2);
    mw_capture_close(capture);
}

/* At every length there is a capture of what came before, or none. */
TEST(capture_heaps, a_capture_that_is_cut_anywhere_keeps_those_that_were_whole)
{
    capture_bytes bytes;
    uint32_t most = 0;

    write_capture(mw_alloc_system());
    bytes = read_bytes(capture_path);
    for (size_t length = 0; length < bytes.length; length++) {
        mw_capture *capture = NULL;

        write_bytes(capture_path, bytes.bytes, length);
        if (mw_capture_open(capture_path, mw_alloc_system(), &capture, NULL) != MW_OK)
            continue;
        CHECK(mw_capture_heap_count(capture) >= most);
        most = mw_capture_heap_count(capture);
        for (uint32_t i = 0; i < most; i++)
            check_heap(capture, i, i + 1);
        mw_capture_close(capture);
    }
    CHECK_EQ(most, 2);
    free(bytes.bytes);
}

/* Behind their checksums. */
TEST(capture_heaps, a_flipped_byte_is_refused_or_within_bounds)
{
    capture_bytes bytes, plain;
    mw_random random = mw_random_of(1);
    uint32_t refused = 0;

    write_capture(mw_alloc_system());
    bytes = read_bytes(capture_path);
    plain = plain_bytes(&bytes);
    for (int round = 0; round < 1500; round++) {
        uint8_t *byte = &plain.bytes[mw_random_below(&random, (uint32_t)plain.length)];
        uint8_t before = *byte;
        mw_error error = {.text = ""};
        mw_capture *capture = NULL;
        mw_heap_image image;

        *byte = (uint8_t)mw_random_below(&random, 256);
        fix_records(plain.bytes, plain.length);
        write_bytes(capture_path, plain.bytes, plain.length);
        if (mw_capture_open(capture_path, mw_alloc_system(), &capture, &error) == MW_OK) {
            for (uint32_t i = 0; i < mw_capture_heap_count(capture); i++) {
                if (mw_capture_heap(capture, i, mw_alloc_system(), &image, &error) == MW_OK) {
                    CHECK(mw_heap_image_is_consistent(&image));
                    mw_heap_image_done(&image);
                } else {
                    CHECK(strstr(error.text, "is damaged") != NULL);
                    refused++;
                }
            }
        }
        mw_capture_close(capture);
        *byte = before;
        fix_records(plain.bytes, plain.length);
    }
    CHECK(refused > 100);
    free(bytes.bytes);
    free(plain.bytes);
}

/* ── the view ────────────────────────────────────────────────────────────────────── */

/* A module whose dict has a list of a str and a large int, under a key that is a tuple. */
enum { MODULE = 1, DICT, LIST, KEY, STRING, NUMBER, FRAME, NODES };

typedef struct tiny_node {
    mw_heap_form form;
    const char *names[2];
    const char *text;
    uint64_t count;
    uint32_t degree, edges[2];
} tiny_node;

static const char *const tiny_types[] = {"running frame", "module", "dict", "list",
                                         "tuple",         "str",    "int"};

static const tiny_node tiny[NODES] = {
    [MODULE] = {{1, MW_HEAP_TEXT_MODULE, MW_HEAP_EDGES_NAMED, 0, 2},
                {".__dict__", "(in C)"},
                "app",
                0,
                1,
                {DICT}},
    [DICT] = {{2, MW_HEAP_TEXT_COUNT, MW_HEAP_EDGES_PAIRS, 0, 0}, {0}, NULL, 1, 2, {KEY, LIST}},
    [LIST] =
        {{3, MW_HEAP_TEXT_COUNT, MW_HEAP_EDGES_ITEMS, 0, 0}, {0}, NULL, 2, 2, {STRING, NUMBER}},
    [KEY] = {{4, MW_HEAP_TEXT_COUNT, MW_HEAP_EDGES_ITEMS, 0, 0}, {0}, NULL, 0, 0, {0}},
    [STRING] = {{5, MW_HEAP_TEXT_STRING, MW_HEAP_EDGES_NAMED, 0, 0}, {0}, "x", 0, 0, {0}},
    [NUMBER] =
        {{6, MW_HEAP_TEXT_INTEGER, MW_HEAP_EDGES_NAMED, 0, 0}, {0}, "<large int>", 0, 0, {0}},
    [FRAME] = {{0, MW_HEAP_TEXT_WHOLE, MW_HEAP_EDGES_NAMED, 0, 1},
               {".rows"},
               "frame run (app.py:3)",
               0,
               1,
               {LIST}},
};

static uint32_t tiny_name(mw_heap_encoder *encoder, const char *text)
{
    return mw_heap_encoder_name(encoder, text, strlen(text));
}

static void write_tiny_node(mw_heap_encoder *encoder, uint32_t number)
{
    const tiny_node *node = &tiny[number];
    uint32_t names[2] = {0};

    for (uint32_t i = 0; i < node->form.name_count; i++)
        names[i] = tiny_name(encoder, node->names[i]);
    mw_heap_encoder_node(encoder,
                         &(mw_heap_row){.form = mw_heap_encoder_form(encoder, &node->form, names),
                                        .degree = node->degree,
                                        .address = 0x1000 * (uint64_t)number,
                                        .size_bytes = 50,
                                        .references = 1,
                                        .line = number == LIST,
                                        .count = node->count,
                                        .text = node->text,
                                        .text_length = node->text ? strlen(node->text) : 0});
    for (uint32_t i = 0; i < node->degree; i++)
        mw_heap_encoder_edge(encoder, node->edges[i]);
}

static void write_tiny(mw_capture_writer *writer)
{
    mw_heap_type_row types[7];
    mw_heap_thread_row thread = {.ident = 12};
    mw_heap_root_row roots[] = {{MODULE, MW_ROOT_MODULE, 0, 0}, {FRAME, MW_ROOT_FRAME, 0, 1}};
    mw_heap_summary summary = {
        .numbers = {[MW_HEAP_TRACKED] = 3, [MW_HEAP_FLAGS] = MW_HEAP_KNOWS_LINES},
        .types = types,
        .type_count = 7,
        .threads = &thread,
        .thread_count = 1,
        .roots = roots,
        .root_count = 2};
    mw_heap_encoder encoder;

    CHECK_OK(mw_heap_encoder_init(&encoder, write_record, writer, mw_alloc_system()));
    mw_heap_encoder_line(&encoder, tiny_name(&encoder, "app.py"), tiny_name(&encoder, "run"), 7);
    for (uint32_t node = 1; node < NODES; node++)
        write_tiny_node(&encoder, node);
    for (uint32_t i = 0; i < 7; i++)
        types[i] = (mw_heap_type_row){tiny_name(&encoder, tiny_types[i]),
                                      tiny_name(&encoder, tiny_types[i]), 0};
    roots[0].name = tiny_name(&encoder, "app");
    thread.name = tiny_name(&encoder, "MainThread");
    CHECK_OK(mw_heap_encoder_finish(&encoder, &summary));
    mw_heap_encoder_done(&encoder);
}

static mw_captured_heap read_tiny(mw_capture **ret_capture)
{
    mw_capture_writer *writer = begin_capture(0, mw_alloc_system());
    mw_captured_heap heap;

    write_tiny(writer);
    CHECK_OK(mw_capture_writer_finish(writer, 0, NULL));
    mw_capture_writer_free(writer);
    *ret_capture = open_capture();
    CHECK_OK(mw_captured_heap_init(&heap, *ret_capture, 0, mw_alloc_system(), NULL));
    return heap;
}

typedef enum written { TYPE, OBJECT, EDGE } written;

static void check_text(const mw_captured_heap *heap, written what, uint32_t from, uint32_t to,
                       const char *text)
{
    mw_buffer buffer;

    mw_buffer_init(&buffer, mw_alloc_system());
    if (what == TYPE)
        heap->view.words->write_type(&heap->view, from, &buffer.sink);
    else if (what == OBJECT)
        heap->view.words->write_object(&heap->view, from, &buffer.sink);
    else
        heap->view.words->write_edge(&heap->view, from, to, &buffer.sink);
    mw_sink_bytes(&buffer.sink, "", 1);
    CHECK_STR_EQ(buffer.bytes, text);
    mw_buffer_done(&buffer);
}

TEST(captured_heap, calls_objects_and_references_as_the_process_does)
{
    mw_capture *capture;
    mw_captured_heap heap = read_tiny(&capture);

    check_text(&heap, TYPE, 2, 0, "dict");
    check_text(&heap, OBJECT, MODULE, 0, "module app");
    check_text(&heap, OBJECT, DICT, 0, "dict(1)");
    check_text(&heap, OBJECT, STRING, 0, "'x'");
    check_text(&heap, OBJECT, NUMBER, 0, "<large int>");
    check_text(&heap, OBJECT, FRAME, 0, "frame run (app.py:3)");
    check_text(&heap, EDGE, MODULE, DICT, ".__dict__");
    check_text(&heap, EDGE, DICT, LIST, "[<tuple>]");
    check_text(&heap, EDGE, DICT, KEY, "(key <tuple>)");
    check_text(&heap, EDGE, LIST, NUMBER, "[1]");
    check_text(&heap, EDGE, FRAME, LIST, ".rows");
    check_text(&heap, EDGE, LIST, MODULE, "(in C)");
    mw_captured_heap_done(&heap);
    mw_capture_close(capture);
}

TEST(captured_heap, knows_what_the_process_knew)
{
    mw_capture *capture;
    mw_captured_heap heap = read_tiny(&capture);
    mw_heap_view *view = &heap.view;
    mw_heap_line_numbers lines;
    mw_heap_place place;

    CHECK_EQ(view->facts.object_count, NODES - 2);
    CHECK_EQ(view->facts.frame_count, 1);
    CHECK_EQ(view->facts.tracked_count, 3);
    CHECK_EQ(view->words->address(view, LIST), 0x3000);
    CHECK_EQ(view->words->address(view, FRAME), 0);
    CHECK_EQ(view->words->find(view, 0x3000), LIST);
    CHECK_EQ(view->words->find(view, 0x3008), 0);
    CHECK_EQ(view->words->module_dict(view, MODULE), DICT);
    CHECK_EQ(view->words->module_dict(view, DICT), 0);
    CHECK_EQ(view->words->references(view, LIST), 1);
    CHECK_EQ(view->words->thread(view, &view->graph->roots[1]), 12);
    CHECK_OK(view->words->lines(view, &lines));
    CHECK_EQ(lines.count, 2);
    CHECK_EQ(lines.of_node[LIST], 1);
    place = view->words->place(view, 1);
    CHECK_EQ(place.line, 7);
    CHECK(place.file_length == 6 && memcmp(place.file, "app.py", 6) == 0);
    mw_captured_heap_done(&heap);
    mw_capture_close(capture);
}

TEST(capture_heaps, returns_every_byte_whichever_allocation_fails)
{
    mw_status status = MW_NO_MEMORY;

    write_capture(mw_alloc_system());
    for (size_t nth = 0; status != MW_OK; nth++) {
        mw_failing_alloc alloc = mw_failing_alloc_at(nth);
        mw_capture *capture = NULL;
        mw_captured_heap heap;

        status = mw_capture_open(capture_path, &alloc.base, &capture, NULL);
        if (status == MW_OK) {
            status = mw_captured_heap_init(&heap, capture, 0, &alloc.base, NULL);
            mw_captured_heap_done(&heap);
        }
        mw_capture_close(capture);
        CHECK(status == MW_OK || status == MW_NO_MEMORY);
        CHECK_EQ(alloc.live_blocks, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(capture_heaps, are_read_back_in_their_order),
        CASE(capture_heaps, who_asks_for_one_that_is_not_there_is_told_how_many_there_are),
        CASE(capture_heaps, one_whose_child_dies_leaves_the_file_as_it_was),
        CASE(capture_heaps, one_that_was_not_finished_is_looked_past),
        CASE(capture_heaps, old_ones_go_with_the_segment_that_they_are_in),
        CASE(capture_heaps, a_capture_that_is_cut_anywhere_keeps_those_that_were_whole),
        CASE(capture_heaps, a_flipped_byte_is_refused_or_within_bounds),
        CASE(captured_heap, calls_objects_and_references_as_the_process_does),
        CASE(captured_heap, knows_what_the_process_knew),
        CASE(capture_heaps, returns_every_byte_whichever_allocation_fails),
    };

    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
