/* SPDX-License-Identifier: MIT
 *
 * The glossary.  Handles are indices, each in its own one-member struct: handing a
 * string to something that wants a path is a compile error.  Index 0 always means
 * "unknown" or "none".
 *
 *   string       a file, function, module or thread name, interned as UTF-8
 *   code         a function as it was compiled: its names and its table of lines
 *   instruction  a position in a code object that calls or allocates
 *   frame        one function at one line of one file
 *   path         a call path: a frame (or instruction) and the path of its caller
 *   traceback    a path cut to the most recent frames that the user asked for
 *   site         where blocks come from: path, domain and (if small) block size
 *   thread       a thread, numbered in the order in which it first allocated
 */
#pragma once

#include <stdint.h>

typedef struct {
    uint32_t index;
} mw_string;
typedef struct {
    uint32_t index;
} mw_code;
typedef struct {
    uint32_t index;
} mw_instruction;
typedef struct {
    uint32_t index;
} mw_frame;
typedef struct {
    uint32_t index;
} mw_path;
typedef struct {
    uint32_t index;
} mw_traceback;
typedef struct {
    uint32_t index;
} mw_site;
typedef struct {
    uint32_t index;
} mw_thread;

/* An address in a frame that is not complete yet, or that is none of Python's: the path
 * runs through it without a frame of its own. */
#define MW_INSTRUCTION_TRANSPARENT UINT32_C(0xffffffff)

/* Instructions with this bit stand at the root of a path and name a thread. */
#define MW_INSTRUCTION_THREAD UINT32_C(0x80000000)

/* Stands for the callers that were not recorded, under the root or a thread. */
#define MW_INSTRUCTION_CUT UINT32_C(0xfffffffe)

/* What tracemalloc calls the "domain" of PyMem_RawMalloc and its siblings. */
enum { MW_DOMAIN_PYTHON = 0 };

/* The longest traceback that tracemalloc can be asked for: sys/tracemalloc.c's
 * MAX_NFRAME, the maximum of an unsigned short. */
enum { MW_FRAME_LIMIT_MAXIMUM = 65535 };
