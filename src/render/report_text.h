/* SPDX-License-Identifier: MIT
 *
 * `memwhy report` for a person at a terminal: the verdict, what process and which moment it
 * is about, what one has to know about the numbers, and then a table, a call tree or
 * annotated source.
 */
#pragma once

#include "core/group.h"
#include "render/renderer.h"
#include "render/source_view.h"
#include "render/tree_text.h"

typedef enum mw_report_form { MW_REPORT_TABLE, MW_REPORT_TREE, MW_REPORT_SOURCE } mw_report_form;

/* Everything is borrowed for the call. */
typedef struct mw_report {
    const mw_view *view;   /* its verdict, if any, comes before what the snapshot itself says */
    const mw_point *point; /* the moment that is shown; NULL where nobody knows             */
    const char *started;   /* when the process was, for people; "" if not known             */
    const char *lead;      /* "Alive at the end, 2m03s": what is shown, and of when         */
    const char *selection; /* what is shown of that, as in "under 'app/x.py'"; "" if all is       */
    uint64_t whole_bytes;  /* what there was before anything was left out                   */
    uint64_t whole_blocks;
    bool is_truncated; /* the capture ends in the middle of a record                        */
    mw_report_form form;
    mw_group_key by;      /* of a table                                                     */
    uint32_t top;         /* rows of a table, at most                                       */
    mw_tree_form tree;    /* of a tree                                                      */
    mw_source_view lines; /* of annotated source                                            */
    uint32_t width;       /* columns of text; at least 60                                   */
    bool has_colour;
} mw_report;

/* Fails when memory runs out, as the sink fails, and with MW_BAD_INPUT if there is no such
 * file to annotate. */
mw_status mw_report_write_text(const mw_report *report, mw_alloc *alloc, mw_sink *sink,
                               mw_error *reterr) MW_MUST_CHECK;
