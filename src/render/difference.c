/* SPDX-License-Identifier: MIT
 *
 * The lines that are named are those that a person can change (render/blame.h), each with
 * what was allocated under it; and only as many as it takes to explain what changed.
 */
#include "render/difference.h"

#include "core/diff.h"
#include "render/rows_text.h"

#include <string.h>

enum {
    NAMED_MAXIMUM = 3,
    NAMED_PERCENT_MINIMUM = 10, /* of what changed in one direction, for a line to be named */
    NEARLY_ALL_PERCENT = 90,
    MOSTLY_PERCENT = 50,
    TINY_PER_MILLE = 1,    /* of what there was: changes in all of no interest */
    BALANCED_PERCENT = 25, /* of what grew: if the sum is less, some lines made up for others */
    ALL_COLUMNS = 4096,
};

/* ── deciding ────────────────────────────────────────────────────────────────────── */

/* Lines that one snapshot is blamed on, as rows.  One line can be blamed twice, for what it
 * allocated and for what it imported. */
static mw_status rows_of_blames(const mw_blames *blames, mw_alloc *alloc, mw_rows *rows)
{
    *rows = (mw_rows){.alloc = alloc, .key = MW_GROUP_LINE};
    for (uint32_t i = 0; i < blames->line_count; i++) {
        const mw_blame *blame = &blames->lines[i];
        mw_frame_row frame = mw_snapshot_frame(blames->snapshot, blame->frame);
        mw_row row = {.snapshot = blames->snapshot,
                      .file = frame.file,
                      .line = frame.line,
                      .bytes = blame->bytes,
                      .blocks = blame->blocks,
                      .bytes_change = (int64_t)blame->bytes,
                      .blocks_change = (int64_t)blame->blocks};
        mw_status status;

        if (blame->kind == MW_BLAME_IMPORT || blame->kind == MW_BLAME_UNKNOWN)
            continue;
        status = mw_rows_append(rows, &row);
        if (status != MW_OK)
            return status;
    }
    return MW_OK;
}

static mw_status compare_blames(mw_changes *changes, const mw_difference *difference,
                                mw_alloc *alloc)
{
    mw_rows older = {0};
    mw_status status;

    status = mw_blames_init(&changes->newer_blames, difference->view->snapshot,
                            difference->view->places, alloc);
    if (status == MW_OK)
        status = mw_blames_init(&changes->older_blames, difference->view->older,
                                difference->view->places, alloc);
    if (status == MW_OK)
        status = rows_of_blames(&changes->newer_blames, alloc, &changes->lines);
    if (status == MW_OK)
        status = rows_of_blames(&changes->older_blames, alloc, &older);
    if (status == MW_OK)
        status = mw_rows_subtract(&changes->lines, &older, alloc);
    mw_rows_done(&older);
    return status;
}

mw_status mw_changes_init(mw_changes *ret_changes, const mw_difference *difference, mw_alloc *alloc,
                          mw_error *reterr)
{
    mw_changes *changes = ret_changes;
    mw_status status;

    *changes = (mw_changes){.before = mw_snapshot_live_bytes(difference->view->older),
                            .now = mw_snapshot_live_bytes(difference->view->snapshot)};
    status = mw_snapshot_diff(difference->view->older, difference->view->snapshot, difference->by,
                              MW_GROUP_INNERMOST, alloc, &changes->rows, reterr);
    if (status == MW_OK) {
        status = compare_blames(changes, difference, alloc);
        if (status != MW_OK)
            mw_error_set(reterr, status, "there is not enough memory for a difference");
    }
    if (status != MW_OK)
        mw_changes_done(changes);
    return status;
}

void mw_changes_done(mw_changes *changes)
{
    mw_blames_done(&changes->older_blames);
    mw_blames_done(&changes->newer_blames);
    if (changes->lines.alloc != NULL)
        mw_rows_done(&changes->lines);
    if (changes->rows.alloc != NULL)
        mw_rows_done(&changes->rows);
    *changes = (mw_changes){0};
}

/* ── saying ──────────────────────────────────────────────────────────────────────── */

/* What all lines that changed in one direction changed together. */
static uint64_t sum_of(const mw_rows *lines, bool grew)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < lines->count; i++) {
        int64_t change = lines->items[i].bytes_change;
        if (change != 0 && (change > 0) == grew)
            sum += change > 0 ? (uint64_t)change : 0 - (uint64_t)change;
    }
    return sum;
}

static uint64_t magnitude(const mw_row *row)
{
    return row->bytes_change < 0 ? 0 - (uint64_t)row->bytes_change : (uint64_t)row->bytes_change;
}

/* The lines that explain most of what changed in one direction; they are sorted already. */
static uint32_t name_lines(const mw_rows *lines, bool grew, const mw_row **ret_named,
                           uint64_t *ret_sum)
{
    uint64_t all = sum_of(lines, grew);
    uint32_t count = 0;

    *ret_sum = 0;
    for (uint32_t i = 0; i < lines->count && count < NAMED_MAXIMUM; i++) {
        const mw_row *row = &lines->items[i];
        if (row->bytes_change == 0 || (row->bytes_change > 0) != grew ||
            (double)magnitude(row) * 100 < (double)all * NAMED_PERCENT_MINIMUM)
            continue;
        ret_named[count++] = row;
        *ret_sum += magnitude(row);
        if ((double)*ret_sum * 100 >= (double)all * NEARLY_ALL_PERCENT)
            break;
    }
    return count;
}

