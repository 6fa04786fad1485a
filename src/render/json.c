/* SPDX-License-Identifier: MIT
 *
 * All that a view has, for programs: docs/report-json.md describes it, docs/report.schema.json
 * says it to validators.  Rows are ready to be read; behind them stand the stacks of all
 * sites as tables that refer to each other by number, so that nothing is lost and nothing is
 * said twice.  Every object has all of its members always.
 */
#include "base/string_pool.h"
#include "core/diff.h"
#include "render/call_tree.h"
#include "render/json_members.h"
#include "render/renderer.h"
#include "render/site_sums.h"

#include <string.h>

typedef struct json_writer {
    const mw_view *view;
    mw_alloc *alloc;
    const mw_call_tree *tree;
    mw_string_pool strings; /* of frames and threads; written last       */
    mw_sink *sink;
    mw_status status; /* the first failure of ours; the sink has its own */
} json_writer;

static void fail(json_writer *writer, mw_status status)
{
    if (writer->status == MW_OK)
        writer->status = status;
}

/* ── the program and its time ────────────────────────────────────────────────────── */

static void write_program(mw_sink *sink, const mw_program *program)
{
    mw_json_object object = mw_json_object_start(sink);

    mw_json_text(&object, "name", program->name);
    mw_json_text(&object, "command_line", program->command_line);
    mw_json_text(&object, "directory", program->directory);
    mw_json_text(&object, "python", program->python);
    mw_json_text(&object, "executable", program->executable);
    mw_json_text(&object, "memwhy", program->memwhy);
    mw_json_text(&object, "host", program->host);
    mw_json_signed(&object, "pid", program->pid);
    mw_json_signed(&object, "parent_pid", program->parent_pid);
    mw_json_number(&object, "start_unix_ns", program->start_unix_ns);
    mw_json_number(&object, "memory_limit_bytes", program->memory_limit_bytes);
    mw_json_number(&object, "sample_bytes", program->sample_bytes);
    mw_json_number(&object, "frame_limit", program->frame_limit);
    mw_json_object_end(&object);
}

static void write_point(mw_sink *sink, const mw_point *point)
{
    mw_json_object object = mw_json_object_start(sink);

    mw_json_number(&object, "time_ns", point->time_ns);
    mw_json_number(&object, "rss_bytes", point->rss_bytes);
    mw_json_number(&object, "live_bytes", point->live_bytes);
    mw_json_number(&object, "peak_bytes", point->peak_bytes);
    mw_json_number(&object, "overhead_bytes", point->overhead_bytes);
    mw_json_number(&object, "lost_blocks", point->lost_blocks);
    if (point->snapshot == MW_NO_SNAPSHOT)
        mw_json_null(&object, "snapshot");
    else
        mw_json_signed(&object, "snapshot", point->snapshot);
    mw_json_object_end(&object);
}

static void write_child(mw_sink *sink, const mw_child *child)
{
    mw_json_object object = mw_json_object_start(sink);

    mw_json_number(&object, "time_ns", child->time_ns);
    mw_json_signed(&object, "pid", child->pid);
    mw_json_text(&object, "capture", child->capture);
    mw_json_object_end(&object);
}

static void write_timeline(mw_sink *sink, const mw_timeline *timeline)
{
    bool has_exited = timeline->ending == MW_ENDING_EXITED;

    mw_sink_text(sink, "{\n    \"program\": ");
    write_program(sink, &timeline->program);
    mw_sink_text(sink, ",\n    \"exit_status\": ");
    if (has_exited)
        mw_sink_signed(sink, timeline->exit_status);
    else
        mw_sink_text(sink, "null");
    mw_sink_text(sink, ",\n    \"points\": [");
    for (size_t i = 0; i < timeline->point_count; i++) {
        mw_sink_text(sink, i == 0 ? "\n      " : ",\n      ");
        write_point(sink, &timeline->points[i]);
    }
    mw_sink_text(sink, "],\n    \"children\": [");
    for (size_t i = 0; i < timeline->child_count; i++) {
        mw_sink_text(sink, i == 0 ? "\n      " : ",\n      ");
        write_child(sink, &timeline->children[i]);
    }
    mw_sink_text(sink, "],\n    \"epoch_starts_ns\": [");
    for (size_t i = 0; i < timeline->epoch_count; i++) {
        mw_sink_text(sink, i == 0 ? "" : ", ");
        mw_sink_number(sink, timeline->epoch_starts_ns[i]);
    }
    mw_sink_text(sink, "]\n  }");
}

