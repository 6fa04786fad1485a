/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "heap/heap_text.h"

#include <string.h>

enum {
    NUMBER_COLUMNS = 5, /* "  1. "                          */
    CONTENTS_ROWS = 5,  /* of what a suspect retains        */
    HELD_NAMED = 3,     /* types of what C holds            */
    GARBAGE_INDENT = 4,
};

static mw_size_text share_of_heap(const mw_heap_study *study, uint64_t bytes)
{
    return mw_share_format(bytes, mw_heap_study_bytes(study));
}

/* ── parts of sentences ──────────────────────────────────────────────────────────── */

static void say_object(mw_heap_writer *writer, uint32_t node)
{
    const mw_heap_view *view = writer->study->view;

    view->words->write_object(view, node, mw_heap_writer_line(writer));
}

static mw_status say_path(mw_heap_writer *writer, uint32_t node)
{
    return mw_heap_path_write_to(writer->study, node, mw_heap_writer_line(writer));
}

/* `sys.modules['app'].cache (dict(40))`; what the way says already is not said again. */
static mw_status say_path_and_object(mw_heap_writer *writer, uint32_t node)
{
    mw_buffer *line = &writer->line;
    uint32_t begin = line->length, path_end, text_begin;
    mw_status status = say_path(writer, node);

    path_end = line->length;
    mw_sink_text(&line->sink, " (");
    text_begin = line->length;
    say_object(writer, node);
    if (line->sink.status != MW_OK ||
        memmem(line->bytes + begin, path_end - begin, line->bytes + text_begin,
               line->length - text_begin) != NULL)
        line->length = path_end;
    else
        mw_sink_text(&line->sink, ")");
    return status;
}

static const char *plural(uint64_t count)
{
    return count == 1 ? "" : "s";
}

/* "; the largest part is app.Row (12,000 objects, 9.2 MiB); the line that allocated most is
 * app.py:5 in load (9.0 MiB)" */
static mw_status say_largest_part(mw_heap_writer *writer, const mw_suspect *suspect)
{
    mw_sink *line = mw_heap_writer_line(writer);
    mw_heap_table table;
    mw_heap_place place;
    mw_status status = mw_heap_table_init_suspect(&table, writer->study, MW_HEAP_BY_TYPE, suspect);

    if (status == MW_OK && table.count != 0) {
        mw_sink_text(line, "; the largest part is ");
        mw_heap_table_write_name(&table, writer->study, &table.rows[0], line);
        mw_sink_format(line, " (%s object%s, ", mw_count_format(table.rows[0].sum.objects).text,
                       plural(table.rows[0].sum.objects));
        mw_sink_format(line, "%s)", mw_size_format(table.rows[0].sum.bytes).text);
    }
    mw_heap_table_done(&table);
    if (status != MW_OK)
        return status;
    status = mw_heap_table_init_suspect(&table, writer->study, MW_HEAP_BY_LINE, suspect);
    if (status == MW_OK && table.count != 0 && table.rows[0].group != 0) {
        place = writer->study->view->words->place(writer->study->view, table.rows[0].group);
        mw_sink_text(line, "; the line that allocated most is ");
        mw_heap_writer_place(writer, &place, UINT32_MAX);
        mw_sink_format(line, " (%s)", mw_size_format(table.rows[0].sum.bytes).text);
    }
    mw_heap_table_done(&table);
    return status == MW_UNSUPPORTED ? MW_OK : status;
}

/* ── the sentence ────────────────────────────────────────────────────────────────── */

/* "A, B and others" */
static mw_status say_holders(mw_heap_writer *writer, const mw_suspect *suspect)
{
    mw_sink *line = mw_heap_writer_line(writer);
    mw_status status = MW_OK;

    for (uint32_t i = 0; status == MW_OK && i < suspect->holder_count; i++) {
        bool is_last = i + 1 == suspect->holder_count && !suspect->has_more_holders;

        mw_sink_text(line, i == 0 ? "" : is_last ? " and " : ", ");
        status = say_path(writer, writer->study->tree.node_at[suspect->holders[i]]);
    }
    if (suspect->has_more_holders)
        mw_sink_text(line, suspect->holder_count != 0 ? " and others" : "many objects");
    return status;
}

