/* SPDX-License-Identifier: MIT
 *
 * The pattern of all: read the arguments; find, without making any object of Python's; hold
 * what was found; make the answer.  Arguments come as an array, since a tuple of them would
 * be met as one more referrer.
 */
#include "pyext/heap_layouts.h"

#include "pyext/heap_object_functions.h"

#include "pyext/heap_child.h"
#include "pyext/heap_referrers.h"
#include "pyext/heap_tracked.h"
#include "pyext/raise.h"

#include <string.h>

/* ── arguments ───────────────────────────────────────────────────────────────────── */

static int check_count(const char *function, Py_ssize_t count, Py_ssize_t wanted)
{
    if (count == wanted)
        return 0;
    PyErr_Format(PyExc_TypeError, "%s() takes %zd arguments", function, wanted);
    return -1;
}

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

static mw_alloc *limited(mw_limited_alloc *alloc)
{
    *alloc = mw_limited_alloc_of(mw_heap_available_bytes());
    return &alloc->base;
}

static PyObject *raise_search(mw_status status)
{
    if (status != MW_NO_MEMORY)
        return mw_raise(status, NULL);
    PyErr_SetString(PyExc_MemoryError, "there is too little memory left to search this heap");
    return NULL;
}

/* ── how many of each type ───────────────────────────────────────────────────────── */

typedef struct kind {
    uint64_t count;
    PyObject *ids; /* owned; a set, or NULL */
} kind;

/* Objects by type, with their addresses if somebody wants them. */
typedef struct census {
    mw_heap_types types;
    kind *kinds; /* owned; by number of type */
    uint32_t kind_count, kind_capacity;
    bool wants_ids;
    mw_heap_objects objects; /* with ids: all of them, which may be dead by now */
    uint32_t *numbers;       /* owned; with ids: by object, its type's          */
    uint32_t number_capacity;
    mw_status status;
} census;

static void census_done(census *self)
{
    mw_alloc *alloc = self->types.alloc;

    if (alloc == NULL)
        return;
    mw_alloc_release(alloc, self->kinds, self->kind_capacity * sizeof *self->kinds);
    mw_alloc_release(alloc, self->numbers, self->number_capacity * sizeof *self->numbers);
    mw_heap_objects_done(&self->objects);
    mw_heap_types_done(&self->types);
}

static void census_fail(census *self, mw_status status)
{
    if (self->status == MW_OK)
        self->status = status;
}

static void note_id(census *self, PyObject *object, uint32_t number)
{
    mw_status status = mw_alloc_grow(self->types.alloc, &self->numbers, self->objects.count,
                                     &self->number_capacity, sizeof *self->numbers, UINT32_MAX);

    if (status != MW_OK) {
        census_fail(self, status);
        return;
    }
    self->numbers[self->objects.count] = number;
    mw_heap_objects_add(&self->objects, object);
    census_fail(self, self->objects.status);
}

static bool census_add(void *context, PyObject *object)
{
    census *self = context;
    uint32_t number = mw_heap_types_of(&self->types, Py_TYPE(object));

    if (number == MW_HEAP_TYPE_FRAME)
        census_fail(self, MW_NO_MEMORY);
    while (self->status == MW_OK && self->kind_count <= number) {
        census_fail(self, mw_alloc_grow(self->types.alloc, &self->kinds, self->kind_count,
                                        &self->kind_capacity, sizeof *self->kinds, UINT32_MAX));
        if (self->status == MW_OK)
            self->kinds[self->kind_count++] = (kind){0};
    }
    if (self->status != MW_OK)
        return false;
    self->kinds[number].count++;
    if (self->wants_ids)
        note_id(self, object, number);
    return self->status == MW_OK;
}

static mw_status census_take(census *self, bool everything, mw_alloc *alloc)
{
    mw_heap heap;

    self->objects.alloc = alloc;
    census_fail(self, mw_heap_types_init(&self->types, alloc));
    if (self->status == MW_OK && !everything)
        mw_heap_each_tracked(PyInterpreterState_Get(), census_add, self);
    if (self->status != MW_OK || !everything)
        return self->status;
    census_fail(self, mw_heap_init(&heap, NULL, alloc));
    for (uint32_t node = 1; self->status == MW_OK && node < heap.graph.node_count; node++)
        if (mw_heap_object(&heap, node) != NULL)
            census_add(self, mw_heap_object(&heap, node));
    mw_heap_done(&heap);
    return self->status;
}

