/* SPDX-License-Identifier: MIT
 *
 * Lasting marks of CPython 3.11 to 3.13: in the frame's `f_locals`.
 *
 * The mark in `stacktop` (frame_marks_stacktop.h) is gone after every call of a Python
 * function, so a deep recursion would be compared frame by frame.  This one survives calls.
 *
 * A frame of optimised code keeps its variables in the frame, and its `f_locals` is NULL.
 * Every push writes that NULL (_PyFrame_InitializeSpecials in 3.11, _PyFrame_Initialize
 * and _PyFrame_PushTrampolineUnchecked since), and the end of the activation drops what
 * stands there.  So an object of ours found in a frame that a thread owns was put there in
 * this activation; and while that lives, its callers are suspended in calls.
 *
 * Who else looks at the field, and what becomes of the object there:
 *
 *   the end of the frame   drops the reference: 3.11 and 3.12 give the object back to the
 *                          pool (tp_dealloc); in 3.13 it is immortal
 *   frame.f_locals, locals(), dir(), vars(), eval(), sys.settrace, debuggers
 *                          3.11, 3.12: "a dict if there is one, else a new one", filled by
 *                          PyObject_SetItem and PyObject_DelItem, one of them for each
 *                          variable.  The object answers the first of these by becoming
 *                          that dict, in its place: an exact dict at the same address, whose
 *                          block the allocators know.  Code without a variable, where no
 *                          such call would come, carries no mark.
 *                          3.13: these do not look at the field of optimised code (PEP 667)
 *   PyEval_GetLocals       as locals()
 *   PyFrame_LocalsToFast(frame, clear) without the above, which would unbind all variables
 *                          if it met an object that has none: it does nothing before the
 *                          frame object's f_fast_as_locals is set, and what sets that has
 *                          made a dict of the field, which stays until the frame ends
 *   IMPORT_NAME            hands the field to a replaced __import__: code that has one
 *                          carries no mark
 *   RETURN_GENERATOR       copies the frame to the heap: code of generators and coroutines
 *                          carries no mark, and frames that a thread does not own are not read
 *   a frame object that outlives its frame
 *                          takes the reference over with a copy of the frame, which is owned
 *                          by the frame object, hence not read
 *   the collector          visits the object by way of a frame object; it is no container
 *   gc.get_referents(frame)  shows it, once the frame has ended: nothing else does.  It is
 *                          counted like any other, cannot be copied or made, and becomes a
 *                          dict if an item is set
 *   frame.clear()          refuses running frames, and leaves the field of ended ones
 *   exec of a function's code, class bodies, modules
 *                          have a dict in the field from the start, which stays
 *   greenlet               parks frames as they are, callers included
 *
 * Frames are neither copied nor pickled by anybody.  tests/programs/frame_c_views.py does
 * all this, and counts blocks: none is left over.  Leak checkers that only know pointers to
 * the beginning of a block call unused marks of 3.11 and 3.12 "possibly lost", 64 bytes
 * each: like every collectable object's, their block begins 16 bytes before them.
 *
 * Objects are never torn from under a frame: those of 3.13 are static, those of 3.11 and
 * 3.12 are counted like any other, so stop, clear and shutdown leave them to the frames.
 * The object names its frame, which is compared as well.
 *
 * Debug builds check what f_locals is, and so have no lasting marks.
 */
#pragma once

enum { MW_FRAMES_NO_MARK = 0 }; /* belongs to no session */

#if defined(Py_DEBUG) || !defined(MW_FRAMES_LOCALS_MARKS)

static inline uint64_t mw_frames_read_lasting(const mw_py_frame *frame)
{
    (void)frame;
    return MW_FRAMES_NO_MARK;
}

static inline bool mw_frames_locals_are(const mw_py_frame *frame, uint64_t word)
{
    (void)frame;
    (void)word;
    return false;
}

#else

#define MW_FRAMES_HAVE_LOCALS_MARKS 1

typedef struct mw_locals_mark {
    PyObject_HEAD
    uint64_t mark;
    const mw_py_frame *frame;    /* that carries it            */
    struct mw_locals_mark *next; /* in the pool of unused ones */
} mw_locals_mark;

extern PyTypeObject mw_locals_mark_type __attribute__((visibility("hidden")));

static inline const mw_locals_mark *mw_locals_mark_of(const mw_py_frame *frame)
{
    const PyObject *object;

    if (frame->owner != FRAME_OWNED_BY_THREAD)
        return NULL;
    object = frame->f_locals;
    if (object == NULL || Py_TYPE(object) != &mw_locals_mark_type)
        return NULL;
    return (const mw_locals_mark *)object;
}

static inline uint64_t mw_frames_read_lasting(const mw_py_frame *frame)
{
    const mw_locals_mark *found = mw_locals_mark_of(frame);

    return found != NULL && found->frame == frame ? found->mark : MW_FRAMES_NO_MARK;
}

/* Whether the field holds [word]: for the self-check, which fills free stack with it. */
static inline bool mw_frames_locals_are(const mw_py_frame *frame, uint64_t word)
{
    return (uintptr_t)frame->f_locals == word;
}

#endif

/* Makes the type and the first marks and proves that they behave; false leaves lasting
 * marks off.  The GIL is held, and nothing is traced yet. */
bool mw_locals_marks_init(void);
/* Whether frames of [code] may carry one.  [epoch] changes whenever a code object dies or
 * tables begin anew. */
bool mw_locals_marks_suit(const PyCodeObject *code, uint64_t epoch);
/* Puts [mark] into [frame], whose code suits.  Returns whether it is there now. */
bool mw_locals_mark_write(mw_py_frame *frame, uint64_t mark);
/* Takes the mark of [frame] away, if it has one. */
void mw_locals_mark_void(mw_py_frame *frame);
/* Makes more marks where the last was used up; not from inside an allocator. */
void mw_locals_marks_replenish(void);
