/* SPDX-License-Identifier: MIT */
#include "heap/heap_diff.h"

#include "heap/heap_json.h"

#include <stdlib.h>

enum { NAME_COLUMNS_MINIMUM = 20, NUMBER_COLUMNS = 46 };

/* ── rows ────────────────────────────────────────────────────────────────────────── */

/* The row of a name, made if it is new: names are numbered from 1 in the order in which they
 * come, and rows are in that order until they are sorted. */
static mw_status find_row(mw_heap_diff *diff, const mw_buffer *name, mw_heap_change **ret_row)
{
    uint32_t number;
    mw_status status = name->sink.status;

    if (status == MW_OK)
        status = mw_string_pool_intern(&diff->names, name->length != 0 ? name->bytes : "",
                                       name->length, &number);
    if (status != MW_OK)
        return status;
    while (status == MW_OK && diff->count <= number) {
        status = mw_alloc_grow(diff->alloc, &diff->rows, diff->count, &diff->capacity,
                               sizeof *diff->rows, UINT32_MAX);
        if (status == MW_OK) {
            diff->rows[diff->count] = (mw_heap_change){.name = diff->count};
            diff->count++;
        }
    }
    *ret_row = status == MW_OK ? &diff->rows[number] : NULL;
    return status;
}

static void add(mw_retained_sum *sum, const mw_retained_sum *more)
{
    sum->objects += more->objects;
    sum->bytes += more->bytes;
    sum->retained_bytes += more->retained_bytes;
}

/* What a row is called, in the line of [writer]. */
static void write_name(mw_heap_writer *writer, const mw_heap_table *table,
                       const mw_heap_table_row *row)
{
    const mw_heap_view *view = writer->study->view;
    mw_heap_place place = {0};

    writer->line.length = 0;
    if (table->by != MW_HEAP_BY_LINE) {
        mw_heap_table_write_name(table, writer->study, row, mw_heap_writer_line(writer));
        return;
    }
    if (row->group != 0)
        place = view->words->place(view, row->group);
    mw_heap_writer_place(writer, &place, UINT32_MAX);
}

static mw_status add_heap(mw_heap_diff *diff, const mw_heap_side *side, bool is_newer)
{
    mw_heap_look look = {.places = side->places, .width = MW_HEAP_WIDTH_ANY};
    mw_sink nowhere = {0};
    mw_heap_table table;
    mw_heap_writer writer;
    mw_status status = mw_heap_table_init(&table, side->study, diff->by), written;

    mw_heap_writer_init(&writer, side->study, &look, &nowhere);
    for (uint32_t i = 0; status == MW_OK && i < table.count; i++) {
        mw_heap_change *row;

        write_name(&writer, &table, &table.rows[i]);
        status = find_row(diff, &writer.line, &row);
        if (status == MW_OK)
            add(is_newer ? &row->now : &row->before, &table.rows[i].sum);
    }
    written = mw_heap_writer_done(&writer);
    mw_heap_table_done(&table);
    return status != MW_OK ? status : written;
}

/* |now - before| */
static uint64_t magnitude(uint64_t before, uint64_t now)
{
    return now > before ? now - before : before - now;
}

static int compare(const void *left, const void *right)
{
    const mw_heap_change *a = left, *b = right;
    uint64_t bytes_a = magnitude(a->before.bytes, a->now.bytes);
    uint64_t bytes_b = magnitude(b->before.bytes, b->now.bytes);
    uint64_t objects_a = magnitude(a->before.objects, a->now.objects);
    uint64_t objects_b = magnitude(b->before.objects, b->now.objects);

    if (bytes_a != bytes_b)
        return bytes_a > bytes_b ? -1 : 1;
    if (objects_a != objects_b)
        return objects_a > objects_b ? -1 : 1;
    return a->name < b->name ? -1 : 1;
}

/* Leaves out what did not change, and sorts the rest.  (Only the command compares heaps, so
 * that libc may sort.) */
static void settle(mw_heap_diff *diff)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < diff->count; i++) {
        const mw_heap_change *row = &diff->rows[i];

        if (row->now.objects != row->before.objects || row->now.bytes != row->before.bytes)
            diff->rows[count++] = *row;
    }
    diff->count = count;
    if (count != 0)
        qsort(diff->rows, count, sizeof *diff->rows, compare);
}

