/* SPDX-License-Identifier: MIT
 *
 * The summary for programs; the format is described in docs/run.md.  Numbers are bytes
 * and counts, paths are whole, and every object has all of its members always.
 */
#include "render/rows_text.h"
#include "render/summary.h"

#include "render/utf8_step.h"

#include <string.h>

typedef struct json_writer {
    const mw_summary *summary;
    mw_verdict *verdict;
    mw_sink *sink;
} json_writer;

static void write_name(const json_writer *writer, const char *key, mw_string name)
{
    size_t length;
    const char *bytes = mw_snapshot_string(writer->summary->snapshot, name, &length);

    mw_sink_format(writer->sink, "\"%s\": ", key);
    if (name.index == 0)
        mw_sink_text(writer->sink, "null");
    else
        mw_sink_json_string(writer->sink, bytes, length);
}

static void write_number(const json_writer *writer, const char *key, uint64_t number)
{
    mw_sink_format(writer->sink, "\"%s\": %llu", key, (unsigned long long)number);
}

static void write_line(const json_writer *writer, int32_t line)
{
    if (line > 0)
        mw_sink_format(writer->sink, "\"line\": %d", (int)line);
    else
        mw_sink_text(writer->sink, "\"line\": null");
}

/* `{"file": …, "line": …, "function": …, "source": …}`, or null for frame row 0. */
static void write_frame(const json_writer *writer, mw_frame_row frame)
{
    mw_source *source = writer->summary->source;
    char text[MW_SOURCE_LINE_BYTES];

    source->line(source, mw_snapshot_string(writer->summary->snapshot, frame.file, NULL),
                 frame.line, text);
    mw_sink_text(writer->sink, "{");
    write_name(writer, "file", frame.file);
    mw_sink_text(writer->sink, ", ");
    write_line(writer, frame.line);
    mw_sink_text(writer->sink, ", ");
    write_name(writer, "function", frame.function);
    mw_sink_text(writer->sink, ", \"source\": ");
    if (*text == '\0')
        mw_sink_text(writer->sink, "null");
    else
        mw_sink_json_string(writer->sink, text, strlen(text));
    mw_sink_text(writer->sink, "}");
}

static void write_frame_or_null(const json_writer *writer, const char *key, mw_frame frame)
{
    mw_sink_format(writer->sink, "\"%s\": ", key);
    if (frame.index == 0)
        mw_sink_text(writer->sink, "null");
    else
        write_frame(writer, mw_snapshot_frame(writer->summary->snapshot, frame));
}

/* ── the verdict ─────────────────────────────────────────────────────────────────── */

static void write_culprit(const json_writer *writer, const mw_blame *culprit)
{
    mw_sink_format(writer->sink, "{\"kind\": \"%s\", ",
                   culprit->kind == MW_BLAME_PROGRAM ? "program" : "library");
    write_number(writer, "bytes", culprit->bytes);
    mw_sink_text(writer->sink, ", ");
    write_number(writer, "blocks", culprit->blocks);
    mw_sink_text(writer->sink, ",\n     ");
    write_frame_or_null(writer, "at", culprit->frame);
    mw_sink_text(writer->sink, ",\n     ");
    write_frame_or_null(writer, "allocated_in", culprit->innermost);
    mw_sink_text(writer->sink, "}");
}

static void write_verdict(const json_writer *writer, mw_alloc *alloc)
{
    const mw_verdict *verdict = writer->verdict;
    mw_buffer sentence;

    mw_buffer_init(&sentence, alloc);
    mw_verdict_write(verdict, writer->summary, &sentence.sink);
    mw_sink_text(writer->sink, "  \"verdict\": ");
    mw_sink_json_string(writer->sink, sentence.bytes == NULL ? "" : sentence.bytes,
                        sentence.length);
    if (writer->sink->status == MW_OK)
        writer->sink->status = sentence.sink.status;
    mw_buffer_done(&sentence);

    mw_sink_text(writer->sink, ",\n  \"culprits\": [");
    for (uint32_t i = 0; i < verdict->culprit_count; i++) {
        mw_sink_text(writer->sink, i == 0 ? "\n    " : ",\n    ");
        write_culprit(writer, verdict->culprits[i]);
    }
    mw_sink_text(writer->sink, "],\n");
}

static void write_totals(const json_writer *writer)
{
    const struct {
        const char *key;
        uint64_t number;
    } totals[] = {
        {"current_bytes", writer->summary->current_bytes},
        {"peak_bytes", writer->summary->peak_bytes},
        {"overhead_bytes", writer->summary->overhead_bytes},
        {"lost_bytes", writer->summary->lost_bytes},
        {"lost_blocks", writer->summary->lost_blocks},
        {"live_bytes", writer->verdict->blames.live_bytes},
        {"live_blocks", writer->verdict->blames.live_blocks},
        {"import_bytes", writer->verdict->blames.import_bytes},
        {"frame_limit", mw_snapshot_frame_limit(writer->summary->snapshot)},
        {"row_count", writer->verdict->rows.count},
    };

    for (size_t i = 0; i < sizeof totals / sizeof totals[0]; i++) {
        mw_sink_text(writer->sink, "  ");
        write_number(writer, totals[i].key, totals[i].number);
        mw_sink_text(writer->sink, ",\n");
    }
}

