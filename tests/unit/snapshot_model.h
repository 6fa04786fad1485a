/* SPDX-License-Identifier: MIT
 *
 * The slow twin of a snapshot: a list of blocks, each with its own copy of everything.
 * Tests make a random one, build a snapshot from it, and compare what both say.  Few
 * names, lines and sizes, so that much coincides.
 */
#pragma once

#include "core/snapshot.h"
#include "testing.h"

enum { MODEL_DEPTH = 14, MODEL_BLOCKS = 60 };

typedef struct model_frame {
    const char *file;
    const char *function;
    const char *module;
    int32_t line;
    int32_t first_line;
} model_frame;

typedef struct model_block {
    model_frame frames[MODEL_DEPTH]; /* most recent first; those beyond the limit, too */
    uint32_t depth;
    uint32_t total_frames;
    uint32_t domain;
    mw_thread thread;
    uint32_t epoch;
    uint64_t size_bytes;
} model_block;

typedef struct snapshot_model {
    model_block blocks[MODEL_BLOCKS];
    uint32_t count;
    uint32_t frame_limit;
} snapshot_model;

static const char *const model_files[] = {"a.py", "a.pyc", "b.py", "b", "", "\xed\xa0\x80.py"};
static const char *const model_functions[] = {"", "f", "g"};
static const char *const model_modules[] = {"", "m", "n", "b"};
static const char *const model_threads[] = {"", "main", "worker", "worker"};

/* Of both kinds that a frame may be: a region's name is its function. */
static inline bool model_is_region(const model_frame *frame)
{
    return strcmp(frame->file, MW_REGION_FILE) == 0;
}

static inline model_frame model_random_frame(mw_random *random)
{
    if (mw_random_below(random, 6) == 0)
        return (model_frame){.file = MW_REGION_FILE,
                             .function = model_functions[1 + mw_random_below(random, 2)],
                             .module = ""};
    return (model_frame){
        .file = model_files[mw_random_below(random, 6)],
        .function = model_functions[mw_random_below(random, 3)],
        .module = model_modules[mw_random_below(random, 4)],
        .line = (int32_t)mw_random_below(random, 3),
        .first_line = mw_random_below(random, 8) == 0,
    };
}

/* New frames only at the recent end of those of the block before: paths share callers. */
static inline void model_random_frames(mw_random *random, const model_block *before,
                                       model_block *block)
{
    uint32_t kept = mw_random_below(random, before->depth + 1);
    uint32_t fresh = mw_random_below(random, MODEL_DEPTH - kept + 1);

    if (kept + fresh == 0)
        fresh = 1;
    for (uint32_t i = 0; i < fresh; i++)
        block->frames[i] = model_random_frame(random);
    for (uint32_t i = 0; i < kept; i++)
        block->frames[fresh + i] = before->frames[before->depth - kept + i];
    block->depth = kept + fresh;
}

static inline snapshot_model model_random(uint64_t seed)
{
    mw_random random = mw_random_of(seed);
    /* Limits that cut much, and limits that mostly leave tracebacks whole. */
    uint32_t highest_limit = mw_random_below(&random, 2) == 0 ? 3 : MODEL_DEPTH + 1;
    snapshot_model result = {.count = mw_random_below(&random, MODEL_BLOCKS + 1),
                             .frame_limit = 1 + mw_random_below(&random, highest_limit)};
    model_block nothing = {.depth = 0};

    for (uint32_t i = 0; i < result.count; i++) {
        model_block *block = &result.blocks[i];

        model_random_frames(&random, i != 0 ? &block[-1] : &nothing, block);
        block->total_frames =
            mw_random_below(&random, 3) == 0 ? MW_TOTAL_FRAMES_UNKNOWN : block->depth;
        block->domain = mw_random_below(&random, 3) * 20;
        block->thread.index = mw_random_below(&random, 6);
        block->epoch = mw_random_below(&random, 8) == 0;
        block->size_bytes = mw_random_below(&random, 4) * 8;
        /* Every third block is like the one before: runs get longer than one. */
        if (i != 0 && mw_random_below(&random, 3) == 0)
            *block = block[-1];
    }
    return result;
}

