/* SPDX-License-Identifier: MIT
 *
 * The summary for a person at a terminal: the verdict first, then the numbers.
 */
#include "render/summary.h"

#include <stdio.h>
#include <string.h>

enum {
    NUMBERS_COLUMNS = 30,         /* size, share and blocks, with the gap behind them      */
    REPEATS_SHOWN = 3,            /* of one line in a traceback, as Python's tracebacks do */
    FUNCTION_COLUMNS_MINIMUM = 8, /* less of a name says nothing                   */
};

typedef struct text_writer {
    const mw_summary *summary;
    mw_verdict *verdict;
    mw_sink *sink;
} text_writer;

static void style(const text_writer *writer, const char *code)
{
    if (writer->summary->has_colour)
        mw_sink_format(writer->sink, "\033[%sm", code);
}

static const char *file_name(const text_writer *writer, mw_string file)
{
    const char *name = mw_snapshot_string(writer->summary->snapshot, file, NULL);

    return *name == '\0' ? "<unknown>" : name;
}

/* ── the head ────────────────────────────────────────────────────────────────────── */

/* Breaks one long line at blanks; a word that is too long stands alone. */
static void write_wrapped(const char *text, uint32_t width, mw_sink *sink)
{
    uint32_t column = 0;

    while (*text != '\0') {
        size_t length = strcspn(text, " ");
        uint32_t columns = mw_clean_columns(text, length);

        if (column != 0) {
            bool fits = column + 1 + columns <= width;
            mw_sink_text(sink, fits ? " " : "\n");
            column = fits ? column + 1 : 0;
        }
        mw_sink_bytes(sink, text, length);
        column += columns;
        text += length + (text[length] == ' ');
    }
    mw_sink_text(sink, "\n");
}

static void write_head(const text_writer *writer, mw_alloc *alloc)
{
    const mw_summary *summary = writer->summary;
    mw_buffer verdict;

    mw_buffer_init(&verdict, alloc);
    mw_sink_text(&verdict.sink, "memwhy: ");
    mw_verdict_write(writer->verdict, summary, &verdict.sink);
    style(writer, "1");
    write_wrapped(verdict.bytes == NULL ? "" : verdict.bytes, summary->width, writer->sink);
    style(writer, "0");
    if (writer->sink->status == MW_OK)
        writer->sink->status = verdict.sink.status;
    mw_buffer_done(&verdict);

    mw_sink_format(writer->sink, "\nAlive at the end: %s in %s blocks; ",
                   mw_size_format(summary->current_bytes).text,
                   mw_count_format(writer->verdict->blames.live_blocks).text);
    mw_sink_format(writer->sink, "at the peak: %s.\n\n", mw_size_format(summary->peak_bytes).text);
}

/* ── rows ────────────────────────────────────────────────────────────────────────── */

static void write_numbers(const text_writer *writer, uint64_t bytes, uint64_t blocks)
{
    mw_sink_format(writer->sink, "%9s %6s %11s  ", mw_size_format(bytes).text,
                   mw_share_format(bytes, writer->verdict->blames.live_bytes).text,
                   mw_count_format(blocks).text);
}

/* `file:line in function`, the function only where there is room for some of it. */
static void write_place(const text_writer *writer, mw_frame_row row, uint32_t columns)
{
    size_t length;
    const char *function = mw_snapshot_string(writer->summary->snapshot, row.function, &length);
    char line[16] = "";
    uint32_t used;

    if (row.line > 0)
        snprintf(line, sizeof line, ":%d", (int)row.line);
    columns -= (uint32_t)strlen(line);
    used = mw_places_write(writer->summary->places, file_name(writer, row.file), columns,
                           writer->sink);
    mw_sink_text(writer->sink, line);
    if (length == 0 || used + 4 + FUNCTION_COLUMNS_MINIMUM > columns)
        return;
    mw_sink_text(writer->sink, " in ");
    mw_sink_clean(writer->sink, function, length, columns - used - 4);
}

static void write_source(const text_writer *writer, mw_frame_row row, uint32_t indent)
{
    char text[MW_SOURCE_LINE_BYTES];

    writer->summary->source->line(writer->summary->source, file_name(writer, row.file), row.line,
                                  text);
    if (*text == '\0')
        return;
    mw_sink_repeat(writer->sink, ' ', indent);
    style(writer, "2");
    mw_sink_clean(writer->sink, text, strlen(text), writer->summary->width - indent);
    style(writer, "0");
    mw_sink_text(writer->sink, "\n");
}

