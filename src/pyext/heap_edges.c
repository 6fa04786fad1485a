/* SPDX-License-Identifier: MIT
 *
 * Where tp_traverse stops, by type: see the functions.  Lists, tuples, dicts and their like
 * are read here rather than through a callback for each item.
 */
#include "pyext/heap_edges.h"
#include "pyext/heap_layouts.h"

#include "pyext/heap_ndarray.h"

/* Values in an instance that has a dict too: early releases of 3.13 visit them by way of the
 * instance, as if the dict were not there, and later ones (gh-130327) by way of the dict. */
static bool instances_visit_values = true;

static int visit(PyObject *object, void *context)
{
    mw_edge_batch *batch = context;

    if (object == batch->own_type)
        batch->saw_own_type = true;
    mw_edge_batch_add(batch, object);
    return 0;
}

static void add_items(mw_edge_batch *batch, PyObject *const *items, Py_ssize_t count)
{
    for (Py_ssize_t i = 0; i < count; i++)
        mw_edge_batch_add(batch, items[i]);
}

/* dict_traverse visits no str keys, and splits values from keys. */
static void add_dict(mw_edge_batch *batch, PyObject *object)
{
    PyDictObject *dict = (PyDictObject *)object;
    PyDictKeysObject *keys = dict->ma_keys;
    PyObject *key, *value;

    if (object == batch->interned || keys == NULL)
        return;
    if (dict->ma_values != NULL) {
        if (!instances_visit_values || !mw_layout_values_are_embedded(dict->ma_values))
            add_items(batch, dict->ma_values->values, keys->dk_nentries);
        return;
    }
    for (Py_ssize_t i = 0; i < keys->dk_nentries; i++) {
        key = mw_layout_dict_entry(keys, i, &value);
        if (value == NULL)
            continue;
        mw_edge_batch_add(batch, key);
        mw_edge_batch_add(batch, value);
    }
}

/* What is left out for types derived from dict: the keys, where all are str. */
static void add_str_keys(mw_edge_batch *batch, PyObject *object)
{
    PyDictObject *dict = (PyDictObject *)object;
    PyDictKeysObject *keys = dict->ma_keys;
    PyObject *key, *value;

    if (keys == NULL || dict->ma_values != NULL || keys->dk_kind == DICT_KEYS_GENERAL)
        return;
    for (Py_ssize_t i = 0; i < keys->dk_nentries; i++) {
        key = mw_layout_dict_entry(keys, i, &value);
        if (value != NULL)
            mw_edge_batch_add(batch, key);
    }
}

/* Code has no tp_traverse. */
static void add_code(mw_edge_batch *batch, PyObject *object)
{
    PyCodeObject *code = (PyCodeObject *)object;

    mw_edge_batch_add(batch, code->co_consts);
    mw_edge_batch_add(batch, code->co_names);
    mw_edge_batch_add(batch, code->co_exceptiontable);
    mw_edge_batch_add(batch, code->co_localsplusnames);
    mw_edge_batch_add(batch, code->co_localspluskinds);
    mw_edge_batch_add(batch, code->co_filename);
    mw_edge_batch_add(batch, code->co_name);
    mw_edge_batch_add(batch, code->co_qualname);
    mw_edge_batch_add(batch, code->co_linetable);
    for (int i = 0; i < MW_LAYOUT_CODE_CACHES; i++)
        mw_edge_batch_add(batch, mw_layout_code_cache(code, i));
}

/* type_traverse aborts on static types. */
static void add_static_type(mw_edge_batch *batch, PyTypeObject *type)
{
    PyObject *subclasses;

    mw_edge_batch_add(batch, mw_layout_type_dict(batch->interpreter, type, &subclasses));
    mw_edge_batch_add(batch, subclasses);
    mw_edge_batch_add(batch, type->tp_bases);
    mw_edge_batch_add(batch, type->tp_mro);
    mw_edge_batch_add(batch, type->tp_cache);
}

/* type_traverse leaves out names, and that shared keys are the type's. */
static void add_heap_type(mw_edge_batch *batch, PyObject *object)
{
    PyHeapTypeObject *type = (PyHeapTypeObject *)object;
    PyDictKeysObject *keys = type->ht_cached_keys;
    PyObject *value;

    mw_edge_batch_add(batch, type->ht_name);
    mw_edge_batch_add(batch, type->ht_qualname);
    mw_edge_batch_add(batch, type->ht_slots);
    mw_edge_batch_add(batch, type->ht_type.tp_subclasses);
    for (Py_ssize_t i = 0; keys != NULL && i < keys->dk_nentries; i++)
        mw_edge_batch_add(batch, mw_layout_dict_entry(keys, i, &value));
}

/* A type that the collector does not know may still say in its members what it refers to:
 * range does. */
static void add_members(mw_edge_batch *batch, PyObject *object, PyTypeObject *type)
{
    for (; type != NULL; type = type->tp_base)
        for (const PyMemberDef *member = type->tp_members; member != NULL && member->name != NULL;
             member++)
            if (member->type == Py_T_OBJECT_EX || member->type == MW_LAYOUT_T_OBJECT)
                mw_edge_batch_add(batch, *(PyObject **)((char *)object + member->offset));
}

/* Modules/_functoolsmodule.c: the beginning of lru_list_elem, and of lru_cache_object. */
typedef struct lru_link {
    PyObject_HEAD
    struct lru_link *previous;
    struct lru_link *next;
} lru_link;

/* A bounded cache owns its links, which it passes by, visiting what they hold. */
static void add_lru_links(mw_edge_batch *batch, PyObject *object)
{
    lru_link *cache = (lru_link *)object;

    for (lru_link *link = cache->next; link != NULL && link != cache; link = link->next)
        mw_edge_batch_add(batch, link);
}

