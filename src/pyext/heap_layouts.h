/* SPDX-License-Identifier: MIT
 *
 * Every question about how CPython lays its objects out in memory, for those who walk the
 * heap.  The answers read memory and nothing else: no reference is counted, no dict is
 * made, nothing is allocated, so that a forked child may ask too.
 */
#pragma once

#ifdef Py_PYTHON_H
#error "include this first: the internal headers want a macro before Python.h"
#endif

/* The internal headers are not written for our warnings. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wundef"
#pragma GCC diagnostic ignored "-Wunused-parameter"
#pragma GCC diagnostic ignored "-Wmissing-prototypes"
#pragma GCC diagnostic ignored "-Wstrict-prototypes"
#define Py_BUILD_CORE 1
#include <Python.h>

#include <internal/pycore_dict.h>
#include <internal/pycore_frame.h>
#include <internal/pycore_gc.h>
#include <internal/pycore_interp.h>
#include <internal/pycore_moduleobject.h>
#include <internal/pycore_object.h>
#if PY_VERSION_HEX >= 0x030C0000
#include <internal/pycore_typeobject.h>
#endif
#if PY_VERSION_HEX >= 0x030D0000
#include <internal/pycore_tstate.h>
#endif
#pragma GCC diagnostic pop

#include "pyext/compat.h"
#include "pyext/frames.h"

#include <stdbool.h>

/* ── reference counts ────────────────────────────────────────────────────────────── */

/* Whether the object is never freed.  3.11 knows no such thing, but gives its static
 * objects this count and more. */
static inline bool mw_layout_is_immortal(PyObject *object)
{
#if PY_VERSION_HEX >= 0x030C0000
    return _Py_IsImmortal(object);
#else
    return Py_REFCNT(object) > 900000000;
#endif
}

/* ── the collector ───────────────────────────────────────────────────────────────── */

enum { MW_LAYOUT_GENERATIONS = 4 }; /* the permanent one last */

/* The head of a list.  Since 3.14 there may be a young and two old generations in the place
 * of three; a list is a list. */
static inline PyGC_Head *mw_layout_generation(PyInterpreterState *interpreter, int number)
{
    struct _gc_runtime_state *gc = &interpreter->gc;

    if (number == MW_LAYOUT_GENERATIONS - 1)
        return &gc->permanent_generation.head;
#ifdef Py_GIL_DISABLED
#error "free-threaded builds have no lists"
#endif
    return &gc->generations[number].head;
}

/* The lowest bits are the collector's. */
static inline PyGC_Head *mw_layout_gc_next(const PyGC_Head *head)
{
    return (PyGC_Head *)(head->_gc_next & ~(uintptr_t)3);
}

static inline PyGC_Head *mw_layout_gc_previous(const PyGC_Head *head)
{
    return (PyGC_Head *)(head->_gc_prev & ~(uintptr_t)3);
}

static inline PyObject *mw_layout_gc_object(PyGC_Head *head)
{
    return (PyObject *)(head + 1);
}

/* Whether tp_traverse may be called: static types have one that must not be. */
static inline bool mw_layout_is_gc(PyObject *object)
{
    PyTypeObject *type = Py_TYPE(object);

    return PyType_IS_GC(type) && (type->tp_is_gc == NULL || type->tp_is_gc(object));
}

/* ── dicts ───────────────────────────────────────────────────────────────────────── */

enum { MW_LAYOUT_DICT_LOG2_MINIMUM = 3 }; /* smaller: the static keys of empty dicts */

static inline bool mw_layout_keys_are_static(const PyDictKeysObject *keys)
{
    return keys->dk_log2_size < MW_LAYOUT_DICT_LOG2_MINIMUM;
}

