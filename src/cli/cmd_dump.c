/* SPDX-License-Identifier: MIT
 *
 * `memwhy dump`: all that a capture holds, as lines of JSON, in an order in which they can be
 * read one after the other: who, the points, frames and sites, and then what each snapshot
 * changes.  See docs/dump.md.
 */
#include "capture/capture.h"
#include "cli/command.h"
#include "cli/option_table.h"
#include "core/snapshot_tables.h"
#include "heap/captured_heap.h"
#include "render/render.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

extern const mw_command mw_command_dump;

/* ── JSON on stdout ──────────────────────────────────────────────────────────────── */

static mw_status write_stdout(mw_sink *self, const char *bytes, size_t length)
{
    (void)self;
    return fwrite(bytes, 1, length, stdout) == length ? MW_OK : MW_IO;
}

static void put_text(mw_sink *sink, const char *key, const char *text)
{
    mw_sink_format(sink, ", \"%s\": ", key);
    mw_sink_json_string(sink, text, strlen(text));
}

static void put_number(mw_sink *sink, const char *key, uint64_t number)
{
    mw_sink_format(sink, ", \"%s\": %" PRIu64, key, number);
}

static void put_signed(mw_sink *sink, const char *key, int64_t number)
{
    mw_sink_format(sink, ", \"%s\": %" PRId64, key, number);
}

static void put_string(mw_sink *sink, const char *key, const mw_snapshot *snapshot,
                       mw_string string)
{
    size_t length;
    const char *bytes = mw_snapshot_string(snapshot, string, &length);

    mw_sink_format(sink, ", \"%s\": ", key);
    mw_sink_json_string(sink, bytes, length);
}

static void put_texts(mw_sink *sink, const char *key, const char *const *texts, size_t count)
{
    mw_sink_format(sink, ", \"%s\": [", key);
    for (size_t i = 0; i < count; i++) {
        mw_sink_text(sink, i != 0 ? ", " : "");
        mw_sink_json_string(sink, texts[i], strlen(texts[i]));
    }
    mw_sink_text(sink, "]");
}

/* ── who and when ────────────────────────────────────────────────────────────────── */

static void dump_program(const mw_capture *capture, mw_sink *sink)
{
    const mw_timeline *timeline = mw_capture_timeline(capture);
    const mw_program *program = &timeline->program;

    mw_sink_text(sink, "{\"type\": \"program\"");
    put_text(sink, "name", program->name);
    put_text(sink, "command_line", program->command_line);
    put_text(sink, "directory", program->directory);
    put_text(sink, "python", program->python);
    put_text(sink, "executable", program->executable);
    put_text(sink, "memwhy", program->memwhy);
    put_text(sink, "host", program->host);
    put_signed(sink, "pid", program->pid);
    put_signed(sink, "parent_pid", program->parent_pid);
    put_number(sink, "start_unix_ns", program->start_unix_ns);
    put_number(sink, "memory_limit_bytes", program->memory_limit_bytes);
    put_number(sink, "sample_bytes", program->sample_bytes);
    put_number(sink, "frame_limit", program->frame_limit);
    put_texts(sink, "program_places", program->program_places, program->program_place_count);
    put_texts(sink, "library_places", program->library_places, program->library_place_count);
    mw_sink_format(sink, ", \"truncated\": %s",
                   mw_capture_is_truncated(capture) ? "true" : "false");
    if (timeline->ending == MW_ENDING_EXITED)
        put_signed(sink, "exit_status", timeline->exit_status);
    mw_sink_text(sink, "}\n");
}

static void put_tally(mw_sink *sink, const mw_capture_tally *tally)
{
    put_number(sink, "live_bytes", tally->live_bytes);
    put_number(sink, "live_blocks", tally->live_blocks);
    put_number(sink, "total_bytes", tally->total_bytes);
    put_number(sink, "total_blocks", tally->total_blocks);
}

