/* SPDX-License-Identifier: MIT */
#include "pyext/heap_names.h"
#include "pyext/heap_layouts.h"

#include <string.h>

enum { TEXT_MAXIMUM = 60, PATH_MAXIMUM = 400 };

/* ── text ────────────────────────────────────────────────────────────────────────── */

static size_t encode(Py_UCS4 character, char *utf8)
{
    if (character < 0x80) {
        utf8[0] = (char)character;
        return 1;
    }
    if (character < 0x800) {
        utf8[0] = (char)(0xc0 | character >> 6);
        utf8[1] = (char)(0x80 | (character & 0x3f));
        return 2;
    }
    if (character < 0x10000) {
        utf8[0] = (char)(0xe0 | character >> 12);
        utf8[1] = (char)(0x80 | (character >> 6 & 0x3f));
        utf8[2] = (char)(0x80 | (character & 0x3f));
        return 3;
    }
    utf8[0] = (char)(0xf0 | character >> 18);
    utf8[1] = (char)(0x80 | (character >> 12 & 0x3f));
    utf8[2] = (char)(0x80 | (character >> 6 & 0x3f));
    utf8[3] = (char)(0x80 | (character & 0x3f));
    return 4;
}

static bool is_str(PyObject *object)
{
    return object != NULL && PyUnicode_Check(object);
}

/* At most [maximum] characters, and a sign if there are more. */
static void write_characters(PyObject *text, Py_ssize_t maximum, mw_sink *sink)
{
    int kind = (int)PyUnicode_KIND(text);
    const void *data = PyUnicode_DATA(text);
    Py_ssize_t length = PyUnicode_GET_LENGTH(text);
    char utf8[4];

    if (data == NULL)
        return;
    for (Py_ssize_t i = 0; i < length && i < maximum; i++)
        mw_sink_bytes(sink, utf8, encode(PyUnicode_READ(kind, data, i), utf8));
    if (length > maximum)
        mw_sink_text(sink, "…");
}

void mw_heap_write_str(PyObject *object, mw_sink *sink)
{
    if (is_str(object))
        write_characters(object, PATH_MAXIMUM, sink);
}

void mw_heap_write_quoted(PyObject *text, mw_sink *sink)
{
    mw_sink_text(sink, "'");
    write_characters(text, TEXT_MAXIMUM, sink);
    mw_sink_text(sink, "'");
}

/* The absolute value of the [count] lowest digits. */
static uint64_t read_digits(PyObject *number, size_t count)
{
    const digit *digits = (const digit *)((const char *)number + mw_layout_int_header_bytes());
    uint64_t value = 0;

    for (size_t i = count; i-- > 0;)
        value = value << PyLong_SHIFT | digits[i];
    return value;
}

static void write_int(PyObject *number, mw_sink *sink)
{
    size_t count = mw_layout_int_digits(number);
    uint64_t value;

    if (count > 2) {
        mw_sink_text(sink, "<large int>");
        return;
    }
    value = read_digits(number, count);
    mw_sink_format(sink, "%s%llu", mw_layout_int_is_negative(number) ? "-" : "",
                   (unsigned long long)value);
}

/* The value of [name] among a dict's str keys, borrowed, or NULL. */
static PyObject *find_in_dict(PyObject *dict, const char *name)
{
    PyDictKeysObject *keys;
    PyObject *key, *value;

    if (dict == NULL || !PyDict_Check(dict))
        return NULL;
    keys = ((PyDictObject *)dict)->ma_keys;
    for (Py_ssize_t i = 0;
         keys != NULL && ((PyDictObject *)dict)->ma_values == NULL && i < keys->dk_nentries; i++) {
        key = mw_layout_dict_entry(keys, i, &value);
        if (value != NULL && is_str(key) && PyUnicode_IS_COMPACT_ASCII(key) &&
            strcmp(PyUnicode_DATA(key), name) == 0)
            return value;
    }
    return NULL;
}

/* ── types ───────────────────────────────────────────────────────────────────────── */

