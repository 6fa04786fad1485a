/* SPDX-License-Identifier: MIT
 *
 * Snapshot: `traces`, `traceback_limit` and whatever else its users put on it.  What it
 * computes, it computes on the tables behind `traces`, in C; where there are none, since
 * someone's raw traces do not fit into tables, memwhy._slow_paths does what tracemalloc
 * does.
 */
#include "core/diff.h"
#include "pyext/arguments.h"
#include "pyext/bag.h"
#include "pyext/raise.h"
#include "pyext/types.h"
#include "pyext/utf8.h"

#define SLOW_PATHS "memwhy._slow_paths"

/* ── making ──────────────────────────────────────────────────────────────────────── */

/* Takes [traces] and [limit], each of which may be NULL with an exception set. */
static int set_parts(mw_module_state *state, PyObject *self, PyObject *traces_take,
                     PyObject *limit_take)
{
    int result = -1;

    if (traces_take != NULL && limit_take != NULL &&
        PyObject_SetAttr(self, state->names.traces, traces_take) == 0)
        result = PyObject_SetAttr(self, state->names.traceback_limit, limit_take);
    Py_XDECREF(traces_take);
    Py_XDECREF(limit_take);
    return result;
}

/* A Snapshot with the given limit (taken). */
static PyObject *snapshot_with_limit(mw_module_state *state, mw_snapshot *snapshot_take,
                                     PyObject *limit_take)
{
    PyObject *traces = mw_traces_object_new(state, snapshot_take);
    PyObject *self = state->snapshot_type->tp_alloc(state->snapshot_type, 0);

    if (self == NULL) {
        Py_XDECREF(traces);
        Py_XDECREF(limit_take);
        return NULL;
    }
    if (set_parts(state, self, traces, limit_take) < 0)
        Py_CLEAR(self);
    return self;
}

PyObject *mw_snapshot_object_new(mw_module_state *state, mw_snapshot *snapshot_take)
{
    PyObject *limit = PyLong_FromUnsignedLong(mw_snapshot_frame_limit(snapshot_take));

    return snapshot_with_limit(state, snapshot_take, limit);
}

static int snapshot_init(PyObject *self, PyObject *args, PyObject *kwargs)
{
    static const char *const names[] = {"traces", "traceback_limit"};
    static const mw_parameters parameters = {"Snapshot.__init__", names, 2, 2, MW_METHOD};
    mw_module_state *state = mw_state_of(self);
    PyObject *values[2];

    if (state == NULL || mw_arguments_bind(&parameters, args, kwargs, values) < 0)
        return -1;
    PyObject *traces = PyObject_CallOneArg((PyObject *)state->traces_type, values[0]);
    return set_parts(state, self, traces, Py_NewRef(values[1]));
}

/* The tables behind self.traces; as mw_traces_open(). */
static int open_tables(mw_module_state *state, PyObject *self, mw_faces **ret_faces)
{
    PyObject *traces = PyObject_GetAttr(self, state->names.traces);
    int result = traces != NULL ? mw_traces_open(state, traces, ret_faces) : -1;

    Py_XDECREF(traces);
    return result;
}

/* ── grouping ────────────────────────────────────────────────────────────────────── */

typedef struct mw_grouping {
    mw_module_state *state;
    PyObject *key_name;   /* borrowed               */
    PyObject *cumulative; /* borrowed, never NULL   */
    mw_group_key key;
    mw_group_scope scope;
} mw_grouping;

static bool parse_key(PyObject *name, mw_group_key *ret_key)
{
    mw_utf8 utf8 = {0};
    bool found = false;

    if (PyUnicode_Check(name) && mw_utf8_init(&utf8, name) == 0) {
        found = mw_group_key_parse(utf8.bytes, ret_key);
        mw_utf8_done(&utf8);
    }
    if (!found && !PyErr_Occurred())
        PyErr_Format(PyExc_ValueError, "unknown key_type: %R", name);
    return found;
}