static void write_caller(const text_writer *writer, const mw_row *row)
{
    static const char lead[] = "called from ";
    mw_frame caller = mw_blames_caller(&writer->verdict->blames, writer->summary->by, row);

    if (caller.index == 0)
        return;
    mw_sink_repeat(writer->sink, ' ', NUMBERS_COLUMNS);
    mw_sink_text(writer->sink, lead);
    write_place(writer, mw_snapshot_frame(writer->summary->snapshot, caller),
                writer->summary->width - NUMBERS_COLUMNS - (uint32_t)strlen(lead));
    mw_sink_text(writer->sink, "\n");
}

static void write_row(const text_writer *writer, const mw_row *row)
{
    mw_frame_row frame = mw_verdict_frame_of(writer->verdict, writer->summary, row);

    write_numbers(writer, row->bytes, row->blocks);
    write_place(writer, frame, writer->summary->width - NUMBERS_COLUMNS);
    mw_sink_text(writer->sink, "\n");
    write_source(writer, frame, NUMBERS_COLUMNS);
    write_caller(writer, row);
}

/* ── tracebacks ──────────────────────────────────────────────────────────────────── */

static void write_frame(const text_writer *writer, mw_frame_row frame)
{
    size_t length;
    const char *function = mw_snapshot_string(writer->summary->snapshot, frame.function, &length);

    mw_sink_text(writer->sink, "  File \"");
    mw_places_write(writer->summary->places, file_name(writer, frame.file), UINT32_MAX,
                    writer->sink);
    mw_sink_format(writer->sink, "\", line %d", (int)frame.line);
    if (length != 0) {
        mw_sink_text(writer->sink, ", in ");
        mw_sink_clean(writer->sink, function, length, UINT32_MAX);
    }
    mw_sink_text(writer->sink, "\n");
    write_source(writer, frame, 4);
}

static void write_repeats(const text_writer *writer, uint32_t repeats)
{
    if (repeats > REPEATS_SHOWN)
        mw_sink_format(writer->sink, "  [Previous line repeated %u more times]\n",
                       repeats - REPEATS_SHOWN);
}

/* Frames are linked from the most recent one; [paths] turns them round. */
static void write_frames(const text_writer *writer, const mw_path *paths, uint32_t count)
{
    const mw_snapshot *snapshot = writer->summary->snapshot;
    mw_frame previous = {0};
    uint32_t repeats = 0; /* how often the line was there in a row */

    for (uint32_t i = count; i > 0; i--) {
        mw_frame frame = mw_snapshot_path_frame(snapshot, paths[i - 1]);
        if (frame.index != previous.index) {
            write_repeats(writer, repeats);
            repeats = 0;
        }
        previous = frame;
        if (++repeats <= REPEATS_SHOWN)
            write_frame(writer, mw_snapshot_frame(snapshot, frame));
    }
    write_repeats(writer, repeats);
}

static mw_status write_traceback(const text_writer *writer, const mw_row *row, mw_alloc *alloc)
{
    const mw_snapshot *snapshot = writer->summary->snapshot;
    mw_traceback_row traceback = mw_snapshot_traceback(snapshot, row->traceback);
    mw_path *paths = mw_alloc_array(alloc, traceback.frame_count, sizeof *paths);
    mw_path path = traceback.path;

    if (paths == NULL)
        return MW_NO_MEMORY;
    for (uint32_t i = 0; i < traceback.frame_count; i++) {
        paths[i] = path;
        path = mw_snapshot_path_caller(snapshot, path);
    }
    mw_sink_format(writer->sink, "%s, %s, in %s block%s, from (most recent call last):\n",
                   mw_size_format(row->bytes).text,
                   mw_share_format(row->bytes, writer->verdict->blames.live_bytes).text,
                   mw_count_format(row->blocks).text, row->blocks == 1 ? "" : "s");
    if (traceback.total_frames > traceback.frame_count)
        mw_sink_format(writer->sink, "  (%u older frames were not kept)\n",
                       traceback.total_frames - traceback.frame_count);
    write_frames(writer, paths, traceback.frame_count);
    mw_sink_text(writer->sink, "\n");
    mw_alloc_release(alloc, paths, traceback.frame_count * sizeof *paths);
    return MW_OK;
}

/* ── the table ───────────────────────────────────────────────────────────────────── */

