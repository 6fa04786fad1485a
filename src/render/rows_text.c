/* SPDX-License-Identifier: MIT */
#include "render/rows_text.h"

#include <stdio.h>
#include <string.h>

enum { NUMBERS_COLUMNS = 30 /* size, share and blocks, with the gap behind them */ };

const char *mw_group_key_noun(mw_group_key key)
{
    if (key == MW_GROUP_LINE)
        return "line";
    return key == MW_GROUP_FILE ? "file" : mw_group_key_name(key);
}

/* ── what a row stands for ───────────────────────────────────────────────────────── */

static bool is_place(mw_group_key key)
{
    return key == MW_GROUP_LINE || key == MW_GROUP_FILE || key == MW_GROUP_FUNCTION;
}

mw_frame_row mw_row_frame(mw_blames *blames, mw_group_key key, const mw_row *row)
{
    mw_frame_row frame = {.file = row->file, .line = row->line};
    mw_frame any = {0};

    if (key == MW_GROUP_FUNCTION)
        frame.function = row->label;
    if (key == MW_GROUP_LINE && row->snapshot == blames->snapshot)
        any = mw_blames_innermost(blames, key, row);
    return any.index == 0 ? frame : mw_snapshot_frame(blames->snapshot, any);
}

static void write_thread(const mw_screen *screen, const mw_row *row, uint32_t columns)
{
    const char *name = mw_snapshot_thread_name(row->snapshot, row->thread);

    if (*name == '\0')
        mw_sink_text(screen->sink, "threads without a name");
    else
        mw_sink_clean(screen->sink, name, strlen(name), columns);
}

static void write_domain(const mw_screen *screen, const mw_row *row)
{
    mw_sink_format(screen->sink, "%u", (unsigned)row->domain);
    if (row->domain == MW_DOMAIN_PYTHON)
        mw_sink_text(screen->sink, ", Python's allocators");
}

void mw_row_write_label(const mw_screen *screen, mw_group_key key, const mw_row *row,
                        mw_frame_row frame, uint32_t columns)
{
    size_t length;
    const char *label;

    if (is_place(key)) {
        mw_screen_place(screen, row->snapshot, frame, columns);
        return;
    }
    if (key == MW_GROUP_THREAD) {
        write_thread(screen, row, columns);
        return;
    }
    if (key == MW_GROUP_DOMAIN) {
        write_domain(screen, row);
        return;
    }
    label = mw_snapshot_string(row->snapshot, row->label, &length);
    if (length == 0)
        mw_sink_format(screen->sink, "<no %s>", mw_group_key_noun(key)); /* MW_REGION_NONE */
    else if (key == MW_GROUP_MODULE) /* which may be a file's name */
        mw_places_write(screen->places, label, columns, screen->sink);
    else
        mw_sink_clean(screen->sink, label, length, columns);
}

/* ── rows ────────────────────────────────────────────────────────────────────────── */

/* "±1234 KiB": the greater distance to either end of the interval. */
static mw_size_text error_of(const mw_estimate *estimate, uint64_t sample_bytes)
{
    mw_interval interval = mw_estimate_bytes_interval(estimate, sample_bytes);
    double above = interval.high - estimate->bytes, below = estimate->bytes - interval.low;
    mw_size_text text;

    snprintf(text.text, sizeof text.text, "±%.20s",
             mw_size_format((uint64_t)(above > below ? above : below)).text);
    return text;
}

/* Of what was sampled the number of blocks says little, and the error much. */
static void write_numbers(const mw_rows_table *table, const mw_screen *screen, uint64_t bytes,
                          uint64_t blocks, const mw_estimate *estimate)
{
    mw_sink_format(screen->sink, "%9s %6s ", mw_size_format(bytes).text,
                   mw_share_format(bytes, table->blames->live_bytes).text);
    if (estimate != NULL)
        mw_sink_format(screen->sink, "%12s  ", /* ± is two bytes */
                       error_of(estimate, table->rows->sample_bytes).text);
    else
        mw_sink_format(screen->sink, "%11s  ", mw_count_format(blocks).text);
}

