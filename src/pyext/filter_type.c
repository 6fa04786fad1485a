/* SPDX-License-Identifier: MIT
 *
 * BaseFilter, Filter and DomainFilter.  Their attributes live in __dict__ and may be
 * anything, as in tracemalloc; _match and its helpers work on any object, and call each
 * other through the object, so that a subclass may replace one of them.  Whole snapshots
 * do not come this way: filter_traces() reads the attributes once (filter_apply.c).
 */
#include "core/filter.h"
#include "pyext/arguments.h"
#include "pyext/bag.h"
#include "pyext/compat.h"
#include "pyext/types.h"
#include "pyext/utf8.h"

/* ── attributes ──────────────────────────────────────────────────────────────────── */

/* 1, 0, or -1 with an exception. */
static int attribute_is_true(PyObject *self, PyObject *name)
{
    PyObject *value = PyObject_GetAttr(self, name);
    int truth = value != NULL ? PyObject_IsTrue(value) : -1;

    Py_XDECREF(value);
    return truth;
}

/* `value == self.name`, or `!=`. */
static PyObject *compare_attribute(PyObject *self, PyObject *name, PyObject *value, int operation)
{
    PyObject *own = PyObject_GetAttr(self, name);
    PyObject *result = own != NULL ? PyObject_RichCompare(value, own, operation) : NULL;

    Py_XDECREF(own);
    return result;
}

/* `value ^ (not self.inclusive)`; takes the value. */
static PyObject *invert_if_exclusive(mw_module_state *state, PyObject *self, PyObject *value_take)
{
    int inclusive = value_take != NULL ? attribute_is_true(self, state->names.inclusive) : -1;
    PyObject *result = NULL;

    if (inclusive >= 0)
        result = PyNumber_Xor(value_take, inclusive ? Py_False : Py_True);
    Py_XDECREF(value_take);
    return result;
}

/* A tuple of exactly [count] items, with the words of `a, b = iterable` where there are
 * more or fewer. */
static PyObject *unpack(PyObject *iterable, Py_ssize_t count)
{
    PyObject *tuple = PySequence_Tuple(iterable);

    if (tuple == NULL || PyTuple_GET_SIZE(tuple) == count)
        return tuple;
    Py_ssize_t given = PyTuple_GET_SIZE(tuple);
    bool is_counted = PyTuple_CheckExact(iterable) || PyList_CheckExact(iterable);
    if (given < count)
        PyErr_Format(PyExc_ValueError, "not enough values to unpack (expected %zd, got %zd)", count,
                     given);
    else if (is_counted && py_unpack_counts_what_is_too_many())
        PyErr_Format(PyExc_ValueError, "too many values to unpack (expected %zd, got %zd)", count,
                     given);
    else
        PyErr_Format(PyExc_ValueError, "too many values to unpack (expected %zd)", count);
    Py_DECREF(tuple);
    return NULL;
}

/* os.path.normcase(filename), and "….py" for "….pyc". */
static PyObject *normalize_filename(PyObject *filename)
{
    PyObject *path = PyOS_FSPath(filename);
    if (path == NULL || !PyUnicode_Check(path)) {
        if (path != NULL)
            PyErr_SetString(PyExc_TypeError,
                            "endswith first arg must be bytes or a tuple of bytes, not str");
        Py_XDECREF(path);
        return NULL;
    }

    PyObject *suffix = PyUnicode_FromString(".pyc");
    Py_ssize_t compiled =
        suffix != NULL ? PyUnicode_Tailmatch(path, suffix, 0, PY_SSIZE_T_MAX, +1) : -1;
    Py_XDECREF(suffix);
    if (compiled > 0)
        Py_SETREF(path, PyUnicode_Substring(path, 0, PyUnicode_GET_LENGTH(path) - 1));
    if (compiled < 0)
        Py_CLEAR(path);
    return path;
}

/* ── BaseFilter ──────────────────────────────────────────────────────────────────── */

