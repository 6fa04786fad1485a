/* SPDX-License-Identifier: MIT
 *
 * What a snapshot adds is first worked out in memory, then written in one go, and only then
 * taken for granted: whatever fails on the way leaves the file and the writer as they were,
 * but for rows that were taken up and are written next time.
 *
 * A segment begins when the file is to be kept short and the last one is a quarter of that
 * old; and when most sites of its tables are dead, as those of past epochs come to be.
 */
#include "capture/capture_writer.h"

#include "capture/capture_output.h"
#include "capture/capture_record.h"
#include "capture/format.h"
#include "capture/program_record.h"
#include "capture/segment.h"

enum {
    GATHERED_POINTS = 64,
    KEPT_BYTES = 1 << 16, /* of a buffer between two calls */
    SEGMENTS_PER_KEEP = 4,
    SEGMENT_MAXIMUM = 1 << 16,
    DEAD_SITES_MINIMUM = 1 << 16, /* a segment of fewer sites is never given up for its dead */
    DEAD_SITES_FACTOR = 4,
    CHILD_MAXIMUM = 4096, /* those of which a shortened file keeps the records */
};

/* Where a segment begins in the file. */
typedef struct segment_start {
    uint64_t offset;
    uint64_t time_ns;
} segment_start;

struct mw_capture_writer {
    mw_alloc *alloc; /* borrowed */
    mw_capture_options options;
    uint32_t frame_limit;
    mw_capture_output output;
    uint64_t program_end;    /* offset behind the PROGRAM record         */
    uint64_t heap_start;     /* where the heap begins that is not finished; 0: there is none */
    mw_segment segment;      /* that is being written                    */
    segment_start *segments; /* owned; that are in the file; the last is `segment`, if any */
    uint32_t segment_count, segment_capacity;
    mw_point points[GATHERED_POINTS + 1]; /* not written yet; one more for a snapshot's */
    uint32_t point_count;
    uint64_t last_time_ns; /* of all points                                  */
    mw_bytes source;       /* records of lines, which go with the next snapshot */
    mw_bytes payload;      /* of the record that is being made                  */
    mw_bytes records;      /* that are to be written next                       */
};

/* ── life ────────────────────────────────────────────────────────────────────────── */

static mw_status out_of_memory(mw_status status, mw_error *reterr)
{
    if (status == MW_LIMIT)
        return mw_error_set(reterr, status, "A snapshot is too large for a capture.");
    return mw_error_set(reterr, status, "Out of memory while writing a capture.");
}

static mw_status create_file(mw_capture_writer *writer, const char *path, const mw_program *program,
                             mw_error *reterr)
{
    mw_status status;

    mw_capture_header_write(&writer->records);
    mw_program_encode(program, &writer->payload);
    status = mw_capture_record_append(&writer->records, MW_RECORD_PROGRAM, 0, &writer->payload);
    if (status == MW_OK)
        status = writer->records.status;
    if (status == MW_OK)
        status = mw_segment_init(&writer->segment, writer->frame_limit, writer->alloc);
    if (status != MW_OK)
        return out_of_memory(status, reterr);
    writer->program_end = writer->records.length;
    return mw_capture_output_create(&writer->output, path, writer->records.bytes,
                                    writer->records.length, writer->alloc, reterr);
}

mw_status mw_capture_writer_new(const char *path, const mw_program *program,
                                const mw_capture_options *options, mw_alloc *alloc,
                                mw_capture_writer **ret_writer, mw_error *reterr)
{
    mw_capture_writer *writer = mw_alloc_new(alloc, sizeof *writer);
    mw_status status;

    if (writer == NULL)
        return out_of_memory(MW_NO_MEMORY, reterr);
    writer->alloc = alloc;
    writer->options = *options;
    writer->frame_limit = program->frame_limit;
    if (writer->frame_limit < 1 || writer->frame_limit > MW_FRAME_LIMIT_MAXIMUM)
        writer->frame_limit = MW_FRAME_LIMIT_MAXIMUM;
    mw_bytes_init(&writer->source, alloc);
    mw_bytes_init(&writer->payload, alloc);
    mw_bytes_init(&writer->records, alloc);
    status = create_file(writer, path, program, reterr);
    if (status == MW_OK)
        *ret_writer = writer;
    else
        mw_capture_writer_free(writer);
    return status;
}

