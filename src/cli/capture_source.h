/* SPDX-License-Identifier: MIT
 *
 * Lines of source as renderers ask for them, out of a capture; what it does not have, from
 * the disk, if that is asked for.
 */
#pragma once

#include "capture/capture.h"
#include "render/source_text.h"

typedef struct mw_capture_source {
    mw_source source;
    const mw_capture *capture; /* borrowed                */
    mw_source *otherwise;      /* borrowed; may be NULL    */
} mw_capture_source;

void mw_capture_source_init(mw_capture_source *source, const mw_capture *capture,
                            mw_source *otherwise);
