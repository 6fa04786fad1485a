/* SPDX-License-Identifier: MIT */
#include "render/difference.h"
#include "render/rows_text.h"

#include <string.h>

enum { NUMBERS_COLUMNS = 44 /* old, new, change and blocks, with the gap behind them */ };

typedef struct diff_writer {
    const mw_difference *difference;
    mw_changes *changes;
    mw_screen screen;       /* with the newer program's source */
    mw_screen older_screen; /* with the older one's            */
    mw_sink *sink;
    mw_alloc *alloc;
} diff_writer;

/* ── the head ────────────────────────────────────────────────────────────────────── */

static void write_verdict(const diff_writer *writer)
{
    mw_buffer text;

    mw_buffer_init(&text, writer->alloc);
    mw_changes_write_verdict(writer->changes, writer->difference, &text.sink);
    mw_screen_gathered(&writer->screen, &text, MW_STYLE_STRONG);
    mw_sink_text(writer->sink, "\n");
}

/* "old: old.memwhy, alive at the end, 2m03s: 18.1 MiB in 1,234 blocks." */
static void write_side(const diff_writer *writer, const char *name, const char *lead,
                       const mw_snapshot *snapshot)
{
    mw_buffer text;

    mw_buffer_init(&text, writer->alloc);
    mw_sink_format(&text.sink, "%s: ", name);
    mw_sink_clean(&text.sink, lead, strlen(lead), UINT32_MAX);
    mw_sink_format(&text.sink, ": %s in %s block%s.",
                   mw_size_format(mw_snapshot_live_bytes(snapshot)).text,
                   mw_count_format(mw_snapshot_block_count(snapshot)).text,
                   mw_snapshot_block_count(snapshot) == 1 ? "" : "s");
    mw_screen_gathered(&writer->screen, &text, MW_STYLE_PLAIN);
}

static void write_head(const diff_writer *writer)
{
    const mw_difference *difference = writer->difference;

    write_verdict(writer);
    write_side(writer, "old", difference->older_lead, difference->view->older);
    write_side(writer, "new", difference->newer_lead, difference->view->snapshot);
    if (*difference->selection != '\0') {
        mw_sink_text(writer->sink, "Of both is shown what is ");
        mw_sink_clean(writer->sink, difference->selection, strlen(difference->selection),
                      UINT32_MAX);
        mw_sink_text(writer->sink, ".\n");
    }
    if (*difference->cautions != '\0')
        mw_screen_wrapped(&writer->screen, difference->cautions);
    mw_sink_text(writer->sink, "\n");
}

/* ── rows ────────────────────────────────────────────────────────────────────────── */

static void write_numbers(const diff_writer *writer, const mw_row *row)
{
    mw_style style = row->bytes_change > 0   ? MW_STYLE_MORE
                     : row->bytes_change < 0 ? MW_STYLE_LESS
                                             : MW_STYLE_PLAIN;

    mw_sink_format(writer->sink, "%9s %9s ", mw_size_format(mw_row_bytes_before(row)).text,
                   mw_size_format(row->bytes).text);
    mw_screen_style(&writer->screen, style);
    mw_sink_format(writer->sink, "%10s",
                   mw_change_format(mw_row_bytes_before(row), row->bytes).text);
    mw_screen_style(&writer->screen, MW_STYLE_PLAIN);
    mw_sink_format(writer->sink, " %11s  ",
                   mw_count_change_format(mw_row_blocks_before(row), row->blocks).text);
}

static const mw_screen *screen_of(const diff_writer *writer, const mw_row *row)
{
    return row->snapshot == writer->difference->view->snapshot ? &writer->screen
                                                               : &writer->older_screen;
}

/* Where the row's line was before, if it has moved. */
static void write_before(const diff_writer *writer, const mw_row *row)
{
    const mw_difference *difference = writer->difference;
    int32_t before = 0;

    if (difference->matches != NULL && row->snapshot == difference->view->snapshot)
        before = mw_line_matches_before(difference->matches, difference->unmatched_older, row->file,
                                        row->line);
    if (before == 0 || before == row->line)
        return;
    mw_sink_repeat(writer->sink, ' ', NUMBERS_COLUMNS);
    mw_screen_style(&writer->screen, MW_STYLE_FAINT);
    mw_sink_format(writer->sink, "was line %d\n", (int)before);
    mw_screen_style(&writer->screen, MW_STYLE_PLAIN);
}

