/* SPDX-License-Identifier: MIT */
#include "capture/site_copy.h"

mw_status mw_site_copy_init(mw_site_copy *copy, const mw_snapshot_tables *from,
                            mw_snapshot_builder *to, mw_path root, mw_alloc *alloc)
{
    *copy = (mw_site_copy){.alloc = alloc, .from = from, .to = to, .root = root};
    copy->strings = mw_alloc_array(alloc, from->strings.count, sizeof *copy->strings);
    copy->frames = mw_alloc_array(alloc, from->frame_count, sizeof *copy->frames);
    copy->paths = mw_alloc_array(alloc, from->path_count, sizeof *copy->paths);
    if (copy->strings == NULL || copy->frames == NULL || copy->paths == NULL) {
        mw_site_copy_done(copy);
        return MW_NO_MEMORY;
    }
    return MW_OK;
}

void mw_site_copy_done(mw_site_copy *copy)
{
    const mw_snapshot_tables *from = copy->from;

    if (from == NULL)
        return;
    mw_alloc_release(copy->alloc, copy->strings, from->strings.count * sizeof *copy->strings);
    mw_alloc_release(copy->alloc, copy->frames, from->frame_count * sizeof *copy->frames);
    mw_alloc_release(copy->alloc, copy->paths, from->path_count * sizeof *copy->paths);
    *copy = (mw_site_copy){0};
}

mw_status mw_site_copy_string(mw_site_copy *copy, mw_string string, mw_string *ret_string)
{
    const mw_string_pool *pool = &copy->from->strings;
    uint32_t *known = &copy->strings[string.index];
    mw_string made = {*known};
    mw_status status = MW_OK;

    /* String 0 is the empty one on both sides. */
    if (string.index != 0 && made.index == 0)
        status = mw_snapshot_builder_string(copy->to, mw_string_pool_bytes(pool, string.index),
                                            mw_string_pool_length(pool, string.index), &made);
    if (status == MW_OK)
        *known = made.index;
    *ret_string = made;
    return status;
}

static mw_status copy_frame(mw_site_copy *copy, mw_frame frame, mw_frame *ret_frame)
{
    mw_frame_row row = copy->from->frames[frame.index];
    mw_status status;

    ret_frame->index = copy->frames[frame.index];
    if (ret_frame->index != 0)
        return MW_OK;
    status = mw_site_copy_string(copy, row.file, &row.file);
    if (status == MW_OK)
        status = mw_site_copy_string(copy, row.function, &row.function);
    if (status == MW_OK)
        status = mw_site_copy_string(copy, row.module, &row.module);
    if (status == MW_OK)
        status = mw_snapshot_builder_frame(copy->to, row, ret_frame);
    if (status == MW_OK)
        copy->frames[frame.index] = ret_frame->index;
    return status;
}

/* The copy of a path whose callers are copied. */
static mw_status copy_step(mw_site_copy *copy, mw_path path)
{
    const mw_path_row *row = &copy->from->paths[path.index];
    mw_path caller =
        row->caller.index != 0 ? (mw_path){copy->paths[row->caller.index]} : copy->root;
    mw_path made = {0};
    mw_frame frame;
    mw_status status = copy_frame(copy, row->frame, &frame);

    if (status == MW_OK)
        status = mw_snapshot_builder_path(copy->to, caller, frame, &made);
    copy->paths[path.index] = made.index;
    return status;
}

/* Copies a path, its callers first.  Stacks can be very deep, so this goes up to the first
 * that is copied, writing into each the way back, and down again. */
static mw_status copy_path(mw_site_copy *copy, mw_path path, mw_path *ret_path)
{
    mw_path wanted = path, below = {0};
    mw_status status = MW_OK;

    while (path.index != 0 && copy->paths[path.index] == 0) {
        copy->paths[path.index] = below.index;
        below = path;
        path = copy->from->paths[path.index].caller;
    }
    while (below.index != 0) {
        mw_path next = {copy->paths[below.index]};

        /* After a failure only the way back is wiped out. */
        copy->paths[below.index] = 0;
        if (status == MW_OK)
            status = copy_step(copy, below);
        below = next;
    }
    ret_path->index = copy->paths[wanted.index];
    return status;
}

mw_status mw_site_copy_site(mw_site_copy *copy, mw_site site, mw_thread thread, uint32_t epoch,
                            mw_site *ret_site)
{
    const mw_site_key *key = &copy->from->sites[site.index];
    uint32_t total = copy->from->tracebacks[key->traceback.index].total_frames;
    mw_path path;
    mw_status status = copy_path(copy, key->path, &path);

    if (status != MW_OK)
        return status;
    if (total != MW_TOTAL_FRAMES_UNKNOWN && copy->root.index != 0 &&
        __builtin_add_overflow(total, mw_snapshot_builder_depth(copy->to, copy->root), &total))
        total = UINT32_MAX;
    return mw_snapshot_builder_epoch_site(copy->to, path, total, key->domain, thread, epoch,
                                          ret_site);
}
