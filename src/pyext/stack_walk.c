/* SPDX-License-Identifier: MIT */
#include "pyext/stack_walk.h"

#include "pyext/code_registry.h"

/* Deeper stacks than this are recorded as if they began here. */
enum { DEPTH_MAXIMUM = 1 << 24 };

typedef struct remembered_frame {
    const mw_py_frame *frame;
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
    const mw_py_frame **fresh;
    uint32_t fresh_count;
    uint32_t fresh_capacity;
} stack;

void mw_stack_walk_reset(void)
{
    stack.thread = NULL;
    stack.depth = 0;
}

size_t mw_stack_walk_memory_bytes(void)
{
    return stack.capacity * sizeof *stack.frames + stack.fresh_capacity * sizeof *stack.fresh;
}

/* ── growing ─────────────────────────────────────────────────────────────────────── */

static mw_status push_fresh(const mw_py_frame *frame)
{
    mw_status status = mw_alloc_grow(mw_alloc_pages(), &stack.fresh, stack.fresh_count,
                                     &stack.fresh_capacity, sizeof *stack.fresh, DEPTH_MAXIMUM);

    if (status == MW_OK)
        stack.fresh[stack.fresh_count++] = frame;
    return status;
}

static mw_status push_remembered(const mw_py_frame *frame, mw_path path)
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
static mw_status collect(const mw_py_frame *frame)
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
        const mw_py_frame *frame = stack.fresh[--stack.fresh_count];
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
    mw_thread number = mw_threads_number(&tracer->threads, thread->id, thread->thread_id);
    mw_instruction root = {number.index | MW_INSTRUCTION_THREAD};
    mw_status status;

    mw_stack_walk_reset();
    status = mw_path_trie_child(&tracer->paths, (mw_path){0}, root, &stack.root);
    if (status != MW_OK)
        return status;
    stack.thread = thread;
    stack.thread_id = thread->id;
    return MW_OK;
}

mw_status mw_stack_walk_caller(mw_tracer *tracer, const PyThreadState *thread,
                               const mw_py_frame *frame, mw_path *ret_path)
{
    mw_status status;

    if (__builtin_expect(stack.thread != thread || stack.thread_id != thread->id, 0)) {
        status = switch_thread(tracer, thread);
        if (status != MW_OK)
            return status;
    }
    if (__builtin_expect(stack.code_deaths != tracer->code_deaths, 0)) {
        stack.depth = 0;
        stack.code_deaths = tracer->code_deaths;
    }
    status = collect(frame != NULL ? mw_frames_caller(frame) : NULL);
    if (status == MW_OK && stack.fresh_count != 0)
        status = intern_fresh(tracer);
    if (status != MW_OK) {
        mw_stack_walk_reset();
        return status;
    }
    *ret_path = innermost_remembered();
    return MW_OK;
}

mw_status mw_stack_walk(mw_tracer *tracer, const PyThreadState *thread, mw_path *ret_path)
{
    const mw_py_frame *frame = mw_frames_innermost(thread);
    mw_status status = mw_stack_walk_caller(tracer, thread, frame, ret_path);

    if (status != MW_OK || frame == NULL)
        return status;
    return mw_stack_walk_step(tracer, *ret_path, frame, ret_path);
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
