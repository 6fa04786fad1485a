/* SPDX-License-Identifier: MIT
 *
 * Whose a source file is, and how it is shown.  A file is the program's unless it lies
 * in a library (the standard one, installed packages, memwhy), and even there if it is
 * listed: for `python -m pydoc`, pydoc.py is the program.
 */
#pragma once

#include "render/render.h"

typedef enum mw_owner {
    MW_OWNER_PROGRAM = 1,
    MW_OWNER_LIBRARY,
    MW_OWNER_IMPORTER, /* the interpreter's import machinery          */
    MW_OWNER_UNKNOWN,  /* no Python code ran, or nobody knows which   */
} mw_owner;

typedef struct mw_places {
    const char *const *program; /* borrowed; files, or directories without final "/" */
    size_t program_count;
    const char *const *library; /* borrowed; directories                             */
    size_t library_count;
    const char *directory; /* borrowed; shown paths are relative to it; may be ""    */
} mw_places;

mw_owner mw_places_owner(const mw_places *places, const char *file);

/* Writes [file] as short as it stays findable: relative to the working directory or to
 * its library, else whole; cut on the left with "…" to [columns].  Returns the columns
 * written. */
uint32_t mw_places_write(const mw_places *places, const char *file, uint32_t columns,
                         mw_sink *sink);

/* How many columns mw_places_write needs for all of it. */
uint32_t mw_places_columns(const mw_places *places, const char *file);
