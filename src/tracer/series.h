/* SPDX-License-Identifier: MIT
 *
 * When a series of snapshots wants what: plain arithmetic on times, in nanoseconds since it
 * began, so that the thread that follows it (src/pyext/recorder.c) only waits and acts.
 *
 *   snapshots  each `every_ns`; one that comes late does not make the next ones hurry
 *   points     between them, about eight to a snapshot, at most one a second and at least
 *              one a minute; where there are no snapshots, each second at first, and half as
 *              often after every 256, so that their number stays bounded
 *   epochs     with each of the first 512 snapshots, with every second of the next 512, with
 *              every fourth of the next 1024, and so on: a month of a snapshot each ten seconds
 *              is 2,800 epochs, and the newest are always told apart to one part in 512 of the
 *              time so far
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { MW_SERIES_EPOCHS_WHOLE = 512 };

#define MW_SERIES_NEVER UINT64_MAX

typedef enum mw_series_due {
    MW_SERIES_NOTHING,
    MW_SERIES_POINT,
    MW_SERIES_SNAPSHOT,
} mw_series_due;

typedef struct mw_series {
    uint64_t every_ns;         /* MW_SERIES_NEVER: no snapshots by themselves        */
    uint64_t next_snapshot_ns; /* when the next is due                               */
    uint64_t next_point_ns;
    uint64_t point_ns;    /* between two points                                  */
    uint32_t point_count; /* since `point_ns` last changed, where it does        */
    uint32_t snapshots;   /* taken so far                                        */
} mw_series;

/* [every_ns] 0: no snapshots by themselves. */
void mw_series_init(mw_series *series, uint64_t every_ns);
/* What is due at [now_ns]; a snapshot is a point, too. */
mw_series_due mw_series_look(const mw_series *series, uint64_t now_ns);
/* When something will be due next. */
uint64_t mw_series_next(const mw_series *series);
/* A point was seen at [now_ns]. */
void mw_series_note_point(mw_series *series, uint64_t now_ns);
/* A snapshot was taken, because it was due or for any other reason, or could not be; whether an
 * epoch ends with it. */
bool mw_series_note_snapshot(mw_series *series, uint64_t now_ns);
