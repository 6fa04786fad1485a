/* SPDX-License-Identifier: MIT */
#include "core/snapshot_tables.h"

void mw_snapshot_tables_release(mw_snapshot_tables *tables)
{
    mw_alloc *alloc;

    if (tables == NULL || --tables->references != 0)
        return;
    alloc = tables->alloc;
    mw_string_pool_done(&tables->strings);
    mw_alloc_release(alloc, tables->frames, tables->frame_capacity * sizeof *tables->frames);
    mw_alloc_release(alloc, tables->paths, tables->path_capacity * sizeof *tables->paths);
    mw_alloc_release(alloc, tables->tracebacks,
                     tables->traceback_capacity * sizeof *tables->tracebacks);
    mw_alloc_release(alloc, tables->sequence_hashes,
                     tables->sequence_hash_capacity * sizeof *tables->sequence_hashes);
    mw_alloc_release(alloc, tables->sites, tables->site_capacity * sizeof *tables->sites);
    mw_alloc_release(alloc, tables->thread_names,
                     tables->thread_capacity * sizeof *tables->thread_names);
    mw_alloc_release(alloc, tables, sizeof *tables);
}

static bool frame_is_consistent(const mw_snapshot_tables *tables, const mw_frame_row *frame)
{
    uint32_t count = tables->strings.count;

    return frame->file.index < count && frame->function.index < count &&
           frame->module.index < count;
}

static bool path_is_consistent(const mw_snapshot_tables *tables, uint32_t path)
{
    const mw_path_row *row = &tables->paths[path];

    return row->caller.index < path && row->frame.index != 0 &&
           row->frame.index < tables->frame_count &&
           row->depth == tables->paths[row->caller.index].depth + 1 &&
           row->jump.index == mw_snapshot_jump_below(tables, row->caller).index;
}

static bool traceback_is_consistent(const mw_snapshot_tables *tables,
                                    const mw_traceback_row *traceback)
{
    uint32_t depth, kept;

    if (traceback->path.index == 0 || traceback->path.index >= tables->path_count)
        return false;
    depth = tables->paths[traceback->path.index].depth;
    kept = depth < tables->frame_limit ? depth : tables->frame_limit;
    return traceback->frame_count == kept;
}

static bool site_is_consistent(const mw_snapshot_tables *tables, const mw_site_key *site)
{
    return site->path.index != 0 && site->path.index < tables->path_count &&
           site->traceback.index != 0 && site->traceback.index < tables->traceback_count;
}

bool mw_snapshot_tables_is_consistent(const mw_snapshot_tables *tables)
{
    bool ok = tables->references != 0 && mw_string_pool_is_consistent(&tables->strings) &&
              tables->frame_limit >= 1 && tables->frame_limit <= MW_FRAME_LIMIT_MAXIMUM &&
              tables->frame_count >= 1 && tables->path_count >= 1 && tables->traceback_count >= 1 &&
              tables->site_count >= 1 && tables->paths[0].depth == 0;

    for (uint32_t i = 1; ok && i < tables->frame_count; i++)
        ok = frame_is_consistent(tables, &tables->frames[i]);
    for (uint32_t i = 1; ok && i < tables->path_count; i++)
        ok = path_is_consistent(tables, i);
    for (uint32_t i = 1; ok && i < tables->traceback_count; i++)
        ok = traceback_is_consistent(tables, &tables->tracebacks[i]);
    for (uint32_t i = 1; ok && i < tables->site_count; i++)
        ok = site_is_consistent(tables, &tables->sites[i]);
    for (uint32_t i = 0; ok && i < tables->thread_count; i++)
        ok = tables->thread_names[i].index < tables->strings.count;
    return ok;
}