static mw_status say_suspect(mw_heap_writer *writer, const mw_suspect *suspect)
{
    const mw_heap_view *view = writer->study->view;
    uint32_t node = writer->study->tree.node_at[suspect->position];
    mw_sink *line = mw_heap_writer_line(writer);
    mw_status status = MW_OK;

    if (suspect->kind == MW_SUSPECT_MANY) {
        mw_sink_format(line, "%s objects of ", mw_count_format(suspect->objects).text);
        view->words->write_type(view, suspect->type, line);
        mw_sink_text(line, " that C code holds retain ");
    } else if (suspect->kind == MW_SUSPECT_JOINT) {
        status = say_holders(writer, suspect);
        mw_sink_text(line, " together hold ");
    } else {
        status = say_path_and_object(writer, node);
        mw_sink_text(line, " retains ");
    }
    mw_sink_format(line, "%s, ", mw_size_format(suspect->retained_bytes).text);
    mw_sink_format(line, "%s of the heap",
                   share_of_heap(writer->study, suspect->retained_bytes).text);
    if (suspect->kind == MW_SUSPECT_JOINT)
        mw_sink_text(line, ", and dropping one of them frees nothing");
    if (status == MW_OK)
        status = say_largest_part(writer, suspect);
    mw_sink_text(line, ".");
    return status;
}

static mw_status say_nobody(mw_heap_writer *writer)
{
    const mw_heap_study *study = writer->study;
    mw_sink *line = mw_heap_writer_line(writer);
    uint32_t position = 0;
    mw_status status;

    mw_sink_text(line, "nobody is suspected: no object retains a large part of the heap, nor do "
                       "a few together.");
    if (mw_retained_largest(&study->tree, 1, &position) == 0)
        return MW_OK;
    mw_sink_text(line, " The most is retained by ");
    status = say_path(writer, study->tree.node_at[position]);
    mw_sink_format(line, ": %s, ",
                   mw_size_format(mw_dominators_retained(&study->tree, position)).text);
    mw_sink_format(line, "%s of the heap.",
                   share_of_heap(study, mw_dominators_retained(&study->tree, position)).text);
    return status;
}

static mw_status say_verdict(mw_heap_writer *writer, const mw_suspects *suspects)
{
    mw_sink *line = mw_heap_writer_line(writer);
    mw_status status;

    if (suspects->count == 0)
        return say_nobody(writer);
    status = say_suspect(writer, &suspects->items[0]);
    if (suspects->count == 2)
        mw_sink_text(line, " One more is suspected.");
    else if (suspects->count > 2)
        mw_sink_format(line, " %u more are suspected.", suspects->count - 1);
    return status;
}

mw_status mw_heap_verdict_write(mw_heap_study *study, const mw_suspects *suspects,
                                const mw_places *places, mw_sink *sink)
{
    mw_heap_look look = {.places = places, .width = MW_HEAP_WIDTH_ANY};
    mw_heap_writer writer;
    mw_status status, written;

    mw_heap_writer_init(&writer, study, &look, sink);
    status = say_verdict(&writer, suspects);
    if (status == MW_OK && writer.line.length != 0)
        mw_sink_clean(sink, writer.line.bytes, writer.line.length, UINT32_MAX);
    written = mw_heap_writer_done(&writer);
    return status != MW_OK ? status : written;
}

/* ── suspects ────────────────────────────────────────────────────────────────────── */

