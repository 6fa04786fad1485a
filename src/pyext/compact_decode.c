/* SPDX-License-Identifier: MIT
 *
 * A compact state back into tables.  It comes from a file, so nothing in it is believed:
 * every number is compared with how many rows there are before it is used, and sums are
 * bounded.  What is wrong is said in one sentence.
 */
#include "pyext/compact_state.h"

#include <string.h>

#include "pyext/compact_rows.h"
#include "pyext/raise.h"
#include "pyext/raw_traces.h"
#include "pyext/utf8.h"

/* Rows in someone's bytes, which need not be aligned. */
typedef struct row_view {
    const char *bytes; /* borrowed from the tuple */
    uint32_t count;
} row_view;

typedef struct mw_decoder {
    PyObject *state; /* the tuple */
    mw_snapshot_builder *builder;
    uint32_t frame_limit;
    uint32_t string_count, thread_count;
    row_view frames, paths, sites, runs, allocated;
    uint64_t sample_bytes; /* 0: exact */
    /* What the builder made of each row; index 0 is 0.  Equal rows give equal handles. */
    mw_string *made_strings;
    mw_frame *made_frames;
    mw_path *made_paths;
    uint32_t *depths; /* by path */
    mw_site *made_sites;
} mw_decoder;

static bool refuse(const char *what)
{
    PyErr_Format(PyExc_ValueError, "damaged snapshot: %s", what);
    return false;
}

static bool check_status(mw_status status)
{
    if (status == MW_OK)
        return true;
    mw_raise(status, NULL);
    return false;
}

/* ── opening ─────────────────────────────────────────────────────────────────────── */

static bool open_rows(PyObject *bytes, size_t row_bytes, row_view *ret_view)
{
    if (!PyBytes_CheckExact(bytes))
        return refuse("a table is not of bytes");
    size_t length = (size_t)PyBytes_GET_SIZE(bytes);
    if (length % row_bytes != 0)
        return refuse("a table ends within a row");
    if (length / row_bytes >= UINT32_MAX)
        return refuse("a table is too long");
    ret_view->bytes = PyBytes_AS_STRING(bytes);
    ret_view->count = (uint32_t)(length / row_bytes);
    return true;
}

static bool open_texts(PyObject *tuple, uint32_t *ret_count)
{
    if (!PyTuple_CheckExact(tuple) || PyTuple_GET_SIZE(tuple) >= UINT32_MAX)
        return refuse("names are not in a tuple");
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(tuple); i++) {
        if (!PyUnicode_CheckExact(PyTuple_GET_ITEM(tuple, i)))
            return refuse("a name is not a str");
    }
    *ret_count = (uint32_t)PyTuple_GET_SIZE(tuple);
    return true;
}

static bool open_header(mw_decoder *decoder)
{
    PyObject *state = decoder->state;
    int overflow;

    if (!PyTuple_CheckExact(state) || PyTuple_GET_SIZE(state) < 1 ||
        !PyLong_CheckExact(PyTuple_GET_ITEM(state, MW_COMPACT_PLACE_VERSION)))
        return refuse("it has no version");
    long version =
        PyLong_AsLongAndOverflow(PyTuple_GET_ITEM(state, MW_COMPACT_PLACE_VERSION), &overflow);
    if (version != MW_COMPACT_VERSION && version != MW_COMPACT_VERSION_SAMPLED)
        return refuse("its version is not known; a newer memwhy may read it");
    if (PyTuple_GET_SIZE(state) !=
            (version == MW_COMPACT_VERSION ? MW_COMPACT_PLACES : MW_COMPACT_PLACES_SAMPLED) ||
        !PyLong_CheckExact(PyTuple_GET_ITEM(state, MW_COMPACT_PLACE_LIMIT)))
        return refuse("a part of it is missing");
    long limit =
        PyLong_AsLongAndOverflow(PyTuple_GET_ITEM(state, MW_COMPACT_PLACE_LIMIT), &overflow);
    if (limit < 1 || limit > MW_FRAME_LIMIT_MAXIMUM)
        return refuse("its frame limit is out of range");
    decoder->frame_limit = (uint32_t)limit;
    return true;
}

