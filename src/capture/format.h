/* SPDX-License-Identifier: MIT
 *
 * The numbers of docs/format.md, which is the law; here they have names.  All numbers in a
 * capture are little-endian.
 */
#pragma once

#include <stdint.h>

/* ── the file ────────────────────────────────────────────────────────────────────── */

#define MW_CAPTURE_MAGIC "\x89memwhy\n"

enum {
    MW_CAPTURE_MAJOR = 1, /* readers of another one cannot read it                */
    MW_CAPTURE_MINOR = 1, /* what came later is at ends, where readers look past it */
    MW_CAPTURE_MAGIC_BYTES = 8,
    MW_CAPTURE_HEADER_BYTES = 16,
};

/* ── records ─────────────────────────────────────────────────────────────────────── */

typedef enum mw_record_type {
    MW_RECORD_PROGRAM = 1,
    MW_RECORD_POINTS,
    MW_RECORD_SNAPSHOT,
    MW_RECORD_PEAK,
    MW_RECORD_SOURCE,
    MW_RECORD_CHILD,
    MW_RECORD_INPUT,
    MW_RECORD_END,
    MW_RECORD_HEAP_NODES,
    MW_RECORD_HEAP,
} mw_record_type;

/* Bits of a record's flags. */
enum {
    MW_RECORD_COMPRESSED = 1, /* the payload is zstd's                         */
    MW_RECORD_OPTIONAL = 2,   /* who does not know the type may look past it   */
    MW_RECORD_FLAGS = 3,
};

enum {
    MW_RECORD_HEADER_BYTES = 16,
    MW_RECORD_LENGTH_MAXIMUM = 1 << 28,
    MW_RECORD_EXPANSION_MAXIMUM = 64, /* bytes that come out of each compressed one */
};

/* ── payloads ────────────────────────────────────────────────────────────────────── */

/* Bits of the first number of a snapshot's or a peak's payload. */
enum {
    MW_STEP_ANEW = 1,   /* a segment begins: tables are empty, all counters 0 */
    MW_STEP_TOTALS = 2, /* changes have the columns of totals, too              */
    MW_STEP_FLAGS = 3,
};

/* Columns of tables, in their order. */
enum { MW_FRAME_COLUMNS = 5, MW_PATH_COLUMNS = 2, MW_THREAD_COLUMNS = 2, MW_SITE_COLUMNS = 5 };
enum { MW_CHANGE_COLUMNS = 5, MW_CHANGE_COLUMNS_WITHOUT_TOTALS = 3, MW_SOURCE_COLUMNS = 3 };
enum { MW_POINT_NUMBERS = 6 };
enum { MW_THREAD_NUMBER_MAXIMUM = 65535 }; /* the highest number of a thread that has a name */

/* How a site's column of total frames says it. */
enum {
    MW_TOTAL_IS_DEPTH = 0, /* as many as the path has, or MW_FRAME_LIMIT_MAXIMUM if fewer */
    MW_TOTAL_IS_UNKNOWN = 1,
    MW_TOTAL_PLUS = 1, /* else it is the number and this */
};

/* Fields of PROGRAM, CHILD, INPUT and END. */
enum {
    MW_PROGRAM_NAME = 1,
    MW_PROGRAM_COMMAND_LINE,
    MW_PROGRAM_DIRECTORY,
    MW_PROGRAM_PYTHON,
    MW_PROGRAM_EXECUTABLE,
    MW_PROGRAM_MEMWHY,
    MW_PROGRAM_HOST,
    MW_PROGRAM_PID,
    MW_PROGRAM_PARENT_PID,
    MW_PROGRAM_START,
    MW_PROGRAM_MEMORY_LIMIT,
    MW_PROGRAM_SAMPLE_BYTES,
    MW_PROGRAM_FRAME_LIMIT,
    MW_PROGRAM_PROGRAM_PLACE,
    MW_PROGRAM_LIBRARY_PLACE,
};
enum { MW_CHILD_TIME = 1, MW_CHILD_PID, MW_CHILD_CAPTURE };
enum {
    MW_INPUT_FILE = 1,
    MW_INPUT_PROGRAM,
    MW_INPUT_HOST,
    MW_INPUT_PID,
    MW_INPUT_START,
    MW_INPUT_TIME,
    MW_INPUT_LIVE_BYTES,
    MW_INPUT_LIVE_BLOCKS,
    MW_INPUT_TOTAL_BYTES,
    MW_INPUT_TOTAL_BLOCKS,
};
enum { MW_END_EXIT_STATUS = 1 };