static inline size_t mw_layout_keys_bytes(const PyDictKeysObject *keys)
{
    size_t entry_bytes =
        keys->dk_kind == DICT_KEYS_GENERAL ? sizeof(PyDictKeyEntry) : sizeof(PyDictUnicodeEntry);
    size_t usable = (((size_t)1 << keys->dk_log2_size) << 1) / 3;

    return sizeof *keys + ((size_t)1 << keys->dk_log2_index_bytes) + usable * entry_bytes;
}

/* How many values an instance with these shared keys has room for. */
static inline size_t mw_layout_shared_size(const PyDictKeysObject *keys)
{
    return (size_t)(keys->dk_nentries + keys->dk_usable);
}

/* Key and value of one entry, borrowed; the value is NULL in a hole. */
static inline PyObject *mw_layout_dict_entry(PyDictKeysObject *keys, Py_ssize_t number,
                                             PyObject **ret_value)
{
    if (keys->dk_kind == DICT_KEYS_GENERAL) {
        PyDictKeyEntry *entry = DK_ENTRIES(keys) + number;

        *ret_value = entry->me_value;
        return entry->me_key;
    } else {
        PyDictUnicodeEntry *entry = DK_UNICODE_ENTRIES(keys) + number;

        *ret_value = entry->me_value;
        return entry->me_key;
    }
}

/* Whether the values of a split dict lie in the instance, which has them as its own. */
static inline bool mw_layout_values_are_embedded(const PyDictValues *values)
{
#if PY_VERSION_HEX >= 0x030D0000
    return values->embedded != 0;
#else
    (void)values;
    return false;
#endif
}

/* The block of values that do not lie in an instance, which have room for [capacity]. */
static inline uintptr_t mw_layout_values_block(const PyDictValues *values, size_t capacity,
                                               size_t *ret_bytes)
{
#if PY_VERSION_HEX >= 0x030D0000
    size_t prefix = (values->capacity + sizeof(void *) - 1) & ~(sizeof(void *) - 1);

    *ret_bytes = prefix + ((size_t)values->capacity + 1) * sizeof(PyObject *);
    (void)capacity;
#else
    size_t prefix = ((const uint8_t *)values)[-1];

    *ret_bytes = prefix + capacity * sizeof(PyObject *);
#endif
    return (uintptr_t)values - prefix;
}

/* ── instances ───────────────────────────────────────────────────────────────────── */

static inline PyDictKeysObject *mw_layout_shared_keys(PyTypeObject *type)
{
    return (type->tp_flags & Py_TPFLAGS_HEAPTYPE) != 0 ? ((PyHeapTypeObject *)type)->ht_cached_keys
                                                       : NULL;
}

/* Where the type's instances keep attributes: values in the order of the type's shared keys,
 * a dict, both or none; borrowed.  Asking for __dict__ would make one. */
typedef struct mw_layout_attributes {
    PyDictValues *values;
    PyObject *dict;
    bool values_are_inline; /* in the instance's own block */
} mw_layout_attributes;

static inline mw_layout_attributes mw_layout_attributes_of(PyObject *object)
{
    mw_layout_attributes found = {0};
    PyTypeObject *type = Py_TYPE(object);

    if ((type->tp_flags & Py_TPFLAGS_MANAGED_DICT) == 0) {
        if (type->tp_dictoffset > 0)
            found.dict = *(PyObject **)((char *)object + type->tp_dictoffset);
        return found;
    }
#if PY_VERSION_HEX >= 0x030D0000
    found.dict = (PyObject *)_PyObject_GetManagedDict(object);
    if ((type->tp_flags & Py_TPFLAGS_INLINE_VALUES) != 0 && _PyObject_InlineValues(object)->valid) {
        found.values = _PyObject_InlineValues(object);
        found.values_are_inline = true;
    }
#elif PY_VERSION_HEX >= 0x030C0000
    {
        PyDictOrValues either = *_PyObject_DictOrValuesPointer(object);

        if (_PyDictOrValues_IsValues(either))
            found.values = _PyDictOrValues_GetValues(either);
        else
            found.dict = either.dict;
    }
#else
    found.values = *_PyObject_ValuesPointer(object);
    found.dict = *_PyObject_ManagedDictPointer(object);
#endif
    return found;
}

