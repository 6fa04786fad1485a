/* SPDX-License-Identifier: MIT
 *
 * _Traces: the lazy sequence behind Snapshot.traces.  It stands either on a snapshot's
 * tables, and then makes each Trace when it is looked at; or on the object that a caller
 * handed in as raw traces, which stays the caller's: what they change in it is seen.
 *
 * Raw traces that nobody else holds any more move into tables when they are first
 * counted, because then nobody can tell the difference but by the memory.
 */
#include "pyext/arguments.h"
#include "pyext/bag.h"
#include "pyext/blocks_equal.h"
#include "pyext/compact_state.h"
#include "pyext/raise.h"
#include "pyext/raw_traces.h"
#include "pyext/text.h"
#include "pyext/types.h"

typedef struct mw_traces {
    mw_bag bag;
    /* At most one of the two is not NULL; none before __init__. */
    PyObject *raw;   /* owned; usually a list */
    mw_faces *faces; /* one reference         */
} mw_traces;

static void traces_set(mw_traces *self, PyObject *raw_take, mw_faces *faces_take)
{
    mw_faces *old_faces = self->faces;

    self->faces = faces_take;
    Py_XSETREF(self->raw, raw_take);
    mw_faces_release(old_faces);
}

PyObject *mw_traces_object_new(mw_module_state *state, mw_snapshot *snapshot_take)
{
    mw_faces *faces = mw_faces_new(snapshot_take);
    PyObject *self = faces != NULL ? state->traces_type->tp_alloc(state->traces_type, 0) : NULL;

    if (self == NULL) {
        mw_faces_release(faces);
        return NULL;
    }
    traces_set((mw_traces *)self, NULL, faces);
    return self;
}

PyObject *mw_raw_traces_list(mw_module_state *state, mw_snapshot *snapshot)
{
    mw_faces *faces = mw_faces_new(mw_snapshot_retain(snapshot));
    PyObject *list = faces != NULL ? mw_faces_raw_traces(faces) : NULL;

    mw_faces_release(faces);
    return list;
}

PyObject *mw_raw_traces_frames(mw_module_state *state, mw_snapshot *snapshot_take)
{
    PyObject *traces = mw_raw_traces_list(state, snapshot_take);
    PyObject *frames;

    mw_snapshot_release(snapshot_take);
    if (traces == NULL)
        return NULL;
    frames = Py_NewRef(PyTuple_GET_ITEM(PyList_GET_ITEM(traces, 0), 2));
    Py_DECREF(traces);
    return frames;
}

/* The tables, retained, or NULL without an exception when there are none. */
static mw_faces *hold_faces(PyObject *self)
{
    mw_faces *faces = ((mw_traces *)self)->faces;

    return faces != NULL ? mw_faces_retain(faces) : NULL;
}

/* A new reference to what self._traces is. */
static PyObject *get_raw(PyObject *self, void *closure)
{
    mw_traces *traces = (mw_traces *)self;

    if (traces->raw != NULL)
        return Py_NewRef(traces->raw);
    mw_faces *faces = hold_faces(self);
    if (faces == NULL) {
        PyErr_SetString(PyExc_AttributeError, "'_Traces' object has no attribute '_traces'");
        return NULL;
    }
    PyObject *list = mw_faces_raw_traces(faces);
    mw_faces_release(faces);
    return list;
}

static int set_raw(PyObject *self, PyObject *value, void *closure)
{
    traces_set((mw_traces *)self, Py_XNewRef(value), NULL);
    return 0;
}

int mw_traces_open(mw_module_state *state, PyObject *traces, mw_faces **ret_faces)
{
    if (!PyObject_TypeCheck(traces, state->traces_type))
        return 0;

    mw_traces *self = (mw_traces *)traces;
    *ret_faces = hold_faces(traces);
    if (*ret_faces != NULL)
        return 1;
    if (self->raw == NULL)
        return 0;

    mw_snapshot *snapshot;
    PyObject *raw = Py_NewRef(self->raw);
    int result = mw_raw_traces_build(raw, &snapshot);
    if (result > 0) {
        *ret_faces = mw_faces_new(snapshot);
        result = *ret_faces != NULL ? 1 : -1;
    }
    /* Two references are ours: the object's and this function's. */
    if (result > 0 && self->raw == raw && PyList_CheckExact(raw) && Py_REFCNT(raw) == 2)
        traces_set(self, NULL, mw_faces_retain(*ret_faces));
    Py_DECREF(raw);
    return result;
}

static int traces_init(PyObject *self, PyObject *args, PyObject *kwargs)
{
    static const char *const names[] = {"traces"};
    static const mw_parameters parameters = {"_Traces.__init__", names, 1, 1, MW_METHOD};
    PyObject *raw;

    if (mw_arguments_bind(&parameters, args, kwargs, &raw) < 0)
        return -1;
    traces_set((mw_traces *)self, Py_NewRef(raw), NULL);
    return 0;
}

