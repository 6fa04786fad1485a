/* SPDX-License-Identifier: MIT
 *
 * Traceback: a sequence of Frame from the oldest to the most recent.  It keeps tuples
 * and makes a Frame when one is looked at.
 *
 * That of a row keeps no tuples either, but the tables that they can be made from, and makes
 * them each time anew: as many bytes for a stack of any depth.  Nobody can tell, until an
 * attribute is set; then it becomes a traceback like any other.
 */
#include "pyext/arguments.h"
#include "pyext/bag.h"
#include "pyext/record.h"
#include "pyext/text.h"
#include "pyext/types.h"

MW_RECORD_LIFE(traceback, MW_TRACEBACK_SLOTS)

/* ── tracebacks that keep no tuples ──────────────────────────────────────────────── */

/* Such a one has nothing in the slot of frames, and in that of names a capsule: a reference
 * to the faces, and the number of the traceback in them as its context. */
static const char source_name[] = "memwhy traceback";

static void release_source(PyObject *source)
{
    mw_faces_release(PyCapsule_GetPointer(source, source_name));
}

static mw_faces *source_faces(PyObject *source)
{
    return PyCapsule_GetPointer(source, source_name);
}

static mw_traceback source_number(PyObject *source)
{
    return (mw_traceback){(uint32_t)(uintptr_t)PyCapsule_GetContext(source)};
}

static mw_traceback_row source_row(PyObject *source)
{
    return mw_snapshot_traceback(mw_faces_snapshot(source_faces(source)), source_number(source));
}

/* A new reference: what is made from it may run code that changes the traceback.  NULL
 * without an exception where the traceback has tuples. */
static PyObject *hold_source(PyObject *self)
{
    PyObject *names = mw_record_peek(self, MW_TRACEBACK_NAMES);

    return names != NULL && PyCapsule_IsValid(names, source_name) ? Py_NewRef(names) : NULL;
}

PyObject *mw_traceback_object_lazy(mw_module_state *state, mw_faces *faces, mw_traceback traceback)
{
    PyObject *self = mw_record_new(state->traceback_type);
    PyObject *source = self != NULL ? PyCapsule_New(faces, source_name, NULL) : NULL;

    if (source == NULL || PyCapsule_SetContext(source, (void *)(uintptr_t)traceback.index) < 0 ||
        PyCapsule_SetDestructor(source, release_source) < 0) {
        Py_XDECREF(source);
        Py_XDECREF(self);
        return NULL;
    }
    mw_faces_retain(faces);
    mw_record_set(self, MW_TRACEBACK_TOTAL, Py_None);
    mw_record_take(self, MW_TRACEBACK_NAMES, source);
    return self;
}

/* ── making tracebacks ───────────────────────────────────────────────────────────── */

PyObject *mw_traceback_object_new(mw_module_state *state, PyObject *frames_take,
                                  PyObject *total_take, PyObject *names_take)
{
    PyObject *self = frames_take != NULL ? mw_record_new(state->traceback_type) : NULL;

    if (self == NULL) {
        Py_XDECREF(frames_take);
        Py_XDECREF(total_take);
        Py_XDECREF(names_take);
        return NULL;
    }
    mw_record_take(self, MW_TRACEBACK_FRAMES, frames_take);
    mw_record_take(self, MW_TRACEBACK_TOTAL, total_take != NULL ? total_take : Py_NewRef(Py_None));
    mw_record_take(self, MW_TRACEBACK_NAMES, names_take);
    return self;
}

static PyObject *reversed_tuple(PyObject *frames)
{
    PyObject *reversed = PyObject_CallOneArg((PyObject *)&PyReversed_Type, frames);
    PyObject *tuple = reversed != NULL ? PySequence_Tuple(reversed) : NULL;

    Py_XDECREF(reversed);
    return tuple;
}

