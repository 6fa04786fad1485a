/* SPDX-License-Identifier: MIT
 *
 * Lines are numbered by file and line, each frame knows its line's number, and one walk over
 * all stacks adds up.  A line that stands in a stack more than once counts once.
 */
#define _GNU_SOURCE
#include "render/source_view.h"

#include "core/fnmatch.h"
#include "core/snapshot_tables.h"
#include "render/site_sums.h"

#include <stdlib.h>
#include <string.h>

enum {
    NUMBERS_COLUMNS = 38, /* line, two sizes and blocks, with the gap behind them */
    TAB_COLUMNS = 8,
};

typedef struct source_line {
    mw_frame frame; /* one that stands here                                */
    uint64_t under; /* bytes allocated by the line and all that it called */
    uint64_t own;   /* bytes allocated by itself                           */
    uint64_t own_blocks;
    uint32_t file;      /* number of its file                              */
    uint32_t last_site; /* that was added, so that none is added twice     */
} source_line;

typedef struct source_file {
    mw_string name;
    uint64_t under; /* bytes allocated in the file and by all that it called */
    uint32_t first; /* of its lines                                          */
    uint32_t count;
    uint32_t last_site;
} source_file;

typedef struct view_writer {
    const mw_source_view *view;
    const mw_snapshot *snapshot;
    const mw_snapshot_tables *tables;
    const mw_screen *screen;
    mw_sink *sink; /* the screen's */
    mw_alloc *alloc;
    uint32_t *line_of_frame; /* owned; by frame: number of its line plus one, or 0 */
    source_line *lines;      /* owned; as many as there are frames                 */
    source_file *files;      /* owned; likewise                                    */
    uint32_t line_count;
    uint32_t file_count;
} view_writer;

/* ── which files ─────────────────────────────────────────────────────────────────── */

/* Whether [pattern] is the name, its end from some "/" on, or matches one of those. */
static bool names_file(const char *pattern, const char *name)
{
    const char *end = name;

    for (;;) {
        const char *slash;
        if (strcmp(pattern, end) == 0 || mw_fnmatch(pattern, strlen(pattern), end, strlen(end)))
            return true;
        slash = strchr(end, '/');
        if (slash == NULL)
            return false;
        end = slash + 1;
    }
}

static bool wants_file(const view_writer *writer, mw_string file)
{
    const char *name = mw_snapshot_string(writer->snapshot, file, NULL);

    if (writer->view->file != NULL)
        return names_file(writer->view->file, name);
    return mw_places_owner(writer->screen->places, name) == MW_OWNER_PROGRAM;
}

/* ── lines ───────────────────────────────────────────────────────────────────────── */

static int by_file_and_line(const void *a, const void *b, void *frames)
{
    const mw_frame_row *left = (const mw_frame_row *)frames + ((const source_line *)a)->frame.index;
    const mw_frame_row *right =
        (const mw_frame_row *)frames + ((const source_line *)b)->frame.index;

    if (left->file.index != right->file.index)
        return left->file.index < right->file.index ? -1 : 1;
    return (left->line > right->line) - (left->line < right->line);
}

/* Fills `lines` with one for each frame of a wanted file, sorted.  Frames of a file often
 * stand together, so the last answer is remembered. */
static void collect_frames(view_writer *writer)
{
    mw_string last = {0};
    bool is_wanted = false;

    for (uint32_t i = 1; i < writer->tables->frame_count; i++) {
        const mw_frame_row *frame = &writer->tables->frames[i];
        if (frame->file.index != last.index || i == 1)
            is_wanted = wants_file(writer, frame->file);
        last = frame->file;
        if (is_wanted && frame->line > 0)
            writer->lines[writer->line_count++] = (source_line){.frame = {i}};
    }
    qsort_r(writer->lines, writer->line_count, sizeof *writer->lines, by_file_and_line,
            writer->tables->frames);
}

/* Makes one line of the frames that stand at it, and numbers the files. */
static void merge_frames(view_writer *writer)
{
    mw_frame_row *frames = writer->tables->frames;
    uint32_t count = 0;

    for (uint32_t i = 0; i < writer->line_count; i++) {
        source_line line = writer->lines[i];
        mw_string file = frames[line.frame.index].file;
        bool is_new = count == 0 || by_file_and_line(&writer->lines[count - 1], &line, frames) != 0;

        if (writer->file_count == 0 ||
            writer->files[writer->file_count - 1].name.index != file.index)
            writer->files[writer->file_count++] = (source_file){.name = file, .first = count};
        line.file = writer->file_count - 1;
        if (is_new) {
            writer->lines[count++] = line;
            writer->files[line.file].count++;
        }
        writer->line_of_frame[line.frame.index] = count;
    }
    writer->line_count = count;
}

