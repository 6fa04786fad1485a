/* SPDX-License-Identifier: MIT
 *
 * The array of found nodes is the queue.  A node that must not be handed out is as if it
 * were not there.
 */
#include "pyext/heap_referrers.h"

#include "pyext/heap_referrer_scan.h"
#include "pyext/heap_tracked.h"

enum { IS_FOUND = 1, IS_HIDDEN = 2, IS_SHOWN = 4, IS_STOP = 8, IS_KNOWN = 16 };

static void mark(mw_referrers *self, const void *object, uint8_t bit)
{
    uint32_t node = mw_heap_find(&self->heap, object);

    if (node != 0)
        self->marks[node] |= bit;
}

/* ── what is passed over ─────────────────────────────────────────────────────────── */

/* Since 3.15 a bytearray's bytes are an object that nobody else may hold. */
static void ignore_private(mw_referrers *self)
{
    mark(self, mw_layout_interned(self->heap.interpreter), IS_HIDDEN);
    for (uint32_t node = 1; node < self->heap.graph.node_count; node++) {
        PyObject *object = mw_heap_object(&self->heap, node);

        if (object != NULL && PyByteArray_Check(object) &&
            mw_layout_bytearray_object(object) != NULL)
            mark(self, mw_layout_bytearray_object(object), IS_HIDDEN);
    }
}

static void mark_all(mw_referrers *self, const mw_referrers_question *question)
{
    if (question->everything)
        ignore_private(self);
    for (size_t i = 0; i < question->ignored_count; i++)
        mark(self, (const void *)question->ignored[i], IS_HIDDEN);
    for (size_t i = 0; i < question->stop_count; i++)
        mark(self, question->stops[i], IS_STOP);
    for (uint32_t i = 0; i < self->heap.known_count; i++)
        self->marks[self->heap.known[i]] |= IS_KNOWN;
}

static bool may_be_shown(const mw_referrers *self, bool everything, uint32_t node)
{
    PyObject *object = mw_heap_object(&self->heap, node);

    if (object == NULL)
        return everything && node != MW_GRAPH_ROOT &&
               mw_frames_is_complete(mw_heap_frame_at(&self->heap, node));
    return !mw_heap_is_half_made(object) &&
           (!mw_heap_may_be_growing(object) || (self->marks[node] & IS_KNOWN) != 0 ||
            self->back.first[node] < self->back.first[node + 1]);
}

/* Looks at each node once: that may mean to look at all of a large list. */
static bool is_hidden(mw_referrers *self, bool everything, uint32_t node)
{
    if ((self->marks[node] & (IS_HIDDEN | IS_SHOWN)) == 0)
        self->marks[node] |= may_be_shown(self, everything, node) ? IS_SHOWN : IS_HIDDEN;
    return (self->marks[node] & IS_HIDDEN) != 0;
}

/* ── the search ──────────────────────────────────────────────────────────────────── */

static void find(mw_referrers *self, uint32_t node, uint32_t parent)
{
    if (node == MW_GRAPH_ROOT || (self->marks[node] & IS_FOUND) != 0)
        return;
    self->marks[node] |= IS_FOUND;
    self->nodes[self->count] = node;
    self->parents[self->count++] = parent;
}

static mw_status add_to_row(mw_referrers *self, uint32_t node)
{
    mw_status status = mw_alloc_grow(self->alloc, &self->row_nodes, self->row_count,
                                     &self->row_capacity, sizeof *self->row_nodes, UINT32_MAX);

    if (status == MW_OK)
        self->row_nodes[self->row_count++] = node;
    return status;
}

/* Finds who refers to what is at [place].  Who does it twice stands there twice, one after
 * the other. */
static mw_status expand(mw_referrers *self, const mw_referrers_question *question, uint32_t place)
{
    uint32_t node = self->nodes[place], last = 0, count = 0;
    mw_status status = MW_OK;

    for (uint32_t i = self->back.first[node]; i < self->back.first[node + 1] && status == MW_OK;
         i++) {
        uint32_t referrer = self->back.edges[i];

        if (referrer == last || is_hidden(self, question->everything, referrer))
            continue;
        last = referrer;
        if (count++ >= question->too_many) {
            self->skipped[place]++;
            continue;
        }
        find(self, referrer, place);
        if (question->wants_rows)
            status = add_to_row(self, referrer);
    }
    return status;
}

