/* SPDX-License-Identifier: MIT */
#include "pyext/heap_forms.h"
#include "pyext/heap_layouts.h"

#include "pyext/heap_names.h"

#include "base/hash.h"

#include <string.h>

enum {
    NAME_MAXIMUM = 1024, /* of one form; references behind these have no name     */
    FORM_MAXIMUM = 1 << 16,
    LINK_NEIGHBOURS = 16, /* references of an OrderedDict beside its links' and its entries' */
};

/* ── life ────────────────────────────────────────────────────────────────────────── */

/* The batch that gathers, and who it gathers for. */
typedef struct gathering {
    mw_edge_batch batch; /* first */
    mw_heap_forms *forms;
} gathering;

static void fail(mw_heap_forms *forms, mw_status status)
{
    if (forms->status == MW_OK)
        forms->status = status;
}

static void gather(mw_edge_batch *batch)
{
    mw_heap_forms *forms = ((gathering *)batch)->forms;
    mw_status status = MW_OK;

    while (status == MW_OK && forms->edge_capacity - forms->edge_count < batch->count)
        status = mw_alloc_grow(forms->alloc, &forms->edges, forms->edge_capacity,
                               &forms->edge_capacity, sizeof *forms->edges, UINT32_MAX);
    fail(forms, status);
    if (status == MW_OK) {
        memcpy(forms->edges + forms->edge_count, batch->items, batch->count * sizeof *batch->items);
        forms->edge_count += batch->count;
    }
    batch->count = 0;
}

static gathering *new_gathering(mw_heap_forms *forms)
{
    gathering *self = mw_alloc_new(forms->alloc, sizeof *self);

    if (self == NULL)
        return NULL;
    self->forms = forms;
    self->batch.full = gather;
    self->batch.interpreter = forms->heap->interpreter;
    self->batch.interned = mw_layout_interned(forms->heap->interpreter);
    return self;
}

mw_status mw_heap_forms_init(mw_heap_forms *forms, mw_heap *heap, mw_heap_encoder *encoder,
                             bool hides_texts, mw_alloc *alloc)
{
    gathering *batch;
    mw_status status;

    *forms = (mw_heap_forms){
        .alloc = alloc, .heap = heap, .encoder = encoder, .hides_texts = hides_texts};
    mw_hash_index_init(&forms->key_index, alloc);
    mw_buffer_init(&forms->text, alloc);
    batch = new_gathering(forms);
    forms->batch = batch != NULL ? &batch->batch : NULL;
    forms->names = mw_alloc_array(alloc, NAME_MAXIMUM, sizeof *forms->names);
    status = mw_alloc_grow(alloc, &forms->keys, 0, &forms->key_capacity, sizeof *forms->keys,
                           UINT32_MAX);
    forms->key_count = 1;
    if (batch == NULL || forms->names == NULL)
        status = MW_NO_MEMORY;
    if (status == MW_OK)
        forms->not_named = mw_heap_encoder_name(encoder, "(in C)", strlen("(in C)"));
    else
        mw_heap_forms_done(forms);
    return status;
}

void mw_heap_forms_done(mw_heap_forms *forms)
{
    mw_alloc *alloc = forms->alloc;

    if (alloc == NULL)
        return;
    mw_alloc_release(alloc, forms->batch, sizeof(gathering));
    mw_alloc_release(alloc, forms->edges, forms->edge_capacity * sizeof *forms->edges);
    mw_alloc_release(alloc, forms->names, NAME_MAXIMUM * sizeof *forms->names);
    mw_alloc_release(alloc, forms->keys, forms->key_capacity * sizeof *forms->keys);
    mw_hash_index_done(&forms->key_index);
    mw_buffer_done(&forms->text);
    *forms = (mw_heap_forms){0};
}

/* ── names ───────────────────────────────────────────────────────────────────────── */

static mw_sink *begin_text(mw_heap_forms *forms)
{
    forms->text.length = 0;
    return &forms->text.sink;
}

uint32_t mw_heap_forms_take_name(mw_heap_forms *forms)
{
    fail(forms, forms->text.sink.status);
    return mw_heap_encoder_name(forms->encoder, forms->text.length != 0 ? forms->text.bytes : "",
                                forms->text.length);
}

