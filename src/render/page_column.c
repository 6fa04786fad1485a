/* SPDX-License-Identifier: MIT
 *
 * LEB128: seven bits to the byte, the lowest first; what differs little is one byte.
 */
#include "render/page_column.h"

void mw_page_column_flush(mw_page_column *column)
{
    mw_sink_bytes(column->sink, column->bytes, column->length);
    column->length = 0;
}

void mw_page_column_number(mw_page_column *column, uint64_t number)
{
    if (column->length + 10 > sizeof column->bytes)
        mw_page_column_flush(column);
    for (; number >= 0x80; number >>= 7)
        column->bytes[column->length++] = (char)(number | 0x80);
    column->bytes[column->length++] = (char)number;
}

/* Small whatever the sign: 0, -1, 1, -2, … */
void mw_page_column_change(mw_page_column *column, uint64_t now, uint64_t before)
{
    int64_t change = (int64_t)(now - before);

    mw_page_column_number(column, (uint64_t)change << 1 ^ (uint64_t)(change >> 63));
}
