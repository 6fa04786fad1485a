/* SPDX-License-Identifier: MIT
 *
 * `memwhy leaks --json`: docs/leaks.md says what each member means.
 */
#include "render/leaks.h"

#include <math.h>
#include <string.h>

/* Whole numbers to the last digit, others to twelve. */
static void write_value(mw_sink *sink, double value)
{
    if (!isfinite(value))
        mw_sink_text(sink, "null");
    else
        mw_sink_format(sink, value == floor(value) && fabs(value) < 0x1p53 ? "%.0f" : "%.12g",
                       value);
}

static void write_number(mw_sink *sink, const char *name, double value)
{
    mw_sink_format(sink, ", \"%s\": ", name);
    write_value(sink, value);
}

static void write_string(mw_sink *sink, const mw_snapshot *snapshot, const char *name,
                         mw_string string)
{
    size_t length;
    const char *bytes = mw_snapshot_string(snapshot, string, &length);

    mw_sink_format(sink, ", \"%s\": ", name);
    mw_sink_json_string(sink, bytes, length);
}

static void write_trend(mw_sink *sink, const char *name, const mw_trend *rate)
{
    mw_sink_format(sink, ", \"%s\": {\"estimate\": ", name);
    write_value(sink, rate->slope);
    mw_sink_text(sink, ", \"low\": ");
    write_value(sink, rate->low);
    mw_sink_text(sink, ", \"high\": ");
    write_value(sink, rate->high);
    mw_sink_text(sink, "}");
}

static void write_frame(mw_sink *sink, const mw_snapshot *snapshot, mw_frame frame)
{
    mw_frame_row row = mw_snapshot_frame(snapshot, frame);

    mw_sink_format(sink, "{\"line\": %d", (int)row.line);
    write_string(sink, snapshot, "file", row.file);
    write_string(sink, snapshot, "function", row.function);
    write_string(sink, snapshot, "module", row.module);
    mw_sink_text(sink, "}");
}

/* From the oldest frame to the newest; paths are known from the newest on. */
static void write_frames(mw_sink *sink, const mw_snapshot *snapshot, mw_traceback traceback,
                         mw_alloc *alloc)
{
    mw_traceback_row row = mw_snapshot_traceback(snapshot, traceback);
    mw_path *paths = mw_alloc_array(alloc, row.frame_count, sizeof *paths);
    mw_path path = row.path;

    if (paths == NULL) {
        sink->status = MW_NO_MEMORY;
        return;
    }
    for (uint32_t i = row.frame_count; i > 0; path = mw_snapshot_path_caller(snapshot, path))
        paths[--i] = path;
    mw_sink_text(sink, ", \"traceback\": [");
    for (uint32_t i = 0; i < row.frame_count; i++) {
        mw_sink_text(sink, i == 0 ? "" : ", ");
        write_frame(sink, snapshot, mw_snapshot_path_frame(snapshot, paths[i]));
    }
    mw_sink_text(sink, "]");
    mw_alloc_release(alloc, paths, row.frame_count * sizeof *paths);
}

static void write_row(const mw_leaks *leaks, const mw_leak_row *row, mw_alloc *alloc, mw_sink *sink)
{
    const mw_leak_group *group = &leaks->groups->items[row->group];
    const mw_leak_finding *finding = &row->finding;
    const mw_snapshot *snapshot = leaks->groups->snapshot;

    mw_sink_format(sink, "{\"verdict\": \"%s\"", mw_leak_row_verdict(row));
    mw_sink_format(sink, ", \"reason\": \"%s\"", mw_leak_reason_name(finding->reason));
    mw_sink_text(sink, ", \"line\": ");
    write_frame(sink, snapshot, group->frame);
    mw_sink_text(sink, ", \"allocated_in\": ");
    write_frame(sink, snapshot, group->innermost);
    if (leaks->groups->by == MW_GROUP_TRACEBACK)
        write_frames(sink, snapshot, group->row.traceback, alloc);
    write_trend(sink, "bytes_per_hour", &finding->rate);
    write_number(sink, "share", row->share);
    write_number(sink, "live_bytes", finding->live_bytes);
    write_number(sink, "live_blocks", finding->live_blocks);
    write_number(sink, "growth_bytes", finding->growth_bytes);
    write_number(sink, "epochs", finding->epochs);
    write_number(sink, "kept_epochs", finding->kept_epochs);
    write_number(sink, "born_bytes", finding->born_bytes);
    write_number(sink, "kept_bytes", finding->kept_bytes);
    write_number(sink, "pace", finding->pace);
    write_number(sink, "ends_at_bytes", finding->ends_at_bytes);
    write_number(sink, "since_seconds", leaks->histories->times[finding->since] * 3600);
    mw_sink_text(sink, "}");
}

static void write_verdict(const mw_leaks *leaks, mw_buffer *text, mw_sink *sink)
{
    mw_leaks_write_verdict(leaks, &text->sink);
    mw_sink_text(sink, ", \"sentence\": ");
    mw_sink_json_string(sink, text->bytes == NULL ? "" : text->bytes, text->length);
    if (sink->status == MW_OK)
        sink->status = text->sink.status;
}

mw_status mw_leaks_write_json(const mw_leaks *leaks, uint32_t top, mw_alloc *alloc, mw_sink *sink,
                              mw_error *reterr)
{
    uint32_t count = leaks->row_count < top ? leaks->row_count : top;
    mw_buffer text;

    mw_buffer_init(&text, alloc);
    mw_sink_text(sink, "{\"version\": 1");
    write_verdict(leaks, &text, sink);
    mw_buffer_done(&text);
    mw_sink_format(sink, ", \"enough\": %s", mw_leaks_has_enough(leaks) ? "true" : "false");
    mw_sink_format(sink, ", \"by\": \"%s\"", mw_group_key_name(leaks->groups->by));
    write_number(sink, "moments", leaks->histories->count);
    write_number(sink, "seconds", leaks->hours * 3600);
    write_number(sink, "leaks", leaks->counts[MW_VERDICT_LEAK]);
    write_trend(sink, "leaked_bytes_per_hour", &leaks->leak_rate);
    write_number(sink, "rss_bytes", (double)leaks->rss_bytes);
    write_number(sink, "limit_bytes", leaks->limit_bytes == 0 ? NAN : (double)leaks->limit_bytes);
    write_number(sink, "hours_left", mw_leaks_hours_left(leaks, leaks->leak_rate.slope));
    mw_sink_text(sink, ", \"rows\": [");
    for (uint32_t i = 0; i < count; i++) {
        mw_sink_text(sink, i == 0 ? "\n" : ",\n");
        write_row(leaks, &leaks->rows[i], alloc, sink);
    }
    mw_sink_format(sink, "], \"rows_left_out\": %u}\n",
                   leaks->row_count - count + leaks->groups->left_out);
    return sink->status == MW_OK
               ? MW_OK
               : mw_error_set(reterr, sink->status, "the verdict could not be written");
}