void mw_capture_writer_free(mw_capture_writer *writer)
{
    if (writer == NULL)
        return;
    mw_capture_output_done(&writer->output);
    mw_segment_done(&writer->segment);
    mw_alloc_release(writer->alloc, writer->segments,
                     writer->segment_capacity * sizeof *writer->segments);
    mw_bytes_done(&writer->source);
    mw_bytes_done(&writer->payload);
    mw_bytes_done(&writer->records);
    mw_alloc_release(writer->alloc, writer, sizeof *writer);
}

/* ── records ─────────────────────────────────────────────────────────────────────── */

/* Begins what is to be written in one go. */
static void begin_records(mw_capture_writer *writer)
{
    mw_bytes_clear(&writer->records);
    mw_bytes_clear(&writer->payload);
    writer->heap_start = 0; /* whatever else is written, it ends a heap */
}

/* Ends the payload, as a record of [type]. */
static mw_status end_record(mw_capture_writer *writer, mw_record_type type, uint8_t flags)
{
    mw_status status = mw_capture_record_append(&writer->records, type, flags, &writer->payload);

    mw_bytes_clear(&writer->payload);
    return status;
}

static mw_status write_records(mw_capture_writer *writer, mw_error *reterr)
{
    if (writer->records.status != MW_OK)
        return out_of_memory(writer->records.status, reterr);
    return mw_capture_output_append(&writer->output, writer->records.bytes, writer->records.length,
                                    reterr);
}

/* ── points ──────────────────────────────────────────────────────────────────────── */

/* Time never goes back in a file, whatever the caller's clock does. */
static mw_point later_point(const mw_capture_writer *writer, const mw_point *point)
{
    mw_point later = *point;

    if (later.time_ns < writer->last_time_ns)
        later.time_ns = writer->last_time_ns;
    return later;
}

static mw_status add_points_record(mw_capture_writer *writer)
{
    if (writer->point_count == 0)
        return MW_OK;
    mw_points_encode(&writer->payload, writer->points, writer->point_count,
                     &writer->segment.last_point);
    return end_record(writer, MW_RECORD_POINTS, 0);
}

static void set_points_written(mw_capture_writer *writer)
{
    if (writer->point_count != 0)
        writer->segment.last_point = writer->points[writer->point_count - 1];
    writer->point_count = 0;
}

/* Writes the points that are gathered, and what else is in the records. */
static mw_status write_with_points(mw_capture_writer *writer, mw_error *reterr)
{
    mw_status status = write_records(writer, reterr);

    if (status == MW_OK)
        set_points_written(writer);
    return status;
}

mw_status mw_capture_writer_point(mw_capture_writer *writer, const mw_point *point,
                                  mw_error *reterr)
{
    mw_point later = later_point(writer, point);
    mw_status status = MW_OK;

    if (writer->point_count == GATHERED_POINTS) {
        begin_records(writer);
        status = add_points_record(writer);
        status =
            status == MW_OK ? write_with_points(writer, reterr) : out_of_memory(status, reterr);
    }
    /* While nothing can be written, the newest point takes the place of the one before. */
    if (status != MW_OK)
        writer->point_count--;
    writer->points[writer->point_count++] = later;
    writer->last_time_ns = later.time_ns;
    return status;
}

mw_status mw_capture_writer_epoch(mw_capture_writer *writer, uint32_t epoch, uint64_t start_ns,
                                  mw_error *reterr)
{
    mw_status status = mw_segment_add_epoch(&writer->segment, epoch, start_ns);

    return status == MW_OK ? MW_OK : out_of_memory(status, reterr);
}

/* ── dropping what is old ────────────────────────────────────────────────────────── */

/* Whether the record at [offset] is one of a child; how long it is. */
static mw_status look_at_record(const mw_capture_writer *writer, uint64_t offset,
                                bool *ret_is_child, uint64_t *ret_length)
{
    uint8_t header[MW_RECORD_HEADER_BYTES];
    mw_capture_record record;
    mw_status status = mw_capture_output_read(&writer->output, offset, header, sizeof header);

    if (status != MW_OK)
        return status;
    if (!mw_capture_record_read_header(header, &record))
        return MW_BAD_INPUT;
    *ret_is_child = record.type == MW_RECORD_CHILD;
    *ret_length = MW_RECORD_HEADER_BYTES + (uint64_t)record.stored_length;
    return MW_OK;
}

/* What stays of a file of which all before [kept_offset] is to go: who it is, the newest
 * children, and the rest. */
