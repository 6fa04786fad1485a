/* SPDX-License-Identifier: MIT
 *
 * One pass over a file that nobody has looked at.  Whatever a record refers to must have
 * come before it, in its segment: strings before frames, callers before callees, sites
 * before their counts.  Rows are interned as they come, so that equal ones of two segments
 * are one; memory is taken for rows that are there, never for a number that says how many.
 */
#include "base/hash.h"
#include "capture/capture_tables.h"
#include "capture/program_record.h"

#include <string.h>

/* The most of each that a capture may have. */
enum { COUNT_MAXIMUM = UINT32_MAX - 1, SEGMENT_MAXIMUM = 1 << 20 };

/* Of each table of the present segment, what its rows are in the capture; [0] is 0. */
typedef struct row_map {
    uint32_t *items; /* owned */
    uint32_t count, capacity;
} row_map;

typedef struct checking {
    mw_capture *capture;
    mw_alloc *alloc;
    mw_error *reterr;
    mw_snapshot_builder *builder; /* owned until it is finished                     */
    mw_located_record located;    /* the record that is looked at                   */
    uint32_t number;              /* of the record, from 1                          */
    row_map strings, frames, paths, epochs;
    row_map owners;            /* by site of the capture: the last segment that has it, from 1  */
    mw_capture_tally *tallies; /* owned; by site of the segment, at its last snapshot */
    uint32_t tally_capacity;
    mw_uint128 sums[4]; /* of the tallies                                           */
    mw_point point;     /* the last of the segment                                  */
    bool has_program, has_segment, has_ended;
} checking;

/* ── complaints ──────────────────────────────────────────────────────────────────── */

static const char *type_name(uint8_t type)
{
    static const char *const names[] = {
        [MW_RECORD_PROGRAM] = "program",       [MW_RECORD_POINTS] = "points",
        [MW_RECORD_SNAPSHOT] = "snapshot",     [MW_RECORD_PEAK] = "peak",
        [MW_RECORD_SOURCE] = "source",         [MW_RECORD_CHILD] = "child",
        [MW_RECORD_INPUT] = "input",           [MW_RECORD_END] = "end",
        [MW_RECORD_HEAP_NODES] = "heap nodes", [MW_RECORD_HEAP] = "heap",
    };

    return type <= MW_RECORD_HEAP && names[type] != NULL ? names[type] : "unknown";
}

static mw_status damaged(const checking *self, const char *what)
{
    return mw_error_set(
        self->reterr, MW_BAD_INPUT, "%s: record %u (%s) at offset %llu is damaged: %s.",
        self->capture->file.name, self->number, type_name(self->located.record.type),
        (unsigned long long)self->located.offset, what);
}

/* What a function that only knows a status could not say. */
static mw_status explain(const checking *self, mw_status status)
{
    if (status == MW_NO_MEMORY)
        return mw_error_set(self->reterr, status, "%s: out of memory while reading.",
                            self->capture->file.name);
    if (status == MW_LIMIT)
        return mw_error_set(self->reterr, status, "%s: record %u holds more than memwhy can count.",
                            self->capture->file.name, self->number);
    return status == MW_BAD_INPUT ? damaged(self, "it is not in its form") : status;
}

/* ── rows ────────────────────────────────────────────────────────────────────────── */

static mw_status map_add(const checking *self, row_map *map, uint32_t item)
{
    mw_status status = mw_alloc_grow(self->alloc, &map->items, map->count, &map->capacity,
                                     sizeof *map->items, COUNT_MAXIMUM);

    if (status == MW_OK)
        map->items[map->count++] = item;
    return status;
}

static void map_done(const checking *self, row_map *map)
{
    mw_alloc_release(self->alloc, map->items, map->capacity * sizeof *map->items);
}

/* The next number of a column: the difference from the one above it. */
static uint64_t next_number(mw_cursor *column, uint64_t *above)
{
    *above = mw_cursor_difference(column, *above);
    return *above;
}

