/* SPDX-License-Identifier: MIT */
#include "pyext/recorder_heap.h"

#include "pyext/heap_capture.h"
#include "pyext/recorder_look.h"
#include "tracer/process_look.h"

#include <Python.h>

enum { PATIENCE_MS = 1000 };

static mw_status append(void *context, mw_record_type type, const mw_bytes *payload,
                        mw_error *reterr)
{
    return mw_recording_heap(context, type, payload, reterr);
}

static mw_status fork_child(mw_heap_capture *capture, const mw_wanted_heaps *wanted,
                            uint64_t start_ns, uint64_t *ret_pause_ns, mw_error *reterr)
{
    const mw_heap_dump_options options = {.time_ns = mw_process_clock_ns() - start_ns,
                                          .hides_texts = wanted->hides_texts};
    mw_quiet quiet = mw_quiet_enter();
    mw_status status = mw_heap_capture_fork(capture, &options, 0, MW_HEAP_CAPTURE_SECONDS, reterr);

    mw_quiet_leave(quiet);
    *ret_pause_ns = capture->child.pause_ns;
    return status;
}

static mw_status write_heap(mw_recording *recording, const mw_wanted_heaps *wanted,
                            mw_heap_capture *capture, mw_error *reterr)
{
    bool is_done = false;
    mw_status status = MW_OK;

    while (status == MW_OK && !is_done) {
        status = mw_heap_capture_take(capture, PATIENCE_MS, append, recording, &is_done, reterr);
        if (status == MW_BAD_INPUT) /* a signal, which is not for this thread */
            status = MW_OK;
        if (status == MW_OK && !is_done && atomic_load(wanted->given_up))
            status = mw_error_set(reterr, MW_LIMIT, "the program ended before it was complete");
    }
    mw_heap_capture_done(capture);
    if (status != MW_OK)
        mw_recording_drop_heap(recording);
    return status;
}

mw_status mw_recorder_heap(mw_recording *recording, const mw_wanted_heaps *wanted,
                           uint64_t start_ns, mw_gil_of_caller gil, uint64_t *ret_pause_ns,
                           mw_error *reterr)
{
    bool is_held = gil == MW_GIL_IS_HELD;
    PyGILState_STATE state = PyGILState_UNLOCKED;
    PyThreadState *thread = NULL;
    mw_heap_capture capture;
    mw_status status;

    if (!is_held)
        state = PyGILState_Ensure();
    status = fork_child(&capture, wanted, start_ns, ret_pause_ns, reterr);
    if (!is_held)
        PyGILState_Release(state);
    else
        thread = PyEval_SaveThread();
    if (status == MW_OK)
        status = write_heap(recording, wanted, &capture, reterr);
    if (is_held)
        PyEval_RestoreThread(thread);
    return status;
}
