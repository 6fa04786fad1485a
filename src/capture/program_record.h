/* SPDX-License-Identifier: MIT
 *
 * The records that say who and what: PROGRAM, CHILD, INPUT and END.  Each is a list of
 * fields: a number that names it, a length, and a text or a varint; who does not know a
 * field looks past it.
 */
#pragma once

#include "capture/bytes.h"
#include "capture/capture.h"
#include "core/timeline.h"

void mw_program_encode(const mw_program *program, mw_bytes *payload);
void mw_child_encode(const mw_child *child, mw_bytes *payload);
void mw_input_encode(const mw_capture_input *input, mw_bytes *payload);
void mw_end_encode(int exit_status, mw_bytes *payload);

/* Each reads into a zeroed struct, whose texts it allocates.  MW_BAD_INPUT when the payload
 * is not in its form; what was read is the caller's to free, whether it succeeds or not. */
mw_status mw_program_decode(mw_cursor payload, mw_alloc *alloc, mw_program *ret_program)
    MW_MUST_CHECK;
mw_status mw_child_decode(mw_cursor payload, mw_alloc *alloc, mw_child *ret_child) MW_MUST_CHECK;
mw_status mw_input_decode(mw_cursor payload, mw_alloc *alloc, mw_capture_input *ret_input)
    MW_MUST_CHECK;
mw_status mw_end_decode(mw_cursor payload, int *ret_exit_status) MW_MUST_CHECK;

void mw_program_done(mw_program *program, mw_alloc *alloc);
void mw_child_done(mw_child *child, mw_alloc *alloc);
void mw_input_done(mw_capture_input *input, mw_alloc *alloc);
