/* SPDX-License-Identifier: MIT
 *
 * 3.11 and 3.12 on x86-64, where no code may be changed: objects from free lists through
 * the table in which the standard tracemalloc looks them up.  The table has a pointer to
 * the function that looks; we put ours there.
 *
 * Slower, since CPython takes tracemalloc's lock around each look-up, and seen by two: the
 * standard module is started behind the scene (standard_tracer.h), and what extensions
 * report with PyTraceMalloc_Track is recorded there in vain.
 *
 * The table is found by what it holds, in the data of the library that has the flag: an
 * empty or filled hash table of pointers, with the exported functions of such tables.  There
 * must be exactly one, and it is proved by an object that is said to be new.
 */
#pragma once

/* As mw_reuse_detour_install. */
const char *mw_reuse_lock_install(void);
void mw_reuse_lock_remove(void);
