/* SPDX-License-Identifier: MIT */
#include "capture/capture_merge.h"

#include "base/hash.h"
#include "capture/capture_writer.h"
#include "capture/format.h"
#include "capture/merged_source.h"
#include "capture/site_copy.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { INPUT_MAXIMUM = 1 << 24, PLACE_MAXIMUM = 4096 };

/* Texts that are kept, each once. */
typedef struct text_list {
    const char **items; /* owned, like the texts */
    uint32_t count, capacity;
} text_list;

struct mw_capture_merge {
    mw_alloc *alloc; /* borrowed */
    mw_merge_moment moment;
    mw_merge_order order;
    mw_snapshot_builder *builder; /* owned until it is written        */
    mw_merged_source source;
    mw_capture_input *inputs; /* owned                            */
    uint32_t input_count, input_capacity;
    mw_hash_index thread_index; /* by name: the thread's number     */
    mw_string *thread_names;    /* owned; by number                 */
    uint32_t thread_count, thread_capacity;
    text_list program_places, library_places;
    mw_program program; /* what all have in common; its texts are owned */
    mw_point point;     /* sums                             */
    uint64_t end_unix_ns;
    bool lacks_totals; /* of one at least                  */
};

/* ── texts ───────────────────────────────────────────────────────────────────────── */

static mw_status copy_text(mw_alloc *alloc, const char *text, const char **ret_copy)
{
    size_t bytes = strlen(text) + 1;
    char *copy = mw_alloc_new(alloc, bytes);

    if (copy == NULL)
        return MW_NO_MEMORY;
    memcpy(copy, text, bytes);
    *ret_copy = copy;
    return MW_OK;
}

static void free_text(mw_alloc *alloc, const char *text)
{
    if (text != NULL)
        mw_alloc_release(alloc, (char *)text, strlen(text) + 1);
}

static mw_status add_text(mw_alloc *alloc, text_list *list, const char *text)
{
    mw_status status;

    for (uint32_t i = 0; i < list->count; i++) {
        if (strcmp(list->items[i], text) == 0)
            return MW_OK;
    }
    status = mw_alloc_grow(alloc, &list->items, list->count, &list->capacity, sizeof *list->items,
                           PLACE_MAXIMUM);
    if (status == MW_OK)
        status = copy_text(alloc, text, &list->items[list->count]);
    if (status == MW_OK)
        list->count++;
    /* Places that are too many are those of none. */
    return status == MW_LIMIT ? MW_OK : status;
}

static void free_texts(mw_alloc *alloc, text_list *list)
{
    for (uint32_t i = 0; i < list->count; i++)
        free_text(alloc, list->items[i]);
    mw_alloc_release(alloc, list->items, list->capacity * sizeof *list->items);
}

/* Keeps what all have in common: the first one's, as long as nobody says otherwise. */
static mw_status agree(const mw_capture_merge *merge, const char **common, const char *text)
{
    if (merge->input_count == 0)
        return copy_text(merge->alloc, text, common);
    if (strcmp(*common, text) == 0)
        return MW_OK;
    free_text(merge->alloc, *common);
    *common = NULL;
    return copy_text(merge->alloc, "", common);
}

/* ── life ────────────────────────────────────────────────────────────────────────── */

mw_status mw_capture_merge_new(mw_merge_moment moment, mw_merge_order order, mw_alloc *alloc,
                               mw_capture_merge **ret_merge, mw_error *reterr)
{
    mw_capture_merge *merge = mw_alloc_new(alloc, sizeof *merge);
    mw_status status = MW_NO_MEMORY;

    if (merge != NULL) {
        merge->alloc = alloc;
        merge->moment = moment;
        merge->order = order;
        merge->thread_count = 1;
        mw_hash_index_init(&merge->thread_index, alloc);
        status = mw_snapshot_builder_new(alloc, MW_FRAME_LIMIT_MAXIMUM, &merge->builder);
    }
    if (status != MW_OK) {
        mw_capture_merge_free(merge);
        return mw_error_set(reterr, status, "Out of memory while merging.");
    }
    mw_merged_source_init(&merge->source, mw_snapshot_builder_tables(merge->builder), alloc);
    *ret_merge = merge;
    return MW_OK;
}

static void free_inputs(mw_capture_merge *merge)
{
    for (uint32_t i = 0; i < merge->input_count; i++) {
        free_text(merge->alloc, merge->inputs[i].file);
        free_text(merge->alloc, merge->inputs[i].program);
        free_text(merge->alloc, merge->inputs[i].host);
    }
    mw_alloc_release(merge->alloc, merge->inputs, merge->input_capacity * sizeof *merge->inputs);
}

