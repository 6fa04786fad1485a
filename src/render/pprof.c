/* SPDX-License-Identifier: MIT
 *
 * profile.proto, gzipped: what `go tool pprof`, Pyroscope, Parca and Speedscope open.  Its
 * definition is github.com/google/pprof/proto/profile.proto; the numbers of fields below
 * are from there.
 *
 * Values are named as Go's heap profiles name them.  A frame of the call tree is a location,
 * a function of a file one of its functions.  Every site is a sample of its own: thread,
 * region, domain and epoch are its labels.  A difference is written as `pprof -diff_base`
 * writes it: the older samples follow with negative values and the label by which pprof
 * knows what to call 100 %.
 *
 * Messages may come in any order, so all is written as it is met: strings first.
 */
#include "base/hash.h"
#include "base/hash_index.h"
#include "base/string_pool.h"
#include "render/call_tree.h"
#include "render/frame_names.h"
#include "render/gzip_sink.h"
#include "render/protobuf.h"
#include "render/renderer.h"
#include "render/site_sums.h"

#include <string.h>

enum profile_field {
    PROFILE_SAMPLE_TYPE = 1,
    PROFILE_SAMPLE = 2,
    PROFILE_MAPPING = 3,
    PROFILE_LOCATION = 4,
    PROFILE_FUNCTION = 5,
    PROFILE_STRING_TABLE = 6,
    PROFILE_TIME_NANOS = 9,
    PROFILE_DURATION_NANOS = 10,
    PROFILE_PERIOD_TYPE = 11,
    PROFILE_PERIOD = 12,
    PROFILE_COMMENT = 13,
    PROFILE_DEFAULT_SAMPLE_TYPE = 14,
};
enum value_type_field { VALUE_TYPE_TYPE = 1, VALUE_TYPE_UNIT = 2 };
enum sample_field { SAMPLE_LOCATION_ID = 1, SAMPLE_VALUE = 2, SAMPLE_LABEL = 3 };
enum label_field { LABEL_KEY = 1, LABEL_STR = 2, LABEL_NUM = 3 };
enum mapping_field {
    MAPPING_ID = 1,
    MAPPING_FILENAME = 5,
    MAPPING_HAS_FUNCTIONS = 7,
    MAPPING_HAS_FILENAMES = 8,
    MAPPING_HAS_LINE_NUMBERS = 9,
};
enum location_field { LOCATION_ID = 1, LOCATION_MAPPING_ID = 2, LOCATION_LINE = 4 };
enum line_field { LINE_FUNCTION_ID = 1, LINE_LINE = 2 };
enum function_field {
    FUNCTION_ID = 1,
    FUNCTION_NAME = 2,
    FUNCTION_SYSTEM_NAME = 3,
    FUNCTION_FILENAME = 4,
    FUNCTION_START_LINE = 5,
};

typedef struct pprof_function {
    uint32_t name; /* in the table of strings, as are the next two */
    uint32_t system_name;
    uint32_t file;
    int32_t first_line;
} pprof_function;

typedef struct pprof_writer {
    mw_alloc *alloc; /* borrowed                                             */
    const mw_view *view;
    const mw_call_tree *tree;
    uint32_t *regions; /* owned; by node, see render/frame_names.h; NULL: none */
    mw_sink *sink;
    mw_status status;          /* the first failure of ours; the sink has its own        */
    mw_string_pool strings;    /* the table of strings; all of them have been written   */
    mw_buffer text;            /* a string, before it is in the table                    */
    mw_buffer outer;           /* a message that is being made                           */
    mw_buffer inner;           /* a message within it                                    */
    pprof_function *functions; /* owned; [0] is none                                  */
    uint32_t function_count;
    uint32_t function_capacity;
    mw_hash_index function_index;
} pprof_writer;

/* ── strings ─────────────────────────────────────────────────────────────────────── */

static void fail(pprof_writer *writer, mw_status status)
{
    if (writer->status == MW_OK)
        writer->status = status;
}

