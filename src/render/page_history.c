/* SPDX-License-Identifier: MIT
 *
 * A step is a list of rows that change: how far each is from the one before, and the changes
 * of its bytes and its blocks.  Changes are computed modulo 2^64, so that a step leads back as
 * well as forth.
 */
#include "render/page_history.h"

#include "render/page_column.h"

#include <assert.h>
#include <string.h>

void mw_page_history_init(mw_page_history *history, mw_alloc *alloc)
{
    *history = (mw_page_history){.alloc = alloc};
    for (uint32_t i = 0; i < MW_PAGE_HISTORY_MAXIMUM; i++)
        mw_buffer_init(&history->steps[i], alloc);
}

void mw_page_history_done(mw_page_history *history)
{
    if (history->alloc == NULL)
        return;
    for (uint32_t i = 0; i < MW_PAGE_HISTORY_MAXIMUM; i++)
        mw_buffer_done(&history->steps[i]);
    mw_alloc_release(history->alloc, history->amounts,
                     history->row_capacity * sizeof *history->amounts);
    *history = (mw_page_history){0};
}

/* ── adding ──────────────────────────────────────────────────────────────────────── */

static mw_status reserve_rows(mw_page_history *history, uint32_t row_count)
{
    uint32_t capacity = row_count + row_count / 4;
    mw_tally *grown;

    if (history->row_capacity >= row_count)
        return MW_OK;
    grown = mw_alloc_array(history->alloc, capacity, sizeof *grown);
    if (grown == NULL)
        return MW_NO_MEMORY;
    if (history->row_count != 0)
        memcpy(grown, history->amounts, history->row_count * sizeof *grown);
    mw_alloc_release(history->alloc, history->amounts,
                     history->row_capacity * sizeof *history->amounts);
    history->amounts = grown;
    history->row_capacity = capacity;
    return MW_OK;
}

static mw_status write_step(const mw_page_history *history, const mw_tally *amounts,
                            uint32_t row_count, mw_sink *sink)
{
    mw_page_column out = {.sink = sink};
    uint32_t last = 0;

    for (uint32_t row = 0; row < row_count; row++) {
        mw_tally before = row < history->row_count ? history->amounts[row] : (mw_tally){0};

        if (amounts[row].bytes == before.bytes && amounts[row].blocks == before.blocks)
            continue;
        mw_page_column_number(&out, row - last);
        mw_page_column_change(&out, amounts[row].bytes, before.bytes);
        mw_page_column_change(&out, amounts[row].blocks, before.blocks);
        last = row;
    }
    mw_page_column_flush(&out);
    return sink->status;
}

mw_status mw_page_history_add(mw_page_history *history, const mw_tally *amounts, uint32_t row_count)
{
    mw_status status = MW_OK;

    assert(history->moment_count < MW_PAGE_HISTORY_MAXIMUM && row_count >= history->row_count);
    if (history->moment_count != 0) {
        mw_page_history_go(history, history->moment_count - 1);
        status =
            write_step(history, amounts, row_count, &history->steps[history->moment_count].sink);
    }
    if (status == MW_OK)
        status = reserve_rows(history, row_count);
    if (status != MW_OK)
        return status;
    memcpy(history->amounts, amounts, row_count * sizeof *amounts);
    history->row_count = row_count;
    history->at = history->moment_count++;
    return MW_OK;
}

/* ── going ───────────────────────────────────────────────────────────────────────── */

static uint64_t take_number(const char **at)
{
    uint64_t number = 0;
    unsigned char byte;
    unsigned shift = 0;

    do {
        byte = (unsigned char)*(*at)++;
        number |= (uint64_t)(byte & 0x7f) << shift;
        shift += 7;
    } while (byte >= 0x80);
    return number;
}

static uint64_t take_change(const char **at)
{
    uint64_t number = take_number(at);

    return number >> 1 ^ (0 - (number & 1));
}

/* Adds the changes of [step], or takes them away where [sign] is −1 modulo 2^64. */
static void apply_step(mw_page_history *history, const mw_buffer *step, uint64_t sign)
{
    const char *at = step->bytes;
    const char *end = at + step->length;
    uint32_t row = 0;

    while (at != end) {
        row += (uint32_t)take_number(&at);
        history->amounts[row].bytes += sign * take_change(&at);
        history->amounts[row].blocks += sign * take_change(&at);
    }
}

void mw_page_history_go(mw_page_history *history, uint32_t moment)
{
    assert(moment < history->moment_count);
    for (; history->at > moment; history->at--)
        apply_step(history, &history->steps[history->at], UINT64_MAX);
    while (history->at < moment)
        apply_step(history, &history->steps[++history->at], 1);
}
