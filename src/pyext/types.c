/* SPDX-License-Identifier: MIT
 *
 * Creates the types of the drop-in in the module's state.
 */
#include "pyext/types.h"

#include "pyext/compat.h"

mw_module_state *mw_state_of(PyObject *self)
{
    PyObject *module = PyType_GetModuleByDef(Py_TYPE(self), &mw_module_definition);

    return module != NULL ? PyModule_GetState(module) : NULL;
}

/* Messages like "unhashable type: …" show tp_name, which for a class written in Python is
 * its name without the module; setting the name anew makes it so here. */
static int drop_module_from_name(PyObject *type)
{
    PyObject *name = PyType_GetName((PyTypeObject *)type);
    int result = name != NULL ? PyObject_SetAttrString(type, "__name__", name) : -1;

    Py_XDECREF(name);
    return result;
}

int mw_type_add(PyObject *module, PyType_Spec *spec, PyTypeObject *base, PyTypeObject **ret_type)
{
    PyObject *type = PyType_FromModuleAndSpec(module, spec, (PyObject *)base);

    if (type == NULL)
        return -1;
    *ret_type = (PyTypeObject *)type;
    if (drop_module_from_name(type) < 0)
        return -1;
    return PyModule_AddType(module, *ret_type);
}

int mw_type_make_sequence(PyTypeObject *type)
{
    static const char *const inherited[] = {"index", "count", "__reversed__"};
    /* What collections.abc is another name for; os has imported it, and not collections. */
    PyObject *abc = PyImport_ImportModule("_collections_abc");
    PyObject *sequence = abc != NULL ? PyObject_GetAttrString(abc, "Sequence") : NULL;
    int result = sequence != NULL ? 0 : -1;

    for (size_t i = 0; i < Py_ARRAY_LENGTH(inherited) && result == 0; i++) {
        PyObject *method = PyObject_GetAttrString(sequence, inherited[i]);
        if (method == NULL || PyObject_SetAttrString((PyObject *)type, inherited[i], method) < 0)
            result = -1;
        Py_XDECREF(method);
    }
    if (result == 0) {
        PyObject *registered = PyObject_CallMethod(sequence, "register", "O", type);
        result = registered != NULL ? 0 : -1;
        Py_XDECREF(registered);
    }
    Py_XDECREF(sequence);
    Py_XDECREF(abc);
    return result;
}

static int intern_names(mw_module_state *state)
{
#define X(identifier, text)                                                                        \
    state->names.identifier = PyUnicode_InternFromString(text);                                    \
    if (state->names.identifier == NULL)                                                           \
        return -1;
    MW_FOR_EACH_NAME(X)
#undef X
    return 0;
}

int mw_types_add(PyObject *module, mw_module_state *state)
{
    static int (*const add[])(PyObject *, mw_module_state *) = {
        mw_frame_type_add,      mw_traceback_type_add, mw_trace_type_add,    mw_traces_type_add,
        mw_statistic_types_add, mw_filter_types_add,   mw_snapshot_type_add,
    };

    if (intern_names(state) < 0)
        return -1;
    for (size_t i = 0; i < Py_ARRAY_LENGTH(add); i++) {
        if (add[i](module, state) < 0)
            return -1;
    }
    return 0;
}

int mw_types_traverse(mw_module_state *state, visitproc visit, void *arg)
{
    Py_VISIT(state->frame_type);
    Py_VISIT(state->traceback_type);
    Py_VISIT(state->trace_type);
    Py_VISIT(state->traces_type);
    Py_VISIT(state->statistic_type);
    Py_VISIT(state->statistic_diff_type);
    Py_VISIT(state->base_filter_type);
    Py_VISIT(state->filter_type);
    Py_VISIT(state->domain_filter_type);
    Py_VISIT(state->snapshot_type);
    return 0;
}

void mw_types_clear(mw_module_state *state)
{
    Py_CLEAR(state->frame_type);
    Py_CLEAR(state->traceback_type);
    Py_CLEAR(state->trace_type);
    Py_CLEAR(state->traces_type);
    Py_CLEAR(state->statistic_type);
    Py_CLEAR(state->statistic_diff_type);
    Py_CLEAR(state->base_filter_type);
    Py_CLEAR(state->filter_type);
    Py_CLEAR(state->domain_filter_type);
    Py_CLEAR(state->snapshot_type);
#define X(identifier, text) Py_CLEAR(state->names.identifier);
    MW_FOR_EACH_NAME(X)
#undef X
}
