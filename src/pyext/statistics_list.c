/* SPDX-License-Identifier: MIT
 *
 * Rows → Statistic and StatisticDiff objects.  A row's key becomes a Traceback: one
 * frame for a line or a file, all frames for a traceback (which are made when they are
 * looked at), and for what tracemalloc does not group by one frame whose file name is a
 * label.
 */
#include <math.h>
#include <string.h>

#include "core/region.h"
#include "pyext/record.h"
#include "pyext/types.h"
#include "pyext/utf8.h"

/* ── keys ────────────────────────────────────────────────────────────────────────── */

/* ((filename, lineno),) */
static PyObject *single_frame(PyObject *file, int line)
{
    return file != NULL ? Py_BuildValue("((Oi))", file, line) : NULL;
}

/* A traceback whose one frame shows the label alone; takes the label. */
static PyObject *label_traceback(mw_module_state *state, PyObject *label_take, PyObject *function,
                                 PyObject *module)
{
    if (label_take == NULL || function == NULL || module == NULL) {
        Py_XDECREF(label_take);
        return NULL;
    }
    PyObject *frames = single_frame(label_take, 0);
    PyObject *names = Py_BuildValue("((OOO))", function, module, label_take);
    Py_DECREF(label_take);
    if (names == NULL)
        Py_CLEAR(frames);
    return mw_traceback_object_new(state, frames, NULL, names);
}

static PyObject *function_traceback(mw_module_state *state, mw_faces *faces, const mw_row *row)
{
    PyObject *file = mw_faces_string(faces, row->file);
    PyObject *function = mw_faces_string(faces, row->label);

    if (file == NULL || function == NULL)
        return NULL;
    if (row->label.index == 0)
        return label_traceback(state, PyUnicode_FromFormat("%U:<unknown>", file), Py_None, Py_None);
    return label_traceback(state, PyUnicode_FromFormat("%U:%U", file, function), function, Py_None);
}

static PyObject *thread_label(mw_faces *faces, mw_thread thread)
{
    const char *name = mw_snapshot_thread_name(mw_faces_snapshot(faces), thread);

    return *name != '\0' ? mw_utf8_to_str(name, strlen(name)) : PyUnicode_FromString("<unknown>");
}

static PyObject *region_label(mw_faces *faces, mw_string name)
{
    return name.index != 0 ? Py_XNewRef(mw_faces_string(faces, name))
                           : PyUnicode_FromString(MW_REGION_NONE);
}

static PyObject *row_traceback(mw_module_state *state, mw_faces *faces, mw_group_key key,
                               const mw_row *row)
{
    PyObject *label;

    switch (key) {
    case MW_GROUP_LINE:
        return mw_traceback_object_new(
            state, single_frame(mw_faces_string(faces, row->file), row->line), NULL, NULL);
    case MW_GROUP_FILE:
        return mw_traceback_object_new(state, single_frame(mw_faces_string(faces, row->file), 0),
                                       NULL, NULL);
    case MW_GROUP_TRACEBACK:
        return mw_traceback_object_lazy(state, faces, row->traceback);
    case MW_GROUP_FUNCTION:
        return function_traceback(state, faces, row);
    case MW_GROUP_MODULE:
        label = mw_faces_string(faces, row->label);
        return label_traceback(state, Py_XNewRef(label), Py_None, label);
    case MW_GROUP_THREAD:
        return label_traceback(state, thread_label(faces, row->thread), Py_None, Py_None);
    case MW_GROUP_REGION:
        return label_traceback(state, region_label(faces, row->label), Py_None, Py_None);
    default:
        label = PyUnicode_FromFormat("domain %u", (unsigned int)row->domain);
        return label_traceback(state, label, Py_None, Py_None);
    }
}

/* ── objects ─────────────────────────────────────────────────────────────────────── */

/* A record of [type] with the values, all of which it takes; NULL where one is NULL. */
static PyObject *record_of(PyTypeObject *type, PyObject **values, int count)
{
    PyObject *record = mw_record_new(type);

    for (int i = 0; i < count; i++) {
        if (values[i] == NULL)
            Py_CLEAR(record);
    }
    for (int i = 0; i < count; i++) {
        if (record != NULL)
            mw_record_take(record, i, values[i]);
        else
            Py_XDECREF(values[i]);
    }
    return record;
}

/* ── estimates ───────────────────────────────────────────────────────────────────── */

