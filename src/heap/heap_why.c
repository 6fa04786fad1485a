/* SPDX-License-Identifier: MIT */
#include "heap/heap_text.h"

enum { STEP_INDENT = 4, CONTENTS_ROWS = 10 };

/* ── what it is ──────────────────────────────────────────────────────────────────── */

static void say_place(mw_heap_writer *writer, uint32_t node, const char *lead)
{
    mw_heap_place place = mw_heap_study_place(writer->study, node);

    if (place.file == NULL)
        return;
    mw_sink_text(mw_heap_writer_line(writer), lead);
    mw_heap_writer_place(writer, &place, UINT32_MAX);
}

/* `dict(3000)  retains 1.2 MiB  allocated at app.py:12 in load` */
static void say_node(mw_heap_writer *writer, uint32_t node)
{
    const mw_heap_view *view = writer->study->view;
    mw_sink *line = mw_heap_writer_line(writer);

    view->words->write_object(view, node, line);
    mw_sink_format(line, "  retains %s",
                   mw_size_format(mw_heap_study_retained(writer->study, node)).text);
    say_place(writer, node, "  allocated at ");
}

/* Whether [text] begins with [type], which then need not be said again. */
static bool says_type(const mw_buffer *text, uint32_t type_length, uint32_t text_length)
{
    if (text_length < type_length)
        return false;
    for (uint32_t i = 0; i < type_length; i++)
        if (text->bytes[i] != text->bytes[text_length + i])
            return false;
    return true;
}

static void write_head(mw_heap_writer *writer, uint32_t node)
{
    const mw_heap_view *view = writer->study->view;
    const mw_object_graph *graph = view->graph;
    mw_sink *line = mw_heap_writer_line(writer);
    uint32_t text_length, type_length;
    bool has_type;

    view->words->write_object(view, node, line);
    text_length = writer->line.length;
    view->words->write_type(view, graph->nodes[node].type, line);
    type_length = writer->line.length - text_length;
    has_type = says_type(&writer->line, type_length, text_length);
    writer->line.length = text_length;
    if (!has_type) {
        mw_sink_text(line, " (");
        view->words->write_type(view, graph->nodes[node].type, line);
        mw_sink_text(line, ")");
    }
    if (view->words->address(view, node) != 0)
        mw_sink_format(line, " at 0x%llx", (unsigned long long)view->words->address(view, node));
    mw_sink_format(line, ": %s, ", mw_size_format(mw_object_graph_size(graph, node)).text);
    mw_sink_format(line, "retains %s",
                   mw_size_format(mw_heap_study_retained(writer->study, node)).text);
    mw_heap_writer_end(writer, 0, STEP_INDENT, MW_STYLE_STRONG);
    say_place(writer, node, "allocated at ");
    if (writer->line.length != 0)
        mw_heap_writer_end(writer, 0, STEP_INDENT, MW_STYLE_PLAIN);
}

/* ── who keeps it ────────────────────────────────────────────────────────────────── */

static void write_steps(mw_heap_writer *writer, const mw_route *route)
{
    const mw_heap_view *view = writer->study->view;
    mw_sink *line = mw_heap_writer_line(writer);

    for (uint32_t i = 1; i < route->count; i++) {
        uint32_t skipped = mw_heap_path_skipped(route, i);

        if (skipped != 0) {
            mw_sink_format(line, "… %s more …", mw_count_format(skipped).text);
            mw_heap_writer_end(writer, STEP_INDENT, STEP_INDENT, MW_STYLE_PLAIN);
            i += skipped;
        }
        view->words->write_edge(view, route->nodes[i - 1], route->nodes[i], line);
        mw_sink_text(line, " ");
        say_node(writer, route->nodes[i]);
        mw_heap_writer_end(writer, STEP_INDENT, 2 * STEP_INDENT, MW_STYLE_PLAIN);
    }
}

static bool is_garbage(const mw_heap_study *study, const mw_route *route)
{
    const mw_graph_root *root = mw_heap_study_root(study, route->nodes[0]);

    return root != NULL && root->kind == MW_ROOT_GARBAGE;
}

