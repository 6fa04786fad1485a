/* SPDX-License-Identifier: MIT
 *
 * Statistic and StatisticDiff: what a group of blocks amounts to, and how it changed.
 * Their attributes are plain and may be set to anything.
 *
 * Those of a sampled snapshot are estimates, and know between which limits the truth is.
 * That takes no part in comparing, and shows in text only where there is something to say.
 */
#include "pyext/arguments.h"
#include "pyext/bag.h"
#include "pyext/record.h"
#include "pyext/text.h"
#include "pyext/types.h"

MW_RECORD_LIFE(statistic, MW_STATISTIC_SLOTS)
MW_RECORD_LIFE(diff, MW_DIFF_SLOTS)

static const char *const statistic_names[] = {"traceback", "size", "count", NULL};
static const char *const diff_names[] = {"traceback", "size",       "size_diff",
                                         "count",     "count_diff", NULL};

static int record_init(PyObject *self, const mw_parameters *parameters, PyObject *args,
                       PyObject *kwargs)
{
    PyObject *values[MW_DIFF_SLOTS];

    if (mw_arguments_bind(parameters, args, kwargs, values) < 0)
        return -1;
    for (int i = 0; i < parameters->count; i++)
        mw_record_set(self, i, values[i]);
    mw_record_take(self, parameters->count, NULL);
    return 0;
}

static int statistic_init(PyObject *self, PyObject *args, PyObject *kwargs)
{
    static const mw_parameters parameters = {"Statistic.__init__", statistic_names,
                                             MW_STATISTIC_RANGES, MW_STATISTIC_RANGES, MW_METHOD};
    return record_init(self, &parameters, args, kwargs);
}

static int diff_init(PyObject *self, PyObject *args, PyObject *kwargs)
{
    static const mw_parameters parameters = {"StatisticDiff.__init__", diff_names, MW_DIFF_RANGES,
                                             MW_DIFF_RANGES, MW_METHOD};
    return record_init(self, &parameters, args, kwargs);
}

/* ── what both have in common ────────────────────────────────────────────────────── */

static Py_hash_t hash_slots(PyObject *self, const char *const *names, int count)
{
    PyObject *tuple = mw_record_as_tuple(self, names, count);
    Py_hash_t hash = tuple != NULL ? PyObject_Hash(tuple) : -1;

    Py_XDECREF(tuple);
    return hash;
}

/* Whether all slots are equal: 1, 0, or -1 with an exception. */
static int slots_are_equal(PyObject *self, PyObject *other, const char *const *names, int count)
{
    for (int i = 0; i < count; i++) {
        PyObject *result = mw_record_compare(self, other, i, names[i], Py_EQ);
        int equal = result != NULL ? PyObject_IsTrue(result) : -1;
        Py_XDECREF(result);
        if (equal <= 0)
            return equal;
    }
    return 1;
}

static PyObject *compare_slots(PyObject *self, PyObject *other, PyTypeObject *type,
                               const char *const *names, int count, int operation)
{
    if ((operation != Py_EQ && operation != Py_NE) || !PyObject_TypeCheck(other, type))
        Py_RETURN_NOTIMPLEMENTED;

    int equal = slots_are_equal(self, other, names, count);
    if (equal < 0)
        return NULL;
    return PyBool_FromLong(equal == (operation == Py_EQ));
}

/* Text + ", average=…"; takes the text. */
static PyObject *with_average(PyObject *text_take, PyObject *size, PyObject *count)
{
    PyObject *average = text_take != NULL ? mw_text_average(size, count) : NULL;
    PyObject *whole = average != NULL ? PyUnicode_Concat(text_take, average) : NULL;

    Py_XDECREF(text_take);
    Py_XDECREF(average);
    return whole;
}

/* ── estimates ───────────────────────────────────────────────────────────────────── */

/* One number of a statistic: where it stands, its name, and which range is its own. */
typedef struct estimated_number {
    int slot;
    const char *name;
    int ranges_slot;
    int range;
} estimated_number;

static const estimated_number statistic_size = {MW_STATISTIC_SIZE, "size", MW_STATISTIC_RANGES, 0};
static const estimated_number statistic_count = {MW_STATISTIC_COUNT, "count", MW_STATISTIC_RANGES,
                                                 1};
