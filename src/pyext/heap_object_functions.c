/* SPDX-License-Identifier: MIT
 *
 * Objects by type and by id, and what there is to ask about one.
 */
#include "pyext/heap_layouts.h"

#include "pyext/heap_object_functions.h"

#include "pyext/heap_objects.h"
#include "pyext/raise.h"

/* ── what all need ───────────────────────────────────────────────────────────────── */

int mw_heap_check_count(const char *function, Py_ssize_t count, Py_ssize_t wanted)
{
    if (count == wanted)
        return 0;
    PyErr_Format(PyExc_TypeError, "%s() takes %zd arguments", function, wanted);
    return -1;
}

mw_alloc *mw_heap_limited_alloc(mw_limited_alloc *alloc)
{
    *alloc = mw_limited_alloc_of(mw_heap_available_bytes());
    return &alloc->base;
}

PyObject *mw_heap_raise_search(mw_status status)
{
    if (status != MW_NO_MEMORY)
        return mw_raise(status, NULL);
    PyErr_SetString(PyExc_MemoryError, "there is too little memory left to search this heap");
    return NULL;
}

/* ── the objects themselves ──────────────────────────────────────────────────────── */

static PyObject *answer_objects(mw_heap_objects *objects, mw_status status)
{
    PyObject *list;

    if (status != MW_OK)
        return mw_heap_raise_search(status);
    mw_heap_objects_hold(objects);
    list = mw_heap_objects_take_list(objects);
    mw_heap_objects_done(objects);
    return list;
}

static mw_status select_types(mw_heap_selection *selection, PyObject *list)
{
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(list); i++)
        if (mw_heap_types_of(&selection->types, (PyTypeObject *)PyList_GET_ITEM(list, i)) ==
            MW_HEAP_TYPE_FRAME)
            return MW_NO_MEMORY;
    selection->type_count = (uint32_t)PyList_GET_SIZE(list);
    return MW_OK;
}

PyDoc_STRVAR(objects_of_doc, "_objects_of($module, types, everything, /)\n"
                             "--\n\n"
                             "All objects of the types in a list, each there once; of any type\n"
                             "if that is None.  Half made objects are left out.");

