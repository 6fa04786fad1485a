/* SPDX-License-Identifier: MIT
 *
 * The frames of both sides are put into one order, by file and function, so that a
 * function's lines of either side stand together; one pass finds the files that were edited,
 * a second one aligns their lines.
 */
#define _GNU_SOURCE
#include "core/line_match.h"

#include "core/file_match.h"
#include "core/line_align.h"
#include "core/snapshot_tables.h"

#include <stdlib.h>
#include <string.h>

/* One of the two programs. */
typedef struct program {
    const mw_snapshot_tables *tables;
    const mw_line_texts *texts;
    mw_matched_file *files; /* owned; room for one per frame                    */
    mw_string *names;       /* owned; by file                                   */
    mw_string *modules;     /* owned; by file, of its first frame               */
    uint32_t *file_of;      /* owned; by string: number of its file plus one, 0 */
    uint32_t file_count;
} program;

/* A frame of either side, in a file that both have. */
typedef struct item {
    const char *function;
    uint32_t file; /* number of the newer side's file                */
    uint32_t frame;
    int32_t line;
    int32_t first_line;
    bool is_newer;
} item;

/* The lines of one function on one side; several frames may stand at one of them. */
typedef struct function_lines {
    mw_aligned_line lines[MW_ALIGNED_MAXIMUM];
    const item *items[MW_ALIGNED_MAXIMUM]; /* the first of each line         */
    uint32_t count;
    int32_t first_line; /* 0 if it is not known, or not the same everywhere   */
    bool is_too_long;   /* more lines than there is room for                  */
} function_lines;

typedef struct matching {
    mw_alloc *alloc;
    program older, newer;
    item *items; /* owned; room for all frames    */
    uint32_t item_count;
    bool *is_edited; /* owned; by file of the newer side */
    function_lines *left, *right;
    int64_t *scratch; /* owned                        */
    mw_line_matches matches;
} matching;

/* ── files ───────────────────────────────────────────────────────────────────────── */

static mw_status side_init(program *side, const mw_snapshot *snapshot, const mw_line_texts *texts,
                           mw_alloc *alloc)
{
    uint32_t count = snapshot->tables->frame_count;

    side->tables = snapshot->tables;
    side->texts = texts;
    side->files = mw_alloc_array(alloc, count, sizeof *side->files);
    side->names = mw_alloc_array(alloc, count, sizeof *side->names);
    side->modules = mw_alloc_array(alloc, count, sizeof *side->modules);
    side->file_of = mw_alloc_array(alloc, side->tables->strings.count, sizeof *side->file_of);
    if (side->files == NULL || side->names == NULL || side->modules == NULL ||
        side->file_of == NULL)
        return MW_NO_MEMORY;
    for (uint32_t i = 1; i < count; i++) {
        const mw_frame_row *frame = &side->tables->frames[i];
        const mw_string_pool *strings = &side->tables->strings;

        if (side->file_of[frame->file.index] != 0)
            continue;
        side->files[side->file_count].name = mw_string_pool_bytes(strings, frame->file.index);
        side->files[side->file_count].module = mw_string_pool_bytes(strings, frame->module.index);
        side->names[side->file_count] = frame->file;
        side->modules[side->file_count] = frame->module;
        side->file_of[frame->file.index] = ++side->file_count;
    }
    return MW_OK;
}

static void side_done(program *side, mw_alloc *alloc)
{
    uint32_t count;

    if (side->tables == NULL)
        return;
    count = side->tables->frame_count;
    mw_alloc_release(alloc, side->files, count * sizeof *side->files);
    mw_alloc_release(alloc, side->names, count * sizeof *side->names);
    mw_alloc_release(alloc, side->modules, count * sizeof *side->modules);
    mw_alloc_release(alloc, side->file_of, side->tables->strings.count * sizeof *side->file_of);
}

/* ── frames in order ─────────────────────────────────────────────────────────────── */

static int compare_lines(int32_t a, int32_t b)
{
    return (a > b) - (a < b);
}

static int compare_functions(const item *a, const item *b)
{
    if (a->file != b->file)
        return a->file < b->file ? -1 : 1;
    return strcmp(a->function, b->function);
}

static int by_function_and_line(const void *a, const void *b)
{
    const item *left = a;
    const item *right = b;
    int order = compare_functions(left, right);

    if (order == 0)
        order = (left->is_newer > right->is_newer) - (left->is_newer < right->is_newer);
    if (order == 0)
        order = compare_lines(left->line, right->line);
    if (order == 0)
        order = compare_lines(left->first_line, right->first_line);
    return order != 0 ? order : compare_lines((int32_t)left->frame, (int32_t)right->frame);
}