static mw_status remember_key(mw_heap_forms *forms, PyObject *key, uint64_t hash, uint32_t name)
{
    mw_status status = mw_alloc_grow(forms->alloc, &forms->keys, forms->key_count,
                                     &forms->key_capacity, sizeof *forms->keys, UINT32_MAX);

    if (status == MW_OK)
        status = mw_hash_index_reserve(&forms->key_index, 1);
    if (status != MW_OK)
        return status;
    forms->keys[forms->key_count] = (mw_heap_key_name){key, name};
    mw_hash_index_add(&forms->key_index, hash, forms->key_count++);
    return MW_OK;
}

static uint32_t name_of_key(mw_heap_forms *forms, PyObject *key)
{
    uint64_t hash = mw_hash_combine((uintptr_t)key, MW_HASH_FIRST);
    mw_hash_probe probe = mw_hash_probe_start(hash);
    uint32_t item, name;

    while ((item = mw_hash_index_next(&forms->key_index, &probe)) != 0)
        if (forms->keys[item].key == key)
            return forms->keys[item].name;
    mw_heap_write_attribute(key, begin_text(forms));
    name = mw_heap_forms_take_name(forms);
    fail(forms, remember_key(forms, key, hash, name));
    return name;
}

/* How far attributes, slots and variables have been named. */
typedef struct naming {
    mw_heap_forms *forms;
    PyObject *object; /* NULL: a frame */
    const mw_heap_type *type;
    const mw_py_frame *frame;
    mw_layout_attributes attributes;
    Py_ssize_t next_attribute, next_slot, next_local;
} naming;

/* The attribute behind the last one that has [target] as its value; 0 if there is none. */
static uint32_t name_attribute(naming *self, PyObject *target)
{
    PyDictKeysObject *keys = mw_layout_shared_keys(Py_TYPE(self->object));
    PyObject *value;

    if (self->attributes.values == NULL || keys == NULL)
        return 0;
    for (Py_ssize_t i = self->next_attribute; i < keys->dk_nentries; i++)
        if (self->attributes.values->values[i] == target) {
            self->next_attribute = i + 1;
            return name_of_key(self->forms, mw_layout_dict_entry(keys, i, &value));
        }
    return 0;
}

static bool slot_holds(PyObject *object, const PyMemberDef *member, PyObject *target)
{
    return member->name != NULL && member->type == Py_T_OBJECT_EX &&
           *(PyObject **)((char *)object + member->offset) == target;
}

/* The same of slots, numbered through from the object's class to its bases. */
static uint32_t name_slot(naming *self, PyObject *target)
{
    Py_ssize_t number = 0;

    for (PyTypeObject *type = Py_TYPE(self->object); type != NULL; type = type->tp_base) {
        const PyMemberDef *members = (PyMemberDef *)((char *)type + Py_TYPE(type)->tp_basicsize);

        if ((type->tp_flags & Py_TPFLAGS_HEAPTYPE) == 0)
            continue;
        for (Py_ssize_t i = 0; i < Py_SIZE(type); i++, number++) {
            if (number < self->next_slot || !slot_holds(self->object, &members[i], target))
                continue;
            self->next_slot = number + 1;
            mw_sink_format(begin_text(self->forms), ".%s", members[i].name);
            return mw_heap_forms_take_name(self->forms);
        }
    }
    return 0;
}

/* The same of a frame's variables. */
static uint32_t name_local(naming *self, PyObject *target)
{
    const PyCodeObject *code = mw_frames_code(self->frame);
    mw_sink *sink;

    for (Py_ssize_t i = self->next_local; code != NULL && i < code->co_nlocalsplus; i++) {
        if (mw_layout_frame_slot(self->frame, (int)i).object != target)
            continue;
        self->next_local = i + 1;
        sink = begin_text(self->forms);
        mw_sink_text(sink, ".");
        mw_heap_write_str(PyTuple_GET_ITEM(code->co_localsplusnames, i), sink);
        return mw_heap_forms_take_name(self->forms);
    }
    return 0;
}

/* Keys of a dict that could not be told by place are texts, too. */
static bool is_named_by_text(const naming *self)
{
    return self->type->shape == MW_SHAPE_DICT || self->type->shape == MW_SHAPE_ORDERED_DICT;
}