/* ── heaps ───────────────────────────────────────────────────────────────────────── */

/* Bits of the first number of HEAP_NODES. */
enum { MW_HEAP_ANEW = 1, MW_HEAP_NODES_FLAGS = 1 };

/* Columns of tables, in their order. */
enum { MW_HEAP_FORM_COLUMNS = 4, MW_HEAP_LINE_COLUMNS = 3, MW_HEAP_NODE_COLUMNS = 6 };
enum { MW_HEAP_TYPE_COLUMNS = 3, MW_HEAP_THREAD_COLUMNS = 2, MW_HEAP_ROOT_COLUMNS = 4 };

/* How an object is called, a column of forms. */
typedef enum mw_heap_text {
    MW_HEAP_TEXT_NONE,    /* by its type                              */
    MW_HEAP_TEXT_COUNT,   /* by its type, and how much is in it       */
    MW_HEAP_TEXT_STRING,  /* by its text: a str                       */
    MW_HEAP_TEXT_INTEGER, /* by its text: digits                      */
    MW_HEAP_TEXT_WHOLE,   /* by its text: a phrase that says what it is */
    MW_HEAP_TEXT_BEHIND,  /* by its type, and its text behind that    */
    MW_HEAP_TEXT_MODULE,  /* by its text: a module's name             */
    MW_HEAP_TEXT_CLASS,   /* by its text: a class's name              */
    MW_HEAP_TEXT_KINDS
} mw_heap_text;

/* How its references are called, likewise. */
typedef enum mw_heap_edges {
    MW_HEAP_EDGES_NAMED, /* one after the other by the form's names; the rest by the last one    */
    MW_HEAP_EDGES_ITEMS, /* [0], [1], …, as many as are counted; the rest by the names               */
    MW_HEAP_EDGES_PAIRS, /* key, value, key, value …, likewise                                      */
    MW_HEAP_EDGES_KINDS
} mw_heap_edges;

/* The first of a node's edges are written as differences from those of the last node of the same
 * form. */
enum { MW_HEAP_FORMER_EDGES = 32 };

/* Numbers of HEAP's first section. */
enum {
    MW_HEAP_TIME,
    MW_HEAP_NODES,
    MW_HEAP_EDGES,
    MW_HEAP_TRACKED,
    MW_HEAP_PAUSE,
    MW_HEAP_WALK,
    MW_HEAP_FLAGS,
    MW_HEAP_NUMBERS,
};

/* Bits of the last of these. */
enum { MW_HEAP_KNOWS_LINES = 1, MW_HEAP_HIDES_TEXTS = 2, MW_HEAP_HIDES_STACKS = 4 };

/* ── signed numbers ──────────────────────────────────────────────────────────────── */

/* Differences are computed in 64 bits and wrap around, so each has its place. */
static inline uint64_t mw_zigzag(uint64_t difference)
{
    return difference << 1 ^ (difference >> 63 != 0 ? UINT64_MAX : 0);
}

static inline uint64_t mw_unzigzag(uint64_t number)
{
    return number >> 1 ^ ((number & 1) != 0 ? UINT64_MAX : 0);
}

/* By how much a site's bytes are expected to differ when its blocks do: as if all had the mean
 * size of those that live, which they often have.  Wraps around. */
static inline uint64_t mw_expected_bytes(uint64_t live_bytes, uint64_t live_blocks,
                                         uint64_t blocks_difference)
{
    return live_blocks != 0 ? live_bytes / live_blocks * blocks_difference : 0;
}

/* By how much the total of a site is expected to differ: what came to live was allocated, and
 * what died has been. */
static inline uint64_t mw_expected_total(uint64_t live_difference)
{
    return live_difference >> 63 == 0 ? live_difference : 0;
}
