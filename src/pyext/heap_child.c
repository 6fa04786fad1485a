/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "pyext/heap_child.h"
#include "pyext/heap_layouts.h"

#include "pyext/live_heap.h"

#include "heap/heap_answers.h"
#include "tracer/guard.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { CHILD_SOCKET = 3, DESCRIPTORS_MAXIMUM = 65536, SHARE_OF_MEMORY_PERCENT = 80 };
enum { HUGE_BLOCK_BYTES = 4 << 20 };

/* ── memory ──────────────────────────────────────────────────────────────────────── */

/* Half of the time would go into faults of small pages.  Not where a huge page that is
 * touched at its beginning alone would be much of the block. */
static void *with_huge_pages(void *block, size_t size_bytes)
{
    if (block != NULL && size_bytes >= HUGE_BLOCK_BYTES)
        madvise(block, size_bytes, MADV_HUGEPAGE);
    return block;
}

static void *limited_allocate(mw_alloc *self, size_t size_bytes)
{
    mw_limited_alloc *limited = (mw_limited_alloc *)self;
    void *block;

    if (size_bytes > limited->limit_bytes - limited->used_bytes)
        return NULL;
    block = with_huge_pages(mw_alloc_new(mw_alloc_pages(), size_bytes), size_bytes);
    if (block != NULL)
        limited->used_bytes += size_bytes;
    return block;
}

static void *limited_resize(mw_alloc *self, void *block, size_t old_bytes, size_t new_bytes)
{
    mw_limited_alloc *limited = (mw_limited_alloc *)self;
    mw_alloc *pages = mw_alloc_pages();
    void *moved;

    if (new_bytes > old_bytes && new_bytes - old_bytes > limited->limit_bytes - limited->used_bytes)
        return NULL;
    moved = with_huge_pages(pages->resize(pages, block, old_bytes, new_bytes), new_bytes);
    if (moved != NULL)
        limited->used_bytes += new_bytes - old_bytes;
    return moved;
}

static void limited_release(mw_alloc *self, void *block, size_t size_bytes)
{
    if (block == NULL)
        return;
    ((mw_limited_alloc *)self)->used_bytes -= size_bytes;
    mw_alloc_release(mw_alloc_pages(), block, size_bytes);
}

mw_limited_alloc mw_limited_alloc_of(size_t limit_bytes)
{
    return (mw_limited_alloc){.base = {limited_allocate, limited_resize, limited_release},
                              .limit_bytes = limit_bytes};
}

/* The number behind [name] in a file (its first number if that is ""); SIZE_MAX without. */
static size_t read_number(const char *path, const char *name)
{
    char text[4096];
    int file = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = file >= 0 ? read(file, text, sizeof text - 1) : -1;
    const char *at;

    if (file >= 0)
        close(file);
    if (length <= 0)
        return SIZE_MAX;
    text[length] = '\0';
    at = strstr(text, name);
    if (at == NULL)
        return SIZE_MAX;
    at += strlen(name);
    while (*at == ' ')
        at++;
    return *at >= '0' && *at <= '9' ? (size_t)strtoull(at, NULL, 10) : SIZE_MAX;
}

size_t mw_heap_available_bytes(void)
{
    size_t available = read_number("/proc/meminfo", "MemAvailable:");
    size_t limit = read_number("/sys/fs/cgroup/memory.max", "");
    size_t current = read_number("/sys/fs/cgroup/memory.current", "");

    if (available != SIZE_MAX)
        available *= 1024;
    if (limit != SIZE_MAX && current != SIZE_MAX) {
        size_t left = limit > current ? limit - current : 0;

        if (left < available)
            available = left;
    }
    return available != SIZE_MAX ? available / 100 * SHARE_OF_MEMORY_PERCENT : SIZE_MAX;
}

/* ── in the child ────────────────────────────────────────────────────────────────── */