/* Fills [grouping] from key_type and cumulative (NULL where left out). */
static int grouping_init(mw_grouping *grouping, PyObject *self, PyObject *key_name,
                         PyObject *cumulative)
{
    grouping->state = mw_state_of(self);
    grouping->key_name = key_name;
    grouping->cumulative = cumulative != NULL ? cumulative : Py_False;
    if (grouping->state == NULL || !parse_key(key_name, &grouping->key))
        return -1;

    int is_cumulative = PyObject_IsTrue(grouping->cumulative);
    if (is_cumulative < 0)
        return -1;
    if (is_cumulative && grouping->key != MW_GROUP_LINE && grouping->key != MW_GROUP_FILE) {
        PyErr_Format(PyExc_ValueError, "cumulative mode cannot by used with key type %R", key_name);
        return -1;
    }
    grouping->scope = is_cumulative ? MW_GROUP_CUMULATIVE : MW_GROUP_INNERMOST;
    return 0;
}

/* What lists of statistics are made by. */
typedef mw_status (*mw_group_function)(const mw_snapshot *, mw_group_key, mw_group_scope,
                                       mw_alloc *, mw_rows *, mw_error *);

static PyObject *group_tables(const mw_grouping *grouping, mw_faces *faces, mw_group_function group)
{
    mw_error error;
    mw_rows rows = {0};
    mw_status status = group(mw_faces_snapshot(faces), grouping->key, grouping->scope,
                             mw_alloc_system(), &rows, &error);
    PyObject *list = status == MW_OK ? mw_statistics_list(grouping->state, &rows, faces)
                                     : mw_raise(status, NULL);

    mw_rows_done(&rows);
    return list;
}

static PyObject *statistics_of_tables(const mw_grouping *grouping, mw_faces *faces)
{
    return group_tables(grouping, faces, mw_snapshot_group);
}

static PyObject *statistics_of(const mw_grouping *grouping, PyObject *self)
{
    mw_faces *faces = NULL;
    PyObject *list = NULL;
    int opened = open_tables(grouping->state, self, &faces);

    if (opened > 0) {
        list = statistics_of_tables(grouping, faces);
        mw_faces_release(faces);
    } else if (opened == 0) {
        PyObject *const args[] = {self, grouping->key_name, grouping->cumulative};
        list = mw_call_helper(SLOW_PATHS, "statistics", args, 3);
    }
    return list;
}

static int bind_grouping(const char *function, int required, PyObject *self, PyObject *args,
                         PyObject *kwargs, mw_grouping *ret_grouping)
{
    static const char *const names[] = {"key_type", "cumulative"};
    mw_parameters parameters = {function, names, 2, required, MW_METHOD};
    PyObject *values[2];

    if (mw_arguments_bind(&parameters, args, kwargs, values) < 0)
        return -1;
    return grouping_init(ret_grouping, self, values[0], values[1]);
}

static PyObject *snapshot_statistics(PyObject *self, PyObject *args, PyObject *kwargs)
{
    mw_grouping grouping;

    if (bind_grouping("Snapshot.statistics", 1, self, args, kwargs, &grouping) < 0)
        return NULL;
    return statistics_of(&grouping, self);
}

/* ── samples ─────────────────────────────────────────────────────────────────────── */

static const char not_sampled[] = "the snapshot is not a sampled one";

/* The tables of a sampled snapshot, to be released; NULL with an exception. */
static mw_faces *open_sampled(mw_module_state *state, PyObject *self)
{
    mw_faces *faces = NULL;

    if (open_tables(state, self, &faces) < 0)
        return NULL;
    if (faces != NULL && mw_snapshot_sample_bytes(mw_faces_snapshot(faces)) != 0)
        return faces;
    mw_faces_release(faces);
    PyErr_SetString(PyExc_ValueError, not_sampled);
    return NULL;
}

static int bind_grouping(const char *function, int required, PyObject *self, PyObject *args,
                         PyObject *kwargs, mw_grouping *ret_grouping);

static PyObject *snapshot_allocated(PyObject *self, PyObject *args, PyObject *kwargs)
{
    mw_grouping grouping;
    mw_faces *faces;

    if (bind_grouping("Snapshot.allocated", 1, self, args, kwargs, &grouping) < 0)
        return NULL;
    faces = open_sampled(grouping.state, self);
    PyObject *list =
        faces != NULL ? group_tables(&grouping, faces, mw_snapshot_group_allocated) : NULL;
    mw_faces_release(faces);
    return list;
}

