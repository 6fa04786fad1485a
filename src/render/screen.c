/* SPDX-License-Identifier: MIT */
#include "render/screen.h"

#include "core/region.h"

#include <stdio.h>
#include <string.h>

enum {
    REPEATS_SHOWN = 3,            /* of one line in a traceback, as Python's tracebacks do */
    FUNCTION_COLUMNS_MINIMUM = 8, /* less of a name says nothing                   */
};

void mw_screen_style(const mw_screen *screen, mw_style style)
{
    static const char *const codes[] = {
        [MW_STYLE_PLAIN] = "0", [MW_STYLE_STRONG] = "1", [MW_STYLE_FAINT] = "2",
        [MW_STYLE_MORE] = "31", [MW_STYLE_LESS] = "32",
    };

    if (screen->has_colour)
        mw_sink_format(screen->sink, "\033[%sm", codes[style]);
}

void mw_screen_wrapped(const mw_screen *screen, const char *text)
{
    uint32_t column = 0;

    while (*text != '\0') {
        size_t length = strcspn(text, " ");
        uint32_t columns = mw_clean_columns(text, length);

        if (column != 0) {
            bool fits = column + 1 + columns <= screen->width;
            mw_sink_text(screen->sink, fits ? " " : "\n");
            column = fits ? column + 1 : 0;
        }
        mw_sink_bytes(screen->sink, text, length);
        column += columns;
        text += length + (text[length] == ' ');
    }
    mw_sink_text(screen->sink, "\n");
}

void mw_screen_gathered(const mw_screen *screen, mw_buffer *text, mw_style style)
{
    if (style != MW_STYLE_PLAIN)
        mw_screen_style(screen, style);
    mw_screen_wrapped(screen, text->bytes == NULL ? "" : text->bytes);
    if (style != MW_STYLE_PLAIN)
        mw_screen_style(screen, MW_STYLE_PLAIN);
    if (screen->sink->status == MW_OK)
        screen->sink->status = text->sink.status;
    mw_buffer_done(text);
}

/* ── places ──────────────────────────────────────────────────────────────────────── */

const char *mw_screen_file(const mw_snapshot *snapshot, mw_string file)
{
    const char *name = mw_snapshot_string(snapshot, file, NULL);

    return *name == '\0' ? "<unknown>" : name;
}

/* "<region> NAME" */
static void write_region(const mw_screen *screen, const mw_snapshot *snapshot, mw_frame_row frame,
                         uint32_t columns)
{
    size_t length;
    const char *name = mw_snapshot_string(snapshot, frame.function, &length);

    mw_sink_text(screen->sink, MW_REGION_FILE " ");
    mw_sink_clean(screen->sink, name, length, columns - (uint32_t)sizeof MW_REGION_FILE);
}

void mw_screen_place(const mw_screen *screen, const mw_snapshot *snapshot, mw_frame_row frame,
                     uint32_t columns)
{
    size_t length;
    const char *function = mw_snapshot_string(snapshot, frame.function, &length);
    char line[24] = "";
    uint32_t used;

    if (mw_region_is_row(snapshot, frame)) {
        write_region(screen, snapshot, frame, columns);
        return;
    }
    if (frame.line > 0)
        snprintf(line, sizeof line, ":%d", (int)frame.line);
    if (frame.line < 0) /* core/line_match.h */
        snprintf(line, sizeof line, ":%d (old)", -(int)frame.line);
    columns -= (uint32_t)strlen(line);
    used = mw_places_write(screen->places, mw_screen_file(snapshot, frame.file), columns,
                           screen->sink);
    mw_sink_text(screen->sink, line);
    if (length == 0 || used + 4 + FUNCTION_COLUMNS_MINIMUM > columns)
        return;
    mw_sink_text(screen->sink, " in ");
    mw_sink_clean(screen->sink, function, length, columns - used - 4);
}

void mw_screen_source(const mw_screen *screen, const mw_snapshot *snapshot, mw_frame_row frame,
                      uint32_t indent)
{
    char text[MW_SOURCE_LINE_BYTES];

    screen->source->line(screen->source, mw_screen_file(snapshot, frame.file), frame.line, text);
    if (*text == '\0')
        return;
    mw_sink_repeat(screen->sink, ' ', indent);
    mw_screen_style(screen, MW_STYLE_FAINT);
    mw_sink_clean(screen->sink, text, strlen(text), screen->width - indent);
    mw_screen_style(screen, MW_STYLE_PLAIN);
    mw_sink_text(screen->sink, "\n");
}