PyObject *mw_traceback_object_from_snapshot(mw_module_state *state, mw_snapshot *snapshot,
                                            mw_traceback traceback)
{
    mw_faces *faces = mw_faces_new(mw_snapshot_retain(snapshot));
    PyObject *result = NULL;

    if (faces == NULL)
        return NULL;
    mw_traceback_row row = mw_snapshot_traceback(snapshot, traceback);
    PyObject *frames = mw_faces_traceback(faces, traceback);
    PyObject *names = frames != NULL ? mw_faces_names(faces, row.path, traceback) : NULL;
    if (names != NULL) {
        PyObject *total = row.total_frames != MW_TOTAL_FRAMES_UNKNOWN
                              ? PyLong_FromUnsignedLong(row.total_frames)
                              : Py_NewRef(Py_None);
        result = mw_traceback_object_new(state, total != NULL ? reversed_tuple(frames) : NULL,
                                         total, names != Py_None ? Py_NewRef(names) : NULL);
    }
    mw_faces_release(faces);
    return result;
}

static int traceback_init(PyObject *self, PyObject *args, PyObject *kwargs)
{
    static const char *const names[] = {"frames", "total_nframe"};
    static const mw_parameters parameters = {"Traceback.__init__", names, 2, 1, MW_METHOD};
    PyObject *values[2];

    if (mw_arguments_bind(&parameters, args, kwargs, values) < 0)
        return -1;
    PyObject *frames = reversed_tuple(values[0]);
    if (frames == NULL)
        return -1;
    mw_record_take(self, MW_TRACEBACK_FRAMES, frames);
    mw_record_set(self, MW_TRACEBACK_TOTAL, values[1] != NULL ? values[1] : Py_None);
    mw_record_take(self, MW_TRACEBACK_NAMES, NULL);
    return 0;
}

/* A new reference. */
static PyObject *traceback_frames(PyObject *self)
{
    PyObject *source = hold_source(self);
    if (source == NULL)
        return mw_record_slot(self, MW_TRACEBACK_FRAMES, "_frames");

    PyObject *frames = mw_faces_make_frames(source_faces(source), source_number(source));
    Py_DECREF(source);
    return frames;
}

/* A new reference to the names, which may have been set to anything; NULL where there are
 * none, or with an exception. */
static PyObject *traceback_names(PyObject *self)
{
    PyObject *source = hold_source(self);
    if (source == NULL)
        return Py_XNewRef(mw_record_peek(self, MW_TRACEBACK_NAMES));

    PyObject *names = mw_faces_make_names(source_faces(source), source_number(source));
    Py_DECREF(source);
    if (names == Py_None)
        Py_CLEAR(names);
    return names;
}

/* Makes a traceback like any other of one that keeps no tuples. */
static int settle(PyObject *self)
{
    PyObject *source = hold_source(self);
    if (source == NULL)
        return 0;

    PyObject *frames = traceback_frames(self);
    PyObject *names = frames != NULL ? traceback_names(self) : NULL;
    Py_DECREF(source);
    if (PyErr_Occurred()) {
        Py_XDECREF(frames);
        return -1;
    }
    mw_record_take(self, MW_TRACEBACK_FRAMES, frames);
    mw_record_take(self, MW_TRACEBACK_NAMES, names);
    return 0;
}

/* ── attributes ──────────────────────────────────────────────────────────────────── */

static PyObject *get_frames(PyObject *self, void *closure)
{
    return traceback_frames(self);
}

/* Names belong to the frames that they came with. */
static int set_frames(PyObject *self, PyObject *value, void *closure)
{
    if (settle(self) < 0)
        return -1;
    if (value == NULL && mw_record_peek(self, MW_TRACEBACK_FRAMES) == NULL) {
        PyErr_SetString(PyExc_AttributeError, "_frames");
        return -1;
    }
    mw_record_take(self, MW_TRACEBACK_NAMES, NULL);
    mw_record_set(self, MW_TRACEBACK_FRAMES, value);
    return 0;
}

static PyObject *get_names(PyObject *self, void *closure)
{
    PyObject *names = traceback_names(self);

    if (names == NULL && !PyErr_Occurred())
        PyErr_SetString(PyExc_AttributeError, "_names");
    return names;
}

static int set_names(PyObject *self, PyObject *value, void *closure)
{
    if (settle(self) < 0)
        return -1;
    if (value == NULL && mw_record_peek(self, MW_TRACEBACK_NAMES) == NULL) {
        PyErr_SetString(PyExc_AttributeError, "_names");
        return -1;
    }
    mw_record_set(self, MW_TRACEBACK_NAMES, value);
    return 0;
}

static PyObject *get_total(PyObject *self, void *closure)
{
    return mw_record_slot(self, MW_TRACEBACK_TOTAL, "_total_nframe");
}