static void write_type_name(const mw_heap *heap, PyTypeObject *type, mw_sink *sink)
{
    PyObject *subclasses, *module;

    if ((type->tp_flags & Py_TPFLAGS_HEAPTYPE) == 0 ||
        !is_str(((PyHeapTypeObject *)type)->ht_qualname)) {
        mw_sink_text(sink, type->tp_name);
        return;
    }
    module = find_in_dict(mw_layout_type_dict(heap->interpreter, type, &subclasses), "__module__");
    if (is_str(module) &&
        !(PyUnicode_IS_COMPACT_ASCII(module) && strcmp(PyUnicode_DATA(module), "builtins") == 0)) {
        write_characters(module, PATH_MAXIMUM, sink);
        mw_sink_text(sink, ".");
    }
    write_characters(((PyHeapTypeObject *)type)->ht_qualname, PATH_MAXIMUM, sink);
}

void mw_heap_write_type(const mw_heap *heap, uint32_t type, mw_sink *sink)
{
    if (type == MW_HEAP_TYPE_FRAME)
        mw_sink_text(sink, "running frame");
    else
        write_type_name(heap, heap->types.items[type].type, sink);
}

/* ── objects ─────────────────────────────────────────────────────────────────────── */

static void write_code_place(const PyCodeObject *code, mw_sink *sink)
{
    if (code == NULL)
        return;
    mw_heap_write_str(code->co_qualname, sink);
    mw_sink_text(sink, " (");
    mw_heap_write_str(code->co_filename, sink);
    mw_sink_format(sink, ":%d)", code->co_firstlineno);
}

/* Module, function or type: a word and a name. */
static void write_named(const char *word, PyObject *name, mw_sink *sink)
{
    mw_sink_text(sink, word);
    mw_heap_write_str(name, sink);
}

static void write_method(PyObject *object, mw_sink *sink)
{
    PyObject *function = ((PyMethodObject *)object)->im_func;

    mw_sink_text(sink, "method ");
    if (function != NULL && Py_TYPE(function) == &PyFunction_Type)
        mw_heap_write_str(((PyFunctionObject *)function)->func_qualname, sink);
}

/* An attribute of an instance, borrowed, or NULL. */
static PyObject *find_attribute(PyObject *object, const char *name)
{
    mw_layout_attributes attributes = mw_layout_attributes_of(object);
    PyDictKeysObject *keys = mw_layout_shared_keys(Py_TYPE(object));
    PyObject *key, *value;

    for (Py_ssize_t i = 0; attributes.values != NULL && keys != NULL && i < keys->dk_nentries;
         i++) {
        key = mw_layout_dict_entry(keys, i, &value);
        if (is_str(key) && PyUnicode_IS_COMPACT_ASCII(key) &&
            strcmp(PyUnicode_DATA(key), name) == 0)
            return attributes.values->values[i];
    }
    return find_in_dict(attributes.dict, name);
}

/* What tasks and threads are called.  A task's struct is private, but what it refers to is
 * not: the only str is its name. */
static void write_task_name(const mw_heap *heap, uint32_t node, mw_sink *sink)
{
    const mw_object_graph *graph = &heap->graph;

    for (uint32_t i = graph->first_edge[node]; i < graph->first_edge[node + 1]; i++) {
        PyObject *object = mw_heap_object(heap, graph->edges[i]);

        if (object != NULL && PyUnicode_CheckExact(object)) {
            mw_sink_text(sink, " ");
            mw_heap_write_quoted(object, sink);
            return;
        }
    }
}

static void write_thread_name(PyObject *object, mw_sink *sink)
{
    PyObject *name = find_attribute(object, "_name");

    if (is_str(name)) {
        mw_sink_text(sink, " ");
        mw_heap_write_quoted(name, sink);
    }
}

/* Three digits have 90 bits, and what an unsigned long has fits into them. */
static bool int_equals(PyObject *object, uint64_t value)
{
    return PyLong_CheckExact(object) && mw_layout_int_digits(object) <= 3 &&
           !mw_layout_int_is_negative(object) &&
           read_digits(object, mw_layout_int_digits(object)) == value;
}

void mw_heap_write_thread(const mw_heap *heap, uint64_t thread, mw_sink *sink)
{
    PyObject *module = find_in_dict(mw_layout_modules(heap->interpreter), "threading");
    PyObject *active, *key, *value, *name;

    if (module == NULL || !mw_heap_type_derives(Py_TYPE(module), &PyModule_Type))
        return;
    active = find_in_dict(((PyModuleObject *)module)->md_dict, "_active");
    if (active == NULL || !PyDict_CheckExact(active) || ((PyDictObject *)active)->ma_keys == NULL)
        return;
    for (Py_ssize_t i = 0; i < ((PyDictObject *)active)->ma_keys->dk_nentries; i++) {
        key = mw_layout_dict_entry(((PyDictObject *)active)->ma_keys, i, &value);
        if (key == NULL || value == NULL || !int_equals(key, thread))
            continue;
        name = find_attribute(value, "_name");
        if (is_str(name))
            write_characters(name, TEXT_MAXIMUM, sink);
        return;
    }
}

