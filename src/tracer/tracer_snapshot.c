/* SPDX-License-Identifier: MIT
 *
 * From the tracer's tables to a snapshot.  Instructions become frames and paths become
 * paths of frames, each once, remembered in arrays as long as the tables; only what a
 * live site needs is translated.
 */
#include "tracer/sampler.h"
#include "tracer/tracer.h"

#include <stdio.h>
#include <string.h>

/* Translates one lane. */
typedef struct translation {
    mw_alloc *alloc;
    mw_snapshot_builder *builder;
    const mw_code_table *codes;
    const mw_path_trie *paths;
    uint32_t *frames;      /* instruction → frame of the snapshot; 0 = not translated yet */
    int32_t *lines;        /* instruction → line, if its code has lines                    */
    bool *has_lines;       /* code → whether its instructions are in `lines`               */
    uint32_t *known_paths; /* path → path of the snapshot, likewise                        */
    uint8_t *threads;      /* path → thread                                                */
} translation;

static mw_status translation_init(translation *self, mw_alloc *alloc, mw_snapshot_builder *builder,
                                  const mw_code_table *codes, const mw_path_trie *paths)
{
    *self = (translation){.alloc = alloc, .builder = builder, .codes = codes, .paths = paths};
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

static void translation_done(translation *self)
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
    *self = (translation){0};
}

/* ── strings and frames ──────────────────────────────────────────────────────────── */

static mw_status copy_string(const translation *self, mw_string string, mw_string *ret_string)
{
    return mw_snapshot_builder_string(
        self->builder, mw_string_pool_bytes(&self->codes->strings, string.index),
        mw_string_pool_length(&self->codes->strings, string.index), ret_string);
}

/* A code's lines are computed all at once, when the first is asked for. */
static mw_status line_of(const translation *self, mw_instruction instruction, int32_t *ret_line)
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

