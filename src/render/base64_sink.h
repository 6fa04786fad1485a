/* SPDX-License-Identifier: MIT
 *
 * A sink that hands on to another what it was given, in base64: bytes that may stand in any
 * text.
 */
#pragma once

#include "render/render.h"

typedef struct mw_base64_sink {
    mw_sink sink;          /* what writers see                                */
    mw_sink *target;       /* borrowed                                        */
    unsigned char rest[3]; /* bytes that are not three yet, `rest_count`      */
    uint32_t rest_count;   /* at most 2 between two writes                    */
} mw_base64_sink;

/* [target] outlives it.  There is nothing to be given back. */
void mw_base64_sink_init(mw_base64_sink *base64, mw_sink *target);

/* Writes what is left.  Returns the first failure, of this sink or its target. */
mw_status mw_base64_sink_finish(mw_base64_sink *base64) MW_MUST_CHECK;
