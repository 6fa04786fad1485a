/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "pyext/doctor.h"

#include "pyext/compat.h"
#include "pyext/frames.h"
#include "pyext/mechanisms.h"

#include <dlfcn.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* The first name in MEMWHY_DISABLE that is none of ours; empty if there is none. */
static char unknown[64];

void mw_doctor_note_unknown(const char *name)
{
    char known[160] = "all";

    if (name == NULL)
        return;
    snprintf(unknown, sizeof unknown, "%.*s", (int)strcspn(name, ","), name);
    for (int index = 0; index < MW_MECHANISM_COUNT; index++) {
        strncat(known, ", ", sizeof known - strlen(known) - 1);
        strncat(known, mw_mechanism_get(index)->name, sizeof known - strlen(known) - 1);
    }
    /* Where the program makes warnings errors, only the doctor tells. */
    if (PyErr_WarnFormat(PyExc_RuntimeWarning, 1,
                         "MEMWHY_DISABLE names \"%s\", which memwhy does not know; it knows %s",
                         unknown, known) < 0)
        PyErr_Clear();
}

/* ── facts ───────────────────────────────────────────────────────────────────────── */

static PyObject *describe_mechanism(const mw_mechanism_state *state)
{
    return Py_BuildValue("{s:s,s:s,s:N,s:N,s:s}", "name", state->name, "purpose", state->purpose,
                         "in_force", PyBool_FromLong(state->is_in_force), "disabled",
                         PyBool_FromLong(state->is_disabled), "detail", state->detail);
}

static PyObject *describe_mechanisms(void)
{
    PyObject *list = PyList_New(MW_MECHANISM_COUNT);

    for (int index = 0; list != NULL && index < MW_MECHANISM_COUNT; index++) {
        PyObject *item = describe_mechanism(mw_mechanism_get(index));

        if (item == NULL)
            Py_CLEAR(list);
        else
            PyList_SET_ITEM(list, index, item);
    }
    return list;
}

/* The file that holds the interpreter: a shared library, or the program itself. */
static const char *interpreter_file(void)
{
    Dl_info info;
    void *symbol = dlsym(RTLD_DEFAULT, "PyObject_Malloc");

    if (symbol == NULL || dladdr(symbol, &info) == 0)
        return NULL;
    return info.dli_fname;
}

/* Why pages that were written to may not be made executable; NULL if they may. */
static const char *objection_to_code(void)
{
    size_t length = (size_t)sysconf(_SC_PAGESIZE);
    void *page = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    const char *objection = NULL;

    if (page == MAP_FAILED)
        return strerror(errno);
    memset(page, 0, length);
    if (mprotect(page, length, PROT_READ | PROT_EXEC) != 0)
        objection = strerror(errno);
    munmap(page, length);
    return objection;
}

PyDoc_STRVAR(doctor_doc, "_doctor($module, /)\n--\n\n"
                         "What only C can tell memwhy._doctor, as a dict.");

static PyObject *doctor(PyObject *module, PyObject *ignored)
{
    uint32_t compared = 0;
    bool agree = mw_frames_agree_with_debug_offsets(&compared);
    const char *file = interpreter_file();
    PyObject *mechanisms = describe_mechanisms();

    if (mechanisms == NULL)
        return NULL;
    return Py_BuildValue(
        "{s:N,s:z,s:z,s:N,s:N,s:z,s:N,s:I}", "mechanisms", mechanisms, "unknown_disabled",
        *unknown != '\0' ? unknown : NULL, "allocator", py_allocator_name(), "interpreter_file",
        file != NULL ? PyUnicode_DecodeFSDefault(file) : Py_NewRef(Py_None), "reference_tracer",
        PyBool_FromLong(py_has_reference_tracer()), "objection_to_code", objection_to_code(),
        "offsets_agree", PyBool_FromLong(agree), "offsets_compared", compared);
}

PyDoc_STRVAR(frames_doc, "_doctor_frames($module, /)\n--\n\n"
                         "Whether the thread's frames are what the public functions say.");

static PyObject *frames(PyObject *module, PyObject *ignored)
{
    const char *reason;

    return PyBool_FromLong(mw_frames_self_check(&reason));
}

PyMethodDef mw_doctor_methods[] = {
    {"_doctor", doctor, METH_NOARGS, doctor_doc},
    {"_doctor_frames", frames, METH_NOARGS, frames_doc},
    {NULL, NULL, 0, NULL},
};