static uint32_t name_edge(naming *self, PyObject *target)
{
    mw_heap_forms *forms = self->forms;
    uint32_t name = 0;

    if (self->frame != NULL)
        name = name_local(self, target);
    if (self->object == NULL && name == 0) {
        mw_heap_write_frame_reference(self->frame, target, begin_text(forms));
        return mw_heap_forms_take_name(forms);
    }
    if (name == 0 && !PyExceptionInstance_Check(self->object))
        name = name_attribute(self, target);
    if (name == 0 && !PyExceptionInstance_Check(self->object))
        name = name_slot(self, target);
    if (name != 0)
        return name;
    if (forms->hides_texts && is_named_by_text(self))
        return forms->not_named;
    mw_heap_write_reference(forms->heap, self->type, self->object, target, begin_text(forms));
    return mw_heap_forms_take_name(forms);
}

/* ── forms ───────────────────────────────────────────────────────────────────────── */

/* Where all that follows is called as the last one, one name is enough. */
static uint32_t drop_repeated(const uint32_t *names, uint32_t count)
{
    while (count > 1 && names[count - 1] == names[count - 2])
        count--;
    return count;
}

static uint32_t name_edges(naming *self)
{
    mw_heap_forms *forms = self->forms;
    uint32_t count = 0;

    if (self->type->shape == MW_SHAPE_SET && forms->edge_count != 0) {
        mw_sink_text(begin_text(forms), "(member)");
        forms->names[0] = mw_heap_forms_take_name(forms);
        return 1;
    }
    for (; count < forms->named_count && count + 1 < NAME_MAXIMUM; count++)
        forms->names[count] = name_edge(self, forms->edges[count]);
    if (count < forms->edge_count)
        forms->names[count++] = forms->not_named;
    return drop_repeated(forms->names, count);
}

static void find_form(naming *self, uint32_t type, mw_heap_described *described)
{
    mw_heap_forms *forms = self->forms;
    mw_heap_form form = {.type = type, .text = described->text, .edges = described->kind};

    if (forms->encoder->form_count < FORM_MAXIMUM)
        form.name_count = name_edges(self);
    described->form = mw_heap_encoder_form(forms->encoder, &form, forms->names);
    described->degree += forms->edge_count;
}

/* ── contents ────────────────────────────────────────────────────────────────────── */

/* Items are called by their places only if none is missing: one that is being made has holes. */
static void set_items(mw_heap_described *described, PyObject *const *items, Py_ssize_t count)
{
    described->contents = items;
    described->content_slots = (uint64_t)count;
    described->degree = 0;
    for (Py_ssize_t i = 0; i < count; i++)
        described->degree += items[i] != NULL;
    if (described->degree == described->count)
        described->kind = MW_HEAP_EDGES_ITEMS;
}

static void set_pairs(mw_heap_described *described, PyObject *dict)
{
    PyDictKeysObject *keys = ((PyDictObject *)dict)->ma_keys;
    PyObject *value;

    described->dict = dict;
    described->content_slots = (uint64_t)keys->dk_nentries;
    described->degree = 0;
    for (Py_ssize_t i = 0; i < keys->dk_nentries; i++) {
        mw_layout_dict_entry(keys, i, &value);
        described->degree += 2 * (value != NULL);
    }
    if (described->degree == 2 * described->count)
        described->kind = MW_HEAP_EDGES_PAIRS;
}

static bool is_dict_with_pairs(const mw_heap_forms *forms, PyObject *object,
                               const mw_heap_type *type)
{
    const PyDictObject *dict = (PyDictObject *)object;

    return (type->shape == MW_SHAPE_DICT || type->shape == MW_SHAPE_ORDERED_DICT) &&
           object != forms->batch->interned && dict->ma_keys != NULL && dict->ma_values == NULL;
}

static void remove_edges(mw_heap_forms *forms, uint32_t at, uint32_t count)
{
    memmove(forms->edges + at, forms->edges + at + count,
            (forms->edge_count - at - count) * sizeof *forms->edges);
    forms->edge_count -= count;
}

/* Whether the references from [at] on are the items, in either direction. */
static bool items_are_at(const mw_heap_forms *forms, uint32_t at, PyObject *const *items,
                         uint32_t count, bool are_reversed)
{
    for (uint32_t i = 0; i < count; i++)
        if (forms->edges[at + i] != items[are_reversed ? count - 1 - i : i])
            return false;
    return true;
}

