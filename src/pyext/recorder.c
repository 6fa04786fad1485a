/* SPDX-License-Identifier: MIT
 *
 * There is one recorder in a process.  Its parts have three guards:
 *
 *   the GIL        starting, stopping, pausing, forking
 *   `busy`         the recording and its series: held for a whole look, by the thread or by
 *                  who records in its place; waiting for it with the GIL held would be a
 *                  deadlock, since a look takes the GIL
 *   nobody         atomics, that a signal handler sets, and the semaphore that it posts
 *
 * Forks.  Since 3.12, os.fork() warns if the process has a second thread, whoever's it is; so
 * the functions that fork are wrapped, and the thread is stopped while they run.  Then it is
 * between two looks when the child is made, and nothing in the child is half done.  A child
 * that was made otherwise leaves what it inherited where it is.
 */
#define _GNU_SOURCE
#include "pyext/recorder.h"

#include "pyext/compat.h"
#include "pyext/complaint.h"
#include "pyext/durations.h"
#include "pyext/program_argument.h"
#include "pyext/recorder_heap.h"
#include "pyext/recorder_look.h"
#include "pyext/recorder_source.h"
#include "pyext/snapshot_to.h"
#include "tracer/process_look.h"
#include "tracer/recording.h"
#include "tracer/series.h"
#include "tracer/tracer.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    STACK_BYTES = 512 << 10,
    PAUSE_SECONDS = 2, /* a fork waits so long for a write; a stop, ten times that */
};

typedef enum recorder_state {
    RECORDER_OFF,
    RECORDER_ON,
    RECORDER_ENDED, /* all is written but for the exit status */
} recorder_state;

typedef struct recorder {
    recorder_state state;
    pid_t pid;                  /* whose recorder this is; a fork makes it another's           */
    char path[PATH_MAX];        /* of the capture                                              */
    char family_path[PATH_MAX]; /* of the first ancestor's, of which children's names are made */
    mw_program program;         /* owned                                                       */
    uint64_t every_ns;
    uint64_t keep_ns;
    bool follows_forks;
    int signal; /* on which a snapshot is taken; 0: none                     */
    mw_wanted_heaps heaps;
    mw_complaint complaint;

    pthread_t thread;
    bool has_thread;
    uint32_t pauses; /* nested */
    sem_t wake;
    atomic_bool stop_wanted;
    atomic_bool snapshot_wanted;
    atomic_bool heap_wanted;
    atomic_bool heap_given_up;

    pthread_mutex_t busy;
    mw_recording recording;
    mw_recorder_source source;
    mw_series series;
    mw_wanted_look wanted;
    mw_point last;             /* what was seen last under the GIL        */
    uint64_t longest_pause_ns; /* that a look held the GIL */
    bool has_missed;           /* the tracing was over when a snapshot was due */
} recorder;

static recorder the_recorder = {.busy = PTHREAD_MUTEX_INITIALIZER};

static bool is_ours(const recorder *self, recorder_state state)
{
    return self->state == state && self->pid == getpid();
}

/* ── looks, with `busy` held ─────────────────────────────────────────────────────── */

static void complain_of(recorder *self, mw_status status, const mw_error *error)
{
    if (status == MW_NO_MEMORY)
        mw_complaint_make(&self->complaint, "the capture has a gap",
                          "there was no memory for a snapshot");
    else
        mw_complaint_make(&self->complaint, "the capture cannot be written for now", error->text);
}

/* Room for the epoch is made before it begins, so that both know of it or neither. */
static void begin_epoch(recorder *self, uint64_t now_ns)
{
    if (mw_recording_epoch(&self->recording, now_ns) != MW_OK)
        return;
    if (mw_recorded_begin_epoch(self->wanted.recorded) != MW_OK)
        self->recording.epoch_count--;
}

