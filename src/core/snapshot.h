/* SPDX-License-Identifier: MIT
 *
 * A snapshot: an immutable, self-contained copy of what was alive at one moment, as
 * numbers and strings.  It knows no interpreter and no tracer; it is built by the
 * tracer, from tracemalloc's raw tuples, or (later) from a capture file, and then
 * filtered, grouped, compared and drawn.
 *
 * Its tables, each sorted by nothing but the order of arrival; index 0 is a dummy:
 *
 *   strings      interned UTF-8 (lone surrogates as their 3 bytes, so that comparing
 *                bytes orders like Python's str)
 *   frames       (file, line, function, module)
 *   paths        (caller path, frame, depth): a tree whose root is path 0
 *   tracebacks   a path cut to the `frame_limit` most recent frames, and how many
 *                frames there were; two tracebacks are one if their (file, line)
 *                sequences, the regions among them and the totals are equal, whatever
 *                the function names say
 *   sites        (traceback, path, domain, thread, epoch) with live bytes and blocks
 *   runs         (site, block size, how many such blocks in a row): the blocks in
 *                order, so that `snapshot.traces[i]` is a binary search
 *
 * Everything in it costs by sites, not by blocks, but for one run per large block.
 *
 * A sampled snapshot is the same of the blocks that were sampled, with their true sizes;
 * how many marks there were tells what they stand for (core/estimate.h), and each site
 * knows besides what it has allocated since sampling began, dead or alive.
 *
 * A site may also say what it has allocated since tracing began, dead or alive: its
 * totals.  And a snapshot out of a capture has sums by site and no blocks: the sums are
 * all there is, estimates where samples were taken, and nothing says how sure they are.
 *
 * What filters leave of a snapshot shares its tables: all numbers stay, and sites of which
 * no block is left have 0 live blocks.
 */
#pragma once

#include "base/alloc.h"
#include "core/estimate.h"
#include "core/ids.h"

#include <stdbool.h>

/* Total of frames where the maker of a raw trace did not say (tracemalloc's None). */
enum { MW_TOTAL_FRAMES_UNKNOWN = 0 };

typedef struct mw_snapshot mw_snapshot; /* see core/snapshot_tables.h */

/* The file of frames that are no function's but a region, a named step in a path (core/region.h):
 * the name is where others have their function's. */
#define MW_REGION_FILE "<region>"

typedef struct mw_frame_row {
    mw_string file;
    mw_string function; /* unknown where the maker had only file and line       */
    mw_string module;   /* likewise                                             */
    int32_t line;       /* 0 where the instruction has none                     */
    int32_t first_line; /* of the function's definition; 0: unknown             */
} mw_frame_row;

/* Blocks, and their bytes.  Without blocks there are no bytes. */
typedef struct mw_tally {
    uint64_t bytes;
    uint64_t blocks;
} mw_tally;

typedef struct mw_traceback_row {
    mw_path path;          /* of the most recent frame                          */
    uint32_t frame_count;  /* frames kept: at least 1, at most the limit        */
    uint32_t total_frames; /* of the whole stack, or MW_TOTAL_FRAMES_UNKNOWN    */
} mw_traceback_row;

typedef struct mw_site_row {
    mw_traceback traceback;
    mw_path path;
    uint32_t domain;
    mw_thread thread;
    uint32_t epoch; /* of a series, in which its blocks were born; 0 where there is none */
    uint64_t live_bytes;
    uint64_t live_blocks;
    uint64_t total_bytes;  /* allocated since tracing began, dead or alive; 0 where the */
    uint64_t total_blocks; /* snapshot has no totals                                    */
} mw_site_row;

/* ── reading ─────────────────────────────────────────────────────────────────────── */

/* Snapshots are shared by reference count (not atomic: one thread at a time, which
 * under the GIL is no burden). */
mw_snapshot *mw_snapshot_retain(mw_snapshot *snapshot);
void mw_snapshot_release(mw_snapshot *snapshot); /* accepts NULL */