/* How much is in a container; false for what is none. */
static bool count_contents(const mw_heap_type *type, PyObject *object, uint64_t *ret_count)
{
    switch (type->shape) {
    case MW_SHAPE_LIST:
    case MW_SHAPE_TUPLE:
    case MW_SHAPE_BYTES:
    case MW_SHAPE_BYTEARRAY:
    case MW_SHAPE_ARRAY:
    case MW_SHAPE_DEQUE:
        *ret_count = (uint64_t)Py_SIZE(object);
        return true;
    case MW_SHAPE_DICT:
    case MW_SHAPE_ORDERED_DICT:
        *ret_count = (uint64_t)((PyDictObject *)object)->ma_used;
        return true;
    case MW_SHAPE_SET:
        *ret_count = (uint64_t)((PySetObject *)object)->used;
        return true;
    default:
        return false;
    }
}

mw_heap_text mw_heap_text_of(const mw_heap_type *type, PyObject *object, uint64_t *ret_count)
{
    if (count_contents(type, object, ret_count))
        return MW_HEAP_TEXT_COUNT;
    switch (type->shape) {
    case MW_SHAPE_STR:
        return MW_HEAP_TEXT_STRING;
    case MW_SHAPE_INT:
        return type->is_exact ? MW_HEAP_TEXT_INTEGER : MW_HEAP_TEXT_NONE;
    case MW_SHAPE_MODULE:
        return MW_HEAP_TEXT_MODULE;
    case MW_SHAPE_TYPE:
        return MW_HEAP_TEXT_CLASS;
    case MW_SHAPE_FUNCTION:
    case MW_SHAPE_BUILTIN:
    case MW_SHAPE_METHOD:
    case MW_SHAPE_FRAME_OBJECT:
    case MW_SHAPE_CODE:
        return MW_HEAP_TEXT_WHOLE;
    case MW_SHAPE_GENERATOR:
    case MW_SHAPE_TASK:
    case MW_SHAPE_THREAD:
        return MW_HEAP_TEXT_BEHIND;
    default:
        return MW_HEAP_TEXT_NONE;
    }
}

void mw_heap_write_text(const mw_heap *heap, const mw_heap_type *type, PyObject *object,
                        mw_sink *sink)
{
    switch (type->shape) {
    case MW_SHAPE_STR:
        write_characters(object, TEXT_MAXIMUM, sink);
        return;
    case MW_SHAPE_INT:
        write_int(object, sink);
        return;
    case MW_SHAPE_MODULE:
        mw_heap_write_str(((PyModuleObject *)object)->md_name, sink);
        return;
    case MW_SHAPE_TYPE:
        write_type_name(heap, (PyTypeObject *)object, sink);
        return;
    case MW_SHAPE_FUNCTION:
        write_named("function ", ((PyFunctionObject *)object)->func_qualname, sink);
        return;
    case MW_SHAPE_BUILTIN:
        mw_sink_text(sink, "builtin ");
        mw_sink_text(sink, ((PyCFunctionObject *)object)->m_ml->ml_name);
        return;
    case MW_SHAPE_METHOD:
        write_method(object, sink);
        return;
    case MW_SHAPE_GENERATOR:
        write_named(" ", ((PyGenObject *)object)->gi_qualname, sink);
        return;
    case MW_SHAPE_FRAME_OBJECT:
        mw_sink_text(sink, "frame ");
        write_code_place(mw_layout_code_of(object, false), sink);
        return;
    case MW_SHAPE_CODE:
        mw_sink_text(sink, "code ");
        write_code_place((PyCodeObject *)object, sink);
        return;
    case MW_SHAPE_THREAD:
        write_thread_name(object, sink);
        return;
    default:
        return;
    }
}

void mw_heap_write_frame(const mw_py_frame *frame, mw_sink *sink)
{
    mw_sink_text(sink, "frame ");
    write_code_place(mw_frames_code(frame), sink);
}

