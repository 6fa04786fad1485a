/* SPDX-License-Identifier: MIT
 *
 * Searches for referrers, and what they found as Python's lists.  Frames that run get their
 * objects here, once all else is held.
 */
#include "pyext/heap_layouts.h"

#include "pyext/heap_object_functions.h"

#include "pyext/heap_referrers.h"

enum {
    ASK_SUBJECTS,
    ASK_STOPS,
    ASK_IGNORED,
    ASK_MAX_DEPTH,
    ASK_TOO_MANY,
    ASK_EVERYTHING,
    ASK_ARGUMENTS
};

/* How deep or how many: what is beyond 32 bits is no limit. */
static int read_limit(PyObject *number, uint32_t *ret_limit)
{
    int overflow;
    long long value = PyLong_AsLongLongAndOverflow(number, &overflow);

    if (value == -1 && overflow == 0 && PyErr_Occurred())
        return -1;
    if (overflow < 0 || (overflow == 0 && value < 0))
        *ret_limit = 0;
    else
        *ret_limit = overflow > 0 || value > UINT32_MAX - 1 ? UINT32_MAX : (uint32_t)value;
    return 0;
}

/* A search, with what holds its arguments and its results. */
typedef struct asked {
    mw_limited_alloc alloc;
    mw_referrers_question question;
    uintptr_t *ignored; /* owned */
    size_t ignored_capacity;
    mw_referrers found;
    const uint32_t *nodes;   /* what is to be handed out: in `found`                     */
    mw_heap_objects objects; /* the same nodes' objects; frames are NULL until made      */
    Py_ssize_t *counts;      /* owned; how many references each had                      */
} asked;

static void asked_done(asked *self)
{
    mw_alloc *alloc = &self->alloc.base;

    mw_alloc_release(alloc, self->counts, self->objects.capacity * sizeof *self->counts);
    mw_alloc_release(alloc, self->ignored, self->ignored_capacity * sizeof *self->ignored);
    mw_heap_objects_done(&self->objects);
    mw_referrers_done(&self->found);
}

static int read_ignored(asked *self, PyObject *list)
{
    self->ignored_capacity = (size_t)PyList_GET_SIZE(list);
    self->ignored =
        mw_alloc_array(&self->alloc.base, self->ignored_capacity, sizeof *self->ignored);
    if (self->ignored == NULL) {
        mw_heap_raise_search(MW_NO_MEMORY);
        return -1;
    }
    for (size_t i = 0; i < self->ignored_capacity; i++) {
        PyObject *id = PyList_GET_ITEM(list, (Py_ssize_t)i);

        self->ignored[i] = PyLong_Check(id) ? (uintptr_t)PyLong_AsVoidPtr(id) : 0;
        PyErr_Clear();
    }
    self->question.ignored = self->ignored;
    self->question.ignored_count = self->ignored_capacity;
    return 0;
}

static int read_question(asked *self, const char *function, PyObject *const *arguments,
                         Py_ssize_t count)
{
    mw_referrers_question *question = &self->question;

    if (mw_heap_check_count(function, count, ASK_ARGUMENTS) < 0)
        return -1;
    mw_heap_limited_alloc(&self->alloc);
    if (!(PyList_Check(arguments[ASK_SUBJECTS]) || PyTuple_Check(arguments[ASK_SUBJECTS])) ||
        !PyList_CheckExact(arguments[ASK_STOPS]) || !PyList_CheckExact(arguments[ASK_IGNORED])) {
        PyErr_Format(PyExc_TypeError, "%s() takes lists", function);
        return -1;
    }
    /* First, since an __index__ may change the lists. */
    if (read_limit(arguments[ASK_MAX_DEPTH], &question->max_depth) < 0 ||
        read_limit(arguments[ASK_TOO_MANY], &question->too_many) < 0)
        return -1;
    question->subjects = PySequence_Fast_ITEMS(arguments[ASK_SUBJECTS]);
    question->subject_count = (size_t)PySequence_Fast_GET_SIZE(arguments[ASK_SUBJECTS]);
    question->stops = PySequence_Fast_ITEMS(arguments[ASK_STOPS]);
    question->stop_count = (size_t)PyList_GET_SIZE(arguments[ASK_STOPS]);
    question->everything = arguments[ASK_EVERYTHING] == Py_True;
    return read_ignored(self, arguments[ASK_IGNORED]);
}

