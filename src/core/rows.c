/* SPDX-License-Identifier: MIT
 *
 * Keys of rows are compared by what they say, since the rows of a difference come from
 * two snapshots with numbers of their own.  Within one snapshot equal numbers end most
 * comparisons early: strings are interned, and two call paths are equal from where they
 * meet.
 */
#include "core/rows.h"

#include "base/hash.h"
#include "base/hash_index.h"
#include "core/snapshot_tables.h"

#include <string.h>

/* ── keys ────────────────────────────────────────────────────────────────────────── */

static int compare_numbers(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

/* As Python compares str: by code points, which is the order of their UTF-8. */
static int compare_strings(const mw_snapshot_tables *tables_a, mw_string a,
                           const mw_snapshot_tables *tables_b, mw_string b)
{
    const mw_string_pool *pool_a = &tables_a->strings, *pool_b = &tables_b->strings;
    uint32_t length_a, length_b;
    int order;

    if (tables_a == tables_b && a.index == b.index)
        return 0;
    length_a = mw_string_pool_length(pool_a, a.index);
    length_b = mw_string_pool_length(pool_b, b.index);
    order = memcmp(mw_string_pool_bytes(pool_a, a.index), mw_string_pool_bytes(pool_b, b.index),
                   length_a < length_b ? length_a : length_b);
    return order != 0 ? order : compare_numbers(length_a, length_b);
}

static int compare_frames(const mw_snapshot_tables *tables_a, mw_path a,
                          const mw_snapshot_tables *tables_b, mw_path b)
{
    const mw_frame_row *frame_a = &tables_a->frames[tables_a->paths[a.index].frame.index];
    const mw_frame_row *frame_b = &tables_b->frames[tables_b->paths[b.index].frame.index];
    int order = compare_strings(tables_a, frame_a->file, tables_b, frame_b->file);

    if (order == 0)
        order = compare_numbers(frame_a->line, frame_b->line);
    if (order == 0 &&
        (mw_snapshot_is_region(tables_a, frame_a) || mw_snapshot_is_region(tables_b, frame_b)))
        order = compare_strings(tables_a, frame_a->function, tables_b, frame_b->function);
    return order;
}

/* Compares the [count] most recent frames of two paths, oldest first.  Paths lead from the
 * most recent to the oldest, so of the differences met the last one counts. */
static int compare_sequences(const mw_snapshot_tables *tables_a, mw_path a,
                             const mw_snapshot_tables *tables_b, mw_path b, uint32_t count)
{
    int order = 0;

    for (; count != 0 && !(tables_a == tables_b && a.index == b.index); count--) {
        int of_frames = compare_frames(tables_a, a, tables_b, b);

        order = of_frames != 0 ? of_frames : order;
        a = tables_a->paths[a.index].caller;
        b = tables_b->paths[b.index].caller;
    }
    return order;
}

/* The same for two paths of equal depth in one snapshot: climbs in jumps to the oldest
 * place where they are still apart, which mostly decides.  It does not if the two frames
 * there differ in the function's name alone; then every frame is looked at. */
static int compare_kin(const mw_snapshot_tables *tables, mw_path a, mw_path b, uint32_t count)
{
    uint32_t oldest_depth = tables->paths[a.index].depth - count + 1;
    mw_path above_a = a, above_b = b;
    int order;

    if (count == 0 || a.index == b.index)
        return 0;
    while (tables->paths[above_a.index].depth > oldest_depth) {
        const mw_path_row *row_a = &tables->paths[above_a.index];
        const mw_path_row *row_b = &tables->paths[above_b.index];

        if (row_a->caller.index == row_b->caller.index)
            break;
        if (row_a->jump.index != row_b->jump.index &&
            tables->paths[row_a->jump.index].depth >= oldest_depth) {
            above_a = row_a->jump;
            above_b = row_b->jump;
        } else {
            above_a = row_a->caller;
            above_b = row_b->caller;
        }
    }
    order = compare_frames(tables, above_a, tables, above_b);
    return order != 0 ? order : compare_sequences(tables, a, tables, b, count);
}

/* As tuples compare: what both have, oldest frame first, and then the shorter is less. */
static int compare_tracebacks(const mw_snapshot_tables *tables_a, mw_traceback a,
                              const mw_snapshot_tables *tables_b, mw_traceback b)
{
    mw_traceback_row row_a = tables_a->tracebacks[a.index];
    mw_traceback_row row_b = tables_b->tracebacks[b.index];
    uint32_t count = row_a.frame_count < row_b.frame_count ? row_a.frame_count : row_b.frame_count;
    uint32_t depth_a = tables_a->paths[row_a.path.index].depth - (row_a.frame_count - count);
    uint32_t depth_b = tables_b->paths[row_b.path.index].depth - (row_b.frame_count - count);
    mw_path path_a = mw_snapshot_ancestor(tables_a, row_a.path, depth_a);
    mw_path path_b = mw_snapshot_ancestor(tables_b, row_b.path, depth_b);
    int order;

    if (tables_a == tables_b && depth_a == depth_b)
        order = compare_kin(tables_a, path_a, path_b, count);
    else
        order = compare_sequences(tables_a, path_a, tables_b, path_b, count);
    return order != 0 ? order : compare_numbers(row_a.frame_count, row_b.frame_count);
}

int mw_row_compare_keys(mw_group_key key, const mw_row *a, const mw_row *b)
{
    const mw_snapshot_tables *tables_a = a->snapshot->tables;
    const mw_snapshot_tables *tables_b = b->snapshot->tables;
    int order;

    switch (key) {
    case MW_GROUP_LINE:
        order = compare_strings(tables_a, a->file, tables_b, b->file);
        return order != 0 ? order : compare_numbers(a->line, b->line);
    case MW_GROUP_FILE:
        return compare_strings(tables_a, a->file, tables_b, b->file);
    case MW_GROUP_TRACEBACK:
        return compare_tracebacks(tables_a, a->traceback, tables_b, b->traceback);
    case MW_GROUP_FUNCTION:
        order = compare_strings(tables_a, a->file, tables_b, b->file);
        return order != 0 ? order : compare_strings(tables_a, a->label, tables_b, b->label);
    case MW_GROUP_MODULE:
        return compare_strings(tables_a, a->label, tables_b, b->label);
    case MW_GROUP_THREAD:
        return compare_strings(tables_a, mw_snapshot_thread_string(tables_a, a->thread), tables_b,
                               mw_snapshot_thread_string(tables_b, b->thread));
    case MW_GROUP_REGION:
        return compare_strings(tables_a, a->label, tables_b, b->label);
    case MW_GROUP_DOMAIN:
    case MW_GROUP_COUNT:
        break;
    }
    return compare_numbers(a->domain, b->domain);
}

uint64_t mw_row_hash_key(mw_group_key key, const mw_row *row)
{
    const mw_snapshot_tables *tables = row->snapshot->tables;
    const mw_string_pool *strings = &tables->strings;

    switch (key) {
    case MW_GROUP_LINE:
        return mw_hash_combine(mw_string_pool_hash(strings, row->file.index), (uint32_t)row->line);
    case MW_GROUP_FILE:
        return mw_string_pool_hash(strings, row->file.index);
    case MW_GROUP_TRACEBACK:
        return mw_hash_combine(tables->sequence_hashes[row->traceback.index], 0);
    case MW_GROUP_FUNCTION:
        return mw_hash_combine(mw_string_pool_hash(strings, row->file.index),
                               mw_string_pool_hash(strings, row->label.index));
    case MW_GROUP_MODULE:
        return mw_string_pool_hash(strings, row->label.index);
    case MW_GROUP_THREAD:
        return mw_string_pool_hash(strings, mw_snapshot_thread_string(tables, row->thread).index);
    case MW_GROUP_REGION:
        return mw_string_pool_hash(strings, row->label.index);
    case MW_GROUP_DOMAIN:
    case MW_GROUP_COUNT:
        break;
    }
    return mw_hash_combine(row->domain, 0);
}

/* ── the array ───────────────────────────────────────────────────────────────────── */

void mw_rows_done(mw_rows *rows)
{
    if (rows->items != NULL)
        mw_alloc_release(rows->alloc, rows->items, rows->capacity * sizeof *rows->items);
    if (rows->estimates != NULL)
        mw_alloc_release(rows->alloc, rows->estimates,
                         rows->estimate_capacity * sizeof *rows->estimates);
    *rows = (mw_rows){.alloc = rows->alloc, .key = rows->key};
}

mw_status mw_rows_append(mw_rows *rows, const mw_row *row)
{
    mw_status status;

    status = mw_alloc_grow(rows->alloc, &rows->items, rows->count, &rows->capacity,
                           sizeof *rows->items, UINT32_MAX);
    if (status == MW_OK && rows->are_estimated)
        status = mw_alloc_grow(rows->alloc, &rows->estimates, rows->count, &rows->estimate_capacity,
                               sizeof *rows->estimates, UINT32_MAX);
    if (status != MW_OK)
        return status;
    rows->items[rows->count++] = *row;
    return MW_OK;
}

/* ── estimates ───────────────────────────────────────────────────────────────────── */

mw_status mw_rows_estimate(mw_rows *rows)
{
    if (rows->are_estimated)
        return MW_OK;
    rows->estimates = mw_alloc_array(rows->alloc, rows->count, sizeof *rows->estimates);
    if (rows->estimates == NULL)
        return MW_NO_MEMORY;
    rows->estimate_capacity = rows->count;
    rows->are_estimated = true;
    for (uint32_t i = 0; i < rows->count; i++)
        rows->estimates[i].now = mw_estimate_exact(rows->items[i].bytes, rows->items[i].blocks);
    return MW_OK;
}

mw_estimate mw_rows_estimate_from(const mw_rows *rows, uint32_t first)
{
    mw_estimate sum = {0};

    for (uint32_t i = first; i < rows->count; i++)
        mw_estimate_add(&sum, &rows->estimates[i].now);
    return sum;
}

mw_interval mw_rows_bytes_interval(const mw_rows *rows, uint32_t row)
{
    return mw_estimate_bytes_interval(&rows->estimates[row].now, rows->sample_bytes);
}

mw_interval mw_rows_blocks_interval(const mw_rows *rows, uint32_t row)
{
    return mw_estimate_blocks_interval(&rows->estimates[row].now, rows->sample_bytes);
}

mw_interval mw_rows_bytes_change_interval(const mw_rows *rows, uint32_t row)
{
    const mw_row_estimate *estimate = &rows->estimates[row];

    return mw_interval_of_difference(
        estimate->now.bytes, mw_rows_bytes_interval(rows, row), estimate->before.bytes,
        mw_estimate_bytes_interval(&estimate->before, rows->older_sample_bytes));
}

mw_interval mw_rows_blocks_change_interval(const mw_rows *rows, uint32_t row)
{
    const mw_row_estimate *estimate = &rows->estimates[row];

    return mw_interval_of_difference(
        estimate->now.blocks, mw_rows_blocks_interval(rows, row), estimate->before.blocks,
        mw_estimate_blocks_interval(&estimate->before, rows->older_sample_bytes));
}

/* ── the order ───────────────────────────────────────────────────────────────────── */

/* What is sorted: rows are large, so they move once, at the end; and the number that
 * comes first in the order, which mostly decides, lies beside the row's. */
typedef struct entry {
    uint64_t weight;
    uint32_t row;
} entry;

typedef struct sorting {
    const mw_rows *rows;
    mw_rows_order order;
} sorting;

/* |value|, also of the one that has no negative. */
static uint64_t magnitude(int64_t value)
{
    return value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
}

static bool comes_before(const sorting *by, const entry *a, const entry *b)
{
    const mw_row *row_a = &by->rows->items[a->row];
    const mw_row *row_b = &by->rows->items[b->row];

    if (a->weight != b->weight)
        return a->weight > b->weight;
    if (by->order == MW_ROWS_BY_CHANGE) {
        if (row_a->bytes != row_b->bytes)
            return row_a->bytes > row_b->bytes;
        if (row_a->blocks_change != row_b->blocks_change &&
            magnitude(row_a->blocks_change) != magnitude(row_b->blocks_change))
            return magnitude(row_a->blocks_change) > magnitude(row_b->blocks_change);
    }
    if (row_a->blocks != row_b->blocks)
        return row_a->blocks > row_b->blocks;
    return mw_row_compare_keys(by->rows->key, row_a, row_b) > 0;
}

/* Merges from[low, middle) and from[middle, high), each sorted, into to[low, high). */
static void merge(const sorting *by, const entry *from, entry *to, uint64_t low, uint64_t middle,
                  uint64_t high)
{
    uint64_t left = low, right = middle;

    for (uint64_t at = low; at < high; at++) {
        bool take_right =
            left == middle || (right < high && comes_before(by, &from[right], &from[left]));

        to[at] = take_right ? from[right++] : from[left++];
    }
}

/* Merge sort from the bottom up, to and fro between two arrays; returns the one in which
 * the result is.  (libc's qsort may allocate, and not by our rules.) */
static entry *sort_entries(const sorting *by, entry *entries, entry *scratch, uint64_t count)
{
    for (uint64_t width = 1; width < count; width *= 2) {
        entry *sorted = scratch;

        for (uint64_t low = 0; low < count; low += 2 * width) {
            uint64_t middle = low + width < count ? low + width : count;
            uint64_t high = middle + width < count ? middle + width : count;

            merge(by, entries, scratch, low, middle, high);
        }
        scratch = entries;
        entries = sorted;
    }
    return entries;
}

static void fill_entries(const mw_rows *rows, mw_rows_order order, entry *entries)
{
    for (uint32_t i = 0; i < rows->count; i++) {
        entries[i].weight = order == MW_ROWS_BY_CHANGE ? magnitude(rows->items[i].bytes_change)
                                                       : rows->items[i].bytes;
        entries[i].row = i;
    }
}

/* Puts the estimates into the order of the sorted rows. */
static mw_status sort_estimates(mw_rows *rows, const entry *sorted)
{
    mw_row_estimate *estimates;

    if (!rows->are_estimated)
        return MW_OK;
    estimates = mw_alloc_array(rows->alloc, rows->count, sizeof *estimates);
    if (estimates == NULL)
        return MW_NO_MEMORY;
    for (uint32_t i = 0; i < rows->count; i++)
        estimates[i] = rows->estimates[sorted[i].row];
    mw_alloc_release(rows->alloc, rows->estimates, rows->estimate_capacity * sizeof *estimates);
    rows->estimates = estimates;
    rows->estimate_capacity = rows->count;
    return MW_OK;
}

mw_status mw_rows_sort(mw_rows *rows, mw_rows_order order)
{
    sorting by = {rows, order};
    entry *entries, *sorted;
    mw_row *items;
    mw_status status = MW_NO_MEMORY;

    if (rows->count == 0)
        return MW_OK;
    entries = mw_alloc_array(rows->alloc, rows->count, 2 * sizeof *entries);
    items = mw_alloc_array(rows->alloc, rows->count, sizeof *items);
    if (entries == NULL || items == NULL)
        goto done;
    fill_entries(rows, order, entries);
    sorted = sort_entries(&by, entries, entries + rows->count, rows->count);
    status = sort_estimates(rows, sorted);
    if (status != MW_OK)
        goto done;
    for (uint32_t i = 0; i < rows->count; i++)
        items[i] = rows->items[sorted[i].row];
    mw_alloc_release(rows->alloc, rows->items, rows->capacity * sizeof *items);
    rows->items = items;
    rows->capacity = rows->count;
    status = MW_OK;

done:
    mw_alloc_release(rows->alloc, entries, rows->count * 2 * sizeof *entries);
    if (status != MW_OK)
        mw_alloc_release(rows->alloc, items, rows->count * sizeof *items);
    return status;
}

/* ── checking ────────────────────────────────────────────────────────────────────── */

static bool key_exists(const mw_row *row)
{
    const mw_snapshot_tables *tables = row->snapshot->tables;

    return row->file.index < tables->strings.count && row->label.index < tables->strings.count &&
           row->traceback.index < tables->traceback_count;
}

bool mw_rows_is_consistent(const mw_rows *rows)
{
    mw_hash_index seen;
    bool ok = rows->count <= rows->capacity;

    mw_hash_index_init(&seen, mw_alloc_system());
    if (mw_hash_index_reserve(&seen, rows->count) != MW_OK)
        return ok;
    for (uint32_t i = 0; ok && i < rows->count; i++) {
        const mw_row *row = &rows->items[i];
        uint64_t hash = mw_row_hash_key(rows->key, row);
        mw_hash_probe probe = mw_hash_probe_start(hash);
        uint32_t other;

        ok = key_exists(row);
        while (ok && (other = mw_hash_index_next(&seen, &probe)) != 0)
            ok = mw_row_compare_keys(rows->key, row, &rows->items[other - 1]) != 0;
        mw_hash_index_add(&seen, hash, i + 1);
    }
    mw_hash_index_done(&seen);
    return ok;
}
