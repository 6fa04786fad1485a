/* SPDX-License-Identifier: MIT */
#include "pyext/known_steps.h"

#include "pyext/code_registry.h"

enum { EPOCH_COUNT = 1 << (64 - MW_KNOWN_EPOCH_SHIFT) };

mw_known_steps mw_the_known_steps;

void mw_known_steps_begin_epoch(void)
{
    mw_known_steps *known = &mw_the_known_steps;

    if (++known->epoch % EPOCH_COUNT != 0)
        return;
    memset(known->steps, 0, sizeof known->steps);
    memset(known->instructions, 0, sizeof known->instructions);
}

/* An instruction before RESUME counts in a generator's frame and is passed over in a
 * function's, so the step depends on more than the instruction. */
static bool may_be_known(const mw_py_frame *frame, const PyCodeObject *code)
{
    return code == NULL || !mw_frames_is_before_resume(frame, code);
}

mw_status mw_known_steps_learn(mw_tracer *tracer, const mw_py_frame *frame,
                               mw_known_instruction *ret_known)
{
    const PyCodeObject *code = mw_frames_code(frame);
    mw_instruction *found = &ret_known->instruction;
    mw_status status = mw_code_registry_instruction(tracer, frame, found);

    if (status != MW_OK)
        return status;
    ret_known->key = 0;
    ret_known->suits = 0;
    if (code != NULL && mw_locals_marks_suit(code, mw_the_known_steps.epoch))
        ret_known->suits = MW_KNOWN_SUITS;
    /* Not every code object is bound once a budget is used up. */
    if (!may_be_known(frame, code) ||
        (code != NULL && mw_code_table_find(&tracer->codes, mw_frames_address(frame)).index == 0))
        return MW_OK;
    ret_known->key = mw_known_steps_key(frame);
    *mw_known_steps_place_of_instruction(frame) = *ret_known;
    return MW_OK;
}
