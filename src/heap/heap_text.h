/* SPDX-License-Identifier: MIT
 *
 * What a heap has to say, for a person: what looks like a leak, first in a sentence; why one
 * object is alive.  Names are cleaned, so that a terminal may show them.
 */
#pragma once

#include "heap/heap_writer.h"

enum { MW_HEAP_SHARE_PERMILLE = 50 }; /* a suspect has at least that of the heap, by default */

typedef struct mw_heap_report {
    const char *lead;        /* borrowed; "The heap at the end, 2m03s"; NULL: "The heap" */
    const char *program;     /* borrowed; a line about the process, or NULL              */
    uint32_t share_permille; /* of suspects, 1 … 1000                                    */
    uint32_t suspect_limit;  /* how many are told in full                                */
    uint32_t row_limit;      /* of each table                                            */
} mw_heap_report;

/* The sentence, suspects, types, modules, what C holds, garbage. */
mw_status mw_heap_report_write(const mw_heap_report *report, mw_heap_study *study,
                               const mw_heap_look *look, mw_sink *sink) MW_MUST_CHECK;

/* The sentence alone, without its lead and its end of line: for headlines.  [places] NULL: files
 * are shown as they are called. */
mw_status mw_heap_verdict_write(mw_heap_study *study, const mw_suspects *suspects,
                                const mw_places *places, mw_sink *sink) MW_MUST_CHECK;

/* Those of the heap that have the share. */
mw_status mw_heap_suspects_init(mw_suspects *ret_suspects, mw_heap_study *study,
                                uint32_t share_permille) MW_MUST_CHECK;

/* One suspect, some lines; [number] 0: unnumbered. */
mw_status mw_heap_suspect_write(const mw_suspect *suspect, uint32_t number, mw_heap_study *study,
                                const mw_heap_look *look, mw_sink *sink) MW_MUST_CHECK;

/* Ways that keep [node] alive, [paths] at most; who dominates it; what it retains. */
mw_status mw_heap_why_write(uint32_t node, uint32_t paths, mw_heap_study *study,
                            const mw_heap_look *look, mw_sink *sink) MW_MUST_CHECK;

/* What waits for the collector, with [limit] of its cycles. */
mw_status mw_heap_garbage_write(uint32_t limit, mw_heap_study *study, const mw_heap_look *look,
                                mw_sink *sink) MW_MUST_CHECK;

/* One table. */
mw_status mw_heap_table_write(mw_heap_by by, uint32_t limit, mw_heap_study *study,
                              const mw_heap_look *look, mw_sink *sink) MW_MUST_CHECK;
/* The objects that retain most, with a way to each. */
mw_status mw_heap_top_write(uint32_t limit, mw_heap_study *study, const mw_heap_look *look,
                            mw_sink *sink) MW_MUST_CHECK;