/* Adds the frames of a side that stand in a file of both. */
static void add_items(matching *work, const program *side, bool is_newer)
{
    for (uint32_t i = 1; i < side->tables->frame_count; i++) {
        const mw_frame_row *frame = &side->tables->frames[i];
        uint32_t file = side->file_of[frame->file.index] - 1;
        uint32_t twin = side->files[file].twin;

        if (twin == 0)
            continue;
        work->items[work->item_count++] = (item){
            .function = mw_string_pool_bytes(&side->tables->strings, frame->function.index),
            .file = is_newer ? file : twin - 1,
            .frame = i,
            .line = frame->line,
            .first_line = frame->first_line,
            .is_newer = is_newer,
        };
    }
}

/* ── the lines of a function ─────────────────────────────────────────────────────── */

static void add_line(function_lines *lines, const program *side, const item *first)
{
    const mw_frame_row *frame = &side->tables->frames[first->frame];
    mw_aligned_line *line = &lines->lines[lines->count];

    *line = (mw_aligned_line){.offset = first->line - first->first_line, .twin = -1};
    if (side->texts != NULL)
        line->text = side->texts->line(
            side->texts, mw_string_pool_bytes(&side->tables->strings, frame->file.index),
            frame->line, &line->length);
    lines->items[lines->count++] = first;
}

/* Takes the items of one function and side from [at] on; returns where they end. */
static const item *take_lines(function_lines *lines, const program *side, const item *at,
                              const item *end, const item *function, bool is_newer)
{
    lines->count = 0;
    lines->first_line = 0;
    lines->is_too_long = false;
    for (; at < end && at->is_newer == is_newer && compare_functions(at, function) == 0; at++) {
        if (lines->count != 0 && lines->items[lines->count - 1]->line == at->line)
            continue;
        if (lines->count == MW_ALIGNED_MAXIMUM) {
            lines->is_too_long = true;
            continue;
        }
        if (lines->count == 0)
            lines->first_line = at->first_line;
        else if (lines->first_line != at->first_line)
            lines->first_line = 0;
        add_line(lines, side, at);
    }
    return at;
}

/* ── what was edited ─────────────────────────────────────────────────────────────── */

/* How many lines of [lines] have this text. */
static uint32_t count_text(const function_lines *lines, const mw_aligned_line *text)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < lines->count; i++)
        count += mw_line_has_same_text(&lines->lines[i], text);
    return count;
}

/* Whether a line's text, which is the only one of its kind, stands elsewhere now. */
static bool has_moved(const function_lines *left, const function_lines *right, uint32_t i)
{
    const mw_aligned_line *line = &left->lines[i];

    if (count_text(left, line) != 1 || count_text(right, line) != 1)
        return false;
    for (uint32_t j = 0; j < right->count; j++)
        if (mw_line_has_same_text(line, &right->lines[j]))
            return line->offset != right->lines[j].offset;
    return false;
}

/* Whether the two have a line in common that reads differently, or none that reads the same
 * where it was although some text of one is in the other. */
static bool reads_differently(const function_lines *left, const function_lines *right)
{
    bool has_same_place = false;
    bool has_same_text = false;

    for (uint32_t i = 0; i < left->count; i++) {
        const mw_aligned_line *line = &left->lines[i];
        for (uint32_t j = 0; j < right->count; j++) {
            bool is_same = mw_line_has_same_text(line, &right->lines[j]);
            bool is_here = line->offset == right->lines[j].offset;
            if (is_here && !is_same && line->text != NULL && right->lines[j].text != NULL)
                return true;
            has_same_text |= is_same;
            has_same_place |= is_same && is_here;
        }
    }
    return has_same_text && !has_same_place;
}

/* Functions of one name that begin at several places prove nothing. */
static bool is_edited(const function_lines *left, const function_lines *right)
{
    if (left->count == 0 || right->count == 0 || left->first_line == 0 || right->first_line == 0 ||
        left->is_too_long || right->is_too_long)
        return false;
    if (left->first_line != right->first_line || reads_differently(left, right))
        return true;
    for (uint32_t i = 0; i < left->count; i++)
        if (left->lines[i].text != NULL && has_moved(left, right, i))
            return true;
    return false;
}

/* ── matching ────────────────────────────────────────────────────────────────────── */