/* The mean distance of marks; 0 for an exact snapshot, -1 with an exception. */
static int64_t sample_bytes_of(PyObject *self)
{
    mw_module_state *state = mw_state_of(self);
    mw_faces *faces = NULL;
    int64_t sample_bytes = 0;

    if (state == NULL || open_tables(state, self, &faces) < 0)
        return -1;
    if (faces != NULL)
        sample_bytes = (int64_t)mw_snapshot_sample_bytes(mw_faces_snapshot(faces));
    mw_faces_release(faces);
    return sample_bytes;
}

static PyObject *snapshot_sampling(PyObject *self, void *closure)
{
    int64_t sample_bytes = sample_bytes_of(self);

    if (sample_bytes < 0)
        return NULL;
    if (sample_bytes == 0)
        Py_RETURN_NONE;
    return PyLong_FromLongLong(sample_bytes);
}

static PyObject *snapshot_weight(PyObject *self, PyObject *trace)
{
    PyObject *size = PyObject_GetAttrString(trace, "size");
    unsigned long long size_bytes = size != NULL ? PyLong_AsUnsignedLongLong(size) : 0;
    int64_t sample_bytes;

    Py_XDECREF(size);
    if (PyErr_Occurred())
        return NULL;
    sample_bytes = sample_bytes_of(self);
    if (sample_bytes < 0)
        return NULL;
    return PyFloat_FromDouble(
        sample_bytes != 0 ? mw_sample_weight(size_bytes, (uint64_t)sample_bytes) : 1.0);
}

/* ── grouping in other ways ──────────────────────────────────────────────────────── */

/* {statistic.traceback: statistic} */
static PyObject *dict_by_traceback(PyObject *list)
{
    PyObject *dict = PyDict_New();

    for (Py_ssize_t i = 0; dict != NULL && i < PyList_GET_SIZE(list); i++) {
        PyObject *statistic = PyList_GET_ITEM(list, i);
        PyObject *traceback = PyObject_GetAttrString(statistic, "traceback");
        if (traceback == NULL || PyDict_SetItem(dict, traceback, statistic) < 0)
            Py_CLEAR(dict);
        Py_XDECREF(traceback);
    }
    return dict;
}

static PyObject *snapshot_group_by(PyObject *self, PyObject *args, PyObject *kwargs)
{
    mw_grouping grouping;

    if (bind_grouping("Snapshot._group_by", 2, self, args, kwargs, &grouping) < 0)
        return NULL;
    PyObject *list = statistics_of(&grouping, self);
    PyObject *dict = list != NULL ? dict_by_traceback(list) : NULL;
    Py_XDECREF(list);
    return dict;
}

static PyObject *diff_of_tables(const mw_grouping *grouping, mw_faces *older, mw_faces *newer)
{
    mw_error error;
    mw_rows rows = {0};
    mw_status status =
        mw_snapshot_diff(mw_faces_snapshot(older), mw_faces_snapshot(newer), grouping->key,
                         grouping->scope, mw_alloc_system(), &rows, &error);
    PyObject *list = status == MW_OK ? mw_statistic_diffs_list(grouping->state, &rows, older, newer)
                                     : mw_raise(status, NULL);

    mw_rows_done(&rows);
    return list;
}

static PyObject *compare(const mw_grouping *grouping, PyObject *self, PyObject *old)
{
    PyObject *const slow_args[] = {self, old, grouping->key_name, grouping->cumulative};
    mw_faces *newer = NULL, *older = NULL;
    PyObject *list = NULL;
    int opened = open_tables(grouping->state, self, &newer);

    if (opened > 0)
        opened = PyObject_TypeCheck(old, grouping->state->snapshot_type)
                     ? open_tables(grouping->state, old, &older)
                     : 0;
    if (opened > 0)
        list = diff_of_tables(grouping, older, newer);
    else if (opened == 0)
        list = mw_call_helper(SLOW_PATHS, "compare_to", slow_args, 4);
    mw_faces_release(newer);
    mw_faces_release(older);
    return list;
}