static void write_title(const text_writer *writer)
{
    static const char *const titles[MW_GROUP_COUNT] = {
        [MW_GROUP_LINE] = "line", [MW_GROUP_FILE] = "file", [MW_GROUP_FUNCTION] = "function"};

    if (writer->summary->by != MW_GROUP_TRACEBACK)
        mw_sink_format(writer->sink, "%9s %6s %11s  %s\n", "size", "share", "blocks",
                       titles[writer->summary->by]);
}

static void write_others(const text_writer *writer, uint32_t shown)
{
    static const char *const nouns[MW_GROUP_COUNT] = {[MW_GROUP_LINE] = "line",
                                                      [MW_GROUP_FILE] = "file",
                                                      [MW_GROUP_FUNCTION] = "function",
                                                      [MW_GROUP_TRACEBACK] = "traceback"};
    const mw_rows *rows = &writer->verdict->rows;
    uint64_t bytes = 0;
    uint64_t blocks = 0;

    if (shown == rows->count)
        return;
    for (uint32_t i = shown; i < rows->count; i++) {
        bytes += rows->items[i].bytes;
        blocks += rows->items[i].blocks;
    }
    write_numbers(writer, bytes, blocks);
    mw_sink_format(writer->sink, "%s other %s%s\n", mw_count_format(rows->count - shown).text,
                   nouns[writer->summary->by], rows->count - shown == 1 ? "" : "s");
}

static mw_status write_table(const text_writer *writer, mw_alloc *alloc)
{
    const mw_rows *rows = &writer->verdict->rows;
    uint32_t shown = rows->count < writer->summary->top ? rows->count : writer->summary->top;

    if (rows->count == 0)
        return MW_OK;
    write_title(writer);
    for (uint32_t i = 0; i < shown; i++) {
        mw_status status = MW_OK;
        if (writer->summary->by == MW_GROUP_TRACEBACK)
            status = write_traceback(writer, &rows->items[i], alloc);
        else
            write_row(writer, &rows->items[i]);
        if (status != MW_OK)
            return status;
    }
    write_others(writer, shown);
    mw_sink_text(writer->sink, "\n");
    return MW_OK;
}

/* What the tracer gave up to stay within its bound. */
static void write_degradation(const text_writer *writer)
{
    static const char *const given_up[] = {
        [MW_STAGE_CUT] = "the callers of new call paths",
        [MW_STAGE_COARSE] = "the callers of new call paths, and new functions",
        [MW_STAGE_LOSING] = "the callers of new call paths, new functions, and at last blocks",
    };
    const mw_summary *summary = writer->summary;

    if (summary->stage == MW_STAGE_FOLDED)
        mw_sink_text(writer->sink,
                     "To stay within its bound, memwhy folded the recursion of new call paths.\n");
    if (summary->stage > MW_STAGE_FOLDED)
        mw_sink_format(writer->sink,
                       "To stay within its bound, memwhy did not record %s: %s in %s blocks "
                       "have lost their callers.\n",
                       given_up[summary->stage], mw_size_format(summary->cut_bytes).text,
                       mw_count_format(summary->cut_blocks).text);
}

static void write_cost(const text_writer *writer)
{
    const mw_summary *summary = writer->summary;

    if (summary->lost_blocks != 0)
        mw_sink_format(
            writer->sink, "Missing above: %s in %s blocks, since %s.\n",
            mw_size_format(summary->lost_bytes).text, mw_count_format(summary->lost_blocks).text,
            summary->stage == MW_STAGE_LOSING ? "memwhy's bound was reached" : "memory ran out");
    write_degradation(writer);
    mw_sink_format(writer->sink, "memwhy itself took %s, %s of what the program had at its peak.\n",
                   mw_size_format(summary->overhead_bytes).text,
                   mw_share_format(summary->overhead_bytes, summary->peak_bytes).text);
}

mw_status mw_summary_write_text(const mw_summary *summary, mw_alloc *alloc, mw_sink *sink,
                                mw_error *reterr)
{
    mw_verdict verdict;
    text_writer writer = {.summary = summary, .verdict = &verdict, .sink = sink};
    mw_status status = mw_verdict_init(&verdict, summary, alloc, reterr);

    if (status != MW_OK)
        return status;
    write_head(&writer, alloc);
    status = write_table(&writer, alloc);
    write_cost(&writer);
    mw_verdict_done(&verdict);
    if (status == MW_OK)
        status = sink->status;
    return status == MW_OK ? MW_OK
                           : mw_error_set(reterr, status, "the summary could not be written");
}
