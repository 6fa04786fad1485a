/* SPDX-License-Identifier: MIT
 *
 * Small made-up heaps: written with the encoder, and compared with what was read.
 */
#pragma once

#include "capture/heap_image.h"

#include "testing.h"

#include <stdio.h>

enum { HEAP_MODEL_NODES = 40, HEAP_MODEL_EDGES = 70, HEAP_MODEL_FORMS = 6, HEAP_MODEL_NAMES = 3 };

typedef struct heap_model_node {
    mw_heap_row row;
    char text[24];
    uint32_t edges[HEAP_MODEL_EDGES];
} heap_model_node;

typedef struct heap_model {
    uint32_t node_count; /* the root of all roots included */
    heap_model_node nodes[HEAP_MODEL_NODES];
    mw_heap_form forms[HEAP_MODEL_FORMS];
    uint32_t form_count, type_count, line_count;
    uint32_t known[4], known_count;
    mw_heap_root_row roots[4];
    uint32_t root_count;
    size_t record_bytes;
} heap_model;

static inline void heap_model_random_node(mw_random *random, heap_model *model, uint32_t number)
{
    heap_model_node *node = &model->nodes[number];
    uint32_t length = (uint32_t)snprintf(node->text, sizeof node->text, "text %u",
                                         mw_random_below(random, 1u << 31));

    node->row = (mw_heap_row){
        .form = mw_random_below(random, model->form_count),
        .degree = mw_random_below(random, 4) == 0 ? mw_random_below(random, HEAP_MODEL_EDGES)
                                                  : mw_random_below(random, 4),
        .address = UINT64_C(0x7f0000000000) + 16 * (uint64_t)mw_random_below(random, 1u << 20),
        .size_bytes = mw_random_below(random, 1000) * UINT64_C(0x1000193),
        .references = mw_random_below(random, 9) == 0 ? MW_GRAPH_IMMORTAL
                                                      : (int32_t)mw_random_below(random, 5),
        .line = mw_random_below(random, model->line_count + 1),
        .count = mw_random_below(random, 1000),
        .text_length = mw_random_below(random, length + 1),
    };
    for (uint32_t i = 0; i < node->row.degree; i++)
        node->edges[i] = 1 + mw_random_below(random, model->node_count - 1);
}

static inline heap_model heap_model_random(uint64_t seed)
{
    mw_random random = mw_random_of(seed);
    heap_model model = {.node_count = 2 + mw_random_below(&random, HEAP_MODEL_NODES - 2),
                        .form_count = 1 + mw_random_below(&random, HEAP_MODEL_FORMS),
                        .type_count = 1 + mw_random_below(&random, 4),
                        .line_count = mw_random_below(&random, 3),
                        .known_count = mw_random_below(&random, 4),
                        .root_count = mw_random_below(&random, 4),
                        .record_bytes = 1 + mw_random_below(&random, 400)};

    for (uint32_t i = 0; i < model.form_count; i++)
        model.forms[i] =
            (mw_heap_form){.type = mw_random_below(&random, model.type_count),
                           .text = (mw_heap_text)mw_random_below(&random, MW_HEAP_TEXT_KINDS),
                           .edges = (mw_heap_edges)mw_random_below(&random, MW_HEAP_EDGES_KINDS),
                           .name_count = mw_random_below(&random, HEAP_MODEL_NAMES + 1)};
    for (uint32_t i = 1; i < model.node_count; i++)
        heap_model_random_node(&random, &model, i);
    for (uint32_t i = 0; i < model.known_count; i++)
        model.known[i] = 1 + mw_random_below(&random, model.node_count - 1);
    for (uint32_t i = 0; i < model.root_count; i++)
        model.roots[i] =
            (mw_heap_root_row){.node = 1 + mw_random_below(&random, model.node_count - 1),
                               .kind = (mw_root_kind)(MW_ROOT_MODULE + mw_random_below(&random, 3)),
                               .thread = mw_random_below(&random, 2)};
    return model;
}

/* The text of a name is its number with a word before it. */
static inline uint32_t heap_model_name(mw_heap_encoder *encoder, const char *word, uint32_t number)
{
    char text[32];
    int length = snprintf(text, sizeof text, "%s %u", word, number);

    return mw_heap_encoder_name(encoder, text, (size_t)length);
}

static inline void heap_model_write_nodes(const heap_model *model, mw_heap_encoder *encoder)
{
    for (uint32_t i = 1; i <= model->line_count; i++)
        mw_heap_encoder_line(encoder, heap_model_name(encoder, "file", i),
                             heap_model_name(encoder, "function", i), (int32_t)i * 10);
    for (uint32_t i = 1; i < model->node_count; i++) {
        const heap_model_node *node = &model->nodes[i];
        const mw_heap_form *form = &model->forms[node->row.form];
        mw_heap_row row = node->row;
        uint32_t names[HEAP_MODEL_NAMES];

        for (uint32_t name = 0; name < form->name_count; name++)
            names[name] = heap_model_name(encoder, ".field", node->row.form * 10 + name);
        row.text = node->text;
        row.form = mw_heap_encoder_form(encoder, form, names);
        mw_heap_encoder_node(encoder, &row);
        for (uint32_t edge = 0; edge < row.degree; edge++)
            mw_heap_encoder_edge(encoder, node->edges[edge]);
    }
}