/* Items of a type derived from list or tuple, which its tp_traverse gives in a row. */
static void find_items(mw_heap_forms *forms, PyObject *const *items, Py_ssize_t size,
                       mw_heap_described *described)
{
    uint32_t count = (uint32_t)size;

    if (items == NULL || size <= 0 || size > forms->edge_count)
        return;
    for (uint32_t at = 0; at + count <= forms->edge_count; at++)
        if (items_are_at(forms, at, items, count, true) ||
            items_are_at(forms, at, items, count, false)) {
            remove_edges(forms, at, count);
            forms->named_count = forms->edge_count;
            set_items(described, items, size);
            return;
        }
}

/* Whether the references from [at] on are the dict's values, or each value and its key. */
static bool entries_are_at(const mw_heap_forms *forms, uint32_t at, PyDictKeysObject *keys,
                           bool has_keys)
{
    PyObject *key, *value;

    for (Py_ssize_t i = 0; i < keys->dk_nentries; i++) {
        key = mw_layout_dict_entry(keys, i, &value);
        if (value == NULL)
            continue;
        if (forms->edges[at++] != value || (has_keys && forms->edges[at++] != key))
            return false;
    }
    return true;
}

/* Takes these out, [length] references that lie in front of the last [tail]; false if they are not
 * there. */
static bool take_entries(mw_heap_forms *forms, PyDictKeysObject *keys, bool has_keys,
                         uint32_t length, uint32_t tail)
{
    for (uint32_t at = 0; at + length + tail <= forms->edge_count; at++)
        if (entries_are_at(forms, at, keys, has_keys)) {
            remove_edges(forms, at, length);
            return true;
        }
    return false;
}

static bool is_key(PyDictKeysObject *keys, const PyObject *object)
{
    PyObject *value;

    for (Py_ssize_t i = 0; i < keys->dk_nentries; i++)
        if (mw_layout_dict_entry(keys, i, &value) == object && value != NULL)
            return true;
    return false;
}

/* The links of an OrderedDict hold its [count] keys once more, in a row and in an order of their
 * own: these come last, without names, and behind the few others. */
static void put_links_last(mw_heap_forms *forms, PyDictKeysObject *keys, uint32_t count)
{
    PyObject *others[LINK_NEIGHBOURS];
    uint32_t found = 0, place = forms->edge_count;
    uint32_t extra = forms->edge_count - count;

    if (forms->edge_count < count || extra > LINK_NEIGHBOURS)
        return;
    for (uint32_t i = forms->edge_count; i-- > 0;) {
        PyObject *edge = forms->edges[i];

        if ((i < extra || i >= count) && found < extra && !is_key(keys, edge))
            others[found++] = edge;
        else
            forms->edges[--place] = edge;
    }
    for (uint32_t i = 0; i < found; i++)
        forms->edges[i] = others[found - 1 - i];
    forms->named_count = found;
}

/* Entries of a type derived from dict.  Keys that are all str come last: heap_edges.c adds them. */
static void find_pairs(mw_heap_forms *forms, PyObject *object, const mw_heap_type *type,
                       mw_heap_described *described)
{
    PyDictKeysObject *keys = ((PyDictObject *)object)->ma_keys;
    bool has_keys = keys->dk_kind == DICT_KEYS_GENERAL;
    uint32_t pairs;
    bool is_found;

    set_pairs(described, object);
    pairs = (uint32_t)(described->degree / 2);
    is_found =
        described->kind == MW_HEAP_EDGES_PAIRS &&
        take_entries(forms, keys, has_keys, has_keys ? 2 * pairs : pairs, has_keys ? 0 : pairs);
    if (!is_found) {
        described->kind = MW_HEAP_EDGES_NAMED;
        described->dict = NULL;
        described->content_slots = described->degree = 0;
        return;
    }
    if (!has_keys)
        forms->edge_count -= pairs;
    forms->named_count = forms->edge_count;
    if (type->shape == MW_SHAPE_ORDERED_DICT && pairs != 0)
        put_links_last(forms, keys, pairs);
}

