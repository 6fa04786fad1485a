/* SPDX-License-Identifier: MIT
 *
 * Columns of small numbers that differ little from their neighbours compress well: rows of
 * snapshots are written as the difference to the snapshot written before, which for most
 * rows is 0.
 */
#include "render/page_data.h"

#include "render/page_column.h"

#include <string.h>

/* ── what stands in the page ─────────────────────────────────────────────────────── */

/* The moment nearest to [time_ns] from number [first] on, if [spare] are to be left. */
static size_t nearest_moment(const mw_moments *moments, size_t first, size_t spare,
                             uint64_t time_ns)
{
    while (first + 1 + spare < moments->count) {
        uint64_t here = moments->time_ns(moments, first);
        uint64_t next = moments->time_ns(moments, first + 1);
        uint64_t from_here = here > time_ns ? here - time_ns : time_ns - here;
        uint64_t from_next = next > time_ns ? next - time_ns : time_ns - next;
        if (from_here < from_next)
            break;
        first++;
    }
    return first;
}

static void choose_moment(mw_page_data *data, size_t number)
{
    const mw_moments *moments = data->view->moments;

    data->moments[data->moment_count] =
        (mw_page_moment){.number = number,
                         .time_ns = moments->time_ns(moments, number),
                         .place = data->moment_count};
    data->moment_count++;
}

/* As evenly in time as can be, the first and the last always. */
static void choose_moments(mw_page_data *data)
{
    const mw_moments *moments = data->view->moments;
    size_t count = moments == NULL ? 0 : moments->count;
    size_t wanted = count < MW_PAGE_MOMENT_MAXIMUM ? count : MW_PAGE_MOMENT_MAXIMUM;
    size_t next = 0;
    uint64_t start, span;

    if (count == 0)
        return;
    start = moments->time_ns(moments, 0);
    span = moments->time_ns(moments, count - 1) - start;
    for (size_t i = 0; i < wanted; i++) {
        double share = wanted == 1 ? 1 : (double)i / (double)(wanted - 1);
        next =
            nearest_moment(moments, next, wanted - 1 - i, start + (uint64_t)(share * (double)span));
        if (i == 0 && wanted > 1)
            next = 0;
        choose_moment(data, next++);
    }
}

bool mw_page_data_thin(mw_page_data *data)
{
    uint32_t kept = 0;

    if (data->heap_count > 1) {
        data->heap_count--;
        return true;
    }
    if (data->moment_count < 3)
        return false;
    for (uint32_t i = 0; i < data->moment_count; i++)
        if (i % 2 == 0 || i == data->moment_count - 1)
            data->moments[kept++] = data->moments[i];
    data->moment_count = kept;
    return true;
}

static mw_status add_moment(mw_page_data *data, mw_page_moment *moment)
{
    mw_moments *moments = data->view->moments;
    mw_snapshot *snapshot = NULL;
    mw_status status = moments->take(moments, moment->number, &snapshot);

    if (status == MW_OK)
        status = mw_page_tables_add(&data->tables, snapshot);
    mw_snapshot_release(snapshot);
    if (status != MW_OK)
        return status;
    moment->all = data->tables.added_all;
    return mw_page_history_add(&data->history, data->tables.added, data->tables.row_count);
}

static mw_status add_snapshots(mw_page_data *data)
{
    mw_status status = mw_page_tables_add(&data->tables, data->view->snapshot);

    data->shown_all = data->tables.added_all;
    if (status == MW_OK && data->view->older != NULL)
        status = mw_page_tables_add(&data->tables, data->view->older);
    data->older_all = data->tables.added_all;
    for (uint32_t i = 0; i < data->moment_count && status == MW_OK; i++)
        status = add_moment(data, &data->moments[i]);
    return status;
}

/* The text of the line of each frame, and how each file is shown. */
static mw_status add_texts(mw_page_data *data)
{
    mw_source *source = data->view->source;
    mw_page_tables *tables = &data->tables;
    char text[MW_SOURCE_LINE_BYTES];
    mw_status status = MW_OK;

    data->texts = mw_alloc_array(data->alloc, tables->frame_count, sizeof *data->texts);
    if (data->texts == NULL)
        return MW_NO_MEMORY;
    for (uint32_t i = 1; i < tables->frame_count && source != NULL && status == MW_OK; i++) {
        const mw_page_frame *frame = &tables->frames[i];
        if (frame->line < 1)
            continue;
        source->line(source, mw_string_pool_bytes(&tables->strings, frame->file), frame->line,
                     text);
        status = mw_page_tables_string(tables, text, strlen(text), &data->texts[i]);
    }
    return status;
}

