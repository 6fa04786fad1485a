/* SPDX-License-Identifier: MIT
 *
 * The layouts of the standard library's own types are what their sources say, the same in
 * 3.11 to 3.15; heap sizes of others than these are those of their fixed part, and what
 * they ask libc for is not seen.
 */
#include "pyext/heap_sizes.h"
#include "pyext/heap_layouts.h"

#include "pyext/heap_ndarray.h"

#include "tracer/tracer.h"

#include <string.h>

enum {
    DEQUE_BLOCK_ITEMS = 64,
    DEQUE_BLOCK_BYTES = (DEQUE_BLOCK_ITEMS + 2) * (int)sizeof(void *),
    ORDERED_NODE_BYTES = 4 * (int)sizeof(void *),
};

#define ITEMS_MAXIMUM ((Py_ssize_t)1 << 40)

/* Modules/_collectionsmodule.c: the beginning of dequeobject. */
typedef struct deque_layout {
    PyObject_VAR_HEAD void *left_block;
    void *right_block;
    Py_ssize_t left_index;
} deque_layout;

/* Modules/arraymodule.c: the beginning of arrayobject, and of arraydescr. */
typedef struct array_layout {
    PyObject_VAR_HEAD char *items;
    Py_ssize_t allocated;
    const struct {
        char typecode;
        int itemsize;
    } * description;
} array_layout;

/* Objects/odictobject.c: the beginning of struct _odictobject. */
typedef struct ordered_dict_layout {
    PyDictObject dict;
    void *first;
    void *last;
    void **fast_nodes; /* as large as the dict's table, which shows whether we see right */
    Py_ssize_t fast_nodes_size;
} ordered_dict_layout;

/* The bytes of the block at [address], of which we think that it has [bytes]. */
static size_t block_bytes(uintptr_t address, size_t bytes, bool asks_tracer)
{
    size_t known;

    return asks_tracer && mw_tracer_knows(&mw_the_tracer, address, &known) ? known : bytes;
}

/* ── the object's own block ──────────────────────────────────────────────────────── */

static size_t str_bytes(PyObject *object, const mw_heap_type *type)
{
    const PyASCIIObject *ascii = (PyASCIIObject *)object;
    size_t units = (size_t)ascii->length + 1;
    size_t extra = (size_t)(type->type->tp_basicsize - PyUnicode_Type.tp_basicsize);

    if (!ascii->state.compact)
        return sizeof(PyUnicodeObject) + extra;
    if (ascii->state.ascii)
        return sizeof *ascii + units;
    return sizeof(PyCompactUnicodeObject) + units * ascii->state.kind;
}

/* CPython asks for a whole struct even where one digit would be less. */
static size_t int_bytes(PyObject *object, const mw_heap_type *type)
{
    size_t bytes = mw_layout_int_header_bytes() + mw_layout_int_digits(object) * sizeof(digit);

    if (type->type != &PyLong_Type && type->type != &PyBool_Type)
        bytes += (size_t)(type->type->tp_basicsize - PyLong_Type.tp_basicsize);
    return bytes > sizeof(PyLongObject) ? bytes : sizeof(PyLongObject);
}

/* How many items an object has behind its fixed part.  Generators and frames are made with
 * items, but keep no count of them: they have room for their code's variables and stack. */
static size_t item_count(PyObject *object, const mw_heap_type *type)
{
    const PyCodeObject *code;
    Py_ssize_t count;

    if (type->shape == MW_SHAPE_GENERATOR || type->shape == MW_SHAPE_FRAME_OBJECT) {
        code = mw_layout_code_of(object, type->shape == MW_SHAPE_GENERATOR);
        return code != NULL ? (size_t)code->co_nlocalsplus + (size_t)code->co_stacksize : 0;
    }
    count = Py_SIZE(object) < 0 ? -Py_SIZE(object) : Py_SIZE(object);
    /* An extension's type may do likewise: then this is not a count, but some address. */
    return count < ITEMS_MAXIMUM ? (size_t)count : 0;
}

static size_t own_bytes(PyObject *object, const mw_heap_type *type)
{
    size_t bytes = (size_t)type->type->tp_basicsize;

    if (type->shape == MW_SHAPE_STR)
        return str_bytes(object, type);
    if (type->shape == MW_SHAPE_INT)
        return int_bytes(object, type);
    if (type->type->tp_itemsize != 0) {
        bytes += item_count(object, type) * (size_t)type->type->tp_itemsize;
        /* As _PyObject_VAR_SIZE, by which all are made but bytes. */
        if (type->shape != MW_SHAPE_BYTES)
            bytes = (bytes + sizeof(void *) - 1) & ~(sizeof(void *) - 1);
    }
    return bytes + mw_layout_inline_bytes(type->type);
}

