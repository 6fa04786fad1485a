/* SPDX-License-Identifier: MIT
 *
 * A C function has no frame of its own, so the innermost frame that these functions find
 * is that of the Python function that calls them.
 *
 * The marks of the check are of the last session, and what is left of them in the free
 * stack is wiped; so they never meet those of the tracer.  The poison is one word all
 * over: wherever the frame's word falls, it finds a whole mark.
 */
#include "pyext/frame_marks_check.h"

#include "pyext/frames.h"
#include "pyext/mechanisms.h"

#include <stdio.h>
#include <string.h>

enum {
    POISON_BYTES_MAXIMUM = 4096, /* some thirty frames                                    */
    SHIFT_MAXIMUM = 16,          /* how far beside the mark's place a lie may look, bytes */
    /* Its upper half is a mark's head too, for who looks a few bytes beside the place. */
    CHECK_VALUE = MW_FRAMES_MARK_SURVIVES_CALLS ? MW_FRAMES_MARK_LAST << 24 | 0x5a5a : 0x2a5a5a,
};

static enum { UNPROVED, BEING_PROVED, PROVED, REFUTED } proof = UNPROVED;

/* Why marks were refuted or could not be proved; without a full stop. */
static char objection[120] = "they have not been checked yet";

/* The poisoned part of the data stack, and what was seen in frames that lie in it. */
static struct {
    const char *from;
    const char *to;
    uint32_t pushes;
    uint32_t shown;
} poison;

static uint64_t check_mark(void)
{
    return mw_frames_make_mark(MW_FRAMES_MARK_LAST, (uint32_t)CHECK_VALUE);
}

/* ── the free stack ──────────────────────────────────────────────────────────────── */

static size_t free_bytes(const PyThreadState *thread)
{
    if (thread->datastack_top == NULL || thread->datastack_limit < thread->datastack_top)
        return 0;
    return (size_t)((char *)thread->datastack_limit - (char *)thread->datastack_top);
}

static void fill_free_stack(uint64_t word)
{
    PyThreadState *thread = PyThreadState_Get();
    size_t bytes = free_bytes(thread);

    if (bytes > POISON_BYTES_MAXIMUM)
        bytes = POISON_BYTES_MAXIMUM;
    poison.from = (const char *)thread->datastack_top;
    poison.to = poison.from + bytes;
    for (size_t at = 0; at + sizeof word <= bytes; at += sizeof word)
        memcpy((char *)thread->datastack_top + at, &word, sizeof word);
}

PyDoc_STRVAR(room_doc, "_marks_room($module, /)\n--\n\n"
                       "The bytes that are free in the current part of the thread's stack.");

static PyObject *room(PyObject *module, PyObject *ignored)
{
    return PyLong_FromSize_t(free_bytes(PyThreadState_Get()));
}

PyDoc_STRVAR(poison_doc, "_marks_poison($module, /)\n--\n\n"
                         "Fill the free stack with marks.");

/* A mark of 32 bits is met at any multiple of four. */
static uint64_t poison_word(void)
{
    uint64_t word = check_mark();

    return word <= UINT32_MAX ? word | word << 32 : word;
}

static PyObject *poison_stack(PyObject *module, PyObject *ignored)
{
    fill_free_stack(poison_word());
    Py_RETURN_NONE;
}

PyDoc_STRVAR(wipe_doc, "_marks_wipe($module, /)\n--\n\n"
                       "Clear the free stack.  Returns a tuple: (frames that were looked at in\n"
                       "poisoned stack, those of them that showed a mark), and forgets both.");

static PyObject *wipe(PyObject *module, PyObject *ignored)
{
    PyObject *result = Py_BuildValue("(II)", poison.pushes, poison.shown);

    fill_free_stack(0);
    memset(&poison, 0, sizeof poison);
    return result;
}

/* ── the caller's frame ──────────────────────────────────────────────────────────── */

static mw_py_frame *callers_frame(void)
{
    return mw_frames_innermost(PyThreadState_Get());
}

/* Whether what belongs to the check's session is its mark, or what is left of that beside a
 * field that was set to 0: the lower half of one pointer in thirty belongs to it, too. */
static bool is_rest_of_mark(uint32_t value)
{
    const uint32_t mark = (uint32_t)mw_frames_make_mark(MW_FRAMES_MARK_LAST, value);

    return value >> 16 == (uint32_t)CHECK_VALUE >> 16 || mark << 8 == 0;
}

/* Whether a mark of the check is found [shift] bytes beside where it belongs. */
static bool shows(const mw_py_frame *frame, int shift)
{
    mw_py_frame seen;
    uint32_t value;

    memcpy(&seen, (const char *)frame + shift, sizeof seen);
    if (!mw_frames_mark_belongs(mw_frames_read_mark(&seen), MW_FRAMES_MARK_LAST, &value))
        return false;
    return MW_FRAMES_MARK_SURVIVES_CALLS || is_rest_of_mark(value);
}

static int parse_shift(PyObject *arguments, int *ret_shift)
{
    *ret_shift = 0;
    if (!PyArg_ParseTuple(arguments, "|i", ret_shift))
        return -1;
    if (*ret_shift >= -SHIFT_MAXIMUM && *ret_shift <= SHIFT_MAXIMUM)
        return 0;
    PyErr_Format(PyExc_ValueError, "the shift must be in range [-%d; %d]", SHIFT_MAXIMUM,
                 SHIFT_MAXIMUM);
    return -1;
}