static mw_status shown_name(mw_page_data *data, uint32_t file, uint32_t *ret_shown)
{
    const char *name = mw_string_pool_bytes(&data->tables.strings, file);
    mw_buffer buffer;
    mw_status status;

    *ret_shown = file;
    if (data->view->places == NULL)
        return MW_OK;
    mw_buffer_init(&buffer, data->alloc);
    mw_places_write(data->view->places, name, UINT32_MAX, &buffer.sink);
    status = buffer.sink.status;
    if (status == MW_OK && buffer.length != 0)
        status = mw_page_tables_string(&data->tables, buffer.bytes, buffer.length, ret_shown);
    mw_buffer_done(&buffer);
    return status;
}

static mw_status add_shown_names(mw_page_data *data)
{
    const mw_page_tables *tables = &data->tables;
    mw_status status = MW_OK;

    data->shown_count = tables->strings.count;
    data->shown = mw_alloc_array(data->alloc, data->shown_count, sizeof *data->shown);
    if (data->shown == NULL)
        return MW_NO_MEMORY;
    for (uint32_t i = 1; i < tables->frame_count && status == MW_OK; i++) {
        uint32_t file = tables->frames[i].file;
        if (data->shown[file] == 0 && file != 0)
            status = shown_name(data, file, &data->shown[file]);
    }
    return status;
}

/* By row of the page, what was at [moment]. */
static void go_to_moment(mw_page_data *data, const mw_page_moment *moment, mw_tally *ret_amounts)
{
    mw_page_history_go(&data->history, moment->place);
    mw_page_tables_settled(&data->tables, data->history.amounts, data->history.row_count,
                           ret_amounts);
}

/* The lines that allocated objects are frames as others are: so they have a text, and lead to
 * their source. */
static mw_status add_line(mw_page_data *data, const mw_page_heap *heap, uint32_t line,
                          uint32_t *ret_frame)
{
    const mw_page_heap_line *from = &heap->lines[line];
    mw_page_frame made = {.line = from->line};
    mw_status status =
        mw_page_tables_string(&data->tables, mw_string_pool_bytes(&heap->strings, from->file),
                              mw_string_pool_length(&heap->strings, from->file), &made.file);

    if (status == MW_OK)
        status = mw_page_tables_string(
            &data->tables, mw_string_pool_bytes(&heap->strings, from->function),
            mw_string_pool_length(&heap->strings, from->function), &made.function);
    return status == MW_OK ? mw_page_tables_frame(&data->tables, made, ret_frame) : status;
}

static mw_status add_heaps(mw_page_data *data)
{
    const mw_view *view = data->view;
    mw_status status = MW_OK;

    data->heap_count =
        view->heap_count < MW_PAGE_HEAP_MAXIMUM ? (uint32_t)view->heap_count : MW_PAGE_HEAP_MAXIMUM;
    for (uint32_t i = 0; i < data->heap_count && status == MW_OK; i++) {
        const mw_page_heap *heap = view->heaps[i];
        data->heap_frames[i] = mw_alloc_array(data->alloc, heap->line_count, sizeof(uint32_t));
        if (data->heap_frames[i] == NULL)
            return MW_NO_MEMORY;
        for (uint32_t line = 1; line < heap->line_count && status == MW_OK; line++)
            status = add_line(data, heap, line, &data->heap_frames[i][line]);
    }
    return status;
}

/* What the view shows is the last moment if it has the same amounts: then its time is known,
 * and it need not stand in the page twice. */
