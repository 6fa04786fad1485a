/* SPDX-License-Identifier: MIT */
#include "pyext/formats.h"

#include "pyext/faces.h"
#include "pyext/raise.h"
#include "pyext/types.h"
#include "render/renderer.h"

/* The tables of a Snapshot object lie behind its traces. */
static mw_faces *open_snapshot(PyObject *module, PyObject *snapshot)
{
    PyObject *traces = PyObject_GetAttrString(snapshot, "traces");
    mw_faces *faces = NULL;
    int found;

    if (traces == NULL) {
        if (PyErr_ExceptionMatches(PyExc_AttributeError))
            PyErr_Format(PyExc_TypeError, "a Snapshot is wanted, not %s",
                         Py_TYPE(snapshot)->tp_name);
        return NULL;
    }
    found = mw_traces_open(PyModule_GetState(module), traces, &faces);
    Py_DECREF(traces);
    if (found == 0)
        PyErr_SetString(PyExc_ValueError, "the snapshot's traces are not such as a tracer makes");
    return found == 1 ? faces : NULL;
}

static PyObject *write_view(const mw_renderer *renderer, const mw_snapshot *snapshot,
                            const mw_snapshot *older)
{
    const mw_places places = {.directory = ""};
    mw_disk_source source;
    mw_view view = {.snapshot = snapshot, .older = older, .places = &places};
    mw_buffer buffer;
    mw_error error;
    mw_status status;
    PyObject *bytes;

    mw_disk_source_init(&source, ".");
    view.source = &source.source;
    mw_buffer_init(&buffer, mw_alloc_system());
    status = renderer->write(&view, mw_alloc_system(), &buffer.sink, &error);
    bytes = status == MW_OK ? PyBytes_FromStringAndSize(buffer.bytes, buffer.length)
                            : mw_raise(status, &error);
    mw_buffer_done(&buffer);
    return bytes;
}

PyObject *mw_formats_render(PyObject *module, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"snapshot", "format", "older", NULL};
    PyObject *snapshot, *older = Py_None;
    const char *format;
    const mw_renderer *renderer;
    mw_faces *faces = NULL, *older_faces = NULL;
    PyObject *bytes = NULL;

    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "Os|O", names, &snapshot, &format, &older))
        return NULL;
    renderer = mw_renderer_find(format);
    if (renderer == NULL)
        return PyErr_Format(PyExc_ValueError, "there is no format %s", format);
    faces = open_snapshot(module, snapshot);
    if (faces != NULL && older != Py_None)
        older_faces = open_snapshot(module, older);
    if (faces != NULL && (older == Py_None || older_faces != NULL))
        bytes = write_view(renderer, mw_faces_snapshot(faces),
                           older_faces == NULL ? NULL : mw_faces_snapshot(older_faces));
    mw_faces_release(faces);
    mw_faces_release(older_faces);
    return bytes;
}

PyObject *mw_formats_list(PyObject *module, PyObject *unused)
{
    PyObject *list = PyList_New(0);
    PyObject *tuple = NULL;

    for (const mw_renderer *const *at = mw_renderers; *at != NULL && list != NULL; at++) {
        PyObject *row = Py_BuildValue("(ss)", (*at)->name, (*at)->extension);
        if (row == NULL || PyList_Append(list, row) < 0)
            Py_CLEAR(list);
        Py_XDECREF(row);
    }
    if (list != NULL)
        tuple = PyList_AsTuple(list);
    Py_XDECREF(list);
    return tuple;
}