static mw_status list_parts(const mw_capture_writer *writer, uint64_t kept_offset, mw_extent *parts,
                            size_t *ret_count)
{
    uint32_t children = 0;
    uint64_t length;
    bool is_child;

    parts[0] = (mw_extent){0, writer->program_end};
    for (uint64_t at = writer->program_end; at < kept_offset; at += length) {
        mw_status status = look_at_record(writer, at, &is_child, &length);

        if (status != MW_OK)
            return status;
        if (is_child)
            parts[1 + children++ % CHILD_MAXIMUM] = (mw_extent){at, length};
    }
    *ret_count = 2 + (children < CHILD_MAXIMUM ? children : CHILD_MAXIMUM);
    parts[*ret_count - 1] = (mw_extent){kept_offset, writer->output.length - kept_offset};
    return MW_OK;
}

static void forget_segments(mw_capture_writer *writer, uint32_t dropped, uint64_t bytes)
{
    writer->segment_count -= dropped;
    for (uint32_t i = 0; i < writer->segment_count; i++) {
        writer->segments[i] = writer->segments[i + dropped];
        writer->segments[i].offset -= bytes;
    }
}

/* Drops the segments that end before what is to be kept begins.  What fails changes
 * nothing: the file is longer than asked for until the next time. */
static void drop_old_segments(mw_capture_writer *writer, uint64_t now_ns)
{
    uint32_t dropped = 0;
    uint64_t before = writer->output.length;
    size_t count = 0;
    mw_extent *parts;

    while (dropped + 1 < writer->segment_count &&
           writer->segments[dropped + 1].time_ns + writer->options.keep_ns <= now_ns)
        dropped++;
    if (writer->options.keep_ns == 0 || dropped == 0)
        return;
    parts = mw_alloc_array(writer->alloc, CHILD_MAXIMUM + 2, sizeof *parts);
    if (parts == NULL)
        return;
    if (list_parts(writer, writer->segments[dropped].offset, parts, &count) == MW_OK &&
        mw_capture_output_keep(&writer->output, parts, count, NULL) == MW_OK)
        forget_segments(writer, dropped, before - writer->output.length);
    mw_alloc_release(writer->alloc, parts, (CHILD_MAXIMUM + 2) * sizeof *parts);
}

/* ── snapshots ───────────────────────────────────────────────────────────────────── */

static bool has_totals(const mw_snapshot *snapshot)
{
    return mw_snapshot_has_totals(snapshot) || snapshot->allocated != NULL;
}

static bool needs_segment(const mw_capture_writer *writer, const mw_snapshot *snapshot,
                          uint64_t time_ns)
{
    const mw_segment *segment = &writer->segment;
    uint64_t known = segment->written_sites;

    if (writer->segment_count == 0)
        return false;
    if (writer->options.keep_ns != 0 &&
        time_ns - segment->start_ns >= writer->options.keep_ns / SEGMENTS_PER_KEEP)
        return true;
    if (segment->tallies.items != NULL && segment->tallies.has_totals != has_totals(snapshot))
        return true;
    return known > DEAD_SITES_MINIMUM && known / DEAD_SITES_FACTOR > snapshot->tables->site_count;
}

/* The lines of new frames, behind those that could not be written before.  Lines are worth
 * less than the snapshot: what fails here is left out. */
static void gather_source(mw_capture_writer *writer, mw_segment *segment)
{
    mw_status status = mw_segment_encode_source(segment, &writer->options, &writer->payload);

    if (status == MW_OK && writer->payload.length != 0)
        status = mw_capture_record_append(&writer->source, MW_RECORD_SOURCE, 0, &writer->payload);
    (void)status;
    mw_bytes_clear(&writer->payload);
    writer->source.status = MW_OK;
}

/* The record of a snapshot or a peak, of which the points are the last that are gathered. */
static mw_status add_step(mw_capture_writer *writer, mw_segment *segment, mw_record_type type,
                          const mw_point *points, size_t point_count, const mw_tallies *tallies,
                          bool is_anew)
{
    static const mw_point beginning = {0};
    bool is_peak = type == MW_RECORD_PEAK;

    mw_segment_encode(segment, is_anew ? MW_STEP_ANEW : 0, points, point_count,
                      is_anew || is_peak ? &beginning : &segment->last_point, tallies,
                      &writer->payload);
    return end_record(writer, type, 0);
}

