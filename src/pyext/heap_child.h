/* SPDX-License-Identifier: MIT
 *
 * A forked child that looks at the heap: a picture of the process as it was at the fork,
 * which answers questions for as long as it lives.  The program pauses for the fork alone.
 *
 * The child is the program's in no way that could be noticed: it sends no SIGCHLD and no
 * wait() of the program's finds it, no handlers of fork or of signals run in it, it keeps
 * no file open but its end of a socket, and the system kills it before anybody else when
 * memory runs out.  It uses neither malloc nor Python: other threads may have held any lock
 * at the fork.  It ends when it is told to, or when the other end of the socket closes.
 */
#pragma once

#include "base/alloc.h"
#include "base/status.h"

#include <sys/types.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mw_heap_question;

typedef struct mw_heap_child {
    pid_t pid;
    int socket;
    uint64_t pause_ns; /* how long the fork held everybody up; 0 if not known */
} mw_heap_child;

/* What comes before the bytes of an answer. */
typedef struct mw_heap_reply {
    uint64_t status; /* an mw_status     */
    uint64_t length; /* bytes that follow */
} mw_heap_reply;

/* Forks; the child begins with the walk.  It may take [memory_limit] bytes.  The GIL is
 * held.  MW_UNSUPPORTED, with a sentence, if the system refuses. */
mw_status mw_heap_child_fork(mw_heap_child *ret_child, size_t memory_limit, mw_error *reterr)
    MW_MUST_CHECK;

/* The same with other work: the child calls [work] and ends when that returns. */
typedef void mw_heap_work(void *context, mw_alloc *alloc);
mw_status mw_heap_child_fork_for(mw_heap_child *ret_child, mw_heap_work *work, void *context,
                                 size_t memory_limit, mw_error *reterr) MW_MUST_CHECK;
/* In the child: sends bytes to who has forked it; false if he listens no more. */
bool mw_heap_child_write(const void *bytes, size_t length);

/* The rest needs no GIL.  Each waits [timeout_ms] at most for the child to go on (-1: for
 * ever), and returns MW_LIMIT when that was not enough, and MW_UNSUPPORTED, with a sentence,
 * when the child is no more.  EINTR is told by MW_BAD_INPUT: look at signals and call
 * again. */
mw_status mw_heap_child_send(const mw_heap_child *child, const struct mw_heap_question *question,
                             mw_error *reterr) MW_MUST_CHECK;
mw_status mw_heap_child_wait(const mw_heap_child *child, int timeout_ms, mw_error *reterr)
    MW_MUST_CHECK;
mw_status mw_heap_child_read(const mw_heap_child *child, void *bytes, size_t length,
                             mw_error *reterr) MW_MUST_CHECK;

/* Ends the child, whatever it does, and forgets it. */
void mw_heap_child_end(const mw_heap_child *child);

/* Bytes that this process may still use before the system or its control group runs out. */
size_t mw_heap_available_bytes(void);

/* Memory in pages, up to a limit: an allocator that refuses what is beyond. */
typedef struct mw_limited_alloc {
    mw_alloc base;
    size_t used_bytes;
    size_t limit_bytes;
} mw_limited_alloc;

mw_limited_alloc mw_limited_alloc_of(size_t limit_bytes);