/* The number of what stands in `text`, which is emptied; written when it is new. */
static uint32_t string_of_text(pprof_writer *writer)
{
    mw_buffer *text = &writer->text;
    const char *bytes = text->length == 0 ? "" : text->bytes;
    uint32_t count = writer->strings.count;
    uint32_t number = 0;

    fail(writer, text->sink.status);
    if (writer->status == MW_OK)
        fail(writer, mw_string_pool_intern(&writer->strings, bytes, text->length, &number));
    if (writer->status == MW_OK && writer->strings.count != count)
        mw_protobuf_bytes(writer->sink, PROFILE_STRING_TABLE, bytes, text->length);
    text->length = 0;
    return number;
}

static uint32_t string_of(pprof_writer *writer, const char *text)
{
    mw_sink_escaped(&writer->text.sink, text, strlen(text), "");
    return string_of_text(writer);
}

static uint32_t string_of_name(pprof_writer *writer, const mw_snapshot *snapshot, mw_string name)
{
    size_t length;
    const char *bytes = mw_snapshot_string(snapshot, name, &length);

    mw_sink_escaped(&writer->text.sink, bytes, length, "");
    return string_of_text(writer);
}

/* ── what the profile is ─────────────────────────────────────────────────────────── */

static void write_value_type(pprof_writer *writer, enum profile_field field, const char *type,
                             const char *unit)
{
    uint32_t type_string = string_of(writer, type), unit_string = string_of(writer, unit);

    mw_protobuf_number(&writer->outer.sink, VALUE_TYPE_TYPE, type_string);
    mw_protobuf_number(&writer->outer.sink, VALUE_TYPE_UNIT, unit_string);
    mw_protobuf_message(writer->sink, field, &writer->outer);
}

static bool has_totals(const pprof_writer *writer)
{
    return mw_snapshot_has_totals(writer->view->snapshot) &&
           (writer->view->older == NULL || mw_snapshot_has_totals(writer->view->older));
}

static void write_types(pprof_writer *writer)
{
    uint64_t sample_bytes = mw_snapshot_sample_bytes(writer->view->snapshot);

    if (sample_bytes == 0 && writer->view->timeline != NULL)
        sample_bytes = writer->view->timeline->program.sample_bytes;
    if (has_totals(writer)) {
        write_value_type(writer, PROFILE_SAMPLE_TYPE, "alloc_objects", "count");
        write_value_type(writer, PROFILE_SAMPLE_TYPE, "alloc_space", "bytes");
    }
    write_value_type(writer, PROFILE_SAMPLE_TYPE, "inuse_objects", "count");
    write_value_type(writer, PROFILE_SAMPLE_TYPE, "inuse_space", "bytes");
    mw_protobuf_number(writer->sink, PROFILE_DEFAULT_SAMPLE_TYPE, string_of(writer, "inuse_space"));
    write_value_type(writer, PROFILE_PERIOD_TYPE, "space", "bytes");
    mw_protobuf_number(writer->sink, PROFILE_PERIOD, sample_bytes == 0 ? 1 : sample_bytes);
}

static void write_line_of_comment(pprof_writer *writer, const char *title, const char *text,
                                  size_t length)
{
    if (length == 0)
        return;
    mw_sink_text(&writer->text.sink, title);
    mw_sink_escaped(&writer->text.sink, text, length, "");
    mw_protobuf_number(writer->sink, PROFILE_COMMENT, string_of_text(writer));
}

static void write_comment(pprof_writer *writer, const char *title, const char *text)
{
    write_line_of_comment(writer, title, text, strlen(text));
}

/* Each of its lines is a comment. */
static void write_verdict(pprof_writer *writer)
{
    for (const char *line = writer->view->verdict; line != NULL;) {
        const char *end = strchr(line, '\n');

        write_line_of_comment(writer, "", line, end == NULL ? strlen(line) : (size_t)(end - line));
        line = end == NULL ? NULL : end + 1;
    }
}

static uint64_t time_of(const mw_view *view)
{
    if (view->time_ns != 0 || view->timeline == NULL || view->timeline->point_count == 0)
        return view->time_ns;
    return view->timeline->points[view->timeline->point_count - 1].time_ns;
}

