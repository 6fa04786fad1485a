/* SPDX-License-Identifier: MIT */
#include "pyext/stack_walk.h"

#include "pyext/code_registry.h"
#include "pyext/frame_marks_check.h"
#include "pyext/mechanisms.h"

/* Deeper stacks than this are recorded as if they began here. */
enum { DEPTH_MAXIMUM = 1 << 24 };

typedef struct remembered_frame {
    mw_py_frame *frame;
    uintptr_t address; /* of the instruction that it ran        */
    mw_path path;      /* up to and including this frame        */
} remembered_frame;

/* The stack last seen.  The frames newly found by a walk wait in `fresh`, innermost
 * first, until they are interned from the outside in. */
static struct {
    const PyThreadState *thread;
    uint64_t thread_id;       /* never reused, as the address of a thread state is  */
    uint64_t code_deaths;     /* of the tracer, when the addresses below were good  */
    mw_path root;             /* of the thread's paths */
    remembered_frame *frames; /* outermost first       */
    uint32_t depth;
    uint32_t capacity;
    mw_py_frame **fresh;
    uint32_t fresh_count;
    uint32_t fresh_capacity;
} stack;

enum {
    LOOKS_PER_CHECK = 4096,
    EAGER_CHECKS = 512, /* the first looks of a process are all compared */
};

mw_stack_marks mw_the_stack_marks = {
    .session = MW_FRAMES_MARK_NEVER,
    .looks_per_check = LOOKS_PER_CHECK,
};

static void reset(void)
{
    stack.thread = NULL;
    stack.depth = 0;
}

size_t mw_stack_walk_memory_bytes(void)
{
    return stack.capacity * sizeof *stack.frames + stack.fresh_capacity * sizeof *stack.fresh;
}

/* ── growing ─────────────────────────────────────────────────────────────────────── */

static mw_status push_fresh(mw_py_frame *frame)
{
    mw_status status = mw_alloc_grow(mw_alloc_pages(), &stack.fresh, stack.fresh_count,
                                     &stack.fresh_capacity, sizeof *stack.fresh, DEPTH_MAXIMUM);

    if (status == MW_OK)
        stack.fresh[stack.fresh_count++] = frame;
    return status;
}

static mw_status push_remembered(mw_py_frame *frame, mw_path path)
{
    mw_status status = mw_alloc_grow(mw_alloc_pages(), &stack.frames, stack.depth, &stack.capacity,
                                     sizeof *stack.frames, DEPTH_MAXIMUM);

    if (status == MW_OK)
        stack.frames[stack.depth++] = (remembered_frame){frame, mw_frames_address(frame), path};
    return status;
}

/* ── the walk outward ────────────────────────────────────────────────────────────── */

/* Where [frame] stands among the remembered frames below [top], or -1.  Frames of one
 * stack chunk lie at rising addresses, so those above [frame] are passed over; where that
 * does not hold, a frame may be missed, which costs time and nothing else. */
static int64_t find_remembered(const mw_py_frame *frame, int64_t top)
{
    while (top >= 0 && stack.frames[top].frame > frame)
        top--;
    if (top >= 0 && stack.frames[top].frame == frame)
        return top;
    return -1;
}

/* Puts the remembered frames from [from] outward to [to] among the fresh ones. */
static mw_status refresh(int64_t from, int64_t to)
{
    for (int64_t index = from; index >= to; index--) {
        mw_status status = push_fresh(stack.frames[index].frame);

        if (status != MW_OK)
            return status;
    }
    return MW_OK;
}

/* Compares outward from the remembered frame at [start], which has been reached and so is
 * alive.  Returns how far the chain of callers holds (the outermost index that was
 * reached), and in [ret_changed] the outermost frame whose instruction is another one, or
 * -1.  A remembered frame is only looked into once its neighbour's link has proved it to
 * be alive. */
static int64_t compare_outward(int64_t start, int64_t *ret_changed)
{
    const remembered_frame *frames = stack.frames;
    int64_t index = start;

    *ret_changed = -1;
    for (;;) {
        if (__builtin_expect(mw_frames_address(frames[index].frame) != frames[index].address, 0))
            *ret_changed = index;
        if (index == 0 ||
            __builtin_expect(mw_frames_caller(frames[index].frame) != frames[index - 1].frame, 0))
            return index;
        index--;
    }
}

/* Collects into `fresh` what is not remembered of the chain from [frame] outward, and cuts
 * the remembered stack down to what still holds. */
static mw_status collect(mw_py_frame *frame)
{
    int64_t top = (int64_t)stack.depth - 1;
    mw_status status = MW_OK;

    stack.fresh_count = 0;
    while (frame != NULL && status == MW_OK) {
        int64_t found = find_remembered(frame, top);
        int64_t reached;
        int64_t changed;

        if (found < 0) {
            status = push_fresh(frame);
            frame = mw_frames_caller(frame);
            continue;
        }
        reached = compare_outward(found, &changed);
        frame = mw_frames_caller(stack.frames[reached].frame);
        if (reached == 0 && frame == NULL) {
            /* The whole chain is known; from the first change inward it is not. */
            stack.depth = (uint32_t)(changed < 0 ? found + 1 : changed);
            return changed < 0 ? MW_OK : refresh(found, changed);
        }
        status = refresh(found, reached);
        top = reached - 1;
    }
    stack.depth = 0;
    return status;
}