/* What only a sampled snapshot has. */
static bool open_samples(mw_decoder *decoder)
{
    PyObject *state = decoder->state;
    PyObject *number;
    int overflow;

    if (PyTuple_GET_SIZE(state) != MW_COMPACT_PLACES_SAMPLED)
        return true;
    number = PyTuple_GET_ITEM(state, MW_COMPACT_PLACE_SAMPLE_BYTES);
    if (!PyLong_CheckExact(number))
        return refuse("a part of it is missing");
    long long sample_bytes = PyLong_AsLongLongAndOverflow(number, &overflow);
    if (sample_bytes < 1 || (uint64_t)sample_bytes > MW_SAMPLE_BYTES_MAXIMUM)
        return refuse("the distance of its samples is out of range");
    decoder->sample_bytes = (uint64_t)sample_bytes;
    return open_rows(PyTuple_GET_ITEM(state, MW_COMPACT_PLACE_ALLOCATED),
                     sizeof(mw_compact_allocated), &decoder->allocated);
}

static bool open_parts(mw_decoder *decoder)
{
    PyObject *state = decoder->state;

    return open_header(decoder) && open_samples(decoder) &&
           open_texts(PyTuple_GET_ITEM(state, MW_COMPACT_PLACE_STRINGS), &decoder->string_count) &&
           open_texts(PyTuple_GET_ITEM(state, MW_COMPACT_PLACE_THREADS), &decoder->thread_count) &&
           open_rows(PyTuple_GET_ITEM(state, MW_COMPACT_PLACE_FRAMES), sizeof(mw_compact_frame),
                     &decoder->frames) &&
           open_rows(PyTuple_GET_ITEM(state, MW_COMPACT_PLACE_PATHS), sizeof(mw_compact_path),
                     &decoder->paths) &&
           open_rows(PyTuple_GET_ITEM(state, MW_COMPACT_PLACE_SITES), sizeof(mw_compact_site),
                     &decoder->sites) &&
           open_rows(PyTuple_GET_ITEM(state, MW_COMPACT_PLACE_RUNS), sizeof(mw_compact_run),
                     &decoder->runs);
}

/* Row 1 is the first. */
static void read_row(const row_view *view, uint32_t number, void *ret_row, size_t row_bytes)
{
    memcpy(ret_row, view->bytes + (size_t)(number - 1) * row_bytes, row_bytes);
}

/* ── tables ──────────────────────────────────────────────────────────────────────── */

static bool allocate(uint32_t count, size_t item_bytes, void *ret_items)
{
    void *items = mw_alloc_array(mw_alloc_system(), (size_t)count + 1, item_bytes);

    memcpy(ret_items, &items, sizeof items);
    if (items == NULL)
        PyErr_NoMemory();
    return items != NULL;
}

static bool allocate_all(mw_decoder *decoder)
{
    return allocate(decoder->string_count, sizeof(mw_string), &decoder->made_strings) &&
           allocate(decoder->frames.count, sizeof(mw_frame), &decoder->made_frames) &&
           allocate(decoder->paths.count, sizeof(mw_path), &decoder->made_paths) &&
           allocate(decoder->paths.count, sizeof(uint32_t), &decoder->depths) &&
           allocate(decoder->sites.count, sizeof(mw_site), &decoder->made_sites) &&
           check_status(
               mw_snapshot_builder_new(mw_alloc_system(), decoder->frame_limit, &decoder->builder));
}

static bool intern_text(mw_decoder *decoder, PyObject *text, mw_string *ret_string)
{
    mw_utf8 utf8;

    if (mw_utf8_init(&utf8, text) < 0)
        return false;
    mw_status status =
        mw_snapshot_builder_string(decoder->builder, utf8.bytes, utf8.length, ret_string);
    mw_utf8_done(&utf8);
    return check_status(status);
}

static bool decode_strings(mw_decoder *decoder)
{
    PyObject *texts = PyTuple_GET_ITEM(decoder->state, MW_COMPACT_PLACE_STRINGS);

    for (uint32_t i = 0; i < decoder->string_count; i++) {
        if (!intern_text(decoder, PyTuple_GET_ITEM(texts, i), &decoder->made_strings[i + 1]))
            return false;
    }
    return true;
}

