/* SPDX-License-Identifier: MIT
 *
 * A heap that a test makes up: objects and references one by one, then a view of it.
 *
 *     made_heap heap;
 *     made_heap_init(&heap);
 *     shop = made_object(&heap, "module", "module shop", 72, 0);
 *     made_root(&heap, shop, MW_ROOT_MODULE, "shop");
 *     made_reference(&heap, shop, made_object(&heap, "dict", "dict(3)", 184, 0), ".prices");
 *     made_heap_finish(&heap);    &heap.view is ready
 *
 * Names are borrowed, and live as long as the heap.
 */
#pragma once

#include "heap/heap_view.h"
#include "testing.h"

#include <stdio.h>

enum { MADE_TYPES = 64, MADE_PLACES = 64, MADE_ROOTS = 2000, MADE_FIRST_ADDRESS = 0x7f0000001000 };

typedef struct made_edge {
    uint32_t from, to;
    const char *name;
} made_edge;

typedef struct made_node {
    const char *text; /* NULL: the type and the number of references */
    uint64_t size;
    uint32_t type, line;
    uint32_t module_dict;
} made_node;

typedef struct made_heap {
    mw_heap_view view; /* first */
    mw_object_graph graph;
    made_node *nodes; /* owned; [0] is unused */
    made_edge *edges; /* owned; after made_heap_finish by rising `from` */
    uint32_t node_count, node_capacity, edge_count, edge_capacity;
    const char *types[MADE_TYPES];
    uint32_t type_count;
    mw_heap_place places[MADE_PLACES]; /* [0]: not known */
    uint32_t place_count;
    struct {
        uint32_t node;
        mw_root_kind kind;
        const char *name;
    } roots[MADE_ROOTS];
    uint32_t root_count;
    uint32_t *lines; /* owned; by node */
} made_heap;

/* ── words ───────────────────────────────────────────────────────────────────────── */

static const made_heap *made_of(const mw_heap_view *self)
{
    return (const made_heap *)self;
}

static void made_write_type(const mw_heap_view *self, uint32_t type, mw_sink *sink)
{
    mw_sink_text(sink, made_of(self)->types[type]);
}

static void made_write_object(const mw_heap_view *self, uint32_t node, mw_sink *sink)
{
    const made_node *made = &made_of(self)->nodes[node];

    mw_sink_text(sink, made->text != NULL ? made->text : made_of(self)->types[made->type]);
    if (made->text == NULL)
        mw_sink_format(sink, "(%u)", mw_object_graph_degree(&made_of(self)->graph, node));
}

static void made_write_edge(const mw_heap_view *self, uint32_t from, uint32_t to, mw_sink *sink)
{
    const made_heap *heap = made_of(self);

    for (uint32_t i = heap->graph.first_edge[from]; i < heap->graph.first_edge[from + 1]; i++) {
        if (heap->graph.edges[i] != to)
            continue;
        if (heap->edges[i].name != NULL)
            mw_sink_text(sink, heap->edges[i].name);
        else
            mw_sink_format(sink, "[%u]", i - heap->graph.first_edge[from]);
        return;
    }
}

static void made_write_root(const mw_heap_view *self, const mw_graph_root *root, mw_sink *sink)
{
    if (root->kind == MW_ROOT_MODULE || root->kind == MW_ROOT_INTERPRETER)
        mw_sink_text(sink, made_of(self)->roots[root->label - 1].name);
}

static uint64_t made_thread(const mw_heap_view *self, const mw_graph_root *root)
{
    (void)self;
    return root->kind == MW_ROOT_FRAME ? 1 : 0;
}

static void made_write_thread(const mw_heap_view *self, uint64_t thread, mw_sink *sink)
{
    (void)self;
    (void)thread;
    mw_sink_text(sink, "MainThread");
}

static uint64_t made_address(const mw_heap_view *self, uint32_t node)
{
    (void)self;
    return MADE_FIRST_ADDRESS + (uint64_t)node * 64;
}