static mw_status recognise_last_moment(mw_page_data *data)
{
    uint32_t last = data->moment_count - 1;
    size_t bytes = data->tables.page_row_count * sizeof *data->amounts;
    mw_status status;

    data->amounts = mw_alloc_new(data->alloc, bytes);
    data->former = mw_alloc_new(data->alloc, bytes);
    if (data->amounts == NULL || data->former == NULL)
        return MW_NO_MEMORY;
    if (data->moment_count == 0)
        return MW_OK;
    status = mw_page_tables_amounts(&data->tables, data->view->snapshot, data->amounts);
    if (status != MW_OK)
        return status;
    go_to_moment(data, &data->moments[last], data->former);
    if (memcmp(data->amounts, data->former, bytes) != 0)
        return MW_OK;
    data->has_time = true;
    data->time_ns = data->moments[last].time_ns;
    data->moment_count--;
    return MW_OK;
}

mw_status mw_page_data_init(mw_page_data *ret_data, const mw_view *view, mw_alloc *alloc)
{
    mw_page_data *data = ret_data;
    mw_status status;

    *data = (mw_page_data){.alloc = alloc, .view = view};
    mw_page_history_init(&data->history, alloc);
    choose_moments(data);
    status = mw_page_tables_init(&data->tables, alloc);
    if (status == MW_OK)
        status = add_snapshots(data);
    if (status == MW_OK)
        status = mw_page_tables_settle(&data->tables, MW_PAGE_ROW_MAXIMUM);
    if (status == MW_OK)
        status = recognise_last_moment(data);
    if (status == MW_OK)
        status = add_heaps(data);
    if (status == MW_OK)
        status = add_texts(data);
    if (status == MW_OK)
        status = add_shown_names(data);
    if (status != MW_OK)
        mw_page_data_done(data);
    return status;
}

void mw_page_data_done(mw_page_data *data)
{
    mw_alloc *alloc = data->alloc;
    size_t bytes = data->tables.page_row_count * sizeof *data->amounts;

    if (alloc == NULL)
        return;
    for (uint32_t i = 0; i < MW_PAGE_HEAP_MAXIMUM; i++)
        if (data->heap_frames[i] != NULL)
            mw_alloc_release(alloc, data->heap_frames[i],
                             data->view->heaps[i]->line_count * sizeof(uint32_t));
    mw_alloc_release(alloc, data->shown, data->shown_count * sizeof *data->shown);
    mw_alloc_release(alloc, data->texts, data->tables.frame_count * sizeof *data->texts);
    mw_alloc_release(alloc, data->former, bytes);
    mw_alloc_release(alloc, data->amounts, bytes);
    mw_page_history_done(&data->history);
    mw_page_tables_done(&data->tables);
    *data = (mw_page_data){0};
}

/* ── facts ───────────────────────────────────────────────────────────────────────── */

static void write_text(mw_sink *sink, const char *key, const char *text)
{
    mw_sink_format(sink, "\"%s\":", key);
    mw_sink_json_string(sink, text == NULL ? "" : text, text == NULL ? 0 : strlen(text));
    mw_sink_text(sink, ",");
}

static void write_number(mw_sink *sink, const char *key, uint64_t number)
{
    mw_sink_format(sink, "\"%s\":%llu,", key, (unsigned long long)number);
}

static void write_program(const mw_program *program, mw_sink *sink)
{
    mw_sink_text(sink, "\"program\":{");
    write_text(sink, "name", program->name);
    write_text(sink, "command_line", program->command_line);
    write_text(sink, "directory", program->directory);
    write_text(sink, "python", program->python);
    write_text(sink, "executable", program->executable);
    write_text(sink, "memwhy", program->memwhy);
    write_text(sink, "host", program->host);
    write_number(sink, "start_unix_ms", program->start_unix_ns / 1000000);
    write_number(sink, "memory_limit", program->memory_limit_bytes);
    write_number(sink, "sample_bytes", program->sample_bytes);
    write_number(sink, "frame_limit", program->frame_limit);
    mw_sink_format(sink, "\"pid\":%lld},", (long long)program->pid);
}

static void write_children(const mw_timeline *timeline, mw_sink *sink)
{
    mw_sink_text(sink, "\"children\":[");
    for (size_t i = 0; i < timeline->child_count; i++) {
        mw_sink_text(sink, i == 0 ? "{" : ",{");
        write_text(sink, "capture", timeline->children[i].capture);
        write_number(sink, "time_ns", timeline->children[i].time_ns);
        mw_sink_format(sink, "\"pid\":%lld}", (long long)timeline->children[i].pid);
    }
    mw_sink_text(sink, "],");
}