static void write_program(pprof_writer *writer)
{
    const mw_timeline *timeline = writer->view->timeline;

    write_comment(writer, "memwhy " MW_VERSION ": bytes are what is ",
                  mw_view_measure(writer->view));
    write_verdict(writer);
    if (timeline == NULL)
        return;
    write_comment(writer, "program: ", timeline->program.name);
    write_comment(writer, "command: ", timeline->program.command_line);
    write_comment(writer, "python: ", timeline->program.python);
    write_comment(writer, "host: ", timeline->program.host);
    if (timeline->program.start_unix_ns != 0)
        mw_protobuf_number(writer->sink, PROFILE_TIME_NANOS,
                           timeline->program.start_unix_ns + time_of(writer->view));
    mw_protobuf_number(writer->sink, PROFILE_DURATION_NANOS, time_of(writer->view));
}

/* One mapping for all: it says that names and lines are here, and need not be looked for. */
static void write_mapping(pprof_writer *writer)
{
    const mw_timeline *timeline = writer->view->timeline;
    uint32_t file = string_of(writer, timeline == NULL ? "" : timeline->program.name);
    mw_sink *sink = &writer->outer.sink;

    mw_protobuf_number(sink, MAPPING_ID, 1);
    mw_protobuf_number(sink, MAPPING_FILENAME, file);
    mw_protobuf_number(sink, MAPPING_HAS_FUNCTIONS, 1);
    mw_protobuf_number(sink, MAPPING_HAS_FILENAMES, 1);
    mw_protobuf_number(sink, MAPPING_HAS_LINE_NUMBERS, 1);
    mw_protobuf_message(writer->sink, PROFILE_MAPPING, &writer->outer);
}

/* ── locations and functions ─────────────────────────────────────────────────────── */

static void write_function(pprof_writer *writer, uint32_t id)
{
    const pprof_function *function = &writer->functions[id];
    mw_sink *sink = &writer->outer.sink;

    mw_protobuf_number(sink, FUNCTION_ID, id);
    mw_protobuf_number(sink, FUNCTION_NAME, function->name);
    mw_protobuf_number(sink, FUNCTION_SYSTEM_NAME, function->system_name);
    mw_protobuf_number(sink, FUNCTION_FILENAME, function->file);
    if (function->first_line > 0)
        mw_protobuf_number(sink, FUNCTION_START_LINE, (uint64_t)function->first_line);
    mw_protobuf_message(writer->sink, PROFILE_FUNCTION, &writer->outer);
}

static uint32_t find_function(const pprof_writer *writer, uint64_t hash,
                              const pprof_function *function)
{
    mw_hash_probe probe = mw_hash_probe_start(hash);
    uint32_t item;

    while ((item = mw_hash_index_next(&writer->function_index, &probe)) != 0) {
        const pprof_function *known = &writer->functions[item];
        if (known->name == function->name && known->file == function->file &&
            known->first_line == function->first_line)
            return item;
    }
    return 0;
}

/* The number of a function, which is written when it is new. */
static uint32_t intern_function(pprof_writer *writer, const pprof_function *function)
{
    uint64_t hash = mw_hash_combine(mw_hash_combine(function->name, function->file),
                                    (uint64_t)(uint32_t)function->first_line);
    uint32_t id = find_function(writer, hash, function);

    if (id != 0 || writer->status != MW_OK)
        return id;
    fail(writer, mw_hash_index_reserve(&writer->function_index, 1));
    if (writer->status == MW_OK)
        fail(writer,
             mw_alloc_grow(writer->alloc, &writer->functions, writer->function_count,
                           &writer->function_capacity, sizeof *writer->functions, UINT32_MAX));
    if (writer->status != MW_OK)
        return 0;
    id = writer->function_count++;
    writer->functions[id] = *function;
    mw_hash_index_add(&writer->function_index, hash, id);
    write_function(writer, id);
    return id;
}

/* "module.function", as pprof is used to from Go: by default it tells functions apart by
 * their names alone, and every module has a "<module>". */
static uint32_t qualified_name(pprof_writer *writer, const mw_call_frame *frame)
{
    size_t length;
    const char *module = mw_snapshot_string(frame->snapshot, frame->row.module, &length);

    if (length != 0) {
        mw_sink_escaped(&writer->text.sink, module, length, "");
        mw_sink_text(&writer->text.sink, ".");
    }
    return string_of_name(writer, frame->snapshot, frame->row.function);
}