static const mw_blames *blames_of(const mw_changes *changes, const mw_row *row)
{
    return row->snapshot == changes->newer_blames.snapshot ? &changes->newer_blames
                                                           : &changes->older_blames;
}

/* The frame of a line to look at, for its function's name. */
static mw_frame_row frame_of_line(const mw_blames *blames, const mw_row *row)
{
    for (uint32_t i = 0; i < blames->line_count; i++) {
        mw_frame_row frame = mw_snapshot_frame(blames->snapshot, blames->lines[i].frame);
        if (frame.file.index == row->file.index && frame.line == row->line)
            return frame;
    }
    return (mw_frame_row){.file = row->file, .line = row->line};
}

static void say_line(const mw_changes *changes, const mw_difference *difference, const mw_row *row,
                     mw_sink *sink)
{
    mw_screen screen = {.sink = sink, .places = difference->view->places, .width = ALL_COLUMNS};

    mw_screen_place(&screen, row->snapshot, frame_of_line(blames_of(changes, row), row),
                    ALL_COLUMNS);
    mw_sink_format(sink, " (%s)", mw_change_format(mw_row_bytes_before(row), row->bytes).text);
}

static void say_lines(const mw_changes *changes, const mw_difference *difference,
                      const mw_row *const *named, uint32_t count, mw_sink *sink)
{
    for (uint32_t i = 0; i < count; i++) {
        if (i != 0)
            mw_sink_text(sink, i + 1 == count ? " and " : ", ");
        say_line(changes, difference, named[i], sink);
    }
}

/* "42.1 MiB more is alive than before (60.2 MiB, not 18.1 MiB)" */
static void say_sum(const mw_changes *changes, const mw_difference *difference, bool is_tiny,
                    mw_sink *sink)
{
    uint64_t before = changes->before, now = changes->now;
    const char *measure = mw_view_measure(difference->view);

    if (before == now)
        mw_sink_format(sink, "As much is %s as before (%s)", measure, mw_size_format(now).text);
    else if (is_tiny)
        mw_sink_format(sink, "As good as nothing changed: %s %s is %s than before, of %s",
                       mw_size_format(now > before ? now - before : before - now).text,
                       now > before ? "more" : "less", measure, mw_size_format(before).text);
    else
        mw_sink_format(sink, "%s%s %s is %s than before (%s, not %s)",
                       difference->is_estimated ? "About " : "",
                       mw_size_format(now > before ? now - before : before - now).text,
                       now > before ? "more" : "less", measure, mw_size_format(now).text,
                       mw_size_format(before).text);
}

/* Lines that grew and lines that shrank, where they made up for each other. */
static void say_both(const mw_changes *changes, const mw_difference *difference, mw_sink *sink)
{
    const mw_row *named[NAMED_MAXIMUM];
    uint64_t sum;
    uint32_t count = name_lines(&changes->lines, true, named, &sum);

    mw_sink_text(sink, count != 0 ? ", but there is more from " : "");
    say_lines(changes, difference, named, count, sink);
    count = name_lines(&changes->lines, false, named, &sum);
    mw_sink_text(sink, count != 0 ? ", and less from " : "");
    say_lines(changes, difference, named, count, sink);
}

static void say_one(const mw_changes *changes, const mw_difference *difference, mw_sink *sink)
{
    const mw_row *named[NAMED_MAXIMUM];
    uint64_t sum;
    uint32_t count = name_lines(&changes->lines, changes->now > changes->before, named, &sum);
    double share = (double)sum * 100 /
                   (double)(changes->now > changes->before ? changes->now - changes->before
                                                           : changes->before - changes->now);

    if (count == 0)
        return;
    mw_sink_text(sink, share >= NEARLY_ALL_PERCENT ? ", nearly all from "
                       : share >= MOSTLY_PERCENT   ? ", mostly from "
                                                   : ", some of it from ");
    say_lines(changes, difference, named, count, sink);
}

void mw_changes_write_verdict(const mw_changes *changes, const mw_difference *difference,
                              mw_sink *sink)
{
    uint64_t grew = sum_of(&changes->lines, true), shrank = sum_of(&changes->lines, false);
    uint64_t gross = grew > shrank ? grew : shrank;
    uint64_t net = grew > shrank ? grew - shrank : shrank - grew;

    bool is_tiny = (double)gross * 1000 < (double)changes->before * TINY_PER_MILLE;

    say_sum(changes, difference, is_tiny, sink);
    if (gross == 0 || is_tiny) {
        mw_sink_text(sink, ".");
        return;
    }
    if (changes->before == changes->now || (double)net * 100 < (double)gross * BALANCED_PERCENT)
        say_both(changes, difference, sink);
    else
        say_one(changes, difference, sink);
    mw_sink_text(sink, ".");
}

void mw_changes_write_label(mw_changes *changes, const mw_difference *difference, const mw_row *row,
                            const mw_screen *screen, uint32_t columns)
{
    mw_blames *blames = (mw_blames *)blames_of(changes, row);

    mw_row_write_label(screen, difference->by, row, mw_row_frame(blames, difference->by, row),
                       columns);
}
