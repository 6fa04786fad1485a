/* SPDX-License-Identifier: MIT
 *
 * How everything that can fail says so: a code for the program, and a text in a
 * struct that the caller lends for the human.  Nothing here prints or raises.
 */
#pragma once

#define MW_MUST_CHECK __attribute__((warn_unused_result))

typedef enum mw_status {
    MW_OK = 0,
    MW_NO_MEMORY,   /* an allocator refused                                         */
    MW_LIMIT,       /* a table reached the maximum that it states                   */
    MW_BAD_INPUT,   /* what was handed in is not what it claims to be               */
    MW_UNSUPPORTED, /* right, but not here: this interpreter, machine or permission */
    MW_IO,          /* the system refused to read or write                          */
} mw_status;

/* Lent by the caller; written only when the function that takes it fails. */
typedef struct mw_error {
    mw_status status;
    char text[240]; /* one sentence without a final newline */
} mw_error;

/* Fills [error] (which may be NULL) and returns [status], so that a failure is one
 * statement: `return mw_error_set(reterr, MW_BAD_INPUT, "…", …);` */
mw_status mw_error_set(mw_error *error, mw_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