uint32_t mw_snapshot_frame_limit(const mw_snapshot *snapshot);
uint64_t mw_snapshot_live_bytes(const mw_snapshot *snapshot);
uint64_t mw_snapshot_block_count(const mw_snapshot *snapshot);
size_t mw_snapshot_memory_bytes(const mw_snapshot *snapshot);
/* Whether its sites say what they have allocated since tracing began; and all of it. */
bool mw_snapshot_has_totals(const mw_snapshot *snapshot);
uint64_t mw_snapshot_total_bytes(const mw_snapshot *snapshot);
uint64_t mw_snapshot_total_blocks(const mw_snapshot *snapshot);
/* Whether it has blocks; if not, it has their sums by site alone. */
bool mw_snapshot_has_blocks(const mw_snapshot *snapshot);
/* The mean distance of marks in a sampled snapshot; 0 where every block is there, or where
 * sums are. */
uint64_t mw_snapshot_sample_bytes(const mw_snapshot *snapshot);
/* The same of sums that are what samples stood for, which are not there themselves; else 0. */
uint64_t mw_snapshot_sums_sample_bytes(const mw_snapshot *snapshot);
/* What all of the snapshot's blocks stand for. */
mw_estimate mw_snapshot_estimate(const mw_snapshot *snapshot);
/* What the site has allocated since sampling began; NULL where nobody knows. */
const mw_estimate *mw_snapshot_allocated(const mw_snapshot *snapshot, mw_site site);

uint32_t mw_snapshot_site_count(const mw_snapshot *snapshot);      /* sites are 1 … count      */
uint32_t mw_snapshot_frame_count(const mw_snapshot *snapshot);     /* frames are 1 … count     */
uint32_t mw_snapshot_traceback_count(const mw_snapshot *snapshot); /* tracebacks are 1 … count */

/* UTF-8 bytes, NUL-terminated for convenience; [ret_length] may be NULL. */
const char *mw_snapshot_string(const mw_snapshot *snapshot, mw_string string, size_t *ret_length);
mw_frame_row mw_snapshot_frame(const mw_snapshot *snapshot, mw_frame frame);
mw_frame mw_snapshot_path_frame(const mw_snapshot *snapshot, mw_path path);
mw_path mw_snapshot_path_caller(const mw_snapshot *snapshot, mw_path path); /* 0 at the root */
uint32_t mw_snapshot_path_depth(const mw_snapshot *snapshot, mw_path path);
mw_traceback_row mw_snapshot_traceback(const mw_snapshot *snapshot, mw_traceback traceback);
mw_site_row mw_snapshot_site(const mw_snapshot *snapshot, mw_site site);
/* The thread's name, or "" where it has none. */
const char *mw_snapshot_thread_name(const mw_snapshot *snapshot, mw_thread thread);

/* The block at position [index] < block_count, in the order in which they were added; the
 * snapshot has blocks. */
void mw_snapshot_block(const mw_snapshot *snapshot, uint64_t index, mw_site *ret_site,
                       uint64_t *ret_size_bytes);

/* Recounts every total from scratch; for assertions and tests. */
bool mw_snapshot_is_consistent(const mw_snapshot *snapshot);

/* ── the same sites with other numbers ───────────────────────────────────────────── */

/* A snapshot that shares the tables of [like] (and so keeps them alive) and has these sums:
 * live[i] and totals[i] are those of site i < count, at most site_count + 1 of them; other
 * sites have nothing, and [0] is not looked at.  [totals] may be NULL.  MW_LIMIT when a sum
 * over all would not fit in 64 bits. */
mw_status mw_snapshot_with_tallies(mw_snapshot *like, const mw_tally *live, const mw_tally *totals,
                                   uint32_t count, mw_snapshot **ret_snapshot) MW_MUST_CHECK;

/* What was allocated stands as what is alive.  MW_UNSUPPORTED without totals. */
mw_status mw_snapshot_totals_as_live(mw_snapshot *snapshot, mw_snapshot **ret_snapshot)
    MW_MUST_CHECK;

