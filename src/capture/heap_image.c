/* SPDX-License-Identifier: MIT
 *
 * Columns are opened before any row is taken, so that each varint is whole; what a row refers to
 * is compared with how much of it has come.  Nodes that edges name, and types, are compared in the
 * end, since they may come later.
 */
#include "capture/heap_image.h"

#include <string.h>

enum { COUNT_MAXIMUM = UINT32_MAX - 1 };

/* ── life ────────────────────────────────────────────────────────────────────────── */

static mw_status grow_texts(mw_heap_texts *texts, mw_alloc *alloc)
{
    return mw_alloc_grow(alloc, &texts->starts, texts->count + 1, &texts->capacity,
                         sizeof *texts->starts, COUNT_MAXIMUM);
}

static mw_status add_text(mw_heap_texts *texts, mw_alloc *alloc, const uint8_t *bytes,
                          size_t length)
{
    mw_status status = grow_texts(texts, alloc);

    if (status == MW_OK && texts->bytes.length + length > UINT32_MAX)
        status = MW_LIMIT;
    if (status != MW_OK)
        return status;
    mw_bytes_put(&texts->bytes, bytes, length);
    texts->starts[++texts->count] = (uint32_t)texts->bytes.length;
    return texts->bytes.status;
}

static mw_status init_texts(mw_heap_texts *texts, mw_alloc *alloc)
{
    mw_bytes_init(&texts->bytes, alloc);
    return add_text(texts, alloc, (const uint8_t *)"", 0);
}

static void texts_done(mw_heap_texts *texts, mw_alloc *alloc)
{
    mw_bytes_done(&texts->bytes);
    mw_alloc_release(alloc, texts->starts, texts->capacity * sizeof *texts->starts);
}

/* Makes row 0 of a table, which means nothing. */
static mw_status begin_table(mw_heap_image *image, void *items, uint32_t *count, uint32_t *capacity,
                             size_t item_bytes)
{
    mw_status status = mw_alloc_grow(image->alloc, items, 0, capacity, item_bytes, COUNT_MAXIMUM);

    if (status == MW_OK)
        *count = 1;
    return status;
}

static mw_status begin_tables(mw_heap_image *image)
{
    mw_status status = begin_table(image, &image->details, &image->detail_count,
                                   &image->detail_capacity, sizeof *image->details);

    if (status == MW_OK)
        status = mw_alloc_grow(image->alloc, &image->line_of, 0, &image->line_of_capacity,
                               sizeof *image->line_of, MW_GRAPH_NODE_MAXIMUM);
    if (status == MW_OK)
        status = begin_table(image, &image->roots, &image->root_count, &image->root_capacity,
                             sizeof *image->roots);
    if (status == MW_OK)
        status = begin_table(image, &image->threads, &image->thread_count, &image->thread_capacity,
                             sizeof *image->threads);
    if (status == MW_OK)
        status = begin_table(image, &image->forms, &image->form_count, &image->form_capacity,
                             sizeof *image->forms);
    if (status == MW_OK)
        status = mw_alloc_grow(image->alloc, &image->formers, 0, &image->former_capacity,
                               sizeof *image->formers, COUNT_MAXIMUM);
    if (status == MW_OK)
        status = begin_table(image, &image->lines, &image->line_count, &image->line_capacity,
                             sizeof *image->lines);
    return status;
}

mw_status mw_heap_image_init(mw_heap_image *image, mw_alloc *alloc)
{
    mw_status status;

    *image = (mw_heap_image){.alloc = alloc};
    mw_bytes_init(&image->texts.bytes, alloc);
    status = init_texts(&image->names, alloc);
    if (status == MW_OK)
        status = init_texts(&image->texts, alloc);
    if (status == MW_OK)
        status = begin_tables(image);
    if (status == MW_OK)
        status = mw_object_graph_init(&image->graph, alloc);
    if (status != MW_OK)
        mw_heap_image_done(image);
    return status;
}