static void dump_relatives(const mw_capture *capture, mw_sink *sink)
{
    const mw_timeline *timeline = mw_capture_timeline(capture);
    const mw_capture_input *inputs;
    size_t count;

    for (size_t i = 0; i < timeline->child_count; i++) {
        mw_sink_text(sink, "{\"type\": \"child\"");
        put_number(sink, "time_ns", timeline->children[i].time_ns);
        put_signed(sink, "pid", timeline->children[i].pid);
        put_text(sink, "capture", timeline->children[i].capture);
        mw_sink_text(sink, "}\n");
    }
    inputs = mw_capture_inputs(capture, &count);
    for (size_t i = 0; i < count; i++) {
        mw_sink_text(sink, "{\"type\": \"input\"");
        put_text(sink, "file", inputs[i].file);
        put_text(sink, "program", inputs[i].program);
        put_text(sink, "host", inputs[i].host);
        put_signed(sink, "pid", inputs[i].pid);
        put_number(sink, "start_unix_ns", inputs[i].start_unix_ns);
        put_number(sink, "time_ns", inputs[i].time_ns);
        put_tally(sink, &inputs[i].tally);
        mw_sink_text(sink, "}\n");
    }
}

static void put_point(mw_sink *sink, const mw_point *point)
{
    put_number(sink, "time_ns", point->time_ns);
    put_number(sink, "rss_bytes", point->rss_bytes);
    put_number(sink, "live_bytes", point->live_bytes);
    put_number(sink, "peak_bytes", point->peak_bytes);
    put_number(sink, "overhead_bytes", point->overhead_bytes);
    put_number(sink, "lost_blocks", point->lost_blocks);
}

static void dump_points(const mw_timeline *timeline, mw_sink *sink)
{
    for (size_t i = 0; i < timeline->point_count; i++) {
        mw_sink_text(sink, "{\"type\": \"point\"");
        put_point(sink, &timeline->points[i]);
        if (timeline->points[i].snapshot != MW_NO_SNAPSHOT)
            put_signed(sink, "snapshot", timeline->points[i].snapshot);
        mw_sink_text(sink, "}\n");
    }
    for (size_t i = 0; i < timeline->epoch_count; i++) {
        mw_sink_text(sink, "{\"type\": \"epoch\"");
        put_number(sink, "epoch", i);
        put_number(sink, "start_ns", timeline->epoch_starts_ns[i]);
        mw_sink_text(sink, "}\n");
    }
}

/* ── frames and sites ────────────────────────────────────────────────────────────── */

static void put_source(mw_sink *sink, const mw_capture *capture, const mw_snapshot *snapshot,
                       const mw_frame_row *row)
{
    const char *file = mw_snapshot_string(snapshot, row->file, NULL);
    size_t length;
    const char *text = mw_capture_source_line(capture, file, row->line, &length);

    if (text == NULL)
        return;
    mw_sink_text(sink, ", \"source\": ");
    mw_sink_json_string(sink, text, length);
}

static void dump_frames(const mw_capture *capture, const mw_snapshot *snapshot, mw_sink *sink)
{
    for (uint32_t i = 1; i < snapshot->tables->frame_count; i++) {
        mw_frame_row row = mw_snapshot_frame(snapshot, (mw_frame){i});

        mw_sink_format(sink, "{\"type\": \"frame\", \"frame\": %u", i);
        put_string(sink, "file", snapshot, row.file);
        put_signed(sink, "line", row.line);
        put_string(sink, "function", snapshot, row.function);
        put_string(sink, "module", snapshot, row.module);
        put_signed(sink, "first_line", row.first_line);
        put_source(sink, capture, snapshot, &row);
        mw_sink_text(sink, "}\n");
    }
}

/* Frames of a site, the most recent first. */
static void put_frames(mw_sink *sink, const mw_snapshot *snapshot, mw_path path)
{
    const char *separator = ", \"frames\": [";

    for (; path.index != 0; path = mw_snapshot_path_caller(snapshot, path)) {
        mw_sink_format(sink, "%s%u", separator, mw_snapshot_path_frame(snapshot, path).index);
        separator = ", ";
    }
    mw_sink_text(sink, "]");
}

