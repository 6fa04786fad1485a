/* SPDX-License-Identifier: MIT
 *
 * A heap's dominator tree as people can look at it: objects that retain much have rows of
 * their own, and so have modules and what has few alike beside it; the many that are alike, of
 * one type and allocated by one line, are one row, which has rows below it as if it were one
 * object.  So are the links of a long chain.  What is still too little stands together.  So
 * rows are few, whatever the heap, and each byte is in one of them.
 *
 * A module and its dict are one for whoever asks, and one row.
 */
#pragma once

#include "heap/heap_study.h"

enum {
    MW_OUTLINE_DEPTH_MAXIMUM = 100,
    MW_OUTLINE_FEW = 6,   /* so many alike have rows of their own                         */
    MW_OUTLINE_CHAIN = 4, /* so many alike that hold one another are rows; all further are one */
};

typedef enum mw_outline_kind {
    MW_OUTLINE_ONE,   /* one object                                              */
    MW_OUTLINE_ALIKE, /* several of one type and line                            */
    MW_OUTLINE_REST,  /* what is too little, or too deep, to have a row of its own */
} mw_outline_kind;

typedef struct mw_outline_row {
    uint32_t parent; /* a row: a smaller number than its own                          */
    uint32_t depth;  /* 0 for row 0, the root of all roots                            */
    uint32_t alike;  /* so many rows right above are of its type and line             */
    mw_outline_kind kind;
    uint32_t type;         /* 0 for the rest                                           */
    uint32_t line;         /* of the study's lines; 0: not known                       */
    uint32_t first_member; /* in `members`                                             */
    uint32_t member_count; /* a module's dict included; 0 for the rest                 */
    uint64_t count;        /* objects that the row stands for                          */
    uint64_t size;         /* bytes of these                                           */
    uint64_t objects;      /* with all that they retain                                */
    uint64_t retained;
} mw_outline_row;

typedef struct mw_outline {
    mw_alloc *alloc;      /* borrowed                                                  */
    mw_outline_row *rows; /* owned; by rising depth                                    */
    uint32_t *members;    /* owned; positions in the dominator tree                    */
    uint32_t count, capacity;
    uint32_t member_count, member_capacity;
    uint64_t least; /* bytes that a row retains, if it is not the rest                 */
    uint64_t much;  /* bytes that give an object a row of its own, whatever is beside it */
} mw_outline;

/* At most [row_maximum] rows, which is 2 at least.  Fails with MW_NO_MEMORY alone. */
mw_status mw_outline_init(mw_outline *ret_outline, mw_heap_study *study, uint32_t row_maximum)
    MW_MUST_CHECK;
void mw_outline_done(mw_outline *outline); /* accepts a zeroed struct */
/* Adds everything up again; for assertions and tests. */
bool mw_outline_is_consistent(const mw_outline *outline);