/* ── building ────────────────────────────────────────────────────────────────────── */

typedef struct mw_snapshot_builder mw_snapshot_builder;

/* [frame_limit] from 1 to MW_FRAME_LIMIT_MAXIMUM: how many of the most recent frames a
 * traceback keeps. */
mw_status mw_snapshot_builder_new(mw_alloc *alloc, uint32_t frame_limit,
                                  mw_snapshot_builder **ret_builder) MW_MUST_CHECK;
void mw_snapshot_builder_free(mw_snapshot_builder *builder); /* accepts NULL */

/* Each interns: equal arguments give the same handle. */
mw_status mw_snapshot_builder_string(mw_snapshot_builder *builder, const char *utf8, size_t length,
                                     mw_string *ret_string) MW_MUST_CHECK;
mw_status mw_snapshot_builder_frame(mw_snapshot_builder *builder, mw_frame_row row,
                                    mw_frame *ret_frame) MW_MUST_CHECK;
mw_status mw_snapshot_builder_path(mw_snapshot_builder *builder, mw_path caller, mw_frame frame,
                                   mw_path *ret_path) MW_MUST_CHECK;
/* Frames from the root to [path], itself included. */
uint32_t mw_snapshot_builder_depth(const mw_snapshot_builder *builder, mw_path path);
/* [path] has at least one frame.  [total_frames] is the depth of the whole stack: pass the
 * path's own depth when the path is whole, MW_TOTAL_FRAMES_UNKNOWN when nobody knows. */
mw_status mw_snapshot_builder_site(mw_snapshot_builder *builder, mw_path path,
                                   uint32_t total_frames, uint32_t domain, mw_thread thread,
                                   mw_site *ret_site) MW_MUST_CHECK;
/* The same for blocks born in [epoch] of a series. */
mw_status mw_snapshot_builder_epoch_site(mw_snapshot_builder *builder, mw_path path,
                                         uint32_t total_frames, uint32_t domain, mw_thread thread,
                                         uint32_t epoch, mw_site *ret_site) MW_MUST_CHECK;
mw_status mw_snapshot_builder_name_thread(mw_snapshot_builder *builder, mw_thread thread,
                                          mw_string name) MW_MUST_CHECK;

/* Appends [count] blocks of [size_bytes] each; consecutive equal runs are joined.
 * MW_LIMIT when the snapshot's bytes or blocks would not fit in 64 bits. */
mw_status mw_snapshot_builder_blocks(mw_snapshot_builder *builder, mw_site site,
                                     uint64_t size_bytes, uint64_t count) MW_MUST_CHECK;

/* Adds sums without blocks, after which the snapshot has no blocks at all: those that were
 * added, and those that come, only count.  MW_LIMIT likewise. */
mw_status mw_snapshot_builder_tally(mw_snapshot_builder *builder, mw_site site, uint64_t bytes,
                                    uint64_t blocks) MW_MUST_CHECK;
/* Adds to what the site has allocated since tracing began; the snapshot then has totals.
 * MW_LIMIT likewise. */
mw_status mw_snapshot_builder_totals(mw_snapshot_builder *builder, mw_site site, uint64_t bytes,
                                     uint64_t blocks) MW_MUST_CHECK;

/* From now on the blocks are samples, [sample_bytes] apart on average. */
void mw_snapshot_builder_sampled(mw_snapshot_builder *builder, uint64_t sample_bytes);
/* Adds to what the site has allocated since sampling began. */
mw_status mw_snapshot_builder_allocated(mw_snapshot_builder *builder, mw_site site,
                                        const mw_estimate *allocated) MW_MUST_CHECK;

/* Turns the builder into a snapshot that the caller releases; the builder is freed,
 * whether this succeeds or not.  (It does succeed: there is nothing to allocate.) */
mw_status mw_snapshot_builder_finish(mw_snapshot_builder *builder, mw_snapshot **ret_snapshot)
    MW_MUST_CHECK;