static PyObject *objects_of(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
{
    mw_limited_alloc alloc;
    mw_heap_selection selection = {.type_count = UINT32_MAX};
    mw_heap_objects objects = {0};
    mw_status status;

    if (mw_heap_check_count("_objects_of", count, 2) < 0)
        return NULL;
    if (arguments[0] != Py_None && !PyList_CheckExact(arguments[0])) {
        PyErr_SetString(PyExc_TypeError, "types must be a list or None");
        return NULL;
    }
    selection.everything = arguments[1] == Py_True;
    status = mw_heap_types_init(&selection.types, mw_heap_limited_alloc(&alloc));
    if (status == MW_OK && arguments[0] != Py_None)
        status = select_types(&selection, arguments[0]);
    if (status == MW_OK)
        status = mw_heap_objects_init(&objects, &selection, &alloc.base);
    mw_heap_types_done(&selection.types);
    return answer_objects(&objects, status);
}

/* Whatever is no address is the address of nothing. */
static mw_status note_address(mw_pointer_map *addresses, PyObject *id)
{
    void *address = PyLong_Check(id) ? PyLong_AsVoidPtr(id) : NULL;
    uint32_t *slot;

    PyErr_Clear();
    if (address == NULL)
        return MW_OK;
    slot = mw_pointer_map_slot(addresses, (uintptr_t)address);
    if (slot == NULL)
        return MW_NO_MEMORY;
    *slot = 1;
    return MW_OK;
}

PyDoc_STRVAR(objects_at_doc, "_objects_at($module, ids, everything, /)\n"
                             "--\n\n"
                             "The objects that have the ids in a list.");

static PyObject *objects_at(PyObject *module, PyObject *const *arguments, Py_ssize_t count)
{
    mw_limited_alloc alloc;
    mw_pointer_map addresses;
    mw_heap_selection selection = {.type_count = UINT32_MAX, .addresses = &addresses};
    mw_heap_objects objects = {0};
    mw_status status;

    if (mw_heap_check_count("_objects_at", count, 2) < 0)
        return NULL;
    if (!PyList_CheckExact(arguments[0])) {
        PyErr_SetString(PyExc_TypeError, "ids must be a list");
        return NULL;
    }
    selection.everything = arguments[1] == Py_True;
    status = mw_pointer_map_init(&addresses, mw_heap_limited_alloc(&alloc));
    for (Py_ssize_t i = 0; status == MW_OK && i < PyList_GET_SIZE(arguments[0]); i++)
        status = note_address(&addresses, PyList_GET_ITEM(arguments[0], i));
    if (status == MW_OK)
        status = mw_heap_objects_init(&objects, &selection, &alloc.base);
    mw_pointer_map_done(&addresses);
    return answer_objects(&objects, status);
}

PyDoc_STRVAR(objects_unreferred_doc, "_objects_unreferred($module, everything, /)\n"
                                     "--\n\n"
                                     "Objects to which no other object and no running frame\n"
                                     "refers.");

static PyObject *objects_unreferred(PyObject *module, PyObject *everything)
{
    mw_limited_alloc alloc;
    mw_heap_objects objects = {0};
    mw_status status = mw_heap_objects_init_unreferred(&objects, everything == Py_True,
                                                       mw_heap_limited_alloc(&alloc));

    return answer_objects(&objects, status);
}

/* ── one object ──────────────────────────────────────────────────────────────────── */

PyDoc_STRVAR(object_dict_doc, "_object_dict($module, object, /)\n"
                              "--\n\n"
                              "The object's __dict__ if it has been made, else None.");

static PyObject *object_dict(PyObject *module, PyObject *object)
{
    PyObject *dict = mw_layout_attributes_of(object).dict;
    const PyTypeObject *type = Py_TYPE(object);

    /* Until 3.11, behind an int's or a tuple's items. */
    if (type->tp_dictoffset < 0 && (type->tp_flags & Py_TPFLAGS_MANAGED_DICT) == 0)
        dict = *_PyObject_GetDictPtr(object);
    return Py_NewRef(dict != NULL ? dict : Py_None);
}

PyDoc_STRVAR(object_references_doc, "_object_references($module, object, /)\n"
                                    "--\n\n"
                                    "What the object's reference count is while it is asked for.");

static PyObject *object_references(PyObject *module, PyObject *object)
{
    return PyLong_FromSsize_t(Py_REFCNT(object));
}

/* What one object refers to. */
typedef struct referents {
    mw_edge_batch batch; /* first: `full` gets it back */
    mw_heap_objects objects;
    PyObject *private; /* must not be handed out, or NULL */
} referents;

static void keep_referents(mw_edge_batch *batch)
{
    referents *self = (referents *)batch;

    for (uint32_t i = 0; i < batch->count; i++)
        if (batch->items[i] != self->private && !mw_heap_is_half_made(batch->items[i]))
            mw_heap_objects_add(&self->objects, batch->items[i]);
    batch->count = 0;
}

static void find_referents(referents *self, PyObject *object, const mw_heap_type *type)
{
    self->batch.full = keep_referents;
    self->batch.interpreter = PyInterpreterState_Get();
    self->batch.interned = mw_layout_interned(self->batch.interpreter);
    if (PyByteArray_Check(object))
        self->private = mw_layout_bytearray_object(object);
    if (PyFrame_Check(object) && !mw_frames_has_ended((PyFrameObject *)object))
        mw_heap_edges_of_frame(&self->batch, ((PyFrameObject *)object)->f_frame);
    else
        mw_heap_edges_of(&self->batch, object, type);
    keep_referents(&self->batch);
}

PyDoc_STRVAR(object_referents_doc,
             "_object_referents($module, object, /)\n"
             "--\n\n"
             "As gc.get_referents(), with what that leaves out because it cannot be part of\n"
             "a cycle; and of frames that run.");

static PyObject *object_referents(PyObject *module, PyObject *object)
{
    mw_alloc *alloc = mw_alloc_system();
    referents *self = mw_alloc_new(alloc, sizeof *self);
    mw_heap_types types;
    mw_status status = self != NULL ? mw_heap_types_init(&types, alloc) : MW_NO_MEMORY;
    PyObject *list = NULL;

    if (self == NULL)
        return mw_heap_raise_search(status);
    if (status == MW_OK) {
        uint32_t number = mw_heap_types_of(&types, Py_TYPE(object));

        self->objects.alloc = alloc;
        status = number != MW_HEAP_TYPE_FRAME ? MW_OK : MW_NO_MEMORY;
        if (status == MW_OK)
            find_referents(self, object, &types.items[number]);
        if (status == MW_OK)
            status = self->objects.status;
    }
    list = answer_objects(&self->objects, status);
    mw_heap_types_done(&types);
    mw_heap_objects_done(&self->objects);
    mw_alloc_release(alloc, self, sizeof *self);
    return list;
}

/* ── as gc.get_referents ─────────────────────────────────────────────────────────── */

PyDoc_STRVAR(object_traversed_doc,
             "_object_traversed($module, object, /)\n"
             "--\n\n"
             "What gc.get_referents() says, but for what is dead: 3.12.1's asyncio module\n"
             "tells of objects in its free list.");

static int append_living(PyObject *object, void *list)
{
    return Py_REFCNT(object) > 0 ? PyList_Append(list, object) : 0;
}

static PyObject *object_traversed(PyObject *module, PyObject *object)
{
    traverseproc traverse = Py_TYPE(object)->tp_traverse;
    PyObject *list = PyList_New(0);

    if (list != NULL && PyObject_IS_GC(object) && traverse != NULL &&
        traverse(object, append_living, list) != 0)
        Py_CLEAR(list);
    return list;
}

PyMethodDef mw_heap_object_methods[] = {
    {"_objects_of", (PyCFunction)(void (*)(void))objects_of, METH_FASTCALL, objects_of_doc},
    {"_objects_at", (PyCFunction)(void (*)(void))objects_at, METH_FASTCALL, objects_at_doc},
    {"_objects_unreferred", objects_unreferred, METH_O, objects_unreferred_doc},
    {"_object_dict", object_dict, METH_O, object_dict_doc},
    {"_object_referents", object_referents, METH_O, object_referents_doc},
    {"_object_references", object_references, METH_O, object_references_doc},
    {"_object_traversed", object_traversed, METH_O, object_traversed_doc},
    {NULL, NULL, 0, NULL},
};