static void write_line_details(const diff_writer *writer, const mw_row *row)
{
    const mw_screen *screen = screen_of(writer, row);
    bool is_newer = screen == &writer->screen;
    mw_blames *blames = is_newer ? &writer->changes->newer_blames : &writer->changes->older_blames;
    mw_frame_row frame = {.file = row->file, .line = row->line < 0 ? -row->line : row->line};
    mw_frame caller = mw_blames_caller(blames, writer->difference->by, row);

    if (screen->source != NULL)
        mw_screen_source(screen, row->snapshot, frame, NUMBERS_COLUMNS);
    write_before(writer, row);
    if (caller.index == 0)
        return;
    mw_sink_repeat(writer->sink, ' ', NUMBERS_COLUMNS);
    mw_sink_text(writer->sink, "from ");
    mw_screen_place(screen, row->snapshot, mw_snapshot_frame(row->snapshot, caller),
                    screen->width - NUMBERS_COLUMNS - 5);
    mw_sink_text(writer->sink, "\n");
}

static void write_row(const diff_writer *writer, const mw_row *row)
{
    write_numbers(writer, row);
    mw_changes_write_label(writer->changes, writer->difference, row, screen_of(writer, row),
                           writer->screen.width - NUMBERS_COLUMNS);
    mw_sink_text(writer->sink, "\n");
    if (writer->difference->by == MW_GROUP_LINE)
        write_line_details(writer, row);
}

static mw_status write_traceback(const diff_writer *writer, const mw_row *row)
{
    mw_status status;

    mw_sink_format(writer->sink, "%s, from %s to %s, ",
                   mw_change_format(mw_row_bytes_before(row), row->bytes).text,
                   mw_size_format(mw_row_bytes_before(row)).text, mw_size_format(row->bytes).text);
    mw_sink_format(writer->sink, "%s blocks (most recent call last):\n",
                   mw_count_change_format(mw_row_blocks_before(row), row->blocks).text);
    status =
        mw_screen_traceback(screen_of(writer, row), row->snapshot, row->traceback, writer->alloc);
    mw_sink_text(writer->sink, "\n");
    return status;
}

/* ── the table ───────────────────────────────────────────────────────────────────── */

static bool has_changed(const mw_row *row)
{
    return row->bytes_change != 0 || row->blocks_change != 0;
}

/* The rows behind the first [shown], as one; those that did not change are not counted. */
static void write_others(const diff_writer *writer, uint32_t shown)
{
    const mw_rows *rows = &writer->changes->rows;
    mw_row sum = {0};
    uint32_t count = 0;

    for (uint32_t i = shown; i < rows->count; i++) {
        sum.bytes += rows->items[i].bytes;
        sum.blocks += rows->items[i].blocks;
        sum.bytes_change += rows->items[i].bytes_change;
        sum.blocks_change += rows->items[i].blocks_change;
        count++;
    }
    if (count == 0)
        return;
    write_numbers(writer, &sum);
    mw_sink_format(writer->sink, "%s other %s%s\n", mw_count_format(count).text,
                   mw_group_key_noun(rows->key), count == 1 ? "" : "s");
}

static mw_status write_table(const diff_writer *writer)
{
    const mw_rows *rows = &writer->changes->rows;
    bool is_traceback = rows->key == MW_GROUP_TRACEBACK;
    uint32_t shown = 0;

    if (rows->count == 0)
        return MW_OK;
    if (!is_traceback)
        mw_sink_format(writer->sink, "%9s %9s %10s %11s  %s\n", "old", "new", "change", "blocks",
                       mw_group_key_noun(rows->key));
    for (; shown < rows->count && shown < writer->difference->top; shown++) {
        mw_status status = MW_OK;
        if (!has_changed(&rows->items[shown]))
            break;
        if (is_traceback)
            status = write_traceback(writer, &rows->items[shown]);
        else
            write_row(writer, &rows->items[shown]);
        if (status != MW_OK)
            return status;
    }
    write_others(writer, shown);
    return MW_OK;
}

mw_status mw_difference_write_text(const mw_difference *difference, mw_changes *changes,
                                   mw_alloc *alloc, mw_sink *sink, mw_error *reterr)
{
    diff_writer writer = {.difference = difference,
                          .changes = changes,
                          .screen = {.sink = sink,
                                     .places = difference->view->places,
                                     .source = difference->view->source,
                                     .width = difference->width,
                                     .has_colour = difference->has_colour},
                          .sink = sink,
                          .alloc = alloc};
    mw_status status;

    writer.older_screen = writer.screen;
    writer.older_screen.source = difference->older_source;
    write_head(&writer);
    if (difference->tree != NULL)
        return mw_tree_write_text(difference->tree, difference->view->snapshot,
                                  difference->view->older, &writer.screen, alloc, reterr);
    status = write_table(&writer);
    if (status == MW_OK)
        status = sink->status;
    return status == MW_OK ? MW_OK
                           : mw_error_set(reterr, status, "the difference could not be written");
}