static void leave(int code)
{
    for (;;)
        syscall(SYS_exit_group, code);
}

static void prefer_to_be_killed(void)
{
    static const char worst[] = "1000";
    int file = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

    if (file >= 0) {
        if (write(file, worst, sizeof worst - 1) < 0)
            file = -1; /* then it is not preferred; nothing else to be done */
    }
}

/* Nobody waits for an end of a pipe or of a connection that only we hold. */
static void close_all_but(int socket)
{
    if (socket != CHILD_SOCKET) {
        if (dup2(socket, CHILD_SOCKET) < 0)
            leave(1);
    }
    for (int i = 0; i < CHILD_SOCKET; i++)
        close(i);
#ifdef SYS_close_range
    if (syscall(SYS_close_range, CHILD_SOCKET + 1, ~0U, 0) == 0)
        return;
#endif
    for (int i = CHILD_SOCKET + 1; i < DESCRIPTORS_MAXIMUM; i++)
        close(i);
}

bool mw_heap_child_write(const void *bytes, size_t length)
{
    const char *at = bytes;

    while (length != 0) {
        ssize_t written = send(CHILD_SOCKET, at, length, MSG_NOSIGNAL);

        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return false;
        at += written;
        length -= (size_t)written;
    }
    return true;
}

static bool reply(mw_status status, const mw_buffer *answer)
{
    mw_heap_reply head = {.status = (uint64_t)status,
                          .length = status == MW_OK ? answer->length : 0};

    return mw_heap_child_write(&head, sizeof head) &&
           mw_heap_child_write(answer->bytes, head.length);
}

static bool answer_one(mw_heap_study *study, const mw_heap_question *question, mw_alloc *alloc)
{
    mw_buffer text;
    mw_status status;
    bool is_heard;

    mw_buffer_init(&text, alloc);
    status = mw_heap_answer(study, question, &text.sink);
    is_heard = reply(status, &text);
    mw_buffer_done(&text);
    return is_heard;
}

static bool read_question(mw_heap_question *question)
{
    ssize_t length;

    do
        length = recv(CHILD_SOCKET, question, sizeof *question, MSG_WAITALL);
    while (length < 0 && errno == EINTR);
    question->name[sizeof question->name - 1] = '\0';
    return length == (ssize_t)sizeof *question;
}

/* The first answer is to a question that nobody asked: whether all went well. */
static void serve(void *context, mw_alloc *alloc)
{
    mw_live_heap live;
    mw_heap_study study;
    mw_heap_question question = {.name = "summary"};
    mw_status status = mw_live_heap_init(&live, NULL, alloc);

    (void)context;
    if (status == MW_OK)
        status = mw_heap_study_init(&study, &live.view, alloc);
    if (status != MW_OK) {
        reply(status, NULL);
        return;
    }
    while (answer_one(&study, &question, alloc) && read_question(&question))
        continue;
}

/* What the child is to do. */
typedef struct task {
    mw_heap_work *work;
    void *context;
    size_t memory_limit;
} task;

static void be_child(int socket, const task *self)
{
    mw_limited_alloc alloc = mw_limited_alloc_of(self->memory_limit);
    const struct rlimit no_core = {0, 0};

    mw_guard_enter();
    prefer_to_be_killed();
    close_all_but(socket);
    setrlimit(RLIMIT_CORE, &no_core);
    prctl(PR_SET_DUMPABLE, 0);
    prctl(PR_SET_NAME, "memwhy-heap");
    self->work(self->context, &alloc.base);
    leave(0);
}

/* ── in the parent ───────────────────────────────────────────────────────────────── */

/* Not fork(): handlers of pthread_atfork are the program's, and a child that ends with a
 * signal can be waited for by anybody. */
static pid_t clone_quietly(void)
{
    return (pid_t)syscall(SYS_clone, 0UL, NULL, NULL, NULL, 0UL);
}

static uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

