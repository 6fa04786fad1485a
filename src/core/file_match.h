/* SPDX-License-Identifier: MIT
 *
 * Which source file of one program is which file of another: the one with the same name;
 * else the one that ends alike, where the two choose each other and the modules agree.  So
 * packages are found again at another root (/app and /srv, two virtual environments, two
 * versions of Python), and files that only share a common last name are not taken for each
 * other.
 */
#pragma once

#include "base/alloc.h"

#include <stdbool.h>

typedef struct mw_matched_file {
    const char *name;   /* borrowed, NUL-terminated                        */
    const char *module; /* likewise; "" where nobody knows               */
    uint32_t twin;      /* number of its counterpart plus one, or 0; what is computed */
} mw_matched_file;

/* Names are distinct on either side.  Fails with MW_NO_MEMORY alone. */
mw_status mw_files_match(mw_matched_file *older, uint32_t older_count, mw_matched_file *newer,
                         uint32_t newer_count, mw_alloc *alloc) MW_MUST_CHECK;

/* How alike two files of different names are: 0 if they are not to be taken for each other,
 * else more the more of their paths' last components are equal. */
uint32_t mw_file_likeness(const mw_matched_file *a, const mw_matched_file *b);