PyDoc_STRVAR(look_doc, "_marks_look($module, shift=0, /)\n--\n\n"
                       "Note whether the caller's frame, if it lies in poisoned stack, shows a\n"
                       "mark.  A shift other than 0 looks in a wrong place: tests of the check.");

static PyObject *look(PyObject *module, PyObject *arguments)
{
    const char *frame = (const char *)callers_frame();
    int shift;

    if (parse_shift(arguments, &shift) < 0)
        return NULL;
    if (frame >= poison.from && frame < poison.to) {
        poison.pushes++;
        poison.shown += shows((const mw_py_frame *)frame, shift) ||
                        mw_frames_locals_are((const mw_py_frame *)frame, poison_word());
    }
    Py_RETURN_NONE;
}

PyDoc_STRVAR(mark_doc, "_marks_mark($module, /)\n--\n\n"
                       "Mark the caller's frame; returns whether it may carry a mark.");

static PyObject *mark(PyObject *module, PyObject *ignored)
{
    mw_py_frame *frame = callers_frame();

    if (frame == NULL || !mw_frames_can_carry(frame))
        Py_RETURN_FALSE;
    mw_frames_write_mark(frame, check_mark());
    Py_RETURN_TRUE;
}

PyDoc_STRVAR(stands_doc, "_marks_stands($module, shift=0, /)\n--\n\n"
                         "Whether the caller's frame shows the mark of _marks_mark().");

static PyObject *stands(PyObject *module, PyObject *arguments)
{
    const mw_py_frame *frame = callers_frame();
    int shift;

    if (parse_shift(arguments, &shift) < 0)
        return NULL;
    return PyBool_FromLong(frame != NULL && shows(frame, shift));
}

PyDoc_STRVAR(survive_calls_doc, "_marks_survive_calls($module, /)\n--\n\n"
                                "Whether a mark has to outlast calls of Python functions.");

static PyObject *survive_calls(PyObject *module, PyObject *ignored)
{
    return PyBool_FromLong(MW_FRAMES_MARK_SURVIVES_CALLS);
}

/* ── the proof ───────────────────────────────────────────────────────────────────── */

static void refute(const char *reason)
{
    proof = REFUTED;
    snprintf(objection, sizeof objection, "%s", reason);
}

/* The sentence of _self_check.find_fault(), None, or NULL with an exception. */
static PyObject *find_fault(void)
{
    PyObject *module = PyImport_ImportModule("memwhy._self_check");
    PyObject *fault;

    if (module == NULL)
        return NULL;
    fault = PyObject_CallMethod(module, "find_fault", NULL);
    Py_DECREF(module);
    return fault;
}

/* The exception that hindered the proof is dropped, unless it is the user's. */
static int give_up(void)
{
    proof = UNPROVED;
    if (!PyErr_ExceptionMatches(PyExc_Exception))
        return -1;
    snprintf(objection, sizeof objection, "their self-check could not run (%s)",
             ((PyTypeObject *)PyErr_Occurred())->tp_name);
    PyErr_Clear();
    return 0;
}

static int conclude(PyObject *fault)
{
    const char *reason = NULL;

    if (fault != NULL && fault != Py_None)
        reason = PyUnicode_AsUTF8(fault);
    if (fault == Py_None)
        proof = PROVED;
    else if (reason != NULL)
        refute(reason);
    Py_XDECREF(fault);
    return proof == BEING_PROVED ? give_up() : 0;
}

int mw_frame_marks_prove(void)
{
    PyThreadState *thread = PyThreadState_Get();
    PyObject *fault;
    uint32_t compared;

    if (proof != UNPROVED || mw_mechanism_is_disabled(MW_MECHANISM_MARKS))
        return 0;
    if (!mw_frames_agree_with_debug_offsets(&compared)) {
        refute("the interpreter's debug offsets are not those of its headers");
        return 0;
    }
    proof = BEING_PROVED;
    PyThreadState_EnterTracing(thread);
    fault = find_fault();
    PyThreadState_LeaveTracing(thread);
    return conclude(fault);
}

const char *mw_frame_marks_objection(void)
{
    return proof != PROVED ? objection : NULL;
}

PyDoc_STRVAR(prove_doc, "_marks_prove($module, /)\n--\n\n"
                        "Run the self-check of marks unless it was run; the package does so when\n"
                        "it is imported.");

static PyObject *prove(PyObject *module, PyObject *ignored)
{
    if (mw_frame_marks_prove() < 0)
        return NULL;
    Py_RETURN_NONE;
}

PyMethodDef mw_frame_marks_check_methods[] = {
    {"_marks_prove", prove, METH_NOARGS, prove_doc},
    {"_marks_room", room, METH_NOARGS, room_doc},
    {"_marks_poison", poison_stack, METH_NOARGS, poison_doc},
    {"_marks_wipe", wipe, METH_NOARGS, wipe_doc},
    {"_marks_look", look, METH_VARARGS, look_doc},
    {"_marks_mark", mark, METH_NOARGS, mark_doc},
    {"_marks_stands", stands, METH_VARARGS, stands_doc},
    {"_marks_survive_calls", survive_calls, METH_NOARGS, survive_calls_doc},
    {NULL, NULL, 0, NULL},
};
