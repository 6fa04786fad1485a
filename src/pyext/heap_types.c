/* SPDX-License-Identifier: MIT */
#include "pyext/heap_types.h"

#include "pyext/heap_sizes.h"

#include "base/hash.h"

#include <string.h>

/* Types of CPython's own, by address. */
typedef struct known_type {
    PyTypeObject *type;
    mw_heap_shape shape;
} known_type;

/* Those of extension modules have no address that a header gives away. */
typedef struct named_type {
    const char *name;
    mw_heap_shape shape;
} named_type;

static const known_type known_types[] = {
    {&PyUnicode_Type, MW_SHAPE_STR},
    {&PyLong_Type, MW_SHAPE_INT},
    {&PyList_Type, MW_SHAPE_LIST},
    {&PyTuple_Type, MW_SHAPE_TUPLE},
    {&PyODict_Type, MW_SHAPE_ORDERED_DICT}, /* before dict, which it derives from */
    {&PyDict_Type, MW_SHAPE_DICT},
    {&PySet_Type, MW_SHAPE_SET},
    {&PyFrozenSet_Type, MW_SHAPE_SET},
    {&PyBytes_Type, MW_SHAPE_BYTES},
    {&PyByteArray_Type, MW_SHAPE_BYTEARRAY},
    {&PyType_Type, MW_SHAPE_TYPE},
    {&PyModule_Type, MW_SHAPE_MODULE},
    {&PyCode_Type, MW_SHAPE_CODE},
    {&PyFunction_Type, MW_SHAPE_FUNCTION},
    {&PyCFunction_Type, MW_SHAPE_BUILTIN},
    {&PyMethod_Type, MW_SHAPE_METHOD},
    {&PyCell_Type, MW_SHAPE_CELL},
    {&PyMemberDescr_Type, MW_SHAPE_DESCRIPTOR},
    {&PyGetSetDescr_Type, MW_SHAPE_DESCRIPTOR},
    {&PyMethodDescr_Type, MW_SHAPE_DESCRIPTOR},
    {&PyClassMethodDescr_Type, MW_SHAPE_DESCRIPTOR},
    {&PyWrapperDescr_Type, MW_SHAPE_DESCRIPTOR},
    {&PyGen_Type, MW_SHAPE_GENERATOR},
    {&PyCoro_Type, MW_SHAPE_GENERATOR},
    {&PyAsyncGen_Type, MW_SHAPE_GENERATOR},
    {&PyFrame_Type, MW_SHAPE_FRAME_OBJECT},
};

static const named_type named_types[] = {
    {"collections.deque", MW_SHAPE_DEQUE}, {"array.array", MW_SHAPE_ARRAY},
    {"_io.BytesIO", MW_SHAPE_BYTES_IO},    {"numpy.ndarray", MW_SHAPE_NDARRAY},
    {"_asyncio.Task", MW_SHAPE_TASK},      {"functools._lru_cache_wrapper", MW_SHAPE_LRU_CACHE},
};

bool mw_heap_type_derives(const PyTypeObject *type, const PyTypeObject *base)
{
    while (type != NULL && type != base)
        type = type->tp_base;
    return type != NULL;
}

/* Whether C code made it: a class statement may choose any name. */
static bool is_made_in_c(const PyTypeObject *type)
{
    return (type->tp_flags & Py_TPFLAGS_HEAPTYPE) == 0 ||
           ((const PyHeapTypeObject *)type)->ht_module != NULL;
}

/* Whether it is threading.Thread, a class of Python's; classes of that name elsewhere count
 * too, which do no harm: their objects only may have a name. */
static bool is_thread_class(const PyTypeObject *type)
{
    return !is_made_in_c(type) && strcmp(type->tp_name, "Thread") == 0;
}

static mw_heap_shape named_shape(const PyTypeObject *type, const PyTypeObject **ret_base)
{
    const size_t count = sizeof named_types / sizeof *named_types;

    for (; type != NULL; type = type->tp_base) {
        if (is_thread_class(type)) {
            *ret_base = type;
            return MW_SHAPE_THREAD;
        }
        for (size_t i = 0; i < count && is_made_in_c(type); i++)
            if (strcmp(type->tp_name, named_types[i].name) == 0) {
                *ret_base = type;
                return named_types[i].shape;
            }
    }
    return MW_SHAPE_PLAIN;
}

static mw_heap_shape shape_of(PyTypeObject *type, const PyTypeObject **ret_base)
{
    for (size_t i = 0; i < sizeof known_types / sizeof *known_types; i++)
        if (mw_heap_type_derives(type, known_types[i].type)) {
            *ret_base = known_types[i].type;
            return known_types[i].shape;
        }
    if (mw_layout_is_frozen_dict_type(type)) {
        *ret_base = type;
        return MW_SHAPE_DICT;
    }
    return named_shape(type, ret_base);
}

static mw_heap_type describe(PyTypeObject *type)
{
    const PyTypeObject *base = NULL;
    mw_heap_type known = {.type = type, .shape = shape_of(type, &base)};

    known.is_exact = base == type;
    known.is_heap = (type->tp_flags & Py_TPFLAGS_HEAPTYPE) != 0;
    known.traverses = PyType_IS_GC(type) && type->tp_traverse != NULL;
    known.fixed_bytes = mw_heap_fixed_size(&known);
    return known;
}

mw_status mw_heap_types_init(mw_heap_types *types, mw_alloc *alloc)
{
    mw_status status;

    memset(types, 0, sizeof *types);
    types->alloc = alloc;
    mw_hash_index_init(&types->index, alloc);
    status =
        mw_alloc_grow(alloc, &types->items, 0, &types->capacity, sizeof *types->items, UINT32_MAX);
    if (status == MW_OK)
        types->items[types->count++] = (mw_heap_type){.shape = MW_SHAPE_FRAME};
    return status;
}

void mw_heap_types_done(mw_heap_types *types)
{
    if (types->alloc != NULL)
        mw_alloc_release(types->alloc, types->items, types->capacity * sizeof *types->items);
    mw_hash_index_done(&types->index);
    memset(types, 0, sizeof *types);
}

uint32_t mw_heap_types_add(mw_heap_types *types, PyTypeObject *type)
{
    uint64_t hash = mw_hash_combine((uintptr_t)type, MW_HASH_FIRST);
    mw_hash_probe probe = mw_hash_probe_start(hash);
    uint32_t item;

    while ((item = mw_hash_index_next(&types->index, &probe)) != 0)
        if (types->items[item].type == type)
            return item;
    if (mw_alloc_grow(types->alloc, &types->items, types->count, &types->capacity,
                      sizeof *types->items, UINT32_MAX) != MW_OK ||
        mw_hash_index_reserve(&types->index, 1) != MW_OK)
        return 0;
    types->items[types->count] = describe(type);
    mw_hash_index_add(&types->index, hash, types->count);
    return types->count++;
}
