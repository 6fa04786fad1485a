/* SPDX-License-Identifier: MIT
 *
 * What asks about regions makes one pass over the paths, whose callers come first, and then
 * one over the sites.  What changes them builds a snapshot anew: frames are copied when
 * they are first met, and each path is its frame under what became of its caller.
 */
#include "core/region.h"

#include "core/filter.h"
#include "core/fnmatch.h"
#include "core/snapshot_tables.h"

#include <string.h>

bool mw_region_is_frame(const mw_snapshot *snapshot, mw_frame frame)
{
    return mw_snapshot_is_region(snapshot->tables, &snapshot->tables->frames[frame.index]);
}

bool mw_region_is_row(const mw_snapshot *snapshot, mw_frame_row row)
{
    return mw_snapshot_is_region(snapshot->tables, &row);
}

/* Whether there are any. */
static bool has_regions(const mw_snapshot *snapshot)
{
    return snapshot->tables->region_file.index != 0;
}

mw_status mw_region_names(const mw_snapshot *snapshot, mw_alloc *alloc, mw_string **ret_names,
                          uint32_t *ret_count)
{
    const mw_snapshot_tables *tables = snapshot->tables;
    mw_string *names = mw_alloc_array(alloc, tables->path_count, sizeof *names);

    if (names == NULL)
        return MW_NO_MEMORY;
    for (uint32_t path = 1; has_regions(snapshot) && path < tables->path_count; path++) {
        const mw_path_row *row = &tables->paths[path];
        const mw_frame_row *frame = &tables->frames[row->frame.index];

        names[path] =
            mw_snapshot_is_region(tables, frame) ? frame->function : names[row->caller.index];
    }
    *ret_names = names;
    *ret_count = tables->path_count;
    return MW_OK;
}

/* ── selecting ───────────────────────────────────────────────────────────────────── */

/* What is known of a path: whether it has a region, and whether the pattern names one. */
enum { HAS_REGION = 1, IS_NAMED = 2 };

static void ask_paths(const mw_snapshot_tables *tables, const char *pattern, size_t length,
                      uint8_t *of_paths)
{
    for (uint32_t path = 1; path < tables->path_count; path++) {
        const mw_path_row *row = &tables->paths[path];
        const mw_frame_row *frame = &tables->frames[row->frame.index];
        uint32_t name = frame->function.index;

        of_paths[path] = of_paths[row->caller.index];
        if (!mw_snapshot_is_region(tables, frame))
            continue;
        of_paths[path] |= HAS_REGION;
        if (mw_fnmatch(pattern, length, mw_string_pool_bytes(&tables->strings, name),
                       mw_string_pool_length(&tables->strings, name)))
            of_paths[path] |= IS_NAMED;
    }
}

mw_status mw_region_select(mw_snapshot *snapshot, const char *pattern, size_t length,
                           mw_snapshot **ret_snapshot)
{
    const mw_snapshot_tables *tables = snapshot->tables;
    bool names_none = mw_fnmatch(pattern, length, MW_REGION_NONE, sizeof MW_REGION_NONE - 1);
    uint8_t *of_paths = mw_alloc_array(tables->alloc, tables->path_count, sizeof *of_paths);
    bool *keep = mw_alloc_array(tables->alloc, tables->site_count, sizeof *keep);
    mw_status status = MW_NO_MEMORY;

    if (of_paths == NULL || keep == NULL)
        goto done;
    ask_paths(tables, pattern, length, of_paths);
    for (uint32_t site = 1; site < tables->site_count; site++) {
        uint8_t known = of_paths[tables->sites[site].path.index];

        keep[site] = (known & HAS_REGION) != 0 ? (known & IS_NAMED) != 0 : names_none;
    }
    status = mw_snapshot_select(snapshot, keep, ret_snapshot);

done:
    mw_alloc_release(tables->alloc, of_paths, tables->path_count * sizeof *of_paths);
    mw_alloc_release(tables->alloc, keep, tables->site_count * sizeof *keep);
    return status;
}

/* ── building anew ───────────────────────────────────────────────────────────────── */

/* What became of a path. */
typedef struct new_path {
    mw_path path;
    const char *inserted; /* the innermost region that was put there; NULL: none          */
    bool is_entered;      /* it has a region of its own                                    */
} new_path;

typedef struct rebuilding {
    mw_alloc *alloc;
    const mw_snapshot *source;
    const char *const *names; /* by frame: regions to insert; NULL: all are to go   */
    mw_snapshot_builder *builder;
    mw_frame *frames; /* owned; by frame of the source: that of the copy, 0: none yet */
    new_path *paths;  /* owned; by path of the source                                 */
} rebuilding;

