/* SPDX-License-Identifier: MIT
 *
 * Shell patterns by the rules of Python's fnmatch module on POSIX.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Whether the whole of [name] matches the shell pattern: `*`, `?`, `[seq]`, `[!seq]`,
 * case-sensitive, no special treatment of "/", newlines or leading dots.  Characters are
 * code points of UTF-8 in which lone surrogates may occur, as their 3 bytes; bytes that
 * are no UTF-8 count as one character each.  Never exponential, whatever the pattern. */
bool mw_fnmatch(const char *pattern, size_t pattern_length, const char *name, size_t name_length);
