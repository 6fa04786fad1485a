/* SPDX-License-Identifier: MIT */
#include "pyext/reborn.h"

#include "tracer/retag.h"

/* A block that is large or lies outside of known pages. */
static void retag_elsewhere(mw_tracer *tracer, mw_guard guard, const mw_py_frame *frame,
                            mw_path caller, uintptr_t address)
{
    size_t size_bytes;
    mw_site site;

    if (!mw_tracer_knows(tracer, address, &size_bytes))
        return;
    site = mw_current_site_called_from(tracer, caller, frame, size_bytes);
    if (site.index != 0)
        mw_tracer_move(tracer, guard, address, site);
}

/* Notes where a block is born that has been born before; false if it is to be settled at once,
 * since it is watched for something else, or what it is born at may not be remembered. */
static bool note(mw_tracer *tracer, const mw_py_frame *frame, mw_path caller, uintptr_t address,
                 uint32_t *label)
{
    mw_known_instruction known;

    if (!tracer->births.may_wait || frame == NULL)
        return false;
    if ((*label & MW_LABEL_WATCHED) != 0 && !mw_births_has(&tracer->births, address))
        return false;
    mw_known_steps_refresh(tracer);
    if (mw_known_steps_instruction(tracer, frame, &known) != MW_OK || known.key == 0)
        return false;
    mw_births_note(tracer, address, label, caller, known.instruction);
    return true;
}

/* [frame] is NULL for an object that nobody's code makes. */
static void give_birth(mw_tracer *tracer, mw_guard guard, const mw_py_frame *frame, mw_path caller,
                       uintptr_t address)
{
    mw_birth *birth = mw_births_place(&tracer->births, address);
    size_t size_bytes;
    uint32_t *label;
    mw_retag_place place = mw_retag_find(tracer, address, &label, &size_bytes);

    if (__builtin_expect(place != MW_RETAG_HERE, 0)) {
        if (place == MW_RETAG_ELSEWHERE)
            retag_elsewhere(tracer, guard, frame, caller, address);
        return;
    }
    if (mw_births_wants(birth, address) && note(tracer, frame, caller, address, label))
        return;
    mw_births_settle(tracer, guard, address);
    mw_retag(tracer, guard, label, mw_current_site_called_from(tracer, caller, frame, size_bytes));
    mw_births_ask(tracer, &tracer->births, birth, address);
}

void mw_reborn_slowly(mw_tracer *tracer, uintptr_t address)
{
    const PyThreadState *thread = mw_frames_thread_of_gil();
    mw_py_frame *frame;
    mw_path caller;
    mw_guard guard;

    if (!tracer->is_active || mw_guard_is_inside || !mw_current_owns_main_lane(thread))
        return;
    guard = mw_guard_enter();
    frame = mw_frames_innermost(thread);
    if (mw_stack_walk_caller(tracer, thread, frame, &caller) == MW_OK)
        give_birth(tracer, guard, frame, caller, address);
    mw_guard_leave(guard);
}