static PyObject *snapshot_compare_to(PyObject *self, PyObject *args, PyObject *kwargs)
{
    static const char *const names[] = {"old_snapshot", "key_type", "cumulative"};
    static const mw_parameters parameters = {"Snapshot.compare_to", names, 3, 2, MW_METHOD};
    PyObject *values[3];
    mw_grouping grouping;

    if (mw_arguments_bind(&parameters, args, kwargs, values) < 0 ||
        grouping_init(&grouping, self, values[1], values[2]) < 0)
        return NULL;
    return compare(&grouping, self, values[0]);
}

/* ── filtering ───────────────────────────────────────────────────────────────────── */

/* Returns 1 with what the filters leave of the tables, 0 where the traces must be looked
 * at one by one, -1 with an exception. */
static int filter_tables(mw_module_state *state, PyObject *self, PyObject *filters,
                         mw_snapshot **ret_snapshot)
{
    mw_faces *faces = NULL;
    int has_filters = PyObject_IsTrue(filters);
    int result = has_filters < 0 ? -1 : open_tables(state, self, &faces);

    if (result > 0 && has_filters)
        result = mw_filter_traces(state, faces, filters, ret_snapshot);
    else if (result > 0)
        *ret_snapshot = mw_snapshot_retain(mw_faces_snapshot(faces));
    mw_faces_release(faces);
    return result;
}

static PyObject *filter_to_object(mw_module_state *state, PyObject *self, PyObject *filters)
{
    PyObject *const slow_args[] = {self, filters};
    mw_snapshot *left;
    int result = filter_tables(state, self, filters, &left);

    if (result == 0 && sample_bytes_of(self) > 0) {
        PyErr_SetString(PyExc_ValueError, "a sampled snapshot can be filtered by tracebacks and "
                                          "domains, not by the sizes of blocks");
        result = -1;
    }
    if (result < 0)
        return NULL;
    if (result == 0)
        return mw_call_helper(SLOW_PATHS, "filter_traces", slow_args, 2);
    PyObject *limit = PyObject_GetAttr(self, state->names.traceback_limit);
    if (limit == NULL) {
        mw_snapshot_release(left);
        return NULL;
    }
    return snapshot_with_limit(state, left, limit);
}

static PyObject *snapshot_filter_traces(PyObject *self, PyObject *args, PyObject *kwargs)
{
    static const char *const names[] = {"filters"};
    static const mw_parameters parameters = {"Snapshot.filter_traces", names, 1, 1, MW_METHOD};
    mw_module_state *state = mw_state_of(self);
    PyObject *filters;

    if (state == NULL || mw_arguments_bind(&parameters, args, kwargs, &filters) < 0)
        return NULL;
    if (Py_TYPE(filters)->tp_iter == NULL) {
        PyObject *type_name = PyType_GetName(Py_TYPE(filters));
        if (type_name != NULL)
            PyErr_Format(PyExc_TypeError, "filters must be a list of filters, not %U", type_name);
        Py_XDECREF(type_name);
        return NULL;
    }
    /* An iterator can be read once only, but the slow path may have to read again. */
    PyObject *list = PyIter_Check(filters) ? PySequence_List(filters) : Py_NewRef(filters);
    PyObject *result = list != NULL ? filter_to_object(state, self, list) : NULL;
    Py_XDECREF(list);
    return result;
}

static PyObject *snapshot_filter_trace(PyObject *self, PyObject *args, PyObject *kwargs)
{
    static const char *const names[] = {"include_filters", "exclude_filters", "trace"};
    static const mw_parameters parameters = {"Snapshot._filter_trace", names, 3, 3, MW_METHOD};
    PyObject *values[3];

    if (mw_arguments_bind(&parameters, args, kwargs, values) < 0)
        return NULL;
    return mw_call_helper(SLOW_PATHS, "filter_trace", values, 3);
}

/* ── files and text ──────────────────────────────────────────────────────────────── */

