/* SPDX-License-Identifier: MIT
 *
 * What a snapshot is made of, for the few files that may look inside: the snapshot,
 * its builder, and what runs over all its sites (filter, group, rows).
 *
 * A snapshot is two things.  The tables say what sites there are and what they mean;
 * they are built once and then shared by the snapshot and everything filtered from it.
 * The tallies and runs say how much of each site is there; each snapshot has its own.
 * A filtered snapshot so keeps all the site numbers, and sites of which no block is
 * left have a tally of zero.
 */
#pragma once

#include "base/string_pool.h"
#include "core/snapshot.h"

/* A node of the tree of call paths.  A caller's number is smaller than that of whom it
 * calls, so that one pass upwards or downwards visits callers first or last.
 *
 * Besides its caller a path knows an ancestor further up, chosen so that any ancestor is
 * reached in O(log depth) steps, and so that how far the jump goes depends on the depth
 * alone: two paths of one depth can be climbed in step until they meet.  (Myers, "An
 * applicative random-access stack", 1983.) */
typedef struct mw_path_row {
    mw_path caller; /* 0 where nobody calls             */
    mw_path jump;   /* an ancestor, or 0                */
    mw_frame frame; /* never 0, but in row 0            */
    uint32_t depth; /* frames up to the root, at least 1 */
} mw_path_row;

/* A site without its tally. */
typedef struct mw_site_key {
    mw_traceback traceback;
    mw_path path;
    uint32_t domain;
    mw_thread thread;
    uint32_t epoch;
} mw_site_key;

/* Blocks of one site and size that follow each other. */
typedef struct mw_run {
    uint64_t first; /* position of the run's first block; runs are sorted by it */
    uint64_t size_bytes;
    mw_site site;
} mw_run;

/* Every array has a dummy at index 0, which is part of its count. */
typedef struct mw_snapshot_tables {
    mw_alloc *alloc;     /* borrowed; outlives the tables         */
    uint32_t references; /* snapshots that share these tables     */
    uint32_t frame_limit;
    uint64_t sample_bytes; /* mean distance of marks; 0: every block is there */
    mw_string_pool strings;
    mw_string region_file; /* MW_REGION_FILE, once there is a frame of that kind */
    mw_frame_row *frames;  /* owned, like all arrays below          */
    mw_path_row *paths;
    mw_traceback_row *tracebacks;
    uint64_t *sequence_hashes; /* by traceback: of its (file, line)s and regions alone,
                                  the same in every snapshot                */
    mw_site_key *sites;
    mw_string *thread_names; /* by thread; threads beyond it have no name */
    uint32_t frame_count, frame_capacity;
    uint32_t path_count, path_capacity;
    uint32_t traceback_count, traceback_capacity;
    uint32_t sequence_hash_capacity;
    uint32_t site_count, site_capacity;
    uint32_t thread_count, thread_capacity;
} mw_snapshot_tables;

struct mw_snapshot {
    uint32_t references;
    mw_snapshot_tables *tables; /* shared                                          */
    mw_tally *tallies;          /* owned; by site                                  */
    uint32_t tally_capacity;    /* at least as many as there are sites             */
    mw_estimate *allocated;     /* owned; by site, since sampling began; else NULL */
    uint32_t allocated_capacity;
    mw_tally *totals; /* owned; by site, since tracing began; else NULL */
    uint32_t total_capacity;
    bool has_sums_only; /* then there are no runs */
    mw_run *runs;       /* owned; no two neighbours have one site and size */
    uint32_t run_count;
    uint32_t run_capacity;
    uint64_t live_bytes;  /* sum of the tallies */
    uint64_t block_count; /* likewise           */
    mw_tally total;       /* sum of the totals  */
};

/* The most threads whose names are kept. */
enum { MW_SNAPSHOT_THREAD_MAXIMUM = 1 << 24 };

/* What the builder has made so far; pointers into it hold until it makes more. */
const mw_snapshot_tables *mw_snapshot_builder_tables(const mw_snapshot_builder *builder);

/* An empty snapshot of [tables], of which it takes a reference of its own; when it
 * fails, it does not.  Without tallies: the caller makes them. */
mw_status mw_snapshot_new(mw_snapshot_tables *tables, mw_snapshot **ret_snapshot) MW_MUST_CHECK;

/* Appends to tally and runs; what fails leaves the snapshot as it was. */
mw_status mw_snapshot_append(mw_snapshot *snapshot, mw_site site, uint64_t size_bytes,
                             uint64_t count) MW_MUST_CHECK;

/* Adds sums without blocks; likewise. */
mw_status mw_snapshot_add_tally(mw_snapshot *snapshot, mw_site site, const mw_tally *tally)
    MW_MUST_CHECK;

/* Adds to what a site has allocated since tracing began; likewise. */
mw_status mw_snapshot_add_totals(mw_snapshot *snapshot, mw_site site, const mw_tally *totals)
    MW_MUST_CHECK;

/* Adds to what a site has allocated. */
mw_status mw_snapshot_add_allocated(mw_snapshot *snapshot, mw_site site,
                                    const mw_estimate *allocated) MW_MUST_CHECK;

/* How many blocks the run has. */
static inline uint64_t mw_snapshot_run_blocks(const mw_snapshot *snapshot, uint32_t run)
{
    uint64_t end =
        run + 1 < snapshot->run_count ? snapshot->runs[run + 1].first : snapshot->block_count;

    return end - snapshot->runs[run].first;
}

/* Where a path that [caller] leads to has its jump. */
static inline mw_path mw_snapshot_jump_below(const mw_snapshot_tables *tables, mw_path caller)
{
    const mw_path_row *row = &tables->paths[caller.index];
    const mw_path_row *first = &tables->paths[row->jump.index];
    const mw_path_row *second = &tables->paths[first->jump.index];

    return row->depth - first->depth == first->depth - second->depth ? first->jump : caller;
}

/* Whether a frame is a region. */
static inline bool mw_snapshot_is_region(const mw_snapshot_tables *tables, const mw_frame_row *row)
{
    return row->file.index == tables->region_file.index && row->file.index != 0 &&
           row->function.index != 0;
}

/* The path's ancestor (or itself) with [depth] frames, 0 if that is none. */
static inline mw_path mw_snapshot_ancestor(const mw_snapshot_tables *tables, mw_path path,
                                           uint32_t depth)
{
    while (tables->paths[path.index].depth > depth) {
        const mw_path_row *row = &tables->paths[path.index];

        path = tables->paths[row->jump.index].depth >= depth ? row->jump : row->caller;
    }
    return path;
}

/* The name of [thread], or the empty string. */
static inline mw_string mw_snapshot_thread_string(const mw_snapshot_tables *tables,
                                                  mw_thread thread)
{
    return thread.index < tables->thread_count ? tables->thread_names[thread.index]
                                               : (mw_string){0};
}

void mw_snapshot_tables_release(mw_snapshot_tables *tables); /* accepts NULL */

bool mw_snapshot_tables_is_consistent(const mw_snapshot_tables *tables);
