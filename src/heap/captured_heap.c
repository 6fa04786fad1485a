/* SPDX-License-Identifier: MIT
 *
 * Names are put together as pyext/heap_names.c puts them together from the objects themselves.
 */
#include "heap/captured_heap.h"

#include <string.h>

static const mw_heap_image *image_of(const mw_heap_view *view)
{
    return &((const mw_captured_heap *)view)->image;
}

/* ── names ───────────────────────────────────────────────────────────────────────── */

static void write_text(const mw_heap_texts *texts, uint32_t number, mw_sink *sink)
{
    size_t length;
    const char *bytes = mw_heap_texts_at(texts, number, &length);

    mw_sink_bytes(sink, bytes, length);
}

static void write_type(const mw_heap_view *self, uint32_t type, mw_sink *sink)
{
    const mw_heap_image *image = image_of(self);

    write_text(&image->names, image->types[type].name, sink);
}

static void write_quoted(const mw_heap_image *image, uint32_t text, mw_sink *sink)
{
    mw_sink_text(sink, "'");
    write_text(&image->texts, text, sink);
    mw_sink_text(sink, "'");
}

static void write_phrase(const mw_heap_image *image, const char *word, uint32_t text, mw_sink *sink)
{
    mw_sink_text(sink, word);
    write_text(&image->texts, text, sink);
}

static void write_object(const mw_heap_view *self, uint32_t node, mw_sink *sink)
{
    const mw_heap_image *image = image_of(self);
    const mw_heap_form *form = mw_heap_image_form(image, node);
    uint32_t text = image->details[node].text;

    switch (form->text) {
    case MW_HEAP_TEXT_COUNT:
        write_type(self, form->type, sink);
        mw_sink_format(sink, "(%u)", text);
        return;
    case MW_HEAP_TEXT_STRING:
        write_quoted(image, text, sink);
        return;
    case MW_HEAP_TEXT_INTEGER:
    case MW_HEAP_TEXT_WHOLE:
        write_phrase(image, "", text, sink);
        return;
    case MW_HEAP_TEXT_MODULE:
        write_phrase(image, "module ", text, sink);
        return;
    case MW_HEAP_TEXT_CLASS:
        write_phrase(image, "class ", text, sink);
        return;
    default:
        write_type(self, form->type, sink);
        if (form->text == MW_HEAP_TEXT_BEHIND)
            write_phrase(image, "", text, sink);
    }
}

/* What a dict calls [node] as a key. */
static void write_key(const mw_heap_image *image, uint32_t node, mw_sink *sink)
{
    const mw_heap_form *form = mw_heap_image_form(image, node);

    if (form->text == MW_HEAP_TEXT_STRING) {
        write_quoted(image, image->details[node].text, sink);
    } else if (form->text == MW_HEAP_TEXT_INTEGER) {
        write_phrase(image, "", image->details[node].text, sink);
    } else {
        mw_sink_text(sink, "<");
        write_text(&image->names, image->types[form->type].short_name, sink);
        mw_sink_text(sink, ">");
    }
}

/* ── references ──────────────────────────────────────────────────────────────────── */

/* The names are those of the first references, and the last of all that follow. */
static void write_name(const mw_heap_image *image, const mw_heap_form *form, uint32_t number,
                       mw_sink *sink)
{
    if (form->name_count == 0)
        mw_sink_text(sink, "(in C)");
    else if (number >= form->name_count)
        write_text(&image->names, image->form_names[form->first_name + form->name_count - 1], sink);
    else
        write_text(&image->names, image->form_names[form->first_name + number], sink);
}

static void write_item(uint32_t place, mw_sink *sink)
{
    mw_sink_format(sink, "[%u]", place);
}

/* Key or value of an entry; a value that is its own key is named as a value. */
static void write_entry(const mw_heap_image *image, const uint32_t *edges, uint32_t place,
                        mw_sink *sink)
{
    const uint32_t *entry = edges + (place & ~UINT32_C(1));
    bool is_value = entry[1] == edges[place];

    mw_sink_text(sink, is_value ? "[" : "(key ");
    write_key(image, entry[0], sink);
    mw_sink_text(sink, is_value ? "]" : ")");
}