static int base_init(PyObject *self, PyObject *args, PyObject *kwargs)
{
    static const char *const names[] = {"inclusive"};
    static const mw_parameters parameters = {"BaseFilter.__init__", names, 1, 1, MW_METHOD};
    mw_module_state *state = mw_state_of(self);
    PyObject *inclusive;

    if (state == NULL || mw_arguments_bind(&parameters, args, kwargs, &inclusive) < 0)
        return -1;
    return PyObject_SetAttr(self, state->names.inclusive, inclusive);
}

static PyObject *base_match(PyObject *self, PyObject *args, PyObject *kwargs)
{
    static const char *const names[] = {"trace"};
    static const mw_parameters parameters = {"BaseFilter._match", names, 1, 1, MW_METHOD};
    PyObject *trace;

    if (mw_arguments_bind(&parameters, args, kwargs, &trace) == 0)
        PyErr_SetNone(PyExc_NotImplementedError);
    return NULL;
}

/* ── Filter ──────────────────────────────────────────────────────────────────────── */

enum { INCLUSIVE, PATTERN, LINENO, ALL_FRAMES, DOMAIN, FILTER_PARAMETERS };

static int filter_init(PyObject *self, PyObject *args, PyObject *kwargs)
{
    static const char *const names[] = {"inclusive", "filename_pattern", "lineno", "all_frames",
                                        "domain"};
    static const mw_parameters parameters = {"Filter.__init__", names, FILTER_PARAMETERS, 2,
                                             MW_METHOD};
    PyObject *defaults[FILTER_PARAMETERS] = {NULL, NULL, Py_None, Py_False, Py_None};
    PyObject *values[FILTER_PARAMETERS];
    mw_module_state *state = mw_state_of(self);

    if (state == NULL || mw_arguments_bind(&parameters, args, kwargs, values) < 0)
        return -1;
    for (int i = 0; i < FILTER_PARAMETERS; i++)
        values[i] = values[i] != NULL ? values[i] : defaults[i];
    if (PyObject_SetAttr(self, state->names.inclusive, values[INCLUSIVE]) < 0)
        return -1;
    PyObject *pattern = normalize_filename(values[PATTERN]);
    if (pattern == NULL)
        return -1;
    int result = PyObject_SetAttr(self, state->names.filename_pattern, pattern);
    Py_DECREF(pattern);
    if (result < 0 || PyObject_SetAttr(self, state->names.lineno, values[LINENO]) < 0 ||
        PyObject_SetAttr(self, state->names.all_frames, values[ALL_FRAMES]) < 0)
        return -1;
    return PyObject_SetAttr(self, state->names.domain, values[DOMAIN]);
}

static PyObject *filter_pattern(PyObject *self, void *closure)
{
    mw_module_state *state = mw_state_of(self);

    return state != NULL ? PyObject_GetAttr(self, state->names.filename_pattern) : NULL;
}

static int match_text(PyObject *name, PyObject *pattern)
{
    mw_utf8 name_utf8, pattern_utf8 = {0};
    int result = -1;

    if (mw_utf8_init(&name_utf8, name) == 0 && mw_utf8_init(&pattern_utf8, pattern) == 0)
        result =
            mw_fnmatch(pattern_utf8.bytes, pattern_utf8.length, name_utf8.bytes, name_utf8.length);
    mw_utf8_done(&name_utf8);
    mw_utf8_done(&pattern_utf8);
    return result;
}

/* fnmatch.fnmatch(normalized filename, self._filename_pattern). */
static int filename_matches(mw_module_state *state, PyObject *self, PyObject *filename)
{
    PyObject *both[2] = {normalize_filename(filename), NULL};
    int result = -1;

    if (both[0] != NULL)
        both[1] = PyObject_GetAttr(self, state->names.filename_pattern);
    if (both[1] != NULL && PyUnicode_Check(both[1])) {
        result = match_text(both[0], both[1]);
    } else if (both[1] != NULL) {
        PyObject *answer = mw_call_helper("fnmatch", "fnmatch", both, 2);
        result = answer != NULL ? PyObject_IsTrue(answer) : -1;
        Py_XDECREF(answer);
    }
    Py_XDECREF(both[0]);
    Py_XDECREF(both[1]);
    return result;
}

