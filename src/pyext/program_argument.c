/* SPDX-License-Identifier: MIT */
#include "pyext/program_argument.h"

#include "base/alloc.h"
#include "pyext/utf8.h"

#include <string.h>

/* A text of the description and where it goes. */
typedef struct text_place {
    const char *key;
    size_t offset; /* in mw_program */
} text_place;

static const text_place text_places[] = {
    {"name", offsetof(mw_program, name)},
    {"command_line", offsetof(mw_program, command_line)},
    {"directory", offsetof(mw_program, directory)},
    {"python", offsetof(mw_program, python)},
    {"executable", offsetof(mw_program, executable)},
    {"memwhy", offsetof(mw_program, memwhy)},
    {"host", offsetof(mw_program, host)},
};

enum { TEXTS = sizeof text_places / sizeof text_places[0] };

static const char **text_of(mw_program *program, const text_place *place)
{
    return (const char **)((char *)program + place->offset);
}

/* A copy of [text], which must be a str, up to its first NUL; NULL with an exception. */
static char *copy_text(PyObject *text)
{
    mw_utf8 utf8;
    size_t length;
    char *copied;

    if (text == NULL || !PyUnicode_Check(text)) {
        PyErr_SetString(PyExc_TypeError, "the description of a program has a part missing");
        return NULL;
    }
    if (mw_utf8_init(&utf8, text) < 0)
        return NULL;
    length = strnlen(utf8.bytes, utf8.length);
    copied = mw_alloc_new(mw_alloc_system(), length + 1);
    if (copied != NULL)
        memcpy(copied, utf8.bytes, length);
    else
        PyErr_NoMemory();
    mw_utf8_done(&utf8);
    return copied;
}

static void release_text(const char *text)
{
    if (text != NULL)
        mw_alloc_release(mw_alloc_system(), (char *)text, strlen(text) + 1);
}

static int copy_list(PyObject *items, const char *const **ret_texts, size_t *ret_count)
{
    Py_ssize_t count = items != NULL && PyList_Check(items) ? PyList_GET_SIZE(items) : 0;
    const char **texts = mw_alloc_array(mw_alloc_system(), (size_t)count, sizeof *texts);

    if (texts == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    *ret_texts = texts;
    *ret_count = (size_t)count;
    for (Py_ssize_t i = 0; i < count; i++) {
        texts[i] = copy_text(PyList_GET_ITEM(items, i));
        if (texts[i] == NULL)
            return -1;
    }
    return 0;
}

static void release_list(const char *const *texts, size_t count)
{
    for (size_t i = 0; i < count; i++)
        release_text(texts[i]);
    mw_alloc_release(mw_alloc_system(), (void *)texts, count * sizeof *texts);
}

int mw_program_argument_init(mw_program *program, PyObject *description)
{
    *program = (mw_program){0};
    for (size_t i = 0; i < TEXTS; i++) {
        char *copied = copy_text(PyDict_GetItemString(description, text_places[i].key));

        if (copied == NULL)
            goto failed;
        *text_of(program, &text_places[i]) = copied;
    }
    if (copy_list(PyDict_GetItemString(description, "program"), &program->program_places,
                  &program->program_place_count) == 0 &&
        copy_list(PyDict_GetItemString(description, "library"), &program->library_places,
                  &program->library_place_count) == 0)
        return 0;

failed:
    mw_program_argument_done(program);
    return -1;
}

void mw_program_argument_done(mw_program *program)
{
    for (size_t i = 0; i < TEXTS; i++)
        release_text(*text_of(program, &text_places[i]));
    release_list(program->program_places, program->program_place_count);
    release_list(program->library_places, program->library_place_count);
    *program = (mw_program){0};
}