static void release_formers(mw_heap_image *image)
{
    mw_alloc_release(image->alloc, image->formers, image->former_capacity * sizeof *image->formers);
    image->formers = NULL;
    image->former_capacity = 0;
}

void mw_heap_image_done(mw_heap_image *image)
{
    mw_alloc *alloc = image->alloc;

    if (alloc == NULL)
        return;
    mw_object_graph_done(&image->graph);
    texts_done(&image->names, alloc);
    texts_done(&image->texts, alloc);
    release_formers(image);
    mw_alloc_release(alloc, image->details, image->detail_capacity * sizeof *image->details);
    mw_alloc_release(alloc, image->line_of, image->line_of_capacity * sizeof *image->line_of);
    mw_alloc_release(alloc, image->threads, image->thread_capacity * sizeof *image->threads);
    mw_alloc_release(alloc, image->forms, image->form_capacity * sizeof *image->forms);
    mw_alloc_release(alloc, image->form_names,
                     image->form_name_capacity * sizeof *image->form_names);
    mw_alloc_release(alloc, image->lines, image->line_capacity * sizeof *image->lines);
    mw_alloc_release(alloc, image->types, image->type_capacity * sizeof *image->types);
    mw_alloc_release(alloc, image->roots, image->root_capacity * sizeof *image->roots);
    mw_alloc_release(alloc, image->known, image->known_capacity * sizeof *image->known);
    *image = (mw_heap_image){0};
}

static mw_status damaged(mw_heap_image *image, const char *complaint)
{
    image->complaint = complaint;
    return MW_BAD_INPUT;
}

static mw_status misshapen(mw_heap_image *image)
{
    return damaged(image, "it is not in its form");
}

/* ── tables ──────────────────────────────────────────────────────────────────────── */

/* Opens a table: how many rows, and its columns. */
static bool open_table(mw_cursor *payload, uint32_t column_count, mw_cursor *columns,
                       uint64_t *ret_rows)
{
    *ret_rows = mw_cursor_number(payload, COUNT_MAXIMUM);
    return !payload->is_bad && mw_cursor_columns(payload, *ret_rows, columns, column_count);
}

static mw_status take_texts(mw_heap_image *image, mw_cursor *payload, mw_heap_texts *texts)
{
    mw_status status = MW_OK;
    mw_cursor lengths;
    uint64_t rows;

    if (!open_table(payload, 1, &lengths, &rows))
        return misshapen(image);
    for (uint64_t i = 0; i < rows && status == MW_OK; i++) {
        uint64_t length = mw_cursor_varint(&lengths);
        const uint8_t *bytes = mw_cursor_take(payload, length);

        if (payload->is_bad)
            return damaged(image, "a name ends behind it");
        status = add_text(texts, image->alloc, bytes, (size_t)length);
    }
    return status;
}

static mw_status add_form(mw_heap_image *image, const uint64_t numbers[MW_HEAP_FORM_COLUMNS])
{
    mw_heap_form form = {.type = (uint32_t)numbers[0],
                         .text = (mw_heap_text)numbers[1],
                         .edges = (mw_heap_edges)numbers[2],
                         .name_count = (uint32_t)numbers[3]};
    mw_status status;

    if (numbers[0] > COUNT_MAXIMUM || numbers[1] >= MW_HEAP_TEXT_KINDS ||
        numbers[2] >= MW_HEAP_EDGES_KINDS || numbers[3] > COUNT_MAXIMUM)
        return damaged(image, "a form is out of range");
    status = mw_alloc_grow(image->alloc, &image->forms, image->form_count, &image->form_capacity,
                           sizeof *image->forms, COUNT_MAXIMUM);
    if (status == MW_OK)
        status = mw_alloc_grow(image->alloc, &image->formers, image->form_count,
                               &image->former_capacity, sizeof *image->formers, COUNT_MAXIMUM);
    if (status == MW_OK)
        image->forms[image->form_count++] = form;
    return status;
}