/* What is known of the row's error; NULL where there is none. */
static const mw_estimate *estimate_of(const mw_rows_table *table, const mw_row *row)
{
    const mw_rows *rows = table->rows;

    return rows->are_estimated ? &rows->estimates[row - rows->items].now : NULL;
}

static void write_caller(const mw_rows_table *table, const mw_screen *screen, const mw_row *row)
{
    static const char lead[] = "called from ";
    mw_frame caller = mw_blames_caller(table->blames, table->rows->key, row);

    if (caller.index == 0)
        return;
    mw_sink_repeat(screen->sink, ' ', NUMBERS_COLUMNS);
    mw_sink_text(screen->sink, lead);
    mw_screen_place(screen, row->snapshot, mw_snapshot_frame(row->snapshot, caller),
                    screen->width - NUMBERS_COLUMNS - (uint32_t)strlen(lead));
    mw_sink_text(screen->sink, "\n");
}

static void write_row(const mw_rows_table *table, const mw_screen *screen, const mw_row *row)
{
    mw_group_key key = table->rows->key;
    mw_frame_row frame = mw_row_frame(table->blames, key, row);

    write_numbers(table, screen, row->bytes, row->blocks, estimate_of(table, row));
    mw_row_write_label(screen, key, row, frame, screen->width - NUMBERS_COLUMNS);
    mw_sink_text(screen->sink, "\n");
    if (!is_place(key))
        return;
    mw_screen_source(screen, row->snapshot, frame, NUMBERS_COLUMNS);
    write_caller(table, screen, row);
}

static mw_status write_traceback(const mw_rows_table *table, const mw_screen *screen,
                                 const mw_row *row, mw_alloc *alloc)
{
    const mw_estimate *estimate = estimate_of(table, row);
    mw_status status;

    mw_sink_text(screen->sink, mw_size_format(row->bytes).text);
    if (estimate != NULL)
        mw_sink_format(screen->sink, " %s", error_of(estimate, table->rows->sample_bytes).text);
    mw_sink_format(screen->sink, ", %s, in %s block%s, from (most recent call last):\n",
                   mw_share_format(row->bytes, table->blames->live_bytes).text,
                   mw_count_format(row->blocks).text, row->blocks == 1 ? "" : "s");
    status = mw_screen_traceback(screen, row->snapshot, row->traceback, alloc);
    mw_sink_text(screen->sink, "\n");
    return status;
}

/* ── the table ───────────────────────────────────────────────────────────────────── */

static void write_others(const mw_rows_table *table, const mw_screen *screen, uint32_t shown)
{
    const mw_rows *rows = table->rows;
    uint64_t bytes = 0;
    uint64_t blocks = 0;
    mw_estimate estimate;

    if (shown == rows->count)
        return;
    if (rows->are_estimated)
        estimate = mw_rows_estimate_from(rows, shown);
    for (uint32_t i = shown; i < rows->count; i++) {
        bytes += rows->items[i].bytes;
        blocks += rows->items[i].blocks;
    }
    write_numbers(table, screen, bytes, blocks, rows->are_estimated ? &estimate : NULL);
    mw_sink_format(screen->sink, "%s other %s%s\n", mw_count_format(rows->count - shown).text,
                   mw_group_key_noun(rows->key), rows->count - shown == 1 ? "" : "s");
}

mw_status mw_rows_table_write(const mw_rows_table *table, const mw_screen *screen, mw_alloc *alloc)
{
    const mw_rows *rows = table->rows;
    uint32_t shown = rows->count < table->top ? rows->count : table->top;

    if (rows->count == 0)
        return MW_OK;
    if (rows->key != MW_GROUP_TRACEBACK)
        mw_sink_format(screen->sink, "%9s %6s %11s  %s\n", "size", "share",
                       rows->are_estimated ? "error" : "blocks", mw_group_key_noun(rows->key));
    for (uint32_t i = 0; i < shown; i++) {
        mw_status status = MW_OK;
        if (rows->key == MW_GROUP_TRACEBACK)
            status = write_traceback(table, screen, &rows->items[i], alloc);
        else
            write_row(table, screen, &rows->items[i]);
        if (status != MW_OK)
            return status;
    }
    write_others(table, screen, shown);
    mw_sink_text(screen->sink, "\n");
    return MW_OK;
}