mw_status mw_heap_child_fork(mw_heap_child *ret_child, size_t memory_limit, mw_error *reterr)
{
    return mw_heap_child_fork_for(ret_child, serve, NULL, memory_limit, reterr);
}

mw_status mw_heap_child_fork_for(mw_heap_child *ret_child, mw_heap_work *work, void *context,
                                 size_t memory_limit, mw_error *reterr)
{
    const task child = {work, context, memory_limit};
    sigset_t all, before;
    int ends[2];
    uint64_t begin_ns;
    pid_t pid;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        return mw_error_set(reterr, MW_UNSUPPORTED, "no socket for looking at the heap: %s",
                            strerror(errno));
    /* No handler of the program's may run in the child; it keeps all signals blocked. */
    begin_ns = now_ns();
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    pid = clone_quietly();
    if (pid == 0)
        be_child(ends[1], &child);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    begin_ns = now_ns() - begin_ns;
    close(ends[1]);
    if (pid < 0) {
        close(ends[0]);
        return mw_error_set(reterr, MW_UNSUPPORTED,
                            "the system refused to fork for looking at the heap: %s",
                            strerror(errno));
    }
    *ret_child = (mw_heap_child){pid, ends[0], begin_ns};
    return MW_OK;
}

/* Why the child is no more. */
static mw_status tell_end(const mw_heap_child *child, mw_error *reterr)
{
    int code = 0;
    pid_t ended = waitpid(child->pid, &code, __WALL);

    if (ended == child->pid && WIFSIGNALED(code) && WTERMSIG(code) == SIGKILL)
        return mw_error_set(reterr, MW_UNSUPPORTED,
                            "the child that looked at the heap was killed (SIGKILL): memory may "
                            "have run out; the program is not affected");
    if (ended == child->pid && WIFSIGNALED(code))
        return mw_error_set(reterr, MW_UNSUPPORTED,
                            "the child that looked at the heap crashed (signal %d): an extension "
                            "type may not say right what its objects refer to; the program is not "
                            "affected",
                            WTERMSIG(code));
    return mw_error_set(
        reterr, MW_UNSUPPORTED,
        "the child that looked at the heap is no more; the program is not affected");
}

mw_status mw_heap_child_send(const mw_heap_child *child, const mw_heap_question *question,
                             mw_error *reterr)
{
    /* Smaller than any socket's buffer, so it goes at once or not at all. */
    ssize_t written = send(child->socket, question, sizeof *question, MSG_NOSIGNAL);

    return written == (ssize_t)sizeof *question ? MW_OK : tell_end(child, reterr);
}

mw_status mw_heap_child_wait(const mw_heap_child *child, int timeout_ms, mw_error *reterr)
{
    struct pollfd one = {.fd = child->socket, .events = POLLIN};
    int ready = poll(&one, 1, timeout_ms);

    if (ready > 0)
        return MW_OK;
    if (ready == 0)
        return mw_error_set(reterr, MW_LIMIT, "looking at the heap took too long");
    if (errno == EINTR)
        return MW_BAD_INPUT;
    return mw_error_set(reterr, MW_UNSUPPORTED, "waiting for the child: %s", strerror(errno));
}

mw_status mw_heap_child_read(const mw_heap_child *child, void *bytes, size_t length,
                             mw_error *reterr)
{
    char *at = bytes;

    while (length != 0) {
        ssize_t got = recv(child->socket, at, length, 0);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return tell_end(child, reterr);
        at += got;
        length -= (size_t)got;
    }
    return MW_OK;
}

void mw_heap_child_end(const mw_heap_child *child)
{
    close(child->socket);
    /* Once it has been waited for, its number may be another's. */
    if (waitpid(child->pid, NULL, __WALL | WNOHANG) != 0)
        return;
    kill(child->pid, SIGKILL);
    while (waitpid(child->pid, NULL, __WALL) < 0 && errno == EINTR)
        continue;
}
