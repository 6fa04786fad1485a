/* SPDX-License-Identifier: MIT
 *
 * Lines of text about a heap: put together from words of ours and names of the program's,
 * then cleaned, folded to the width of the screen and written.
 *
 *     mw_sink_text(mw_heap_writer_line(writer), "allocated at ");
 *     mw_heap_writer_place(writer, &place, UINT32_MAX);
 *     mw_heap_writer_end(writer, 4, 8, MW_STYLE_PLAIN);
 */
#pragma once

#include "heap/heap_path.h"
#include "heap/heap_table.h"

#include "render/screen.h"

#define MW_HEAP_WIDTH_ANY UINT32_MAX /* lines are as long as they are */

/* How text is to look. */
typedef struct mw_heap_look {
    const mw_places *places; /* borrowed; NULL: files are shown as they are called */
    uint32_t width;          /* columns, at least 60; or MW_HEAP_WIDTH_ANY         */
    bool has_colour;
} mw_heap_look;

typedef struct mw_heap_writer {
    mw_heap_study *study; /* borrowed                   */
    mw_screen screen;     /* borrows the sink           */
    mw_buffer line;       /* what is being put together */
    mw_buffer file;       /* a name, with a NUL behind  */
} mw_heap_writer;

void mw_heap_writer_init(mw_heap_writer *ret_writer, mw_heap_study *study, const mw_heap_look *look,
                         mw_sink *sink);
/* Says what went wrong with a line or the sink. */
mw_status mw_heap_writer_done(mw_heap_writer *writer) MW_MUST_CHECK;

/* Where the line is put together. */
static inline mw_sink *mw_heap_writer_line(mw_heap_writer *writer)
{
    return &writer->line.sink;
}

/* `app.py:12 in handle`, the file cut on the left to that many columns, and the function
 * where there is room. */
void mw_heap_writer_place(mw_heap_writer *writer, const mw_heap_place *place, uint32_t columns);

/* Writes the line behind [indent] blanks; what does not fit goes on the next, behind [hang]
 * blanks, broken at blanks or, within long paths, before a dot or bracket. */
void mw_heap_writer_end(mw_heap_writer *writer, uint32_t indent, uint32_t hang, mw_style style);
void mw_heap_writer_blank(mw_heap_writer *writer); /* an empty line */

/* A table's first [limit] rows: under a head with what it retains, or, indented and without,
 * what is in something. */
void mw_heap_writer_table(mw_heap_writer *writer, const mw_heap_table *table, uint32_t limit);
void mw_heap_writer_contents(mw_heap_writer *writer, const mw_heap_table *table, uint32_t limit,
                             uint32_t indent);
