/* SPDX-License-Identifier: MIT
 *
 * The objects of frame_marks_locals.h: which code may carry one, where they come from, and
 * how they become a dict.
 *
 * 3.11 and 3.12: each is a block of Python's own allocator, of a dict's size and shape, so
 * that it can become one.  Unused ones wait in a pool, which is filled outside the hooks
 * as a rule; 64 bytes for each frame that ever carried one at the same time.  A block that
 * becomes a dict is recorded then, as the dict that the interpreter would have made.
 *
 * 3.13: nobody is ever given one, so they are static: a table by the frame's address, in
 * which two frames may take a place from one another, since the object names its frame.
 */
#include "pyext/allocator_hooks.h"
#include "pyext/frames.h"

#ifdef MW_FRAMES_HAVE_LOCALS_MARKS

#include <opcode.h>

/* ── which code may carry one ────────────────────────────────────────────────────── */

enum {
    VERDICT_COUNT = 1 << 10,
    HIDDEN_LOCAL = 0x10, /* CO_FAST_HIDDEN: not shown by locals() */
    CODE_FLAGS = CO_OPTIMIZED | CO_NEWLOCALS,
    GENERATOR_FLAGS = CO_GENERATOR | CO_COROUTINE | CO_ASYNC_GENERATOR,
};

typedef struct verdict {
    const PyCodeObject *code;
    uint64_t epoch;
    bool suits;
} verdict;

static verdict verdicts[VERDICT_COUNT];

/* Whether the code has an IMPORT_NAME.  What lies between instructions may look like one,
 * which costs a mark; an instruction is never overlooked. */
static bool may_import(const PyCodeObject *code)
{
    const uint8_t *units = (const uint8_t *)code->co_code_adaptive;
    Py_ssize_t name_count = PyTuple_GET_SIZE(code->co_names);

    if (name_count == 0)
        return false;
    for (Py_ssize_t index = 0; index < Py_SIZE(code); index++) {
        if (units[2 * index] != IMPORT_NAME)
            continue;
        if (units[2 * index + 1] < name_count ||
            (index > 0 && units[2 * index - 2] == EXTENDED_ARG))
            return true;
    }
    return false;
}

/* Whether locals() has a variable to write, so that the object learns of the call. */
static bool has_visible_local(const PyCodeObject *code)
{
    const char *kinds = PyBytes_AS_STRING(code->co_localspluskinds);

    for (int index = 0; index < code->co_nlocalsplus; index++)
        if ((kinds[index] & HIDDEN_LOCAL) == 0)
            return true;
    return false;
}

static bool code_suits(const PyCodeObject *code)
{
    return (code->co_flags & (CODE_FLAGS | GENERATOR_FLAGS)) == CODE_FLAGS &&
           has_visible_local(code) && !mw_frames_code_is_instrumented(code) && !may_import(code);
}

bool mw_locals_marks_suit(const PyCodeObject *code, uint64_t epoch)
{
    verdict *known = &verdicts[((uintptr_t)code >> 4 ^ (uintptr_t)code >> 13) % VERDICT_COUNT];

    if (known->code != code || known->epoch != epoch)
        *known = (verdict){code, epoch, code_suits(code)};
    return known->suits;
}

/* Whether marks can be made at all; false until the start-up check has passed. */
static bool is_usable;

#ifdef MW_FRAMES_LOCALS_BECOME_DICT

/* ── the pool ────────────────────────────────────────────────────────────────────── */

enum {
    HEADER_BYTES = 2 * sizeof(uintptr_t), /* the collector's, before each dict */
    BLOCK_BYTES = HEADER_BYTES + sizeof(PyDictObject),
    FIRST_COUNT = 2048,
    STEP_COUNT = 64,
    COUNT_MAXIMUM = 1 << 22,
};

_Static_assert(sizeof(mw_locals_mark) <= sizeof(PyDictObject), "a mark can become a dict");

static struct {
    mw_locals_mark *first;
    uint32_t count; /* made and not become dicts, in frames or here */
    bool is_dry;    /* one was wanted and there was none            */
} pool;

static void put_back(PyObject *self)
{
    mw_locals_mark *mark = (mw_locals_mark *)self;

    mark->frame = NULL;
    mark->next = pool.first;
    pool.first = mark;
}

static bool make_one(void)
{
    char *block = mw_allocator_hooks_object_unrecorded(BLOCK_BYTES);
    PyObject *object;

    if (block == NULL)
        return false;
    memset(block, 0, BLOCK_BYTES);
    object = (PyObject *)(block + HEADER_BYTES);
    Py_SET_TYPE(object, &mw_locals_mark_type);
    put_back(object);
    pool.count++;
    return true;
}

static void make_more(uint32_t count)
{
    while (count > 0 && pool.count < COUNT_MAXIMUM && make_one())
        count--;
}

void mw_locals_marks_replenish(void)
{
    if (pool.is_dry)
        make_more(STEP_COUNT);
    pool.is_dry = false;
}

static mw_locals_mark *take_for(mw_py_frame *frame)
{
    mw_locals_mark *mark = pool.first;

    if (mark == NULL) {
        pool.is_dry = is_usable;
        return NULL;
    }
    pool.first = mark->next;
    Py_SET_REFCNT((PyObject *)mark, 1);
    frame->f_locals = (PyObject *)mark;
    return mark;
}

/* ── becoming a dict ─────────────────────────────────────────────────────────────── */

/* Turns a mark into an empty dict, by moving a new one into its place.  Its block is recorded
 * here, where the interpreter would have allocated it. */