mw_status mw_heap_suspects_init(mw_suspects *ret_suspects, mw_heap_study *study,
                                uint32_t share_permille)
{
    const mw_back_edges *back;
    mw_status status = mw_heap_study_back(study, &back);

    *ret_suspects = (mw_suspects){0};
    if (status != MW_OK)
        return status;
    return mw_suspects_init(ret_suspects, study->view->graph, back, &study->tree,
                            study->view->type_count,
                            mw_heap_study_bytes(study) / 1000 * share_permille, study->alloc);
}

static mw_status write_holders(mw_heap_writer *writer, const mw_suspect *suspect, uint32_t indent)
{
    const mw_heap_study *study = writer->study;
    mw_sink *line = mw_heap_writer_line(writer);
    mw_status status = MW_OK;

    mw_sink_format(line, "%s in ", mw_size_format(suspect->bytes).text);
    mw_sink_format(line, "%s objects, ", mw_count_format(suspect->objects).text);
    mw_sink_format(line, "%s of the heap, are held jointly: dropping one of these frees nothing",
                   share_of_heap(study, suspect->bytes).text);
    mw_heap_writer_end(writer, 0, indent, MW_STYLE_STRONG);
    for (uint32_t i = 0; status == MW_OK && i < suspect->holder_count; i++) {
        uint32_t node = study->tree.node_at[suspect->holders[i]];

        status = say_path_and_object(writer, node);
        mw_sink_format(line, ", alone %s",
                       mw_size_format(mw_heap_study_retained(study, node)).text);
        mw_heap_writer_end(writer, indent, indent + 4, MW_STYLE_PLAIN);
    }
    if (suspect->has_more_holders) {
        mw_sink_text(line, "and more");
        mw_heap_writer_end(writer, indent, indent, MW_STYLE_PLAIN);
    }
    return status;
}

static void write_allocator(mw_heap_writer *writer, uint32_t node, uint32_t indent)
{
    mw_heap_place place = mw_heap_study_place(writer->study, node);

    if (place.file == NULL)
        return;
    mw_sink_text(mw_heap_writer_line(writer), "allocated at ");
    mw_heap_writer_place(writer, &place, UINT32_MAX);
    mw_heap_writer_end(writer, indent, indent + 4, MW_STYLE_PLAIN);
}

static void write_many(mw_heap_writer *writer, const mw_suspect *suspect, uint32_t indent)
{
    const mw_heap_view *view = writer->study->view;
    mw_sink *line = mw_heap_writer_line(writer);

    mw_sink_format(line, "%s objects of ", mw_count_format(suspect->objects).text);
    view->words->write_type(view, suspect->type, line);
    mw_sink_format(line, " that C code holds retain %s, ", mw_size_format(suspect->bytes).text);
    mw_sink_format(line, "%s of the heap", share_of_heap(writer->study, suspect->bytes).text);
    mw_heap_writer_end(writer, 0, indent, MW_STYLE_STRONG);
}

static mw_status write_accumulation(mw_heap_writer *writer, const mw_suspect *suspect,
                                    uint32_t indent)
{
    uint32_t node = writer->study->tree.node_at[suspect->position];
    mw_sink *line = mw_heap_writer_line(writer);
    mw_status status = say_path(writer, node);

    mw_heap_writer_end(writer, 0, indent, MW_STYLE_STRONG);
    say_object(writer, node);
    mw_sink_format(line, " accumulates %s in ", mw_size_format(suspect->bytes).text);
    mw_sink_format(line, "%s objects, ", mw_count_format(suspect->objects).text);
    mw_sink_format(line, "%s of the heap", share_of_heap(writer->study, suspect->bytes).text);
    if (suspect->retained_bytes > suspect->bytes)
        mw_sink_format(line, "; with what below it is suspected by itself, it retains %s",
                       mw_size_format(suspect->retained_bytes).text);
    mw_heap_writer_end(writer, indent, indent, MW_STYLE_PLAIN);
    write_allocator(writer, node, indent);
    return status;
}

