/* SPDX-License-Identifier: MIT
 *
 * The stack of a thread without the GIL, by content: nothing is remembered, and there are no
 * marks.
 */
#include "pyext/code_registry.h"
#include "pyext/region_steps.h"
#include "pyext/stack_walk.h"

enum { RAW_FRAMES_FEW = 128 };

static mw_status step_raw(mw_raw_lane *lane, const mw_py_frame *frame, mw_path *path)
{
    mw_instruction instruction;
    mw_status status = MW_OK;

    if (mw_regions_may_be_of(frame))
        status = mw_region_steps_take_raw(lane, frame, path);
    if (status == MW_OK)
        status = mw_code_registry_raw_instruction(lane, frame, &instruction);
    if (status != MW_OK || instruction.index == MW_INSTRUCTION_TRANSPARENT)
        return status;
    return mw_path_trie_child(&lane->paths, *path, instruction, path);
}

/* Frames of a stack: those of most fit in [few], so that nothing is allocated. */
typedef struct raw_frames {
    const mw_py_frame **items; /* [few], or pages for [count] of them */
    uint32_t count;
    const mw_py_frame *few[RAW_FRAMES_FEW];
} raw_frames;

/* Collects the frames, innermost first.  libc's heap is not asked: the caller may be inside
 * it, or inside an allocator that replaces it. */
static mw_status collect_raw(raw_frames *frames, const mw_py_frame *innermost)
{
    uint32_t at = 0;

    frames->items = frames->few;
    frames->count = 0;
    for (const mw_py_frame *frame = innermost; frame != NULL; frame = mw_frames_caller(frame)) {
        if (frames->count < RAW_FRAMES_FEW)
            frames->few[frames->count] = frame;
        if (++frames->count == MW_STACK_DEPTH_MAXIMUM)
            return MW_LIMIT;
    }
    if (frames->count <= RAW_FRAMES_FEW)
        return MW_OK;
    frames->items = mw_alloc_array(mw_alloc_pages(), frames->count, sizeof *frames->items);
    if (frames->items == NULL)
        return MW_NO_MEMORY;
    for (const mw_py_frame *frame = innermost; at < frames->count; frame = mw_frames_caller(frame))
        frames->items[at++] = frame;
    return MW_OK;
}

/* The frames are read under the lane's lock, since whoever ends the looks at them (the
 * interpreter's shutdown, which frees thread states) takes it to wait for those that are
 * under way. */
mw_path mw_stack_walk_raw(mw_raw_lane *lane, const PyThreadState *thread)
{
    mw_path path = {0};
    raw_frames frames;
    mw_status status;

    if (thread == NULL)
        return path;
    status = collect_raw(&frames, mw_frames_innermost(thread));
    for (uint32_t left = frames.count; left > 0 && status == MW_OK; left--)
        status = step_raw(lane, frames.items[left - 1], &path);
    if (frames.items != frames.few)
        mw_alloc_release(mw_alloc_pages(), frames.items, frames.count * sizeof *frames.items);
    return status == MW_OK ? path : (mw_path){0};
}
