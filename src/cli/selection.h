/* SPDX-License-Identifier: MIT
 *
 * What of a snapshot a command was asked to show: by file, thread, domain, region, and by
 * when blocks were born.  Decided by site, in one pass over frames, paths and sites.
 */
#pragma once

#include "cli/option_table.h"
#include "core/snapshot.h"
#include "render/render.h"
#include "render/source_text.h"

typedef struct mw_selection {
    mw_option_list only;        /* patterns: some frame's file matches one      */
    mw_option_list exclude;     /* patterns: the allocating frame's file matches none */
    mw_option_list threads;     /* patterns: the thread's name matches one      */
    mw_option_list domains;     /* numbers                                      */
    mw_option_list regions;     /* patterns: some region's name matches one     */
    const char *region_comment; /* lines with it begin regions (render/region_comments.h);
                                   NULL: there are none of that kind            */
    bool has_epochs;            /* of birth, from the first to before the end   */
    uint32_t first_epoch;
    uint32_t epoch_end;
} mw_selection;

/* Rows for the table of a command whose fields have a mw_selection of this name. */
#define MW_SELECTION_OPTIONS(type, member)                                                         \
    {"--only", MW_OPTION_LIST, .offset = offsetof(type, member.only)},                             \
        {"--exclude", MW_OPTION_LIST, .offset = offsetof(type, member.exclude)},                   \
        {"--thread", MW_OPTION_LIST, .offset = offsetof(type, member.threads)},                    \
        {"--domain", MW_OPTION_LIST, .offset = offsetof(type, member.domains)},                    \
        {"--region", MW_OPTION_LIST, .offset = offsetof(type, member.regions)},                    \
    {                                                                                              \
        "--region-comment", MW_OPTION_TEXT, .offset = offsetof(type, member.region_comment)        \
    }

/* The same in words, for the commands' help. */
#define MW_SELECTION_HELP                                                                          \
    "  --only PATTERN       only what was allocated under a file, as 'myapp/*'; may be given\n"    \
    "                       more than once, like all of these\n"                                   \
    "  --exclude PATTERN    not what was allocated in a file itself\n"                             \
    "  --thread PATTERN     only what threads of this name allocated\n"                            \
    "  --domain N           only this domain\n"                                                    \
    "  --region PATTERN     only what was allocated inside a region of this name; what is in\n"    \
    "                       none is in '<no region>'\n"                                            \
    "  --region-comment T   a line whose source has this text begins a region\n"

/* Whether anything is left out.  MW_BAD_INPUT if a domain is no number. */
mw_status mw_selection_check(const mw_selection *selection, bool *ret_selects, mw_error *reterr)
    MW_MUST_CHECK;

/* What is left of [snapshot], with the regions that comments make. */
mw_status mw_selection_apply(const mw_selection *selection, mw_snapshot *snapshot,
                             mw_source *source, mw_alloc *alloc, mw_snapshot **ret_snapshot)
    MW_MUST_CHECK;

/* Writes what is shown: "under 'myapp/', not in 'a.py', of thread 'main'". */
void mw_selection_describe(const mw_selection *selection, mw_sink *sink);
