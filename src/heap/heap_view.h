/* SPDX-License-Identifier: MIT
 *
 * A heap, wherever it comes from: objects of this process that were just walked, or what a
 * capture holds of another.  The analysis asks the graph and the words, and nobody else, so
 * that both give the same answers in the same text.
 *
 * Words are functions, since names are made when somebody asks.  Those that write leave to
 * the sink what went wrong.  Nodes, types and roots are the graph's; node 0 is never asked
 * about, nor a number that the graph does not have.  None of them recurses, allocates but
 * through the view's own allocator, or calls Python.
 */
#pragma once

#include "graph/object_graph.h"
#include "render/render.h"

typedef struct mw_heap_view mw_heap_view;

/* A line that allocated objects; bytes are the view's, and are not terminated. */
typedef struct mw_heap_place {
    const char *file; /* NULL: not known */
    const char *function;
    size_t file_length;
    size_t function_length;
    uint32_t line; /* from 1; 0: not known */
} mw_heap_place;

/* Which line allocated each node; the view's. */
typedef struct mw_heap_line_numbers {
    const uint32_t *of_node; /* by node: 1 … count - 1, 0 for what is not known */
    uint32_t count;          /* lines, that for what is not known included      */
} mw_heap_line_numbers;

typedef struct mw_heap_words {
    /* `app.models.Row`; the builtins' types without their module. */
    void (*write_type)(const mw_heap_view *self, uint32_t type, mw_sink *sink);
    /* `dict(12000)`, `function handle.<locals>.on_close`, `'text'`, `frame run (app.py:12)`. */
    void (*write_object)(const mw_heap_view *self, uint32_t node, mw_sink *sink);
    /* How [from] refers to [to], as one would write it behind the name of [from]: `.data`,
     * `['key']`, `[3]`; in brackets where Python has no word for it: `(key 'a')`, `(in C)`. */
    void (*write_edge)(const mw_heap_view *self, uint32_t from, uint32_t to, mw_sink *sink);
    /* The same of the [place]th edge of [from], without looking for it; NULL where that is no
     * quicker. */
    void (*write_edge_at)(const mw_heap_view *self, uint32_t from, uint32_t place, mw_sink *sink);
    /* Of kind MODULE, its name in sys.modules, without quotes; of kind INTERPRETER, which
     * field (`sys.modules`, `gc.garbage`, `cache of attributes`); nothing for other kinds.
     * The root of a module's dict comes right behind that of the module. */
    void (*write_root)(const mw_heap_view *self, const mw_graph_root *root, mw_sink *sink);
    /* The thread that a root of kind FRAME or INTERPRETER belongs to, as threading's `ident`
     * has it; 0 for none. */
    uint64_t (*thread)(const mw_heap_view *self, const mw_graph_root *root);
    /* What threading calls it; nothing if it has no name. */
    void (*write_thread)(const mw_heap_view *self, uint64_t thread, mw_sink *sink);
    /* What id() says; 0 for what is no object (a running frame). */
    uint64_t (*address)(const mw_heap_view *self, uint32_t node);
    /* The node with that address, or 0. */
    uint32_t (*find)(const mw_heap_view *self, uint64_t address);
    /* The node of the type itself, or 0. */
    uint32_t (*type_node)(const mw_heap_view *self, uint32_t type);
    /* The dict of a module's names, or 0 if [node] is no module. */
    uint32_t (*module_dict)(const mw_heap_view *self, uint32_t node);
    /* References that the object counts; 0 for one that is never freed. */
    uint64_t (*references)(const mw_heap_view *self, uint32_t node);
    /* Which lines allocated what, made at the first call; MW_UNSUPPORTED if that is not
     * known. */
    mw_status (*lines)(mw_heap_view *self, mw_heap_line_numbers *ret_numbers);
    mw_heap_place (*place)(const mw_heap_view *self, uint32_t line);
} mw_heap_words;

typedef struct mw_heap_facts {
    mw_explained explained;
    uint64_t object_count;  /* nodes that are objects: the others are running frames */
    uint64_t tracked_count; /* objects that the collector knows                      */
    uint64_t frame_count;   /* running frames                                        */
    uint64_t walk_ns;       /* how long the walk took                                */
    uint64_t memory_bytes;  /* that the walk's tables took                           */
    bool knows_lines;
    bool hides_stacks; /* what running frames have on their stacks is held from C */
    bool has_asker;    /* whoever asks about an object has it, and is not in the graph */
} mw_heap_facts;

/* First in the struct of who implements it. */
struct mw_heap_view {
    const mw_heap_words *words;
    mw_object_graph *graph; /* finished, with its roots but for garbage, which the analysis
                               finds and adds; `references` are as mw_object_graph_explain
                               leaves them                                               */
    uint32_t type_count;
    mw_heap_facts facts;
};