/* The object of a running frame, a new reference.  It is made if nobody has asked for it
 * before; that must not run the collector, while frames are yet to be found. */
static PyObject *make_frame(const mw_heap *heap, uint32_t node)
{
    const mw_py_frame *wanted = mw_heap_frame_at(heap, node);
    PyThreadState *thread = NULL;
    PyFrameObject *frame;

    for (uint32_t i = 0; i < heap->frame_count; i++)
        if (heap->frames[i].node == node)
            thread = (PyThreadState *)heap->frames[i].thread;
    frame = thread != NULL ? PyThreadState_GetFrame(thread) : NULL;
    while (frame != NULL && mw_frames_object(wanted) != frame) {
        PyFrameObject *caller = PyFrame_GetBack(frame);

        Py_DECREF(frame);
        frame = caller;
    }
    if (frame == NULL && !PyErr_Occurred())
        PyErr_NoMemory();
    return (PyObject *)frame;
}

static int make_frames(asked *self)
{
    mw_heap_objects *objects = &self->objects;

    for (uint32_t i = 0; i < objects->count; i++) {
        if (objects->items[i] != NULL)
            continue;
        objects->items[i] = make_frame(&self->found.heap, self->nodes[i]);
        if (objects->items[i] == NULL)
            return -1;
        self->counts[i] = Py_REFCNT(objects->items[i]) - 1;
    }
    return 0;
}

/* Holds what is to be handed out, and drops all of it again when that fails. */
static int hold_found(asked *self)
{
    mw_heap_objects *objects = &self->objects;
    int had_collector, status;

    for (uint32_t i = 0; i < objects->count; i++) {
        if (objects->items[i] == NULL)
            continue;
        self->counts[i] = Py_REFCNT(objects->items[i]);
        Py_INCREF(objects->items[i]);
    }
    had_collector = PyGC_Disable();
    status = make_frames(self);
    if (had_collector)
        PyGC_Enable();
    for (uint32_t i = 0; i < objects->count && status < 0; i++)
        Py_XDECREF(objects->items[i]);
    return status;
}

/* How many nodes there are to hand out: all that was found, or the way from the stop at
 * which the search ended to its subject, put where nothing else is. */
static uint32_t choose_nodes(asked *self)
{
    mw_referrers *found = &self->found;
    uint32_t count = 0;

    self->nodes = found->nodes;
    if (!self->question.ends_at_stop)
        return found->count;
    self->nodes = found->skipped;
    for (uint32_t place = found->stop; place != MW_REFERRERS_NOBODY; place = found->parents[place])
        found->skipped[count++] = found->nodes[place];
    return count;
}

/* Searches, and holds what was found.  Returns 0, or -1 with an exception. */
static int ask(asked *self)
{
    mw_heap_objects *objects = &self->objects;
    mw_status status = mw_referrers_init(&self->found, &self->question, &self->alloc.base);
    uint32_t count = status == MW_OK ? choose_nodes(self) : 0;

    objects->alloc = &self->alloc.base;
    for (uint32_t i = 0; i < count && status == MW_OK; i++) {
        mw_heap_objects_add(objects, mw_heap_object(&self->found.heap, self->nodes[i]));
        status = objects->status;
    }
    if (status == MW_OK) {
        self->counts = mw_alloc_array(&self->alloc.base, objects->capacity, sizeof *self->counts);
        status = self->counts != NULL ? MW_OK : MW_NO_MEMORY;
    }
    if (status == MW_OK)
        return hold_found(self);
    mw_heap_raise_search(status);
    return -1;
}

/* Who refers to what is at [place]: (how many were too many, a list of the others). */
static PyObject *make_row(const asked *self, uint32_t place)
{
    const mw_referrers *found = &self->found;
    uint32_t begin = place > 0 ? found->row_ends[place - 1] : 0;
    uint32_t end = found->row_ends[place];
    PyObject *list = PyList_New((Py_ssize_t)(end - begin));

    if (list == NULL)
        return NULL;
    for (uint32_t i = begin; i < end; i++) {
        uint32_t at = mw_referrers_place(found, found->row_nodes[i]);

        PyList_SET_ITEM(list, (Py_ssize_t)(i - begin), Py_NewRef(self->objects.items[at]));
    }
    return Py_BuildValue("(kN)", (unsigned long)found->skipped[place], list);
}