static bool decode_threads(mw_decoder *decoder)
{
    PyObject *names = PyTuple_GET_ITEM(decoder->state, MW_COMPACT_PLACE_THREADS);

    for (uint32_t i = 0; i < decoder->thread_count; i++) {
        mw_string name;
        if (!intern_text(decoder, PyTuple_GET_ITEM(names, i), &name) ||
            !check_status(
                mw_snapshot_builder_name_thread(decoder->builder, (mw_thread){i + 1}, name)))
            return false;
    }
    return true;
}

static bool decode_frames(mw_decoder *decoder)
{
    for (uint32_t i = 1; i <= decoder->frames.count; i++) {
        mw_compact_frame row;
        read_row(&decoder->frames, i, &row, sizeof row);
        if (row.file > decoder->string_count || row.function > decoder->string_count ||
            row.module > decoder->string_count)
            return refuse("a frame names a string that is not there");
        mw_frame_row frame = {.file = decoder->made_strings[row.file],
                              .function = decoder->made_strings[row.function],
                              .module = decoder->made_strings[row.module],
                              .line = row.line};
        if (!check_status(
                mw_snapshot_builder_frame(decoder->builder, frame, &decoder->made_frames[i])))
            return false;
    }
    return true;
}

static bool decode_paths(mw_decoder *decoder)
{
    for (uint32_t i = 1; i <= decoder->paths.count; i++) {
        mw_compact_path row;
        read_row(&decoder->paths, i, &row, sizeof row);
        if (row.caller >= i)
            return refuse("a call path does not follow its caller");
        if (row.frame == 0 || row.frame > decoder->frames.count)
            return refuse("a call path names a frame that is not there");
        decoder->depths[i] = decoder->depths[row.caller] + 1;
        if (!check_status(
                mw_snapshot_builder_path(decoder->builder, decoder->made_paths[row.caller],
                                         decoder->made_frames[row.frame], &decoder->made_paths[i])))
            return false;
    }
    return true;
}

static bool decode_sites(mw_decoder *decoder)
{
    for (uint32_t i = 1; i <= decoder->sites.count; i++) {
        mw_compact_site row;
        read_row(&decoder->sites, i, &row, sizeof row);
        if (row.path == 0 || row.path > decoder->paths.count)
            return refuse("a site names a call path that is not there");
        if (row.thread > decoder->thread_count)
            return refuse("a site names a thread that is not there");
        uint32_t depth = decoder->depths[row.path];
        uint32_t kept = depth < decoder->frame_limit ? depth : decoder->frame_limit;
        if (row.total_frames != MW_TOTAL_FRAMES_UNKNOWN && row.total_frames < kept)
            return refuse("a traceback has more frames than there were");
        if (!check_status(mw_snapshot_builder_site(
                decoder->builder, decoder->made_paths[row.path], row.total_frames, row.domain,
                (mw_thread){row.thread}, &decoder->made_sites[i])))
            return false;
    }
    return true;
}

static bool decode_runs(mw_decoder *decoder)
{
    uint64_t bytes = 0, blocks = 0;

    for (uint32_t i = 1; i <= decoder->runs.count; i++) {
        mw_compact_run row;
        uint64_t run_bytes;
        read_row(&decoder->runs, i, &row, sizeof row);
        if (row.site == 0 || row.site > decoder->sites.count)
            return refuse("a block names a site that is not there");
        if (row.blocks == 0 || row.blocks > MW_RAW_TOTAL_MAXIMUM ||
            __builtin_mul_overflow(row.blocks, row.size_bytes, &run_bytes) ||
            run_bytes > MW_RAW_TOTAL_MAXIMUM)
            return refuse("a run of blocks is out of range");
        bytes += run_bytes;
        blocks += row.blocks;
        if (bytes > MW_RAW_TOTAL_MAXIMUM || blocks > MW_RAW_TOTAL_MAXIMUM)
            return refuse("its blocks add up to more than there can be");
        if (!check_status(mw_snapshot_builder_blocks(
                decoder->builder, decoder->made_sites[row.site], row.size_bytes, row.blocks)))
            return false;
    }
    return true;
}

/* The least, the likely and the uncertain: each a number, in order, that sums can bear. */
static bool is_possible(double seen, double estimate, double variance)
{
    const double maximum = (double)MW_RAW_TOTAL_MAXIMUM;

    return seen >= 0 && seen <= estimate && estimate <= maximum && variance >= 0 &&
           variance <= maximum * maximum;
}