/* How many references come before those that have names. */
static uint64_t count_contents(const mw_heap_image *image, uint32_t node, const mw_heap_form *form)
{
    uint64_t count = form->text == MW_HEAP_TEXT_COUNT ? image->details[node].text : 0;
    uint32_t degree = mw_object_graph_degree(&image->graph, node);

    if (form->edges == MW_HEAP_EDGES_NAMED)
        return 0;
    if (form->edges == MW_HEAP_EDGES_PAIRS)
        count *= 2;
    return count <= degree ? count : 0;
}

static void write_place(const mw_heap_image *image, uint32_t node, uint32_t place, mw_sink *sink)
{
    const mw_object_graph *graph = &image->graph;
    const mw_heap_form *form = mw_heap_image_form(image, node);
    uint64_t contents = count_contents(image, node, form);

    if (place >= contents)
        write_name(image, form, place - (uint32_t)contents, sink);
    else if (form->edges == MW_HEAP_EDGES_ITEMS)
        write_item(place, sink);
    else
        write_entry(image, graph->edges + graph->first_edge[node], place, sink);
}

/* By the first reference to [to], as the process itself looks for it. */
static void write_edge(const mw_heap_view *self, uint32_t from, uint32_t to, mw_sink *sink)
{
    const mw_heap_image *image = image_of(self);
    const mw_object_graph *graph = &image->graph;
    const uint32_t *edges = graph->edges + graph->first_edge[from];
    uint32_t degree = mw_object_graph_degree(graph, from);

    for (uint32_t place = 0; place < degree; place++) {
        if (edges[place] == to) {
            write_place(image, from, place, sink);
            return;
        }
    }
    mw_sink_text(sink, "(in C)");
}

static void write_edge_at(const mw_heap_view *self, uint32_t from, uint32_t place, mw_sink *sink)
{
    write_place(image_of(self), from, place, sink);
}

/* ── roots ───────────────────────────────────────────────────────────────────────── */

static const mw_heap_root_row *row_of(const mw_heap_image *image, const mw_graph_root *root)
{
    bool is_written = root->kind >= MW_ROOT_MODULE && root->kind <= MW_ROOT_INTERPRETER;

    return is_written ? &image->roots[root->label] : NULL;
}

static void write_root(const mw_heap_view *self, const mw_graph_root *root, mw_sink *sink)
{
    const mw_heap_root_row *row = row_of(image_of(self), root);

    if (row != NULL)
        write_text(&image_of(self)->names, row->name, sink);
}

static uint64_t thread_of(const mw_heap_view *self, const mw_graph_root *root)
{
    const mw_heap_root_row *row = row_of(image_of(self), root);

    return row != NULL ? image_of(self)->threads[row->thread].ident : 0;
}

static void write_thread(const mw_heap_view *self, uint64_t thread, mw_sink *sink)
{
    const mw_heap_image *image = image_of(self);

    for (uint32_t i = 1; i < image->thread_count; i++) {
        if (image->threads[i].ident == thread) {
            write_text(&image->names, image->threads[i].name, sink);
            return;
        }
    }
}

/* ── objects ─────────────────────────────────────────────────────────────────────── */

static bool is_frame(const mw_heap_image *image, uint32_t node)
{
    return image->graph.nodes[node].type == 0;
}

static uint64_t address_of(const mw_heap_view *self, uint32_t node)
{
    const mw_heap_image *image = image_of(self);

    return node == MW_GRAPH_ROOT || is_frame(image, node) ? 0 : image->details[node].address;
}

static uint32_t find(const mw_heap_view *self, uint64_t address)
{
    const mw_heap_image *image = image_of(self);

    for (uint32_t node = 1; node < image->detail_count; node++)
        if (image->details[node].address == address && !is_frame(image, node))
            return node;
    return 0;
}

static uint32_t type_node(const mw_heap_view *self, uint32_t type)
{
    return image_of(self)->types[type].node;
}

static bool is_dict_name(const mw_heap_image *image, uint32_t name)
{
    static const char wanted[] = ".__dict__";
    size_t length;
    const char *bytes = mw_heap_texts_at(&image->names, name, &length);

    return length == sizeof wanted - 1 && memcmp(bytes, wanted, length) == 0;
}