/* ── sequence ────────────────────────────────────────────────────────────────────── */

static Py_ssize_t traceback_length(PyObject *self)
{
    PyObject *source = hold_source(self);
    PyObject *frames = source == NULL ? traceback_frames(self) : NULL;
    Py_ssize_t length = frames != NULL ? PyObject_Size(frames) : -1;

    if (source != NULL)
        length = (Py_ssize_t)source_row(source).frame_count;
    Py_XDECREF(source);
    Py_XDECREF(frames);
    return length;
}

/* The names that go with frames[index], a new reference; NULL without an exception where
 * there are none.  They may have been set to anything, which then names nothing. */
static PyObject *names_at(PyObject *self, PyObject *index)
{
    PyObject *names = traceback_names(self);
    PyObject *found =
        names != NULL && PyTuple_CheckExact(names) ? PyObject_GetItem(names, index) : NULL;

    Py_XDECREF(names);
    if (found == NULL)
        PyErr_Clear();
    return found;
}

static PyObject *frames_of_slice(mw_module_state *state, PyObject *self, PyObject *frames,
                                 PyObject *slice)
{
    PyObject *pairs = PyObject_GetItem(frames, slice);
    PyObject *tuple = pairs != NULL ? PySequence_Tuple(pairs) : NULL;
    PyObject *names = tuple != NULL ? names_at(self, slice) : NULL;
    PyObject *result = tuple != NULL ? PyTuple_New(PyTuple_GET_SIZE(tuple)) : NULL;

    for (Py_ssize_t i = 0; result != NULL && i < PyTuple_GET_SIZE(tuple); i++) {
        PyObject *name = names != NULL ? PySequence_GetItem(names, i) : NULL;
        PyErr_Clear();
        PyObject *frame = mw_frame_object_new(state, Py_NewRef(PyTuple_GET_ITEM(tuple, i)), name);
        if (frame == NULL)
            Py_CLEAR(result);
        else
            PyTuple_SET_ITEM(result, i, frame);
    }
    Py_XDECREF(pairs);
    Py_XDECREF(tuple);
    Py_XDECREF(names);
    return result;
}

/* The frame at [position] from the oldest, without making the others. */
static PyObject *frame_of_source(mw_module_state *state, PyObject *source, Py_ssize_t position)
{
    mw_faces *faces = source_faces(source);
    mw_snapshot *snapshot = mw_faces_snapshot(faces);
    mw_traceback_row row = source_row(source);
    mw_path path = row.path;

    for (Py_ssize_t i = (Py_ssize_t)row.frame_count - 1; i > position; i--)
        path = mw_snapshot_path_caller(snapshot, path);
    mw_frame frame = mw_snapshot_path_frame(snapshot, path);
    PyObject *pair = mw_faces_frame(faces, frame);
    PyObject *names = pair != NULL ? mw_faces_frame_names(faces, frame) : NULL;
    if (names == NULL)
        return NULL;
    return mw_frame_object_new(state, Py_NewRef(pair), Py_NewRef(names));
}

static PyObject *item_of_source(mw_module_state *state, PyObject *source, PyObject *index)
{
    Py_ssize_t count = (Py_ssize_t)source_row(source).frame_count;
    Py_ssize_t position = PyNumber_AsSsize_t(index, PyExc_IndexError);

    if (position == -1 && PyErr_Occurred())
        return NULL;
    position += position < 0 ? count : 0;
    if (position >= 0 && position < count)
        return frame_of_source(state, source, position);
    PyErr_SetString(PyExc_IndexError, "tuple index out of range");
    return NULL;
}

static PyObject *item_of_tuple(mw_module_state *state, PyObject *self, PyObject *index)
{
    PyObject *frames = traceback_frames(self);
    PyObject *result = NULL;

    if (frames == NULL)
        return NULL;
    if (PySlice_Check(index)) {
        result = frames_of_slice(state, self, frames, index);
    } else {
        PyObject *pair = PyObject_GetItem(frames, index);
        result = mw_frame_object_new(state, pair, pair != NULL ? names_at(self, index) : NULL);
    }
    Py_DECREF(frames);
    return result;
}

