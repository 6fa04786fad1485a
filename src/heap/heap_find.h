/* SPDX-License-Identifier: MIT
 *
 * Objects of a heap by what people call them: an address or id (`0x7f…`, decimal), a way as
 * reports print it (`sys.modules['app']._cache`), or a type's name (`app.models.Row`, `Row`).
 */
#pragma once

#include "heap/heap_study.h"

enum { MW_HEAP_FIND_MAXIMUM = 1000 };

typedef struct mw_heap_found {
    uint32_t nodes[MW_HEAP_FIND_MAXIMUM]; /* of a type: the one that retains most first */
    uint32_t count;
    uint64_t total;  /* how many there are, those that are not in `nodes` included */
    bool is_of_type; /* what was given is a type's name                            */
} mw_heap_found;

/* Finds up to [limit] objects, one at least.  MW_BAD_INPUT, with a sentence, if there is
 * none. */
mw_status mw_heap_find_what(mw_heap_found *ret_found, mw_heap_study *study, const char *what,
                            uint32_t limit, mw_error *reterr) MW_MUST_CHECK;
