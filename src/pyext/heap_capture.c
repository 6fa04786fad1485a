/* SPDX-License-Identifier: MIT */
#include "pyext/heap_capture.h"

#include "pyext/heap_check.h"

#include <signal.h>
#include <sys/prctl.h>
#include <time.h>

/* What comes before the payload of a record. */
typedef struct message {
    uint32_t type;   /* an mw_record_type; 0: the walk has ended with `status` */
    uint32_t status; /* an mw_status                                           */
    uint64_t length; /* bytes that follow; in the end, what the walk took      */
} message;

static uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

/* ── in the child ────────────────────────────────────────────────────────────────── */

static mw_status send_record(void *context, mw_record_type type, const mw_bytes *payload)
{
    const message head = {.type = (uint32_t)type, .length = payload->length};

    (void)context;
    return mw_heap_child_write(&head, sizeof head) &&
                   mw_heap_child_write(payload->bytes, payload->length)
               ? MW_OK
               : MW_IO;
}

static void walk(void *context, mw_alloc *alloc)
{
    mw_heap_capture *self = context;
    size_t memory_bytes = 0;
    message end = {0};

    /* The thread that has forked takes the heap, too.  If it dies, nobody wants it; and who hangs
     * in an extension's type would not notice that the socket is closed. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    self->options.pause_ns = now_ns() - self->fork_ns;
    end.status = (uint32_t)mw_heap_dump(&self->options, send_record, NULL, alloc, &memory_bytes);
    end.length = memory_bytes;
    (void)mw_heap_child_write(&end, sizeof end);
}

/* ── in the parent ───────────────────────────────────────────────────────────────── */

mw_status mw_heap_capture_fork(mw_heap_capture *ret_capture, const mw_heap_dump_options *options,
                               size_t memory_limit, double timeout_seconds, mw_error *reterr)
{
    const char *wrong = mw_heap_check_result();

    *ret_capture = (mw_heap_capture){
        .options = *options,
        .memory_limit = memory_limit != 0 ? memory_limit : mw_heap_available_bytes(),
        .fork_ns = now_ns(),
    };
    ret_capture->deadline_ns = ret_capture->fork_ns + (uint64_t)(timeout_seconds * 1e9);
    mw_bytes_init(&ret_capture->payload, mw_alloc_system());
    if (wrong != NULL)
        return mw_error_set(reterr, MW_UNSUPPORTED,
                            "memwhy does not look at the objects of this Python, since %s", wrong);
    return mw_heap_child_fork_for(&ret_capture->child, walk, ret_capture, ret_capture->memory_limit,
                                  reterr);
}

static mw_status tell_status(const mw_heap_capture *capture, mw_status status, mw_error *reterr)
{
    if (status == MW_NO_MEMORY)
        return mw_error_set(reterr, status,
                            "looking at the heap wants more memory than the %zu MiB that "
                            "memory_limit or the system leaves for it",
                            capture->memory_limit >> 20);
    if (status == MW_LIMIT)
        return mw_error_set(reterr, MW_UNSUPPORTED,
                            "the heap has more objects than can be counted");
    return mw_error_set(reterr, MW_UNSUPPORTED,
                        "the heap could not be followed: an extension type may not say right what "
                        "its objects refer to");
}

static mw_status take_payload(mw_heap_capture *capture, uint64_t length, mw_error *reterr)
{
    uint8_t *room;
    mw_status status;

    mw_bytes_clear(&capture->payload);
    room = mw_bytes_reserve(&capture->payload, length);
    if (room == NULL)
        return mw_error_set(reterr, MW_NO_MEMORY, "no memory for a part of the heap");
    status = mw_heap_child_read(&capture->child, room, length, reterr);
    if (status == MW_OK)
        capture->payload.length = length;
    return status;
}

/* One record, or the end, of which something has come. */
static mw_status take_one(mw_heap_capture *capture, mw_heap_append *append, void *context,
                          bool *ret_is_done, mw_error *reterr)
{
    message head;
    mw_status status = mw_heap_child_read(&capture->child, &head, sizeof head, reterr);

    if (status != MW_OK)
        return status;
    if (head.type == 0) {
        capture->memory_bytes = head.length;
        *ret_is_done = head.status == MW_OK;
        return *ret_is_done ? MW_OK : tell_status(capture, (mw_status)head.status, reterr);
    }
    status = take_payload(capture, head.length, reterr);
    return status == MW_OK ? append(context, (mw_record_type)head.type, &capture->payload, reterr)
                           : status;
}

mw_status mw_heap_capture_take(mw_heap_capture *capture, int patience_ms, mw_heap_append *append,
                               void *context, bool *ret_is_done, mw_error *reterr)
{
    uint64_t until_ns = now_ns() + (uint64_t)patience_ms * 1000000;
    mw_status status = MW_OK;

    *ret_is_done = false;
    while (status == MW_OK && !*ret_is_done && now_ns() < until_ns) {
        if (now_ns() >= capture->deadline_ns)
            return mw_error_set(reterr, MW_LIMIT, "looking at the heap took too long");
        status = mw_heap_child_wait(&capture->child, patience_ms, reterr);
        if (status == MW_LIMIT && now_ns() < capture->deadline_ns)
            return MW_OK;
        if (status == MW_OK)
            status = take_one(capture, append, context, ret_is_done, reterr);
    }
    return status;
}

void mw_heap_capture_done(mw_heap_capture *capture)
{
    mw_heap_child_end(&capture->child);
    mw_bytes_done(&capture->payload);
}