static mw_status make_frame(const translation *self, mw_instruction instruction,
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

static mw_status frame_of(const translation *self, mw_instruction instruction, mw_frame *ret_frame)
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
static mw_status translate_node(const translation *self, mw_path path)
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

static bool is_translated(const translation *self, mw_path path)
{
    return path.index == 0 || self->known_paths[path.index] != 0 || self->threads[path.index] != 0;
}

/* Translates a path, its callers first.  Stacks can be a million frames deep, so this
 * goes up and down by hand: up to the first translated ancestor, writing into each node
 * the way back (`known_paths` of an untranslated node is free for that), and down. */
static mw_status translate_path(const translation *self, mw_path path)
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
static mw_status path_of(const translation *self, mw_path path, mw_path *ret_path,
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

/* One table of sites, and where its paths lie. */
typedef struct site_source {
    const translation *lane;
    const translation *main;
    const mw_site_table *sites;
    const mw_raw_lane *raw;  /* whose sites they are; NULL: the main lane's          */
    uint32_t *translated;    /* site → site of the snapshot; 0 = not translated yet */
    uint32_t unwanted_sites; /* the first so many are left out                     */
} site_source;

/* tracemalloc counts frames in an unsigned short and stops at its maximum. */
static uint32_t total_frames(const mw_snapshot_builder *builder, mw_path path)
{
    uint32_t depth = mw_snapshot_builder_depth(builder, path);

    return depth > MW_FRAME_LIMIT_MAXIMUM ? MW_FRAME_LIMIT_MAXIMUM : depth;
}

static uint32_t domain_of(const site_source *source, mw_site site)
{
    uint32_t number = mw_site_table_entry(source->sites, site)->domain;

    return source->raw != NULL ? mw_raw_lane_domain_of(source->raw, number) : MW_DOMAIN_PYTHON;
}

static mw_status translate_site(const site_source *source, mw_site site, mw_site *ret_site)
{
    const mw_site_entry *entry = mw_site_table_entry(source->sites, site);
    bool is_of_main = (entry->path & MW_PATH_OF_MAIN) != 0;
    const translation *lane = is_of_main ? source->main : source->lane;
    mw_path path = {entry->path & ~MW_PATH_OF_MAIN};
    mw_thread thread;
    mw_status status;

    if (source->translated[site.index] != 0) {
        *ret_site = (mw_site){source->translated[site.index]};
        return MW_OK;
    }
    status = path_of(lane, path, &path, &thread);
    if (status != MW_OK)
        return status;
    status = mw_snapshot_builder_site(lane->builder, path, total_frames(lane->builder, path),
                                      domain_of(source, site), thread, ret_site);
    if (status == MW_OK)
        source->translated[site.index] = ret_site->index;
    return status;
}

/* Small blocks: the counters of their sites say all. */
static mw_status add_fixed_sites(const site_source *source)
{
    const mw_site_table *sites = source->sites;
    mw_site translated;

    for (mw_site site = mw_site_table_first(sites); site.index < sites->count;
         site = mw_site_table_next(sites, site)) {
        const mw_site_entry *entry = mw_site_table_entry(sites, site);
        uint64_t live_blocks = mw_site_table_live_blocks(sites, site);
        mw_status status;

        if (live_blocks == 0 || entry->size == MW_SITE_SIZE_VARIABLE ||
            site.index <= source->unwanted_sites)
            continue;
        status = translate_site(source, site, &translated);
        if (status == MW_OK)
            status = mw_snapshot_builder_blocks(source->lane->builder, translated, entry->size,
                                                live_blocks);
        if (status != MW_OK)
            return status;
    }
    return MW_OK;
}

static mw_status add_block(const site_source *source, mw_site site, uint64_t size_bytes)
{
    mw_site translated;
    mw_status status = translate_site(source, site, &translated);

    if (status != MW_OK)
        return status;
    return mw_snapshot_builder_blocks(source->lane->builder, translated, size_bytes, 1);
}

/* Large blocks: one by one, since each has a size of its own. */
static mw_status add_variable_blocks(const site_source *source, const mw_address_map *blocks)
{
    for (uint32_t slot = 0; slot < mw_address_map_slot_count(blocks); slot++) {
        const mw_address_entry *block = &blocks->slots[slot];
        mw_site site = {block->label & MW_LABEL_SITE};
        mw_status status;

        if (site.index == 0 || !mw_site_is_variable(source->sites, site))
            continue;
        status = add_block(source, site, block->value);
        if (status != MW_OK)
            return status;
    }
    return MW_OK;
}

/* What extensions report: a map for each domain. */
static mw_status add_domains(const site_source *source)
{
    mw_status status = MW_OK;

    for (uint32_t index = 0; index < source->raw->domain_count && status == MW_OK; index++)
        status = add_variable_blocks(source, &source->raw->domains[index].blocks);
    return status;
}

/* All of a lane: [raw]'s, or the main one's if that is NULL. */
static mw_status add_sites(const translation *lane, const translation *main,
                           const mw_site_table *sites, const mw_address_map *blocks,
                           const mw_raw_lane *raw, uint32_t unwanted_sites)
{
    site_source source = {
        .lane = lane, .main = main, .sites = sites, .raw = raw, .unwanted_sites = unwanted_sites};
    mw_status status;

    source.translated = mw_alloc_array(lane->alloc, sites->count, sizeof *source.translated);
    if (source.translated == NULL)
        return MW_NO_MEMORY;
    status = add_fixed_sites(&source);
    if (status == MW_OK)
        status = add_variable_blocks(&source, blocks);
    if (status == MW_OK && raw != NULL)
        status = add_domains(&source);
    mw_alloc_release(lane->alloc, source.translated, sites->count * sizeof *source.translated);
    return status;
}

/* ── threads ─────────────────────────────────────────────────────────────────────── */

static mw_status name_thread(const translation *self, uint32_t number, const mw_thread_row *row)
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

static mw_status name_threads(const translation *self, const mw_threads *threads)
{
    mw_status status = MW_OK;

    for (uint32_t number = 1; number <= threads->count && status == MW_OK; number++)
        status = name_thread(self, number, &threads->rows[number]);
    if (status == MW_OK && threads->count == MW_THREAD_OTHERS - 1)
        status = name_thread(self, MW_THREAD_OTHERS, &threads->rows[MW_THREAD_OTHERS]);
    return status;
}

/* ── everything ──────────────────────────────────────────────────────────────────── */

static mw_status translate_raw(mw_tracer *tracer, const translation *main)
{
    translation raw = {0};
    mw_status status = MW_OK;

    mw_raw_lane_lock(&tracer->raw);
    if (tracer->raw.is_active) {
        status = translation_init(&raw, main->alloc, main->builder, &tracer->raw.codes,
                                  &tracer->raw.paths);
        if (status == MW_OK)
            status =
                add_sites(&raw, main, &tracer->raw.sites, &tracer->raw.blocks, &tracer->raw, 0);
        translation_done(&raw);
    }
    mw_raw_lane_unlock(&tracer->raw);
    return status;
}

/* What a snapshot is to consist of. */
typedef struct wanted_snapshot {
    uint32_t domain;      /* of one block  */
    uintptr_t address;    /* likewise      */
    uint32_t first_epoch; /* of a series   */
    bool is_peak;         /* likewise      */
} wanted_snapshot;

static mw_status add_everything(mw_tracer *tracer, const translation *main, wanted_snapshot ignored)
{
    mw_status status = name_threads(main, &tracer->threads);

    (void)ignored;
    if (status == MW_OK)
        status = add_sites(main, main, &tracer->sites, &tracer->blocks.others, NULL,
                           tracer->unwanted_sites);
    if (status == MW_OK)
        status = translate_raw(tracer, main);
    return status;
}

/* ── one block ───────────────────────────────────────────────────────────────────── */

/* The snapshot of one block of a known site. */
static mw_status snapshot_of(const translation *main, const mw_raw_lane *raw,
                             const mw_site_table *sites, mw_site site, uint64_t size_bytes)
{
    mw_alloc *alloc = main->alloc;
    uint32_t *translated = mw_alloc_array(alloc, sites->count, sizeof *translated);
    translation lane = raw == NULL ? *main : (translation){0};
    site_source source = {
        .lane = &lane, .main = main, .sites = sites, .raw = raw, .translated = translated};
    mw_status status = translated != NULL ? MW_OK : MW_NO_MEMORY;

    if (status == MW_OK && raw != NULL)
        status = translation_init(&lane, alloc, main->builder, &raw->codes, &raw->paths);
    if (status == MW_OK)
        status = add_block(&source, site, size_bytes);
    if (raw != NULL)
        translation_done(&lane);
    mw_alloc_release(alloc, translated, sites->count * sizeof *translated);
    return status;
}

static mw_status add_block_of_main(mw_tracer *tracer, const translation *main, uintptr_t address)
{
    mw_block_entry entry = mw_block_store_find(&tracer->blocks, address);
    mw_site site = {entry.label & MW_LABEL_SITE};
    uint16_t size;

    if (site.index == 0 || mw_tracer_is_unwanted(tracer, site))
        return MW_BAD_INPUT;
    size = mw_site_table_entry(&tracer->sites, site)->size;
    return snapshot_of(main, NULL, &tracer->sites, site, entry.is_mapped ? entry.size_bytes : size);
}

/* Looks the block up in the main lane, which has Python's domain alone, then in the other. */
static mw_status add_known_block(mw_tracer *tracer, const translation *main, wanted_snapshot wanted)
{
    const mw_address_entry *block = NULL;
    mw_status status = MW_BAD_INPUT;

    if (wanted.domain == MW_DOMAIN_PYTHON)
        status = add_block_of_main(tracer, main, wanted.address);
    if (status != MW_BAD_INPUT)
        return status;
    mw_raw_lane_lock(&tracer->raw);
    if (tracer->raw.is_active)
        block = mw_raw_lane_find(&tracer->raw, wanted.domain, wanted.address);
    if (block != NULL)
        status = snapshot_of(main, &tracer->raw, &tracer->raw.sites, (mw_site){block->label},
                             block->value);
    mw_raw_lane_unlock(&tracer->raw);
    return status;
}

/* ── snapshots ───────────────────────────────────────────────────────────────────── */

/* A snapshot of what [add] adds of what is [wanted]. */
static mw_status build(mw_tracer *tracer, mw_alloc *alloc,
                       mw_status (*add)(mw_tracer *, const translation *, wanted_snapshot),
                       wanted_snapshot wanted, mw_snapshot **ret_snapshot)
{
    mw_snapshot_builder *builder = NULL;
    translation main = {0};
    mw_status status;

    status = mw_snapshot_builder_new(alloc, tracer->frame_limit, &builder);
    if (status != MW_OK)
        goto done;
    status = translation_init(&main, alloc, builder, &tracer->codes, &tracer->paths);
    if (status == MW_OK)
        status = add(tracer, &main, wanted);
    if (status == MW_OK) {
        status = mw_snapshot_builder_finish(builder, ret_snapshot);
        builder = NULL;
    }

done:
    translation_done(&main);
    mw_snapshot_builder_free(builder);
    return status;
}

mw_status mw_tracer_snapshot(mw_tracer *tracer, mw_guard guard, mw_alloc *alloc,
                             mw_snapshot **ret_snapshot)
{
    (void)guard;
    return build(tracer, alloc, add_everything, (wanted_snapshot){0}, ret_snapshot);
}

mw_status mw_tracer_snapshot_block(mw_tracer *tracer, mw_guard guard, uint32_t domain,
                                   uintptr_t address, mw_alloc *alloc, mw_snapshot **ret_snapshot)
{
    (void)guard;
    return build(tracer, alloc, add_known_block,
                 (wanted_snapshot){.domain = domain, .address = address}, ret_snapshot);
}

/* ── series ──────────────────────────────────────────────────────────────────────── */

/* What is to be told of a series. */
typedef struct series_source {
    site_source source;
    uint32_t first_epoch;
} series_source;

/* The site of the snapshot for [site] in [epoch]. */
static mw_status translate_in_epoch(const site_source *source, mw_site site, uint32_t epoch,
                                    mw_site *ret_site)
{
    const mw_site_entry *entry = mw_site_table_entry(source->sites, site);
    bool is_of_main = (entry->path & MW_PATH_OF_MAIN) != 0;
    const translation *lane = is_of_main ? source->main : source->lane;
    mw_path path = {entry->path & ~MW_PATH_OF_MAIN};
    mw_thread thread;
    mw_status status = path_of(lane, path, &path, &thread);

    if (status != MW_OK)
        return status;
    return mw_snapshot_builder_epoch_site(lane->builder, path, total_frames(lane->builder, path),
                                          domain_of(source, site), thread, epoch, ret_site);
}

static uint32_t epoch_of(const series_source *series, mw_site site)
{
    uint32_t epoch = mw_site_table_epoch(series->source.sites, site);

    return epoch > series->first_epoch ? epoch - series->first_epoch : 0;
}

static mw_status add_series_live(const series_source *series, mw_site site, uint64_t bytes,
                                 uint64_t blocks)
{
    mw_site translated;
    mw_status status = MW_OK;

    if (blocks == 0)
        return MW_OK;
    status = translate_in_epoch(&series->source, site, epoch_of(series, site), &translated);
    if (status != MW_OK)
        return status;
    return mw_snapshot_builder_tally(series->source.lane->builder, translated, bytes, blocks);
}

static mw_status add_series_total(const series_source *series, mw_site site, uint64_t bytes,
                                  uint64_t blocks)
{
    mw_site translated;
    mw_status status = MW_OK;

    if (blocks == 0)
        return MW_OK;
    status = translate_in_epoch(&series->source, site, 0, &translated);
    if (status != MW_OK)
        return status;
    return mw_snapshot_builder_totals(series->source.lane->builder, translated, bytes, blocks);
}

/* All sites of one lane, from their counters alone. */
static mw_status add_series(const series_source *series)
{
    const mw_site_table *sites = series->source.sites;
    mw_status status = MW_OK;

    for (mw_site site = mw_site_table_first(sites); site.index < sites->count && status == MW_OK;
         site = mw_site_table_next(sites, site)) {
        if (site.index <= series->source.unwanted_sites)
            continue;
        status = add_series_live(series, site, mw_site_table_live_bytes(sites, site),
                                 mw_site_table_live_blocks(sites, site));
        if (status == MW_OK)
            status = add_series_total(series, site, mw_site_table_total_bytes(sites, site),
                                      mw_site_table_total_blocks(sites, site));
    }
    return status;
}

/* The raw lane's sites are [sites], its own or a copy. */
static mw_status add_raw_series(mw_tracer *tracer, const translation *main,
                                const mw_site_table *sites, uint32_t first_epoch)
{
    mw_raw_lane *raw = &tracer->raw;
    translation lane = {0};
    series_source series = {{.lane = &lane, .main = main, .sites = sites, .raw = raw}, first_epoch};
    mw_status status = MW_OK;

    mw_raw_lane_lock(raw);
    if (raw->is_active) {
        status = translation_init(&lane, main->alloc, main->builder, &raw->codes, &raw->paths);
        if (status == MW_OK)
            status = add_series(&series);
        translation_done(&lane);
    }
    mw_raw_lane_unlock(raw);
    return status;
}

static mw_status add_both_series(mw_tracer *tracer, const translation *main, wanted_snapshot wanted)
{
    bool is_peak = wanted.is_peak;
    series_source series = {{.lane = main,
                             .main = main,
                             .sites = is_peak ? &tracer->peak.main : &tracer->sites,
                             .unwanted_sites = tracer->unwanted_sites},
                            wanted.first_epoch};
    mw_status status = name_threads(main, &tracer->threads);

    if (status == MW_OK)
        status = add_series(&series);
    if (status == MW_OK)
        status = add_raw_series(tracer, main, is_peak ? &tracer->peak.raw : &tracer->raw.sites,
                                wanted.first_epoch);
    return status;
}

mw_status mw_tracer_series_snapshot(mw_tracer *tracer, mw_guard guard, uint32_t first_epoch,
                                    mw_alloc *alloc, mw_snapshot **ret_snapshot)
{
    (void)guard;
    return build(tracer, alloc, add_both_series, (wanted_snapshot){.first_epoch = first_epoch},
                 ret_snapshot);
}

mw_status mw_tracer_peak_snapshot(mw_tracer *tracer, mw_guard guard, uint32_t first_epoch,
                                  mw_alloc *alloc, mw_snapshot **ret_snapshot)
{
    (void)guard;
    if (!tracer->is_active || tracer->peak.live_bytes == 0)
        return MW_UNSUPPORTED;
    return build(tracer, alloc, add_both_series,
                 (wanted_snapshot){.first_epoch = first_epoch, .is_peak = true}, ret_snapshot);
}

/* ── samples ─────────────────────────────────────────────────────────────────────── */

/* What each site has allocated since sampling began, dead or alive. */
static mw_status add_allocated(const site_source *source, const mw_sampler *sampler)
{
    const mw_site_table *sites = source->sites;
    mw_status status = MW_OK;
    mw_site translated;

    for (mw_site site = mw_site_table_first(sites); site.index < sites->count && status == MW_OK;
         site = mw_site_table_next(sites, site)) {
        if (site.index >= sampler->allocated_capacity)
            break;
        status = translate_site(source, site, &translated);
        if (status == MW_OK)
            status = mw_snapshot_builder_allocated(source->lane->builder, translated,
                                                   &sampler->allocated[site.index]);
    }
    return status;
}

static mw_status add_samples(const translation *lane, const mw_sampler *sampler)
{
    const mw_site_table *sites = &sampler->lane.sites;
    site_source source = {.lane = lane, .main = lane, .sites = sites};
    mw_status status = name_threads(lane, &sampler->threads);

    mw_snapshot_builder_sampled(lane->builder, sampler->sample_bytes);
    source.translated = mw_alloc_array(lane->alloc, sites->count, sizeof *source.translated);
    if (source.translated == NULL)
        return MW_NO_MEMORY;
    if (status == MW_OK)
        status = add_fixed_sites(&source);
    if (status == MW_OK)
        status = add_variable_blocks(&source, &sampler->lane.blocks);
    if (status == MW_OK)
        status = add_allocated(&source, sampler);
    mw_alloc_release(lane->alloc, source.translated, sites->count * sizeof *source.translated);
    return status;
}

/* ── a series of samples ─────────────────────────────────────────────────────────── */

static uint64_t rounded(double value)
{
    return value > 0 ? (uint64_t)(value + 0.5) : 0;
}

/* What the large samples of each site stand for, one by one for their sizes. */
static void estimate_variable(const mw_sampler *sampler, mw_estimate *by_site)
{
    const mw_raw_lane *lane = &sampler->lane;

    for (uint32_t slot = 0; slot < mw_address_map_slot_count(&lane->blocks); slot++) {
        const mw_address_entry *block = &lane->blocks.slots[slot];
        mw_site site = {block->label & MW_LABEL_SITE};
        mw_estimate one;

        if (site.index == 0 || !mw_site_is_variable(&lane->sites, site))
            continue;
        one = mw_estimate_of(block->value, 1, sampler->sample_bytes);
        mw_estimate_add(&by_site[site.index], &one);
    }
}

static mw_status add_site_estimates(const series_source *series, const mw_sampler *sampler,
                                    const mw_estimate *variable, mw_site site)
{
    const mw_site_table *sites = series->source.sites;
    mw_estimate live = variable[site.index];
    mw_estimate total = {0};
    mw_status status;

    if (!mw_site_is_variable(sites, site))
        live = mw_estimate_of(mw_site_table_entry(sites, site)->size,
                              mw_site_table_live_blocks(sites, site), sampler->sample_bytes);
    if (site.index < sampler->allocated_capacity)
        total = sampler->allocated[site.index];
    status = add_series_live(series, site, rounded(live.bytes), rounded(live.blocks));
    if (status == MW_OK)
        status = add_series_total(series, site, rounded(total.bytes), rounded(total.blocks));
    return status;
}

static mw_status add_estimates(const series_source *series, const mw_sampler *sampler)
{
    const mw_site_table *sites = series->source.sites;
    mw_alloc *alloc = series->source.lane->alloc;
    mw_estimate *variable = mw_alloc_array(alloc, sites->count, sizeof *variable);
    mw_status status = variable != NULL ? MW_OK : MW_NO_MEMORY;

    if (status == MW_OK)
        estimate_variable(sampler, variable);
    for (mw_site site = mw_site_table_first(sites); site.index < sites->count && status == MW_OK;
         site = mw_site_table_next(sites, site))
        status = add_site_estimates(series, sampler, variable, site);
    mw_alloc_release(alloc, variable, sites->count * sizeof *variable);
    return status;
}

/* ── snapshots of samples ────────────────────────────────────────────────────────── */

/* What a snapshot of samples is to consist of. */
typedef struct wanted_samples {
    bool is_series;
    uint32_t first_epoch;
} wanted_samples;

static mw_status add_wanted(const translation *lane, const mw_sampler *sampler,
                            wanted_samples wanted)
{
    series_source series = {{.lane = lane, .main = lane, .sites = &sampler->lane.sites},
                            wanted.first_epoch};
    mw_status status;

    if (!wanted.is_series)
        return add_samples(lane, sampler);
    status = name_threads(lane, &sampler->threads);
    return status == MW_OK ? add_estimates(&series, sampler) : status;
}

static mw_status snapshot_samples(mw_sampler *sampler, mw_alloc *alloc, wanted_samples wanted,
                                  mw_snapshot **ret_snapshot)
{
    mw_snapshot_builder *builder = NULL;
    translation lane = {0};
    mw_status status;

    if (!sampler->lane.is_active)
        return MW_UNSUPPORTED;
    status = mw_snapshot_builder_new(alloc, sampler->frame_limit, &builder);
    if (status == MW_OK)
        status =
            translation_init(&lane, alloc, builder, &sampler->lane.codes, &sampler->lane.paths);
    if (status == MW_OK)
        status = add_wanted(&lane, sampler, wanted);
    translation_done(&lane);
    if (status == MW_OK) {
        status = mw_snapshot_builder_finish(builder, ret_snapshot);
        builder = NULL;
    }
    mw_snapshot_builder_free(builder);
    return status;
}

mw_status mw_sampler_snapshot(mw_sampler *sampler, mw_alloc *alloc, mw_snapshot **ret_snapshot)
{
    mw_status status;

    mw_raw_lane_lock(&sampler->lane);
    status = snapshot_samples(sampler, alloc, (wanted_samples){0}, ret_snapshot);
    mw_raw_lane_unlock(&sampler->lane);
    return status;
}

mw_status mw_sampler_series_snapshot(mw_sampler *sampler, uint32_t first_epoch, mw_alloc *alloc,
                                     mw_snapshot **ret_snapshot)
{
    mw_status status;

    mw_raw_lane_lock(&sampler->lane);
    status = snapshot_samples(sampler, alloc, (wanted_samples){true, first_epoch}, ret_snapshot);
    mw_raw_lane_unlock(&sampler->lane);
    return status;
}