void mw_capture_merge_free(mw_capture_merge *merge)
{
    mw_program *program;
    mw_alloc *alloc;

    if (merge == NULL)
        return;
    alloc = merge->alloc;
    program = &merge->program;
    mw_merged_source_done(&merge->source);
    mw_snapshot_builder_free(merge->builder);
    free_inputs(merge);
    mw_hash_index_done(&merge->thread_index);
    mw_alloc_release(alloc, merge->thread_names,
                     merge->thread_capacity * sizeof *merge->thread_names);
    free_texts(alloc, &merge->program_places);
    free_texts(alloc, &merge->library_places);
    free_text(alloc, program->name);
    free_text(alloc, program->command_line);
    free_text(alloc, program->directory);
    free_text(alloc, program->python);
    free_text(alloc, program->executable);
    free_text(alloc, program->host);
    mw_alloc_release(alloc, merge, sizeof *merge);
}

/* ── threads ─────────────────────────────────────────────────────────────────────── */

/* The number of the thread that is named [name]; 0 if there are too many. */
static mw_status number_thread(mw_capture_merge *merge, mw_string name, mw_thread *ret_thread)
{
    uint64_t hash = mw_hash_combine(name.index, 0);
    mw_hash_probe probe = mw_hash_probe_start(hash);
    uint32_t found;
    mw_status status;

    *ret_thread = (mw_thread){0};
    while ((found = mw_hash_index_next(&merge->thread_index, &probe)) != 0) {
        if (merge->thread_names[found].index == name.index) {
            ret_thread->index = found;
            return MW_OK;
        }
    }
    if (merge->thread_count > MW_THREAD_NUMBER_MAXIMUM)
        return MW_OK;
    status = mw_hash_index_reserve(&merge->thread_index, 1);
    if (status == MW_OK)
        status = mw_alloc_grow(merge->alloc, &merge->thread_names, merge->thread_count,
                               &merge->thread_capacity, sizeof *merge->thread_names,
                               MW_THREAD_NUMBER_MAXIMUM + 1);
    if (status == MW_OK)
        status =
            mw_snapshot_builder_name_thread(merge->builder, (mw_thread){merge->thread_count}, name);
    if (status != MW_OK)
        return status;
    ret_thread->index = merge->thread_count++;
    merge->thread_names[ret_thread->index] = name;
    mw_hash_index_add(&merge->thread_index, hash, ret_thread->index);
    return MW_OK;
}

static mw_status merge_thread(mw_capture_merge *merge, mw_site_copy *copy, mw_thread thread,
                              mw_thread *ret_thread)
{
    mw_string name = mw_snapshot_thread_string(copy->from, thread);
    mw_status status;

    *ret_thread = (mw_thread){0};
    if (name.index == 0)
        return MW_OK;
    status = mw_site_copy_string(copy, name, &name);
    return status == MW_OK ? number_thread(merge, name, ret_thread) : status;
}

/* ── sites ───────────────────────────────────────────────────────────────────────── */

/* The path that says whose what hangs under it is. */
static mw_status root_of(mw_capture_merge *merge, const mw_program *program, const char *file,
                         mw_path *ret_root)
{
    const char *base = strrchr(file, '/') != NULL ? strrchr(file, '/') + 1 : file;
    mw_frame_row row = {0};
    mw_frame frame;
    char label[512];
    int length;
    mw_status status;

    *ret_root = (mw_path){0};
    if (merge->order == MW_MERGE_TOGETHER)
        return MW_OK;
    length = snprintf(label, sizeof label, "%.200s, pid %" PRId64 ", %.200s", program->name,
                      program->pid, base);
    status = mw_snapshot_builder_string(merge->builder, MW_MERGE_PROCESS_FILE,
                                        strlen(MW_MERGE_PROCESS_FILE), &row.file);
    if (status == MW_OK)
        status = mw_snapshot_builder_string(merge->builder, label, (size_t)length, &row.function);
    if (status == MW_OK)
        status = mw_snapshot_builder_frame(merge->builder, row, &frame);
    if (status == MW_OK)
        status = mw_snapshot_builder_path(merge->builder, (mw_path){0}, frame, ret_root);
    return status;
}

static mw_status merge_site(mw_capture_merge *merge, mw_site_copy *copy,
                            const mw_snapshot *snapshot, mw_site site)
{
    mw_site_row row = mw_snapshot_site(snapshot, site);
    mw_thread thread;
    mw_site merged;
    mw_status status;

    if (row.live_blocks == 0 && row.total_blocks == 0)
        return MW_OK;
    status = merge_thread(merge, copy, row.thread, &thread);
    if (status == MW_OK)
        status = mw_site_copy_site(copy, site, thread, 0, &merged);
    if (status == MW_OK)
        status = mw_snapshot_builder_tally(merge->builder, merged, row.live_bytes, row.live_blocks);
    if (status == MW_OK && mw_snapshot_has_totals(snapshot))
        status =
            mw_snapshot_builder_totals(merge->builder, merged, row.total_bytes, row.total_blocks);
    return status;
}