static bool is_line(uint64_t number)
{
    int64_t line = (int64_t)number;

    return line >= INT32_MIN && line <= INT32_MAX;
}

static mw_status add_strings(checking *self, mw_step *step)
{
    mw_status status = MW_OK;

    for (uint64_t i = 0; i < step->string_count && status == MW_OK; i++) {
        size_t length = (size_t)mw_cursor_varint(&step->string_lengths);
        const uint8_t *bytes = mw_cursor_take(&step->strings, length);
        mw_string string;

        status = mw_snapshot_builder_string(self->builder, (const char *)bytes, length, &string);
        if (status == MW_OK)
            status = map_add(self, &self->strings, string.index);
    }
    return explain(self, status);
}

static mw_status add_frame(checking *self, const uint64_t numbers[MW_FRAME_COLUMNS])
{
    mw_frame_row row;
    mw_frame frame;
    mw_status status;

    for (int column = 0; column < 3; column++) {
        if (numbers[column] >= self->strings.count)
            return damaged(self, "a frame has a name that is not there");
    }
    if (!is_line(numbers[3]) || !is_line(numbers[4]))
        return damaged(self, "a line is out of range");
    row = (mw_frame_row){.file = {self->strings.items[numbers[0]]},
                         .function = {self->strings.items[numbers[1]]},
                         .module = {self->strings.items[numbers[2]]},
                         .line = (int32_t)numbers[3],
                         .first_line = (int32_t)numbers[4]};
    status = mw_snapshot_builder_frame(self->builder, row, &frame);
    if (status == MW_OK)
        status = map_add(self, &self->frames, frame.index);
    return explain(self, status);
}

static mw_status add_path(checking *self, const uint64_t numbers[MW_PATH_COLUMNS])
{
    mw_path path;
    mw_status status;

    if (numbers[0] >= self->paths.count)
        return damaged(self, "a call path has a caller that is not there");
    if (numbers[1] == 0 || numbers[1] >= self->frames.count)
        return damaged(self, "a call path has a frame that is not there");
    status = mw_snapshot_builder_path(self->builder, (mw_path){self->paths.items[numbers[0]]},
                                      (mw_frame){self->frames.items[numbers[1]]}, &path);
    if (status == MW_OK)
        status = map_add(self, &self->paths, path.index);
    return explain(self, status);
}

/* The frames of the whole stack; false if that cannot be. */
static bool read_total(const checking *self, mw_path path, uint64_t number, uint32_t *ret_total)
{
    const mw_snapshot_tables *tables = mw_snapshot_builder_tables(self->builder);
    uint32_t depth = tables->paths[path.index].depth;
    uint32_t kept = depth < tables->frame_limit ? depth : tables->frame_limit;

    if (number == MW_TOTAL_IS_DEPTH)
        *ret_total = depth < MW_FRAME_LIMIT_MAXIMUM ? depth : MW_FRAME_LIMIT_MAXIMUM;
    else if (number == MW_TOTAL_IS_UNKNOWN)
        *ret_total = MW_TOTAL_FRAMES_UNKNOWN;
    else if (number - MW_TOTAL_PLUS < kept || number - MW_TOTAL_PLUS > UINT32_MAX)
        return false;
    else
        *ret_total = (uint32_t)(number - MW_TOTAL_PLUS);
    return true;
}

static mw_capture_segment *present_segment(checking *self)
{
    return &self->capture->segments[self->capture->segment_count - 1];
}

/* A segment may list a site once only: what its counters are told by hangs on that. */
static mw_status claim_site(checking *self, mw_site site)
{
    mw_status status = MW_OK;

    while (self->owners.count <= site.index && status == MW_OK)
        status = map_add(self, &self->owners, 0);
    if (status != MW_OK)
        return explain(self, status);
    if (self->owners.items[site.index] == self->capture->segment_count)
        return damaged(self, "a site is there twice");
    self->owners.items[site.index] = self->capture->segment_count;
    return MW_OK;
}

