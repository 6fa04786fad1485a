/* SPDX-License-Identifier: MIT
 *
 * Columns again, as in page_data.c: rows that are read one after the other come from one part
 * of the heap, and differ little.
 */
#include "render/page_heap.h"

#include "render/page_column.h"

#include <assert.h>

mw_status mw_page_heap_init(mw_page_heap *ret_heap, mw_alloc *alloc)
{
    mw_page_heap *heap = ret_heap;
    uint32_t number;
    mw_status status;

    *heap = (mw_page_heap){.alloc = alloc};
    mw_buffer_init(&heap->facts, alloc);
    status = mw_string_pool_init(&heap->strings, alloc);
    if (status == MW_OK)
        status = mw_page_heap_add_object(heap, &(mw_page_object){0}, &number);
    if (status == MW_OK)
        status = mw_page_heap_add_line(heap, &(mw_page_heap_line){0}, &number);
    if (status != MW_OK)
        mw_page_heap_done(heap);
    return status;
}

void mw_page_heap_done(mw_page_heap *heap)
{
    mw_alloc *alloc = heap->alloc;

    if (alloc == NULL)
        return;
    for (int i = 0; i < MW_PAGE_HEAP_TABLE_COUNT; i++)
        mw_alloc_release(alloc, heap->tables[i].rows,
                         heap->tables[i].capacity * sizeof *heap->tables[i].rows);
    mw_alloc_release(alloc, heap->lines, heap->line_capacity * sizeof *heap->lines);
    mw_alloc_release(alloc, heap->objects, heap->object_capacity * sizeof *heap->objects);
    mw_buffer_done(&heap->facts);
    mw_string_pool_done(&heap->strings);
    *heap = (mw_page_heap){0};
}

/* ── filling ─────────────────────────────────────────────────────────────────────── */

mw_status mw_page_heap_string(mw_page_heap *heap, const char *bytes, size_t length,
                              uint32_t *ret_string)
{
    return mw_string_pool_intern(&heap->strings, bytes, length, ret_string);
}

mw_status mw_page_heap_add_object(mw_page_heap *heap, const mw_page_object *object,
                                  uint32_t *ret_row)
{
    mw_status status = mw_alloc_grow(heap->alloc, &heap->objects, heap->object_count,
                                     &heap->object_capacity, sizeof *object, UINT32_MAX);

    if (status != MW_OK)
        return status;
    assert(heap->object_count == 0 || object->parent < heap->object_count);
    *ret_row = heap->object_count++;
    heap->objects[*ret_row] = *object;
    return MW_OK;
}

mw_status mw_page_heap_add_line(mw_page_heap *heap, const mw_page_heap_line *line,
                                uint32_t *ret_line)
{
    mw_status status = mw_alloc_grow(heap->alloc, &heap->lines, heap->line_count,
                                     &heap->line_capacity, sizeof *line, UINT32_MAX);

    if (status != MW_OK)
        return status;
    *ret_line = heap->line_count++;
    heap->lines[*ret_line] = *line;
    return MW_OK;
}

mw_status mw_page_heap_add_row(mw_page_heap *heap, mw_page_heap_table table,
                               const mw_page_heap_row *row)
{
    mw_status status =
        mw_alloc_grow(heap->alloc, &heap->tables[table].rows, heap->tables[table].count,
                      &heap->tables[table].capacity, sizeof *row, UINT32_MAX);

    if (status == MW_OK)
        heap->tables[table].rows[heap->tables[table].count++] = *row;
    return status;
}

/* ── writing ─────────────────────────────────────────────────────────────────────── */

static void write_strings(const mw_string_pool *strings, mw_sink *sink)
{
    mw_page_column out = {.sink = sink};

    mw_page_column_number(&out, strings->count);
    for (uint32_t i = 0; i < strings->count; i++)
        mw_page_column_number(&out, mw_string_pool_length(strings, i));
    mw_page_column_flush(&out);
    for (uint32_t i = 0; i < strings->count; i++)
        mw_sink_bytes(sink, mw_string_pool_bytes(strings, i), mw_string_pool_length(strings, i));
}

#define WRITE_CHANGES(out, items, first, count, field)                                             \
    for (uint32_t i = (first); i < (count); i++)                                                   \
    mw_page_column_change((out), (items)[i].field, i == (first) ? 0 : (items)[i - 1].field)
#define WRITE_NUMBERS(out, items, first, count, field)                                             \
    for (uint32_t i = (first); i < (count); i++)                                                   \
    mw_page_column_number((out), (uint64_t)(items)[i].field)

static void write_objects(const mw_page_heap *heap, const uint32_t *frames, mw_sink *sink)
{
    const mw_page_object *objects = heap->objects;
    uint32_t count = heap->object_count;
    mw_page_column out = {.sink = sink};

    mw_page_column_number(&out, count);
    WRITE_CHANGES(&out, objects, 1, count, parent);
    WRITE_NUMBERS(&out, objects, 1, count, kind);
    WRITE_NUMBERS(&out, objects, 1, count, is_joint);
    WRITE_NUMBERS(&out, objects, 1, count, root);
    WRITE_CHANGES(&out, objects, 1, count, type);
    WRITE_CHANGES(&out, objects, 1, count, text);
    WRITE_CHANGES(&out, objects, 1, count, edge);
    WRITE_CHANGES(&out, objects, 1, count, way);
    for (uint32_t i = 1; i < count; i++)
        mw_page_column_change(&out, frames[objects[i].line],
                              i == 1 ? 0 : frames[objects[i - 1].line]);
    WRITE_CHANGES(&out, objects, 1, count, id);
    WRITE_NUMBERS(&out, objects, 1, count, count);
    WRITE_NUMBERS(&out, objects, 1, count, size);
    WRITE_CHANGES(&out, objects, 1, count, objects);
    WRITE_CHANGES(&out, objects, 1, count, retained);
    mw_page_column_flush(&out);
}

static void write_table(const mw_page_heap *heap, mw_page_heap_table table, const uint32_t *frames,
                        mw_sink *sink)
{
    const mw_page_heap_row *rows = heap->tables[table].rows;
    uint32_t count = heap->tables[table].count;
    mw_page_column out = {.sink = sink};

    mw_page_column_number(&out, (uint64_t)count + 1); /* the dummy, which is not there */
    WRITE_CHANGES(&out, rows, 0, count, name);
    for (uint32_t i = 0; i < count; i++)
        mw_page_column_change(&out, frames[rows[i].line], i == 0 ? 0 : frames[rows[i - 1].line]);
    WRITE_NUMBERS(&out, rows, 0, count, count);
    WRITE_NUMBERS(&out, rows, 0, count, references);
    WRITE_NUMBERS(&out, rows, 0, count, size);
    WRITE_NUMBERS(&out, rows, 0, count, retained);
    mw_page_column_flush(&out);
}

void mw_page_heap_write(const mw_page_heap *heap, const uint32_t *frames, mw_sink *sink)
{
    mw_page_column out = {.sink = sink};

    mw_page_column_number(&out, heap->facts.length);
    mw_page_column_flush(&out);
    mw_sink_bytes(sink, heap->facts.bytes, heap->facts.length);
    write_strings(&heap->strings, sink);
    write_objects(heap, frames, sink);
    for (int i = 0; i < MW_PAGE_HEAP_TABLE_COUNT; i++)
        write_table(heap, (mw_page_heap_table)i, frames, sink);
}
