/* SPDX-License-Identifier: MIT
 *
 * A frame has marks for what it matches, and a path those of all its frames: callers have
 * smaller numbers, so one pass gathers them.
 */
#define _GNU_SOURCE
#include "cli/selection.h"

#include "core/filter.h"
#include "core/fnmatch.h"
#include "core/region.h"
#include "core/snapshot_tables.h"
#include "render/region_comments.h"

#include <stdlib.h>
#include <string.h>

/* What a frame, or some frame of a path, matches. */
enum {
    MARK_ONLY = 1,
    MARK_REGION = 2,     /* one that is asked for */
    MARK_ANY_REGION = 4, /* whatever its name is  */
    MARK_EXCLUDED = 8,   /* of frames alone       */
};

/* ── patterns ────────────────────────────────────────────────────────────────────── */

static bool matches(const char *pattern, const char *name)
{
    return mw_fnmatch(pattern, strlen(pattern), name, strlen(name));
}

static bool matches_one(const mw_option_list *patterns, const char *name)
{
    for (size_t i = 0; i < patterns->count; i++)
        if (matches(patterns->words[i], name))
            return true;
    return false;
}

/* Whether a pattern matches the name, or its end from some "/" on. */
static bool matches_end(const char *pattern, const char *name)
{
    while (!matches(pattern, name)) {
        name = strchr(name, '/');
        if (name == NULL)
            return false;
        name++;
    }
    return true;
}

/* "myapp/" is all that lies in it. */
static bool names_file(const mw_option_list *patterns, const char *name)
{
    for (size_t i = 0; i < patterns->count; i++) {
        const char *pattern = patterns->words[i];
        size_t length = strlen(pattern);
        char with_star[512];

        if (matches_end(pattern, name))
            return true;
        if (length == 0 || pattern[length - 1] != '/' || length + 2 > sizeof with_star)
            continue;
        memcpy(with_star, pattern, length);
        memcpy(with_star + length, "*", 2);
        if (matches_end(with_star, name))
            return true;
    }
    return false;
}

/* ── marks ───────────────────────────────────────────────────────────────────────── */

typedef struct selecting {
    const mw_selection *selection;
    const mw_snapshot *snapshot;
    const mw_snapshot_tables *tables;
    mw_alloc *alloc;
    unsigned char *of_frames; /* owned; marks by frame */
    unsigned char *of_paths;  /* owned; marks by path  */
    bool *keep;               /* owned; by site        */
    bool wants_no_region;     /* what is in no region is asked for, too */
} selecting;

static unsigned char marks_of_file(const mw_selection *selection, const char *file)
{
    unsigned char marks = 0;

    if (selection->only.count != 0 && names_file(&selection->only, file))
        marks |= MARK_ONLY;
    if (selection->exclude.count != 0 && names_file(&selection->exclude, file))
        marks |= MARK_EXCLUDED;
    return marks;
}

/* Frames of one file often stand together, so that the last file's marks are remembered. */
static void mark_frames(selecting *work)
{
    mw_string last = {0};
    unsigned char of_file = marks_of_file(work->selection, "");

    for (uint32_t i = 1; i < work->tables->frame_count; i++) {
        const mw_frame_row *frame = &work->tables->frames[i];

        if (frame->file.index != last.index)
            of_file = marks_of_file(work->selection,
                                    mw_snapshot_string(work->snapshot, frame->file, NULL));
        last = frame->file;
        work->of_frames[i] = of_file;
        if (!mw_snapshot_is_region(work->tables, frame))
            continue;
        work->of_frames[i] = MARK_ANY_REGION;
        if (matches_one(&work->selection->regions,
                        mw_snapshot_string(work->snapshot, frame->function, NULL)))
            work->of_frames[i] |= MARK_REGION;
    }
}

static void mark_paths(selecting *work)
{
    for (uint32_t i = 1; i < work->tables->path_count; i++) {
        const mw_path_row *path = &work->tables->paths[i];
        work->of_paths[i] = work->of_paths[path->caller.index] |
                            (unsigned char)(work->of_frames[path->frame.index] & ~MARK_EXCLUDED);
    }
}

/* ── sites ───────────────────────────────────────────────────────────────────────── */

static bool parse_domain(const char *text, uint32_t *ret_domain)
{
    char *end;
    unsigned long domain;

    if (*text < '0' || *text > '9')
        return false;
    domain = strtoul(text, &end, 10);
    *ret_domain = (uint32_t)domain;
    return *end == '\0' && domain <= UINT32_MAX;
}

static bool keeps_domain(const mw_selection *selection, uint32_t domain)
{
    uint32_t wanted;

    for (size_t i = 0; i < selection->domains.count; i++)
        if (parse_domain(selection->domains.words[i], &wanted) && wanted == domain)
            return true;
    return selection->domains.count == 0;
}