static uint32_t made_find(const mw_heap_view *self, uint64_t address)
{
    uint64_t node = (address - MADE_FIRST_ADDRESS) / 64;

    return node < made_of(self)->node_count ? (uint32_t)node : 0;
}

static uint32_t made_type_node(const mw_heap_view *self, uint32_t type)
{
    (void)self;
    (void)type;
    return 0;
}

static uint32_t made_module_dict(const mw_heap_view *self, uint32_t node)
{
    return made_of(self)->nodes[node].module_dict;
}

static uint64_t made_references(const mw_heap_view *self, uint32_t node)
{
    (void)self;
    (void)node;
    return 1;
}

static mw_status made_line_numbers(mw_heap_view *self, mw_heap_line_numbers *ret_numbers)
{
    const made_heap *heap = made_of(self);

    if (heap->place_count == 1)
        return MW_UNSUPPORTED;
    *ret_numbers = (mw_heap_line_numbers){heap->lines, heap->place_count};
    return MW_OK;
}

static mw_heap_place made_place_of(const mw_heap_view *self, uint32_t line)
{
    return made_of(self)->places[line];
}

static const mw_heap_words made_words = {
    .write_type = made_write_type,
    .write_object = made_write_object,
    .write_edge = made_write_edge,
    .write_root = made_write_root,
    .thread = made_thread,
    .write_thread = made_write_thread,
    .address = made_address,
    .find = made_find,
    .type_node = made_type_node,
    .module_dict = made_module_dict,
    .references = made_references,
    .lines = made_line_numbers,
    .place = made_place_of,
};

/* ── making ──────────────────────────────────────────────────────────────────────── */

static inline void made_heap_init(made_heap *heap)
{
    *heap = (made_heap){.node_count = 1, .place_count = 1};
    CHECK_OK(mw_alloc_grow(mw_alloc_system(), &heap->nodes, 0, &heap->node_capacity,
                           sizeof *heap->nodes, UINT32_MAX));
}

static inline uint32_t made_type(made_heap *heap, const char *name)
{
    for (uint32_t i = 0; i < heap->type_count; i++)
        if (strcmp(heap->types[i], name) == 0)
            return i;
    CHECK(heap->type_count < MADE_TYPES);
    heap->types[heap->type_count] = name;
    return heap->type_count++;
}

/* A line that allocates. */
static inline uint32_t made_place(made_heap *heap, const char *file, uint32_t line,
                                  const char *function)
{
    for (uint32_t i = 1; i < heap->place_count; i++)
        if (heap->places[i].line == line && strcmp(heap->places[i].file, file) == 0)
            return i;
    CHECK(heap->place_count < MADE_PLACES);
    heap->places[heap->place_count] = (mw_heap_place){.file = file,
                                                      .function = function,
                                                      .file_length = strlen(file),
                                                      .function_length = strlen(function),
                                                      .line = line};
    return heap->place_count++;
}

static inline uint32_t made_object(made_heap *heap, const char *type, const char *text,
                                   uint64_t size, uint32_t place)
{
    CHECK_OK(mw_alloc_grow(mw_alloc_system(), &heap->nodes, heap->node_count, &heap->node_capacity,
                           sizeof *heap->nodes, UINT32_MAX));
    heap->nodes[heap->node_count] =
        (made_node){.text = text, .size = size, .type = made_type(heap, type), .line = place};
    return heap->node_count++;
}

/* [name] NULL: its place, as in a list. */
static inline void made_reference(made_heap *heap, uint32_t from, uint32_t to, const char *name)
{
    CHECK_OK(mw_alloc_grow(mw_alloc_system(), &heap->edges, heap->edge_count, &heap->edge_capacity,
                           sizeof *heap->edges, UINT32_MAX));
    heap->edges[heap->edge_count++] = (made_edge){from, to, name};
}