/* The names of one form, which lie behind those of the one before. */
static mw_status take_form_names(mw_heap_image *image, mw_cursor *payload, mw_heap_form *form)
{
    form->first_name = image->form_name_count;
    for (uint32_t i = 0; i < form->name_count; i++) {
        uint64_t name = mw_cursor_varint(payload);
        mw_status status;

        if (payload->is_bad || name >= image->names.count)
            return damaged(image, "a form has a name that is not there");
        status =
            mw_alloc_grow(image->alloc, &image->form_names, image->form_name_count,
                          &image->form_name_capacity, sizeof *image->form_names, COUNT_MAXIMUM);
        if (status != MW_OK)
            return status;
        image->form_names[image->form_name_count++] = (uint32_t)name;
    }
    return MW_OK;
}

static mw_status take_forms(mw_heap_image *image, mw_cursor *payload)
{
    uint32_t first = image->form_count;
    mw_cursor columns[MW_HEAP_FORM_COLUMNS];
    mw_status status = MW_OK;
    uint64_t rows;

    if (!open_table(payload, MW_HEAP_FORM_COLUMNS, columns, &rows))
        return misshapen(image);
    for (uint64_t i = 0; i < rows && status == MW_OK; i++) {
        uint64_t numbers[MW_HEAP_FORM_COLUMNS];

        for (int column = 0; column < MW_HEAP_FORM_COLUMNS; column++)
            numbers[column] = mw_cursor_varint(&columns[column]);
        status = add_form(image, numbers);
    }
    for (uint32_t i = first; i < image->form_count && status == MW_OK; i++)
        status = take_form_names(image, payload, &image->forms[i]);
    return status;
}

static mw_status add_line(mw_heap_image *image, mw_cursor columns[MW_HEAP_LINE_COLUMNS])
{
    uint64_t *numbers = image->last_line;
    mw_status status;

    for (int column = 0; column < MW_HEAP_LINE_COLUMNS; column++)
        numbers[column] = mw_cursor_difference(&columns[column], numbers[column]);
    if (numbers[0] >= image->names.count || numbers[1] >= image->names.count)
        return damaged(image, "a line has a name that is not there");
    if ((int64_t)numbers[2] < INT32_MIN || (int64_t)numbers[2] > INT32_MAX)
        return damaged(image, "a line is out of range");
    status = mw_alloc_grow(image->alloc, &image->lines, image->line_count, &image->line_capacity,
                           sizeof *image->lines, COUNT_MAXIMUM);
    if (status == MW_OK)
        image->lines[image->line_count++] =
            (mw_heap_line_row){(uint32_t)numbers[0], (uint32_t)numbers[1], (int32_t)numbers[2]};
    return status;
}

static mw_status take_lines(mw_heap_image *image, mw_cursor *payload)
{
    mw_cursor columns[MW_HEAP_LINE_COLUMNS];
    mw_status status = MW_OK;
    uint64_t rows;

    if (!open_table(payload, MW_HEAP_LINE_COLUMNS, columns, &rows))
        return misshapen(image);
    for (uint64_t i = 0; i < rows && status == MW_OK; i++)
        status = add_line(image, columns);
    return status;
}

/* ── nodes ───────────────────────────────────────────────────────────────────────── */

/* What a record says of its nodes. */
typedef struct node_columns {
    uint64_t rows;
    mw_cursor form, address, size, references, degree, line;
    mw_cursor counts;
    uint64_t count_count; /* not taken yet */
    uint32_t next_text, text_end;
} node_columns;

