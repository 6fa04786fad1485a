/* SPDX-License-Identifier: MIT
 *
 * The capture that a command is about, with what renderers want to know of it: whose
 * files are whose, and the source lines that it holds.
 */
#pragma once

#include "capture/capture.h"
#include "cli/capture_source.h"
#include "core/line_texts.h"
#include "render/places.h"

typedef struct mw_subject {
    const char *path; /* borrowed */
    mw_capture *capture;
    mw_places places;
    mw_capture_source lines; /* of source, without the blanks around them */
    mw_line_texts texts;     /* the same as they are                      */
} mw_subject;

/* Reads the capture, which may take a while: a terminal is told so.  It stays where it is,
 * since it is what `lines` and `texts` ask.  MW_BAD_INPUT if it has no snapshot. */
mw_status mw_subject_open(mw_subject *subject, const char *path, mw_alloc *alloc, mw_error *reterr)
    MW_MUST_CHECK;
/* The same, for who can show a capture without snapshots, too; and that it has one. */
mw_status mw_subject_open_any(mw_subject *subject, const char *path, mw_alloc *alloc,
                              mw_error *reterr) MW_MUST_CHECK;
mw_status mw_subject_check(const mw_subject *subject, mw_error *reterr) MW_MUST_CHECK;
void mw_subject_close(mw_subject *subject); /* accepts a zeroed struct */
