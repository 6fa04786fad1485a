/* SPDX-License-Identifier: MIT
 *
 * Rows as a table for a person: sizes, shares and blocks on the left, and on the right what
 * the row stands for, with its source and with the program's line that called it.
 */
#pragma once

#include "render/blame.h"
#include "render/screen.h"

typedef struct mw_rows_table {
    const mw_rows *rows; /* sorted                                            */
    mw_blames *blames;   /* of the rows' snapshot; for lines and their callers */
    uint32_t top;        /* rows at most; the others are summed                */
} mw_rows_table;

/* Writes the table and an empty line behind it; nothing for no rows. */
mw_status mw_rows_table_write(const mw_rows_table *table, const mw_screen *screen, mw_alloc *alloc)
    MW_MUST_CHECK;

/* What rows of a key are called: "line", "file", … */
const char *mw_group_key_noun(mw_group_key key);

/* Writes on one line what a row stands for: a place, or a module's, thread's or domain's
 * name.  [frame] is what mw_row_frame said. */
void mw_row_write_label(const mw_screen *screen, mw_group_key key, const mw_row *row,
                        mw_frame_row frame, uint32_t columns);

/* The frame that a row of a line, file or function group stands for: a line's group knows
 * no function, but any frame of that line does. */
mw_frame_row mw_row_frame(mw_blames *blames, mw_group_key key, const mw_row *row);
