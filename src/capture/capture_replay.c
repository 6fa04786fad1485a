/* SPDX-License-Identifier: MIT
 *
 * Where a segment begins, all counters do, so all sites are compared; within it a step costs
 * what it changes.
 */
#include "capture/capture_tables.h"

#include <string.h>

/* ── life ────────────────────────────────────────────────────────────────────────── */

mw_status mw_capture_replay_new(mw_capture *capture, mw_capture_replay **ret_replay,
                                mw_error *reterr)
{
    mw_alloc *alloc = capture->alloc;
    mw_capture_replay *replay = mw_alloc_new(alloc, sizeof *replay);

    if (replay == NULL)
        return mw_error_set(reterr, MW_NO_MEMORY, "Out of memory while reading a capture.");
    replay->capture = capture;
    replay->count = mw_snapshot_site_count(capture->tables) + 1;
    replay->tallies = mw_alloc_array(alloc, replay->count, sizeof *replay->tallies);
    replay->changed = mw_alloc_array(alloc, replay->count, sizeof *replay->changed);
    replay->stamps = mw_alloc_array(alloc, replay->count, sizeof *replay->stamps);
    if (capture->segment_count > 1)
        replay->former = mw_alloc_array(alloc, replay->count, sizeof *replay->former);
    if (replay->tallies == NULL || replay->changed == NULL || replay->stamps == NULL ||
        (replay->former == NULL && capture->segment_count > 1)) {
        mw_capture_replay_free(replay);
        return mw_error_set(reterr, MW_NO_MEMORY, "Out of memory while reading a capture.");
    }
    *ret_replay = replay;
    return MW_OK;
}

void mw_capture_replay_free(mw_capture_replay *replay)
{
    mw_alloc *alloc;

    if (replay == NULL)
        return;
    alloc = replay->capture->alloc;
    mw_alloc_release(alloc, replay->tallies, replay->count * sizeof *replay->tallies);
    mw_alloc_release(alloc, replay->former, replay->count * sizeof *replay->former);
    mw_alloc_release(alloc, replay->changed, replay->count * sizeof *replay->changed);
    mw_alloc_release(alloc, replay->stamps, replay->count * sizeof *replay->stamps);
    mw_alloc_release(alloc, replay, sizeof *replay);
}

/* ── steps ───────────────────────────────────────────────────────────────────────── */

static void note_changed(mw_capture_replay *replay, uint32_t site)
{
    if (replay->stamps[site] == replay->turn)
        return;
    replay->stamps[site] = replay->turn;
    replay->changed[replay->changed_count++] = site;
}

/* Reads the changes of a step that was checked; false if another is in its place. */
static bool open_changes(mw_capture *capture, const mw_capture_step *where, mw_step *ret_step)
{
    mw_cursor payload;

    return mw_capture_file_reread(&capture->file, &where->located, &payload) &&
           mw_step_open(payload, ret_step);
}

/* The site of the capture that [change] is of; 0 if there is none, which there was. */
static uint32_t changed_site(const mw_capture *capture, uint32_t segment, const mw_change *change)
{
    const mw_capture_segment *place = &capture->segments[segment];

    return change->site < place->site_count ? capture->site_map[place->first_site + change->site]
                                            : 0;
}

static bool equal_tallies(const mw_capture_tally *a, const mw_capture_tally *b)
{
    return a->live_bytes == b->live_bytes && a->live_blocks == b->live_blocks &&
           a->total_bytes == b->total_bytes && a->total_blocks == b->total_blocks;
}

static void note_differences(mw_capture_replay *replay)
{
    replay->turn++;
    replay->changed_count = 0;
    for (uint32_t site = 1; site < replay->count; site++) {
        if (!equal_tallies(&replay->tallies[site], &replay->former[site]))
            note_changed(replay, site);
    }
}

static void clear_tallies(mw_capture_replay *replay)
{
    memset(replay->tallies, 0, replay->count * sizeof *replay->tallies);
}

/* Whether snapshot [number] is the first of its segment. */
static bool begins_segment(const mw_capture *capture, uint32_t number)
{
    return number == 0 || capture->steps[number].segment != capture->steps[number - 1].segment;
}

bool mw_capture_replay_next(mw_capture_replay *replay)
{
    mw_capture *capture = replay->capture;
    const mw_capture_step *where;
    mw_change change = {0};
    bool is_later_segment;
    mw_step step;

    if (replay->next >= capture->step_count)
        return false;
    where = &capture->steps[replay->next];
    if (!open_changes(capture, where, &step))
        return false;
    is_later_segment = replay->next != 0 && begins_segment(capture, replay->next);
    if (is_later_segment) {
        memcpy(replay->former, replay->tallies, replay->count * sizeof *replay->tallies);
        clear_tallies(replay);
    }
    replay->turn++;
    replay->changed_count = 0;
    for (uint64_t i = 0; i < step.change_count; i++) {
        uint32_t site;

        mw_step_next_change(&step, &change);
        site = changed_site(capture, where->segment, &change);
        mw_step_apply_change(&step, &change, &replay->tallies[site]);
        note_changed(replay, site);
    }
    if (is_later_segment)
        note_differences(replay);
    replay->next++;
    return true;
}

const mw_capture_tally *mw_capture_replay_tallies(const mw_capture_replay *replay)
{
    return replay->tallies;
}

const uint32_t *mw_capture_replay_changed(const mw_capture_replay *replay, uint32_t *ret_count)
{
    *ret_count = replay->changed_count;
    return replay->changed;
}

/* ── seeking ─────────────────────────────────────────────────────────────────────── */

/* Goes to where snapshot [next] is the next, without looking at those before that are not
 * needed: a segment begins anew. */
static bool seek_before(mw_capture_replay *replay, uint32_t first_of_segment, uint32_t next)
{
    if (replay->next < first_of_segment || replay->next > next ||
        (replay->next == first_of_segment && replay->next != next)) {
        clear_tallies(replay);
        replay->next = first_of_segment;
    }
    while (replay->next < next) {
        if (!mw_capture_replay_next(replay))
            return false;
    }
    return true;
}

bool mw_capture_replay_seek(mw_capture_replay *replay, uint32_t number)
{
    const mw_capture *capture = replay->capture;
    uint32_t segment = capture->steps[number].segment;

    return seek_before(replay, capture->segments[segment].first_step, number + 1);
}

bool mw_capture_replay_seek_peak(mw_capture_replay *replay)
{
    const mw_capture *capture = replay->capture;
    uint32_t first = capture->segments[capture->peak.segment].first_step;

    if (!seek_before(replay, first, capture->peak_after))
        return false;
    /* Where a segment begins nothing is alive; that is no snapshot's state, so whoever looks
     * next begins anew, too. */
    if (capture->peak_after == first) {
        clear_tallies(replay);
        replay->next = UINT32_MAX;
    }
    return true;
}

bool mw_capture_replay_add_peak(const mw_capture_replay *replay, mw_capture_tally *tallies)
{
    mw_capture *capture = replay->capture;
    mw_change change = {0};
    mw_step step;

    if (!open_changes(capture, &capture->peak, &step))
        return false;
    for (uint64_t i = 0; i < step.change_count; i++) {
        mw_step_next_change(&step, &change);
        mw_step_apply_change(&step, &change,
                             &tallies[changed_site(capture, capture->peak.segment, &change)]);
    }
    return true;
}
