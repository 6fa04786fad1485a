/* SPDX-License-Identifier: MIT */
#include "pyext/stack_walk.h"

#include "pyext/code_registry.h"
#include "pyext/frame_marks_check.h"
#include "pyext/known_steps.h"
#include "pyext/mechanisms.h"
#include "pyext/region_steps.h"
#include "pyext/short_walk.h"

enum { DEPTH_MAXIMUM = MW_STACK_DEPTH_MAXIMUM };

typedef struct remembered_frame {
    mw_py_frame *frame;
    uintptr_t address; /* of the instruction that it ran        */
    mw_path path;      /* up to and including this frame        */
} remembered_frame;

enum { HINT_BITS = 9 };

/* What was last seen of a stack: the frames from [0], which carries a mark or is the
 * outermost, inward to those that could not be marked.  The frames newly found by a walk
 * wait in `fresh`, innermost first, until they are interned from the outside in. */
static struct {
    const PyThreadState *thread;
    uint64_t thread_id;       /* never reused, as the address of a thread state is    */
    uint64_t epoch;           /* of known steps, when the addresses below were good   */
    mw_path root;             /* of the thread's paths                                */
    mw_path base;             /* of the caller of frames[0]                           */
    bool is_anchored;         /* a mark in frames[0] says so; else it has no caller   */
    bool is_raw;              /* the caller may be inside the interpreter's allocator */
    remembered_frame *frames; /* outermost first                                      */
    uint32_t depth;
    uint32_t capacity;
    uint32_t hints[1 << HINT_BITS]; /* by a frame's address: where it may stand       */
    mw_py_frame **fresh;
    uint32_t fresh_count;
    uint32_t fresh_capacity;
} stack;

enum {
    LOOKS_PER_CHECK = 4096,
    LOOKS_PER_FRAME = 16, /* a check of a deep stack puts off the next */
    EAGER_CHECKS = 512,   /* the first looks of a process are all compared */
};

mw_stack_marks mw_the_stack_marks = {
    .origin = MW_FRAMES_MARK_ORIGIN_NONE,
    .looks_per_check = LOOKS_PER_CHECK,
};

static void reset(void)
{
    stack.thread = NULL;
    stack.depth = 0;
    stack.is_anchored = false;
}

size_t mw_stack_walk_memory_bytes(void)
{
    return stack.capacity * sizeof *stack.frames + stack.fresh_capacity * sizeof *stack.fresh;
}

/* ── growing ─────────────────────────────────────────────────────────────────────── */

static uint32_t mix(const mw_py_frame *frame)
{
    uintptr_t address = (uintptr_t)frame;

    return (uint32_t)(address >> 4 ^ address >> 13);
}

static uint32_t *hint_of(const mw_py_frame *frame)
{
    return &stack.hints[mix(frame) % (1 << HINT_BITS)];
}

static __attribute__((noinline)) mw_status grow_fresh(void)
{
    return mw_alloc_grow(mw_alloc_pages(), &stack.fresh, stack.fresh_count, &stack.fresh_capacity,
                         sizeof *stack.fresh, DEPTH_MAXIMUM);
}

static inline mw_status push_fresh(mw_py_frame *frame)
{
    if (__builtin_expect(stack.fresh_count == stack.fresh_capacity, 0)) {
        mw_status status = grow_fresh();

        if (status != MW_OK)
            return status;
    }
    stack.fresh[stack.fresh_count++] = frame;
    return MW_OK;
}

static mw_status push_remembered(mw_py_frame *frame, mw_path path)
{
    mw_status status = mw_alloc_grow(mw_alloc_pages(), &stack.frames, stack.depth, &stack.capacity,
                                     sizeof *stack.frames, DEPTH_MAXIMUM);

    if (status != MW_OK)
        return status;
    *hint_of(frame) = stack.depth;
    stack.frames[stack.depth++] = (remembered_frame){frame, mw_frames_address(frame), path};
    return MW_OK;
}

/* ── the walk outward ────────────────────────────────────────────────────────────── */

/* From the path of the caller of [frame] to the one that a mark of [frame] would hold: with
 * the regions that the frame has entered. */
static inline mw_status enter_regions(mw_tracer *tracer, const mw_py_frame *frame, mw_path *path)
{
    if (__builtin_expect(!mw_regions_may_be_of(frame), 1))
        return MW_OK;
    return mw_region_steps_take(tracer, frame, path);
}

/* Where [frame] stands among the remembered frames below [top], or -1.  The hint may have
 * been overwritten.  Frames of one stack chunk lie at rising addresses, so those above
 * [frame] are passed over then; where that does not hold, a frame may be missed, which
 * costs time and nothing else. */
