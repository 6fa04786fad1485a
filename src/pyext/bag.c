/* SPDX-License-Identifier: MIT
 *
 * Objects made of a __dict__; see bag.h.
 */
#include "pyext/bag.h"

#include <stddef.h>

PyMemberDef mw_bag_members[] = {
    {"__dictoffset__", Py_T_PYSSIZET, offsetof(mw_bag, attributes), Py_READONLY, NULL},
    {"__weaklistoffset__", Py_T_PYSSIZET, offsetof(mw_bag, weak_references), Py_READONLY, NULL},
    {0},
};

int mw_bag_traverse(PyObject *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(((mw_bag *)self)->attributes);
    return 0;
}

int mw_bag_clear(PyObject *self)
{
    Py_CLEAR(((mw_bag *)self)->attributes);
    return 0;
}

void mw_bag_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);

    PyObject_GC_UnTrack(self);
    if (((mw_bag *)self)->weak_references != NULL)
        PyObject_ClearWeakRefs(self);
    mw_bag_clear(self);
    type->tp_free(self);
    Py_DECREF(type);
}

PyObject *mw_call_helper(const char *module, const char *function, PyObject *const *args,
                         size_t count)
{
    PyObject *result = NULL;
    PyObject *callable = NULL;
    PyObject *imported = PyImport_ImportModule(module);

    if (imported != NULL)
        callable = PyObject_GetAttrString(imported, function);
    if (callable != NULL)
        result = PyObject_Vectorcall(callable, args, count, NULL);
    Py_XDECREF(imported);
    Py_XDECREF(callable);
    return result;
}
