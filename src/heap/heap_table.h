/* SPDX-License-Identifier: MIT
 *
 * What objects of a heap add up to: rows by type, by line that allocated them, by module, or
 * by type of what C code holds; of the whole heap, or of what one object retains.
 */
#pragma once

#include "heap/heap_study.h"

#include "graph/suspects.h"

typedef enum mw_heap_by {
    MW_HEAP_BY_TYPE,
    MW_HEAP_BY_LINE,
    MW_HEAP_BY_MODULE, /* entries of sys.modules                   */
    MW_HEAP_BY_HELD,   /* types of objects that C code holds       */
} mw_heap_by;

typedef struct mw_heap_table_row {
    uint32_t group;      /* a type; a line, 0 for unknown ones; for modules a root's place   */
    mw_retained_sum sum; /* `retained_bytes` is 0 in rows of what one object retains         */
    uint64_t references; /* HELD alone: that nobody was found to have                        */
} mw_heap_table_row;

typedef struct mw_heap_table {
    mw_alloc *alloc;         /* borrowed                                                          */
    mw_heap_table_row *rows; /* owned; most retained first, or most bytes                         */
    uint32_t count;
    uint32_t capacity;
    mw_heap_by by;
} mw_heap_table;

/* Of the whole heap.  By line: MW_UNSUPPORTED if lines are not known. */
mw_status mw_heap_table_init(mw_heap_table *ret_table, mw_heap_study *study, mw_heap_by by)
    MW_MUST_CHECK;
/* What the node retains, by type or line; of a module, its dict does. */
mw_status mw_heap_table_init_below(mw_heap_table *ret_table, mw_heap_study *study, mw_heap_by by,
                                   uint32_t node) MW_MUST_CHECK;
/* What a suspect retains, by type or line: its object, what its holders hold together, or all of
 * its many objects. */
mw_status mw_heap_table_init_suspect(mw_heap_table *ret_table, mw_heap_study *study, mw_heap_by by,
                                     const mw_suspect *suspect) MW_MUST_CHECK;
void mw_heap_table_done(mw_heap_table *table); /* accepts a zeroed struct */

/* What a row is called: a type's or a module's name, `app.py:12 in handle`, `<unknown>`. */
void mw_heap_table_write_name(const mw_heap_table *table, const mw_heap_study *study,
                              const mw_heap_table_row *row, mw_sink *sink);