static mw_status open_nodes(mw_heap_image *image, mw_cursor *payload, node_columns *nodes)
{
    mw_cursor columns[MW_HEAP_NODE_COLUMNS];
    mw_status status;

    if (!open_table(payload, MW_HEAP_NODE_COLUMNS, columns, &nodes->rows) ||
        !open_table(payload, 1, &nodes->counts, &nodes->count_count))
        return misshapen(image);
    nodes->form = columns[0];
    nodes->address = columns[1];
    nodes->size = columns[2];
    nodes->references = columns[3];
    nodes->degree = columns[4];
    nodes->line = columns[5];
    nodes->next_text = image->texts.count;
    status = take_texts(image, payload, &image->texts);
    nodes->text_end = image->texts.count;
    return status;
}

/* The number that stands for what [kind] has beside the type. */
static mw_status take_text(mw_heap_image *image, node_columns *nodes, mw_heap_text kind,
                           uint32_t *ret_text)
{
    *ret_text = 0;
    if (mw_heap_text_has_bytes(kind)) {
        if (nodes->next_text == nodes->text_end)
            return damaged(image, "a text is missing");
        *ret_text = nodes->next_text++;
    } else if (kind == MW_HEAP_TEXT_COUNT) {
        uint64_t count;

        if (nodes->count_count-- == 0)
            return damaged(image, "a count is missing");
        count = mw_cursor_varint(&nodes->counts);
        if (count > UINT32_MAX)
            return damaged(image, "a count is out of range");
        *ret_text = (uint32_t)count;
    }
    return MW_OK;
}

static mw_status append_node(mw_heap_image *image, const mw_heap_detail *detail, uint64_t size,
                             uint64_t degree)
{
    mw_graph_node node = {.type = image->forms[detail->form].type,
                          .references = detail->references};
    mw_status status =
        mw_alloc_grow(image->alloc, &image->details, image->detail_count, &image->detail_capacity,
                      sizeof *image->details, MW_GRAPH_NODE_MAXIMUM);

    if (status == MW_OK && degree > MW_GRAPH_EDGE_MAXIMUM - image->declared_edges)
        status = MW_LIMIT;
    if (status == MW_OK)
        status =
            mw_object_graph_add_node(&image->graph, &node, size,
                                     (uint32_t)(image->declared_edges - image->graph.edge_count));
    if (status != MW_OK)
        return status;
    image->details[image->detail_count++] = *detail;
    image->declared_edges += degree;
    return MW_OK;
}

static mw_status append_line_of(mw_heap_image *image, uint32_t line)
{
    mw_status status =
        mw_alloc_grow(image->alloc, &image->line_of, image->detail_count, &image->line_of_capacity,
                      sizeof *image->line_of, MW_GRAPH_NODE_MAXIMUM);

    if (status == MW_OK)
        image->line_of[image->detail_count] = line;
    return status;
}

static mw_status take_node(mw_heap_image *image, node_columns *nodes)
{
    uint64_t form = mw_cursor_varint(&nodes->form);
    uint64_t references = mw_cursor_varint(&nodes->references);
    uint64_t degree = mw_cursor_varint(&nodes->degree);
    uint64_t line = mw_cursor_varint(&nodes->line);
    uint64_t size = mw_cursor_varint(&nodes->size);
    mw_heap_detail detail;
    mw_status status;

    image->address = mw_cursor_difference(&nodes->address, image->address);
    if (form == 0 || form >= image->form_count || line >= image->line_count)
        return damaged(image, "an object has a form or a line that is not there");
    if (references > MW_GRAPH_IMMORTAL || degree > MW_GRAPH_EDGE_MAXIMUM || size > INT64_MAX)
        return damaged(image, "an object's numbers are out of range");
    detail = (mw_heap_detail){
        .address = image->address,
        .form = (uint32_t)form,
        .references = references == 0 ? MW_GRAPH_IMMORTAL : (int32_t)(references - 1),
    };
    status = take_text(image, nodes, image->forms[form].text, &detail.text);
    if (status == MW_OK)
        status = append_line_of(image, (uint32_t)line);
    return status == MW_OK ? append_node(image, &detail, size, degree) : status;
}

