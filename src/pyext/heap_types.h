/* SPDX-License-Identifier: MIT
 *
 * What a walk of the heap knows of each type: how its objects are laid out, hence how large
 * they are and what they refer to.  Found out once for each type, from its flags, its
 * bases and, for a few of the standard library's, its name.
 */
#pragma once

#include "pyext/heap_layouts.h"

#include "base/hash_index.h"

/* Layouts that are known; all others are PLAIN. */
typedef enum mw_heap_shape {
    MW_SHAPE_PLAIN, /* a fixed part and perhaps items; refers to what tp_traverse says */
    MW_SHAPE_FRAME, /* no object: a frame that is running                             */
    MW_SHAPE_STR,
    MW_SHAPE_INT,
    MW_SHAPE_LIST,
    MW_SHAPE_TUPLE,
    MW_SHAPE_DICT,
    MW_SHAPE_ORDERED_DICT,
    MW_SHAPE_SET,
    MW_SHAPE_BYTES,
    MW_SHAPE_BYTEARRAY,
    MW_SHAPE_TYPE,
    MW_SHAPE_MODULE,
    MW_SHAPE_CODE,
    MW_SHAPE_DESCRIPTOR,
    MW_SHAPE_GENERATOR,
    MW_SHAPE_FRAME_OBJECT,
    MW_SHAPE_FUNCTION,
    MW_SHAPE_BUILTIN,
    MW_SHAPE_METHOD,
    MW_SHAPE_CELL,
    MW_SHAPE_DEQUE,
    MW_SHAPE_ARRAY,
    MW_SHAPE_BYTES_IO,
    MW_SHAPE_NDARRAY,
    MW_SHAPE_LRU_CACHE,
    MW_SHAPE_TASK,   /* of asyncio, in C         */
    MW_SHAPE_THREAD, /* derived from threading's */
} mw_heap_shape;

typedef struct mw_heap_type {
    PyTypeObject *type;   /* borrowed; NULL for frames                                    */
    uint32_t node;        /* of the type itself; 0 for frames                             */
    uint32_t fixed_bytes; /* of each of its objects; 0: they have to be asked            */
    mw_heap_shape shape;
    bool is_exact;  /* the shape's own type, not one derived from it                    */
    bool is_heap;   /* its objects refer to it                                          */
    bool traverses; /* tp_traverse says what its objects refer to, if they are asked    */
} mw_heap_type;

enum { MW_HEAP_TYPE_CACHE = 512, MW_HEAP_TYPE_FRAME = 0 };

/* A table of types, numbered from 1 in the order in which they are met; 0 is for frames. */
typedef struct mw_heap_types {
    mw_alloc *alloc;     /* borrowed */
    mw_heap_type *items; /* owned    */
    uint32_t count, capacity;
    mw_hash_index index;                /* by address */
    uint32_t cache[MW_HEAP_TYPE_CACHE]; /* the type last met with such an address */
} mw_heap_types;

mw_status mw_heap_types_init(mw_heap_types *types, mw_alloc *alloc) MW_MUST_CHECK;
void mw_heap_types_done(mw_heap_types *types); /* accepts a zeroed struct */

/* The number of a type that is not in the cache, which is added if it is new; 0 when out of
 * memory.  Its `node` is then 0. */
uint32_t mw_heap_types_add(mw_heap_types *types, PyTypeObject *type);

static inline uint32_t *mw_heap_types_cached(mw_heap_types *types, const PyTypeObject *type)
{
    return &types->cache[((uintptr_t)type >> 4 ^ (uintptr_t)type >> 13) % MW_HEAP_TYPE_CACHE];
}

/* The number of [type]; 0 when out of memory. */
static inline uint32_t mw_heap_types_of(mw_heap_types *types, PyTypeObject *type)
{
    uint32_t *cached = mw_heap_types_cached(types, type);

    if (__builtin_expect(types->items[*cached].type != type, 0))
        *cached = mw_heap_types_add(types, type);
    return *cached;
}

/* Whether [type] is, or lies first in, [base]'s line: what tp_base says, so that the layout
 * is the base's too. */
bool mw_heap_type_derives(const PyTypeObject *type, const PyTypeObject *base);
