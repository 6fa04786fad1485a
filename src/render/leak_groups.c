/* SPDX-License-Identifier: MIT
 *
 * Sites are sorted by their key, and runs of equal keys become groups.
 */
#define _GNU_SOURCE
#include "render/leak_groups.h"

#include "core/fnmatch.h"
#include "core/histories.h"
#include "core/region.h"

#include <stdlib.h>
#include <string.h>

/* What makes two sites belong together. */
typedef struct site_key {
    uint32_t kind;
    uint32_t first;
    uint32_t second;
    uint32_t site;
} site_key;

typedef struct grouping {
    mw_leak_groups *groups;
    const mw_leak_scope *scope;
    mw_blames blames;
    site_key *keys; /* owned; one per site, sorted */
    uint32_t key_count;
    mw_string *regions; /* owned; by path: the innermost region; else NULL */
    uint32_t region_count;
    bool has_epochs;
} grouping;

/* ── which files ─────────────────────────────────────────────────────────────────── */

static bool matches_one(const char *const *patterns, size_t count, const char *name, size_t length)
{
    for (size_t i = 0; i < count; i++)
        if (mw_fnmatch(patterns[i], strlen(patterns[i]), name, length))
            return true;
    return false;
}

/* A pattern may be for the name as it is, or as it is shown: "app/x.py" of "/srv/app/x.py". */
static mw_status matches(const mw_leak_scope *scope, const char *const *patterns, size_t count,
                         const char *file, mw_alloc *alloc, bool *ret_matches)
{
    mw_buffer shown;
    mw_status status;

    *ret_matches = matches_one(patterns, count, file, strlen(file));
    if (*ret_matches || count == 0)
        return MW_OK;
    mw_buffer_init(&shown, alloc);
    mw_places_write(scope->places, file, UINT32_MAX, &shown.sink);
    status = shown.sink.status;
    if (status == MW_OK && shown.bytes != NULL)
        *ret_matches = matches_one(patterns, count, shown.bytes, shown.length);
    mw_buffer_done(&shown);
    return status;
}

static mw_status admits(const grouping *work, mw_frame frame, bool *ret_admits)
{
    const mw_leak_scope *scope = work->scope;
    const mw_snapshot *snapshot = work->groups->snapshot;
    const char *file = mw_snapshot_string(snapshot, mw_snapshot_frame(snapshot, frame).file, NULL);
    mw_alloc *alloc = work->groups->alloc;
    bool is_included, is_excluded;
    mw_status status;

    status = matches(scope, scope->only, scope->only_count, file, alloc, &is_included);
    if (status == MW_OK)
        status = matches(scope, scope->exclude, scope->exclude_count, file, alloc, &is_excluded);
    if (status == MW_OK)
        *ret_admits = (is_included || scope->only_count == 0) && !is_excluded;
    return status;
}

/* ── keys ────────────────────────────────────────────────────────────────────────── */

static site_key key_of(const grouping *work, uint32_t site)
{
    const mw_snapshot *snapshot = work->groups->snapshot;
    const mw_blame *blame = &work->blames.sites[site - 1];
    mw_frame_row frame = mw_snapshot_frame(snapshot, blame->frame);
    site_key key = {.kind = (uint32_t)blame->kind, .first = frame.file.index, .site = site};

    switch (work->scope->by) {
    case MW_GROUP_FILE:
        break;
    case MW_GROUP_FUNCTION:
        key.second = frame.function.index;
        break;
    case MW_GROUP_MODULE:
        key.first = frame.module.index != 0 ? frame.module.index : frame.file.index;
        break;
    case MW_GROUP_REGION:
        key.first = work->regions[mw_snapshot_site(snapshot, (mw_site){site}).path.index].index;
        break;
    case MW_GROUP_TRACEBACK:
        key.first = mw_snapshot_site(snapshot, (mw_site){site}).traceback.index;
        break;
    default:
        key.second = (uint32_t)frame.line;
        break;
    }
    return key;
}

static int compare_numbers(uint32_t a, uint32_t b)
{
    return (a > b) - (a < b);
}

static int compare_keys(const site_key *a, const site_key *b)
{
    int order = compare_numbers(a->kind, b->kind);

    if (order == 0)
        order = compare_numbers(a->first, b->first);
    return order != 0 ? order : compare_numbers(a->second, b->second);
}

static int by_key(const void *a, const void *b)
{
    const site_key *left = a, *right = b;
    int order = compare_keys(left, right);

    return order != 0 ? order : compare_numbers(left->site, right->site);
}

/* ── groups ──────────────────────────────────────────────────────────────────────── */

static mw_row row_of(const grouping *work, const site_key *key, mw_frame line)
{
    const mw_snapshot *snapshot = work->groups->snapshot;
    mw_frame_row frame = mw_snapshot_frame(snapshot, line);
    mw_row row = {.snapshot = snapshot};

    switch (work->scope->by) {
    case MW_GROUP_TRACEBACK:
        row.traceback.index = key->first;
        return row;
    case MW_GROUP_MODULE:
    case MW_GROUP_REGION:
        row.label.index = key->first;
        return row;
    case MW_GROUP_FUNCTION:
        row.label = frame.function;
        break;
    case MW_GROUP_LINE:
        row.line = frame.line;
        break;
    default:
        break;
    }
    row.file = frame.file;
    return row;
}