/* ── tracebacks ──────────────────────────────────────────────────────────────────── */

static void write_frame(const mw_screen *screen, const mw_snapshot *snapshot, mw_frame_row frame)
{
    size_t length;
    const char *function = mw_snapshot_string(snapshot, frame.function, &length);

    if (mw_region_is_row(snapshot, frame)) {
        mw_sink_text(screen->sink, "  ");
        write_region(screen, snapshot, frame, UINT32_MAX);
        mw_sink_text(screen->sink, "\n");
        return;
    }
    mw_sink_text(screen->sink, "  File \"");
    mw_places_write(screen->places, mw_screen_file(snapshot, frame.file), UINT32_MAX, screen->sink);
    mw_sink_format(screen->sink, "\", line %d", (int)frame.line);
    if (length != 0) {
        mw_sink_text(screen->sink, ", in ");
        mw_sink_clean(screen->sink, function, length, UINT32_MAX);
    }
    mw_sink_text(screen->sink, "\n");
    mw_screen_source(screen, snapshot, frame, 4);
}

static void write_repeats(const mw_screen *screen, uint32_t repeats)
{
    if (repeats > REPEATS_SHOWN)
        mw_sink_format(screen->sink, "  [Previous line repeated %u more times]\n",
                       repeats - REPEATS_SHOWN);
}

/* Frames are linked from the most recent one; [paths] turns them round. */
static void write_frames(const mw_screen *screen, const mw_snapshot *snapshot, const mw_path *paths,
                         uint32_t count)
{
    mw_frame previous = {0};
    uint32_t repeats = 0; /* how often the line was there in a row */

    for (uint32_t i = count; i > 0; i--) {
        mw_frame frame = mw_snapshot_path_frame(snapshot, paths[i - 1]);
        if (frame.index != previous.index) {
            write_repeats(screen, repeats);
            repeats = 0;
        }
        previous = frame;
        if (++repeats <= REPEATS_SHOWN)
            write_frame(screen, snapshot, mw_snapshot_frame(snapshot, frame));
    }
    write_repeats(screen, repeats);
}

mw_status mw_screen_traceback(const mw_screen *screen, const mw_snapshot *snapshot,
                              mw_traceback traceback, mw_alloc *alloc)
{
    mw_traceback_row row = mw_snapshot_traceback(snapshot, traceback);
    mw_path *paths = mw_alloc_array(alloc, row.frame_count, sizeof *paths);
    mw_path path = row.path;

    if (paths == NULL)
        return MW_NO_MEMORY;
    for (uint32_t i = 0; i < row.frame_count; i++) {
        paths[i] = path;
        path = mw_snapshot_path_caller(snapshot, path);
    }
    if (row.total_frames > row.frame_count)
        mw_sink_format(screen->sink, "  (%u older frames were not kept)\n",
                       row.total_frames - row.frame_count);
    write_frames(screen, snapshot, paths, row.frame_count);
    mw_alloc_release(alloc, paths, row.frame_count * sizeof *paths);
    return MW_OK;
}

/* ── numbers ─────────────────────────────────────────────────────────────────────── */

mw_size_text mw_share_format(uint64_t part, uint64_t whole)
{
    mw_size_text share;

    snprintf(share.text, sizeof share.text, "%.1f%%",
             whole == 0 ? 0.0 : (double)part * 100 / (double)whole);
    return share;
}

static mw_size_text signed_text(mw_size_text magnitude, uint64_t before, uint64_t now)
{
    mw_size_text text;

    snprintf(text.text, sizeof text.text, "%s%.20s",
             now > before   ? "+"
             : now < before ? "-"
                            : "",
             magnitude.text);
    return text;
}

mw_size_text mw_change_format(uint64_t before, uint64_t now)
{
    return signed_text(mw_size_format(now > before ? now - before : before - now), before, now);
}

mw_size_text mw_count_change_format(uint64_t before, uint64_t now)
{
    return signed_text(mw_count_format(now > before ? now - before : before - now), before, now);
}
