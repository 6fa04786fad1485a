/* SPDX-License-Identifier: MIT
 *
 * Interns what a snapshot is made of.  The builder fills the snapshot's own tables and
 * keeps beside them what only interning needs: an index per table, and per path a hash
 * of the (file, line)s on it.
 *
 * That hash is a polynomial: of a path whose frames, oldest first, hash to f1 … fn it is
 * f1·B^(n-1) + … + fn.  It grows by one multiplication when a call is added to a path,
 * so a whole traceback is hashed in O(1); and it is the same sum, only shorter, when a
 * traceback is cut: what its path hashes to less what the frames that are cut off add to
 * that.  So a whole traceback and a cut one with equal frames have equal hashes, as they
 * must to be found equal.
 */
#include "core/snapshot.h"

#include "base/hash.h"
#include "core/snapshot_tables.h"

#include <assert.h>
#include <string.h>

#define SEQUENCE_BASE MW_HASH_SECOND

struct mw_snapshot_builder {
    mw_alloc *alloc;            /* borrowed                                      */
    mw_snapshot_tables *tables; /* of the snapshot                               */
    mw_snapshot *snapshot;      /* owned until it is finished                    */
    uint64_t *path_hashes;      /* owned; by path: the polynomial over its frames */
    uint32_t path_hash_capacity;
    mw_hash_index frame_index;
    mw_hash_index path_index;
    mw_hash_index traceback_index;
    mw_hash_index site_index;
};

/* ── making and freeing ──────────────────────────────────────────────────────────── */

static mw_status tables_new(mw_alloc *alloc, uint32_t frame_limit, mw_snapshot_tables **ret_tables)
{
    mw_snapshot_tables *tables = mw_alloc_new(alloc, sizeof *tables);
    mw_status status;

    if (tables == NULL)
        return MW_NO_MEMORY;
    tables->alloc = alloc;
    tables->references = 1;
    tables->frame_limit = frame_limit;
    status = mw_string_pool_init(&tables->strings, alloc);
    if (status != MW_OK) {
        mw_snapshot_tables_release(tables);
        return status;
    }
    *ret_tables = tables;
    return MW_OK;
}

/* Room for one more frame, path, traceback or site in every array that has a row for it;
 * a refusal leaves at most more room than before. */

static mw_status reserve_frame(mw_snapshot_builder *builder)
{
    mw_snapshot_tables *tables = builder->tables;
    mw_status status;

    status = mw_hash_index_reserve(&builder->frame_index, 1);
    if (status != MW_OK)
        return status;
    return mw_alloc_grow(builder->alloc, &tables->frames, tables->frame_count,
                         &tables->frame_capacity, sizeof *tables->frames, UINT32_MAX);
}

static mw_status reserve_path(mw_snapshot_builder *builder)
{
    mw_snapshot_tables *tables = builder->tables;
    mw_status status;

    status = mw_hash_index_reserve(&builder->path_index, 1);
    if (status != MW_OK)
        return status;
    status = mw_alloc_grow(builder->alloc, &tables->paths, tables->path_count,
                           &tables->path_capacity, sizeof *tables->paths, UINT32_MAX);
    if (status != MW_OK)
        return status;
    return mw_alloc_grow(builder->alloc, &builder->path_hashes, tables->path_count,
                         &builder->path_hash_capacity, sizeof *builder->path_hashes, UINT32_MAX);
}

static mw_status reserve_traceback(mw_snapshot_builder *builder)
{
    mw_snapshot_tables *tables = builder->tables;
    mw_status status;

    status = mw_hash_index_reserve(&builder->traceback_index, 1);
    if (status != MW_OK)
        return status;
    status = mw_alloc_grow(builder->alloc, &tables->tracebacks, tables->traceback_count,
                           &tables->traceback_capacity, sizeof *tables->tracebacks, UINT32_MAX);
    if (status != MW_OK)
        return status;
    return mw_alloc_grow(builder->alloc, &tables->sequence_hashes, tables->traceback_count,
                         &tables->sequence_hash_capacity, sizeof *tables->sequence_hashes,
                         UINT32_MAX);
}