static mw_status merge_sites(mw_capture_merge *merge, const mw_snapshot *snapshot, mw_path root)
{
    mw_site_copy copy;
    mw_status status =
        mw_site_copy_init(&copy, snapshot->tables, merge->builder, root, merge->alloc);

    if (status != MW_OK)
        return status;
    for (uint32_t i = 1; i <= mw_snapshot_site_count(snapshot) && status == MW_OK; i++)
        status = merge_site(merge, &copy, snapshot, (mw_site){i});
    mw_site_copy_done(&copy);
    return status;
}

/* ── who ─────────────────────────────────────────────────────────────────────────── */

static mw_status append_input(mw_capture_merge *merge, const mw_capture_input *input)
{
    mw_capture_input *copy;
    mw_status status = mw_alloc_grow(merge->alloc, &merge->inputs, merge->input_count,
                                     &merge->input_capacity, sizeof *merge->inputs, INPUT_MAXIMUM);

    if (status != MW_OK)
        return status;
    copy = &merge->inputs[merge->input_count++];
    *copy = *input;
    copy->file = copy->program = copy->host = NULL;
    status = copy_text(merge->alloc, input->file, &copy->file);
    if (status == MW_OK)
        status = copy_text(merge->alloc, input->program, &copy->program);
    if (status == MW_OK)
        status = copy_text(merge->alloc, input->host, &copy->host);
    return status;
}

/* What was merged already contributed as its parts did. */
static mw_status add_inputs(mw_capture_merge *merge, const mw_capture *capture, const char *file,
                            const mw_snapshot *snapshot, const mw_point *point)
{
    const mw_program *program = &mw_capture_timeline(capture)->program;
    mw_capture_input input = {
        .file = file,
        .program = program->name,
        .host = program->host,
        .pid = program->pid,
        .start_unix_ns = program->start_unix_ns,
        .time_ns = point->time_ns,
        .tally = {mw_snapshot_live_bytes(snapshot), mw_snapshot_block_count(snapshot),
                  mw_snapshot_total_bytes(snapshot), mw_snapshot_total_blocks(snapshot)},
    };
    const mw_capture_input *parts;
    size_t count;
    mw_status status = MW_OK;

    parts = mw_capture_inputs(capture, &count);
    if (count == 0)
        return append_input(merge, &input);
    for (size_t i = 0; i < count && status == MW_OK; i++)
        status = append_input(merge, &parts[i]);
    return status;
}

static mw_status agree_on_texts(mw_capture_merge *merge, const mw_program *program)
{
    mw_program *common = &merge->program;
    mw_status status = agree(merge, &common->name, program->name);

    if (status == MW_OK)
        status = agree(merge, &common->command_line, program->command_line);
    if (status == MW_OK)
        status = agree(merge, &common->directory, program->directory);
    if (status == MW_OK)
        status = agree(merge, &common->python, program->python);
    if (status == MW_OK)
        status = agree(merge, &common->executable, program->executable);
    if (status == MW_OK)
        status = agree(merge, &common->host, program->host);
    for (size_t i = 0; i < program->program_place_count && status == MW_OK; i++)
        status = add_text(merge->alloc, &merge->program_places, program->program_places[i]);
    for (size_t i = 0; i < program->library_place_count && status == MW_OK; i++)
        status = add_text(merge->alloc, &merge->library_places, program->library_places[i]);
    return status;
}

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static void agree_on_numbers(mw_capture_merge *merge, const mw_program *program,
                             const mw_point *point)
{
    mw_program *common = &merge->program;
    bool is_first = merge->input_count == 0;
    uint32_t limit = program->frame_limit != 0 ? program->frame_limit : MW_FRAME_LIMIT_MAXIMUM;

    if (is_first || program->start_unix_ns < common->start_unix_ns)
        common->start_unix_ns = program->start_unix_ns;
    if (!is_first && program->memory_limit_bytes != common->memory_limit_bytes)
        common->memory_limit_bytes = 0;
    else
        common->memory_limit_bytes = program->memory_limit_bytes;
    common->sample_bytes = larger(common->sample_bytes, program->sample_bytes);
    common->frame_limit = (uint32_t)larger(common->frame_limit, limit);
    merge->end_unix_ns = larger(merge->end_unix_ns, program->start_unix_ns + point->time_ns);
    merge->point.rss_bytes += point->rss_bytes;
    merge->point.live_bytes += point->live_bytes;
    merge->point.peak_bytes += point->peak_bytes;
    merge->point.overhead_bytes += point->overhead_bytes;
    merge->point.lost_blocks += point->lost_blocks;
}

