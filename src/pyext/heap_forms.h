/* SPDX-License-Identifier: MIT
 *
 * What a capture says of each object: its references in an order that can be named from, and its
 * form, which objects of one kind share.  Names are found by place where that is possible: by what
 * is referred to, two attributes that are both None would be one, and there would be a form for
 * each way in which values can be equal.
 *
 * The walk's rules hold: reads memory, takes none but of [alloc], and calls no code of Python's.
 */
#pragma once

#include "pyext/heap_edges.h"
#include "pyext/heap_walk.h"

#include "capture/heap_encoder.h"
#include "render/render.h"

typedef struct mw_heap_key_name {
    PyObject *key; /* borrowed */
    uint32_t name;
} mw_heap_key_name;

typedef struct mw_heap_forms {
    mw_alloc *alloc;          /* borrowed                                                     */
    mw_heap *heap;            /* borrowed                                                     */
    mw_heap_encoder *encoder; /* borrowed                                                     */
    bool hides_texts;
    mw_status status;     /* the first failure                                            */
    mw_edge_batch *batch; /* owned                                                        */
    PyObject **edges;     /* owned; of the object, but for what is in `contents`          */
    uint32_t edge_count, edge_capacity;
    uint32_t named_count;   /* of these, those that have names; the others come last */
    uint32_t *names;        /* owned; of a form that is being looked for                    */
    mw_heap_key_name *keys; /* owned; names of attributes that were met; [0] is none        */
    uint32_t key_count, key_capacity;
    mw_hash_index key_index;
    mw_buffer text;     /* of a name, or of the object                                  */
    uint32_t not_named; /* the name for what has none */
} mw_heap_forms;

/* What there is to write of an object; its other references are forms->edges. */
typedef struct mw_heap_described {
    uint32_t form;
    mw_heap_text text; /* the text itself is in forms->text                           */
    uint64_t count;
    mw_heap_edges kind;        /* of the contents                                              */
    PyObject *const *contents; /* items; NULL where there are none, or where they are pairs    */
    PyObject *dict;            /* of pairs, or NULL                                            */
    uint64_t content_slots;    /* of which those that are NULL or holes do not count           */
    uint64_t degree;
} mw_heap_described;

mw_status mw_heap_forms_init(mw_heap_forms *forms, mw_heap *heap, mw_heap_encoder *encoder,
                             bool hides_texts, mw_alloc *alloc) MW_MUST_CHECK;
void mw_heap_forms_done(mw_heap_forms *forms); /* accepts a zeroed struct */

/* What is said of [object], or of a frame that is running.  What fails stays in `status`. */
mw_heap_described mw_heap_forms_describe(mw_heap_forms *forms, PyObject *object);
mw_heap_described mw_heap_forms_describe_frame(mw_heap_forms *forms, const mw_py_frame *frame);

/* The number of the name that is in `text`. */
uint32_t mw_heap_forms_take_name(mw_heap_forms *forms);