static mw_status reserve_site(mw_snapshot_builder *builder)
{
    mw_snapshot_tables *tables = builder->tables;
    mw_snapshot *snapshot = builder->snapshot;
    mw_status status;

    status = mw_hash_index_reserve(&builder->site_index, 1);
    if (status != MW_OK)
        return status;
    status = mw_alloc_grow(builder->alloc, &tables->sites, tables->site_count,
                           &tables->site_capacity, sizeof *tables->sites, UINT32_MAX);
    if (status != MW_OK)
        return status;
    return mw_alloc_grow(builder->alloc, &snapshot->tallies, tables->site_count,
                         &snapshot->tally_capacity, sizeof *snapshot->tallies, UINT32_MAX);
}

/* Memory comes zeroed, and zeroes are what row 0 of every table says: unknown. */
static mw_status add_dummies(mw_snapshot_builder *builder)
{
    mw_snapshot_tables *tables = builder->tables;
    mw_status status;

    status = reserve_frame(builder);
    if (status != MW_OK)
        return status;
    status = reserve_path(builder);
    if (status != MW_OK)
        return status;
    status = reserve_traceback(builder);
    if (status != MW_OK)
        return status;
    status = reserve_site(builder);
    if (status != MW_OK)
        return status;
    tables->frame_count = tables->path_count = tables->traceback_count = tables->site_count = 1;
    return MW_OK;
}

mw_status mw_snapshot_builder_new(mw_alloc *alloc, uint32_t frame_limit,
                                  mw_snapshot_builder **ret_builder)
{
    mw_snapshot_builder *builder;
    mw_status status;

    assert(frame_limit >= 1 && frame_limit <= MW_FRAME_LIMIT_MAXIMUM);
    builder = mw_alloc_new(alloc, sizeof *builder);
    if (builder == NULL)
        return MW_NO_MEMORY;
    builder->alloc = alloc;
    mw_hash_index_init(&builder->frame_index, alloc);
    mw_hash_index_init(&builder->path_index, alloc);
    mw_hash_index_init(&builder->traceback_index, alloc);
    mw_hash_index_init(&builder->site_index, alloc);
    status = tables_new(alloc, frame_limit, &builder->tables);
    if (status != MW_OK)
        goto done;
    status = mw_snapshot_new(builder->tables, &builder->snapshot);
    if (status != MW_OK)
        goto done;
    status = add_dummies(builder);

done:
    if (status == MW_OK)
        *ret_builder = builder;
    else
        mw_snapshot_builder_free(builder);
    return status;
}

void mw_snapshot_builder_free(mw_snapshot_builder *builder)
{
    if (builder == NULL)
        return;
    mw_hash_index_done(&builder->frame_index);
    mw_hash_index_done(&builder->path_index);
    mw_hash_index_done(&builder->traceback_index);
    mw_hash_index_done(&builder->site_index);
    mw_alloc_release(builder->alloc, builder->path_hashes,
                     builder->path_hash_capacity * sizeof *builder->path_hashes);
    mw_snapshot_release(builder->snapshot);
    mw_snapshot_tables_release(builder->tables);
    mw_alloc_release(builder->alloc, builder, sizeof *builder);
}

mw_status mw_snapshot_builder_finish(mw_snapshot_builder *builder, mw_snapshot **ret_snapshot)
{
    mw_string_pool_freeze(&builder->tables->strings);
    assert(mw_snapshot_is_consistent(builder->snapshot));
    *ret_snapshot = mw_snapshot_retain(builder->snapshot);
    mw_snapshot_builder_free(builder);
    return MW_OK;
}

const mw_snapshot_tables *mw_snapshot_builder_tables(const mw_snapshot_builder *builder)
{
    return builder->tables;
}

void mw_snapshot_builder_sampled(mw_snapshot_builder *builder, uint64_t sample_bytes)
{
    builder->tables->sample_bytes = sample_bytes;
}

mw_status mw_snapshot_builder_allocated(mw_snapshot_builder *builder, mw_site site,
                                        const mw_estimate *allocated)
{
    assert(site.index != 0 && site.index < builder->tables->site_count);
    return mw_snapshot_add_allocated(builder->snapshot, site, allocated);
}

