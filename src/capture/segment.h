/* SPDX-License-Identifier: MIT
 *
 * A segment of a capture as its writer knows it: what is in the tables so far, how much of
 * that is in the file, and what the counters were at the last snapshot.  Segments stand
 * alone, so that older ones can be dropped from a file that is kept short.
 *
 * The tables are those of a snapshot builder, whose numbers are the file's: it interns by
 * content, so a site has one number however often it is taken up.  Rows that were taken up
 * for a record that then could not be written are written with the next one.
 */
#pragma once

#include "capture/bytes.h"
#include "capture/capture.h"
#include "capture/capture_writer.h"
#include "core/snapshot_tables.h"

/* What all sites have, by the segment's number. */
typedef struct mw_tallies {
    mw_capture_tally *items; /* owned; [0] means nothing */
    uint32_t count;
    bool has_totals;
} mw_tallies;

void mw_tallies_done(mw_tallies *tallies, mw_alloc *alloc); /* accepts a zeroed struct */

/* An epoch that has been named; its place in the array is its number in the file. */
typedef struct mw_segment_epoch {
    uint32_t number; /* as the writer's caller counts; rising */
    uint64_t start_ns;
} mw_segment_epoch;

typedef struct mw_segment {
    mw_alloc *alloc;              /* borrowed                               */
    mw_snapshot_builder *builder; /* owned                                  */
    /* Of each table, how many rows are in the file, row 0 included. */
    uint32_t written_strings, written_frames, written_paths, written_sites, written_epochs;
    mw_string *written_threads; /* owned; by thread: the name in the file   */
    uint32_t thread_capacity;
    mw_segment_epoch *epochs; /* owned; [0] is {0, 0}                       */
    uint32_t epoch_count, epoch_capacity;
    mw_tallies tallies; /* at the last snapshot in the file              */
    mw_tallies peak;    /* when the most was alive; if has_peak          */
    mw_point peak_point;
    bool has_peak;
    mw_point last_point;   /* the last in the file                           */
    uint64_t start_ns;     /* of its first snapshot                          */
    uint64_t offset;       /* of its first record in the file                */
    mw_hash_index asked;   /* frames whose line of source was asked for, one for each line */
    uint32_t asked_frames; /* frames up to here have been looked at         */
} mw_segment;

mw_status mw_segment_init(mw_segment *segment, uint32_t frame_limit, mw_alloc *alloc) MW_MUST_CHECK;
void mw_segment_done(mw_segment *segment); /* accepts a zeroed struct */

/* Epoch [number] begins; numbers and times rise, and what does not is made to. */
mw_status mw_segment_add_epoch(mw_segment *segment, uint32_t number, uint64_t start_ns)
    MW_MUST_CHECK;

/* Takes over from [older], as it goes on to an empty segment: the newest epoch, those of
 * [snapshot]'s sites and of the peak's, and the peak. */
mw_status mw_segment_succeed(mw_segment *segment, const mw_segment *older,
                             const mw_snapshot *snapshot) MW_MUST_CHECK;

/* Takes up all sites that have anything in [snapshot], and their counts.  MW_LIMIT when the
 * sum of what samples stand for does not fit in 64 bits. */
mw_status mw_segment_take_up(mw_segment *segment, const mw_snapshot *snapshot,
                             mw_tallies *ret_tallies) MW_MUST_CHECK;

/* The payload of a snapshot or a peak: the points, rows that are not in the file yet, and
 * what [tallies] changes. */
void mw_segment_encode(const mw_segment *segment, unsigned flags, const mw_point *points,
                       size_t point_count, const mw_point *before, const mw_tallies *tallies,
                       mw_bytes *payload);

/* All rows are in the file now. */
mw_status mw_segment_reserve_written(mw_segment *segment) MW_MUST_CHECK;
void mw_segment_set_written(mw_segment *segment); /* room was reserved */

/* The payload of a record with the texts of lines that have not been asked for; empty if
 * there are none.  Asks for each once, even if the record is never written. */
mw_status mw_segment_encode_source(mw_segment *segment, const mw_capture_options *options,
                                   mw_bytes *payload) MW_MUST_CHECK;

/* Numbers of points, each as its difference from the point before. */
void mw_points_encode(mw_bytes *payload, const mw_point *points, size_t count,
                      const mw_point *before);
