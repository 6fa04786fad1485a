/* SPDX-License-Identifier: MIT
 *
 * Marking: what the collector's lists hold is marked first, and then looked at, list by list.  Only
 * what no list holds has to wait for its turn, on a stack that is bounded: what does not fit is put
 * off in the marks themselves.
 */
#include "pyext/heap_dump.h"
#include "pyext/heap_layouts.h"

#include "pyext/heap_forms.h"
#include "pyext/heap_lines.h"
#include "pyext/heap_names.h"
#include "pyext/heap_sizes.h"

#include "graph/mark_map.h"
#include "tracer/tracer.h"

#include <string.h>
#include <time.h>

enum { STACK_MAXIMUM = 1 << 14 };

typedef struct dumper {
    mw_edge_batch batch; /* first: `mark_batch` gets it back */
    const mw_heap_dump_options *options;
    mw_alloc *alloc;
    mw_heap heap;
    mw_mark_map marks;
    mw_heap_encoder encoder;
    mw_heap_forms forms;
    mw_heap_lines lines;
    uint32_t told_lines;  /* of lines, that the encoder knows            */
    uint32_t seen_others; /* of the marks' others, that were looked at   */
    uint32_t waiting;
    uintptr_t stack[STACK_MAXIMUM]; /* `waiting` objects that are marked, not looked at */
    uint64_t start_ns;
} dumper;

static uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

static bool is_well(const dumper *self)
{
    return self->heap.status == MW_OK && self->forms.status == MW_OK &&
           self->encoder.status == MW_OK;
}

static void fail(dumper *self, mw_status status)
{
    if (self->heap.status == MW_OK)
        self->heap.status = status;
}

/* ── marking ─────────────────────────────────────────────────────────────────────── */

static void mark(dumper *self, uintptr_t address);

/* The type of an object, which is marked with the first of its objects; NULL when that fails. */
static const mw_heap_type *type_of(dumper *self, PyObject *object)
{
    uint32_t number = mw_heap_types_of(&self->heap.types, Py_TYPE(object));
    mw_heap_type *type = &self->heap.types.items[number];

    if (number == MW_HEAP_TYPE_FRAME) {
        fail(self, MW_NO_MEMORY);
        return NULL;
    }
    if (__builtin_expect(type->node == 0, 0)) {
        type->node = 1;
        mark(self, (uintptr_t)type->type);
        type = &self->heap.types.items[number]; /* the table may have moved */
    }
    return type;
}

/* Whether objects of a type refer to nothing. */
static bool is_leaf(const mw_heap_type *type)
{
    return type->is_exact && (type->shape == MW_SHAPE_STR || type->shape == MW_SHAPE_INT ||
                              type->shape == MW_SHAPE_BYTES);
}

/* Others are looked at in the order in which the marks have them, and what refers to nothing at
 * once. */
static void wait_in_line(dumper *self, uintptr_t address)
{
    const mw_heap_type *type;

    if (!mw_mark_map_is_regular(address))
        return;
    type = type_of(self, (PyObject *)address);
    if (type == NULL)
        return;
    if (is_leaf(type))
        self->heap.object_count++;
    else if (self->waiting < STACK_MAXIMUM)
        self->stack[self->waiting++] = address;
    else
        fail(self, mw_mark_map_defer(&self->marks, address));
}

static void mark(dumper *self, uintptr_t address)
{
    bool is_new = false;

    fail(self, mw_mark_map_add(&self->marks, address, &is_new));
    if (is_new)
        wait_in_line(self, address);
}

static void mark_batch(mw_edge_batch *batch)
{
    dumper *self = (dumper *)batch;
    uint32_t count = batch->count;

    batch->count = 0;
    for (uint32_t i = 0; i < count && is_well(self); i++)
        mark(self, (uintptr_t)batch->items[i]);
}

/* Marks what one object or frame refers to, once the batch is full. */
static void look_at(dumper *self, uintptr_t address)
{
    const mw_heap_type *type;

    if ((address & MW_HEAP_FRAME) != 0) {
        mw_heap_edges_of_frame(&self->batch, (const mw_py_frame *)(address & ~(uintptr_t)1));
        return;
    }
    type = type_of(self, (PyObject *)address);
    if (type == NULL)
        return;
    self->heap.object_count++;
    mw_heap_edges_of(&self->batch, (PyObject *)address, type);
}

/* The next that is marked and was not looked at; 0 if there is none. */
static uintptr_t next_waiting(dumper *self)
{
    if (self->waiting != 0)
        return self->stack[--self->waiting];
    if (self->seen_others < self->marks.other_count)
        return self->marks.others[self->seen_others++];
    return mw_mark_map_take_deferred(&self->marks);
}