static void dump_sites(const mw_snapshot *snapshot, mw_sink *sink)
{
    for (uint32_t i = 1; i <= mw_snapshot_site_count(snapshot); i++) {
        mw_site_row row = mw_snapshot_site(snapshot, (mw_site){i});
        mw_traceback_row traceback = mw_snapshot_traceback(snapshot, row.traceback);

        mw_sink_format(sink, "{\"type\": \"site\", \"site\": %u", i);
        put_number(sink, "domain", row.domain);
        put_number(sink, "thread", row.thread.index);
        put_text(sink, "thread_name", mw_snapshot_thread_name(snapshot, row.thread));
        put_number(sink, "epoch", row.epoch);
        put_number(sink, "total_frames", traceback.total_frames);
        put_frames(sink, snapshot, row.path);
        mw_sink_text(sink, "}\n");
    }
}

/* ── what changes ────────────────────────────────────────────────────────────────── */

static void put_counts(mw_sink *sink, uint32_t site, const mw_capture_tally *tally,
                       const char **separator)
{
    mw_sink_format(sink, "%s[%u, %" PRIu64 ", %" PRIu64 ", %" PRIu64 ", %" PRIu64 "]", *separator,
                   site, tally->live_bytes, tally->live_blocks, tally->total_bytes,
                   tally->total_blocks);
    *separator = ", ";
}

static mw_status dump_changes(mw_capture *capture, mw_sink *sink, mw_error *reterr)
{
    mw_capture_replay *replay = NULL;
    mw_status status = mw_capture_replay_new(capture, &replay, reterr);

    if (status != MW_OK)
        return status;
    for (uint32_t number = 0; mw_capture_replay_next(replay); number++) {
        const mw_capture_tally *tallies = mw_capture_replay_tallies(replay);
        const char *separator = "";
        const uint32_t *changed;
        uint32_t count;

        changed = mw_capture_replay_changed(replay, &count);
        mw_sink_format(sink, "{\"type\": \"snapshot\", \"snapshot\": %u, \"changed\": [", number);
        for (uint32_t i = 0; i < count; i++)
            put_counts(sink, changed[i], &tallies[changed[i]], &separator);
        mw_sink_text(sink, "]}\n");
    }
    mw_capture_replay_free(replay);
    return MW_OK;
}

static mw_status dump_peak(mw_capture *capture, mw_sink *sink, mw_error *reterr)
{
    const char *separator = "";
    mw_snapshot *snapshot;
    mw_point point;
    mw_status status = mw_capture_peak(capture, &snapshot, &point, reterr);

    if (status != MW_OK)
        return status == MW_UNSUPPORTED ? MW_OK : status;
    mw_sink_text(sink, "{\"type\": \"peak\"");
    put_point(sink, &point);
    mw_sink_text(sink, ", \"sites\": [");
    for (uint32_t i = 1; i <= mw_snapshot_site_count(snapshot); i++) {
        mw_site_row row = mw_snapshot_site(snapshot, (mw_site){i});

        if (row.live_blocks != 0 || row.total_blocks != 0)
            put_counts(sink, i,
                       &(mw_capture_tally){row.live_bytes, row.live_blocks, row.total_bytes,
                                           row.total_blocks},
                       &separator);
    }
    mw_sink_text(sink, "]}\n");
    mw_snapshot_release(snapshot);
    return MW_OK;
}

/* ── heaps ───────────────────────────────────────────────────────────────────────── */

/* What the functions of a heap write, as a string. */
typedef struct heap_dump {
    const mw_captured_heap *heap;
    mw_sink *sink;
    mw_buffer text;
} heap_dump;

static mw_sink *begin_text(heap_dump *self)
{
    self->text.length = 0;
    return &self->text.sink;
}

static void put_bytes(heap_dump *self)
{
    if (self->text.sink.status != MW_OK)
        self->sink->status = self->text.sink.status;
    mw_sink_json_string(self->sink, self->text.length != 0 ? self->text.bytes : "",
                        self->text.length);
}

static void put_written(heap_dump *self, const char *key)
{
    mw_sink_format(self->sink, ", \"%s\": ", key);
    put_bytes(self);
}