/* ── edges ───────────────────────────────────────────────────────────────────────── */

/* Of a node whose edges come only in part, first_edge of the next is known already. */
static uint32_t degree_of(const mw_heap_image *image, uint32_t node)
{
    const mw_object_graph *graph = &image->graph;
    uint64_t end =
        node + 1 < graph->node_count ? graph->first_edge[node + 1] : image->declared_edges;

    return (uint32_t)(end - graph->first_edge[node]);
}

static mw_status take_edge(mw_heap_image *image, mw_cursor *edges)
{
    uint32_t form;
    mw_heap_former *former;
    uint64_t target;

    while (image->edge_left == 0) {
        if (image->edge_node + 1 >= image->graph.node_count)
            return damaged(image, "there are more references than objects have");
        image->edge_node++;
        image->edge_place = 0;
        image->edge_left = degree_of(image, image->edge_node);
    }
    form = image->details[image->edge_node].form;
    former = &image->formers[form];
    target = mw_cursor_difference(edges, mw_heap_edge_base(former, image->forms[form].edges,
                                                           image->edge_node, image->edge_place,
                                                           image->edge_before));
    if (target == 0 || target > MW_GRAPH_NODE_MAXIMUM)
        return damaged(image, "a reference is out of range");
    if (image->edge_place < MW_HEAP_FORMER_EDGES)
        former->edges[image->edge_place] = (uint32_t)target;
    image->edge_before[1] = image->edge_before[0];
    image->edge_before[0] = (uint32_t)target;
    image->edge_place++;
    image->edge_left--;
    return mw_object_graph_add_edge(&image->graph, (uint32_t)target);
}

mw_status mw_heap_image_take_nodes(mw_heap_image *image, mw_cursor payload)
{
    uint64_t flags = mw_cursor_varint(&payload), edge_count;
    node_columns nodes;
    mw_cursor edges;
    mw_status status;

    if (payload.is_bad || flags > MW_HEAP_NODES_FLAGS)
        return misshapen(image);
    status = take_texts(image, &payload, &image->names);
    if (status == MW_OK)
        status = take_forms(image, &payload);
    if (status == MW_OK)
        status = take_lines(image, &payload);
    if (status == MW_OK)
        status = open_nodes(image, &payload, &nodes);
    for (uint64_t i = 0; status == MW_OK && i < nodes.rows; i++)
        status = take_node(image, &nodes);
    if (status != MW_OK)
        return status;
    if (!open_table(&payload, 1, &edges, &edge_count))
        return misshapen(image);
    for (uint64_t i = 0; status == MW_OK && i < edge_count; i++)
        status = take_edge(image, &edges);
    return status;
}

/* ── the end ─────────────────────────────────────────────────────────────────────── */

static mw_status take_numbers(mw_heap_image *image, mw_cursor *payload)
{
    uint64_t count = mw_cursor_varint(payload);

    for (uint64_t i = 0; i < count && !payload->is_bad; i++) {
        uint64_t number = mw_cursor_varint(payload);

        if (i < MW_HEAP_NUMBERS)
            image->numbers[i] = number;
    }
    if (payload->is_bad || count < MW_HEAP_NUMBERS)
        return misshapen(image);
    if (image->numbers[MW_HEAP_NODES] != image->graph.node_count - 1 ||
        image->numbers[MW_HEAP_EDGES] != image->graph.edge_count ||
        image->graph.edge_count != image->declared_edges)
        return damaged(image, "it has another number of objects or references than came");
    return MW_OK;
}