static uint32_t function_of(pprof_writer *writer, const mw_call_frame *frame)
{
    const mw_frame_row *row = &frame->row;
    pprof_function function = {.first_line = row->first_line};

    function.file = string_of_name(writer, frame->snapshot, row->file);
    if (row->function.index == 0) {
        /* Nameless code goes by its file, and what has neither must be called something. */
        function.name = row->file.index != 0 ? function.file : string_of(writer, "<unknown>");
        return intern_function(writer, &function);
    }
    /* Were both names one, pprof would take "<module>" for the arguments of a template in
     * C++ and show nothing of it. */
    function.name = qualified_name(writer, frame);
    if (row->module.index != 0)
        function.system_name = string_of_name(writer, frame->snapshot, row->function);
    return intern_function(writer, &function);
}

static void write_location(pprof_writer *writer, uint32_t frame)
{
    uint32_t function = function_of(writer, &writer->tree->frames[frame]);
    int32_t line = writer->tree->frames[frame].row.line;

    mw_protobuf_number(&writer->inner.sink, LINE_FUNCTION_ID, function);
    if (line > 0)
        mw_protobuf_number(&writer->inner.sink, LINE_LINE, (uint64_t)line);
    mw_protobuf_number(&writer->outer.sink, LOCATION_ID, frame);
    mw_protobuf_number(&writer->outer.sink, LOCATION_MAPPING_ID, 1);
    mw_protobuf_message(&writer->outer.sink, LOCATION_LINE, &writer->inner);
    mw_protobuf_message(writer->sink, PROFILE_LOCATION, &writer->outer);
}

/* ── samples ─────────────────────────────────────────────────────────────────────── */

static void add_label(pprof_writer *writer, const char *key, uint32_t string, uint64_t number)
{
    uint32_t key_string;

    if (string == 0 && number == 0)
        return;
    key_string = string_of(writer, key);
    mw_protobuf_number(&writer->inner.sink, LABEL_KEY, key_string);
    mw_protobuf_number(&writer->inner.sink, LABEL_STR, string);
    mw_protobuf_number(&writer->inner.sink, LABEL_NUM, number);
    mw_protobuf_message(&writer->outer.sink, SAMPLE_LABEL, &writer->inner);
}

static void add_labels(pprof_writer *writer, const mw_snapshot *snapshot, mw_site_row site,
                       uint32_t node, bool is_older)
{
    uint32_t region = writer->regions == NULL ? 0 : writer->regions[node];

    add_label(writer, "thread", string_of(writer, mw_snapshot_thread_name(snapshot, site.thread)),
              0);
    if (region != 0) {
        const mw_call_frame *frame = &writer->tree->frames[writer->tree->nodes[region].frame];
        add_label(writer, "region", string_of_name(writer, frame->snapshot, frame->row.function),
                  0);
    }
    add_label(writer, "domain", 0, site.domain);
    add_label(writer, "epoch", 0, site.epoch);
    if (is_older)
        add_label(writer, "pprof::base", string_of(writer, "true"), 0);
}

/* The most recent frame first. */
static void add_locations(pprof_writer *writer, uint32_t node)
{
    for (; node != 0; node = writer->tree->nodes[node].caller)
        mw_protobuf_varint(&writer->inner.sink, writer->tree->nodes[node].frame);
    mw_protobuf_message(&writer->outer.sink, SAMPLE_LOCATION_ID, &writer->inner);
}

/* In the order of write_types(); below zero for what there was before. */
static void add_values(pprof_writer *writer, mw_site_row site, const mw_tally *sum, bool is_older)
{
    const uint64_t values[] = {site.total_blocks, site.total_bytes, sum->blocks, sum->bytes};

    for (int i = has_totals(writer) ? 0 : 2; i < 4; i++)
        mw_protobuf_varint(&writer->inner.sink, is_older ? -values[i] : values[i]);
    mw_protobuf_message(&writer->outer.sink, SAMPLE_VALUE, &writer->inner);
}

