# SPDX-License-Identifier: MIT
"""Writes tests/unit/fnmatch_cases.h: what Python's fnmatch says of many patterns.

    python3 tests/python/reference/make_fnmatch_cases.py > tests/unit/fnmatch_cases.h

Cases that someone thought of come first, then random ones of the characters that mean
something in patterns or regular expressions.
"""

import fnmatch
import random
import re
import warnings

CHOSEN = [
    ("", ["", "a"]),
    ("*", ["", "a", "a/b", "a\nb", ".hidden"]),
    ("**", ["", "ab"]),
    ("?", ["", "a", "ab", "\n", "é", "\ud800", "😀"]),
    ("*.py", [".py", "a.py", "a/b.py", "a.pyc", "a.PY", "a.py\n"]),
    ("*/site-packages/*", ["/x/site-packages/y.py", "site-packages/y.py"]),
    ("a*b*c", ["abc", "aXbXc", "acb", "abcbc", "abcb"]),
    ("*a*a*a*b", ["a" * 60, "a" * 60 + "b"]),
    ("<*>", ["<unknown>", "<frozen importlib._bootstrap>", "<>"]),
    ("[abc]", ["a", "c", "d", "", "ab"]),
    ("[!abc]", ["a", "d", "\n", ""]),
    ("[a-c]x", ["ax", "bx", "dx"]),
    ("[]abc]", ["]", "a", "d"]),
    ("[!]abc]", ["]", "a", "d"]),
    ("[]-a]", ["]", "^", "a", "b", "-"]),
    ("[", ["[", "a"]),
    ("[]", ["[]", "]", ""]),
    ("[!", ["[!", "!"]),
    ("[!]", ["[!]", "x", "]"]),
    ("[abc", ["[abc", "a"]),
    ("a[", ["a[", "a"]),
    ("[b-a]", ["a", "b", "-", ""]),
    ("[!b-a]", ["a", "b", "-", ""]),
    ("[b-a!]", ["a", "!", "b"]),
    ("[b-a!x]", ["!", "x", "y"]),
    ("[b-a!-z]", ["!", "-", "z", "y"]),
    ("[b-a^x]", ["^", "x", "y"]),
    ("[b-ac-d]", ["a", "b", "c", "d"]),
    ("[-a]", ["-", "a", "b"]),
    ("[a-]", ["-", "a", "b"]),
    ("[!-a]", ["-", "a", "b"]),
    ("[--a]", ["-", "a", ".", "b"]),
    ("[a--]", ["-", "a"]),
    ("[a-c-e]", ["a", "b", "c", "d", "e", "-"]),
    ("[---]", ["-", "a"]),
    ("[^a]", ["^", "a", "b"]),
    ("[\\]", ["\\", "a"]),
    ("[\\-a]", ["\\", "]", "a", "-"]),
    ("[a&&b]", ["a", "&", "b"]),
    ("[a||b~~c]", ["|", "~", "d"]),
    ("[[a]", ["[", "a", "b"]),
    ("[!!]", ["!", "a"]),
    ("[é-ü]", ["é", "ö", "e", "ÿ"]),
    ("[\ud800-\udfff]", ["\ud800", "\udc80", "\ud7ff", "😀"]),
    ("\ud83d\ude00", ["\ud83d\ude00", "😀"]),
    ("a.b+c(d)$", ["a.b+c(d)$", "aXb+c(d)$"]),
    ("*[!a-z]", ["abc", "abC", "ab\n"]),
]

IN_PATTERNS = "ab!-]^[*?\\&~|cé\ud800😀\n\0/.-!][*"
IN_NAMES = "ab!-^[]\\&~|cé\ud800😀\n\0/.*?"
IN_SETS = "ab!-^[\\&~|c-!-é"
RANDOM_PATTERNS = 250


def random_text(rng, alphabet, longest):
    return "".join(rng.choice(alphabet) for _ in range(rng.randint(0, longest)))


def random_case(rng):
    pattern = random_text(rng, IN_PATTERNS, 6)
    if rng.random() < 0.6:
        pattern += "[" + rng.choice(["", "!"]) + random_text(rng, IN_SETS, 6) + "]"
        pattern += rng.choice(["", "*", "a"])
    names = [random_text(rng, IN_NAMES, rng.choice([1, 2, 5])) for _ in range(3)]
    # A name that has a chance: the pattern with something in place of its wildcards.
    names.append("".join(rng.choice(IN_NAMES) if c in "*?" else c for c in pattern))
    return pattern, names


def c_string(text):
    """The text as UTF-8 in a C literal, and how many bytes it has."""
    encoded = text.encode("utf-8", "surrogatepass")
    literal = ""
    for byte in encoded:
        char = chr(byte)
        if char in '\\"':
            literal += "\\" + char
        elif 32 <= byte < 127 and not (char == "?" and literal.endswith("?")):
            literal += char
        else:
            literal += "\\%03o" % byte
    return '"%s", %d' % (literal, len(encoded))


HEAD = """\
/* SPDX-License-Identifier: MIT
 *
 * What Python's fnmatch says of many patterns.  Written by
 * tests/python/reference/make_fnmatch_cases.py.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

typedef struct fnmatch_case {
    const char *pattern;
    size_t pattern_length;
    const char *name;
    size_t name_length;
    bool matches;
} fnmatch_case;

/* clang-format off */
static const fnmatch_case fnmatch_cases[] = {"""

TAIL = """\
};
/* clang-format on */"""


def main():
    warnings.simplefilter("ignore")
    rng = random.Random(1)
    print(HEAD)
    for pattern, names in CHOSEN + [random_case(rng) for _ in range(RANDOM_PATTERNS)]:
        match = re.compile(fnmatch.translate(pattern)).match
        for name in dict.fromkeys(names):
            verdict = "true" if match(name) else "false"
            print("    {%s, %s, %s}," % (c_string(pattern), c_string(name), verdict))
    print(TAIL)


if __name__ == "__main__":
    main()
