/* SPDX-License-Identifier: MIT
 *
 * A difference as a table of GitHub's Markdown.  Names are of anybody's making: in running
 * text every character that could mean something is escaped, in cells they stand in code
 * spans, whose fences are longer than any within.
 */
#include "render/difference.h"
#include "render/rows_text.h"

#include <string.h>

enum { ALL_COLUMNS = 4096 };

/* Writes text so that it stands for itself. */
static void write_escaped(mw_sink *sink, const char *text)
{
    for (; *text != '\0'; text++) {
        if (strchr("\\`*_{}[]<>#|~$&!@", *text) != NULL)
            mw_sink_text(sink, "\\");
        mw_sink_bytes(sink, text, 1);
    }
}

static uint32_t longest_run(const char *text, char of)
{
    uint32_t longest = 0, run = 0;

    for (; *text != '\0'; text++) {
        run = *text == of ? run + 1 : 0;
        longest = run > longest ? run : longest;
    }
    return longest;
}

/* In a table's cell even code has its "|" escaped. */
static void write_code(mw_sink *sink, const char *text)
{
    uint32_t fence = longest_run(text, '`') + 1;

    mw_sink_repeat(sink, '`', fence);
    mw_sink_text(sink, fence > 1 ? " " : "");
    for (; *text != '\0'; text++) {
        if (*text == '|')
            mw_sink_text(sink, "\\");
        mw_sink_bytes(sink, text, 1);
    }
    mw_sink_text(sink, fence > 1 ? " " : "");
    mw_sink_repeat(sink, '`', fence);
}

static void write_gathered(mw_buffer *text, mw_sink *sink, void (*write)(mw_sink *, const char *))
{
    write(sink, text->bytes == NULL ? "" : text->bytes);
    if (sink->status == MW_OK)
        sink->status = text->sink.status;
    mw_buffer_done(text);
}

static void write_numbers(const mw_row *row, mw_sink *sink)
{
    mw_sink_format(sink, "| %s | %s ", mw_size_format(mw_row_bytes_before(row)).text,
                   mw_size_format(row->bytes).text);
    mw_sink_format(sink, "| %s ", mw_change_format(mw_row_bytes_before(row), row->bytes).text);
    mw_sink_format(sink, "| %s | ",
                   mw_count_change_format(mw_row_blocks_before(row), row->blocks).text);
}

/* The place where a traceback's blocks were allocated stands for it. */
static void write_label(const mw_difference *difference, mw_changes *changes, const mw_row *row,
                        mw_alloc *alloc, mw_sink *sink)
{
    mw_screen screen = {.places = difference->view->places, .width = ALL_COLUMNS};
    mw_buffer text;

    mw_buffer_init(&text, alloc);
    screen.sink = &text.sink;
    if (difference->by == MW_GROUP_TRACEBACK) {
        mw_path path = mw_snapshot_traceback(row->snapshot, row->traceback).path;
        mw_frame frame = mw_snapshot_path_frame(row->snapshot, path);
        mw_screen_place(&screen, row->snapshot, mw_snapshot_frame(row->snapshot, frame),
                        ALL_COLUMNS);
    } else
        mw_changes_write_label(changes, difference, row, &screen, ALL_COLUMNS);
    write_gathered(&text, sink, write_code);
}

static void write_rows(const mw_difference *difference, mw_changes *changes, mw_alloc *alloc,
                       mw_sink *sink)
{
    const mw_rows *rows = &changes->rows;
    mw_row others = {0};
    uint32_t shown = 0;

    mw_sink_format(sink, "| old | new | change | blocks | %s |\n|---:|---:|---:|---:|:---|\n",
                   mw_group_key_noun(rows->key));
    for (; shown < rows->count && shown < difference->top; shown++) {
        const mw_row *row = &rows->items[shown];
        if (row->bytes_change == 0 && row->blocks_change == 0)
            break;
        write_numbers(row, sink);
        write_label(difference, changes, row, alloc, sink);
        mw_sink_text(sink, " |\n");
    }
    for (uint32_t i = shown; i < rows->count; i++) {
        others.bytes += rows->items[i].bytes;
        others.blocks += rows->items[i].blocks;
        others.bytes_change += rows->items[i].bytes_change;
        others.blocks_change += rows->items[i].blocks_change;
    }
    if (shown == rows->count)
        return;
    write_numbers(&others, sink);
    mw_sink_format(sink, "%s other %s%s |\n", mw_count_format(rows->count - shown).text,
                   mw_group_key_noun(rows->key), rows->count - shown == 1 ? "" : "s");
}

mw_status mw_difference_write_markdown(const mw_difference *difference, mw_changes *changes,
                                       mw_alloc *alloc, mw_sink *sink, mw_error *reterr)
{
    mw_buffer text;

    mw_buffer_init(&text, alloc);
    mw_changes_write_verdict(changes, difference, &text.sink);
    mw_sink_text(sink, "**");
    write_gathered(&text, sink, write_escaped);
    mw_sink_text(sink, "**\n\n");
    if (*difference->cautions != '\0') {
        write_escaped(sink, difference->cautions);
        mw_sink_text(sink, "\n\n");
    }
    write_rows(difference, changes, alloc, sink);
    return sink->status == MW_OK
               ? MW_OK
               : mw_error_set(reterr, sink->status, "the difference could not be written");
}