/* One with many blocks. */
static inline snapshot_model model_random_large(uint64_t seed)
{
    snapshot_model result = model_random(seed);

    while (result.count < MODEL_BLOCKS / 2)
        result = model_random(++seed);
    return result;
}

/* How many frames of the block its traceback keeps. */
static inline uint32_t model_kept(const snapshot_model *model, const model_block *block)
{
    return block->depth < model->frame_limit ? block->depth : model->frame_limit;
}

static inline const char *model_thread_name(mw_thread thread)
{
    return thread.index < 4 ? model_threads[thread.index] : "";
}

/* ── to a snapshot ───────────────────────────────────────────────────────────────── */

static inline mw_status model_add_frame(mw_snapshot_builder *builder, const model_frame *frame,
                                        mw_path *path)
{
    mw_frame_row row = {.line = frame->line, .first_line = frame->first_line};
    mw_frame handle;
    mw_status status;

    status = mw_snapshot_builder_string(builder, frame->file, strlen(frame->file), &row.file);
    if (status != MW_OK)
        return status;
    status = mw_snapshot_builder_string(builder, frame->function, strlen(frame->function),
                                        &row.function);
    if (status != MW_OK)
        return status;
    status = mw_snapshot_builder_string(builder, frame->module, strlen(frame->module), &row.module);
    if (status != MW_OK)
        return status;
    status = mw_snapshot_builder_frame(builder, row, &handle);
    if (status != MW_OK)
        return status;
    return mw_snapshot_builder_path(builder, *path, handle, path);
}

static inline mw_status model_add_block(mw_snapshot_builder *builder, const model_block *block)
{
    mw_path path = {0};
    mw_site site;
    mw_status status;

    for (uint32_t i = block->depth; i != 0; i--) {
        status = model_add_frame(builder, &block->frames[i - 1], &path);
        if (status != MW_OK)
            return status;
    }
    status = mw_snapshot_builder_epoch_site(builder, path, block->total_frames, block->domain,
                                            block->thread, block->epoch, &site);
    if (status != MW_OK)
        return status;
    return mw_snapshot_builder_blocks(builder, site, block->size_bytes, 1);
}

static inline mw_status model_name_threads(mw_snapshot_builder *builder)
{
    mw_status status = MW_OK;

    for (uint32_t thread = 1; status == MW_OK && thread < 4; thread++) {
        mw_string name;

        status = mw_snapshot_builder_string(builder, model_threads[thread],
                                            strlen(model_threads[thread]), &name);
        if (status == MW_OK)
            status = mw_snapshot_builder_name_thread(builder, (mw_thread){thread}, name);
    }
    return status;
}

static inline mw_status model_build(const snapshot_model *model, mw_alloc *alloc,
                                    mw_snapshot **ret_snapshot)
{
    mw_snapshot_builder *builder = NULL;
    mw_status status;

    status = mw_snapshot_builder_new(alloc, model->frame_limit, &builder);
    if (status != MW_OK)
        return status;
    status = model_name_threads(builder);
    for (uint32_t i = 0; status == MW_OK && i < model->count; i++)
        status = model_add_block(builder, &model->blocks[i]);
    if (status != MW_OK) {
        mw_snapshot_builder_free(builder);
        return status;
    }
    return mw_snapshot_builder_finish(builder, ret_snapshot);
}

static inline mw_snapshot *model_snapshot(const snapshot_model *model)
{
    mw_snapshot *snapshot = NULL;

    CHECK_OK(model_build(model, mw_alloc_system(), &snapshot));
    return snapshot;
}

/* Sums by site that its blocks add up to, and totals of [factor] times that. */
static inline void model_tallies(const mw_snapshot *snapshot, uint64_t factor, mw_tally *live,
                                 mw_tally *totals)
{
    for (uint32_t site = 1; site <= mw_snapshot_site_count(snapshot); site++) {
        mw_site_row row = mw_snapshot_site(snapshot, (mw_site){site});

        live[site] = (mw_tally){row.live_bytes, row.live_blocks};
        totals[site] = (mw_tally){factor * row.live_bytes, factor * row.live_blocks};
    }
}