/* Static types lie in no block, and have no collector's head before them. */
static bool is_static_type(PyObject *object, const mw_heap_type *type)
{
    return type->shape == MW_SHAPE_TYPE &&
           (((PyTypeObject *)object)->tp_flags & Py_TPFLAGS_HEAPTYPE) == 0;
}

/* ── blocks beside it ────────────────────────────────────────────────────────────── */

static size_t str_beside(PyObject *object, bool asks_tracer)
{
    const PyASCIIObject *ascii = (PyASCIIObject *)object;
    const PyUnicodeObject *whole = (PyUnicodeObject *)object;
    size_t units = (size_t)ascii->length + 1;
    size_t bytes = 0;

    if (ascii->state.compact && ascii->state.ascii)
        return 0;
    if (!ascii->state.compact && whole->data.any != NULL)
        bytes += block_bytes((uintptr_t)whole->data.any, units * ascii->state.kind, asks_tracer);
    if (whole->_base.utf8 != NULL && (ascii->state.compact || whole->_base.utf8 != whole->data.any))
        bytes += block_bytes((uintptr_t)whole->_base.utf8, (size_t)whole->_base.utf8_length + 1,
                             asks_tracer);
    return bytes;
}

static size_t dict_beside(PyObject *object, bool asks_tracer)
{
    const PyDictObject *dict = (PyDictObject *)object;
    const PyDictKeysObject *keys = dict->ma_keys;
    uintptr_t block;
    size_t bytes;

    if (keys == NULL || mw_layout_keys_are_static(keys))
        return 0;
    if (dict->ma_values == NULL)
        return block_bytes((uintptr_t)keys, mw_layout_keys_bytes(keys), asks_tracer);
    if (mw_layout_values_are_embedded(dict->ma_values))
        return 0;
    block = mw_layout_values_block(dict->ma_values, mw_layout_shared_size(keys), &bytes);
    return block_bytes(block, bytes, asks_tracer);
}

static size_t ordered_dict_beside(PyObject *object, bool asks_tracer)
{
    const ordered_dict_layout *ordered = (ordered_dict_layout *)object;
    size_t bytes = dict_beside(object, asks_tracer);

    if (ordered->fast_nodes != NULL &&
        ordered->fast_nodes_size == (Py_ssize_t)1 << ordered->dict.ma_keys->dk_log2_size)
        bytes += block_bytes((uintptr_t)ordered->fast_nodes,
                             (size_t)ordered->fast_nodes_size * sizeof(void *), asks_tracer);
    return bytes + (size_t)ordered->dict.ma_used * ORDERED_NODE_BYTES;
}

static size_t set_beside(PyObject *object, bool asks_tracer)
{
    const PySetObject *set = (PySetObject *)object;

    if (set->table == set->smalltable)
        return 0;
    return block_bytes((uintptr_t)set->table, ((size_t)set->mask + 1) * sizeof(setentry),
                       asks_tracer);
}

static size_t list_beside(PyObject *object, bool asks_tracer)
{
    const PyListObject *list = (PyListObject *)object;

    if (list->ob_item == NULL || list->allocated <= 0)
        return 0;
    return block_bytes((uintptr_t)list->ob_item, (size_t)list->allocated * sizeof(PyObject *),
                       asks_tracer);
}

/* Shared keys belong to the type, whose instances have none of their own. */
static size_t type_beside(PyObject *object, bool asks_tracer)
{
    const PyTypeObject *type = (PyTypeObject *)object;
    const PyDictKeysObject *keys = mw_layout_shared_keys((PyTypeObject *)object);
    size_t bytes = 0;

    if (keys != NULL)
        bytes += block_bytes((uintptr_t)keys, mw_layout_keys_bytes(keys), asks_tracer);
    if ((type->tp_flags & Py_TPFLAGS_HEAPTYPE) != 0 && type->tp_doc != NULL)
        bytes += block_bytes((uintptr_t)type->tp_doc, strlen(type->tp_doc) + 1, asks_tracer);
    return bytes;
}

static size_t deque_beside(PyObject *object)
{
    const deque_layout *deque = (deque_layout *)object;
    size_t blocks = ((size_t)deque->left_index + (size_t)Py_SIZE(object) + DEQUE_BLOCK_ITEMS - 1) /
                    DEQUE_BLOCK_ITEMS;

    return (blocks != 0 ? blocks : 1) * DEQUE_BLOCK_BYTES;
}