static PyObject *filter_match_frame_impl(PyObject *self, PyObject *args, PyObject *kwargs)
{
    static const char *const names[] = {"filename", "lineno"};
    static const mw_parameters parameters = {"Filter._match_frame_impl", names, 2, 2, MW_METHOD};
    mw_module_state *state = mw_state_of(self);
    PyObject *values[2];

    if (state == NULL || mw_arguments_bind(&parameters, args, kwargs, values) < 0)
        return NULL;
    int matches = filename_matches(state, self, values[0]);
    if (matches <= 0)
        return matches < 0 ? NULL : Py_NewRef(Py_False);

    PyObject *line = PyObject_GetAttr(self, state->names.lineno);
    PyObject *result = NULL;
    if (line == Py_None)
        result = Py_NewRef(Py_True);
    else if (line != NULL)
        result = PyObject_RichCompare(values[1], line, Py_EQ);
    Py_XDECREF(line);
    return result;
}

static PyObject *filter_match_frame(PyObject *self, PyObject *args, PyObject *kwargs)
{
    static const char *const names[] = {"filename", "lineno"};
    static const mw_parameters parameters = {"Filter._match_frame", names, 2, 2, MW_METHOD};
    mw_module_state *state = mw_state_of(self);
    PyObject *values[2];

    if (state == NULL || mw_arguments_bind(&parameters, args, kwargs, values) < 0)
        return NULL;
    return invert_if_exclusive(state, self,
                               PyObject_CallMethodObjArgs(self, state->names.match_frame_impl,
                                                          values[0], values[1], NULL));
}

/* self.method(*pair), where the pair is (filename, lineno). */
static PyObject *call_with_frame(PyObject *self, PyObject *method, PyObject *frame)
{
    PyObject *pair = frame != NULL ? unpack(frame, 2) : NULL;
    PyObject *result = NULL;

    if (pair != NULL)
        result = PyObject_CallMethodObjArgs(self, method, PyTuple_GET_ITEM(pair, 0),
                                            PyTuple_GET_ITEM(pair, 1), NULL);
    Py_XDECREF(pair);
    return result;
}

/* any(self._match_frame_impl(filename, lineno) for filename, lineno in traceback) */
static int any_frame_matches(mw_module_state *state, PyObject *self, PyObject *traceback)
{
    PyObject *iterator = PyObject_GetIter(traceback);
    PyObject *frame;
    int matches = 0;

    while (iterator != NULL && matches == 0 && (frame = PyIter_Next(iterator)) != NULL) {
        PyObject *answer = call_with_frame(self, state->names.match_frame_impl, frame);
        matches = answer != NULL ? PyObject_IsTrue(answer) : -1;
        Py_XDECREF(answer);
        Py_DECREF(frame);
    }
    Py_XDECREF(iterator);
    return PyErr_Occurred() ? -1 : matches;
}

static PyObject *match_traceback(mw_module_state *state, PyObject *self, PyObject *traceback)
{
    int all_frames = attribute_is_true(self, state->names.all_frames);
    if (all_frames < 0)
        return NULL;
    if (!all_frames) {
        PyObject *recent = PySequence_GetItem(traceback, 0);
        PyObject *result = call_with_frame(self, state->names.match_frame, recent);
        Py_XDECREF(recent);
        return result;
    }
    int matches = any_frame_matches(state, self, traceback);
    if (matches < 0)
        return NULL;
    if (matches)
        return PyObject_GetAttr(self, state->names.inclusive);
    int inclusive = attribute_is_true(self, state->names.inclusive);
    return inclusive < 0 ? NULL : PyBool_FromLong(!inclusive);
}

static PyObject *filter_match_traceback(PyObject *self, PyObject *args, PyObject *kwargs)
{
    static const char *const names[] = {"traceback"};
    static const mw_parameters parameters = {"Filter._match_traceback", names, 1, 1, MW_METHOD};
    mw_module_state *state = mw_state_of(self);
    PyObject *traceback;

    if (state == NULL || mw_arguments_bind(&parameters, args, kwargs, &traceback) < 0)
        return NULL;
    return match_traceback(state, self, traceback);
}

/* `result and domain == self.domain`, or for an exclusive filter `result or domain !=
 * self.domain`; takes the result. */
