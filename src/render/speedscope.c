/* SPDX-License-Identifier: MIT
 *
 * The JSON of speedscope (https://www.speedscope.app): a sampled profile in which the weight
 * of each stack is its bytes.  speedscope knows no differences, so what there was before is
 * a second profile beside what is there now; both refer to the same frames.
 */
#include "render/frame_names.h"
#include "render/renderer.h"

typedef struct speedscope_writer {
    const mw_view *view;
    const mw_call_tree *tree;
    uint32_t *stack; /* owned; by depth: the frame of the current stack */
    mw_sink *sink;
} speedscope_writer;

/* ── frames ──────────────────────────────────────────────────────────────────────── */

static void write_string(mw_sink *sink, const mw_call_frame *frame, mw_string string)
{
    size_t length;
    const char *bytes = mw_snapshot_string(frame->snapshot, string, &length);

    mw_sink_json_string(sink, bytes, length);
}

/* The name is the function's; file and line stand beside it. */
static void write_frame(mw_sink *sink, const mw_call_frame *frame)
{
    mw_sink_text(sink, "{\"name\": ");
    if (frame->row.function.index != 0)
        write_string(sink, frame, frame->row.function);
    else if (frame->row.file.index != 0)
        write_string(sink, frame, frame->row.file);
    else
        mw_sink_text(sink, "\"<unknown>\"");
    if (frame->row.file.index != 0) {
        mw_sink_text(sink, ", \"file\": ");
        write_string(sink, frame, frame->row.file);
    }
    if (frame->row.line > 0) {
        mw_sink_text(sink, ", \"line\": ");
        mw_sink_signed(sink, frame->row.line);
    }
    mw_sink_text(sink, "}");
}

static void write_frames(const speedscope_writer *writer)
{
    mw_sink_text(writer->sink, "  \"shared\": {\"frames\": [");
    for (uint32_t i = 1; i < writer->tree->frame_count; i++) {
        mw_sink_text(writer->sink, i == 1 ? "\n    " : ",\n    ");
        write_frame(writer->sink, &writer->tree->frames[i]);
    }
    mw_sink_text(writer->sink, "]},\n");
}

/* ── profiles ────────────────────────────────────────────────────────────────────── */

typedef enum side { SIDE_NOW, SIDE_BEFORE } side;

static const mw_call_sums *sums_of(const speedscope_writer *writer, uint32_t node, side which)
{
    return which == SIDE_NOW ? &writer->tree->nodes[node].now : &writer->tree->before[node];
}

static void write_samples(const speedscope_writer *writer, side which)
{
    const char *separator = "\n      [";

    mw_sink_text(writer->sink, "     \"samples\": [");
    for (uint32_t i = 1; i < writer->tree->node_count; i++) {
        const mw_call_node *node = &writer->tree->nodes[i];

        /* Frames count from 0 there. */
        writer->stack[node->depth - 1] = node->frame - 1;
        if (sums_of(writer, i, which)->self_bytes == 0)
            continue;
        mw_sink_text(writer->sink, separator);
        separator = ",\n      [";
        for (uint32_t depth = 0; depth < node->depth; depth++) {
            if (depth != 0)
                mw_sink_bytes(writer->sink, ",", 1);
            mw_sink_number(writer->sink, writer->stack[depth]);
        }
        mw_sink_text(writer->sink, "]");
    }
    mw_sink_text(writer->sink, "],\n");
}

static void write_weights(const speedscope_writer *writer, side which)
{
    const char *separator = "";

    mw_sink_text(writer->sink, "     \"weights\": [");
    for (uint32_t i = 1; i < writer->tree->node_count; i++) {
        uint64_t bytes = sums_of(writer, i, which)->self_bytes;

        if (bytes == 0)
            continue;
        mw_sink_text(writer->sink, separator);
        separator = ",";
        mw_sink_number(writer->sink, bytes);
    }
    mw_sink_text(writer->sink, "]}");
}

static void write_profile(const speedscope_writer *writer, side which)
{
    const char *name = which == SIDE_BEFORE ? "before" : mw_view_measure(writer->view);

    mw_sink_text(writer->sink, "    {\"type\": \"sampled\", \"name\": ");
    mw_sink_json_text(writer->sink, name);
    mw_sink_text(writer->sink, ", \"unit\": \"bytes\",\n     \"startValue\": 0, \"endValue\": ");
    mw_sink_number(writer->sink, sums_of(writer, 0, which)->bytes);
    mw_sink_text(writer->sink, ",\n");
    write_samples(writer, which);
    write_weights(writer, which);
}

static void write_file(const speedscope_writer *writer)
{
    const mw_timeline *timeline = writer->view->timeline;
    mw_sink *sink = writer->sink;

    mw_sink_text(sink, "{\n  \"$schema\": \"https://www.speedscope.app/file-format-schema.json\","
                       "\n  \"exporter\": \"memwhy@" MW_VERSION "\",\n  \"name\": ");
    mw_sink_json_text(sink, timeline == NULL ? "memwhy" : timeline->program.name);
    mw_sink_text(sink, ",\n  \"activeProfileIndex\": 0,\n");
    write_frames(writer);
    mw_sink_text(sink, "  \"profiles\": [\n");
    write_profile(writer, SIDE_NOW);
    if (writer->tree->before != NULL) {
        mw_sink_text(sink, ",\n");
        write_profile(writer, SIDE_BEFORE);
    }
    mw_sink_text(sink, "]\n}\n");
}

static mw_status write_tree(const mw_view *view, const mw_call_tree *tree, mw_alloc *alloc,
                            mw_sink *sink)
{
    speedscope_writer writer = {.view = view, .tree = tree, .sink = sink};

    writer.stack = mw_alloc_array(alloc, tree->deepest, sizeof *writer.stack);
    if (writer.stack == NULL)
        return MW_NO_MEMORY;
    write_file(&writer);
    mw_alloc_release(alloc, writer.stack, tree->deepest * sizeof *writer.stack);
    return MW_OK;
}

static mw_status speedscope_write(const mw_view *view, mw_alloc *alloc, mw_sink *sink,
                                  mw_error *reterr)
{
    static const mw_tree_drawing drawing = {.what = "the speedscope file", .write = write_tree};

    return mw_renderer_draw_tree(&drawing, view, alloc, sink, reterr);
}

const mw_renderer mw_renderer_speedscope = {
    .name = "speedscope",
    .extension = ".speedscope.json",
    .summary = "a flame graph for https://www.speedscope.app",
    .write = speedscope_write,
};
