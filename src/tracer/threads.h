/* SPDX-License-Identifier: MIT
 *
 * Threads, numbered in the order in which they first allocated.  Each numbered thread is
 * the root of call paths of its own, which is what makes "by thread" exact; so that a
 * server which starts a thread for every request does not grow a tree for each, only
 * the first 254 are told apart and later ones share the last number.
 *
 * Guarded by whoever guards the paths.
 */
#pragma once

#include "core/ids.h"

enum {
    MW_THREAD_MAXIMUM = 255,
    MW_THREAD_OTHERS = MW_THREAD_MAXIMUM, /* all that came after the first 254 */
};

typedef struct mw_thread_row {
    uint64_t id;        /* of the interpreter's thread state, never reused; 0 = none  */
    uint64_t native_id; /* of the kernel; the process's for its first thread           */
    uint64_t ident;     /* threading.get_ident()                                      */
    mw_string name;     /* in the tracer's code table; as last heard                  */
} mw_thread_row;

typedef struct mw_threads {
    mw_thread_row rows[MW_THREAD_MAXIMUM + 1]; /* [0] is unknown */
    uint32_t count;                            /* numbered so far */
} mw_threads;

static inline mw_thread mw_threads_number(mw_threads *threads, uint64_t id, uint64_t ident,
                                          uint64_t native_id)
{
    uint32_t number;

    for (number = 1; number <= threads->count; number++)
        if (threads->rows[number].id == id)
            return (mw_thread){number};
    if (number >= MW_THREAD_OTHERS)
        return (mw_thread){MW_THREAD_OTHERS};
    threads->rows[number] = (mw_thread_row){.id = id, .native_id = native_id, .ident = ident};
    threads->count = number;
    return (mw_thread){number};
}