/* What has to be done under the GIL, which the caller holds. */
static mw_status see(recorder *self, bool ends_epoch, mw_seen *seen)
{
    uint64_t start_ns = mw_process_clock_ns();
    mw_quiet quiet = mw_quiet_enter();
    mw_status status;
    uint64_t pause_ns;

    self->wanted.written_peak_bytes = self->recording.peak_bytes;
    status = mw_recorder_look(&self->wanted, seen);
    if (status == MW_OK && ends_epoch)
        begin_epoch(self, seen->point.time_ns);
    mw_quiet_leave(quiet);
    pause_ns = mw_process_clock_ns() - start_ns;
    if (pause_ns > self->longest_pause_ns)
        self->longest_pause_ns = pause_ns;
    return status;
}

static mw_status write_look(recorder *self, const mw_seen *seen, mw_error *reterr)
{
    mw_look look = {.snapshot = seen->snapshot,
                    .point = seen->point,
                    .peak = seen->peak,
                    .peak_point = seen->peak_point};
    mw_status status;

    self->last = seen->point;
    status = mw_recording_look(&self->recording, &look, reterr);
    mw_source_files_done(&self->source.files);
    return status;
}

/* What is done without the GIL. */
static void write_seen(recorder *self, mw_status status, mw_seen *seen)
{
    mw_error error;

    if (status == MW_UNSUPPORTED) {
        self->has_missed = true;
        return;
    }
    if (seen->was_deaf)
        mw_complaint_make(
            &self->complaint, "the capture has a gap",
            "memwhy's hooks were taken out, as tracemalloc.stop() does with those of whoever "
            "began after it; they are back");
    if (status == MW_OK)
        status = mw_recorder_develop(seen);
    if (status == MW_OK)
        status = write_look(self, seen, &error);
    else
        self->recording.failures++;
    if (status != MW_OK)
        complain_of(self, status, &error);
}

static void record_point(recorder *self)
{
    mw_look look = {.point = mw_recorder_glance(&self->wanted, &self->last)};
    mw_error error;
    mw_status status;

    mw_series_note_point(&self->series, look.point.time_ns);
    status = mw_recording_look(&self->recording, &look, &error);
    if (status != MW_OK)
        complain_of(self, status, &error);
}

/* Takes and writes a snapshot; the GIL is not held. */
static void record_snapshot(recorder *self)
{
    uint64_t now_ns = mw_process_clock_ns() - self->wanted.start_ns;
    bool ends_epoch = mw_series_note_snapshot(&self->series, now_ns);
    mw_seen seen = {0};
    PyGILState_STATE state;
    mw_status status;

    if (py_is_finalizing())
        return;
    state = PyGILState_Ensure();
    status = see(self, ends_epoch, &seen);
    PyGILState_Release(state);
    write_seen(self, status, &seen);
    mw_seen_done(&seen);
}

/* A heap more.  A capture is worth more than one heap: without it, it goes on. */
static void record_heap(recorder *self, mw_gil_of_caller gil)
{
    uint64_t pause_ns = 0;
    mw_error error = {.text = ""};

    if (py_is_finalizing())
        return;
    if (mw_recorder_heap(&self->recording, &self->heaps, self->wanted.start_ns, gil, &pause_ns,
                         &error) != MW_OK)
        mw_complaint_make(&self->complaint, "the capture has a heap less", error.text);
    if (pause_ns > self->longest_pause_ns)
        self->longest_pause_ns = pause_ns;
}

/* ── the thread ──────────────────────────────────────────────────────────────────── */

static void wait_until_due(recorder *self)
{
    uint64_t due_ns;
    struct timespec deadline;

    pthread_mutex_lock(&self->busy);
    due_ns = self->wanted.start_ns + mw_series_next(&self->series);
    pthread_mutex_unlock(&self->busy);
    deadline.tv_sec = (time_t)(due_ns / 1000000000);
    deadline.tv_nsec = (long)(due_ns % 1000000000);
    if (atomic_load(&self->snapshot_wanted) || atomic_load(&self->heap_wanted) ||
        atomic_load(&self->stop_wanted))
        return;
    (void)sem_clockwait(&self->wake, CLOCK_MONOTONIC, &deadline);
}