/* NumPy gives its arrays no tp_traverse. */
static void add_ndarray(mw_edge_batch *batch, PyObject *object)
{
    const mw_ndarray *array = (const mw_ndarray *)object;
    PyObject *const *objects = NULL;
    size_t count = mw_ndarray_objects(array, &objects);

    mw_edge_batch_add(batch, array->base);
    mw_edge_batch_add(batch, array->description);
    add_items(batch, objects, (Py_ssize_t)count);
}

static void add_left_out(mw_edge_batch *batch, PyObject *object, const mw_heap_type *type)
{
    const PyDescrObject *descriptor = (PyDescrObject *)object;
    const PyGenObject *generator = (PyGenObject *)object;

    switch (type->shape) {
    case MW_SHAPE_DICT:
    case MW_SHAPE_ORDERED_DICT:
        add_str_keys(batch, object);
        break;
    case MW_SHAPE_TYPE:
        add_heap_type(batch, object);
        break;
    case MW_SHAPE_MODULE:
        mw_edge_batch_add(batch, ((PyModuleObject *)object)->md_name);
        break;
    case MW_SHAPE_DESCRIPTOR:
        mw_edge_batch_add(batch, descriptor->d_name);
        mw_edge_batch_add(batch, descriptor->d_qualname);
        break;
    case MW_SHAPE_GENERATOR:
        mw_edge_batch_add(batch, generator->gi_name);
        mw_edge_batch_add(batch, generator->gi_qualname);
        break;
    case MW_SHAPE_LRU_CACHE:
        add_lru_links(batch, object);
        break;
    case MW_SHAPE_BYTEARRAY:
        mw_edge_batch_add(batch, mw_layout_bytearray_object(object));
        break;
    case MW_SHAPE_BYTES_IO:
        /* Modules/_io/bytesio.c: the first field is the buffer, a bytes object. */
        mw_edge_batch_add(batch, *(PyObject **)((char *)object + sizeof(PyObject)));
        break;
    case MW_SHAPE_NDARRAY:
        add_ndarray(batch, object);
        break;
    default:
        break;
    }
}

static void add_by_traverse(mw_edge_batch *batch, PyObject *object, const mw_heap_type *type)
{
    batch->own_type = (PyObject *)type->type;
    batch->saw_own_type = false;
    if (!type->traverses)
        add_members(batch, object, type->type);
    else if (mw_layout_is_gc(object))
        type->type->tp_traverse(object, visit, batch);
    if (type->is_heap && !batch->saw_own_type)
        mw_edge_batch_add(batch, type->type);
    add_left_out(batch, object, type);
}

void mw_heap_edges_of(mw_edge_batch *batch, PyObject *object, const mw_heap_type *type)
{
    if (type->is_exact) {
        switch (type->shape) {
        case MW_SHAPE_STR:
        case MW_SHAPE_INT:
        case MW_SHAPE_BYTES:
            return;
        case MW_SHAPE_LIST:
            add_items(batch, ((PyListObject *)object)->ob_item, Py_SIZE(object));
            return;
        case MW_SHAPE_TUPLE:
            add_items(batch, ((PyTupleObject *)object)->ob_item, Py_SIZE(object));
            return;
        case MW_SHAPE_DICT:
            add_dict(batch, object);
            return;
        case MW_SHAPE_CODE:
            add_code(batch, object);
            return;
        default:
            break;
        }
    }
    if (type->shape == MW_SHAPE_TYPE &&
        (((PyTypeObject *)object)->tp_flags & Py_TPFLAGS_HEAPTYPE) == 0)
        add_static_type(batch, (PyTypeObject *)object);
    else
        add_by_traverse(batch, object, type);
}

static void add_counted(mw_edge_batch *batch, mw_layout_reference reference)
{
    if (reference.is_counted)
        mw_edge_batch_add(batch, reference.object);
}

void mw_heap_edges_of_frame(mw_edge_batch *batch, const mw_py_frame *frame)
{
    const PyCodeObject *code = mw_frames_code(frame);
    int depth;

    if (code == NULL)
        return;
    depth = mw_layout_frame_depth(frame, code);
    if (mw_frames_is_generator(frame)) {
        /* The generator visits its frame, but for variables while it runs. */
        if (depth >= 0)
            return;
    } else {
        add_counted(batch, mw_layout_frame_function(frame));
        add_counted(batch, mw_layout_frame_executable(frame));
        mw_edge_batch_add(batch, frame->f_locals);
        mw_edge_batch_add(batch, frame->frame_obj);
    }
    if (depth < 0)
        depth = code->co_nlocalsplus;
    for (int i = 0; i < depth; i++)
        add_counted(batch, mw_layout_frame_slot(frame, i));
}

/* ── which release this is ───────────────────────────────────────────────────────── */

typedef struct probe {
    PyObject *value;
    bool was_seen;
} probe;

static int look_for(PyObject *object, void *context)
{
    probe *self = context;

    self->was_seen |= object == self->value;
    return 0;
}

int mw_heap_edges_learn(PyObject *instance)
{
    probe self = {.value = PyList_New(0)};
    PyObject *dict = NULL;

    if (self.value != NULL && PyObject_SetAttrString(instance, "value", self.value) == 0)
        dict = PyObject_GetAttrString(instance, "__dict__");
    if (dict != NULL) {
        Py_TYPE(instance)->tp_traverse(instance, look_for, &self);
        instances_visit_values = self.was_seen;
    }
    Py_XDECREF(self.value);
    Py_XDECREF(dict);
    return dict != NULL ? 0 : -1;
}
