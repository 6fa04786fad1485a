/* SPDX-License-Identifier: MIT
 *
 * A dict of attributes is no step that anybody writes: `.__dict__` is held back until it is
 * known what follows.  A module's own dict is a root as the module is, so that a way may
 * begin with either.
 */
#include "heap/heap_path.h"

#include <string.h>

typedef struct path_writer {
    const mw_heap_study *study;
    mw_sink *sink;
    mw_buffer edge;        /* how one node refers to the next                   */
    bool is_in_attributes; /* the last node is a dict of attributes, yet unsaid */
    bool wants_blank;      /* what was written last stands apart                */
} path_writer;

static const char *const root_kinds[MW_ROOT_KIND_COUNT] = {
    "none", "module", "frame", "interpreter", "static", "held-from-c", "immortal", "garbage",
};

const char *mw_heap_root_kind(mw_root_kind kind)
{
    return root_kinds[kind];
}

void mw_heap_place_write(const mw_heap_place *place, mw_sink *sink)
{
    if (place->file == NULL || place->file_length == 0) {
        mw_sink_text(sink, "<unknown>");
        return;
    }
    mw_sink_bytes(sink, place->file, place->file_length);
    if (place->line != 0)
        mw_sink_format(sink, ":%u", place->line);
    if (place->function_length == 0)
        return;
    mw_sink_text(sink, " in ");
    mw_sink_bytes(sink, place->function, place->function_length);
}

/* ── roots ───────────────────────────────────────────────────────────────────────── */

static void write_thread(const mw_heap_view *view, const mw_graph_root *root, mw_buffer *scratch,
                         mw_sink *sink)
{
    uint64_t thread = view->words->thread(view, root);

    if (thread == 0)
        return;
    mw_sink_text(sink, " in thread ");
    scratch->length = 0;
    view->words->write_thread(view, thread, &scratch->sink);
    if (scratch->length != 0)
        mw_sink_bytes(sink, scratch->bytes, scratch->length);
    else
        mw_sink_number(sink, thread);
}

static void write_module(const mw_heap_view *view, const mw_graph_root *root, mw_buffer *scratch,
                         mw_sink *sink)
{
    scratch->length = 0;
    view->words->write_root(view, root, &scratch->sink);
    mw_sink_text(sink, "sys.modules['");
    mw_sink_escaped(sink, scratch->length != 0 ? scratch->bytes : "", scratch->length, "'");
    mw_sink_text(sink, "']");
}

/* A field of the interpreter's; two of them have a name in Python. */
static void write_field(const mw_heap_view *view, const mw_graph_root *root, mw_buffer *scratch,
                        mw_sink *sink)
{
    bool is_python;

    scratch->length = 0;
    view->words->write_root(view, root, &scratch->sink);
    if (scratch->length == 0)
        return;
    is_python =
        strcmp(scratch->bytes, "sys.modules") == 0 || strcmp(scratch->bytes, "gc.garbage") == 0;
    mw_sink_text(sink, is_python ? "" : "<");
    mw_sink_bytes(sink, scratch->bytes, scratch->length);
    if (!is_python)
        write_thread(view, root, scratch, sink);
    mw_sink_text(sink, is_python ? "" : ">");
}

static void write_root(const mw_heap_study *study, uint32_t node, mw_buffer *scratch, mw_sink *sink)
{
    static const char *const words[MW_ROOT_KIND_COUNT] = {
        [MW_ROOT_NONE] = "none",
        [MW_ROOT_STATIC] = "static type",
        [MW_ROOT_HELD_FROM_C] = "held from C",
        [MW_ROOT_IMMORTAL] = "immortal",
        [MW_ROOT_GARBAGE] = "garbage",
    };
    const mw_heap_view *view = study->view;
    const mw_graph_root *root = mw_heap_study_root(study, node);
    mw_root_kind kind = root != NULL ? root->kind : MW_ROOT_NONE;

    if (kind == MW_ROOT_MODULE) {
        write_module(view, root, scratch, sink);
    } else if (kind == MW_ROOT_INTERPRETER) {
        write_field(view, root, scratch, sink);
    } else {
        mw_sink_text(sink, "<");
        if (kind != MW_ROOT_FRAME) {
            mw_sink_text(sink, words[kind]);
            mw_sink_text(sink, ": ");
        }
        view->words->write_object(view, node, sink);
        if (kind == MW_ROOT_FRAME)
            write_thread(view, root, scratch, sink);
        mw_sink_text(sink, ">");
    }
}