static void *follow(void *context)
{
    recorder *self = context;

    /* What this thread asks of the allocators is nobody's, from its thread state on. */
    (void)mw_quiet_enter();
    for (;;) {
        mw_series_due due;
        bool is_asked;

        wait_until_due(self);
        if (atomic_exchange(&self->stop_wanted, false))
            return NULL;
        is_asked = atomic_exchange(&self->snapshot_wanted, false);
        pthread_mutex_lock(&self->busy);
        due = mw_series_look(&self->series, mw_process_clock_ns() - self->wanted.start_ns);
        if (is_asked || due == MW_SERIES_SNAPSHOT)
            record_snapshot(self);
        else if (due == MW_SERIES_POINT)
            record_point(self);
        if (atomic_exchange(&self->heap_wanted, false))
            record_heap(self, MW_GIL_IS_NOT_HELD);
        pthread_mutex_unlock(&self->busy);
    }
}

/* The program's signals are for its own threads. */
static int create_thread(recorder *self)
{
    pthread_attr_t attributes;
    sigset_t all, before;
    int error;

    sigfillset(&all);
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    error = pthread_create(&self->thread, &attributes, follow, self);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    if (error == 0)
        pthread_setname_np(self->thread, "memwhy");
    return error;
}

static void start_thread(recorder *self)
{
    mw_quiet quiet;
    int error;

    /* One that could not be stopped in time goes on, unless it has taken the wish and ends. */
    if (self->has_thread && atomic_exchange(&self->stop_wanted, false))
        return;
    if (self->has_thread)
        pthread_join(self->thread, NULL);
    self->has_thread = false;
    atomic_store(&self->stop_wanted, false);
    quiet = mw_quiet_enter();
    error = create_thread(self);
    mw_quiet_leave(quiet);
    self->has_thread = error == 0;
    if (error != 0)
        mw_complaint_make(&self->complaint, "the capture will have the last snapshot only",
                          strerror(error));
}

/* Waits for the thread to come to an end, but not for ever, should the disk hang.  The GIL is
 * held, and released meanwhile. */
static void stop_thread(recorder *self, int seconds)
{
    struct timespec deadline = {0};
    PyThreadState *thread;
    int error;

    if (!self->has_thread)
        return;
    atomic_store(&self->stop_wanted, true);
    sem_post(&self->wake);
    clock_gettime(CLOCK_MONOTONIC, &deadline);
    deadline.tv_sec += seconds;
    thread = PyEval_SaveThread();
    error = pthread_clockjoin_np(self->thread, NULL, CLOCK_MONOTONIC, &deadline);
    PyEval_RestoreThread(thread);
    self->has_thread = error != 0;
}

/* ── the signal ──────────────────────────────────────────────────────────────────── */

/* Async-signal-safe, and calls nobody's handler: the program had none when this was put in. */
static void on_signal(int number)
{
    int error = errno;

    if (number == the_recorder.signal)
        atomic_store(&the_recorder.snapshot_wanted, true);
    if (number == the_recorder.heaps.signal)
        atomic_store(&the_recorder.heap_wanted, true);
    sem_post(&the_recorder.wake);
    errno = error;
}

static int catch_signal(int number)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};

    sigemptyset(&action.sa_mask);
    return number != 0 ? sigaction(number, &action, NULL) : 0;
}

/* If the program has put its own handler in since, that stays. */
static void release_signal(int number)
{
    struct sigaction present;

    if (number == 0 || sigaction(number, NULL, &present) != 0 || present.sa_handler != on_signal)
        return;
    present.sa_handler = SIG_IGN;
    (void)sigaction(number, &present, NULL);
}

/* ── beginning ───────────────────────────────────────────────────────────────────── */

/* When a file is made. */
typedef enum making { MAKE_NOW, MAKE_WHEN_DUE } making;

static void fill_program(recorder *self, pid_t parent)
{
    mw_recorded_describe(self->wanted.recorded, &self->program);
    self->program.pid = self->pid;
    self->program.parent_pid = parent;
}

static void init_recording(recorder *self)
{
    mw_capture_options options = {
        .keep_ns = self->keep_ns, .source_line = mw_recorder_source_line, .context = &self->source};

    mw_source_files_init(&self->source.files, mw_alloc_system(), self->program.directory);
    mw_recording_init(&self->recording, mw_alloc_bursts(), self->path, &self->program, &options);
    self->recording.children_path = self->family_path;
}