/* Sets of addresses, as ids are numbers; the objects themselves need not be there any more. */
static int make_ids(census *self)
{
    for (uint32_t number = 1; number < self->kind_count; number++) {
        self->kinds[number].ids = PySet_New(NULL);
        if (self->kinds[number].ids == NULL)
            return -1;
    }
    for (uint32_t i = 0; i < self->objects.count; i++) {
        PyObject *id = PyLong_FromVoidPtr(self->objects.items[i]);
        int status = id != NULL ? PySet_Add(self->kinds[self->numbers[i]].ids, id) : -1;

        Py_XDECREF(id);
        if (status < 0)
            return -1;
    }
    return 0;
}

/* A list of pairs: (type, its count or its ids). */
static PyObject *make_rows(census *self)
{
    PyObject *rows = PyList_New(0);

    for (uint32_t number = 1; rows != NULL && number < self->kind_count; number++) {
        kind *of = &self->kinds[number];
        PyTypeObject *type = self->types.items[number].type;
        PyObject *row = self->wants_ids
                            ? Py_BuildValue("(OO)", type, of->ids)
                            : Py_BuildValue("(OK)", type, (unsigned long long)of->count);

        if (row == NULL || PyList_Append(rows, row) < 0)
            Py_CLEAR(rows);
        Py_XDECREF(row);
    }
    return rows;
}

static PyObject *answer_census(bool everything, bool wants_ids)
{
    mw_limited_alloc alloc;
    census self = {.wants_ids = wants_ids};
    PyObject *rows = NULL;

    if (census_take(&self, everything, limited(&alloc)) != MW_OK) {
        mw_status status = self.status;

        census_done(&self);
        return raise_search(status);
    }
    for (uint32_t number = 1; number < self.kind_count; number++)
        Py_INCREF(self.types.items[number].type);
    if (!wants_ids || make_ids(&self) == 0)
        rows = make_rows(&self);
    for (uint32_t number = 1; number < self.kind_count; number++) {
        Py_DECREF(self.types.items[number].type);
        Py_XDECREF(self.kinds[number].ids);
    }
    census_done(&self);
    return rows;
}

PyDoc_STRVAR(objects_counts_doc, "_objects_counts($module, everything, /)\n"
                                 "--\n\n"
                                 "How many objects of each type there are: a list of pairs, in\n"
                                 "the order in which types are met.  Of what the collector\n"
                                 "tracks, or of everything that a walk meets.");

static PyObject *objects_counts(PyObject *module, PyObject *everything)
{
    return answer_census(everything == Py_True, false);
}

PyDoc_STRVAR(objects_ids_doc, "_objects_ids($module, everything, /)\n"
                              "--\n\n"
                              "The same with the set of the objects' ids for their count.");

static PyObject *objects_ids(PyObject *module, PyObject *everything)
{
    return answer_census(everything == Py_True, true);
}

/* ── the objects themselves ──────────────────────────────────────────────────────── */

static PyObject *answer_objects(mw_heap_objects *objects, mw_status status)
{
    PyObject *list;

    if (status != MW_OK)
        return raise_search(status);
    mw_heap_objects_hold(objects);
    list = mw_heap_objects_take_list(objects);
    mw_heap_objects_done(objects);
    return list;
}

static mw_status select_types(mw_heap_selection *selection, PyObject *list)
{
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(list); i++)
        if (mw_heap_types_of(&selection->types, (PyTypeObject *)PyList_GET_ITEM(list, i)) ==
            MW_HEAP_TYPE_FRAME)
            return MW_NO_MEMORY;
    selection->type_count = (uint32_t)PyList_GET_SIZE(list);
    return MW_OK;
}

PyDoc_STRVAR(objects_of_doc, "_objects_of($module, types, everything, /)\n"
                             "--\n\n"
                             "All objects of the types in a list, each there once; of any type\n"
                             "if that is None.  Half made objects are left out.");