static PyObject *make_rows(asked *self)
{
    PyObject *rows = PyList_New(0);

    for (uint32_t place = 0; rows != NULL && place < self->found.count; place++) {
        PyObject *row = make_row(self, place);

        if (row == NULL || PyList_Append(rows, row) < 0)
            Py_CLEAR(rows);
        Py_XDECREF(row);
    }
    return rows;
}

static PyObject *make_counts(const asked *self)
{
    PyObject *list = PyList_New((Py_ssize_t)self->objects.count);

    for (uint32_t place = 0; list != NULL && place < self->objects.count; place++) {
        PyObject *number = PyLong_FromSsize_t(self->counts[place]);

        if (number == NULL)
            Py_CLEAR(list);
        else
            PyList_SET_ITEM(list, (Py_ssize_t)place, number);
    }
    return list;
}

PyDoc_STRVAR(referrers_doc,
             "_referrers($module, subjects, stops, ignored, max_depth, too_many,\n"
             "           everything, /)\n"
             "--\n\n"
             "Who refers to subjects, who to these and so on: a tuple of three lists, the\n"
             "objects in the order in which they are found, how many references each had,\n"
             "and for each (how many referrers were too many, a list of the others).\n"
             "Nobody looks behind stops.");

static PyObject *referrers(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
{
    asked self = {.question = {.wants_rows = true}};
    PyObject *found, *counts, *rows, *answer = NULL;

    if (read_question(&self, "_referrers", arguments, count) == 0 && ask(&self) == 0) {
        counts = make_counts(&self);
        rows = counts != NULL ? make_rows(&self) : NULL;
        found = mw_heap_objects_take_list(&self.objects);
        if (found != NULL && rows != NULL)
            answer = PyTuple_Pack(3, found, counts, rows);
        Py_XDECREF(found);
        Py_XDECREF(counts);
        Py_XDECREF(rows);
    }
    asked_done(&self);
    return answer;
}

static PyObject *make_parents(const asked *self)
{
    PyObject *list = PyList_New((Py_ssize_t)self->found.count);

    for (uint32_t place = 0; list != NULL && place < self->found.count; place++) {
        uint32_t parent = self->found.parents[place];
        PyObject *number = PyLong_FromLong(parent == MW_REFERRERS_NOBODY ? -1 : (long)parent);

        if (number == NULL)
            Py_CLEAR(list);
        else
            PyList_SET_ITEM(list, (Py_ssize_t)place, number);
    }
    return list;
}

PyDoc_STRVAR(referrer_tree_doc,
             "_referrer_tree($module, subjects, stops, ignored, max_depth, too_many,\n"
             "               everything, /)\n"
             "--\n\n"
             "The same as a tuple of two lists: the objects, and for each the place in the\n"
             "list of the one that it was found from, -1 for subjects.");

static PyObject *referrer_tree(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
{
    asked self = {0};
    PyObject *found, *parents, *answer = NULL;

    if (read_question(&self, "_referrer_tree", arguments, count) == 0 && ask(&self) == 0) {
        parents = make_parents(&self);
        found = mw_heap_objects_take_list(&self.objects);
        if (found != NULL && parents != NULL)
            answer = PyTuple_Pack(2, found, parents);
        Py_XDECREF(found);
        Py_XDECREF(parents);
    }
    asked_done(&self);
    return answer;
}

PyDoc_STRVAR(referrer_chain_doc,
             "_referrer_chain($module, subjects, stops, ignored, max_depth, too_many,\n"
             "                everything, /)\n"
             "--\n\n"
             "The shortest chain from one of stops to one of subjects, as a list; empty if\n"
             "there is none.");

static PyObject *referrer_chain(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
{
    asked self = {.question = {.ends_at_stop = true}};
    PyObject *chain = NULL;

    if (read_question(&self, "_referrer_chain", arguments, count) == 0 && ask(&self) == 0)
        chain = mw_heap_objects_take_list(&self.objects);
    asked_done(&self);
    return chain;
}

PyMethodDef mw_heap_referrer_methods[] = {
    {"_referrers", (PyCFunction)(void (*)(void))referrers, METH_FASTCALL, referrers_doc},
    {"_referrer_tree", (PyCFunction)(void (*)(void))referrer_tree, METH_FASTCALL,
     referrer_tree_doc},
    {"_referrer_chain", (PyCFunction)(void (*)(void))referrer_chain, METH_FASTCALL,
     referrer_chain_doc},
    {NULL, NULL, 0, NULL},
};
