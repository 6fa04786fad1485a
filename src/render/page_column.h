/* SPDX-License-Identifier: MIT
 *
 * Numbers of a page's data, one after the other, as docs/page.md has them.  They are gathered,
 * so that the sink is not asked for each byte:
 *
 *     mw_page_column out = {.sink = sink};
 *     mw_page_column_number(&out, …);
 *     mw_page_column_flush(&out);
 */
#pragma once

#include "render/render.h"

typedef struct mw_page_column {
    mw_sink *sink; /* borrowed                    */
    size_t length; /* of what has not reached it  */
    char bytes[4096];
} mw_page_column;

void mw_page_column_number(mw_page_column *column, uint64_t number);
/* How much a number is above the one before, or below. */
void mw_page_column_change(mw_page_column *column, uint64_t now, uint64_t before);
void mw_page_column_flush(mw_page_column *column);