static PyObject *traceback_subscript(PyObject *self, PyObject *index)
{
    mw_module_state *state = mw_state_of(self);
    if (state == NULL)
        return NULL;

    PyObject *source = PyIndex_Check(index) ? hold_source(self) : NULL;
    if (source == NULL)
        return item_of_tuple(state, self, index);
    PyObject *item = item_of_source(state, source, index);
    Py_DECREF(source);
    return item;
}

static PyObject *traceback_item(PyObject *self, Py_ssize_t index)
{
    PyObject *number = PyLong_FromSsize_t(index);
    PyObject *item = number != NULL ? traceback_subscript(self, number) : NULL;

    Py_XDECREF(number);
    return item;
}

/* All frames at once where there are none yet: one by one, each would be looked for from the
 * innermost on. */
static PyObject *traceback_iter(PyObject *self)
{
    PyObject *source = hold_source(self);
    if (source == NULL)
        return PySeqIter_New(self);
    Py_DECREF(source);

    PyObject *all = PySlice_New(NULL, NULL, NULL);
    PyObject *frames = all != NULL ? traceback_subscript(self, all) : NULL;
    PyObject *iterator = frames != NULL ? PyObject_GetIter(frames) : NULL;
    Py_XDECREF(all);
    Py_XDECREF(frames);
    return iterator;
}

static int traceback_contains(PyObject *self, PyObject *frame)
{
    mw_module_state *state = mw_state_of(self);
    PyObject *frames = state != NULL ? traceback_frames(self) : NULL;
    PyObject *pair = frames != NULL ? PyObject_GetAttr(frame, state->names.frame) : NULL;
    int result = pair != NULL ? PySequence_Contains(frames, pair) : -1;

    Py_XDECREF(frames);
    Py_XDECREF(pair);
    return result;
}

static PyObject *traceback_richcompare(PyObject *self, PyObject *other, int operation)
{
    mw_module_state *state = mw_state_of(self);
    if (state == NULL)
        return NULL;
    if (!PyObject_TypeCheck(other, state->traceback_type))
        Py_RETURN_NOTIMPLEMENTED;

    PyObject *mine = traceback_frames(self);
    PyObject *theirs = mine != NULL ? traceback_frames(other) : NULL;
    PyObject *result = theirs != NULL ? PyObject_RichCompare(mine, theirs, operation) : NULL;
    Py_XDECREF(mine);
    Py_XDECREF(theirs);
    return result;
}

static Py_hash_t traceback_hash(PyObject *self)
{
    PyObject *frames = traceback_frames(self);
    Py_hash_t hash = frames != NULL ? PyObject_Hash(frames) : -1;

    Py_XDECREF(frames);
    return hash;
}

/* ── text ────────────────────────────────────────────────────────────────────────── */

static PyObject *traceback_str(PyObject *self)
{
    PyObject *oldest = traceback_item(self, 0);
    PyObject *text = oldest != NULL ? PyObject_Str(oldest) : NULL;

    Py_XDECREF(oldest);
    return text;
}

static PyObject *traceback_repr(PyObject *self)
{
    PyObject *total = mw_record_slot(self, MW_TRACEBACK_TOTAL, "_total_nframe");
    PyObject *frames = total != NULL ? PySequence_Tuple(self) : NULL;

    if (frames == NULL) {
        Py_XDECREF(total);
        return NULL;
    }
    if (total != Py_None)
        return mw_text_percent("<Traceback %s total_nframe=%s>",
                               Py_BuildValue("(NN)", frames, total));
    Py_DECREF(total);
    return mw_text_percent("<Traceback %s>", Py_BuildValue("(N)", frames));
}

/* self[-limit:] for the most recent frames, self[:limit] to leave frames out, or self. */
static PyObject *limited(PyObject *self, PyObject *limit)
{
    if (limit == NULL || limit == Py_None)
        return Py_NewRef(self);

    PyObject *zero = PyLong_FromLong(0);
    int recent = zero != NULL ? PyObject_RichCompareBool(limit, zero, Py_GT) : -1;
    Py_XDECREF(zero);
    PyObject *bound = recent < 0 ? NULL : recent ? PyNumber_Negative(limit) : Py_NewRef(limit);
    if (bound == NULL)
        return NULL;
    PyObject *slice = recent ? PySlice_New(bound, NULL, NULL) : PySlice_New(NULL, bound, NULL);
    PyObject *frames = slice != NULL ? PyObject_GetItem(self, slice) : NULL;
    Py_DECREF(bound);
    Py_XDECREF(slice);
    return frames;
}