/* ── sequence ────────────────────────────────────────────────────────────────────── */

static Py_ssize_t traces_length(PyObject *self)
{
    mw_traces *traces = (mw_traces *)self;
    if (traces->faces != NULL)
        return (Py_ssize_t)mw_snapshot_block_count(mw_faces_snapshot(traces->faces));

    PyObject *raw = get_raw(self, NULL);
    Py_ssize_t length = raw != NULL ? PyObject_Size(raw) : -1;
    Py_XDECREF(raw);
    return length;
}

static PyObject *trace_from_tables(mw_module_state *state, mw_faces *faces, Py_ssize_t index)
{
    mw_snapshot *snapshot = mw_faces_snapshot(faces);
    mw_site site;
    uint64_t size_bytes;

    mw_snapshot_block(snapshot, (uint64_t)index, &site, &size_bytes);
    mw_site_row row = mw_snapshot_site(snapshot, site);
    PyObject *names = mw_faces_names(faces, row.path, row.traceback);
    if (names == NULL)
        return NULL;
    return mw_trace_object_new(state, mw_faces_raw_trace(faces, site, size_bytes),
                               names != Py_None ? names : NULL);
}

static PyObject *item_of_tables(mw_module_state *state, mw_faces *faces, Py_ssize_t index)
{
    Py_ssize_t length = (Py_ssize_t)mw_snapshot_block_count(mw_faces_snapshot(faces));

    if (index < 0)
        index += length;
    if (index < 0 || index >= length) {
        PyErr_SetString(PyExc_IndexError, "list index out of range");
        return NULL;
    }
    return trace_from_tables(state, faces, index);
}

static PyObject *slice_of_tables(mw_module_state *state, mw_faces *faces, PyObject *slice)
{
    Py_ssize_t start, stop, step;

    if (PySlice_Unpack(slice, &start, &stop, &step) < 0)
        return NULL;
    Py_ssize_t length = (Py_ssize_t)mw_snapshot_block_count(mw_faces_snapshot(faces));
    Py_ssize_t count = PySlice_AdjustIndices(length, &start, &stop, step);
    PyObject *tuple = PyTuple_New(count);
    for (Py_ssize_t i = 0; i < count && tuple != NULL; i++) {
        PyObject *trace = trace_from_tables(state, faces, start + i * step);
        if (trace == NULL)
            Py_CLEAR(tuple);
        else
            PyTuple_SET_ITEM(tuple, i, trace);
    }
    return tuple;
}

static PyObject *subscript_of_tables(mw_module_state *state, mw_faces *faces, PyObject *index)
{
    if (PySlice_Check(index))
        return slice_of_tables(state, faces, index);
    if (!PyIndex_Check(index)) {
        PyErr_Format(PyExc_TypeError, "list indices must be integers or slices, not %.200s",
                     Py_TYPE(index)->tp_name);
        return NULL;
    }
    Py_ssize_t position = PyNumber_AsSsize_t(index, PyExc_IndexError);
    if (position == -1 && PyErr_Occurred())
        return NULL;
    return item_of_tables(state, faces, position);
}

/* tuple(Trace(raw) for raw in raws), or Trace(raw). */
static PyObject *subscript_of_raw(mw_module_state *state, PyObject *raw, PyObject *index)
{
    PyObject *found = PyObject_GetItem(raw, index);
    if (found == NULL || !PySlice_Check(index))
        return mw_trace_object_new(state, found, NULL);

    PyObject *raws = PySequence_List(found);
    Py_DECREF(found);
    for (Py_ssize_t i = 0; raws != NULL && i < PyList_GET_SIZE(raws); i++) {
        PyObject *trace = mw_trace_object_new(state, Py_NewRef(PyList_GET_ITEM(raws, i)), NULL);
        if (trace == NULL || PyList_SetItem(raws, i, trace) < 0)
            Py_CLEAR(raws);
    }
    PyObject *tuple = raws != NULL ? PyList_AsTuple(raws) : NULL;
    Py_XDECREF(raws);
    return tuple;
}

static PyObject *traces_subscript(PyObject *self, PyObject *index)
{
    mw_module_state *state = mw_state_of(self);
    if (state == NULL)
        return NULL;

    PyObject *result = NULL;
    mw_faces *faces = hold_faces(self);
    if (faces != NULL) {
        result = subscript_of_tables(state, faces, index);
        mw_faces_release(faces);
        return result;
    }
    PyObject *raw = get_raw(self, NULL);
    if (raw != NULL)
        result = subscript_of_raw(state, raw, index);
    Py_XDECREF(raw);
    return result;
}