static mw_status copy_string(const rebuilding *self, mw_string string, mw_string *ret_string)
{
    size_t length;
    const char *bytes = mw_snapshot_string(self->source, string, &length);

    return mw_snapshot_builder_string(self->builder, bytes, length, ret_string);
}

static mw_status copy_frame(const rebuilding *self, mw_frame frame, mw_frame *ret_frame)
{
    mw_frame_row row = self->source->tables->frames[frame.index];
    mw_status status = MW_OK;

    if (self->frames[frame.index].index == 0) {
        status = copy_string(self, row.file, &row.file);
        if (status == MW_OK)
            status = copy_string(self, row.function, &row.function);
        if (status == MW_OK)
            status = copy_string(self, row.module, &row.module);
        if (status == MW_OK)
            status = mw_snapshot_builder_frame(self->builder, row, &self->frames[frame.index]);
    }
    *ret_frame = self->frames[frame.index];
    return status;
}

/* Puts a frame of no function below [path]. */
static mw_status add_frame(const rebuilding *self, const char *file, const char *function,
                           mw_path *path)
{
    mw_frame_row row = {0};
    mw_frame frame;
    mw_status status = mw_snapshot_builder_string(self->builder, file, strlen(file), &row.file);

    if (status == MW_OK)
        status =
            mw_snapshot_builder_string(self->builder, function, strlen(function), &row.function);
    if (status == MW_OK)
        status = mw_snapshot_builder_frame(self->builder, row, &frame);
    if (status == MW_OK)
        status = mw_snapshot_builder_path(self->builder, *path, frame, path);
    return status;
}

/* The region to insert before [frame] under [caller], or NULL. */
static const char *region_before(const rebuilding *self, mw_frame frame, const new_path *caller)
{
    const char *name = self->names[frame.index];

    if (name == NULL || caller->is_entered ||
        (caller->inserted != NULL && strcmp(caller->inserted, name) == 0))
        return NULL;
    return name;
}

static mw_status copy_path(const rebuilding *self, mw_path path)
{
    const mw_path_row *row = &self->source->tables->paths[path.index];
    new_path made = self->paths[row->caller.index];
    bool is_region = mw_region_is_frame(self->source, row->frame);
    const char *name = self->names != NULL ? region_before(self, row->frame, &made) : NULL;
    mw_frame frame;
    mw_status status = MW_OK;

    if (name != NULL && !is_region) {
        made.inserted = name;
        status = add_frame(self, MW_REGION_FILE, name, &made.path);
    }
    made.is_entered = made.is_entered || is_region;
    if (status == MW_OK && (!is_region || self->names != NULL)) {
        status = copy_frame(self, row->frame, &frame);
        if (status == MW_OK)
            status = mw_snapshot_builder_path(self->builder, made.path, frame, &made.path);
    }
    self->paths[path.index] = made;
    return status;
}

static mw_status copy_paths(const rebuilding *self)
{
    mw_status status = MW_OK;

    for (uint32_t path = 1; path < self->source->tables->path_count && status == MW_OK; path++)
        status = copy_path(self, (mw_path){path});
    return status;
}

/* How many frames there were, now that the path has others. */
static uint32_t total_frames(const rebuilding *self, const mw_site_key *key, mw_path path)
{
    const mw_snapshot_tables *tables = self->source->tables;
    uint32_t total = tables->tracebacks[key->traceback.index].total_frames;
    uint32_t before = tables->paths[key->path.index].depth;
    uint32_t after = mw_snapshot_builder_depth(self->builder, path);

    if (total == MW_TOTAL_FRAMES_UNKNOWN || total + after <= before)
        return MW_TOTAL_FRAMES_UNKNOWN;
    total += after - before;
    return total < MW_FRAME_LIMIT_MAXIMUM ? total : MW_FRAME_LIMIT_MAXIMUM;
}

static mw_status copy_site(const rebuilding *self, mw_site site, mw_site *ret_site)
{
    const mw_site_key *key = &self->source->tables->sites[site.index];
    mw_path path = self->paths[key->path.index].path;
    mw_status status = MW_OK;

    if (path.index == 0)
        status = add_frame(self, "<unknown>", "", &path);
    if (status == MW_OK)
        status = mw_snapshot_builder_epoch_site(self->builder, path, total_frames(self, key, path),
                                                key->domain, key->thread, key->epoch, ret_site);
    return status;
}