/* The source line without the space around it, or an empty str. */
static PyObject *source_line(PyObject *linecache, PyObject *file, PyObject *line)
{
    PyObject *text = PyObject_CallMethod(linecache, "getline", "OO", file, line);
    PyObject *stripped = text != NULL ? PyObject_CallMethod(text, "strip", NULL) : NULL;

    Py_XDECREF(text);
    return stripped;
}

static int append_text(PyObject *lines, PyObject *text_take)
{
    int result = text_take != NULL ? PyList_Append(lines, text_take) : -1;

    Py_XDECREF(text_take);
    return result;
}

/* Appends "  <region> NAME" if the frame is a region, which the standard module's never are.
 * Returns 1 if it is one, 0 if not, -1 with an exception. */
static int append_region(PyObject *lines, PyObject *frame, mw_module_state *state)
{
    PyObject *pair, *name;
    int result = 0;

    if (!Py_IS_TYPE(frame, state->frame_type))
        return 0;
    pair = mw_record_peek(frame, MW_FRAME_PAIR);
    if (pair == NULL || !PyTuple_CheckExact(pair) || PyTuple_GET_SIZE(pair) != 2 ||
        !PyUnicode_Check(PyTuple_GET_ITEM(pair, 0)) ||
        PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(pair, 0), MW_REGION_FILE) != 0)
        return 0;
    name = PyObject_GetAttrString(frame, "function");
    if (name == NULL)
        return -1;
    if (PyUnicode_Check(name))
        result =
            append_text(lines, PyUnicode_FromFormat("  %s %U", MW_REGION_FILE, name)) < 0 ? -1 : 1;
    Py_DECREF(name);
    return result;
}

static int append_frame(PyObject *lines, PyObject *frame, mw_module_state *state,
                        PyObject *linecache)
{
    int is_region = append_region(lines, frame, state);

    if (is_region != 0)
        return is_region;
    PyObject *file = PyObject_GetAttr(frame, state->names.filename);
    PyObject *line = file != NULL ? PyObject_GetAttr(frame, state->names.lineno) : NULL;
    PyObject *source = NULL;
    int result = -1;

    if (line == NULL)
        goto done;
    if (append_text(lines, mw_text_percent("  File \"%s\", line %s", PyTuple_Pack(2, file, line))) <
        0)
        goto done;
    source = source_line(linecache, file, line);
    if (source == NULL)
        goto done;
    result = PyObject_IsTrue(source);
    if (result > 0)
        result = append_text(lines, mw_text_percent("    %s", PyTuple_Pack(1, source)));

done:
    Py_XDECREF(file);
    Py_XDECREF(line);
    Py_XDECREF(source);
    return result;
}

static PyObject *format_frames(mw_module_state *state, PyObject *frames)
{
    PyObject *linecache = PyImport_ImportModule("linecache");
    PyObject *lines = linecache != NULL ? PyList_New(0) : NULL;
    PyObject *iterator = lines != NULL ? PyObject_GetIter(frames) : NULL;
    PyObject *frame;

    while (iterator != NULL && (frame = PyIter_Next(iterator)) != NULL) {
        int appended = append_frame(lines, frame, state, linecache);
        Py_DECREF(frame);
        if (appended < 0)
            break;
    }
    Py_XDECREF(iterator);
    Py_XDECREF(linecache);
    if (PyErr_Occurred())
        Py_CLEAR(lines);
    return lines;
}

static PyObject *traceback_format(PyObject *self, PyObject *args, PyObject *kwargs)
{
    static const char *const names[] = {"limit", "most_recent_first"};
    static const mw_parameters parameters = {"Traceback.format", names, 2, 0, MW_METHOD};
    mw_module_state *state = mw_state_of(self);
    PyObject *values[2];

    if (state == NULL || mw_arguments_bind(&parameters, args, kwargs, values) < 0)
        return NULL;
    PyObject *frames = limited(self, values[0]);
    if (frames == NULL)
        return NULL;
    int recent_first = values[1] != NULL ? PyObject_IsTrue(values[1]) : 0;
    if (recent_first > 0)
        Py_SETREF(frames, PyObject_CallOneArg((PyObject *)&PyReversed_Type, frames));
    PyObject *lines = NULL;
    if (recent_first >= 0 && frames != NULL)
        lines = format_frames(state, frames);
    Py_XDECREF(frames);
    return lines;
}

