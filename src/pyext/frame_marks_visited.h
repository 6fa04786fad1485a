/* SPDX-License-Identifier: MIT
 *
 * Marks of CPython 3.14 and 3.15: in the frame's byte `visited` and the four bytes of
 * padding behind it.
 *
 * Every push of a frame sets `visited` to 0 (_PyFrame_Initialize,
 * _PyFrame_PushTrampolineUnchecked), and nothing else writes it; before 3.14.5 the
 * incremental collector wrote 1 there and read it as a boolean with our very meaning,
 * "this frame and its callers are as they were".  So a value of ours, in a frame that a
 * thread owns, proves that the activation is the same, and with it the callers: they are
 * suspended in calls as long as this frame lives.  Unlike the marks of 3.11 to 3.13 it
 * survives calls of Python functions.  The padding is never written by the interpreter; it
 * is read only where `visited` vouches for it.
 *
 * Frames of generators are not reset when they are resumed, so they carry no mark; those
 * of the interpreter's own are not looked at.  Debug builds keep two bit fields in the
 * byte, and so have no marks.
 *
 *   the eight bytes from `return_offset` on:  offset 16 | owner 8 | visited 8 | value 32
 */
#pragma once

enum {
    MW_FRAMES_MARK_FIRST = 2, /* 1 is what the collector of 3.14.0 to 3.14.4 writes */
    MW_FRAMES_MARK_END = 255,
    MW_FRAMES_MARK_LAST = 255, /* the self-check's */
    MW_FRAMES_MARK_SURVIVES_CALLS = 1,
    MW_FRAMES_OWNER_SHIFT = 16,
    MW_FRAMES_VISITED_SHIFT = 24,
    MW_FRAMES_VALUE_SHIFT = 32,
};

#define MW_FRAMES_MARK_VALUE_MAXIMUM UINT32_MAX

#ifdef Py_DEBUG

static inline bool mw_frames_can_carry(const mw_py_frame *frame)
{
    return false;
}

static inline bool mw_frames_may_be_marked(const mw_py_frame *frame)
{
    return mw_frames_can_carry(frame);
}

static inline uint64_t mw_frames_read_mark(const mw_py_frame *frame)
{
    return 0;
}

static inline void mw_frames_write_mark(mw_py_frame *frame, uint64_t mark)
{
}

static inline void mw_frames_void_mark(mw_py_frame *frame)
{
}

#else

_Static_assert(offsetof(mw_py_frame, owner) == offsetof(mw_py_frame, return_offset) + 2 &&
                   offsetof(mw_py_frame, visited) == offsetof(mw_py_frame, return_offset) + 3 &&
                   offsetof(mw_py_frame, localsplus) ==
                       offsetof(mw_py_frame, return_offset) + sizeof(uint64_t),
               "the mark and its payload fill the eight bytes before the locals");

static inline bool mw_frames_can_carry(const mw_py_frame *frame)
{
    return frame->owner == FRAME_OWNED_BY_THREAD;
}

static inline bool mw_frames_may_be_marked(const mw_py_frame *frame)
{
    return mw_frames_can_carry(frame);
}

static inline uint64_t mw_frames_read_mark(const mw_py_frame *frame)
{
    uint64_t word;

    memcpy(&word, &frame->return_offset, sizeof word);
    return word;
}

/* Owner and offset stay; the value is there before the byte that vouches for it. */
static inline void mw_frames_write_mark(mw_py_frame *frame, uint64_t mark)
{
    uint32_t value = (uint32_t)(mark >> MW_FRAMES_VALUE_SHIFT);

    memcpy((char *)&frame->return_offset + sizeof value, &value, sizeof value);
    frame->visited = (uint8_t)(mark >> MW_FRAMES_VISITED_SHIFT);
}

static inline void mw_frames_void_mark(mw_py_frame *frame)
{
    if (mw_frames_can_carry(frame))
        frame->visited = 0;
}

#endif

static inline uint64_t mw_frames_make_mark(uint32_t session, uint32_t value)
{
    return (uint64_t)value << MW_FRAMES_VALUE_SHIFT | (uint64_t)session << MW_FRAMES_VISITED_SHIFT;
}

/* The session's byte beside FRAME_OWNED_BY_THREAD, which is 0: one comparison tests both. */
static inline bool mw_frames_mark_belongs(uint64_t mark, uint32_t session, uint32_t *ret_value)
{
    *ret_value = (uint32_t)(mark >> MW_FRAMES_VALUE_SHIFT);
    return ((uint32_t)mark >> MW_FRAMES_OWNER_SHIFT) ==
           session << (MW_FRAMES_VISITED_SHIFT - MW_FRAMES_OWNER_SHIFT);
}

/* What vouches for the values of a session, and the value of path 0. */
typedef struct mw_mark_origin {
    uint32_t voucher;
    uint32_t first_value;
} mw_mark_origin;

/* Does not fit into two bytes. */
#define MW_FRAMES_MARK_ORIGIN_NONE                                                                 \
    {                                                                                              \
        UINT32_C(0x10000), 0                                                                       \
    }

static inline mw_mark_origin mw_frames_mark_origin(uint32_t session, uint32_t first_value)
{
    return (mw_mark_origin){session << (MW_FRAMES_VISITED_SHIFT - MW_FRAMES_OWNER_SHIFT),
                            first_value};
}

static inline uint64_t mw_frames_mark_of(mw_mark_origin origin, uint32_t path)
{
    return (uint64_t)(origin.first_value + path) << MW_FRAMES_VALUE_SHIFT |
           (uint64_t)origin.voucher << MW_FRAMES_OWNER_SHIFT;
}

static inline bool mw_frames_mark_is_of(uint64_t mark, mw_mark_origin origin, uint32_t *ret_path)
{
    *ret_path = (uint32_t)(mark >> MW_FRAMES_VALUE_SHIFT) - origin.first_value;
    return ((uint32_t)mark >> MW_FRAMES_OWNER_SHIFT) == origin.voucher;
}
