/* SPDX-License-Identifier: MIT
 *
 * What is running, and who called it?  The contract, and the choice of the file that
 * answers for this version's layout.  Compiled against the interpreter's own internal
 * headers, one wheel for each minor version; frames.c checks at import that what they
 * say is what runs.
 *
 * All functions look only at the frames of [thread], which must not be running Python
 * code meanwhile: it is the calling thread, inside an allocator.  They read memory, and
 * never allocate, count references or need the GIL.
 *
 * Each layout answers:
 *
 *   PyThreadState *mw_frames_thread_of_gil(void)
 *       The thread state that is attached to the calling thread, or (3.11) to whoever
 *       holds the GIL; NULL when there is none.
 *   mw_py_frame *mw_frames_innermost(const PyThreadState *thread)
 *   mw_py_frame *mw_frames_caller(const mw_py_frame *frame)             NULL at the end
 *   uintptr_t mw_frames_address(const mw_py_frame *frame)
 *       The instruction that runs; unique among live code objects.
 *   PyCodeObject *mw_frames_code(const mw_py_frame *frame)
 *       Borrowed; NULL for frames that the interpreter puts between C and Python.
 *   PyObject *mw_frames_globals(const mw_py_frame *frame)
 *       Borrowed; NULL where the frame has none.
 *   bool mw_frames_is_generator(const mw_py_frame *frame)
 *   const PyFrameObject *mw_frames_object(const mw_py_frame *frame)
 *       Borrowed; NULL where nobody has asked for one.
 *
 * and, for frame_marks.h, which says what a mark is and why it may be trusted:
 *
 *   bool mw_frames_can_carry(const mw_py_frame *frame)
 *       Whether a mark may be written into this frame now.
 *   bool mw_frames_may_be_marked(const mw_py_frame *frame)
 *       False where neither this mark nor the one below can be.
 *   uint64_t mw_frames_read_mark(const mw_py_frame *frame)
 *       What stands in the place of the mark, with something else than a mark there too.
 *   void mw_frames_write_mark(mw_py_frame *frame, uint64_t mark)
 *   void mw_frames_void_mark(mw_py_frame *frame)
 *       Takes a mark away, if there is one.
 *   uint64_t mw_frames_make_mark(uint32_t session, uint32_t value)
 *       Sessions go from MW_FRAMES_MARK_FIRST to before MW_FRAMES_MARK_END, values to
 *       MW_FRAMES_MARK_VALUE_MAXIMUM; session MW_FRAMES_MARK_LAST is the self-check's.
 *   bool mw_frames_mark_belongs(uint64_t mark, uint32_t session, uint32_t *ret_value)
 *   mw_mark_origin mw_frames_mark_origin(uint32_t session, uint32_t first_value)
 *   uint64_t mw_frames_mark_of(mw_mark_origin origin, uint32_t path)
 *   bool mw_frames_mark_is_of(uint64_t mark, mw_mark_origin origin, uint32_t *ret_path)
 *       The same by paths; what is no mark of the origin may come to a number, which no
 *       path has.  With MW_FRAMES_MARK_ORIGIN_NONE nothing comes to that of a path.
 *
 * Where such a mark does not survive a call of a Python function, frame_marks_locals.h has
 * a second place for it, which does.
 */
#pragma once

#include <Python.h>

#include "core/path_trie.h"
#include "pyext/thread_state.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef Py_GIL_DISABLED
#error "memwhy does not support free-threaded builds of CPython yet"
#endif

/* The internal headers are not written for our warnings. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wundef"
#pragma GCC diagnostic ignored "-Wunused-parameter"
#pragma GCC diagnostic ignored "-Wmissing-prototypes"
#pragma GCC diagnostic ignored "-Wstrict-prototypes"
#define Py_BUILD_CORE 1
#if PY_VERSION_HEX >= 0x030E0000
#include <internal/pycore_interpframe_structs.h>
#include <internal/pycore_structs.h>
#endif
#include <internal/pycore_frame.h>
#if PY_VERSION_HEX < 0x030C0000
#include <internal/pycore_pystate.h>
#endif
#undef Py_BUILD_CORE
#pragma GCC diagnostic pop

typedef struct _PyInterpreterFrame mw_py_frame;

#if PY_VERSION_HEX >= 0x03100000
#error "memwhy knows the frames of CPython 3.11 to 3.15"
#elif PY_VERSION_HEX >= 0x030E0000
#include "pyext/frames_3_14.h"
#elif PY_VERSION_HEX >= 0x030D0000
#include "pyext/frames_3_13.h"
#elif PY_VERSION_HEX >= 0x030C0000
#include "pyext/frames_3_12.h"
#elif PY_VERSION_HEX >= 0x030B0000
#include "pyext/frames_3_11.h"
#else
#error "memwhy needs CPython 3.11 or newer"
#endif

#include "pyext/frame_marks_locals.h"

/* Whether the frame has not come to its RESUME instruction yet: it is still being set up,
 * or (a generator) has only just been made.  [code] is the frame's. */
static inline bool mw_frames_is_before_resume(const mw_py_frame *frame, const PyCodeObject *code)
{
    uintptr_t resume = (uintptr_t)code->co_code_adaptive +
                       (uintptr_t)code->_co_firsttraceable * sizeof(_Py_CODEUNIT);

    return mw_frames_address(frame) < resume;
}

/* Whether a frame is one that tracebacks show.  Python's rule (_PyFrame_IsIncomplete): a
 * frame counts from its RESUME instruction on; a generator's always does. */
static inline bool mw_frames_is_complete(const mw_py_frame *frame)
{
    const PyCodeObject *code = mw_frames_code(frame);

    return code != NULL &&
           (mw_frames_is_generator(frame) || !mw_frames_is_before_resume(frame, code));
}

/* Whether the frame that [object] is of has ended: the object owns what is left of it. */
static inline bool mw_frames_has_ended(const PyFrameObject *object)
{
    return object->f_frame->owner == FRAME_OWNED_BY_FRAME_OBJECT;
}

/* Compares the frames of the calling thread, as read here, with what the public API says
 * of them.  Returns false, and a sentence in [ret_reason], if they differ in anything.
 * The GIL is held. */
bool mw_frames_self_check(const char **ret_reason);

/* Compares our offsets with those that the interpreter tells debuggers (since 3.13).
 * [ret_compared] is how many; 0, and true, where it tells none. */
bool mw_frames_agree_with_debug_offsets(uint32_t *ret_compared);
