/* SPDX-License-Identifier: MIT
 *
 * Objects made of slots; see record.h.
 */
#include "pyext/record.h"

PyObject *mw_record_new(PyTypeObject *type)
{
    return type->tp_alloc(type, 0);
}

PyObject *mw_record_slot(PyObject *self, int slot, const char *name)
{
    PyObject *value = mw_record_peek(self, slot);
    if (value != NULL)
        return Py_NewRef(value);

    /* The interpreter has the words for it, which differ from version to version. */
    PyMemberDef member = MW_RECORD_MEMBER(name, slot, NULL);
    return PyMember_GetOne((const char *)self, &member);
}

PyObject *mw_record_slot_item(PyObject *self, int slot, const char *name, Py_ssize_t index)
{
    PyObject *value = mw_record_slot(self, slot, name);
    PyObject *item = value != NULL ? PySequence_GetItem(value, index) : NULL;

    Py_XDECREF(value);
    return item;
}

PyObject *mw_record_compare(PyObject *self, PyObject *other, int slot, const char *name,
                            int operation)
{
    PyObject *mine = mw_record_slot(self, slot, name);
    PyObject *theirs = mine != NULL ? mw_record_slot(other, slot, name) : NULL;
    PyObject *result = theirs != NULL ? PyObject_RichCompare(mine, theirs, operation) : NULL;

    Py_XDECREF(mine);
    Py_XDECREF(theirs);
    return result;
}

Py_hash_t mw_record_hash(PyObject *self, int slot, const char *name)
{
    PyObject *value = mw_record_slot(self, slot, name);
    Py_hash_t hash = value != NULL ? PyObject_Hash(value) : -1;

    Py_XDECREF(value);
    return hash;
}

PyObject *mw_record_as_tuple(PyObject *self, const char *const *names, int slot_count)
{
    PyObject *tuple = PyTuple_New(slot_count);

    for (int i = 0; i < slot_count && tuple != NULL; i++) {
        PyObject *value = mw_record_slot(self, i, names[i]);
        if (value == NULL)
            Py_CLEAR(tuple);
        else
            PyTuple_SET_ITEM(tuple, i, value);
    }
    return tuple;
}

int mw_record_traverse(PyObject *self, int slot_count, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    for (int i = 0; i < slot_count; i++)
        Py_VISIT(((mw_record *)self)->slots[i]);
    return 0;
}

int mw_record_clear(PyObject *self, int slot_count)
{
    for (int i = 0; i < slot_count; i++)
        Py_CLEAR(((mw_record *)self)->slots[i]);
    return 0;
}

void mw_record_dealloc(PyObject *self, int slot_count)
{
    PyTypeObject *type = Py_TYPE(self);

    PyObject_GC_UnTrack(self);
    mw_record_clear(self, slot_count);
    type->tp_free(self);
    Py_DECREF(type);
}

int mw_record_declare_slots(PyTypeObject *type, const char *const *names)
{
    PyObject *list = PyList_New(0);
    int result = -1;

    for (; list != NULL && *names != NULL; names++) {
        PyObject *name = PyUnicode_InternFromString(*names);
        if (name == NULL || PyList_Append(list, name) < 0)
            Py_CLEAR(list);
        Py_XDECREF(name);
    }
    PyObject *tuple = list != NULL ? PyList_AsTuple(list) : NULL;
    if (tuple != NULL)
        result = PyObject_SetAttrString((PyObject *)type, "__slots__", tuple);
    Py_XDECREF(list);
    Py_XDECREF(tuple);
    return result;
}
