/* SPDX-License-Identifier: MIT
 *
 * In linecache's cache a name has (size, mtime, lines, path), or a tuple of one function that
 * would make it so; that is not called.  No Python code is run and no object made.
 */
#include "pyext/recorder_source.h"

#include "pyext/compat.h"
#include "pyext/utf8.h"

#include <string.h>

enum { LINES_OF_ENTRY = 2, ENTRY_PARTS = 4 };

static PyObject *find_in_dict(PyObject *dict, const char *name)
{
    Py_ssize_t position = 0;
    PyObject *key;
    PyObject *value;

    while (dict != NULL && PyDict_Check(dict) && PyDict_Next(dict, &position, &key, &value))
        if (PyUnicode_Check(key) && PyUnicode_CompareWithASCIIString(key, name) == 0)
            return value;
    return NULL;
}

/* The line as a str; borrowed, or NULL. */
static PyObject *find_line(const char *file, int32_t line)
{
    PyObject *module = find_in_dict(PyImport_GetModuleDict(), "linecache");
    PyObject *cache = NULL;
    PyObject *entry;
    PyObject *lines;
    PyObject *text;

    if (module != NULL && PyModule_Check(module))
        cache = find_in_dict(PyModule_GetDict(module), "cache");
    entry = find_in_dict(cache, file);
    if (entry == NULL || !PyTuple_Check(entry) || PyTuple_GET_SIZE(entry) != ENTRY_PARTS)
        return NULL;
    lines = PyTuple_GET_ITEM(entry, LINES_OF_ENTRY);
    if (!PyList_Check(lines) || line < 1 || line > PyList_GET_SIZE(lines))
        return NULL;
    text = PyList_GET_ITEM(lines, line - 1);
    return PyUnicode_Check(text) ? text : NULL;
}

static bool ask_linecache(mw_recorder_source *source, const char *file, int32_t line,
                          const char **ret_text, size_t *ret_length)
{
    PyGILState_STATE state;
    PyObject *text;

    if (py_is_finalizing())
        return false;
    state = PyGILState_Ensure();
    text = find_line(file, line);
    if (text != NULL) {
        size_t length = mw_utf8_copy(text, source->line, sizeof source->line);

        while (length > 0 && (source->line[length - 1] == '\n' || source->line[length - 1] == '\r'))
            length--;
        *ret_text = source->line;
        *ret_length = length;
    }
    PyGILState_Release(state);
    return text != NULL;
}

bool mw_recorder_source_line(void *context, const char *file, int32_t line, const char **ret_text,
                             size_t *ret_length)
{
    mw_recorder_source *source = context;

    if (line < 1)
        return false;
    if (*file != '<')
        return mw_source_files_line(&source->files, file, line, ret_text, ret_length);
    /* The interpreter's own, of which nobody tells linecache. */
    if (strncmp(file, "<frozen ", sizeof "<frozen " - 1) == 0)
        return false;
    return ask_linecache(source, file, line, ret_text, ret_length);
}
