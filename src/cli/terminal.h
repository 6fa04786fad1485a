/* SPDX-License-Identifier: MIT
 *
 * What a stream can show: colours and how many columns.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Whether [descriptor] is a terminal, and neither NO_COLOR nor TERM=dumb asks for plain
 * text. */
bool mw_terminal_has_colour(int descriptor);

/* From 60 to 120 columns; 80 where nobody knows. */
uint32_t mw_terminal_width(int descriptor);

/* ── a line that says what takes so long ─────────────────────────────────────────── */

/* If stderr is a terminal, shows "memwhy: <what> …" on it once a second has passed, and
 * how long it has been, until mw_progress_end removes it.  One at a time. */
void mw_progress_begin(const char *what);
void mw_progress_end(void);