static void write_timeline(const mw_timeline *timeline, mw_sink *sink)
{
    uint64_t snapshots = 0;

    write_program(&timeline->program, sink);
    write_children(timeline, sink);
    for (size_t i = 0; i < timeline->point_count; i++)
        snapshots += timeline->points[i].snapshot != MW_NO_SNAPSHOT;
    write_number(sink, "snapshot_count", snapshots);
    write_number(sink, "point_count", timeline->point_count);
    if (timeline->ending == MW_ENDING_EXITED)
        mw_sink_format(sink, "\"exit_status\":%d,", timeline->exit_status);
}

static void write_state(const mw_tally *all, const char *role, const uint64_t *time_ns,
                        mw_sink *sink)
{
    mw_sink_text(sink, "{");
    if (time_ns != NULL)
        write_number(sink, "time_ns", *time_ns);
    write_number(sink, "bytes", all->bytes);
    write_number(sink, "blocks", all->blocks);
    mw_sink_format(sink, "\"role\":\"%s\"}", role);
}

/* In the order in which their columns follow. */
static void write_states(const mw_page_data *data, mw_sink *sink)
{
    mw_sink_text(sink, "\"states\":[");
    write_state(&data->shown_all, "shown", data->has_time ? &data->time_ns : NULL, sink);
    if (data->view->older != NULL) {
        mw_sink_text(sink, ",");
        write_state(&data->older_all, "older", NULL, sink);
    }
    for (uint32_t i = data->moment_count; i > 0; i--) {
        const mw_page_moment *moment = &data->moments[i - 1];
        mw_sink_text(sink, ",");
        write_state(&moment->all, "moment", &moment->time_ns, sink);
    }
    mw_sink_text(sink, "],");
}

static mw_status write_facts(const mw_page_data *data, mw_sink *sink)
{
    const mw_view *view = data->view;
    mw_buffer buffer;
    mw_status status;
    mw_page_column out = {.sink = sink};

    mw_buffer_init(&buffer, data->alloc);
    mw_sink_text(&buffer.sink, "{");
    write_text(&buffer.sink, "verdict", view->verdict);
    write_text(&buffer.sink, "measure", mw_view_measure(view));
    if (view->timeline != NULL)
        write_timeline(view->timeline, &buffer.sink);
    write_states(data, &buffer.sink);
    if (data->heap_count != 0) /* pages without one are as they were before there were any */
        write_number(&buffer.sink, "heaps", data->heap_count);
    write_number(&buffer.sink, "folded_rows", data->tables.folded_rows);
    write_number(&buffer.sink, "folded_weight", data->tables.folded_weight);
    write_number(&buffer.sink, "frame_limit", mw_snapshot_frame_limit(view->snapshot));
    mw_sink_text(&buffer.sink, "\"version\":1}");
    status = buffer.sink.status;
    if (status == MW_OK) {
        mw_page_column_number(&out, buffer.length);
        mw_page_column_flush(&out);
        mw_sink_bytes(sink, buffer.bytes, buffer.length);
    }
    mw_buffer_done(&buffer);
    return status;
}

/* ── the timeline's points ───────────────────────────────────────────────────────── */

static void keep_extremes(const mw_point *points, size_t first, size_t end, bool *is_kept)
{
    size_t least_rss = first, most_rss = first, least_live = first, most_live = first;

    for (size_t i = first; i < end; i++) {
        if (points[i].rss_bytes < points[least_rss].rss_bytes)
            least_rss = i;
        if (points[i].rss_bytes > points[most_rss].rss_bytes)
            most_rss = i;
        if (points[i].live_bytes < points[least_live].live_bytes)
            least_live = i;
        if (points[i].live_bytes > points[most_live].live_bytes)
            most_live = i;
    }
    is_kept[least_rss] = is_kept[most_rss] = is_kept[least_live] = is_kept[most_live] = true;
}