static const estimated_number diff_size = {MW_DIFF_SIZE, "size", MW_DIFF_RANGES, 0};
static const estimated_number diff_size_diff = {MW_DIFF_SIZE_DIFF, "size_diff", MW_DIFF_RANGES, 1};
static const estimated_number diff_count = {MW_DIFF_COUNT, "count", MW_DIFF_RANGES, 2};
static const estimated_number diff_count_diff = {MW_DIFF_COUNT_DIFF, "count_diff", MW_DIFF_RANGES,
                                                 3};

/* Borrowed: the tuple (low, high), or NULL for an exact number. */
static PyObject *peek_range(PyObject *self, const estimated_number *number)
{
    PyObject *ranges = mw_record_peek(self, number->ranges_slot);

    return ranges != NULL ? PyTuple_GET_ITEM(ranges, number->range) : NULL;
}

static PyObject *get_interval(PyObject *self, void *closure)
{
    PyObject *range = peek_range(self, closure);

    return Py_NewRef(range != NULL ? range : Py_None);
}

/* The greater of the distances to both ends, or 0 for an exact number. */
static PyObject *get_error(PyObject *self, void *closure)
{
    const estimated_number *number = closure;
    PyObject *range = peek_range(self, number);
    PyObject *value = range != NULL ? mw_record_slot(self, number->slot, number->name) : NULL;
    PyObject *below, *above;

    if (range == NULL)
        return PyLong_FromLong(0);
    if (value == NULL)
        return NULL;
    below = PyNumber_Subtract(value, PyTuple_GET_ITEM(range, 0));
    above = PyNumber_Subtract(PyTuple_GET_ITEM(range, 1), value);
    Py_DECREF(value);
    int is_below =
        below != NULL && above != NULL ? PyObject_RichCompareBool(below, above, Py_GT) : -1;
    PyObject *error = is_below < 0 ? NULL : Py_NewRef(is_below > 0 ? below : above);
    Py_XDECREF(below);
    Py_XDECREF(above);
    return error;
}

/* Whether [ranges] is a tuple of [count] pairs of ints. */
static bool are_ranges(PyObject *ranges, int count)
{
    if (!PyTuple_CheckExact(ranges) || PyTuple_GET_SIZE(ranges) != count)
        return false;
    for (int i = 0; i < count; i++) {
        PyObject *range = PyTuple_GET_ITEM(ranges, i);
        if (!PyTuple_CheckExact(range) || PyTuple_GET_SIZE(range) != 2 ||
            !PyLong_CheckExact(PyTuple_GET_ITEM(range, 0)) ||
            !PyLong_CheckExact(PyTuple_GET_ITEM(range, 1)))
            return false;
    }
    return true;
}

/* For pickles and copies. */
static int set_ranges(PyObject *self, PyObject *value, void *closure)
{
    const estimated_number *last = closure;

    if (value != NULL && value != Py_None && !are_ranges(value, last->range + 1)) {
        PyErr_SetString(PyExc_ValueError, "ranges are a tuple of pairs of ints");
        return -1;
    }
    mw_record_take(self, last->ranges_slot, value == Py_None ? NULL : Py_XNewRef(value));
    return 0;
}

static PyObject *get_ranges(PyObject *self, void *closure)
{
    PyObject *ranges = mw_record_peek(self, ((const estimated_number *)closure)->ranges_slot);

    return Py_NewRef(ranges != NULL ? ranges : Py_None);
}

/* object's own state, and the ranges of an estimate among the slots. */
static PyObject *get_state(PyObject *self, int ranges_slot)
{
    PyObject *state =
        PyObject_CallMethod((PyObject *)&PyBaseObject_Type, "__getstate__", "O", self);
    PyObject *ranges = mw_record_peek(self, ranges_slot);

    if (state == NULL || ranges == NULL)
        return state;
    if (!PyTuple_Check(state) || PyTuple_GET_SIZE(state) != 2 ||
        !PyDict_Check(PyTuple_GET_ITEM(state, 1)) ||
        PyDict_SetItemString(PyTuple_GET_ITEM(state, 1), "_ranges", ranges) < 0)
        Py_CLEAR(state);
    return state;
}

static PyObject *statistic_getstate(PyObject *self, PyObject *unused)
{
    return get_state(self, MW_STATISTIC_RANGES);
}

static PyObject *diff_getstate(PyObject *self, PyObject *unused)
{
    return get_state(self, MW_DIFF_RANGES);
}

