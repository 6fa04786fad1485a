/* SPDX-License-Identifier: MIT
 *
 * How NumPy's arrays lie in memory, in every release of its C API's 1 and 2: an array tells
 * the collector nothing, neither whose memory it shows nor which objects lie in its own.
 */
#pragma once

#include "pyext/heap_layouts.h"

enum {
    MW_NDARRAY_OWNS_DATA = 0x0004,
    MW_NDARRAY_DIMENSIONS_MAXIMUM = 64,
    MW_NDARRAY_TYPE_OBJECT = 17,
};

/* numpy/ndarraytypes.h: the beginning of PyArray_Descr. */
typedef struct mw_ndarray_description {
    PyObject_HEAD
    PyTypeObject *type;
    char kind, letter, byte_order, flags;
    int number;
} mw_ndarray_description;

/* numpy/ndarraytypes.h: PyArrayObject_fields. */
typedef struct mw_ndarray {
    PyObject_HEAD
    char *data;
    int dimension_count;
    const Py_ssize_t *dimensions;
    const Py_ssize_t *strides;
    PyObject *base; /* whose memory it shows, or NULL */
    mw_ndarray_description *description;
    int flags;
} mw_ndarray;

static inline bool mw_ndarray_has_data(const mw_ndarray *array)
{
    return (array->flags & MW_NDARRAY_OWNS_DATA) != 0 && array->data != NULL &&
           array->dimension_count >= 0 && array->dimension_count <= MW_NDARRAY_DIMENSIONS_MAXIMUM;
}

/* The block with dimensions and strides, and its bytes; 0 if there is none. */
static inline uintptr_t mw_ndarray_shape_block(const mw_ndarray *array, size_t *ret_bytes)
{
    *ret_bytes =
        array->dimension_count > 0 ? 2 * (size_t)array->dimension_count * sizeof(Py_ssize_t) : 0;
    return *ret_bytes != 0 ? (uintptr_t)array->dimensions : 0;
}

/* The bytes of its own that an array's elements lie in: how far they reach, which is all as
 * long as the array made it itself.  0 where they are another's. */
static inline size_t mw_ndarray_data_bytes(const mw_ndarray *array)
{
    size_t bytes = 0;

    if (!mw_ndarray_has_data(array))
        return 0;
    for (int i = 0; i < array->dimension_count; i++) {
        Py_ssize_t stride = array->strides[i] < 0 ? -array->strides[i] : array->strides[i];
        size_t reach = (size_t)stride * (size_t)array->dimensions[i];

        if (reach > bytes)
            bytes = reach;
    }
    return bytes;
}

/* The objects in it, which may be NULL, and how many; 0 unless all of its own memory is one
 * after the other. */
static inline size_t mw_ndarray_objects(const mw_ndarray *array, PyObject *const **ret_objects)
{
    size_t count = 1;

    if (!mw_ndarray_has_data(array) || array->description == NULL ||
        array->description->kind != 'O' || array->description->number != MW_NDARRAY_TYPE_OBJECT)
        return 0;
    for (int i = 0; i < array->dimension_count; i++) {
        if (array->strides[i] < 0)
            return 0;
        count *= (size_t)array->dimensions[i];
    }
    if (array->dimension_count != 0 && count * sizeof(PyObject *) != mw_ndarray_data_bytes(array))
        return 0;
    *ret_objects = (PyObject *const *)(const void *)array->data;
    return count;
}
