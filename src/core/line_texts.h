/* SPDX-License-Identifier: MIT
 *
 * The texts of source lines as they were when a program ran, indentation and all.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

typedef struct mw_line_texts mw_line_texts;

struct mw_line_texts {
    /* The text, without the end of the line, or NULL where nobody knows it; it lives as long
     * as the texts do. */
    const char *(*line)(const mw_line_texts *self, const char *file, int32_t line,
                        size_t *ret_length);
};