static void add_site(view_writer *writer, uint32_t site, const mw_tally *sum)
{
    mw_path path = writer->tables->sites[site].path;
    bool is_innermost = true;

    for (; path.index != 0; path = writer->tables->paths[path.index].caller) {
        uint32_t number = writer->line_of_frame[writer->tables->paths[path.index].frame.index];
        source_line *line = number == 0 ? NULL : &writer->lines[number - 1];

        if (line != NULL && line->last_site != site) {
            line->last_site = site;
            line->under += sum->bytes;
            if (writer->files[line->file].last_site != site)
                writer->files[line->file].under += sum->bytes;
            writer->files[line->file].last_site = site;
        }
        if (line != NULL && is_innermost) {
            line->own += sum->bytes;
            line->own_blocks += sum->blocks;
        }
        is_innermost = false;
    }
}

static mw_status add_sites(view_writer *writer)
{
    mw_site_sums sums;
    mw_status status = mw_site_sums_init(&sums, writer->snapshot, writer->alloc);

    if (status != MW_OK)
        return status;
    for (uint32_t site = 1; site < sums.count; site++)
        if (mw_site_sums_has(&sums, site))
            add_site(writer, site, &sums.sites[site]);
    mw_site_sums_done(&sums);
    return MW_OK;
}

static int by_bytes(const void *a, const void *b)
{
    const source_file *left = a;
    const source_file *right = b;

    if (left->under != right->under)
        return left->under > right->under ? -1 : 1;
    return (left->first > right->first) - (left->first < right->first);
}

/* ── writing ─────────────────────────────────────────────────────────────────────── */

/* How far a text is indented; [ret_blanks] is how many bytes that takes. */
static uint32_t indentation(const char *text, size_t length, size_t *ret_blanks)
{
    uint32_t columns = 0;
    size_t at = 0;

    for (; at < length && (text[at] == ' ' || text[at] == '\t' || text[at] == '\f'); at++)
        columns += text[at] == '\t' ? TAB_COLUMNS - columns % TAB_COLUMNS : text[at] == ' ';
    *ret_blanks = at;
    return columns;
}

static const char *text_of(const view_writer *writer, const source_line *line, size_t *ret_length)
{
    const mw_frame_row *frame = &writer->tables->frames[line->frame.index];

    return writer->view->texts->line(writer->view->texts,
                                     mw_snapshot_string(writer->snapshot, frame->file, NULL),
                                     frame->line, ret_length);
}

/* What all lines of a file are indented by at least. */
static uint32_t common_indentation(const view_writer *writer, const source_file *file)
{
    uint32_t least = UINT32_MAX;

    for (uint32_t i = file->first; i < file->first + file->count; i++) {
        size_t length = 0, blanks;
        const char *text = text_of(writer, &writer->lines[i], &length);
        uint32_t columns = text == NULL || writer->lines[i].under == 0
                               ? UINT32_MAX
                               : indentation(text, length, &blanks);
        least = columns < least ? columns : least;
    }
    return least == UINT32_MAX ? 0 : least;
}

static void write_source(const view_writer *writer, const char *text, size_t length,
                         uint32_t dedent)
{
    uint32_t room = writer->screen->width - NUMBERS_COLUMNS;
    size_t blanks;
    uint32_t columns = indentation(text, length, &blanks);

    columns = columns > dedent ? columns - dedent : 0;
    if (columns > room / 2)
        columns = room / 2;
    mw_sink_repeat(writer->sink, ' ', columns);
    mw_sink_clean(writer->sink, text + blanks, length - blanks, room - columns);
}

static void write_line(const view_writer *writer, const source_line *line, uint32_t dedent)
{
    size_t length = 0;
    const char *text = text_of(writer, line, &length);

    mw_sink_format(writer->sink, "%6d %9s", (int)writer->tables->frames[line->frame.index].line,
                   mw_size_format(line->under).text);
    if (line->own_blocks != 0)
        mw_sink_format(writer->sink, " %9s %9s", mw_size_format(line->own).text,
                       mw_count_format(line->own_blocks).text);
    else if (text != NULL)
        mw_sink_repeat(writer->sink, ' ', 20);
    if (text != NULL) {
        mw_sink_text(writer->sink, "  ");
        write_source(writer, text, length, dedent);
    }
    mw_sink_text(writer->sink, "\n");
}