/* Site [site] of the capture is the segment's next. */
static mw_status append_site(checking *self, mw_site site)
{
    mw_capture *capture = self->capture;
    mw_capture_segment *segment = present_segment(self);
    mw_status status =
        mw_alloc_grow(self->alloc, &capture->site_map, capture->site_map_count,
                      &capture->site_map_capacity, sizeof *capture->site_map, COUNT_MAXIMUM);

    if (status == MW_OK)
        status = mw_alloc_grow(self->alloc, &self->tallies, segment->site_count,
                               &self->tally_capacity, sizeof *self->tallies, COUNT_MAXIMUM);
    if (status != MW_OK)
        return status;
    capture->site_map[capture->site_map_count++] = site.index;
    self->tallies[segment->site_count++] = (mw_capture_tally){0};
    return MW_OK;
}

static mw_status add_site(checking *self, const uint64_t numbers[MW_SITE_COLUMNS])
{
    uint32_t total;
    mw_path path;
    mw_site site;
    mw_status status;

    if (numbers[0] == 0 || numbers[0] >= self->paths.count)
        return damaged(self, "a site has a call path that is not there");
    path = (mw_path){self->paths.items[numbers[0]]};
    if (!read_total(self, path, numbers[1], &total))
        return damaged(self, "a site has fewer frames in all than are there");
    if (numbers[2] > UINT32_MAX || numbers[3] > UINT32_MAX)
        return damaged(self, "a domain or a thread is out of range");
    if (numbers[4] >= self->epochs.count)
        return damaged(self, "a site has an epoch that is not there");
    status = mw_snapshot_builder_epoch_site(self->builder, path, total, (uint32_t)numbers[2],
                                            (mw_thread){(uint32_t)numbers[3]},
                                            self->epochs.items[numbers[4]], &site);
    if (status != MW_OK)
        return explain(self, status);
    status = claim_site(self, site);
    return status == MW_OK ? explain(self, append_site(self, site)) : status;
}

/* Hands a table's rows to [add], as numbers. */
static mw_status add_rows(checking *self, mw_cursor *columns, uint32_t column_count, uint64_t rows,
                          mw_status (*add)(checking *, const uint64_t *))
{
    uint64_t above[MW_FRAME_COLUMNS] = {0}, numbers[MW_FRAME_COLUMNS];
    mw_status status = MW_OK;

    for (uint64_t row = 0; row < rows && status == MW_OK; row++) {
        for (uint32_t column = 0; column < column_count; column++)
            numbers[column] = next_number(&columns[column], &above[column]);
        status = add(self, numbers);
    }
    return status;
}

static mw_status add_threads(checking *self, mw_step *step)
{
    for (uint64_t i = 0; i < step->thread_count; i++) {
        uint64_t thread = mw_cursor_varint(&step->threads[0]);
        uint64_t name = mw_cursor_varint(&step->threads[1]);
        mw_status status;

        /* Names lie in an array by number, so the number says how much memory they take. */
        if (thread == 0 || thread > MW_THREAD_NUMBER_MAXIMUM || name >= self->strings.count)
            return damaged(self, "a thread's number or name is out of range");
        status = mw_snapshot_builder_name_thread(self->builder, (mw_thread){(uint32_t)thread},
                                                 (mw_string){self->strings.items[name]});
        if (status != MW_OK)
            return explain(self, status);
    }
    return MW_OK;
}

/* ── epochs ──────────────────────────────────────────────────────────────────────── */