/* A segment that is not in the file yet may change before it is: if that fails, it goes. */
static mw_status add_succeeding_peak(mw_capture_writer *writer, mw_segment *segment)
{
    if (!segment->has_peak)
        return MW_OK;
    return add_step(writer, segment, MW_RECORD_PEAK, &segment->peak_point, 1, &segment->peak,
                    false);
}

static void set_snapshot_written(mw_segment *segment, mw_tallies *tallies, const mw_point *point)
{
    mw_segment_set_written(segment);
    mw_tallies_done(&segment->tallies, segment->alloc);
    segment->tallies = *tallies;
    *tallies = (mw_tallies){0};
    segment->last_point = *point;
}

/* Puts all that a snapshot adds to the file into the writer's records.  On success [fresh],
 * if it is a segment, is as if they had been written. */
static mw_status add_snapshot(mw_capture_writer *writer, mw_segment *segment, bool is_fresh,
                              const mw_point *point, mw_tallies *tallies)
{
    bool is_anew = is_fresh || writer->segment_count == 0;
    mw_status status;

    begin_records(writer);
    status = mw_segment_reserve_written(segment);
    if (status == MW_OK)
        status = add_step(writer, segment, MW_RECORD_SNAPSHOT, writer->points,
                          writer->point_count + 1, tallies, is_anew);
    if (status == MW_OK && is_fresh) {
        segment->start_ns = point->time_ns;
        set_snapshot_written(segment, tallies, point);
        status = add_succeeding_peak(writer, segment);
        mw_bytes_clear(&writer->source);
    }
    if (status == MW_OK) {
        gather_source(writer, segment);
        mw_bytes_put(&writer->records, writer->source.bytes, writer->source.length);
    }
    return status;
}

/* Begins a segment that goes on where the present one is. */
static mw_status begin_segment(const mw_capture_writer *writer, const mw_snapshot *snapshot,
                               mw_segment *ret_segment)
{
    mw_status status = mw_segment_init(ret_segment, writer->frame_limit, writer->alloc);

    if (status == MW_OK)
        status = mw_segment_succeed(ret_segment, &writer->segment, snapshot);
    return status;
}

static mw_status reserve_start(mw_capture_writer *writer)
{
    return mw_alloc_grow(writer->alloc, &writer->segments, writer->segment_count,
                         &writer->segment_capacity, sizeof *writer->segments, SEGMENT_MAXIMUM);
}

/* The first step of the present segment was written at [offset]. */
static void set_segment_begun(mw_capture_writer *writer, uint64_t offset, uint64_t time_ns)
{
    writer->segment.start_ns = time_ns;
    writer->segments[writer->segment_count++] = (segment_start){offset, time_ns};
}

static void set_all_written(mw_capture_writer *writer, mw_segment *fresh, mw_tallies *tallies,
                            const mw_point *point, uint64_t offset)
{
    bool is_fresh = fresh->alloc != NULL;

    if (is_fresh) {
        mw_segment_done(&writer->segment);
        writer->segment = *fresh;
        *fresh = (mw_segment){0};
    } else {
        set_snapshot_written(&writer->segment, tallies, point);
    }
    if (is_fresh || writer->segment_count == 0)
        set_segment_begun(writer, offset, point->time_ns);
    writer->point_count = 0;
    writer->last_time_ns = point->time_ns;
    mw_bytes_clear(&writer->source);
}

/* What large records took is given back: this is inside of the traced process. */
static void trim(mw_capture_writer *writer)
{
    mw_bytes_clear(&writer->records);
    mw_bytes_trim(&writer->payload, KEPT_BYTES);
    mw_bytes_trim(&writer->records, KEPT_BYTES);
    mw_bytes_trim(&writer->source, KEPT_BYTES);
}

mw_status mw_capture_writer_snapshot(mw_capture_writer *writer, const mw_snapshot *snapshot,
                                     const mw_point *point, mw_error *reterr)
{
    mw_point later = later_point(writer, point);
    bool is_fresh = needs_segment(writer, snapshot, later.time_ns);
    uint64_t offset = writer->output.length;
    mw_segment fresh = {0};
    mw_segment *segment = is_fresh ? &fresh : &writer->segment;
    mw_tallies tallies = {0};
    mw_status status = reserve_start(writer);

    writer->points[writer->point_count] = later;
    if (status == MW_OK && is_fresh)
        status = begin_segment(writer, snapshot, &fresh);
    if (status == MW_OK)
        status = mw_segment_take_up(segment, snapshot, &tallies);
    if (status == MW_OK)
        status = add_snapshot(writer, segment, is_fresh, &later, &tallies);
    if (status != MW_OK)
        out_of_memory(status, reterr);
    else
        status = write_records(writer, reterr);
    if (status == MW_OK) {
        set_all_written(writer, &fresh, &tallies, &later, offset);
        if (is_fresh)
            drop_old_segments(writer, later.time_ns);
    }
    mw_tallies_done(&tallies, writer->alloc);
    mw_segment_done(&fresh);
    trim(writer);
    return status;
}

