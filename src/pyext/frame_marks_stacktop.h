/* SPDX-License-Identifier: MIT
 *
 * Marks of CPython 3.11 to 3.13: in the frame's `stacktop`.
 *
 * While a frame executes C code its evaluation stack is in the interpreter's registers,
 * and `stacktop` is -1: "nothing to see here".  Whoever reads the field (the collector,
 * frame objects) treats every negative number alike.  The interpreter overwrites it when a
 * frame is pushed (with the number of its locals), when the frame calls a Python function
 * inline, yields, returns or unwinds (with the depth of its stack), and sets it to -1 when
 * the frame goes on.  So what we write there is gone as soon as the activation is another
 * one, or the callers may have moved on.
 *
 * The field's 32 bits: -2 - (session << 26 | value).  So marks of paths of one session fall as
 * the numbers of the paths rise, and a path's number is found by one subtraction: what is no
 * mark, or another session's, comes to a number that no path has.  (Of the sessions after the
 * one in force only the self-check's has been written, which the next but one keeps apart.)
 */
#pragma once

enum {
    MW_FRAMES_MARK_FIRST = 1,
    MW_FRAMES_MARK_END = 29,  /* sessions before this one can be used   */
    MW_FRAMES_MARK_LAST = 30, /* the self-check's                       */
    MW_FRAMES_MARK_SURVIVES_CALLS = 0,
    MW_FRAMES_MARK_VALUE_BITS = 26,
};

#define MW_FRAMES_MARK_VALUE_MAXIMUM ((UINT32_C(1) << MW_FRAMES_MARK_VALUE_BITS) - 1)

static inline bool mw_frames_can_carry(const mw_py_frame *frame)
{
    return frame->stacktop < 0;
}

/* A mark of either kind: most frames have neither. */
static inline bool mw_frames_may_be_marked(const mw_py_frame *frame)
{
    return frame->stacktop < 0 ||
           (frame->owner == FRAME_OWNED_BY_THREAD && frame->f_locals != NULL);
}

static inline uint64_t mw_frames_read_mark(const mw_py_frame *frame)
{
    return (uint32_t)frame->stacktop;
}

static inline void mw_frames_write_mark(mw_py_frame *frame, uint64_t mark)
{
    frame->stacktop = (int)(uint32_t)mark;
}

static inline void mw_frames_void_mark(mw_py_frame *frame)
{
    if (frame->stacktop < 0)
        frame->stacktop = -1;
}

static inline uint64_t mw_frames_make_mark(uint32_t session, uint32_t value)
{
    return (uint32_t)-2 - (session << MW_FRAMES_MARK_VALUE_BITS | value);
}

static inline bool mw_frames_mark_belongs(uint64_t mark, uint32_t session, uint32_t *ret_value)
{
    *ret_value = ((uint32_t)-2 - (uint32_t)mark) ^ session << MW_FRAMES_MARK_VALUE_BITS;
    return *ret_value <= MW_FRAMES_MARK_VALUE_MAXIMUM;
}

/* The mark of path 0. */
typedef struct mw_mark_origin {
    uint32_t mark;
} mw_mark_origin;

/* With this, nothing that stands in the field comes to the number of a path. */
#define MW_FRAMES_MARK_ORIGIN_NONE                                                                 \
    {                                                                                              \
        UINT32_C(0x80000000)                                                                       \
    }

static inline mw_mark_origin mw_frames_mark_origin(uint32_t session, uint32_t first_value)
{
    return (mw_mark_origin){(uint32_t)mw_frames_make_mark(session, first_value)};
}

static inline uint64_t mw_frames_mark_of(mw_mark_origin origin, uint32_t path)
{
    return (uint32_t)(origin.mark - path);
}

static inline bool mw_frames_mark_is_of(uint64_t mark, mw_mark_origin origin, uint32_t *ret_path)
{
    *ret_path = origin.mark - (uint32_t)mark;
    return true;
}