static void put_place(const heap_dump *self, uint32_t node)
{
    const mw_heap_view *view = &self->heap->view;
    mw_heap_place place = view->words->place(view, self->heap->image.line_of[node]);

    if (place.file == NULL)
        return;
    mw_sink_text(self->sink, ", \"file\": ");
    mw_sink_json_string(self->sink, place.file, place.file_length);
    put_number(self->sink, "line", place.line);
    mw_sink_text(self->sink, ", \"function\": ");
    mw_sink_json_string(self->sink, place.function, place.function_length);
}

/* Each reference as the object's name for it, and the node that it is to. */
static void put_references(heap_dump *self, uint32_t node)
{
    const mw_object_graph *graph = self->heap->view.graph;

    mw_sink_text(self->sink, ", \"refers_to\": [");
    for (uint32_t i = graph->first_edge[node]; i < graph->first_edge[node + 1]; i++) {
        mw_captured_heap_write_reference(self->heap, node, i - graph->first_edge[node],
                                         begin_text(self));
        mw_sink_text(self->sink, i != graph->first_edge[node] ? ", [" : "[");
        put_bytes(self);
        mw_sink_format(self->sink, ", %u]", graph->edges[i]);
    }
    mw_sink_text(self->sink, "]");
}

static void dump_object(heap_dump *self, uint32_t number, uint32_t node)
{
    const mw_heap_view *view = &self->heap->view;

    mw_sink_text(self->sink, "{\"type\": \"object\"");
    put_number(self->sink, "heap", number);
    put_number(self->sink, "node", node);
    put_number(self->sink, "id", view->words->address(view, node));
    view->words->write_type(view, view->graph->nodes[node].type, begin_text(self));
    put_written(self, "class");
    view->words->write_object(view, node, begin_text(self));
    put_written(self, "text");
    put_number(self->sink, "size", mw_object_graph_size(view->graph, node));
    put_number(self->sink, "references", view->words->references(view, node));
    put_place(self, node);
    put_references(self, node);
    mw_sink_text(self->sink, "}\n");
}

static void dump_root(heap_dump *self, uint32_t number, const mw_graph_root *root)
{
    static const char *const kinds[MW_ROOT_KIND_COUNT] = {
        "none", "module", "frame", "interpreter", "static", "held-from-c", "immortal", "garbage"};
    const mw_heap_view *view = &self->heap->view;
    uint64_t thread = view->words->thread(view, root);

    mw_sink_text(self->sink, "{\"type\": \"root\"");
    put_number(self->sink, "heap", number);
    put_number(self->sink, "node", root->node);
    put_text(self->sink, "kind", kinds[root->kind]);
    view->words->write_root(view, root, begin_text(self));
    put_written(self, "name");
    if (thread != 0) {
        put_number(self->sink, "thread", thread);
        view->words->write_thread(view, thread, begin_text(self));
        put_written(self, "thread_name");
    }
    mw_sink_text(self->sink, "}\n");
}

static void dump_facts(const heap_dump *self, uint32_t number)
{
    const uint64_t *numbers = self->heap->image.numbers;
    const mw_heap_facts *facts = &self->heap->view.facts;

    mw_sink_text(self->sink, "{\"type\": \"heap\"");
    put_number(self->sink, "heap", number);
    put_number(self->sink, "time_ns", numbers[MW_HEAP_TIME]);
    put_number(self->sink, "objects", facts->object_count);
    put_number(self->sink, "frames", facts->frame_count);
    put_number(self->sink, "references", numbers[MW_HEAP_EDGES]);
    put_number(self->sink, "tracked", numbers[MW_HEAP_TRACKED]);
    put_number(self->sink, "counted_references", facts->explained.counted);
    put_number(self->sink, "unexplained_references", facts->explained.unexplained);
    put_number(self->sink, "pause_ns", numbers[MW_HEAP_PAUSE]);
    put_number(self->sink, "walk_ns", numbers[MW_HEAP_WALK]);
    mw_sink_format(self->sink, ", \"knows_lines\": %s, \"has_texts\": %s}\n",
                   facts->knows_lines ? "true" : "false",
                   (numbers[MW_HEAP_FLAGS] & MW_HEAP_HIDES_TEXTS) == 0 ? "true" : "false");
}