/* What instances have behind their fields in the same block. */
static inline size_t mw_layout_inline_bytes(PyTypeObject *type)
{
#if PY_VERSION_HEX >= 0x030D0000
    if ((type->tp_flags & Py_TPFLAGS_INLINE_VALUES) != 0)
        return _PyInlineValuesSize(type);
#else
    (void)type;
#endif
    return 0;
}

/* A member that may be NULL without being missing. */
enum {
#if PY_VERSION_HEX >= 0x030C0000
    MW_LAYOUT_T_OBJECT = _Py_T_OBJECT
#else
    MW_LAYOUT_T_OBJECT = T_OBJECT
#endif
};

/* ── types ───────────────────────────────────────────────────────────────────────── */

/* What a static type has per interpreter since 3.12; NULL where it has it itself. */
#if PY_VERSION_HEX >= 0x030D0000
typedef managed_static_type_state mw_layout_static_state;
#elif PY_VERSION_HEX >= 0x030C0000
typedef static_builtin_state mw_layout_static_state;
#endif

#if PY_VERSION_HEX >= 0x030C0000
static inline const mw_layout_static_state *mw_layout_static_state_of(
    PyInterpreterState *interpreter, PyTypeObject *type)
{
    const mw_layout_static_state *states;
    size_t index = (size_t)type->tp_subclasses - 1;
    size_t count;

    if ((type->tp_flags & (1UL << 1)) == 0) /* _Py_TPFLAGS_STATIC_BUILTIN */
        return NULL;
#if PY_VERSION_HEX >= 0x030D0000
    states = interpreter->types.builtins.initialized;
    count = _Py_MAX_MANAGED_STATIC_BUILTIN_TYPES;
    if (index < count && states[index].type == type)
        return &states[index];
    states = interpreter->types.for_extensions.initialized;
    count = _Py_MAX_MANAGED_STATIC_EXT_TYPES;
#else
    states = interpreter->types.builtins;
    count = _Py_MAX_STATIC_BUILTIN_TYPES;
#endif
    return index < count && states[index].type == type ? &states[index] : NULL;
}
#endif

/* The dict of a type and its subclasses, borrowed; either may be NULL. */
static inline PyObject *mw_layout_type_dict(PyInterpreterState *interpreter, PyTypeObject *type,
                                            PyObject **ret_subclasses)
{
#if PY_VERSION_HEX >= 0x030C0000
    const mw_layout_static_state *state = mw_layout_static_state_of(interpreter, type);

    if (state != NULL || (type->tp_flags & (1UL << 1)) != 0) {
        *ret_subclasses = state != NULL ? state->tp_subclasses : NULL;
        return state != NULL ? state->tp_dict : NULL;
    }
#else
    (void)interpreter;
#endif
    *ret_subclasses = (PyObject *)type->tp_subclasses;
    return type->tp_dict;
}

/* The names that the cache of attribute look-ups holds, one after the other: NULL at the
 * end, Py_None in a hole. */
static inline PyObject *mw_layout_type_cache_name(PyInterpreterState *interpreter, uint32_t number)
{
#if PY_VERSION_HEX >= 0x030C0000
    struct type_cache *cache = &interpreter->types.type_cache;
#else
    struct type_cache *cache = &interpreter->type_cache;
#endif
    PyObject *name;

    if (number >= sizeof cache->hashtable / sizeof cache->hashtable[0])
        return NULL;
    name = cache->hashtable[number].name;
    return name != NULL ? name : Py_None;
}

/* The bytes object that a bytearray keeps its bytes in, since 3.15; else NULL. */
static inline PyObject *mw_layout_bytearray_object(PyObject *array)
{
#if PY_VERSION_HEX >= 0x030F0000
    return ((PyByteArrayObject *)array)->ob_bytes_object;
#else
    (void)array;
    return NULL;
#endif
}