static PyObject *objects_of(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
{
    mw_limited_alloc alloc;
    mw_heap_selection selection = {.type_count = UINT32_MAX};
    mw_heap_objects objects = {0};
    mw_status status;

    if (check_count("_objects_of", count, 2) < 0)
        return NULL;
    if (arguments[0] != Py_None && !PyList_CheckExact(arguments[0])) {
        PyErr_SetString(PyExc_TypeError, "types must be a list or None");
        return NULL;
    }
    selection.everything = arguments[1] == Py_True;
    status = mw_heap_types_init(&selection.types, limited(&alloc));
    if (status == MW_OK && arguments[0] != Py_None)
        status = select_types(&selection, arguments[0]);
    if (status == MW_OK)
        status = mw_heap_objects_init(&objects, &selection, &alloc.base);
    mw_heap_types_done(&selection.types);
    return answer_objects(&objects, status);
}

/* Whatever is no address is the address of nothing. */
static mw_status note_address(mw_pointer_map *addresses, PyObject *id)
{
    void *address = PyLong_Check(id) ? PyLong_AsVoidPtr(id) : NULL;
    uint32_t *slot;

    PyErr_Clear();
    if (address == NULL)
        return MW_OK;
    slot = mw_pointer_map_slot(addresses, (uintptr_t)address);
    if (slot == NULL)
        return MW_NO_MEMORY;
    *slot = 1;
    return MW_OK;
}

PyDoc_STRVAR(objects_at_doc, "_objects_at($module, ids, everything, /)\n"
                             "--\n\n"
                             "The objects that have the ids in a list.");

static PyObject *objects_at(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
{
    mw_limited_alloc alloc;
    mw_pointer_map addresses;
    mw_heap_selection selection = {.type_count = UINT32_MAX, .addresses = &addresses};
    mw_heap_objects objects = {0};
    mw_status status;

    if (check_count("_objects_at", count, 2) < 0)
        return NULL;
    if (!PyList_CheckExact(arguments[0])) {
        PyErr_SetString(PyExc_TypeError, "ids must be a list");
        return NULL;
    }
    selection.everything = arguments[1] == Py_True;
    status = mw_pointer_map_init(&addresses, limited(&alloc));
    for (Py_ssize_t i = 0; status == MW_OK && i < PyList_GET_SIZE(arguments[0]); i++)
        status = note_address(&addresses, PyList_GET_ITEM(arguments[0], i));
    if (status == MW_OK)
        status = mw_heap_objects_init(&objects, &selection, &alloc.base);
    mw_pointer_map_done(&addresses);
    return answer_objects(&objects, status);
}

PyDoc_STRVAR(objects_unreferred_doc, "_objects_unreferred($module, everything, /)\n"
                                     "--\n\n"
                                     "Objects to which no other object and no running frame\n"
                                     "refers.");

static PyObject *objects_unreferred(PyObject *module, PyObject *everything)
{
    mw_limited_alloc alloc;
    mw_heap_objects objects = {0};
    mw_status status =
        mw_heap_objects_init_unreferred(&objects, everything == Py_True, limited(&alloc));

    return answer_objects(&objects, status);
}

/* ── referrers ───────────────────────────────────────────────────────────────────── */

enum {
    ASK_SUBJECTS,
    ASK_STOPS,
    ASK_IGNORED,
    ASK_MAX_DEPTH,
    ASK_TOO_MANY,
    ASK_EVERYTHING,
    ASK_ARGUMENTS
};

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
        raise_search(MW_NO_MEMORY);
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

    if (check_count(function, count, ASK_ARGUMENTS) < 0)
        return -1;
    limited(&self->alloc);
    if (!(PyList_Check(arguments[ASK_SUBJECTS]) || PyTuple_Check(arguments[ASK_SUBJECTS])) ||
        !PyList_CheckExact(arguments[ASK_STOPS]) || !PyList_CheckExact(arguments[ASK_IGNORED])) {
        PyErr_Format(PyExc_TypeError, "%s() takes lists", function);
        return -1;
    }
    question->subjects = PySequence_Fast_ITEMS(arguments[ASK_SUBJECTS]);
    question->subject_count = (size_t)PySequence_Fast_GET_SIZE(arguments[ASK_SUBJECTS]);
    question->stops = PySequence_Fast_ITEMS(arguments[ASK_STOPS]);
    question->stop_count = (size_t)PyList_GET_SIZE(arguments[ASK_STOPS]);
    question->everything = arguments[ASK_EVERYTHING] == Py_True;
    if (read_limit(arguments[ASK_MAX_DEPTH], &question->max_depth) < 0 ||
        read_limit(arguments[ASK_TOO_MANY], &question->too_many) < 0)
        return -1;
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
    raise_search(status);
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

static PyObject *make_rows_of(asked *self)
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
    PyObject *rows = NULL, *counts = NULL, *answer = NULL;

    if (read_question(&self, "_referrers", arguments, count) == 0 && ask(&self) == 0) {
        counts = make_counts(&self);
        rows = counts != NULL ? make_rows_of(&self) : NULL;
        if (rows == NULL)
            mw_heap_objects_drop(&self.objects);
        else
            answer = mw_heap_objects_take_list(&self.objects);
        if (answer != NULL)
            answer = Py_BuildValue("(NOO)", answer, counts, rows);
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
    PyObject *parents, *answer = NULL;

    if (read_question(&self, "_referrer_tree", arguments, count) == 0 && ask(&self) == 0) {
        parents = make_parents(&self);
        if (parents == NULL)
            mw_heap_objects_drop(&self.objects);
        else
            answer = mw_heap_objects_take_list(&self.objects);
        if (answer != NULL)
            answer = Py_BuildValue("(NO)", answer, parents);
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

/* ── one object ──────────────────────────────────────────────────────────────────── */

PyDoc_STRVAR(object_dict_doc, "_object_dict($module, object, /)\n"
                              "--\n\n"
                              "The object's __dict__ if it has been made, else None.");

static PyObject *object_dict(PyObject *module, PyObject *object)
{
    PyObject *dict = mw_layout_attributes_of(object).dict;
    const PyTypeObject *type = Py_TYPE(object);

    /* Until 3.11, behind an int's or a tuple's items. */
    if (type->tp_dictoffset < 0 && (type->tp_flags & Py_TPFLAGS_MANAGED_DICT) == 0)
        dict = *_PyObject_GetDictPtr(object);
    return Py_NewRef(dict != NULL ? dict : Py_None);
}

PyDoc_STRVAR(object_references_doc, "_object_references($module, object, /)\n"
                                    "--\n\n"
                                    "What the object's reference count is while it is asked for.");

static PyObject *object_references(PyObject *module, PyObject *object)
{
    return PyLong_FromSsize_t(Py_REFCNT(object));
}

/* What one object refers to. */
typedef struct referents {
    mw_edge_batch batch; /* first: `full` gets it back */
    mw_heap_objects objects;
    PyObject *private; /* must not be handed out, or NULL */
} referents;

static void keep_referents(mw_edge_batch *batch)
{
    referents *self = (referents *)batch;

    for (uint32_t i = 0; i < batch->count; i++)
        if (batch->items[i] != self->private && !mw_heap_is_half_made(batch->items[i]))
            mw_heap_objects_add(&self->objects, batch->items[i]);
    batch->count = 0;
}

static void find_referents(referents *self, PyObject *object, const mw_heap_type *type)
{
    self->batch.full = keep_referents;
    self->batch.interpreter = PyInterpreterState_Get();
    self->batch.interned = mw_layout_interned(self->batch.interpreter);
    if (PyByteArray_Check(object))
        self->private = mw_layout_bytearray_object(object);
    if (PyFrame_Check(object) && !mw_frames_has_ended((PyFrameObject *)object))
        mw_heap_edges_of_frame(&self->batch, ((PyFrameObject *)object)->f_frame);
    else
        mw_heap_edges_of(&self->batch, object, type);
    keep_referents(&self->batch);
}

PyDoc_STRVAR(object_referents_doc,
             "_object_referents($module, object, /)\n"
             "--\n\n"
             "As gc.get_referents(), with what that leaves out because it cannot be part of\n"
             "a cycle; and of frames that run.");

static PyObject *object_referents(PyObject *module, PyObject *object)
{
    mw_alloc *alloc = mw_alloc_system();
    referents *self = mw_alloc_new(alloc, sizeof *self);
    mw_heap_types types;
    mw_status status = self != NULL ? mw_heap_types_init(&types, alloc) : MW_NO_MEMORY;
    PyObject *list = NULL;

    if (self == NULL)
        return raise_search(status);
    if (status == MW_OK) {
        uint32_t number = mw_heap_types_of(&types, Py_TYPE(object));

        self->objects.alloc = alloc;
        status = number != MW_HEAP_TYPE_FRAME ? MW_OK : MW_NO_MEMORY;
        if (status == MW_OK)
            find_referents(self, object, &types.items[number]);
        if (status == MW_OK)
            status = self->objects.status;
    }
    list = answer_objects(&self->objects, status);
    mw_heap_types_done(&types);
    mw_heap_objects_done(&self->objects);
    mw_alloc_release(alloc, self, sizeof *self);
    return list;
}

PyMethodDef mw_heap_object_methods[] = {
    {"_objects_counts", objects_counts, METH_O, objects_counts_doc},
    {"_objects_ids", objects_ids, METH_O, objects_ids_doc},
    {"_objects_of", (PyCFunction)(void (*)(void))objects_of, METH_FASTCALL, objects_of_doc},
    {"_objects_at", (PyCFunction)(void (*)(void))objects_at, METH_FASTCALL, objects_at_doc},
    {"_objects_unreferred", objects_unreferred, METH_O, objects_unreferred_doc},
    {"_referrers", (PyCFunction)(void (*)(void))referrers, METH_FASTCALL, referrers_doc},
    {"_referrer_tree", (PyCFunction)(void (*)(void))referrer_tree, METH_FASTCALL,
     referrer_tree_doc},
    {"_referrer_chain", (PyCFunction)(void (*)(void))referrer_chain, METH_FASTCALL,
     referrer_chain_doc},
    {"_object_dict", object_dict, METH_O, object_dict_doc},
    {"_object_referents", object_referents, METH_O, object_referents_doc},
    {"_object_references", object_references, METH_O, object_references_doc},
    {NULL, NULL, 0, NULL},
};
