/* SPDX-License-Identifier: MIT
 *
 * A made-up service's heap: a cache, sessions that two containers hold jointly, objects that
 * C code holds, a frame that runs, garbage, a long chain, and a name that means no good.
 */
#pragma once

#include "heap/heap_study.h"

#include "testing.h"

#include <stdio.h>

enum {
    SERVICE_MODULE = 1,
    SERVICE_DICT,
    SERVICE_CACHE,
    SERVICE_LISTENERS,
    SERVICE_SESSIONS,
    SERVICE_FRAME,
    SERVICE_LOCAL,
    SERVICE_HOSTILE,
    SERVICE_PAIR, /* and the one behind it */
    SERVICE_ROW = SERVICE_PAIR + 2,
    SERVICE_ROWS = 40,
    SERVICE_SESSION = SERVICE_ROW + SERVICE_ROWS,
    SERVICE_SESSION_COUNT = 30,
    SERVICE_LOST = SERVICE_SESSION + SERVICE_SESSION_COUNT,
    SERVICE_LOST_COUNT = 30,
    SERVICE_LINK = SERVICE_LOST + SERVICE_LOST_COUNT,
    SERVICE_LINKS = 100,
    SERVICE_END = SERVICE_LINK + SERVICE_LINKS,
    SERVICE_THREAD = 77,
};

#define SERVICE_ADDRESS UINT64_C(0x7f0000000000) /* of node 0, and then every 16 bytes */

typedef enum service_type {
    TYPE_FRAME,
    TYPE_MODULE,
    TYPE_DICT,
    TYPE_LIST,
    TYPE_STR,
    TYPE_ROW,
    TYPE_SESSION,
    TYPE_LOST,
    TYPE_LINK,
    TYPE_PAIR,
    TYPE_LOCAL,
    TYPE_COUNT,
} service_type;

static const char *const service_types[TYPE_COUNT] = {
    "running frame", "module",   "dict",     "list",     "str",       "app.Row",
    "app.Session",   "ext.Lost", "app.Link", "app.Pair", "app.Local",
};

typedef struct heap_service {
    mw_heap_view view; /* first */
    mw_object_graph graph;
    mw_heap_study study;
    uint32_t line_of[SERVICE_END];
} heap_service;

static inline service_type service_type_of(uint32_t node)
{
    static const service_type first[SERVICE_ROW] = {
        [SERVICE_MODULE] = TYPE_MODULE, [SERVICE_DICT] = TYPE_DICT,
        [SERVICE_CACHE] = TYPE_DICT,    [SERVICE_LISTENERS] = TYPE_LIST,
        [SERVICE_SESSIONS] = TYPE_DICT, [SERVICE_FRAME] = TYPE_FRAME,
        [SERVICE_LOCAL] = TYPE_LOCAL,   [SERVICE_HOSTILE] = TYPE_STR,
        [SERVICE_PAIR] = TYPE_PAIR,     [SERVICE_PAIR + 1] = TYPE_PAIR,
    };

    return node < SERVICE_ROW       ? first[node]
           : node < SERVICE_SESSION ? TYPE_ROW
           : node < SERVICE_LOST    ? TYPE_SESSION
           : node < SERVICE_LINK    ? TYPE_LOST
                                    : TYPE_LINK;
}

static inline uint64_t service_size_of(uint32_t node)
{
    static const uint64_t sizes[TYPE_COUNT] = {
        [TYPE_ROW] = 1000,
        [TYPE_SESSION] = 500,
        [TYPE_LOST] = 300,
        [TYPE_LINK] = 10,
    };
    uint64_t size = sizes[service_type_of(node)];

    return size != 0 ? size : node == SERVICE_FRAME ? 0 : 100;
}

static inline bool service_refers(uint32_t from, uint32_t to)
{
    switch (from) {
    case SERVICE_MODULE:
        return to == SERVICE_DICT;
    case SERVICE_DICT:
        return (to >= SERVICE_CACHE && to <= SERVICE_SESSIONS) || to == SERVICE_HOSTILE ||
               to == SERVICE_LINK;
    case SERVICE_CACHE:
        return to >= SERVICE_ROW && to < SERVICE_SESSION;
    case SERVICE_LISTENERS:
    case SERVICE_SESSIONS:
        return to >= SERVICE_SESSION && to < SERVICE_LOST;
    case SERVICE_FRAME:
        return to == SERVICE_LOCAL;
    case SERVICE_PAIR:
        return to == SERVICE_PAIR + 1;
    case SERVICE_PAIR + 1:
        return to == SERVICE_PAIR;
    default:
        return from >= SERVICE_LINK && to == from + 1;
    }
}