/* The same sites without their blocks, and with totals of [factor] times what is alive. */
static inline mw_snapshot *model_sums(mw_snapshot *snapshot, uint64_t factor)
{
    mw_tally live[MODEL_BLOCKS + 1] = {0}, totals[MODEL_BLOCKS + 1] = {0};
    mw_snapshot *sums = NULL;

    model_tallies(snapshot, factor, live, totals);
    CHECK_OK(mw_snapshot_with_tallies(snapshot, live, totals, mw_snapshot_site_count(snapshot) + 1,
                                      &sums));
    return sums;
}

/* ── against a snapshot ──────────────────────────────────────────────────────────── */

/* Whether the block at [index] of the snapshot is [block], in all that a user can see. */
static inline void model_check_block(const snapshot_model *model, const model_block *block,
                                     const mw_snapshot *snapshot, uint64_t index)
{
    mw_site site;
    uint64_t size_bytes;
    mw_site_row row;
    mw_traceback_row traceback;
    mw_path path;

    mw_snapshot_block(snapshot, index, &site, &size_bytes);
    row = mw_snapshot_site(snapshot, site);
    traceback = mw_snapshot_traceback(snapshot, row.traceback);
    CHECK_EQ(size_bytes, block->size_bytes);
    CHECK_EQ(row.domain, block->domain);
    CHECK_EQ(row.thread.index, block->thread.index);
    CHECK_EQ(row.epoch, block->epoch);
    CHECK_STR_EQ(mw_snapshot_thread_name(snapshot, row.thread), model_thread_name(block->thread));
    CHECK_EQ(traceback.total_frames, block->total_frames);
    CHECK_EQ(traceback.frame_count, model_kept(model, block));
    CHECK_EQ(mw_snapshot_path_depth(snapshot, row.path), block->depth);
    path = traceback.path;
    for (uint32_t i = 0; i < traceback.frame_count; i++) {
        mw_frame_row frame = mw_snapshot_frame(snapshot, mw_snapshot_path_frame(snapshot, path));

        CHECK_STR_EQ(mw_snapshot_string(snapshot, frame.file, NULL), block->frames[i].file);
        CHECK_EQ(frame.line, block->frames[i].line);
        path = mw_snapshot_path_caller(snapshot, path);
    }
    /* The site's own path keeps what its traceback may have from another: names, and
     * frames beyond the limit. */
    path = row.path;
    for (uint32_t i = 0; i < block->depth; i++) {
        mw_frame_row frame = mw_snapshot_frame(snapshot, mw_snapshot_path_frame(snapshot, path));

        CHECK_STR_EQ(mw_snapshot_string(snapshot, frame.file, NULL), block->frames[i].file);
        CHECK_STR_EQ(mw_snapshot_string(snapshot, frame.function, NULL), block->frames[i].function);
        CHECK_STR_EQ(mw_snapshot_string(snapshot, frame.module, NULL), block->frames[i].module);
        CHECK_EQ(frame.line, block->frames[i].line);
        CHECK_EQ(frame.first_line, block->frames[i].first_line);
        path = mw_snapshot_path_caller(snapshot, path);
    }
    CHECK_EQ(path.index, 0);
}

/* Whether the snapshot has the blocks of the model, in order. */
static inline void model_check_snapshot(const snapshot_model *model, const mw_snapshot *snapshot)
{
    uint64_t bytes = 0;

    CHECK(mw_snapshot_is_consistent(snapshot));
    CHECK_EQ(mw_snapshot_frame_limit(snapshot), model->frame_limit);
    CHECK_EQ(mw_snapshot_block_count(snapshot), model->count);
    for (uint32_t i = 0; i < model->count; i++) {
        model_check_block(model, &model->blocks[i], snapshot, i);
        bytes += model->blocks[i].size_bytes;
    }
    CHECK_EQ(mw_snapshot_live_bytes(snapshot), bytes);
}