/* All that was asked for is filled in; the GIL is held, and nobody else is here.  What was
 * alive before is of epoch 0. */
static void begin(recorder *self, pid_t parent, making when)
{
    mw_error error;

    self->pid = getpid();
    self->wanted.start_ns = mw_process_clock_ns();
    self->wanted.first_epoch = mw_recorded_epoch(self->wanted.recorded);
    self->last = (mw_point){.snapshot = MW_NO_SNAPSHOT};
    self->longest_pause_ns = 0;
    self->complaint.is_made = self->has_missed = false;
    self->pauses = 0;
    atomic_store(&self->snapshot_wanted, false);
    atomic_store(&self->heap_wanted, false);
    atomic_store(&self->heap_given_up, false);
    sem_init(&self->wake, 0, 0);
    mw_series_init(&self->series, self->every_ns);
    fill_program(self, parent);
    init_recording(self);
    self->state = RECORDER_ON;
    if (when == MAKE_NOW && mw_recording_open(&self->recording, &error) != MW_OK)
        complain_of(self, MW_IO, &error);
    start_thread(self);
}

/* ── ending ──────────────────────────────────────────────────────────────────────── */

/* Takes `busy` while holding the GIL, which is released meanwhile; false if it is not to be had
 * in a time that a program can wait. */
static bool lock_busy(recorder *self, int seconds)
{
    struct timespec deadline = {0};
    PyThreadState *thread;
    int error;

    clock_gettime(CLOCK_MONOTONIC, &deadline);
    deadline.tv_sec += seconds;
    thread = PyEval_SaveThread();
    error = pthread_mutex_clocklock(&self->busy, CLOCK_MONOTONIC, &deadline);
    PyEval_RestoreThread(thread);
    return error == 0;
}

typedef enum occasion { SNAPSHOT_BETWEEN, LAST_SNAPSHOT } occasion;

/* What the thread does, by who holds the GIL. */
static bool record_here(recorder *self, occasion why)
{
    mw_seen seen = {0};
    PyThreadState *thread;
    uint64_t now_ns;
    bool ends_epoch;
    mw_status status;

    if (!lock_busy(self, 10 * PAUSE_SECONDS))
        return false;
    now_ns = mw_process_clock_ns() - self->wanted.start_ns;
    ends_epoch = mw_series_note_snapshot(&self->series, now_ns) && why != LAST_SNAPSHOT;
    status = see(self, ends_epoch, &seen);
    thread = PyEval_SaveThread();
    write_seen(self, status, &seen);
    PyEval_RestoreThread(thread);
    mw_seen_done(&seen);
    pthread_mutex_unlock(&self->busy);
    return status == MW_OK;
}

static void forget(recorder *self)
{
    mw_recording_done(&self->recording);
    mw_source_files_done(&self->source.files);
    self->state = RECORDER_OFF;
}

/* The last word, at whatever end.  Waits for a look that is being written; not for ever, since
 * that may want the GIL of who is here. */
static void finish(recorder *self, int exit_status)
{
    struct timespec deadline = {0};
    mw_error error;

    if (!is_ours(self, RECORDER_ENDED) && !is_ours(self, RECORDER_ON))
        return;
    clock_gettime(CLOCK_MONOTONIC, &deadline);
    deadline.tv_sec += PAUSE_SECONDS;
    if (pthread_mutex_clocklock(&self->busy, CLOCK_MONOTONIC, &deadline) != 0)
        return;
    if (mw_recording_finish(&self->recording, exit_status, &error) != MW_OK)
        complain_of(self, MW_IO, &error);
    self->state = RECORDER_OFF;
    /* Where the interpreter was not taken down, the thread is there still: it waits here. */
    if (!self->has_thread)
        pthread_mutex_unlock(&self->busy);
}

/* exit(), from wherever: the one place that is told the status.  If the interpreter was not
 * taken down before, there is no snapshot of the end. */
static void at_exit(int exit_status, void *ignored)
{
    (void)ignored;
    finish(&the_recorder, exit_status & 0xff);
}

/* A heap that takes too long is not to cost the last snapshot and the exit status. */
static void give_up_heap(recorder *self)
{
    atomic_store(&self->heap_given_up, true);
    stop_thread(self, PAUSE_SECONDS);
    atomic_store(&self->heap_given_up, false);
}