/* Only if anything was given up. */
static void write_degradation(const json_writer *writer)
{
    if (writer->summary->stage == MW_STAGE_EXACT)
        return;
    mw_sink_format(writer->sink, "  \"stage\": \"%s\",\n  ", mw_stage_name(writer->summary->stage));
    write_number(writer, "cut_bytes", writer->summary->cut_bytes);
    mw_sink_text(writer->sink, ",\n  ");
    write_number(writer, "cut_blocks", writer->summary->cut_blocks);
    mw_sink_text(writer->sink, ",\n");
}

/* ── rows ────────────────────────────────────────────────────────────────────────── */

/* Most recent call last, as in the text. */
static mw_status write_traceback(const json_writer *writer, const mw_row *row, mw_alloc *alloc)
{
    const mw_snapshot *snapshot = writer->summary->snapshot;
    mw_traceback_row traceback = mw_snapshot_traceback(snapshot, row->traceback);
    uint32_t count = traceback.frame_count;
    mw_path *paths = mw_alloc_array(alloc, count, sizeof *paths);
    mw_path path = traceback.path;

    if (paths == NULL)
        return MW_NO_MEMORY;
    for (uint32_t i = count; i > 0; i--) {
        paths[i - 1] = path;
        path = mw_snapshot_path_caller(snapshot, path);
    }
    write_number(writer, "total_frames", traceback.total_frames);
    mw_sink_text(writer->sink, ", \"traceback\": [");
    for (uint32_t i = 0; i < count; i++) {
        mw_sink_text(writer->sink, i == 0 ? "\n      " : ",\n      ");
        write_frame(writer,
                    mw_snapshot_frame(snapshot, mw_snapshot_path_frame(snapshot, paths[i])));
    }
    mw_sink_text(writer->sink, "]");
    mw_alloc_release(alloc, paths, count * sizeof *paths);
    return MW_OK;
}

static mw_status write_row(const json_writer *writer, const mw_row *row, mw_alloc *alloc)
{
    mw_sink_text(writer->sink, "{");
    write_number(writer, "bytes", row->bytes);
    mw_sink_text(writer->sink, ", ");
    write_number(writer, "blocks", row->blocks);
    mw_sink_text(writer->sink, ", ");
    if (writer->summary->by == MW_GROUP_TRACEBACK) {
        mw_status status = write_traceback(writer, row, alloc);
        if (status != MW_OK)
            return status;
    } else if (writer->summary->by == MW_GROUP_REGION) {
        write_name(writer, "region", row->label);
    } else {
        mw_sink_text(writer->sink, "\"at\": ");
        write_frame(writer, mw_row_frame(&writer->verdict->blames, writer->summary->by, row));
        mw_sink_text(writer->sink, ",\n     ");
        write_frame_or_null(writer, "called_from",
                            mw_blames_caller(&writer->verdict->blames, writer->summary->by, row));
    }
    mw_sink_text(writer->sink, "}");
    return MW_OK;
}

static mw_status write_rows(const json_writer *writer, mw_alloc *alloc)
{
    const mw_rows *rows = &writer->verdict->rows;

    mw_sink_text(writer->sink, "  \"rows\": [");
    for (uint32_t i = 0; i < rows->count && i < writer->summary->top; i++) {
        mw_status status;
        mw_sink_text(writer->sink, i == 0 ? "\n    " : ",\n    ");
        status = write_row(writer, &rows->items[i], alloc);
        if (status != MW_OK)
            return status;
    }
    mw_sink_text(writer->sink, "]\n");
    return MW_OK;
}

mw_status mw_summary_write_json(const mw_summary *summary, mw_alloc *alloc, mw_sink *sink,
                                mw_error *reterr)
{
    static const char *const keys[MW_GROUP_COUNT] = {[MW_GROUP_LINE] = "line",
                                                     [MW_GROUP_FILE] = "file",
                                                     [MW_GROUP_FUNCTION] = "function",
                                                     [MW_GROUP_REGION] = "region",
                                                     [MW_GROUP_TRACEBACK] = "traceback"};
    mw_verdict verdict;
    json_writer writer = {.summary = summary, .verdict = &verdict, .sink = sink};
    mw_status status = mw_verdict_init(&verdict, summary, alloc, reterr);

    if (status != MW_OK)
        return status;
    mw_sink_text(sink, "{\n  \"format\": \"memwhy-summary\",\n  \"version\": 1,\n");
    write_verdict(&writer, alloc);
    write_totals(&writer);
    write_degradation(&writer);
    mw_sink_format(sink, "  \"by\": \"%s\",\n", keys[summary->by]);
    status = write_rows(&writer, alloc);
    mw_sink_text(sink, "}\n");
    mw_verdict_done(&verdict);
    if (status == MW_OK)
        status = sink->status;
    return status == MW_OK ? MW_OK
                           : mw_error_set(reterr, status, "the summary could not be written");
}