/* Until nothing waits any more. */
static void drain(dumper *self)
{
    uintptr_t address;

    while (is_well(self)) {
        address = next_waiting(self);
        if (address == 0 && self->batch.count == 0)
            return;
        if (address == 0)
            mark_batch(&self->batch);
        else
            look_at(self, address);
    }
}

/* Calls [visit] for each object that the collector knows. */
static void for_each_tracked(dumper *self, void (*visit)(dumper *self, uintptr_t address))
{
    for (int number = MW_LAYOUT_GENERATIONS; number-- > 0;) {
        PyGC_Head *list = mw_layout_generation(self->heap.interpreter, number);

        for (PyGC_Head *head = mw_layout_gc_next(list);
             head != NULL && head != list && is_well(self); head = mw_layout_gc_next(head)) {
            __builtin_prefetch(mw_layout_gc_next(head));
            visit(self, (uintptr_t)mw_layout_gc_object(head));
        }
    }
}

static void mark_tracked(dumper *self, uintptr_t address)
{
    bool is_new;

    fail(self, mw_mark_map_add(&self->marks, address, &is_new));
    self->heap.tracked_count++;
}

static void look_at_tracked(dumper *self, uintptr_t address)
{
    if (!mw_mark_map_is_regular(address))
        return; /* it is one of the others */
    look_at(self, address);
    if (self->waiting > STACK_MAXIMUM / 2)
        drain(self);
}

/* Numbers that roots are given: none while all is being marked. */
static uint32_t give_mark(void *context, uintptr_t address)
{
    mark(context, address);
    return 0;
}

static uint32_t find_number(void *context, uintptr_t address)
{
    return mw_mark_map_find(&((dumper *)context)->marks, address);
}

static void find_roots(dumper *self, uint32_t (*number)(void *context, uintptr_t address))
{
    mw_heap *heap = &self->heap;

    heap->number = number;
    heap->number_context = self;
    heap->graph.root_count = heap->known_count = heap->frame_count = 0;
    heap->label_count = 1;
    mw_heap_add_frames(heap);
    mw_heap_add_interpreter_roots(heap);
    mw_heap_add_module_roots(heap);
}

static mw_status mark_all(dumper *self)
{
    for_each_tracked(self, mark_tracked);
    find_roots(self, give_mark);
    for_each_tracked(self, look_at_tracked);
    drain(self);
    if (self->heap.status != MW_OK)
        return self->heap.status;
    return mw_mark_map_number(&self->marks);
}

/* ── writing ─────────────────────────────────────────────────────────────────────── */

static uint32_t tracer_name(dumper *self, mw_string string)
{
    const mw_string_pool *pool = &mw_the_tracer.codes.strings;

    return mw_heap_encoder_name(&self->encoder, mw_string_pool_bytes(pool, string.index),
                                mw_string_pool_length(pool, string.index));
}

/* Lines have the same numbers here and there. */
static uint32_t line_of(dumper *self, PyObject *object, const mw_heap_type *type)
{
    uint32_t number;

    if (!self->heap.asks_tracer)
        return 0;
    fail(self, mw_heap_lines_find(&self->lines, object, type, &number));
    for (; is_well(self) && self->told_lines < self->lines.count; self->told_lines++) {
        const mw_heap_line *line = &self->lines.items[self->told_lines];

        mw_heap_encoder_line(&self->encoder, tracer_name(self, line->file),
                             tracer_name(self, line->function), line->line);
    }
    return is_well(self) ? number : 0;
}

/* What a type visits now and did not before is nothing that could be told: the object itself takes
 * its place. */
static void write_edge(dumper *self, const void *target)
{
    uint32_t number;

    if (target == NULL)
        return;
    number = mw_mark_map_find(&self->marks, (uintptr_t)target);
    mw_heap_encoder_edge(&self->encoder, number != 0 ? number : (uint32_t)self->encoder.node_count);
}

static void write_pairs(dumper *self, const mw_heap_described *described)
{
    PyDictKeysObject *keys = ((PyDictObject *)described->dict)->ma_keys;
    PyObject *key, *value;

    for (uint64_t i = 0; i < described->content_slots && is_well(self); i++) {
        key = mw_layout_dict_entry(keys, (Py_ssize_t)i, &value);
        if (value == NULL)
            continue;
        write_edge(self, key);
        write_edge(self, value);
    }
}

static void write_edges(dumper *self, const mw_heap_described *described)
{
    if (described->dict != NULL)
        write_pairs(self, described);
    else
        for (uint64_t i = 0; i < described->content_slots && is_well(self); i++)
            write_edge(self, described->contents[i]);
    for (uint32_t i = 0; i < self->forms.edge_count && is_well(self); i++)
        write_edge(self, self->forms.edges[i]);
}