/* ── strings, frames, paths ──────────────────────────────────────────────────────── */

mw_status mw_snapshot_builder_string(mw_snapshot_builder *builder, const char *utf8, size_t length,
                                     mw_string *ret_string)
{
    return mw_string_pool_intern(&builder->tables->strings, utf8, length, &ret_string->index);
}

static bool frames_are_equal(const mw_frame_row *a, const mw_frame_row *b)
{
    return a->file.index == b->file.index && a->line == b->line && a->first_line == b->first_line &&
           a->function.index == b->function.index && a->module.index == b->module.index;
}

/* Remembers the file of regions when the first comes. */
static void note_region(mw_snapshot_tables *tables, const mw_frame_row *row)
{
    const mw_string_pool *strings = &tables->strings;

    if (row->function.index != 0 &&
        mw_string_pool_length(strings, row->file.index) == sizeof MW_REGION_FILE - 1 &&
        memcmp(mw_string_pool_bytes(strings, row->file.index), MW_REGION_FILE,
               sizeof MW_REGION_FILE - 1) == 0)
        tables->region_file = row->file;
}

mw_status mw_snapshot_builder_frame(mw_snapshot_builder *builder, mw_frame_row row,
                                    mw_frame *ret_frame)
{
    mw_snapshot_tables *tables = builder->tables;
    uint64_t lines = (uint64_t)(uint32_t)row.first_line << 32 | (uint32_t)row.line;
    uint64_t hash = mw_hash_combine(mw_hash_combine(row.file.index, lines),
                                    (uint64_t)row.function.index << 32 | row.module.index);
    mw_hash_probe probe = mw_hash_probe_start(hash);
    uint32_t found;
    mw_status status;

    while ((found = mw_hash_index_next(&builder->frame_index, &probe)) != 0) {
        if (frames_are_equal(&tables->frames[found], &row)) {
            ret_frame->index = found;
            return MW_OK;
        }
    }
    status = reserve_frame(builder);
    if (status != MW_OK)
        return status;
    ret_frame->index = tables->frame_count++;
    tables->frames[ret_frame->index] = row;
    if (row.line == 0)
        note_region(tables, &row);
    mw_hash_index_add(&builder->frame_index, hash, ret_frame->index);
    return MW_OK;
}

/* What a frame adds to the hash of a sequence: its file's name and its line, a region's name,
 * and nothing that differs from one snapshot to another. */
static uint64_t frame_hash(const mw_snapshot_tables *tables, mw_frame frame)
{
    const mw_frame_row *row = &tables->frames[frame.index];
    uint64_t file_hash = mw_string_pool_hash(&tables->strings, row->file.index);

    if (mw_snapshot_is_region(tables, row))
        return mw_hash_combine(file_hash,
                               mw_string_pool_hash(&tables->strings, row->function.index));
    return mw_hash_combine(file_hash, (uint32_t)row->line);
}

/* Whether two frames are the same in a traceback. */
static bool frames_look_equal(const mw_snapshot_tables *tables, const mw_frame_row *a,
                              const mw_frame_row *b)
{
    return a->file.index == b->file.index && a->line == b->line &&
           (a->function.index == b->function.index ||
            (!mw_snapshot_is_region(tables, a) && !mw_snapshot_is_region(tables, b)));
}

uint32_t mw_snapshot_builder_depth(const mw_snapshot_builder *builder, mw_path path)
{
    return builder->tables->paths[path.index].depth;
}

