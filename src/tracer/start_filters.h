/* SPDX-License-Identifier: MIT
 *
 * Filters that are asked when a block is allocated rather than in a snapshot: what they do
 * not admit is never recorded.  They are the filters of core/filter.h, with the same answers
 * (a traceback is cut to the frame limit before it is looked at), put to paths of the
 * tracer's tables.
 *
 * A path is asked about when a site is looked for that is not in the tables, so an answer
 * must be quick but not as quick as the hot path.  What is expensive in it is remembered: by
 * instruction, whether a filter names its file and line; by path, for filters that look at
 * all frames, how far up the nearest named frame is.  That costs a byte per instruction and
 * file filter, and four bytes per path and filter with all_frames.
 *
 * Guarded like the tables whose numbers it remembers: each lane has its own.
 */
#pragma once

#include "core/code_table.h"
#include "core/filter.h"
#include "core/path_trie.h"

typedef struct mw_start_filter {
    mw_filter filter;         /* its pattern is owned                                        */
    uint8_t *answers;         /* owned; by instruction: 0 not asked yet, else what was said  */
    uint32_t answer_capacity; /* of answers                                                  */
    uint32_t *distances;      /* owned; by path: 0 not asked yet, else frames up to the
                                 nearest named one, itself counted                           */
    uint32_t distance_capacity;
} mw_start_filter;

typedef struct mw_start_filters {
    mw_alloc *alloc;        /* borrowed                                    */
    mw_start_filter *items; /* owned                                       */
    uint32_t count;         /* 0: everything is admitted                   */
    uint32_t frame_limit;   /* how many frames of a traceback are kept     */
} mw_start_filters;

/* Copies [filters].  On failure nothing is left to be released. */
mw_status mw_start_filters_init(mw_start_filters *filters, mw_alloc *alloc, const mw_filter *copied,
                                size_t count, uint32_t frame_limit) MW_MUST_CHECK;
/* Accepts a zeroed struct, and leaves one. */
void mw_start_filters_done(mw_start_filters *filters);
/* The tables begin anew, so the numbers mean nothing any more.  The filters stay. */
void mw_start_filters_forget(mw_start_filters *filters);
size_t mw_start_filters_memory_bytes(const mw_start_filters *filters);

/* What mw_start_filters_admit does where there are filters. */
bool mw_start_filters_ask(mw_start_filters *filters, const mw_code_table *codes,
                          const mw_path_trie *paths, mw_path path, uint32_t domain);

/* Whether blocks that are allocated at [path] in [domain] are to be recorded. */
static inline bool mw_start_filters_admit(mw_start_filters *filters, const mw_code_table *codes,
                                          const mw_path_trie *paths, mw_path path, uint32_t domain)
{
    return filters->count == 0 || mw_start_filters_ask(filters, codes, paths, path, domain);
}
