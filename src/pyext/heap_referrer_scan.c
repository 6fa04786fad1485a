/* SPDX-License-Identifier: MIT
 *
 * What is looked for is in a filter of bits, by address, which the processor's nearest cache
 * has room for: nearly every reference is told from those that are looked for by one bit.
 *
 * Tuples that may be growing need to be known by their own referrers (heap_objects.h), which
 * the next pass would find, too late: with one of these, the search gives up.
 */
#include "pyext/heap_referrer_scan.h"

#include "pyext/heap_tracked.h"

#include <string.h>

enum { FILTER_BITS = 1 << 16, PLACES_MAXIMUM = 1 << 16, IS_STOP = 1 };

/* [source] refers to what is at the place [target]. */
typedef struct found_reference {
    PyObject *source;
    uint32_t target;
} found_reference;

typedef struct scan {
    mw_edge_batch batch; /* first: `full` gets it back              */
    mw_referrers *found;
    const mw_referrers_question *question;
    mw_pointer_map ignored, stops;
    PyObject *source;            /* being looked at                         */
    uint32_t level, level_end;   /* places that are looked for              */
    found_reference *references; /* owned; in the order of the pass         */
    uint32_t reference_count, reference_capacity;
    found_reference *sorted; /* owned; by target                        */
    uint32_t *ends;          /* owned; by place of the level            */
    const PyObject *hidden;  /* the last one that must not be found   */
    bool gives_up;
    mw_status status;
    uint64_t filter[FILTER_BITS / 64];
} scan;

static void fail(scan *self, mw_status status)
{
    if (self->status == MW_OK)
        self->status = status;
}

/* ── one pass ────────────────────────────────────────────────────────────────────── */

static inline uint32_t filter_bit(const void *object)
{
    return (uint32_t)((uintptr_t)object >> 4 ^ (uintptr_t)object >> 20) % FILTER_BITS;
}

static void note_reference(scan *self, const PyObject *object)
{
    uint32_t place = mw_heap_find(&self->found->heap, object) - 1;
    mw_status status;

    if (place < self->level || place >= self->level_end ||
        (self->found->marks[place] & IS_STOP) != 0)
        return;
    status = mw_alloc_grow(self->found->alloc, &self->references, self->reference_count,
                           &self->reference_capacity, sizeof *self->references, UINT32_MAX);
    if (status == MW_OK)
        self->references[self->reference_count++] = (found_reference){self->source, place};
    else
        fail(self, status);
}

static void sift(mw_edge_batch *batch)
{
    scan *self = (scan *)batch;

    for (uint32_t i = 0; i < batch->count; i++) {
        uint32_t bit = filter_bit(batch->items[i]);

        if (__builtin_expect((self->filter[bit / 64] >> bit % 64 & 1) != 0, 0))
            note_reference(self, batch->items[i]);
    }
    batch->count = 0;
}

static bool look_at(void *context, PyObject *object)
{
    scan *self = context;
    mw_heap_types *types = &self->found->heap.types;
    uint32_t type = mw_heap_types_of(types, Py_TYPE(object));

    if (type == MW_HEAP_TYPE_FRAME)
        fail(self, MW_NO_MEMORY);
    else {
        self->source = object;
        mw_heap_edges_of(&self->batch, object, &types->items[type]);
        sift(&self->batch);
    }
    return self->status == MW_OK;
}

static void pass(scan *self)
{
    memset(self->filter, 0, sizeof self->filter);
    self->reference_count = 0;
    for (uint32_t place = self->level; place < self->level_end; place++) {
        uint32_t bit = filter_bit((const void *)self->found->heap.addresses[place + 1]);

        if ((self->found->marks[place] & IS_STOP) == 0)
            self->filter[bit / 64] |= UINT64_C(1) << bit % 64;
    }
    mw_heap_each_tracked(self->found->heap.interpreter, look_at, self);
}

/* Puts references in the order of their targets, keeping that of the pass. */
static void sort_references(scan *self)
{
    uint32_t sum = 0;

    memset(self->ends, 0, (self->level_end - self->level) * sizeof *self->ends);
    for (uint32_t i = 0; i < self->reference_count; i++)
        self->ends[self->references[i].target - self->level]++;
    for (uint32_t i = 0; i < self->level_end - self->level; i++) {
        uint32_t count = self->ends[i];

        self->ends[i] = sum;
        sum += count;
    }
    for (uint32_t i = 0; i < self->reference_count; i++)
        self->sorted[self->ends[self->references[i].target - self->level]++] = self->references[i];
}

/* ── what it found ───────────────────────────────────────────────────────────────── */

/* The node of an object, which is found with that if it was not before. */
static uint32_t find(scan *self, PyObject *object, uint32_t parent)
{
    mw_referrers *found = self->found;
    uint32_t node;

    if (found->count == found->capacity) {
        self->gives_up = true;
        return 0;
    }
    node = mw_heap_number(&found->heap, (uintptr_t)object);
    fail(self, found->heap.status);
    if (node != found->count + 1)
        return node;
    if (mw_pointer_map_find(&self->stops, (uintptr_t)object) != 0)
        found->marks[found->count] |= IS_STOP;
    found->nodes[found->count] = node;
    found->parents[found->count++] = parent;
    return node;
}

/* Looks at each object once, but for the odd one: that may mean to look at all of a large
 * list. */
static bool may_be_shown(scan *self, PyObject *source)
{
    if (mw_heap_find(&self->found->heap, source) != 0)
        return true;
    if (source == self->hidden)
        return false;
    if (mw_pointer_map_find(&self->ignored, (uintptr_t)source) == 0 &&
        !mw_heap_is_half_made(source)) {
        self->gives_up |= mw_heap_may_be_growing(source);
        return !self->gives_up;
    }
    self->hidden = source;
    return false;
}

