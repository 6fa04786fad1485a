/* SPDX-License-Identifier: MIT
 *
 * Who refers to an object, who to these, and so on: a search against the direction of
 * references, breadth first, in one picture of the heap.
 *
 * gc.get_referrers() passes over the heap for each object of the search.  Here one pass
 * finds all references, and the search reads them off.  The whole search is done before
 * anything of Python's runs, so that whatever it found is alive when it is held.
 */
#pragma once

#include "pyext/heap_objects.h"

typedef struct mw_referrers_question {
    PyObject *const *subjects; /* where the search begins                                   */
    size_t subject_count;
    PyObject *const *stops; /* what is not looked behind                                    */
    size_t stop_count;
    const uintptr_t *ignored; /* addresses of objects that are passed over                  */
    size_t ignored_count;
    uint32_t max_depth;
    uint32_t too_many; /* referrers of one object, of which the rest is only counted       */
    bool ends_at_stop; /* the search is over when it comes to one                          */
    bool wants_rows;   /* who refers to whom is kept, and not only who was first           */
    bool everything;   /* the whole heap is walked, running frames included                */
} mw_referrers_question;

#define MW_REFERRERS_NOBODY UINT32_MAX

/* What was found, in its order: a place is a number in this order. */
typedef struct mw_referrers {
    mw_alloc *alloc; /* borrowed */
    mw_heap heap;
    mw_back_edges back;
    uint8_t *marks;     /* owned; by node                                                   */
    uint32_t *nodes;    /* owned; by place                                                  */
    uint32_t *parents;  /* owned; by place: the place that it was found from, or NOBODY     */
    uint32_t *row_ends; /* owned; by place: where its referrers end in `row_nodes`          */
    uint32_t *skipped;  /* owned; by place: how many referrers were too many                */
    uint32_t count;
    uint32_t capacity;   /* of the five                                                     */
    uint32_t *row_nodes; /* owned; nodes                                                    */
    uint32_t row_count, row_capacity;
    uint32_t stop; /* the place of the stop at which the search ended, or NOBODY            */
} mw_referrers;

/* Where a node that was found stands. */
uint32_t mw_referrers_place(const mw_referrers *referrers, uint32_t node);

mw_status mw_referrers_init(mw_referrers *ret_referrers, const mw_referrers_question *question,
                            mw_alloc *alloc) MW_MUST_CHECK;
void mw_referrers_done(mw_referrers *referrers); /* accepts a zeroed struct */

/* Makes the arrays for [count] nodes; for heap_referrer_scan.c. */
mw_status mw_referrers_make_room(mw_referrers *referrers, uint32_t count) MW_MUST_CHECK;
