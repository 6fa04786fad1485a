/* SPDX-License-Identifier: MIT
 *
 * memwhy.region as a context manager, in C: a `with` then has no Python frame between the
 * one it stands in and us, so that the caller's frame is the one to bind to.  What decorates
 * is Python (memwhy/_regions.py).
 *
 * One object may be in force many times at once, in one frame or in many, in any threads and
 * tasks: so a program may keep it in a global.  Which of these a call of __exit__ ends is
 * told by the stack: the nearest that is on it.
 */
#include "pyext/current_site.h"
#include "pyext/regions.h"
#include "pyext/types.h"
#include "pyext/utf8.h"
#include "tracer/tracer.h"

typedef struct region {
    PyObject_HEAD
    PyObject *name;
    mw_region_name number;
    int stack_level;
    mw_region_uses uses;
} region;

/* ── making ──────────────────────────────────────────────────────────────────────── */

static int number_name(region *self)
{
    mw_utf8 utf8;

    if (PyUnicode_GET_LENGTH(self->name) == 0) {
        PyErr_SetString(PyExc_ValueError, "the name of a region must not be empty");
        return -1;
    }
    if (mw_utf8_init(&utf8, self->name) < 0)
        return -1;
    self->number = mw_regions_name(utf8.bytes, utf8.length);
    mw_utf8_done(&utf8);
    return 0;
}

static PyObject *region_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"name", "stacklevel", NULL};
    PyObject *name;
    int stack_level = 1;
    region *self;

    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "U|$i:region", names, &name, &stack_level))
        return NULL;
    if (stack_level < 1)
        return PyErr_Format(PyExc_ValueError, "the stacklevel of a region must be at least 1");
    self = (region *)type->tp_alloc(type, 0);
    if (self == NULL)
        return NULL;
    self->name = Py_NewRef(name);
    self->stack_level = stack_level;
    if (number_name(self) < 0)
        Py_CLEAR(self);
    return (PyObject *)self;
}

/* ── which frame ─────────────────────────────────────────────────────────────────── */

/* Whether a frame is the standard library's way to enter for another: ExitStack, or the
 * wrapping of a generator. */
static bool enters_for_another(PyFrameObject *frame)
{
    PyObject *globals = PyFrame_GetGlobals(frame);
    PyObject *name = PyDict_CheckExact(globals) ? PyDict_GetItemString(globals, "__name__") : NULL;
    bool result = name != NULL && PyUnicode_Check(name) &&
                  PyUnicode_CompareWithASCIIString(name, "contextlib") == 0;

    Py_DECREF(globals);
    return result;
}

/* The frame that a region entered now belongs to: the [level]th from the innermost, those of
 * contextlib not counted, or the outermost; a new reference, or NULL where no Python runs. */
static PyFrameObject *frame_to_bind(int level)
{
    PyFrameObject *frame = (PyFrameObject *)Py_XNewRef(PyEval_GetFrame());

    while (frame != NULL) {
        PyFrameObject *back;

        if (!enters_for_another(frame) && --level == 0)
            break;
        back = PyFrame_GetBack(frame);
        if (back == NULL)
            break;
        Py_DECREF(frame);
        frame = back;
    }
    return frame;
}

/* ── marks ───────────────────────────────────────────────────────────────────────── */

/* The frame of [object] on the stack of [thread], or NULL. */
static mw_py_frame *frame_on_stack(const PyThreadState *thread, const PyFrameObject *object)
{
    mw_py_frame *frame = mw_frames_innermost(thread);

    while (frame != NULL && mw_frames_object(frame) != object)
        frame = mw_frames_caller(frame);
    return frame;
}

/* What frames from the innermost outward to [outermost] know of their callers is no longer so.
 * Other interpreters' stacks carry no marks. */
static void forget_frames(const mw_py_frame *outermost)
{
    const PyThreadState *thread = PyThreadState_Get();
    mw_py_frame *frame = mw_frames_innermost(thread);

    if (!mw_current_owns_main_lane(thread))
        return;
    mw_stack_walk_forget_row();
    for (; frame != NULL; frame = mw_frames_caller(frame)) {
        mw_frames_void_mark(frame);
        mw_locals_mark_void(frame);
        if (frame == outermost)
            break;
    }
}

/* ── entering and leaving ────────────────────────────────────────────────────────── */

PyDoc_STRVAR(enter_doc,
             "__enter__($self, /)\n--\n\n"
             "Put what the caller's frame allocates from now on, and what it calls, into\n"
             "the region.");

static PyObject *region_enter(PyObject *object, PyObject *ignored)
{
    region *self = (region *)object;
    PyFrameObject *frame = frame_to_bind(self->stack_level);

    if (frame != NULL) {
        const mw_py_frame *bound = frame_on_stack(PyThreadState_Get(), frame);

        if (mw_regions_enter(&self->uses, frame, self->number))
            forget_frames(bound);
    }
    return Py_NewRef(object);
}

/* Ends the latest activation in [frame], which is on the stack, or the latest of all. */
static void leave(region *self, const mw_py_frame *frame)
{
    mw_left_region left = mw_regions_leave(&self->uses, frame);

    if (left.frame == NULL)
        return;
    if (frame != NULL)
        forget_frames(frame);
    else if (left.may_run)
        mw_stack_walk_forget_all(&mw_the_tracer);
    Py_DECREF(left.frame);
}