static bool decode_allocated(mw_decoder *decoder)
{
    if (decoder->sample_bytes != 0)
        mw_snapshot_builder_sampled(decoder->builder, decoder->sample_bytes);
    for (uint32_t i = 1; i <= decoder->allocated.count; i++) {
        mw_compact_allocated row;
        read_row(&decoder->allocated, i, &row, sizeof row);
        if (row.site == 0 || row.site > decoder->sites.count)
            return refuse("a sum names a site that is not there");
        if (!is_possible(row.seen_blocks, row.blocks, row.blocks_variance) ||
            !is_possible(row.seen_bytes, row.bytes, row.bytes_variance) ||
            !is_possible(0, 0, row.unseen_square))
            return refuse("a sum of what was allocated is out of range");
        mw_estimate allocated = {.blocks = row.blocks,
                                 .bytes = row.bytes,
                                 .seen_blocks = row.seen_blocks,
                                 .seen_bytes = row.seen_bytes,
                                 .blocks_variance = row.blocks_variance,
                                 .bytes_variance = row.bytes_variance,
                                 .unseen_square = row.unseen_square,
                                 .repeats = 1};
        if (!check_status(mw_snapshot_builder_allocated(decoder->builder,
                                                        decoder->made_sites[row.site], &allocated)))
            return false;
    }
    return true;
}

/* Sums over every frame of every traceback must stay within 64 bits, as estimates too. */
static bool check_estimates(const mw_snapshot *snapshot)
{
    mw_estimate live = mw_snapshot_estimate(snapshot);
    mw_estimate allocated = {0};

    for (uint32_t site = 1; site <= mw_snapshot_site_count(snapshot); site++) {
        const mw_estimate *of_site = mw_snapshot_allocated(snapshot, (mw_site){site});
        if (of_site != NULL)
            mw_estimate_add(&allocated, of_site);
    }
    if (live.bytes > (double)MW_RAW_TOTAL_MAXIMUM || live.blocks > (double)MW_RAW_TOTAL_MAXIMUM ||
        allocated.bytes > (double)MW_RAW_TOTAL_MAXIMUM ||
        allocated.blocks > (double)MW_RAW_TOTAL_MAXIMUM)
        return refuse("its samples stand for more than there can be");
    return true;
}

/* ── public ──────────────────────────────────────────────────────────────────────── */

static void decoder_done(mw_decoder *decoder)
{
    mw_alloc *alloc = mw_alloc_system();

    mw_alloc_release(alloc, decoder->made_strings,
                     ((size_t)decoder->string_count + 1) * sizeof(mw_string));
    mw_alloc_release(alloc, decoder->made_frames,
                     ((size_t)decoder->frames.count + 1) * sizeof(mw_frame));
    mw_alloc_release(alloc, decoder->made_paths,
                     ((size_t)decoder->paths.count + 1) * sizeof(mw_path));
    mw_alloc_release(alloc, decoder->depths, ((size_t)decoder->paths.count + 1) * sizeof(uint32_t));
    mw_alloc_release(alloc, decoder->made_sites,
                     ((size_t)decoder->sites.count + 1) * sizeof(mw_site));
    mw_snapshot_builder_free(decoder->builder);
}

mw_snapshot *mw_compact_state_decode(PyObject *tuple)
{
    mw_decoder decoder = {.state = tuple};
    mw_snapshot_builder *finished;
    mw_snapshot *snapshot = NULL;

    if (!open_parts(&decoder) || !allocate_all(&decoder))
        goto done;
    if (!decode_strings(&decoder) || !decode_threads(&decoder) || !decode_frames(&decoder) ||
        !decode_paths(&decoder) || !decode_sites(&decoder) || !decode_runs(&decoder) ||
        !decode_allocated(&decoder))
        goto done;
    finished = decoder.builder;
    decoder.builder = NULL;
    if (!check_status(mw_snapshot_builder_finish(finished, &snapshot)))
        snapshot = NULL;
    if (snapshot != NULL && decoder.sample_bytes != 0 && !check_estimates(snapshot)) {
        mw_snapshot_release(snapshot);
        snapshot = NULL;
    }

done:
    decoder_done(&decoder);
    return snapshot;
}