/* The block that it keeps them in before, and how large that is; 0 if there is none. */
static inline uintptr_t mw_layout_bytearray_block(PyObject *array, size_t *ret_bytes)
{
#if PY_VERSION_HEX >= 0x030F0000
    (void)array, (void)ret_bytes;
    return 0;
#else
    const PyByteArrayObject *bytes = (PyByteArrayObject *)array;

    *ret_bytes = bytes->ob_alloc > 0 ? (size_t)bytes->ob_alloc : 0;
    return bytes->ob_alloc > 0 ? (uintptr_t)bytes->ob_bytes : 0;
#endif
}

/* ── numbers, code, modules ──────────────────────────────────────────────────────── */

static inline size_t mw_layout_int_digits(PyObject *number)
{
#if PY_VERSION_HEX >= 0x030C0000
    return ((PyLongObject *)number)->long_value.lv_tag >> 3;
#else
    return (size_t)(Py_SIZE(number) < 0 ? -Py_SIZE(number) : Py_SIZE(number));
#endif
}

static inline size_t mw_layout_int_header_bytes(void)
{
#if PY_VERSION_HEX >= 0x030C0000
    return offsetof(PyLongObject, long_value.ob_digit);
#else
    return offsetof(PyLongObject, ob_digit);
#endif
}

static inline bool mw_layout_int_is_negative(PyObject *number)
{
#if PY_VERSION_HEX >= 0x030C0000
    return (((PyLongObject *)number)->long_value.lv_tag & 3) == 2;
#else
    return Py_SIZE(number) < 0;
#endif
}

/* The bytes of a code object and of what was once asked of it; NULL where there are none. */
enum { MW_LAYOUT_CODE_CACHES = 4 };

static inline PyObject *mw_layout_code_cache(const PyCodeObject *code, int number)
{
#if PY_VERSION_HEX >= 0x030C0000
    const _PyCoCached *cached = code->_co_cached;

    if (cached == NULL)
        return NULL;
    switch (number) {
    case 0:
        return cached->_co_code;
    case 1:
        return cached->_co_varnames;
    case 2:
        return cached->_co_cellvars;
    default:
        return cached->_co_freevars;
    }
#else
    return number == 0 ? code->_co_code : NULL;
#endif
}

static inline size_t mw_layout_module_state_bytes(PyObject *module)
{
    PyModuleObject *self = (PyModuleObject *)module;

#if PY_VERSION_HEX >= 0x030F0000
    return self->md_state != NULL && self->md_state_size > 0 ? (size_t)self->md_state_size : 0;
#else
    return self->md_state != NULL && self->md_def != NULL && self->md_def->m_size > 0
               ? (size_t)self->md_def->m_size
               : 0;
#endif
}

/* Whether dicts of this type cannot be changed: a type of its own since 3.15. */
static inline bool mw_layout_is_frozen_dict_type(PyTypeObject *type)
{
#if PY_VERSION_HEX >= 0x030F0000
    return type == &PyFrozenDict_Type;
#else
    (void)type;
    return false;
#endif
}

/* ── frames ──────────────────────────────────────────────────────────────────────── */

/* The object that a frame refers to in one of its slots, and whether it counts for it. */
typedef struct mw_layout_reference {
    PyObject *object; /* borrowed; NULL: nothing, or not an object */
    bool is_counted;
} mw_layout_reference;

#if PY_VERSION_HEX >= 0x030E0000
static inline mw_layout_reference mw_layout_untag(_PyStackRef reference)
{
    uintptr_t bits = reference.bits;

    /* Both bits: a number, not an object. */
    if ((bits & MW_STACK_REF_TAG_BITS) == MW_STACK_REF_TAG_BITS)
        return (mw_layout_reference){0};
    return (mw_layout_reference){(PyObject *)(bits & ~(uintptr_t)MW_STACK_REF_TAG_BITS),
                                 (bits & MW_STACK_REF_TAG_BITS) == 0};
}
#endif

