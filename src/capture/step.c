/* SPDX-License-Identifier: MIT */
#include "capture/step.h"

bool mw_point_decode(mw_cursor *points, mw_point *point)
{
    bool overflows =
        __builtin_add_overflow(point->time_ns, mw_cursor_varint(points), &point->time_ns);

    point->rss_bytes = mw_cursor_difference(points, point->rss_bytes);
    point->live_bytes = mw_cursor_difference(points, point->live_bytes);
    point->peak_bytes = mw_cursor_difference(points, point->peak_bytes);
    point->overhead_bytes = mw_cursor_difference(points, point->overhead_bytes);
    point->lost_blocks = mw_cursor_difference(points, point->lost_blocks);
    return !overflows && !points->is_bad;
}

/* A table: how many rows, and then its columns. */
static bool open_table(mw_cursor *payload, mw_cursor *columns, uint32_t column_count,
                       uint64_t *ret_rows)
{
    *ret_rows = mw_cursor_number(payload, UINT32_MAX - 1);
    return mw_cursor_columns(payload, *ret_rows, columns, column_count);
}

/* The lengths of strings, and then their bytes. */
static bool open_strings(mw_cursor *payload, mw_step *step)
{
    mw_cursor lengths;
    uint64_t sum = 0;
    const uint8_t *bytes;

    if (!open_table(payload, &step->string_lengths, 1, &step->string_count))
        return false;
    lengths = step->string_lengths;
    for (uint64_t i = 0; i < step->string_count; i++) {
        if (__builtin_add_overflow(sum, mw_cursor_varint(&lengths), &sum))
            return false;
    }
    bytes = mw_cursor_take(payload, sum);
    if (payload->is_bad)
        return false;
    step->strings = mw_cursor_of(bytes, (size_t)sum);
    return true;
}

/* Points are rows of six numbers, not columns: there are few. */
static bool open_points(mw_cursor *payload, mw_step *step)
{
    step->point_count = mw_cursor_number(payload, UINT32_MAX);
    if (payload->is_bad || step->point_count == 0)
        return false;
    return mw_cursor_columns(payload, step->point_count * MW_POINT_NUMBERS, &step->points, 1);
}

bool mw_step_open(mw_cursor payload, mw_step *ret_step)
{
    mw_step *step = ret_step;
    uint64_t flags = mw_cursor_number(&payload, MW_STEP_FLAGS);

    *step = (mw_step){.is_anew = (flags & MW_STEP_ANEW) != 0,
                      .has_totals = (flags & MW_STEP_TOTALS) != 0};
    return !payload.is_bad && open_points(&payload, step) &&
           open_table(&payload, &step->epochs, 1, &step->epoch_count) &&
           open_strings(&payload, step) &&
           open_table(&payload, step->frames, MW_FRAME_COLUMNS, &step->frame_count) &&
           open_table(&payload, step->paths, MW_PATH_COLUMNS, &step->path_count) &&
           open_table(&payload, step->threads, MW_THREAD_COLUMNS, &step->thread_count) &&
           open_table(&payload, step->sites, MW_SITE_COLUMNS, &step->site_count) &&
           open_table(&payload, step->changes,
                      step->has_totals ? MW_CHANGE_COLUMNS : MW_CHANGE_COLUMNS_WITHOUT_TOTALS,
                      &step->change_count);
}
