/* SPDX-License-Identifier: MIT */
#include "tracer/series.h"

enum { POINTS_PER_SNAPSHOT = 8, POINTS_BEFORE_SLOWER = 256 };

#define SECOND_NS UINT64_C(1000000000)
#define MINUTE_NS (60 * SECOND_NS)

void mw_series_init(mw_series *series, uint64_t every_ns)
{
    uint64_t point_ns = every_ns / POINTS_PER_SNAPSHOT;

    if (point_ns < SECOND_NS)
        point_ns = SECOND_NS;
    if (point_ns > MINUTE_NS)
        point_ns = MINUTE_NS;
    *series = (mw_series){.every_ns = every_ns != 0 ? every_ns : MW_SERIES_NEVER,
                          .next_snapshot_ns = every_ns != 0 ? every_ns : MW_SERIES_NEVER,
                          .next_point_ns = point_ns,
                          .point_ns = point_ns};
}

mw_series_due mw_series_look(const mw_series *series, uint64_t now_ns)
{
    if (now_ns >= series->next_snapshot_ns)
        return MW_SERIES_SNAPSHOT;
    return now_ns >= series->next_point_ns ? MW_SERIES_POINT : MW_SERIES_NOTHING;
}

uint64_t mw_series_next(const mw_series *series)
{
    return series->next_snapshot_ns < series->next_point_ns ? series->next_snapshot_ns
                                                            : series->next_point_ns;
}

void mw_series_note_point(mw_series *series, uint64_t now_ns)
{
    series->next_point_ns = now_ns + series->point_ns;
    if (series->every_ns != MW_SERIES_NEVER || ++series->point_count < POINTS_BEFORE_SLOWER)
        return;
    series->point_count = 0;
    series->point_ns *= 2;
}

/* The number of the next power of two above [number], at least MW_SERIES_EPOCHS_WHOLE. */
static uint32_t epoch_stride(uint32_t number)
{
    uint32_t stride = 1;

    while (number / stride >= 2 * MW_SERIES_EPOCHS_WHOLE)
        stride *= 2;
    return number < MW_SERIES_EPOCHS_WHOLE ? 1 : 2 * stride;
}

bool mw_series_note_snapshot(mw_series *series, uint64_t now_ns)
{
    uint32_t number = series->snapshots++;

    mw_series_note_point(series, now_ns);
    if (now_ns >= series->next_snapshot_ns) {
        series->next_snapshot_ns += series->every_ns;
        if (series->next_snapshot_ns <= now_ns)
            series->next_snapshot_ns = now_ns + series->every_ns;
    }
    return number % epoch_stride(number) == 0;
}