/* " ± 921 KiB", or nothing for an exact number. */
static PyObject *error_text(PyObject *self, const estimated_number *number)
{
    PyObject *error, *size;

    if (peek_range(self, number) == NULL)
        return PyUnicode_FromString("");
    error = get_error(self, (void *)number);
    size = error != NULL ? mw_text_size(error, MW_SIZE_PLAIN) : NULL;
    Py_XDECREF(error);
    return size != NULL ? mw_text_percent(" \xc2\xb1 %s", Py_BuildValue("(N)", size)) : NULL;
}

static PyObject *to_json(PyObject *self, PyObject *unused)
{
    return mw_call_helper("memwhy._export", "to_json", &self, 1);
}

/* ── Statistic ───────────────────────────────────────────────────────────────────── */

static Py_hash_t statistic_hash(PyObject *self)
{
    return hash_slots(self, statistic_names, MW_STATISTIC_RANGES);
}

static PyObject *statistic_richcompare(PyObject *self, PyObject *other, int operation)
{
    mw_module_state *state = mw_state_of(self);

    if (state == NULL)
        return NULL;
    return compare_slots(self, other, state->statistic_type, statistic_names, MW_STATISTIC_RANGES,
                         operation);
}

/* A size and, of an estimate, its error. */
static PyObject *size_with_error(PyObject *self, const estimated_number *number, PyObject *value,
                                 mw_size_form form)
{
    PyObject *error = error_text(self, number);
    PyObject *text = error != NULL ? mw_text_size(value, form) : NULL;
    PyObject *whole = text != NULL ? PyUnicode_Concat(text, error) : NULL;

    Py_XDECREF(error);
    Py_XDECREF(text);
    return whole;
}

static PyObject *format_statistic(PyObject *self, PyObject *traceback, PyObject *size,
                                  PyObject *count)
{
    bool is_estimate = mw_record_peek(self, MW_STATISTIC_RANGES) != NULL;
    PyObject *size_text = size_with_error(self, &statistic_size, size, MW_SIZE_PLAIN);

    if (size_text == NULL)
        return NULL;
    PyObject *text =
        mw_text_percent(is_estimate ? "%s: size=%s (sampled), count=%i" : "%s: size=%s, count=%i",
                        Py_BuildValue("(ONO)", traceback, size_text, count));
    return with_average(text, size, count);
}

static PyObject *statistic_str(PyObject *self)
{
    PyObject *slots = mw_record_as_tuple(self, statistic_names, MW_STATISTIC_RANGES);
    if (slots == NULL)
        return NULL;

    PyObject *text = format_statistic(self, PyTuple_GET_ITEM(slots, MW_STATISTIC_TRACEBACK),
                                      PyTuple_GET_ITEM(slots, MW_STATISTIC_SIZE),
                                      PyTuple_GET_ITEM(slots, MW_STATISTIC_COUNT));
    Py_DECREF(slots);
    return text;
}

static PyObject *statistic_repr(PyObject *self)
{
    return mw_text_percent("<Statistic traceback=%r size=%i count=%i>",
                           mw_record_as_tuple(self, statistic_names, MW_STATISTIC_RANGES));
}

static PyObject *statistic_sort_key(PyObject *self, PyObject *unused)
{
    PyObject *slots = mw_record_as_tuple(self, statistic_names, MW_STATISTIC_RANGES);
    if (slots == NULL)
        return NULL;

    PyObject *key = PyTuple_Pack(3, PyTuple_GET_ITEM(slots, MW_STATISTIC_SIZE),
                                 PyTuple_GET_ITEM(slots, MW_STATISTIC_COUNT),
                                 PyTuple_GET_ITEM(slots, MW_STATISTIC_TRACEBACK));
    Py_DECREF(slots);
    return key;
}

/* ── StatisticDiff ───────────────────────────────────────────────────────────────── */

static Py_hash_t diff_hash(PyObject *self)
{
    return hash_slots(self, diff_names, MW_DIFF_RANGES);
}

static PyObject *diff_richcompare(PyObject *self, PyObject *other, int operation)
{
    mw_module_state *state = mw_state_of(self);

    if (state == NULL)
        return NULL;
    return compare_slots(self, other, state->statistic_diff_type, diff_names, MW_DIFF_RANGES,
                         operation);
}