static inline int64_t find_remembered(const mw_py_frame *frame, int64_t top)
{
    int64_t hint = *hint_of(frame);

    if (hint <= top && stack.frames[hint].frame == frame)
        return hint;
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

/* Whether frames[0], which has been reached, is still called from [stack.base]. */
static bool base_holds(const mw_tracer *tracer)
{
    mw_path caller;

    if (!stack.is_anchored)
        return mw_frames_caller(stack.frames[0].frame) == NULL;
    return mw_stack_marks_read_any(tracer, stack.frames[0].frame, &caller) &&
           caller.index == stack.base.index;
}

/* Where the fresh frames begin: what is called from where. */
typedef struct beginning {
    mw_path path;        /* of the caller of the outermost fresh frame; with the regions
                            of that frame if it is the anchor                           */
    mw_py_frame *anchor; /* that frame, if it carries a mark; else NULL                 */
    uint32_t kept;       /* of the remembered frames: they lie outward of the fresh ones */
} beginning;

/* The path up to the remembered frame [index]; behind all of them, if that is -1, begins the
 * one whose mark the base is. */
static beginning begin_after(int64_t index)
{
    if (index >= 0)
        return (beginning){stack.frames[index].path, NULL, (uint32_t)(index + 1)};
    return (beginning){stack.base, stack.is_anchored ? stack.frames[0].frame : NULL, 0};
}

static bool is_of_thread(const PyThreadState *thread)
{
    return stack.thread == thread && stack.thread_id == thread->id;
}

/* The path at which the stacks of [thread] begin. */
static mw_status root_of(mw_tracer *tracer, const PyThreadState *thread, mw_path *ret_root)
{
    mw_thread number = mw_threads_number(&tracer->threads, thread->id, thread->thread_id,
                                         thread->native_thread_id);
    mw_instruction root = {number.index | MW_INSTRUCTION_THREAD};

    return mw_path_trie_child(&tracer->paths, (mw_path){0}, root, ret_root);
}

static mw_status know_thread(mw_tracer *tracer, const PyThreadState *thread)
{
    mw_status status;

    if (__builtin_expect(is_of_thread(thread), 1))
        return MW_OK;
    reset();
    status = root_of(tracer, thread, &stack.root);
    if (status != MW_OK)
        return status;
    stack.thread = thread;
    stack.thread_id = thread->id;
    return MW_OK;
}

/* The stack ends here, and nothing of it is remembered. */
static mw_status begin_at_root(mw_tracer *tracer, const PyThreadState *thread,
                               beginning *ret_beginning)
{
    mw_status status = know_thread(tracer, thread);

    stack.is_anchored = false;
    stack.base = stack.root;
    *ret_beginning = begin_after(-1);
    return status;
}

/* Where the remembered row leads from [frame] outward to its base unchanged, the path up to
 * [frame]: the look of a generator that was resumed by those who resumed it before. */
static inline bool row_holds(const mw_tracer *tracer, const PyThreadState *thread,
                             const mw_py_frame *frame, mw_path *ret_path)
{
    const remembered_frame *row = stack.frames;
    uint32_t index = *hint_of(frame);

    if (index >= stack.depth || row[index].frame != frame || !mw_known_steps_are_of(tracer) ||
        stack.epoch != mw_the_known_steps.epoch || (!stack.is_anchored && !is_of_thread(thread)))
        return false;
    *ret_path = row[index].path;
    while (mw_frames_address(row[index].frame) == row[index].address) {
        if (index == 0)
            return base_holds(tracer);
        if (mw_frames_caller(row[index].frame) != row[index - 1].frame)
            return false;
        index--;
    }
    return false;
}

/* Collects into `fresh` what is not known of the chain from [frame] outward: up to a
 * marked frame, which is the last to be collected, or to a remembered one from which on
 * all still holds. */
static mw_status collect(mw_tracer *tracer, const PyThreadState *thread, mw_py_frame *frame,
                         beginning *ret_beginning)
{
    int64_t top = (int64_t)stack.depth - 1;
    mw_status status = MW_OK;

    stack.fresh_count = 0;
    while (frame != NULL && status == MW_OK) {
        bool is_marked = mw_stack_marks_read_any(tracer, frame, &ret_beginning->path);
        int64_t found = is_marked ? -1 : find_remembered(frame, top);
        int64_t reached;
        int64_t changed;

        if (found < 0) {
            status = push_fresh(frame);
            if (is_marked) {
                ret_beginning->anchor = frame;
                ret_beginning->kept = stack.depth;
                return status;
            }
            frame = mw_frames_caller(frame);
            continue;
        }
        reached = compare_outward(found, &changed);
        if (reached == 0 && base_holds(tracer)) {
            /* All is known; but from the first change inward it is not. */
            *ret_beginning = begin_after(changed < 0 ? found : changed - 1);
            return changed < 0 ? MW_OK : refresh(found, changed);
        }
        status = refresh(found, reached);
        frame = mw_frames_caller(stack.frames[reached].frame);
        top = reached - 1;
    }
    return status == MW_OK ? begin_at_root(tracer, thread, ret_beginning) : status;
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

/* A frame that is marked, or could be, and so need not be remembered, unless it turns out
 * to be the base of frames that cannot be marked. */
typedef struct marked_frame {
    mw_py_frame *frame; /* NULL: none since the last remembered frame */
    mw_path caller;
    mw_path path;
    bool is_passed; /* not marked yet */
} marked_frame;

/* Remembers a frame that carries no mark behind those that are kept. */
static mw_status remember_unmarked(mw_py_frame *frame, mw_path path, marked_frame *anchor,
                                   uint32_t *kept)
{
    mw_status status = MW_OK;

    stack.depth = *kept;
    if (anchor->frame != NULL) {
        /* Without a mark, for want of objects, the row does not hold, and is walked anew. */
        if (anchor->is_passed)
            (void)mw_locals_mark_write(anchor->frame, mw_stack_marks_mark_for(anchor->caller));
        stack.depth = 0;
        stack.base = anchor->caller;
        stack.is_anchored = true;
        status = push_remembered(anchor->frame, anchor->path);
        anchor->frame = NULL;
    }
    if (status == MW_OK)
        status = push_remembered(frame, path);
    *kept = stack.depth;
    return status;
}

/* The frames of a walk on their way inward. */
typedef struct inward {
    mw_tracer *tracer;
    const PyThreadState *thread;
    beginning from;
    marked_frame anchor;
    mw_path path; /* of the next frame's caller */
} inward;

/* Takes the outermost fresh frame, whose step is known: marks, passes or remembers it. */
static inline mw_status settle(inward *way, mw_py_frame *frame, mw_path path, uint32_t suits)
{
    mw_path caller = way->path;
    mw_outer_mark mark = MW_OUTER_MARKED;

    stack.fresh_count--;
    way->path = path;
    if (frame != way->from.anchor)
        mark = mw_stack_marks_write_outer(way->thread, frame, caller, suits, stack.fresh_count);
    if (mark == MW_OUTER_UNMARKABLE)
        return remember_unmarked(frame, path, &way->anchor, &way->from.kept);
    way->anchor = (marked_frame){frame, caller, path, mark == MW_OUTER_PASSED};
    return MW_OK;
}

/* Takes the steps of as many fresh frames as fit, with all look-ups in flight at once. */
static __attribute__((noinline)) mw_status take_steps(inward *way)
{
    enum { BATCH = 64 };
    mw_tracer *tracer = way->tracer;
    mw_py_frame **outermost = &stack.fresh[stack.fresh_count];
    uint32_t fitting = stack.fresh_count < BATCH ? stack.fresh_count : BATCH;
    uint32_t count = mw_region_steps_none_in(outermost - 1, fitting);
    mw_known_instruction known[BATCH];
    mw_instruction instructions[BATCH] = {0};
    mw_path paths[BATCH];
    mw_status status = MW_OK;

    for (uint32_t index = 0; index < count && status == MW_OK; index++) {
        status = mw_known_steps_instruction(tracer, outermost[-1 - (int64_t)index], &known[index]);
        instructions[index] = known[index].instruction;
    }
    if (status == MW_OK)
        status = mw_path_trie_extend(&tracer->paths, way->path, instructions, count, paths);
    for (uint32_t index = 0; index < count && status == MW_OK; index++) {
        mw_py_frame *frame = outermost[-1 - (int64_t)index];
        uint32_t suits = known[index].suits;

        if (known[index].key != 0)
            *mw_known_steps_place(frame, way->path) =
                (mw_known_step){known[index].key, way->path.index, paths[index].index | suits};
        status = settle(way, frame, paths[index], suits);
    }
    return status;
}

static mw_status intern_fresh(mw_tracer *tracer, const PyThreadState *thread, beginning from,
                              mw_path *ret_path)
{
    inward way = {tracer, thread, from, {.frame = NULL}, from.path};
    mw_status status = MW_OK;

    while (stack.fresh_count > 0 && status == MW_OK) {
        mw_py_frame *frame = stack.fresh[stack.fresh_count - 1];
        const mw_known_step *step;

        if (__builtin_expect(mw_regions_are_in_force(), 0) && frame != from.anchor) {
            status = enter_regions(tracer, frame, &way.path);
            if (status != MW_OK)
                break;
        }
        step = mw_known_steps_find(frame, way.path);
        status = step != NULL ? settle(&way, frame, mw_known_step_path(step), step->path)
                              : take_steps(&way);
    }
    *ret_path = way.path;
    return status;
}

/* The path of the chain from [frame] outward. */
static mw_status walk(mw_tracer *tracer, const PyThreadState *thread, mw_py_frame *frame,
                      mw_path *ret_path)
{
    beginning from;
    mw_status status;

    /* Only a mark proves a stack of whatever thread. */
    if (!stack.is_anchored && __builtin_expect(!is_of_thread(thread), 0))
        reset();
    mw_known_steps_refresh(tracer);
    if (__builtin_expect(stack.epoch != mw_the_known_steps.epoch, 0)) {
        stack.depth = 0;
        stack.epoch = mw_the_known_steps.epoch;
    }
    status = collect(tracer, thread, frame, &from);
    if (status == MW_OK)
        status = intern_fresh(tracer, thread, from, ret_path);
    if (status != MW_OK)
        reset();
    return status;
}

/* ── looks ───────────────────────────────────────────────────────────────────────── */

static void plan_next_check(uint32_t depth)
{
    mw_stack_marks *marks = &mw_the_stack_marks;

    marks->until_check = marks->checks < EAGER_CHECKS ? 1 : marks->looks_per_check;
    if (marks->until_check == LOOKS_PER_CHECK)
        marks->until_check += depth * LOOKS_PER_FRAME;
}

/* The slow, obvious walk: from the outermost frame inward, with nothing remembered and no
 * mark read or left. */
static mw_status walk_plainly(mw_tracer *tracer, const PyThreadState *thread, mw_py_frame *frame,
                              uint32_t *ret_depth, mw_path *ret_path)
{
    mw_status status = root_of(tracer, thread, ret_path);

    stack.fresh_count = 0;
    for (; frame != NULL && status == MW_OK; frame = mw_frames_caller(frame))
        status = push_fresh(frame);
    *ret_depth = stack.fresh_count;
    while (stack.fresh_count > 0 && status == MW_OK) {
        frame = stack.fresh[--stack.fresh_count];
        status = enter_regions(tracer, frame, ret_path);
        if (status == MW_OK)
            status = mw_stack_walk_step(tracer, *ret_path, frame, ret_path);
    }
    return status;
}

/* Compares the path that was found for the caller of [frame] with the plain walk's, and
 * answers with the latter. */
static mw_status check_look(mw_tracer *tracer, const PyThreadState *thread, mw_py_frame *frame,
                            mw_path *path)
{
    mw_path found = *path;
    uint32_t depth;
    mw_status status = walk_plainly(tracer, thread, mw_frames_caller(frame), &depth, path);

    if (status == MW_OK)
        status = enter_regions(tracer, frame, path);
    mw_the_stack_marks.checks++;
    plan_next_check(depth);
    if (status == MW_OK && path->index != found.index) {
        mw_the_stack_marks.mismatches++;
        mw_stack_walk_disable_marks();
        reset();
    }
    return status;
}

/* A look that is to be compared, or that found no mark of either kind. */
static __attribute__((noinline)) mw_status look_further(mw_tracer *tracer,
                                                        const PyThreadState *thread,
                                                        mw_py_frame *frame, bool is_found,
                                                        mw_path *ret_path)
{
    mw_status status = MW_OK;

    if (!is_found) {
        mw_py_frame *caller = mw_frames_caller(frame);

        if (!row_holds(tracer, thread, caller, ret_path))
            status = walk(tracer, thread, caller, ret_path);
        if (status == MW_OK)
            status = enter_regions(tracer, frame, ret_path);
        if (status != MW_OK)
            return status;
        mw_stack_marks_write_innermost(thread, frame, *ret_path);
        mw_the_stack_marks.until_check -= mw_stack_marks_in_force();
        if (!stack.is_raw)
            mw_locals_marks_replenish();
    }
    if (mw_the_stack_marks.until_check == 0)
        status = check_look(tracer, thread, frame, ret_path);
    return status;
}

/* A look that found no mark in [frame]. */
static __attribute__((noinline)) mw_status look_outward(mw_tracer *tracer,
                                                        const PyThreadState *thread,
                                                        mw_py_frame *frame, mw_path *ret_path)
{
    bool is_found = mw_short_walk(tracer, thread, mw_frames_caller(frame), ret_path);

    if (is_found) {
        mw_stack_marks_write_innermost(thread, frame, *ret_path);
        mw_the_stack_marks.until_check--;
    }
    if (!stack.is_raw)
        mw_locals_marks_replenish();
    if (is_found && __builtin_expect(mw_the_stack_marks.until_check != 0, 1))
        return MW_OK;
    return look_further(tracer, thread, frame, is_found, ret_path);
}

mw_status mw_stack_walk_caller_slowly(mw_tracer *tracer, const PyThreadState *thread,
                                      mw_py_frame *frame, mw_path *ret_path)
{
    if (frame == NULL)
        return walk(tracer, thread, NULL, ret_path);
    if (__builtin_expect(mw_stack_marks_read(tracer, frame, ret_path), 0))
        return look_further(tracer, thread, frame, true, ret_path);
    if (!mw_stack_marks_read_lasting(tracer, frame, ret_path))
        return look_outward(tracer, thread, frame, ret_path);
    mw_stack_marks_write_innermost(thread, frame, *ret_path);
    if (__builtin_expect(--mw_the_stack_marks.until_check != 0, 1))
        return MW_OK;
    return look_further(tracer, thread, frame, true, ret_path);
}

mw_status mw_stack_walk(mw_tracer *tracer, const PyThreadState *thread, mw_path *ret_path)
{
    mw_py_frame *frame = mw_frames_innermost(thread);
    mw_status status;

    stack.is_raw = true;
    status = mw_stack_walk_caller(tracer, thread, frame, ret_path);
    stack.is_raw = false;
    if (status != MW_OK || frame == NULL)
        return status;
    return mw_stack_walk_step(tracer, *ret_path, frame, ret_path);
}

/* ── sessions ────────────────────────────────────────────────────────────────────── */

/* Why marks have been switched off for good; NULL while they have not. */
static const char *reason_against_marks;

/* The session whose values are being used up, MW_FRAMES_MARK_END when all are; and which of its
 * values is that of path 0. */
static uint32_t session = MW_FRAMES_MARK_FIRST;
static uint32_t first_value;

static void put_marks_in_force(void)
{
    mw_the_stack_marks.origin = mw_frames_mark_origin(session, first_value);
    mw_the_stack_marks.path_limit = MW_FRAMES_MARK_VALUE_MAXIMUM - first_value;
}

static void put_marks_off(void)
{
    mw_the_stack_marks.origin = (mw_mark_origin)MW_FRAMES_MARK_ORIGIN_NONE;
    mw_the_stack_marks.path_limit = 0;
}

void mw_stack_walk_begin(void)
{
    const char *reason = reason_against_marks;

    reset();
    mw_known_steps_begin_epoch();
    mw_region_steps_begin();
    plan_next_check(0);
    if (reason == NULL)
        reason = session < MW_FRAMES_MARK_END ? mw_frame_marks_objection()
                                              : "all their values have been used";
    if (mw_mechanism_is_disabled(MW_MECHANISM_MARKS))
        reason = "switched off by MEMWHY_DISABLE";
    if (reason == NULL)
        put_marks_in_force();
    mw_mechanism_report(MW_MECHANISM_MARKS, reason == NULL,
                        reason == NULL ? "their self-check passed" : reason);
}

/* Half of a session's values are left to the tables that come: those beyond go unmarked. */
static void leave_values_behind(const mw_tracer *tracer)
{
    if (tracer->paths.count > MW_FRAMES_MARK_VALUE_MAXIMUM / 2 - first_value) {
        first_value = 0;
        session += session < MW_FRAMES_MARK_END;
    } else {
        first_value += tracer->paths.count;
    }
}

void mw_stack_walk_end(const mw_tracer *tracer)
{
    put_marks_off();
    leave_values_behind(tracer);
    reset();
}

void mw_stack_walk_forget_all(const mw_tracer *tracer)
{
    reset();
    if (!mw_stack_marks_in_force())
        return;
    leave_values_behind(tracer);
    if (session < MW_FRAMES_MARK_END)
        put_marks_in_force();
    else
        put_marks_off();
}

void mw_stack_walk_forget_row(void)
{
    reset();
}

void mw_stack_walk_disable_marks(void)
{
    reason_against_marks = "a mark and a walk of the stack differed";
    put_marks_off();
    mw_mechanism_report(MW_MECHANISM_MARKS, false, reason_against_marks);
}

void mw_stack_walk_check_every(uint32_t looks)
{
    mw_the_stack_marks.looks_per_check = looks;
    plan_next_check(0);
}
