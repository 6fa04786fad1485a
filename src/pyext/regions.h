/* SPDX-License-Identifier: MIT
 *
 * Regions: named steps in the paths of what is allocated inside.
 *
 * A region belongs to the frame that entered it (whose `with` it is).  While it is in force,
 * the path of that frame's caller is (real caller's path, region): so the region stands
 * between the frame and its caller, in everything that is allocated in the frame or further
 * in.  Regions that one frame has entered stand in the order in which it did.  The frame of a
 * coroutine or generator has its regions when it is resumed, by whatever thread, and nobody
 * has them while it is suspended; that tasks and threads keep theirs apart is no work.
 *
 * Which frame: its address would not do, as another frame may lie there next.  An activation
 * holds the frame's object, and a frame is the one that was meant if its object is this very
 * one.  Most frames have no object, so that a walk asks of most of them one word; and while
 * no region is in force, nothing at all.
 *
 * Marks (stack_walk.h) stay exact: that of a frame with regions holds the path with them.
 * Entering and leaving take the marks away from that frame inward to the innermost
 * (region_type.c), and so the next look is a walk, which asks here.
 *
 * Names are interned, never forgotten, and bounded: beyond MW_REGION_NAME_MAXIMUM all new
 * ones are "<other regions>".  The activations are changed under the GIL and the lock; who
 * holds the GIL reads them without the lock, others with it.
 */
#pragma once

#include "core/code_table.h"
#include "pyext/frames.h"

#include <stdatomic.h>

enum {
    MW_REGION_NAME_MAXIMUM = 4096,
    MW_REGION_OTHERS = MW_REGION_NAME_MAXIMUM + 1, /* the name of all others                 */
    MW_REGION_NAME_COUNT,                          /* numbers are less than this, 0 is none  */
    MW_REGION_NAME_BYTES = 240,                    /* longer names are cut                   */
    MW_REGIONS_PER_FRAME = 64,                     /* more in one frame are not entered      */
    MW_REGION_ACTIVATION_MAXIMUM = 1 << 24,        /* nor are more than these                */
};

typedef struct {
    uint32_t index;
} mw_region_name;

/* Activations in force. */
extern _Atomic uint32_t mw_the_region_count __attribute__((visibility("hidden")));

static inline bool mw_regions_are_in_force(void)
{
    return atomic_load_explicit(&mw_the_region_count, memory_order_relaxed) != 0;
}

/* Whether it is worth asking for the regions of [frame]. */
static inline bool mw_regions_may_be_of(const mw_py_frame *frame)
{
    return mw_regions_are_in_force() && mw_frames_object(frame) != NULL;
}

/* The regions of one frame, outermost first. */
typedef struct mw_frame_regions {
    uint32_t count;
    mw_region_name names[MW_REGIONS_PER_FRAME];
} mw_frame_regions;

/* The GIL is held. */
void mw_regions_of(const mw_py_frame *frame, mw_frame_regions *ret_regions);
/* The calling thread, whose frame it is, need not hold the GIL. */
void mw_regions_of_raw(const mw_py_frame *frame, mw_frame_regions *ret_regions);

/* The number of a name; that of all others once there are too many.  The GIL is held. */
mw_region_name mw_regions_name(const char *utf8, size_t length);

/* Its UTF-8, which stays as it is for good. */
const char *mw_regions_name_bytes(mw_region_name name, size_t *ret_length);

/* The step that a name stands for, in any table: an instruction of the function [name] in
 * the file MW_REGION_FILE. */
mw_status mw_regions_instruction(mw_code_table *codes, mw_region_name name,
                                 mw_instruction *ret_instruction) MW_MUST_CHECK;

/* ── entering and leaving; the GIL is held ───────────────────────────────────────── */

/* The activations of one region object, of which the last to be entered comes first. */
typedef struct mw_region_uses {
    uint32_t newest; /* 0: none */
} mw_region_uses;

/* Puts the frame of [frame_take] into a region.  Returns false, having released the object,
 * where that is refused (see mw_regions_counts). */
bool mw_regions_enter(mw_region_uses *uses, PyFrameObject *frame_take, mw_region_name name);

/* The nearest frame from [frame] outward that has one of [uses]; NULL if none has. */
mw_py_frame *mw_regions_find(const mw_region_uses *uses, mw_py_frame *frame);

/* What was left: for the caller to release, after the marks are gone. */
typedef struct mw_left_region {
    PyFrameObject *frame; /* owned; NULL: there was nothing to leave                      */
    bool may_run;         /* the frame may be running, or waiting for another, elsewhere  */
} mw_left_region;

/* Ends the latest of [uses] in [frame], or, if that is NULL, the latest of all. */
mw_left_region mw_regions_leave(mw_region_uses *uses, const mw_py_frame *frame);

int mw_regions_traverse(const mw_region_uses *uses, visitproc visit, void *arg);

typedef struct mw_region_counts {
    uint32_t in_force;
    uint32_t names;   /* interned                                           */
    uint64_t others;  /* how often a name was asked for that was one too many */
    uint64_t refused; /* how often a frame could not be put into a region   */
} mw_region_counts;

mw_region_counts mw_regions_counts(void);

/* Called once, at import: handles fork. */
int mw_regions_init(void);