static PyObject *format_diff(PyObject *self, PyObject *const *values)
{
    bool is_estimate = mw_record_peek(self, MW_DIFF_RANGES) != NULL;
    PyObject *size = size_with_error(self, &diff_size, values[MW_DIFF_SIZE], MW_SIZE_PLAIN);
    PyObject *change = size != NULL ? size_with_error(self, &diff_size_diff,
                                                      values[MW_DIFF_SIZE_DIFF], MW_SIZE_SIGNED)
                                    : NULL;
    if (change == NULL) {
        Py_XDECREF(size);
        return NULL;
    }

    PyObject *text =
        mw_text_percent(is_estimate ? "%s: size=%s (%s, sampled), count=%i (%+i)"
                                    : "%s: size=%s (%s), count=%i (%+i)",
                        Py_BuildValue("(ONNOO)", values[MW_DIFF_TRACEBACK], size, change,
                                      values[MW_DIFF_COUNT], values[MW_DIFF_COUNT_DIFF]));
    return with_average(text, values[MW_DIFF_SIZE], values[MW_DIFF_COUNT]);
}

static PyObject *diff_str(PyObject *self)
{
    PyObject *slots = mw_record_as_tuple(self, diff_names, MW_DIFF_RANGES);
    PyObject *text = slots != NULL ? format_diff(self, &PyTuple_GET_ITEM(slots, 0)) : NULL;

    Py_XDECREF(slots);
    return text;
}

static PyObject *diff_repr(PyObject *self)
{
    return mw_text_percent("<StatisticDiff traceback=%r size=%i (%+i) count=%i (%+i)>",
                           mw_record_as_tuple(self, diff_names, MW_DIFF_RANGES));
}

static PyObject *make_diff_sort_key(PyObject *const *values)
{
    PyObject *size_change = PyNumber_Absolute(values[MW_DIFF_SIZE_DIFF]);
    PyObject *count_change =
        size_change != NULL ? PyNumber_Absolute(values[MW_DIFF_COUNT_DIFF]) : NULL;

    if (count_change == NULL) {
        Py_XDECREF(size_change);
        return NULL;
    }
    return Py_BuildValue("(NONOO)", size_change, values[MW_DIFF_SIZE], count_change,
                         values[MW_DIFF_COUNT], values[MW_DIFF_TRACEBACK]);
}

static PyObject *diff_sort_key(PyObject *self, PyObject *unused)
{
    PyObject *slots = mw_record_as_tuple(self, diff_names, MW_DIFF_RANGES);
    PyObject *key = slots != NULL ? make_diff_sort_key(&PyTuple_GET_ITEM(slots, 0)) : NULL;

    Py_XDECREF(slots);
    return key;
}

/* ── types ───────────────────────────────────────────────────────────────────────── */

PyDoc_STRVAR(statistic_doc, "Statistic(traceback, size, count)\n--\n\n"
                            "Statistic on memory allocations.\n\n"
                            "traceback says where: a Traceback.  size is the total size in bytes\n"
                            "of the memory blocks allocated there, count their number.");

PyDoc_STRVAR(diff_doc, "StatisticDiff(traceback, size, size_diff, count, count_diff)\n--\n\n"
                       "Difference on memory allocations between an old and a new Snapshot.\n\n"
                       "size (bytes) and count are those of the new snapshot, size_diff and\n"
                       "count_diff what they grew by since the old one.");

#define TO_JSON_DOC                                                                                \
    "to_json($self)\n--\n\n"                                                                       \
    "Return JSON text: an object with a member per attribute; the traceback is a list of\n"        \
    "{\"filename\", \"lineno\", \"function\", \"module\"}, from the oldest frame to the most "     \
    "recent."

#define GETSTATE_DOC "__getstate__($self)\n--\n\nAs object's, with what an estimate knows besides."

/* The range of one number of an estimate, two ways. */
#define ESTIMATE_GETSET(name, number)                                                              \
    {name "_error", get_error, NULL,                                                               \
     "How far the truth may be from " name " (95 % confidence); 0: exact.", (void *)&(number)},    \
    {                                                                                              \
        name "_interval", get_interval, NULL,                                                      \
            "(low, high) between which the truth is (95 % confidence); None: exact.",              \
            (void *)&(number)                                                                      \
    }

static PyGetSetDef statistic_getset[] = {
    ESTIMATE_GETSET("size", statistic_size),
    ESTIMATE_GETSET("count", statistic_count),
    {"_ranges", get_ranges, set_ranges, "The intervals of all numbers; None: exact.",
     (void *)&statistic_count},
    {0},
};