/* The capture's number of the epoch that began at [start_ns]: known, or the newest. */
static mw_status number_epoch(checking *self, uint64_t start_ns, uint32_t *ret_number)
{
    mw_capture *capture = self->capture;
    uint32_t low = 0, high = capture->epoch_count;
    mw_status status;

    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;

        if (capture->epoch_starts[middle] <= start_ns)
            low = middle;
        else
            high = middle;
    }
    *ret_number = low;
    if (capture->epoch_starts[low] == start_ns)
        return MW_OK;
    if (low + 1 != capture->epoch_count)
        return damaged(self, "an epoch is out of order");
    status = mw_alloc_grow(self->alloc, &capture->epoch_starts, capture->epoch_count,
                           &capture->epoch_capacity, sizeof *capture->epoch_starts, COUNT_MAXIMUM);
    if (status != MW_OK)
        return explain(self, status);
    *ret_number = capture->epoch_count++;
    capture->epoch_starts[*ret_number] = start_ns;
    return MW_OK;
}

static mw_status add_epochs(checking *self, mw_step *step)
{
    uint64_t start_ns = self->capture->epoch_starts[self->epochs.items[self->epochs.count - 1]];

    for (uint64_t i = 0; i < step->epoch_count; i++) {
        uint64_t later = mw_cursor_varint(&step->epochs);
        uint32_t number;
        mw_status status;

        if (later == 0 || __builtin_add_overflow(start_ns, later, &start_ns))
            return damaged(self, "an epoch does not begin after the one before");
        status = number_epoch(self, start_ns, &number);
        if (status != MW_OK)
            return status;
        status = map_add(self, &self->epochs, number);
        if (status != MW_OK)
            return explain(self, status);
    }
    return MW_OK;
}

/* ── points ──────────────────────────────────────────────────────────────────────── */

static mw_status add_point(checking *self)
{
    mw_capture *capture = self->capture;
    mw_status status;

    if (capture->point_count != 0 &&
        self->point.time_ns < capture->points[capture->point_count - 1].time_ns)
        return damaged(self, "time goes back");
    status = mw_alloc_grow(self->alloc, &capture->points, capture->point_count,
                           &capture->point_capacity, sizeof *capture->points, COUNT_MAXIMUM);
    if (status != MW_OK)
        return explain(self, status);
    self->point.snapshot = MW_NO_SNAPSHOT;
    capture->points[capture->point_count++] = self->point;
    return MW_OK;
}

static mw_status add_points(checking *self, mw_cursor *points, uint64_t count)
{
    mw_status status = MW_OK;

    for (uint64_t i = 0; i < count && status == MW_OK; i++) {
        if (!mw_point_decode(points, &self->point))
            return damaged(self, "a point is out of range");
        status = add_point(self);
    }
    return status;
}

static mw_status check_points(checking *self, mw_cursor payload)
{
    uint64_t count = mw_cursor_number(&payload, UINT32_MAX);
    mw_cursor points;

    if (payload.is_bad || !mw_cursor_columns(&payload, count * MW_POINT_NUMBERS, &points, 1))
        return damaged(self, "it is not in its form");
    return add_points(self, &points, count);
}

/* ── steps ───────────────────────────────────────────────────────────────────────── */

static mw_status begin_segment(checking *self)
{
    mw_capture *capture = self->capture;
    mw_status status =
        mw_alloc_grow(self->alloc, &capture->segments, capture->segment_count,
                      &capture->segment_capacity, sizeof *capture->segments, SEGMENT_MAXIMUM);

    if (status != MW_OK)
        return explain(self, status);
    capture->segments[capture->segment_count++] = (mw_capture_segment){
        .first_step = capture->step_count, .first_site = capture->site_map_count};
    self->has_segment = true;
    /* Row 0 of each table stays: it is nothing. */
    self->strings.count = self->frames.count = self->paths.count = self->epochs.count = 1;
    memset(self->sums, 0, sizeof self->sums);
    self->point = (mw_point){0};
    return explain(self, append_site(self, (mw_site){0}));
}

