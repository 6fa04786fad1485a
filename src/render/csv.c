/* SPDX-License-Identifier: MIT
 *
 * A table with one row per site, as RFC 4180 has it: for spreadsheets, databases and data
 * frames.  With something to compare with, the older snapshot's sites follow with the same
 * columns empty and what they had as negative changes: the sums of the columns of changes
 * by whatever key are the differences.
 *
 * Names come from a program that nobody vouches for.  They are written on one line (see
 * mw_sink_escaped), and what a spreadsheet would take for a formula gets an apostrophe.
 */
#include "render/frame_names.h"
#include "render/renderer.h"
#include "render/site_sums.h"

#include <string.h>

typedef struct csv_writer {
    const mw_call_tree *tree;
    const mw_frame_names *names;
    const mw_snapshot *snapshot;
    const mw_site_sums *sums;
    const uint32_t *site_nodes;
    bool is_older;
    bool has_changes;  /* there are two snapshots                         */
    uint32_t *regions; /* owned; by node, see render/frame_names.h; NULL: none */
    mw_buffer cell;    /* the text that is being written                  */
    uint32_t *stack;   /* owned; the nodes of a stack, `depth` of them    */
    mw_sink *sink;
} csv_writer;

/* ── cells ───────────────────────────────────────────────────────────────────────── */

/* Whether a spreadsheet may take the text for something to compute, or for such a text
 * with its apostrophe. */
static bool needs_apostrophe(const char *text, size_t length)
{
    return length != 0 && strchr("=+-@'", *text) != NULL;
}

/* Writes what was put into `cell`, quoted where it must be, and empties it. */
static void write_cell(csv_writer *writer)
{
    mw_buffer *cell = &writer->cell;
    const char *text = cell->length == 0 ? "" : cell->bytes;
    bool is_quoted =
        memchr(text, ',', cell->length) != NULL || memchr(text, '"', cell->length) != NULL;
    const char *quote;

    if (is_quoted)
        mw_sink_text(writer->sink, "\"");
    if (needs_apostrophe(text, cell->length))
        mw_sink_text(writer->sink, "'");
    for (size_t left = cell->length; left != 0;) {
        quote = memchr(text, '"', left);
        size_t part = quote == NULL ? left : (size_t)(quote - text) + 1;
        mw_sink_bytes(writer->sink, text, part);
        if (quote != NULL)
            mw_sink_text(writer->sink, "\"");
        text += part;
        left -= part;
    }
    if (is_quoted)
        mw_sink_text(writer->sink, "\"");
    if (writer->sink->status == MW_OK)
        writer->sink->status = cell->sink.status;
    cell->length = 0;
}

static void write_name(csv_writer *writer, const mw_snapshot *snapshot, mw_string name)
{
    size_t length;
    const char *bytes = mw_snapshot_string(snapshot, name, &length);

    mw_sink_escaped(&writer->cell.sink, bytes, length, "");
    write_cell(writer);
    mw_sink_text(writer->sink, ",");
}

static void write_number(const csv_writer *writer, uint64_t number)
{
    mw_sink_number(writer->sink, number);
    mw_sink_text(writer->sink, ",");
}

/* ── rows ────────────────────────────────────────────────────────────────────────── */

static const char heads[] = "file,line,function,module,region,thread,domain,epoch,"
                            "live_bytes,live_blocks,total_bytes,total_blocks,";
static const char change_heads[] = "bytes_change,blocks_change,";
static const char last_head[] = "traceback\r\n";

static void write_place(csv_writer *writer, uint32_t node, mw_site_row site)
{
    const mw_call_frame *frame = &writer->tree->frames[writer->tree->nodes[node].frame];
    uint32_t region = writer->regions == NULL ? 0 : writer->regions[node];
    const char *thread = mw_snapshot_thread_name(writer->snapshot, site.thread);

    write_name(writer, frame->snapshot, frame->row.file);
    if (frame->row.line > 0)
        mw_sink_signed(writer->sink, frame->row.line);
    mw_sink_text(writer->sink, ",");
    write_name(writer, frame->snapshot, frame->row.function);
    write_name(writer, frame->snapshot, frame->row.module);
    frame = &writer->tree->frames[writer->tree->nodes[region].frame];
    write_name(writer, frame->snapshot, frame->row.function);
    mw_sink_escaped(&writer->cell.sink, thread, strlen(thread), "");
    write_cell(writer);
    mw_sink_text(writer->sink, ",");
    write_number(writer, site.domain);
    write_number(writer, site.epoch);
}