mw_status mw_heap_diff_init(mw_heap_diff *ret_diff, const mw_heap_side *older,
                            const mw_heap_side *newer, mw_heap_by by)
{
    mw_status status;

    *ret_diff = (mw_heap_diff){.alloc = newer->study->alloc, .by = by};
    status = mw_string_pool_init(&ret_diff->names, newer->study->alloc);
    if (status == MW_OK)
        status = add_heap(ret_diff, older, false);
    if (status == MW_OK)
        status = add_heap(ret_diff, newer, true);
    if (status == MW_OK)
        settle(ret_diff);
    else
        mw_heap_diff_done(ret_diff);
    return status;
}

const mw_heap_change *mw_heap_diff_growth(const mw_heap_diff *diff)
{
    for (uint32_t i = 0; i < diff->count; i++)
        if (diff->rows[i].now.bytes > diff->rows[i].before.bytes)
            return &diff->rows[i];
    return NULL;
}

void mw_heap_diff_done(mw_heap_diff *diff)
{
    if (diff->alloc != NULL)
        mw_alloc_release(diff->alloc, diff->rows, diff->capacity * sizeof *diff->rows);
    mw_string_pool_done(&diff->names);
    *diff = (mw_heap_diff){0};
}

/* ── text ────────────────────────────────────────────────────────────────────────── */

static void write_row(const mw_heap_diff *diff, const mw_heap_change *row, const mw_screen *screen)
{
    mw_sink *sink = screen->sink;
    uint32_t columns = screen->width > NUMBER_COLUMNS + NAME_COLUMNS_MINIMUM
                           ? screen->width - NUMBER_COLUMNS
                           : NAME_COLUMNS_MINIMUM;
    mw_style style = row->now.bytes > row->before.bytes   ? MW_STYLE_MORE
                     : row->now.bytes < row->before.bytes ? MW_STYLE_LESS
                                                          : MW_STYLE_PLAIN;

    mw_screen_style(screen, style);
    mw_sink_format(sink, "%11s", mw_change_format(row->before.bytes, row->now.bytes).text);
    mw_screen_style(screen, MW_STYLE_PLAIN);
    mw_sink_format(sink, " %9s", mw_size_format(row->now.bytes).text);
    mw_sink_format(sink, " %11s %10s  ",
                   mw_count_change_format(row->before.objects, row->now.objects).text,
                   mw_count_format(row->now.objects).text);
    mw_sink_clean(sink, mw_string_pool_bytes(&diff->names, row->name),
                  mw_string_pool_length(&diff->names, row->name), columns);
    mw_sink_text(sink, "\n");
}

void mw_heap_diff_write(const mw_heap_diff *diff, uint32_t limit, const mw_heap_look *look,
                        mw_sink *sink)
{
    mw_screen screen = {.sink = sink, .width = look->width, .has_colour = look->has_colour};

    mw_screen_style(&screen, MW_STYLE_FAINT);
    mw_sink_format(sink, "%11s %9s %11s %10s  %s", "change", "size", "change", "objects",
                   diff->by == MW_HEAP_BY_LINE ? "line" : "type");
    mw_screen_style(&screen, MW_STYLE_PLAIN);
    mw_sink_text(sink, "\n");
    for (uint32_t i = 0; i < diff->count && i < limit; i++)
        write_row(diff, &diff->rows[i], &screen);
    if (diff->count > limit)
        mw_sink_format(sink, "%46s and %u more\n", "", diff->count - limit);
}

/* ── JSON ────────────────────────────────────────────────────────────────────────── */

static void put_change(mw_heap_json *json, const char *name, const char *change_name,
                       uint64_t before, uint64_t now)
{
    mw_heap_json_number(json, name, now);
    mw_heap_json_name(json, change_name);
    mw_sink_signed(json->sink, (int64_t)(now - before));
}

void mw_heap_diff_write_json(const mw_heap_diff *diff, uint32_t limit, mw_sink *sink)
{
    mw_heap_json json = {.sink = sink};

    mw_heap_json_open(&json, NULL, "[");
    for (uint32_t i = 0; i < diff->count && i < limit; i++) {
        const mw_heap_change *row = &diff->rows[i];

        mw_heap_json_open(&json, NULL, "{");
        mw_heap_json_bytes(&json, diff->by == MW_HEAP_BY_LINE ? "line" : "type",
                           mw_string_pool_bytes(&diff->names, row->name),
                           mw_string_pool_length(&diff->names, row->name));
        put_change(&json, "count", "count_diff", row->before.objects, row->now.objects);
        put_change(&json, "size", "size_diff", row->before.bytes, row->now.bytes);
        put_change(&json, "retained", "retained_diff", row->before.retained_bytes,
                   row->now.retained_bytes);
        mw_heap_json_close(&json, "}");
    }
    mw_heap_json_close(&json, "]");
}