/* By type, and by line where that is known. */
static mw_status write_contents(mw_heap_writer *writer, const mw_suspect *suspect, uint32_t indent)
{
    mw_heap_table table;
    mw_status status = mw_heap_table_init_suspect(&table, writer->study, MW_HEAP_BY_TYPE, suspect);

    if (status == MW_OK)
        mw_heap_writer_contents(writer, &table, CONTENTS_ROWS, indent);
    mw_heap_table_done(&table);
    if (status != MW_OK || !writer->study->view->facts.knows_lines)
        return status;
    status = mw_heap_table_init_suspect(&table, writer->study, MW_HEAP_BY_LINE, suspect);
    if (status == MW_OK && table.count != 0) {
        mw_sink_text(mw_heap_writer_line(writer), "allocated by");
        mw_heap_writer_end(writer, indent, indent, MW_STYLE_FAINT);
        mw_heap_writer_contents(writer, &table, CONTENTS_ROWS, indent);
    }
    mw_heap_table_done(&table);
    return status;
}

static mw_status write_suspect(mw_heap_writer *writer, const mw_suspect *suspect, uint32_t number)
{
    uint32_t indent = number != 0 ? NUMBER_COLUMNS : 4;
    mw_status status = MW_OK;

    if (number != 0)
        mw_sink_format(mw_heap_writer_line(writer), "%*u. ", NUMBER_COLUMNS - 2, number);
    if (suspect->kind == MW_SUSPECT_MANY)
        write_many(writer, suspect, indent);
    else if (suspect->kind == MW_SUSPECT_JOINT)
        status = write_holders(writer, suspect, indent);
    else
        status = write_accumulation(writer, suspect, indent);
    return status == MW_OK ? write_contents(writer, suspect, indent) : status;
}

mw_status mw_heap_suspect_write(const mw_suspect *suspect, uint32_t number, mw_heap_study *study,
                                const mw_heap_look *look, mw_sink *sink)
{
    mw_heap_writer writer;
    mw_status status = mw_heap_study_lines(study), written;

    if (status != MW_OK && status != MW_UNSUPPORTED)
        return status;
    mw_heap_writer_init(&writer, study, look, sink);
    status = write_suspect(&writer, suspect, number);
    written = mw_heap_writer_done(&writer);
    return status != MW_OK ? status : written;
}

/* ── garbage, and what C holds ───────────────────────────────────────────────────── */

static void write_garbage(mw_heap_writer *writer, uint32_t limit)
{
    const mw_heap_study *study = writer->study;
    const mw_object_graph *graph = study->view->graph;
    mw_sink *line = mw_heap_writer_line(writer);
    uint64_t bytes = 0, cycles = 0;

    for (uint32_t i = 0; i < graph->root_count; i++)
        if (graph->roots[i].kind == MW_ROOT_GARBAGE) {
            bytes += mw_heap_study_retained(study, graph->roots[i].node);
            cycles++;
        }
    mw_sink_format(line, "%s object%s in ", mw_count_format(study->garbage_count).text,
                   plural(study->garbage_count));
    mw_sink_format(line, "%s cycle%s wait for the collector: ", mw_count_format(cycles).text,
                   plural(cycles));
    mw_sink_text(line, mw_size_format(bytes).text);
    mw_heap_writer_end(writer, 0, GARBAGE_INDENT, MW_STYLE_PLAIN);
    for (uint32_t i = 0; i < graph->root_count && limit != 0; i++) {
        uint32_t node = graph->roots[i].node;

        if (graph->roots[i].kind != MW_ROOT_GARBAGE)
            continue;
        say_object(writer, node);
        mw_sink_format(line, "  retains %s",
                       mw_size_format(mw_heap_study_retained(study, node)).text);
        mw_heap_writer_end(writer, GARBAGE_INDENT, 2 * GARBAGE_INDENT, MW_STYLE_PLAIN);
        limit--;
    }
}

