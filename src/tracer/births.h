/* SPDX-License-Identifier: MIT
 *
 * Objects that came out of free lists, of which it is known where they were born, though
 * their blocks still bear the sites that they had before.
 *
 * Such an object often lives no longer than a sum takes, and its block is the next one's as
 * soon.  So all that is noted at its birth is (caller's path, instruction), in a small table
 * by the block's address; the next birth at the address takes the place of the one before.
 * (Only from the second on: most objects that live longer are born once.)
 * What is noted is settled, and the block given the site that this comes to, when somebody
 * wants to know (a snapshot, the copy of a peak, the beginning of an epoch), when another block
 * wants the place, and before a realloc.
 * An object that nobody could have seen is not counted: births count no allocation, since
 * nothing was allocated; they only say whose the block is now.
 *
 * The label of a block that is noted here is watched, so that its end is told: a free drops
 * the note.  Blocks that are watched for something else are never noted, and none is while
 * filters are in force, where a new site may count other bytes.  Guarded by the GIL.
 */
#pragma once

#include "base/status.h"
#include "core/ids.h"
#include "tracer/guard.h"

#include <stdbool.h>
#include <stdint.h>

enum { MW_BIRTH_BITS = 10 };

#define MW_BIRTH_CANDIDATE UINT64_C(1) /* no block begins at an odd address */

typedef struct mw_birth {
    uintptr_t address; /* of the block; with MW_BIRTH_CANDIDATE, nothing is noted yet, as
                             in 0                                                           */
    mw_path caller;
    mw_instruction instruction;
} mw_birth;

typedef struct mw_births {
    mw_birth places[1 << MW_BIRTH_BITS];
    uint32_t count; /* of those in which something is noted */
    bool may_wait;  /* else every birth is settled at once */
} mw_births;

struct mw_tracer;

static inline mw_birth *mw_births_place(mw_births *births, uintptr_t address)
{
    uintptr_t mixed = address >> 4 ^ address >> 9;

    return &births->places[mixed % (1 << MW_BIRTH_BITS)];
}

/* Whether the birth of the known small block at [address] is to be noted in [place] and not
 * settled at once: its block has been born before, and was the last that asked. */
static inline bool mw_births_wants(const mw_birth *place, uintptr_t address)
{
    return place->address == address || place->address == (address | MW_BIRTH_CANDIDATE);
}

/* What [place] holds is another block's: settles that. */
void mw_births_make_room(struct mw_tracer *tracer, mw_birth *place);

/* A birth of the block at [address], for which [place] is not, has been settled. */
static inline void mw_births_ask(struct mw_tracer *tracer, const mw_births *births, mw_birth *place,
                                 uintptr_t address)
{
    if (place->address != 0 && (place->address & MW_BIRTH_CANDIDATE) == 0)
        mw_births_make_room(tracer, place);
    place->address = births->may_wait ? address | MW_BIRTH_CANDIDATE : 0;
}

/* Notes that the small block at [address], which is known and has [label], is an object born
 * at [instruction] called from [caller]. */
void mw_births_note(struct mw_tracer *tracer, uintptr_t address, uint32_t *label, mw_path caller,
                    mw_instruction instruction);
/* Whether the block at [address] is noted. */
bool mw_births_has(const mw_births *births, uintptr_t address);
/* The block has gone: false if it is not noted. */
bool mw_births_drop(mw_births *births, uintptr_t address);
/* Gives the block at [address] the site of its birth, if it is noted; any address will do. */
void mw_births_settle(struct mw_tracer *tracer, mw_guard guard, uintptr_t address);
/* The same for all blocks. */
void mw_births_settle_all(struct mw_tracer *tracer, mw_guard guard);
/* Every place is of a block whose label is watched.  For tests. */
bool mw_births_are_consistent(const struct mw_tracer *tracer);