/* Everything that the object refers to, contents apart where they can be told apart. */
static void list_edges(mw_heap_forms *forms, PyObject *object, const mw_heap_type *type,
                       mw_heap_described *described)
{
    forms->edge_count = forms->named_count = 0;
    if (type->is_exact && type->shape == MW_SHAPE_LIST) {
        set_items(described, ((PyListObject *)object)->ob_item, Py_SIZE(object));
    } else if (type->is_exact && type->shape == MW_SHAPE_TUPLE) {
        set_items(described, ((PyTupleObject *)object)->ob_item, Py_SIZE(object));
    } else if (type->is_exact && type->shape == MW_SHAPE_DICT &&
               is_dict_with_pairs(forms, object, type)) {
        set_pairs(described, object);
    } else {
        mw_heap_edges_of(forms->batch, object, type);
        gather(forms->batch);
        forms->named_count = forms->edge_count;
        if (type->shape == MW_SHAPE_LIST)
            find_items(forms, ((PyListObject *)object)->ob_item, Py_SIZE(object), described);
        else if (type->shape == MW_SHAPE_TUPLE)
            find_items(forms, ((PyTupleObject *)object)->ob_item, Py_SIZE(object), described);
        else if (is_dict_with_pairs(forms, object, type))
            find_pairs(forms, object, type, described);
    }
}

/* ── objects ─────────────────────────────────────────────────────────────────────── */

/* A task's struct is private, but what it refers to is not: the only str is its name. */
static void write_task_name(mw_heap_forms *forms)
{
    mw_sink *sink = begin_text(forms);

    for (uint32_t i = 0; i < forms->edge_count; i++)
        if (PyUnicode_CheckExact(forms->edges[i])) {
            mw_sink_text(sink, " ");
            mw_heap_write_quoted(forms->edges[i], sink);
            return;
        }
}

/* [count] is told here if it is too large to be told as a number. */
static void write_text(mw_heap_forms *forms, const mw_heap_type *type, PyObject *object,
                       uint64_t count)
{
    if (count > UINT32_MAX)
        mw_sink_format(begin_text(forms), "(%llu)", (unsigned long long)count);
    else if (type->shape == MW_SHAPE_TASK)
        write_task_name(forms);
    else
        mw_heap_write_text(forms->heap, type, object, begin_text(forms));
    fail(forms, forms->text.sink.status);
}

/* What a generator or a frame object runs or ran, whose variables are its. */
static const mw_py_frame *frame_of(PyObject *object, const mw_heap_type *type)
{
    if (type->shape == MW_SHAPE_GENERATOR)
        return mw_layout_generator_frame(object);
    return type->shape == MW_SHAPE_FRAME_OBJECT ? mw_layout_frame_of_object(object) : NULL;
}

/* Whether what the object says may be data.  Interned strings are names in the program's code. */
static bool is_secret(mw_heap_text text, PyObject *object)
{
    return text == MW_HEAP_TEXT_INTEGER ||
           (text == MW_HEAP_TEXT_STRING && !PyUnicode_CHECK_INTERNED(object));
}

mw_heap_described mw_heap_forms_describe(mw_heap_forms *forms, PyObject *object)
{
    uint32_t number = mw_heap_types_of(&forms->heap->types, Py_TYPE(object));
    const mw_heap_type *type = &forms->heap->types.items[number];
    mw_heap_described described = {.kind = MW_HEAP_EDGES_NAMED};
    naming self = {.forms = forms, .object = object, .type = type};

    described.text = mw_heap_text_of(type, object, &described.count);
    if (forms->hides_texts && is_secret(described.text, object))
        described.text = MW_HEAP_TEXT_NONE;
    if (described.text == MW_HEAP_TEXT_COUNT && described.count > UINT32_MAX)
        described.text = MW_HEAP_TEXT_BEHIND;
    list_edges(forms, object, type, &described);
    if (forms->edge_count != 0) {
        self.frame = frame_of(object, type);
        self.attributes = mw_layout_attributes_of(object);
    }
    find_form(&self, number, &described);
    if (described.text != MW_HEAP_TEXT_NONE && described.text != MW_HEAP_TEXT_COUNT)
        write_text(forms, type, object, described.count);
    return described;
}

mw_heap_described mw_heap_forms_describe_frame(mw_heap_forms *forms, const mw_py_frame *frame)
{
    const mw_heap_type *type = &forms->heap->types.items[MW_HEAP_TYPE_FRAME];
    mw_heap_described described = {.kind = MW_HEAP_EDGES_NAMED, .text = MW_HEAP_TEXT_WHOLE};
    naming self = {.forms = forms, .type = type, .frame = frame};

    forms->edge_count = 0;
    mw_heap_edges_of_frame(forms->batch, frame);
    gather(forms->batch);
    forms->named_count = forms->edge_count;
    find_form(&self, MW_HEAP_TYPE_FRAME, &described);
    mw_heap_write_frame(frame, begin_text(forms));
    fail(forms, forms->text.sink.status);
    return described;
}
