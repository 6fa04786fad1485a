/* SPDX-License-Identifier: MIT */
#include "pyext/report.h"

#include "pyext/faces.h"
#include "pyext/raise.h"
#include "pyext/types.h"
#include "pyext/utf8.h"
#include "render/summary.h"

#include <string.h>

/* A Python list of str as an array of C strings. */
typedef struct text_list {
    mw_utf8 *holders; /* owned; `count` of them are filled */
    const char **texts;
    Py_ssize_t count;
} text_list;

typedef struct report_request {
    PyObject *snapshot;
    PyObject *program;
    PyObject *library;
    PyObject *directory;
    const char *by;
    unsigned long long current, peak, overhead, lost_blocks, lost_bytes;
    const char *stage; /* of what was given up, see core/budget.h */
    unsigned long long cut_blocks, cut_bytes;
    unsigned int top, width;
    int has_colour;
} report_request;

typedef mw_status (*summary_writer)(const mw_summary *, mw_alloc *, mw_sink *, mw_error *);

/* ── arguments ───────────────────────────────────────────────────────────────────── */

static void text_list_done(text_list *list)
{
    for (Py_ssize_t i = 0; i < list->count; i++)
        mw_utf8_done(&list->holders[i]);
    PyMem_Free(list->holders);
    PyMem_Free(list->texts);
}

static int text_list_init(text_list *list, PyObject *items)
{
    Py_ssize_t count = PyList_GET_SIZE(items);

    list->holders = PyMem_Calloc((size_t)count + 1, sizeof *list->holders);
    list->texts = PyMem_Calloc((size_t)count + 1, sizeof *list->texts);
    if (list->holders == NULL || list->texts == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    for (; list->count < count; list->count++) {
        PyObject *item = PyList_GET_ITEM(items, list->count);
        if (!PyUnicode_Check(item)) {
            PyErr_SetString(PyExc_TypeError, "places must be str");
            return -1;
        }
        if (mw_utf8_init(&list->holders[list->count], item) < 0)
            return -1;
        list->texts[list->count] = list->holders[list->count].bytes;
    }
    return 0;
}

static int parse(report_request *request, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"snapshot", "by",     "top",      "current", "peak",
                            "overhead", "lost",   "program",  "library", "directory",
                            "width",    "colour", "degraded", NULL};

    request->width = 80;
    request->stage = mw_stage_name(MW_STAGE_EXACT);
    if (!PyArg_ParseTupleAndKeywords(
            args, kwargs, "O|$sIKKK(KK)O!O!UIp(sKK)", names, &request->snapshot, &request->by,
            &request->top, &request->current, &request->peak, &request->overhead,
            &request->lost_blocks, &request->lost_bytes, &PyList_Type, &request->program,
            &PyList_Type, &request->library, &request->directory, &request->width,
            &request->has_colour, &request->stage, &request->cut_blocks, &request->cut_bytes))
        return -1;
    if (request->by != NULL && request->program != NULL && request->library != NULL &&
        request->directory != NULL)
        return 0;
    PyErr_SetString(PyExc_TypeError, "by, program, library and directory are required");
    return -1;
}

static int parse_key(const char *by, mw_group_key *ret_key)
{
    static const char *const names[MW_GROUP_COUNT] = {[MW_GROUP_LINE] = "line",
                                                      [MW_GROUP_FILE] = "file",
                                                      [MW_GROUP_FUNCTION] = "function",
                                                      [MW_GROUP_REGION] = "region",
                                                      [MW_GROUP_TRACEBACK] = "traceback"};

    for (int key = 0; key < MW_GROUP_COUNT; key++)
        if (names[key] != NULL && strcmp(names[key], by) == 0) {
            *ret_key = (mw_group_key)key;
            return 0;
        }
    PyErr_Format(PyExc_ValueError, "unknown grouping: %s", by);
    return -1;
}

/* ── writing ─────────────────────────────────────────────────────────────────────── */

static PyObject *write_summary(const mw_summary *summary, summary_writer writer)
{
    mw_error error;
    mw_buffer buffer;
    mw_status status;
    PyObject *text;

    mw_buffer_init(&buffer, mw_alloc_system());
    status = writer(summary, mw_alloc_system(), &buffer.sink, &error);
    text = status == MW_OK ? mw_utf8_to_str(buffer.bytes, buffer.length) : mw_raise(status, &error);
    mw_buffer_done(&buffer);
    return text;
}

/* The tables of a Snapshot object lie behind its traces. */
static mw_faces *open_snapshot(PyObject *module, PyObject *snapshot)
{
    PyObject *traces = PyObject_GetAttrString(snapshot, "traces");
    mw_faces *faces = NULL;
    int found;

    if (traces == NULL)
        return NULL;
    found = mw_traces_open(PyModule_GetState(module), traces, &faces);
    Py_DECREF(traces);
    if (found == 0)
        PyErr_SetString(PyExc_ValueError, "this snapshot has no tables");
    return found == 1 ? faces : NULL;
}

static PyObject *write_request(const report_request *request, const mw_snapshot *snapshot,
                               const mw_places *places, summary_writer writer)
{
    mw_disk_source source;
    mw_summary summary = {.snapshot = snapshot,
                          .places = places,
                          .source = &source.source,
                          .top = request->top,
                          .current_bytes = request->current,
                          .peak_bytes = request->peak,
                          .overhead_bytes = request->overhead,
                          .lost_blocks = request->lost_blocks,
                          .lost_bytes = request->lost_bytes,
                          .stage = mw_stage_of_name(request->stage),
                          .cut_blocks = request->cut_blocks,
                          .cut_bytes = request->cut_bytes,
                          .width = request->width < 60 ? 60 : request->width,
                          .has_colour = request->has_colour != 0};

    if (parse_key(request->by, &summary.by) < 0)
        return NULL;
    mw_disk_source_init(&source, places->directory);
    return write_summary(&summary, writer);
}

static PyObject *report(PyObject *module, PyObject *args, PyObject *kwargs, summary_writer writer)
{
    report_request request = {0};
    text_list program = {0};
    text_list library = {0};
    mw_utf8 directory = {0};
    mw_faces *faces = NULL;
    PyObject *text = NULL;

    if (parse(&request, args, kwargs) < 0)
        return NULL;
    if (mw_utf8_init(&directory, request.directory) < 0)
        return NULL;
    if (text_list_init(&program, request.program) < 0 ||
        text_list_init(&library, request.library) < 0)
        goto done;
    faces = open_snapshot(module, request.snapshot);
    if (faces != NULL) {
        mw_places places = {.program = program.texts,
                            .program_count = (size_t)program.count,
                            .library = library.texts,
                            .library_count = (size_t)library.count,
                            .directory = directory.bytes};
        text = write_request(&request, mw_faces_snapshot(faces), &places, writer);
    }

done:
    mw_faces_release(faces);
    text_list_done(&program);
    text_list_done(&library);
    mw_utf8_done(&directory);
    return text;
}

PyObject *mw_report_text(PyObject *module, PyObject *args, PyObject *kwargs)
{
    return report(module, args, kwargs, mw_summary_write_text);
}

PyObject *mw_report_json(PyObject *module, PyObject *args, PyObject *kwargs)
{
    return report(module, args, kwargs, mw_summary_write_json);
}