static void write_with_type(const mw_heap *heap, uint32_t node, PyObject *object, mw_sink *sink)
{
    const mw_heap_type *type = mw_heap_type_of(heap, node);

    write_type_name(heap, type->type, sink);
    if (type->shape == MW_SHAPE_TASK)
        write_task_name(heap, node, sink);
    else
        mw_heap_write_text(heap, type, object, sink);
}

void mw_heap_write_object(const mw_heap *heap, uint32_t node, mw_sink *sink)
{
    const mw_heap_type *type = mw_heap_type_of(heap, node);
    PyObject *object = mw_heap_object(heap, node);
    uint64_t count;

    if (object == NULL) {
        mw_heap_write_frame(mw_heap_frame_at(heap, node), sink);
        return;
    }
    switch (mw_heap_text_of(type, object, &count)) {
    case MW_HEAP_TEXT_NONE:
        write_type_name(heap, type->type, sink);
        return;
    case MW_HEAP_TEXT_BEHIND:
        write_with_type(heap, node, object, sink);
        return;
    case MW_HEAP_TEXT_COUNT:
        write_type_name(heap, type->type, sink);
        mw_sink_format(sink, "(%lld)", (long long)count);
        return;
    case MW_HEAP_TEXT_STRING:
        mw_heap_write_quoted(object, sink);
        return;
    case MW_HEAP_TEXT_MODULE:
        mw_sink_text(sink, "module ");
        break;
    case MW_HEAP_TEXT_CLASS:
        mw_sink_text(sink, "class ");
        break;
    default:
        break;
    }
    mw_heap_write_text(heap, type, object, sink);
}

/* ── references ──────────────────────────────────────────────────────────────────── */

/* Each `name_…` writes how [object] refers to [target] and returns true, or returns false if
 * it does not in that way. */

static bool name_field(PyObject *field, PyObject *target, const char *name, mw_sink *sink)
{
    if (field != target)
        return false;
    mw_sink_text(sink, name);
    return true;
}

static void write_key(PyObject *key, mw_sink *sink)
{
    if (is_str(key))
        mw_heap_write_quoted(key, sink);
    else if (PyLong_CheckExact(key))
        write_int(key, sink);
    else
        mw_sink_format(sink, "<%.60s>", Py_TYPE(key)->tp_name);
}

static bool name_in_dict(PyObject *object, PyObject *target, mw_sink *sink)
{
    PyDictObject *dict = (PyDictObject *)object;
    PyDictKeysObject *keys = dict->ma_keys;
    PyObject *key, *value;

    for (Py_ssize_t i = 0; keys != NULL && i < keys->dk_nentries; i++) {
        key = mw_layout_dict_entry(keys, i, &value);
        if (dict->ma_values != NULL)
            value = dict->ma_values->values[i];
        if (value == NULL || (value != target && key != target))
            continue;
        mw_sink_text(sink, value == target ? "[" : "(key ");
        write_key(key, sink);
        mw_sink_text(sink, value == target ? "]" : ")");
        return true;
    }
    return false;
}

static bool name_item(PyObject *const *items, Py_ssize_t count, PyObject *target, mw_sink *sink)
{
    for (Py_ssize_t i = 0; i < count; i++)
        if (items[i] == target) {
            mw_sink_format(sink, "[%lld]", (long long)i);
            return true;
        }
    return false;
}

static bool name_local(const mw_py_frame *frame, PyObject *target, mw_sink *sink)
{
    const PyCodeObject *code = frame != NULL ? mw_frames_code(frame) : NULL;
    int depth;

    if (code == NULL)
        return false;
    for (int i = 0; i < code->co_nlocalsplus; i++)
        if (mw_layout_frame_slot(frame, i).object == target) {
            mw_sink_text(sink, ".");
            mw_heap_write_str(PyTuple_GET_ITEM(code->co_localsplusnames, i), sink);
            return true;
        }
    depth = mw_layout_frame_depth(frame, code);
    for (int i = code->co_nlocalsplus; i < depth; i++)
        if (mw_layout_frame_slot(frame, i).object == target) {
            mw_sink_text(sink, "(temporary)");
            return true;
        }
    return name_field(frame->f_locals, target, "(locals)", sink) ||
           name_field((PyObject *)code, target, "(code)", sink) ||
           name_field(mw_layout_frame_function(frame).object, target, "(function)", sink);
}