static int become_dict(PyObject *self)
{
    const size_t first = offsetof(PyDictObject, ma_used);
    PyObject *made = PyDict_New();

    if (made == NULL)
        return -1;
    /* Making it may have run the collector, and that a finalizer which came here too. */
    if (Py_TYPE(self) != &mw_locals_mark_type) {
        Py_DECREF(made);
        return 0;
    }
    memcpy((char *)self + first, (char *)made + first, sizeof(PyDictObject) - first);
    Py_SET_TYPE(self, &PyDict_Type);
    PyObject_GC_Del(made); /* the shell alone: what was in it has moved */
    mw_allocator_hooks_adopt((char *)self - HEADER_BYTES, BLOCK_BYTES);
    pool.count--;
    make_more(1);
    return 0;
}

static int set_item(PyObject *self, PyObject *key, PyObject *value)
{
    if (become_dict(self) < 0)
        return -1;
    return value != NULL ? PyObject_SetItem(self, key, value) : PyObject_DelItem(self, key);
}

static PyMappingMethods as_mapping = {.mp_ass_subscript = set_item};

PyTypeObject mw_locals_mark_type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "memwhy._memwhy.frame_mark",
    .tp_basicsize = sizeof(mw_locals_mark),
    .tp_dealloc = put_back,
    .tp_as_mapping = &as_mapping,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .tp_doc = PyDoc_STR("Left in a frame by memwhy; becomes a dict when the frame's variables "
                        "are asked for."),
};

/* ── the proof at start-up ───────────────────────────────────────────────────────── */

static bool is_empty_dict(PyObject *object)
{
    return PyDict_CheckExact(object) && PyDict_GET_SIZE(object) == 0;
}

/* A mark that is asked to drop a key and one that is asked to keep one both become dicts
 * that the interpreter can use, and free. */
static bool becomes_dict(PyObject *key, PyObject *value)
{
    mw_locals_mark *mark = pool.first;
    PyObject *object = (PyObject *)mark;
    bool is_right;

    if (mark == NULL)
        return false;
    pool.first = mark->next;
    Py_SET_REFCNT(object, 1);
    if (value == NULL) {
        is_right = PyObject_DelItem(object, key) < 0 && PyErr_ExceptionMatches(PyExc_KeyError) &&
                   is_empty_dict(object);
        PyErr_Clear();
    } else {
        is_right = PyObject_SetItem(object, key, value) == 0 && PyDict_CheckExact(object) &&
                   PyDict_GetItemWithError(object, key) == value && PyObject_GC_IsTracked(object);
    }
    if (is_right)
        Py_DECREF(object);
    return is_right;
}

bool mw_locals_marks_init(void)
{
    PyObject *key;
    PyObject *value;

    if (is_usable)
        return true;
    if (PyDict_Type.tp_basicsize != sizeof(PyDictObject) || PyType_Ready(&mw_locals_mark_type) < 0)
        return false;
    make_more(FIRST_COUNT);
    key = PyUnicode_FromString("key");
    value = PyList_New(0);
    is_usable = key != NULL && value != NULL && becomes_dict(key, NULL) && becomes_dict(key, value);
    Py_XDECREF(key);
    Py_XDECREF(value);
    PyErr_Clear();
    return is_usable;
}

#else

/* ── the table ───────────────────────────────────────────────────────────────────── */

enum { TABLE_BITS = 16 };

static mw_locals_mark table[1 << TABLE_BITS];

PyTypeObject mw_locals_mark_type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "memwhy._memwhy.frame_mark",
    .tp_basicsize = sizeof(mw_locals_mark),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .tp_doc = PyDoc_STR("Left in a frame by memwhy."),
};

static mw_locals_mark *take_for(mw_py_frame *frame)
{
    mw_locals_mark *mark = &table[((uintptr_t)frame >> 4) % (1 << TABLE_BITS)];

    if (Py_TYPE((PyObject *)mark) == NULL) {
        Py_SET_REFCNT((PyObject *)mark, _Py_IMMORTAL_REFCNT);
        Py_SET_TYPE((PyObject *)mark, &mw_locals_mark_type);
    }
    frame->f_locals = (PyObject *)mark;
    return mark;
}

void mw_locals_marks_replenish(void)
{
}

bool mw_locals_marks_init(void)
{
    is_usable = is_usable || PyType_Ready(&mw_locals_mark_type) == 0;
    PyErr_Clear();
    return is_usable;
}

#endif

/* ── writing ─────────────────────────────────────────────────────────────────────── */

bool mw_locals_mark_write(mw_py_frame *frame, uint64_t mark)
{
    mw_locals_mark *carrier = (mw_locals_mark *)mw_locals_mark_of(frame);

    if (carrier == NULL) {
        if (frame->owner != FRAME_OWNED_BY_THREAD || frame->f_locals != NULL || !is_usable)
            return false;
        carrier = take_for(frame);
        if (carrier == NULL)
            return false;
    }
    carrier->mark = mark;
    carrier->frame = frame;
    return true;
}

void mw_locals_mark_void(mw_py_frame *frame)
{
    mw_locals_mark *carrier = (mw_locals_mark *)mw_locals_mark_of(frame);

    if (carrier != NULL && carrier->frame == frame)
        carrier->mark = MW_FRAMES_NO_MARK;
}

#else

bool mw_locals_marks_init(void)
{
    return false;
}

bool mw_locals_marks_suit(const PyCodeObject *code, uint64_t epoch)
{
    (void)code;
    (void)epoch;
    return false;
}

bool mw_locals_mark_write(mw_py_frame *frame, uint64_t mark)
{
    (void)frame;
    (void)mark;
    return false;
}

void mw_locals_mark_void(mw_py_frame *frame)
{
    (void)frame;
}

void mw_locals_marks_replenish(void)
{
}

#endif
