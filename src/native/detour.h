/* SPDX-License-Identifier: MIT
 *
 * A jump in the first bytes of a function of somebody else's: whoever calls the function
 * comes to ours.  The instructions that the jump covers are moved to a page of our own,
 * near the function; through them it can still be called.
 *
 *   function:    jmp stub ────────────→ stub:     jmp replacement   (left out if it is near)
 *   function+n:  …the rest… ←─────────  original: the first n bytes; jmp function+n
 *
 * Arming and disarming is one atomic store, so a thread that enters the function meanwhile
 * finds either the old instruction or the new one.  A thread that stands between
 * the covered instructions while it is armed would find the middle of the jump: the caller
 * knows that there is none.  Stub and moved instructions are never unmapped, so disarming
 * harms nobody who is under way.
 *
 * Needs x86-64, instructions that mw_x86_decode knows, and a system that lets text be
 * written to (SELinux may not); says so otherwise, and changes nothing.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { MW_DETOUR_JUMP_BYTES = 5 };

typedef struct mw_detour {
    uint8_t *function;                    /* NULL: not made                          */
    uint8_t former[MW_DETOUR_JUMP_BYTES]; /* its first bytes as they were            */
    uint8_t jump[MW_DETOUR_JUMP_BYTES];   /* and as they are while armed             */
    void *original;                       /* what to call for what the function did  */
    bool is_armed;
} mw_detour;

/* Makes ready, without changing [function] yet.  Returns NULL, or why it cannot be done: a
 * static string without a full stop.  May be called again, after a failure or a success. */
const char *mw_detour_make(mw_detour *detour, void *function, void *replacement);
/* Returns NULL, or why not.  Arming what is armed does nothing. */
const char *mw_detour_arm(mw_detour *detour);
/* Puts the first bytes back, unless somebody else has changed them meanwhile: then the
 * detour stays, and the replacement must be able to pass calls through. */
void mw_detour_disarm(mw_detour *detour);