static bool name_in_function(PyObject *object, PyObject *target, mw_sink *sink)
{
    const PyFunctionObject *function = (PyFunctionObject *)object;

    return name_field(function->func_closure, target, ".__closure__", sink) ||
           name_field(function->func_defaults, target, ".__defaults__", sink) ||
           name_field(function->func_kwdefaults, target, ".__kwdefaults__", sink) ||
           name_field(function->func_dict, target, ".__dict__", sink) ||
           name_field(function->func_code, target, ".__code__", sink) ||
           name_field(function->func_globals, target, ".__globals__", sink) ||
           name_field(function->func_annotations, target, ".__annotations__", sink) ||
           name_field(function->func_name, target, ".__name__", sink) ||
           name_field(function->func_qualname, target, ".__qualname__", sink) ||
           name_field(function->func_module, target, ".__module__", sink) ||
           name_field(function->func_doc, target, ".__doc__", sink);
}

static bool name_in_type(const mw_heap *heap, PyObject *object, PyObject *target, mw_sink *sink)
{
    PyTypeObject *type = (PyTypeObject *)object;
    PyObject *subclasses;
    PyObject *dict = mw_layout_type_dict(heap->interpreter, type, &subclasses);

    return name_field(dict, target, ".__dict__", sink) ||
           name_field(type->tp_bases, target, ".__bases__", sink) ||
           name_field((PyObject *)type->tp_base, target, ".__base__", sink) ||
           name_field(type->tp_mro, target, ".__mro__", sink) ||
           name_field(subclasses, target, "(subclasses)", sink);
}

static bool name_in_exception(PyObject *object, PyObject *target, mw_sink *sink)
{
    const PyBaseExceptionObject *exception = (PyBaseExceptionObject *)object;

    return name_field(exception->traceback, target, ".__traceback__", sink) ||
           name_field(exception->context, target, ".__context__", sink) ||
           name_field(exception->cause, target, ".__cause__", sink) ||
           name_field(exception->args, target, ".args", sink) ||
           name_field(exception->notes, target, ".__notes__", sink);
}

static bool name_in_traceback(PyObject *object, PyObject *target, mw_sink *sink)
{
    const PyTracebackObject *traceback = (PyTracebackObject *)object;

    return name_field((PyObject *)traceback->tb_frame, target, ".tb_frame", sink) ||
           name_field((PyObject *)traceback->tb_next, target, ".tb_next", sink);
}

static bool name_in_code(PyObject *object, PyObject *target, mw_sink *sink)
{
    const PyCodeObject *code = (PyCodeObject *)object;

    return name_field(code->co_consts, target, ".co_consts", sink) ||
           name_field(code->co_names, target, ".co_names", sink) ||
           name_field(code->co_filename, target, ".co_filename", sink) ||
           name_field(code->co_qualname, target, ".co_qualname", sink) ||
           name_field(code->co_name, target, ".co_name", sink);
}

/* What only this kind of object has. */
static bool name_by_shape(const mw_heap *heap, PyObject *object, const mw_heap_type *type,
                          PyObject *target, mw_sink *sink)
{
    switch (type->shape) {
    case MW_SHAPE_DICT:
    case MW_SHAPE_ORDERED_DICT:
        return name_in_dict(object, target, sink);
    case MW_SHAPE_LIST:
        return name_item(((PyListObject *)object)->ob_item, Py_SIZE(object), target, sink);
    case MW_SHAPE_TUPLE:
        return name_item(((PyTupleObject *)object)->ob_item, Py_SIZE(object), target, sink);
    case MW_SHAPE_FUNCTION:
        return name_in_function(object, target, sink);
    case MW_SHAPE_TYPE:
        return name_in_type(heap, object, target, sink);
    case MW_SHAPE_CODE:
        return name_in_code(object, target, sink);
    case MW_SHAPE_CELL:
        return name_field(((PyCellObject *)object)->ob_ref, target, ".cell_contents", sink);
    case MW_SHAPE_METHOD:
        return name_field(((PyMethodObject *)object)->im_self, target, ".__self__", sink) ||
               name_field(((PyMethodObject *)object)->im_func, target, ".__func__", sink);
    case MW_SHAPE_MODULE:
        return name_field(((PyModuleObject *)object)->md_dict, target, ".__dict__", sink);
    case MW_SHAPE_GENERATOR:
        return name_local(mw_layout_generator_frame(object), target, sink);
    case MW_SHAPE_FRAME_OBJECT:
        return name_local(mw_layout_frame_of_object(object), target, sink) ||
               name_field((PyObject *)((PyFrameObject *)object)->f_back, target, ".f_back", sink);
    case MW_SHAPE_SET:
        mw_sink_text(sink, "(member)");
        return true;
    default:
        break;
    }
    if (PyExceptionInstance_Check(object))
        return name_in_exception(object, target, sink);
    if (Py_TYPE(object) == &PyTraceBack_Type)
        return name_in_traceback(object, target, sink);
    return false;
}

