/* SPDX-License-Identifier: MIT
 *
 * Where the walk's roots come from: frames of all threads, the interpreter's own fields,
 * what sys.modules names; and at the end, what counts more references than were found.
 */
#include "pyext/heap_layouts.h"
#include "pyext/heap_walk.h"

#include <string.h>

/* ── frames ──────────────────────────────────────────────────────────────────────── */

static bool str_equals(PyObject *object, const char *text)
{
    size_t length = strlen(text);

    return PyUnicode_CheckExact(object) && PyUnicode_IS_COMPACT_ASCII(object) &&
           (size_t)PyUnicode_GET_LENGTH(object) == length &&
           memcmp(PyUnicode_DATA(object), text, length) == 0;
}

/* Whether a str is memwhy or the name of a module in it. */
static bool names_us(PyObject *object)
{
    static const char package[] = "memwhy";
    const size_t length = sizeof package - 1;
    const char *text;

    if (!PyUnicode_CheckExact(object) || !PyUnicode_IS_COMPACT_ASCII(object) ||
        (size_t)PyUnicode_GET_LENGTH(object) < length)
        return false;
    text = PyUnicode_DATA(object); /* ends in a NUL */
    return memcmp(text, package, length) == 0 && (text[length] == 0 || text[length] == '.');
}

/* Whether a frame runs code of memwhy's own, by its module's __name__. */
static bool is_ours(const mw_py_frame *frame)
{
    PyObject *globals = mw_frames_code(frame) != NULL ? mw_frames_globals(frame) : NULL;
    PyDictKeysObject *keys;
    PyObject *key, *value;

    if (globals == NULL || !PyDict_Check(globals))
        return false;
    keys = ((PyDictObject *)globals)->ma_keys;
    for (Py_ssize_t i = 0; i < keys->dk_nentries; i++) {
        key = mw_layout_dict_entry(keys, i, &value);
        if (key != NULL && value != NULL && str_equals(key, "__name__"))
            return names_us(value);
    }
    return false;
}

/* Takes what a frame of ours holds for a batch, which is then known and held by nobody. */
typedef struct own_frame {
    mw_edge_batch batch; /* first */
    mw_heap *heap;
} own_frame;

static void note_known(mw_edge_batch *batch)
{
    mw_heap *heap = ((own_frame *)batch)->heap;

    for (uint32_t i = 0; i < batch->count; i++)
        mw_heap_add_known(heap, mw_heap_number(heap, (uintptr_t)batch->items[i]));
    batch->count = 0;
}

static void add_frame(mw_heap *heap, const PyThreadState *thread, const mw_py_frame *frame)
{
    uint32_t node = mw_heap_number(heap, (uintptr_t)frame | MW_HEAP_FRAME);
    mw_status status = mw_alloc_grow(heap->alloc, &heap->frames, heap->frame_count,
                                     &heap->frame_capacity, sizeof *heap->frames, UINT32_MAX);

    if (status != MW_OK) {
        heap->status = status;
        return;
    }
    heap->frames[heap->frame_count++] = (mw_heap_frame){node, thread};
    mw_heap_add_root(heap, node, MW_ROOT_FRAME, heap->frame_count - 1);
}

void mw_heap_add_frames(mw_heap *heap)
{
    own_frame *own = mw_alloc_new(heap->alloc, sizeof *own);

    if (own == NULL) {
        heap->status = MW_NO_MEMORY;
        return;
    }
    own->batch.full = note_known;
    own->heap = heap;
    for (PyThreadState *thread = heap->interpreter->threads.head; thread != NULL;
         thread = thread->next)
        for (mw_py_frame *frame = mw_frames_innermost(thread);
             frame != NULL && heap->status == MW_OK; frame = mw_frames_caller(frame)) {
            if (is_ours(frame))
                mw_heap_edges_of_frame(&own->batch, frame);
            else if (mw_frames_code(frame) != NULL)
                add_frame(heap, thread, frame);
        }
    note_known(&own->batch);
    mw_alloc_release(heap->alloc, own, sizeof *own);
}

/* ── the interpreter ─────────────────────────────────────────────────────────────── */

static void note_root(void *context, PyObject *object, const char *what,
                      const PyThreadState *thread)
{
    mw_heap *heap = context;
    mw_status status;
    uint32_t node;

    if (object == NULL || object == Py_None || heap->status != MW_OK)
        return;
    status = mw_alloc_grow(heap->alloc, &heap->labels, heap->label_count, &heap->label_capacity,
                           sizeof *heap->labels, UINT32_MAX);
    if (status != MW_OK) {
        heap->status = status;
        return;
    }
    node = mw_heap_number(heap, (uintptr_t)object);
    heap->labels[heap->label_count] = (mw_heap_label){what, thread};
    mw_heap_add_root(heap, node, MW_ROOT_INTERPRETER, heap->label_count++);
    mw_heap_add_known(heap, node);
}

void mw_heap_add_interpreter_roots(mw_heap *heap)
{
    PyObject *name;

    mw_layout_note_interpreter(heap->interpreter, note_root, heap);
    for (PyThreadState *thread = heap->interpreter->threads.head; thread != NULL;
         thread = thread->next)
        mw_layout_note_thread(thread, note_root, heap);
    for (uint32_t i = 0; (name = mw_layout_type_cache_name(heap->interpreter, i)) != NULL; i++)
        note_root(heap, name, "cache of attributes", NULL);
}

/* ── modules ─────────────────────────────────────────────────────────────────────── */

/* A module's dict is a root beside the module: functions refer to the dict and pass the
 * module by, so that nobody would dominate anything. */
void mw_heap_add_module_roots(mw_heap *heap)
{
    PyObject *modules = mw_layout_modules(heap->interpreter);
    PyDictKeysObject *keys;
    PyObject *key, *value;

    if (modules == NULL || !PyDict_Check(modules))
        return;
    keys = ((PyDictObject *)modules)->ma_keys;
    for (Py_ssize_t i = 0; i < keys->dk_nentries && heap->status == MW_OK; i++) {
        uint32_t label;

        key = mw_layout_dict_entry(keys, i, &value);
        if (key == NULL || value == NULL || value == Py_None)
            continue;
        label = mw_heap_number(heap, (uintptr_t)key);
        mw_heap_add_root(heap, mw_heap_number(heap, (uintptr_t)value), MW_ROOT_MODULE, label);
        if (mw_heap_type_derives(Py_TYPE(value), &PyModule_Type) &&
            ((PyModuleObject *)value)->md_dict != NULL)
            mw_heap_add_root(heap,
                             mw_heap_number(heap, (uintptr_t)((PyModuleObject *)value)->md_dict),
                             MW_ROOT_MODULE, label);
    }
}

/* ── what is left ────────────────────────────────────────────────────────────────── */

void mw_heap_add_held_roots(mw_heap *heap)
{
    for (uint32_t node = 1; node < heap->graph.node_count && heap->status == MW_OK; node++) {
        int32_t references = heap->graph.nodes[node].references;

        if (references <= 0 || mw_heap_is_frame(heap, node))
            continue;
        if (references != MW_GRAPH_IMMORTAL)
            mw_heap_add_root(heap, node, MW_ROOT_HELD_FROM_C, 0);
        else if (mw_heap_type_of(heap, node)->shape == MW_SHAPE_TYPE)
            mw_heap_add_root(heap, node, MW_ROOT_STATIC, 0);
        else
            mw_heap_add_root(heap, node, MW_ROOT_IMMORTAL, 0);
    }
}
