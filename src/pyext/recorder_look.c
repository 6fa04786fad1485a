/* SPDX-License-Identifier: MIT */
#include "pyext/recorder_look.h"

#include "pyext/capi_domains.h"
#include "pyext/thread_names.h"
#include "pyext/tracing.h"
#include "tracer/process_look.h"
#include "tracer/sampler.h"
#include "tracer/series_copy.h"
#include "tracer/tracer.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The str "_name"; the module's. */
static PyObject *name_attribute;

int mw_recorder_look_init(PyObject *module)
{
    name_attribute = PyUnicode_InternFromString("_name");
    if (name_attribute == NULL)
        return -1;
    if (PyModule_AddObjectRef(module, "_name_attribute", name_attribute) < 0) {
        Py_CLEAR(name_attribute);
        return -1;
    }
    Py_DECREF(name_attribute);
    return 0;
}

/* ── quiet ───────────────────────────────────────────────────────────────────────── */

mw_quiet mw_quiet_enter(void)
{
    mw_quiet quiet = {mw_guard_is_inside, mw_the_sample_clock.is_inside};

    (void)mw_guard_enter();
    (void)mw_sampler_enter();
    return quiet;
}

void mw_quiet_leave(mw_quiet quiet)
{
    const mw_guard guard = {true};

    if (!quiet.was_inside_sampler)
        mw_sampler_leave(guard);
    if (!quiet.was_inside_tracer)
        mw_guard_leave(guard);
}

/* ── which tracer ────────────────────────────────────────────────────────────────── */

int mw_recorded_now(mw_recorded *ret_recorded)
{
    *ret_recorded = mw_the_tracer.is_active ? MW_RECORDED_EXACTLY : MW_RECORDED_BY_SAMPLES;
    if (mw_the_tracer.is_active || mw_sampler_is_active(&mw_the_sampler))
        return 0;
    PyErr_SetString(PyExc_RuntimeError, "memwhy must be tracing: call memwhy.start() first");
    return -1;
}

void mw_recorded_describe(mw_recorded recorded, mw_program *program)
{
    bool is_sampled = recorded == MW_RECORDED_BY_SAMPLES;

    program->pid = getpid();
    program->start_unix_ns = mw_process_unix_ns();
    program->memory_limit_bytes = mw_process_memory_limit_bytes();
    program->sample_bytes = is_sampled ? mw_the_sampler.sample_bytes : 0;
    program->frame_limit = is_sampled ? mw_the_sampler.frame_limit : mw_the_tracer.frame_limit;
}

int mw_recorder_copy_path(PyObject *path, char *ret_path, size_t capacity)
{
    PyObject *bytes = NULL;
    int status = 0;

    if (!PyUnicode_FSConverter(path, &bytes))
        return -1;
    if ((size_t)PyBytes_GET_SIZE(bytes) < capacity) {
        memcpy(ret_path, PyBytes_AS_STRING(bytes), (size_t)PyBytes_GET_SIZE(bytes) + 1);
    } else {
        PyErr_SetString(PyExc_ValueError, "the name of the capture is too long");
        status = -1;
    }
    Py_DECREF(bytes);
    return status;
}

int mw_recorder_check_place(const char *path)
{
    struct stat there = {.st_mode = S_IFREG};

    if (*path == '\0')
        errno = ENOENT;
    else if (stat(path, &there) != 0 || S_ISREG(there.st_mode))
        return 0;
    else
        errno = S_ISDIR(there.st_mode) ? EISDIR : 0;
    if (errno != 0)
        PyErr_SetFromErrnoWithFilename(PyExc_OSError, path);
    else
        PyErr_Format(PyExc_OSError, "A capture cannot be written to %s, which is no file.", path);
    return -1;
}

void mw_recorder_name_part(const char *path, char *ret_part, size_t capacity)
{
    static atomic_uint count;

    snprintf(ret_part, capacity, "%s.%d-%u", path, (int)getpid(), atomic_fetch_add(&count, 1));
}

uint32_t mw_recorded_epoch(mw_recorded recorded)
{
    return recorded == MW_RECORDED_EXACTLY ? mw_the_tracer.epoch : mw_the_sampler.epoch;
}

mw_status mw_recorded_begin_epoch(mw_recorded recorded)
{
    uint32_t epoch;

    if (recorded == MW_RECORDED_EXACTLY)
        return mw_tracer_begin_epoch(&mw_the_tracer, (mw_guard){true}, &epoch);
    return mw_sampler_begin_epoch(&mw_the_sampler, &epoch);
}

/* ── points ──────────────────────────────────────────────────────────────────────── */

static void see_bytes(mw_recorded recorded, mw_point *point)
{
    if (recorded == MW_RECORDED_EXACTLY) {
        point->live_bytes = mw_tracer_live_bytes(&mw_the_tracer);
        point->peak_bytes = mw_tracer_peak_bytes(&mw_the_tracer);
    } else {
        mw_sampler_traced_bytes(&mw_the_sampler, &point->live_bytes, &point->peak_bytes);
    }
    if (point->peak_bytes < point->live_bytes)
        point->peak_bytes = point->live_bytes;
}