/* ── words ───────────────────────────────────────────────────────────────────────── */

static inline void service_write_type(const mw_heap_view *self, uint32_t type, mw_sink *sink)
{
    (void)self;
    mw_sink_text(sink, service_types[type]);
}

static inline void service_write_object(const mw_heap_view *self, uint32_t node, mw_sink *sink)
{
    static const char *const texts[SERVICE_PAIR] = {
        [SERVICE_MODULE] = "module app",
        [SERVICE_DICT] = "dict(5)",
        [SERVICE_CACHE] = "dict(40)",
        [SERVICE_LISTENERS] = "list(30)",
        [SERVICE_SESSIONS] = "dict(30)",
        [SERVICE_FRAME] = "frame work (app.py:12)",
        [SERVICE_HOSTILE] = "'a\nb\033[31m\xff'",
    };

    if (node < SERVICE_PAIR && texts[node] != NULL)
        mw_sink_text(sink, texts[node]);
    else
        service_write_type(self, service_type_of(node), sink);
}

static inline void service_write_edge(const mw_heap_view *self, uint32_t from, uint32_t to,
                                      mw_sink *sink)
{
    static const char *const names[SERVICE_PAIR] = {
        [SERVICE_CACHE] = "['cache']",       [SERVICE_LISTENERS] = "['listeners']",
        [SERVICE_SESSIONS] = "['sessions']", [SERVICE_LOCAL] = ".local",
        [SERVICE_DICT] = ".__dict__",        [SERVICE_HOSTILE] = "['ev il\n']",
    };

    (void)self;
    if (to < SERVICE_PAIR && names[to] != NULL)
        mw_sink_text(sink, names[to]);
    else if (from == SERVICE_DICT)
        mw_sink_text(sink, "['chain']");
    else if (from == SERVICE_CACHE)
        mw_sink_format(sink, "['k%u']", to - SERVICE_ROW);
    else if (from == SERVICE_LISTENERS || from == SERVICE_SESSIONS)
        mw_sink_format(sink, "[%u]", to - SERVICE_SESSION);
    else if (from == SERVICE_PAIR)
        mw_sink_text(sink, "(in C)");
    else
        mw_sink_text(sink, ".next");
}

static inline void service_write_root(const mw_heap_view *self, const mw_graph_root *root,
                                      mw_sink *sink)
{
    (void)self;
    if (root->kind == MW_ROOT_MODULE)
        mw_sink_text(sink, "app");
}

static inline uint64_t service_thread(const mw_heap_view *self, const mw_graph_root *root)
{
    (void)self;
    return root->kind == MW_ROOT_FRAME ? SERVICE_THREAD : 0;
}

static inline void service_write_thread(const mw_heap_view *self, uint64_t thread, mw_sink *sink)
{
    (void)self;
    if (thread == SERVICE_THREAD)
        mw_sink_text(sink, "worker-7");
}

static inline uint64_t service_address(const mw_heap_view *self, uint32_t node)
{
    (void)self;
    return node != SERVICE_FRAME ? SERVICE_ADDRESS + 16 * (uint64_t)node : 0;
}

static inline uint32_t service_find(const mw_heap_view *self, uint64_t address)
{
    uint64_t node = (address - SERVICE_ADDRESS) / 16;

    (void)self;
    return address > SERVICE_ADDRESS && address % 16 == 0 && node < SERVICE_END ? (uint32_t)node
                                                                                : 0;
}

static inline uint32_t service_type_node(const mw_heap_view *self, uint32_t type)
{
    (void)self;
    (void)type;
    return 0;
}

static inline uint32_t service_module_dict(const mw_heap_view *self, uint32_t node)
{
    (void)self;
    return node == SERVICE_MODULE ? SERVICE_DICT : 0;
}

static inline uint64_t service_references(const mw_heap_view *self, uint32_t node)
{
    (void)self;
    return node == SERVICE_MODULE ? 3 : 1;
}