static mw_status add_tables(checking *self, mw_step *step)
{
    mw_status status = add_epochs(self, step);

    if (status == MW_OK)
        status = add_strings(self, step);
    if (status == MW_OK)
        status = add_rows(self, step->frames, MW_FRAME_COLUMNS, step->frame_count, add_frame);
    if (status == MW_OK)
        status = add_rows(self, step->paths, MW_PATH_COLUMNS, step->path_count, add_path);
    if (status == MW_OK)
        status = add_threads(self, step);
    if (status == MW_OK)
        status = add_rows(self, step->sites, MW_SITE_COLUMNS, step->site_count, add_site);
    return status;
}

static void add_to_sums(mw_uint128 sums[4], const mw_capture_tally *tally, int times)
{
    sums[0] += (mw_uint128)times * tally->live_bytes;
    sums[1] += (mw_uint128)times * tally->live_blocks;
    sums[2] += (mw_uint128)times * tally->total_bytes;
    sums[3] += (mw_uint128)times * tally->total_blocks;
}

/* What [change] makes of a site, and of the sums over all sites. */
static bool apply_change(const mw_step *step, const mw_capture_tally *before,
                         const mw_change *change, mw_uint128 sums[4], mw_capture_tally *ret_after)
{
    mw_capture_tally after = *before;

    mw_step_apply_change(step, change, &after);
    add_to_sums(sums, before, -1);
    add_to_sums(sums, &after, 1);
    *ret_after = after;
    return (after.live_blocks != 0 || after.live_bytes == 0) &&
           (after.total_blocks != 0 || after.total_bytes == 0);
}

/* Checks a step's changes; those of a snapshot are the new state, those of a peak are not. */
static mw_status check_changes(checking *self, mw_step *step, bool is_peak)
{
    uint32_t site_count = present_segment(self)->site_count;
    mw_change change = {0};
    mw_uint128 sums[4];

    memcpy(sums, self->sums, sizeof sums);
    for (uint64_t i = 0; i < step->change_count; i++) {
        uint64_t last = change.site;
        mw_capture_tally after;

        mw_step_next_change(step, &change);
        if (change.site <= last || change.site >= site_count)
            return damaged(self, "a site is out of order or not there");
        if (!apply_change(step, &self->tallies[change.site], &change, sums, &after))
            return damaged(self, "a site has bytes without blocks");
        if (!is_peak)
            self->tallies[change.site] = after;
    }
    for (int i = 0; i < 4; i++) {
        if (sums[i] > UINT64_MAX)
            return damaged(self, "a sum is out of range");
    }
    if (!is_peak)
        memcpy(self->sums, sums, sizeof sums);
    return MW_OK;
}

/* Where this step is, for those who come back to it. */
static mw_capture_step this_step(const checking *self, const mw_step *step)
{
    return (mw_capture_step){.located = self->located,
                             .segment = self->capture->segment_count - 1,
                             .point = self->capture->point_count - 1,
                             .has_totals = step->has_totals};
}

static mw_status add_snapshot(checking *self, const mw_step *step)
{
    mw_capture *capture = self->capture;
    mw_status status;

    if (capture->step_count == INT32_MAX)
        return explain(self, MW_LIMIT);
    status = mw_alloc_grow(self->alloc, &capture->steps, capture->step_count,
                           &capture->step_capacity, sizeof *capture->steps, INT32_MAX);
    if (status != MW_OK)
        return explain(self, status);
    capture->points[capture->point_count - 1].snapshot = (int32_t)capture->step_count;
    capture->steps[capture->step_count++] = this_step(self, step);
    return MW_OK;
}

static mw_status add_peak(checking *self, mw_step *step)
{
    mw_capture *capture = self->capture;
    mw_point point = {.snapshot = MW_NO_SNAPSHOT};

    if (step->point_count != 1 || !mw_point_decode(&step->points, &point))
        return damaged(self, "a peak has another number of points than one");
    capture->has_peak = true;
    capture->peak = this_step(self, step);
    capture->peak_point = point;
    capture->peak_after = capture->step_count;
    return MW_OK;
}

