/* SPDX-License-Identifier: MIT
 *
 * An epoch's blocks count as born at the moment at which the epoch was first seen: clocks
 * that disagree a little about when it began make no difference.
 */
#include "core/histories.h"

#include <assert.h>
#include <math.h>

enum { LIVE_BYTES, LIVE_BLOCKS, KEPT_BYTES, KEPT_BLOCKS, BORN_BYTES, DIED_BYTES, DIED_BLOCKS };

static double *numbers_of(const mw_histories *histories, uint32_t group, int which)
{
    return histories->numbers +
           ((size_t)group * MW_HISTORY_NUMBERS + (size_t)which) * histories->capacity;
}

static size_t number_count(const mw_histories *histories)
{
    return (size_t)histories->group_count * MW_HISTORY_NUMBERS * histories->capacity;
}

mw_status mw_histories_init(mw_histories *ret_histories, uint32_t group_count, uint32_t capacity,
                            uint32_t epoch_count, mw_alloc *alloc)
{
    mw_histories histories = {.alloc = alloc,
                              .group_count = group_count,
                              .capacity = capacity,
                              .epoch_count = epoch_count};

    assert(capacity >= 1 && capacity <= MW_HISTORY_MAXIMUM);
    histories.times = mw_alloc_array(alloc, capacity, sizeof *histories.times);
    histories.work = mw_alloc_array(alloc, capacity, sizeof *histories.work);
    histories.numbers = mw_alloc_array(alloc, number_count(&histories), sizeof *histories.numbers);
    histories.live = mw_alloc_array(alloc, group_count, sizeof *histories.live);
    histories.kept = mw_alloc_array(alloc, capacity, sizeof *histories.kept);
    histories.own_work = mw_alloc_array(alloc, group_count, sizeof *histories.own_work);
    histories.births = mw_alloc_array(alloc, epoch_count, sizeof *histories.births);
    *ret_histories = histories;
    if (histories.times != NULL && histories.work != NULL && histories.numbers != NULL &&
        histories.live != NULL && histories.kept != NULL && histories.own_work != NULL &&
        histories.births != NULL)
        return MW_OK;
    mw_histories_done(ret_histories);
    return MW_NO_MEMORY;
}

void mw_histories_done(mw_histories *histories)
{
    if (histories->alloc == NULL)
        return;
    mw_alloc_release(histories->alloc, histories->times,
                     histories->capacity * sizeof *histories->times);
    mw_alloc_release(histories->alloc, histories->work,
                     histories->capacity * sizeof *histories->work);
    mw_alloc_release(histories->alloc, histories->numbers,
                     number_count(histories) * sizeof *histories->numbers);
    mw_alloc_release(histories->alloc, histories->live,
                     histories->group_count * sizeof *histories->live);
    mw_alloc_release(histories->alloc, histories->kept,
                     histories->capacity * sizeof *histories->kept);
    mw_alloc_release(histories->alloc, histories->own_work,
                     histories->group_count * sizeof *histories->own_work);
    mw_alloc_release(histories->alloc, histories->births,
                     histories->epoch_count * sizeof *histories->births);
    *histories = (mw_histories){0};
}

void mw_histories_begin(mw_histories *histories, double hours)
{
    uint32_t moment = histories->count++;

    assert(moment < histories->capacity);
    histories->times[moment] = hours;
    histories->work[moment] = moment == 0 ? 0 : histories->work[moment - 1];
}

/* The moment at which the epoch was first seen. */
static uint32_t birth_of(mw_histories *histories, uint32_t epoch)
{
    assert(epoch < histories->epoch_count);
    if (histories->births[epoch] == 0)
        histories->births[epoch] = histories->count;
    return histories->births[epoch] - 1;
}

/* What died of a group's blocks that were born [age] moments ago; not those that nobody saw
 * alive. */
