/* SPDX-License-Identifier: MIT
 *
 * Steps of walks that were taken before, so that they need not be looked up again.
 *
 * A step inward, (caller's path, instruction) → path, never changes while the code lives: one
 * that is found here is right whichever frame took it.  What does not depend on the caller is
 * remembered by the instruction alone, since a deep walk meets few instructions in many
 * frames.  Both tables are caches with one place for a key.
 *
 * Keys are addresses of instructions, which lose their meaning when a code object dies or the
 * tables begin anew; each key bears the epoch in which it meant something.
 *
 * Guarded by the GIL.
 */
#pragma once

#include "pyext/frames.h"
#include "tracer/tracer.h"

enum {
    MW_KNOWN_STEP_BITS = 11,
    MW_KNOWN_INSTRUCTION_BITS = 10,
    MW_KNOWN_EPOCH_SHIFT = 48, /* an address has no more bits */
};

#define MW_KNOWN_SUITS UINT32_C(0x80000000)

typedef struct mw_known_step {
    uint64_t key;    /* address and epoch                                                     */
    uint32_t caller; /* path number                                                           */
    uint32_t path;   /* path number, and whether the code suits lasting marks: MW_KNOWN_SUITS */
} mw_known_step;

typedef struct mw_known_instruction {
    uint64_t key; /* as above; 0 where it may not be remembered */
    mw_instruction instruction;
    uint32_t suits; /* MW_KNOWN_SUITS or 0 */
} mw_known_instruction;

typedef struct mw_known_steps {
    uint64_t epoch;
    uint64_t code_deaths; /* of the tracer, when it began   */
    mw_known_step steps[1 << MW_KNOWN_STEP_BITS];
    mw_known_instruction instructions[1 << MW_KNOWN_INSTRUCTION_BITS];
} mw_known_steps;

extern mw_known_steps mw_the_known_steps __attribute__((visibility("hidden")));

/* What is remembered means nothing any more. */
void mw_known_steps_begin_epoch(void);

/* Whether no code has died since the epoch began. */
static inline bool mw_known_steps_are_of(const mw_tracer *tracer)
{
    return mw_the_known_steps.code_deaths == tracer->code_deaths;
}

/* Begins a new one if any has: before something is looked up that is not certain to be of this
 * epoch. */
static inline void mw_known_steps_refresh(const mw_tracer *tracer)
{
    if (__builtin_expect(mw_known_steps_are_of(tracer), 1))
        return;
    mw_known_steps_begin_epoch();
    mw_the_known_steps.code_deaths = tracer->code_deaths;
}

/* Looks an instruction up that is not remembered.  It is from now on, unless its code's death
 * would go unheard, or it is another step in another frame; then the key is 0. */
mw_status mw_known_steps_learn(mw_tracer *tracer, const mw_py_frame *frame,
                               mw_known_instruction *ret_known) MW_MUST_CHECK;

static inline uint64_t mw_known_steps_key(const mw_py_frame *frame)
{
    return mw_frames_address(frame) | mw_the_known_steps.epoch << MW_KNOWN_EPOCH_SHIFT;
}

static inline mw_known_step *mw_known_steps_place(const mw_py_frame *frame, mw_path caller)
{
    uint32_t mixed = ((uint32_t)(mw_frames_address(frame) >> 1) ^ caller.index) * MW_GOLDEN_32;

    return &mw_the_known_steps.steps[mixed >> (32 - MW_KNOWN_STEP_BITS)];
}

static inline mw_path mw_known_step_path(const mw_known_step *step)
{
    return (mw_path){step->path & ~MW_KNOWN_SUITS};
}

/* The step that [frame] takes from [caller], if it is remembered; else NULL. */
static inline const mw_known_step *mw_known_steps_find(const mw_py_frame *frame, mw_path caller)
{
    const mw_known_step *step = mw_known_steps_place(frame, caller);

    if (__builtin_expect(step->key == mw_known_steps_key(frame), 1) &&
        __builtin_expect(step->caller == caller.index, 1))
        return step;
    return NULL;
}

static inline mw_known_instruction *mw_known_steps_place_of_instruction(const mw_py_frame *frame)
{
    uintptr_t address = mw_frames_address(frame);
    uintptr_t mixed = address >> 1 ^ address >> 11;

    return &mw_the_known_steps.instructions[mixed % (1 << MW_KNOWN_INSTRUCTION_BITS)];
}

/* The instruction that [frame] runs, if it is remembered, and what is remembered still means
 * anything. */
static inline bool mw_known_steps_at_once(const mw_tracer *tracer, const mw_py_frame *frame,
                                          mw_instruction *ret_instruction)
{
    const mw_known_instruction *known = mw_known_steps_place_of_instruction(frame);

    *ret_instruction = known->instruction;
    return known->key == mw_known_steps_key(frame) && mw_known_steps_are_of(tracer);
}

/* The instruction that [frame] runs; after mw_known_steps_refresh. */
static inline mw_status mw_known_steps_instruction(mw_tracer *tracer, const mw_py_frame *frame,
                                                   mw_known_instruction *ret_known)
{
    *ret_known = *mw_known_steps_place_of_instruction(frame);
    if (__builtin_expect(ret_known->key == mw_known_steps_key(frame), 1))
        return MW_OK;
    return mw_known_steps_learn(tracer, frame, ret_known);
}
