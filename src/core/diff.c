/* SPDX-License-Identifier: MIT
 *
 * Both snapshots are grouped; then each row of the older one is looked up among those of
 * the newer, and either taken off it or, if nothing is left of it, appended with what
 * went away.
 */
#include "core/diff.h"

#include "base/hash_index.h"

#include <assert.h>

static mw_status index_rows(mw_hash_index *index, const mw_rows *rows)
{
    mw_status status;

    status = mw_hash_index_reserve(index, rows->count);
    if (status != MW_OK)
        return status;
    for (uint32_t i = 0; i < rows->count; i++)
        mw_hash_index_add(index, mw_row_hash_key(rows->key, &rows->items[i]), i + 1);
    return MW_OK;
}

/* The row of [rows] with the key of [wanted], or NULL. */
static mw_row *find_row(const mw_hash_index *index, const mw_rows *rows, const mw_row *wanted)
{
    mw_hash_probe probe = mw_hash_probe_start(mw_row_hash_key(rows->key, wanted));
    uint32_t item;

    while ((item = mw_hash_index_next(index, &probe)) != 0) {
        if (mw_row_compare_keys(rows->key, wanted, &rows->items[item - 1]) == 0)
            return &rows->items[item - 1];
    }
    return NULL;
}

/* Appends what is left, nothing, of row [number] of the older ones. */
static mw_status append_lost_row(mw_rows *rows, const mw_rows *older, uint32_t number)
{
    mw_row lost = older->items[number];
    mw_status status;

    lost.bytes = 0;
    lost.blocks = 0;
    lost.bytes_change = -older->items[number].bytes_change;
    lost.blocks_change = -older->items[number].blocks_change;
    status = mw_rows_append(rows, &lost);
    if (status == MW_OK && rows->are_estimated)
        rows->estimates[rows->count - 1] =
            (mw_row_estimate){.before = older->estimates[number].now};
    return status;
}

/* In a plain group every row says that all it has is new; so what was there before is
 * taken off.  Rows that are appended are not in the index, and need not be: the keys of
 * the older rows are distinct. */
static mw_status subtract_rows(mw_rows *rows, const mw_hash_index *index, const mw_rows *older)
{
    mw_status status;

    for (uint32_t i = 0; i < older->count; i++) {
        const mw_row *row = &older->items[i];
        mw_row *match = find_row(index, rows, row);

        if (match != NULL) {
            match->bytes_change -= row->bytes_change;
            match->blocks_change -= row->blocks_change;
            if (rows->are_estimated)
                rows->estimates[match - rows->items].before = older->estimates[i].now;
            continue;
        }
        status = append_lost_row(rows, older, i);
        if (status != MW_OK)
            return status;
    }
    return MW_OK;
}

/* Where one of the two is an estimate, so is the difference. */
static mw_status estimate_both(mw_rows *rows, mw_rows *older)
{
    mw_status status = MW_OK;

    rows->older_sample_bytes = older->sample_bytes;
    if (older->are_estimated)
        status = mw_rows_estimate(rows);
    if (status == MW_OK && rows->are_estimated)
        status = mw_rows_estimate(older);
    return status;
}

mw_status mw_rows_subtract(mw_rows *rows, mw_rows *older, mw_alloc *alloc)
{
    mw_hash_index index;
    mw_status status;

    mw_hash_index_init(&index, alloc);
    status = estimate_both(rows, older);
    if (status == MW_OK)
        status = index_rows(&index, rows);
    if (status == MW_OK)
        status = subtract_rows(rows, &index, older);
    if (status == MW_OK)
        status = mw_rows_sort(rows, MW_ROWS_BY_CHANGE);
    mw_hash_index_done(&index);
    return status;
}

mw_status mw_snapshot_diff(const mw_snapshot *older, const mw_snapshot *newer, mw_group_key key,
                           mw_group_scope scope, mw_alloc *alloc, mw_rows *ret_rows,
                           mw_error *reterr)
{
    mw_rows rows = {0}, older_rows = {0};
    mw_status status;

    status = mw_snapshot_collect(newer, key, scope, alloc, &rows, reterr);
    if (status != MW_OK)
        goto done;
    status = mw_snapshot_collect(older, key, scope, alloc, &older_rows, reterr);
    if (status != MW_OK)
        goto done;

    status = mw_rows_subtract(&rows, &older_rows, alloc);
    if (status != MW_OK) {
        mw_error_set(reterr, status, "out of memory while comparing %u rows with %u", rows.count,
                     older_rows.count);
        goto done;
    }
    assert(mw_rows_is_consistent(&rows));
    *ret_rows = rows;
    rows = (mw_rows){0};

done:
    mw_rows_done(&rows);
    mw_rows_done(&older_rows);
    return status;
}
