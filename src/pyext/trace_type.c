/* SPDX-License-Identifier: MIT
 *
 * Trace: one memory block, as the raw tuple (domain, size, traceback[, total_nframe]).
 */
#include "pyext/arguments.h"
#include "pyext/record.h"
#include "pyext/text.h"
#include "pyext/types.h"

MW_RECORD_LIFE(trace, MW_TRACE_SLOTS)

PyObject *mw_trace_object_new(mw_module_state *state, PyObject *raw_take, PyObject *names)
{
    PyObject *self = raw_take != NULL ? mw_record_new(state->trace_type) : NULL;

    if (self == NULL) {
        Py_XDECREF(raw_take);
        return NULL;
    }
    mw_record_take(self, MW_TRACE_RAW, raw_take);
    mw_record_set(self, MW_TRACE_NAMES, names);
    return self;
}

static int trace_init(PyObject *self, PyObject *args, PyObject *kwargs)
{
    static const char *const names[] = {"trace"};
    static const mw_parameters parameters = {"Trace.__init__", names, 1, 1, MW_METHOD};
    PyObject *raw;

    if (mw_arguments_bind(&parameters, args, kwargs, &raw) < 0)
        return -1;
    mw_record_set(self, MW_TRACE_RAW, raw);
    mw_record_take(self, MW_TRACE_NAMES, NULL);
    return 0;
}

static PyObject *raw_item(PyObject *self, Py_ssize_t index)
{
    return mw_record_slot_item(self, MW_TRACE_RAW, "_trace", index);
}

static PyObject *trace_domain(PyObject *self, void *closure)
{
    return raw_item(self, 0);
}

static PyObject *trace_size(PyObject *self, void *closure)
{
    return raw_item(self, 1);
}

/* Traceback(*self._trace[2:]), with the names if we know them. */
static PyObject *trace_traceback(PyObject *self, void *closure)
{
    mw_module_state *state = mw_state_of(self);
    PyObject *raw = state != NULL ? mw_record_slot(self, MW_TRACE_RAW, "_trace") : NULL;
    PyObject *rest = raw != NULL ? PySequence_GetSlice(raw, 2, PY_SSIZE_T_MAX) : NULL;
    PyObject *args = rest != NULL ? PySequence_Tuple(rest) : NULL;
    PyObject *traceback =
        args != NULL ? PyObject_CallObject((PyObject *)state->traceback_type, args) : NULL;

    if (traceback != NULL)
        mw_record_set(traceback, MW_TRACEBACK_NAMES, mw_record_peek(self, MW_TRACE_NAMES));
    Py_XDECREF(raw);
    Py_XDECREF(rest);
    Py_XDECREF(args);
    return traceback;
}

static PyObject *trace_richcompare(PyObject *self, PyObject *other, int operation)
{
    mw_module_state *state = mw_state_of(self);
    if (state == NULL)
        return NULL;
    if ((operation != Py_EQ && operation != Py_NE) || !PyObject_TypeCheck(other, state->trace_type))
        Py_RETURN_NOTIMPLEMENTED;

    return mw_record_compare(self, other, MW_TRACE_RAW, "_trace", operation);
}

static Py_hash_t trace_hash(PyObject *self)
{
    return mw_record_hash(self, MW_TRACE_RAW, "_trace");
}

static PyObject *size_text(PyObject *self)
{
    PyObject *size = raw_item(self, 1);
    PyObject *text = size != NULL ? mw_text_size(size, MW_SIZE_PLAIN) : NULL;

    Py_XDECREF(size);
    return text;
}

static PyObject *trace_str(PyObject *self)
{
    PyObject *traceback = trace_traceback(self, NULL);
    PyObject *size = traceback != NULL ? size_text(self) : NULL;

    if (size == NULL) {
        Py_XDECREF(traceback);
        return NULL;
    }
    return mw_text_percent("%s: %s", Py_BuildValue("(NN)", traceback, size));
}

static PyObject *trace_repr(PyObject *self)
{
    PyObject *domain = raw_item(self, 0);
    PyObject *size = domain != NULL ? size_text(self) : NULL;
    PyObject *traceback = size != NULL ? trace_traceback(self, NULL) : NULL;

    if (traceback == NULL) {
        Py_XDECREF(domain);
        Py_XDECREF(size);
        return NULL;
    }
    return mw_text_percent("<Trace domain=%s size=%s, traceback=%r>",
                           Py_BuildValue("(NNN)", domain, size, traceback));
}

PyDoc_STRVAR(trace_doc, "Trace(trace)\n--\n\n"
                        "Trace of a memory block.\n\n"
                        "trace is a tuple (domain: int, size: int, traceback: tuple[, \n"
                        "total_nframe: int]); see Traceback for the traceback's format.");

static PyMemberDef trace_members[] = {
    MW_RECORD_MEMBER("_trace", MW_TRACE_RAW, "The raw tuple."),
    MW_RECORD_MEMBER("_names", MW_TRACE_NAMES,
                     "A tuple of (function, module), oldest frame first, where known."),
    {0},
};

static PyGetSetDef trace_getset[] = {
    {"domain", trace_domain, NULL, "Address space of the block: an int, 0 for Python's own.", NULL},
    {"size", trace_size, NULL, "Size of the block in bytes: an int.", NULL},
    {"traceback", trace_traceback, NULL, "Where the block was allocated: a Traceback.", NULL},
    {0},
};

static PyType_Slot trace_slots[] = {
    {Py_tp_doc, (void *)trace_doc},
    {Py_tp_init, trace_init},
    {Py_tp_members, trace_members},
    {Py_tp_getset, trace_getset},
    {Py_tp_richcompare, trace_richcompare},
    {Py_tp_hash, trace_hash},
    {Py_tp_str, trace_str},
    {Py_tp_repr, trace_repr},
    MW_RECORD_LIFE_SLOTS(trace),
    {0, NULL},
};

static PyType_Spec trace_spec = {
    .name = "memwhy.tracemalloc.Trace",
    .basicsize = MW_RECORD_BYTES(MW_TRACE_SLOTS),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = trace_slots,
};

int mw_trace_type_add(PyObject *module, mw_module_state *state)
{
    static const char *const names[] = {"_trace", "_names", NULL};

    if (mw_type_add(module, &trace_spec, NULL, &state->trace_type) < 0)
        return -1;
    return mw_record_declare_slots(state->trace_type, names);
}