static PyObject *traces_item(PyObject *self, Py_ssize_t index)
{
    PyObject *number = PyLong_FromSsize_t(index);
    PyObject *item = number != NULL ? traces_subscript(self, number) : NULL;

    Py_XDECREF(number);
    return item;
}

static int tables_contain(mw_faces *faces, PyObject *wanted)
{
    const mw_snapshot *snapshot = mw_faces_snapshot(faces);
    uint64_t count = mw_snapshot_block_count(snapshot);
    int found = 0;

    for (uint64_t i = 0; i < count && found == 0; i++) {
        mw_site site;
        uint64_t size_bytes;
        mw_snapshot_block(snapshot, i, &site, &size_bytes);
        PyObject *raw = mw_faces_raw_trace(faces, site, size_bytes);
        found = raw != NULL ? PyObject_RichCompareBool(raw, wanted, Py_EQ) : -1;
        Py_XDECREF(raw);
    }
    return found;
}

static int traces_contain(PyObject *self, PyObject *trace)
{
    mw_module_state *state = mw_state_of(self);
    PyObject *wanted = state != NULL ? PyObject_GetAttr(trace, state->names.raw_trace) : NULL;
    if (wanted == NULL)
        return -1;

    int found = -1;
    mw_faces *faces = hold_faces(self);
    if (faces != NULL) {
        found = tables_contain(faces, wanted);
        mw_faces_release(faces);
    } else {
        PyObject *raw = get_raw(self, NULL);
        if (raw != NULL)
            found = PySequence_Contains(raw, wanted);
        Py_XDECREF(raw);
    }
    Py_DECREF(wanted);
    return found;
}

/* ── equality ────────────────────────────────────────────────────────────────────── */

/* 1, 0, or -1 with an exception. */
static int tables_are_equal(mw_faces *mine, mw_faces *theirs)
{
    bool equal = false;
    mw_status status = mw_blocks_equal(mw_faces_snapshot(mine), mw_faces_snapshot(theirs),
                                       mw_alloc_system(), &equal);

    if (status == MW_OK)
        return equal;
    mw_raise(status, NULL);
    return -1;
}

static PyObject *compare_raw(PyObject *self, PyObject *other, int operation)
{
    PyObject *mine = get_raw(self, NULL);
    PyObject *theirs = mine != NULL ? get_raw(other, NULL) : NULL;
    PyObject *result = theirs != NULL ? PyObject_RichCompare(mine, theirs, operation) : NULL;

    Py_XDECREF(mine);
    Py_XDECREF(theirs);
    return result;
}

static PyObject *traces_richcompare(PyObject *self, PyObject *other, int operation)
{
    mw_module_state *state = mw_state_of(self);
    if (state == NULL)
        return NULL;
    if ((operation != Py_EQ && operation != Py_NE) ||
        !PyObject_TypeCheck(other, state->traces_type))
        Py_RETURN_NOTIMPLEMENTED;

    mw_faces *mine = ((mw_traces *)self)->faces, *theirs = ((mw_traces *)other)->faces;
    if (mine == NULL || theirs == NULL)
        return compare_raw(self, other, operation);
    int equal = tables_are_equal(mine, theirs);
    return equal < 0 ? NULL : PyBool_FromLong(equal == (operation == Py_EQ));
}

static PyObject *traces_repr(PyObject *self)
{
    return mw_text_percent("<Traces len=%s>", Py_BuildValue("(n)", PyObject_Size(self)));
}

/* ── pickle ──────────────────────────────────────────────────────────────────────── */

/* Puts what stands for the traces into the state: the tables if there are or can be any,
 * else the raw traces, as tracemalloc does. */
static int reduce_into(PyObject *self, PyObject *state)
{
    mw_faces *faces = NULL;
    PyObject *value;
    PyObject *raw = ((mw_traces *)self)->raw;
    mw_module_state *module_state = mw_state_of(self);

    if (module_state == NULL)
        return -1;
    /* Only a list comes back equal from tables. */
    if (raw == NULL || PyList_CheckExact(raw)) {
        if (mw_traces_open(module_state, self, &faces) < 0)
            return -1;
    }
    const char *key = faces != NULL ? "_compact" : "_traces";
    value = faces != NULL ? mw_compact_state_encode(mw_faces_snapshot(faces)) : get_raw(self, NULL);
    mw_faces_release(faces);
    int result = value != NULL ? PyDict_SetItemString(state, key, value) : -1;
    Py_XDECREF(value);
    return result;
}