static inline mw_layout_reference mw_layout_frame_slot(const mw_py_frame *frame, int number)
{
#if PY_VERSION_HEX >= 0x030E0000
    return mw_layout_untag(frame->localsplus[number]);
#else
    return (mw_layout_reference){frame->localsplus[number], true};
#endif
}

static inline mw_layout_reference mw_layout_frame_function(const mw_py_frame *frame)
{
#if PY_VERSION_HEX >= 0x030E0000
    return mw_layout_untag(frame->f_funcobj);
#elif PY_VERSION_HEX >= 0x030C0000
    return (mw_layout_reference){frame->f_funcobj, true};
#else
    return (mw_layout_reference){(PyObject *)frame->f_func, true};
#endif
}

static inline mw_layout_reference mw_layout_frame_executable(const mw_py_frame *frame)
{
#if PY_VERSION_HEX >= 0x030E0000
    return mw_layout_untag(frame->f_executable);
#elif PY_VERSION_HEX >= 0x030D0000
    return (mw_layout_reference){frame->f_executable, true};
#else
    return (mw_layout_reference){(PyObject *)frame->f_code, true};
#endif
}

/* The frame of a generator, a coroutine or an asynchronous generator; NULL once it ended. */
static inline const mw_py_frame *mw_layout_generator_frame(PyObject *generator)
{
    if (((PyGenObject *)generator)->gi_frame_state >= FRAME_CLEARED)
        return NULL;
#if PY_VERSION_HEX >= 0x030E0000
    return &((PyGenObject *)generator)->gi_iframe;
#else
    return (const mw_py_frame *)((PyGenObject *)generator)->gi_iframe;
#endif
}

static inline const mw_py_frame *mw_layout_frame_of_object(PyObject *frame)
{
    return (const mw_py_frame *)((PyFrameObject *)frame)->f_frame;
}

/* The code that a generator (or its like) or a frame object runs, or ran; borrowed. */
static inline const PyCodeObject *mw_layout_code_of(PyObject *object, bool is_generator)
{
    if (!is_generator)
        return mw_frames_code(mw_layout_frame_of_object(object));
#if PY_VERSION_HEX < 0x030C0000 /* the frame loses it when it ends */
    return ((PyGenObject *)object)->gi_code;
#elif PY_VERSION_HEX < 0x030E0000
    return mw_frames_code((const mw_py_frame *)((PyGenObject *)object)->gi_iframe);
#else
    return mw_frames_code(&((PyGenObject *)object)->gi_iframe);
#endif
}

/* How many slots from the first on hold something, temporaries included; -1 while the frame
 * runs and only its variables are in memory. */
static inline int mw_layout_frame_depth(const mw_py_frame *frame, const PyCodeObject *code)
{
#if PY_VERSION_HEX >= 0x030E0000
    ptrdiff_t depth = frame->stackpointer != NULL ? frame->stackpointer - frame->localsplus : -1;
#else
    ptrdiff_t depth = frame->stacktop; /* or one of our marks: negative as well */
#endif
    return depth >= code->co_nlocalsplus && depth <= code->co_nlocalsplus + code->co_stacksize
               ? (int)depth
               : -1;
}

/* Whether this release does not show what running frames have on their stacks: it is held from C. */
static inline bool mw_layout_hides_stacks(void)
{
    return PY_VERSION_HEX < 0x030E0000;
}

/* What is in force here, and what this release does not show: a phrase. */
static inline const char *mw_layout_shortcoming(void)
{
    return mw_layout_hides_stacks()
               ? "layouts of objects checked; what running frames have on their "
                 "stacks is held from C"
               : "layouts of objects checked";
}

/* ── the interpreter ─────────────────────────────────────────────────────────────── */

