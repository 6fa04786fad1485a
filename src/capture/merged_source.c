/* SPDX-License-Identifier: MIT */
#include "capture/merged_source.h"

#include "base/hash.h"

#include <string.h>

void mw_merged_source_init(mw_merged_source *source, const mw_snapshot_tables *tables,
                           mw_alloc *alloc)
{
    *source = (mw_merged_source){.alloc = alloc, .tables = tables, .seen_frames = 1};
    mw_hash_index_init(&source->index, alloc);
    mw_bytes_init(&source->texts, alloc);
}

void mw_merged_source_done(mw_merged_source *source)
{
    if (source->alloc == NULL)
        return;
    mw_alloc_release(source->alloc, source->lines, source->capacity * sizeof *source->lines);
    mw_hash_index_done(&source->index);
    mw_bytes_done(&source->texts);
    *source = (mw_merged_source){0};
}

static uint64_t line_hash(const char *file, size_t length, int32_t line)
{
    return mw_hash_combine(mw_hash_bytes(file, length), (uint32_t)line);
}

static const mw_merged_line *find_line(const mw_merged_source *source, const char *file,
                                       size_t length, int32_t line)
{
    const mw_string_pool *strings = &source->tables->strings;
    mw_hash_probe probe = mw_hash_probe_start(line_hash(file, length, line));
    uint32_t item;

    while ((item = mw_hash_index_next(&source->index, &probe)) != 0) {
        const mw_merged_line *known = &source->lines[item - 1];

        if (known->line == line && mw_string_pool_length(strings, known->file.index) == length &&
            memcmp(mw_string_pool_bytes(strings, known->file.index), file, length) == 0)
            return known;
    }
    return NULL;
}

static mw_status add_line(mw_merged_source *source, const mw_frame_row *row, const char *text,
                          size_t text_length)
{
    const mw_string_pool *strings = &source->tables->strings;
    uint64_t hash = line_hash(mw_string_pool_bytes(strings, row->file.index),
                              mw_string_pool_length(strings, row->file.index), row->line);
    mw_status status = mw_hash_index_reserve(&source->index, 1);

    if (status == MW_OK)
        status = mw_alloc_grow(source->alloc, &source->lines, source->count, &source->capacity,
                               sizeof *source->lines, UINT32_MAX);
    if (status != MW_OK)
        return status;
    source->lines[source->count++] =
        (mw_merged_line){row->file, row->line, (uint32_t)text_length, source->texts.length};
    mw_hash_index_add(&source->index, hash, source->count);
    mw_bytes_put(&source->texts, text, text_length);
    return source->texts.status;
}

mw_status mw_merged_source_gather(mw_merged_source *source, const mw_capture *capture)
{
    mw_status status = MW_OK;

    for (; source->seen_frames < source->tables->frame_count && status == MW_OK;
         source->seen_frames++) {
        const mw_frame_row *row = &source->tables->frames[source->seen_frames];
        const char *file = mw_string_pool_bytes(&source->tables->strings, row->file.index);
        size_t length = mw_string_pool_length(&source->tables->strings, row->file.index);
        size_t text_length;
        const char *text;

        if (find_line(source, file, length, row->line) != NULL)
            continue;
        text = mw_capture_source_line(capture, file, row->line, &text_length);
        if (text != NULL)
            status = add_line(source, row, text, text_length);
    }
    return status;
}

bool mw_merged_source_line(void *context, const char *file, int32_t line, const char **ret_text,
                           size_t *ret_length)
{
    const mw_merged_source *source = context;
    const mw_merged_line *found = find_line(source, file, strlen(file), line);

    if (found == NULL)
        return false;
    *ret_text = (const char *)source->texts.bytes + found->offset;
    *ret_length = found->length;
    return true;
}