static void count_dead(mw_histories *histories, const mw_history_change *change, uint32_t age)
{
    if (age == 0)
        return;
    if (change->after.bytes < change->before.bytes)
        numbers_of(histories, change->group, DIED_BYTES)[age] +=
            (double)(change->before.bytes - change->after.bytes);
    if (change->after.blocks < change->before.blocks)
        numbers_of(histories, change->group, DIED_BLOCKS)[age] +=
            (double)(change->before.blocks - change->after.blocks);
}

void mw_histories_add(mw_histories *histories, const mw_history_change *change)
{
    uint32_t moment = histories->count - 1, birth = birth_of(histories, change->epoch);
    mw_tally *live;

    histories->work[moment] += (double)change->allocated_blocks;
    histories->has_totals |= change->allocated_blocks != 0;
    if (change->group == MW_NO_GROUP)
        return;
    assert(change->group < histories->group_count);
    live = &histories->live[change->group];
    live->bytes += change->after.bytes - change->before.bytes;
    live->blocks += change->after.blocks - change->before.blocks;
    if (moment != 0)
        histories->own_work[change->group] += (double)change->allocated_blocks;
    numbers_of(histories, change->group, BORN_BYTES)[moment] += (double)change->allocated_bytes;
    count_dead(histories, change, moment - birth);
}

void mw_histories_end(mw_histories *histories)
{
    uint32_t moment = histories->count - 1;

    for (uint32_t group = 0; group < histories->group_count; group++) {
        numbers_of(histories, group, LIVE_BYTES)[moment] = (double)histories->live[group].bytes;
        numbers_of(histories, group, LIVE_BLOCKS)[moment] = (double)histories->live[group].blocks;
    }
}

void mw_histories_keep(mw_histories *histories, uint32_t group, uint32_t epoch, mw_tally alive)
{
    uint32_t birth = birth_of(histories, epoch);

    histories->kept[birth] += (double)alive.blocks;
    if (group == MW_NO_GROUP)
        return;
    numbers_of(histories, group, KEPT_BYTES)[birth] += (double)alive.bytes;
    numbers_of(histories, group, KEPT_BLOCKS)[birth] += (double)alive.blocks;
}

void mw_histories_finish(mw_histories *histories)
{
    double kept = 0, most = 0;

    histories->is_finished = true;
    for (uint32_t moment = 0; moment < histories->count; moment++) {
        kept += histories->kept[moment];
        /* An epoch that spans several moments counts as born at the first: no clock goes back. */
        most = fmax(most, histories->work[moment] - kept);
        histories->work[moment] = most;
    }
}

/* Whether what died of the process's blocks tells how much it had to do: not where it is less
 * than the group alone has allocated. */
static bool tells_work(const mw_histories *histories, uint32_t group)
{
    uint32_t last = histories->count - 1;

    return histories->has_totals && histories->count != 0 &&
           histories->own_work[group] <= histories->work[last] - histories->work[0];
}

mw_history mw_histories_of(const mw_histories *histories, uint32_t group)
{
    bool has_epochs = histories->epoch_count > 1 && histories->is_finished;

    return (mw_history){
        .count = histories->count,
        .times = histories->times,
        .work = tells_work(histories, group) ? histories->work : NULL,
        .live_bytes = numbers_of(histories, group, LIVE_BYTES),
        .live_blocks = numbers_of(histories, group, LIVE_BLOCKS),
        .kept_bytes = has_epochs ? numbers_of(histories, group, KEPT_BYTES) : NULL,
        .kept_blocks = has_epochs ? numbers_of(histories, group, KEPT_BLOCKS) : NULL,
        .born_bytes =
            histories->has_totals && has_epochs ? numbers_of(histories, group, BORN_BYTES) : NULL,
        .died_bytes = has_epochs ? numbers_of(histories, group, DIED_BYTES) : NULL,
        .died_blocks = has_epochs ? numbers_of(histories, group, DIED_BLOCKS) : NULL,
        .has_epochs = has_epochs,
    };
}
