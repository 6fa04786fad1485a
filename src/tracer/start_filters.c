/* SPDX-License-Identifier: MIT */
#include "tracer/start_filters.h"

#include <string.h>

enum { ANSWERS_MAXIMUM = 0x7fffffff };

/* What is remembered of an instruction. */
enum { NOT_ASKED = 0, NOT_NAMED, NAMED };

/* No frame of the path is named. */
#define NO_DISTANCE UINT32_MAX

/* ── life ────────────────────────────────────────────────────────────────────────── */

static mw_status copy_filter(mw_alloc *alloc, const mw_filter *copied, mw_filter *ret_filter)
{
    char *pattern = NULL;

    if (copied->kind == MW_FILTER_FILE) {
        pattern = mw_alloc_new(alloc, copied->pattern_length);
        if (pattern == NULL)
            return MW_NO_MEMORY;
        memcpy(pattern, copied->pattern, copied->pattern_length);
    }
    *ret_filter = *copied;
    ret_filter->pattern = pattern;
    return MW_OK;
}

mw_status mw_start_filters_init(mw_start_filters *filters, mw_alloc *alloc, const mw_filter *copied,
                                size_t count, uint32_t frame_limit)
{
    *filters = (mw_start_filters){.alloc = alloc, .frame_limit = frame_limit};
    if (count == 0)
        return MW_OK;
    filters->items =
        count <= UINT32_MAX ? mw_alloc_array(alloc, count, sizeof *filters->items) : NULL;
    if (filters->items == NULL)
        return MW_NO_MEMORY;
    filters->count = (uint32_t)count;
    for (uint32_t i = 0; i < filters->count; i++) {
        mw_status status = copy_filter(alloc, &copied[i], &filters->items[i].filter);

        if (status != MW_OK) {
            mw_start_filters_done(filters);
            return status;
        }
    }
    return MW_OK;
}

void mw_start_filters_forget(mw_start_filters *filters)
{
    for (uint32_t i = 0; i < filters->count; i++) {
        mw_start_filter *item = &filters->items[i];

        mw_alloc_release(filters->alloc, item->answers,
                         item->answer_capacity * sizeof *item->answers);
        mw_alloc_release(filters->alloc, item->distances,
                         item->distance_capacity * sizeof *item->distances);
        item->answers = NULL;
        item->distances = NULL;
        item->answer_capacity = item->distance_capacity = 0;
    }
}

void mw_start_filters_done(mw_start_filters *filters)
{
    mw_start_filters_forget(filters);
    for (uint32_t i = 0; i < filters->count; i++)
        mw_alloc_release(filters->alloc, (char *)filters->items[i].filter.pattern,
                         filters->items[i].filter.pattern_length);
    if (filters->items != NULL)
        mw_alloc_release(filters->alloc, filters->items, filters->count * sizeof *filters->items);
    *filters = (mw_start_filters){0};
}

size_t mw_start_filters_memory_bytes(const mw_start_filters *filters)
{
    size_t bytes = filters->count * sizeof *filters->items;

    for (uint32_t i = 0; i < filters->count; i++) {
        const mw_start_filter *item = &filters->items[i];

        bytes += item->filter.pattern_length + item->answer_capacity * sizeof *item->answers +
                 item->distance_capacity * sizeof *item->distances;
    }
    return bytes;
}

/* ── one instruction ─────────────────────────────────────────────────────────────── */

static bool names_frame(const mw_filter *filter, const mw_code_table *codes,
                        mw_instruction instruction)
{
    const mw_code_row *code = &codes->codes[codes->instructions[instruction.index].code];

    return (!filter->has_line || filter->line == mw_code_table_line(codes, instruction)) &&
           mw_filter_names_file(filter, mw_string_pool_bytes(&codes->strings, code->file.index),
                                mw_string_pool_length(&codes->strings, code->file.index));
}

/* Where the answer for [index] is remembered; NULL where there is no memory for it. */
static uint8_t *answer_place(const mw_start_filters *filters, mw_start_filter *item, uint32_t index)
{
    while (item->answer_capacity <= index)
        if (mw_alloc_grow(filters->alloc, &item->answers, item->answer_capacity,
                          &item->answer_capacity, sizeof *item->answers, ANSWERS_MAXIMUM) != MW_OK)
            return NULL;
    return &item->answers[index];
}