/* ── and back inward ─────────────────────────────────────────────────────────────── */

mw_status mw_stack_walk_step(mw_tracer *tracer, mw_path caller, const mw_py_frame *frame,
                             mw_path *ret_path)
{
    mw_instruction instruction;
    mw_status status = mw_code_registry_instruction(tracer, frame, &instruction);

    *ret_path = caller;
    if (status != MW_OK || instruction.index == MW_INSTRUCTION_TRANSPARENT)
        return status;
    return mw_path_trie_child(&tracer->paths, caller, instruction, ret_path);
}

static mw_path innermost_remembered(void)
{
    return stack.depth != 0 ? stack.frames[stack.depth - 1].path : stack.root;
}

static mw_status intern_fresh(mw_tracer *tracer)
{
    mw_path path = innermost_remembered();

    while (stack.fresh_count > 0) {
        mw_py_frame *frame = stack.fresh[--stack.fresh_count];
        mw_status status = mw_stack_walk_step(tracer, path, frame, &path);

        if (status == MW_OK)
            status = push_remembered(frame, path);
        if (status != MW_OK)
            return status;
    }
    return MW_OK;
}

static mw_status switch_thread(mw_tracer *tracer, const PyThreadState *thread)
{
    mw_thread number = mw_threads_number(&tracer->threads, thread->id, thread->thread_id,
                                         thread->native_thread_id);
    mw_instruction root = {number.index | MW_INSTRUCTION_THREAD};
    mw_status status;

    reset();
    status = mw_path_trie_child(&tracer->paths, (mw_path){0}, root, &stack.root);
    if (status != MW_OK)
        return status;
    stack.thread = thread;
    stack.thread_id = thread->id;
    return MW_OK;
}

static mw_status know_thread(mw_tracer *tracer, const PyThreadState *thread)
{
    if (__builtin_expect(stack.thread == thread && stack.thread_id == thread->id, 1))
        return MW_OK;
    return switch_thread(tracer, thread);
}

/* The path of the chain from [frame] outward, by the checked walk. */
static mw_status walk_checked(mw_tracer *tracer, const PyThreadState *thread, mw_py_frame *frame,
                              mw_path *ret_path)
{
    mw_status status = know_thread(tracer, thread);

    if (status != MW_OK)
        return status;
    if (__builtin_expect(stack.code_deaths != tracer->code_deaths, 0)) {
        stack.depth = 0;
        stack.code_deaths = tracer->code_deaths;
    }
    status = collect(frame);
    if (status == MW_OK && stack.fresh_count != 0)
        status = intern_fresh(tracer);
    if (status != MW_OK) {
        reset();
        return status;
    }
    *ret_path = innermost_remembered();
    return MW_OK;
}

/* ── with marks ──────────────────────────────────────────────────────────────────── */

static void write_mark(mw_py_frame *frame, mw_path caller)
{
    const mw_stack_marks *marks = &mw_the_stack_marks;

    if (mw_stack_walk_has_marks() && mw_frames_can_carry(frame) &&
        caller.index <= MW_FRAMES_MARK_VALUE_MAXIMUM - marks->first_value)
        mw_frames_write_mark(
            frame, mw_frames_make_mark(marks->session, marks->first_value + caller.index));
}

/* Collects into `fresh` the chain from [frame] outward up to and including the first
 * marked frame, and answers with the path of that frame's caller; the thread's root if no
 * frame is marked. */
static mw_status collect_unmarked(mw_tracer *tracer, const PyThreadState *thread,
                                  mw_py_frame *frame, mw_path *ret_path)
{
    mw_status status = MW_OK;

    stack.fresh_count = 0;
    for (; frame != NULL && status == MW_OK; frame = mw_frames_caller(frame)) {
        status = push_fresh(frame);
        if (mw_stack_walk_read_mark(tracer, frame, ret_path))
            return status;
    }
    if (status == MW_OK)
        status = know_thread(tracer, thread);
    *ret_path = stack.root;
    return status;
}

/* The path of the chain from [frame] outward where marks survive calls: on the way back
 * inward every frame that can gets its mark, so the next walk is short. */
static mw_status walk_marked(mw_tracer *tracer, const PyThreadState *thread, mw_py_frame *frame,
                             mw_path *ret_path)
{
    mw_status status = collect_unmarked(tracer, thread, frame, ret_path);

    while (status == MW_OK && stack.fresh_count > 0) {
        mw_py_frame *fresh = stack.fresh[--stack.fresh_count];

        write_mark(fresh, *ret_path);
        status = mw_stack_walk_step(tracer, *ret_path, fresh, ret_path);
    }
    return status;
}

static void plan_next_check(void)
{
    mw_stack_marks *marks = &mw_the_stack_marks;

    marks->until_check = marks->checks < EAGER_CHECKS ? 1 : marks->looks_per_check;
}