static bool keeps_path(const selecting *work, mw_path path)
{
    const mw_selection *selection = work->selection;
    uint32_t innermost = work->tables->paths[path.index].frame.index;
    unsigned char marks = work->of_paths[path.index];

    if (selection->only.count != 0 && (marks & MARK_ONLY) == 0)
        return false;
    if (selection->regions.count != 0 && (marks & MARK_REGION) == 0 &&
        ((marks & MARK_ANY_REGION) != 0 || !work->wants_no_region))
        return false;
    return (work->of_frames[innermost] & MARK_EXCLUDED) == 0;
}

static bool keeps_site(const selecting *work, const mw_site_key *site)
{
    const mw_selection *selection = work->selection;

    if (selection->has_epochs &&
        (site->epoch < selection->first_epoch || site->epoch >= selection->epoch_end))
        return false;
    if (selection->threads.count != 0 &&
        !matches_one(&selection->threads, mw_snapshot_thread_name(work->snapshot, site->thread)))
        return false;
    return keeps_path(work, site->path) && keeps_domain(selection, site->domain);
}

static mw_status select_sites(const mw_selection *selection, mw_snapshot *snapshot, mw_alloc *alloc,
                              mw_snapshot **ret_snapshot)
{
    const mw_snapshot_tables *tables = snapshot->tables;
    selecting work = {
        .selection = selection, .snapshot = snapshot, .tables = tables, .alloc = alloc};
    mw_status status = MW_NO_MEMORY;

    work.wants_no_region = matches_one(&selection->regions, MW_REGION_NONE);
    work.of_frames = mw_alloc_array(alloc, tables->frame_count, sizeof *work.of_frames);
    work.of_paths = mw_alloc_array(alloc, tables->path_count, sizeof *work.of_paths);
    work.keep = mw_alloc_array(alloc, tables->site_count, sizeof *work.keep);
    if (work.of_frames != NULL && work.of_paths != NULL && work.keep != NULL) {
        mark_frames(&work);
        mark_paths(&work);
        for (uint32_t i = 1; i < tables->site_count; i++)
            work.keep[i] = keeps_site(&work, &tables->sites[i]);
        status = mw_snapshot_select(snapshot, work.keep, ret_snapshot);
    }
    mw_alloc_release(alloc, work.of_frames, tables->frame_count * sizeof *work.of_frames);
    mw_alloc_release(alloc, work.of_paths, tables->path_count * sizeof *work.of_paths);
    mw_alloc_release(alloc, work.keep, tables->site_count * sizeof *work.keep);
    return status;
}

mw_status mw_selection_apply(const mw_selection *selection, mw_snapshot *snapshot,
                             mw_source *source, mw_alloc *alloc, mw_snapshot **ret_snapshot)
{
    mw_snapshot *with_regions = mw_snapshot_retain(snapshot);
    mw_status status = MW_OK;

    if (selection->region_comment != NULL) {
        mw_snapshot_release(with_regions);
        status =
            mw_region_comments(snapshot, source, selection->region_comment, alloc, &with_regions);
        if (status != MW_OK)
            return status;
    }
    status = select_sites(selection, with_regions, alloc, ret_snapshot);
    mw_snapshot_release(with_regions);
    return status;
}

/* ── words ───────────────────────────────────────────────────────────────────────── */

mw_status mw_selection_check(const mw_selection *selection, bool *ret_selects, mw_error *reterr)
{
    uint32_t domain;

    if (selection->region_comment != NULL && *selection->region_comment == '\0')
        return mw_error_set(reterr, MW_BAD_INPUT, "--region-comment takes a text, not nothing.");
    for (size_t i = 0; i < selection->domains.count; i++)
        if (!parse_domain(selection->domains.words[i], &domain))
            return mw_error_set(reterr, MW_BAD_INPUT,
                                "--domain takes a domain's number, not \"%.60s\".",
                                selection->domains.words[i]);
    *ret_selects = selection->only.count != 0 || selection->exclude.count != 0 ||
                   selection->threads.count != 0 || selection->domains.count != 0 ||
                   selection->regions.count != 0 || selection->has_epochs;
    return MW_OK;
}

static void describe_list(const char *lead, const mw_option_list *words, mw_sink *sink,
                          bool *is_first)
{
    for (size_t i = 0; i < words->count; i++) {
        mw_sink_text(sink, i != 0 ? " or " : *is_first ? lead : ", ");
        if (i == 0 && !*is_first)
            mw_sink_text(sink, lead);
        mw_sink_format(sink, "'%.100s'", words->words[i]);
        *is_first = false;
    }
}

void mw_selection_describe(const mw_selection *selection, mw_sink *sink)
{
    bool is_first = true;

    describe_list("under ", &selection->only, sink, &is_first);
    describe_list("not in ", &selection->exclude, sink, &is_first);
    describe_list("of thread ", &selection->threads, sink, &is_first);
    describe_list("of domain ", &selection->domains, sink, &is_first);
    describe_list("inside region ", &selection->regions, sink, &is_first);
}