static void write_totals(json_writer *writer)
{
    const mw_view *view = writer->view;
    const mw_call_sums *now = &writer->tree->nodes[0].now;
    mw_json_object object = mw_json_object_start(writer->sink);

    mw_json_number(&object, "bytes", now->bytes);
    mw_json_number(&object, "blocks", now->blocks);
    if (writer->tree->before != NULL) {
        mw_json_number(&object, "older_bytes", writer->tree->before[0].bytes);
        mw_json_number(&object, "older_blocks", writer->tree->before[0].blocks);
    } else {
        mw_json_null(&object, "older_bytes");
        mw_json_null(&object, "older_blocks");
    }
    if (mw_snapshot_has_totals(view->snapshot)) {
        mw_json_number(&object, "allocated_bytes", mw_snapshot_total_bytes(view->snapshot));
        mw_json_number(&object, "allocated_blocks", mw_snapshot_total_blocks(view->snapshot));
    } else {
        mw_json_null(&object, "allocated_bytes");
        mw_json_null(&object, "allocated_blocks");
    }
    mw_json_object_end(&object);
}

static void write_head(json_writer *writer)
{
    const mw_view *view = writer->view;
    mw_sink *sink = writer->sink;

    mw_sink_text(sink, "{\n  \"format\": \"memwhy-report\",\n  \"version\": 1,\n  \"measure\": ");
    mw_sink_json_text(sink, mw_view_measure(view));
    mw_sink_text(sink, ",\n  \"verdict\": ");
    if (view->verdict == NULL)
        mw_sink_text(sink, "null");
    else
        mw_sink_json_text(sink, view->verdict);
    mw_sink_text(sink, ",\n  \"timeline\": ");
    if (view->timeline == NULL)
        mw_sink_text(sink, "null");
    else
        write_timeline(sink, view->timeline);
    mw_sink_text(sink, ",\n  \"sample_bytes\": ");
    mw_sink_number(sink, mw_snapshot_sample_bytes(view->snapshot) +
                             mw_snapshot_sums_sample_bytes(view->snapshot));
    mw_sink_text(sink, ",\n  \"totals\": ");
    write_totals(writer);
}

/* ── rows ────────────────────────────────────────────────────────────────────────── */

static void write_name(mw_json_object *object, const char *key, const mw_row *row, mw_string name)
{
    size_t length;
    const char *bytes = mw_snapshot_string(row->snapshot, name, &length);

    if (name.index == 0)
        mw_json_null(object, key);
    else
        mw_json_string(object, key, bytes, length);
}

static void write_key(mw_json_object *object, mw_group_key key, const mw_row *row)
{
    write_name(object, "file", row, row->file);
    if (key == MW_GROUP_FUNCTION)
        write_name(object, "function", row, row->label);
    if (key == MW_GROUP_LINE && row->line > 0)
        mw_json_signed(object, "line", row->line);
    else if (key == MW_GROUP_LINE)
        mw_json_null(object, "line");
}

static void write_row(const json_writer *writer, const mw_rows *rows, uint32_t number)
{
    const mw_row *row = &rows->items[number];
    mw_json_object object = mw_json_object_start(writer->sink);

    write_key(&object, rows->key, row);
    mw_json_number(&object, "bytes", row->bytes);
    mw_json_number(&object, "blocks", row->blocks);
    if (writer->view->older != NULL) {
        mw_json_signed(&object, "bytes_change", row->bytes_change);
        mw_json_signed(&object, "blocks_change", row->blocks_change);
    } else {
        mw_json_null(&object, "bytes_change");
        mw_json_null(&object, "blocks_change");
    }
    mw_json_key(&object, "bytes_interval");
    if (rows->are_estimated) {
        mw_interval interval = mw_rows_bytes_interval(rows, number);
        mw_sink_format(writer->sink, "[%.0f, %.0f]", interval.low, interval.high);
    } else {
        mw_sink_text(writer->sink, "null");
    }
    mw_json_object_end(&object);
}