static uint64_t lost_blocks(mw_recorded recorded)
{
    mw_raw_lane *lane = recorded == MW_RECORDED_EXACTLY ? &mw_the_tracer.raw : &mw_the_sampler.lane;
    uint64_t lost = recorded == MW_RECORDED_EXACTLY ? mw_the_tracer.lost_blocks : 0;

    mw_raw_lane_lock(lane);
    lost += lane->lost_blocks;
    mw_raw_lane_unlock(lane);
    return lost;
}

mw_point mw_recorder_glance(const mw_wanted_look *wanted, const mw_point *last)
{
    mw_point point = *last;

    point.time_ns = mw_process_clock_ns() - wanted->start_ns;
    point.rss_bytes = mw_process_rss_bytes();
    point.snapshot = MW_NO_SNAPSHOT;
    see_bytes(wanted->recorded, &point);
    return point;
}

/* ── looks ───────────────────────────────────────────────────────────────────────── */

/* Whether there is a peak that has not been written. */
static bool is_peak_new(const mw_wanted_look *wanted)
{
    const mw_peak *peak = &mw_the_tracer.peak;

    return wanted->wants_peak && peak->live_bytes != 0 &&
           peak->live_bytes != wanted->written_peak_bytes;
}

static mw_point peak_point(const mw_wanted_look *wanted, const mw_point *now)
{
    const mw_peak *peak = &mw_the_tracer.peak;
    mw_point point = *now;

    point.rss_bytes = 0;
    point.time_ns = peak->time_ns > wanted->start_ns ? peak->time_ns - wanted->start_ns : 0;
    point.live_bytes = peak->live_bytes;
    if (point.peak_bytes < peak->live_bytes)
        point.peak_bytes = peak->live_bytes;
    return point;
}

/* Without memory for the peak, it comes with the next look. */
static mw_status look_exactly(const mw_wanted_look *wanted, mw_seen *seen)
{
    const mw_guard guard = {true};
    mw_status status;

    if (!mw_the_tracer.is_active)
        return MW_UNSUPPORTED;
    mw_capi_domains_refresh();
    status = mw_thread_names_note_active(&mw_the_tracer, name_attribute);
    if (status != MW_OK)
        return status;
    seen->has_new_peak = is_peak_new(wanted);
    status = mw_series_copy_new(&mw_the_tracer, guard,
                                seen->has_new_peak ? MW_SERIES_BOTH : MW_SERIES_NOW,
                                wanted->first_epoch, mw_alloc_bursts(), &seen->copy);
    if (status != MW_NO_MEMORY || !seen->has_new_peak)
        return status;
    seen->has_new_peak = false;
    return mw_series_copy_new(&mw_the_tracer, guard, MW_SERIES_NOW, wanted->first_epoch,
                              mw_alloc_bursts(), &seen->copy);
}

mw_status mw_recorder_look(const mw_wanted_look *wanted, mw_seen *ret_seen)
{
    const mw_point nothing = {0};
    mw_status status;

    *ret_seen = (mw_seen){.was_deaf = mw_tracing_mend_hooks_silently()};
    if (wanted->recorded == MW_RECORDED_EXACTLY)
        status = look_exactly(wanted, ret_seen);
    else
        status = mw_sampler_series_snapshot(&mw_the_sampler, wanted->first_epoch, mw_alloc_bursts(),
                                            &ret_seen->snapshot);
    if (status != MW_OK)
        return status;
    ret_seen->point = mw_recorder_glance(wanted, &nothing);
    ret_seen->point.overhead_bytes = mw_tracing_overhead_bytes();
    ret_seen->point.lost_blocks = lost_blocks(wanted->recorded);
    if (ret_seen->has_new_peak)
        ret_seen->peak_point = peak_point(wanted, &ret_seen->point);
    return MW_OK;
}

mw_status mw_recorder_develop(mw_seen *seen)
{
    mw_status status = MW_OK;

    if (seen->copy != NULL)
        status = mw_series_copy_snapshot(seen->copy, mw_alloc_bursts(), &seen->snapshot);
    if (status == MW_OK && seen->has_new_peak &&
        mw_series_copy_peak(seen->copy, mw_alloc_bursts(), &seen->peak) != MW_OK)
        seen->peak = NULL;
    mw_series_copy_free(seen->copy);
    seen->copy = NULL;
    if (status != MW_OK)
        return status;
    /* Threads without the GIL may have allocated since. */
    seen->point.live_bytes = mw_snapshot_live_bytes(seen->snapshot);
    if (seen->point.peak_bytes < seen->point.live_bytes)
        seen->point.peak_bytes = seen->point.live_bytes;
    return MW_OK;
}

void mw_seen_done(mw_seen *seen)
{
    mw_series_copy_free(seen->copy);
    mw_snapshot_release(seen->snapshot);
    mw_snapshot_release(seen->peak);
    *seen = (mw_seen){0};
}