static inline mw_status service_lines(mw_heap_view *self, mw_heap_line_numbers *ret_numbers)
{
    heap_service *service = (heap_service *)self;

    if (!self->facts.knows_lines)
        return MW_UNSUPPORTED;
    for (uint32_t node = 1; node < SERVICE_END; node++)
        service->line_of[node] = service_type_of(node) == TYPE_ROW       ? 1
                                 : service_type_of(node) == TYPE_SESSION ? 2
                                                                         : 0;
    *ret_numbers = (mw_heap_line_numbers){service->line_of, 3};
    return MW_OK;
}

static inline mw_heap_place service_place(const mw_heap_view *self, uint32_t line)
{
    static const char file[] = "/srv/app.py and more", load[] = "load", connect[] = "connect!";

    (void)self;
    return (mw_heap_place){.file = file,
                           .function = line == 1 ? load : connect,
                           .file_length = 11,
                           .function_length = line == 1 ? 4 : 7,
                           .line = line == 1 ? 5 : 9};
}

static const mw_heap_words service_words = {
    .write_type = service_write_type,
    .write_object = service_write_object,
    .write_edge = service_write_edge,
    .write_root = service_write_root,
    .thread = service_thread,
    .write_thread = service_write_thread,
    .address = service_address,
    .find = service_find,
    .type_node = service_type_node,
    .module_dict = service_module_dict,
    .references = service_references,
    .lines = service_lines,
    .place = service_place,
};

/* ── the heap ────────────────────────────────────────────────────────────────────── */

static inline mw_status service_make_graph(mw_object_graph *graph, mw_alloc *alloc)
{
    mw_status status = mw_object_graph_init(graph, alloc);

    for (uint32_t node = 1; status == MW_OK && node < SERVICE_END; node++) {
        mw_graph_node row = {.type = service_type_of(node),
                             .references = service_type_of(node) == TYPE_LOST};

        status = mw_object_graph_add_node(graph, &row, service_size_of(node), 0);
        for (uint32_t to = 1; status == MW_OK && to < SERVICE_END; to++)
            if (service_refers(node, to))
                status = mw_object_graph_add_edge(graph, to);
    }
    if (status == MW_OK)
        status = mw_object_graph_finish(graph);
    if (status == MW_OK)
        status = mw_object_graph_add_root(graph, SERVICE_FRAME, MW_ROOT_FRAME, 0);
    if (status == MW_OK)
        status = mw_object_graph_add_root(graph, SERVICE_MODULE, MW_ROOT_MODULE, 1);
    if (status == MW_OK)
        status = mw_object_graph_add_root(graph, SERVICE_DICT, MW_ROOT_MODULE, 2);
    for (uint32_t i = 0; status == MW_OK && i < SERVICE_LOST_COUNT; i++)
        status = mw_object_graph_add_root(graph, SERVICE_LOST + i, MW_ROOT_HELD_FROM_C, 0);
    return status;
}

/* Makes the heap and studies it; it stays where it is. */
static inline mw_status service_try(heap_service *service, mw_alloc *alloc)
{
    mw_status status;

    *service = (heap_service){0};
    status = service_make_graph(&service->graph, alloc);
    service->view =
        (mw_heap_view){.words = &service_words,
                       .graph = &service->graph,
                       .type_count = TYPE_COUNT,
                       .facts = {.explained = {.counted = 1000, .unexplained = 30, .held = 30},
                                 .object_count = SERVICE_END - 2,
                                 .tracked_count = SERVICE_END - 3,
                                 .frame_count = 1,
                                 .knows_lines = true}};
    if (status == MW_OK)
        status = mw_heap_study_init(&service->study, &service->view, alloc);
    return status;
}

static inline void service_done(heap_service *service)
{
    mw_heap_study_done(&service->study);
    mw_object_graph_done(&service->graph);
}

/* For most tests. */
static inline void service_make(heap_service *service)
{
    CHECK_OK(service_try(service, mw_alloc_system()));
    CHECK_OK(mw_heap_study_lines(&service->study));
}

/* Checks what was written, and empties the buffer. */
static inline void service_expect(mw_buffer *written, const char *expected)
{
    CHECK_OK(written->sink.status);
    mw_sink_text(&written->sink, ""); /* there is a NUL even if nothing was written */
    CHECK_STR_EQ(written->bytes == NULL ? "" : written->bytes, expected);
    mw_buffer_done(written);
    mw_buffer_init(written, mw_alloc_system());
}