/* As whole numbers, and outward: the truth is one. */
static PyObject *range_of(mw_interval interval)
{
    return Py_BuildValue("(LL)", (long long)floor(interval.low), (long long)ceil(interval.high));
}

/* Gives the statistic of an estimated row its ranges; takes and returns it. */
static PyObject *with_ranges(PyObject *statistic_take, const mw_rows *rows, uint32_t row)
{
    PyObject *ranges;

    if (statistic_take == NULL || !rows->are_estimated)
        return statistic_take;
    ranges = Py_BuildValue("(NN)", range_of(mw_rows_bytes_interval(rows, row)),
                           range_of(mw_rows_blocks_interval(rows, row)));
    if (ranges == NULL)
        Py_CLEAR(statistic_take);
    else
        mw_record_take(statistic_take, MW_STATISTIC_RANGES, ranges);
    return statistic_take;
}

static PyObject *with_diff_ranges(PyObject *diff_take, const mw_rows *rows, uint32_t row)
{
    PyObject *ranges;

    if (diff_take == NULL || !rows->are_estimated)
        return diff_take;
    ranges = Py_BuildValue("(NNNN)", range_of(mw_rows_bytes_interval(rows, row)),
                           range_of(mw_rows_bytes_change_interval(rows, row)),
                           range_of(mw_rows_blocks_interval(rows, row)),
                           range_of(mw_rows_blocks_change_interval(rows, row)));
    if (ranges == NULL)
        Py_CLEAR(diff_take);
    else
        mw_record_take(diff_take, MW_DIFF_RANGES, ranges);
    return diff_take;
}

/* ── statistics ──────────────────────────────────────────────────────────────────── */

static PyObject *statistic_of(mw_module_state *state, mw_faces *faces, mw_group_key key,
                              const mw_row *row)
{
    PyObject *values[MW_STATISTIC_RANGES] = {
        [MW_STATISTIC_TRACEBACK] = row_traceback(state, faces, key, row),
        [MW_STATISTIC_SIZE] = PyLong_FromUnsignedLongLong(row->bytes),
        [MW_STATISTIC_COUNT] = PyLong_FromUnsignedLongLong(row->blocks),
    };
    return record_of(state->statistic_type, values, MW_STATISTIC_RANGES);
}

static PyObject *diff_of(mw_module_state *state, mw_faces *faces, mw_group_key key,
                         const mw_row *row)
{
    PyObject *values[MW_DIFF_RANGES] = {
        [MW_DIFF_TRACEBACK] = row_traceback(state, faces, key, row),
        [MW_DIFF_SIZE] = PyLong_FromUnsignedLongLong(row->bytes),
        [MW_DIFF_SIZE_DIFF] = PyLong_FromLongLong(row->bytes_change),
        [MW_DIFF_COUNT] = PyLong_FromUnsignedLongLong(row->blocks),
        [MW_DIFF_COUNT_DIFF] = PyLong_FromLongLong(row->blocks_change),
    };
    return record_of(state->statistic_diff_type, values, MW_DIFF_RANGES);
}

/* ── lists ───────────────────────────────────────────────────────────────────────── */

PyObject *mw_statistics_list(mw_module_state *state, const mw_rows *rows, mw_faces *faces)
{
    PyObject *list = PyList_New(0);

    for (uint32_t i = 0; i < rows->count && list != NULL; i++) {
        PyObject *statistic =
            with_ranges(statistic_of(state, faces, rows->key, &rows->items[i]), rows, i);
        if (statistic == NULL || PyList_Append(list, statistic) < 0)
            Py_CLEAR(list);
        Py_XDECREF(statistic);
    }
    return list;
}

PyObject *mw_statistic_diffs_list(mw_module_state *state, const mw_rows *rows, mw_faces *older,
                                  mw_faces *newer)
{
    PyObject *list = PyList_New(0);

    for (uint32_t i = 0; i < rows->count && list != NULL; i++) {
        const mw_row *row = &rows->items[i];
        mw_faces *faces = row->snapshot == mw_faces_snapshot(newer) ? newer : older;
        PyObject *diff = with_diff_ranges(diff_of(state, faces, rows->key, row), rows, i);
        if (diff == NULL || PyList_Append(list, diff) < 0)
            Py_CLEAR(list);
        Py_XDECREF(diff);
    }
    return list;
}