/* A line between functions with the name of the one that begins. */
static void write_function(const view_writer *writer, const source_line *line)
{
    size_t length;
    const char *name = mw_snapshot_string(
        writer->snapshot, writer->tables->frames[line->frame.index].function, &length);

    mw_sink_repeat(writer->sink, ' ', NUMBERS_COLUMNS);
    mw_screen_style(writer->screen, MW_STYLE_FAINT);
    mw_sink_text(writer->sink, "in ");
    mw_sink_clean(writer->sink, name, length, writer->screen->width - NUMBERS_COLUMNS - 4);
    mw_sink_text(writer->sink, ":");
    mw_screen_style(writer->screen, MW_STYLE_PLAIN);
    mw_sink_text(writer->sink, "\n");
}

static void write_file(const view_writer *writer, const source_file *file)
{
    uint32_t dedent = common_indentation(writer, file);
    mw_string function = {0};

    mw_screen_style(writer->screen, MW_STYLE_STRONG);
    mw_places_write(writer->screen->places, mw_screen_file(writer->snapshot, file->name),
                    writer->screen->width - 20, writer->sink);
    mw_screen_style(writer->screen, MW_STYLE_PLAIN);
    mw_sink_format(writer->sink, ": %s\n", mw_size_format(file->under).text);
    mw_sink_format(writer->sink, "%6s %9s %9s %9s  %s\n", "line", "under it", "itself", "blocks",
                   "source");
    for (uint32_t i = file->first; i < file->first + file->count; i++) {
        const source_line *line = &writer->lines[i];
        mw_string its = writer->tables->frames[line->frame.index].function;

        if (line->under == 0 && line->own_blocks == 0)
            continue;
        if (its.index != function.index)
            write_function(writer, line);
        function = its;
        write_line(writer, line, dedent);
    }
    mw_sink_text(writer->sink, "\n");
}

/* ── the whole ───────────────────────────────────────────────────────────────────── */

static mw_status view_writer_init(view_writer *writer)
{
    uint32_t count = writer->tables->frame_count;

    writer->line_of_frame = mw_alloc_array(writer->alloc, count, sizeof *writer->line_of_frame);
    writer->lines = mw_alloc_array(writer->alloc, count, sizeof *writer->lines);
    writer->files = mw_alloc_array(writer->alloc, count, sizeof *writer->files);
    return writer->line_of_frame == NULL || writer->lines == NULL || writer->files == NULL
               ? MW_NO_MEMORY
               : MW_OK;
}

static void view_writer_done(view_writer *writer)
{
    uint32_t count = writer->tables->frame_count;

    mw_alloc_release(writer->alloc, writer->line_of_frame, count * sizeof *writer->line_of_frame);
    mw_alloc_release(writer->alloc, writer->lines, count * sizeof *writer->lines);
    mw_alloc_release(writer->alloc, writer->files, count * sizeof *writer->files);
}

static void write_files(const view_writer *writer)
{
    qsort(writer->files, writer->file_count, sizeof *writer->files, by_bytes);
    for (uint32_t i = 0; i < writer->file_count; i++)
        if (writer->files[i].under != 0 || writer->view->file != NULL)
            write_file(writer, &writer->files[i]);
}

mw_status mw_source_view_write_text(const mw_source_view *view, const mw_snapshot *snapshot,
                                    const mw_screen *screen, mw_alloc *alloc, mw_error *reterr)
{
    view_writer writer = {.view = view,
                          .snapshot = snapshot,
                          .tables = snapshot->tables,
                          .screen = screen,
                          .sink = screen->sink,
                          .alloc = alloc};
    mw_status status = view_writer_init(&writer);

    if (status != MW_OK)
        goto done;
    collect_frames(&writer);
    merge_frames(&writer);
    if (writer.file_count == 0 && view->file != NULL) {
        status = MW_BAD_INPUT;
        goto done;
    }
    status = add_sites(&writer);
    if (status == MW_OK)
        write_files(&writer);

done:
    view_writer_done(&writer);
    if (status == MW_BAD_INPUT)
        return mw_error_set(reterr, status, "no file of the program is named \"%.150s\"",
                            view->file);
    return status == MW_OK
               ? MW_OK
               : mw_error_set(reterr, status, "there is not enough memory to annotate source");
}