mw_status mw_heap_garbage_write(uint32_t limit, mw_heap_study *study, const mw_heap_look *look,
                                mw_sink *sink)
{
    mw_heap_writer writer;

    mw_heap_writer_init(&writer, study, look, sink);
    write_garbage(&writer, limit);
    return mw_heap_writer_done(&writer);
}

/* "C code holds 120 objects of 7 types, which retain 3.1 KiB: _struct.Struct (100), …" */
static mw_status write_held(mw_heap_writer *writer)
{
    mw_sink *line = mw_heap_writer_line(writer);
    uint64_t objects = 0, bytes = 0;
    mw_heap_table table;
    mw_status status = mw_heap_table_init(&table, writer->study, MW_HEAP_BY_HELD);

    for (uint32_t i = 0; i < table.count; i++) {
        objects += table.rows[i].sum.objects;
        bytes += table.rows[i].sum.retained_bytes;
    }
    mw_sink_format(line, "held from C: %s object%s", mw_count_format(objects).text,
                   plural(objects));
    if (objects != 0)
        mw_sink_format(line, " of %u type%s, which retain %s", table.count, plural(table.count),
                       mw_size_format(bytes).text);
    for (uint32_t i = 0; i < table.count && i < HELD_NAMED; i++) {
        mw_sink_text(line, i == 0 ? ": " : ", ");
        mw_heap_table_write_name(&table, writer->study, &table.rows[i], line);
        mw_sink_format(line, " (%s)", mw_count_format(table.rows[i].sum.objects).text);
    }
    mw_sink_text(line, table.count > HELD_NAMED ? ", …" : "");
    if (writer->study->view->facts.hides_stacks)
        mw_sink_text(line, "; with what running frames have on their stacks");
    mw_heap_writer_end(writer, 0, GARBAGE_INDENT, MW_STYLE_PLAIN);
    mw_heap_table_done(&table);
    return status;
}

/* ── tables ──────────────────────────────────────────────────────────────────────── */

static mw_status write_table(mw_heap_writer *writer, mw_heap_by by, uint32_t limit)
{
    mw_heap_table table;
    mw_status status = mw_heap_table_init(&table, writer->study, by);

    if (status == MW_OK)
        mw_heap_writer_table(writer, &table, limit);
    mw_heap_table_done(&table);
    return status;
}

mw_status mw_heap_table_write(mw_heap_by by, uint32_t limit, mw_heap_study *study,
                              const mw_heap_look *look, mw_sink *sink)
{
    mw_heap_writer writer;
    mw_status status, written;

    mw_heap_writer_init(&writer, study, look, sink);
    status = write_table(&writer, by, limit);
    written = mw_heap_writer_done(&writer);
    return status != MW_OK ? status : written;
}

static mw_status write_top(mw_heap_writer *writer, const uint32_t *positions, uint32_t count)
{
    const mw_heap_study *study = writer->study;
    mw_sink *line = mw_heap_writer_line(writer);
    mw_status status = MW_OK;

    mw_sink_format(line, "%9s %10s  %s", "retained", "size", "object");
    mw_screen_style(&writer->screen, MW_STYLE_FAINT);
    mw_sink_bytes(writer->screen.sink, writer->line.bytes, writer->line.length);
    mw_screen_style(&writer->screen, MW_STYLE_PLAIN);
    mw_heap_writer_blank(writer);
    writer->line.length = 0;
    for (uint32_t i = 0; status == MW_OK && i < count; i++) {
        uint32_t node = study->tree.node_at[positions[i]];

        mw_sink_format(line, "%9s %10s  ", mw_size_format(mw_heap_study_retained(study, node)).text,
                       mw_size_format(mw_object_graph_size(study->view->graph, node)).text);
        status = say_path_and_object(writer, node);
        mw_heap_writer_end(writer, 0, 22, MW_STYLE_PLAIN);
    }
    return status;
}

