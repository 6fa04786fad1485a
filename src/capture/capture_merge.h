/* SPDX-License-Identifier: MIT
 *
 * Many captures into one: what each had at one moment, summed by content.  One is looked at
 * after the other, so that memory is taken for what differs among them, not for how many
 * there are.
 *
 * What a merged capture has is one snapshot, and who contributed what.  It has no series and
 * no epochs: the moments of different processes have nothing in common.  Threads are told
 * apart by their names.
 */
#pragma once

#include "capture/capture.h"

typedef struct mw_capture_merge mw_capture_merge;

typedef enum mw_merge_moment {
    MW_MERGE_LAST, /* each capture's last snapshot      */
    MW_MERGE_PEAK, /* when the most was alive in each   */
} mw_merge_moment;

typedef enum mw_merge_order {
    MW_MERGE_TOGETHER, /* sites are one whoever they are of               */
    MW_MERGE_APART,    /* a frame at the root of each path says whose it is */
} mw_merge_order;

/* File of the frame that says whose a path is; its function is the capture's label. */
#define MW_MERGE_PROCESS_FILE "<process>"

mw_status mw_capture_merge_new(mw_merge_moment moment, mw_merge_order order, mw_alloc *alloc,
                               mw_capture_merge **ret_merge, mw_error *reterr) MW_MUST_CHECK;
void mw_capture_merge_free(mw_capture_merge *merge); /* accepts NULL */

/* Adds a capture, which may be closed afterwards; [file] is its name as it was given.
 * MW_BAD_INPUT or MW_UNSUPPORTED if it has no such moment, and then nothing is added; after
 * any other failure the merge is of no more use. */
mw_status mw_capture_merge_add(mw_capture_merge *merge, mw_capture *capture, const char *file,
                               mw_error *reterr) MW_MUST_CHECK;

/* Writes what was added to a new file, once. */
mw_status mw_capture_merge_write(mw_capture_merge *merge, const char *path, mw_error *reterr)
    MW_MUST_CHECK;
