/* SPDX-License-Identifier: MIT
 *
 * The slow twin of grouping: every block (or every frame of every block) is compared with
 * every row so far, as Lib/tracemalloc.py does it with a dictionary.
 */
#pragma once

#include "core/group.h"
#include "snapshot_model.h"

/* A key as what it says: pairs of text and number, compared one after the other. */
typedef struct model_key {
    struct {
        const char *text;
        int64_t number;
    } items[2 * MODEL_DEPTH];
    uint32_t count;
} model_key;

typedef struct model_row {
    model_key key;
    uint64_t bytes, blocks;
    int64_t bytes_change, blocks_change;
} model_row;

typedef struct rows_model {
    model_row items[2 * MODEL_BLOCKS * MODEL_DEPTH];
    uint32_t count;
} rows_model;

static inline int model_key_compare(const model_key *a, const model_key *b)
{
    for (uint32_t i = 0; i < a->count && i < b->count; i++) {
        int order = strcmp(a->items[i].text, b->items[i].text);

        if (order != 0)
            return order;
        if (a->items[i].number != b->items[i].number)
            return a->items[i].number < b->items[i].number ? -1 : 1;
    }
    return (a->count > b->count) - (a->count < b->count);
}

static inline void model_key_add(model_key *key, const char *text, int64_t number)
{
    key->items[key->count].text = text;
    key->items[key->count].number = number;
    key->count++;
}

/* A frame of a traceback; of a region the name counts as well. */
static inline void model_key_add_step(model_key *key, const model_frame *frame)
{
    model_key_add(key, frame->file, frame->line);
    if (model_is_region(frame))
        model_key_add(key, frame->function, 0);
}

/* Of the innermost region, within the limit or not. */
static inline const char *model_region_name(const model_block *block)
{
    for (uint32_t i = 0; i < block->depth; i++)
        if (model_is_region(&block->frames[i]))
            return block->frames[i].function;
    return "";
}

static inline model_key model_key_of_frame(const model_frame *frame, mw_group_key by)
{
    model_key key = {.count = 0};

    if (by == MW_GROUP_MODULE) {
        model_key_add(&key, frame->module[0] != '\0' ? frame->module : frame->file, 0);
        return key;
    }
    model_key_add(&key, frame->file, by == MW_GROUP_LINE ? frame->line : 0);
    if (by == MW_GROUP_FUNCTION)
        model_key_add(&key, frame->function, 0);
    return key;
}

static inline model_key model_key_of_block(const snapshot_model *model, const model_block *block,
                                           mw_group_key by)
{
    model_key key = {.count = 0};

    if (by == MW_GROUP_TRACEBACK) {
        for (uint32_t i = model_kept(model, block); i != 0; i--)
            model_key_add_step(&key, &block->frames[i - 1]);
    } else if (by == MW_GROUP_THREAD) {
        model_key_add(&key, model_thread_name(block->thread), 0);
    } else if (by == MW_GROUP_DOMAIN) {
        model_key_add(&key, "", block->domain);
    } else if (by == MW_GROUP_REGION) {
        model_key_add(&key, model_region_name(block), 0);
    } else {
        return model_key_of_frame(&block->frames[0], by);
    }
    return key;
}

/* The row with that key, appended if there is none. */
static inline model_row *rows_model_row(rows_model *rows, const model_key *key)
{
    for (uint32_t i = 0; i < rows->count; i++) {
        if (model_key_compare(&rows->items[i].key, key) == 0)
            return &rows->items[i];
    }
    rows->items[rows->count] = (model_row){.key = *key};
    return &rows->items[rows->count++];
}

static inline void rows_model_add(rows_model *rows, model_key key, uint64_t bytes)
{
    model_row *row = rows_model_row(rows, &key);

    row->bytes += bytes;
    row->blocks++;
}

static inline void rows_model_group(const snapshot_model *model, mw_group_key by,
                                    mw_group_scope scope, rows_model *rows)
{
    rows->count = 0;
    for (uint32_t i = 0; i < model->count; i++) {
        const model_block *block = &model->blocks[i];

        if (scope == MW_GROUP_INNERMOST) {
            rows_model_add(rows, model_key_of_block(model, block, by), block->size_bytes);
            continue;
        }
        for (uint32_t j = 0; j < model_kept(model, block); j++)
            rows_model_add(rows, model_key_of_frame(&block->frames[j], by), block->size_bytes);
    }
    for (uint32_t i = 0; i < rows->count; i++) {
        rows->items[i].bytes_change = (int64_t)rows->items[i].bytes;
        rows->items[i].blocks_change = (int64_t)rows->items[i].blocks;
    }
}

/* ── against real rows ───────────────────────────────────────────────────────────── */

static inline model_key model_key_of_traceback(const mw_row *row)
{
    mw_traceback_row traceback = mw_snapshot_traceback(row->snapshot, row->traceback);
    model_frame frames[MODEL_DEPTH];
    model_key key = {.count = 0};
    mw_path path = traceback.path;

    for (uint32_t i = 0; i < traceback.frame_count; i++) {
        mw_frame_row frame =
            mw_snapshot_frame(row->snapshot, mw_snapshot_path_frame(row->snapshot, path));

        frames[i] = (model_frame){
            .file = mw_snapshot_string(row->snapshot, frame.file, NULL),
            .function = mw_snapshot_string(row->snapshot, frame.function, NULL),
            .line = frame.line,
        };
        path = mw_snapshot_path_caller(row->snapshot, path);
    }
    for (uint32_t i = traceback.frame_count; i != 0; i--)
        model_key_add_step(&key, &frames[i - 1]);
    return key;
}

/* What a real row says that its key is. */
static inline model_key model_key_of_row(mw_group_key by, const mw_row *row)
{
    const char *file = mw_snapshot_string(row->snapshot, row->file, NULL);
    const char *label = mw_snapshot_string(row->snapshot, row->label, NULL);
    model_key key = {.count = 0};

    if (by == MW_GROUP_TRACEBACK)
        return model_key_of_traceback(row);
    if (by == MW_GROUP_MODULE || by == MW_GROUP_REGION)
        model_key_add(&key, label, 0);
    else if (by == MW_GROUP_THREAD)
        model_key_add(&key, mw_snapshot_thread_name(row->snapshot, row->thread), 0);
    else if (by == MW_GROUP_DOMAIN)
        model_key_add(&key, "", row->domain);
    else
        model_key_add(&key, file, row->line);
    if (by == MW_GROUP_FUNCTION)
        model_key_add(&key, label, 0);
    return key;
}

/* Whether [rows] are those of the model, each once, whatever the order. */
static inline void rows_model_check(rows_model *model, const mw_rows *rows, mw_group_key by)
{
    CHECK(mw_rows_is_consistent(rows));
    CHECK_EQ(rows->key, by);
    CHECK_EQ(rows->count, model->count);
    for (uint32_t i = 0; i < rows->count; i++) {
        const mw_row *row = &rows->items[i];
        model_key key = model_key_of_row(by, row);
        model_row *expected = rows_model_row(model, &key);

        CHECK_EQ(row->bytes, expected->bytes);
        CHECK_EQ(row->blocks, expected->blocks);
        CHECK_EQ(row->bytes_change, expected->bytes_change);
        CHECK_EQ(row->blocks_change, expected->blocks_change);
    }
    CHECK_EQ(rows->count, model->count); /* no key that the model did not have */
}