/* Takes the last snapshot.  The GIL is held. */
static void end(recorder *self)
{
    stop_thread(self, 10 * PAUSE_SECONDS);
    if (self->has_thread)
        give_up_heap(self);
    release_signal(self->signal);
    release_signal(self->heaps.signal);
    (void)record_here(self, LAST_SNAPSHOT);
    if ((self->heaps.at_exit || self->heap_wanted) && lock_busy(self, 10 * PAUSE_SECONDS)) {
        record_heap(self, MW_GIL_IS_HELD);
        pthread_mutex_unlock(&self->busy);
    }
    self->state = RECORDER_ENDED;
    if (self->wanted.wants_peak)
        mw_tracer_keep_peak(&mw_the_tracer, false);
}

/* ── forks ───────────────────────────────────────────────────────────────────────── */

static void pause_thread(recorder *self)
{
    if (is_ours(self, RECORDER_ON) && self->pauses++ == 0)
        stop_thread(self, PAUSE_SECONDS);
}

static void resume_thread(recorder *self)
{
    if (is_ours(self, RECORDER_ON) && self->pauses != 0 && --self->pauses == 0)
        start_thread(self);
}

/* In a forked child: what was inherited is the parent's, and so is its file. */
static void disown(recorder *self)
{
    bool was_busy = pthread_mutex_trylock(&self->busy) != 0;

    self->has_thread = false;
    /* What may be half done is left to lie. */
    if (was_busy) {
        self->recording = (mw_recording){0};
        self->source.files = (mw_source_files){0};
    }
    forget(self);
    pthread_mutex_init(&self->busy, NULL);
}

static PyObject *after_fork_in_child(PyObject *module, PyObject *ignored)
{
    recorder *self = &the_recorder;
    pid_t parent = self->pid;
    bool was_on = self->state == RECORDER_ON;
    mw_quiet quiet;

    if (self->state == RECORDER_OFF || parent == getpid())
        Py_RETURN_NONE;
    disown(self);
    if (!was_on || !self->follows_forks ||
        !mw_recording_child_path(self->family_path, getpid(), self->path, sizeof self->path))
        Py_RETURN_NONE;
    begin(self, parent, MAKE_WHEN_DUE);
    /* What the parent made is older than the first epoch of this process. */
    quiet = mw_quiet_enter();
    begin_epoch(self, 0);
    mw_quiet_leave(quiet);
    Py_RETURN_NONE;
}

/* The pid that a function which forks has returned, or that begins the tuple it returned. */
static long returned_pid(PyObject *result)
{
    PyObject *number = result;
    long pid;

    if (result != NULL && PyTuple_Check(result) && PyTuple_GET_SIZE(result) > 0)
        number = PyTuple_GET_ITEM(result, 0);
    if (number == NULL || !PyLong_Check(number))
        return 0;
    pid = PyLong_AsLong(number);
    if (pid == -1)
        PyErr_Clear();
    return pid;
}

static void await_child(recorder *self, PyObject *result)
{
    long pid = returned_pid(result);

    if (pid <= 0 || !self->follows_forks || !is_ours(self, RECORDER_ON) ||
        !lock_busy(self, PAUSE_SECONDS))
        return;
    mw_recording_await_child(&self->recording, (pid_t)pid,
                             mw_process_clock_ns() - self->wanted.start_ns);
    pthread_mutex_unlock(&self->busy);
}

/* Calls [original], one of the functions below. */
static PyObject *call_forking(PyObject *original, PyObject *args, PyObject *kwargs)
{
    recorder *self = &the_recorder;
    PyObject *result;

    pause_thread(self);
    result = PyObject_Call(original, args, kwargs);
    if (result != NULL)
        await_child(self, result);
    resume_thread(self);
    return result;
}

#define FORKING(name)                                                                              \
    {                                                                                              \
        name, (PyCFunction)(void (*)(void))call_forking, METH_VARARGS | METH_KEYWORDS, NULL        \
    }

static PyMethodDef forking_methods[] = {FORKING("fork"), FORKING("forkpty"), FORKING("fork_exec"),
                                        FORKING("posix_spawn"), FORKING("posix_spawnp")};

