/* SPDX-License-Identifier: MIT
 *
 * What a page shows of one heap: facts, its dominator tree as rows, and tables.  Filled by who
 * knows heaps; this keeps it and writes it, as docs/page.md describes.
 *
 *     mw_page_heap_init(&heap, alloc);
 *     mw_page_heap_add_object(&heap, &(mw_page_object){…}, &row);   parents before children
 *     mw_page_heap_add_row(&heap, MW_PAGE_HEAP_TYPES, &(mw_page_heap_row){…});
 *     mw_sink_text(&heap.facts.sink, "{…}");
 */
#pragma once

#include "base/string_pool.h"
#include "render/render.h"

typedef enum mw_page_object_kind {
    MW_PAGE_OBJECT_ONE,   /* one object, with all that it retains                      */
    MW_PAGE_OBJECT_ALIKE, /* several of one type that one line allocated, taken as one */
    MW_PAGE_OBJECT_SMALL, /* what is too little to be told apart                       */
} mw_page_object_kind;

/* A row of the dominator tree.  Names are numbers of `strings`. */
typedef struct mw_page_object {
    uint32_t parent; /* the row of its dominator: a smaller number than its own         */
    mw_page_object_kind kind;
    bool is_joint;    /* several hold it, so that dropping one of these frees nothing    */
    uint32_t root;    /* why it is alive by itself: mw_root_kind, or 0 (see object_graph.h) */
    uint32_t type;    /* `app.models.Row`                                                */
    uint32_t text;    /* `dict(12000)`; 0 unless it is one                               */
    uint32_t edge;    /* how its dominator refers to it: `['key']`; 0: not by itself      */
    uint32_t way;     /* where there is no edge: how it is reached from a root           */
    uint32_t line;    /* of `lines`: who allocated it                                    */
    uint64_t id;      /* of one: its address                                             */
    uint64_t count;   /* objects that the row stands for                                 */
    uint64_t size;    /* of these alone                                                  */
    uint64_t objects; /* with all that they retain                                      */
    uint64_t retained;
} mw_page_object;

typedef struct mw_page_heap_line {
    uint32_t file;
    uint32_t function;
    int32_t line;
} mw_page_heap_line;

typedef enum mw_page_heap_table {
    MW_PAGE_HEAP_TYPES,
    MW_PAGE_HEAP_MODULES,
    MW_PAGE_HEAP_LINES,
    MW_PAGE_HEAP_HELD, /* by C code, by type */
    MW_PAGE_HEAP_TABLE_COUNT
} mw_page_heap_table;

/* A row of a table; what it has not is 0. */
typedef struct mw_page_heap_row {
    uint32_t name; /* of the type or module */
    uint32_t line; /* of `lines`            */
    uint64_t count;
    uint64_t references;
    uint64_t size;
    uint64_t retained;
} mw_page_heap_row;

typedef struct mw_page_heap {
    mw_alloc *alloc; /* borrowed */
    mw_string_pool strings;
    mw_buffer facts;          /* one JSON object                         */
    mw_page_object *objects;  /* owned; [0] stands for the whole heap    */
    mw_page_heap_line *lines; /* owned; [0] stands for what nobody knows */
    uint32_t object_count, object_capacity;
    uint32_t line_count, line_capacity;
    struct {
        mw_page_heap_row *rows; /* owned; the most retained first */
        uint32_t count, capacity;
    } tables[MW_PAGE_HEAP_TABLE_COUNT];
} mw_page_heap;

mw_status mw_page_heap_init(mw_page_heap *ret_heap, mw_alloc *alloc) MW_MUST_CHECK;
void mw_page_heap_done(mw_page_heap *heap); /* accepts a zeroed struct */

mw_status mw_page_heap_string(mw_page_heap *heap, const char *bytes, size_t length,
                              uint32_t *ret_string) MW_MUST_CHECK;
mw_status mw_page_heap_add_object(mw_page_heap *heap, const mw_page_object *object,
                                  uint32_t *ret_row) MW_MUST_CHECK;
mw_status mw_page_heap_add_line(mw_page_heap *heap, const mw_page_heap_line *line,
                                uint32_t *ret_line) MW_MUST_CHECK;
mw_status mw_page_heap_add_row(mw_page_heap *heap, mw_page_heap_table table,
                               const mw_page_heap_row *row) MW_MUST_CHECK;

/* [frames] says for each of `lines` which frame of the page it is. */
void mw_page_heap_write(const mw_page_heap *heap, const uint32_t *frames, mw_sink *sink);
