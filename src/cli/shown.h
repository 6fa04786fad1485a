/* SPDX-License-Identifier: MIT
 *
 * What a command shows of a capture: which moment, which numbers (what is alive, what has
 * been allocated) and which part of it; and how that is said.
 */
#pragma once

#include "cli/selection.h"
#include "cli/subject.h"
#include "core/group.h"

/* What a row can be, as `--by` says it, and the keys that these words stand for. */
extern const char *const mw_key_words[]; /* NULL ends them */
extern const mw_group_key mw_keys[];

/* What was asked for; borrowed from argv. */
typedef struct mw_shown_options {
    mw_selection selection;
    const char *at;         /* a moment; NULL: the end                              */
    const char *at_option;  /* how the option is called that names it; NULL: --at   */
    const char *between[2]; /* moments: only what was born in between; or NULL      */
    uint64_t older_than_ns; /* only what was born so long before the moment; or 0   */
    bool wants_peak;        /* the moment when most was alive                       */
    bool wants_total;       /* what has been allocated, dead or alive               */
} mw_shown_options;

#define MW_SHOWN_OPTIONS(type, member)                                                             \
    {"--peak", MW_OPTION_FLAG, .offset = offsetof(type, member.wants_peak)},                       \
        {"--total", MW_OPTION_FLAG, .offset = offsetof(type, member.wants_total)},                 \
        MW_SELECTION_OPTIONS(type, member.selection)

typedef struct mw_shown {
    mw_snapshot *whole;    /* owned; before anything was left out                     */
    mw_snapshot *snapshot; /* owned; what is left                                     */
    mw_point point;
    uint32_t number;     /* of the snapshot; that of the last for the peak          */
    char lead[160];      /* "Alive at the end, 2m03s (snapshot 12 of 0 to 12)"      */
    char measure[60];    /* "alive", "allocated", "alive at the peak", …            */
    mw_buffer selection; /* what is shown of the whole, in words; empty if all is   */
} mw_shown;

/* Whether the options go together; the sentence says which do not. */
mw_status mw_shown_check(const mw_shown_options *options, mw_error *reterr) MW_MUST_CHECK;

mw_status mw_shown_init(mw_shown *shown, mw_subject *subject, const mw_shown_options *options,
                        mw_alloc *alloc, mw_error *reterr) MW_MUST_CHECK;
void mw_shown_done(mw_shown *shown); /* accepts a zeroed struct */

/* The words of `selection`, "" if there are none. */
const char *mw_shown_selection(const mw_shown *shown);

/* The same of another snapshot of the capture, for pages that let one choose. */
mw_status mw_shown_moment(mw_subject *subject, const mw_shown_options *options, uint32_t number,
                          mw_alloc *alloc, mw_snapshot **ret_snapshot, mw_error *reterr)
    MW_MUST_CHECK;