/* Calls [note] for each reference that the interpreter's own structures and those of its
 * threads count, but for frames: with what it is, and the thread it belongs to or NULL. */
typedef void mw_layout_note(void *context, PyObject *object, const char *what,
                            const PyThreadState *thread);

static inline PyObject *mw_layout_modules(PyInterpreterState *interpreter)
{
#if PY_VERSION_HEX >= 0x030C0000
    return interpreter->imports.modules;
#else
    return interpreter->modules;
#endif
}

/* The dict of interned strings, which counts no reference to them; NULL if not known. */
static inline PyObject *mw_layout_interned(PyInterpreterState *interpreter)
{
#if PY_VERSION_HEX >= 0x030C0000
    return interpreter->cached_objects.interned_strings;
#else
    (void)interpreter;
    return NULL;
#endif
}

static inline void mw_layout_note_thread(const PyThreadState *thread, mw_layout_note *note,
                                         void *context)
{
    note(context, thread->dict, "thread state dict", thread);
    note(context, thread->context, "current context", thread);
    note(context, thread->c_profileobj, "sys.setprofile", thread);
    note(context, thread->c_traceobj, "sys.settrace", thread);
    note(context, thread->async_gen_firstiter, "asyncgen hook", thread);
    note(context, thread->async_gen_finalizer, "asyncgen hook", thread);
    note(context, thread->async_exc, "exception to be raised", thread);
#if PY_VERSION_HEX >= 0x030C0000
    note(context, thread->current_exception, "exception being raised", thread);
#else
    note(context, thread->curexc_type, "exception being raised", thread);
    note(context, thread->curexc_value, "exception being raised", thread);
    note(context, thread->curexc_traceback, "exception being raised", thread);
#endif
    /* Of generators, the generator has it. */
    note(context, thread->exc_state.exc_value, "exception being handled", thread);
#if PY_VERSION_HEX >= 0x030D0000
    note(context, thread->threading_local_key, "threading.local key", thread);
    note(context, thread->threading_local_sentinel, "threading.local sentinel", thread);
    note(context, ((const _PyThreadStateImpl *)thread)->asyncio_running_loop,
         "running asyncio loop", thread);
#endif
#if PY_VERSION_HEX >= 0x030E0000
    note(context, ((const _PyThreadStateImpl *)thread)->asyncio_running_task,
         "running asyncio task", thread);
#endif
}

static inline void mw_layout_note_imports(PyInterpreterState *interpreter, mw_layout_note *note,
                                          void *context)
{
#if PY_VERSION_HEX >= 0x030C0000
    note(context, interpreter->imports.importlib, "importlib", NULL);
    note(context, interpreter->imports.import_func, "builtins.__import__", NULL);
    note(context, interpreter->imports.modules_by_index, "extension modules", NULL);
    note(context, interpreter->sysdict_copy, "copy of sys", NULL);
#else
    note(context, interpreter->importlib, "importlib", NULL);
    note(context, interpreter->import_func, "builtins.__import__", NULL);
    note(context, interpreter->modules_by_index, "extension modules", NULL);
#endif
#if PY_VERSION_HEX >= 0x030D0000
    note(context, interpreter->codecs.search_path, "codecs", NULL);
    note(context, interpreter->codecs.search_cache, "codecs", NULL);
    note(context, interpreter->codecs.error_registry, "codecs", NULL);
#else
    note(context, interpreter->codec_search_path, "codecs", NULL);
    note(context, interpreter->codec_search_cache, "codecs", NULL);
    note(context, interpreter->codec_error_registry, "codecs", NULL);
#endif
}