static mw_status dump_heap(mw_capture *capture, uint32_t number, mw_sink *sink, mw_error *reterr)
{
    mw_captured_heap heap;
    heap_dump self = {.heap = &heap, .sink = sink};
    const mw_object_graph *graph;
    mw_status status = mw_captured_heap_init(&heap, capture, number, mw_alloc_system(), reterr);

    if (status != MW_OK)
        return status;
    graph = heap.view.graph;
    mw_buffer_init(&self.text, mw_alloc_system());
    dump_facts(&self, number);
    for (uint32_t node = 1; node < graph->node_count && sink->status == MW_OK; node++)
        dump_object(&self, number, node);
    for (uint32_t i = 0; i < graph->root_count; i++)
        dump_root(&self, number, &graph->roots[i]);
    mw_buffer_done(&self.text);
    mw_captured_heap_done(&heap);
    return MW_OK;
}

static mw_status dump_heaps(mw_capture *capture, mw_sink *sink, mw_error *reterr)
{
    mw_status status = MW_OK;

    for (uint32_t i = 0; i < mw_capture_heap_count(capture) && status == MW_OK; i++)
        status = dump_heap(capture, i, sink, reterr);
    return status;
}

/* ── the command ─────────────────────────────────────────────────────────────────── */

/* Any snapshot has the tables; a capture without one may have a peak. */
static mw_status borrow_tables(mw_capture *capture, mw_snapshot **ret_snapshot, mw_error *reterr)
{
    mw_point point;
    mw_status status;

    *ret_snapshot = NULL;
    if (mw_capture_snapshot_count(capture) != 0)
        return mw_capture_snapshot(capture, 0, ret_snapshot, reterr);
    status = mw_capture_peak(capture, ret_snapshot, &point, reterr);
    return status == MW_UNSUPPORTED ? MW_OK : status;
}

static mw_status dump(mw_capture *capture, mw_sink *sink, mw_error *reterr)
{
    mw_snapshot *snapshot = NULL;
    mw_status status = borrow_tables(capture, &snapshot, reterr);

    if (status != MW_OK)
        return status;
    dump_program(capture, sink);
    dump_relatives(capture, sink);
    dump_points(mw_capture_timeline(capture), sink);
    if (snapshot != NULL) {
        dump_frames(capture, snapshot, sink);
        dump_sites(snapshot, sink);
    }
    mw_snapshot_release(snapshot);
    status = dump_changes(capture, sink, reterr);
    if (status == MW_OK)
        status = dump_peak(capture, sink, reterr);
    if (status == MW_OK)
        status = dump_heaps(capture, sink, reterr);
    return status;
}

static const mw_option_table option_table = {.command = "dump", .operand_maximum = 1};

static int dump_run(int argc, char **argv)
{
    mw_sink sink = {.write = write_stdout};
    mw_capture *capture = NULL;
    const char *path;
    bool wants_help;
    mw_error error;
    mw_status status;
    int usage;

    (void)argc;
    usage = mw_option_table_parse(&option_table, argv, NULL, &path, &wants_help);
    if (usage != MW_EXIT_DONE)
        return usage;
    if (wants_help)
        return mw_command_help(&mw_command_dump);
    if (path == NULL)
        return mw_command_fail("dump wants a capture; see \"memwhy help dump\".");
    status = mw_capture_open(path, mw_alloc_system(), &capture, &error);
    if (status == MW_OK)
        status = dump(capture, &sink, &error);
    mw_capture_close(capture);
    return status == MW_OK ? MW_EXIT_DONE : mw_command_fail_with(&error);
}

const mw_command mw_command_dump = {
    .name = "dump",
    .usage = "CAPTURE",
    .summary = "print all that a capture holds, as lines of JSON",
    .details = "Each line is an object whose \"type\" says what it is: program, child, input,\n"
               "point, epoch, frame, site, snapshot (the sites that it changes, each with its\n"
               "number, live bytes and blocks, and total bytes and blocks), peak, heap,\n"
               "object or root.\n"
               "\n"
               "Exit status: 0 done; 2 wrong usage, or not a capture.\n",
    .run = dump_run,
};