static PyObject *match_domain(mw_module_state *state, PyObject *self, PyObject *result_take,
                              PyObject *domain)
{
    int inclusive = attribute_is_true(self, state->names.inclusive);
    int matches = inclusive >= 0 ? PyObject_IsTrue(result_take) : -1;

    if (matches >= 0 && matches != inclusive)
        return result_take;
    Py_DECREF(result_take);
    if (matches < 0)
        return NULL;
    return compare_attribute(self, state->names.domain, domain, inclusive ? Py_EQ : Py_NE);
}

static PyObject *match_raw_trace(mw_module_state *state, PyObject *self, PyObject *raw)
{
    PyObject *result = PyObject_CallMethodObjArgs(self, state->names.match_traceback,
                                                  PyTuple_GET_ITEM(raw, 2), NULL);
    PyObject *domain = result != NULL ? PyObject_GetAttr(self, state->names.domain) : NULL;

    if (domain == NULL)
        Py_CLEAR(result);
    else if (domain != Py_None)
        result = match_domain(state, self, result, PyTuple_GET_ITEM(raw, 0));
    Py_XDECREF(domain);
    return result;
}

static PyObject *filter_match(PyObject *self, PyObject *args, PyObject *kwargs)
{
    static const char *const names[] = {"trace"};
    static const mw_parameters parameters = {"Filter._match", names, 1, 1, MW_METHOD};
    mw_module_state *state = mw_state_of(self);
    PyObject *trace;

    if (state == NULL || mw_arguments_bind(&parameters, args, kwargs, &trace) < 0)
        return NULL;
    PyObject *raw = unpack(trace, 4);
    PyObject *result = raw != NULL ? match_raw_trace(state, self, raw) : NULL;
    Py_XDECREF(raw);
    return result;
}

/* ── DomainFilter ────────────────────────────────────────────────────────────────── */

static int domain_init(PyObject *self, PyObject *args, PyObject *kwargs)
{
    static const char *const names[] = {"inclusive", "domain"};
    static const mw_parameters parameters = {"DomainFilter.__init__", names, 2, 2, MW_METHOD};
    mw_module_state *state = mw_state_of(self);
    PyObject *values[2];

    if (state == NULL || mw_arguments_bind(&parameters, args, kwargs, values) < 0 ||
        PyObject_SetAttr(self, state->names.inclusive, values[0]) < 0)
        return -1;
    return PyObject_SetAttr(self, state->names.filter_domain, values[1]);
}

static PyObject *domain_domain(PyObject *self, void *closure)
{
    mw_module_state *state = mw_state_of(self);

    return state != NULL ? PyObject_GetAttr(self, state->names.filter_domain) : NULL;
}

static PyObject *domain_match(PyObject *self, PyObject *args, PyObject *kwargs)
{
    static const char *const names[] = {"trace"};
    static const mw_parameters parameters = {"DomainFilter._match", names, 1, 1, MW_METHOD};
    mw_module_state *state = mw_state_of(self);
    PyObject *trace;

    if (state == NULL || mw_arguments_bind(&parameters, args, kwargs, &trace) < 0)
        return NULL;
    PyObject *raw = unpack(trace, 4);
    if (raw == NULL)
        return NULL;
    PyObject *equal = compare_attribute(self, state->names.domain, PyTuple_GET_ITEM(raw, 0), Py_EQ);
    Py_DECREF(raw);
    return invert_if_exclusive(state, self, equal);
}

/* ── types ───────────────────────────────────────────────────────────────────────── */

#define METHOD(name, function, doc)                                                                \
    {                                                                                              \
        name, (PyCFunction)(void (*)(void))(function), METH_VARARGS | METH_KEYWORDS, doc           \
    }

#define MATCH_DOC                                                                                  \
    "_match($self, trace)\n--\n\n"                                                                 \
    "Whether the filter lets the raw trace (domain, size, traceback, total_nframe) pass."

PyDoc_STRVAR(base_doc, "BaseFilter(inclusive)\n--\n\n"
                       "Base of the filters.  A subclass says in _match(trace) which raw traces\n"
                       "it lets pass.");