static void write_sums(const csv_writer *writer, mw_site_row site, const mw_tally *sum)
{
    if (writer->is_older) {
        mw_sink_text(writer->sink, ",,,,");
    } else {
        write_number(writer, sum->bytes);
        write_number(writer, sum->blocks);
        if (mw_snapshot_has_totals(writer->snapshot)) {
            write_number(writer, site.total_bytes);
            write_number(writer, site.total_blocks);
        } else {
            mw_sink_text(writer->sink, ",,");
        }
    }
    if (writer->has_changes) {
        const char *sign = writer->is_older ? "-" : "";
        mw_sink_text(writer->sink, sum->bytes == 0 ? "" : sign);
        write_number(writer, sum->bytes);
        mw_sink_text(writer->sink, sum->blocks == 0 ? "" : sign);
        write_number(writer, sum->blocks);
    }
}

/* Oldest frame first, as in collapsed stacks. */
static void write_traceback(csv_writer *writer, uint32_t node)
{
    uint32_t depth = writer->tree->nodes[node].depth;

    for (uint32_t i = depth; i != 0; i--, node = writer->tree->nodes[node].caller)
        writer->stack[i - 1] = writer->tree->nodes[node].frame;
    for (uint32_t i = 0; i < depth; i++) {
        if (i != 0)
            mw_sink_text(&writer->cell.sink, MW_STACK_SEPARATOR);
        mw_frame_names_write(writer->names, writer->stack[i], &writer->cell.sink);
    }
    write_cell(writer);
    mw_sink_text(writer->sink, "\r\n");
}

static mw_status write_snapshot(csv_writer *writer, const mw_snapshot *snapshot, mw_alloc *alloc)
{
    mw_site_sums sums;
    mw_status status = mw_site_sums_init(&sums, snapshot, alloc);

    if (status != MW_OK)
        return status;
    writer->snapshot = snapshot;
    for (uint32_t i = 1; i < sums.count && writer->sink->status == MW_OK; i++) {
        mw_site_row site = mw_snapshot_site(snapshot, (mw_site){i});

        /* Of what is no more and was not alive before, there is no change to tell. */
        if (writer->is_older ? !mw_site_sums_has(&sums, i) : writer->site_nodes[i] == 0)
            continue;
        write_place(writer, writer->site_nodes[i], site);
        write_sums(writer, site, &sums.sites[i]);
        write_traceback(writer, writer->site_nodes[i]);
    }
    mw_site_sums_done(&sums);
    return MW_OK;
}

static mw_status write_rows(csv_writer *writer, const mw_view *view, mw_alloc *alloc)
{
    mw_status status;

    mw_sink_text(writer->sink, heads);
    if (writer->has_changes)
        mw_sink_text(writer->sink, change_heads);
    mw_sink_text(writer->sink, last_head);
    writer->site_nodes = writer->tree->site_nodes;
    status = write_snapshot(writer, view->snapshot, alloc);
    if (status != MW_OK || view->older == NULL)
        return status;
    writer->is_older = true;
    writer->site_nodes = writer->tree->older_site_nodes;
    return write_snapshot(writer, view->older, alloc);
}

static mw_status write_tree(const mw_view *view, const mw_call_tree *tree, mw_alloc *alloc,
                            mw_sink *sink)
{
    mw_frame_names names;
    csv_writer writer = {
        .tree = tree, .names = &names, .has_changes = view->older != NULL, .sink = sink};
    mw_status status = mw_frame_names_init(&names, tree, alloc);

    if (status != MW_OK)
        return status;
    mw_buffer_init(&writer.cell, alloc);
    writer.stack = mw_alloc_array(alloc, tree->deepest, sizeof *writer.stack);
    status =
        writer.stack == NULL ? MW_NO_MEMORY : mw_call_tree_regions(tree, alloc, &writer.regions);
    if (status == MW_OK)
        status = write_rows(&writer, view, alloc);
    mw_alloc_release(alloc, writer.regions, tree->node_count * sizeof *writer.regions);
    mw_alloc_release(alloc, writer.stack, tree->deepest * sizeof *writer.stack);
    mw_buffer_done(&writer.cell);
    mw_frame_names_done(&names);
    return status;
}

static mw_status csv_write(const mw_view *view, mw_alloc *alloc, mw_sink *sink, mw_error *reterr)
{
    static const mw_tree_drawing drawing = {
        .options = {.keeps_sites = true}, .what = "the CSV", .write = write_tree};

    return mw_renderer_draw_tree(&drawing, view, alloc, sink, reterr);
}

const mw_renderer mw_renderer_csv = {
    .name = "csv",
    .extension = ".csv",
    .summary = "a table with a row for each site",
    .write = csv_write,
};