/* What a site has beside its blocks. */
static mw_status copy_history(const rebuilding *self, mw_site site, mw_site copy)
{
    const mw_estimate *allocated = mw_snapshot_allocated(self->source, site);
    mw_site_row row = mw_snapshot_site(self->source, site);
    mw_status status = MW_OK;

    if (!mw_snapshot_has_blocks(self->source))
        status = mw_snapshot_builder_tally(self->builder, copy, row.live_bytes, row.live_blocks);
    if (status == MW_OK && mw_snapshot_has_totals(self->source))
        status = mw_snapshot_builder_totals(self->builder, copy, row.total_bytes, row.total_blocks);
    if (status == MW_OK && allocated != NULL)
        status = mw_snapshot_builder_allocated(self->builder, copy, allocated);
    return status;
}

static mw_status copy_blocks(const rebuilding *self, const mw_site *sites)
{
    const mw_snapshot *source = self->source;
    mw_status status = MW_OK;

    for (uint32_t run = 0; run < source->run_count && status == MW_OK; run++)
        status = mw_snapshot_builder_blocks(self->builder, sites[source->runs[run].site.index],
                                            source->runs[run].size_bytes,
                                            mw_snapshot_run_blocks(source, run));
    return status;
}

static mw_status copy_sites(const rebuilding *self)
{
    uint32_t count = self->source->tables->site_count;
    mw_site *sites = mw_alloc_array(self->alloc, count, sizeof *sites);
    mw_status status = sites != NULL ? MW_OK : MW_NO_MEMORY;

    for (uint32_t site = 1; site < count && status == MW_OK; site++) {
        status = copy_site(self, (mw_site){site}, &sites[site]);
        if (status == MW_OK)
            status = copy_history(self, (mw_site){site}, sites[site]);
    }
    if (status == MW_OK)
        status = copy_blocks(self, sites);
    mw_alloc_release(self->alloc, sites, count * sizeof *sites);
    return status;
}

static mw_status copy_threads(const rebuilding *self)
{
    const mw_snapshot_tables *tables = self->source->tables;
    mw_status status = MW_OK;

    for (uint32_t thread = 0; thread < tables->thread_count && status == MW_OK; thread++) {
        mw_string name;

        status = copy_string(self, tables->thread_names[thread], &name);
        if (status == MW_OK && name.index != 0)
            status = mw_snapshot_builder_name_thread(self->builder, (mw_thread){thread}, name);
    }
    return status;
}

static mw_status copy_all(rebuilding *self)
{
    const mw_snapshot_tables *tables = self->source->tables;
    mw_status status;

    self->frames = mw_alloc_array(self->alloc, tables->frame_count, sizeof *self->frames);
    self->paths = mw_alloc_array(self->alloc, tables->path_count, sizeof *self->paths);
    if (self->frames == NULL || self->paths == NULL)
        return MW_NO_MEMORY;
    mw_snapshot_builder_sampled(self->builder, tables->sample_bytes);
    status = copy_threads(self);
    if (status == MW_OK)
        status = copy_paths(self);
    if (status == MW_OK)
        status = copy_sites(self);
    return status;
}

static mw_status rebuild(const mw_snapshot *source, const char *const *names, mw_alloc *alloc,
                         mw_snapshot **ret_snapshot)
{
    const mw_snapshot_tables *tables = source->tables;
    rebuilding self = {.alloc = alloc, .source = source, .names = names};
    mw_status status = mw_snapshot_builder_new(alloc, tables->frame_limit, &self.builder);

    if (status != MW_OK)
        return status;
    status = copy_all(&self);
    mw_alloc_release(alloc, self.frames, tables->frame_count * sizeof *self.frames);
    mw_alloc_release(alloc, self.paths, tables->path_count * sizeof *self.paths);
    if (status == MW_OK)
        return mw_snapshot_builder_finish(self.builder, ret_snapshot);
    mw_snapshot_builder_free(self.builder);
    return status;
}

mw_status mw_region_strip(mw_snapshot *snapshot, mw_alloc *alloc, mw_snapshot **ret_snapshot)
{
    if (has_regions(snapshot))
        return rebuild(snapshot, NULL, alloc, ret_snapshot);
    *ret_snapshot = mw_snapshot_retain(snapshot);
    return MW_OK;
}

mw_status mw_region_insert(mw_snapshot *snapshot, const char *const *names, mw_alloc *alloc,
                           mw_snapshot **ret_snapshot)
{
    return rebuild(snapshot, names, alloc, ret_snapshot);
}