/* Compares what a mark says with a checked walk that remembers nothing. */
static mw_status check_mark(mw_tracer *tracer, const PyThreadState *thread, mw_py_frame *frame,
                            mw_path marked, mw_path *ret_path)
{
    mw_status status;

    mw_the_stack_marks.checks++;
    plan_next_check();
    reset();
    status = walk_checked(tracer, thread, mw_frames_caller(frame), ret_path);
    if (status == MW_OK && ret_path->index != marked.index) {
        mw_the_stack_marks.mismatches++;
        mw_stack_walk_disable_marks();
    }
    return status;
}

mw_status mw_stack_walk_caller_slowly(mw_tracer *tracer, const PyThreadState *thread,
                                      mw_py_frame *frame, mw_path *ret_path)
{
    mw_py_frame *caller = frame != NULL ? mw_frames_caller(frame) : NULL;
    mw_path marked;
    mw_status status;

    if (frame != NULL && mw_stack_walk_read_mark(tracer, frame, &marked))
        return check_mark(tracer, thread, frame, marked, ret_path);
    if (MW_FRAMES_MARK_SURVIVES_CALLS && mw_stack_walk_has_marks())
        status = walk_marked(tracer, thread, caller, ret_path);
    else
        status = walk_checked(tracer, thread, caller, ret_path);
    if (status == MW_OK && frame != NULL)
        write_mark(frame, *ret_path);
    return status;
}

mw_status mw_stack_walk(mw_tracer *tracer, const PyThreadState *thread, mw_path *ret_path)
{
    mw_py_frame *frame = mw_frames_innermost(thread);
    mw_status status = mw_stack_walk_caller(tracer, thread, frame, ret_path);

    if (status != MW_OK || frame == NULL)
        return status;
    return mw_stack_walk_step(tracer, *ret_path, frame, ret_path);
}

/* ── sessions ────────────────────────────────────────────────────────────────────── */

/* Why marks have been switched off for good; NULL while they have not. */
static const char *reason_against_marks;

/* The session whose values are being used up; the last, which is the self-check's, when
 * all are. */
static uint32_t session = MW_FRAMES_MARK_FIRST;

void mw_stack_walk_begin(void)
{
    const char *reason = reason_against_marks;

    reset();
    plan_next_check();
    if (reason == NULL)
        reason = session < MW_FRAMES_MARK_LAST ? mw_frame_marks_objection()
                                               : "all their values have been used";
    if (mw_mechanism_is_disabled(MW_MECHANISM_MARKS))
        reason = "switched off by MEMWHY_DISABLE";
    if (reason == NULL)
        mw_the_stack_marks.session = session;
    mw_mechanism_report(MW_MECHANISM_MARKS, reason == NULL,
                        reason == NULL ? "their self-check passed" : reason);
}

/* Half of a session's values are left to the tables that come: those beyond go unmarked. */
void mw_stack_walk_end(const mw_tracer *tracer)
{
    mw_stack_marks *marks = &mw_the_stack_marks;

    marks->session = MW_FRAMES_MARK_NEVER;
    if (tracer->paths.count > MW_FRAMES_MARK_VALUE_MAXIMUM / 2 - marks->first_value) {
        marks->first_value = 0;
        session += session < MW_FRAMES_MARK_LAST;
    } else {
        marks->first_value += tracer->paths.count;
    }
    reset();
}

void mw_stack_walk_disable_marks(void)
{
    reason_against_marks = "a mark and a walk of the stack differed";
    mw_the_stack_marks.session = MW_FRAMES_MARK_NEVER;
    mw_mechanism_report(MW_MECHANISM_MARKS, false, reason_against_marks);
}

void mw_stack_walk_check_every(uint32_t looks)
{
    mw_the_stack_marks.looks_per_check = looks;
    plan_next_check();
}

/* ── without the GIL ─────────────────────────────────────────────────────────────── */

static mw_status step_raw(mw_raw_lane *lane, const mw_py_frame *frame, mw_path *path)
{
    mw_instruction instruction;
    mw_status status = mw_code_registry_raw_instruction(lane, frame, &instruction);

    if (status != MW_OK || instruction.index == MW_INSTRUCTION_TRANSPARENT)
        return status;
    return mw_path_trie_child(&lane->paths, *path, instruction, path);
}

mw_status mw_stack_walk_raw(mw_raw_lane *lane, const PyThreadState *thread, mw_path *ret_path)
{
    mw_alloc *heap = mw_alloc_system();
    const mw_py_frame **frames = NULL;
    uint32_t count = 0;
    uint32_t capacity = 0;
    mw_status status = MW_OK;

    *ret_path = (mw_path){0};
    for (const mw_py_frame *frame = mw_frames_innermost(thread); frame != NULL && status == MW_OK;
         frame = mw_frames_caller(frame)) {
        status = mw_alloc_grow(heap, &frames, count, &capacity, sizeof *frames, DEPTH_MAXIMUM);
        if (status == MW_OK)
            frames[count++] = frame;
    }
    while (count > 0 && status == MW_OK)
        status = step_raw(lane, frames[--count], ret_path);
    mw_alloc_release(heap, frames, capacity * sizeof *frames);
    return status;
}