static void add_referrer(scan *self, uint32_t place, PyObject *source)
{
    mw_referrers *found = self->found;
    uint32_t node = find(self, source, place);
    mw_status status;

    if (!self->question->wants_rows || self->gives_up)
        return;
    status = mw_alloc_grow(found->alloc, &found->row_nodes, found->row_count, &found->row_capacity,
                           sizeof *found->row_nodes, UINT32_MAX);
    if (status == MW_OK)
        found->row_nodes[found->row_count++] = node;
    else
        fail(self, status);
}

static void expand(scan *self, uint32_t place, const found_reference *reference,
                   const found_reference *end)
{
    const PyObject *last = NULL;
    uint32_t count = 0;

    for (; reference < end && self->status == MW_OK && !self->gives_up; reference++) {
        PyObject *source = reference->source;

        if (source == last || !may_be_shown(self, source))
            continue;
        last = source;
        if (count++ >= self->question->too_many)
            self->found->skipped[place]++;
        else
            add_referrer(self, place, source);
    }
}

static void expand_level(scan *self)
{
    uint32_t begin = 0;

    for (uint32_t place = self->level; place < self->level_end; place++) {
        uint32_t end = self->ends[place - self->level];

        expand(self, place, self->sorted + begin, self->sorted + end);
        self->found->row_ends[place] = self->found->row_count;
        begin = end;
    }
}

/* ── the search ──────────────────────────────────────────────────────────────────── */

static bool ends_here(scan *self)
{
    mw_referrers *found = self->found;

    for (uint32_t place = self->level; place < self->level_end; place++)
        if ((found->marks[place] & IS_STOP) != 0 && self->question->ends_at_stop) {
            found->stop = place;
            return true;
        }
    return self->level == self->level_end;
}

static mw_status step(scan *self)
{
    mw_alloc *alloc = self->found->alloc;
    uint32_t places = self->level_end - self->level;

    pass(self);
    self->sorted = mw_alloc_array(alloc, self->reference_count, sizeof *self->sorted);
    self->ends = mw_alloc_array(alloc, places, sizeof *self->ends);
    if (self->sorted == NULL || self->ends == NULL)
        fail(self, MW_NO_MEMORY);
    if (self->status == MW_OK) {
        sort_references(self);
        expand_level(self);
    }
    mw_alloc_release(alloc, self->sorted, self->reference_count * sizeof *self->sorted);
    mw_alloc_release(alloc, self->ends, places * sizeof *self->ends);
    return self->status;
}

static mw_status search(scan *self, bool *ret_is_complete)
{
    mw_referrers *found = self->found;
    uint32_t depth = 0;

    for (size_t i = 0; i < self->question->subject_count && !self->gives_up; i++)
        find(self, self->question->subjects[i], MW_REFERRERS_NOBODY);
    for (; self->status == MW_OK && !self->gives_up; depth++) {
        self->level = self->level_end;
        self->level_end = found->count;
        if (ends_here(self) || depth == self->question->max_depth) {
            for (uint32_t place = self->level; place < self->level_end; place++)
                found->row_ends[place] = found->row_count;
            *ret_is_complete = true;
            return MW_OK;
        }
        if (depth == MW_REFERRER_SCAN_DEPTH)
            return MW_OK;
        if (step(self) != MW_OK)
            return self->status;
    }
    return self->status;
}

static mw_status note_addresses(scan *self)
{
    const mw_referrers_question *question = self->question;
    mw_status status = mw_pointer_map_init(&self->ignored, self->found->alloc);
    uint32_t *slot;

    if (status == MW_OK)
        status = mw_pointer_map_init(&self->stops, self->found->alloc);
    for (size_t i = 0; i < question->ignored_count && status == MW_OK; i++) {
        slot = mw_pointer_map_slot(&self->ignored, question->ignored[i]);
        status = slot != NULL ? MW_OK : MW_NO_MEMORY;
        if (slot != NULL)
            *slot = 1;
    }
    for (size_t i = 0; i < question->stop_count && status == MW_OK; i++) {
        slot = mw_pointer_map_slot(&self->stops, (uintptr_t)question->stops[i]);
        status = slot != NULL ? MW_OK : MW_NO_MEMORY;
        if (slot != NULL)
            *slot = 1;
    }
    return status;
}

static void scan_free(scan *self)
{
    mw_alloc *alloc = self->found->alloc;

    mw_pointer_map_done(&self->ignored);
    mw_pointer_map_done(&self->stops);
    mw_alloc_release(alloc, self->references, self->reference_capacity * sizeof *self->references);
    mw_alloc_release(alloc, self, sizeof *self);
}

mw_status mw_referrer_scan(mw_referrers *referrers, const mw_referrers_question *question,
                           bool *ret_is_complete)
{
    scan *self = mw_alloc_new(referrers->alloc, sizeof *self);
    mw_status status;

    *ret_is_complete = false;
    if (self == NULL)
        return MW_NO_MEMORY;
    self->found = referrers;
    self->question = question;
    self->batch.full = sift;
    status = mw_heap_init_empty(&referrers->heap, referrers->alloc);
    self->batch.interpreter = referrers->heap.interpreter;
    if (status == MW_OK)
        status = mw_referrers_make_room(referrers, PLACES_MAXIMUM);
    if (status == MW_OK)
        status = note_addresses(self);
    if (status == MW_OK) {
        self->batch.interned = mw_layout_interned(referrers->heap.interpreter);
        status = search(self, ret_is_complete);
    }
    scan_free(self);
    return status;
}