static mw_status check_step(checking *self, mw_cursor payload, bool is_peak)
{
    mw_step step;
    mw_status status = MW_OK;

    if (!mw_step_open(payload, &step))
        return damaged(self, "it is not in its form");
    if (step.is_anew)
        status = begin_segment(self);
    else if (!self->has_segment)
        return damaged(self, "it is the first, and does not begin anew");
    if (status == MW_OK)
        status = is_peak ? add_peak(self, &step) : add_points(self, &step.points, step.point_count);
    if (status == MW_OK)
        status = add_tables(self, &step);
    if (status == MW_OK)
        status = check_changes(self, &step, is_peak);
    if (status == MW_OK && !is_peak)
        status = add_snapshot(self, &step);
    return status;
}

/* ── source ──────────────────────────────────────────────────────────────────────── */

static uint64_t line_hash(uint64_t file_hash, int32_t line)
{
    return mw_hash_combine(file_hash, (uint32_t)line);
}

const mw_capture_line *mw_capture_find_line(const mw_capture *capture,
                                            const mw_snapshot_tables *tables, const char *file,
                                            size_t length, uint64_t hash, int32_t line)
{
    mw_hash_probe probe = mw_hash_probe_start(line_hash(hash, line));
    uint32_t item;

    while ((item = mw_hash_index_next(&capture->line_index, &probe)) != 0) {
        const mw_capture_line *known = &capture->lines[item - 1];

        if (known->line == line &&
            mw_string_pool_length(&tables->strings, known->file.index) == length &&
            memcmp(mw_string_pool_bytes(&tables->strings, known->file.index), file, length) == 0)
            return known;
    }
    return NULL;
}

static mw_status append_line(checking *self, mw_string file, uint64_t hash, int32_t line,
                             const uint8_t *text, size_t length)
{
    mw_capture *capture = self->capture;
    mw_status status = mw_hash_index_reserve(&capture->line_index, 1);

    if (status == MW_OK)
        status = mw_alloc_grow(self->alloc, &capture->lines, capture->line_count,
                               &capture->line_capacity, sizeof *capture->lines, COUNT_MAXIMUM);
    if (status == MW_OK && capture->texts.length + length >= UINT32_MAX)
        status = MW_LIMIT;
    if (status != MW_OK)
        return explain(self, status);
    capture->lines[capture->line_count++] =
        (mw_capture_line){file, line, (uint32_t)capture->texts.length, (uint32_t)length};
    mw_hash_index_add(&capture->line_index, line_hash(hash, line), capture->line_count);
    mw_bytes_put(&capture->texts, text, length);
    mw_bytes_put(&capture->texts, "", 1);
    return explain(self, capture->texts.status);
}

/* Of a line that comes twice the first text stays. */
static mw_status add_line(checking *self, uint64_t file, uint64_t line, const uint8_t *text,
                          size_t length)
{
    const mw_snapshot_tables *tables = mw_snapshot_builder_tables(self->builder);
    mw_string name;
    uint64_t hash;

    if (file >= self->strings.count || !is_line(line))
        return damaged(self, "a line of source has a file or a number that is not there");
    name = (mw_string){self->strings.items[file]};
    hash = mw_string_pool_hash(&tables->strings, name.index);
    if (mw_capture_find_line(
            self->capture, tables, mw_string_pool_bytes(&tables->strings, name.index),
            mw_string_pool_length(&tables->strings, name.index), hash, (int32_t)line) != NULL)
        return MW_OK;
    return append_line(self, name, hash, (int32_t)line, text, length);
}