mw_status mw_snapshot_builder_path(mw_snapshot_builder *builder, mw_path caller, mw_frame frame,
                                   mw_path *ret_path)
{
    mw_snapshot_tables *tables = builder->tables;
    uint64_t hash = mw_hash_combine(caller.index, frame.index);
    mw_hash_probe probe = mw_hash_probe_start(hash);
    uint32_t found;
    mw_status status;

    assert(frame.index != 0 && frame.index < tables->frame_count);
    assert(caller.index < tables->path_count);
    while ((found = mw_hash_index_next(&builder->path_index, &probe)) != 0) {
        const mw_path_row *row = &tables->paths[found];

        if (row->caller.index == caller.index && row->frame.index == frame.index) {
            ret_path->index = found;
            return MW_OK;
        }
    }
    status = reserve_path(builder);
    if (status != MW_OK)
        return status;
    ret_path->index = tables->path_count++;
    tables->paths[ret_path->index] = (mw_path_row){
        .caller = caller,
        .jump = mw_snapshot_jump_below(tables, caller),
        .frame = frame,
        .depth = tables->paths[caller.index].depth + 1,
    };
    builder->path_hashes[ret_path->index] =
        builder->path_hashes[caller.index] * SEQUENCE_BASE + frame_hash(tables, frame);
    mw_hash_index_add(&builder->path_index, hash, ret_path->index);
    return MW_OK;
}

/* ── tracebacks and sites ────────────────────────────────────────────────────────── */

static uint64_t base_to_the(uint32_t exponent)
{
    uint64_t result = 1, square = SEQUENCE_BASE;

    for (; exponent != 0; exponent >>= 1, square *= square)
        result *= exponent & 1 ? square : 1;
    return result;
}

/* The polynomial over the [count] most recent frames of [path]. */
static uint64_t sequence_hash(const mw_snapshot_builder *builder, mw_path path, uint32_t count)
{
    uint32_t depth = builder->tables->paths[path.index].depth;
    mw_path cut_off = mw_snapshot_ancestor(builder->tables, path, depth - count);

    if (cut_off.index == 0)
        return builder->path_hashes[path.index];
    return builder->path_hashes[path.index] -
           builder->path_hashes[cut_off.index] * base_to_the(count);
}

/* Whether the [count] most recent frames of two paths have the same files and lines, and are
 * the same regions. */
static bool sequences_are_equal(const mw_snapshot_tables *tables, mw_path a, mw_path b,
                                uint32_t count)
{
    for (; count != 0 && a.index != b.index; count--) {
        const mw_path_row *path_a = &tables->paths[a.index];
        const mw_path_row *path_b = &tables->paths[b.index];
        const mw_frame_row *frame_a = &tables->frames[path_a->frame.index];
        const mw_frame_row *frame_b = &tables->frames[path_b->frame.index];

        if (!frames_look_equal(tables, frame_a, frame_b))
            return false;
        a = path_a->caller;
        b = path_b->caller;
    }
    return true;
}

static bool is_traceback(const mw_snapshot_tables *tables, uint32_t traceback,
                         const mw_traceback_row *wanted, uint64_t wanted_sequence)
{
    const mw_traceback_row *row = &tables->tracebacks[traceback];

    return row->total_frames == wanted->total_frames && row->frame_count == wanted->frame_count &&
           tables->sequence_hashes[traceback] == wanted_sequence &&
           sequences_are_equal(tables, row->path, wanted->path, row->frame_count);
}

static mw_status intern_traceback(mw_snapshot_builder *builder, mw_path path, uint32_t total_frames,
                                  mw_traceback *ret_traceback)
{
    mw_snapshot_tables *tables = builder->tables;
    uint32_t depth = tables->paths[path.index].depth;
    mw_traceback_row row = {
        .path = path,
        .frame_count = depth < tables->frame_limit ? depth : tables->frame_limit,
        .total_frames = total_frames,
    };
    uint64_t sequence = sequence_hash(builder, path, row.frame_count);
    uint64_t hash = mw_hash_combine(sequence, total_frames);
    mw_hash_probe probe = mw_hash_probe_start(hash);
    uint32_t found;
    mw_status status;

    while ((found = mw_hash_index_next(&builder->traceback_index, &probe)) != 0) {
        if (is_traceback(tables, found, &row, sequence)) {
            ret_traceback->index = found;
            return MW_OK;
        }
    }
    status = reserve_traceback(builder);
    if (status != MW_OK)
        return status;
    ret_traceback->index = tables->traceback_count++;
    tables->tracebacks[ret_traceback->index] = row;
    tables->sequence_hashes[ret_traceback->index] = sequence;
    mw_hash_index_add(&builder->traceback_index, hash, ret_traceback->index);
    return MW_OK;
}