static void write_row(dumper *self, const mw_heap_described *described, mw_heap_row row)
{
    if (described->degree > MW_GRAPH_EDGE_MAXIMUM)
        fail(self, MW_LIMIT);
    if (!is_well(self))
        return;
    row.form = described->form;
    row.degree = (uint32_t)described->degree;
    row.count = described->count;
    row.text = self->forms.text.bytes;
    row.text_length = self->forms.text.length;
    mw_heap_encoder_node(&self->encoder, &row);
    write_edges(self, described);
}

static void write_frame(dumper *self, uintptr_t address)
{
    mw_heap_described described = mw_heap_forms_describe_frame(
        &self->forms, (const mw_py_frame *)(address & ~(uintptr_t)MW_HEAP_FRAME));

    write_row(self, &described, (mw_heap_row){.address = address, .references = MW_GRAPH_IMMORTAL});
}

static void write_object(dumper *self, uintptr_t address)
{
    PyObject *object = (PyObject *)address;
    const mw_heap_type *type =
        &self->heap.types.items[mw_heap_types_of(&self->heap.types, Py_TYPE(object))];
    mw_heap_described described = mw_heap_forms_describe(&self->forms, object);
    mw_heap_row row = {
        .address = address,
        .size_bytes = mw_heap_size(object, type, self->heap.asks_tracer),
        .references = mw_heap_references(object, type),
        .line = line_of(self, object, type),
    };

    write_row(self, &described, row);
}

static void write_all(dumper *self)
{
    mw_mark_cursor cursor = mw_mark_cursor_of(&self->marks);
    uintptr_t address;

    while (is_well(self) && (address = mw_mark_cursor_next(&cursor)) != 0) {
        if ((address & MW_HEAP_FRAME) != 0)
            write_frame(self, address);
        else
            write_object(self, address);
    }
}

/* ── the end ─────────────────────────────────────────────────────────────────────── */

/* Tables of the end, which are small. */
typedef struct ending {
    mw_heap_type_row *types;
    mw_heap_root_row *roots;
    mw_heap_thread_row *threads;
    const PyThreadState **states; /* by thread */
    uint32_t thread_count, thread_capacity, state_capacity;
} ending;

static mw_sink *begin_text(dumper *self)
{
    self->forms.text.length = 0;
    return &self->forms.text.sink;
}

static mw_heap_type_row type_row(dumper *self, uint32_t number)
{
    PyTypeObject *type = self->heap.types.items[number].type;
    mw_heap_type_row row = {0};

    mw_heap_write_type(&self->heap, number, begin_text(self));
    row.name = mw_heap_forms_take_name(&self->forms);
    if (type == NULL)
        return row;
    mw_sink_format(begin_text(self), "%.60s", type->tp_name);
    row.short_name = mw_heap_forms_take_name(&self->forms);
    row.node = mw_mark_map_find(&self->marks, (uintptr_t)type);
    return row;
}

/* The row of a thread, from 1, made when it is first met; 0 for none. */
static uint32_t thread_row(dumper *self, ending *end, const PyThreadState *state)
{
    uint32_t name;

    if (state == NULL)
        return 0;
    for (uint32_t i = 0; i < end->thread_count; i++)
        if (end->states[i] == state)
            return i + 1;
    fail(self, mw_alloc_grow(self->alloc, &end->threads, end->thread_count, &end->thread_capacity,
                             sizeof *end->threads, UINT32_MAX));
    fail(self, mw_alloc_grow(self->alloc, &end->states, end->thread_count, &end->state_capacity,
                             sizeof *end->states, UINT32_MAX));
    if (!is_well(self))
        return 0;
    mw_heap_write_thread(&self->heap, state->thread_id, begin_text(self));
    name = mw_heap_forms_take_name(&self->forms);
    end->states[end->thread_count] = state;
    end->threads[end->thread_count++] = (mw_heap_thread_row){state->thread_id, name};
    return end->thread_count;
}

static mw_heap_root_row root_row(dumper *self, ending *end, const mw_graph_root *root)
{
    const mw_heap *heap = &self->heap;
    mw_heap_root_row row = {.node = root->node, .kind = root->kind};
    mw_sink *sink = begin_text(self);

    if (root->kind == MW_ROOT_FRAME) {
        row.thread = thread_row(self, end, heap->frames[root->label].thread);
        return row;
    }
    if (root->kind == MW_ROOT_INTERPRETER)
        mw_sink_text(sink, heap->labels[root->label].what);
    else if (root->label != 0)
        mw_heap_write_str((PyObject *)mw_mark_map_address(&self->marks, root->label), sink);
    row.name = mw_heap_forms_take_name(&self->forms);
    if (root->kind == MW_ROOT_INTERPRETER)
        row.thread = thread_row(self, end, heap->labels[root->label].thread);
    return row;
}

