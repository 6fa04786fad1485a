/* SPDX-License-Identifier: MIT
 *
 * All snapshots are gone through, but only those that are moments are looked at: between
 * them the sites that change are gathered, and each is told once.
 */
#include "capture/capture_histories.h"

#include <string.h>

#define HOUR_NS 3.6e12

typedef struct gathering {
    mw_capture *capture;
    const mw_snapshot *snapshot; /* the last one, for the sites' epochs      */
    const uint32_t *group_of_site;
    mw_histories *histories;
    mw_alloc *alloc;
    uint32_t site_count;
    mw_capture_tally *told; /* owned; by site: as it was at the last moment */
    uint32_t *changed;      /* owned; sites that changed since …            */
    uint32_t changed_count;
    bool *is_changed; /* owned; … by site                             */
} gathering;

static void gather_changed(gathering *work, mw_capture_replay *replay)
{
    uint32_t count;
    const uint32_t *sites = mw_capture_replay_changed(replay, &count);

    for (uint32_t i = 0; i < count; i++) {
        if (sites[i] > work->site_count || work->is_changed[sites[i]])
            continue;
        work->is_changed[sites[i]] = true;
        work->changed[work->changed_count++] = sites[i];
    }
}

static void tell_site(gathering *work, uint32_t site, const mw_capture_tally *now)
{
    mw_capture_tally *told = &work->told[site];

    mw_histories_add(work->histories,
                     &(mw_history_change){
                         .group = work->group_of_site[site],
                         .epoch = mw_snapshot_site(work->snapshot, (mw_site){site}).epoch,
                         .before = {told->live_bytes, told->live_blocks},
                         .after = {now->live_bytes, now->live_blocks},
                         .allocated_bytes = now->total_bytes - told->total_bytes,
                         .allocated_blocks = now->total_blocks - told->total_blocks,
                     });
    *told = *now;
    work->is_changed[site] = false;
}

static void tell_moment(gathering *work, const mw_capture_tally *tallies, double hours)
{
    mw_histories_begin(work->histories, hours);
    for (uint32_t i = 0; i < work->changed_count; i++)
        tell_site(work, work->changed[i], &tallies[work->changed[i]]);
    work->changed_count = 0;
    mw_histories_end(work->histories);
}

static void tell_kept(gathering *work)
{
    for (uint32_t site = 1; site <= work->site_count; site++)
        if (work->told[site].live_blocks != 0)
            mw_histories_keep(
                work->histories, work->group_of_site[site],
                mw_snapshot_site(work->snapshot, (mw_site){site}).epoch,
                (mw_tally){work->told[site].live_bytes, work->told[site].live_blocks});
    mw_histories_finish(work->histories);
}

/* When the next moment is wanted, with [snapshots] still to come until [end_ns]: they all are
 * moments, or else the time is shared out. */
static uint64_t next_moment(const gathering *work, uint32_t snapshots, uint64_t now_ns,
                            uint64_t end_ns)
{
    uint32_t moments = work->histories->capacity - work->histories->count;

    return moments == 0 || snapshots <= moments ? 0 : now_ns + (end_ns - now_ns) / moments;
}

static void gather(gathering *work, mw_capture_replay *replay, uint64_t since_ns)
{
    uint32_t last = mw_capture_last_alive(work->capture);
    uint64_t end_ns = mw_capture_point(work->capture, last)->time_ns;
    uint64_t start_ns = 0, told_ns = 0, wanted_ns = since_ns;

    for (uint32_t number = 0; number <= last && mw_capture_replay_next(replay); number++) {
        uint64_t now_ns = mw_capture_point(work->capture, number)->time_ns;

        gather_changed(work, replay);
        if (now_ns < wanted_ns && number != last)
            continue;
        if (work->histories->count == 0)
            start_ns = now_ns;
        else if (now_ns <= told_ns || work->histories->count == work->histories->capacity)
            continue; /* two snapshots at one time are one moment */
        told_ns = now_ns;
        tell_moment(work, mw_capture_replay_tallies(replay), (double)(now_ns - start_ns) / HOUR_NS);
        wanted_ns = next_moment(work, last - number, now_ns, end_ns);
    }
    tell_kept(work);
}

static mw_status gathering_init(gathering *work)
{
    size_t count = (size_t)work->site_count + 1;

    work->told = mw_alloc_array(work->alloc, count, sizeof *work->told);
    work->changed = mw_alloc_array(work->alloc, count, sizeof *work->changed);
    work->is_changed = mw_alloc_array(work->alloc, count, sizeof *work->is_changed);
    return work->told == NULL || work->changed == NULL || work->is_changed == NULL ? MW_NO_MEMORY
                                                                                   : MW_OK;
}

static void gathering_done(gathering *work)
{
    size_t count = (size_t)work->site_count + 1;

    mw_alloc_release(work->alloc, work->told, count * sizeof *work->told);
    mw_alloc_release(work->alloc, work->changed, count * sizeof *work->changed);
    mw_alloc_release(work->alloc, work->is_changed, count * sizeof *work->is_changed);
}

static uint32_t count_epochs(const mw_snapshot *snapshot)
{
    uint32_t last = 0;

    for (uint32_t site = mw_snapshot_site_count(snapshot); site > 0; site--) {
        uint32_t epoch = mw_snapshot_site(snapshot, (mw_site){site}).epoch;
        if (epoch > last)
            last = epoch;
    }
    return last + 1;
}

uint32_t mw_capture_last_alive(const mw_capture *capture)
{
    uint32_t last = mw_capture_snapshot_count(capture) - 1;

    return last > 0 && mw_capture_timeline(capture)->ending == MW_ENDING_EXITED ? last - 1 : last;
}

static uint32_t count_moments(const mw_capture *capture)
{
    uint32_t count = mw_capture_snapshot_count(capture);

    return count < MW_HISTORY_MAXIMUM ? count : MW_HISTORY_MAXIMUM;
}

mw_status mw_capture_histories(mw_capture *capture, const mw_snapshot *last,
                               const uint32_t *group_of_site, uint32_t group_count,
                               uint64_t since_ns, mw_alloc *alloc, mw_histories *ret_histories,
                               mw_error *reterr)
{
    gathering work = {.capture = capture,
                      .snapshot = last,
                      .group_of_site = group_of_site,
                      .histories = ret_histories,
                      .alloc = alloc,
                      .site_count = mw_snapshot_site_count(last)};
    mw_capture_replay *replay = NULL;
    mw_status status;

    status = mw_histories_init(ret_histories, group_count, count_moments(capture),
                               count_epochs(last), alloc);
    if (status == MW_OK)
        status = gathering_init(&work);
    if (status != MW_OK) {
        mw_error_set(reterr, status, "there is not enough memory for the series");
        goto done;
    }
    status = mw_capture_replay_new(capture, &replay, reterr);
    if (status != MW_OK)
        goto done;
    gather(&work, replay, since_ns);
    if (ret_histories->count == 0)
        status = mw_error_set(reterr, MW_BAD_INPUT, "the capture was changed while it was read");

done:
    mw_capture_replay_free(replay);
    gathering_done(&work);
    if (status != MW_OK)
        mw_histories_done(ret_histories);
    return status;
}