static inline void mw_layout_note_atexit(PyInterpreterState *interpreter, mw_layout_note *note,
                                         void *context)
{
    const struct atexit_state *state = &interpreter->atexit;

#if PY_VERSION_HEX >= 0x030E0000
    note(context, state->callbacks, "atexit", NULL);
#else
    for (int i = 0; i < state->ncallbacks; i++) {
        if (state->callbacks[i] == NULL)
            continue;
        note(context, state->callbacks[i]->func, "atexit", NULL);
        note(context, state->callbacks[i]->args, "atexit", NULL);
        note(context, state->callbacks[i]->kwargs, "atexit", NULL);
    }
#endif
}

static inline void mw_layout_note_monitoring(PyInterpreterState *interpreter, mw_layout_note *note,
                                             void *context)
{
#if PY_VERSION_HEX >= 0x030C0000
    for (int tool = 0; tool < PY_MONITORING_TOOL_IDS; tool++) {
        note(context, interpreter->monitoring_tool_names[tool], "sys.monitoring", NULL);
        for (int event = 0; event < _PY_MONITORING_EVENTS; event++)
            note(context, interpreter->monitoring_callables[tool][event], "sys.monitoring", NULL);
    }
    note(context, interpreter->cached_objects.interned_strings, "interned strings", NULL);
    note(context, interpreter->cached_objects.objreduce, "object.__reduce__", NULL);
    note(context, (PyObject *)interpreter->cached_objects.generic_type, "typing", NULL);
    note(context, (PyObject *)interpreter->cached_objects.typevar_type, "typing", NULL);
    note(context, (PyObject *)interpreter->cached_objects.typevartuple_type, "typing", NULL);
    note(context, (PyObject *)interpreter->cached_objects.paramspec_type, "typing", NULL);
    note(context, (PyObject *)interpreter->cached_objects.paramspecargs_type, "typing", NULL);
    note(context, (PyObject *)interpreter->cached_objects.paramspeckwargs_type, "typing", NULL);
#else
    (void)interpreter, (void)note, (void)context;
#endif
}

/* The types of ast, and names of their fields: nothing but objects from the first on. */
static inline void mw_layout_note_ast(PyInterpreterState *interpreter, mw_layout_note *note,
                                      void *context)
{
    const size_t first = offsetof(struct ast_state, AST_type);
    PyObject *const *objects = (PyObject *const *)((const char *)&interpreter->ast + first);

    for (size_t i = 0; i < (sizeof(struct ast_state) - first) / sizeof *objects; i++)
        note(context, objects[i], "ast", NULL);
}

static inline void mw_layout_note_interpreter(PyInterpreterState *interpreter, mw_layout_note *note,
                                              void *context)
{
    note(context, mw_layout_modules(interpreter), "sys.modules", NULL);
    note(context, interpreter->sysdict, "sys", NULL);
    note(context, interpreter->builtins, "builtins", NULL);
    note(context, interpreter->builtins_copy, "copy of builtins", NULL);
    note(context, interpreter->dict, "interpreter dict", NULL);
    note(context, interpreter->before_forkers, "os.register_at_fork", NULL);
    note(context, interpreter->after_forkers_parent, "os.register_at_fork", NULL);
    note(context, interpreter->after_forkers_child, "os.register_at_fork", NULL);
    note(context, interpreter->audit_hooks, "sys.addaudithook", NULL);
    note(context, interpreter->warnings.filters, "warnings", NULL);
    note(context, interpreter->warnings.once_registry, "warnings", NULL);
    note(context, interpreter->warnings.default_action, "warnings", NULL);
    note(context, interpreter->gc.garbage, "gc.garbage", NULL);
    note(context, interpreter->gc.callbacks, "gc.callbacks", NULL);
    note(context, interpreter->callable_cache.isinstance, "callable cache", NULL);
    note(context, interpreter->callable_cache.len, "callable cache", NULL);
    note(context, interpreter->callable_cache.list_append, "callable cache", NULL);
    mw_layout_note_imports(interpreter, note, context);
    mw_layout_note_atexit(interpreter, note, context);
    mw_layout_note_monitoring(interpreter, note, context);
    mw_layout_note_ast(interpreter, note, context);
}