static mw_line_match *match_of(matching *work, const item *at)
{
    return &work->matches.frames[at->frame];
}

static int32_t shift_of(const function_lines *left, const function_lines *right, uint32_t i)
{
    return right->items[left->lines[i].twin]->line - left->items[i]->line;
}

/* How far the lines around line [i] have moved, if those above and below (above the first
 * one, the function's beginning) have equally: then so has what is between them. */
static bool shift_around(const function_lines *left, const function_lines *right, uint32_t i,
                         int32_t *ret_shift)
{
    uint32_t above = i, below = i + 1;

    while (above > 0 && left->lines[above - 1].twin < 0)
        above--;
    while (below < left->count && left->lines[below].twin < 0)
        below++;
    if (below == left->count || (above == 0 && (left->first_line == 0 || right->first_line == 0)))
        return false;
    *ret_shift = shift_of(left, right, below);
    return *ret_shift ==
           (above > 0 ? shift_of(left, right, above - 1) : right->first_line - left->first_line);
}

/* Writes what became of line [i] of an edited function, for all frames that stand there. */
static void settle_line(matching *work, const function_lines *left, const function_lines *right,
                        uint32_t i)
{
    const item *first = left->items[i];
    int32_t twin = left->lines[i].twin;
    int32_t shift;
    int32_t line = -first->line;
    int32_t first_line = 0;

    if (twin >= 0) {
        line = right->items[twin]->line;
        first_line = right->items[twin]->first_line;
    } else if (shift_around(left, right, i, &shift))
        line = first->line + shift;
    for (const item *at = first; at < work->items + work->item_count && !at->is_newer &&
                                 at->line == first->line && compare_functions(at, first) == 0;
         at++) {
        match_of(work, at)->line = line;
        match_of(work, at)->first_line = first_line;
    }
}

/* A function of too many lines: those of the same offset are the same. */
static void settle_by_offset(matching *work, const item *first, const item *end, int32_t older,
                             int32_t newer)
{
    for (const item *at = first; at < end && !at->is_newer; at++) {
        match_of(work, at)->line = at->line - older + newer;
        match_of(work, at)->first_line = newer;
    }
}

/* Calls [visit] for each function with its lines of both sides. */
static void visit_functions(matching *work,
                            void (*visit)(matching *, const item *first, const item *end))
{
    const item *end = work->items + work->item_count;

    for (const item *first = work->items; first < end;) {
        const item *middle = take_lines(work->left, &work->older, first, end, first, false);
        const item *last = take_lines(work->right, &work->newer, middle, end, first, true);
        visit(work, first, last);
        first = last;
    }
}

static void note_edit(matching *work, const item *first, const item *end)
{
    (void)end;
    if (is_edited(work->left, work->right))
        work->is_edited[first->file] = true;
}

static void settle_function(matching *work, const item *first, const item *end)
{
    function_lines *left = work->left, *right = work->right;

    if (!work->is_edited[first->file] || first->is_newer)
        return;
    if (left->is_too_long || right->is_too_long) {
        settle_by_offset(work, first, end, left->items[0]->first_line,
                         right->count != 0 ? right->items[0]->first_line
                                           : left->items[0]->first_line);
        return;
    }
    mw_lines_align(left->lines, left->count, right->lines, right->count, work->scratch);
    for (uint32_t i = 0; i < left->count; i++)
        settle_line(work, left, right, i);
}

/* Every frame at first keeps its line, in the file that is now its file. */
static void fill_matches(matching *work)
{
    for (uint32_t i = 1; i < work->matches.count; i++) {
        const mw_frame_row *frame = &work->older.tables->frames[i];
        uint32_t file = work->older.file_of[frame->file.index] - 1;
        uint32_t twin = work->older.files[file].twin;
        mw_line_match *match = &work->matches.frames[i];

        *match = (mw_line_match){.line = frame->line, .first_line = frame->first_line};
        if (twin == 0)
            continue;
        match->file = work->newer.names[twin - 1];
        if (strcmp(work->older.files[file].name, work->newer.files[twin - 1].name) != 0)
            match->module = work->newer.modules[twin - 1];
    }
}

static bool is_identity(const matching *work)
{
    for (uint32_t i = 1; i < work->matches.count; i++)
        if (work->matches.frames[i].line != work->older.tables->frames[i].line ||
            work->matches.frames[i].module.index != 0)
            return false;
    for (uint32_t i = 0; i < work->older.file_count; i++) {
        uint32_t twin = work->older.files[i].twin;
        if (twin != 0 && strcmp(work->older.files[i].name, work->newer.files[twin - 1].name) != 0)
            return false;
    }
    return true;
}