static inline void made_root(made_heap *heap, uint32_t node, mw_root_kind kind, const char *name)
{
    CHECK(heap->root_count < MADE_ROOTS);
    heap->roots[heap->root_count].node = node;
    heap->roots[heap->root_count].kind = kind;
    heap->roots[heap->root_count++].name = name;
}

/* A module and its dict, which is a root as the module is; returns the dict. */
static inline uint32_t made_module(made_heap *heap, const char *name, const char *text)
{
    uint32_t module = made_object(heap, "module", text, 72, 0);
    uint32_t dict = made_object(heap, "dict", NULL, 232, 0);

    heap->nodes[module].module_dict = dict;
    made_reference(heap, module, dict, ".__dict__");
    made_root(heap, module, MW_ROOT_MODULE, name);
    made_root(heap, dict, MW_ROOT_MODULE, name);
    return dict;
}

/* Keeps the order of the references of each object. */
static inline void made_sort_edges(made_heap *heap)
{
    uint32_t *next = calloc(heap->node_count + 1, sizeof *next);
    made_edge *sorted = calloc(heap->edge_capacity, sizeof *sorted);

    assert_non_null(next);
    assert_non_null(sorted);
    for (uint32_t i = 0; i < heap->edge_count; i++)
        next[heap->edges[i].from + 1]++;
    for (uint32_t i = 1; i <= heap->node_count; i++)
        next[i] += next[i - 1];
    for (uint32_t i = 0; i < heap->edge_count; i++)
        sorted[next[heap->edges[i].from]++] = heap->edges[i];
    if (heap->edge_count != 0)
        memcpy(heap->edges, sorted, heap->edge_count * sizeof *sorted);
    free(sorted);
    free(next);
}

/* [alloc] is for the graph. */
static inline mw_status made_heap_try(made_heap *heap, mw_alloc *alloc)
{
    mw_status status = mw_object_graph_init(&heap->graph, alloc);
    uint32_t edge = 0;

    for (uint32_t node = 1; node < heap->node_count && status == MW_OK; node++) {
        mw_graph_node row = {.type = heap->nodes[node].type};
        status = mw_object_graph_add_node(&heap->graph, &row, heap->nodes[node].size, 0);
        for (; edge < heap->edge_count && heap->edges[edge].from == node && status == MW_OK; edge++)
            status = mw_object_graph_add_edge(&heap->graph, heap->edges[edge].to);
    }
    if (status == MW_OK)
        status = mw_object_graph_finish(&heap->graph);
    for (uint32_t i = 0; i < heap->root_count && status == MW_OK; i++)
        status =
            mw_object_graph_add_root(&heap->graph, heap->roots[i].node, heap->roots[i].kind, i + 1);
    return status;
}

static inline void made_heap_prepare(made_heap *heap)
{
    made_sort_edges(heap);
    heap->lines = calloc(heap->node_count, sizeof *heap->lines);
    assert_non_null(heap->lines);
    for (uint32_t node = 1; node < heap->node_count; node++)
        heap->lines[node] = heap->nodes[node].line;
    heap->view =
        (mw_heap_view){.words = &made_words,
                       .graph = &heap->graph,
                       .type_count = heap->type_count,
                       .facts = {.object_count = heap->node_count - 1,
                                 .tracked_count = heap->node_count / 2,
                                 .explained = {.counted = 10000, .unexplained = 6, .held = 2},
                                 .knows_lines = heap->place_count > 1}};
}

static inline void made_heap_finish(made_heap *heap)
{
    made_heap_prepare(heap);
    CHECK_OK(made_heap_try(heap, mw_alloc_system()));
}

static inline void made_heap_done(made_heap *heap)
{
    mw_alloc_release(mw_alloc_system(), heap->nodes, heap->node_capacity * sizeof *heap->nodes);
    mw_alloc_release(mw_alloc_system(), heap->edges, heap->edge_capacity * sizeof *heap->edges);
    mw_object_graph_done(&heap->graph);
    free(heap->lines);
}