mw_status mw_heap_top_write(uint32_t limit, mw_heap_study *study, const mw_heap_look *look,
                            mw_sink *sink)
{
    uint32_t *positions = mw_alloc_array(study->alloc, limit, sizeof *positions);
    mw_heap_writer writer;
    mw_status status, written;

    if (positions == NULL)
        return MW_NO_MEMORY;
    mw_heap_writer_init(&writer, study, look, sink);
    status = write_top(&writer, positions, mw_retained_largest(&study->tree, limit, positions));
    written = mw_heap_writer_done(&writer);
    mw_alloc_release(study->alloc, positions, limit * sizeof *positions);
    return status != MW_OK ? status : written;
}

/* ── the whole ───────────────────────────────────────────────────────────────────── */

static void write_facts(mw_heap_writer *writer, const mw_heap_report *report)
{
    const mw_explained *explained = &writer->study->view->facts.explained;
    mw_sink *line = mw_heap_writer_line(writer);
    double share = 100;

    if (report->program != NULL) {
        mw_sink_text(line, report->program);
        mw_heap_writer_end(writer, 0, 0, MW_STYLE_PLAIN);
    }
    if (explained->counted != 0)
        share -= 100.0 * (double)explained->unexplained / (double)explained->counted;
    mw_sink_text(line, report->lead != NULL ? report->lead : "The heap");
    mw_sink_format(line, ": %s objects, ",
                   mw_count_format(writer->study->view->facts.object_count).text);
    mw_sink_format(line, "%s (references explained %.2f%%).",
                   mw_size_format(mw_heap_study_bytes(writer->study)).text, share);
    mw_heap_writer_end(writer, 0, 0, MW_STYLE_PLAIN);
}

static mw_status write_suspects(mw_heap_writer *writer, const mw_heap_report *report,
                                const mw_suspects *suspects)
{
    mw_status status = MW_OK;

    for (uint32_t i = 0; status == MW_OK && i < suspects->count && i < report->suspect_limit; i++) {
        mw_heap_writer_blank(writer);
        status = write_suspect(writer, &suspects->items[i], i + 1);
    }
    return status;
}

static mw_status write_body(mw_heap_writer *writer, const mw_heap_report *report,
                            const mw_suspects *suspects)
{
    mw_status status;

    mw_sink_text(mw_heap_writer_line(writer), "memwhy: ");
    status = say_verdict(writer, suspects);
    mw_heap_writer_end(writer, 0, 0, MW_STYLE_STRONG);
    mw_heap_writer_blank(writer);
    write_facts(writer, report);
    if (status == MW_OK)
        status = write_suspects(writer, report, suspects);
    mw_heap_writer_blank(writer);
    if (status == MW_OK)
        status = write_table(writer, MW_HEAP_BY_TYPE, report->row_limit);
    mw_heap_writer_blank(writer);
    if (status == MW_OK)
        status = write_table(writer, MW_HEAP_BY_MODULE, report->row_limit);
    mw_heap_writer_blank(writer);
    if (status == MW_OK)
        status = write_held(writer);
    write_garbage(writer, 0);
    return status;
}

mw_status mw_heap_report_write(const mw_heap_report *report, mw_heap_study *study,
                               const mw_heap_look *look, mw_sink *sink)
{
    mw_heap_writer writer;
    mw_suspects suspects;
    mw_status status = mw_heap_study_lines(study), written;

    if (status != MW_OK && status != MW_UNSUPPORTED)
        return status;
    status = mw_heap_suspects_init(&suspects, study, report->share_permille);
    if (status != MW_OK)
        return status;
    mw_heap_writer_init(&writer, study, look, sink);
    status = write_body(&writer, report, &suspects);
    written = mw_heap_writer_done(&writer);
    mw_suspects_done(&suspects);
    return status != MW_OK ? status : written;
}
