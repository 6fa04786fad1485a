/* SPDX-License-Identifier: MIT */
#include "tracer/translation.h"

#include <stdio.h>
#include <string.h>

mw_status mw_translation_init(mw_translation *self, mw_alloc *alloc, mw_snapshot_builder *builder,
                              const mw_code_table *codes, const mw_path_trie *paths)
{
    *self = (mw_translation){.alloc = alloc, .builder = builder, .codes = codes, .paths = paths};
    self->frames = mw_alloc_array(alloc, codes->instruction_count, sizeof *self->frames);
    self->lines = mw_alloc_array(alloc, codes->instruction_count, sizeof *self->lines);
    self->has_lines = mw_alloc_array(alloc, codes->code_count, sizeof *self->has_lines);
    self->known_paths = mw_alloc_array(alloc, paths->count, sizeof *self->known_paths);
    self->threads = mw_alloc_array(alloc, paths->count, sizeof *self->threads);
    if (self->frames == NULL || self->lines == NULL || self->has_lines == NULL ||
        self->known_paths == NULL || self->threads == NULL)
        return MW_NO_MEMORY;
    return MW_OK;
}

void mw_translation_done(mw_translation *self)
{
    if (self->alloc == NULL)
        return;
    mw_alloc_release(self->alloc, self->frames,
                     self->codes->instruction_count * sizeof *self->frames);
    mw_alloc_release(self->alloc, self->lines,
                     self->codes->instruction_count * sizeof *self->lines);
    mw_alloc_release(self->alloc, self->has_lines,
                     self->codes->code_count * sizeof *self->has_lines);
    mw_alloc_release(self->alloc, self->known_paths,
                     self->paths->count * sizeof *self->known_paths);
    mw_alloc_release(self->alloc, self->threads, self->paths->count * sizeof *self->threads);
    *self = (mw_translation){0};
}

/* ── strings and frames ──────────────────────────────────────────────────────────── */

static mw_status copy_string(const mw_translation *self, mw_string string, mw_string *ret_string)
{
    return mw_snapshot_builder_string(
        self->builder, mw_string_pool_bytes(&self->codes->strings, string.index),
        mw_string_pool_length(&self->codes->strings, string.index), ret_string);
}

/* A code's lines are computed all at once, when the first is asked for. */
static mw_status line_of(const mw_translation *self, mw_instruction instruction, int32_t *ret_line)
{
    uint32_t code = self->codes->instructions[instruction.index].code;
    mw_status status = MW_OK;

    if (!self->has_lines[code]) {
        status = mw_code_table_lines(self->codes, (mw_code){code}, self->alloc, self->lines);
        self->has_lines[code] = status == MW_OK;
    }
    *ret_line = self->lines[instruction.index];
    return status;
}

static mw_status make_frame(const mw_translation *self, mw_instruction instruction,
                            mw_frame *ret_frame)
{
    uint32_t number = self->codes->instructions[instruction.index].code;
    const mw_code_row *code = &self->codes->codes[number];
    mw_frame_row row = {.first_line = code->first_line};
    mw_status status = line_of(self, instruction, &row.line);

    if (status == MW_OK)
        status = copy_string(self, code->file, &row.file);
    if (status == MW_OK)
        status = copy_string(self, code->function, &row.function);
    if (status == MW_OK)
        status = copy_string(self, code->module, &row.module);
    if (status == MW_OK)
        status = mw_snapshot_builder_frame(self->builder, row, ret_frame);
    return status;
}

static mw_status frame_of(const mw_translation *self, mw_instruction instruction,
                          mw_frame *ret_frame)
{
    uint32_t *known = &self->frames[instruction.index];
    mw_status status = MW_OK;

    if (*known == 0) {
        mw_frame made = {0};

        status = make_frame(self, instruction, &made);
        *known = made.index;
    }
    *ret_frame = (mw_frame){*known};
    return status;
}

/* A frame that is none of a function's; [file] says why. */
static mw_status nameless_frame(mw_snapshot_builder *builder, const char *file, mw_frame *ret_frame)
{
    mw_frame_row row = {0};
    mw_status status = mw_snapshot_builder_string(builder, file, strlen(file), &row.file);

    if (status == MW_OK)
        status = mw_snapshot_builder_frame(builder, row, ret_frame);
    return status;
}

/* tracemalloc's words for a block that no frame asked for. */
static mw_status unknown_path(mw_snapshot_builder *builder, mw_path *ret_path)
{
    mw_frame frame;
    mw_status status = nameless_frame(builder, "<unknown>", &frame);

    if (status == MW_OK)
        status = mw_snapshot_builder_path(builder, (mw_path){0}, frame, ret_path);
    return status;
}

/* ── paths ───────────────────────────────────────────────────────────────────────── */

/* Translates one node whose caller has been translated. */
static mw_status translate_node(const mw_translation *self, mw_path path)
{
    mw_path caller = mw_path_trie_caller(self->paths, path);
    mw_instruction instruction = mw_path_trie_instruction(self->paths, path);
    mw_path translated = {0};
    mw_frame frame;
    mw_status status;

    if (instruction.index != MW_INSTRUCTION_CUT &&
        (instruction.index & MW_INSTRUCTION_THREAD) != 0) {
        self->threads[path.index] = (uint8_t)instruction.index;
        return MW_OK;
    }
    if (instruction.index == MW_INSTRUCTION_CUT)
        status = nameless_frame(self->builder, "<not recorded>", &frame);
    else
        status = frame_of(self, instruction, &frame);
    if (status == MW_OK)
        status = mw_snapshot_builder_path(self->builder, (mw_path){self->known_paths[caller.index]},
                                          frame, &translated);
    self->known_paths[path.index] = translated.index;
    self->threads[path.index] = self->threads[caller.index];
    return status;
}