static void write_samples(pprof_writer *writer, const mw_snapshot *snapshot,
                          const uint32_t *site_nodes, bool is_older)
{
    mw_site_sums sums;
    mw_status status = mw_site_sums_init(&sums, snapshot, writer->alloc);

    fail(writer, status);
    if (status != MW_OK)
        return;
    for (uint32_t i = 1; i < sums.count && writer->status == MW_OK; i++) {
        mw_site_row site = mw_snapshot_site(snapshot, (mw_site){i});

        if (site_nodes[i] == 0 || (!has_totals(writer) && !mw_site_sums_has(&sums, i)))
            continue;
        add_locations(writer, site_nodes[i]);
        add_values(writer, site, &sums.sites[i], is_older);
        add_labels(writer, snapshot, site, site_nodes[i], is_older);
        mw_protobuf_message(writer->sink, PROFILE_SAMPLE, &writer->outer);
    }
    mw_site_sums_done(&sums);
}

/* ── all of it ───────────────────────────────────────────────────────────────────── */

static void write_profile(pprof_writer *writer)
{
    const mw_view *view = writer->view;

    mw_protobuf_bytes(writer->sink, PROFILE_STRING_TABLE, "", 0); /* string 0 */
    write_types(writer);
    write_program(writer);
    write_mapping(writer);
    for (uint32_t i = 1; i < writer->tree->frame_count && writer->status == MW_OK; i++)
        write_location(writer, i);
    write_samples(writer, view->snapshot, writer->tree->site_nodes, false);
    if (view->older != NULL && writer->status == MW_OK)
        write_samples(writer, view->older, writer->tree->older_site_nodes, true);
}

static mw_status writer_init(pprof_writer *writer)
{
    mw_status status;

    mw_buffer_init(&writer->text, writer->alloc);
    mw_buffer_init(&writer->outer, writer->alloc);
    mw_buffer_init(&writer->inner, writer->alloc);
    mw_hash_index_init(&writer->function_index, writer->alloc);
    status = mw_string_pool_init(&writer->strings, writer->alloc);
    if (status == MW_OK)
        status = mw_alloc_grow(writer->alloc, &writer->functions, 0, &writer->function_capacity,
                               sizeof *writer->functions, UINT32_MAX);
    writer->function_count = 1;
    if (status == MW_OK)
        status = mw_call_tree_regions(writer->tree, writer->alloc, &writer->regions);
    return status;
}

static void writer_done(pprof_writer *writer)
{
    mw_buffer_done(&writer->text);
    mw_buffer_done(&writer->outer);
    mw_buffer_done(&writer->inner);
    mw_string_pool_done(&writer->strings);
    mw_hash_index_done(&writer->function_index);
    mw_alloc_release(writer->alloc, writer->regions,
                     writer->tree->node_count * sizeof *writer->regions);
    mw_alloc_release(writer->alloc, writer->functions,
                     writer->function_capacity * sizeof *writer->functions);
}

static mw_status write_tree(const mw_view *view, const mw_call_tree *tree, mw_alloc *alloc,
                            mw_sink *sink)
{
    pprof_writer writer = {.alloc = alloc, .view = view, .tree = tree};
    mw_gzip_sink *gzip = NULL;
    mw_status status = writer_init(&writer);

    if (status == MW_OK)
        status = mw_gzip_sink_new(sink, alloc, &gzip);
    if (status == MW_OK) {
        writer.sink = mw_gzip_sink_sink(gzip);
        write_profile(&writer);
        status = writer.status;
    }
    if (status == MW_OK)
        status = mw_gzip_sink_finish(gzip);
    mw_gzip_sink_free(gzip);
    writer_done(&writer);
    return status;
}

static mw_status pprof_write(const mw_view *view, mw_alloc *alloc, mw_sink *sink, mw_error *reterr)
{
    static const mw_tree_drawing drawing = {
        .options = {.keeps_sites = true}, .what = "the pprof profile", .write = write_tree};

    return mw_renderer_draw_tree(&drawing, view, alloc, sink, reterr);
}

const mw_renderer mw_renderer_pprof = {
    .name = "pprof",
    .extension = ".pb.gz",
    .summary = "a profile for `go tool pprof` and engines that read its format",
    .write = pprof_write,
};