static void choose_points(const mw_timeline *timeline, bool *is_kept)
{
    size_t count = timeline->point_count;

    if (count <= (size_t)MW_PAGE_POINT_BINS * 4) {
        memset(is_kept, true, count);
        return;
    }
    for (size_t bin = 0; bin < MW_PAGE_POINT_BINS; bin++)
        keep_extremes(timeline->points, bin * count / MW_PAGE_POINT_BINS,
                      (bin + 1) * count / MW_PAGE_POINT_BINS, is_kept);
    is_kept[0] = is_kept[count - 1] = true;
}

static void write_point(mw_page_column *out, const mw_point *point, const mw_point *former)
{
    mw_page_column_change(out, point->time_ns, former->time_ns);
    mw_page_column_change(out, point->rss_bytes, former->rss_bytes);
    mw_page_column_change(out, point->live_bytes, former->live_bytes);
    mw_page_column_change(out, point->peak_bytes, former->peak_bytes);
    mw_page_column_change(out, point->overhead_bytes, former->overhead_bytes);
    mw_page_column_change(out, point->lost_blocks, former->lost_blocks);
    mw_page_column_number(out,
                          point->snapshot == MW_NO_SNAPSHOT ? 0 : (uint64_t)point->snapshot + 1);
}

static mw_status write_points(const mw_page_data *data, mw_sink *sink)
{
    const mw_timeline *timeline = data->view->timeline;
    size_t count = timeline == NULL ? 0 : timeline->point_count;
    bool *is_kept = mw_alloc_array(data->alloc, count, sizeof *is_kept);
    mw_point former = {0};
    size_t kept = 0;
    mw_page_column out = {.sink = sink};

    if (is_kept == NULL)
        return MW_NO_MEMORY;
    if (count != 0)
        choose_points(timeline, is_kept);
    for (size_t i = 0; i < count; i++)
        kept += is_kept[i];
    mw_page_column_number(&out, kept);
    for (size_t i = 0; i < count; i++) {
        if (!is_kept[i])
            continue;
        write_point(&out, &timeline->points[i], &former);
        former = timeline->points[i];
    }
    mw_page_column_flush(&out);
    mw_alloc_release(data->alloc, is_kept, count * sizeof *is_kept);
    return MW_OK;
}

/* ── tables ──────────────────────────────────────────────────────────────────────── */

static void write_strings(const mw_page_data *data, mw_sink *sink)
{
    const mw_string_pool *strings = &data->tables.strings;
    mw_page_column out = {.sink = sink};

    mw_page_column_number(&out, strings->count);
    for (uint32_t i = 0; i < strings->count; i++)
        mw_page_column_number(&out, mw_string_pool_length(strings, i));
    mw_page_column_flush(&out);
    for (uint32_t i = 0; i < strings->count; i++)
        mw_sink_bytes(sink, mw_string_pool_bytes(strings, i), mw_string_pool_length(strings, i));
}

/* Files are numbered as they come in the frames. */
static void write_files(const mw_page_data *data, mw_sink *sink)
{
    const mw_string_pool *strings = &data->tables.strings;
    uint32_t count = 0;
    mw_page_column out = {.sink = sink};

    for (uint32_t i = 0; i < data->shown_count; i++)
        count += data->shown[i] != 0;
    mw_page_column_number(&out, count);
    for (uint32_t i = 0; i < data->shown_count; i++) {
        mw_owner owner = MW_OWNER_PROGRAM;
        if (data->shown[i] == 0)
            continue;
        if (data->view->places != NULL)
            owner = mw_places_owner(data->view->places, mw_string_pool_bytes(strings, i));
        mw_page_column_number(&out, i);
        mw_page_column_number(&out, data->shown[i]);
        mw_page_column_number(&out, owner);
    }
    mw_page_column_flush(&out);
}

static void write_frames(const mw_page_data *data, mw_sink *sink)
{
    const mw_page_frame *frames = data->tables.frames;
    uint32_t count = data->tables.frame_count;
    mw_page_column out = {.sink = sink};

    mw_page_column_number(&out, count);
    for (uint32_t i = 1; i < count; i++)
        mw_page_column_change(&out, frames[i].file, frames[i - 1].file);
    for (uint32_t i = 1; i < count; i++)
        mw_page_column_change(&out, frames[i].function, frames[i - 1].function);
    for (uint32_t i = 1; i < count; i++)
        mw_page_column_change(&out, frames[i].module, frames[i - 1].module);
    for (uint32_t i = 1; i < count; i++)
        mw_page_column_number(&out, frames[i].line > 0 ? (uint64_t)frames[i].line : 0);
    for (uint32_t i = 1; i < count; i++)
        mw_page_column_change(&out, data->texts[i], data->texts[i - 1]);
    mw_page_column_flush(&out);
}

