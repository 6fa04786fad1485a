/* SPDX-License-Identifier: MIT
 *
 * Each line is asked for once, whichever functions have instructions in it.
 */
#include "render/region_comments.h"

#include "base/hash.h"
#include "base/hash_index.h"
#include "base/string_pool.h"

#include <string.h>

/* Of one line: what stands behind the comment. */
typedef struct known_line {
    mw_string file;
    int32_t line;
    bool is_marked;
    uint32_t name; /* in the pool; 0: nothing stands there */
} known_line;

typedef struct search {
    const mw_snapshot *snapshot;
    mw_source *source;
    const char *comment;
    mw_alloc *alloc;
    mw_string_pool pool; /* of the names                    */
    mw_hash_index index; /* of lines                        */
    known_line *lines;   /* owned; [0] is none              */
    uint32_t line_count, line_capacity;
    uint32_t *names; /* owned; by frame: 0: none, else a string of the pool */
    uint32_t frame_count;
    bool has_found;
} search;

/* Writes what stands behind the comment; returns false if the text has none. */
static bool read_comment(const search *self, const char *text, const char **ret_rest)
{
    const char *found = strstr(text, self->comment);

    if (found == NULL)
        return false;
    found += strlen(self->comment);
    *ret_rest = found + strspn(found, " \t:");
    return true;
}

static mw_status ask_line(search *self, known_line *line)
{
    char text[MW_SOURCE_LINE_BYTES];
    const char *rest;

    if (line->line < 1)
        return MW_OK;
    self->source->line(self->source, mw_snapshot_string(self->snapshot, line->file, NULL),
                       line->line, text);
    line->is_marked = read_comment(self, text, &rest);
    if (!line->is_marked)
        return MW_OK;
    return mw_string_pool_intern(&self->pool, rest, strlen(rest), &line->name);
}

static mw_status append_line(search *self, const known_line *line, uint64_t hash)
{
    mw_status status = mw_hash_index_reserve(&self->index, 1);

    if (status == MW_OK)
        status = mw_alloc_grow(self->alloc, &self->lines, self->line_count + 1,
                               &self->line_capacity, sizeof *self->lines, UINT32_MAX);
    if (status != MW_OK)
        return status;
    self->lines[++self->line_count] = *line;
    mw_hash_index_add(&self->index, hash, self->line_count);
    return MW_OK;
}

static mw_status know_line(search *self, const mw_frame_row *row, known_line *ret_line)
{
    uint64_t hash = mw_hash_combine(row->file.index, (uint32_t)row->line);
    mw_hash_probe probe = mw_hash_probe_start(hash);
    uint32_t number;
    mw_status status;

    while ((number = mw_hash_index_next(&self->index, &probe)) != 0) {
        *ret_line = self->lines[number];
        if (ret_line->file.index == row->file.index && ret_line->line == row->line)
            return MW_OK;
    }
    *ret_line = (known_line){.file = row->file, .line = row->line};
    status = ask_line(self, ret_line);
    return status == MW_OK ? append_line(self, ret_line, hash) : status;
}

/* The region that begins in a frame of a marked line: the function's where the comment has
 * no name. */
static mw_status name_frame(search *self, mw_frame frame)
{
    mw_frame_row row = mw_snapshot_frame(self->snapshot, frame);
    const char *function;
    size_t length;
    known_line line;
    mw_status status;

    if (mw_region_is_frame(self->snapshot, frame))
        return MW_OK;
    status = know_line(self, &row, &line);
    if (status != MW_OK || !line.is_marked)
        return status;
    self->has_found = true;
    self->names[frame.index] = line.name;
    if (line.name != 0)
        return MW_OK;
    function = mw_snapshot_string(self->snapshot, row.function, &length);
    if (length == 0)
        function = mw_snapshot_string(self->snapshot, row.file, &length);
    return mw_string_pool_intern(&self->pool, function, length, &self->names[frame.index]);
}

static mw_status name_frames(search *self)
{
    mw_status status = MW_OK;

    self->names = mw_alloc_array(self->alloc, self->frame_count + 1, sizeof *self->names);
    if (self->names == NULL)
        return MW_NO_MEMORY;
    for (uint32_t frame = 1; frame <= self->frame_count && status == MW_OK; frame++)
        status = name_frame(self, (mw_frame){frame});
    return status;
}

/* Only now: the pool moves while it grows. */
static mw_status insert(const search *self, mw_snapshot *snapshot, mw_snapshot **ret_snapshot)
{
    const char **names = mw_alloc_array(self->alloc, self->frame_count + 1, sizeof *names);
    mw_status status;

    if (names == NULL)
        return MW_NO_MEMORY;
    for (uint32_t frame = 1; frame <= self->frame_count; frame++)
        if (self->names[frame] != 0)
            names[frame] = mw_string_pool_bytes(&self->pool, self->names[frame]);
    status = mw_region_insert(snapshot, names, self->alloc, ret_snapshot);
    mw_alloc_release(self->alloc, names, (self->frame_count + 1) * sizeof *names);
    return status;
}

mw_status mw_region_comments(mw_snapshot *snapshot, mw_source *source, const char *comment,
                             mw_alloc *alloc, mw_snapshot **ret_snapshot)
{
    search self = {.snapshot = snapshot,
                   .source = source,
                   .comment = comment,
                   .alloc = alloc,
                   .frame_count = mw_snapshot_frame_count(snapshot)};
    mw_status status;

    if (*comment == '\0')
        return MW_BAD_INPUT;
    mw_hash_index_init(&self.index, alloc);
    status = mw_string_pool_init(&self.pool, alloc);
    if (status == MW_OK)
        status = name_frames(&self);
    if (status == MW_OK && self.has_found)
        status = insert(&self, snapshot, ret_snapshot);
    else if (status == MW_OK)
        *ret_snapshot = mw_snapshot_retain(snapshot);
    mw_hash_index_done(&self.index);
    mw_string_pool_done(&self.pool);
    mw_alloc_release(alloc, self.lines, self.line_capacity * sizeof *self.lines);
    mw_alloc_release(alloc, self.names, (self.frame_count + 1) * sizeof *self.names);
    return status;
}