mw_status mw_capture_writer_peak(mw_capture_writer *writer, const mw_snapshot *snapshot,
                                 const mw_point *point, mw_error *reterr)
{
    mw_segment *segment = &writer->segment;
    bool is_anew = writer->segment_count == 0;
    uint64_t offset = writer->output.length;
    mw_tallies tallies = {0};
    mw_status status = reserve_start(writer);

    begin_records(writer);
    if (status == MW_OK)
        status = mw_segment_take_up(segment, snapshot, &tallies);
    if (status == MW_OK)
        status = mw_segment_reserve_written(segment);
    if (status == MW_OK)
        status = add_step(writer, segment, MW_RECORD_PEAK, point, 1, &tallies, is_anew);
    if (status != MW_OK)
        out_of_memory(status, reterr);
    else
        status = write_records(writer, reterr);
    if (status == MW_OK) {
        mw_segment_set_written(segment);
        mw_tallies_done(&segment->peak, writer->alloc);
        segment->peak = tallies;
        segment->peak_point = *point;
        segment->has_peak = true;
        tallies = (mw_tallies){0};
        if (is_anew) {
            set_segment_begun(writer, offset, point->time_ns);
            segment->last_point = (mw_point){0};
        }
    }
    mw_tallies_done(&tallies, writer->alloc);
    trim(writer);
    return status;
}

/* ── what else happens ───────────────────────────────────────────────────────────── */

mw_status mw_capture_writer_child(mw_capture_writer *writer, const mw_child *child,
                                  mw_error *reterr)
{
    mw_status status;

    begin_records(writer);
    status = add_points_record(writer);
    if (status == MW_OK) {
        mw_child_encode(child, &writer->payload);
        status = end_record(writer, MW_RECORD_CHILD, 0);
    }
    return status == MW_OK ? write_with_points(writer, reterr) : out_of_memory(status, reterr);
}

void mw_capture_writer_drop_heap(mw_capture_writer *writer)
{
    mw_status status = MW_OK;

    if (writer->heap_start != 0)
        status = mw_capture_output_cut(&writer->output, writer->heap_start, NULL);
    /* What could not be cut off, the next record goes over; and readers look past it. */
    (void)status;
    writer->heap_start = 0;
}

mw_status mw_capture_writer_heap(mw_capture_writer *writer, mw_record_type type,
                                 const mw_bytes *payload, mw_error *reterr)
{
    uint64_t start = writer->heap_start != 0 ? writer->heap_start : writer->output.length;
    mw_status status;

    begin_records(writer);
    writer->heap_start = start;
    status = mw_capture_record_append(&writer->records, type, MW_RECORD_OPTIONAL, payload);
    status = status == MW_OK ? write_records(writer, reterr) : out_of_memory(status, reterr);
    if (status != MW_OK)
        mw_capture_writer_drop_heap(writer);
    else if (type == MW_RECORD_HEAP)
        writer->heap_start = 0;
    if (type == MW_RECORD_HEAP)
        trim(writer);
    return status;
}

mw_status mw_capture_writer_input(mw_capture_writer *writer, const mw_capture_input *input,
                                  mw_error *reterr)
{
    mw_status status;

    begin_records(writer);
    mw_input_encode(input, &writer->payload);
    status = end_record(writer, MW_RECORD_INPUT, MW_RECORD_OPTIONAL);
    return status == MW_OK ? write_records(writer, reterr) : out_of_memory(status, reterr);
}

mw_status mw_capture_writer_finish(mw_capture_writer *writer, int exit_status, mw_error *reterr)
{
    mw_status status;

    begin_records(writer);
    status = add_points_record(writer);
    if (status == MW_OK) {
        mw_end_encode(exit_status, &writer->payload);
        status = end_record(writer, MW_RECORD_END, 0);
    }
    status = status == MW_OK ? write_with_points(writer, reterr) : out_of_memory(status, reterr);
    mw_capture_output_done(&writer->output);
    return status;
}