static mw_status check_source(checking *self, mw_cursor payload)
{
    uint64_t count = mw_cursor_number(&payload, UINT32_MAX - 1);
    uint64_t file = 0, line = 0;
    mw_cursor columns[MW_SOURCE_COLUMNS];
    mw_status status = MW_OK;

    if (payload.is_bad || !mw_cursor_columns(&payload, count, columns, MW_SOURCE_COLUMNS))
        return damaged(self, "it is not in its form");
    if (!self->has_segment)
        return damaged(self, "it comes before the first snapshot");
    for (uint64_t i = 0; i < count && status == MW_OK; i++) {
        uint64_t length = mw_cursor_varint(&columns[2]);
        const uint8_t *text = mw_cursor_take(&payload, length);

        next_number(&columns[0], &file);
        next_number(&columns[1], &line);
        if (payload.is_bad)
            return damaged(self, "a line of source ends behind it");
        status = add_line(self, file, line, text, (size_t)length);
    }
    return status;
}

/* ── who and what ────────────────────────────────────────────────────────────────── */

static mw_status check_program(checking *self, mw_cursor payload)
{
    mw_program *program = &self->capture->timeline.program;
    uint32_t frame_limit;
    mw_status status;

    if (self->has_program)
        return damaged(self, "there are two of them");
    self->has_program = true;
    status = mw_program_decode(payload, self->alloc, program);
    if (status != MW_OK)
        return explain(self, status);
    if (program->sample_bytes > MW_SAMPLE_BYTES_MAXIMUM ||
        program->frame_limit > MW_FRAME_LIMIT_MAXIMUM)
        return damaged(self, "a limit is out of range");
    frame_limit = program->frame_limit != 0 ? program->frame_limit : MW_FRAME_LIMIT_MAXIMUM;
    status = mw_snapshot_builder_new(self->alloc, frame_limit, &self->builder);
    if (status == MW_OK)
        mw_snapshot_builder_sampled(self->builder, program->sample_bytes);
    return explain(self, status);
}

static mw_status check_child(checking *self, mw_cursor payload)
{
    mw_capture *capture = self->capture;
    mw_status status =
        mw_alloc_grow(self->alloc, &capture->children, capture->child_count,
                      &capture->child_capacity, sizeof *capture->children, COUNT_MAXIMUM);

    if (status == MW_OK) {
        capture->children[capture->child_count] = (mw_child){0};
        status = mw_child_decode(payload, self->alloc, &capture->children[capture->child_count++]);
    }
    return explain(self, status);
}

static mw_status check_input(checking *self, mw_cursor payload)
{
    mw_capture *capture = self->capture;
    mw_status status =
        mw_alloc_grow(self->alloc, &capture->inputs, capture->input_count, &capture->input_capacity,
                      sizeof *capture->inputs, COUNT_MAXIMUM);

    if (status == MW_OK) {
        capture->inputs[capture->input_count] = (mw_capture_input){0};
        status = mw_input_decode(payload, self->alloc, &capture->inputs[capture->input_count++]);
    }
    return explain(self, status);
}

static mw_status check_end(checking *self, mw_cursor payload)
{
    self->has_ended = true;
    self->capture->timeline.ending = MW_ENDING_EXITED;
    return explain(self, mw_end_decode(payload, &self->capture->timeline.exit_status));
}

/* ── the pass ────────────────────────────────────────────────────────────────────── */

static mw_status check_record(checking *self, mw_cursor payload)
{
    mw_status status = mw_capture_note_record(self->capture, &self->located, payload);

    if (status != MW_OK)
        return explain(self, status);
    if (self->has_ended)
        return damaged(self, "it comes after the end");
    if (!self->has_program && self->located.record.type != MW_RECORD_PROGRAM)
        return damaged(self, "it comes before the program");
    switch (self->located.record.type) {
    case MW_RECORD_PROGRAM:
        return check_program(self, payload);
    case MW_RECORD_POINTS:
        return check_points(self, payload);
    case MW_RECORD_SNAPSHOT:
        return check_step(self, payload, false);
    case MW_RECORD_PEAK:
        return check_step(self, payload, true);
    case MW_RECORD_SOURCE:
        return check_source(self, payload);
    case MW_RECORD_CHILD:
        return check_child(self, payload);
    case MW_RECORD_INPUT:
        return check_input(self, payload);
    case MW_RECORD_END:
        return check_end(self, payload);
    case MW_RECORD_HEAP_NODES:
    case MW_RECORD_HEAP:
        return MW_OK;
    default:
        if ((self->located.record.flags & MW_RECORD_OPTIONAL) != 0)
            return MW_OK;
        return damaged(self, "this memwhy does not know what it is");
    }
}