static PyObject *snapshot_dump(PyObject *self, PyObject *args, PyObject *kwargs)
{
    static const char *const names[] = {"filename"};
    static const mw_parameters parameters = {"Snapshot.dump", names, 1, 1, MW_METHOD};
    PyObject *both[2] = {self, NULL};

    if (mw_arguments_bind(&parameters, args, kwargs, &both[1]) < 0)
        return NULL;
    return mw_call_helper("memwhy._snapshot_file", "dump", both, 2);
}

static PyObject *snapshot_load(PyObject *unused, PyObject *args, PyObject *kwargs)
{
    static const char *const names[] = {"filename"};
    static const mw_parameters parameters = {"Snapshot.load", names, 1, 1, MW_FUNCTION};
    PyObject *filename;

    if (mw_arguments_bind(&parameters, args, kwargs, &filename) < 0)
        return NULL;
    return mw_call_helper("memwhy._snapshot_file", "load", &filename, 1);
}

static PyObject *snapshot_write(PyObject *self, PyObject *args, PyObject *kwargs)
{
    static const char *const names[] = {"filename", "format", "older"};
    static const mw_parameters parameters = {"Snapshot.write", names, 3, 1, MW_METHOD};
    PyObject *all[4] = {self, NULL, NULL, NULL};

    if (mw_arguments_bind(&parameters, args, kwargs, &all[1]) < 0)
        return NULL;
    for (int i = 2; i < 4; i++)
        all[i] = all[i] == NULL ? Py_None : all[i];
    return mw_call_helper("memwhy._export", "write", all, 4);
}

static PyObject *snapshot_to_json(PyObject *self, PyObject *unused)
{
    return mw_call_helper("memwhy._export", "to_json", &self, 1);
}

static PyObject *snapshot_repr_html(PyObject *self, PyObject *unused)
{
    return mw_call_helper("memwhy._export", "snapshot_html", &self, 1);
}

/* ── type ────────────────────────────────────────────────────────────────────────── */

#define METHOD(name, function, flags, doc)                                                         \
    {                                                                                              \
        name, (PyCFunction)(void (*)(void))(function), METH_VARARGS | METH_KEYWORDS | (flags), doc \
    }

PyDoc_STRVAR(snapshot_doc,
             "Snapshot(traces, traceback_limit)\n--\n\n"
             "Snapshot of traces of memory blocks allocated by Python.\n\n"
             "traces is a list of raw traces (domain, size, traceback, total_nframe), the\n"
             "traceback being a tuple of (filename, lineno), the most recent frame first.\n"
             "traceback_limit is how many frames a traceback was cut to.");

#define KEY_TYPES_DOC                                                                              \
    "key_type is 'filename', 'lineno' or 'traceback'; or 'function', 'module', 'thread' or\n"      \
    "'domain', whose rows have a traceback of one frame with the name in place of the file.\n"     \
    "With cumulative=True every frame of a traceback counts, not the most recent alone;\n"         \
    "only for 'filename' and 'lineno'.  ValueError for any other key.\n\n"

PyDoc_STRVAR(statistics_doc,
             "statistics($self, key_type, cumulative=False)\n--\n\n"
             "Group statistics by key_type.  Return a list of Statistic instances, sorted from\n"
             "the largest to the smallest by size, count and traceback.\n\n" KEY_TYPES_DOC
             "The cost goes by the places that allocated, not by the blocks.");

PyDoc_STRVAR(allocated_doc,
             "allocated($self, key_type, cumulative=False)\n--\n\n"
             "Of a sampled snapshot: what was allocated since sampling began, whether it is\n"
             "alive or not, estimated like statistics().  ValueError if it is an exact one.");

PyDoc_STRVAR(weight_doc,
             "weight($self, trace, /)\n--\n\n"
             "How many blocks one of the snapshot's traces stands for: 1.0 in an exact\n"
             "snapshot, at least that in a sampled one.");

PyDoc_STRVAR(compare_to_doc,
             "compare_to($self, old_snapshot, key_type, cumulative=False)\n--\n\n"
             "Compute the differences with an old snapshot.  Return a list of StatisticDiff\n"
             "instances, sorted from the largest to the smallest by |size_diff|, size,\n"
             "|count_diff|, count and traceback.\n\n" KEY_TYPES_DOC);