/* ── the whole ───────────────────────────────────────────────────────────────────── */

static uint32_t all_frames(const matching *work)
{
    return work->older.tables->frame_count + work->newer.tables->frame_count;
}

static mw_status matching_init(matching *work)
{
    mw_alloc *alloc = work->alloc;

    work->matches.alloc = alloc;
    work->matches.frames =
        mw_alloc_array(alloc, work->older.tables->frame_count, sizeof *work->matches.frames);
    if (work->matches.frames != NULL)
        work->matches.count = work->older.tables->frame_count;
    work->items = mw_alloc_array(alloc, all_frames(work), sizeof *work->items);
    work->is_edited = mw_alloc_array(alloc, work->newer.file_count, sizeof *work->is_edited);
    work->left = mw_alloc_new(alloc, sizeof *work->left);
    work->right = mw_alloc_new(alloc, sizeof *work->right);
    work->scratch = mw_alloc_array(alloc, MW_ALIGNED_SCRATCH, sizeof *work->scratch);
    return work->matches.frames == NULL || work->items == NULL || work->is_edited == NULL ||
                   work->left == NULL || work->right == NULL || work->scratch == NULL
               ? MW_NO_MEMORY
               : MW_OK;
}

static void matching_done(matching *work)
{
    mw_alloc *alloc = work->alloc;

    mw_line_matches_done(&work->matches);
    if (work->older.tables != NULL && work->newer.tables != NULL) {
        mw_alloc_release(alloc, work->items, all_frames(work) * sizeof *work->items);
        mw_alloc_release(alloc, work->is_edited, work->newer.file_count * sizeof *work->is_edited);
    }
    mw_alloc_release(alloc, work->left, sizeof *work->left);
    mw_alloc_release(alloc, work->right, sizeof *work->right);
    mw_alloc_release(alloc, work->scratch, MW_ALIGNED_SCRATCH * sizeof *work->scratch);
    side_done(&work->older, alloc);
    side_done(&work->newer, alloc);
}

mw_status mw_line_matches_init(mw_line_matches *ret_matches, const mw_snapshot *older,
                               const mw_line_texts *older_texts, const mw_snapshot *newer,
                               const mw_line_texts *newer_texts, mw_alloc *alloc)
{
    matching work = {.alloc = alloc};
    mw_status status;

    status = side_init(&work.older, older, older_texts, alloc);
    if (status == MW_OK)
        status = side_init(&work.newer, newer, newer_texts, alloc);
    if (status == MW_OK)
        status = mw_files_match(work.older.files, work.older.file_count, work.newer.files,
                                work.newer.file_count, alloc);
    if (status == MW_OK)
        status = matching_init(&work);
    if (status != MW_OK)
        goto done;
    fill_matches(&work);
    add_items(&work, &work.older, false);
    add_items(&work, &work.newer, true);
    qsort(work.items, work.item_count, sizeof *work.items, by_function_and_line);
    visit_functions(&work, note_edit);
    visit_functions(&work, settle_function);
    work.matches.is_identity = is_identity(&work);
    *ret_matches = work.matches;
    work.matches = (mw_line_matches){0};

done:
    matching_done(&work);
    return status;
}

void mw_line_matches_done(mw_line_matches *matches)
{
    if (matches->frames != NULL)
        mw_alloc_release(matches->alloc, matches->frames, matches->count * sizeof *matches->frames);
    *matches = (mw_line_matches){0};
}

int32_t mw_line_matches_before(const mw_line_matches *matches, const mw_snapshot *older,
                               mw_string file, int32_t line)
{
    for (uint32_t i = 1; i < matches->count; i++)
        if (matches->frames[i].line == line && matches->frames[i].file.index == file.index &&
            file.index != 0)
            return mw_snapshot_frame(older, (mw_frame){i}).line;
    return 0;
}

/* ── the older snapshot, as the newer one would have it ──────────────────────────── */

typedef struct rewriting {
    const mw_line_matches *matches;
    const mw_snapshot *older;
    const mw_snapshot *newer;
    mw_snapshot_builder *builder;
    mw_alloc *alloc;
    mw_frame *frames; /* owned; by the older one's frames */
    mw_path *paths;   /* owned; by the older one's paths  */
} rewriting;

static mw_status copy_string(const rewriting *work, const mw_snapshot *from, mw_string string,
                             mw_string *ret_string)
{
    size_t length;
    const char *bytes = mw_snapshot_string(from, string, &length);

    return mw_snapshot_builder_string(work->builder, bytes, length, ret_string);
}