static bool is_translated(const mw_translation *self, mw_path path)
{
    return path.index == 0 || self->known_paths[path.index] != 0 || self->threads[path.index] != 0;
}

/* Translates a path, its callers first.  Stacks can be a million frames deep, so this
 * goes up and down by hand: up to the first translated ancestor, writing into each node
 * the way back (`known_paths` of an untranslated node is free for that), and down. */
static mw_status translate_path(const mw_translation *self, mw_path path)
{
    mw_path below = {0};
    mw_status status = MW_OK;

    while (!is_translated(self, path)) {
        mw_path caller = mw_path_trie_caller(self->paths, path);

        /* A node on the way is marked by the number of the node below it; it is not
         * looked at again before the way back reaches it. */
        self->known_paths[path.index] = below.index;
        below = path;
        path = caller;
    }
    while (below.index != 0 && status == MW_OK) {
        mw_path next = {self->known_paths[below.index]};

        self->known_paths[below.index] = 0;
        status = translate_node(self, below);
        below = next;
    }
    return status;
}

/* The path of a site in the snapshot, and its thread. */
static mw_status path_of(const mw_translation *self, mw_path path, mw_path *ret_path,
                         mw_thread *ret_thread)
{
    mw_status status = translate_path(self, path);

    if (status != MW_OK)
        return status;
    *ret_thread = (mw_thread){self->threads[path.index]};
    *ret_path = (mw_path){self->known_paths[path.index]};
    if (ret_path->index == 0)
        return unknown_path(self->builder, ret_path);
    return MW_OK;
}

/* ── sites ───────────────────────────────────────────────────────────────────────── */

/* tracemalloc counts frames in an unsigned short and stops at its maximum. */
static uint32_t total_frames(const mw_snapshot_builder *builder, mw_path path)
{
    uint32_t depth = mw_snapshot_builder_depth(builder, path);

    return depth > MW_FRAME_LIMIT_MAXIMUM ? MW_FRAME_LIMIT_MAXIMUM : depth;
}

static uint32_t domain_of(const mw_site_source *source, mw_site site)
{
    uint32_t number = mw_site_table_entry(source->sites, site)->domain;

    return source->raw != NULL ? mw_raw_lane_domain_of(source->raw, number) : MW_DOMAIN_PYTHON;
}

static mw_status make_site(const mw_site_source *source, mw_site site, uint32_t epoch,
                           mw_site *ret_site)
{
    const mw_site_entry *entry = mw_site_table_entry(source->sites, site);
    bool is_of_main = (entry->path & MW_PATH_OF_MAIN) != 0;
    const mw_translation *lane = is_of_main ? source->main : source->lane;
    mw_path path = {entry->path & ~MW_PATH_OF_MAIN};
    mw_thread thread;
    mw_status status = path_of(lane, path, &path, &thread);

    if (status != MW_OK)
        return status;
    return mw_snapshot_builder_epoch_site(lane->builder, path, total_frames(lane->builder, path),
                                          domain_of(source, site), thread, epoch, ret_site);
}

mw_status mw_translation_site(const mw_site_source *source, mw_site site, uint32_t epoch,
                              mw_site *ret_site)
{
    uint32_t *known = source->translated != NULL ? &source->translated[site.index] : NULL;
    mw_status status;

    if (known != NULL && *known != 0) {
        *ret_site = (mw_site){*known};
        return MW_OK;
    }
    status = make_site(source, site, epoch, ret_site);
    if (status == MW_OK && known != NULL)
        *known = ret_site->index;
    return status;
}

/* ── threads ─────────────────────────────────────────────────────────────────────── */

static mw_status name_thread(const mw_translation *self, uint32_t number, const mw_thread_row *row)
{
    char text[32];
    mw_string name;
    mw_status status;

    if (row->name.index != 0) {
        status = copy_string(self, row->name, &name);
    } else {
        int length = number == MW_THREAD_OTHERS ? snprintf(text, sizeof text, "other threads")
                                                : snprintf(text, sizeof text, "thread %u", number);

        status = mw_snapshot_builder_string(self->builder, text, (size_t)length, &name);
    }
    if (status == MW_OK)
        status = mw_snapshot_builder_name_thread(self->builder, (mw_thread){number}, name);
    return status;
}

mw_status mw_translation_name_threads(const mw_translation *self, const mw_threads *threads)
{
    mw_status status = MW_OK;

    for (uint32_t number = 1; number <= threads->count && status == MW_OK; number++)
        status = name_thread(self, number, &threads->rows[number]);
    if (status == MW_OK && threads->count == MW_THREAD_OTHERS - 1)
        status = name_thread(self, MW_THREAD_OTHERS, &threads->rows[MW_THREAD_OTHERS]);
    return status;
}

/* ── a whole snapshot ────────────────────────────────────────────────────────────── */

mw_status mw_translation_snapshot(const mw_translation_plan *plan, mw_alloc *alloc,
                                  mw_snapshot **ret_snapshot)
{
    mw_snapshot_builder *builder = NULL;
    mw_translation lane = {0};
    mw_status status;

    status = mw_snapshot_builder_new(alloc, plan->frame_limit, &builder);
    if (status != MW_OK)
        goto done;
    status = mw_translation_init(&lane, alloc, builder, plan->codes, plan->paths);
    if (status == MW_OK)
        status = plan->add(plan->context, &lane);
    if (status == MW_OK) {
        status = mw_snapshot_builder_finish(builder, ret_snapshot);
        builder = NULL;
    }

done:
    mw_translation_done(&lane);
    mw_snapshot_builder_free(builder);
    return status;
}