PyDoc_STRVAR(filter_traces_doc,
             "filter_traces($self, filters)\n--\n\n"
             "Create a new Snapshot with the traces that one of the inclusive filters matches\n"
             "(or all, if there are none) and that no exclusive filter names.\n\n"
             "filters is an iterable of Filter and DomainFilter instances; an empty one gives a\n"
             "copy.  TypeError if it is no iterable.");

PyDoc_STRVAR(dump_doc, "dump($self, filename)\n--\n\n"
                       "Write the snapshot into a file, which is replaced only when all is "
                       "written.\n\nOSError if it cannot be written.");

PyDoc_STRVAR(write_doc,
             "write($self, filename, format=None, older=None)\n--\n\n"
             "Write the snapshot into a file in a format that other tools read: 'pprof',\n"
             "'speedscope', 'collapsed', 'csv', 'json' or 'dot'; by default as the file's name\n"
             "ends.  With older, a snapshot to compare with, the file shows what changed.\n\n"
             "The file is replaced only when all is written.  OSError if it cannot be written,\n"
             "ValueError if there is no such format.");

PyDoc_STRVAR(load_doc,
             "load(filename)\n--\n\n"
             "Load a snapshot from a file, written by dump() or by the standard module.\n\n"
             "As with any pickle, load only files that you trust.  OSError if it cannot be\n"
             "read; EOFError, pickle.UnpicklingError or ValueError if it is no snapshot.");

PyDoc_STRVAR(
    to_json_doc,
    "to_json($self)\n--\n\n"
    "Return JSON text: an object with traceback_limit, size (bytes in total), count\n"
    "(blocks in total) and statistics, a list with one object per traceback, largest\n"
    "first: size, count and traceback, a list of {\"filename\", \"lineno\", \"function\",\n"
    "\"module\"} from the oldest frame to the most recent.");

static PyMethodDef snapshot_methods[] = {
    METHOD("statistics", snapshot_statistics, 0, statistics_doc),
    METHOD("compare_to", snapshot_compare_to, 0, compare_to_doc),
    METHOD("allocated", snapshot_allocated, 0, allocated_doc),
    {"weight", snapshot_weight, METH_O, weight_doc},
    METHOD("filter_traces", snapshot_filter_traces, 0, filter_traces_doc),
    METHOD("dump", snapshot_dump, 0, dump_doc),
    METHOD("write", snapshot_write, 0, write_doc),
    METHOD("load", snapshot_load, METH_STATIC, load_doc),
    METHOD("_group_by", snapshot_group_by, 0,
           "_group_by($self, key_type, cumulative)\n--\n\nReturn {traceback: Statistic}."),
    METHOD("_filter_trace", snapshot_filter_trace, 0,
           "_filter_trace($self, include_filters, exclude_filters, trace)\n--\n\n"
           "Whether the filters leave the raw trace."),
    {"to_json", snapshot_to_json, METH_NOARGS, to_json_doc},
    {"_repr_html_", snapshot_repr_html, METH_NOARGS,
     "_repr_html_($self)\n--\n\nTotals and top lines for a notebook: a str of escaped HTML."},
    {0},
};

static PyGetSetDef snapshot_getset[] = {
    {"sampling", snapshot_sampling, NULL,
     "Bytes between two samples on average; None: every block is there.", NULL},
    MW_BAG_DICT,
    {0},
};

static PyType_Slot snapshot_slots[] = {
    {Py_tp_doc, (void *)snapshot_doc},
    {Py_tp_init, snapshot_init},
    {Py_tp_methods, snapshot_methods},
    {Py_tp_members, mw_bag_members},
    {Py_tp_getset, snapshot_getset},
    {Py_tp_traverse, mw_bag_traverse},
    {Py_tp_clear, mw_bag_clear},
    {Py_tp_dealloc, mw_bag_dealloc},
    {0, NULL},
};

static PyType_Spec snapshot_spec = {
    .name = "memwhy.tracemalloc.Snapshot",
    .basicsize = sizeof(mw_bag),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = snapshot_slots,
};

int mw_snapshot_type_add(PyObject *module, mw_module_state *state)
{
    return mw_type_add(module, &snapshot_spec, NULL, &state->snapshot_type);
}