void mw_heap_write_attribute(PyObject *name, mw_sink *sink)
{
    bool is_word = is_str(name) && PyUnicode_GET_LENGTH(name) != 0;

    for (Py_ssize_t i = 0; is_word && i < PyUnicode_GET_LENGTH(name); i++) {
        Py_UCS4 character = PyUnicode_READ_CHAR(name, i);

        is_word = character >= 0x80 || character == '_' || Py_ISALNUM((int)character);
    }
    mw_sink_text(sink, is_word ? "." : "['");
    mw_heap_write_str(name, sink);
    mw_sink_text(sink, is_word ? "" : "']");
}

static bool name_attribute(PyObject *object, PyObject *target, mw_sink *sink)
{
    mw_layout_attributes attributes = mw_layout_attributes_of(object);
    PyDictKeysObject *keys = mw_layout_shared_keys(Py_TYPE(object));
    PyObject *value;

    if (attributes.dict != NULL && attributes.dict == target) {
        mw_sink_text(sink, ".__dict__");
        return true;
    }
    for (Py_ssize_t i = 0; attributes.values != NULL && keys != NULL && i < keys->dk_nentries; i++)
        if (attributes.values->values[i] == target) {
            mw_heap_write_attribute(mw_layout_dict_entry(keys, i, &value), sink);
            return true;
        }
    return false;
}

static bool name_member_of(PyObject *object, PyObject *target, const PyMemberDef *members,
                           Py_ssize_t count, mw_sink *sink)
{
    for (Py_ssize_t i = 0; i < count && members[i].name != NULL; i++)
        if ((members[i].type == Py_T_OBJECT_EX || members[i].type == MW_LAYOUT_T_OBJECT) &&
            *(PyObject **)((char *)object + members[i].offset) == target) {
            mw_sink_text(sink, ".");
            mw_sink_text(sink, members[i].name);
            return true;
        }
    return false;
}

/* Slots of classes, which lie behind the class, and members of C types. */
static bool name_member(PyObject *object, PyObject *target, mw_sink *sink)
{
    for (PyTypeObject *type = Py_TYPE(object); type != NULL; type = type->tp_base) {
        if ((type->tp_flags & Py_TPFLAGS_HEAPTYPE) != 0 &&
            name_member_of(object, target,
                           (PyMemberDef *)((char *)type + Py_TYPE(type)->tp_basicsize),
                           Py_SIZE(type), sink))
            return true;
        if (type->tp_members != NULL &&
            name_member_of(object, target, type->tp_members, PY_SSIZE_T_MAX, sink))
            return true;
    }
    return false;
}

void mw_heap_write_frame_reference(const mw_py_frame *frame, PyObject *target, mw_sink *sink)
{
    if (!name_local(frame, target, sink))
        mw_sink_text(sink, "(frame)");
}

void mw_heap_write_reference(const mw_heap *heap, const mw_heap_type *type, PyObject *object,
                             PyObject *target, mw_sink *sink)
{
    if (!name_by_shape(heap, object, type, target, sink) && !name_attribute(object, target, sink) &&
        !name_member(object, target, sink) &&
        !name_field((PyObject *)Py_TYPE(object), target, ".__class__", sink))
        mw_sink_text(sink, "(in C)");
}

void mw_heap_write_edge(const mw_heap *heap, uint32_t from, uint32_t to, mw_sink *sink)
{
    PyObject *object = mw_heap_object(heap, from);
    PyObject *target = mw_heap_object(heap, to);

    if (object == NULL)
        mw_heap_write_frame_reference(mw_heap_frame_at(heap, from), target, sink);
    else
        mw_heap_write_reference(heap, mw_heap_type_of(heap, from), object, target, sink);
}
