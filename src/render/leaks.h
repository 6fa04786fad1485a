/* SPDX-License-Identifier: MIT
 *
 * The verdict over time: which lines leak, and which only look as if.  What there is to say
 * is decided here once; leaks_text.c and leaks_json.c write it for people and for programs.
 *
 * In four steps, since no room sees all that is needed (cli/capture_leaks.h takes them for
 * the commands):
 *
 *     mw_leak_groups_init(&groups, last_snapshot, &scope, …)
 *     mw_capture_histories(capture, last_snapshot, groups.of_site, groups.count, …, &histories)
 *     mw_leaks_init(&leaks, &groups, &histories, program, last_point, places, …)
 *     mw_leaks_write_verdict(&leaks, sink)
 */
#pragma once

#include "core/histories.h"
#include "core/timeline.h"
#include "render/leak_groups.h"
#include "render/source_text.h"

typedef struct mw_leak_row {
    uint32_t group; /* among the groups' items                                           */
    mw_leak_finding finding;
    bool goes_along; /* a leak too small to be accused beside the others                 */
    /* From 0 to 1: of a leak that is accused, of what all of these leak; of one that goes along,
     * of all that leaks; else of all that grows. */
    double share;
} mw_leak_row;

typedef struct mw_leaks {
    mw_alloc *alloc;              /* borrowed, like the next three                         */
    const mw_leak_groups *groups; /* and the snapshot in them                              */
    const mw_histories *histories;
    const mw_places *places;
    mw_leak_row *rows; /* owned; what hurts first comes first                           */
    uint32_t row_count;
    uint32_t counts[MW_VERDICT_COUNT]; /* of rows; of leaks those that are accused        */
    uint32_t along_count;              /* leaks that are not                              */
    mw_trend leak_rate;                /* of those that are, bytes per hour               */
    mw_trend along_rate;
    double hours;         /* from the first moment to the last                            */
    uint64_t rss_bytes;   /* at the last moment; what is alive, where it is not known     */
    uint64_t limit_bytes; /* of the process's memory; 0: none                             */
} mw_leaks;

/* [last] is the point of the last snapshot, [program] the process.  The groups, histories and
 * places outlive [ret_leaks].  MW_NO_MEMORY alone. */
mw_status mw_leaks_init(mw_leaks *ret_leaks, const mw_leak_groups *groups,
                        const mw_histories *histories, const mw_program *program,
                        const mw_point *last, const mw_places *places, mw_alloc *alloc)
    MW_MUST_CHECK;
void mw_leaks_done(mw_leaks *leaks); /* accepts a zeroed struct */

/* "leak", "cache still filling", …; "grows along" */
const char *mw_leak_row_verdict(const mw_leak_row *row);

/* "line", "file", …: what is judged. */
const char *mw_leaks_noun(const mw_leaks *leaks);

/* Writes the place that a row stands for. */
void mw_leaks_write_place(const mw_leaks *leaks, const mw_leak_row *row, mw_sink *sink);

/* Whether the series is long enough for any verdict. */
bool mw_leaks_has_enough(const mw_leaks *leaks);

/* Writes the verdict as sentences on one line, without a final newline. */
void mw_leaks_write_verdict(const mw_leaks *leaks, mw_sink *sink);

/* Hours until a growth of [bytes_per_hour] has filled the process's limit, or, where there is
 * none, has taken as much again as the process has; infinite where nothing grows. */
double mw_leaks_hours_left(const mw_leaks *leaks, double bytes_per_hour);

/* "12.3 MiB per hour (11.8 MiB to 12.9 MiB)" */
void mw_leaks_write_rate(const mw_trend *rate, mw_sink *sink);

/* Why it is a leak: "40 of 41 epochs survive, with 97% of their bytes" */
void mw_leaks_write_evidence(const mw_leak_finding *finding, mw_sink *sink);

/* How a page for a person is to look. */
typedef struct mw_leaks_page {
    mw_source *source;
    uint32_t top; /* rows at most                   */
    uint32_t width;
    bool has_colour;
} mw_leaks_page;

mw_status mw_leaks_write_text(const mw_leaks *leaks, const mw_leaks_page *page, mw_alloc *alloc,
                              mw_sink *sink, mw_error *reterr) MW_MUST_CHECK;
mw_status mw_leaks_write_json(const mw_leaks *leaks, uint32_t top, mw_alloc *alloc, mw_sink *sink,
                              mw_error *reterr) MW_MUST_CHECK;