static void fill_ending(dumper *self, ending *end)
{
    mw_heap *heap = &self->heap;

    end->types = mw_alloc_array(self->alloc, heap->types.count, sizeof *end->types);
    end->roots = mw_alloc_array(self->alloc, heap->graph.root_count, sizeof *end->roots);
    if (end->types == NULL || end->roots == NULL) {
        fail(self, MW_NO_MEMORY);
        return;
    }
    for (uint32_t i = 0; i < heap->types.count; i++)
        end->types[i] = type_row(self, i);
    for (uint32_t i = 0; i < heap->graph.root_count && is_well(self); i++)
        end->roots[i] = root_row(self, end, &heap->graph.roots[i]);
}

static void ending_done(dumper *self, ending *end)
{
    mw_heap *heap = &self->heap;

    mw_alloc_release(self->alloc, end->types, heap->types.count * sizeof *end->types);
    mw_alloc_release(self->alloc, end->roots, heap->graph.root_count * sizeof *end->roots);
    mw_alloc_release(self->alloc, end->threads, end->thread_capacity * sizeof *end->threads);
    mw_alloc_release(self->alloc, end->states, end->state_capacity * sizeof *end->states);
}

static void finish(dumper *self)
{
    mw_heap *heap = &self->heap;
    ending end = {0};
    mw_heap_summary summary = {
        .numbers = {[MW_HEAP_TIME] = self->options->time_ns,
                    [MW_HEAP_TRACKED] = heap->tracked_count,
                    [MW_HEAP_PAUSE] = self->options->pause_ns,
                    [MW_HEAP_WALK] = now_ns() - self->start_ns,
                    [MW_HEAP_FLAGS] = (heap->asks_tracer ? MW_HEAP_KNOWS_LINES : 0) |
                                      (self->options->hides_texts ? MW_HEAP_HIDES_TEXTS : 0) |
                                      (mw_layout_hides_stacks() ? MW_HEAP_HIDES_STACKS : 0)},
        .type_count = heap->types.count,
        .root_count = heap->graph.root_count,
        .known = heap->known,
        .known_count = heap->known_count};

    fill_ending(self, &end);
    summary.types = end.types;
    summary.roots = end.roots;
    summary.threads = end.threads;
    summary.thread_count = end.thread_count;
    if (is_well(self))
        fail(self, mw_heap_encoder_finish(&self->encoder, &summary));
    ending_done(self, &end);
}

/* ── the walk ────────────────────────────────────────────────────────────────────── */

static mw_status begin(dumper *self, mw_heap_emit *emit, void *context)
{
    mw_alloc *alloc = self->alloc;
    mw_status status = mw_heap_begin(&self->heap, alloc);

    if (status == MW_OK)
        status = mw_mark_map_init(&self->marks, alloc);
    if (status == MW_OK)
        status = mw_heap_encoder_init(&self->encoder, emit, context, alloc);
    if (status == MW_OK)
        status = mw_heap_forms_init(&self->forms, &self->heap, &self->encoder,
                                    self->options->hides_texts, alloc);
    if (status == MW_OK && self->heap.asks_tracer)
        status = mw_heap_lines_begin(&self->lines, alloc);
    self->told_lines = self->seen_others = 1;
    self->batch.full = mark_batch;
    self->batch.interpreter = self->heap.interpreter;
    self->batch.interned = mw_layout_interned(self->heap.interpreter);
    return status;
}

static mw_status walk(dumper *self)
{
    mw_status status = mark_all(self);

    if (status != MW_OK)
        return status;
    find_roots(self, find_number);
    write_all(self);
    if (is_well(self))
        finish(self);
    if (self->heap.status != MW_OK)
        return self->heap.status;
    return self->forms.status != MW_OK ? self->forms.status : self->encoder.status;
}

static size_t memory_of(const dumper *self)
{
    return sizeof *self + mw_heap_memory_bytes(&self->heap) +
           mw_mark_map_memory_bytes(&self->marks) + mw_heap_encoder_memory_bytes(&self->encoder) +
           self->forms.edge_capacity * sizeof *self->forms.edges +
           self->lines.site_count * sizeof *self->lines.of_site;
}

mw_status mw_heap_dump(const mw_heap_dump_options *options, mw_heap_emit *emit, void *context,
                       mw_alloc *alloc, size_t *ret_memory)
{
    dumper *self = mw_alloc_new(alloc, sizeof *self);
    mw_status status;

    if (self == NULL)
        return MW_NO_MEMORY;
    self->options = options;
    self->alloc = alloc;
    self->start_ns = now_ns();
    status = begin(self, emit, context);
    if (status == MW_OK)
        status = walk(self);
    if (ret_memory != NULL)
        *ret_memory = memory_of(self);
    mw_heap_lines_done(&self->lines);
    mw_heap_forms_done(&self->forms);
    mw_heap_encoder_done(&self->encoder);
    mw_mark_map_done(&self->marks);
    mw_heap_done(&self->heap);
    mw_alloc_release(alloc, self, sizeof *self);
    return status;
}