static void write_rows(json_writer *writer, mw_group_key key, const char *name)
{
    const mw_view *view = writer->view;
    mw_rows rows = {0};
    mw_status status =
        view->older == NULL
            ? mw_snapshot_group(view->snapshot, key, MW_GROUP_INNERMOST, writer->alloc, &rows, NULL)
            : mw_snapshot_diff(view->older, view->snapshot, key, MW_GROUP_INNERMOST, writer->alloc,
                               &rows, NULL);

    fail(writer, status);
    if (status != MW_OK)
        return;
    mw_sink_format(writer->sink, "    \"%s\": [", name);
    for (uint32_t i = 0; i < rows.count; i++) {
        mw_sink_text(writer->sink, i == 0 ? "\n      " : ",\n      ");
        write_row(writer, &rows, i);
    }
    mw_sink_text(writer->sink, "]");
    mw_rows_done(&rows);
}

static void write_all_rows(json_writer *writer)
{
    mw_sink_text(writer->sink, ",\n  \"rows\": {\n");
    write_rows(writer, MW_GROUP_LINE, "line");
    mw_sink_text(writer->sink, ",\n");
    write_rows(writer, MW_GROUP_FILE, "file");
    mw_sink_text(writer->sink, ",\n");
    write_rows(writer, MW_GROUP_FUNCTION, "function");
    mw_sink_text(writer->sink, "}");
}

/* ── tables ──────────────────────────────────────────────────────────────────────── */

static uint32_t intern(json_writer *writer, const char *bytes, size_t length)
{
    uint32_t number = 0;

    if (writer->status == MW_OK)
        fail(writer, mw_string_pool_intern(&writer->strings, bytes, length, &number));
    return number;
}

static uint32_t intern_name(json_writer *writer, const mw_call_frame *frame, mw_string name)
{
    size_t length;
    const char *bytes = mw_snapshot_string(frame->snapshot, name, &length);

    return intern(writer, bytes, length);
}

/* `[1,2,3]`, on a line of its own. */
static void write_numbers(const json_writer *writer, bool is_first, const uint64_t *numbers,
                          size_t count)
{
    mw_sink_text(writer->sink, is_first ? "\n    [" : ",\n    [");
    for (size_t i = 0; i < count; i++) {
        if (i != 0)
            mw_sink_bytes(writer->sink, ",", 1);
        mw_sink_number(writer->sink, numbers[i]);
    }
    mw_sink_text(writer->sink, "]");
}

static uint64_t line_number(int32_t line)
{
    return line > 0 ? (uint64_t)line : 0;
}

static void write_frames(json_writer *writer)
{
    mw_sink_text(writer->sink, ",\n  \"frames\": [");
    for (uint32_t i = 0; i < writer->tree->frame_count && writer->status == MW_OK; i++) {
        const mw_call_frame *frame = &writer->tree->frames[i];
        const uint64_t numbers[] = {
            intern_name(writer, frame, frame->row.file),
            line_number(frame->row.line),
            intern_name(writer, frame, frame->row.function),
            intern_name(writer, frame, frame->row.module),
            line_number(frame->row.first_line),
        };
        write_numbers(writer, i == 0, numbers, sizeof numbers / sizeof numbers[0]);
    }
    mw_sink_text(writer->sink, "]");
}

static void write_paths(const json_writer *writer)
{
    mw_sink_text(writer->sink, ",\n  \"paths\": [");
    for (uint32_t i = 0; i < writer->tree->node_count; i++) {
        const mw_call_node *node = &writer->tree->nodes[i];
        const uint64_t numbers[] = {node->caller, node->frame};
        write_numbers(writer, i == 0, numbers, sizeof numbers / sizeof numbers[0]);
    }
    mw_sink_text(writer->sink, "]");
}