/* Writes the ways but for those from garbage, and returns how many these are. */
static uint32_t write_routes(mw_heap_writer *writer, const mw_route_list *list)
{
    uint32_t written = 0;

    for (uint32_t i = 0; i < list->count; i++) {
        if (is_garbage(writer->study, &list->routes[i]))
            continue;
        mw_sink_text(mw_heap_writer_line(writer), written++ == 0 ? "kept alive by " : "and by ");
        mw_heap_path_write(writer->study, &list->routes[i], mw_heap_writer_line(writer));
        mw_heap_writer_end(writer, 0, STEP_INDENT, MW_STYLE_PLAIN);
        write_steps(writer, &list->routes[i]);
    }
    return written;
}

static void write_dominator(mw_heap_writer *writer, uint32_t node)
{
    const mw_dominators *tree = &writer->study->tree;
    uint32_t parent = tree->parent[tree->position_of[node]];
    mw_sink *line = mw_heap_writer_line(writer);

    if (parent == 0) {
        mw_sink_text(line, "no single object keeps it alive");
    } else {
        mw_sink_text(line, "it goes when this goes: ");
        say_node(writer, tree->node_at[parent]);
    }
    mw_heap_writer_end(writer, 0, STEP_INDENT, MW_STYLE_PLAIN);
}

static mw_status write_holders(mw_heap_writer *writer, uint32_t node, uint32_t paths)
{
    mw_heap_study *study = writer->study;
    const mw_back_edges *back = NULL;
    mw_route_list list = {0};
    mw_status status = MW_OK;

    if (paths > 1)
        status = mw_heap_study_back(study, &back);
    if (status == MW_OK)
        status = mw_routes_find(&list, &study->routes, study->view->graph, back, &study->tree, node,
                                paths, study->alloc);
    if (status == MW_OK && write_routes(writer, &list) != 0) {
        write_dominator(writer, node);
    } else if (status == MW_OK) {
        mw_sink_text(mw_heap_writer_line(writer),
                     study->view->facts.has_asker
                         ? "kept alive by nothing but whoever asks"
                         : "kept alive by nothing: it waits for the collector");
        mw_heap_writer_end(writer, 0, STEP_INDENT, MW_STYLE_PLAIN);
    }
    mw_route_list_done(&list);
    return status;
}

/* ── what it keeps ───────────────────────────────────────────────────────────────── */

static mw_status write_contents(mw_heap_writer *writer, uint32_t node, mw_heap_by by,
                                const char *title)
{
    mw_heap_table table;
    mw_status status = mw_heap_table_init_below(&table, writer->study, by, node);
    /* One type is that of the object itself, and one line may be the unknown one. */
    bool says_more =
        status == MW_OK && (table.count > 1 || (by == MW_HEAP_BY_LINE && table.rows[0].group != 0));

    if (says_more) {
        mw_sink_text(mw_heap_writer_line(writer), title);
        mw_heap_writer_end(writer, 0, 0, MW_STYLE_PLAIN);
        mw_heap_writer_contents(writer, &table, CONTENTS_ROWS, STEP_INDENT);
    }
    mw_heap_table_done(&table);
    return status;
}

mw_status mw_heap_why_write(uint32_t node, uint32_t paths, mw_heap_study *study,
                            const mw_heap_look *look, mw_sink *sink)
{
    mw_heap_writer writer;
    mw_status status = mw_heap_study_lines(study), written;

    if (status != MW_OK && status != MW_UNSUPPORTED)
        return status;
    mw_heap_writer_init(&writer, study, look, sink);
    write_head(&writer, node);
    status = write_holders(&writer, node, paths);
    if (status == MW_OK)
        status = write_contents(&writer, node, MW_HEAP_BY_TYPE, "retains:");
    if (status == MW_OK && study->view->facts.knows_lines)
        status = write_contents(&writer, node, MW_HEAP_BY_LINE, "allocated by:");
    written = mw_heap_writer_done(&writer);
    return status != MW_OK ? status : written;
}