static PyObject *traceback_to_json(PyObject *self, PyObject *unused)
{
    return mw_call_helper("memwhy._export", "to_json", &self, 1);
}

static PyObject *traceback_repr_html(PyObject *self, PyObject *unused)
{
    return mw_call_helper("memwhy._export", "traceback_html", &self, 1);
}

/* ── type ────────────────────────────────────────────────────────────────────────── */

PyDoc_STRVAR(traceback_doc,
             "Traceback(frames, total_nframe=None)\n--\n\n"
             "Sequence of Frame instances sorted from the oldest frame to the most recent.\n\n"
             "frames is a tuple of (filename, lineno) tuples, the most recent first.\n"
             "total_nframe is how many frames the whole stack had, None where unknown.");

PyDoc_STRVAR(format_doc,
             "format($self, limit=None, most_recent_first=False)\n--\n\n"
             "Format the traceback as a list of lines, with source text where there is any.\n\n"
             "limit > 0 keeps that many of the most recent frames, a negative limit leaves\n"
             "out that many of the most recent.  The oldest frame comes first unless\n"
             "most_recent_first is true.");

static PyMethodDef traceback_methods[] = {
    {"format", (PyCFunction)(void (*)(void))traceback_format, METH_VARARGS | METH_KEYWORDS,
     format_doc},
    {"__class_getitem__", Py_GenericAlias, METH_O | METH_CLASS, NULL},
    {"to_json", traceback_to_json, METH_NOARGS,
     "to_json($self)\n--\n\n"
     "Return JSON text: {\"frames\": [{\"filename\", \"lineno\", \"function\", \"module\"}, …],\n"
     "\"total_nframe\"}, from the oldest frame to the most recent."},
    {"_repr_html_", traceback_repr_html, METH_NOARGS,
     "_repr_html_($self)\n--\n\nThe traceback for a notebook: a str of escaped HTML."},
    {0},
};

static PyMemberDef traceback_members[] = {
    MW_RECORD_MEMBER("_total_nframe", MW_TRACEBACK_TOTAL, NULL),
    {0},
};

static PyGetSetDef traceback_getset[] = {
    {"_frames", get_frames, set_frames,
     "A tuple of (filename, lineno), from the oldest frame to the most recent.", NULL},
    {"_names", get_names, set_names, "A tuple of (function, module), one per frame, where known.",
     NULL},
    {"total_nframe", get_total, NULL,
     "How many frames the stack had, before it was cut to the limit; None where unknown.", NULL},
    {0},
};

static PyType_Slot traceback_slots[] = {
    {Py_tp_doc, (void *)traceback_doc},
    {Py_tp_init, traceback_init},
    {Py_tp_methods, traceback_methods},
    {Py_tp_members, traceback_members},
    {Py_tp_getset, traceback_getset},
    {Py_tp_richcompare, traceback_richcompare},
    {Py_tp_hash, traceback_hash},
    {Py_tp_str, traceback_str},
    {Py_tp_repr, traceback_repr},
    {Py_tp_iter, traceback_iter},
    {Py_sq_length, traceback_length},
    {Py_sq_item, traceback_item},
    {Py_sq_contains, traceback_contains},
    {Py_mp_length, traceback_length},
    {Py_mp_subscript, traceback_subscript},
    MW_RECORD_LIFE_SLOTS(traceback),
    {0, NULL},
};

static PyType_Spec traceback_spec = {
    .name = "memwhy.tracemalloc.Traceback",
    .basicsize = MW_RECORD_BYTES(MW_TRACEBACK_SLOTS),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = traceback_slots,
};

int mw_traceback_type_add(PyObject *module, mw_module_state *state)
{
    static const char *const names[] = {"_frames", "_total_nframe", "_names", NULL};

    if (mw_type_add(module, &traceback_spec, NULL, &state->traceback_type) < 0 ||
        mw_record_declare_slots(state->traceback_type, names) < 0)
        return -1;
    return mw_type_make_sequence(state->traceback_type);
}