static uint32_t module_dict(const mw_heap_view *self, uint32_t node)
{
    const mw_heap_image *image = image_of(self);
    const mw_object_graph *graph = &image->graph;
    const mw_heap_form *form;

    if (node == MW_GRAPH_ROOT)
        return 0;
    form = mw_heap_image_form(image, node);
    if (form->text != MW_HEAP_TEXT_MODULE || form->edges != MW_HEAP_EDGES_NAMED)
        return 0;
    for (uint32_t i = 0; i < form->name_count && i < mw_object_graph_degree(graph, node); i++)
        if (is_dict_name(image, image->form_names[form->first_name + i]))
            return graph->edges[graph->first_edge[node] + i];
    return 0;
}

static uint64_t references_of(const mw_heap_view *self, uint32_t node)
{
    int32_t references = image_of(self)->details[node].references;

    return references == MW_GRAPH_IMMORTAL ? 0 : (uint64_t)references;
}

/* ── lines ───────────────────────────────────────────────────────────────────────── */

static mw_status find_lines(mw_heap_view *self, mw_heap_line_numbers *ret_numbers)
{
    const mw_heap_image *image = image_of(self);

    if (!self->facts.knows_lines)
        return MW_UNSUPPORTED;
    *ret_numbers = (mw_heap_line_numbers){image->line_of, image->line_count};
    return MW_OK;
}

static mw_heap_place place_of(const mw_heap_view *self, uint32_t line)
{
    const mw_heap_image *image = image_of(self);
    const mw_heap_line_row *row = &image->lines[line];
    mw_heap_place place = {.line = row->line > 0 ? (uint32_t)row->line : 0};

    if (line == 0)
        return (mw_heap_place){0};
    place.file = mw_heap_texts_at(&image->names, row->file, &place.file_length);
    place.function = mw_heap_texts_at(&image->names, row->function, &place.function_length);
    return place;
}

static const mw_heap_words captured_words = {
    .write_type = write_type,
    .write_object = write_object,
    .write_edge = write_edge,
    .write_edge_at = write_edge_at,
    .write_root = write_root,
    .thread = thread_of,
    .write_thread = write_thread,
    .address = address_of,
    .find = find,
    .type_node = type_node,
    .module_dict = module_dict,
    .references = references_of,
    .lines = find_lines,
    .place = place_of,
};

/* ── the heap ────────────────────────────────────────────────────────────────────── */

static uint64_t count_frames(const mw_heap_image *image)
{
    uint64_t count = 0;

    for (uint32_t node = 1; node < image->graph.node_count; node++)
        count += is_frame(image, node);
    return count;
}

void mw_captured_heap_of(mw_captured_heap *ret_heap, mw_heap_image *image)
{
    uint64_t frames;

    ret_heap->image = *image;
    *image = (mw_heap_image){0};
    image = &ret_heap->image;
    frames = count_frames(image);
    ret_heap->view = (mw_heap_view){
        .words = &captured_words,
        .graph = &image->graph,
        .type_count = image->type_count,
        .facts = {.explained = image->explained,
                  .object_count = image->graph.node_count - 1 - frames,
                  .tracked_count = image->numbers[MW_HEAP_TRACKED],
                  .frame_count = frames,
                  .walk_ns = image->numbers[MW_HEAP_WALK],
                  .memory_bytes = mw_heap_image_memory_bytes(image),
                  .knows_lines = (image->numbers[MW_HEAP_FLAGS] & MW_HEAP_KNOWS_LINES) != 0,
                  .hides_stacks = (image->numbers[MW_HEAP_FLAGS] & MW_HEAP_HIDES_STACKS) != 0},
    };
}

mw_status mw_captured_heap_init(mw_captured_heap *ret_heap, mw_capture *capture, uint32_t number,
                                mw_alloc *alloc, mw_error *reterr)
{
    mw_heap_image image;
    mw_status status = mw_capture_heap(capture, number, alloc, &image, reterr);

    *ret_heap = (mw_captured_heap){0};
    if (status == MW_OK)
        mw_captured_heap_of(ret_heap, &image);
    return status;
}

void mw_captured_heap_done(mw_captured_heap *heap)
{
    mw_heap_image_done(&heap->image);
    *heap = (mw_captured_heap){0};
}

void mw_captured_heap_write_reference(const mw_captured_heap *heap, uint32_t node, uint32_t place,
                                      mw_sink *sink)
{
    write_place(&heap->image, node, place, sink);
}
