/* SPDX-License-Identifier: MIT
 *
 * What a recorder says of what goes wrong: one sentence, once, on standard error as the program
 * found it; never into a file that took its number.
 */
#pragma once

#include <stdbool.h>
#include <sys/stat.h>

typedef struct mw_complaint {
    struct stat standard_error; /* as it was at the start           */
    bool has_standard_error;
    bool is_made; /* nothing is said any more          */
} mw_complaint;

/* Looks at standard error; nothing has been said yet. */
void mw_complaint_init(mw_complaint *complaint);

/* Says "memwhy: [what]: [why]", unless something was said before.  [why] may have a file's name
 * in it, which is to move no terminal's cursor. */
void mw_complaint_make(mw_complaint *complaint, const char *what, const char *why);