static size_t array_beside(PyObject *object, bool asks_tracer)
{
    const array_layout *array = (array_layout *)object;

    if (array->items == NULL || array->allocated <= 0)
        return 0;
    return block_bytes((uintptr_t)array->items,
                       (size_t)array->allocated * (size_t)array->description->itemsize,
                       asks_tracer);
}

static size_t ndarray_beside(PyObject *object, bool asks_tracer)
{
    const mw_ndarray *array = (const mw_ndarray *)object;
    size_t bytes;
    uintptr_t block = mw_ndarray_shape_block(array, &bytes);

    return (block != 0 ? block_bytes(block, bytes, asks_tracer) : 0) + mw_ndarray_data_bytes(array);
}

static size_t bytearray_beside(PyObject *object, bool asks_tracer)
{
    size_t bytes;
    uintptr_t block = mw_layout_bytearray_block(object, &bytes);

    return block != 0 ? block_bytes(block, bytes, asks_tracer) : 0;
}

static size_t bytes_beside(PyObject *object, const mw_heap_type *type, bool asks_tracer)
{
    switch (type->shape) {
    case MW_SHAPE_STR:
        return str_beside(object, asks_tracer);
    case MW_SHAPE_LIST:
        return list_beside(object, asks_tracer);
    case MW_SHAPE_DICT:
        return dict_beside(object, asks_tracer);
    case MW_SHAPE_ORDERED_DICT:
        return ordered_dict_beside(object, asks_tracer);
    case MW_SHAPE_SET:
        return set_beside(object, asks_tracer);
    case MW_SHAPE_TYPE:
        return type_beside(object, asks_tracer);
    case MW_SHAPE_MODULE:
        return mw_layout_module_state_bytes(object);
    case MW_SHAPE_DEQUE:
        return deque_beside(object);
    case MW_SHAPE_ARRAY:
        return array_beside(object, asks_tracer);
    case MW_SHAPE_NDARRAY:
        return ndarray_beside(object, asks_tracer);
    case MW_SHAPE_BYTEARRAY:
        return bytearray_beside(object, asks_tracer);
    default:
        return 0;
    }
}

/* Values of an instance in a block of their own, as in 3.11 and 3.12. */
static size_t values_beside(PyObject *object, const mw_heap_type *type, bool asks_tracer)
{
    const PyDictKeysObject *keys = mw_layout_shared_keys(type->type);
    mw_layout_attributes attributes;
    uintptr_t block;
    size_t bytes;

    if ((type->type->tp_flags & Py_TPFLAGS_MANAGED_DICT) == 0 || keys == NULL)
        return 0;
    attributes = mw_layout_attributes_of(object);
    if (attributes.values == NULL || attributes.values_are_inline)
        return 0;
    block = mw_layout_values_block(attributes.values, mw_layout_shared_size(keys), &bytes);
    return block_bytes(block, bytes, asks_tracer);
}

static inline bool is_ascii_text(PyObject *object, const mw_heap_type *type)
{
    const PyASCIIObject *text = (PyASCIIObject *)object;

    return type->shape == MW_SHAPE_STR && type->is_exact && text->state.compact &&
           text->state.ascii;
}

size_t mw_heap_look_up_size(PyObject *object, const mw_heap_type *type, bool asks_tracer)
{
    size_t bytes;

    /* Most of all objects are numbers and text. */
    if (!asks_tracer && is_ascii_text(object, type))
        return sizeof(PyASCIIObject) + (size_t)((PyASCIIObject *)object)->length + 1;
    if (is_static_type(object, type))
        return sizeof(PyTypeObject);
    bytes = own_bytes(object, type) + py_preheader_bytes(type->type);
    bytes = block_bytes(mw_heap_block(object, type), bytes, asks_tracer);
    return bytes + bytes_beside(object, type, asks_tracer) +
           values_beside(object, type, asks_tracer);
}

uint32_t mw_heap_fixed_size(const mw_heap_type *type)
{
    size_t bytes = (size_t)type->type->tp_basicsize + mw_layout_inline_bytes(type->type) +
                   py_preheader_bytes(type->type);

    switch (type->shape) {
    case MW_SHAPE_PLAIN:
    case MW_SHAPE_FUNCTION:
    case MW_SHAPE_BUILTIN:
    case MW_SHAPE_METHOD:
    case MW_SHAPE_CELL:
    case MW_SHAPE_DESCRIPTOR:
        break;
    default:
        return 0;
    }
    if (type->type->tp_itemsize != 0 || bytes > UINT32_MAX)
        return 0;
    /* Values in a block of their own. */
    if ((type->type->tp_flags & Py_TPFLAGS_MANAGED_DICT) != 0 &&
        mw_layout_inline_bytes(type->type) == 0)
        return 0;
    return (uint32_t)bytes;
}
