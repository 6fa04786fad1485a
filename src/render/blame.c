/* SPDX-License-Identifier: MIT
 *
 * Sites are blamed one by one, sorted by whom they blame, and merged: no table but the
 * answers.  Whose a file is costs string comparisons, so it is remembered per string.
 */
#define _GNU_SOURCE
#include "render/blame.h"

#include <stdlib.h>
#include <string.h>

/* ── whose a file is, remembered ─────────────────────────────────────────────────── */

typedef struct owner_memo {
    mw_alloc *alloc;
    const mw_snapshot *snapshot;
    const mw_places *places;
    unsigned char *owners; /* by string index; 0 where nobody asked yet */
    size_t capacity;
} owner_memo;

static mw_status memo_grow(owner_memo *memo, uint32_t index)
{
    size_t capacity = ((size_t)index + 1) * 2;
    unsigned char *grown = memo->owners == NULL ? mw_alloc_new(memo->alloc, capacity)
                                                : memo->alloc->resize(memo->alloc, memo->owners,
                                                                      memo->capacity, capacity);

    if (grown == NULL)
        return MW_NO_MEMORY;
    memo->owners = grown;
    memo->capacity = capacity;
    return MW_OK;
}

static mw_status memo_owner(owner_memo *memo, mw_string file, mw_owner *ret_owner)
{
    if (file.index >= memo->capacity) {
        mw_status status = memo_grow(memo, file.index);
        if (status != MW_OK)
            return status;
    }
    if (memo->owners[file.index] == 0)
        memo->owners[file.index] = (unsigned char)mw_places_owner(
            memo->places, mw_snapshot_string(memo->snapshot, file, NULL));
    *ret_owner = (mw_owner)memo->owners[file.index];
    return MW_OK;
}

static void memo_done(owner_memo *memo)
{
    if (memo->owners != NULL)
        mw_alloc_release(memo->alloc, memo->owners, memo->capacity);
}

/* ── one site ────────────────────────────────────────────────────────────────────── */

/* What a traceback without a line of the program comes to. */
static mw_blame_kind kind_without_program(bool has_importer, mw_owner innermost)
{
    if (has_importer)
        return MW_BLAME_IMPORT;
    return innermost == MW_OWNER_UNKNOWN ? MW_BLAME_UNKNOWN : MW_BLAME_LIBRARY;
}

static mw_status blame_site(owner_memo *memo, mw_site_row site, mw_blame *ret_blame)
{
    const mw_snapshot *snapshot = memo->snapshot;
    mw_frame innermost = mw_snapshot_path_frame(snapshot, site.path);
    mw_owner first = MW_OWNER_UNKNOWN;
    bool has_importer = false;

    for (mw_path path = site.path; path.index != 0;
         path = mw_snapshot_path_caller(snapshot, path)) {
        mw_frame frame = mw_snapshot_path_frame(snapshot, path);
        mw_owner owner;
        mw_status status = memo_owner(memo, mw_snapshot_frame(snapshot, frame).file, &owner);
        if (status != MW_OK)
            return status;
        if (path.index == site.path.index)
            first = owner;
        has_importer |= owner == MW_OWNER_IMPORTER;
        if (owner == MW_OWNER_PROGRAM) {
            *ret_blame = (mw_blame){has_importer ? MW_BLAME_IMPORT : MW_BLAME_PROGRAM, frame,
                                    innermost, site.live_bytes, site.live_blocks};
            return MW_OK;
        }
    }
    *ret_blame = (mw_blame){kind_without_program(has_importer, first), innermost, innermost,
                            site.live_bytes, site.live_blocks};
    return MW_OK;
}

/* ── all sites ───────────────────────────────────────────────────────────────────── */

