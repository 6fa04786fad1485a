/* SPDX-License-Identifier: MIT */
#include "heap/heap_writer.h"

#include <stdio.h>
#include <string.h>

enum {
    FUNCTION_COLUMNS_MINIMUM = 8, /* less of a name says nothing             */
    PART_COLUMNS_MINIMUM = 30,    /* of a word that is broken                */
    NAME_COLUMNS_MINIMUM = 20,    /* of a row, however narrow the screen     */
    TABLE_COLUMNS = 34,           /* of numbers, in front of names           */
    CONTENTS_COLUMNS = 24,
};

void mw_heap_writer_init(mw_heap_writer *ret_writer, mw_heap_study *study, const mw_heap_look *look,
                         mw_sink *sink)
{
    *ret_writer = (mw_heap_writer){.study = study,
                                   .screen = {.sink = sink,
                                              .places = look->places,
                                              .width = look->width,
                                              .has_colour = look->has_colour}};
    mw_buffer_init(&ret_writer->line, study->alloc);
    mw_buffer_init(&ret_writer->file, study->alloc);
}

mw_status mw_heap_writer_done(mw_heap_writer *writer)
{
    mw_status status = writer->line.sink.status;

    if (status == MW_OK)
        status = writer->file.sink.status;
    mw_buffer_done(&writer->line);
    mw_buffer_done(&writer->file);
    return status != MW_OK ? status : writer->screen.sink->status;
}

/* ── folding ─────────────────────────────────────────────────────────────────────── */

/* Bytes of [text] up to the last place before which a long path may be broken, so that they
 * take [columns] at most; as many as fit if there is no such place. */
static size_t break_path(const char *text, size_t length, uint32_t columns)
{
    size_t broken = 0, fitting = 0;

    for (size_t at = 1; at < length; at++) {
        if (((unsigned char)text[at] & 0xc0) == 0x80)
            continue;
        if (mw_clean_columns(text, at) > columns)
            break;
        fitting = at;
        if (text[at] == '.' || text[at] == '[' || text[at] == '/')
            broken = at;
    }
    if (broken == 0)
        broken = fitting;
    /* Bytes that are no characters take a column each. */
    return broken != 0 ? broken : columns < length ? columns : length;
}

static void write_word(const mw_heap_writer *writer, const char *word, size_t length,
                       uint32_t *column, uint32_t hang)
{
    mw_sink *sink = writer->screen.sink;
    uint32_t width = writer->screen.width;

    for (;;) {
        uint32_t columns = mw_clean_columns(word, length);
        size_t part = length;

        if (*column + columns > width)
            part = break_path(word, length, width - *column);
        *column += mw_sink_clean(sink, word, part, UINT32_MAX);
        if (part == length)
            return;
        mw_sink_text(sink, "\n");
        mw_sink_repeat(sink, ' ', hang);
        *column = hang;
        word += part;
        length -= part;
    }
}

/* Whether a word goes on where the line is: if it fits, or if it has to be broken anyway and
 * some of it fits. */
static bool has_room(const mw_heap_writer *writer, uint32_t column, uint32_t columns, uint32_t hang)
{
    uint32_t width = writer->screen.width;

    return column + columns <= width ||
           (hang + columns > width && column + PART_COLUMNS_MINIMUM <= width);
}

static void write_folded(const mw_heap_writer *writer, uint32_t indent, uint32_t hang)
{
    const char *at = writer->line.bytes;
    const char *end = at + writer->line.length;
    mw_sink *sink = writer->screen.sink;
    uint32_t column = indent;
    bool is_first = true;

    mw_sink_repeat(sink, ' ', indent);
    while (at < end) {
        const char *blank = memchr(at, ' ', (size_t)(end - at));
        size_t length = (size_t)((blank != NULL ? blank : end) - at);
        uint32_t columns = mw_clean_columns(at, length);

        if (!is_first && !has_room(writer, column + 1, columns, hang)) {
            mw_sink_text(sink, "\n");
            mw_sink_repeat(sink, ' ', hang);
            column = hang;
        } else if (!is_first) {
            mw_sink_text(sink, " ");
            column++;
        }
        write_word(writer, at, length, &column, hang);
        is_first = false;
        at += length + (blank != NULL);
    }
}

void mw_heap_writer_end(mw_heap_writer *writer, uint32_t indent, uint32_t hang, mw_style style)
{
    if (style != MW_STYLE_PLAIN)
        mw_screen_style(&writer->screen, style);
    if (writer->line.length != 0)
        write_folded(writer, indent, hang);
    if (style != MW_STYLE_PLAIN)
        mw_screen_style(&writer->screen, MW_STYLE_PLAIN);
    mw_sink_text(writer->screen.sink, "\n");
    writer->line.length = 0;
}