static mw_status search(mw_referrers *self, const mw_referrers_question *question)
{
    uint32_t depth = 0, level_end;
    mw_status status = MW_OK;

    for (size_t i = 0; i < question->subject_count; i++)
        find(self, mw_heap_find(&self->heap, question->subjects[i]), MW_REFERRERS_NOBODY);
    level_end = self->count;
    for (uint32_t place = 0; place < self->count && status == MW_OK; place++) {
        bool is_stop = (self->marks[self->nodes[place]] & IS_STOP) != 0;

        if (place == level_end) {
            depth++;
            level_end = self->count;
        }
        if (is_stop && question->ends_at_stop) {
            self->stop = place;
            return MW_OK;
        }
        if (!is_stop && depth < question->max_depth)
            status = expand(self, question, place);
        self->row_ends[place] = self->row_count;
    }
    return status;
}

/* ── all of it ───────────────────────────────────────────────────────────────────── */

mw_status mw_referrers_make_room(mw_referrers *referrers, uint32_t count)
{
    mw_alloc *alloc = referrers->alloc;

    referrers->capacity = count;
    referrers->marks = mw_alloc_array(alloc, count, sizeof *referrers->marks);
    referrers->nodes = mw_alloc_array(alloc, count, sizeof *referrers->nodes);
    referrers->parents = mw_alloc_array(alloc, count, sizeof *referrers->parents);
    referrers->row_ends = mw_alloc_array(alloc, count, sizeof *referrers->row_ends);
    referrers->skipped = mw_alloc_array(alloc, count, sizeof *referrers->skipped);
    return referrers->marks != NULL && referrers->nodes != NULL && referrers->parents != NULL &&
                   referrers->row_ends != NULL && referrers->skipped != NULL
               ? MW_OK
               : MW_NO_MEMORY;
}

static mw_status look(mw_referrers *self, const mw_referrers_question *question)
{
    mw_heap *heap = &self->heap;
    mw_status status;

    if (question->everything)
        status = mw_heap_init(heap, NULL, self->alloc);
    else
        status =
            mw_heap_init_tracked(heap, question->subjects, question->subject_count, self->alloc);
    if (status == MW_OK)
        status = mw_back_edges_init(&self->back, &heap->graph, self->alloc);
    return status;
}

/* Notes for each found node where it stands, in a field that is not needed any more. */
static void note_places(mw_referrers *self)
{
    for (uint32_t place = 0; place < self->count; place++)
        self->heap.graph.nodes[self->nodes[place]].size_low = place;
}

uint32_t mw_referrers_place(const mw_referrers *referrers, uint32_t node)
{
    return referrers->heap.graph.alloc == NULL ? node - 1
                                               : referrers->heap.graph.nodes[node].size_low;
}

static mw_status look_at_all(mw_referrers *self, const mw_referrers_question *question)
{
    mw_status status = look(self, question);

    if (status == MW_OK)
        status = mw_referrers_make_room(self, self->heap.graph.node_count);
    if (status == MW_OK) {
        mark_all(self, question);
        status = search(self, question);
    }
    if (status == MW_OK)
        note_places(self);
    return status;
}

/* Whether a few passes may be all that it takes. */
static bool may_be_small(const mw_referrers_question *question)
{
    return !question->everything &&
           (question->ends_at_stop || question->max_depth <= MW_REFERRER_SCAN_ALL_DEPTH);
}

mw_status mw_referrers_init(mw_referrers *ret_referrers, const mw_referrers_question *question,
                            mw_alloc *alloc)
{
    const mw_referrers empty = {.alloc = alloc, .stop = MW_REFERRERS_NOBODY};
    bool is_complete = false;
    mw_status status = MW_OK;

    *ret_referrers = empty;
    if (may_be_small(question))
        status = mw_referrer_scan(ret_referrers, question, &is_complete);
    if (status == MW_OK && !is_complete) {
        mw_referrers_done(ret_referrers);
        *ret_referrers = empty;
        status = look_at_all(ret_referrers, question);
    }
    if (status != MW_OK)
        mw_referrers_done(ret_referrers);
    return status;
}

void mw_referrers_done(mw_referrers *referrers)
{
    mw_alloc *alloc = referrers->alloc;
    size_t count = referrers->capacity;

    if (alloc == NULL)
        return;
    mw_alloc_release(alloc, referrers->marks, count * sizeof *referrers->marks);
    mw_alloc_release(alloc, referrers->nodes, count * sizeof *referrers->nodes);
    mw_alloc_release(alloc, referrers->parents, count * sizeof *referrers->parents);
    mw_alloc_release(alloc, referrers->row_ends, count * sizeof *referrers->row_ends);
    mw_alloc_release(alloc, referrers->skipped, count * sizeof *referrers->skipped);
    mw_alloc_release(alloc, referrers->row_nodes,
                     referrers->row_capacity * sizeof *referrers->row_nodes);
    mw_back_edges_done(&referrers->back);
    mw_heap_done(&referrers->heap);
    *referrers = (mw_referrers){0};
}