static bool names_instruction(const mw_start_filters *filters, mw_start_filter *item,
                              const mw_code_table *codes, mw_instruction instruction)
{
    uint8_t *answer = answer_place(filters, item, instruction.index);

    if (answer == NULL)
        return names_frame(&item->filter, codes, instruction);
    if (*answer == NOT_ASKED)
        *answer = names_frame(&item->filter, codes, instruction) ? NAMED : NOT_NAMED;
    return *answer == NAMED;
}

/* ── a whole path ────────────────────────────────────────────────────────────────── */

/* A path ends where its thread, or nothing, is named instead of a frame. */
static bool has_frame(const mw_path_trie *paths, mw_path path)
{
    return path.index != 0 &&
           (mw_path_trie_instruction(paths, path).index & MW_INSTRUCTION_THREAD) == 0;
}

static uint32_t *distance_place(const mw_start_filters *filters, mw_start_filter *item,
                                uint32_t index)
{
    while (item->distance_capacity <= index)
        if (mw_alloc_grow(filters->alloc, &item->distances, item->distance_capacity,
                          &item->distance_capacity, sizeof *item->distances,
                          ANSWERS_MAXIMUM) != MW_OK)
            return NULL;
    return &item->distances[index];
}

/* Remembers the distances of the [count] innermost paths of [path], of which the next one
 * outward has [distance]. */
static void remember_distances(mw_start_filter *item, const mw_path_trie *paths, mw_path path,
                               uint32_t count, uint32_t distance)
{
    for (; count > 0; count--, path = mw_path_trie_caller(paths, path))
        item->distances[path.index] = distance == NO_DISTANCE ? distance : distance + count;
}

/* How many frames up from the innermost one, itself counted, the nearest named frame is.
 * Callers have lower numbers, so if there is room for [path] there is for them. */
static uint32_t distance_of(const mw_start_filters *filters, mw_start_filter *item,
                            const mw_code_table *codes, const mw_path_trie *paths, mw_path path)
{
    bool remembers = distance_place(filters, item, path.index) != NULL;
    uint32_t distance = NO_DISTANCE;
    uint32_t count = 0;

    for (mw_path at = path; has_frame(paths, at); at = mw_path_trie_caller(paths, at), count++) {
        if (remembers && item->distances[at.index] != 0) {
            distance = item->distances[at.index];
            break;
        }
        if (names_instruction(filters, item, codes, mw_path_trie_instruction(paths, at))) {
            distance = 1;
            if (remembers)
                item->distances[at.index] = distance;
            break;
        }
    }
    if (remembers)
        remember_distances(item, paths, path, count, distance);
    return distance == NO_DISTANCE ? distance : distance + count;
}

/* Whether one of the frames that count is the one the filter names. */
static bool names_path(const mw_start_filters *filters, mw_start_filter *item,
                       const mw_code_table *codes, const mw_path_trie *paths, mw_path path)
{
    static const char unknown[] = "<unknown>";

    if (item->filter.kind == MW_FILTER_DOMAIN)
        return false;
    /* The one frame that a snapshot shows where no frame asked for the block. */
    if (!has_frame(paths, path))
        return mw_filter_names_line(&item->filter, 0) &&
               mw_filter_names_file(&item->filter, unknown, sizeof unknown - 1);
    if (!item->filter.all_frames)
        return names_instruction(filters, item, codes, mw_path_trie_instruction(paths, path));
    return distance_of(filters, item, codes, paths, path) <= filters->frame_limit;
}

bool mw_start_filters_ask(mw_start_filters *filters, const mw_code_table *codes,
                          const mw_path_trie *paths, mw_path path, uint32_t domain)
{
    mw_filter_poll poll = {0};

    for (uint32_t i = 0; i < filters->count && !poll.is_refused; i++) {
        mw_start_filter *item = &filters->items[i];

        if (mw_filter_poll_asks(&poll, &item->filter))
            mw_filter_poll_count(&poll, &item->filter,
                                 mw_filter_concludes(&item->filter,
                                                     names_path(filters, item, codes, paths, path),
                                                     domain));
    }
    return mw_filter_poll_admits(&poll);
}