void mw_heap_writer_blank(mw_heap_writer *writer)
{
    mw_sink_text(writer->screen.sink, "\n");
}

/* ── places ──────────────────────────────────────────────────────────────────────── */

static uint32_t write_file(mw_heap_writer *writer, const mw_heap_place *place, uint32_t columns,
                           mw_sink *sink)
{
    static const mw_places as_they_are = {.directory = ""};
    const mw_places *places = writer->screen.places;

    writer->file.length = 0;
    mw_sink_bytes(&writer->file.sink, place->file, place->file_length);
    if (writer->file.sink.status != MW_OK)
        return 0;
    return mw_places_write(places != NULL ? places : &as_they_are, writer->file.bytes, columns,
                           sink);
}

void mw_heap_writer_place(mw_heap_writer *writer, const mw_heap_place *place, uint32_t columns)
{
    mw_sink *sink = mw_heap_writer_line(writer);
    char line[16] = "";
    uint32_t used;

    if (place->file == NULL || place->file_length == 0) {
        mw_sink_text(sink, "<unknown>");
        return;
    }
    if (place->line != 0)
        snprintf(line, sizeof line, ":%u", place->line);
    columns -= (uint32_t)strlen(line);
    used = write_file(writer, place, columns, sink);
    mw_sink_text(sink, line);
    if (place->function_length == 0 || columns - used < 4 + FUNCTION_COLUMNS_MINIMUM)
        return;
    mw_sink_text(sink, " in ");
    mw_sink_clean(sink, place->function, place->function_length, columns - used - 4);
}

/* ── tables ──────────────────────────────────────────────────────────────────────── */

static void write_name(mw_heap_writer *writer, const mw_heap_table *table,
                       const mw_heap_table_row *row, uint32_t taken)
{
    const mw_heap_view *view = writer->study->view;
    uint32_t width = writer->screen.width;
    uint32_t columns = width > taken + NAME_COLUMNS_MINIMUM ? width - taken : NAME_COLUMNS_MINIMUM;
    mw_heap_place place = {0};

    if (table->by == MW_HEAP_BY_LINE) {
        if (row->group != 0)
            place = view->words->place(view, row->group);
        mw_heap_writer_place(writer, &place, columns);
    } else {
        mw_heap_table_write_name(table, writer->study, row, mw_heap_writer_line(writer));
    }
    mw_sink_clean(writer->screen.sink, writer->line.bytes, writer->line.length, columns);
    mw_sink_text(writer->screen.sink, "\n");
    writer->line.length = 0;
}

void mw_heap_writer_table(mw_heap_writer *writer, const mw_heap_table *table, uint32_t limit)
{
    static const char *const heads[] = {
        [MW_HEAP_BY_TYPE] = "type",
        [MW_HEAP_BY_LINE] = "line",
        [MW_HEAP_BY_MODULE] = "module",
        [MW_HEAP_BY_HELD] = "type of what C code holds",
    };
    mw_sink *sink = writer->screen.sink;

    mw_screen_style(&writer->screen, MW_STYLE_FAINT);
    mw_sink_format(sink, "%9s %11s %10s  %s", "retained", "objects", "size", heads[table->by]);
    mw_screen_style(&writer->screen, MW_STYLE_PLAIN);
    mw_sink_text(sink, "\n");
    for (uint32_t i = 0; i < table->count && i < limit; i++) {
        const mw_retained_sum *sum = &table->rows[i].sum;

        mw_sink_format(sink, "%9s %11s %10s  ", mw_size_format(sum->retained_bytes).text,
                       mw_count_format(sum->objects).text, mw_size_format(sum->bytes).text);
        write_name(writer, table, &table->rows[i], TABLE_COLUMNS);
    }
}

void mw_heap_writer_contents(mw_heap_writer *writer, const mw_heap_table *table, uint32_t limit,
                             uint32_t indent)
{
    mw_sink *sink = writer->screen.sink;

    for (uint32_t i = 0; i < table->count && i < limit; i++) {
        const mw_retained_sum *sum = &table->rows[i].sum;

        mw_sink_repeat(sink, ' ', indent);
        mw_sink_format(sink, "%9s %11s  ", mw_size_format(sum->bytes).text,
                       mw_count_format(sum->objects).text);
        write_name(writer, table, &table->rows[i], indent + CONTENTS_COLUMNS);
    }
}