void mw_heap_path_write_root(const mw_heap_study *study, uint32_t node, mw_sink *sink)
{
    mw_buffer scratch;

    mw_buffer_init(&scratch, study->alloc);
    write_root(study, node, &scratch, sink);
    if (sink->status == MW_OK)
        sink->status = scratch.sink.status;
    mw_buffer_done(&scratch);
}

/* ── ways ────────────────────────────────────────────────────────────────────────── */

/* The word in `['word']` if it could stand behind a dot, else NULL. */
static const char *attribute_in(const char *edge, size_t length, size_t *ret_length)
{
    if (length < 5 || memcmp(edge, "['", 2) != 0 || memcmp(edge + length - 2, "']", 2) != 0 ||
        (edge[2] >= '0' && edge[2] <= '9'))
        return NULL;
    for (size_t i = 2; i < length - 2; i++) {
        unsigned char byte = (unsigned char)edge[i];

        if (byte < 0x80 && byte != '_' && !(byte >= '0' && byte <= '9') &&
            !((byte | 0x20) >= 'a' && (byte | 0x20) <= 'z'))
            return NULL;
    }
    *ret_length = length - 4;
    return edge + 2;
}

static void put(path_writer *self, const char *bytes, size_t length)
{
    if (self->wants_blank)
        mw_sink_text(self->sink, " ");
    self->wants_blank = false;
    mw_sink_bytes(self->sink, bytes, length);
}

static void write_step(path_writer *self)
{
    const char *edge = self->edge.bytes;
    size_t length = self->edge.length, word_length;
    const char *word;

    if (length == 9 && memcmp(edge, ".__dict__", 9) == 0) {
        self->is_in_attributes = true;
        return;
    }
    word = self->is_in_attributes ? attribute_in(edge, length, &word_length) : NULL;
    self->is_in_attributes = false;
    if (word != NULL) {
        put(self, ".", 1);
        put(self, word, word_length);
        return;
    }
    /* What Python has no word for stands apart. */
    self->wants_blank = self->wants_blank || *edge == '(';
    put(self, edge, length);
    self->wants_blank = *edge == '(';
}

void mw_heap_path_write(const mw_heap_study *study, const mw_route *route, mw_sink *sink)
{
    path_writer self = {.study = study, .sink = sink};
    const mw_heap_view *view = study->view;
    const mw_graph_root *root = mw_heap_study_root(study, route->nodes[0]);

    mw_buffer_init(&self.edge, study->alloc);
    write_root(study, route->nodes[0], &self.edge, sink);
    self.is_in_attributes = root != NULL && root->kind == MW_ROOT_MODULE;
    for (uint32_t i = 1; i < route->count; i++) {
        uint32_t skipped = mw_heap_path_skipped(route, i);

        if (skipped != 0) {
            mw_sink_format(sink, " … %s more …", mw_count_format(skipped).text);
            self.wants_blank = true;
            self.is_in_attributes = false;
            i += skipped;
        }
        self.edge.length = 0;
        view->words->write_edge(view, route->nodes[i - 1], route->nodes[i], &self.edge.sink);
        if (self.edge.length != 0)
            write_step(&self);
    }
    if (self.is_in_attributes && route->count > 1)
        put(&self, ".__dict__", 9);
    if (sink->status == MW_OK)
        sink->status = self.edge.sink.status;
    mw_buffer_done(&self.edge);
}

mw_status mw_heap_path_write_to(const mw_heap_study *study, uint32_t node, mw_sink *sink)
{
    mw_route_list list;
    mw_status status = mw_routes_find(&list, &study->routes, study->view->graph, NULL, NULL, node,
                                      1, study->alloc);

    if (status != MW_OK)
        return status;
    if (list.count != 0)
        mw_heap_path_write(study, &list.routes[0], sink);
    mw_route_list_done(&list);
    return MW_OK;
}