static PyObject *traces_reduce(PyObject *self, PyObject *unused)
{
    PyObject *attributes = ((mw_traces *)self)->bag.attributes;
    PyObject *state = attributes != NULL ? PyDict_Copy(attributes) : PyDict_New();
    PyObject *copyreg = PyImport_ImportModule("copyreg");
    PyObject *make = copyreg != NULL ? PyObject_GetAttrString(copyreg, "__newobj__") : NULL;
    PyObject *result = NULL;

    if (state != NULL && make != NULL && reduce_into(self, state) == 0)
        result = Py_BuildValue("O(O)O", make, (PyObject *)Py_TYPE(self), state);
    Py_XDECREF(state);
    Py_XDECREF(copyreg);
    Py_XDECREF(make);
    return result;
}

static int restore_compact(PyObject *self, PyObject *compact)
{
    mw_snapshot *snapshot = mw_compact_state_decode(compact);
    mw_faces *faces = snapshot != NULL ? mw_faces_new(snapshot) : NULL;

    if (faces == NULL)
        return -1;
    traces_set((mw_traces *)self, NULL, faces);
    return 0;
}

/* One attribute of the state, ours, the standard module's (`_traces`) or a user's. */
static int restore_item(PyObject *self, PyObject *key, PyObject *value)
{
    if (!PyUnicode_Check(key)) {
        PyErr_SetString(PyExc_ValueError, "damaged snapshot: an attribute has no name");
        return -1;
    }
    if (PyUnicode_CompareWithASCIIString(key, "_compact") == 0)
        return restore_compact(self, value);
    return PyObject_SetAttr(self, key, value);
}

static PyObject *traces_setstate(PyObject *self, PyObject *state)
{
    PyObject *key, *value;
    Py_ssize_t position = 0;

    if (!PyDict_CheckExact(state)) {
        PyErr_SetString(PyExc_ValueError, "damaged snapshot: the traces have no state");
        return NULL;
    }
    while (PyDict_Next(state, &position, &key, &value)) {
        Py_INCREF(key);
        Py_INCREF(value);
        int result = restore_item(self, key, value);
        Py_DECREF(key);
        Py_DECREF(value);
        if (result < 0)
            return NULL;
    }
    Py_RETURN_NONE;
}

/* ── type ────────────────────────────────────────────────────────────────────────── */

static int traces_traverse(PyObject *self, visitproc visit, void *arg)
{
    /* What the faces hold are tuples of str and int, which can be in no cycle. */
    Py_VISIT(((mw_traces *)self)->raw);
    return mw_bag_traverse(self, visit, arg);
}

static int traces_clear(PyObject *self)
{
    traces_set((mw_traces *)self, NULL, NULL);
    return mw_bag_clear(self);
}

static void traces_dealloc(PyObject *self)
{
    PyObject_GC_UnTrack(self);
    traces_set((mw_traces *)self, NULL, NULL);
    mw_bag_dealloc(self);
}

PyDoc_STRVAR(traces_doc, "_Traces(traces)\n--\n\n"
                         "Sequence of Trace instances, each made when it is looked at.");

static PyMethodDef traces_methods[] = {
    {"__class_getitem__", Py_GenericAlias, METH_O | METH_CLASS, NULL},
    {"__reduce__", traces_reduce, METH_NOARGS, NULL},
    {"__setstate__", traces_setstate, METH_O, NULL},
    {0},
};

static PyGetSetDef traces_getset[] = {
    MW_BAG_DICT,
    {"_traces", get_raw, set_raw, "The raw traces; made anew each time unless they were given.",
     NULL},
    {0},
};

static PyType_Slot traces_slots[] = {
    {Py_tp_doc, (void *)traces_doc},
    {Py_tp_init, traces_init},
    {Py_tp_methods, traces_methods},
    {Py_tp_members, mw_bag_members},
    {Py_tp_getset, traces_getset},
    {Py_tp_richcompare, traces_richcompare},
    {Py_tp_hash, PyObject_HashNotImplemented},
    {Py_tp_repr, traces_repr},
    {Py_tp_iter, PySeqIter_New},
    {Py_sq_length, traces_length},
    {Py_sq_item, traces_item},
    {Py_sq_contains, traces_contain},
    {Py_mp_length, traces_length},
    {Py_mp_subscript, traces_subscript},
    {Py_tp_traverse, traces_traverse},
    {Py_tp_clear, traces_clear},
    {Py_tp_dealloc, traces_dealloc},
    {0, NULL},
};

static PyType_Spec traces_spec = {
    .name = "memwhy.tracemalloc._Traces",
    .basicsize = sizeof(mw_traces),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = traces_slots,
};

int mw_traces_type_add(PyObject *module, mw_module_state *state)
{
    if (mw_type_add(module, &traces_spec, NULL, &state->traces_type) < 0)
        return -1;
    return mw_type_make_sequence(state->traces_type);
}