static mw_status take_types(mw_heap_image *image, mw_cursor *payload)
{
    mw_cursor columns[MW_HEAP_TYPE_COLUMNS];
    mw_status status = MW_OK;
    uint64_t rows;

    if (!open_table(payload, MW_HEAP_TYPE_COLUMNS, columns, &rows))
        return misshapen(image);
    for (uint64_t i = 0; i < rows && status == MW_OK; i++) {
        uint64_t name = mw_cursor_varint(&columns[0]);
        uint64_t short_name = mw_cursor_varint(&columns[1]);
        uint64_t node = mw_cursor_varint(&columns[2]);

        if (name >= image->names.count || short_name >= image->names.count ||
            node >= image->graph.node_count)
            return damaged(image, "a type has a name or an object that is not there");
        status = mw_alloc_grow(image->alloc, &image->types, image->type_count,
                               &image->type_capacity, sizeof *image->types, COUNT_MAXIMUM);
        if (status == MW_OK)
            image->types[image->type_count++] =
                (mw_heap_type_row){(uint32_t)name, (uint32_t)short_name, (uint32_t)node};
    }
    if (status == MW_OK && image->type_count == 0)
        return damaged(image, "it has no types");
    for (uint32_t i = 1; i < image->form_count && status == MW_OK; i++)
        if (image->forms[i].type >= image->type_count)
            return damaged(image, "a form has a type that is not there");
    return status;
}

static mw_status take_threads(mw_heap_image *image, mw_cursor *payload)
{
    mw_cursor columns[MW_HEAP_THREAD_COLUMNS];
    mw_status status = MW_OK;
    uint64_t rows;

    if (!open_table(payload, MW_HEAP_THREAD_COLUMNS, columns, &rows))
        return misshapen(image);
    for (uint64_t i = 0; i < rows && status == MW_OK; i++) {
        uint64_t ident = mw_cursor_varint(&columns[0]);
        uint64_t name = mw_cursor_varint(&columns[1]);

        if (name >= image->names.count)
            return damaged(image, "a thread has a name that is not there");
        status = mw_alloc_grow(image->alloc, &image->threads, image->thread_count,
                               &image->thread_capacity, sizeof *image->threads, COUNT_MAXIMUM);
        if (status == MW_OK)
            image->threads[image->thread_count++] = (mw_heap_thread_row){ident, (uint32_t)name};
    }
    return status;
}

/* A module and its dict, which comes behind it, have one label. */
static uint32_t label_of(const mw_heap_image *image, const mw_heap_root_row *row)
{
    uint32_t last = image->root_count - 1;

    if (row->kind != MW_ROOT_MODULE || image->roots[last].kind != MW_ROOT_MODULE ||
        image->roots[last].name != row->name)
        return image->root_count;
    return image->graph.roots[image->graph.root_count - 1].label;
}

static mw_status add_root(mw_heap_image *image, const uint64_t numbers[MW_HEAP_ROOT_COLUMNS])
{
    mw_heap_root_row row;
    mw_status status;

    if (numbers[0] == 0 || numbers[0] >= image->graph.node_count || numbers[1] < MW_ROOT_MODULE ||
        numbers[1] > MW_ROOT_INTERPRETER || numbers[2] >= image->names.count ||
        numbers[3] >= image->thread_count)
        return damaged(image, "a root is out of range");
    row = (mw_heap_root_row){(uint32_t)numbers[0], (mw_root_kind)numbers[1], (uint32_t)numbers[2],
                             (uint32_t)numbers[3]};
    status = mw_alloc_grow(image->alloc, &image->roots, image->root_count, &image->root_capacity,
                           sizeof *image->roots, COUNT_MAXIMUM);
    if (status == MW_OK)
        status = mw_object_graph_add_root(&image->graph, row.node, row.kind, label_of(image, &row));
    if (status == MW_OK)
        image->roots[image->root_count++] = row;
    return status;
}

static mw_status take_roots(mw_heap_image *image, mw_cursor *payload)
{
    uint64_t numbers[MW_HEAP_ROOT_COLUMNS] = {0}, rows;
    mw_cursor columns[MW_HEAP_ROOT_COLUMNS];
    mw_status status = MW_OK;

    if (!open_table(payload, MW_HEAP_ROOT_COLUMNS, columns, &rows))
        return misshapen(image);
    for (uint64_t i = 0; i < rows && status == MW_OK; i++) {
        for (int column = 0; column < MW_HEAP_ROOT_COLUMNS; column++)
            numbers[column] = mw_cursor_difference(&columns[column], numbers[column]);
        status = add_root(image, numbers);
    }
    return status;
}