PyDoc_STRVAR(exit_doc, "__exit__($self, /, *exc_info)\n--\n\n"
                       "End the region; exceptions pass.");

static PyObject *region_exit(PyObject *object, PyObject *const *arguments, Py_ssize_t count)
{
    region *self = (region *)object;
    mw_py_frame *innermost = mw_frames_innermost(PyThreadState_Get());

    leave(self, mw_regions_find(&self->uses, innermost));
    Py_RETURN_NONE;
}

/* ── the object's end ────────────────────────────────────────────────────────────── */

static int region_traverse(PyObject *object, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(object));
    return mw_regions_traverse(&((region *)object)->uses, visit, arg);
}

/* Who forgets a region that is in force, leaves it. */
static int region_clear(PyObject *object)
{
    region *self = (region *)object;

    while (self->uses.newest != 0)
        leave(self, mw_regions_find(&self->uses, mw_frames_innermost(PyThreadState_Get())));
    return 0;
}

static void region_dealloc(PyObject *object)
{
    PyTypeObject *type = Py_TYPE(object);

    PyObject_GC_UnTrack(object);
    (void)region_clear(object);
    Py_CLEAR(((region *)object)->name);
    type->tp_free(object);
    Py_DECREF(type);
}

/* ── the type ────────────────────────────────────────────────────────────────────── */

static PyObject *region_repr(PyObject *object)
{
    return PyUnicode_FromFormat("<memwhy.region %R>", ((region *)object)->name);
}

PyDoc_STRVAR(region_doc,
             "region(name, *, stacklevel=1)\n--\n\n"
             "A named step in the call path of what is allocated inside.\n\n"
             "    with memwhy.region(\"checkout\"):\n"
             "        ...\n\n"
             "The region belongs to the function whose `with` it is; stacklevel 2 means that\n"
             "function's caller, and so on.  It also decorates functions, coroutine functions\n"
             "and generators.  docs/regions.md has more.");

static PyMethodDef region_methods[] = {
    {"__enter__", region_enter, METH_NOARGS, enter_doc},
    {"__exit__", (PyCFunction)(void (*)(void))region_exit, METH_FASTCALL, exit_doc},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef region_members[] = {
    {"name", Py_T_OBJECT_EX, offsetof(region, name), Py_READONLY, "The region's name: a str."},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot region_slots[] = {
    {Py_tp_doc, (void *)region_doc},
    {Py_tp_new, region_new},
    {Py_tp_methods, region_methods},
    {Py_tp_members, region_members},
    {Py_tp_repr, region_repr},
    {Py_tp_traverse, region_traverse},
    {Py_tp_clear, region_clear},
    {Py_tp_dealloc, region_dealloc},
    {0, NULL},
};

static PyType_Spec region_spec = {"memwhy._memwhy._region", sizeof(region), 0,
                                  Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
                                  region_slots};

/* ── questions ───────────────────────────────────────────────────────────────────── */

PyDoc_STRVAR(get_regions_doc,
             "get_regions($module, /)\n--\n\n"
             "Get how regions are used.\n\n"
             "Returns a dict of ints.  'in_force': regions entered and not left; 'names':\n"
             "different names; 'others': regions made whose name was one too many, and which\n"
             "are '<other regions>'; 'refused': how often one could not be entered.");

static PyObject *get_regions(PyObject *module, PyObject *ignored)
{
    mw_region_counts counts = mw_regions_counts();

    return Py_BuildValue("{s:I,s:I,s:K,s:K}", "in_force", (unsigned int)counts.in_force, "names",
                         (unsigned int)counts.names, "others", (unsigned long long)counts.others,
                         "refused", (unsigned long long)counts.refused);
}

PyDoc_STRVAR(current_regions_doc,
             "_current_regions($module, /)\n--\n\n"
             "The names of the regions that the caller is in, innermost first: a list.");

static int append_names(PyObject *list, const mw_frame_regions *regions)
{
    int result = 0;

    for (uint32_t left = regions->count; left > 0 && result == 0; left--) {
        size_t length;
        const char *bytes = mw_regions_name_bytes(regions->names[left - 1], &length);
        PyObject *name = mw_utf8_to_str(bytes, length);

        result = name != NULL ? PyList_Append(list, name) : -1;
        Py_XDECREF(name);
    }
    return result;
}

static PyObject *current_regions(PyObject *module, PyObject *ignored)
{
    const mw_py_frame *frame = mw_frames_innermost(PyThreadState_Get());
    PyObject *list = PyList_New(0);

    for (; list != NULL && frame != NULL; frame = mw_frames_caller(frame)) {
        mw_frame_regions regions;

        if (!mw_regions_may_be_of(frame))
            continue;
        mw_regions_of(frame, &regions);
        if (append_names(list, &regions) < 0)
            Py_CLEAR(list);
    }
    return list;
}

static PyMethodDef functions[] = {
    {"_current_regions", current_regions, METH_NOARGS, current_regions_doc},
    {"get_regions", get_regions, METH_NOARGS, get_regions_doc},
    {NULL, NULL, 0, NULL},
};

int mw_region_type_add(PyObject *module)
{
    PyObject *type;
    int result;

    if (PyModule_AddFunctions(module, functions) < 0)
        return -1;
    type = PyType_FromModuleAndSpec(module, &region_spec, NULL);
    result = type != NULL ? PyModule_AddObjectRef(module, "_region", type) : -1;
    Py_XDECREF(type);
    return result;
}
