/* SPDX-License-Identifier: MIT
 *
 * Frame: one (filename, lineno) of a traceback.  Equality, order and hash are those of
 * that pair alone, as in tracemalloc; the names that we know besides are for reading.
 */
#include "pyext/arguments.h"
#include "pyext/record.h"
#include "pyext/text.h"
#include "pyext/types.h"

MW_RECORD_LIFE(frame, MW_FRAME_SLOTS)

PyObject *mw_frame_object_new(mw_module_state *state, PyObject *pair_take, PyObject *names_take)
{
    PyObject *self = pair_take != NULL ? mw_record_new(state->frame_type) : NULL;

    if (self == NULL) {
        Py_XDECREF(pair_take);
        Py_XDECREF(names_take);
        return NULL;
    }
    mw_record_take(self, MW_FRAME_PAIR, pair_take);
    mw_record_take(self, MW_FRAME_NAMES, names_take);
    return self;
}

static int frame_init(PyObject *self, PyObject *args, PyObject *kwargs)
{
    static const char *const names[] = {"frame"};
    static const mw_parameters parameters = {"Frame.__init__", names, 1, 1, MW_METHOD};
    PyObject *pair;

    if (mw_arguments_bind(&parameters, args, kwargs, &pair) < 0)
        return -1;
    mw_record_set(self, MW_FRAME_PAIR, pair);
    mw_record_take(self, MW_FRAME_NAMES, NULL);
    return 0;
}

static PyObject *pair_item(PyObject *self, Py_ssize_t index)
{
    return mw_record_slot_item(self, MW_FRAME_PAIR, "_frame", index);
}

static PyObject *frame_filename(PyObject *self, void *closure)
{
    return pair_item(self, 0);
}

static PyObject *frame_lineno(PyObject *self, void *closure)
{
    return pair_item(self, 1);
}

static PyObject *name_item(PyObject *self, Py_ssize_t index)
{
    PyObject *names = mw_record_peek(self, MW_FRAME_NAMES);

    if (names == NULL || !PyTuple_Check(names) || PyTuple_GET_SIZE(names) <= index)
        Py_RETURN_NONE;
    return Py_NewRef(PyTuple_GET_ITEM(names, index));
}

static PyObject *frame_function(PyObject *self, void *closure)
{
    return name_item(self, 0);
}

static PyObject *frame_module(PyObject *self, void *closure)
{
    return name_item(self, 1);
}

static bool frame_is_label(PyObject *self)
{
    PyObject *names = mw_record_peek(self, MW_FRAME_NAMES);

    return names != NULL && PyTuple_Check(names) && PyTuple_GET_SIZE(names) == 3;
}

static PyObject *frame_richcompare(PyObject *self, PyObject *other, int operation)
{
    mw_module_state *state = mw_state_of(self);
    if (state == NULL)
        return NULL;
    if (!PyObject_TypeCheck(other, state->frame_type))
        Py_RETURN_NOTIMPLEMENTED;

    return mw_record_compare(self, other, MW_FRAME_PAIR, "_frame", operation);
}

static Py_hash_t frame_hash(PyObject *self)
{
    return mw_record_hash(self, MW_FRAME_PAIR, "_frame");
}

/* "%s:%s" or "<Frame …>" % (self.filename, self.lineno). */
static PyObject *frame_text(PyObject *self, const char *format)
{
    PyObject *file = pair_item(self, 0);
    PyObject *line = file != NULL ? pair_item(self, 1) : NULL;

    if (line == NULL) {
        Py_XDECREF(file);
        return NULL;
    }
    return mw_text_percent(format, Py_BuildValue("(NN)", file, line));
}

static PyObject *frame_str(PyObject *self)
{
    if (!frame_is_label(self))
        return frame_text(self, "%s:%s");

    PyObject *label = pair_item(self, 0);
    PyObject *text = label != NULL ? PyObject_Str(label) : NULL;
    Py_XDECREF(label);
    return text;
}

static PyObject *frame_repr(PyObject *self)
{
    return frame_text(self, "<Frame filename=%r lineno=%r>");
}

PyDoc_STRVAR(frame_doc, "Frame(frame)\n--\n\n"
                        "Frame of a traceback.\n\n"
                        "frame is a tuple (filename: str, lineno: int).  Frames are equal and\n"
                        "ordered as these tuples are.");

static PyMemberDef frame_members[] = {
    MW_RECORD_MEMBER("_frame", MW_FRAME_PAIR, "The tuple (filename, lineno)."),
    MW_RECORD_MEMBER("_names", MW_FRAME_NAMES, "The tuple (function, module), where known."),
    {0},
};

static PyGetSetDef frame_getset[] = {
    {"filename", frame_filename, NULL, "File name: a str.", NULL},
    {"lineno", frame_lineno, NULL, "Line number: an int, from 1; 0 where unknown.", NULL},
    {"function", frame_function, NULL,
     "Qualified name of the function, or None where it is unknown.", NULL},
    {"module", frame_module, NULL, "Name of the module, or None where it is unknown.", NULL},
    {0},
};

static PyType_Slot frame_slots[] = {
    {Py_tp_doc, (void *)frame_doc},
    {Py_tp_init, frame_init},
    {Py_tp_members, frame_members},
    {Py_tp_getset, frame_getset},
    {Py_tp_richcompare, frame_richcompare},
    {Py_tp_hash, frame_hash},
    {Py_tp_str, frame_str},
    {Py_tp_repr, frame_repr},
    MW_RECORD_LIFE_SLOTS(frame),
    {0, NULL},
};

static PyType_Spec frame_spec = {
    .name = "memwhy.tracemalloc.Frame",
    .basicsize = MW_RECORD_BYTES(MW_FRAME_SLOTS),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = frame_slots,
};

int mw_frame_type_add(PyObject *module, mw_module_state *state)
{
    static const char *const names[] = {"_frame", "_names", NULL};

    if (mw_type_add(module, &frame_spec, NULL, &state->frame_type) < 0)
        return -1;
    return mw_record_declare_slots(state->frame_type, names);
}
