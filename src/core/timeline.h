/* SPDX-License-Identifier: MIT
 *
 * A process over time: what it was, and what was seen of its memory at each look at it.
 * Plain data; a capture holds it (capture/capture.h), verdicts and pages are made of it.
 * Times are nanoseconds since the capture began, on a clock that never goes back.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum { MW_NO_SNAPSHOT = -1 };

/* One look at the process. */
typedef struct mw_point {
    uint64_t time_ns;
    uint64_t rss_bytes;      /* resident, as the system counts it; 0: not known       */
    uint64_t live_bytes;     /* traced and alive                                      */
    uint64_t peak_bytes;     /* the most that was alive up to now                     */
    uint64_t overhead_bytes; /* what memwhy itself holds                              */
    uint64_t lost_blocks;    /* not recorded, for want of memory, up to now           */
    int32_t snapshot;        /* its number in the series, or MW_NO_SNAPSHOT           */
} mw_point;

typedef enum mw_ending {
    MW_ENDING_UNKNOWN = 0, /* the process was still running, or it was killed */
    MW_ENDING_EXITED,      /* it came to its end; the capture is whole        */
} mw_ending;

/* A process that the captured one made. */
typedef struct mw_child {
    uint64_t time_ns;
    int64_t pid;
    const char *capture; /* the file name of its own capture, without directory; "" if none */
} mw_child;

/* What process this is.  Strings are UTF-8 and "" where nobody knows. */
typedef struct mw_program {
    const char *name;            /* the script, "-m module" or "-c"                          */
    const char *command_line;    /* as a shell would take it; "" if it was to be left out    */
    const char *directory;       /* where it was started                                     */
    const char *python;          /* the interpreter's version, "3.11.2"                      */
    const char *executable;      /* its path                                                 */
    const char *memwhy;          /* our version                                              */
    const char *host;            /* the machine's name; "" if it was to be left out          */
    int64_t pid;                 /* of the process                                           */
    int64_t parent_pid;          /* of the captured process that forked it; 0: none          */
    uint64_t start_unix_ns;      /* when the capture began, since 1970                       */
    uint64_t memory_limit_bytes; /* of the process's control group; 0: none                  */
    uint64_t sample_bytes;       /* mean distance of samples; 0: every block was recorded    */
    uint32_t frame_limit;        /* frames kept of each traceback                            */
    const char *const *program_places; /* see render/places.h                               */
    size_t program_place_count;
    const char *const *library_places;
    size_t library_place_count;
} mw_program;

/* All of it.  Everything is borrowed from whoever made it. */
typedef struct mw_timeline {
    mw_program program;
    const mw_point *points; /* in the order of time; `snapshot` numbers rise from 0 */
    size_t point_count;
    const mw_child *children;
    size_t child_count;
    /* The time at which each epoch began, by its number; [0] is 0.  Blocks of epoch e were
     * born at epoch_starts_ns[e] or later, and before the next epoch's start. */
    const uint64_t *epoch_starts_ns;
    size_t epoch_count;
    mw_ending ending;
    int exit_status; /* with MW_ENDING_EXITED */
} mw_timeline;