/* Writes all of it; [emit] is given the payloads. */
static inline mw_status heap_model_write(const heap_model *model, mw_heap_emit *emit, void *context,
                                         mw_alloc *alloc)
{
    mw_heap_type_row types[4] = {{0}};
    mw_heap_thread_row thread = {.ident = 77};
    mw_heap_root_row roots[4];
    mw_heap_summary summary = {
        .numbers = {[MW_HEAP_TIME] = 5, [MW_HEAP_FLAGS] = MW_HEAP_KNOWS_LINES},
        .types = types,
        .type_count = model->type_count,
        .threads = &thread,
        .thread_count = 1,
        .roots = roots,
        .root_count = model->root_count,
        .known = model->known,
        .known_count = model->known_count};
    mw_heap_encoder encoder;
    mw_status status = mw_heap_encoder_init(&encoder, emit, context, alloc);

    if (status != MW_OK)
        return status;
    encoder.record_bytes = model->record_bytes;
    heap_model_write_nodes(model, &encoder);
    for (uint32_t i = 0; i < model->type_count; i++)
        types[i].name = types[i].short_name = heap_model_name(&encoder, "type", i);
    thread.name = heap_model_name(&encoder, "thread", 1);
    for (uint32_t i = 0; i < model->root_count; i++) {
        roots[i] = model->roots[i];
        roots[i].name = heap_model_name(&encoder, "root", i);
    }
    status = mw_heap_encoder_finish(&encoder, &summary);
    mw_heap_encoder_done(&encoder);
    return status;
}

static inline bool heap_model_text_is(const mw_heap_texts *texts, uint32_t number, const char *text,
                                      size_t length)
{
    size_t found;
    const char *bytes = mw_heap_texts_at(texts, number, &found);

    return found == length && memcmp(bytes, text, length) == 0;
}

static inline void heap_model_check_node(const heap_model *model, const mw_heap_image *image,
                                         uint32_t number)
{
    const heap_model_node *node = &model->nodes[number];
    const mw_heap_form *wanted = &model->forms[node->row.form];
    const mw_heap_form *form = mw_heap_image_form(image, number);
    const mw_object_graph *graph = &image->graph;

    CHECK_EQ(form->type, wanted->type);
    CHECK_EQ(graph->nodes[number].type, wanted->type);
    CHECK_EQ(form->text, wanted->text);
    CHECK_EQ(form->edges, wanted->edges);
    CHECK_EQ(form->name_count, wanted->name_count);
    CHECK_EQ(image->details[number].address, node->row.address);
    CHECK_EQ(image->details[number].references, node->row.references);
    CHECK_EQ(image->line_of[number], node->row.line);
    CHECK_EQ(mw_object_graph_size(graph, number), node->row.size_bytes);
    CHECK_EQ(mw_object_graph_degree(graph, number), node->row.degree);
    for (uint32_t i = 0; i < node->row.degree; i++)
        CHECK_EQ(graph->edges[graph->first_edge[number] + i], node->edges[i]);
    for (uint32_t i = 0; i < form->name_count; i++) {
        char text[32];
        int length = snprintf(text, sizeof text, ".field %u", node->row.form * 10 + i);

        CHECK(heap_model_text_is(&image->names, image->form_names[form->first_name + i], text,
                                 (size_t)length));
    }
    if (mw_heap_text_has_bytes(form->text))
        CHECK(heap_model_text_is(&image->texts, image->details[number].text, node->text,
                                 node->row.text_length));
    else if (form->text == MW_HEAP_TEXT_COUNT)
        CHECK_EQ(image->details[number].text, node->row.count);
}

/* What references explain, counted anew. */
static inline int64_t heap_model_unexplained(const heap_model *model, uint32_t number)
{
    int64_t left = model->nodes[number].row.references;

    if (left == MW_GRAPH_IMMORTAL)
        return left;
    for (uint32_t i = 1; i < model->node_count; i++)
        for (uint32_t edge = 0; edge < model->nodes[i].row.degree; edge++)
            left -= model->nodes[i].edges[edge] == number;
    for (uint32_t i = 0; i < model->known_count; i++)
        left -= model->known[i] == number;
    return left;
}

static inline bool heap_model_has_root(const mw_heap_image *image, uint32_t node, mw_root_kind kind)
{
    for (uint32_t i = 0; i < image->graph.root_count; i++)
        if (image->graph.roots[i].node == node && image->graph.roots[i].kind == kind)
            return true;
    return false;
}

static inline void heap_model_check(const heap_model *model, const mw_heap_image *image)
{
    CHECK(mw_heap_image_is_consistent(image));
    CHECK_EQ(image->graph.node_count, model->node_count);
    CHECK_EQ(image->type_count, model->type_count);
    CHECK_EQ(image->root_count, model->root_count + 1);
    CHECK_EQ(image->numbers[MW_HEAP_TIME], 5);
    for (uint32_t i = 1; i < model->node_count; i++) {
        int64_t left = heap_model_unexplained(model, i);

        heap_model_check_node(model, image, i);
        CHECK_EQ(image->graph.nodes[i].references, left);
        CHECK_EQ(heap_model_has_root(image, i, MW_ROOT_HELD_FROM_C),
                 left > 0 && left != MW_GRAPH_IMMORTAL && mw_heap_image_form(image, i)->type != 0);
    }
    for (uint32_t i = 0; i < model->root_count; i++) {
        char text[32];
        int length = snprintf(text, sizeof text, "root %u", i);

        CHECK_EQ(image->graph.roots[i].node, model->roots[i].node);
        CHECK_EQ(image->graph.roots[i].kind, model->roots[i].kind);
        CHECK_EQ(image->roots[i + 1].thread, model->roots[i].thread);
        CHECK(heap_model_text_is(&image->names, image->roots[i + 1].name, text, (size_t)length));
    }
}
