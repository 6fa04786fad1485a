/* SPDX-License-Identifier: MIT
 *
 * The self-check of frames.h.  It relies on struct _PyInterpreterFrame and on the first
 * fields of PyThreadState, which may change between minor versions of CPython and, in
 * principle, between its builds.  The proof: at import, the stack of the importing thread
 * (at least the import machinery and the importing module) is read both ways, through
 * these fields and through PyThreadState_GetFrame, PyFrame_GetBack, PyFrame_GetCode and
 * PyFrame_GetLasti, and every frame must agree.  If one does not, the import fails with a
 * sentence, and nothing has been hooked.
 */
#include "pyext/frames.h"

#if PY_VERSION_HEX >= 0x030D0000 /* the first version that tells debuggers its offsets */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wundef"
#pragma GCC diagnostic ignored "-Wunused-parameter"
#pragma GCC diagnostic ignored "-Wmissing-prototypes"
#pragma GCC diagnostic ignored "-Wstrict-prototypes"
#define Py_BUILD_CORE 1
#include <internal/pycore_runtime.h>
#undef Py_BUILD_CORE
#pragma GCC diagnostic pop
#endif

static const mw_py_frame *next_complete(const mw_py_frame *frame)
{
    while (frame != NULL && !mw_frames_is_complete(frame))
        frame = mw_frames_caller(frame);
    return frame;
}

/* Whether one frame is what the public API says. */
static bool frame_agrees(const mw_py_frame *frame, PyFrameObject *object)
{
    PyCodeObject *code = PyFrame_GetCode(object);
    uintptr_t address = (uintptr_t)code->co_code_adaptive + (uintptr_t)PyFrame_GetLasti(object);
    bool agrees = mw_frames_code(frame) == code && mw_frames_address(frame) == address;

    Py_DECREF(code);
    return agrees;
}

bool mw_frames_self_check(const char **ret_reason)
{
    PyThreadState *thread = PyThreadState_Get();
    PyFrameObject *object = PyThreadState_GetFrame(thread);
    const mw_py_frame *frame;
    bool agrees = mw_frames_thread_of_gil() == thread;

    *ret_reason = "the interpreter's frames are not laid out as its headers say";
    frame = agrees ? next_complete(mw_frames_innermost(thread)) : NULL;
    while (agrees && object != NULL && frame != NULL) {
        PyFrameObject *back;

        agrees = frame_agrees(frame, object);
        back = PyFrame_GetBack(object);
        Py_DECREF(object);
        object = back;
        frame = agrees ? next_complete(mw_frames_caller(frame)) : NULL;
    }
    agrees = agrees && object == NULL && frame == NULL;
    Py_XDECREF(object);
    return agrees;
}

#if PY_VERSION_HEX >= 0x030D0000

bool mw_frames_agree_with_debug_offsets(uint32_t *ret_compared)
{
    const _Py_DebugOffsets *told = &_PyRuntime.debug_offsets;
    const struct {
        uint64_t told;
        uint64_t ours;
    } offsets[] = {
        {told->thread_state.current_frame, offsetof(PyThreadState, current_frame)},
        {told->interpreter_frame.previous, offsetof(mw_py_frame, previous)},
        {told->interpreter_frame.executable, offsetof(mw_py_frame, f_executable)},
        {told->interpreter_frame.instr_ptr, offsetof(mw_py_frame, instr_ptr)},
        {told->interpreter_frame.localsplus, offsetof(mw_py_frame, localsplus)},
        {told->interpreter_frame.owner, offsetof(mw_py_frame, owner)},
    };
    bool agree = memcmp(told->cookie, _Py_Debug_Cookie, sizeof told->cookie) == 0 &&
                 told->version == Py_Version && told->free_threaded == 0;

    *ret_compared = 0;
    for (; agree && *ret_compared < sizeof offsets / sizeof offsets[0]; ++*ret_compared)
        agree = offsets[*ret_compared].told == offsets[*ret_compared].ours;
    return agree;
}

#else

bool mw_frames_agree_with_debug_offsets(uint32_t *ret_compared)
{
    *ret_compared = 0;
    return true;
}

#endif
