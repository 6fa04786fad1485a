/* SPDX-License-Identifier: MIT
 *
 * Which blocks count: tracemalloc's filters.  Their answer depends on a block's
 * traceback and domain alone, so it is asked once per site and never per block.
 *
 * Rules (Lib/tracemalloc.py): a block stays if one of the inclusive filters matches, or
 * there are none, and every exclusive filter matches.  An exclusive filter "matches"
 * what it does not name.
 */
#pragma once

#include "core/fnmatch.h"
#include "core/snapshot.h"

typedef enum mw_filter_kind {
    MW_FILTER_FILE,   /* pattern, line, all_frames and optionally domain */
    MW_FILTER_DOMAIN, /* domain alone                                    */
} mw_filter_kind;

typedef struct mw_filter {
    mw_filter_kind kind;
    bool inclusive;
    bool all_frames;     /* look at every frame, not only the most recent         */
    bool has_line;       /* else any line matches                                 */
    bool has_domain;     /* else any domain matches                               */
    const char *pattern; /* borrowed; pattern for mw_fnmatch(), a final ".pyc" already
                            written as ".py"                                      */
    size_t pattern_length;
    int64_t line;
    int64_t domain;
} mw_filter;

/* Whether one filter matches a traceback in a domain (tracemalloc's `_match`).  In the
 * names of frames' files, too, a final ".pyc" is taken for ".py". */
bool mw_filter_matches(const mw_filter *filter, const mw_snapshot *snapshot, mw_traceback traceback,
                       uint32_t domain);

/* ── the parts of that answer, for whoever has frames elsewhere than in a snapshot ── */

/* Whether a frame's file is one that a filter of kind MW_FILTER_FILE names. */
bool mw_filter_names_file(const mw_filter *filter, const char *name, size_t length);

static inline bool mw_filter_names_line(const mw_filter *filter, int32_t line)
{
    return !filter->has_line || filter->line == line;
}

/* The answer, once it is known whether one of the frames that count is the one named; for a
 * filter of kind MW_FILTER_DOMAIN that makes no difference. */
bool mw_filter_concludes(const mw_filter *filter, bool names_frame, uint32_t domain);

/* Several filters asked about one block: it stays if one of the inclusive filters matches,
 * or there are none, and every exclusive one does. */
typedef struct mw_filter_poll {
    bool has_inclusive;
    bool is_included;
    bool is_refused;
} mw_filter_poll;

/* Whether the answer of [filter] can still make a difference. */
static inline bool mw_filter_poll_asks(const mw_filter_poll *poll, const mw_filter *filter)
{
    return !filter->inclusive || !poll->is_included;
}

static inline void mw_filter_poll_count(mw_filter_poll *poll, const mw_filter *filter, bool matches)
{
    if (filter->inclusive) {
        poll->has_inclusive = true;
        poll->is_included = poll->is_included || matches;
    } else {
        poll->is_refused = poll->is_refused || !matches;
    }
}

static inline bool mw_filter_poll_admits(const mw_filter_poll *poll)
{
    return !poll->is_refused && (poll->is_included || !poll->has_inclusive);
}

/* ── snapshots ───────────────────────────────────────────────────────────────────── */

/* The blocks that [filters] leave, in their order, as a snapshot that shares the tables of
 * [snapshot] (and so keeps them alive): sites keep their numbers, and those without blocks
 * have 0 live blocks.  With no filters: everything. */
mw_status mw_snapshot_filter(mw_snapshot *snapshot, const mw_filter *filters, size_t count,
                             mw_snapshot **ret_snapshot) MW_MUST_CHECK;

/* The blocks of those sites for which keep[site.index] is true (site_count + 1 flags);
 * for filters that only Python can decide. */
mw_status mw_snapshot_select(mw_snapshot *snapshot, const bool *keep, mw_snapshot **ret_snapshot)
    MW_MUST_CHECK;