static int compare_numbers(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

static int compare_lines(const mw_snapshot *snapshot, mw_frame a, mw_frame b)
{
    mw_frame_row left = mw_snapshot_frame(snapshot, a);
    mw_frame_row right = mw_snapshot_frame(snapshot, b);
    int order = compare_numbers(left.file.index, right.file.index);

    return order != 0 ? order : (left.line > right.line) - (left.line < right.line);
}

static int compare_blamed(const mw_snapshot *snapshot, const mw_blame *a, const mw_blame *b)
{
    int order = (a->kind > b->kind) - (a->kind < b->kind);

    return order != 0 ? order : compare_lines(snapshot, a->frame, b->frame);
}

static int compare_both_lines(const mw_snapshot *snapshot, const mw_blame *a, const mw_blame *b)
{
    int order = compare_blamed(snapshot, a, b);

    return order != 0 ? order : compare_lines(snapshot, a->innermost, b->innermost);
}

/* Two functions may have one line: that of a lambda, say. */
static int compare_functions(const mw_blame *a, const mw_blame *b)
{
    int order = compare_numbers(a->frame.index, b->frame.index);

    return order != 0 ? order : compare_numbers(a->innermost.index, b->innermost.index);
}

static int by_lines_and_functions(const void *a, const void *b, void *snapshot)
{
    int order = compare_both_lines(snapshot, a, b);

    return order != 0 ? order : compare_functions(a, b);
}

static int by_bytes(const void *a, const void *b, void *snapshot)
{
    const mw_blame *left = a;
    const mw_blame *right = b;
    int order = compare_numbers(right->bytes, left->bytes);

    return order != 0 ? order : compare_blamed(snapshot, left, right);
}

/* Sums what one line allocated for the line that is blamed; of the functions on them, those
 * with the most bytes are named.  Returns where the next such part starts. */
static uint32_t merge_part(const mw_blames *blames, const mw_blame *sorted, uint32_t first,
                           uint32_t count, mw_blame *ret_part)
{
    uint64_t bytes = 0; /* of the present functions     */
    uint64_t most_bytes = 0;
    uint32_t at = first;

    *ret_part = sorted[first];
    ret_part->bytes = ret_part->blocks = 0;
    for (; at < count; at++) {
        if (compare_both_lines(blames->snapshot, &sorted[first], &sorted[at]) != 0)
            break;
        if (at != first && compare_functions(&sorted[at - 1], &sorted[at]) != 0)
            bytes = 0;
        bytes += sorted[at].bytes;
        if (bytes > most_bytes) {
            most_bytes = bytes;
            ret_part->innermost = sorted[at].innermost;
            ret_part->frame = sorted[at].frame;
        }
        ret_part->bytes += sorted[at].bytes;
        ret_part->blocks += sorted[at].blocks;
    }
    return at;
}

/* Sums the run of equal lines that starts at [first]; returns where the next starts. */
static uint32_t merge_run(const mw_blames *blames, const mw_blame *sorted, uint32_t first,
                          uint32_t count, mw_blame *ret_line)
{
    mw_blame sum = sorted[first];
    uint64_t most_bytes = 0; /* of the largest innermost line yet */
    uint32_t at = first;

    sum.bytes = sum.blocks = 0;
    while (at < count && compare_blamed(blames->snapshot, &sorted[first], &sorted[at]) == 0) {
        mw_blame part;

        at = merge_part(blames, sorted, at, count, &part);
        if (part.bytes > most_bytes) {
            most_bytes = part.bytes;
            sum.innermost = part.innermost;
            sum.frame = part.frame;
        }
        sum.bytes += part.bytes;
        sum.blocks += part.blocks;
    }
    *ret_line = sum;
    return at;
}

/* [lines] begins as a copy of the sites that have anything, few of many in a long series, and
 * shrinks in place: a run is never shorter than the one line it becomes. */
static void merge_lines(mw_blames *blames)
{
    uint32_t count = 0;
    uint32_t next;

    for (uint32_t i = 0; i < blames->site_count; i++)
        if (blames->sites[i].bytes != 0 || blames->sites[i].blocks != 0)
            blames->lines[count++] = blames->sites[i];
    qsort_r(blames->lines, count, sizeof *blames->lines, by_lines_and_functions,
            (void *)blames->snapshot);
    for (uint32_t at = 0; at < count; at = next) {
        mw_blame line;
        next = merge_run(blames, blames->lines, at, count, &line);
        blames->lines[blames->line_count++] = line;
    }
    qsort_r(blames->lines, blames->line_count, sizeof *blames->lines, by_bytes,
            (void *)blames->snapshot);
}

static mw_status blame_sites(mw_blames *blames, owner_memo *memo)
{
    for (uint32_t i = 0; i < blames->site_count; i++) {
        mw_blame *site = &blames->sites[i];
        mw_status status =
            blame_site(memo, mw_snapshot_site(blames->snapshot, (mw_site){i + 1}), site);
        if (status != MW_OK)
            return status;
        blames->live_bytes += site->bytes;
        blames->live_blocks += site->blocks;
        if (site->kind == MW_BLAME_IMPORT)
            blames->import_bytes += site->bytes;
    }
    return MW_OK;
}

mw_status mw_blames_init_sites(mw_blames *ret_blames, const mw_snapshot *snapshot,
                               const mw_places *places, mw_alloc *alloc)
{
    owner_memo memo = {.alloc = alloc, .snapshot = snapshot, .places = places};
    mw_blames blames = {.alloc = alloc,
                        .snapshot = snapshot,
                        .site_count = mw_snapshot_site_count(snapshot),
                        .ordered_by = MW_GROUP_COUNT};
    mw_status status = MW_NO_MEMORY;

    blames.sites = mw_alloc_array(alloc, blames.site_count, sizeof *blames.sites);
    if (blames.sites != NULL)
        status = blame_sites(&blames, &memo);
    memo_done(&memo);
    if (status != MW_OK)
        mw_blames_done(&blames);
    *ret_blames = blames;
    return status;
}

mw_status mw_blames_init(mw_blames *ret_blames, const mw_snapshot *snapshot,
                         const mw_places *places, mw_alloc *alloc)
{
    mw_status status = mw_blames_init_sites(ret_blames, snapshot, places, alloc);
    mw_blames *blames = ret_blames;

    if (status != MW_OK)
        return status;
    blames->lines = mw_alloc_array(alloc, blames->site_count, sizeof *blames->lines);
    blames->ordered = mw_alloc_array(alloc, blames->site_count, sizeof *blames->ordered);
    if (blames->lines == NULL || blames->ordered == NULL) {
        mw_blames_done(blames);
        return MW_NO_MEMORY;
    }
    memcpy(blames->ordered, blames->sites, blames->site_count * sizeof *blames->ordered);
    merge_lines(blames);
    return MW_OK;
}

void mw_blames_done(mw_blames *blames)
{
    size_t bytes = (size_t)blames->site_count * sizeof *blames->sites;

    if (blames->alloc == NULL)
        return;
    mw_alloc_release(blames->alloc, blames->sites, bytes);
    mw_alloc_release(blames->alloc, blames->lines, bytes);
    mw_alloc_release(blames->alloc, blames->ordered, bytes);
    *blames = (mw_blames){0};
}

/* ── a row's caller ──────────────────────────────────────────────────────────────── */

/* How what allocated a site compares with a row of [key]. */
static int compare_with_row(const mw_snapshot *snapshot, mw_group_key key, mw_frame innermost,
                            mw_string file, int32_t line, mw_string function)
{
    mw_frame_row frame = mw_snapshot_frame(snapshot, innermost);
    int order = compare_numbers(frame.file.index, file.index);

    if (order != 0 || key == MW_GROUP_FILE)
        return order;
    if (key == MW_GROUP_LINE)
        return (frame.line > line) - (frame.line < line);
    return compare_numbers(frame.function.index, function.index);
}

typedef struct row_order {
    const mw_snapshot *snapshot;
    mw_group_key key;
} row_order;

static int by_row_and_line(const void *a, const void *b, void *order)
{
    const row_order *by = order;
    const mw_blame *left = a;
    const mw_blame *right = b;
    mw_frame_row frame = mw_snapshot_frame(by->snapshot, right->innermost);
    int found = compare_with_row(by->snapshot, by->key, left->innermost, frame.file, frame.line,
                                 frame.function);

    if (found == 0)
        found = compare_blamed(by->snapshot, left, right);
    return found != 0 ? found : compare_numbers(left->innermost.index, right->innermost.index);
}

/* The part of `ordered` that is a row's; its end is where the next row's begins. */
typedef struct row_range {
    uint32_t first;
    uint32_t end;
} row_range;

static bool is_in_row(const mw_blames *blames, mw_group_key key, const mw_row *row, uint32_t at)
{
    return compare_with_row(blames->snapshot, key, blames->ordered[at].innermost, row->file,
                            row->line, row->label) == 0;
}

static row_range find_row(mw_blames *blames, mw_group_key key, const mw_row *row)
{
    row_order order = {blames->snapshot, key};
    uint32_t low = 0, high = blames->site_count;
    row_range range;

    if (key != MW_GROUP_LINE && key != MW_GROUP_FILE && key != MW_GROUP_FUNCTION)
        return (row_range){0, 0};
    if (blames->ordered_by != key) {
        qsort_r(blames->ordered, blames->site_count, sizeof *blames->ordered, by_row_and_line,
                &order);
        blames->ordered_by = key;
    }
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (compare_with_row(blames->snapshot, key, blames->ordered[middle].innermost, row->file,
                             row->line, row->label) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    range = (row_range){low, low};
    while (range.end < blames->site_count && is_in_row(blames, key, row, range.end))
        range.end++;
    return range;
}

static bool is_program_from_outside(const mw_blames *blames, const mw_blame *blame)
{
    /* What imports took is blamed on a line of the program too, if one imported. */
    return (blame->kind == MW_BLAME_PROGRAM || blame->kind == MW_BLAME_IMPORT) &&
           compare_lines(blames->snapshot, blame->frame, blame->innermost) != 0;
}

mw_frame mw_blames_caller(mw_blames *blames, mw_group_key key, const mw_row *row)
{
    row_range range = find_row(blames, key, row);
    const mw_blame *previous = NULL;
    mw_frame best = {0};
    uint64_t best_bytes = 0;
    uint64_t bytes = 0;

    for (uint32_t i = range.first; i < range.end; i++) {
        const mw_blame *site = &blames->ordered[i];
        if (!is_program_from_outside(blames, site))
            continue;
        if (previous != NULL && compare_blamed(blames->snapshot, previous, site) != 0)
            bytes = 0;
        previous = site;
        bytes += site->bytes;
        if (bytes > best_bytes) {
            best_bytes = bytes;
            best = site->frame;
        }
    }
    return best;
}

mw_frame mw_blames_innermost(mw_blames *blames, mw_group_key key, const mw_row *row)
{
    row_range range = find_row(blames, key, row);
    const mw_blame *largest = NULL;

    for (uint32_t i = range.first; i < range.end; i++) {
        const mw_blame *site = &blames->ordered[i];

        if (largest == NULL || site->bytes > largest->bytes ||
            (site->bytes == largest->bytes && site->innermost.index < largest->innermost.index))
            largest = site;
    }
    return largest != NULL ? largest->innermost : (mw_frame){0};
}
