/* SPDX-License-Identifier: MIT */
#include "pyext/reuse_detour.h"

#if MW_HAS_STANDARD_TRACER

#include "native/detour.h"
#include "native/x86_64_decode.h"
#include "pyext/reborn.h"
#include "pyext/tested_flag.h"

#include <dlfcn.h>

#define NOINLINE __attribute__((noinline))

enum { NEW_REFERENCE, TRACK, UNTRACK, DETOUR_COUNT };

static mw_detour detours[DETOUR_COUNT];
static int *flag;
/* Whether PyTraceMalloc_Track and _Untrack can be kept from being deceived by the flag; if
 * not, they record in vain. */
static bool has_track;
/* What on_new_reference has been told last, for the proof. */
static const PyObject *newest;

/* Out of line and called last, each of them, so that what is left saves no registers. */
static NOINLINE int pass_on(PyObject *object)
{
    int (*original)(PyObject *) = (int (*)(PyObject *))detours[NEW_REFERENCE].original;

    return original(object);
}

static inline int finish(PyObject *object)
{
    return __builtin_expect(mw_standard_tracer_is_deceived(), 1) ? -1 : pass_on(object);
}

static NOINLINE int on_rebirth_slowly(PyObject *object)
{
    mw_reborn_slowly(&mw_the_tracer, mw_reborn_address(object));
    return finish(object);
}

static NOINLINE int on_rebirth(PyObject *object, uintptr_t address)
{
    if (__builtin_expect(!mw_reborn_again(&mw_the_tracer, address), 0))
        return on_rebirth_slowly(object);
    return finish(object);
}

static int on_new_reference(PyObject *object)
{
    uintptr_t address = mw_reborn_address(object);

    newest = object;
    if (!mw_reborn_is_new(&mw_the_tracer, address))
        return on_rebirth(object, address);
    return finish(object);
}

enum { NOT_TRACING = -2 }; /* as PyTraceMalloc_Track says it */

static int on_track(unsigned domain, uintptr_t pointer, size_t size)
{
    int (*original)(unsigned, uintptr_t, size_t) =
        (int (*)(unsigned, uintptr_t, size_t))detours[TRACK].original;

    return mw_standard_tracer_is_deceived() ? NOT_TRACING : original(domain, pointer, size);
}

static int on_untrack(unsigned domain, uintptr_t pointer)
{
    int (*original)(unsigned, uintptr_t) = (int (*)(unsigned, uintptr_t))detours[UNTRACK].original;

    return mw_standard_tracer_is_deceived() ? NOT_TRACING : original(domain, pointer);
}

/* Whether the jump covers one instruction.  Threads without the GIL run these functions, and
 * one that stood between covered instructions would go on in the midst of the jump. */
static bool may_be_entered_meanwhile(const uint8_t *function)
{
    mw_x86_instruction first;

    return mw_x86_decode(function, &first) && first.length >= MW_DETOUR_JUMP_BYTES;
}

/* [name] is exported, and must read the same flag. */
static bool make_exported(mw_detour *detour, const char *name, void *replacement)
{
    void *function = dlsym(RTLD_DEFAULT, name);

    return function != NULL && may_be_entered_meanwhile(function) &&
           mw_tested_flag_is_read(function, flag) &&
           mw_detour_make(detour, function, replacement) == NULL;
}

/* Finds all and makes the jumps ready, once. */
static const char *make(void)
{
    mw_tested_flag tested;
    const char *reason;

    if (flag != NULL)
        return NULL;
    reason = mw_tested_flag_of_new_reference(&tested);
    if (reason == NULL)
        reason = mw_detour_make(&detours[NEW_REFERENCE], tested.callee, (void *)on_new_reference);
    if (reason != NULL)
        return reason;
    flag = tested.flag;
    has_track = make_exported(&detours[TRACK], "PyTraceMalloc_Track", (void *)on_track) &&
                make_exported(&detours[UNTRACK], "PyTraceMalloc_Untrack", (void *)on_untrack);
    return NULL;
}

/* The jumps in Track and Untrack stay for good once they are there, right whoever is
 * tracing: both are run by threads without the GIL, so they are written once in a process,
 * when extensions' calls have been redirected (capi_domains.c), and not at each start and
 * stop. */
static const char *arm(void)
{
    static bool track_is_armed;
    const char *reason = mw_detour_arm(&detours[NEW_REFERENCE]);

    if (reason != NULL || !has_track || track_is_armed)
        return reason;
    reason = mw_detour_arm(&detours[TRACK]);
    if (reason == NULL)
        reason = mw_detour_arm(&detours[UNTRACK]);
    track_is_armed = reason == NULL;
    return reason;
}

static bool proves_itself(void)
{
    newest = NULL;
    return mw_standard_tracer_pretend_object() == newest;
}

const char *mw_reuse_detour_install(void)
{
    const char *reason = make();

    if (reason != NULL)
        return reason;
    reason = arm();
    if (reason == NULL)
        reason = mw_standard_tracer_raise(flag);
    if (reason == NULL && !proves_itself())
        reason = "the jump in _PyTraceMalloc_NewReference was not taken";
    if (reason != NULL)
        mw_reuse_detour_remove();
    return reason;
}

void mw_reuse_detour_remove(void)
{
    /* First nobody is sent here any more, then the way is closed. */
    mw_standard_tracer_lower();
    mw_detour_disarm(&detours[NEW_REFERENCE]);
}

#else

const char *mw_reuse_detour_install(void)
{
    return "known for x86-64 alone";
}

void mw_reuse_detour_remove(void)
{
}

#endif
