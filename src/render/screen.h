/* SPDX-License-Identifier: MIT
 *
 * What the texts for a person at a terminal have in common: how lines are wrapped and
 * coloured, and how a place in the program, its source and a traceback are shown.
 */
#pragma once

#include "core/snapshot.h"
#include "render/places.h"
#include "render/render.h"
#include "render/source_text.h"

typedef struct mw_screen {
    mw_sink *sink; /* borrowed, like all of it     */
    const mw_places *places;
    mw_source *source;
    uint32_t width; /* columns of text; at least 60 */
    bool has_colour;
} mw_screen;

/* Ways to show text; MW_STYLE_PLAIN ends them. */
typedef enum mw_style {
    MW_STYLE_PLAIN,
    MW_STYLE_STRONG, /* what matters           */
    MW_STYLE_FAINT,  /* what explains          */
    MW_STYLE_MORE,   /* growth                 */
    MW_STYLE_LESS,   /* what has become less   */
} mw_style;

void mw_screen_style(const mw_screen *screen, mw_style style);

/* Breaks one long line at blanks, and ends it; a word that is too long stands alone. */
void mw_screen_wrapped(const mw_screen *screen, const char *text);

/* The same with what was gathered in [text], which it is done with. */
void mw_screen_gathered(const mw_screen *screen, mw_buffer *text, mw_style style);

/* A file's name; "<unknown>" where it has none. */
const char *mw_screen_file(const mw_snapshot *snapshot, mw_string file);

/* `file:line in function`, the function only where there is room for some of it. */
void mw_screen_place(const mw_screen *screen, const mw_snapshot *snapshot, mw_frame_row frame,
                     uint32_t columns);

/* The source of a line, on a line of its own behind [indent] blanks, if there is any. */
void mw_screen_source(const mw_screen *screen, const mw_snapshot *snapshot, mw_frame_row frame,
                      uint32_t indent);

/* The frames of a traceback with their source, as Python shows them. */
mw_status mw_screen_traceback(const mw_screen *screen, const mw_snapshot *snapshot,
                              mw_traceback traceback, mw_alloc *alloc) MW_MUST_CHECK;

/* "12.3%"; 0% of nothing. */
mw_size_text mw_share_format(uint64_t part, uint64_t whole);
/* "+12.3 MiB", "-512 B", "0 B". */
mw_size_text mw_change_format(uint64_t before, uint64_t now);
/* "+1,234", "-5", "0". */
mw_size_text mw_count_change_format(uint64_t before, uint64_t now);
