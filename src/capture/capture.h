/* SPDX-License-Identifier: MIT
 *
 * Reading a capture: a `.memwhy` file, as docs/format.md describes it, or several that
 * are taken together.
 *
 * A capture is untrusted input.  Opening reads it once and checks everything; afterwards
 * nothing in it is out of range.  What follows the last whole record (the writer died, or
 * the disk was full) is left away, and `is_truncated` says so.
 *
 * All snapshots of a capture share one set of tables: a site has the same number in each,
 * and in sites that a snapshot does not have yet nothing is alive.
 */
#pragma once

#include "core/snapshot.h"
#include "core/timeline.h"

typedef struct mw_capture mw_capture;

/* MW_IO: the system would not let us read; MW_BAD_INPUT: not a capture, damaged, or newer
 * than this program; the sentence says which, and names the file. */
mw_status mw_capture_open(const char *path, mw_alloc *alloc, mw_capture **ret_capture,
                          mw_error *reterr) MW_MUST_CHECK;
void mw_capture_close(mw_capture *capture); /* accepts NULL */

const mw_timeline *mw_capture_timeline(const mw_capture *capture);
bool mw_capture_is_truncated(const mw_capture *capture);

uint32_t mw_capture_snapshot_count(const mw_capture *capture);
/* The point of snapshot [number]. */
const mw_point *mw_capture_point(const mw_capture *capture, uint32_t number);

/* What was alive at snapshot [number], with what had been allocated up to then; the caller
 * releases it, before or after the capture is closed.  It has sums, no blocks. */
mw_status mw_capture_snapshot(mw_capture *capture, uint32_t number, mw_snapshot **ret_snapshot,
                              mw_error *reterr) MW_MUST_CHECK;

/* The same when the most was alive, and the point at which that was; MW_UNSUPPORTED if the
 * capture was made without --peak. */
mw_status mw_capture_peak(mw_capture *capture, mw_snapshot **ret_snapshot, mw_point *ret_point,
                          mw_error *reterr) MW_MUST_CHECK;

/* The text of a line of source as it was when the capture was made; NULL if it is not in. */
const char *mw_capture_source_line(const mw_capture *capture, const char *file, int32_t line,
                                   size_t *ret_length);

/* ── who contributed to a merged capture ─────────────────────────────────────────── */

typedef struct mw_capture_tally {
    uint64_t live_bytes;
    uint64_t live_blocks;
    uint64_t total_bytes; /* allocated since tracing began, dead or alive */
    uint64_t total_blocks;
} mw_capture_tally;

/* One of the captures that `memwhy merge` made this one of. */
typedef struct mw_capture_input {
    const char *file; /* its name as it was given                        */
    const char *program;
    const char *host;
    int64_t pid;
    uint64_t start_unix_ns;
    uint64_t time_ns;       /* of the moment that was taken, since it began */
    mw_capture_tally tally; /* what it had then, of which the sum is here   */
} mw_capture_input;

/* None of a capture that was not merged. */
const mw_capture_input *mw_capture_inputs(const mw_capture *capture, size_t *ret_count);

/* ── heaps ───────────────────────────────────────────────────────────────────────── */

struct mw_heap_image;

/* What is known of a heap before it is read. */
typedef struct mw_capture_heap_facts {
    uint64_t time_ns; /* since the capture began   */
    uint64_t objects; /* running frames included   */
    uint64_t references;
} mw_capture_heap_facts;

/* Heaps are numbered from 0, in the order in which they were taken. */
uint32_t mw_capture_heap_count(const mw_capture *capture);
const mw_capture_heap_facts *mw_capture_heap_facts_of(const mw_capture *capture, uint32_t number);

/* Reads heap [number], and checks all of it; the caller releases it with mw_heap_image_done
 * (capture/heap_image.h), before or after the capture is closed.  MW_BAD_INPUT if there is no such
 * heap, or if it is damaged. */
mw_status mw_capture_heap(mw_capture *capture, uint32_t number, mw_alloc *alloc,
                          struct mw_heap_image *ret_image, mw_error *reterr) MW_MUST_CHECK;

/* ── running through a series ────────────────────────────────────────────────────── */

/* Goes through all snapshots in order, cheaply: only what changes is looked at. */
typedef struct mw_capture_replay mw_capture_replay;

mw_status mw_capture_replay_new(mw_capture *capture, mw_capture_replay **ret_replay,
                                mw_error *reterr) MW_MUST_CHECK;
void mw_capture_replay_free(mw_capture_replay *replay); /* accepts NULL */

/* Steps to the next snapshot; false behind the last.  Cannot fail: all is checked; only if
 * somebody changed the file meanwhile it ends early. */
bool mw_capture_replay_next(mw_capture_replay *replay);
/* Now, by site number: mw_snapshot_site_count + 1 of them, of which [0] means nothing. */
const mw_capture_tally *mw_capture_replay_tallies(const mw_capture_replay *replay);
/* The numbers of sites that the last step changed. */
const uint32_t *mw_capture_replay_changed(const mw_capture_replay *replay, uint32_t *ret_count);