/* With the path given, total_frames is as good as the traceback: one gives the other.
 * So a site that is known is found without asking for its traceback. */
static bool is_site(const mw_snapshot_tables *tables, uint32_t site, const mw_site_key *wanted,
                    uint32_t total_frames)
{
    const mw_site_key *key = &tables->sites[site];

    return key->path.index == wanted->path.index && key->domain == wanted->domain &&
           key->thread.index == wanted->thread.index && key->epoch == wanted->epoch &&
           tables->tracebacks[key->traceback.index].total_frames == total_frames;
}

mw_status mw_snapshot_builder_site(mw_snapshot_builder *builder, mw_path path,
                                   uint32_t total_frames, uint32_t domain, mw_thread thread,
                                   mw_site *ret_site)
{
    return mw_snapshot_builder_epoch_site(builder, path, total_frames, domain, thread, 0, ret_site);
}

mw_status mw_snapshot_builder_epoch_site(mw_snapshot_builder *builder, mw_path path,
                                         uint32_t total_frames, uint32_t domain, mw_thread thread,
                                         uint32_t epoch, mw_site *ret_site)
{
    mw_snapshot_tables *tables = builder->tables;
    mw_site_key key = {.path = path, .domain = domain, .thread = thread, .epoch = epoch};
    uint64_t place = mw_hash_combine((uint64_t)path.index << 32 | total_frames, epoch);
    uint64_t hash = mw_hash_combine(place, (uint64_t)domain << 32 | thread.index);
    mw_hash_probe probe = mw_hash_probe_start(hash);
    uint32_t found;
    mw_status status;

    assert(path.index != 0 && path.index < tables->path_count);
    while ((found = mw_hash_index_next(&builder->site_index, &probe)) != 0) {
        if (is_site(tables, found, &key, total_frames)) {
            ret_site->index = found;
            return MW_OK;
        }
    }
    status = intern_traceback(builder, path, total_frames, &key.traceback);
    if (status != MW_OK)
        return status;
    status = reserve_site(builder);
    if (status != MW_OK)
        return status;
    ret_site->index = tables->site_count++;
    tables->sites[ret_site->index] = key;
    mw_hash_index_add(&builder->site_index, hash, ret_site->index);
    return MW_OK;
}

/* ── threads and blocks ──────────────────────────────────────────────────────────── */

mw_status mw_snapshot_builder_name_thread(mw_snapshot_builder *builder, mw_thread thread,
                                          mw_string name)
{
    mw_snapshot_tables *tables = builder->tables;
    mw_status status;

    assert(name.index < tables->strings.count);
    if (thread.index >= MW_SNAPSHOT_THREAD_MAXIMUM)
        return MW_LIMIT;
    while (tables->thread_capacity <= thread.index) {
        status = mw_alloc_grow(builder->alloc, &tables->thread_names, tables->thread_capacity,
                               &tables->thread_capacity, sizeof *tables->thread_names,
                               MW_SNAPSHOT_THREAD_MAXIMUM);
        if (status != MW_OK)
            return status;
    }
    if (tables->thread_count <= thread.index)
        tables->thread_count = thread.index + 1;
    tables->thread_names[thread.index] = name;
    return MW_OK;
}

mw_status mw_snapshot_builder_blocks(mw_snapshot_builder *builder, mw_site site,
                                     uint64_t size_bytes, uint64_t count)
{
    assert(site.index != 0 && site.index < builder->tables->site_count);
    return mw_snapshot_append(builder->snapshot, site, size_bytes, count);
}

mw_status mw_snapshot_builder_tally(mw_snapshot_builder *builder, mw_site site, uint64_t bytes,
                                    uint64_t blocks)
{
    assert(site.index != 0 && site.index < builder->tables->site_count);
    return mw_snapshot_add_tally(builder->snapshot, site, &(mw_tally){bytes, blocks});
}

mw_status mw_snapshot_builder_totals(mw_snapshot_builder *builder, mw_site site, uint64_t bytes,
                                     uint64_t blocks)
{
    assert(site.index != 0 && site.index < builder->tables->site_count);
    return mw_snapshot_add_totals(builder->snapshot, site, &(mw_tally){bytes, blocks});
}