static void write_paths(const mw_page_data *data, mw_sink *sink)
{
    const mw_page_tables *tables = &data->tables;
    mw_page_column out = {.sink = sink};
    uint32_t former = 0;

    mw_page_column_number(&out, tables->page_path_count);
    for (uint32_t i = 1; i < tables->path_count; i++)
        if (tables->paths[i].number != 0)
            mw_page_column_number(&out, tables->paths[i].number -
                                            tables->paths[tables->paths[i].caller].number);
    for (uint32_t i = 1; i < tables->path_count; i++) {
        if (tables->paths[i].number == 0)
            continue;
        mw_page_column_change(&out, tables->paths[i].frame, former);
        former = tables->paths[i].frame;
    }
    mw_page_column_flush(&out);
}

static void write_rows(const mw_page_data *data, mw_sink *sink)
{
    const mw_page_tables *tables = &data->tables;
    mw_page_column out = {.sink = sink};
    uint32_t former = 0;

    mw_page_column_number(&out, tables->page_row_count);
    for (uint32_t i = 1; i < tables->row_count; i++) {
        uint32_t path = tables->paths[tables->rows[i].path].number;
        if (tables->rows[i].into != 0)
            continue;
        mw_page_column_change(&out, path, former);
        former = path;
    }
    for (uint32_t i = 1; i < tables->row_count; i++)
        if (tables->rows[i].into == 0)
            mw_page_column_number(&out, tables->rows[i].domain);
    for (uint32_t i = 1; i < tables->row_count; i++)
        if (tables->rows[i].into == 0)
            mw_page_column_number(&out, tables->rows[i].thread);
    mw_page_column_flush(&out);
}

/* ── amounts ─────────────────────────────────────────────────────────────────────── */

/* Writes `amounts`, which then are the former ones. */
static void write_amounts(mw_page_data *data, mw_sink *sink)
{
    mw_tally *amounts = data->amounts;
    uint32_t count = data->tables.page_row_count;
    mw_page_column out = {.sink = sink};

    for (uint32_t i = 1; i < count; i++)
        mw_page_column_change(&out, amounts[i].bytes, data->former[i].bytes);
    for (uint32_t i = 1; i < count; i++)
        mw_page_column_change(&out, amounts[i].blocks, data->former[i].blocks);
    mw_page_column_flush(&out);
    data->amounts = data->former;
    data->former = amounts;
}

static mw_status write_amounts_of(mw_page_data *data, const mw_snapshot *snapshot, mw_sink *sink)
{
    mw_status status = mw_page_tables_amounts(&data->tables, snapshot, data->amounts);

    if (status == MW_OK)
        write_amounts(data, sink);
    return status;
}

static mw_status write_all_amounts(mw_page_data *data, mw_sink *sink)
{
    mw_status status;

    memset(data->former, 0, data->tables.page_row_count * sizeof *data->former);
    status = write_amounts_of(data, data->view->snapshot, sink);
    if (status == MW_OK && data->view->older != NULL)
        status = write_amounts_of(data, data->view->older, sink);
    for (uint32_t i = data->moment_count; i > 0 && status == MW_OK; i--) {
        go_to_moment(data, &data->moments[i - 1], data->amounts);
        write_amounts(data, sink);
    }
    return status;
}

mw_status mw_page_data_write(mw_page_data *data, mw_sink *sink)
{
    mw_status status = write_facts(data, sink);

    if (status == MW_OK)
        status = write_points(data, sink);
    if (status != MW_OK)
        return status;
    write_strings(data, sink);
    write_files(data, sink);
    write_frames(data, sink);
    write_paths(data, sink);
    write_rows(data, sink);
    for (uint32_t i = 0; i < data->heap_count; i++)
        mw_page_heap_write(data->view->heaps[i], data->heap_frames[i], sink);
    status = write_all_amounts(data, sink);
    return status == MW_OK ? sink->status : status;
}
