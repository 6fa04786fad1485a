/* SPDX-License-Identifier: MIT
 *
 * A heap that was read from a capture: every object as a node of an object graph, with its roots,
 * and what objects and references are called.  Records are taken one after the other and checked
 * as they come; once the last is in, nothing is out of range.  Rows take memory only if the file
 * has bytes for them: some 60 bytes for a node, and 4 for an edge.
 */
#pragma once

#include "capture/bytes.h"
#include "capture/heap_encoder.h"
#include "graph/object_graph.h"

typedef struct mw_heap_line_row {
    uint32_t file; /* names */
    uint32_t function;
    int32_t line;
} mw_heap_line_row;

/* What objects have but edges. */
typedef struct mw_heap_detail {
    uint64_t address;
    uint32_t form;
    int32_t references; /* that it counts, or MW_GRAPH_IMMORTAL; the graph has the rest */
    uint32_t text;      /* of kinds that have one, by number; else how much is in it    */
} mw_heap_detail;

/* Texts one behind the other; [starts] has one more than there are. */
typedef struct mw_heap_texts {
    mw_bytes bytes;
    uint32_t *starts; /* owned */
    uint32_t count, capacity;
} mw_heap_texts;

typedef struct mw_heap_image {
    mw_alloc *alloc; /* borrowed */
    mw_object_graph graph;
    mw_explained explained;
    mw_heap_detail *details; /* owned; by node                                   */
    uint32_t detail_count, detail_capacity;
    uint32_t *line_of; /* owned; by node: the line that allocated it; 0: not known */
    uint32_t line_of_capacity;
    mw_heap_texts names; /* [0] is empty                                     */
    mw_heap_texts texts; /* of nodes; [0] is empty                           */
    mw_heap_form *forms; /* owned; [0] is none                               */
    uint32_t form_count, form_capacity;
    uint32_t *form_names; /* owned; names                                     */
    uint32_t form_name_count, form_name_capacity;
    mw_heap_line_row *lines; /* owned; [0] is none                               */
    uint32_t line_count, line_capacity;
    mw_heap_type_row *types; /* owned; [0] is that of frames that run            */
    uint32_t type_count, type_capacity;
    mw_heap_thread_row *threads; /* owned; [0] is none                          */
    uint32_t thread_count, thread_capacity;
    mw_heap_root_row *roots; /* owned; [0] is none; by label of the graph's roots of kinds
                                MODULE, FRAME and INTERPRETER                    */
    uint32_t root_count, root_capacity;
    uint32_t *known; /* owned; see mw_heap_summary */
    uint32_t known_count, known_capacity;
    uint64_t numbers[MW_HEAP_NUMBERS];
    bool is_complete;
    /* While it is read. */
    mw_heap_former *formers; /* owned; by form */
    uint32_t former_capacity;
    uint64_t declared_edges; /* of all nodes that have come                       */
    uint32_t edge_node;      /* whose edges come next                             */
    uint32_t edge_place;     /* of the next of its edges                          */
    uint32_t edge_left;      /* of its edges                                      */
    uint32_t edge_before[2];
    uint64_t address;
    uint64_t last_line[MW_HEAP_LINE_COLUMNS];
    const char *complaint; /* why what came is damaged */
} mw_heap_image;

mw_status mw_heap_image_init(mw_heap_image *image, mw_alloc *alloc) MW_MUST_CHECK;
void mw_heap_image_done(mw_heap_image *image); /* accepts a zeroed struct */

/* Takes the payload of a HEAP_NODES record.  MW_BAD_INPUT says that it is damaged, and `complaint`
 * why; the image is then good for nothing but to be released, as after any failure. */
mw_status mw_heap_image_take_nodes(mw_heap_image *image, mw_cursor payload) MW_MUST_CHECK;
/* Takes that of the HEAP record, which is the last.  Then what references explain is computed, and
 * what they do not is added to the roots: held from C, or static, or never freed. */
mw_status mw_heap_image_take_heap(mw_heap_image *image, mw_cursor payload) MW_MUST_CHECK;
size_t mw_heap_image_memory_bytes(const mw_heap_image *image);
bool mw_heap_image_is_consistent(const mw_heap_image *image);

/* A name; its bytes are not ended by a NUL, and may hold any. */
static inline const char *mw_heap_texts_at(const mw_heap_texts *texts, uint32_t number,
                                           size_t *ret_length)
{
    *ret_length = texts->starts[number + 1] - texts->starts[number];
    return (const char *)texts->bytes.bytes + texts->starts[number];
}

static inline const mw_heap_form *mw_heap_image_form(const mw_heap_image *image, uint32_t node)
{
    return &image->forms[image->details[node].form];
}

static inline bool mw_heap_text_has_bytes(mw_heap_text kind)
{
    return kind != MW_HEAP_TEXT_NONE && kind != MW_HEAP_TEXT_COUNT;
}
