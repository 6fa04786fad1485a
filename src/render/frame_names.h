/* SPDX-License-Identifier: MIT
 *
 * The frames of a call tree as text, "function (file:line)", each made once: formats write
 * a frame's name as often as stacks run through it.
 */
#pragma once

#include "render/call_tree.h"
#include "render/render.h"

/* What separates frames in lines of stacks, and so is escaped within them. */
#define MW_STACK_SEPARATOR ";"

typedef struct mw_frame_names {
    mw_buffer text;    /* all names, one behind the other; its allocator is the names' */
    uint32_t *offsets; /* owned; by frame of the tree, and one more                    */
    uint32_t count;    /* frames                                                       */
} mw_frame_names;

/* Writes one name: "function (file:line)", or "file:line" where the function is not known,
 * and "<unknown>" where nothing is.  A line of 0 is left out.  It has no separator in it, and
 * does not end in a number behind a blank: one can be written there. */
void mw_frame_name_write(mw_sink *sink, const mw_snapshot *snapshot, mw_frame_row row);

/* MW_LIMIT where the names take over a GiB. */
mw_status mw_frame_names_init(mw_frame_names *ret_names, const mw_call_tree *tree, mw_alloc *alloc)
    MW_MUST_CHECK;
void mw_frame_names_done(mw_frame_names *names); /* accepts a zeroed struct */

static inline void mw_frame_names_write(const mw_frame_names *names, uint32_t frame, mw_sink *sink)
{
    mw_sink_bytes(sink, names->text.bytes + names->offsets[frame],
                  names->offsets[frame + 1] - names->offsets[frame]);
}

/* By node: that of the innermost region that its stack runs through, 0 if through none.
 * Owned by the caller, `node_count` of them; NULL in [ret_regions] where there is none at
 * all. */
mw_status mw_call_tree_regions(const mw_call_tree *tree, mw_alloc *alloc, uint32_t **ret_regions)
    MW_MUST_CHECK;