static mw_status check_records(checking *self)
{
    mw_capture *capture = self->capture;
    uint64_t offset = MW_CAPTURE_HEADER_BYTES;
    mw_record_state state = MW_RECORD_WHOLE;

    for (self->number = 1; state == MW_RECORD_WHOLE; self->number++) {
        mw_cursor payload;
        mw_status status;

        self->located = (mw_located_record){.offset = offset};
        status = mw_capture_file_read(&capture->file, offset, &state, &self->located, &payload,
                                      self->reterr);
        if (status == MW_OK && state == MW_RECORD_WHOLE)
            status = check_record(self, payload);
        if (status == MW_OK && state == MW_RECORD_DAMAGED)
            status = damaged(self, "its checksum does not match");
        if (status != MW_OK)
            return status;
        offset += MW_RECORD_HEADER_BYTES + self->located.record.stored_length;
    }
    capture->is_truncated = state == MW_RECORD_TORN;
    if (!self->has_program)
        return mw_error_set(self->reterr, MW_BAD_INPUT,
                            "%s: is cut off before its first record was whole.",
                            capture->file.name);
    return MW_OK;
}

/* The state after the last snapshot is what is asked for most, so it is kept. */
static mw_status keep_state(checking *self)
{
    mw_capture *capture = self->capture;
    mw_status status = mw_capture_replay_new(capture, &capture->seeker, self->reterr);

    if (status != MW_OK || capture->step_count == 0 ||
        capture->steps[capture->step_count - 1].segment != capture->segment_count - 1)
        return status;
    for (uint32_t site = 1; site < present_segment(self)->site_count; site++) {
        uint32_t of_capture = capture->site_map[present_segment(self)->first_site + site];
        mw_capture_tally *tally = &capture->seeker->tallies[of_capture];

        tally->live_bytes += self->tallies[site].live_bytes;
        tally->live_blocks += self->tallies[site].live_blocks;
        tally->total_bytes += self->tallies[site].total_bytes;
        tally->total_blocks += self->tallies[site].total_blocks;
    }
    capture->seeker->next = capture->step_count;
    return MW_OK;
}

static mw_status begin(checking *self)
{
    mw_capture *capture = self->capture;
    mw_status status =
        mw_alloc_grow(self->alloc, &capture->epoch_starts, 0, &capture->epoch_capacity,
                      sizeof *capture->epoch_starts, COUNT_MAXIMUM);

    capture->epoch_count = 1;
    if (status == MW_OK)
        status = map_add(self, &self->strings, 0);
    if (status == MW_OK)
        status = map_add(self, &self->frames, 0);
    if (status == MW_OK)
        status = map_add(self, &self->paths, 0);
    if (status == MW_OK)
        status = map_add(self, &self->epochs, 0);
    return explain(self, status);
}

mw_status mw_capture_check(mw_capture *capture, mw_error *reterr)
{
    checking self = {.capture = capture, .alloc = capture->alloc, .reterr = reterr};
    mw_status status = begin(&self);

    if (status == MW_OK)
        status = check_records(&self);
    if (status == MW_OK) {
        status = mw_snapshot_builder_finish(self.builder, &capture->tables);
        self.builder = NULL;
    }
    if (status == MW_OK)
        status = keep_state(&self);
    mw_snapshot_builder_free(self.builder);
    map_done(&self, &self.strings);
    map_done(&self, &self.frames);
    map_done(&self, &self.paths);
    map_done(&self, &self.epochs);
    map_done(&self, &self.owners);
    mw_alloc_release(self.alloc, self.tallies, self.tally_capacity * sizeof *self.tallies);
    return status;
}