/* The group of the run of equal keys that begins at [first]; returns where the next begins. */
static uint32_t gather_run(const grouping *work, uint32_t first, mw_leak_group *ret_group)
{
    const mw_snapshot *snapshot = work->groups->snapshot;
    const site_key *keys = work->keys;
    uint64_t most = 0;
    uint32_t at = first;

    *ret_group = (mw_leak_group){.kind = (mw_blame_kind)keys[first].kind};
    for (; at < work->key_count && compare_keys(&keys[first], &keys[at]) == 0; at++) {
        const mw_blame *blame = &work->blames.sites[keys[at].site - 1];
        mw_site_row site = mw_snapshot_site(snapshot, (mw_site){keys[at].site});
        uint64_t new_bytes = work->has_epochs && site.epoch == 0 ? 0 : site.live_bytes;

        ret_group->new_bytes += new_bytes;
        if (at != first && new_bytes <= most)
            continue;
        most = new_bytes;
        ret_group->frame = blame->frame;
        ret_group->innermost = blame->innermost;
    }
    ret_group->row = row_of(work, &keys[first], ret_group->frame);
    return at;
}

/* A group, and the run of keys that it came from. */
typedef struct run {
    mw_leak_group group;
    uint32_t first;
    uint32_t end;
} run;

static int by_new_bytes(const void *a, const void *b)
{
    const run *left = a, *right = b;

    if (left->group.new_bytes != right->group.new_bytes)
        return left->group.new_bytes < right->group.new_bytes ? 1 : -1;
    return compare_numbers(left->first, right->first);
}

static mw_status make_groups(grouping *work)
{
    mw_leak_groups *groups = work->groups;
    uint32_t count = 0, next;
    run *runs;

    for (uint32_t i = 0; i < work->key_count; i++)
        count += i == 0 || compare_keys(&work->keys[i - 1], &work->keys[i]) != 0;
    runs = mw_alloc_array(groups->alloc, count, sizeof *runs);
    groups->capacity = count < MW_LEAK_GROUPS_MAXIMUM ? count : MW_LEAK_GROUPS_MAXIMUM;
    groups->items = mw_alloc_array(groups->alloc, groups->capacity, sizeof *groups->items);
    if (runs == NULL || groups->items == NULL) {
        mw_alloc_release(groups->alloc, runs, count * sizeof *runs);
        return MW_NO_MEMORY;
    }

    for (uint32_t i = 0, at = 0; at < work->key_count; i++, at = next) {
        next = gather_run(work, at, &runs[i].group);
        runs[i].first = at;
        runs[i].end = next;
    }
    qsort(runs, count, sizeof *runs, by_new_bytes);

    groups->count = groups->capacity;
    groups->left_out = count - groups->count;
    for (uint32_t i = 0; i < groups->count; i++) {
        groups->items[i] = runs[i].group;
        for (uint32_t at = runs[i].first; at < runs[i].end; at++)
            groups->of_site[work->keys[at].site] = i;
    }
    mw_alloc_release(groups->alloc, runs, count * sizeof *runs);
    return MW_OK;
}

/* ── the whole ───────────────────────────────────────────────────────────────────── */

static mw_status gather_keys(grouping *work)
{
    mw_leak_groups *groups = work->groups;

    groups->of_site =
        mw_alloc_array(groups->alloc, (size_t)groups->site_count + 1, sizeof *groups->of_site);
    work->keys = mw_alloc_array(groups->alloc, groups->site_count, sizeof *work->keys);
    if (groups->of_site == NULL || work->keys == NULL)
        return MW_NO_MEMORY;
    groups->of_site[0] = MW_NO_GROUP;
    for (uint32_t site = 1; site <= groups->site_count; site++) {
        bool is_admitted = true;

        groups->of_site[site] = MW_NO_GROUP;
        work->has_epochs |= mw_snapshot_site(groups->snapshot, (mw_site){site}).epoch != 0;
        if (work->scope->only_count != 0 || work->scope->exclude_count != 0) {
            mw_status status = admits(work, work->blames.sites[site - 1].frame, &is_admitted);
            if (status != MW_OK)
                return status;
        }
        if (is_admitted)
            work->keys[work->key_count++] = key_of(work, site);
    }
    qsort(work->keys, work->key_count, sizeof *work->keys, by_key);
    return MW_OK;
}

mw_status mw_leak_groups_init(mw_leak_groups *ret_groups, const mw_snapshot *last,
                              const mw_leak_scope *scope, mw_alloc *alloc)
{
    grouping work = {.groups = ret_groups, .scope = scope};
    mw_status status;

    *ret_groups = (mw_leak_groups){.alloc = alloc,
                                   .snapshot = last,
                                   .by = scope->by,
                                   .site_count = mw_snapshot_site_count(last)};
    status = mw_blames_init_sites(&work.blames, last, scope->places, alloc);
    if (status == MW_OK && scope->by == MW_GROUP_REGION)
        status = mw_region_names(last, alloc, &work.regions, &work.region_count);
    if (status == MW_OK)
        status = gather_keys(&work);
    if (status == MW_OK)
        status = make_groups(&work);
    mw_alloc_release(alloc, work.keys, ret_groups->site_count * sizeof *work.keys);
    mw_alloc_release(alloc, work.regions, work.region_count * sizeof *work.regions);
    mw_blames_done(&work.blames);
    if (status != MW_OK)
        mw_leak_groups_done(ret_groups);
    return status;
}

void mw_leak_groups_done(mw_leak_groups *groups)
{
    if (groups->alloc == NULL)
        return;
    mw_alloc_release(groups->alloc, groups->of_site,
                     ((size_t)groups->site_count + 1) * sizeof *groups->of_site);
    mw_alloc_release(groups->alloc, groups->items, groups->capacity * sizeof *groups->items);
    *groups = (mw_leak_groups){0};
}