static PyGetSetDef diff_getset[] = {
    ESTIMATE_GETSET("size", diff_size),
    ESTIMATE_GETSET("size_diff", diff_size_diff),
    ESTIMATE_GETSET("count", diff_count),
    ESTIMATE_GETSET("count_diff", diff_count_diff),
    {"_ranges", get_ranges, set_ranges, "The intervals of all numbers; None: exact.",
     (void *)&diff_count_diff},
    {0},
};

static PyMethodDef statistic_methods[] = {
    {"__getstate__", statistic_getstate, METH_NOARGS, GETSTATE_DOC},
    {"_sort_key", statistic_sort_key, METH_NOARGS, "_sort_key($self)\n--\n\nWhat lists sort by."},
    {"to_json", to_json, METH_NOARGS, TO_JSON_DOC},
    {0},
};

static PyMethodDef diff_methods[] = {
    {"__getstate__", diff_getstate, METH_NOARGS, GETSTATE_DOC},
    {"_sort_key", diff_sort_key, METH_NOARGS, "_sort_key($self)\n--\n\nWhat lists sort by."},
    {"to_json", to_json, METH_NOARGS, TO_JSON_DOC},
    {0},
};

static PyMemberDef statistic_members[] = {
    MW_RECORD_MEMBER("traceback", MW_STATISTIC_TRACEBACK, "Where: a Traceback."),
    MW_RECORD_MEMBER("size", MW_STATISTIC_SIZE, "Total size of the blocks in bytes."),
    MW_RECORD_MEMBER("count", MW_STATISTIC_COUNT, "Number of blocks."),
    {0},
};

static PyMemberDef diff_members[] = {
    MW_RECORD_MEMBER("traceback", MW_DIFF_TRACEBACK, "Where: a Traceback."),
    MW_RECORD_MEMBER("size", MW_DIFF_SIZE, "Total size in the new snapshot in bytes."),
    MW_RECORD_MEMBER("size_diff", MW_DIFF_SIZE_DIFF, "What size grew by since the old snapshot."),
    MW_RECORD_MEMBER("count", MW_DIFF_COUNT, "Number of blocks in the new snapshot."),
    MW_RECORD_MEMBER("count_diff", MW_DIFF_COUNT_DIFF, "What count grew by."),
    {0},
};

static PyType_Slot statistic_slots[] = {
    {Py_tp_doc, (void *)statistic_doc},
    {Py_tp_init, statistic_init},
    {Py_tp_methods, statistic_methods},
    {Py_tp_members, statistic_members},
    {Py_tp_getset, statistic_getset},
    {Py_tp_richcompare, statistic_richcompare},
    {Py_tp_hash, statistic_hash},
    {Py_tp_str, statistic_str},
    {Py_tp_repr, statistic_repr},
    MW_RECORD_LIFE_SLOTS(statistic),
    {0, NULL},
};

static PyType_Slot diff_slots[] = {
    {Py_tp_doc, (void *)diff_doc},
    {Py_tp_init, diff_init},
    {Py_tp_methods, diff_methods},
    {Py_tp_members, diff_members},
    {Py_tp_getset, diff_getset},
    {Py_tp_richcompare, diff_richcompare},
    {Py_tp_hash, diff_hash},
    {Py_tp_str, diff_str},
    {Py_tp_repr, diff_repr},
    MW_RECORD_LIFE_SLOTS(diff),
    {0, NULL},
};

static PyType_Spec statistic_spec = {
    .name = "memwhy.tracemalloc.Statistic",
    .basicsize = MW_RECORD_BYTES(MW_STATISTIC_SLOTS),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = statistic_slots,
};

static PyType_Spec diff_spec = {
    .name = "memwhy.tracemalloc.StatisticDiff",
    .basicsize = MW_RECORD_BYTES(MW_DIFF_SLOTS),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = diff_slots,
};

int mw_statistic_types_add(PyObject *module, mw_module_state *state)
{
    if (mw_type_add(module, &statistic_spec, NULL, &state->statistic_type) < 0 ||
        mw_record_declare_slots(state->statistic_type, statistic_names) < 0)
        return -1;
    if (mw_type_add(module, &diff_spec, NULL, &state->statistic_diff_type) < 0)
        return -1;
    return mw_record_declare_slots(state->statistic_diff_type, diff_names);
}