static mw_status take_known(mw_heap_image *image, mw_cursor *payload)
{
    mw_status status = MW_OK;
    uint64_t node = 0, rows;
    mw_cursor column;

    if (!open_table(payload, 1, &column, &rows))
        return misshapen(image);
    for (uint64_t i = 0; i < rows && status == MW_OK; i++) {
        node = mw_cursor_difference(&column, node);
        if (node == 0 || node >= image->graph.node_count)
            return damaged(image, "a reference is out of range");
        status = mw_alloc_grow(image->alloc, &image->known, image->known_count,
                               &image->known_capacity, sizeof *image->known, COUNT_MAXIMUM);
        if (status == MW_OK)
            image->known[image->known_count++] = (uint32_t)node;
    }
    return status;
}

/* What is not explained by what was found is held by C code. */
static mw_status add_held_roots(mw_heap_image *image)
{
    mw_object_graph *graph = &image->graph;
    mw_status status = MW_OK;

    for (uint32_t node = 1; node < graph->node_count && status == MW_OK; node++) {
        int32_t references = graph->nodes[node].references;
        mw_root_kind kind = MW_ROOT_HELD_FROM_C;

        if (references <= 0 || graph->nodes[node].type == 0)
            continue;
        if (references == MW_GRAPH_IMMORTAL)
            kind = mw_heap_image_form(image, node)->text == MW_HEAP_TEXT_CLASS ? MW_ROOT_STATIC
                                                                               : MW_ROOT_IMMORTAL;
        status = mw_object_graph_add_root(graph, node, kind, 0);
    }
    return status;
}

mw_status mw_heap_image_take_heap(mw_heap_image *image, mw_cursor payload)
{
    mw_status status = take_numbers(image, &payload);

    if (status == MW_OK)
        status = take_texts(image, &payload, &image->names);
    if (status == MW_OK)
        status = take_types(image, &payload);
    if (status == MW_OK)
        status = take_threads(image, &payload);
    if (status == MW_OK)
        status = mw_object_graph_finish(&image->graph);
    if (status == MW_BAD_INPUT && image->complaint == NULL)
        return damaged(image, "a reference is to an object that never came");
    if (status == MW_OK)
        status = take_roots(image, &payload);
    if (status == MW_OK)
        status = take_known(image, &payload);
    if (status != MW_OK)
        return status;
    release_formers(image);
    image->explained = mw_object_graph_explain(&image->graph, image->known, image->known_count);
    status = add_held_roots(image);
    image->is_complete = status == MW_OK;
    return status;
}

size_t mw_heap_image_memory_bytes(const mw_heap_image *image)
{
    return mw_object_graph_memory_bytes(&image->graph) +
           image->detail_count * (sizeof *image->details + sizeof *image->line_of) +
           image->names.bytes.length + image->names.count * sizeof *image->names.starts +
           image->texts.bytes.length + image->texts.count * sizeof *image->texts.starts;
}

bool mw_heap_image_is_consistent(const mw_heap_image *image)
{
    if (!image->is_complete || !mw_object_graph_is_consistent(&image->graph) ||
        image->detail_count != image->graph.node_count)
        return false;
    for (uint32_t node = 1; node < image->detail_count; node++) {
        const mw_heap_detail *detail = &image->details[node];

        if (detail->form == 0 || detail->form >= image->form_count ||
            image->line_of[node] >= image->line_count ||
            image->graph.nodes[node].type >= image->type_count ||
            (mw_heap_text_has_bytes(image->forms[detail->form].text) &&
             detail->text >= image->texts.count))
            return false;
    }
    return true;
}
