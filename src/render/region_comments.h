/* SPDX-License-Identifier: MIT
 *
 * Regions by comment: a line of source that contains a certain comment makes a region of
 * what is allocated while it runs, without the program knowing of memwhy.
 *
 *     rows = load(path)   # REGION import
 *
 * With the comment "# REGION" the region is "import": what stands behind the comment, or the
 * function's name where nothing does.  Regions that the program has entered itself go first
 * (mw_region_insert).
 */
#pragma once

#include "core/region.h"
#include "render/source_text.h"

/* The same blocks with those regions in their paths: [snapshot] itself, retained, if no line
 * has the comment.  MW_BAD_INPUT if that is empty. */
mw_status mw_region_comments(mw_snapshot *snapshot, mw_source *source, const char *comment,
                             mw_alloc *alloc, mw_snapshot **ret_snapshot) MW_MUST_CHECK;
