/* SPDX-License-Identifier: MIT */
#include "pyext/live_heap.h"
#include "pyext/heap_layouts.h"

#include "pyext/heap_names.h"

#include "tracer/tracer.h"

#include <time.h>

static const mw_live_heap *live_of(const mw_heap_view *view)
{
    return (const mw_live_heap *)view;
}

/* ── names ───────────────────────────────────────────────────────────────────────── */

static void write_type(const mw_heap_view *self, uint32_t type, mw_sink *sink)
{
    mw_heap_write_type(&live_of(self)->heap, type, sink);
}

static void write_object(const mw_heap_view *self, uint32_t node, mw_sink *sink)
{
    mw_heap_write_object(&live_of(self)->heap, node, sink);
}

static void write_edge(const mw_heap_view *self, uint32_t from, uint32_t to, mw_sink *sink)
{
    mw_heap_write_edge(&live_of(self)->heap, from, to, sink);
}

static void write_root(const mw_heap_view *self, const mw_graph_root *root, mw_sink *sink)
{
    const mw_heap *heap = &live_of(self)->heap;

    if (root->kind == MW_ROOT_MODULE)
        mw_heap_write_str(mw_heap_module_name(heap, root->label), sink);
    else if (root->kind == MW_ROOT_INTERPRETER)
        mw_sink_text(sink, heap->labels[root->label].what);
}

static uint64_t thread_of(const mw_heap_view *self, const mw_graph_root *root)
{
    const mw_heap *heap = &live_of(self)->heap;
    const PyThreadState *thread = NULL;

    if (root->kind == MW_ROOT_FRAME)
        thread = heap->frames[root->label].thread;
    else if (root->kind == MW_ROOT_INTERPRETER)
        thread = heap->labels[root->label].thread;
    return thread != NULL ? thread->thread_id : 0;
}

static void write_thread(const mw_heap_view *self, uint64_t thread, mw_sink *sink)
{
    mw_heap_write_thread(&live_of(self)->heap, thread, sink);
}

/* ── objects ─────────────────────────────────────────────────────────────────────── */

static uint64_t address_of(const mw_heap_view *self, uint32_t node)
{
    return (uintptr_t)mw_heap_object(&live_of(self)->heap, node);
}

static uint32_t find(const mw_heap_view *self, uint64_t address)
{
    return mw_pointer_map_find(&live_of(self)->heap.map, (uintptr_t)address);
}

static uint32_t type_node(const mw_heap_view *self, uint32_t type)
{
    return live_of(self)->heap.types.items[type].node;
}

static uint32_t module_dict(const mw_heap_view *self, uint32_t node)
{
    const mw_heap *heap = &live_of(self)->heap;
    PyObject *object = mw_heap_object(heap, node);

    if (object == NULL || mw_heap_type_of(heap, node)->shape != MW_SHAPE_MODULE)
        return 0;
    return mw_heap_find(heap, ((PyModuleObject *)object)->md_dict);
}

static uint64_t references_of(const mw_heap_view *self, uint32_t node)
{
    PyObject *object = mw_heap_object(&live_of(self)->heap, node);

    return object == NULL || mw_layout_is_immortal(object) ? 0 : (uint64_t)Py_REFCNT(object);
}

/* ── lines ───────────────────────────────────────────────────────────────────────── */

static mw_status find_lines(mw_heap_view *self, mw_heap_line_numbers *ret_numbers)
{
    mw_live_heap *live = (mw_live_heap *)self;
    mw_status status = MW_OK;

    if (live->lines.of_node == NULL)
        status = mw_heap_lines_init(&live->lines, &live->heap, live->alloc);
    if (status == MW_OK)
        *ret_numbers = (mw_heap_line_numbers){live->lines.of_node, live->lines.count};
    return status;
}

static mw_heap_place place_of(const mw_heap_view *self, uint32_t line)
{
    const mw_string_pool *pool = &mw_the_tracer.codes.strings;
    const mw_heap_line *item = &live_of(self)->lines.items[line];

    return (mw_heap_place){
        .file = mw_string_pool_bytes(pool, item->file.index),
        .file_length = mw_string_pool_length(pool, item->file.index),
        .function = mw_string_pool_bytes(pool, item->function.index),
        .function_length = mw_string_pool_length(pool, item->function.index),
        .line = item->line > 0 ? (uint32_t)item->line : 0,
    };
}

static const mw_heap_words live_words = {
    .write_type = write_type,
    .write_object = write_object,
    .write_edge = write_edge,
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

static uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

mw_status mw_live_heap_init(mw_live_heap *ret_live, PyObject *subject, mw_alloc *alloc)
{
    uint64_t begin_ns = now_ns();
    mw_heap *heap = &ret_live->heap;
    mw_status status;

    *ret_live = (mw_live_heap){.alloc = alloc};
    status = mw_heap_init(heap, subject, alloc);
    if (status != MW_OK)
        return status;
    ret_live->view = (mw_heap_view){
        .words = &live_words,
        .graph = &heap->graph,
        .type_count = heap->types.count,
        .facts = {.explained = heap->explained,
                  .object_count = heap->object_count,
                  .tracked_count = heap->tracked_count,
                  .frame_count = heap->frame_count,
                  .walk_ns = now_ns() - begin_ns,
                  .memory_bytes = mw_heap_memory_bytes(heap),
                  .knows_lines = heap->asks_tracer,
                  .hides_stacks = mw_layout_hides_stacks(),
                  .has_asker = true},
    };
    return MW_OK;
}

void mw_live_heap_done(mw_live_heap *live)
{
    mw_heap_lines_done(&live->lines);
    mw_heap_done(&live->heap);
}