static mw_status copy_frames(rewriting *work)
{
    for (uint32_t i = 1; i < work->matches->count; i++) {
        const mw_line_match *match = &work->matches->frames[i];
        mw_frame_row row = work->older->tables->frames[i];
        const mw_snapshot *of_file = match->file.index != 0 ? work->newer : work->older;
        const mw_snapshot *of_module = match->module.index != 0 ? work->newer : work->older;
        mw_status status;

        status =
            copy_string(work, of_file, match->file.index != 0 ? match->file : row.file, &row.file);
        if (status == MW_OK)
            status =
                copy_string(work, of_module, match->module.index != 0 ? match->module : row.module,
                            &row.module);
        if (status == MW_OK)
            status = copy_string(work, work->older, row.function, &row.function);
        row.line = match->line;
        row.first_line = match->first_line;
        if (status == MW_OK)
            status = mw_snapshot_builder_frame(work->builder, row, &work->frames[i]);
        if (status != MW_OK)
            return status;
    }
    return MW_OK;
}

/* Callers have smaller numbers, so that they are there when they are asked for. */
static mw_status copy_paths(rewriting *work)
{
    const mw_snapshot_tables *tables = work->older->tables;

    for (uint32_t i = 1; i < tables->path_count; i++) {
        mw_status status =
            mw_snapshot_builder_path(work->builder, work->paths[tables->paths[i].caller.index],
                                     work->frames[tables->paths[i].frame.index], &work->paths[i]);
        if (status != MW_OK)
            return status;
    }
    return MW_OK;
}

static mw_status copy_site(const rewriting *work, uint32_t number)
{
    mw_site_row row = mw_snapshot_site(work->older, (mw_site){number});
    mw_traceback_row traceback = mw_snapshot_traceback(work->older, row.traceback);
    mw_site site;
    mw_status status;

    if (row.live_blocks == 0 && row.total_blocks == 0)
        return MW_OK;
    status = mw_snapshot_builder_epoch_site(work->builder, work->paths[row.path.index],
                                            traceback.total_frames, row.domain, row.thread,
                                            row.epoch, &site);
    if (status == MW_OK)
        status = mw_snapshot_builder_tally(work->builder, site, row.live_bytes, row.live_blocks);
    if (status == MW_OK && mw_snapshot_has_totals(work->older))
        status = mw_snapshot_builder_totals(work->builder, site, row.total_bytes, row.total_blocks);
    return status;
}

static mw_status copy_all(rewriting *work)
{
    const mw_snapshot_tables *tables = work->older->tables;
    mw_status status = copy_frames(work);

    if (status == MW_OK)
        status = copy_paths(work);
    for (uint32_t i = 1; i < tables->thread_count && status == MW_OK; i++) {
        mw_string name;
        if (tables->thread_names[i].index == 0)
            continue;
        status = copy_string(work, work->older, tables->thread_names[i], &name);
        if (status == MW_OK)
            status = mw_snapshot_builder_name_thread(work->builder, (mw_thread){i}, name);
    }
    for (uint32_t i = 1; i < tables->site_count && status == MW_OK; i++)
        status = copy_site(work, i);
    return status;
}

mw_status mw_line_matches_apply(const mw_line_matches *matches, const mw_snapshot *older,
                                const mw_snapshot *newer, mw_alloc *alloc,
                                mw_snapshot **ret_snapshot)
{
    rewriting work = {.matches = matches, .older = older, .newer = newer, .alloc = alloc};
    mw_status status;

    status = mw_snapshot_builder_new(alloc, mw_snapshot_frame_limit(older), &work.builder);
    if (status != MW_OK)
        return status;
    mw_snapshot_builder_sampled(work.builder, older->tables->sample_bytes);
    work.frames = mw_alloc_array(alloc, matches->count, sizeof *work.frames);
    work.paths = mw_alloc_array(alloc, older->tables->path_count, sizeof *work.paths);
    status = work.frames == NULL || work.paths == NULL ? MW_NO_MEMORY : copy_all(&work);
    mw_alloc_release(alloc, work.frames, matches->count * sizeof *work.frames);
    mw_alloc_release(alloc, work.paths, older->tables->path_count * sizeof *work.paths);
    if (status == MW_OK)
        return mw_snapshot_builder_finish(work.builder, ret_snapshot);
    mw_snapshot_builder_free(work.builder);
    return status;
}
