/* SPDX-License-Identifier: MIT
 *
 * Calls of named functions, from every library of the process, to functions of ours: the
 * slots in which each loaded object keeps the addresses of what it imports are found,
 * replaced, and put back.
 *
 *   - A slot is only taken if it holds what the dynamic linker put there: the function
 *     that comes first in load order, the stub by which a program at a fixed address knows
 *     it, or a stub of the object's own that would bind it at the first call.  What
 *     anything else has put there stays and is counted as foreign; so does a function of
 *     the same name that the object has for itself.
 *   - It is only put back if ours is still in it and its object is still loaded.
 *   - Pages that were read-only are so again afterwards.
 *   - The object that our functions are in is left alone, so they may call the originals,
 *     best by [original]: the program's own stub might be redirected.
 *
 * Not reached: calls within the object that defines a function, pointers that were taken
 * before (a program's own copies), and other namespaces (dlmopen).  A thread that is just
 * binding a lazy slot may write over ours; calls from that object are then missed until
 * the next walk.
 *
 * All work is done inside dl_iterate_phdr, whose lock keeps objects from being unloaded;
 * a lock of our own is only ever taken within that.  So any thread may call any function
 * here, without the GIL, and while others load libraries.
 */
#pragma once

#include "base/alloc.h"
#include "base/sync.h"
#include "native/elf_image.h"

enum { MW_REDIRECT_SLOT_MAXIMUM = 1 << 20 };

typedef struct mw_redirect_target {
    const char *name;  /* borrowed                                                     */
    void *replacement; /* what is called instead                                       */
    /* In which objects; NULL: in all.  [file] is empty for the program itself. */
    bool (*is_wanted)(const mw_elf_image *image, const char *file);
    void *original; /* out: what the name means; written once, as a rule by init        */
    void *stub;     /* out: what it means to a program at a fixed address, or NULL      */
} mw_redirect_target;

typedef struct mw_redirect_slot {
    void **address;
    void *found;     /* in it, before us           */
    uint32_t target; /* by number in the targets   */
} mw_redirect_slot;

typedef struct mw_redirect {
    mw_alloc *alloc;             /* borrowed                                             */
    mw_redirect_target *targets; /* borrowed                                             */
    uint32_t target_count;
    mw_spinlock lock; /* guards all below                                     */
    bool is_applied;
    mw_redirect_slot *slots; /* owned; that hold a replacement, or once did          */
    uint32_t slot_count;
    uint32_t slot_capacity;
    unsigned long long added; /* objects ever loaded, when they were last walked      */
    uint32_t foreign_count;   /* slots of the last walk that somebody else has        */
    uint32_t refused_count;   /* slots of the last walk that could not be written     */
} mw_redirect;

/* Finds the originals that are there, long before anybody can be sent to a replacement: who
 * calls through a slot synchronises with nobody. */
void mw_redirect_init(mw_redirect *redirect, mw_alloc *alloc, mw_redirect_target *targets,
                      uint32_t target_count);
/* Puts everything back and gives the memory back. */
void mw_redirect_done(mw_redirect *redirect);

/* Takes the slots of all objects that are loaded now.  Targets that no object defines stay
 * without original and are passed over. */
void mw_redirect_apply(mw_redirect *redirect);
/* Takes those of objects loaded since; a microsecond if there are none.  Does nothing
 * while not applied. */
void mw_redirect_refresh(mw_redirect *redirect);
void mw_redirect_undo(mw_redirect *redirect);

/* How many slots hold the replacement of a target, as far as we know. */
uint32_t mw_redirect_count(mw_redirect *redirect, uint32_t target);

/* Around fork, in the thread that forks: another may be inside. */
void mw_redirect_before_fork(mw_redirect *redirect);
void mw_redirect_after_fork(mw_redirect *redirect);
