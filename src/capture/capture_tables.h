/* SPDX-License-Identifier: MIT
 *
 * What a capture is made of, for the files that make it and run through it.
 *
 * Of the file's tables those of all segments are one, by content; what stays of a segment is
 * which site of the capture each of its sites is.  Counters stay in the file: an index says
 * where each snapshot is, and whoever wants to know them runs through the records again.
 */
#pragma once

#include "capture/capture.h"
#include "capture/capture_file.h"
#include "capture/step.h"
#include "core/snapshot_tables.h"

typedef struct mw_capture_segment {
    uint32_t first_step; /* its first snapshot; the next segment's if it has none */
    uint32_t first_site; /* place in site_map of its site 0                      */
    uint32_t site_count; /* site 0 included                                      */
} mw_capture_segment;

/* A snapshot or a peak in the file. */
typedef struct mw_capture_step {
    mw_located_record located;
    uint32_t segment;
    uint32_t point; /* place in the timeline's points; of a peak nothing */
    bool has_totals;
} mw_capture_step;

/* A line of source; the text lies in `texts`, with a NUL behind it. */
typedef struct mw_capture_line {
    mw_string file;
    int32_t line;
    uint32_t offset;
    uint32_t length;
} mw_capture_line;

/* A heap in the file: records one behind the other, of which HEAP is the last. */
typedef struct mw_located_heap {
    uint64_t offset;
    uint32_t record_count;
    mw_capture_heap_facts facts;
} mw_located_heap;

struct mw_capture {
    mw_alloc *alloc; /* borrowed */
    mw_capture_file file;
    mw_timeline timeline; /* its arrays are those below */
    mw_point *points;
    uint32_t point_count, point_capacity;
    mw_child *children;
    uint32_t child_count, child_capacity;
    uint64_t *epoch_starts;
    uint32_t epoch_count, epoch_capacity;
    mw_capture_input *inputs;
    uint32_t input_count, input_capacity;
    mw_located_heap *heaps;
    uint32_t heap_count, heap_capacity;
    mw_located_heap unfinished_heap; /* while the file is checked; without records: none */
    bool is_truncated;
    mw_snapshot *tables; /* owned; with nothing alive                   */
    mw_capture_segment *segments;
    uint32_t segment_count, segment_capacity;
    uint32_t *site_map; /* see mw_capture_segment                       */
    uint32_t site_map_count, site_map_capacity;
    mw_capture_step *steps; /* by number of the snapshot                */
    uint32_t step_count, step_capacity;
    mw_capture_step peak; /* the last one                               */
    mw_point peak_point;
    uint32_t peak_after; /* snapshots in front of it                    */
    bool has_peak;
    mw_capture_line *lines;
    uint32_t line_count, line_capacity;
    mw_hash_index line_index; /* by file's hash and line; item is the place plus one */
    mw_bytes texts;
    mw_capture_replay *seeker; /* owned; where the last look at a snapshot left it */
};

/* Goes over all records once; then everything in [capture] is in range.  To be called on one
 * whose file is open, and which is else empty. */
mw_status mw_capture_check(mw_capture *capture, mw_error *reterr) MW_MUST_CHECK;

/* What the check does with a record of each type: a heap's are one behind the other.  A heap
 * that others interrupt was not finished, and is looked past.  Its objects are checked when
 * somebody wants to see them.  MW_BAD_INPUT: it is not in its form, or does not begin. */
mw_status mw_capture_note_record(mw_capture *capture, const mw_located_record *located,
                                 mw_cursor payload) MW_MUST_CHECK;

/* The line of [file], whose name has [hash]; NULL if it is not there. */
const mw_capture_line *mw_capture_find_line(const mw_capture *capture,
                                            const mw_snapshot_tables *tables, const char *file,
                                            size_t length, uint64_t hash, int32_t line);

struct mw_capture_replay {
    mw_capture *capture;       /* borrowed                                             */
    uint32_t next;             /* number of the snapshot to come                       */
    uint32_t count;            /* of the arrays below: all sites, and 0                */
    mw_capture_tally *tallies; /* owned                                                */
    mw_capture_tally *former;  /* owned; as they were before a segment began           */
    uint32_t *changed;         /* owned; `changed_count` used                          */
    uint32_t changed_count;
    uint32_t *stamps; /* owned; by site: the turn in which it was last said to be changed */
    uint32_t turn;
};

/* Goes to where snapshot [number] has just been taken; false if the file was changed. */
bool mw_capture_replay_seek(mw_capture_replay *replay, uint32_t number);
/* Adds a peak's changes to [tallies], which are those before it; likewise. */
bool mw_capture_replay_add_peak(const mw_capture_replay *replay, mw_capture_tally *tallies);
/* Goes to where the last snapshot in front of the peak has just been taken. */
bool mw_capture_replay_seek_peak(mw_capture_replay *replay);