PyDoc_STRVAR(wrap_forking_doc,
             "_record_wrap($module, name, original, /)\n"
             "--\n\n"
             "A function that does what original, the function name that makes a process,\n"
             "does, while the recorder pauses.");

static PyObject *wrap_forking(PyObject *module, PyObject *arguments)
{
    const char *name;
    PyObject *original;

    if (!PyArg_ParseTuple(arguments, "sO:_record_wrap", &name, &original))
        return NULL;
    for (size_t i = 0; i < sizeof forking_methods / sizeof forking_methods[0]; i++)
        if (strcmp(forking_methods[i].ml_name, name) == 0)
            return PyCFunction_NewEx(&forking_methods[i], original, NULL);
    return PyErr_Format(PyExc_ValueError, "%s makes no process", name);
}

/* ── functions of the module ─────────────────────────────────────────────────────── */

/* Whose capture it is, among those of a family of processes. */
static int name_capture(recorder *self, PyObject *path, long parent)
{
    if (mw_recorder_copy_path(path, self->family_path, sizeof self->family_path) < 0)
        return -1;
    if (parent == 0) {
        memcpy(self->path, self->family_path, sizeof self->path);
        return 0;
    }
    if (mw_recording_child_path(self->family_path, getpid(), self->path, sizeof self->path))
        return 0;
    PyErr_SetString(PyExc_ValueError, "the name of the capture is too long");
    return -1;
}

PyDoc_STRVAR(record_start_doc,
             "_record_start($module, path, description, /, every=0, keep=0, peak=False,\n"
             "              follow=False, signal=0, parent=0, heap_at_exit=False,\n"
             "              heap_signal=0, texts=True)\n"
             "--\n\n"
             "Write a capture of this process from now on; see memwhy._record.  every and\n"
             "keep are nanoseconds.  With parent, the pid of a process that is recorded in\n"
             "path, the capture gets a name of its own.");

static PyObject *record_start(PyObject *module, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"",       "",       "every",        "keep",        "peak",  "follow",
                            "signal", "parent", "heap_at_exit", "heap_signal", "texts", NULL};
    recorder *self = &the_recorder;
    PyObject *path, *description;
    unsigned long long every_ns = 0, keep_ns = 0;
    int wants_peak = 0, follows = 0, number = 0, heap_at_exit = 0, heap_signal = 0, texts = 1;
    long parent = 0;
    mw_recorded recorded;

    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OO!|KKppilpip:_record_start", names, &path,
                                     &PyDict_Type, &description, &every_ns, &keep_ns, &wants_peak,
                                     &follows, &number, &parent, &heap_at_exit, &heap_signal,
                                     &texts))
        return NULL;
    if (is_ours(self, RECORDER_ON))
        return PyErr_Format(PyExc_RuntimeError, "this process is recorded in %s already",
                            self->path);
    if (mw_recorded_now(&recorded) < 0)
        return NULL;
    /* A former one that only waits for the exit status, of an interpreter before this one. */
    if (self->state != RECORDER_OFF)
        forget(self);
    mw_program_argument_done(&self->program);
    if (name_capture(self, path, parent) < 0 ||
        mw_program_argument_init(&self->program, description) < 0)
        return NULL;
    self->wanted = (mw_wanted_look){.recorded = recorded, .wants_peak = wants_peak != 0};
    self->every_ns = every_ns;
    self->keep_ns = keep_ns;
    self->follows_forks = follows != 0;
    self->signal = number;
    self->heaps =
        (mw_wanted_heaps){heap_at_exit != 0, heap_signal, texts == 0, &self->heap_given_up};
    mw_complaint_init(&self->complaint);
    if (wants_peak && recorded == MW_RECORDED_EXACTLY)
        mw_tracer_keep_peak(&mw_the_tracer, true);
    begin(self, (pid_t)parent, parent == 0 ? MAKE_NOW : MAKE_WHEN_DUE);
    if (catch_signal(self->signal) != 0 || catch_signal(self->heaps.signal) != 0)
        mw_complaint_make(&self->complaint, "a signal for the capture cannot be caught",
                          strerror(errno));
    Py_RETURN_NONE;
}