PyDoc_STRVAR(filter_doc,
             "Filter(inclusive, filename_pattern, lineno=None, all_frames=False, domain=None)\n"
             "--\n\n"
             "Filter on traces of memory blocks.\n\n"
             "An inclusive filter keeps what it matches, an exclusive one leaves it out.\n"
             "filename_pattern is a shell pattern as in fnmatch; '.pyc' counts as '.py'.\n"
             "lineno None matches any line, domain None any domain.  Only the most recent\n"
             "frame is looked at, unless all_frames is true.");

PyDoc_STRVAR(domain_doc, "DomainFilter(inclusive, domain)\n--\n\n"
                         "Filter traces of memory blocks by their address space: an int, 0 for\n"
                         "Python's own.");

static PyMethodDef base_methods[] = {
    METHOD("_match", base_match, MATCH_DOC),
    {0},
};

static PyMethodDef filter_methods[] = {
    METHOD("_match_frame_impl", filter_match_frame_impl,
           "_match_frame_impl($self, filename, lineno)\n--\n\n"
           "Whether file and line match, be the filter inclusive or not."),
    METHOD("_match_frame", filter_match_frame,
           "_match_frame($self, filename, lineno)\n--\n\n"
           "Whether the filter lets a frame pass."),
    METHOD("_match_traceback", filter_match_traceback,
           "_match_traceback($self, traceback)\n--\n\n"
           "Whether the filter lets a raw traceback, most recent frame first, pass."),
    METHOD("_match", filter_match, MATCH_DOC),
    {0},
};

static PyMethodDef domain_methods[] = {
    METHOD("_match", domain_match, MATCH_DOC),
    {0},
};

static PyGetSetDef base_getset[] = {
    MW_BAG_DICT,
    {0},
};

static PyGetSetDef filter_getset[] = {
    {"filename_pattern", filter_pattern, NULL, "The file name pattern: a str.", NULL},
    {0},
};

static PyGetSetDef domain_getset[] = {
    {"domain", domain_domain, NULL, "The address space: an int.", NULL},
    {0},
};

static PyType_Slot base_slots[] = {
    {Py_tp_doc, (void *)base_doc},
    {Py_tp_init, base_init},
    {Py_tp_methods, base_methods},
    {Py_tp_members, mw_bag_members},
    {Py_tp_getset, base_getset},
    {Py_tp_traverse, mw_bag_traverse},
    {Py_tp_clear, mw_bag_clear},
    {Py_tp_dealloc, mw_bag_dealloc},
    {0, NULL},
};

#define DERIVED_SLOTS(prefix)                                                                      \
    {                                                                                              \
        {Py_tp_doc, (void *)prefix##_doc}, {Py_tp_init, prefix##_init},                            \
            {Py_tp_methods, prefix##_methods}, {Py_tp_getset, prefix##_getset},                    \
            {Py_tp_traverse, mw_bag_traverse}, {Py_tp_clear, mw_bag_clear},                        \
            {Py_tp_dealloc, mw_bag_dealloc}, {0, NULL},                                            \
    }

static PyType_Slot filter_slots[] = DERIVED_SLOTS(filter);
static PyType_Slot domain_slots[] = DERIVED_SLOTS(domain);

#define BAG_FLAGS (Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC)

static PyType_Spec base_spec = {"memwhy.tracemalloc.BaseFilter", sizeof(mw_bag), 0, BAG_FLAGS,
                                base_slots};
static PyType_Spec filter_spec = {"memwhy.tracemalloc.Filter", sizeof(mw_bag), 0, BAG_FLAGS,
                                  filter_slots};
static PyType_Spec domain_spec = {"memwhy.tracemalloc.DomainFilter", sizeof(mw_bag), 0, BAG_FLAGS,
                                  domain_slots};

int mw_filter_types_add(PyObject *module, mw_module_state *state)
{
    if (mw_type_add(module, &base_spec, NULL, &state->base_filter_type) < 0 ||
        mw_type_add(module, &filter_spec, state->base_filter_type, &state->filter_type) < 0)
        return -1;
    return mw_type_add(module, &domain_spec, state->base_filter_type, &state->domain_filter_type);
}
