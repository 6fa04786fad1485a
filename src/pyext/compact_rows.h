/* SPDX-License-Identifier: MIT
 *
 * The rows in a snapshot's compact state, exactly as they lie in its bytes.
 */
#pragma once

#include <stdint.h>

#if !defined(__BYTE_ORDER__) || __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "compact states are little-endian and are copied from memory as they are"
#endif

/* What exact snapshots are written as, which every reader knows, and sampled ones. */
enum { MW_COMPACT_VERSION = 1, MW_COMPACT_VERSION_SAMPLED = 2 };

/* Places in the tuple. */
enum {
    MW_COMPACT_PLACE_VERSION,
    MW_COMPACT_PLACE_LIMIT,
    MW_COMPACT_PLACE_STRINGS,
    MW_COMPACT_PLACE_FRAMES,
    MW_COMPACT_PLACE_PATHS,
    MW_COMPACT_PLACE_THREADS,
    MW_COMPACT_PLACE_SITES,
    MW_COMPACT_PLACE_RUNS,
    MW_COMPACT_PLACES,
    MW_COMPACT_PLACE_SAMPLE_BYTES = MW_COMPACT_PLACES,
    MW_COMPACT_PLACE_ALLOCATED,
    MW_COMPACT_PLACES_SAMPLED,
};

typedef struct mw_compact_frame {
    uint32_t file, function, module;
    int32_t line;
} mw_compact_frame;

typedef struct mw_compact_path {
    uint32_t caller, frame;
} mw_compact_path;

typedef struct mw_compact_site {
    uint32_t path, total_frames, domain, thread;
} mw_compact_site;

typedef struct mw_compact_run {
    uint64_t site, size_bytes, blocks;
} mw_compact_run;

typedef struct mw_compact_allocated {
    uint64_t site;
    double blocks, bytes, seen_blocks, seen_bytes, blocks_variance, bytes_variance, unseen_square;
} mw_compact_allocated;

_Static_assert(sizeof(mw_compact_frame) == 16, "rows have no padding");
_Static_assert(sizeof(mw_compact_path) == 8, "rows have no padding");
_Static_assert(sizeof(mw_compact_site) == 16, "rows have no padding");
_Static_assert(sizeof(mw_compact_run) == 24, "rows have no padding");
_Static_assert(sizeof(mw_compact_allocated) == 64, "rows have no padding");