PyDoc_STRVAR(record_stop_doc,
             "_record_stop($module, exit_status=None, /)\n"
             "--\n\n"
             "Take the last snapshot, if that has not been done, and end the capture with the\n"
             "exit status; without one, when the process exits.  Does nothing in a process\n"
             "that is not recorded.");

static PyObject *record_stop(PyObject *module, PyObject *arguments)
{
    recorder *self = &the_recorder;
    PyObject *status = Py_None;
    long exit_status = 0;

    if (!PyArg_ParseTuple(arguments, "|O:_record_stop", &status))
        return NULL;
    if (status != Py_None) {
        exit_status = PyLong_AsLong(status);
        if (exit_status == -1 && PyErr_Occurred())
            return NULL;
    }
    if (is_ours(self, RECORDER_ON))
        end(self);
    if (status != Py_None && is_ours(self, RECORDER_ENDED))
        finish(self, (int)(exit_status & 0xff));
    Py_RETURN_NONE;
}

PyDoc_STRVAR(record_now_doc,
             "_record_now($module, /)\n"
             "--\n\n"
             "Add a snapshot to the capture; whether there is one and it could be taken.");

static PyObject *record_now(PyObject *module, PyObject *ignored)
{
    recorder *self = &the_recorder;

    return PyBool_FromLong(is_ours(self, RECORDER_ON) && record_here(self, SNAPSHOT_BETWEEN));
}

PyDoc_STRVAR(
    record_state_doc,
    "_record_state($module, /)\n"
    "--\n\n"
    "What the recorder has done: None in a process that was never recorded, else a\n"
    "dict of 'path', 'snapshots', 'heaps', 'failures', 'missed' (whether a snapshot was due\n"
    "when nothing was traced), 'longest_pause' (ns that a snapshot held the GIL) and\n"
    "'is_recording'.");

static PyObject *record_state(PyObject *module, PyObject *ignored)
{
    recorder *self = &the_recorder;
    PyObject *path;

    if (self->path[0] == '\0' || self->pid != getpid())
        Py_RETURN_NONE;
    path = PyUnicode_DecodeFSDefault(self->path);
    if (path == NULL)
        return NULL;
    return Py_BuildValue("{s:N,s:I,s:I,s:I,s:N,s:K,s:N}", "path", path, "snapshots",
                         self->recording.snapshots, "heaps", self->recording.heaps, "failures",
                         self->recording.failures, "missed", PyBool_FromLong(self->has_missed),
                         "longest_pause", (unsigned long long)self->longest_pause_ns,
                         "is_recording", PyBool_FromLong(self->state == RECORDER_ON));
}

/* ── adding all to the module ────────────────────────────────────────────────────── */

PyDoc_STRVAR(snapshot_to_doc, "_snapshot_to($module, path, description, /)\n"
                              "--\n\n"
                              "Write a capture with one snapshot; see memwhy.snapshot_to().");

static PyMethodDef recorder_methods[] = {
    {"_record_start", (PyCFunction)(void (*)(void))record_start, METH_VARARGS | METH_KEYWORDS,
     record_start_doc},
    {"_record_stop", record_stop, METH_VARARGS, record_stop_doc},
    {"_record_now", record_now, METH_NOARGS, record_now_doc},
    {"_record_state", record_state, METH_NOARGS, record_state_doc},
    {"_record_wrap", wrap_forking, METH_VARARGS, wrap_forking_doc},
    {"_record_forked", after_fork_in_child, METH_NOARGS, "What a forked child does first."},
    {"_snapshot_to", mw_snapshot_to, METH_VARARGS, snapshot_to_doc},
    {NULL, NULL, 0, NULL},
};

int mw_recorder_add(PyObject *module)
{
    static bool is_done;

    if (!is_done && on_exit(at_exit, NULL) != 0) {
        PyErr_NoMemory();
        return -1;
    }
    is_done = true;
    if (mw_recorder_look_init(module) < 0 || PyModule_AddFunctions(module, mw_duration_methods) < 0)
        return -1;
    return PyModule_AddFunctions(module, recorder_methods);
}
