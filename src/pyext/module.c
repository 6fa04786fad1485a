/* SPDX-License-Identifier: MIT
 *
 * The extension module memwhy._memwhy: definition, state and method table; nothing else.
 */
#include "pyext/compat.h"
#include "pyext/doctor.h"
#include "pyext/formats.h"
#include "pyext/frame_marks_check.h"
#include "pyext/heap_functions.h"
#include "pyext/heap_object_functions.h"
#include "pyext/module_state.h"
#include "pyext/recorder.h"
#include "pyext/report.h"
#include "pyext/reuse_hooks.h"
#include "pyext/sampling.h"
#include "pyext/tracing.h"
#include "pyext/types.h"

PyDoc_STRVAR(report_text_doc, "The summary of `memwhy run` as text; see memwhy._startup.");
PyDoc_STRVAR(report_json_doc, "The summary of `memwhy run` as JSON; see docs/run.md.");

PyDoc_STRVAR(render_doc, "The bytes of a snapshot's file in another tool's format; see write().");
PyDoc_STRVAR(formats_doc, "The formats that there are: (name, extension of its files), ….");

static PyMethodDef report_methods[] = {
    {"report_text", (PyCFunction)(void (*)(void))mw_report_text, METH_VARARGS | METH_KEYWORDS,
     report_text_doc},
    {"report_json", (PyCFunction)(void (*)(void))mw_report_json, METH_VARARGS | METH_KEYWORDS,
     report_json_doc},
    {"_render", (PyCFunction)(void (*)(void))mw_formats_render, METH_VARARGS | METH_KEYWORDS,
     render_doc},
    {"_formats", mw_formats_list, METH_NOARGS, formats_doc},
    {NULL, NULL, 0, NULL},
};

static int module_exec(PyObject *module)
{
    mw_module_state *state = PyModule_GetState(module);

    if (mw_tracing_init() < 0 || mw_reuse_hooks_init(module) < 0 ||
        mw_types_add(module, state) < 0 || mw_region_type_add(module) < 0 ||
        mw_sampling_add(module) < 0 || mw_recorder_add(module) < 0)
        return -1;
    if (PyModule_AddFunctions(module, report_methods) < 0 ||
        PyModule_AddFunctions(module, mw_frame_marks_check_methods) < 0 ||
        PyModule_AddFunctions(module, mw_doctor_methods) < 0 ||
        PyModule_AddFunctions(module, mw_heap_methods) < 0 ||
        PyModule_AddFunctions(module, mw_heap_census_methods) < 0 ||
        PyModule_AddFunctions(module, mw_heap_object_methods) < 0 ||
        PyModule_AddFunctions(module, mw_heap_referrer_methods) < 0)
        return -1;
    return PyModule_AddStringConstant(module, "__version__", MW_VERSION);
}

static int module_traverse(PyObject *module, visitproc visit, void *arg)
{
    return mw_types_traverse(PyModule_GetState(module), visit, arg);
}

static int module_clear(PyObject *module)
{
    mw_types_clear(PyModule_GetState(module));
    return 0;
}

static void module_free(void *module)
{
    module_clear(module);
}

/* The hooks are one for the process, so the module is the main interpreter's alone; other
 * interpreters are traced all the same. */
static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, module_exec},
    PY_MAIN_INTERPRETER_ONLY_SLOT /* its own comma included */
    {0, NULL},
};

struct PyModuleDef mw_module_definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "memwhy._memwhy",
    .m_doc = "The C side of memwhy: tracer, snapshots and the types of tracemalloc.",
    .m_size = sizeof(mw_module_state),
    .m_methods = mw_tracing_methods,
    .m_slots = module_slots,
    .m_traverse = module_traverse,
    .m_clear = module_clear,
    .m_free = module_free,
};

PyMODINIT_FUNC PyInit__memwhy(void);

PyMODINIT_FUNC PyInit__memwhy(void)
{
    return PyModuleDef_Init(&mw_module_definition);
}
