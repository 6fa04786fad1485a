/* SPDX-License-Identifier: MIT
 *
 * Just enough UTF-8 for names and source lines of unknown origin.  A "step" is one
 * well-formed character, or one byte of what is not; a lone surrogate, which Python
 * writes for undecodable file names, counts as its three bytes.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How many bytes the character at [bytes] has: from 1 to 4, at most [length]. */
static inline size_t mw_utf8_step(const char *bytes, size_t length)
{
    unsigned char first = (unsigned char)bytes[0];
    size_t size = first < 0x80   ? 1
                  : first < 0xc2 ? 1
                  : first < 0xe0 ? 2
                  : first < 0xf0 ? 3
                  : first < 0xf5 ? 4
                                 : 1;

    if (size > length)
        return 1;
    for (size_t i = 1; i < size; i++)
        if (((unsigned char)bytes[i] & 0xc0) != 0x80)
            return 1;
    return size;
}

/* The code point of one step; a stray byte is itself. */
static inline uint32_t mw_utf8_code(const char *bytes, size_t step)
{
    static const unsigned char masks[] = {0xff, 0xff, 0x1f, 0x0f, 0x07};
    uint32_t code = (unsigned char)bytes[0] & masks[step];

    for (size_t i = 1; i < step; i++)
        code = code << 6 | ((unsigned char)bytes[i] & 0x3f);
    return code;
}

static inline bool mw_utf8_is_surrogate(const char *bytes, size_t step)
{
    return step == 3 && mw_utf8_code(bytes, step) >> 11 == 0xd800 >> 11;
}

/* Whether one step may stand in UTF-8 that others read. */
static inline bool mw_utf8_is_valid(const char *bytes, size_t step)
{
    uint32_t code = mw_utf8_code(bytes, step);

    if (step == 1)
        return (unsigned char)bytes[0] < 0x80;
    if (step == 3)
        return code >= 0x800 && !mw_utf8_is_surrogate(bytes, step);
    return step == 2 || (code >= 0x10000 && code < 0x110000);
}

/* C1 controls, and what turns the direction of text: a terminal must not obey them. */
static inline bool mw_utf8_is_control(const char *bytes, size_t step)
{
    uint32_t code = mw_utf8_code(bytes, step);

    return step > 1 && ((code >= 0x80 && code < 0xa0) || (code >= 0x202a && code <= 0x202e) ||
                        (code >= 0x2066 && code <= 0x2069) || code == 0x2028 || code == 0x2029);
}
