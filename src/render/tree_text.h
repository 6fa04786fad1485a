/* SPDX-License-Identifier: MIT
 *
 * Call paths as a tree for a person.  What has but one caller and one callee is one entry of
 * several lines, small branches are summed, and recursion is folded, so that a deep program
 * still fits a screen.
 */
#pragma once

#include "render/screen.h"

typedef struct mw_tree_form {
    bool is_inverted;       /* from the lines that allocated towards their callers     */
    uint32_t depth_maximum; /* of entries; 0: no maximum                               */
    double share_minimum;   /* percent of the whole; what has less is summed           */
} mw_tree_form;

/* With an [older] snapshot (else NULL) it is a tree of what changed: by that its entries are
 * sorted, and have their shares. */
mw_status mw_tree_write_text(const mw_tree_form *form, const mw_snapshot *snapshot,
                             const mw_snapshot *older, const mw_screen *screen, mw_alloc *alloc,
                             mw_error *reterr) MW_MUST_CHECK;