static void write_sites(json_writer *writer, const mw_snapshot *snapshot,
                        const uint32_t *site_nodes)
{
    bool is_first = true;
    mw_site_sums sums;
    mw_status status = mw_site_sums_init(&sums, snapshot, writer->alloc);

    fail(writer, status);
    if (status != MW_OK)
        return;
    mw_sink_text(writer->sink, "[");
    for (uint32_t i = 1; i < sums.count && writer->status == MW_OK; i++) {
        mw_site_row site = mw_snapshot_site(snapshot, (mw_site){i});
        const char *thread = mw_snapshot_thread_name(snapshot, site.thread);
        const uint64_t numbers[] = {
            site_nodes[i],
            mw_snapshot_traceback(snapshot, site.traceback).total_frames,
            intern(writer, thread, strlen(thread)),
            site.domain,
            site.epoch,
            sums.sites[i].bytes,
            sums.sites[i].blocks,
            site.total_bytes,
            site.total_blocks,
        };
        if (site_nodes[i] == 0)
            continue;
        write_numbers(writer, is_first, numbers, sizeof numbers / sizeof numbers[0]);
        is_first = false;
    }
    mw_sink_text(writer->sink, "]");
    mw_site_sums_done(&sums);
}

static void write_strings(const json_writer *writer)
{
    mw_sink_text(writer->sink, ",\n  \"strings\": [");
    for (uint32_t i = 0; i < writer->strings.count; i++) {
        mw_sink_text(writer->sink, i == 0 ? "\n    " : ",\n    ");
        mw_sink_json_string(writer->sink, mw_string_pool_bytes(&writer->strings, i),
                            mw_string_pool_length(&writer->strings, i));
    }
    mw_sink_text(writer->sink, "]\n}\n");
}

static void write_tables(json_writer *writer)
{
    const mw_view *view = writer->view;

    mw_sink_text(writer->sink,
                 ",\n  \"columns\": {\n"
                 "    \"frames\": [\"file\", \"line\", \"function\", \"module\", \"first_line\"],\n"
                 "    \"paths\": [\"caller\", \"frame\"],\n"
                 "    \"sites\": [\"path\", \"total_frames\", \"thread\", \"domain\", \"epoch\", "
                 "\"bytes\", \"blocks\", \"allocated_bytes\", \"allocated_blocks\"]}");
    write_frames(writer);
    write_paths(writer);
    mw_sink_text(writer->sink, ",\n  \"sites\": ");
    write_sites(writer, view->snapshot, writer->tree->site_nodes);
    mw_sink_text(writer->sink, ",\n  \"older_sites\": ");
    if (view->older == NULL)
        mw_sink_text(writer->sink, "null");
    else
        write_sites(writer, view->older, writer->tree->older_site_nodes);
    write_strings(writer);
}

/* ── all of it ───────────────────────────────────────────────────────────────────── */

static mw_status write_tree(const mw_view *view, const mw_call_tree *tree, mw_alloc *alloc,
                            mw_sink *sink)
{
    json_writer writer = {.view = view, .alloc = alloc, .tree = tree, .sink = sink};

    writer.status = mw_string_pool_init(&writer.strings, alloc);
    if (writer.status == MW_OK) {
        write_head(&writer);
        write_all_rows(&writer);
        write_tables(&writer);
    }
    mw_string_pool_done(&writer.strings);
    return writer.status;
}

static mw_status json_write(const mw_view *view, mw_alloc *alloc, mw_sink *sink, mw_error *reterr)
{
    static const mw_tree_drawing drawing = {
        .options = {.keeps_sites = true}, .what = "the JSON", .write = write_tree};

    return mw_renderer_draw_tree(&drawing, view, alloc, sink, reterr);
}

const mw_renderer mw_renderer_json = {
    .name = "json",
    .extension = ".json",
    .summary = "everything, for programs; see docs/report-json.md",
    .write = json_write,
};
