/* SPDX-License-Identifier: MIT
 *
 * The attached thread state without a call, where CPython keeps it in thread-local storage
 * (since 3.12).
 *
 * The variable is not exported, only a function that returns it.  In a static interpreter
 * that function is one load from a fixed distance to the thread pointer; at import its
 * bytes are read, and if they are that load, so do we.  Else (a shared libpython, another
 * processor or compiler) the function is called.  What is read is compared with what it
 * returns.
 */
#pragma once

#include "pyext/compat.h"

#include <stdint.h>

#if defined(__x86_64__) && PY_THREAD_STATE_IS_THREAD_LOCAL

/* Bytes from the thread pointer; 0 while not known, or not to be used. */
extern intptr_t mw_thread_state_offset __attribute__((visibility("hidden")));

/* Under the GIL, at import. */
void mw_thread_state_init(void);

static inline PyThreadState *mw_thread_state_read(intptr_t offset)
{
    PyThreadState *thread;

    /* Volatile: it changes where the GIL is given away. */
    __asm__ volatile("mov %%fs:(%1), %0" : "=r"(thread) : "r"(offset));
    return thread;
}

#define MW_READS_THREAD_STATE 1

#else

static inline void mw_thread_state_init(void)
{
}

#define MW_READS_THREAD_STATE 0

#endif

/* [function] is CPython's, which may always be asked. */
static inline PyThreadState *mw_thread_state(PyThreadState *(*function)(void))
{
#if MW_READS_THREAD_STATE
    if (__builtin_expect(mw_thread_state_offset != 0, 1))
        return mw_thread_state_read(mw_thread_state_offset);
#endif
    return function();
}
