/* SPDX-License-Identifier: MIT
 *
 * A sink that hands on to another what it was given, compressed as gzip does.
 */
#pragma once

#include "render/render.h"

typedef struct mw_gzip_sink mw_gzip_sink;

/* [target] outlives it. */
mw_status mw_gzip_sink_new(mw_sink *target, mw_alloc *alloc, mw_gzip_sink **ret_gzip) MW_MUST_CHECK;
void mw_gzip_sink_free(mw_gzip_sink *gzip); /* accepts NULL; what is not finished is cut off */

mw_sink *mw_gzip_sink_sink(mw_gzip_sink *gzip);

/* Writes what is left and the end.  Returns the first failure, of this sink or its target. */
mw_status mw_gzip_sink_finish(mw_gzip_sink *gzip) MW_MUST_CHECK;