/* ── adding ──────────────────────────────────────────────────────────────────────── */

static mw_status take_moment(const mw_capture_merge *merge, mw_capture *capture, const char *file,
                             mw_snapshot **ret_snapshot, mw_point *ret_point, mw_error *reterr)
{
    uint32_t count = mw_capture_snapshot_count(capture);

    if (merge->moment == MW_MERGE_PEAK)
        return mw_capture_peak(capture, ret_snapshot, ret_point, reterr);
    if (count == 0)
        return mw_error_set(reterr, MW_BAD_INPUT, "%s: has no snapshot.", file);
    *ret_point = *mw_capture_point(capture, count - 1);
    return mw_capture_snapshot(capture, count - 1, ret_snapshot, reterr);
}

mw_status mw_capture_merge_add(mw_capture_merge *merge, mw_capture *capture, const char *file,
                               mw_error *reterr)
{
    const mw_program *program = &mw_capture_timeline(capture)->program;
    mw_snapshot *snapshot = NULL;
    mw_point point;
    mw_path root;
    mw_status status = take_moment(merge, capture, file, &snapshot, &point, reterr);

    if (status != MW_OK)
        return status;
    status = root_of(merge, program, file, &root);
    if (status == MW_OK)
        status = merge_sites(merge, snapshot, root);
    if (status == MW_OK)
        status = mw_merged_source_gather(&merge->source, capture);
    if (status == MW_OK)
        status = agree_on_texts(merge, program);
    if (status == MW_OK) {
        agree_on_numbers(merge, program, &point);
        merge->lacks_totals |= !mw_snapshot_has_totals(snapshot);
        status = add_inputs(merge, capture, file, snapshot, &point);
    }
    mw_snapshot_release(snapshot);
    if (status == MW_LIMIT)
        return mw_error_set(reterr, status, "%s: the sum of all captures is too large.", file);
    if (status != MW_OK)
        return mw_error_set(reterr, status, "%s: out of memory while merging.", file);
    return MW_OK;
}

/* ── writing ─────────────────────────────────────────────────────────────────────── */

/* All that was merged, as a snapshot; totals that are not of all are those of none. */
static mw_status finish_snapshot(mw_capture_merge *merge, mw_snapshot **ret_snapshot)
{
    mw_snapshot *sums = NULL;
    mw_status status;

    status = mw_snapshot_builder_finish(merge->builder, &sums);
    merge->builder = NULL;
    if (status == MW_OK && merge->lacks_totals && mw_snapshot_has_totals(sums)) {
        status = mw_snapshot_with_tallies(sums, sums->tallies, NULL,
                                          mw_snapshot_site_count(sums) + 1, ret_snapshot);
        mw_snapshot_release(sums);
        return status;
    }
    *ret_snapshot = sums;
    return status;
}

static void complete_program(mw_capture_merge *merge)
{
    mw_program *program = &merge->program;

    program->memwhy = MW_VERSION;
    program->program_places = merge->program_places.items;
    program->program_place_count = merge->program_places.count;
    program->library_places = merge->library_places.items;
    program->library_place_count = merge->library_places.count;
    /* The frame at the root is one more. */
    if (merge->order == MW_MERGE_APART && program->frame_limit < MW_FRAME_LIMIT_MAXIMUM)
        program->frame_limit++;
    merge->point.time_ns = merge->end_unix_ns - program->start_unix_ns;
}

mw_status mw_capture_merge_write(mw_capture_merge *merge, const char *path, mw_error *reterr)
{
    mw_capture_options options = {.source_line = mw_merged_source_line, .context = &merge->source};
    mw_capture_writer *writer = NULL;
    mw_snapshot *snapshot = NULL;
    mw_status status;

    complete_program(merge);
    status = finish_snapshot(merge, &snapshot);
    if (status != MW_OK)
        return mw_error_set(reterr, status, "Out of memory while merging.");
    status = mw_capture_writer_new(path, &merge->program, &options, merge->alloc, &writer, reterr);
    for (uint32_t i = 0; i < merge->input_count && status == MW_OK; i++)
        status = mw_capture_writer_input(writer, &merge->inputs[i], reterr);
    if (status == MW_OK)
        status = mw_capture_writer_snapshot(writer, snapshot, &merge->point, reterr);
    mw_capture_writer_free(writer);
    mw_snapshot_release(snapshot);
    return status;
}
