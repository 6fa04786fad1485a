/* SPDX-License-Identifier: MIT
 *
 * Writes a heap as payloads of HEAP_NODES and HEAP: docs/format.md.  Nodes come in the order of
 * their numbers, from 1, each with its edges behind it; an edge may name a node that is yet to
 * come.  What was written is handed on once there is enough for a record, so that a heap of any
 * size takes no more memory than that, its names and its forms.
 *
 *     mw_heap_encoder_init(&encoder, emit, context, alloc);
 *     for each object:
 *         mw_heap_encoder_node(&encoder, &row);
 *         for each of its references, row.degree in all:
 *             mw_heap_encoder_edge(&encoder, target);
 *     mw_heap_encoder_finish(&encoder, &summary);
 *
 * A forked child of a process with threads may use it: it asks for memory from [alloc] alone.
 * What goes wrong stays in `status`, and what follows is ignored.
 */
#pragma once

#include "base/string_pool.h"
#include "capture/bytes.h"
#include "capture/format.h"
#include "graph/object_graph.h"

/* Takes one payload; what it returns, if not MW_OK, ends the writing. */
typedef mw_status mw_heap_emit(void *context, mw_record_type type, const mw_bytes *payload);

/* What is the same in many objects: their type, and how they and their references are called. */
typedef struct mw_heap_form {
    uint32_t type; /* 0: frames that run */
    mw_heap_text text;
    mw_heap_edges edges;
    uint32_t first_name; /* in the encoder's list of names */
    uint32_t name_count;
} mw_heap_form;

/* The edges of the last node of a form. */
typedef struct mw_heap_former {
    uint32_t edges[MW_HEAP_FORMER_EDGES]; /* 0: no node had so many yet */
} mw_heap_former;

/* One object. */
typedef struct mw_heap_row {
    uint32_t form;
    uint32_t degree; /* references that follow                                       */
    uint64_t address;
    uint64_t size_bytes;
    int32_t references; /* that it counts, or MW_GRAPH_IMMORTAL                         */
    uint32_t line;      /* that allocated it; 0: not known                              */
    uint64_t count;     /* of MW_HEAP_TEXT_COUNT                                        */
    const char *text;   /* of the kinds that have one                                   */
    size_t text_length;
} mw_heap_row;

/* A type of objects; type 0 has a row, too. */
typedef struct mw_heap_type_row {
    uint32_t name;       /* a name of the heap's                      */
    uint32_t short_name; /* as keys of dicts are called that have no text */
    uint32_t node;       /* of the type itself; 0: none               */
} mw_heap_type_row;

typedef struct mw_heap_root_row {
    uint32_t node;
    mw_root_kind kind; /* MODULE, FRAME or INTERPRETER                */
    uint32_t name;     /* a name of the heap's; of frames 0           */
    uint32_t thread;   /* a row of the heap's threads, from 1; 0: none */
} mw_heap_root_row;

typedef struct mw_heap_thread_row {
    uint64_t ident; /* as threading has it     */
    uint32_t name;  /* a name of the heap's    */
} mw_heap_thread_row;

/* What is known of a heap in the end. */
typedef struct mw_heap_summary {
    uint64_t numbers[MW_HEAP_NUMBERS]; /* but for nodes and edges, which the encoder knows   */
    const mw_heap_type_row *types;
    uint32_t type_count;
    const mw_heap_thread_row *threads;
    uint32_t thread_count;
    const mw_heap_root_row *roots;
    uint32_t root_count;
    const uint32_t *known; /* nodes to which a reference is counted that is no edge          */
    uint32_t known_count;
} mw_heap_summary;

typedef struct mw_heap_encoder {
    mw_alloc *alloc; /* borrowed */
    mw_heap_emit *emit;
    void *context; /* borrowed */
    mw_status status;
    mw_string_pool names;
    mw_heap_form *forms;     /* owned; numbered from 1: [0] is none */
    mw_heap_former *formers; /* owned; by form */
    uint32_t form_count, form_capacity, former_capacity;
    uint32_t *form_names; /* owned; those of all forms */
    uint32_t form_name_count, form_name_capacity;
    mw_hash_index form_index;
    uint64_t node_count, edge_count; /* node 0 not counted                     */
    uint64_t pending_edges;          /* of the last node                       */
    uint32_t last_form, edge_place;  /* of the last node, and its next edge    */
    uint32_t edge_before[2];         /* the last edge, and the one before that */
    uint64_t address;                /* of the last node                       */
    /* What is yet to be handed on. */
    uint32_t written_names, written_forms, written_form_names;
    uint64_t rows, edges_here, counts_here, texts_here, lines_here;
    uint64_t line_count, last_file, last_function, last_line;
    mw_bytes columns[MW_HEAP_NODE_COLUMNS], lines[MW_HEAP_LINE_COLUMNS];
    mw_bytes counts, text_lengths, texts, edges, payload;
    size_t record_bytes; /* of a payload, about; tests have smaller ones */
    bool has_begun;
} mw_heap_encoder;

mw_status mw_heap_encoder_init(mw_heap_encoder *encoder, mw_heap_emit *emit, void *context,
                               mw_alloc *alloc) MW_MUST_CHECK;
void mw_heap_encoder_done(mw_heap_encoder *encoder); /* accepts a zeroed struct */

/* The number of a name, a form or a line, from 1 on; 0 if it failed.  Equal names and equal forms
 * are one; lines are what the caller says. */
uint32_t mw_heap_encoder_name(mw_heap_encoder *encoder, const char *bytes, size_t length);
uint32_t mw_heap_encoder_form(mw_heap_encoder *encoder, const mw_heap_form *form,
                              const uint32_t *names);
uint32_t mw_heap_encoder_line(mw_heap_encoder *encoder, uint32_t file, uint32_t function,
                              int32_t line);

void mw_heap_encoder_node(mw_heap_encoder *encoder, const mw_heap_row *row);
void mw_heap_encoder_edge(mw_heap_encoder *encoder, uint32_t target);

/* Hands on the rest, and that it is all. */
mw_status mw_heap_encoder_finish(mw_heap_encoder *encoder, const mw_heap_summary *summary)
    MW_MUST_CHECK;
size_t mw_heap_encoder_memory_bytes(const mw_heap_encoder *encoder);

/* What edge [place] of a node is written as the difference from: see docs/format.md. */
static inline uint32_t mw_heap_edge_base(const mw_heap_former *former, mw_heap_edges kind,
                                         uint32_t node, uint32_t place,
                                         const uint32_t edge_before[2])
{
    if (place < MW_HEAP_FORMER_EDGES)
        return former->edges[place] != 0 ? former->edges[place] : node;
    return edge_before[kind == MW_HEAP_EDGES_PAIRS];
}
